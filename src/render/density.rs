//! Spike counts per column of time and row: what the raster shows when many spikes share a pixel.
//!
//! Three ways, all exact for the columns they state. Zoomed out, a column is a whole number of the pyramid's bins (at least three,
//! so it is at most half a pixel wider than a pixel) and a count is a subtraction. Zoomed in, spikes are so few per pixel that
//! walking along them costs about as much. And before the pyramid of very many spikes is there, wide columns are counted by
//! binary search. No way costs more when the recording is longer.

use super::{Pyramid, RowSlots, SpikeField};

/// A column is at least this many bins of the pyramid; below, spikes are walked.
const LEAST_BINS: f64 = 3.0;
/// Without a pyramid at most this many spikes are walked in a frame.
const MOST_WALKED: u64 = 2_000_000;
/// Searches in a frame while there is no pyramid and too many spikes to walk.
const MOST_SEARCHES: usize = 200_000;
/// From this many cells (or walked spikes) on, several threads count.
const COUNT_IN_PARALLEL: u64 = 400_000;
/// Most threads that count.
const MOST_THREADS: usize = 8;

/// Counts per column and slot (a slot is a row, or the rows that share one pixel line, or a collapsed group of rows).
#[derive(Debug, Clone, PartialEq)]
pub struct DensityGrid {
    /// Left edge of column 0 in seconds; at or before the window.
    pub start: f64,
    /// Width of a column in seconds; column c covers `start + c * column_s <= t < start + (c + 1) * column_s`.
    pub column_s: f64,
    /// Number of columns.
    pub columns: usize,
    /// Number of slots, from the top; collapsed groups last.
    pub slots: usize,
    /// Counts, see [`Self::at`].
    pub counts: Vec<u32>,
    /// True: column after column (as the pyramid lies); false: slot after slot (as trains lie).
    pub by_column: bool,
    /// Spikes of all units per column, whether in a slot or not.
    pub all: Vec<u32>,
    /// Largest count among the drawn slots.
    pub max: u32,
    /// Spikes in the drawn slots.
    pub total: u64,
    /// True while wide columns stand in for the pyramid that is being built.
    pub coarse: bool,
}

impl DensityGrid {
    /// Count the spikes of `window` (seconds) on `width_px` pixels.
    pub fn count(field: &SpikeField, window: (f64, f64), width_px: usize, slots: &RowSlots) -> Self {
        let mut grid = match Plan::of(field, window, width_px.max(1)) {
            Plan::Bins { first, per_column, columns, start, column_s } => match field.pyramid() {
                Some(pyramid) => by_subtraction(pyramid, Self::empty(start, column_s, columns, slots, true), first, per_column, slots),
                None => Self::empty(start, column_s, columns, slots, true),
            },
            Plan::Walk { columns } => walked(field, Self::over(window, columns, slots), slots),
            Plan::Search { columns } => Self { coarse: columns < width_px, ..searched(field, Self::over(window, columns, slots), slots) },
        };
        let drawn = slots.slots;
        let (mut max, mut total) = (0, 0u64);
        let mut take = |cells: &[u32]| {
            for &count in cells {
                max = max.max(count);
                total += u64::from(count);
            }
        };
        if grid.by_column {
            grid.counts.chunks_exact(grid.slots.max(1)).for_each(|column| take(column.get(..drawn).unwrap_or_default()));
        } else {
            take(grid.counts.get(..drawn * grid.columns).unwrap_or_default());
        }
        (grid.max, grid.total) = (max, total);
        grid
    }

    fn empty(start: f64, column_s: f64, columns: usize, slots: &RowSlots, by_column: bool) -> Self {
        let all = slots.slots + slots.collapsed;
        let counts = vec![0; columns * all];
        Self { start, column_s, columns, slots: all, counts, by_column, all: vec![0; columns], max: 0, total: 0, coarse: false }
    }

    fn over(window: (f64, f64), columns: usize, slots: &RowSlots) -> Self {
        Self::empty(window.0, (window.1 - window.0) / columns as f64, columns, slots, false)
    }

