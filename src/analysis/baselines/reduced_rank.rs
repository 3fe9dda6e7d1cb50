//! Reduced-rank regression of one area's counts on another's: the communication subspace (Semedo et al. 2019, Neuron 102:249), on
//! counts in wide bins from which each unit's mean over trials is taken away. Same bins on both sides: it has no lag and no direction.

use nalgebra::{Cholesky, DMatrix, SymmetricEigen};
use ndarray::{Array2, ArrayView2, Axis, Slice};
use rayon::prelude::*;

use super::{Rates, TrialCounts, parts};

/// Parts of the trials for cross-validation.
const FOLDS: usize = 5;
/// Share of the mean variance of a sending unit that is added to every variance: silent units make no trouble.
const RIDGE: f64 = 1e-8;

/// How wide bins are and how many dimensions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankSettings {
    /// Bins of the counts that are summed into one.
    pub wide: usize,
    /// Rank; `None` chooses the smallest one within one standard error of the best in 5-fold cross-validation.
    pub rank: Option<usize>,
    /// Largest rank that is tried.
    pub most: usize,
}

impl Default for RankSettings {
    /// 20 ms of 2-ms bins.
    fn default() -> Self {
        Self { wide: 10, rank: None, most: 8 }
    }
}

/// A fitted regression from one area to another.
#[derive(Debug, Clone, PartialEq)]
pub struct ReducedRank {
    source: usize,
    target: usize,
    wide: usize,
    /// Mean over the fitted trials, wide bins `[bins, units]`, of the sending and of the receiving area.
    means: (Array2<f64>, Array2<f64>),
    /// `[sending units, receiving units]`, counts per count.
    weights: Array2<f64>,
    /// Dimensions kept.
    pub rank: usize,
    /// Cross-validated share of variance explained for ranks 0, 1, …; empty when the rank was given.
    pub by_rank: Vec<f64>,
}

/// Second moments of deviations from the mean over trials.
#[derive(Clone)]
struct Moments {
    xx: Array2<f64>,
    xy: Array2<f64>,
    yy: f64,
}

/// Fit the counts of area `target` by those of area `source` on some trials; `None` without a whole wide bin or trial.
pub fn fit(counts: &TrialCounts<'_>, source: usize, target: usize, trials: &[usize], settings: RankSettings) -> Option<ReducedRank> {
    let wide = settings.wide.max(1);
    if counts.bins() < wide || trials.is_empty() || counts.columns(source).is_empty() || counts.columns(target).is_empty() {
        return None;
    }
    let means = (mean(counts, source, trials, wide), mean(counts, target, trials, wide));
    let folds: Vec<Moments> = parts(trials, FOLDS)
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|some| moments(counts, (source, target), some, wide, &means))
        .collect();
    let all = sum(folds.iter())?;
    let most = settings.most.min(all.xx.nrows()).min(all.xy.ncols());
    let (rank, by_rank) = match settings.rank {
        Some(rank) => (rank.min(all.xx.nrows()).min(all.xy.ncols()), Vec::new()),
        None => cross_validated(&folds, most),
    };
    Some(ReducedRank { source, target, wide, means, weights: weights(&all, rank), rank, by_rank })
}

/// Wide counts of one trial's units of an area, `[bins, units]`.
fn summed(counts: &TrialCounts<'_>, area: usize, trial: usize, wide: usize) -> Array2<f64> {
    let spikes = counts.trial(trial);
    let spikes = spikes.slice_axis(Axis(0), Slice::from(counts.pad..));
    let spikes = spikes.slice_axis(Axis(1), Slice::from(counts.columns(area)));
    let mut sums = Array2::zeros((counts.bins() / wide, spikes.ncols()));
    for (mut row, chunk) in sums.axis_iter_mut(Axis(0)).zip(spikes.axis_chunks_iter(Axis(0), wide)) {
        for bin in chunk.axis_iter(Axis(0)) {
            row.zip_mut_with(&bin, |sum, &y| *sum += f64::from(y));
        }
    }
    sums
}

fn mean(counts: &TrialCounts<'_>, area: usize, trials: &[usize], wide: usize) -> Array2<f64> {
    let mut sum = Array2::zeros((counts.bins() / wide, counts.columns(area).len()));
    trials.iter().for_each(|&trial| sum += &summed(counts, area, trial, wide));
    sum / trials.len().max(1) as f64
}

