//! Folders of Kilosort and Phy: `spike_times.npy` (samples), `spike_clusters.npy`, `params.py` (sampling rate), and what is known
//! of the clusters in `cluster_*.tsv`. The folder or any file in it can be opened.

mod array;
mod depth;
mod tables;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use self::array::Array;
use self::tables::Tables;
use super::choices::{Choices, Question};
use super::clean::{self, counted};
use super::{FormatError, Loaded, OpenOptions, Probe, Progress};
use crate::recording::{Column, ImportReport, NamedColumn, NoteKind, RecordingParts, Source};

const TIMES: &str = "spike_times.npy";
const CLUSTERS: &str = "spike_clusters.npy";
const TEMPLATES: &str = "spike_templates.npy";
const PARAMS: &str = "params.py";
/// Most of a `params.py` that is looked at, bytes.
const PARAMS_BYTES: u64 = 1 << 20;

/// True for such a folder, and for its files.
pub(super) fn sniff(probe: &Probe) -> bool {
    if let Some(names) = probe.names {
        return names.iter().any(|n| n == TIMES);
    }
    let name = probe.path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let table = name.starts_with("cluster_") && (name.ends_with(".tsv") || name.ends_with(".csv"));
    let one_of_them = name == PARAMS || table || name.ends_with(".npy");
    one_of_them && probe.path.parent().is_some_and(|folder| folder.join(TIMES).is_file())
}

/// Read the folder that `path` is or lies in.
pub(super) fn read(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Loaded, FormatError> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = if absolute.is_dir() { absolute } else { absolute.parent().map(Path::to_owned).unwrap_or(absolute) };
    let mut reading =
        Reading { folder: &folder, options, choices: Choices::new(&folder, &options.answers), report: ImportReport::default() };
    let parts = reading.parts(progress)?;
    Ok(Loaded { source: Some(Source::File(folder)), ..parts.into() })
}

struct Reading<'a> {
    folder: &'a Path,
    options: &'a OpenOptions,
    choices: Choices<'a>,
    report: ImportReport,
}

