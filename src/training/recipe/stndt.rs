//! Settings of the spatiotemporal Transformer and of its base model.

use serde::{Deserialize, Serialize};

use super::{RecipeError, RecipeField, fields, range, wrong};

/// Which model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// Attention over time and over units (Le & Shlizerman 2022).
    #[default]
    Stndt,
    /// Attention over time alone (Ye & Pandarinath 2021).
    Ndt,
}

/// Which units are held out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldOut {
    /// Those that the unit column `heldout` marks; when it marks none, a share by seed.
    #[default]
    Automatic,
    /// A share by seed.
    Share,
    /// None; there are no bits per spike then.
    None,
}

/// What is masked together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskUnit {
    /// Every count by itself.
    #[default]
    Full,
    /// All units of a bin.
    Timestep,
    /// All bins of a unit.
    Neuron,
}

/// What the contrastive term compares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContrastTarget {
    /// Embedded counts (the released code).
    #[default]
    Embedders,
    /// Predicted log-rates (the paper's text).
    Predictions,
}

/// Hyperparameters of STNDT and NDT; defaults are those of the released code (spec §2), with a schedule in steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StndtRecipe {
    /// Which model.
    pub variant: Variant,
    /// Transformer layers.
    pub layers: usize,
    /// Attention heads; 0 takes 2 where they divide units and bins, else 1.
    pub heads: usize,
    /// Width of the feed-forward layers.
    pub hidden: usize,
    /// A bin attends to at most this many later bins; −1 for all.
    pub context_forward: i64,
    /// A bin attends to at most this many earlier bins; −1 for all.
    pub context_backward: i64,
    /// Dropout in the layers.
    pub dropout: f64,
    /// Dropout after the embedding.
    pub dropout_embedding: f64,
    /// Dropout before the readout.
    pub dropout_rates: f64,
    /// What is masked together.
    pub mask: MaskUnit,
    /// Share of counts that is masked and scored.
    pub mask_ratio: f64,
    /// Of the masked, the share replaced by zero.
    pub mask_token_ratio: f64,
    /// Of the masked that are not zeroed, the share replaced by a random count.
    pub mask_random_ratio: f64,
    /// Longest masked span, bins.
    pub mask_span: usize,
    /// Epoch at which spans begin.
    pub span_from_epoch: usize,
    /// Epoch from which every mask is a span.
    pub span_full_epoch: usize,
    /// Weight of the contrastive term; 0 switches it off.
    pub contrast_weight: f64,
    /// Temperature of the contrastive term.
    pub contrast_temperature: f64,
    /// What the contrastive term compares.
    pub contrast_on: ContrastTarget,
    /// Epoch from which the contrastive term counts.
    pub contrast_from_epoch: usize,
    /// Share of counts masked in a contrastive view.
    pub contrast_mask_ratio: f64,
    /// Of these, the share replaced by zero.
    pub contrast_token_ratio: f64,
    /// Of those that are not zeroed, the share replaced by a random count.
    pub contrast_random_ratio: f64,
    /// Which units are held out.
    pub held_out: HeldOut,
    /// Share of units held out.
    pub held_out_share: f64,
    /// Seed by which units are held out.
    pub held_out_seed: u64,
    /// Bins at the end of the window that the network only predicts.
    pub forward_bins: usize,
    /// Rates begin at the mean of every unit; else at about one spike per bin, as published.
    pub begin_at_means: bool,
    /// Largest learning rate.
    pub rate: f64,
    /// Steps over which the learning rate rises.
    pub warm_up_steps: usize,
    /// Most steps; the learning rate falls to zero over them.
    pub steps: usize,
    /// Steps between validations.
    pub validate_every: usize,
    /// Steps without a better loss or score before training ends.
    pub patience_steps: usize,
    /// Weight decay.
    pub weight_decay: f64,
    /// Largest gradient norm.
    pub clip: f64,
    /// Trials per step.
    pub batch: usize,
}

