//! `spikescope evaluate`: the benchmark's scores of a run, or of an ensemble of runs, and its rates for submission.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, ValueEnum};
use ndarray::Array3;
use serde_json::{Map, Value, json};

use super::scene::recording_of;
use super::sources::{self, ImportOptions};
use super::{Usage, output};
use crate::formats::{SubmittedRates, save_submission};
use crate::recording::Recording;
use crate::runs;
use crate::training::{Ensemble, Evaluation, RateModel, RateScores, produced_column, produced_correlation, velocity_covariates};

/// Options of `evaluate`.
#[derive(Debug, Args)]
pub(super) struct Evaluate {
    /// Run folders of STNDT or NDT; several are averaged (see --top)
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The recording, when it is not where the run found it
    #[arg(long, value_name = "FILE")]
    recording: Option<PathBuf>,
    /// The simulation that the run was trained on
    #[arg(long, value_name = "NAME", conflicts_with = "recording")]
    simulate: Option<String>,
    /// A setting of the simulator; may be given more than once
    #[arg(long = "sim-set", value_name = "KEY=VALUE", value_parser = sources::key_value, requires = "simulate")]
    simulator_settings: Vec<(String, String)>,
    /// Trials that are scored
    #[arg(long, value_enum, default_value_t = Trials::Test)]
    trials: Trials,
    /// How many of the best runs are averaged [default: as many as score best on validation trials]
    #[arg(long, value_name = "K")]
    top: Option<usize>,
    /// Covariates that are decoded, by name [default: those with "vel", else "pos" in their name]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    behaviour: Vec<String>,
    /// How much later than the rates the behaviour is taken, ms
    #[arg(long, value_name = "MS", default_value_t = 0.0, allow_hyphen_values = true)]
    lag_ms: f64,
    /// Column of the trials with the interval that was produced, for its correlation with neural speed [default: tp]
    #[arg(long, value_name = "COLUMN")]
    produced: Option<String>,
    /// Also write rates as the Neural Latents Benchmark takes them
    #[arg(long, value_name = "FILE.h5")]
    submission: Option<PathBuf>,
    /// Name of the data set in the submission
    #[arg(long, default_value = "mc_maze", requires = "submission")]
    dataset: String,
    #[command(flatten)]
    import: ImportOptions,
    /// One JSON object in place of text
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Trials {
    Validation,
    Test,
}

impl Evaluate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut models = Vec::new();
        let named = match (&self.recording, &self.simulate) {
            (Some(file), _) => Some(self.import.open(file)?),
            (None, Some(name)) => Some(Arc::new(sources::simulate(name, &self.simulator_settings)?)),
            (None, None) => None,
        };
        // Runs of one sweep share their recording: it is read once.
        let mut last = named.clone();
        for folder in &self.runs {
            let run = runs::load(folder)?;
            let wanted = &run.manifest.recording.fingerprint;
            let same = |recording: &Arc<Recording>| &recording.fingerprint == wanted;
            let at_hand = last.take().filter(same);
            let found = if at_hand.is_none() && named.is_none() { recording_of(&run).filter(same) } else { at_hand };
            let recording = found.with_context(|| {
                let name = &run.manifest.recording.name;
                format!("{}: it was trained on '{name}', which is not at hand; name it with --recording or --simulate", folder.display())
            })?;
            last = Some(Arc::clone(&recording));
            let weights = run.weights()?;
            let model = match models.first() {
                Some(first) => RateModel::beside(first, &run.recipe, &recording, &weights),
                None => RateModel::from_run(&run.recipe, &recording, &weights),
            };
            models.push(model.with_context(|| folder.display().to_string())?);
        }
        let ensemble = Ensemble::new(&models, self.top)?;
        let Some(first) = models.first() else { return Err(Usage("name a run folder".to_owned()).into()) };
        let data = first.data();
        let trials = match self.trials {
            Trials::Validation => &data.split.validation,
            Trials::Test => &data.split.test,
        };
        let covariates = self.covariates(&data.recording)?;
        let rates = ensemble.rates(&models, trials)?;
        let train = match self.submission.is_some() || !covariates.is_empty() {
            true => Some(ensemble.rates(&models, &data.split.train)?),
            false => None,
        };
        let found = Evaluation::new(first, &rates, train.as_ref(), trials, &covariates, self.lag_ms / 1e3)?;
        if let (Some(path), Some(train)) = (&self.submission, &train) {
            let parts =
                [("train", train), ("eval", &rates)].map(|(set, rates): (_, &Array3<f64>)| SubmittedRates { set, rates: rates.view() });
            save_submission(path, &self.dataset, &parts, &first.held_out(), first.observed_bins())?;
            output::tell(&format!("rates written to {}", path.display()));
        }
        let mut result = self.result(&ensemble, &found, first, trials.len(), &covariates);
        self.insert_speed(&mut result, first, &rates, trials)?;
        let result = Value::Object(result);
        output::print(&if self.json { result.to_string() } else { text(&result) })
    }

    fn covariates(&self, recording: &Recording) -> anyhow::Result<Vec<usize>> {
        if self.behaviour.is_empty() {
            return Ok(velocity_covariates(recording));
        }
        let find = |name: &String| {
            recording.covariates.iter().position(|c| &c.name == name).ok_or_else(|| {
                let have: Vec<&str> = recording.covariates.iter().map(|c| c.name.as_str()).collect();
                let have = if have.is_empty() { "none".to_owned() } else { have.join(", ") };
                Usage(format!("the recording has no covariate '{name}' (it has: {have})")).into()
            })
        };
        self.behaviour.iter().map(find).collect()
    }

    fn result(
        &self,
        ensemble: &Ensemble,
        found: &Evaluation,
        model: &RateModel,
        trials: usize,
        covariates: &[usize],
    ) -> Map<String, Value> {
        let recording = &model.data().recording;
        let mut result = Map::new();
        let path = |at: usize| self.runs.get(at).map(|p| p.display().to_string());
        result.insert("runs".to_owned(), json!(ensemble.order.iter().take(ensemble.members).map(|(at, _)| path(*at)).collect::<Vec<_>>()));
        result.insert("trials".to_owned(), json!(trials));
        result.insert("set".to_owned(), json!(if self.trials == Trials::Test { "test" } else { "validation" }));
        result.insert("held_out_units".to_owned(), json!(found.units.len()));
        for (prefix, scores) in [
            ("", Some(found.scores)),
            ("flat_", Some(found.beside.flat)),
            ("smoothing_", found.beside.smoothing),
            ("oracle_", found.beside.oracle),
        ] {
            scores.iter().for_each(|scores| insert_scores(&mut result, prefix, scores));
        }
        insert(&mut result, "psth_r2", found.psth_r2);
        insert(&mut result, "velocity_r2", found.velocity_r2);
        insert(&mut result, "smoothing_velocity_r2", found.smoothing_velocity_r2);
        if found.velocity_r2.is_finite() {
            let names: Vec<&str> = covariates.iter().filter_map(|&c| recording.covariates.get(c)).map(|c| c.name.as_str()).collect();
            result.insert("decoded".to_owned(), json!(names));
        }
        let id = |column: usize| {
            let unit = model.data().binned.units.get(column).copied().unwrap_or_default();
            recording.units.ids.get(unit).cloned().unwrap_or_default()
        };
        let units: Map<String, Value> = found.units.iter().map(|&(column, score)| (id(column), number(score))).collect();
        result.insert("unit_co_bps".to_owned(), Value::Object(units));
        if self.runs.len() > 1 {
            result.insert("validation_curve".to_owned(), ensemble.curve.iter().map(|s| number(f64::from(s.co_bps))).collect());
            let members =
                ensemble.order.iter().map(|(at, s)| json!({ "run": path(*at), "validation_co_bps": number(f64::from(s.co_bps)) }));
            result.insert("members".to_owned(), members.collect());
        }
        result
    }

    /// Neural speed against produced time, where the trials have such a column.
    fn insert_speed(
        &self,
        result: &mut Map<String, Value>,
        model: &RateModel,
        rates: &Array3<f64>,
        trials: &[usize],
    ) -> anyhow::Result<()> {
        let Some(produced) = produced_column(model, self.produced.as_deref()) else {
            return match &self.produced {
                Some(name) => Err(Usage(format!("the trials have no column of numbers called '{name}'")).into()),
                None => Ok(()),
            };
        };
        let correlation = |rates: &Array3<f64>| produced_correlation(model, rates.view(), trials, produced);
        let found = correlation(rates).context("correlation of neural speed with the produced interval")?;
        insert(result, "tp_corr", found.r);
        if let Some(smoothed) = model.smoothed(trials).and_then(|rates| correlation(&rates).ok()) {
            insert(result, "smoothing_tp_corr", smoothed.r);
        }
        Ok(())
    }
}

