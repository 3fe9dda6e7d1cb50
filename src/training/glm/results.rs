//! What a finished GLM-Transformer reports: test losses, edges, and how well true edges were found.

use serde_json::{Map, Value, json};

use super::GlmTrainer;
use super::publish::{PairEffect, pairs, scores};
use crate::models::DeviceFailed;
use crate::models::glm_transformer::Terms;
use crate::training::data::Prepared;
use crate::training::{PairSnapshot, Support, TruthScore};

/// What `train --json` says about the model; `effects` are those on test trials, `fitted` those on training trials.
///
/// # Errors
/// When the device fails.
pub(super) fn results(
    trainer: &GlmTrainer<'_>,
    data: &Prepared,
    effects: &[PairEffect],
    fitted: &[PairEffect],
) -> Result<Map<String, Value>, DeviceFailed> {
    let terms = trainer.terms();
    let test_loss = trainer.losses(&trainer.test, terms)?.poisson;
    // Reported beside it: the published evaluation drops the post-spike term (spec §4.4).
    let without = match terms.history {
        true => trainer.losses(&trainer.test, Terms { history: false, ..terms })?.poisson,
        false => test_loss,
    };
    let shown = pairs(trainer, &trainer.weights()?, effects);
    let area = |at: usize| data.binned.areas.get(at).cloned().unwrap_or_default();
    let bin_ms = data.binned.bin_s * 1e3;
    let mut edges: Vec<Value> = shown.iter().map(|pair| edge(pair, &area(pair.source), &area(pair.target), bin_ms)).collect();
    for (edge, fitted) in edges.iter_mut().zip(fitted) {
        edge["contribution_fitted_percent"] = json!(fitted.contribution_percent);
    }
    let mut results = Map::new();
    results.insert("test_loss".to_owned(), json!(test_loss));
    results.insert("test_loss_without_post_spike".to_owned(), json!(without));
    results.insert("edges".to_owned(), Value::Array(edges));
    if !data.edges.is_empty() {
        let found = |s: &TruthScore| {
            json!({
                "source": area(s.source), "target": area(s.target),
                "cos_send": s.cos_send, "cos_receive": s.cos_receive, "filter_corr": s.filter_corr,
            })
        };
        results.insert("true_edges".to_owned(), scores(&shown, data).iter().map(found).collect());
    }
    Ok(results)
}

fn edge(pair: &PairSnapshot, source: &str, target: &str, bin_ms: f64) -> Value {
    let filter = pair.filter.first().map(Vec::as_slice).unwrap_or_default();
    let peak = filter.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).filter(|(_, value)| value.abs() > 0.0);
    let (score, threshold, supported) = match pair.support {
        Support::NotScored => (None, None, None),
        Support::Scored { score, null, supported } => (Some(score), Some(null), Some(supported)),
    };
    json!({
        "source": source,
        "target": target,
        "contribution_percent": pair.contribution_percent,
        "mean_output": pair.mean_output,
        "filter_peak_ms": peak.map(|(lag, _)| (lag + 1) as f64 * bin_ms),
        "filter_peak": peak.map(|(_, value)| *value),
        "score": score,
        "score_threshold": threshold,
        "supported": supported,
    })
}
