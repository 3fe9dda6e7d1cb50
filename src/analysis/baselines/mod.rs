//! Older methods that find coupling between areas, to compare the GLM-Transformer with: Poisson GLMs with coupling, reduced-rank
//! regression, and jitter-corrected cross-correlograms. All give rates with and without the coupling from one area, so that all are
//! measured by the same contribution in percent (Xin & Kass 2025, Fig. 4), on the trials they were fitted to and on others.

pub mod coincidence;
pub mod poisson_glm;
pub mod reduced_rank;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, Slice};
use rayon::prelude::*;

use super::contribution::Contribution;
use super::edge_score::rank_one::Tensor;

/// Trials whose rates are in memory at once.
const TRIALS_AT_ONCE: usize = 32;

/// Units over which the mean output is taken.
const MOST_CHANGED: usize = 10;
/// Regression and correlograms can give rates of zero and below, which have no logarithm; spikes per bin.
const LEAST: f64 = 1e-4;

/// Spike counts in trials, the units of an area next to each other.
#[derive(Debug, Clone, Copy)]
pub struct TrialCounts<'a> {
    /// Counts `[trials, pad + bins, units]`.
    pub counts: ArrayView3<'a, u8>,
    /// Bins before the analysed ones: spike history only.
    pub pad: usize,
    /// Units of every area.
    pub area_sizes: &'a [usize],
}

impl<'a> TrialCounts<'a> {
    /// Units of an area as columns of the counts.
    pub fn columns(&self, area: usize) -> std::ops::Range<usize> {
        let start: usize = self.area_sizes.iter().take(area).sum();
        start..start + self.area_sizes.get(area).copied().unwrap_or(0)
    }

    /// Analysed bins.
    pub fn bins(&self) -> usize {
        self.counts.len_of(Axis(1)).saturating_sub(self.pad)
    }

    /// Counts of one trial, `[pad + bins, units]`.
    pub fn trial(&self, trial: usize) -> ArrayView2<'a, u8> {
        self.counts.index_axis_move(Axis(0), trial)
    }
}

/// Rates of a trial with a coupling and without it, both `[bins, units]`.
type RatePair = (Array2<f64>, Array2<f64>);

/// Rates of a trial's units of one area, with all couplings and without that from another area, both `[bins, units]`.
pub trait Rates: Sync {
    /// Rates of trial `trial` (index among the counts) with and without the coupling from area `source`.
    fn rates(&self, counts: &TrialCounts<'_>, trial: usize, source: usize) -> (Array2<f64>, Array2<f64>);

    /// Number of units whose rates it gives.
    fn units(&self) -> usize;
}

/// What the coupling from an area does to the rates of another.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Effect {
    /// Contribution to the variance of rates, percent.
    pub percent: f64,
    /// Mean change of log-rate of the ten units that change most.
    pub mean_output: f64,
}

/// Contribution in percent of the coupling from `source`, over the trials `trials`.
pub fn contribution(model: &dyn Rates, counts: &TrialCounts<'_>, trials: &[usize], source: usize) -> f64 {
    effect(model, counts, trials, source).percent
}

/// Effect of the coupling from `source`, over the trials `trials`.
pub fn effect(model: &dyn Rates, counts: &TrialCounts<'_>, trials: &[usize], source: usize) -> Effect {
    let mut contribution = Contribution::new(model.units());
    let mut outputs = vec![0.0; model.units()];
    for some in trials.chunks(TRIALS_AT_ONCE) {
        let rates: Vec<_> = some.par_iter().map(|&trial| model.rates(counts, trial, source)).collect();
        let stacked = |pick: fn(&RatePair) -> &Array2<f64>| {
            Array3::from_shape_fn((rates.len(), counts.bins(), model.units()), |(r, t, n)| pick(&rates[r])[[t, n]] as f32)
        };
        contribution.add(stacked(|r| &r.0).view(), stacked(|r| &r.1).view());
        for (with, without) in &rates {
            for ((output, with), without) in outputs.iter_mut().zip(with.columns()).zip(without.columns()) {
                *output += with.iter().zip(without).map(|(a, b)| (a.max(LEAST) / b.max(LEAST)).ln()).sum::<f64>();
            }
        }
    }
    let cells = (trials.len() * counts.bins()).max(1) as f64;
    outputs.sort_by(|a, b| b.abs().total_cmp(&a.abs()));
    outputs.truncate(MOST_CHANGED);
    let mean_output = outputs.iter().sum::<f64>() / (cells * outputs.len().max(1) as f64);
    Effect { percent: contribution.percent(), mean_output }
}

/// Poisson loss per bin and unit of a model's rates on some trials.
pub fn loss(model: &dyn Rates, counts: &TrialCounts<'_>, target: usize, trials: &[usize]) -> f64 {
    let of = |&trial: &usize| {
        let (rates, _) = model.rates(counts, trial, usize::MAX);
        let spikes = counts.trial(trial);
        let own = spikes.slice_axis(Axis(0), Slice::from(counts.pad..));
        let own = own.slice_axis(Axis(1), Slice::from(counts.columns(target)));
        own.iter().zip(&rates).map(|(&y, &rate)| rate.max(LEAST) - f64::from(y) * rate.max(LEAST).ln()).sum::<f64>()
    };
    let sums: Vec<f64> = trials.par_iter().map(of).collect();
    sums.iter().sum::<f64>() / (trials.len() * counts.bins() * model.units()).max(1) as f64
}

/// The best rank-1 form of a coupling.
#[derive(Debug, Clone, PartialEq)]
pub struct RankOneCoupling {
    /// Weight of every sending unit; unit norm, mean not negative.
    pub send: Vec<f64>,
    /// Weight of every receiving unit; unit norm, mean not negative.
    pub receive: Vec<f64>,
    /// Coefficients of the filter; carries sign and scale.
    pub filter: Vec<f64>,
    /// Share of the coupling's sum of squares that it explains, 0 to 1.
    pub share: f64,
}

/// The best rank-1 form of coefficients `[sending units, functions, receiving units]`.
pub fn rank_one(coefficients: Array3<f64>) -> RankOneCoupling {
    let squares: f64 = coefficients.iter().map(|c| c * c).sum();
    let found = Tensor::new(coefficients).rank_one();
    let filter = found.filter.iter().map(|f| f * found.value).collect();
    let share = if squares > 0.0 { found.value * found.value / squares } else { 0.0 };
    RankOneCoupling { send: found.send, receive: found.receive, filter, share }
}

/// Part `part` of `parts` nearly equal parts of `items`, kept in order; fixed parts make sums that do not depend on threads.
fn parts<T>(items: &[T], parts: usize) -> std::slice::Chunks<'_, T> {
    items.chunks(items.len().div_ceil(parts.max(1)).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coupling_of_rank_one_is_its_own_form() {
        let (u, h, v) = ([0.6, 0.8], [2.0, -1.0, 0.5], [1.0, 0.0]);
        let found = rank_one(Array3::from_shape_fn((2, 3, 2), |(m, b, n)| u[m] * h[b] * v[n]));
        assert!((found.share - 1.0).abs() < 1e-9);
        assert!(found.filter.iter().zip(h).all(|(a, b)| (a - b).abs() < 1e-9), "{:?}", found.filter);
        assert!(found.send.iter().zip(u).all(|(a, b)| (a - b).abs() < 1e-9));
        assert_eq!(rank_one(Array3::zeros((2, 3, 2))).share, 0.0);
    }
}
