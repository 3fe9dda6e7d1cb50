//! Runs that are interrupted, damaged and gone on with: bit for bit what they would have been.
#![allow(clippy::unwrap_used, clippy::panic)]

mod faults;
mod identity;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use burn::tensor::Device;
use crossbeam_channel::{Sender, bounded};
use serde_json::{Map, Value};

use super::{Seam, Task};
use crate::models::DeviceFailed;
use crate::models::params::Values;
use crate::recording::Recording;
use crate::runs::{self, LoadedRun};
use crate::simulate;
use crate::training::handle::Shared;
use crate::training::learner::{Learner, Moment, Set, Stopping, Validated};
use crate::training::saved::{RestoreError, Saved};
use crate::training::{
    CheckpointPlan, Command, DeviceChoice, PRESETS, Phase, Recipe, References, Snapshot, StartOptions, TermValues, TrainingDevice,
};

/// What to do at a step.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    Panic,
    Stop,
    NotFinite,
    DeviceLost,
    OutOfMemory,
}

/// A learner that does something else at one step, counted from 1 since the start of training.
struct Meddler<'a> {
    inner: Box<dyn Learner + 'a>,
    act: Arc<dyn Fn(u64) -> Option<Act> + Send + Sync>,
    commands: Sender<Command>,
}

impl Learner for Meddler<'_> {
    fn stages(&self) -> Vec<String> {
        self.inner.stages()
    }
    fn stopping(&self) -> Stopping {
        self.inner.stopping()
    }
    fn rate(&self) -> f64 {
        self.inner.rate()
    }
    fn begin(&mut self, stage: usize, tell: &mut dyn FnMut(&str) -> bool) -> Result<(), DeviceFailed> {
        self.inner.begin(stage, tell)
    }
    fn batches(&self) -> usize {
        self.inner.batches()
    }
    fn step(&mut self, batch: usize, step: u64) -> Result<(TermValues<f64>, f64), DeviceFailed> {
        match (self.act)(step + 1) {
            Some(Act::Panic) => panic!("injected at step {}", step + 1),
            Some(Act::DeviceLost) => return Err(DeviceFailed("injected: device lost".into())),
            Some(Act::OutOfMemory) => return Err(DeviceFailed("injected: Out of memory".into())),
            Some(Act::NotFinite) => return Ok(([f64::NAN; 6], f64::NAN)),
            Some(Act::Stop) => self.commands.send(Command::StopAndKeep).unwrap(),
            None => {}
        }
        self.inner.step(batch, step)
    }
    fn validate(&mut self, step: u64) -> Result<Validated, DeviceFailed> {
        self.inner.validate(step)
    }
    fn references(&self, set: Set) -> References {
        self.inner.references(set)
    }
    fn weights(&self) -> Result<Values, DeviceFailed> {
        self.inner.weights()
    }
    fn restore(&mut self, weights: &Values) {
        self.inner.restore(weights);
    }
    fn state(&self) -> Result<Saved, DeviceFailed> {
        self.inner.state()
    }
    fn restore_state(&mut self, state: &Saved) -> Result<(), RestoreError> {
        self.inner.restore_state(state)
    }
    fn soften(&mut self) {
        self.inner.soften();
    }
    fn refresh(&mut self) -> Result<(), DeviceFailed> {
        self.inner.refresh()
    }
    fn snapshot(&self, moment: &Moment<'_>) -> Result<Snapshot, DeviceFailed> {
        self.inner.snapshot(moment)
    }
    fn conclude(&mut self) -> Result<Map<String, Value>, DeviceFailed> {
        self.inner.conclude()
    }
}

/// A run on the thread of the test.
struct Setup {
    recording: Arc<Recording>,
    recipe: Recipe,
    options: StartOptions,
    resume: bool,
    seam: Seam,
    act: Arc<dyn Fn(u64) -> Option<Act> + Send + Sync>,
}

/// How it ended, and what it told on the way.
struct End {
    phase: Phase,
    messages: Vec<String>,
}

impl End {
    fn failure(&self) -> &str {
        match &self.phase {
            Phase::Failed(message) => message,
            other => panic!("expected a failure, found {other:?}"),
        }
    }

    fn finished(&self) -> &Value {
        match &self.phase {
            Phase::Finished(finished) => &finished.summary,
            other => panic!("expected a finished run, found {other:?}"),
        }
    }
}

