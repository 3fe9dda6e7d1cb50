//! Loss and gradient of some trials: one pass over the bins, then backwards through the filters to the spikes.

use std::ops::Range;

use ndarray::{Array2, ArrayViewMut2, Axis};

use super::target::TargetData;
use super::{SourceSpikes, Term};
use crate::models::kernels::{exp, simd};

/// Loss in nats and its gradient.
pub(super) struct Evaluation {
    pub(super) loss: f64,
    pub(super) gradient: Vec<f64>,
}

/// The terms in the form in which they are applied.
pub(super) struct Drives<'a> {
    data: &'a TargetData,
    terms: &'a [Term],
    filters: Vec<Vec<f32>>,
    receive: Vec<Vec<f32>>,
    /// `[units, bins]`
    mean: Array2<f32>,
}

/// Gradient sums in single precision, over few trials.
struct Sums {
    send: Vec<f64>,
    filter: Vec<f64>,
    receive: Vec<f32>,
}

impl<'a> Drives<'a> {
    pub(super) fn new(data: &'a TargetData, terms: &'a [Term], mean: &Array2<f64>) -> Self {
        let f32s = |values: &[f64]| values.iter().map(|&x| x as f32).collect::<Vec<f32>>();
        Self {
            data,
            terms,
            filters: terms.iter().map(|t| f32s(&t.filter(&data.basis))).collect(),
            receive: terms.iter().map(|t| f32s(&t.receive)).collect(),
            mean: mean.mapv(|x| x as f32).t().dot(&data.splines.t()).as_standard_layout().into_owned(),
        }
    }

    /// Projected spikes q `[pad + bins]` of a term's source in one trial.
    fn projected(&self, term: usize, trial: usize, spikes: &[&SourceSpikes]) -> Vec<f32> {
        let bins = self.data.counts.len_of(Axis(1));
        let mut q = vec![0.0_f32; self.data.pad + bins];
        let (Some(term), Some(list)) = (self.terms.get(term), spikes.get(term).and_then(|s| s.trials.get(trial))) else { return q };
        for spike in list {
            if let (Some(q), Some(u)) = (q.get_mut(spike.bin as usize), term.send.get(spike.unit as usize)) {
                *q += *u as f32;
            }
        }
        q
    }

    /// The factor f `[bins]` of projected spikes.
    fn filtered(&self, term: usize, q: &[f32]) -> Vec<f32> {
        let pad = self.data.pad;
        let mut f = vec![0.0_f32; q.len() - pad];
        let Some(filter) = self.filters.get(term) else { return f };
        for (bin, &sent) in q.iter().enumerate().filter(|(_, q)| **q != 0.0) {
            let first = (bin + 1).max(pad);
            f.iter_mut().skip(first - pad).zip(filter.iter().skip(first - bin - 1)).for_each(|(f, h)| *f += sent * h);
        }
        f
    }

    /// Add the terms (or only one of them) and, with all of them, the mean dynamics to log-rates `[bins, units]`.
    pub(super) fn add_to(&self, trial: usize, spikes: &[&SourceSpikes], only: Option<usize>, mut eta: ArrayViewMut2<'_, f32>) {
        if only.is_none() {
            eta += &self.mean.t();
        }
        for term in (0..self.terms.len()).filter(|term| only.is_none_or(|o| o == *term)) {
            let f = self.filtered(term, &self.projected(term, trial, spikes));
            let Some(receive) = self.receive.get(term) else { continue };
            for (mut row, &f) in eta.axis_iter_mut(Axis(0)).zip(&f).filter(|(_, f)| **f != 0.0) {
                row.iter_mut().zip(receive).for_each(|(eta, v)| *eta += f * v);
            }
        }
    }

    pub(super) fn evaluate(&self, trials: Range<usize>, spikes: &[&SourceSpikes], weights: Option<&[f32]>) -> Evaluation {
        let (_, bins, units) = self.data.counts.dim();
        let mut sums: Vec<Sums> = self
            .terms
            .iter()
            .zip(&self.filters)
            .map(|(t, h)| Sums { send: vec![0.0; t.send.len()], filter: vec![0.0; h.len()], receive: vec![0.0; units] })
            .collect();
        let mut errors = Array2::<f32>::zeros((units, bins));
        let mut loss = 0.0;
        for trial in trials {
            let weight = weights.and_then(|w| w.get(trial).copied()).unwrap_or(1.0);
            if weight != 0.0 {
                loss += self.trial(trial, spikes, weight, &mut sums, &mut errors);
            }
        }
        let mut gradient = Vec::new();
        for (term, sums) in self.terms.iter().zip(&sums) {
            gradient.extend(&sums.send);
            let coef = |b: usize| self.data.basis.column(b).iter().zip(&sums.filter).map(|(b, g)| b * g).sum::<f64>();
            gradient.extend((0..term.coef.len()).map(coef));
            gradient.extend(sums.receive.iter().map(|g| f64::from(*g)));
        }
        gradient.extend(errors.dot(&self.data.splines).t().iter().map(|g| f64::from(*g)));
        Evaluation { loss, gradient }
    }

