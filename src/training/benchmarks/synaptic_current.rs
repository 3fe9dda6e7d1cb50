//! Fig. 3 of Xin & Kass 2025: the coupling that a trained network adds to the log-rates of the receiving area, beside the synaptic
//! current that the simulated spikes really cause there, trial by trial and bin by bin; and own dynamics beside the external current.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ndarray::{Array3, Axis};
use serde::{Deserialize, Serialize};

use super::{Bench, BenchError, keep, kept, number, train};
use crate::analysis::compare::correlation;
use crate::analysis::coupling_stage::{FrozenModel, SourceSpikes, TargetData};
use crate::recording::{Recording, TrueCurrents};
use crate::runs;
use crate::simulate::EifSimulation;
use crate::training::{GlmRecipe, Recipe, StartOptions, frozen_model};

/// Largest shift between current and coupling that is looked at, bins.
const MOST_LAG: usize = 5;

/// What is simulated and trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// True coupling V1 → LM.
    pub conns: Vec<f64>,
    /// Seeds of simulation and training.
    pub seeds: Vec<u64>,
    /// Trials of a simulation.
    pub trials: usize,
    /// Units per area.
    pub units: usize,
}

impl Default for Plan {
    /// The published one, with three simulations each.
    fn default() -> Self {
        Self { conns: vec![0.0, 0.1, 0.2], seeds: (1..=3).collect(), trials: 2000, units: 50 }
    }
}

/// One network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// True coupling.
    pub conn: f64,
    /// Seed.
    pub seed: u64,
    /// Trials.
    pub trials: usize,
    /// Units per area.
    pub units: usize,
    /// Settings that differ from those of the experiment.
    pub settings: Vec<String>,
    /// The network fitted coupling V1 → LM.
    pub fitted: bool,
    /// Correlation of synaptic current and fitted coupling V1 → LM over all bins of all test trials, means over the units of LM; `None`
    /// when one of them is constant.
    pub correlation: Option<f64>,
    /// The same with the coupling moved by the lag at which it is largest.
    pub correlation_at_lag: Option<f64>,
    /// Bins by which the coupling follows the current there (the membrane passes the current on late and smoothed).
    pub lag_bins: usize,
    /// Correlation of the means over test trials.
    pub correlation_of_means: Option<f64>,
    /// Standard deviation of the fitted coupling, mean over the units of LM, log-rate.
    pub fitted_sd: f64,
    /// Its largest size.
    pub fitted_largest: f64,
    /// Correlation of the own dynamics of V1 and LM with the external current there, over all bins of all test trials.
    pub own_correlation: Vec<Option<f64>>,
    /// Contribution of the coupling V1 → LM, percent of rate variance on test trials.
    pub contribution_percent: Option<f64>,
    /// Poisson loss per bin and unit on test trials.
    pub test_loss: Option<f64>,
    /// Time of simulation and training, seconds.
    pub seconds: f64,
    /// Version of the program.
    pub version: String,
}

/// Cells of a plan that are in a folder.
pub fn read(plan: &Plan, bench: &Bench<'_>) -> Vec<Cell> {
    let changed = bench.changed();
    let mine = |c: &Cell| {
        (c.trials, c.units) == (plan.trials, plan.units)
            && plan.conns.contains(&c.conn)
            && plan.seeds.contains(&c.seed)
            && c.settings == changed
    };
    let mut cells: Vec<Cell> = kept(bench.folder).into_iter().filter(mine).collect();
    cells.sort_by(|a, b| a.conn.total_cmp(&b.conn).then(a.seed.cmp(&b.seed)));
    cells
}

