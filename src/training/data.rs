//! From a recording and a recipe to what a model sees: areas by the recipe's rule, trials, counts, splits, references.

use std::sync::Arc;

use crate::analysis::loss::{flat_loss, psth_loss};
use crate::analysis::true_rates::{edges_seen, oracle_loss};
use crate::recording::{
    AreaError, BinnedTrials, BinningError, Recording, Split, TrialError, Trials, TrueEdge, split_by_label, split_trials,
};

use super::DataRecipe;

/// Losses that any model should beat, or reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct References {
    /// A flat rate per unit, from training trials.
    pub flat: Option<f64>,
    /// The smoothed mean over training trials.
    pub psth: Option<f64>,
    /// The true rates, when simulated.
    pub oracle: Option<f64>,
}

/// Data of one run.
#[derive(Debug)]
pub struct Prepared {
    /// Areas by the recipe's rule.
    pub recording: Arc<Recording>,
    /// Trials.
    pub trials: Trials,
    /// Counts.
    pub binned: BinnedTrials,
    /// Training, validation and test trials.
    pub split: Split,
    /// Units left out because they hardly fire.
    pub units_left_out: usize,
    /// True edges among the units and areas that are left; empty when unknown.
    pub edges: Vec<TrueEdge>,
}

/// Why data cannot be prepared.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum DataError {
    /// Areas.
    #[error(transparent)]
    Area(#[from] AreaError),
    /// Trials.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// Counts.
    #[error(transparent)]
    Binning(#[from] BinningError),
    /// All units below the lowest rate.
    #[error("no unit fires at least {min_rate_hz} Hz inside the trials; lower the lowest rate")]
    AllSilent {
        /// The recipe's value.
        min_rate_hz: f64,
    },
    /// Too few trials to fit, validate and test.
    #[error("{found} trials are too few: at least 3 are needed, one each to fit, to validate and to test; shorten the window")]
    FewTrials {
        /// Trials found.
        found: usize,
    },
    /// A split column that does not split.
    #[error("the column '{column}' names no training trials; it must say train, validation or test, or leave the split column empty")]
    SplitColumn {
        /// Name asked for.
        column: String,
    },
    /// A model that does not fit the data.
    #[error("{0}")]
    Model(String),
    /// Windows too short for the model.
    #[error("the window of {bins} bins is shorter than {needed} bins; lengthen the window or use narrower bins")]
    ShortWindow {
        /// Bins of the window.
        bins: usize,
        /// Fewest bins.
        needed: usize,
    },
}

impl DataRecipe {
    /// Training, validation and test trials.
    ///
    /// # Errors
    /// [`DataError::SplitColumn`].
    pub fn split_of(&self, recording: &Recording, trials: &Trials) -> Result<Split, DataError> {
        if self.split_column.is_empty() {
            return Ok(split_trials(&trials.conditions, self.split, self.split_seed));
        }
        let column = trials.table.as_ref().and_then(|name| recording.table(name)?.column(&self.split_column));
        let labels = column.map(|column| trials.rows.iter().map(|&row| column.values.text(row)).collect::<Vec<_>>());
        labels
            .and_then(|labels| split_by_label(&labels, self.split_seed))
            .ok_or_else(|| DataError::SplitColumn { column: self.split_column.clone() })
    }
}

impl Prepared {
    /// Prepare.
    ///
    /// # Errors
    /// [`DataError`] says which setting to change.
    pub fn new(recording: &Arc<Recording>, recipe: &DataRecipe) -> Result<Self, DataError> {
        let recording = match recipe.areas {
            crate::recording::AreaRule::Recorded => Arc::clone(recording),
            ref rule => Arc::new(rule.apply(recording)?),
        };
        let trials = recipe.trials.resolve(&recording)?;
        if trials.starts.len() < 3 {
            return Err(DataError::FewTrials { found: trials.starts.len() });
        }
        let units: Vec<usize> = (0..recording.n_units()).filter(|&u| rate(&recording, &trials, u) >= recipe.min_rate_hz).collect();
        if units.is_empty() {
            return Err(DataError::AllSilent { min_rate_hz: recipe.min_rate_hz });
        }
        let units_left_out = recording.n_units() - units.len();
        let binned = BinnedTrials::count(&recording, &trials, &units)?;
        let split = recipe.split_of(&recording, &trials)?;
        let edges = edges_seen(&recording, &binned);
        Ok(Self { recording, trials, binned, split, units_left_out, edges })
    }

    /// References on the trials `chosen`.
    pub fn references(&self, chosen: &[usize]) -> References {
        let (counts, pad) = (self.binned.counts.view(), self.binned.pad_bins);
        References {
            flat: flat_loss(counts, pad, &self.split.train, chosen),
            psth: psth_loss(counts, pad, &self.split.train, &self.split.validation, chosen).map(|p| p.loss),
            oracle: oracle_loss(&self.recording, &self.trials, &self.binned, chosen),
        }
    }
}

/// Mean rate of a unit inside the analysed windows, Hz.
fn rate(recording: &Recording, trials: &Trials, unit: usize) -> f64 {
    let window = trials.bins as f64 * trials.bin_s;
    let spikes: usize = trials.starts.iter().map(|&start| recording.spikes.unit_between(unit, start, start + window).len()).sum();
    spikes as f64 / (window * trials.starts.len() as f64)
}
