//! Timing of one training step (forward, backward, optimiser) on made-up counts, in the shapes of the peer benchmark, which
//! times stage 3.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::data::Prepared;
use super::device::open;
use super::glm::GlmTrainer;
use super::{DataRecipe, DeviceChoice, GlmRecipe};
use crate::models::glm_transformer::Stage;
use crate::recording::{AreaRule, Recording, RecordingParts, Source, SpikeTrains, SplitFractions, TrialPlan, TrialSource};

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchResult {
    /// Device name.
    pub device: String,
    /// Steps timed.
    pub steps: usize,
    /// Median, milliseconds.
    pub median_ms: f64,
    /// Fastest, milliseconds.
    pub min_ms: f64,
}

/// Units per area and bins of a named size.
fn shape(size: &str) -> anyhow::Result<(Vec<usize>, usize)> {
    match size {
        "two50" => Ok((vec![50; 2], 250)),
        "six58" => Ok((vec![58; 6], 200)),
        other => bail!("there is no size '{other}'; sizes are two50 (2 × 50 units, 250 bins) and six58 (6 × 58 units, 200 bins)"),
    }
}

/// Time `steps` training steps of a stage after two that are not counted. `threads` is what the caller set rayon up with.
///
/// # Errors
/// Unknown size, no such device, a device that fails.
pub fn step(size: &str, stage: Stage, batch: usize, device: DeviceChoice, threads: usize, steps: usize) -> anyhow::Result<BenchResult> {
    let (areas, bins) = shape(size)?;
    let recording = made_up(&areas, bins, batch)?;
    let trials = TrialPlan {
        source: TrialSource::Tiles,
        window_s: bins as f64 * BIN_S,
        padding_s: PAD as f64 * BIN_S,
        bin_s: BIN_S,
        ..TrialPlan::default()
    };
    let split = SplitFractions { train: 0.9, validation: 0.05 };
    let data = Prepared::new(&recording, &DataRecipe { areas: AreaRule::Recorded, trials, split, ..DataRecipe::default() })?;
    let device = open(device)?;
    let name = if device.cpu { format!("CPU, {threads} threads") } else { device.name.clone() };
    let recipe = GlmRecipe { batch, ..GlmRecipe::default() };
    let mut trainer = GlmTrainer::new(&recipe, 0, &data, device);
    trainer.begin(stage)?;
    let mut times = Vec::with_capacity(steps);
    for at in 0..steps + 2 {
        let start = Instant::now();
        // The norm is read back, so a step has ended when this returns, on a GPU too.
        trainer.step(0, at as u64)?;
        if at >= 2 {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    let (median_ms, min_ms) = (times.get(times.len() / 2).copied(), times.first().copied());
    Ok(BenchResult { device: name, steps, median_ms: median_ms.context("no steps")?, min_ms: min_ms.context("no steps")? })
}

const BIN_S: f64 = 0.002;
const PAD: usize = 50;
const RATE_HZ: f64 = 25.0;

/// Independent units at 25 Hz, enough tiles for one batch of training trials and a few others.
fn made_up(areas: &[usize], bins: usize, batch: usize) -> anyhow::Result<Arc<Recording>> {
    let units: usize = areas.iter().sum();
    let duration = ((batch as f64 / 0.9).ceil() + 4.0) * bins as f64 * BIN_S + PAD as f64 * BIN_S;
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
        unit_areas: areas.iter().enumerate().flat_map(|(a, &n)| vec![format!("area {a}"); n]).collect(),
        observed: vec![(0.0, duration)],
        ..RecordingParts::default()
    };
    let source = Source::Simulated { simulator: "bench".to_owned(), parameters: format!("{RATE_HZ} Hz"), seed: 0 };
    Ok(Arc::new(Recording::new(parts, source)?))
}
