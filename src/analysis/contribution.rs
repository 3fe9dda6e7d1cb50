//! How much of an area's rate variance is owed to the coupling from another area (Xin & Kass 2025, Fig. 4): the contribution
//! in percent is `100 · mean over units of [Var(λ) − Var(λ without the pair)] / Var(λ)`, variance over trials and bins, λ the
//! rate without the post-spike term.

use ndarray::{ArrayView3, Axis};

/// Mean and variance of every unit over rows that come in batches (Chan, Golub & LeVeque 1979), in f64.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningVariance {
    count: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl RunningVariance {
    /// Nothing seen yet.
    pub fn new(units: usize) -> Self {
        Self { count: 0.0, mean: vec![0.0; units], squares: vec![0.0; units] }
    }

    /// Add values `[trials, bins, units]`. Units beyond those of [`Self::new`] are ignored.
    pub fn add(&mut self, values: ArrayView3<'_, f32>) {
        let added = (values.len_of(Axis(0)) * values.len_of(Axis(1))) as f64;
        if added == 0.0 {
            return;
        }
        let total = self.count + added;
        for ((unit, mean), squares) in values.axis_iter(Axis(2)).zip(&mut self.mean).zip(&mut self.squares) {
            let batch_mean = unit.iter().map(|&x| f64::from(x)).sum::<f64>() / added;
            let batch_squares: f64 = unit.iter().map(|&x| (f64::from(x) - batch_mean).powi(2)).sum();
            let apart = batch_mean - *mean;
            *squares += batch_squares + apart * apart * self.count * added / total;
            *mean += apart * added / total;
        }
        self.count = total;
    }

    /// Population variance of every unit; zero before anything was added.
    pub fn variance(&self) -> Vec<f64> {
        self.squares.iter().map(|s| if self.count > 0.0 { s / self.count } else { 0.0 }).collect()
    }
}

/// Contribution of one pair, from rates of the target's units with and without it.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    with: RunningVariance,
    without: RunningVariance,
}

impl Contribution {
    /// For `units` units of the receiving area.
    pub fn new(units: usize) -> Self {
        Self { with: RunningVariance::new(units), without: RunningVariance::new(units) }
    }

    /// Add trials: rates of the target's units with all couplings and without this pair, both `[trials, bins, units]`.
    pub fn add(&mut self, with: ArrayView3<'_, f32>, without: ArrayView3<'_, f32>) {
        self.with.add(with);
        self.without.add(without);
    }

    /// Percent, averaged over the units whose rate varies; 0 when none does. Negative when the pair works against the rest.
    pub fn percent(&self) -> f64 {
        let shares: Vec<f64> = self
            .with
            .variance()
            .iter()
            .zip(self.without.variance())
            .filter(|(with, _)| **with > 0.0)
            .map(|(with, without)| (with - without) / with)
            .collect();
        if shares.is_empty() { 0.0 } else { 100.0 * shares.iter().sum::<f64>() / shares.len() as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, Slice};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn noise(seed: u64) -> Array3<f32> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        Array3::from_shape_fn((11, 30, 2), |_| random.random_range(0.0..1.0))
    }

    #[test]
    fn batches_give_the_variance_of_the_whole() {
        let values = noise(1).mapv(|x| 1000.0 + x);
        let direct = |unit: usize| {
            let unit = values.index_axis(Axis(2), unit).mapv(f64::from);
            let mean = unit.mean().unwrap_or(0.0);
            unit.mapv(|x| (x - mean).powi(2)).mean().unwrap_or(0.0)
        };
        let mut running = RunningVariance::new(2);
        for (from, to) in [(0, 4), (4, 4), (4, 5), (5, 11)] {
            running.add(values.slice_axis(Axis(0), Slice::from(from..to)));
        }
        for (unit, variance) in running.variance().into_iter().enumerate() {
            assert!((variance - direct(unit)).abs() < 1e-9 * direct(unit));
        }
        assert_eq!(RunningVariance::new(1).variance(), [0.0]);
    }

    #[test]
    fn the_contribution_is_the_share_of_variance_that_goes() {
        // Independent halves of equal variance: each contributes half; unit 1 does not vary and is left out.
        let (own, coupled) = (noise(1), noise(2));
        let constant = |mut rates: Array3<f32>| {
            rates.index_axis_mut(Axis(2), 1).fill(3.0);
            rates
        };
        let mut contribution = Contribution::new(2);
        contribution.add(constant(&own + &coupled).view(), constant(own.clone()).view());
        assert!((contribution.percent() - 50.0).abs() < 8.0, "{}", contribution.percent());
        let mut nothing = Contribution::new(2);
        nothing.add(own.view(), own.view());
        assert_eq!((nothing.percent(), Contribution::new(2).percent()), (0.0, 0.0));
        let mut all = Contribution::new(2);
        all.add(own.view(), Array3::from_elem(own.dim(), 0.5).view());
        assert!((all.percent() - 100.0).abs() < 1e-9);
    }
}
