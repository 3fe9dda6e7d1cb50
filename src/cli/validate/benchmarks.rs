//! `spikescope validate four-areas | ablation | synaptic-current`: published experiments of GLM-Transformer, repeated with seeds.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use super::super::recipe::full_path;
use super::super::{Usage, output, sources};
use crate::analysis::watch::Watch;
use crate::training::benchmarks::{Bench, BenchError, ablation, default_folder, four_areas, synaptic_current};
use crate::training::shared_background::mean_and_error;
use crate::training::{DeviceChoice, Recipe};

/// What all benchmarks can be told.
#[derive(Debug, Args)]
pub(super) struct BenchOptions {
    /// Seeds: a list (1,2,5) or a range (1..5, both ends included)
    #[arg(long, value_name = "SEEDS", value_parser = seeds)]
    seeds: Option<Seeds>,
    /// Trials of every simulation
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(30..=100_000))]
    trials: Option<u32>,
    /// Units per area
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    units: u32,
    /// A setting that differs from the experiment's, for example model.beta=0.5; may be given more than once
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = sources::key_value)]
    settings: Vec<(String, String)>,
    #[command(flatten)]
    cells: CellOptions,
}

/// Where results go, and how it is told.
#[derive(Debug, Args)]
pub(super) struct CellOptions {
    /// Folder of the results, one file each [default: in the user's data folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Train on the CPU even where there is a GPU
    #[arg(long)]
    cpu: bool,
    /// One JSON object in place of text
    #[arg(long)]
    pub(super) json: bool,
    /// No progress on standard error
    #[arg(long)]
    quiet: bool,
}

impl CellOptions {
    /// The folder named, else the default one.
    pub(super) fn folder(&self, default: Option<PathBuf>) -> anyhow::Result<PathBuf> {
        let nowhere = || Usage("there is no home folder on this machine; name a folder with --out".to_owned());
        Ok(self.out.clone().or(default).ok_or_else(nowhere)?)
    }

    pub(super) fn device(&self) -> DeviceChoice {
        if self.cpu { DeviceChoice::Cpu } else { DeviceChoice::Auto }
    }

    /// Tell how far it is.
    pub(super) fn tell(&self, text: &str) {
        if !self.quiet {
            output::tell(text);
        }
    }
}

/// Seeds as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seeds(pub(super) Vec<u64>);

pub(super) fn seeds(text: &str) -> Result<Seeds, String> {
    let range = text.split_once("..").and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().trim_start_matches('=').parse().ok()?)));
    let list: Option<Vec<u64>> = match range {
        Some((first, last)) if first <= last && last - first < 1000 => Some((first..=last).collect()),
        Some(_) => None,
        None => text.split(',').map(|s| s.trim().parse().ok()).collect(),
    };
    list.filter(|l| !l.is_empty()).map(Seeds).ok_or_else(|| "write 1..5 or 1,2,5".to_owned())
}

impl BenchOptions {
    /// Do a benchmark with these options.
    fn bench<T>(&self, run: impl FnOnce(&Bench<'_>) -> Result<T, BenchError>) -> anyhow::Result<T> {
        let folder = self.cells.folder(default_folder())?;
        let mut recipe = Recipe::default();
        let settings: Vec<(String, String)> = self.settings.iter().map(|(key, value)| (full_path(&recipe, key), value.clone())).collect();
        super::super::recipe::change(&mut recipe, &settings)?;
        let tell = |text: &str| self.cells.tell(text);
        Ok(run(&Bench { folder: &folder, device: self.cells.device(), settings: &settings, watch: &Watch::default(), tell: &tell })?)
    }

    fn seeds(&self, default: Vec<u64>) -> Vec<u64> {
        self.seeds.as_ref().map_or(default, |seeds| seeds.0.clone())
    }

    fn trials(&self, default: usize) -> usize {
        self.trials.map_or(default, |n| n as usize)
    }
}

const RESUMES: &str = "Every result is a file in the folder as soon as it is done: start it again to go on. Processes may share a folder when \
    their seeds differ.";

/// Options of `validate four-areas`.
#[derive(Debug, Args)]
#[command(after_help = RESUMES)]
pub(in crate::cli) struct FourAreas {
    #[command(flatten)]
    options: BenchOptions,
    /// Most copies with shuffled trials, and with jittered spikes, per pair
    #[arg(long, value_name = "N", default_value_t = 200)]
    nulls: usize,
}

impl FourAreas {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (options, default) = (&self.options, four_areas::Plan::default());
        let plan = four_areas::Plan {
            seeds: options.seeds(default.seeds),
            trials: options.trials(default.trials),
            units: options.units as usize,
            nulls: self.nulls,
        };
        let cells = options.bench(|bench| four_areas::run(&plan, bench))?;
        output::print(&if options.cells.json { four_areas_json(&plan, &cells).to_string() } else { four_areas_text(&plan, &cells) })
    }
}

