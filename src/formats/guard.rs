//! HDF5 behind a guard. A damaged dataspace or chunk shape can claim any size, and an allocation of that size aborts the process
//! before an error can be returned; so every read first checks shape, element size, layout and chunks against what the file can
//! hold. Reading goes through a source that never reads past the end and stops when an index runs in circles.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use hdf5_pure::{
    DType, Dataset, Error, FileAccessProperties, FormatError as Hdf5FormatError, Group, Layout, MetadataCacheConfig, VlenStringReadOptions,
    WriteMarkPolicy,
};

mod links;
mod numbers;
mod root;
mod source;

pub(super) use self::numbers::Numbers;
pub(super) use self::root::{Root, root, unknown};
use self::source::{BoundedSource, Shared};
use super::{FormatError, Progress};
use crate::recording::Column;

/// Values that are not stored at all (fill values) may take this much.
const UNSTORED: u64 = 64 << 20;
/// Deflate cannot expand a byte to more than 1032.
const EXPANSION: u64 = 1100;
/// Largest chunk that is decoded.
const LARGEST_CHUNK: u64 = 1 << 30;
const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// True when the HDF5 signature stands where it may (at the start or behind a user block).
pub(super) fn is_hdf5(head: &[u8]) -> bool {
    [0, 512, 1024, 2048].iter().any(|&at| head.get(at..).is_some_and(|h| h.starts_with(SIGNATURE)))
}

/// First bytes of a file.
pub(super) fn head(path: &Path) -> Result<Vec<u8>, FormatError> {
    let unreadable = |e| FormatError::not_readable(path, e);
    let mut head = Vec::with_capacity(4096);
    std::fs::File::open(path).map_err(unreadable)?.take(4096).read_to_end(&mut head).map_err(unreadable)?;
    Ok(head)
}

fn properties() -> FileAccessProperties {
    FileAccessProperties::new()
        .with_metadata_cache(MetadataCacheConfig::new(8 << 20))
        // A recording whose writer crashed is still a recording.
        .with_write_mark_policy(WriteMarkPolicy::AllowSnapshot)
}

/// An HDF5 file that checks before it reads.
pub(super) struct Hdf5<'a> {
    file: hdf5_pure::File,
    source: Arc<BoundedSource>,
    pub(super) path: &'a Path,
    len: u64,
    pub(super) max_bytes: u64,
    pub(super) progress: &'a Progress<'a>,
}

/// Shape of a dataset that passed the check.
pub(super) struct Checked {
    /// Length of the first dimension; 1 for a scalar.
    pub(super) rows: u64,
    /// Values per row.
    pub(super) per_row: u64,
    /// Number of dimensions.
    pub(super) rank: usize,
    chunk_rows: u64,
}

impl<'a> Hdf5<'a> {
    pub(super) fn open(path: &'a Path, max_bytes: u64, progress: &'a Progress<'a>) -> Result<Self, FormatError> {
        let source = Arc::new(BoundedSource::open(path).map_err(|e| FormatError::not_readable(path, e))?);
        let len = source.len;
        let damaged = |problem: String| FormatError::corrupt(path, "the file header", problem);
        let file =
            hdf5_pure::File::from_source_with_options(Shared(Arc::clone(&source)), properties()).map_err(|e| damaged(e.to_string()))?;
        let expected = file.superblock().eof_address;
        if expected > len {
            return Err(damaged(format!("the file is cut off, it should have {expected} bytes and has {len}")));
        }
        Ok(Self { file, source, path, len, max_bytes, progress })
    }

    /// The group at `path`, `None` when there is none.
    pub(super) fn group(&self, path: &str) -> Result<Option<Group>, FormatError> {
        match self.file.group(path) {
            Ok(group) => Ok(Some(group)),
            Err(Error::Format(Hdf5FormatError::PathNotFound(_)) | Error::NotAGroup(_)) => Ok(None),
            Err(e) => Err(self.failed(path, &e)),
        }
    }

    /// The dataset `name` of `group`, `None` when there is none.
    pub(super) fn dataset(&self, group: &Group, place: &str, name: &str) -> Result<Option<Dataset>, FormatError> {
        match group.dataset(name) {
            Ok(dataset) => Ok(Some(dataset)),
            Err(Error::Format(Hdf5FormatError::PathNotFound(_)) | Error::NotADataset(_)) => Ok(None),
            Err(e) => Err(self.failed(&format!("{place}/{name}"), &e)),
        }
    }

    /// All datasets of a group.
    pub(super) fn datasets(&self, group: &Group, place: &str) -> Result<Vec<(String, Dataset)>, FormatError> {
        Ok(group.iter_datasets().map_err(|e| self.failed(place, &e))?.collect())
    }

    /// All groups of a group.
    pub(super) fn groups(&self, group: &Group, place: &str) -> Result<Vec<(String, Group)>, FormatError> {
        Ok(group.iter_groups().map_err(|e| self.failed(place, &e))?.collect())
    }

