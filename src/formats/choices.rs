//! Decisions a reader offers to be changed, the same for every format: the reader names its own answer and why, what the user answered overrules it, and
//! both end up in the import report.

use std::collections::BTreeMap;
use std::path::Path;

use super::FormatError;
use crate::recording::{Choice, ChoiceOption, ImportReport};

/// Decisions that had another key before: answers that are remembered under that key still count.
const RENAMED: &[(&str, &str)] = &[("sampling_rate_hz", "sampling_rate")];

/// One decision as the reader would take it.
pub(super) struct Question<'q> {
    pub(super) key: &'q str,
    pub(super) label: &'q str,
    /// The reader's own answer; `None` when it cannot know and has to ask.
    pub(super) proposed: Option<&'q str>,
    /// Why that answer; for a question that has to be asked, what is missing.
    pub(super) why: &'q str,
    /// True when the file does not say.
    pub(super) assumed: bool,
}

/// Answers that were given, and the choices made so far.
pub(super) struct Choices<'a> {
    path: &'a Path,
    answers: &'a BTreeMap<String, String>,
    pub(super) made: Vec<Choice>,
}

impl<'a> Choices<'a> {
    pub(super) fn new(path: &'a Path, answers: &'a BTreeMap<String, String>) -> Self {
        Self { path, answers, made: Vec::new() }
    }

