//! What the animal or the experiment was doing at a time: levels of a covariate (running speed, pupil, a state signal), or of a column of
//! an interval table (condition of the trial). Groups moments; it is never something that a model reads.

use super::{Column, Recording};

/// More different values than this are cut into thirds (numbers) or are no levels (text).
const MOST_LEVELS: usize = 8;
/// Levels that numbers are cut into.
const THIRDS: usize = 3;
/// Most samples of a covariate that are looked at to find its levels.
const LOOKED_AT: usize = 200_000;
/// Most rows of a column that are looked at to say whether it has levels at all.
const GLANCED_AT: usize = 2000;

/// Where a state is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateSource {
    /// A covariate, by name.
    Covariate(String),
    /// A column of an interval table, by names: the row that holds the moment.
    Column {
        /// Table.
        table: String,
        /// Column.
        column: String,
    },
}

/// States of moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct States {
    /// Names of the levels, in order.
    pub names: Vec<String>,
    /// Level of every moment asked for; `None` where nothing is known.
    pub of_moment: Vec<Option<usize>>,
}

impl StateSource {
    /// What can be read from a recording.
    pub fn offered(recording: &Recording) -> Vec<Self> {
        let covariates = recording.covariates.iter().filter(|c| !c.values.is_empty() && !c.name.starts_with("input "));
        let covariates = covariates.map(|c| Self::Covariate(c.name.clone()));
        let columns = recording.tables.iter().flat_map(|table| {
            let fitting = table.columns.iter().filter(|c| !c.name.ends_with("_time") && levels_of(&c.values, GLANCED_AT).is_some());
            fitting.map(|c| Self::Column { table: table.name.clone(), column: c.name.clone() })
        });
        columns.chain(covariates).collect()
    }

    /// In words.
    pub fn label(&self) -> String {
        match self {
            Self::Covariate(name) => name.clone(),
            Self::Column { table, column } => format!("{column} ({table})"),
        }
    }

    /// States at times in seconds; `None` when the recording does not have the source.
    pub fn read(&self, recording: &Recording, times: &[f64]) -> Option<States> {
        match self {
            Self::Covariate(name) => {
                let series = recording.covariates.iter().find(|c| c.name == *name)?;
                let step = series.values.len().div_ceil(LOOKED_AT).max(1);
                let levels = Levels::of_numbers(series.values.iter().copied().step_by(step), &series.unit, &|v| short(v))?;
                let at = |time: &f64| {
                    let place = series.times.partition_point(|t| t <= time).checked_sub(1)?;
                    levels.of(series.values.get(place).copied()?)
                };
                let of_moment = times.iter().map(at).collect();
                Some(States { of_moment, names: levels.names })
            }
            Self::Column { table, column } => {
                let table = recording.table(table)?;
                let values = &table.column(column)?.values;
                let levels = levels_of(values, usize::MAX)?;
                let row_at = |time: f64| {
                    let inside =
                        |row: &usize| table.start.get(*row).is_some_and(|s| *s <= time) && table.stop.get(*row).is_some_and(|s| time < *s);
                    // Rows are in order as a rule, so that the last one that begins before is the one.
                    let guess = table.start.partition_point(|s| *s <= time).checked_sub(1);
                    guess.filter(inside).or_else(|| (0..table.len()).find(inside))
                };
                let of_moment = times.iter().map(|&time| levels.of_row(values, row_at(time)?)).collect();
                Some(States { of_moment, names: levels.names })
            }
        }
    }
}

/// What values are told apart.
struct Levels {
    names: Vec<String>,
    /// Upper ends of all levels but the last; empty for text.
    ends: Vec<f64>,
    /// Values that are levels by themselves.
    exact: Vec<f64>,
}

/// Levels of at most so many rows, evenly spread.
fn levels_of(values: &Column, most: usize) -> Option<Levels> {
    let step = values.len().div_ceil(most).max(1);
    match values {
        Column::Text(texts) => {
            let mut names: Vec<String> = texts.iter().step_by(step).filter(|t| !t.is_empty()).cloned().collect();
            names.sort();
            names.dedup();
            ((2..=MOST_LEVELS).contains(&names.len())).then_some(Levels { names, ends: Vec::new(), exact: Vec::new() })
        }
        _ => {
            let words =
                |value: f64| (0..values.len()).find(|&row| values.number(row) == value).map_or_else(String::new, |row| values.text(row));
            Levels::of_numbers((0..values.len()).step_by(step).map(|row| values.number(row)), "", &words)
        }
    }
}