fn four_areas_text(plan: &four_areas::Plan, cells: &[four_areas::Cell]) -> String {
    let exact = cells.iter().filter(|c| c.is_exact()).count();
    let by_score = cells.iter().filter(|c| c.is_exact_by_score()).count();
    let mut lines = vec![format!(
        "Four areas, {} trials, 4 × {} units: the tests find the three edges and no other in {exact} of {} seeds, the scores alone in {by_score}",
        plan.trials,
        plan.units,
        cells.len()
    )];
    for cell in cells {
        let (found, wrong) = cell.supported();
        lines.push(format!("Seed {}: {found} of 3 edges supported, {wrong} other pairs", cell.seed));
        for pair in
            cell.pairs.iter().filter(|p| p.true_edge || p.fitted() || p.verdict != crate::analysis::edge_test::Verdict::NotSupported)
        {
            lines.push(format!(
                "  {} → {}{}: {}, contribution {:.2} %, mean output {:.3}, held-out gain {:.3} nats per trial ({} % its own, q = {:.2e}), score {:.1} of {:.1}",
                pair.source,
                pair.target,
                if pair.true_edge { " (true)" } else { "" },
                pair.verdict.name(),
                pair.contribution_percent,
                pair.mean_output,
                pair.held_out_gain,
                pair.own_share.map_or_else(|| "–".to_owned(), |share| format!("{:.0}", 100.0 * share)),
                pair.q,
                pair.score.unwrap_or(f64::NAN),
                pair.threshold.unwrap_or(f64::NAN)
            ));
        }
    }
    lines.join("\n")
}

fn four_areas_json(plan: &four_areas::Plan, cells: &[four_areas::Cell]) -> Value {
    json!({
        "trials": plan.trials, "units": plan.units, "nulls": plan.nulls, "seeds": plan.seeds,
        "exact": cells.iter().filter(|c| c.is_exact()).count(),
        "exact_by_score": cells.iter().filter(|c| c.is_exact_by_score()).count(), "networks": cells.len(), "cells": cells,
    })
}

/// Options of `validate ablation`.
#[derive(Debug, Args)]
#[command(after_help = RESUMES)]
pub(in crate::cli) struct Ablation {
    #[command(flatten)]
    options: BenchOptions,
    /// Simulations joined by commas
    #[arg(long, value_name = "DATA", value_delimiter = ',', value_parser = PossibleValuesParser::new(ablation::Data::ALL.map(ablation::Data::key)))]
    data: Vec<String>,
    /// Models joined by commas
    #[arg(long, value_name = "MODELS", value_delimiter = ',', value_parser = PossibleValuesParser::new(ablation::Variant::ALL.map(ablation::Variant::key)))]
    variants: Vec<String>,
    /// Coupling of the spiking network
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.2)]
    conn: f64,
}

impl Ablation {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (options, default) = (&self.options, ablation::Plan::default());
        let chosen = |names: &[String], key: &str| names.is_empty() || names.iter().any(|n| n == key);
        let plan = ablation::Plan {
            data: ablation::Data::ALL.into_iter().filter(|d| chosen(&self.data, d.key())).collect(),
            variants: ablation::Variant::ALL.into_iter().filter(|v| chosen(&self.variants, v.key())).collect(),
            seeds: options.seeds(default.seeds),
            trials: options.trials(default.trials),
            units: options.units as usize,
            conn: self.conn,
        };
        let cells = options.bench(|bench| ablation::run(&plan, bench))?;
        output::print(&if options.cells.json { ablation_json(&plan, &cells).to_string() } else { ablation_text(&plan, &cells) })
    }
}

/// Values of the cells of a model on a simulation.
fn losses(
    cells: &[ablation::Cell],
    data: ablation::Data,
    variant: ablation::Variant,
    pick: fn(&ablation::Cell) -> Option<f64>,
) -> Vec<f64> {
    cells.iter().filter(|c| (c.data, c.variant) == (data, variant)).filter_map(pick).collect()
}

/// Mean and standard error in words.
fn shown(values: &[f64], digits: usize) -> String {
    match mean_and_error(values) {
        None => "–".to_owned(),
        Some((mean, error)) if error.is_finite() => format!("{mean:.digits$} ± {error:.digits$}"),
        Some((mean, _)) => format!("{mean:.digits$}"),
    }
}

