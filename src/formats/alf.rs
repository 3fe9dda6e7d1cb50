//! Folders in the ALF layout of the International Brain Laboratory: `spikes.times.npy` and `spikes.clusters.npy` per probe, what is
//! known about clusters and channels beside them, trials above. A session with several probes is one recording with a column
//! `probe`. Brain areas come from the numbers of the Allen atlas (CCF 2017).

mod atlas;
mod clusters;
mod datasets;
mod parquet;
mod trials;

use std::path::Path;

use self::clusters::Clusters;
use self::datasets::{Folder, Found};
use super::arrays::spikes::Members;
use super::choices::{Choices, Question};
use super::npz::npy;
use super::{FormatError, Loaded, OpenOptions, Probe, Progress, clean};
use crate::recording::{Column, ImportReport, NamedColumn, NoteKind, RecordingParts};

const NOTHING: &str = "(none)";
/// Where sorters put what they make of a probe, the better one first.
const SORTERS: &[&str] = &["iblsorter", "pykilosort", "ks2_matlab"];

/// True for a folder with spikes in it or below, and for a file of spikes.
pub(super) fn sniff(probe: &Probe) -> bool {
    if probe.names.is_some() {
        // A folder of another kind is not searched to the bottom.
        return !Found::walk(probe.path).probes.is_empty();
    }
    let name = probe.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let of_spikes = name.starts_with("spikes.times.") || name.starts_with("spikes.clusters.");
    of_spikes && probe.head.starts_with(b"\x93NUMPY") && probe.path.parent().is_some_and(|p| !Found::walk(p).probes.is_empty())
}

/// Read a session.
pub(super) fn read(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Loaded, FormatError> {
    progress.at(0.05, "looking for probes")?;
    let root = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let mut found = Found::walk(root);
    let mut choices = Choices::new(path, &options.answers);
    let mut report = ImportReport::default();
    session(root, &mut found, &mut choices)?;
    let trials = found.trials(root);
    let probes = chosen(root, found.probes, &mut choices, &mut report)?;
    let mut all = All::default();
    for (k, (name, folder)) in probes.iter().enumerate() {
        progress.at(0.1 + 0.6 * k as f32 / probes.len() as f32, "reading spikes")?;
        let one = probe(folder, options, &mut choices, &mut report)?;
        all.add(name, probes.len() > 1, one);
    }
    progress.at(0.7, "cleaning spikes")?;
    let parts = all.into_parts(path, &mut choices, report)?;
    let mut parts = RecordingParts { name: name_of(path), ..parts };
    progress.at(0.9, "reading trials")?;
    parts.tables.extend(trials.and_then(|folder| trials::read(&folder, options.max_bytes, &mut parts.report)));
    parts.report.choices = choices.made;
    Ok(parts.into())
}

/// Of several sessions, the one that was chosen: they are different recordings.
fn session(root: &Path, found: &mut Found, choices: &mut Choices) -> Result<(), FormatError> {
    let sessions = found.sessions(root);
    if sessions.len() < 2 {
        return Ok(());
    }
    let names: Vec<String> = sessions.iter().map(|s| s.display().to_string()).collect();
    let why = format!("the folder holds {} sessions, which are recordings of their own", names.len());
    let question = Question { key: "session", label: "Session", proposed: None, why: &why, assumed: false };
    let options: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), n.as_str())).collect();
    let pick = choices.pick(&question, &options)?;
    if let Some(chosen) = sessions.iter().find(|s| s.display().to_string() == pick) {
        found.keep(root, chosen);
    }
    Ok(())
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Probes to read, with their names: of several sortings of a probe one, of several probes all unless one was chosen.
fn chosen(
    root: &Path,
    folders: Vec<Folder>,
    choices: &mut Choices,
    report: &mut ImportReport,
) -> Result<Vec<(String, Folder)>, FormatError> {
    let mut probes: Vec<(String, Vec<Folder>)> = Vec::new();
    for folder in folders {
        let name = probe_name(root, &folder.path);
        match probes.iter_mut().find(|(n, _)| *n == name) {
            Some((_, same)) => same.push(folder),
            None => probes.push((name, vec![folder])),
        }
    }
    probes.sort_by(|a, b| a.0.cmp(&b.0));
    let mut read = Vec::new();
    for (name, mut sortings) in probes {
        let rank = |f: &Folder| SORTERS.iter().position(|s| f.path.ends_with(s)).unwrap_or(SORTERS.len());
        sortings.sort_by_key(rank);
        let labels: Vec<String> = sortings.iter().map(|f| f.path.strip_prefix(root).unwrap_or(&f.path).display().to_string()).collect();
        let mut at = 0;
        if labels.len() > 1 {
            let key = format!("sorting/{name}");
            let why = format!("{name} was sorted {} times; one of them is read", labels.len());
            let question = Question {
                key: &key,
                label: "Sorting of the probe",
                proposed: labels.first().map(String::as_str),
                why: &why,
                assumed: true,
            };
            let pairs: Vec<(&str, &str)> = labels.iter().map(|l| (l.as_str(), l.as_str())).collect();
            let pick = choices.pick(&question, &pairs)?;
            at = labels.iter().position(|l| *l == pick).unwrap_or(0);
            report.add(NoteKind::Assumed, name.clone(), format!("{why}: {pick}"));
        }
        read.push((name, sortings.swap_remove(at)));
    }
    if read.len() > 1 {
        let names: Vec<String> = read.iter().map(|(n, _)| n.clone()).collect();
        let why = format!("there are {} probes; the column 'probe' tells their units apart", names.len());
        let question = Question { key: "probe", label: "Probes", proposed: Some("all"), why: &why, assumed: false };
        let mut options = vec![("all", "all probes")];
        options.extend(names.iter().map(|n| (n.as_str(), n.as_str())));
        let pick = choices.pick(&question, &options)?;
        read.retain(|(n, _)| pick == "all" || *n == pick);
    }
    Ok(read)
}