impl Levels {
    fn of_numbers(values: impl Iterator<Item = f64>, unit: &str, words: &dyn Fn(f64) -> String) -> Option<Self> {
        let mut sorted: Vec<f64> = values.filter(|v| v.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let mut different = sorted.clone();
        different.dedup();
        if different.len() < 2 {
            return None;
        }
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        if different.len() <= MOST_LEVELS {
            let names = different.iter().map(|v| format!("{}{unit}", words(*v))).collect();
            return Some(Self { names, ends: Vec::new(), exact: different });
        }
        let end = |third: usize| sorted.get(third * sorted.len() / THIRDS).copied().unwrap_or_default();
        let ends = vec![end(1), end(2)];
        let names = vec![format!("below {}{unit}", short(ends[0])), "between".to_owned(), format!("{}{unit} and above", short(ends[1]))];
        Some(Self { names, ends, exact: Vec::new() })
    }

    fn of(&self, value: f64) -> Option<usize> {
        match value.is_finite() {
            false => None,
            true if self.exact.is_empty() => Some(self.ends.iter().filter(|end| value >= **end).count()),
            true => self.exact.iter().position(|e| *e == value),
        }
    }

    fn of_row(&self, values: &Column, row: usize) -> Option<usize> {
        match values {
            Column::Text(texts) => texts.get(row).and_then(|text| self.names.iter().position(|n| n == text)),
            _ => self.of(values.number(row)),
        }
    }
}

/// Three significant digits.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let decimals = (2 - value.abs().log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{Covariate, IntervalTable, NamedColumn, RecordingParts, Source, SpikeTrains};

    fn recording() -> Recording {
        let times: Vec<f64> = (0..30).map(f64::from).collect();
        let covariate = |name: &str, unit: &str, value: &dyn Fn(f64) -> f64| Covariate {
            name: name.into(),
            unit: unit.into(),
            values: times.iter().map(|t| value(*t)).collect(),
            times: times.clone(),
        };
        let column = |name: &str, values: Column| NamedColumn { name: name.into(), description: String::new(), values };
        let table = IntervalTable {
            name: "trials".into(),
            start: vec![0.0, 10.0, 20.0],
            stop: vec![5.0, 15.0, 25.0],
            columns: vec![
                column("side", Column::Text(vec!["right".into(), "left".into(), "right".into()])),
                column("note", Column::Text(vec!["only".into(); 3])),
                column("go_time", Column::Float(vec![1.0, 11.0, 21.0])),
                column("correct", Column::Bool(vec![true, false, true])),
            ],
        };
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([vec![1.0]]),
            unit_ids: vec!["a".into()],
            unit_areas: vec![String::new()],
            covariates: vec![
                covariate("speed", "cm/s", &|t| t),
                covariate("state", "", &|t| (t / 10.0).floor()),
                covariate("input x", "", &|t| t),
            ],
            tables: vec![table],
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("r.npz".into())).unwrap()
    }

    #[test]
    fn what_has_levels_is_offered() {
        let offered: Vec<String> = StateSource::offered(&recording()).iter().map(StateSource::label).collect();
        assert_eq!(offered, ["side (trials)", "correct (trials)", "speed", "state"]);
    }

    #[test]
    fn moments_have_the_state_of_their_row_or_of_the_last_sample() {
        let recording = recording();
        let read = |source: StateSource, times: &[f64]| source.read(&recording, times).unwrap();
        let side = StateSource::Column { table: "trials".into(), column: "side".into() };
        let states = read(side, &[1.0, 7.0, 12.0, 24.9]);
        assert_eq!((states.names.clone(), states.of_moment), (vec!["left".into(), "right".into()], vec![Some(1), None, Some(0), Some(1)]));
        let states = read(StateSource::Covariate("speed".into()), &[-1.0, 0.0, 9.9, 10.0, 25.0]);
        assert_eq!(states.names, ["below 10 cm/s", "between", "20 cm/s and above"]);
        assert_eq!(states.of_moment, [None, Some(0), Some(0), Some(1), Some(2)]);
        let states = read(StateSource::Covariate("state".into()), &[3.0, 29.0]);
        assert_eq!((states.names, states.of_moment), (vec!["0".into(), "1".into(), "2".into()], vec![Some(0), Some(2)]));
        assert_eq!(StateSource::Covariate("none".into()).read(&recording, &[0.0]), None);
    }
}