    /// One trial; returns its loss. Bins are innermost: short loops over few units would not fill the vector unit.
    fn trial(&self, trial: usize, spikes: &[&SourceSpikes], weight: f32, sums: &mut [Sums], errors: &mut Array2<f32>) -> f64 {
        let (_, bins, units) = self.data.counts.dim();
        let q: Vec<Vec<f32>> = (0..self.terms.len()).map(|term| self.projected(term, trial, spikes)).collect();
        let f: Vec<Vec<f32>> = q.iter().enumerate().map(|(term, q)| self.filtered(term, q)).collect();
        // Slope of the loss along every factor.
        let mut slopes = vec![vec![0.0_f32; bins]; self.terms.len()];
        let (counts, offset) = self.data.by_unit();
        let (counts, offset) = (counts.index_axis(Axis(0), trial), offset.index_axis(Axis(0), trial));
        let (Some(counts), Some(offset), Some(mean), Some(errors)) =
            (counts.as_slice(), offset.as_slice(), self.mean.as_slice(), errors.as_slice_mut())
        else {
            return 0.0;
        };
        let (mut eta, mut losses) = (vec![0.0_f32; bins], vec![0.0_f32; bins]);
        simd(
            #[inline(always)]
            || {
                for unit in 0..units {
                    let row = unit * bins..(unit + 1) * bins;
                    for ((eta, o), g) in eta.iter_mut().zip(&offset[row.clone()]).zip(&mean[row.clone()]) {
                        *eta = o + g;
                    }
                    for (f, v) in f.iter().zip(&self.receive) {
                        let v = v[unit];
                        eta.iter_mut().zip(f).for_each(|(eta, f)| *eta += f * v);
                    }
                    for ((eta, loss), &y) in eta.iter_mut().zip(&mut losses).zip(&counts[row.clone()]) {
                        let (rate, y) = (exp(*eta), f32::from(y));
                        *loss += rate - y * *eta;
                        *eta = weight * (rate - y);
                    }
                    for ((f, v), (slope, sums)) in f.iter().zip(&self.receive).zip(slopes.iter_mut().zip(sums.iter_mut())) {
                        let v = v[unit];
                        slope.iter_mut().zip(&eta).for_each(|(slope, e)| *slope += e * v);
                        sums.receive[unit] += dot(f, &eta);
                    }
                    errors[row].iter_mut().zip(&eta).for_each(|(sum, e)| *sum += e);
                }
            },
        );
        for (term, (slope, sums)) in slopes.iter().zip(sums.iter_mut()).enumerate() {
            self.backwards(term, trial, spikes, slope, q.get(term).map_or(&[], Vec::as_slice), sums);
        }
        f64::from(weight) * losses.iter().map(|l| f64::from(*l)).sum::<f64>()
    }

    /// From the slope along a factor to filter and sending weights.
    fn backwards(&self, term: usize, trial: usize, spikes: &[&SourceSpikes], slope: &[f32], q: &[f32], sums: &mut Sums) {
        let pad = self.data.pad;
        let Some(filter) = self.filters.get(term) else { return };
        for (bin, &sent) in q.iter().enumerate().filter(|(_, q)| **q != 0.0) {
            let first = (bin + 1).max(pad);
            let later = slope.iter().skip(first - pad).zip(sums.filter.iter_mut().skip(first - bin - 1));
            later.for_each(|(d, g)| *g += f64::from(sent * d));
        }
        let Some(list) = spikes.get(term).and_then(|s| s.trials.get(trial)) else { return };
        for spike in list {
            let bin = spike.bin as usize;
            let first = (bin + 1).max(pad);
            let effect: f32 = slope.iter().skip(first - pad).zip(filter.iter().skip(first - bin - 1)).map(|(d, h)| d * h).sum();
            if let Some(g) = sums.send.get_mut(spike.unit as usize) {
                *g += f64::from(effect);
            }
        }
    }
}

/// Sum of products in eight lanes, which the compiler turns into vectors (a single sum has a fixed order and stays scalar).
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_lanes, a_rest) = a.as_chunks::<8>();
    let (b_lanes, b_rest) = b.as_chunks::<8>();
    let mut lanes = [0.0_f32; 8];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}
