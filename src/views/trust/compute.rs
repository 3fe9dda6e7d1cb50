//! What the Trust view computes in the background.

use std::path::Path;
use std::sync::Arc;

use ndarray::{Array2, Axis, Slice};

use crate::analysis::connectivity::{Pairs, StaticParts, eigenvalues, off_diagonal, pearson, score, static_parts};
use crate::analysis::watch::Watch;
use crate::training::{NetFormerModel, NetFormerSnapshot, Part, Recipe};
use crate::views::netformer_part::siblings;
use crate::views::widgets;

/// Most points of a scatter that are drawn.
const POINTS: usize = 4000;
/// Windows behind mean attention, and times at which attention is taken apart.
const WINDOWS: f64 = 1000.0;
const TIMES: usize = 60;
/// Multiplications that mean attention may take.
const WORK: f64 = 4e10;
/// Most entries that are taken apart.
const ENTRIES: usize = 50_000;
/// Matrices larger than this have too many eigenvalues to wait for.
const MOST_MODES: usize = 800;

/// Pairs of units as points.
pub struct Cloud {
    pub title: &'static str,
    pub x: &'static str,
    pub y: &'static str,
    pub points: Vec<[f64; 2]>,
    /// Pairs that there are.
    pub all: usize,
    /// Slope and offset of the regression of y on x.
    pub line: (f64, f64),
    /// Both axes are of one kind, so that equal values lie on a line.
    pub identity: bool,
    pub pearson: f64,
    pub spearman: f64,
    /// NaN without unconnected pairs.
    pub auc: f64,
}

/// Clouds side by side.
pub struct Agreement {
    pub clouds: Vec<Cloud>,
}

impl Agreement {
    pub fn compute(own: Option<&NetFormerSnapshot>) -> Self {
        let Some(own) = own else { return Self { clouds: Vec::new() } };
        let clouds = match &own.truth {
            Some(truth) => vec![
                Cloud::new("NetFormer", "True weight", "Attention", truth, &own.attention, true),
                Cloud::new("Cross-correlation", "True weight", "Lag-1 correlation", truth, &own.lag_one, false),
            ],
            None => vec![Cloud::new(
                "NetFormer against cross-correlation",
                "Lag-1 correlation",
                "Attention",
                &own.lag_one,
                &own.attention,
                false,
            )],
        };
        Self { clouds }
    }
}

impl Cloud {
    fn new(title: &'static str, x: &'static str, y: &'static str, over: &Array2<f32>, values: &Array2<f32>, identity: bool) -> Self {
        let (over, values) = (over.mapv(f64::from), values.mapv(f64::from));
        let found = score(values.view(), over.view(), Pairs::Others);
        let pairs = || values.indexed_iter().filter(|((i, j), _)| i != j).filter_map(|(at, v)| Some([*over.get(at)?, *v]));
        let points: Vec<[f64; 2]> = pairs().step_by(found.pairs.div_ceil(POINTS).max(1)).collect();
        let auc = if x == "True weight" { found.auc } else { f64::NAN };
        let line = regression(pairs());
        Self { title, x, y, points, all: found.pairs, line, identity, pearson: found.pearson, spearman: found.spearman, auc }
    }
}

impl Cloud {
    /// Ends of the line of equal values, inside what the points cover in both directions; `None` where the axes are of different kinds.
    pub fn equal(&self) -> Option<(f64, f64)> {
        let range = |axis: usize| widgets::range(self.points.iter().filter_map(|p| p.get(axis).copied()));
        let ((a, b), (c, d)) = (range(0)?, range(1)?);
        let (low, high) = (a.max(c), b.min(d));
        (self.identity && high > low).then_some((low, high))
    }
}

/// Slope and offset of least squares of the second on the first.
fn regression(points: impl Iterator<Item = [f64; 2]> + Clone) -> (f64, f64) {
    let n = points.clone().count().max(1) as f64;
    let sum = |value: &dyn Fn([f64; 2]) -> f64| points.clone().map(value).sum::<f64>() / n;
    let (x, y) = (sum(&|p| p[0]), sum(&|p| p[1]));
    let (across, along) = (sum(&|p| (p[0] - x) * (p[1] - y)), sum(&|p| (p[0] - x).powi(2)));
    let slope = if along > 0.0 { across / along } else { 0.0 };
    (slope, y - slope * x)
}

