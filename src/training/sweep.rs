//! Sweeps: many runs of one model on the same data, with settings drawn at random from ranges, ranked by validation co-bps. A [`Plan`]
//! says what is drawn; it lies in the folder of the sweep, so that whoever opens that folder goes on where it stopped. Each member
//! is an ordinary run.

mod averaged;
mod folder;

use std::str::FromStr;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{ModelRecipe, Recipe, RecipeError, Variant};
use crate::analysis::parzen;
use crate::recording::Recording;

pub use averaged::{Averaged, AveragedError, averaged};
pub use folder::{Found, Member, PLAN, ToDo, find, is_sweep, member_folder, members, ranked, read_plan, write_plan};

/// How a setting is drawn between its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Evenly.
    Uniform,
    /// Evenly in the logarithm.
    Log,
    /// Whole numbers, both ends included.
    Whole,
}

/// How recipes are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Search {
    /// Each by itself.
    #[default]
    Random,
    /// The first few by themselves, the others where those before them scored well: tree-structured Parzen estimators, one per
    /// setting (see [`crate::analysis::parzen`]).
    Tpe,
}

/// Members of a [`Search::Tpe`] that are drawn by themselves.
pub const FIRST: usize = 10;

/// A setting and between which values it is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Dotted path of the setting.
    pub path: String,
    /// How it is drawn.
    pub scale: Scale,
    /// Lowest value.
    pub low: f64,
    /// Highest value; equal to the lowest, the setting has this value in every member.
    pub high: f64,
    /// Off, the setting stays as in the recipe.
    pub drawn: bool,
}

/// Ranges of the published search over STNDT on MC_Maze (spec §2.9, 120 samples).
const STNDT: &[(&str, Scale, f64, f64)] = &[
    ("model.dropout", Scale::Uniform, 0.0, 0.4),
    ("model.dropout_rates", Scale::Uniform, 0.0, 0.4),
    ("model.dropout_embedding", Scale::Uniform, 0.0, 0.6),
    ("model.context_forward", Scale::Whole, 1.0, 100.0),
    ("model.context_backward", Scale::Whole, 1.0, 100.0),
    ("model.rate", Scale::Uniform, 1e-5, 1e-2),
    ("model.mask_random_ratio", Scale::Uniform, 0.3, 1.0),
    ("model.mask_token_ratio", Scale::Log, 0.5, 1.0),
    ("model.mask_ratio", Scale::Uniform, 0.1, 0.4),
    ("model.weight_decay", Scale::Log, 1e-8, 1e-3),
];

/// Those of the contrastive term, for recipes that have one.
const CONTRAST: &[(&str, Scale, f64, f64)] = &[
    ("model.contrast_weight", Scale::Uniform, 0.01, 1.0),
    ("model.contrast_mask_ratio", Scale::Uniform, 0.05, 0.2),
    ("model.contrast_random_ratio", Scale::Uniform, 0.3, 1.0),
    ("model.contrast_token_ratio", Scale::Log, 0.5, 1.0),
];

/// Layout of [`Plan`]; files of a newer one are refused.
pub const LAYOUT: u32 = 1;

/// What is drawn, how often, and on which recording: everything that decides the recipes of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Layout of this struct.
    pub layout: u32,
    /// How many recipes are drawn.
    pub members: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// How they are drawn.
    #[serde(default)]
    pub search: Search,
    /// Name of the recording.
    pub recording: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// What is drawn, in this order.
    pub ranges: Vec<Range>,
    /// What all members share.
    pub base: Recipe,
}

/// Why a sweep cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A model without ranges.
    #[error("no search over the settings of {0} was published; sweeps are for STNDT and NDT")]
    NoRanges(&'static str),
    /// A range that cannot be drawn from.
    #[error("{path}: cannot be drawn from {low} to {high}: {why}")]
    Range {
        /// Setting.
        path: String,
        /// Lowest value.
        low: f64,
        /// Highest value.
        high: f64,
        /// What is wrong.
        why: String,
    },
    /// A range of something that is not drawn.
    #[error("{path} is not a setting that a sweep draws; those are: {have}")]
    NotDrawn {
        /// Path asked for.
        path: String,
        /// All that are drawn.
        have: String,
    },
    /// A value that the recipe refuses.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The plan in a folder cannot be read or written.
    #[error("{path}: {why}")]
    Plan {
        /// The file.
        path: String,
        /// What is wrong, and what to do.
        why: String,
    },
}

