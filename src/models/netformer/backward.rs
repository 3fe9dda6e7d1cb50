//! One window through the fused form, backward. Activity is not trained, so of the gradient of the features only three things are
//! needed: its identity columns, and per token its sum and its inner product with the features (for mean and variance of the
//! input normalisation). Where A is not formed, the last two come out of small products.

use ndarray::{Array2, ArrayView1, ArrayView2, linalg::general_mat_mul};

use super::folded::{Folded, Prior, Slopes};
use super::loss::SMALLEST_VARIANCE;
use super::sample::{Pass, Route, product};
use super::{Activation, Loss};
use crate::models::kernels::rows::{dot, softmax_rows_backward, sum};
use crate::models::kernels::{block, block_mut, exp, simd};

/// Per token, what the input normalisation's gradient needs besides the identity columns.
struct Along {
    /// Sum of the gradient over a token's features, without the constant.
    sums: Vec<f32>,
    /// Inner product of gradient and features, without the constant.
    products: Vec<f32>,
}

impl Folded {
    /// Add the loss of a window, given what it should have predicted, and its gradients. `scale` is 1 / (windows · queries),
    /// `prior_scale` what an entry of A weighs in the prior's term.
    pub(super) fn backward(&self, pass: &Pass, target: ArrayView1<'_, f32>, scale: f32, prior_scale: f32, d: &mut Slopes) {
        let mut d_prediction = vec![0.0f32; pass.prediction.len()];
        d.fit += self.fit(pass, target, Some((&mut d_prediction, scale)));
        d.offset.iter_mut().zip(&d_prediction).for_each(|(offset, slope)| *offset += slope);
        let d_out = self.out_slopes(pass, &d_prediction, d);
        let (phi, queries) = (pass.features.phi.view(), self.config.queries);
        let values = block(phi, 0..phi.nrows(), self.columns.values.clone());
        let own = block(phi, 0..queries, self.columns.values.clone());
        let factor = self.config.factor() as f32;
        let (d_phi, along) = match &pass.route {
            Route::Explicit { rows, active, received } => {
                let d_received = self.map_back(&d_out, received, d);
                let mut slope = Array2::zeros(active.raw_dim());
                general_mat_mul(factor, &d_received, &values.t(), 0.0, &mut slope);
                if let Some(prior) = &self.prior {
                    d.prior += prior.sum(active, factor);
                    prior.backward(active, factor, prior_scale, &mut slope, d);
                }
                let mut d_values = Array2::zeros(values.raw_dim());
                general_mat_mul(factor, &active.t(), &d_received, 0.0, &mut d_values);
                self.activation_backward(&mut slope, active);
                let d_rows = product(slope.view(), phi);
                let mut d_phi = product(slope.t(), rows.view());
                let mut into = block_mut(d_phi.view_mut(), 0..phi.nrows(), self.columns.values.clone());
                into += &d_values;
                if self.config.residual {
                    let mut into = block_mut(d_phi.view_mut(), 0..queries, self.columns.values.clone());
                    into += &d_received;
                }
                let mut along = self.along_features(&d_phi, pass);
                self.rows_backward(pass, rows, &d_rows, &mut along, d);
                (d_phi, along)
            }
            Route::Rows { rows, gram, received } => {
                let d_received = self.map_back(&d_out, received, d);
                let mut d_rows = Array2::zeros(rows.raw_dim());
                general_mat_mul(factor, &d_received, &gram.t(), 0.0, &mut d_rows);
                let mut d_gram = Array2::zeros(gram.raw_dim());
                general_mat_mul(factor, &rows.t(), &d_received, 0.0, &mut d_gram);
                let (d_phi, mut along) = self.gram_backward(pass, values, &d_gram);
                if self.config.residual {
                    self.residual_backward(own, &d_received, &mut along);
                }
                self.rows_backward(pass, rows, &d_rows, &mut along, d);
                (d_phi, along)
            }
            Route::Gram { gram, sent, mapped } => {
                let d_mapped = product(block(phi, 0..queries, 0..phi.ncols()).t(), d_out.view());
                let d_sent = self.map_back(&d_mapped, sent, d);
                general_mat_mul(factor, &d_sent, &gram.t(), 1.0, &mut d.bilinear);
                let mut d_gram = Array2::zeros(gram.raw_dim());
                general_mat_mul(factor, &self.bilinear.t(), &d_sent, 0.0, &mut d_gram);
                let (mut d_phi, mut along) = self.gram_backward(pass, values, &d_gram);
                self.sent_backward(pass, mapped, &d_out, &mut d_phi, &mut along);
                (d_phi, along)
            }
        };
        self.identity_backward(pass, &d_phi, &along, d);
    }

