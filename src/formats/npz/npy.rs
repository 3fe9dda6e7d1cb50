//! Reading arrays in `.npy` form (numpy format 1.0 to 3.0), in an NPZ file or in a file of their own: any plain type, either byte
//! order, C or Fortran order, records with named fields. Pickled objects are not read, because a pickle can run code.

use std::io::Read;
use std::path::Path;

use super::dtype::{Builder, Dtype};
use super::literal::Literal;
use super::zip::{Entry, Zip};
use crate::formats::FormatError;
use crate::recording::Column;

/// Longest header that is read, bytes.
const LONGEST_HEADER: usize = 1 << 17;
const PIECE: usize = 1 << 18;
const NO_HEADER: &str = "it does not begin with an .npy header";

/// Values of an array.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::formats) enum Values {
    F64(Vec<f64>),
    F32(Vec<f32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    Bool(Vec<bool>),
    Text(Vec<String>),
    /// Records, field after field.
    Fields(Vec<(String, Values)>),
}

impl Values {
    /// Number of values (records).
    pub(in crate::formats) fn len(&self) -> usize {
        match self {
            Self::F64(v) => v.len(),
            Self::F32(v) => v.len(),
            Self::I64(v) => v.len(),
            Self::U8(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::Text(v) => v.len(),
            Self::Fields(fields) => fields.first().map_or(0, |(_, v)| v.len()),
        }
    }

    /// As real numbers, `None` for text and records.
    pub(in crate::formats) fn into_numbers(self) -> Option<Vec<f64>> {
        Some(match self {
            Self::F64(v) => v,
            Self::F32(v) => v.into_iter().map(f64::from).collect(),
            Self::I64(v) => v.into_iter().map(|x| x as f64).collect(),
            Self::U8(v) => v.into_iter().map(f64::from).collect(),
            Self::Bool(v) => v.into_iter().map(|x| f64::from(u8::from(x))).collect(),
            Self::Text(_) | Self::Fields(_) => return None,
        })
    }

    /// As integers, `None` when a value is none.
    pub(in crate::formats) fn into_integers(self) -> Option<Vec<i64>> {
        // Beyond 2^53 a real number is not exactly an integer.
        let whole = |x: f64| (x.fract() == 0.0 && x.abs() <= 9.0e15).then_some(x as i64);
        match self {
            Self::I64(v) => Some(v),
            Self::U8(v) => Some(v.into_iter().map(i64::from).collect()),
            Self::Bool(v) => Some(v.into_iter().map(i64::from).collect()),
            Self::F64(v) => v.into_iter().map(whole).collect(),
            Self::F32(v) => v.into_iter().map(|x| whole(f64::from(x))).collect(),
            Self::Text(_) | Self::Fields(_) => None,
        }
    }

    /// As a column of a table, `None` for records.
    pub(in crate::formats) fn into_column(self) -> Option<Column> {
        Some(match self {
            Self::I64(v) => Column::Int(v),
            Self::U8(v) => Column::Int(v.into_iter().map(i64::from).collect()),
            Self::Bool(v) => Column::Bool(v),
            Self::Text(v) => Column::Text(v),
            Self::Fields(_) => return None,
            numbers => Column::Float(numbers.into_numbers()?),
        })
    }
}

/// An array with its shape.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::formats) struct Array {
    pub(in crate::formats) shape: Vec<usize>,
    pub(in crate::formats) values: Values,
}

/// What stands before the values.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::formats) struct Header {
    /// Kind of values in numpy's words, for example `<f8`; `fields` for records.
    pub(in crate::formats) descr: String,
    pub(in crate::formats) shape: Vec<usize>,
    pub(super) fortran: bool,
    pub(super) dtype: Result<Dtype, String>,
    /// Bytes before the values.
    pub(super) len: usize,
}

impl Header {
    /// True for pickled Python objects.
    pub(in crate::formats) fn is_pickled(&self) -> bool {
        self.descr == "|O" || self.descr == "O"
    }

    /// Why values of this kind are not read.
    pub(in crate::formats) fn unreadable(&self) -> Option<&str> {
        self.dtype.as_ref().err().map(String::as_str)
    }

