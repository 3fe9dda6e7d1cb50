//! Ridge regression with intercept as the benchmark chooses it (§3.2): nine penalties, five contiguous folds, R². Rows are seen
//! once: every fold keeps its moments, training moments are the total less the fold's, and scores follow from moments too.

use nalgebra::{DMatrix, DVector};
use ndarray::{Array2, ArrayView2, linalg::general_mat_mul};

use super::{NlbError, r2, same_shape};

const FOLDS: usize = 5;
const ALPHAS: usize = 9;
/// Rows gathered before one matrix product.
const ROWS: usize = 256;

/// What a cross-validated regression found.
#[derive(Debug, Clone, PartialEq)]
pub struct RidgeScore {
    /// R² on the evaluation rows, uniform average over outputs.
    pub r2: f64,
    /// Chosen penalty.
    pub alpha: f64,
    /// Mean R² over folds for every penalty, ascending from 10⁻⁴ to 1.
    pub fold_scores: Vec<f64>,
    /// Weights of the fit on all training rows `[inputs, outputs]`.
    pub weights: Array2<f64>,
    /// Its intercept per output.
    pub intercept: Vec<f64>,
}

/// Sums of a set of rows about a fixed origin.
#[derive(Clone)]
struct Moments {
    n: f64,
    x: DVector<f64>,
    y: DVector<f64>,
    xx: DMatrix<f64>,
    xy: DMatrix<f64>,
    yy: DVector<f64>,
}

impl Moments {
    fn zeros(inputs: usize, outputs: usize) -> Self {
        Self {
            n: 0.0,
            x: DVector::zeros(inputs),
            y: DVector::zeros(outputs),
            xx: DMatrix::zeros(inputs, inputs),
            xy: DMatrix::zeros(inputs, outputs),
            yy: DVector::zeros(outputs),
        }
    }

    /// Add rows of which columns `..inputs` are x and the rest y.
    fn add_rows(&mut self, rows: ArrayView2<'_, f64>, inputs: usize) {
        let width = rows.ncols();
        let mut gram = Array2::<f64>::zeros((width, width));
        general_mat_mul(1.0, &rows.t(), &rows, 0.0, &mut gram);
        self.n += rows.nrows() as f64;
        for i in 0..width {
            let sum = rows.column(i).sum();
            match i < inputs {
                true => self.x[i] += sum,
                false => {
                    self.y[i - inputs] += sum;
                    self.yy[i - inputs] += gram[[i, i]];
                }
            }
            for j in 0..inputs.min(if i < inputs { inputs } else { 0 }) {
                self.xx[(i, j)] += gram[[i, j]];
            }
            for j in (inputs..width).filter(|_| i < inputs) {
                self.xy[(i, j - inputs)] += gram[[i, j]];
            }
        }
    }

    fn combined(&self, other: &Self, sign: f64) -> Self {
        Self {
            n: self.n + sign * other.n,
            x: &self.x + &other.x * sign,
            y: &self.y + &other.y * sign,
            xx: &self.xx + &other.xx * sign,
            xy: &self.xy + &other.xy * sign,
            yy: &self.yy + &other.yy * sign,
        }
    }

    /// Weights and intercepts for a penalty.
    fn fit(&self, alpha: f64) -> Result<(DMatrix<f64>, DVector<f64>), NlbError> {
        let (mean_x, mean_y) = (&self.x / self.n, &self.y / self.n);
        let mut gram = &self.xx - &mean_x * mean_x.transpose() * self.n;
        for i in 0..gram.nrows() {
            gram[(i, i)] += alpha;
        }
        let cross = &self.xy - &mean_x * mean_y.transpose() * self.n;
        let weights = gram.cholesky().ok_or(NlbError::Singular)?.solve(&cross);
        let intercept = mean_y - weights.transpose() * mean_x;
        Ok((weights, intercept))
    }

    /// R² of a fit on these rows, mean over outputs.
    fn score(&self, (weights, intercept): &(DMatrix<f64>, DVector<f64>)) -> f64 {
        let outputs = self.y.len();
        let sum: f64 = (0..outputs)
            .map(|k| {
                let (w, b) = (weights.column(k), intercept[k]);
                let predicted = w.dot(&(&self.xx * w)) + 2.0 * b * w.dot(&self.x) + self.n * b * b;
                let residual = self.yy[k] - 2.0 * (w.dot(&self.xy.column(k)) + b * self.y[k]) + predicted;
                r2(residual.max(0.0), self.yy[k] - self.y[k] * self.y[k] / self.n)
            })
            .sum();
        sum / outputs as f64
    }
}

/// Rows as a stream: calls back with every (inputs, outputs) row, always in the same order.
pub(super) type Rows<'a> = dyn Fn(&mut dyn FnMut(&mut dyn Iterator<Item = f64>)) + 'a;

fn gather(rows: &Rows<'_>, origin: &[f64], inputs: usize, edges: &[usize]) -> Vec<Moments> {
    let width = origin.len();
    let mut folds = vec![Moments::zeros(inputs, width - inputs); edges.len()];
    let (mut buffer, mut fold, mut seen) = (Vec::with_capacity(ROWS * width), 0, 0);
    let mut flush = |buffer: &mut Vec<f64>, fold: usize| {
        if let (Ok(rows), Some(own)) = (ArrayView2::from_shape((buffer.len() / width.max(1), width), buffer), folds.get_mut(fold)) {
            own.add_rows(rows, inputs);
        }
        buffer.clear();
    };
    rows(&mut |row| {
        while edges.get(fold).is_some_and(|&end| seen >= end) {
            flush(&mut buffer, fold);
            fold += 1;
        }
        buffer.extend(row.zip(origin).map(|(v, o)| v - o));
        seen += 1;
        if buffer.len() >= ROWS * width {
            flush(&mut buffer, fold);
        }
    });
    flush(&mut buffer, fold);
    folds
}

