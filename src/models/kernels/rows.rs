//! Row-wise and column-wise pieces of the Transformer kernels, written so that they vectorise.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis};

use super::{exp, simd};

const NORM_EPSILON: f32 = 1e-5;
const LANES: usize = 16;

/// Values of mean 0 and variance 1 per row (or column), and what they were divided by, inverted.
pub(crate) struct Standardised {
    /// Standardised values.
    pub(crate) unit: Array2<f32>,
    /// 1 / standard deviation, per row (or column).
    pub(crate) inverse: Vec<f32>,
}

/// Sum in a fixed order that vectorises.
#[inline(always)]
pub(crate) fn sum(x: &[f32]) -> f32 {
    let (blocks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for block in blocks {
        for (lane, v) in lanes.iter_mut().zip(block) {
            *lane += v;
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// Inner product in a fixed order that vectorises.
#[inline(always)]
pub(crate) fn dot(x: &[f32], y: &[f32]) -> f32 {
    let ((xs, x_rest), (ys, y_rest)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    let mut lanes = [0.0f32; LANES];
    for (a, b) in xs.iter().zip(ys) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f32>() + x_rest.iter().zip(y_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// Highest value; a NaN is passed over.
#[inline(always)]
fn highest(x: &[f32]) -> f32 {
    let (blocks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for block in blocks {
        for (lane, v) in lanes.iter_mut().zip(block) {
            *lane = if *v > *lane { *v } else { *lane };
        }
    }
    let mut most = f32::NEG_INFINITY;
    for v in lanes.iter().chain(rest) {
        most = if *v > most { *v } else { most };
    }
    most
}

/// Layer normalisation of every row, without scale and shift.
pub(crate) fn standardise_rows(x: &Array2<f32>) -> Standardised {
    let mut unit = x.clone();
    let mut inverse = Vec::with_capacity(x.nrows());
    let width = x.ncols().max(1);
    if let Some(values) = unit.as_slice_mut() {
        simd(
            #[inline(always)]
            || {
                for row in values.chunks_exact_mut(width) {
                    let mean = sum(row) / width as f32;
                    for v in row.iter_mut() {
                        *v -= mean;
                    }
                    let scale = 1.0 / (dot(row, row) / width as f32 + NORM_EPSILON).sqrt();
                    for v in row.iter_mut() {
                        *v *= scale;
                    }
                    inverse.push(scale);
                }
            },
        );
    }
    Standardised { unit, inverse }
}

/// Add to `into` the gradient of the rows given the gradient of the standardised rows.
pub(crate) fn standardise_rows_backward(slope: &Array2<f32>, kept: &Standardised, into: &mut Array2<f32>) {
    let width = slope.ncols().max(1);
    let (Some(slope), Some(unit), Some(into)) = (slope.as_slice(), kept.unit.as_slice(), into.as_slice_mut()) else { return };
    simd(
        #[inline(always)]
        || {
            let rows = slope.chunks_exact(width).zip(unit.chunks_exact(width)).zip(into.chunks_exact_mut(width)).zip(&kept.inverse);
            for (((d, u), out), inverse) in rows {
                let (mean, along) = (sum(d) / width as f32, dot(d, u) / width as f32);
                for ((out, d), u) in out.iter_mut().zip(d).zip(u) {
                    *out += inverse * (d - mean - u * along);
                }
            }
        },
    );
}

/// Layer normalisation of every column of `x`, without scale and shift; writes `unit` and gives 1 / standard deviation.
pub(crate) fn standardise_columns(x: ArrayView2<'_, f32>, mut unit: ArrayViewMut2<'_, f32>) -> Vec<f32> {
    let (rows, width) = x.dim();
    let mut inverse = vec![0.0f32; width];
    let (Some(x), Some(unit)) = (x.as_slice(), unit.as_slice_mut()) else { return inverse };
    simd(
        #[inline(always)]
        || {
            let mut mean = vec![0.0f32; width];
            for row in x.chunks_exact(width.max(1)) {
                for (m, v) in mean.iter_mut().zip(row) {
                    *m += v;
                }
            }
            mean.iter_mut().for_each(|m| *m /= rows as f32);
            for (row, out) in x.chunks_exact(width.max(1)).zip(unit.chunks_exact_mut(width.max(1))) {
                for (((o, v), m), s) in out.iter_mut().zip(row).zip(&mean).zip(inverse.iter_mut()) {
                    *o = v - m;
                    *s += *o * *o;
                }
            }
            inverse.iter_mut().for_each(|s| *s = 1.0 / (*s / rows as f32 + NORM_EPSILON).sqrt());
            for out in unit.chunks_exact_mut(width.max(1)) {
                for (o, s) in out.iter_mut().zip(&inverse) {
                    *o *= s;
                }
            }
        },
    );
    inverse
}

/// Turn the gradient of standardised columns into that of the columns, in place.
pub(crate) fn standardise_columns_backward(slope: &mut Array2<f32>, unit: ArrayView2<'_, f32>, inverse: &[f32]) {
    let (rows, width) = slope.dim();
    let (Some(slope), Some(unit)) = (slope.as_slice_mut(), unit.as_slice()) else { return };
    simd(
        #[inline(always)]
        || {
            let (mut mean, mut along) = (vec![0.0f32; width], vec![0.0f32; width]);
            for (d, u) in slope.chunks_exact(width.max(1)).zip(unit.chunks_exact(width.max(1))) {
                for (((m, a), d), u) in mean.iter_mut().zip(along.iter_mut()).zip(d).zip(u) {
                    *m += d;
                    *a += d * u;
                }
            }
            mean.iter_mut().chain(along.iter_mut()).for_each(|m| *m /= rows as f32);
            for (d, u) in slope.chunks_exact_mut(width.max(1)).zip(unit.chunks_exact(width.max(1))) {
                for ((((d, u), m), a), s) in d.iter_mut().zip(u).zip(&mean).zip(&along).zip(inverse) {
                    *d = s * (*d - m - u * a);
                }
            }
        },
    );
}

/// Softmax of one row, in place.
#[inline(always)]
pub(crate) fn softmax(row: &mut [f32]) {
    let highest = highest(row);
    for x in row.iter_mut() {
        *x = exp(*x - highest);
    }
    let scale = 1.0 / sum(row);
    for x in row.iter_mut() {
        *x *= scale;
    }
}

/// Softmax of every row, in place.
pub(crate) fn softmax_rows(rows: &mut Array2<f32>) {
    let width = rows.ncols().max(1);
    if let Some(values) = rows.as_slice_mut() {
        simd(
            #[inline(always)]
            || {
                for row in values.chunks_exact_mut(width) {
                    softmax(row);
                }
            },
        );
    }
}

/// Turn the gradient of softmax weights into that of the scores, in place: w (d − Σ d w).
pub(crate) fn softmax_rows_backward(slope: &mut Array2<f32>, weights: &Array2<f32>) {
    let width = slope.ncols().max(1);
    let (Some(slope), Some(weights)) = (slope.as_slice_mut(), weights.as_slice()) else { return };
    simd(
        #[inline(always)]
        || {
            for (d, w) in slope.chunks_exact_mut(width).zip(weights.chunks_exact(width)) {
                let along = dot(d, w);
                for (d, w) in d.iter_mut().zip(w) {
                    *d = w * (*d - along);
                }
            }
        },
    );
}

/// Every row times `scale` plus `shift`.
pub(crate) fn scale_and_shift(x: &Array2<f32>, scale: &[f32], shift: &[f32]) -> Array2<f32> {
    let mut y = x.clone();
    let width = y.ncols().max(1);
    if let Some(values) = y.as_slice_mut() {
        simd(
            #[inline(always)]
            || {
                for row in values.chunks_exact_mut(width) {
                    for ((v, a), b) in row.iter_mut().zip(scale).zip(shift) {
                        *v = *v * a + b;
                    }
                }
            },
        );
    }
    y
}

/// Backward of [`scale_and_shift`]: adds to the gradients of scale and shift, and multiplies `slope` by the scale.
pub(crate) fn scale_and_shift_backward(slope: &mut Array2<f32>, x: &Array2<f32>, scale: &[f32], d_scale: &mut [f32], d_shift: &mut [f32]) {
    let width = slope.ncols().max(1);
    let (Some(slope), Some(x)) = (slope.as_slice_mut(), x.as_slice()) else { return };
    simd(
        #[inline(always)]
        || {
            for (d, x) in slope.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                for ((((d, x), a), da), db) in d.iter_mut().zip(x).zip(scale).zip(d_scale.iter_mut()).zip(d_shift.iter_mut()) {
                    *da += *d * x;
                    *db += *d;
                    *d *= a;
                }
            }
        },
    );
}

/// Add the sum of the columns' values, row by row, to `into` (the gradient of a bias).
pub(crate) fn add_column_sums(rows: ArrayView2<'_, f32>, into: &mut [f32]) {
    let width = rows.ncols().max(1);
    let Some(values) = rows.as_slice() else {
        rows.axis_iter(Axis(0)).for_each(|row| into.iter_mut().zip(row).for_each(|(s, v)| *s += v));
        return;
    };
    simd(
        #[inline(always)]
        || {
            for row in values.chunks_exact(width) {
                for (s, v) in into.iter_mut().zip(row) {
                    *s += v;
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wavy(rows: usize, columns: usize) -> Array2<f32> {
        Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 7 + j * 3) as f32 * 0.37).sin() + 0.1 * j as f32)
    }

    #[test]
    fn rows_and_columns_are_the_same_operation() {
        let x = wavy(21, 35);
        let by_rows = standardise_rows(&x);
        let transposed = x.t().as_standard_layout().into_owned();
        let mut unit = Array2::zeros((35, 21));
        let inverse = standardise_columns(transposed.view(), unit.view_mut());
        assert!((&by_rows.unit - &unit.t()).iter().all(|d| d.abs() < 1e-5));
        assert!(by_rows.inverse.iter().zip(&inverse).all(|(a, b)| (a / b - 1.0).abs() < 1e-5));
        let slope = wavy(35, 21).t().as_standard_layout().into_owned();
        let mut d_rows = Array2::zeros((21, 35));
        standardise_rows_backward(&slope, &by_rows, &mut d_rows);
        let mut d_columns = slope.t().as_standard_layout().into_owned();
        standardise_columns_backward(&mut d_columns, unit.view(), &inverse);
        assert!((&d_rows - &d_columns.t()).iter().all(|d| d.abs() < 1e-5));
        assert!(d_rows.iter().any(|d| d.abs() > 0.1));
    }

    #[test]
    fn sums_add_everything() {
        let x: Vec<f32> = (0..53).map(|k| k as f32).collect();
        assert_eq!(sum(&x), 1378.0);
        assert_eq!(dot(&x, &x), (0..53).map(|k| (k * k) as f32).sum::<f32>());
    }
}