    /// True for numbers and truth values.
    pub(in crate::formats) fn is_number(&self) -> bool {
        self.dtype.as_ref().is_ok_and(Dtype::is_number)
    }

    /// True for texts.
    pub(in crate::formats) fn is_text(&self) -> bool {
        self.dtype.as_ref().is_ok_and(Dtype::is_text)
    }
}

/// Header of an entry.
pub(in crate::formats) fn header(zip: &mut Zip, entry: &Entry) -> Result<Header, FormatError> {
    let mut bytes = Vec::new();
    let read = zip.read(entry, |piece| {
        bytes.extend_from_slice(piece);
        // The first piece is enough.
        Err(FormatError::Cancelled { path: Default::default() })
    });
    match (parse_header(&bytes), read) {
        (Some(header), _) => Ok(header),
        (None, Err(error)) if !matches!(error, FormatError::Cancelled { .. }) => Err(error),
        _ => Err(FormatError::corrupt(&zip.path, entry.name.trim_end_matches(".npy"), NO_HEADER)),
    }
}

/// Header of an `.npy` file.
pub(in crate::formats) fn file_header(path: &Path) -> Result<Header, FormatError> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(LONGEST_HEADER as u64).read_to_end(&mut bytes));
    read.map_err(|e| FormatError::not_readable(path, e))?;
    parse_header(&bytes).ok_or_else(|| FormatError::corrupt(path, "the array", NO_HEADER))
}

/// Read one array of an NPZ file, at most `max_bytes` long.
pub(in crate::formats) fn read(zip: &mut Zip, name: &str, max_bytes: u64) -> Result<Array, FormatError> {
    let entry = entry(zip, name)?;
    let mut decoder = Decoder::new(zip.path.clone(), name, entry.size, max_bytes);
    zip.read(&entry, |piece| decoder.add(piece))?;
    decoder.finish()
}

/// Read an `.npy` file, at most `max_bytes` long.
pub(in crate::formats) fn read_file(path: &Path, max_bytes: u64) -> Result<Array, FormatError> {
    let unreadable = |e| FormatError::not_readable(path, e);
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut decoder = Decoder::new(path.to_owned(), "the array", size, max_bytes);
    let mut piece = vec![0; PIECE];
    loop {
        let mut filled = 0;
        while filled < PIECE {
            match file.read(&mut piece[filled..]).map_err(unreadable)? {
                0 => break,
                n => filled += n,
            }
        }
        if filled == 0 {
            return decoder.finish();
        }
        decoder.add(&piece[..filled])?;
    }
}

/// The bytes behind the header of a pickled array of at most `max_bytes`.
pub(in crate::formats) fn pickled_bytes(zip: &mut Zip, name: &str, max_bytes: u64) -> Result<Vec<u8>, FormatError> {
    let entry = entry(zip, name)?;
    too_big(&zip.path, name, entry.size, max_bytes)?;
    let mut bytes = Vec::new();
    zip.read(&entry, |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })?;
    let header = parse_header(&bytes).ok_or_else(|| FormatError::corrupt(&zip.path, name, NO_HEADER))?;
    Ok(bytes.split_off(header.len.min(bytes.len())))
}

fn entry(zip: &Zip, name: &str) -> Result<Entry, FormatError> {
    zip.entry(&format!("{name}.npy")).ok_or_else(|| FormatError::corrupt(&zip.path, name, "the array is missing"))
}

fn too_big(path: &Path, object: &str, claimed: u64, max_bytes: u64) -> Result<(), FormatError> {
    if claimed <= max_bytes {
        return Ok(());
    }
    let reason = format!("at most {max_bytes} are read");
    Err(FormatError::TooBig { path: path.to_owned(), object: object.to_owned(), claimed, reason })
}

/// Puts an array together from the pieces of its bytes.
struct Decoder {
    path: std::path::PathBuf,
    object: String,
    size: u64,
    max_bytes: u64,
    begun: Option<(Header, Builder)>,
}

impl Decoder {
    fn new(path: std::path::PathBuf, object: &str, size: u64, max_bytes: u64) -> Self {
        Self { path, object: object.to_owned(), size, max_bytes, begun: None }
    }

    fn damaged(&self, problem: impl Into<String>) -> FormatError {
        FormatError::corrupt(&self.path, self.object.clone(), problem)
    }

