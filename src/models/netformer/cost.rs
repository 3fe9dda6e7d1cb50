//! What a training step costs, and the form of A v that costs least (spec §6, with two things more: W_Qᵀ W_K is one matrix M, and
//! a token's identity is the same in every window, so its products are taken once per step).
//!
//! Features of a token are its H history bins, a constant (with layer normalisation) and its E identity values: P in all, of
//! which W change from window to window; values are Y of the columns.

use super::NetFormerConfig;

/// How A v is computed. All give the same numbers up to rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// (z M zᵀ) v: forms A, `[queries, tokens]` of one window at a time. For few units, and the only one with an activation.
    Explicit,
    /// (z M) (zᵀ v): A is not formed; M is applied to tokens.
    Rows,
    /// z (M (zᵀ v)): A is not formed; M is applied to the `[P, Y]` products.
    Gram,
}

impl Form {
    /// All forms.
    pub const ALL: [Self; 3] = [Self::Explicit, Self::Rows, Self::Gram];

    /// The cheapest form that can train this network.
    pub fn cheapest(config: &NetFormerConfig, batch: usize) -> Self {
        if config.needs_attention() {
            return Self::Explicit;
        }
        let cost = |form: &Self| form.step_products(config, batch);
        Self::ALL.into_iter().min_by(|a, b| cost(a).total_cmp(&cost(b))).unwrap_or(Self::Gram)
    }

    /// Multiplications with an addition of one training step (forward and backward) of the fused form on `batch` windows.
    pub fn step_products(self, config: &NetFormerConfig, batch: usize) -> f64 {
        let n = |value: usize| value as f64;
        let constant = usize::from(config.layer_norm);
        let (s, q, e, b) = (n(config.tokens), n(config.queries), n(config.identity), n(batch));
        let (d, width) = (n(config.key_width), n(config.width()));
        let (p, w) = (width + n(constant), n(config.history + constant));
        let outputs = n(config.history - config.first_value().min(config.history));
        let y = outputs + n(constant);
        let window = match self {
            Self::Explicit => 2.0 * q * w * p + 3.0 * q * s * (p + y),
            Self::Rows => 2.0 * q * w * p + 2.0 * s * p * y + 3.0 * q * p * y,
            Self::Gram => 2.0 * s * p * y + 3.0 * p * p * y + 2.0 * q * p * outputs + q * outputs * e,
        };
        // The products of identities with M, where M is applied to tokens.
        let identities = if self == Self::Gram { 0.0 } else { 3.0 * q * e * p };
        b * window + identities + 3.0 * width * width * d
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::netformer::{Activation, Constraint};

    /// As published: queries, keys, A and A v in every step (spec §6), three times for training.
    fn published(config: &NetFormerConfig, batch: usize) -> f64 {
        let n = |value: usize| value as f64;
        let (s, q, h) = (n(config.tokens), n(config.queries), n(config.history));
        let (d, width) = (n(config.key_width), n(config.width()));
        3.0 * n(batch) * ((q + s) * width * d + q * s * (d + h))
    }

    fn simulation(units: usize) -> NetFormerConfig {
        NetFormerConfig::new(units, 99, 200)
    }

    #[test]
    fn large_networks_never_form_the_attention_matrix() {
        assert_eq!(Form::cheapest(&simulation(50), 32), Form::Explicit);
        assert_eq!(Form::cheapest(&simulation(200), 32), Form::Rows);
        assert_eq!(Form::cheapest(&simulation(1000), 32), Form::Gram);
        assert_eq!(Form::cheapest(&NetFormerConfig::new(527, 59, 30), 32), Form::Gram);
        // One query is one row of A.
        let stdp = NetFormerConfig { queries: 1, key_width: 101, ..NetFormerConfig::new(101, 5, 101) };
        assert_eq!(Form::cheapest(&stdp, 64), Form::Explicit);
        for units in [150, 300, 1000, 10_000] {
            for (history, identity) in [(99, 200), (59, 30), (10, 10)] {
                assert_ne!(Form::cheapest(&NetFormerConfig::new(units, history, identity), 32), Form::Explicit, "{units}");
            }
        }
    }

    #[test]
    fn less_work_than_published_at_every_size() {
        // The published forward passes in GFLOP (spec §6): the formula reproduces the table.
        for (config, gigaflops) in [(simulation(50), 0.636), (simulation(200), 3.31), (simulation(1000), 36.9)] {
            let forward = published(&config, 32) * 2.0 / 3.0 / 1e9;
            assert!((forward / gigaflops - 1.0).abs() < 0.01, "{forward} instead of {gigaflops}");
        }
        for (config, at_least) in
            [(simulation(50), 3.0), (simulation(200), 3.3), (simulation(1000), 9.0), (NetFormerConfig::new(527, 59, 30), 9.0)]
        {
            let ratio = published(&config, 32) / Form::cheapest(&config, 32).step_products(&config, 32);
            assert!(ratio > at_least, "{}: {ratio}", config.tokens);
        }
    }

    #[test]
    fn an_activation_or_a_prior_needs_the_matrix() {
        let config = simulation(1000);
        for activation in [Activation::Softmax, Activation::Sigmoid, Activation::Tanh] {
            assert_eq!(Form::cheapest(&NetFormerConfig { activation, ..config.clone() }, 32), Form::Explicit);
        }
        let typed = |weight| Some(Constraint { types: vec![0; 1000], weight });
        assert_eq!(Form::cheapest(&NetFormerConfig { constraint: typed(0.1), ..config.clone() }, 32), Form::Explicit);
        assert_eq!(Form::cheapest(&NetFormerConfig { constraint: typed(0.0), ..config }, 32), Form::Gram);
    }
}
