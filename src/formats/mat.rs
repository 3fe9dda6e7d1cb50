//! MATLAB files, version 4 to 7.3: cells of spike times, arrays of structs, nested cells, CellExplorer's `spikes.cellinfo`, times with
//! unit numbers, and counts per bin. Which variable holds the spikes is decided by name and shape where that is clear, and asked
//! for where it is not.

mod candidates;
mod columns;
mod counts;
mod sparse;
mod strings;
mod times;
mod trains;
mod unread;
mod v4;
mod v5;
mod v73;
mod value;

use std::borrow::Cow;
use std::cell::Cell;
use std::path::Path;

use self::candidates::{Candidate, Kind};
use self::value::{Numbers, Value};
use super::choices::{Choices, Question};
use super::guard::{self, Hdf5};
use super::{FormatError, Loaded, OpenOptions, Probe, Progress, clean};
use crate::recording::{ImportReport, NoteKind, RecordingParts};

/// Candidates that are listed.
const MOST_OPTIONS: usize = 40;

/// True for MATLAB files: by their first bytes, or by what MATLAB leaves in HDF5.
pub(super) fn is_mat(probe: &Probe) -> bool {
    let text = probe.head.starts_with(b"MATLAB 7.3 MAT-file") || probe.head.starts_with(b"MATLAB 5.0 MAT-file");
    text || v5::is_v5(probe.head) || v4::is_v4(probe.head) || probe.hdf5_root().is_some_and(|root| root.matlab)
}

/// An open file: what numbers are read from.
struct Mat<'a, 'h> {
    path: &'a Path,
    h5: Option<&'h Hdf5<'a>>,
    options: &'a OpenOptions,
    progress: &'a Progress<'a>,
    /// How far the import is; it never goes back.
    furthest: Cell<f32>,
}

impl Mat<'_, '_> {
    /// Tell how far the import is, at least.
    fn at(&self, fraction: f32, what: &str) -> Result<(), FormatError> {
        self.furthest.set(self.furthest.get().max(fraction));
        self.progress.at(self.furthest.get(), what)
    }

    /// All values of an array, with the progress of the import.
    fn values(&self, numbers: &Numbers, at: f32) -> Result<Cow<'static, [f64]>, FormatError> {
        self.furthest.set(self.furthest.get().max(at));
        numbers.values(self.h5, self.furthest.get())
    }

    /// Decisions about this file.
    fn choices(&self) -> Choices<'_> {
        Choices::new(self.path, &self.options.answers)
    }

    fn damaged(&self, object: &str, problem: impl Into<String>) -> FormatError {
        FormatError::corrupt(self.path, object, problem)
    }
}

