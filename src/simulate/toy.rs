//! Four small systems of five nodes whose connections are known exactly (Lu et al., ICLR 2025, §3.1): linear or tanh, with fixed
//! weights or with weights that change with the state. The matrices are the published ones, printed rather than computed,
//! because the originals depend on the order in which a library returns eigenvalues.

use ndarray::{Array1, Array2, Array3, ArrayView1, Axis, arr1, arr2};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::SimulateError;
use super::continuous::Continuous;
use super::settings::{Setting, number, whole, within};
use crate::recording::{ChangingWeights, Recording, Truth, UnitEdge};

/// Nodes.
const NODES: usize = 5;
/// Where all systems start.
const START: [f64; NODES] = [0.02842224, 0.54671299, -0.73645409, -0.16290995, -0.48211931];
/// Weights of the linear systems, row receiving, column sending.
const LINEAR: [[f64; NODES]; NODES] = [
    [-0.2411736822315343, 0.21023878173489008, 0.35194143464144806, -0.5438091625414446, -0.38853672164992237],
    [1.6191461622672687, -0.27447462587243715, 1.5714983426247637, 1.390845330118586, -1.4488175946142259],
    [-0.8983715410799935, -0.19062361090005958, -0.5626221378497934, 0.13280624272429964, 0.7167215541830623],
    [2.907128555536545, -0.6581291027844511, -0.520792471902701, 0.6197799509053382, 0.38060898887864725],
    [0.4913722631600278, 0.03864160460911592, -0.7572353409384297, -0.3629034656382786, 0.10918921839840919],
];
/// Weights of the tanh systems.
const TANH: [[f64; NODES]; NODES] = [
    [-0.508254226806444, 0.6029011673923993, -0.8420488531813431, 0.47540431362794444, -1.0129102913457495],
    [-0.5253920547284745, 0.135446179456088, 1.0444236394686268, 1.8817066160560438, -1.4487047881634578],
    [-0.20718443333275044, 0.24910393163816846, 0.0714359587887557, 1.3864857714915741, -1.0284556556294953],
    [0.3975039513284332, 0.07917238087561171, 0.14340554850948456, -0.2428110081878634, -0.21434900244479002],
    [-0.23479572821609423, 0.36271525682511996, 0.7860439351021092, 1.4422452749473074, -1.4147011953978876],
];
/// How much the weights onto every node change with that node's own state, per sending node.
const LINEAR_SLOPE: [f64; NODES] = [-1.0, 1.0, -1.0, 2.0, -1.0];
const TANH_SLOPE: [f64; NODES] = [-1.0, -1.0, 1.0, 1.0, 1.0];
/// Steps over which changing weights are averaged to one matrix: the published test stretch, as far as it was simulated.
const MEAN_STEPS: (usize, usize) = (2407, 3007);

/// Which of the four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToySystem {
    /// dx/dt = A x, solved exactly.
    LinearStatic,
    /// x ← x + δ tanh(A x).
    TanhStatic,
    /// x ← x + δ W x with W = A + x aᵀ.
    LinearDynamic,
    /// x ← x + δ tanh(W x) with W = A + x aᵀ.
    TanhDynamic,
}

/// Settings; the default is as published.
#[derive(Debug, Clone, PartialEq)]
pub struct ToySimulation {
    /// Which system.
    pub system: ToySystem,
    /// States, the start included.
    pub steps: usize,
    /// Seconds per step (δ).
    pub bin_s: f64,
    /// Standard deviation of normal noise added to every node in every step.
    pub noise: f64,
    /// Seed of the noise.
    pub seed: u64,
}

impl Default for ToySimulation {
    fn default() -> Self {
        Self { system: ToySystem::LinearStatic, steps: 5000, bin_s: 0.01, noise: 0.0, seed: 0 }
    }
}

pub(super) const SETTINGS: [Setting<ToySimulation>; 4] = [
    Setting { key: "seed", expected: "a whole number", read: |s, v| v.parse().ok().map(|n| s.seed = n) },
    Setting {
        key: "system",
        expected: "linear_static, tanh_static, linear_dynamic or tanh_dynamic",
        read: |s, v| {
            s.system = match v {
                "linear_static" => ToySystem::LinearStatic,
                "tanh_static" => ToySystem::TanhStatic,
                "linear_dynamic" => ToySystem::LinearDynamic,
                "tanh_dynamic" => ToySystem::TanhDynamic,
                _ => return None,
            };
            Some(())
        },
    },
    Setting { key: "steps", expected: "a whole number of steps, for example 5000", read: |s, v| whole(v).map(|n| s.steps = n) },
    Setting {
        key: "noise",
        expected: "a standard deviation of noise in every step, for example 0",
        read: |s, v| number(v).map(|x| s.noise = x),
    },
];

