//! Loss and gradients of a batch on the CPU by [`crate::models::kernels::spatiotemporal`]. The numbers are those of `loss`, up
//! to rounding. Here parameters are read from the network, layer normalisations are folded into the linear layers behind them,
//! and gradients are unfolded again.

use burn::nn::Linear;
use burn::tensor::Device;
use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, ArrayViewMut2};

use super::loss::view_seed;
use super::net::Layer;
use super::{Batch, ContrastOn, LossTerms, StndtConfig, StndtNet, Tables};
use crate::models::DeviceFailed;
use crate::models::adam::Gradients;
use crate::models::host::{array2, of_trained, tensor1, tensor2, vector};
use crate::models::kernels::contrast::info_nce;
use crate::models::kernels::embedders::Embedders;
use crate::models::kernels::encoder::Affine;
use crate::models::kernels::spatiotemporal::{self as kernel, Inside, Model, Shape};
use crate::models::kernels::{exp, simd};
use crate::models::norm::Norm;
use crate::models::params::PlainDevice;

/// A network as the CPU kernels use it, read once and valid until the next optimiser step.
pub struct Host {
    model: Model,
    shape: Shape,
}

impl Host {
    /// Read a network.
    ///
    /// # Errors
    /// When its device cannot be read.
    pub fn read(net: &StndtNet, config: &StndtConfig, tables: &Tables) -> Result<Self, DeviceFailed> {
        let seen = (0..config.bins).map(|bin| config.context(bin)).collect();
        let dropout = [config.dropout, config.dropout_embedding, config.dropout_rates];
        let shape = Shape::new(config.heads, seen, tables.space.clone(), dropout);
        let (out_scale, out_shift) = norm(&net.ln_out)?;
        let model = Model {
            embed: Embedders {
                time: net.embed_time.as_ref().map(linear).transpose()?,
                space: net.embed_space.as_ref().map(linear).transpose()?,
            },
            time_codes: match &net.positions {
                Some(learned) => array2(learned.val())?,
                None => tables.time.clone(),
            },
            layers: net.layers.iter().map(layer).collect::<Result<_, DeviceFailed>>()?,
            out_scale,
            out_shift,
            readout: linear(&net.readout)?,
        };
        Ok(Self { model, shape })
    }

    /// Log-rates per bin `[B, T, N]` of counts as the network sees them, without dropout.
    pub fn log_rates(&self, visible: ArrayView3<'_, f32>) -> Array3<f32> {
        self.model.log_rates(&self.shape, visible, None)
    }

    /// Losses of a batch without dropout and without the contrastive term.
    pub fn losses(&self, config: &StndtConfig, batch: &Batch) -> LossTerms {
        let log_rates = self.log_rates(batch.src.view());
        let mut sum = 0.0;
        for ((z, y), _) in log_rates.iter().zip(&batch.target).zip(&batch.scored).filter(|(_, scored)| **scored) {
            sum += f64::from(z.exp() - y * z);
        }
        LossTerms::of(config, sum / batch.n_scored().max(1) as f64, 0.0, 0.0, 0.0)
    }

    /// Layer outputs and both attentions, without dropout.
    pub fn inside(&self, visible: ArrayView3<'_, f32>) -> Inside {
        self.model.inside(&self.shape, visible)
    }
}

/// Log-rates per bin `[B, T, N]` of counts as the network sees them, without dropout.
///
/// # Errors
/// When parameters cannot be read.
pub fn fused_log_rates(
    net: &StndtNet,
    config: &StndtConfig,
    tables: &Tables,
    visible: ArrayView3<'_, f32>,
) -> Result<Array3<f32>, DeviceFailed> {
    Ok(Host::read(net, config, tables)?.log_rates(visible))
}

