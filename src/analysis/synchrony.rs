//! Artefacts that look like spikes: milliseconds in which far more units are active than chance allows. Movement, stimulation
//! and reward devices put the same false spike on many channels, and models read such bins as coupling at the shortest lags.
//!
//! The number of active units per bin is compared with interval-jittered data (Amarasingham, Harrison, Hatsopoulos & Geman 2012,
//! J Neurophysiol 107:517): every spike moves to a random bin of its own window of 20 bins, which keeps rates that change slowly
//! and destroys synchrony on the scale of a bin.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::recording::{ArtefactMask, SpikeTrains};

/// Bins per window of the jitter; at most 64, one bit each.
const WINDOW: usize = 20;
/// At least so many bins beyond chance make a finding.
const LEAST_BINS: usize = 5;
/// Share of the bins found that may be chance.
const FALSE_SHARE: f64 = 0.05;
/// Longest recording that is looked at, in bins (two bytes each, for the data and every copy at work).
const MOST_BINS: f64 = 4e8;

/// How to look.
#[derive(Debug, Clone, PartialEq)]
pub struct SynchronyCheck {
    /// Bin width, seconds.
    pub bin_s: f64,
    /// Jittered copies.
    pub copies: usize,
    /// Seed of the jitter.
    pub seed: u64,
    /// Fewest units that make an artefact; pairs and small groups may be synchronous for good reasons.
    pub least_units: usize,
    /// The same as a share of all units; the larger of both counts.
    pub least_share: f64,
}

impl Default for SynchronyCheck {
    fn default() -> Self {
        Self { bin_s: 1e-3, copies: 10, seed: 1, least_units: 5, least_share: 0.05 }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Synchrony {
    /// Starts of the bins with too many active units, seconds, ascending.
    pub bins: Vec<f64>,
    /// Bin width, seconds.
    pub bin_s: f64,
    /// Active units from which on a bin counts (without a finding: the fewest that could have).
    pub threshold: usize,
    /// Bins at or above the threshold in jittered data, mean over copies.
    pub expected: f64,
    /// Spikes in the bins found.
    pub spikes: usize,
    /// Spikes in all.
    pub of_spikes: usize,
    /// Most units active in one bin.
    pub largest: usize,
    /// Units.
    pub units: usize,
    /// Jittered copies.
    pub copies: usize,
    /// Seed.
    pub seed: u64,
}

/// Why nothing can be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SynchronyError {
    /// Too few units.
    #[error("{units} units are too few to tell artefacts from synchrony; at least {needed} are needed")]
    FewUnits {
        /// Units of the recording.
        units: usize,
        /// Units needed.
        needed: usize,
    },
    /// Too long, usually because times are not in seconds.
    #[error("the recording is too long for bins of {bin_ms} ms; check that the spike times are in seconds")]
    TooLong {
        /// Bin width, ms.
        bin_ms: String,
    },
}

impl Synchrony {
    /// Share of the spikes that lie in the bins found, percent.
    pub fn percent(&self) -> f64 {
        100.0 * self.spikes as f64 / self.of_spikes.max(1) as f64
    }

    /// A mask of the bins found; `None` without any.
    pub fn mask(&self) -> Option<ArtefactMask> {
        (!self.bins.is_empty()).then(|| ArtefactMask { bins: self.bins.clone(), width_s: self.bin_s, least_units: self.threshold })
    }

