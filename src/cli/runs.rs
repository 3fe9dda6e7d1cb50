//! `spikescope runs`: the table of runs in a folder, as the window lists it, and their trash.

mod trash;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Usage, output};
use crate::app::default_runs_dir;
use crate::runs::catalogue::{Catalogue, Cell, Column, Entry, Sorting, Status, offered, order};
use crate::views::runs::cell_text;

/// Options of `runs`.
#[derive(Debug, Args)]
pub(super) struct Runs {
    /// Folders with runs in them [default: where the window writes its runs]
    #[arg(value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// Order by this column: name, status, model, recording, started, ended, duration, steps, device, note, folder, a number of the
    /// results (co_bps), or a setting (model.rate, seed)
    #[arg(long, value_name = "FIELD", default_value = "ended")]
    sort: String,
    /// The other way round
    #[arg(long)]
    reverse: bool,
    /// Show this column too; may be given several times
    #[arg(long = "column", value_name = "FIELD")]
    columns: Vec<String>,
    /// List what is in the trash instead
    #[arg(long, conflicts_with_all = ["columns", "reverse"])]
    trash: bool,
    /// Move this run folder to the trash beside it; may be given several times
    #[arg(long, value_name = "RUN", conflicts_with_all = ["trash", "bring_back", "delete"])]
    throw_away: Vec<PathBuf>,
    /// Put this run back from the trash: its name, or its path there; may be given several times
    #[arg(long, value_name = "NAME", conflicts_with_all = ["trash", "delete"])]
    bring_back: Vec<String>,
    /// Delete this run, which must be in the trash, for good; may be given several times
    #[arg(long, value_name = "NAME", conflicts_with = "trash")]
    delete: Vec<String>,
    /// One JSON object per run in an array, with all results and settings
    #[arg(long)]
    json: bool,
}

impl Runs {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let folders = match self.folders.is_empty() {
            false => self.folders,
            true => vec![default_runs_dir().ok_or_else(|| Usage("there is no home folder; name a folder with runs".to_owned()))?],
        };
        match (self.trash, self.throw_away.is_empty(), self.bring_back.is_empty(), self.delete.is_empty()) {
            (true, ..) => return trash::list(&folders, self.json),
            (_, false, ..) => return trash::throw_away(&self.throw_away),
            (_, _, false, _) => return trash::bring_back(&folders, &self.bring_back),
            (.., false) => return trash::delete(&folders, &self.delete),
            _ => {}
        }
        let listing = Catalogue::default().look(None, &folders);
        if let Some((_, why)) = listing.problems.first() {
            return Err(anyhow::anyhow!("{why}"));
        }
        let mut sorting = Sorting::by(Column::parse(&self.sort));
        sorting.descending ^= self.reverse;
        let extra: Vec<Column> = self.columns.iter().map(|key| Column::parse(key)).collect();
        let known: Vec<Column> = offered(&listing.entries).into_iter().map(|(column, _)| column).collect();
        if let (false, Some(unknown)) =
            (listing.entries.is_empty(), [&sorting.column].into_iter().chain(&extra).find(|c| !known.contains(c)))
        {
            let have: Vec<String> = known.iter().map(Column::key).map(|key| bare(&key)).collect();
            return Err(Usage(format!("no run here has '{}'; the columns are: {}", bare(&unknown.key()), have.join(", "))).into());
        }
        let rows: Vec<&Arc<Entry>> =
            order(&listing.entries, |_| true, &sorting).into_iter().filter_map(|at| listing.entries.get(at)).collect();
        if self.json {
            return output::print(&Value::Array(rows.iter().map(|entry| as_json(entry)).collect()).to_string());
        }
        if rows.is_empty() {
            return output::print("No runs here");
        }
        let mut columns = usual(&rows);
        columns.extend(extra.into_iter().chain([sorting.column]).filter(|c| *c != Column::Folder));
        let mut seen = Vec::new();
        columns.retain(|column| !seen.contains(column) && (seen.push(column.clone()), true).1);
        output::print(&text(&rows, &columns))
    }
}

/// The name of a column without its kind.
fn bare(key: &str) -> String {
    key.split_once(':').map_or(key, |(_, name)| name).to_owned()
}

/// Columns that at least one run has something in.
fn usual(rows: &[&Arc<Entry>]) -> Vec<Column> {
    let empty = |column: &Column| rows.iter().all(|entry| column.cell(entry) == Cell::Missing);
    Column::usual().into_iter().filter(|column| *column == Column::Name || !empty(column)).collect()
}

fn text(rows: &[&Arc<Entry>], columns: &[Column]) -> String {
    let heading: Vec<String> = columns.iter().map(Column::title).collect();
    let mut lines = vec![heading];
    for entry in rows {
        let mut line: Vec<String> = columns.iter().map(|column| cell_text(column, &column.cell(entry))).collect();
        if let (true, Some(name)) = (entry.mark.pinned, line.first_mut()) {
            name.insert_str(0, "* ");
        }
        lines.push(line);
    }
    let widths: Vec<usize> =
        (0..columns.len()).map(|at| lines.iter().filter_map(|l| l.get(at)).map(|c| c.chars().count()).max().unwrap_or(0)).collect();
    let padded = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut text: Vec<String> = lines.iter().map(padded).collect();
    for entry in rows.iter().filter(|e| !matches!(e.status, Status::Complete | Status::Stopped)) {
        if let Some(why) = entry.problem.as_ref().or(entry.facts.message.as_ref()) {
            text.push(format!("{}: {why}", entry.folder_name()));
        }
    }
    text.join("\n")
}

fn as_json(entry: &Entry) -> Value {
    let facts = &entry.facts;
    let metrics: Map<String, Value> = facts.metrics.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let settings: Map<String, Value> = facts.settings.iter().map(|(path, value)| (path.to_owned(), value.clone())).collect();
    json!({
        "run": entry.folder.display().to_string(),
        "name": entry.name(),
        "status": entry.status.word(),
        "problem": entry.problem.as_ref().or(facts.message.as_ref()),
        "model": Column::Model.cell(entry).json(),
        "recording": Column::Recording.cell(entry).json(),
        "fingerprint": facts.fingerprint,
        "started": Column::Started.cell(entry).json(),
        "ended": Column::Ended.cell(entry).json(),
        "seconds": Column::Duration.cell(entry).json(),
        "steps": Column::Steps.cell(entry).json(),
        "device": Column::Device.cell(entry).json(),
        "note": entry.mark.note,
        "pinned": entry.mark.pinned,
        "results": metrics,
        "settings": settings,
    })
}
