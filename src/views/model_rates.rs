//! Firing rates that a trained model gives for single trials, taken out of whatever its snapshot holds. The only place where views of
//! rates know how a model publishes them: another model is another arm of [`ModelRates::of`].

use std::sync::Arc;

use super::RunState;
use crate::recording::Recording;
use crate::training::Snapshot;

/// Rates of the trials that the newest snapshot holds.
#[derive(Debug, Clone)]
pub struct ModelRates {
    snapshot: Arc<Snapshot>,
    trials: Vec<TrialRates>,
}

/// One trial.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialRates {
    /// Index among the run's trials.
    pub trial: usize,
    /// Row of the run's table (number of the tile).
    pub row: usize,
    /// Start of the first bin, seconds.
    pub start: f64,
    /// Bins.
    pub bins: usize,
    /// Where the snapshot has it.
    place: usize,
}

impl ModelRates {
    /// What the run has published, when it is a run of this recording; `None` when nothing was published at all (a snapshot without
    /// single trials gives no trials).
    pub fn of(run: &RunState, recording: &Recording) -> Option<Self> {
        let data = run.data.as_ref().filter(|data| data.0.fingerprint == recording.fingerprint)?;
        let snapshot = Arc::clone(run.snapshot.as_ref()?);
        let one = |(place, t): (usize, &crate::training::TrialSnapshot)| {
            let (row, start) = (*data.1.rows.get(t.trial)?, *data.1.starts.get(t.trial)?);
            (!t.log_rate.is_empty()).then_some(TrialRates { trial: t.trial, row, start, bins: t.log_rate.len(), place })
        };
        let trials = snapshot.trials.iter().enumerate().filter_map(one).collect();
        Some(Self { snapshot, trials })
    }

    /// Another number when the rates are others.
    pub fn version(&self) -> u64 {
        self.snapshot.version
    }

    /// Bin width, seconds.
    pub fn bin_s(&self) -> f64 {
        self.snapshot.bin_s
    }

    /// Unit of the recording behind every column of rates.
    pub fn units(&self) -> &[usize] {
        &self.snapshot.units
    }

    /// The trials.
    pub fn trials(&self) -> &[TrialRates] {
        &self.trials
    }

    /// Columns of these units of the recording; units that the model does not know have none.
    pub fn columns(&self, units: &[usize]) -> Vec<usize> {
        self.units().iter().enumerate().filter(|(_, unit)| units.contains(unit)).map(|(column, _)| column).collect()
    }

    /// Rate in Hz of one column in every bin of the trial at `place` of [`Self::trials`]; NaN where the snapshot has none.
    pub fn hz(&self, place: usize, column: usize) -> impl Iterator<Item = f64> {
        self.snapshot.rates_hz(self.trials.get(place).map_or(usize::MAX, |t| t.place), column)
    }

    /// Mean over columns of the rate in Hz, per bin.
    pub fn mean_hz(&self, place: usize, columns: &[usize]) -> Vec<f64> {
        let mut sum = vec![0.0; self.trials.get(place).map_or(0, |t| t.bins)];
        for &column in columns {
            sum.iter_mut().zip(self.hz(place, column)).for_each(|(sum, hz)| *sum += hz);
        }
        sum.iter_mut().for_each(|sum| *sum /= columns.len().max(1) as f64);
        sum
    }
}
