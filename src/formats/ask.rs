//! Decisions of an import that a user may overrule, from the question to the answer in the report.

use std::path::Path;

use super::{FormatError, OpenOptions};
use crate::recording::{Choice, ChoiceOption, ImportReport};

/// One question; its `key` is what answers come under.
pub(super) struct Ask {
    key: &'static str,
    label: &'static str,
    unit: &'static str,
    options: Vec<ChoiceOption>,
}

impl Ask {
    /// One of several answers (value and what the user reads).
    pub(super) fn one_of(key: &'static str, label: &'static str, options: Vec<(String, String)>) -> Self {
        let options = options.into_iter().map(|(value, label)| ChoiceOption { value, label }).collect();
        Self { key, label, unit: "", options }
    }

    /// A number greater than zero in `unit`.
    pub(super) fn number(key: &'static str, label: &'static str, unit: &'static str) -> Self {
        Self { key, label, unit, options: Vec::new() }
    }

    /// What the user answered, one of the options; `None` when nobody was asked.
    pub(super) fn answer(&self, path: &Path, options: &OpenOptions) -> Result<Option<String>, FormatError> {
        let Some(answer) = options.answers.get(self.key) else { return Ok(None) };
        if self.options.iter().any(|o| &o.value == answer) {
            return Ok(Some(answer.clone()));
        }
        Err(self.needed(path, "", format!("'{answer}' is no answer to the question \"{}\"", self.label)))
    }

    /// The number the user answered.
    pub(super) fn number_answer(&self, path: &Path, options: &OpenOptions) -> Result<Option<f64>, FormatError> {
        let Some(answer) = options.answers.get(self.key) else { return Ok(None) };
        match answer.trim().parse::<f64>() {
            Ok(number) if number.is_finite() && number > 0.0 => Ok(Some(number)),
            _ => Err(self.needed(path, "", format!("'{answer}' is not a number of {} greater than zero", self.unit))),
        }
    }

    /// The reader cannot go on without an answer. `proposal` may be empty.
    pub(super) fn needed(&self, path: &Path, proposal: &str, why: impl Into<String>) -> FormatError {
        let choice = Box::new(self.choice(proposal.to_owned(), why.into(), false));
        FormatError::NeedsAnswer { path: path.to_owned(), choice }
    }

    /// The answer in effect goes to the report.
    pub(super) fn settled(&self, report: &mut ImportReport, value: impl Into<String>, why: impl Into<String>, assumed: bool) {
        report.offer(self.choice(value.into(), why.into(), assumed));
    }

    fn choice(&self, value: String, why: String, assumed: bool) -> Choice {
        let text = |t: &str| t.to_owned();
        Choice { key: text(self.key), label: text(self.label), value, options: self.options.clone(), unit: text(self.unit), why, assumed }
    }
}