    /// The first piece holds the whole header: headers are shorter than pieces.
    fn add(&mut self, piece: &[u8]) -> Result<(), FormatError> {
        let added = match &mut self.begun {
            Some((_, builder)) => builder.add(piece),
            None => {
                too_big(&self.path, &self.object, self.size, self.max_bytes)?;
                let header = parse_header(piece).ok_or_else(|| self.damaged(NO_HEADER))?;
                let dtype = header.dtype.clone().map_err(|e| self.damaged(e))?;
                let count = self.fitting(&header, &dtype)?;
                too_big(&self.path, &self.object, (count as u64).saturating_mul(dtype.decoded_bytes()), self.max_bytes)?;
                let mut builder = Builder::new(dtype, count).map_err(|e| self.damaged(e))?;
                let added = builder.add(piece.get(header.len..).unwrap_or_default());
                self.begun = Some((header, builder));
                added
            }
        };
        added.map_err(|e| self.damaged(e))
    }

    /// Number of values, when they fill the bytes that there are.
    fn fitting(&self, header: &Header, dtype: &Dtype) -> Result<usize, FormatError> {
        let count = header.shape.iter().try_fold(1usize, |a, &d| a.checked_mul(d));
        let expected = count.and_then(|n| n.checked_mul(dtype.width)).map(|b| b as u64 + header.len as u64);
        if expected != Some(self.size) || dtype.width == 0 {
            return Err(self.damaged(format!("its shape {:?} does not fit its {} bytes", header.shape, self.size)));
        }
        Ok(count.unwrap_or(0))
    }

    fn finish(mut self) -> Result<Array, FormatError> {
        let Some((header, builder)) = self.begun.take() else { return Err(self.damaged("the array is empty")) };
        let mut values = builder.finish().map_err(|e| self.damaged(e))?;
        let expected = header.shape.iter().product::<usize>();
        if values.len() != expected {
            return Err(self.damaged(format!("it ends after {} of {expected} values", values.len())));
        }
        if header.fortran && header.shape.len() > 1 {
            values = in_c_order(values, &header.shape);
        }
        Ok(Array { shape: header.shape, values })
    }
}

pub(super) fn parse_header(bytes: &[u8]) -> Option<Header> {
    if bytes.get(..6)? != b"\x93NUMPY" {
        return None;
    }
    let (begin, len): (usize, usize) = match bytes.get(6)? {
        1 => (10, usize::from(u16::from_le_bytes(bytes.get(8..10)?.try_into().ok()?))),
        2 | 3 => (12, u32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?) as usize),
        _ => return None,
    };
    let text = std::str::from_utf8(bytes.get(begin..begin.checked_add(len)?)?).ok()?;
    let literal = Literal::parse(text)?;
    let descr = literal.get("descr")?;
    let shape = literal.get("shape")?.sizes()?;
    let fortran = literal.get("fortran_order") == Some(&Literal::Bool(true));
    let dtype = Dtype::parse(descr);
    Some(Header { descr: descr.text().unwrap_or("fields").to_owned(), shape, fortran, dtype, len: begin + len })
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

