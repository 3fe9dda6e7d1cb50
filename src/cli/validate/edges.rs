//! `spikescope validate edges`: how often the program's claims are wrong, measured on simulations with known truth.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use super::super::edges::{TestOptions, screening_plan, test};
use super::super::recipe::RecipeOptions;
use super::super::train::train;
use super::super::{Usage, output, sources};
use crate::analysis::edge_test::Verdict;
use crate::analysis::watch::Watch;
use crate::export::write_atomically;
use crate::recording::Recording;
use crate::training::{StartOptions, screen_recording};

/// Options of `validate edges`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ValidateEdges {
    /// Simulator whose areas may be coupled; see `spikescope simulate --help`
    #[arg(long, value_name = "NAME", default_value = "glm")]
    simulate: String,
    /// A setting of the simulator, for example edges=none or rho=0.4; may be given more than once
    #[arg(long = "sim-set", value_name = "KEY=VALUE", value_parser = sources::key_value)]
    simulator_settings: Vec<(String, String)>,
    /// Simulations
    #[arg(long, value_name = "N", default_value_t = 40)]
    simulations: u64,
    /// Seed of the first simulation; the others follow
    #[arg(long, value_name = "N", default_value_t = 1)]
    first_seed: u64,
    /// Only the screening before training, which takes seconds
    #[arg(long)]
    screen_only: bool,
    #[command(flatten)]
    tests: TestOptions,
    #[command(flatten)]
    recipe: RecipeOptions,
    /// Also write all results to this file (JSON), anew after every simulation
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// One JSON object in place of text
    #[arg(long)]
    json: bool,
}

/// One ordered pair of one simulation.
struct Claim {
    true_edge: bool,
    supported: bool,
}

/// Claims of several simulations, each by one method.
#[derive(Default)]
struct Tally {
    simulations: Vec<Vec<Claim>>,
}

impl Tally {
    /// Mean over simulations of the share of supported pairs that are false (0 where none is supported).
    fn false_discovery(&self) -> f64 {
        let share = |claims: &Vec<Claim>| {
            let supported = claims.iter().filter(|c| c.supported).count();
            let wrong = claims.iter().filter(|c| c.supported && !c.true_edge).count();
            wrong as f64 / supported.max(1) as f64
        };
        self.simulations.iter().map(share).sum::<f64>() / self.simulations.len().max(1) as f64
    }

    /// False pairs supported, of so many.
    fn false_pairs(&self) -> (usize, usize) {
        let all = || self.simulations.iter().flatten().filter(|c| !c.true_edge);
        (all().filter(|c| c.supported).count(), all().count())
    }

    /// True pairs supported, of so many.
    fn found(&self) -> (usize, usize) {
        let all = || self.simulations.iter().flatten().filter(|c| c.true_edge);
        (all().filter(|c| c.supported).count(), all().count())
    }

    fn json(&self) -> Value {
        let ((wrong, none), (found, edges)) = (self.false_pairs(), self.found());
        json!({
            "simulations": self.simulations.len(), "false_discovery_rate": self.false_discovery(),
            "false_pairs": wrong, "pairs_without_edge": none, "found": found, "true_edges": edges,
            "power": (edges > 0).then(|| found as f64 / edges as f64),
        })
    }

    fn text(&self, name: &str) -> String {
        let ((wrong, none), (found, edges)) = (self.false_pairs(), self.found());
        let power = if edges > 0 { format!(", {found} of {edges} true edges found") } else { String::new() };
        format!(
            "{name}: false discovery rate {:.3} over {} simulations, {wrong} of {none} pairs without an edge supported{power}",
            self.false_discovery(),
            self.simulations.len()
        )
    }
}

