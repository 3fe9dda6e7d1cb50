//! Timing of training steps (forward, backward, optimiser) on made-up counts, in the shapes of the peer benchmark, which times
//! stage 3 of the GLM-Transformer.

mod checkpoint;

use std::sync::Arc;
use std::time::Instant;

use anyhow::{bail, ensure};
use burn::module::Module;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::data::Prepared;
use super::device::open;
use super::estimate::DataShape;
use super::glm::{GlmTrainer, check_window};
pub use checkpoint::{CheckpointBench, checkpoint};

pub use super::netformer::bench::step as netformer_step;
pub use super::stndt::bench::step as stndt_step;
use super::{DataRecipe, DeviceChoice, GlmRecipe, ModelRecipe, Recipe};
use crate::models::glm_transformer::Stage;
use crate::recording::{AreaRule, Recording, RecordingParts, Source, SpikeTrains, SplitFractions, TrialPlan, TrialSource};

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchResult {
    /// Device name.
    pub device: String,
    /// Numbers in the model.
    pub parameters: usize,
    /// Times of the steps, milliseconds, ascending; at least one.
    times: Vec<f64>,
}

impl BenchResult {
    pub(super) fn new(device: String, parameters: usize, mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self { device, parameters, times }
    }

    /// Steps timed.
    pub fn steps(&self) -> usize {
        self.times.len()
    }

    /// Median, milliseconds.
    pub fn median_ms(&self) -> f64 {
        self.times.get(self.times.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Slowest, milliseconds.
    pub fn max_ms(&self) -> f64 {
        self.times.last().copied().unwrap_or(f64::NAN)
    }

    /// Fastest, milliseconds.
    pub fn min_ms(&self) -> f64 {
        self.times.first().copied().unwrap_or(f64::NAN)
    }
}

/// Units per area and bins of a named size.
fn shape(size: &str) -> anyhow::Result<(Vec<usize>, usize)> {
    match size {
        "two50" => Ok((vec![50; 2], 250)),
        "six58" => Ok((vec![58; 6], 200)),
        other => bail!("there is no size '{other}'; sizes are two50 (2 × 50 units, 250 bins) and six58 (6 × 58 units, 200 bins)"),
    }
}

/// Time `steps` training steps of a stage in a named size, after two that are not counted.
///
/// # Errors
/// Unknown size, no such device, a device that fails.
pub fn step(size: &str, stage: Stage, batch: usize, device: DeviceChoice, steps: usize) -> anyhow::Result<BenchResult> {
    let (areas, bins) = shape(size)?;
    let shape = DataShape { areas, bins, pad_bins: PAD, bin_s: BIN_S, train: batch, others: 0 };
    time_steps(&GlmRecipe { batch, ..GlmRecipe::default() }, &shape, stage, device, 2, steps)
}

/// Time `steps` training steps of one batch of made-up counts, after `uncounted` others.
///
/// # Errors
/// Shapes that cannot be trained, no such device, a device that fails.
pub(super) fn time_steps(
    recipe: &GlmRecipe,
    shape: &DataShape,
    stage: Stage,
    device: DeviceChoice,
    uncounted: usize,
    steps: usize,
) -> anyhow::Result<BenchResult> {
    let trials = TrialPlan {
        source: TrialSource::Tiles,
        window_s: shape.bins as f64 * shape.bin_s,
        padding_s: shape.pad_bins as f64 * shape.bin_s,
        bin_s: shape.bin_s,
        ..TrialPlan::default()
    };
    let split = SplitFractions { train: 0.9, validation: 0.05 };
    let data = DataRecipe { areas: AreaRule::Recorded, trials, split, ..DataRecipe::default() };
    let checked = Recipe { data: data.clone(), model: ModelRecipe::GlmTransformer(recipe.clone()), ..Recipe::default() };
    checked.check()?;
    check_window(recipe, shape.bins)?;
    let data = Prepared::new(&made_up(shape, recipe.batch)?, &data)?;
    let device = open(device)?;
    let name = device.name.clone();
    let mut trainer = GlmTrainer::new(recipe, 0, &data, device);
    trainer.begin(stage)?;
    let mut times = Vec::with_capacity(steps);
    for at in 0..steps + uncounted {
        let start = Instant::now();
        // The norm is read back, so a step has ended when this returns, on a GPU too.
        trainer.step(0, at as u64)?;
        if at >= uncounted {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    ensure!(!times.is_empty(), "no steps");
    Ok(BenchResult::new(name, trainer.net.num_params(), times))
}

const BIN_S: f64 = 0.002;
const PAD: usize = 50;
const RATE_HZ: f64 = 25.0;

/// Independent units at 25 Hz, enough tiles for one batch of training trials and a few others.
fn made_up(shape: &DataShape, batch: usize) -> anyhow::Result<Arc<Recording>> {
    let units: usize = shape.areas.iter().sum();
    let tiles = (batch as f64 / 0.9).ceil() + 4.0;
    let duration = tiles * shape.bins as f64 * shape.bin_s + shape.pad_bins as f64 * shape.bin_s;
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut train = || {
        let mut times: Vec<f64> = (0..(duration * RATE_HZ) as usize).map(|_| random.random::<f64>() * duration).collect();
        times.sort_by(f64::total_cmp);
        times
    };
    let parts = RecordingParts {
        name: "bench".to_owned(),
        spikes: SpikeTrains::from_units((0..units).map(|_| train())),
        unit_ids: (0..units).map(|u| u.to_string()).collect(),
        unit_areas: shape.areas.iter().enumerate().flat_map(|(a, &n)| vec![format!("area {a}"); n]).collect(),
        observed: vec![(0.0, duration)],
        ..RecordingParts::default()
    };
    let source = Source::Simulated { simulator: "bench".to_owned(), parameters: format!("{RATE_HZ} Hz"), seed: 0 };
    Ok(Arc::new(Recording::new(parts, source)?))
}
