//! One window through the fused form, forward: features, then A v in one of three ways, then the output normalisation.

use ndarray::{Array2, ArrayView2, linalg::general_mat_mul};

use super::folded::Folded;
use super::{Activation, Form};
use crate::models::kernels::rows::{dot, softmax_rows, sum};
use crate::models::kernels::{block, block_mut, exp, simd};

const NORM_EPSILON: f32 = 1e-5;
/// Tokens written together when a window is turned from bins × tokens into tokens × bins.
const TOKENS: usize = 16;

/// Features of a window's tokens.
pub(super) struct Features {
    /// φ `[S, P]`.
    pub(super) phi: Array2<f32>,
    /// Mean and inverse standard deviation of every token's history and identity; 0 and 1 without layer normalisation.
    pub(super) mean: Vec<f32>,
    pub(super) inverse: Vec<f32>,
}

/// What a form keeps for the way back.
pub(super) enum Route {
    /// Rows of φ M̂ `[queries, P]`, A before scale `[queries, S]`, what is received `[queries, values]`.
    Explicit { rows: Array2<f32>, active: Array2<f32>, received: Array2<f32> },
    /// Rows of φ M̂ `[queries, P]`, φᵀ of value columns `[P, values]`, what is received `[queries, values]`.
    Rows { rows: Array2<f32>, gram: Array2<f32>, received: Array2<f32> },
    /// φᵀ of value columns `[P, values]`, M̂ times it with scale and residual `[P, values]`, the same for outputs `[P, outputs]`.
    Gram { gram: Array2<f32>, sent: Array2<f32>, mapped: Array2<f32> },
}

/// A window after the forward pass.
pub(super) struct Pass {
    pub(super) features: Features,
    pub(super) route: Route,
    /// A v + v `[queries, outputs]`.
    pub(super) out: Array2<f32>,
    /// Mean and inverse standard deviation of every row of `out`; 0 and 1 without layer normalisation.
    pub(super) out_mean: Vec<f32>,
    pub(super) out_inverse: Vec<f32>,
    /// Predictions `[queries]`.
    pub(super) prediction: Vec<f32>,
}

impl Folded {
    /// Predict what follows a window `[H, S]`.
    pub(super) fn pass(&self, form: Form, window: ArrayView2<'_, f32>) -> Pass {
        let features = self.features(window);
        let form = if self.config.activation == Activation::None { form } else { Form::Explicit };
        let phi = features.phi.view();
        let (columns, queries, factor) = (&self.columns, self.config.queries, self.config.factor() as f32);
        let values = block(phi, 0..self.config.tokens, columns.values.clone());
        let own = block(phi, 0..queries, columns.values.clone());
        let mut received = Array2::zeros((queries, columns.values.len()));
        let (route, out) = match form {
            Form::Explicit => {
                let rows = self.query_rows(&features, 0..queries);
                let active = self.active(&rows, phi);
                general_mat_mul(factor, &active, &values, 0.0, &mut received);
                if self.config.residual {
                    received += &own;
                }
                let out = self.map_values(&received);
                (Route::Explicit { rows, active, received }, out)
            }
            Form::Rows => {
                let rows = self.query_rows(&features, 0..queries);
                let gram = product(phi.t(), values);
                general_mat_mul(factor, &rows, &gram, 0.0, &mut received);
                if self.config.residual {
                    received += &own;
                }
                let out = self.map_values(&received);
                (Route::Rows { rows, gram, received }, out)
            }
            Form::Gram => {
                let gram = product(phi.t(), values);
                let mut sent = Array2::zeros(gram.raw_dim());
                general_mat_mul(factor, &self.bilinear, &gram, 0.0, &mut sent);
                if self.config.residual {
                    columns.values.clone().enumerate().for_each(|(value, feature)| sent[[feature, value]] += 1.0);
                }
                let mapped = self.map_values(&sent);
                let out = product(block(phi, 0..queries, 0..columns.all()), mapped.view());
                (Route::Gram { gram, sent, mapped }, out)
            }
        };
        let (out_mean, out_inverse, mut prediction) = self.predict(&out);
        prediction.iter_mut().zip(&self.offset).for_each(|(p, offset)| *p += offset);
        Pass { features, route, out, out_mean, out_inverse, prediction }
    }

    /// φ `[S, P]` of a window `[H, S]`.
    pub(super) fn features(&self, window: ArrayView2<'_, f32>) -> Features {
        let (history, tokens) = window.dim();
        let (width, p, first_identity) = (self.config.width() as f32, self.columns.all(), self.columns.varying());
        let (mut mean, mut inverse) = (vec![0.0f32; tokens], vec![1.0f32; tokens]);
        let mut phi = Array2::<f32>::zeros((tokens, p));
        let bins: Vec<&[f32]> = window.outer_iter().filter_map(|row| row.to_slice()).collect();
        let (Some(out), Some(identity)) = (phi.as_slice_mut(), self.identity.as_slice()) else {
            return Features { phi, mean, inverse };
        };
        let e = self.columns.identity;
        simd(
            #[inline(always)]
            || {
                if self.columns.constant == 1 {
                    for bin in &bins {
                        mean.iter_mut().zip(*bin).for_each(|(m, x)| *m += x);
                    }
                    for (m, own) in mean.iter_mut().zip(&self.identity_mean) {
                        *m = (*m + own * e as f32) / width;
                    }
                    // The identity's share of the sum of squares about the common mean.
                    for (((square, own), m), squares) in inverse.iter_mut().zip(&self.identity_mean).zip(&mean).zip(&self.identity_squares)
                    {
                        *square = squares + e as f32 * (own - m) * (own - m);
                    }
                    for bin in &bins {
                        for ((square, x), m) in inverse.iter_mut().zip(*bin).zip(&mean) {
                            *square += (x - m) * (x - m);
                        }
                    }
                    inverse.iter_mut().for_each(|square| *square = 1.0 / (*square / width + NORM_EPSILON).sqrt());
                }
                for (at, rows) in out.chunks_mut(TOKENS * p).enumerate() {
                    let first = at * TOKENS;
                    for (h, bin) in bins.iter().enumerate() {
                        let own = bin[first..].iter().zip(&mean[first..]).zip(&inverse[first..]);
                        for (row, ((x, m), r)) in rows.chunks_exact_mut(p).zip(own) {
                            row[h] = (x - m) * r;
                        }
                    }
                    let own = identity[first * e..].chunks_exact(e).zip(&mean[first..]).zip(&inverse[first..]);
                    for (row, ((identity, m), r)) in rows.chunks_exact_mut(p).zip(own) {
                        row[history..first_identity].fill(1.0);
                        for (to, from) in row[first_identity..].iter_mut().zip(identity) {
                            *to = (from - m) * r;
                        }
                    }
                }
            },
        );
        Features { phi, mean, inverse }
    }

