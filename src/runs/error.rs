//! What can go wrong with a run folder, each with the file and a remedy.

use std::path::{Path, PathBuf};

use crate::export::{NpzError, WriteError};

/// Why a run folder cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is something else at this place.
    #[error("{}: there is already something here that is not a run of Spikescope ({what}); choose another folder for the run", path.display())]
    Occupied {
        /// The place.
        path: PathBuf,
        /// What is there.
        what: String,
    },
    /// A path without a last part, for example `..`.
    #[error("{}: this is no name for a new folder; give the run folder a name, for example runs/first", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refused to write.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The operating system refused to read.
    #[error("{}: cannot be read: {source}; check the path and your permissions", path.display())]
    Read {
        /// File or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// No manifest.
    #[error("{}: this is not a run folder (it has no manifest.json); choose a folder written by `spikescope train`", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
    },
    /// Written by a newer program.
    #[error("{}: the run has layout {found}, this program reads up to {known}; use a newer Spikescope", path.display())]
    Newer {
        /// The manifest.
        path: PathBuf,
        /// Layout in the file.
        found: u64,
        /// Newest layout known here.
        known: u32,
    },
    /// A file of the run is gone.
    #[error("{}: this file of the run is missing; restore it from a copy or train again with the recipe in recipe.toml", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file of the run has changed since it was written.
    #[error("{}: {what}; restore it from a copy or train again with the recipe in recipe.toml", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Another process, or another window, trains into the folder.
    #[error("{}: this run is being trained by {owner}; wait for it or stop it there", path.display())]
    Locked {
        /// The run folder.
        path: PathBuf,
        /// Who, in words.
        owner: String,
    },
    /// Nothing left to do.
    #[error("{}: this run is complete; there is nothing to resume", path.display())]
    Complete {
        /// The run folder.
        path: PathBuf,
    },
    /// Nothing to go on from.
    #[error("{}: this run has no checkpoint to go on from{}; train again with the recipe in recipe.toml", path.display(),
        .why.iter().map(|why| format!("; {why}")).collect::<String>())]
    NoCheckpoint {
        /// The run folder.
        path: PathBuf,
        /// What is wrong with the checkpoints that are there.
        why: Vec<String>,
    },
    /// Values that have no place in the file.
    #[error("{file} of the run cannot be made: {what}; this is an error in Spikescope, please report it")]
    Contents {
        /// File name inside the run folder.
        file: &'static str,
        /// What is wrong.
        what: String,
    },
}

impl RunError {
    /// For `map_err`: a file whose content is not what it should be.
    pub(super) fn damaged(path: &Path) -> impl Fn(String) -> Self + use<> {
        let path = path.to_owned();
        move |what| Self::Damaged { path: path.clone(), what }
    }

    /// For `map_err`: values that cannot be written.
    pub(super) fn contents<E: std::fmt::Display>(file: &'static str) -> impl Fn(E) -> Self {
        move |what| Self::Contents { file, what: what.to_string() }
    }
}

impl From<NpzError> for RunError {
    fn from(error: NpzError) -> Self {
        let what = if error.array.is_empty() { error.cause } else { format!("array '{}': {}", error.array, error.cause) };
        Self::Damaged { path: error.path, what }
    }
}
