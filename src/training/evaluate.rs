//! What a finished run reports: test losses beside their references, edges, and the truth when there is one.

use serde_json::{Value, json};

use super::data::Prepared;
use super::glm::GlmTrainer;
use super::publish::{PairEffect, pairs, scores};
use super::{PairSnapshot, Support};
use crate::models::DeviceFailed;
use crate::models::glm_transformer::Terms;

/// What a stage did.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StageRecord {
    pub(super) name: String,
    pub(super) steps: u64,
    pub(super) epochs: u64,
    pub(super) seconds: f64,
    /// Best validation loss with penalties.
    pub(super) validation_loss: f64,
}

/// The line of `train --json`.
///
/// # Errors
/// When the device fails.
pub(super) fn summary(
    trainer: &GlmTrainer<'_>,
    data: &Prepared,
    effects: &[PairEffect],
    stages: &[StageRecord],
    seconds: f64,
    run: Option<&std::path::Path>,
) -> Result<Value, DeviceFailed> {
    let terms = trainer.stage().terms();
    let test_loss = trainer.losses(&trainer.test, terms)?.poisson;
    // Reported beside it: the published evaluation drops the post-spike term (spec §4.4).
    let without = match terms.history {
        true => trainer.losses(&trainer.test, Terms { history: false, ..terms })?.poisson,
        false => test_loss,
    };
    let references = data.references(&data.split.test);
    let shown = pairs(trainer, &trainer.weights()?, effects);
    let area = |at: usize| data.binned.areas.get(at).cloned().unwrap_or_default();
    let bin_ms = data.binned.bin_s * 1e3;
    let edges: Vec<Value> = shown.iter().map(|pair| edge(pair, &area(pair.source), &area(pair.target), bin_ms)).collect();
    let mut summary = json!({
        "run": run.map(|p| p.display().to_string()),
        "test_loss": test_loss,
        "test_loss_without_post_spike": without,
        "flat_loss": references.flat,
        "psth_loss": references.psth,
        "seconds": seconds,
        "trials": { "train": data.split.train.len(), "validation": data.split.validation.len(), "test": data.split.test.len() },
        "stages": stages.iter().map(|s| json!({
            "name": s.name, "steps": s.steps, "epochs": s.epochs, "seconds": s.seconds, "validation_loss": s.validation_loss,
        })).collect::<Vec<_>>(),
        "edges": edges,
    });
    if references.oracle.is_some() || !data.edges.is_empty() {
        let found: Vec<Value> = scores(&shown, data)
            .iter()
            .map(|s| {
                json!({
                    "source": area(s.source), "target": area(s.target),
                    "cos_send": s.cos_send, "cos_receive": s.cos_receive, "filter_corr": s.filter_corr,
                })
            })
            .collect();
        summary["truth"] = json!({ "oracle_loss": references.oracle, "edges": found });
    }
    Ok(summary)
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