    /// What went wrong inside `object`.
    pub(super) fn failed(&self, object: &str, error: &Error) -> FormatError {
        match error {
            Error::Format(Hdf5FormatError::UnsupportedFilter(id)) => self.unsupported_filter(object, *id),
            other => FormatError::corrupt(self.path, object, other.to_string()),
        }
    }

    fn unsupported_filter(&self, object: &str, id: u16) -> FormatError {
        let name = match id {
            4 => "szip filter",
            5 => "n-bit filter",
            307 => "bzip2 filter",
            32001 => "blosc filter",
            32004 => "lz4 filter",
            32008 => "bitshuffle filter",
            32015 => "zstd filter",
            32026 => "blosc2 filter",
            _ => "HDF5 filter",
        };
        FormatError::UnsupportedFilter {
            path: self.path.to_owned(),
            object: object.to_owned(),
            filter: format!("{name} (id {id})"),
            remedy: "write the file again with gzip or without compression, for example h5repack -f GZIP=4 OLD NEW where the filter's \
                     plugin is installed (pip install hdf5plugin)"
                .to_owned(),
        }
    }

    fn too_big(&self, object: &str, claimed: Option<u64>, reason: impl Into<String>) -> FormatError {
        FormatError::TooBig {
            path: self.path.to_owned(),
            object: object.to_owned(),
            claimed: claimed.unwrap_or(u64::MAX),
            reason: reason.into(),
        }
    }

    /// Check what reading all of `dataset` would allocate.
    pub(super) fn check(&self, object: &str, dataset: &Dataset) -> Result<Checked, FormatError> {
        self.check_up_to(self.max_bytes, object, dataset)
    }

    /// The same for a dataset that is read in pieces, so that its size does not matter.
    fn check_up_to(&self, most: u64, object: &str, dataset: &Dataset) -> Result<Checked, FormatError> {
        let failed = |e: Error| self.failed(object, &e);
        let shape = dataset.shape().map_err(failed)?;
        let element = dataset.element_size().map_err(failed)?;
        let product = |dims: &[u64]| dims.iter().try_fold(1u64, |a, &d| a.checked_mul(d));
        let bytes = product(&shape).and_then(|n| n.checked_mul(element));
        let Some(bytes) = bytes else {
            return Err(self.too_big(object, None, "no file is that large"));
        };
        if bytes > most {
            return Err(self.too_big(object, Some(bytes), format!("at most {most} are read")));
        }
        for id in dataset.filters() {
            // Deflate, shuffle, checksum, scale-offset, lzf, zfp.
            if ![1, 2, 3, 6, 32000, 32013].contains(&id) {
                return Err(self.unsupported_filter(object, id));
            }
        }
        let mut chunk_rows = 1;
        match dataset.layout().map_err(failed)? {
            Layout::Contiguous { address: Some(address), .. } if bytes > self.len.saturating_sub(address) => {
                let left = self.len.saturating_sub(address);
                return Err(self.too_big(object, Some(bytes), format!("only {left} bytes follow in the file")));
            }
            Layout::Compact { size } if bytes > size => {
                return Err(self.too_big(object, Some(bytes), format!("only {size} bytes are stored")));
            }
            Layout::Contiguous { address: None, .. } if bytes > UNSTORED => {
                return Err(self.too_big(object, Some(bytes), "nothing is stored for it"));
            }
            Layout::Chunked { chunk_shape, .. } => {
                self.check_chunks(object, dataset, &shape, &chunk_shape, element, bytes)?;
                chunk_rows = chunk_shape.first().copied().unwrap_or(1);
            }
            Layout::Virtual => {
                return Err(FormatError::corrupt(self.path, object, "it is a virtual dataset whose values lie in other files"));
            }
            _ => {}
        }
        let rows = shape.first().copied().unwrap_or(1);
        let per_row = product(shape.get(1..).unwrap_or_default()).unwrap_or(1);
        Ok(Checked { rows, per_row, rank: shape.len(), chunk_rows })
    }

