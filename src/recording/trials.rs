//! From a recording to trials: which windows of time are analysed, and which were dropped and why.

use serde::{Deserialize, Serialize};

use super::Recording;

/// Where trials come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TrialSource {
    /// The table `trials` when there is one with at least 10 rows, else tiles.
    #[default]
    Automatic,
    /// One trial per row of an interval table.
    Table {
        /// Table name.
        table: String,
        /// Event column the window is aligned to, for example `start_time` (see `IntervalTable::event_columns`).
        align: String,
    },
    /// The recording cut into windows end to end, without gaps in observation.
    Tiles,
}

/// How a recording is cut into trials and bins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrialPlan {
    /// Where trials come from.
    pub source: TrialSource,
    /// Start of the analysed window relative to the event, seconds.
    pub window_start_s: f64,
    /// Length of the analysed window, seconds; 0 chooses: the shortest common trial length up to `longest_window_s`.
    pub window_s: f64,
    /// Longest window that is chosen, seconds.
    pub longest_window_s: f64,
    /// Spike history before the window, seconds.
    pub padding_s: f64,
    /// Bin width, seconds.
    pub bin_s: f64,
    /// Column of the trial table whose values are the conditions (splits are stratified by it); empty for none.
    pub condition: String,
}

impl Default for TrialPlan {
    fn default() -> Self {
        Self {
            source: TrialSource::Automatic,
            window_start_s: 0.0,
            window_s: 0.0,
            longest_window_s: 0.5,
            padding_s: 0.1,
            bin_s: 0.002,
            condition: String::new(),
        }
    }
}

/// A row of the trial table (or a tile) that is not used.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialDropped {
    /// Row number, counted from 0.
    pub row: usize,
    /// Why, in words.
    pub reason: String,
}

/// Trials as they will be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Trials {
    /// Time of the first analysed bin of every trial, seconds.
    pub starts: Vec<f64>,
    /// Row of the trial table for every trial (tile number for tiles).
    pub rows: Vec<usize>,
    /// Condition label of every trial; empty text without conditions.
    pub conditions: Vec<String>,
    /// Analysed bins per trial.
    pub bins: usize,
    /// Padding bins before the window.
    pub pad_bins: usize,
    /// Bin width, seconds.
    pub bin_s: f64,
    /// Name of the table the trials come from; `None` for tiles.
    pub table: Option<String>,
    /// What was chosen, in one sentence for the user.
    pub description: String,
    /// What was dropped.
    pub dropped: Vec<TrialDropped>,
}

/// Why a plan gives no trials.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum TrialError {
    /// A number out of range.
    #[error("{what} is {value} s, but it must be {expected}")]
    OutOfRange {
        /// Field in words.
        what: &'static str,
        /// Value given.
        value: f64,
        /// What is accepted.
        expected: &'static str,
    },
    /// Table not in the recording.
    #[error("the recording has no interval table '{table}'; it has: {have}")]
    NoTable {
        /// Name asked for.
        table: String,
        /// Names present.
        have: String,
    },
    /// Column not in the table.
    #[error("table '{table}' has no column '{column}' to use; it has: {have}")]
    NoColumn {
        /// Table.
        table: String,
        /// Column asked for.
        column: String,
        /// Columns present.
        have: String,
    },
    /// Nothing left.
    #[error("no trial is left ({dropped} dropped, first reason: {reason}); shorten the window or choose another event")]
    NoTrials {
        /// How many were dropped.
        dropped: usize,
        /// Reason of the first.
        reason: String,
    },
    /// No spikes at all.
    #[error("the recording has no spikes, so there is nothing to cut into trials")]
    NoSpikes,
}

/// More tiles than this come from absurd spike times, not from a recording.
const MOST_TILES: f64 = 1e6;

impl TrialPlan {
    /// Cut the recording. Trials whose window or padding leaves the observed stretches or the recording, or whose event is
    /// missing, are dropped and listed.
    ///
    /// # Errors
    /// [`TrialError`] says which field to change.
    pub fn resolve(&self, recording: &Recording) -> Result<Trials, TrialError> {
        self.check()?;
        // Trials are of spikes: continuous activity alone is not cut into counts.
        let (first, last) = recording.spikes.time_range().ok_or(TrialError::NoSpikes)?;
        let table = match &self.source {
            TrialSource::Automatic => {
                recording.table("trials").filter(|t| t.len() >= 10).map(|t| (t.name.clone(), "start_time".to_owned()))
            }
            TrialSource::Table { table, align } => Some((table.clone(), align.clone())),
            TrialSource::Tiles => None,
        };
        match table {
            Some((name, align)) => self.of_table(recording, &name, &align, first, last),
            None => self.tiles(recording, first, last),
        }
    }

