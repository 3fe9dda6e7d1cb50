//! All spikes of a recording in order of time, packed as the GPU wants them: (tick, unit), two u32 in 8 bytes.
//!
//! Ticks are whole microseconds from the first spike. They are cut into chunks, each with its own origin, so that a tick fits a
//! u32 however long the recording is and no GPU buffer nears a limit. Because spikes are in order of time, every pixel column
//! of a raster is one stretch of this list: counting is a walk along it, and a window is found by binary search.

use std::ops::Range;

use rayon::slice::ParallelSliceMut;

use crate::recording::SpikeTrains;

/// Most spikes in one chunk: 8 MiB, far below the 256 MiB a wgpu buffer may have.
const CHUNK_SPIKES: usize = 1 << 20;
/// Width of one tick in seconds, unless the recording is longer than six days.
const TICK_S: f64 = 1e-6;
/// Bits of a sort key that hold the unit; the other 40 hold the tick.
const UNIT_BITS: u32 = 24;
/// From here on several cores sort.
const SORT_IN_PARALLEL: usize = 1_000_000;

/// Consecutive spikes on one tick origin.
#[derive(Debug)]
pub struct Chunk {
    /// Tick of the first spike, from the origin of the index.
    pub first_tick: u64,
    /// Tick of the last spike.
    pub last_tick: u64,
    /// Spikes before this chunk.
    pub start: usize,
    /// Per spike the tick from `first_tick` and the unit, as native u32: what the GPU gets.
    pub bytes: Vec<u8>,
}

/// One spike of a chunk as stored.
pub(super) type Packed = [u8; 8];

/// Tick (from the chunk's first) and unit of a packed spike.
pub(super) fn unpack(spike: &Packed) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = *spike;
    (u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h]))
}

impl Chunk {
    /// Number of spikes.
    pub fn len(&self) -> usize {
        self.bytes.len() / 8
    }

    /// True without spikes (does not happen in an index).
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The spikes as stored.
    pub(super) fn spikes(&self) -> &[Packed] {
        self.bytes.as_chunks::<8>().0
    }

    /// Number of spikes of this chunk before `tick` (from the origin of the index).
    pub fn position(&self, tick: u64) -> usize {
        let Some(relative) = tick.checked_sub(self.first_tick) else { return 0 };
        self.spikes().partition_point(|spike| u64::from(unpack(spike).0) < relative)
    }
}

/// Every spike of a recording in order of time. Built once per recording, shared behind an `Arc`.
#[derive(Debug, Default)]
pub struct SpikeIndex {
    origin_s: f64,
    tick_s: f64,
    chunks: Vec<Chunk>,
    n_spikes: usize,
    n_units: usize,
}

impl SpikeIndex {
    /// Sort all spikes by time. Takes about a second per 20 million spikes and core: build it in the background.
    pub fn build(spikes: &SpikeTrains) -> Self {
        let n_units = spikes.n_units();
        let Some((first, last)) = spikes.time_range() else { return Self { tick_s: TICK_S, n_units, ..Self::default() } };
        let tick_s = TICK_S.max((last - first) / (1u64 << 39) as f64);
        let mut keys: Vec<u64> = Vec::with_capacity(spikes.n_spikes());
        for unit in 0..n_units {
            keys.extend(spikes.unit(unit).iter().map(|t| ((((t - first) / tick_s).round() as u64) << UNIT_BITS) | unit as u64));
        }
        if keys.len() > SORT_IN_PARALLEL {
            keys.par_sort_unstable()
        } else {
            keys.sort_unstable()
        }
        Self { origin_s: first, tick_s, chunks: pack(&keys), n_spikes: keys.len(), n_units }
    }

    /// Number of spikes.
    pub fn n_spikes(&self) -> usize {
        self.n_spikes
    }

    /// Number of units of the recording.
    pub fn n_units(&self) -> usize {
        self.n_units
    }

    /// Chunks in order of time.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Seconds as (fractional) ticks from the origin.
    pub fn ticks(&self, seconds: f64) -> f64 {
        (seconds - self.origin_s) / self.tick_s
    }

    /// Seconds of a tick.
    pub fn seconds(&self, tick: u64) -> f64 {
        self.origin_s + tick as f64 * self.tick_s
    }

    /// Width of one tick in seconds: times are drawn and counted to this precision.
    pub fn tick_s(&self) -> f64 {
        self.tick_s
    }

    /// Number of spikes before `tick`.
    fn before(&self, tick: u64) -> usize {
        let chunk = self.chunks.partition_point(|c| c.last_tick < tick);
        self.chunks.get(chunk).map_or(self.n_spikes, |c| c.start + c.position(tick))
    }

    /// Number of spikes in `start <= t < stop`, seconds.
    pub fn count_between(&self, start: f64, stop: f64) -> usize {
        self.before(first_tick(self.ticks(stop))).saturating_sub(self.before(first_tick(self.ticks(start))))
    }

