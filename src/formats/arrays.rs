//! Arrays of other people: NPZ archives and single NPY files in the layouts that are common, told apart by the names and shapes of
//! the arrays. What is what can be overruled (`role/times`, `role/units`, `role/trials`, `role/counts`), and what no name tells is asked.
//!
//! - one array with the times and one with the units of all spikes, perhaps one with their trials (times then run from trial start)
//! - counts per bin, `[trials, bins, units]` in any order of axes
//! - one array of ascending times per unit
//! - pynapple (`TsGroup`, `Ts`): <https://pynapple.org>

pub(super) mod columns;
mod counts;
mod flat;
mod inventory;
mod names;
mod one_each;
mod pickle;
mod pynapple;
pub(super) mod spikes;
mod trials;
mod truth;

use std::path::Path;

use self::inventory::Inventory;
use super::choices::{Choices, Question};
use super::{FormatError, Loaded, OpenOptions, Probe, Progress};
use crate::recording::{Choice, ImportReport, NoteKind};

/// The answer for "no array plays this role".
const NOTHING: &str = "(none)";

/// True for NPZ archives and NPY files.
pub(super) fn sniff(probe: &Probe) -> bool {
    super::npz::is_zip(probe.head) || probe.head.starts_with(b"\x93NUMPY")
}

/// What every layout needs to read on.
struct Import<'a> {
    path: &'a Path,
    arrays: Inventory,
    choices: Choices<'a>,
    options: &'a OpenOptions,
    progress: &'a Progress<'a>,
    report: ImportReport,
    /// Arrays that were used.
    used: Vec<String>,
}

