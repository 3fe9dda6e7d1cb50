//! The Transformer encoder of the GLM-Transformer (post-norm, GELU, mean over tokens, latent head), forward and backward, a
//! few trials at a time so that activations stay in cache. Attention runs over the tokens of one trial.

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis, linalg::general_mat_mul};
use rayon::prelude::*;

use super::rows::add_column_sums;
use super::{block, block_mut, exp, gelu};

/// Trials handled together; also the unit of parallel work, so results do not depend on the number of threads.
const CHUNK: usize = 8;
const NORM_EPSILON: f32 = 1e-5;

/// Weight `[inputs, outputs]` and bias of a linear layer, or their gradients.
#[derive(Debug, Clone)]
pub struct Affine {
    /// `[inputs, outputs]`.
    pub weight: Array2<f32>,
    /// `[outputs]`.
    pub bias: Array1<f32>,
}

/// Parameters of one layer, or their gradients.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Query, key, value.
    pub qkv: Affine,
    /// Attention output.
    pub proj: Affine,
    /// Scale and shift after attention.
    pub ln_attn: (Array1<f32>, Array1<f32>),
    /// Feed-forward in.
    pub ff_in: Affine,
    /// Feed-forward out.
    pub ff_out: Affine,
    /// Scale and shift after the feed-forward.
    pub ln_ff: (Array1<f32>, Array1<f32>),
}

/// Parameters of the encoder, or their gradients.
#[derive(Debug, Clone)]
pub struct Encoder {
    /// Token embedding per area.
    pub read_in: Vec<Affine>,
    /// Layers, shared by areas.
    pub layers: Vec<Layer>,
    /// Latent head `[d, 2 D]`.
    pub to_latent: Affine,
    /// Heads.
    pub heads: usize,
}

/// What a forward pass keeps for the backward pass.
pub struct Kept {
    chunks: Vec<Chunk>,
}

struct Chunk {
    area: usize,
    trials: std::ops::Range<usize>,
    tokens: Array2<f32>,
    layers: Vec<KeptLayer>,
    pooled: Array2<f32>,
}

struct KeptLayer {
    input: Array2<f32>,
    qkv: Array2<f32>,
    attention: Vec<Array2<f32>>,
    mixed: Array2<f32>,
    attn_norm: KeptNorm,
    middle: Array2<f32>,
    slope: Array2<f32>,
    activated: Array2<f32>,
    ff_norm: KeptNorm,
}

struct KeptNorm {
    unit: Array2<f32>,
    inverse_sd: Vec<f32>,
}

impl Encoder {
    /// Latent head outputs `[M, A · 2D]` (area after area; per area D means, then D log-variances) of token counts given per
    /// trial as `[tokens, all units]`; `columns` are the units of every area and `positions` is `[tokens, d]`.
    pub fn forward(
        &self,
        tokens: &[Array2<f32>],
        columns: &[std::ops::Range<usize>],
        positions: &Array2<f32>,
        keep: bool,
    ) -> (Array2<f32>, Kept) {
        let outputs = self.to_latent.bias.len();
        let work: Vec<(usize, std::ops::Range<usize>)> = (0..columns.len())
            .flat_map(|area| (0..tokens.len()).step_by(CHUNK).map(move |first| (area, first..(first + CHUNK).min(tokens.len()))))
            .collect();
        let done: Vec<(Array2<f32>, Chunk)> = work
            .into_par_iter()
            .map(|(area, trials)| self.forward_chunk(&tokens[trials.clone()], &columns[area], positions, area, trials, keep))
            .collect();
        let mut latent = Array2::zeros((tokens.len(), columns.len() * outputs));
        let mut chunks = Vec::with_capacity(done.len());
        for (out, chunk) in done {
            block_mut(latent.view_mut(), chunk.trials.clone(), chunk.area * outputs..(chunk.area + 1) * outputs).assign(&out);
            chunks.push(chunk);
        }
        (latent, Kept { chunks })
    }

