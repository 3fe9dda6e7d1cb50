//! The training thread: from a recipe and a recording to a run that has ended, whichever way.
//!
//! Whatever ends a run, a panic and a lost device included, becomes a [`Phase`]; the window never sees the thread die. What can be
//! dealt with (a GPU that is lost, a loss that is no finite number, a disk that is full) is dealt with and told in the messages of
//! the run.

mod stage;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::Receiver;
use serde_json::Value;

use super::checkpoints::{Due, Place, State, restore};
use super::control::{Control, Flow};
use super::data::DataError;
use super::device::{NoDevice, TrainingDevice, cpu, open};
use super::handle::Shared;
use super::learner::{Learner, Set};
use super::material::{Material, learner, summary};
use super::saved::RestoreError;
use super::seam::Seam;
use super::{Command, Finished, LossLog, OnDeviceLost, Phase, Recipe, References, Snapshot, StartOptions};
use crate::models::DeviceFailed;
use crate::models::params::Values;
use crate::recording::Recording;
use crate::runs::{
    Checkpoint, DataDiffers, LiveRun, RecordingEntry, RunContents, RunError, RunStatus, StageEntry, Used, compare_data, named, nothing_yet,
};

/// Why a run ends before its time.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    OtherData(#[from] DataDiffers),
    #[error(transparent)]
    NoDevice(#[from] NoDevice),
    #[error(transparent)]
    Device(#[from] DeviceFailed),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("{0}")]
    Unfit(String),
    #[error(
        "the weights do not fit the recipe and the recording: {0}; change units, bins or the model's settings to those it was trained with"
    )]
    Weights(String),
    #[error("the loss is no longer a finite number at step {step} of stage {stage}{}; lower the learning rate (now {rate})",
        if *.rolled_back > 0 { format!(" (after going back to good weights at half the learning rate {rolled_back} times)") } else { String::new() })]
    NotFinite { step: u64, stage: String, rate: f64, rolled_back: u64 },
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Device(device) => Self::Device(device),
            unfit @ RestoreError::Unfit(_) => Self::Unfit(unfit.to_string()),
        }
    }
}

/// What a stage did.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StageRecord {
    pub(super) name: String,
    pub(super) steps: u64,
    pub(super) epochs: u64,
    pub(super) seconds: f64,
    /// Best validation loss with penalties.
    pub(super) validation_loss: f64,
}

impl StageRecord {
    pub(super) fn entry(&self) -> StageEntry {
        StageEntry { name: self.name.clone(), steps: self.steps, epochs: self.epochs, seconds: self.seconds }
    }
}

/// What is kept whatever happens: the last good weights and what was known with them.
#[derive(Default)]
pub(super) struct Kept {
    device: String,
    used: Used,
    /// Of a run that was taken over.
    opened_from: Option<PathBuf>,
    pub(super) weights: Arc<Values>,
    pub(super) snapshot: Option<Arc<Snapshot>>,
    pub(super) stages: Vec<StageRecord>,
    pub(super) steps: u64,
    pub(super) seconds: f64,
    /// What happened on the way and was dealt with.
    pub(super) messages: Vec<String>,
    /// The run folder, from the moment it is there.
    live: Option<LiveRun>,
    /// The newest checkpoint, to go on from on another device.
    pub(super) last: Option<Arc<Checkpoint>>,
}

/// What a thread is started with.
pub(super) struct Task {
    pub(super) recording: Arc<Recording>,
    pub(super) recipe: Recipe,
    /// Go on with the run in the folder of the options.
    pub(super) resume: bool,
    pub(super) options: StartOptions,
    pub(super) seam: Seam,
}

/// Run to the end and say how it ended.
pub(super) fn guarded(task: Task, inbox: Receiver<Command>, shared: Arc<Shared>) {
    let mut kept = Kept::default();
    let work = || {
        let control = Control::new(Arc::clone(&shared), inbox, &task.options);
        let due = Due::new(task.options.checkpoints, Instant::now());
        Run { task: &task, control, due, saves: false, unsaved: false, kept: &mut kept }.train()
    };
    let phase = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(phase)) => phase,
        Ok(Err(failure)) => Phase::Failed(failure.to_string()),
        Err(panic) => Phase::Failed(format!("training stopped by an internal error: {}", panic_text(panic.as_ref()))),
    };
    let phase = match phase {
        Phase::Failed(message) => Phase::Failed(keep_failed(&task, &mut kept, &shared, message)),
        Phase::Discarded => {
            if let Some(live) = kept.live.take() {
                live.discard();
            }
            Phase::Discarded
        }
        phase => phase,
    };
    // The folder is given free before anybody is told.
    drop(kept);
    let mut progress = (*shared.progress.load_full()).clone();
    progress.doing = match &phase {
        Phase::Failed(_) => "failed".to_owned(),
        Phase::Discarded => "discarded".to_owned(),
        _ => "finished".to_owned(),
    };
    progress.phase = phase;
    progress.eta_s = None;
    shared.progress.store(Arc::new(progress));
    if let Some(wake) = &task.options.wake {
        // The window's callback is not ours; if it fails there is nobody left to tell.
        let _ = catch_unwind(AssertUnwindSafe(|| wake()));
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("unknown").to_owned()
}

