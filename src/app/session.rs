//! The session: what is open and how it is looked at, kept on disk while the window is used, so that a crash or a power cut costs
//! nothing that a user did by hand. A session is offered again at the next start; nothing comes back by itself.

mod flow;
mod keeper;
mod selection;
mod store;

pub use flow::Sessions;
pub use keeper::{SessionKeeper, reports as reports_folder};
pub use selection::SavedSelection;
pub use store::id as process_id;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::recording::Sidecar;

/// Layout of the session file that this program writes.
pub const VERSION: u32 = 1;

/// What a window holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// Layout of this file, see `VERSION`.
    pub version: u32,
    /// Version of the program that wrote it.
    pub program: String,
    /// Process that wrote it.
    pub process: u32,
    /// When it was written, UTC, for example `2026-11-21T10:02:33Z`.
    pub saved: String,
    /// The window was closed in the normal way, or the user was told of this session and went on without it.
    pub ended: bool,
    /// The open recording.
    pub open: Option<OpenRecording>,
    /// Recipe of the Train view.
    pub recipe: Option<Value>,
    /// Arrangement of the views, when the user made one; checked before it is used.
    pub layout: Option<Value>,
    /// What is selected.
    pub selection: SavedSelection,
    /// Selections of pinned views, by the key of the view.
    pub pins: BTreeMap<String, SavedSelection>,
    /// Orders of views, by their key.
    pub orders: BTreeMap<String, Value>,
    /// Size of everything in the window; 1 is the original size.
    pub zoom: Option<f32>,
    /// Runs of this window, oldest first.
    pub runs: Vec<RunOfSession>,
    /// Folder of the run that the views showed.
    pub shown: Option<PathBuf>,
    /// The runs that had not been trained to their end, see [`Queue::to_keep`](super::Queue::to_keep); checked before it is used.
    pub queue: Option<Value>,
}

/// The recording of a session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OpenRecording {
    /// Its file or folder; `None` is the demo.
    pub path: Option<PathBuf>,
    /// Its name.
    pub name: String,
    /// Fingerprint of the data as read: what was selected is meant for these data only.
    pub fingerprint: String,
    /// Answers to the choices of the import, by key.
    pub answers: BTreeMap<String, String>,
    /// Areas made by hand, units left out and masks. They are on the shelf too; this is for when it is gone.
    pub decisions: Option<Sidecar>,
}

/// A run of a session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunOfSession {
    /// Its folder.
    pub folder: PathBuf,
    /// It was going on when the session was written.
    pub going: bool,
}

impl Session {
    /// The run that was going on.
    pub fn going(&self) -> Option<&RunOfSession> {
        self.runs.iter().rev().find(|run| run.going)
    }

    /// True when there is something in it to come back to.
    pub fn is_worth_restoring(&self) -> bool {
        self.open.is_some() || self.queue.is_some()
    }

    /// How many runs were to be trained.
    pub fn queued(&self) -> usize {
        self.queue.as_ref().and_then(|queue| queue["jobs"].as_array()).map_or(0, Vec::len)
    }

    /// The same without folders: for reports that are sent to others.
    pub fn without_paths(&self) -> Self {
        let name = |path: &PathBuf| path.file_name().map(PathBuf::from).unwrap_or_default();
        let mut session = self.clone();
        if let Some(open) = &mut session.open {
            open.path = open.path.as_ref().map(name);
            // Answers and decisions hold names of files and areas; that there are some is enough.
            open.answers.clear();
            open.decisions = None;
        }
        for run in &mut session.runs {
            run.folder = name(&run.folder);
        }
        session.shown = session.shown.as_ref().map(name);
        // It holds folders and names of recordings.
        session.queue = None;
        session
    }
}