/// Loss and gradients of one batch. See [`super::reference_gradients`]; `seed` switches dropout on. The gradients are without
/// autodiff, on the network's device.
///
/// # Errors
/// When parameters cannot be read.
pub fn fused_gradients(
    net: &StndtNet,
    config: &StndtConfig,
    tables: &Tables,
    batch: &Batch,
    seed: Option<u64>,
) -> Result<(LossTerms, Gradients), DeviceFailed> {
    let Host { model, shape } = Host::read(net, config, tables)?;
    let scale = 1.0 / batch.n_scored().max(1) as f64;
    let slope = |trial: usize, z: ArrayView2<'_, f32>, dz: ArrayViewMut2<'_, f32>| poisson(batch, trial, z, dz, scale as f32);
    let (masked, mut d) = model.gradients(&shape, batch.src.view(), seed, &slope);
    let (mut time, mut space, mut predictions) = (0.0, 0.0, 0.0);
    if let (Some(contrast), Some([first, second])) = (&config.contrast, &batch.views) {
        match contrast.on {
            ContrastOn::Embedders => {
                (time, space) = model.embed.contrast([first, second], contrast.temperature, contrast.weight as f32, &mut d.embed);
            }
            ContrastOn::Predictions => {
                let seeds = [0, 1].map(|view| seed.map(|s| view_seed(s, view)));
                let (loss, slopes) = contrast_of_predictions(&model, &shape, [first, second], seeds, contrast.temperature);
                predictions = loss;
                for ((view, seed), part) in [first, second].into_iter().zip(seeds).zip(&slopes) {
                    let slope = |trial: usize, _: ArrayView2<'_, f32>, mut dz: ArrayViewMut2<'_, f32>| {
                        dz.zip_mut_with(&part.index_axis(ndarray::Axis(0), trial), |d, s| *d = s * contrast.weight as f32);
                        0.0
                    };
                    d.add(&model.gradients(&shape, view.view(), seed, &slope).1);
                }
            }
        }
    }
    let losses = LossTerms::of(config, masked * scale, time, space, predictions);
    Ok((losses, unfold(net, &d)?))
}

/// Sum of exp(z) − y z over the scored entries of a trial; its slope is scaled to the batch's mean.
fn poisson(batch: &Batch, trial: usize, z: ArrayView2<'_, f32>, mut dz: ArrayViewMut2<'_, f32>, scale: f32) -> f64 {
    let (target, scored) = (batch.target.index_axis(ndarray::Axis(0), trial), batch.scored.index_axis(ndarray::Axis(0), trial));
    let mut loss = 0.0;
    for (((z, mut dz), y), on) in z.outer_iter().zip(dz.outer_iter_mut()).zip(target.outer_iter()).zip(scored.outer_iter()) {
        let (Some(z), Some(dz), Some(y), Some(on)) = (z.as_slice(), dz.as_slice_mut(), y.as_slice(), on.as_slice()) else { continue };
        simd(
            #[inline(always)]
            || {
                for (dz, z) in dz.iter_mut().zip(z) {
                    *dz = exp(*z);
                }
                // Whole lanes at a time: one running sum could not be vectorised.
                let mut sums = [0.0f32; 16];
                let rows = dz.chunks_mut(16).zip(z.chunks(16)).zip(y.chunks(16)).zip(on.chunks(16));
                for (((dz, z), y), on) in rows {
                    for ((((sum, dz), z), y), on) in sums.iter_mut().zip(dz).zip(z).zip(y).zip(on) {
                        let weight = f32::from(u8::from(*on));
                        *sum += weight * (*dz - y * z);
                        *dz = weight * scale * (*dz - y);
                    }
                }
                loss += f64::from(sums.iter().sum::<f32>());
            },
        );
    }
    loss
}

fn contrast_of_predictions(
    model: &Model,
    shape: &Shape,
    views: [&Array3<f32>; 2],
    seeds: [Option<u64>; 2],
    temperature: f64,
) -> (f64, Vec<Array3<f32>>) {
    let (b, t, n) = views[0].dim();
    let mut features = Array2::<f32>::zeros((2 * b, t * n));
    for (half, (view, seed)) in views.into_iter().zip(seeds).enumerate() {
        let predicted = model.log_rates(shape, view.view(), seed);
        for (trial, own) in predicted.outer_iter().enumerate() {
            features.row_mut(half * b + trial).iter_mut().zip(&own).for_each(|(to, from)| *to = *from);
        }
    }
    let (loss, slope) = info_nce(features, temperature);
    let half = |first: usize| Array3::from_shape_fn((b, t, n), |(trial, bin, unit)| slope[[first + trial, bin * n + unit]]);
    (loss, vec![half(0), half(b)])
}

fn layer(layer: &Layer) -> Result<kernel::Layer, DeviceFailed> {
    let space = |space: &super::Space| -> Result<kernel::Space, DeviceFailed> {
        let (mix_scale, mix_shift) = norm(&space.ln_mix)?;
        Ok(kernel::Space {
            qk: folded(&space.ln_space, &space.space_qk)?,
            mix_scale,
            mix_shift,
            mix_in: folded(&space.ln_mixff, &space.mix_in)?,
            mix_out: linear(&space.mix_out)?,
        })
    };
    Ok(kernel::Layer {
        qkv: folded(&layer.ln_attn, &layer.qkv)?,
        proj: linear(&layer.proj)?,
        ff_in: folded(&layer.ln_ff, &layer.ff_in)?,
        ff_out: linear(&layer.ff_out)?,
        space: layer.space.as_ref().map(space).transpose()?,
    })
}