fn moments(
    counts: &TrialCounts<'_>,
    (source, target): (usize, usize),
    trials: &[usize],
    wide: usize,
    means: &(Array2<f64>, Array2<f64>),
) -> Moments {
    let (n, m) = (means.0.ncols(), means.1.ncols());
    let mut moments = Moments { xx: Array2::zeros((n, n)), xy: Array2::zeros((n, m)), yy: 0.0 };
    for &trial in trials {
        let x = summed(counts, source, trial, wide) - &means.0;
        let y = summed(counts, target, trial, wide) - &means.1;
        moments.xx += &x.t().dot(&x);
        moments.xy += &x.t().dot(&y);
        moments.yy += y.iter().map(|v| v * v).sum::<f64>();
    }
    moments
}

fn sum<'a>(mut folds: impl Iterator<Item = &'a Moments>) -> Option<Moments> {
    let first = folds.next()?.clone();
    Some(folds.fold(first, |a, b| Moments { xx: a.xx + &b.xx, xy: a.xy + &b.xy, yy: a.yy + b.yy }))
}

/// Least squares, then projected on the leading directions of what it predicts.
fn weights(moments: &Moments, rank: usize) -> Array2<f64> {
    let full = least_squares(moments);
    full.dot(&projection(moments, &full, rank))
}

fn least_squares(moments: &Moments) -> Array2<f64> {
    let (n, m) = moments.xy.dim();
    let ridge = RIDGE * (moments.xx.diag().sum() / n.max(1) as f64).max(1e-9);
    let gram = DMatrix::from_fn(n, n, |i, j| moments.xx[[i, j]] + if i == j { ridge } else { 0.0 });
    let right = DMatrix::from_fn(n, m, |i, j| moments.xy[[i, j]]);
    match Cholesky::new(gram) {
        Some(factor) => {
            let solved = factor.solve(&right);
            Array2::from_shape_fn((n, m), |(i, j)| solved[(i, j)])
        }
        None => Array2::zeros((n, m)),
    }
}

/// Projection `[receiving, receiving]` on the `rank` leading directions of the fitted values.
fn projection(moments: &Moments, full: &Array2<f64>, rank: usize) -> Array2<f64> {
    let predicted = full.t().dot(&moments.xx).dot(full);
    let m = predicted.nrows();
    let eigen = SymmetricEigen::new(DMatrix::from_fn(m, m, |i, j| 0.5 * (predicted[[i, j]] + predicted[[j, i]])));
    let mut order: Vec<usize> = (0..m).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let mut projection = Array2::zeros((m, m));
    for &k in order.iter().take(rank) {
        let direction = eigen.eigenvectors.column(k);
        for ((i, j), to) in projection.indexed_iter_mut() {
            *to += direction[i] * direction[j];
        }
    }
    projection
}

/// The smallest rank within one standard error of the best, and the mean share explained by every rank.
fn cross_validated(folds: &[Moments], most: usize) -> (usize, Vec<f64>) {
    let explained = |weights: &Array2<f64>, held: &Moments| {
        let cross: f64 = weights.iter().zip(&held.xy).map(|(w, c)| w * c).sum();
        let squared: f64 = weights.t().dot(&held.xx).dot(weights).diag().sum();
        if held.yy > 0.0 { (2.0 * cross - squared) / held.yy } else { 0.0 }
    };
    // `[fold][rank]`.
    let scores: Vec<Vec<f64>> = (0..folds.len())
        .into_par_iter()
        .filter_map(|out| {
            let rest = sum(folds.iter().enumerate().filter(|(k, _)| *k != out).map(|(_, fold)| fold))?;
            let full = least_squares(&rest);
            Some((0..=most).map(|rank| explained(&full.dot(&projection(&rest, &full, rank)), &folds[out])).collect())
        })
        .collect();
    if scores.len() < 2 {
        return (most.min(1), Vec::new());
    }
    let n = scores.len() as f64;
    let mean: Vec<f64> = (0..=most).map(|rank| scores.iter().map(|s| s[rank]).sum::<f64>() / n).collect();
    let best = (0..=most).fold(0, |best, rank| if mean[rank] > mean[best] { rank } else { best });
    let spread = scores.iter().map(|s| (s[best] - mean[best]).powi(2)).sum::<f64>() / (n - 1.0);
    let error = (spread / n).sqrt();
    let rank = (0..=best).find(|&rank| mean[rank] >= mean[best] - error).unwrap_or(best);
    (rank, mean)
}

impl ReducedRank {
    /// Weights `[sending units, receiving units]`, counts per count.
    pub fn weights(&self) -> &Array2<f64> {
        &self.weights
    }

