//! Named arrays as NumPy's NPZ, readable with `numpy.load`.

use std::fmt;
use std::io::{self, Cursor, Read, Seek, Write};
use std::path::{Path, PathBuf};

use ndarray::{Array, ArrayD, Dimension, IxDyn, OwnedRepr};
use ndarray_npy::{NpzReader, NpzWriter, ReadableElement, WriteNpyError, WriteNpyExt};

use super::{WriteError, write_atomically};

/// One array of an NPZ file.
#[derive(Debug, Clone, PartialEq)]
pub enum NpzArray {
    /// 32-bit reals.
    F32(ArrayD<f32>),
    /// 64-bit reals.
    F64(ArrayD<f64>),
    /// Whole numbers (indices, counts).
    U64(ArrayD<u64>),
    /// Bytes (flags).
    U8(ArrayD<u8>),
    /// A list of texts; NumPy reads it as a `<U` array (which drops trailing NUL characters).
    Text(Vec<String>),
}

impl NpzArray {
    /// A single number.
    pub fn scalar(value: f64) -> Self {
        Self::F64(ndarray::arr0(value).into_dyn())
    }

    /// A single whole number.
    pub fn index(value: u64) -> Self {
        Self::U64(ndarray::arr0(value).into_dyn())
    }

    /// A list of reals.
    pub fn list(values: Vec<f32>) -> Self {
        Self::F32(ndarray::Array1::from_vec(values).into_dyn())
    }

    /// A list of whole numbers.
    pub fn indices(values: Vec<u64>) -> Self {
        Self::U64(ndarray::Array1::from_vec(values).into_dyn())
    }

    /// A table of equally long rows; `None` when their lengths differ.
    pub fn rows(rows: &[Vec<f32>]) -> Option<Self> {
        let columns = rows.first().map_or(0, Vec::len);
        let even = rows.iter().all(|r| r.len() == columns);
        let array = ArrayD::from_shape_vec(IxDyn(&[rows.len(), columns]), rows.concat()).ok()?;
        even.then_some(Self::F32(array))
    }

    fn write(&self, npz: &mut NpzWriter<impl Write + Seek>, name: &str) -> io::Result<()> {
        match self {
            Self::F32(a) => npz.add_array(name, a),
            Self::F64(a) => npz.add_array(name, a),
            Self::U64(a) => npz.add_array(name, a),
            Self::U8(a) => npz.add_array(name, a),
            Self::Text(texts) => npz.add_array(name, &TextArray(texts)),
        }
        .map_err(io::Error::other)
    }
}

/// Texts in NumPy's layout: fixed width, UTF-32 little-endian, padded with zeros (NEP 1, `<U`).
struct TextArray<'a>(&'a [String]);

impl WriteNpyExt for TextArray<'_> {
    fn write_npy<W: Write>(&self, mut writer: W) -> Result<(), WriteNpyError> {
        let width = self.0.iter().map(|t| t.chars().count()).max().unwrap_or(0).max(1);
        let mut header = format!("{{'descr': '<U{width}', 'fortran_order': False, 'shape': ({},), }}", self.0.len());
        // Magic, version and length take 10 bytes; the data must start on a multiple of 64 after a line break.
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        writer.write_all(b"\x93NUMPY\x01\x00")?;
        writer.write_all(&u16::try_from(header.len()).map_err(io::Error::other)?.to_le_bytes())?;
        writer.write_all(header.as_bytes())?;
        for text in self.0 {
            let letters = text.chars().map(u32::from);
            for code in letters.chain(std::iter::repeat(0)).take(width) {
                writer.write_all(&code.to_le_bytes())?;
            }
        }
        writer.flush()?;
        Ok(())
    }
}

/// Arrays of one NPZ file, in the order in which they were added.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NpzArrays {
    arrays: Vec<(String, NpzArray)>,
}

impl NpzArrays {
    /// Add an array; names are those `numpy.load` shows.
    pub fn add(&mut self, name: impl Into<String>, array: NpzArray) {
        self.arrays.push((name.into(), array));
    }

