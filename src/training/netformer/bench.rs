//! Timing of training steps on made-up activity, in the shapes of the peer benchmark.

use std::time::Instant;

use anyhow::{bail, ensure};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::models::netformer::{Data, Form, NetFormerConfig, TrainOptions, Trainer};
use crate::training::bench::BenchResult;
use crate::training::{DeviceChoice, device};

/// Bins of made-up activity that windows are drawn from.
const BINS: usize = 2000;

/// The network of a named size.
fn config(size: &str) -> anyhow::Result<NetFormerConfig> {
    let (units, history, identity) = match size {
        "sim50" => (50, 99, 200),
        "sim200" => (200, 99, 200),
        "sim1000" => (1000, 99, 200),
        "mouse527" => (527, 59, 30),
        other => bail!("there is no size '{other}'; sizes are sim50, sim200, sim1000 (that many units, 99 bins of history) and mouse527"),
    };
    Ok(NetFormerConfig::new(units, history, identity))
}

/// Time `steps` training steps (forward, backward, Adam) in a named size, after two that are not counted; also how A v was
/// computed.
///
/// # Errors
/// Unknown size, no such device, a device that fails.
pub fn step(size: &str, batch: usize, device: DeviceChoice, steps: usize) -> anyhow::Result<(BenchResult, Form)> {
    time_steps(config(size)?, batch, device, 2, steps)
}

/// Time `steps` training steps on random windows, after `uncounted` others.
///
/// # Errors
/// Shapes that cannot be trained, no such device, a device that fails.
pub(in crate::training) fn time_steps(
    config: NetFormerConfig,
    batch: usize,
    choice: DeviceChoice,
    uncounted: usize,
    steps: usize,
) -> anyhow::Result<(BenchResult, Form)> {
    let opened = device::open(choice)?;
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut draw = || -> f32 { StandardNormal.sample(&mut random) };
    // The simulation's noise has a standard deviation of 3.5.
    let activity = Array2::from_shape_simple_fn((BINS.max(2 * config.history), config.tokens), || 3.5 * draw());
    let parameters = config.size();
    let data = Data::new(activity, None)?;
    let windows = data.windows(std::slice::from_ref(&(0..data.bins())), config.history);
    let options = TrainOptions { batch, ..TrainOptions::default() };
    let mut trainer = Trainer::new(config, data, options, &opened.device, opened.cpu)?;
    let mut times = Vec::with_capacity(steps);
    for step in 0..uncounted + steps {
        let own: Vec<usize> = (0..batch).map(|_| windows[random.random_range(0..windows.len())]).collect();
        let start = Instant::now();
        trainer.step(&own, 0)?;
        if step >= uncounted {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    ensure!(!times.is_empty(), "no steps");
    Ok((BenchResult::new(opened.name, parameters, times), trainer.form()))
}