/// Write what was learned before the failure, when there is anything; the message says where.
fn keep_failed(task: &Task, kept: &mut Kept, shared: &Shared, message: String) -> String {
    let Some(live) = &mut kept.live else { return message };
    live.settle();
    if kept.weights.is_empty() {
        // Nothing was learned yet: a new folder goes, one that was resumed stays as it was.
        if let Some(live) = kept.live.take() {
            live.discard();
        }
        return message;
    }
    let losses = shared.losses.load_full();
    let ending = Ending { status: RunStatus::Failed, message: Some(&message), summary: &Value::Null };
    match write(task, kept, &losses, &ending) {
        Ok(folder) => format!("{message}. The weights before that are in {}", folder.display()),
        Err(error) => {
            let folder = kept.live.as_ref().map(|live| live.folder().display().to_string()).unwrap_or_default();
            format!("{message}. The end of the run could not be written: {error}. Its last checkpoint is in {folder}; resume it from there")
        }
    }
}

/// How a run ended.
struct Ending<'a> {
    status: RunStatus,
    message: Option<&'a str>,
    summary: &'a Value,
}

fn write(task: &Task, kept: &mut Kept, losses: &LossLog, ending: &Ending<'_>) -> Result<PathBuf, RunError> {
    let Some(live) = &mut kept.live else { return Ok(PathBuf::new()) };
    live.finish(&RunContents {
        recipe: &task.recipe,
        recording: &task.recording,
        status: ending.status,
        message: ending.message,
        messages: &kept.messages,
        used: Some(&kept.used),
        opened_from: task.options.opened_from.as_deref().or(kept.opened_from.as_deref()),
        ended: SystemTime::now(),
        device: &kept.device,
        seconds: kept.seconds,
        steps: kept.steps,
        stages: &kept.stages.iter().map(StageRecord::entry).collect::<Vec<_>>(),
        losses,
        snapshot: kept.snapshot.as_deref(),
        weights: &named(&kept.weights),
        summary: ending.summary,
    })
}

/// How often the end of a run is written when the disk refuses, and the pause before the second time; it grows.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);

/// A run folder that training goes on with.
struct TakenOver {
    checkpoint: Option<Arc<Checkpoint>>,
    made_from: RecordingEntry,
    used: Option<Used>,
}

/// One run in progress.
struct Run<'a> {
    task: &'a Task,
    control: Control,
    due: Due,
    /// There is a folder for checkpoints, or a device that may be lost.
    saves: bool,
    /// The last checkpoint could not be written.
    unsaved: bool,
    kept: &'a mut Kept,
}

