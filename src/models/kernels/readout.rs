//! Poisson loss of `log λ = features · weights + bias (+ post-spike)` and its gradients, in one pass over the counts.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis};
use rayon::prelude::*;

use super::exp;

/// What the pass reads, for the units of one area.
pub struct Readout<'a, C> {
    /// Counts of every trial, `[pad + T, all units]`.
    pub counts: &'a [ArrayView2<'a, C>],
    /// Padding bins.
    pub pad: usize,
    /// Units of this area among all units.
    pub columns: std::ops::Range<usize>,
    /// `[M, F, T]`.
    pub features: ArrayView3<'a, f32>,
    /// `[F + 1, units of this area]`; the last row is the bias.
    pub weights: ArrayView2<'a, f32>,
    /// Post-spike filter `[lags, units of this area]`, row k at lag k + 1; `None` when the term is off.
    pub post_spike: Option<ArrayView2<'a, f32>>,
}

/// Sum of `exp(log λ) − y log λ` over trials, bins and units, with its gradients (of the sum).
pub struct ReadoutGradients {
    /// The sum.
    pub loss: f64,
    /// `[M, F, T]`.
    pub features: Array3<f32>,
    /// `[F + 1, units]`.
    pub weights: Array2<f32>,
    /// `[lags, units]`; no rows without post-spike term.
    pub post_spike: Array2<f32>,
}

impl<C: Copy + Into<f32> + Send + Sync> Readout<'_, C> {
    /// The loss alone.
    pub fn loss(&self) -> f64 {
        let sums: Vec<f64> = (0..self.counts.len()).into_par_iter().map(|m| self.trial(m, None).loss).collect();
        sums.iter().sum()
    }

    /// Loss and gradients.
    pub fn gradients(&self) -> ReadoutGradients {
        let mut features = Array3::<f32>::zeros(self.features.raw_dim());
        let sums: Vec<TrialSums> =
            features.axis_iter_mut(Axis(0)).into_par_iter().enumerate().map(|(m, mut d)| self.trial(m, Some(&mut d))).collect();
        let mut total = ReadoutGradients {
            loss: 0.0,
            features,
            weights: Array2::zeros(self.weights.raw_dim()),
            post_spike: Array2::zeros((self.post_spike.map_or(0, |p| p.nrows()), self.columns.len())),
        };
        for sum in &sums {
            total.loss += sum.loss;
            total.weights += &sum.weights;
            total.post_spike += &sum.post_spike;
        }
        total
    }

    fn trial(&self, m: usize, features: Option<&mut ndarray::ArrayViewMut2<'_, f32>>) -> TrialSums {
        pulp::Arch::new().dispatch(|| self.trial_inner(m, features))
    }

    #[inline(always)]
    fn trial_inner(&self, m: usize, mut gradient: Option<&mut ndarray::ArrayViewMut2<'_, f32>>) -> TrialSums {
        let (units, terms) = (self.columns.len(), self.features.len_of(Axis(1)));
        let bins = self.features.len_of(Axis(2));
        let lags = self.post_spike.map_or(0, |p| p.nrows());
        let weights: Vec<f32> = self.weights.iter().copied().collect();
        let taps: Vec<f32> = self.post_spike.map(|p| p.iter().copied().collect()).unwrap_or_default();
        let feature = self.features.index_axis(Axis(0), m);
        let counts = &self.counts[m];
        let mut sums = TrialSums { loss: 0.0, weights: Array2::zeros((0, units)), post_spike: Array2::zeros((0, units)) };
        let mut d_weights = vec![0.0f32; (terms + 1) * units];
        let mut d_taps = vec![0.0f32; lags * units];
        let (mut eta, mut slope) = (vec![0.0f32; units], vec![0.0f32; units]);
        // Counts of this area as numbers, all bins: read several times by the post-spike term.
        let mut y = vec![0.0f32; counts.nrows() * units];
        for (row, source) in y.chunks_exact_mut(units).zip(counts.outer_iter()) {
            for (cell, value) in row.iter_mut().zip(source.iter().skip(self.columns.start)) {
                *cell = (*value).into();
            }
        }
        for t in 0..bins {
            eta.copy_from_slice(&weights[terms * units..]);
            for f in 0..terms {
                let x = feature[[f, t]];
                for (e, w) in eta.iter_mut().zip(&weights[f * units..(f + 1) * units]) {
                    *e += x * w;
                }
            }
            let now = self.pad + t;
            for lag in 0..lags.min(now) {
                let past = &y[(now - 1 - lag) * units..(now - lag) * units];
                for ((e, p), w) in eta.iter_mut().zip(past).zip(&taps[lag * units..(lag + 1) * units]) {
                    *e += p * w;
                }
            }
            let here = &y[now * units..(now + 1) * units];
            let mut sum = 0.0f32;
            for ((s, &e), &c) in slope.iter_mut().zip(&eta).zip(here) {
                let rate = exp(e);
                sum += rate - c * e;
                *s = rate - c;
            }
            sums.loss += f64::from(sum);
            let Some(gradient) = gradient.as_deref_mut() else { continue };
            for f in 0..terms {
                let x = feature[[f, t]];
                let mut dot = 0.0f32;
                let rows = slope.iter().zip(&weights[f * units..(f + 1) * units]).zip(&mut d_weights[f * units..(f + 1) * units]);
                for ((s, w), d) in rows {
                    dot += s * w;
                    *d += x * s;
                }
                gradient[[f, t]] = dot;
            }
            for (d, s) in d_weights[terms * units..].iter_mut().zip(&slope) {
                *d += s;
            }
            for lag in 0..lags.min(now) {
                let past = &y[(now - 1 - lag) * units..(now - lag) * units];
                for ((d, p), s) in d_taps[lag * units..(lag + 1) * units].iter_mut().zip(past).zip(&slope) {
                    *d += p * s;
                }
            }
        }
        if gradient.is_some() {
            sums.weights = Array2::from_shape_fn((terms + 1, units), |(f, n)| d_weights[f * units + n]);
            sums.post_spike = Array2::from_shape_fn((lags, units), |(l, n)| d_taps[l * units + n]);
        }
        sums
    }
}

struct TrialSums {
    loss: f64,
    weights: Array2<f32>,
    post_spike: Array2<f32>,
}