    fn forward_chunk(
        &self,
        tokens: &[Array2<f32>],
        columns: &std::ops::Range<usize>,
        positions: &Array2<f32>,
        area: usize,
        trials: std::ops::Range<usize>,
        keep: bool,
    ) -> (Array2<f32>, Chunk) {
        let (per_trial, width) = positions.dim();
        let mut own = Array2::<f32>::zeros((tokens.len() * per_trial, columns.len()));
        for (trial, mut rows) in tokens.iter().zip(own.axis_chunks_iter_mut(Axis(0), per_trial.max(1))) {
            rows.assign(&block(trial.view(), 0..per_trial, columns.clone()));
        }
        let mut x = self.read_in[area].apply(own.view());
        for mut rows in x.axis_chunks_iter_mut(Axis(0), per_trial.max(1)) {
            rows += positions;
        }
        let mut layers = Vec::new();
        for layer in &self.layers {
            let (next, kept) = layer.forward(x, per_trial, self.heads);
            if keep {
                layers.push(kept);
            }
            x = next;
        }
        let mut pooled = Array2::<f32>::zeros((tokens.len(), width));
        for (rows, mut mean) in x.axis_chunks_iter(Axis(0), per_trial.max(1)).zip(pooled.outer_iter_mut()) {
            rows.outer_iter().for_each(|row| mean += &row);
            mean /= per_trial as f32;
        }
        let latent = self.to_latent.apply(pooled.view());
        (latent, Chunk { area, trials, tokens: own, layers, pooled })
    }

    /// Gradients of all parameters given the gradient `[M, A · 2D]` of the outputs of a forward pass that kept its activations.
    pub fn backward(&self, kept: &Kept, gradient: ArrayView2<'_, f32>, tokens_per_trial: usize) -> Self {
        let outputs = self.to_latent.bias.len();
        let partial: Vec<Self> = kept
            .chunks
            .par_iter()
            .map(|chunk| {
                let here = block(gradient, chunk.trials.clone(), chunk.area * outputs..(chunk.area + 1) * outputs);
                self.backward_chunk(chunk, here, tokens_per_trial)
            })
            .collect();
        let mut total = self.zeros();
        for part in &partial {
            total.add(part);
        }
        total
    }

    fn backward_chunk(&self, chunk: &Chunk, gradient: ArrayView2<'_, f32>, per_trial: usize) -> Self {
        let mut d = self.zeros();
        let d_pooled = self.to_latent.backward(chunk.pooled.view(), gradient, &mut d.to_latent);
        let mut dx = Array2::<f32>::zeros((chunk.tokens.nrows(), d_pooled.ncols()));
        for (mut rows, mean) in dx.axis_chunks_iter_mut(Axis(0), per_trial.max(1)).zip(d_pooled.outer_iter()) {
            let share = &mean / per_trial as f32;
            rows.outer_iter_mut().for_each(|mut row| row.assign(&share));
        }
        for ((layer, kept), d_layer) in self.layers.iter().zip(&chunk.layers).zip(&mut d.layers).rev() {
            dx = layer.backward(kept, dx, per_trial, self.heads, d_layer);
        }
        self.read_in[chunk.area].backward_weights(chunk.tokens.view(), dx.view(), &mut d.read_in[chunk.area]);
        d
    }

    fn zeros(&self) -> Self {
        Self {
            read_in: self.read_in.iter().map(Affine::zeros).collect(),
            layers: self.layers.iter().map(Layer::zeros).collect(),
            to_latent: self.to_latent.zeros(),
            heads: self.heads,
        }
    }

    fn add(&mut self, other: &Self) {
        self.read_in.iter_mut().zip(&other.read_in).for_each(|(a, b)| a.add(b));
        self.layers.iter_mut().zip(&other.layers).for_each(|(a, b)| a.add(b));
        self.to_latent.add(&other.to_latent);
    }
}

impl Affine {
    pub(super) fn apply(&self, x: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut y = Array2::zeros((x.nrows(), self.bias.len()));
        y += &self.bias;
        general_mat_mul(1.0, &x, &self.weight, 1.0, &mut y);
        y
    }

    /// Adds to the gradients and returns the gradient of the input.
    pub(super) fn backward(&self, x: ArrayView2<'_, f32>, dy: ArrayView2<'_, f32>, into: &mut Self) -> Array2<f32> {
        self.backward_weights(x, dy, into);
        let mut dx = Array2::zeros((dy.nrows(), self.weight.nrows()));
        general_mat_mul(1.0, &dy, &self.weight.t(), 0.0, &mut dx);
        dx
    }

