//! Runs that must not die with the window: whatever ends it, a close, a panic or a lost graphics device, somebody outside of it can
//! still stop them in the good way and wait until what was learned is written.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::training::{Command, Phase, TrainingWatch};

/// Shared between the window and whoever started it.
#[derive(Clone, Default)]
pub struct Survivors(Arc<Mutex<Vec<TrainingWatch>>>);

/// What became of runs that were stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Run folders that were written.
    pub folders: Vec<PathBuf>,
    /// Runs that did not end in time.
    pub unfinished: usize,
}

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

    /// Ask every run to stop and keep what it has, and wait until that is written, at most `longest`. `tell` hears once that this
    /// takes a moment.
    pub fn stop_and_keep(&self, longest: Duration, tell: impl FnOnce(usize)) -> Rescued {
        let going = self.going();
        if going.is_empty() {
            return Rescued::default();
        }
        tell(going.len());
        let begin = Instant::now();
        for run in &going {
            run.send(Command::StopAndKeep);
        }
        while begin.elapsed() < longest && going.iter().any(|run| !run.is_over()) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let folder = |run: &TrainingWatch| match &run.progress().phase {
            Phase::Finished(finished) => finished.run.clone(),
            _ => None,
        };
        Rescued { folders: going.iter().filter_map(folder).collect(), unfinished: going.iter().filter(|run| !run.is_over()).count() }
    }
}
