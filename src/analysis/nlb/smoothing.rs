//! The benchmark's smoothing baseline (Pei et al. 2021): held-in spikes smoothed with a Gaussian, and held-out units as a Poisson
//! regression on the logarithm of these.

use nalgebra::{DMatrix, DVector};
use ndarray::{Array2, Array3, ArrayView3, Axis, Slice};
use rayon::prelude::*;

use super::super::psth::smoothed;
use super::{NlbError, nothing, same_shape};

/// How to smooth; defaults are the benchmark's example for MC_Maze.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smoothing {
    /// Standard deviation of the Gaussian, seconds.
    pub sd_s: f64,
    /// Ridge penalty of the regression (scikit-learn's `alpha` of `PoissonRegressor`).
    pub alpha: f64,
}

impl Default for Smoothing {
    fn default() -> Self {
        Self { sd_s: 0.05, alpha: 0.01 }
    }
}

/// Added to smoothed spikes before their logarithm is taken.
const OFFSET: f64 = 1e-4;
/// Newton steps of the regression.
const STEPS: usize = 30;
/// A regression on more numbers than this takes every k-th row: more rows hardly change a handful of weights.
const MOST_WORK: usize = 300_000_000;

impl Smoothing {
    /// Rates of the evaluation trials, spikes per bin `[trials, bins, units]`, from counts of the same layout whose first `heldin`
    /// units are seen. `bin_s` is the bin width in seconds.
    ///
    /// # Errors
    /// [`NlbError`] when the units differ or there is nothing to fit.
    pub fn rates(
        &self,
        train: ArrayView3<'_, f32>,
        evaluate: ArrayView3<'_, f32>,
        heldin: usize,
        bin_s: f64,
    ) -> Result<Array3<f64>, NlbError> {
        let units = train.len_of(Axis(2));
        same_shape("units of the evaluation trials", &[evaluate.len_of(Axis(2))], &[units])?;
        if train.is_empty() || heldin == 0 || heldin > units {
            return Err(nothing("there are no training counts", "choose trials and units"));
        }
        let sd_bins = self.sd_s / bin_s;
        let mut rates = Array3::zeros(evaluate.raw_dim());
        let seen = smooth(evaluate, heldin, sd_bins);
        rates.slice_axis_mut(Axis(2), Slice::from(..heldin)).assign(&seen);
        if heldin == units {
            return Ok(rates);
        }
        let inputs = predictors(&smooth(train, heldin, sd_bins));
        let every = (inputs.nrows() * (heldin + 1).pow(2)).div_ceil(MOST_WORK).max(1);
        let inputs = DMatrix::from_fn(inputs.nrows().div_ceil(every), heldin + 1, |row, column| inputs[[row * every, column]]);
        let outputs = predictors(&seen);
        let (trials, bins, _) = evaluate.dim();
        let predicted: Vec<Array2<f64>> = (heldin..units)
            .into_par_iter()
            .map(|unit| {
                let counts: Vec<f64> = train.index_axis(Axis(2), unit).iter().step_by(every).map(|&y| f64::from(y)).collect();
                let weights = poisson_regression(&inputs, &DVector::from_vec(counts), self.alpha)?;
                let log_rate = outputs.dot(&ndarray::Array1::from_vec(weights.as_slice().to_vec()));
                Array2::from_shape_vec((trials, bins), log_rate.iter().map(|x| x.min(LARGEST).exp()).collect())
                    .map_err(|_| NlbError::Singular)
            })
            .collect::<Result<_, _>>()?;
        for (unit, own) in (heldin..).zip(&predicted) {
            rates.index_axis_mut(Axis(2), unit).assign(own);
        }
        Ok(rates)
    }
}

/// Log-rates above this are cut: a rate of e^10 per bin is no rate.
const LARGEST: f64 = 10.0;

fn smooth(counts: ArrayView3<'_, f32>, heldin: usize, sd_bins: f64) -> Array3<f64> {
    let mut rates = counts.slice_axis(Axis(2), Slice::from(..heldin)).mapv(f64::from);
    rates.axis_iter_mut(Axis(0)).into_par_iter().for_each(|mut trial| {
        let smooth = smoothed(&trial.to_owned(), sd_bins);
        trial.assign(&smooth);
    });
    rates
}

