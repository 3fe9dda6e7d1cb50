//! The ablation table of Xin & Kass 2025: what the validation and test losses are without parts of the model, on the GLM simulation
//! and on the spiking network. Variants that share stages begin from each other's weights, which changes no number: stages 1 and 2,
//! nearly all of the time, are trained once per simulation.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{Bench, BenchError, keep, kept, number, train};
use crate::models::params::Values;
use crate::recording::Recording;
use crate::runs;
use crate::simulate::{EifSimulation, GlmSimulation};
use crate::training::kept::all_values;
use crate::training::{GlmRecipe, LeftOut, StartOptions};

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Data {
    /// The GLM simulation of Fig. 2.
    Glm,
    /// The spiking network of two areas.
    Eif,
}

impl Data {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Glm, Self::Eif];

    /// Name on the command line and in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Glm => "glm",
            Self::Eif => "eif",
        }
    }

    /// Name for the user.
    pub fn title(self) -> &'static str {
        match self {
            Self::Glm => "GLM simulation",
            Self::Eif => "Spiking network (EIF)",
        }
    }

    /// Published hyperparameters; the smoothness penalty of the ablations is 1000 on both.
    fn settings(self) -> GlmRecipe {
        match self {
            Self::Glm => GlmRecipe::default(),
            Self::Eif => GlmRecipe { penalty_smooth: 1e3, ..GlmRecipe::for_spiking_networks() },
        }
    }
}

/// A model of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// Own dynamics alone: no coupling, no post-spike filters.
    OwnDynamics,
    /// No post-spike filters.
    NoPostSpike,
    /// The whole model.
    Full,
    /// No coupling.
    NoCoupling,
    /// The encoder keeps its random weights.
    NoEncoder,
    /// No dynamics that differ from trial to trial.
    MeanDynamics,
}

impl Variant {
    /// In the order they are trained: later ones begin from what earlier ones have learned.
    const TRAINED: [Self; 6] = [Self::OwnDynamics, Self::NoPostSpike, Self::Full, Self::NoCoupling, Self::NoEncoder, Self::MeanDynamics];
    /// In the order they are shown.
    pub const ALL: [Self; 6] = [Self::Full, Self::NoEncoder, Self::MeanDynamics, Self::NoCoupling, Self::NoPostSpike, Self::OwnDynamics];

    /// Name on the command line and in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::OwnDynamics => "own-dynamics",
            Self::NoPostSpike => "no-post-spike",
            Self::Full => "full",
            Self::NoCoupling => "no-coupling",
            Self::NoEncoder => "no-encoder",
            Self::MeanDynamics => "mean-dynamics",
        }
    }

    /// Name for the user.
    pub fn title(self) -> &'static str {
        match self {
            Self::OwnDynamics => "Without coupling and post-spike filters",
            Self::NoPostSpike => "Without post-spike filters",
            Self::Full => "Full model",
            Self::NoCoupling => "Without coupling",
            Self::NoEncoder => "Without training the encoder",
            Self::MeanDynamics => "Without trial-varying dynamics",
        }
    }

    /// Published best validation loss, mean and standard error of five seeds. The paper's row "without post-spike" is the loss of stage 2,
    /// that is, without coupling as well (spec §4.4); it stands at [`Self::OwnDynamics`].
    pub fn published(self, data: Data) -> Option<(f64, f64)> {
        match (self, data) {
            (Self::Full, Data::Glm) => Some((0.20055, 0.00017)),
            (Self::Full, Data::Eif) => Some((0.25223, 0.00008)),
            (Self::NoEncoder, Data::Glm) => Some((0.20231, 0.00029)),
            (Self::NoEncoder, Data::Eif) => Some((0.25344, 0.00012)),
            (Self::NoCoupling, Data::Glm) => Some((0.20430, 0.00079)),
            (Self::NoCoupling, Data::Eif) => Some((0.25621, 0.00012)),
            (Self::OwnDynamics, Data::Glm) => Some((0.20728, 0.00027)),
            (Self::OwnDynamics, Data::Eif) => Some((0.26715, 0.00046)),
            (Self::NoPostSpike | Self::MeanDynamics, _) => None,
        }
    }

    fn of(self, full: GlmRecipe) -> GlmRecipe {
        let left_out = match self {
            Self::OwnDynamics => LeftOut::CouplingAndPostSpike,
            Self::NoPostSpike => LeftOut::PostSpike,
            Self::NoCoupling => LeftOut::Coupling,
            Self::NoEncoder => LeftOut::EncoderTraining,
            Self::Full | Self::MeanDynamics => LeftOut::Nothing,
        };
        GlmRecipe { left_out, trial_varying: self != Self::MeanDynamics, ..full }
    }

    /// The variant whose last weights are those before this one's next stage, and that stage (from 0).
    fn goes_on_from(self) -> Option<(Self, usize)> {
        match self {
            Self::NoPostSpike | Self::NoCoupling => Some((Self::OwnDynamics, 2)),
            Self::Full => Some((Self::NoPostSpike, 3)),
            Self::OwnDynamics | Self::NoEncoder | Self::MeanDynamics => None,
        }
    }
}

