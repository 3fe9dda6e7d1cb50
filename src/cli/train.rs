//! `spikescope train`: a run without a window.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::memory;
use super::output;
use super::progress::{Bell, follow};
use super::recipe::RecipeOptions;
use super::sources::Input;
use crate::recording::Recording;
use crate::runs::{self, Manifest, RunStatus};
use crate::training::{CheckpointPlan, OnDeviceLost, Recipe, StartOptions, TrainingHandle};

/// Options of `train`.
#[derive(Debug, Args)]
pub(super) struct Train {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    recipe: RecipeOptions,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    telling: Telling,
}

/// Where a run is written.
#[derive(Debug, Clone, Args)]
pub(super) struct Target {
    /// Run folder to write; a run that is already there is replaced
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
}

/// What a command that trains tells.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Telling {
    /// End with one line of JSON on standard output
    #[arg(long)]
    pub(super) json: bool,
    /// No progress on standard error
    #[arg(long)]
    pub(super) quiet: bool,
}

/// How a run is kept safe.
#[derive(Debug, Clone, Args)]
pub(super) struct Saving {
    /// Seconds between checkpoints; `spikescope resume` goes on from the last one
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    checkpoint_every: Duration,
    /// What to do when the GPU that trains is lost
    #[arg(long, value_enum, value_name = "WHAT", default_value = "cpu")]
    on_device_lost: Lost,
}

/// See [`OnDeviceLost`].
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Lost {
    /// Go on on the CPU from the last checkpoint
    Cpu,
    /// End with the reason; the run can be resumed
    Stop,
}

