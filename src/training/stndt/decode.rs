//! Behaviour read from inferred rates by the benchmark's ridge regression, beside the same from smoothed spikes.

use ndarray::{Array2, Array3, ArrayView3, Axis, Slice};

use super::rate_model::{RateModel, RateModelError};
use crate::analysis::nlb::{RidgeScore, ridge_r2};
use crate::recording::Covariate;

/// Most training trials that a decoder is fitted on.
const MOST_TRIALS: usize = 400;

/// Behaviour of held-out trials, true and decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoding {
    /// Held-out trials, indices into the trials used.
    pub trials: Vec<usize>,
    /// Trials that the decoders were fitted on.
    pub fitted: usize,
    /// True behaviour `[trials, bins, outputs]`; NaN where it was not measured.
    pub truth: Array3<f64>,
    /// Decoded from inferred rates `[trials, bins, outputs]`.
    pub inferred: Array3<f64>,
    /// R² of that, mean over outputs.
    pub inferred_r2: f64,
    /// R² of smoothed spikes; `None` when they give none.
    pub smoothed_r2: Option<f64>,
}

/// Values of covariates in the middle of every observed bin, `lag_s` later `[trials, bins, outputs]`; NaN outside what was
/// measured.
fn behaviour(model: &RateModel, covariates: &[&Covariate], lag_s: f64, trials: &[usize]) -> Array3<f64> {
    let own = model.trials();
    let time = |trial: usize, bin: usize| own.starts.get(trial).copied().unwrap_or(f64::NAN) + (bin as f64 + 0.5) * own.bin_s + lag_s;
    Array3::from_shape_fn((trials.len(), model.observed_bins(), covariates.len()), |(row, bin, output)| {
        let trial = trials.get(row).copied().unwrap_or(usize::MAX);
        covariates.get(output).map_or(f64::NAN, |covariate| at(&covariate.times, &covariate.values, time(trial, bin)))
    })
}

/// Value at a time, linearly between samples; NaN before the first and after the last.
fn at(times: &[f64], values: &[f64], time: f64) -> f64 {
    let after = times.partition_point(|&t| t < time);
    let pair = |k: usize| Some((*times.get(k)?, *values.get(k)?));
    match (after.checked_sub(1).and_then(pair), pair(after)) {
        (_, Some((t, v))) if t == time => v,
        (Some((t0, v0)), Some((t1, v1))) => v0 + (v1 - v0) * (time - t0) / (t1 - t0),
        _ => f64::NAN,
    }
}

/// Bins with all of the behaviour as rows: rates `[rows, units]` and behaviour `[rows, outputs]`.
fn rows(rates: ArrayView3<'_, f64>, behaviour: ArrayView3<'_, f64>) -> (Array2<f64>, Array2<f64>) {
    let (_, bins, units) = rates.dim();
    let outputs = behaviour.len_of(Axis(2));
    let whole: Vec<(usize, usize)> = (0..behaviour.len_of(Axis(0)))
        .flat_map(|trial| (0..bins).map(move |bin| (trial, bin)))
        .filter(|&(trial, bin)| (0..outputs).all(|k| behaviour[[trial, bin, k]].is_finite()))
        .collect();
    let x = Array2::from_shape_fn((whole.len(), units), |(row, unit)| rates[[whole[row].0, whole[row].1, unit]]);
    let y = Array2::from_shape_fn((whole.len(), outputs), |(row, k)| behaviour[[whole[row].0, whole[row].1, k]]);
    (x, y)
}

/// Behaviour of some training and some other trials, for decoders of it.
pub(super) struct Decoder {
    observed: usize,
    train: Array3<f64>,
    truth: Array3<f64>,
}

impl Decoder {
    pub(super) fn new(model: &RateModel, covariates: &[&Covariate], lag_s: f64, train: &[usize], trials: &[usize]) -> Self {
        let of = |trials: &[usize]| behaviour(model, covariates, lag_s, trials);
        Self { observed: model.observed_bins(), train: of(train), truth: of(trials) }
    }

