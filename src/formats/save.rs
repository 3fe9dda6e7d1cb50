//! Writing a recording to a file, whole or not at all: a temporary file beside it, fsync, rename.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use super::{FormatError, npz, nwb_write, text};
use crate::recording::{Recording, Source};

/// Endings that can be written, with what the format is and keeps.
pub const WRITES: &[(&str, &str)] = &[
    ("nwb", "NWB 2.x: spikes, units, areas, interval tables and time series, for other programs"),
    ("npz", "Everything this program knows of the recording, readable with numpy.load"),
    ("csv", "A list of spikes: unit,time_s,area"),
    ("tsv", "A list of spikes, separated by tabs"),
];

/// Write `recording` in the format that the extension of `path` names (nwb, npz, csv, tsv). Returns what that format cannot hold,
/// one sentence each; an NPZ file holds everything.
///
/// # Errors
/// [`FormatError::UnknownExtension`] and [`FormatError::NotWritable`]. The old file, if any, is untouched then.
pub fn save(recording: &Recording, path: &Path) -> Result<Vec<String>, FormatError> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    let failed = |e: std::io::Error| FormatError::not_writable(path, e);
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
    whole(path, |to| match extension.as_str() {
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
    })
}

/// Let `write` fill a temporary file beside `path`, and put it in the place of `path` when all of it is on disk.
pub(super) fn whole<T>(path: &Path, write: impl FnOnce(&mut File) -> Result<T, FormatError>) -> Result<T, FormatError> {
    let failed = |e: std::io::Error| FormatError::not_writable(path, e);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new().prefix(".spikescope-").suffix(".tmp").tempfile_in(folder).map_err(failed)?;
    let result = write(temporary.as_file_mut())?;
    temporary.as_file().sync_all().map_err(failed)?;
    readable_like_others(temporary.as_file());
    temporary.persist(path).map_err(|e| failed(e.error))?;
    sync_folder(folder);
    Ok(result)
}

/// A temporary file is for its owner only; a recording is as readable as any other new file.
fn readable_like_others(file: &File) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if let Err(e) = file.set_permissions(std::fs::Permissions::from_mode(0o644)) {
            tracing::warn!("permissions were not set: {e}");
        }
    }
    #[cfg(not(unix))]
    let _ = file;
}

/// The new name itself survives a power cut only when the folder is synced too; not every system allows it.
fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    if let Err(e) = File::open(folder).and_then(|f| f.sync_all()) {
        tracing::debug!("folder was not synced: {e}");
    }
    #[cfg(not(unix))]
    let _ = folder;
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
    say(!recording.units.columns.is_empty(), "unit columns are");
    say(!recording.covariates.is_empty(), "time series are");
    say(recording.activity.is_some(), "continuous activity is");
    say(!recording.observed.is_empty(), "observation intervals are");
    say(recording.truth.is_some(), "the ground truth and its parameters are");
    lost
}