    /// Write to anything that can seek.
    ///
    /// # Errors
    /// What the writer says, or that two arrays have the same name.
    pub fn write_to(&self, writer: impl Write + Seek) -> io::Result<()> {
        let mut npz = NpzWriter::new(writer);
        for (name, array) in &self.arrays {
            array.write(&mut npz, name)?;
        }
        npz.finish().map_err(io::Error::other)?;
        Ok(())
    }

    /// Write a file whole or not at all.
    ///
    /// # Errors
    /// [`WriteError`] names the path and what to do.
    pub fn write(&self, path: &Path) -> Result<(), WriteError> {
        write_atomically(path, |file| self.write_to(file))
    }
}

/// Why an array cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: array '{array}' cannot be read: {cause}", path.display())]
pub struct NpzError {
    /// The file.
    pub path: PathBuf,
    /// The array; empty for the file as a whole.
    pub array: String,
    /// What is wrong.
    pub cause: String,
}

/// An NPZ file held in memory, to read arrays from by name.
pub struct NpzSource {
    path: PathBuf,
    reader: NpzReader<Cursor<Vec<u8>>>,
    names: Vec<String>,
}

impl NpzSource {
    /// Read a whole file. The caller vouches for its size.
    ///
    /// # Errors
    /// [`NpzError`] when it cannot be read or is no NPZ file.
    pub fn open(path: &Path) -> Result<Self, NpzError> {
        let mut bytes = Vec::new();
        let read = std::fs::File::open(path).and_then(|mut f| f.read_to_end(&mut bytes));
        read.map_err(|e| whole(path, e))?;
        Self::from_bytes(path, bytes)
    }

    /// From bytes already read from `path`.
    ///
    /// # Errors
    /// [`NpzError`] when they are no NPZ file.
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, NpzError> {
        let mut reader = NpzReader::new(Cursor::new(bytes)).map_err(|e| whole(path, e))?;
        let names = reader.names().map_err(|e| whole(path, e))?;
        Ok(Self { path: path.to_owned(), reader, names })
    }

    /// Names of all arrays.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// True when there is an array of this name.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|n| n == name)
    }

    /// One array with the element type and number of dimensions that the caller expects.
    ///
    /// # Errors
    /// [`NpzError`] when it is missing or of another kind.
    pub fn array<A: ReadableElement, D: Dimension>(&mut self, name: &str) -> Result<Array<A, D>, NpzError> {
        self.reader.by_name::<OwnedRepr<A>, D>(name).map_err(|e| self.wrong(name, e))
    }

    /// A single number.
    ///
    /// # Errors
    /// [`NpzError`] when it is missing or of another kind.
    pub fn scalar<A: ReadableElement + Copy>(&mut self, name: &str) -> Result<A, NpzError> {
        Ok(self.array::<A, ndarray::Ix0>(name)?.into_scalar())
    }

    /// A list.
    ///
    /// # Errors
    /// [`NpzError`] when it is missing or of another kind.
    pub fn list<A: ReadableElement>(&mut self, name: &str) -> Result<Vec<A>, NpzError> {
        Ok(self.array::<A, ndarray::Ix1>(name)?.into_iter().collect())
    }

    /// A list of indices.
    ///
    /// # Errors
    /// [`NpzError`] when it is missing, of another kind, or too large for this machine.
    pub fn indices(&mut self, name: &str) -> Result<Vec<usize>, NpzError> {
        self.list::<u64>(name)?.into_iter().map(|v| usize::try_from(v).map_err(|e| self.wrong(name, e))).collect()
    }

    /// A table, one list per row.
    ///
    /// # Errors
    /// [`NpzError`] when it is missing or of another kind.
    pub fn rows(&mut self, name: &str) -> Result<Vec<Vec<f32>>, NpzError> {
        Ok(self.array::<f32, ndarray::Ix2>(name)?.rows().into_iter().map(|r| r.to_vec()).collect())
    }

    /// An error about one array, for callers that check values.
    pub fn wrong(&self, array: &str, cause: impl fmt::Display) -> NpzError {
        NpzError { path: self.path.clone(), array: array.to_owned(), cause: cause.to_string() }
    }
}

