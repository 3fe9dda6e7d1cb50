//! What trials are coloured by, in the latent plot and where single trials are curves: a column of the trial table, a covariate averaged over each trial, or
//! the order of trials.

use std::collections::BTreeMap;

use eframe::egui::{Color32, Ui};

use super::widgets;
use crate::app::theme::{self, Tokens};
use crate::recording::{Column, Recording, Trials};

/// A choice of colour.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum ColorBy {
    /// Trial number: shows drift.
    #[default]
    Order,
    /// A column of the trial table.
    Column(String),
    /// Mean of a covariate over the analysed window.
    Covariate(String),
}

impl ColorBy {
    /// Name in the menu.
    pub fn name(&self) -> String {
        match self {
            Self::Order => "trial number".to_owned(),
            Self::Column(name) => name.clone(),
            Self::Covariate(name) => format!("mean {name}"),
        }
    }

    /// All choices for these trials.
    pub fn choices(recording: &Recording, trials: &Trials) -> Vec<Self> {
        let columns = trials.table.as_deref().and_then(|name| recording.table(name)).map(|t| t.columns.as_slice()).unwrap_or_default();
        let columns = columns.iter().map(|c| Self::Column(c.name.clone()));
        let covariates = recording.covariates.iter().map(|c| Self::Covariate(c.name.clone()));
        [Self::Order].into_iter().chain(columns).chain(covariates).collect()
    }
}

/// A value per trial used.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers with their range and physical unit.
    Numbers {
        /// One per trial; NaN when missing.
        values: Vec<f64>,
        /// Smallest and largest.
        range: (f64, f64),
        /// Unit, may be empty.
        unit: String,
    },
    /// Categories; those beyond the seven most frequent are together in the last one, "other".
    Categories {
        /// Category of every trial.
        of: Vec<usize>,
        /// Names.
        names: Vec<String>,
    },
}

impl Values {
    /// Colour of a trial.
    pub fn color(&self, tokens: &Tokens, trial: usize) -> Color32 {
        match self {
            Self::Categories { of, .. } => of.get(trial).map_or(tokens.reference, |&category| tokens.category(category)),
            Self::Numbers { values, range, .. } => match values.get(trial).filter(|v| v.is_finite()) {
                Some(value) if range.1 > range.0 => tokens.sequential((value - range.0) / (range.1 - range.0)),
                Some(_) => tokens.sequential(0.0),
                None => tokens.reference,
            },
        }
    }

    /// What a trial has, in words.
    pub fn words(&self, trial: usize) -> String {
        match self {
            Self::Categories { of, names } => of.get(trial).and_then(|&c| names.get(c)).cloned().unwrap_or_default(),
            Self::Numbers { values, unit, .. } => {
                let value = widgets::number(values.get(trial).copied().unwrap_or(f64::NAN), 3);
                format!("{value} {unit}").trim_end().to_owned()
            }
        }
    }
}

/// Categories that get a colour of their own.
const NAMED: usize = 7;

/// Values of every trial used.
pub fn values(recording: &Recording, trials: &Trials, by: &ColorBy) -> Values {
    match by {
        ColorBy::Order => numbers((0..trials.starts.len()).map(|t| (t + 1) as f64).collect(), String::new()),
        ColorBy::Column(name) => match trials.table.as_deref().and_then(|t| recording.table(t)).and_then(|t| t.column(name)) {
            Some(column) => column_values(&column.values, &trials.rows),
            None => numbers(vec![f64::NAN; trials.starts.len()], String::new()),
        },
        ColorBy::Covariate(name) => {
            let window = trials.bins as f64 * trials.bin_s;
            let covariate = recording.covariates.iter().find(|c| &c.name == name);
            let mean = |start: f64| covariate.map_or(f64::NAN, |c| mean_between(&c.times, &c.values, start, start + window));
            numbers(trials.starts.iter().map(|&start| mean(start)).collect(), covariate.map(|c| c.unit.clone()).unwrap_or_default())
        }
    }
}

