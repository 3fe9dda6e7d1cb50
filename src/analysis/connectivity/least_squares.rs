//! Linear regression by ordinary least squares, and the autoregression x(t+1) = A x(t) that serves as a baseline.
//!
//! Solved through the Gram matrix of scaled columns (one pass over the data), refined where it is ill-conditioned. Columns that
//! add nothing get coefficient 0 (or the smallest coefficients, where several say the same).

use nalgebra::{Cholesky, DMatrix, Dyn, SymmetricEigen};
use ndarray::{Array1, Array2, ArrayView2, Axis, Slice};

use super::{Samples, cross, product};

/// A pivot of the scaled Gram matrix below this asks for refinement.
const REFINE: f64 = 1e-2;
/// A pivot below this makes columns count as dependent.
const DEPENDENT: f64 = 1e-7;
/// Rounds of refinement.
const ROUNDS: usize = 2;

/// A linear map from features to targets.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearFit {
    /// Coefficients `[targets, features]`.
    pub weights: Array2<f64>,
    /// Added to every target; 0 when fitted without.
    pub intercept: Array1<f64>,
}

impl LinearFit {
    /// Predicted targets `[samples, targets]` of features `[samples, features]`.
    pub fn predict(&self, features: ArrayView2<'_, f64>) -> Array2<f64> {
        product(features, self.weights.t()) + &self.intercept
    }
}

/// Fit targets `[samples, targets]` by features `[samples, features]`, with or without intercept.
pub fn least_squares(features: ArrayView2<'_, f64>, targets: ArrayView2<'_, f64>, intercept: bool) -> LinearFit {
    if !intercept {
        let weights = solve(features, targets);
        return LinearFit { intercept: Array1::zeros(weights.nrows()), weights };
    }
    let mean = |values: ArrayView2<'_, f64>| values.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(values.ncols()));
    let (x, y) = (mean(features), mean(targets));
    let weights = solve((&features - &x).view(), (&targets - &y).view());
    LinearFit { intercept: y - weights.dot(&x), weights }
}

/// The autoregression of one bin: `weights` is A `[receiving, sending]`. With `inputs` `[bins, inputs]` (what arrives in the
/// predicted bin), their coefficients follow in further columns.
pub fn autoregression(samples: &Samples<'_>, inputs: Option<ArrayView2<'_, f64>>, intercept: bool) -> LinearFit {
    let (before, now) = samples.pairs(1);
    match inputs {
        None => least_squares(before.view(), now.view(), intercept),
        Some(inputs) => {
            let arriving = Samples::new(inputs, samples.runs.clone());
            let (_, arriving) = arriving.pairs(1);
            let mut features = Array2::zeros((before.nrows(), before.ncols() + arriving.ncols()));
            features.slice_axis_mut(Axis(1), Slice::from(..before.ncols())).assign(&before);
            features.slice_axis_mut(Axis(1), Slice::from(before.ncols()..)).assign(&arriving);
            least_squares(features.view(), now.view(), intercept)
        }
    }
}

/// The last `history` bins as features `[samples, history · units]` (newest first), and the bin after them `[samples, units]`.
pub fn lagged(samples: &Samples<'_>, history: usize) -> (Array2<f64>, Array2<f64>) {
    let units = samples.units();
    let mut features = Array2::zeros((samples.n_pairs(history), history * units));
    for lag in 1..=history {
        // The bins `lag` before each target: without the first `history - lag` and the last `lag` of every stretch.
        let part = samples.part(history - lag, lag);
        features.slice_axis_mut(Axis(1), Slice::from((lag - 1) * units..lag * units)).assign(&part);
    }
    (features, samples.part(history, 0).into_owned())
}

