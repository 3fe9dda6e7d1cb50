//! The first rows of a text file as a dialog shows them: cells, choices, and what would come of them.

use std::path::Path;

use super::super::choices::Choices;
use super::super::{FormatError, OpenOptions, Progress};
use super::guess::{Grid, Head};
use super::lines::Text;
use super::plan::{self, Plan};
use super::rows::{self, Limits};
use super::{finish, stem};
use crate::recording::{Choice, ImportReport};

/// What is read to say what would come of the choices, bytes of text.
const SAMPLE: u64 = 4 << 20;
/// Columns that are shown.
const MOST_CELLS: usize = 64;

/// The first rows of a text file, and what the choices make of it.
#[derive(Debug, Clone, PartialEq)]
pub struct TextPreview {
    /// Names of the columns: from the header, else `column 1`, ….
    pub names: Vec<String>,
    /// First rows as cells, without the header; at most 64 cells each.
    pub rows: Vec<Vec<String>>,
    /// The layout in words, empty when it is not known.
    pub layout: String,
    /// All decisions that can be changed; what is not answered has the value the reader would take.
    pub choices: Vec<Choice>,
    /// What these choices give; `None` when nothing can be read with them.
    pub effect: Option<TextEffect>,
    /// Why the file cannot be read with these choices, with what to do.
    pub problem: Option<String>,
}

/// What the first 4 MiB of a text file give with certain choices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TextEffect {
    /// Number of units.
    pub units: usize,
    /// Number of spikes.
    pub spikes: usize,
    /// First spike, seconds.
    pub first_s: f64,
    /// Last spike, seconds.
    pub last_s: f64,
    /// Mean rate of a unit between first and last spike, spikes/s; 0 without two different times.
    pub mean_rate_hz: f64,
    /// True when this is the whole file.
    pub whole: bool,
}

/// The first `max_rows` rows of a text file with the choices that its reader would take.
///
/// # Errors
/// [`FormatError`] when the file cannot be read as text at all; a file of unknown layout is no error (see
/// [`TextPreview::problem`]).
pub fn preview(path: &Path, max_rows: usize) -> Result<TextPreview, FormatError> {
    preview_with(path, max_rows, &OpenOptions::default())
}

/// As [`preview`], with answers to the choices. Reads at most 4 MiB of text, however long the file is.
///
/// # Errors
/// As [`preview`].
pub fn preview_with(path: &Path, max_rows: usize, options: &OpenOptions) -> Result<TextPreview, FormatError> {
    let head = Head::read(&mut Text::open(path, u64::MAX)?)?;
    let mut choices = Choices::new(path, &options.answers);
    let planned = plan::make(&head, &stem(path), &mut choices, path);
    let (names, rows) = cells(&head, planned.as_ref().ok(), &choices, max_rows);
    let mut preview = TextPreview { names, rows, layout: String::new(), choices: Vec::new(), effect: None, problem: None };
    let effect = planned.and_then(|plan| {
        preview.layout = plan.layout.label().to_owned();
        effect(path, &plan, &mut choices, options)
    });
    match effect {
        Ok((effect, made)) => (preview.effect, preview.choices) = (Some(effect), made),
        Err(error) => {
            preview.choices = std::mem::take(&mut choices.made);
            preview.problem = Some(error.to_string());
            // A question that has to be asked is one of the choices.
            if let FormatError::NeedsAnswer { choice, .. } = error
                && !preview.choices.iter().any(|c| c.key == choice.key)
            {
                preview.choices.push(*choice);
            }
        }
    }
    Ok(preview)
}

/// Names and first rows, with what was decided about separator, header and lines above.
fn cells(head: &Head, plan: Option<&Plan>, choices: &Choices, max_rows: usize) -> (Vec<String>, Vec<Vec<String>>) {
    let (dialect, skip, header) = match plan {
        Some(plan) => (plan.dialect, plan.skip, plan.header),
        None => {
            let (dialect, skip, _) = super::guess::dialect(head, None, None);
            let made = choices.made.iter().find(|c| c.key == "header");
            (dialect, skip, made.is_some_and(|c| c.value == "yes"))
        }
    };
    let grid = Grid::new(head, dialect, skip, header);
    let names = (0..grid.width.min(MOST_CELLS)).map(|at| grid.name(at)).collect();
    let rows = grid.rows.into_iter().take(max_rows).map(|r| r.into_iter().take(MOST_CELLS).collect()).collect();
    (names, rows)
}

fn effect(path: &Path, plan: &Plan, choices: &mut Choices, options: &OpenOptions) -> Result<(TextEffect, Vec<Choice>), FormatError> {
    let quiet = Progress { path, report: &|_, _| true };
    let mut text = Text::open(path, u64::MAX)?;
    let list = rows::read(path, &mut text, plan, Limits { text: SAMPLE, ..Limits::all(options.max_bytes.min(1 << 30)) }, &quiet)?;
    let whole = !list.cut;
    let parts = finish(list, plan, None, choices, ImportReport::default(), path)?.parts;
    let (units, spikes) = (parts.spikes.n_units(), parts.spikes.n_spikes());
    let (first_s, last_s) = parts.spikes.time_range().unwrap_or((0.0, 0.0));
    let mean_rate_hz = if last_s > first_s { spikes as f64 / units.max(1) as f64 / (last_s - first_s) } else { 0.0 };
    Ok((TextEffect { units, spikes, first_s, last_s, mean_rate_hz, whole }, parts.report.choices))
}

/// What files of the same kind have in common, to remember answers by: for text the extension, the separator and the names (or
/// else the number) of the columns; for anything else its extension or `folder`.
pub fn shape_key(path: &Path) -> String {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    if path.is_dir() {
        return "folder".to_owned();
    }
    let Some(head) = text_head(path) else { return extension };
    let none = std::collections::BTreeMap::new();
    let (dialect, skip, _) = super::guess::dialect(&head, None, None);
    let (header, _) = super::guess::header(&head, dialect, skip);
    let grid = Grid::new(&head, dialect, skip, header);
    let planned = plan::make(&head, &stem(path), &mut Choices::new(path, &none), path);
    let layout = planned.map_or("unknown", |p| p.layout.key());
    let columns = match (grid.names.is_empty(), grid.consistent) {
        (false, _) => grid.names.join(","),
        (true, true) => format!("{} columns", grid.width),
        (true, false) => "lines".to_owned(),
    };
    format!("{extension};{};{layout};{columns}", dialect.separator.key())
}

fn text_head(path: &Path) -> Option<Head> {
    use std::io::Read;
    let mut head = Vec::new();
    std::fs::File::open(path).ok()?.take(4096).read_to_end(&mut head).ok()?;
    if !super::sniff(&head) {
        return None;
    }
    Head::read(&mut Text::open(path, u64::MAX).ok()?).ok()
}