    /// Sum of the loss over queries; also its slope, times a scale.
    pub(super) fn fit(&self, pass: &Pass, target: ArrayView1<'_, f32>, mut slope: Option<(&mut Vec<f32>, f32)>) -> f64 {
        let mut total = 0.0;
        for (at, (&p, &y)) in pass.prediction.iter().zip(target).enumerate() {
            let (loss, d) = match self.config.loss {
                Loss::SquaredError => ((p - y) * (p - y), 2.0 * (p - y)),
                Loss::Poisson if self.config.offset && p > 0.0 => (1.0 + p - y * p.ln_1p(), 1.0 - y / (1.0 + p)),
                Loss::Poisson => {
                    let rate = exp(p);
                    (rate - y * p, rate - y)
                }
            };
            total += f64::from(loss);
            if let Some((into, scale)) = &mut slope {
                into[at] = d * *scale;
            }
        }
        total
    }

    /// The prior's term summed over the entries of a window's A; 0 without prior.
    pub(super) fn prior_sum(&self, pass: &Pass) -> f64 {
        match (&self.prior, &pass.route) {
            (Some(prior), Route::Explicit { active, .. }) => prior.sum(active, self.config.factor() as f32),
            _ => 0.0,
        }
    }

    /// From the slope of predictions to that of A v + v `[queries, outputs]`, through the output normalisation, of which only the
    /// last column is read.
    fn out_slopes(&self, pass: &Pass, d_prediction: &[f32], d: &mut Slopes) -> Array2<f32> {
        let mut d_out = Array2::<f32>::zeros(pass.out.raw_dim());
        let width = d_out.ncols().max(1);
        let (Some(slopes), Some(values)) = (d_out.as_slice_mut(), pass.out.as_slice()) else { return d_out };
        let rows = slopes.chunks_exact_mut(width).zip(values.chunks_exact(width)).zip(d_prediction);
        if self.columns.constant == 0 {
            rows.for_each(|((slope, _), dp)| slope[width - 1] = *dp);
            return d_out;
        }
        let (mut scale, mut shift) = (0.0f32, 0.0f32);
        simd(
            #[inline(always)]
            || {
                let norms = pass.out_mean.iter().zip(&pass.out_inverse);
                let rows = slopes.chunks_exact_mut(width).zip(values.chunks_exact(width)).zip(d_prediction);
                for (((slope, row), dp), (mean, inverse)) in rows.zip(norms) {
                    let last = (row[width - 1] - mean) * inverse;
                    scale += dp * last;
                    shift += dp;
                    let along = dp * self.out_scale * inverse;
                    for (s, v) in slope.iter_mut().zip(row) {
                        *s = -along / width as f32 * (1.0 + last * (v - mean) * inverse);
                    }
                    slope[width - 1] += along;
                }
            },
        );
        d.out_scale += scale;
        d.out_shift += shift;
        d_out
    }

    /// Backward of [`Self::map_values`]; adds to the gradients of γ and β.
    fn map_back(&self, slope: &Array2<f32>, columns: &Array2<f32>, d: &mut Slopes) -> Array2<f32> {
        if self.columns.constant == 0 {
            return slope.clone();
        }
        let (inner, outputs) = (columns.ncols().max(1), slope.ncols().max(1));
        let mut out = Array2::<f32>::zeros(columns.raw_dim());
        if let (Some(slope), Some(columns), Some(out)) = (slope.as_slice(), columns.as_slice(), out.as_slice_mut()) {
            simd(
                #[inline(always)]
                || {
                    let rows = slope.chunks_exact(outputs).zip(columns.chunks_exact(inner)).zip(out.chunks_exact_mut(inner));
                    for ((slope, from), out) in rows {
                        out[outputs] = dot(slope, &self.value_shift);
                        let constant = from[outputs];
                        for ((o, s), scale) in out.iter_mut().zip(slope).zip(&self.value_scale) {
                            *o = s * scale;
                        }
                        for (((ds, db), s), f) in d.value_scale.iter_mut().zip(d.value_shift.iter_mut()).zip(slope).zip(from) {
                            *ds += s * f;
                            *db += s * constant;
                        }
                    }
                },
            );
        }
        out
    }

    /// From the slope of the active products to that of the products, in place.
    fn activation_backward(&self, slope: &mut Array2<f32>, active: &Array2<f32>) {
        match self.config.activation {
            Activation::None => {}
            Activation::Softmax => softmax_rows_backward(slope, active),
            Activation::Sigmoid => slope.zip_mut_with(active, |d, a| *d *= a * (1.0 - a)),
            Activation::Tanh => slope.zip_mut_with(active, |d, a| *d *= 1.0 - a * a),
        }
    }

