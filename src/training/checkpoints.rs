//! When checkpoints of a run are made, what goes into them, and going on from one. Clocks here count durations only; what time it
//! is never matters.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::learner::Learner;
use super::losslog::Collector;
use super::saved::{RestoreError, Saved};
use super::stopper::Stopper;
use super::thread::{Kept, StageRecord};
use crate::models::DeviceFailed;
use crate::runs::{Checkpoint, StageEntry};

/// How often checkpoints are made, and how many stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointPlan {
    /// Time between checkpoints; zero makes one after every step, and waits for the disk.
    pub every: Duration,
    /// Time after which a checkpoint is made when the validation loss has improved.
    pub improved: Duration,
    /// So many of the newest stay, and the newest one that improved.
    pub keep: usize,
}

impl Default for CheckpointPlan {
    fn default() -> Self {
        Self { every: Duration::from_secs(30), improved: Duration::from_secs(10), keep: 2 }
    }
}

/// Training waits for a checkpoint (copies from the device) at most for one part in this many of its time.
const SHARE: u32 = 50;

/// Whether a checkpoint is due.
#[derive(Debug)]
pub(super) struct Due {
    plan: CheckpointPlan,
    last: Instant,
    /// How long training waited for the last one.
    cost: Duration,
    pub(super) improved: bool,
}

impl Due {
    pub(super) fn new(plan: CheckpointPlan, now: Instant) -> Self {
        Self { plan, last: now, cost: Duration::ZERO, improved: false }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        let wanted = if self.improved { self.plan.improved.min(self.plan.every) } else { self.plan.every };
        let least = if self.plan.every.is_zero() { Duration::ZERO } else { self.cost.saturating_mul(SHARE) };
        now.saturating_duration_since(self.last) >= wanted.max(least)
    }

    /// One was made in the time since `begun`.
    pub(super) fn made(&mut self, begun: Instant, now: Instant) {
        *self = Self { cost: now.saturating_duration_since(begun), last: now, improved: false, ..*self };
    }
}

/// Where training is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// From 0; as many as there are stages when all are done.
    pub(super) stage: usize,
    /// Epochs of the stage that have begun; 0 before it is prepared.
    pub(super) epoch: usize,
    /// Batches of that epoch that are done.
    pub(super) batch: usize,
    /// Steps before the stage.
    pub(super) first_step: u64,
}

/// What changes while stages run.
#[derive(Default)]
pub(super) struct State {
    pub(super) place: Place,
    pub(super) step: u64,
    /// Of the last snapshot.
    pub(super) version: u64,
    pub(super) losses: Collector,
    /// Of the stage that training goes on in, right after a checkpoint was taken back.
    pub(super) stopper: Option<Stopper>,
    /// How often good weights were put back because the loss was no finite number.
    pub(super) rolled_back: u64,
    /// Checkpoints made.
    pub(super) checkpoints: u64,
}

/// Seconds of training, pauses left out.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Seconds {
    pub(super) all: f64,
    /// Of the stage that has begun.
    pub(super) stage: f64,
}

/// Everything that is needed to go on from here.
///
/// # Errors
/// When the device fails.
pub(super) fn capture(
    learner: &dyn Learner,
    state: &State,
    stopper: Option<&Stopper>,
    kept: &Kept,
    losses: super::LossLog,
    seconds: Seconds,
    improved: bool,
) -> Result<Checkpoint, DeviceFailed> {
    let mut saved = Saved::default();
    saved.put_part("learner", learner.state()?);
    saved.put_part("losses", state.losses.save());
    if let Some(stopper) = stopper {
        saved.put_part("stopping", stopper.save());
    }
    let place = state.place;
    saved.put_counts("place", [place.stage as u64, place.epoch as u64, place.batch as u64, place.first_step]);
    saved.put_counts("counters", [state.version, state.rolled_back]);
    saved.put_real("stage_seconds", seconds.stage);
    saved.put("messages", kept.messages.clone());
    let mut stages = Saved::default();
    for (at, stage) in kept.stages.iter().enumerate() {
        stages.put_real(&format!("{at} seconds"), stage.seconds);
        stages.put_real(&format!("{at} validation_loss"), stage.validation_loss);
    }
    saved.put_part("stages", stages);
    let before = kept.last.as_ref().map_or(0, |last| last.step);
    let snapshot = match kept.snapshot.as_ref().filter(|snapshot| snapshot.step > before) {
        Some(snapshot) => Some(Arc::clone(snapshot)),
        // Nobody looks, or no longer; a run that is opened after an interruption should have something to show all the same.
        None => {
            let moment = super::learner::Moment { version: state.version, step: state.step, trials: &[] };
            Some(Arc::new(learner.snapshot(&moment)?))
        }
    };
    Ok(Checkpoint {
        number: state.checkpoints,
        step: state.step,
        improved,
        seconds: seconds.all,
        stages: kept.stages.iter().map(StageRecord::entry).collect(),
        values: saved.values,
        arrays: saved.arrays,
        best: Arc::clone(&kept.weights),
        losses,
        snapshot,
    })
}

