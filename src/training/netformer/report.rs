//! What the summary says of connectivity beyond a single score: agreement with and without a unit's connection to itself, by group,
//! single entries over time, and least squares beside.

use ndarray::{Array2, Axis};
use serde_json::{Map, Value, json};

use super::{ActivityData, NetFormerModel, Part};
use crate::analysis::connectivity::{MatrixScore, Pairs, group_means, least_squares, pearson, r_squared, score, series_match, spearman};
use crate::analysis::watch::Watch;
use crate::recording::{CELL_TYPE, Groups};

/// Multiplications that go into the mean over training windows, at most.
const WORK: f64 = 1e12;
/// Training windows behind that mean, at least and at most.
const WINDOWS: (f64, f64) = (500.0, 24_000.0);
/// Samples of the published moving average of synapses.
const AVERAGED: usize = 10_000;
/// Blocks in the length of the moving average.
const BLOCKS: usize = 20;
/// Least squares is fitted for so many features at most.
const FEATURES: usize = 600;

/// Add everything that can be said.
pub(super) fn add(results: &mut Map<String, Value>, model: &NetFormerModel, lag_one: &Array2<f32>) {
    if let Some(truth) = model.true_weights() {
        let windows = model.windows(Part::Training);
        let most = (WORK / model.cost()).clamp(WINDOWS.0, WINDOWS.1) as usize;
        let few: Vec<usize> = windows.iter().copied().step_by(windows.len().div_ceil(most).max(1)).collect();
        let (own, lag_one) = (model.mean(&few).mapv(f64::from), lag_one.mapv(f64::from));
        let both = |matrix: &Array2<f64>| json!({ "different_units": of(matrix, &truth, Pairs::Others), "with_self": of(matrix, &truth, Pairs::All) });
        results.insert(
            "connectivity".to_owned(),
            json!({ "windows": few.len(), "netformer": both(&own), "lag1": both(&lag_one), "ols": least_squares_beside(model, Some(&truth)) }),
        );
        if let Some(groups) = model.data().recording.groups_by(CELL_TYPE).filter(|g| g.names.len() > 1) {
            results.insert("groups".to_owned(), by_group(model.data(), &groups, &truth, &own, &lag_one));
        }
        if let Some(synapses) = over_time(model) {
            results.insert("synapses".to_owned(), synapses);
        }
    } else {
        results.insert("connectivity".to_owned(), json!({ "ols": least_squares_beside(model, None) }));
    }
}

fn of(matrix: &Array2<f64>, truth: &Array2<f64>, pairs: Pairs) -> Value {
    let MatrixScore { pearson, spearman, auc, pairs, connected } = score(matrix.view(), truth.view(), pairs);
    json!({ "pearson": pearson, "spearman": spearman, "auc": number(auc), "pairs": pairs, "connected": connected })
}

/// JSON has no NaN.
fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { Value::Null }
}

/// Means over true connections per pair of groups, against the same means of the truth (spec §4d).
fn by_group(data: &ActivityData, groups: &Groups, truth: &Array2<f64>, own: &Array2<f64>, lag_one: &Array2<f64>) -> Value {
    let of_unit: Vec<usize> = data.units.iter().map(|&unit| groups.of_unit.get(unit).copied().unwrap_or_default()).collect();
    let means = |matrix: &Array2<f64>| {
        group_means(matrix.view(), &of_unit, groups.names.len(), |post, pre| truth.get([post, pre]).is_some_and(|w| *w != 0.0))
    };
    let (own, lag_one, truth) = (means(own), means(lag_one), means(truth));
    let pairs = |matrix: &Array2<f64>| -> (Vec<f64>, Vec<f64>) {
        matrix.iter().zip(&truth).filter(|(a, b)| a.is_finite() && b.is_finite()).map(|(a, b)| (*a, *b)).unzip()
    };
    let scores = |matrix: &Array2<f64>| {
        let (a, b) = pairs(matrix);
        json!({ "pearson": pearson(&a, &b), "spearman": spearman(&a, &b), "pairs": a.len() })
    };
    let each = own.indexed_iter().map(|((to, from), mean)| {
        json!({
            "from": groups.name(from), "to": groups.name(to), "netformer": number(*mean),
            "lag1": number(lag_one[[to, from]]), "truth": number(truth[[to, from]]),
        })
    });
    json!({ "by": groups.what, "over": "true connections", "netformer": scores(&own), "lag1": scores(&lag_one), "means": each.collect::<Vec<_>>() })
}

