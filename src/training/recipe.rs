//! Everything that decides a result, as data: model, data, optimiser, seed, device. The same recipe on the CPU gives the same
//! numbers, bit for bit. Files are TOML or JSON; every field has a default, unknown fields are refused with their name.

use serde::{Deserialize, Serialize};

use super::LossTerm;
use crate::recording::{AreaRule, SplitFractions, TrialPlan};

/// Which device trains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceChoice {
    /// Discrete GPU, else integrated GPU, else the CPU. A software adapter is never chosen.
    #[default]
    Auto,
    /// A GPU; an error when there is none.
    Gpu,
    /// The CPU (burn's `flex` backend).
    Cpu,
    /// A software GPU (tests of the GPU path on machines without one; very slow).
    SoftwareGpu,
}

/// What is cut out of the recording and how it is split.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataRecipe {
    /// Where areas come from.
    pub areas: AreaRule,
    /// Units with fewer spikes than this per second inside the trials are left out.
    pub min_rate_hz: f64,
    /// Trials, window, bins.
    pub trials: TrialPlan,
    /// Shares of training and validation trials; the rest is the test set.
    pub split: SplitFractions,
    /// Seed of the split.
    pub split_seed: u64,
}

/// Model and its hyperparameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ModelRecipe {
    /// GLM-Transformer (Xin & Kass 2025).
    GlmTransformer(GlmRecipe),
}

impl ModelRecipe {
    /// Terms of the model's loss, the total first.
    pub fn loss_terms(&self) -> &'static [LossTerm] {
        match self {
            Self::GlmTransformer(_) => &super::glm::TERMS,
        }
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
    /// Only pairs whose score exceeds this quantile of the jitter null start with coupling (0..1].
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

/// Everything that decides a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Layout of this struct; files of a newer layout are refused.
    #[serde(default = "layout")]
    pub layout: u32,
    /// The one seed: initial weights, order of batches, latent draws, jitter.
    #[serde(default)]
    pub seed: u64,
    /// Device.
    #[serde(default)]
    pub device: DeviceChoice,
    /// Data.
    #[serde(default)]
    pub data: DataRecipe,
    /// Model.
    pub model: ModelRecipe,
}

/// The layout this program writes.
pub const LAYOUT: u32 = 1;

fn layout() -> u32 {
    LAYOUT
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            layout: LAYOUT,
            seed: 0,
            device: DeviceChoice::Auto,
            data: DataRecipe::default(),
            model: ModelRecipe::GlmTransformer(GlmRecipe::default()),
        }
    }
}

/// One setting of a recipe as forms and `--set` see it.
#[derive(Debug, Clone, Copy)]
pub struct RecipeField {
    /// Dotted path, for example `model.beta`.
    pub path: &'static str,
    /// Label in sentence case.
    pub label: &'static str,
    /// Unit, empty for pure numbers.
    pub unit: &'static str,
    /// One sentence of help.
    pub help: &'static str,
    /// Heading under which forms show it.
    pub group: &'static str,
}

/// Why a recipe cannot be used.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum RecipeError {
    /// Text that is no recipe.
    #[error("the recipe cannot be read: {0}")]
    Parse(String),
    /// Written by a newer program.
    #[error("the recipe has layout {found}, this program reads up to {LAYOUT}; use a newer Spikescope")]
    Newer {
        /// Layout in the file.
        found: u32,
    },
    /// A field that does not exist.
    #[error("there is no setting '{path}'; the settings are: {have}")]
    NoField {
        /// Path asked for.
        path: String,
        /// All paths.
        have: String,
    },
    /// A value of the wrong kind or out of range.
    #[error("{path} = {value}: {expected}")]
    Value {
        /// Path.
        path: String,
        /// Value given.
        value: String,
        /// What is accepted.
        expected: String,
    },
}

impl Recipe {
    /// For the built-in demo recording: a smaller encoder and fewer epochs, so that it trains well within a minute on two cores.
    pub fn demo() -> Self {
        let glm = GlmRecipe { layers: 1, width: 64, hidden: 128, max_epochs: 80, ..GlmRecipe::default() };
        Self { model: ModelRecipe::GlmTransformer(glm), ..Self::default() }
    }

    /// The GLM-Transformer's hyperparameters.
    pub fn glm(&self) -> &GlmRecipe {
        let ModelRecipe::GlmTransformer(glm) = &self.model;
        glm
    }

