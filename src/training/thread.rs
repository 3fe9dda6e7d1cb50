//! The training thread: stages, validation, early stopping, snapshots, and an end that keeps what was learned.
//!
//! Whatever ends a run, a panic and a lost device included, becomes a [`Phase`]; the window never sees the thread die.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crossbeam_channel::Receiver;
use serde_json::{Map, Value, json};

use super::baseline::BaselineLearner;
use super::control::{Control, Flow, StageState};
use super::data::{DataError, Prepared};
use super::device::TrainingDevice;
use super::device::{NoDevice, open};
use super::glm::{GlmLearner, GlmTrainer, check_window};
use super::handle::Shared;
use super::learner::{Learner, Moment, Patience, Set, Stopping, Validated};
use super::losslog::Collector;
use super::netformer::{ActivityData, NetFormerLearner};
use super::stndt::StndtLearner;
use super::{Command, Finished, LossLog, ModelRecipe, Phase, Recipe, References, Snapshot, StartOptions};
use crate::models::DeviceFailed;
use crate::models::params::Values;
use crate::recording::{Recording, Trials};
use crate::runs::{NamedArray, RunContents, RunError, RunStatus, StageEntry};

/// Why a run ends before its time.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    NoDevice(#[from] NoDevice),
    #[error(transparent)]
    Device(#[from] DeviceFailed),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("the loss is no longer a finite number at step {step} of stage {stage}; lower the learning rate (now {rate})")]
    NotFinite { step: u64, stage: String, rate: f64 },
}

/// What a stage did.
#[derive(Debug, Clone, PartialEq)]
struct StageRecord {
    name: String,
    steps: u64,
    epochs: u64,
    seconds: f64,
    /// Best validation loss with penalties.
    validation_loss: f64,
}

/// What is kept whatever happens: the last good weights and what was known with them.
#[derive(Default)]
struct Kept {
    device: String,
    weights: Values,
    snapshot: Option<Snapshot>,
    stages: Vec<StageRecord>,
    steps: u64,
    seconds: f64,
}

/// Run to the end and say how it ended.
pub(super) fn guarded(recording: Arc<Recording>, recipe: Recipe, options: StartOptions, inbox: Receiver<Command>, shared: Arc<Shared>) {
    let mut kept = Kept::default();
    let target = options.run.clone();
    let work = || {
        let control = Control::new(Arc::clone(&shared), inbox, &options);
        Run { recording: &recording, recipe: &recipe, target: target.clone(), control, kept: &mut kept }.train()
    };
    let phase = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(phase)) => phase,
        Ok(Err(failure)) => Phase::Failed(failure.to_string()),
        Err(panic) => Phase::Failed(format!("training stopped by an internal error: {}", panic_text(panic.as_ref()))),
    };
    let phase = match phase {
        Phase::Failed(message) => Phase::Failed(keep_failed(&recording, &recipe, target.as_deref(), &kept, &shared, message)),
        phase => phase,
    };
    let mut progress = (*shared.progress.load_full()).clone();
    progress.doing = match &phase {
        Phase::Failed(_) => "failed".to_owned(),
        Phase::Discarded => "discarded".to_owned(),
        _ => "finished".to_owned(),
    };
    progress.phase = phase;
    progress.eta_s = None;
    shared.progress.store(Arc::new(progress));
    if let Some(wake) = &options.wake {
        // The window's callback is not ours; if it fails there is nobody left to tell.
        let _ = catch_unwind(AssertUnwindSafe(|| wake()));
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("unknown").to_owned()
}

/// Write what was learned before the failure, when there is anything; the message says where.
fn keep_failed(
    recording: &Recording,
    recipe: &Recipe,
    target: Option<&std::path::Path>,
    kept: &Kept,
    shared: &Shared,
    message: String,
) -> String {
    let (Some(target), false) = (target, kept.weights.is_empty()) else { return message };
    let losses = shared.losses.load_full();
    let ending = Ending { status: RunStatus::Failed, message: Some(&message), summary: &Value::Null };
    match write(target, recording, recipe, kept, &losses, &ending) {
        Ok(folder) => format!("{message}. The weights before that are in {}", folder.display()),
        Err(error) => format!("{message}. The weights before that could not be written either: {error}"),
    }
}