/// What the colours mean.
pub fn legend(ui: &mut Ui, by: &ColorBy, colors: Option<&Values>) {
    let tokens = theme::of(ui);
    match colors {
        Some(Values::Numbers { range, unit, .. }) => {
            let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
            let end = |v: f64| format!("{}{unit}", widgets::number(v, 3));
            widgets::color_bar(ui, &end(range.0), &end(range.1), &by.name(), |x| tokens.sequential(x));
        }
        Some(Values::Categories { names, .. }) => {
            ui.horizontal_wrapped(|ui| {
                widgets::note(ui, by.name());
                for (index, name) in names.iter().enumerate() {
                    widgets::swatch_label(ui, tokens.category(index), name);
                }
            });
        }
        None => widgets::note(ui, by.name()),
    }
}

fn column_values(column: &Column, rows: &[usize]) -> Values {
    let mut frequency = BTreeMap::<String, usize>::new();
    for &row in rows {
        *frequency.entry(column.text(row)).or_default() += 1;
    }
    // A few integers are labels (side, choice, block); many are a quantity.
    let is_category = match column {
        Column::Text(_) | Column::Bool(_) => true,
        Column::Int(_) => frequency.len() <= NAMED + 1,
        Column::Float(_) => false,
    };
    if !is_category {
        return numbers(rows.iter().map(|&row| column.number(row)).collect(), String::new());
    }
    let mut names: Vec<(String, usize)> = frequency.into_iter().collect();
    if names.len() > NAMED + 1 {
        names.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        names.truncate(NAMED);
        names.sort();
    }
    let of =
        rows.iter().map(|&row| names.iter().position(|(name, _)| *name == column.text(row)).unwrap_or(names.len())).collect::<Vec<_>>();
    let mut names: Vec<String> = names.into_iter().map(|(name, _)| if name.is_empty() { "(empty)".to_owned() } else { name }).collect();
    if of.contains(&names.len()) {
        names.push("other".to_owned());
    }
    Values::Categories { of, names }
}

fn numbers(values: Vec<f64>, unit: String) -> Values {
    let range = widgets::range(values.iter().copied()).unwrap_or((0.0, 1.0));
    Values::Numbers { values, range, unit }
}

fn mean_between(times: &[f64], values: &[f64], start: f64, stop: f64) -> f64 {
    let (first, last) = (times.partition_point(|&t| t < start), times.partition_point(|&t| t < stop));
    let inside: Vec<f64> = values.get(first..last.max(first)).unwrap_or_default().iter().copied().filter(|v| v.is_finite()).collect();
    inside.iter().sum::<f64>() / inside.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_few_integers_are_categories_floats_are_numbers() {
        let rows = [0, 1, 2, 3];
        let text = Column::Text(["b", "a", "", "b"].map(str::to_owned).to_vec());
        assert_eq!(
            column_values(&text, &rows),
            Values::Categories { of: vec![2, 1, 0, 2], names: ["(empty)", "a", "b"].map(str::to_owned).to_vec() }
        );
        assert!(matches!(column_values(&Column::Int(vec![1, -1, 1, -1]), &rows), Values::Categories { .. }));
        assert!(matches!(column_values(&Column::Float(vec![1.0, 2.0, f64::NAN, 0.0]), &rows), Values::Numbers { range: (0.0, 2.0), .. }));
    }

    #[test]
    fn rare_categories_are_put_together() {
        let rows: Vec<usize> = (0..40).collect();
        let text = Column::Text(rows.iter().map(|r| if *r < 20 { format!("c{}", r % 5) } else { format!("rare {r}") }).collect());
        let Values::Categories { of, names } = column_values(&text, &rows) else { unreachable!() };
        assert_eq!((names.len(), names.last().map(String::as_str)), (NAMED + 1, Some("other")));
        assert!(of.iter().all(|&c| c < names.len()));
    }

    #[test]
    fn covariates_are_averaged_inside_the_window() {
        let (times, values) = ([0.0, 1.0, 2.0, 3.0], [1.0, 3.0, f64::NAN, 7.0]);
        assert_eq!(mean_between(&times, &values, 0.0, 2.5), 2.0);
        assert!(mean_between(&times, &values, 10.0, 11.0).is_nan());
    }
}
