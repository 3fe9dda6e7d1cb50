//! Arrays of a zarr store, version 2, on disk: `.zarray` with shape, chunks and codecs, one file per chunk.
//! Specification: <https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html>.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{blosc, json};
use crate::formats::FormatError;
use crate::formats::npz::literal::Literal;
use crate::formats::npz::npy::Array;
use crate::formats::npz::{Builder, Dtype};

/// Largest chunk that is decoded.
const LARGEST_CHUNK: usize = 1 << 30;
/// Chunks that are not stored at all (fill values) may take this much.
const UNSTORED: u64 = 64 << 20;
/// No codec makes more of a byte than this.
const EXPANSION: u64 = 40_000;

/// A store on disk.
pub(super) struct Store<'a> {
    pub(super) root: &'a Path,
    pub(super) max_bytes: u64,
}

/// How chunks are stored.
struct Layout {
    shape: Vec<usize>,
    chunk: Vec<usize>,
    dtype: Dtype,
    compressor: Value,
    /// Width of the integers that a delta filter sums up.
    delta: Option<usize>,
    folder: PathBuf,
    separator: String,
}

impl Store<'_> {
    /// Read an array of one dimension, or of two with whole rows in a chunk.
    pub(super) fn read(&self, name: &str) -> Result<Array, FormatError> {
        let folder = self.root.join(name);
        let meta = json(&folder.join(".zarray"))?;
        let wrong = |problem: &str| FormatError::corrupt(self.root, name, problem);
        let layout = layout(&meta, folder).map_err(|problem| self.refused(name, problem))?;
        let rows = layout.shape.first().copied().unwrap_or(1);
        let per_row = layout.shape.iter().skip(1).try_fold(1usize, |a, &d| a.checked_mul(d));
        let chunk_rows = layout.chunk.first().copied().unwrap_or(1).max(1);
        let count = per_row.and_then(|p| p.checked_mul(rows));
        let bytes = count.and_then(|c| c.checked_mul(layout.dtype.width));
        let chunk_bytes = layout.chunk.iter().try_fold(layout.dtype.width, |a, &d| a.checked_mul(d));
        let too_big = |claimed: Option<usize>, reason: String| FormatError::TooBig {
            path: self.root.to_owned(),
            object: name.to_owned(),
            claimed: claimed.map_or(u64::MAX, |c| c as u64),
            reason,
        };
        let (Some(count), Some(bytes), Some(per_row)) = (count, bytes, per_row) else {
            return Err(too_big(None, "no store is that large".to_owned()));
        };
        let Some(chunk_bytes) = chunk_bytes.filter(|b| *b <= LARGEST_CHUNK) else {
            return Err(too_big(chunk_bytes, "that is for one chunk alone".to_owned()));
        };
        let decoded = (count as u64).saturating_mul(layout.dtype.decoded_bytes());
        if decoded > self.max_bytes {
            return Err(too_big(Some(bytes), format!("at most {} are read", self.max_bytes)));
        }
        let chunks = rows.div_ceil(chunk_rows);
        let stored = std::fs::read_dir(&layout.folder).map_or(0, Iterator::count) as u64;
        if bytes as u64 > stored.saturating_mul(chunk_bytes as u64).saturating_add(UNSTORED) || chunks as u64 > stored + (1 << 16) {
            return Err(too_big(Some(bytes), format!("only {stored} files are stored for it")));
        }
        let mut builder = Builder::new(layout.dtype.clone(), count).map_err(|e| wrong(&e))?;
        let row_bytes = per_row * layout.dtype.width;
        for k in 0..chunks {
            let used = (rows - k * chunk_rows).min(chunk_rows) * row_bytes;
            let chunk = layout.chunk(k, chunk_bytes).map_err(|problem| self.refused(name, problem))?;
            let part = chunk.get(..used).ok_or_else(|| wrong(&format!("chunk {k} is shorter than its shape")))?;
            builder.add(part).map_err(|e| wrong(&e))?;
        }
        Ok(Array { shape: layout.shape, values: builder.finish().map_err(|e| wrong(&e))? })
    }

    fn refused(&self, name: &str, problem: Problem) -> FormatError {
        match problem {
            Problem::Damaged(problem) => FormatError::corrupt(self.root, name, problem),
            Problem::Codec(filter) => FormatError::UnsupportedFilter {
                path: self.root.to_owned(),
                object: name.to_owned(),
                filter,
                remedy: "save the sorting with format='numpy_folder' and open that folder".to_owned(),
            },
        }
    }
}

/// Why an array cannot be read.
enum Problem {
    Damaged(String),
    Codec(String),
}

impl From<&str> for Problem {
    fn from(problem: &str) -> Self {
        Self::Damaged(problem.to_owned())
    }
}

