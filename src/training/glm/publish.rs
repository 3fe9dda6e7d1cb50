//! A [`Snapshot`] of a model in training.

use ndarray::{Array2, Array3, ArrayView2, Axis, concatenate};

use super::{Batch, GlmTrainer, matrix};
use crate::analysis::bases::raised_cosine;
use crate::analysis::compare::{EstimatedEdge, truth_scores};
use crate::analysis::contribution::Contribution;
use crate::analysis::nlb::unit_bits_per_spike;
use crate::models::DeviceFailed;
use crate::models::glm_transformer::{AreaInputs, GlmConfig, normalised};
use crate::models::params::Values;
use crate::training::data::Prepared;
use crate::training::learner::Moment;
use crate::training::{GlmSnapshot, GlmTrial, ModelSnapshot, PairSnapshot, Snapshot, TrialSnapshot, TruthScore};

/// Numbers per ordered pair that need a pass over data.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct PairEffect {
    pub(super) contribution_percent: f32,
    pub(super) mean_output: f32,
}

/// Receivers over which the mean output is taken.
const BEST_RECEIVERS: usize = 10;

/// Contribution and mean output of every active pair (target-major) on some batches, without post-spike term.
///
/// # Errors
/// When the device fails.
pub(super) fn pair_effects(trainer: &GlmTrainer<'_>, batches: &[Batch<'_>]) -> Result<Vec<PairEffect>, DeviceFailed> {
    let config = &trainer.config;
    let pairs = config.active_pairs();
    if !trainer.terms().coupling {
        return Ok(vec![PairEffect::default(); pairs.len()]);
    }
    let mut contributions: Vec<Contribution> = pairs.iter().map(|&(_, target)| Contribution::new(config.neurons[target])).collect();
    let (mut outputs, mut trials) = (vec![0.0; pairs.len()], 0.0);
    for batch in batches {
        let inputs = trainer.inputs(batch)?;
        trials += batch.trials.len() as f64;
        let mut at = 0;
        for (target, area) in inputs.iter().enumerate() {
            let with = area.rates(0..0);
            for which in 0..config.sources(target).len() {
                let rows = area.rows_of(config, which);
                outputs[at] += mean_output(area, rows.clone()) * batch.trials.len() as f64;
                contributions[at].add(with.view(), area.rates(rows).view());
                at += 1;
            }
        }
    }
    let effect = |(contribution, output): (&Contribution, f64)| PairEffect {
        contribution_percent: contribution.percent() as f32,
        mean_output: (output / f64::max(trials, 1.0)) as f32,
    };
    Ok(contributions.iter().zip(outputs).map(effect).collect())
}

/// Bits per spike of every unit beyond its mean rate, on some batches; `None` without a spike there.
///
/// # Errors
/// When the device fails.
pub(super) fn unit_bits(trainer: &GlmTrainer<'_>, batches: &[Batch<'_>]) -> Result<Vec<Option<f32>>, DeviceFailed> {
    let config = &trainer.config;
    let mut rates = vec![Vec::new(); config.areas()];
    let mut counts = vec![Vec::new(); config.areas()];
    for batch in batches {
        for (area, inputs) in trainer.inputs(batch)?.iter().enumerate() {
            let columns = config.columns(area);
            let own = inputs.rates_given(&batch.fused.counts, columns.clone());
            let seen = |(trial, bin, unit): (usize, usize, usize)| batch.fused.counts[trial][[config.pad + bin, columns.start + unit]];
            counts[area].push(Array3::from_shape_fn(own.raw_dim(), seen));
            rates[area].push(own);
        }
    }
    let mut bits = Vec::with_capacity(config.units());
    for (area, (rates, counts)) in rates.iter().zip(&counts).enumerate() {
        bits.extend(bits_of(rates, counts).unwrap_or_else(|| vec![None; config.columns(area).len()]));
    }
    Ok(bits)
}

fn bits_of(rates: &[Array3<f32>], counts: &[Array3<u8>]) -> Option<Vec<Option<f32>>> {
    let rates = concatenate(Axis(0), &rates.iter().map(|part| part.view()).collect::<Vec<_>>()).ok()?;
    let counts = concatenate(Axis(0), &counts.iter().map(|part| part.view()).collect::<Vec<_>>()).ok()?;
    let bits = unit_bits_per_spike(rates.view(), counts.view()).ok()?;
    Some(bits.into_iter().map(|bits| bits.map(|b| b as f32)).collect())
}

