//! NetFormer as the training thread drives it.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, Axis, Slice};
use serde_json::{Map, Value, json};

use super::model::Published;
use super::{ActivityData, NetFormerRecipe, config, options, report};
use crate::analysis::connectivity::{Pairs, Samples, lag_one, score};
use crate::models::DeviceFailed;
use crate::models::netformer::{Loss, LossTerms, Trainer};
use crate::models::params::{self, Values};
use crate::training::data::DataError;
use crate::training::device::TrainingDevice;
use crate::training::learner::{Learner, Moment, Patience, Set, Stopping, Validated};
use crate::training::saved::{RestoreError, Saved};
use crate::training::{
    ConnectivityScores, Fit, LossTerm, MOST_TERMS, ModelSnapshot, NetFormerSnapshot, References, Snapshot, TermValues, TrialSnapshot,
};

/// Terms of the loss (spec §2.1, §2.3).
pub(in crate::training) static TERMS: [LossTerm; 3] = [
    LossTerm { key: "total", name: "Total", help: "Everything that is minimised" },
    LossTerm {
        key: "fit",
        name: "Prediction",
        help: "How well the next bin is predicted: squared error, or rate − y·log(rate) for counts",
    },
    LossTerm { key: "prior", name: "Cell-type prior", help: "Pull of attention towards a mean per pair of cell types, weighted" },
];

/// Most validation windows behind what is shown while training.
const WINDOWS_SHOWN: usize = 2000;
/// Most windows whose attention is formed one by one.
const WINDOWS_FORMED: usize = 200;
/// Smallest gain of the validation loss that counts.
const TOLERANCE: f64 = 1e-6;

pub(in crate::training) struct NetFormerLearner {
    recipe: NetFormerRecipe,
    data: Arc<ActivityData>,
    trainer: Trainer,
    train: Vec<usize>,
    validation: Vec<usize>,
    test: Vec<usize>,
    /// Batches of the epoch that was last asked for.
    epoch: (usize, Vec<Vec<usize>>),
    lag_one: Array2<f32>,
    truth: Option<Array2<f32>>,
    scores: Vec<ConnectivityScores>,
    lag_one_scores: Option<ConnectivityScores>,
    attention: Array2<f32>,
    r2: Vec<f32>,
    static_share: f32,
    /// The network that views read.
    published: Published,
}

impl NetFormerLearner {
    pub(in crate::training) fn new(
        recipe: &NetFormerRecipe,
        seed: u64,
        data: &Arc<ActivityData>,
        device: &TrainingDevice,
    ) -> Result<Self, DataError> {
        let config = config(recipe, data.units.len(), data.inputs, data.types.clone());
        let (history, queries) = (config.history, config.queries);
        let trainer = Trainer::new(config, data.data.clone(), options(recipe, seed), &device.device, device.cpu);
        let mut trainer = trainer.map_err(|e| DataError::Model(e.to_string()))?;
        let windows = |part: &[Range<usize>]| data.data.windows(part, history);
        let (train, validation, test) = (windows(&data.train), windows(&data.validation), windows(&data.test));
        trainer.start_at_means(&train);
        let epoch = (0, trainer.batches(&train, 0));
        let rows = |matrix: Array2<f64>| matrix.slice_axis(Axis(0), Slice::from(..queries)).mapv(|v| v as f32);
        let lag_one = rows(lag_one(&Samples::new(data.raw.view(), data.train.clone())));
        let truth = data.recording.truth.as_ref().and_then(|t| t.unit_weights(data.recording.n_units()));
        let truth = truth.map(|weights| rows(weights.select(Axis(0), &data.units).select(Axis(1), &data.units)));
        let lag_one_scores = truth.as_ref().map(|truth| compare(&lag_one, truth, 0));
        Ok(Self {
            recipe: recipe.clone(),
            data: Arc::clone(data),
            trainer,
            train,
            validation,
            test,
            epoch,
            lag_one,
            truth,
            scores: Vec::new(),
            lag_one_scores,
            attention: Array2::zeros((0, 0)),
            r2: Vec::new(),
            static_share: f32::NAN,
            published: Published::default(),
        })
    }

    /// Mean attention between units; what external inputs send is not shown.
    fn mean_attention(&self, windows: &[usize]) -> Result<Array2<f32>, DeviceFailed> {
        Ok(self.data.of_units(self.trainer.mean_attention(windows)?))
    }

    fn values(&self, losses: &LossTerms) -> TermValues<f64> {
        let mut values = [0.0; MOST_TERMS];
        let terms = [losses.total, losses.fit, self.recipe.type_prior * losses.constraint];
        values.iter_mut().zip(terms).for_each(|(to, from)| *to = from);
        values
    }

