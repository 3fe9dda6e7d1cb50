//! What checkpoints of a run cost, and how soon training obeys.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use super::BenchResult;
use crate::recording::Recording;
use crate::runs::checkpoint_bytes;
use crate::training::checkpoints::{CheckpointPlan, Seconds, State, capture};
use crate::training::device::open;
use crate::training::material::{Material, learner};
use crate::training::stopper::Stopper;
use crate::training::thread::Kept;
use crate::training::{Command, LossLog, Phase, Recipe, StartOptions, TrainingHandle};

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointBench {
    /// How long training waits for a checkpoint: copies of weights, moments and losses.
    pub wait: BenchResult,
    /// How long the other thread then writes it.
    pub write: BenchResult,
    /// Size on disk, bytes.
    pub bytes: u64,
    /// Steps of the first stage, for comparison.
    pub step: BenchResult,
    /// From asking for a pause until training holds.
    pub pause: BenchResult,
}

impl CheckpointBench {
    /// Share of the time that training waits, with one checkpoint every so many seconds.
    pub fn overhead(&self, every: Duration) -> f64 {
        self.wait.median_ms() / (1e3 * every.as_secs_f64())
    }
}

/// Longest wait for a pause, before the bench gives up.
const GIVE_UP: Duration = Duration::from_secs(120);

/// Measure on a recording and a recipe: `rounds` checkpoints after a few steps, and as many pauses of a run.
///
/// # Errors
/// A recipe that does not fit, no such device, a device or disk that fails.
pub fn checkpoint(recording: &Arc<Recording>, recipe: &Recipe, rounds: usize) -> anyhow::Result<CheckpointBench> {
    ensure!(rounds > 0, "no rounds");
    recipe.check()?;
    let data = Material::new(recording, recipe)?;
    let device = open(recipe.device)?;
    let name = device.name.clone();
    let mut learner = learner(recipe, &data, device)?;
    learner.begin(0, &mut |_| true)?;
    let (mut state, mut kept, mut stopper) = (State::default(), Kept::default(), Stopper::new(learner.stopping()));
    state.place.epoch = 1;
    let validated = learner.validate(0)?;
    stopper.hear(&validated, 0);
    kept.weights = Arc::new(learner.weights()?);
    stopper.best = Some((validated.terms[0], Arc::clone(&kept.weights)));
    let folder = tempfile::tempdir()?;
    let (mut steps, mut waits, mut writes, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for round in 0..rounds {
        let begun = Instant::now();
        let (losses, _) = learner.step(round % learner.batches().max(1), state.step)?;
        steps.push(ms(begun));
        state.step += 1;
        state.checkpoints += 1;
        state.losses.training(state.step, 0, losses);
        let begun = Instant::now();
        let log = state.losses.log(&LossLog { terms: recipe.model.loss_terms(), ..LossLog::default() });
        let made = capture(&*learner, &state, Some(&stopper), &kept, log, Seconds::default(), false)?;
        waits.push(ms(begun));
        let begun = Instant::now();
        bytes = checkpoint_bytes(folder.path(), recipe, &made, CheckpointPlan::default().keep)?;
        writes.push(ms(begun));
    }
    let parameters = kept.weights.values().map(|values| values.shape().num_elements()).sum();
    let result = |times| BenchResult::new(name.clone(), parameters, times);
    Ok(CheckpointBench {
        wait: result(waits),
        write: result(writes),
        bytes,
        step: result(steps),
        pause: result(pauses(recording, recipe, rounds)?),
    })
}

fn pauses(recording: &Arc<Recording>, recipe: &Recipe, rounds: usize) -> anyhow::Result<Vec<f64>> {
    let handle = TrainingHandle::start(Arc::clone(recording), recipe.clone(), StartOptions::default())?;
    let mut times = Vec::with_capacity(rounds);
    let until = |what: &dyn Fn(&Phase) -> bool| -> anyhow::Result<bool> {
        let begun = Instant::now();
        while !what(&handle.progress().phase) {
            if handle.is_over() {
                return Ok(false);
            }
            ensure!(begun.elapsed() < GIVE_UP, "training did not obey within {} s", GIVE_UP.as_secs());
            std::thread::sleep(Duration::from_micros(100));
        }
        Ok(true)
    };
    for _ in 0..rounds {
        if !until(&|phase| *phase == Phase::Running)? {
            break;
        }
        let begun = Instant::now();
        handle.send(Command::Pause);
        if !until(&|phase| *phase == Phase::Paused)? {
            break;
        }
        times.push(ms(begun));
        handle.send(Command::Resume);
        until(&|phase| *phase != Phase::Paused)?;
    }
    handle.send(Command::Discard);
    if times.is_empty() {
        bail!("the run was over before it could be paused; allow more steps");
    }
    Ok(times)
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::simulate;
    use crate::training::DeviceChoice;

    #[test]
    fn everything_is_measured() {
        let settings = [("trials", "40"), ("areas", "6x5"), ("units_per_edge", "3"), ("seed", "3")];
        let recording = Arc::new(simulate::by_name("glm", &settings).unwrap());
        let mut recipe = Recipe { device: DeviceChoice::Cpu, ..Recipe::demo() };
        for (path, value) in [("model.width", "8"), ("model.hidden", "8"), ("model.batch", "8"), ("model.max_epochs", "100000")] {
            recipe.set(path, value).unwrap();
        }
        let found = checkpoint(&recording, &recipe, 3).unwrap();
        assert!([&found.wait, &found.write, &found.step, &found.pause].iter().all(|times| times.steps() == 3 && times.min_ms() > 0.0));
        // Weights, best weights and two moments of those that train.
        assert!(found.bytes > 3 * 4 * found.wait.parameters as u64, "{} bytes", found.bytes);
        assert!(checkpoint(&recording, &recipe, 0).is_err());
    }
}
