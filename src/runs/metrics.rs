//! The loss log as lines of JSON: one object per point, and one with the references. Numbers come back bit for bit.

use serde_json::{Value, json};

use crate::training::{LossLog, LossPoint, LossTerm, TermValues};

/// The log as text, one line per point, the references first.
pub(super) fn to_lines(log: &LossLog) -> String {
    let mut text =
        json!({ "reference": { "flat": log.flat.map(exact), "psth": log.psth.map(exact), "oracle": log.oracle.map(exact) } }).to_string();
    text.push('\n');
    for point in &log.points {
        let split = if point.validation { VALIDATION } else { TRAIN };
        let mut line = json!({ "step": point.step, "stage": point.stage, "split": split });
        for (term, value) in log.terms.iter().zip(point.values) {
            line[term.key] = exact(value);
        }
        text.push_str(&line.to_string());
        text.push('\n');
    }
    text
}

const TRAIN: &str = "train";
const VALIDATION: &str = "validation";

/// The log from text. Lines of kinds that this program does not know are passed over.
///
/// # Errors
/// What is wrong, with the line number.
pub(super) fn from_lines(text: &str, terms: &'static [LossTerm]) -> Result<LossLog, String> {
    let mut log = LossLog { terms, ..LossLog::default() };
    for (number, line) in text.lines().enumerate() {
        let wrong = |what: String| format!("line {}: {what}", number + 1);
        let value: Value = serde_json::from_str(line).map_err(|e| wrong(e.to_string()))?;
        if let Some(reference) = value.get("reference") {
            let read = |name: &str| {
                reference.get(name).filter(|v| !v.is_null()).map(|v| real(v).ok_or_else(|| wrong(format!("{name} is {v}")))).transpose()
            };
            (log.flat, log.psth, log.oracle) = (read("flat")?, read("psth")?, read("oracle")?);
        } else if value.get("step").is_some() {
            log.points.push(point(&value, terms).map_err(wrong)?);
        }
    }
    Ok(log)
}

fn point(line: &Value, terms: &[LossTerm]) -> Result<LossPoint, String> {
    let whole = |name: &str| line[name].as_u64().ok_or_else(|| format!("{name} is {}", line[name]));
    let validation = match line["split"].as_str() {
        Some(TRAIN) => false,
        Some(VALIDATION) => true,
        _ => return Err(format!("split is {}", line["split"])),
    };
    let stage = u8::try_from(whole("stage")?).map_err(|e| format!("stage: {e}"))?;
    let mut values = TermValues::default();
    for (value, term) in values.iter_mut().zip(terms) {
        *value = real(&line[term.key]).ok_or_else(|| format!("{} is {}", term.key, line[term.key]))?;
    }
    Ok(LossPoint { step: whole("step")?, stage, validation, values })
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

    static TERMS: [LossTerm; 2] =
        [LossTerm { key: "total", name: "Total", help: "" }, LossTerm { key: "poisson", name: "Poisson", help: "" }];

    fn point() -> impl Strategy<Value = LossPoint> {
        let term = || any::<u32>().prop_map(f32::from_bits);
        (any::<u64>(), 1u8..=4, any::<bool>(), term(), term()).prop_map(|(step, stage, validation, total, poisson)| {
            let mut values = TermValues::default();
            (values[0], values[1]) = (total, poisson);
            LossPoint { step, stage, validation, values }
        })
    }

    /// Equality that holds for NaN too (its payload is not kept).
    fn key(p: &LossPoint) -> (u64, u8, bool, Vec<u32>) {
        let bits = |v: f32| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() };
        (p.step, p.stage, p.validation, p.values.map(bits).to_vec())
    }

    proptest! {
        #[test]
        fn any_log_round_trips(points in prop::collection::vec(point(), 0..20), flat in any::<Option<u32>>(), psth in any::<Option<u32>>()) {
            let finite = |bits: Option<u32>| bits.map(f32::from_bits).filter(|v| v.is_finite());
            let log = LossLog { terms: &TERMS, points, flat: finite(flat), psth: finite(psth), oracle: None };
            let back = from_lines(&to_lines(&log), &TERMS).unwrap();
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
            points: vec![LossPoint { step: 1, stage: 1, validation: true, values: [1.0; 6] }],
            terms: &TERMS,
            ..LossLog::default()
        });
        let from_lines = |text: &str| from_lines(text, &TERMS);
        assert_eq!(from_lines(&format!("{{\"checkpoint\":3}}\n{good}")).unwrap().points.len(), 1);
        assert!(from_lines(&good[..good.len() - 3]).unwrap_err().starts_with("line 2"));
        assert!(from_lines(&good.replace("\"poisson\":1.0", "\"poisson\":null")).unwrap_err().contains("null"));
        assert!(from_lines(&good.replace("validation", "tset")).is_err());
    }
}
