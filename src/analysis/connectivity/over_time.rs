//! Matrices of connections at many times: how alike they are, in which directions they move, and the modes of one of them.

use nalgebra::linalg::Schur;
use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::{Array2, ArrayView2, Axis};

/// Most iterations of the eigenvalue solvers.
const ITERATIONS: usize = 20_000;

/// Times `[times, entries]` along the directions in which they vary most.
#[derive(Debug, Clone, PartialEq)]
pub struct TimePca {
    /// Coordinates `[times, components]`.
    pub points: Array2<f64>,
    /// Share of the variance over time that each component explains, 0 to 1, largest first.
    pub explained: Vec<f64>,
}

/// The entries of a matrix as one row, without its diagonal (entries of a unit with itself).
pub fn off_diagonal(matrix: ArrayView2<'_, f32>) -> Vec<f32> {
    matrix.indexed_iter().filter(|((row, column), _)| row != column).map(|(_, v)| *v).collect()
}

/// Pearson correlation between the entries at any two times, `[times, times]`, of `rows` `[times, entries]`; NaN where the entries at
/// a time are all the same.
pub fn similarity(rows: ArrayView2<'_, f32>) -> Array2<f32> {
    let entries = rows.ncols().max(1) as f64;
    let mut unit = rows.mapv(f64::from);
    for mut row in unit.axis_iter_mut(Axis(0)) {
        let mean = row.sum() / entries;
        row -= mean;
        let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        row.mapv_inplace(|v| if norm > 0.0 { v / norm } else { f64::NAN });
    }
    unit.dot(&unit.t()).mapv(|v| v as f32)
}

/// Principal components of times `[times, entries]`, of which there are usually far fewer than entries: from the products of times
/// with times. `None` with fewer than three times, or when a value is not finite. The largest coordinate of a component is positive.
pub fn pca_of_times(rows: ArrayView2<'_, f32>, components: usize) -> Option<TimePca> {
    let times = rows.nrows();
    if times < 3 || rows.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let mut centred = rows.mapv(f64::from);
    let mean = centred.mean_axis(Axis(0))?;
    centred -= &mean;
    let products = centred.dot(&centred.t());
    let eigen = SymmetricEigen::try_new(DMatrix::from_fn(times, times, |i, j| products[[i, j]]), 1e-13, ITERATIONS)?;
    let mut order: Vec<usize> = (0..times).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let total: f64 = eigen.eigenvalues.iter().map(|v| v.max(0.0)).sum();
    let mut points = Array2::zeros((times, components));
    let mut explained = vec![0.0; components];
    for ((mut column, share), &index) in points.columns_mut().into_iter().zip(&mut explained).zip(&order) {
        let (value, vector) = (eigen.eigenvalues[index].max(0.0), eigen.eigenvectors.column(index));
        let largest = vector.iter().fold(0.0, |best: f64, &v| if v.abs() > best.abs() * (1.0 + 1e-9) { v } else { best });
        let scale = if largest < 0.0 { -value.sqrt() } else { value.sqrt() };
        column.iter_mut().zip(vector.iter()).for_each(|(to, v)| *to = scale * v);
        *share = if total > 0.0 { value / total } else { 0.0 };
    }
    Some(TimePca { points, explained })
}

/// Eigenvalues (real and imaginary part) of a square matrix, largest magnitude first; `None` when it is not square or not finite, or
/// when they are not found.
pub fn eigenvalues(matrix: ArrayView2<'_, f64>) -> Option<Vec<(f64, f64)>> {
    let (rows, columns) = matrix.dim();
    if rows != columns || rows == 0 || matrix.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let schur = Schur::try_new(DMatrix::from_fn(rows, columns, |i, j| matrix[[i, j]]), 1e-12, ITERATIONS.max(60 * rows))?;
    let mut values: Vec<(f64, f64)> = schur.complex_eigenvalues().iter().map(|v| (v.re, v.im)).collect();
    values.sort_by(|a, b| b.0.hypot(b.1).total_cmp(&a.0.hypot(a.1)));
    Some(values)
}

/// How much of the attention at many times is the same at all of them (definition in `docs/validation.md`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StaticParts {
    /// Share of the mean square of entries that their mean over time explains, 0 to 1.
    pub fixed: f64,
    /// Share of the square of that mean which lies along the attention that identities alone give, 0 to 1.
    pub of_identity: f64,
}

