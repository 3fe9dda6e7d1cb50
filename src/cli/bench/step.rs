//! `spikescope bench step`: training steps on made-up data, to be timed interleaved with `shared/bench/bench_peer.py`.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::super::output::peak_rss_mb;
use crate::models::glm_transformer::Stage;
use crate::training::DeviceChoice;

/// Options of `bench step`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Step {
    /// Model
    #[arg(long, value_enum, default_value_t = Model::Glm)]
    model: Model,
    /// Shape of the data: two50 is 2 areas of 50 units and 250 bins, six58 is 6 areas of 58 units and 200 bins
    #[arg(long, value_enum, default_value_t = Size::Two50)]
    size: Size,
    /// Stage whose steps are timed: 1 mean dynamics, 2 trial-varying dynamics, 3 coupling, 4 post-spike filters
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=4))]
    stage: u8,
    /// Trials per step
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: u32,
    /// Device
    #[arg(long, value_enum, default_value_t = Device::Cpu)]
    device: Device,
    /// Steps that are timed (two more come before)
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    steps: u32,
    /// One line of JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Model {
    /// GLM-Transformer
    Glm,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Size {
    Two50,
    Six58,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Device {
    Auto,
    Gpu,
    Cpu,
    SoftwareGpu,
}

impl Step {
    pub(super) fn run(&self, threads: Option<usize>) -> anyhow::Result<Value> {
        let Model::Glm = self.model;
        let size = match self.size {
            Size::Two50 => "two50",
            Size::Six58 => "six58",
        };
        let device = match self.device {
            Device::Auto => DeviceChoice::Auto,
            Device::Gpu => DeviceChoice::Gpu,
            Device::Cpu => DeviceChoice::Cpu,
            Device::SoftwareGpu => DeviceChoice::SoftwareGpu,
        };
        let threads = threads.unwrap_or_else(rayon::current_num_threads);
        let stage = Stage::ALL[usize::from(self.stage.clamp(1, 4)) - 1];
        let result = crate::training::bench::step(size, stage, self.batch as usize, device, self.steps as usize)?;
        Ok(json!({
            "bench": "step",
            "model": "glm",
            "size": size,
            "stage": self.stage,
            "batch": self.batch,
            "threads": threads,
            "device": result.device,
            "steps": result.steps(),
            "median_ms": result.median_ms(),
            "min_ms": result.min_ms(),
            "peak_rss_mb": peak_rss_mb(),
        }))
    }
}
