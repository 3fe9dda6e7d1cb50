//! Older methods as the training thread drives them, so that they come with the same runs, files and views as the GLM-Transformer:
//! a step is one iteration of the GLMs of an area, or one pair of areas.

mod publish;

use burn::tensor::TensorData;
use serde_json::{Map, Value, json};

use super::data::{DataError, Prepared};
use super::learner::{Learner, Moment, Patience, Set, Stopping, Validated};
use super::saved::{RestoreError, Saved};
use super::{BaselineMethod, BaselineRecipe, LossTerm, MOST_TERMS, References, Snapshot, TermValues};
use crate::analysis::baselines::coincidence::{Coincidence, CoincidenceSettings, coincidence};
use crate::analysis::baselines::poisson_glm::PoissonFit;
use crate::analysis::baselines::reduced_rank::{self, RankSettings, ReducedRank};
use crate::analysis::baselines::{Effect, Rates, TrialCounts, effect, loss};
use crate::models::DeviceFailed;
use crate::models::params::Values;

/// Terms of the loss.
pub(super) static TERMS: [LossTerm; 2] = [
    LossTerm { key: "total", name: "Total", help: "What is minimised on training trials, penalties included" },
    LossTerm { key: "poisson", name: "Poisson", help: "How well spike counts are predicted: mean of λ − y·log λ per bin and unit" },
];

/// Most iterations of a GLM.
const MOST_ITERATIONS: usize = 300;
/// Validation trials behind the numbers that are shown while fitting.
const TRIALS_SHOWN: usize = 40;

/// What is fitted so far.
enum Fitted {
    /// GLMs per area, empty before they begin.
    Glm(Vec<PoissonFit>),
    /// Per pair of areas, target-major, as far as done.
    Ranks(Vec<ReducedRank>),
    Correlograms(Vec<Coincidence>),
}

pub(super) struct BaselineLearner<'a> {
    recipe: BaselineRecipe,
    data: &'a Prepared,
    /// Training trials that are fitted.
    trials: Vec<usize>,
    /// Ordered pairs (source, target), target-major.
    pairs: Vec<(usize, usize)>,
    fitted: Fitted,
    effects: Vec<Effect>,
    /// Steps so far.
    done: u64,
}

impl<'a> BaselineLearner<'a> {
    pub(super) fn new(recipe: &BaselineRecipe, data: &'a Prepared) -> Result<Self, DataError> {
        let areas = data.binned.area_sizes.len();
        if areas < 2 {
            return Err(DataError::Model("coupling needs two areas at least; choose where areas come from".to_owned()));
        }
        if data.binned.bins < recipe.wide_bins.max(recipe.splines).max(3) {
            return Err(DataError::ShortWindow { bins: data.binned.bins, needed: recipe.wide_bins.max(recipe.splines).max(3) });
        }
        let most = if recipe.most_trials > 0 { recipe.most_trials } else { usize::MAX };
        let trials = data.split.train.iter().copied().take(most).collect();
        let pairs = (0..areas).flat_map(|target| (0..areas).filter(move |s| *s != target).map(move |source| (source, target))).collect();
        let fitted = match recipe.method {
            BaselineMethod::Glm => Fitted::Glm(Vec::new()),
            BaselineMethod::ReducedRank => Fitted::Ranks(Vec::new()),
            BaselineMethod::Correlogram => Fitted::Correlograms(Vec::new()),
        };
        Ok(Self { recipe: recipe.clone(), data, trials, pairs, fitted, effects: Vec::new(), done: 0 })
    }

