//! Smooth random curves: a stationary Gaussian process on a grid of bins, drawn through a low-rank square root of its kernel.

use ndarray::{Array1, Array2};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

/// A Gaussian process with kernel `variance · exp(−d² / length²)` (no ½ in the exponent, as in the published simulation).
pub(super) struct GaussianProcess {
    /// Square root of the kernel, `[bins, rank]`.
    root: Array2<f64>,
}

impl GaussianProcess {
    /// Pivoted Cholesky decomposition of the kernel, stopped when no bin has more than a 1e-9 share of its variance left. A slow
    /// process has a tiny rank (about 12 for 300 bins and a length of 150), so drawing from it is cheap.
    pub(super) fn new(bins: usize, variance: f64, length_bins: f64) -> Self {
        let kernel = |a: usize, b: usize| variance * (-((a as f64 - b as f64) / length_bins).powi(2)).exp();
        let mut left = Array1::from_elem(bins, variance);
        let mut columns: Vec<Array1<f64>> = Vec::new();
        while columns.len() < bins {
            let Some((pivot, largest)) = left.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1)) else { break };
            if largest <= 1e-9 * variance {
                break;
            }
            let scale = largest.sqrt();
            let column = Array1::from_shape_fn(bins, |bin| {
                let explained: f64 = columns.iter().map(|c| c[bin] * c[pivot]).sum();
                (kernel(bin, pivot) - explained) / scale
            });
            left.iter_mut().zip(&column).for_each(|(l, c)| *l -= c * c);
            columns.push(column);
        }
        let root = Array2::from_shape_fn((bins, columns.len()), |(bin, k)| columns[k][bin]);
        Self { root }
    }

    /// One curve, `[bins]`.
    pub(super) fn draw(&self, random: &mut impl Rng) -> Array1<f64> {
        let normal = Array1::from_shape_fn(self.root.ncols(), |_| random.sample::<f64, _>(StandardNormal));
        self.root.dot(&normal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_gives_the_kernel_back() {
        for (bins, length) in [(300, 150.0), (40, 3.0)] {
            let root = GaussianProcess::new(bins, 0.5, length).root;
            let kernel = root.dot(&root.t());
            for ((a, b), value) in kernel.indexed_iter() {
                let d = a as f64 - b as f64;
                assert!((value - 0.5 * (-(d / length).powi(2)).exp()).abs() < 1e-8);
            }
        }
        assert!(GaussianProcess::new(300, 0.5, 150.0).root.ncols() < 20);
    }

    #[test]
    fn no_variance_gives_flat_curves() {
        assert_eq!(GaussianProcess::new(10, 0.0, 5.0).root.ncols(), 0);
    }
}
