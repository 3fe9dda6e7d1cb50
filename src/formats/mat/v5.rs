//! MATLAB files of version 5 to 7.2 ("Level 5"): elements with a tag, inside one another, each variable perhaps deflated.
//!
//! Format: <https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf>. A reader of our own, because `matrw` 0.1.4 unwraps
//! inside its inflater and believes every size in the file.

use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use flate2::read::ZlibDecoder;

use super::sparse::{by_columns, dense};
use super::value::{Data, Numbers, Stored, Value};
use crate::formats::{FormatError, OpenOptions, Progress};

const COMPRESSED: u32 = 15;
const MATRIX: u32 = 14;
const HEADER: usize = 128;
const DEEPEST: usize = 32;
/// Values of one file, those inside cells and structs included.
const MOST_VALUES: usize = 2_000_000;

/// True when the head is that of a version 5 file.
pub(super) fn is_v5(head: &[u8]) -> bool {
    let endian = head.get(126..128);
    (endian == Some(b"IM") || endian == Some(b"MI")) && head.get(124..126).is_some_and(|v| v == [0, 1] || v == [1, 0])
}

/// A stretch of memory and how far it may be read.
#[derive(Clone)]
struct Span {
    buffer: Rc<Vec<u8>>,
    at: Range<usize>,
}

struct Reader<'a> {
    path: &'a Path,
    big_endian: bool,
    values_left: usize,
    /// Bytes that may still be inflated, all variables together.
    bytes_left: u64,
}

