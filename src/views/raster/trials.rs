//! Trial mode: the spikes around an event, one row per trial. It is a recording of its own (rows are its units, units its areas,
//! columns of the trial table its unit columns, the event its time 0), so everything the raster does with units it does with
//! trials: grouping, sorting and colouring by any trial column, density, hovering.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::analysis::observed::{Coverage, Observed};
use crate::recording::{Column, NamedColumn, Recording, RecordingParts, SpikeTrains};

/// Most rows; beyond, fewer trials of each unit are shown.
const MOST_ROWS: usize = 50_000;
/// Most units at once.
const MOST_UNITS: usize = 24;

/// What is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialWish {
    /// Interval table.
    pub table: String,
    /// Event column, see `IntervalTable::event_columns`.
    pub align: String,
    /// Seconds from the event to the left edge (negative: before it).
    pub from_s: f64,
    /// Seconds from the event to the right edge.
    pub to_s: f64,
    /// Units, indices into the recording.
    pub units: Vec<usize>,
}

/// Rows made of trials.
#[derive(Debug)]
pub struct TrialRows {
    /// Rows as a recording, times relative to the event.
    pub recording: Arc<Recording>,
    /// Per row: unit of the recording, row of the trial table, time of the event.
    pub rows: Vec<(usize, usize, f64)>,
    /// What was left out, in words.
    pub notes: Vec<String>,
    /// Per trial: what was not observed, seconds from the event.
    gaps: Vec<Vec<(f64, f64)>>,
    /// From and to, seconds from the event.
    window: (f64, f64),
    /// The other events of the same table.
    pub events: Vec<TrialEvent>,
}

/// An event of the trials besides the one they are aligned to.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialEvent {
    /// Column.
    pub name: String,
    /// Per trial: seconds from the event that trials are aligned to; NaN where there is none.
    times: Vec<f64>,
}

impl TrialWish {
    /// For a recording with trials: all of the selected units, or the most active one.
    pub fn first(recording: &Recording, selected: &BTreeSet<usize>) -> Option<Self> {
        let table = recording.table("trials").or_else(|| recording.tables.iter().find(|t| !t.is_empty()))?;
        let mut lengths: Vec<f64> = table.start.iter().zip(&table.stop).map(|(a, b)| b - a).filter(|d| d.is_finite() && *d > 0.0).collect();
        lengths.sort_by(f64::total_cmp);
        let typical = lengths.get(lengths.len() / 2).copied().unwrap_or(1.0);
        let wish =
            Self { table: table.name.clone(), align: "start_time".into(), from_s: -0.2, to_s: typical.clamp(0.1, 10.0), units: Vec::new() };
        Some(wish.with_units(recording, selected))
    }

    /// The same for other units; without a selection the most active one.
    pub fn with_units(mut self, recording: &Recording, selected: &BTreeSet<usize>) -> Self {
        self.units = selected.iter().copied().filter(|u| *u < recording.n_units()).take(MOST_UNITS).collect();
        if self.units.is_empty() {
            self.units.extend((0..recording.n_units()).max_by_key(|u| (recording.spikes.unit(*u).len(), usize::MAX - u)));
        }
        self
    }
}

