//! What the Poisson readout of one area sees: features per trial and bin, weights per unit. Small enough to live on the host
//! whatever the device; rates, scores and pictures are computed from it.

use burn::tensor::Tensor;
use ndarray::{Array2, Array3, Axis};
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