/// All variables of a file, in its order.
pub(super) fn variables(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Vec<(String, Value)>, FormatError> {
    let unreadable = |e| FormatError::not_readable(path, e);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let len = file.metadata().map_err(unreadable)?.len();
    if len > options.max_bytes {
        let reason = format!("at most {} are read", options.max_bytes);
        return Err(FormatError::TooBig { path: path.to_owned(), object: "the file".to_owned(), claimed: len, reason });
    }
    let mut bytes = Vec::new();
    file.take(len).read_to_end(&mut bytes).map_err(unreadable)?;
    let big_endian = bytes.get(126..128) == Some(b"MI");
    let buffer = Rc::new(bytes);
    let mut reader = Reader { path, big_endian, values_left: MOST_VALUES, bytes_left: options.max_bytes };
    let mut rest = Span { at: HEADER.min(buffer.len())..buffer.len(), buffer };
    let total = rest.at.len().max(1);
    let mut found = Vec::new();
    // Fewer than eight bytes at the end are padding.
    while rest.at.len() >= 8 {
        progress.at(0.5 * (1.0 - rest.at.len() as f32 / total as f32), "reading variables")?;
        let place = format!("variable {}", found.len() + 1);
        let (kind, body) = reader.element(&mut rest, &place)?;
        let matrix = match kind {
            COMPRESSED => {
                let mut inner = reader.inflate(&body, &place)?;
                match reader.element(&mut inner, &place)? {
                    (MATRIX, matrix) => matrix,
                    (kind, _) => return Err(reader.damaged(&place, format!("it holds an element of type {kind} where an array should be"))),
                }
            }
            MATRIX => body,
            _ => return Err(reader.damaged(&place, format!("it is an element of type {kind} where a variable should be"))),
        };
        // MATLAB keeps the insides of its objects in an array without a name.
        if let Some((name, value)) = reader.matrix(matrix, &place, 0)?
            && !name.is_empty()
        {
            found.push((name, value));
        }
    }
    Ok(found)
}

impl Reader<'_> {
    fn damaged(&self, place: &str, problem: impl Into<String>) -> FormatError {
        FormatError::corrupt(self.path, place, problem)
    }

    fn word(&self, span: &Span, at: usize) -> Option<u32> {
        let bytes: [u8; 4] = span.buffer.get(span.at.clone())?.get(at..at + 4)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// Type and body of the next element; `rest` moves behind it.
    fn element(&self, rest: &mut Span, place: &str) -> Result<(u32, Span), FormatError> {
        let cut = || self.damaged(place, "it is cut off in the middle of an element");
        let (first, size) = (self.word(rest, 0).ok_or_else(cut)?, self.word(rest, 4));
        let start = rest.at.start;
        let (kind, body, next) = if first >> 16 != 0 {
            // Up to four bytes share the eight of the tag.
            let size = (first >> 16) as usize;
            if size > 4 {
                return Err(self.damaged(place, format!("a short element claims {size} bytes")));
            }
            (first & 0xffff, start + 4..start + 4 + size, start + 8)
        } else {
            let size = size.ok_or_else(cut)? as usize;
            let end = start.checked_add(8).and_then(|s| s.checked_add(size)).filter(|&e| e <= rest.at.end);
            let Some(end) = end else {
                let left = rest.at.len().saturating_sub(8);
                return Err(self.damaged(place, format!("an element claims {size} bytes, but only {left} follow; the file is cut off")));
            };
            let padded = if first == COMPRESSED { end } else { start + 8 + size.next_multiple_of(8) };
            (first, start + 8..end, padded)
        };
        let body = Span { buffer: Rc::clone(&rest.buffer), at: body.start.min(rest.at.end)..body.end.min(rest.at.end) };
        rest.at.start = next.min(rest.at.end);
        Ok((kind, body))
    }

    fn inflate(&mut self, body: &Span, place: &str) -> Result<Span, FormatError> {
        let packed = body.buffer.get(body.at.clone()).unwrap_or_default();
        let mut bytes = Vec::new();
        // One byte more than is allowed shows that there is more.
        let mut decoder = ZlibDecoder::new(packed).take(self.bytes_left.saturating_add(1));
        if let Err(e) = decoder.read_to_end(&mut bytes) {
            return Err(self.damaged(place, format!("it cannot be inflated ({e})")));
        }
        let Some(left) = self.bytes_left.checked_sub(bytes.len() as u64) else {
            let reason = format!("at most {} are inflated", self.bytes_left);
            return Err(FormatError::TooBig { path: self.path.to_owned(), object: place.to_owned(), claimed: bytes.len() as u64, reason });
        };
        self.bytes_left = left;
        Ok(Span { at: 0..bytes.len(), buffer: Rc::new(bytes) })
    }

    /// Name and value of an array; `None` for one without a body.
    fn matrix(&mut self, mut body: Span, place: &str, depth: usize) -> Result<Option<(String, Value)>, FormatError> {
        if body.at.is_empty() {
            return Ok(None);
        }
        self.values_left = self.values_left.checked_sub(1).ok_or_else(|| self.damaged(place, "it holds more than two million values"))?;
        if depth > DEEPEST {
            return Err(self.damaged(place, format!("it is nested more than {DEEPEST} deep")));
        }
        let (_, flags) = self.element(&mut body, place)?;
        let flags = self.word(&flags, 0).ok_or_else(|| self.damaged(place, "an array has no flags"))?;
        let class = flags & 0xff;
        if class == 17 {
            let (name, class) = self.opaque(&mut body, place)?;
            return Ok(Some((name, Value::Other { class, dims: vec![1, 1] })));
        }
        let (_, dims) = self.element(&mut body, place)?;
        let dims: Vec<u64> = (0..dims.at.len() / 4).filter_map(|i| self.word(&dims, 4 * i)).map(|d| u64::from(d) & 0x7fff_ffff).collect();
        if dims.len() < 2 || dims.len() > 32 {
            return Err(self.damaged(place, format!("an array has {} dimensions", dims.len())));
        }
        let (_, name) = self.element(&mut body, place)?;
        let name = text_of(&name);
        let inside = if name.is_empty() { place.to_owned() } else { name.clone() };
        let value = match class {
            1 => self.cell(body, dims, &inside, depth)?,
            2 => self.structure(body, dims, &inside, depth)?,
            4 => Value::Text(self.text_rows(body, &dims, &inside)?),
            5 if flags & 0x800 == 0 => Value::Numbers(self.sparse(body, dims, flags & 0x200 != 0, &inside)?),
            6..=15 if flags & 0x800 != 0 => Value::Other { class: "complex".to_owned(), dims },
            6..=15 => self.numbers(body, dims, class, flags & 0x200 != 0, &inside)?,
            _ => Value::Other { class: other_class(class).to_owned(), dims },
        };
        Ok(Some((name, value)))
    }

    /// Name and class of an object of MATLAB: what it holds lies elsewhere in the file, in a form that is not documented.
    fn opaque(&self, body: &mut Span, place: &str) -> Result<(String, String), FormatError> {
        let (_, name) = self.element(body, place)?;
        // The system of the class ("MCOS") and the class, where they can be read.
        let class = self.element(body, place).and_then(|_| self.element(body, place)).map_or_else(|_| String::new(), |(_, c)| text_of(&c));
        let plain = !class.is_empty() && class.len() <= 64 && class.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b));
        Ok((text_of(&name), if plain { class } else { "object".to_owned() }))
    }

    /// How many elements an array of values has; each takes at least eight bytes.
    fn count(&self, dims: &[u64], body: &Span, place: &str) -> Result<usize, FormatError> {
        let count = dims.iter().try_fold(1u64, |a, &d| a.checked_mul(d));
        let room = (body.at.len() / 8) as u64;
        match count {
            Some(n) if n <= room => Ok(n as usize),
            _ => Err(self.damaged(place, format!("it claims {} elements, but there is room for {room}", shape(dims)))),
        }
    }

    fn items(&mut self, body: &mut Span, count: usize, place: &str, depth: usize) -> Result<Vec<Value>, FormatError> {
        let mut items = Vec::new();
        for k in 0..count {
            let (kind, item) = self.element(body, place)?;
            if kind != MATRIX {
                return Err(self.damaged(place, format!("element {} is of type {kind} where an array should be", k + 1)));
            }
            let empty = || Value::Numbers(Numbers { dims: vec![0, 0], class: "double", data: Data::Empty });
            items.push(self.matrix(item, place, depth + 1)?.map_or_else(empty, |(_, value)| value));
        }
        Ok(items)
    }

    fn cell(&mut self, mut body: Span, dims: Vec<u64>, place: &str, depth: usize) -> Result<Value, FormatError> {
        let count = self.count(&dims, &body, place)?;
        Ok(Value::Cell { items: self.items(&mut body, count, place, depth)?, dims })
    }

    fn structure(&mut self, mut body: Span, dims: Vec<u64>, place: &str, depth: usize) -> Result<Value, FormatError> {
        let (_, width) = self.element(&mut body, place)?;
        let width = self.word(&width, 0).unwrap_or(0) as usize;
        let (_, names) = self.element(&mut body, place)?;
        if width == 0 && !names.at.is_empty() {
            return Err(self.damaged(place, "its field names have no length"));
        }
        let bytes = names.buffer.get(names.at.clone()).unwrap_or_default();
        let names: Vec<String> = bytes.chunks_exact(width.max(1)).map(until_zero).collect();
        let mut fields: Vec<(String, Vec<Value>)> = names.into_iter().map(|n| (n, Vec::new())).collect();
        let count = if fields.is_empty() { 0 } else { self.count(&dims, &body, place)? };
        for _ in 0..count {
            for k in 0..fields.len() {
                let item = self.items(&mut body, 1, place, depth)?;
                if let Some((_, values)) = fields.get_mut(k) {
                    values.extend(item);
                }
            }
        }
        Ok(Value::Struct { dims, fields })
    }

    fn numbers(&mut self, mut body: Span, dims: Vec<u64>, class: u32, logical: bool, place: &str) -> Result<Value, FormatError> {
        let class = if logical { "logical" } else { number_class(class) };
        let (kind, data) = self.element(&mut body, place)?;
        let Some(stored) = stored(kind) else {
            return Err(self.damaged(place, format!("its numbers are stored as type {kind}, which is none")));
        };
        let numbers =
            Numbers { dims, class, data: Data::Bytes { buffer: data.buffer, at: data.at.clone(), stored, big_endian: self.big_endian } };
        if numbers.len().checked_mul(stored.width() as u64) != Some(data.at.len() as u64) {
            let there = data.at.len() / stored.width();
            return Err(self.damaged(place, format!("its shape is {}, but {there} numbers are stored", shape(&numbers.dims))));
        }
        Ok(Value::Numbers(numbers))
    }

    /// Rows of the values, where the values of each column begin, and the values.
    fn sparse(&mut self, mut body: Span, dims: Vec<u64>, logical: bool, place: &str) -> Result<Numbers, FormatError> {
        let mut part = |name: &str| {
            let (kind, data) = self.element(&mut body, place)?;
            let stored = stored(kind).ok_or_else(|| self.damaged(place, format!("its {name} are stored as type {kind}, which is none")))?;
            let dims = vec![(data.at.len() / stored.width()) as u64, 1];
            let bytes = Data::Bytes { buffer: data.buffer, at: data.at, stored, big_endian: self.big_endian };
            Numbers { dims, class: "double", data: bytes }.values(None, 0.0)
        };
        let (rows, begins, values) = (part("rows")?, part("columns")?, part("values")?);
        let class = if logical { "logical" } else { "double" };
        dense(dims, class, by_columns(&rows, &begins, &values), self.bytes_left).map_err(|claimed| match claimed {
            None => self.damaged(place, "a value of the sparse array lies outside of it"),
            Some(claimed) => FormatError::TooBig {
                path: self.path.to_owned(),
                object: place.to_owned(),
                claimed,
                reason: format!("at most {} are read", self.bytes_left),
            },
        })
    }

    fn text_rows(&mut self, mut body: Span, dims: &[u64], place: &str) -> Result<Vec<String>, FormatError> {
        let (kind, data) = self.element(&mut body, place)?;
        let bytes = data.buffer.get(data.at.clone()).unwrap_or_default();
        let units: Vec<u16> = match kind {
            // UTF-8, also under the name of plain bytes.
            1 | 2 | 16 => String::from_utf8_lossy(bytes).encode_utf16().collect(),
            4 | 17 => bytes
                .chunks_exact(2)
                .map(|b| if self.big_endian { u16::from(b[0]) << 8 | u16::from(b[1]) } else { u16::from(b[1]) << 8 | u16::from(b[0]) })
                .collect(),
            _ => return Err(self.damaged(place, format!("its text is stored as type {kind}, which is none"))),
        };
        Ok(rows(&units, dims.first().copied().unwrap_or(0)))
    }
}

