//! Shapes and constants of the network, and the two presets.

use crate::models::ConfigError;

/// How counts become the model's features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Embedding {
    /// A linear layer times √width (STNDT).
    Linear,
    /// Counts times √width (NDT on most data sets).
    Identity,
}

/// Codes added to the embedded bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// Sines and cosines (STNDT).
    Sinusoidal,
    /// One learned vector per bin (NDT).
    Learned,
}

/// What the contrastive term compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContrastOn {
    /// Embedder outputs, time and space each (what the released code trains).
    Embedders,
    /// Predicted log-rates (what the paper's text says); it costs two more passes through the layers.
    Predictions,
}

/// The contrastive term (InfoNCE over two augmented views, SimCLR).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contrast {
    /// What is compared.
    pub on: ContrastOn,
    /// Weight λ in the total loss.
    pub weight: f64,
    /// Temperature τ.
    pub temperature: f64,
}

/// Shapes of a network. N = held-in + held-out units, T = observed + forward bins.
#[derive(Debug, Clone, PartialEq)]
pub struct StndtConfig {
    /// Units N: the width of the temporal branch.
    pub units: usize,
    /// Bins T: the width of the spatial branch.
    pub bins: usize,
    /// Layers.
    pub layers: usize,
    /// Attention heads; they divide N, and T when the spatial branch is on.
    pub heads: usize,
    /// Feed-forward width.
    pub hidden: usize,
    /// A bin attends to at most this many later bins; `None` for all.
    pub context_forward: Option<usize>,
    /// A bin attends to at most this many earlier bins; `None` for all.
    pub context_backward: Option<usize>,
    /// Dropout in the layers.
    pub dropout: f64,
    /// Dropout after the embedding.
    pub dropout_embedding: f64,
    /// Dropout before the readout.
    pub dropout_rates: f64,
    /// The contrastive term; `None` trains without.
    pub contrast: Option<Contrast>,
    /// Attention over units next to attention over time.
    pub spatial: bool,
    /// Embedding of counts.
    pub embedding: Embedding,
    /// Position codes of bins.
    pub positions: Positions,
}

impl StndtConfig {
    /// STNDT as published (Le & Shlizerman 2022), for N units and T bins, with as many heads (2 or 1) as divide both.
    pub fn stndt(units: usize, bins: usize) -> Self {
        Self {
            units,
            bins,
            layers: 4,
            heads: if units.is_multiple_of(2) && bins.is_multiple_of(2) { 2 } else { 1 },
            hidden: 128,
            context_forward: Some(4),
            context_backward: Some(8),
            dropout: 0.1,
            dropout_embedding: 0.2,
            dropout_rates: 0.2,
            contrast: Some(Contrast { on: ContrastOn::Embedders, weight: 0.1, temperature: 0.07 }),
            spatial: true,
            embedding: Embedding::Linear,
            positions: Positions::Sinusoidal,
        }
    }

    /// NDT (Ye & Pandarinath 2021): the temporal branch alone, learned positions, counts as they are, no contrast.
    pub fn ndt(units: usize, bins: usize) -> Self {
        Self {
            heads: if units.is_multiple_of(2) { 2 } else { 1 },
            contrast: None,
            spatial: false,
            embedding: Embedding::Identity,
            positions: Positions::Learned,
            ..Self::stndt(units, bins)
        }
    }

