//! The false-coupling benchmark (Xin & Kass 2025, Fig. 4): two areas without any coupling whose slow background is shared more and
//! more. Every method is fitted to the same simulations, and what it takes for coupling is measured as the contribution in percent,
//! which should be 0. Each fit is a cell with a file of its own, so a run that was stopped goes on where it was.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::benchmarks::{BenchError, keep, kept, make_folder, train};
use super::{BaselineMethod, BaselineRecipe, DeviceChoice, GlmRecipe, ModelRecipe, Recipe, StartOptions};
use crate::analysis::watch::Watch;
use crate::recording::Recording;
use crate::simulate::EifSimulation;

/// Trials that the published GLMs were fitted to.
const GLM_TRIALS: usize = 200;

/// What is fitted to the simulations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The whole model.
    GlmTransformer,
    /// The model without dynamics that differ from trial to trial.
    MeanDynamics,
    /// Poisson GLMs of single units on 200 trials.
    Glm,
    /// The same with a gain per trial.
    GlmGain,
    /// Reduced-rank regression of rank 1.
    Rrr,
    /// Jitter-corrected cross-correlograms.
    Ccg,
}

impl Method {
    /// In the order they are shown.
    pub const ALL: [Self; 6] = [Self::GlmTransformer, Self::MeanDynamics, Self::Glm, Self::GlmGain, Self::Rrr, Self::Ccg];

    /// Name in files and on the command line.
    pub fn key(self) -> &'static str {
        match self {
            Self::GlmTransformer => "glm-transformer",
            Self::MeanDynamics => "mean-dynamics",
            Self::Glm => "glm",
            Self::GlmGain => "glm-gain",
            Self::Rrr => "rrr",
            Self::Ccg => "ccg",
        }
    }

    /// Name for the user.
    pub fn title(self) -> &'static str {
        match self {
            Self::GlmTransformer => "GLM-Transformer",
            Self::MeanDynamics => "Without trial-varying dynamics",
            Self::Glm => "Poisson GLM",
            Self::GlmGain => "Poisson GLM with trial gain",
            Self::Rrr => "Reduced-rank regression",
            Self::Ccg => "Jitter-corrected correlograms",
        }
    }

    /// Published contribution in percent, mean and standard error of five simulations, where it was published.
    pub fn published(self, rho: f64) -> Option<(f64, f64)> {
        let column = [0.0, 0.2, 0.4].iter().position(|r| (r - rho).abs() < 1e-9)?;
        let row = match self {
            Self::GlmTransformer => [(1.08, 0.97), (1.51, 1.54), (0.86, 0.77)],
            Self::MeanDynamics => [(0.52, 0.28), (16.14, 3.56), (40.05, 0.23)],
            Self::Glm => [(10.19, 0.91), (28.50, 0.60), (40.99, 1.27)],
            Self::GlmGain => [(10.13, 1.33), (23.28, 0.80), (29.16, 1.37)],
            Self::Rrr => [(1.74, 0.15), (14.68, 0.42), (22.60, 0.27)],
            Self::Ccg => return None,
        };
        row.get(column).copied()
    }

    /// What is trained.
    fn model(self) -> ModelRecipe {
        let glm = BaselineRecipe { most_trials: GLM_TRIALS, ..BaselineRecipe::default() };
        match self {
            Self::GlmTransformer => ModelRecipe::GlmTransformer(GlmRecipe::for_spiking_networks()),
            Self::MeanDynamics => ModelRecipe::GlmTransformer(GlmRecipe { trial_varying: false, ..GlmRecipe::for_spiking_networks() }),
            Self::Glm => ModelRecipe::Baseline(glm),
            Self::GlmGain => ModelRecipe::Baseline(BaselineRecipe { trial_gain: true, ..glm }),
            Self::Rrr => {
                ModelRecipe::Baseline(BaselineRecipe { method: BaselineMethod::ReducedRank, rank: 1, ..BaselineRecipe::default() })
            }
            Self::Ccg => ModelRecipe::Baseline(BaselineRecipe { method: BaselineMethod::Correlogram, ..BaselineRecipe::default() }),
        }
    }
}

/// What is to be simulated and fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Coupling between the areas; 0 for the benchmark.
    pub conn: f64,
    /// Shares of common background.
    pub rhos: Vec<f64>,
    /// Seeds: one simulation each.
    pub seeds: Vec<u64>,
    /// Trials of a simulation.
    pub trials: usize,
    /// Units per area.
    pub units: usize,
    /// Methods.
    pub methods: Vec<Method>,
}

