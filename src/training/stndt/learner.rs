//! The spatiotemporal Transformer as the training thread drives it.

use std::sync::Arc;

use ndarray::Array3;
use serde_json::{Map, Value, json};

use super::publish::{Shown, trial};
use super::scores::{Scorer, references, smoothed_rates};
use super::{Fit, PASS, StndtRecipe};
use crate::models::DeviceFailed;
use crate::models::params::{self, Values};
use crate::models::stndt::{LossTerms, Moment as Draw};
use crate::training::data::{DataError, Prepared};
use crate::training::device::TrainingDevice;
use crate::training::learner::{Learner, Moment, Patience, Set, Stopping, Validated};
use crate::training::saved::{RestoreError, Saved};
use crate::training::{LossTerm, MOST_TERMS, ModelSnapshot, RateScores, References, Snapshot, StndtSnapshot, TermValues};

/// Terms of the loss (spec §2.8).
pub(in crate::training) static TERMS: [LossTerm; 5] = [
    LossTerm { key: "total", name: "Total", help: "Everything that is minimised" },
    LossTerm {
        key: "masked",
        name: "Masked Poisson",
        help: "How well masked, held-out and forward counts are predicted: mean of exp(z) − y·z per bin and unit",
    },
    LossTerm { key: "contrast_time", name: "Contrast over bins", help: "InfoNCE of embedded bins of two views of a trial, weighted" },
    LossTerm { key: "contrast_space", name: "Contrast over units", help: "InfoNCE of embedded units of two views of a trial, weighted" },
    LossTerm {
        key: "contrast_predictions",
        name: "Contrast of predictions",
        help: "InfoNCE of the predicted rates of two views of a trial, weighted",
    },
];

/// Smallest gain of the masked loss (per bin and unit) and of co-bps (bits per spike) that counts.
const TOLERANCE: f64 = 1e-5;

pub(in crate::training) struct StndtLearner {
    recipe: StndtRecipe,
    fit: Fit,
    /// Batches of the epoch that was last asked for.
    epoch: (usize, Vec<Vec<usize>>),
    scores: Vec<RateScores>,
    smoothing: Option<RateScores>,
    oracle: Option<RateScores>,
    /// Of the validation trials.
    scorer: Scorer,
    shown: Shown,
    unit_bits: Vec<Option<f32>>,
}

impl StndtLearner {
    pub(in crate::training) fn new(
        recipe: &StndtRecipe,
        seed: u64,
        data: &Arc<Prepared>,
        device: &TrainingDevice,
    ) -> Result<Self, DataError> {
        let fit = Fit::new(recipe, seed, data, device)?;
        let epoch = (0, fit.trainer.batches(data.split.train.len(), 0));
        let scorer = Scorer::new(&fit.layout, data, &data.split.validation);
        Ok(Self {
            recipe: recipe.clone(),
            fit,
            epoch,
            scores: Vec::new(),
            smoothing: None,
            oracle: None,
            scorer,
            shown: Shown::default(),
            unit_bits: Vec::new(),
        })
    }

    fn values(&self, losses: &LossTerms) -> TermValues<f64> {
        let weight = self.recipe.contrast_weight;
        let mut values = [0.0; MOST_TERMS];
        let terms = [
            losses.total,
            losses.masked,
            weight * losses.contrast_time,
            weight * losses.contrast_space,
            weight * losses.contrast_predictions,
        ];
        values.iter_mut().zip(terms).for_each(|(to, from)| *to = from);
        values
    }

    /// Scores of what the model is compared with on the validation trials.
    fn score_baselines(&mut self) {
        let smoothed = smoothed_rates(&self.fit.layout, &self.fit.data, self.trials_of(Set::Validation));
        let of = |rates: &Array3<f64>| self.scorer.score(rates.view(), 0);
        (self.smoothing, self.oracle) = (smoothed.as_ref().map(of), self.scorer.truth.as_ref().map(of));
    }

    fn trials_of(&self, set: Set) -> &[usize] {
        match set {
            Set::Validation => &self.fit.data.split.validation,
            Set::Test => &self.fit.data.split.test,
        }
    }

