//! The arrays of a file: their names and shapes at once, their values when they are asked for.

use std::path::{Path, PathBuf};

use crate::formats::FormatError;
use crate::formats::npz::npy::{self, Array, Header, Values};
use crate::formats::npz::zip::Zip;

/// More arrays are no recording.
const MOST_ARRAYS: usize = 100_000;

/// One array of the file.
pub(super) struct Listed {
    pub(super) name: String,
    /// `None` when it cannot be read.
    pub(super) header: Option<Header>,
}

impl Listed {
    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.shape().iter().try_fold(1usize, |a, &d| a.checked_mul(d)).unwrap_or(0)
    }

    /// Sizes of the dimensions; empty for a scalar.
    pub(super) fn shape(&self) -> &[usize] {
        self.header.as_ref().map_or(&[], |h| &h.shape)
    }

    pub(super) fn is_pickled(&self) -> bool {
        self.header.as_ref().is_some_and(Header::is_pickled)
    }

    pub(super) fn is_number(&self) -> bool {
        self.header.as_ref().is_some_and(Header::is_number)
    }

    pub(super) fn is_text(&self) -> bool {
        self.header.as_ref().is_some_and(Header::is_text)
    }

    /// A row or column of numbers.
    pub(super) fn is_vector(&self) -> bool {
        self.is_number() && self.is_row()
    }

    /// One dimension that counts, whatever the kind of values.
    pub(super) fn is_row(&self) -> bool {
        !self.shape().is_empty() && self.shape().iter().filter(|&&d| d != 1).count() <= 1
    }

    /// A single number.
    pub(super) fn is_scalar(&self) -> bool {
        self.is_number() && self.len() == 1
    }

    /// Numbers in two or three dimensions.
    pub(super) fn is_counts(&self) -> bool {
        self.is_number() && !self.is_row() && matches!(self.shape().len(), 2 | 3)
    }

    /// Name and shape in words.
    pub(super) fn described(&self) -> String {
        let sizes: Vec<String> = self.shape().iter().map(usize::to_string).collect();
        if sizes.is_empty() { self.name.clone() } else { format!("{} ({})", self.name, sizes.join(" × ")) }
    }
}

/// All arrays of an NPZ archive, or the one array of an NPY file.
pub(super) struct Inventory {
    path: PathBuf,
    zip: Option<Zip>,
    max_bytes: u64,
    pub(super) listed: Vec<Listed>,
    /// Why the first array that cannot be read cannot be read.
    pub(super) problem: Option<FormatError>,
}

impl Inventory {
    pub(super) fn open(path: &Path, max_bytes: u64) -> Result<Self, FormatError> {
        let mut head = [0u8; 6];
        let read = std::fs::File::open(path).and_then(|mut f| std::io::Read::read(&mut f, &mut head));
        read.map_err(|e| FormatError::not_readable(path, e))?;
        if head.starts_with(b"\x93NUMPY") {
            let (header, problem) = known(path, "the array", npy::file_header(path));
            let listed = vec![Listed { name: "array".to_owned(), header }];
            return Ok(Self { path: path.to_owned(), zip: None, max_bytes, listed, problem });
        }
        let mut zip = Zip::open(path)?;
        let entries = zip.entries.clone();
        if entries.len() > MOST_ARRAYS {
            return Err(FormatError::corrupt(
                path,
                "the zip archive",
                format!("it holds {} arrays, which no recording has", entries.len()),
            ));
        }
        let (mut listed, mut first) = (Vec::new(), None);
        for entry in &entries {
            let Some(name) = entry.name.strip_suffix(".npy") else { continue };
            let (header, problem) = known(path, name, npy::header(&mut zip, entry));
            first = first.or(problem);
            listed.push(Listed { name: name.to_owned(), header });
        }
        Ok(Self { path: path.to_owned(), zip: Some(zip), max_bytes, listed, problem: first })
    }

    pub(super) fn get(&self, name: &str) -> Option<&Listed> {
        self.listed.iter().find(|a| a.name == name)
    }

    /// All arrays with their shapes, for a message.
    pub(super) fn described(&self) -> String {
        let shown: Vec<String> = self.listed.iter().take(12).map(Listed::described).collect();
        format!("{}{}", shown.join(", "), if self.listed.len() > 12 { ", …" } else { "" })
    }

    pub(super) fn read(&mut self, name: &str) -> Result<Array, FormatError> {
        match &mut self.zip {
            Some(zip) => npy::read(zip, name, self.max_bytes),
            None => npy::read_file(&self.path, self.max_bytes),
        }
    }

    /// All values of an array of numbers.
    pub(super) fn numbers(&mut self, name: &str) -> Result<Vec<f64>, FormatError> {
        let numbers = self.read(name)?.values.into_numbers();
        numbers.ok_or_else(|| self.damaged(name, "it should hold numbers"))
    }

    /// The number in an array of one number.
    pub(super) fn scalar(&mut self, name: &str) -> Option<f64> {
        if !self.get(name)?.is_scalar() {
            return None;
        }
        self.numbers(name).ok()?.first().copied()
    }

    /// The first text of an array of texts.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.read(name).ok()?.values {
            Values::Text(texts) => texts.into_iter().next(),
            _ => None,
        }
    }

    pub(super) fn pickled_bytes(&mut self, name: &str, max_bytes: u64) -> Result<Vec<u8>, FormatError> {
        match &mut self.zip {
            Some(zip) => npy::pickled_bytes(zip, name, max_bytes),
            None => Err(self.damaged(name, "it holds pickled Python objects")),
        }
    }

    pub(super) fn damaged(&self, name: &str, problem: impl Into<String>) -> FormatError {
        FormatError::corrupt(&self.path, name, problem)
    }
}

/// A header, and why its values cannot be read.
fn known(path: &Path, name: &str, header: Result<Header, FormatError>) -> (Option<Header>, Option<FormatError>) {
    match header {
        Ok(header) => {
            let problem = header.unreadable().map(|p| FormatError::corrupt(path, name, p));
            (Some(header), problem)
        }
        Err(error) => (None, Some(error)),
    }
}
