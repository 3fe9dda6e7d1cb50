//! Parameters as the fused form uses them, read once per step. The input normalisation z = γ ẑ + β is folded away: with features
//! φ = (ẑ of the history | 1 | ẑ of the identity), z = Tᵀ φ, and A needs only M̂ = T W_Qᵀ W_K Tᵀ `[P, P]`. Values are
//! v = (ẑ of the history | 1) times a diagonal and a row, so gradients of γ and β come out of small matrices.

use std::ops::Range;

use burn::tensor::Device;
use ndarray::{Array1, Array2, ArrayView2, Axis, linalg::general_mat_mul};
use rayon::prelude::*;

use super::{Form, NetFormerConfig, NetFormerNet};
use crate::models::DeviceFailed;
use crate::models::adam::Gradients;
use crate::models::host::{array2, of_trained, tensor1, tensor2, vector};
use crate::models::kernels::{block, block_mut};
use crate::models::params::PlainDevice;

/// Where things are among the features.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) history: usize,
    pub(super) identity: usize,
    /// 1 with layer normalisation, else 0: the constant feature, behind the history.
    pub(super) constant: usize,
    /// Columns that make values.
    pub(super) values: Range<usize>,
}

impl Columns {
    fn new(config: &NetFormerConfig) -> Self {
        let constant = usize::from(config.layer_norm);
        let values = config.first_value()..config.history + constant;
        Self { history: config.history, identity: config.identity, constant, values }
    }

    /// P.
    pub(super) fn all(&self) -> usize {
        self.history + self.constant + self.identity
    }

    /// Columns that change from window to window; identities follow.
    pub(super) fn varying(&self) -> usize {
        self.history + self.constant
    }

    /// Value columns without the constant.
    pub(super) fn outputs(&self) -> usize {
        self.values.len() - self.constant
    }

    /// Column of a width-D vector for a feature; `None` for the constant.
    fn of_feature(&self, feature: usize) -> Option<usize> {
        match self.constant {
            0 => Some(feature),
            _ if feature < self.history => Some(feature),
            _ if feature == self.history => None,
            _ => Some(feature - 1),
        }
    }
}

/// Input normalisation, and that of the output's last column.
struct Norms {
    gamma: Array1<f32>,
    beta: Array1<f32>,
    out_gamma: Array1<f32>,
    out_beta: Array1<f32>,
}

/// The cell-type prior.
pub(super) struct Prior {
    pub(super) types: Vec<usize>,
    pub(super) weight: f64,
    pub(super) mean: Array2<f32>,
    pub(super) sd: Array2<f32>,
}

/// Parameters ready for use.
pub(super) struct Folded {
    pub(super) config: NetFormerConfig,
    pub(super) columns: Columns,
    /// M̂ `[P, P]`.
    pub(super) bilinear: Array2<f32>,
    /// Sums of M̂ over all rows but the constant's `[P]`.
    pub(super) bilinear_sums: Vec<f32>,
    /// Identities `[S, E]`, their means and sums of squares about them.
    pub(super) identity: Array2<f32>,
    pub(super) identity_mean: Vec<f32>,
    pub(super) identity_squares: Vec<f32>,
    /// Identities of queries times M̂'s identity rows `[queries, P]`, and the sums of those rows `[P]`.
    pub(super) rows: Array2<f32>,
    pub(super) rows_shift: Vec<f32>,
    /// γ and β of value columns; empty without layer normalisation.
    pub(super) value_scale: Vec<f32>,
    pub(super) value_shift: Vec<f32>,
    /// γ and β of the output's last column.
    pub(super) out_scale: f32,
    pub(super) out_shift: f32,
    /// Added to predictions `[queries]`; empty without.
    pub(super) offset: Vec<f32>,
    pub(super) prior: Option<Prior>,
    query: Array2<f32>,
    key: Array2<f32>,
    product: Array2<f32>,
    norms: Option<Norms>,
}

