//! A trained network beside its data, outside the training thread: rates of any trials, also with some units silenced.

use std::sync::Arc;

use burn::tensor::TensorData;
use ndarray::{Array3, Axis, Slice};

use super::scores::{scores, smoothed_rates};
use super::{Fit, Layout};
use crate::models::DeviceFailed;
use crate::models::params::{self, Values};
use crate::models::stndt::Trainer;
use crate::recording::{Recording, Split, Trials};
use crate::runs::NamedArray;
use crate::training::data::{DataError, Prepared};
use crate::training::{DeviceChoice, ModelRecipe, NoDevice, RateScores, Recipe, open_device};

/// Trials per pass.
const PASS: usize = 32;

/// Why there are no rates.
#[derive(Debug, thiserror::Error)]
pub enum RateModelError {
    /// Another model.
    #[error("the run is not an STNDT or NDT; train one of these to predict rates again")]
    OtherModel,
    /// The data do not fit the recipe any more.
    #[error("the recording cannot be cut as the run did: {0}")]
    Data(#[from] DataError),
    /// Weights that are not those of this network.
    #[error("the run's weights do not fit the recording: {what}; open the recording that the run was trained on")]
    Weights {
        /// The parameter and what is wrong with it.
        what: String,
    },
    /// No processor.
    #[error(transparent)]
    NoDevice(#[from] NoDevice),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceFailed),
    /// Nothing to score or decode.
    #[error("{0}")]
    Nothing(String),
}

/// A network that was trained, with the counts of its trials. Units are in the order of the run's snapshot.
pub struct RateModel {
    data: Prepared,
    layout: Layout,
    trainer: Trainer,
}

impl RateModel {
    /// The network of a run on the CPU: its recipe, the recording it was trained on, and its weights.
    ///
    /// # Errors
    /// [`RateModelError`] when these do not belong together.
    pub fn from_run(recipe: &Recipe, recording: &Arc<Recording>, weights: &[NamedArray]) -> Result<Self, RateModelError> {
        let ModelRecipe::Stndt(own) = &recipe.model else { return Err(RateModelError::OtherModel) };
        let data = Prepared::new(recording, &recipe.data)?;
        let device = open_device(DeviceChoice::Cpu)?;
        let fit = Fit::new(own, recipe.seed, &data, &device)?;
        let (layout, mut trainer) = (fit.layout, fit.trainer);
        trainer.load(&values(&params::read(trainer.net())?, weights)?);
        Ok(Self { data, layout, trainer })
    }

    /// Units of the recording behind the model's units.
    pub fn units(&self) -> &[usize] {
        &self.data.binned.units
    }

    /// Which units the network never sees `[units]`.
    pub fn held_out(&self) -> Vec<bool> {
        self.layout.places.iter().map(|&place| place >= self.layout.grid.heldin).collect()
    }

    /// Bins that the network sees; later ones are predicted forward.
    pub fn observed_bins(&self) -> usize {
        self.layout.grid.observed
    }

    /// Training, validation and test trials.
    pub fn split(&self) -> &Split {
        &self.data.split
    }

    /// The trials.
    pub fn trials(&self) -> &Trials {
        &self.data.trials
    }

    /// The recording as the run sees it.
    pub fn recording(&self) -> &Recording {
        &self.data.recording
    }

    /// Rates of some trials, spikes per bin `[trials, bins, units]`; units of `silenced` have no spikes in what the network sees.
    ///
    /// # Errors
    /// [`DeviceFailed`].
    pub fn rates(&self, trials: &[usize], silenced: &[usize]) -> Result<Array3<f64>, DeviceFailed> {
        Ok(self.ordered(&self.predicted(trials, silenced)?))
    }

    /// Scores of the rates of some trials against their spikes, with units silenced in what the network sees (not in what is
    /// scored).
    ///
    /// # Errors
    /// [`DeviceFailed`].
    pub fn score(&self, trials: &[usize], silenced: &[usize]) -> Result<RateScores, DeviceFailed> {
        let rates = self.predicted(trials, silenced)?;
        let counts = self.layout.counts(&self.data, trials);
        Ok(scores(&self.layout, rates.view(), counts.view(), None, self.trainer.steps() as u64))
    }

    /// The benchmark's smoothing baseline on some trials, spikes per bin `[trials, bins, units]`; `None` when there is nothing to
    /// fit.
    pub fn smoothed(&self, trials: &[usize]) -> Option<Array3<f64>> {
        smoothed_rates(&self.layout, &self.data, trials).map(|rates| self.ordered(&rates))
    }

    /// From the network's order of units to that of the snapshot.
    fn ordered(&self, rates: &Array3<f64>) -> Array3<f64> {
        rates.select(Axis(2), &self.layout.places)
    }

    /// In the network's order of units.
    fn predicted(&self, trials: &[usize], silenced: &[usize]) -> Result<Array3<f64>, DeviceFailed> {
        let grid = &self.layout.grid;
        let mut rates = Array3::zeros((trials.len(), grid.bins(), grid.units()));
        for (at, part) in trials.chunks(PASS).enumerate() {
            let mut counts = self.layout.counts(&self.data, part);
            for &place in silenced.iter().filter_map(|&column| self.layout.places.get(column)) {
                counts.index_axis_mut(Axis(2), place).fill(0.0);
            }
            let log_rates = self.trainer.log_rates(counts.view())?;
            let place = at * PASS..at * PASS + part.len();
            rates.slice_axis_mut(Axis(0), Slice::from(place)).assign(&log_rates.mapv(|z| f64::from(z).exp()));
        }
        Ok(rates)
    }
}

/// The kept arrays as parameters of a network that has `own` ones: all of them, in the same shapes.
fn values(own: &Values, kept: &[NamedArray]) -> Result<Values, RateModelError> {
    let wrong = |what: String| RateModelError::Weights { what };
    own.iter()
        .map(|(name, data)| {
            let array = kept.iter().find(|a| a.name == *name).ok_or_else(|| wrong(format!("'{name}' is missing")))?;
            let shape: Vec<usize> = data.shape().iter().copied().collect();
            if array.shape != shape {
                return Err(wrong(format!("'{name}' has the shape {:?} instead of {shape:?}", array.shape)));
            }
            Ok((name.clone(), TensorData::new(array.values.clone(), shape)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_another_network_are_refused() {
        let own: Values = [("a".to_owned(), TensorData::new(vec![0.0f32; 6], [2, 3]))].into();
        let array = |name: &str, shape: Vec<usize>| NamedArray { name: name.to_owned(), shape, values: vec![1.0; 6] };
        assert!(values(&own, &[array("b", vec![1]), array("a", vec![2, 3])]).is_ok_and(|v| v.len() == 1));
        let refused = |kept: &[NamedArray]| values(&own, kept).map_or_else(|e| e.to_string(), |_| String::new());
        assert!(refused(&[]).contains("'a' is missing"));
        assert!(refused(&[array("a", vec![3, 2])]).contains("[3, 2] instead of [2, 3]"));
    }
}
