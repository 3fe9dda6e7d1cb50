//! The best rank-1 approximation of a tensor [sending units, basis functions, receiving units]: alternating maximisation
//! (higher-order power iteration; De Lathauwer, De Moor & Vandewalle 2000) from several starts.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::{Array1, Array2, Array3, ArrayView1, ArrayView2, Axis};

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

    /// What is left when a factor that was found is taken out.
    pub(in crate::analysis) fn without(&self, factor: &RankOne) -> Self {
        let mut values = self.values.clone();
        for ((m, b, n), z) in values.indexed_iter_mut() {
            let at = |list: &[f64], k: usize| list.get(k).copied().unwrap_or(0.0);
            *z -= factor.value * at(&factor.send, m) * at(&factor.filter, b) * at(&factor.receive, n);
        }
        Self { values }
    }

    /// With the part along a unit vector of the senders (`axis` 0) or receivers (2) reduced to the share `left`.
    pub(super) fn weakened(&self, axis: usize, direction: &[f64], left: f64) -> Self {
        let direction = ArrayView1::from(direction);
        let mut values = self.values.clone();
        for mut fibre in values.lanes_mut(Axis(axis)) {
            let along = fibre.dot(&direction);
            fibre.scaled_add(-(1.0 - left) * along, &direction);
        }
        Self { values }
    }

    /// With the part along unit vectors of senders and receivers at once moved by the share `moved` to `wanted`, one value per function.
    pub(super) fn with_common(&self, send: &[f64], receive: &[f64], wanted: &[f64], moved: f64) -> Self {
        let (send, receive) = (ArrayView1::from(send), ArrayView1::from(receive));
        let mut values = self.values.clone();
        for (mut slice, wanted) in values.axis_iter_mut(Axis(1)).zip(wanted) {
            let change = moved * (wanted - send.dot(&slice.dot(&receive)));
            slice.indexed_iter_mut().for_each(|((m, n), z)| *z += change * send[m] * receive[n]);
        }
        Self { values }
    }

    /// Unit vector of what a filter and the weights of the other side explain of the senders (`axis` 0) or receivers (2).
    pub(super) fn explained(&self, axis: usize, filter: &[f64], other: &[f64]) -> Vec<f64> {
        let (filter, other) = (ArrayView1::from(filter), ArrayView1::from(other));
        let of = |slice: ArrayView2<'_, f64>| match axis {
            0 => filter.dot(&slice.dot(&other)),
            _ => other.dot(&slice.dot(&filter)),
        };
        let mut weights: Array1<f64> = self.values.axis_iter(Axis(axis)).map(of).collect();
        normalise(&mut weights);
        weights.to_vec()
    }

    /// Alternate: given u the best v and h (a small eigenproblem), given those the best u.
    pub(super) fn climb(&self, mut send: Array1<f64>) -> RankOne {
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
        RankOne { value, send: send.to_vec(), filter: filter.to_vec(), receive: receive.to_vec() }.upright()
    }
}

impl RankOne {
    /// The same factor with weights whose means are not negative; the filter carries the sign.
    pub(super) fn upright(mut self) -> Self {
        for weights in [&mut self.send, &mut self.receive] {
            if weights.iter().sum::<f64>() < 0.0 {
                weights.iter_mut().for_each(|w| *w *= -1.0);
                self.filter.iter_mut().for_each(|h| *h *= -1.0);
            }
        }
        self
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
pub(super) fn normalise(vector: &mut Array1<f64>) -> f64 {
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
    fn a_second_factor_is_found_when_the_first_is_taken_out() {
        let (u, h, v) = ([0.6, 0.8, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]);
        let (w, g, x) = ([0.0, 0.0, 0.6, 0.8], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]);
        let planted = Array3::from_shape_fn((4, 3, 3), |(m, b, n)| 30.0 * u[m] * h[b] * v[n] + 12.0 * w[m] * g[b] * x[n]);
        let tensor = Tensor::new(planted + 0.01 * noise((4, 3, 3), 4));
        let first = tensor.rank_one();
        let second = tensor.without(&first).rank_one();
        assert!((first.value - 30.0).abs() < 0.1 && (second.value - 12.0).abs() < 0.1);
        assert!(second.send[3] > 0.75 && second.receive[2] > 0.99);
    }

    #[test]
    fn zeros_give_zero() {
        let found = Tensor::new(Array3::zeros((3, 2, 4))).rank_one();
        assert_eq!((found.value, found.send), (0.0, vec![0.0; 3]));
    }
}