    /// Masked loss of a set; the mask is the same in every call.
    fn masked_loss(&self, set: Set) -> Result<LossTerms, DeviceFailed> {
        let trials = self.trials_of(set);
        let (mut sum, mut count) = (LossTerms::default(), 0.0);
        for (at, part) in trials.chunks(PASS).enumerate() {
            let counts = self.fit.counts(part);
            let losses = self.fit.trainer.validation(counts.view(), at)?;
            let m = part.len() as f64;
            sum.masked += m * losses.masked;
            sum.total += m * losses.total;
            count += m;
        }
        let mean = |x: f64| x / f64::max(count, 1.0);
        Ok(LossTerms { masked: mean(sum.masked), total: mean(sum.total), ..LossTerms::default() })
    }
}

impl Learner for StndtLearner {
    fn stages(&self) -> Vec<String> {
        vec!["1 · masked modelling".to_owned()]
    }

    fn stopping(&self) -> Stopping {
        let batches = self.batches().max(1);
        Stopping {
            patience: Patience::Steps(self.recipe.patience_steps),
            max_epochs: self.recipe.steps.div_ceil(batches),
            tolerance: TOLERANCE,
            validate_every: self.recipe.validate_every.div_ceil(batches),
        }
    }

    fn rate(&self) -> f64 {
        self.fit.trainer.rate()
    }

    fn begin(&mut self, _stage: usize, tell: &mut dyn FnMut(&str) -> bool) -> Result<(), DeviceFailed> {
        if !tell("smoothing baseline") {
            return Ok(());
        }
        self.score_baselines();
        Ok(())
    }

    fn batches(&self) -> usize {
        self.epoch.1.len()
    }

    fn step(&mut self, batch: usize, step: u64) -> Result<(TermValues<f64>, f64), DeviceFailed> {
        let trials = &self.fit.data.split.train;
        let epoch = usize::try_from(step).unwrap_or(usize::MAX) / self.batches().max(1);
        if self.epoch.0 != epoch {
            self.epoch = (epoch, self.fit.trainer.batches(trials.len(), epoch));
        }
        let own: Vec<usize> = self.epoch.1.get(batch).into_iter().flatten().filter_map(|&at| trials.get(at).copied()).collect();
        let counts = self.fit.counts(&own);
        let (losses, norm) = self.fit.trainer.step(counts.view(), Draw { epoch, batch })?;
        Ok((self.values(&losses), norm))
    }

    fn validate(&mut self, step: u64) -> Result<Validated, DeviceFailed> {
        let losses = self.masked_loss(Set::Validation)?;
        let rates = self.fit.rates(self.trials_of(Set::Validation), &[])?;
        let scored = self.scorer.score(rates.view(), step);
        self.unit_bits = self.scorer.unit_bits(rates.view(), &self.fit.layout.places);
        self.scores.push(scored);
        let terms = self.values(&losses);
        // Without held-out units the loss chooses.
        let score = if scored.co_bps.is_finite() { -f64::from(scored.co_bps) } else { terms[0] };
        Ok(Validated { terms, score })
    }

    fn references(&self, set: Set) -> References {
        let trials = self.trials_of(set);
        // One batch of the fixed mask stands for all: references are means over thousands of entries.
        let shown = &trials[..trials.len().min(PASS)];
        let counts = self.fit.counts(shown);
        references(&self.fit.layout, &self.fit.data, shown, &self.fit.trainer.validation_batch(counts.view(), 0))
    }

    fn weights(&self) -> Result<Values, DeviceFailed> {
        params::read(self.fit.trainer.net())
    }

    fn restore(&mut self, weights: &Values) {
        self.fit.restore(weights);
    }

    fn state(&self) -> Result<Saved, DeviceFailed> {
        let mut saved = Saved::default();
        saved.put_trainer(self.fit.trainer.state()?);
        saved.put_counts("score_steps", self.scores.iter().map(|score| score.step));
        saved.put_list("scores", self.scores.iter().flat_map(|score| [score.co_bps, score.fp_bps, score.rate_r2]).collect());
        Ok(saved)
    }