impl Default for StndtRecipe {
    fn default() -> Self {
        Self {
            variant: Variant::Stndt,
            layers: 4,
            heads: 0,
            hidden: 128,
            context_forward: 20,
            context_backward: 20,
            dropout: 0.1,
            dropout_embedding: 0.2,
            dropout_rates: 0.2,
            mask: MaskUnit::Full,
            mask_ratio: 0.25,
            mask_token_ratio: 1.0,
            mask_random_ratio: 0.5,
            mask_span: 1,
            span_from_epoch: 8000,
            span_full_epoch: 12_000,
            contrast_weight: 0.1,
            contrast_temperature: 0.07,
            contrast_on: ContrastTarget::Embedders,
            contrast_from_epoch: 0,
            contrast_mask_ratio: 0.05,
            contrast_token_ratio: 0.5,
            contrast_random_ratio: 0.5,
            held_out: HeldOut::Automatic,
            held_out_share: 0.25,
            held_out_seed: 0,
            forward_bins: 0,
            begin_at_means: true,
            rate: 2e-3,
            warm_up_steps: 100,
            steps: 3000,
            validate_every: 20,
            patience_steps: 800,
            weight_decay: 5e-5,
            clip: 200.0,
            batch: 64,
        }
    }
}

impl StndtRecipe {
    /// Check every range.
    pub(super) fn check(&self) -> Result<(), RecipeError> {
        for (name, value, low, high) in [
            ("layers", self.layers, 1, 16),
            ("heads", self.heads, 0, 64),
            ("hidden", self.hidden, 1, 8192),
            ("mask_span", self.mask_span, 1, 1000),
            ("span_from_epoch", self.span_from_epoch, 0, 1_000_000),
            ("span_full_epoch", self.span_full_epoch, 0, 1_000_000),
            ("contrast_from_epoch", self.contrast_from_epoch, 0, 1_000_000),
            ("forward_bins", self.forward_bins, 0, 10_000),
            ("warm_up_steps", self.warm_up_steps, 0, 10_000_000),
            ("steps", self.steps, 1, 10_000_000),
            ("validate_every", self.validate_every, 1, 1_000_000),
            ("patience_steps", self.patience_steps, 1, 10_000_000),
            ("batch", self.batch, 1, 100_000),
        ] {
            range(&format!("model.{name}"), value as f64, f64::from(low), f64::from(high))?;
        }
        for (name, value, low, high) in [
            ("context_forward", self.context_forward as f64, -1.0, 1e4),
            ("context_backward", self.context_backward as f64, -1.0, 1e4),
            ("dropout", self.dropout, 0.0, 0.95),
            ("dropout_embedding", self.dropout_embedding, 0.0, 0.95),
            ("dropout_rates", self.dropout_rates, 0.0, 0.95),
            ("mask_ratio", self.mask_ratio, 0.001, 1.0),
            ("mask_token_ratio", self.mask_token_ratio, 0.0, 1.0),
            ("mask_random_ratio", self.mask_random_ratio, 0.0, 1.0),
            ("contrast_weight", self.contrast_weight, 0.0, 1e3),
            ("contrast_temperature", self.contrast_temperature, 1e-4, 1e3),
            ("contrast_mask_ratio", self.contrast_mask_ratio, 0.0, 1.0),
            ("contrast_token_ratio", self.contrast_token_ratio, 0.0, 1.0),
            ("contrast_random_ratio", self.contrast_random_ratio, 0.0, 1.0),
            ("held_out_share", self.held_out_share, 0.0, 0.9),
            ("rate", self.rate, 0.0, 1.0),
            ("weight_decay", self.weight_decay, 0.0, 1.0),
            ("clip", self.clip, 1e-6, 1e6),
        ] {
            range(&format!("model.{name}"), value, low, high)?;
        }
        if self.variant == Variant::Ndt && self.contrast_weight > 0.0 && self.contrast_on == ContrastTarget::Embedders {
            let expected = "NDT does not embed counts: set it to predictions, or model.contrast_weight to 0".to_owned();
            return Err(wrong("model.contrast_on", "embedders", expected));
        }
        Ok(())
    }
}

