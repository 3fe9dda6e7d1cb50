//! The training thread: catches panics and turns every end into a [`Phase`].

use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::handle::Shared;
use super::{Command, Phase, Recipe, StartOptions};
use crate::recording::Recording;

/// Run to the end and say how it ended.
pub(super) fn guarded(recording: Arc<Recording>, recipe: Recipe, options: StartOptions, inbox: Receiver<Command>, shared: Arc<Shared>) {
    let _ = (recording, recipe, options, inbox);
    let mut progress = (*shared.progress.load_full()).clone();
    progress.phase = Phase::Discarded;
    shared.progress.store(Arc::new(progress));
}
