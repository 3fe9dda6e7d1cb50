//! All runs of some folders as a table: what is in each run, how it ended, what the user wrote beside it. Nothing that lies in such
//! a folder is an error: what is no run, or cannot be read, is listed with the reason. Looking again reads only what changed.

mod columns;
mod mark;
mod trash;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::time::from_utc;
use super::writer::{owner_of, recover};
use super::{MANIFEST, Manifest, RECIPE, RecordingSource, RunError, RunStatus, SUMMARY, utc};
use crate::training::Recipe;
use crate::training::sweep::is_sweep;

pub use columns::{Cell, Column, Metric, Sorting, metric, metric_place, offered, order, setting_field, words};
pub use mark::{Mark, NOTES};
pub use trash::{InTrash, TRASH, Trashed, delete_for_good, move_to_trash, restore, trashed_in};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Training goes on.
    Running,
    /// All stages done.
    Complete,
    /// Ended by the user, who kept what there was.
    Stopped,
    /// Ended by an error; what there was is kept.
    Failed,
    /// Begun, but neither ended nor going on.
    Interrupted,
    /// A run that cannot be read: damaged, or written by a newer program.
    Unreadable,
    /// A folder with something else in it.
    Foreign,
}

impl Status {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Unreadable => "unreadable",
            Self::Foreign => "no run",
        }
    }
}

impl From<RunStatus> for Status {
    fn from(status: RunStatus) -> Self {
        match status {
            RunStatus::Running => Self::Running,
            RunStatus::Interrupted => Self::Interrupted,
            RunStatus::Complete => Self::Complete,
            RunStatus::Stopped => Self::Stopped,
            RunStatus::Failed => Self::Failed,
        }
    }
}

/// Values by name, in alphabetical order of the names; names are shared between runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Table<T>(Vec<(Arc<str>, T)>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Table<T> {
    fn new(values: impl IntoIterator<Item = (String, T)>, names: &mut HashSet<Arc<str>>) -> Self {
        let mut shared = |name: String| match names.get(name.as_str()) {
            Some(known) => Arc::clone(known),
            None => {
                let name: Arc<str> = name.into();
                names.insert(Arc::clone(&name));
                name
            }
        };
        let mut table: Vec<(Arc<str>, T)> = values.into_iter().map(|(name, value)| (shared(name), value)).collect();
        table.sort_by(|a, b| a.0.cmp(&b.0));
        Self(table)
    }

    /// The value with this name.
    pub fn get(&self, name: &str) -> Option<&T> {
        let at = self.0.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

/// What the files of a run say. Empty where they cannot be read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Title of the model, for example `GLM-Transformer`.
    pub model: String,
    /// Name of the recording.
    pub recording: String,
    /// Fingerprint of the recording, see `Recording::fingerprint`.
    pub fingerprint: String,
    /// Where the recording came from.
    pub source: Option<RecordingSource>,
    /// When training ended, UTC.
    pub ended: String,
    /// When it ended less the seconds of training, UTC: pauses make the true start earlier.
    pub started: String,
    /// Seconds of training, pauses left out.
    pub seconds: f64,
    /// Optimiser steps.
    pub steps: u64,
    /// Name of the device that trained.
    pub device: String,
    /// Why it failed, when it did.
    pub message: Option<String>,
    /// Every setting of the recipe by its dotted path.
    pub settings: Table<Value>,
    /// Every number of the results by its name.
    pub metrics: Table<f64>,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The run folder.
    pub folder: PathBuf,
    /// Where it stands.
    pub status: Status,
    /// What is wrong with it, with what to do.
    pub problem: Option<String>,
    /// What its files say.
    pub facts: Facts,
    /// What the user wrote beside it.
    pub mark: Mark,
}

impl Entry {
    /// The name the user gave, else that of the folder.
    pub fn name(&self) -> String {
        if self.mark.name.is_empty() { self.folder_name() } else { self.mark.name.clone() }
    }