impl Default for Plan {
    /// The published one: 5 simulations each of 2000 trials and 2 × 50 units.
    fn default() -> Self {
        Self { conn: 0.0, rhos: vec![0.0, 0.2, 0.4], seeds: (1..=5).collect(), trials: 2000, units: 50, methods: Method::ALL.to_vec() }
    }
}

/// One fit to one simulation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Method.
    pub method: Method,
    /// Coupling simulated.
    pub conn: f64,
    /// Share of common background.
    pub rho: f64,
    /// Seed of simulation and fit.
    pub seed: u64,
    /// Trials.
    pub trials: usize,
    /// Units per area.
    pub units: usize,
    /// Contribution of the coupling V1 → LM to the variance of rates on test trials, percent.
    pub contribution_percent: f64,
    /// The same on the trials it was fitted to.
    pub fitted_percent: f64,
    /// Poisson loss per bin and unit on test trials.
    pub test_loss: f64,
    /// Time of the fit, seconds.
    pub seconds: f64,
    /// Version of the program.
    pub version: String,
}

impl Cell {
    fn belongs_to(&self, plan: &Plan) -> bool {
        (self.conn, self.trials, self.units) == (plan.conn, plan.trials, plan.units)
            && plan.rhos.contains(&self.rho)
            && plan.seeds.contains(&self.seed)
            && plan.methods.contains(&self.method)
    }
}

/// What happens while the benchmark runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A fit begins; cells done and cells in all.
    Begins(Method, f64, u64, usize, usize),
    /// A fit is done and its file written.
    Done(Box<Cell>),
}

/// Where cells are kept when no folder is named.
pub fn default_folder() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "spikescope").map(|dirs| dirs.data_dir().join("shared-background"))
}

/// Cells of a plan that are in a folder.
pub fn read(folder: &Path, plan: &Plan) -> Vec<Cell> {
    read_all(folder).into_iter().filter(|cell| cell.belongs_to(plan)).collect()
}

/// All cells that are in a folder; none when there is no such folder. Files that are not cells are left alone.
pub fn read_all(folder: &Path) -> Vec<Cell> {
    let mut cells: Vec<Cell> = kept(folder);
    cells.sort_by(|a, b| (a.method, a.seed).cmp(&(b.method, b.seed)).then(a.rho.total_cmp(&b.rho)));
    cells
}

/// Simulate and fit what is missing in the folder, methods that are quick first. Gives all cells, fewer when `watch` was stopped.
///
/// # Errors
/// [`BenchError`]; cells that were done before stay.
pub fn run(plan: &Plan, folder: &Path, device: DeviceChoice, watch: &Watch, tell: &dyn Fn(Event)) -> Result<Vec<Cell>, BenchError> {
    make_folder(folder)?;
    let mut cells = read(folder, plan);
    let all = plan.rhos.len() * plan.seeds.len() * plan.methods.len();
    for &seed in &plan.seeds {
        for &rho in &plan.rhos {
            let mut missing: Vec<Method> =
                plan.methods.iter().copied().filter(|m| !cells.iter().any(|c| (c.method, c.rho, c.seed) == (*m, rho, seed))).collect();
            missing.sort_by_key(|method| std::cmp::Reverse(*method));
            if missing.is_empty() || watch.stopped() {
                continue;
            }
            let simulation =
                EifSimulation { conn: plan.conn, rho, seed, trials: plan.trials, units: plan.units, ..EifSimulation::default() };
            let recording = Arc::new(simulation.simulate()?);
            for method in missing {
                watch.tell(cells.len(), all);
                tell(Event::Begins(method, rho, seed, cells.len(), all));
                let Some(cell) = fit(plan, method, rho, seed, &recording, device, watch)? else { return Ok(cells) };
                let cell = keep(&folder.join(file_name(&cell)), &cell)?;
                tell(Event::Done(Box::new(cell.clone())));
                cells.push(cell);
            }
        }
    }
    watch.tell(cells.len(), all);
    Ok(cells)
}

fn file_name(cell: &Cell) -> String {
    format!("conn{}-rho{}-seed{}-trials{}-units{}-{}.json", cell.conn, cell.rho, cell.seed, cell.trials, cell.units, cell.method.key())
}

