//! STNDT on the CPU (spec §2.3): forward and backward together, a few trials at a time, so that activations stay in cache and
//! none are kept for the whole batch. Trials are independent given the weights, and how many entries are scored is known before,
//! so the loss's slope can be taken trial by trial.

use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, ArrayViewMut2, Axis};
use rayon::prelude::*;

pub use super::spatiotemporal_layer::{Layer, Space};

use super::band::Band;
use super::embedders::{Embedders, stacked};
use super::encoder::Affine;
use super::rows::{Standardised, scale_and_shift, scale_and_shift_backward, standardise_rows, standardise_rows_backward};
use super::spatiotemporal_layer::{Frame, KeptLayer, slice};

/// Trials whose gradients are summed together: the unit of parallel work, so results do not depend on the number of threads.
const GROUP: usize = 4;
/// Trials stacked in one matrix.
const CHUNK: usize = 2;

/// Dropout sites outside the layers.
pub(crate) const EMBED_TIME: u32 = 0;
pub(crate) const EMBED_SPACE: u32 = 1;
pub(crate) const RATES: u32 = 2;

/// Parameters with folded normalisations, or their gradients.
#[derive(Debug, Clone)]
pub struct Model {
    /// Embedding of bins and units.
    pub embed: Embedders,
    /// Codes of bins `[T, N]`.
    pub time_codes: Array2<f32>,
    /// Layers.
    pub layers: Vec<Layer>,
    /// Scale of the last normalisation `[N]`.
    pub out_scale: Array1<f32>,
    /// Shift of the last normalisation `[N]`.
    pub out_shift: Array1<f32>,
    /// Log-rates `[N, N]`.
    pub readout: Affine,
}

/// What is not trained.
#[derive(Debug, Clone)]
pub struct Shape {
    heads: usize,
    band: Band,
    space_codes: Array2<f32>,
    dropout: f64,
    dropout_embedding: f64,
    dropout_rates: f64,
}

impl Shape {
    /// `seen` are the bins that every bin attends to, `space_codes` `[T, N]` the codes of units; dropout in the layers, after the
    /// embedding and before the readout.
    pub fn new(heads: usize, seen: Vec<std::ops::Range<usize>>, space_codes: Array2<f32>, dropout: [f64; 3]) -> Self {
        let [dropout, dropout_embedding, dropout_rates] = dropout;
        Self { heads, band: Band::new(seen), space_codes, dropout, dropout_embedding, dropout_rates }
    }
}

/// What a pass shows besides log-rates, for every layer.
pub struct Inside {
    /// Outputs `[B, T, N]`.
    pub outputs: Vec<Array3<f32>>,
    /// Attention over time, mean over heads `[B, T, T]`.
    pub time: Vec<Array3<f32>>,
    /// Attention over units, mean over heads `[B, N, N]`; empty without spatial branch.
    pub space: Vec<Array3<f32>>,
}

struct Kept {
    layers: Vec<KeptLayer>,
    outputs: Vec<Array2<f32>>,
    out: Standardised,
    scaled: Array2<f32>,
}

/// Slope of the loss with respect to one trial's log-rates, written into the last argument; gives the trial's loss.
pub type Slope<'a> = dyn Fn(usize, ArrayView2<'_, f32>, ArrayViewMut2<'_, f32>) -> f64 + Sync + 'a;

impl Model {
    /// Log-rates `[B, T, N]` of inputs `[B, T, N]`, with dropout when a seed is given.
    pub fn log_rates(&self, shape: &Shape, src: ArrayView3<'_, f32>, seed: Option<u64>) -> Array3<f32> {
        let mut out = Array3::<f32>::zeros(src.raw_dim());
        out.axis_chunks_iter_mut(Axis(0), CHUNK).into_par_iter().enumerate().for_each(|(at, mut out)| {
            let first = at * CHUNK;
            let (log_rate, _) = self.forward(shape, stacked(src, first..first + out.len_of(Axis(0))), seed, first, false);
            for (to, from) in out.iter_mut().zip(&log_rate) {
                *to = *from;
            }
        });
        out
    }

