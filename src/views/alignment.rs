//! Which events trials are aligned to, and how trials are split into groups: one control and one answer for all views that
//! look at spikes around events.

use std::collections::BTreeMap;

use eframe::egui::Ui;

use super::raster::events::EventColumn;
use super::{RunState, TrialSet, widgets};
use crate::recording::{Column, IntervalTable, Recording};

/// What trials are aligned to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlignTo {
    /// An event column of an interval table.
    Column(EventColumn),
    /// Starts of the windows that the run is trained on.
    RunTrials,
}

impl AlignTo {
    /// Every choice.
    fn offered(recording: &Recording, run: Option<&RunState>) -> Vec<Self> {
        let trials = of_run(recording, run).map(|_| Self::RunTrials);
        EventColumn::offered(recording).into_iter().map(Self::Column).chain(trials).collect()
    }

    fn label(&self) -> String {
        match self {
            Self::Column(column) => column.label(),
            Self::RunTrials => "the run's trials".to_owned(),
        }
    }

    /// Name of the event, for axes.
    pub fn event(&self) -> String {
        match self {
            Self::Column(column) => column.column.clone(),
            Self::RunTrials => "the trial's window".to_owned(),
        }
    }
}

/// How trials are split.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SplitBy {
    /// All together.
    #[default]
    Nothing,
    /// By the values of a column of the same table.
    Column(String),
    /// Chosen trials against the others.
    Chosen,
}

impl SplitBy {
    fn label(&self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Column(name) => name.clone(),
            Self::Chosen => "selected trials".to_owned(),
        }
    }
}

/// The control: event and split.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alignment {
    /// `None` = the first that the recording offers.
    pub to: Option<AlignTo>,
    /// Groups.
    pub split: SplitBy,
}

/// One group of trials.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    /// Name; empty when trials are not split.
    pub name: String,
    /// Event times, seconds.
    pub events: Vec<f64>,
    /// Rows of the table (or numbers of tiles) behind `events`.
    pub rows: Vec<usize>,
}

/// Trials, aligned and split.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    /// What they are aligned to.
    pub to: AlignTo,
    /// The table; `None` = tiles.
    pub table: Option<String>,
    /// Groups, none of them empty.
    pub groups: Vec<Group>,
    /// Trials with a time, chosen or not.
    pub all: usize,
    /// Only chosen trials are shown.
    pub restricted: bool,
    /// Length from event to the end of most trials, seconds.
    pub length_s: f64,
}

impl Groups {
    /// Trials shown.
    pub fn shown(&self) -> usize {
        self.groups.iter().map(|g| g.events.len()).sum()
    }
}

/// Groups that get a colour of their own.
const MOST_GROUPS: usize = 8;

impl Alignment {
    /// What is aligned to now.
    pub fn to(&self, recording: &Recording, run: Option<&RunState>) -> Option<AlignTo> {
        let offered = AlignTo::offered(recording, run);
        let first = EventColumn::first_choice(recording).map(AlignTo::Column).or_else(|| offered.first().cloned());
        self.to.clone().filter(|to| offered.contains(to)).or(first)
    }

    /// The two menus.
    pub fn controls(&mut self, ui: &mut Ui, recording: &Recording, run: Option<&RunState>) {
        let now = self.to(recording, run);
        widgets::caption(ui, "Align to", 190.0);
        widgets::combo(ui, "align", "Align to", &now.as_ref().map_or("no events".to_owned(), AlignTo::label), 190.0, |ui| {
            for choice in AlignTo::offered(recording, run) {
                if ui.selectable_label(now.as_ref() == Some(&choice), choice.label()).clicked() {
                    self.to = Some(choice);
                }
            }
        });
        widgets::caption(ui, "Split by", 140.0);
        let table = now.as_ref().and_then(|to| table_of(recording, run, to));
        widgets::combo(ui, "split", "Split by", &self.split.label(), 140.0, |ui| {
            let columns = table.map(|t| t.columns.as_slice()).unwrap_or_default().iter().map(|c| SplitBy::Column(c.name.clone()));
            for choice in [SplitBy::Nothing, SplitBy::Chosen].into_iter().chain(columns) {
                let label = choice.label();
                ui.selectable_value(&mut self.split, choice, label);
            }
        });
    }