    /// Backward of the rows φ M̂: gradients of M̂'s varying rows and of what the identities were multiplied with before.
    fn rows_backward(&self, pass: &Pass, rows: &Array2<f32>, d_rows: &Array2<f32>, along: &mut Along, d: &mut Slopes) {
        let queries = self.config.queries;
        let varying = block(pass.features.phi.view(), 0..queries, 0..self.columns.varying());
        general_mat_mul(1.0, &varying.t(), d_rows, 1.0, &mut d.bilinear);
        let p = self.columns.all();
        let (Some(own), Some(slopes), Some(bilinear), Some(into)) =
            (rows.as_slice(), d_rows.as_slice(), self.bilinear.as_slice(), d.rows.as_slice_mut())
        else {
            return;
        };
        let normalised = self.columns.constant == 1;
        let of_constant = &bilinear[self.columns.history * p..][..p];
        simd(
            #[inline(always)]
            || {
                let scales = pass.features.inverse.iter().zip(&pass.features.mean);
                let lists = along.sums.iter_mut().zip(along.products.iter_mut());
                let rows = own.chunks_exact(p).zip(slopes.chunks_exact(p)).zip(into.chunks_exact_mut(p));
                for ((((own, slope), into), (r, m)), (sums, products)) in rows.zip(scales).zip(lists) {
                    for (to, s) in into.iter_mut().zip(slope) {
                        *to += r * s;
                    }
                    if normalised {
                        for (to, s) in d.rows_shift.iter_mut().zip(slope) {
                            *to -= r * m * s;
                        }
                        *sums += dot(slope, &self.bilinear_sums);
                        *products += dot(slope, own) - dot(slope, of_constant);
                    }
                }
            },
        );
    }

    /// Backward of φᵀ of value columns: the identity columns of one half of the gradient of φ (the other half, φ times `d_gram`,
    /// touches history only), and what both halves give along the features.
    fn gram_backward(&self, pass: &Pass, values: ArrayView2<'_, f32>, d_gram: &Array2<f32>) -> (Array2<f32>, Along) {
        let phi = &pass.features.phi;
        let (tokens, p) = phi.dim();
        let mut along = Along { sums: vec![0.0; tokens], products: vec![0.0; tokens] };
        if self.columns.constant == 0 {
            let mut d_phi = Array2::zeros((tokens, p));
            let of_identities = block(d_gram.view(), self.columns.varying()..p, 0..d_gram.ncols());
            general_mat_mul(1.0, &values, &of_identities.t(), 0.0, &mut self.identity_part(&mut d_phi));
            return (d_phi, along);
        }
        let d_phi = product(values, d_gram.t());
        let outputs = self.columns.outputs();
        let (constant, mut real) = (d_gram.column(outputs).to_vec(), vec![0.0f32; p]);
        for (sum, row) in real.iter_mut().zip(d_gram.outer_iter()) {
            *sum = row.iter().take(outputs).sum();
        }
        let at = self.columns.history;
        if let (Some(phi), Some(d_phi)) = (phi.as_slice(), d_phi.as_slice()) {
            simd(
                #[inline(always)]
                || {
                    let lists = along.sums.iter_mut().zip(along.products.iter_mut());
                    for ((row, slope), (sums, products)) in phi.chunks_exact(p).zip(d_phi.chunks_exact(p)).zip(lists) {
                        *sums = sum(slope) - slope[at] + dot(row, &real);
                        *products = 2.0 * dot(slope, row) - slope[at] - dot(row, &constant);
                    }
                },
            );
        }
        (d_phi, along)
    }

    /// What a unit adds of its own, backward: history columns only, so identities feel it through the normalisation alone.
    fn residual_backward(&self, own: ArrayView2<'_, f32>, slope: &Array2<f32>, along: &mut Along) {
        if self.columns.constant == 0 {
            return;
        }
        let outputs = self.columns.outputs();
        let lists = along.sums.iter_mut().zip(along.products.iter_mut());
        for ((own, slope), (sums, products)) in own.outer_iter().zip(slope.outer_iter()).zip(lists) {
            for (v, s) in own.iter().zip(&slope).take(outputs) {
                *sums += s;
                *products += s * v;
            }
        }
    }

