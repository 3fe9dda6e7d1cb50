//! Runs side by side: settings that differ, losses on one axis, connections between areas and between units in a form that all
//! models share, and how well they agree. What a model does not have is said, never made up.

use std::path::PathBuf;

use ndarray::{Array2, ArrayView2};
use serde_json::Value;

use super::catalogue::{Entry, entry};
use super::{LoadedRun, StageEntry};
use crate::analysis::agreement::{Agreement, arranged, matrix_agreement};
use crate::training::{LossLog, ModelSnapshot, PairSnapshot, Recipe, Snapshot, Support};

/// Fewest and most runs that are compared.
pub const RUNS: std::ops::RangeInclusive<usize> = 2..=5;

/// What a matrix of areas shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// How much: never negative.
    #[default]
    Strength,
    /// How much and which way: excitation or inhibition.
    Effect,
}

/// Connections between areas.
#[derive(Debug, Clone, PartialEq)]
pub struct AreaMatrix {
    /// What the numbers are.
    pub quantity: &'static str,
    /// Unit of the numbers.
    pub unit: &'static str,
    /// Names of the areas.
    pub areas: Vec<String>,
    /// `[receiving, sending]`; NaN where there is nothing.
    pub values: Array2<f64>,
}

/// Connections between units.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitMatrix {
    /// What the numbers are.
    pub quantity: &'static str,
    /// Numbers may be negative.
    pub signed: bool,
    /// Unit of the recording behind every row and column.
    pub units: Vec<usize>,
    /// `[receiving, sending]`; NaN where there is nothing.
    pub values: Array2<f64>,
}

const NO_RESULTS: &str = "the run holds no results: training did not get that far";

/// Connections between the areas of a run.
///
/// # Errors
/// Why there are none, for the user.
pub fn area_matrix(snapshot: Option<&Snapshot>, kind: Kind) -> Result<AreaMatrix, String> {
    let snapshot = snapshot.ok_or(NO_RESULTS)?;
    let areas = snapshot.areas.clone();
    let (quantity, unit, values) = match (&snapshot.model, kind) {
        (ModelSnapshot::Glm(glm), _) => {
            let (quantity, unit, value): (_, _, fn(&PairSnapshot) -> f64) = match kind {
                Kind::Strength => ("contribution", "% of rate variance", |p| f64::from(p.contribution_percent)),
                Kind::Effect => ("filter peak", "change of log-rate", peak),
            };
            (quantity, unit, coupling(&glm.pairs, areas.len(), value).ok_or("coupling is trained from stage 3 on")?)
        }
        (ModelSnapshot::NetFormer(own), _) => {
            let square = square(&own.attention).ok_or("the run holds no attention")?;
            match kind {
                Kind::Strength => ("mean |attention|", "per pair of units", means(square.mapv(f64::abs).view(), &snapshot.area_sizes)),
                Kind::Effect if !is_signed(&square) => return Err("attention of this NetFormer has no sign".to_owned()),
                Kind::Effect => ("mean attention", "per pair of units", means(square.view(), &snapshot.area_sizes)),
            }
        }
        (ModelSnapshot::Stndt(_), Kind::Effect) => {
            return Err("attention of an STNDT has no sign: it says how much, not which way".to_owned());
        }
        (ModelSnapshot::Stndt(_), Kind::Strength) => {
            ("attention to a unit", "× even attention", means(spatial(snapshot)?.view(), &snapshot.area_sizes))
        }
    };
    Ok(AreaMatrix { quantity, unit, areas, values })
}

/// Connections between the units of a run.
///
/// # Errors
/// Why there are none, for the user.
pub fn unit_matrix(snapshot: Option<&Snapshot>) -> Result<UnitMatrix, String> {
    let snapshot = snapshot.ok_or(NO_RESULTS)?;
    let (quantity, signed, values) = match &snapshot.model {
        ModelSnapshot::Glm(_) => return Err("a GLM-Transformer couples areas; it has no weight for each pair of units".to_owned()),
        ModelSnapshot::NetFormer(own) => {
            let square = square(&own.attention).ok_or("the run holds no attention")?;
            ("mean attention", is_signed(&square), square)
        }
        ModelSnapshot::Stndt(_) => ("attention, × even attention", false, spatial(snapshot)?),
    };
    Ok(UnitMatrix { quantity, signed, units: snapshot.units.clone(), values })
}

