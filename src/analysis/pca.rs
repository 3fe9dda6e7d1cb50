//! Principal components of a cloud of points, for showing many-dimensional latents in the plane.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::{Array1, Array2, ArrayView2, Axis};

/// Most iterations of the eigenvalue solver.
const ITERATIONS: usize = 10_000;

/// Points along their first principal components.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    /// Coordinates `[rows, components]`, mean zero.
    pub points: Array2<f64>,
    /// Unit direction of every component `[components, dimensions]`; its largest entry is positive.
    pub directions: Array2<f64>,
    /// Mean of the points `[dimensions]`.
    pub mean: Array1<f64>,
    /// Share of the whole variance that every component explains, 0 to 1, largest first.
    pub explained: Vec<f64>,
}

/// The first `components` principal components of `rows` `[rows, dimensions]`. Components that do not exist (more components
/// than dimensions) have direction, coordinates and share 0. `None` without two rows or when a value is not finite.
///
/// The same points always give the same picture: the sign of a direction is that which makes its largest entry positive. With
/// directions from `before` `[components, dimensions]` it is that which lies closer to them, so that a live picture does not
/// flip over.
pub fn pca(rows: ArrayView2<'_, f64>, components: usize, before: Option<ArrayView2<'_, f64>>) -> Option<Pca> {
    let (n, dimensions) = rows.dim();
    if n < 2 || rows.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let mean = rows.mean_axis(Axis(0))?;
    let centred = &rows - &mean;
    let covariance = centred.t().dot(&centred) / n as f64;
    let eigen = SymmetricEigen::try_new(DMatrix::from_fn(dimensions, dimensions, |i, j| covariance[[i, j]]), 1e-14, ITERATIONS)?;
    let mut order: Vec<usize> = (0..dimensions).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let total: f64 = eigen.eigenvalues.iter().map(|v| v.max(0.0)).sum();
    let mut directions = Array2::zeros((components, dimensions));
    let mut explained = vec![0.0; components];
    let before = before.filter(|b| b.ncols() == dimensions);
    for (component, ((mut direction, share), &index)) in directions.axis_iter_mut(Axis(0)).zip(&mut explained).zip(&order).enumerate() {
        let vector = eigen.eigenvectors.column(index);
        let same = before.filter(|b| component < b.nrows()).map(|b| b.row(component).iter().zip(vector.iter()).map(|(a, b)| a * b).sum());
        let sign = if same.filter(|s| *s != 0.0).unwrap_or_else(|| largest(vector.iter().copied())) < 0.0 { -1.0 } else { 1.0 };
        direction.iter_mut().zip(vector.iter()).for_each(|(to, x)| *to = sign * x);
        *share = if total > 0.0 { eigen.eigenvalues[index].max(0.0) / total } else { 0.0 };
    }
    Some(Pca { points: centred.dot(&directions.t()), directions, mean, explained })
}

/// The entry with the largest absolute value; of nearly equal ones the first, so that rounding does not decide.
fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |best: f64, x| if x.abs() > best.abs() * (1.0 + 1e-9) { x } else { best })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    /// A cloud with standard deviations 3, 1 and 0.1 along three known directions, around (10, -5, 2).
    fn cloud() -> (Array2<f64>, Array2<f64>) {
        let directions = ndarray::arr2(&[[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]]);
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let scores = Array2::from_shape_fn((4000, 3), |(_, k)| [3.0, 1.0, 0.1][k] * random.sample::<f64, _>(StandardNormal));
        (scores.dot(&directions) + ndarray::arr1(&[10.0, -5.0, 2.0]), directions)
    }

    #[test]
    fn directions_shares_and_mean_are_found() {
        let (rows, directions) = cloud();
        let found = pca(rows.view(), 2, None).unwrap();
        assert!((found.directions.row(0).dot(&directions.row(0)) + 1.0).abs() < 1e-3, "largest entry made positive");
        assert!((found.directions.row(1).dot(&directions.row(1)) - 1.0).abs() < 1e-3);
        assert!((found.explained[0] - 9.0 / 10.01).abs() < 0.01 && (found.explained[1] - 1.0 / 10.01).abs() < 0.01);
        assert!((found.mean[0] - 10.0).abs() < 0.1);
        let variance = |k: usize| found.points.column(k).mapv(|x| x * x).mean().unwrap();
        assert!((variance(0) - 9.0).abs() < 0.5 && (variance(1) - 1.0).abs() < 0.1);
        assert!(found.points.column(0).dot(&found.points.column(1)).abs() < 1e-6 * 4000.0);
    }

    #[test]
    fn mirrored_axes_of_the_solver_do_not_flip_the_picture() {
        let (rows, _) = cloud();
        let found = pca(rows.view(), 3, None).unwrap();
        for direction in found.directions.axis_iter(Axis(0)) {
            assert!(largest(direction.iter().copied()) > 0.0);
        }
        assert_eq!(found, pca(rows.view(), 3, None).unwrap());
    }

    #[test]
    fn signs_follow_the_directions_before() {
        let (rows, _) = cloud();
        let first = pca(rows.view(), 2, None).unwrap();
        let turned = pca(rows.view(), 2, Some(first.directions.mapv(|x| -x).view())).unwrap();
        assert!(turned.points.iter().zip(&first.points).all(|(a, b)| (a + b).abs() < 1e-9));
        let others = Array2::ones((2, 7));
        assert_eq!(pca(rows.view(), 2, Some(others.view())).unwrap(), first, "directions of another model say nothing");
    }

    #[test]
    fn too_little_to_work_with_is_none_and_missing_components_are_zero() {
        assert_eq!(pca(Array2::zeros((1, 3)).view(), 2, None), None);
        assert_eq!(pca(ndarray::arr2(&[[1.0], [f64::NAN]]).view(), 2, None), None);
        let line = pca(ndarray::arr2(&[[1.0], [3.0]]).view(), 2, None).unwrap();
        assert_eq!((line.points.column(1).to_vec(), line.explained.clone()), (vec![0.0, 0.0], vec![1.0, 0.0]));
        let point = pca(Array2::ones((5, 2)).view(), 2, None).unwrap();
        assert_eq!((point.explained, point.points), (vec![0.0, 0.0], Array2::zeros((5, 2))));
    }
}
