//! What is in a recording, as JSON (`spikescope info --json`) and as text for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::clean::{counted, spikes};
use crate::recording::quality::UnitQuality;
use crate::recording::{AreaRule, Choice, Column, NoteKind, Recording, Source};

/// Everything about a recording that can be counted: units, spikes, areas, tables, area rules, import report. Times in seconds.
pub fn info_json(recording: &Recording) -> Value {
    let n = recording.n_units();
    let counts: Vec<usize> = (0..n).map(|u| recording.spikes.unit(u).len()).collect();
    let range = recording.time_range();
    let mut info = Map::new();
    let mut put = |key: &str, value: Value| {
        info.insert(key.to_owned(), value);
    };
    put("name", json!(recording.name));
    put("source", json!(source_text(&recording.source)));
    put("n_units", json!(n));
    put("n_spikes", json!(recording.spikes.n_spikes()));
    put("t_first", json!(range.map(|r| r.0)));
    put("t_last", json!(range.map(|r| r.1)));
    put("time_unit", json!("s"));
    put("spikes_per_unit", json!(counts));
    put("sum_of_times", json!(recording.spikes.block().iter().sum::<f64>()));
    put("unit_ids", Value::Array(recording.units.ids.iter().map(|id| id_json(id)).collect()));
    put("areas", json!(areas(recording)));
    put("empty_units", json!(counts.iter().filter(|&&c| c == 0).count()));
    put("n_negative", json!(recording.spikes.block().iter().filter(|&&t| t < 0.0).count()));
    let tables: BTreeMap<&str, usize> = recording.tables.iter().map(|t| (t.name.as_str(), t.len())).collect();
    if let Some(trials) = recording.table("trials") {
        put("n_trials", json!(trials.len()));
        put("trials", json!({ "rows": trials.len(), "columns": column_names(trials) }));
    }
    put("intervals", json!(tables));
    if let Some(column) = recording.units.columns.iter().find(|c| c.name == "heldout") {
        put("heldout_units", json!((0..n).filter(|&u| column.values.number(u) == 1.0).count()));
    }
    put("unit_columns", json!(recording.units.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>()));
    put(
        "covariates",
        json!(recording.covariates.iter().map(|c| json!({"name": c.name, "unit": c.unit, "samples": c.times.len()})).collect::<Vec<_>>()),
    );
    if let Some(activity) = &recording.activity {
        let (bins, units) = activity.values.dim();
        put("activity", json!({"name": activity.name, "unit": activity.unit, "bin_s": activity.bin_s, "bins": bins, "units": units}));
    }
    put("observed_s", json!(recording.observed.iter().map(|(a, b)| b - a).sum::<f64>()));
    put("observed_stretches", json!(recording.observed.len()));
    if let Some(truth) = &recording.truth {
        let name = |a: usize| recording.areas.get(a).cloned().unwrap_or_default();
        let edges: Vec<Value> = truth.edges.iter().map(|e| json!({"source": name(e.source), "target": name(e.target)})).collect();
        put("true_edges", json!(edges));
        if let Some(units) = &truth.unit_edges {
            let inhibiting = units.iter().filter(|e| e.weight < 0.0).count();
            put("true_unit_edges", json!({"excitatory": units.len() - inhibiting, "inhibitory": inhibiting}));
        }
        if let Some(changing) = &truth.changing {
            put("true_changing_weights", json!({"synapses": changing.pre.len(), "samples": changing.times.len()}));
        }
    }
    put(
        "area_rules",
        Value::Array(
            AreaRule::offered(recording)
                .into_iter()
                .map(|split| {
                    let areas: BTreeMap<&str, usize> = split.areas.iter().map(|(a, n)| (a.as_str(), *n)).collect();
                    json!({"label": split.label, "rule": split.rule, "areas": areas})
                })
                .collect(),
        ),
    );
    put("report", json!(recording.report.notes));
    put("choices", json!(recording.report.choices));
    let quality = UnitQuality::of(recording);
    put("rate_hz", json!(quality.rate_hz));
    put("presence", json!(quality.presence));
    put("isi_violations", json!(quality.isi_violations));
    if let Some(prepared) = &recording.prepared {
        put("prepared", json!(prepared.sidecar));
        put("fingerprint_as_read", json!(prepared.original.fingerprint));
    }
    put("fingerprint", json!(recording.fingerprint));
    Value::Object(info)
}