    /// Ridge regression from rates `[trials, bins, units]` of the training trials, scored on those of the others; bins that are
    /// predicted forward are left out.
    ///
    /// # Errors
    /// [`RateModelError::Nothing`] when too little of the behaviour is known.
    pub(super) fn fit(&self, train: &Array3<f64>, rates: &Array3<f64>) -> Result<RidgeScore, RateModelError> {
        let seen = |rates: &Array3<f64>| rates.slice_axis(Axis(1), Slice::from(..self.observed)).to_owned();
        let (x, y) = rows(seen(train).view(), self.train.view());
        let (eval_x, eval_y) = rows(seen(rates).view(), self.truth.view());
        ridge_r2(x.view(), y.view(), eval_x.view(), eval_y.view()).map_err(|e| RateModelError::Nothing(e.to_string()))
    }
}

/// Decode `covariates` (names) at `lag_s` after the spikes on the run's test trials (its validation trials when it has no test
/// trials).
///
/// # Errors
/// [`RateModelError`] when a covariate is missing or does not cover the trials, or the device fails.
pub fn decode(model: &RateModel, covariates: &[String], lag_s: f64) -> Result<Decoding, RateModelError> {
    let find = |name: &String| model.recording().covariates.iter().find(|c| c.name == *name);
    let found: Vec<&Covariate> = covariates.iter().filter_map(find).collect();
    if found.is_empty() || found.len() < covariates.len() {
        return Err(RateModelError::Nothing(format!("the recording has no covariate '{}'", covariates.join("', '"))));
    }
    let split = model.split();
    let step = split.train.len().div_ceil(MOST_TRIALS).max(1);
    let train: Vec<usize> = split.train.iter().copied().step_by(step).collect();
    let trials = if split.test.is_empty() { split.validation.clone() } else { split.test.clone() };
    let decoder = Decoder::new(model, &found, lag_s, &train, &trials);
    let rates = model.rates(&trials, &[])?;
    let score = decoder.fit(&model.rates(&train, &[])?, &rates)?;
    let smoothed = model.smoothed(&train).zip(model.smoothed(&trials));
    let smoothed_r2 = smoothed.and_then(|(train, eval)| decoder.fit(&train, &eval).ok()).map(|s| s.r2);
    let truth = decoder.truth;
    let inferred = Array3::from_shape_fn(truth.raw_dim(), |(trial, bin, output)| {
        let own = (0..rates.len_of(Axis(2))).map(|unit| rates[[trial, bin, unit]] * score.weights[[unit, output]]);
        own.sum::<f64>() + score.intercept.get(output).copied().unwrap_or(0.0)
    });
    Ok(Decoding { trials, fitted: train.len(), truth, inferred, inferred_r2: score.r2, smoothed_r2 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn values_are_read_between_samples_and_not_outside() {
        let (times, values) = ([0.0, 1.0, 3.0], [10.0, 20.0, 0.0]);
        assert_eq!(at(&times, &values, 0.5), 15.0);
        assert_eq!(at(&times, &values, 0.0), 10.0);
        assert_eq!(at(&times, &values, 3.0), 0.0);
        assert_eq!(at(&times, &values, 2.0), 10.0);
        assert!(at(&times, &values, -0.1).is_nan() && at(&times, &values, 3.1).is_nan() && at(&[], &[], 0.0).is_nan());
    }

    #[test]
    fn bins_without_all_of_the_behaviour_are_left_out() {
        let rates = Array3::from_shape_fn((2, 3, 1), |(t, b, _)| (10 * t + b) as f64);
        let mut behaviour = Array3::from_elem((2, 3, 2), 1.0);
        behaviour[[0, 1, 1]] = f64::NAN;
        let (x, y) = rows(rates.view(), behaviour.view());
        assert_eq!((x.column(0).to_vec(), y.dim()), (vec![0.0, 2.0, 10.0, 11.0, 12.0], (5, 2)));
    }
}
