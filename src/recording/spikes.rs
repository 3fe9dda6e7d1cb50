//! Spike trains of all units in one block: times end to end, with one offset per unit (compressed sparse rows).

use std::sync::Arc;

use rayon::prelude::*;

/// Spike times of every unit, f64 seconds, ascending within a unit. Clones share the times: the same recording with other areas
/// costs no second copy of them.
#[derive(Debug, Clone, PartialEq)]
pub struct SpikeTrains {
    times: Arc<Vec<f64>>,
    offsets: Vec<usize>,
}

impl Default for SpikeTrains {
    fn default() -> Self {
        Self { times: Arc::default(), offsets: vec![0] }
    }
}

impl SpikeTrains {
    /// From one list of times per unit, taken as they are (see [`super::Recording::new`] for what is checked).
    pub fn from_units(units: impl IntoIterator<Item = Vec<f64>>) -> Self {
        let (mut block, mut offsets) = (Vec::new(), vec![0]);
        for times in units {
            block.extend_from_slice(&times);
            offsets.push(block.len());
        }
        Self { times: Arc::new(block), offsets }
    }

    /// From a flat block and its offsets (`n_units + 1` entries, first 0, ascending, last `times.len()`).
    /// `None` when the offsets are not of that form.
    pub fn from_block(times: Vec<f64>, offsets: Vec<usize>) -> Option<Self> {
        let good = offsets.first() == Some(&0) && offsets.is_sorted() && offsets.last() == Some(&times.len());
        good.then(|| Self { times: Arc::new(times), offsets })
    }

    /// Number of units.
    pub fn n_units(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of spikes of all units.
    pub fn n_spikes(&self) -> usize {
        self.times.len()
    }

    /// Spike times of one unit, seconds.
    pub fn unit(&self, unit: usize) -> &[f64] {
        &self.times[self.offsets[unit]..self.offsets[unit + 1]]
    }

    /// Spikes of one unit in `start <= t < stop`.
    pub fn unit_between(&self, unit: usize, start: f64, stop: f64) -> &[f64] {
        let times = self.unit(unit);
        let first = times.partition_point(|&t| t < start);
        let last = times.partition_point(|&t| t < stop);
        &times[first..last.max(first)]
    }

    /// All times end to end, unit after unit.
    pub fn block(&self) -> &[f64] {
        &self.times
    }

    /// Offsets into [`Self::block`], `n_units + 1` entries.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// The first unit whose times are not ascending and finite.
    pub(super) fn unsound(&self) -> Option<usize> {
        // The times of a recording of hours fill memory many times the cache: looked at once, by all processors.
        (0..self.n_units()).into_par_iter().find_first(|&unit| !sound(self.unit(unit)))
    }

    /// First and last spike in seconds.
    pub fn time_range(&self) -> Option<(f64, f64)> {
        let mut range: Option<(f64, f64)> = None;
        for unit in 0..self.n_units() {
            if let [first, .., last] | [first @ last] = self.unit(unit) {
                let (low, high) = range.unwrap_or((*first, *last));
                range = Some((low.min(*first), high.max(*last)));
            }
        }
        range
    }
}

/// True for ascending, finite times.
fn sound(train: &[f64]) -> bool {
    // NaN is neither less than, equal to nor greater than anything.
    let ends = [train.first(), train.last()].into_iter().flatten().all(|t| t.is_finite());
    ends && train.windows(2).fold(true, |all, pair| all & (pair[0] <= pair[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_blocks_are_two_views_of_the_same_times() {
        let trains = SpikeTrains::from_units([vec![1.0, 2.0], vec![], vec![-1.0]]);
        assert_eq!((trains.n_units(), trains.n_spikes(), trains.offsets()), (3, 3, &[0, 2, 2, 3][..]));
        assert_eq!((trains.unit(0), trains.unit(1), trains.unit(2)), (&[1.0, 2.0][..], &[][..], &[-1.0][..]));
        assert_eq!(SpikeTrains::from_block(trains.block().to_vec(), trains.offsets().to_vec()), Some(trains.clone()));
        assert_eq!(trains.time_range(), Some((-1.0, 2.0)));
        assert_eq!(SpikeTrains::default().time_range(), None);
    }

    #[test]
    fn unsound_trains_are_found() {
        let first = |trains: &[&[f64]]| SpikeTrains::from_units(trains.iter().map(|t| t.to_vec())).unsound();
        assert_eq!(first(&[&[1.0, 1.0, 2.0], &[], &[-3.0]]), None);
        for bad in [&[2.0, 1.0][..], &[f64::NAN], &[1.0, f64::NAN, 2.0], &[f64::NEG_INFINITY, 1.0], &[0.0, f64::INFINITY]] {
            assert_eq!(first(&[&[1.0], bad, &[3.0, 2.0]]), Some(1), "{bad:?}");
        }
    }

    #[test]
    fn offsets_that_do_not_fit_are_refused() {
        for offsets in [vec![], vec![0], vec![1, 2], vec![0, 3], vec![0, 2, 1, 2]] {
            assert_eq!(SpikeTrains::from_block(vec![0.0; 2], offsets.clone()), None, "{offsets:?}");
        }
    }

    #[test]
    fn a_stretch_includes_its_start_and_not_its_end() {
        let trains = SpikeTrains::from_units([vec![1.0, 2.0, 2.0, 3.0]]);
        assert_eq!(trains.unit_between(0, 1.0, 3.0), [1.0, 2.0, 2.0]);
        assert_eq!(trains.unit_between(0, 2.0, 2.0), [0.0; 0]);
        assert_eq!(trains.unit_between(0, 3.5, 1.0), [0.0; 0]);
        assert_eq!(trains.unit_between(0, f64::NEG_INFINITY, f64::INFINITY).len(), 4);
    }
}