/// Coefficients `[targets, features]` without intercept.
fn solve(features: ArrayView2<'_, f64>, targets: ArrayView2<'_, f64>) -> Array2<f64> {
    let gram = cross(features, features);
    let norms: Vec<f64> = gram.diag().iter().map(|d| d.sqrt()).collect();
    let used: Vec<usize> = (0..norms.len()).filter(|&k| norms.get(k).is_some_and(|n| *n > 0.0 && n.is_finite())).collect();
    let scaled = DMatrix::from_fn(used.len(), used.len(), |i, j| gram[[used[i], used[j]]] / (norms[used[i]] * norms[used[j]]));
    let solver = Solver::new(scaled);
    let mut weights = Array2::zeros((norms.len(), targets.ncols()));
    let add = |weights: &mut Array2<f64>, moment: Array2<f64>| {
        let right = DMatrix::from_fn(used.len(), moment.ncols(), |i, k| moment[[used[i], k]] / norms[used[i]]);
        let solved = solver.solve(right);
        for (i, &feature) in used.iter().enumerate() {
            for (k, weight) in weights.row_mut(feature).iter_mut().enumerate() {
                *weight += solved[(i, k)] / norms[feature];
            }
        }
    };
    add(&mut weights, cross(features, targets));
    for _ in 0..if solver.wants_refinement() { ROUNDS } else { 0 } {
        let residual = &targets - &product(features, weights.view());
        add(&mut weights, cross(features, residual.view()));
    }
    weights.reversed_axes()
}

/// How the scaled Gram matrix is inverted.
enum Solver {
    Triangular {
        factor: Cholesky<f64, Dyn>,
        smallest: f64,
    },
    /// Eigenvectors with the inverse of their eigenvalue, 0 for directions without variance.
    Spectral {
        vectors: DMatrix<f64>,
        inverse: Vec<f64>,
    },
}

impl Solver {
    fn new(gram: DMatrix<f64>) -> Self {
        if let Some(factor) = Cholesky::new(gram.clone()) {
            let smallest = factor.l_dirty().diagonal().iter().fold(f64::INFINITY, |a, b| a.min(*b));
            if smallest > DEPENDENT {
                return Self::Triangular { factor, smallest };
            }
        }
        let eigen = SymmetricEigen::new(gram);
        let largest = eigen.eigenvalues.iter().fold(0.0_f64, |a, b| a.max(*b));
        let least = largest * DEPENDENT.powi(2) * eigen.eigenvalues.len() as f64;
        let inverse = eigen.eigenvalues.iter().map(|v| if *v > least { 1.0 / v } else { 0.0 }).collect();
        Self::Spectral { vectors: eigen.eigenvectors, inverse }
    }

    fn solve(&self, right: DMatrix<f64>) -> DMatrix<f64> {
        match self {
            Self::Triangular { factor, .. } => factor.solve(&right),
            Self::Spectral { vectors, inverse } => {
                let mut parts = vectors.transpose() * right;
                for (mut row, inverse) in parts.row_iter_mut().zip(inverse) {
                    row *= *inverse;
                }
                vectors * parts
            }
        }
    }