    fn counts(&self) -> TrialCounts<'a> {
        let binned = &self.data.binned;
        TrialCounts { counts: binned.counts.view(), pad: binned.pad_bins, area_sizes: &binned.area_sizes }
    }

    /// The model that knows the pair at a place, once it is there.
    fn model(&self, at: usize) -> Option<&dyn Rates> {
        let (_, target) = *self.pairs.get(at)?;
        match &self.fitted {
            Fitted::Glm(fits) => fits.get(target).map(|fit| fit as &dyn Rates),
            Fitted::Ranks(fits) => fits.get(at).map(|fit| fit as &dyn Rates),
            Fitted::Correlograms(fits) => fits.get(at).map(|fit| fit as &dyn Rates),
        }
    }

    fn effects_on(&self, trials: &[usize]) -> Vec<Effect> {
        let counts = self.counts();
        let of = |(at, &(source, _)): (usize, &(usize, usize))| {
            self.model(at).map_or_else(Effect::default, |model| effect(model, &counts, trials, source))
        };
        self.pairs.iter().enumerate().map(of).collect()
    }

    /// Mean loss over pairs (over areas for GLMs) on some trials; NaN before anything is fitted.
    fn loss_on(&self, trials: &[usize]) -> f64 {
        let counts = self.counts();
        let losses: Vec<f64> = match &self.fitted {
            Fitted::Glm(fits) => fits.iter().map(|fit| loss(fit, &counts, fit.target(), trials)).collect(),
            _ => (0..self.pairs.len()).filter_map(|at| Some(loss(self.model(at)?, &counts, self.pairs[at].1, trials))).collect(),
        };
        losses.iter().sum::<f64>() / losses.len() as f64
    }

    /// What is minimised, per bin and unit.
    fn objective(&self) -> Option<f64> {
        let Fitted::Glm(fits) = &self.fitted else { return None };
        let cells = (self.trials.len() * self.data.binned.bins * self.data.binned.n_units()).max(1) as f64;
        Some(fits.iter().map(PoissonFit::objective).sum::<f64>() / cells)
    }
}

