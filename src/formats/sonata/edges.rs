//! Connections of a SONATA network: `/edges/<population>/{source_node_id, target_node_id, edge_type_id}`, weights and delays per
//! edge or per type of edge.

use std::collections::HashMap;
use std::path::Path;

use super::Node;
use super::network::{Network, Types, name_of, types};
use crate::formats::guard::Hdf5;
use crate::formats::{FormatError, OpenOptions, Progress, clean};
use crate::recording::{ImportReport, NoteKind, UnitEdge};

/// More connections are not kept.
const MOST_EDGES: usize = 20_000_000;

/// Connections among the units, `None` when there is no file of edges. What cannot be read is told.
pub(super) fn read(
    network: &Network,
    place: &HashMap<&Node, usize>,
    options: &OpenOptions,
    progress: &Progress,
    report: &mut ImportReport,
) -> Option<Vec<UnitEdge>> {
    let mut found: Option<Vec<UnitEdge>> = None;
    let (mut missing, mut elsewhere) = (Vec::new(), 0);
    for (file, kinds) in &network.edges {
        if !file.is_file() {
            missing.push(name_of(file));
            continue;
        }
        let kinds = kinds.as_ref().filter(|k| k.is_file()).map(|k| types(k, "edge_type_id")).transpose();
        let read = kinds.and_then(|kinds| one(file, &kinds.unwrap_or_default(), network, place, options, progress));
        match read {
            Ok((edges, other)) => {
                elsewhere += other;
                found.get_or_insert_default().extend(edges);
            }
            Err(error) => report.add(NoteKind::LeftOut, name_of(file), error.brief()),
        }
    }
    if !missing.is_empty() {
        let message = format!(
            "files of connections that the configuration names are not there: {}; without them there is no ground truth",
            missing.join(", ")
        );
        report.add(NoteKind::Advice, "edges", message);
    }
    if found.is_some() {
        report.add(NoteKind::Assumed, "edges", "weights of cells whose type inhibits (ei = i) count as negative");
    }
    if elsewhere > 0 {
        report.add(
            NoteKind::LeftOut,
            "edges",
            format!("{} from or to cells that are no units here", clean::counted(elsewhere, "connection")),
        );
    }
    found
}

/// Connections in one file, and how many were of other cells.
fn one(
    path: &Path,
    kinds: &Types,
    network: &Network,
    place: &HashMap<&Node, usize>,
    options: &OpenOptions,
    progress: &Progress,
) -> Result<(Vec<UnitEdge>, usize), FormatError> {
    let h5 = Hdf5::open(path, options.max_bytes, progress)?;
    let (mut edges, mut elsewhere) = (Vec::new(), 0);
    let Some(root) = h5.group("edges")? else { return Err(FormatError::corrupt(path, "edges", "the group is missing")) };
    for (name, group) in h5.groups(&root, "edges")? {
        let at = format!("edges/{name}");
        let end = |what: &str| -> Result<(String, Vec<u64>), FormatError> {
            let object = format!("{at}/{what}");
            let data =
                h5.dataset(&group, &at, what)?.ok_or_else(|| FormatError::corrupt(path, object.clone(), "the dataset is missing"))?;
            let population = data.attrs().ok().and_then(|a| a.get("node_population").and_then(|v| v.as_str().map(str::to_owned)));
            Ok((population.unwrap_or_default(), h5.index(&object, &data)?))
        };
        let ((from, source), (to, target)) = (end("source_node_id")?, end("target_node_id")?);
        if source.len() != target.len() || source.len() > MOST_EDGES {
            let problem = format!("{} connections begin and {} end, expected as many and at most {MOST_EDGES}", source.len(), target.len());
            return Err(FormatError::corrupt(path, at, problem));
        }
        let kind = match h5.dataset(&group, &at, "edge_type_id")? {
            Some(data) => h5.index(&format!("{at}/edge_type_id"), &data)?,
            None => Vec::new(),
        };
        // Weights and delays of single edges, where all edges are in one group.
        let own = |what: &str| -> Result<Vec<f64>, FormatError> {
            let Some(group) = h5.group(&format!("{at}/0"))? else { return Ok(Vec::new()) };
            let object = format!("{at}/0/{what}");
            let Some(data) = h5.dataset(&group, &at, what)? else { return Ok(Vec::new()) };
            let values = h5.numbers(&object, &data, (0.8, 0.8), "reading connections")?;
            Ok(if values.len() == source.len() { values } else { Vec::new() })
        };
        let (weights, delays) = (own("syn_weight")?, own("delay")?);
        let of_kind = |k: usize, column: &str| kinds.get(&i64::try_from(*kind.get(k)?).ok()?)?.get(column)?.parse::<f64>().ok();
        for (k, (&pre, &post)) in source.iter().zip(&target).enumerate() {
            let node = |population: &str, id: u64| Some((population.to_owned(), i64::try_from(id).ok()?));
            let ends = node(&from, pre).zip(node(&to, post));
            let units = ends.as_ref().and_then(|(a, b)| Some((*place.get(a)?, *place.get(b)?)));
            let (Some((pre, post)), Some((a, _))) = (units, &ends) else {
                elsewhere += 1;
                continue;
            };
            let weight = weights.get(k).copied().or_else(|| of_kind(k, "syn_weight")).unwrap_or(1.0);
            let delay = delays.get(k).copied().or_else(|| of_kind(k, "delay")).map_or(f64::NAN, |ms| ms / 1e3);
            let sign = if network.inhibits(a) && weight > 0.0 { -1.0 } else { 1.0 };
            edges.push(UnitEdge { pre, post, weight: sign * weight, delay_s: delay });
        }
    }
    Ok((edges, elsewhere))
}
