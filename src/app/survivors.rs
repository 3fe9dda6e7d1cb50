//! Runs that must not die with the window: whatever ends it, a close, a panic or a lost graphics device, somebody outside of it can
//! still see them through to their end.

use std::sync::{Arc, Mutex, PoisonError};

use crate::training::TrainingWatch;

/// Shared between the window and whoever started it.
#[derive(Clone, Default)]
pub struct Survivors(Arc<Mutex<Vec<TrainingWatch>>>);

impl Survivors {
    /// A run has begun.
    pub fn add(&self, run: TrainingWatch) {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|run| !run.is_over());
        runs.push(run);
    }

    /// Runs that go on.
    pub fn going(&self) -> Vec<TrainingWatch> {
        // A thread that died while it held the list left it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|run| !run.is_over()).cloned().collect()
    }
}