/// A recording in one line: "24 units, 61.2 min, 8.1 Hz mean".
pub fn info_line(recording: &Recording) -> String {
    let n = recording.n_units();
    let Some((first, last)) = recording.time_range() else { return format!("{}, no spikes", counted(n, "unit")) };
    let seconds = last - first;
    let length = match seconds {
        _ if seconds < 120.0 => format!("{seconds:.1} s"),
        _ if seconds < 48.0 * 3600.0 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} days", seconds / 86_400.0),
    };
    let rate = recording.spikes.n_spikes() as f64 / (n.max(1) as f64 * recording.observed_seconds().max(f64::MIN_POSITIVE));
    let rate = match rate {
        _ if seconds <= 0.0 => String::new(),
        _ if recording.spikes.n_spikes() == 0 => ", continuous activity".to_owned(),
        _ if (1.0..1e4).contains(&rate) => format!(", {rate:.1} Hz mean"),
        _ if (0.01..1.0).contains(&rate) => format!(", {rate:.2} Hz mean"),
        _ => format!(", {rate:.1e} Hz mean"),
    };
    format!("{}, {length}{rate}", counted(n, "unit"))
}

/// The same for people, as lines of text.
pub fn info_text(recording: &Recording) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(recording, &mut text);
    text
}

fn write_text(recording: &Recording, text: &mut String) -> std::fmt::Result {
    writeln!(text, "{} ({})", recording.name, source_text(&recording.source))?;
    let n = recording.n_units();
    match recording.time_range() {
        Some((first, last)) => {
            let rate = recording.spikes.n_spikes() as f64 / (n.max(1) as f64 * recording.observed_seconds().max(f64::MIN_POSITIVE));
            let rate = if last > first { format!(", {rate:.2} spikes/s per unit on average") } else { String::new() };
            writeln!(text, "{}, {} from {first:.3} to {last:.3} s{rate}", counted(n, "unit"), spikes(recording.spikes.n_spikes()))?;
        }
        None => writeln!(text, "{}, no spikes", counted(n, "unit"))?,
    }
    writeln!(text, "\nAreas")?;
    for (area, count) in areas(recording) {
        writeln!(text, "  {}: {}", if area.is_empty() { "(no name)" } else { &area }, counted(count, "unit"))?;
    }
    let others: Vec<String> = AreaRule::offered(recording)
        .into_iter()
        .skip(1)
        .map(|s| {
            let areas: Vec<String> = s.areas.iter().take(6).map(|(a, n)| format!("{a} {n}")).collect();
            let more = if s.areas.len() > 6 { ", …" } else { "" };
            format!("  by {}: {}{more}", s.label, areas.join(", "))
        })
        .collect();
    if !others.is_empty() {
        writeln!(text, "Other ways to tell areas apart\n{}", others.join("\n"))?;
    }
    if !recording.tables.is_empty() {
        writeln!(text, "\nInterval tables")?;
    }
    for table in &recording.tables {
        writeln!(text, "  {}: {}; columns {}", table.name, counted(table.len(), "row"), column_names(table).join(", "))?;
    }
    if !recording.observed.is_empty() {
        let seconds: f64 = recording.observed.iter().map(|(a, b)| b - a).sum();
        writeln!(text, "Observed: {seconds:.3} s (stretches: {})", recording.observed.len())?;
    }
    if !recording.units.columns.is_empty() {
        let columns: Vec<String> = recording.units.columns.iter().map(|c| format!("{} ({})", c.name, kind(&c.values))).collect();
        writeln!(text, "Unit columns: {}", columns.join(", "))?;
    }
    for c in &recording.covariates {
        let unit = if c.unit.is_empty() { "unit not given" } else { &c.unit };
        writeln!(text, "Time series {}: {} ({unit})", c.name, counted(c.times.len(), "sample"))?;
    }
    if let Some(a) = &recording.activity {
        let unit = if a.unit.is_empty() { "no unit" } else { &a.unit };
        writeln!(text, "Continuous activity {}: {} of {} ms ({unit})", a.name, counted(a.bins(), "bin"), 1e3 * a.bin_s)?;
    }
    if let Some(truth) = &recording.truth {
        if truth.knows_edges() {
            writeln!(text, "Ground truth: {}", counted(truth.edges.len(), "edge"))?;
        }
        if let Some(units) = &truth.unit_edges {
            writeln!(text, "Ground truth: {} between single units", counted(units.len(), "connection"))?;
        }
        if let Some(currents) = &truth.currents {
            writeln!(text, "Ground truth: synaptic and external currents of {}", counted(currents.external.shape()[1], "area"))?;
        }
        if let Some(changing) = &truth.changing {
            let samples = counted(changing.times.len(), "sample");
            writeln!(text, "Ground truth: {} whose strength changes, {samples}", counted(changing.pre.len(), "connection"))?;
        }
    }
    writeln!(text, "\nImport report")?;
    if recording.report.is_empty() {
        writeln!(text, "  nothing was assumed, repaired or left out")?;
    }
    for note in &recording.report.notes {
        let kind = match note.kind {
            NoteKind::Assumed => "assumed",
            NoteKind::Repaired => "repaired",
            NoteKind::LeftOut => "left out",
            NoteKind::Advice => "please check",
            NoteKind::Chosen => "your choice",
        };
        writeln!(text, "  {kind}, {}: {}", note.place, note.message)?;
    }
    if !recording.report.choices.is_empty() {
        writeln!(text, "\nChoices (change one with --import KEY=VALUE)")?;
    }
    for choice in &recording.report.choices {
        write_choice(choice, text)?;
    }
    writeln!(text, "\nFingerprint {}", recording.fingerprint)
}

