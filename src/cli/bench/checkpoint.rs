//! `spikescope bench checkpoint`: what checkpoints cost and how soon training obeys.

use clap::Args;
use serde_json::{Value, json};

use super::super::recipe::RecipeOptions;
use super::super::sources::Input;
use crate::training::{CheckpointPlan, bench};

/// Options of `bench checkpoint`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Checkpoint {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    recipe: RecipeOptions,
    /// Checkpoints and pauses that are timed
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// One line of JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Checkpoint {
    pub(super) fn run(&self) -> anyhow::Result<Value> {
        self.recipe.check()?;
        let recording = self.input.open()?;
        let recipe = self.recipe.recipe(&recording)?;
        let found = bench::checkpoint(&recording, &recipe, self.rounds as usize)?;
        let round = |value: f64| (value * 1e3).round() / 1e3;
        let every = CheckpointPlan::default().every;
        Ok(json!({
            "bench": "checkpoint",
            "model": recipe.model.preset().key,
            "device": found.wait.device,
            "parameters": found.wait.parameters,
            "step_ms": round(found.step.median_ms()),
            "training_waits_ms": round(found.wait.median_ms()),
            "written_in_ms": round(found.write.median_ms()),
            "bytes": found.bytes,
            "every_s": every.as_secs_f64(),
            "overhead_percent": round(100.0 * found.overhead(every)),
            "pause_ms": round(found.pause.median_ms()),
            "pause_slowest_ms": round(found.pause.max_ms()),
        }))
    }
}