/// Gradients with respect to what [`Folded`] holds, of a sum over windows.
#[derive(Clone)]
pub(super) struct Slopes {
    /// Of M̂ `[P, P]`, or of its varying rows only where tokens meet M̂ through [`Folded::rows`].
    pub(super) bilinear: Array2<f32>,
    pub(super) rows: Array2<f32>,
    pub(super) rows_shift: Vec<f32>,
    pub(super) identity: Array2<f32>,
    pub(super) value_scale: Vec<f32>,
    pub(super) value_shift: Vec<f32>,
    pub(super) out_scale: f32,
    pub(super) out_shift: f32,
    pub(super) offset: Vec<f32>,
    pub(super) type_mean: Array2<f32>,
    pub(super) type_sd: Array2<f32>,
    /// Sums of the loss's two terms.
    pub(super) fit: f64,
    pub(super) prior: f64,
}

impl Folded {
    /// Read a network.
    pub(super) fn read(net: &NetFormerNet, config: &NetFormerConfig) -> Result<Self, DeviceFailed> {
        let columns = Columns::new(config);
        let (query, key) = (array2(net.query.weight.val())?, array2(net.key.weight.val())?);
        let norms = match (&net.ln_in, &net.ln_out) {
            (Some(within), Some(out)) => Some(Norms {
                gamma: vector(&within.gamma)?,
                beta: vector(&within.beta)?,
                out_gamma: vector(&out.gamma)?,
                out_beta: vector(&out.beta)?,
            }),
            _ => None,
        };
        let prior = match (&config.constraint, &net.type_mean, &net.type_sd) {
            (Some(c), Some(mean), Some(sd)) if c.weight != 0.0 => {
                Some(Prior { types: c.types.clone(), weight: c.weight, mean: array2(mean.val())?, sd: array2(sd.val())? })
            }
            _ => None,
        };
        let product = multiply(query.view(), key.t());
        let bilinear = match &norms {
            Some(norms) => fold(&columns, norms, &fold(&columns, norms, &product).reversed_axes().as_standard_layout().into_owned())
                .reversed_axes()
                .as_standard_layout()
                .into_owned(),
            None => product.clone(),
        };
        let mut bilinear_sums = vec![0.0f32; columns.all()];
        for (feature, row) in bilinear.outer_iter().enumerate() {
            if columns.of_feature(feature).is_some() {
                bilinear_sums.iter_mut().zip(&row).for_each(|(s, v)| *s += v);
            }
        }
        let identity = array2(net.identity.val())?;
        let (identity_mean, identity_squares) = identity
            .outer_iter()
            .map(|row| {
                let mean = row.sum() / row.len().max(1) as f32;
                (mean, row.iter().map(|e| (e - mean) * (e - mean)).sum::<f32>())
            })
            .unzip();
        let of_identities = block(bilinear.view(), columns.varying()..columns.all(), 0..columns.all());
        let rows_shift = of_identities.sum_axis(Axis(0)).to_vec();
        let rows = multiply(block(identity.view(), 0..config.queries, 0..columns.identity), of_identities);
        let last = |values: &Array1<f32>| values.iter().last().copied().unwrap_or_default();
        let (out_scale, out_shift) = norms.as_ref().map_or((1.0, 0.0), |n| (last(&n.out_gamma), last(&n.out_beta)));
        let of_values = |values: &Array1<f32>| values.iter().take(columns.history).copied().collect::<Vec<f32>>();
        let (value_scale, value_shift) = norms.as_ref().map_or((Vec::new(), Vec::new()), |n| (of_values(&n.gamma), of_values(&n.beta)));
        Ok(Self {
            config: config.clone(),
            columns,
            bilinear,
            bilinear_sums,
            identity,
            identity_mean,
            identity_squares,
            rows,
            rows_shift,
            value_scale,
            value_shift,
            out_scale,
            out_shift,
            offset: net.offset.as_ref().map(vector).transpose()?.map(|o| o.to_vec()).unwrap_or_default(),
            prior,
            query,
            key,
            product,
            norms,
        })
    }

