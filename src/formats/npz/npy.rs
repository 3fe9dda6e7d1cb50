//! Arrays of an NPZ file: the `.npy` header (numpy format 1.0 to 3.0) and little-endian values, C order.

use std::io::{Seek, Write};

use super::zip::{Entry, Zip, ZipWriter};
use crate::formats::FormatError;

/// Values of an array.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    F64(Vec<f64>),
    F32(Vec<f32>),
    I64(Vec<i64>),
    Bool(Vec<bool>),
    Text(Vec<String>),
}

/// An array with its shape.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) values: Values,
}

struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
    /// Bytes before the values.
    len: usize,
}

/// Kind of values of an entry (`<f8`, `|O`, …), as far as its header can be read.
pub(super) fn kind(zip: &mut Zip, entry: &Entry) -> Option<String> {
    let mut bytes = Vec::new();
    let stop = || FormatError::Cancelled { path: std::path::PathBuf::new() };
    let _ = zip.read(entry, |piece| {
        bytes.extend_from_slice(piece);
        Err(stop())
    });
    parse_header(&bytes).map(|h| h.descr)
}

/// Read one array, at most `max_bytes` long.
pub(super) fn read(zip: &mut Zip, name: &str, max_bytes: u64) -> Result<Array, FormatError> {
    let path = zip.path.clone();
    let damaged = |what: String| FormatError::corrupt(&path, name, what);
    let entry = zip.entry(&format!("{name}.npy")).ok_or_else(|| damaged("the array is missing".to_owned()))?;
    if entry.size > max_bytes {
        let reason = format!("at most {max_bytes} are read");
        return Err(FormatError::TooBig { path: path.clone(), object: name.to_owned(), claimed: entry.size, reason });
    }
    let mut header: Option<Header> = None;
    let mut values: Option<Builder> = None;
    // The first piece holds the whole header: it is limited to 64 KiB and pieces are larger.
    zip.read(&entry, |piece| {
        if let Some(values) = &mut values {
            return values.add(piece).map_err(&damaged);
        }
        let found = parse_header(piece).ok_or_else(|| damaged("it does not begin with an .npy header".to_owned()))?;
        let mut builder = Builder::new(&found, entry.size).map_err(&damaged)?;
        builder.add(piece.get(found.len..).unwrap_or_default()).map_err(&damaged)?;
        (header, values) = (Some(found), Some(builder));
        Ok(())
    })?;
    match (header, values) {
        (Some(header), Some(builder)) => Ok(Array { shape: header.shape, values: builder.finish().map_err(&damaged)? }),
        _ => Err(damaged("the array is empty".to_owned())),
    }
}

fn parse_header(bytes: &[u8]) -> Option<Header> {
    if bytes.get(..6)? != b"\x93NUMPY" {
        return None;
    }
    let (begin, len): (usize, usize) = match bytes.get(6)? {
        1 => (10, usize::from(u16::from_le_bytes(bytes.get(8..10)?.try_into().ok()?))),
        2 | 3 => (12, u32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?) as usize),
        _ => return None,
    };
    let text = std::str::from_utf8(bytes.get(begin..begin.checked_add(len)?)?).ok()?;
    let after = |key: &str| text.split_once(key).map(|(_, rest)| rest.trim_start_matches(['\'', '"', ':', ' ']));
    let descr = after("descr")?;
    // A list of fields has no single kind.
    let descr = if descr.starts_with('[') { "fields" } else { descr.split(['\'', '"']).next()? };
    let shape = after("shape")?.strip_prefix('(')?.split(')').next()?;
    let shape = shape.split(',').map(str::trim).filter(|d| !d.is_empty()).map(|d| d.parse().ok()).collect::<Option<Vec<usize>>>()?;
    let fortran = after("fortran_order")?.starts_with("True");
    Some(Header { descr: descr.to_owned(), fortran, shape, len: begin + len })
}

/// What an `.npy` header says to a reader of its own.
pub(in crate::formats) struct Described {
    /// numpy's name of the kind of values, for example `<i8`; `|O` for pickled objects, `fields` for records.
    pub(in crate::formats) kind: String,
    pub(in crate::formats) fortran: bool,
    pub(in crate::formats) shape: Vec<usize>,
    /// Bytes before the values.
    pub(in crate::formats) len: usize,
}

/// The header of an `.npy` file that begins with `bytes`; `None` when it is none.
pub(in crate::formats) fn described(bytes: &[u8]) -> Option<Described> {
    parse_header(bytes).map(|h| Described { kind: h.descr, fortran: h.fortran, shape: h.shape, len: h.len })
}

/// Turns bytes into values as they come.
struct Builder {
    width: usize,
    values: Values,
    /// Bytes of a value that a piece has cut.
    rest: Vec<u8>,
}

