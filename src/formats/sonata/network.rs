//! The network that was simulated, as `circuit_config.json` beside the spikes describes it: nodes with their types, files of edges,
//! length of the simulation.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Node;
use crate::formats::guard::Hdf5;
use crate::formats::{FormatError, OpenOptions, Progress};
use crate::recording::{Column, ImportReport, NamedColumn, NoteKind};

/// Folders from the spikes up to the configuration: `output`, the simulation, the project.
const UP: usize = 3;
const LARGEST_TEXT: u64 = 64 << 20;

/// One row per type, with its columns by name.
pub(super) type Types = HashMap<i64, BTreeMap<String, String>>;

/// What is known about the network; empty when nothing lies beside the spikes.
#[derive(Default)]
pub(super) struct Network {
    /// Type of every node, by population.
    nodes: HashMap<String, BTreeMap<i64, i64>>,
    node_types: Types,
    /// Files of edges with their types.
    pub(super) edges: Vec<(PathBuf, Option<PathBuf>)>,
    /// Length of the simulation, seconds.
    pub(super) stop_s: Option<f64>,
}

impl Network {
    /// Look for the network of the spikes at `path`. What cannot be read is left out and told.
    pub(super) fn find(path: &Path, options: &OpenOptions, progress: &Progress, report: &mut ImportReport) -> Self {
        let mut network = Self::default();
        let here = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        for folder in here.ancestors().skip(1).take(UP) {
            let config = ["circuit_config.json", "config.json", "simulation_config.json"].iter().find_map(|name| {
                let config = object(&folder.join(name)).ok()?;
                Some(config)
            });
            let Some(first) = config else { continue };
            let circuit = if first.contains_key("networks") { first } else { linked(folder, &first, "network").unwrap_or(first) };
            network.stop_s = ["simulation_config.json", "config.json"].iter().find_map(|name| {
                let run = object(&folder.join(name)).ok()?;
                run.get("run")?.get("tstop")?.as_f64().map(|ms| ms / 1e3)
            });
            network.take(folder, &circuit, options, progress, report);
            break;
        }
        network
    }

    fn take(&mut self, folder: &Path, circuit: &Map<String, Value>, options: &OpenOptions, progress: &Progress, report: &mut ImportReport) {
        let variables = variables(circuit);
        let files = |kind: &str, file: &str, types: &str| -> Vec<(PathBuf, Option<PathBuf>)> {
            let list = circuit.get("networks").and_then(|n| n.get(kind)).and_then(Value::as_array);
            let path = |entry: &Value, key: &str| Some(folder.join(replaced(entry.get(key)?.as_str()?, &variables)));
            list.into_iter().flatten().filter_map(|e| Some((path(e, file)?, path(e, types)))).collect()
        };
        for (file, types) in files("nodes", "nodes_file", "node_types_file") {
            if !file.is_file() {
                continue;
            }
            match nodes(&file, options, progress) {
                Ok(found) => self.nodes.extend(found),
                Err(error) => report.add(NoteKind::LeftOut, name_of(&file), error.brief()),
            }
            match types.filter(|t| t.is_file()).map(|t| self::types(&t, "node_type_id")).transpose() {
                Ok(found) => self.node_types.extend(found.unwrap_or_default()),
                Err(error) => report.add(NoteKind::LeftOut, "node types", error.brief()),
            }
        }
        self.edges = files("edges", "edges_file", "edge_types_file");
    }

    /// Ids of all nodes of a population, ascending.
    pub(super) fn nodes_of(&self, population: &str) -> Vec<i64> {
        self.nodes.get(population).map(|n| n.keys().copied().collect()).unwrap_or_default()
    }

    fn of_node(&self, node: &Node, column: &str) -> Option<&str> {
        let kind = self.nodes.get(&node.0)?.get(&node.1)?;
        self.node_types.get(kind)?.get(column).map(String::as_str)
    }

    /// True for a cell whose type says that it inhibits.
    pub(super) fn inhibits(&self, node: &Node) -> bool {
        self.of_node(node, "ei").is_some_and(|ei| ei.to_lowercase().starts_with('i'))
    }

