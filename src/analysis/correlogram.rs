//! Cross- and autocorrelograms of spike trains, of a pair or of all pairs at once, and the band that interval jitter gives.
//!
//! Every spike looks forward over the spikes of all units in order of time, as far as the largest lag; every pair is met once. Units
//! are handled one after another, so that what is counted into is one unit's table, which fits into the cache. A lag t(b) − t(a) falls
//! into the bin centred on the nearest multiple of the bin width. Jitter: Amarasingham, Harrison, Hatsopoulos & Geman (2012), "Conditional modeling
//! and the jitter method of spike resampling", J Neurophysiol 107:517, section "Interval jitter".

use ndarray::{Array3, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::aligned::quantile;
use super::watch::Watch;

/// A lag this fraction of a bin below the border of two bins is on it: whole-millisecond times fall the same way everywhere.
const EDGE_SLACK: f64 = 1e-6;

/// Most cells (ordered pairs × lags) of one computation: 512 MB.
pub const MOST_CELLS: usize = 128_000_000;

/// Spikes handled by one task; counts are integers, so the partition does not change the result.
const SPIKES_PER_TASK: usize = 65_536;

/// Lags of a correlogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lags {
    /// Bins on either side of the middle one.
    pub side: usize,
    /// Bin width, seconds.
    pub bin_s: f64,
}

impl Lags {
    /// Bins of `bin_s` up to lags of about `max_s` seconds.
    pub fn up_to(max_s: f64, bin_s: f64) -> Self {
        let bin_s = if bin_s.is_finite() { bin_s.max(1e-5) } else { 1e-3 };
        Self { side: (max_s / bin_s).round().clamp(1.0, 5000.0) as usize, bin_s }
    }

    /// Bins.
    pub fn bins(&self) -> usize {
        2 * self.side + 1
    }

    /// Middle of every bin, seconds; negative lags first.
    pub fn centres(&self) -> Vec<f64> {
        (0..self.bins()).map(|k| (k as f64 - self.side as f64) * self.bin_s).collect()
    }

    /// Edge of the last bin, seconds.
    fn reach(&self) -> f64 {
        (self.side as f64 + 0.5 - EDGE_SLACK) * self.bin_s
    }

    /// Bin of a lag of at least 0; `per_s` is one over the bin width.
    fn bin(&self, lag: f64, per_s: f64) -> usize {
        ((lag * per_s + 0.5 + EDGE_SLACK) as usize).min(self.side)
    }
}

/// Why correlograms are not computed.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum CorrelogramError {
    /// Too large.
    #[error("{units} units with {bins} lags are too many pairs for memory; choose fewer units, wider bins or shorter lags")]
    TooLarge {
        /// Units.
        units: usize,
        /// Lag bins.
        bins: usize,
    },
    /// Nobody wants the answer any more.
    #[error("the computation was stopped")]
    Stopped,
}

/// Correlograms of all ordered pairs of some units.
#[derive(Debug, Clone, PartialEq)]
pub struct Correlograms {
    /// Lags.
    pub lags: Lags,
    /// Spikes of every unit.
    pub spikes: Vec<usize>,
    /// Pairs of spikes with a lag of `k` bins, first unit leading: `[unit, unit, 0..=side]`.
    forward: Array3<u32>,
}

impl Correlograms {
    /// Count pairs of spikes `[2 · side + 1]`: lag is the time of a spike of `target` minus that of one of `reference`.
    /// A spike is not paired with itself. Units that do not exist give zeros.
    pub fn counts(&self, reference: usize, target: usize) -> Vec<u32> {
        let side = self.lags.side;
        let one_way = |a: usize, b: usize, k: usize| self.forward.get((a, b, k)).copied().unwrap_or(0);
        let at = |place: usize| match place.cmp(&side) {
            std::cmp::Ordering::Greater => one_way(reference, target, place - side),
            std::cmp::Ordering::Less => one_way(target, reference, side - place),
            // Either may lead; within one unit every pair counts in both directions.
            std::cmp::Ordering::Equal => one_way(reference, target, 0) + one_way(target, reference, 0),
        };
        (0..self.lags.bins()).map(at).collect()
    }

    /// Factor from counts to the rate of the target, spikes per second, around a spike of the reference.
    pub fn per_second(&self, reference: usize) -> f64 {
        match self.spikes.get(reference) {
            Some(&n) if n > 0 => 1.0 / (n as f64 * self.lags.bin_s),
            _ => 0.0,
        }
    }
}

