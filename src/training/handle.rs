//! The window's end of a training run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use arc_swap::{ArcSwap, ArcSwapOption};
use crossbeam_channel::Sender;
use serde::{Deserialize, Serialize};

use super::checkpoints::CheckpointPlan;
use super::seam::Seam;
use super::thread::Task;
use super::{DeviceChoice, LossLog, Recipe, RecipeError, Snapshot};
use crate::models::params::Values;
use crate::recording::{Recording, Trials};
use crate::runs::{Manifest, RunError, RunStatus};

/// What can be asked of a running training thread; each takes effect within one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Hold after the current step.
    Pause,
    /// Go on.
    Resume,
    /// One step, then hold.
    Step,
    /// End now, keep the best weights, evaluate and write the run.
    StopAndKeep,
    /// End now and write nothing.
    Discard,
}

/// What the thread is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// Binning, uploading, compiling kernels.
    Preparing,
    /// Training steps.
    Running,
    /// Held by the user.
    Paused,
    /// Test loss, results, files.
    Finishing,
    /// Ended well (or stopped and kept).
    Finished(Arc<Finished>),
    /// Ended by the user, nothing kept.
    Discarded,
    /// Ended by an error; the text is for the user. The last good weights were kept when there were any.
    Failed(String),
}

/// One stage in the progress display.
#[derive(Debug, Clone, PartialEq)]
pub struct StageProgress {
    /// Name, for example `1 · mean dynamics`.
    pub name: String,
    /// 0 to 1; an estimate, since early stopping may end a stage sooner.
    pub fraction: f32,
    /// Done.
    pub done: bool,
}

/// Progress as the Train view shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// What the thread is doing.
    pub phase: Phase,
    /// What it is doing in words, for example `scoring edges: jitter 3 of 20`.
    pub doing: String,
    /// Device name.
    pub device: String,
    /// All stages.
    pub stages: Vec<StageProgress>,
    /// Stage now, index into `stages`.
    pub stage: usize,
    /// Steps since the start.
    pub step: u64,
    /// Epoch of this stage.
    pub epoch: usize,
    /// Steps per second, without preparation; 0 until known.
    pub steps_per_s: f32,
    /// Seconds until the end, an estimate; `None` until known.
    pub eta_s: Option<f32>,
    /// Seconds since the start, pauses left out.
    pub elapsed_s: f32,
}

/// What a finished run reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Run folder; `None` when nothing was to be written.
    pub run: Option<PathBuf>,
    /// The line `train --json` prints (see the README).
    pub summary: serde_json::Value,
}

/// What to do when a GPU that trains is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDeviceLost {
    /// Go on on the CPU from the last checkpoint; the messages of the run say so.
    #[default]
    ContinueOnCpu,
    /// End the run with the reason; it can be resumed.
    Stop,
}

/// What goes with a recipe but does not decide the result.
#[derive(Clone, Default)]
pub struct StartOptions {
    /// Run folder to write; `None` writes nothing.
    pub run: Option<PathBuf>,
    /// Called (from the training thread, at most 30 times a second) when something new can be drawn.
    pub wake: Option<Arc<dyn Fn() + Send + Sync>>,
    /// Publish snapshots from the start, as a view that looks does (see [`TrainingHandle::look`]).
    pub watched: bool,
    /// Weights that were trained elsewhere: nothing is trained, the model is evaluated with them and written as a run.
    pub weights: Option<Arc<Values>>,
    /// Begin with this stage (from 0) from weights that another run of the same network had there, in place of the first stage from
    /// random weights.
    pub begin: Option<(usize, Arc<Values>)>,
    /// The thread yields to a window of this process (see [`super::yield_to_the_window`]).
    pub below_the_window: bool,
    /// How often the run is saved, so that it can go on after whatever may happen.
    pub checkpoints: CheckpointPlan,
    /// What to do when a GPU that trains is lost.
    pub on_device_lost: OnDeviceLost,
    /// The file that the recording was opened from, for the manifest: whoever resumes the run finds it there.
    pub opened_from: Option<PathBuf>,
}