    /// Columns of the types of these nodes that have a value.
    pub(super) fn columns(&self, nodes: &[Node]) -> Vec<NamedColumn> {
        let names: std::collections::BTreeSet<&String> = self.node_types.values().flat_map(BTreeMap::keys).collect();
        let column = |name: &String| {
            let values: Vec<String> = nodes.iter().map(|n| self.of_node(n, name).unwrap_or_default().to_owned()).collect();
            let any = values.iter().any(|v| !v.is_empty() && v != "NULL");
            any.then(|| NamedColumn { name: name.clone(), description: "of the type of the node".to_owned(), values: Column::Text(values) })
        };
        names.into_iter().filter_map(column).collect()
    }
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

fn text(path: &Path) -> Result<String, FormatError> {
    let unreadable = |e| FormatError::not_readable(path, e);
    let claimed = std::fs::metadata(path).map_err(unreadable)?.len();
    if claimed > LARGEST_TEXT {
        let reason = format!("at most {LARGEST_TEXT} are read");
        return Err(FormatError::TooBig { path: path.to_owned(), object: "the text".to_owned(), claimed, reason });
    }
    Ok(String::from_utf8_lossy(&std::fs::read(path).map_err(unreadable)?).into_owned())
}

fn object(path: &Path) -> Result<Map<String, Value>, FormatError> {
    serde_json::from_str(&text(path)?).map_err(|e| FormatError::corrupt(path, "the text", e.to_string()))
}

/// The configuration that another one points at.
fn linked(folder: &Path, config: &Map<String, Value>, key: &str) -> Option<Map<String, Value>> {
    let target = replaced(config.get(key)?.as_str()?, &variables(config));
    object(&folder.join(target)).ok()
}

/// `$NETWORK_DIR` and the like, the longest names first.
fn variables(config: &Map<String, Value>) -> Vec<(String, String)> {
    let manifest = config.get("manifest").and_then(Value::as_object);
    let mut variables: Vec<(String, String)> =
        manifest.into_iter().flatten().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect();
    variables.sort_by_key(|(k, _)| std::cmp::Reverse(k.len()));
    variables
}

/// A path with its variables filled in. Variables may use each other, a few times over.
fn replaced(path: &str, variables: &[(String, String)]) -> String {
    let mut path = path.to_owned();
    for _ in 0..4 {
        for (name, value) in variables.iter().filter(|(name, _)| !name.is_empty()) {
            if path.len() < 4096 && path.contains(name.as_str()) {
                path = path.replace(name.as_str(), value).replace("${", "").replace('}', "");
            }
        }
    }
    path
}

/// Type of every node of every population.
fn nodes(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<HashMap<String, BTreeMap<i64, i64>>, FormatError> {
    let h5 = Hdf5::open(path, options.max_bytes, progress)?;
    let mut found = HashMap::new();
    let Some(root) = h5.group("nodes")? else { return Ok(found) };
    for (name, group) in h5.groups(&root, "nodes")? {
        let place = format!("nodes/{name}");
        let Some(data) = h5.dataset(&group, &place, "node_type_id")? else { continue };
        let kinds = h5.index(&format!("{place}/node_type_id"), &data)?;
        let ids = match h5.dataset(&group, &place, "node_id")? {
            Some(data) => h5.index(&format!("{place}/node_id"), &data)?,
            None => (0..kinds.len() as u64).collect(),
        };
        let pairs = ids.into_iter().zip(kinds).filter_map(|(id, kind)| Some((i64::try_from(id).ok()?, i64::try_from(kind).ok()?)));
        found.insert(name, pairs.collect());
    }
    Ok(found)
}

/// Rows of a table of types, separated by spaces, by the number in column `id`.
pub(super) fn types(path: &Path, id: &str) -> Result<Types, FormatError> {
    let text = text(path)?;
    let mut reader = ::csv::ReaderBuilder::new().delimiter(b' ').flexible(true).from_reader(text.as_bytes());
    let wrong = |e: ::csv::Error| FormatError::corrupt(path, "the table", e.to_string());
    let names: Vec<String> = reader.headers().map_err(wrong)?.iter().map(|n| n.trim().to_owned()).collect();
    let at =
        names.iter().position(|n| n == id).ok_or_else(|| FormatError::corrupt(path, "the header", format!("column {id} is missing")))?;
    let mut types = Types::new();
    for row in reader.records() {
        let row = row.map_err(wrong)?;
        let Some(number) = row.get(at).and_then(|f| f.trim().parse().ok()) else { continue };
        let columns = names.iter().zip(row.iter()).filter(|(n, _)| *n != id).map(|(n, v)| (n.clone(), v.trim().to_owned()));
        types.insert(number, columns.collect());
    }
    Ok(types)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_paths_are_filled_in() {
        let variables = [("$NETWORK_DIR_2", "c"), ("$NETWORK_DIR", "$BASE/network"), ("$BASE", ".")];
        let variables = variables.map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(replaced("$NETWORK_DIR/v1.h5", &variables), "./network/v1.h5");
        assert_eq!(replaced("$NETWORK_DIR_2/v1.h5", &variables), "c/v1.h5");
        let endless = [("$A".to_owned(), "$A$A$A$A$A$A$A$A".to_owned())];
        assert!(replaced("$A", &endless).len() < 1 << 20);
    }
}
