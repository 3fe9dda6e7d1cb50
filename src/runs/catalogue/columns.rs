//! Columns of the table of runs: names, units, values, and the order that a column gives.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Entry;
use crate::training::{PRESETS, Recipe, RecipeField};

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Column {
    /// Name.
    Name,
    /// Where it stands.
    Status,
    /// Model.
    Model,
    /// Recording.
    Recording,
    /// When training began.
    Started,
    /// When training ended.
    Ended,
    /// Seconds of training.
    Duration,
    /// Optimiser steps.
    Steps,
    /// Device.
    Device,
    /// Note.
    Note,
    /// Folder.
    Folder,
    /// A number of the results.
    Metric(String),
    /// A setting of the recipe.
    Setting(String),
}

const METRIC: &str = "metric:";
const SETTING: &str = "setting:";

/// Columns that every run has: key, title, help.
const OWN: [(Column, &str, &str, &str); 11] = [
    (Column::Name, "name", "Name", "The name you gave, else that of the folder"),
    (Column::Status, "status", "Status", "Running, complete, stopped, failed or interrupted"),
    (Column::Model, "model", "Model", "Model"),
    (Column::Recording, "recording", "Recording", "Name of the recording"),
    (Column::Started, "started", "Started (UTC)", "End of training less its duration; pauses make the true start earlier"),
    (Column::Ended, "ended", "Ended (UTC)", "End of training"),
    (Column::Duration, "duration", "Duration", "Time of training, pauses left out"),
    (Column::Steps, "steps", "Steps", "Optimiser steps"),
    (Column::Device, "device", "Device", "Device that trained"),
    (Column::Note, "note", "Note", "Your note"),
    (Column::Folder, "folder", "Folder", "Run folder"),
];

impl From<Column> for String {
    fn from(column: Column) -> Self {
        column.key()
    }
}

impl From<String> for Column {
    fn from(key: String) -> Self {
        Self::parse(&key)
    }
}

impl Column {
    /// Columns that every run has, in their usual order.
    pub fn own() -> impl Iterator<Item = Self> {
        OWN.into_iter().map(|(column, ..)| column)
    }

    /// The columns shown first.
    pub fn usual() -> Vec<Self> {
        let scores = ["test_loss", "co_bps", "pearson"].map(|name| Self::Metric(name.to_owned()));
        let mut columns = vec![Self::Name, Self::Status, Self::Model];
        columns.extend(scores);
        columns.extend([Self::Ended, Self::Duration, Self::Device, Self::Note]);
        columns
    }

    /// As it is kept in files and typed on the command line.
    pub fn key(&self) -> String {
        match self {
            Self::Metric(name) => format!("{METRIC}{name}"),
            Self::Setting(path) => format!("{SETTING}{path}"),
            own => OWN.iter().find(|(column, ..)| column == own).map(|(_, key, ..)| (*key).to_owned()).unwrap_or_default(),
        }
    }

    /// From what [`Column::key`] gives, or from a bare name: a column that every run has, a dotted path or `seed` (a setting), else a
    /// number of the results.
    pub fn parse(key: &str) -> Self {
        if let Some((column, ..)) = OWN.into_iter().find(|(_, own, ..)| *own == key) {
            return column;
        }
        match (key.strip_prefix(METRIC), key.strip_prefix(SETTING)) {
            (Some(name), _) => Self::Metric(name.to_owned()),
            (_, Some(path)) => Self::Setting(path.to_owned()),
            _ if key.contains('.') || key == "seed" => Self::Setting(key.to_owned()),
            _ => Self::Metric(key.to_owned()),
        }
    }

    /// Heading.
    pub fn title(&self) -> String {
        match self {
            Self::Metric(name) => metric(name).map_or_else(|| words(name), |metric| metric.title.to_owned()),
            Self::Setting(path) => setting_field(path).map_or_else(|| words(path), |field| field.label.to_owned()),
            own => OWN.iter().find(|(column, ..)| column == own).map(|(_, _, title, _)| (*title).to_owned()).unwrap_or_default(),
        }
    }

    /// What it holds, with its unit.
    pub fn help(&self) -> String {
        let with_unit = |help: &str, unit: &str| if unit.is_empty() { help.to_owned() } else { format!("{help} ({unit})") };
        match self {
            Self::Metric(name) => metric(name).map_or_else(|| format!("'{name}' of the results"), |m| with_unit(m.help, m.unit)),
            Self::Setting(path) => {
                setting_field(path).map_or_else(|| format!("Setting {path}"), |f| format!("{}\n{path}", with_unit(f.help, f.unit)))
            }
            own => OWN.iter().find(|(column, ..)| column == own).map(|(.., help)| (*help).to_owned()).unwrap_or_default(),
        }
    }

