//! A model that trains while something else is timed: the demo, begun again when it has ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::sources;
use crate::recording::Recording;
use crate::training::{Phase, Recipe, StartOptions, TrainingHandle};

/// How long training may take to get going.
const PATIENCE: Duration = Duration::from_secs(180);

/// A training run below the window, nothing of which is written.
pub(super) struct Companion {
    recording: Arc<Recording>,
    run: TrainingHandle,
    /// Steps of the runs that have ended.
    steps: u64,
    /// Steps and time of the last reading.
    read: (u64, Instant),
}

impl Companion {
    /// Start, and wait for the first steps.
    pub(super) fn start() -> anyhow::Result<Self> {
        let recording = Arc::new(sources::demo()?);
        let run = begin(&recording)?;
        let step = run.progress().step;
        Ok(Self { recording, run, steps: 0, read: (step, Instant::now()) })
    }

    /// Look at it as views do, and begin again where it has ended.
    pub(super) fn keep_going(&mut self) -> anyhow::Result<()> {
        self.run.look(&[]);
        if self.run.is_over() {
            self.steps += self.run.progress().step;
            self.run = begin(&self.recording)?;
        }
        Ok(())
    }

    /// Steps per second since the start or the last call.
    pub(super) fn steps_per_s(&mut self) -> f64 {
        let (now, (before, since)) = (self.steps + self.run.progress().step, self.read);
        let rate = now.saturating_sub(before) as f64 / since.elapsed().as_secs_f64().max(1e-9);
        self.read = (now, Instant::now());
        (rate * 10.0).round() / 10.0
    }
}

fn begin(recording: &Arc<Recording>) -> anyhow::Result<TrainingHandle> {
    let options = StartOptions { below_the_window: true, ..StartOptions::default() };
    let run = TrainingHandle::start(Arc::clone(recording), Recipe::default(), options)?;
    let begun = Instant::now();
    while run.progress().phase == Phase::Preparing {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "training on the demo did not begin within {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(10));
    }
    if let Phase::Failed(message) = &run.progress().phase {
        anyhow::bail!("training on the demo failed: {message}");
    }
    Ok(run)
}
