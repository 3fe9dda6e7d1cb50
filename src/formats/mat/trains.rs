//! Spike times of a MATLAB file: one vector per unit, vectors in nested cells (groups of units, or trials), or one vector of times
//! with a vector of unit numbers.

use std::collections::BTreeMap;

use super::Mat;
use super::candidates::{Beside, Candidate, Leaf};
use super::columns::{self, Rows};
use super::value::{Numbers, Value};
use crate::formats::choices::Question;
use crate::formats::clean::{clean_trains, counted};
use crate::formats::{FormatError, binned_h5::counts};
use crate::recording::{Column, ImportReport, IntervalTable, NamedColumn, NoteKind, RecordingParts};

/// How two levels of cells are meant.
#[derive(Clone, Copy, PartialEq)]
enum Nesting {
    Groups,
    UnitTrial,
    TrialUnit,
}

/// One vector per leaf.
pub(super) fn of_leaves(
    mat: &Mat,
    candidate: &Candidate,
    leaves: &[Leaf],
    variables: &[(String, Value)],
    report: &mut ImportReport,
) -> Result<RecordingParts, FormatError> {
    // A struct with nothing in it is a cluster that this recording does not have, not a silent unit.
    let (leaves, empty): (Vec<&Leaf>, Vec<&Leaf>) = leaves.iter().partition(|l| !l.in_struct || l.times.is_some());
    if !empty.is_empty() {
        report.add(NoteKind::LeftOut, candidate.path.clone(), format!("{} without any time", counted(empty.len(), "struct")));
    }
    let leaves = leaves.as_slice();
    let mut times = Vec::with_capacity(leaves.len());
    for (k, leaf) in leaves.iter().enumerate() {
        let at = 0.5 + 0.3 * k as f32 / leaves.len() as f32;
        times.push(leaf.times.map(|n| mat.values(n, at)).transpose()?.unwrap_or_default().into_owned());
        mat.at(at, "reading spike times")?;
    }
    super::times::to_seconds(mat, candidate, variables, &mut times, report)?;
    let levels = leaves.iter().map(|l| l.index.len()).max().unwrap_or(1);
    let nesting = if levels == 2 { nesting(mat, leaves, report)? } else { Nesting::Groups };
    match nesting {
        Nesting::Groups => groups(mat, candidate, leaves, times, levels, report),
        Nesting::UnitTrial | Nesting::TrialUnit => in_trials(mat, candidate, leaves, times, nesting == Nesting::UnitTrial, report),
    }
}

fn nesting(mat: &Mat, leaves: &[&Leaf], report: &mut ImportReport) -> Result<Nesting, FormatError> {
    let options =
        [("groups", "every vector is a unit (groups of units)"), ("unit_trial", "units of trials"), ("trial_unit", "trials of units")];
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    for leaf in leaves {
        *sizes.entry(leaf.index.first().copied().unwrap_or(0)).or_default() += 1;
    }
    let equal = sizes.len() > 1 && sizes.values().all(|&n| n > 1 && Some(&n) == sizes.values().next());
    let (own, why) = if leaves.iter().any(|l| l.in_struct) {
        (Some("groups"), "every place holds a struct with times of its own".to_owned())
    } else if equal {
        let inner = sizes.values().next().copied().unwrap_or(0);
        (None, format!("the {} outer cells have {inner} vectors each: trials and units, or groups of units", sizes.len()))
    } else {
        (Some("groups"), "the cells hold different numbers of vectors, so that these are not trials".to_owned())
    };
    let mut choices = mat.choices();
    let question = Question { key: "nesting", label: "Cells inside cells", proposed: own, why: &why, assumed: true };
    let value = choices.pick(&question, &options)?;
    let nesting = match value.as_str() {
        "unit_trial" => Nesting::UnitTrial,
        "trial_unit" => Nesting::TrialUnit,
        _ => Nesting::Groups,
    };
    choices.hand_over(report);
    Ok(nesting)
}

