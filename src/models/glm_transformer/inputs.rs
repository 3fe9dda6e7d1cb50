//! What the Poisson readout of one area sees: features per trial and bin, weights per unit. Small enough to live on the host
//! whatever the device; rates, scores and pictures are computed from it.

use burn::tensor::Tensor;
use ndarray::{Array2, Array3, ArrayView2, Axis};
use rayon::prelude::*;

use crate::models::kernels::exp;

use super::GlmConfig;

/// Inputs of one area's readout. The features of row f < K are slow factors, the rest coupling factors of
/// [`GlmConfig::sources`], source by source.
#[derive(Debug, Clone)]
pub struct AreaInputs {
    /// `[M, K + sources · S, T]`.
    pub features: Array3<f32>,
    /// `[K + sources · S + 1, units]`; the last row is the bias.
    pub weights: Array2<f32>,
    /// Post-spike filter `[lags, units]` when the term is on.
    pub post_spike: Option<Array2<f32>>,
}

impl AreaInputs {
    /// Rates per bin `[M, T, units]` without post-spike term, leaving out the feature rows `left_out`.
    pub fn rates(&self, left_out: std::ops::Range<usize>) -> Array3<f32> {
        let (trials, terms, bins) = self.features.dim();
        let units = self.weights.ncols();
        let weights: Vec<f32> = self.weights.iter().copied().collect();
        let mut rates = Array3::<f32>::zeros((trials, bins, units));
        rates.axis_iter_mut(Axis(0)).into_par_iter().zip(self.features.axis_iter(Axis(0))).for_each(|(mut rate, feature)| {
            pulp::Arch::new().dispatch(|| {
                for (t, mut row) in rate.outer_iter_mut().enumerate() {
                    let Some(row) = row.as_slice_mut() else { continue };
                    row.copy_from_slice(&weights[terms * units..]);
                    for f in (0..terms).filter(|f| !left_out.contains(f)) {
                        let x = feature[[f, t]];
                        row.iter_mut().zip(&weights[f * units..(f + 1) * units]).for_each(|(r, w)| *r += x * w);
                    }
                    row.iter_mut().for_each(|r| *r = exp(*r));
                }
            });
        });
        rates
    }

    /// Rates per bin `[M, T, units]` with the post-spike term, given the counts of the same trials `[pad + T, all units]`, in which
    /// this area's units are `columns`.
    pub fn rates_given(&self, counts: &[ArrayView2<'_, u8>], columns: std::ops::Range<usize>) -> Array3<f32> {
        let same = self.rates(0..0);
        let (own, bins, units) = same.dim();
        // Before the terms that vary from trial to trial there is one set of rates for all.
        let trial = |m: usize| same.index_axis(Axis(0), if own == counts.len() { m } else { 0 });
        let mut rates = Array3::zeros((counts.len(), bins, units));
        rates.axis_iter_mut(Axis(0)).into_par_iter().zip(counts).enumerate().for_each(|(m, (mut rate, counts))| {
            rate.assign(&trial(m));
            if let Some(term) = self.post_spike_term(*counts, columns.clone(), bins) {
                rate.iter_mut().zip(&term).filter(|(_, z)| **z != 0.0).for_each(|(rate, z)| *rate *= exp(*z));
            }
        });
        rates
    }

    /// What past spikes of one trial `[pad + T, all units]` add to the log-rates `[T, units]` of this area, whose units are `columns`;
    /// `None` without such a term.
    pub fn post_spike_term(&self, counts: ArrayView2<'_, u8>, columns: std::ops::Range<usize>, bins: usize) -> Option<Array2<f32>> {
        let filter = self.post_spike.as_ref()?;
        let pad = counts.nrows().saturating_sub(bins);
        let mut term = Array2::zeros((bins, filter.ncols()));
        for (t, mut row) in term.outer_iter_mut().enumerate() {
            for (lag, taps) in filter.outer_iter().enumerate().take(pad + t) {
                let past = counts.row(pad + t - 1 - lag);
                for ((sum, tap), &y) in row.iter_mut().zip(taps).zip(past.iter().skip(columns.start)).filter(|(_, y)| **y > 0) {
                    *sum += tap * f32::from(y);
                }
            }
        }
        Some(term)
    }

    /// Feature rows of source number `which` of [`GlmConfig::sources`].
    pub fn rows_of(&self, config: &GlmConfig, which: usize) -> std::ops::Range<usize> {
        let first = config.factors + which * config.rank;
        first..first + config.rank
    }
}

/// All small tensors of a pass, before the counts are looked at.
pub(super) struct Small {
    pub(super) f0: Tensor<3>,
    pub(super) factors: Option<Tensor<4>>,
    /// Per area.
    pub(super) features: Vec<Tensor<3>>,
    /// Per area.
    pub(super) weights: Vec<Tensor<2>>,
    /// Per area.
    pub(super) post_spike: Vec<Option<Tensor<2>>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::kernels::readout::Readout;

    #[test]
    fn rates_given_counts_are_those_of_the_loss() {
        let wave = |k: usize| (k as f32 * 1.7).sin();
        let inputs = AreaInputs {
            features: Array3::from_shape_fn((2, 3, 7), |(m, f, t)| 0.4 * wave(m * 21 + f * 7 + t)),
            weights: Array2::from_shape_fn((4, 2), |(f, u)| wave(f * 2 + u) - 0.8),
            post_spike: Some(Array2::from_shape_fn((3, 2), |(lag, u)| 0.5 * wave(lag * 5 + u))),
        };
        // Two bins of padding; the area's units are the second and third of four.
        let counts: Vec<Array2<u8>> =
            (0..2).map(|m| Array2::from_shape_fn((9, 4), |(t, u)| ((m + t * 3 + u * u) % 4 == 0) as u8)).collect();
        let views: Vec<ArrayView2<'_, u8>> = counts.iter().map(|c| c.view()).collect();
        let rates = inputs.rates_given(&views, 1..3);
        let term = |((m, t, u), rate): ((usize, usize, usize), &f32)| f64::from(*rate - f32::from(counts[m][[t + 2, u + 1]]) * rate.ln());
        let ours: f64 = rates.indexed_iter().map(term).sum();
        let features = inputs.features.view();
        let post_spike = inputs.post_spike.as_ref().map(|p| p.view());
        let loss =
            |post_spike| Readout { counts: &views, pad: 2, columns: 1..3, features, weights: inputs.weights.view(), post_spike }.loss();
        assert!((ours - loss(post_spike)).abs() < 1e-4, "{ours} {}", loss(post_spike));
        assert!((ours - loss(None)).abs() > 1e-2, "the term matters here");
        // Rates that are the same in all trials, and no term.
        let first = inputs.features.slice_axis(Axis(0), ndarray::Slice::from(..1)).to_owned();
        let same = AreaInputs { features: first, post_spike: None, ..inputs };
        let rates = same.rates_given(&views, 1..3);
        assert_eq!(rates.index_axis(Axis(0), 0), rates.index_axis(Axis(0), 1));
    }
}
