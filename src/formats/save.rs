//! Writing a recording to a file, whole or not at all (see [`crate::export::write_whole`]).

use std::io::BufWriter;
use std::path::Path;

use super::binned_h5::{self, BinnedLayout};
use super::{FormatError, npz, nwb_write, text};
use crate::export::write_whole;
use crate::recording::{Recording, Source};

/// Endings that can be written, with what the format is and keeps.
pub const WRITES: &[(&str, &str)] = &[
    ("nwb", "NWB 2.x: spikes, units, areas, interval tables and time series, for other programs"),
    ("npz", "Everything this program knows of the recording, readable with numpy.load"),
    ("h5", "Counts per bin of every trial, as the Neural Latents Benchmark or LFADS keep them; no spike times"),
    ("csv", "A list of spikes (unit,time_s,area), with unit columns in a table NAME.units.csv beside it"),
    ("tsv", "A list of spikes, separated by tabs, with unit columns in a table NAME.units.tsv beside it"),
];

/// Whether [`save_with`] writes counts per bin to this path, and so looks at the layout.
pub fn counts_to(path: &Path) -> bool {
    path.extension().is_some_and(|e| binned_h5::writes(&e.to_string_lossy().to_lowercase()))
}

/// [`save_with`] the default layout for counts.
///
/// # Errors
/// See [`save_with`].
pub fn save(recording: &Recording, path: &Path) -> Result<Vec<String>, FormatError> {
    save_with(recording, path, &BinnedLayout::default())
}

/// Write `recording` in the format that the extension of `path` names (nwb, npz, h5, csv, tsv); `layout` is for h5 alone. Returns
/// what that format cannot hold, one sentence each; an NPZ file holds everything.
///
/// # Errors
/// [`FormatError::UnknownExtension`] and [`FormatError::NotWritable`]. The old file, if any, is untouched then.
pub fn save_with(recording: &Recording, path: &Path, layout: &BinnedLayout) -> Result<Vec<String>, FormatError> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    let failed = |e: std::io::Error| FormatError::not_writable(path, e);
    if binned_h5::writes(&extension) {
        return binned_h5::save_binned(recording, path, layout);
    }
    if !WRITES.iter().any(|(known, _)| *known == extension) {
        return Err(FormatError::UnknownExtension { path: path.to_owned() });
    }
    // The copy cannot be read again with other answers: it tells the decisions it was made with.
    let told;
    let recording = if recording.report.choices.is_empty() {
        recording
    } else {
        told = Recording { report: recording.report.for_a_copy(), ..recording.clone() };
        &told
    };
    let mut lost = write_whole(path, |to| match extension.as_str() {
        "nwb" => {
            nwb_write::write(recording, to).map_err(|problem| FormatError::not_writable(path, problem))?;
            Ok(lost_in_nwb(recording))
        }
        "npz" => npz::write(recording, to).map(|()| Vec::new()).map_err(failed),
        _ => {
            let delimiter = if extension == "tsv" { b'\t' } else { b',' };
            text::write::write(recording, delimiter, &mut BufWriter::new(to)).map_err(failed)?;
            Ok(lost_in_text(recording))
        }
    })?;
    let table = text::units_table::place(path).filter(|_| ["csv", "tsv"].contains(&extension.as_str()));
    // A table that is there already would be taken for that of this list.
    if let Some(table) = table.filter(|table| text::units_table::needed(recording) || table.exists()) {
        let delimiter = if extension == "tsv" { b'\t' } else { b',' };
        write_whole(&table, |to| {
            text::units_table::write(recording, delimiter, &mut BufWriter::new(to)).map_err(|e| FormatError::not_writable(&table, e))
        })?;
        let name = table.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        lost.push(format!("columns and order of the units are in {name} beside it; keep the two together"));
    }
    Ok(lost)
}

/// What writing would lead to, before anything is written: what the format of that extension cannot hold, one sentence each; for
/// counts, first what will be written. An unknown extension says nothing.
///
/// # Errors
/// Why nothing could be written.
pub fn beforehand(recording: &Recording, path: &Path, layout: &BinnedLayout) -> Result<Vec<String>, String> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    match extension.as_str() {
        h5 if binned_h5::writes(h5) => binned_h5::binned_beforehand(recording, layout),
        "nwb" => Ok(lost_in_nwb(recording)),
        "csv" | "tsv" => Ok(lost_in_text(recording)),
        _ => Ok(Vec::new()),
    }
}

fn lost_in_nwb(recording: &Recording) -> Vec<String> {
    let mut lost = Vec::new();
    if recording.truth.is_some() {
        lost.push("the ground truth is not written to NWB; save as .npz to keep it".to_owned());
    }
    if recording.activity.is_some() {
        lost.push("continuous activity is not written to NWB; save as .npz to keep it".to_owned());
    }
    if matches!(recording.source, Source::Simulated { .. }) {
        lost.push("the simulator's parameters are written to NWB as the session description only".to_owned());
    }
    lost
}

fn lost_in_text(recording: &Recording) -> Vec<String> {
    let mut lost = Vec::new();
    let mut say = |gone: bool, what: &str| {
        if gone {
            lost.push(format!("{what} not written to a spike list; save as .nwb or .npz to keep them"));
        }
    };
    say(!recording.tables.is_empty(), "interval tables are");
    say(!recording.covariates.is_empty(), "time series are");
    say(recording.activity.is_some(), "continuous activity is");
    say(!recording.observed.is_empty(), "observation intervals are");
    say(recording.truth.is_some(), "the ground truth and its parameters are");
    let ids: std::collections::BTreeSet<&String> = recording.units.ids.iter().collect();
    if ids.len() < recording.units.ids.len() {
        lost.push("units with the same id become one unit in a spike list; save as .nwb or .npz to keep them apart".to_owned());
    }
    lost
}
