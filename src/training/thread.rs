//! The training thread: stages, validation, early stopping, snapshots, and an end that keeps what was learned.
//!
//! Whatever ends a run, a panic and a lost device included, becomes a [`Phase`]; the window never sees the thread die.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crossbeam_channel::Receiver;

use super::control::{Control, Flow, StageState};
use super::data::{DataError, Prepared};
use super::device::{NoDevice, open};
use super::evaluate::{StageRecord, summary};
use super::glm::{GlmTrainer, check_window};
use super::handle::Shared;
use super::losslog::Collector;
use super::publish::{Latents, Occasion, PairEffect, latents, pair_effects, pairs, scores, snapshot};
use super::{Command, Finished, GlmRecipe, LossLog, Phase, Recipe, Snapshot, StartOptions, TruthScore};
use crate::models::DeviceFailed;
use crate::models::glm_transformer::Stage;
use crate::models::params::Values;
use crate::recording::Recording;
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
    NotFinite { step: u64, stage: &'static str, rate: f64 },
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
    let ending = Ending { status: RunStatus::Failed, message: Some(&message), summary: &serde_json::Value::Null };
    match write(target, recording, recipe, kept, &losses, &ending) {
        Ok(folder) => format!("{message}. The weights before that are in {}", folder.display()),
        Err(error) => format!("{message}. The weights before that could not be written either: {error}"),
    }
}

/// How a run ended.
struct Ending<'a> {
    status: RunStatus,
    message: Option<&'a str>,
    summary: &'a serde_json::Value,
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
    effects: Vec<PairEffect>,
    latents: Latents,
    truth: Vec<(u64, TruthScore)>,
}