/// Take attention apart: `rows` `[times, entries]`, and `identity` what the learned identities alone give for the same entries. NaN
/// where everything is 0.
pub fn static_parts(rows: ArrayView2<'_, f32>, identity: &[f32]) -> StaticParts {
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    let times = rows.nrows().max(1) as f64;
    let mean: Vec<f64> = rows.columns().into_iter().map(|c| c.iter().map(|&v| f64::from(v)).sum::<f64>() / times).collect();
    let all = square(&mut rows.iter().map(|&v| f64::from(v))) / times;
    let of_mean = square(&mut mean.iter().copied());
    let along: f64 = mean.iter().zip(identity).map(|(m, i)| m * f64::from(*i)).sum();
    let of_identity = square(&mut identity.iter().map(|&v| f64::from(v)));
    StaticParts { fixed: of_mean / all, of_identity: along * along / (of_mean * of_identity) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ndarray::{arr2, array};

    /// Times on an ellipse in the space of many entries.
    fn ellipse() -> Array2<f32> {
        Array2::from_shape_fn((40, 300), |(t, k)| {
            let angle = t as f32 / 40.0 * std::f32::consts::TAU;
            let direction = if k < 150 { 3.0 * angle.cos() } else { angle.sin() };
            5.0 + (k % 7) as f32 + direction
        })
    }

    #[test]
    fn times_on_an_ellipse_are_found_in_the_plane() {
        let found = pca_of_times(ellipse().view(), 3).unwrap();
        assert!(
            (found.explained[0] - 0.9).abs() < 1e-6 && (found.explained[1] - 0.1).abs() < 1e-6 && found.explained[2] < 1e-9,
            "{found:?}"
        );
        // Distances between times are those in the full space.
        let apart = |a: usize, b: usize| (0..2).map(|c| (found.points[[a, c]] - found.points[[b, c]]).powi(2)).sum::<f64>();
        let rows = ellipse();
        let whole = |a: usize, b: usize| rows.row(a).iter().zip(rows.row(b)).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>();
        for (a, b) in [(0, 20), (3, 17), (5, 6)] {
            assert!((apart(a, b) - whole(a, b)).abs() < 1e-3 * whole(a, b).max(1.0));
        }
        assert_eq!(pca_of_times(ellipse().slice_axis(Axis(0), (0..2).into()), 2), None);
        assert_eq!(pca_of_times(Array2::from_elem((5, 2), f32::NAN).view(), 2), None);
        assert_eq!(pca_of_times(Array2::ones((5, 2)).view(), 2).unwrap().explained, [0.0, 0.0]);
    }

    #[test]
    fn similarity_is_the_correlation_of_entries() {
        let found = similarity(arr2(&[[1.0_f32, 2.0, 3.0], [2.0, 4.0, 6.0], [3.0, 2.0, 1.0], [1.0, 1.0, 1.0]]).view());
        assert!((found[[0, 1]] - 1.0).abs() < 1e-6 && (found[[0, 2]] + 1.0).abs() < 1e-6 && found[[3, 0]].is_nan());
        assert_eq!(off_diagonal(arr2(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).view()), [2.0, 3.0, 4.0, 6.0]);
    }

    #[test]
    fn a_rotation_has_eigenvalues_on_a_circle() {
        let (sin, cos) = 0.4_f64.sin_cos();
        let found = eigenvalues(arr2(&[[2.0 * cos, -2.0 * sin, 0.0], [2.0 * sin, 2.0 * cos, 0.0], [1.0, 5.0, -0.5]]).view()).unwrap();
        assert!((found[0].0 - 2.0 * cos).abs() < 1e-9 && (found[0].1.abs() - 2.0 * sin).abs() < 1e-9);
        assert!((found[2].0 + 0.5).abs() < 1e-9 && found[2].1 == 0.0);
        assert_eq!(eigenvalues(Array2::zeros((2, 3)).view()), None);
        assert_eq!(eigenvalues(arr2(&[[f64::NAN]]).view()), None);
        // The toy system of the paper (spec §4a).
        let toy = crate::simulate::ToySimulation::default().simulate().unwrap().truth.unwrap().unit_weights(5).unwrap();
        let magnitude = eigenvalues(toy.view()).unwrap()[0];
        assert!(magnitude.0.abs() < 1e-6 && (magnitude.1.abs() - 1.6444).abs() < 1e-3, "{magnitude:?}");
    }

    #[test]
    fn attention_is_taken_apart() {
        let parts = static_parts(array![[3.0_f32, 0.0], [3.0, 2.0], [3.0, -2.0], [3.0, 0.0]].view(), &[3.0, 4.0]);
        assert!((parts.fixed - 9.0 / 11.0).abs() < 1e-9 && (parts.of_identity - 9.0 / 25.0).abs() < 1e-9, "{parts:?}");
        assert!(static_parts(Array2::zeros((2, 2)).view(), &[0.0, 0.0]).fixed.is_nan());
    }
}