impl TrialRows {
    /// Cut the recording.
    ///
    /// # Errors
    /// In words, when the recording lacks the table or column, or no trial has the event.
    pub fn cut(recording: &Recording, wish: &TrialWish) -> Result<Self, String> {
        let table = recording.table(&wish.table).ok_or_else(|| format!("the recording has no table '{}'", wish.table))?;
        let events = table.event_times(&wish.align).ok_or_else(|| format!("table '{}' has no event '{}'", wish.table, wish.align))?;
        let mut trials: Vec<(usize, f64)> = events.iter().copied().enumerate().filter(|(_, t)| t.is_finite()).collect();
        let mut notes = Vec::new();
        if trials.len() < events.len() {
            notes.push(format!("{} trials without {} are left out", events.len() - trials.len(), wish.align));
        }
        let most = MOST_ROWS / wish.units.len().max(1);
        if trials.len() > most {
            notes.push(format!("showing the first {most} of {} trials", trials.len()));
            trials.truncate(most);
        }
        if trials.is_empty() || wish.units.is_empty() {
            return Err(format!("no trial of '{}' has a time for {}; align to another event", wish.table, wish.align));
        }
        let rows: Vec<(usize, usize, f64)> = wish.units.iter().flat_map(|&u| trials.iter().map(move |&(row, t)| (u, row, t))).collect();
        let train = |&(unit, _, event): &(usize, usize, f64)| -> Vec<f64> {
            let inside = recording.spikes.unit_between(unit, event + wish.from_s, event + wish.to_s);
            inside.iter().map(|t| t - event).collect()
        };
        let name = |unit: usize| format!("unit {}", recording.units.ids.get(unit).map_or("?", String::as_str));
        let order = NamedColumn {
            name: "trial".into(),
            description: "Row of the trial table".into(),
            values: Column::Int(rows.iter().map(|r| r.1 as i64).collect()),
        };
        let duration = Column::Float(
            rows.iter()
                .map(|r| table.stop.get(r.1).copied().unwrap_or(f64::NAN) - table.start.get(r.1).copied().unwrap_or(f64::NAN))
                .collect(),
        );
        let duration = NamedColumn { name: "duration".into(), description: "Stop less start, s".into(), values: duration };
        let columns = table.columns.iter().map(|c| NamedColumn {
            name: c.name.clone(),
            description: c.description.clone(),
            values: picked(&c.values, &rows),
        });
        let parts = RecordingParts {
            name: format!("{}, trials", recording.name),
            spikes: SpikeTrains::from_units(rows.iter().map(train)),
            unit_ids: rows.iter().map(|r| r.1.to_string()).collect(),
            unit_areas: rows.iter().map(|r| name(r.0)).collect(),
            unit_columns: [order, duration].into_iter().chain(columns).collect(),
            observed: vec![(wish.from_s, wish.to_s)],
            ..RecordingParts::default()
        };
        let made = Recording::new(parts, recording.source.clone()).map_err(|e| e.to_string())?;
        let observed = Observed::of(recording);
        let gaps = |&(_, event): &(usize, f64)| {
            observed.gaps(event + wish.from_s, event + wish.to_s).into_iter().map(|(a, b)| (a - event, b - event)).collect()
        };
        let gaps: Vec<Vec<(f64, f64)>> = trials.iter().map(gaps).collect();
        let partly = gaps.iter().filter(|g| !g.is_empty()).count();
        if partly > 0 {
            notes.push(format!("{partly} of {} trials were not observed all the time (shaded)", trials.len()));
        }
        let others = table.event_columns().into_iter().filter(|name| *name != wish.align);
        let events = others.filter_map(|name| {
            let all = table.event_times(&name)?;
            let times = trials.iter().map(|&(row, event)| all.get(row).copied().unwrap_or(f64::NAN) - event).collect();
            Some(TrialEvent { name, times })
        });
        Ok(Self { events: events.collect(), recording: Arc::new(made), rows, notes, gaps, window: (wish.from_s, wish.to_s) })
    }

    /// What was not observed in a row, seconds from the event.
    pub fn gaps(&self, row: usize) -> &[(f64, f64)] {
        self.gaps.get(row % self.gaps.len().max(1)).map_or(&[], Vec::as_slice)
    }

    /// True when some trial was not observed all the time.
    pub fn has_gaps(&self) -> bool {
        self.gaps.iter().any(|g| !g.is_empty())
    }

    /// Share of these rows that was observed at every moment.
    pub fn coverage(&self, rows: impl IntoIterator<Item = usize>) -> Coverage {
        let (from, to) = self.window;
        let seen = |row: usize| {
            let (mut seen, mut end) = (Vec::new(), from);
            for &(start, stop) in self.gaps(row) {
                seen.push((end, start));
                end = stop;
            }
            seen.push((end, to));
            seen
        };
        Coverage::of(rows.into_iter().map(seen))
    }
}

impl TrialEvent {
    /// Time in a row, seconds from the event that trials are aligned to.
    pub fn at(&self, row: usize) -> Option<f64> {
        self.times.get(row % self.times.len().max(1)).copied().filter(|t| t.is_finite())
    }

    /// True when some trial has it between two times.
    pub fn is_within(&self, from: f64, to: f64) -> bool {
        self.times.iter().any(|t| *t >= from && *t <= to)
    }
}

