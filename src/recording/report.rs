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

/// A decision of an import that the user can change: the file did not settle it, or settles it in a way that one may want to
/// overrule. Import dialogs are built from these alone, and answers go back by `key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Stable name of the decision within its format, for example `time_unit` or `role/unit_id`.
    pub key: String,
    /// Label in sentence case, for example "Time unit".
    pub label: String,
    /// The answer in effect; one of `options` unless that is empty.
    pub value: String,
    /// Answers to choose from; empty for a free number or text.
    pub options: Vec<ChoiceOption>,
    /// Physical unit of a number, else empty.
    pub unit: String,
    /// One sentence: why this answer, with the numbers it rests on.
    pub why: String,
    /// True when the file did not say and nobody was asked.
    pub assumed: bool,
}

/// One answer to a [`Choice`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceOption {
    /// What goes back to the reader.
    pub value: String,
    /// What the user reads.
    pub label: String,
}

/// All notes and choices of one import, in the order they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// The notes.
    pub notes: Vec<Note>,
    /// The decisions that can be changed by opening the file again with other answers.
    #[serde(default)]
    pub choices: Vec<Choice>,
}

impl ImportReport {
    /// Add a note.
    pub fn add(&mut self, kind: NoteKind, place: impl Into<String>, message: impl Into<String>) {
        self.notes.push(Note { kind, place: place.into(), message: message.into() });
    }

    /// Offer a decision to be changed.
    pub fn offer(&mut self, choice: Choice) {
        self.choices.push(choice);
    }

    /// True when nothing had to be assumed, repaired or left out.
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }
}
