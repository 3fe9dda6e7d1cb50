//! Fitting a NetFormer: activity in bins, split in time, and windows that never leave a stretch of consecutive bins.

pub(super) mod bench;
mod columns;
mod data;
mod learner;
mod model;
mod report;

use std::sync::Arc;

use super::recipe::{AttentionActivation, Fit, ModelRecipe, NetFormerRecipe, RateSchedule, Recipe};
use crate::models::netformer::{Activation, Constraint, Loss, NetFormerConfig, Order, Schedule, TrainOptions};
use crate::recording::{Recording, Trials};

pub(super) use data::ActivityData;
pub use data::ActivityShape;
pub(super) use learner::{NetFormerLearner, TERMS};
pub use model::{Block, NetFormerModel, NetFormerModelError, Part};

/// The recording as a run of NetFormer sees it, and the stretches that stand for its trials; `None` for other models and for data that
/// the recipe cannot be used on.
pub fn stretches_of(recipe: &Recipe, recording: &Arc<Recording>) -> Option<(Arc<Recording>, Trials)> {
    let ModelRecipe::NetFormer(own) = &recipe.model else { return None };
    let data = ActivityData::new(recording, &recipe.data, own).ok()?;
    Some((data.recording, data.trials))
}

/// The network's shapes and switches for `units` units and `inputs` external inputs; `types` are the cell types of all of them, for
/// the prior.
pub(super) fn config(recipe: &NetFormerRecipe, units: usize, inputs: usize, types: Vec<usize>) -> NetFormerConfig {
    let base = NetFormerConfig::new(units + inputs, recipe.history, recipe.identity);
    NetFormerConfig {
        queries: if recipe.predicted > 0 { recipe.predicted.min(units) } else { units },
        key_width: if recipe.key_width > 0 { recipe.key_width } else { base.key_width },
        layer_norm: recipe.layer_norm,
        scale: recipe.scale,
        residual: recipe.residual,
        activation: match recipe.activation {
            AttentionActivation::None => Activation::None,
            AttentionActivation::Softmax => Activation::Softmax,
            AttentionActivation::Sigmoid => Activation::Sigmoid,
            AttentionActivation::Tanh => Activation::Tanh,
        },
        loss: match recipe.fit {
            Fit::Squared => Loss::SquaredError,
            Fit::Poisson => Loss::Poisson,
        },
        offset: recipe.offset,
        constraint: (recipe.type_prior > 0.0).then_some(Constraint { types, weight: recipe.type_prior }),
        ..base
    }
}

fn options(recipe: &NetFormerRecipe, seed: u64) -> TrainOptions {
    let factor = |usual: f64| if recipe.rate_factor > 0.0 { recipe.rate_factor } else { usual };
    let epochs = |usual: usize| if recipe.rate_epochs > 0 { recipe.rate_epochs } else { usual };
    let schedule = match recipe.schedule {
        RateSchedule::Constant => Schedule::Constant,
        RateSchedule::Plateau => Schedule::Plateau { factor: factor(0.1), patience: epochs(3), threshold: 1e-4 },
        RateSchedule::Cycle => Schedule::Cycle { steps: 2000 },
        RateSchedule::Decay => Schedule::Decay { epochs: epochs(100), factor: factor(0.9) },
    };
    let order = if recipe.consecutive { Order::Consecutive } else { Order::Shuffled };
    TrainOptions { batch: recipe.batch, rate: recipe.rate, schedule, order, seed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::netformer::Experiment;

    #[test]
    fn the_recipe_for_counts_is_the_network_for_counts() {
        let (recipe, experiment) = (NetFormerRecipe::counts(), Experiment::Counts);
        assert_eq!(config(&recipe, 20, 0, Vec::new()), experiment.config(20, 20));
        assert_eq!(TrainOptions { seed: 0, ..options(&recipe, 3) }, experiment.options());
        assert_eq!((recipe.max_epochs, Some(recipe.patience_epochs)), (experiment.epochs(), experiment.patience()));
    }
}
