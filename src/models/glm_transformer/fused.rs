//! Loss and gradients of a batch on the CPU without large intermediates.
//!
//! The small parts of the model (splines, filters, penalties) stay tensors with automatic differentiation. The three large
//! parts run in [`crate::models::kernels`], which give their own gradients: the encoder, the projection of spikes, and the
//! pass over all counts. They are tied together by leaves: a kernel's result enters the graph as a leaf, and the leaf's
//! gradient is handed back to the kernel. The numbers are those of `loss`, up to rounding.

use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array1, Array2, Array3, ArrayView2};

use super::forward::draw;
use super::inputs::{AreaInputs, Small};
use super::{Ask, GlmConfig, GlmNet, LossTerms, Model, Norm, Tables, Terms};
use crate::models::DeviceFailed;
use crate::models::adam::Gradients;
use crate::models::host::{array2, array3, tensor1, tensor2, tensor3, vector};
use crate::models::kernels::block;
use crate::models::kernels::encoder::{Affine, Encoder, Kept, Layer};
use crate::models::kernels::projection::{Projection, project, project_backward};
use crate::models::kernels::readout::{Readout, ReadoutGradients};
use crate::models::params::Plain;

/// Counts of one batch on the host.
pub struct FusedBatch<'a> {
    /// Counts per trial `[pad + T, N]`.
    pub counts: Vec<ArrayView2<'a, u8>>,
    /// Mean over the batch's trials `[T, N]`: all that stage 1 needs, since its rates are the same in every trial.
    pub mean: Array2<f32>,
    /// Token counts per trial `[tokens, N]`.
    pub tokens: Vec<Array2<f32>>,
}

impl<'a> FusedBatch<'a> {
    /// Prepare a batch of trials `[pad + T, N]`.
    pub fn new(config: &GlmConfig, counts: Vec<ArrayView2<'a, u8>>) -> Self {
        let mut mean = Array2::<f32>::zeros((config.bins, config.units()));
        for trial in &counts {
            mean.zip_mut_with(&block(trial.view(), config.pad..config.pad + config.bins, 0..config.units()), |sum, &y| {
                *sum += f32::from(y)
            });
        }
        mean /= counts.len().max(1) as f32;
        let tokens = counts.iter().map(|trial| token_counts(config, trial)).collect();
        Self { counts, mean, tokens }
    }
}

fn token_counts(config: &GlmConfig, trial: &ArrayView2<'_, u8>) -> Array2<f32> {
    let mut tokens = Array2::zeros((config.tokens(), config.units()));
    for (t, row) in
        block(trial.view(), config.pad..config.pad + config.tokens() * config.token_bins, 0..config.units()).outer_iter().enumerate()
    {
        tokens.row_mut(t / config.token_bins).zip_mut_with(&row, |sum, &y| *sum += f32::from(y));
    }
    tokens
}

/// Latent means and log-variances `[M, A, D]` without autodiff.
///
/// # Errors
/// When parameters cannot be read.
pub fn fused_latents(model: Model<'_>, batch: &FusedBatch<'_>) -> Result<(Tensor<3>, Tensor<3>), DeviceFailed> {
    let Model { net, config, tables } = model;
    let encoder = read_encoder(net, config)?;
    Ok(latent_tensors(config, &run_encoder(&encoder, config, tables, batch, false).0, &plain_device(net)))
}

