//! The network of four areas A → B → C and A → D (simulator `eif4`; the authors' development repository): the graph is recovered when
//! the tests of edges support these three ordered pairs and none of the other nine. Hyperparameters are those published for it (spec
//! §4.5), staging and tests are ours.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Bench, BenchError, keep, kept, number, train};
use crate::analysis::edge_test::{EdgeReport, EdgeTestPlan, NullKind, Verdict};
use crate::recording::Recording;
use crate::runs;
use crate::simulate::EifSimulation;
use crate::training::{GlmRecipe, StartOptions};

/// What is simulated, trained and tested.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Seeds of simulation, training and tests: one network each.
    pub seeds: Vec<u64>,
    /// Trials of a simulation.
    pub trials: usize,
    /// Units per area.
    pub units: usize,
    /// Most copies per pair and null.
    pub nulls: usize,
}

impl Default for Plan {
    /// The published size; ten seeds and 200 copies.
    fn default() -> Self {
        Self { seeds: (1..=10).collect(), trials: 1000, units: 50, nulls: 200 }
    }
}

/// What is known of one ordered pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairResult {
    /// Sending area.
    pub source: String,
    /// Receiving area.
    pub target: String,
    /// There is an edge in the simulation.
    pub true_edge: bool,
    /// Score before the coupling stage, and the threshold from jittered spikes.
    pub score: Option<f64>,
    /// See `score`.
    pub threshold: Option<f64>,
    /// Contribution of the trained network's coupling, percent of rate variance on test trials.
    pub contribution_percent: f64,
    /// Its mean output to the ten best receivers, log-rate.
    pub mean_output: f64,
    /// Held-out gain, nats per trial.
    pub held_out_gain: f64,
    /// Share of what the pair explains alone that is left beside the other areas.
    #[serde(default)]
    pub own_share: Option<f64>,
    /// Its q-value over the pairs.
    pub q: f64,
    /// Permutation p-values, trials shuffled and spikes jittered.
    pub p_shuffle: Option<f64>,
    /// See `p_shuffle`.
    pub p_jitter: Option<f64>,
    /// What the tests say.
    pub verdict: Verdict,
}

impl PairResult {
    /// The score passed its threshold, so that the network fitted coupling.
    pub fn fitted(&self) -> bool {
        self.score.zip(self.threshold).is_none_or(|(score, threshold)| score > threshold)
    }
}

/// One network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Seed.
    pub seed: u64,
    /// Trials.
    pub trials: usize,
    /// Units per area.
    pub units: usize,
    /// Most copies per pair and null.
    pub nulls: usize,
    /// Settings that differ from those of the experiment.
    pub settings: Vec<String>,
    /// All ordered pairs of different areas.
    pub pairs: Vec<PairResult>,
    /// Poisson loss per bin and unit on test trials, and that of a flat rate.
    pub test_loss: Option<f64>,
    /// See `test_loss`.
    pub flat_loss: Option<f64>,
    /// Time of training, seconds.
    pub train_seconds: f64,
    /// Time of the tests, seconds.
    pub test_seconds: f64,
    /// Version of the program.
    pub version: String,
}

impl Cell {
    /// True edges that the tests support, and pairs without an edge that they support.
    pub fn supported(&self) -> (usize, usize) {
        let of = |edge: bool| self.pairs.iter().filter(|p| p.true_edge == edge && p.verdict == Verdict::Supported).count();
        (of(true), of(false))
    }

    /// The tests support every edge and nothing else.
    pub fn is_exact(&self) -> bool {
        self.pairs.iter().all(|p| p.true_edge == (p.verdict == Verdict::Supported))
    }

    /// The network fitted coupling for every edge and for nothing else (by the score alone).
    pub fn is_exact_by_score(&self) -> bool {
        self.pairs.iter().all(|p| p.true_edge == p.fitted())
    }
}

/// The published hyperparameters.
pub fn settings() -> GlmRecipe {
    GlmRecipe { token_bins: 5, latent_per_area: 6, penalty_coupling: 1e-4, ..GlmRecipe::for_spiking_networks() }
}

/// Cells of a plan that are in a folder, by seed.
pub fn read(plan: &Plan, bench: &Bench<'_>) -> Vec<Cell> {
    let changed = bench.changed();
    let mine = |c: &Cell| {
        (c.trials, c.units, c.nulls) == (plan.trials, plan.units, plan.nulls) && plan.seeds.contains(&c.seed) && c.settings == changed
    };
    let mut cells: Vec<Cell> = kept(bench.folder).into_iter().filter(mine).collect();
    cells.sort_by_key(|c| c.seed);
    cells
}

