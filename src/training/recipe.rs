//! Everything that decides a result, as data: model, data, optimiser, seed, device. The same recipe on the CPU gives the same
//! numbers, bit for bit. Files are TOML or JSON; every field has a default, unknown fields are refused with their name.

mod baseline;
mod glm;
mod netformer;
mod presets;
mod stndt;

use serde::{Deserialize, Serialize};

use super::LossTerm;
use crate::recording::{AreaRule, SplitFractions, TrialPlan};

pub use baseline::{BaselineMethod, BaselineRecipe};
pub use glm::{GlmRecipe, LeftOut};
pub use netformer::{AttentionActivation, Fit, NetFormerRecipe, RateSchedule, Signal, Standardise};
pub use presets::{PRESETS, Preset};
pub use stndt::{ContrastTarget, HeldOut, MaskUnit, StndtRecipe, Variant};

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
    /// Column of the trial table that names each trial's set; empty splits at random.
    pub split_column: String,
}

/// Model and its hyperparameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ModelRecipe {
    /// GLM-Transformer (Xin & Kass 2025).
    GlmTransformer(GlmRecipe),
    /// STNDT (Le & Shlizerman 2022) or its base model NDT (Ye & Pandarinath 2021).
    Stndt(StndtRecipe),
    /// NetFormer (Lu et al. 2025).
    #[serde(rename = "netformer")]
    NetFormer(NetFormerRecipe),
    /// An older method to compare with.
    Baseline(BaselineRecipe),
}

impl ModelRecipe {
    /// Terms of the model's loss, the total first.
    pub fn loss_terms(&self) -> &'static [LossTerm] {
        match self {
            Self::GlmTransformer(_) => &super::glm::TERMS,
            Self::Stndt(_) => &super::stndt::TERMS,
            Self::NetFormer(_) => &super::netformer::TERMS,
            Self::Baseline(_) => &super::baseline::TERMS,
        }
    }

    /// The preset that these settings started from.
    pub fn preset(&self) -> &'static Preset {
        match self {
            Self::GlmTransformer(own) if !own.trial_varying => &presets::GLM_TRANSFORMER_MEAN,
            Self::GlmTransformer(_) => &presets::GLM_TRANSFORMER,
            Self::Stndt(own) if own.variant == Variant::Ndt => &presets::NDT,
            Self::Stndt(_) => &presets::STNDT,
            Self::NetFormer(own) => presets::nearest(own),
            Self::Baseline(own) => match own.method {
                BaselineMethod::Glm => &presets::GLM,
                BaselineMethod::ReducedRank => &presets::REDUCED_RANK,
                BaselineMethod::Correlogram => &presets::CORRELOGRAM,
            },
        }
    }

    fn check(&self) -> Result<(), RecipeError> {
        match self {
            Self::GlmTransformer(own) => own.check(),
            Self::Stndt(own) => own.check(),
            Self::NetFormer(own) => own.check(),
            Self::Baseline(own) => own.check(),
        }
    }

    fn fields(&self) -> &'static [RecipeField] {
        match self {
            Self::GlmTransformer(_) => glm::FIELDS,
            Self::Stndt(_) => stndt::FIELDS,
            Self::NetFormer(_) => netformer::FIELDS,
            Self::Baseline(own) => own.fields(),
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
    /// The values that a setting with few of them takes; empty for numbers and free text.
    pub choices: &'static [&'static str],
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

    /// The GLM-Transformer's hyperparameters, when that is the model.
    pub fn glm(&self) -> Option<&GlmRecipe> {
        match &self.model {
            ModelRecipe::GlmTransformer(glm) => Some(glm),
            _ => None,
        }
    }

    /// The same model on the same trials with every other setting at its default.
    pub fn defaults(&self) -> Self {
        let mut defaults = Self::default();
        self.model.preset().choose(&mut defaults, None);
        defaults
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
        whole.pointer(&format!("/{}", path.replace('.', "/"))).cloned().ok_or_else(|| self.no_field(path))
    }

    /// Set one field from text (`--set model.beta=0.5`), then [`Self::check`]. Text that is not a number, boolean or quoted
    /// text is taken as text. On an error the recipe is unchanged.
    ///
    /// # Errors
    /// [`RecipeError`] names the field and what it accepts.
    pub fn set(&mut self, path: &str, text: &str) -> Result<(), RecipeError> {
        let mut whole = serde_json::to_value(&*self).map_err(|e| RecipeError::Parse(e.to_string()))?;
        let slot = whole.pointer_mut(&format!("/{}", path.replace('.', "/"))).ok_or_else(|| self.no_field(path))?;
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
        range("data.split.train", self.data.split.train, 0.05, 0.95)?;
        range("data.split.validation", self.data.split.validation, 0.01, 0.5)?;
        range("data.split.train + data.split.validation", self.data.split.train + self.data.split.validation, 0.0, 0.99)?;
        range("data.min_rate_hz", self.data.min_rate_hz, 0.0, 1e4)?;
        self.model.check()
    }

    /// Every setting, in the order forms show them.
    pub fn fields(&self) -> impl Iterator<Item = &'static RecipeField> {
        FIELDS.iter().chain(self.model.fields())
    }

    fn no_field(&self, path: &str) -> RecipeError {
        RecipeError::NoField { path: path.to_owned(), have: self.fields().map(|f| f.path).collect::<Vec<_>>().join(", ") }
    }
}

