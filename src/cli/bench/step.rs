//! `spikescope bench step`: training steps on made-up data, to be timed interleaved with `shared/bench/bench_peer.py`.

use anyhow::bail;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::super::output::peak_rss_mb;
use super::{netformer, quantile};
use crate::models::glm_transformer::Stage;
use crate::models::netformer::NetFormerConfig;
use crate::training::DeviceChoice;

/// Options of `bench step`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Step {
    /// Model
    #[arg(long, value_enum, default_value_t = Model::Glm)]
    model: Model,
    /// Shape of the data. GLM-Transformer: two50 (default) is 2 areas of 50 units and 250 bins, six58 is 6 areas of 58 units and
    /// 200 bins. NetFormer: sim50, sim200 (default) and sim1000 are that many units and 99 bins of history, mouse527 is 527 units
    /// and 59 bins
    #[arg(long, value_enum)]
    size: Option<Size>,
    /// Stage of the GLM-Transformer whose steps are timed: 1 mean dynamics, 2 trial-varying dynamics, 3 coupling, 4 post-spike
    /// filters
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=4))]
    stage: u8,
    /// Trials per step (64), or windows per step (32)
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
    /// NetFormer
    Netformer,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Size {
    Two50,
    Six58,
    Sim50,
    Sim200,
    Sim1000,
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
        match self.model {
            Model::Glm => self.glm(device, threads),
            Model::Netformer => self.netformer(device, threads),
        }
    }

    fn glm(&self, device: DeviceChoice, threads: usize) -> anyhow::Result<Value> {
        let size = match self.size {
            None | Some(Size::Two50) => "two50",
            Some(Size::Six58) => "six58",
            Some(_) => bail!("this size belongs to another model; the GLM-Transformer has two50 and six58"),
        };
        let batch = self.batch.unwrap_or(64);
        let stage = Stage::ALL[usize::from(self.stage.clamp(1, 4)) - 1];
        let result = crate::training::bench::step(size, stage, batch as usize, device, self.steps as usize)?;
        Ok(json!({
            "bench": "step",
            "model": "glm",
            "size": size,
            "stage": self.stage,
            "batch": batch,
            "threads": threads,
            "device": result.device,
            "steps": result.steps(),
            "median_ms": result.median_ms(),
            "min_ms": result.min_ms(),
            "peak_rss_mb": peak_rss_mb(),
        }))
    }
    fn netformer(&self, device: DeviceChoice, threads: usize) -> anyhow::Result<Value> {
        let (size, units, history, identity) = match self.size {
            Some(Size::Sim50) => ("sim50", 50, 99, 200),
            None | Some(Size::Sim200) => ("sim200", 200, 99, 200),
            Some(Size::Sim1000) => ("sim1000", 1000, 99, 200),
            Some(Size::Mouse527) => ("mouse527", 527, 59, 30),
            Some(_) => bail!("this size belongs to another model; NetFormer has sim50, sim200, sim1000 and mouse527"),
        };
        let batch = self.batch.unwrap_or(32);
        let config = NetFormerConfig::new(units, history, identity);
        let result = netformer::time_steps(config, batch as usize, device, self.steps as usize)?;
        Ok(json!({
            "bench": "step",
            "model": "netformer",
            "size": size,
            "batch": batch,
            "threads": threads,
            "device": result.device,
            "form": format!("{:?}", result.form).to_lowercase(),
            "parameters": result.parameters,
            "steps": result.sorted_ms.len(),
            "median_ms": quantile(&result.sorted_ms, 0.5),
            "min_ms": quantile(&result.sorted_ms, 0.0),
            "peak_rss_mb": peak_rss_mb(),
        }))
    }
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
        assert!(message(Model::Glm, Size::Sim200).contains("the GLM-Transformer has two50 and six58"));
        assert!(message(Model::Netformer, Size::Two50).contains("NetFormer has sim50"));
        let result = step(Model::Netformer, Size::Sim50).run(Some(2)).unwrap();
        assert_eq!((&result["size"], &result["batch"], &result["parameters"]), (&json!("sim50"), &json!(2), &json!(189_598)));
        assert!(result["median_ms"].as_f64().unwrap() > 0.0 && result["threads"] == json!(2));
    }
}