    /// Spikes in one column and slot, 0 outside the grid.
    pub fn at(&self, column: usize, slot: usize) -> u32 {
        if column >= self.columns || slot >= self.slots {
            return 0;
        }
        let place = if self.by_column { column * self.slots + slot } else { slot * self.columns + column };
        self.counts.get(place).copied().unwrap_or(0)
    }

    /// The column in which `time` lies.
    pub fn column(&self, time: f64) -> Option<usize> {
        let column = (time - self.start) / self.column_s;
        (column >= 0.0 && column < self.columns as f64).then_some(column as usize)
    }

    /// Left edge of a column in seconds.
    pub fn edge(&self, column: usize) -> f64 {
        self.start + column as f64 * self.column_s
    }

    /// Counts as shares of the largest one, for the picture: 0 is no spike, 255 the largest count, steps by square root (equal
    /// steps in colour are equal steps in Poisson noise). In the order of `counts`.
    pub fn shares(&self) -> Vec<u8> {
        let share = |count: u32| {
            let share = (f64::from(count) / f64::from(self.max.max(1))).min(1.0).sqrt();
            if count == 0 { 0 } else { (255.0 * share).round().max(1.0) as u8 }
        };
        // Nearly all counts are small: look them up.
        let known: Vec<u8> = (0..1024).map(share).collect();
        self.counts.iter().map(|&count| known.get(count as usize).copied().unwrap_or_else(|| share(count))).collect()
    }
}

enum Plan {
    Bins { first: i64, per_column: i64, columns: usize, start: f64, column_s: f64 },
    Walk { columns: usize },
    Search { columns: usize },
}

impl Plan {
    fn of(field: &SpikeField, window: (f64, f64), width_px: usize) -> Self {
        let px_s = (window.1 - window.0) / width_px as f64;
        if let Some(pyramid) = field.pyramid() {
            let per_column = (px_s / pyramid.bin_s()).ceil();
            if per_column >= LEAST_BINS {
                let column_s = per_column * pyramid.bin_s();
                // Columns lie at whole multiples of their width, so that panning does not change what they hold.
                let first = ((window.0 - pyramid.edge(0)) / column_s).floor();
                let start = pyramid.edge(0) + first * column_s;
                let columns = ((window.1 - start) / column_s).ceil().clamp(1.0, width_px as f64 + 2.0) as usize;
                return Self::Bins { first: first as i64, per_column: per_column as i64, columns, start, column_s };
            }
            return Self::Walk { columns: width_px };
        }
        let units = field.spikes().n_units();
        let all = field.spikes().n_spikes() as u64;
        if all <= MOST_WALKED || field.count(0..units, window.0, window.1) <= MOST_WALKED {
            Self::Walk { columns: width_px }
        } else {
            Self::Search { columns: (MOST_SEARCHES / units.max(1)).clamp(8.min(width_px), width_px) }
        }
    }
}

fn threads(work: u64) -> usize {
    if work < COUNT_IN_PARALLEL { 1 } else { std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS) }
}

fn by_subtraction(pyramid: &Pyramid, mut grid: DensityGrid, first: i64, per_column: i64, slots: &RowSlots) -> DensityGrid {
    let edge = |column: usize| ((first + column as i64) * per_column).clamp(0, pyramid.bins() as i64) as usize;
    let stride = grid.slots.max(1);
    let share = grid.columns.div_ceil(threads(grid.counts.len() as u64)).max(1);
    let count = |k: usize, part: &mut [u32]| {
        for (c, cells) in part.chunks_exact_mut(stride).enumerate() {
            let (low, high) = (pyramid.row(edge(k * share + c)), pyramid.row(edge(k * share + c + 1)));
            for &(slot, unit) in &slots.members {
                if let (Some(cell), Some(high), Some(low)) = (cells.get_mut(slot as usize), high.get(unit as usize), low.get(unit as usize))
                {
                    *cell += high - low;
                }
            }
        }
    };
    let parts = grid.counts.chunks_mut(share * stride).enumerate();
    if share == grid.columns {
        parts.for_each(|(k, part)| count(k, part));
    } else {
        let count = &count;
        std::thread::scope(|scope| parts.for_each(|(k, part)| drop(scope.spawn(move || count(k, part)))));
    }
    for (column, all) in grid.all.iter_mut().enumerate() {
        *all = u32::try_from(pyramid.total(edge(column + 1)) - pyramid.total(edge(column))).unwrap_or(u32::MAX);
    }
    grid
}

