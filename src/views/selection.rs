//! The one selection of the window, which all views share both ways: time, trials, units, areas, pairs, events, and playing.

use std::collections::BTreeSet;
use std::path::PathBuf;

use eframe::egui;

use super::RunState;
use super::raster::events::EventColumn;
use super::raster::navigation::Range;
use crate::recording::Recording;

/// One selection for the whole window. Units and areas are indices into the open recording.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    /// Visible time window, seconds; `None` = all.
    pub window: Option<(f64, f64)>,
    /// Time cursor, seconds.
    pub cursor: Option<f64>,
    /// Trial, an index among the run's trials.
    pub trial: usize,
    /// Trials chosen together, for example by brushing the latents; empty = all.
    pub trials: TrialSet,
    /// Selected units.
    pub units: BTreeSet<usize>,
    /// Selected areas; empty = all.
    pub areas: BTreeSet<usize>,
    /// Selected ordered pair of areas (source, target), indices into `Snapshot::areas`.
    pub pair: Option<(usize, usize)>,
    /// Selected ordered pair of units (reference, target).
    pub unit_pair: Option<(usize, usize)>,
    /// Selected run folders, in the order in which they were chosen; what is compared.
    pub runs: Vec<PathBuf>,
    /// Events that are marked and stepped through.
    pub events: Events,
    /// Stretch of time that playing repeats, seconds.
    pub looped: Option<(f64, f64)>,
    /// Playing through time.
    pub playback: Playback,
}

/// Rows of an interval table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrialSet {
    /// The table; `None` = the tiles of a run without trials.
    pub table: Option<String>,
    /// Its rows (numbers of tiles).
    pub rows: BTreeSet<usize>,
}

/// Which events are marked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Events {
    /// Starts of trials, where there are any.
    #[default]
    Automatic,
    /// None.
    Hidden,
    /// A column of an interval table.
    Column(EventColumn),
}

impl Events {
    /// The column in this recording, if it has one.
    pub fn column(&self, recording: &Recording) -> Option<EventColumn> {
        match self {
            Self::Automatic => EventColumn::first_choice(recording),
            Self::Hidden => None,
            Self::Column(column) => Some(column.clone()),
        }
    }
}

/// Playing through time.
#[derive(Debug, Clone, PartialEq)]
pub struct Playback {
    /// Going on.
    pub playing: bool,
    /// Seconds of recording per second.
    pub speed: f64,
    /// Frame in which time was last moved on: several views may ask in one frame.
    moved_in: u64,
}

impl Default for Playback {
    fn default() -> Self {
        Self { playing: false, speed: 1.0, moved_in: u64::MAX }
    }
}

impl Playback {
    /// Not playing, at this speed.
    pub fn at(speed: f64) -> Self {
        Self { speed, ..Self::default() }
    }
}

/// Speeds offered, seconds of recording per second.
pub const SPEEDS: [f64; 8] = [0.01, 0.1, 0.25, 0.5, 1.0, 4.0, 16.0, 60.0];

/// Longest step of one frame: after a pause of the window time does not jump.
const LONGEST_FRAME_S: f32 = 0.1;

impl Selection {
    /// Move time on while playing, once per frame however many views ask. `bounds` are the recording's.
    pub fn advance(&mut self, ctx: &egui::Context, bounds: (f64, f64)) {
        let frame = ctx.cumulative_frame_nr();
        if !self.playback.playing || std::mem::replace(&mut self.playback.moved_in, frame) == frame {
            return;
        }
        let seconds = f64::from(ctx.input(|i| i.stable_dt.min(LONGEST_FRAME_S)));
        self.moved(seconds * self.playback.speed, bounds);
        if self.playback.playing {
            ctx.request_repaint();
        }
    }

    /// Play `by` seconds further: the window scrolls; with everything in view, or inside a loop, the cursor moves.
    fn moved(&mut self, by: f64, bounds: (f64, f64)) {
        let time = Range::time(self.window, bounds);
        if let Some((start, stop)) = self.looped.filter(|(a, b)| b > a) {
            let from = self.cursor.filter(|c| (start..stop).contains(c)).unwrap_or(start);
            let cursor = start + (from + by - start).rem_euclid(stop - start);
            self.cursor = Some(cursor);
            if cursor < time.start || cursor > time.stop {
                // A little of what came before stays in view.
                self.window = time.moved(cursor - time.start - 0.1 * time.width()).shown();
            }
            return;
        }
        let ended = if time.shown().is_none() {
            let cursor = self.cursor.unwrap_or(bounds.0) + by;
            self.cursor = Some(cursor.min(bounds.1));
            cursor >= bounds.1
        } else {
            let moved = time.moved(by);
            self.cursor = self.cursor.map(|c| if c >= time.start && c <= time.stop { c + moved.start - time.start } else { c });
            self.window = moved.shown();
            moved.stop >= bounds.1
        };
        self.playback.playing = !ended;
    }