    /// Name of the folder.
    pub fn folder_name(&self) -> String {
        self.folder.file_name().unwrap_or(self.folder.as_os_str()).to_string_lossy().into_owned()
    }

    /// True when its results can be opened; of an interrupted run, what its last checkpoint has.
    pub fn is_readable(&self) -> bool {
        matches!(self.status, Status::Complete | Status::Stopped | Status::Failed | Status::Interrupted) && self.problem.is_none()
    }

    /// True when its training can go on, as far as a list can tell.
    pub fn may_resume(&self) -> bool {
        matches!(self.status, Status::Stopped | Status::Failed | Status::Interrupted) && self.problem.is_none()
    }

    /// A run that is being trained: it has no folder yet, or none that is complete.
    pub fn running(folder: &Path, recipe: &Recipe, recording: (&str, &str), device: &str, seconds: f64, steps: u64) -> Self {
        let mut names = HashSet::new();
        let (recording, fingerprint) = recording;
        let facts = Facts {
            model: recipe.model.preset().title.to_owned(),
            recording: recording.to_owned(),
            fingerprint: fingerprint.to_owned(),
            seconds,
            steps,
            device: device.to_owned(),
            settings: settings(recipe, &mut names),
            ..Facts::default()
        };
        Self { folder: folder.to_owned(), status: Status::Running, problem: None, facts, mark: Mark::default() }
    }
}

/// The table, and what of its folders could not be looked into.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// All entries, by path.
    pub entries: Vec<Arc<Entry>>,
    /// Runs in the trash of these folders, newest first.
    pub trash: Vec<Arc<InTrash>>,
    /// Folders that could not be read, each with the reason.
    pub problems: Vec<(PathBuf, String)>,
    /// The folders have been looked into at least once.
    pub ready: bool,
}

/// When and how large the files were that an entry was read from.
type Stamp = [Option<(SystemTime, u64)>; 3];

/// Runs of some folders, kept between looks.
#[derive(Debug, Default)]
pub struct Catalogue {
    known: HashMap<PathBuf, (Stamp, Arc<Entry>)>,
    names: HashSet<Arc<str>>,
    recovered: HashSet<PathBuf>,
    trash: HashMap<Trashed, Arc<InTrash>>,
}

impl Catalogue {
    /// Everything directly inside the folders, and the members of sweeps there; a folder that is a run itself stands for itself. `own` is where new runs will be and
    /// may be missing. Only what changed since the last look is read again.
    pub fn look(&mut self, own: Option<&Path>, others: &[PathBuf]) -> Listing {
        let mut listing = Listing { ready: true, ..Listing::default() };
        let mut seen = HashSet::new();
        for folder in own.into_iter().chain(others.iter().map(PathBuf::as_path)) {
            let inside = match self.inside_and_sweeps(folder) {
                Ok(inside) => inside,
                Err(e) if own == Some(folder) && e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => {
                    let why = format!("{}: cannot be read: {e}; check the path, or take the folder off the list", folder.display());
                    listing.problems.push((folder.to_owned(), why));
                    continue;
                }
            };
            for path in inside {
                if seen.insert(path.clone()) {
                    listing.entries.push(self.entry(path));
                }
            }
            for trashed in trashed_in(folder) {
                // Nobody writes to what is in the trash, so it is looked at once.
                let known = self.trash.entry(trashed.clone()).or_insert_with(|| Arc::new(InTrash::read(trashed)));
                if !listing.trash.contains(known) {
                    listing.trash.push(Arc::clone(known));
                }
            }
        }
        self.trash.retain(|trashed, _| listing.trash.iter().any(|found| found.trashed == *trashed));
        listing.trash.sort_by(|a, b| b.thrown.cmp(&a.thrown).then_with(|| a.trashed.to.cmp(&b.trashed.to)));
        self.known.retain(|path, _| seen.contains(path));
        listing.entries.sort_by(|a, b| a.folder.cmp(&b.folder));
        listing
    }

