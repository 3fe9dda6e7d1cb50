//! Spikes of one sending area, as they were or made exchangeable: trials shuffled within their condition, or every spike moved
//! within its own short interval.

use std::collections::BTreeMap;

use ndarray::{Axis, Slice};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::FrozenModel;
use crate::analysis::edge_score::EdgeScoring;
use crate::analysis::edge_score::jitter::{Spike, copy, spikes};

/// What is done to the spikes of a sending area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manipulation {
    /// Nothing.
    None,
    /// Trials change places within their condition: what the areas share in a single trial is gone, what is locked to the trial stays.
    Shuffle {
        /// Seed.
        seed: u64,
    },
    /// Every spike moves uniformly within its own interval of a partition of the trial: fine timing is gone, everything slower stays.
    Jitter {
        /// Width of the intervals, bins.
        window_bins: usize,
        /// Seed.
        seed: u64,
    },
}

/// Spikes of one area per chosen trial; units counted from the area's first.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceSpikes {
    pub(super) trials: Vec<Vec<Spike>>,
    pub(super) units: usize,
}

impl SourceSpikes {
    /// Of `area` in these trials.
    pub fn of(model: &FrozenModel, area: usize, trials: &[usize]) -> Self {
        let columns = model.columns(area);
        let list = |&trial: &usize| {
            let counts = model.counts.index_axis(Axis(0), trial);
            spikes(counts.slice_axis(Axis(1), Slice::from(columns.clone())))
        };
        Self { trials: trials.iter().map(list).collect(), units: columns.len() }
    }

    /// The same with its spikes manipulated. `conditions` holds the condition of every trial here, `total` the bins of a trial with
    /// padding.
    pub fn manipulated(&self, how: Manipulation, conditions: &[usize], total: usize) -> Self {
        match how {
            Manipulation::None => self.clone(),
            Manipulation::Shuffle { seed } => {
                let order = shuffled(conditions, seed);
                let trials = order.iter().map(|&from| self.trials.get(from).cloned().unwrap_or_default()).collect();
                Self { trials, units: self.units }
            }
            Manipulation::Jitter { window_bins, seed } => {
                let scoring = EdgeScoring { window_bins, jitters: 1, seed, ..EdgeScoring::default() };
                let jittered = |(trial, spikes): (usize, &Vec<Spike>)| {
                    let mut moved = Vec::new();
                    copy(spikes, total, &scoring, (trial as u64, 1), None, &mut moved);
                    moved
                };
                Self { trials: self.trials.iter().enumerate().map(jittered).collect(), units: self.units }
            }
        }
    }

    /// Some of the trials, by place.
    pub fn select(&self, places: &[usize]) -> Self {
        Self { trials: places.iter().map(|&p| self.trials.get(p).cloned().unwrap_or_default()).collect(), units: self.units }
    }

    /// Spikes of every unit over all trials.
    pub fn counts(&self) -> Vec<f64> {
        let mut counts = vec![0.0; self.units];
        for spike in self.trials.iter().flatten() {
            if let Some(count) = counts.get_mut(spike.unit as usize) {
                *count += 1.0;
            }
        }
        counts
    }
}

/// For every trial the one whose spikes it gets: a random order within each condition.
fn shuffled(conditions: &[usize], seed: u64) -> Vec<usize> {
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (trial, &condition) in conditions.iter().enumerate() {
        groups.entry(condition).or_default().push(trial);
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..conditions.len()).collect();
    for members in groups.values() {
        let mut mixed = members.clone();
        mixed.shuffle(&mut random);
        for (to, from) in members.iter().zip(mixed) {
            if let Some(place) = order.get_mut(*to) {
                *place = from;
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_change_places_within_their_condition_only() {
        let conditions: Vec<usize> = (0..60).map(|t| t % 3).collect();
        let order = shuffled(&conditions, 4);
        assert!(order.iter().enumerate().all(|(to, &from)| conditions[to] == conditions[from]));
        assert!(order.iter().enumerate().filter(|(to, from)| to != *from).count() > 40);
        let mut all = order.clone();
        all.sort_unstable();
        assert_eq!(all, (0..60).collect::<Vec<_>>());
        assert_eq!((shuffled(&conditions, 4), shuffled(&[0, 1, 2], 9)), (order, vec![0, 1, 2]));
    }

    #[test]
    fn manipulated_spikes_are_as_many() {
        let trial = |first: u32| (0..20).map(|k| Spike { bin: first + 3 * k, unit: k % 2 }).collect::<Vec<_>>();
        let spikes = SourceSpikes { trials: vec![trial(0), trial(1), trial(2)], units: 2 };
        for how in [Manipulation::None, Manipulation::Shuffle { seed: 3 }, Manipulation::Jitter { window_bins: 10, seed: 3 }] {
            let other = spikes.manipulated(how, &[0, 0, 0], 70);
            assert_eq!(other.counts(), [30.0, 30.0], "{how:?}");
        }
        let jittered = spikes.manipulated(Manipulation::Jitter { window_bins: 10, seed: 3 }, &[0, 0, 0], 70);
        let moved = spikes.trials.iter().zip(&jittered.trials).flat_map(|(a, b)| a.iter().zip(b)).map(|(a, b)| a.bin.abs_diff(b.bin));
        assert!(moved.clone().all(|d| d < 10) && moved.sum::<u32>() > 60);
    }
}
