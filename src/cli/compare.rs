//! `spikescope compare`: settings that differ, results and agreement of runs, by the functions of the Compare view.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::output;
use crate::analysis::agreement::Agreement;
use crate::runs::catalogue::{metric, words};
use crate::runs::comparison::{Comparison, Pairwise, RUNS};

/// Options of `compare`.
#[derive(Debug, Args)]
pub(super) struct Compare {
    /// Run folders, two to five
    #[arg(value_name = "RUN", num_args = *RUNS.start()..=*RUNS.end(), required = true)]
    runs: Vec<PathBuf>,
    /// One JSON object in place of text
    #[arg(long)]
    json: bool,
}

impl Compare {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let comparison = Comparison::of(&self.runs);
        for run in &comparison.runs {
            if let Err(why) = &run.run {
                return Err(anyhow::anyhow!("{why}"));
            }
        }
        output::print(&if self.json { as_json(&comparison).to_string() } else { text(&comparison) })
    }
}

fn letter(at: usize) -> char {
    char::from(b'A' + u8::try_from(at).unwrap_or(0).min(25))
}

fn text(comparison: &Comparison) -> String {
    let mut lines: Vec<String> = Vec::new();
    for (at, run) in comparison.runs.iter().enumerate() {
        let (entry, facts) = (&run.entry, &run.entry.facts);
        lines.push(format!("{}  {}  ({}, {}, {})", letter(at), entry.name(), facts.model, entry.status.word(), entry.folder.display()));
    }
    if !comparison.same_data {
        lines.push("The runs were made from different data: scores and losses of one are no measure of the other".to_owned());
    }
    lines.push("\nSettings that differ".to_owned());
    if comparison.settings.is_empty() {
        lines.push("  none".to_owned());
    }
    let shown = |value: &Option<Value>| match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    lines.extend(table(comparison.settings.iter().map(|(path, values)| (path.clone(), values.iter().map(shown).collect()))));
    lines.push("\nResults".to_owned());
    let number = |value: &Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.5}"));
    let title = |name: &str| metric(name).map_or_else(|| words(name), |m| format!("{}{}", m.title, bracketed(m.unit)));
    lines.extend(table(comparison.metrics.iter().map(|(name, values)| (title(name), values.iter().map(number).collect()))));
    let [strength, effect] = &comparison.areas_agree;
    for (title, pairs) in [
        ("Agreement of areas, strength", strength),
        ("Agreement of areas, effect", effect),
        ("Agreement of units", &comparison.units_agree),
    ] {
        lines.push(format!("\n{title}"));
        lines.extend(pairs.iter().map(|(a, b, found)| format!("  {} and {}: {}", letter(*a), letter(*b), sentence(found))));
    }
    lines.join("\n")
}

fn bracketed(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" ({unit})") }
}

fn table(rows: impl Iterator<Item = (String, Vec<String>)>) -> Vec<String> {
    let rows: Vec<(String, Vec<String>)> = rows.collect();
    let first = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let other = rows.iter().flat_map(|(_, values)| values).map(|v| v.chars().count()).max().unwrap_or(0);
    let line = |(name, values): &(String, Vec<String>)| {
        let cells: Vec<String> = values.iter().map(|v| format!("{v:>other$}")).collect();
        format!("  {name:<first$}  {}", cells.join("  ")).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn sentence(found: &Result<Agreement, String>) -> String {
    let found = match found {
        Ok(found) => found,
        Err(why) => return why.clone(),
    };
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.3}"));
    let sign = found.same_sign.map_or_else(String::new, |share| format!(", same sign {:.0} %", 100.0 * share));
    format!("correlation {}, rank correlation {}{sign} ({} entries)", number(found.pearson), number(found.spearman), found.entries)
}

fn as_json(comparison: &Comparison) -> Value {
    let runs: Vec<Value> = comparison
        .runs
        .iter()
        .map(|run| json!({ "run": run.entry.folder.display().to_string(), "name": run.entry.name(), "model": run.entry.facts.model }))
        .collect();
    let settings: serde_json::Map<String, Value> = comparison.settings.iter().map(|(path, v)| (path.clone(), json!(v))).collect();
    let results: serde_json::Map<String, Value> = comparison.metrics.iter().map(|(name, v)| (name.clone(), json!(v))).collect();
    let [strength, effect] = &comparison.areas_agree;
    json!({
        "runs": runs,
        "same_data": comparison.same_data,
        "settings": settings,
        "results": results,
        "agreement": {
            "areas_strength": pairs(strength), "areas_effect": pairs(effect), "units": pairs(&comparison.units_agree),
        },
    })
}

fn pairs(pairs: &Pairwise) -> Value {
    let one = |(a, b, found): &(usize, usize, Result<Agreement, String>)| match found {
        Ok(f) => json!({
            "a": a, "b": b, "entries": f.entries, "pearson": f.pearson, "spearman": f.spearman, "same_sign": f.same_sign,
        }),
        Err(why) => json!({ "a": a, "b": b, "reason": why }),
    };
    Value::Array(pairs.iter().map(one).collect())
}