/// The published ranges for a recipe. Warm-up counts epochs of tens of thousands there; here it is up to a fifth of the steps.
///
/// # Errors
/// [`SweepError::NoRanges`] for models that have none.
pub fn published(recipe: &Recipe) -> Result<Vec<Range>, SweepError> {
    let ModelRecipe::Stndt(model) = &recipe.model else { return Err(SweepError::NoRanges(recipe.model.preset().title)) };
    let contrast = model.variant == Variant::Stndt && model.contrast_weight > 0.0;
    let warm_up = ("model.warm_up_steps", Scale::Whole, 0.0, (model.steps / 5) as f64);
    let ranges = STNDT.iter().chain(if contrast { CONTRAST } else { &[] }).copied().chain([warm_up]);
    Ok(ranges.map(|(path, scale, low, high)| Range { path: path.to_owned(), scale, low, high, drawn: true }).collect())
}

impl Range {
    /// A value as text; takes from `random` even when the setting is not drawn, so that the draws of others stay much the same.
    fn draw(&self, random: &mut ChaCha8Rng) -> String {
        let (low, high) = (self.low, self.high);
        match self.scale {
            Scale::Uniform if low < high => significant(random.random_range(low..high)),
            Scale::Log if low < high => significant(random.random_range(low.ln()..high.ln()).exp()),
            Scale::Whole => random.random_range(low as i64..=high as i64).to_string(),
            Scale::Uniform | Scale::Log => {
                let _ = random.random_range(0.0..1.0f64);
                low.to_string()
            }
        }
    }

    /// Where a value lies between the ends, 0 to 1.
    fn share(&self, value: f64) -> f64 {
        let place = |v: f64| if self.scale == Scale::Log { v.ln() } else { v };
        let (low, high) = (place(self.low), place(self.high));
        if high > low { ((place(value) - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 }
    }

    /// The value that lies there, as text.
    fn at(&self, share: f64) -> String {
        let between = |low: f64, high: f64| low + share * (high - low);
        match self.scale {
            Scale::Uniform if self.low < self.high => significant(between(self.low, self.high)),
            Scale::Log if self.low < self.high => significant(between(self.low.ln(), self.high.ln()).exp()),
            Scale::Whole => (between(self.low - 0.5, self.high + 0.5).round().clamp(self.low, self.high) as i64).to_string(),
            Scale::Uniform | Scale::Log => self.low.to_string(),
        }
    }

    /// Both ends must be values that the recipe takes.
    fn check(&self, base: &Recipe) -> Result<(), SweepError> {
        let wrong = |why: &str| Err(SweepError::Range { path: self.path.clone(), low: self.low, high: self.high, why: why.to_owned() });
        match (self.low.is_finite() && self.high.is_finite(), self.low <= self.high, self.scale) {
            (false, ..) => return wrong("both ends must be numbers"),
            (_, false, _) => return wrong("the lower end lies above the upper one"),
            (.., Scale::Log) if self.low <= 0.0 => return wrong("the logarithm needs values above 0"),
            (.., Scale::Whole) if self.low.fract() != 0.0 || self.high.fract() != 0.0 => return wrong("both ends must be whole numbers"),
            _ => {}
        }
        let mut tried = base.clone();
        for end in [self.low, self.high] {
            tried.set(&self.path, &end.to_string()).or_else(|e| wrong(&e.to_string()))?;
        }
        Ok(())
    }
}

/// A change of a range as written on the command line: `model.rate=1e-4..1e-2`, or `model.rate=off` to leave the setting alone.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeChange {
    /// Dotted path of the setting, `model.` may be missing.
    pub path: String,
    /// Both ends; `None` to leave the setting alone.
    pub ends: Option<(f64, f64)>,
}

impl FromStr for RangeChange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, value) = text.split_once('=').ok_or("write KEY=LOW..HIGH or KEY=off")?;
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
        let ends = match value.split_once("..") {
            Some((low, high)) => Some(number(low).zip(number(high)).ok_or("both ends of a range are numbers, for example 1e-4..1e-2")?),
            None if value.trim() == "off" => None,
            None => Some(number(value).map(|v| (v, v)).ok_or("write LOW..HIGH, one number, or off")?),
        };
        Ok(Self { path: path.trim().to_owned(), ends })
    }
}

