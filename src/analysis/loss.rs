//! The Poisson loss of the GLM-Transformer and the references it is compared with: a flat rate per unit and the mean over
//! training trials. All take counts `[trials, pad + bins, units]` and look at the analysed bins only.

use ndarray::{Array2, ArrayView3, Axis};
use rayon::prelude::*;

use super::{analysed, psth};

/// Standard deviations tried when the PSTH is smoothed, bins.
const SMOOTHING_BINS: [f64; 8] = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// `exp(eta) − y·eta`: the Poisson loss of one bin and unit without the constant `log y!` (spec §4.1).
pub fn poisson_term(count: u8, log_rate: f64) -> f64 {
    log_rate.exp() - f64::from(count) * log_rate
}

/// Mean Poisson loss per bin and unit of log-rates `[trials, bins, units]` on counts `[trials, pad + bins, units]`.
/// `None` when the shapes do not fit or nothing is left to average.
pub fn poisson_loss(counts: ArrayView3<'_, u8>, pad: usize, log_rate: ArrayView3<'_, f32>) -> Option<f64> {
    let (trials, total, units) = counts.dim();
    if total <= pad || log_rate.dim() != (trials, total - pad, units) || log_rate.is_empty() {
        return None;
    }
    let sums: Vec<f64> = (0..trials)
        .into_par_iter()
        .map(|trial| {
            let eta = log_rate.index_axis(Axis(0), trial);
            analysed(counts, pad, trial).iter().zip(eta).map(|(&y, &eta)| poisson_term(y, f64::from(eta))).sum()
        })
        .collect();
    Some(sums.iter().sum::<f64>() / log_rate.len() as f64)
}

/// Loss on the trials `evaluate` of one constant rate per unit, estimated on the trials `train`. A unit without a spike there
/// is given half a spike, so that one spike elsewhere does not make the loss infinite. `None` without trials or bins.
pub fn flat_loss(counts: ArrayView3<'_, u8>, pad: usize, train: &[usize], evaluate: &[usize]) -> Option<f64> {
    let rates = flat_rates(counts, pad, train)?;
    let bins = counts.len_of(Axis(1)) - pad;
    let rates = rates.broadcast((bins, counts.len_of(Axis(2))))?.to_owned();
    steady_loss(&rates, counts, pad, evaluate)
}

/// The loss of a smoothed PSTH.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PsthLoss {
    /// Loss per bin and unit on the evaluated trials.
    pub loss: f64,
    /// Standard deviation of the Gaussian it was smoothed with, bins; 0 for none.
    pub sd_bins: f64,
}

/// Loss on the trials `evaluate` of rates that depend on bin and unit but not on the trial: the mean over the trials `train`,
/// to which one trial at the unit's flat rate is added (so that no rate is zero), smoothed over bins with the Gaussian that
/// does best on the trials `validation` (sd 0 to 64 bins). `None` when one of the sets is empty.
pub fn psth_loss(counts: ArrayView3<'_, u8>, pad: usize, train: &[usize], validation: &[usize], evaluate: &[usize]) -> Option<PsthLoss> {
    let (rates, sd_bins) = psth_rates(counts, pad, train, validation)?;
    Some(PsthLoss { loss: steady_loss(&rates, counts, pad, evaluate)?, sd_bins })
}

/// The rates behind [`psth_loss`], spikes per bin `[bins, units]`, and the standard deviation they were smoothed with, bins.
pub fn psth_rates(counts: ArrayView3<'_, u8>, pad: usize, train: &[usize], validation: &[usize]) -> Option<(Array2<f64>, f64)> {
    let flat = flat_rates(counts, pad, train)?;
    let mean = (psth::summed(counts, pad, train).mapv(f64::from) + &flat) / (train.len() + 1) as f64;
    let mut best: Option<(f64, f64, Array2<f64>)> = None;
    for sd_bins in SMOOTHING_BINS {
        let rates = psth::smoothed(&mean, sd_bins);
        let loss = steady_loss(&rates, counts, pad, validation)?;
        if best.as_ref().is_none_or(|(lowest, ..)| loss < *lowest) {
            best = Some((loss, sd_bins, rates));
        }
    }
    best.map(|(_, sd_bins, rates)| (rates, sd_bins))
}

/// Mean count per bin of every unit, `[1, units]`; half a spike in all for a unit without any.
pub fn flat_rates(counts: ArrayView3<'_, u8>, pad: usize, train: &[usize]) -> Option<Array2<f64>> {
    let bins = counts.len_of(Axis(1)).checked_sub(pad).filter(|&bins| bins > 0)?;
    let cells = (bins * train.len()) as f64;
    let spikes = psth::summed(counts, pad, train).mapv(f64::from).sum_axis(Axis(0));
    (cells > 0.0).then(|| spikes.mapv(|s| s.max(0.5) / cells).insert_axis(Axis(0)))
}