fn whole(path: &Path, cause: impl fmt::Display) -> NpzError {
    NpzError { path: path.to_owned(), array: String::new(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn arrays_round_trip_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.npz");
        let rows = vec![vec![0.1, f32::NAN, -0.0], vec![f32::INFINITY, f32::MIN_POSITIVE, 3.0]];
        let mut arrays = NpzArrays::default();
        arrays.add("rows", NpzArray::rows(&rows).unwrap());
        arrays.add("none", NpzArray::rows(&[]).unwrap());
        arrays.add("empty", NpzArray::rows(&[vec![], vec![]]).unwrap());
        arrays.add("step", NpzArray::index(u64::MAX));
        arrays.add("bin_s", NpzArray::scalar(0.002));
        arrays.add("units", NpzArray::indices(vec![3, 1, 2]));
        arrays.add("areas", NpzArray::Text(vec!["V1".into(), "größer".into(), String::new()]));
        arrays.write(&path).unwrap();
        let mut source = NpzSource::open(&path).unwrap();
        assert_eq!(source.names().len(), 7);
        let bits = |rows: Vec<Vec<f32>>| rows.into_iter().map(|r| r.into_iter().map(f32::to_bits).collect::<Vec<_>>()).collect::<Vec<_>>();
        assert_eq!(bits(source.rows("rows").unwrap()), bits(rows));
        assert_eq!(source.rows("none").unwrap(), Vec::<Vec<f32>>::new());
        assert_eq!(source.rows("empty").unwrap(), vec![Vec::<f32>::new(); 2]);
        assert_eq!(source.scalar::<u64>("step").unwrap(), u64::MAX);
        assert_eq!(source.scalar::<f64>("bin_s").unwrap(), 0.002);
        assert_eq!(source.indices("units").unwrap(), [3, 1, 2]);
        assert!(source.has("areas"));
    }

    #[test]
    fn text_has_numpys_layout() {
        let mut bytes = Vec::new();
        TextArray(&["V1".to_owned(), "é".to_owned()]).write_npy(&mut bytes).unwrap();
        let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        assert_eq!((10 + length) % 64, 0);
        let header = std::str::from_utf8(&bytes[10..10 + length]).unwrap();
        assert!(header.starts_with("{'descr': '<U2', 'fortran_order': False, 'shape': (2,), }") && header.ends_with('\n'), "{header}");
        let data: Vec<u32> = bytes[10 + length..].chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        assert_eq!(data, [u32::from('V'), u32::from('1'), u32::from('é'), 0]);
    }

    #[test]
    fn what_does_not_fit_is_an_error_that_names_file_and_array() {
        assert!(NpzArray::rows(&[vec![1.0], vec![]]).is_none());
        let path = Path::new("some/results.npz");
        assert!(NpzSource::from_bytes(path, b"not a zip".to_vec()).is_err());
        let mut arrays = NpzArrays::default();
        arrays.add("units", NpzArray::list(vec![1.0]));
        let mut bytes = Cursor::new(Vec::new());
        arrays.write_to(&mut bytes).unwrap();
        let mut source = NpzSource::from_bytes(path, bytes.into_inner()).unwrap();
        for message in [source.indices("units").unwrap_err().to_string(), source.rows("units").unwrap_err().to_string()] {
            assert!(message.contains("some/results.npz") && message.contains("'units'"), "{message}");
        }
        assert!(source.rows("nothing").unwrap_err().to_string().contains("'nothing'"));
        let mut twice = NpzArrays::default();
        twice.add("a", NpzArray::index(1));
        twice.add("a", NpzArray::index(2));
        assert!(twice.write_to(Cursor::new(Vec::new())).is_err());
    }
}