/// Count by walking along every train in the window.
fn walked(field: &SpikeField, grid: DensityGrid, slots: &RowSlots) -> DensityGrid {
    let (start, stop, per_s) = (grid.start, grid.edge(grid.columns), 1.0 / grid.column_s);
    let columns = grid.columns;
    per_unit(
        field,
        grid,
        slots,
        move |train, places, cells| {
            for time in train.get(places).unwrap_or_default() {
                let column = (((time - start) * per_s) as usize).min(columns - 1);
                if let Some(cell) = cells.get_mut(column) {
                    *cell += 1;
                }
            }
        },
        (start, stop),
    )
}

/// Count by binary search for the edges of columns.
fn searched(field: &SpikeField, grid: DensityGrid, slots: &RowSlots) -> DensityGrid {
    let (start, column_s, stop) = (grid.start, grid.column_s, grid.edge(grid.columns));
    per_unit(
        field,
        grid,
        slots,
        move |train, places, cells| {
            let mut rest = train.get(places).unwrap_or_default();
            for (column, cell) in cells.iter_mut().enumerate() {
                let edge = start + (column + 1) as f64 * column_s;
                let inside = before(rest, edge);
                *cell += inside as u32;
                rest = rest.get(inside..).unwrap_or_default();
            }
        },
        (start, stop),
    )
}

/// Number of `times` (ascending) before `edge`, looked for in steps that double: near the front, where the next edge of a column is,
/// that touches little memory.
fn before(times: &[f64], edge: f64) -> usize {
    let mut step = 1;
    while times.get(step - 1).is_some_and(|t| *t < edge) {
        step *= 2;
    }
    let low = step / 2;
    low + times.get(low..step.min(times.len())).map_or(0, |part| part.partition_point(|t| *t < edge))
}