    /// True when small values come first at the first click: times do not, scores where more is better do not.
    pub fn rises(&self) -> bool {
        match self {
            Self::Started | Self::Ended => false,
            Self::Metric(name) => !metric(name).is_some_and(|metric| metric.more_is_better),
            _ => true,
        }
    }

    /// True when values of runs of different models are different quantities.
    pub fn is_of_one_model(&self) -> bool {
        matches!(self, Self::Metric(name) if name.ends_with("_loss") || name.starts_with("test_loss"))
    }

    /// Value of a run.
    pub fn cell(&self, entry: &Entry) -> Cell {
        let text = |text: &str| if text.is_empty() { Cell::Missing } else { Cell::Text(text.to_owned()) };
        let facts = &entry.facts;
        let known = !facts.model.is_empty();
        match self {
            Self::Name => Cell::Text(entry.name()),
            Self::Status => text(entry.status.word()),
            Self::Model => text(&facts.model),
            Self::Recording => text(&facts.recording),
            Self::Started => text(&facts.started),
            Self::Ended => text(&facts.ended),
            Self::Duration if known => Cell::Number(facts.seconds),
            Self::Steps if known => Cell::Number(facts.steps as f64),
            Self::Duration | Self::Steps => Cell::Missing,
            Self::Device => text(&facts.device),
            Self::Note => text(&entry.mark.note),
            Self::Folder => Cell::Text(entry.folder.display().to_string()),
            Self::Metric(name) => facts.metrics.get(name).filter(|v| v.is_finite()).map_or(Cell::Missing, |v| Cell::Number(*v)),
            Self::Setting(path) => match facts.settings.get(path) {
                None | Some(Value::Null) => Cell::Missing,
                Some(Value::Number(number)) => number.as_f64().map_or(Cell::Missing, Cell::Number),
                Some(Value::String(text)) => Cell::Text(text.clone()),
                Some(other) => Cell::Text(other.to_string()),
            },
        }
    }
}

/// A value in the table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// The run has none.
    Missing,
    /// Number.
    Number(f64),
    /// Text.
    Text(String),
}

impl Cell {
    /// As JSON.
    pub fn json(&self) -> Value {
        match self {
            Self::Missing => Value::Null,
            Self::Number(number) => serde_json::json!(number),
            Self::Text(text) => Value::String(text.clone()),
        }
    }

    fn before(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.to_lowercase().cmp(&b.to_lowercase()).then_with(|| a.cmp(b)),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }
}

/// Which column orders the table, and which way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sorting {
    /// Column.
    pub column: Column,
    /// Largest first.
    pub descending: bool,
}

impl Default for Sorting {
    fn default() -> Self {
        Self::by(Column::Ended)
    }
}

impl Sorting {
    /// What is wanted first: best scores, newest times, names from A.
    pub fn by(column: Column) -> Self {
        Self { descending: !column.rises(), column }
    }

    /// After a click on a heading: another column, or the same one the other way round.
    pub fn clicked(&self, column: &Column) -> Self {
        if self.column == *column { Self { descending: !self.descending, ..self.clone() } } else { Self::by(column.clone()) }
    }
}

/// Places of the entries that are `shown`, in order: pinned ones first, then by the column; runs without a value come last whichever
/// way, and equal ones newest first.
pub fn order(entries: &[Arc<Entry>], shown: impl Fn(&Entry) -> bool, sorting: &Sorting) -> Vec<usize> {
    let mut rows: Vec<(usize, &Entry, Cell)> =
        entries.iter().enumerate().filter(|(_, e)| shown(e)).map(|(at, e)| (at, &**e, sorting.column.cell(e))).collect();
    rows.sort_by(|(_, a, x), (_, b, y)| {
        let missing = |cell: &Cell| *cell == Cell::Missing;
        let values = if sorting.descending { y.before(x) } else { x.before(y) };
        let newest = || b.facts.ended.cmp(&a.facts.ended).then_with(|| a.folder.cmp(&b.folder));
        b.mark.pinned.cmp(&a.mark.pinned).then_with(|| missing(x).cmp(&missing(y))).then(values).then_with(newest)
    });
    rows.into_iter().map(|(at, ..)| at).collect()
}

/// Every column that these runs have: those of every run, numbers of results, settings. True when runs differ in it.
pub fn offered(entries: &[Arc<Entry>]) -> Vec<(Column, bool)> {
    let mut metrics: BTreeMap<&str, (Option<f64>, bool)> = BTreeMap::new();
    let mut settings: BTreeMap<&str, (Option<&Value>, bool)> = BTreeMap::new();
    for entry in entries {
        for (name, value) in entry.facts.metrics.iter() {
            let (first, differs) = metrics.entry(name).or_default();
            *differs |= first.get_or_insert(*value) != value;
        }
        for (path, value) in entry.facts.settings.iter() {
            let (first, differs) = settings.entry(path).or_default();
            *differs |= *first.get_or_insert(value) != value;
        }
    }
    let mut columns: Vec<(Column, bool)> = Column::own().map(|column| (column, true)).collect();
    columns.extend(metrics.into_iter().map(|(name, (_, differs))| (Column::Metric(name.to_owned()), differs)));
    columns.extend(settings.into_iter().map(|(path, (_, differs))| (Column::Setting(path.to_owned()), differs)));
    columns
}

