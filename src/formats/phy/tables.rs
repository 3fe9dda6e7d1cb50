//! What `cluster_info.tsv` and the other `cluster_*` tables of a folder know of its clusters.

use std::collections::HashMap;
use std::path::Path;

use crate::formats::FormatError;
use crate::formats::clean::counted;
use crate::formats::text::{Row, Separator, Text};
use crate::recording::{Column, ImportReport, NamedColumn, NoteKind};

/// Larger tables are none of clusters, bytes.
const MAX_BYTES: u64 = 64 << 20;
/// Different columns of all tables together.
const MOST_COLUMNS: usize = 200;

/// Columns over all clusters with spikes.
pub(super) struct Tables {
    columns: Vec<TextColumn>,
}

struct TextColumn {
    name: String,
    /// File that the column was first found in.
    file: String,
    /// One text per cluster; empty where no table has it.
    values: Vec<String>,
}

impl Tables {
    /// Read all tables. A value of `cluster_info` counts more than one of another table, `.tsv` more than `.csv`.
    pub(super) fn read(folder: &Path, ids: &[i64], report: &mut ImportReport) -> Result<Self, FormatError> {
        let mut tables = Self { columns: Vec::new() };
        let place: HashMap<i64, usize> = ids.iter().enumerate().map(|(at, &id)| (id, at)).collect();
        let mut silent = std::collections::BTreeSet::new();
        for name in files(folder)? {
            tables.add(folder, &name, &place, &mut silent, report)?;
        }
        if !silent.is_empty() {
            let shown: Vec<String> = silent.iter().take(8).map(i64::to_string).collect();
            let more = if silent.len() > 8 { ", …" } else { "" };
            let message = format!("{} of the tables without spikes ({}{more})", counted(silent.len(), "cluster"), shown.join(", "));
            report.add(NoteKind::LeftOut, "clusters", message);
        }
        Ok(tables)
    }

    fn add(
        &mut self,
        folder: &Path,
        name: &str,
        place: &HashMap<i64, usize>,
        silent: &mut std::collections::BTreeSet<i64>,
        report: &mut ImportReport,
    ) -> Result<(), FormatError> {
        let path = folder.join(name);
        let (header, separator) = {
            let mut row = Row::default();
            let any = Text::open(&path, MAX_BYTES)?.next_row(Separator::Tab, &mut row)?;
            // Old versions wrote tabs into files called .csv.
            let separator = if row.len() > 1 { Separator::Tab } else { Separator::Comma };
            let mut row = Row::default();
            Text::open(&path, MAX_BYTES)?.next_row(separator, &mut row)?;
            (if any { row.iter().map(|f| String::from_utf8_lossy(f).into_owned()).collect() } else { Vec::new() }, separator)
        };
        let is_id = |n: &String| ["cluster_id", "id", "cluster"].contains(&n.to_lowercase().as_str());
        let Some(id_at) = header.iter().position(is_id).filter(|_| header.len() > 1) else {
            let message = "it has no columns 'cluster_id' and another; the table is not used";
            report.add(NoteKind::LeftOut, name, message);
            return Ok(());
        };
        let targets: Vec<Option<usize>> =
            header.iter().enumerate().map(|(at, n)| if at == id_at { None } else { self.column(n, name, place.len()) }).collect();
        let mut text = Text::open(&path, MAX_BYTES)?;
        let mut row = Row::default();
        let (mut bad, mut other) = (0, 0);
        text.next_row(separator, &mut row)?;
        while text.next_row(separator, &mut row)? {
            let Some(id) = row.text(id_at).parse::<f64>().ok().filter(|id| id.fract() == 0.0).map(|id| id as i64) else {
                bad += 1;
                continue;
            };
            let Some(&unit) = place.get(&id) else {
                silent.insert(id);
                continue;
            };
            for (at, target) in targets.iter().enumerate() {
                let Some(column) = target.and_then(|t| self.columns.get_mut(t)) else { continue };
                let Some(slot) = column.values.get_mut(unit) else { continue };
                let value = row.text(at);
                match (slot.is_empty(), value.is_empty()) {
                    (true, false) => *slot = value.into_owned(),
                    (false, false) if column.file != name && *slot != value => other += 1,
                    _ => {}
                }
            }
        }
        if bad > 0 {
            report.add(NoteKind::LeftOut, name, format!("{} without the number of a cluster", counted(bad, "line")));
        }
        if other > 0 {
            let message = format!("{} of this table differ from a table that counts more; they are not used", counted(other, "value"));
            report.add(NoteKind::Advice, name, message);
        }
        Ok(())
    }

    /// Index of the column called `name`, a new one when there is none.
    fn column(&mut self, name: &str, file: &str, units: usize) -> Option<usize> {
        if let Some(at) = self.find(&name.to_lowercase()) {
            return Some(at);
        }
        if name.is_empty() || self.columns.len() >= MOST_COLUMNS {
            return None;
        }
        self.columns.push(TextColumn { name: name.to_owned(), file: file.to_owned(), values: vec![String::new(); units] });
        Some(self.columns.len() - 1)
    }

    /// Index of a column by its name in lower case.
    pub(super) fn find(&self, lower: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name.to_lowercase() == lower)
    }

    /// One value as text.
    pub(super) fn text(&self, column: usize, unit: usize) -> &str {
        self.columns.get(column).and_then(|c| c.values.get(unit)).map(String::as_str).unwrap_or_default()
    }

    /// Columns over the clusters that are kept; without those that have no value at all.
    pub(super) fn columns(&self, kept: &[usize]) -> Vec<NamedColumn> {
        let some = self.columns.iter().filter(|c| c.values.iter().any(|v| !v.is_empty()));
        let named = |c: &TextColumn| {
            let texts: Vec<&str> = kept.iter().filter_map(|&k| c.values.get(k)).map(String::as_str).collect();
            NamedColumn { name: c.name.clone(), description: format!("from {}", c.file), values: typed(&texts) }
        };
        some.map(named).collect()
    }
}

/// Integers, numbers (NaN where there is none) or text.
fn typed(texts: &[&str]) -> Column {
    let integers: Option<Vec<i64>> = texts.iter().map(|t| t.parse().ok()).collect();
    if let Some(integers) = integers {
        return Column::Int(integers);
    }
    let number = |t: &&str| if t.is_empty() { Some(f64::NAN) } else { t.parse().ok() };
    let numbers: Option<Vec<f64>> = texts.iter().map(number).collect();
    match numbers {
        Some(numbers) if numbers.iter().any(|n| !n.is_nan()) => Column::Float(numbers),
        _ => Column::Text(texts.iter().map(|t| (*t).to_owned()).collect()),
    }
}

/// Names of the tables, those that count most first.
fn files(folder: &Path) -> Result<Vec<String>, FormatError> {
    let unreadable = |e| FormatError::not_readable(folder, e);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let lower = name.to_lowercase();
        let table = lower.starts_with("cluster_") && (lower.ends_with(".tsv") || lower.ends_with(".csv"));
        if table && entry.path().is_file() {
            names.push(name);
        }
    }
    names.sort_by_key(|n| (!n.starts_with("cluster_info"), n.ends_with(".csv"), n.clone()));
    Ok(names)
}
