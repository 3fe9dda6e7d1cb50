//! The GLM-Transformer as the training thread drives it: its trainer, and what is shown of it.

use serde_json::{Map, Value};

use super::publish::{Latents, Occasion, PairEffect, latents, pair_effects, pairs, scores, snapshot, unit_bits};
use super::results::results;
use super::{GlmTrainer, state};
use crate::models::DeviceFailed;
use crate::models::glm_transformer::{LossTerms, Stage};
use crate::models::params::Values;
use crate::training::data::Prepared;
use crate::training::learner::{Learner, Moment, Patience, Set, Stopping, Validated};
use crate::training::saved::{RestoreError, Saved};
use crate::training::{LossTerm, MOST_TERMS, References, Snapshot, TermValues, TruthScore};

/// Terms of the loss (spec §4.1).
pub(in crate::training) static TERMS: [LossTerm; 5] = [
    LossTerm { key: "total", name: "Total", help: "Everything that is minimised" },
    LossTerm { key: "poisson", name: "Poisson", help: "How well spike counts are predicted: mean of exp(η) − y·η per bin and unit" },
    LossTerm { key: "kl", name: "KL", help: "Pull of the latents towards a standard normal, scaled by beta" },
    LossTerm { key: "group", name: "Coupling penalty", help: "Group penalty on sending and receiving weights" },
    LossTerm { key: "smooth", name: "Smoothness penalty", help: "Penalty on fast changes of the slow factors" },
];

/// The authors' patience, epochs.
const PUBLISHED_PATIENCE: usize = 3;

/// Validation batches behind the numbers that are shown while training.
const BATCHES_SHOWN: usize = 2;

pub(in crate::training) struct GlmLearner<'a> {
    trainer: GlmTrainer<'a>,
    data: &'a Prepared,
    effects: Vec<PairEffect>,
    unit_bits: Vec<Option<f32>>,
    latents: Latents,
    truth: Vec<(u64, TruthScore)>,
}

impl<'a> GlmLearner<'a> {
    pub(in crate::training) fn new(trainer: GlmTrainer<'a>, data: &'a Prepared) -> Self {
        Self { trainer, data, effects: Vec::new(), unit_bits: Vec::new(), latents: Latents::default(), truth: Vec::new() }
    }

    fn values(&self, losses: &LossTerms) -> TermValues<f64> {
        let mut values = [0.0; MOST_TERMS];
        let beta = self.trainer.config.beta;
        let terms = [losses.total, losses.poisson, beta * losses.kl, losses.group, losses.smooth];
        values.iter_mut().zip(terms).for_each(|(to, from)| *to = from);
        values
    }
}

impl Learner for GlmLearner<'_> {
    fn stages(&self) -> Vec<String> {
        self.trainer.stages().iter().map(|stage| stage.name().to_owned()).collect()
    }

    fn stopping(&self) -> Stopping {
        let recipe = &self.trainer.recipe;
        let patience = if recipe.published_staging { Patience::Epochs(PUBLISHED_PATIENCE) } else { Patience::Steps(recipe.patience_steps) };
        Stopping { patience, max_epochs: recipe.max_epochs, tolerance: recipe.tolerance, validate_every: 1 }
    }

    fn rate(&self) -> f64 {
        self.trainer.rate()
    }

    fn begin(&mut self, stage: usize, tell: &mut dyn FnMut(&str) -> bool) -> Result<(), DeviceFailed> {
        let Some(stage) = self.trainer.stages().get(stage).copied() else { return Ok(()) };
        self.trainer.begin(stage)?;
        let scored = self.trainer.recipe.trial_varying && !self.trainer.recipe.published_staging;
        if stage == Stage::Coupling && scored {
            self.trainer.score_edges(&mut |fraction| tell(&format!("scoring edges against jitter, {:.0} %", 100.0 * fraction)))?;
        }
        Ok(())
    }

    fn batches(&self) -> usize {
        self.trainer.train.len()
    }

    fn step(&mut self, batch: usize, step: u64) -> Result<(TermValues<f64>, f64), DeviceFailed> {
        let (losses, norm) = self.trainer.step(batch, step)?;
        Ok((self.values(&losses), norm))
    }

    fn validate(&mut self, step: u64) -> Result<Validated, DeviceFailed> {
        let losses = self.trainer.losses(&self.trainer.validation, self.trainer.terms())?;
        if self.trainer.terms().coupling && !self.data.edges.is_empty() {
            let shown = pairs(&self.trainer, &self.trainer.weights()?, &[]);
            self.truth.extend(scores(&shown, self.data).into_iter().map(|score| (step, score)));
        }
        let terms = self.values(&losses);
        Ok(Validated { terms, score: terms[0] })
    }

    fn references(&self, set: Set) -> References {
        self.data.references(match set {
            Set::Validation => &self.data.split.validation,
            Set::Test => &self.data.split.test,
        })
    }

    fn weights(&self) -> Result<Values, DeviceFailed> {
        self.trainer.weights()
    }

    fn restore(&mut self, weights: &Values) {
        self.trainer.restore(weights);
    }

    fn state(&self) -> Result<Saved, DeviceFailed> {
        state::save(&self.trainer, &self.truth)
    }

    fn restore_state(&mut self, state: &Saved) -> Result<(), RestoreError> {
        self.truth = state::restore(&mut self.trainer, state)?;
        Ok(())
    }

    fn soften(&mut self) {
        self.trainer.soften();
    }

    fn refresh(&mut self) -> Result<(), DeviceFailed> {
        let validation = &self.trainer.validation;
        self.effects = pair_effects(&self.trainer, &validation[..validation.len().min(BATCHES_SHOWN)])?;
        self.unit_bits = unit_bits(&self.trainer, &validation[..validation.len().min(BATCHES_SHOWN)])?;
        self.latents = latents(&self.trainer, validation)?;
        Ok(())
    }

    fn snapshot(&self, moment: &Moment<'_>) -> Result<Snapshot, DeviceFailed> {
        let occasion = Occasion { moment, effects: &self.effects, unit_bits: &self.unit_bits, truth: &self.truth, latents: &self.latents };
        snapshot(&self.trainer, self.data, &occasion)
    }

    fn conclude(&mut self) -> Result<Map<String, Value>, DeviceFailed> {
        self.effects = pair_effects(&self.trainer, &self.trainer.test)?;
        self.unit_bits = unit_bits(&self.trainer, &self.trainer.test)?;
        let fitted = pair_effects(&self.trainer, &self.trainer.train)?;
        self.latents = Latents::default();
        for batches in [&self.trainer.train, &self.trainer.validation, &self.trainer.test] {
            let (trials, means) = latents(&self.trainer, batches)?;
            self.latents.0.extend(trials);
            self.latents.1.resize(means.len(), Vec::new());
            self.latents.1.iter_mut().zip(means).for_each(|(to, from)| to.extend(from));
        }
        results(&self.trainer, self.data, &self.effects, &fitted)
    }
}
