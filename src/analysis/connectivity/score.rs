//! How close a matrix of estimated connections is to the true one, and how well activity was predicted.

use ndarray::{Array2, ArrayView2, Axis};

use crate::analysis::compare::correlation;

/// Which entries of a matrix are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// All of them, a unit with itself included.
    All,
    /// Those between two different units: the diagonal also holds each unit's own memory, which no method tells apart.
    Others,
}

/// Agreement of an estimate with the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatrixScore {
    /// Pearson correlation of entries.
    pub pearson: f64,
    /// Spearman correlation of entries.
    pub spearman: f64,
    /// Probability that a true connection has a larger |estimate| than a pair without one; NaN when all or none are connected.
    pub auc: f64,
    /// Entries compared.
    pub pairs: usize,
    /// Of these, true connections.
    pub connected: usize,
}

/// Compare two matrices `[receiving, sending]` of the same shape.
pub fn score(estimate: ArrayView2<'_, f64>, truth: ArrayView2<'_, f64>, pairs: Pairs) -> MatrixScore {
    let entries = estimate.indexed_iter().filter(|((i, j), _)| pairs == Pairs::All || i != j);
    let (found, wanted): (Vec<f64>, Vec<f64>) = entries.filter_map(|(at, v)| Some((*v, *truth.get(at)?))).unzip();
    let strength: Vec<f64> = found.iter().map(|v| v.abs()).collect();
    let connected: Vec<bool> = wanted.iter().map(|w| *w != 0.0).collect();
    MatrixScore {
        pearson: pearson(&found, &wanted),
        spearman: spearman(&found, &wanted),
        auc: area_under_curve(&strength, &connected),
        pairs: found.len(),
        connected: connected.iter().filter(|c| **c).count(),
    }
}

/// Pearson correlation; 0 when either list is constant or their lengths differ.
pub fn pearson(a: &[f64], b: &[f64]) -> f64 {
    correlation(a, b)
}

/// Spearman correlation: Pearson's of the ranks, ties sharing their mean rank.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    correlation(&ranks(a), &ranks(b))
}

/// Area under the ROC curve: the probability that a positive scores higher than a negative, ties counting half. NaN without
/// positives or without negatives.
pub fn area_under_curve(scores: &[f64], positive: &[bool]) -> f64 {
    let (ranks, n) = (ranks(scores), positive.iter().filter(|p| **p).count() as f64);
    let others = positive.len() as f64 - n;
    let sum: f64 = ranks.iter().zip(positive).filter(|(_, p)| **p).map(|(r, _)| r + 1.0).sum();
    if n * others > 0.0 { (sum - n * (n + 1.0) / 2.0) / (n * others) } else { f64::NAN }
}

/// Ranks from 0, ties sharing their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let mean = first as f64 + (tied.len() - 1) as f64 / 2.0;
        tied.iter().for_each(|&at| ranks[at] = mean);
        first += tied.len();
    }
    ranks
}

/// Means of a matrix by group of the receiving and of the sending unit, `[groups, groups]`, NaN where there is no entry.
/// Entries count where `counts(receiving, sending)` says so (true connections only, or all but the diagonal).
pub fn group_means(
    matrix: ArrayView2<'_, f64>,
    group_of_unit: &[usize],
    groups: usize,
    counts: impl Fn(usize, usize) -> bool,
) -> Array2<f64> {
    let (mut sums, mut numbers) = (Array2::<f64>::zeros((groups, groups)), Array2::<f64>::zeros((groups, groups)));
    for ((post, pre), value) in matrix.indexed_iter().filter(|((post, pre), _)| counts(*post, *pre)) {
        let (Some(&to), Some(&from)) = (group_of_unit.get(post), group_of_unit.get(pre)) else { continue };
        if let (Some(sum), Some(number)) = (sums.get_mut([to, from]), numbers.get_mut([to, from])) {
            *sum += value;
            *number += 1.0;
        }
    }
    sums / numbers
}

/// R² of predictions `[samples, targets]`, the mean over targets; a target that never changes counts 1 when predicted exactly
/// and 0 otherwise.
pub fn r_squared(predicted: ArrayView2<'_, f64>, actual: ArrayView2<'_, f64>) -> f64 {
    let each = predicted.columns().into_iter().zip(actual.columns()).map(|(p, y)| {
        let mean = y.sum() / y.len().max(1) as f64;
        let (residual, total) = p.iter().zip(y).fold((0.0, 0.0), |(r, t), (p, y)| (r + (p - y).powi(2), t + (y - mean).powi(2)));
        if total > 0.0 { 1.0 - residual / total } else { f64::from(u8::from(residual == 0.0)) }
    });
    let scores: Vec<f64> = each.collect();
    scores.iter().sum::<f64>() / scores.len().max(1) as f64
}

