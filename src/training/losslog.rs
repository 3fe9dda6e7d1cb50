//! Losses of a run: the terms of a model's loss by name, points of the curves, and the log as the training thread keeps it,
//! validation points whole, training points averaged over a growing stride.

use super::saved::{RestoreError, Saved};

/// One term of a model's loss.
#[derive(Debug, PartialEq, Eq)]
pub struct LossTerm {
    /// Name in files.
    pub key: &'static str,
    /// Name for the user.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
}

/// Most terms of a loss.
pub const MOST_TERMS: usize = 6;

/// Values of the terms of a model, in the order of its [`LossTerm`]s: the total first, then what the references are compared
/// with; zero beyond its last term.
pub type TermValues<T> = [T; MOST_TERMS];

/// One point of the loss log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossPoint {
    /// Steps since the start.
    pub step: u64,
    /// Stage, from 1.
    pub stage: u8,
    /// Validation (true) or training (false).
    pub validation: bool,
    /// Terms; see [`LossLog::terms`].
    pub values: TermValues<f32>,
}

impl LossPoint {
    /// Everything that is minimised.
    pub fn total(&self) -> f32 {
        self.values[0]
    }

    /// The term that the references are compared with, per bin and unit.
    pub fn data(&self) -> f32 {
        self.values[1]
    }
}

/// Losses so far and the references they are compared with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LossLog {
    /// Terms of the model's loss.
    pub terms: &'static [LossTerm],
    /// Points in order of steps; training points are decimated by the sender (at most 4000).
    pub points: Vec<LossPoint>,
    /// Validation loss of a flat rate per unit.
    pub flat: Option<f32>,
    /// Validation loss of the mean over training trials (PSTH).
    pub psth: Option<f32>,
    /// Validation loss of the true rates, when simulated.
    pub oracle: Option<f32>,
}

/// Most training points kept; see [`LossLog::points`].
const MOST: usize = 4000;

/// Collects losses.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Collector {
    validation: Vec<LossPoint>,
    training: Vec<LossPoint>,
    stride: u64,
    held: Vec<LossPoint>,
}

fn point(step: u64, stage: usize, validation: bool, losses: TermValues<f64>) -> LossPoint {
    LossPoint { step, stage: stage as u8 + 1, validation, values: losses.map(|x| x as f32) }
}

/// Mean of points of one stage; the step of the last.
fn mean(points: &[LossPoint]) -> Option<LossPoint> {
    let last = *points.last()?;
    let n = points.len() as f32;
    let values = std::array::from_fn(|term| points.iter().map(|p| p.values[term]).sum::<f32>() / n);
    Some(LossPoint { values, ..last })
}

impl Collector {
    /// `stage` counts from 0.
    pub(super) fn validation(&mut self, step: u64, stage: usize, losses: TermValues<f64>) {
        self.validation.push(point(step, stage, true, losses));
    }

    /// `stage` counts from 0.
    pub(super) fn training(&mut self, step: u64, stage: usize, losses: TermValues<f64>) {
        let new = point(step, stage, false, losses);
        if self.held.last().is_some_and(|p| p.stage != new.stage) {
            self.training.extend(mean(&self.held));
            self.held.clear();
        }
        self.held.push(new);
        if self.held.len() as u64 >= self.stride.max(1) {
            self.training.extend(mean(&self.held));
            self.held.clear();
        }
        if self.training.len() > MOST {
            self.stride = 2 * self.stride.max(1);
            let halves = self.training.chunk_by(|a, b| a.stage == b.stage).flat_map(|stage| stage.chunks(2).filter_map(mean)).collect();
            self.training = halves;
        }
    }

    /// Everything that is held, the points that are not averaged yet included.
    pub(super) fn save(&self) -> Saved {
        let mut saved = Saved::default();
        saved.put("stride", self.stride);
        for (name, points) in [("validation", &self.validation), ("training", &self.training), ("held", &self.held)] {
            let mut part = Saved::default();
            part.put_counts("steps", points.iter().map(|p| p.step));
            part.put_counts("stages", points.iter().map(|p| u64::from(p.stage)));
            part.put_list("values", points.iter().flat_map(|p| p.values).collect());
            saved.put_part(name, part);
        }
        saved
    }

    /// As it was saved.
    pub(super) fn restored(saved: &Saved) -> Result<Self, RestoreError> {
        let points = |name: &str| -> Result<Vec<LossPoint>, RestoreError> {
            let part = saved.part(name)?;
            let (steps, stages) = (part.counts("steps")?, part.counts("stages")?);
            let values = part.rows("values", steps.len(), MOST_TERMS)?;
            let unfit = || RestoreError::Unfit(format!("the {name} losses are of another kind"));
            let point = |((step, stage), own): ((u64, u64), Vec<f32>)| {
                let stage = u8::try_from(stage).map_err(|_| unfit())?;
                let values = TermValues::try_from(own).map_err(|_| unfit())?;
                Ok(LossPoint { step, stage, validation: name == "validation", values })
            };
            steps.into_iter().zip(stages).zip(values).map(point).collect()
        };
        Ok(Self { validation: points("validation")?, training: points("training")?, stride: saved.count("stride")?, held: points("held")? })
    }

    /// Everything so far, in order of steps, with the references of `like`.
    pub(super) fn log(&self, like: &LossLog) -> LossLog {
        let mut points: Vec<LossPoint> = self.training.iter().chain(&self.validation).copied().collect();
        points.sort_by_key(|p| p.step);
        LossLog { points, ..like.clone() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn many_steps_are_thinned_but_no_stage_is_lost() {
        let mut collector = Collector::default();
        for step in 0..20_000u64 {
            collector.training(step, usize::from(step >= 10), [step as f64; MOST_TERMS]);
        }
        collector.validation(7, 0, [0.0; MOST_TERMS]);
        let log = collector.log(&LossLog { flat: Some(1.0), ..LossLog::default() });
        assert!(log.points.len() <= MOST + 1 && log.points.len() > MOST / 2);
        assert!(log.points.is_sorted_by_key(|p| p.step));
        assert!(log.points.iter().any(|p| p.stage == 1 && !p.validation));
        assert_eq!(log.points.iter().filter(|p| p.validation).count(), 1);
        assert_eq!(log.flat, Some(1.0));
    }

    #[test]
    fn collecting_goes_on_after_it_was_saved() {
        let (mut whole, mut first) = (Collector::default(), Collector::default());
        let add = |collector: &mut Collector, step: u64| {
            collector.training(step, usize::from(step >= 500), [step as f64 * 0.1; MOST_TERMS]);
            if step.is_multiple_of(100) {
                collector.validation(step, 0, [0.3; MOST_TERMS]);
            }
        };
        (0..9_001).for_each(|step| add(&mut whole, step));
        (0..4_003).for_each(|step| add(&mut first, step));
        let mut second = Collector::restored(&first.save()).unwrap();
        assert_eq!(second, first);
        (4_003..9_001).for_each(|step| add(&mut second, step));
        assert_eq!(second, whole);
        let mut wrong = first.save();
        wrong.put_part("held", Saved::default());
        assert!(Collector::restored(&wrong).is_err());
    }
}