    /// Layer outputs and attention of a pass without dropout.
    pub fn inside(&self, shape: &Shape, src: ArrayView3<'_, f32>) -> Inside {
        let (b, t, n) = src.dim();
        let layers = self.layers.len();
        let spatial = self.embed.space.is_some();
        let empty = |x, y, wanted: bool| if wanted { vec![Array3::<f32>::zeros((b, x, y)); layers] } else { Vec::new() };
        let mut inside = Inside { outputs: empty(t, n, true), time: empty(t, t, true), space: empty(n, n, spatial) };
        let passes: Vec<Kept> =
            (0..b).into_par_iter().map(|trial| self.forward(shape, stacked(src, trial..trial + 1), None, trial, true).1).collect();
        for (trial, kept) in passes.iter().enumerate() {
            for (layer, (k, output)) in kept.layers.iter().zip(&kept.outputs).enumerate() {
                inside.outputs[layer].index_axis_mut(Axis(0), trial).assign(output);
                let mut map = Array2::zeros((t, t));
                k.weights.iter().for_each(|w| shape.band.add_map(w, 1.0 / shape.heads as f32, &mut map));
                inside.time[layer].index_axis_mut(Axis(0), trial).assign(&map);
                if let (Some(space), Some(into)) = (&k.space, inside.space.get_mut(layer)) {
                    space.mean.iter().for_each(|map| into.index_axis_mut(Axis(0), trial).assign(map));
                }
            }
        }
        inside
    }

    /// Sum of the trials' losses and the gradients of that sum. `seed` switches dropout on.
    pub fn gradients(&self, shape: &Shape, src: ArrayView3<'_, f32>, seed: Option<u64>, slope: &Slope<'_>) -> (f64, Self) {
        let trials = src.len_of(Axis(0));
        let groups: Vec<usize> = (0..trials).step_by(GROUP).collect();
        let partial: Vec<(f64, Self)> =
            groups.into_par_iter().map(|first| self.group(shape, src, first..(first + GROUP).min(trials), seed, slope)).collect();
        let mut total = self.zeros();
        let mut loss = 0.0;
        for (own, part) in &partial {
            loss += own;
            total.add(part);
        }
        (loss, total)
    }

    fn group(
        &self,
        shape: &Shape,
        src: ArrayView3<'_, f32>,
        trials: std::ops::Range<usize>,
        seed: Option<u64>,
        slope: &Slope<'_>,
    ) -> (f64, Self) {
        let (mut loss, mut d) = (0.0, self.zeros());
        for first in trials.clone().step_by(CHUNK) {
            let (input, t) = (stacked(src, first..(first + CHUNK).min(trials.end)), src.len_of(Axis(1)).max(1));
            let (log_rate, kept) = self.forward(shape, input.clone(), seed, first, true);
            let mut d_log_rate = Array2::<f32>::zeros(log_rate.raw_dim());
            let chunks = log_rate.axis_chunks_iter(Axis(0), t).zip(d_log_rate.axis_chunks_iter_mut(Axis(0), t));
            for (at, (z, dz)) in chunks.enumerate() {
                loss += slope(first + at, z, dz);
            }
            self.backward(shape, &input, &kept, d_log_rate, seed, first, &mut d);
        }
        (loss, d)
    }