    /// The answer. `None` without any events.
    pub fn resolve(&self, recording: &Recording, run: Option<&RunState>, chosen: &TrialSet) -> Option<Groups> {
        let to = self.to(recording, run)?;
        let (table, times, rows) = events(recording, run, &to)?;
        let usable: Vec<usize> = (0..times.len()).filter(|&k| times.get(k).is_some_and(|t| t.is_finite())).collect();
        let all = usable.len();
        let name = table.map(|t| t.name.clone());
        let row = |k: usize| rows.get(k).copied().unwrap_or(k);
        let applies = !chosen.rows.is_empty() && chosen.table == name;
        let is_chosen = |k: usize| chosen.rows.contains(&row(k));
        let restricted = applies && self.split != SplitBy::Chosen;
        let kept: Vec<usize> = usable.into_iter().filter(|&k| !restricted || is_chosen(k)).collect();
        let group = |name: String, members: Vec<usize>| Group {
            name,
            events: members.iter().filter_map(|&k| times.get(k).copied()).collect(),
            rows: members.iter().map(|&k| row(k)).collect(),
        };
        let column = |name: &str| table.and_then(|t| t.column(name)).map(|c| &c.values);
        let groups = match &self.split {
            SplitBy::Nothing => vec![group(String::new(), kept)],
            SplitBy::Chosen => {
                let (inside, outside): (Vec<usize>, Vec<usize>) = kept.into_iter().partition(|&k| applies && is_chosen(k));
                vec![group("selected".to_owned(), inside), group("not selected".to_owned(), outside)]
            }
            SplitBy::Column(name) => match column(name) {
                Some(values) => by_value(values, &kept, row).into_iter().map(|(label, members)| group(label, members)).collect(),
                // Another table has no such column: all together.
                None => vec![group(String::new(), kept)],
            },
        };
        let length_s = length(table, &times, &rows, of_run(recording, run).map(|d| d.1.bins as f64 * d.1.bin_s));
        let groups = groups.into_iter().filter(|g| !g.events.is_empty()).collect();
        Some(Groups { to, table: name, groups, all, restricted, length_s })
    }
}

type RunData<'a> = &'a (std::sync::Arc<Recording>, crate::recording::Trials);

fn of_run<'a>(recording: &Recording, run: Option<&'a RunState>) -> Option<RunData<'a>> {
    run?.data.as_deref().filter(|data| data.0.fingerprint == recording.fingerprint)
}

fn table_of<'a>(recording: &'a Recording, run: Option<&RunState>, to: &AlignTo) -> Option<&'a IntervalTable> {
    match to {
        AlignTo::Column(column) => recording.table(&column.table),
        AlignTo::RunTrials => recording.table(of_run(recording, run)?.1.table.as_deref()?),
    }
}

/// Table, event times, and the row behind every time.
fn events<'a>(recording: &'a Recording, run: Option<&RunState>, to: &AlignTo) -> Option<(Option<&'a IntervalTable>, Vec<f64>, Vec<usize>)> {
    let table = table_of(recording, run, to);
    match to {
        AlignTo::Column(column) => {
            let times = table?.event_times(&column.column)?;
            let rows = (0..times.len()).collect();
            Some((table, times, rows))
        }
        AlignTo::RunTrials => of_run(recording, run).map(|data| (table, data.1.starts.clone(), data.1.rows.clone())),
    }
}

/// Event times of the run's trials as this alignment has them, `[trials of the run]`; NaN where it has none.
pub fn event_of_trials(recording: &Recording, run: &RunState, to: &AlignTo) -> Vec<f64> {
    let Some(data) = of_run(recording, Some(run)) else { return Vec::new() };
    match to {
        AlignTo::RunTrials => data.1.starts.clone(),
        AlignTo::Column(column) => {
            let times = recording
                .table(&column.table)
                .filter(|t| data.1.table.as_ref() == Some(&t.name))
                .and_then(|t| t.event_times(&column.column));
            let times = times.unwrap_or_default();
            data.1.rows.iter().map(|&row| times.get(row).copied().unwrap_or(f64::NAN)).collect()
        }
    }
}

/// Median time from event to the end of its trial.
fn length(table: Option<&IntervalTable>, times: &[f64], rows: &[usize], run_s: Option<f64>) -> f64 {
    let stop = |row: usize| table.and_then(|t| t.stop.get(row)).copied().unwrap_or(f64::NAN);
    let mut lengths: Vec<f64> = times.iter().zip(rows).map(|(t, &row)| stop(row) - t).filter(|l| l.is_finite() && *l > 0.0).collect();
    lengths.sort_by(f64::total_cmp);
    lengths.get(lengths.len() / 2).copied().or(run_s).unwrap_or(1.0)
}

/// Trials by the value of a column: every value its own group when there are few; otherwise quarters of numbers, or the most
/// frequent texts and the rest.
fn by_value(values: &Column, kept: &[usize], row: impl Fn(usize) -> usize) -> Vec<(String, Vec<usize>)> {
    let mut by_text: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for &k in kept {
        by_text.entry(values.text(row(k))).or_default().push(k);
    }
    let shown = |text: String| if text.is_empty() || text == "NaN" { "(no value)".to_owned() } else { text };
    if by_text.len() <= MOST_GROUPS {
        let mut groups: Vec<(String, Vec<usize>)> = by_text.into_iter().collect();
        if values.is_numeric() {
            let number = |members: &[usize]| members.first().map_or(f64::NAN, |&k| values.number(row(k)));
            groups.sort_by(|a, b| number(&a.1).total_cmp(&number(&b.1)));
        }
        return groups.into_iter().map(|(text, members)| (shown(text), members)).collect();
    }
    if values.is_numeric() {
        return quarters(values, kept, row);
    }
    let mut groups: Vec<(String, Vec<usize>)> = by_text.into_iter().collect();
    groups.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));
    let rest: Vec<usize> = groups.split_off(MOST_GROUPS - 1).into_iter().flat_map(|(_, members)| members).collect();
    groups.sort();
    groups.into_iter().map(|(text, members)| (shown(text), members)).chain([("other".to_owned(), rest)]).collect()
}