    pub(super) fn backward_weights(&self, x: ArrayView2<'_, f32>, dy: ArrayView2<'_, f32>, into: &mut Self) {
        general_mat_mul(1.0, &x.t(), &dy, 1.0, &mut into.weight);
        if let Some(bias) = into.bias.as_slice_mut() {
            add_column_sums(dy, bias);
        }
    }

    pub(super) fn zeros(&self) -> Self {
        Self { weight: Array2::zeros(self.weight.raw_dim()), bias: Array1::zeros(self.bias.raw_dim()) }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.weight += &other.weight;
        self.bias += &other.bias;
    }
}

impl Layer {
    fn forward(&self, input: Array2<f32>, per_trial: usize, heads: usize) -> (Array2<f32>, KeptLayer) {
        let qkv = self.qkv.apply(input.view());
        let width = input.ncols();
        let mut mixed = Array2::zeros(input.raw_dim());
        let mut attention = Vec::new();
        let head_width = width / heads;
        for first in (0..input.nrows()).step_by(per_trial.max(1)) {
            for head in 0..heads {
                let part = |which: usize| {
                    block(qkv.view(), first..first + per_trial, which * width + head * head_width..which * width + (head + 1) * head_width)
                };
                let mut weights = Array2::zeros((per_trial, per_trial));
                general_mat_mul(1.0 / (head_width as f32).sqrt(), &part(0), &part(1).t(), 0.0, &mut weights);
                softmax(&mut weights);
                let mut out = block_mut(mixed.view_mut(), first..first + per_trial, head * head_width..(head + 1) * head_width);
                general_mat_mul(1.0, &weights, &part(2), 0.0, &mut out);
                attention.push(weights);
            }
        }
        let mut summed = self.proj.apply(mixed.view());
        summed += &input;
        let (middle, attn_norm) = normalise(summed, &self.ln_attn);
        let mut activated = self.ff_in.apply(middle.view());
        let mut slope = Array2::zeros(activated.raw_dim());
        activate(activated.view_mut(), slope.view_mut());
        let mut summed = self.ff_out.apply(activated.view());
        summed += &middle;
        let (output, ff_norm) = normalise(summed, &self.ln_ff);
        (output, KeptLayer { input, qkv, attention, mixed, attn_norm, middle, slope, activated, ff_norm })
    }

    fn backward(&self, kept: &KeptLayer, dy: Array2<f32>, per_trial: usize, heads: usize, d: &mut Self) -> Array2<f32> {
        let d_sum = normalise_backward(dy, &kept.ff_norm, &self.ln_ff.0, &mut d.ln_ff);
        let mut d_hidden = self.ff_out.backward(kept.activated.view(), d_sum.view(), &mut d.ff_out);
        d_hidden *= &kept.slope;
        let mut d_middle = self.ff_in.backward(kept.middle.view(), d_hidden.view(), &mut d.ff_in);
        d_middle += &d_sum;
        let d_sum = normalise_backward(d_middle, &kept.attn_norm, &self.ln_attn.0, &mut d.ln_attn);
        let d_mixed = self.proj.backward(kept.mixed.view(), d_sum.view(), &mut d.proj);
        let d_qkv = attention_backward(kept, &d_mixed, per_trial, heads);
        let mut d_input = self.qkv.backward(kept.input.view(), d_qkv.view(), &mut d.qkv);
        d_input += &d_sum;
        d_input
    }

    fn zeros(&self) -> Self {
        let norm = |n: &(Array1<f32>, Array1<f32>)| (Array1::zeros(n.0.raw_dim()), Array1::zeros(n.1.raw_dim()));
        Self {
            qkv: self.qkv.zeros(),
            proj: self.proj.zeros(),
            ln_attn: norm(&self.ln_attn),
            ff_in: self.ff_in.zeros(),
            ff_out: self.ff_out.zeros(),
            ln_ff: norm(&self.ln_ff),
        }
    }

    fn add(&mut self, other: &Self) {
        self.qkv.add(&other.qkv);
        self.proj.add(&other.proj);
        self.ff_in.add(&other.ff_in);
        self.ff_out.add(&other.ff_out);
        for (a, b) in [(&mut self.ln_attn, &other.ln_attn), (&mut self.ln_ff, &other.ln_ff)] {
            a.0 += &b.0;
            a.1 += &b.1;
        }
    }
}

