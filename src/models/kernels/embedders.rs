//! The two linear embedders of STNDT, of bins and of units, and the contrastive term that compares their outputs for two
//! augmented views. The term needs no pass through the layers.

use ndarray::{Array2, Array3, ArrayView2, Axis, linalg::general_mat_mul};
use rayon::prelude::*;

use super::contrast::info_nce;
use super::encoder::Affine;
use super::{block, block_mut};

/// Trials handled together by one thread.
const GROUP: usize = 4;

/// Features of one input, when there is such an embedder.
type Embed = dyn Fn(&Embedders, &Array2<f32>) -> Option<Array2<f32>> + Sync;
/// Adds to the gradients given an input and the gradient of its features.
type Back = dyn Fn(&Embedders, &Array2<f32>, Array2<f32>, &mut Embedders) + Sync;

/// Weights of the embedders, or their gradients.
#[derive(Debug, Clone)]
pub struct Embedders {
    /// Of bins `[N, N]`; `None` takes counts as they are.
    pub time: Option<Affine>,
    /// Of units `[T, T]`; `None` without spatial branch.
    pub space: Option<Affine>,
}

impl Embedders {
    /// Embedded bins of stacked inputs `[trials · T, N]`, before codes and dropout.
    pub(super) fn bins(&self, input: &Array2<f32>) -> Array2<f32> {
        let scale = (input.ncols() as f32).sqrt();
        match &self.time {
            Some(embed) => embed.apply(input.view()) * scale,
            None => input * scale,
        }
    }

    /// Embedded units of stacked inputs `[trials · T, N]`, before codes and dropout, in the layout `[trials · T, N]`.
    pub(super) fn units(&self, input: &Array2<f32>) -> Option<Array2<f32>> {
        let embed = self.space.as_ref()?;
        let (t, n) = (embed.bias.len(), input.ncols());
        let scale = (t as f32).sqrt();
        let mut out = Array2::<f32>::zeros(input.raw_dim());
        for first in (0..input.nrows()).step_by(t.max(1)) {
            let mut own = block_mut(out.view_mut(), first..first + t, 0..n);
            own.axis_iter_mut(Axis(0)).zip(&embed.bias).for_each(|(mut row, &bias)| row.fill(bias * scale));
            general_mat_mul(scale, &embed.weight.t(), &block(input.view(), first..first + t, 0..n), 1.0, &mut own);
        }
        Some(out)
    }

    /// Adds to the gradients given that of [`Self::bins`].
    pub(super) fn bins_backward(&self, input: &Array2<f32>, mut slope: Array2<f32>, into: &mut Self) {
        if let (Some(embed), Some(d)) = (&self.time, &mut into.time) {
            slope *= (input.ncols() as f32).sqrt();
            embed.backward_weights(input.view(), slope.view(), d);
        }
    }

    /// Adds to the gradients given that of [`Self::units`].
    pub(super) fn units_backward(&self, input: &Array2<f32>, slope: &Array2<f32>, into: &mut Self) {
        let Some(d) = &mut into.space else { return };
        let (t, n) = (d.bias.len(), input.ncols());
        let scale = (t as f32).sqrt();
        for first in (0..input.nrows()).step_by(t.max(1)) {
            let own = block(slope.view(), first..first + t, 0..n);
            general_mat_mul(scale, &block(input.view(), first..first + t, 0..n), &own.t(), 1.0, &mut d.weight);
            d.bias.iter_mut().zip(own.outer_iter()).for_each(|(b, row)| *b += scale * row.sum());
        }
    }

    pub(super) fn zeros(&self) -> Self {
        Self { time: self.time.as_ref().map(Affine::zeros), space: self.space.as_ref().map(Affine::zeros) }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (a, b) in [(&mut self.time, &other.time), (&mut self.space, &other.space)] {
            if let (Some(a), Some(b)) = (a, b) {
                a.add(b);
            }
        }
    }

    /// InfoNCE of embedded bins and of embedded units for two views `[B, T, N]` of the same trials; adds `weight` times its
    /// gradient to `into` (the loss is returned unweighted; 0 without embedder).
    pub fn contrast(&self, views: [&Array3<f32>; 2], temperature: f64, weight: f32, into: &mut Self) -> (f64, f64) {
        let time = self.one_contrast(views, temperature, weight, into, &|e, x| e.time.is_some().then(|| e.bins(x)), &|e, x, d, into| {
            e.bins_backward(x, d, into);
        });
        let space = self.one_contrast(views, temperature, weight, into, &|e, x| e.units(x), &|e, x, d, into| e.units_backward(x, &d, into));
        (time, space)
    }

    fn one_contrast(&self, views: [&Array3<f32>; 2], temperature: f64, weight: f32, into: &mut Self, embed: &Embed, back: &Back) -> f64 {
        let (b, t, n) = views[0].dim();
        if embed(self, &Array2::zeros((t, n))).is_none() {
            return 0.0;
        }
        let input = |row: usize| views[usize::from(row >= b)].index_axis(Axis(0), row % b.max(1)).to_owned();
        let mut features = Array2::<f32>::zeros((2 * b, t * n));
        features.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(row, mut out)| {
            if let Some(own) = embed(self, &input(row)) {
                out.iter_mut().zip(&own).for_each(|(o, v)| *o = *v);
            }
        });
        let (loss, slope) = info_nce(features, temperature);
        let parts: Vec<Self> = slope
            .axis_chunks_iter(Axis(0), GROUP)
            .into_par_iter()
            .enumerate()
            .map(|(group, rows)| {
                let mut d = self.zeros();
                for (at, row) in rows.outer_iter().enumerate() {
                    let flat = row.mapv(|v| v * weight);
                    let own = flat.into_shape_with_order((t, n)).unwrap_or_else(|_| Array2::zeros((t, n)));
                    back(self, &input(group * GROUP + at), own, &mut d);
                }
                d
            })
            .collect();
        parts.iter().for_each(|part| into.add(part));
        loss
    }
}

/// Trials of `[B, T, N]` stacked in rows `[trials · T, N]`.
pub(super) fn stacked(src: ndarray::ArrayView3<'_, f32>, trials: std::ops::Range<usize>) -> Array2<f32> {
    let (_, t, n) = src.dim();
    let mut rows = Array2::<f32>::zeros((trials.len() * t, n));
    for (trial, mut own) in trials.zip(rows.axis_chunks_iter_mut(Axis(0), t.max(1))) {
        own.assign(&src.index_axis(Axis(0), trial));
    }
    rows
}

/// Rows of `matrix` as one contiguous block, `count` rows per trial.
pub(super) fn trial_rows(matrix: &Array2<f32>, trial: usize, count: usize) -> ArrayView2<'_, f32> {
    block(matrix.view(), trial * count..(trial + 1) * count, 0..matrix.ncols())
}