/// Correlograms of all ordered pairs of `trains` (ascending times in seconds, one list per unit).
///
/// # Errors
/// When the result would not fit into memory, or `watch` was stopped.
pub fn correlograms(trains: &[&[f64]], lags: Lags, watch: &Watch) -> Result<Correlograms, CorrelogramError> {
    let found = all_pairs(trains, lags, &|| watch.stopped())?;
    watch.tell(1, 1);
    Ok(found)
}

fn all_pairs(trains: &[&[f64]], lags: Lags, stopped: &(dyn Fn() -> bool + Sync)) -> Result<Correlograms, CorrelogramError> {
    let n = trains.len();
    if n.saturating_mul(n).saturating_mul(lags.side + 1) > MOST_CELLS {
        return Err(CorrelogramError::TooLarge { units: n, bins: lags.bins() });
    }
    let mut merged: Vec<(f64, u32)> =
        trains.iter().enumerate().flat_map(|(unit, times)| times.iter().map(move |&t| (t, unit as u32))).collect();
    merged.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut places: Vec<Vec<usize>> = trains.iter().map(|t| Vec::with_capacity(t.len())).collect();
    for (place, (_, unit)) in merged.iter().enumerate() {
        if let Some(places) = places.get_mut(*unit as usize) {
            places.push(place);
        }
    }
    let mut forward = Array3::zeros((n, n, lags.side + 1));
    forward.axis_iter_mut(Axis(0)).into_par_iter().zip(&places).for_each(|(mut table, places)| {
        if !stopped() {
            let counts = from_unit(&merged, places, n, lags);
            table.iter_mut().zip(counts).for_each(|(to, from)| *to = from);
        }
    });
    if stopped() {
        return Err(CorrelogramError::Stopped);
    }
    Ok(Correlograms { lags, spikes: trains.iter().map(|t| t.len()).collect(), forward })
}

/// Spikes of all units that follow those at `places` `[unit, 0..=side]`.
fn from_unit(merged: &[(f64, u32)], places: &[usize], n: usize, lags: Lags) -> Vec<u32> {
    let (stride, reach, per_s) = (lags.side + 1, lags.reach(), 1.0 / lags.bin_s);
    let count = |places: &[usize]| {
        let mut counts = vec![0u32; n * stride];
        for &place in places {
            let Some((&(time, _), later)) = merged.get(place..).and_then(<[_]>::split_first) else { break };
            for &(after, unit) in later {
                let lag = after - time;
                if lag >= reach {
                    break;
                }
                if let Some(cell) = counts.get_mut(unit as usize * stride + lags.bin(lag, per_s)) {
                    *cell += 1;
                }
            }
        }
        counts
    };
    if places.len() <= SPIKES_PER_TASK {
        return count(places);
    }
    // A few units of very many spikes: several threads for each.
    let add = |mut a: Vec<u32>, b: Vec<u32>| {
        a.iter_mut().zip(&b).for_each(|(a, b)| *a += b);
        a
    };
    places.par_chunks(SPIKES_PER_TASK).map(count).reduce(|| vec![0; n * stride], add)
}

/// Interval jitter: every spike is put uniformly at random into its own window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter {
    /// Window, seconds: structure slower than this is kept, faster structure destroyed.
    pub window_s: f64,
    /// Jittered copies.
    pub copies: u32,
    /// Seed.
    pub seed: u64,
}

/// What jitter leaves of a correlogram.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JitterBand {
    /// Mean count `[lags]`.
    pub mean: Vec<f64>,
    /// 2.5 % quantile `[lags]`, pointwise.
    pub low: Vec<f64>,
    /// 97.5 % quantile `[lags]`, pointwise.
    pub high: Vec<f64>,
}

/// Pointwise 95 % bands of the correlograms of `pairs` (indices into `trains`) under interval jitter of all trains. The partition
/// into windows begins at a random phase in every copy; the same seed gives the same bands.
///
/// # Errors
/// As for [`correlograms`].
pub fn jitter_bands(
    trains: &[&[f64]],
    pairs: &[(usize, usize)],
    lags: Lags,
    jitter: Jitter,
    watch: &Watch,
) -> Result<Vec<JitterBand>, CorrelogramError> {
    let copies = jitter.copies.max(1) as usize;
    let mut drawn: Vec<Vec<Vec<u32>>> = pairs.iter().map(|_| Vec::with_capacity(copies)).collect();
    for copy in 0..copies {
        let moved: Vec<Vec<f64>> = jittered(trains, jitter, copy as u64);
        let moved: Vec<&[f64]> = moved.iter().map(Vec::as_slice).collect();
        let found = all_pairs(&moved, lags, &|| watch.stopped())?;
        watch.tell(copy + 1, copies);
        for (list, &(reference, target)) in drawn.iter_mut().zip(pairs) {
            list.push(found.counts(reference, target));
        }
    }
    Ok(drawn.par_iter().map(|counts| band(counts, lags.bins())).collect())
}