fn write_choice(choice: &Choice, text: &mut String) -> std::fmt::Result {
    let assumed = if choice.assumed { " (assumed)" } else { "" };
    let label = match choice.shown() {
        shown if shown == choice.value => String::new(),
        shown => format!(", {shown}"),
    };
    writeln!(text, "  {}={}{assumed}: {}{label}; {}", choice.key, choice.value, choice.label, choice.why)?;
    let values: Vec<&str> = choice.options.iter().map(|o| o.value.as_str()).collect();
    if values.is_empty() { Ok(()) } else { writeln!(text, "    one of {}", values.join(", ")) }
}

/// Number of units per area name, as the file has the names.
fn areas(recording: &Recording) -> BTreeMap<String, usize> {
    let mut areas = BTreeMap::new();
    for &area in &recording.units.area {
        *areas.entry(recording.areas.get(area).cloned().unwrap_or_default()).or_default() += 1;
    }
    areas
}

fn column_names(table: &crate::recording::IntervalTable) -> Vec<String> {
    let mut names = vec!["start_time".to_owned(), "stop_time".to_owned()];
    names.extend(table.columns.iter().map(|c| c.name.clone()));
    names
}

fn kind(column: &Column) -> &'static str {
    match column {
        Column::Float(_) => "numbers",
        Column::Int(_) => "integers",
        Column::Bool(_) => "yes or no",
        Column::Text(_) => "text",
    }
}

/// A number when the id is an integer in its usual form ("7", not "007").
fn id_json(id: &str) -> Value {
    match id.parse::<i64>() {
        Ok(number) if number.to_string() == id => json!(number),
        _ => json!(id),
    }
}

fn source_text(source: &Source) -> String {
    match source {
        Source::File(path) => path.display().to_string(),
        Source::Simulated { simulator, parameters, seed } => format!("simulated with {simulator}, {parameters}, seed {seed}"),
    }
}
