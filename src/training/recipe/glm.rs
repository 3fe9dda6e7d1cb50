//! Settings of the GLM-Transformer.

use serde::{Deserialize, Serialize};

use super::{RecipeError, RecipeField, fields, range, wrong};

/// A part of the model that is left out, to see what it is for (the ablations of Xin & Kass 2025).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftOut {
    /// Nothing: the whole model.
    #[default]
    Nothing,
    /// Stage 2: the encoder keeps its random weights, and the decoder has to do with what it gives.
    EncoderTraining,
    /// Coupling between areas.
    Coupling,
    /// Post-spike filters.
    PostSpike,
    /// Both of these: own dynamics alone.
    CouplingAndPostSpike,
}

impl LeftOut {
    /// Coupling is not there.
    pub fn coupling(self) -> bool {
        matches!(self, Self::Coupling | Self::CouplingAndPostSpike)
    }

    /// Post-spike filters are not there.
    pub fn post_spike(self) -> bool {
        matches!(self, Self::PostSpike | Self::CouplingAndPostSpike)
    }
}

/// Hyperparameters of the GLM-Transformer; defaults are those of the paper's GLM simulation (spec §4.5), with our staging.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GlmRecipe {
    /// Quadratic B-splines per factor (a constant is added).
    pub splines: usize,
    /// Time bins summed into one token of the encoder.
    pub token_bins: usize,
    /// Encoder layers.
    pub layers: usize,
    /// Encoder width.
    pub width: usize,
    /// Attention heads; must divide the width.
    pub heads: usize,
    /// Width of the feed-forward layers.
    pub hidden: usize,
    /// Latent dimensions per area.
    pub latent_per_area: usize,
    /// Slow factors per area.
    pub factors: usize,
    /// Decoder hidden width as a multiple of the latent; 0 = one linear layer.
    pub decoder_multiple: usize,
    /// Own dynamics that differ from trial to trial. Without them slow background that areas share is taken for coupling: the
    /// ablation of Xin & Kass 2025, Fig. 4; every pair of areas is then fitted.
    pub trial_varying: bool,
    /// What is left out for comparison.
    pub left_out: LeftOut,
    /// Weight of the KL term.
    pub beta: f64,
    /// Draw the latent instead of using its mean while training.
    pub sample_latent: bool,
    /// Coupling factors per ordered pair of areas.
    pub rank: usize,
    /// Raised cosines of the coupling filter.
    pub coupling_basis: usize,
    /// Last peak of the coupling filter's basis, bins.
    pub coupling_peak_bins: f64,
    /// Warp of the coupling filter's basis.
    pub coupling_stretch: f64,
    /// Raised cosines of the post-spike filter.
    pub history_basis: usize,
    /// Last peak of the post-spike filter's basis, bins.
    pub history_peak_bins: f64,
    /// Warp of the post-spike filter's basis.
    pub history_stretch: f64,
    /// Also fit coupling of an area onto itself.
    pub self_coupling: bool,
    /// Weight of the group penalty on sending and receiving weights.
    pub penalty_coupling: f64,
    /// Weight of the smoothness penalty on slow factors.
    pub penalty_smooth: f64,
    /// Learning rate of the encoder.
    pub rate_encoder: f64,
    /// Learning rate of everything else.
    pub rate: f64,
    /// Largest gradient norm.
    pub clip: f64,
    /// Trials per step.
    pub batch: usize,
    /// Most epochs per stage.
    pub max_epochs: usize,
    /// Steps without improvement before a stage ends (ours; counts steps, so it does not depend on the number of trials).
    pub patience_steps: usize,
    /// Smallest improvement of the validation loss that counts.
    pub tolerance: f64,
    /// Only pairs whose score exceeds this quantile of its nulls start with coupling (0..1].
    pub edge_quantile: f64,
    /// Jittered copies of the data behind the null of the edge score.
    pub edge_jitters: usize,
    /// The authors' staging: coupling penalised from stage 1, patience of 3 epochs, every pair trained.
    pub published_staging: bool,
    /// Attention over the trials of a batch, as in the authors' code (for comparison only).
    pub legacy_trial_attention: bool,
}