/// Put a learner and what is kept into the state of a checkpoint.
///
/// # Errors
/// When the device fails or the checkpoint is of another model.
pub(super) fn restore(from: &Checkpoint, learner: &mut dyn Learner, kept: &mut Kept) -> Result<(State, Seconds), RestoreError> {
    let saved = Saved { arrays: from.arrays.clone(), values: from.values.clone() };
    let unfit = |what: &str| RestoreError::Unfit(format!("'{what}' is of another kind"));
    let size = |n: u64, what: &str| usize::try_from(n).map_err(|_| unfit(what));
    learner.restore_state(&saved.part("learner")?)?;
    let &[stage, epoch, batch, first_step] = saved.counts("place")?.as_slice() else { return Err(unfit("place")) };
    let &[version, rolled_back] = saved.counts("counters")?.as_slice() else { return Err(unfit("counters")) };
    let place = Place { stage: size(stage, "place")?, epoch: size(epoch, "place")?, batch: size(batch, "place")?, first_step };
    let stopper = match place.epoch {
        0 => None,
        _ => Some(Stopper::restored(learner.stopping(), &saved.part("stopping")?, &from.best)?),
    };
    let stages = saved.part("stages")?;
    let record = |(at, entry): (usize, &StageEntry)| -> Result<StageRecord, RestoreError> {
        Ok(StageRecord {
            name: entry.name.clone(),
            steps: entry.steps,
            epochs: entry.epochs,
            seconds: stages.real(&format!("{at} seconds"))?,
            validation_loss: stages.real(&format!("{at} validation_loss"))?,
        })
    };
    kept.stages = from.stages.iter().enumerate().map(record).collect::<Result<_, _>>()?;
    let messages = saved.value("messages")?.as_array().ok_or_else(|| unfit("messages"))?;
    kept.messages = messages.iter().filter_map(|m| m.as_str().map(str::to_owned)).collect();
    kept.weights = Arc::clone(&from.best);
    (kept.steps, kept.seconds) = (from.step, from.seconds);
    let state = State {
        place,
        step: from.step,
        version,
        losses: Collector::restored(&saved.part("losses")?)?,
        stopper,
        rolled_back,
        checkpoints: from.number,
    };
    Ok((state, Seconds { all: from.seconds, stage: saved.real("stage_seconds")? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_by_time_earlier_after_an_improvement_and_never_more_than_its_share() {
        let begun = Instant::now();
        let after = |seconds: f64| begun + Duration::from_secs_f64(seconds);
        let mut due = Due::new(CheckpointPlan::default(), begun);
        assert!(!due.is_due(after(29.9)) && due.is_due(after(30.0)));
        due.improved = true;
        assert!(!due.is_due(after(9.9)) && due.is_due(after(10.0)));
        // Two seconds of copying: the next one not before 100 s.
        due.made(after(10.0), after(12.0));
        assert!(!due.is_due(after(111.0)) && due.is_due(after(112.1)));
        due.improved = true;
        assert!(!due.is_due(after(111.0)));
        let mut always = Due::new(CheckpointPlan { every: Duration::ZERO, ..CheckpointPlan::default() }, begun);
        always.made(after(0.0), after(1.0));
        assert!(always.is_due(after(1.0)));
    }

    #[test]
    fn clocks_may_jump() {
        let begun = Instant::now() + Duration::from_secs(8 * 3600);
        let mut due = Due::new(CheckpointPlan::default(), begun);
        // A machine that slept, and a clock that seems to go back.
        assert!(!due.is_due(begun - Duration::from_secs(8 * 3600)));
        assert!(due.is_due(begun + Duration::from_secs(8 * 3600)));
        due.made(begun, begun - Duration::from_secs(3600));
        assert!(due.is_due(begun));
    }
}