impl Run<'_> {
    fn train(mut self) -> Result<Phase, Failure> {
        if let Some(target) = &self.target {
            crate::runs::check_target(target)?;
        }
        self.control.say(Phase::Preparing, "cutting trials and counting spikes");
        let data = Prepared::new(self.recording, &self.recipe.data)?;
        let recipe = self.recipe.glm();
        check_window(recipe, data.binned.bins)?;
        self.publish_data(&data);
        let device = open(self.recipe.device)?;
        self.kept.device = device.name.clone();
        self.control.device(&device.name);
        self.control.say(Phase::Preparing, "initial weights and batches");
        let mut trainer = GlmTrainer::new(recipe, self.recipe.seed, &data, device);
        let mut state = State::default();
        for stage in Stage::ALL {
            match self.stage(&mut trainer, &data, stage, &mut state)? {
                Flow::Go => {}
                Flow::Discard => return Ok(Phase::Discarded),
                Flow::StopAndKeep => return self.finish(&trainer, &data, &mut state, RunStatus::Stopped),
            }
        }
        self.finish(&trainer, &data, &mut state, RunStatus::Complete)
    }

    /// Trials and references, for views.
    fn publish_data(&mut self, data: &Prepared) {
        let shared = Arc::clone(self.control.shared());
        shared.data.store(Some(Arc::new((Arc::clone(&data.recording), data.trials.clone()))));
        let references = data.references(&data.split.validation);
        let single = |x: Option<f64>| x.map(|x| x as f32);
        shared.losses.store(Arc::new(LossLog {
            points: Vec::new(),
            flat: single(references.flat),
            psth: single(references.psth),
            oracle: single(references.oracle),
        }));
    }

    fn stage(&mut self, trainer: &mut GlmTrainer<'_>, data: &Prepared, stage: Stage, state: &mut State) -> Result<Flow, Failure> {
        self.control.begin_stage(stage);
        trainer.begin(stage)?;
        let recipe = trainer.recipe.clone();
        if stage == Stage::Coupling && !recipe.published_staging {
            let mut flow = Flow::Go;
            let control = &mut self.control;
            let mut tell = |fraction: f32| {
                control.say(Phase::Preparing, &format!("scoring edges against jitter, {:.0} %", 100.0 * fraction));
                flow = control.between(state.step, None);
                flow == Flow::Go
            };
            trainer.score_edges(&mut tell)?;
            if flow != Flow::Go {
                return Ok(flow);
            }
        }
        let (first_step, mut epochs) = (state.step, 0);
        let mut stopper = Stopper::new(&recipe);
        let mut flow = Flow::Go;
        self.validate(trainer, data, stage, state, &mut stopper)?;
        while flow == Flow::Go && epochs < recipe.max_epochs && !stopper.done(state.step, &recipe) {
            epochs += 1;
            for at in 0..trainer.train.len() {
                let (losses, norm) = trainer.step(at, state.step)?;
                state.step += 1;
                if !(losses.total.is_finite() && norm.is_finite()) {
                    self.kept.steps = state.step;
                    self.kept.seconds = self.control.seconds();
                    return Err(Failure::NotFinite { step: state.step, stage: stage.name(), rate: recipe.rate });
                }
                state.losses.training(&trainer.config, state.step, stage, &losses);
                let fraction = (epochs as f32 / recipe.max_epochs as f32).max(0.9 * stopper.used(state.step, &recipe));
                flow = self.control.between(state.step, Some(StageState { stage, epoch: epochs, fraction }));
                if flow != Flow::Go {
                    break;
                }
                if self.control.snapshot_due() {
                    self.publish(trainer, data, state, &[])?;
                }
            }
            self.validate(trainer, data, stage, state, &mut stopper)?;
        }
        if let Some((_, weights)) = &stopper.best {
            trainer.restore(weights);
        }
        let seconds = self.control.end_stage();
        self.kept.stages.push(StageRecord {
            name: stage.name().to_owned(),
            steps: state.step - first_step,
            epochs: epochs as u64,
            seconds,
            validation_loss: stopper.best.as_ref().map_or(f64::NAN, |(loss, _)| *loss),
        });
        Ok(flow)
    }

    /// Validation loss, early stopping, and what views show once per epoch.
    fn validate(
        &mut self,
        trainer: &GlmTrainer<'_>,
        data: &Prepared,
        stage: Stage,
        state: &mut State,
        stopper: &mut Stopper,
    ) -> Result<(), Failure> {
        let losses = trainer.losses(&trainer.validation, stage.terms())?;
        state.losses.validation(&trainer.config, state.step, stage, &losses);
        if stopper.hear(losses.total, state.step) {
            let weights = trainer.weights()?;
            self.kept.weights = weights.clone();
            stopper.best = Some((losses.total, weights));
        }
        (self.kept.steps, self.kept.seconds) = (state.step, self.control.seconds());
        if stage >= Stage::Coupling && !data.edges.is_empty() {
            let shown = pairs(trainer, &trainer.weights()?, &[]);
            state.truth.extend(scores(&shown, data).into_iter().map(|score| (state.step, score)));
        }
        self.publish_losses(state);
        if self.control.snapshot_due() {
            if self.control.effects_due() {
                let few = &trainer.validation[..trainer.validation.len().min(2)];
                state.effects = pair_effects(trainer, few)?;
                state.latents = latents(trainer, &trainer.validation)?;
            }
            self.publish(trainer, data, state, &[])?;
        }
        Ok(())
    }

    fn publish_losses(&self, state: &State) {
        let shared = self.control.shared();
        let log = state.losses.log(&shared.losses.load());
        shared.losses.store(Arc::new(log));
    }

    /// Publish a snapshot with detail for the trials that views asked for, and for `more`.
    fn publish(&mut self, trainer: &GlmTrainer<'_>, data: &Prepared, state: &mut State, more: &[usize]) -> Result<(), Failure> {
        let mut trials = self.control.trials_wanted();
        trials.extend(more);
        trials.retain(|&t| t < data.trials.starts.len());
        state.version += 1;
        let occasion = Occasion {
            version: state.version,
            step: state.step,
            effects: &state.effects,
            truth: &state.truth,
            trials: &trials,
            latents: &state.latents,
        };
        let snapshot = snapshot(trainer, data, &occasion)?;
        self.kept.snapshot = Some(snapshot.clone());
        self.control.shared().snapshot.store(Some(Arc::new(snapshot)));
        self.publish_losses(state);
        Ok(())
    }

    fn finish(mut self, trainer: &GlmTrainer<'_>, data: &Prepared, state: &mut State, status: RunStatus) -> Result<Phase, Failure> {
        self.control.say(Phase::Finishing, "evaluating on test trials");
        state.effects = pair_effects(trainer, &trainer.test)?;
        let all = [&trainer.train, &trainer.validation, &trainer.test];
        state.latents = Latents::default();
        for batches in all {
            let (trials, means) = latents(trainer, batches)?;
            state.latents.0.extend(trials);
            state.latents.1.resize(means.len(), Vec::new());
            state.latents.1.iter_mut().zip(means).for_each(|(to, from)| to.extend(from));
        }
        let shown: Vec<usize> = data.split.test.iter().copied().take(8).collect();
        self.publish(trainer, data, state, &shown)?;
        self.kept.weights = trainer.weights()?;
        (self.kept.steps, self.kept.seconds) = (state.step, self.control.seconds());
        let summary = summary(trainer, data, &state.effects, &self.kept.stages, self.kept.seconds, self.target.as_deref())?;
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

/// Early stopping on the validation loss.
struct Stopper {
    best: Option<(f64, Values)>,
    heard: f64,
    /// Step of the last improvement.
    improved: u64,
    /// Epochs without improvement.
    worse: usize,
    tolerance: f64,
}

/// The authors' patience, epochs.
const PUBLISHED_PATIENCE: usize = 3;

impl Stopper {
    fn new(recipe: &GlmRecipe) -> Self {
        Self { best: None, heard: f64::INFINITY, improved: 0, worse: 0, tolerance: recipe.tolerance }
    }

    /// True when the loss is the best so far by more than the tolerance.
    fn hear(&mut self, loss: f64, step: u64) -> bool {
        let better = loss.is_finite() && loss < self.heard - self.tolerance;
        if better {
            (self.heard, self.improved, self.worse) = (loss, step, 0);
        } else {
            self.worse += 1;
        }
        better
    }

    /// Share of the patience that is used up.
    fn used(&self, step: u64, recipe: &GlmRecipe) -> f32 {
        match recipe.published_staging {
            true => self.worse as f32 / PUBLISHED_PATIENCE as f32,
            false => (step - self.improved) as f32 / recipe.patience_steps as f32,
        }
    }

    fn done(&self, step: u64, recipe: &GlmRecipe) -> bool {
        self.used(step, recipe) >= 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_counts_steps_or_epochs() {
        let ours = GlmRecipe { patience_steps: 10, ..GlmRecipe::default() };
        let mut stopper = Stopper::new(&ours);
        assert!(stopper.hear(1.0, 0));
        assert!(!stopper.hear(1.0 - 1e-6, 5), "less than the tolerance is no improvement");
        assert!(!stopper.done(9, &ours) && stopper.done(10, &ours));
        assert!(stopper.hear(0.9, 10) && !stopper.done(19, &ours));
        let published = GlmRecipe { published_staging: true, ..ours };
        let mut stopper = Stopper::new(&published);
        for (loss, done) in [(1.0, false), (2.0, false), (2.0, false), (2.0, true)] {
            stopper.hear(loss, 1000);
            assert_eq!(stopper.done(1_000_000, &published), done);
        }
        assert!(!stopper.hear(f64::NAN, 0));
    }
}