/// One fit; `None` when it was stopped.
fn fit(
    plan: &Plan,
    method: Method,
    rho: f64,
    seed: u64,
    recording: &Arc<Recording>,
    device: DeviceChoice,
    watch: &Watch,
) -> Result<Option<Cell>, BenchError> {
    let failed = |message: String| BenchError::Fit { what: format!("{} on rho {rho}, seed {seed}", method.title()), message };
    let recipe = Recipe { seed, device, model: method.model(), ..Recipe::default() };
    let begun = Instant::now();
    let options = StartOptions { below_the_window: true, ..StartOptions::default() };
    let Some(summary) = train(recording, recipe, options, watch).map_err(failed)? else { return Ok(None) };
    let edges = summary.get("edges").and_then(Value::as_array);
    let edge = edges.and_then(|edges| edges.iter().find(|e| e["source"] == "V1" && e["target"] == "LM"));
    let number = |value: Option<&Value>, key: &str| value.and_then(|v| v.get(key)).and_then(Value::as_f64);
    let contribution_percent = number(edge, "contribution_percent").ok_or_else(|| failed("the fit says nothing of V1 → LM".to_owned()))?;
    Ok(Some(Cell {
        method,
        conn: plan.conn,
        rho,
        seed,
        trials: plan.trials,
        units: plan.units,
        contribution_percent,
        fitted_percent: number(edge, "contribution_fitted_percent").unwrap_or(f64::NAN),
        test_loss: number(Some(&summary), "test_loss").unwrap_or(f64::NAN),
        seconds: begun.elapsed().as_secs_f64(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}

/// Mean and standard error of the mean; the error is NaN for fewer than two values.
pub fn mean_and_error(values: &[f64]) -> Option<(f64, f64)> {
    let n = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Some((mean, (variance / n).sqrt()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Mutex;

    fn small() -> Plan {
        Plan {
            rhos: vec![0.4],
            seeds: vec![3],
            trials: 40,
            units: 6,
            methods: vec![Method::Glm, Method::Rrr, Method::Ccg],
            ..Plan::default()
        }
    }

    #[test]
    fn cells_are_written_one_by_one_and_not_fitted_again() {
        let folder = tempfile::tempdir().unwrap();
        let events = Mutex::new(Vec::new());
        let go = |plan: &Plan| run(plan, folder.path(), DeviceChoice::Cpu, &Watch::default(), &|e| events.lock().unwrap().push(e));
        let first = Plan { methods: vec![Method::Rrr], ..small() };
        assert_eq!(go(&first).unwrap().len(), 1);
        assert_eq!(go(&small()).unwrap().len(), 3);
        let begun = events.lock().unwrap().iter().filter(|e| matches!(e, Event::Begins(..))).count();
        assert_eq!(begun, 3, "what was there was not fitted again");
        let cells = read(folder.path(), &small());
        assert_eq!(cells.iter().map(|c| c.method).collect::<Vec<_>>(), [Method::Glm, Method::Rrr, Method::Ccg]);
        assert!(cells.iter().all(|c| c.contribution_percent.is_finite() && c.fitted_percent.is_finite() && c.seconds > 0.0));
        assert!(read(folder.path(), &Plan { trials: 41, ..small() }).is_empty(), "other trials are another plan");
        std::fs::write(folder.path().join("other.json"), "{}").unwrap();
        assert_eq!(read(folder.path(), &small()).len(), 3);
        let again = tempfile::tempdir().unwrap();
        let repeated = run(&small(), again.path(), DeviceChoice::Cpu, &Watch::default(), &|_| ()).unwrap();
        let percent = |cells: &[Cell]| {
            let mut all: Vec<(Method, f64)> = cells.iter().map(|c| (c.method, c.contribution_percent)).collect();
            all.sort_by_key(|c| c.0);
            all
        };
        assert_eq!(percent(&repeated), percent(&cells), "the same seeds give the same numbers");
    }

    #[test]
    fn a_stopped_benchmark_keeps_what_is_done() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("not/there/yet");
        let watch = Watch::default();
        let stop = |event: Event| {
            if matches!(event, Event::Done(_)) {
                watch.stop();
            }
        };
        let cells = run(&small(), &folder, DeviceChoice::Cpu, &watch, &stop).unwrap();
        assert!(!cells.is_empty() && cells.len() < 3 && read(&folder, &small()).len() == cells.len());
    }

    #[test]
    fn every_method_has_a_recipe_and_published_values_where_there_are() {
        for method in Method::ALL {
            Recipe { model: method.model(), ..Recipe::default() }.check().unwrap();
            assert_eq!(method.published(0.2).is_some(), method != Method::Ccg);
            assert_eq!(method.published(0.3), None);
            assert_eq!(serde_json::to_value(method).unwrap(), method.key());
        }
        let (mean, error) = mean_and_error(&[1.0, 2.0, 3.0]).unwrap();
        assert!((mean - 2.0).abs() < 1e-12 && (error - 1.0 / 3.0f64.sqrt()).abs() < 1e-12);
        assert!(mean_and_error(&[]).is_none() && mean_and_error(&[1.0]).unwrap().1.is_nan());
    }
}
