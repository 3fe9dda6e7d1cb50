//! What a GLM-Transformer in training carries from one step to the next, to be kept and taken back.

use ndarray::Array1;
use serde_json::{Value, json};

use super::GlmTrainer;
use crate::models::DeviceFailed;
use crate::models::glm_transformer::Stage;
use crate::training::saved::{RestoreError, Saved};
use crate::training::{Support, TruthScore};

/// Scores of true edges by step.
pub(super) type Truth = Vec<(u64, TruthScore)>;

/// Trainer and scores so far.
///
/// # Errors
/// When the device fails.
pub(super) fn save(trainer: &GlmTrainer<'_>, truth: &Truth) -> Result<Saved, DeviceFailed> {
    let mut saved = Saved::default();
    saved.put_trainer(trainer.state()?);
    saved.put("stage", trainer.stage().number());
    let verdict = |support: &Support| match support {
        Support::NotScored => Value::Null,
        Support::Scored { supported, .. } => json!(supported),
    };
    saved.put("support", trainer.support.iter().map(verdict).collect::<Vec<_>>());
    let numbers = |support: &Support| match *support {
        Support::NotScored => [0.0; 2],
        Support::Scored { score, null, .. } => [score, null],
    };
    saved.put_list("support", trainer.support.iter().flat_map(numbers).collect());
    for (pair, filter) in trainer.candidates.iter().enumerate() {
        if let Some(filter) = filter {
            saved.put_list(&format!("candidate.{pair}"), filter.to_vec());
        }
    }
    saved.put_counts("truth_steps", truth.iter().map(|(step, _)| *step));
    saved.put_counts("truth_sources", truth.iter().map(|(_, score)| score.source as u64));
    saved.put_counts("truth_targets", truth.iter().map(|(_, score)| score.target as u64));
    saved.put_list("truth", truth.iter().flat_map(|(_, s)| [s.cos_send, s.cos_receive, s.filter_corr]).collect());
    Ok(saved)
}

/// Put a trainer into the state that was saved; gives the scores so far.
///
/// # Errors
/// When the device fails or the state is of another model.
pub(super) fn restore(trainer: &mut GlmTrainer<'_>, saved: &Saved) -> Result<Truth, RestoreError> {
    let unfit = |what: &str| RestoreError::Unfit(format!("'{what}' is of another kind"));
    let number = saved.index("stage")?;
    let stage = Stage::ALL.into_iter().find(|stage| stage.number() == number).ok_or_else(|| unfit("stage"))?;
    let verdicts = saved.value("support")?.as_array().ok_or_else(|| unfit("support"))?;
    let numbers = saved.rows("support", trainer.support.len(), 2)?;
    if verdicts.len() != numbers.len() {
        return Err(unfit("support"));
    }
    let support = verdicts.iter().zip(&numbers).map(|(verdict, own)| match (verdict.as_bool(), own.as_slice()) {
        (Some(supported), &[score, null]) => Support::Scored { score, null, supported },
        _ => Support::NotScored,
    });
    trainer.support = support.collect();
    for (pair, to) in trainer.candidates.iter_mut().enumerate() {
        *to = saved.list(&format!("candidate.{pair}")).ok().map(Array1::from_vec);
    }
    trainer.restore_state(stage, &saved.trainer()?)?;
    let (steps, sources, targets) = (saved.counts("truth_steps")?, saved.counts("truth_sources")?, saved.counts("truth_targets")?);
    let scores = saved.rows("truth", steps.len(), 3)?;
    let mut truth = Truth::with_capacity(steps.len());
    for (((step, source), target), own) in steps.into_iter().zip(sources).zip(targets).zip(scores) {
        let &[cos_send, cos_receive, filter_corr] = own.as_slice() else { return Err(unfit("truth")) };
        truth.push((step, TruthScore { source: source as usize, target: target as usize, cos_send, cos_receive, filter_corr }));
    }
    Ok(truth)
}