/// The regression on streamed rows. `inputs` of the `width` columns are predictors.
pub(super) fn stream_r2(train: &Rows<'_>, eval: &Rows<'_>, inputs: usize, width: usize) -> Result<RidgeScore, NlbError> {
    let (mut n, mut origin) = (0usize, vec![0.0; width]);
    train(&mut |row| {
        n += 1;
        origin.iter_mut().zip(row).for_each(|(o, v)| *o += v);
    });
    let mut n_eval = 0usize;
    eval(&mut |_| n_eval += 1);
    if n < FOLDS || n_eval == 0 {
        return Err(super::nothing("there are too few bins with behaviour", "use more trials, or behaviour that covers them"));
    }
    origin.iter_mut().for_each(|o| *o /= n as f64);
    let mut edges = Vec::with_capacity(FOLDS);
    for fold in 0..FOLDS {
        edges.push(edges.last().copied().unwrap_or(0) + n / FOLDS + usize::from(fold < n % FOLDS));
    }
    let folds = gather(train, &origin, inputs, &edges);
    let total = folds.iter().fold(Moments::zeros(inputs, width - inputs), |sum, fold| sum.combined(fold, 1.0));
    let alphas: Vec<f64> = (0..ALPHAS).map(|k| 10f64.powf(-4.0 + 0.5 * k as f64)).collect();
    let training: Vec<Moments> = folds.iter().map(|fold| total.combined(fold, -1.0)).collect();
    let mut fold_scores = Vec::with_capacity(ALPHAS);
    for &alpha in &alphas {
        let mut sum = 0.0;
        for (fold, training) in folds.iter().zip(&training) {
            sum += fold.score(&training.fit(alpha)?);
        }
        fold_scores.push(sum / FOLDS as f64);
    }
    let mut best = 0;
    for (at, score) in fold_scores.iter().enumerate() {
        if fold_scores.get(best).is_some_and(|b| score > b) {
            best = at;
        }
    }
    let alpha = alphas.get(best).copied().unwrap_or(1.0);
    let fitted = total.fit(alpha)?;
    let evaluated = gather(eval, &origin, inputs, &[usize::MAX]);
    let r2 = evaluated.first().map_or(f64::NAN, |moments| moments.score(&fitted));
    // Rows were seen less their mean.
    let weights = Array2::from_shape_fn((inputs, width - inputs), |(i, k)| fitted.0[(i, k)]);
    let (mean_x, mean_y) = origin.split_at(inputs);
    let shift = |k: usize| mean_x.iter().enumerate().map(|(i, mean)| mean * weights[[i, k]]).sum::<f64>();
    let intercept = mean_y.iter().enumerate().map(|(k, mean)| fitted.1[k] + mean - shift(k)).collect();
    Ok(RidgeScore { r2, alpha, fold_scores, weights, intercept })
}

/// Ridge regression of `train_y` `[rows, outputs]` on `train_x` `[rows, inputs]`, scored on the evaluation rows.
///
/// # Errors
/// [`NlbError`] when shapes differ, there are too few rows, or values are not finite.
pub fn ridge_r2(
    train_x: ArrayView2<'_, f64>,
    train_y: ArrayView2<'_, f64>,
    eval_x: ArrayView2<'_, f64>,
    eval_y: ArrayView2<'_, f64>,
) -> Result<RidgeScore, NlbError> {
    same_shape("targets", &[train_y.nrows()], &[train_x.nrows()])?;
    same_shape("evaluation targets", &[eval_y.nrows(), eval_y.ncols()], &[eval_x.nrows(), train_y.ncols()])?;
    same_shape("evaluation predictors", &[eval_x.ncols()], &[train_x.ncols()])?;
    let stream = |x: ArrayView2<'_, f64>, y: ArrayView2<'_, f64>, each: &mut dyn FnMut(&mut dyn Iterator<Item = f64>)| {
        for (x, y) in x.outer_iter().zip(y.outer_iter()) {
            each(&mut x.iter().chain(&y).copied());
        }
    };
    let width = train_x.ncols() + train_y.ncols();
    stream_r2(&|each| stream(train_x, train_y, each), &|each| stream(eval_x, eval_y, each), train_x.ncols(), width)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_weights_give_the_score_that_is_reported() {
        let x = |rows: usize, from: usize| {
            Array2::from_shape_fn((rows, 3), |(r, c)| 5.0 + (((r + from) * 7 + c * 13) % 11) as f64 + 0.3 * ((r * c) as f64).sin())
        };
        let y = |x: &Array2<f64>| {
            Array2::from_shape_fn((x.nrows(), 2), |(r, k)| 2.0 - x[[r, 0]] + 0.5 * x[[r, k + 1]] + 0.4 * (r as f64 * 1.7).cos())
        };
        let (train, eval) = (x(200, 0), x(60, 4));
        let (train_y, eval_y) = (y(&train), y(&eval));
        let found = ridge_r2(train.view(), train_y.view(), eval.view(), eval_y.view()).unwrap();
        let predicted = eval.dot(&found.weights) + &ndarray::Array1::from_vec(found.intercept.clone());
        let own = |k: usize| {
            let mean = eval_y.column(k).mean().unwrap();
            let residual: f64 = predicted.column(k).iter().zip(eval_y.column(k)).map(|(p, t)| (p - t).powi(2)).sum();
            r2(residual, eval_y.column(k).iter().map(|t| (t - mean).powi(2)).sum())
        };
        assert!(((own(0) + own(1)) / 2.0 - found.r2).abs() < 1e-9, "{} {} {}", own(0), own(1), found.r2);
        assert!(found.r2 > 0.9);
    }
}