/// Simulate, train and compare what is missing in the folder. Gives all cells, fewer when the watch was stopped.
///
/// # Errors
/// [`BenchError`]; cells that were done before stay.
pub fn run(plan: &Plan, bench: &Bench<'_>) -> Result<Vec<Cell>, BenchError> {
    let mut cells = read(plan, bench);
    let all = plan.conns.len() * plan.seeds.len();
    bench.begin(cells.len(), all)?;
    for (&seed, &conn) in plan.seeds.iter().flat_map(|seed| plan.conns.iter().map(move |conn| (seed, conn))) {
        if bench.watch.stopped() {
            break;
        }
        if cells.iter().any(|c| (c.conn, c.seed) == (conn, seed)) {
            continue;
        }
        (bench.tell)(&format!("{} of {all} done; now coupling {conn}, seed {seed}", cells.len()));
        let Some(cell) = cell(plan, conn, seed, bench)? else { break };
        let name = format!("synaptic-current-conn{conn}-seed{seed}-trials{}-units{}{}.json", plan.trials, plan.units, bench.mark());
        let cell = keep(&bench.folder.join(name), &cell)?;
        let shown = cell.correlation.map_or_else(|| "no correlation".to_owned(), |r| format!("correlation {r:.3}"));
        (bench.tell)(&format!("  {shown}, fitted coupling of sd {:.4}, {:.0} s", cell.fitted_sd, cell.seconds));
        cells.push(cell);
        bench.watch.tell(cells.len(), all);
    }
    Ok(cells)
}