impl Default for GlmRecipe {
    fn default() -> Self {
        Self {
            splines: 10,
            token_bins: 10,
            layers: 2,
            width: 128,
            heads: 1,
            hidden: 512,
            latent_per_area: 4,
            factors: 2,
            decoder_multiple: 2,
            trial_varying: true,
            left_out: LeftOut::Nothing,
            beta: 1.0,
            sample_latent: false,
            rank: 1,
            coupling_basis: 3,
            coupling_peak_bins: 7.0,
            coupling_stretch: 0.5,
            history_basis: 3,
            history_peak_bins: 2.0,
            history_stretch: 0.7,
            self_coupling: true,
            penalty_coupling: 1e-5,
            penalty_smooth: 1e3,
            rate_encoder: 1e-4,
            rate: 1e-2,
            clip: 1.0,
            batch: 64,
            max_epochs: 200,
            patience_steps: 165,
            tolerance: 1e-5,
            edge_quantile: 0.99,
            edge_jitters: 20,
            published_staging: false,
            legacy_trial_attention: false,
        }
    }
}

impl GlmRecipe {
    /// The settings of the spiking simulations (`eif`, Fig. 3 and 4; spec §4.5).
    pub fn for_spiking_networks() -> Self {
        Self {
            splines: 20,
            latent_per_area: 8,
            factors: 1,
            coupling_peak_bins: 5.0,
            history_peak_bins: 1.5,
            history_stretch: 1.0,
            penalty_smooth: 1e2,
            ..Self::default()
        }
    }

    /// Check every range.
    pub(super) fn check(&self) -> Result<(), RecipeError> {
        range("model.splines", self.splines as f64, 3.0, 500.0)?;
        range("model.token_bins", self.token_bins as f64, 1.0, 1000.0)?;
        range("model.layers", self.layers as f64, 1.0, 16.0)?;
        range("model.width", self.width as f64, 2.0, 2048.0)?;
        range("model.heads", self.heads as f64, 1.0, 64.0)?;
        range("model.hidden", self.hidden as f64, 1.0, 8192.0)?;
        range("model.latent_per_area", self.latent_per_area as f64, 1.0, 512.0)?;
        range("model.factors", self.factors as f64, 1.0, 64.0)?;
        range("model.decoder_multiple", self.decoder_multiple as f64, 0.0, 64.0)?;
        range("model.beta", self.beta, 0.0, 1e3)?;
        range("model.rank", self.rank as f64, 1.0, 8.0)?;
        for (prefix, n, peak, stretch) in [
            ("coupling", self.coupling_basis, self.coupling_peak_bins, self.coupling_stretch),
            ("history", self.history_basis, self.history_peak_bins, self.history_stretch),
        ] {
            range(&format!("model.{prefix}_basis"), n as f64, 2.0, 20.0)?;
            range(&format!("model.{prefix}_peak_bins"), peak, 0.5, 500.0)?;
            range(&format!("model.{prefix}_stretch"), stretch, 0.01, 100.0)?;
        }
        range("model.penalty_coupling", self.penalty_coupling, 0.0, 1e3)?;
        range("model.penalty_smooth", self.penalty_smooth, 0.0, 1e9)?;
        range("model.rate_encoder", self.rate_encoder, 0.0, 1.0)?;
        range("model.rate", self.rate, 0.0, 1e3)?;
        range("model.clip", self.clip, 1e-6, 1e6)?;
        range("model.batch", self.batch as f64, 1.0, 1e5)?;
        range("model.max_epochs", self.max_epochs as f64, 1.0, 1e6)?;
        range("model.patience_steps", self.patience_steps as f64, 1.0, 1e9)?;
        range("model.tolerance", self.tolerance, 0.0, 1.0)?;
        range("model.edge_quantile", self.edge_quantile, 0.5, 1.0)?;
        range("model.edge_jitters", self.edge_jitters as f64, 1.0, 1e4)?;
        if self.left_out == LeftOut::EncoderTraining && !self.trial_varying {
            return Err(wrong(
                "model.left_out",
                "encoder-training",
                "without trial-varying dynamics there is no encoder to train".to_owned(),
            ));
        }
        if !self.width.is_multiple_of(self.heads) {
            return Err(wrong("model.heads", self.heads, format!("it must divide model.width = {}", self.width)));
        }
        Ok(())
    }
}