/// Mean over trials and bins of what the feature rows add to the log-rate of the units that they add most to.
fn mean_output(area: &AreaInputs, rows: std::ops::Range<usize>) -> f64 {
    let mut per_unit = vec![0.0f64; area.weights.ncols()];
    for row in rows {
        let mean = f64::from(area.features.index_axis(Axis(1), row).mean().unwrap_or(0.0));
        per_unit.iter_mut().zip(area.weights.row(row)).for_each(|(sum, w)| *sum += mean * f64::from(*w));
    }
    per_unit.sort_by(|a, b| b.abs().total_cmp(&a.abs()));
    let best = &per_unit[..per_unit.len().min(BEST_RECEIVERS)];
    best.iter().sum::<f64>() / best.len().max(1) as f64
}

/// Coupling of every active pair in the form it is shown, target-major.
pub(super) fn pairs(trainer: &GlmTrainer<'_>, weights: &Values, effects: &[PairEffect]) -> Vec<PairSnapshot> {
    let config = &trainer.config;
    let (count, peak, stretch) = config.coupling_basis;
    let basis = raised_cosine(count, peak, stretch).mapv(|x| x as f32);
    let shown = trainer.terms().coupling;
    let pair = |(at, (source, target)): (usize, (usize, usize))| {
        let index = config.pair(source, target);
        let part = |name: &str| {
            let values = matrix(weights, &format!("coupling.{index}.{name}"));
            if shown { values } else { Array2::zeros(values.raw_dim()) }
        };
        let factors = normalised(&part("send"), &part("recv"), &part("filter_coef"));
        let effect = effects.get(at).copied().unwrap_or_default();
        PairSnapshot {
            source,
            target,
            support: trainer.support[index],
            filter: factors.iter().map(|f| basis.dot(&f.coef).to_vec()).collect(),
            send: factors.iter().map(|f| f.send.to_vec()).collect(),
            receive: factors.iter().map(|f| f.receive.to_vec()).collect(),
            candidate: trainer.candidates[index].as_ref().map(|coef| basis.dot(coef).to_vec()).unwrap_or_default(),
            contribution_percent: effect.contribution_percent,
            mean_output: effect.mean_output,
        }
    };
    config.active_pairs().into_iter().enumerate().map(pair).collect()
}

/// How well each true edge is found.
pub(super) fn scores(pairs: &[PairSnapshot], data: &Prepared) -> Vec<TruthScore> {
    fn first(values: &[Vec<f32>]) -> &[f32] {
        values.first().map_or(&[], Vec::as_slice)
    }
    let estimates: Vec<EstimatedEdge<'_>> = pairs
        .iter()
        .map(|p| EstimatedEdge {
            source: p.source,
            target: p.target,
            send: first(&p.send),
            receive: first(&p.receive),
            filter: first(&p.filter),
        })
        .collect();
    data.edges
        .iter()
        .zip(truth_scores(&estimates, &data.edges))
        .map(|(edge, score)| TruthScore {
            source: edge.source,
            target: edge.target,
            cos_send: score.cos_send as f32,
            cos_receive: score.cos_receive as f32,
            filter_corr: score.filter_corr as f32,
        })
        .collect()
}

/// Everything that goes into one snapshot besides the model.
pub(super) struct Occasion<'a> {
    pub(super) moment: &'a Moment<'a>,
    pub(super) effects: &'a [PairEffect],
    pub(super) unit_bits: &'a [Option<f32>],
    pub(super) truth: &'a [(u64, TruthScore)],
    /// Latents to show; see [`latents`].
    pub(super) latents: &'a Latents,
}

/// A snapshot now.
///
/// # Errors
/// When the device fails.
pub(super) fn snapshot(trainer: &GlmTrainer<'_>, data: &Prepared, occasion: &Occasion<'_>) -> Result<Snapshot, DeviceFailed> {
    let (config, stage) = (&trainer.config, trainer.stage());
    let weights = trainer.weights()?;
    let (mut trials, mut details) = (Vec::new(), Vec::new());
    for &trial in occasion.moment.trials {
        if let Some((shown, detail)) = trial_detail(trainer, trial)? {
            trials.push(shown);
            details.push(detail);
        }
    }
    Ok(Snapshot {
        version: occasion.moment.version,
        stage: stage.number(),
        step: occasion.moment.step,
        bin_s: data.binned.bin_s,
        areas: data.binned.areas.clone(),
        area_sizes: config.neurons.clone(),
        units: data.binned.units.clone(),
        trials,
        model: ModelSnapshot::Glm(GlmSnapshot {
            pairs: pairs(trainer, &weights, occasion.effects),
            unit_bits: occasion.unit_bits.to_vec(),
            post_spike: if trainer.terms().history { post_spike(config, &weights) } else { Vec::new() },
            loadings: (0..config.areas()).map(|area| rows(&matrix(&weights, &format!("readout.{area}.weight")))).collect(),
            latent_trials: occasion.latents.0.clone(),
            latents: occasion.latents.1.clone(),
            trials: details,
            truth: occasion.truth.to_vec(),
        }),
    })
}