    /// Rows of φ M̂ `[chosen, P]` for queries in a range. The identities' part was taken once for all windows:
    /// φ M̂ = φ_varying M̂_varying + r (E M̂_E − mean · 1ᵀ M̂_E).
    pub(super) fn query_rows(&self, features: &Features, queries: std::ops::Range<usize>) -> Array2<f32> {
        let (p, varying) = (self.columns.all(), self.columns.varying());
        let own = block(features.phi.view(), queries.clone(), 0..varying);
        let mut rows = product(own, block(self.bilinear.view(), 0..varying, 0..p));
        let (Some(values), Some(identities)) = (rows.as_slice_mut(), self.rows.as_slice()) else { return rows };
        simd(
            #[inline(always)]
            || {
                let shared = identities[queries.start * p..].chunks_exact(p);
                let scales = features.inverse[queries.clone()].iter().zip(&features.mean[queries.clone()]);
                for ((row, shared), (r, m)) in values.chunks_exact_mut(p).zip(shared).zip(scales) {
                    for ((v, own), shift) in row.iter_mut().zip(shared).zip(&self.rows_shift) {
                        *v += r * (own - m * shift);
                    }
                }
            },
        );
        rows
    }

    /// A before scale `[chosen, S]`.
    pub(super) fn active(&self, rows: &Array2<f32>, phi: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut active = product(rows.view(), phi.t());
        match self.config.activation {
            Activation::None => {}
            Activation::Softmax => softmax_rows(&mut active),
            Activation::Sigmoid => active.mapv_inplace(|x| 1.0 / (1.0 + exp(-x))),
            Activation::Tanh => active.mapv_inplace(f32::tanh),
        }
        active
    }

    /// From value columns `[·, values]` to outputs `[·, outputs]`: v = γ ẑ + β.
    pub(super) fn map_values(&self, columns: &Array2<f32>) -> Array2<f32> {
        let (inner, outputs) = (columns.ncols().max(1), self.columns.outputs());
        if self.columns.constant == 0 {
            return columns.clone();
        }
        let mut out = Array2::zeros((columns.nrows(), outputs));
        if let (Some(from), Some(to)) = (columns.as_slice(), out.as_slice_mut()) {
            simd(
                #[inline(always)]
                || {
                    for (from, to) in from.chunks_exact(inner).zip(to.chunks_exact_mut(outputs.max(1))) {
                        let constant = from[outputs];
                        for (((to, from), scale), shift) in to.iter_mut().zip(from).zip(&self.value_scale).zip(&self.value_shift) {
                            *to = from * scale + constant * shift;
                        }
                    }
                },
            );
        }
        out
    }

    fn predict(&self, out: &Array2<f32>) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let (queries, width) = (out.nrows(), out.ncols().max(1));
        let (mut means, mut inverses, mut predictions) = (vec![0.0f32; queries], vec![1.0f32; queries], vec![0.0f32; queries]);
        let Some(values) = out.as_slice() else { return (means, inverses, predictions) };
        if self.columns.constant == 0 {
            predictions.iter_mut().zip(values.chunks_exact(width)).for_each(|(p, row)| *p = row[width - 1]);
            return (means, inverses, predictions);
        }
        simd(
            #[inline(always)]
            || {
                let mut centred = vec![0.0f32; width];
                let results = means.iter_mut().zip(inverses.iter_mut()).zip(predictions.iter_mut());
                for (row, ((mean, inverse), prediction)) in values.chunks_exact(width).zip(results) {
                    *mean = sum(row) / width as f32;
                    centred.iter_mut().zip(row).for_each(|(c, v)| *c = v - *mean);
                    *inverse = 1.0 / (dot(&centred, &centred) / width as f32 + NORM_EPSILON).sqrt();
                    *prediction = self.out_scale * centred[width - 1] * *inverse + self.out_shift;
                }
            },
        );
        (means, inverses, predictions)
    }

    /// The part of a width-P gradient or feature that belongs to identities.
    pub(super) fn identity_part<'a>(&self, features: &'a mut Array2<f32>) -> ndarray::ArrayViewMut2<'a, f32> {
        let (rows, p) = features.dim();
        block_mut(features.view_mut(), 0..rows, self.columns.varying()..p)
    }
}

/// a b, on this thread.
pub(super) fn product(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut out = Array2::zeros((a.nrows(), b.ncols()));
    general_mat_mul(1.0, &a, &b, 0.0, &mut out);
    out
}
