//! Exact spike counts per pixel column and row: what the raster shows when zoomed out, and what its tooltips read.
//!
//! Spikes are in order of time, so one walk along the visible ones fills the grid column by column, about a nanosecond a spike.
//! Many spikes are shared among a few scoped threads (their own, not rayon's: those may be busy training).

use std::ops::Range;

use super::index::{SpikeIndex, first_tick, unpack};

/// From this many visible spikes on, several threads count.
const COUNT_IN_PARALLEL: usize = 400_000;
/// Most threads that count.
const MOST_THREADS: usize = 8;

/// Counts of the visible spikes per pixel column and slot (a slot is a row, or the rows that share one pixel line).
#[derive(Debug, Clone, PartialEq)]
pub struct DensityGrid {
    /// Window in seconds; column c covers `start + c * width / columns` up to the next.
    pub window: (f64, f64),
    /// Pixel columns.
    pub columns: usize,
    /// Slots, from the top.
    pub slots: usize,
    /// Column after column: `slots` counts from the top and, last, the count of all spikes in no slot.
    pub counts: Vec<u32>,
    /// Largest count in any column and slot.
    pub max: u32,
    /// Spikes in all slots.
    pub total: u64,
}

impl DensityGrid {
    /// Count the spikes of `window` (seconds). `slot_of_unit` gives each unit's slot; `slots` or more means not shown.
    pub fn count(index: &SpikeIndex, window: (f64, f64), columns: usize, slot_of_unit: &[u32], slots: usize) -> Self {
        let (columns, stride) = (columns.max(1), slots + 1);
        let edges = Edges { start: index.ticks(window.0), width: (index.ticks(window.1) - index.ticks(window.0)) / columns as f64 };
        let mut counts = vec![0u32; columns * stride];
        let threads = match index.count_between(window.0, window.1) {
            n if n < COUNT_IN_PARALLEL => 1,
            _ => std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS),
        };
        let share = columns.div_ceil(threads);
        let blocks = counts.chunks_mut(share * stride).enumerate();
        let block = |k: usize| k * share..((k + 1) * share).min(columns);
        if threads == 1 {
            blocks.for_each(|(k, part)| count_columns(index, &edges, block(k), slot_of_unit, slots, part));
        } else {
            std::thread::scope(|scope| {
                for (k, part) in blocks {
                    let (edges, columns) = (&edges, block(k));
                    scope.spawn(move || count_columns(index, edges, columns, slot_of_unit, slots, part));
                }
            });
        }
        let (mut max, mut total) = (0, 0);
        for column in counts.chunks_exact(stride) {
            for &count in &column[..slots] {
                max = max.max(count);
                total += u64::from(count);
            }
        }
        Self { window, columns, slots, counts, max, total }
    }

    /// Spikes in one column and slot, 0 outside the grid.
    pub fn at(&self, column: usize, slot: usize) -> u32 {
        if column >= self.columns || slot >= self.slots {
            0
        } else {
            self.counts.get(column * (self.slots + 1) + slot).copied().unwrap_or(0)
        }
    }

    /// Width of one column in seconds.
    pub fn column_s(&self) -> f64 {
        (self.window.1 - self.window.0) / self.columns as f64
    }
}

/// Where pixel columns begin, in ticks.
struct Edges {
    start: f64,
    width: f64,
}

impl Edges {
    fn first_tick(&self, column: usize) -> u64 {
        first_tick(self.start + column as f64 * self.width)
    }
}

