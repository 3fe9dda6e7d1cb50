//! Constant tables of a model on one device: bases, positions, and the band matrix that applies coupling filters.

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array2, Array3};

use super::GlmConfig;
use crate::models::bases::{raised_cosine, spline_basis};

/// Longest stretch of output bins that one band matrix covers; longer windows are cut into equal blocks.
const LONGEST_BLOCK: usize = 256;

/// Constants without autodiff.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Spline basis, transposed `[B, T]`.
    pub spline: Tensor<2>,
    /// Coupling basis `[L, basis]`; row k acts at lag k + 1.
    pub coupling_basis: Tensor<2>,
    /// Post-spike basis `[L_h, basis]`.
    pub history_basis: Tensor<2>,
    /// Sinusoidal positions `[tokens, d]` (base 1000).
    pub positions: Tensor<2>,
    /// Band matrices of the coupling basis `[basis, (lags + block) · block]`.
    band: Tensor<2>,
    /// Lags of the coupling filter.
    pub lags: usize,
    /// Output bins per block.
    pub block: usize,
    /// Blocks per trial.
    pub blocks: usize,
    /// The same tables on the host, for the fused CPU path.
    pub(super) host: HostTables,
}

/// See [`Tables::host`].
#[derive(Debug, Clone)]
pub(super) struct HostTables {
    pub(super) positions: Array2<f32>,
}

impl Tables {
    /// For a configuration, on `device` (without autodiff).
    pub fn new(config: &GlmConfig, device: &Device) -> Self {
        let (count, peak, stretch) = config.coupling_basis;
        let coupling = raised_cosine(count, peak, stretch);
        let (h_count, h_peak, h_stretch) = config.history_basis;
        let history = raised_cosine(h_count, h_peak, h_stretch);
        let lags = coupling.nrows();
        let blocks = config.bins.div_ceil(LONGEST_BLOCK).max(1);
        let block = config.bins.div_ceil(blocks);
        let mut band = Array3::<f64>::zeros((count, lags + block, block));
        for k in 0..count {
            for t in 0..block {
                for lag in 1..=lags {
                    // Input bin s of a block lies `lags` bins before its output bin s.
                    band[[k, lags + t - lag, t]] = coupling[[lag - 1, k]];
                }
            }
        }
        let positions = sinusoids(config.tokens(), config.width, 1000.0);
        Self {
            spline: tensor(&spline_basis(config.splines, config.bins).t().to_owned(), device),
            coupling_basis: tensor(&coupling, device),
            history_basis: tensor(&history, device),
            positions: tensor(&positions, device),
            band: Tensor::from_data(
                TensorData::new(band.iter().map(|&x| x as f32).collect::<Vec<_>>(), [count, (lags + block) * block]),
                device,
            ),
            lags,
            block,
            blocks,
            host: HostTables { positions: positions.mapv(|x| x as f32) },
        }
    }

    /// Apply coupling filters causally (a spike in bin t acts from bin t + 1).
    ///
    /// `projected` `[Q, M, pad + T]` are projected source spikes, one row of `coef` `[Q, basis]` per filter; result `[Q, M, T]`.
    pub fn filter(&self, projected: Tensor<3>, coef: Tensor<2>, pad: usize) -> Tensor<3> {
        let [q, m, length] = projected.dims();
        let bins = length - pad;
        let history = self.history_of(projected, pad);
        let blocks: Vec<Tensor<3>> = (0..self.blocks).map(|b| history.clone().narrow(2, b * self.block, self.lags + self.block)).collect();
        let input = Tensor::cat(blocks, 1);
        let band: Tensor<3> = coef.matmul(self.band_for(&input)).reshape([q, self.lags + self.block, self.block]);
        let output = input.matmul(band);
        if self.blocks == 1 {
            return output;
        }
        let by_block = output.reshape([q, self.blocks, m, self.block]).swap_dims(1, 2).reshape([q, m, self.blocks * self.block]);
        by_block.narrow(2, 0, bins)
    }

    fn band_for(&self, like: &Tensor<3>) -> Tensor<2> {
        if like.is_autodiff() { Tensor::from_inner(self.band.clone()) } else { self.band.clone() }
    }

    /// Exactly `lags` bins of history, then `blocks · block` bins (zeros where the data end).
    fn history_of(&self, projected: Tensor<3>, pad: usize) -> Tensor<3> {
        let [q, m, length] = projected.dims();
        let device = projected.device();
        let bins = length - pad;
        let mut parts = Vec::new();
        if pad < self.lags {
            parts.push(Tensor::zeros([q, m, self.lags - pad], &device));
        }
        parts.push(if pad > self.lags { projected.narrow(2, pad - self.lags, self.lags + bins) } else { projected });
        let missing = self.blocks * self.block - bins;
        if missing > 0 {
            parts.push(Tensor::zeros([q, m, missing], &device));
        }
        Tensor::cat(parts, 2)
    }
}

fn tensor(array: &Array2<f64>, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(array.iter().map(|&x| x as f32).collect::<Vec<_>>(), [array.nrows(), array.ncols()]), device)
}

/// Sinusoidal positions `[length, width]`: even columns sine, odd columns cosine, frequency `base^(−2k/width)`.
pub(super) fn sinusoids(length: usize, width: usize, base: f64) -> Array2<f64> {
    Array2::from_shape_fn((length, width), |(position, column)| {
        let frequency = (-(base.ln()) * (2 * (column / 2)) as f64 / width as f64).exp();
        let angle = position as f64 * frequency;
        if column % 2 == 0 { angle.sin() } else { angle.cos() }
    })
}