/// One value per pair of areas; pairs that the score does not support have no coupling. `None` before anything was fitted.
fn coupling(pairs: &[PairSnapshot], areas: usize, value: fn(&PairSnapshot) -> f64) -> Option<Array2<f64>> {
    let fitted = |pair: &PairSnapshot| pair.support != Support::NotScored || pair.filter.iter().flatten().any(|v| *v != 0.0);
    let mut values = Array2::from_elem((areas, areas), f64::NAN);
    for pair in pairs.iter().filter(|pair| fitted(pair)) {
        if let Some(cell) = values.get_mut([pair.target, pair.source]) {
            *cell = if pair.support.is_fitted() { value(pair) } else { 0.0 };
        }
    }
    values.iter().any(|v| v.is_finite()).then_some(values)
}

/// Largest deflection of the first factor's filter, with its sign.
fn peak(pair: &PairSnapshot) -> f64 {
    let values = pair.filter.first().into_iter().flatten().filter(|v| v.is_finite());
    values.max_by(|a, b| a.abs().total_cmp(&b.abs())).map_or(0.0, |v| f64::from(*v))
}

/// Attention from a softmax is never negative: it says how much, not which way.
fn is_signed(values: &Array2<f64>) -> bool {
    values.iter().any(|v| *v < 0.0)
}

/// Rows of predicted units made a square of all units, without the diagonal.
fn square(attention: &Array2<f32>) -> Option<Array2<f64>> {
    let n = attention.ncols();
    let value = |(row, column)| if row == column { f64::NAN } else { attention.get((row, column)).map_or(f64::NAN, |v| f64::from(*v)) };
    (!attention.is_empty()).then(|| Array2::from_shape_fn((n, n), value))
}

/// Spatial attention, mean over layers, as a multiple of even attention; without the diagonal.
fn spatial(snapshot: &Snapshot) -> Result<Array2<f64>, String> {
    let layers = snapshot.stndt().map(|own| &own.attention).filter(|layers| !layers.is_empty()).ok_or("the run holds no attention")?;
    let n = layers.first().map_or(0, |layer| layer.space.nrows());
    if n == 0 {
        return Err("an NDT has no attention between units".to_owned());
    }
    let mean = |at: (usize, usize)| layers.iter().map(|layer| layer.space.get(at).map_or(f64::NAN, |v| f64::from(*v))).sum::<f64>();
    let scale = n as f64 / layers.len() as f64;
    Ok(Array2::from_shape_fn((n, n), |(row, column)| if row == column { f64::NAN } else { scale * mean((row, column)) }))
}

/// Means over the pairs of units of every pair of areas, without missing ones; NaN where there is none.
fn means(units: ArrayView2<'_, f64>, sizes: &[usize]) -> Array2<f64> {
    let of: Vec<usize> = sizes.iter().enumerate().flat_map(|(area, n)| std::iter::repeat_n(area, *n)).collect();
    crate::analysis::connectivity::group_means(units, &of, sizes.len(), |row, column| {
        units.get((row, column)).is_some_and(|v| v.is_finite())
    })
}

/// Areas that at least two matrices have, in the order in which they first appear.
pub fn shared_areas<'a>(matrices: impl Iterator<Item = &'a AreaMatrix> + Clone) -> Vec<String> {
    let mut areas: Vec<String> = Vec::new();
    for area in matrices.clone().flat_map(|m| &m.areas) {
        if !areas.contains(area) && matrices.clone().filter(|m| m.areas.contains(area)).count() > 1 {
            areas.push(area.clone());
        }
    }
    areas
}

impl AreaMatrix {
    /// The values of these areas in this order; NaN for areas that the run does not have.
    pub fn of(&self, areas: &[String]) -> Array2<f64> {
        let places: Vec<Option<usize>> = areas.iter().map(|area| self.areas.iter().position(|a| a == area)).collect();
        arranged(self.values.view(), &places)
    }

    /// True when differences of the two mean something: the same quantity in the same unit.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.quantity, self.unit) == (other.quantity, other.unit)
    }
}

/// Agreement of two matrices of areas, on the areas that both have.
pub fn areas_agree(a: &AreaMatrix, b: &AreaMatrix, kind: Kind) -> Agreement {
    let areas = shared_areas([a, b].into_iter());
    matrix_agreement(a.of(&areas).view(), b.of(&areas).view(), kind == Kind::Effect)
}

/// Agreement of two matrices of units of the same recording, on the units that both have.
pub fn units_agree(a: &UnitMatrix, b: &UnitMatrix) -> Agreement {
    let places: Vec<Option<usize>> = a.units.iter().map(|unit| b.units.iter().position(|u| u == unit)).collect();
    matrix_agreement(a.values.view(), arranged(b.values.view(), &places).view(), a.signed && b.signed)
}