    /// Share of the variance (around the mean over the fitted trials) that is explained on some trials; negative when it is worse
    /// than nothing.
    pub fn explained(&self, counts: &TrialCounts<'_>, trials: &[usize]) -> f64 {
        let (mut residual, mut total) = (0.0, 0.0);
        for &trial in trials {
            let y = summed(counts, self.target, trial, self.wide) - &self.means.1;
            let left = &y - &self.predicted(counts, trial);
            residual += left.iter().map(|v| v * v).sum::<f64>();
            total += y.iter().map(|v| v * v).sum::<f64>();
        }
        if total > 0.0 { 1.0 - residual / total } else { 0.0 }
    }

    fn predicted(&self, counts: &TrialCounts<'_>, trial: usize) -> Array2<f64> {
        (summed(counts, self.source, trial, self.wide) - &self.means.0).dot(&self.weights)
    }
}

impl Rates for ReducedRank {
    /// Counts per wide bin, repeated over its bins; bins after the last whole wide bin repeat it.
    fn rates(&self, counts: &TrialCounts<'_>, trial: usize, source: usize) -> (Array2<f64>, Array2<f64>) {
        let predicted = &self.means.1 + &self.predicted(counts, trial);
        let spread = |wide: ArrayView2<'_, f64>| {
            let last = wide.nrows().saturating_sub(1);
            Array2::from_shape_fn((counts.bins(), wide.ncols()), |(bin, n)| wide[[(bin / self.wide).min(last), n]])
        };
        let without = if source == self.source { self.means.1.view() } else { predicted.view() };
        (spread(predicted.view()), spread(without))
    }

    fn units(&self) -> usize {
        self.weights.ncols()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::contribution;
    use super::*;
    use ndarray::Array3;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Poisson};

    /// Two areas of six units; `common` slow draws per trial and wide bin that both follow.
    fn counts(dimensions: usize, strength: f64) -> Array3<u8> {
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let mut counts = Array3::zeros((300, 40, 12));
        for mut trial in counts.outer_iter_mut() {
            for wide in 0..4 {
                let draws: Vec<f64> = (0..dimensions).map(|_| random.random_range(-1.0..1.0)).collect();
                for bin in 10 * wide..10 * (wide + 1) {
                    for unit in 0..12 {
                        let drive: f64 =
                            draws.iter().enumerate().map(|(k, d)| d * if unit % dimensions.max(1) == k { strength } else { 0.0 }).sum();
                        let rate = 0.3 * (1.0 + 0.5 * wide as f64) * drive.exp();
                        trial[[bin, unit]] = Poisson::new(rate).unwrap().sample(&mut random) as u8;
                    }
                }
            }
        }
        counts
    }

    fn data(counts: &Array3<u8>) -> TrialCounts<'_> {
        TrialCounts { counts: counts.view(), pad: 0, area_sizes: &[6, 6] }
    }

    #[test]
    fn the_rank_is_that_of_what_areas_share() {
        let train: Vec<usize> = (0..200).collect();
        let test: Vec<usize> = (200..300).collect();
        for dimensions in [0, 1, 2] {
            let counts = counts(dimensions, 0.8);
            let fit = fit(&data(&counts), 0, 1, &train, RankSettings::default()).unwrap();
            assert_eq!(fit.rank, dimensions, "{:?}", fit.by_rank);
            let (explained, percent) = (fit.explained(&data(&counts), &test), contribution(&fit, &data(&counts), &test, 0));
            assert_eq!(explained > 0.2 && percent > 20.0, dimensions > 0, "{explained}, {percent} %");
        }
    }

    #[test]
    fn full_rank_is_least_squares() {
        let counts = counts(2, 0.8);
        let data = data(&counts);
        let trials: Vec<usize> = (0..300).collect();
        let fit = fit(&data, 0, 1, &trials, RankSettings { rank: Some(6), ..RankSettings::default() }).unwrap();
        // Normal equations: residuals are orthogonal to the sending counts.
        let mut cross = Array2::<f64>::zeros((6, 6));
        for trial in 0..300 {
            let x = summed(&data, 0, trial, 10) - &fit.means.0;
            let left = summed(&data, 1, trial, 10) - &fit.means.1 - fit.predicted(&data, trial);
            cross += &x.t().dot(&left);
        }
        assert!(cross.iter().all(|c| c.abs() < 1e-3), "{cross}");
        assert_eq!(contribution(&fit, &data, &trials, 1), 0.0, "another area contributes nothing");
        assert!(super::fit(&data, 0, 1, &[], RankSettings::default()).is_none());
    }
}
