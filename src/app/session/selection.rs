//! A selection as it is written: units by their index in the recording as read, so that filters do not move them, and only
//! numbers that JSON can hold.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::recording::Recording;
use crate::views::raster::events::EventColumn;
use crate::views::selection::{Events, Playback, Selection, TrialSet};

/// See [`Selection`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SavedSelection {
    window: Option<(f64, f64)>,
    cursor: Option<f64>,
    trial: usize,
    trial_table: Option<String>,
    trial_rows: BTreeSet<usize>,
    units: BTreeSet<usize>,
    areas: BTreeSet<usize>,
    pair: Option<(usize, usize)>,
    unit_pair: Option<(usize, usize)>,
    runs: Vec<PathBuf>,
    events: SavedEvents,
    looped: Option<(f64, f64)>,
    speed: Option<f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedEvents {
    #[default]
    Automatic,
    Hidden,
    Column {
        table: String,
        column: String,
    },
}

/// A stretch of time that can be shown.
fn stretch(time: Option<(f64, f64)>) -> Option<(f64, f64)> {
    time.filter(|(start, stop)| start.is_finite() && stop.is_finite() && stop > start)
}

impl SavedSelection {
    /// What is selected in `recording`.
    pub fn of(selection: &Selection, recording: &Recording) -> Self {
        let as_read = |unit: usize| recording.original_unit(unit);
        Self {
            window: stretch(selection.window),
            cursor: selection.cursor.filter(|cursor| cursor.is_finite()),
            trial: selection.trial,
            trial_table: selection.trials.table.clone(),
            trial_rows: selection.trials.rows.clone(),
            units: selection.units.iter().map(|&unit| as_read(unit)).collect(),
            areas: selection.areas.clone(),
            pair: selection.pair,
            unit_pair: selection.unit_pair.map(|(from, to)| (as_read(from), as_read(to))),
            runs: selection.runs.clone(),
            events: match &selection.events {
                Events::Automatic => SavedEvents::Automatic,
                Events::Hidden => SavedEvents::Hidden,
                Events::Column(event) => SavedEvents::Column { table: event.table.clone(), column: event.column.clone() },
            },
            looped: stretch(selection.looped),
            speed: Some(selection.playback.speed).filter(|speed| speed.is_finite() && *speed > 0.0),
        }
    }

    /// The selection in `recording`, as far as what was selected is there.
    pub fn restored(&self, recording: &Recording) -> Selection {
        let now = |unit: usize| (0..recording.n_units()).find(|&u| recording.original_unit(u) == unit);
        let table = |name: &str| recording.table(name).is_some();
        let areas = recording.areas.len();
        Selection {
            window: stretch(self.window),
            cursor: self.cursor.filter(|cursor| cursor.is_finite()),
            trial: self.trial,
            trials: TrialSet {
                table: self.trial_table.clone().filter(|name| table(name)),
                rows: if self.trial_table.as_deref().is_none_or(table) { self.trial_rows.clone() } else { BTreeSet::new() },
            },
            units: (0..recording.n_units()).filter(|&u| self.units.contains(&recording.original_unit(u))).collect(),
            areas: self.areas.iter().copied().filter(|&area| area < areas).collect(),
            pair: self.pair.filter(|(from, to)| *from < areas && *to < areas),
            unit_pair: self.unit_pair.and_then(|(from, to)| Some((now(from)?, now(to)?))),
            runs: self.runs.clone(),
            events: match &self.events {
                SavedEvents::Hidden => Events::Hidden,
                SavedEvents::Column { table: of, column } if table(of) => {
                    Events::Column(EventColumn { table: of.clone(), column: column.clone() })
                }
                SavedEvents::Automatic | SavedEvents::Column { .. } => Events::Automatic,
            },
            looped: stretch(self.looped),
            playback: Playback::at(self.speed.filter(|speed| speed.is_finite() && *speed > 0.0).unwrap_or(1.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{IntervalTable, RecordingParts, Source, SpikeTrains};

    fn recording(units: usize) -> Recording {
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units((0..units).map(|u| vec![u as f64 + 0.5])),
            unit_ids: (0..units).map(|u| u.to_string()).collect(),
            unit_areas: (0..units).map(|u| if u % 2 == 0 { "A" } else { "B" }.to_owned()).collect(),
            tables: vec![IntervalTable { name: "trials".into(), start: vec![0.0, 1.0], stop: vec![1.0, 2.0], columns: vec![] }],
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("r.nwb".into())).unwrap()
    }

    fn selected() -> Selection {
        Selection {
            window: Some((1.5, 2.5)),
            cursor: Some(2.0),
            trial: 1,
            trials: TrialSet { table: Some("trials".into()), rows: [0, 1].into() },
            units: [1, 3, 5].into(),
            areas: [1].into(),
            pair: Some((0, 1)),
            unit_pair: Some((5, 1)),
            runs: vec!["runs/a".into(), "runs/b".into()],
            events: Events::Column(EventColumn { table: "trials".into(), column: "start".into() }),
            looped: Some((0.0, 1.0)),
            playback: Playback::at(0.25),
        }
    }

    #[test]
    fn a_selection_comes_back_through_json() {
        let recording = recording(6);
        let text = serde_json::to_string(&SavedSelection::of(&selected(), &recording)).unwrap();
        let back: SavedSelection = serde_json::from_str(&text).unwrap();
        assert_eq!(back.restored(&recording), selected());
    }

    #[test]
    fn what_is_not_in_the_recording_is_left_out() {
        let saved = SavedSelection::of(&selected(), &recording(6));
        let smaller = recording(4);
        let back = saved.restored(&smaller);
        assert_eq!((back.units, back.unit_pair), ([1, 3].into(), None));
        let mut bare = recording(6);
        bare.tables.clear();
        let back = saved.restored(&bare);
        assert_eq!((back.trials, back.events), (TrialSet::default(), Events::Automatic));
    }

    #[test]
    fn numbers_that_json_cannot_hold_are_left_out() {
        let odd = Selection {
            window: Some((f64::NEG_INFINITY, f64::NAN)),
            cursor: Some(f64::NAN),
            looped: Some((2.0, 1.0)),
            playback: Playback::at(f64::INFINITY),
            ..Selection::default()
        };
        let text = serde_json::to_string(&SavedSelection::of(&odd, &recording(2))).unwrap();
        let back: SavedSelection = serde_json::from_str(&text).unwrap();
        assert_eq!(back.restored(&recording(2)), Selection::default());
    }
}