    /// Read TOML or JSON (JSON when the text starts with `{`), then [`Self::check`].
    ///
    /// # Errors
    /// [`RecipeError`] names the field.
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        let recipe: Self = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|e| RecipeError::Parse(e.to_string()))?
        } else {
            toml::from_str(text).map_err(|e| RecipeError::Parse(e.to_string()))?
        };
        recipe.check()?;
        Ok(recipe)
    }

    /// The recipe as TOML.
    ///
    /// # Errors
    /// [`RecipeError::Parse`] when a value has no TOML form.
    pub fn to_toml(&self) -> Result<String, RecipeError> {
        toml::to_string_pretty(self).map_err(|e| RecipeError::Parse(e.to_string()))
    }

    /// Value of a field as JSON.
    ///
    /// # Errors
    /// [`RecipeError::NoField`].
    pub fn get(&self, path: &str) -> Result<serde_json::Value, RecipeError> {
        let whole = serde_json::to_value(self).map_err(|e| RecipeError::Parse(e.to_string()))?;
        whole.pointer(&format!("/{}", path.replace('.', "/"))).cloned().ok_or_else(|| no_field(path))
    }

    /// Set one field from text (`--set model.beta=0.5`), then [`Self::check`]. Text that is not a number, boolean or quoted
    /// text is taken as text. On an error the recipe is unchanged.
    ///
    /// # Errors
    /// [`RecipeError`] names the field and what it accepts.
    pub fn set(&mut self, path: &str, text: &str) -> Result<(), RecipeError> {
        let mut whole = serde_json::to_value(&*self).map_err(|e| RecipeError::Parse(e.to_string()))?;
        let slot = whole.pointer_mut(&format!("/{}", path.replace('.', "/"))).ok_or_else(|| no_field(path))?;
        let value: serde_json::Value = serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::String(text.to_owned()));
        // A whole number is welcome where a real one is expected.
        *slot = if slot.is_f64() { value.as_f64().map_or(value.clone(), Into::into) } else { value };
        let changed: Self = serde_json::from_value(whole).map_err(|e| RecipeError::Value {
            path: path.to_owned(),
            value: text.to_owned(),
            expected: e.to_string(),
        })?;
        changed.check()?;
        *self = changed;
        Ok(())
    }

    /// Check every range.
    ///
    /// # Errors
    /// The first [`RecipeError::Value`].
    pub fn check(&self) -> Result<(), RecipeError> {
        if self.layout > LAYOUT {
            return Err(RecipeError::Newer { found: self.layout });
        }
        let range = |path: &str, value: f64, low: f64, high: f64| {
            if value >= low && value <= high {
                return Ok(());
            }
            Err(RecipeError::Value {
                path: path.to_owned(),
                value: value.to_string(),
                expected: format!("it must be between {low} and {high}"),
            })
        };
        range("data.split.train", self.data.split.train, 0.05, 0.95)?;
        range("data.split.validation", self.data.split.validation, 0.01, 0.5)?;
        range("data.split.train + data.split.validation", self.data.split.train + self.data.split.validation, 0.0, 0.99)?;
        range("data.min_rate_hz", self.data.min_rate_hz, 0.0, 1e4)?;
        let glm = self.glm();
        range("model.splines", glm.splines as f64, 3.0, 500.0)?;
        range("model.token_bins", glm.token_bins as f64, 1.0, 1000.0)?;
        range("model.layers", glm.layers as f64, 1.0, 16.0)?;
        range("model.width", glm.width as f64, 2.0, 2048.0)?;
        range("model.heads", glm.heads as f64, 1.0, 64.0)?;
        range("model.hidden", glm.hidden as f64, 1.0, 8192.0)?;
        range("model.latent_per_area", glm.latent_per_area as f64, 1.0, 512.0)?;
        range("model.factors", glm.factors as f64, 1.0, 64.0)?;
        range("model.decoder_multiple", glm.decoder_multiple as f64, 0.0, 64.0)?;
        range("model.beta", glm.beta, 0.0, 1e3)?;
        range("model.rank", glm.rank as f64, 1.0, 8.0)?;
        for (prefix, n, peak, stretch) in [
            ("coupling", glm.coupling_basis, glm.coupling_peak_bins, glm.coupling_stretch),
            ("history", glm.history_basis, glm.history_peak_bins, glm.history_stretch),
        ] {
            range(&format!("model.{prefix}_basis"), n as f64, 2.0, 20.0)?;
            range(&format!("model.{prefix}_peak_bins"), peak, 0.5, 500.0)?;
            range(&format!("model.{prefix}_stretch"), stretch, 0.01, 100.0)?;
        }
        range("model.penalty_coupling", glm.penalty_coupling, 0.0, 1e3)?;
        range("model.penalty_smooth", glm.penalty_smooth, 0.0, 1e9)?;
        range("model.rate_encoder", glm.rate_encoder, 0.0, 1.0)?;
        range("model.rate", glm.rate, 0.0, 1e3)?;
        range("model.clip", glm.clip, 1e-6, 1e6)?;
        range("model.batch", glm.batch as f64, 1.0, 1e5)?;
        range("model.max_epochs", glm.max_epochs as f64, 1.0, 1e6)?;
        range("model.patience_steps", glm.patience_steps as f64, 1.0, 1e9)?;
        range("model.tolerance", glm.tolerance, 0.0, 1.0)?;
        range("model.edge_quantile", glm.edge_quantile, 0.5, 1.0)?;
        range("model.edge_jitters", glm.edge_jitters as f64, 1.0, 1e4)?;
        if !glm.width.is_multiple_of(glm.heads) {
            return Err(RecipeError::Value {
                path: "model.heads".into(),
                value: glm.heads.to_string(),
                expected: format!("it must divide model.width = {}", glm.width),
            });
        }
        Ok(())
    }

    /// Every setting, in the order forms show them.
    pub fn fields() -> &'static [RecipeField] {
        FIELDS
    }
}