/// Logarithms `[trials × bins, units + 1]` with a last column of ones.
fn predictors(rates: &Array3<f64>) -> Array2<f64> {
    let (trials, bins, units) = rates.dim();
    Array2::from_shape_fn((trials * bins, units + 1), |(row, unit)| match unit < units {
        true => (rates[[row / bins, row % bins, unit]].max(0.0) + OFFSET).ln(),
        false => 1.0,
    })
}

/// Weights that minimise mean(exp(x·w) − y·x·w) + alpha / 2 · |w|², the last weight unpenalised, by Newton steps that are halved
/// until they help.
fn poisson_regression(x: &DMatrix<f64>, y: &DVector<f64>, alpha: f64) -> Result<DVector<f64>, NlbError> {
    let (rows, columns) = x.shape();
    let n = rows as f64;
    let penalty = |w: &DVector<f64>| 0.5 * alpha * w.rows(0, columns - 1).norm_squared();
    let loss = |eta: &DVector<f64>, w: &DVector<f64>| {
        eta.iter().zip(y.iter()).map(|(&eta, &y)| eta.min(LARGEST).exp() - y * eta).sum::<f64>() / n + penalty(w)
    };
    let mut w = DVector::zeros(columns);
    w[columns - 1] = (y.sum().max(0.5) / n).ln();
    let mut eta = x * &w;
    let mut now = loss(&eta, &w);
    for _ in 0..STEPS {
        let rate = eta.map(|eta| eta.min(LARGEST).exp());
        let mut slope = x.tr_mul(&(&rate - y)) / n;
        let mut scaled = x.clone();
        for (mut row, rate) in scaled.row_iter_mut().zip(rate.iter()) {
            row *= rate.sqrt();
        }
        let mut curvature = scaled.tr_mul(&scaled) / n;
        for at in 0..columns - 1 {
            slope[at] += alpha * w[at];
            curvature[(at, at)] += alpha;
        }
        // The intercept of a silent unit has hardly any curvature.
        curvature[(columns - 1, columns - 1)] += 1e-12;
        let step = curvature.cholesky().ok_or(NlbError::Singular)?.solve(&slope);
        let move_of = x * &step;
        let mut share = 1.0;
        let better = loop {
            let (next, next_eta) = (&w - &step * share, &eta - &move_of * share);
            let then = loss(&next_eta, &next);
            if then < now {
                break Some((next, next_eta, then));
            }
            share *= 0.5;
            if share < 1e-6 {
                break None;
            }
        };
        let Some((next, next_eta, then)) = better else { break };
        let gained = now - then;
        (w, eta, now) = (next, next_eta, then);
        if gained < 1e-10 {
            break;
        }
    }
    Ok(w)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::analysis::nlb::co_bps;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_regression_finds_the_weights_behind_counts() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let x = DMatrix::from_fn(20_000, 3, |_, c| if c < 2 { random.random::<f64>() * 2.0 - 1.0 } else { 1.0 });
        let truth = DVector::from_vec(vec![0.8, -0.5, -1.0]);
        // Expected counts in place of drawn ones: the minimum is then the truth itself.
        let y = (&x * &truth).map(f64::exp);
        let found = poisson_regression(&x, &y, 0.0).unwrap();
        assert!((&found - &truth).norm() < 1e-4, "{found}");
        let shrunk = poisson_regression(&x, &y, 0.1).unwrap();
        assert!(shrunk[0] < 0.8 && shrunk[0] > 0.1 && shrunk[1].abs() < 0.5);
        assert!(poisson_regression(&x, &DVector::zeros(20_000), 0.01).unwrap().iter().all(|w| w.is_finite()));
    }

    #[test]
    fn hidden_units_that_follow_seen_ones_are_predicted() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut counts = |trials: usize| {
            Array3::from_shape_fn((trials, 60, 8), |(trial, bin, _)| {
                let rate = if (bin / 15 + trial) % 2 == 0 { 0.6 } else { 0.05 };
                f32::from(u8::from(random.random::<f64>() < rate))
            })
        };
        let (train, valid) = (counts(60), counts(20));
        let rates = Smoothing::default().rates(train.view(), valid.view(), 6, 0.02).unwrap();
        assert_eq!(rates.dim(), valid.dim());
        let score = co_bps(rates.view(), valid.view(), 6, 60).unwrap();
        assert!(score > 0.2, "{score}");
        let all = Smoothing::default().rates(train.view(), valid.view(), 8, 0.02).unwrap();
        assert!((all.sum() - f64::from(valid.sum())).abs() < 0.1 * all.sum());
    }
}
