//! The peri-stimulus time histogram: counts per bin and unit, averaged over trials, and its smoothing.

use ndarray::{Array2, ArrayView3, Axis};
use rayon::prelude::*;

use super::analysed;

/// Trials summed by one task; integers, so the partition does not change the result.
const TRIALS_PER_TASK: usize = 64;

/// Spikes per analysed bin and unit summed over `trials`, `[bins, units]`, from counts `[trials, pad + bins, units]`.
/// Trials that do not exist are ignored.
pub fn summed(counts: ArrayView3<'_, u8>, pad: usize, trials: &[usize]) -> Array2<u32> {
    let (n_trials, total, units) = counts.dim();
    let shape = (total.saturating_sub(pad), units);
    trials
        .par_chunks(TRIALS_PER_TASK)
        .map(|chunk| {
            let mut sum = Array2::<u32>::zeros(shape);
            for &trial in chunk.iter().filter(|&&t| t < n_trials && pad <= total) {
                sum.zip_mut_with(&analysed(counts, pad, trial), |sum, &count| *sum += u32::from(count));
            }
            sum
        })
        .reduce(|| Array2::zeros(shape), |a, b| a + b)
}

/// Mean count per analysed bin and unit over `trials`, `[bins, units]`; zero without trials.
pub fn psth(counts: ArrayView3<'_, u8>, pad: usize, trials: &[usize]) -> Array2<f64> {
    summed(counts, pad, trials).mapv(|sum| f64::from(sum) / trials.len().max(1) as f64)
}

/// Smooth every column of `[bins, units]` over bins with a Gaussian of standard deviation `sd_bins` (cut at 4 sd). Near the
/// ends the part of the Gaussian that lies inside is scaled up to 1, so a constant stays a constant. 0 leaves it as it is.
pub fn smoothed(values: &Array2<f64>, sd_bins: f64) -> Array2<f64> {
    let bins = values.nrows();
    if sd_bins <= 0.0 || bins == 0 {
        return values.clone();
    }
    let reach = ((4.0 * sd_bins).ceil() as usize).min(bins - 1);
    let kernel: Vec<f64> = (0..=reach).map(|d| (-0.5 * (d as f64 / sd_bins).powi(2)).exp()).collect();
    let mut result = Array2::zeros(values.dim());
    for (bin, mut row) in result.axis_iter_mut(Axis(0)).enumerate() {
        let mut weight = 0.0;
        for other in bin.saturating_sub(reach)..=(bin + reach).min(bins - 1) {
            let k = kernel[other.abs_diff(bin)];
            weight += k;
            row.scaled_add(k, &values.row(other));
        }
        row /= weight;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, array};

    fn counts() -> Array3<u8> {
        Array3::from_shape_fn((130, 5, 2), |(trial, bin, unit)| if unit == 0 { (trial % 2) as u8 } else { bin as u8 })
    }

    #[test]
    fn padding_is_left_out_and_only_the_chosen_trials_count() {
        let all: Vec<usize> = (0..130).collect();
        assert_eq!(summed(counts().view(), 3, &all), array![[65, 390], [65, 520]]);
        assert_eq!(psth(counts().view(), 3, &[1, 3, 5]), array![[1.0, 3.0], [1.0, 4.0]]);
        assert_eq!(psth(counts().view(), 3, &[]), array![[0.0, 0.0], [0.0, 0.0]]);
        assert_eq!(summed(counts().view(), 3, &[1000]), array![[0, 0], [0, 0]]);
    }

    #[test]
    fn smoothing_keeps_constants_and_spreads_a_peak_evenly() {
        let flat = Array2::from_elem((20, 1), 0.3);
        assert!(smoothed(&flat, 3.0).iter().all(|x| (x - 0.3).abs() < 1e-12));
        let mut peak = Array2::zeros((101, 1));
        peak[[50, 0]] = 1.0;
        let soft = smoothed(&peak, 5.0);
        assert!((soft.sum() - 1.0).abs() < 1e-6);
        assert!((soft[[45, 0]] - soft[[55, 0]]).abs() < 1e-15);
        let sd = (0..101).map(|b| (b as f64 - 50.0).powi(2) * soft[[b, 0]]).sum::<f64>().sqrt();
        assert!((sd - 5.0).abs() < 0.05, "standard deviation {sd}");
        assert_eq!(smoothed(&peak, 0.0), peak);
    }
}
