//! Parameters and their initial values (spec §2.1): identities from a standard normal, projections uniform on ±1/√D. Offsets, which
//! are ours, start at zero until they are told the data.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

use super::NetFormerConfig;
use crate::models::init::Init;
use crate::models::norm::Norm;

/// All parameters.
#[derive(Module, Debug)]
pub struct NetFormerNet {
    /// Identities `[S, E]`.
    pub identity: Param<Tensor<2>>,
    /// W_Q, transposed `[D, d]`.
    pub query: Linear,
    /// W_K, transposed `[D, d]`.
    pub key: Linear,
    /// Over history and identity `[D]`.
    pub ln_in: Option<Norm>,
    /// Over the output's columns `[H]`.
    pub ln_out: Option<Norm>,
    /// Added to predictions `[queries]`.
    pub offset: Option<Param<Tensor<1>>>,
    /// Mean of A per pair of cell types `[K receiving, K sending]`.
    pub type_mean: Option<Param<Tensor<2>>>,
    /// Standard deviation of A per pair of cell types `[K, K]`.
    pub type_sd: Option<Param<Tensor<2>>>,
}

impl NetFormerNet {
    /// Initial weights from a seed. `device` with autodiff for training.
    pub fn new(config: &NetFormerConfig, seed: u64, device: &Device) -> Self {
        let mut init = Init::new(seed, device);
        let width = config.width();
        let bound = 1.0 / (width as f64).sqrt();
        let identity = init.normal(1.0, [config.tokens, config.identity]);
        let query = Linear { weight: init.uniform(bound, [width, config.key_width]), bias: None };
        // With offsets A starts at zero: predictions begin at the offsets, which are as good as they can be without connections.
        let shape = [width, config.key_width];
        let key = Linear { weight: if config.offset { init.full(0.0, shape) } else { init.uniform(bound, shape) }, bias: None };
        let types = config.constraint.as_ref().map(|c| c.types_count());
        Self {
            identity,
            query,
            key,
            ln_in: config.layer_norm.then(|| Norm::new(&init, width)),
            ln_out: config.layer_norm.then(|| Norm::new(&init, config.history)),
            offset: config.offset.then(|| init.full(0.0, [config.queries])),
            type_mean: types.map(|k| init.uniform(1.0, [k, k])),
            type_sd: types.map(|k| init.full(1.0, [k, k])),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::models::netformer::Constraint;
    use crate::models::params;

    #[test]
    fn initial_values_are_as_published() {
        let constraint = Some(Constraint { types: (0..40).map(|k| k % 3).collect(), weight: 0.0 });
        let config = NetFormerConfig { constraint, ..NetFormerConfig::new(40, 12, 24) };
        let net = NetFormerNet::new(&config, 3, &Device::flex());
        assert_eq!(net.num_params(), config.size());
        let values = params::read(&net).unwrap();
        let all = |name: &str| values[name].try_to_vec::<f32>().unwrap();
        let identity = all("identity");
        let (mean, square) = identity.iter().fold((0.0, 0.0), |(m, s), x| (m + x / 960.0, s + x * x / 960.0));
        assert!(mean.abs() < 0.15 && (square - 1.0).abs() < 0.15, "{mean} {square}");
        for name in ["query.weight", "key.weight"] {
            let most = all(name).iter().fold(0.0f32, |m, x| m.max(x.abs()));
            assert!(most <= 1.0 / 6.0 && most > 0.16, "{name}: {most}");
        }
        assert_ne!(all("query.weight"), all("key.weight"));
        assert!(all("type_sd").iter().all(|&x| x == 1.0) && all("type_mean").iter().any(|&x| x.abs() > 0.2));
    }
}
