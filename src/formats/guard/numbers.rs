//! Long lists of numbers, read in windows: straight from the file where the values lie there as they are or in chunks of gzip, on
//! all processors at once; through hdf5-pure everywhere else. Nothing is copied that need not be.

use std::io::Read;
use std::sync::Arc;

use flate2::bufread::ZlibDecoder;
use hdf5_pure::{Chunk, Dataset, Datatype, DatatypeByteOrder, Layout};
use rayon::prelude::*;

use super::source::BoundedSource;
use super::{Checked, Hdf5};
use crate::formats::FormatError;

/// Values between two reports of progress (32 MiB of f64).
const WINDOW: usize = 1 << 22;
/// Values that one thread reads at a time.
const PIECE: usize = 1 << 15;
const SHUFFLE: u16 = 2;
const DEFLATE: u16 = 1;

/// Where the values are.
enum Place {
    /// One after the other from this byte on.
    Plain(u64),
    /// In chunks of this many values that lie where a list says, gzip, perhaps shuffled.
    Chunks { len: usize, chunks: Vec<Chunk>, shuffled: bool },
    /// Elsewhere: hdf5-pure knows.
    Library { chunk_rows: u64 },
}

/// A numeric dataset that is read piece by piece, row after row.
pub(in crate::formats) struct Numbers<'h, 'a> {
    h5: &'h Hdf5<'a>,
    dataset: &'h Dataset,
    object: &'h str,
    shape: Checked,
    source: Arc<BoundedSource>,
    place: Place,
}

impl<'h, 'a> Numbers<'h, 'a> {
    pub(super) fn new(h5: &'h Hdf5<'a>, object: &'h str, dataset: &'h Dataset, shape: Checked) -> Self {
        let place = place(h5, dataset, &shape).unwrap_or(Place::Library { chunk_rows: shape.chunk_rows });
        Self { h5, dataset, object, shape, source: Arc::clone(&h5.source), place }
    }

    /// Bytes that all values take in memory.
    pub(in crate::formats) fn bytes(&self) -> u64 {
        (self.len() as u64).saturating_mul(8)
    }

    /// How many values there are.
    pub(in crate::formats) fn len(&self) -> usize {
        usize::try_from(self.shape.rows.saturating_mul(self.shape.per_row)).unwrap_or(usize::MAX)
    }

    /// Values of a window: whole chunks, so that none is decoded twice, and whole rows.
    fn window(&self) -> usize {
        let per_row = usize::try_from(self.shape.per_row.max(1)).unwrap_or(usize::MAX);
        match &self.place {
            Place::Plain(_) => WINDOW,
            Place::Chunks { len, .. } => WINDOW.next_multiple_of((*len).max(1)),
            Place::Library { chunk_rows } => {
                let chunk = usize::try_from((*chunk_rows).max(1)).unwrap_or(usize::MAX);
                (WINDOW / per_row).max(1).checked_next_multiple_of(chunk).unwrap_or(chunk).saturating_mul(per_row)
            }
        }
    }

    /// All values, with progress from `span.0` to `span.1`. `seen` is handed every value once, in order, while further ones are
    /// read.
    pub(in crate::formats) fn all(
        &self,
        span: (f32, f32),
        what: &str,
        seen: &mut (dyn FnMut(&[f64]) + Send),
    ) -> Result<Vec<f64>, FormatError> {
        self.h5.progress.at(span.0, what)?;
        let total = self.len();
        // Room is asked for first, because the line below would end the program where there is none.
        if Vec::<f64>::new().try_reserve_exact(total).is_err() {
            return Err(self.h5.too_big(self.object, Some(total as u64 * 8), "there is not enough memory"));
        }
        let mut values = vec![0.0; total];
        let (window, mut done, mut told) = (self.window(), 0, 0);
        while done < total {
            let n = window.min(total - done);
            let (before, after) = values.split_at_mut(done);
            let (new, target) = (before.get(told..).unwrap_or_default(), after.get_mut(..n).unwrap_or_default());
            let (place, source) = (&self.place, &*self.source);
            let ((), read) = rayon::join(|| seen(new), || place.fill(source, done, target));
            self.or_by_library(read, done, target)?;
            told = done;
            done += n;
            self.h5.progress.at(span.0 + (span.1 - span.0) * (done as f32 / total as f32), what)?;
        }
        seen(values.get(told..).unwrap_or_default());
        Ok(values)
    }

    /// Hand over all values in pieces, with the place of the first, without ever holding all of them.
    pub(in crate::formats) fn pieces(
        &self,
        span: (f32, f32),
        what: &str,
        mut take: impl FnMut(usize, &[f64]) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        self.h5.progress.at(span.0, what)?;
        let (total, window) = (self.len(), self.window());
        let mut piece = vec![0.0; window.min(total)];
        let mut done = 0;
        while done < total {
            let n = window.min(total - done);
            let target = piece.get_mut(..n).unwrap_or_default();
            self.fill(done, target)?;
            take(done, target)?;
            done += n;
            self.h5.progress.at(span.0 + (span.1 - span.0) * (done as f32 / total as f32), what)?;
        }
        Ok(())
    }