/// Read a recording.
pub(super) fn read(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Loaded, FormatError> {
    let arrays = Inventory::open(path, options.max_bytes)?;
    let choices = Choices::new(path, &options.answers);
    let mut import = Import { path, arrays, choices, options, progress, report: ImportReport::default(), used: Vec::new() };
    progress.at(0.1, "looking at the arrays")?;
    let mut parts = import.parts()?;
    import.tell_unused();
    let mut report = import.report;
    report.choices = import.choices.made;
    parts.report = report;
    Ok(parts.into())
}

/// Seconds between trials, so that what is taken from before a trial is not the trial before.
const GAP: &str = "1";

impl Import<'_> {
    /// Seconds between trials that the file does not place in time.
    fn trial_gap(&mut self) -> Result<f64, FormatError> {
        let gap = Question {
            key: "trial_gap_s",
            label: "Gap between trials",
            proposed: Some(GAP),
            why: "the file does not say when trials began; they are put one after another",
            assumed: true,
        };
        self.choices.positive(&gap, "s")
    }

    fn parts(&mut self) -> Result<crate::recording::RecordingParts, FormatError> {
        if let Some(kind) = pynapple::kind(&mut self.arrays) {
            return pynapple::read(self, &kind);
        }
        let times = self.find(names::TIMES, inventory::Listed::is_vector);
        let partner = |times: &String| {
            let spikes = self.arrays.get(times).map_or(0, inventory::Listed::len);
            self.find(names::UNITS, |a| a.is_row() && a.len() == spikes && a.name != *times).is_some()
        };
        // A vector called 'time' beside counts is the time of the bins.
        let counted = self.find(names::COUNTS, inventory::Listed::is_counts).is_some() && !times.as_ref().is_some_and(partner);
        let chosen = self.choices.answered("role/counts") || (counted && !self.choices.answered("role/times"));
        if chosen && let Some(counts) = self.role("counts", names::COUNTS, inventory::Listed::is_counts, "Counts per bin")? {
            return counts::read(self, &counts);
        }
        if let Some(times) = self.role("times", names::TIMES, inventory::Listed::is_vector, "Spike times")? {
            return flat::read(self, &times);
        }
        if one_each::fits(self)? { one_each::read(self) } else { Err(self.unknown()) }
    }

    /// The first array whose name is one of `known`, in the order of `known`.
    fn find(&self, known: &[&str], fits: impl Fn(&inventory::Listed) -> bool) -> Option<String> {
        let candidates = || self.arrays.listed.iter().filter(|a| fits(a) && !self.used.contains(&a.name));
        known.iter().find_map(|k| candidates().find(|a| names::words(&a.name).0 == *k)).map(|a| a.name.clone())
    }

    /// The number in the first array called like one of `known`, and the unit of time in its name.
    fn scalar(&mut self, known: &[&str]) -> Option<(String, f64)> {
        let name = self.find(known, inventory::Listed::is_scalar)?;
        let value = self.arrays.scalar(&name).filter(|v| v.is_finite())?;
        self.used.push(name.clone());
        Some((name, value))
    }

    /// The array that plays a role: the answered one, else the first whose name is one of `known`.
    fn role(
        &mut self,
        role: &str,
        known: &[&str],
        fits: impl Fn(&inventory::Listed) -> bool,
        label: &str,
    ) -> Result<Option<String>, FormatError> {
        let key = format!("role/{role}");
        let candidates: Vec<String> =
            self.arrays.listed.iter().filter(|a| fits(a) && !self.used.contains(&a.name)).map(|a| a.name.clone()).collect();
        let found = self.find(known, &fits);
        if candidates.is_empty() || (found.is_none() && !self.choices.answered(&key)) {
            return Ok(None);
        }
        let why = match &found {
            Some(name) => format!("the array is called '{name}'"),
            None => "no array has a name that says so".to_owned(),
        };
        let question = Question { key: &key, label, proposed: Some(found.as_deref().unwrap_or(NOTHING)), why: &why, assumed: false };
        let mut options: Vec<(&str, &str)> = candidates.iter().map(|c| (c.as_str(), c.as_str())).collect();
        options.push((NOTHING, "no array"));
        let chosen = self.choices.pick(&question, &options)?;
        if chosen == NOTHING {
            return Ok(None);
        }
        self.used.push(chosen.clone());
        Ok(Some(chosen))
    }

    /// A choice that is answered with any text.
    fn free_text(&mut self, question: &Question) -> String {
        let answer = self.choices.answer(question.key);
        let own = question.proposed.unwrap_or_default();
        let choice = Choice {
            key: question.key.to_owned(),
            label: question.label.to_owned(),
            value: answer.unwrap_or(own).to_owned(),
            options: Vec::new(),
            unit: String::new(),
            why: if answer.is_some() { format!("as chosen; otherwise it were {own}") } else { question.why.to_owned() },
            assumed: question.assumed && answer.is_none(),
        };
        let value = choice.value.clone();
        self.choices.made.push(choice);
        value
    }

    /// Why nothing can be read: pickled objects, or names that say nothing.
    fn unknown(&mut self) -> FormatError {
        let layout =
            |problem: String, remedy: &str| FormatError::NpzLayout { path: self.path.to_owned(), problem, remedy: remedy.to_owned() };
        if let Some(one) = self.arrays.listed.iter().find(|a| a.is_pickled()) {
            let problem = format!("array '{}' holds pickled Python objects, which are not read because they can run code", one.name);
            let remedy = "save plain arrays instead, for example np.savez(file, times=np.concatenate(trains), \
                          ids=np.repeat(np.arange(len(trains)), [len(t) for t in trains]))";
            return layout(problem, remedy);
        }
        if self.arrays.listed.is_empty() {
            return layout("the archive is empty".to_owned(), "save the spikes with np.savez(file, times=…, ids=…)");
        }
        let vectors: Vec<(&str, &str)> =
            self.arrays.listed.iter().filter(|a| a.is_vector()).map(|a| (a.name.as_str(), a.name.as_str())).collect();
        let listed = self.arrays.described();
        if vectors.is_empty()
            && let Some(problem) = self.arrays.problem.take()
        {
            return problem;
        }
        if vectors.is_empty() {
            return layout(
                format!("none of the arrays {listed} holds spike times or counts"),
                "save the spikes with np.savez(file, times=…, ids=…)",
            );
        }
        let why = format!("no name says which array holds the spike times; there are {listed}");
        let question = Question { key: "role/times", label: "Spike times", proposed: None, why: &why, assumed: false };
        let asked = Choices::new(self.path, &self.options.answers).pick(&question, &vectors);
        asked.err().unwrap_or_else(|| layout(why.clone(), "choose another file"))
    }

    fn tell_unused(&mut self) {
        let unused: Vec<String> =
            self.arrays.listed.iter().filter(|a| !self.used.contains(&a.name)).map(inventory::Listed::described).collect();
        if !unused.is_empty() {
            let more = if unused.len() > 12 { ", …" } else { "" };
            let shown = unused.iter().take(12).map(String::as_str).collect::<Vec<_>>().join(", ");
            self.report.add(NoteKind::LeftOut, "arrays", format!("arrays that are not used: {shown}{more}"));
        }
    }
}