impl ValidateEdges {
    pub(super) fn run(self) -> anyhow::Result<()> {
        self.recipe.check()?;
        let begun = Instant::now();
        let (mut screened, mut tested, mut details) = (Tally::default(), Tally::default(), Vec::new());
        for seed in self.first_seed..self.first_seed + self.simulations {
            let mut settings: Vec<(String, String)> = self.simulator_settings.iter().filter(|(key, _)| key != "seed").cloned().collect();
            settings.push(("seed".to_owned(), seed.to_string()));
            let recording = Arc::new(sources::simulate(&self.simulate, &settings)?);
            let Some(truth) = recording.truth.as_ref().filter(|t| t.knows_edges() || t.unit_edges.is_none()) else {
                return Err(Usage(format!("the simulator '{}' does not tell which areas are coupled", self.simulate)).into());
            };
            let known = truth.edges.len();
            let mut recipe = self.recipe.recipe(&recording)?;
            recipe.seed = seed;
            let plan = screening_plan(&recipe, 0)?;
            let mut detail = json!({ "seed": seed, "true_edges": known });
            if let Some(found) = screen_recording(&recording, &recipe.data, &plan, &Watch::default())? {
                let pairs = found.pairs.iter().filter(|p| p.source != p.target);
                let claim = |p: &crate::analysis::edge_score::EdgeScore| Claim {
                    true_edge: is_true(&recording, &found.areas, p.source, p.target),
                    supported: p.is_supported(),
                };
                screened.simulations.push(pairs.clone().map(claim).collect());
                let name = |at: usize| found.areas.get(at).cloned().unwrap_or_default();
                detail["screened"] = pairs
                    .map(|p| json!({ "source": name(p.source), "target": name(p.target), "score": p.score, "alone": p.alone, "threshold": p.threshold }))
                    .collect();
            }
            if !self.screen_only {
                let folder = tempfile::tempdir()?;
                let run = folder.path().join("run");
                let options = StartOptions { run: Some(run.clone()), ..StartOptions::default() };
                train(Arc::clone(&recording), recipe.clone(), options, true)?;
                let report = test(&run, &recording, &self.tests.plan(seed), 0, true)?;
                let claim = |e: &crate::analysis::edge_test::EdgeEvidence| Claim {
                    true_edge: is_true(&recording, &report.areas, e.source, e.target),
                    supported: e.verdict(report.plan.level) == Verdict::Supported,
                };
                tested.simulations.push(report.edges.iter().map(claim).collect());
                detail["tested"] = super::super::edges::report_json(&report, None)["edges"].take();
            }
            details.push(detail);
            output::tell(&format!(
                "simulation {} of {}, seed {seed}, {:.0} s",
                details.len(),
                self.simulations,
                begun.elapsed().as_secs_f64()
            ));
            if let Some(path) = &self.out {
                let all = self.result(&screened, &tested, begun.elapsed().as_secs_f64(), Some(&details));
                write_atomically(path, |file| std::io::Write::write_all(file, all.to_string().as_bytes()))?;
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        if self.json {
            return output::print(&self.result(&screened, &tested, seconds, None).to_string());
        }
        let mut lines = vec![screened.text("Screening before training")];
        if !self.screen_only {
            lines.push(tested.text("Tests of the trained run"));
        }
        lines.push(format!("Seeds {} to {}, {seconds:.0} s", self.first_seed, self.first_seed + self.simulations.saturating_sub(1)));
        output::print(&lines.join("\n"))
    }

    fn result(&self, screened: &Tally, tested: &Tally, seconds: f64, details: Option<&[Value]>) -> Value {
        json!({
            "simulator": self.simulate, "settings": self.simulator_settings, "first_seed": self.first_seed, "seconds": seconds,
            "screening": screened.json(), "tests": (!self.screen_only).then(|| tested.json()), "details": details,
        })
    }
}

/// True edges by the names of areas: a model may leave areas without units out.
fn is_true(recording: &Recording, areas: &[String], source: usize, target: usize) -> bool {
    let name = |area: usize| areas.get(area);
    let edges = recording.truth.iter().flat_map(|t| &t.edges);
    edges.into_iter().any(|e| recording.areas.get(e.source) == name(source) && recording.areas.get(e.target) == name(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(all: &[(bool, bool)]) -> Vec<Claim> {
        all.iter().map(|&(true_edge, supported)| Claim { true_edge, supported }).collect()
    }

    #[test]
    fn the_false_discovery_rate_is_a_mean_over_simulations() {
        let tally = Tally {
            simulations: vec![
                claims(&[(true, true), (false, true)]),
                claims(&[(true, false), (false, false)]),
                claims(&[(true, true), (false, false)]),
            ],
        };
        assert!((tally.false_discovery() - 1.0 / 6.0).abs() < 1e-12);
        assert_eq!((tally.false_pairs(), tally.found()), ((1, 3), (2, 3)));
        assert!(tally.text("x").contains("2 of 3 true edges found"));
        assert_eq!(Tally::default().json()["power"], Value::Null);
    }
}
