//! The loss log as the training thread keeps it: validation points whole, training points averaged over a growing stride.

use super::{LossLog, LossPoint};
use crate::models::glm_transformer::{GlmConfig, LossTerms, Stage};

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

fn point(config: &GlmConfig, step: u64, stage: Stage, validation: bool, losses: &LossTerms) -> LossPoint {
    LossPoint {
        step,
        stage: stage.number() as u8,
        validation,
        poisson: losses.poisson as f32,
        kl: (config.beta * losses.kl) as f32,
        group: losses.group as f32,
        smooth: losses.smooth as f32,
        total: losses.total as f32,
    }
}

/// Mean of points of one stage; the step of the last.
fn mean(points: &[LossPoint]) -> Option<LossPoint> {
    let last = *points.last()?;
    let n = points.len() as f32;
    let of = |term: fn(&LossPoint) -> f32| points.iter().map(term).sum::<f32>() / n;
    Some(LossPoint {
        poisson: of(|p| p.poisson),
        kl: of(|p| p.kl),
        group: of(|p| p.group),
        smooth: of(|p| p.smooth),
        total: of(|p| p.total),
        ..last
    })
}

impl Collector {
    pub(super) fn validation(&mut self, config: &GlmConfig, step: u64, stage: Stage, losses: &LossTerms) {
        self.validation.push(point(config, step, stage, true, losses));
    }

    pub(super) fn training(&mut self, config: &GlmConfig, step: u64, stage: Stage, losses: &LossTerms) {
        let new = point(config, step, stage, false, losses);
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
        let config = crate::training::glm::tests::tiny_config();
        for step in 0..20_000u64 {
            let stage = if step < 10 { Stage::Mean } else { Stage::Trials };
            collector.training(&config, step, stage, &LossTerms { total: step as f64, ..LossTerms::default() });
        }
        collector.validation(&config, 7, Stage::Mean, &LossTerms::default());
        let log = collector.log(&LossLog { flat: Some(1.0), ..LossLog::default() });
        assert!(log.points.len() <= MOST + 1 && log.points.len() > MOST / 2);
        assert!(log.points.is_sorted_by_key(|p| p.step));
        assert!(log.points.iter().any(|p| p.stage == 1 && !p.validation));
        assert_eq!(log.points.iter().filter(|p| p.validation).count(), 1);
        assert_eq!(log.flat, Some(1.0));
    }
}