/// Values in Fortran order (first index fastest) as values in C order (last index fastest).
fn in_c_order(values: Values, shape: &[usize]) -> Values {
    fn sorted<T: Clone>(values: &[T], shape: &[usize]) -> Vec<T> {
        let mut index = vec![0usize; shape.len()];
        let mut sorted = Vec::with_capacity(values.len());
        for _ in 0..values.len() {
            let place = index.iter().zip(shape).rev().fold(0, |place, (&i, &d)| place * d + i);
            sorted.extend(values.get(place).cloned());
            for (i, &d) in index.iter_mut().zip(shape).rev() {
                *i += 1;
                if *i < d {
                    break;
                }
                *i = 0;
            }
        }
        sorted
    }
    match values {
        Values::F64(v) => Values::F64(sorted(&v, shape)),
        Values::F32(v) => Values::F32(sorted(&v, shape)),
        Values::I64(v) => Values::I64(sorted(&v, shape)),
        Values::U8(v) => Values::U8(sorted(&v, shape)),
        Values::Bool(v) => Values::Bool(sorted(&v, shape)),
        Values::Text(v) => Values::Text(sorted(&v, shape)),
        Values::Fields(fields) => Values::Fields(fields.into_iter().map(|(n, v)| (n, in_c_order(v, shape))).collect()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    /// An `.npy` file with this header and these bytes.
    fn npy(descr: &str, fortran: bool, shape: &str, values: &[u8]) -> Result<Array, String> {
        let order = if fortran { "True" } else { "False" };
        let text = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(values);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        std::fs::write(&path, bytes).unwrap();
        read_file(&path, 1 << 20).map_err(|e| e.brief())
    }

    #[test]
    fn every_plain_type_is_read_in_either_byte_order() {
        let values = |descr: &str, bytes: &[u8]| npy(&format!("'{descr}'"), false, "(2,)", bytes).unwrap().values;
        let be = |x: f64, y: f64| [x.to_be_bytes(), y.to_be_bytes()].concat();
        assert_eq!(values(">f8", &be(1.5, -2.0)), Values::F64(vec![1.5, -2.0]));
        assert_eq!(values("<f2", &[0, 0x3c, 0, 0xc1]), Values::F64(vec![1.0, -2.5]));
        assert_eq!(values("|u1", &[3, 255]), Values::U8(vec![3, 255]));
        assert_eq!(values("|i1", &[3, 255]), Values::I64(vec![3, -1]));
        assert_eq!(values("<u2", &[1, 2, 255, 255]), Values::I64(vec![513, 65535]));
        assert_eq!(values(">i4", &[0, 0, 0, 7, 255, 255, 255, 254]), Values::I64(vec![7, -2]));
        assert_eq!(values("|S3", b"ab\0cde"), Values::Text(vec!["ab".into(), "cde".into()]));
        assert_eq!(values(">U1", &[0, 0, 0, b'x', 0, 0, 3, 0xb1]), Values::Text(vec!["x".into(), "α".into()]));
        assert_eq!(values("|b1", &[0, 1]), Values::Bool(vec![false, true]));
    }

    #[test]
    fn records_are_split_into_their_fields() {
        let bytes = [1i64.to_le_bytes().as_slice(), &[7, 0], &2i64.to_le_bytes(), &[8, 0]].concat();
        let records = npy("[('sample', '<i8'), ('unit', '<u2')]", false, "(2,)", &bytes).unwrap();
        let fields = vec![("sample".to_owned(), Values::I64(vec![1, 2])), ("unit".to_owned(), Values::I64(vec![7, 8]))];
        assert_eq!(records.values, Values::Fields(fields));
    }

    #[test]
    fn fortran_order_is_turned_into_c_order() {
        let array = npy("'|u1'", true, "(2, 3)", &[1, 4, 2, 5, 3, 6]).unwrap();
        assert_eq!(array, Array { shape: vec![2, 3], values: Values::U8(vec![1, 2, 3, 4, 5, 6]) });
        let array = npy("'|u1'", true, "(2, 1, 2)", &[1, 3, 2, 4]).unwrap();
        assert_eq!(array.values, Values::U8(vec![1, 2, 3, 4]));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let problem = |descr: &str, shape: &str, bytes: &[u8]| npy(descr, false, shape, bytes).unwrap_err();
        assert_eq!(problem("'<f8'", "(3,)", &[0; 16]), "its shape [3] does not fit its 84 bytes");
        assert!(problem("'<f8'", "(99999999999, 99999999999)", &[]).starts_with("its shape"));
        assert!(problem("'|O'", "(1,)", &[0x80]).contains("pickled Python objects"));
        assert_eq!(problem("'<M8[ns]'", "(1,)", &[0; 8]), "values of kind <M8[ns] are not read; save numbers (times in seconds)");
        assert_eq!(problem("'<c16'", "(1,)", &[0; 16]), "values of kind <c16 are not read; save numbers (times in seconds)");
        assert_eq!(problem("'<u8'", "(1,)", &[255; 8]), "an integer is larger than 2^63");
        assert_eq!(problem("'|u1'", "(2000000,)", &[0; 2_000_000]), "it claims 2000074 bytes, but at most 1048576 are read");
        assert_eq!(problem("'|u1'", "7", &[0]), "it does not begin with an .npy header");
    }
}
