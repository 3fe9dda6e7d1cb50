//! One stage of a run: steps, validations, checkpoints, and what is shown meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Failure, LiveRun, Run, StageRecord};
use crate::runs::Kept as Written;
use crate::training::Phase;
use crate::training::checkpoints::{Seconds, State, capture};
use crate::training::control::{Flow, StageState};
use crate::training::learner::{Learner, Moment};
use crate::training::stopper::Stopper;

/// How often good weights are put back when the loss is no finite number.
const ROLL_BACKS: u64 = 3;
/// How long the end of a stage, or of a run, waits for the disk with its checkpoint.
const PATIENCE: Duration = Duration::from_secs(5);

impl Run<'_> {
    /// Train the stage at the place of `state`, from its beginning or from inside it.
    pub(super) fn stage(&mut self, learner: &mut dyn Learner, name: &str, state: &mut State) -> Result<Flow, Failure> {
        self.control.begin_stage(state.place.stage, name);
        let mut inside = state.place.epoch > 0;
        let mut stopper = match state.stopper.take() {
            Some(stopper) if inside => stopper,
            _ => {
                let flow = self.prepare(learner, state)?;
                if flow != Flow::Go {
                    return Ok(flow);
                }
                state.place.first_step = state.step;
                let mut stopper = Stopper::new(learner.stopping());
                self.validate(learner, state, &mut stopper)?;
                stopper
            }
        };
        let mut flow = Flow::Go;
        while flow == Flow::Go {
            if !std::mem::take(&mut inside) {
                if state.place.epoch >= stopper.rule.max_epochs || stopper.done(state.step) {
                    break;
                }
                (state.place.epoch, state.place.batch) = (state.place.epoch + 1, 0);
            }
            while state.place.batch < learner.batches() && flow == Flow::Go {
                self.step(learner, name, state, &stopper)?;
                let fraction = (state.place.epoch as f32 / stopper.rule.max_epochs as f32).max(0.9 * stopper.used(state.step));
                flow = self.control.between(state.step, Some(StageState { name, epoch: state.place.epoch, fraction }));
                if flow == Flow::Go && self.control.snapshot_due() {
                    self.publish(learner, state, &[])?;
                    self.control.snapshot_made();
                }
                if flow == Flow::StopAndKeep {
                    // Before the validation that belongs to the end here, and to no run that goes on.
                    self.checkpoint(learner, state, Some(&stopper), Some(PATIENCE))?;
                } else if flow == Flow::Go && self.due.is_due(Instant::now()) {
                    let patience = self.task.options.checkpoints.every.is_zero().then_some(PATIENCE);
                    self.checkpoint(learner, state, Some(&stopper), patience)?;
                }
            }
            let epoch = state.place.epoch;
            if flow != Flow::Go || epoch.is_multiple_of(stopper.rule.validate_every.max(1)) || epoch == stopper.rule.max_epochs {
                self.validate(learner, state, &mut stopper)?;
            }
        }
        if let Some((_, weights)) = &stopper.best {
            learner.restore(weights);
        }
        let seconds = self.control.end_stage();
        self.kept.stages.push(StageRecord {
            name: name.to_owned(),
            steps: state.step - state.place.first_step,
            epochs: state.place.epoch as u64,
            seconds,
            validation_loss: stopper.best.as_ref().map_or(f64::NAN, |(loss, _)| *loss),
        });
        state.place = state.place.next_stage();
        if flow == Flow::Go {
            // What comes next may take long before its first step.
            self.checkpoint(learner, state, None, Some(PATIENCE))?;
        }
        Ok(flow)
    }

    fn prepare(&mut self, learner: &mut dyn Learner, state: &State) -> Result<Flow, Failure> {
        let mut flow = Flow::Go;
        let control = &mut self.control;
        learner.begin(state.place.stage, &mut |doing| {
            control.say(Phase::Preparing, doing);
            flow = control.between(state.step, None);
            flow == Flow::Go
        })?;
        Ok(flow)
    }

    /// One step; when its loss is no finite number, good weights come back and the learning rate is halved.
    fn step(&mut self, learner: &mut dyn Learner, name: &str, state: &mut State, stopper: &Stopper) -> Result<(), Failure> {
        let (losses, norm) = learner.step(state.place.batch, state.step)?;
        state.step += 1;
        state.place.batch += 1;
        tracing::trace!("step {} done", state.step);
        if losses[0].is_finite() && norm.is_finite() {
            state.losses.training(state.step, state.place.stage, losses);
            return Ok(());
        }
        (self.kept.steps, self.kept.seconds) = (state.step, self.control.seconds());
        // The best weights, and not the newest checkpoint: when that was made depends on the clock, and results must not.
        let best = stopper.best.as_ref().filter(|_| state.rolled_back < ROLL_BACKS);
        let Some((_, weights)) = best else {
            let (step, rolled_back) = (state.step, state.rolled_back);
            return Err(Failure::NotFinite { step, stage: name.to_owned(), rate: learner.rate(), rolled_back });
        };
        let before = learner.rate();
        learner.restore(weights);
        learner.soften();
        state.rolled_back += 1;
        let (step, after, times) = (state.step, learner.rate(), state.rolled_back);
        self.message(format!(
            "the loss was no finite number at step {step} of stage {name}: the best weights of the stage were put back and the learning \
             rate was halved, from {before} to {after} ({times} of at most {ROLL_BACKS} times)"
        ));
        Ok(())
    }

    /// Validation loss, early stopping, and what views show once per epoch.
    fn validate(&mut self, learner: &mut dyn Learner, state: &mut State, stopper: &mut Stopper) -> Result<(), Failure> {
        let validated = learner.validate(state.step)?;
        state.losses.validation(state.step, state.place.stage, validated.terms);
        if stopper.hear(&validated, state.step) {
            let weights = Arc::new(learner.weights()?);
            self.kept.weights = Arc::clone(&weights);
            stopper.best = Some((validated.terms[0], weights));
            self.due.improved = true;
        }
        (self.kept.steps, self.kept.seconds) = (state.step, self.control.seconds());
        self.publish_losses(state);
        if self.control.snapshot_due() {
            if self.control.effects_due() {
                learner.refresh()?;
            }
            self.publish(learner, state, &[])?;
            self.control.snapshot_made();
        }
        Ok(())
    }

    /// Hand a checkpoint to the disk: right after a step with the `stopper` of the stage, or between stages without. With
    /// `patience`, wait that long for the disk; without, a busy disk gets the next one.
    fn checkpoint(
        &mut self,
        learner: &dyn Learner,
        state: &mut State,
        stopper: Option<&Stopper>,
        patience: Option<Duration>,
    ) -> Result<(), Failure> {
        let news = self.kept.live.as_ref().map(LiveRun::news).unwrap_or_default();
        self.hear_of_checkpoints(news);
        let busy = self.kept.live.as_ref().is_some_and(|live| !live.is_free());
        if !self.saves || (busy && patience.is_none()) {
            return Ok(());
        }
        let begun = Instant::now();
        let mut seconds = self.control.both_seconds();
        if stopper.is_none() {
            seconds = Seconds { stage: 0.0, ..seconds };
        }
        let losses = state.losses.log(&self.control.shared().losses.load());
        state.checkpoints += 1;
        let checkpoint = Arc::new(capture(learner, state, stopper, self.kept, losses, seconds, self.due.improved)?);
        self.kept.last = Some(Arc::clone(&checkpoint));
        if let Some(live) = &self.kept.live {
            live.offer(checkpoint, patience.unwrap_or_default());
        }
        self.due.made(begun, Instant::now());
        Ok(())
    }

    /// Tell when checkpoints stop being written, and when they are written again.
    pub(super) fn hear_of_checkpoints(&mut self, news: Vec<Written>) {
        for written in news {
            match written {
                Err(error) if !self.unsaved => {
                    self.unsaved = true;
                    self.message(format!("a checkpoint could not be written: {error}. Training goes on, and it is tried again"));
                }
                Ok(step) if self.unsaved => {
                    self.unsaved = false;
                    self.message(format!("checkpoints are written again, the first at step {step}"));
                }
                Ok(_) | Err(_) => {}
            }
        }
    }

    pub(super) fn publish_losses(&self, state: &State) {
        let shared = self.control.shared();
        let log = state.losses.log(&shared.losses.load());
        shared.losses.store(Arc::new(log));
    }

    /// Publish a snapshot with detail for the trials that views asked for, and for `more`.
    pub(super) fn publish(&mut self, learner: &dyn Learner, state: &mut State, more: &[usize]) -> Result<(), Failure> {
        let shared = Arc::clone(self.control.shared());
        let mut trials = self.control.trials_wanted();
        trials.extend(more);
        let known = shared.data.load().as_ref().map_or(0, |data| data.1.starts.len());
        trials.retain(|&t| t < known);
        state.version += 1;
        let snapshot = Arc::new(learner.snapshot(&Moment { version: state.version, step: state.step, trials: &trials })?);
        self.kept.snapshot = Some(Arc::clone(&snapshot));
        shared.snapshot.store(Some(snapshot));
        self.publish_losses(state);
        Ok(())
    }
}