    fn inside(&mut self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        if folder.join(MANIFEST).is_file() {
            return Ok(vec![folder.to_owned()]);
        }
        let read = || -> std::io::Result<Vec<PathBuf>> { std::fs::read_dir(folder)?.map(|e| Ok(e?.path())).collect() };
        let mut inside = read()?;
        // Once: while somebody replaces a run, looking again and again must not put the old one back.
        if self.recovered.insert(folder.to_owned()) {
            let owners: Vec<PathBuf> = inside.iter().filter_map(|p| owner_of(p)).collect();
            if !owners.is_empty() {
                owners.iter().for_each(|owner| recover(owner));
                inside = read()?;
            }
        }
        let hidden = |p: &Path| p.file_name().is_none_or(|n| n.to_string_lossy().starts_with('.'));
        inside.retain(|p| !hidden(p) && p.is_dir());
        Ok(inside)
    }

    /// The same, and in place of a sweep its members.
    fn inside_and_sweeps(&mut self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        let mut runs = Vec::new();
        for path in self.inside(folder)? {
            match is_sweep(&path) {
                // One that cannot be looked into is listed as a folder that is no run, with the reason.
                true => runs.extend(self.inside(&path).unwrap_or_else(|_| vec![path])),
                false => runs.push(path),
            }
        }
        Ok(runs)
    }

    fn entry(&mut self, folder: PathBuf) -> Arc<Entry> {
        let stamp = [MANIFEST, NOTES, RECIPE].map(|file| {
            let metadata = std::fs::metadata(folder.join(file)).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        });
        if let Some((before, entry)) = self.known.get(&folder)
            && *before == stamp
            // Whether somebody trains it is not in these files.
            && !matches!(entry.status, Status::Running | Status::Interrupted)
        {
            return Arc::clone(entry);
        }
        let entry = Arc::new(read(&folder, &mut self.names));
        self.known.insert(folder, (stamp, Arc::clone(&entry)));
        entry
    }
}

/// One folder as it is now.
pub fn entry(folder: &Path) -> Entry {
    read(folder, &mut HashSet::new())
}

fn read(folder: &Path, names: &mut HashSet<Arc<str>>) -> Entry {
    let (mark, mut problem) = match Mark::read(folder) {
        Ok(mark) => (mark, None),
        Err(what) => (Mark::default(), Some(what)),
    };
    let mut entry = Entry { folder: folder.to_owned(), status: Status::Foreign, problem: None, facts: Facts::default(), mark };
    match Manifest::read(folder) {
        Ok(manifest) => {
            entry.status = manifest.status.into();
            let (facts, wrong) = facts(folder, manifest, names);
            entry.facts = facts;
            problem = wrong.or(problem);
        }
        Err(RunError::NotARun { .. }) if folder.join(RECIPE).is_file() && !folder.join(MANIFEST).exists() => {
            entry.status = Status::Interrupted;
            let text = std::fs::read_to_string(folder.join(RECIPE)).unwrap_or_default();
            if let Ok(recipe) = Recipe::parse(&text) {
                entry.facts.model = recipe.model.preset().title.to_owned();
                entry.facts.settings = settings(&recipe, names);
            }
            problem = Some("Training has not ended here: there is no manifest.json, which is written last".to_owned());
        }
        Err(error @ RunError::NotARun { .. }) => problem = Some(error.to_string()),
        Err(error) => {
            entry.status = Status::Unreadable;
            problem = Some(error.to_string());
        }
    }
    entry.problem = problem;
    entry
}

