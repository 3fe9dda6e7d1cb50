//! Settings of NetFormer.

use serde::{Deserialize, Serialize};

use super::{RecipeError, RecipeField, fields, range, wrong};
use crate::models::netformer::{Experiment, Loss, Order, Schedule};

/// What is predicted from what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// The recording's continuous activity where it has any, else spike counts.
    #[default]
    Automatic,
    /// Spike counts.
    Counts,
}

/// What the input is made to before training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standardise {
    /// As it is.
    None,
    /// Mean 0 and standard deviation 1 for every unit.
    Unit,
    /// Mean 0 and standard deviation at most 1 for every unit (a spike of a quiet unit stays one), at most 3 from it in bursts.
    Counts,
    /// Mean 0 and standard deviation 1 over all units together.
    #[default]
    All,
    /// Mean 0 and standard deviation 1 for the predicted units alone; the others stay as they are.
    Predicted,
}

/// How well a prediction is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Mean squared error.
    #[default]
    Squared,
    /// Poisson with log link, for raw counts.
    Poisson,
}

/// What is applied to attention.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionActivation {
    /// Nothing (published).
    #[default]
    None,
    /// Softmax over sending units.
    Softmax,
    /// Logistic function.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
}

/// How the learning rate changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateSchedule {
    /// It does not.
    Constant,
    /// A tenth of it when validation does not improve, unless told otherwise.
    #[default]
    Plateau,
    /// Up and down between half and twice of it.
    Cycle,
    /// Nine tenths of it every 100 epochs, unless told otherwise.
    Decay,
}

/// Hyperparameters of NetFormer (Lu et al. 2025); defaults are those for recordings (spec §3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetFormerRecipe {
    /// What is predicted from what.
    pub signal: Signal,
    /// Name of a covariate that stands in for the activity of the first unit (a membrane potential); empty for none.
    pub series: String,
    /// The recording's external inputs are read beside the units; they are not predicted.
    pub inputs: bool,
    /// What the input is made to.
    pub standardise: Standardise,
    /// Loss.
    pub fit: Fit,
    /// A learned constant for every predicted unit (a log-rate), from the mean; attention then starts at zero.
    pub offset: bool,
    /// Bins of history that a prediction sees.
    pub history: usize,
    /// Length of a unit's learned identity.
    pub identity: usize,
    /// Width of queries and keys; 0 for history and identity together.
    pub key_width: usize,
    /// Only the first so many units are predicted; 0 for all.
    pub predicted: usize,
    /// Layer normalisation of inputs and outputs.
    pub layer_norm: bool,
    /// Divide attention by the square root of the width.
    pub scale: bool,
    /// Add a unit's own values to what it receives.
    pub residual: bool,
    /// What is applied to attention.
    pub activation: AttentionActivation,
    /// Weight of the prior on attention between cell types; 0 for none.
    pub type_prior: f64,
    /// Learning rate.
    pub rate: f64,
    /// How it changes.
    pub schedule: RateSchedule,
    /// What `plateau` and `decay` multiply it with; 0 takes 0.1 and 0.9.
    pub rate_factor: f64,
    /// Epochs without improvement before `plateau`, or between two changes by `decay`; 0 takes 3 and 100.
    pub rate_epochs: usize,
    /// Windows per step.
    pub batch: usize,
    /// Take neighbouring windows together, in time.
    pub consecutive: bool,
    /// Most epochs.
    pub max_epochs: usize,
    /// Epochs without a better validation loss before training ends; 0 trains to the end and keeps the last weights.
    pub patience_epochs: usize,
}

impl Default for NetFormerRecipe {
    fn default() -> Self {
        Self {
            signal: Signal::Automatic,
            series: String::new(),
            inputs: false,
            standardise: Standardise::All,
            fit: Fit::Squared,
            offset: false,
            history: 59,
            identity: 30,
            key_width: 0,
            predicted: 0,
            layer_norm: true,
            scale: true,
            residual: true,
            activation: AttentionActivation::None,
            type_prior: 0.0,
            rate: 1e-3,
            schedule: RateSchedule::Plateau,
            rate_factor: 0.0,
            rate_epochs: 0,
            batch: 32,
            consecutive: false,
            max_epochs: 100,
            patience_epochs: 20,
        }
    }
}