    fn restore_state(&mut self, state: &Saved) -> Result<(), RestoreError> {
        self.fit.trainer.restore(&state.trainer()?).map_err(RestoreError::Unfit)?;
        let steps = state.counts("score_steps")?;
        let scores = state.rows("scores", steps.len(), 3)?;
        let score = |(step, own): (u64, Vec<f32>)| match own.as_slice() {
            &[co_bps, fp_bps, rate_r2] => Some(RateScores { step, co_bps, fp_bps, rate_r2 }),
            _ => None,
        };
        self.scores = steps.into_iter().zip(scores).filter_map(score).collect();
        self.score_baselines();
        Ok(())
    }

    fn soften(&mut self) {
        self.fit.trainer.soften();
    }

    fn refresh(&mut self) -> Result<(), DeviceFailed> {
        self.shown.refresh(&self.fit, &self.fit.data.split.validation)
    }

    fn snapshot(&self, moment: &Moment<'_>) -> Result<Snapshot, DeviceFailed> {
        let (mut trials, mut attention) = (Vec::new(), Vec::new());
        for &chosen in moment.trials {
            let (shown, layers) = trial(&self.fit, chosen)?;
            trials.push(shown);
            attention.push(layers);
        }
        let (binned, layout, config) = (&self.fit.data.binned, &self.fit.layout, self.fit.trainer.config());
        Ok(Snapshot {
            version: moment.version,
            stage: 1,
            step: moment.step,
            bin_s: binned.bin_s,
            areas: binned.areas.clone(),
            area_sizes: binned.area_sizes.clone(),
            units: binned.units.clone(),
            trials,
            model: ModelSnapshot::Stndt(StndtSnapshot {
                held_out: layout.places.iter().map(|&place| place >= layout.grid.heldin).collect(),
                observed_bins: layout.grid.observed,
                context: (config.context_backward, config.context_forward),
                scores: self.scores.clone(),
                smoothing: self.smoothing,
                oracle: self.oracle,
                unit_bits: self.unit_bits.clone(),
                attention: self.shown.attention.clone(),
                importance: self.shown.importance.clone(),
                trials: attention,
                trajectories: self.shown.trajectories.clone(),
            }),
        })
    }

    fn conclude(&mut self) -> Result<Map<String, Value>, DeviceFailed> {
        let data = Arc::clone(&self.fit.data);
        let (data, test) = (&*data, &data.split.test);
        let scorer = Scorer::new(&self.fit.layout, data, test);
        let of = |rates: &Array3<f64>| scorer.score(rates.view(), self.fit.trainer.steps() as u64);
        let rates = self.fit.rates(test, &[])?;
        let (own, unit_bits) = (of(&rates), scorer.unit_bits(rates.view(), &self.fit.layout.places));
        let smoothing = smoothed_rates(&self.fit.layout, data, test).map(|rates| of(&rates));
        let oracle = scorer.truth.as_ref().map(of);
        let best = self.scores.iter().map(|s| s.co_bps).filter(|s| s.is_finite()).fold(f32::NAN, f32::max);
        let mut results = Map::new();
        results.insert("test_loss".to_owned(), json!(self.masked_loss(Set::Test)?.masked));
        results.insert("held_out_units".to_owned(), json!(self.fit.layout.grid.heldout));
        results.insert("validation_co_bps".to_owned(), finite(best));
        for (prefix, scored) in [("", Some(own)), ("smoothing_", smoothing), ("oracle_", oracle)] {
            let Some(scored) = scored else { continue };
            for (name, value) in [("co_bps", scored.co_bps), ("fp_bps", scored.fp_bps), ("rate_r2", scored.rate_r2)] {
                if value.is_finite() {
                    results.insert(format!("{prefix}{name}"), finite(value));
                }
            }
        }
        self.unit_bits = unit_bits;
        self.shown.refresh(&self.fit, test)?;
        Ok(results)
    }
}

/// JSON has no NaN.
fn finite(value: f32) -> Value {
    if value.is_finite() { json!(value) } else { Value::Null }
}
