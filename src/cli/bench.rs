//! `spikescope bench`: timings, as text or as one JSON line each.

mod attention;
mod canvas;
mod checkpoint;
mod companion;
mod correlogram;
mod live;
mod load;
mod raster;
mod soak;
mod step;
mod ui;

use clap::Subcommand;
use serde_json::Value;

use super::output;

/// What is timed.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Bench {
    /// Training steps (forward, backward, optimiser)
    Step(step::Step),
    /// What checkpoints of a run cost, and how soon training obeys
    Checkpoint(Box<checkpoint::Checkpoint>),
    /// What training loses while views look at it
    Live(Box<live::Live>),
    /// Correlograms of all pairs of units of a made-up recording
    Correlogram(correlogram::Correlogram),
    /// Opening a recording
    Load(load::Load),
    /// Frames of the window, idle and while the demo trains, drawn without a display
    Ui(ui::Ui),
    /// Frames of the Connectivity view while attention plays through time, for several numbers of units
    Attention(attention::Attention),
    /// Frames of the raster while it is panned and zoomed, for recordings of several sizes
    Raster(raster::Raster),
    /// Hours of training under a random hand: memory, faults, errors of the graphics device
    Soak(soak::Soak),
}

impl Bench {
    /// True when frames are timed: then computing yields to them, as in the window.
    pub(in crate::cli) fn draws(&self) -> bool {
        match self {
            Self::Ui(_) | Self::Raster(_) | Self::Attention(_) | Self::Soak(_) => true,
            Self::Load(load) => load.draws(),
            Self::Step(_) | Self::Checkpoint(_) | Self::Live(_) | Self::Correlogram(_) => false,
        }
    }

    pub(in crate::cli) fn run(self, threads: Option<usize>) -> anyhow::Result<()> {
        let (results, json) = match self {
            Self::Step(step) => (vec![step.run(threads)?], step.json),
            Self::Checkpoint(checkpoint) => (vec![checkpoint.run()?], checkpoint.json),
            Self::Live(live) => (vec![live.run()?], live.json),
            Self::Correlogram(correlogram) => (vec![correlogram.run()?], correlogram.json),
            Self::Load(load) => (vec![load.run()?], load.json),
            Self::Ui(ui) => (vec![ui.run()?], ui.json),
            Self::Raster(raster) => (raster.run()?, raster.json),
            Self::Soak(soak) => (vec![soak.run()?], soak.json),
            Self::Attention(attention) => (attention.run()?, attention.json),
        };
        let texts: Vec<String> = results.iter().map(|result| if json { result.to_string() } else { as_text(result) }).collect();
        output::print(&texts.join(if json { "\n" } else { "\n\n" }))
    }
}

/// One `name: value` per line.
fn as_text(result: &Value) -> String {
    let lines = result.as_object().into_iter().flatten().map(|(key, value)| match value {
        Value::String(text) => format!("{key}: {text}"),
        other => format!("{key}: {other}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The `quantile` (0 to 1) of some durations in ms, rounded to µs; NaN without any.
fn quantile(sorted_ms: &[f64], quantile: f64) -> f64 {
    let index = (quantile * sorted_ms.len().saturating_sub(1) as f64).round() as usize;
    sorted_ms.get(index).map_or(f64::NAN, |ms| (ms * 1e3).round() / 1e3)
}

/// Processor time of all threads so far, ms, in steps of 10; `None` where the system does not say. Unlike the time of a frame it does
/// not depend on what else the machine is doing.
fn cpu_ms() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold anything; user and system time are the 12th and 13th fields behind it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |k: usize| fields.get(k)?.parse::<f64>().ok();
    Some(10.0 * (ticks(11)? + ticks(12)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_sorted_values() {
        let values: Vec<f64> = (0..101).map(f64::from).collect();
        assert_eq!(
            (quantile(&values, 0.0), quantile(&values, 0.5), quantile(&values, 0.99), quantile(&values, 1.0)),
            (0.0, 50.0, 99.0, 100.0)
        );
        assert_eq!(quantile(&[1.23456], 0.5), 1.235);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn text_has_one_line_per_value() {
        assert_eq!(as_text(&serde_json::json!({ "device": "CPU", "steps": 3 })), "device: CPU\nsteps: 3");
    }
}
