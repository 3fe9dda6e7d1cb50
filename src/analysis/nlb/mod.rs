//! The metrics of the Neural Latents Benchmark (Pei et al. 2021), equal to the benchmark's own code: bits per spike of held-out
//! units and of forward bins, velocity decoding, agreement with PSTHs, and the correlation of neural speed with produced time.
//!
//! Rates are spikes **per bin** everywhere and counts have the same shape `[trials, bins, units]`; a NaN count is not scored.

mod bits;
mod decoding;
mod psth;
mod ridge;
mod smoothing;
mod speed;

pub use bits::{bits_per_spike, co_bps, fp_bps, unit_bits_per_spike};
pub use decoding::{DecodeTrials, Decoder, velocity_r2};
pub use psth::psth_r2;
pub use ridge::{RidgeScore, ridge_r2};
pub use smoothing::Smoothing;
pub use speed::{SpeedCorrelation, speed_tp_correlation};

use ndarray::{ArrayView3, Axis};

/// Why a score cannot be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NlbError {
    /// Arrays that do not belong together.
    #[error("{what} have the shape {got}, but {expected} is needed")]
    Shape {
        /// Which arrays.
        what: String,
        /// Their shape.
        got: String,
        /// Shape needed.
        expected: String,
    },
    /// A rate that no model may give.
    #[error("the rate of unit {unit} in bin {bin} of trial {trial} is {value}, but a rate in spikes per bin is at least 0")]
    Rate {
        /// Trial, from 0.
        trial: usize,
        /// Bin, from 0.
        bin: usize,
        /// Unit, from 0.
        unit: usize,
        /// Value found.
        value: f64,
    },
    /// Nothing to score.
    #[error("{what}, so there is nothing to score; {remedy}")]
    Nothing {
        /// What is missing.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// A matrix that cannot be solved.
    #[error("the ridge regression has no solution: the rates or the behaviour contain values that are not finite")]
    Singular,
}

fn same_shape(what: &str, got: &[usize], expected: &[usize]) -> Result<(), NlbError> {
    if got == expected {
        return Ok(());
    }
    Err(NlbError::Shape { what: what.to_owned(), got: format!("{got:?}"), expected: format!("{expected:?}") })
}

fn nothing(what: &str, remedy: &str) -> NlbError {
    NlbError::Nothing { what: what.to_owned(), remedy: remedy.to_owned() }
}

/// 1 − residual / total, as scikit-learn has it: a constant target scores 1 when met exactly, else 0.
fn r2(residual: f64, total: f64) -> f64 {
    match (total > 0.0, residual > 0.0) {
        (true, _) => 1.0 - residual / total,
        (false, true) => 0.0,
        (false, false) => 1.0,
    }
}

/// R² of predicted against true rates `[trials, bins, units]`: trials × bins flattened, uniform average over units (NDT).
///
/// # Errors
/// [`NlbError`] when shapes differ or there is nothing.
pub fn rate_r2<P: Copy + Into<f64>, Q: Copy + Into<f64>>(truth: ArrayView3<'_, P>, rates: ArrayView3<'_, Q>) -> Result<f64, NlbError> {
    same_shape("predicted rates", rates.shape(), truth.shape())?;
    if truth.is_empty() {
        return Err(nothing("there are no rates", "choose trials and units"));
    }
    let units = truth.len_of(Axis(2));
    let sum: f64 = truth
        .axis_iter(Axis(2))
        .zip(rates.axis_iter(Axis(2)))
        .map(|(truth, rates)| {
            let mean = truth.iter().map(|&x| x.into()).sum::<f64>() / truth.len() as f64;
            let total: f64 = truth.iter().map(|&x| (x.into() - mean).powi(2)).sum();
            let residual: f64 = truth.iter().zip(&rates).map(|(&a, &b)| (a.into() - b.into()).powi(2)).sum();
            r2(residual, total)
        })
        .sum();
    Ok(sum / units as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ndarray::Array3;

    use super::*;

    #[test]
    fn rate_r2_of_the_truth_its_mean_and_another_shape() {
        let truth = Array3::from_shape_fn((3, 5, 2), |(b, t, n)| (b * 3 + t * 2 + n) as f64);
        assert_eq!(rate_r2(truth.view(), truth.view()).unwrap(), 1.0);
        let mean = Array3::from_shape_fn((3, 5, 2), |(_, _, n)| truth.index_axis(Axis(2), n).mean().unwrap());
        assert!(rate_r2(truth.view(), mean.view()).unwrap().abs() < 1e-12);
        let error = rate_r2(truth.view(), Array3::<f32>::zeros((3, 5, 1)).view()).unwrap_err().to_string();
        assert!(error.contains("[3, 5, 1], but [3, 5, 2] is needed"), "{error}");
    }
}
