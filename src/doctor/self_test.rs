//! Does this machine compute what it should? Every model is trained for a few steps on made-up spikes, and its losses are compared
//! with those that were kept when the models had been verified against PyTorch. `spikescope doctor --print-vectors` makes that list
//! (`assets/self_test.json`) anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::recording::{AreaRule, Recording, RecordingParts, Source, SpikeTrains, TrialSource};
use crate::training::{DeviceChoice, PRESETS, Phase, Recipe, StartOptions, TrainingHandle};

/// What is computed, by model.
const EXPECTED: &str = include_str!("../../assets/self_test.json");

/// Largest relative difference of the first loss, which comes from the initial weights alone.
const FIRST: f64 = 1e-3;
/// Of the last loss, after some steps: on the CPU, where only the order of sums differs between processors.
const LAST_CPU: f64 = 1e-2;
/// On a GPU, whose sums are coarser.
const LAST_GPU: f64 = 5e-2;

/// Losses of a model: on the validation trials before the first step and after the last one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Vector {
    /// Before the first step.
    pub first: f64,
    /// After the last step.
    pub last: f64,
    /// Steps between.
    pub steps: u64,
}

/// How one model did on one device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Model, as on the command line.
    pub model: String,
    /// Device.
    pub device: String,
    /// It computed what it should.
    pub passed: bool,
    /// What was computed; `None` when the run failed.
    pub computed: Option<Vector>,
    /// What should have been.
    pub expected: Option<Vector>,
    /// Why it failed, in words; empty when it passed.
    pub problem: String,
}

impl Outcome {
    /// As a line of text.
    pub fn line(&self) -> String {
        match (self.passed, &self.computed) {
            (true, Some(vector)) => format!("Self-test {} on {}: passed ({} steps)", self.model, self.device, vector.steps),
            _ => format!("Self-test {} on {}: FAILED, {}", self.model, self.device, self.problem),
        }
    }
}

/// Models with a self-test.
pub const MODELS: [&str; 3] = ["glm-transformer", "stndt", "netformer-counts"];

/// Settings that make each model small and leave nothing to chance but the seed.
fn settings(model: &str) -> &'static [(&'static str, &'static str)] {
    match model {
        "glm-transformer" => {
            // Nothing couples here, and only the published staging computes couplings all the same.
            &[("width", "16"), ("hidden", "32"), ("layers", "1"), ("max_epochs", "2"), ("published_staging", "true"), ("batch", "16")]
        }
        "stndt" => &[
            ("hidden", "32"),
            ("layers", "1"),
            ("steps", "6"),
            ("validate_every", "3"),
            ("patience_steps", "1000"),
            ("batch", "8"),
            ("dropout", "0"),
            ("dropout_embedding", "0"),
            ("dropout_rates", "0"),
            // As published, so that the first steps have far to go.
            ("begin_at_means", "false"),
        ],
        // Without offsets, with which attention begins at zero and moves too little in an epoch to show that a device errs.
        _ => &[
            ("history", "8"),
            ("identity", "4"),
            ("max_epochs", "1"),
            ("batch", "64"),
            ("offset", "false"),
            ("residual", "true"),
            ("standardise", "unit"),
        ],
    }
}

/// The recipe of a model's self-test.
fn recipe(model: &str, device: DeviceChoice) -> Result<Recipe, String> {
    let preset = PRESETS.iter().find(|preset| preset.key == model).ok_or_else(|| format!("there is no model '{model}'"))?;
    let mut recipe = Recipe { device, seed: 1, ..Recipe::default() };
    preset.choose(&mut recipe, None);
    recipe.data.areas = AreaRule::Recorded;
    recipe.data.trials.source = TrialSource::Tiles;
    recipe.data.trials.window_s = 0.4;
    for (key, value) in settings(model) {
        recipe.set(&format!("model.{key}"), value).map_err(|e| e.to_string())?;
    }
    Ok(recipe)
}

/// Twelve units in two areas for 24 s; the first area swings and drives the second. Made by a generator that is the same
/// everywhere, and by nothing else of this program.
fn recording() -> Result<Arc<Recording>, String> {
    const SECONDS: usize = 24;
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut trains = vec![Vec::new(); 12];
    for ms in 0..SECONDS * 1000 {
        // A triangle of one second, without any function that rounds differently elsewhere.
        let phase = (ms % 1000) as f64 / 500.0;
        let swing = if phase < 1.0 { phase } else { 2.0 - phase };
        for (unit, train) in trains.iter_mut().enumerate() {
            let late = if unit < 6 { swing } else { 1.0 - swing };
            if random.random::<f64>() < 0.004 + 0.03 * late {
                train.push(ms as f64 * 1e-3 + 0.0005);
            }
        }
    }
    let parts = RecordingParts {
        name: "self-test".to_owned(),
        unit_ids: (0..trains.len()).map(|u| u.to_string()).collect(),
        unit_areas: (0..trains.len()).map(|u| if u < 6 { "A" } else { "B" }.to_owned()).collect(),
        spikes: SpikeTrains::from_units(trains),
        observed: vec![(0.0, SECONDS as f64)],
        ..RecordingParts::default()
    };
    let source = Source::Simulated { simulator: "self-test".to_owned(), parameters: String::new(), seed: 7 };
    Recording::new(parts, source).map(Arc::new).map_err(|e| e.to_string())
}