impl Learner for BaselineLearner<'_> {
    fn stages(&self) -> Vec<String> {
        let name = match self.recipe.method {
            BaselineMethod::Glm => "1 · regression of every unit",
            BaselineMethod::ReducedRank => "1 · regression of every pair of areas",
            BaselineMethod::Correlogram => "1 · correlograms of every pair of areas",
        };
        vec![name.to_owned()]
    }

    fn stopping(&self) -> Stopping {
        let max_epochs = if self.recipe.method == BaselineMethod::Glm { MOST_ITERATIONS } else { 1 };
        // The likelihood is concave: what no longer falls has converged.
        Stopping { patience: Patience::Epochs(2), max_epochs, tolerance: 1e-9, validate_every: 1 }
    }

    fn rate(&self) -> f64 {
        f64::NAN
    }

    fn begin(&mut self, _stage: usize, tell: &mut dyn FnMut(&str) -> bool) -> Result<(), DeviceFailed> {
        let (counts, areas) = (self.counts(), self.data.binned.area_sizes.len());
        if let Fitted::Glm(fits) = &mut self.fitted {
            for area in 0..areas {
                if !tell(&format!("curvature of area {} of {areas}", area + 1)) {
                    return Ok(());
                }
                fits.push(PoissonFit::new(&counts, area, &self.trials, &self.recipe.glm()));
            }
        }
        Ok(())
    }

    fn batches(&self) -> usize {
        match self.recipe.method {
            BaselineMethod::Glm => self.data.binned.area_sizes.len(),
            _ => self.pairs.len(),
        }
    }

    fn step(&mut self, batch: usize, _step: u64) -> Result<(TermValues<f64>, f64), DeviceFailed> {
        self.done += 1;
        let counts = self.counts();
        let (source, target) = self.pairs.get(batch).copied().unwrap_or_default();
        match &mut self.fitted {
            Fitted::Glm(fits) => {
                if let Some(fit) = fits.get_mut(batch).filter(|fit| !fit.done()) {
                    fit.step(&counts);
                }
            }
            Fitted::Ranks(fits) => {
                let rank = (self.recipe.rank > 0).then_some(self.recipe.rank);
                let settings = RankSettings { wide: self.recipe.wide_bins, rank, ..RankSettings::default() };
                fits.extend(reduced_rank::fit(&counts, source, target, &self.trials, settings));
            }
            Fitted::Correlograms(fits) => {
                let usual = CoincidenceSettings::new(self.data.binned.bin_s);
                let settings = CoincidenceSettings { threshold: self.recipe.threshold, ..usual };
                fits.push(coincidence(&counts, source, target, &self.trials, &settings));
            }
        }
        let mut values = [0.0; MOST_TERMS];
        let shown = self.objective().unwrap_or_else(|| self.loss_on(self.trials.get(..TRIALS_SHOWN).unwrap_or(&self.trials)));
        (values[0], values[1]) = (shown, shown);
        Ok((values, 0.0))
    }

    fn validate(&mut self, step: u64) -> Result<Validated, DeviceFailed> {
        let loss = self.loss_on(&self.data.split.validation);
        // Before the first pair is done there are no rates but the units' means.
        let loss = if loss.is_nan() { self.references(Set::Validation).flat.unwrap_or(0.0) } else { loss };
        let mut terms = [0.0; MOST_TERMS];
        (terms[0], terms[1]) = (self.objective().unwrap_or(loss), loss);
        Ok(Validated { terms, score: self.objective().unwrap_or(-(step as f64)) })
    }

    fn references(&self, set: Set) -> References {
        self.data.references(match set {
            Set::Validation => &self.data.split.validation,
            Set::Test => &self.data.split.test,
        })
    }

    fn weights(&self) -> Result<Values, DeviceFailed> {
        let matrix = |values: &ndarray::Array2<f64>| {
            let (rows, columns) = values.dim();
            TensorData::new(values.iter().map(|&x| x as f32).collect::<Vec<f32>>(), [rows, columns])
        };
        let pair = |at: usize| self.pairs.get(at).map_or_else(String::new, |(source, target)| format!("coupling.{source}.{target}"));
        Ok(match &self.fitted {
            Fitted::Glm(fits) => {
                fits.iter().map(|fit| (format!("glm.{}.coefficients", fit.target()), matrix(fit.coefficients()))).collect()
            }
            Fitted::Ranks(fits) => fits.iter().enumerate().map(|(at, fit)| (pair(at), matrix(fit.weights()))).collect(),
            Fitted::Correlograms(fits) => fits.iter().enumerate().map(|(at, fit)| (pair(at), matrix(&fit.height))).collect(),
        })
    }

    /// Every step is an improvement of what is minimised: the last weights are the best.
    fn restore(&mut self, _weights: &Values) {}

    /// Nothing is random here: what has been fitted is fitted again.
    fn state(&self) -> Result<Saved, DeviceFailed> {
        let mut saved = Saved::default();
        saved.put("steps", self.done);
        Ok(saved)
    }

    fn restore_state(&mut self, state: &Saved) -> Result<(), RestoreError> {
        let steps = state.count("steps")?;
        let unfit = || RestoreError::Unfit("'steps' is not a number of steps of this method".to_owned());
        let most = self.stopping().max_epochs * self.batches();
        let steps = usize::try_from(steps).ok().filter(|steps| *steps <= most).ok_or_else(unfit)?;
        if steps > 0 {
            self.begin(0, &mut |_| true)?;
        }
        for step in 0..steps {
            self.step(step % self.batches().max(1), step as u64)?;
        }
        Ok(())
    }

    /// There is no learning rate: an iteration that makes things worse is not taken.
    fn soften(&mut self) {}

    fn refresh(&mut self) -> Result<(), DeviceFailed> {
        let validation = &self.data.split.validation;
        self.effects = self.effects_on(validation.get(..TRIALS_SHOWN).unwrap_or(validation));
        Ok(())
    }

    fn snapshot(&self, moment: &Moment<'_>) -> Result<Snapshot, DeviceFailed> {
        Ok(publish::snapshot(self, moment))
    }

    fn conclude(&mut self) -> Result<Map<String, Value>, DeviceFailed> {
        self.effects = self.effects_on(&self.data.split.test);
        let fitted = self.effects_on(&self.trials);
        let shown = publish::pairs(self);
        let area = |at: usize| self.data.binned.areas.get(at).cloned().unwrap_or_default();
        let mut edges = Vec::new();
        for ((pair, effect), fitted) in shown.iter().zip(&self.effects).zip(&fitted) {
            let mut edge = json!({
                "source": area(pair.source),
                "target": area(pair.target),
                "contribution_percent": effect.percent,
                "contribution_fitted_percent": fitted.percent,
                "mean_output": effect.mean_output,
            });
            publish::more(self, edges.len(), &mut edge);
            edges.push(edge);
        }
        let mut results = Map::new();
        results.insert("test_loss".to_owned(), json!(self.loss_on(&self.data.split.test)));
        results.insert("fitted_trials".to_owned(), json!(self.trials.len()));
        results.insert("edges".to_owned(), Value::Array(edges));
        Ok(results)
    }
}