/// Eigenvalues of mean attention and of the truth.
pub struct Modes {
    pub spectra: Vec<(&'static str, Vec<(f64, f64)>)>,
}

impl Modes {
    pub fn compute(model: &NetFormerModel) -> Self {
        let mean = mean(model);
        if mean.nrows() != mean.ncols() || mean.nrows() > MOST_MODES {
            return Self { spectra: Vec::new() };
        }
        let attention = eigenvalues(mean.mapv(f64::from).view()).map(|values| ("Mean attention", values));
        let truth = model.true_weights().and_then(|truth| eigenvalues(truth.view())).map(|values| ("True weights", values));
        Self { spectra: attention.into_iter().chain(truth).collect() }
    }
}

fn mean(model: &NetFormerModel) -> Array2<f32> {
    let windows = model.windows(Part::Validation);
    let most = (WORK / model.cost()).clamp(20.0, WINDOWS) as usize;
    let few: Vec<usize> = windows.iter().copied().step_by(windows.len().div_ceil(most).max(1)).collect();
    model.mean(&few)
}

/// What the panel says in numbers.
pub struct Standing {
    /// Attention taken apart.
    pub parts: StaticParts,
    /// Times and windows each behind it.
    pub times: (usize, usize),
    /// Correlation of mean attention between different units with that of every other run, with its folder and seed.
    pub others: Vec<(String, u64, f64)>,
    /// Mean correlation over all pairs of runs, this one included; NaN without others.
    pub agreement: f64,
    /// Correlation of mean attention with its own transpose: 1 when no direction is told; NaN when it is not square.
    pub symmetry: f64,
}

impl Standing {
    pub fn compute(model: &Arc<NetFormerModel>, folder: Option<&Path>, recipe: &Recipe, watch: &Watch) -> Option<Self> {
        let all = model.all_windows().len();
        let length = all.div_ceil(TIMES).max(1);
        // Single windows: what a mean over many would smooth away is what changes.
        let blocks = model.blocks(length, 1);
        let mut rows: Vec<f32> = Vec::new();
        let mut entries = 0;
        for (done, block) in blocks.iter().enumerate() {
            watch.tell(done, blocks.len());
            if watch.stopped() {
                return None;
            }
            let row = some(&model.mean(&block.windows));
            entries = row.len();
            rows.extend(row);
        }
        let rows = Array2::from_shape_vec((blocks.len(), entries), rows).ok()?;
        let parts = static_parts(rows.view(), &some(&model.of_identities().ok()?));
        let own = mean(model);
        let mut means = vec![off_diagonal(own.view())];
        let mut names = Vec::new();
        if let Some(folder) = folder {
            for other in siblings(folder, recipe, model, watch)? {
                means.push(off_diagonal(mean(&other.model).view()));
                names.push((other.name, other.seed));
            }
        }
        let alike = |a: usize, b: usize| {
            let list = |k: usize| means.get(k).into_iter().flatten().map(|v| f64::from(*v)).collect::<Vec<_>>();
            pearson(&list(a), &list(b))
        };
        let pairs: Vec<f64> = (0..means.len()).flat_map(|a| (0..a).map(move |b| (a, b))).map(|(a, b)| alike(a, b)).collect();
        let others = names.into_iter().enumerate().map(|(at, (name, seed))| (name, seed, alike(0, at + 1))).collect();
        let n = own.nrows();
        let square = own.slice_axis(Axis(1), Slice::from(..n.min(own.ncols())));
        let symmetry = match n == own.ncols() {
            true => {
                let list = |m: ndarray::ArrayView2<'_, f32>| off_diagonal(m).iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
                pearson(&list(square), &list(square.t()))
            }
            false => f64::NAN,
        };
        let agreement = if pairs.is_empty() { f64::NAN } else { pairs.iter().sum::<f64>() / pairs.len() as f64 };
        Some(Self { parts, times: (blocks.len(), 1), others, agreement, symmetry })
    }
}

/// Entries between different units, evenly thinned when there are very many.
fn some(matrix: &Array2<f32>) -> Vec<f32> {
    let all = off_diagonal(matrix.view());
    let step = all.len().div_ceil(ENTRIES).max(1);
    all.into_iter().step_by(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_regression_goes_through_the_means() {
        let points = [[0.0, 1.0], [1.0, 3.0], [2.0, 5.0]];
        assert_eq!(regression(points.into_iter()), (2.0, 1.0));
        assert_eq!(regression([[1.0, 4.0], [1.0, 6.0]].into_iter()), (0.0, 5.0));
    }

    #[test]
    fn without_truth_attention_is_set_against_the_cross_correlation() {
        let own = NetFormerSnapshot {
            attention: array![[9.0, 1.0, 2.0], [3.0, 9.0, 4.0]],
            lag_one: array![[0.0, 0.1, 0.2], [0.3, 0.0, 0.4]],
            truth: Some(array![[0.0, 1.0, 0.0], [3.0, 0.0, 0.0]]),
            ..NetFormerSnapshot::default()
        };
        let both = Agreement::compute(Some(&own)).clouds;
        assert_eq!((both.len(), both[0].all, both[0].points.len()), (2, 4, 4));
        assert!(both[0].auc.is_finite() && both[0].equal() == Some((1.0, 3.0)) && both[1].equal().is_none());
        let alone = Agreement::compute(Some(&NetFormerSnapshot { truth: None, ..own })).clouds;
        assert!(alone.len() == 1 && (alone[0].pearson - 1.0).abs() < 1e-6 && alone[0].auc.is_nan(), "{}", alone[0].pearson);
        assert!(Agreement::compute(None).clouds.is_empty());
    }
}
