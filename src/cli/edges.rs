//! `spikescope edges`: which areas drive which, and why to believe it. A recording is screened, a run is tested.

use std::io::{IsTerminal, Write, stderr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::recipe::RecipeOptions;
use super::scene::recording_of;
use super::sources::{self, ImportOptions};
use super::{Usage, output};
use crate::analysis::edge_test::{EdgeEvidence, EdgeReport, EdgeTestPlan, caution};
use crate::analysis::screening::{Screening, ScreeningPlan};
use crate::analysis::watch::Watch;
use crate::recording::Recording;
use crate::runs::{self, MANIFEST};
use crate::training::{Recipe, screen_recording};

/// Options of `edges`.
#[derive(Debug, Args)]
pub(super) struct Edges {
    /// A recording to screen without training, or a run folder of GLM-Transformer whose edges are tested
    #[arg(value_name = "FILE|RUN", required_unless_present = "simulate")]
    input: Option<PathBuf>,
    /// The recording of the run, when it is not where the run found it
    #[arg(long, value_name = "FILE", requires = "input", conflicts_with = "simulate")]
    recording: Option<PathBuf>,
    /// A simulation: what the run was trained on, or what is screened when no run is named
    #[arg(long, value_name = "NAME")]
    simulate: Option<String>,
    /// A setting of the simulator; may be given more than once
    #[arg(long = "sim-set", value_name = "KEY=VALUE", value_parser = sources::key_value, requires = "simulate")]
    simulator_settings: Vec<(String, String)>,
    #[command(flatten)]
    tests: TestOptions,
    /// Networks that are trained anew from the seeds after the run's, each tested with at most 40 copies: takes as long as so many trainings
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=50))]
    networks: u8,
    /// Most trials that are screened, spread over the recording [default: all]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    most_trials: usize,
    #[command(flatten)]
    recipe: RecipeOptions,
    #[command(flatten)]
    import: ImportOptions,
    /// One JSON object in place of text
    #[arg(long)]
    json: bool,
    /// No progress on standard error
    #[arg(long)]
    quiet: bool,
}

/// How much is tested.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct TestOptions {
    /// Most copies with shuffled trials, and with jittered spikes, per pair
    #[arg(long, value_name = "N", default_value_t = 200)]
    nulls: usize,
    /// Draw all copies also where 10 of them are already as large as the data
    #[arg(long)]
    all_nulls: bool,
    /// Resamples of the training trials behind the bands of filters and weights
    #[arg(long, value_name = "N", default_value_t = 100)]
    bootstrap: usize,
    /// Halves of the training trials in which every pair is fitted anew
    #[arg(long, value_name = "N", default_value_t = 10)]
    halves: usize,
}

impl TestOptions {
    pub(super) fn plan(self, seed: u64) -> EdgeTestPlan {
        let start = EdgeTestPlan::default();
        let enough = if self.all_nulls { 0 } else { start.enough };
        EdgeTestPlan { nulls: self.nulls, enough, bootstrap: self.bootstrap, halves: self.halves, seed, ..start }
    }
}

impl Edges {
    pub(super) fn run(self) -> anyhow::Result<()> {
        self.recipe.check()?;
        let text = match self.input.as_deref().filter(|path| path.join(MANIFEST).exists()) {
            Some(folder) => self.test(folder)?,
            None => self.screen()?,
        };
        output::print(&text)
    }

    fn screen(&self) -> anyhow::Result<String> {
        let recording = match (&self.input, &self.simulate) {
            (Some(file), None) => self.import.open(file)?,
            (None, Some(name)) => Arc::new(sources::simulate(name, &self.simulator_settings)?),
            (Some(path), Some(_)) => {
                return Err(Usage(format!("{}: this is no run folder; a simulation stands for itself", path.display())).into());
            }
            (None, None) => return Err(Usage("name a recording or a run".to_owned()).into()),
        };
        let recipe = self.recipe.recipe(&recording)?;
        let plan = screening_plan(&recipe, self.most_trials)?;
        let begun = Instant::now();
        let found = watched("screening", self.quiet, |watch| screen_recording(&recording, &recipe.data, &plan, watch))??;
        let Some(found) = found else { anyhow::bail!("the screening was stopped") };
        let seconds = begun.elapsed().as_secs_f64();
        Ok(if self.json { screening_json(&found, seconds).to_string() } else { screening_text(&found, seconds) })
    }

