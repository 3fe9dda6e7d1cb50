//! One layer of STNDT (spec §2.3), forward and backward, on a few trials stacked in rows. Everything stays in the layout
//! `[bins, units]`: the spatial branch works on columns instead of on a transposed copy. Layer normalisations come without
//! scale and shift, which are folded into the linear layer behind them.

use ndarray::{Array1, Array2, Axis, linalg::general_mat_mul};

use super::band::{Band, Head};
use super::dropout::Drop;
use super::embedders::trial_rows;
use super::encoder::Affine;
use super::rows::{
    Standardised, scale_and_shift, scale_and_shift_backward, softmax_rows, softmax_rows_backward, standardise_columns,
    standardise_columns_backward, standardise_rows, standardise_rows_backward,
};
use super::{block, block_mut, simd};

/// Parameters of one layer with folded normalisations, or their gradients.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Query, key, value `[N, 3N]`.
    pub qkv: Affine,
    /// Attention output `[N, N]`.
    pub proj: Affine,
    /// Feed-forward in `[N, hidden]`.
    pub ff_in: Affine,
    /// Feed-forward out `[hidden, N]`.
    pub ff_out: Affine,
    /// Attention over units.
    pub space: Option<Space>,
}

/// The spatial half of a layer.
#[derive(Debug, Clone)]
pub struct Space {
    /// Query and key `[T, 2T]`.
    pub qk: Affine,
    /// Scale of the normalisation before mixing `[N]`.
    pub mix_scale: Array1<f32>,
    /// Shift of the normalisation before mixing `[N]`.
    pub mix_shift: Array1<f32>,
    /// Feed-forward in `[N, hidden]`.
    pub mix_in: Affine,
    /// Feed-forward out `[hidden, N]`.
    pub mix_out: Affine,
}

/// What the layers of a network have in common.
pub(super) struct Frame<'a> {
    pub(super) bins: usize,
    pub(super) heads: usize,
    pub(super) band: &'a Band,
    /// Seed of the dropout masks; `None` for none.
    pub(super) seed: Option<u64>,
    pub(super) rate: f64,
    /// Index in the batch of the first trial of this chunk.
    pub(super) first_trial: usize,
}

/// Sites of dropout in a layer.
const SITES: u32 = 8;
const WEIGHTS: u32 = 0;
const ATTENDED: u32 = 1;
const HIDDEN: u32 = 2;
const FED: u32 = 3;
const MIXED: u32 = 4;
const MIX_HIDDEN: u32 = 5;
const MIX_FED: u32 = 6;

/// Number of a dropout site in a layer: 0 attention weights, 1 attention output, 2 feed-forward hidden, 3 feed-forward output,
/// 4 mixing output, 5 hidden and 6 output of its feed-forward. Sites below [`SITES`] are outside the layers.
pub(crate) fn site(layer: usize, which: u32) -> u32 {
    SITES * (layer as u32 + 1) + which
}

impl Frame<'_> {
    pub(super) fn drop(&self, site: u32, trial: usize, rate: f64) -> Option<Drop> {
        Drop::new(self.seed?, site, self.first_trial + trial, rate)
    }

    /// Multiply every trial's rows by its mask.
    pub(super) fn dropped(&self, mut rows: Array2<f32>, site: u32, rate: f64) -> Array2<f32> {
        if self.seed.is_none() || rate <= 0.0 {
            return rows;
        }
        let per_trial = self.bins * rows.ncols();
        if let Some(values) = rows.as_slice_mut() {
            for (trial, values) in values.chunks_exact_mut(per_trial.max(1)).enumerate() {
                if let Some(drop) = self.drop(site, trial, rate) {
                    simd(
                        #[inline(always)]
                        || drop.multiply(values, 0),
                    );
                }
            }
        }
        rows
    }

    /// ReLU and dropout, in place.
    fn activate(&self, mut rows: Array2<f32>, site: u32) -> Array2<f32> {
        let per_trial = self.bins * rows.ncols();
        if let Some(values) = rows.as_slice_mut() {
            for (trial, values) in values.chunks_exact_mut(per_trial.max(1)).enumerate() {
                let drop = self.drop(site, trial, self.rate);
                simd(
                    #[inline(always)]
                    || {
                        for v in values.iter_mut() {
                            *v = if *v > 0.0 { *v } else { 0.0 };
                        }
                        if let Some(drop) = drop {
                            drop.multiply(values, 0);
                        }
                    },
                );
            }
        }
        rows
    }

    /// Backward of [`Self::activate`]: what was dropped or negative is zero after it.
    fn gate(&self, mut slope: Array2<f32>, activated: &Array2<f32>) -> Array2<f32> {
        let scale = if self.seed.is_some() && self.rate > 0.0 { (1.0 / (1.0 - self.rate)) as f32 } else { 1.0 };
        if let (Some(slope), Some(values)) = (slope.as_slice_mut(), activated.as_slice()) {
            simd(
                #[inline(always)]
                || {
                    for (d, v) in slope.iter_mut().zip(values) {
                        let open = if *v > 0.0 { scale } else { 0.0 };
                        *d *= open;
                    }
                },
            );
        }
        slope
    }
}