impl ToySystem {
    fn base(self) -> Array2<f64> {
        match self {
            Self::LinearStatic | Self::LinearDynamic => arr2(&LINEAR),
            Self::TanhStatic | Self::TanhDynamic => arr2(&TANH),
        }
    }

    fn slope(self) -> Option<Array1<f64>> {
        match self {
            Self::LinearStatic | Self::TanhStatic => None,
            Self::LinearDynamic => Some(arr1(&LINEAR_SLOPE)),
            Self::TanhDynamic => Some(arr1(&TANH_SLOPE)),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::LinearStatic => "linear, fixed weights",
            Self::TanhStatic => "tanh, fixed weights",
            Self::LinearDynamic => "linear, weights that change with the state",
            Self::TanhDynamic => "tanh, weights that change with the state",
        }
    }
}

impl ToySimulation {
    /// Simulate.
    ///
    /// # Errors
    /// [`SimulateError`] when a setting is out of range.
    pub fn simulate(&self) -> Result<Recording, SimulateError> {
        within("the number of steps", self.steps as f64, 2.0, 1e6)?;
        within("the seconds per step", self.bin_s, 1e-5, 0.1)?;
        within("the standard deviation of the noise", self.noise, 0.0, 1.0)?;
        let (values, weights) = self.path();
        let bounded = values.iter().all(|v| v.abs() < 1e6);
        within("the largest state", if bounded { 0.0 } else { f64::INFINITY }, 0.0, 1e6)?;
        let noise = if self.noise > 0.0 { format!(", noise {} per step", self.noise) } else { String::new() };
        Continuous {
            name: "toy",
            parameters: format!("{}, {} steps of {} ms{noise}", self.system.words(), self.steps, 1e3 * self.bin_s),
            seed: self.seed,
            bin_s: self.bin_s,
            values,
            unit_columns: Vec::new(),
            tables: Vec::new(),
            covariates: Vec::new(),
            truth: self.truth(weights),
        }
        .recording()
    }

    /// States `[steps, 5]` and, when they change, the weights in force at every step `[steps, 5 receiving, 5 sending]`.
    pub fn path(&self) -> (Array2<f64>, Option<Array3<f64>>) {
        let (base, slope) = (self.system.base(), self.system.slope());
        let exact = exponential(&(&base * self.bin_s));
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut state = arr1(&START);
        let mut states = Array2::zeros((self.steps, NODES));
        let mut weights = slope.as_ref().map(|_| Array3::zeros((self.steps, NODES, NODES)));
        for step in 0..self.steps {
            states.row_mut(step).assign(&state);
            let now = slope.as_ref().map_or_else(|| base.clone(), |a| &base + outer(state.view(), a.view()));
            if let Some(weights) = &mut weights {
                weights.index_axis_mut(Axis(0), step).assign(&now);
            }
            state = match self.system {
                ToySystem::LinearStatic => exact.dot(&state),
                ToySystem::LinearDynamic => &state + now.dot(&state) * self.bin_s,
                ToySystem::TanhStatic | ToySystem::TanhDynamic => &state + now.dot(&state).mapv(f64::tanh) * self.bin_s,
            };
            if self.noise > 0.0 {
                state.mapv_inplace(|x| x + self.noise * <StandardNormal as Distribution<f64>>::sample(&StandardNormal, &mut random));
            }
        }
        (states, weights)
    }

    fn truth(&self, weights: Option<Array3<f64>>) -> Truth {
        let Some(weights) = weights else {
            return Truth { unit_edges: Some(UnitEdge::of_weights(&self.system.base())), ..Truth::default() };
        };
        let (from, to) = if self.steps >= MEAN_STEPS.1 { MEAN_STEPS } else { (0, self.steps) };
        let mean = weights.slice_axis(Axis(0), (from..to).into()).mean_axis(Axis(0)).unwrap_or_else(|| self.system.base());
        let synapses = NODES * NODES;
        let values = weights.mapv(|w| w as f32).into_shape_with_order((self.steps, synapses)).map(Array2::into_shared);
        let changing = values.ok().map(|values| ChangingWeights {
            pre: (0..synapses).map(|k| k % NODES).collect(),
            post: (0..synapses).map(|k| k / NODES).collect(),
            times: (0..self.steps).map(|step| step as f64 * self.bin_s).collect(),
            values,
        });
        Truth { unit_edges: Some(UnitEdge::of_weights(&mean)), changing, ..Truth::default() }
    }
}

