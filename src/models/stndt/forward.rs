//! The forward pass in tensors, on any device (spec §2.2, §2.3), with every intermediate that a view or a test may ask for.

use burn::nn::Linear;
use burn::tensor::{Distribution, Tensor, TensorData, activation};

use super::{Layer, Space, StndtConfig, StndtNet, Tables};
use crate::models::host::alike;
use crate::models::kernels::dropout::Drop;
use crate::models::kernels::site;
use crate::models::kernels::spatiotemporal::{EMBED_SPACE, EMBED_TIME, RATES};
use crate::models::params::PlainDevice;

/// Where dropout masks come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropout {
    /// Nothing is dropped (evaluation).
    Off,
    /// Masks computed on the host from this seed: the same as in the fused form.
    Seeded(u64),
    /// Masks drawn by the device (seed it with `Device::seed` before every step): much faster on a GPU.
    Device,
}

/// Everything a forward pass gives.
pub struct Forward {
    /// Log-rate per bin `[B, T, N]`.
    pub log_rate: Tensor<3>,
    /// Outputs of the layers `[B, T, N]`, when asked for.
    pub layers: Vec<Tensor<3>>,
    /// Attention over time per layer, mean over heads `[B, T, T]`, when asked for.
    pub time_attention: Vec<Tensor<3>>,
    /// Attention over units per layer, mean over heads `[B, N, N]`, when asked for.
    pub space_attention: Vec<Tensor<3>>,
}

impl StndtNet {
    /// Log-rates of (corrupted) counts `[B, T, N]`; `keep` also gives what the layers do.
    pub fn forward(&self, config: &StndtConfig, tables: &Tables, src: Tensor<3>, dropout: Dropout, keep: bool) -> Forward {
        let pass = Pass { config, dropout };
        let [b, t, n] = src.dims();
        let autodiff = src.is_autodiff();
        let codes: Tensor<2> = match &self.positions {
            Some(learned) => learned.val(),
            None => alike(&tables.device_time, autodiff),
        };
        let (time, space) = self.embed(src);
        let mut x = pass.drop(time + codes.unsqueeze::<3>().expand([b, t, n]), EMBED_TIME, config.dropout_embedding);
        let mut units = space.map(|space| {
            let codes: Tensor<3> = alike(&tables.device_space, autodiff).swap_dims(0, 1).unsqueeze();
            pass.drop(space + codes.expand([b, n, t]), EMBED_SPACE, config.dropout_embedding)
        });
        let context: Tensor<4> = alike(&tables.device_context, autodiff).reshape([1, 1, t, t]);
        let mut out = Forward { log_rate: x.clone(), layers: Vec::new(), time_attention: Vec::new(), space_attention: Vec::new() };
        for (at, layer) in self.layers.iter().enumerate() {
            let (temporal, weights) = layer.forward_time(x, &context, &pass, at);
            x = temporal;
            if let (Some(space), Some(over)) = (&layer.space, units.take()) {
                let (mixed, map) = space.forward(x, over, &pass, at);
                x = mixed;
                units = Some(x.clone().swap_dims(1, 2));
                if keep {
                    out.space_attention.push(map);
                }
            }
            if keep {
                out.layers.push(x.clone());
                out.time_attention.push(weights.mean_dim(1).reshape([b, t, t]));
            }
        }
        out.log_rate = apply(&self.readout, pass.drop(self.ln_out.forward(x), RATES, config.dropout_rates));
        out
    }

    /// Embedded bins `[B, T, N]` and units `[B, N, T]`, before codes and dropout (what the contrastive term compares).
    pub fn embed(&self, src: Tensor<3>) -> (Tensor<3>, Option<Tensor<3>>) {
        let [_, t, n] = src.dims();
        let space = self.embed_space.as_ref().map(|embed| apply(embed, src.clone().swap_dims(1, 2)).mul_scalar((t as f64).sqrt()));
        let time = match &self.embed_time {
            Some(embed) => apply(embed, src),
            None => src,
        };
        (time.mul_scalar((n as f64).sqrt()), space)
    }
}

/// What is the same in a whole pass.
struct Pass<'a> {
    config: &'a StndtConfig,
    dropout: Dropout,
}

