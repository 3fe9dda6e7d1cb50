//! Fitting a GLM-Transformer stage by stage (spec §4.3, and ours): batches, steps, validation, early stopping, best weights.
//! Nothing here reads a clock: watched or not, paused or not, the numbers are the same.

mod frozen;
mod learner;
mod publish;
mod results;
mod state;

use burn::module::ParamId;
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array1, Array2, Array3, ArrayView2, Axis};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::data::{DataError, Prepared};
use super::device::TrainingDevice;
use super::saved::RestoreError;
use super::{GlmRecipe, LeftOut, Support};
use crate::analysis::bases::raised_cosine;
use crate::analysis::edge_score::{EdgeScore, EdgeScorer, EdgeScoring};
use crate::models::adam::{Adam, Gradients};
use crate::models::glm_transformer::{
    AreaInputs, Ask, FusedBatch, GlmConfig, GlmNet, LossTerms, Model, Stage, Tables, Terms, area_inputs, encode, fused_gradients,
    fused_latents, learning_rate, reference_gradients,
};
use crate::models::params;
use crate::models::{DeviceFailed, TrainerState};

pub use frozen::frozen_model;
pub(super) use learner::{GlmLearner, TERMS};

/// Trials of one step with what is computed once for them.
pub(super) struct Batch<'a> {
    pub(super) trials: Vec<usize>,
    pub(super) fused: FusedBatch<'a>,
    /// Counts `[M, pad + T, N]` on a GPU.
    on_device: Option<Tensor<3>>,
    /// Latent means and log-variances once the encoder is frozen.
    pub(super) latent: Option<(Tensor<3>, Tensor<3>)>,
}

/// A model in training.
pub(super) struct GlmTrainer<'a> {
    pub(super) recipe: GlmRecipe,
    pub(super) config: GlmConfig,
    pub(super) tables: Tables,
    pub(super) net: GlmNet,
    pub(super) train: Vec<Batch<'a>>,
    pub(super) validation: Vec<Batch<'a>>,
    pub(super) test: Vec<Batch<'a>>,
    /// Per ordered pair, source-major; see [`GlmConfig::pair`].
    pub(super) support: Vec<Support>,
    /// Filter coefficients that the score found for pairs that are not supported.
    pub(super) candidates: Vec<Option<Array1<f32>>>,
    device: TrainingDevice,
    seed: u64,
    stage: Stage,
    adam: Adam,
    /// What learning rates are multiplied with; see [`Self::soften`].
    rate_factor: f64,
    trained: Vec<(ParamId, String)>,
}

/// The shapes that a recipe and data give.
pub(super) fn config_of(recipe: &GlmRecipe, data: &Prepared) -> GlmConfig {
    GlmConfig {
        neurons: data.binned.area_sizes.clone(),
        bins: data.binned.bins,
        pad: data.binned.pad_bins,
        latent_per_area: recipe.latent_per_area,
        width: recipe.width,
        heads: recipe.heads,
        layers: recipe.layers,
        hidden: recipe.hidden,
        token_bins: recipe.token_bins,
        splines: recipe.splines,
        factors: recipe.factors,
        decoder_multiple: recipe.decoder_multiple,
        rank: recipe.rank,
        coupling_basis: (recipe.coupling_basis, recipe.coupling_peak_bins, recipe.coupling_stretch),
        history_basis: (recipe.history_basis, recipe.history_peak_bins, recipe.history_stretch),
        self_coupling: recipe.self_coupling,
        beta: recipe.beta,
        penalty_coupling: recipe.penalty_coupling,
        penalty_smooth: recipe.penalty_smooth,
        legacy_trial_attention: recipe.legacy_trial_attention,
    }
}

