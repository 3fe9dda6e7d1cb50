//! The loss log as lines of JSON: one object per point, and one with the references. Numbers come back bit for bit.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::training::{LossLog, LossPoint};

#[derive(Serialize, Deserialize)]
struct PointLine {
    step: u64,
    stage: u8,
    split: SplitName,
    poisson: Value,
    kl: Value,
    group: Value,
    smooth: Value,
    total: Value,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum SplitName {
    Train,
    Validation,
}

/// The log as text, one line per point, the references first.
pub(super) fn to_lines(log: &LossLog) -> Result<String, serde_json::Error> {
    let mut text =
        json!({ "reference": { "flat": log.flat.map(exact), "psth": log.psth.map(exact), "oracle": log.oracle.map(exact) } }).to_string();
    text.push('\n');
    for point in &log.points {
        let line = PointLine {
            step: point.step,
            stage: point.stage,
            split: if point.validation { SplitName::Validation } else { SplitName::Train },
            poisson: exact(point.poisson),
            kl: exact(point.kl),
            group: exact(point.group),
            smooth: exact(point.smooth),
            total: exact(point.total),
        };
        text.push_str(&serde_json::to_string(&line)?);
        text.push('\n');
    }
    Ok(text)
}

/// The log from text. Lines of kinds that this program does not know are passed over.
///
/// # Errors
/// What is wrong, with the line number.
pub(super) fn from_lines(text: &str) -> Result<LossLog, String> {
    let mut log = LossLog::default();
    for (number, line) in text.lines().enumerate() {
        let wrong = |what: String| format!("line {}: {what}", number + 1);
        let value: Value = serde_json::from_str(line).map_err(|e| wrong(e.to_string()))?;
        if let Some(reference) = value.get("reference") {
            let read = |name: &str| {
                reference.get(name).filter(|v| !v.is_null()).map(|v| real(v).ok_or_else(|| wrong(format!("{name} is {v}")))).transpose()
            };
            (log.flat, log.psth, log.oracle) = (read("flat")?, read("psth")?, read("oracle")?);
        } else if value.get("step").is_some() {
            let line: PointLine = serde_json::from_value(value).map_err(|e| wrong(e.to_string()))?;
            let term = |v: &Value| real(v).ok_or_else(|| wrong(format!("a loss is {v}")));
            log.points.push(LossPoint {
                step: line.step,
                stage: line.stage,
                validation: line.split == SplitName::Validation,
                poisson: term(&line.poisson)?,
                kl: term(&line.kl)?,
                group: term(&line.group)?,
                smooth: term(&line.smooth)?,
                total: term(&line.total)?,
            });
        }
    }
    Ok(log)
}

/// A number that reads back as the same f32: the shortest decimal where that is certain, else all digits. JSON has no words
/// for what is not finite, so these are text.
fn exact(value: f32) -> Value {
    if !value.is_finite() {
        return Value::String(value.to_string());
    }
    // The reader may be off by one unit in the last place of a f64.
    let short = value.to_string().parse::<f64>().unwrap_or_else(|_| f64::from(value));
    let certain = [short.next_down(), short, short.next_up()].iter().all(|&s| (s as f32).to_bits() == value.to_bits());
    json!(if certain { short } else { f64::from(value) })
}

fn real(value: &Value) -> Option<f32> {
    match value {
        Value::Number(number) => number.as_f64().map(|v| v as f32),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn point() -> impl Strategy<Value = LossPoint> {
        let term = || any::<u32>().prop_map(f32::from_bits);
        (any::<u64>(), 1u8..=4, any::<bool>(), term(), term(), term(), term(), term()).prop_map(
            |(step, stage, validation, poisson, kl, group, smooth, total)| LossPoint {
                step,
                stage,
                validation,
                poisson,
                kl,
                group,
                smooth,
                total,
            },
        )
    }

    /// Equality that holds for NaN too (its payload is not kept).
    fn key(p: &LossPoint) -> (u64, u8, bool, Vec<u32>) {
        let bits = |v: f32| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() };
        (p.step, p.stage, p.validation, [p.poisson, p.kl, p.group, p.smooth, p.total].map(bits).to_vec())
    }

    proptest! {
        #[test]
        fn any_log_round_trips(points in prop::collection::vec(point(), 0..20), flat in any::<Option<u32>>(), psth in any::<Option<u32>>()) {
            let finite = |bits: Option<u32>| bits.map(f32::from_bits).filter(|v| v.is_finite());
            let log = LossLog { points, flat: finite(flat), psth: finite(psth), oracle: None };
            let back = from_lines(&to_lines(&log).unwrap()).unwrap();
            prop_assert_eq!((back.flat, back.psth, back.oracle), (log.flat, log.psth, log.oracle));
            prop_assert_eq!(back.points.iter().map(key).collect::<Vec<_>>(), log.points.iter().map(key).collect::<Vec<_>>());
        }
    }

    #[test]
    fn numbers_are_short_where_that_is_exact() {
        assert_eq!(exact(0.1).to_string(), "0.1");
        assert_eq!(exact(-0.0).as_f64().unwrap().to_bits(), (-0.0f64).to_bits());
        assert_eq!(exact(f32::NEG_INFINITY), "-inf");
    }

    #[test]
    fn broken_lines_are_named_and_unknown_ones_passed_over() {
        let good = to_lines(&LossLog {
            points: vec![LossPoint { step: 1, stage: 1, validation: true, poisson: 1.0, kl: 0.0, group: 0.0, smooth: 0.0, total: 1.0 }],
            ..LossLog::default()
        })
        .unwrap();
        assert_eq!(from_lines(&format!("{{\"checkpoint\":3}}\n{good}")).unwrap().points.len(), 1);
        assert!(from_lines(&good[..good.len() - 3]).unwrap_err().starts_with("line 2"));
        assert!(from_lines(&good.replace("\"poisson\":1.0", "\"poisson\":null")).unwrap_err().contains("null"));
        assert!(from_lines(&good.replace("validation", "tset")).is_err());
    }
}