/// Coupling filter of a pair of areas by name: lag in ms and change of log-rate, one curve per factor.
///
/// # Errors
/// Why there is none, for the user.
pub fn kernel(snapshot: Option<&Snapshot>, source: &str, target: &str) -> Result<Vec<Vec<[f64; 2]>>, String> {
    let snapshot = snapshot.ok_or(NO_RESULTS)?;
    let glm = snapshot.glm().ok_or("this model has no coupling filters")?;
    let area = |name: &str| snapshot.areas.iter().position(|a| a == name);
    let pair =
        glm.pairs.iter().find(|p| Some(p.source) == area(source) && Some(p.target) == area(target)).ok_or("the run has no such pair")?;
    if !pair.support.is_fitted() {
        return Err("not supported by the edge score".to_owned());
    }
    if pair.filter.iter().flatten().all(|v| *v == 0.0) {
        return Err("coupling is trained from stage 3 on".to_owned());
    }
    let point = |(lag, value): (usize, &f32)| [(lag + 1) as f64 * snapshot.bin_s * 1e3, f64::from(*value)];
    Ok(pair.filter.iter().map(|factor| factor.iter().enumerate().map(point).collect()).collect())
}

/// Settings that are not the same in all recipes: path and each recipe's value, `None` where its model has no such setting. The
/// model itself comes first when it differs.
pub fn setting_differences(recipes: &[&Recipe]) -> Vec<(String, Vec<Option<Value>>)> {
    let mut paths: Vec<&str> = vec!["model.kind", "device"];
    for field in recipes.iter().flat_map(|recipe| recipe.fields()) {
        if !paths.contains(&field.path) {
            paths.push(field.path);
        }
    }
    let whole: Vec<Value> = recipes.iter().map(|recipe| serde_json::to_value(recipe).unwrap_or_default()).collect();
    let value = |recipe: &Value, path: &str| recipe.pointer(&format!("/{}", path.replace('.', "/"))).cloned();
    let mut rows: Vec<(String, Vec<Option<Value>>)> = paths
        .into_iter()
        .map(|path| (path.to_owned(), whole.iter().map(|recipe| value(recipe, path)).collect()))
        .filter(|(_, values): &(String, Vec<Option<Value>>)| values.iter().any(|v| Some(v) != values.first()))
        .collect();
    let areas: Vec<Option<Value>> = recipes.iter().map(|recipe| Some(Value::String(recipe.data.areas.label()))).collect();
    if areas.iter().any(|v| Some(v) != areas.first()) {
        rows.insert(usize::from(rows.first().is_some_and(|(path, _)| path == "model.kind")), ("data.areas".to_owned(), areas));
    }
    rows
}

/// What the horizontal axis of a loss curve is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Progress {
    /// Optimiser steps.
    #[default]
    Steps,
    /// Seconds of training, pauses left out.
    Seconds,
}

/// Validation losses of what the references are compared with. Seconds are taken as even within a stage.
pub fn validation_losses(losses: &LossLog, stages: &[StageEntry], axis: Progress) -> Vec<[f64; 2]> {
    let points = losses.points.iter().filter(|p| p.validation && p.data().is_finite());
    let place = |step: u64| match axis {
        Progress::Steps => Some(step as f64),
        Progress::Seconds => seconds_at(step, stages),
    };
    points.filter_map(|p| Some([place(p.step)?, f64::from(p.data())])).collect()
}

fn seconds_at(step: u64, stages: &[StageEntry]) -> Option<f64> {
    let (mut steps, mut seconds) = (0, 0.0);
    for stage in stages {
        if step <= steps + stage.steps {
            let share = if stage.steps == 0 { 0.0 } else { (step - steps) as f64 / stage.steps as f64 };
            return Some(seconds + share * stage.seconds);
        }
        (steps, seconds) = (steps + stage.steps, seconds + stage.seconds);
    }
    None
}

/// What the losses of these runs are, when it is the same for all.
pub fn common_loss(runs: &[&LoadedRun]) -> Option<&'static str> {
    let name = |run: &&LoadedRun| (run.recipe.model.preset().key, run.recipe.model.loss_terms().get(1).map(|term| term.name));
    let first = runs.first().map(name)?;
    let family = |key: &'static str| if key == "ndt" { "stndt" } else { key };
    runs.iter().map(name).all(|(key, term)| family(key) == family(first.0) && term == first.1).then_some(first.1?)
}

/// One of the runs that are compared.
#[derive(Debug)]
pub struct Compared {
    /// Its line in the table of runs.
    pub entry: Entry,
    /// What it holds, or why it cannot be read.
    pub run: Result<LoadedRun, String>,
}

impl Compared {
    /// Its results, when there are some.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.run.as_ref().ok().and_then(|run| run.snapshot.as_ref())
    }

    fn reason(&self) -> Option<String> {
        self.run.as_ref().err().map(|_| "the run cannot be read".to_owned())
    }
}