impl Pass<'_> {
    /// Dropout of a tensor whose first dimension is trials.
    fn drop<const D: usize>(&self, x: Tensor<D>, site: u32, rate: f64) -> Tensor<D> {
        if rate <= 0.0 || self.dropout == Dropout::Off {
            return x;
        }
        let shape = x.dims();
        let device = x.device().inner_if_autodiff();
        let mask = match self.dropout {
            Dropout::Off => return x,
            Dropout::Device => Tensor::<D>::random(shape, Distribution::Bernoulli(1.0 - rate), &device).mul_scalar(1.0 / (1.0 - rate)),
            Dropout::Seeded(seed) => {
                let total: usize = shape.iter().product();
                let per_trial = total / shape[0].max(1);
                let mut factors = vec![1.0f32; total];
                for (trial, own) in factors.chunks_exact_mut(per_trial.max(1)).enumerate() {
                    if let Some(drop) = Drop::new(seed, site, trial, rate) {
                        drop.multiply(own, 0);
                    }
                }
                Tensor::from_data(TensorData::new(factors, shape), &device)
            }
        };
        let autodiff = x.is_autodiff();
        x * alike(&mask, autodiff)
    }
}

impl Layer {
    /// Attention over time and its feed-forward; also the weights `[B, H, T, T]`.
    fn forward_time(&self, x: Tensor<3>, context: &Tensor<4>, pass: &Pass<'_>, at: usize) -> (Tensor<3>, Tensor<4>) {
        let [b, t, n] = x.dims();
        let (heads, rate) = (pass.config.heads, pass.config.dropout);
        let width = n / heads;
        let qkv = apply(&self.qkv, self.ln_attn.forward(x.clone()));
        let part = |which: usize| -> Tensor<4> { qkv.clone().narrow(2, which * n, n).reshape([b, t, heads, width]).swap_dims(1, 2) };
        let scores = part(0).matmul(part(1).swap_dims(2, 3)).mul_scalar(1.0 / (width as f64).sqrt());
        let weights = activation::softmax(scores + context.clone().expand([b, heads, t, t]), 3);
        let mixed = pass.drop(weights.clone(), site(at, 0), rate).matmul(part(2)).swap_dims(1, 2).reshape([b, t, n]);
        let x = x + pass.drop(apply(&self.proj, mixed), site(at, 1), rate);
        let hidden = pass.drop(activation::relu(apply(&self.ff_in, self.ln_ff.forward(x.clone()))), site(at, 2), rate);
        (x + pass.drop(apply(&self.ff_out, hidden), site(at, 3), rate), weights)
    }
}

impl Space {
    /// Mix the features `x` `[B, T, N]` over units by attention over `units` `[B, N, T]`, and feed forward; also the weights,
    /// mean over heads `[B, N, N]`. Softmax first, mean second; only the weights of this attention are used (published).
    fn forward(&self, x: Tensor<3>, units: Tensor<3>, pass: &Pass<'_>, at: usize) -> (Tensor<3>, Tensor<3>) {
        let [b, n, t] = units.dims();
        let (heads, rate) = (pass.config.heads, pass.config.dropout);
        let width = t / heads;
        let qk = apply(&self.space_qk, self.ln_space.forward(units));
        let part = |which: usize| -> Tensor<4> { qk.clone().narrow(2, which * t, t).reshape([b, n, heads, width]).swap_dims(1, 2) };
        let scores = part(0).matmul(part(1).swap_dims(2, 3)).mul_scalar(1.0 / (width as f64).sqrt());
        let map: Tensor<3> = activation::softmax(scores, 3).mean_dim(1).reshape([b, n, n]);
        let mixed = self.ln_mix.forward(x.clone()).matmul(map.clone().swap_dims(1, 2));
        let x = x + pass.drop(mixed, site(at, 4), rate);
        let hidden = pass.drop(activation::relu(apply(&self.mix_in, self.ln_mixff.forward(x.clone()))), site(at, 5), rate);
        (x + pass.drop(apply(&self.mix_out, hidden), site(at, 6), rate), map)
    }
}

/// A linear layer on the last dimension, as one matrix product.
fn apply(linear: &Linear, x: Tensor<3>) -> Tensor<3> {
    let [b, rows, columns] = x.dims();
    let y = linear.forward(x.reshape([b * rows, columns]));
    let out = y.dims()[1];
    y.reshape([b, rows, out])
}
