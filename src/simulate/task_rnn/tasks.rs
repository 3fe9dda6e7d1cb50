//! Three tasks of the laboratory as sequences of inputs and wanted answers in steps of 100 ms, written from their published
//! descriptions (NeuroGym; Britten et al. 1992, Zhang et al. 2019, Barak et al. 2010).

use std::ops::Range;

use ndarray::Array2;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// Seconds per step.
pub(super) const STEP_S: f64 = 0.1;
/// Noise of stimuli: standard deviation 1 per √ms, over 100 ms.
const STIMULUS_SD: f64 = 0.1;
/// Coherences of the perceptual task, percent.
const COHERENCES: [f64; 5] = [0.0, 6.4, 12.8, 25.6, 51.2];
/// Pairs of the delayed comparison, and the range of all of them.
const COMPARED: [(f64, f64); 5] = [(18.0, 10.0), (22.0, 14.0), (26.0, 18.0), (30.0, 22.0), (34.0, 26.0)];
const COMPARED_RANGE: (f64, f64) = (10.0, 34.0);

/// A task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Two noisy stimuli for 2 s: which is stronger?
    PerceptualDecision,
    /// One of two cues, a delay, then answer or withhold.
    GoNoGo,
    /// Two stimuli with a delay between them: which was stronger?
    DelayedComparison,
}

/// One trial.
pub(super) struct Trial {
    /// Inputs `[steps, inputs]`.
    pub(super) inputs: Array2<f64>,
    /// Wanted answer in every step.
    pub(super) wanted: Vec<usize>,
    /// What was shown, as a number (see [`Task::stimulus`]).
    pub(super) stimulus: f64,
}

impl Task {
    /// Name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::PerceptualDecision => "perceptual_decision",
            Self::GoNoGo => "go_no_go",
            Self::DelayedComparison => "delayed_comparison",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::PerceptualDecision, Self::GoNoGo, Self::DelayedComparison].into_iter().find(|task| task.name() == name)
    }

    /// Names of the inputs.
    pub(super) fn inputs(self) -> &'static [&'static str] {
        match self {
            Self::PerceptualDecision => &["fixation", "stimulus 1", "stimulus 2"],
            Self::GoNoGo => &["fixation", "no-go cue", "go cue"],
            Self::DelayedComparison => &["fixation", "stimulus"],
        }
    }

    /// Number of answers; 0 is to do nothing.
    pub(super) fn answers(self) -> usize {
        match self {
            Self::GoNoGo => 2,
            _ => 3,
        }
    }

    /// Steps of fixation, of everything between, and of the decision.
    fn phases(self) -> (usize, usize, usize) {
        match self {
            Self::PerceptualDecision => (1, 20, 1),
            Self::GoNoGo => (0, 10, 5),
            Self::DelayedComparison => (5, 20, 1),
        }
    }

    /// Steps of a trial.
    pub(super) fn steps(self) -> usize {
        let (fixation, between, decision) = self.phases();
        fixation + between + decision
    }

    /// Hidden units, learning rate and iterations as published.
    pub(super) fn published(self) -> (usize, f64, usize) {
        match self {
            Self::PerceptualDecision => (4, 0.005, 5000),
            Self::GoNoGo => (8, 0.01, 2000),
            Self::DelayedComparison => (12, 0.01, 5000),
        }
    }

    /// What the number of a trial's stimulus is.
    pub(super) fn stimulus(self) -> &'static str {
        match self {
            Self::PerceptualDecision => "Coherence in percent, positive when stimulus 1 is stronger",
            Self::GoNoGo => "1 for the go cue, 0 for the no-go cue",
            Self::DelayedComparison => "First less second value, positive when the first is larger",
        }
    }

    /// Draw a trial.
    pub(super) fn trial(self, random: &mut impl Rng) -> Trial {
        let (fixation, between, decision) = self.phases();
        let steps = self.steps();
        let mut inputs = Array2::zeros((steps, self.inputs().len()));
        let shown = fixation..fixation + between;
        present(&mut inputs, 0, 0..shown.end, 1.0);
        let (first, level) = (random.random::<bool>(), random.random_range(0..COHERENCES.len()));
        let (answer, stimulus) = match self {
            Self::PerceptualDecision => {
                let half = if first { COHERENCES[level] } else { -COHERENCES[level] } / 200.0;
                present_noisy(&mut inputs, 1, shown.clone(), 0.5 + half, random);
                present_noisy(&mut inputs, 2, shown, 0.5 - half, random);
                (if first { 1 } else { 2 }, 200.0 * half)
            }
            Self::GoNoGo => {
                present(&mut inputs, if first { 2 } else { 1 }, 0..5, 1.0);
                (usize::from(first), f64::from(u8::from(first)))
            }
            Self::DelayedComparison => {
                let (large, small) = COMPARED[level];
                let (before, after) = if first { (large, small) } else { (small, large) };
                // Between 0.5 and 1.
                let strength = |value: f64| (1.0 + (value - COMPARED_RANGE.0) / (COMPARED_RANGE.1 - COMPARED_RANGE.0)) / 2.0;
                present_noisy(&mut inputs, 1, 5..10, strength(before), random);
                present_noisy(&mut inputs, 1, 20..25, strength(after), random);
                (if first { 1 } else { 2 }, before - after)
            }
        };
        let mut wanted = vec![0; steps - decision];
        wanted.resize(steps, answer);
        Trial { inputs, wanted, stimulus }
    }
}