fn count_columns(index: &SpikeIndex, edges: &Edges, columns: Range<usize>, slot_of_unit: &[u32], slots: usize, counts: &mut [u32]) {
    let (begin, end) = (edges.first_tick(columns.start), edges.first_tick(columns.end));
    let mut column = columns.start;
    let mut next = edges.first_tick(column + 1);
    for chunk in index.chunks().iter().filter(|c| c.last_tick >= begin && c.first_tick < end) {
        for spike in &chunk.spikes()[chunk.position(begin)..chunk.position(end)] {
            let (tick, unit) = unpack(spike);
            while chunk.first_tick + u64::from(tick) >= next {
                column += 1;
                next = edges.first_tick(column + 1);
            }
            let slot = slot_of_unit.get(unit as usize).map_or(slots, |&s| (s as usize).min(slots));
            if let Some(count) = counts.get_mut((column - columns.start) * (slots + 1) + slot) {
                *count += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::recording::SpikeTrains;

    /// Ascending times on whole microseconds, so that a tick is exact.
    fn train(random: &mut impl Rng, n: usize, duration: f64) -> Vec<f64> {
        let mut times: Vec<f64> = (0..n).map(|_| random.random_range(0..(duration * 1e6) as u64) as f64 * 1e-6).collect();
        times.sort_by(f64::total_cmp);
        times
    }

    fn check(trains: &SpikeTrains, window: (f64, f64), columns: usize, slot_of_unit: &[u32], slots: usize) {
        let grid = DensityGrid::count(&SpikeIndex::build(trains), window, columns, slot_of_unit, slots);
        let mut expected = vec![0u32; columns * slots];
        for (unit, &slot) in slot_of_unit.iter().enumerate().filter(|(_, s)| (**s as usize) < slots) {
            for time in trains.unit_between(unit, window.0, window.1) {
                let column = ((time - window.0) / (window.1 - window.0) * columns as f64) as usize;
                expected[column * slots + slot as usize] += 1;
            }
        }
        let found: Vec<u32> = (0..columns).flat_map(|c| (0..slots).map(move |s| (c, s))).map(|(c, s)| grid.at(c, s)).collect();
        // A spike within a tick of a pixel border may go to the neighbour; all others must agree, and sums are exact.
        let moved: u32 = found.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).sum();
        assert!(moved <= 4, "{moved} differ");
        assert_eq!(grid.total, expected.iter().map(|&c| u64::from(c)).sum::<u64>());
        assert_eq!(grid.max, found.iter().copied().max().unwrap_or(0));
        for slot in 0..slots {
            let in_slot: u32 = (0..columns).map(|c| grid.at(c, slot)).sum();
            let truth: usize = slot_of_unit
                .iter()
                .enumerate()
                .filter(|(_, s)| **s as usize == slot)
                .map(|(u, _)| trains.unit_between(u, window.0, window.1).len())
                .sum();
            assert_eq!(in_slot as usize, truth, "slot {slot}");
        }
    }

    #[test]
    fn counts_per_pixel_are_exact() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let trains = SpikeTrains::from_units((0..7).map(|u| train(&mut random, 300 * u, 50.0)));
        let slots = [0, 1, 2, 3, 4, 5, 6];
        check(&trains, (0.0, 50.0), 97, &slots, 7);
        check(&trains, (12.34, 13.0), 500, &slots, 7);
        check(&trains, (-10.0, 100.0), 64, &slots, 7);
        // Rows sharing a pixel line, hidden units.
        check(&trains, (3.0, 40.0), 33, &[0, 0, 1, 1, 2, 9, 2], 3);
        check(&trains, (60.0, 70.0), 10, &slots, 7);
    }

    #[test]
    fn many_spikes_are_counted_by_several_threads_with_the_same_result() {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let trains = SpikeTrains::from_units((0..20).map(|_| train(&mut random, 30_000, 600.0)));
        assert!(trains.n_spikes() > COUNT_IN_PARALLEL);
        check(&trains, (0.0, 600.0), 640, &(0..20).collect::<Vec<_>>(), 20);
    }

    #[test]
    fn a_window_without_width_or_spikes_counts_nothing() {
        let index = SpikeIndex::build(&SpikeTrains::from_units([vec![1.0]]));
        assert_eq!(DensityGrid::count(&index, (2.0, 2.0), 10, &[0], 1).total, 0);
        let empty = DensityGrid::count(&SpikeIndex::build(&SpikeTrains::default()), (0.0, 1.0), 0, &[], 0);
        assert_eq!((empty.total, empty.max, empty.at(0, 0)), (0, 0, 0));
    }
}