/// What is simulated and trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Simulations.
    pub data: Vec<Data>,
    /// Models.
    pub variants: Vec<Variant>,
    /// Seeds of simulation and training.
    pub seeds: Vec<u64>,
    /// Trials of a simulation.
    pub trials: usize,
    /// Units per area.
    pub units: usize,
    /// Coupling of the spiking network; what was published does not say which.
    pub conn: f64,
}

impl Default for Plan {
    fn default() -> Self {
        Self { data: Data::ALL.to_vec(), variants: Variant::ALL.to_vec(), seeds: (1..=5).collect(), trials: 2000, units: 50, conn: 0.2 }
    }
}

/// One model on one simulation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Simulation.
    pub data: Data,
    /// Model.
    pub variant: Variant,
    /// Seed.
    pub seed: u64,
    /// Trials.
    pub trials: usize,
    /// Units per area.
    pub units: usize,
    /// Coupling of the spiking network.
    pub conn: f64,
    /// Settings that differ from those of the experiment.
    pub settings: Vec<String>,
    /// Best validation loss of the last stage with penalties, as published.
    pub validation_loss: Option<f64>,
    /// Poisson loss per bin and unit on test trials.
    pub test_loss: Option<f64>,
    /// That of a flat rate per unit.
    pub flat_loss: Option<f64>,
    /// That of the true rates, where they are known.
    pub oracle_loss: Option<f64>,
    /// Time of the stages that were trained for this model alone, seconds.
    pub seconds: f64,
    /// Version of the program.
    pub version: String,
}

/// Cells of a plan that are in a folder.
pub fn read(plan: &Plan, bench: &Bench<'_>) -> Vec<Cell> {
    let changed = bench.changed();
    let mine = |c: &Cell| {
        (c.trials, c.units) == (plan.trials, plan.units)
            && (c.data == Data::Glm || c.conn == plan.conn)
            && plan.data.contains(&c.data)
            && plan.variants.contains(&c.variant)
            && plan.seeds.contains(&c.seed)
            && c.settings == changed
    };
    let mut cells: Vec<Cell> = kept(bench.folder).into_iter().filter(mine).collect();
    cells.sort_by_key(|c| (c.data, c.variant, c.seed));
    cells
}

/// Simulate and train what is missing in the folder. Gives all cells, fewer when the watch was stopped.
///
/// # Errors
/// [`BenchError`]; cells that were done before stay.
pub fn run(plan: &Plan, bench: &Bench<'_>) -> Result<Vec<Cell>, BenchError> {
    let mut cells = read(plan, bench);
    let all = plan.data.len() * plan.variants.len() * plan.seeds.len();
    bench.begin(cells.len(), all)?;
    for &seed in &plan.seeds {
        for &data in &plan.data {
            let there = |cells: &[Cell], v: Variant| cells.iter().any(|c| (c.data, c.seed, c.variant) == (data, seed, v));
            let missing: Vec<Variant> = Variant::TRAINED.into_iter().filter(|&v| plan.variants.contains(&v) && !there(&cells, v)).collect();
            if missing.is_empty() || bench.watch.stopped() {
                continue;
            }
            let recording = Arc::new(simulated(plan, data, seed)?);
            let mut learned: Vec<(Variant, Arc<Values>)> = Vec::new();
            for variant in missing {
                (bench.tell)(&format!("{} of {all} done; now {}, {}, seed {seed}", cells.len(), data.key(), variant.key()));
                let Some((cell, weights)) = cell(plan, data, variant, seed, &recording, &learned, bench)? else { return Ok(cells) };
                let (conn, name) = (if data == Data::Eif { format!("-conn{}", plan.conn) } else { String::new() }, variant.key());
                let name = format!(
                    "ablation-{}{conn}-seed{seed}-trials{}-units{}-{name}{}.json",
                    data.key(),
                    plan.trials,
                    plan.units,
                    bench.mark()
                );
                let cell = keep(&bench.folder.join(name), &cell)?;
                let loss = |loss: Option<f64>| loss.map_or_else(|| "–".to_owned(), |l| format!("{l:.5}"));
                let (validation, test) = (loss(cell.validation_loss), loss(cell.test_loss));
                (bench.tell)(&format!("  validation loss {validation}, test loss {test}, {:.0} s", cell.seconds));
                learned.push((variant, weights));
                cells.push(cell);
                bench.watch.tell(cells.len(), all);
            }
        }
    }
    Ok(cells)
}