fn present(inputs: &mut Array2<f64>, input: usize, steps: Range<usize>, value: f64) {
    inputs.column_mut(input).iter_mut().skip(steps.start).take(steps.len()).for_each(|x| *x = value);
}

fn present_noisy(inputs: &mut Array2<f64>, input: usize, steps: Range<usize>, value: f64, random: &mut impl Rng) {
    for x in inputs.column_mut(input).iter_mut().skip(steps.start).take(steps.len()) {
        *x = value + STIMULUS_SD * <StandardNormal as Distribution<f64>>::sample(&StandardNormal, random);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn trials_have_the_published_lengths_and_answers() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for (task, steps, decision) in [(Task::PerceptualDecision, 22, 1), (Task::GoNoGo, 15, 5), (Task::DelayedComparison, 26, 1)] {
            assert_eq!((task.steps(), Task::named(task.name())), (steps, Some(task)));
            let mut answers = vec![0; task.answers()];
            for _ in 0..200 {
                let trial = task.trial(&mut random);
                assert_eq!((trial.inputs.dim(), trial.wanted.len()), ((steps, task.inputs().len()), steps));
                let fixation: Vec<usize> = (0..steps).filter(|&t| trial.inputs[[t, 0]] == 1.0).collect();
                assert_eq!(fixation, (0..steps - decision).collect::<Vec<_>>(), "the end of fixation calls for the answer");
                assert!(trial.wanted.iter().take(steps - decision).all(|&w| w == 0));
                let answer = trial.wanted[steps - 1];
                answers[answer] += 1;
                let expected = match task {
                    Task::GoNoGo => usize::from(trial.stimulus == 1.0),
                    _ if trial.stimulus > 0.0 => 1,
                    _ => answer.max(1 + usize::from(trial.stimulus < 0.0)),
                };
                assert_eq!(answer, expected);
            }
            assert!(answers.iter().skip(usize::from(task != Task::GoNoGo)).all(|&n| n > 60), "{answers:?}");
        }
    }

    #[test]
    fn stimuli_are_shown_when_and_as_strongly_as_described() {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let column = |trial: &Trial, input: usize| trial.inputs.column(input).to_vec();
        for _ in 0..50 {
            let trial = Task::PerceptualDecision.trial(&mut random);
            let (one, two) = (column(&trial, 1), column(&trial, 2));
            assert!((mean(&one[1..21]) - mean(&two[1..21]) - trial.stimulus / 100.0).abs() < 0.15);
            assert_eq!((one[0], one[21], two[0]), (0.0, 0.0, 0.0));
            let trial = Task::DelayedComparison.trial(&mut random);
            let shown = column(&trial, 1);
            assert!(((mean(&shown[5..10]) - mean(&shown[20..25])) * 48.0 - trial.stimulus).abs() < 16.0);
            assert!(shown[..5].iter().chain(&shown[10..20]).chain(&shown[25..]).all(|&x| x == 0.0));
            let trial = Task::GoNoGo.trial(&mut random);
            let cue = 1 + usize::from(trial.stimulus == 1.0);
            assert_eq!((mean(&column(&trial, cue)[..5]), mean(&column(&trial, 3 - cue)), mean(&column(&trial, cue)[5..])), (1.0, 0.0, 0.0));
        }
    }
}
