//! `spikescope bench step`: training steps on made-up data, to be timed interleaved with `shared/bench/bench_peer.py`.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::super::output::peak_rss_mb;
use crate::models::glm_transformer::Stage;
use crate::training::{DeviceChoice, bench};

/// Options of `bench step`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Step {
    /// Model
    #[arg(long, value_enum, default_value_t = Model::Glm)]
    model: Model,
    /// Shape of the data [default: the model's first]
    #[arg(long, value_enum)]
    size: Option<Size>,
    /// Stage of the GLM-Transformer whose steps are timed: 1 mean dynamics, 2 trial-varying dynamics, 3 coupling, 4 post-spike filters
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
    /// STNDT
    Stndt,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Size {
    /// glm: 2 areas of 50 units, 250 bins
    Two50,
    /// glm: 6 areas of 58 units, 200 bins
    Six58,
    /// stndt: 137 + 45 units, 140 + 40 bins
    #[value(name = "mc_maze")]
    McMaze,
    /// stndt: 98 + 32 units, 120 + 40 bins
    #[value(name = "mc_rtt")]
    McRtt,
    /// stndt: 49 + 16 units, 120 + 40 bins
    Area2,
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
        let device = match self.device {
            Device::Auto => DeviceChoice::Auto,
            Device::Gpu => DeviceChoice::Gpu,
            Device::Cpu => DeviceChoice::Cpu,
            Device::SoftwareGpu => DeviceChoice::SoftwareGpu,
        };
        let threads = threads.unwrap_or_else(rayon::current_num_threads);
        let (batch, steps) = (self.batch as usize, self.steps as usize);
        let (model, size, result) = match self.model {
            Model::Glm => {
                let stage = Stage::ALL[usize::from(self.stage.clamp(1, 4)) - 1];
                let size = name(self.size.unwrap_or(Size::Two50));
                let result = bench::step(&size, stage, batch, device, steps)?;
                ("glm", size, result)
            }
            Model::Stndt => {
                let size = name(self.size.unwrap_or(Size::McMaze));
                let result = bench::stndt_step(&size, batch, device, steps)?;
                ("stndt", size, result)
            }
        };
        let mut line = json!({
            "bench": "step",
            "model": model,
            "size": size,
            "batch": self.batch,
            "threads": threads,
            "device": result.device,
            "steps": result.steps(),
            "median_ms": result.median_ms(),
            "min_ms": result.min_ms(),
            "peak_rss_mb": peak_rss_mb(),
        });
        if let Model::Glm = self.model {
            line["stage"] = json!(self.stage);
        }
        Ok(line)
    }
}

/// The word for a size on the command line.
fn name(size: Size) -> String {
    size.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
