//! A trained network outside the training thread: rates and scores of any trials, also with units silenced.

use std::sync::Arc;

use ndarray::{Array3, ArrayView3, Axis};

use super::Fit;
use super::scores::{Scorer, smoothed_rates};
use crate::models::DeviceFailed;
use crate::models::params;
use crate::recording::{Recording, Split, Trials};
use crate::runs::NamedArray;
use crate::training::data::DataError;
use crate::training::device::{NoDevice, open};
use crate::training::kept;
use crate::training::{DataRecipe, DeviceChoice, ModelRecipe, Prepared, RateScores, Recipe};

/// Why a network cannot be put together again.
#[derive(Debug, thiserror::Error)]
pub enum RateModelError {
    /// A model of another kind.
    #[error("the run is one of {0}, which does not infer rates of held-out units; take a run of STNDT or NDT")]
    OtherModel(&'static str),
    /// The data do not give what the recipe says.
    #[error(transparent)]
    Data(#[from] DataError),
    /// No device.
    #[error(transparent)]
    NoDevice(#[from] NoDevice),
    /// Weights that are missing or of another shape.
    #[error("the run's weights do not fit the recording: {0}; open the recording that the run was trained on")]
    Weights(String),
    /// Nothing to decode.
    #[error("{0}")]
    Nothing(String),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceFailed),
}

/// A trained STNDT or NDT with the data of its recipe. Units are the columns of [`Prepared::binned`], rates spikes per bin.
pub struct RateModel {
    fit: Fit,
    /// Fingerprint of the recording that was opened, and what was cut out of it.
    from: (String, DataRecipe),
}

impl RateModel {
    /// From what a run keeps. `recording` is the one that was opened (the recipe holds the rule for areas).
    ///
    /// # Errors
    /// [`RateModelError`] says what does not fit.
    pub fn from_run(recipe: &Recipe, recording: &Arc<Recording>, weights: &[NamedArray]) -> Result<Self, RateModelError> {
        let data = Arc::new(Prepared::new(recording, &recipe.data)?);
        Self::on(&data, recipe, recording, weights)
    }

    /// Another run; data that both were made from are shared.
    ///
    /// # Errors
    /// As [`Self::from_run`].
    pub fn beside(&self, recipe: &Recipe, recording: &Arc<Recording>, weights: &[NamedArray]) -> Result<Self, RateModelError> {
        match self.from.0 == recording.fingerprint && self.from.1 == recipe.data {
            true => Self::on(&self.fit.data, recipe, recording, weights),
            false => Self::from_run(recipe, recording, weights),
        }
    }

    fn on(data: &Arc<Prepared>, recipe: &Recipe, recording: &Recording, weights: &[NamedArray]) -> Result<Self, RateModelError> {
        let ModelRecipe::Stndt(own) = &recipe.model else {
            return Err(RateModelError::OtherModel(recipe.model.preset().title));
        };
        let device = open(DeviceChoice::Cpu)?;
        let mut fit = Fit::new(own, recipe.seed, data, &device)?;
        let values = kept::values(&params::read(fit.trainer.net())?, weights).map_err(RateModelError::Weights)?;
        fit.restore(&values);
        Ok(Self { fit, from: (recording.fingerprint.clone(), recipe.data.clone()) })
    }

    /// Units of the recording behind the model's units.
    pub fn units(&self) -> &[usize] {
        &self.fit.data.binned.units
    }

    /// Training, validation and test trials.
    pub fn split(&self) -> &Split {
        &self.fit.data.split
    }

    /// The trials.
    pub fn trials(&self) -> &Trials {
        &self.fit.data.trials
    }

    /// The recording as the run sees it.
    pub fn recording(&self) -> &Recording {
        &self.fit.data.recording
    }

    /// Trials, counts, split.
    pub fn data(&self) -> &Arc<Prepared> {
        &self.fit.data
    }

    /// Which units the network never sees `[units]`.
    pub fn held_out(&self) -> Vec<bool> {
        self.fit.layout.places.iter().map(|&place| place >= self.fit.layout.grid.heldin).collect()
    }

    /// Bins that the network sees.
    pub fn observed_bins(&self) -> usize {
        self.fit.layout.grid.observed
    }

    /// Counts `[trials, bins, units]`.
    pub fn counts(&self, trials: &[usize]) -> Array3<f32> {
        self.fit.counts(trials).select(Axis(2), &self.fit.layout.places)
    }

    /// Rates `[trials, bins, units]`, after the spikes of the units `silenced` were taken away.
    ///
    /// # Errors
    /// When the device fails.
    pub fn rates(&self, trials: &[usize], silenced: &[usize]) -> Result<Array3<f64>, DeviceFailed> {
        let silenced: Vec<usize> = silenced.iter().filter_map(|&unit| self.fit.layout.places.get(unit).copied()).collect();
        Ok(self.fit.rates(trials, &silenced)?.select(Axis(2), &self.fit.layout.places))
    }

    /// Rates of the benchmark's smoothing baseline `[trials, bins, units]`; `None` when it cannot be fitted.
    pub fn smoothed(&self, trials: &[usize]) -> Option<Array3<f64>> {
        Some(smoothed_rates(&self.fit.layout, &self.fit.data, trials)?.select(Axis(2), &self.fit.layout.places))
    }

    /// Scores of the rates of some trials, after the spikes of the units `silenced` were taken from what the network sees (not
    /// from what is scored).
    ///
    /// # Errors
    /// When the device fails.
    pub fn score(&self, trials: &[usize], silenced: &[usize]) -> Result<RateScores, DeviceFailed> {
        Ok(self.scorer(trials).score(self.rates(trials, silenced)?.view()))
    }

    /// What rates of these trials are scored against, for any number of them.
    pub fn scorer(&self, trials: &[usize]) -> RateScorer<'_> {
        RateScorer { model: self, scorer: Scorer::new(&self.fit.layout, &self.fit.data, trials) }
    }
}

/// Scores rates of some trials, whoever predicted them.
pub struct RateScorer<'a> {
    model: &'a RateModel,
    scorer: Scorer,
}

impl RateScorer<'_> {
    /// Scores of rates, spikes per bin `[trials, bins, units]`.
    pub fn score(&self, rates: ArrayView3<'_, f64>) -> RateScores {
        let fit = &self.model.fit;
        self.scorer.score(rates.select(Axis(2), &fit.layout.columns).view(), fit.trainer.steps() as u64)
    }

    /// True rates `[trials, bins, units]`; `None` when they are not known.
    pub fn true_rates(&self) -> Option<Array3<f64>> {
        self.scorer.truth.as_ref().map(|rates| rates.select(Axis(2), &self.model.fit.layout.places))
    }
}