/// How a run ended.
struct Ending<'a> {
    status: RunStatus,
    message: Option<&'a str>,
    summary: &'a Value,
}

fn write(
    target: &std::path::Path,
    recording: &Recording,
    recipe: &Recipe,
    kept: &Kept,
    losses: &LossLog,
    ending: &Ending<'_>,
) -> Result<PathBuf, RunError> {
    let named = |(name, data): (&String, &burn::tensor::TensorData)| {
        Some(NamedArray { name: name.clone(), shape: data.shape().iter().copied().collect(), values: data.try_to_vec::<f32>().ok()? })
    };
    let entry = |s: &StageRecord| StageEntry { name: s.name.clone(), steps: s.steps, epochs: s.epochs, seconds: s.seconds };
    crate::runs::write(
        target,
        &RunContents {
            recipe,
            recording,
            status: ending.status,
            message: ending.message,
            ended: SystemTime::now(),
            device: &kept.device,
            seconds: kept.seconds,
            steps: kept.steps,
            stages: &kept.stages.iter().map(entry).collect::<Vec<_>>(),
            losses,
            snapshot: kept.snapshot.as_ref(),
            weights: &kept.weights.iter().filter_map(named).collect::<Vec<_>>(),
            summary: ending.summary,
        },
    )
}

/// One run in progress.
struct Run<'a> {
    recording: &'a Arc<Recording>,
    recipe: &'a Recipe,
    target: Option<PathBuf>,
    control: Control,
    kept: &'a mut Kept,
}

/// What changes while stages run.
#[derive(Default)]
struct State {
    step: u64,
    version: u64,
    losses: Collector,
}