    fn check(&self) -> Result<(), TrialError> {
        let within = |what, value: f64, low: f64, high: f64, expected| {
            if value >= low && value <= high { Ok(()) } else { Err(TrialError::OutOfRange { what, value, expected }) }
        };
        within("bin width", self.bin_s, 1e-4, 1.0, "between 0.0001 and 1 s")?;
        within("window length", self.window_s, 0.0, 600.0, "between 0 (choose) and 600 s")?;
        within("longest window chosen", self.longest_window_s, 0.1, 600.0, "between 0.1 and 600 s")?;
        within("padding", self.padding_s, 0.0, 60.0, "between 0 and 60 s")?;
        within("window start", self.window_start_s, -600.0, 600.0, "between -600 and 600 s")
    }

    fn bins(&self, window_s: f64) -> (usize, usize) {
        (((window_s / self.bin_s) + 1e-6).floor().max(1.0) as usize, ((self.padding_s / self.bin_s) + 1e-6).floor() as usize)
    }

    fn of_table(&self, recording: &Recording, name: &str, align: &str, first: f64, last: f64) -> Result<Trials, TrialError> {
        let table = recording.table(name).ok_or_else(|| TrialError::NoTable {
            table: name.to_owned(),
            have: recording.tables.iter().map(|t| t.name.clone()).collect::<Vec<_>>().join(", "),
        })?;
        let no_column = |column: &str| TrialError::NoColumn {
            table: name.to_owned(),
            column: column.to_owned(),
            have: ["start_time", "stop_time"]
                .into_iter()
                .chain(table.columns.iter().map(|c| c.name.as_str()))
                .collect::<Vec<_>>()
                .join(", "),
        };
        let events = table.event_times(align).ok_or_else(|| no_column(align))?;
        let condition = match self.condition.as_str() {
            "" => None,
            column => Some(table.column(column).ok_or_else(|| no_column(column))?),
        };
        let window_s = if self.window_s > 0.0 { self.window_s } else { self.chosen_window(&events, &table.stop) };
        let (bins, pad_bins) = self.bins(window_s);
        let mut trials = Trials {
            starts: Vec::new(),
            rows: Vec::new(),
            conditions: Vec::new(),
            bins,
            pad_bins,
            bin_s: self.bin_s,
            table: Some(name.to_owned()),
            description: format!(
                "table '{name}' aligned to {align}, window {:.3} to {:.3} s, {:.3} s of history, bins of {} ms",
                self.window_start_s,
                self.window_start_s + bins as f64 * self.bin_s,
                pad_bins as f64 * self.bin_s,
                self.bin_s * 1e3
            ),
            dropped: Vec::new(),
        };
        for (row, &event) in events.iter().enumerate() {
            let start = event + self.window_start_s;
            match refuse(recording, start, &trials, first, last) {
                Some(reason) => trials.dropped.push(TrialDropped { row, reason }),
                None => {
                    trials.starts.push(start);
                    trials.rows.push(row);
                    trials.conditions.push(condition.map(|c| c.values.text(row)).unwrap_or_default());
                }
            }
        }
        keep_if_any(trials)
    }

    /// The 5th percentile of the time from event to trial end, at least 0.1 s: most trials fit whole.
    fn chosen_window(&self, events: &[f64], stops: &[f64]) -> f64 {
        let mut lengths: Vec<f64> =
            events.iter().zip(stops).map(|(e, s)| s - e - self.window_start_s).filter(|d| d.is_finite() && *d > 0.0).collect();
        lengths.sort_by(f64::total_cmp);
        let fifth = lengths.get(lengths.len() / 20).copied().unwrap_or(self.longest_window_s);
        // Trial times are often rounded to a millisecond; do not lose a bin to that.
        (fifth + 1e-6).clamp(0.1, self.longest_window_s)
    }

