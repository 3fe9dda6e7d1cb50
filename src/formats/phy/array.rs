//! One `.npy` file of a folder, of any kind of numbers, as f64.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::formats::FormatError;
use crate::formats::npz::npy;

/// Longest header that is looked at, bytes.
const HEADER: u64 = 1 << 17;
const BUFFER: usize = 1 << 18;

/// An array whose header was read and fits its file.
pub(super) struct Array {
    folder: PathBuf,
    name: String,
    reader: BufReader<File>,
    number: Number,
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
}

/// How numbers are stored.
#[derive(Debug, Clone, Copy)]
struct Number {
    /// `i`, `u` or `f`.
    kind: u8,
    width: usize,
    big_endian: bool,
}

impl Number {
    /// numpy's name, for example `<i8`.
    fn of(kind: &str) -> Option<Self> {
        let (order, rest) = kind.split_at_checked(1)?;
        let (letter, width) = rest.split_at_checked(1)?;
        let number = Self { kind: *letter.as_bytes().first()?, width: width.parse().ok()?, big_endian: order == ">" };
        let known = match number.kind {
            b'i' | b'u' => [1, 2, 4, 8].contains(&number.width),
            b'f' => [4, 8].contains(&number.width),
            b'b' => number.width == 1,
            _ => false,
        };
        known.then_some(number)
    }

    fn value(self, bytes: &[u8]) -> f64 {
        let mut low = [0u8; 8];
        for (k, &byte) in bytes.iter().enumerate() {
            let at = if self.big_endian { self.width - 1 - k } else { k };
            if let Some(slot) = low.get_mut(at) {
                *slot = byte;
            }
        }
        let raw = u64::from_le_bytes(low);
        let unused = 64 - 8 * self.width as u32;
        match (self.kind, self.width) {
            (b'f', 4) => f64::from(f32::from_bits(raw as u32)),
            (b'f', _) => f64::from_bits(raw),
            (b'i', _) => (((raw << unused) as i64) >> unused) as f64,
            _ => raw as f64,
        }
    }
}

impl Array {
    pub(super) fn open(folder: &Path, name: &str, max_bytes: u64) -> Result<Self, FormatError> {
        let path = folder.join(name);
        let unreadable = |e| FormatError::not_readable(&path, e);
        let damaged = |problem: String| FormatError::corrupt(folder, name, problem);
        let mut file = File::open(&path).map_err(unreadable)?;
        let len = file.metadata().map_err(unreadable)?.len();
        let mut head = Vec::new();
        (&mut file).take(HEADER).read_to_end(&mut head).map_err(unreadable)?;
        if head.is_empty() {
            return Err(damaged("the file is empty".to_owned()));
        }
        let found = npy::described(&head).ok_or_else(|| damaged("it does not begin with an .npy header".to_owned()))?;
        let number = Number::of(&found.kind).ok_or_else(|| match found.kind.as_str() {
            "|O" => damaged("it holds pickled Python objects, which are not read because they can run code".to_owned()),
            kind => damaged(format!("values of kind {kind} are no numbers")),
        })?;
        let bytes = found.shape.iter().try_fold(number.width as u64, |a, &d| a.checked_mul(d as u64));
        let expected = bytes.and_then(|b| b.checked_add(found.len as u64));
        if expected != Some(len) {
            let needed = expected.map_or_else(|| "more bytes than any file has".to_owned(), |e| format!("{e} bytes"));
            return Err(damaged(format!("its shape {:?} needs {needed}, the file has {len}", found.shape)));
        }
        if len > max_bytes {
            let reason = format!("at most {max_bytes} are read");
            return Err(FormatError::TooBig { path: folder.to_owned(), object: name.to_owned(), claimed: len, reason });
        }
        file.seek(SeekFrom::Start(found.len as u64)).map_err(unreadable)?;
        let reader = BufReader::with_capacity(BUFFER, file);
        Ok(Self { folder: folder.to_owned(), name: name.to_owned(), reader, number, fortran: found.fortran, shape: found.shape })
    }

    /// All values of a list: shape (N,), (N, 1) or (1, N).
    pub(super) fn list(self) -> Result<Vec<f64>, FormatError> {
        if self.shape.iter().filter(|&&d| d != 1).count() > 1 || self.shape.is_empty() {
            let problem = format!("its shape is {:?}, expected a list (N) or (N, 1)", self.shape);
            return Err(FormatError::corrupt(&self.folder, self.name, problem));
        }
        self.values()
    }

    /// All values in the order of the file.
    pub(super) fn values(mut self) -> Result<Vec<f64>, FormatError> {
        let count: usize = self.shape.iter().product();
        let mut values = Vec::new();
        if values.try_reserve_exact(count).is_err() {
            return Err(FormatError::corrupt(&self.folder, self.name, "there is not enough memory for it"));
        }
        while values.len() < count {
            let block = self.next(4096.min(count - values.len()))?;
            values.extend(block);
        }
        Ok(values)
    }

    /// The next `count` values.
    pub(super) fn next(&mut self, count: usize) -> Result<Vec<f64>, FormatError> {
        let mut bytes = vec![0; count * self.number.width];
        self.reader.read_exact(&mut bytes).map_err(|e| FormatError::not_readable(&self.folder.join(&self.name), e))?;
        Ok(bytes.chunks_exact(self.number.width).map(|b| self.number.value(b)).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_kind_of_number_is_read() {
        let value = |kind: &str, bytes: &[u8]| Number::of(kind).unwrap().value(bytes);
        assert_eq!(value("<i8", &(-5i64).to_le_bytes()), -5.0);
        assert_eq!(value("<u8", &7u64.to_le_bytes()), 7.0);
        assert_eq!(value(">i4", &(-70_000i32).to_be_bytes()), -70_000.0);
        assert_eq!(value("<u2", &65_535u16.to_le_bytes()), 65_535.0);
        assert_eq!(value("|i1", &[0xff]), -1.0);
        assert_eq!(value("<f4", &0.5f32.to_le_bytes()), 0.5);
        assert_eq!(value(">f8", &0.1f64.to_be_bytes()), 0.1);
        for kind in ["|O", "<U4", "fields", "<c16", "", "é"] {
            assert!(Number::of(kind).is_none(), "{kind}");
        }
    }
}
