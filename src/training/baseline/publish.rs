//! What views draw of an older method: every pair of areas in the form of the GLM-Transformer's, a filter with sending and receiving
//! weights, which is the best rank-1 form of the coupling between units.

use ndarray::Array3;
use serde_json::{Value, json};

use super::{BaselineLearner, Fitted};
use crate::analysis::baselines::{RankOneCoupling, rank_one};
use crate::analysis::psth;
use crate::training::learner::Moment;
use crate::training::{GlmSnapshot, ModelSnapshot, PairSnapshot, Snapshot, Support, TrialSnapshot};

/// Every pair as it is shown.
pub(super) fn pairs(learner: &BaselineLearner<'_>) -> Vec<PairSnapshot> {
    (0..learner.pairs.len()).map(|at| pair(learner, at)).collect()
}

fn pair(learner: &BaselineLearner<'_>, at: usize) -> PairSnapshot {
    let (source, target) = learner.pairs[at];
    let (coupling, support) = coupling(learner, at).unwrap_or_else(|| {
        let sizes = &learner.data.binned.area_sizes;
        let nothing = RankOneCoupling { send: vec![0.0; sizes[source]], receive: vec![0.0; sizes[target]], filter: vec![0.0], share: 0.0 };
        (nothing, Support::NotScored)
    });
    let single = |values: &[f64]| values.iter().map(|&x| x as f32).collect::<Vec<f32>>();
    let effect = learner.effects.get(at).copied().unwrap_or_default();
    PairSnapshot {
        source,
        target,
        support,
        filter: vec![single(&coupling.filter)],
        candidate: Vec::new(),
        send: vec![single(&coupling.send)],
        receive: vec![single(&coupling.receive)],
        contribution_percent: effect.percent as f32,
        mean_output: effect.mean_output as f32,
    }
}

/// Coupling of a pair as a change of log-rate, and what its method says about it.
fn coupling(learner: &BaselineLearner<'_>, at: usize) -> Option<(RankOneCoupling, Support)> {
    let (source, target) = learner.pairs[at];
    let counts = learner.counts();
    match &learner.fitted {
        Fitted::Glm(fits) => {
            let fit = fits.get(target)?;
            let mut found = rank_one(fit.coupling(&counts, source));
            found.filter = fit.design().basis().dot(&ndarray::Array1::from(found.filter)).to_vec();
            Some((found, Support::NotScored))
        }
        Fitted::Ranks(fits) => {
            let fit = fits.get(at)?;
            // Counts per count over the receiver's mean count: about the change of its log-rate. There is one lag: none.
            let rates = mean_rates(learner, target, learner.recipe.wide_bins as f64);
            let (n, m) = fit.weights().dim();
            let found = rank_one(Array3::from_shape_fn((n, 1, m), |(from, _, to)| fit.weights()[[from, to]] / rates[to]));
            Some((found, Support::Scored { score: fit.rank as f32, null: 0.5, supported: fit.rank > 0 }))
        }
        Fitted::Correlograms(fits) => {
            let fit = fits.get(at)?;
            let rates = mean_rates(learner, target, 1.0);
            let excess = fit.excess();
            let found = rank_one(Array3::from_shape_fn(excess.dim(), |(from, lag, to)| excess[[from, lag, to]] / rates[to]));
            let highest = fit.height.iter().fold(0.0f64, |a, &b| a.max(b));
            Some((found, Support::Scored { score: highest as f32, null: learner.recipe.threshold as f32, supported: fit.share() > 0.0 }))
        }
    }
}

/// Mean count of the units of an area in `bins` bins of the fitted trials; at least one spike in all.
fn mean_rates(learner: &BaselineLearner<'_>, area: usize, bins: f64) -> Vec<f64> {
    let counts = learner.counts();
    let spikes = psth::summed(counts.counts, counts.pad, &learner.trials);
    let cells = (learner.trials.len() * counts.bins()).max(1) as f64;
    counts.columns(area).map(|unit| bins * spikes.column(unit).iter().map(|&s| f64::from(s)).sum::<f64>().max(1.0) / cells).collect()
}

/// What only one method says about a pair.
pub(super) fn more(learner: &BaselineLearner<'_>, at: usize, edge: &mut Value) {
    match &learner.fitted {
        Fitted::Glm(_) => {}
        Fitted::Ranks(fits) => {
            if let Some(fit) = fits.get(at) {
                let counts = learner.counts();
                edge["rank"] = json!(fit.rank);
                edge["explained"] = json!(fit.explained(&counts, &learner.data.split.test));
                edge["explained_fitted"] = json!(fit.explained(&counts, &learner.trials));
            }
        }
        Fitted::Correlograms(fits) => {
            if let Some(fit) = fits.get(at) {
                edge["connected_share"] = json!(fit.share());
                edge["connected_pairs"] = json!(fit.connected.iter().filter(|c| **c).count());
            }
        }
    }
}

pub(super) fn snapshot(learner: &BaselineLearner<'_>, moment: &Moment<'_>) -> Snapshot {
    let data = learner.data;
    Snapshot {
        version: moment.version,
        // Filters are there from the first step on, as they are of the GLM-Transformer from stage 3 on.
        stage: 3,
        step: moment.step,
        bin_s: data.binned.bin_s,
        areas: data.binned.areas.clone(),
        area_sizes: data.binned.area_sizes.clone(),
        units: data.binned.units.clone(),
        trials: moment.trials.iter().map(|&trial| TrialSnapshot { trial, log_rate: log_rates(learner, trial) }).collect(),
        model: ModelSnapshot::Glm(GlmSnapshot {
            pairs: pairs(learner),
            trials: vec![Default::default(); moment.trials.len()],
            ..GlmSnapshot::default()
        }),
    }
}

/// Log-rate per bin `[bins][units]` of one trial; empty where a method has no rates of all areas at once.
fn log_rates(learner: &BaselineLearner<'_>, trial: usize) -> Vec<Vec<f32>> {
    let Fitted::Glm(fits) = &learner.fitted else { return Vec::new() };
    let counts = learner.counts();
    let parts: Vec<_> = fits.iter().map(|fit| crate::analysis::baselines::Rates::rates(fit, &counts, trial, usize::MAX).0).collect();
    (0..counts.bins())
        .map(|bin| parts.iter().flat_map(|p| p.row(bin).iter().map(|rate| rate.ln() as f32).collect::<Vec<_>>()).collect())
        .collect()
}
