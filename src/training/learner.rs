//! What the training thread asks of a model: stages with batches, a validation loss, weights to keep, and what to show. A new
//! model implements [`Learner`] and gets pausing, stopping, early stopping, snapshots and run folders with it.

use serde_json::{Map, Value};

use super::saved::{RestoreError, Saved};
use super::{References, Snapshot, TermValues};
use crate::models::DeviceFailed;
use crate::models::params::Values;

/// How long without improvement a stage goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Optimiser steps.
    Steps(usize),
    /// Epochs.
    Epochs(usize),
}

/// When a stage ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stopping {
    pub(super) patience: Patience,
    pub(super) max_epochs: usize,
    /// Smallest improvement that counts, of the loss and of the score.
    pub(super) tolerance: f64,
    /// Epochs between validations.
    pub(super) validate_every: usize,
}

/// Losses of the validation trials, and what the best weights are chosen by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Validated {
    pub(super) terms: TermValues<f64>,
    /// Smaller is better. Patience starts anew when it or the total loss improves.
    pub(super) score: f64,
}

/// A set of trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    Validation,
    Test,
}

/// What a snapshot is made for.
pub(super) struct Moment<'a> {
    pub(super) version: u64,
    pub(super) step: u64,
    /// Trials with single-trial detail.
    pub(super) trials: &'a [usize],
}

/// A model with its data, in training. Nothing here reads a clock, and what is made to be shown changes no weights.
pub(super) trait Learner {
    /// Names of the stages, in order.
    fn stages(&self) -> Vec<String>;

    fn stopping(&self) -> Stopping;

    /// Learning rate, for messages.
    fn rate(&self) -> f64;

    /// Begin stage `stage` (from 0). `tell` hears what is being prepared and returns false to stop there.
    ///
    /// # Errors
    /// When the device fails.
    fn begin(&mut self, stage: usize, tell: &mut dyn FnMut(&str) -> bool) -> Result<(), DeviceFailed>;

    /// Training batches of an epoch.
    fn batches(&self) -> usize;

    /// One optimiser step on a training batch; `step` numbers steps from the start of training. Returns losses and the norm
    /// of the gradient; where one is not finite no weight has changed.
    ///
    /// # Errors
    /// When the device fails.
    fn step(&mut self, batch: usize, step: u64) -> Result<(TermValues<f64>, f64), DeviceFailed>;

    /// Losses of the validation trials after `step` steps.
    ///
    /// # Errors
    /// When the device fails.
    fn validate(&mut self, step: u64) -> Result<Validated, DeviceFailed>;

    /// What the second term of the loss is compared with on a set of trials.
    fn references(&self, set: Set) -> References;

    /// The weights now, on the host.
    ///
    /// # Errors
    /// When the device fails.
    fn weights(&self) -> Result<Values, DeviceFailed>;

    /// Put weights back.
    fn restore(&mut self, weights: &Values);

    /// Everything that the next steps, validations and results depend on and that is not made anew from the data, the recipe and
    /// the number of a step: weights, moments of the optimiser, the schedule's memory, scores so far. Random draws are no part of
    /// it: they depend on the seed and the number of the step or epoch alone.
    ///
    /// # Errors
    /// When the device fails.
    fn state(&self) -> Result<Saved, DeviceFailed>;

    /// Go on from a state, in the stage that it was made in, bit for bit as if nothing had happened (on the CPU).
    ///
    /// # Errors
    /// When the device fails or the state is of another model; this learner is then of no use any more.
    fn restore_state(&mut self, state: &Saved) -> Result<(), RestoreError>;

    /// Begin the optimiser anew at half the learning rate: the loss was no finite number, and good weights were put back.
    fn soften(&mut self);

    /// Make anew what snapshots show and what costs a pass over data.
    ///
    /// # Errors
    /// When the device fails.
    fn refresh(&mut self) -> Result<(), DeviceFailed>;

    /// What views draw.
    ///
    /// # Errors
    /// When the device fails.
    fn snapshot(&self, moment: &Moment<'_>) -> Result<Snapshot, DeviceFailed>;

    /// The end of training: results on the test trials for the summary (`test_loss` and what else the model has), and for the
    /// last snapshot.
    ///
    /// # Errors
    /// When the device fails.
    fn conclude(&mut self) -> Result<Map<String, Value>, DeviceFailed>;
}