/// Fill a grid that lies slot after slot, unit by unit; units without a slot count towards `all` only.
fn per_unit(
    field: &SpikeField,
    mut grid: DensityGrid,
    slots: &RowSlots,
    count: impl Fn(&[f64], std::ops::Range<usize>, &mut [u32]) + Sync,
    window: (f64, f64),
) -> DensityGrid {
    let columns = grid.columns;
    let one = |unit: u32, cells: &mut [u32]| {
        let unit = unit as usize;
        count(field.train(unit), field.between(unit, window.0, window.1), cells);
    };
    // Spikes are not counted beforehand: their number follows from the share of the recording that is in view.
    let range = field.spikes().time_range().map_or(1.0, |(a, b)| (b - a).max(1e-9));
    let work = (field.spikes().n_spikes() as f64 * ((window.1 - window.0) / range).clamp(0.0, 1.0)) as u64;
    let threads = threads(work);
    let share = grid.slots.div_ceil(threads).max(1);
    let members = |k: usize| {
        let from = slots.members.partition_point(|m| (m.0 as usize) < k * share);
        let to = slots.members.partition_point(|m| (m.0 as usize) < (k + 1) * share);
        slots.members.get(from..to).unwrap_or_default()
    };
    let fill = |k: usize, part: &mut [u32]| {
        for &(slot, unit) in members(k) {
            let place = (slot as usize - k * share) * columns;
            if let Some(cells) = part.get_mut(place..place + columns) {
                one(unit, cells);
            }
        }
    };
    let parts = grid.counts.chunks_mut(share * columns).enumerate();
    if threads == 1 {
        parts.for_each(|(k, part)| fill(k, part));
    } else {
        let fill = &fill;
        std::thread::scope(|scope| parts.for_each(|(k, part)| drop(scope.spawn(move || fill(k, part)))));
    }
    for &unit in &slots.hidden {
        one(unit, &mut grid.all);
    }
    for cells in grid.counts.chunks_exact(columns) {
        for (all, cell) in grid.all.iter_mut().zip(cells) {
            *all += cell;
        }
    }
    grid
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::super::field::tests::{field, recording};
    use super::*;

    fn trains(seed: u64, sizes: &[usize], duration: f64) -> Vec<Vec<f64>> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut one = |n: usize| {
            let mut times: Vec<f64> = (0..n).map(|_| random.random_range(0.0..duration)).collect();
            times.sort_by(f64::total_cmp);
            times
        };
        sizes.iter().map(|n| one(*n)).collect()
    }

    /// Unit u in slot `slot_of[u]`; `None` is hidden. The last `collapsed` slots are groups.
    fn slots(slot_of: &[Option<u32>], slots: usize, collapsed: usize) -> RowSlots {
        let mut members: Vec<(u32, u32)> = slot_of.iter().enumerate().filter_map(|(u, s)| Some(((*s)?, u as u32))).collect();
        members.sort_unstable();
        let hidden = slot_of.iter().enumerate().filter(|(_, s)| s.is_none()).map(|(u, _)| u as u32).collect();
        RowSlots { members, hidden, slots, collapsed, ..RowSlots::default() }
    }

    /// Every cell against a search through all spikes, with the grid's own edges.
    fn check(field: &SpikeField, window: (f64, f64), width: usize, slots: &RowSlots) -> DensityGrid {
        let grid = DensityGrid::count(field, window, width, slots);
        let stop = grid.edge(grid.columns);
        assert!(grid.start <= window.0 && stop >= window.1 - 1e-9 * (window.1 - window.0), "the columns cover the window");
        // A spike within rounding of a border may be counted on either side of it, never twice and never not.
        let slack = 1e-9 * grid.column_s + 1e-12 * stop.abs();
        let mut sums = vec![0u32; grid.columns];
        for unit in 0..field.spikes().n_units() {
            for (column, sum) in sums.iter_mut().enumerate() {
                *sum += field.between(unit, grid.edge(column), grid.edge(column + 1)).len() as u32;
            }
        }
        for slot in 0..slots.slots + slots.collapsed {
            let units: Vec<usize> = slots.members.iter().filter(|m| m.0 as usize == slot).map(|m| m.1 as usize).collect();
            for column in 0..grid.columns {
                let inside =
                    |a: f64, b: f64| units.iter().flat_map(|u| field.spikes().unit(*u)).filter(|t| **t >= a && **t < b).count() as u32;
                let (low, high) = (
                    inside(grid.edge(column) + slack, grid.edge(column + 1) - slack),
                    inside(grid.edge(column) - slack, grid.edge(column + 1) + slack),
                );
                let found = grid.at(column, slot);
                assert!(low <= found && found <= high, "column {column} slot {slot}: {found} is not in {low}..={high}");
            }
        }
        let all: u64 = grid.all.iter().map(|n| u64::from(*n)).sum();
        assert!(all.abs_diff(sums.iter().map(|n| u64::from(*n)).sum()) <= 2);
        assert_eq!(
            grid.max,
            (0..slots.slots).flat_map(|s| (0..grid.columns).map(move |c| (c, s))).map(|(c, s)| grid.at(c, s)).max().unwrap_or(0)
        );
        grid
    }

    #[test]
    fn every_way_of_counting_gives_the_true_counts() {
        let trains = trains(1, &[0, 3000, 6000, 12_000, 500], 600.0);
        let plain = SpikeField::new(recording(trains.clone()));
        let quick = field(trains);
        let one_each = slots(&[Some(0), Some(1), Some(2), Some(3), Some(4)], 5, 0);
        // Shared lines, hidden units, a collapsed group.
        let mixed = slots(&[Some(0), Some(0), None, Some(1), Some(2)], 2, 1);
        for slots in [&one_each, &mixed] {
            for (window, width) in
                [((0.0, 600.0), 97), ((-50.0, 900.0), 60), ((100.0, 131.5), 300), ((599.0, 603.0), 40), ((700.0, 800.0), 10)]
            {
                check(&plain, window, width, slots);
                check(&quick, window, width, slots);
            }
        }
        assert!(check(&quick, (0.0, 600.0), 97, &one_each).by_column, "zoomed out the pyramid is used");
        assert!(!check(&quick, (0.0, 1.0), 97, &one_each).by_column, "zoomed in the spikes are");
        let wide = searched(&plain, DensityGrid::over((3.0, 500.0), 20, &one_each), &one_each);
        let near = walked(&plain, DensityGrid::over((3.0, 500.0), 20, &one_each), &one_each);
        assert_eq!(wide.counts, near.counts);
        assert_eq!(wide.all, near.all);
    }

    #[test]
    fn panning_keeps_what_columns_hold() {
        let field = field(trains(3, &[20_000, 20_000], 600.0));
        let slots = slots(&[Some(0), Some(1)], 2, 0);
        let a = DensityGrid::count(&field, (0.0, 500.0), 100, &slots);
        let b = DensityGrid::count(&field, (7.3, 507.3), 100, &slots);
        assert!(a.by_column && a.column_s == b.column_s);
        let shift = ((b.start - a.start) / a.column_s).round() as usize;
        for column in 0..80 {
            assert_eq!(a.at(column + shift, 1), b.at(column, 1));
        }
    }

    #[test]
    fn many_spikes_are_counted_by_several_threads_with_the_same_result() {
        let field = SpikeField::new(recording(trains(2, &[30_000; 20], 600.0)));
        assert!(field.spikes().n_spikes() as u64 > COUNT_IN_PARALLEL);
        let slots = slots(&(0..20).map(Some).collect::<Vec<_>>(), 20, 0);
        let grid = DensityGrid::count(&field, (0.0, 600.0), 640, &slots);
        assert_eq!(grid.total, 600_000);
        for (unit, column) in (0..20).flat_map(|u| [0, 1, 320, 639].map(|c| (u, c))) {
            let truth = field.between(unit, grid.edge(column), grid.edge(column + 1)).len() as u32;
            assert!(grid.at(column, unit).abs_diff(truth) <= 1, "{unit} {column}");
        }
    }

    #[test]
    fn shares_are_monotone_and_tell_none_from_one() {
        let slots = slots(&[Some(0)], 1, 0);
        let mut grid = DensityGrid::over((0.0, 6.0), 6, &slots);
        grid.counts = vec![0, 1, 2, 50, 5000, 100_000];
        grid.max = 100_000;
        let shares = grid.shares();
        assert_eq!((shares[0], shares[1], shares[5]), (0, 1, 255));
        assert!(shares.is_sorted());
    }

    proptest! {
        #[test]
        fn any_window_of_any_trains_is_counted_exactly(
            sizes in prop::collection::vec(0usize..1500, 1..5),
            seed in 0u64..1000,
            start in -20.0f64..120.0,
            width in 0.01f64..150.0,
            columns in 1usize..80,
        ) {
            let trains = trains(seed, &sizes, 100.0);
            let slots = slots(&(0..sizes.len()).map(|u| (u != 1).then_some(u as u32)).collect::<Vec<_>>(), sizes.len(), 0);
            check(&SpikeField::new(recording(trains.clone())), (start, start + width), columns, &slots);
            check(&field(trains), (start, start + width), columns, &slots);
        }
    }

    #[test]
    fn a_window_without_width_or_spikes_counts_nothing() {
        let one = SpikeField::new(recording(vec![vec![1.0]]));
        let slots = slots(&[Some(0)], 1, 0);
        assert_eq!(DensityGrid::count(&one, (2.0, 2.0), 10, &slots).total, 0);
        let none = SpikeField::new(recording(vec![]));
        let empty = DensityGrid::count(&none, (0.0, 1.0), 0, &RowSlots::default());
        assert_eq!((empty.total, empty.max, empty.at(0, 0), empty.shares().len()), (0, 0, 0, 0));
    }
}