    /// Put the cursor at `seconds` and show it in the middle; from the full view, ten seconds around it.
    pub fn go_to(&mut self, seconds: f64, bounds: (f64, f64)) {
        let mut time = Range::time(self.window, bounds);
        self.cursor = Some(seconds.clamp(bounds.0, bounds.1));
        if time.shown().is_none() {
            let half = 5.0f64.min((bounds.1 - bounds.0) / 4.0);
            time = time.between(seconds - half, seconds + half);
        }
        self.window = time.centred(seconds).shown();
    }

    /// Choose an area and its units; `add` keeps those chosen before (and takes the area back when it was among them).
    pub fn choose_area(&mut self, recording: &Recording, area: usize, add: bool) {
        let mine: BTreeSet<usize> = recording.units_of_area(area).into_iter().collect();
        let again = self.areas.contains(&area);
        if !add {
            self.units.clear();
            self.areas.clear();
        }
        if again && (add || self.areas.is_empty()) {
            self.areas.remove(&area);
            self.units.retain(|u| !mine.contains(u));
        } else {
            self.areas.insert(area);
            self.units.extend(mine);
        }
    }

    /// Areas stay selected only as long as all their units are.
    pub fn settle(&mut self, recording: &Recording) {
        if !self.areas.is_empty() {
            let whole = |area: usize| recording.units_of_area(area).iter().all(|u| self.units.contains(u));
            self.areas = self.areas.iter().copied().filter(|&area| whole(area)).collect();
        }
    }

    /// Stretches of time of the chosen trials, seconds; without a choice, that of the one selected trial of the run.
    pub fn trial_spans(&self, recording: &Recording, run: Option<&RunState>) -> Vec<(f64, f64)> {
        let data = run.and_then(|run| run.data.as_ref()).filter(|data| data.0.fingerprint == recording.fingerprint);
        let window = |trial: usize| {
            let trials = &data?.1;
            let start = *trials.starts.get(trial)?;
            Some((start, start + trials.bins as f64 * trials.bin_s))
        };
        if self.trials.rows.is_empty() {
            return window(self.trial).into_iter().collect();
        }
        match &self.trials.table {
            Some(name) => {
                let Some(table) = recording.table(name) else { return Vec::new() };
                let span = |&row: &usize| Some((*table.start.get(row)?, *table.stop.get(row)?));
                self.trials.rows.iter().filter_map(span).filter(|(a, b)| b > a).collect()
            }
            None => self.trials.rows.iter().filter_map(|&tile| window(tile)).collect(),
        }
    }

    /// Trials of the run that views show in detail: the selected one first, then the chosen ones.
    pub fn trials_of_run(&self, run: &RunState) -> Vec<usize> {
        let mut trials = vec![self.trial];
        if let Some(data) = run.data.as_ref().filter(|data| data.1.table == self.trials.table) {
            let chosen = |&trial: &usize| trial != self.trial && data.1.rows.get(trial).is_some_and(|row| self.trials.rows.contains(row));
            trials.extend((0..data.1.rows.len()).filter(chosen));
        }
        trials
    }

