//! Parameters and their initial values (spec §2.6). Projections of the published network whose result is thrown away (the
//! spatial branch's values and output) do not exist here.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

use super::{Embedding, Positions, StndtConfig};
use crate::models::init::Init;
use crate::models::norm::Norm;

/// Attention over units of one layer, and what follows it.
#[derive(Module, Debug)]
pub struct Space {
    /// Before the attention, over bins.
    pub ln_space: Norm,
    /// Query and key `[T, 2T]`.
    pub space_qk: Linear,
    /// Before mixing over units.
    pub ln_mix: Norm,
    /// Before the feed-forward.
    pub ln_mixff: Norm,
    /// `[N, hidden]`.
    pub mix_in: Linear,
    /// `[hidden, N]`.
    pub mix_out: Linear,
}

/// One pre-norm layer.
#[derive(Module, Debug)]
pub struct Layer {
    /// Before attention over time.
    pub ln_attn: Norm,
    /// Query, key, value `[N, 3N]`.
    pub qkv: Linear,
    /// Output of the attention `[N, N]`.
    pub proj: Linear,
    /// Before the feed-forward.
    pub ln_ff: Norm,
    /// `[N, hidden]`.
    pub ff_in: Linear,
    /// `[hidden, N]`.
    pub ff_out: Linear,
    /// Attention over units.
    pub space: Option<Space>,
}

/// All parameters.
#[derive(Module, Debug)]
pub struct StndtNet {
    /// Embedding of bins `[N, N]`.
    pub embed_time: Option<Linear>,
    /// Embedding of units `[T, T]`.
    pub embed_space: Option<Linear>,
    /// Learned codes of bins `[T, N]`.
    pub positions: Option<Param<Tensor<2>>>,
    /// Layers.
    pub layers: Vec<Layer>,
    /// Before the readout.
    pub ln_out: Norm,
    /// Log-rates `[N, N]`.
    pub readout: Linear,
}

impl StndtNet {
    /// Initial weights from a seed. `device` with autodiff for training.
    pub fn new(config: &StndtConfig, seed: u64, device: &Device) -> Self {
        let mut init = Init::new(seed, device);
        let (n, t) = (config.units, config.bins);
        let embed_time = (config.embedding == Embedding::Linear).then(|| init.linear(n, n, 0.1, 1.0 / (n as f64).sqrt()));
        let embed_space = config.spatial.then(|| init.plain_linear(t, t));
        let positions = (config.positions == Positions::Learned).then(|| init.normal(1.0, [t, n]));
        let readout = init.linear(n, n, 0.1, 0.0);
        // Every layer is drawn from the same seed: they start as identical copies (published), under identities of their own.
        let layers = (0..config.layers).map(|_| layer(&mut Init::new(seed.wrapping_add(1), device), config)).collect();
        Self { embed_time, embed_space, positions, layers, ln_out: Norm::new(&init, n), readout }
    }
}

fn layer(init: &mut Init<'_>, config: &StndtConfig) -> Layer {
    let (n, t, hidden) = (config.units, config.bins, config.hidden);
    let plain = |width: usize| 1.0 / (width as f64).sqrt();
    let xavier = |width: usize| (6.0 / (4 * width) as f64).sqrt();
    // T-Fixup, on the temporal branch only (published).
    let fixup = 0.67 * (config.layers as f64).powf(-0.25);
    let space = |init: &mut Init<'_>| Space {
        ln_space: Norm::new(init, t),
        space_qk: init.linear(t, 2 * t, xavier(t), 0.0),
        ln_mix: Norm::new(init, n),
        ln_mixff: Norm::new(init, n),
        mix_in: init.plain_linear(n, hidden),
        mix_out: init.plain_linear(hidden, n),
    };
    Layer {
        ln_attn: Norm::new(init, n),
        qkv: init.linear(n, 3 * n, xavier(n), 0.0),
        proj: init.linear(n, n, fixup * plain(n), 0.0),
        ln_ff: Norm::new(init, n),
        ff_in: init.linear(n, hidden, fixup * plain(n), plain(n)),
        ff_out: init.linear(hidden, n, fixup * plain(hidden), plain(hidden)),
        space: config.spatial.then(|| space(init)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::models::params;

    #[test]
    fn layers_start_identical_and_sizes_add_up() {
        for config in [StndtConfig::stndt(6, 10), StndtConfig::ndt(6, 10)] {
            let net = StndtNet::new(&config, 3, &Device::flex());
            assert_eq!(net.num_params(), config.size());
            let values = params::read(&net).unwrap();
            let mut compared = 0;
            for (name, data) in values.iter().filter(|(name, _)| name.starts_with("layers.0.")) {
                for other in 1..config.layers {
                    assert_eq!(data, &values[&name.replace("layers.0.", &format!("layers.{other}."))], "{name}");
                    compared += 1;
                }
            }
            assert!(compared >= 30);
            let ids: std::collections::HashSet<_> = params::names(&net).into_iter().map(|(id, _)| id).collect();
            assert_eq!(ids.len(), values.len());
        }
    }

    #[test]
    fn fixup_scales_only_the_temporal_branch() {
        let config = StndtConfig::stndt(64, 64);
        let net = StndtNet::new(&config, 0, &Device::flex());
        let highest = |l: &Linear| l.weight.val().abs().max().try_into_scalar::<f32>().unwrap();
        let layer = &net.layers[0];
        let (bound, fixup) = (0.125, 0.67 / 2f32.sqrt());
        assert!(highest(&layer.ff_in) <= bound * fixup && highest(&layer.ff_in) > 0.95 * bound * fixup);
        let space = layer.space.as_ref().unwrap();
        assert!(highest(&space.mix_in) <= bound && highest(&space.mix_in) > 0.95 * bound);
        assert!(highest(&net.readout) <= 0.1 && highest(net.embed_time.as_ref().unwrap()) <= 0.1);
    }
}