    /// Spikes of all units together in `n` bins of `bin_s` seconds from `start`.
    pub fn histogram(&self, start: f64, bin_s: f64, n: usize) -> Vec<u32> {
        let edge = |k: usize| self.before(first_tick(self.ticks(start + k as f64 * bin_s)));
        let mut low = edge(0);
        (1..=n)
            .map(|k| {
                let high = edge(k);
                let count = high.saturating_sub(low);
                low = high;
                count as u32
            })
            .collect()
    }

    /// Chunks that hold spikes in `start <= t < stop`, each with the range of those spikes.
    pub fn visible(&self, start: f64, stop: f64) -> impl Iterator<Item = (usize, Range<usize>)> {
        let (begin, end) = (first_tick(self.ticks(start)), first_tick(self.ticks(stop)));
        let first = self.chunks.partition_point(|c| c.last_tick < begin);
        self.chunks
            .iter()
            .enumerate()
            .skip(first)
            .take_while(move |(_, c)| c.first_tick < end)
            .map(move |(k, c)| (k, c.position(begin)..c.position(end)))
    }
}

/// The first whole tick at or after a fractional one.
pub(super) fn first_tick(ticks: f64) -> u64 {
    ticks.ceil().max(0.0) as u64
}

fn pack(keys: &[u64]) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut start = 0;
    while let Some(first) = keys.get(start) {
        let first_tick = first >> UNIT_BITS;
        let room = &keys[start..keys.len().min(start + CHUNK_SPIKES)];
        let n = room.partition_point(|key| (key >> UNIT_BITS) - first_tick <= u64::from(u32::MAX));
        let mut bytes = Vec::with_capacity(8 * n);
        for key in &room[..n] {
            bytes.extend_from_slice(&(((key >> UNIT_BITS) - first_tick) as u32).to_ne_bytes());
            bytes.extend_from_slice(&((key & ((1 << UNIT_BITS) - 1)) as u32).to_ne_bytes());
        }
        let last_tick = room[..n].last().map_or(first_tick, |key| key >> UNIT_BITS);
        chunks.push(Chunk { first_tick, last_tick, start, bytes });
        start += n;
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trains() -> SpikeTrains {
        SpikeTrains::from_units([vec![0.5, 1.0, 1.0, 9000.25], vec![], vec![0.75, 20_000.0]])
    }

    #[test]
    fn spikes_are_in_order_and_long_gaps_begin_a_new_chunk() {
        let index = SpikeIndex::build(&trains());
        assert_eq!((index.n_spikes(), index.n_units()), (6, 3));
        // 9000 s and 20 000 s are further apart than a u32 of microseconds (4295 s).
        assert_eq!(index.chunks().iter().map(Chunk::len).collect::<Vec<_>>(), [4, 1, 1]);
        let mut all = Vec::new();
        for chunk in index.chunks() {
            assert_eq!(chunk.start, all.len());
            all.extend(chunk.spikes().iter().map(|s| (index.seconds(chunk.first_tick + u64::from(unpack(s).0)), unpack(s).1)));
        }
        let expected = [(0.5, 0), (0.75, 2), (1.0, 0), (1.0, 0), (9000.25, 0), (20_000.0, 2)];
        for ((time, unit), (t, u)) in all.iter().zip(expected) {
            assert!((time - t).abs() < 1e-6 && *unit == u, "{time} {unit}");
        }
    }

    #[test]
    fn windows_hold_exactly_their_spikes() {
        let index = SpikeIndex::build(&trains());
        assert_eq!(index.count_between(0.0, 1e9), 6);
        assert_eq!(index.count_between(0.5, 1.0), 2);
        assert_eq!(index.count_between(1.0, 1.1), 2);
        assert_eq!(index.count_between(9000.25, 20_000.0), 1);
        assert_eq!(index.count_between(30_000.0, 40_000.0), 0);
        assert_eq!(index.count_between(5.0, 1.0), 0);
        assert_eq!(index.histogram(0.5, 0.25, 3), [1, 1, 2]);
        assert_eq!(index.visible(0.6, 9001.0).collect::<Vec<_>>(), [(0, 1..4), (1, 0..1)]);
        assert_eq!(index.visible(-10.0, 0.1).count(), 0);
    }

    #[test]
    fn recordings_in_unix_time_and_of_a_year_work() {
        let year = 3.2e7;
        let index = SpikeIndex::build(&SpikeTrains::from_units([vec![1.7e9, 1.7e9 + year]]));
        assert_eq!(index.count_between(1.7e9 - 1.0, 1.7e9 + year + 1.0), 2);
        assert!(index.tick_s() < 1e-4);
        assert_eq!(SpikeIndex::build(&SpikeTrains::default()).count_between(-1.0, 1.0), 0);
    }
}
