//! What an import assumed, repaired and left out: shown in the window, printed by `info`, kept with the recording.

use serde::{Deserialize, Serialize};

/// What kind of choice was made for the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// The file did not say; this was assumed (time unit, area source, …).
    Assumed,
    /// The file had an error that was repaired (unsorted times were sorted, …).
    Repaired,
    /// Something was left out (NaN spike times, an unreadable table, …).
    LeftOut,
    /// Something the user should check or may want to change.
    Advice,
}

/// One entry of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What was done.
    pub kind: NoteKind,
    /// Where in the source, for example `units/spike_times, unit 99`.
    pub place: String,
    /// One sentence for the user, with numbers and units.
    pub message: String,
}

/// All notes of one import, in the order they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// The notes.
    pub notes: Vec<Note>,
}

impl ImportReport {
    /// Add a note.
    pub fn add(&mut self, kind: NoteKind, place: impl Into<String>, message: impl Into<String>) {
        self.notes.push(Note { kind, place: place.into(), message: message.into() });
    }

    /// True when nothing had to be assumed, repaired or left out.
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }
}