fn band(counts: &[Vec<u32>], bins: usize) -> JitterBand {
    let mut result = JitterBand::default();
    for bin in 0..bins {
        let mut values: Vec<f64> = counts.iter().filter_map(|c| c.get(bin)).map(|&c| f64::from(c)).collect();
        values.sort_by(f64::total_cmp);
        result.mean.push(values.iter().sum::<f64>() / values.len().max(1) as f64);
        result.low.push(quantile(&values, 0.025));
        result.high.push(quantile(&values, 0.975));
    }
    result
}

/// Copy number `copy` of all trains. Stream `copy · units + unit` of the seed moves the spikes of one unit.
fn jittered(trains: &[&[f64]], jitter: Jitter, copy: u64) -> Vec<Vec<f64>> {
    let width = if jitter.window_s.is_finite() { jitter.window_s.max(1e-4) } else { 0.02 };
    let mut phases = ChaCha8Rng::seed_from_u64(jitter.seed);
    phases.set_stream(u64::MAX - copy);
    let phase = phases.random::<f64>() * width;
    let one = |(unit, times): (usize, &&[f64])| {
        let mut random = ChaCha8Rng::seed_from_u64(jitter.seed);
        random.set_stream(copy * trains.len() as u64 + unit as u64);
        let mut moved: Vec<f64> = times.iter().map(|t| (((t - phase) / width).floor() + random.random::<f64>()) * width + phase).collect();
        moved.sort_by(f64::total_cmp);
        moved
    };
    trains.par_iter().enumerate().map(one).collect()
}

/// How far a correlogram leaves its jitter band: the lag (seconds) with the largest excess over the mean, in units of the band's half
/// width, and that excess. `None` when the band is empty or flat.
pub fn peak_excess(counts: &[u32], band: &JitterBand, lags: Lags) -> Option<(f64, f64)> {
    let excess = |place: usize| {
        let (count, mean) = (f64::from(*counts.get(place)?), *band.mean.get(place)?);
        let half = if count >= mean { band.high.get(place)? - mean } else { mean - band.low.get(place)? };
        Some((lags.centres().get(place).copied()?, (count - mean) / half.max(0.5)))
    };
    (0..counts.len()).filter_map(excess).max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))
}