/// Simulate, train and test what is missing in the folder. Gives all cells, fewer when the watch was stopped.
///
/// # Errors
/// [`BenchError`]; cells that were done before stay.
pub fn run(plan: &Plan, bench: &Bench<'_>) -> Result<Vec<Cell>, BenchError> {
    let mut cells = read(plan, bench);
    bench.begin(cells.len(), plan.seeds.len())?;
    for &seed in &plan.seeds {
        if bench.watch.stopped() {
            break;
        }
        if cells.iter().any(|c| c.seed == seed) {
            continue;
        }
        (bench.tell)(&format!("{} of {} done; now seed {seed}", cells.len(), plan.seeds.len()));
        let Some(cell) = cell(plan, seed, bench)? else { break };
        let name = format!("four-areas-seed{seed}-trials{}-units{}-nulls{}{}.json", plan.trials, plan.units, plan.nulls, bench.mark());
        let cell = keep(&bench.folder.join(name), &cell)?;
        let ((found, wrong), edges) = (cell.supported(), cell.pairs.iter().filter(|p| p.true_edge).count());
        let (train, test) = (cell.train_seconds, cell.test_seconds);
        (bench.tell)(&format!("  {found} of {edges} edges supported, {wrong} other pairs; {train:.0} s of training, {test:.0} s of tests"));
        cells.push(cell);
        bench.watch.tell(cells.len(), plan.seeds.len());
    }
    Ok(cells)
}

