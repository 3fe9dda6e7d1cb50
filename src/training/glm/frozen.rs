//! A trained GLM-Transformer with everything but its coupling turned into numbers: what the tests of its edges stand on.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{Array2, Array3, Axis};

use super::{GlmTrainer, matrix};
use crate::analysis::bases::raised_cosine;
use crate::analysis::coupling_stage::{FrozenModel, Term};
use crate::models::glm_transformer::{Stage, Terms};
use crate::models::params;
use crate::recording::Recording;
use crate::runs::NamedArray;
use crate::training::device::open;
use crate::training::kept;
use crate::training::{DeviceChoice, GlmRecipe, ModelRecipe, Prepared, RateModelError, Recipe};

/// Spline spacing below this share of the coupling filter's length lets own dynamics take up coupling (spec §5.1: 10 ms against 54 ms
/// failed, 25 ms against 38 ms worked).
const CLOSE_SPLINES: f64 = 0.5;
/// A smoothness penalty below this is as good as none.
const LITTLE_SMOOTHNESS: f64 = 1.0;
/// A coupling with a filter smaller than this (change of log-rate, weights of unit length) is none: the penalty of the coupling stage let
/// it go. In the network of four areas (seed 1) those that it let go ended between 2e-6 and 6e-5, all others above 0.1.
const NO_COUPLING: f64 = 1e-3;

/// Freeze what a run keeps. `recording` is the one that was opened (the recipe holds the rule for areas); `stage` is the last stage the
/// run reached, from 1. `tell` hears the fraction done and may stop it: then the answer is `None`.
///
/// # Errors
/// [`RateModelError`] says what does not fit.
pub fn frozen_model(
    recipe: &Recipe,
    recording: &Arc<Recording>,
    weights: &[NamedArray],
    stage: usize,
    tell: &mut dyn FnMut(f32) -> bool,
) -> Result<Option<FrozenModel>, RateModelError> {
    let ModelRecipe::GlmTransformer(own) = &recipe.model else {
        let title = recipe.model.preset().title;
        return Err(RateModelError::Nothing(format!(
            "the run is one of {title}, which has no coupling between areas; take a run of GLM-Transformer"
        )));
    };
    let Some(stage) = Stage::ALL.iter().copied().rfind(|s| s.number() <= stage) else {
        return Err(RateModelError::Nothing("the run ended before its first stage; train it further".to_owned()));
    };
    let data = Prepared::new(recording, &recipe.data)?;
    super::check_window(own, data.binned.bins)?;
    let mut trainer = GlmTrainer::new(own, recipe.seed, &data, open(DeviceChoice::Cpu)?);
    let values = kept::values(&params::read(&trainer.net)?, weights).map_err(RateModelError::Weights)?;
    trainer.restore(&values);
    trainer.begin(stage)?;
    let there = trainer.terms();
    let terms = Terms { vae: there.vae, coupling: false, history: false };
    let (trials, bins, units) = (data.binned.n_trials(), data.binned.bins, data.binned.n_units());
    let mut log_rates = Array3::<f32>::zeros((trials, bins, units));
    let all = trainer.train.len() + trainer.validation.len() + trainer.test.len();
    let sets = [&trainer.train, &trainer.validation, &trainer.test];
    for (done, batch) in sets.into_iter().flatten().enumerate() {
        let parts = trainer.inputs_of(&batch.fused.counts, Some(batch), terms)?;
        for (area, inputs) in parts.iter().enumerate() {
            let rates = inputs.rates(0..0);
            let columns = trainer.config.columns(area);
            for (place, &trial) in batch.trials.iter().enumerate() {
                // Before the VAE is on, the rates are the same in every trial and given once.
                let of_trial = rates.index_axis(Axis(0), place.min(rates.len_of(Axis(0)).saturating_sub(1)));
                let mut to = log_rates.index_axis_mut(Axis(0), trial);
                to.slice_axis_mut(Axis(1), columns.clone().into()).assign(&of_trial.mapv(f32::ln));
            }
        }
        if !tell((done + 1) as f32 / all.max(1) as f32) {
            return Ok(None);
        }
    }
    let (count, peak, stretch) = trainer.config.history_basis;
    let post_spike = match there.history {
        true => raised_cosine(count, peak, stretch).mapv(|x| x as f32).dot(&matrix(&values, "history_coef")),
        false => Array2::zeros((0, 0)),
    };
    let (count, peak, stretch) = trainer.config.coupling_basis;
    let basis = raised_cosine(count, peak, stretch);
    Ok(Some(FrozenModel {
        areas: data.binned.areas.clone(),
        area_sizes: data.binned.area_sizes.clone(),
        bin_s: data.binned.bin_s,
        own: log_rates,
        post_spike,
        couplings: if there.coupling { couplings(&trainer, &values, &basis) } else { Vec::new() },
        splines: own.splines,
        conditions: numbered(&data.trials.conditions),
        train: data.split.train.clone(),
        test: data.split.test.clone(),
        notes: notes(own, basis.nrows(), bins, data.binned.bin_s),
        basis,
        counts: data.binned.counts.clone(),
    }))
}