fn wrong(path: &str, value: impl ToString, expected: String) -> RecipeError {
    RecipeError::Value { path: path.to_owned(), value: value.to_string(), expected }
}

fn range(path: &str, value: f64, low: f64, high: f64) -> Result<(), RecipeError> {
    if value >= low && value <= high { Ok(()) } else { Err(wrong(path, value, format!("it must be between {low} and {high}"))) }
}

macro_rules! fields {
    ($($group:literal { $($path:literal, $label:literal, $unit:literal, $help:literal $(, [$($choice:literal),*])?;)* })*) => {
        &[$($($crate::training::RecipeField {
            path: $path, label: $label, unit: $unit, help: $help, group: $group, choices: &[$($($choice),*)?],
        },)*)*]
    };
}
use fields;

const FIELDS: &[RecipeField] = fields! {
    "Data" {
        "data.trials.window_start_s", "Window start", "s", "Start of the analysed window relative to the event.";
        "data.trials.window_s", "Window length", "s", "Length of the analysed window; 0 chooses the shortest common trial length, at most 0.5 s.";
        "data.trials.longest_window_s", "Longest window chosen", "s", "A window length of 0 chooses at most this.";
        "data.trials.padding_s", "History before the window", "s", "Spikes in this stretch feed coupling and post-spike filters but are not fitted.";
        "data.trials.bin_s", "Bin width", "s", "Width of one time bin; coupling filters act from one bin on.";
        "data.trials.condition", "Condition column", "", "Column of the trial table by which the split is stratified; empty for none.";
        "data.min_rate_hz", "Lowest rate", "Hz", "Units that fire less inside the trials are left out.";
        "data.split.train", "Training share", "", "Share of trials used for fitting.";
        "data.split.validation", "Validation share", "", "Share of trials used to decide when a stage ends; the rest is the test set.";
        "data.split_seed", "Split seed", "", "Seed of the random split.";
        "data.split_column", "Split column", "", "Column of the trial table that says train, validation or test; empty splits at random.";
        "seed", "Seed", "", "Seed of initial weights, batch order and jitter. The same recipe on the CPU gives the same numbers.";
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_field_exists_and_every_model_setting_is_listed() {
        for preset in PRESETS {
            let mut recipe = Recipe::default();
            preset.choose(&mut recipe, None);
            recipe.check().unwrap();
            assert_eq!(recipe.model.preset().key, preset.key);
            assert_eq!(recipe.defaults(), recipe);
            for field in recipe.fields() {
                let value = recipe.get(field.path).unwrap();
                for choice in field.choices {
                    let mut other = recipe.clone();
                    // These do not go with every choice.
                    for (path, off) in [("model.contrast_weight", "0"), ("model.layer_norm", "false"), ("model.trial_varying", "true")] {
                        if other.get(path).is_ok() {
                            other.set(path, off).unwrap();
                        }
                    }
                    other.set(field.path, choice).unwrap();
                }
                assert!(field.choices.is_empty() || field.choices.contains(&value.as_str().unwrap()), "{}", field.path);
            }
            let model = recipe.get("model").unwrap();
            for key in model.as_object().unwrap().keys().filter(|k| *k != "kind") {
                assert!(recipe.fields().any(|f| f.path == format!("model.{key}")), "{key} is missing from the list");
            }
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
        assert_eq!(recipe.glm().unwrap().rate, 1.0);
        assert!(Recipe::parse("layout = 99\n[model]\nkind = \"glm-transformer\"").is_err());
    }
}