/// Loss and, when `want_gradients`, the gradients of one batch. The parameters must live on a CPU device with autodiff.
///
/// # Errors
/// When parameters cannot be read.
pub fn fused_gradients(
    model: Model<'_>,
    batch: &FusedBatch<'_>,
    ask: Ask,
    want_gradients: bool,
) -> Result<(LossTerms, Gradients), DeviceFailed> {
    let Model { net, config, tables } = model;
    let Ask { terms, latent, noise, penalise_coupling } = ask;
    let device = plain_device(net);
    let mut encoder = None;
    let latent = match (terms.vae, latent) {
        (false, _) => None,
        (true, Some((mean, log_variance))) => Some((Tensor::from_inner(mean), Tensor::from_inner(log_variance))),
        (true, None) => {
            let weights = read_encoder(net, config)?;
            let trains = net.to_latent.weight.val().is_require_grad() && want_gradients;
            let (head, kept) = run_encoder(&weights, config, tables, batch, trains);
            let (mean, log_variance) = latent_tensors(config, &head, &device);
            let leaf = |t: Tensor<3>| Tensor::from_inner(t).set_require_grad(trains);
            encoder = trains.then_some((weights, kept));
            Some((leaf(mean), leaf(log_variance)))
        }
    };
    let projections = if terms.coupling { read_projections(net, config)? } else { Vec::new() };
    let projected = match projections.is_empty() {
        true => None,
        false => Some(Tensor::<3>::from_inner(tensor3(&project(&batch.counts, &projections), &device)).set_require_grad(want_gradients)),
    };
    let noise = noise.map(Tensor::from_inner);
    let Small { f0, factors, features, weights, post_spike } =
        small(model, terms, latent.as_ref(), noise, projected.clone(), batch.counts.len());
    let trials = if terms.vary() { batch.counts.len() } else { 1 };
    let scale = 1.0 / (trials * config.bins * config.units()) as f64;
    let (mut poisson, mut surrogate) = (0.0, Vec::new());
    for (area, ((features, weights), taps)) in features.into_iter().zip(weights).zip(post_spike).enumerate() {
        let inputs = read_inputs(&features, &weights, taps.as_ref())?;
        let pass = area_pass(batch, config, terms.vary(), &inputs, area, want_gradients);
        poisson += pass.loss * scale;
        if want_gradients {
            let towards = |gradient: Tensor<1>, value: Tensor<1>| (value * Tensor::from_inner(gradient.mul_scalar(scale))).sum();
            surrogate.push(towards(flat3(&pass.features, &device), flatten3(features)));
            surrogate.push(towards(flat2(&pass.weights, &device), flatten2(weights)));
            if let Some(taps) = taps {
                surrogate.push(towards(flat2(&pass.post_spike, &device), flatten2(taps)));
            }
        }
    }

    let penalties = net.penalties(config, &f0, factors.as_ref(), latent.as_ref(), penalise_coupling);
    let value = |t: &Tensor<1>| -> Result<f64, DeviceFailed> { Ok(f64::from(t.clone().inner_if_tracked().try_into_scalar::<f32>()?)) };
    let kl = penalties.kl.as_ref().map(value).transpose()?.unwrap_or(0.0);
    let group = penalties.group.as_ref().map(value).transpose()?.unwrap_or(0.0);
    let losses = LossTerms::of(config, poisson, kl, group, value(&penalties.smooth)?);
    let mut gradients = Gradients::new();
    if !want_gradients {
        return Ok((losses, gradients));
    }
    surrogate.push(penalties.smooth);
    surrogate.extend(penalties.kl.map(|kl| kl.mul_scalar(config.beta)));
    surrogate.extend(penalties.group);
    let total = Tensor::cat(surrogate, 0).sum();
    if !total.is_tracked() {
        return Ok((losses, gradients));
    }
    let mut from = total.backward();
    gradients.collect(net, &mut from);
    if let Some(slope) = projected.and_then(|p| p.grad_remove(&mut from)) {
        add_projection_gradients(net, config, batch, &projections, slope, &mut gradients)?;
    }
    if let (Some((weights, kept)), Some((mean, log_variance))) = (encoder, latent) {
        let slopes = (mean.grad_remove(&mut from), log_variance.grad_remove(&mut from));
        add_encoder_gradients(net, config, &weights, &kept, slopes, batch.counts.len(), &mut gradients)?;
    }
    Ok((losses, gradients))
}