/// `(γ ∘ x + β) W + b = x (diag(γ) W) + (β W + b)`.
fn folded(norm_of: &Norm, of: &Linear) -> Result<Affine, DeviceFailed> {
    let (gamma, beta) = norm(norm_of)?;
    let Affine { mut weight, mut bias } = linear(of)?;
    bias += &beta.dot(&weight);
    weight.outer_iter_mut().zip(&gamma).for_each(|(mut row, g)| row *= *g);
    Ok(Affine { weight, bias })
}

/// Gradients of the network's own parameters.
fn unfold(net: &StndtNet, d: &Model) -> Result<Gradients, DeviceFailed> {
    let device = net.readout.weight.val().device().inner_if_autodiff();
    let mut into = Unfolding { device, gradients: Gradients::new() };
    for (embed, d) in [(&net.embed_time, &d.embed.time), (&net.embed_space, &d.embed.space)] {
        if let (Some(embed), Some(d)) = (embed, d) {
            into.linear(embed, d);
        }
    }
    if let Some(learned) = &net.positions {
        into.gradients.add(learned.id, tensor2(&d.time_codes, &into.device));
    }
    for (layer, d) in net.layers.iter().zip(&d.layers) {
        into.folded(&layer.ln_attn, &layer.qkv, &d.qkv)?;
        into.linear(&layer.proj, &d.proj);
        into.folded(&layer.ln_ff, &layer.ff_in, &d.ff_in)?;
        into.linear(&layer.ff_out, &d.ff_out);
        if let (Some(space), Some(d)) = (&layer.space, &d.space) {
            into.folded(&space.ln_space, &space.space_qk, &d.qk)?;
            into.norm(&space.ln_mix, &d.mix_scale, &d.mix_shift);
            into.folded(&space.ln_mixff, &space.mix_in, &d.mix_in)?;
            into.linear(&space.mix_out, &d.mix_out);
        }
    }
    into.norm(&net.ln_out, &d.out_scale, &d.out_shift);
    into.linear(&net.readout, &d.readout);
    Ok(of_trained(net, into.gradients))
}

struct Unfolding {
    device: Device,
    gradients: Gradients,
}

impl Unfolding {
    fn linear(&mut self, layer: &Linear, d: &Affine) {
        self.gradients.add(layer.weight.id, tensor2(&d.weight, &self.device));
        if let Some(bias) = &layer.bias {
            self.gradients.add(bias.id, tensor1(&d.bias, &self.device));
        }
    }

    fn norm(&mut self, norm: &Norm, d_gamma: &Array1<f32>, d_beta: &Array1<f32>) {
        self.gradients.add(norm.gamma.id, tensor1(d_gamma, &self.device));
        self.gradients.add(norm.beta.id, tensor1(d_beta, &self.device));
    }

    /// With G the gradient of diag(γ) W and g that of the folded bias: ∂W = γ ∘ G + β ⊗ g, ∂γ = Σ_j G ∘ W, ∂β = W g, ∂b = g.
    fn folded(&mut self, norm_of: &Norm, of: &Linear, d: &Affine) -> Result<(), DeviceFailed> {
        let ((gamma, beta), own) = (norm(norm_of)?, linear(of)?);
        let d_gamma = Array1::from_iter(d.weight.outer_iter().zip(own.weight.outer_iter()).map(|(g, w)| g.dot(&w)));
        let d_beta = own.weight.dot(&d.bias);
        let mut weight = d.weight.clone();
        for ((mut row, g), b) in weight.outer_iter_mut().zip(&gamma).zip(&beta) {
            row.zip_mut_with(&d.bias, |v, bias| *v = *v * g + b * bias);
        }
        self.norm(norm_of, &d_gamma, &d_beta);
        self.linear(of, &Affine { weight, bias: d.bias.clone() });
        Ok(())
    }
}

fn norm(norm: &Norm) -> Result<(Array1<f32>, Array1<f32>), DeviceFailed> {
    Ok((vector(&norm.gamma)?, vector(&norm.beta)?))
}

fn linear(layer: &Linear) -> Result<Affine, DeviceFailed> {
    let weight = array2(layer.weight.val())?;
    let bias = match &layer.bias {
        Some(bias) => vector(bias)?,
        None => Array1::zeros(weight.ncols()),
    };
    Ok(Affine { weight, bias })
}