impl NetFormerRecipe {
    /// For raw counts: log-rates around the mean rate of every unit, and no normalisation of outputs that have no bound. A count is
    /// no log-rate, so a unit's own count is not added to it.
    pub fn counts() -> Self {
        Self {
            signal: Signal::Counts,
            standardise: Standardise::Counts,
            fit: Fit::Poisson,
            offset: true,
            history: 10,
            layer_norm: false,
            residual: false,
            ..Self::default()
        }
    }

    /// As published for an experiment, with `tokens` units and external inputs.
    pub fn published(experiment: Experiment, tokens: usize) -> Self {
        let (config, options) = (experiment.config(tokens, tokens), experiment.options());
        let (schedule, rate_factor, rate_epochs) = match options.schedule {
            Schedule::Constant => (RateSchedule::Constant, 0.0, 0),
            Schedule::Cycle { .. } => (RateSchedule::Cycle, 0.0, 0),
            Schedule::Plateau { factor, patience, .. } => (RateSchedule::Plateau, factor, patience),
            Schedule::Decay { factor, epochs } => (RateSchedule::Decay, factor, epochs),
        };
        let recording = matches!(experiment, Experiment::MouseV1);
        let task = matches!(experiment, Experiment::PerceptualDecision | Experiment::GoNogo | Experiment::DelayedComparison);
        let base = Self {
            standardise: if recording { Standardise::All } else { Standardise::None },
            inputs: task,
            fit: if config.loss == Loss::Poisson { Fit::Poisson } else { Fit::Squared },
            offset: config.offset,
            history: config.history,
            identity: config.identity,
            key_width: if config.key_width == config.width() { 0 } else { config.key_width },
            layer_norm: config.layer_norm,
            scale: config.scale,
            residual: config.residual,
            rate: options.rate,
            schedule,
            rate_factor,
            rate_epochs,
            batch: options.batch,
            consecutive: options.order == Order::Consecutive,
            max_epochs: experiment.epochs(),
            patience_epochs: experiment.patience().unwrap_or(0),
            ..Self::default()
        };
        match experiment {
            Experiment::Stdp => Self {
                signal: Signal::Counts,
                series: "membrane potential".to_owned(),
                standardise: Standardise::Predicted,
                predicted: 1,
                ..base
            },
            _ => base,
        }
    }

    /// Settings in which two differ.
    pub(super) fn differences(&self, other: &Self) -> usize {
        let Self {
            signal,
            series,
            inputs,
            standardise,
            fit,
            offset,
            history,
            identity,
            key_width,
            predicted,
            layer_norm,
            scale,
            residual,
            activation,
            type_prior,
            rate,
            schedule,
            rate_factor,
            rate_epochs,
            batch,
            consecutive,
            max_epochs,
            patience_epochs,
        } = self;
        [
            *signal != other.signal,
            *series != other.series,
            *inputs != other.inputs,
            *standardise != other.standardise,
            *fit != other.fit,
            *offset != other.offset,
            *history != other.history,
            *identity != other.identity,
            *key_width != other.key_width,
            *predicted != other.predicted,
            *layer_norm != other.layer_norm,
            *scale != other.scale,
            *residual != other.residual,
            *activation != other.activation,
            *type_prior != other.type_prior,
            *rate != other.rate,
            *schedule != other.schedule,
            *rate_factor != other.rate_factor,
            *rate_epochs != other.rate_epochs,
            *batch != other.batch,
            *consecutive != other.consecutive,
            *max_epochs != other.max_epochs,
            *patience_epochs != other.patience_epochs,
        ]
        .into_iter()
        .filter(|differs| *differs)
        .count()
    }