    fn test(&self, folder: &Path) -> anyhow::Result<String> {
        let recording = match (&self.recording, &self.simulate) {
            (Some(file), _) => self.import.open(file)?,
            (None, Some(name)) => Arc::new(sources::simulate(name, &self.simulator_settings)?),
            (None, None) => {
                let run = runs::load(folder)?;
                recording_of(&run).with_context(|| {
                    format!("{}: its recording is not at hand; name it with --recording or --simulate", folder.display())
                })?
            }
        };
        let plan = self.tests.plan(runs::load(folder)?.recipe.seed);
        let begun = Instant::now();
        let report = test(folder, &recording, &plan, usize::from(self.networks), self.quiet)?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(if self.json { report_json(&report, Some(seconds)).to_string() } else { report_text(&report, folder, seconds) })
    }
}

/// The filter, jitters and threshold of the recipe.
pub(super) fn screening_plan(recipe: &Recipe, most_trials: usize) -> anyhow::Result<ScreeningPlan> {
    let glm = recipe.glm().ok_or_else(|| Usage("edges are screened with the settings of glm-transformer; leave --model out".to_owned()))?;
    Ok(ScreeningPlan { most_trials, ..ScreeningPlan::for_recipe(glm, recipe.data.trials.bin_s, recipe.seed) })
}

/// Test the edges of a run, and of `networks` that are trained anew; the report is kept in the run's folder.
pub(super) fn test(
    folder: &Path,
    recording: &Arc<Recording>,
    plan: &EdgeTestPlan,
    networks: usize,
    quiet: bool,
) -> anyhow::Result<EdgeReport> {
    let tested = watched("testing edges", quiet, |watch| {
        runs::test_edges_and_networks(folder, recording, plan, networks, watch, &|_| (), &mut |_| ())
    })??;
    tested.with_context(|| format!("{}: no edge was tested", folder.display()))
}

/// Do work on a thread of its own and tell how far it is.
fn watched<T: Send>(what: &str, quiet: bool, work: impl FnOnce(&Watch) -> T + Send) -> anyhow::Result<T> {
    /// Without a terminal a line for so many parts.
    const LINES: usize = 10;
    let (watch, terminal) = (Watch::default(), stderr().is_terminal());
    let done = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(what.to_owned()).spawn_scoped(scope, || work(&watch))?;
        let mut told = 0;
        while !thread.is_finished() {
            std::thread::sleep(Duration::from_millis(50));
            let share = watch.share().unwrap_or(0.0);
            if quiet {
                continue;
            }
            if terminal {
                // A closed standard error is no reason to stop.
                let _ = write!(stderr(), "\r{what}: {:3.0} %\x1b[K", 100.0 * share);
            } else if (share * LINES as f32) as usize > told {
                told = (share * LINES as f32) as usize;
                output::tell(&format!("{what}: {:.0} %", 100.0 * share));
            }
        }
        if terminal && !quiet {
            let _ = write!(stderr(), "\r\x1b[K");
        }
        anyhow::Ok(thread.join())
    })?;
    done.map_err(|_| anyhow::anyhow!("{what} broke off; please report this"))
}