fn rows(matrix: &Array2<f32>) -> Vec<Vec<f32>> {
    matrix.rows().into_iter().map(|row| row.to_vec()).collect()
}

fn post_spike(config: &GlmConfig, weights: &Values) -> Vec<Vec<f32>> {
    let (count, peak, stretch) = config.history_basis;
    let filters = raised_cosine(count, peak, stretch).mapv(|x| x as f32).dot(&matrix(weights, "history_coef"));
    filters.columns().into_iter().map(|c| c.to_vec()).collect()
}

/// Trials, and their latent means `[area][trials][dimensions]`.
pub(super) type Latents = (Vec<usize>, Vec<Vec<Vec<f32>>>);

/// Latents of some batches; empty before the VAE is on.
///
/// # Errors
/// When the device fails.
pub(super) fn latents(trainer: &GlmTrainer<'_>, batches: &[Batch<'_>]) -> Result<Latents, DeviceFailed> {
    if !trainer.terms().vae {
        return Ok(Latents::default());
    }
    let mut trials = Vec::new();
    let mut latents = vec![Vec::new(); trainer.config.areas()];
    for batch in batches {
        let means: Array3<f32> = trainer.latent_means(batch)?;
        trials.extend(&batch.trials);
        for trial in means.outer_iter() {
            for (area, own) in latents.iter_mut().zip(trial.outer_iter()) {
                area.push(own.to_vec());
            }
        }
    }
    Ok((trials, latents))
}

fn trial_detail(trainer: &GlmTrainer<'_>, trial: usize) -> Result<Option<(TrialSnapshot, GlmTrial)>, DeviceFailed> {
    let config = &trainer.config;
    let Some(inputs) = trainer.inputs_of_trial(trial)? else { return Ok(None) };
    let rows = |area: &AreaInputs, rows: std::ops::Range<usize>| -> Vec<Vec<f32>> {
        let own = area.features.index_axis(Axis(0), 0);
        rows.filter(|&row| row < own.nrows()).map(|row| own.row(row).to_vec()).collect()
    };
    let mut coupling = Vec::new();
    if trainer.terms().coupling {
        for (target, area) in inputs.iter().enumerate() {
            coupling.extend((0..config.sources(target).len()).map(|which| rows(area, area.rows_of(config, which))));
        }
    }
    let factors = inputs.iter().map(|area| rows(area, 0..config.factors)).collect();
    let post_spike = trainer.counts_of_trial(trial).map_or_else(Vec::new, |counts| post_spike_terms(config, &inputs, counts));
    Ok(Some((TrialSnapshot { trial, log_rate: log_rates(&inputs, config.bins) }, GlmTrial { coupling, factors, post_spike })))
}

/// What past spikes add to the log-rates `[bins][units]` of one trial; empty before that is trained.
fn post_spike_terms(config: &GlmConfig, inputs: &[AreaInputs], counts: ArrayView2<'_, u8>) -> Vec<Vec<f32>> {
    let term = |(area, own): (usize, &AreaInputs)| own.post_spike_term(counts, config.columns(area), config.bins);
    let Some(parts) = inputs.iter().enumerate().map(term).collect::<Option<Vec<_>>>() else { return Vec::new() };
    (0..config.bins).map(|t| parts.iter().flat_map(|part| part.row(t).to_vec()).collect()).collect()
}

/// Log-rate per bin `[bins][units]` of one trial, without post-spike term.
fn log_rates(inputs: &[AreaInputs], bins: usize) -> Vec<Vec<f32>> {
    let parts: Vec<Array3<f32>> = inputs.iter().map(|area| area.rates(0..0)).collect();
    (0..bins).map(|t| parts.iter().flat_map(|p| p.index_axis(Axis(0), 0).row(t).mapv(f32::ln)).collect()).collect()
}