    /// Check every range.
    pub(super) fn check(&self) -> Result<(), RecipeError> {
        for (name, value, low, high) in [
            ("history", self.history, 1, 10_000),
            ("identity", self.identity, 1, 10_000),
            ("key_width", self.key_width, 0, 20_000),
            ("predicted", self.predicted, 0, 100_000),
            ("batch", self.batch, 1, 100_000),
            ("max_epochs", self.max_epochs, 1, 1_000_000),
            ("patience_epochs", self.patience_epochs, 0, 1_000_000),
            ("rate_epochs", self.rate_epochs, 0, 1_000_000),
        ] {
            range(&format!("model.{name}"), value as f64, f64::from(low), f64::from(high))?;
        }
        range("model.type_prior", self.type_prior, 0.0, 1e6)?;
        range("model.rate", self.rate, 1e-9, 10.0)?;
        range("model.rate_factor", self.rate_factor, 0.0, 1.0)?;
        if self.fit == Fit::Poisson && self.layer_norm {
            return Err(wrong(
                "model.layer_norm",
                true,
                "with model.fit = poisson it must be false: a normalised output cannot follow low rates".to_owned(),
            ));
        }
        Ok(())
    }
}

/// In the order forms show them.
pub(super) const FIELDS: &[RecipeField] = fields! {
    "Activity" {
        "model.signal", "Signal", "", "automatic takes continuous activity where the recording has any, else spike counts in bins of the bin width.", ["automatic", "counts"];
        "model.series", "Series of the first unit", "", "Name of a covariate that is taken in place of the first unit's activity, for example membrane potential; empty for none.";
        "model.inputs", "External inputs", "", "Read the recording's external inputs (series named input …) beside the units; they are not predicted.";
        "model.standardise", "Standardise", "", "none, every unit by itself, counts (the same, but a spike of a quiet unit stays one and a burst counts as three), all units together (published for recordings), or the predicted ones alone.", ["none", "unit", "counts", "all", "predicted"];
        "model.fit", "Loss", "", "Mean squared error, or Poisson with log link for raw counts.", ["squared", "poisson"];
        "model.offset", "Offset", "", "A learned constant for every predicted unit, its log-rate with the Poisson loss, that begins at the mean over training bins. Attention then begins at zero, rates above one per bin grow along a line, and the norm of gradients is limited to 1.";
        "model.history", "History", "bins", "Bins before the predicted one that the network sees.";
        "model.predicted", "Predicted units", "units", "Only the first so many units are predicted; 0 for all.";
    }
    "Network" {
        "model.identity", "Identity", "", "Length of the vector that is learned for every unit: the part of attention that does not change in time.";
        "model.key_width", "Query and key width", "", "0 takes history and identity together.";
        "model.layer_norm", "Layer normalisation", "", "Normalise history and identity, and the output; off for the Poisson loss.";
        "model.scale", "Scaled attention", "", "Divide attention by the square root of the width.";
        "model.residual", "Own value added", "", "Add a unit's own values to what it receives.";
        "model.activation", "Activation of attention", "", "none is published: attention then is the connectivity, with its sign.", ["none", "softmax", "sigmoid", "tanh"];
        "model.type_prior", "Cell-type prior", "", "Weight of the pull of attention towards a mean per pair of cell types; 0 for none.";
    }
    "Optimiser" {
        "model.rate", "Learning rate", "", "Learning rate of Adam.";
        "model.schedule", "Schedule", "", "How the learning rate changes.", ["constant", "plateau", "cycle", "decay"];
        "model.rate_factor", "Factor of the schedule", "", "What plateau and decay multiply the rate with; 0 takes 0.1 and 0.9.";
        "model.rate_epochs", "Epochs of the schedule", "epochs", "Epochs without improvement that plateau waits for, or between two changes by decay; 0 takes 3 and 100.";
        "model.batch", "Batch", "windows", "Windows per step.";
        "model.consecutive", "Neighbours together", "", "Take windows in time order, as published for recordings, in place of shuffling them.";
        "model.max_epochs", "Most epochs", "epochs", "Training ends here at the latest.";
        "model.patience_epochs", "Patience", "epochs", "Training ends after so many epochs without a better validation loss; 0 trains to the end.";
    }
};
