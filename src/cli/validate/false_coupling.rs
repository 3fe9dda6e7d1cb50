//! `spikescope validate false-coupling`: the false-coupling benchmark of the first paper, repeated with seeds.

use clap::Args;
use serde_json::{Value, json};

use super::super::output;
use super::benchmarks::{CellOptions, Seeds, seeds};
use crate::analysis::watch::Watch;
use crate::training::shared_background::{Cell, Event, Method, Plan, default_folder, mean_and_error, run};

/// Options of `validate false-coupling`.
#[derive(Debug, Args)]
#[command(
    after_help = "Every fit is a file in the folder as soon as it is done: start it again to go on. The window shows the same folder in the view Shared background.\n\
    The correlation of the backgrounds of the two areas is the square root of rho: 0.45 for 0.2, 0.63 for 0.4."
)]
pub(in crate::cli) struct FalseCoupling {
    /// Seeds: a list (1,2,5) or a range (1..5, both ends included)
    #[arg(long, value_name = "SEEDS", default_value = "1..5", value_parser = seeds)]
    seeds: Seeds,
    /// Trials of every simulation
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(30..=100_000))]
    trials: u32,
    /// Units per area
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    units: u32,
    /// Shares of common background
    #[arg(long, value_name = "RHO", value_delimiter = ',', default_value = "0,0.2,0.4", value_parser = share)]
    rho: Vec<f64>,
    /// True coupling, for comparison; the benchmark is at 0
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.0)]
    conn: f64,
    /// Methods joined by commas
    #[arg(long, value_name = "METHODS", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(Method::ALL.map(Method::key)))]
    methods: Vec<String>,
    #[command(flatten)]
    cells: CellOptions,
}

fn share(text: &str) -> Result<f64, String> {
    text.trim().parse().ok().filter(|r| (0.0..=1.0).contains(r)).ok_or_else(|| "a number from 0 to 1".to_owned())
}

impl FalseCoupling {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let plan = self.plan();
        let folder = self.cells.folder(default_folder())?;
        let tell = |event: Event| {
            let text = match event {
                Event::Begins(method, rho, seed, done, all) => {
                    format!("{done} of {all} done; now {} on rho {rho}, seed {seed}", method.title())
                }
                Event::Done(cell) => {
                    format!("  {:.2} % ({:.2} % on fitted trials), {:.1} s", cell.contribution_percent, cell.fitted_percent, cell.seconds)
                }
            };
            self.cells.tell(&text);
        };
        let cells = run(&plan, &folder, self.cells.device(), &Watch::default(), &tell)?;
        output::print(&if self.cells.json { as_json(&plan, &cells).to_string() } else { as_text(&plan, &cells) })
    }

    fn plan(&self) -> Plan {
        let chosen: Vec<Method> =
            Method::ALL.into_iter().filter(|m| self.methods.is_empty() || self.methods.iter().any(|k| k == m.key())).collect();
        Plan {
            conn: self.conn,
            rhos: self.rho.clone(),
            seeds: self.seeds.0.clone(),
            trials: self.trials as usize,
            units: self.units as usize,
            methods: chosen,
        }
    }
}

/// Percent of the cells of a method at a share of common background.
fn percents(cells: &[Cell], method: Method, rho: f64, pick: fn(&Cell) -> f64) -> Vec<f64> {
    cells.iter().filter(|c| (c.method, c.rho) == (method, rho)).map(pick).collect()
}

fn as_text(plan: &Plan, cells: &[Cell]) -> String {
    let mut lines = vec![format!(
        "Contribution of coupling V1 → LM in % of rate variance, coupling simulated {}, {} trials, 2 × {} units, {} seeds",
        plan.conn,
        plan.trials,
        plan.units,
        plan.seeds.len()
    )];
    lines.push("Mean ± standard error on test trials (on fitted trials) [published, 5 simulations of 2000 trials]".to_owned());
    for &method in &plan.methods {
        lines.push(method.title().to_owned());
        for &rho in &plan.rhos {
            let shown = |pick: fn(&Cell) -> f64| match mean_and_error(&percents(cells, method, rho, pick)) {
                None => "–".to_owned(),
                Some((mean, error)) if error.is_finite() => format!("{mean:.2} ± {error:.2}"),
                Some((mean, _)) => format!("{mean:.2}"),
            };
            let published = match method.published(rho).filter(|_| plan.conn == 0.0) {
                Some((mean, error)) => format!(" [{mean:.2} ± {error:.2}]"),
                None => String::new(),
            };
            let (test, fitted) = (shown(|c| c.contribution_percent), shown(|c| c.fitted_percent));
            lines.push(format!("  rho {rho:<4} (correlation {:.2})  {test} ({fitted}){published}", rho.sqrt()));
        }
    }
    lines.join("\n")
}

fn as_json(plan: &Plan, cells: &[Cell]) -> Value {
    let mut rows = Vec::new();
    for &method in &plan.methods {
        for &rho in &plan.rhos {
            let summary =
                |pick: fn(&Cell) -> f64| mean_and_error(&percents(cells, method, rho, pick)).map(|(m, e)| json!({ "mean": m, "sem": e }));
            rows.push(json!({
                "method": method.key(),
                "rho": rho,
                "test_percent": summary(|c| c.contribution_percent),
                "fitted_percent": summary(|c| c.fitted_percent),
                "published_percent": method.published(rho).filter(|_| plan.conn == 0.0).map(|(m, e)| json!({ "mean": m, "sem": e })),
            }));
        }
    }
    json!({ "conn": plan.conn, "trials": plan.trials, "units": plan.units, "seeds": plan.seeds, "summary": rows, "cells": cells })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_share_lies_between_0_and_1() {
        assert!(share("1.5").is_err() && share("0.4").is_ok());
    }

    #[test]
    fn the_table_has_means_and_published_values() {
        let cell = |seed: u64, percent: f64| Cell {
            method: Method::Rrr,
            conn: 0.0,
            rho: 0.2,
            seed,
            trials: 100,
            units: 10,
            contribution_percent: percent,
            fitted_percent: 2.0 * percent,
            test_loss: 0.2,
            seconds: 1.0,
            version: String::new(),
        };
        let plan = Plan { rhos: vec![0.2], seeds: vec![1, 2], trials: 100, units: 10, methods: vec![Method::Rrr], ..Plan::default() };
        let text = as_text(&plan, &[cell(1, 10.0), cell(2, 12.0)]);
        assert!(text.ends_with("rho 0.2  (correlation 0.45)  11.00 ± 1.00 (22.00 ± 2.00) [14.68 ± 0.42]"), "{text}");
        let json = as_json(&plan, &[cell(1, 10.0)]);
        assert_eq!(json["summary"][0]["test_percent"]["mean"], 10.0);
        assert!(json["summary"][0]["test_percent"]["sem"].is_null());
        assert!(as_text(&plan, &[]).contains("– (–)"));
    }
}