/// Features of an area's readout `[M, K + sources · S, T]`.
fn features(
    config: &GlmConfig,
    f0: &Tensor<3>,
    factors: Option<&Tensor<4>>,
    series: Option<Tensor<3>>,
    area: usize,
    trials: usize,
) -> Tensor<3> {
    let (k, t) = (config.factors, config.bins);
    let mean = f0.clone().narrow(0, area, 1);
    let own = match factors {
        None => mean.expand([trials, k, t]),
        Some(factors) => mean.expand([trials, k, t]) + factors.clone().narrow(0, area, 1).reshape([trials, k, t]),
    };
    match series {
        Some(series) => Tensor::cat(vec![own, series.swap_dims(0, 1)], 1),
        None => own,
    }
}

/// `[K + sources · S + 1, units of the area]`: readout, receiving weights, bias (twice with the VAE on, published).
fn readout_weights(net: &GlmNet, config: &GlmConfig, area: usize, vae: bool, coupling: bool) -> Tensor<2> {
    let readout = &net.readout[area];
    let mut rows = vec![readout.weight.val()];
    if coupling {
        rows.push(net.receiving(config, area));
    }
    if let Some(bias) = &readout.bias {
        rows.push(bias.val().mul_scalar(if vae { 2.0 } else { 1.0 }).unsqueeze());
    }
    Tensor::cat(rows, 0)
}

/// The small part of a pass: features and weights of every area's readout.
fn small(
    model: Model<'_>,
    terms: Terms,
    latent: Option<&(Tensor<3>, Tensor<3>)>,
    noise: Option<Tensor<3>>,
    projected: Option<Tensor<3>>,
    trials: usize,
) -> Small {
    let Model { net, config, tables } = model;
    let f0 = net.mean_dynamics(config, tables);
    let factors = latent.map(|(mean, log_variance)| net.decode(config, tables, draw(mean, log_variance, noise)));
    let series = projected.map(|projected| net.series(config, tables, projected, config.pad));
    let filter = terms.history.then(|| net.post_spike_filter(tables));
    // What is the same in every trial is there once.
    let trials = if terms.vary() { trials } else { 1 };
    let (mut features_of, mut weights, mut post_spike) = (Vec::new(), Vec::new(), Vec::new());
    let mut first_series = 0;
    for area in 0..config.areas() {
        let rows = if series.is_some() { config.sources(area).len() * config.rank } else { 0 };
        let own = series.as_ref().filter(|_| rows > 0).map(|s| s.clone().narrow(0, first_series, rows));
        first_series += rows;
        features_of.push(features(config, &f0, factors.as_ref(), own, area, trials));
        weights.push(readout_weights(net, config, area, terms.vae, rows > 0));
        let columns = config.columns(area);
        post_spike.push(filter.clone().map(|p| p.narrow(1, columns.start, columns.len())));
    }
    Small { f0, factors, features: features_of, weights, post_spike }
}

