//! Spike times that run from the start of their trial: trials are put one after another on one clock, with a gap between them.

use super::flat::{self, Flat};
use super::{Import, columns};
use crate::formats::choices::Question;
use crate::formats::{FormatError, clean, time_unit};
use crate::recording::{Column, IntervalTable, NamedColumn, NoteKind, RecordingParts};

/// More trials than this are hardly trials; the arrays for times and trials may be swapped.
const MOST_TRIALS: usize = 10_000_000;

/// Put the spikes of all trials on one clock; `trials` names the array with the trial of every spike.
pub(super) fn place(import: &mut Import, mut flat: Flat, trials: &str) -> Result<RecordingParts, FormatError> {
    let values = import.arrays.read(trials)?.values.into_integers();
    let of_spike = values.ok_or_else(|| import.arrays.damaged(trials, "the numbers of trials should be whole"))?;
    let numbering = numbering(import, trials, &of_spike)?;
    let n = numbering.len();
    let (from, to) = window(import, &flat)?;
    let evidence = flat.evidence((to - from) * n as f64);
    let per_second = time_unit::per_second(&mut import.choices, &evidence)?;
    let why = flat::said(import);
    import.report.add(NoteKind::Assumed, flat.name.clone(), format!("times run from the start of each trial; {why}"));
    let (from, to) = (from / per_second, to / per_second);
    let length = length(import, to - from)?;
    let spacing = length + import.trial_gap()?;
    let mut outside = 0;
    for (time, trial) in flat.times.iter_mut().zip(&of_spike) {
        let local = *time / per_second;
        let row = numbering.row(*trial);
        *time = match row {
            Some(row) if local >= from && local <= from + length => local - from + row as f64 * spacing,
            _ => {
                outside += usize::from(local.is_finite());
                f64::NAN
            }
        };
    }
    if outside > 0 {
        let message = format!("{} outside of {from} to {} s in their trial", clean::spikes(outside), from + length);
        import.report.add(NoteKind::LeftOut, flat.name.clone(), message);
    }
    let start: Vec<f64> = (0..n).map(|t| t as f64 * spacing).collect();
    let stop: Vec<f64> = start.iter().map(|s| s + length).collect();
    let observed = start.iter().copied().zip(stop.iter().copied()).collect();
    let rows = numbering.ids.clone();
    let mut parts = flat::trains(import, &flat, observed)?;
    let mut table = columns_of(import, &start, per_second, (from, to))?;
    if rows.iter().enumerate().any(|(row, &id)| row as i64 != id) {
        table.insert(0, NamedColumn { name: "trial".to_owned(), description: "number in the file".to_owned(), values: Column::Int(rows) });
    }
    if from != 0.0 {
        let zero = Column::Float(start.iter().map(|s| s - from).collect());
        table.insert(0, NamedColumn { name: "zero_time".to_owned(), description: "time 0 of the trial".to_owned(), values: zero });
    }
    let message = format!("{n} trials of {length} s were put one after another, {spacing} s apart");
    import.report.add(NoteKind::Assumed, trials, message);
    parts.tables.push(IntervalTable { name: "trials".to_owned(), start, stop, columns: table });
    Ok(parts)
}

/// Numbers of trials, ascending.
struct Numbering {
    ids: Vec<i64>,
    first: i64,
    /// Every number from the first on.
    dense: bool,
}

impl Numbering {
    fn len(&self) -> usize {
        self.ids.len()
    }

    fn row(&self, id: i64) -> Option<usize> {
        if self.dense {
            return usize::try_from(id.checked_sub(self.first)?).ok().filter(|&r| r < self.ids.len());
        }
        self.ids.binary_search(&id).ok()
    }
}