    /// One value.
    pub(in crate::formats) fn one(&self, at: usize) -> Result<f64, FormatError> {
        let mut value = [0.0];
        match &self.place {
            Place::Plain(_) => self.fill(at, &mut value)?,
            _ => {
                let rows = self.dataset.read_f64_rows(at as u64, 1).map_err(|e| self.h5.failed(self.object, &e))?;
                value[0] = rows.first().copied().unwrap_or(f64::NAN);
            }
        }
        Ok(value[0])
    }

    /// Values from `from` on; begins and ends where [`Self::window`] does.
    fn fill(&self, from: usize, target: &mut [f64]) -> Result<(), FormatError> {
        let read = self.place.fill(&self.source, from, target);
        self.or_by_library(read, from, target)
    }

    /// What cannot be read in our own way is read by the library, or refused in its words.
    fn or_by_library(&self, read: Option<()>, from: usize, target: &mut [f64]) -> Result<(), FormatError> {
        read.map_or_else(|| self.by_library(from, target), Ok)
    }

    fn by_library(&self, from: usize, target: &mut [f64]) -> Result<(), FormatError> {
        let per_row = usize::try_from(self.shape.per_row.max(1)).unwrap_or(usize::MAX);
        let (row, rows) = (from / per_row, target.len().div_ceil(per_row));
        let whole = row == 0 && rows as u64 == self.shape.rows;
        let read = if whole { self.dataset.read_f64() } else { self.dataset.read_f64_rows(row as u64, rows as u64) };
        let values = read.map_err(|e| self.h5.failed(self.object, &e))?;
        if values.len() != target.len() {
            let problem = format!("{} values were read where {} were expected", values.len(), target.len());
            return Err(FormatError::corrupt(self.h5.path, self.object, problem));
        }
        target.copy_from_slice(&values);
        Ok(())
    }
}

impl Place {
    fn fill(&self, source: &BoundedSource, from: usize, target: &mut [f64]) -> Option<()> {
        match self {
            Self::Plain(address) => {
                let piece = |(k, piece): (usize, &mut [f64])| plain(source, address + 8 * (from + k * PIECE) as u64, piece);
                target.par_chunks_mut(PIECE).enumerate().try_for_each(piece)
            }
            Self::Chunks { len, chunks, shuffled } => {
                let pieces = target.par_chunks_mut(*len).zip(chunks.get(from / len..).unwrap_or_default());
                pieces.try_for_each(|(piece, chunk)| inflated(source, chunk, *len, *shuffled, piece))
            }
            Self::Library { .. } => None,
        }
    }
}

/// Where the values can be had without the library.
fn place(h5: &Hdf5, dataset: &Dataset, shape: &Checked) -> Option<Place> {
    let double = matches!(dataset.datatype().ok()?, Datatype::FloatingPoint { size: 8, byte_order: DatatypeByteOrder::LittleEndian, .. });
    if !double || !h5.source.starts_at_zero() || shape.rank != 1 {
        return None;
    }
    let total = usize::try_from(shape.rows).ok()?;
    match dataset.layout().ok()? {
        Layout::Contiguous { address: Some(address), .. } if dataset.filters().is_empty() => Some(Place::Plain(address)),
        Layout::Chunked { chunk_shape, .. } => {
            let shuffled = match dataset.filters().as_slice() {
                [DEFLATE] => false,
                [SHUFFLE, DEFLATE] => true,
                _ => return None,
            };
            let len = usize::try_from(*chunk_shape.first()?).ok().filter(|&n| n > 0)?;
            let mut chunks = dataset.chunks().ok()?;
            chunks.sort_by_key(|c| c.offset.first().copied());
            let here = |(k, c): (usize, &Chunk)| c.offset.first() == Some(&((k * len) as u64)) && c.filter_mask == 0;
            let complete = chunks.len() == total.div_ceil(len) && chunks.iter().enumerate().all(here);
            complete.then_some(Place::Chunks { len, chunks, shuffled })
        }
        _ => None,
    }
}

/// Values that lie in the file as they are.
fn plain(source: &BoundedSource, address: u64, target: &mut [f64]) -> Option<()> {
    let mut bytes = vec![0; target.len() * 8];
    source.spend(bytes.len() as u64).ok()?;
    source.fill(address, &mut bytes).ok()?;
    for (value, bytes) in target.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *value = f64::from_le_bytes(*bytes);
    }
    Some(())
}

/// The first values of a chunk of `len`.
fn inflated(source: &BoundedSource, chunk: &Chunk, len: usize, shuffled: bool, target: &mut [f64]) -> Option<()> {
    source.spend(chunk.storage_size).ok()?;
    let mut stored = vec![0; usize::try_from(chunk.storage_size).ok()?];
    source.fill(chunk.address, &mut stored).ok()?;
    let mut bytes = vec![0; len.checked_mul(8)?];
    ZlibDecoder::new(stored.as_slice()).read_exact(&mut bytes).ok()?;
    if !shuffled {
        for (value, bytes) in target.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *value = f64::from_le_bytes(*bytes);
        }
        return Some(());
    }
    // All first bytes, then all second bytes, …
    let planes: Vec<&[u8]> = bytes.chunks_exact(len).collect();
    let planes: &[&[u8]; 8] = planes.as_slice().try_into().ok()?;
    for (k, value) in target.iter_mut().enumerate() {
        *value = f64::from_le_bytes(planes.map(|plane| plane.get(k).copied().unwrap_or(0)));
    }
    Some(())
}
