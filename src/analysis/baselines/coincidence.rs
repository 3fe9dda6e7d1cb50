//! Jitter-corrected cross-correlograms of all pairs of units of two areas, with the usual rule for a functional connection (Siegle,
//! Jia et al. 2021, Nature 592:86): a peak within 10 ms after the sender's spike that exceeds the mean of the flanks, lags of 50 to
//! 100 ms, by 7 of their standard deviations.
//!
//! The correction is the exact mean over interval jitter of the sender (Amarasingham et al. 2012): in every window of 25 ms each bin of
//! the sender counts for the window's mean. Structure slower than the window, shared background for example, goes out.

use std::ops::RangeInclusive;

use ndarray::{Array2, Array3, Axis, Slice};
use rayon::prelude::*;

use super::{Rates, TrialCounts, parts};
use crate::analysis::psth;

/// Parts of the trials that are summed on their own.
const PARTS: usize = 16;

/// Windows, lags and threshold, all times in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct CoincidenceSettings {
    /// Bin width of the counts.
    pub bin_s: f64,
    /// Length of the jitter windows.
    pub jitter_s: f64,
    /// Longest lag of a peak.
    pub peak_s: f64,
    /// Lags of the flanks, either direction.
    pub flanks_s: RangeInclusive<f64>,
    /// Standard deviations of the flanks that a peak must exceed.
    pub threshold: f64,
}

impl CoincidenceSettings {
    /// The usual rule, for counts in bins of `bin_s`.
    pub fn new(bin_s: f64) -> Self {
        Self { bin_s, jitter_s: 0.025, peak_s: 0.010, flanks_s: 0.050..=0.100, threshold: 7.0 }
    }

    fn bins(&self, seconds: f64) -> usize {
        (seconds / self.bin_s).round().max(1.0) as usize
    }
}

/// Correlograms of all pairs from one area to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Coincidence {
    source: usize,
    /// Jitter-corrected count per spike of the sender, `[lags, sending units, receiving units]`; the first lag is −`side` bins.
    corrected: Array3<f64>,
    side: usize,
    /// Lags of a peak, bins.
    reach: usize,
    /// Mean rate of the receiving units `[bins, units]`, spikes per bin.
    psth: Array2<f64>,
    /// Height of the peak over the flanks in their standard deviations, `[sending units, receiving units]`.
    pub height: Array2<f64>,
    /// Whether the rule calls the pair connected.
    pub connected: Array2<bool>,
    target: usize,
}

/// All pairs from area `source` to area `target` on some trials.
pub fn coincidence(
    counts: &TrialCounts<'_>,
    source: usize,
    target: usize,
    trials: &[usize],
    settings: &CoincidenceSettings,
) -> Coincidence {
    let (senders, receivers) = (counts.columns(source), counts.columns(target));
    let (n, m) = (senders.len(), receivers.len());
    let side = settings.bins(*settings.flanks_s.end());
    let window = settings.bins(settings.jitter_s);
    let lags = 2 * side + 1;
    let sums: Vec<(Array3<f64>, Vec<f64>)> = parts(trials, PARTS)
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|some| {
            // Receiver first: what is added to for one spike lies together.
            let mut sum = Array3::<f32>::zeros((m, lags, n));
            let mut spikes = vec![0.0; n];
            for &trial in some {
                let all = counts.trial(trial);
                let sent = all.slice_axis(Axis(1), Slice::from(senders.clone()));
                spikes.iter_mut().zip(sent.columns()).for_each(|(sum, unit)| *sum += unit.iter().map(|&y| f64::from(y)).sum::<f64>());
                let corrected = without_jitter_mean(&sent.mapv(f32::from), window);
                let received = all.slice_axis(Axis(1), Slice::from(receivers.clone()));
                for ((time, unit), &y) in received.indexed_iter().filter(|(_, y)| **y > 0) {
                    for lag in 0..lags {
                        // A lag of `lag − side` bins: the sender's bin is that much earlier.
                        let Some(earlier) = (time + side).checked_sub(lag).filter(|&t| t < corrected.nrows()) else { continue };
                        let mut to = sum.index_axis_mut(Axis(0), unit);
                        to.row_mut(lag).scaled_add(f32::from(y), &corrected.row(earlier));
                    }
                }
            }
            (sum.mapv(f64::from), spikes)
        })
        .collect();
    let mut corrected = Array3::zeros((lags, n, m));
    let mut spikes = vec![0.0; n];
    for (sum, of_part) in sums {
        corrected += &sum.permuted_axes([1, 2, 0]);
        spikes.iter_mut().zip(of_part).for_each(|(to, from)| *to += from);
    }
    for (unit, count) in spikes.iter().enumerate() {
        corrected.index_axis_mut(Axis(1), unit).mapv_inplace(|x| x / f64::max(*count, 1.0));
    }
    let reach = settings.bins(settings.peak_s).min(side);
    let flank = settings.bins(*settings.flanks_s.start()).min(side);
    let height = Array2::from_shape_fn((n, m), |(from, to)| {
        let at = |lag: usize| corrected[[lag, from, to]];
        let flanks: Vec<f64> = (0..lags).filter(|lag| lag.abs_diff(side) >= flank).map(at).collect();
        let mean = flanks.iter().sum::<f64>() / flanks.len().max(1) as f64;
        let sd = (flanks.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / flanks.len().max(1) as f64).sqrt();
        let peak = (side + 1..=side + reach).map(at).fold(f64::NEG_INFINITY, f64::max);
        if sd > 0.0 && from + senders.start != to + receivers.start { (peak - mean) / sd } else { 0.0 }
    });
    let connected = height.mapv(|h| h > settings.threshold);
    let own = psth::psth(counts.counts, counts.pad, trials);
    let psth = own.slice_axis(Axis(1), Slice::from(receivers)).to_owned();
    Coincidence { source, corrected, side, reach, psth, height, connected, target }
}