/// In the order forms show them.
pub(super) const FIELDS: &[RecipeField] = fields! {
    "Coupling" {
        "model.rank", "Coupling factors", "", "Rank of the coupling of each ordered pair of areas.";
        "model.coupling_basis", "Filter basis functions", "", "Raised cosines that make up a coupling filter.";
        "model.coupling_peak_bins", "Last peak", "bins", "Peak of the slowest basis function; sets how long a coupling filter is.";
        "model.coupling_stretch", "Warp", "", "Smaller values put more resolution at short lags.";
        "model.self_coupling", "Coupling within areas", "", "Also fit coupling of an area onto itself.";
        "model.penalty_coupling", "Coupling penalty", "", "Group penalty on sending and receiving weights.";
        "model.edge_quantile", "Edge threshold", "", "A pair starts with coupling when its score exceeds this quantile of its nulls.";
        "model.edge_jitters", "Jittered copies", "", "How many jittered copies of the data make the null of the edge score.";
        "model.published_staging", "Published staging", "", "The authors' staging, in which true edges can be missed; for comparison.";
    }
    "Own dynamics" {
        "model.factors", "Slow factors per area", "", "Factors shared by the units of one area.";
        "model.splines", "Splines per factor", "", "More splines let own dynamics follow faster changes; too many absorb coupling.";
        "model.penalty_smooth", "Smoothness penalty", "", "Keeps slow factors slow, so that they do not absorb coupling.";
        "model.latent_per_area", "Latent dimensions", "", "Latent values per trial and area.";
        "model.trial_varying", "Trial-varying dynamics", "", "Off: only the mean over trials; shared background is then taken for coupling. For comparison.";
        "model.left_out", "Left out", "", "A part of the model that is left out, to see what it is for; encoder-training keeps a random encoder. For comparison.",
            ["nothing", "encoder-training", "coupling", "post-spike", "coupling-and-post-spike"];
        "model.beta", "KL weight", "", "Weight of the pull of the latent towards a standard normal.";
        "model.sample_latent", "Sample the latent", "", "Draw the latent while training instead of using its mean.";
    }
    "Post-spike" {
        "model.history_basis", "Filter basis functions", "", "Raised cosines that make up a post-spike filter.";
        "model.history_peak_bins", "Last peak", "bins", "Peak of the slowest basis function.";
        "model.history_stretch", "Warp", "", "Smaller values put more resolution at short lags.";
    }
    "Encoder" {
        "model.token_bins", "Bins per token", "bins", "Bins summed into one token of the Transformer.";
        "model.layers", "Layers", "", "Transformer layers.";
        "model.width", "Width", "", "Width of the Transformer.";
        "model.heads", "Heads", "", "Attention heads; must divide the width.";
        "model.hidden", "Feed-forward width", "", "Width of the feed-forward layers.";
        "model.decoder_multiple", "Decoder multiple", "", "Hidden width of the decoder as a multiple of the latent; 0 is one linear layer.";
        "model.legacy_trial_attention", "Attention over trials", "", "As in the authors' code, where a trial's estimate depends on its batch; for comparison.";
    }
    "Optimiser" {
        "model.rate", "Learning rate", "", "Adam's rate of decoder, readout, coupling and post-spike filters.";
        "model.rate_encoder", "Encoder learning rate", "", "Adam's rate of the Transformer.";
        "model.clip", "Gradient clip", "", "Largest gradient norm per step.";
        "model.batch", "Batch", "trials", "Trials per step.";
        "model.max_epochs", "Most epochs per stage", "epochs", "A stage ends here at the latest.";
        "model.patience_steps", "Patience", "steps", "A stage ends after this many steps without improvement.";
        "model.tolerance", "Tolerance", "", "Smallest improvement of the validation loss that counts.";
    }
};
