//! Shapes and constants of a GLM-Transformer.

/// Everything that fixes the shapes of the parameters and the loss.
#[derive(Debug, Clone, PartialEq)]
pub struct GlmConfig {
    /// Units per area.
    pub neurons: Vec<usize>,
    /// Analysed bins T.
    pub bins: usize,
    /// Padding bins before them.
    pub pad: usize,
    /// Latent dimensions per area.
    pub latent_per_area: usize,
    /// Encoder width d.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Encoder layers.
    pub layers: usize,
    /// Feed-forward width.
    pub hidden: usize,
    /// Bins per token.
    pub token_bins: usize,
    /// Splines (a constant is added).
    pub splines: usize,
    /// Slow factors per area K.
    pub factors: usize,
    /// Decoder hidden width over latent; 0 = one linear layer.
    pub decoder_multiple: usize,
    /// Coupling factors per ordered pair S.
    pub rank: usize,
    /// Coupling basis: count, last peak in bins, stretch.
    pub coupling_basis: (usize, f64, f64),
    /// Post-spike basis.
    pub history_basis: (usize, f64, f64),
    /// Coupling of an area onto itself.
    pub self_coupling: bool,
    /// Weight of the KL term.
    pub beta: f64,
    /// Weight of the group penalty.
    pub penalty_coupling: f64,
    /// Weight of the smoothness penalty.
    pub penalty_smooth: f64,
    /// Attention over trials instead of time.
    pub legacy_trial_attention: bool,
}

/// Which terms of the log-rate are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Trial-varying own dynamics.
    pub vae: bool,
    /// Coupling between areas.
    pub coupling: bool,
    /// Post-spike filters.
    pub history: bool,
}

impl Terms {
    /// True when rates differ between trials.
    pub fn vary(self) -> bool {
        self.vae || self.coupling || self.history
    }
}

impl GlmConfig {
    /// Number of areas A.
    pub fn areas(&self) -> usize {
        self.neurons.len()
    }

    /// Number of units N.
    pub fn units(&self) -> usize {
        self.neurons.iter().sum()
    }

    /// Columns of area `area`.
    pub fn columns(&self, area: usize) -> std::ops::Range<usize> {
        let start: usize = self.neurons[..area].iter().sum();
        start..start + self.neurons[area]
    }

    /// Tokens per trial; trailing bins that do not fill a token are dropped.
    pub fn tokens(&self) -> usize {
        self.bins / self.token_bins
    }

    /// Splines with the constant.
    pub fn spline_columns(&self) -> usize {
        self.splines + 1
    }

    /// Index of the ordered pair in [`super::GlmNet::coupling`] (source-major).
    pub fn pair(&self, source: usize, target: usize) -> usize {
        source * self.areas() + target
    }

    /// Source areas that couple onto `target`, ascending.
    pub fn sources(&self, target: usize) -> Vec<usize> {
        (0..self.areas()).filter(|&source| self.self_coupling || source != target).collect()
    }

    /// Active ordered pairs (source, target), target-major.
    pub fn active_pairs(&self) -> Vec<(usize, usize)> {
        (0..self.areas()).flat_map(|target| self.sources(target).into_iter().map(move |source| (source, target))).collect()
    }
}