fn attention_backward(kept: &KeptLayer, d_mixed: &Array2<f32>, per_trial: usize, heads: usize) -> Array2<f32> {
    let width = d_mixed.ncols();
    let head_width = width / heads;
    let scale = 1.0 / (head_width as f32).sqrt();
    let mut d_qkv = Array2::zeros(kept.qkv.raw_dim());
    for (at, weights) in kept.attention.iter().enumerate() {
        let (first, head) = (at / heads * per_trial, at % heads);
        let (rows, columns) =
            (first..first + per_trial, |which: usize| which * width + head * head_width..which * width + (head + 1) * head_width);
        let part = |which: usize| block(kept.qkv.view(), rows.clone(), columns(which));
        let d_out = block(d_mixed.view(), rows.clone(), head * head_width..(head + 1) * head_width);
        general_mat_mul(1.0, &weights.t(), &d_out, 0.0, &mut block_mut(d_qkv.view_mut(), rows.clone(), columns(2)));
        let mut d_weights = Array2::<f32>::zeros((per_trial, per_trial));
        general_mat_mul(1.0, &d_out, &part(2).t(), 0.0, &mut d_weights);
        for (mut d_row, row) in d_weights.outer_iter_mut().zip(weights.outer_iter()) {
            let dot = d_row.dot(&row);
            d_row.zip_mut_with(&row, |d, w| *d = (*d - dot) * w);
        }
        general_mat_mul(scale, &d_weights, &part(1), 0.0, &mut block_mut(d_qkv.view_mut(), rows.clone(), columns(0)));
        general_mat_mul(scale, &d_weights.t(), &part(0), 0.0, &mut block_mut(d_qkv.view_mut(), rows.clone(), columns(1)));
    }
    d_qkv
}

fn softmax(rows: &mut Array2<f32>) {
    for mut row in rows.outer_iter_mut() {
        let highest = row.fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        row.mapv_inplace(|x| exp(x - highest));
        let sum = row.sum();
        row /= sum;
    }
}

fn activate(mut values: ArrayViewMut2<'_, f32>, mut slopes: ArrayViewMut2<'_, f32>) {
    if let (Some(values), Some(slopes)) = (values.as_slice_mut(), slopes.as_slice_mut()) {
        pulp::Arch::new().dispatch(|| {
            for (v, s) in values.iter_mut().zip(slopes.iter_mut()) {
                (*v, *s) = gelu(*v);
            }
        });
    }
}

fn normalise(mut x: Array2<f32>, (gamma, beta): &(Array1<f32>, Array1<f32>)) -> (Array2<f32>, KeptNorm) {
    let width = x.ncols() as f32;
    let mut inverse_sd = Vec::with_capacity(x.nrows());
    for mut row in x.outer_iter_mut() {
        let mean = row.sum() / width;
        row.mapv_inplace(|v| v - mean);
        let variance = row.fold(0.0, |sum, v| sum + v * v) / width;
        let inverse = 1.0 / (variance + NORM_EPSILON).sqrt();
        row.mapv_inplace(|v| v * inverse);
        inverse_sd.push(inverse);
    }
    let mut y = x.clone();
    y *= gamma;
    y += beta;
    (y, KeptNorm { unit: x, inverse_sd })
}

fn normalise_backward(mut dy: Array2<f32>, kept: &KeptNorm, gamma: &Array1<f32>, d: &mut (Array1<f32>, Array1<f32>)) -> Array2<f32> {
    let width = dy.ncols() as f32;
    for ((mut row, unit), inverse) in dy.outer_iter_mut().zip(kept.unit.outer_iter()).zip(&kept.inverse_sd) {
        d.1 += &row;
        let (mut mean, mut along) = (0.0f32, 0.0f32);
        ndarray::Zip::from(&mut row).and(&unit).and(gamma).and(&mut d.0).for_each(|r, &u, &g, dg| {
            *dg += *r * u;
            *r *= g;
            mean += *r;
            along += *r * u;
        });
        let (mean, along) = (mean / width, along / width);
        row.zip_mut_with(&unit, |r, u| *r = inverse * (*r - mean - u * along));
    }
    dy
}