    fn windows_of(&self, set: Set) -> &[usize] {
        match set {
            Set::Validation => &self.validation,
            Set::Test => &self.test,
        }
    }

    /// What is shown of some windows: mean attention, R², how much of attention changes.
    fn look_at(&mut self, windows: &[usize]) -> Result<(), DeviceFailed> {
        self.attention = self.mean_attention(windows)?;
        self.r2 = self.r2_of(windows)?;
        let few = spread(windows, WINDOWS_FORMED);
        let (mean, sd) = self.trainer.host()?.attention_moments(self.trainer.data(), &few);
        let squares = |matrix: &Array2<f32>| matrix.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
        let (fixed, changing) = (squares(&mean), squares(&sd));
        self.static_share = (fixed / (fixed + changing)) as f32;
        Ok(())
    }

    /// R² of the predictions of every predicted unit; 0 for a unit that does not change.
    fn r2_of(&self, windows: &[usize]) -> Result<Vec<f32>, DeviceFailed> {
        let config = self.trainer.config();
        let mut predicted = self.trainer.predictions(windows)?;
        if config.loss == Loss::Poisson {
            predicted.mapv_inplace(|p| config.rate(p));
        }
        let wanted = self.trainer.data().targets_of(windows, config.history, config.queries);
        let r2 = |(predicted, wanted): (ndarray::ArrayView1<'_, f32>, ndarray::ArrayView1<'_, f32>)| {
            let mean = wanted.iter().map(|&v| f64::from(v)).sum::<f64>() / wanted.len().max(1) as f64;
            let total: f64 = wanted.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum();
            let residual: f64 = wanted.iter().zip(predicted).map(|(&a, &b)| f64::from(a - b).powi(2)).sum();
            if total > 0.0 { (1.0 - residual / total) as f32 } else { 0.0 }
        };
        Ok(predicted.columns().into_iter().zip(wanted.columns()).map(r2).collect())
    }
}

/// Agreement of entries between different units with the truth.
fn compare(estimate: &Array2<f32>, truth: &Array2<f32>, step: u64) -> ConnectivityScores {
    let found = score(estimate.mapv(f64::from).view(), truth.mapv(f64::from).view(), Pairs::Others);
    ConnectivityScores { step, pearson: found.pearson as f32, spearman: found.spearman as f32, auc: found.auc as f32 }
}

/// At most `most` windows, evenly spread.
fn spread(windows: &[usize], most: usize) -> Vec<usize> {
    windows.iter().copied().step_by(windows.len().div_ceil(most).max(1)).collect()
}

impl Learner for NetFormerLearner {
    fn stages(&self) -> Vec<String> {
        vec!["1 · prediction of the next bin".to_owned()]
    }

    fn stopping(&self) -> Stopping {
        let patience = if self.recipe.patience_epochs > 0 { self.recipe.patience_epochs } else { usize::MAX };
        Stopping { patience: Patience::Epochs(patience), max_epochs: self.recipe.max_epochs, tolerance: TOLERANCE, validate_every: 1 }
    }

    fn rate(&self) -> f64 {
        self.trainer.rate(self.epoch.0)
    }

    fn begin(&mut self, _stage: usize, _tell: &mut dyn FnMut(&str) -> bool) -> Result<(), DeviceFailed> {
        Ok(())
    }

    fn batches(&self) -> usize {
        self.epoch.1.len()
    }

    fn step(&mut self, batch: usize, step: u64) -> Result<(TermValues<f64>, f64), DeviceFailed> {
        let epoch = usize::try_from(step).unwrap_or(usize::MAX) / self.batches().max(1);
        if self.epoch.0 != epoch {
            self.epoch = (epoch, self.trainer.batches(&self.train, epoch));
        }
        let own = self.epoch.1.get(batch).cloned().unwrap_or_default();
        let (losses, norm) = self.trainer.step(&own, epoch)?;
        Ok((self.values(&losses), norm))
    }

    fn validate(&mut self, step: u64) -> Result<Validated, DeviceFailed> {
        let losses = self.trainer.losses(&self.validation)?;
        if step > 0 {
            self.trainer.observe(losses.fit);
        }
        if let Some(truth) = &self.truth {
            let windows = spread(&self.validation, WINDOWS_SHOWN);
            self.scores.push(compare(&self.mean_attention(&windows)?, truth, step));
        }
        let terms = self.values(&losses);
        // Published experiments without patience keep the last weights.
        let score = if self.recipe.patience_epochs > 0 { terms[0] } else { -(step as f64) };
        Ok(Validated { terms, score })
    }