impl Run<'_> {
    fn train(mut self) -> Result<Phase, Failure> {
        if let Some(target) = &self.target {
            crate::runs::check_target(target)?;
        }
        self.control.say(Phase::Preparing, "cutting trials and counting spikes");
        let data = Material::new(self.recording, self.recipe)?;
        self.control.shared().data.store(Some(Arc::new(data.shown())));
        let device = open(self.recipe.device)?;
        self.kept.device = device.name.clone();
        self.control.device(&device.name);
        self.control.say(Phase::Preparing, "initial weights and batches");
        let mut learner = learner(self.recipe, &data, device)?;
        self.publish_references(&learner.references(Set::Validation));
        let stages = learner.stages();
        self.control.stages(&stages);
        let mut state = State::default();
        for (stage, name) in stages.iter().enumerate() {
            match self.stage(&mut *learner, stage, name, &mut state)? {
                Flow::Go => {}
                Flow::Discard => return Ok(Phase::Discarded),
                Flow::StopAndKeep => return self.finish(&mut *learner, &data, &mut state, RunStatus::Stopped),
            }
        }
        self.finish(&mut *learner, &data, &mut state, RunStatus::Complete)
    }

    fn publish_references(&self, references: &References) {
        let single = |x: Option<f64>| x.map(|x| x as f32);
        self.control.shared().losses.store(Arc::new(LossLog {
            terms: self.recipe.model.loss_terms(),
            points: Vec::new(),
            flat: single(references.flat),
            psth: single(references.psth),
            oracle: single(references.oracle),
        }));
    }

    fn stage(&mut self, learner: &mut dyn Learner, stage: usize, name: &str, state: &mut State) -> Result<Flow, Failure> {
        self.control.begin_stage(stage, name);
        let mut flow = Flow::Go;
        let control = &mut self.control;
        learner.begin(stage, &mut |doing| {
            control.say(Phase::Preparing, doing);
            flow = control.between(state.step, None);
            flow == Flow::Go
        })?;
        if flow != Flow::Go {
            return Ok(flow);
        }
        let (first_step, mut epochs) = (state.step, 0);
        let mut stopper = Stopper::new(learner.stopping());
        self.validate(learner, stage, state, &mut stopper)?;
        while flow == Flow::Go && epochs < stopper.rule.max_epochs && !stopper.done(state.step) {
            epochs += 1;
            for at in 0..learner.batches() {
                let (losses, norm) = learner.step(at, state.step)?;
                state.step += 1;
                if !(losses[0].is_finite() && norm.is_finite()) {
                    self.kept.steps = state.step;
                    self.kept.seconds = self.control.seconds();
                    return Err(Failure::NotFinite { step: state.step, stage: name.to_owned(), rate: learner.rate() });
                }
                state.losses.training(state.step, stage, losses);
                let fraction = (epochs as f32 / stopper.rule.max_epochs as f32).max(0.9 * stopper.used(state.step));
                flow = self.control.between(state.step, Some(StageState { name, epoch: epochs, fraction }));
                if flow != Flow::Go {
                    break;
                }
                if self.control.snapshot_due() {
                    self.publish(learner, state, &[])?;
                }
            }
            if flow != Flow::Go || epochs % stopper.rule.validate_every.max(1) == 0 || epochs == stopper.rule.max_epochs {
                self.validate(learner, stage, state, &mut stopper)?;
            }
        }
        if let Some((_, weights)) = &stopper.best {
            learner.restore(weights);
        }
        let seconds = self.control.end_stage();
        self.kept.stages.push(StageRecord {
            name: name.to_owned(),
            steps: state.step - first_step,
            epochs: epochs as u64,
            seconds,
            validation_loss: stopper.best.as_ref().map_or(f64::NAN, |(loss, _)| *loss),
        });
        Ok(flow)
    }

    /// Validation loss, early stopping, and what views show once per epoch.
    fn validate(&mut self, learner: &mut dyn Learner, stage: usize, state: &mut State, stopper: &mut Stopper) -> Result<(), Failure> {
        let validated = learner.validate(state.step)?;
        state.losses.validation(state.step, stage, validated.terms);
        if stopper.hear(&validated, state.step) {
            let weights = learner.weights()?;
            self.kept.weights = weights.clone();
            stopper.best = Some((validated.terms[0], weights));
        }
        (self.kept.steps, self.kept.seconds) = (state.step, self.control.seconds());
        self.publish_losses(state);
        if self.control.snapshot_due() {
            if self.control.effects_due() {
                learner.refresh()?;
            }
            self.publish(learner, state, &[])?;
        }
        Ok(())
    }

    fn publish_losses(&self, state: &State) {
        let shared = self.control.shared();
        let log = state.losses.log(&shared.losses.load());
        shared.losses.store(Arc::new(log));
    }

    /// Publish a snapshot with detail for the trials that views asked for, and for `more`.
    fn publish(&mut self, learner: &dyn Learner, state: &mut State, more: &[usize]) -> Result<(), Failure> {
        let shared = Arc::clone(self.control.shared());
        let mut trials = self.control.trials_wanted();
        trials.extend(more);
        let known = shared.data.load().as_ref().map_or(0, |data| data.1.starts.len());
        trials.retain(|&t| t < known);
        state.version += 1;
        let snapshot = learner.snapshot(&Moment { version: state.version, step: state.step, trials: &trials })?;
        self.kept.snapshot = Some(snapshot.clone());
        shared.snapshot.store(Some(Arc::new(snapshot)));
        self.publish_losses(state);
        Ok(())
    }

    fn finish(mut self, learner: &mut dyn Learner, data: &Material, state: &mut State, status: RunStatus) -> Result<Phase, Failure> {
        self.control.say(Phase::Finishing, "evaluating on test trials");
        let results = learner.conclude()?;
        let shown = data.kept_trials();
        self.publish(learner, state, &shown)?;
        self.kept.weights = learner.weights()?;
        (self.kept.steps, self.kept.seconds) = (state.step, self.control.seconds());
        let summary = summary(data, &learner.references(Set::Test), results, self.kept, self.target.as_deref());
        let run = match &self.target {
            None => None,
            Some(target) => {
                self.control.say(Phase::Finishing, "writing the run");
                let losses = self.control.shared().losses.load_full();
                Some(write(target, self.recording, self.recipe, self.kept, &losses, &Ending { status, message: None, summary: &summary })?)
            }
        };
        Ok(Phase::Finished(Arc::new(Finished { run, summary })))
    }
}