impl Setup {
    /// A run into `folder` with a checkpoint after every step.
    fn new(made: &(Arc<Recording>, Recipe), folder: &Path) -> Self {
        let every = CheckpointPlan { every: Duration::ZERO, improved: Duration::ZERO, keep: 2 };
        let options = StartOptions { run: Some(folder.to_owned()), checkpoints: every, ..StartOptions::default() };
        let (recording, recipe) = (Arc::clone(&made.0), made.1.clone());
        Self { recording, recipe, options, resume: false, seam: Seam::default(), act: Arc::new(|_| None) }
    }

    fn resume(made: &(Arc<Recording>, Recipe), folder: &Path) -> Self {
        Self { resume: true, ..Self::new(made, folder) }
    }

    /// Do something at a step, every time it comes.
    fn at(self, step: u64, act: Act) -> Self {
        Self { act: Arc::new(move |now| (now == step).then_some(act)), ..self }
    }

    /// Do something at a step, the first time it comes.
    fn once(self, step: u64, act: Act) -> Self {
        let done = AtomicU64::new(0);
        Self { act: Arc::new(move |now| (now == step && done.fetch_add(1, Ordering::Relaxed) == 0).then_some(act)), ..self }
    }

    /// Train with tensors, as on a GPU, on the CPU.
    fn pretending_a_gpu(mut self) -> Self {
        self.seam.device = Some(TrainingDevice { device: Device::flex(), name: "pretended GPU".into(), cpu: false });
        self
    }

    fn run(self) -> End {
        let (commands, inbox) = bounded(64);
        let shared = Arc::new(Shared::default());
        let mut seam = self.seam;
        let act = self.act;
        seam.wrap = Box::new(move |inner| Box::new(Meddler { inner, act: Arc::clone(&act), commands: commands.clone() }));
        let task = Task { recording: self.recording, recipe: self.recipe, resume: self.resume, options: self.options, seam };
        super::guarded(task, inbox, Arc::clone(&shared));
        End { phase: shared.progress.load().phase.clone(), messages: shared.messages.load().to_vec() }
    }
}

fn glm() -> (Arc<Recording>, Recipe) {
    let settings = [("trials", "40"), ("areas", "6x5"), ("units_per_edge", "3"), ("seed", "3")];
    let recording = Arc::new(simulate::by_name("glm", &settings).unwrap());
    let mut recipe = Recipe { device: DeviceChoice::Cpu, ..Recipe::demo() };
    for (path, value) in [
        ("model.width", "8"),
        ("model.hidden", "8"),
        ("model.batch", "8"),
        ("model.max_epochs", "2"),
        ("model.edge_jitters", "3"),
        ("model.sample_latent", "true"),
    ] {
        recipe.set(path, value).unwrap();
    }
    (recording, recipe)
}

fn preset(key: &str, recording: &Recording, changes: &[(&str, &str)]) -> Recipe {
    let mut recipe = Recipe { device: DeviceChoice::Cpu, ..Recipe::default() };
    PRESETS.iter().find(|p| p.key == key).unwrap().choose(&mut recipe, Some(recording));
    for (path, value) in changes {
        recipe.set(path, value).unwrap();
    }
    recipe.device = DeviceChoice::Cpu;
    recipe
}

/// What must be the same bit for bit: losses, weights, results, and the summary without what depends on clocks and places.
fn same_run(one: &Path, other: &Path) {
    let read = |folder: &Path, name: &str| std::fs::read(folder.join(name)).unwrap();
    for name in [runs::METRICS, runs::WEIGHTS, runs::RESULTS] {
        assert!(read(one, name) == read(other, name), "{name} differs between {} and {}", one.display(), other.display());
    }
    let summary = |run: LoadedRun| {
        let mut summary = run.summary;
        for key in ["seconds", "run"] {
            summary.as_object_mut().unwrap().remove(key);
        }
        for stage in summary["stages"].as_array_mut().unwrap() {
            stage.as_object_mut().unwrap().remove("seconds");
        }
        summary
    };
    let (one, other) = (runs::load(one).unwrap(), runs::load(other).unwrap());
    assert_eq!(one.manifest.steps, other.manifest.steps);
    assert_eq!(summary(one), summary(other));
}
