//! One array with the times of all spikes, one with their units, and perhaps one with their trials.

use super::spikes::Members;
use super::{Import, columns, inventory, names, trials, truth};
use crate::formats::time_unit::{self, Evidence, TimeUnit};
use crate::formats::{FormatError, clean};
use crate::recording::{NoteKind, RecordingParts};

/// Spikes and units before the unit of time is known.
pub(super) struct Flat {
    pub(super) times: Vec<f64>,
    pub(super) members: Members,
    /// Name of the array of times.
    pub(super) name: String,
    /// Sampling rate that the file gives, samples/s.
    pub(super) rate: Option<f64>,
}

impl Flat {
    /// What is known about the unit of time, when units were observed for `duration` steps.
    pub(super) fn evidence(&self, duration: f64) -> Evidence {
        let named = names::words(&self.name).1.map(|unit| (unit, format!("the name '{}'", self.name)));
        let sampling_rate = self.rate.map(|rate| (rate, "the file".to_owned()));
        let counts = self.members.counts();
        Evidence { named, sampling_rate, ..Evidence::of(self.times.iter().copied(), &counts).over(&counts, duration) }
    }
}

pub(super) fn read(import: &mut Import, name: &str) -> Result<RecordingParts, FormatError> {
    import.progress.at(0.2, "reading spike times")?;
    let times = import.arrays.numbers(name)?;
    let n = times.len();
    let members = members(import, n)?;
    let trials = import.role("trials", names::TRIALS, |a| a.is_vector() && a.len() == n, "Trial of every spike")?;
    let rate = import.scalar(names::RATE).map(|(_, rate)| rate);
    let flat = Flat { times, members, name: name.to_owned(), rate };
    import.progress.at(0.5, "sorting spikes into units")?;
    let n_units = flat.members.ids.len();
    let mut parts = match trials {
        Some(trials) => trials::place(import, flat, &trials)?,
        None => absolute(import, flat)?,
    };
    parts.unit_columns = columns::per_unit(import, n_units)?;
    let (choices, report) = (&mut import.choices, &mut import.report);
    parts.unit_areas = columns::areas(choices, report, &mut parts.unit_columns, n_units, &[])?;
    parts.truth = truth::find(import, &parts.unit_ids)?;
    Ok(parts)
}

/// The unit of every spike, with the units that the file lists.
fn members(import: &mut Import, spikes: usize) -> Result<Members, FormatError> {
    let units =
        import.role("units", names::UNITS, |a| a.is_row() && a.len() == spikes && (a.is_number() || a.is_text()), "Unit of every spike")?;
    let Some(units) = units else {
        import.report.add(NoteKind::Assumed, "units", "no array says which unit a spike is from; all spikes are of one unit");
        return Ok(Members::one(spikes));
    };
    let ids = import.arrays.read(&units)?.values;
    let mut members = Members::of(ids).map_err(|problem| import.arrays.damaged(&units, problem))?;
    let found = members.ids.len();
    let listed = listed(import, spikes, &members)?;
    if let Some((listed, place)) = listed {
        let added = members.list(listed);
        if added > 0 {
            let message = format!("{} that {place} does not list; kept", clean::counted(added, "unit"));
            import.report.add(NoteKind::Advice, units.clone(), message);
        }
        if members.ids.len() > found {
            let silent = members.ids.len() - found;
            import.report.add(NoteKind::Assumed, place, format!("{} without spikes", clean::counted(silent, "listed unit")));
        }
    }
    Ok(members)
}