    /// Nothing yet.
    pub(super) fn slopes(&self, form: Form) -> Slopes {
        let (p, through_rows) = (self.columns.all(), form != Form::Gram);
        let kinds = self.prior.as_ref().map_or(0, |prior| prior.mean.nrows());
        Slopes {
            bilinear: Array2::zeros((if through_rows { self.columns.varying() } else { p }, p)),
            rows: Array2::zeros((if through_rows { self.config.queries } else { 0 }, p)),
            rows_shift: vec![0.0; p],
            identity: Array2::zeros(self.identity.raw_dim()),
            value_scale: vec![0.0; self.value_scale.len()],
            value_shift: vec![0.0; self.value_shift.len()],
            out_scale: 0.0,
            out_shift: 0.0,
            offset: vec![0.0; self.offset.len()],
            type_mean: Array2::zeros((kinds, kinds)),
            type_sd: Array2::zeros((kinds, kinds)),
            fit: 0.0,
            prior: 0.0,
        }
    }

    /// Gradients of the network's own parameters, on its device, without autodiff.
    pub(super) fn unfold(&self, net: &NetFormerNet, mut d: Slopes) -> Gradients {
        let device = net.identity.val().device().inner_if_autodiff();
        let columns = &self.columns;
        let whole = if d.bilinear.nrows() == columns.all() { d.bilinear.clone() } else { self.through_rows(&mut d) };
        let d_product = match &self.norms {
            Some(norms) => fold_back(columns, norms, &whole),
            None => whole.clone(),
        };
        let mut gradients = Gradients::new();
        gradients.add(net.identity.id, tensor2(&d.identity, &device));
        gradients.add(net.query.weight.id, tensor2(&multiply(d_product.view(), self.key.view()), &device));
        gradients.add(net.key.weight.id, tensor2(&multiply(d_product.t(), self.query.view()), &device));
        if let (Some(norms), Some(within), Some(out)) = (&self.norms, &net.ln_in, &net.ln_out) {
            let (mut gamma, mut beta) = self.norm_slopes(norms, &whole);
            gamma.iter_mut().zip(&d.value_scale).for_each(|(g, v)| *g += v);
            beta.iter_mut().zip(&d.value_shift).for_each(|(b, v)| *b += v);
            gradients.add(within.gamma.id, tensor1(&gamma, &device));
            gradients.add(within.beta.id, tensor1(&beta, &device));
            let only_last = |value: f32| {
                let mut all = Array1::zeros(columns.history);
                all.iter_mut().last().into_iter().for_each(|last| *last = value);
                all
            };
            add_vector(&mut gradients, &out.gamma, &only_last(d.out_scale), &device);
            add_vector(&mut gradients, &out.beta, &only_last(d.out_shift), &device);
        }
        if let Some(offset) = &net.offset {
            add_vector(&mut gradients, offset, &Array1::from_vec(d.offset), &device);
        }
        if let (Some(mean), Some(sd), true) = (&net.type_mean, &net.type_sd, self.prior.is_some()) {
            gradients.add(mean.id, tensor2(&d.type_mean, &device));
            gradients.add(sd.id, tensor2(&d.type_sd, &device));
        }
        of_trained(net, gradients)
    }

    /// The gradient of all of M̂ where tokens met its identity rows through [`Self::rows`]; adds what identities get that way.
    fn through_rows(&self, d: &mut Slopes) -> Array2<f32> {
        let (p, varying, queries) = (self.columns.all(), self.columns.varying(), self.config.queries);
        let of_queries = block(self.identity.view(), 0..queries, 0..self.columns.identity);
        let mut below = multiply(of_queries.t(), d.rows.view());
        below.outer_iter_mut().for_each(|mut row| row.iter_mut().zip(&d.rows_shift).for_each(|(v, s)| *v += s));
        let of_identities = block(self.bilinear.view(), varying..p, 0..p);
        let more = multiply(d.rows.view(), of_identities.t());
        let mut of_queries = block_mut(d.identity.view_mut(), 0..queries, 0..self.columns.identity);
        of_queries += &more;
        let mut whole = Array2::zeros((p, p));
        block_mut(whole.view_mut(), 0..varying, 0..p).assign(&d.bilinear);
        block_mut(whole.view_mut(), varying..p, 0..p).assign(&below);
        whole
    }