/// The rows of a char array whose first dimension runs fastest.
pub(super) fn rows(units: &[u16], rows: u64) -> Vec<String> {
    let rows = usize::try_from(rows).unwrap_or(0).min(units.len());
    let row = |r: usize| {
        let text = String::from_utf16_lossy(&units.iter().skip(r).step_by(rows.max(1)).copied().collect::<Vec<_>>());
        text.trim_end_matches([' ', '\0']).to_owned()
    };
    if rows == 0 { vec![String::new()] } else { (0..rows).map(row).collect() }
}

fn shape(dims: &[u64]) -> String {
    dims.iter().map(u64::to_string).collect::<Vec<_>>().join(" × ")
}

fn until_zero(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|&b| b == 0).next().unwrap_or_default()).into_owned()
}

fn text_of(span: &Span) -> String {
    until_zero(span.buffer.get(span.at.clone()).unwrap_or_default())
}

fn stored(kind: u32) -> Option<Stored> {
    Some(match kind {
        1 => Stored::I8,
        2 => Stored::U8,
        3 => Stored::I16,
        4 => Stored::U16,
        5 => Stored::I32,
        6 => Stored::U32,
        7 => Stored::F32,
        9 => Stored::F64,
        12 => Stored::I64,
        13 => Stored::U64,
        _ => return None,
    })
}

fn number_class(class: u32) -> &'static str {
    match class {
        7 => "single",
        8 => "int8",
        9 => "uint8",
        10 => "int16",
        11 => "uint16",
        12 => "int32",
        13 => "uint32",
        14 => "int64",
        15 => "uint64",
        _ => "double",
    }
}

fn other_class(class: u32) -> &'static str {
    match class {
        3 => "object",
        5 => "complex sparse",
        16 => "function_handle",
        _ => "unknown",
    }
}