impl Run<'_> {
    fn train(mut self) -> Result<Phase, Failure> {
        let (task, options) = (self.task, &self.task.options);
        let mut from = None;
        match &options.run {
            Some(folder) if task.resume => from = Some(self.take_over(folder)?),
            Some(target) => crate::runs::check_target(target)?,
            None => {}
        }
        self.control.say(Phase::Preparing, "cutting trials and counting spikes");
        let data = Material::new(&task.recording, &task.recipe)?;
        self.kept.used = data.used();
        if let Some(TakenOver { made_from, used, .. }) = &from {
            compare_data(made_from, used.as_ref(), &RecordingEntry::from(&*task.recording), &self.kept.used)?;
        }
        self.control.shared().data.store(Some(Arc::new(data.shown())));
        let mut device = match &task.seam.device {
            Some(device) => device.clone(),
            None => open(task.recipe.device)?,
        };
        let mut checkpoint = from.and_then(|found| found.checkpoint);
        loop {
            let on_cpu = device.cpu;
            let attempt = catch_unwind(AssertUnwindSafe(|| self.attempt(&data, device, checkpoint)));
            let lost = match attempt {
                Ok(Err(Failure::Device(why))) if !on_cpu => why.to_string(),
                // Drivers and their libraries report a lost device by a panic as well.
                Err(panic) if !on_cpu => format!("the training device failed: {}", panic_text(panic.as_ref())),
                Ok(outcome) => return outcome,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            let advice = smaller_batch(&lost, &task.recipe);
            if options.on_device_lost == OnDeviceLost::Stop {
                return Err(Failure::Device(DeviceFailed(format!("{lost}{advice}; the run was to stop in this case"))));
            }
            checkpoint = self.kept.last.clone();
            let step = checkpoint.as_ref().map_or(0, |c| c.step);
            self.message(format!("{} was lost ({lost}){advice}. Training goes on on the CPU from step {step}", self.kept.device));
            device = cpu();
        }
    }

    /// Take over the run folder to go on with: its checkpoint, and what it was made from.
    fn take_over(&mut self, folder: &std::path::Path) -> Result<TakenOver, Failure> {
        let (live, found) = LiveRun::reopen(folder, self.task.options.checkpoints.keep, &*self.task.seam.disk)?;
        self.kept.live = Some(live);
        self.kept.opened_from.clone_from(&found.manifest.opened_from);
        for note in found.notes {
            self.message(note);
        }
        let checkpoint = found.checkpoint.map(Arc::new);
        if checkpoint.is_none() {
            self.message("the run had not come to its first checkpoint; it begins anew".to_owned());
        }
        self.kept.last.clone_from(&checkpoint);
        Ok(TakenOver { checkpoint, made_from: found.manifest.recording, used: found.manifest.used })
    }

    /// Train on one device, from the beginning or from a checkpoint.
    fn attempt(&mut self, data: &Material, device: TrainingDevice, from: Option<Arc<Checkpoint>>) -> Result<Phase, Failure> {
        let task = self.task;
        self.kept.device = device.name.clone();
        self.control.device(&device.name);
        self.control.say(Phase::Preparing, "initial weights and batches");
        self.saves = task.options.run.is_some() || !device.cpu;
        let mut learner = (task.seam.wrap)(learner(&task.recipe, data, device)?);
        if let (None, Some(target)) = (&self.kept.live, &task.options.run) {
            let losses = LossLog { terms: task.recipe.model.loss_terms(), ..LossLog::default() };
            let contents = nothing_yet(
                &task.recipe,
                &task.recording,
                &self.kept.used,
                &self.kept.device,
                task.options.opened_from.as_deref(),
                &losses,
            );
            self.kept.live = Some(LiveRun::begin(target, &contents, task.options.checkpoints.keep, &*task.seam.disk)?);
        }
        self.publish_references(&learner.references(Set::Validation));
        let stages = learner.stages();
        self.control.stages(&stages);
        let begin = task.options.begin.as_ref().filter(|_| from.is_none());
        let mut state = self.state_of(&mut *learner, from)?;
        if let Some((stage, weights)) = begin {
            fits(&learner.weights()?, weights)?;
            learner.restore(weights);
            state.place.stage = *stage;
        }
        self.publish_losses(&state);
        if let Some(weights) = &task.options.weights {
            return self.evaluate(&mut *learner, data, &mut state, weights);
        }
        while let Some(name) = stages.get(state.place.stage) {
            match self.stage(&mut *learner, name, &mut state)? {
                Flow::Go => {}
                Flow::Discard => return Ok(Phase::Discarded),
                Flow::StopAndKeep => return self.finish(&mut *learner, data, &mut state, RunStatus::Stopped),
            }
        }
        self.finish(&mut *learner, data, &mut state, RunStatus::Complete)
    }

    fn state_of(&mut self, learner: &mut dyn Learner, from: Option<Arc<Checkpoint>>) -> Result<State, Failure> {
        let messages = std::mem::take(&mut self.kept.messages);
        let state = match from {
            None => {
                (self.kept.stages, self.kept.weights, self.kept.steps) = (Vec::new(), Arc::default(), 0);
                State::default()
            }
            Some(checkpoint) => {
                let (state, seconds) = restore(&checkpoint, learner, self.kept)?;
                self.control.resumed(seconds, state.place.stage, state.step);
                state
            }
        };
        let new: Vec<String> = messages.into_iter().filter(|m| !self.kept.messages.contains(m)).collect();
        self.kept.messages.extend(new);
        self.control.message(&self.kept.messages);
        self.due = Due::new(self.task.options.checkpoints, Instant::now());
        Ok(state)
    }

    /// Note something that happened and was dealt with.
    fn message(&mut self, text: String) {
        tracing::info!("{text}");
        self.kept.messages.push(text);
        self.control.message(&self.kept.messages);
    }

    /// No training: take weights over, and evaluate as after training.
    fn evaluate(&mut self, learner: &mut dyn Learner, data: &Material, state: &mut State, weights: &Values) -> Result<Phase, Failure> {
        let last = learner.stages().len().saturating_sub(1);
        let mut flow = Flow::Go;
        let control = &mut self.control;
        learner.begin(last, &mut |doing| {
            control.say(Phase::Preparing, doing);
            flow = control.between(0, None);
            flow == Flow::Go
        })?;
        if flow == Flow::Discard {
            return Ok(Phase::Discarded);
        }
        fits(&learner.weights()?, weights)?;
        learner.restore(weights);
        let validated = learner.validate(0)?;
        state.losses.validation(0, last, validated.terms);
        learner.refresh()?;
        self.finish(learner, data, state, RunStatus::Complete)
    }

    fn publish_references(&self, references: &References) {
        let single = |x: Option<f64>| x.map(|x| x as f32);
        self.control.shared().losses.store(Arc::new(LossLog {
            terms: self.task.recipe.model.loss_terms(),
            points: Vec::new(),
            flat: single(references.flat),
            psth: single(references.psth),
            oracle: single(references.oracle),
        }));
    }

    fn finish(&mut self, learner: &mut dyn Learner, data: &Material, state: &mut State, status: RunStatus) -> Result<Phase, Failure> {
        self.control.say(Phase::Finishing, "evaluating on test trials");
        let results = learner.conclude()?;
        let shown = data.kept_trials();
        self.publish(learner, state, &shown)?;
        self.kept.weights = Arc::new(learner.weights()?);
        (self.kept.steps, self.kept.seconds) = (state.step, self.control.seconds());
        let target = self.kept.live.as_ref().map(|live| live.folder().to_owned());
        let summary = summary(data, &learner.references(Set::Test), results, self.kept, status, target.as_deref());
        if target.is_some() {
            self.control.say(Phase::Finishing, "writing the run");
            self.write_end(status, &summary)?;
        }
        Ok(Phase::Finished(Arc::new(Finished { run: target, summary })))
    }

    /// Write the results; a disk that refuses is asked again.
    fn write_end(&mut self, status: RunStatus, summary: &Value) -> Result<(), RunError> {
        let last = self.kept.live.as_mut().map(LiveRun::settle).unwrap_or_default();
        self.hear_of_checkpoints(last);
        let losses = self.control.shared().losses.load_full();
        let mut tries = 1;
        loop {
            match write(self.task, self.kept, &losses, &Ending { status, message: None, summary }) {
                Ok(_) => return Ok(()),
                Err(error) if tries >= TRIES => return Err(error),
                Err(error) => {
                    self.message(format!("the results could not be written: {error}; trying again"));
                    std::thread::sleep(PAUSE * tries);
                    tries += 1;
                }
            }
        }
    }
}