fn outer(column: ArrayView1<'_, f64>, row: ArrayView1<'_, f64>) -> Array2<f64> {
    Array2::from_shape_fn((column.len(), row.len()), |(i, j)| column[i] * row[j])
}

/// Exponential of a small matrix: Taylor series of a fraction of it, squared again.
fn exponential(matrix: &Array2<f64>) -> Array2<f64> {
    const HALVINGS: i32 = 10;
    let part = matrix / 2.0_f64.powi(HALVINGS);
    let (mut sum, mut term) = (Array2::eye(matrix.nrows()), Array2::eye(matrix.nrows()));
    for k in 1..=20 {
        term = term.dot(&part) / f64::from(k);
        sum += &term;
    }
    for _ in 0..HALVINGS {
        sum = sum.dot(&sum);
    }
    sum
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::simulate::reference::netformer;

    const ALL: [(ToySystem, &str); 4] = [
        (ToySystem::LinearStatic, "linear_static"),
        (ToySystem::TanhStatic, "tanh_static"),
        (ToySystem::LinearDynamic, "linear_dynamic"),
        (ToySystem::TanhDynamic, "tanh_dynamic"),
    ];

    fn assert_close<'a>(own: impl IntoIterator<Item = &'a f64>, expected: &Array2<f64>, what: &str) {
        let mut n = 0;
        for (own, expected) in own.into_iter().zip(expected) {
            assert!((own - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{what}: {own} instead of {expected}");
            n += 1;
        }
        assert_eq!(n, expected.len());
    }

    #[test]
    fn states_and_weights_match_the_reference() {
        assert_close(&arr2(&LINEAR), &netformer("toy/A_linear"), "linear matrix");
        assert_close(&arr2(&TANH), &netformer("toy/A_tanh"), "tanh matrix");
        for (system, name) in ALL {
            let simulation = ToySimulation { system, ..ToySimulation::default() };
            let (states, weights) = simulation.path();
            let rows: Vec<usize> = (0..5000).step_by(100).collect();
            assert_close(&states.select(Axis(0), &rows), &netformer(&format!("toy/{name}/x_every100")), name);
            let x3000: Array1<f64> = netformer(&format!("toy/{name}/x3000"));
            assert_close(states.row(3000), &x3000.insert_axis(Axis(0)), name);
            if let Some(weights) = weights {
                assert_close(weights.index_axis(Axis(0), 3000), &netformer(&format!("toy/{name}/W3000")), name);
            }
            let truth = simulation.simulate().unwrap().truth.unwrap();
            let mean: Array2<f64> = netformer(&format!("toy/{name}/W_test_mean"));
            assert_close(&truth.unit_weights(5).unwrap(), &mean, name);
            assert_eq!(truth.changing.is_some(), name.ends_with("dynamic"));
            if let Some(changing) = truth.changing {
                let from_series = changing.mean_between(24.0695, 30.0695);
                for (k, mean) in from_series.iter().enumerate() {
                    let (post, pre) = (k / 5, k % 5);
                    assert_eq!(changing.synapse(pre, post), Some(k));
                    assert!((mean - truth.unit_edges.as_ref().unwrap()[k].weight).abs() < 1e-6);
                }
            }
        }
    }

    #[test]
    fn noise_comes_from_the_seed() {
        let noisy = |seed| ToySimulation { noise: 0.01, seed, steps: 50, ..ToySimulation::default() }.simulate().unwrap();
        assert_eq!(noisy(1).fingerprint, noisy(1).fingerprint);
        assert_ne!(noisy(1).fingerprint, noisy(2).fingerprint);
        assert!(ToySimulation { steps: 1, ..ToySimulation::default() }.simulate().is_err());
        assert!(ToySimulation { noise: -1.0, ..ToySimulation::default() }.simulate().is_err());
    }
}
