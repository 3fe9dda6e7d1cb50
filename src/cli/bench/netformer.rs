//! Timing of NetFormer's training step on made-up activity, in the shapes of the peer benchmark.

use std::time::Instant;

use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::models::netformer::{Data, Form, NetFormerConfig, TrainOptions, Trainer};
use crate::training::{DeviceChoice, open_device};

/// Bins of made-up activity that windows are drawn from.
const BINS: usize = 2000;
/// Steps before those that are timed.
const UNCOUNTED: usize = 2;

/// What was measured.
pub(super) struct Timed {
    pub(super) device: String,
    pub(super) form: Form,
    pub(super) parameters: usize,
    /// Ascending.
    pub(super) sorted_ms: Vec<f64>,
}

/// Time training steps (forward, backward, Adam) on random windows.
pub(super) fn time_steps(config: NetFormerConfig, batch: usize, device: DeviceChoice, steps: usize) -> anyhow::Result<Timed> {
    let opened = open_device(device)?;
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut draw = || -> f32 { StandardNormal.sample(&mut random) };
    // The simulation's noise has a standard deviation of 3.5.
    let activity = Array2::from_shape_simple_fn((BINS, config.tokens), || 3.5 * draw());
    let parameters = config.size();
    let data = Data::new(activity, None)?;
    let windows = data.windows(std::slice::from_ref(&(0..BINS)), config.history);
    let options = TrainOptions { batch, ..TrainOptions::default() };
    let mut trainer = Trainer::new(config, data, options, &opened.device, opened.cpu)?;
    let mut sorted_ms = Vec::with_capacity(steps);
    for step in 0..UNCOUNTED + steps {
        let own: Vec<usize> = (0..batch).map(|_| windows[random.random_range(0..windows.len())]).collect();
        let start = Instant::now();
        trainer.step(&own, 0)?;
        if step >= UNCOUNTED {
            sorted_ms.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    sorted_ms.sort_by(f64::total_cmp);
    Ok(Timed { device: opened.name, form: trainer.form(), parameters, sorted_ms })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_step_is_timed() {
        let config = NetFormerConfig::new(6, 5, 4);
        let timed = time_steps(config.clone(), 8, DeviceChoice::Cpu, 3).unwrap();
        assert_eq!((timed.sorted_ms.len(), timed.parameters), (3, config.size()));
        assert!(timed.sorted_ms.is_sorted() && timed.sorted_ms[0] > 0.0 && timed.device.starts_with("CPU"));
    }
}