fn cell(plan: &Plan, conn: f64, seed: u64, bench: &Bench<'_>) -> Result<Option<Cell>, BenchError> {
    let failed = |message: String| BenchError::Fit { what: format!("coupling {conn}, seed {seed}"), message };
    let begun = Instant::now();
    let simulation = EifSimulation { conn, seed, trials: plan.trials, units: plan.units, ..EifSimulation::default() };
    let recording = Arc::new(simulation.simulate()?);
    let folder = tempfile::tempdir().map_err(|e| failed(e.to_string()))?;
    let run = folder.path().join("run");
    let options = StartOptions { run: Some(run.clone()), ..StartOptions::default() };
    let recipe = bench.recipe(GlmRecipe::for_spiking_networks(), seed)?;
    let Some(summary) = train(&recording, recipe.clone(), options, bench.watch).map_err(failed)? else { return Ok(None) };
    let Some(model) = frozen(&run, &recipe, &recording, bench).map_err(failed)? else { return Ok(None) };
    let currents = recording.truth.as_ref().and_then(|t| t.currents.as_ref());
    let currents = currents.ok_or_else(|| failed("the simulation does not tell its currents".to_owned()))?;
    let starts = recipe.data.trials.resolve(&recording).map_err(|e| failed(e.to_string()))?.starts;
    let seen = Seen::new(&model, currents, &starts).ok_or_else(|| failed("the currents do not fit the trials".to_owned()))?;
    let edges = summary.get("edges").and_then(|e| e.as_array());
    let edge = edges.and_then(|edges| edges.iter().find(|e| e["source"] == "V1" && e["target"] == "LM"));
    let (lag_bins, correlation_at_lag) = seen.best_lag();
    Ok(Some(Cell {
        conn,
        seed,
        trials: plan.trials,
        units: plan.units,
        settings: bench.changed(),
        fitted: model.is_fitted(0, 1),
        correlation: seen.correlation(0),
        correlation_at_lag,
        lag_bins,
        correlation_of_means: varied(&seen.means(&seen.synaptic), &seen.means(&seen.coupling)),
        fitted_sd: seen.coupling_sd(),
        fitted_largest: seen.coupling.iter().flatten().fold(0.0, |most: f64, x| most.max(x.abs())),
        own_correlation: seen.own.iter().map(|(own, external)| varied(own, external)).collect(),
        contribution_percent: edge.and_then(|e| number(e, "/contribution_percent")),
        test_loss: number(&summary, "/test_loss"),
        seconds: begun.elapsed().as_secs_f64(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}

fn frozen(run: &Path, recipe: &Recipe, recording: &Arc<Recording>, bench: &Bench<'_>) -> Result<Option<FrozenModel>, String> {
    let kept = runs::load(run).map_err(|e| e.to_string())?;
    let stage = kept.snapshot.as_ref().map_or(0, |s| s.stage);
    let weights = kept.weights().map_err(|e| e.to_string())?;
    frozen_model(recipe, recording, &weights, stage, &mut |_| !bench.watch.stopped()).map_err(|e| e.to_string())
}

/// Curves of the test trials, `[trials][bins]`, means over units.
#[derive(Debug, Default)]
struct Seen {
    synaptic: Vec<Vec<f64>>,
    coupling: Vec<Vec<f64>>,
    /// Own dynamics and external current of every area, trial after trial.
    own: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Seen {
    /// `starts` are the window starts of the trials, seconds. `None` when the truth does not cover a window.
    fn new(model: &FrozenModel, currents: &TrueCurrents, starts: &[f64]) -> Option<Self> {
        let bins = model.bins();
        let coupling = coupling(model, 0, 1);
        let mut seen = Self { own: vec![(Vec::new(), Vec::new()); model.areas.len()], ..Self::default() };
        // Without coupling the simulation has no such pair: the current is 0.
        let pair = currents.pairs.iter().position(|&p| p == (0, 1));
        for (place, &trial) in model.test.iter().enumerate() {
            let (row, window) = currents.window(*starts.get(trial)?, bins, model.bin_s)?;
            seen.synaptic.push(window.clone().map(|bin| pair.map_or(0.0, |pair| f64::from(currents.synaptic[[row, pair, bin]]))).collect());
            seen.coupling.push(match &coupling {
                Some(output) => output.index_axis(Axis(0), place).mean_axis(Axis(1))?.iter().map(|&x| f64::from(x)).collect(),
                None => vec![0.0; bins],
            });
            let own = model.own.index_axis(Axis(0), trial);
            for (area, (to_own, to_external)) in seen.own.iter_mut().enumerate() {
                let units = own.slice_axis(Axis(1), model.columns(area).into());
                to_own.extend(units.mean_axis(Axis(1))?.iter().map(|&x| f64::from(x)));
                to_external.extend(window.clone().map(|bin| f64::from(currents.external[[row, area, bin]])));
            }
        }
        Some(seen)
    }

    /// Correlation with the coupling so many bins later.
    fn correlation(&self, lag: usize) -> Option<f64> {
        let pairs = |x: &[Vec<f64>], skip: usize, cut: usize| -> Vec<f64> {
            x.iter().flat_map(|trial| trial.iter().take(trial.len().saturating_sub(cut)).skip(skip)).copied().collect()
        };
        varied(&pairs(&self.synaptic, 0, lag), &pairs(&self.coupling, lag, 0))
    }

    fn best_lag(&self) -> (usize, Option<f64>) {
        let all = (0..=MOST_LAG).map(|lag| (lag, self.correlation(lag)));
        let best = all.max_by(|a, b| a.1.unwrap_or(-1.0).total_cmp(&b.1.unwrap_or(-1.0)).then(b.0.cmp(&a.0)));
        best.filter(|(_, r)| r.is_some()).unwrap_or((0, None))
    }

    fn means(&self, curves: &[Vec<f64>]) -> Vec<f64> {
        let bins = curves.first().map_or(0, Vec::len);
        let mean = |bin: usize| curves.iter().filter_map(|c| c.get(bin)).sum::<f64>() / curves.len().max(1) as f64;
        (0..bins).map(mean).collect()
    }

    fn coupling_sd(&self) -> f64 {
        let all: Vec<f64> = self.coupling.iter().flatten().copied().collect();
        let n = all.len().max(1) as f64;
        let mean = all.iter().sum::<f64>() / n;
        (all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt()
    }
}

/// What the network's own coupling from `source` adds to the log-rates of `target` in the test trials; `None` when it fitted none.
fn coupling(model: &FrozenModel, source: usize, target: usize) -> Option<Array3<f32>> {
    let (data, spikes) = (TargetData::new(model, target, &model.test), SourceSpikes::of(model, source, &model.test));
    let outputs = model.terms(target).into_iter().filter(|t| t.source == source).map(|term| data.term_output(&term, &spikes));
    outputs.reduce(|a, b| a + b)
}

/// Correlation; `None` when one of them does not vary.
fn varied(a: &[f64], b: &[f64]) -> Option<f64> {
    let constant = |x: &[f64]| x.iter().all(|v| x.first().is_some_and(|first| (v - first).abs() < 1e-9));
    (!constant(a) && !constant(b)).then(|| correlation(a, b))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::tiny;
    use super::*;
    use crate::analysis::coupling_stage::Term;
    use crate::analysis::watch::Watch;
    use crate::training::{DeviceChoice, Prepared};

    /// A model whose only coupling is the network's true one: what it adds follows the true current.
    #[test]
    fn the_true_coupling_follows_the_true_current() {
        let simulation = EifSimulation { conn: 0.2, trials: 40, units: 12, coupled: 6, ..EifSimulation::default() };
        let recording = Arc::new(simulation.simulate().unwrap());
        let truth = recording.truth.as_ref().unwrap();
        let recipe = Recipe::default();
        let data = Prepared::new(&recording, &recipe.data).unwrap();
        let edge = &truth.edges[0];
        let lags = edge.filter.len();
        let term = Term { source: 0, send: edge.send.clone(), coef: edge.filter.clone(), receive: edge.receive.clone() };
        let model = |couplings: Vec<(usize, Term)>| FrozenModel {
            areas: data.binned.areas.clone(),
            area_sizes: data.binned.area_sizes.clone(),
            bin_s: data.binned.bin_s,
            counts: data.binned.counts.clone(),
            own: Array3::from_shape_fn((40, 250, 24), |(r, t, _)| (r * t) as f32 * 1e-4),
            post_spike: ndarray::Array2::zeros((0, 0)),
            basis: ndarray::Array2::eye(lags),
            splines: 5,
            couplings,
            conditions: vec![0; 40],
            train: data.split.train.clone(),
            test: data.split.test.clone(),
            notes: Vec::new(),
        };
        let currents = truth.currents.as_ref().unwrap();
        let seen = Seen::new(&model(vec![(1, term)]), currents, &data.trials.starts).unwrap();
        assert_eq!((seen.synaptic.len(), seen.synaptic[0].len(), seen.own.len()), (data.split.test.len(), 250, 2));
        let (lag, best) = seen.best_lag();
        assert!(lag <= 1 && best.unwrap() > 0.95, "lag {lag}, {best:?}, at no lag {:?}", seen.correlation(0));
        assert!(seen.coupling_sd() > 0.01);
        let without = Seen::new(&model(Vec::new()), currents, &data.trials.starts).unwrap();
        assert_eq!((without.correlation(0), without.best_lag(), without.coupling_sd()), (None, (0, None), 0.0));
        // A trial later: nothing is left of the correlation.
        let mut moved = seen;
        moved.coupling.rotate_left(1);
        assert!(moved.correlation(0).unwrap() < 0.6);
    }

    #[test]
    fn cells_are_made_once() {
        let (folder, watch, settings) = (tempfile::tempdir().unwrap(), Watch::default(), tiny());
        let bench = Bench { folder: folder.path(), device: DeviceChoice::Cpu, settings: &settings, watch: &watch, tell: &|_| () };
        let plan = Plan { conns: vec![0.0, 0.2], seeds: vec![1], trials: 30, units: 6 };
        let cells = run(&plan, &bench).unwrap();
        assert_eq!(cells.iter().map(|c| c.conn).collect::<Vec<_>>(), [0.0, 0.2]);
        assert!(cells.iter().all(|c| c.test_loss.is_some() && c.own_correlation.len() == 2 && c.contribution_percent.is_some()));
        assert_eq!(cells[0].correlation, None, "there is no current");
        assert_eq!(run(&plan, &bench).unwrap(), cells);
        assert!(read(&Plan { trials: 31, ..plan }, &bench).is_empty());
    }
}