/// What the forward pass of a layer keeps for its backward pass and for display.
pub(super) struct KeptLayer {
    attn: Standardised,
    qkv: Array2<f32>,
    /// Per trial and head, per block of queries.
    pub(super) weights: Vec<Vec<Array2<f32>>>,
    mixed: Array2<f32>,
    ff: Standardised,
    hidden: Array2<f32>,
    pub(super) space: Option<KeptSpace>,
}

pub(super) struct KeptSpace {
    unit: Array2<f32>,
    inverse: Vec<Vec<f32>>,
    /// `[trials · 2T, N]`.
    qk: Array2<f32>,
    /// Per trial and head `[N, N]`.
    weights: Vec<Array2<f32>>,
    /// Mean over heads, per trial `[N, N]`.
    pub(super) mean: Vec<Array2<f32>>,
    mix: Standardised,
    value: Array2<f32>,
    ff: Standardised,
    hidden: Array2<f32>,
}

impl Layer {
    /// `x` `[trials · T, N]` and, for the first layer, the embedded units `[trials · T, N]`; later layers attend over the units of
    /// their own input. Gives the layer's output.
    pub(super) fn forward(&self, x: Array2<f32>, units: Option<&Array2<f32>>, at: usize, frame: &Frame<'_>) -> (Array2<f32>, KeptLayer) {
        let (rows, n) = x.dim();
        let (t, trials) = (frame.bins, rows / frame.bins.max(1));
        let spatial = self.space.as_ref().map(|space| space.attend(units.unwrap_or(&x), frame));
        let attn = standardise_rows(&x);
        let qkv = self.qkv.apply(attn.unit.view());
        let mut mixed = Array2::<f32>::zeros((rows, n));
        let mut weights = Vec::with_capacity(trials * frame.heads);
        for trial in 0..trials {
            for head in 0..frame.heads {
                let head = self.head(head, n, frame, at, trial);
                let columns = head.at * head.width..(head.at + 1) * head.width;
                let out = block_mut(mixed.view_mut(), trial * t..(trial + 1) * t, columns);
                weights.push(frame.band.forward(trial_rows(&qkv, trial, t), &head, out));
            }
        }
        let mut x = x;
        x += &frame.dropped(self.proj.apply(mixed.view()), site(at, ATTENDED), frame.rate);
        let ff = standardise_rows(&x);
        let hidden = frame.activate(self.ff_in.apply(ff.unit.view()), site(at, HIDDEN));
        x += &frame.dropped(self.ff_out.apply(hidden.view()), site(at, FED), frame.rate);
        let space = match (&self.space, spatial) {
            (Some(space), Some(attended)) => {
                let (next, kept) = space.mix(x, attended, at, frame);
                x = next;
                Some(kept)
            }
            _ => None,
        };
        (x, KeptLayer { attn, qkv, weights, mixed, ff, hidden, space })
    }

    fn head(&self, head: usize, units: usize, frame: &Frame<'_>, at: usize, trial: usize) -> Head {
        Head { at: head, width: units / frame.heads, model: units, drop: frame.drop(site(at, WEIGHTS), trial, frame.rate) }
    }

    /// From the gradient of the output to that of the input, and of the embedded units when the layer was given them.
    pub(super) fn backward(
        &self,
        kept: &KeptLayer,
        slope: Array2<f32>,
        at: usize,
        frame: &Frame<'_>,
        d: &mut Self,
    ) -> (Array2<f32>, Option<Array2<f32>>) {
        let mut dx = slope;
        let mut d_units = None;
        if let (Some(space), Some(kept), Some(d)) = (&self.space, &kept.space, &mut d.space) {
            d_units = Some(space.backward(kept, &mut dx, at, frame, d));
        }
        let d_fed = frame.dropped(dx.clone(), site(at, FED), frame.rate);
        let d_hidden = frame.gate(self.ff_out.backward(kept.hidden.view(), d_fed.view(), &mut d.ff_out), &kept.hidden);
        let d_unit = self.ff_in.backward(kept.ff.unit.view(), d_hidden.view(), &mut d.ff_in);
        standardise_rows_backward(&d_unit, &kept.ff, &mut dx);
        let d_attended = frame.dropped(dx.clone(), site(at, ATTENDED), frame.rate);
        let d_mixed = self.proj.backward(kept.mixed.view(), d_attended.view(), &mut d.proj);
        let (t, n) = (frame.bins, dx.ncols());
        let mut d_qkv = Array2::<f32>::zeros(kept.qkv.raw_dim());
        for (index, weights) in kept.weights.iter().enumerate() {
            let (trial, head) = (index / frame.heads, index % frame.heads);
            let rows = trial * t..(trial + 1) * t;
            let head = self.head(head, n, frame, at, trial);
            let d_out = block(d_mixed.view(), rows.clone(), head.at * head.width..(head.at + 1) * head.width);
            let into = block_mut(d_qkv.view_mut(), rows, 0..3 * n);
            frame.band.backward(trial_rows(&kept.qkv, trial, t), &head, weights, d_out, into);
        }
        let d_unit = self.qkv.backward(kept.attn.unit.view(), d_qkv.view(), &mut d.qkv);
        standardise_rows_backward(&d_unit, &kept.attn, &mut dx);
        (dx, d_units)
    }

