//! HDF5 object headers, byte by byte, for two things hdf5-pure 0.47 does not do. libhdf5 2.0 writes data layout messages of version
//! 5 when asked for the latest format; they are those of version 4 with wider sizes inside the chunk index, whose width the index
//! itself tells, so that changing the version is enough to read them. And NWB needs references in attributes and soft links, which
//! the writer puts in place of same-sized placeholders.
//!
//! Format: <https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t4.html>, "Version 2 Data Object Header Prefix".

/// Message type of the data layout.
const LAYOUT: u8 = 8;

/// One message of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u8,
    /// Where its type byte stands in the block.
    pub(super) at: usize,
    /// Where its body begins and ends in the block.
    pub(super) begin: usize,
    pub(super) end: usize,
}

/// Where the messages of an `OHDR` block lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    /// First byte of the first message.
    pub(super) messages: usize,
    /// Bytes of the whole block, checksum included.
    pub(super) len: usize,
    /// Messages carry their creation order.
    pub(super) creation_order: bool,
}

/// Read the prefix of a version 2 object header; `None` when `block` does not begin with one.
pub(super) fn prefix(block: &[u8]) -> Option<Prefix> {
    if block.get(..5)? != b"OHDR\x02" {
        return None;
    }
    let flags = *block.get(5)?;
    let mut at = 6;
    at += if flags & 0x20 != 0 { 16 } else { 0 };
    at += if flags & 0x10 != 0 { 4 } else { 0 };
    let width = 1usize << (flags & 3);
    let size = block.get(at..at + width)?.iter().rev().try_fold(0usize, |size, &byte| size.checked_mul(256)?.checked_add(byte.into()))?;
    let messages = at + width;
    Some(Prefix { messages, len: messages.checked_add(size)?.checked_add(4)?, creation_order: flags & 4 != 0 })
}

/// The messages of a whole block (`OHDR` or `OCHK`, checksum included).
pub(super) fn messages(block: &[u8], first: usize, creation_order: bool) -> Vec<Message> {
    let head = if creation_order { 6 } else { 4 };
    let end = block.len().saturating_sub(4);
    let (mut found, mut at) = (Vec::new(), first);
    while let Some(&[kind, low, high]) = block.get(at..at + 3) {
        let (begin, size) = (at + head, usize::from(u16::from_le_bytes([low, high])));
        if begin + size > end {
            break;
        }
        found.push(Message { kind, at, begin, end: begin + size });
        at = begin + size;
    }
    found
}

/// True when the checksum at the end of the block is right.
pub(super) fn is_sound(block: &[u8]) -> bool {
    block.split_last_chunk::<4>().is_some_and(|(body, sum)| lookup3(body).to_le_bytes() == *sum)
}

/// Put the checksum at the end of the block.
pub(super) fn seal(block: &mut [u8]) {
    if let Some((body, sum)) = block.split_last_chunk_mut::<4>() {
        *sum = lookup3(body).to_le_bytes();
    }
}

/// When the block is sound and holds a layout of version 5: the block with version 4.
pub(super) fn with_layout_4(block: &[u8], first: usize, creation_order: bool) -> Option<Vec<u8>> {
    let newer = |m: &Message| m.kind == LAYOUT && block.get(m.begin) == Some(&5);
    let message = messages(block, first, creation_order).into_iter().find(newer)?;
    if !is_sound(block) {
        return None;
    }
    let mut older = block.to_vec();
    *older.get_mut(message.begin)? = 4;
    seal(&mut older);
    Some(older)
}

/// Bob Jenkins' lookup3 (`hashlittle`), HDF5's checksum of metadata.
pub(super) fn lookup3(bytes: &[u8]) -> u32 {
    let word = |part: &[u8], at: usize| (0..4).fold(0u32, |w, i| w | u32::from(part.get(at + i).copied().unwrap_or(0)) << (8 * i));
    let start = 0xdead_beef_u32.wrapping_add(bytes.len() as u32);
    let (mut a, mut b, mut c) = (start, start, start);
    let mut rest = bytes;
    while rest.len() > 12 {
        a = a.wrapping_add(word(rest, 0));
        b = b.wrapping_add(word(rest, 4));
        c = c.wrapping_add(word(rest, 8));
        a = a.wrapping_sub(c) ^ c.rotate_left(4);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(6);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(8);
        b = b.wrapping_add(a);
        a = a.wrapping_sub(c) ^ c.rotate_left(16);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(19);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(4);
        b = b.wrapping_add(a);
        rest = rest.get(12..).unwrap_or_default();
    }
    if rest.is_empty() {
        return c;
    }
    a = a.wrapping_add(word(rest, 0));
    b = b.wrapping_add(word(rest, 4));
    c = c.wrapping_add(word(rest, 8));
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_checksum_is_lookup3() {
        // Values from the driver in lookup3.c.
        assert_eq!(lookup3(b""), 0xdead_beef);
        assert_eq!(lookup3(b"Four score and seven years ago"), 0x1777_0551);
    }

    #[test]
    fn headers_of_a_written_file_are_found_sound() {
        let mut builder = hdf5_pure::FileBuilder::new();
        builder.create_dataset("x").with_f64_data(&[1.0, 2.0, 3.0]);
        let bytes = builder.finish().unwrap();
        let at = bytes.windows(4).position(|w| w == b"OHDR").unwrap();
        let block = &bytes[at..];
        let p = prefix(block).unwrap();
        assert!(is_sound(&block[..p.len]) && !messages(&block[..p.len], p.messages, p.creation_order).is_empty());
        let mut broken = block[..p.len].to_vec();
        broken[p.messages] ^= 1;
        assert!(!is_sound(&broken));
        seal(&mut broken);
        assert!(is_sound(&broken));
    }
}