fn no_field(path: &str) -> RecipeError {
    RecipeError::NoField { path: path.to_owned(), have: FIELDS.iter().map(|f| f.path).collect::<Vec<_>>().join(", ") }
}

macro_rules! fields {
    ($($group:literal { $($path:literal, $label:literal, $unit:literal, $help:literal;)* })*) => {
        &[$($(RecipeField { path: $path, label: $label, unit: $unit, help: $help, group: $group },)*)*]
    };
}

const FIELDS: &[RecipeField] = fields! {
    "Data" {
        "data.trials.window_start_s", "Window start", "s", "Start of the analysed window relative to the event.";
        "data.trials.window_s", "Window length", "s", "Length of the analysed window; 0 chooses the shortest common trial length, at most 0.5 s.";
        "data.trials.padding_s", "History before the window", "s", "Spikes in this stretch feed coupling and post-spike filters but are not fitted.";
        "data.trials.bin_s", "Bin width", "s", "Width of one time bin; coupling filters act from one bin on.";
        "data.trials.condition", "Condition column", "", "Column of the trial table by which the split is stratified; empty for none.";
        "data.min_rate_hz", "Lowest rate", "Hz", "Units that fire less inside the trials are left out.";
        "data.split.train", "Training share", "", "Share of trials used for fitting.";
        "data.split.validation", "Validation share", "", "Share of trials used to decide when a stage ends; the rest is the test set.";
        "data.split_seed", "Split seed", "", "Seed of the random split.";
        "seed", "Seed", "", "Seed of initial weights, batch order and jitter. The same recipe on the CPU gives the same numbers.";
    }
    "Coupling" {
        "model.rank", "Coupling factors", "", "Rank of the coupling of each ordered pair of areas.";
        "model.coupling_basis", "Filter basis functions", "", "Raised cosines that make up a coupling filter.";
        "model.coupling_peak_bins", "Last peak", "bins", "Peak of the slowest basis function; sets how long a coupling filter is.";
        "model.coupling_stretch", "Warp", "", "Smaller values put more resolution at short lags.";
        "model.self_coupling", "Coupling within areas", "", "Also fit coupling of an area onto itself.";
        "model.penalty_coupling", "Coupling penalty", "", "Group penalty on sending and receiving weights.";
        "model.edge_quantile", "Edge threshold", "", "A pair starts with coupling when its score exceeds this quantile of the jitter null.";
        "model.edge_jitters", "Jittered copies", "", "How many jittered copies of the data make the null of the edge score.";
        "model.published_staging", "Published staging", "", "The authors' staging, in which true edges can be missed; for comparison.";
    }
    "Own dynamics" {
        "model.factors", "Slow factors per area", "", "Factors shared by the units of one area.";
        "model.splines", "Splines per factor", "", "More splines let own dynamics follow faster changes; too many absorb coupling.";
        "model.penalty_smooth", "Smoothness penalty", "", "Keeps slow factors slow, so that they do not absorb coupling.";
        "model.latent_per_area", "Latent dimensions", "", "Latent values per trial and area.";
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_field_exists_and_every_model_setting_is_listed() {
        let recipe = Recipe::default();
        for field in Recipe::fields() {
            recipe.get(field.path).unwrap();
        }
        let model = recipe.get("model").unwrap();
        for key in model.as_object().unwrap().keys().filter(|k| *k != "kind") {
            assert!(Recipe::fields().iter().any(|f| f.path == format!("model.{key}")), "{key} is missing from the list");
        }
    }

    #[test]
    fn toml_and_json_round_trip() {
        let mut recipe = Recipe { seed: 7, ..Recipe::default() };
        recipe.set("model.beta", "0.5").unwrap();
        assert_eq!(Recipe::parse(&recipe.to_toml().unwrap()).unwrap(), recipe);
        assert_eq!(Recipe::parse(&serde_json::to_string(&recipe).unwrap()).unwrap(), recipe);
    }

    #[test]
    fn bad_settings_are_named_and_change_nothing() {
        let mut recipe = Recipe::default();
        assert!(matches!(recipe.set("model.betta", "1"), Err(RecipeError::NoField { .. })));
        assert!(recipe.set("model.batch", "0").unwrap_err().to_string().contains("model.batch"));
        assert!(recipe.set("model.batch", "many").is_err());
        assert!(recipe.set("model.heads", "3").is_err());
        assert_eq!(recipe, Recipe::default());
        recipe.set("model.rate", "1").unwrap();
        assert_eq!(recipe.glm().rate, 1.0);
        assert!(Recipe::parse("layout = 99\n[model]\nkind = \"glm-transformer\"").is_err());
    }
}