impl Builder {
    fn new(header: &Header, entry_size: u64) -> Result<Self, String> {
        let (values, width) = match header.descr.as_str() {
            "<f8" => (Values::F64(Vec::new()), 8),
            "<f4" => (Values::F32(Vec::new()), 4),
            "<i8" => (Values::I64(Vec::new()), 8),
            "|b1" => (Values::Bool(Vec::new()), 1),
            text if text.starts_with("<U") => {
                let chars: usize = text[2..].parse().map_err(|_| format!("values of kind {text} are not read"))?;
                (Values::Text(Vec::new()), chars.saturating_mul(4))
            }
            "|O" => return Err("it holds pickled Python objects, which are not read because they can run code".to_owned()),
            other => return Err(format!("values of kind {other} are not read")),
        };
        if header.fortran && header.shape.len() > 1 {
            return Err("it is in Fortran order".to_owned());
        }
        let count = header.shape.iter().try_fold(1usize, |a, &d| a.checked_mul(d));
        let expected = count.and_then(|n| n.checked_mul(width)).map(|b| b as u64 + header.len as u64);
        if expected != Some(entry_size) || width == 0 {
            return Err(format!("its shape {:?} does not fit its {entry_size} bytes", header.shape));
        }
        let count = count.unwrap_or(0);
        let mut builder = Self { width, values, rest: Vec::new() };
        let reserved = match &mut builder.values {
            Values::F64(v) => v.try_reserve_exact(count),
            Values::F32(v) => v.try_reserve_exact(count),
            Values::I64(v) => v.try_reserve_exact(count),
            Values::Bool(v) => v.try_reserve_exact(count),
            Values::Text(v) => v.try_reserve_exact(count),
        };
        reserved.map_err(|_| "there is not enough memory for it".to_owned())?;
        Ok(builder)
    }

    fn add(&mut self, mut piece: &[u8]) -> Result<(), String> {
        if !self.rest.is_empty() {
            let missing = (self.width - self.rest.len()).min(piece.len());
            let (head, tail) = piece.split_at(missing);
            self.rest.extend_from_slice(head);
            piece = tail;
            if self.rest.len() == self.width {
                let whole = std::mem::take(&mut self.rest);
                self.add_whole(&whole)?;
            }
        }
        let whole = piece.len() - piece.len() % self.width;
        self.add_whole(&piece[..whole])?;
        self.rest.extend_from_slice(&piece[whole..]);
        Ok(())
    }

    fn add_whole(&mut self, bytes: &[u8]) -> Result<(), String> {
        match &mut self.values {
            Values::F64(v) => v.extend(bytes.as_chunks().0.iter().map(|&c| f64::from_le_bytes(c))),
            Values::F32(v) => v.extend(bytes.as_chunks().0.iter().map(|&c| f32::from_le_bytes(c))),
            Values::I64(v) => v.extend(bytes.as_chunks().0.iter().map(|&c| i64::from_le_bytes(c))),
            Values::Bool(v) => v.extend(bytes.iter().map(|&b| b != 0)),
            Values::Text(v) => {
                for one in bytes.chunks_exact(self.width) {
                    let codes = one.as_chunks().0.iter().map(|&c| u32::from_le_bytes(c));
                    let text: Option<String> = codes.map(char::from_u32).collect();
                    let text = text.ok_or("a text holds a code that is no character")?;

                    v.push(text.trim_end_matches('\0').to_owned());
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Values, String> {
        if self.rest.is_empty() { Ok(self.values) } else { Err("it ends within a value".to_owned()) }
    }
}

/// Borrowed values to write.
pub(super) enum Out<'a> {
    F64(&'a [f64]),
    F32(&'a [f32]),
    I64(&'a [i64]),
    Bool(&'a [bool]),
    Text(&'a [String]),
}

/// Write one array.
pub(super) fn write<W: Write + Seek>(zip: &mut ZipWriter<W>, name: &str, shape: &[usize], values: &Out) -> std::io::Result<()> {
    let chars = if let Out::Text(v) = values { v.iter().map(|t| t.chars().count()).max().unwrap_or(0).max(1) } else { 0 };
    let (descr, count, width) = match values {
        Out::F64(v) => ("<f8".to_owned(), v.len(), 8),
        Out::F32(v) => ("<f4".to_owned(), v.len(), 4),
        Out::I64(v) => ("<i8".to_owned(), v.len(), 8),
        Out::Bool(v) => ("|b1".to_owned(), v.len(), 1),
        Out::Text(v) => (format!("<U{chars}"), v.len(), chars * 4),
    };
    debug_assert_eq!(shape.iter().product::<usize>(), count);
    let dims = match shape {
        [one] => format!("({one},)"),
        many => format!("({})", many.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {dims}, }}");
    // numpy aligns the values to 64 bytes.
    let padding = 64 - (10 + header.len() + 1) % 64;
    header.push_str(&" ".repeat(padding % 64));
    header.push('\n');
    let size = (10 + header.len() + count * width) as u64;
    zip.add(&format!("{name}.npy"), size, |to| {
        to.write_all(b"\x93NUMPY\x01\x00")?;
        to.write_all(&(header.len() as u16).to_le_bytes())?;
        to.write_all(header.as_bytes())?;
        let mut block = Vec::with_capacity(1 << 16);
        match values {
            Out::F64(v) => blocks(v, &mut block, to, |x, b| b.extend(x.to_le_bytes())),
            Out::F32(v) => blocks(v, &mut block, to, |x, b| b.extend(x.to_le_bytes())),
            Out::I64(v) => blocks(v, &mut block, to, |x, b| b.extend(x.to_le_bytes())),
            Out::Bool(v) => blocks(v, &mut block, to, |x, b| b.push(u8::from(*x))),
            Out::Text(v) => blocks(v, &mut block, to, |text, b| {
                let end = b.len() + width;
                text.chars().for_each(|c| b.extend(u32::from(c).to_le_bytes()));
                b.resize(end, 0);
            }),
        }
    })
}

fn blocks<T>(values: &[T], block: &mut Vec<u8>, to: &mut dyn Write, put: impl Fn(&T, &mut Vec<u8>)) -> std::io::Result<()> {
    for part in values.chunks(4096) {
        block.clear();
        part.iter().for_each(|v| put(v, block));
        to.write_all(block)?;
    }
    Ok(())
}
