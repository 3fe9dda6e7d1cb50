//! `spikescope bench live`: what training loses while views look at it.

use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::super::recipe::RecipeOptions;
use super::super::sources::Input;
use super::{cpu_ms, quantile};
use crate::training::{Command, Phase, StartOptions, TrainingHandle};

/// A view asks for what is new once per frame.
const FRAME: Duration = Duration::from_millis(16);
/// Snapshots are published up to a second after the last look.
const FORGOTTEN: Duration = Duration::from_millis(1200);
/// Longest wait for the first step and for the next one.
const PATIENCE: Duration = Duration::from_secs(120);

/// Options of `bench live`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Live {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    recipe: RecipeOptions,
    /// Times that training is timed alone and then watched
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long each of the two is timed, s
    #[arg(long, value_name = "S", default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// One line of JSON
    #[arg(long)]
    pub(super) json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|s| (0.1..=600.0).contains(s)).ok_or_else(|| "a number from 0.1 to 600".to_owned())
}

impl Live {
    pub(super) fn run(&self) -> anyhow::Result<Value> {
        self.recipe.check()?;
        let recording = self.input.open()?;
        let recipe = self.recipe.recipe(&recording)?;
        let model = recipe.model.preset().key;
        let run = TrainingHandle::start(recording, recipe, StartOptions::default())?;
        let (mut alone, mut watched, mut lost, mut snapshots) = (Vec::new(), Vec::new(), Vec::new(), 0);
        let (mut cpu_alone, mut cpu_watched, mut cpu_more) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            std::thread::sleep(FORGOTTEN);
            let without = self.pace(&run, &mut || ())?;
            let mut version = None;
            let with = self.pace(&run, &mut || {
                run.look(&[0]);
                let now = run.snapshot().map(|snapshot| snapshot.version);
                snapshots += usize::from(now != std::mem::replace(&mut version, now));
            })?;
            alone.push(without.steps_per_s);
            watched.push(with.steps_per_s);
            lost.push(100.0 * (1.0 - with.steps_per_s / without.steps_per_s));
            if let Some((without, with)) = without.cpu_ms.zip(with.cpu_ms) {
                cpu_alone.push(without);
                cpu_watched.push(with);
                cpu_more.push(100.0 * (with / without - 1.0));
            }
        }
        run.send(Command::Discard);
        let device = run.progress().device.clone();
        run.wait();
        for numbers in [&mut alone, &mut watched, &mut lost, &mut cpu_alone, &mut cpu_watched, &mut cpu_more] {
            numbers.sort_by(f64::total_cmp);
        }
        let of_cpu = |numbers: &[f64]| (!numbers.is_empty()).then(|| quantile(numbers, 0.5));
        Ok(json!({
            "bench": "live",
            "model": model,
            "device": device,
            "rounds": self.rounds,
            "steps_per_s_alone": quantile(&alone, 0.5),
            "steps_per_s_watched": quantile(&watched, 0.5),
            "snapshots": snapshots,
            "overhead_percent": quantile(&lost, 0.5),
            "overhead_least_percent": lost.first(),
            "overhead_most_percent": lost.last(),
            "step_cpu_ms_alone": of_cpu(&cpu_alone),
            "step_cpu_ms_watched": of_cpu(&cpu_watched),
            "overhead_cpu_percent": of_cpu(&cpu_more),
        }))
    }

    /// From one step to the first one after the time is over.
    fn pace(&self, run: &TrainingHandle, look: &mut dyn FnMut()) -> anyhow::Result<Pace> {
        let (first, begun) = next_step(run, look)?;
        let cpu = cpu_ms();
        while begun.elapsed().as_secs_f64() < self.seconds {
            look();
            std::thread::sleep(FRAME);
        }
        let (last, ended) = next_step(run, look)?;
        let steps = (last - first) as f64;
        Ok(Pace {
            steps_per_s: steps / (ended - begun).as_secs_f64(),
            cpu_ms: cpu.zip(cpu_ms()).map(|(before, after)| (after - before) / steps),
        })
    }
}

/// How fast training was, and what a step cost whatever else the machine was doing: processor time of all threads, looking included.
struct Pace {
    steps_per_s: f64,
    cpu_ms: Option<f64>,
}

/// Wait for the next step; it is noticed within a tenth of a millisecond.
fn next_step(run: &TrainingHandle, look: &mut dyn FnMut()) -> anyhow::Result<(u64, Instant)> {
    let (before, waits) = (run.progress().step, Instant::now());
    let mut looked = Instant::now();
    look();
    loop {
        let progress = run.progress();
        if progress.step > before {
            return Ok((progress.step, Instant::now()));
        }
        if let Phase::Failed(message) = &progress.phase {
            bail!("{message}");
        }
        if matches!(progress.phase, Phase::Finished(_) | Phase::Discarded | Phase::Finishing) || waits.elapsed() > PATIENCE {
            bail!(
                "training ended, or made no step for two minutes, before it was timed; let it be longer (--set max_epochs) or time fewer rounds"
            );
        }
        if looked.elapsed() > FRAME {
            looked = Instant::now();
            look();
        }
        std::thread::sleep(Duration::from_micros(100));
    }
}