    pub(super) fn zeros(&self) -> Self {
        let space = self.space.as_ref().map(|s| Space {
            qk: s.qk.zeros(),
            mix_scale: Array1::zeros(s.mix_scale.raw_dim()),
            mix_shift: Array1::zeros(s.mix_shift.raw_dim()),
            mix_in: s.mix_in.zeros(),
            mix_out: s.mix_out.zeros(),
        });
        Self { qkv: self.qkv.zeros(), proj: self.proj.zeros(), ff_in: self.ff_in.zeros(), ff_out: self.ff_out.zeros(), space }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.qkv.add(&other.qkv);
        self.proj.add(&other.proj);
        self.ff_in.add(&other.ff_in);
        self.ff_out.add(&other.ff_out);
        if let (Some(a), Some(b)) = (&mut self.space, &other.space) {
            a.qk.add(&b.qk);
            a.mix_scale += &b.mix_scale;
            a.mix_shift += &b.mix_shift;
            a.mix_in.add(&b.mix_in);
            a.mix_out.add(&b.mix_out);
        }
    }
}

/// Attention over units of a chunk.
struct Attended {
    unit: Array2<f32>,
    inverse: Vec<Vec<f32>>,
    qk: Array2<f32>,
    weights: Vec<Array2<f32>>,
    mean: Vec<Array2<f32>>,
}

impl Space {
    fn attend(&self, units: &Array2<f32>, frame: &Frame<'_>) -> Attended {
        let (rows, n) = units.dim();
        let (t, trials) = (frame.bins, rows / frame.bins.max(1));
        let per_head = t / frame.heads;
        let mut unit = Array2::<f32>::zeros((rows, n));
        let mut qk = Array2::<f32>::zeros((trials * 2 * t, n));
        let (mut inverse, mut weights, mut mean) = (Vec::new(), Vec::new(), Vec::new());
        for trial in 0..trials {
            let mut own = block_mut(unit.view_mut(), trial * t..(trial + 1) * t, 0..n);
            inverse.push(standardise_columns(trial_rows(units, trial, t), own.view_mut()));
            let mut out = block_mut(qk.view_mut(), trial * 2 * t..(trial + 1) * 2 * t, 0..n);
            out.axis_iter_mut(Axis(0)).zip(&self.qk.bias).for_each(|(mut row, &bias)| row.fill(bias));
            general_mat_mul(1.0, &self.qk.weight.t(), &own, 1.0, &mut out);
            let mut average = Array2::<f32>::zeros((n, n));
            for head in 0..frame.heads {
                let (q, k) = (head * per_head..(head + 1) * per_head, t + head * per_head..t + (head + 1) * per_head);
                let (q, k) = (block(out.view(), q, 0..n), block(out.view(), k, 0..n));
                let mut map = Array2::<f32>::zeros((n, n));
                general_mat_mul(1.0 / (per_head as f32).sqrt(), &q.t(), &k, 0.0, &mut map);
                softmax_rows(&mut map);
                average.scaled_add(1.0 / frame.heads as f32, &map);
                weights.push(map);
            }
            mean.push(average);
        }
        Attended { unit, inverse, qk, weights, mean }
    }