    /// Backward of φ times what M̂ made of the products.
    fn sent_backward(&self, pass: &Pass, mapped: &Array2<f32>, d_out: &Array2<f32>, d_phi: &mut Array2<f32>, along: &mut Along) {
        let (p, outputs) = mapped.dim();
        if self.columns.constant == 1 {
            let at = self.columns.history;
            let mut real = vec![0.0f32; outputs];
            mapped.outer_iter().enumerate().filter(|(feature, _)| *feature != at).for_each(|(_, row)| {
                real.iter_mut().zip(&row).for_each(|(sum, v)| *sum += v);
            });
            let constant = mapped.row(at).to_vec();
            if let (Some(slopes), Some(out)) = (d_out.as_slice(), pass.out.as_slice()) {
                simd(
                    #[inline(always)]
                    || {
                        let lists = along.sums.iter_mut().zip(along.products.iter_mut());
                        let rows = slopes.chunks_exact(outputs.max(1)).zip(out.chunks_exact(outputs.max(1)));
                        for ((slope, out), (sums, products)) in rows.zip(lists) {
                            *sums += dot(slope, &real);
                            *products += dot(slope, out) - dot(slope, &constant);
                        }
                    },
                );
            }
        }
        let varying = self.columns.varying();
        let of_identities = block(mapped.view(), varying..p, 0..outputs);
        let mut into = block_mut(d_phi.view_mut(), 0..d_out.nrows(), varying..p);
        general_mat_mul(1.0, d_out, &of_identities.t(), 1.0, &mut into);
    }

    /// Sums and inner products of a whole gradient of φ.
    fn along_features(&self, d_phi: &Array2<f32>, pass: &Pass) -> Along {
        let (tokens, p) = d_phi.dim();
        let mut along = Along { sums: vec![0.0; tokens], products: vec![0.0; tokens] };
        if self.columns.constant == 0 {
            return along;
        }
        let at = self.columns.history;
        if let (Some(slopes), Some(phi)) = (d_phi.as_slice(), pass.features.phi.as_slice()) {
            simd(
                #[inline(always)]
                || {
                    let lists = along.sums.iter_mut().zip(along.products.iter_mut());
                    for ((slope, row), (sums, products)) in slopes.chunks_exact(p).zip(phi.chunks_exact(p)).zip(lists) {
                        *sums = sum(slope) - slope[at];
                        *products = dot(slope, row) - slope[at];
                    }
                },
            );
        }
        along
    }

    /// ∂e = r (∂ẑ_e − Σ∂ẑ / D − ẑ_e Σ(∂ẑ ẑ) / D).
    fn identity_backward(&self, pass: &Pass, d_phi: &Array2<f32>, along: &Along, d: &mut Slopes) {
        let (p, first, e) = (self.columns.all(), self.columns.varying(), self.columns.identity);
        let width = self.config.width() as f32;
        let (Some(slopes), Some(phi), Some(into)) = (d_phi.as_slice(), pass.features.phi.as_slice(), d.identity.as_slice_mut()) else {
            return;
        };
        simd(
            #[inline(always)]
            || {
                let lists = along.sums.iter().zip(&along.products).zip(&pass.features.inverse);
                let rows = slopes.chunks_exact(p).zip(phi.chunks_exact(p)).zip(into.chunks_exact_mut(e));
                for (((slope, row), into), ((sums, products), r)) in rows.zip(lists) {
                    let (mean, along) = (sums / width, products / width);
                    for ((to, s), v) in into.iter_mut().zip(&slope[first..]).zip(&row[first..]) {
                        *to += r * (s - mean - v * along);
                    }
                }
            },
        );
    }
}

impl Prior {
    /// Cell types of an entry, its variance, and how far A is from its mean.
    fn entry(&self, (receiving, sending): (usize, usize), attention: f32) -> ([usize; 2], f32, f32) {
        let kinds = [self.types[receiving], self.types[sending]];
        let sd = self.sd[kinds];
        (kinds, (sd * sd).max(SMALLEST_VARIANCE as f32), attention - self.mean[kinds])
    }

    /// Sum over entries of ½ (log σ² + (A − μ)² / σ²). `active` is A before the scale `factor`.
    fn sum(&self, active: &Array2<f32>, factor: f32) -> f64 {
        let term = |(at, a): ((usize, usize), &f32)| {
            let (_, variance, off) = self.entry(at, a * factor);
            0.5 * f64::from(variance.ln() + off * off / variance)
        };
        active.indexed_iter().map(term).sum()
    }

    /// Add its slope with respect to A before scale, and the gradients of μ and σ; `scale` is the weight of an entry.
    fn backward(&self, active: &Array2<f32>, factor: f32, scale: f32, slope: &mut Array2<f32>, d: &mut Slopes) {
        for ((at, a), slope) in active.indexed_iter().zip(slope.iter_mut()) {
            let (kinds, variance, off) = self.entry(at, a * factor);
            *slope += scale * factor * off / variance;
            d.type_mean[kinds] -= scale * off / variance;
            let sd = self.sd[kinds];
            if f64::from(sd * sd) >= SMALLEST_VARIANCE {
                d.type_sd[kinds] += scale * sd * (1.0 / variance - off * off / (variance * variance));
            }
        }
    }
}
