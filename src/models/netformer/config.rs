//! The general form: shapes and switches that cover the published variants (spec §2.2).

use crate::models::ConfigError;

/// What is applied to the products of queries and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing (published): A may then be left out of training altogether.
    None,
    /// Softmax over sending units.
    Softmax,
    /// Logistic function.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
}

/// What the prediction is scored by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Mean squared error.
    SquaredError,
    /// Poisson with log link: mean of rate − y log rate, the rate in counts per bin from [`NetFormerConfig::rate`].
    Poisson,
}

/// Gaussian prior on A per pair of cell types (spec §2.3; its weight is 0 in every published run).
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// Type of every token, from 0.
    pub types: Vec<usize>,
    /// Weight in the loss; at 0 the prior's parameters exist but do nothing.
    pub weight: f64,
}

impl Constraint {
    /// Number of types K.
    pub fn types_count(&self) -> usize {
        self.types.iter().max().map_or(0, |most| most + 1)
    }
}

/// Shapes and switches of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct NetFormerConfig {
    /// Tokens S: units first, then external inputs.
    pub tokens: usize,
    /// Tokens that are predicted, the first ones; all units as a rule.
    pub queries: usize,
    /// Bins of history H that a prediction sees.
    pub history: usize,
    /// Length E of a token's learned identity.
    pub identity: usize,
    /// Width d of queries and keys.
    pub key_width: usize,
    /// Layer normalisation of history and identity together, and of the output over the history's columns.
    pub layer_norm: bool,
    /// Multiply A, after the activation, by (H + E)^−½.
    pub scale: bool,
    /// Add a unit's own values to what it receives.
    pub residual: bool,
    /// Activation of A.
    pub activation: Activation,
    /// Loss.
    pub loss: Loss,
    /// Ours, for rates of counts: add a learned constant per predicted unit to the prediction. Attention then starts at zero, so that
    /// training begins at these constants; beyond one count per bin rates grow along a line ([`Self::rate`]); the norm of gradients is
    /// limited.
    pub offset: bool,
    /// Prior on A by cell type.
    pub constraint: Option<Constraint>,
}

impl NetFormerConfig {
    /// The published package model: all tokens are predicted, layer norms, scale, residual, squared error, d = H + E.
    pub fn new(tokens: usize, history: usize, identity: usize) -> Self {
        Self {
            tokens,
            queries: tokens,
            history,
            identity,
            key_width: history + identity,
            layer_norm: true,
            scale: true,
            residual: true,
            activation: Activation::None,
            loss: Loss::SquaredError,
            offset: false,
            constraint: None,
        }
    }

    /// D = H + E, the width of a token.
    pub fn width(&self) -> usize {
        self.history + self.identity
    }

    /// What A is multiplied with.
    pub fn factor(&self) -> f64 {
        if self.scale { 1.0 / (self.width() as f64).sqrt() } else { 1.0 }
    }

    /// The rate in counts per bin that a prediction stands for with the Poisson loss: its exponential. With offsets that of a positive
    /// prediction is 1 + p, with the same slope at 0: A grows with the square of activity and A v with its cube, of which the
    /// exponential would have no bound in a burst.
    pub fn rate(&self, prediction: f32) -> f32 {
        if self.offset && prediction > 0.0 { 1.0 + prediction } else { prediction.exp() }
    }

    /// First history column whose A v is needed: all for the output normalisation, else only the newest.
    pub(super) fn first_value(&self) -> usize {
        if self.layer_norm { 0 } else { self.history.saturating_sub(1) }
    }

    /// Whether training needs A itself.
    pub fn needs_attention(&self) -> bool {
        self.activation != Activation::None || self.constraint.as_ref().is_some_and(|c| c.weight != 0.0)
    }

    /// Trained values. (The published counts include layer norms and priors that are allocated but unused.)
    pub fn size(&self) -> usize {
        let norms = if self.layer_norm { 2 * self.width() + 2 * self.history } else { 0 };
        let types = self.constraint.as_ref().map_or(0, |c| 2 * c.types_count() * c.types_count());
        let offset = if self.offset { self.queries } else { 0 };
        self.tokens * self.identity + 2 * self.key_width * self.width() + norms + types + offset
    }

    /// Whether a network of these shapes can be made.
    ///
    /// # Errors
    /// [`ConfigError`] names what is out of range and what to do.
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |what: &str, value: String, expected: String| Err(ConfigError { what: what.to_owned(), value, expected });
        for (what, value, most) in [
            ("the number of units and inputs", self.tokens, 100_000),
            ("the number of predicted units", self.queries, self.tokens.max(1)),
            ("the number of history bins", self.history, 10_000),
            ("the length of the identity", self.identity, 10_000),
            ("the width of queries and keys", self.key_width, 20_000),
        ] {
            if value == 0 || value > most {
                return refuse(what, value.to_string(), format!("between 1 and {most}"));
            }
        }
        if self.layer_norm && self.history == 1 {
            let expected = "at least 2 with layer normalisation, which leaves nothing of a single bin; switch it off or take more bins";
            return refuse("the number of history bins", "1".to_owned(), expected.to_owned());
        }
        match &self.constraint {
            Some(c) if c.types.len() != self.tokens => {
                refuse("the number of cell types given", c.types.len().to_string(), format!("one for each of the {} tokens", self.tokens))
            }
            Some(c) if c.types_count() > 1000 => {
                refuse("the number of different cell types", c.types_count().to_string(), "at most 1000".to_owned())
            }
            Some(c) if !(c.weight >= 0.0 && c.weight.is_finite()) => {
                refuse("the weight of the cell-type prior", c.weight.to_string(), "at least 0".to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn published_sizes() {
        // Simulation N = 200 (spec §2.2); the mouse count less 128 unused prior values; toy less 14 unused norm values.
        assert_eq!(NetFormerConfig::new(200, 99, 200).size(), 219_598);
        assert_eq!(NetFormerConfig::new(527, 59, 30).size(), 32_076 - 128);
        let toy = NetFormerConfig { key_width: 5, layer_norm: false, ..NetFormerConfig::new(5, 1, 5) };
        assert_eq!(toy.size(), 99 - 14);
        let typed = Constraint { types: (0..527).map(|k| k % 8).collect(), weight: 0.0 };
        assert_eq!(NetFormerConfig { constraint: Some(typed), ..NetFormerConfig::new(527, 59, 30) }.size(), 32_076);
    }

    #[test]
    fn errors_say_what_to_do() {
        let good = NetFormerConfig::new(5, 4, 3);
        good.check().unwrap();
        let message = |config: NetFormerConfig| config.check().unwrap_err().to_string();
        assert!(message(NetFormerConfig { history: 1, ..good.clone() }).contains("switch it off or take more bins"));
        assert!(NetFormerConfig { history: 1, layer_norm: false, ..good.clone() }.check().is_ok());
        assert!(message(NetFormerConfig { queries: 6, ..good.clone() }).contains("predicted units is 6"));
        let constraint = |types: Vec<usize>, weight| NetFormerConfig { constraint: Some(Constraint { types, weight }), ..good.clone() };
        assert!(message(constraint(vec![0, 1], 0.0)).contains("one for each of the 5 tokens"));
        assert!(message(constraint(vec![0; 5], f64::NAN)).contains("weight of the cell-type prior"));
        assert!(!constraint(vec![0; 5], 0.0).needs_attention() && constraint(vec![0; 5], 0.1).needs_attention());
    }
}
