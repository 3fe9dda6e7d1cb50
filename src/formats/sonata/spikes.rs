//! Spikes of one or several populations, from HDF5 or text.

use std::path::Path;

use crate::formats::guard::{Hdf5, is_hdf5};
use crate::formats::{FormatError, OpenOptions, Probe, Progress};

/// Name of a population that has none.
const UNNAMED: &str = "";
/// Names of the node of a spike, the present one first.
const NODES: [&str; 2] = ["node_ids", "gids"];

/// Spikes of a population: times and nodes, in the order of the file.
pub(super) struct Population {
    pub(super) name: String,
    pub(super) times: Vec<f64>,
    pub(super) ids: Vec<i64>,
    /// Unit of time that the file names.
    pub(super) unit: Option<String>,
}

/// True for HDF5 files with `/spikes` in this layout, and for text whose header names timestamps and nodes.
pub(in crate::formats) fn sniff(probe: &Probe) -> bool {
    if probe.names.is_some() {
        return false;
    }
    if !is_hdf5(probe.head) {
        let first = probe.head.split(|&b| b == b'\n').next().unwrap_or_default();
        return std::str::from_utf8(first).is_ok_and(|line| header(line).is_some());
    }
    let silent = |_: f32, _: &str| true;
    let progress = Progress { path: probe.path, report: &silent };
    let found = || {
        let h5 = Hdf5::open(probe.path, u64::MAX, &progress).ok()?;
        let group = h5.group("spikes").ok()??;
        let below = || group.iter_groups().ok()?.find(|(_, g)| has_spikes(&h5, g)).map(|_| ());
        if has_spikes(&h5, &group) { Some(()) } else { below() }
    };
    probe.hdf5_root().is_some_and(|root| root.names.iter().any(|n| n == "spikes")) && found().is_some()
}

fn has_spikes(h5: &Hdf5, group: &hdf5_pure::Group) -> bool {
    let has = |name: &str| h5.dataset(group, "spikes", name).is_ok_and(|d| d.is_some());
    has("timestamps") && NODES.iter().any(|n| has(n))
}

/// Read all populations that have spikes.
pub(super) fn read(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Vec<Population>, FormatError> {
    let mut head = Vec::new();
    let open = std::fs::File::open(path).and_then(|f| std::io::Read::read_to_end(&mut std::io::Read::take(f, 4096), &mut head));
    open.map_err(|e| FormatError::not_readable(path, e))?;
    let populations = if is_hdf5(&head) { from_hdf5(path, options, progress)? } else { from_text(path, options, progress)? };
    if populations.iter().all(|p| p.times.is_empty()) {
        return Err(FormatError::NoUnits { path: path.to_owned(), found: "no population under /spikes has a spike".to_owned() });
    }
    Ok(populations)
}

fn from_hdf5(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Vec<Population>, FormatError> {
    let h5 = Hdf5::open(path, options.max_bytes, progress)?;
    let root = h5.group("spikes")?.ok_or_else(|| FormatError::corrupt(path, "spikes", "the group is missing"))?;
    if has_spikes(&h5, &root) {
        return Ok(vec![population(&h5, &root, UNNAMED, "spikes")?]);
    }
    let mut populations = Vec::new();
    for (name, group) in h5.groups(&root, "spikes")? {
        let place = format!("spikes/{name}");
        if has_spikes(&h5, &group) {
            populations.push(population(&h5, &group, &name, &place)?);
        }
    }
    populations.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(populations)
}

fn population(h5: &Hdf5, group: &hdf5_pure::Group, name: &str, place: &str) -> Result<Population, FormatError> {
    let missing = |what: &str| FormatError::corrupt(h5.path, format!("{place}/{what}"), "the dataset is missing");
    let data = h5.dataset(group, place, "timestamps")?.ok_or_else(|| missing("timestamps"))?;
    let unit = data.attrs().ok().and_then(|a| a.get("units").and_then(|v| v.as_str().map(str::to_owned)));
    let times = h5.numbers(&format!("{place}/timestamps"), &data, (0.1, 0.3), "reading spike times")?;
    let mut nodes = None;
    for name in NODES {
        if nodes.is_none() {
            nodes = h5.dataset(group, place, name)?.map(|d| (name, d));
        }
    }
    let (which, data) = nodes.ok_or_else(|| missing(NODES[0]))?;
    let object = format!("{place}/{which}");
    let ids: Option<Vec<i64>> = h5.index(&object, &data)?.into_iter().map(|id| i64::try_from(id).ok()).collect();
    let ids = ids.ok_or_else(|| FormatError::corrupt(h5.path, object.clone(), "a node has a number larger than 2^63"))?;
    if ids.len() != times.len() {
        return Err(FormatError::corrupt(h5.path, object, format!("it has {} values, timestamps has {}", ids.len(), times.len())));
    }
    Ok(Population { name: name.to_owned(), times, ids, unit })
}

/// Places of time, node and population in a header of text.
fn header(line: &str) -> Option<(usize, usize, Option<usize>)> {
    let names: Vec<&str> = fields(line.trim_start_matches('\u{feff}')).collect();
    let find = |wanted: &[&str]| names.iter().position(|n| wanted.contains(n));
    Some((find(&["timestamps"])?, find(&NODES)?, find(&["population", "populations"])))
}

fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| c.is_whitespace() || c == ',' || c == ';').filter(|f| !f.is_empty())
}

fn from_text(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Vec<Population>, FormatError> {
    let unreadable = |e| FormatError::not_readable(path, e);
    let claimed = std::fs::metadata(path).map_err(unreadable)?.len();
    if claimed > options.max_bytes {
        let reason = format!("at most {} are read", options.max_bytes);
        return Err(FormatError::TooBig { path: path.to_owned(), object: "the text".to_owned(), claimed, reason });
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines().enumerate();
    let (time, node, population) = lines.next().and_then(|(_, l)| header(l)).unwrap_or((0, 2, Some(1)));
    let mut populations: Vec<Population> = Vec::new();
    let mut last = 0;
    for (at, line) in lines {
        if at % (1 << 16) == 0 {
            progress.at(0.1, "reading spikes")?;
        }
        let wrong = |problem: String| FormatError::CsvLine { path: path.to_owned(), line: at as u64 + 1, problem };
        let row: Vec<&str> = fields(line).take(64).collect();
        if row.is_empty() {
            continue;
        }
        let field = |k: usize, what: &str| {
            row.get(k).copied().ok_or_else(|| wrong(format!("there are {} fields, the {what} is missing", row.len())))
        };
        let t = field(time, "time")?;
        let t: f64 = t.parse().map_err(|_| wrong(format!("'{t}' is not a time; expected a number of milliseconds")))?;
        let id = field(node, "node")?;
        let id: i64 = id.parse().map_err(|_| wrong(format!("'{id}' is not a node; expected a whole number")))?;
        let name = population.map_or(Ok(UNNAMED), |k| field(k, "population"))?;
        if populations.get(last).is_none_or(|p| p.name != name) {
            last = populations.iter().position(|p| p.name == name).unwrap_or(populations.len());
            if last == populations.len() {
                populations.push(Population { name: name.to_owned(), times: Vec::new(), ids: Vec::new(), unit: None });
            }
            if last > 1000 {
                return Err(wrong("there are more than 1000 populations; the columns may be swapped".to_owned()));
            }
        }
        if let Some(population) = populations.get_mut(last) {
            population.times.push(t);
            population.ids.push(id);
        }
    }
    populations.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(populations)
}
