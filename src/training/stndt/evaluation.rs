//! Every score of the benchmark that the data allow, of a run's rates and of what they are compared with.

use ndarray::{Array2, Array3, ArrayView3, Axis};

use super::rate_model::RateModel;
use crate::analysis::loss::flat_rates;
use crate::analysis::nlb::{DecodeTrials, NlbError, psth_r2, unit_bits_per_spike, velocity_r2};
use crate::analysis::psth::smoothed;
use crate::models::DeviceFailed;
use crate::recording::{Recording, Trials};
use crate::training::{Prepared, RateScores};

/// Standard deviation of the Gaussian that PSTHs are smoothed with, seconds (benchmark §2, MC_Maze).
const PSTH_SD_S: f64 = 0.07;

/// Why a run cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceFailed),
    /// The decoding cannot be scored.
    #[error("decoding: {0}")]
    Decoding(NlbError),
}

/// Scores on some trials; a score that cannot be computed is NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Bits per spike and R² of the true rates.
    pub scores: RateScores,
    /// The same of a flat rate per unit.
    pub flat: RateScores,
    /// The same of the benchmark's smoothing baseline.
    pub smoothing: Option<RateScores>,
    /// The same of the true rates.
    pub oracle: Option<RateScores>,
    /// Bits per spike of every held-out unit (column of the counts, score); NaN without a spike.
    pub units: Vec<(usize, f64)>,
    /// R² of mean rates against PSTHs by condition.
    pub psth_r2: f64,
    /// R² of behaviour decoded from the rates.
    pub velocity_r2: f64,
    /// R² of behaviour decoded from smoothed spikes.
    pub smoothing_velocity_r2: f64,
}

impl Evaluation {
    /// Evaluate rates `[trials, bins, units]` of `trials`; `train_rates` are those of the training trials, for decoders. `covariates`
    /// are the behaviour that is decoded (may be empty), taken `lag_s` later than the rates.
    ///
    /// # Errors
    /// [`EvaluationError`].
    pub fn new(
        model: &RateModel,
        rates: ArrayView3<'_, f64>,
        train_rates: ArrayView3<'_, f64>,
        trials: &[usize],
        covariates: &[usize],
        lag_s: f64,
    ) -> Result<Self, EvaluationError> {
        let data = model.data();
        let smoothing = model.smoothed_rates(trials);
        let oracle = model.true_rates(trials);
        let decode = |train: ArrayView3<'_, f64>, own: ArrayView3<'_, f64>| match covariates.is_empty() {
            true => Ok(f64::NAN),
            false => decoded(data, model.observed_bins(), (train, &data.split.train), (own, trials), covariates, lag_s),
        };
        let smoothing_velocity_r2 = match (&smoothing, covariates.is_empty()) {
            (Some(own), false) => match model.smoothed_rates(&data.split.train) {
                Some(train) => decode(train.view(), own.view())?,
                None => f64::NAN,
            },
            _ => f64::NAN,
        };
        let counts = model.counts(trials);
        let held_out: Vec<usize> = model.held_out().iter().enumerate().filter(|(_, h)| **h).map(|(column, _)| column).collect();
        let observed = ndarray::Slice::from(..model.observed_bins());
        let of_held_out = |values: ArrayView3<'_, f64>| values.slice_axis(Axis(1), observed).select(Axis(2), &held_out);
        let per_unit = unit_bits_per_spike(of_held_out(rates).view(), of_held_out(counts.mapv(f64::from).view()).view());
        let per_unit = per_unit.unwrap_or_default();
        Ok(Self {
            scores: model.score(rates, trials),
            flat: model.score(flat(data, trials.len()).view(), trials),
            smoothing: smoothing.as_ref().map(|rates| model.score(rates.view(), trials)),
            oracle: oracle.as_ref().map(|rates| model.score(rates.view(), trials)),
            units: held_out.into_iter().zip(per_unit.into_iter().map(|score| score.unwrap_or(f64::NAN))).collect(),
            psth_r2: psth_score(data, rates, trials),
            velocity_r2: decode(train_rates, rates)?,
            smoothing_velocity_r2,
        })
    }
}

/// Training rates of every unit, the same in every trial and bin.
fn flat(data: &Prepared, trials: usize) -> Array3<f64> {
    let rates = flat_rates(data.binned.counts.view(), data.binned.pad_bins, &data.split.train);
    let rates = rates.unwrap_or_else(|| Array2::zeros((1, data.binned.n_units())));
    Array3::from_shape_fn((trials, data.binned.bins, data.binned.n_units()), |(_, _, unit)| rates[[0, unit]])
}

