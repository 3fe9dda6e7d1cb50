//! What views draw of a GLM-Transformer.

/// What the edge score says about an ordered pair of areas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Support {
    /// Not scored yet (before stage 3), or not scored at all (published staging).
    NotScored,
    /// Scored against its nulls.
    Scored {
        /// Jitter-corrected rank-1 score.
        score: f32,
        /// Threshold: the chosen quantile of the score under interval jitter.
        null: f32,
        /// Score above threshold; only these pairs are fitted.
        supported: bool,
    },
}

impl Support {
    /// True unless the score says that the data do not support this pair.
    pub fn is_fitted(&self) -> bool {
        !matches!(self, Self::Scored { supported: false, .. })
    }
}

/// Coupling of one ordered pair of areas, normalised for display (spec §3.7): unit weights with non-negative mean, sign and
/// scale in the filter.
#[derive(Debug, Clone, PartialEq)]
pub struct PairSnapshot {
    /// Sending area.
    pub source: usize,
    /// Receiving area.
    pub target: usize,
    /// Edge score.
    pub support: Support,
    /// Coupling filter per factor; entry k acts at lag k + 1 bins (change of log-rate per projected spike). `[rank][lags]`.
    pub filter: Vec<Vec<f32>>,
    /// For a pair that is not supported: the filter that its score found, a guess no better than chance. `[lags]`; empty for
    /// pairs that are fitted or not scored.
    pub candidate: Vec<f32>,
    /// Sending weight of every unit of the source area. `[rank][units]`.
    pub send: Vec<Vec<f32>>,
    /// Receiving weight of every unit of the target area. `[rank][units]`.
    pub receive: Vec<Vec<f32>>,
    /// Share of the target's rate variance that vanishes without this pair, percent, on validation trials.
    pub contribution_percent: f32,
    /// Mean coupling output to the ten best receivers, log-rate, on validation trials.
    pub mean_output: f32,
}

/// Detail of one chosen trial.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GlmTrial {
    /// Coupling factor per pair (same order as [`GlmSnapshot::pairs`]) and rank, `[pair][rank][bins]`; empty before stage 3.
    pub coupling: Vec<Vec<Vec<f32>>>,
    /// Own dynamics: slow factors `[area][factor][bins]` (mean over trials plus trial-varying part).
    pub factors: Vec<Vec<Vec<f32>>>,
    /// What past spikes add to the log-rate `[bins][units]`; empty before stage 4.
    pub post_spike: Vec<Vec<f32>>,
}

/// How well a true edge has been found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TruthScore {
    /// Sending area.
    pub source: usize,
    /// Receiving area.
    pub target: usize,
    /// |cosine| of sending weights with the truth.
    pub cos_send: f32,
    /// |cosine| of receiving weights with the truth.
    pub cos_receive: f32,
    /// Correlation of the filter with the truth (sign taken from the weights).
    pub filter_corr: f32,
}

/// State of a GLM-Transformer in training.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GlmSnapshot {
    /// Every ordered pair that the recipe allows, target-major: all sources of target 0, then of target 1, ….
    pub pairs: Vec<PairSnapshot>,
    /// How well the spikes of every unit are predicted, see [`super::Snapshot::unit_fit`]; empty until somebody looked.
    pub unit_bits: Vec<Option<f32>>,
    /// Post-spike filter per unit `[units][lags]`, entry k at lag k + 1 bins; empty before stage 4.
    pub post_spike: Vec<Vec<f32>>,
    /// Weight of every unit on its area's slow factors `[area][factor][units]`; empty in runs of older versions.
    pub loadings: Vec<Vec<Vec<f32>>>,
    /// Trial indices behind `latents` (indices into the trials used).
    pub latent_trials: Vec<usize>,
    /// Latent means `[area][latent_trials][dimensions]`; empty before stage 2.
    pub latents: Vec<Vec<Vec<f32>>>,
    /// Detail of the chosen trials, in the order of [`super::Snapshot::trials`].
    pub trials: Vec<GlmTrial>,
    /// One entry per true edge and publication since stage 3 began: (step, scores). Empty without truth.
    pub truth: Vec<(u64, TruthScore)>,
}
