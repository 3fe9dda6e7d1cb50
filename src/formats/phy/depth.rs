//! Where on the probe a cluster is: from a table, from its channel, or from its template's largest channel.

use std::collections::HashMap;
use std::path::Path;

use super::array::Array;
use super::{TEMPLATES, present};
use crate::formats::choices::{Choices, Question};
use crate::formats::{FormatError, OpenOptions};
use crate::recording::{Column, ImportReport, NamedColumn, NoteKind};

const POSITIONS: &str = "channel_positions.npy";
const MAP: &str = "channel_map.npy";
const SHAPES: &str = "templates.npy";

/// The clusters of a folder.
pub(super) struct Clusters<'a> {
    /// All with spikes, ascending.
    pub(super) ids: &'a [i64],
    /// Indices into `ids`.
    pub(super) kept: &'a [usize],
    /// The cluster of every spike.
    pub(super) of_spikes: &'a [f64],
}

/// Add (or replace) the unit column `depth` in µm, from where the user or the files say.
pub(super) fn add(
    folder: &Path,
    options: &OpenOptions,
    choices: &mut Choices,
    clusters: &Clusters,
    columns: &mut Vec<NamedColumn>,
    report: &mut ImportReport,
) -> Result<(), FormatError> {
    let find = |columns: &[NamedColumn], names: &[&str]| {
        columns.iter().position(|c| names.contains(&c.name.to_lowercase().as_str()) && c.values.is_numeric())
    };
    let (depth, channel) = (find(columns, &["depth"]), find(columns, &["ch", "channel", "peak_channel"]));
    let has = |name: &str| present(folder, name).is_some();
    let mut ways = Vec::new();
    if depth.is_some() {
        ways.push(("column", "The column 'depth'"));
    }
    if channel.is_some() && has(POSITIONS) {
        ways.push(("channel", "The position of the cluster's channel"));
    }
    if has(POSITIONS) && has(SHAPES) && has(TEMPLATES) {
        ways.push(("template", "The position of the largest channel of the cluster's template"));
    }
    let Some(&(own, _)) = ways.first() else { return Ok(()) };
    ways.push(("none", "No depth"));
    let question = Question {
        key: "depth_from",
        label: "Depth",
        proposed: Some(own),
        why: "the first of these ways that the files allow",
        assumed: true,
    };
    let way = choices.pick(&question, &ways)?;
    let found = match way.as_str() {
        "channel" => channel.and_then(|c| columns.get(c)).map(|column| by_channel(folder, options, &column.values, clusters.kept.len())),
        "template" => Some(by_template(folder, options, clusters)),
        _ => None,
    };
    let values = match (way.as_str(), found) {
        ("none", _) => {
            columns.retain(|c| c.name.to_lowercase() != "depth");
            return Ok(());
        }
        (_, None) => return Ok(()),
        // Depths are beside the point when an array is damaged: the spikes are still good.
        (_, Some(Err(e))) => {
            report.add(NoteKind::LeftOut, POSITIONS, format!("depths were not found: {}", e.brief()));
            return Ok(());
        }
        (_, Some(Ok(values))) => values,
    };
    let from = if way == "channel" { "channels" } else { "templates" };
    report.add(NoteKind::Assumed, "clusters", format!("depths (µm) are those of the {from} in {POSITIONS}"));
    columns.retain(|c| c.name.to_lowercase() != "depth");
    columns.push(NamedColumn { name: "depth".to_owned(), description: format!("µm, from {POSITIONS}"), values: Column::Float(values) });
    Ok(())
}

/// Second coordinate of every row of `channel_positions.npy`, µm.
fn heights(folder: &Path, options: &OpenOptions) -> Result<Vec<f64>, FormatError> {
    let array = Array::open(folder, POSITIONS, options.max_bytes)?;
    let &[rows, 2] = array.shape.as_slice() else {
        return Err(FormatError::corrupt(folder, POSITIONS, format!("its shape is {:?}, expected (channels, 2)", array.shape)));
    };
    let fortran = array.fortran;
    let values = array.values()?;
    Ok(if fortran { values.into_iter().skip(rows).collect() } else { values.into_iter().skip(1).step_by(2).collect() })
}

