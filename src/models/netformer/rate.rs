//! Learning rates as published (spec §3).

/// How the learning rate changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Schedule {
    /// Never.
    Constant,
    /// Times `factor` every so many epochs.
    Decay {
        /// Epochs between changes.
        epochs: usize,
        /// What the rate is multiplied with.
        factor: f64,
    },
    /// Up and down between half and twice the rate, in straight lines (torch `CyclicLR`, triangular).
    Cycle {
        /// Steps on the way up, and as many down.
        steps: usize,
    },
    /// Times `factor` when the validation loss has not fallen by a share of `threshold` for more than `patience` epochs (torch
    /// `ReduceLROnPlateau`).
    Plateau {
        /// What the rate is multiplied with.
        factor: f64,
        /// Epochs without improvement that are tolerated.
        patience: usize,
        /// Smallest relative improvement that counts.
        threshold: f64,
    },
}

/// A learning rate and its history.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    first: f64,
    schedule: Schedule,
    now: f64,
    best: f64,
    bad: usize,
}

impl Rate {
    /// Starting at `first`.
    pub fn new(first: f64, schedule: Schedule) -> Self {
        Self { first, schedule, now: first, best: f64::INFINITY, bad: 0 }
    }

    /// The rate of a step (counted from the start of training) in an epoch, both from 0.
    pub fn at(&self, step: usize, epoch: usize) -> f64 {
        match self.schedule {
            Schedule::Constant => self.first,
            Schedule::Decay { epochs, factor } => self.first * factor.powf((epoch / epochs.max(1)) as f64),
            Schedule::Cycle { steps } => {
                let up = steps.max(1) as f64;
                let (low, high) = (0.5 * self.first, 2.0 * self.first);
                let position = (step as f64 / up).rem_euclid(2.0);
                low + (high - low) * (1.0 - (position - 1.0).abs())
            }
            Schedule::Plateau { .. } => self.now,
        }
    }

    /// What it remembers of the validation losses; see [`Self::recall`].
    pub fn memory(&self) -> Vec<f64> {
        vec![self.now, self.best, self.bad as f64]
    }

    /// Take back what [`Self::memory`] gave; false (and nothing changes) when that is something else.
    pub fn recall(&mut self, memory: &[f64]) -> bool {
        let &[now, best, bad] = memory else { return false };
        (self.now, self.best, self.bad) = (now, best, bad as usize);
        true
    }

    /// Take note of the validation loss after an epoch.
    pub fn observe(&mut self, validation: f64) {
        let Schedule::Plateau { factor, patience, threshold } = self.schedule else { return };
        if validation < self.best * (1.0 - threshold * self.best.signum()) || (self.best.is_infinite() && validation.is_finite()) {
            self.best = validation;
            self.bad = 0;
            return;
        }
        self.bad += 1;
        if self.bad > patience {
            self.now *= factor;
            self.bad = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-12, "{got} instead of {expected}");
    }

    #[test]
    fn cycles_and_decays() {
        let cycle = Rate::new(1e-3, Schedule::Cycle { steps: 2000 });
        for (step, expected) in [(0, 5e-4), (1000, 1.25e-3), (2000, 2e-3), (3000, 1.25e-3), (4000, 5e-4), (5000, 1.25e-3)] {
            close(cycle.at(step, 7), expected);
        }
        let decay = Rate::new(0.01, Schedule::Decay { epochs: 100, factor: 0.9 });
        close(decay.at(123_456, 99), 0.01);
        close(decay.at(0, 100), 0.009);
        close(decay.at(0, 1050), 0.01 * 0.9f64.powi(10));
        close(Rate::new(0.01, Schedule::Constant).at(9, 9), 0.01);
    }

    #[test]
    fn a_plateau_lowers_the_rate() {
        let mut rate = Rate::new(1e-3, Schedule::Plateau { factor: 0.1, patience: 3, threshold: 1e-4 });
        rate.observe(1.0);
        rate.observe(0.5);
        // Better, but by too little to count.
        for _ in 0..3 {
            rate.observe(0.499_99);
        }
        close(rate.at(0, 0), 1e-3);
        rate.observe(0.499_99);
        close(rate.at(0, 0), 1e-4);
        rate.observe(0.4);
        for _ in 0..4 {
            rate.observe(0.6);
        }
        close(rate.at(0, 0), 1e-5);
    }

    #[test]
    fn what_is_remembered_can_be_taken_back() {
        let schedule = Schedule::Plateau { factor: 0.5, patience: 1, threshold: 0.1 };
        let (mut whole, mut first) = (Rate::new(1.0, schedule), Rate::new(1.0, schedule));
        let losses = [1.0, 0.99, 0.98, 0.97, 0.5, 0.5, 0.5, 0.5];
        losses.iter().for_each(|&loss| whole.observe(loss));
        losses[..3].iter().for_each(|&loss| first.observe(loss));
        let mut second = Rate::new(1.0, schedule);
        assert!(second.recall(&first.memory()) && !second.recall(&[1.0]));
        losses[3..].iter().for_each(|&loss| second.observe(loss));
        assert_eq!(second, whole);
        assert!(whole.at(0, 0) < 1.0);
    }

    #[test]
    fn negative_losses_can_plateau_too() {
        let mut rate = Rate::new(1.0, Schedule::Plateau { factor: 0.5, patience: 0, threshold: 0.1 });
        rate.observe(-1.0);
        rate.observe(-1.05);
        close(rate.at(0, 0), 0.5);
        rate.observe(-1.2);
        close(rate.at(0, 0), 0.5);
    }
}