    /// What undo brings back: everything but the state of playing.
    pub fn without_playback(&self) -> Self {
        Self { playback: Playback::default(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{IntervalTable, RecordingParts, Source, SpikeTrains};

    const BOUNDS: (f64, f64) = (0.0, 100.0);

    fn playing(window: Option<(f64, f64)>) -> Selection {
        Selection { window, playback: Playback { playing: true, ..Playback::default() }, ..Selection::default() }
    }

    #[test]
    fn playing_scrolls_the_window_and_stops_at_the_end() {
        let mut selection = playing(Some((10.0, 20.0)));
        selection.cursor = Some(12.0);
        selection.moved(5.0, BOUNDS);
        assert_eq!((selection.window, selection.cursor, selection.playback.playing), (Some((15.0, 25.0)), Some(17.0), true));
        selection.moved(500.0, BOUNDS);
        assert_eq!((selection.window, selection.playback.playing), (Some((90.0, 100.0)), false));
        let mut whole = playing(None);
        whole.moved(5.0, BOUNDS);
        assert_eq!((whole.window, whole.cursor), (None, Some(5.0)));
        whole.moved(95.0, BOUNDS);
        assert_eq!((whole.cursor, whole.playback.playing), (Some(100.0), false));
    }

    #[test]
    fn a_loop_repeats_and_keeps_the_cursor_in_view() {
        let mut selection = Selection { looped: Some((50.0, 52.0)), ..playing(Some((10.0, 20.0))) };
        selection.moved(0.5, BOUNDS);
        assert_eq!(selection.cursor, Some(50.5));
        let (start, stop) = selection.window.unwrap();
        assert!(start < 50.5 && stop > 52.0 && (stop - start - 10.0).abs() < 1e-9);
        selection.moved(2.0, BOUNDS);
        assert!((selection.cursor.unwrap() - 50.5).abs() < 1e-9 && selection.playback.playing);
        assert_eq!(selection.window, Some((start, stop)), "a window that shows the loop stays");
    }

    #[test]
    fn time_moves_once_per_frame() {
        let ctx = egui::Context::default();
        let mut selection = playing(None);
        let _ = ctx.run_ui(egui::RawInput::default(), |ui| {
            selection.advance(ui.ctx(), BOUNDS);
            let once = selection.cursor;
            selection.advance(ui.ctx(), BOUNDS);
            assert!(once.unwrap() > 0.0);
            assert_eq!(selection.cursor, once);
        });
    }

    fn recording() -> Recording {
        let table = IntervalTable { name: "trials".into(), start: vec![1.0, 2.0, f64::NAN], stop: vec![1.5, 2.5, 3.0], columns: vec![] };
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([vec![1.0], vec![2.0], vec![3.0]]),
            unit_ids: ["0", "1", "2"].map(String::from).to_vec(),
            unit_areas: ["a", "b", "a"].map(String::from).to_vec(),
            tables: vec![table],
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("x".into())).unwrap()
    }

    #[test]
    fn areas_bring_their_units_and_are_taken_back() {
        let (recording, mut selection) = (recording(), Selection::default());
        selection.choose_area(&recording, 0, false);
        assert_eq!((selection.units.clone(), selection.areas.clone()), ([0, 2].into(), [0].into()));
        selection.choose_area(&recording, 1, true);
        assert_eq!(selection.units, [0, 1, 2].into());
        selection.choose_area(&recording, 0, true);
        assert_eq!((selection.units.clone(), selection.areas.clone()), ([1].into(), [1].into()));
        selection.choose_area(&recording, 1, false);
        assert!(selection.units.is_empty() && selection.areas.is_empty());
        selection.choose_area(&recording, 0, false);
        selection.settle(&recording);
        assert_eq!(selection.areas, [0].into());
        selection.units.remove(&2);
        selection.settle(&recording);
        assert!(selection.areas.is_empty(), "an area of which a unit is missing is not selected");
    }

    #[test]
    fn chosen_trials_are_stretches_of_time() {
        let recording = recording();
        let mut selection = Selection::default();
        assert_eq!(selection.trial_spans(&recording, None), []);
        selection.trials = TrialSet { table: Some("trials".into()), rows: [0, 1, 2, 9].into() };
        assert_eq!(selection.trial_spans(&recording, None), [(1.0, 1.5), (2.0, 2.5)]);
        selection.trials.table = Some("gone".into());
        assert_eq!(selection.trial_spans(&recording, None), []);
    }

    #[test]
    fn going_to_a_time_from_the_full_view_zooms_in() {
        let mut selection = Selection::default();
        selection.go_to(40.0, BOUNDS);
        assert_eq!((selection.window, selection.cursor), (Some((35.0, 45.0)), Some(40.0)));
        selection.go_to(400.0, BOUNDS);
        assert_eq!((selection.window, selection.cursor), (Some((90.0, 100.0)), Some(100.0)));
    }

    #[test]
    fn hidden_and_automatic_events_differ() {
        let recording = recording();
        assert_eq!(Events::Hidden.column(&recording), None);
        assert_eq!(Events::Automatic.column(&recording).unwrap().label(), "trials · start_time");
    }
}