/// What manifest, recipe and summary say, and what is wrong with the last two.
fn facts(folder: &Path, manifest: Manifest, names: &mut HashSet<Arc<str>>) -> (Facts, Option<String>) {
    let text = |name: &str| -> Result<String, String> {
        let bytes = manifest.file(folder, name).and_then(|file| file.read(folder)).map_err(|e| e.to_string())?;
        String::from_utf8(bytes).map_err(|e| format!("{}: this is not UTF-8 text ({e})", folder.join(name).display()))
    };
    let wrong = |name: &str, what: String| format!("{}: {what}", folder.join(name).display());
    let recipe = text(RECIPE).and_then(|text| Recipe::parse(&text).map_err(|e| wrong(RECIPE, e.to_string())));
    let summary = match manifest.status.is_over() {
        true => text(SUMMARY).and_then(|text| serde_json::from_str::<Value>(&text).map_err(|e| wrong(SUMMARY, e.to_string()))),
        // It is written at the end.
        false => Ok(Value::Null),
    };
    let title = recipe.as_ref().map(|recipe| recipe.model.preset().title.to_owned());
    let facts = Facts {
        model: title.unwrap_or_else(|_| manifest.model.clone()),
        started: started(&manifest.created, manifest.seconds),
        settings: recipe.as_ref().map(|recipe| settings(recipe, names)).unwrap_or_default(),
        metrics: summary.as_ref().map(|summary| Table::new(metrics(summary), names)).unwrap_or_default(),
        recording: manifest.recording.name,
        fingerprint: manifest.recording.fingerprint,
        source: Some(manifest.recording.source),
        ended: manifest.created,
        seconds: manifest.seconds,
        steps: manifest.steps,
        device: manifest.device,
        message: manifest.message,
    };
    (facts, recipe.err().or(summary.err()))
}

fn started(ended: &str, seconds: f64) -> String {
    let training = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    from_utc(ended).and_then(|at| at.checked_sub(training)).map(utc).unwrap_or_default()
}

/// Every leaf of the recipe by its dotted path.
fn settings(recipe: &Recipe, names: &mut HashSet<Arc<str>>) -> Table<Value> {
    fn leaves(path: &str, value: Value, into: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    leaves(&if path.is_empty() { key } else { format!("{path}.{key}") }, value, into);
                }
            }
            leaf => into.push((path.to_owned(), leaf)),
        }
    }
    let mut all = Vec::new();
    leaves("", serde_json::to_value(recipe).unwrap_or_default(), &mut all);
    all.retain(|(path, _)| path != "layout" && path != "model.kind");
    Table::new(all, names)
}

/// The numbers of a summary: all of its own, the last stage's validation loss, and of true edges the means.
pub fn metrics(summary: &Value) -> BTreeMap<String, f64> {
    let mut metrics = BTreeMap::new();
    let own = summary.as_object().into_iter().flatten();
    metrics.extend(own.filter(|(key, _)| *key != "seconds").filter_map(|(key, value)| Some((key.clone(), value.as_f64()?))));
    let validation = summary["stages"].as_array().and_then(|stages| stages.last()?["validation_loss"].as_f64());
    metrics.extend(validation.map(|loss| ("validation_loss".to_owned(), loss)));
    metrics.extend(summary["truth"]["oracle_loss"].as_f64().map(|loss| ("oracle_loss".to_owned(), loss)));
    if let Some(edges) = summary["edges"].as_array().filter(|edges| edges.iter().any(|e| e["supported"].is_boolean())) {
        metrics.insert("supported_pairs".to_owned(), edges.iter().filter(|e| e["supported"] == true).count() as f64);
    }
    if let Some(found) = summary["truth"]["edges"].as_array().filter(|found| !found.is_empty()) {
        for key in ["cos_send", "cos_receive", "filter_corr"] {
            let values: Vec<f64> = found.iter().filter_map(|edge| edge[key].as_f64()).collect();
            if values.len() == found.len() {
                metrics.insert(format!("true_{key}"), values.iter().sum::<f64>() / values.len() as f64);
            }
        }
    }
    metrics
}

#[cfg(test)]
mod tests;