/// Loss of rates `[bins, units]` that are the same in every trial: the sum of the counts over trials is all it needs.
fn steady_loss(rates: &Array2<f64>, counts: ArrayView3<'_, u8>, pad: usize, evaluate: &[usize]) -> Option<f64> {
    let trials = evaluate.len() as f64;
    let spikes = psth::summed(counts, pad, evaluate);
    let total: f64 = rates.iter().zip(&spikes).map(|(&rate, &spikes)| trials * rate - f64::from(spikes) * rate.ln()).sum();
    (!evaluate.is_empty() && !rates.is_empty()).then(|| total / (trials * rates.len() as f64))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ndarray::{Array3, Slice};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Counts of units whose rate follows `rate(bin, unit)`, the same in every trial; padding is full of spikes.
    fn counts(trials: usize, bins: usize, units: usize, rate: impl Fn(usize, usize) -> f64) -> Array3<u8> {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        Array3::from_shape_fn((trials, bins + 3, units), |(_, bin, unit)| match bin.checked_sub(3) {
            None => 9,
            Some(bin) => u8::from(random.random::<f64>() < rate(bin, unit)),
        })
    }

    #[test]
    fn the_loss_is_exp_minus_y_eta() {
        let counts = Array3::from_shape_vec((1, 3, 1), vec![5, 0, 2]).unwrap();
        let eta = Array3::from_shape_vec((1, 2, 1), vec![-1.0_f32, 0.5]).unwrap();
        let expected = ((-1.0_f64).exp() + 0.5_f64.exp() - 2.0 * 0.5) / 2.0;
        assert!((poisson_loss(counts.view(), 1, eta.view()).unwrap() - expected).abs() < 1e-7);
        assert_eq!(poisson_loss(counts.view(), 2, eta.view()), None);
        assert_eq!(poisson_loss(counts.view(), 4, eta.view()), None);
    }

    #[test]
    fn flat_and_psth_losses_agree_with_the_loss_of_their_rates() {
        let counts = counts(60, 40, 3, |bin, unit| if unit == 2 { 0.0 } else { 0.05 + 0.2 * f64::from(u8::from(bin > 20)) });
        let (train, test): (Vec<usize>, Vec<usize>) = ((0..40).collect(), (50..60).collect());
        let flat = flat_loss(counts.view(), 3, &train, &test).unwrap();
        let rate = |unit: usize| {
            (0..40).flat_map(|t| analysed(counts.view(), 3, t).column(unit).to_vec()).map(f64::from).sum::<f64>().max(0.5) / 1600.0
        };
        let eta = Array3::from_shape_fn((10, 40, 3), |(_, _, unit)| rate(unit).ln() as f32);
        let direct = poisson_loss(counts.slice_axis(Axis(0), Slice::from(50..)), 3, eta.view()).unwrap();
        assert!((flat - direct).abs() < 1e-6, "{flat} {direct}");
        let psth = psth_loss(counts.view(), 3, &train, &(40..50).collect::<Vec<_>>(), &test).unwrap();
        assert!(psth.loss < flat - 0.01, "a rate that steps is better told by the PSTH: {psth:?} against {flat}");
    }

    #[test]
    fn a_flat_unit_gets_the_widest_smoothing_a_stepping_one_little() {
        let sets: [Vec<usize>; 3] = [(0..200).collect(), (200..300).collect(), (300..400).collect()];
        let sd =
            |rate: fn(usize, usize) -> f64| psth_loss(counts(400, 60, 4, rate).view(), 3, &sets[0], &sets[1], &sets[2]).unwrap().sd_bins;
        assert!(sd(|_, _| 0.1) >= 32.0);
        assert!(sd(|bin, _| if bin % 20 < 10 { 0.02 } else { 0.6 }) <= 2.0);
    }

    #[test]
    fn empty_sets_have_no_loss() {
        let counts = counts(5, 4, 1, |_, _| 0.5);
        assert_eq!(flat_loss(counts.view(), 3, &[], &[1]), None);
        assert_eq!(flat_loss(counts.view(), 3, &[0], &[]), None);
        assert_eq!(flat_loss(counts.view(), 7, &[0], &[1]), None);
        assert_eq!(psth_loss(counts.view(), 3, &[0], &[], &[1]), None);
    }

    #[test]
    fn a_unit_silent_in_training_has_a_finite_loss() {
        let mut counts = Array3::<u8>::zeros((3, 4, 1));
        counts[[2, 1, 0]] = 1;
        assert!(flat_loss(counts.view(), 0, &[0, 1], &[2]).unwrap().is_finite());
        assert!(psth_loss(counts.view(), 0, &[0], &[1], &[2]).unwrap().loss.is_finite());
    }
}
