//! Settings of NetFormer.

use serde::{Deserialize, Serialize};

use super::{RecipeError, RecipeField, fields, range, wrong};

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
    /// Mean 0 and standard deviation 1 over all units together.
    #[default]
    All,
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
    /// A tenth of it when validation does not improve.
    #[default]
    Plateau,
    /// Up and down between half and twice of it.
    Cycle,
    /// Nine tenths of it every 100 epochs.
    Decay,
}

/// Hyperparameters of NetFormer (Lu et al. 2025); defaults are those for recordings (spec §3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetFormerRecipe {
    /// What is predicted from what.
    pub signal: Signal,
    /// What the input is made to.
    pub standardise: Standardise,
    /// Loss.
    pub fit: Fit,
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
            standardise: Standardise::All,
            fit: Fit::Squared,
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
            batch: 32,
            consecutive: false,
            max_epochs: 100,
            patience_epochs: 20,
        }
    }
}

impl NetFormerRecipe {
    /// For raw counts: log-rates, and no normalisation of outputs that have no bound.
    pub fn counts() -> Self {
        Self {
            signal: Signal::Counts,
            standardise: Standardise::Unit,
            fit: Fit::Poisson,
            history: 10,
            layer_norm: false,
            ..Self::default()
        }
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
        ] {
            range(&format!("model.{name}"), value as f64, f64::from(low), f64::from(high))?;
        }
        range("model.type_prior", self.type_prior, 0.0, 1e6)?;
        range("model.rate", self.rate, 1e-9, 10.0)?;
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
        "model.standardise", "Standardise", "", "none, every unit by itself, or all units together (published for recordings).", ["none", "unit", "all"];
        "model.fit", "Loss", "", "Mean squared error, or Poisson with log link for raw counts.", ["squared", "poisson"];
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
        "model.batch", "Batch", "windows", "Windows per step.";
        "model.consecutive", "Neighbours together", "", "Take windows in time order, as published for recordings, in place of shuffling them.";
        "model.max_epochs", "Most epochs", "epochs", "Training ends here at the latest.";
        "model.patience_epochs", "Patience", "epochs", "Training ends after so many epochs without a better validation loss; 0 trains to the end.";
    }
};