/// The stages of a recipe, in order.
pub(super) fn stages_of(recipe: &GlmRecipe) -> Vec<Stage> {
    let left_out = recipe.left_out;
    let there = |stage: &Stage| match stage {
        Stage::Mean => true,
        Stage::Trials => recipe.trial_varying && left_out != LeftOut::EncoderTraining,
        Stage::Coupling => !left_out.coupling(),
        Stage::PostSpike => !left_out.post_spike(),
    };
    Stage::ALL.into_iter().filter(there).collect()
}

/// Windows of so many bins must fit the model's splines and tokens.
///
/// # Errors
/// [`DataError::ShortWindow`] with what is needed.
pub(super) fn check_window(recipe: &GlmRecipe, bins: usize) -> Result<(), DataError> {
    let needed = recipe.token_bins.max(recipe.splines + 1).max(3);
    if bins >= needed { Ok(()) } else { Err(DataError::ShortWindow { bins, needed }) }
}

impl<'a> GlmTrainer<'a> {
    /// Initial weights and batches. The order of training trials is shuffled once; a batch is the same in every epoch.
    pub(super) fn new(recipe: &GlmRecipe, seed: u64, data: &'a Prepared, device: TrainingDevice) -> Self {
        let config = config_of(recipe, data);
        let tables = Tables::new(&config, &device.device);
        let net = GlmNet::new(&config, seed, &device.device.clone().autodiff());
        let batches = |trials: &[usize]| -> Vec<Batch<'a>> {
            trials.chunks(recipe.batch).map(|trials| Batch::new(&config, data, trials, (!device.cpu).then_some(&device.device))).collect()
        };
        let (train, validation, test) = (batches(&data.split.train), batches(&data.split.validation), batches(&data.split.test));
        let support = vec![Support::NotScored; config.areas() * config.areas()];
        let candidates = vec![None; support.len()];
        let recipe = recipe.clone();
        let adam = Adam::new(recipe.clip);
        let mut trainer = Self {
            recipe,
            config,
            tables,
            net,
            train,
            validation,
            test,
            support,
            candidates,
            device,
            seed,
            stage: Stage::Mean,
            adam,
            rate_factor: 1.0,
            trained: Vec::new(),
        };
        trainer.enter(Stage::Mean);
        trainer
    }

    /// Begin a stage: a fresh optimiser, gradients only for what trains.
    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.adam = Adam::new(self.recipe.clip);
        let net = params::set_trained(self.net.clone(), &|name| self.trains(name));
        self.trained = params::names(&net).into_iter().filter(|(_, name)| self.trains(name)).collect();
        self.net = net;
    }

    /// Begin the stage after this one's best weights are back: latents are computed once when the encoder is frozen.
    ///
    /// # Errors
    /// When the device cannot be read.
    pub(super) fn begin(&mut self, stage: Stage) -> Result<(), DeviceFailed> {
        self.enter(stage);
        self.keep_latents()
    }

    fn keep_latents(&mut self) -> Result<(), DeviceFailed> {
        // Attention over trials looks at the whole batch; batches are fixed, so its latents can be kept as well.
        if self.stage >= Stage::Coupling && self.recipe.trial_varying && self.train.iter().any(|b| b.latent.is_none()) {
            for set in 0..3 {
                for at in 0..self.set(set).len() {
                    let latent = self.latents(&self.set(set)[at])?;
                    self.set_mut(set)[at].latent = Some(latent);
                }
            }
        }
        Ok(())
    }

    fn set(&self, which: usize) -> &Vec<Batch<'a>> {
        [&self.train, &self.validation, &self.test][which]
    }

    fn set_mut(&mut self, which: usize) -> &mut Vec<Batch<'a>> {
        match which {
            0 => &mut self.train,
            1 => &mut self.validation,
            _ => &mut self.test,
        }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// Terms of the log-rate that are on.
    pub(super) fn terms(&self) -> Terms {
        let (terms, left_out) = (self.stage.terms(), self.recipe.left_out);
        Terms {
            vae: terms.vae && self.recipe.trial_varying,
            coupling: terms.coupling && !left_out.coupling(),
            history: terms.history && !left_out.post_spike(),
        }
    }

    /// The stages of this recipe, in order.
    pub(super) fn stages(&self) -> Vec<Stage> {
        stages_of(&self.recipe)
    }

    fn trains(&self, name: &str) -> bool {
        let pair = name.strip_prefix("coupling.").and_then(|rest| rest.split('.').next()).and_then(|p| p.parse::<usize>().ok());
        let fitted = pair.is_none_or(|p| self.support.get(p).is_none_or(Support::is_fitted));
        let left_out = self.recipe.left_out;
        let there = !(left_out.coupling() && pair.is_some() || left_out.post_spike() && name.starts_with("history_coef"));
        fitted && there && self.stage.trains(name, self.recipe.published_staging)
    }

    fn penalises_coupling(&self) -> bool {
        self.stage.penalises_coupling(self.recipe.published_staging) && !self.recipe.left_out.coupling()
    }

    fn model(&self) -> Model<'_> {
        Model { net: &self.net, config: &self.config, tables: &self.tables }
    }

    /// Latent means and log-variances of a batch, without autodiff.
    fn latents(&self, batch: &Batch<'_>) -> Result<(Tensor<3>, Tensor<3>), DeviceFailed> {
        if let Some(latent) = &batch.latent {
            return Ok(latent.clone());
        }
        match &batch.on_device {
            None if !self.config.legacy_trial_attention => fused_latents(self.model(), &batch.fused),
            counts => {
                let counts = counts.clone().unwrap_or_else(|| device_counts(&batch.fused.counts, &self.device.device));
                let (mean, log_variance, _) = encode(&self.net, &self.config, &self.tables, Tensor::from_inner(counts));
                Ok((mean.inner(), log_variance.inner()))
            }
        }
    }

    /// One optimiser step on training batch `at`; `step` numbers steps from the start of training.
    ///
    /// # Errors
    /// When the device fails. A loss or gradient that is not finite is returned as it is, and changes no weights.
    pub(super) fn step(&mut self, at: usize, step: u64) -> Result<(LossTerms, f64), DeviceFailed> {
        let (losses, gradients) = self.gradients(&self.train[at], step)?;
        let (recipe, trained, factor) = (&self.recipe, &self.trained, self.rate_factor);
        let rate = |name: &str| learning_rate(name, recipe.rate_encoder, recipe.rate) * factor;
        let (net, norm) = self.adam.step(self.net.clone(), &gradients, trained, &rate)?;
        self.net = net;
        Ok((losses, norm))
    }

    fn gradients(&self, batch: &Batch<'_>, step: u64) -> Result<(LossTerms, Gradients), DeviceFailed> {
        let (terms, penalise_coupling) = (self.terms(), self.penalises_coupling());
        let latent = if terms.vae { batch.latent.clone() } else { None };
        let noise = (self.recipe.sample_latent && terms.vae).then(|| self.noise(batch.trials.len(), step));
        let needs_trials = self.config.legacy_trial_attention && terms.vae && latent.is_none();
        let ask = Ask { terms, latent, noise, penalise_coupling };
        match &batch.on_device {
            Some(counts) => reference_gradients(self.model(), counts.clone(), ask),
            None if needs_trials => reference_gradients(self.model(), device_counts(&batch.fused.counts, &self.device.device), ask),
            None => fused_gradients(self.model(), &batch.fused, ask, true),
        }
    }

    /// A standard normal draw `[M, A, D]` for one step.
    fn noise(&self, trials: usize, step: u64) -> Tensor<3> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(step + 1);
        let shape = [trials, self.config.areas(), self.config.latent_per_area];
        let draw = (0..shape.iter().product()).map(|_| StandardNormal.sample(&mut random)).collect::<Vec<f32>>();
        Tensor::from_data(TensorData::new(draw, shape), &self.device.device)
    }

    /// Mean loss over the trials of some batches at the latent means, with the terms of the current stage.
    ///
    /// # Errors
    /// When the device fails.
    pub(super) fn losses(&self, batches: &[Batch<'_>], terms: Terms) -> Result<LossTerms, DeviceFailed> {
        let penalise_coupling = self.penalises_coupling();
        let (mut sum, mut trials) = (LossTerms::default(), 0.0);
        for batch in batches {
            let latent = if terms.vae { Some(self.latents(batch)?) } else { None };
            let ask = Ask { terms, latent, noise: None, penalise_coupling };
            let (loss, _) = fused_gradients(self.model(), &batch.fused, ask, false)?;
            let m = batch.trials.len() as f64;
            trials += m;
            sum.poisson += m * loss.poisson;
            sum.kl += m * loss.kl;
            sum.group += m * loss.group;
            sum.smooth += m * loss.smooth;
            sum.total += m * loss.total;
        }
        let mean = |x: f64| x / f64::max(trials, 1.0);
        Ok(LossTerms {
            poisson: mean(sum.poisson),
            kl: mean(sum.kl),
            group: mean(sum.group),
            smooth: mean(sum.smooth),
            total: mean(sum.total),
        })
    }

    /// Readout inputs of every area for a batch, with the terms of the current stage.
    ///
    /// # Errors
    /// When the device fails.
    pub(super) fn inputs(&self, batch: &Batch<'_>) -> Result<Vec<AreaInputs>, DeviceFailed> {
        self.inputs_of(&batch.fused.counts, Some(batch), self.terms())
    }

    fn inputs_of(&self, counts: &[ArrayView2<'_, u8>], batch: Option<&Batch<'_>>, terms: Terms) -> Result<Vec<AreaInputs>, DeviceFailed> {
        let latent = match batch.filter(|_| terms.vae) {
            Some(batch) => Some(self.latents(batch)?),
            None => None,
        };
        area_inputs(self.model(), counts, terms, latent)
    }

    /// The batch with a trial, and its place there.
    fn place(&self, trial: usize) -> Option<(&Batch<'a>, usize)> {
        [&self.train, &self.validation, &self.test]
            .into_iter()
            .flatten()
            .find_map(|batch| Some((batch, batch.trials.iter().position(|&t| t == trial)?)))
    }

    /// Counts of one trial `[pad + T, all units]`.
    pub(super) fn counts_of_trial(&self, trial: usize) -> Option<ArrayView2<'_, u8>> {
        let (batch, at) = self.place(trial)?;
        batch.fused.counts.get(at).copied()
    }

    /// Readout inputs of every area for one trial, with the terms of the current stage. `None` when the trial is in no set.
    ///
    /// # Errors
    /// When the device fails.
    pub(super) fn inputs_of_trial(&self, trial: usize) -> Result<Option<Vec<AreaInputs>>, DeviceFailed> {
        let Some((batch, at)) = self.place(trial) else { return Ok(None) };
        let counts = &batch.fused.counts[at..=at];
        let terms = self.terms();
        let latent = match (&batch.latent, terms.vae) {
            (_, false) => None,
            // Attention over trials needs the whole batch; attention over time only the trial.
            (None, true) if self.config.legacy_trial_attention => Some(one_of(self.latents(batch)?, at)),
            (None, true) => Some(fused_latents(self.model(), &FusedBatch::new(&self.config, counts.to_vec()))?),
            (Some(latent), true) => Some(one_of(latent.clone(), at)),
        };
        area_inputs(self.model(), counts, terms, latent).map(Some)
    }

    /// Latents of a batch on the host, `[M, A, D]`.
    ///
    /// # Errors
    /// When the device fails.
    pub(super) fn latent_means(&self, batch: &Batch<'_>) -> Result<Array3<f32>, DeviceFailed> {
        let (mean, _) = self.latents(batch)?;
        let [m, a, d] = mean.dims();
        let values = mean.try_into_data()?.try_into_vec::<f32>().map_err(|e| DeviceFailed(format!("{e:?}")))?;
        Array3::from_shape_vec((m, a, d), values).map_err(|e| DeviceFailed(e.to_string()))
    }

    /// The weights now, on the host.
    ///
    /// # Errors
    /// When the device fails.
    pub(super) fn weights(&self) -> Result<params::Values, DeviceFailed> {
        params::read(&self.net)
    }

    /// Put weights back.
    pub(super) fn restore(&mut self, weights: &params::Values) {
        self.net = params::write(self.net.clone(), weights);
    }

    /// Everything that the next steps depend on.
    ///
    /// # Errors
    /// When the device fails.
    pub(super) fn state(&self) -> Result<TrainerState, DeviceFailed> {
        Ok(TrainerState {
            weights: self.weights()?,
            optimiser: self.adam.state(&self.trained)?,
            steps: 0,
            rate_factor: self.rate_factor,
            schedule: Vec::new(),
        })
    }

    /// Go on in a stage from a state; which pairs are supported has been put back before.
    ///
    /// # Errors
    /// When the device fails or the state is of another network.
    pub(super) fn restore_state(&mut self, stage: Stage, state: &TrainerState) -> Result<(), RestoreError> {
        params::check(&self.net, &state.weights).map_err(RestoreError::Unfit)?;
        self.restore(&state.weights);
        self.enter(stage);
        self.adam.restore(&state.optimiser, &self.trained, &self.device.device);
        self.rate_factor = state.rate_factor;
        Ok(self.keep_latents()?)
    }

    /// Begin the optimiser anew at half the learning rate.
    pub(super) fn soften(&mut self) {
        self.rate_factor *= 0.5;
        self.enter(self.stage);
    }

    pub(super) fn rate(&self) -> f64 {
        self.recipe.rate * self.rate_factor
    }

    /// Ours, before stage 3: score every ordered pair against its nulls; supported pairs start from their score, the
    /// others have no coupling and stay without. `tell` hears the fraction done and may stop the scoring.
    ///
    /// # Errors
    /// When the device fails.
    pub(super) fn score_edges(&mut self, tell: &mut dyn FnMut(f32) -> bool) -> Result<bool, DeviceFailed> {
        let (count, peak, stretch) = self.config.coupling_basis;
        let basis = raised_cosine(count, peak, stretch);
        let scoring = EdgeScoring {
            // The jitter window must be at least as long as the coupling filter.
            window_bins: basis.nrows().max(25),
            jitters: self.recipe.edge_jitters,
            quantile: self.recipe.edge_quantile,
            seed: self.seed,
            self_pairs: self.config.self_coupling,
            second_factor: false,
            ..EdgeScoring::default()
        };
        let mut scorer = EdgeScorer::new(&basis, &self.config.neurons, scoring);
        let passes = 2 * self.train.len();
        for pass in 0..passes {
            let batch = &self.train[pass % self.train.len()];
            let (counts, rates) = (stacked(&batch.fused.counts), self.background_rates(batch)?);
            let added = match pass < self.train.len() {
                true => scorer.observe(counts.view(), rates.view()),
                false => scorer.accumulate(counts.view(), rates.view()),
            };
            added.map_err(|e| DeviceFailed(e.to_string()))?;
            if !tell((pass + 1) as f32 / passes as f32) {
                return Ok(false);
            }
        }
        let scores = scorer.finish();
        self.start_from(&scores);
        Ok(true)
    }

    /// Rates per bin `[M, T, N]` of the model without coupling.
    fn background_rates(&self, batch: &Batch<'_>) -> Result<Array3<f32>, DeviceFailed> {
        let terms = Terms { vae: true, coupling: false, history: false };
        let inputs = self.inputs_of(&batch.fused.counts, Some(batch), terms)?;
        let parts: Vec<Array3<f32>> = inputs.iter().map(|area| area.rates(0..0)).collect();
        let views: Vec<_> = parts.iter().map(|p| p.view()).collect();
        ndarray::concatenate(Axis(2), &views).map_err(|e| DeviceFailed(e.to_string()))
    }

    fn start_from(&mut self, scores: &[EdgeScore]) {
        let mut values = params::Values::new();
        for score in scores {
            let pair = self.config.pair(score.source, score.target);
            let supported = score.is_supported();
            self.support[pair] = Support::Scored { score: score.score as f32, null: score.threshold as f32, supported };
            self.candidates[pair] = (!supported).then(|| score.filter.iter().copied().collect());
            let start = if supported { Some((&score.send, &score.receive, &score.filter)) } else { None };
            let rank = self.config.rank;
            let column = |values: Option<&Vec<f32>>, rows: usize, others: f32| {
                let cell = |at: usize| match values {
                    Some(v) if at.is_multiple_of(rank) => v.get(at / rank).copied().unwrap_or(0.0),
                    // Further factors start small and alike: the first one carries the score.
                    Some(_) => others,
                    None => 0.0,
                };
                TensorData::new((0..rows * rank).map(cell).collect::<Vec<f32>>(), [rows, rank])
            };
            let small = |rows: usize| 0.1 / (rows as f32).sqrt();
            let (sources, targets) = (self.config.neurons[score.source], self.config.neurons[score.target]);
            values.insert(format!("coupling.{pair}.send"), column(start.map(|s| s.0), sources, small(sources)));
            values.insert(format!("coupling.{pair}.recv"), column(start.map(|s| s.1), targets, small(targets)));
            values.insert(format!("coupling.{pair}.filter_coef"), column(start.map(|s| s.2), self.config.coupling_basis.0, 0.01));
        }
        self.restore(&values);
        self.enter(self.stage);
    }
}

