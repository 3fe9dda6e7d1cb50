//! The best rank-1 approximation of a tensor [sending units, basis functions, receiving units]: alternating maximisation
//! (higher-order power iteration; De Lathauwer, De Moor & Vandewalle 2000) from several starts.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::{Array1, Array2, Array3, ArrayView2, Axis};

/// Most rounds of alternating maximisation from one start.
const ROUNDS: usize = 50;
/// A start has converged when a round gains less than this share.
const GAIN: f64 = 1e-7;
/// Rounds of plain power iteration that make a start.
const START_ROUNDS: usize = 20;

/// A tensor `[sources, functions, targets]`.
pub(in crate::analysis) struct Tensor {
    values: Array3<f64>,
}

/// The largest `<Z, u ⊗ h ⊗ v>` found, with unit vectors.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::analysis) struct RankOne {
    pub(in crate::analysis) value: f64,
    /// u, mean not negative.
    pub(in crate::analysis) send: Vec<f64>,
    /// h; carries the sign.
    pub(in crate::analysis) filter: Vec<f64>,
    /// v, mean not negative.
    pub(in crate::analysis) receive: Vec<f64>,
}

impl Tensor {
    pub(in crate::analysis) fn new(values: Array3<f64>) -> Self {
        Self { values }
    }

    /// Starts: the leading left singular vector of the unfolding `[sources, functions · targets]`, and that of the slice of
    /// every basis function. The best end wins. A tensor of zeros gives value 0 and vectors of zeros.
    pub(in crate::analysis) fn rank_one(&self) -> RankOne {
        let (sources, functions, targets) = self.values.dim();
        let mut best = RankOne { value: 0.0, send: vec![0.0; sources], filter: vec![0.0; functions], receive: vec![0.0; targets] };
        let unfolded = self.values.to_shape((sources, functions * targets));
        let mut starts: Vec<Array1<f64>> = unfolded.iter().filter_map(|all| leading(all.view())).collect();
        starts.extend((0..functions).filter_map(|b| leading(self.values.index_axis(Axis(1), b))));
        for start in starts {
            let found = self.climb(start);
            if found.value > best.value {
                best = found;
            }
        }
        best
    }

    /// Alternate: given u the best v and h (a small eigenproblem), given those the best u.
    fn climb(&self, mut send: Array1<f64>) -> RankOne {
        let (sources, functions, targets) = self.values.dim();
        let (mut value, mut filter, mut receive) = (0.0, Array1::zeros(functions), Array1::zeros(targets));
        for _ in 0..ROUNDS {
            let mut projected = Array2::<f64>::zeros((functions, targets));
            for (&u, slice) in send.iter().zip(self.values.axis_iter(Axis(0))) {
                projected.scaled_add(u, &slice);
            }
            filter = leading_left(&projected);
            receive = filter.dot(&projected);
            normalise(&mut receive);
            send = Array1::from_shape_fn(sources, |m| filter.dot(&self.values.index_axis(Axis(0), m).dot(&receive)));
            let reached = normalise(&mut send);
            let gained = reached - value;
            value = reached;
            if gained <= GAIN * value {
                break;
            }
        }
        for weights in [&mut send, &mut receive] {
            if weights.sum() < 0.0 {
                *weights *= -1.0;
                filter *= -1.0;
            }
        }
        RankOne { value, send: send.to_vec(), filter: filter.to_vec(), receive: receive.to_vec() }
    }
}

/// Approximate leading left singular vector, by power iteration from the largest row; `None` for a matrix of zeros.
fn leading(matrix: ArrayView2<'_, f64>) -> Option<Array1<f64>> {
    let largest = matrix.axis_iter(Axis(0)).max_by(|a, b| a.dot(a).total_cmp(&b.dot(b)))?;
    let mut left = matrix.dot(&largest);
    for _ in 0..START_ROUNDS {
        if normalise(&mut left) == 0.0 {
            return None;
        }
        left = matrix.dot(&matrix.t().dot(&left));
    }
    (normalise(&mut left) > 0.0).then_some(left)
}

/// Leading left singular vector of a matrix with few rows, from the eigenvectors of its small Gram matrix.
fn leading_left(matrix: &Array2<f64>) -> Array1<f64> {
    let gram = matrix.dot(&matrix.t());
    let n = gram.nrows();
    let eigen = SymmetricEigen::new(DMatrix::from_fn(n, n, |i, j| gram[[i, j]]));
    let largest = (0..n).max_by(|&a, &b| eigen.eigenvalues[a].total_cmp(&eigen.eigenvalues[b])).unwrap_or(0);
    Array1::from_shape_fn(n, |i| eigen.eigenvectors[(i, largest)])
}

/// Scale to unit Euclidean norm and return the norm it had; zeros stay zeros.
fn normalise(vector: &mut Array1<f64>) -> f64 {
    let norm = vector.dot(vector).sqrt();
    if norm > 0.0 {
        *vector /= norm;
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    fn noise(shape: (usize, usize, usize), seed: u64) -> Array3<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        Array3::from_shape_fn(shape, |_| random.sample(StandardNormal))
    }

    #[test]
    fn a_planted_rank_one_tensor_is_found() {
        let (u, h, v) = ([0.6, 0.8, 0.0, 0.0], [-0.6, 0.0, 0.8], [0.0, 1.0, 0.0, 0.0, 0.0]);
        let planted = Array3::from_shape_fn((4, 3, 5), |(m, b, n)| 30.0 * u[m] * h[b] * v[n]) + 0.01 * noise((4, 3, 5), 3);
        let found = Tensor::new(planted).rank_one();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        assert!((found.value - 30.0).abs() < 0.1);
        assert!(dot(&found.send, &u) > 0.999 && dot(&found.filter, &h) > 0.999 && dot(&found.receive, &v) > 0.999);
    }

    #[test]
    fn the_value_is_that_of_the_vectors_and_no_random_direction_is_better() {
        let values = noise((12, 3, 9), 5);
        let found = Tensor::new(values.clone()).rank_one();
        let at = |u: &[f64], h: &[f64], v: &[f64]| values.indexed_iter().map(|((m, b, n), z)| z * u[m] * h[b] * v[n]).sum::<f64>();
        assert!((at(&found.send, &found.filter, &found.receive) - found.value).abs() < 1e-9);
        // A local maximum: one vector at a time, nothing nearby is better.
        let mut random = ChaCha8Rng::seed_from_u64(6);
        for _ in 0..200 {
            let mut near = Array1::from(found.send.clone()).mapv(|u| u + 0.1 * random.sample::<f64, _>(StandardNormal));
            normalise(&mut near);
            assert!(at(&near.to_vec(), &found.filter, &found.receive) <= found.value + 1e-9);
        }
        assert!(found.value > values.iter().fold(0.0_f64, |a, z| a.max(z.abs())), "better than any single entry");
    }

    #[test]
    fn zeros_give_zero() {
        let found = Tensor::new(Array3::zeros((3, 2, 4))).rank_one();
        assert_eq!((found.value, found.send), (0.0, vec![0.0; 3]));
    }
}