/// Mean squared error of predictions over everything.
pub fn mean_squared_error(predicted: ArrayView2<'_, f64>, actual: ArrayView2<'_, f64>) -> f64 {
    let rows = predicted.axis_iter(Axis(0)).zip(actual.axis_iter(Axis(0)));
    let sum: f64 = rows.map(|(p, y)| p.iter().zip(y).map(|(p, y)| (p - y).powi(2)).sum::<f64>()).sum();
    sum / actual.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::reference::netformer;
    use ndarray::{Array1, arr2};

    #[test]
    fn ranks_share_ties_and_correlations_follow() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0, 3.0]), [3.0, 0.0, 3.0, 1.0, 3.0]);
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [1.0, 8.0, 27.0, 64.0]);
        assert!((spearman(&a, &b) - 1.0).abs() < 1e-12 && pearson(&a, &b) < 0.99);
        // scipy.stats.spearmanr([1, 2, 2, 3], [1, 3, 2, 4]) = 0.9486832980505138
        assert!((spearman(&[1.0, 2.0, 2.0, 3.0], &[1.0, 3.0, 2.0, 4.0]) - 0.948_683_298_050_513_8).abs() < 1e-12);
    }

    #[test]
    fn the_area_counts_pairs_in_order() {
        let scores = [0.9, 0.8, 0.7, 0.6, 0.6, 0.1];
        let positive = [true, false, true, true, false, false];
        let mut wins = 0.0;
        for (i, a) in scores.iter().enumerate().filter(|(i, _)| positive[*i]) {
            for (j, b) in scores.iter().enumerate().filter(|(j, _)| !positive[*j]) {
                wins += if a > b { 1.0 } else { f64::from(u8::from(a == b)) / 2.0 };
                assert_ne!(i, j);
            }
        }
        assert!((area_under_curve(&scores, &positive) - wins / 9.0).abs() < 1e-12);
        assert!(area_under_curve(&scores, &[true; 6]).is_nan() && area_under_curve(&[], &[]).is_nan());
    }

    #[test]
    fn the_diagonal_counts_only_when_asked_for() {
        let truth = arr2(&[[0.0, 1.0, 0.0], [0.0, 0.0, -2.0], [0.5, 0.0, 0.0]]);
        let mut estimate = truth.clone();
        estimate.diag_mut().fill(9.0);
        let others = score(estimate.view(), truth.view(), Pairs::Others);
        assert!((others.pearson - 1.0).abs() < 1e-12 && others.auc == 1.0, "inhibition counts by its strength");
        assert_eq!((others.pairs, others.connected), (6, 3));
        let all = score(estimate.view(), truth.view(), Pairs::All);
        assert!(all.pearson < 0.5 && all.pairs == 9);
    }

    #[test]
    fn group_means_match_the_reference() {
        let (a, weights): (Array2<f64>, Array2<f64>) = (netformer("celltype/A"), netformer("celltype/W"));
        let (types, expected): (Array1<f64>, Array2<f64>) = (netformer("celltype/types"), netformer("celltype/block_means"));
        let types: Vec<usize> = types.iter().map(|&t| t as usize).collect();
        let means = group_means(a.view(), &types, 4, |i, j| weights[[i, j]] != 0.0);
        for (own, expected) in means.iter().zip(&expected) {
            // The reference writes 0 where there is no entry.
            assert!((own - expected).abs() < 1e-12 || (own.is_nan() && *expected == 0.0), "{own} instead of {expected}");
        }
        let all = group_means(a.view(), &[0; 12], 1, |i, j| i != j);
        assert!((all[[0, 0]] - (a.sum() - a.diag().sum()) / 132.0).abs() < 1e-12);
    }

    #[test]
    fn predictions_are_scored_per_target() {
        let actual = arr2(&[[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]);
        assert_eq!(r_squared(actual.view(), actual.view()), 1.0);
        let flat = arr2(&[[2.0, 5.0], [2.0, 5.0], [2.0, 4.0]]);
        assert_eq!(r_squared(flat.view(), actual.view()), 0.0);
        assert!((mean_squared_error(flat.view(), actual.view()) - 0.5).abs() < 1e-12);
    }
}