    fn tiles(&self, recording: &Recording, first: f64, last: f64) -> Result<Trials, TrialError> {
        let window_s = if self.window_s > 0.0 { self.window_s } else { self.longest_window_s };
        let (bins, pad_bins) = self.bins(window_s);
        let stretches = if recording.observed.is_empty() { vec![(first, last)] } else { recording.observed.clone() };
        let mut trials = Trials {
            starts: Vec::new(),
            rows: Vec::new(),
            conditions: Vec::new(),
            bins,
            pad_bins,
            bin_s: self.bin_s,
            table: None,
            description: format!(
                "no trials: the recording is tiled in windows of {:.3} s without overlap, {:.3} s of history, bins of {} ms",
                bins as f64 * self.bin_s,
                pad_bins as f64 * self.bin_s,
                self.bin_s * 1e3
            ),
            dropped: Vec::new(),
        };
        let (tile, pad) = (bins as f64 * self.bin_s, pad_bins as f64 * self.bin_s);
        let fits = |(begin, end): (f64, f64)| ((end - begin - pad) / tile + 1e-9).floor().max(0.0);
        if stretches.iter().map(|&s| fits(s)).sum::<f64>() > MOST_TILES {
            let expected = "long enough to give at most a million windows; check that the spike times are in seconds";
            return Err(TrialError::OutOfRange { what: "window length", value: tile, expected });
        }
        for (number, (begin, end)) in stretches.into_iter().enumerate() {
            let count = fits((begin, end)) as usize;
            if count == 0 {
                let reason = format!(
                    "the stretch from {begin:.3} to {end:.3} s is shorter than one window of {tile:.3} s with {pad:.3} s of history"
                );
                trials.dropped.push(TrialDropped { row: number, reason });
            }
            for k in 0..count {
                trials.rows.push(trials.starts.len());
                trials.starts.push(begin + pad + k as f64 * tile);
                trials.conditions.push(String::new());
            }
        }
        keep_if_any(trials)
    }
}

fn keep_if_any(trials: Trials) -> Result<Trials, TrialError> {
    match (trials.starts.is_empty(), trials.dropped.first()) {
        (true, dropped) => Err(TrialError::NoTrials {
            dropped: trials.dropped.len(),
            reason: dropped.map_or_else(|| "the table has no rows".to_owned(), |d| d.reason.clone()),
        }),
        (false, _) => Ok(trials),
    }
}