/// Counts less their mean in each window of `window` bins; the last window may be shorter.
fn without_jitter_mean(counts: &Array2<f32>, window: usize) -> Array2<f32> {
    let mut corrected = counts.clone();
    for mut part in corrected.axis_chunks_iter_mut(Axis(0), window.max(1)) {
        if let Some(mean) = part.mean_axis(Axis(0)) {
            part -= &mean;
        }
    }
    corrected
}

impl Coincidence {
    /// Share of the pairs that are connected, 0 to 1.
    pub fn share(&self) -> f64 {
        let pairs = self.connected.len().max(1) as f64;
        self.connected.iter().filter(|c| **c).count() as f64 / pairs
    }

    /// Excess rate of connected pairs, spikes per bin and spike of the sender, `[sending units, lags, receiving units]`; the first lag
    /// is one bin. Pairs that are not connected have none.
    pub fn excess(&self) -> Array3<f64> {
        let (_, n, m) = self.corrected.dim();
        Array3::from_shape_fn((n, self.reach, m), |(from, lag, to)| {
            if self.connected[[from, to]] { self.corrected[[self.side + 1 + lag, from, to]] } else { 0.0 }
        })
    }

    /// Mean jitter-corrected correlogram of all pairs, spikes per bin and spike of the sender; the first lag is −`side` bins.
    pub fn mean(&self) -> Vec<f64> {
        self.corrected.outer_iter().map(|lag| lag.mean().unwrap_or(0.0)).collect()
    }

    /// The receiving area.
    pub fn target(&self) -> usize {
        self.target
    }
}

impl Rates for Coincidence {
    /// The mean over trials, and with coupling the excess after every spike of a connected sender; at least 0.
    fn rates(&self, counts: &TrialCounts<'_>, trial: usize, source: usize) -> (Array2<f64>, Array2<f64>) {
        let without = self.psth.clone();
        let mut with = without.clone();
        let spikes = counts.trial(trial);
        for (from, unit) in counts.columns(self.source).enumerate() {
            for (to, connected) in self.connected.row(from).iter().enumerate() {
                if !connected {
                    continue;
                }
                for (time, &y) in spikes.column(unit).iter().enumerate().filter(|(_, y)| **y > 0) {
                    for lag in 1..=self.reach {
                        if let Some(rate) = (time + lag).checked_sub(counts.pad).and_then(|bin| with.get_mut([bin, to])) {
                            *rate += f64::from(y) * self.corrected[[self.side + lag, from, to]];
                        }
                    }
                }
            }
        }
        with.mapv_inplace(|rate| rate.max(0.0));
        if source == self.source { (with, without) } else { (with.clone(), with) }
    }

    fn units(&self) -> usize {
        self.psth.ncols()
    }
}

#[cfg(test)]
mod tests {
    use super::super::contribution;
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Three senders and three receivers with a common slow rate; sender 0 drives receiver 1 after three bins of 2 ms.
    fn counts(drive: f64) -> Array3<u8> {
        let mut random = ChaCha8Rng::seed_from_u64(6);
        let mut counts = Array3::<u8>::zeros((150, 300, 6));
        for mut trial in counts.outer_iter_mut() {
            let phase: f64 = random.random_range(0.0..6.0);
            for bin in 0..300 {
                let rate = 0.05 * (1.0 + 0.8 * (bin as f64 / 60.0 + phase).sin());
                for unit in 0..6 {
                    let extra = if unit == 4 && bin >= 3 && trial[[bin - 3, 0]] > 0 { drive } else { 0.0 };
                    trial[[bin, unit]] = u8::from(random.random::<f64>() < rate + extra);
                }
            }
        }
        counts
    }

    #[test]
    fn the_driven_pair_is_found_and_no_other() {
        let trials: Vec<usize> = (0..100).collect();
        let others: Vec<usize> = (100..150).collect();
        for (drive, found) in [(0.3, 1), (0.0, 0)] {
            let counts = counts(drive);
            let data = TrialCounts { counts: counts.view(), pad: 50, area_sizes: &[3, 3] };
            let one = coincidence(&data, 0, 1, &trials, &CoincidenceSettings::new(0.002));
            assert_eq!(one.connected.iter().filter(|c| **c).count(), found, "{}", one.height);
            assert_eq!(one.connected[[0, 1]], found == 1);
            let back = coincidence(&data, 1, 0, &trials, &CoincidenceSettings::new(0.002));
            assert_eq!(back.share(), 0.0, "{}", back.height);
            let percent = contribution(&one, &data, &others, 0);
            assert_eq!(percent > 1.0, found == 1, "{percent} %");
            if found == 1 {
                let excess = one.excess();
                assert!((excess[[0, 2, 1]] - drive).abs() < 0.06, "{excess}");
                assert_eq!(one.mean().len(), 101);
            }
        }
    }

    #[test]
    fn the_correction_is_the_mean_over_jitter() {
        let counts = Array2::from_shape_fn((7, 1), |(bin, _)| [3.0, 0.0, 0.0, 6.0, 1.0, 1.0, 5.0][bin]);
        let corrected = without_jitter_mean(&counts, 3);
        let wanted = [2.0, -1.0, -1.0, 10.0 / 3.0, -5.0 / 3.0, -5.0 / 3.0, 0.0];
        assert!(corrected.column(0).iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-5), "{corrected}");
    }
}
