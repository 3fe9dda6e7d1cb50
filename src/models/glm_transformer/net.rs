//! Parameters and their initial values (spec §3).

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

use super::GlmConfig;
use crate::models::bases::raised_cosine;
use crate::models::init::Init;
use crate::models::norm::Norm;

/// One post-norm Transformer layer with exact GELU.
#[derive(Module, Debug)]
pub struct Block {
    /// Query, key, value `[d, 3d]`.
    pub qkv: Linear,
    /// Output of the attention `[d, d]`.
    pub proj: Linear,
    /// After attention.
    pub ln_attn: Norm,
    /// `[d, hidden]`.
    pub ff_in: Linear,
    /// `[hidden, d]`.
    pub ff_out: Linear,
    /// After the feed-forward.
    pub ln_ff: Norm,
}

/// Latent → spline coefficients of one area.
#[derive(Module, Debug)]
pub struct Decoder {
    /// `[D_a, k D_a]`, or `[D_a, K B]` when there is no second layer.
    pub first: Linear,
    /// `[k D_a, K B]`.
    pub second: Option<Linear>,
}

/// Coupling of one ordered pair.
#[derive(Module, Debug)]
pub struct Coupling {
    /// Filter coefficients `[basis, S]`.
    pub filter_coef: Param<Tensor<2>>,
    /// Sending weights `[N_source, S]`.
    pub send: Param<Tensor<2>>,
    /// Receiving weights `[N_target, S]`.
    pub recv: Param<Tensor<2>>,
}

/// All parameters.
#[derive(Module, Debug)]
pub struct GlmNet {
    /// Token embedding per area `[N_a, d]`.
    pub read_in: Vec<Linear>,
    /// Encoder, shared by areas.
    pub blocks: Vec<Block>,
    /// Latent head `[d, 2 D_a]`: means, then log-variances.
    pub to_latent: Linear,
    /// Decoder per area.
    pub decoder: Vec<Decoder>,
    /// Readout per area `[K, N_a]`.
    pub readout: Vec<Linear>,
    /// Mean dynamics, spline coefficients `[A, K, B]`.
    pub f0_coef: Param<Tensor<3>>,
    /// Coupling of every ordered pair, source-major.
    pub coupling: Vec<Coupling>,
    /// Post-spike coefficients `[basis, N]`.
    pub history_coef: Param<Tensor<2>>,
}

impl GlmNet {
    /// Initial weights from a seed. `device` with autodiff for training.
    pub fn new(config: &GlmConfig, seed: u64, device: &Device) -> Self {
        let mut init = Init::new(seed, device);
        let (d, latent) = (config.width, config.latent_per_area);
        let read_in = config.neurons.iter().map(|&n| init.plain_linear(n, d)).collect();
        // All layers start identical (deep copies in the reference implementation).
        let first = block(&mut init, config);
        let blocks = (0..config.layers).map(|_| copy_of(&first)).collect();
        let to_latent = init.plain_linear(d, 2 * latent);
        let outputs = config.factors * config.spline_columns();
        let decoder = (0..config.areas()).map(|_| decoder(&mut init, latent, outputs, config.decoder_multiple)).collect();
        let readout = config.neurons.iter().map(|&n| init.plain_linear(config.factors, n)).collect();
        let f0_coef = init.full(0.0, [config.areas(), config.factors, config.spline_columns()]);
        let coupling = (0..config.areas() * config.areas())
            .map(|pair| {
                let (source, target) = (config.neurons[pair / config.areas()], config.neurons[pair % config.areas()]);
                let mut weights = |n: usize| init.normal(0.1 / ((n * config.rank) as f64).sqrt(), [n, config.rank]);
                let (send, recv) = (weights(source), weights(target));
                Coupling { filter_coef: init.normal(0.1, [config.coupling_basis.0, config.rank]), send, recv }
            })
            .collect();
        let history_coef = init.full(-1.0, [config.history_basis.0, config.units()]);
        Self { read_in, blocks, to_latent, decoder, readout, f0_coef, coupling, history_coef }
    }

    /// Number of trained values.
    pub fn size(&self) -> usize {
        self.num_params()
    }

    /// Lags of the coupling filter, in bins.
    pub fn coupling_lags(config: &GlmConfig) -> usize {
        raised_cosine(config.coupling_basis.0, config.coupling_basis.1, config.coupling_basis.2).nrows()
    }
}

fn block(init: &mut Init<'_>, config: &GlmConfig) -> Block {
    let (d, hidden) = (config.width, config.hidden);
    let plain = |n: usize| 1.0 / (n as f64).sqrt();
    Block {
        qkv: init.linear(d, 3 * d, (6.0 / (4 * d) as f64).sqrt(), 0.0),
        proj: init.linear(d, d, plain(d), 0.0),
        ln_attn: Norm::new(init, d),
        ff_in: init.plain_linear(d, hidden),
        ff_out: init.plain_linear(hidden, d),
        ln_ff: Norm::new(init, d),
    }
}

/// The same values under new identities: optimiser state is kept per identity.
fn copy_of(block: &Block) -> Block {
    fn again<const D: usize>(param: &Param<Tensor<D>>) -> Param<Tensor<D>> {
        Param::from_tensor(param.val().detach())
    }
    let linear = |l: &Linear| Linear { weight: again(&l.weight), bias: l.bias.as_ref().map(again) };
    let norm = |n: &Norm| Norm { gamma: again(&n.gamma), beta: again(&n.beta) };
    Block {
        qkv: linear(&block.qkv),
        proj: linear(&block.proj),
        ln_attn: norm(&block.ln_attn),
        ff_in: linear(&block.ff_in),
        ff_out: linear(&block.ff_out),
        ln_ff: norm(&block.ln_ff),
    }
}

fn decoder(init: &mut Init<'_>, latent: usize, outputs: usize, multiple: usize) -> Decoder {
    let kaiming = |n: usize| (6.0 / n as f64).sqrt();
    let plain = |n: usize| 1.0 / (n as f64).sqrt();
    if multiple == 0 {
        return Decoder { first: init.linear(latent, outputs, kaiming(latent), plain(latent)), second: None };
    }
    let hidden = multiple * latent;
    let first = init.linear(latent, hidden, kaiming(latent), plain(latent));
    // The last weight starts a thousand times smaller than usual, so that stage 2 starts from the mean dynamics.
    let second = init.linear(hidden, outputs, 1e-3 * kaiming(hidden), 0.0);
    Decoder { first, second: Some(second) }
}