/// What a model is trained on.
enum Material {
    /// Spikes cut into trials.
    Trials(Arc<Prepared>),
    /// Activity in bins, cut in time.
    Activity(Arc<ActivityData>),
}

impl Material {
    fn new(recording: &Arc<Recording>, recipe: &Recipe) -> Result<Self, DataError> {
        Ok(match &recipe.model {
            ModelRecipe::GlmTransformer(_) | ModelRecipe::Stndt(_) | ModelRecipe::Baseline(_) => {
                Self::Trials(Arc::new(Prepared::new(recording, &recipe.data)?))
            }
            ModelRecipe::NetFormer(model) => Self::Activity(Arc::new(ActivityData::new(recording, &recipe.data, model)?)),
        })
    }

    /// The recording as the run sees it, and its trials.
    fn shown(&self) -> (Arc<Recording>, Trials) {
        match self {
            Self::Trials(data) => (Arc::clone(&data.recording), data.trials.clone()),
            Self::Activity(data) => (Arc::clone(&data.recording), data.trials.clone()),
        }
    }

    /// Trials whose detail is kept with a run.
    fn kept_trials(&self) -> Vec<usize> {
        match self {
            Self::Trials(data) => data.split.test.iter().copied().take(8).collect(),
            Self::Activity(data) => data.last_trials(),
        }
    }

    /// Name and sizes of the three sets, for the summary.
    fn sizes(&self) -> (&'static str, Value) {
        let bins = |part: &[std::ops::Range<usize>]| part.iter().map(ExactSizeIterator::len).sum::<usize>();
        match self {
            Self::Trials(data) => (
                "trials",
                json!({ "train": data.split.train.len(), "validation": data.split.validation.len(), "test": data.split.test.len() }),
            ),
            Self::Activity(data) => {
                ("bins", json!({ "train": bins(&data.train), "validation": bins(&data.validation), "test": bins(&data.test) }))
            }
        }
    }
}

/// The model of the recipe on its data.
fn learner<'a>(recipe: &Recipe, data: &'a Material, device: TrainingDevice) -> Result<Box<dyn Learner + 'a>, Failure> {
    match (&recipe.model, data) {
        (ModelRecipe::GlmTransformer(glm), Material::Trials(data)) => {
            check_window(glm, data.binned.bins)?;
            Ok(Box::new(GlmLearner::new(GlmTrainer::new(glm, recipe.seed, data, device), data)))
        }
        (ModelRecipe::Baseline(own), Material::Trials(data)) => Ok(Box::new(BaselineLearner::new(own, data)?)),
        (ModelRecipe::Stndt(stndt), Material::Trials(data)) => Ok(Box::new(StndtLearner::new(stndt, recipe.seed, data, &device)?)),
        (ModelRecipe::NetFormer(own), Material::Activity(data)) => Ok(Box::new(NetFormerLearner::new(own, recipe.seed, data, &device)?)),
        // `Material::new` looks at the same recipe.
        _ => Err(Failure::Data(DataError::Model("the data were prepared for another model".to_owned()))),
    }
}

