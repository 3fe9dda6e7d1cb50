//! What MATLAB variables are made of, the same for both kinds of file: numbers stay where they are until somebody wants them.

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use hdf5_pure::Dataset;

use crate::formats::FormatError;
use crate::formats::guard::Hdf5;

/// A variable, a field or an element of a cell.
pub(super) enum Value {
    Numbers(Numbers),
    /// One text per row of a char array or per element of a string array.
    Text(Vec<String>),
    Cell {
        dims: Vec<u64>,
        items: Vec<Value>,
    },
    /// A struct or an array of structs: every field with one value per element.
    Struct {
        dims: Vec<u64>,
        fields: Vec<(String, Vec<Value>)>,
    },
    /// A class that is not looked into (objects, function handles, sparse arrays).
    Other {
        class: String,
        dims: Vec<u64>,
    },
}

/// A real numeric array; the first dimension runs fastest.
pub(super) struct Numbers {
    pub(super) dims: Vec<u64>,
    pub(super) class: &'static str,
    pub(super) data: Data,
}

/// Where the numbers are.
pub(super) enum Data {
    Empty,
    /// Part of a file (or of an inflated variable) in memory.
    Bytes {
        buffer: Rc<Vec<u8>>,
        at: Range<usize>,
        stored: Stored,
        big_endian: bool,
    },
    Dataset {
        object: String,
        dataset: Box<Dataset>,
    },
}

/// How numbers are stored in a version 5 file, which may be narrower than their class.
#[derive(Clone, Copy)]
pub(super) enum Stored {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
    I64,
    U64,
}

impl Stored {
    /// Bytes per number.
    pub(super) fn width(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }

    fn number(self, b: &[u8], big: bool) -> f64 {
        // The least significant byte first, whatever the file has.
        let at = |i: usize| b.get(if big { b.len() - 1 - i } else { i }).copied().unwrap_or(0);
        let word = (0..b.len()).fold(0u64, |w, i| w | u64::from(at(i)) << (8 * i));
        match self {
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => word as f64,
            Self::I8 => f64::from(word as u8 as i8),
            Self::I16 => f64::from(word as u16 as i16),
            Self::I32 => f64::from(word as u32 as i32),
            Self::I64 => (word as i64) as f64,
            Self::F32 => f64::from(f32::from_bits(word as u32)),
            Self::F64 => f64::from_bits(word),
        }
    }
}

impl Numbers {
    /// Number of values.
    pub(super) fn len(&self) -> u64 {
        self.dims.iter().try_fold(1u64, |a, &d| a.checked_mul(d)).unwrap_or(u64::MAX)
    }

    /// True for 0 × 0, n × 1, 1 × n and the like.
    pub(super) fn is_vector(&self) -> bool {
        self.len() == 0 || self.dims.iter().filter(|&&d| d != 1).count() <= 1
    }

    pub(super) fn is_logical(&self) -> bool {
        self.class == "logical"
    }

    /// All values, the first dimension running fastest. `h5` is the file for those that lie in one; `at` the progress.
    pub(super) fn values(&self, h5: Option<&Hdf5>, at: f32) -> Result<Cow<'static, [f64]>, FormatError> {
        match (&self.data, h5) {
            (Data::Bytes { buffer, at, stored, big_endian }, _) => {
                let bytes = buffer.get(at.clone()).unwrap_or_default();
                Ok(bytes.chunks_exact(stored.width()).map(|b| stored.number(b, *big_endian)).collect())
            }
            (Data::Dataset { object, dataset }, Some(h5)) => h5.numbers(object, dataset, (at, at), "reading variables").map(Cow::Owned),
            _ => Ok(Cow::Borrowed(&[])),
        }
    }
}

impl Value {
    /// Class as MATLAB calls it.
    pub(super) fn class(&self) -> &str {
        match self {
            Self::Numbers(n) => n.class,
            Self::Text(_) => "char",
            Self::Cell { .. } => "cell",
            Self::Struct { .. } => "struct",
            Self::Other { class, .. } => class,
        }
    }

    /// Shape in words, for example `1 × 15`.
    pub(super) fn shape(&self) -> String {
        let one = |n: usize| vec![n as u64, 1];
        let dims = match self {
            Self::Numbers(n) => n.dims.clone(),
            Self::Text(rows) => one(rows.len()),
            Self::Cell { dims, .. } | Self::Struct { dims, .. } | Self::Other { dims, .. } => dims.clone(),
        };
        dims.iter().map(u64::to_string).collect::<Vec<_>>().join(" × ")
    }

    /// The fields of a struct that is no array.
    pub(super) fn fields(&self) -> Option<Vec<(&str, &Value)>> {
        match self {
            Self::Struct { fields, .. } if fields.iter().all(|(_, v)| v.len() == 1) => {
                Some(fields.iter().filter_map(|(name, v)| Some((name.as_str(), v.first()?))).collect())
            }
            _ => None,
        }
    }

    /// The field `name` of a struct that is no array.
    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.fields()?.into_iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_are_widened_from_either_byte_order() {
        let read = |bytes: &[u8], stored: Stored, big_endian| {
            let data = Data::Bytes { buffer: Rc::new(bytes.to_vec()), at: 0..bytes.len(), stored, big_endian };
            let numbers = Numbers { dims: vec![1, (bytes.len() / stored.width()) as u64], class: "double", data };
            numbers.values(None, 0.0).unwrap().into_owned()
        };
        assert_eq!(read(&[1, 0xff], Stored::I8, false), [1.0, -1.0]);
        assert_eq!(read(&[1, 0, 0, 1], Stored::U16, false), [1.0, 256.0]);
        assert_eq!(read(&[0xff, 0xfe], Stored::I16, true), [-2.0]);
        assert_eq!(read(&(-7i32).to_be_bytes(), Stored::I32, true), [-7.0]);
        assert_eq!(read(&1.5f32.to_le_bytes(), Stored::F32, false), [1.5]);
        assert_eq!(read(&(-0.25f64).to_be_bytes(), Stored::F64, true), [-0.25]);
        assert_eq!(read(&(-3i64).to_le_bytes(), Stored::I64, false), [-3.0]);
        assert_eq!(read(&u64::MAX.to_le_bytes(), Stored::U64, false), [u64::MAX as f64]);
        // A rest that is no whole number is not made one.
        assert_eq!(read(&[0, 0, 1], Stored::U16, false), [0.0]);
    }
}