/// What the training thread and its handle share. Every field is replaced whole; nobody waits for anybody.
pub(super) struct Shared {
    pub(super) progress: ArcSwap<Progress>,
    pub(super) snapshot: ArcSwapOption<Snapshot>,
    pub(super) losses: ArcSwap<LossLog>,
    pub(super) data: ArcSwapOption<(Arc<Recording>, Trials)>,
    pub(super) looked_at: ArcSwapOption<(Instant, Vec<usize>)>,
    pub(super) messages: ArcSwap<Vec<String>>,
}

impl Default for Shared {
    /// Before the thread has done anything.
    fn default() -> Self {
        Self {
            progress: ArcSwap::from_pointee(Progress {
                phase: Phase::Preparing,
                doing: "starting".to_owned(),
                device: String::new(),
                stages: Vec::new(),
                stage: 0,
                step: 0,
                epoch: 0,
                steps_per_s: 0.0,
                eta_s: None,
                elapsed_s: 0.0,
            }),
            snapshot: ArcSwapOption::empty(),
            losses: ArcSwap::from_pointee(LossLog::default()),
            data: ArcSwapOption::empty(),
            looked_at: ArcSwapOption::empty(),
            messages: ArcSwap::default(),
        }
    }
}

/// A training run in the background. Dropping the handle asks the run to stop and keep what it has.
pub struct TrainingHandle {
    recipe: Recipe,
    commands: Sender<Command>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// The run goes on without this handle.
    left: bool,
}

impl TrainingHandle {
    /// Start the thread `training`. Everything that can go wrong later is told by [`Phase::Failed`].
    ///
    /// # Errors
    /// When the recipe is out of range or the thread cannot be started.
    pub fn start(recording: Arc<Recording>, recipe: Recipe, options: StartOptions) -> Result<Self, TrainingError> {
        Self::launch(Task { recording, recipe, resume: false, options, seam: Seam::default() })
    }

    /// Go on with the run in `folder` that was interrupted, stopped or failed, from its newest good checkpoint; on the CPU the run
    /// is in the end bit for bit what it would have been without the interruption. `device` in place of the recipe's. The folder
    /// of the options is not looked at. That the recording is the one the run was made from is checked on the thread; see also
    /// [`check_data`](super::check_data).
    ///
    /// # Errors
    /// When the folder is no run that can go on, or the thread cannot be started.
    pub fn resume(
        folder: &Path,
        recording: Arc<Recording>,
        device: Option<DeviceChoice>,
        options: StartOptions,
    ) -> Result<Self, TrainingError> {
        let manifest = Manifest::read(folder)?;
        match manifest.status {
            RunStatus::Complete => return Err(RunError::Complete { path: folder.to_owned() }.into()),
            RunStatus::Running => return Err(crate::runs::locked(folder).into()),
            RunStatus::Interrupted | RunStatus::Stopped | RunStatus::Failed => {}
        }
        let recipe = crate::runs::recipe_of(folder, &manifest)?;
        let recipe = Recipe { device: device.unwrap_or(recipe.device), ..recipe };
        let options = StartOptions { run: Some(folder.to_owned()), ..options };
        Self::launch(Task { recording, recipe, resume: true, options, seam: Seam::default() })
    }

    pub(super) fn launch(task: Task) -> Result<Self, TrainingError> {
        task.recipe.check()?;
        let (commands, inbox) = crossbeam_channel::bounded(64);
        let shared = Arc::new(Shared::default());
        let (theirs, recipe) = (Arc::clone(&shared), task.recipe.clone());
        let thread = std::thread::Builder::new()
            .name("training".to_owned())
            .spawn(move || {
                if task.options.below_the_window {
                    super::yield_to_the_window();
                }
                super::thread::guarded(task, inbox, theirs);
            })
            .map_err(|e| TrainingError::Thread(e.to_string()))?;
        Ok(Self { recipe, commands, shared, thread: Some(thread), left: false })
    }

