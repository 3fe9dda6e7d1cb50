//! Fitting a spatiotemporal Transformer: which units and bins are held out, counts in the network's order, and what is scored.

pub(super) mod bench;
mod decode;
mod ensemble;
mod evaluation;
mod learner;
mod lesion;
mod produced;
mod publish;
mod rate_model;
mod scores;

use std::sync::Arc;

use ndarray::{Array2, Array3, Axis, Slice};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::data::{DataError, Prepared};
use super::device::TrainingDevice;
use super::recipe::{ContrastTarget, HeldOut, MaskUnit, StndtRecipe, Variant};
use crate::analysis::loss::flat_rates;
use crate::models::DeviceFailed;
use crate::models::params::Values;
use crate::models::stndt::{Clock, Contrast, ContrastOn, Grid, MaskMode, Masking, Schedule, StndtConfig, TrainOptions, Trainer};
use crate::recording::Recording;

pub use decode::{Decoding, decode};
pub use ensemble::{Ensemble, EnsembleError};
pub use evaluation::{Beside, Evaluation, EvaluationError, velocity_covariates};
pub(super) use learner::{StndtLearner, TERMS};
pub use lesion::{LesionCurve, LesionPlan, LesionPoint};
pub use produced::{produced_column, produced_correlation};
pub use rate_model::{RateModel, RateModelError, RateScorer};

/// Column of units that marks the held-out ones.
const HELD_OUT_COLUMN: &str = "heldout";

/// How the network sees the data: held-in units first, then held-out ones; observed bins first, then forward ones.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub(super) grid: Grid,
    /// Column of the counts behind every unit of the network.
    pub(super) columns: Vec<usize>,
    /// Unit of the network behind every column of the counts.
    pub(super) places: Vec<usize>,
}

impl Layout {
    fn new(recipe: &StndtRecipe, data: &Prepared) -> Result<Self, DataError> {
        let held_out = held_out(recipe, &data.recording, &data.binned.units);
        let mut columns: Vec<usize> = (0..held_out.len()).collect();
        columns.sort_by_key(|&column| held_out[column]);
        let heldout = held_out.iter().filter(|&&h| h).count();
        let mut places = vec![0; columns.len()];
        columns.iter().enumerate().for_each(|(place, &column)| places[column] = place);
        if recipe.forward_bins >= data.binned.bins {
            return Err(DataError::ShortWindow { bins: data.binned.bins, needed: recipe.forward_bins + 1 });
        }
        let grid = Grid {
            heldin: columns.len() - heldout,
            heldout,
            observed: data.binned.bins - recipe.forward_bins,
            forward: recipe.forward_bins,
        };
        Ok(Self { grid, columns, places })
    }

    /// Counts of some trials in the network's order `[trials, bins, units]`.
    pub(super) fn counts(&self, data: &Prepared, trials: &[usize]) -> Array3<f32> {
        let pad = data.binned.pad_bins;
        let mut counts = Array3::zeros((trials.len(), data.binned.bins, self.columns.len()));
        for (mut to, &trial) in counts.outer_iter_mut().zip(trials) {
            let from = data.binned.counts.index_axis(Axis(0), trial);
            let from = from.slice_axis(Axis(0), Slice::from(pad..));
            for (mut to, &column) in to.columns_mut().into_iter().zip(&self.columns) {
                to.zip_mut_with(&from.column(column), |to, &from| *to = f32::from(from));
            }
        }
        counts
    }

    /// Rows and columns of a map between units `[units, units]` put into the order of the counts' columns.
    fn in_column_order(&self, map: &Array2<f32>) -> Array2<f32> {
        map.select(Axis(0), &self.places).select(Axis(1), &self.places).as_standard_layout().into_owned()
    }
}

/// Which columns are held out; at least one is not.
fn held_out(recipe: &StndtRecipe, recording: &Recording, units: &[usize]) -> Vec<bool> {
    let column = recording.units.columns.iter().find(|c| c.name == HELD_OUT_COLUMN);
    let marked: Vec<bool> = units.iter().map(|&unit| column.is_some_and(|c| c.values.number(unit) == 1.0)).collect();
    let some = marked.iter().any(|&h| h) && !marked.iter().all(|&h| h);
    match recipe.held_out {
        HeldOut::None => vec![false; units.len()],
        HeldOut::Automatic if some => marked,
        HeldOut::Automatic | HeldOut::Share => {
            let count = ((units.len() as f64 * recipe.held_out_share).round() as usize).min(units.len().saturating_sub(1));
            let mut order: Vec<usize> = (0..units.len()).collect();
            order.shuffle(&mut ChaCha8Rng::seed_from_u64(recipe.held_out_seed));
            let mut held_out = vec![false; units.len()];
            order.into_iter().take(count).for_each(|column| held_out[column] = true);
            held_out
        }
    }
}

/// The network's shapes and constants.
pub(super) fn config(recipe: &StndtRecipe, grid: &Grid) -> StndtConfig {
    let (units, bins) = (grid.units(), grid.bins());
    let base = match recipe.variant {
        Variant::Stndt => StndtConfig::stndt(units, bins),
        Variant::Ndt => StndtConfig::ndt(units, bins),
    };
    let context = |bins: i64| usize::try_from(bins).ok();
    let on = match recipe.contrast_on {
        ContrastTarget::Embedders => ContrastOn::Embedders,
        ContrastTarget::Predictions => ContrastOn::Predictions,
    };
    let contrast = Contrast { on, weight: recipe.contrast_weight, temperature: recipe.contrast_temperature };
    StndtConfig {
        layers: recipe.layers,
        heads: if recipe.heads > 0 { recipe.heads } else { base.heads },
        hidden: recipe.hidden,
        context_forward: context(recipe.context_forward),
        context_backward: context(recipe.context_backward),
        dropout: recipe.dropout,
        dropout_embedding: recipe.dropout_embedding,
        dropout_rates: recipe.dropout_rates,
        contrast: (recipe.contrast_weight > 0.0).then_some(contrast),
        ..base
    }
}