/// All units, where the file says so: a list of ids, or the number of units when spikes have the numbers 0, 1, ….
fn listed(import: &mut Import, spikes: usize, members: &Members) -> Result<Option<(Vec<String>, String)>, FormatError> {
    if let Some(list) = import.find(names::UNIT_LIST, |a| a.is_row() && a.len() != spikes && a.len() > 0 && !a.is_scalar()) {
        let ids = Members::of(import.arrays.read(&list)?.values).map_err(|problem| import.arrays.damaged(&list, problem))?;
        let known = members.ids.iter().filter(|id| ids.ids.contains(id)).count();
        if known * 2 >= members.ids.len() {
            import.used.push(list.clone());
            let order = ids.index.iter().filter_map(|&i| ids.ids.get(i as usize).cloned()).collect();
            return Ok(Some((order, list)));
        }
    }
    let numbers: Option<Vec<usize>> = members.ids.iter().map(|id| id.parse().ok()).collect();
    let Some(highest) = numbers.and_then(|n| n.into_iter().max()) else { return Ok(None) };
    let count = import.scalar(&["nunits", "nneurons", "ncells"]).map(|(name, n)| (n, name));
    let per_unit = import.find(names::AREA, |a| a.is_text() && a.is_row());
    let per_unit = per_unit.and_then(|name| Some((import.arrays.get(&name)?.len() as f64, name)));
    Ok(count
        .or(per_unit)
        .filter(|(n, _)| *n > highest as f64 && *n <= 1e6)
        .map(|(n, place)| ((0..n as usize).map(|u| u.to_string()).collect(), place)))
}

/// Times on one clock.
fn absolute(import: &mut Import, mut flat: Flat) -> Result<RecordingParts, FormatError> {
    let finite = flat.times.iter().filter(|t| t.is_finite());
    let (first, last) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &t| (a.min(t), b.max(t)));
    let evidence = flat.evidence(last - first);
    let per_second = time_unit::per_second(&mut import.choices, &evidence)?;
    import.report.add(NoteKind::Assumed, flat.name.clone(), said(import));
    // Dividing gives the nearest number to 8.45 ms; multiplying by 0.001 does not.
    if per_second != 1.0 {
        flat.times.iter_mut().for_each(|t| *t /= per_second);
    }
    let observed = observed(import, flat.times.iter().copied().filter(|t| t.is_finite()).fold(0.0, f64::max));
    trains(import, &flat, observed)
}

/// Why the unit of time is what it is.
pub(super) fn said(import: &Import) -> String {
    time_unit::told(&import.choices).join("; ")
}

/// What is observed, when the file has a duration that reaches beyond the last spike.
fn observed(import: &mut Import, last: f64) -> Vec<(f64, f64)> {
    let Some(name) = import.find(names::DURATION, inventory::Listed::is_scalar) else { return Vec::new() };
    let scale = names::words(&name).1.map_or(1.0, |unit| if unit == TimeUnit::Milliseconds { 1e3 } else { 1.0 });
    match import.arrays.scalar(&name).map(|d| d / scale) {
        Some(duration) if duration.is_finite() && duration >= last && duration <= last.max(1.0) * 100.0 => {
            import.used.push(name.clone());
            import.report.add(NoteKind::Assumed, name, format!("units were observed from 0 to {duration} s"));
            vec![(0.0, duration)]
        }
        _ => Vec::new(),
    }
}

/// Clean trains of all units.
pub(super) fn trains(import: &mut Import, flat: &Flat, observed: Vec<(f64, f64)>) -> Result<RecordingParts, FormatError> {
    let (times, offsets) = flat.members.trains(&flat.times);
    let ids = flat.members.ids.clone();
    let spikes = clean::clean(times, offsets, &ids, &flat.name, &mut import.report)
        .ok_or_else(|| import.arrays.damaged(&flat.name, "its values do not add up to the spikes of the units"))?;
    if ids.is_empty() {
        let problem = format!("array '{}' is empty, so there is no spike in the file", flat.name);
        let remedy = "choose the file that holds the spikes".to_owned();
        return Err(FormatError::NpzLayout { path: import.path.to_owned(), problem, remedy });
    }
    Ok(RecordingParts { spikes, unit_ids: ids, observed, ..RecordingParts::default() })
}