/// Agreement of two runs by their places, or why it cannot be told.
pub type Pairwise = Vec<(usize, usize, Result<Agreement, String>)>;

/// Everything about some runs side by side.
#[derive(Debug)]
pub struct Comparison {
    /// The runs in the order in which they were named.
    pub runs: Vec<Compared>,
    /// Settings that differ, see [`setting_differences`]; one value per run.
    pub settings: Vec<(String, Vec<Option<Value>>)>,
    /// Numbers of the results that at least one run has, by name.
    pub metrics: Vec<(String, Vec<Option<f64>>)>,
    /// Connections between areas, strength and effect, or why there are none.
    pub areas: [Vec<Result<AreaMatrix, String>>; 2],
    /// Connections between units, or why there are none.
    pub units: Vec<Result<UnitMatrix, String>>,
    /// How well connections between areas agree, strength and effect.
    pub areas_agree: [Pairwise; 2],
    /// How well connections between units agree.
    pub units_agree: Pairwise,
    /// All runs were made from the same data.
    pub same_data: bool,
}

impl Comparison {
    /// Read the runs in these folders and compare them. What cannot be read is told in its place.
    pub fn of(folders: &[PathBuf]) -> Self {
        let read = |folder: &PathBuf| Compared { entry: entry(folder), run: super::load(folder).map_err(|e| e.to_string()) };
        let runs: Vec<Compared> = folders.iter().map(read).collect();
        let kinds = [Kind::Strength, Kind::Effect];
        let areas = kinds.map(|kind| runs.iter().map(|run| run.reason().map_or_else(|| area_matrix(run.snapshot(), kind), Err)).collect());
        let units: Vec<Result<UnitMatrix, String>> =
            runs.iter().map(|run| run.reason().map_or_else(|| unit_matrix(run.snapshot()), Err)).collect();
        let mut number = kinds.into_iter();
        let areas_agree = [&areas[0], &areas[1]].map(|matrices: &Vec<_>| {
            let kind = number.next().unwrap_or_default();
            pairwise(matrices, |_, _| None, |a, b| areas_agree(a, b, kind))
        });
        let fingerprint = |at: usize| runs.get(at).map(|run| run.entry.facts.fingerprint.as_str());
        let other_data = |a: usize, b: usize| {
            (fingerprint(a) != fingerprint(b)).then(|| "the runs were made from different data: their units are not the same".to_owned())
        };
        Self {
            settings: differing(&runs),
            metrics: metrics(&runs),
            units_agree: pairwise(&units, other_data, units_agree),
            same_data: (1..runs.len()).all(|at| fingerprint(at) == fingerprint(0)),
            areas,
            units,
            areas_agree,
            runs,
        }
    }
}

fn pairwise<T>(
    matrices: &[Result<T, String>],
    refused: impl Fn(usize, usize) -> Option<String>,
    agree: impl Fn(&T, &T) -> Agreement,
) -> Pairwise {
    let places = (0..matrices.len()).flat_map(|a| (a + 1..matrices.len()).map(move |b| (a, b)));
    let of = |a: usize, b: usize| match (matrices.get(a)?, matrices.get(b)?) {
        (Ok(_), Ok(_)) if refused(a, b).is_some() => refused(a, b).map(Err),
        (Ok(x), Ok(y)) => Some(Ok(agree(x, y))),
        (Err(why), _) | (_, Err(why)) => Some(Err(why.clone())),
    };
    places.filter_map(|(a, b)| Some((a, b, of(a, b)?))).collect()
}

/// Settings that differ among the runs that can be read.
fn differing(runs: &[Compared]) -> Vec<(String, Vec<Option<Value>>)> {
    let readable: Vec<&Recipe> = runs.iter().filter_map(|run| run.run.as_ref().ok()).map(|run| &run.recipe).collect();
    let spread = |values: Vec<Option<Value>>| {
        let mut values = values.into_iter();
        runs.iter().map(|run| run.run.as_ref().ok().and_then(|_| values.next().flatten())).collect()
    };
    setting_differences(&readable).into_iter().map(|(path, values)| (path, spread(values))).collect()
}

fn metrics(runs: &[Compared]) -> Vec<(String, Vec<Option<f64>>)> {
    let mut names: Vec<&str> = runs.iter().flat_map(|run| run.entry.facts.metrics.iter().map(|(name, _)| name)).collect();
    // Those that are known come in the order in which they are explained, others behind them.
    names.sort_by_key(|name| (super::catalogue::metric_place(name), *name));
    names.dedup();
    let of = |name: &str| runs.iter().map(|run| run.entry.facts.metrics.get(name).copied().filter(|v| v.is_finite())).collect();
    names.into_iter().map(|name| (name.to_owned(), of(name))).collect()
}

#[cfg(test)]
mod tests;
