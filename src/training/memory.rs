//! Memory that training will need, before it is begun, beside what the device has: parameters, their gradients, the optimiser, what is
//! kept of a batch for the backward pass, and the data. Counted from the shapes of the models; how close that is to what was measured is
//! in `docs/reliability.md`.

mod device;
mod shapes;

pub use device::{DeviceLimits, device_limits};

use super::estimate::DataShape;
use super::{BaselineMethod, BaselineRecipe, GlmRecipe, ModelRecipe, NetFormerRecipe, Recipe, StndtRecipe};
use shapes::{Glm, NetFormer, Stndt};

/// Bytes of a number.
const F32: f64 = 4.0;

/// What training needs, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MemoryNeed {
    /// The network, its best weights so far, and what waits to be written as a checkpoint.
    pub parameters: f64,
    /// Gradients.
    pub gradients: f64,
    /// Moments of the optimiser.
    pub optimiser: f64,
    /// What a batch leaves behind for the backward pass, and what is computed beside it.
    pub activations: f64,
    /// Counts or activity, in the forms that training reads.
    pub data: f64,
    /// The largest single array.
    pub largest: f64,
}

impl MemoryNeed {
    /// All of it.
    pub fn total(&self) -> f64 {
        self.parameters + self.gradients + self.optimiser + self.activations + self.data
    }

    /// The parts by name, largest first.
    pub fn parts(&self) -> [(&'static str, f64); 5] {
        let mut parts = [
            ("parameters", self.parameters),
            ("gradients", self.gradients),
            ("optimiser", self.optimiser),
            ("a batch", self.activations),
            ("data", self.data),
        ];
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        parts
    }
}

/// What training with this recipe needs on data of this shape; `cpu` says that the fused kernels of the CPU train, which keep much less
/// of a batch than the tensors of a GPU.
pub fn memory_need(recipe: &ModelRecipe, shape: &DataShape, cpu: bool) -> MemoryNeed {
    match recipe {
        ModelRecipe::GlmTransformer(own) => of_glm(own, shape, cpu),
        ModelRecipe::Stndt(own) => of_stndt(own, shape, cpu),
        ModelRecipe::NetFormer(own) => of_netformer(own, shape, cpu),
        ModelRecipe::Baseline(own) => of_baseline(own, shape),
    }
}

/// Network, best weights, and two checkpoints on their way to the disk with weights, best weights and both moments each.
const KEPT: f64 = 2.0 + 2.0 * 4.0;
/// First and second moment.
const MOMENTS: f64 = 2.0;

fn of_glm(recipe: &GlmRecipe, shape: &DataShape, cpu: bool) -> MemoryNeed {
    let glm = Glm::new(recipe, shape);
    let bytes = F32 * glm.parameters();
    let counts = glm.cells(shape.trials()) + F32 * glm.token_counts(shape.trials());
    let (activations, largest, partial) = match cpu {
        true => (F32 * glm.kept_by_the_cpu(), F32 * glm.largest(), F32 * glm.partial_gradients()),
        false => (F32 * glm.kept_by_a_gpu(), F32 * glm.largest(), 0.0),
    };
    // A GPU holds the counts as numbers of four bytes.
    let data = if cpu { counts } else { F32 * glm.cells(shape.trials()) };
    need(bytes, partial, activations, data, largest)
}

/// Of a network of so many bytes, whose gradients are summed in `partial` bytes more.
fn need(bytes: f64, partial: f64, activations: f64, data: f64, largest: f64) -> MemoryNeed {
    MemoryNeed { parameters: KEPT * bytes, gradients: bytes + partial, optimiser: MOMENTS * bytes, activations, data, largest }
}

fn of_stndt(recipe: &StndtRecipe, shape: &DataShape, cpu: bool) -> MemoryNeed {
    let stndt = Stndt::new(recipe, shape);
    let bytes = F32 * stndt.parameters();
    let (activations, partial) = match cpu {
        true => (F32 * stndt.kept_by_the_cpu(), bytes * stndt.groups()),
        false => (F32 * stndt.kept_by_a_gpu(), 0.0),
    };
    let data = stndt.cells(shape.trials()) * if cpu { 1.0 } else { 1.0 + F32 };
    need(bytes, partial, activations, data, F32 * stndt.largest())
}

fn of_netformer(recipe: &NetFormerRecipe, shape: &DataShape, cpu: bool) -> MemoryNeed {
    let net = NetFormer::new(recipe, shape);
    let bytes = F32 * net.parameters();
    let (activations, partial) = match cpu {
        true => (F32 * net.kept_by_the_cpu(), F32 * net.partial_gradients()),
        false => (F32 * net.kept_by_a_gpu(), 0.0),
    };
    // As recorded (f64), as read, and as predicted.
    let values = (shape.trials() * shape.bins * net.units()) as f64;
    let data = values * if cpu { 8.0 + 2.0 * F32 } else { 2.0 * F32 };
    need(bytes, partial, activations, data, F32 * net.largest())
}

/// Baselines have no batches: features of a trial per thread, and the curvature of every area's fit.
fn of_baseline(recipe: &BaselineRecipe, shape: &DataShape) -> MemoryNeed {
    const F64: f64 = 8.0;
    let units = shape.units();
    let data = (shape.trials() * (shape.bins + shape.pad_bins) * units) as f64;
    let threads = rayon::current_num_threads() as f64;
    let (parameters, activations) = match recipe.method {
        BaselineMethod::Glm => {
            let width = (recipe.splines + recipe.coupling_basis * units) as f64;
            let features = threads * shape.bins as f64 * width;
            (width * units as f64, features + 3.0 * width * width * shape.areas.len() as f64)
        }
        BaselineMethod::ReducedRank => {
            let size = (units / shape.areas.len().max(1)) as f64;
            let pairs = (shape.areas.len() * shape.areas.len().saturating_sub(1)) as f64;
            // Moments of ten folds of the pairs that are fitted at once.
            (pairs * size * size, threads * 30.0 * size * size)
        }
        BaselineMethod::Correlogram => {
            let lags = 0.4 / shape.bin_s;
            ((units * units) as f64, lags * (units * units) as f64 * 2.0)
        }
    };
    MemoryNeed { parameters: F64 * parameters, activations: F64 * activations, data, largest: F64 * parameters, ..MemoryNeed::default() }
}

/// Share of the free memory that training may take by this estimate: other programs need some, and the estimate is none to the byte.
const SHARE: f64 = 0.9;

/// Whether training fits on a device.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryFit {
    /// What is needed.
    pub need: MemoryNeed,
    /// Why it does not fit, in words; `None` when it does, or when nobody knows.
    pub problem: Option<String>,
    /// The largest batch that fits, when a smaller one would.
    pub smaller: Option<usize>,
}