fn by_channel(folder: &Path, options: &OpenOptions, channels: &Column, units: usize) -> Result<Vec<f64>, FormatError> {
    let heights = heights(folder, options)?;
    // Numbers of channels in the file of the amplifier; a row of the positions for each of them.
    let map = if present(folder, MAP).is_some() { Array::open(folder, MAP, options.max_bytes)?.list()? } else { Vec::new() };
    let rows: HashMap<i64, usize> = map.iter().enumerate().map(|(row, &channel)| (channel as i64, row)).collect();
    let height = |unit: usize| {
        let channel = channels.number(unit);
        let row = if rows.is_empty() { channel as usize } else { *rows.get(&(channel as i64))? };
        heights.get(row).copied().filter(|_| channel >= 0.0)
    };
    Ok((0..units).map(|u| height(u).unwrap_or(f64::NAN)).collect())
}

/// Merged clusters have no template of their own: the one that most of their spikes were found with counts.
fn by_template(folder: &Path, options: &OpenOptions, clusters: &Clusters) -> Result<Vec<f64>, FormatError> {
    let heights = heights(folder, options)?;
    let peaks = peak_channels(folder, options)?;
    let templates = Array::open(folder, TEMPLATES, options.max_bytes)?.list()?;
    if templates.len() != clusters.of_spikes.len() {
        let problem = format!("it has {} values for {} spikes", templates.len(), clusters.of_spikes.len());
        return Err(FormatError::corrupt(folder, TEMPLATES, problem));
    }
    let mut counts: HashMap<(i64, usize), usize> = HashMap::new();
    for (&cluster, &template) in clusters.of_spikes.iter().zip(&templates) {
        *counts.entry((cluster as i64, template as usize)).or_default() += 1;
    }
    let mut usual: HashMap<i64, (usize, usize)> = HashMap::new();
    for ((cluster, template), n) in counts {
        let best = usual.entry(cluster).or_insert((0, usize::MAX));
        // The lower number among equals, so that the order of the map does not matter.
        if (n, std::cmp::Reverse(template)) > (best.0, std::cmp::Reverse(best.1)) {
            *best = (n, template);
        }
    }
    let height = |k: &usize| {
        let template = usual.get(clusters.ids.get(*k)?)?.1;
        heights.get(*peaks.get(template)?).copied()
    };
    Ok(clusters.kept.iter().map(|k| height(k).unwrap_or(f64::NAN)).collect())
}

/// Channel with the largest swing of every template; shape `[templates, samples, channels]`.
fn peak_channels(folder: &Path, options: &OpenOptions) -> Result<Vec<usize>, FormatError> {
    let mut array = Array::open(folder, SHAPES, options.max_bytes)?;
    let &[templates, samples, channels] = array.shape.as_slice() else {
        let problem = format!("its shape is {:?}, expected (templates, samples, channels)", array.shape);
        return Err(FormatError::corrupt(folder, SHAPES, problem));
    };
    if array.fortran || samples == 0 || channels == 0 {
        return Err(FormatError::corrupt(folder, SHAPES, "it is in Fortran order or has no values"));
    }
    let mut peaks = Vec::new();
    for _ in 0..templates {
        let shape = array.next(samples * channels)?;
        let swing = |channel: usize| {
            let values = shape.iter().skip(channel).step_by(channels);
            let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)));
            high - low
        };
        let peak = (0..channels).max_by(|&a, &b| swing(a).total_cmp(&swing(b)).then(b.cmp(&a)));
        peaks.push(peak.unwrap_or(0));
    }
    Ok(peaks)
}