/// What the list says.
fn expected() -> BTreeMap<String, Vector> {
    // A damaged list is found by the self-tests, which then have nothing to compare with.
    serde_json::from_str(EXPECTED).unwrap_or_default()
}

/// Train a model for its few steps.
///
/// # Errors
/// In words, when there is no such device or the run fails.
pub fn compute(model: &str, device: DeviceChoice) -> Result<(Vector, String), String> {
    let handle = TrainingHandle::start(recording()?, recipe(model, device)?, StartOptions::default()).map_err(|e| e.to_string())?;
    let watch = handle.watch();
    let progress = handle.wait();
    if let Phase::Failed(why) = &progress.phase {
        return Err(why.clone());
    }
    let losses: Vec<f64> = watch.losses().points.iter().filter(|p| p.validation).map(|p| f64::from(p.total())).collect();
    match (losses.first(), losses.last()) {
        (Some(&first), Some(&last)) => Ok((Vector { first, last, steps: progress.step }, progress.device.clone())),
        _ => Err("the run had no losses".to_owned()),
    }
}

/// The self-test of a model on a device.
pub fn test(model: &str, device: DeviceChoice) -> Outcome {
    let expected = expected().get(model).copied();
    let outcome = |device: String, computed, problem: String| Outcome {
        model: model.to_owned(),
        device,
        passed: problem.is_empty(),
        computed,
        expected,
        problem,
    };
    match compute(model, device) {
        Err(why) => outcome(format!("{device:?}"), None, why),
        Ok((computed, name)) => {
            let last = if device == DeviceChoice::Cpu { LAST_CPU } else { LAST_GPU };
            outcome(name, Some(computed), compare(computed, expected, last))
        }
    }
}

/// What is wrong, empty when nothing is.
fn compare(computed: Vector, expected: Option<Vector>, last: f64) -> String {
    let Some(expected) = expected else { return "there is nothing to compare with".to_owned() };
    // What is no number is far from everything.
    let far = |a: f64, b: f64, tolerance: f64| a.is_nan() || (a - b).abs() > tolerance * b.abs().max(1e-3);
    let mut problems = Vec::new();
    if far(computed.first, expected.first, FIRST) {
        problems.push(format!("the first loss is {}, expected {}", computed.first, expected.first));
    }
    if far(computed.last, expected.last, last) {
        problems.push(format!("the last loss is {}, expected {}", computed.last, expected.last));
    }
    if computed.steps != expected.steps {
        problems.push(format!("{} steps were made, expected {}", computed.steps, expected.steps));
    }
    problems.join("; ")
}

/// The list anew, from what this machine computes on the CPU.
///
/// # Errors
/// In words.
pub fn print_vectors() -> Result<String, String> {
    let vectors = MODELS.iter().map(|model| {
        let (vector, _) = compute(model, DeviceChoice::Cpu).map_err(|e| format!("{model}: {e}"))?;
        Ok(((*model).to_owned(), vector))
    });
    let vectors: BTreeMap<String, Vector> = vectors.collect::<Result<_, String>>()?;
    serde_json::to_string_pretty(&vectors).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_model_computes_what_it_should_on_the_cpu() {
        for model in MODELS {
            let outcome = test(model, DeviceChoice::Cpu);
            assert!(outcome.passed, "{}", outcome.line());
            let (expected, computed) = (outcome.expected.unwrap(), outcome.computed.unwrap());
            assert!(computed.steps > 0 && (expected.last - expected.first).abs() > 1e-6, "something is learned: {computed:?}");
        }
    }

    #[test]
    fn wrong_numbers_are_found() {
        let good = Vector { first: 1.0, last: 0.5, steps: 8 };
        assert_eq!(compare(good, Some(good), LAST_CPU), "");
        for (bad, part) in [
            (Vector { first: 1.01, ..good }, "first loss is 1.01"),
            (Vector { last: 0.6, ..good }, "last loss is 0.6"),
            (Vector { last: f64::NAN, ..good }, "last loss is NaN"),
            (Vector { steps: 7, ..good }, "7 steps"),
        ] {
            assert!(compare(bad, Some(good), LAST_CPU).contains(part), "{bad:?}");
        }
        assert!(compare(good, None, LAST_CPU).contains("nothing to compare"));
    }
}
