//! MATLAB files of version 4 ("Level 4", `save -v4`), which other programs still write: one full or sparse array after the other.
//!
//! Format: the last chapter of <https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf>.

use std::path::Path;
use std::rc::Rc;

use super::sparse::dense;
use super::v5::rows;
use super::value::{Data, Numbers, Stored, Value};
use crate::formats::{FormatError, OpenOptions, Progress};

const HEADER: usize = 20;
/// Longest name of a variable, its end included.
const LONGEST_NAME: u32 = 256;

/// The header of a variable.
struct Header {
    big_endian: bool,
    stored: Stored,
    /// 0 full, 1 text, 2 sparse.
    kind: u32,
    rows: u32,
    columns: u32,
    complex: bool,
    name: u32,
}

fn header(bytes: &[u8]) -> Option<Header> {
    let word = |k: usize, big: bool| {
        let four: [u8; 4] = bytes.get(4 * k..4 * k + 4)?.try_into().ok()?;
        Some(if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    };
    // The first number is made of the digits machine, 0, kind of number, kind of array; machine 0 is little-endian, 1 big-endian.
    let big_endian = word(0, false)? > 4999;
    let kind = word(0, big_endian)?;
    if kind / 1000 != u32::from(big_endian) || kind / 100 % 10 != 0 {
        return None;
    }
    let stored = match kind / 10 % 10 {
        0 => Stored::F64,
        1 => Stored::F32,
        2 => Stored::I32,
        3 => Stored::I16,
        4 => Stored::U16,
        5 => Stored::U8,
        _ => return None,
    };
    let (rows, columns, complex, name) = (word(1, big_endian)?, word(2, big_endian)?, word(3, big_endian)?, word(4, big_endian)?);
    let fits = kind % 10 <= 2 && complex <= 1 && (2..=LONGEST_NAME).contains(&name) && rows.max(columns) <= i32::MAX as u32;
    fits.then_some(Header { big_endian, stored, kind: kind % 10, rows, columns, complex: complex == 1, name })
}

fn name_of(bytes: &[u8]) -> Option<&str> {
    let (&end, name) = bytes.split_last()?;
    let name = std::str::from_utf8(name).ok()?;
    let word = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (end == 0 && word).then_some(name)
}

/// True when the head is that of a version 4 file.
pub(super) fn is_v4(head: &[u8]) -> bool {
    header(head).is_some_and(|h| head.get(HEADER..HEADER + h.name as usize).is_some_and(|name| name_of(name).is_some()))
}

/// All variables of a file, in its order.
pub(super) fn variables(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Vec<(String, Value)>, FormatError> {
    let unreadable = |e| FormatError::not_readable(path, e);
    let len = std::fs::metadata(path).map_err(unreadable)?.len();
    let too_big = |object: &str, claimed: u64| {
        let reason = format!("at most {} are read", options.max_bytes);
        FormatError::TooBig { path: path.to_owned(), object: object.to_owned(), claimed, reason }
    };
    if len > options.max_bytes {
        return Err(too_big("the file", len));
    }
    let buffer = Rc::new(std::fs::read(path).map_err(unreadable)?);
    let (mut at, mut found) = (0usize, Vec::new());
    while at < buffer.len() {
        progress.at(0.5 * at as f32 / buffer.len() as f32, "reading variables")?;
        let place = format!("variable {}", found.len() + 1);
        let damaged = |problem: &str| FormatError::corrupt(path, place.clone(), problem);
        let rest = buffer.get(at..).unwrap_or_default();
        let head = header(rest).ok_or_else(|| damaged("it does not begin with the header of an array"))?;
        let data = HEADER + head.name as usize;
        let name = rest.get(HEADER..data).and_then(name_of).ok_or_else(|| damaged("its name cannot be read"))?.to_owned();
        let count = u64::from(head.rows) * u64::from(head.columns);
        let size = count.checked_mul(head.stored.width() as u64).and_then(|n| n.checked_mul(1 + u64::from(head.complex)));
        let size = size.and_then(|n| usize::try_from(n).ok()).filter(|n| rest.len() - data >= *n);
        let Some(size) = size else {
            let left = rest.len() - data;
            let shape = format!("{} × {}", head.rows, head.columns);
            return Err(FormatError::corrupt(
                path,
                name,
                format!("its shape is {shape}, but only {left} bytes follow; the file is cut off"),
            ));
        };
        let dims = vec![u64::from(head.rows), u64::from(head.columns)];
        let bytes =
            Data::Bytes { buffer: Rc::clone(&buffer), at: at + data..at + data + size, stored: head.stored, big_endian: head.big_endian };
        let numbers = Numbers { dims: dims.clone(), class: "double", data: bytes };
        let value = match head.kind {
            _ if head.complex => Value::Other { class: "complex".to_owned(), dims },
            0 => Value::Numbers(numbers),
            1 => {
                let units: Vec<u16> = numbers.values(None, 0.0)?.iter().map(|&v| v as u16).collect();
                Value::Text(rows(&units, u64::from(head.rows)))
            }
            _ => {
                // Rows of (row, column, value), the last of which holds the shape.
                let values = numbers.values(None, 0.0)?;
                let rows = head.rows as usize;
                let column = |k: usize| values.get(k * rows..(k + 1) * rows).unwrap_or_default();
                let triple = |r: usize| Some((*column(0).get(r)?, *column(1).get(r)?, *column(2).get(r)?));
                let shape = rows.checked_sub(1).and_then(triple).filter(|_| head.columns == 3);
                let (m, n, _) = shape.ok_or_else(|| damaged("a sparse array has no shape"))?;
                let entries = (0..rows - 1).filter_map(triple).map(|(r, c, v)| (r - 1.0, c - 1.0, v));
                let whole = dense(vec![m as u64, n as u64], "double", entries, options.max_bytes);
                Value::Numbers(whole.map_err(|claimed| {
                    claimed.map_or_else(|| damaged("a sparse array names a place outside of it"), |c| too_big(&name, c))
                })?)
            }
        };
        found.push((name, value));
        at += data + size;
    }
    Ok(found)
}
