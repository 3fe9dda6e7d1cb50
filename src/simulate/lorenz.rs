//! Poisson units whose log-rates are linear in the state of the Lorenz system, as in the benchmark of LFADS and NDT: a few
//! starts, each repeated in many trials. The generator is that of the tutorial file `lfads_lorenz.h5` (σ 10, ρ 28, β 8/3, 10 ms).

use ndarray::{Array2, Array3, ArrayView2, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::SimulateError;
use super::from_rates::Repeated;
use super::settings::{Setting, number, whole, within};
use crate::recording::Recording;

/// Mean and standard deviation of the state on the attractor, by which it is standardised.
const MEAN: [f64; 3] = [0.0, 0.0, 25.8];
const SD: [f64; 3] = [8.6, 9.4, 7.2];
/// Steps before a trial begins, so that it starts on the attractor.
const SETTLE: usize = 1000;

/// How a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrator {
    /// Fourth-order Runge–Kutta.
    RungeKutta,
    /// Explicit Euler.
    Euler,
}

/// Settings; the default has the size of the tutorial file.
#[derive(Debug, Clone, PartialEq)]
pub struct LorenzSimulation {
    /// Starts of the dynamics.
    pub conditions: usize,
    /// Trials of every start.
    pub repeats: usize,
    /// Units.
    pub units: usize,
    /// Bins per trial; a bin is one step.
    pub bins: usize,
    /// Bin width and step, seconds of both the system and the recording.
    pub bin_s: f64,
    /// Rate where the state is the attractor's mean, spikes per second.
    pub baseline_hz: f64,
    /// How a step is taken.
    pub integrator: Integrator,
    /// Random seed.
    pub seed: u64,
}

impl Default for LorenzSimulation {
    fn default() -> Self {
        Self {
            conditions: 20,
            repeats: 40,
            units: 60,
            bins: 100,
            bin_s: 0.01,
            baseline_hz: 1.0,
            integrator: Integrator::RungeKutta,
            seed: 1,
        }
    }
}

pub(super) const SETTINGS: [Setting<LorenzSimulation>; 7] = [
    Setting {
        key: "trials",
        expected: "a whole number of trials of every start, for example 40",
        read: |s, v| whole(v).map(|n| s.repeats = n),
    },
    Setting { key: "seed", expected: "a whole number", read: |s, v| v.parse().ok().map(|n| s.seed = n) },
    Setting {
        key: "conditions",
        expected: "a whole number of starts of the dynamics, for example 20",
        read: |s, v| whole(v).map(|n| s.conditions = n),
    },
    Setting { key: "units", expected: "a whole number of units, for example 60", read: |s, v| whole(v).map(|n| s.units = n) },
    Setting { key: "bins", expected: "a whole number of 10-ms bins per trial, for example 100", read: |s, v| whole(v).map(|n| s.bins = n) },
    Setting { key: "baseline_hz", expected: "a rate in Hz, for example 1", read: |s, v| number(v).map(|x| s.baseline_hz = x) },
    Setting {
        key: "integrator",
        expected: "rk4 or euler",
        read: |s, v| {
            s.integrator = match v {
                "rk4" => Integrator::RungeKutta,
                "euler" => Integrator::Euler,
                _ => return None,
            };
            Some(())
        },
    },
];

impl LorenzSimulation {
    /// Simulate.
    ///
    /// # Errors
    /// [`SimulateError`] when a setting is out of range or a unit fires too much.
    pub fn simulate(&self) -> Result<Recording, SimulateError> {
        within("the number of starts", self.conditions as f64, 1.0, 1e4)?;
        within("the number of trials of every start", self.repeats as f64, 1.0, 1e5)?;
        within("the number of units", self.units as f64, 1.0, 1e4)?;
        within("the number of bins per trial", self.bins as f64, 1.0, 1e4)?;
        within("the bin width in seconds", self.bin_s, 1e-4, 0.02)?;
        within("the baseline in Hz", self.baseline_hz, 1e-3, 1e3)?;
        let parameters = format!(
            "{} units, {} starts × {} trials of {:.0} ms, baseline {} Hz",
            self.units,
            self.conditions,
            self.repeats,
            self.bins as f64 * self.bin_s * 1e3,
            self.baseline_hz
        );
        Repeated { name: "lorenz", parameters, rates: self.rates(), repeats: self.repeats, bin_s: self.bin_s, seed: self.seed }.simulate()
    }

