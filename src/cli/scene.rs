//! What a picture shows: a recording, a run, or both, from the files that were named.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sources::ImportOptions;
use super::{Usage, output, sources};
use crate::formats::OpenOptions;
use crate::recording::Recording;
use crate::runs::{self, LoadedRun, MANIFEST, RecordingEntry, RecordingSource};
use crate::views::RunState;

/// A recording and a run as the window would have them open.
#[derive(Clone, Default)]
pub(super) struct Scene {
    /// The recording, areas as the file has them.
    pub(super) recording: Option<Arc<Recording>>,
    /// The run.
    pub(super) run: Option<RunState>,
}

impl Scene {
    /// From a recording, a run folder, or one of each in any order. A run brings its recording with it where that can still be
    /// had.
    pub(super) fn from_paths(paths: &[PathBuf], import: &ImportOptions) -> anyhow::Result<Self> {
        let (runs, files): (Vec<&PathBuf>, Vec<&PathBuf>) = paths.iter().partition(|path| path.join(MANIFEST).is_file());
        if runs.len() > 1 || files.len() > 1 {
            return Err(Usage("name one recording, one run folder, or one of each".to_owned()).into());
        }
        let recording = files.first().map(|file| import.open(file)).transpose()?;
        match runs.first() {
            None => Ok(Self { recording, run: None }),
            Some(folder) => {
                let run = runs::load(folder)?;
                let recording = match recording {
                    Some(given) if given.fingerprint == run.manifest.recording.fingerprint => Some(given),
                    Some(given) => {
                        let (given, wanted) = (&given.name, &run.manifest.recording.name);
                        return Err(Usage(format!("the run was made from other data ('{wanted}') than the recording '{given}'")).into());
                    }
                    None => recording_of(&run),
                };
                Ok(Self::of_run(run, recording))
            }
        }
    }

    /// A recording alone.
    pub(super) fn of_recording(recording: Recording) -> Self {
        Self { recording: Some(Arc::new(recording)), run: None }
    }

    /// A kept run with the recording behind it.
    pub(super) fn of_run(run: LoadedRun, recording: Option<Arc<Recording>>) -> Self {
        let state = RunState::of_kept(run, recording.as_deref());
        Self { recording, run: Some(state) }
    }
}

/// The recording of a run: its file, when it is still there with the same data, or the demo. Views do without if need be.
pub(super) fn recording_of(run: &LoadedRun) -> Option<Arc<Recording>> {
    let entry = &run.manifest.recording;
    let found = match &entry.source {
        RecordingSource::File { path } if Path::new(path).exists() => opened_as_then(Path::new(path), entry),
        RecordingSource::Simulator { name, .. } if name == "demo" => sources::demo().ok().map(Arc::new),
        _ => None,
    };
    let same = found.filter(|recording| recording.fingerprint == entry.fingerprint);
    if same.is_none() {
        output::tell(&format!(
            "note: the recording '{}' is not at hand; what the run itself holds is shown (name the recording's file beside the run to add it)",
            entry.name
        ));
    }
    same
}

/// The file read with the answers of that time, and with what the user made of it then.
pub(super) fn opened_as_then(path: &Path, entry: &RecordingEntry) -> Option<Arc<Recording>> {
    let options = OpenOptions { answers: entry.report.answers(), ..OpenOptions::for_this_machine() };
    let read = Arc::new(sources::read(path, &options).ok()?);
    match &entry.prepared {
        None => Some(read),
        Some(sidecar) => sidecar.apply(&read).ok(),
    }
}