    fn references(&self, set: Set) -> References {
        let config = self.trainer.config();
        let targets = |windows: &[usize]| self.trainer.data().targets_of(windows, config.history, config.queries).mapv(f64::from);
        let (own, train) = (targets(self.windows_of(set)), targets(&self.train));
        let flat = train.mean_axis(Axis(0)).filter(|_| !own.is_empty()).map(|mean| {
            let loss = |((_, unit), y): ((usize, usize), &f64)| match self.recipe.fit {
                Fit::Squared => (y - mean[unit]).powi(2),
                Fit::Poisson => mean[unit] - y * mean[unit].max(1e-9).ln(),
            };
            own.indexed_iter().map(loss).sum::<f64>() / own.len() as f64
        });
        References { flat, psth: None, oracle: None }
    }

    fn weights(&self) -> Result<Values, DeviceFailed> {
        params::read(self.trainer.net())
    }

    fn restore(&mut self, weights: &Values) {
        self.trainer.load(weights);
    }

    fn state(&self) -> Result<Saved, DeviceFailed> {
        let mut saved = Saved::default();
        saved.put_trainer(self.trainer.state()?);
        saved.put_counts("score_steps", self.scores.iter().map(|score| score.step));
        saved.put_list("scores", self.scores.iter().flat_map(|score| [score.pearson, score.spearman, score.auc]).collect());
        Ok(saved)
    }

    fn restore_state(&mut self, state: &Saved) -> Result<(), RestoreError> {
        self.trainer.restore(&state.trainer()?).map_err(RestoreError::Unfit)?;
        let steps = state.counts("score_steps")?;
        let scores = state.rows("scores", steps.len(), 3)?;
        let score = |(step, own): (u64, Vec<f32>)| match own.as_slice() {
            &[pearson, spearman, auc] => Some(ConnectivityScores { step, pearson, spearman, auc }),
            _ => None,
        };
        self.scores = steps.into_iter().zip(scores).filter_map(score).collect();
        Ok(())
    }

    fn soften(&mut self) {
        self.trainer.soften();
    }

    fn refresh(&mut self) -> Result<(), DeviceFailed> {
        self.look_at(&spread(&self.validation, WINDOWS_SHOWN))
    }

    fn snapshot(&self, moment: &Moment<'_>) -> Result<Snapshot, DeviceFailed> {
        let history = self.trainer.config().history;
        let (mut trials, mut stretches) = (Vec::new(), Vec::new());
        for &trial in moment.trials {
            if let Some(bins) = self.data.stretches.get(trial) {
                trials.push(TrialSnapshot { trial, log_rate: Vec::new() });
                stretches.push(self.mean_attention(&self.data.windows_into(bins, history))?);
            }
        }
        Ok(Snapshot {
            version: moment.version,
            stage: 1,
            step: moment.step,
            bin_s: self.data.bin_s(),
            areas: self.data.areas.clone(),
            area_sizes: self.data.area_sizes.clone(),
            units: self.data.units.clone(),
            trials,
            model: ModelSnapshot::NetFormer(NetFormerSnapshot {
                attention: self.attention.clone(),
                stretches,
                lag_one: self.lag_one.clone(),
                truth: self.truth.clone(),
                scores: self.scores.clone(),
                lag_one_scores: self.lag_one_scores,
                r2: self.r2.clone(),
                static_share: self.static_share,
                model: Some(self.published.at(
                    moment.step,
                    self.batches(),
                    || Ok((self.trainer.host()?, self.trainer.config().clone())),
                    &self.data,
                )?),
            }),
        })
    }

    fn conclude(&mut self) -> Result<Map<String, Value>, DeviceFailed> {
        let test = self.test.clone();
        self.look_at(&test)?;
        let mut results = Map::new();
        results.insert("test_loss".to_owned(), json!(self.trainer.losses(&test)?.fit));
        let mean_r2 = self.r2.iter().sum::<f32>() / self.r2.len().max(1) as f32;
        let mut number = |key: &str, value: f32| {
            if value.is_finite() {
                results.insert(key.to_owned(), json!(value));
            }
        };
        number("prediction_r2", mean_r2);
        number("static_share", self.static_share);
        if let Some(truth) = &self.truth {
            let own = compare(&self.attention, truth, 0);
            for (prefix, scores) in [("", Some(own)), ("lag1_", self.lag_one_scores)] {
                let Some(scores) = scores else { continue };
                number(&format!("{prefix}pearson"), scores.pearson);
                number(&format!("{prefix}spearman"), scores.spearman);
                number(&format!("{prefix}auc"), scores.auc);
            }
        }
        let model = self.published.now(self.trainer.steps() as u64, self.trainer.host()?, self.trainer.config().clone(), &self.data);
        report::add(&mut results, &model, &self.lag_one);
        Ok(results)
    }
}