/// Every leaf is a unit.
fn groups(
    mat: &Mat,
    candidate: &Candidate,
    leaves: &[&Leaf],
    times: Vec<Vec<f64>>,
    levels: usize,
    report: &mut ImportReport,
) -> Result<RecordingParts, FormatError> {
    let in_structs = leaves.iter().any(|l| l.in_struct);
    let id = |leaf: &Leaf| match leaf.index.as_slice() {
        // Tetrodes and their clusters, as nelpy and the filter framework call them.
        [tetrode, cluster] if in_structs => format!("T{tetrode}C{cluster}"),
        index => index.iter().map(|i| (i + 1).to_string()).collect::<Vec<_>>().join("."),
    };
    let mut parts = finish(mat, candidate, times, leaves.iter().copied().map(id).collect(), report)?;
    if levels == 2 {
        let of: Vec<usize> = leaves.iter().map(|l| l.index.first().copied().unwrap_or(0)).collect();
        let name = if in_structs { "tetrode" } else { "group" };
        let description = "outer cell of the unit, counted from 1".to_owned();
        parts.unit_columns.push(NamedColumn {
            name: name.to_owned(),
            description,
            values: Column::Int(of.iter().map(|&g| g as i64 + 1).collect()),
        });
        let count = of.iter().max().map_or(0, |m| m + 1);
        columns::add(mat, candidate, &Rows { units: leaves.len(), groups: Some((&of, count)) }, &[], &mut parts, report)?;
    } else {
        columns::add(mat, candidate, &Rows { units: leaves.len(), groups: None }, &[], &mut parts, report)?;
    }
    Ok(parts)
}

/// Leaves are trials of units; times relative to the trial are put one trial after the other.
fn in_trials(
    mat: &Mat,
    candidate: &Candidate,
    leaves: &[&Leaf],
    times: Vec<Vec<f64>>,
    unit_first: bool,
    report: &mut ImportReport,
) -> Result<RecordingParts, FormatError> {
    let place = |leaf: &Leaf| {
        let (a, b) = (leaf.index.first().copied().unwrap_or(0), leaf.index.get(1).copied().unwrap_or(0));
        if unit_first { (a, b) } else { (b, a) }
    };
    let units = leaves.iter().map(|l| place(l).0 + 1).max().unwrap_or(0);
    let trials = leaves.iter().map(|l| place(l).1 + 1).max().unwrap_or(0);
    // Sizes come from positions of vectors that exist, but a corner of one by one million would still be a table of its own.
    if units.saturating_mul(trials) > 16 * leaves.len() + 1024 {
        return Err(mat.damaged(&candidate.path, format!("{units} units and {trials} trials are claimed by {} vectors", leaves.len())));
    }
    let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); trials];
    for (leaf, own) in leaves.iter().zip(&times) {
        if let Some(range) = ranges.get_mut(place(leaf).1) {
            *range = own.iter().filter(|t| t.is_finite()).fold(*range, |(a, b), &t| (a.min(t), b.max(t)));
        }
    }
    let filled: Vec<(f64, f64)> = ranges.iter().copied().filter(|(a, b)| a <= b).collect();
    let absolute = filled.len() > 1 && filled.windows(2).all(|w| w[0].1 <= w[1].0);
    let (low, high) = filled.iter().fold((0f64, 0f64), |(a, b), r| (a.min(r.0), b.max(r.1)));
    let bin = 1e-3;
    let length = ((high - low) / bin).floor() + 1.0;
    if !absolute && length > 1e8 {
        return Err(mat.damaged(&candidate.path, format!("its trials last {} s", high - low)));
    }
    let starts = if absolute { vec![0.0; trials] } else { counts::starts(trials, length as usize, bin) };
    let mut trains = vec![Vec::new(); units];
    for (leaf, own) in leaves.iter().zip(times) {
        let (unit, trial) = place(leaf);
        let shift = if absolute { 0.0 } else { starts.get(trial).copied().unwrap_or(0.0) - low };
        if let Some(train) = trains.get_mut(unit) {
            train.extend(own.into_iter().map(|t| t + shift));
        }
    }
    // Trials of one unit come one after the other, but a train may not be sorted within them.
    let ids = (1..=units).map(|u| u.to_string()).collect();
    let mut parts = finish(mat, candidate, trains, ids, report)?;
    if absolute {
        report.add(NoteKind::Assumed, candidate.path.clone(), "the times of later trials come later, so they are taken as they are");
    } else {
        let message = format!(
            "times are relative to their trial; {} of {:.3} s were put one after the other",
            counted(trials, "trial"),
            length * bin
        );
        report.add(NoteKind::Assumed, candidate.path.clone(), message);
        let stop: Vec<f64> = starts.iter().map(|s| s + length * bin).collect();
        parts.observed = starts.iter().copied().zip(stop.iter().copied()).collect();
        let zero = NamedColumn {
            name: "zero_time".to_owned(),
            description: "where the file's times of the trial are 0".to_owned(),
            values: Column::Float(starts.iter().map(|s| s - low).collect()),
        };
        parts.tables.push(IntervalTable {
            name: "trials".to_owned(),
            start: starts,
            stop,
            columns: if low < 0.0 { vec![zero] } else { Vec::new() },
        });
    }
    columns::add(mat, candidate, &Rows { units, groups: None }, &[], &mut parts, report)?;
    Ok(parts)
}