/// NaN without conditions.
fn psth_score(data: &Prepared, rates: ArrayView3<'_, f64>, trials: &[usize]) -> f64 {
    let mut names: Vec<&String> = data.trials.conditions.iter().filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return f64::NAN;
    }
    let number = |trial: usize| data.trials.conditions.get(trial).and_then(|name| names.iter().position(|n| *n == name));
    let (bins, units) = (data.binned.bins, data.binned.n_units());
    let mut truth = Array3::from_elem((names.len(), bins, units), f64::NAN);
    for (condition, mut psth) in truth.outer_iter_mut().enumerate() {
        let own: Vec<usize> = data.split.train.iter().chain(trials).copied().filter(|&trial| number(trial) == Some(condition)).collect();
        if !own.is_empty() {
            let mean = crate::analysis::psth::psth(data.binned.counts.view(), data.binned.pad_bins, &own);
            psth.assign(&smoothed(&mean, PSTH_SD_S / data.binned.bin_s));
        }
    }
    let conditions: Vec<Option<usize>> = trials.iter().map(|&trial| number(trial)).collect();
    psth_r2(truth.view(), rates, &conditions, &vec![0; trials.len()]).unwrap_or(f64::NAN)
}

fn decoded(
    data: &Prepared,
    observed: usize,
    train: (ArrayView3<'_, f64>, &[usize]),
    own: (ArrayView3<'_, f64>, &[usize]),
    covariates: &[usize],
    lag_s: f64,
) -> Result<f64, EvaluationError> {
    let seen = |rates: ArrayView3<'_, f64>| rates.slice_axis(Axis(1), ndarray::Slice::from(..observed)).to_owned();
    let traces = |trials: &[usize]| seen(behaviour(&data.recording, &data.trials, covariates, trials, lag_s).view());
    let (train_rates, own_rates) = (seen(train.0), seen(own.0));
    let (train_traces, own_traces) = (traces(train.1), traces(own.1));
    let all = |trials: usize| Array2::from_elem((trials, 1), true);
    let (train_all, own_all) = (all(train.1.len()), all(own.1.len()));
    let set = |rates, behaviour, decoders| DecodeTrials { rates, behaviour, decoders };
    velocity_r2(&set(train_rates.view(), train_traces.view(), train_all.view()), &set(own_rates.view(), own_traces.view(), own_all.view()))
        .map(|(r2, _)| r2)
        .map_err(EvaluationError::Decoding)
}

/// Covariates `[trials, bins, covariates]` at the middle of every bin plus `lag_s`, interpolated; NaN outside their samples.
pub fn behaviour(recording: &Recording, trials: &Trials, covariates: &[usize], chosen: &[usize], lag_s: f64) -> Array3<f64> {
    Array3::from_shape_fn((chosen.len(), trials.bins, covariates.len()), |(at, bin, which)| {
        let start = chosen.get(at).and_then(|&trial| trials.starts.get(trial));
        let covariate = covariates.get(which).and_then(|&index| recording.covariates.get(index));
        let (Some(start), Some(covariate)) = (start, covariate) else { return f64::NAN };
        let time = start + (bin as f64 + 0.5) * trials.bin_s + lag_s;
        interpolated(&covariate.times, &covariate.values, time)
    })
}

fn interpolated(times: &[f64], values: &[f64], time: f64) -> f64 {
    let after = times.partition_point(|&t| t < time);
    let known = |at: usize| Some((*times.get(at)?, *values.get(at)?));
    match (after.checked_sub(1).and_then(known), known(after)) {
        (Some((t0, v0)), Some((t1, v1))) if t1 > t0 => v0 + (v1 - v0) * (time - t0) / (t1 - t0),
        (None, Some((t, v))) if t == time => v,
        _ => f64::NAN,
    }
}

/// Covariates whose name tells of a velocity; else all that tell of a position.
pub fn velocity_covariates(recording: &Recording) -> Vec<usize> {
    let named = |word: &str| -> Vec<usize> {
        let has = |name: &str| name.to_lowercase().contains(word);
        recording.covariates.iter().enumerate().filter(|(_, c)| has(&c.name)).map(|(index, _)| index).collect()
    };
    let velocity = named("vel");
    if velocity.is_empty() { named("pos") } else { velocity }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_interpolated_and_missing_outside() {
        let (times, values) = ([0.0, 1.0, 3.0], [0.0, 10.0, 30.0]);
        let at = |time| interpolated(&times, &values, time);
        assert_eq!((at(0.0), at(0.5), at(1.0), at(2.0), at(3.0)), (0.0, 5.0, 10.0, 20.0, 30.0));
        assert!(at(-0.1).is_nan() && at(3.1).is_nan() && interpolated(&[], &[], 0.0).is_nan());
    }
}