impl<'a> Batch<'a> {
    fn new(config: &GlmConfig, data: &'a Prepared, trials: &[usize], device: Option<&Device>) -> Self {
        let counts: Vec<ArrayView2<'a, u8>> = trials.iter().map(|&t| data.binned.counts.index_axis(Axis(0), t)).collect();
        let on_device = device.map(|device| device_counts(&counts, device));
        Self { trials: trials.to_vec(), fused: FusedBatch::new(config, counts), on_device, latent: None }
    }
}

fn one_of((mean, log_variance): (Tensor<3>, Tensor<3>), at: usize) -> (Tensor<3>, Tensor<3>) {
    (mean.narrow(0, at, 1), log_variance.narrow(0, at, 1))
}

fn device_counts(counts: &[ArrayView2<'_, u8>], device: &Device) -> Tensor<3> {
    let (length, units) = counts.first().map_or((0, 0), |c| c.dim());
    let values: Vec<f32> = counts.iter().flat_map(|c| c.iter().map(|&y| f32::from(y))).collect();
    Tensor::from_data(TensorData::new(values, [counts.len(), length, units]), device)
}

fn stacked(counts: &[ArrayView2<'_, u8>]) -> Array3<u8> {
    let (length, units) = counts.first().map_or((0, 0), |c| c.dim());
    let mut out = Array3::zeros((counts.len(), length, units));
    for (mut to, from) in out.outer_iter_mut().zip(counts) {
        to.assign(from);
    }
    out
}

/// A parameter as a matrix; empty when it is not there.
pub(super) fn matrix(values: &params::Values, name: &str) -> Array2<f32> {
    let Some(data) = values.get(name) else { return Array2::zeros((0, 0)) };
    let shape: Vec<usize> = data.shape().iter().copied().collect();
    let (rows, columns) = match shape[..] {
        [rows, columns] => (rows, columns),
        _ => return Array2::zeros((0, 0)),
    };
    data.try_to_vec::<f32>()
        .ok()
        .and_then(|v| Array2::from_shape_vec((rows, columns), v).ok())
        .unwrap_or_else(|| Array2::zeros((rows, columns)))
}