fn insert_scores(result: &mut Map<String, Value>, prefix: &str, scores: &RateScores) {
    for (name, value) in [("co_bps", scores.co_bps), ("fp_bps", scores.fp_bps), ("rate_r2", scores.rate_r2)] {
        insert(result, &format!("{prefix}{name}"), f64::from(value));
    }
}

/// A score that cannot be computed is left out.
fn insert(result: &mut Map<String, Value>, key: &str, value: f64) {
    if value.is_finite() {
        result.insert(key.to_owned(), json!(value));
    }
}

/// JSON has no NaN.
fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { Value::Null }
}

fn text(result: &Value) -> String {
    let value = |key: &str| result.get(key).and_then(Value::as_f64);
    let mut lines = vec![format!(
        "{} {} trials, {} held-out units",
        result.get("trials").and_then(Value::as_u64).unwrap_or(0),
        result.get("set").and_then(Value::as_str).unwrap_or_default(),
        result.get("held_out_units").and_then(Value::as_u64).unwrap_or(0),
    )];
    for (key, name, unit) in [
        ("co_bps", "co-bps", "bits per spike of held-out units"),
        ("fp_bps", "fp-bps", "bits per spike of forward bins"),
        ("rate_r2", "R² of the true rates", ""),
        ("velocity_r2", "R² of decoded behaviour", ""),
        ("psth_r2", "R² of PSTHs", ""),
        ("tp_corr", "correlation of neural speed with the produced interval", ""),
    ] {
        let Some(own) = value(key) else { continue };
        let beside = [("flat rate", "flat_"), ("smoothing", "smoothing_"), ("true rates", "oracle_")];
        let beside: Vec<String> =
            beside.into_iter().filter_map(|(name, prefix)| Some(format!("{name} {:.4}", value(&format!("{prefix}{key}"))?))).collect();
        let beside = if beside.is_empty() { String::new() } else { format!(" ({})", beside.join(", ")) };
        let unit = if unit.is_empty() { String::new() } else { format!(", {unit}") };
        lines.push(format!("{name} {own:.4}{beside}{unit}"));
    }
    if let Some(curve) = result.get("validation_curve").and_then(Value::as_array) {
        let points: Vec<String> = curve.iter().filter_map(Value::as_f64).map(|score| format!("{score:.4}")).collect();
        lines.push(format!("co-bps on validation trials of the best 1, 2, … runs averaged: {}", points.join(", ")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_names_what_a_score_is_compared_with() {
        let result = json!({ "set": "test", "trials": 9, "held_out_units": 2, "co_bps": 0.31, "smoothing_co_bps": 0.2, "validation_curve": [0.3, 0.32] });
        assert_eq!(
            text(&result),
            "9 test trials, 2 held-out units\nco-bps 0.3100 (smoothing 0.2000), bits per spike of held-out units\n\
             co-bps on validation trials of the best 1, 2, … runs averaged: 0.3000, 0.3200"
        );
    }
}
