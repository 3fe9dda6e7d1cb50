//! What an import assumed, repaired and left out: shown in the window, printed by `info`, kept with the recording.

use std::collections::BTreeMap;

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
    /// The user decided this: areas by hand, units left out, times masked, a stretch of the recording.
    Chosen,
}

impl NoteKind {
    /// All kinds in the order in which reports list them, with their headings.
    pub const LISTED: [(Self, &str); 5] = [
        (Self::Advice, "To check"),
        (Self::Chosen, "Chosen by you"),
        (Self::Assumed, "Assumed"),
        (Self::Repaired, "Repaired"),
        (Self::LeftOut, "Left out"),
    ];
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

impl Choice {
    /// The answer in effect as the user reads it, with its unit.
    pub fn shown(&self) -> String {
        self.shown_as(&self.value)
    }

    /// `value` as the user reads it, with its unit.
    pub fn shown_as(&self, value: &str) -> String {
        let label = self.options.iter().find(|o| o.value == value).map_or(value, |o| o.label.as_str());
        match (label.is_empty(), self.unit.is_empty()) {
            (true, _) => "not set".to_owned(),
            (_, true) => label.to_owned(),
            (_, false) => format!("{label} {}", self.unit),
        }
    }
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
        self.notes.is_empty() && self.assumed().next().is_none()
    }

    /// Decisions that the file did not settle and nobody was asked about.
    pub fn assumed(&self) -> impl Iterator<Item = &Choice> {
        self.choices.iter().filter(|c| c.assumed)
    }

    /// The answers in effect by key: opening the file with these gives the same recording again.
    pub fn answers(&self) -> BTreeMap<String, String> {
        self.choices.iter().map(|c| (c.key.clone(), c.value.clone())).collect()
    }

    /// What there is of each kind, for one line: "1 to check, 2 assumed". Choices that were assumed count as such.
    pub fn counts(&self) -> String {
        let mut parts = Vec::new();
        for (kind, title) in NoteKind::LISTED {
            let more = if kind == NoteKind::Assumed { self.assumed().count() } else { 0 };
            match self.notes.iter().filter(|n| n.kind == kind).count() + more {
                0 => {}
                n => parts.push(format!("{n} {}", title.to_lowercase())),
            }
        }
        parts.join(", ")
    }

    /// The report of a copy that is written to another file: there the decisions can no longer be changed, so they are told.
    pub fn for_a_copy(&self) -> Self {
        let mut copy = Self { notes: self.notes.clone(), choices: Vec::new() };
        for choice in &self.choices {
            let kind = if choice.assumed { NoteKind::Assumed } else { NoteKind::Chosen };
            copy.add(kind, choice.key.clone(), format!("{}: {}; {}", choice.label, choice.shown(), choice.why));
        }
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(key: &str, assumed: bool) -> Choice {
        Choice {
            key: key.to_owned(),
            label: "Time unit".to_owned(),
            value: "ms".to_owned(),
            options: vec![ChoiceOption { value: "ms".to_owned(), label: "milliseconds".to_owned() }],
            unit: String::new(),
            why: "rates would be too high in seconds".to_owned(),
            assumed,
        }
    }

    #[test]
    fn a_report_counts_what_was_assumed_in_notes_and_choices() {
        let mut report = ImportReport::default();
        report.offer(choice("a", false));
        assert!(report.is_empty());
        report.offer(choice("b", true));
        report.add(NoteKind::Assumed, "x", "y");
        report.add(NoteKind::Advice, "x", "z");
        assert!(!report.is_empty());
        assert_eq!(report.counts(), "1 to check, 2 assumed");
        assert_eq!(report.answers().into_iter().collect::<Vec<_>>(), [("a".into(), "ms".into()), ("b".into(), "ms".into())]);
        let copy = report.for_a_copy();
        assert!(copy.choices.is_empty());
        assert_eq!((copy.notes[2].kind, copy.notes[3].kind), (NoteKind::Chosen, NoteKind::Assumed));
        assert_eq!(copy.notes[3].message, "Time unit: milliseconds; rates would be too high in seconds");
    }

    #[test]
    fn values_are_shown_with_their_unit() {
        let rate = Choice { options: Vec::new(), unit: "Hz".to_owned(), value: "30000".to_owned(), ..choice("rate", true) };
        assert_eq!((rate.shown(), rate.shown_as("")), ("30000 Hz".to_owned(), "not set".to_owned()));
    }
}
