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
    /// Trials per step (64), or windows per step of NetFormer (32)
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: Option<u32>,
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
    /// NetFormer
    Netformer,
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
    /// netformer: 50 units, 99 bins of history
    Sim50,
    /// netformer: 200 units, 99 bins of history
    Sim200,
    /// netformer: 1000 units, 99 bins of history
    Sim1000,
    /// netformer: 527 units, 59 bins of history
    Mouse527,
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
        let steps = self.steps as usize;
        let batch = self.batch.unwrap_or(if let Model::Netformer = self.model { 32 } else { 64 }) as usize;
        let mut form = None;
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
            Model::Netformer => {
                let size = name(self.size.unwrap_or(Size::Sim200));
                let (result, used) = bench::netformer_step(&size, batch, device, steps)?;
                form = Some(format!("{used:?}").to_lowercase());
                ("netformer", size, result)
            }
        };
        let mut line = json!({
            "bench": "step",
            "model": model,
            "size": size,
            "batch": batch,
            "threads": threads,
            "device": result.device,
            "parameters": result.parameters,
            "steps": result.steps(),
            "median_ms": result.median_ms(),
            "min_ms": result.min_ms(),
            "peak_rss_mb": peak_rss_mb(),
        });
        if let Model::Glm = self.model {
            line["stage"] = json!(self.stage);
        }
        if let Some(form) = form {
            line["form"] = json!(form);
        }
        Ok(line)
    }
}

/// The word for a size on the command line.
fn name(size: Size) -> String {
    size.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn step(model: Model, size: Size) -> Step {
        Step { model, size: Some(size), stage: 1, batch: Some(2), device: Device::Cpu, steps: 1, json: true }
    }

    #[test]
    fn every_model_has_its_own_sizes() {
        let message = |model, size| step(model, size).run(None).unwrap_err().to_string();
        assert!(message(Model::Glm, Size::Sim200).contains("two50"));
        assert!(message(Model::Netformer, Size::Two50).contains("sim50"));
        assert!(message(Model::Stndt, Size::Two50).contains("mc_maze"));
        let result = step(Model::Netformer, Size::Sim50).run(Some(2)).unwrap();
        assert_eq!((&result["size"], &result["batch"], &result["parameters"]), (&json!("sim50"), &json!(2), &json!(189_598)));
        assert!(result["median_ms"].as_f64().unwrap() > 0.0 && result["threads"] == json!(2));
    }
}
