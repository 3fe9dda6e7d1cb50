//! Every score of the benchmark that the data allow, of a run's rates and of what they are compared with.

use ndarray::{Array2, Array3, ArrayView3, Axis};

use super::decode::Decoder;
use super::rate_model::{RateModel, RateModelError};
use crate::analysis::loss::flat_rates;
use crate::analysis::nlb::{psth_r2, unit_bits_per_spike};
use crate::analysis::psth::smoothed;
use crate::models::DeviceFailed;
use crate::recording::{Covariate, Recording};
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
    Decoding(#[from] RateModelError),
}

/// What the rates of some trials are compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beside {
    /// Scores of a flat rate per unit.
    pub flat: RateScores,
    /// The same of the benchmark's smoothing baseline.
    pub smoothing: Option<RateScores>,
    /// The same of the true rates.
    pub oracle: Option<RateScores>,
}

impl Beside {
    /// Of `trials`; `smoothing` are [`RateModel::smoothed`] rates of the same trials.
    pub fn new(model: &RateModel, trials: &[usize], smoothing: Option<&Array3<f64>>) -> Self {
        let scorer = model.scorer(trials);
        Self {
            flat: scorer.score(flat(model.data(), trials.len()).view()),
            smoothing: smoothing.map(|rates| scorer.score(rates.view())),
            oracle: scorer.true_rates().map(|rates| scorer.score(rates.view())),
        }
    }
}

/// Scores on some trials; a score that cannot be computed is NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Bits per spike and R² of the true rates.
    pub scores: RateScores,
    /// The same of what they are compared with.
    pub beside: Beside,
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
    /// Evaluate rates `[trials, bins, units]` of `trials`; `train_rates` are those of the training trials, for decoders (none are fitted without). `covariates`
    /// are the behaviour that is decoded (may be empty), taken `lag_s` later than the rates.
    ///
    /// # Errors
    /// [`EvaluationError`].
    pub fn new(
        model: &RateModel,
        rates: &Array3<f64>,
        train_rates: Option<&Array3<f64>>,
        trials: &[usize],
        covariates: &[usize],
        lag_s: f64,
    ) -> Result<Self, EvaluationError> {
        let data = model.data();
        let smoothing = model.smoothed(trials);
        let covariates: Vec<&Covariate> = covariates.iter().filter_map(|&index| data.recording.covariates.get(index)).collect();
        let decoder = (!covariates.is_empty()).then(|| Decoder::new(model, &covariates, lag_s, &data.split.train, trials));
        let decode = |train: &Array3<f64>, own: &Array3<f64>| match &decoder {
            Some(decoder) => decoder.fit(train, own).map(|score| score.r2),
            None => Ok(f64::NAN),
        };
        let velocity = train_rates.map_or(Ok(f64::NAN), |train| decode(train, rates))?;
        let smoothing_velocity_r2 = match (&smoothing, &decoder) {
            (Some(own), Some(_)) => model.smoothed(&data.split.train).map_or(Ok(f64::NAN), |train| decode(&train, own))?,
            _ => f64::NAN,
        };
        let rates = rates.view();
        let counts = model.counts(trials);
        let held_out: Vec<usize> = model.held_out().iter().enumerate().filter(|(_, h)| **h).map(|(column, _)| column).collect();
        let observed = ndarray::Slice::from(..model.observed_bins());
        let of_held_out = |values: ArrayView3<'_, f64>| values.slice_axis(Axis(1), observed).select(Axis(2), &held_out);
        let per_unit = unit_bits_per_spike(of_held_out(rates).view(), of_held_out(counts.mapv(f64::from).view()).view());
        let per_unit = per_unit.unwrap_or_default();
        Ok(Self {
            scores: model.scorer(trials).score(rates),
            beside: Beside::new(model, trials, smoothing.as_ref()),
            units: held_out.into_iter().zip(per_unit.into_iter().map(|score| score.unwrap_or(f64::NAN))).collect(),
            psth_r2: psth_score(data, rates, trials),
            velocity_r2: velocity,
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

/// Covariates whose name tells of a velocity; else all that tell of a position.
pub fn velocity_covariates(recording: &Recording) -> Vec<usize> {
    let named = |word: &str| -> Vec<usize> {
        let has = |name: &str| name.to_lowercase().contains(word);
        recording.covariates.iter().enumerate().filter(|(_, c)| has(&c.name)).map(|(index, _)| index).collect()
    };
    let velocity = named("vel");
    if velocity.is_empty() { named("pos") } else { velocity }
}