/// `probe00` in `alf/probe00/pykilosort`; else the folder below `root`.
fn probe_name(root: &Path, folder: &Path) -> String {
    let names = || folder.iter().rev().map(|n| n.to_string_lossy().into_owned());
    let below = folder.strip_prefix(root).ok().and_then(|p| p.iter().find(|n| *n != "alf")).map(|n| n.to_string_lossy().into_owned());
    names().find(|n| n.to_lowercase().starts_with("probe")).or(below).or_else(|| names().next()).unwrap_or_default()
}

/// Spikes and clusters of one probe.
struct One {
    times: Vec<f64>,
    members: Members,
    clusters: Clusters,
}

fn probe(folder: &Folder, options: &OpenOptions, choices: &mut Choices, report: &mut ImportReport) -> Result<One, FormatError> {
    let numbers = |path: &Path| {
        let values = npy::read_file(path, options.max_bytes)?.values;
        values.into_numbers().ok_or_else(|| FormatError::corrupt(path, "the array", "it should hold numbers"))
    };
    let times = match (folder.npy("spikes", "times"), folder.npy("spikes", "samples")) {
        (Some(path), _) => numbers(path)?,
        (None, Some(path)) => {
            let why = "spikes.times is missing, and spikes.samples does not say how many samples are a second";
            let question = Question { key: "sampling_rate_hz", label: "Sampling rate", proposed: None, why, assumed: false };
            let rate = choices.positive(&question, "Hz")?;
            numbers(path)?.into_iter().map(|s| s / rate).collect()
        }
        (None, None) => return Err(FormatError::corrupt(&folder.path, "spikes.times.npy", "the file is missing")),
    };
    let Some(path) = folder.npy("spikes", "clusters") else {
        return Err(FormatError::corrupt(&folder.path, "spikes.clusters.npy", "the file is missing"));
    };
    let ids = npy::read_file(path, options.max_bytes)?.values;
    if ids.len() != times.len() {
        let problem = format!("it has {} values, but there are {} spike times", ids.len(), times.len());
        return Err(FormatError::corrupt(path, "the array", problem));
    }
    let mut members = Members::of(ids).map_err(|problem| FormatError::corrupt(path, "the array", problem))?;
    let clusters = clusters::read(folder, options.max_bytes, report)?;
    let unlisted = members.list((0..clusters.count).map(|c| c.to_string()).collect());
    if clusters.count > 0 && unlisted > 0 {
        let message = format!("{} of spikes that clusters.* do not list; kept without columns", clean::counted(unlisted, "cluster"));
        report.add(NoteKind::Advice, "spikes.clusters", message);
    }
    Ok(One { times, members, clusters })
}

/// Units of all probes.
#[derive(Default)]
struct All {
    times: Vec<f64>,
    offsets: Vec<usize>,
    ids: Vec<String>,
    probes: Vec<String>,
    columns: Vec<NamedColumn>,
}

impl All {
    fn add(&mut self, probe: &str, several: bool, one: One) {
        let (times, offsets) = one.members.trains(&one.times);
        let (base, units) = (self.times.len(), self.ids.len());
        let added = one.members.ids.len();
        self.times.extend(times);
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        self.offsets.extend(offsets.iter().skip(1).map(|o| o + base));
        self.ids.extend(one.members.ids.into_iter().map(|id| if several { format!("{probe}/{id}") } else { id }));
        self.probes.extend(std::iter::repeat_n(probe.to_owned(), added));
        for column in one.clusters.columns {
            let column = NamedColumn { values: resized(column.values, added), ..column };
            match self.columns.iter_mut().find(|c| c.name == column.name) {
                Some(known) => known.values = joined(&resized(known.values.clone(), units), &column.values),
                None => {
                    let values = joined(&resized(empty_like(&column.values), units), &column.values);
                    self.columns.push(NamedColumn { values, ..column });
                }
            }
        }
        let total = self.ids.len();
        for column in &mut self.columns {
            if column.values.len() < total {
                column.values = resized(column.values.clone(), total);
            }
        }
    }

