//! The manifest: what a run is and which files belong to it. It is written last, so a folder with a manifest is complete.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::lock::holder;
use super::{RunError, Used};
use crate::recording::{ImportReport, Recording, Sidecar, Source};

/// Name of the manifest inside the run folder.
pub const MANIFEST: &str = "manifest.json";

/// The layout that this program writes.
pub const LAYOUT: u32 = 2;

/// How a run ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Being trained now, here or by another process.
    Running,
    /// Was being trained when its process ended (or the machine); it can be resumed. Never written: this is what a run says that is
    /// `running` while nobody trains it.
    Interrupted,
    /// All stages done.
    Complete,
    /// Ended by the user, who kept what there was.
    Stopped,
    /// Ended by an error; what there was is kept.
    Failed,
}

impl RunStatus {
    /// True when the run has ended by itself, with or without success.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Complete | Self::Stopped | Self::Failed)
    }

    /// In a word, for lists.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Complete => "complete",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// Where the recording came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum RecordingSource {
    /// A file or folder.
    File {
        /// Its path when the run was made.
        path: String,
    },
    /// A simulator.
    Simulator {
        /// Name.
        name: String,
        /// Parameters in words.
        parameters: String,
        /// Seed.
        seed: u64,
    },
}

/// The recording behind a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordingEntry {
    /// Short name.
    pub name: String,
    /// File or simulator.
    pub source: RecordingSource,
    /// SHA-256 of the data, see [`Recording::fingerprint`]: says whether an open recording is the same.
    pub fingerprint: String,
    /// What the import assumed, repaired and left out, with the answers that open the file in the same way again.
    #[serde(default)]
    pub report: ImportReport,
    /// What the user made of the recording as read; `None` when nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared: Option<Sidecar>,
}

impl From<&Recording> for RecordingEntry {
    fn from(recording: &Recording) -> Self {
        let source = match &recording.source {
            Source::File(path) => RecordingSource::File { path: path.to_string_lossy().into_owned() },
            Source::Simulated { simulator, parameters, seed } => {
                RecordingSource::Simulator { name: simulator.clone(), parameters: parameters.clone(), seed: *seed }
            }
        };
        let prepared = recording.prepared.as_ref().map(|p| p.sidecar.clone());
        let (name, fingerprint) = (recording.name.clone(), recording.fingerprint.clone());
        Self { name, source, fingerprint, report: recording.report.clone(), prepared }
    }
}

/// One stage of the training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageEntry {
    /// Name, for example `1 · mean dynamics`.
    pub name: String,
    /// Optimiser steps.
    pub steps: u64,
    /// Epochs.
    pub epochs: u64,
    /// Seconds, pauses left out.
    pub seconds: f64,
}

/// One file of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Path inside the run folder, with `/`.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in hex.
    pub sha256: String,
}

impl FileEntry {
    /// Of a file with this content.
    pub(super) fn of(path: &str, content: &[u8]) -> Self {
        Self { path: path.to_owned(), bytes: content.len() as u64, sha256: hex(&Sha256::digest(content)) }
    }

    /// The content, when it is still what was written.
    pub(super) fn read(&self, folder: &Path) -> Result<Vec<u8>, RunError> {
        let path = self.place(folder)?;
        let content = match std::fs::read(&path) {
            Ok(content) => content,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(RunError::Missing { path }),
            Err(source) => return Err(RunError::Read { path, source }),
        };
        let damaged = RunError::damaged(&path);
        if content.len() as u64 != self.bytes {
            return Err(damaged(format!("the file has {} bytes, but {} were written", content.len(), self.bytes)));
        }
        if Self::of(&self.path, &content).sha256 != self.sha256 {
            return Err(damaged("the content has changed since it was written (its SHA-256 differs)".to_owned()));
        }
        Ok(content)
    }

