//! When a stage ends: patience with the validation loss, and which weights were best.

use std::sync::Arc;

use super::learner::{Patience, Stopping, Validated};
use super::saved::{RestoreError, Saved};
use crate::models::params::Values;

/// Early stopping on the validation loss and the score that the best weights are chosen by.
pub(super) struct Stopper {
    pub(super) best: Option<(f64, Arc<Values>)>,
    loss: f64,
    score: f64,
    /// Step of the last improvement.
    improved: u64,
    /// Validations without improvement.
    worse: usize,
    pub(super) rule: Stopping,
}

impl Stopper {
    pub(super) fn new(rule: Stopping) -> Self {
        Self { best: None, loss: f64::INFINITY, score: f64::INFINITY, improved: 0, worse: 0, rule }
    }

    /// True when the score is the best so far by more than the tolerance.
    pub(super) fn hear(&mut self, heard: &Validated, step: u64) -> bool {
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

    /// What it has heard so far; the best weights are kept elsewhere.
    pub(super) fn save(&self) -> Saved {
        let mut saved = Saved::default();
        if let Some((loss, _)) = &self.best {
            saved.put_real("best", *loss);
        }
        saved.put_real("loss", self.loss);
        saved.put_real("score", self.score);
        saved.put("improved", self.improved);
        saved.put("worse", self.worse);
        saved
    }

    /// As it was saved, with the best weights of then.
    pub(super) fn restored(rule: Stopping, saved: &Saved, best: &Arc<Values>) -> Result<Self, RestoreError> {
        Ok(Self {
            best: saved.real("best").ok().map(|loss| (loss, Arc::clone(best))),
            loss: saved.real("loss")?,
            score: saved.real("score")?,
            improved: saved.count("improved")?,
            worse: saved.index("worse")?,
            rule,
        })
    }

    /// Share of the patience that is used up.
    pub(super) fn used(&self, step: u64) -> f32 {
        match self.rule.patience {
            Patience::Epochs(epochs) => self.worse as f32 / epochs as f32,
            Patience::Steps(steps) => (step - self.improved) as f32 / steps as f32,
        }
    }

    pub(super) fn done(&self, step: u64) -> bool {
        self.used(step) >= 1.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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

    #[test]
    fn what_was_heard_is_saved() {
        let rule = Stopping { patience: Patience::Epochs(3), max_epochs: 100, tolerance: 1e-5, validate_every: 1 };
        let mut stopper = Stopper::new(rule);
        let best = Arc::new(Values::new());
        stopper.hear(&Validated { score: 2.0, ..loss(1.0) }, 4);
        stopper.best = Some((1.0, Arc::clone(&best)));
        stopper.hear(&loss(3.0), 8);
        let mut back = Stopper::restored(rule, &stopper.save(), &best).unwrap();
        assert_eq!((back.used(9), back.best.clone()), (stopper.used(9), stopper.best.clone()));
        for value in [1.5, 0.9, 2.0] {
            let heard = Validated { score: 1.9 + value, ..loss(value) };
            assert_eq!(back.hear(&heard, 12), stopper.hear(&heard, 12));
            assert_eq!(back.used(13), stopper.used(13));
        }
    }
}