/// The line of `train --json`: what every run has, and the results of its model.
fn summary(data: &Material, references: &References, results: Map<String, Value>, kept: &Kept, run: Option<&std::path::Path>) -> Value {
    let mut summary = json!({
        "run": run.map(|p| p.display().to_string()),
        "flat_loss": references.flat,
        "psth_loss": references.psth,
        "seconds": kept.seconds,
        "stages": kept.stages.iter().map(|s| json!({
            "name": s.name, "steps": s.steps, "epochs": s.epochs, "seconds": s.seconds, "validation_loss": s.validation_loss,
        })).collect::<Vec<_>>(),
    });
    let (name, sizes) = data.sizes();
    summary[name] = sizes;
    let mut results = results;
    let true_edges = results.remove("true_edges");
    if references.oracle.is_some() || true_edges.is_some() {
        summary["truth"] = json!({ "oracle_loss": references.oracle, "edges": true_edges.unwrap_or_else(|| json!([])) });
    }
    for (key, value) in results {
        summary[key] = value;
    }
    summary
}

/// Early stopping on the validation loss and the score that the best weights are chosen by.
struct Stopper {
    best: Option<(f64, Values)>,
    loss: f64,
    score: f64,
    /// Step of the last improvement.
    improved: u64,
    /// Validations without improvement.
    worse: usize,
    rule: Stopping,
}

impl Stopper {
    fn new(rule: Stopping) -> Self {
        Self { best: None, loss: f64::INFINITY, score: f64::INFINITY, improved: 0, worse: 0, rule }
    }

    /// True when the score is the best so far by more than the tolerance.
    fn hear(&mut self, heard: &Validated, step: u64) -> bool {
        let better = |new: f64, best: &mut f64| {
            let better = new.is_finite() && new < *best - self.rule.tolerance;
            if better {
                *best = new;
            }
            better
        };
        let best = better(heard.score, &mut self.score);
        if better(heard.terms[0], &mut self.loss) || best {
            (self.improved, self.worse) = (step, 0);
        } else {
            self.worse += 1;
        }
        best
    }

    /// Share of the patience that is used up.
    fn used(&self, step: u64) -> f32 {
        match self.rule.patience {
            Patience::Epochs(epochs) => self.worse as f32 / epochs as f32,
            Patience::Steps(steps) => (step - self.improved) as f32 / steps as f32,
        }
    }

    fn done(&self, step: u64) -> bool {
        self.used(step) >= 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::MOST_TERMS;
    use super::*;

    fn loss(loss: f64) -> Validated {
        Validated { terms: [loss; MOST_TERMS], score: loss }
    }

    #[test]
    fn patience_counts_steps_or_epochs() {
        let rule = Stopping { patience: Patience::Steps(10), max_epochs: 100, tolerance: 1e-5, validate_every: 1 };
        let mut stopper = Stopper::new(rule);
        assert!(stopper.hear(&loss(1.0), 0));
        assert!(!stopper.hear(&loss(1.0 - 1e-6), 5), "less than the tolerance is no improvement");
        assert!(!stopper.done(9) && stopper.done(10));
        assert!(stopper.hear(&loss(0.9), 10) && !stopper.done(19));
        let mut stopper = Stopper::new(Stopping { patience: Patience::Epochs(3), ..rule });
        for (value, done) in [(1.0, false), (2.0, false), (2.0, false), (2.0, true)] {
            stopper.hear(&loss(value), 1000);
            assert_eq!(stopper.done(1_000_000), done);
        }
        assert!(!stopper.hear(&loss(f64::NAN), 0));
    }

    #[test]
    fn a_better_score_is_kept_and_a_better_loss_alone_only_lasts_longer() {
        let rule = Stopping { patience: Patience::Steps(10), max_epochs: 100, tolerance: 1e-5, validate_every: 1 };
        let mut stopper = Stopper::new(rule);
        assert!(stopper.hear(&Validated { score: 12.0, ..loss(1.0) }, 0));
        assert!(!stopper.hear(&Validated { score: 13.0, ..loss(0.5) }, 8));
        assert!(!stopper.done(17));
        assert!(stopper.hear(&Validated { score: -0.2, ..loss(0.6) }, 17) && !stopper.done(26));
    }
}