fn ablation_text(plan: &ablation::Plan, cells: &[ablation::Cell]) -> String {
    let mut lines =
        vec![format!("Poisson loss per bin and unit, {} trials, 2 × {} units, {} seeds", plan.trials, plan.units, plan.seeds.len())];
    lines.push("Validation with penalties, test [published validation loss, 5 seeds]".to_owned());
    for &data in &plan.data {
        lines.push(match data {
            ablation::Data::Glm => data.title().to_owned(),
            ablation::Data::Eif => format!("{}, coupling {}", data.title(), plan.conn),
        });
        for &variant in &plan.variants {
            let of = |pick| shown(&losses(cells, data, variant, pick), 5);
            let published = variant.published(data).map_or_else(String::new, |(mean, error)| format!(" [{mean:.5} ± {error:.5}]"));
            lines.push(format!("  {}: {}, {}{published}", variant.title(), of(|c| c.validation_loss), of(|c| c.test_loss)));
        }
        let full = plan.variants.first().copied().unwrap_or(ablation::Variant::Full);
        lines.push(format!(
            "  Flat rate {}, true rates {}",
            shown(&losses(cells, data, full, |c| c.flat_loss), 5),
            shown(&losses(cells, data, full, |c| c.oracle_loss), 5)
        ));
    }
    lines.push("The paper calls the last model 'without post-spike': its loss is that of stage 2, without coupling as well".to_owned());
    lines.join("\n")
}

fn ablation_json(plan: &ablation::Plan, cells: &[ablation::Cell]) -> Value {
    let mut rows = Vec::new();
    for (&data, &variant) in plan.data.iter().flat_map(|d| plan.variants.iter().map(move |v| (d, v))) {
        let of = |pick| mean_and_error(&losses(cells, data, variant, pick)).map(|(m, e)| json!({ "mean": m, "sem": e }));
        rows.push(json!({
            "data": data.key(), "model": variant.key(),
            "validation_loss": of(|c| c.validation_loss), "test_loss": of(|c| c.test_loss),
            "published_validation_loss": variant.published(data).map(|(m, e)| json!({ "mean": m, "sem": e })),
        }));
    }
    json!({ "trials": plan.trials, "units": plan.units, "conn": plan.conn, "seeds": plan.seeds, "summary": rows, "cells": cells })
}

/// Options of `validate synaptic-current`.
#[derive(Debug, Args)]
#[command(after_help = RESUMES)]
pub(in crate::cli) struct SynapticCurrent {
    #[command(flatten)]
    options: BenchOptions,
    /// True couplings joined by commas
    #[arg(long, value_name = "WEIGHT", value_delimiter = ',', default_value = "0,0.1,0.2")]
    conn: Vec<f64>,
}

impl SynapticCurrent {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (options, default) = (&self.options, synaptic_current::Plan::default());
        let plan = synaptic_current::Plan {
            conns: self.conn.clone(),
            seeds: options.seeds(default.seeds),
            trials: options.trials(default.trials),
            units: options.units as usize,
        };
        let cells = options.bench(|bench| synaptic_current::run(&plan, bench))?;
        output::print(&if options.cells.json { synaptic_json(&plan, &cells).to_string() } else { synaptic_text(&plan, &cells) })
    }
}

fn synaptic_text(plan: &synaptic_current::Plan, cells: &[synaptic_current::Cell]) -> String {
    let mut lines = vec![format!(
        "Synaptic current against fitted coupling V1 → LM on test trials, {} trials, 2 × {} units, {} seeds",
        plan.trials,
        plan.units,
        plan.seeds.len()
    )];
    for &conn in &plan.conns {
        let of = |pick: &dyn Fn(&synaptic_current::Cell) -> Option<f64>, digits: usize| {
            shown(&cells.iter().filter(|c| c.conn == conn).filter_map(pick).collect::<Vec<f64>>(), digits)
        };
        lines.push(format!(
            "Coupling {conn}: correlation {}, at the best lag {} ({} bins), of the means over trials {}",
            of(&|c| c.correlation, 3),
            of(&|c| c.correlation_at_lag, 3),
            of(&|c| c.correlation.map(|_| c.lag_bins as f64), 1),
            of(&|c| c.correlation_of_means, 3)
        ));
        lines.push(format!(
            "  Fitted coupling: sd {}, largest size {}, contribution {} %, fitted in {} of {} seeds",
            of(&|c| Some(c.fitted_sd), 4),
            of(&|c| Some(c.fitted_largest), 4),
            of(&|c| c.contribution_percent, 2),
            cells.iter().filter(|c| c.conn == conn && c.fitted).count(),
            cells.iter().filter(|c| c.conn == conn).count()
        ));
        lines.push(format!(
            "  Own dynamics against external current: correlation in V1 {}, in LM {}",
            of(&|c| *c.own_correlation.first()?, 3),
            of(&|c| *c.own_correlation.get(1)?, 3)
        ));
    }
    lines.join("\n")
}