    /// Where the file is; a manifest must not lead out of its folder.
    fn place(&self, folder: &Path) -> Result<PathBuf, RunError> {
        let inside = Path::new(&self.path).components().all(|c| matches!(c, Component::Normal(_)));
        if inside && !self.path.is_empty() {
            Ok(folder.join(&self.path))
        } else {
            Err(RunError::damaged(&folder.join(MANIFEST))(format!("it lists '{}', which is not inside the run folder", self.path)))
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always `spikescope`.
    pub program: String,
    /// Version of the program that wrote the run.
    pub version: String,
    /// Layout of the folder; newer layouts are refused.
    pub layout: u32,
    /// How the run ended, or that it has not.
    pub status: RunStatus,
    /// Why it failed, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What happened on the way and was dealt with: a diverged loss, a lost device, a checkpoint that could not be written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<String>,
    /// When it ended (or began, while it has not ended), UTC, for example `2026-11-21T10:02:33Z`.
    pub created: String,
    /// The recording.
    pub recording: RecordingEntry,
    /// What was taken of it; `None` in runs of layout 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Used>,
    /// The file that the recording was opened from, where that is known besides what the recording says (a simulated one that was
    /// saved names its simulator).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_from: Option<PathBuf>,
    /// Kind of model, for example `glm-transformer`.
    pub model: String,
    /// Areas of the model, in the order of `results.npz`; empty when there are no results.
    pub areas: Vec<String>,
    /// Seed of the recipe.
    pub seed: u64,
    /// Name of the device that trained.
    pub device: String,
    /// Seconds of training, pauses left out.
    pub seconds: f64,
    /// Optimiser steps.
    pub steps: u64,
    /// The stages.
    pub stages: Vec<StageEntry>,
    /// Every other file of the run.
    pub files: Vec<FileEntry>,
}

impl Manifest {
    /// The manifest of a run folder. Its status is that of now: a run that somebody trains is running, one that nobody trains and
    /// that has not ended was interrupted.
    ///
    /// # Errors
    /// [`RunError`] when there is none, it is damaged, or a newer program wrote it.
    pub fn read(folder: &Path) -> Result<Self, RunError> {
        let mut manifest = Self::read_as_written(folder)?;
        if manifest.status != RunStatus::Complete && holder(folder).is_some() {
            manifest.status = RunStatus::Running;
        } else if manifest.status == RunStatus::Running {
            manifest.status = RunStatus::Interrupted;
        }
        Ok(manifest)
    }

    /// The manifest as it is in the file.
    pub(super) fn read_as_written(folder: &Path) -> Result<Self, RunError> {
        let path = folder.join(MANIFEST);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                return Err(RunError::NotARun { path: folder.to_owned() });
            }
            Err(source) => return Err(RunError::Read { path, source }),
        };
        Self::parse(&path, &text)
    }

    /// Layout and program are looked at first, so that a newer manifest is told apart from a damaged one.
    fn parse(path: &Path, text: &[u8]) -> Result<Self, RunError> {
        let damaged = RunError::damaged(path);
        let value: serde_json::Value = serde_json::from_slice(text).map_err(|e| damaged(format!("this is not JSON ({e})")))?;
        if value.get("program").and_then(serde_json::Value::as_str) != Some("spikescope") {
            return Err(RunError::NotARun { path: path.parent().unwrap_or(path).to_owned() });
        }
        match value.get("layout").and_then(serde_json::Value::as_u64) {
            Some(found) if found > u64::from(LAYOUT) => return Err(RunError::Newer { path: path.to_owned(), found, known: LAYOUT }),
            Some(1..) => {}
            _ => return Err(damaged("it has no layout number".to_owned())),
        }
        serde_json::from_value(value).map_err(|e| damaged(format!("the manifest cannot be understood ({e})")))
    }

    /// The entry of a file of the run.
    ///
    /// # Errors
    /// [`RunError::Missing`] when the run does not list it.
    pub(super) fn file(&self, folder: &Path, name: &str) -> Result<&FileEntry, RunError> {
        self.files.iter().find(|f| f.path == name).ok_or_else(|| RunError::Missing { path: folder.join(name) })
    }

    /// True when the run lists this file.
    pub(super) fn has(&self, name: &str) -> bool {
        self.files.iter().any(|f| f.path == name)
    }

    pub(super) fn to_json(&self) -> Result<String, RunError> {
        serde_json::to_string_pretty(self).map(|json| json + "\n").map_err(RunError::contents(MANIFEST))
    }
}