fn quarters(values: &Column, kept: &[usize], row: impl Fn(usize) -> usize) -> Vec<(String, Vec<usize>)> {
    let mut sorted: Vec<(f64, usize)> = kept.iter().map(|&k| (values.number(row(k)), k)).filter(|(v, _)| v.is_finite()).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let quarter = sorted.len().div_ceil(4).max(1);
    let named = |part: &[(f64, usize)]| {
        let ends = part.first().zip(part.last()).map_or((f64::NAN, f64::NAN), |(a, b)| (a.0, b.0));
        let mut members: Vec<usize> = part.iter().map(|(_, k)| *k).collect();
        members.sort_unstable();
        (format!("{} to {}", widgets::number(ends.0, 3), widgets::number(ends.1, 3)), members)
    };
    let mut groups: Vec<(String, Vec<usize>)> = sorted.chunks(quarter).map(named).collect();
    let missing: Vec<usize> = kept.iter().copied().filter(|&k| !values.number(row(k)).is_finite()).collect();
    if !missing.is_empty() {
        groups.push(("(no value)".to_owned(), missing));
    }
    groups
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{NamedColumn, RecordingParts, Source, SpikeTrains};

    fn recording() -> Recording {
        let n = 40;
        let column = |name: &str, values| NamedColumn { name: name.into(), description: String::new(), values };
        let columns = vec![
            column("cue_time", Column::Float((0..n).map(|k| if k == 3 { f64::NAN } else { f64::from(k) + 0.25 }).collect())),
            column("side", Column::Text((0..n).map(|k| ["left", "right"][k as usize % 2].into()).collect())),
            column("contrast", Column::Float((0..n).map(|k| f64::from(k) / 40.0).collect())),
            column("word", Column::Text((0..n).map(|k| if k < 20 { format!("w{}", k % 5) } else { format!("x{k}") }).collect())),
        ];
        let table = IntervalTable {
            name: "trials".into(),
            start: (0..n).map(f64::from).collect(),
            stop: (0..n).map(|k| f64::from(k) + 0.75).collect(),
            columns,
        };
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([vec![1.0]]),
            unit_ids: vec!["0".into()],
            unit_areas: vec!["a".into()],
            tables: vec![table],
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("x".into())).unwrap()
    }

    fn groups(split: SplitBy, column: &str, chosen: &TrialSet) -> Groups {
        let to = AlignTo::Column(EventColumn { table: "trials".into(), column: column.into() });
        Alignment { to: Some(to), split }.resolve(&recording(), None, chosen).unwrap()
    }

    #[test]
    fn the_first_choice_is_the_start_of_trials_and_missing_events_are_left_out() {
        let found = Alignment::default().resolve(&recording(), None, &TrialSet::default()).unwrap();
        assert_eq!((found.to.event(), found.shown(), found.all, found.restricted), ("start_time".to_owned(), 40, 40, false));
        assert!((found.length_s - 0.75).abs() < 1e-9);
        let cue = groups(SplitBy::Nothing, "cue_time", &TrialSet::default());
        assert_eq!((cue.shown(), cue.groups[0].rows[3]), (39, 4));
        assert!((cue.length_s - 0.5).abs() < 1e-9);
    }

    #[test]
    fn trials_split_by_text_by_quarters_and_by_choice() {
        let none = TrialSet::default();
        let names = |g: &Groups| g.groups.iter().map(|g| format!("{} {}", g.name, g.events.len())).collect::<Vec<_>>();
        assert_eq!(names(&groups(SplitBy::Column("side".into()), "start_time", &none)), ["left 20", "right 20"]);
        let contrast = groups(SplitBy::Column("contrast".into()), "start_time", &none);
        assert_eq!(names(&contrast), ["0 to 0.225 10", "0.25 to 0.475 10", "0.5 to 0.725 10", "0.75 to 0.975 10"]);
        let words = groups(SplitBy::Column("word".into()), "start_time", &none);
        assert_eq!((words.groups.len(), words.shown(), words.groups.last().unwrap().name.as_str()), (MOST_GROUPS, 40, "other"));
        let chosen = TrialSet { table: Some("trials".into()), rows: [1, 2, 3].into() };
        assert_eq!(names(&groups(SplitBy::Chosen, "start_time", &chosen)), ["selected 3", "not selected 37"]);
        let only = groups(SplitBy::Nothing, "start_time", &chosen);
        assert_eq!((only.shown(), only.all, only.restricted), (3, 40, true));
        let others = TrialSet { table: Some("stimuli".into()), rows: [1].into() };
        assert!(!groups(SplitBy::Nothing, "start_time", &others).restricted, "rows of another table choose nothing here");
        assert_eq!(names(&groups(SplitBy::Column("gone".into()), "start_time", &none)), [" 40"]);
    }
}