/// Correlation in time of changing entries with the truth: moving averages over the whole of a long recording (spec §4b), test
/// windows of a short one (spec §4a).
fn over_time(model: &NetFormerModel) -> Option<Value> {
    let entries = model.changing();
    if entries.is_empty() {
        return None;
    }
    let long = model.all_windows().len() >= 2 * AVERAGED;
    let (blocks, width, over) = match long {
        true => (model.blocks(AVERAGED / BLOCKS, usize::MAX), BLOCKS, format!("whole recording, moving averages of {AVERAGED} bins")),
        false => {
            let test = |blocks: Vec<super::Block>| blocks.into_iter().filter(|b| b.part == Part::Test).collect::<Vec<_>>();
            (test(model.blocks(1, 1)), 1, "test windows".to_owned())
        }
    };
    let inferred = model.entries(&blocks, &entries, &Watch::default())?;
    let found = series_match(inferred.view(), model.true_entries(&blocks, &entries)?.view(), width);
    let id = |column: usize| {
        let unit = model.units().get(column).copied().unwrap_or_default();
        model.recording().units.ids.get(unit).cloned().unwrap_or_default()
    };
    let each = entries.iter().zip(&found.each).map(|((to, from), r)| json!({ "from": id(*from), "to": id(*to), "pearson": r }));
    Some(json!({
        "over": over,
        "count": entries.len(),
        "mean": found.mean,
        "median": found.median,
        "positive": found.each.iter().filter(|r| **r > 0.0).count(),
        "each": each.collect::<Vec<_>>(),
    }))
}

/// Ordinary least squares (with an intercept for counts only) from what the network reads to what it predicts: from one bin (with its matrix against the
/// truth) and from the whole history; `Null` where there are too many features.
fn least_squares_beside(model: &NetFormerModel, truth: Option<&Array2<f64>>) -> Value {
    let data = model.data();
    let inputs = data.data.inputs();
    let (train, test) = (model.windows(Part::Training), model.windows(Part::Test));
    let features = |windows: &[usize], bins: usize| {
        Array2::from_shape_fn((windows.len(), bins * inputs.ncols()), |(window, feature)| {
            let (back, column) = (feature / inputs.ncols(), feature % inputs.ncols());
            let newest = windows[window] + model.history() - 1;
            f64::from(inputs[[newest - back, column]])
        })
    };
    let rows = model.predicted();
    let targets = |windows: &[usize]| data.data.targets_of(windows, model.history(), rows).mapv(f64::from);
    let fit = |bins: usize| {
        let wanted = bins * inputs.ncols();
        (wanted <= FEATURES && train.len() > wanted && !test.is_empty()).then(|| {
            let fit = least_squares(features(&train, bins).view(), targets(&train).view(), model.counts());
            let r2 = r_squared(fit.predict(features(&test, bins).view()).view(), targets(&test).view());
            (fit, r2)
        })
    };
    let Some((one, r2)) = fit(1) else { return Value::Null };
    let units = one.weights.select(Axis(1), &(0..data.units.len()).collect::<Vec<_>>());
    let whole = if model.history() > 1 { fit(model.history()).map(|(_, r2)| r2) } else { Some(r2) };
    json!({
        "r2": number(r2),
        "r2_from_history": whole.map(number),
        "different_units": truth.map(|truth| of(&units, truth, Pairs::Others)),
    })
}