impl Saving {
    /// The options of a run with these.
    pub(super) fn options(&self) -> StartOptions {
        let plan = CheckpointPlan::default();
        StartOptions {
            checkpoints: CheckpointPlan { every: self.checkpoint_every, improved: plan.improved.min(self.checkpoint_every), ..plan },
            on_device_lost: match self.on_device_lost {
                Lost::Cpu => OnDeviceLost::ContinueOnCpu,
                Lost::Stop => OnDeviceLost::Stop,
            },
            ..StartOptions::default()
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    seconds.ok_or_else(|| "write a number of seconds, 0 or more, for example 30".to_owned())
}

impl Train {
    pub(super) fn run(self) -> anyhow::Result<()> {
        self.recipe.check()?;
        // Before the work, not after it.
        runs::check_target(&self.target.out)?;
        let recording = self.input.open()?;
        let recipe = self.recipe.recipe(&recording)?;
        if matches!(Manifest::read(&self.target.out), Ok(run) if run.status == RunStatus::Interrupted) {
            let place = self.target.out.display();
            output::tell(&format!(
                "note: {place} holds an interrupted run, which this one replaces (spikescope resume {place} would go on with it)"
            ));
        }
        memory::tell(&recording, &recipe, self.telling.quiet);
        let options = StartOptions { run: Some(self.target.out), opened_from: self.input.path(), ..self.saving.options() };
        let summary = train(recording, recipe, options, self.telling.quiet)?;
        memory::tell_peak(self.telling.quiet);
        print_summary(&summary, self.telling.json)
    }
}

/// Train to the end and write the run. Gives the summary, one line of JSON.
pub(super) fn train(recording: Arc<Recording>, recipe: Recipe, options: StartOptions, quiet: bool) -> anyhow::Result<Value> {
    let bell = Bell::new();
    let handle = TrainingHandle::start(recording, recipe, bell.options(options))?;
    Ok(follow(handle, &bell, quiet)?.summary.clone())
}

/// The end of a command that trained.
pub(super) fn print_summary(summary: &Value, json: bool) -> anyhow::Result<()> {
    output::print(&if json { summary.to_string() } else { summary_text(summary) })
}

/// The summary for people.
pub(super) fn summary_text(summary: &Value) -> String {
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_f64);
    let word = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
    let mut lines = Vec::new();
    if let Some(loss) = number(summary, "test_loss") {
        let references = [("flat rate", number(summary, "flat_loss")), ("PSTH", number(summary, "psth_loss"))];
        let oracle = summary.get("truth").and_then(|truth| number(truth, "oracle_loss"));
        let known: Vec<String> = references
            .into_iter()
            .chain([("true rates", oracle)])
            .filter_map(|(name, value)| Some(format!("{name} {:.5}", value?)))
            .collect();
        // NetFormer predicts activity, by its squared error where it is not counts.
        let kind = if summary.get("prediction_r2").is_some() { "" } else { "Poisson, " };
        lines.push(format!("Test loss {loss:.5} ({}), {kind}per bin and unit", known.join(", ")));
    }
    if let Some(score) = number(summary, "co_bps") {
        let beside = [("smoothing", "smoothing_co_bps"), ("true rates", "oracle_co_bps")];
        let beside: Vec<String> =
            beside.into_iter().filter_map(|(name, key)| Some(format!("{name} {:.4}", number(summary, key)?))).collect();
        let beside = if beside.is_empty() { String::new() } else { format!(" ({})", beside.join(", ")) };
        lines.push(format!("co-bps {score:.4}{beside}, bits per spike of held-out units on test trials"));
    }
    for (name, key) in [("fp-bps", "fp_bps"), ("R² of the true rates", "rate_r2")] {
        if let Some(score) = number(summary, key) {
            lines.push(format!("{name} {score:.4}"));
        }
    }
    if let Some(r2) = number(summary, "prediction_r2") {
        lines.push(format!("R² of predictions {r2:.4}, mean over units"));
    }
    if let (Some(own), Some(lag_one)) = (number(summary, "pearson"), number(summary, "lag1_pearson")) {
        lines.push(format!("Connectivity against the truth: Pearson {own:.3} (lag-1 cross-correlation {lag_one:.3})"));
    }
    if let Some(synapses) = summary.get("synapses") {
        let part = |key: &str| number(synapses, key).unwrap_or(f64::NAN);
        lines.push(format!(
            "Connections over time against the truth ({}): median correlation {:.3}, mean {:.3}, {} of {} positive",
            word(synapses, "over"),
            part("median"),
            part("mean"),
            part("positive"),
            part("count")
        ));
    }
    for edge in summary.get("edges").and_then(Value::as_array).into_iter().flatten() {
        let peak = number(edge, "filter_peak_ms").map(|ms| format!(", filter peak at {ms:.0} ms")).unwrap_or_default();
        let fitted = number(edge, "contribution_fitted_percent").map(|p| format!(" ({p:.2} % on fitted trials)")).unwrap_or_default();
        lines.push(format!(
            "{} → {}: contribution {:.2} %{fitted}{peak}",
            word(edge, "source"),
            word(edge, "target"),
            number(edge, "contribution_percent").unwrap_or(f64::NAN)
        ));
    }
    for edge in summary.get("truth").and_then(|truth| truth.get("edges")).and_then(Value::as_array).into_iter().flatten() {
        let part = |key: &str| number(edge, key).unwrap_or(f64::NAN);
        lines.push(format!(
            "Truth {} → {}: |cos| of sending {:.3}, of receiving {:.3}, filter correlation {:.3}",
            word(edge, "source"),
            word(edge, "target"),
            part("cos_send"),
            part("cos_receive"),
            part("filter_corr")
        ));
    }
    if let Some(seconds) = number(summary, "seconds") {
        lines.push(format!("Trained for {seconds:.1} s"));
    }
    if let Some(run) = summary.get("run").and_then(Value::as_str) {
        lines.push(format!("Run written to {run}"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_summary_for_people_has_every_part() {
        let text = summary_text(&json!({
            "run": "runs/first", "test_loss": 0.21, "flat_loss": 0.22, "psth_loss": 0.215, "seconds": 41.26,
            "edges": [{ "source": "A", "target": "B", "contribution_percent": 3.1401, "filter_peak_ms": 6.0 }],
            "truth": { "oracle_loss": 0.2, "edges": [{ "source": "A", "target": "B", "cos_send": 0.99, "cos_receive": 0.98, "filter_corr": 0.97 }] },
        }));
        assert_eq!(
            text,
            "Test loss 0.21000 (flat rate 0.22000, PSTH 0.21500, true rates 0.20000), Poisson, per bin and unit\n\
             A → B: contribution 3.14 %, filter peak at 6 ms\n\
             Truth A → B: |cos| of sending 0.990, of receiving 0.980, filter correlation 0.970\n\
             Trained for 41.3 s\n\
             Run written to runs/first"
        );
        assert_eq!(summary_text(&Value::Null), "");
    }
}