/// Sum of all counts, each pair of spikes once.
pub fn total(found: &Correlograms) -> u64 {
    found.forward.iter().map(|&c| u64::from(c)).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn brute(reference: &[f64], target: &[f64], same: bool, lags: Lags) -> Vec<u32> {
        let mut counts = vec![0; lags.bins()];
        for (i, a) in reference.iter().enumerate() {
            for (j, b) in target.iter().enumerate() {
                if same && i == j {
                    continue;
                }
                let lag = b - a;
                if lag.abs() < lags.reach() {
                    let k = lags.bin(lag.abs(), 1.0 / lags.bin_s);
                    counts[if lag >= 0.0 { lags.side + k } else { lags.side - k }] += 1;
                }
            }
        }
        counts
    }

    proptest! {
        #[test]
        fn counts_equal_those_of_all_pairs(trains in prop::collection::vec(prop::collection::vec(0u32..3000, 0..60), 1..5), bin in 1u32..8, side in 1usize..20) {
            let trains: Vec<Vec<f64>> = trains.into_iter().map(|mut t| { t.sort_unstable(); t.into_iter().map(|k| f64::from(k) * 1e-3).collect() }).collect();
            let views: Vec<&[f64]> = trains.iter().map(Vec::as_slice).collect();
            let lags = Lags { side, bin_s: f64::from(bin) * 1e-3 };
            let found = correlograms(&views, lags, &Watch::default()).unwrap();
            for a in 0..trains.len() {
                for b in 0..trains.len() {
                    prop_assert_eq!(found.counts(a, b), brute(&trains[a], &trains[b], a == b, lags));
                }
            }
        }
    }

    #[test]
    fn a_unit_that_follows_another_peaks_at_its_delay_and_leaves_the_jitter_band() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut leader: Vec<f64> = (0..3000).map(|_| random.random::<f64>() * 300.0).collect();
        leader.sort_by(f64::total_cmp);
        let mut follower: Vec<f64> =
            leader.iter().map(|t| if random.random::<f64>() < 0.3 { t + 0.004 } else { random.random::<f64>() * 300.0 }).collect();
        follower.sort_by(f64::total_cmp);
        let (trains, lags) = ([leader.as_slice(), follower.as_slice()], Lags::up_to(0.03, 0.001));
        let found = correlograms(&trains, lags, &Watch::default()).unwrap();
        let counts = found.counts(0, 1);
        let peak = (0..counts.len()).max_by_key(|&k| counts[k]).unwrap();
        assert!((lags.centres()[peak] - 0.004).abs() < 1e-9);
        assert!(found.counts(1, 0).into_iter().rev().eq(counts.iter().copied()), "the other way round is the mirror image");
        let jitter = Jitter { window_s: 0.02, copies: 100, seed: 1 };
        let bands = jitter_bands(&trains, &[(0, 1)], lags, jitter, &Watch::default()).unwrap();
        let (lag, excess) = peak_excess(&counts, &bands[0], lags).unwrap();
        assert!((lag - 0.004).abs() < 1e-9 && excess > 5.0, "{lag} {excess}");
        assert_eq!(jitter_bands(&trains, &[(0, 1)], lags, jitter, &Watch::default()).unwrap(), bands);
        assert_ne!(jitter_bands(&trains, &[(0, 1)], lags, Jitter { seed: 2, ..jitter }, &Watch::default()).unwrap(), bands);
    }

    #[test]
    fn jitter_keeps_spikes_in_windows_and_independent_trains_inside_their_band() {
        let mut random = ChaCha8Rng::seed_from_u64(9);
        let mut train = || {
            let mut times: Vec<f64> = (0..4000).map(|_| random.random::<f64>() * 400.0).collect();
            times.sort_by(f64::total_cmp);
            times
        };
        let (a, b) = (train(), train());
        let jitter = Jitter { window_s: 0.05, copies: 200, seed: 0 };
        let moved = jittered(&[&a], jitter, 0);
        assert_eq!(moved[0].len(), a.len());
        assert!(moved[0].iter().zip(&a).all(|(m, t)| (m - t).abs() < 2.0 * 0.05));
        let lags = Lags::up_to(0.05, 0.002);
        let counts = correlograms(&[&a, &b], lags, &Watch::default()).unwrap().counts(0, 1);
        let band = &jitter_bands(&[&a, &b], &[(0, 1)], lags, jitter, &Watch::default()).unwrap()[0];
        let outside =
            counts.iter().zip(band.low.iter().zip(&band.high)).filter(|(c, (l, h))| f64::from(**c) < **l || f64::from(**c) > **h).count();
        assert!(outside <= 7, "{outside} of {} lags outside a 95 % band", counts.len());
    }

    #[test]
    fn very_many_spikes_of_one_unit_are_counted_by_several_threads_and_a_stop_is_obeyed() {
        let trains: Vec<f64> = (0..3 * SPIKES_PER_TASK + 7).map(|k| k as f64 * 0.01).collect();
        let lags = Lags::up_to(0.03, 0.01);
        let found = correlograms(&[&trains, &[]], lags, &Watch::default()).unwrap().counts(0, 0);
        let n = trains.len() as u32;
        assert_eq!(found, [n - 3, n - 2, n - 1, 0, n - 1, n - 2, n - 3]);
        let watch = Watch::default();
        watch.stop();
        assert_eq!(correlograms(&[&trains], lags, &watch).unwrap_err(), CorrelogramError::Stopped);
        let jitter = Jitter { window_s: 0.02, copies: 3, seed: 1 };
        assert_eq!(jitter_bands(&[&trains], &[(0, 0)], lags, jitter, &watch).unwrap_err(), CorrelogramError::Stopped);
    }

    #[test]
    fn rates_are_per_spike_of_the_reference_and_too_many_units_are_refused() {
        let lags = Lags::up_to(0.01, 0.001);
        let found = correlograms(&[&[1.0, 2.0], &[1.002]], lags, &Watch::default()).unwrap();
        assert!((found.per_second(0) - 500.0).abs() < 1e-9);
        assert_eq!(total(&found), 1);
        assert_eq!(found.per_second(9), 0.0);
        let many: Vec<&[f64]> = vec![&[]; 20_000];
        assert!(matches!(correlograms(&many, lags, &Watch::default()), Err(CorrelogramError::TooLarge { units: 20_000, .. })));
        assert_eq!(correlograms(&[], lags, &Watch::default()).unwrap().counts(0, 0), vec![0; 21]);
    }
}
