//! Running counts of every unit's spikes at the edges of equal bins: the raster's pyramid.
//!
//! The table holds, for every bin edge and unit, how many spikes of the unit lie before the edge. A count over 2^k bins (any k,
//! any number of bins in fact) is then one subtraction, so no level is stored twice. Edges follow one another with the units side
//! by side: one column of pixels is two contiguous stretches of memory, whatever the zoom. The same numbers say where in a unit's
//! train a time lies, to within a few spikes.

use crate::recording::SpikeTrains;

/// Bytes of the pyramid per 8-byte spike: a quarter.
const BYTES_PER_SPIKE: usize = 2;
/// Fewer bins than this help nobody.
const LEAST_BINS: usize = 16;
/// More bins than this are never needed: a screen has a few thousand pixels.
const MOST_BINS: usize = 1 << 22;
/// Bin edges that are filled together, so that the part of the table being written stays in the cache.
const BLOCK: usize = 64;
/// Most threads that build.
const MOST_THREADS: usize = 8;

/// Counts per unit and 2^k bins, for every k.
#[derive(Debug)]
pub struct Pyramid {
    first_s: f64,
    bin_s: f64,
    bins: usize,
    units: usize,
    /// `[bins + 1][units]`: spikes of the unit before the edge.
    ranks: Vec<u32>,
    /// `[bins + 1]`: spikes of all units before the edge.
    totals: Vec<u64>,
}

impl Pyramid {
    /// Count all spikes, on several threads of its own (rayon's may be busy training). Takes about half a second per 100 million
    /// spikes: build it in the background. `None` for so few spikes that counting them needs no help, or none at all.
    pub fn build(spikes: &SpikeTrains) -> Option<Self> {
        let (n, units) = (spikes.n_spikes(), spikes.n_units());
        let (first, last) = spikes.time_range()?;
        let per_edge = 4 * units + 8;
        let bins = (BYTES_PER_SPIKE * n / per_edge).saturating_sub(1).min(MOST_BINS);
        let longest = (0..units).map(|u| spikes.unit(u).len()).max().unwrap_or(0);
        if bins < LEAST_BINS || last <= first || u32::try_from(longest).is_err() {
            return None;
        }
        // A little wider than the recording, so that the last edge lies behind the last spike.
        let bin_s = (last - first) * (1.0 + 1e-9) / bins as f64;
        let mut made = Self { first_s: first, bin_s, bins, units, ranks: vec![0; (bins + 1) * units], totals: vec![0; bins + 1] };
        if made.edge(bins) <= last {
            return None;
        }
        let (mut ranks, mut totals) = (std::mem::take(&mut made.ranks), std::mem::take(&mut made.totals));
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        let share = (bins + 1).div_ceil(threads).next_multiple_of(BLOCK);
        std::thread::scope(|scope| {
            for (k, (ranks, totals)) in ranks.chunks_mut(share * units).zip(totals.chunks_mut(share)).enumerate() {
                let made = &made;
                scope.spawn(move || made.fill(spikes, k * share, ranks, totals));
            }
        });
        (made.ranks, made.totals) = (ranks, totals);
        Some(made)
    }

    /// Fill the edges from `first_edge` on.
    fn fill(&self, spikes: &SpikeTrains, first_edge: usize, ranks: &mut [u32], totals: &mut [u64]) {
        let start = self.edge(first_edge);
        let mut before: Vec<usize> = (0..self.units).map(|u| spikes.unit(u).partition_point(|t| *t < start)).collect();
        let blocks = ranks.chunks_mut(BLOCK * self.units).zip(totals.chunks_mut(BLOCK));
        for (block, (ranks, totals)) in blocks.enumerate() {
            let edges: Vec<f64> = (0..totals.len()).map(|k| self.edge(first_edge + block * BLOCK + k)).collect();
            for (unit, before) in before.iter_mut().enumerate() {
                let mut rest = spikes.unit(unit).get(*before..).unwrap_or_default();
                let ranks = ranks.iter_mut().skip(unit).step_by(self.units);
                for (rank, edge) in ranks.zip(&edges) {
                    let passed = rest.iter().take_while(|t| *t < edge).count();
                    rest = rest.get(passed..).unwrap_or_default();
                    *before += passed;
                    *rank = *before as u32;
                }
            }
            for (total, ranks) in totals.iter_mut().zip(ranks.chunks_exact(self.units)) {
                *total = ranks.iter().map(|r| u64::from(*r)).sum();
            }
        }
    }

    /// Number of bins of level 0.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// Width of a bin of level 0 in seconds.
    pub fn bin_s(&self) -> f64 {
        self.bin_s
    }

    /// Time of an edge of level 0 in seconds: bin `b` holds `edge(b) <= t < edge(b + 1)`.
    pub fn edge(&self, bin: usize) -> f64 {
        self.first_s + bin as f64 * self.bin_s
    }

    /// Number of levels: bins of level k are 2^k bins of level 0 wide, the last level has one bin.
    pub fn levels(&self) -> usize {
        self.bins.next_power_of_two().trailing_zeros() as usize + 1
    }