fn refuse(recording: &Recording, start: f64, trials: &Trials, first: f64, last: f64) -> Option<String> {
    if !start.is_finite() {
        return Some("the event time is missing".to_owned());
    }
    let (bin, slack) = (trials.bin_s, 1e-6);
    let stop = start + trials.bins as f64 * bin;
    let begin = start - trials.pad_bins as f64 * bin;
    if recording.observed.is_empty() {
        // Without observation intervals the recording is taken to run from its first to its last spike, with one window of grace.
        let grace = trials.bins as f64 * bin;
        return (begin < first - grace || stop > last + grace).then(|| "the window leaves the recording".to_owned());
    }
    let window_observed = recording.observed.iter().any(|(a, b)| start >= a - slack && stop <= b + slack);
    // History before the observed stretch counts as silent: a trial is not lost for it.
    (!window_observed).then(|| "the window is not wholly inside an observed stretch".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{Column, IntervalTable, NamedColumn, RecordingParts, Source, SpikeTrains};
    use super::*;

    fn recording(times: &[f64], table: Option<IntervalTable>, observed: Vec<(f64, f64)>) -> Recording {
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([times.to_vec()]),
            unit_ids: vec!["1".to_owned()],
            unit_areas: vec!["V1".to_owned()],
            tables: table.into_iter().collect(),
            observed,
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("test".into())).unwrap()
    }

    fn table(name: &str, start: Vec<f64>, length: f64) -> IntervalTable {
        let onset = NamedColumn {
            name: "onset".into(),
            description: String::new(),
            values: Column::Float(start.iter().map(|s| s + 0.2).collect()),
        };
        let side = (0..start.len()).map(|i| ["left", "right"][i % 2].to_owned()).collect();
        let side = NamedColumn { name: "side".into(), description: String::new(), values: Column::Text(side) };
        let stop = start.iter().map(|s| s + length).collect();
        IntervalTable { name: name.into(), start, stop, columns: vec![onset, side] }
    }

    fn plan(source: TrialSource) -> TrialPlan {
        TrialPlan { source, window_s: 0.4, padding_s: 0.1, bin_s: 0.01, ..TrialPlan::default() }
    }

    fn of(table: &str, align: &str) -> TrialSource {
        TrialSource::Table { table: table.into(), align: align.into() }
    }

    #[test]
    fn automatic_uses_ten_trials_or_more_and_else_tiles() {
        let starts: Vec<f64> = (0..12).map(|i| 1.0 + f64::from(i)).collect();
        let many = recording(&[0.0, 20.0], Some(table("trials", starts.clone(), 0.6)), vec![]);
        let trials = plan(TrialSource::Automatic).resolve(&many).unwrap();
        assert_eq!(
            (trials.table.as_deref(), trials.starts.as_slice(), trials.bins, trials.pad_bins),
            (Some("trials"), &starts[..], 40, 10)
        );
        let few = recording(&[0.0, 20.0], Some(table("trials", starts[..9].to_vec(), 0.6)), vec![]);
        assert_eq!(plan(TrialSource::Automatic).resolve(&few).unwrap().table, None);
    }

    #[test]
    fn windows_are_aligned_to_events_with_their_condition_and_missing_events_are_listed() {
        let mut trials = table("trials", vec![1.0, 2.0, f64::NAN], 0.6);
        trials.start[2] = 3.0;
        if let Column::Float(onset) = &mut trials.columns[0].values {
            onset[2] = f64::NAN;
        }
        let mut plan = plan(of("trials", "onset"));
        plan.condition = "side".into();
        plan.window_start_s = -0.1;
        let trials = plan.resolve(&recording(&[0.0, 9.0], Some(trials), vec![])).unwrap();
        assert!((trials.starts[0] - 1.1).abs() < 1e-12 && (trials.starts[1] - 2.1).abs() < 1e-12, "{:?}", trials.starts);
        assert_eq!((trials.rows, trials.conditions), (vec![0, 1], vec!["left".to_owned(), "right".to_owned()]));
        assert_eq!(trials.dropped, [TrialDropped { row: 2, reason: "the event time is missing".to_owned() }]);
    }

    #[test]
    fn windows_outside_what_was_observed_are_dropped() {
        let observed = vec![(1.0, 1.5), (2.2, 3.0)];
        let trials =
            plan(of("trials", "start_time")).resolve(&recording(&[0.0, 9.0], Some(table("trials", vec![1.0, 2.0, 2.5], 0.6)), observed));
        let trials = trials.unwrap();
        assert_eq!((trials.rows, trials.dropped.len(), trials.dropped[0].row), (vec![0, 2], 1, 1));
    }

    #[test]
    fn the_window_is_chosen_from_the_shortest_common_trial_length() {
        let mut plan = plan(of("trials", "start_time"));
        plan.window_s = 0.0;
        let resolve = |length| plan.resolve(&recording(&[0.0, 9.0], Some(table("trials", vec![1.0, 2.0], length)), vec![])).unwrap().bins;
        assert_eq!((resolve(0.3), resolve(2.0), resolve(0.02)), (30, 50, 10));
    }

    #[test]
    fn tiles_keep_out_of_gaps_and_name_stretches_that_are_too_short() {
        let trials = plan(TrialSource::Tiles).resolve(&recording(&[0.0, 9.0], None, vec![(0.0, 1.0), (2.0, 2.3), (3.0, 3.5)])).unwrap();
        let wanted = [0.1, 0.5, 3.1];
        assert!(trials.starts.len() == 3 && trials.starts.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{:?}", trials.starts);
        assert_eq!((trials.dropped.len(), trials.dropped[0].row), (1, 1));
        let none = plan(TrialSource::Tiles).resolve(&recording(&[0.0, 0.3], None, vec![]));
        assert!(matches!(none, Err(TrialError::NoTrials { dropped: 1, .. })), "{none:?}");
    }

    #[test]
    fn absurd_times_and_numbers_are_errors_in_words() {
        let absurd = plan(TrialSource::Tiles).resolve(&recording(&[0.0, 1e300], None, vec![])).unwrap_err();
        assert!(absurd.to_string().contains("check that the spike times are in seconds"), "{absurd}");
        let silent = recording(&[], None, vec![]);
        assert_eq!(plan(TrialSource::Tiles).resolve(&silent), Err(TrialError::NoSpikes));
        let spikes = recording(&[0.0, 9.0], Some(table("trials", vec![1.0], 0.6)), vec![]);
        let error = plan(of("epochs", "start_time")).resolve(&spikes).unwrap_err().to_string();
        assert_eq!(error, "the recording has no interval table 'epochs'; it has: trials");
        let error = plan(of("trials", "side")).resolve(&spikes).unwrap_err().to_string();
        assert_eq!(error, "table 'trials' has no column 'side' to use; it has: start_time, stop_time, onset, side");
        for (bin_s, window_s) in [(0.0, 0.4), (f64::NAN, 0.4), (0.01, -1.0), (0.01, 1e4)] {
            let wrong = TrialPlan { bin_s, window_s, ..plan(TrialSource::Tiles) };
            assert!(matches!(wrong.resolve(&spikes), Err(TrialError::OutOfRange { .. })), "{bin_s} {window_s}");
        }
    }
}