fn cell(plan: &Plan, seed: u64, bench: &Bench<'_>) -> Result<Option<Cell>, BenchError> {
    let failed = |message: String| BenchError::Fit { what: format!("four areas, seed {seed}"), message };
    let simulation = EifSimulation { seed, trials: plan.trials, units: plan.units, ..EifSimulation::four_areas() };
    let recording = Arc::new(simulation.simulate()?);
    let folder = tempfile::tempdir().map_err(|e| failed(e.to_string()))?;
    let run = folder.path().join("run");
    let options = StartOptions { run: Some(run.clone()), ..StartOptions::default() };
    let begun = Instant::now();
    let Some(summary) = train(&recording, bench.recipe(settings(), seed)?, options, bench.watch).map_err(failed)? else { return Ok(None) };
    let train_seconds = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let Some(report) = tested(&run, &recording, plan, seed, bench).map_err(failed)? else { return Ok(None) };
    Ok(Some(Cell {
        seed,
        trials: plan.trials,
        units: plan.units,
        nulls: plan.nulls,
        settings: bench.changed(),
        pairs: pairs(&report, &summary, &recording),
        test_loss: number(&summary, "/test_loss"),
        flat_loss: number(&summary, "/flat_loss"),
        train_seconds,
        test_seconds: begun.elapsed().as_secs_f64(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}

/// The tests of all pairs. Their watch is their own, as theirs is another progress.
fn tested(run: &Path, recording: &Arc<Recording>, plan: &Plan, seed: u64, bench: &Bench<'_>) -> Result<Option<EdgeReport>, String> {
    let test = EdgeTestPlan { nulls: plan.nulls, bootstrap: 0, halves: 0, seed, ..EdgeTestPlan::default() };
    let watch = crate::analysis::watch::Watch::default();
    let mut follow = |_: &EdgeReport| {
        if bench.watch.stopped() {
            watch.stop();
        }
    };
    let report = runs::test_edges(run, recording, &test, &watch, &|_| (), &mut follow).map_err(|e| e.to_string())?;
    Ok(report.filter(|r| r.complete))
}

fn pairs(report: &EdgeReport, summary: &Value, recording: &Recording) -> Vec<PairResult> {
    let trained = summary.get("edges").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let edges = recording.truth.as_ref().map(|t| t.edges.as_slice()).unwrap_or_default();
    let pair = |e: &crate::analysis::edge_test::EdgeEvidence| {
        let (source, target) = (report.area(e.source).to_owned(), report.area(e.target).to_owned());
        let mine = trained.iter().find(|t| t["source"] == *source && t["target"] == *target);
        let of = |key: &str| mine.and_then(|t| number(t, key));
        let named = |area: usize, name: &str| recording.areas.get(area).is_some_and(|a| a == name);
        let p = |kind: NullKind| e.nulls.iter().find(|n| n.kind == kind).map(|n| n.p_gain);
        PairResult {
            true_edge: edges.iter().any(|t| named(t.source, &source) && named(t.target, &target)),
            score: of("/score"),
            threshold: of("/score_threshold"),
            contribution_percent: of("/contribution_percent").unwrap_or(0.0),
            mean_output: of("/mean_output").unwrap_or(0.0),
            held_out_gain: e.held_out.mean,
            own_share: e.held_out.own_share(),
            q: e.q(),
            p_shuffle: p(NullKind::Shuffle),
            p_jitter: p(NullKind::Jitter),
            verdict: e.verdict(report.plan.level),
            source,
            target,
        }
    };
    report.edges.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::tiny;
    use super::*;
    use crate::analysis::watch::Watch;
    use crate::training::DeviceChoice;

    #[test]
    fn a_network_is_simulated_trained_and_tested_once() {
        let (folder, watch, settings) = (tempfile::tempdir().unwrap(), Watch::default(), tiny());
        let told = std::cell::RefCell::new(Vec::new());
        let tell = |text: &str| told.borrow_mut().push(text.to_owned());
        let bench = Bench { folder: folder.path(), device: DeviceChoice::Cpu, settings: &settings, watch: &watch, tell: &tell };
        let plan = Plan { seeds: vec![3], trials: 30, units: 5, nulls: 4 };
        let cells = run(&plan, &bench).unwrap();
        assert_eq!((cells.len(), cells[0].pairs.len(), cells[0].seed, cells[0].settings.len()), (1, 12, 3, 6));
        let edges: Vec<String> = cells[0].pairs.iter().filter(|p| p.true_edge).map(|p| format!("{}{}", p.source, p.target)).collect();
        assert_eq!(edges, ["AB", "BC", "AD"]);
        assert!(cells[0].pairs.iter().all(|p| p.p_jitter.is_some() && p.p_shuffle.is_some() && p.score.is_some()));
        assert!(cells[0].test_loss.is_some() && cells[0].train_seconds > 0.0);
        assert_eq!(told.borrow().len(), 2);
        assert_eq!(run(&plan, &bench).unwrap(), cells, "it is not done again");
        assert_eq!(told.borrow().len(), 2);
        assert!(read(&Plan { nulls: 5, ..plan.clone() }, &bench).is_empty());
        assert!(read(&plan, &Bench { settings: &[], ..bench }).is_empty(), "other settings are another experiment");
        watch.stop();
        let bench = Bench { folder: folder.path(), device: DeviceChoice::Cpu, settings: &settings, watch: &watch, tell: &tell };
        assert_eq!(run(&Plan { seeds: vec![3, 4], ..plan }, &bench).unwrap().len(), 1, "stopped");
    }

    #[test]
    fn a_graph_is_exact_when_nothing_is_missing_and_nothing_too_much() {
        let pair = |true_edge: bool, verdict: Verdict, score: f64| PairResult {
            source: "A".to_owned(),
            target: "B".to_owned(),
            true_edge,
            score: Some(score),
            threshold: Some(10.0),
            contribution_percent: 0.0,
            mean_output: 0.0,
            held_out_gain: 0.0,
            own_share: None,
            q: 1.0,
            p_shuffle: None,
            p_jitter: None,
            verdict,
        };
        let cell = |pairs: Vec<PairResult>| Cell {
            seed: 1,
            trials: 1,
            units: 1,
            nulls: 1,
            settings: Vec::new(),
            pairs,
            test_loss: None,
            flat_loss: None,
            train_seconds: 0.0,
            test_seconds: 0.0,
            version: String::new(),
        };
        let good = cell(vec![pair(true, Verdict::Supported, 20.0), pair(false, Verdict::NotSupported, 12.0)]);
        assert!(good.is_exact() && !good.is_exact_by_score());
        let missing = cell(vec![pair(true, Verdict::Mixed, 20.0), pair(false, Verdict::NotSupported, 9.0)]);
        assert!(!missing.is_exact() && missing.is_exact_by_score());
        let wrong = cell(vec![pair(true, Verdict::Supported, 20.0), pair(false, Verdict::Supported, 9.0)]);
        assert!(!wrong.is_exact() && wrong.supported() == (1, 1));
    }
}