    /// Mix the temporal features over units and feed forward.
    fn mix(&self, mut x: Array2<f32>, attended: Attended, at: usize, frame: &Frame<'_>) -> (Array2<f32>, KeptSpace) {
        let (t, n) = (frame.bins, x.ncols());
        let mix = standardise_rows(&x);
        let value = scale_and_shift(&mix.unit, slice(&self.mix_scale), slice(&self.mix_shift));
        let mut mixed = Array2::<f32>::zeros(x.raw_dim());
        for (trial, map) in attended.mean.iter().enumerate() {
            let mut out = block_mut(mixed.view_mut(), trial * t..(trial + 1) * t, 0..n);
            general_mat_mul(1.0, &trial_rows(&value, trial, t), &map.t(), 0.0, &mut out);
        }
        x += &frame.dropped(mixed, site(at, MIXED), frame.rate);
        let ff = standardise_rows(&x);
        let hidden = frame.activate(self.mix_in.apply(ff.unit.view()), site(at, MIX_HIDDEN));
        x += &frame.dropped(self.mix_out.apply(hidden.view()), site(at, MIX_FED), frame.rate);
        let Attended { unit, inverse, qk, weights, mean } = attended;
        (x, KeptSpace { unit, inverse, qk, weights, mean, mix, value, ff, hidden })
    }

    /// Takes `dx` from the gradient of the layer's output to that of the temporal half's output; gives the gradient of what the
    /// units were attended over.
    fn backward(&self, kept: &KeptSpace, dx: &mut Array2<f32>, at: usize, frame: &Frame<'_>, d: &mut Self) -> Array2<f32> {
        let d_fed = frame.dropped(dx.clone(), site(at, MIX_FED), frame.rate);
        let d_hidden = frame.gate(self.mix_out.backward(kept.hidden.view(), d_fed.view(), &mut d.mix_out), &kept.hidden);
        let d_unit = self.mix_in.backward(kept.ff.unit.view(), d_hidden.view(), &mut d.mix_in);
        standardise_rows_backward(&d_unit, &kept.ff, dx);
        let d_mixed = frame.dropped(dx.clone(), site(at, MIXED), frame.rate);
        let (rows, n) = d_mixed.dim();
        let (t, per_head) = (frame.bins, frame.bins / frame.heads);
        let mut d_value = Array2::<f32>::zeros((rows, n));
        let mut d_units = Array2::<f32>::zeros((rows, n));
        let (mut d_map, mut d_score) = (Array2::<f32>::zeros((n, n)), Array2::<f32>::zeros((n, n)));
        let mut d_qk = Array2::<f32>::zeros((2 * t, n));
        for (trial, map) in kept.mean.iter().enumerate() {
            let out = trial_rows(&d_mixed, trial, t);
            general_mat_mul(1.0, &out, map, 0.0, &mut block_mut(d_value.view_mut(), trial * t..(trial + 1) * t, 0..n));
            general_mat_mul(1.0 / frame.heads as f32, &out.t(), &trial_rows(&kept.value, trial, t), 0.0, &mut d_map);
            let qk = trial_rows(&kept.qk, trial, 2 * t);
            for head in 0..frame.heads {
                let Some(weights) = kept.weights.get(trial * frame.heads + head) else { continue };
                d_score.assign(&d_map);
                softmax_rows_backward(&mut d_score, weights);
                let (q, k) = (head * per_head..(head + 1) * per_head, t + head * per_head..t + (head + 1) * per_head);
                let scale = 1.0 / (per_head as f32).sqrt();
                general_mat_mul(scale, &block(qk, k.clone(), 0..n), &d_score.t(), 0.0, &mut block_mut(d_qk.view_mut(), q.clone(), 0..n));
                general_mat_mul(scale, &block(qk, q, 0..n), &d_score, 0.0, &mut block_mut(d_qk.view_mut(), k, 0..n));
            }
            let unit = trial_rows(&kept.unit, trial, t);
            general_mat_mul(1.0, &unit, &d_qk.t(), 1.0, &mut d.qk.weight);
            d.qk.bias.iter_mut().zip(d_qk.outer_iter()).for_each(|(b, row)| *b += row.sum());
            let mut d_unit = Array2::<f32>::zeros((t, n));
            general_mat_mul(1.0, &self.qk.weight, &d_qk, 0.0, &mut d_unit);
            let inverse = kept.inverse.get(trial).map_or(&[][..], Vec::as_slice);
            standardise_columns_backward(&mut d_unit, unit, inverse);
            block_mut(d_units.view_mut(), trial * t..(trial + 1) * t, 0..n).assign(&d_unit);
        }
        let (scale, shift) = (d.mix_scale.as_slice_mut(), d.mix_shift.as_slice_mut());
        if let (Some(d_scale), Some(d_shift)) = (scale, shift) {
            scale_and_shift_backward(&mut d_value, &kept.mix.unit, slice(&self.mix_scale), d_scale, d_shift);
        }
        standardise_rows_backward(&d_value, &kept.mix, dx);
        d_units
    }
}

pub(super) fn slice(vector: &Array1<f32>) -> &[f32] {
    vector.as_slice().unwrap_or(&[])
}