fn screening_json(found: &Screening, seconds: f64) -> Value {
    let area = |at: usize| found.areas.get(at).cloned().unwrap_or_default();
    let pair = |(pair, q): (&crate::analysis::edge_score::EdgeScore, &f64)| {
        let filter = found.filter(pair);
        json!({
            "source": area(pair.source), "target": area(pair.target),
            "score": pair.score, "alone": pair.alone, "beside": pair.beside.iter().map(|&o| area(o)).collect::<Vec<_>>(), "threshold": finite(pair.threshold), "p": pair.p_value, "q": q, "supported": pair.is_supported(),
            "null": pair.null, "null_shuffled": pair.shuffled, "filter": filter,
            "second_score": pair.second.as_ref().map(|s| s.score),
            "second_threshold": pair.second.as_ref().and_then(|s| finite(s.threshold)),
            "second_supported": pair.second.as_ref().map(|s| s.is_supported()),
        })
    };
    json!({
        "areas": found.areas, "units": found.area_sizes, "trials": found.trials.0, "trials_of": found.trials.1,
        "bin_ms": found.bin_s * 1e3, "window_ms": found.window_s * 1e3, "filter_ms": found.filter_s * 1e3, "jitters": found.jitters,
        "seconds": seconds, "notes": found.notes, "pairs": found.pairs.iter().zip(&found.q).map(pair).collect::<Vec<_>>(),
    })
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn screening_text(found: &Screening, seconds: f64) -> String {
    let area = |at: usize| found.areas.get(at).map_or("", String::as_str);
    let mut lines = vec![format!(
        "{} areas, {} of {} trials, {} jittered copies, {seconds:.1} s",
        found.areas.len(),
        found.trials.0,
        found.trials.1,
        found.jitters
    )];
    let mut order: Vec<usize> = (0..found.pairs.len()).collect();
    let excess = |at: &usize| found.pairs.get(*at).map_or(0.0, |p| p.score / p.threshold);
    order.sort_by(|a, b| excess(b).total_cmp(&excess(a)));
    for (pair, q) in order.iter().filter_map(|&at| Some((found.pairs.get(at)?, found.q.get(at)?))) {
        let second = pair.second.as_ref().filter(|s| pair.is_supported() && s.is_supported()).map_or("", |_| ", a second factor too");
        let others: Vec<&str> = pair.beside.iter().map(|&other| area(other)).collect();
        let others = if others.is_empty() { String::new() } else { format!(" beside {} (alone {:.1})", others.join(", "), pair.alone) };
        lines.push(format!(
            "{} → {}: score {:.1}{others}, threshold {:.1}, q = {}, {}{second}",
            area(pair.source),
            area(pair.target),
            pair.score,
            pair.threshold,
            small(*q),
            if pair.is_supported() { "supported" } else { "not supported" }
        ));
    }
    lines.extend(found.notes.iter().map(|n| format!("Note: {n}")));
    lines.push(caution().to_owned());
    lines.join("\n")
}

fn small(p: f64) -> String {
    if p < 0.001 { format!("{p:.0e}") } else { format!("{p:.3}") }
}

/// The report without the long lists, which are in the run folder.
pub(super) fn report_json(report: &EdgeReport, seconds: Option<f64>) -> Value {
    let edge = |e: &EdgeEvidence| {
        let nulls: serde_json::Map<String, Value> = e
            .nulls
            .iter()
            .map(|n| {
                let name = serde_json::to_value(n.kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
                (name, json!({ "copies": n.contributions.len(), "p": n.p, "p_gain": n.p_gain, "stopped": n.stopped }))
            })
            .collect();
        json!({
            "source": report.area(e.source), "target": report.area(e.target), "fitted": e.fitted,
            "verdict": e.verdict(report.plan.level).name(), "q": e.q(),
            "contribution_percent": e.contribution_percent, "mean_output": e.mean_output,
            "filter_peak_ms": e.peak().map(|(lag, _)| lag as f64 * report.bin_s * 1e3), "filter_peak": e.peak().map(|(_, h)| h),
            "held_out_gain": e.held_out.mean, "held_out_interval": e.held_out.interval, "held_out_p": e.held_out.p, "held_out_q": e.held_out.q,
            "held_out_gain_alone": e.held_out.alone, "own_share": e.held_out.own_share(),
            "nulls": nulls,
            "found": e.stability.as_ref().map(|s| s.count()), "halves": e.stability.as_ref().map(|s| s.found.len()),
            "networks": e.networks.iter().map(|n| json!({
                "seed": n.seed, "contribution_percent": n.contribution_percent, "held_out_gain": n.held_out_gain, "supported": n.supported,
                "found": n.halves.as_ref().map(|h| h.count()), "halves": n.halves.as_ref().map(|h| h.found.len()),
            })).collect::<Vec<_>>(),
            "band_peak": e.bands.as_ref().zip(e.peak()).and_then(|(b, (lag, _))| Some([*b.filter.low.get(lag - 1)?, *b.filter.high.get(lag - 1)?])),
            "warnings": e.warnings, "sentence": report.sentence(e),
        })
    };
    let goodness = report
        .goodness
        .as_ref()
        .map(|g| json!({ "bits_per_spike": g.bits_per_spike, "units_that_fit": g.share_that_fits(), "trials": g.trials }));
    json!({
        "areas": report.areas, "trials": report.trials, "complete": report.complete, "seconds": seconds, "window_ms": report.window_s * 1e3,
        "edges": report.edges.iter().map(edge).collect::<Vec<_>>(), "goodness": goodness, "warnings": report.warnings,
    })
}

fn report_text(report: &EdgeReport, folder: &Path, seconds: f64) -> String {
    let mut lines = vec![format!(
        "{} of {} ordered pairs tested on {} training and {} test trials in {seconds:.0} s",
        report.edges.len(),
        report.pairs,
        report.trials.0,
        report.trials.1
    )];
    for edge in &report.edges {
        lines.push(String::new());
        lines.push(report.sentence(edge));
        lines.extend(edge.warnings.iter().map(|w| format!("Warning: {w}")));
    }
    lines.push(String::new());
    if let Some(goodness) = &report.goodness {
        let bits = goodness.bits_per_spike.map_or_else(|| "–".to_owned(), |b| format!("{b:.4}"));
        let share = goodness.share_that_fits().map_or_else(|| "–".to_owned(), |s| format!("{:.0} %", 100.0 * s));
        lines.push(format!(
            "Goodness of fit on test trials: {bits} bits per spike beyond the PSTH, rescaled intervals uniform for {share} of the units"
        ));
    }
    lines.extend(report.warnings.iter().map(|w| format!("Warning: {w}")));
    lines.push(caution().to_owned());
    lines.push(format!("Kept in {}", folder.join(runs::EDGE_REPORT).display()));
    lines.join("\n")
}
