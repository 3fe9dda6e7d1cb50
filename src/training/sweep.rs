//! Recipes drawn at random from the ranges of the published search, each for an ordinary run.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{ModelRecipe, Recipe, RecipeError, Variant};

/// How a setting is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Draw {
    Uniform(f64, f64),
    /// Uniform in the logarithm.
    Log(f64, f64),
    /// Both ends included.
    Whole(i64, i64),
}

/// Settings that a sweep draws and their ranges: the search over STNDT on MC_Maze (spec §2.9, 120 samples). Warm-up counts
/// epochs of tens of thousands there; here it is up to a fifth of the steps.
const STNDT: &[(&str, Draw)] = &[
    ("model.dropout", Draw::Uniform(0.0, 0.4)),
    ("model.dropout_rates", Draw::Uniform(0.0, 0.4)),
    ("model.dropout_embedding", Draw::Uniform(0.0, 0.6)),
    ("model.context_forward", Draw::Whole(1, 100)),
    ("model.context_backward", Draw::Whole(1, 100)),
    ("model.rate", Draw::Uniform(1e-5, 1e-2)),
    ("model.mask_random_ratio", Draw::Uniform(0.3, 1.0)),
    ("model.mask_token_ratio", Draw::Log(0.5, 1.0)),
    ("model.mask_ratio", Draw::Uniform(0.1, 0.4)),
    ("model.weight_decay", Draw::Log(1e-8, 1e-3)),
];

/// Those of the contrastive term, for recipes that have one.
const CONTRAST: &[(&str, Draw)] = &[
    ("model.contrast_weight", Draw::Uniform(0.01, 1.0)),
    ("model.contrast_mask_ratio", Draw::Uniform(0.05, 0.2)),
    ("model.contrast_random_ratio", Draw::Uniform(0.3, 1.0)),
    ("model.contrast_token_ratio", Draw::Log(0.5, 1.0)),
];

/// Why there is nothing to draw.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum SweepError {
    /// A model without ranges.
    #[error("no search over the settings of {0} was published; sweeps are for STNDT and NDT")]
    NoRanges(&'static str),
    /// A value that the recipe refuses.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
}

/// Sample `index` of the sweep `seed` around `recipe`: the same for the same three, whatever else is drawn.
///
/// # Errors
/// [`SweepError`].
pub fn sample(recipe: &Recipe, seed: u64, index: usize) -> Result<Recipe, SweepError> {
    let ModelRecipe::Stndt(model) = &recipe.model else { return Err(SweepError::NoRanges(recipe.model.preset().title)) };
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(index as u64);
    let contrast = model.variant == Variant::Stndt && model.contrast_weight > 0.0;
    let warm_up = ("model.warm_up_steps", Draw::Whole(0, (model.steps / 5) as i64));
    let ranges = STNDT.iter().chain(if contrast { CONTRAST } else { &[] }).copied().chain([warm_up]);
    let mut sampled = recipe.clone();
    for (path, draw) in ranges {
        let value = match draw {
            Draw::Uniform(low, high) => significant(random.random_range(low..high)),
            Draw::Log(low, high) => significant(random.random_range(low.ln()..high.ln()).exp()),
            Draw::Whole(low, high) => random.random_range(low..=high).to_string(),
        };
        sampled.set(path, &value)?;
    }
    sampled.seed = random.random_range(0..1_000_000);
    Ok(sampled)
}

/// Four digits are enough for a draw, and readable in a recipe file.
fn significant(value: f64) -> String {
    format!("{value:.3e}")
}

/// The settings in which two recipes of one model differ, as `path=value` of the first.
pub fn differences(recipe: &Recipe, from: &Recipe) -> Vec<String> {
    let value = |of: &Recipe, path: &str| of.get(path).ok();
    let shown = |path: &str| value(recipe, path).map(|v| v.to_string()).unwrap_or_default();
    recipe.fields().filter(|f| value(recipe, f.path) != value(from, f.path)).map(|f| format!("{}={}", f.path, shown(f.path))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::training::PRESETS;

    fn preset(key: &str) -> Recipe {
        let mut recipe = Recipe::default();
        PRESETS.iter().find(|p| p.key == key).unwrap().choose(&mut recipe, None);
        recipe
    }

    #[test]
    fn samples_are_valid_differ_and_come_again() {
        for key in ["stndt", "ndt"] {
            let base = preset(key);
            let drawn: Vec<Recipe> = (0..50).map(|at| sample(&base, 7, at).unwrap()).collect();
            drawn.iter().for_each(|recipe| recipe.check().unwrap());
            assert_eq!(drawn[3], sample(&base, 7, 3).unwrap());
            assert_ne!(drawn[3], drawn[4]);
            assert_ne!(drawn[3], sample(&base, 8, 3).unwrap());
            assert!(drawn.iter().all(|r| r.data == base.data), "what is compared must be the same data");
            assert!(differences(&drawn[0], &base).iter().any(|d| d.starts_with("model.rate=")));
            let contrast = drawn.iter().any(|r| r.get("model.contrast_weight").unwrap() != base.get("model.contrast_weight").unwrap());
            assert_eq!(contrast, key == "stndt");
        }
        assert_eq!(sample(&preset("glm-transformer"), 0, 0), Err(SweepError::NoRanges("GLM-Transformer")));
    }
}