    /// Whether a network of these shapes can be made.
    ///
    /// # Errors
    /// [`ConfigError`] names what is out of range and what to do.
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |what: &str, value: String, expected: String| Err(ConfigError { what: what.to_owned(), value, expected });
        for (what, value, most) in [
            ("the number of units", self.units, 10_000),
            ("the number of bins per trial", self.bins, 10_000),
            ("the number of layers", self.layers, 100),
            ("the number of heads", self.heads, 1000),
            ("the feed-forward width", self.hidden, 100_000),
        ] {
            if value == 0 || value > most {
                return refuse(what, value.to_string(), format!("between 1 and {most}"));
            }
        }
        if !self.units.is_multiple_of(self.heads) || (self.spatial && !self.bins.is_multiple_of(self.heads)) {
            let both = if self.spatial { format!(" and the {} bins", self.bins) } else { String::new() };
            let expected = format!("a divisor of the {} units{both}; take 1 head, leave units out or change the window", self.units);
            return refuse("the number of heads", self.heads.to_string(), expected);
        }
        for (what, value) in [
            ("dropout", self.dropout),
            ("dropout of the embedding", self.dropout_embedding),
            ("dropout before the readout", self.dropout_rates),
        ] {
            if !(0.0..1.0).contains(&value) {
                return refuse(what, value.to_string(), "at least 0 and below 1".to_owned());
            }
        }
        match &self.contrast {
            Some(c) if !(c.temperature > 0.0 && c.temperature.is_finite()) => {
                refuse("the contrastive temperature", c.temperature.to_string(), "above 0".to_owned())
            }
            Some(c) if !(c.weight >= 0.0 && c.weight.is_finite()) => {
                refuse("the contrastive weight", c.weight.to_string(), "at least 0".to_owned())
            }
            Some(c) if c.on == ContrastOn::Embedders && self.embedding == Embedding::Identity => refuse(
                "the contrastive term",
                "on the embedders".to_owned(),
                "on the predictions when counts are not embedded, or off".to_owned(),
            ),
            _ => Ok(()),
        }
    }

    /// Bins that bin `at` attends to.
    pub fn context(&self, at: usize) -> std::ops::Range<usize> {
        let first = self.context_backward.map_or(0, |back| at.saturating_sub(back));
        let last = self.context_forward.map_or(self.bins, |ahead| (at + ahead + 1).min(self.bins));
        first..last
    }

    /// Trained values when nothing dead is kept: the published count without the spatial branch's value and output projections.
    pub fn size(&self) -> usize {
        let (n, t, f) = (self.units, self.bins, self.hidden);
        let feed_forward = 2 * n * f + f + n + 2 * n;
        let temporal = 4 * n * n + 4 * n + 2 * n + feed_forward;
        let spatial = if self.spatial { 2 * t * t + 2 * t + 2 * t + 2 * n + feed_forward } else { 0 };
        let embedders = match (self.embedding, self.spatial) {
            (Embedding::Linear, true) => n * n + n + t * t + t,
            (Embedding::Linear, false) => n * n + n,
            (Embedding::Identity, true) => t * t + t,
            (Embedding::Identity, false) => 0,
        };
        let positions = if self.positions == Positions::Learned { t * n } else { 0 };
        self.layers * (temporal + spatial) + embedders + positions + 2 * n + n * n + n
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn published_sizes_less_what_is_dead() {
        // Published counts (spec §2.1) less the spatial value and output projections with their biases.
        for (units, bins, layers, published) in
            [(182, 180, 4, 1_536_212), (130, 160, 4, 1_018_464), (65, 160, 4, 653_294), (60, 340, 6, 3_187_316)]
        {
            let config = StndtConfig { layers, ..StndtConfig::stndt(units, bins) };
            config.check().unwrap();
            assert_eq!(config.size() + layers * (2 * bins * bins + 2 * bins), published, "{units} × {bins}");
        }
    }

    #[test]
    fn heads_follow_the_shape_and_errors_say_what_to_do() {
        assert_eq!(StndtConfig::stndt(65, 160).heads, 1);
        assert_eq!(StndtConfig::stndt(182, 180).heads, 2);
        assert_eq!(StndtConfig::ndt(60, 101).heads, 2);
        let error = StndtConfig { heads: 2, ..StndtConfig::stndt(65, 160) }.check().unwrap_err().to_string();
        assert!(error.contains("number of heads is 2") && error.contains("divisor of the 65 units and the 160 bins"), "{error}");
        let error = StndtConfig { dropout: 1.0, ..StndtConfig::stndt(4, 4) }.check().unwrap_err().to_string();
        assert!(error.contains("dropout is 1, but it must be at least 0 and below 1"), "{error}");
        let contrast = StndtConfig::stndt(4, 4).contrast;
        assert!(StndtConfig { contrast, ..StndtConfig::ndt(4, 4) }.check().is_err());
        assert!(StndtConfig::stndt(0, 4).check().is_err());
    }

    #[test]
    fn context_is_a_band() {
        let config = StndtConfig { context_forward: Some(2), context_backward: Some(3), ..StndtConfig::stndt(4, 10) };
        assert_eq!((config.context(0), config.context(5), config.context(9)), (0..3, 2..8, 6..10));
        let all = StndtConfig { context_forward: None, context_backward: None, ..config };
        assert_eq!((all.context(0), all.context(9)), (0..10, 0..10));
    }
}