fn options(recipe: &StndtRecipe, seed: u64) -> TrainOptions {
    TrainOptions {
        batch: recipe.batch,
        schedule: Schedule { peak: recipe.rate, warm_up: recipe.warm_up_steps, total: Some(recipe.steps) },
        clock: Clock::Steps,
        clip: recipe.clip,
        weight_decay: recipe.weight_decay,
        masking: Masking {
            mode: match recipe.mask {
                MaskUnit::Full => MaskMode::Full,
                MaskUnit::Timestep => MaskMode::Timestep,
                MaskUnit::Neuron => MaskMode::Neuron,
            },
            ratio: recipe.mask_ratio,
            token_ratio: recipe.mask_token_ratio,
            random_ratio: recipe.mask_random_ratio,
            max_span: recipe.mask_span,
            ramp: (recipe.span_from_epoch, recipe.span_full_epoch),
            views: (recipe.contrast_mask_ratio, recipe.contrast_token_ratio, recipe.contrast_random_ratio),
        },
        contrast_from: recipe.contrast_from_epoch,
        seed,
    }
}

/// Trials per pass when rates are predicted.
const PASS: usize = 64;

/// A network with its data.
pub(super) struct Fit {
    pub(super) data: Arc<Prepared>,
    pub(super) layout: Layout,
    pub(super) trainer: Trainer,
}

impl Fit {
    /// A fresh network for the data.
    ///
    /// # Errors
    /// When the network cannot be made for these shapes; the message says what to change.
    pub(super) fn new(recipe: &StndtRecipe, seed: u64, data: &Arc<Prepared>, device: &TrainingDevice) -> Result<Self, DataError> {
        let layout = Layout::new(recipe, data)?;
        let trainer = Trainer::new(config(recipe, &layout.grid), layout.grid, options(recipe, seed), &device.device, device.cpu);
        let mut trainer = trainer.map_err(|e| DataError::Model(e.to_string()))?;
        let means = flat_rates(data.binned.counts.view(), data.binned.pad_bins, &data.split.train);
        if let Some(means) = means.filter(|_| recipe.begin_at_means) {
            let of = |&column: &usize| means[[0, column]].ln() as f32;
            trainer.begin_at(&layout.columns.iter().map(of).collect::<Vec<_>>());
        }
        Ok(Self { data: Arc::clone(data), layout, trainer })
    }

    pub(super) fn restore(&mut self, weights: &Values) {
        self.trainer.load(weights);
    }

    /// Counts of some trials in the network's order `[trials, bins, units]`.
    pub(super) fn counts(&self, trials: &[usize]) -> Array3<f32> {
        self.layout.counts(&self.data, trials)
    }

    /// Predicted rates, spikes per bin, in the network's order `[trials, bins, units]`; the spikes of the units `silenced` (of the
    /// network) are taken away before.
    ///
    /// # Errors
    /// When the device fails.
    pub(super) fn rates(&self, trials: &[usize], silenced: &[usize]) -> Result<Array3<f64>, DeviceFailed> {
        let grid = &self.layout.grid;
        let mut rates = Array3::zeros((trials.len(), grid.bins(), grid.units()));
        for (at, part) in trials.chunks(PASS).enumerate() {
            let mut counts = self.counts(part);
            for &unit in silenced.iter().filter(|&&unit| unit < grid.units()) {
                counts.index_axis_mut(Axis(2), unit).fill(0.0);
            }
            let log_rates = self.trainer.log_rates(counts.view())?;
            let place = at * PASS..at * PASS + part.len();
            rates.slice_axis_mut(Axis(0), Slice::from(place)).assign(&log_rates.mapv(|z| f64::from(z).exp()));
        }
        Ok(rates)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{Column, NamedColumn, RecordingParts, Source, SpikeTrains};

    fn recording(units: usize, marked: Option<Vec<bool>>) -> Recording {
        let column = |flags| NamedColumn { name: "heldout".into(), description: String::new(), values: Column::Bool(flags) };
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units(vec![vec![0.5]; units]),
            unit_ids: (0..units).map(|u| u.to_string()).collect(),
            unit_areas: vec!["a".into(); units],
            unit_columns: marked.map(column).into_iter().collect(),
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("x".into())).unwrap()
    }

    #[test]
    fn units_are_held_out_by_the_file_or_by_seed() {
        let marked = vec![false, true, false, false];
        let file = recording(4, Some(marked.clone()));
        let recipe = StndtRecipe::default();
        assert_eq!(held_out(&recipe, &file, &[0, 1, 2, 3]), marked);
        let count = |flags: Vec<bool>| flags.into_iter().filter(|&h| h).count();
        // No unit or every unit is marked: a share by seed.
        for unmarked in [recording(8, None), recording(8, Some(vec![false; 8])), recording(8, Some(vec![true; 8]))] {
            let all: Vec<usize> = (0..8).collect();
            let held = held_out(&recipe, &unmarked, &all);
            assert_eq!(count(held.clone()), 2);
            assert_eq!(held, held_out(&recipe, &unmarked, &all));
            assert_eq!(count(held_out(&StndtRecipe { held_out: HeldOut::None, ..recipe.clone() }, &unmarked, &all)), 0);
        }
        assert_eq!(count(held_out(&StndtRecipe { held_out_share: 0.9, ..recipe }, &recording(1, None), &[0])), 0);
    }
}