/// What is known of a number of the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Name in files.
    pub key: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// Unit, empty for pure numbers.
    pub unit: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// Larger values are better.
    pub more_is_better: bool,
}

macro_rules! metrics {
    ($($key:literal, $title:literal, $unit:literal, $better:literal, $help:literal;)*) => {
        &[$(Metric { key: $key, title: $title, unit: $unit, help: $help, more_is_better: $better },)*]
    };
}

const METRICS: &[Metric] = metrics! {
    "test_loss", "Test loss", "per bin and unit", false, "Loss on the test set; each model has a loss of its own";
    "test_loss_without_post_spike", "Test loss without post-spike", "per bin and unit", false, "Test loss with the post-spike filters left out";
    "validation_loss", "Validation loss", "per bin and unit", false, "Best validation loss of the last stage; each model has a loss of its own";
    "flat_loss", "Flat-rate loss", "per bin and unit", false, "Loss of one rate per unit, which a model must beat";
    "psth_loss", "PSTH loss", "per bin and unit", false, "Loss of the mean over training trials, which a model must beat";
    "oracle_loss", "True-rate loss", "per bin and unit", false, "Loss of the true rates of a simulation, the limit";
    "co_bps", "co-bps", "bits per spike", true, "How well spikes of held-out units are predicted, test trials";
    "fp_bps", "fp-bps", "bits per spike", true, "How well later spikes are predicted, test trials";
    "rate_r2", "True rates R²", "", true, "How much of the true rates' variance is found, test trials";
    "validation_co_bps", "co-bps, validation", "bits per spike", true, "Best co-bps on validation trials";
    "smoothing_co_bps", "co-bps of smoothing", "bits per spike", true, "co-bps of smoothed spikes, for comparison";
    "oracle_co_bps", "co-bps of true rates", "bits per spike", true, "co-bps of the true rates, the limit";
    "smoothing_fp_bps", "fp-bps of smoothing", "bits per spike", true, "fp-bps of smoothed spikes, for comparison";
    "oracle_fp_bps", "fp-bps of true rates", "bits per spike", true, "fp-bps of the true rates, the limit";
    "smoothing_rate_r2", "True rates R² of smoothing", "", true, "R² of smoothed spikes, for comparison";
    "oracle_rate_r2", "True rates R² of true rates", "", true, "1 by definition";
    "held_out_units", "Held-out units", "", true, "Units whose spikes the network never sees";
    "prediction_r2", "Prediction R²", "", true, "How much of the next bin's variance is predicted, mean over units, test set";
    "static_share", "Static share", "", true, "Share of attention's mean square that does not change in time";
    "pearson", "Pearson", "", true, "Correlation of attention with the true connections";
    "spearman", "Spearman", "", true, "Rank correlation of attention with the true connections";
    "auc", "AUC", "", true, "How surely true connections have larger attention than other pairs";
    "lag1_pearson", "Pearson, lag 1", "", true, "The same of the lag-1 cross-correlation, for comparison";
    "lag1_spearman", "Spearman, lag 1", "", true, "The same of the lag-1 cross-correlation, for comparison";
    "lag1_auc", "AUC, lag 1", "", true, "The same of the lag-1 cross-correlation, for comparison";
    "supported_pairs", "Supported pairs", "", true, "Pairs of areas that the edge score supports";
    "true_cos_send", "|cos| sending", "", true, "Agreement of sending weights with the truth, mean over true edges";
    "true_cos_receive", "|cos| receiving", "", true, "Agreement of receiving weights with the truth, mean over true edges";
    "true_filter_corr", "True filter correlation", "", true, "Correlation of filters with the truth, mean over true edges";
};

/// What is known of the number with this name.
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.key == name)
}

/// Place of a number among those that are known; behind them when it is not.
pub fn metric_place(name: &str) -> usize {
    METRICS.iter().position(|metric| metric.key == name).unwrap_or(METRICS.len())
}

/// The setting of any model with this path.
pub fn setting_field(path: &str) -> Option<&'static RecipeField> {
    PRESETS.iter().find_map(|preset| {
        let mut recipe = Recipe::default();
        preset.choose(&mut recipe, None);
        recipe.fields().find(|field| field.path == path)
    })
}

/// A name of a file format as people write it: `model.batch_size` is `Batch size`.
pub fn words(key: &str) -> String {
    let last = key.rsplit('.').next().unwrap_or(key).replace('_', " ");
    let mut letters = last.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