/// In the order forms show them.
pub(super) const FIELDS: &[RecipeField] = fields! {
    "Held out" {
        "model.held_out", "Held-out units", "", "Units that the network never sees and is scored on; automatic takes those that the file marks, else a share by seed.", ["automatic", "share", "none"];
        "model.held_out_share", "Share held out", "", "Share of the units that is held out when the file marks none.";
        "model.held_out_seed", "Seed of held-out units", "", "Seed by which units are held out.";
        "model.forward_bins", "Forward bins", "bins", "Bins at the end of the window that the network only predicts.";
    }
    "Network" {
        "model.variant", "Variant", "", "stndt attends over time and over units, ndt over time alone.", ["stndt", "ndt"];
        "model.layers", "Layers", "", "Transformer layers.";
        "model.heads", "Heads", "", "Attention heads; 0 takes 2 where they divide units and bins, else 1.";
        "model.hidden", "Feed-forward width", "", "Width of the feed-forward layers.";
        "model.context_forward", "Context ahead", "bins", "A bin attends to at most this many later bins; −1 for all.";
        "model.context_backward", "Context behind", "bins", "A bin attends to at most this many earlier bins; −1 for all.";
        "model.dropout", "Dropout", "", "Dropout in the layers.";
        "model.dropout_embedding", "Dropout of the embedding", "", "Dropout after the embedding.";
        "model.dropout_rates", "Dropout before the readout", "", "Dropout before rates are read out.";
    }
    "Masking" {
        "model.mask", "Masked together", "", "full masks every count by itself, timestep whole bins, neuron whole units.", ["full", "timestep", "neuron"];
        "model.mask_ratio", "Share masked", "", "Share of counts that is hidden and has to be predicted.";
        "model.mask_token_ratio", "Of these zeroed", "", "Share of the masked counts that is replaced by zero.";
        "model.mask_random_ratio", "Of the rest random", "", "Share of the masked counts left that is replaced by a random count.";
        "model.mask_span", "Longest span", "bins", "Longest run of bins masked together.";
        "model.span_from_epoch", "Spans from", "epoch", "Epoch at which spans begin to be drawn.";
        "model.span_full_epoch", "Spans always from", "epoch", "Epoch from which every mask is a span.";
    }
    "Contrast" {
        "model.contrast_weight", "Weight", "", "Weight of the term that pulls two masked views of a trial together; 0 switches it off.";
        "model.contrast_temperature", "Temperature", "", "Temperature of the contrastive term.";
        "model.contrast_on", "Compared", "", "embedders compares embedded counts as the released code does, predictions log-rates as the paper says.", ["embedders", "predictions"];
        "model.contrast_from_epoch", "From", "epoch", "Epoch from which the term counts; a late one makes it a fine-tuning phase.";
        "model.contrast_mask_ratio", "Share masked in a view", "", "Share of counts that is corrupted in each view.";
        "model.contrast_token_ratio", "Of these zeroed in a view", "", "Share of the masked counts that is replaced by zero.";
        "model.contrast_random_ratio", "Of the rest random in a view", "", "Share of the masked counts left that is replaced by a random count.";
    }
    "Optimiser" {
        "model.begin_at_means", "Begin at mean rates", "", "Rates begin at the mean of every unit; else at about one spike per bin, as published, and the first some hundred steps only find the means.";
        "model.rate", "Learning rate", "", "Largest learning rate of AdamW.";
        "model.warm_up_steps", "Warm-up", "steps", "The learning rate rises over these steps.";
        "model.steps", "Most steps", "steps", "Training ends here at the latest; the learning rate falls to zero over them.";
        "model.validate_every", "Validation every", "steps", "Steps between validations, rounded up to whole epochs.";
        "model.patience_steps", "Patience", "steps", "Training ends after this many steps without a better loss or score.";
        "model.weight_decay", "Weight decay", "", "Decay of every parameter.";
        "model.clip", "Gradient clip", "", "Largest gradient norm per step.";
        "model.batch", "Batch", "trials", "Trials per step.";
    }
};