    /// True rates `[starts, bins, units]`, spikes per second.
    pub fn rates(&self) -> Array3<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let readout = Array2::from_shape_fn((3, self.units), |_| random.random_range(-1.0..1.0));
        let mut rates = Array3::zeros((self.conditions, self.bins, self.units));
        for mut own in rates.axis_iter_mut(Axis(0)) {
            let start = [random.random_range(-10.0..10.0), random.random_range(-10.0..10.0), random.random_range(15.0..35.0)];
            let settled = self.integrator.path(start, SETTLE, self.bin_s);
            let start = settled.rows().into_iter().next_back().map_or(start, |row| [row[0], row[1], row[2]]);
            let log_rate = standardised(self.integrator.path(start, self.bins, self.bin_s).view()).dot(&readout);
            own.assign(&log_rate.mapv(|x| x.exp() * self.baseline_hz));
        }
        rates
    }
}

impl Integrator {
    /// The system's path `[steps, 3]`, the first row its start.
    pub fn path(self, start: [f64; 3], steps: usize, step: f64) -> Array2<f64> {
        let mut path = Array2::zeros((steps, 3));
        let mut state = start;
        for mut row in path.outer_iter_mut() {
            row.iter_mut().zip(state).for_each(|(to, from)| *to = from);
            state = self.step(state, step);
        }
        path
    }

    fn step(self, s: [f64; 3], dt: f64) -> [f64; 3] {
        let moved = |by: f64, slope: [f64; 3]| [s[0] + by * slope[0], s[1] + by * slope[1], s[2] + by * slope[2]];
        let a = slope(s);
        if self == Self::Euler {
            return moved(dt, a);
        }
        let b = slope(moved(dt / 2.0, a));
        let c = slope(moved(dt / 2.0, b));
        let d = slope(moved(dt, c));
        moved(dt / 6.0, [0, 1, 2].map(|k| a[k] + 2.0 * b[k] + 2.0 * c[k] + d[k]))
    }
}

fn slope([x, y, z]: [f64; 3]) -> [f64; 3] {
    [10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z]
}

/// States less the attractor's mean, over its standard deviation.
fn standardised(path: ArrayView2<'_, f64>) -> Array2<f64> {
    Array2::from_shape_fn(path.dim(), |(at, k)| (path[[at, k]] - MEAN[k]) / SD[k])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::simulate::reference::array;

    #[test]
    fn paths_and_rates_match_the_reference() {
        let start: ndarray::Array1<f64> = array("lorenz/s0");
        let start = [start[0], start[1], start[2]];
        for (integrator, key) in [(Integrator::RungeKutta, "lorenz/rk4_dt0.01"), (Integrator::Euler, "lorenz/euler_dt0.01")] {
            let expected: Array2<f64> = array(key);
            let path = integrator.path(start, expected.nrows(), 0.01);
            assert!(path.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-9 * b.abs().max(1.0)), "{key}");
        }
        let (states, expected): (Array2<f64>, Array2<f64>) = (array("lorenz/rk4_dt0.01"), array("lorenz/standardised"));
        let own = standardised(states.view());
        assert!(own.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9));
        let (readout, log_rate): (Array2<f64>, Array2<f64>) = (array("lorenz/readout"), array("lorenz/log_rate_hz"));
        assert!(own.dot(&readout).iter().zip(&log_rate).all(|(a, b)| (a - b).abs() < 1e-9));
    }

    #[test]
    fn counts_follow_the_attached_rates() {
        let simulation = LorenzSimulation { conditions: 3, repeats: 60, units: 8, baseline_hz: 20.0, ..LorenzSimulation::default() };
        let recording = simulation.simulate().unwrap();
        let rates = recording.truth.as_ref().unwrap().rates.clone().unwrap();
        assert_eq!((rates.values.dim(), rates.bin_s), ((180, 100, 8), 0.01));
        assert_eq!(recording.spikes.block(), simulation.simulate().unwrap().spikes.block(), "the same seed gives the same spikes");
        for unit in 0..8 {
            let expected: f64 = rates.values.index_axis(Axis(2), unit).iter().map(|&r| f64::from(r) * rates.bin_s).sum();
            let got = recording.spikes.unit(unit).len() as f64;
            assert!((got - expected).abs() < 5.0 * expected.sqrt(), "unit {unit}: {got} spikes instead of {expected}");
        }
        let table = recording.table("trials").unwrap();
        assert_eq!((table.len(), table.column("condition").unwrap().values.number(4)), (180, 2.0));
        let spikes = recording.spikes.unit(0);
        assert!(spikes.iter().all(|&t| table.start.iter().zip(&table.stop).any(|(a, b)| t >= *a && t < *b)));
        assert!(LorenzSimulation { units: 0, ..simulation }.simulate().is_err());
    }
}
