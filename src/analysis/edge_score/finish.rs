//! From the sums over trials to scores: both nulls and their thresholds, which areas are beside each other, and the factors found.

use ndarray::Array3;
use rayon::prelude::*;

use super::pair::PairSums;
use super::rank_one::RankOne;
use super::{EdgeScore, EdgeScorer, SecondFactor, others, threshold};

impl EdgeScorer {
    /// Scores of every ordered pair, target-major: all sources of target 0, then of target 1, ….
    pub fn finish(&self) -> Vec<EdgeScore> {
        let areas = self.area_sizes.len();
        let pairs: Vec<(usize, usize)> = (0..areas)
            .flat_map(|target| (0..areas).map(move |source| (source, target)))
            .filter(|(source, target)| self.scoring.self_pairs || source != target)
            .collect();
        let nulls: Vec<Nulls> = pairs.par_iter().map(|&(source, target)| self.nulls(source, target)).collect();
        let beside: Vec<Vec<usize>> = (0..areas).into_par_iter().map(|target| self.selected(target, &pairs, &nulls)).collect();
        let pairs: Vec<_> = pairs.into_iter().zip(nulls).collect();
        pairs.into_par_iter().map(|((source, target), nulls)| self.finish_pair(source, target, nulls, &beside[target])).collect()
    }

    /// Scores of the jittered copies, and with the sending units of other trials.
    fn nulls(&self, source: usize, target: usize) -> Nulls {
        let (first, second): (Vec<f64>, Vec<Option<f64>>) = (1..self.score.len())
            .into_par_iter()
            .map(|copy| {
                let (factor, second) = self.factors(&self.sums(copy, source, target), source != target);
                (factor.value, second)
            })
            .unzip();
        let copies = self.shuffled.len().min(usize::try_from(self.trials_seen).unwrap_or(usize::MAX).saturating_sub(1));
        let (shuffled, shuffled_second): (Vec<f64>, Vec<Option<f64>>) = (0..if source == target { 0 } else { copies })
            .into_par_iter()
            .map(|copy| {
                let (factor, second) = self.factors(&self.sums_shuffled(copy, source, target), true);
                (factor.value, second)
            })
            .unzip();
        let flat = |values: Vec<Option<f64>>| values.into_iter().flatten().collect::<Vec<f64>>();
        let (second, shuffled_second) = (flat(second), flat(shuffled_second));
        let threshold = self.threshold(&first, &shuffled);
        Nulls { second_threshold: self.threshold(&second, &shuffled_second), first, shuffled, second, threshold }
    }

    /// The larger of the quantiles of two nulls; the second one may be missing.
    fn threshold(&self, jittered: &[f64], shuffled: &[f64]) -> f64 {
        let of = |null: &[f64]| threshold::threshold(null, self.scoring.quantile);
        if shuffled.is_empty() { of(jittered) } else { of(jittered).max(of(shuffled)) }
    }

    /// The first factor of what is tested, and the score of the second where it was asked for.
    fn factors(&self, sums: &PairSums, between: bool) -> (RankOne, Option<f64>) {
        let tensor = sums.tested(between);
        let first = tensor.rank_one();
        let second = self.scoring.second_factor.then(|| tensor.without(&first).rank_one().value);
        (first, second)
    }

    /// Areas that count as others for the pairs onto a target.
    fn selected(&self, target: usize, pairs: &[(usize, usize)], nulls: &[Nulls]) -> Vec<usize> {
        let threshold = |source: usize| pairs.iter().position(|p| *p == (source, target)).map_or(f64::INFINITY, |at| nulls[at].threshold);
        let candidates: Vec<usize> =
            (0..self.area_sizes.len()).filter(|&source| source != target && threshold(source).is_finite()).collect();
        let excess = |source: usize, beside: &[usize]| {
            let score = self.sums_beside(source, target, beside).tested(true).rank_one().value;
            if score > 0.0 { score / threshold(source) } else { 0.0 }
        };
        others::select(&candidates, excess)
    }

