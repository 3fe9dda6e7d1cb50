//! Where decisions about recordings are kept: one small JSON file per recording in the user's data folder, named by the
//! fingerprint of the recording as read. The user's own files are never touched, and a file that moves keeps its decisions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::FormatError;
use crate::export::write_atomically;
use crate::recording::{NoteKind, Recording, SIDECAR_VERSION, Sidecar};

/// A folder of sidecars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// In this folder; it is made when something is kept.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The user's shelf; `None` without a home folder.
    pub fn of_user() -> Option<Self> {
        directories::ProjectDirs::from("", "", "spikescope").map(|dirs| Self::new(dirs.data_dir().join("recordings")))
    }

    /// File of a recording.
    fn place(&self, fingerprint: &str) -> PathBuf {
        let safe: String = fingerprint.chars().filter(char::is_ascii_alphanumeric).collect();
        self.folder.join(format!("{safe}.json"))
    }

    /// What was decided about the recording with this fingerprint.
    ///
    /// # Errors
    /// [`FormatError`] when the file is there but cannot be read, or a newer program wrote it.
    pub fn load(&self, fingerprint: &str) -> Result<Option<Sidecar>, FormatError> {
        let path = self.place(fingerprint);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(FormatError::not_readable(&path, e)),
        };
        let sidecar: Sidecar = serde_json::from_slice(&text).map_err(|e| unusable(&path, &e.to_string()))?;
        if sidecar.version > SIDECAR_VERSION {
            return Err(unusable(&path, &format!("a newer Spikescope wrote it (layout {})", sidecar.version)));
        }
        Ok(Some(sidecar))
    }

    /// Keep decisions; without any the file is removed.
    ///
    /// # Errors
    /// [`FormatError::NotWritable`].
    pub fn save(&self, sidecar: &Sidecar) -> Result<(), FormatError> {
        let path = self.place(&sidecar.fingerprint);
        let failed = |problem: &dyn std::fmt::Display| FormatError::not_writable(&path, problem);
        if sidecar.is_empty() {
            return match std::fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(failed(&e)),
                _ => Ok(()),
            };
        }
        std::fs::create_dir_all(&self.folder).map_err(|e| failed(&e))?;
        let text = serde_json::to_vec_pretty(sidecar).map_err(|e| failed(&e))?;
        write_atomically(&path, |file| std::io::Write::write_all(file, &text)).map_err(|e| failed(&e.source))
    }

    /// The recording with what was decided about it before. What cannot be applied any more is told and changes nothing.
    pub fn apply(&self, original: Recording) -> Arc<Recording> {
        let sidecar = match self.load(&original.fingerprint) {
            Ok(None) => return Arc::new(original),
            Ok(Some(sidecar)) => sidecar,
            Err(e) => return Arc::new(with_advice(original, &e.to_string())),
        };
        let original = Arc::new(original);
        match sidecar.apply(&original) {
            Ok(recording) => recording,
            Err(e) => Arc::new(with_advice((*original).clone(), &e.to_string())),
        }
    }
}

fn unusable(path: &Path, problem: &str) -> FormatError {
    FormatError::Unknown {
        path: path.to_owned(),
        found: format!("decisions about a recording that cannot be understood ({problem})"),
        remedy: "update Spikescope or remove the file".to_owned(),
    }
}

fn with_advice(mut recording: Recording, problem: &str) -> Recording {
    recording.report.add(NoteKind::Advice, "decisions", format!("what was decided about this recording before was not applied: {problem}"));
    recording
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{AreaEdit, RecordingParts, Source, SpikeTrains};

    fn recording() -> Recording {
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([vec![1.0], vec![2.0]]),
            unit_ids: ["1", "2"].map(String::from).to_vec(),
            unit_areas: ["A", "A"].map(String::from).to_vec(),
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("r".into())).unwrap()
    }

    fn renamed(from: &str) -> Sidecar {
        Sidecar { areas: vec![AreaEdit::Rename { from: from.into(), to: "V1".into() }], ..Sidecar::of(&recording()) }
    }

    #[test]
    fn decisions_come_back_and_go_when_there_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path().join("deep/recordings"));
        assert_eq!(shelf.apply(recording()).areas, ["A"]);
        shelf.save(&renamed("A")).unwrap();
        assert_eq!(shelf.load(&recording().fingerprint).unwrap(), Some(renamed("A")));
        let back = shelf.apply(recording());
        assert_eq!((back.areas.clone(), back.prepared.is_some()), (vec!["V1".to_owned()], true));
        shelf.save(&Sidecar::of(&recording())).unwrap();
        assert_eq!(shelf.load(&recording().fingerprint).unwrap(), None);
        shelf.save(&Sidecar::of(&recording())).unwrap();
    }

    #[test]
    fn what_cannot_be_applied_is_told_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path().to_owned());
        shelf.save(&renamed("gone")).unwrap();
        let back = shelf.apply(recording());
        assert_eq!((back.areas.clone(), back.report.notes[0].kind), (vec!["A".to_owned()], NoteKind::Advice));
        assert!(back.report.notes[0].message.contains("no area 'gone'"), "{:?}", back.report.notes);
        let path = folder.path().join(format!("{}.json", recording().fingerprint));
        for (text, part) in [("{", "cannot be understood"), ("{\"version\": 99}", "newer Spikescope")] {
            std::fs::write(&path, text).unwrap();
            assert!(shelf.apply(recording()).report.notes[0].message.contains(part));
        }
    }
}
