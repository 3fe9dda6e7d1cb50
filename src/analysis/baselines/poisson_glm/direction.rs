//! In which direction a unit's parameters move: L-BFGS around a fixed curvature (Nocedal & Wright 2006, algorithm 7.4), or, with a
//! group lasso, the minimum of the penalised quadratic model (proximal Newton with block coordinate descent).

use std::collections::VecDeque;
use std::sync::Arc;

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};
use ndarray::Array1;

/// Steps that L-BFGS remembers.
const MEMORY: usize = 12;
/// Most sweeps over all blocks.
const SWEEPS: usize = 200;

/// Curvature of the coefficients of units of about the same rate: that of the population's mean rate, scaled, and penalties.
pub(super) struct Metric {
    matrix: DMatrix<f64>,
    factor: Option<Cholesky<f64, Dyn>>,
}

impl Metric {
    pub(super) fn new(matrix: DMatrix<f64>) -> Self {
        let factor = Cholesky::new(matrix.clone());
        Self { matrix, factor }
    }
}

/// Curvature of one unit, and what its steps have taught about it.
pub(super) struct Curvature {
    metric: Arc<Metric>,
    /// Of the trial gains.
    gains: Array1<f64>,
    memory: VecDeque<(Array1<f64>, Array1<f64>)>,
}

/// Blocks of the group lasso: the coefficients before them are free, then `size` of every group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Groups {
    pub(super) free: usize,
    pub(super) size: usize,
    /// Weight of one group's norm.
    pub(super) weight: f64,
}

impl Curvature {
    pub(super) fn new(metric: Arc<Metric>, gains: Array1<f64>) -> Self {
        Self { metric, gains, memory: VecDeque::new() }
    }

    /// The inverse curvature times a vector of coefficients and gains.
    fn solve(&self, vector: &Array1<f64>) -> Array1<f64> {
        let width = self.metric.matrix.nrows();
        let head = DVector::from_iterator(width, vector.iter().take(width).copied());
        let solved = match &self.metric.factor {
            Some(factor) => factor.solve(&head),
            // Not positive definite by rounding: steepest descent, scaled.
            None => head.component_div(&self.metric.matrix.diagonal().map(|d| d.max(1e-12))),
        };
        let tail = vector.iter().skip(width).zip(&self.gains).map(|(g, h)| g / h);
        solved.iter().copied().chain(tail).collect()
    }

    /// Where to go from here, and how much of the objective that promises.
    pub(super) fn descend(&self, gradient: &Array1<f64>) -> (Array1<f64>, f64) {
        let mut q = gradient.clone();
        let mut shares = Vec::with_capacity(self.memory.len());
        for (s, y) in self.memory.iter().rev() {
            let share = s.dot(&q) / s.dot(y);
            q.scaled_add(-share, y);
            shares.push(share);
        }
        let mut r = self.solve(&q);
        for ((s, y), share) in self.memory.iter().zip(shares.into_iter().rev()) {
            let back = y.dot(&r) / s.dot(y);
            r.scaled_add(share - back, s);
        }
        let promised = 0.5 * gradient.dot(&r);
        if promised > 0.0 { (-r, promised) } else { (-self.solve(gradient), 0.5 * gradient.dot(&self.solve(gradient))) }
    }

    /// A step and the change of the gradient over it.
    pub(super) fn remember(&mut self, step: Array1<f64>, change: Array1<f64>) {
        if step.dot(&change) > 1e-12 * change.dot(&change).sqrt() * step.dot(&step).sqrt() {
            if self.memory.len() == MEMORY {
                self.memory.pop_front();
            }
            self.memory.push_back((step, change));
        }
    }

    /// As [`Self::descend`] with a group lasso on the coefficients after the free ones, from `at`.
    pub(super) fn descend_groups(&self, at: &Array1<f64>, gradient: &Array1<f64>, groups: Groups) -> (Array1<f64>, f64) {
        let width = self.metric.matrix.nrows();
        let mut moved: Vec<f64> = vec![0.0; width];
        // Gradient of the quadratic model where `moved` is.
        let mut slope: Vec<f64> = gradient.iter().take(width).copied().collect();
        let free = self.metric.matrix.view((0, 0), (groups.free, groups.free)).into_owned();
        let free = Cholesky::new(free);
        let largest = self.metric.matrix.diagonal().max();
        for _ in 0..SWEEPS {
            let mut farthest = 0.0f64;
            let mut shift = |columns: std::ops::Range<usize>, step: &[f64], slope: &mut [f64], moved: &mut [f64]| {
                for (column, step) in columns.zip(step).filter(|(_, s)| **s != 0.0) {
                    moved[column] += step;
                    slope.iter_mut().zip(self.metric.matrix.column(column).iter()).for_each(|(g, h)| *g += h * step);
                    farthest = farthest.max(step.abs() * (self.metric.matrix[(column, column)] / largest).sqrt());
                }
            };
            if let Some(free) = &free {
                let head = DVector::from_iterator(groups.free, slope.iter().take(groups.free).map(|g| -g));
                let step: Vec<f64> = free.solve(&head).iter().copied().collect();
                shift(0..groups.free, &step, &mut slope, &mut moved);
            }
            let mut first = groups.free;
            while first + groups.size <= width {
                let block = first..first + groups.size;
                let here: Vec<f64> = block.clone().map(|k| at[k] + moved[k]).collect();
                // An upper bound of the block's curvature: its trace.
                let bound: f64 = block.clone().map(|k| self.metric.matrix[(k, k)]).sum::<f64>().max(1e-12);
                let wanted: Vec<f64> = block.clone().zip(&here).map(|(k, x)| x - slope[k] / bound).collect();
                let norm = wanted.iter().map(|x| x * x).sum::<f64>().sqrt();
                let keep = if norm > 0.0 { (1.0 - groups.weight / (bound * norm)).max(0.0) } else { 0.0 };
                let step: Vec<f64> = wanted.iter().zip(&here).map(|(w, x)| keep * w - x).collect();
                shift(block, &step, &mut slope, &mut moved);
                first += groups.size;
            }
            if farthest < 1e-10 {
                break;
            }
        }
        let penalty = |moved: &dyn Fn(usize) -> f64| groups.penalty(&(0..width).map(|k| at[k] + moved(k)).collect::<Vec<_>>());
        let tail: Vec<f64> = gradient.iter().skip(width).zip(&self.gains).map(|(g, h)| -g / h).collect();
        let step: Array1<f64> = moved.iter().copied().chain(tail).collect();
        let promised = -gradient.dot(&step) - penalty(&|k| moved[k]) + penalty(&|_| 0.0);
        (step, promised)
    }
}

impl Groups {
    /// The penalty of coefficients (and what follows them).
    pub(super) fn penalty(&self, coefficients: &[f64]) -> f64 {
        let groups = coefficients.get(self.free..).unwrap_or_default().chunks_exact(self.size.max(1));
        self.weight * groups.map(|g| g.iter().map(|x| x * x).sum::<f64>().sqrt()).sum::<f64>()
    }
}