    /// The finding in one sentence.
    pub fn sentence(&self) -> String {
        let ms = 1e3 * self.bin_s;
        let method = format!("{} jittered copies, seed {}", self.copies, self.seed);
        if self.bins.is_empty() {
            return format!(
                "no {ms} ms bin has more active units than chance allows (at most {} of {}; {method})",
                self.largest, self.units
            );
        }
        format!(
            "{} bins of {ms} ms have {} or more of {} units active at once (up to {}), against {:.1} in jittered data ({method}); they hold \
             {:.2} % of the spikes and look like coupling at short lags",
            self.bins.len(),
            self.threshold,
            self.units,
            self.largest,
            self.expected,
            self.percent()
        )
    }
}

/// Look for artefacts. The same data and check give the same answer whatever the number of threads.
///
/// # Errors
/// [`SynchronyError`].
pub fn synchrony(spikes: &SpikeTrains, check: &SynchronyCheck) -> Result<Synchrony, SynchronyError> {
    let units = spikes.n_units();
    let least = check.least_units.max((check.least_share * units as f64).ceil() as usize).max(2);
    if units < least {
        return Err(SynchronyError::FewUnits { units, needed: least });
    }
    let (first, last) = spikes.time_range().unwrap_or((0.0, 0.0));
    let length = (last - first) / check.bin_s;
    if length.is_nan() || length >= MOST_BINS {
        return Err(SynchronyError::TooLong { bin_ms: format!("{}", 1e3 * check.bin_s) });
    }
    let bins = (length as usize / WINDOW + 1) * WINDOW;
    let clock = Clock { first, bin_s: check.bin_s, bins };
    let data = clock.active(spikes, None);
    let observed = histogram(&data, units);
    // Two copies at a time bound the memory on machines with many cores.
    let mut chance = vec![0usize; units + 1];
    let copies: Vec<u64> = (0..check.copies.max(1) as u64).collect();
    for pair in copies.chunks(2) {
        let counted: Vec<Vec<usize>> = pair
            .par_iter()
            .map(|&copy| {
                let mut random = ChaCha8Rng::seed_from_u64(check.seed);
                random.set_stream(copy + 1);
                histogram(&clock.active(spikes, Some(&mut random)), units)
            })
            .collect();
        counted.iter().for_each(|h| chance.iter_mut().zip(h).for_each(|(sum, n)| *sum += n));
    }
    let (observed, chance) = (at_least(&observed), at_least(&chance));
    let number = |counts: &[usize], k: usize| counts.get(k).copied().unwrap_or(0);
    // One more bin by chance than was seen: no copy of a finite number of them shows the rarest.
    let expected = |k: usize| (number(&chance, k) + 1) as f64 / copies.len() as f64;
    let beyond = |k: usize| number(&observed, k) >= LEAST_BINS && expected(k) <= FALSE_SHARE * number(&observed, k) as f64;
    let found = (least..=units).find(|&k| beyond(k));
    let threshold = found.unwrap_or(least);
    let active = |(_, count): &(usize, &u16)| found.is_some() && usize::from(**count) >= threshold;
    let starts: Vec<f64> = data.iter().enumerate().filter(active).map(|(bin, _)| first + bin as f64 * check.bin_s).collect();
    let mask = ArtefactMask { bins: starts, width_s: check.bin_s, least_units: threshold };
    let inside = if mask.bins.is_empty() { 0 } else { mask.apply(spikes).1 };
    Ok(Synchrony {
        bins: mask.bins,
        bin_s: check.bin_s,
        threshold,
        expected: number(&chance, threshold) as f64 / copies.len() as f64,
        spikes: inside,
        of_spikes: spikes.n_spikes(),
        largest: data.iter().copied().max().map_or(0, usize::from),
        units,
        copies: copies.len(),
        seed: check.seed,
    })
}

/// Bins of the recording.
struct Clock {
    first: f64,
    bin_s: f64,
    bins: usize,
}

impl Clock {
    /// Active units per bin, of the data or of a jittered copy. A unit counts once per bin.
    fn active(&self, spikes: &SpikeTrains, mut random: Option<&mut ChaCha8Rng>) -> Vec<u16> {
        let mut counts = vec![0u16; self.bins];
        for unit in 0..spikes.n_units() {
            let (mut window, mut seen) = (0, 0u64);
            for &time in spikes.unit(unit) {
                let bin = (((time - self.first) / self.bin_s) as usize).min(self.bins - 1);
                if bin / WINDOW != window {
                    add(&mut counts, window, seen);
                    (window, seen) = (bin / WINDOW, 0);
                }
                let place = match &mut random {
                    None => bin % WINDOW,
                    Some(random) => ((u64::from(random.next_u32()) * WINDOW as u64) >> 32) as usize,
                };
                seen |= 1 << place;
            }
            add(&mut counts, window, seen);
        }
        counts
    }
}

/// One unit's active bins of a window, one bit each.
fn add(counts: &mut [u16], window: usize, mut seen: u64) {
    while seen != 0 {
        if let Some(count) = counts.get_mut(window * WINDOW + seen.trailing_zeros() as usize) {
            *count = count.saturating_add(1);
        }
        seen &= seen - 1;
    }
}

/// Bins by number of active units, `[units + 1]`.
fn histogram(counts: &[u16], units: usize) -> Vec<usize> {
    let mut bins = vec![0; units + 1];
    for &count in counts {
        if let Some(n) = bins.get_mut(usize::from(count)) {
            *n += 1;
        }
    }
    bins
}

/// From bins with exactly `k` to bins with at least `k` active units.
fn at_least(exactly: &[usize]) -> Vec<usize> {
    let mut sums: Vec<usize> = exactly
        .iter()
        .rev()
        .scan(0, |sum, n| {
            *sum += n;
            Some(*sum)
        })
        .collect();
    sums.reverse();
    sums
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand::RngExt;

    /// Independent units of 20 Hz, slowly modulated together, with an artefact on most of them at each of `at`.
    fn trains(units: usize, seconds: f64, at: &[f64], seed: u64) -> SpikeTrains {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        SpikeTrains::from_units((0..units).map(|_| {
            let mut times = Vec::new();
            let mut t = 0.0;
            while t < seconds {
                t += -(1.0 - random.random::<f64>()).ln() / 40.0;
                let rate = 0.5 * (1.0 + (t / 2.0).sin());
                if random.random::<f64>() < rate {
                    times.push(t);
                }
            }
            for t in at {
                if random.random::<f64>() < 0.8 {
                    times.push(t + 2e-4 * random.random::<f64>());
                }
            }
            times.sort_by(f64::total_cmp);
            times
        }))
    }

    #[test]
    fn common_slow_modulation_is_no_artefact() {
        for seed in 0..4 {
            let found = synchrony(&trains(40, 60.0, &[], seed), &SynchronyCheck { seed, ..SynchronyCheck::default() }).unwrap();
            assert!(found.bins.is_empty() && found.mask().is_none(), "{}", found.sentence());
            assert!(found.sentence().starts_with("no 1 ms bin"), "{}", found.sentence());
        }
    }

    #[test]
    fn artefacts_are_found_where_they_are_and_masked() {
        let at: Vec<f64> = (0..30).map(|k| 1.0 + 1.7371 * f64::from(k)).collect();
        let trains = trains(40, 60.0, &at, 3);
        let found = synchrony(&trains, &SynchronyCheck::default()).unwrap();
        // An artefact at the edge of a bin is in two of them.
        assert!((30..=60).contains(&found.bins.len()), "{}", found.sentence());
        for &t in &at {
            assert!(found.bins.iter().any(|&b| t + 2e-4 >= b && t < b + found.bin_s), "artefact at {t} s is not found");
        }
        for &b in &found.bins {
            assert!(at.iter().any(|&t| t + 2e-4 >= b && t < b + found.bin_s), "nothing is wrong at {b} s");
        }
        let (clean, left_out) = found.mask().unwrap().apply(&trains);
        assert_eq!(left_out, found.spikes);
        assert!(left_out > 30 * 25 && left_out < 30 * 45, "{left_out}");
        assert!(synchrony(&clean, &SynchronyCheck::default()).unwrap().bins.is_empty());
        assert_eq!(found, synchrony(&trains, &SynchronyCheck::default()).unwrap(), "the same seed gives the same answer");
    }

    #[test]
    fn few_units_and_absurd_times_are_refused() {
        let check = SynchronyCheck::default();
        let few = synchrony(&trains(4, 5.0, &[], 1), &check).unwrap_err();
        assert_eq!(few.to_string(), "4 units are too few to tell artefacts from synchrony; at least 5 are needed");
        let long = SpikeTrains::from_units((0..6).map(|_| vec![0.0, 1e12]));
        assert!(synchrony(&long, &check).unwrap_err().to_string().contains("in seconds"));
        let silent = SpikeTrains::from_units((0..6).map(|_| Vec::new()));
        assert!(synchrony(&silent, &check).unwrap().bins.is_empty());
    }

    #[test]
    fn a_unit_counts_once_per_bin() {
        let clock = Clock { first: 0.0, bin_s: 1e-3, bins: 40 };
        let trains = SpikeTrains::from_units([vec![0.0001, 0.0002, 0.0215], vec![0.0005]]);
        let counts = clock.active(&trains, None);
        assert_eq!((counts[0], counts[21], counts.iter().map(|&c| usize::from(c)).sum::<usize>()), (2, 1, 3));
        assert_eq!(at_least(&[5, 2, 0, 1]), [8, 3, 1, 1]);
    }
}