    fn wants_refinement(&self) -> bool {
        matches!(self, Self::Triangular { smallest, .. } if *smallest < REFINE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::connectivity::{Pairs, pearson, r_squared, score};
    use crate::simulate::{ToySimulation, ToySystem, reference::netformer};

    /// The published baseline: x[7..2407] to x[8..2408] of the toy systems.
    #[test]
    fn the_toy_systems_give_the_reference_matrices() {
        let systems = [
            (ToySystem::LinearStatic, "linear_static", 1.0, 0.999_997),
            (ToySystem::TanhStatic, "tanh_static", 0.9068, 0.8941),
            (ToySystem::LinearDynamic, "linear_dynamic", 0.9353, 0.8827),
            (ToySystem::TanhDynamic, "tanh_dynamic", 0.6496, 0.6817),
        ];
        for (system, name, spearman, pearson) in systems {
            let simulation = ToySimulation { system, ..ToySimulation::default() };
            let (states, _) = simulation.path();
            let train = states.slice_axis(Axis(0), Slice::from(7..2408));
            let fit = autoregression(&Samples::whole(train), None, false);
            let expected: Array2<f64> = netformer(&format!("toy/{name}/ols"));
            for (own, expected) in fit.weights.iter().zip(&expected) {
                assert!((own - expected).abs() < 1e-7, "{name}: {own} instead of {expected}");
            }
            let weights: Array2<f64> = netformer(&format!("toy/{name}/W_test_mean"));
            let found = score(fit.weights.view(), weights.view(), Pairs::Others);
            assert!((found.spearman - spearman).abs() < 6e-4 && (found.pearson - pearson).abs() < 6e-4, "{name}: {found:?}");
            let test = Samples::whole(states.slice_axis(Axis(0), Slice::from(2407..3008)));
            let (before, now) = test.pairs(1);
            assert!(r_squared(fit.predict(before.view()).view(), now.view()) > 0.9997, "{name}");
        }
    }

    fn noise(rows: usize, columns: usize) -> Array2<f64> {
        Array2::from_shape_fn((rows, columns), |(t, u)| ((t * 7919 + u * 104_729 + t * t * (u + 1)) % 997) as f64 / 997.0 - 0.5)
    }

    #[test]
    fn intercepts_inputs_and_histories_are_found() {
        let (x, inputs) = (noise(400, 3), noise(400, 2));
        let truth = Array2::from_shape_fn((3, 3), |(i, j)| (i as f64 - j as f64) / 4.0);
        let mut y = Array2::zeros((400, 3));
        for t in 1..400 {
            let now = truth.dot(&x.row(t - 1)) + 0.7 * inputs[[t, 1]] + 2.0;
            y.row_mut(t).assign(&now);
        }
        // Targets follow from the features exactly: regress them on x and the inputs that arrive with them.
        let mut features = Array2::zeros((399, 5));
        features.slice_axis_mut(Axis(1), Slice::from(..3)).assign(&x.slice_axis(Axis(0), Slice::from(..399)));
        features.slice_axis_mut(Axis(1), Slice::from(3..)).assign(&inputs.slice_axis(Axis(0), Slice::from(1..)));
        let targets = y.slice_axis(Axis(0), Slice::from(1..));
        let fit = least_squares(features.view(), targets, true);
        assert!((&fit.weights.slice_axis(Axis(1), Slice::from(..3)) - &truth).iter().all(|d| d.abs() < 1e-9));
        assert!(fit.intercept.iter().all(|b| (b - 2.0).abs() < 1e-9) && fit.weights.column(4).iter().all(|w| (w - 0.7).abs() < 1e-9));
        assert!((&fit.predict(features.view()) - &targets).iter().all(|d| d.abs() < 1e-9));
        let with_inputs = autoregression(&Samples::new(x.view(), vec![0..200, 200..400]), Some(inputs.view()), true);
        assert_eq!(with_inputs.weights.dim(), (3, 5));
        let (features, targets) = lagged(&Samples::new(x.view(), vec![0..10, 10..14]), 3);
        assert_eq!((features.dim(), targets.dim()), ((8, 9), (8, 3)));
        assert_eq!(
            (targets[[7, 0]], features[[7, 0]], features[[7, 3]], features[[7, 8]]),
            (x[[13, 0]], x[[12, 0]], x[[11, 0]], x[[10, 2]])
        );
        assert_eq!((targets[[6, 0]], features[[6, 6]]), (x[[9, 0]], x[[6, 0]]));
    }

    #[test]
    fn silent_and_repeated_columns_do_no_harm() {
        let mut x = noise(300, 4);
        x.column_mut(1).fill(0.0);
        let copy = x.column(0).to_owned();
        x.column_mut(3).assign(&copy);
        let targets = Array2::from_shape_fn((300, 1), |(t, _)| 3.0 * x[[t, 0]] - x[[t, 2]]);
        let fit = least_squares(x.view(), targets.view(), false);
        let weights: Vec<f64> = fit.weights.iter().copied().collect();
        assert!(weights[1] == 0.0 && (weights[2] + 1.0).abs() < 1e-6, "{weights:?}");
        assert!((weights[0] - 1.5).abs() < 1e-6 && (weights[3] - 1.5).abs() < 1e-6, "copies share the effect: {weights:?}");
        let none = least_squares(Array2::zeros((0, 2)).view(), Array2::zeros((0, 2)).view(), true);
        assert_eq!(none.weights, Array2::<f64>::zeros((2, 2)));
        assert!((pearson(&[1.0, 2.0], &[2.0, 4.0]) - 1.0).abs() < 1e-12);
    }
}
