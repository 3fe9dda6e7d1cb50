//! A trained network outside the training thread: rates and scores of any trials, also with units silenced.

use std::sync::Arc;

use burn::tensor::TensorData;
use ndarray::{Array3, ArrayView3, Axis};

use super::Fit;
use super::scores::{scores, smoothed_rates, true_rates};
use crate::models::DeviceFailed;
use crate::models::params::Values;
use crate::recording::Recording;
use crate::runs::NamedArray;
use crate::training::data::DataError;
use crate::training::device::{NoDevice, open};
use crate::training::{DeviceChoice, ModelRecipe, Prepared, RateScores, Recipe};

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
    #[error("the weights of the run do not fit its recipe: {0}")]
    Weights(String),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceFailed),
}

/// A trained STNDT or NDT with the data of its recipe. Units are the columns of [`Prepared::binned`], rates spikes per bin.
pub struct RateModel {
    fit: Fit,
}

impl RateModel {
    /// From what a run keeps. `recording` is the one that was opened (the recipe holds the rule for areas).
    ///
    /// # Errors
    /// [`RateModelError`] says what does not fit.
    pub fn from_run(recipe: &Recipe, recording: &Arc<Recording>, weights: &[NamedArray]) -> Result<Self, RateModelError> {
        let ModelRecipe::Stndt(own) = &recipe.model else {
            return Err(RateModelError::OtherModel(recipe.model.preset().title));
        };
        let data = Arc::new(Prepared::new(recording, &recipe.data)?);
        let device = open(DeviceChoice::Cpu)?;
        let mut fit = Fit::new(own, recipe.seed, &data, &device)?;
        let known = crate::models::params::read(fit.trainer.net())?;
        let mut values = Values::new();
        for (name, start) in &known {
            let found = weights.iter().find(|w| &w.name == name);
            let found = found.ok_or_else(|| RateModelError::Weights(format!("'{name}' is missing")))?;
            let shape: Vec<usize> = start.shape().iter().copied().collect();
            if found.shape != shape {
                return Err(RateModelError::Weights(format!("'{name}' has the shape {:?}, not {shape:?}", found.shape)));
            }
            values.insert(name.clone(), TensorData::new(found.values.clone(), shape));
        }
        fit.restore(&values);
        Ok(Self { fit })
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

    /// True rates `[trials, bins, units]`; `None` when they are not known.
    pub fn true_rates(&self, trials: &[usize]) -> Option<Array3<f64>> {
        Some(true_rates(&self.fit.layout, &self.fit.data, trials)?.select(Axis(2), &self.fit.layout.places))
    }

    /// Rates of the benchmark's smoothing baseline `[trials, bins, units]`; `None` when it cannot be fitted.
    pub fn smoothed_rates(&self, trials: &[usize]) -> Option<Array3<f64>> {
        Some(smoothed_rates(&self.fit.layout, &self.fit.data, trials)?.select(Axis(2), &self.fit.layout.places))
    }

    /// Scores of some rates `[trials, bins, units]` of these trials, whoever predicted them.
    pub fn score(&self, rates: ArrayView3<'_, f64>, trials: &[usize]) -> RateScores {
        let layout = &self.fit.layout;
        let truth = true_rates(layout, &self.fit.data, trials);
        let rates = rates.select(Axis(2), &layout.columns);
        scores(layout, rates.view(), self.fit.counts(trials).view(), truth.as_ref().map(|t| t.view()), self.fit.trainer.steps() as u64)
    }
}