    /// What the user answered to `key`; an empty answer counts as none.
    pub(super) fn answer(&self, key: &str) -> Option<&'a str> {
        let before = RENAMED.iter().find(|(now, _)| *now == key).and_then(|(_, before)| self.answers.get(*before));
        self.answers.get(key).or(before).map(|a| a.trim()).filter(|a| !a.is_empty())
    }

    /// What was decided goes to the report.
    pub(super) fn hand_over(self, report: &mut ImportReport) {
        report.choices.extend(self.made);
    }

    /// Answers whose key begins with `prefix`, without it.
    pub(super) fn answers_below(&self, prefix: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let answers = self.answers;
        let prefix = prefix.to_owned();
        answers.iter().filter_map(move |(k, v)| Some((k.strip_prefix(prefix.as_str())?, v.trim())))
    }

    /// One of `options` (value and label).
    pub(super) fn pick<S: AsRef<str>>(&mut self, question: &Question, options: &[(S, S)]) -> Result<String, FormatError> {
        self.pick_or_ask(question, options, "")
    }

    /// The same; a question that has to be asked comes with a suggestion.
    pub(super) fn pick_or_ask<S: AsRef<str>>(
        &mut self,
        question: &Question,
        options: &[(S, S)],
        suggestion: &str,
    ) -> Result<String, FormatError> {
        let option = |(value, label): &(S, S)| ChoiceOption { value: value.as_ref().to_owned(), label: label.as_ref().to_owned() };
        let options: Vec<ChoiceOption> = options.iter().map(option).collect();
        let answer = self.answer(question.key);
        let mut choice = self.choice(question, answer, options, "");
        match answer {
            Some(answer) if !choice.options.iter().any(|o| o.value == answer) => {
                choice.value = question.proposed.unwrap_or_default().to_owned();
                Err(self.wrong(choice, answer))
            }
            None if question.proposed.is_none() => {
                suggestion.clone_into(&mut choice.value);
                Err(self.ask(choice))
            }
            _ => Ok(self.make(choice)),
        }
    }

    /// A number greater than zero, in `unit`.
    pub(super) fn positive(&mut self, question: &Question, unit: &str) -> Result<f64, FormatError> {
        self.positive_or_ask(question, unit, "")
    }

    /// The same; a question that has to be asked comes with a suggestion.
    pub(super) fn positive_or_ask(&mut self, question: &Question, unit: &str, suggestion: &str) -> Result<f64, FormatError> {
        self.number(question, unit, suggestion, |n| n > 0.0, "number greater than zero")
    }

    /// A whole number from 0.
    pub(super) fn whole(&mut self, question: &Question) -> Result<usize, FormatError> {
        self.number(question, "", "", |n| n >= 0.0 && n.fract() == 0.0 && n < 1e9, "whole number").map(|n| n as usize)
    }

    /// A number that `fits`; `expected` is what it is called when it does not.
    pub(super) fn number(
        &mut self,
        question: &Question,
        unit: &str,
        suggestion: &str,
        fits: fn(f64) -> bool,
        expected: &str,
    ) -> Result<f64, FormatError> {
        let answer = self.answer(question.key);
        let mut choice = self.choice(question, answer, Vec::new(), unit);
        if answer.is_none() && question.proposed.is_none() {
            suggestion.clone_into(&mut choice.value);
            return Err(self.ask(choice));
        }
        match choice.value.replace(',', ".").parse::<f64>() {
            Ok(number) if number.is_finite() && fits(number) => {
                self.make(choice);
                Ok(number)
            }
            _ => {
                let given = std::mem::replace(&mut choice.value, question.proposed.unwrap_or_default().to_owned());
                choice.why = format!("'{given}' is no {expected} for the choice '{}'", choice.label);
                Err(self.ask(choice))
            }
        }
    }

    /// Offer a question that nobody has answered and on which nothing can be read yet.
    pub(super) fn leave_open(&mut self, question: &Question, options: &[(&str, &str)]) {
        let options = options.iter().map(|(v, l)| ChoiceOption { value: (*v).to_owned(), label: (*l).to_owned() }).collect();
        let choice = self.choice(question, None, options, "");
        self.made.push(choice);
    }

    /// Whether `key` was answered.
    pub(super) fn answered(&self, key: &str) -> bool {
        self.answer(key).is_some()
    }

    fn choice(&self, question: &Question, answer: Option<&str>, options: Vec<ChoiceOption>, unit: &str) -> Choice {
        let label_of = |value: &str| options.iter().find(|o| o.value == value).map_or_else(|| value.to_owned(), |o| o.label.clone());
        let why = match (answer, question.proposed) {
            (Some(answer), Some(own)) if answer != own => format!("as chosen; otherwise it were {}: {}", label_of(own), question.why),
            (Some(_), None) => "as chosen".to_owned(),
            _ => question.why.to_owned(),
        };
        Choice {
            key: question.key.to_owned(),
            label: question.label.to_owned(),
            value: answer.or(question.proposed).unwrap_or_default().to_owned(),
            options,
            unit: unit.to_owned(),
            why,
            assumed: question.assumed && answer.is_none(),
        }
    }

    fn make(&mut self, choice: Choice) -> String {
        let value = choice.value.clone();
        self.made.push(choice);
        value
    }

    fn wrong(&self, mut choice: Choice, answer: &str) -> FormatError {
        choice.why = format!("'{answer}' is no answer to the choice '{}'", choice.label);
        self.ask(choice)
    }

    fn ask(&self, mut choice: Choice) -> FormatError {
        choice.assumed = false;
        FormatError::NeedsAnswer { path: self.path.to_owned(), choice: Box::new(choice) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const UNIT: Question = Question { key: "time_unit", label: "Time unit", proposed: Some("s"), why: "it is usual", assumed: true };
    const OPTIONS: &[(&str, &str)] = &[("s", "seconds"), ("ms", "milliseconds")];

    fn answers(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_reader_decides_until_somebody_answers() {
        let none = answers(&[]);
        let mut own = Choices::new(Path::new("f"), &none);
        assert_eq!(own.pick(&UNIT, OPTIONS).unwrap(), "s");
        assert_eq!((own.made[0].assumed, own.made[0].why.as_str()), (true, "it is usual"));
        let ms = answers(&[("time_unit", " ms "), ("role/a", "unit")]);
        let mut told = Choices::new(Path::new("f"), &ms);
        assert_eq!(told.pick(&UNIT, OPTIONS).unwrap(), "ms");
        assert_eq!((told.made[0].assumed, told.made[0].why.as_str()), (false, "as chosen; otherwise it were seconds: it is usual"));
        assert_eq!(told.answers_below("role/").collect::<Vec<_>>(), [("a", "unit")]);
    }

    #[test]
    fn what_cannot_be_known_is_asked_and_wrong_answers_are_named() {
        let rate = Question { key: "rate", label: "Sampling rate", proposed: None, why: "no rate is given", assumed: false };
        let none = answers(&[]);
        let asked = Choices::new(Path::new("f"), &none).positive(&rate, "Hz").unwrap_err().to_string();
        assert_eq!(asked, "f: no rate is given; answer with --import rate=VALUE (in Hz)");
        for bad in ["-3", "0", "nan", "fast"] {
            let bad_rate = answers(&[("rate", bad)]);
            let error = Choices::new(Path::new("f"), &bad_rate).positive(&rate, "Hz").unwrap_err().to_string();
            let wanted = format!(
                "f: '{bad}' is no number greater than zero for the choice 'Sampling rate'; answer with --import rate=VALUE (in Hz)"
            );
            assert_eq!(error, wanted);
        }
        let wrong = answers(&[("time_unit", "hours")]);
        let error = Choices::new(Path::new("f"), &wrong).pick(&UNIT, OPTIONS).unwrap_err().to_string();
        assert_eq!(error, "f: 'hours' is no answer to the choice 'Time unit'; answer with --import time_unit=VALUE (one of s, ms)");
        let good = answers(&[("rate", "12500,5")]);
        assert_eq!(Choices::new(Path::new("f"), &good).positive(&rate, "Hz").unwrap(), 12500.5);
    }
}