    /// Gradients of γ and β `[D]` through M̂ = T M Tᵀ.
    fn norm_slopes(&self, norms: &Norms, d: &Array2<f32>) -> (Array1<f32>, Array1<f32>) {
        let width = self.config.width();
        let left = fold(&self.columns, norms, &self.product);
        let right = fold(&self.columns, norms, &self.product.t().as_standard_layout().into_owned());
        let (mut gamma, mut beta) = (Array1::<f32>::zeros(width), Array1::<f32>::zeros(width));
        let constant = self.columns.history;
        // Row p of dT is Σ_p' d[p, p'] right[p', ·] + d[p', p] left[p', ·]; its diagonal and the constant's row are wanted.
        for (other, (left, right)) in left.outer_iter().zip(right.outer_iter()).enumerate() {
            for feature in 0..self.columns.all() {
                if let Some(at) = self.columns.of_feature(feature) {
                    gamma[at] += d[[feature, other]] * right[at] + d[[other, feature]] * left[at];
                }
            }
            beta.scaled_add(d[[constant, other]], &right);
            beta.scaled_add(d[[other, constant]], &left);
        }
        (gamma, beta)
    }
}

impl Slopes {
    /// Add those of other windows.
    pub(super) fn add(&mut self, other: &Self) {
        self.bilinear += &other.bilinear;
        self.rows += &other.rows;
        self.identity += &other.identity;
        self.type_mean += &other.type_mean;
        self.type_sd += &other.type_sd;
        for (to, from) in [
            (&mut self.rows_shift, &other.rows_shift),
            (&mut self.value_scale, &other.value_scale),
            (&mut self.value_shift, &other.value_shift),
            (&mut self.offset, &other.offset),
        ] {
            to.iter_mut().zip(from).for_each(|(t, f)| *t += f);
        }
        self.out_scale += other.out_scale;
        self.out_shift += other.out_shift;
        self.fit += other.fit;
        self.prior += other.prior;
    }
}

fn add_vector(gradients: &mut Gradients, param: &burn::module::Param<burn::tensor::Tensor<1>>, value: &Array1<f32>, device: &Device) {
    gradients.add(param.id, tensor1(value, device));
}

/// T times a matrix `[D, ·]`: rows scaled by γ, and the constant's row β times the matrix.
fn fold(columns: &Columns, norms: &Norms, matrix: &Array2<f32>) -> Array2<f32> {
    let mut out = Array2::zeros((columns.all(), matrix.ncols()));
    for (feature, mut row) in out.outer_iter_mut().enumerate() {
        match columns.of_feature(feature) {
            Some(at) => row.scaled_add(norms.gamma[at], &matrix.row(at)),
            None => row.assign(&norms.beta.dot(matrix)),
        }
    }
    out
}

/// Tᵀ times a matrix `[P, P]` times T.
fn fold_back(columns: &Columns, norms: &Norms, matrix: &Array2<f32>) -> Array2<f32> {
    let half = |matrix: &Array2<f32>| {
        let mut out = Array2::zeros((norms.gamma.len(), matrix.ncols()));
        for (feature, row) in matrix.outer_iter().enumerate() {
            match columns.of_feature(feature) {
                Some(at) => out.row_mut(at).scaled_add(norms.gamma[at], &row),
                None => out.outer_iter_mut().zip(&norms.beta).for_each(|(mut out, beta)| out.scaled_add(*beta, &row)),
            }
        }
        out
    };
    let first = half(matrix).reversed_axes().as_standard_layout().into_owned();
    half(&first).reversed_axes().as_standard_layout().into_owned()
}

/// Rows of a product computed together; fixed, so that results do not depend on the number of threads.
const ROWS: usize = 64;

/// a b, on all threads.
pub(super) fn multiply(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut out = Array2::zeros((a.nrows(), b.ncols()));
    if out.len() < ROWS * ROWS {
        general_mat_mul(1.0, &a, &b, 0.0, &mut out);
        return out;
    }
    let blocks: Vec<_> = a.axis_chunks_iter(Axis(0), ROWS).zip(out.axis_chunks_iter_mut(Axis(0), ROWS)).collect();
    blocks.into_par_iter().for_each(|(a, mut out)| general_mat_mul(1.0, &a, &b, 0.0, &mut out));
    out
}