impl Reading<'_> {
    fn parts(&mut self, progress: &Progress) -> Result<RecordingParts, FormatError> {
        progress.at(0.05, "reading spike times")?;
        let times = self.array(TIMES)?.list()?;
        progress.at(0.3, "reading clusters")?;
        let file = self.cluster_file()?;
        let clusters = self.array(file)?.list()?;
        if times.len() != clusters.len() {
            let problem = format!("it has {}, but {file} has {}", counted(times.len(), "value"), counted(clusters.len(), "value"));
            return Err(self.damaged(TIMES, problem));
        }
        if times.is_empty() {
            return Err(self.damaged(TIMES, "it has no spikes".to_owned()));
        }
        let per_second = self.per_second(&times)?;
        progress.at(0.5, "sorting spikes into units")?;
        let ids = self.ids(&clusters, file)?;
        progress.at(0.7, "reading what is known of the clusters")?;
        let tables = Tables::read(self.folder, &ids, &mut self.report)?;
        let kept = self.keep(&tables, &ids)?;
        let (times, offsets) = sort(&times, &clusters, &ids, &kept, per_second);
        let mut columns = tables.columns(&kept);
        let found = depth::Clusters { ids: &ids, kept: &kept, of_spikes: &clusters };
        depth::add(self.folder, self.options, &mut self.choices, &found, &mut columns, &mut self.report)?;
        let unit_areas = self.areas(&columns, kept.len())?;
        let unit_ids: Vec<String> = kept.iter().filter_map(|&k| ids.get(k)).map(i64::to_string).collect();
        progress.at(0.9, "checking spike times")?;
        let spikes = clean::clean(times, offsets, &unit_ids, TIMES, &mut self.report)
            .ok_or_else(|| self.damaged(TIMES, "its spikes do not add up to those of the clusters".to_owned()))?;
        let mut report = std::mem::take(&mut self.report);
        report.choices = std::mem::take(&mut self.choices.made);
        let name = self.folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(RecordingParts { name, spikes, unit_ids, unit_areas, unit_columns: columns, report, ..RecordingParts::default() })
    }

    fn damaged(&self, object: &str, problem: String) -> FormatError {
        FormatError::corrupt(self.folder, object, problem)
    }

    fn array(&self, name: &str) -> Result<Array, FormatError> {
        Array::open(self.folder, name, self.options.max_bytes)
    }

    /// Curated clusters, else the templates that Kilosort found.
    fn cluster_file(&mut self) -> Result<&'static str, FormatError> {
        let has = |name: &str| self.folder.join(name).is_file();
        match (has(CLUSTERS), has(TEMPLATES)) {
            (true, true) => {
                let options = [("spike_clusters", "Clusters, as curated in Phy"), ("spike_templates", "Templates, as Kilosort found them")];
                let why = "spike_clusters.npy has what was merged and split in Phy";
                let question = Question { key: "clusters_from", label: "Units are", proposed: Some("spike_clusters"), why, assumed: true };
                Ok(if self.choices.pick(&question, &options)? == "spike_clusters" { CLUSTERS } else { TEMPLATES })
            }
            (true, false) => Ok(CLUSTERS),
            (false, true) => {
                let message = "there is no spike_clusters.npy; the templates that Kilosort found are the units";
                self.report.add(NoteKind::Assumed, TEMPLATES, message);
                Ok(TEMPLATES)
            }
            (false, false) => {
                let problem = "neither spike_clusters.npy nor spike_templates.npy lies beside it, so no spike has a unit";
                Err(self.damaged(TIMES, problem.to_owned()))
            }
        }
    }

    /// How many units of time are a second.
    fn per_second(&mut self, times: &[f64]) -> Result<f64, FormatError> {
        let whole = times.iter().all(|t| t.fract() == 0.0 || !t.is_finite());
        let (own, why) = match whole {
            true => ("samples", "all times are whole numbers, as Kilosort writes samples"),
            false => ("s", "the times have fractions, so they are no samples"),
        };
        let question = Question { key: "time_unit", label: "Time unit", proposed: Some(own), why, assumed: !whole };
        if self.choices.pick(&question, &[("samples", "samples"), ("s", "seconds")])? == "s" {
            self.report.add(NoteKind::Assumed, TIMES, "times are read as seconds");
            return Ok(1.0);
        }
        let (rate, problem) = self.sample_rate()?;
        let own = rate.map(|r| r.to_string());
        let why = match own {
            Some(_) => "as params.py says".to_owned(),
            None => format!("{problem}, and nothing else says how many samples are a second; 30000 is usual"),
        };
        let question = Question { key: "sampling_rate_hz", label: "Sampling rate", proposed: own.as_deref(), why: &why, assumed: false };
        let rate = self.choices.positive(&question, "Hz")?;
        let source = if self.choices.answered("sampling_rate_hz") { "as chosen" } else { "as params.py says" };
        self.report.add(NoteKind::Assumed, TIMES, format!("times are samples, {rate} of them are one second, {source}"));
        Ok(rate)
    }

    /// `sample_rate` of `params.py`, or why there is none.
    fn sample_rate(&self) -> Result<(Option<f64>, &'static str), FormatError> {
        use std::io::Read;
        let path = self.folder.join(PARAMS);
        if !path.is_file() {
            return Ok((None, "there is no params.py"));
        }
        let mut bytes = Vec::new();
        let file = std::fs::File::open(&path).map_err(|e| FormatError::not_readable(&path, e))?;
        file.take(PARAMS_BYTES).read_to_end(&mut bytes).map_err(|e| FormatError::not_readable(&path, e))?;
        let text = String::from_utf8_lossy(&bytes);
        let value = text.lines().filter_map(|l| l.split_once('=')).find(|(key, _)| key.trim() == "sample_rate").map(|(_, v)| v);
        let number = value.and_then(|v| v.split('#').next()?.trim().replace('_', "").parse::<f64>().ok());
        Ok(match (value, number.filter(|r| r.is_finite() && *r > 0.0)) {
            (None, _) => (None, "params.py has no sample_rate"),
            (Some(_), None) => (None, "sample_rate in params.py is no number greater than zero"),
            (_, rate) => (rate, ""),
        })
    }

    /// Ids of all clusters with spikes, ascending.
    fn ids(&self, clusters: &[f64], file: &str) -> Result<Vec<i64>, FormatError> {
        let mut ids = Vec::new();
        let mut last = f64::NAN;
        let mut seen = std::collections::HashSet::new();
        for &cluster in clusters {
            if cluster == last {
                continue;
            }
            if cluster.fract() != 0.0 || cluster.abs() > 9e15 {
                return Err(self.damaged(file, format!("{cluster} is no cluster; expected whole numbers")));
            }
            last = cluster;
            if seen.insert(cluster as i64) {
                ids.push(cluster as i64);
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Indices into `ids` of the clusters that pass the filter by label.
    fn keep(&mut self, tables: &Tables, ids: &[i64]) -> Result<Vec<usize>, FormatError> {
        let all: Vec<usize> = (0..ids.len()).collect();
        let (group, sorter) = (tables.find("group"), tables.find("kslabel"));
        let mut options = Vec::new();
        if group.is_some() && sorter.is_some() {
            options.push(("group_else_KSLabel", "group (set in Phy), where empty KSLabel"));
        }
        if group.is_some() {
            options.push(("group", "group (set in Phy)"));
        }
        if sorter.is_some() {
            options.push(("KSLabel", "KSLabel (set by Kilosort)"));
        }
        let Some(&(own, _)) = options.first() else {
            self.report.add(NoteKind::Assumed, "clusters", "no table says which clusters are good; all are kept");
            return Ok(all);
        };
        let question =
            Question { key: "label_from", label: "Quality label", proposed: Some(own), why: "these tables have labels", assumed: true };
        let from = self.choices.pick(&question, &options)?;
        let text = |column: Option<usize>, unit: usize| column.map(|c| tables.text(c, unit)).unwrap_or_default().to_lowercase();
        let labels: Vec<String> = all
            .iter()
            .map(|&u| match (from.as_str(), text(group, u)) {
                ("KSLabel", _) => text(sorter, u),
                ("group_else_KSLabel", label) if label.is_empty() || label == "unsorted" => text(sorter, u),
                (_, label) if label == "unsorted" => String::new(),
                (_, label) => label,
            })
            .collect();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        labels.iter().for_each(|l| *counts.entry(if l.is_empty() { "without label" } else { l }).or_default() += 1);
        let counts: Vec<String> = counts.iter().map(|(label, n)| format!("{n} {label}")).collect();
        let why = format!("of {}: {}", counted(ids.len(), "cluster"), counts.join(", "));
        let question = Question { key: "keep", label: "Keep", proposed: Some("all"), why: &why, assumed: true };
        let options = [("all", "All clusters"), ("not_noise", "All but noise"), ("good_mua", "Good and multi-unit"), ("good", "Good only")];
        let rule = self.choices.pick(&question, &options)?;
        let passes = |label: &str| match rule.as_str() {
            "good" => label == "good",
            "good_mua" => label == "good" || label == "mua",
            "not_noise" => label != "noise",
            _ => true,
        };
        let kept: Vec<usize> = all.into_iter().filter(|&u| labels.get(u).is_some_and(|l| passes(l))).collect();
        if kept.is_empty()
            && let Some(mut choice) = self.choices.made.pop()
        {
            choice.why = format!("no cluster is left by 'keep' = {rule} ({why})");
            return Err(FormatError::NeedsAnswer { path: self.folder.to_owned(), choice: Box::new(choice) });
        }
        match ids.len() - kept.len() {
            0 => self.report.add(NoteKind::Assumed, "clusters", format!("all clusters are kept; {why}")),
            left => self.report.add(NoteKind::LeftOut, "clusters", format!("{} by their label; {why}", counted(left, "cluster"))),
        }
        Ok(kept)
    }

    /// Area of every unit, from a column.
    fn areas(&mut self, columns: &[NamedColumn], units: usize) -> Result<Vec<String>, FormatError> {
        const NAMES: &[&str] = &["brain_area", "area", "brain_region", "region", "location", "structure", "acronym"];
        let texts = |c: &NamedColumn| (0..units).map(|u| c.values.text(u)).collect::<Vec<String>>();
        let distinct = |c: &NamedColumn| texts(c).into_iter().collect::<std::collections::BTreeSet<_>>().len();
        let possible: Vec<&NamedColumn> = columns
            .iter()
            .filter(|c| NAMES.contains(&c.name.to_lowercase().as_str()) || (2..=32).contains(&distinct(c)))
            .filter(|c| !matches!(c.values, Column::Float(_)))
            .collect();
        let named = NAMES.iter().find_map(|n| possible.iter().find(|c| c.name.eq_ignore_ascii_case(n)));
        let mut options: Vec<(&str, &str)> = vec![("none", "One area without a name")];
        options.extend(possible.iter().map(|c| (c.name.as_str(), c.name.as_str())));
        let why = match named {
            Some(column) => format!("the column has {} different names", distinct(column)),
            None => "no column is called area, region or the like".to_owned(),
        };
        let own = named.map_or("none", |c| c.name.as_str());
        let question = Question { key: "area_from", label: "Areas", proposed: Some(own), why: &why, assumed: named.is_none() };
        let from = self.choices.pick(&question, &options)?;
        let Some(column) = possible.iter().find(|c| c.name == from) else {
            let message = "the folder does not say which area a unit is from; all units are in one area without a name";
            self.report.add(NoteKind::Assumed, "clusters", message);
            return Ok(vec![String::new(); units]);
        };
        let areas = texts(column);
        self.report.add(NoteKind::Assumed, "clusters", format!("areas are taken from the column '{from}'"));
        let unnamed = areas.iter().filter(|a| a.trim().is_empty()).count();
        if unnamed > 0 {
            let message = format!("no area for {unnamed} of {}", counted(units, "unit"));
            self.report.add(NoteKind::Advice, "clusters", message);
        }
        Ok(areas)
    }
}

/// Times of the kept clusters end to end in seconds, with their offsets.
fn sort(times: &[f64], clusters: &[f64], ids: &[i64], kept: &[usize], per_second: f64) -> (Vec<f64>, Vec<usize>) {
    let place: HashMap<i64, usize> = kept.iter().enumerate().filter_map(|(place, &k)| Some((*ids.get(k)?, place))).collect();
    let places: Vec<Option<usize>> = clusters.iter().map(|&c| place.get(&(c as i64)).copied()).collect();
    let mut offsets = vec![0usize; kept.len() + 1];
    for place in places.iter().flatten() {
        if let Some(count) = offsets.get_mut(place + 1) {
            *count += 1;
        }
    }
    let mut sum = 0;
    offsets.iter_mut().for_each(|o| {
        sum += *o;
        *o = sum;
    });
    let mut next = offsets.clone();
    let mut sorted = vec![0.0; sum];
    for (place, &time) in places.iter().zip(times) {
        let Some(at) = place.and_then(|p| next.get_mut(p)) else { continue };
        if let Some(slot) = sorted.get_mut(*at) {
            *slot = time / per_second;
        }
        *at += 1;
    }
    (sorted, offsets)
}

/// A file of the folder, when it is there.
fn present(folder: &Path, name: &str) -> Option<PathBuf> {
    Some(folder.join(name)).filter(|p| p.is_file())
}