fn synaptic_json(plan: &synaptic_current::Plan, cells: &[synaptic_current::Cell]) -> Value {
    let row = |&conn: &f64| {
        let of = |pick: fn(&synaptic_current::Cell) -> Option<f64>| {
            let values: Vec<f64> = cells.iter().filter(|c| c.conn == conn).filter_map(pick).collect();
            mean_and_error(&values).map(|(m, e)| json!({ "mean": m, "sem": e }))
        };
        json!({
            "conn": conn, "correlation": of(|c| c.correlation), "correlation_at_lag": of(|c| c.correlation_at_lag),
            "correlation_of_means": of(|c| c.correlation_of_means), "fitted_sd": of(|c| Some(c.fitted_sd)),
            "contribution_percent": of(|c| c.contribution_percent),
        })
    };
    json!({
        "trials": plan.trials, "units": plan.units, "seeds": plan.seeds, "summary": plan.conns.iter().map(row).collect::<Vec<_>>(), "cells": cells,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn seeds_are_lists_or_ranges() {
        assert_eq!(seeds("1..3").unwrap().0, [1, 2, 3]);
        assert_eq!(seeds("4, 9").unwrap().0, [4, 9]);
        for wrong in ["", "3..1", "a", "1..", "1..99999"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_tables_have_means_and_published_values() {
        use ablation::{Cell, Data, Variant};
        let cell = |seed: u64, loss: f64| Cell {
            data: Data::Eif,
            variant: Variant::NoCoupling,
            seed,
            trials: 100,
            units: 10,
            conn: 0.2,
            settings: Vec::new(),
            validation_loss: Some(loss),
            test_loss: None,
            flat_loss: Some(0.3),
            oracle_loss: None,
            seconds: 1.0,
            version: String::new(),
        };
        let plan = ablation::Plan {
            data: vec![Data::Eif],
            variants: vec![Variant::NoCoupling],
            seeds: vec![1, 2],
            trials: 100,
            units: 10,
            conn: 0.2,
        };
        let text = ablation_text(&plan, &[cell(1, 0.2), cell(2, 0.21)]);
        assert!(text.contains("Without coupling: 0.20500 ± 0.00500, – [0.25621 ± 0.00012]"), "{text}");
        assert!(text.contains("Flat rate 0.30000 ± 0.00000, true rates –"), "{text}");
        let json = ablation_json(&plan, &[cell(1, 0.2)]);
        assert_eq!(json["summary"][0]["validation_loss"]["mean"], 0.2);
        assert!(json["summary"][0]["test_loss"].is_null() && json["summary"][0]["validation_loss"]["sem"].is_null());

        let current = |conn: f64, seed: u64, correlation: Option<f64>| synaptic_current::Cell {
            conn,
            seed,
            trials: 100,
            units: 10,
            settings: Vec::new(),
            fitted: correlation.is_some(),
            correlation,
            correlation_at_lag: correlation,
            lag_bins: 1,
            correlation_of_means: None,
            fitted_sd: 0.0,
            fitted_largest: 0.0,
            own_correlation: vec![Some(0.9), None],
            contribution_percent: None,
            test_loss: None,
            seconds: 1.0,
            version: String::new(),
        };
        let plan = synaptic_current::Plan { conns: vec![0.0, 0.1], seeds: vec![1, 2], trials: 100, units: 10 };
        let cells = [current(0.0, 1, None), current(0.1, 1, Some(0.9)), current(0.1, 2, Some(0.98))];
        let text = synaptic_text(&plan, &cells);
        assert!(text.contains("Coupling 0: correlation –") && text.contains("Coupling 0.1: correlation 0.940 ± 0.040"), "{text}");
        assert!(text.contains("fitted in 0 of 1 seeds") && text.contains("in V1 0.900 ± 0.000, in LM –"), "{text}");
        assert_eq!(synaptic_json(&plan, &cells)["summary"][1]["correlation"]["mean"], 0.94);
    }
}
