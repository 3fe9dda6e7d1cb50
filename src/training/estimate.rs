//! What a recipe will cost before it is started: parameters, and time from a step of each kind that is timed on made-up counts.

use super::bench::time_steps;
use super::glm::stages_of;
use super::netformer::bench::time_steps as time_netformer_steps;
use super::netformer::config as netformer_config;
use super::stndt::bench::time_steps as time_stndt_steps;
use super::{BaselineMethod, BaselineRecipe, DeviceChoice, GlmRecipe, ModelRecipe, NetFormerRecipe, StndtRecipe};
use crate::models::glm_transformer::Stage;
use crate::models::stndt::Grid;

/// Shape of the data that a recipe takes from a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct DataShape {
    /// Units per area.
    pub areas: Vec<usize>,
    /// Analysed bins per trial.
    pub bins: usize,
    /// Bins of history before them.
    pub pad_bins: usize,
    /// Bin width, seconds.
    pub bin_s: f64,
    /// Training trials.
    pub train: usize,
    /// Validation and test trials.
    pub others: usize,
}

impl DataShape {
    /// Units of all areas.
    pub fn units(&self) -> usize {
        self.areas.iter().sum()
    }

    /// All trials.
    pub fn trials(&self) -> usize {
        self.train + self.others
    }
}

/// Multiplications and additions per second that the baselines reach on two cores of an ordinary computer.
const FLOPS: f64 = 1e10;

/// What training will cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Numbers that are trained.
    pub parameters: usize,
    /// Time of all stages on the CPU, seconds.
    pub cpu_seconds: f64,
}

/// Steps at which early stopping ended the stages of the Fig. 2 simulation (median of the runs in `docs/validation.md`), with
/// the default patience. How long other data take to stop improving is not known before.
const TYPICAL_STEPS: [usize; 4] = [550, 1850, 220, 560];

/// Parameters of the model, and its time on the CPU with as many threads as the program uses.
///
/// # Errors
/// In words, when these shapes cannot be trained.
pub fn estimate(recipe: &ModelRecipe, shape: &DataShape) -> Result<Estimate, String> {
    match recipe {
        ModelRecipe::GlmTransformer(own) => of_glm(own, shape),
        ModelRecipe::Stndt(own) => of_stndt(own, shape),
        ModelRecipe::NetFormer(own) => of_netformer(own, shape),
        ModelRecipe::Baseline(own) => Ok(of_baseline(own, shape)),
    }
}

fn of_glm(recipe: &GlmRecipe, shape: &DataShape) -> Result<Estimate, String> {
    let batch = recipe.batch.min(shape.train).max(1);
    let recipe = GlmRecipe { batch, ..recipe.clone() };
    let timed = |stage| time_steps(&recipe, shape, stage, DeviceChoice::Cpu, 1, 2).map_err(|e| e.to_string());
    let (slow, fast) = (timed(Stage::Trials)?, timed(Stage::Coupling)?);
    let most = recipe.max_epochs * shape.train.div_ceil(batch);
    let patience = GlmRecipe::default().patience_steps;
    let mut ms = 0.0;
    let stages = stages_of(&recipe);
    for (stage, typical) in Stage::ALL.into_iter().zip(TYPICAL_STEPS).filter(|(stage, _)| stages.contains(stage)) {
        let steps = (typical + recipe.patience_steps).saturating_sub(patience).min(most) as f64;
        ms += steps * if stage == Stage::Trials { slow.median_ms() } else { fast.median_ms() };
    }
    Ok(Estimate { parameters: slow.parameters, cpu_seconds: ms / 1e3 })
}

/// All steps: the learning rate falls over them, so runs seldom end sooner.
fn of_stndt(recipe: &StndtRecipe, shape: &DataShape) -> Result<Estimate, String> {
    let batch = recipe.batch.min(shape.train).max(1);
    let recipe = StndtRecipe { batch, ..recipe.clone() };
    let forward = recipe.forward_bins.min(shape.bins.saturating_sub(1));
    let grid = Grid { heldin: shape.areas.iter().sum(), heldout: 0, observed: shape.bins - forward, forward };
    let timed = time_stndt_steps(&recipe, grid, DeviceChoice::Cpu, 1, 2).map_err(|e| e.to_string())?;
    Ok(Estimate { parameters: timed.parameters, cpu_seconds: recipe.steps as f64 * timed.median_ms() / 1e3 })
}

