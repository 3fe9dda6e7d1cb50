//! A recurrent network whose connections follow measured rules between four cell types of mouse V1 (Campagnola et al. 2022), as in
//! Lu et al. (ICLR 2025, §4.3): x(t+1) = tanh(W x(t) + b) + noise. Noise dominates: what a method finds is what survives it.

use ndarray::{Array1, Array2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::SimulateError;
use super::continuous::Continuous;
use super::settings::{Setting, number, whole, within};
use crate::recording::{Column, NamedColumn, Recording, Truth, UnitEdge};

/// The cell types in the order of their units: excitatory, then three kinds of inhibitory cell.
pub const CELL_TYPES: [&str; 4] = ["EC", "Pvalb", "Sst", "Vip"];
/// Share of each inhibitory type among all units.
const SHARE: f64 = 0.08;
/// Probability of a connection, row receiving, column sending type.
pub const CONNECTION_PROBABILITY: [[f64; 4]; 4] = [
    [13.0 / 229.0, 18.0 / 52.0, 13.0 / 56.0, 3.0 / 62.0],
    [22.0 / 53.0, 45.0 / 114.0, 15.0 / 84.0, 1.0 / 54.0],
    [20.0 / 67.0, 8.0 / 88.0, 8.0 / 154.0, 12.0 / 87.0],
    [11.0 / 68.0, 0.0, 25.0 / 84.0, 2.0 / 209.0],
];
/// Mean strength of a connection, row receiving, column sending type.
pub const CONNECTION_STRENGTH: [[f64; 4]; 4] =
    [[0.11, -0.44, -0.16, -0.06], [0.27, -0.47, -0.18, -0.10], [0.10, -0.44, -0.19, -0.17], [0.45, -0.23, -0.17, -0.10]];
/// Standard deviation of strengths around their mean.
const STRENGTH_SD: f64 = 0.1;
/// Seconds per step; the paper gives none.
const BIN_S: f64 = 0.1;

/// Settings; the default is as published.
#[derive(Debug, Clone, PartialEq)]
pub struct CellTypeSimulation {
    /// Units; 8 % of each inhibitory type, the others excitatory.
    pub units: usize,
    /// Steps.
    pub steps: usize,
    /// Standard deviation of the noise added to every unit in every step.
    pub noise: f64,
    /// Random seed.
    pub seed: u64,
}

impl Default for CellTypeSimulation {
    fn default() -> Self {
        Self { units: 200, steps: 30_000, noise: 3.5, seed: 42 }
    }
}

pub(super) const SETTINGS: [Setting<CellTypeSimulation>; 4] = [
    Setting { key: "seed", expected: "a whole number", read: |s, v| v.parse().ok().map(|n| s.seed = n) },
    Setting { key: "units", expected: "a whole number of units, for example 60", read: |s, v| whole(v).map(|n| s.units = n) },
    Setting { key: "steps", expected: "a whole number of steps, for example 5000", read: |s, v| whole(v).map(|n| s.steps = n) },
    Setting {
        key: "noise",
        expected: "a standard deviation of noise in every step, for example 0",
        read: |s, v| number(v).map(|x| s.noise = x),
    },
];

impl CellTypeSimulation {
    /// Simulate.
    ///
    /// # Errors
    /// [`SimulateError`] when a setting is out of range.
    pub fn simulate(&self) -> Result<Recording, SimulateError> {
        within("the number of units", self.units as f64, 4.0, 5000.0)?;
        within("the number of steps", self.steps as f64, 2.0, 1e6)?;
        within("the number of values (units times steps)", (self.units * self.steps) as f64, 8.0, 1e8)?;
        within("the standard deviation of the noise", self.noise, 0.0, 100.0)?;
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut normal =
            |n: usize| Array1::from_shape_fn(n, |_| <StandardNormal as Distribution<f64>>::sample(&StandardNormal, &mut random));
        let (bias, start) = (normal(self.units), normal(self.units));
        let types = self.types();
        let weights = self.weights(&types);
        let mut values = Array2::zeros((self.steps, self.units));
        values.row_mut(0).assign(&start);
        let mut state = start;
        for mut row in values.outer_iter_mut().skip(1) {
            state = step(&weights, &bias, &state, &(normal(self.units) * self.noise));
            row.assign(&state);
        }
        let name = |t: &usize| CELL_TYPES.get(*t).copied().unwrap_or_default().to_owned();
        let column = NamedColumn {
            name: "cell_type".to_owned(),
            description: "Cell type, which decides how likely and how strong connections are".to_owned(),
            values: Column::Text(types.iter().map(name).collect()),
        };
        Continuous {
            name: "cell_types",
            parameters: format!("{} units, {} steps, noise {}", self.units, self.steps, self.noise),
            seed: self.seed,
            bin_s: BIN_S,
            values,
            unit_columns: vec![column],
            tables: Vec::new(),
            covariates: Vec::new(),
            truth: Truth { unit_edges: Some(UnitEdge::of_weights(&weights)), ..Truth::default() },
        }
        .recording()
    }

    /// Index into [`CELL_TYPES`] of every unit.
    fn types(&self) -> Vec<usize> {
        let each = (SHARE * self.units as f64) as usize;
        let first = self.units - 3 * each.min(self.units / 3);
        (0..self.units).map(|unit| if unit < first { 0 } else { 1 + (unit - first) / each.max(1) }).collect()
    }

    /// Weights `[receiving, sending]`.
    fn weights(&self, types: &[usize]) -> Array2<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(1);
        Array2::from_shape_fn((self.units, self.units), |(post, pre)| {
            let (to, from) = (types[post], types[pre]);
            let (chance, deviation) = (random.random::<f64>(), <StandardNormal as Distribution<f64>>::sample(&StandardNormal, &mut random));
            if chance < CONNECTION_PROBABILITY[to][from] { CONNECTION_STRENGTH[to][from] + STRENGTH_SD * deviation } else { 0.0 }
        })
    }
}