fn layout(meta: &Value, folder: PathBuf) -> Result<Layout, Problem> {
    let sizes = |key: &str| {
        let list = meta.get(key)?.as_array()?;
        list.iter().map(|d| usize::try_from(d.as_u64()?).ok()).collect::<Option<Vec<usize>>>()
    };
    let (shape, chunk) =
        (sizes("shape").ok_or("its shape is no list of sizes")?, sizes("chunks").ok_or("its chunks are no list of sizes")?);
    if shape.len() != chunk.len() || chunk.contains(&0) {
        return Err("its chunks do not have the shape of the data".into());
    }
    if shape.len() > 2 || shape.get(1..).unwrap_or_default() != chunk.get(1..).unwrap_or_default() {
        return Err("it should have one dimension, or whole rows in each chunk".into());
    }
    if shape.len() > 1 && meta.get("order").and_then(Value::as_str) == Some("F") {
        return Err("it is in Fortran order".into());
    }
    let dtype = Dtype::parse(&literal(meta.get("dtype").unwrap_or(&Value::Null))).map_err(Problem::Damaged)?;
    let mut delta = None;
    for filter in meta.get("filters").and_then(Value::as_array).into_iter().flatten() {
        let id = filter.get("id").and_then(Value::as_str).unwrap_or("without a name");
        let kind = |key: &str| filter.get(key).and_then(Value::as_str);
        let plain = matches!(kind("dtype"), Some("<i8" | "<i4" | "<u4" | "<u8" | "<i2" | "<u2"));
        if id != "delta" || !plain || (kind("astype").is_some() && kind("astype") != kind("dtype")) {
            return Err(Problem::Codec(format!("filter '{id}'")));
        }
        delta = Some(dtype.width);
    }
    let separator = meta.get("dimension_separator").and_then(Value::as_str).unwrap_or(".").to_owned();
    let compressor = meta.get("compressor").cloned().unwrap_or(Value::Null);
    Ok(Layout { shape, chunk, dtype, compressor, delta, folder, separator })
}

/// A JSON dtype as numpy would write it.
fn literal(value: &Value) -> Literal {
    match value {
        Value::String(text) => Literal::Text(text.clone()),
        Value::Array(list) => Literal::List(list.iter().map(literal).collect()),
        _ => Literal::None,
    }
}

impl Layout {
    /// Bytes of chunk `k` along the first dimension; zeros for one that is not stored.
    fn chunk(&self, k: usize, size: usize) -> Result<Vec<u8>, Problem> {
        let name = if self.shape.len() == 2 { format!("{k}{}0", self.separator) } else { k.to_string() };
        let path = self.folder.join(name);
        let stored = match std::fs::metadata(&path) {
            Ok(meta) if meta.len() > LARGEST_CHUNK as u64 => {
                return Err(Problem::Damaged(format!("chunk {k} is larger than {LARGEST_CHUNK} bytes")));
            }
            Ok(_) => std::fs::read(&path).map_err(|e| Problem::Damaged(format!("chunk {k} cannot be read ({e})")))?,
            Err(_) => return Ok(vec![0; size]),
        };
        if size as u64 > (stored.len() as u64).saturating_mul(EXPANSION) {
            return Err(Problem::Damaged(format!("chunk {k} claims {size} bytes, but has {}", stored.len())));
        }
        let mut bytes = self.decode(&stored, size).map_err(|problem| match problem {
            Problem::Damaged(problem) => Problem::Damaged(format!("chunk {k}: {problem}")),
            codec @ Problem::Codec(_) => codec,
        })?;
        if bytes.len() != size {
            return Err(Problem::Damaged(format!("chunk {k} has {} bytes, expected {size}", bytes.len())));
        }
        if let Some(width) = self.delta {
            sum_up(&mut bytes, width);
        }
        Ok(bytes)
    }

    fn decode(&self, stored: &[u8], size: usize) -> Result<Vec<u8>, Problem> {
        let damaged = || Problem::from("its compressed bytes cannot be decoded");
        let all = |reader: &mut dyn Read| {
            let mut bytes = Vec::new();
            reader.take(size as u64 + 1).read_to_end(&mut bytes).map(|_| bytes).map_err(|_| damaged())
        };
        if self.compressor.is_null() {
            return Ok(stored.to_vec());
        }
        match self.compressor.get("id").and_then(Value::as_str).unwrap_or("without a name") {
            "blosc" => blosc::decode(stored, size).map_err(|e| match e {
                blosc::Refused::Damaged(problem) => problem.into(),
                blosc::Refused::Codec(codec) => Problem::Codec(format!("blosc codec '{codec}'")),
            }),
            "zlib" => all(&mut flate2::read::ZlibDecoder::new(stored)),
            "gzip" => all(&mut flate2::read::MultiGzDecoder::new(stored)),
            "zstd" => blosc::zstd(stored, size).ok_or_else(damaged),
            "lz4" => {
                // The size of what follows stands first.
                let block = stored.get(4..).ok_or_else(damaged)?;
                blosc::lz4(block, size).ok_or_else(damaged)
            }
            other => Err(Problem::Codec(format!("compressor '{other}'"))),
        }
    }
}

/// Undo the delta filter: every integer is the difference from the one before.
fn sum_up(bytes: &mut [u8], width: usize) {
    let mut sum = 0u64;
    for value in bytes.chunks_exact_mut(width.clamp(1, 8)) {
        let mut whole = [0u8; 8];
        if let Some(to) = whole.get_mut(..value.len()) {
            to.copy_from_slice(value);
        }
        sum = sum.wrapping_add(u64::from_le_bytes(whole));
        let summed = sum.to_le_bytes();
        value.copy_from_slice(summed.get(..value.len()).unwrap_or_default());
    }
}
