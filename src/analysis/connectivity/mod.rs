//! Who drives whom, by methods without hidden parts: what every model of connectivity is compared with. All matrices are
//! `[receiving, sending]`; all functions go from arrays to arrays.
//!
//! Activity is `[bins, units]`, counts or continuous. Lags never reach from one stretch of consecutive bins into the next.

mod correlations;
mod information;
mod least_squares;
mod method;
mod of_recording;
mod over_time;
mod score;
mod series;
mod single_matrix;

pub use correlations::{covariance, lag_one};
pub use information::{mutual_information, transfer_entropy};
pub use least_squares::{LinearFit, autoregression, lagged, least_squares};
pub use method::Method;
pub use of_recording::{ActivityError, UnitActivity};
pub use over_time::{StaticParts, TimePca, eigenvalues, off_diagonal, pca_of_times, similarity, static_parts};
pub use score::{MatrixScore, Pairs, area_under_curve, group_means, mean_squared_error, pearson, r_squared, score, spearman};
pub use series::{SeriesMatch, moving_average, series_match};
pub use single_matrix::{Nonlinearity, SingleMatrix, SingleMatrixFit};

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, CowArray, Ix2, Slice, linalg::general_mat_mul, parallel::prelude::*};

/// Columns (or rows) of one piece of a large matrix product. Fixed, so that results do not depend on the number of threads.
const BLOCK: usize = 32;

/// Activity with the stretches in which bins follow each other.
#[derive(Debug, Clone)]
pub struct Samples<'a> {
    values: ArrayView2<'a, f64>,
    runs: Vec<Range<usize>>,
}

impl<'a> Samples<'a> {
    /// All of `values` `[bins, units]` as one stretch.
    pub fn whole(values: ArrayView2<'a, f64>) -> Self {
        let runs = std::iter::once(0..values.nrows()).collect();
        Self::new(values, runs)
    }

    /// The stretches `runs` of `values` `[bins, units]`; what lies outside is cut off.
    pub fn new(values: ArrayView2<'a, f64>, runs: Vec<Range<usize>>) -> Self {
        let bins = values.nrows();
        let inside = runs.into_iter().map(|r| r.start.min(bins)..r.end.min(bins)).filter(|r| r.end > r.start);
        Self { runs: inside.collect(), values }
    }

    /// Number of units.
    pub fn units(&self) -> usize {
        self.values.ncols()
    }

    /// Number of bins in all stretches.
    pub fn bins(&self) -> usize {
        self.runs.iter().map(Range::len).sum()
    }

    /// Pairs of bins that lie `lag` apart.
    pub fn n_pairs(&self, lag: usize) -> usize {
        self.runs.iter().map(|r| r.len().saturating_sub(lag)).sum()
    }

    /// All bins of all stretches, `[bins, units]`.
    pub fn rows(&self) -> CowArray<'a, f64, Ix2> {
        self.part(0, 0)
    }

    /// Bins that have one `lag` later, and those later ones: both `[pairs, units]`.
    pub fn pairs(&self, lag: usize) -> (CowArray<'a, f64, Ix2>, CowArray<'a, f64, Ix2>) {
        (self.part(0, lag), self.part(lag, 0))
    }

    /// Every stretch without its first `skip` and last `spare` bins, one after the other.
    fn part(&self, skip: usize, spare: usize) -> CowArray<'a, f64, Ix2> {
        let cut = |run: &Range<usize>| {
            let (from, to) = (run.start + skip, run.end.saturating_sub(spare));
            self.values.slice_axis_move(Axis(0), Slice::from(from.min(to)..to))
        };
        if let [run] = self.runs.as_slice() {
            return cut(run).into();
        }
        let mut all = Array2::zeros((self.n_pairs(skip + spare), self.units()));
        let mut next = 0;
        for run in self.runs.iter().filter(|r| r.len() > skip + spare) {
            let part = cut(run);
            all.slice_axis_mut(Axis(0), Slice::from(next..next + part.nrows())).assign(&part);
            next += part.nrows();
        }
        all.into()
    }
}

/// aᵀ b of `[rows, n]` and `[rows, m]`, `[n, m]`, on all threads.
fn cross(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut product = Array2::zeros((a.ncols(), b.ncols()));
    product.axis_chunks_iter_mut(Axis(0), BLOCK).into_par_iter().enumerate().for_each(|(k, mut rows)| {
        let columns = a.slice_axis(Axis(1), Slice::from(k * BLOCK..k * BLOCK + rows.nrows()));
        general_mat_mul(1.0, &columns.t(), &b, 0.0, &mut rows);
    });
    product
}

/// a b of `[rows, n]` and `[n, m]`, `[rows, m]`, on all threads.
fn product(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    const ROWS: usize = 16 * BLOCK;
    let mut product = Array2::zeros((a.nrows(), b.ncols()));
    product.axis_chunks_iter_mut(Axis(0), ROWS).into_par_iter().enumerate().for_each(|(k, mut rows)| {
        let some = a.slice_axis(Axis(0), Slice::from(k * ROWS..k * ROWS + rows.nrows()));
        general_mat_mul(1.0, &some, &b, 0.0, &mut rows);
    });
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn pairs_stay_in_their_stretch() {
        let values = Array2::from_shape_fn((8, 1), |(t, _)| t as f64);
        let samples = Samples::new(values.view(), vec![0..3, 3..4, 5..99, 7..7]);
        assert_eq!((samples.bins(), samples.n_pairs(1), samples.n_pairs(2), samples.units()), (7, 4, 2, 1));
        let (now, later) = samples.pairs(1);
        assert_eq!((now.column(0).to_vec(), later.column(0).to_vec()), (vec![0.0, 1.0, 5.0, 6.0], vec![1.0, 2.0, 6.0, 7.0]));
        let (now, later) = samples.pairs(2);
        assert_eq!((now.column(0).to_vec(), later.column(0).to_vec()), (vec![0.0, 5.0], vec![2.0, 7.0]));
        assert_eq!(samples.rows().column(0).to_vec(), [0.0, 1.0, 2.0, 3.0, 5.0, 6.0, 7.0]);
        let (now, later) = Samples::whole(values.view()).pairs(9);
        assert_eq!((now.nrows(), later.nrows()), (0, 0));
    }

    #[test]
    fn products_in_blocks_are_products() {
        let a = Array2::from_shape_fn((70, 75), |(i, j)| ((i * 7 + j * 3) % 11) as f64);
        let b = Array2::from_shape_fn((70, 2), |(i, j)| (i + j) as f64);
        assert_eq!(cross(a.view(), b.view()), a.t().dot(&b));
        assert_eq!(product(b.view(), arr2(&[[1.0, 2.0], [3.0, -1.0]]).view()), b.dot(&arr2(&[[1.0, 2.0], [3.0, -1.0]])));
    }
}
