//! What NWB needs and hdf5-pure 0.47 cannot write: attributes that refer to objects (`target` of an index, `table` of a region) and
//! the soft link from an electrode group to its device. They are first written as text attributes of the same size and then
//! replaced, header by header, with the checksum made right again.

use std::collections::BTreeMap;

use hdf5_pure::{AttrValue, DatasetBuilder, GroupBuilder};

use crate::formats::hdf5_bytes::{self, Message};

const ATTRIBUTE: u8 = 0x0c;
const LINK: u8 = 0x06;
/// A message that means nothing.
const NIL: u8 = 0;
/// Object reference, version 1.
const REFERENCE: [u8; 8] = [0x17, 0, 0, 0, 8, 0, 0, 0];
const MARK: &str = "spikescope_mark";
const DEVICE_LINK: &str = "device";

/// Mark a group as the target of references to `number`.
pub(super) fn mark(group: &mut GroupBuilder, number: u32) {
    group.set_attr(MARK, placeholder('#', number));
}

/// Mark a dataset as the target of references to `number`.
pub(super) fn mark_data(dataset: &mut DatasetBuilder, number: u32) {
    dataset.set_attr(MARK, placeholder('#', number));
}

/// An attribute that refers to the object marked with `number`.
pub(super) fn refer_data(dataset: &mut DatasetBuilder, name: &str, number: u32) {
    dataset.set_attr(name, placeholder('@', number));
}

/// A soft link called `device` to `target`.
pub(super) fn device(group: &mut GroupBuilder, target: &str) {
    // A link message takes 12 bytes and its target, an attribute message of this name 27 bytes and its value.
    group.set_attr(DEVICE_LINK, AttrValue::AsciiString("~".repeat(target.len() - 15)));
}

fn placeholder(kind: char, number: u32) -> AttrValue {
    // Eight bytes, as long as a reference.
    AttrValue::AsciiString(format!("{kind}{number:07x}"))
}

/// An attribute message in parts; positions in the file.
struct Attribute {
    message: Message,
    name: String,
    datatype: usize,
    value: usize,
    end: usize,
}

struct Block {
    start: usize,
    end: usize,
    messages: Vec<Message>,
}

/// Put references and links in the place of their placeholders. `device` is the target of every device link.
pub(super) fn connect(bytes: &mut [u8], device: &str) -> Result<(), String> {
    let blocks = blocks(bytes);
    let mut targets = BTreeMap::new();
    for block in &blocks {
        for attribute in attributes(bytes, block) {
            if attribute.name == MARK {
                targets.insert(number(bytes, &attribute).ok_or("a mark is no number")?, block.start as u64);
            }
        }
    }
    let mut left = targets.len();
    for block in &blocks {
        for attribute in attributes(bytes, block) {
            let first = bytes.get(attribute.value).copied();
            if attribute.name == MARK {
                set(bytes, attribute.message.at, &[NIL])?;
                set(bytes, attribute.message.begin, &vec![0; attribute.message.end - attribute.message.begin])?;
                left -= 1;
            } else if attribute.name == DEVICE_LINK && first == Some(b'~') {
                let link = soft_link(DEVICE_LINK, device);
                if link.len() != attribute.message.end - attribute.message.begin {
                    return Err("a link does not fit its place".to_owned());
                }
                set(bytes, attribute.message.at, &[LINK])?;
                set(bytes, attribute.message.begin, &link)?;
            } else if first == Some(b'@') && attribute.end - attribute.value == 8 && ["target", "table"].contains(&attribute.name.as_str())
            {
                let target = number(bytes, &attribute).and_then(|n| targets.get(&n)).ok_or("a reference has no target")?;
                set(bytes, attribute.datatype, &REFERENCE)?;
                set(bytes, attribute.value, &target.to_le_bytes())?;
            }
        }
        hdf5_bytes::seal(bytes.get_mut(block.start..block.end).ok_or("a header leaves the file")?);
    }
    if left == 0 { Ok(()) } else { Err("marks are left".to_owned()) }
}

fn set(bytes: &mut [u8], at: usize, new: &[u8]) -> Result<(), String> {
    bytes.get_mut(at..at + new.len()).ok_or("a header leaves the file")?.copy_from_slice(new);
    Ok(())
}

/// All object headers. A run of data that looks like one would need the right checksum too.
fn blocks(bytes: &[u8]) -> Vec<Block> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(next) = bytes.get(at..).and_then(|rest| rest.windows(5).position(|w| w == b"OHDR\x02")) {
        let start = at + next;
        at = start + 4;
        let Some(prefix) = bytes.get(start..).and_then(hdf5_bytes::prefix) else { continue };
        let Some(block) = start.checked_add(prefix.len).and_then(|end| bytes.get(start..end)) else { continue };
        if hdf5_bytes::is_sound(block) {
            let shift = |m: Message| Message { kind: m.kind, at: m.at + start, begin: m.begin + start, end: m.end + start };
            let messages = hdf5_bytes::messages(block, prefix.messages, prefix.creation_order).into_iter().map(shift).collect();
            found.push(Block { start, end: start + prefix.len, messages });
            at = start + prefix.len;
        }
    }
    found
}

fn attributes(bytes: &[u8], block: &Block) -> Vec<Attribute> {
    block.messages.iter().filter(|m| m.kind == ATTRIBUTE).filter_map(|&m| attribute(bytes, m)).collect()
}

/// Versions 2 and 3, which have no padding.
fn attribute(bytes: &[u8], message: Message) -> Option<Attribute> {
    let body = bytes.get(message.begin..message.end)?;
    let size = |at: usize| Some(usize::from(u16::from_le_bytes(body.get(at..at + 2)?.try_into().ok()?)));
    let head = match body.first()? {
        2 => 8,
        3 => 9,
        _ => return None,
    };
    let (name_len, type_len, space_len) = (size(2)?, size(4)?, size(6)?);
    let name = body.get(head..head + name_len)?;
    let name = String::from_utf8_lossy(name.strip_suffix(b"\0").unwrap_or(name)).into_owned();
    let datatype = message.begin + head + name_len;
    let value = datatype + type_len + space_len;
    (type_len == 8 && value <= message.end).then_some(Attribute { message, name, datatype, value, end: message.end })
}

fn number(bytes: &[u8], attribute: &Attribute) -> Option<u32> {
    let text = std::str::from_utf8(bytes.get(attribute.value + 1..attribute.end)?).ok()?;
    u32::from_str_radix(text.trim_end_matches('\0'), 16).ok()
}

/// Body of a Link message, version 1: soft, ASCII, names of less than 256 bytes.
fn soft_link(name: &str, target: &str) -> Vec<u8> {
    let mut body = vec![1, 8, 1, name.len() as u8];
    body.extend(name.as_bytes());
    body.extend((target.len() as u16).to_le_bytes());
    body.extend(target.as_bytes());
    body
}
