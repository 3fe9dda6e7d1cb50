//! Timing of training steps on made-up counts, in the shapes of the peer benchmark.

use std::time::Instant;

use anyhow::{bail, ensure};
use ndarray::Array3;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{config, options};
use crate::models::stndt::{Grid, Moment, Trainer};
use crate::training::bench::BenchResult;
use crate::training::{DeviceChoice, StndtRecipe, device};

/// Mean count per bin of the made-up units, as in the peer benchmark.
const MEAN_COUNT: f64 = 0.035;

/// The grid of a named size: a data set of the Neural Latents Benchmark.
fn grid(size: &str) -> anyhow::Result<Grid> {
    let (heldin, heldout, observed) = match size {
        "mc_maze" => (137, 45, 140),
        "mc_rtt" => (98, 32, 120),
        "area2" => (49, 16, 120),
        other => bail!("there is no size '{other}'; sizes are mc_maze (182 units, 180 bins), mc_rtt (130, 160) and area2 (65, 160)"),
    };
    Ok(Grid { heldin, heldout, observed, forward: 40 })
}

/// Time `steps` training steps (masking, forward, backward, optimiser) in a named size, after two that are not counted.
///
/// # Errors
/// Unknown size, no such device, a device that fails.
pub fn step(size: &str, batch: usize, device: DeviceChoice, steps: usize) -> anyhow::Result<BenchResult> {
    // The peer benchmark has the published context.
    let recipe = StndtRecipe { batch, context_forward: 4, context_backward: 8, ..StndtRecipe::default() };
    time_steps(&recipe, grid(size)?, device, 2, steps)
}

/// Time `steps` training steps of one batch, after `uncounted` others.
///
/// # Errors
/// Shapes that cannot be trained, no such device, a device that fails.
pub(in crate::training) fn time_steps(
    recipe: &StndtRecipe,
    grid: Grid,
    choice: DeviceChoice,
    uncounted: usize,
    steps: usize,
) -> anyhow::Result<BenchResult> {
    let device = device::open(choice)?;
    let config = config(recipe, &grid);
    let parameters = config.size();
    let mut trainer = Trainer::new(config, grid, options(recipe, 0), &device.device, device.cpu)?;
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let counts =
        Array3::from_shape_fn((recipe.batch, grid.bins(), grid.units()), |_| f32::from(u8::from(random.random::<f64>() < MEAN_COUNT)));
    let mut times = Vec::with_capacity(steps);
    for at in 0..steps + uncounted {
        let start = Instant::now();
        // The norm is read back, so a step has ended when this returns, on a GPU too.
        trainer.step(counts.view(), Moment { epoch: 0, batch: at })?;
        if at >= uncounted {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    ensure!(!times.is_empty(), "no steps");
    Ok(BenchResult::new(device.name, parameters, times))
}
