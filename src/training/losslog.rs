//! Losses of a run: the terms of a model's loss by name, points of the curves, and the log as the training thread keeps it,
//! validation points whole, training points averaged over a growing stride.

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
#[derive(Default)]
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

    /// Everything so far, in order of steps, with the references of `like`.
    pub(super) fn log(&self, like: &LossLog) -> LossLog {
        let mut points: Vec<LossPoint> = self.training.iter().chain(&self.validation).copied().collect();
        points.sort_by_key(|p| p.step);
        LossLog { points, ..like.clone() }
    }
}

#[cfg(test)]
mod tests {
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
}