    fn finish_pair(&self, source: usize, target: usize, nulls: Nulls, selected: &[usize]) -> EdgeScore {
        let between = source != target;
        let beside: Vec<usize> = selected.iter().copied().filter(|&other| between && other != source).collect();
        let alone = self.sums(0, source, target);
        let value_alone = alone.tested(between).rank_one().value;
        let sums = if between { self.sums_beside(source, target, &beside) } else { alone };
        let (mut best, second) = self.factors(&sums, between);
        if between {
            best = sums.completed(&best);
        }
        let second = second.map(|score| SecondFactor { score, threshold: nulls.second_threshold, null: nulls.second });
        let p = |null: &[f64]| threshold::p_value(best.value, null);
        let p_value = if nulls.shuffled.is_empty() { p(&nulls.first) } else { p(&nulls.first).max(p(&nulls.shuffled)) };
        let filter = sums.filter_coefficients(&self.basis, &self.fast, &best);
        let f32s = |values: &[f64]| values.iter().map(|&x| x as f32).collect::<Vec<f32>>();
        EdgeScore {
            source,
            target,
            score: best.value,
            alone: value_alone,
            beside,
            p_value,
            second,
            null: nulls.first,
            shuffled: nulls.shuffled,
            threshold: nulls.threshold,
            send: f32s(&best.send),
            receive: f32s(&best.receive),
            filter: f32s(&filter),
        }
    }

    /// Score and information of a pair alone; a unit does not couple to itself.
    pub(super) fn sums(&self, copy: usize, source: usize, target: usize) -> PairSums {
        let shape = (self.area_sizes[source], self.basis.ncols(), self.area_sizes[target]);
        let (senders, receivers) = (self.first_unit(source), self.first_unit(target));
        let score = |(in_area, b, n): (usize, usize, usize)| {
            let (m, n) = (senders + in_area, receivers + n);
            let expected = if source == target { 0.0 } else { self.expected[source][[in_area, b * self.units() + n]] };
            if m == n { 0.0 } else { f64::from(self.score[copy][[m, b, n]]) - f64::from(expected) }
        };
        let information = |(m, b, n): (usize, usize, usize)| f64::from(self.information[copy.min(1)][b][[senders + m, receivers + n]]);
        PairSums { score: Array3::from_shape_fn(shape, score), information: Array3::from_shape_fn(shape, information) }
    }

    /// Score with the sending units of the trial `copy + 1` before, as if it had been added over as many trials as the data.
    fn sums_shuffled(&self, copy: usize, source: usize, target: usize) -> PairSums {
        let data = self.sums(0, source, target);
        let (senders, receivers) = (self.first_unit(source), self.first_unit(target));
        let trials = self.trials_seen as f64;
        let scale = (trials / (trials - copy as f64 - 1.0).max(1.0)).sqrt();
        let score = |(m, b, n): (usize, usize, usize)| scale * f64::from(self.shuffled[copy][b][[senders + m, receivers + n]]);
        PairSums { score: Array3::from_shape_fn(data.score.dim(), score), information: data.information }
    }

    /// Score and information beside the units of the target and those of other areas.
    fn sums_beside(&self, source: usize, target: usize, others: &[usize]) -> PairSums {
        let mut beside: Vec<_> = others.iter().map(|&other| (self.population.units(other), self.sums(0, other, target).score)).collect();
        let (first, size) = (self.first_unit(target), self.area_sizes[target]);
        let own = Array3::from_shape_fn((size, self.basis.ncols(), size), |(m, b, n)| f64::from(self.own[b][[first + m, first + n]]));
        beside.push((self.population.units(target), own));
        self.products.beside(&self.population.units(source), self.sums(0, source, target), &beside)
    }
}

/// Scores of the copies of a pair.
struct Nulls {
    /// Of jittered copies: first and second factors.
    first: Vec<f64>,
    second: Vec<f64>,
    /// With the sending units of other trials.
    shuffled: Vec<f64>,
    /// The quantiles that were asked for.
    threshold: f64,
    second_threshold: f64,
}