    fn frame<'a>(&self, shape: &'a Shape, seed: Option<u64>, first_trial: usize) -> Frame<'a> {
        let bins = self.time_codes.nrows();
        Frame { bins, heads: shape.heads, band: &shape.band, seed, rate: shape.dropout, first_trial }
    }

    fn forward(&self, shape: &Shape, input: Array2<f32>, seed: Option<u64>, first: usize, keep: bool) -> (Array2<f32>, Kept) {
        let frame = self.frame(shape, seed, first);
        let mut x = self.embed.bins(&input);
        add_codes(&mut x, &self.time_codes);
        x = frame.dropped(x, EMBED_TIME, shape.dropout_embedding);
        let units = self.embed.units(&input).map(|mut units| {
            add_codes(&mut units, &shape.space_codes);
            drop_units(&mut units, &frame, shape.dropout_embedding);
            units
        });
        let (mut layers, mut outputs) = (Vec::new(), Vec::new());
        for (at, layer) in self.layers.iter().enumerate() {
            let (next, kept) = layer.forward(x, units.as_ref().filter(|_| at == 0), at, &frame);
            x = next;
            if keep {
                layers.push(kept);
                if seed.is_none() {
                    outputs.push(x.clone());
                }
            }
        }
        let out = standardise_rows(&x);
        let scaled = frame.dropped(scale_and_shift(&out.unit, slice(&self.out_scale), slice(&self.out_shift)), RATES, shape.dropout_rates);
        let log_rate = self.readout.apply(scaled.view());
        (log_rate, Kept { layers, outputs, out, scaled })
    }

    #[allow(clippy::too_many_arguments, reason = "the inputs of one backward pass; bundling them would only rename them")]
    fn backward(
        &self,
        shape: &Shape,
        input: &Array2<f32>,
        kept: &Kept,
        d_log_rate: Array2<f32>,
        seed: Option<u64>,
        first: usize,
        d: &mut Self,
    ) {
        let frame = self.frame(shape, seed, first);
        let d_scaled = self.readout.backward(kept.scaled.view(), d_log_rate.view(), &mut d.readout);
        let mut d_scaled = frame.dropped(d_scaled, RATES, shape.dropout_rates);
        if let (Some(scale), Some(shift)) = (d.out_scale.as_slice_mut(), d.out_shift.as_slice_mut()) {
            scale_and_shift_backward(&mut d_scaled, &kept.out.unit, slice(&self.out_scale), scale, shift);
        }
        let mut dx = Array2::<f32>::zeros(d_scaled.raw_dim());
        standardise_rows_backward(&d_scaled, &kept.out, &mut dx);
        for (at, ((layer, kept), d_layer)) in self.layers.iter().zip(&kept.layers).zip(&mut d.layers).enumerate().rev() {
            let (next, d_units) = layer.backward(kept, dx, at, &frame, d_layer);
            dx = next;
            match (d_units, at) {
                (Some(mut d_units), 0) => {
                    drop_units(&mut d_units, &frame, shape.dropout_embedding);
                    self.embed.units_backward(input, &d_units, &mut d.embed);
                }
                (Some(d_units), _) => dx += &d_units,
                (None, _) => {}
            }
        }
        let dx = frame.dropped(dx, EMBED_TIME, shape.dropout_embedding);
        dx.axis_chunks_iter(Axis(0), frame.bins.max(1)).for_each(|rows| d.time_codes += &rows);
        self.embed.bins_backward(input, dx, &mut d.embed);
    }

    /// Zeros of the same shapes.
    pub fn zeros(&self) -> Self {
        Self {
            embed: self.embed.zeros(),
            time_codes: Array2::zeros(self.time_codes.raw_dim()),
            layers: self.layers.iter().map(Layer::zeros).collect(),
            out_scale: Array1::zeros(self.out_scale.raw_dim()),
            out_shift: Array1::zeros(self.out_shift.raw_dim()),
            readout: self.readout.zeros(),
        }
    }

    /// Add `other`.
    pub fn add(&mut self, other: &Self) {
        self.embed.add(&other.embed);
        self.time_codes += &other.time_codes;
        self.layers.iter_mut().zip(&other.layers).for_each(|(a, b)| a.add(b));
        self.out_scale += &other.out_scale;
        self.out_shift += &other.out_shift;
        self.readout.add(&other.readout);
    }
}

fn add_codes(rows: &mut Array2<f32>, codes: &Array2<f32>) {
    rows.axis_chunks_iter_mut(Axis(0), codes.nrows().max(1)).for_each(|mut own| own += codes);
}

/// Dropout of embedded units, numbered as `[N, T]`.
fn drop_units(rows: &mut Array2<f32>, frame: &Frame<'_>, rate: f64) {
    for (trial, mut own) in rows.axis_chunks_iter_mut(Axis(0), frame.bins.max(1)).enumerate() {
        let Some(drop) = frame.drop(EMBED_SPACE, trial, rate) else { continue };
        for (bin, mut row) in own.outer_iter_mut().enumerate() {
            row.iter_mut().enumerate().for_each(|(unit, v)| *v *= drop.factor((unit * frame.bins + bin) as u32));
        }
    }
}