impl RangeChange {
    /// Change the range of this setting.
    ///
    /// # Errors
    /// [`SweepError::NotDrawn`].
    pub fn apply(&self, ranges: &mut [Range]) -> Result<(), SweepError> {
        let full = format!("model.{}", self.path);
        let have = || ranges.iter().map(|r| r.path.as_str()).collect::<Vec<_>>().join(", ");
        let place = ranges.iter().position(|r| r.path == self.path || r.path == full);
        let place = place.ok_or_else(|| SweepError::NotDrawn { path: self.path.clone(), have: have() })?;
        if let Some(range) = ranges.get_mut(place) {
            range.drawn = self.ends.is_some();
            (range.low, range.high) = self.ends.unwrap_or((range.low, range.high));
        }
        Ok(())
    }
}

impl Plan {
    /// A plan with the published ranges.
    ///
    /// # Errors
    /// [`SweepError::NoRanges`].
    pub fn new(base: &Recipe, members: usize, seed: u64, recording: &Recording) -> Result<Self, SweepError> {
        Ok(Self {
            layout: LAYOUT,
            members,
            seed,
            search: Search::Random,
            recording: recording.name.clone(),
            fingerprint: recording.fingerprint.clone(),
            ranges: published(base)?,
            base: base.clone(),
        })
    }

    /// Check every range.
    ///
    /// # Errors
    /// [`SweepError`] names the first that cannot be drawn from.
    pub fn check(&self) -> Result<(), SweepError> {
        self.ranges.iter().filter(|range| range.drawn).try_for_each(|range| range.check(&self.base))
    }

    /// Recipe of member `index`: the same for the same plan, whatever else is drawn.
    ///
    /// # Errors
    /// [`SweepError::Recipe`] when the recipe refuses a value.
    pub fn recipe(&self, index: usize) -> Result<Recipe, SweepError> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(index as u64);
        let mut sampled = self.base.clone();
        for range in &self.ranges {
            let value = range.draw(&mut random);
            if range.drawn {
                sampled.set(&range.path, &value)?;
            }
        }
        sampled.seed = random.random_range(0..1_000_000);
        Ok(sampled)
    }

    /// Recipe of a member that has not begun, when others have been scored: that of [`Self::recipe`], or one that learns from them.
    ///
    /// # Errors
    /// As [`Self::recipe`].
    pub fn drawn(&self, index: usize, scored: &[(&Recipe, f64)]) -> Result<Recipe, SweepError> {
        if self.search == Search::Random || index < FIRST || scored.len() < FIRST {
            return self.recipe(index);
        }
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(index as u64);
        let mut drawn = self.base.clone();
        for range in self.ranges.iter().filter(|range| range.drawn) {
            let seen = scored.iter().filter_map(|(recipe, score)| Some((range.share(recipe.get(&range.path).ok()?.as_f64()?), *score)));
            let value = range.at(parzen::next(&seen.collect::<Vec<_>>(), &mut random));
            drawn.set(&range.path, &value)?;
        }
        drawn.seed = random.random_range(0..1_000_000);
        Ok(drawn)
    }

    /// True when a recipe can be that of member `index`.
    fn fits(&self, recipe: &Recipe, index: usize) -> bool {
        if self.search == Search::Random || index < FIRST {
            return self.recipe(index).is_ok_and(|own| own == *recipe);
        }
        let mut rest = recipe.clone();
        rest.seed = self.base.seed;
        let back = |range: &Range| self.base.get(&range.path).ok().map(|value| (range.path.clone(), value.to_string()));
        let drawn = self.ranges.iter().filter(|range| range.drawn).filter_map(back);
        drawn.for_each(|(path, value)| drop(rest.set(&path, &value)));
        rest == self.base
    }

    /// True when the other plan draws the same recipes, perhaps more or fewer of them.
    pub fn draws_as(&self, other: &Self) -> bool {
        Self { members: other.members, recording: other.recording.clone(), ..self.clone() } == *other
    }
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
mod tests;