/// From the number of multiplications; about 30 steps until a GLM has converged.
fn of_baseline(recipe: &BaselineRecipe, shape: &DataShape) -> Estimate {
    let units: usize = shape.areas.iter().sum();
    let trials = if recipe.most_trials > 0 { recipe.most_trials.min(shape.train) } else { shape.train };
    let rows = (trials * shape.bins) as f64;
    match recipe.method {
        BaselineMethod::Glm => {
            let width = recipe.splines + recipe.coupling_basis * units;
            let per_step = 4.0 * rows * width as f64 * units as f64;
            let curvature = rows * (width * width) as f64 * shape.areas.len() as f64 * 2.0;
            Estimate { parameters: width * units, cpu_seconds: (30.0 * per_step + curvature) / FLOPS }
        }
        BaselineMethod::ReducedRank => {
            let pairs = (shape.areas.len() * shape.areas.len().saturating_sub(1)) as f64;
            let size = (units / shape.areas.len().max(1)) as f64;
            Estimate { parameters: (pairs * size * size) as usize, cpu_seconds: pairs * rows * size * (4.0 + size) / FLOPS }
        }
        BaselineMethod::Correlogram => {
            let lags = 0.2 / shape.bin_s;
            // About one spike in ten bins.
            Estimate { parameters: units * units, cpu_seconds: 0.1 * rows * lags * (units * units) as f64 / FLOPS }
        }
    }
}

/// A third of the epochs allowed: plateaus and patience end most runs sooner.
fn of_netformer(recipe: &NetFormerRecipe, shape: &DataShape) -> Result<Estimate, String> {
    let units: usize = shape.areas.iter().sum();
    // The prior changes the cost of a step by little; types do not matter for it.
    let config = netformer_config(&NetFormerRecipe { type_prior: 0.0, ..recipe.clone() }, units, 0, Vec::new());
    let (timed, _) = time_netformer_steps(config, recipe.batch, DeviceChoice::Cpu, 1, 2).map_err(|e| e.to_string())?;
    let epoch = (shape.train * shape.bins).div_ceil(recipe.batch) as f64;
    let epochs = recipe.max_epochs.div_ceil(3) as f64;
    Ok(Estimate { parameters: timed.parameters, cpu_seconds: epochs * epoch * timed.median_ms() / 1e3 })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn parameters_are_counted_and_time_grows_with_the_epochs_allowed() {
        let shape = DataShape { areas: vec![4, 3], bins: 30, pad_bins: 10, bin_s: 0.002, train: 20, others: 5 };
        let small = GlmRecipe { width: 8, hidden: 16, layers: 1, batch: 10, max_epochs: 10, ..GlmRecipe::default() };
        let glm = |recipe: &GlmRecipe| estimate(&ModelRecipe::GlmTransformer(recipe.clone()), &shape);
        let few = glm(&small).unwrap();
        let wide = glm(&GlmRecipe { width: 16, ..small.clone() }).unwrap();
        assert!(wide.parameters > few.parameters);
        assert!(few.cpu_seconds > 0.0 && few.cpu_seconds.is_finite());
        assert!(glm(&GlmRecipe { width: 9, heads: 2, ..small }).is_err());
        let small = StndtRecipe { hidden: 8, layers: 1, batch: 10, steps: 10, ..StndtRecipe::default() };
        let stndt = |recipe: &StndtRecipe| estimate(&ModelRecipe::Stndt(recipe.clone()), &shape);
        let (few, many) = (stndt(&small).unwrap(), stndt(&StndtRecipe { steps: 10_000, ..small.clone() }).unwrap());
        assert!(few.parameters == many.parameters && many.cpu_seconds > few.cpu_seconds);
        assert!(stndt(&StndtRecipe { heads: 2, ..small }).unwrap_err().contains("heads"));
    }
}