/// What to change when a device had too little memory; empty when that was not it.
fn smaller_batch(why: &str, recipe: &Recipe) -> String {
    let why = why.to_lowercase();
    let memory = ["out of memory", "outofmemory", "not enough memory", "allocat"].iter().any(|word| why.contains(word));
    let batch = recipe.get("model.batch").ok().and_then(|batch| batch.as_u64()).filter(|&batch| memory && batch > 1);
    batch.map(|batch| format!("; a smaller batch needs less memory: try model.batch = {}", batch / 2)).unwrap_or_default()
}

impl Place {
    /// Before the next stage is prepared.
    fn next_stage(self) -> Self {
        Self { stage: self.stage + 1, ..Self::default() }
    }
}

/// Whether weights from elsewhere are those of this network.
fn fits(own: &Values, theirs: &Values) -> Result<(), Failure> {
    let sizes = |data: &burn::tensor::TensorData| data.shape().iter().copied().collect::<Vec<usize>>();
    for (name, data) in own {
        match theirs.get(name) {
            None => return Err(Failure::Weights(format!("'{name}' is missing"))),
            Some(other) if sizes(other) != sizes(data) => {
                return Err(Failure::Weights(format!("'{name}' has the shape {:?}, the recipe asks for {:?}", sizes(other), sizes(data))));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