/// Couplings that are not zero.
fn couplings(trainer: &GlmTrainer<'_>, values: &params::Values, basis: &Array2<f64>) -> Vec<(usize, Term)> {
    let config = &trainer.config;
    let mut found = Vec::new();
    for (source, target) in config.active_pairs() {
        let index = config.pair(source, target);
        let part = |name: &str| matrix(values, &format!("coupling.{index}.{name}")).mapv(f64::from);
        let (send, receive, coef) = (part("send"), part("recv"), part("filter_coef"));
        for factor in 0..coef.ncols() {
            let column = |values: &Array2<f64>| values.column(factor).to_vec();
            let term = Term { source, send: column(&send), coef: column(&coef), receive: column(&receive) };
            let size = term.normalised(None).filter(basis).iter().map(|h| h * h).sum::<f64>().sqrt();
            if size > NO_COUPLING {
                found.push((target, term));
            }
        }
    }
    found
}

/// Labels as numbers.
fn numbered(labels: &[String]) -> Vec<usize> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    labels
        .iter()
        .map(|label| {
            let next = known.len();
            *known.entry(label.as_str()).or_insert(next)
        })
        .collect()
}

/// What in the recipe makes the split between own dynamics and coupling doubtful.
fn notes(recipe: &GlmRecipe, lags: usize, bins: usize, bin_s: f64) -> Vec<String> {
    let mut notes = Vec::new();
    let spacing = bins as f64 / recipe.splines.max(1) as f64;
    if spacing < CLOSE_SPLINES * lags as f64 {
        notes.push(format!(
            "Splines every {:.0} ms are close to the coupling filter of {:.0} ms: own dynamics can take up coupling, and edges may be missed. Use fewer splines",
            spacing * bin_s * 1e3,
            lags as f64 * bin_s * 1e3
        ));
    }
    if recipe.penalty_smooth < LITTLE_SMOOTHNESS {
        notes.push(
            "The smoothness penalty is off: own dynamics may be fast enough to take up coupling. A penalty of 100 to 1000 was published"
                .to_owned(),
        );
    }
    if recipe.legacy_trial_attention {
        notes.push("Attention runs over the trials of a batch: own dynamics of a trial depend on the trials beside it".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_numbered_and_doubtful_recipes_are_told() {
        let labels = ["b", "a", "b"].map(String::from);
        assert_eq!(numbered(&labels), [0, 1, 0]);
        let good = GlmRecipe::default();
        assert!(notes(&good, 27, 250, 0.002).is_empty());
        let close = GlmRecipe { splines: 50, penalty_smooth: 0.0, legacy_trial_attention: true, ..good };
        let told = notes(&close, 27, 250, 0.002);
        assert!(told.len() == 3 && told[0].contains("every 10 ms") && told[0].contains("54 ms"), "{told:?}");
    }
}

#[cfg(test)]
mod likelihood {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::analysis::coupling_stage::{Fit, SourceSpikes, TargetData};
    use crate::simulate;

    /// The frozen parts with the run's coupling give the network's own test loss, and the coupling stage the network's own gradient.
    #[test]
    fn the_frozen_model_is_the_network() {
        let recording =
            Arc::new(simulate::by_name("glm", &[("areas", "5x4"), ("trials", "30"), ("units_per_edge", "3"), ("seed", "6")]).unwrap());
        let own = GlmRecipe { width: 8, hidden: 8, layers: 1, batch: 64, penalty_coupling: 0.0, ..GlmRecipe::default() };
        let recipe = Recipe { model: ModelRecipe::GlmTransformer(own.clone()), seed: 3, ..Recipe::default() };
        let data = Prepared::new(&recording, &recipe.data).unwrap();
        let mut trainer = GlmTrainer::new(&own, recipe.seed, &data, open(DeviceChoice::Cpu).unwrap());
        trainer.begin(Stage::Coupling).unwrap();
        let weights: Vec<NamedArray> = trainer
            .weights()
            .unwrap()
            .iter()
            .map(|(name, data)| NamedArray {
                name: name.clone(),
                shape: data.shape().iter().copied().collect(),
                values: data.try_to_vec::<f32>().unwrap(),
            })
            .collect();
        for stage in [Stage::Coupling, Stage::PostSpike] {
            trainer.begin(stage).unwrap();
            let model = frozen_model(&recipe, &recording, &weights, stage.number(), &mut |_| true).unwrap().unwrap();
            assert_eq!((model.couplings.len(), model.post_spike.nrows() > 0, model.test.len()), (4, stage == Stage::PostSpike, 6));
            let wanted = trainer.losses(&trainer.test, stage.terms()).unwrap().poisson;
            let mut sum = 0.0;
            for area in 0..2 {
                let test = TargetData::new(&model, area, &model.test);
                let terms = model.terms(area);
                let spikes: Vec<SourceSpikes> = terms.iter().map(|t| SourceSpikes::of(&model, t.source, &model.test)).collect();
                let fit = Fit { mean: test.no_mean(), terms, loss: 0.0, converged: true };
                sum -= test.log_likelihoods(&fit, &spikes.iter().collect::<Vec<_>>()).iter().sum::<f64>();
            }
            let found = sum / (model.test.len() * model.bins() * 9) as f64;
            assert!((found - wanted).abs() < 2e-5, "{stage:?}: {found} instead of {wanted}");
        }
        // The gradient of one training batch along the sending weights of A → B.
        let model = frozen_model(&recipe, &recording, &weights, 4, &mut |_| true).unwrap().unwrap();
        let (_, gradients) = trainer.gradients(trainer.train.first().unwrap(), 0).unwrap();
        let index = trainer.config.pair(0, 1);
        let wanted = |id| gradients.get(id).unwrap().clone().try_into_data().unwrap().try_to_vec::<f32>().unwrap();
        let coupling = &trainer.net.coupling[index];
        let (send, coef, receive) = (wanted(coupling.send.id), wanted(coupling.filter_coef.id), wanted(coupling.recv.id));
        let train = TargetData::new(&model, 1, &trainer.train.first().unwrap().trials);
        let terms = model.terms(1);
        let spikes: Vec<SourceSpikes> =
            terms.iter().map(|t| SourceSpikes::of(&model, t.source, &trainer.train.first().unwrap().trials)).collect();
        let slope = train.gradient(&terms, &spikes.iter().collect::<Vec<_>>());
        let scale = (train.trials() * model.bins() * 9) as f64;
        let at = terms.iter().take_while(|t| t.source != 0).map(|t| t.send.len() + t.coef.len() + t.receive.len()).sum::<usize>();
        let wanted: Vec<f64> = send.iter().chain(&coef).chain(&receive).map(|g| f64::from(*g)).collect();
        let found: Vec<f64> = slope.iter().skip(at).take(wanted.len()).map(|g| g / scale).collect();
        let size = wanted.iter().map(|g| g * g).sum::<f64>().sqrt();
        let apart = found.iter().zip(&wanted).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        assert!(size > 0.0 && apart < 2e-3 * size, "{found:?} instead of {wanted:?}");
    }
}