    /// The recipe of this run.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Ask for something; a run that is over ignores it.
    pub fn send(&self, command: Command) {
        // A full inbox means the thread has 64 requests to obey already; a closed one that it is over.
        let _ = self.commands.try_send(command);
    }

    /// Progress now.
    pub fn progress(&self) -> Arc<Progress> {
        self.shared.progress.load_full()
    }

    /// Newest snapshot.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.shared.snapshot.load_full()
    }

    /// Losses so far.
    pub fn losses(&self) -> Arc<LossLog> {
        self.shared.losses.load_full()
    }

    /// What happened on the way and was dealt with, in words for the user: good weights that were put back, a device that was
    /// lost, checkpoints that could not be written. Grows only.
    pub fn messages(&self) -> Arc<Vec<String>> {
        self.shared.messages.load_full()
    }

    /// The recording as the run sees it (areas by the recipe's rule) and its trials; `None` while they are being made.
    pub fn data(&self) -> Option<Arc<(Arc<Recording>, Trials)>> {
        self.shared.data.load_full()
    }

    /// A view that draws snapshots calls this in every frame: snapshots are published only while somebody looks (within the
    /// last second), with single-trial detail for `trials` (indices among the trials used; at most 8 are served).
    pub fn look(&self, trials: &[usize]) {
        self.shared.looked_at.store(Some(Arc::new((Instant::now(), trials.iter().copied().take(8).collect()))));
    }

    /// True when the run has ended, in whichever way.
    pub fn is_over(&self) -> bool {
        matches!(self.progress().phase, Phase::Finished(_) | Phase::Discarded | Phase::Failed(_))
    }

    /// Wait for the end (command line and tests; the window never waits).
    pub fn wait(mut self) -> Arc<Progress> {
        if let Some(thread) = self.thread.take() {
            // A panic inside was caught by the thread itself and is told in the progress.
            let _ = thread.join();
        }
        self.shared.progress.load_full()
    }
}

impl Drop for TrainingHandle {
    fn drop(&mut self) {
        // A window that falls does not take its training with it: whoever holds a watch sees it through.
        if !self.left && !std::thread::panicking() {
            self.send(Command::StopAndKeep);
        }
    }
}

/// A second look at a run, for whoever outlives its handle: it can be asked to stop, and its end can be seen. Dropping it does
/// nothing.
#[derive(Clone)]
pub struct TrainingWatch {
    commands: Sender<Command>,
    shared: Arc<Shared>,
}

impl TrainingHandle {
    /// A second look at this run.
    pub fn watch(&self) -> TrainingWatch {
        TrainingWatch { commands: self.commands.clone(), shared: Arc::clone(&self.shared) }
    }

    /// Let the run go on without its handle.
    pub fn leave(mut self) -> TrainingWatch {
        self.left = true;
        self.watch()
    }
}

impl TrainingWatch {
    /// See [`TrainingHandle::send`].
    pub fn send(&self, command: Command) {
        let _ = self.commands.try_send(command);
    }

    /// See [`TrainingHandle::progress`].
    pub fn progress(&self) -> Arc<Progress> {
        self.shared.progress.load_full()
    }

    /// See [`TrainingHandle::losses`].
    pub fn losses(&self) -> Arc<LossLog> {
        self.shared.losses.load_full()
    }

    /// See [`TrainingHandle::is_over`].
    pub fn is_over(&self) -> bool {
        matches!(self.progress().phase, Phase::Finished(_) | Phase::Discarded | Phase::Failed(_))
    }
}

/// Why a run does not start.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// Recipe out of range.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The run folder cannot be gone on with.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The operating system gives no thread.
    #[error("the training thread could not be started: {0}")]
    Thread(String),
}