/// Compare what a recipe needs with what a device has (`free` bytes, see [`DeviceLimits::free`]).
pub fn memory_fit(recipe: &Recipe, shape: &DataShape, limits: &DeviceLimits, free: Option<u64>) -> MemoryFit {
    let need = memory_need(&recipe.model, shape, limits.cpu);
    let problem = limits.problem(&need, free, SHARE);
    let smaller = problem.as_ref().and_then(|_| {
        let batch = batch_of(recipe)?.min(largest_batch(recipe, shape));
        let halved = |n: usize| {
            let mut smaller = recipe.clone();
            smaller.set("model.batch", &n.to_string()).ok().map(|()| memory_need(&smaller.model, shape, limits.cpu))
        };
        let sizes = std::iter::successors(Some(batch / 2), |n| Some(n / 2)).take_while(|n| *n > 0);
        sizes.into_iter().find(|&n| halved(n).is_some_and(|need| limits.problem(&need, free, SHARE).is_none()))
    });
    MemoryFit { need, problem, smaller }
}

/// The batch of a recipe; `None` for models without one.
fn batch_of(recipe: &Recipe) -> Option<usize> {
    recipe.get("model.batch").ok()?.as_u64().and_then(|batch| usize::try_from(batch).ok())
}

/// A batch has no more trials than there are to train on (windows, for NetFormer).
fn largest_batch(recipe: &Recipe, shape: &DataShape) -> usize {
    match recipe.model {
        ModelRecipe::NetFormer(_) => (shape.train * shape.bins).max(1),
        _ => shape.train.max(1),
    }
}

#[cfg(test)]
mod tests;