/// Which trials there are: as many as other arrays have values (trials without spikes count), else those with spikes.
fn numbering(import: &Import, trials: &str, of_spike: &[i64]) -> Result<Numbering, FormatError> {
    let mut ids = of_spike.to_vec();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > MOST_TRIALS {
        let problem = format!("it names {} trials; the arrays for times and trials may be swapped", ids.len());
        return Err(import.arrays.damaged(trials, problem));
    }
    let (Some(&first), Some(&last)) = (ids.first(), ids.last()) else {
        return Ok(Numbering { ids, first: 0, dense: true });
    };
    let begin = if first == 0 || first == 1 { first } else { return Ok(Numbering { ids, first, dense: false }) };
    let needed = usize::try_from(last - begin + 1).unwrap_or(usize::MAX);
    let free = import.arrays.listed.iter().filter(|a| a.is_row() && !import.used.contains(&a.name) && a.len() > 1);
    // An array with a value for a few more trials than have spikes is about trials.
    let told = free.map(super::inventory::Listed::len).filter(|&len| len >= needed && len <= needed.saturating_mul(2)).min();
    let from_zero = if begin == 1 && told.is_some_and(|t| t == needed + 1) { 0 } else { begin };
    let n = told.unwrap_or(needed);
    if n > ids.len().saturating_mul(4).saturating_add(1000) {
        return Ok(Numbering { ids, first, dense: false });
    }
    Ok(Numbering { ids: (from_zero..from_zero + n as i64).collect(), first: from_zero, dense: true })
}

/// First and last time of a trial in the file's unit: from `tmin` and `tmax`, else from the spikes.
fn window(import: &mut Import, flat: &Flat) -> Result<(f64, f64), FormatError> {
    let finite = flat.times.iter().copied().filter(|t| t.is_finite());
    let (first, last) = finite.fold((0.0f64, 0.0f64), |(a, b), t| (a.min(t), b.max(t)));
    let from = import.scalar(&["tmin", "tstart", "t0"]).map_or(first, |(_, v)| v);
    let to = import.scalar(&["tmax", "tstop", "tend", "trialduration", "triallength", "duration"]);
    let to = to.filter(|(_, v)| *v > from).map_or(last, |(_, v)| v);
    if to > from { Ok((from, to)) } else { Ok((from, from + 1.0)) }
}

fn length(import: &mut Import, found: f64) -> Result<f64, FormatError> {
    let told = import.used.iter().any(|n| super::names::is(n, &["tmax", "tstop", "tend", "trialduration", "triallength", "duration"]));
    let why = if told { "the file gives the end of trials" } else { "the last spike of all trials comes then" };
    let proposed = found.to_string();
    let question = Question { key: "trial_length_s", label: "Length of a trial", proposed: Some(&proposed), why, assumed: !told };
    import.choices.positive(&question, "s")
}

/// Arrays with one value per trial. Those of real numbers that spread over the trial are times from its start.
fn columns_of(import: &mut Import, start: &[f64], per_second: f64, window: (f64, f64)) -> Result<Vec<NamedColumn>, FormatError> {
    let n = start.len();
    let mut found = columns::named(import, |a| a.is_row() && a.len() == n && n > 1 && (a.is_number() || a.is_text()))?;
    let (from, to) = window;
    let is_event = |c: &NamedColumn| {
        let Column::Float(values) = &c.values else { return false };
        let finite: Vec<f64> = values.iter().map(|v| v / per_second).filter(|v| v.is_finite()).collect();
        let farthest = finite.iter().map(|v| v.abs()).fold(0.0, f64::max);
        // Contrasts of 0 to 1 in a trial of 2000 ms are no times.
        !finite.is_empty() && finite.iter().all(|&v| v >= from && v <= to) && farthest > 0.05 * (to - from)
    };
    let proposed: Vec<String> = found.iter().filter(|c| is_event(c)).map(|c| c.name.clone()).collect();
    let answered = import.choices.answer("trial_events").map(str::to_owned);
    if proposed.is_empty() && answered.is_none() {
        return Ok(found);
    }
    let own = if proposed.is_empty() { super::NOTHING.to_owned() } else { proposed.join(",") };
    let question = Question {
        key: "trial_events",
        label: "Event times in trials",
        proposed: Some(&own),
        why: "their values spread over the trial, as times from its start do",
        assumed: true,
    };
    let events = import.free_text(&question);
    let events: Vec<&str> = events.split(',').map(str::trim).collect();
    for column in &mut found {
        if let Column::Float(values) = &mut column.values
            && events.contains(&column.name.as_str())
        {
            values.iter_mut().zip(start).for_each(|(v, s)| *v = *v / per_second - from + s);
            column.description = "event in the trial, s".to_owned();
        }
    }
    Ok(found)
}