/// The values of a trial column, row by row.
fn picked(values: &Column, rows: &[(usize, usize, f64)]) -> Column {
    let rows = rows.iter().map(|r| r.1);
    match values {
        Column::Float(v) => Column::Float(rows.map(|r| v.get(r).copied().unwrap_or(f64::NAN)).collect()),
        Column::Int(v) => Column::Int(rows.map(|r| v.get(r).copied().unwrap_or_default()).collect()),
        Column::Bool(v) => Column::Bool(rows.map(|r| v.get(r).copied().unwrap_or_default()).collect()),
        Column::Text(v) => Column::Text(rows.map(|r| v.get(r).cloned().unwrap_or_default()).collect()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::recording::{IntervalTable, Source};

    fn recording() -> Recording {
        let cue = Column::Float(vec![1.5, f64::NAN, 9.5]);
        let table = IntervalTable {
            name: "trials".into(),
            start: vec![1.0, 5.0, 9.0],
            stop: vec![2.0, 6.0, 10.0],
            columns: vec![
                NamedColumn { name: "cue_time".into(), description: String::new(), values: cue },
                NamedColumn {
                    name: "side".into(),
                    description: String::new(),
                    values: Column::Text(["l", "r", "l"].map(String::from).to_vec()),
                },
            ],
        };
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([vec![0.9, 1.25, 1.6, 5.5, 9.125], vec![1.7]]),
            unit_ids: ["a", "b"].map(String::from).to_vec(),
            unit_areas: ["A", "A"].map(String::from).to_vec(),
            tables: vec![table],
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("x".into())).unwrap()
    }

    #[test]
    fn trials_become_rows_with_their_spikes_and_columns() {
        let recording = recording();
        let wish = TrialWish::first(&recording, &BTreeSet::new()).unwrap();
        assert_eq!((wish.units.clone(), wish.align.as_str(), wish.from_s, wish.to_s), (vec![0], "start_time", -0.2, 1.0));
        let cut = TrialRows::cut(&recording, &wish).unwrap();
        let trains: Vec<Vec<f64>> = (0..3).map(|r| cut.recording.spikes.unit(r).to_vec()).collect();
        let expected = [vec![-0.1, 0.25, 0.6], vec![0.5], vec![0.125]];
        for (found, wanted) in trains.iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - wanted).abs() < 1e-12);
        }
        assert_eq!(trains.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1, 1]);
        assert_eq!(cut.recording.areas, ["unit a"]);
        let names: Vec<&str> = cut.recording.units.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["trial", "duration", "cue_time", "side"]);
    }

    #[test]
    fn other_events_and_what_was_not_observed_are_known_row_by_row() {
        let recording = recording();
        let wish = TrialWish { units: vec![0, 1], ..TrialWish::first(&recording, &BTreeSet::new()).unwrap() };
        let cut = TrialRows::cut(&recording, &wish).unwrap();
        let names: Vec<&str> = cut.events.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["stop_time", "cue_time"]);
        // Rows are trials of the first unit, then those of the second.
        assert_eq!((cut.events[1].at(0), cut.events[1].at(1), cut.events[1].at(5)), (Some(0.5), None, Some(0.5)));
        assert!(cut.events[0].is_within(0.9, 1.1) && !cut.events[0].is_within(2.0, 3.0));
        // From the first spike (0.9 s) to the end of the last trial (10 s).
        let near = |gaps: &[(f64, f64)], a: f64, b: f64| matches!(gaps, [(x, y)] if (x - a).abs() < 1e-9 && (y - b).abs() < 1e-9);
        assert!(near(cut.gaps(0), -0.2, -0.1) && near(cut.gaps(3), -0.2, -0.1) && cut.gaps(1).is_empty() && cut.has_gaps());
        assert!((cut.coverage(0..6).seconds(-0.2, 0.0) - (0.1 + 0.2 + 0.2) / 3.0).abs() < 1e-9);
        assert_eq!(cut.notes, ["1 of 3 trials were not observed all the time (shaded)"]);
    }

    #[test]
    fn units_are_stacked_and_trials_without_the_event_left_out() {
        let recording = recording();
        let wish = TrialWish::first(&recording, &[0, 1].into()).unwrap();
        let cut = TrialRows::cut(&recording, &TrialWish { align: "cue_time".into(), ..wish.clone() }).unwrap();
        assert_eq!(cut.rows, [(0, 0, 1.5), (0, 2, 9.5), (1, 0, 1.5), (1, 2, 9.5)]);
        assert_eq!(cut.recording.areas, ["unit a", "unit b"]);
        assert_eq!(cut.notes, ["1 trials without cue_time are left out", "1 of 2 trials were not observed all the time (shaded)"]);
        assert_eq!(cut.recording.units.columns[3].values.text(1), "l");
        assert!(TrialRows::cut(&recording, &TrialWish { table: "none".into(), ..wish.clone() }).is_err());
        assert!(TrialRows::cut(&recording, &TrialWish { align: "side".into(), ..wish }).unwrap_err().contains("side"));
        assert_eq!(TrialWish::first(&Recording::new(RecordingParts::default(), Source::File("x".into())).unwrap(), &BTreeSet::new()), None);
    }
}