    fn into_parts(mut self, path: &Path, choices: &mut Choices, mut report: ImportReport) -> Result<RecordingParts, FormatError> {
        self.leave_out_silent(choices, &mut report)?;
        let spikes = clean::clean(self.times, self.offsets, &self.ids, "spikes.times", &mut report)
            .ok_or_else(|| FormatError::corrupt(path, "spikes", "they do not add up to the clusters"))?;
        let has_areas = self.columns.iter().any(|c| c.name == clusters::AREA);
        let mut unit_areas = vec![String::new(); self.ids.len()];
        if has_areas {
            let why = "areas are those of the channels with the largest waveform, by the Allen atlas (CCF 2017)";
            let question = Question { key: "area", label: "Brain area from", proposed: Some(clusters::AREA), why, assumed: false };
            let options = [(clusters::AREA, "acronyms of the atlas"), (NOTHING, "nothing, all units are in one area")];
            if choices.pick(&question, &options)? == clusters::AREA {
                let at = self.columns.iter().position(|c| c.name == clusters::AREA);
                if let Some(column) = at.map(|at| self.columns.remove(at)) {
                    unit_areas = (0..self.ids.len()).map(|u| column.values.text(u)).collect();
                }
                report.add(NoteKind::Assumed, "area", why);
            }
        } else {
            let message = "the folder does not say which area a unit is from; all units are in one area without a name";
            report.add(NoteKind::Assumed, "area", message);
        }
        let several = self.probes.windows(2).any(|w| w[0] != w[1]);
        if several {
            let values = Column::Text(self.probes);
            self.columns.insert(0, NamedColumn { name: "probe".to_owned(), description: String::new(), values });
        }
        Ok(RecordingParts { spikes, unit_ids: self.ids, unit_areas, unit_columns: self.columns, report, ..RecordingParts::default() })
    }

    /// Clusters that the sorter lists but that have no spikes.
    fn leave_out_silent(&mut self, choices: &mut Choices, report: &mut ImportReport) -> Result<(), FormatError> {
        let keep: Vec<bool> = self.offsets.windows(2).map(|w| w[1] > w[0]).collect();
        let silent = keep.iter().filter(|k| !**k).count();
        if silent == 0 {
            return Ok(());
        }
        let why = format!("{silent} of {} listed clusters have no spikes", keep.len());
        let question =
            Question { key: "silent_units", label: "Clusters without spikes", proposed: Some("leave_out"), why: &why, assumed: true };
        if choices.pick(&question, &[("leave_out", "leave out"), ("keep", "keep")])? == "keep" {
            return Ok(());
        }
        report.add(NoteKind::LeftOut, "clusters", why);
        let kept = |u: usize| keep.get(u).copied().unwrap_or(false);
        let mut at = 0..;
        self.ids.retain(|_| at.next().is_some_and(kept));
        let mut at = 0..;
        self.probes.retain(|_| at.next().is_some_and(kept));
        self.offsets.dedup();
        for column in &mut self.columns {
            column.values = picked(&column.values, &keep);
        }
        Ok(())
    }
}

fn picked(column: &Column, keep: &[bool]) -> Column {
    fn of<T: Clone>(values: &[T], keep: &[bool]) -> Vec<T> {
        values.iter().zip(keep).filter(|(_, k)| **k).map(|(v, _)| v.clone()).collect()
    }
    match column {
        Column::Float(v) => Column::Float(of(v, keep)),
        Column::Int(v) => Column::Int(of(v, keep)),
        Column::Bool(v) => Column::Bool(of(v, keep)),
        Column::Text(v) => Column::Text(of(v, keep)),
    }
}

fn empty_like(column: &Column) -> Column {
    if column.is_numeric() { Column::Float(Vec::new()) } else { Column::Text(Vec::new()) }
}

/// A column of `n` rows; rows that were not there have no value.
fn resized(column: Column, n: usize) -> Column {
    if column.len() == n {
        return column;
    }
    match column {
        Column::Text(mut v) => {
            v.resize(n, String::new());
            Column::Text(v)
        }
        numbers => Column::Float((0..n).map(|r| numbers.number(r)).collect()),
    }
}

/// One column after another; numbers of different kinds become real numbers, numbers and texts texts.
fn joined(a: &Column, b: &Column) -> Column {
    match (a, b) {
        (Column::Int(a), Column::Int(b)) => Column::Int([a.as_slice(), b].concat()),
        (Column::Bool(a), Column::Bool(b)) => Column::Bool([a.as_slice(), b].concat()),
        (a, b) if a.is_numeric() && b.is_numeric() => {
            Column::Float((0..a.len()).map(|r| a.number(r)).chain((0..b.len()).map(|r| b.number(r))).collect())
        }
        (a, b) => Column::Text((0..a.len()).map(|r| a.text(r)).chain((0..b.len()).map(|r| b.text(r))).collect()),
    }
}