/// One vector of times, with the unit of every spike in another one or all of one unit.
pub(super) fn of_vector(
    mat: &Mat,
    candidate: &Candidate,
    numbers: &Numbers,
    variables: &[(String, Value)],
    report: &mut ImportReport,
) -> Result<RecordingParts, FormatError> {
    let same: Vec<(&str, &Numbers)> = candidate
        .beside
        .iter()
        .filter_map(|(name, beside)| match beside {
            Beside::Whole(Value::Numbers(n)) if n.is_vector() && n.len() == numbers.len() => Some((name.as_str(), n)),
            _ => None,
        })
        .take(40)
        .collect();
    let mut options: Vec<(String, String)> = same.iter().map(|(name, _)| ((*name).to_owned(), format!("variable {name}"))).collect();
    options.push(("none".to_owned(), "all spikes are of one unit".to_owned()));
    let sounds = |name: &str| ["id", "unit", "clu", "cell", "neuron", "label", "channel"].iter().any(|w| name.to_lowercase().contains(w));
    let (own, why) = match same.iter().find(|(name, _)| sounds(name)) {
        Some((name, _)) => (*name, format!("{name} has one number for every time and the name of a unit")),
        None => ("none", "no variable of the same length is called like a unit".to_owned()),
    };
    let mut choices = mat.choices();
    let question = Question { key: "ids", label: "Unit of every spike", proposed: Some(own), why: &why, assumed: true };
    let ids = choices.pick(&question, &options)?;
    let why = choices.made.last().map(|c| c.why.clone()).unwrap_or_default();
    let values = mat.values(numbers, 0.5)?;
    let mut units: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    match same.iter().find(|(name, _)| *name == ids) {
        Some((name, of)) => {
            for (&time, &unit) in values.iter().zip(mat.values(of, 0.6)?.iter()) {
                if unit.fract() != 0.0 || unit.abs() > 9e15 {
                    return Err(mat.damaged(name, format!("it holds {unit} where the number of a unit should be")));
                }
                units.entry(unit as i64).or_default().push(time);
            }
        }
        None => {
            units.insert(1, values.into_owned());
        }
    }
    let names: Vec<String> = units.keys().map(i64::to_string).collect();
    if names.len() > 100_000 {
        return Err(mat.damaged(&ids, format!("it has {} different numbers, too many to be units", names.len())));
    }
    report.add(NoteKind::Assumed, candidate.path.clone(), format!("units of the spikes: {why}"));
    if !same.is_empty() {
        choices.hand_over(report);
    }
    let mut trains: Vec<Vec<f64>> = units.into_values().collect();
    super::times::to_seconds(mat, candidate, variables, &mut trains, report)?;
    let count = names.len();
    let mut parts = finish(mat, candidate, trains, names, report)?;
    columns::add(mat, candidate, &Rows { units: count, groups: None }, &[ids.as_str()], &mut parts, report)?;
    Ok(parts)
}

fn finish(
    mat: &Mat,
    candidate: &Candidate,
    trains: Vec<Vec<f64>>,
    ids: Vec<String>,
    report: &mut ImportReport,
) -> Result<RecordingParts, FormatError> {
    let spikes = clean_trains(trains, &ids, &candidate.path, report);
    let spikes = spikes.ok_or_else(|| mat.damaged(&candidate.path, "its vectors do not fit together"))?;
    Ok(super::parts(spikes, ids))
}