fn simulated(plan: &Plan, data: Data, seed: u64) -> Result<Recording, BenchError> {
    Ok(match data {
        Data::Glm => {
            let mut simulation = GlmSimulation { areas: vec![plan.units; 2], trials: plan.trials, seed, ..GlmSimulation::default() };
            simulation.edges.iter_mut().for_each(|edge| edge.units = edge.units.min(plan.units));
            simulation.simulate()?
        }
        Data::Eif => {
            EifSimulation { conn: plan.conn, trials: plan.trials, units: plan.units, seed, ..EifSimulation::default() }.simulate()?
        }
    })
}

fn cell(
    plan: &Plan,
    data: Data,
    variant: Variant,
    seed: u64,
    recording: &Arc<Recording>,
    learned: &[(Variant, Arc<Values>)],
    bench: &Bench<'_>,
) -> Result<Option<(Cell, Arc<Values>)>, BenchError> {
    let failed = |message: String| BenchError::Fit { what: format!("{}, {}, seed {seed}", data.key(), variant.key()), message };
    let folder = tempfile::tempdir().map_err(|e| failed(e.to_string()))?;
    let run = folder.path().join("run");
    let before = variant.goes_on_from();
    let begin = before.and_then(|(from, stage)| Some((stage, Arc::clone(learned.iter().find(|(v, _)| *v == from).map(|(_, w)| w)?))));
    let options = StartOptions { run: Some(run.clone()), begin, ..StartOptions::default() };
    let recipe = bench.recipe(variant.of(data.settings()), seed)?;
    let begun = Instant::now();
    let Some(summary) = train(recording, recipe, options, bench.watch).map_err(failed)? else { return Ok(None) };
    let last = summary.get("stages").and_then(|s| s.as_array()).and_then(|s| s.last());
    let cell = Cell {
        data,
        variant,
        seed,
        trials: plan.trials,
        units: plan.units,
        conn: plan.conn,
        settings: bench.changed(),
        validation_loss: last.and_then(|stage| number(stage, "/validation_loss")),
        test_loss: number(&summary, "/test_loss"),
        flat_loss: number(&summary, "/flat_loss"),
        oracle_loss: number(&summary, "/truth/oracle_loss"),
        seconds: begun.elapsed().as_secs_f64(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    Ok(Some((cell, weights_of(&run).map_err(failed)?)))
}

fn weights_of(run: &Path) -> Result<Arc<Values>, String> {
    let weights = runs::load(run).and_then(|run| run.weights()).map_err(|e| e.to_string())?;
    Ok(Arc::new(all_values(&weights)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::tiny;
    use super::*;
    use crate::analysis::watch::Watch;
    use crate::training::DeviceChoice;

    #[test]
    fn shared_stages_change_no_number() {
        let (folder, watch, settings) = (tempfile::tempdir().unwrap(), Watch::default(), tiny());
        let bench = |at: &'static str| (folder.path().join(at), at);
        let go = |at: &'static str, variants: Vec<Variant>| {
            let (folder, _) = bench(at);
            let bench = Bench { folder: &folder, device: DeviceChoice::Cpu, settings: &settings, watch: &watch, tell: &|_| () };
            run(&Plan { data: vec![Data::Glm], variants, seeds: vec![2], trials: 40, units: 5, conn: 0.2 }, &bench).unwrap()
        };
        let together = go("together", Variant::ALL.to_vec());
        assert_eq!(together.len(), 6);
        let loss = |cells: &[Cell], variant: Variant| {
            let cell = cells.iter().find(|c| c.variant == variant).unwrap();
            (cell.validation_loss.unwrap(), cell.test_loss.unwrap())
        };
        for variant in [Variant::Full, Variant::NoCoupling, Variant::NoPostSpike] {
            let alone = go(variant.key(), vec![variant]);
            assert_eq!(loss(&alone, variant), loss(&together, variant), "{variant:?}");
        }
        let mut tests: Vec<f64> = together.iter().map(|c| c.test_loss.unwrap()).collect();
        tests.sort_by(f64::total_cmp);
        assert!(tests.windows(2).all(|w| w[0] < w[1]), "every variant is another model: {tests:?}");
        assert!(together.iter().all(|c| c.oracle_loss.is_some() && c.flat_loss.is_some()));
        assert_eq!(go("together", vec![Variant::Full]).len(), 1, "what is there is not done again");
    }

    #[test]
    fn every_variant_is_a_recipe() {
        for (data, variant) in Data::ALL.into_iter().flat_map(|d| Variant::ALL.map(|v| (d, v))) {
            let model = crate::training::ModelRecipe::GlmTransformer(variant.of(data.settings()));
            crate::training::Recipe { model, ..crate::training::Recipe::default() }.check().unwrap();
            assert_eq!(serde_json::to_value(variant).unwrap(), variant.key());
            assert_eq!(serde_json::to_value(data).unwrap(), data.key());
        }
        let mut trained = Variant::TRAINED.to_vec();
        trained.sort();
        let mut shown = Variant::ALL.to_vec();
        shown.sort();
        assert_eq!(trained, shown);
    }
}