    fn check_chunks(
        &self,
        object: &str,
        dataset: &Dataset,
        shape: &[u64],
        chunk: &[u64],
        element: u64,
        bytes: u64,
    ) -> Result<(), FormatError> {
        if chunk.len() != shape.len() || chunk.contains(&0) {
            return Err(FormatError::corrupt(self.path, object, "its chunks do not have the shape of the data"));
        }
        let chunk_bytes = chunk.iter().try_fold(element, |a, &d| a.checked_mul(d));
        let chunk_bytes = match chunk_bytes {
            Some(b) if b <= LARGEST_CHUNK.min(self.max_bytes) => b,
            _ => return Err(self.too_big(object, chunk_bytes, "that is for one chunk alone")),
        };
        // Every chunk has an entry of at least 8 bytes in an index, or bytes of its own.
        let count = shape.iter().zip(chunk).try_fold(1u64, |a, (&s, &c)| a.checked_mul(s.div_ceil(c)));
        if count.is_none_or(|n| n > self.len / 8 + 16) {
            return Err(self.too_big(object, Some(bytes), "the file is too small for an index of its chunks"));
        }
        let stored = dataset.chunks().map_err(|e| self.failed(object, &e))?;
        let compressed = !dataset.filters().is_empty();
        for one in &stored {
            // The reader makes room for a stored chunk before it looks whether the file has it.
            if one.address.checked_add(one.storage_size).is_none_or(|end| end > self.len) {
                return Err(FormatError::corrupt(self.path, object, "one of its chunks lies outside the file"));
            }
            let most = if compressed { one.storage_size.saturating_mul(EXPANSION).saturating_add(1 << 16) } else { self.len };
            if chunk_bytes > most {
                return Err(self.too_big(object, Some(chunk_bytes), format!("one chunk has only {} bytes in the file", one.storage_size)));
            }
        }
        if bytes > (stored.len() as u64).saturating_mul(chunk_bytes).saturating_add(UNSTORED) {
            return Err(self.too_big(object, Some(bytes), format!("only {} of its chunks are in the file", stored.len())));
        }
        Ok(())
    }

    /// All values of a numeric dataset as f64, row after row, with progress from `span.0` to `span.1`.
    pub(super) fn numbers(&self, object: &str, dataset: &Dataset, span: (f32, f32), what: &str) -> Result<Vec<f64>, FormatError> {
        let shape = self.check(object, dataset)?;
        Numbers::new(self, object, dataset, shape).all(span, what, &mut |_| ())
    }

    /// A numeric dataset of any size, to be read in pieces.
    pub(super) fn in_pieces<'h>(&'h self, object: &'h str, dataset: &'h Dataset) -> Result<Numbers<'h, 'a>, FormatError> {
        Ok(Numbers::new(self, object, dataset, self.check_up_to(u64::MAX, object, dataset)?))
    }

    /// All values of an index column (any unsigned width).
    pub(super) fn index(&self, object: &str, dataset: &Dataset) -> Result<Vec<u64>, FormatError> {
        self.check(object, dataset)?;
        dataset.read_u64().map_err(|e| self.failed(object, &e))
    }

    /// All values of a dataset as a column, `None` when they are no plain numbers, truth values or texts.
    pub(super) fn column(&self, object: &str, dataset: &Dataset) -> Result<Option<Column>, FormatError> {
        let shape = self.check(object, dataset)?;
        let failed = |e: Error| self.failed(object, &e);
        let column = match dataset.dtype().map_err(failed)? {
            DType::F32 | DType::F64 => Column::Float(dataset.read_f64().map_err(failed)?),
            DType::I8 | DType::I16 | DType::I32 | DType::I64 | DType::U8 | DType::U16 | DType::U32 | DType::U64 => {
                Column::Int(dataset.read_i64().map_err(failed)?)
            }
            DType::Enum(names) if names.len() == 2 && names.iter().any(|n| n.eq_ignore_ascii_case("true")) => {
                Column::Bool(dataset.read_i64().map_err(failed)?.into_iter().map(|v| v != 0).collect())
            }
            DType::Enum(_) => Column::Int(dataset.read_i64().map_err(failed)?),
            DType::String => Column::Text(dataset.read_string().map_err(failed)?),
            DType::VariableLengthString => {
                let values = usize::try_from(shape.rows.saturating_mul(shape.per_row)).unwrap_or(usize::MAX);
                let payload = usize::try_from(self.len.saturating_mul(4).saturating_add(1 << 20)).unwrap_or(usize::MAX);
                let limits = VlenStringReadOptions::new().with_max_elements(values).with_max_payload_bytes(payload);
                Column::Text(dataset.read_vlen_strings(limits).map_err(failed)?)
            }
            _ => return Ok(None),
        };
        Ok(Some(column))
    }

    /// True for real numbers and integers.
    pub(super) fn is_number(&self, object: &str, dataset: &Dataset) -> Result<bool, FormatError> {
        let kind = dataset.dtype().map_err(|e| self.failed(object, &e))?;
        let integer = matches!(kind, DType::I8 | DType::I16 | DType::I32 | DType::I64 | DType::U8 | DType::U16 | DType::U32 | DType::U64);
        Ok(integer || matches!(kind, DType::F32 | DType::F64))
    }

    /// The groups that a column of object references points at, `None` when it is no such column.
    pub(super) fn referenced_groups(&self, object: &str, dataset: &Dataset) -> Result<Option<Vec<Option<Group>>>, FormatError> {
        self.check(object, dataset)?;
        let failed = |e: Error| self.failed(object, &e);
        if dataset.dtype().map_err(failed)? != DType::ObjectReference {
            return Ok(None);
        }
        let objects = dataset.dereference().map_err(failed)?;
        Ok(Some(objects.into_iter().map(|o| if let hdf5_pure::Object::Group(g) = o { Some(g) } else { None }).collect()))
    }
}