    /// Spikes of `unit` in one bin of `level`; 0 outside.
    pub fn count(&self, level: usize, unit: usize, bin: usize) -> u32 {
        let width = 1usize.checked_shl(level as u32).unwrap_or(usize::MAX);
        let edge = |k: usize| k.saturating_mul(width).min(self.bins);
        let rank = |edge: usize| self.row(edge).get(unit).copied().unwrap_or(0);
        rank(edge(bin + 1)) - rank(edge(bin))
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        4 * self.ranks.len() + 8 * self.totals.len()
    }

    /// Spikes of every unit before an edge, `[units]`.
    pub(super) fn row(&self, edge: usize) -> &[u32] {
        let edge = edge.min(self.bins);
        self.ranks.get(edge * self.units..(edge + 1) * self.units).unwrap_or_default()
    }

    /// Spikes of all units before an edge.
    pub(super) fn total(&self, edge: usize) -> u64 {
        self.totals.get(edge.min(self.bins)).copied().unwrap_or(0)
    }

    /// The bin in which `time` lies, from -1 (before all) to the number of bins (behind all).
    pub(super) fn bin(&self, time: f64) -> f64 {
        ((time - self.first_s) / self.bin_s).floor().clamp(-1.0, self.bins as f64)
    }

    /// Two places in `unit`'s train between which lies the number of spikes before `time`.
    pub(super) fn bracket(&self, unit: usize, time: f64) -> (usize, usize) {
        // A bin of slack on both sides: the division above may round across an edge.
        let bin = self.bin(time);
        let rank = |edge: f64| self.row(edge.max(0.0) as usize).get(unit).map_or(0, |r| *r as usize);
        (rank(bin - 1.0), rank(bin + 2.0))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn brute(train: &[f64], start: f64, stop: f64) -> u32 {
        train.iter().filter(|t| **t >= start && **t < stop).count() as u32
    }

    proptest! {
        #[test]
        fn counts_of_every_unit_bin_and_level_are_those_of_the_spikes(
            units in prop::collection::vec(prop::collection::vec(0u32..50_000, 0..300), 1..6),
            origin in -1e6f64..1e6,
        ) {
            // Whole milliseconds: many spikes share a time, some lie on edges.
            let trains: Vec<Vec<f64>> = units
                .into_iter()
                .map(|mut unit| {
                    unit.sort_unstable();
                    unit.into_iter().map(|t| origin + f64::from(t) * 1e-3).collect()
                })
                .collect();
            let spikes = SpikeTrains::from_units(trains.clone());
            let Some(pyramid) = Pyramid::build(&spikes) else {
                // Only refused where there is next to nothing to count.
                prop_assert!(2 * spikes.n_spikes() < 17 * (4 * spikes.n_units() + 8) || spikes.time_range().is_none_or(|(a, b)| a == b));
                return Ok(());
            };
            prop_assert!(pyramid.bytes() <= 2 * spikes.n_spikes(), "{} bytes for {} spikes", pyramid.bytes(), spikes.n_spikes());
            for level in 0..pyramid.levels() {
                let n = pyramid.bins().div_ceil(1 << level);
                for (unit, train) in trains.iter().enumerate() {
                    for bin in 0..n {
                        let edge = |b: usize| pyramid.edge((b << level).min(pyramid.bins()));
                        prop_assert_eq!(pyramid.count(level, unit, bin), brute(train, edge(bin), edge(bin + 1)), "level {} bin {}", level, bin);
                    }
                    let all: u32 = (0..n).map(|b| pyramid.count(level, unit, b)).sum();
                    prop_assert_eq!(all as usize, train.len());
                }
            }
            for (unit, train) in trains.iter().enumerate() {
                for time in train.iter().copied().chain((0..=pyramid.bins()).map(|b| pyramid.edge(b))) {
                    let (low, high) = pyramid.bracket(unit, time);
                    let rank = train.partition_point(|t| *t < time);
                    prop_assert!(low <= rank && rank <= high);
                }
            }
        }
    }

    #[test]
    fn many_threads_and_blocks_give_what_one_walk_gives() {
        let trains: Vec<Vec<f64>> = (0..3).map(|u| (0..40_000).map(|k| f64::from(k) * 0.01 + f64::from(u) * 0.003).collect()).collect();
        let pyramid = Pyramid::build(&SpikeTrains::from_units(trains.clone())).unwrap();
        assert!(pyramid.bins() > 4 * BLOCK);
        for bin in 0..pyramid.bins() {
            for (unit, train) in trains.iter().enumerate() {
                assert_eq!(pyramid.row(bin)[unit] as usize, train.partition_point(|t| *t < pyramid.edge(bin)));
            }
            assert_eq!(pyramid.total(bin), pyramid.row(bin).iter().map(|r| u64::from(*r)).sum::<u64>());
        }
    }

    #[test]
    fn few_spikes_and_no_time_need_no_pyramid() {
        assert!(Pyramid::build(&SpikeTrains::default()).is_none());
        assert!(Pyramid::build(&SpikeTrains::from_units([vec![1.0; 10_000]])).is_none());
        assert!(Pyramid::build(&SpikeTrains::from_units([vec![1.0, 2.0]])).is_none());
    }
}