fn step(weights: &Array2<f64>, bias: &Array1<f64>, state: &Array1<f64>, noise: &Array1<f64>) -> Array1<f64> {
    (weights.dot(state) + bias).mapv_into(f64::tanh) + noise
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::analysis::connectivity::{Pairs, UnitActivity, group_means, lag_one, pearson, score};
    use crate::simulate::reference::netformer;

    #[test]
    fn steps_and_rules_match_the_reference() {
        let (weights, bias): (Array2<f64>, Array1<f64>) = (netformer("celltype/W"), netformer("celltype/b"));
        let (noise, states): (Array2<f64>, Array2<f64>) = (netformer("celltype/noise"), netformer("celltype/x"));
        for t in 1..states.nrows() {
            let ours = step(&weights, &bias, &states.row(t - 1).to_owned(), &(&noise.row(t - 1) * 3.5));
            assert!(ours.iter().zip(states.row(t)).all(|(a, b)| (a - b).abs() < 1e-9), "step {t}");
        }
        let (probability, strength): (Array2<f64>, Array2<f64>) = (netformer("celltype/prob"), netformer("celltype/strength"));
        assert_eq!(ndarray::arr2(&CONNECTION_PROBABILITY), probability);
        assert_eq!(ndarray::arr2(&CONNECTION_STRENGTH), strength);
    }

    #[test]
    fn the_network_has_the_published_statistics_and_correlation_finds_its_weights() {
        let simulation = CellTypeSimulation { steps: 8000, ..CellTypeSimulation::default() };
        let recording = simulation.simulate().unwrap();
        let types = simulation.types();
        assert_eq!((0..4).map(|t| types.iter().filter(|&&own| own == t).count()).collect::<Vec<_>>(), [152, 16, 16, 16]);
        assert_eq!(recording.units.columns[0].values.text(199), "Vip");
        let weights = recording.truth.as_ref().unwrap().unit_weights(200).unwrap();
        let density = weights.iter().filter(|w| **w != 0.0).count() as f64 / 40_000.0;
        assert!((density - 0.132).abs() < 0.01, "{density}");
        let means = group_means(weights.view(), &types, 4, |i, j| weights[[i, j]] != 0.0);
        assert!((means[[1, 0]] - 0.27).abs() < 0.02 && means[[3, 1]].is_nan(), "{means}");
        let activity = UnitActivity::of(&recording, 1.0).unwrap();
        let found = score(lag_one(&activity.samples()).view(), weights.view(), Pairs::All);
        assert!(found.pearson > 0.6 && found.auc > 0.75, "{found:?}");
        let flat: Vec<f64> = activity.values.column(0).iter().copied().collect();
        assert!(pearson(&flat[1..], &flat[..7999]).abs() < 0.2, "noise dominates");
        assert!(CellTypeSimulation { units: 3, ..simulation }.simulate().is_err());
    }

    #[test]
    fn small_networks_have_all_their_units() {
        for units in [4, 12, 13, 50] {
            let recording = CellTypeSimulation { units, steps: 5, ..CellTypeSimulation::default() }.simulate().unwrap();
            assert_eq!(recording.n_units(), units);
        }
        assert_eq!(CellTypeSimulation { units: 50, ..CellTypeSimulation::default() }.types()[37..40], [0, 1, 1]);
    }
}
