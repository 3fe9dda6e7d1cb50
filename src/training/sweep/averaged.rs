//! The members of a sweep averaged: how the score of mean rates grows with the number of the best that are taken, beside what a flat
//! rate and smoothing score on the same trials.

use std::path::PathBuf;
use std::sync::Arc;

use crate::analysis::watch::Watch;
use crate::recording::Recording;
use crate::runs::{self, RunError};
use crate::training::{Beside, Ensemble, EnsembleError, RateModel, RateModelError, RateScores};

/// Scores of the mean rates of the best members.
#[derive(Debug, Clone, PartialEq)]
pub struct Averaged {
    /// Members from the best to the worst: number of the member, scores on validation trials.
    pub order: Vec<(usize, RateScores)>,
    /// Scores on validation trials of the mean over the best 1, 2, … members.
    pub validation: Vec<RateScores>,
    /// The same on test trials, which decided nothing.
    pub test: Vec<RateScores>,
    /// How many score best on validation trials.
    pub best: usize,
    /// What others score on validation and on test trials.
    pub beside: [Beside; 2],
    /// Validation and test trials.
    pub trials: [usize; 2],
}

/// Why members cannot be averaged.
#[derive(Debug, thiserror::Error)]
pub enum AveragedError {
    /// A run cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A network cannot be put together.
    #[error("{folder}: {why}")]
    Model {
        /// The run.
        folder: String,
        /// What does not fit.
        why: RateModelError,
    },
    /// They do not belong together, or the device failed.
    #[error(transparent)]
    Ensemble(#[from] EnsembleError),
}

/// Average runs on `recording`, each with its number. `None` when it was stopped.
///
/// # Errors
/// [`AveragedError`].
pub fn averaged(recording: &Arc<Recording>, runs: &[(usize, PathBuf)], watch: &Watch) -> Result<Option<Averaged>, AveragedError> {
    let mut models: Vec<RateModel> = Vec::with_capacity(runs.len());
    for (_, folder) in runs {
        if watch.stopped() {
            return Ok(None);
        }
        let run = runs::load(folder)?;
        let weights = run.weights()?;
        // Members share their data: it is cut out and counted once.
        let model = match models.first() {
            Some(first) => first.beside(&run.recipe, recording, &weights),
            None => RateModel::from_run(&run.recipe, recording, &weights),
        };
        models.push(model.map_err(|why| AveragedError::Model { folder: folder.display().to_string(), why })?);
    }
    let of = || -> Result<Averaged, EnsembleError> {
        let ensemble = Ensemble::watched(&models, None, watch)?;
        let first = models.first().ok_or(EnsembleError::Empty)?;
        let split = &first.data().split;
        let sets = [&split.validation, &split.test];
        let test = ensemble.curve_on(&models, &split.test, watch)?;
        let number = |at: usize| runs.get(at).map_or(at, |(number, _)| *number);
        Ok(Averaged {
            order: ensemble.order.iter().map(|(at, score)| (number(*at), *score)).collect(),
            validation: ensemble.curve,
            test,
            best: ensemble.members,
            beside: sets.map(|trials| Beside::new(first, trials, first.smoothed(trials).as_ref())),
            trials: sets.map(Vec::len),
        })
    };
    match of() {
        Err(EnsembleError::Stopped) => Ok(None),
        other => Ok(Some(other?)),
    }
}