/// Features and weights of every area's readout for trials with known latents (`None` before the VAE is on), on the host.
///
/// # Errors
/// When the device cannot be read.
pub fn area_inputs(
    model: Model<'_>,
    counts: &[ArrayView2<'_, u8>],
    terms: Terms,
    latent: Option<(Tensor<3>, Tensor<3>)>,
) -> Result<Vec<AreaInputs>, DeviceFailed> {
    let Model { net, config, .. } = model;
    let autodiff = net.f0_coef.val().is_autodiff();
    let alike = |t: Tensor<3>| if autodiff { Tensor::from_inner(t) } else { t };
    let projections = if terms.coupling { read_projections(net, config)? } else { Vec::new() };
    let projected = (!projections.is_empty()).then(|| alike(tensor3(&project(counts, &projections), &plain_device(net))));
    let latent = latent.map(|(mean, log_variance)| (alike(mean), alike(log_variance)));
    let small = small(model, terms, latent.as_ref(), None, projected, counts.len());
    small.features.iter().zip(&small.weights).zip(&small.post_spike).map(|((f, w), p)| read_inputs(f, w, p.as_ref())).collect()
}

fn read_inputs(features: &Tensor<3>, weights: &Tensor<2>, post_spike: Option<&Tensor<2>>) -> Result<AreaInputs, DeviceFailed> {
    Ok(AreaInputs {
        features: array3(features.clone())?,
        weights: array2(weights.clone())?,
        post_spike: post_spike.map(|t| array2(t.clone())).transpose()?,
    })
}

fn area_pass(
    batch: &FusedBatch<'_>,
    config: &GlmConfig,
    vary: bool,
    inputs: &AreaInputs,
    area: usize,
    want_gradients: bool,
) -> ReadoutGradients {
    let columns = config.columns(area);
    let (features, weights) = (inputs.features.view(), inputs.weights.view());
    // Without trial-varying terms the rates are the same in every trial, and the mean counts say all.
    if vary {
        let post_spike = inputs.post_spike.as_ref().map(|t| t.view());
        return run(&Readout { counts: &batch.counts, pad: config.pad, columns, features, weights, post_spike }, want_gradients);
    }
    let mean = [batch.mean.view()];
    run(&Readout { counts: &mean, pad: 0, columns, features, weights, post_spike: None }, want_gradients)
}

fn run<C: Copy + Into<f32> + Send + Sync>(pass: &Readout<'_, C>, want_gradients: bool) -> ReadoutGradients {
    match want_gradients {
        true => pass.gradients(),
        false => ReadoutGradients {
            loss: pass.loss(),
            features: Array3::zeros((0, 0, 0)),
            weights: Array2::zeros((0, 0)),
            post_spike: Array2::zeros((0, 0)),
        },
    }
}

fn read_projections(net: &GlmNet, config: &GlmConfig) -> Result<Vec<Projection>, DeviceFailed> {
    let mut projections = Vec::new();
    for (source, target) in config.active_pairs() {
        let send = array2(net.coupling[config.pair(source, target)].send.val())?;
        for factor in 0..config.rank {
            projections.push(Projection { columns: config.columns(source), weights: send.column(factor).to_vec() });
        }
    }
    Ok(projections)
}

fn add_projection_gradients(
    net: &GlmNet,
    config: &GlmConfig,
    batch: &FusedBatch<'_>,
    projections: &[Projection],
    slope: Tensor<3>,
    gradients: &mut Gradients,
) -> Result<(), DeviceFailed> {
    let by_projection = project_backward(&batch.counts, projections, array3(slope)?.view());
    for ((source, target), columns) in config.active_pairs().into_iter().zip(by_projection.chunks(config.rank)) {
        let send = &net.coupling[config.pair(source, target)].send;
        if send.val().is_require_grad() {
            let units = config.neurons[source];
            let values = (0..units * config.rank).map(|at| columns[at % config.rank][at / config.rank]).collect::<Vec<f32>>();
            gradients.add(send.id, Tensor::<2>::from_data(TensorData::new(values, [units, config.rank]), &plain_device(net)));
        }
    }
    Ok(())
}

fn run_encoder(encoder: &Encoder, config: &GlmConfig, tables: &Tables, batch: &FusedBatch<'_>, keep: bool) -> (Array2<f32>, Kept) {
    let columns: Vec<_> = (0..config.areas()).map(|a| config.columns(a)).collect();
    encoder.forward(&batch.tokens, &columns, &tables.host.positions, keep)
}

/// Head outputs `[M, A · 2D]` as means and log-variances `[M, A, D]`.
fn latent_tensors(config: &GlmConfig, head: &Array2<f32>, device: &Device) -> (Tensor<3>, Tensor<3>) {
    let (m, a, d) = (head.nrows(), config.areas(), config.latent_per_area);
    let part = |which: usize| {
        let values = Array3::from_shape_fn((m, a, d), |(trial, area, k)| head[[trial, area * 2 * d + which * d + k]]);
        tensor3(&values, device)
    };
    (part(0), part(1))
}

fn add_encoder_gradients(
    net: &GlmNet,
    config: &GlmConfig,
    encoder: &Encoder,
    kept: &Kept,
    slopes: (Option<Tensor<3>>, Option<Tensor<3>>),
    trials: usize,
    gradients: &mut Gradients,
) -> Result<(), DeviceFailed> {
    let d = config.latent_per_area;
    let mut head = Array2::<f32>::zeros((trials, config.areas() * 2 * d));
    for (which, slope) in [slopes.0, slopes.1].into_iter().enumerate() {
        let Some(slope) = slope else { continue };
        for ((trial, area, k), value) in array3(slope)?.indexed_iter() {
            head[[trial, area * 2 * d + which * d + k]] = *value;
        }
    }
    let slope = encoder.backward(kept, head.view(), config.tokens());
    let device = plain_device(net);
    let mut linear = |layer: &Linear, slope: &Affine| {
        gradients.add(layer.weight.id, tensor2(&slope.weight, &device));
        if let Some(bias) = &layer.bias {
            gradients.add(bias.id, tensor1(&slope.bias, &device));
        }
    };
    for (layer, slope) in net.read_in.iter().zip(&slope.read_in) {
        linear(layer, slope);
    }
    for (block, slope) in net.blocks.iter().zip(&slope.layers) {
        linear(&block.qkv, &slope.qkv);
        linear(&block.proj, &slope.proj);
        linear(&block.ff_in, &slope.ff_in);
        linear(&block.ff_out, &slope.ff_out);
    }
    linear(&net.to_latent, &slope.to_latent);
    for (block, slope) in net.blocks.iter().zip(&slope.layers) {
        for (norm, (gamma, beta)) in [(&block.ln_attn, &slope.ln_attn), (&block.ln_ff, &slope.ln_ff)] {
            gradients.add(norm.gamma.id, tensor1(gamma, &device));
            gradients.add(norm.beta.id, tensor1(beta, &device));
        }
    }
    Ok(())
}

fn read_encoder(net: &GlmNet, config: &GlmConfig) -> Result<Encoder, DeviceFailed> {
    let linear = |l: &Linear| -> Result<Affine, DeviceFailed> {
        let weight = array2(l.weight.val())?;
        let bias = match &l.bias {
            Some(bias) => vector(bias)?,
            None => Array1::zeros(weight.ncols()),
        };
        Ok(Affine { weight, bias })
    };
    let norm = |n: &Norm| -> Result<(Array1<f32>, Array1<f32>), DeviceFailed> { Ok((vector(&n.gamma)?, vector(&n.beta)?)) };
    let layers = net.blocks.iter().map(|b| {
        Ok(Layer {
            qkv: linear(&b.qkv)?,
            proj: linear(&b.proj)?,
            ln_attn: norm(&b.ln_attn)?,
            ff_in: linear(&b.ff_in)?,
            ff_out: linear(&b.ff_out)?,
            ln_ff: norm(&b.ln_ff)?,
        })
    });
    Ok(Encoder {
        read_in: net.read_in.iter().map(linear).collect::<Result<_, DeviceFailed>>()?,
        layers: layers.collect::<Result<_, DeviceFailed>>()?,
        to_latent: linear(&net.to_latent)?,
        heads: config.heads,
    })
}

fn plain_device(net: &GlmNet) -> Device {
    use crate::models::params::PlainDevice;
    net.f0_coef.val().device().inner_if_autodiff()
}

fn flat2(array: &Array2<f32>, device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(array.iter().copied().collect::<Vec<_>>(), [array.len()]), device)
}

fn flat3(array: &Array3<f32>, device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(array.iter().copied().collect::<Vec<_>>(), [array.len()]), device)
}

fn flatten2(tensor: Tensor<2>) -> Tensor<1> {
    let n = tensor.shape().num_elements();
    tensor.reshape([n])
}

fn flatten3(tensor: Tensor<3>) -> Tensor<1> {
    let n = tensor.shape().num_elements();
    tensor.reshape([n])
}