/// Read a MATLAB file.
pub(super) fn read(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Loaded, FormatError> {
    let head = guard::head(path)?;
    if !guard::is_hdf5(&head) {
        let variables = if v4::is_v4(&head) { v4::variables(path, options, progress) } else { v5::variables(path, options, progress) }?;
        return interpret(&Mat { path, h5: None, options, progress, furthest: Cell::new(0.5) }, &variables);
    }
    let h5 = Hdf5::open(path, options.max_bytes, progress)?;
    let variables = v73::variables(&h5)?;
    interpret(&Mat { path, h5: Some(&h5), options, progress, furthest: Cell::new(0.1) }, &variables)
}

fn interpret(mat: &Mat, variables: &[(String, Value)]) -> Result<Loaded, FormatError> {
    let candidates = candidates::find(variables);
    if candidates.is_empty() {
        return Err(nothing(mat.path, variables));
    }
    let mut report = ImportReport::default();
    let candidate = choose(mat, &candidates, &mut report)?;
    let mut parts = match &candidate.kind {
        Kind::Trains(leaves) => trains::of_leaves(mat, candidate, leaves, variables, &mut report)?,
        Kind::Vector(numbers) => trains::of_vector(mat, candidate, numbers, variables, &mut report)?,
        Kind::Counts(numbers) => counts::read(mat, candidate, numbers, variables, &mut report)?,
    };
    mat.at(0.9, "reading columns")?;
    unread::note(variables, &mut report);
    clean::note_duplicate_ids(&parts.unit_ids, &candidate.path, &mut report);
    parts.report = report;
    Ok(parts.into())
}

/// The variable with the spikes, from the user or because nothing else looks like it.
fn choose<'c, 'v>(mat: &Mat, candidates: &'c [Candidate<'v>], report: &mut ImportReport) -> Result<&'c Candidate<'v>, FormatError> {
    let label = |c: &Candidate| (c.path.clone(), format!("{} ({})", c.path, c.description));
    let options: Vec<(String, String)> = candidates.iter().take(MOST_OPTIONS).map(label).collect();
    let (own, why) = match (candidates::certain(candidates), candidates.len()) {
        (None, n) => (None, format!("it is not clear which variable holds the spikes; {} could", clean::counted(n, "variable"))),
        (Some(own), 1) => (Some(own), format!("{} ({}) is the only variable that can hold spikes", own.path, own.description)),
        (Some(own), n) => {
            (Some(own), format!("by its name and shape, {} ({}) of {n} variables that could hold spikes", own.path, own.description))
        }
    };
    let proposed = own.map(|c| c.path.as_str());
    let question = Question { key: "variable", label: "Variable with the spikes", proposed, why: &why, assumed: true };
    let mut choices = mat.choices();
    let suggestion = candidates.first().map(|c| c.path.as_str()).unwrap_or_default();
    let chosen = choices.pick_or_ask(&question, &options, suggestion)?;
    if !choices.answered("variable") {
        report.add(NoteKind::Assumed, chosen.clone(), format!("spikes are taken from here: {why}"));
    }
    choices.hand_over(report);
    candidates.iter().find(|c| c.path == chosen).ok_or_else(|| mat.damaged(&chosen, "it is no variable of this file"))
}

fn nothing(path: &Path, variables: &[(String, Value)]) -> FormatError {
    let list: Vec<String> = variables.iter().take(12).map(|(n, v)| format!("{n} ({}, {})", v.class(), v.shape())).collect();
    let found = match list.len() {
        0 => "there are no variables in this MATLAB file".to_owned(),
        _ => format!("no variable of this MATLAB file can hold spikes (it has {})", list.join("; ")),
    };
    let remedy = "save spike times as a cell with one vector per unit, for example save('spikes.mat', 'spikes')";
    let remedy = unread::remedy(variables).map_or_else(|| remedy.to_owned(), |first| format!("{first}, or {remedy}"));
    FormatError::Unknown { path: path.to_owned(), found, remedy }
}

/// A scalar with one of these names beside the candidate, else among all variables; its name too.
fn scalar(
    mat: &Mat,
    candidate: &Candidate,
    variables: &[(String, Value)],
    matches: impl Fn(&str) -> bool,
) -> Result<Option<(String, f64)>, FormatError> {
    let beside = candidate.beside.iter().filter_map(|(name, beside)| match beside {
        candidates::Beside::Whole(value) => Some((name, *value)),
        candidates::Beside::Each(_) => None,
    });
    for (name, value) in beside.chain(variables.iter().map(|(name, value)| (name, value))) {
        if let Value::Numbers(numbers) = value
            && numbers.len() == 1
            && matches(&name.to_lowercase())
            && let Some(&number) = mat.values(numbers, 0.5)?.first()
            && number.is_finite()
            && number > 0.0
        {
            return Ok(Some((name.clone(), number)));
        }
    }
    Ok(None)
}

/// Everything but the report.
fn parts(spikes: crate::recording::SpikeTrains, ids: Vec<String>) -> RecordingParts {
    RecordingParts { unit_areas: vec![String::new(); ids.len()], spikes, unit_ids: ids, ..RecordingParts::default() }
}
