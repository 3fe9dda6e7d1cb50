//! Poisson units of a chaotic recurrent network (Sussillo & Abbott 2009, as in LFADS and NDT): every start of the network is
//! repeated in several trials. The published data need numpy's generator to the bit; ours have the same dynamics and settings.

use ndarray::{Array1, Array2, Array3, Axis};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::SimulateError;
use super::from_rates::Repeated;
use super::settings::{Setting, number, whole, within};
use crate::recording::Recording;

/// Settings; the default is that of the paper's generator.
#[derive(Debug, Clone, PartialEq)]
pub struct ChaoticRnnSimulation {
    /// Starts of the network.
    pub conditions: usize,
    /// Trials of every start.
    pub repeats: usize,
    /// Units.
    pub units: usize,
    /// Bins per trial; a bin is one step.
    pub bins: usize,
    /// Gain of the recurrent weights; above 1 the network is chaotic.
    pub gain: f64,
    /// Time constant, seconds.
    pub tau_s: f64,
    /// Bin width and step, seconds.
    pub bin_s: f64,
    /// Rate where a unit is most active in a trial, spikes per second; where it is least active, the rate is 0.
    pub peak_hz: f64,
    /// Random seed.
    pub seed: u64,
}

impl Default for ChaoticRnnSimulation {
    fn default() -> Self {
        Self { conditions: 130, repeats: 10, units: 50, bins: 100, gain: 1.5, tau_s: 0.025, bin_s: 0.01, peak_hz: 30.0, seed: 5 }
    }
}

pub(super) const SETTINGS: [Setting<ChaoticRnnSimulation>; 7] = [
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
    Setting {
        key: "gain",
        expected: "a factor on the recurrent weights, for example 1.5 (above 1 is chaotic)",
        read: |s, v| number(v).map(|x| s.gain = x),
    },
    Setting { key: "peak_hz", expected: "a rate in Hz, for example 30", read: |s, v| number(v).map(|x| s.peak_hz = x) },
];

impl ChaoticRnnSimulation {
    /// Simulate.
    ///
    /// # Errors
    /// [`SimulateError`] when a setting is out of range.
    pub fn simulate(&self) -> Result<Recording, SimulateError> {
        within("the number of starts", self.conditions as f64, 1.0, 1e4)?;
        within("the number of trials of every start", self.repeats as f64, 1.0, 1e5)?;
        within("the number of units", self.units as f64, 1.0, 1e4)?;
        within("the number of bins per trial", self.bins as f64, 2.0, 1e4)?;
        within("the gain", self.gain, 0.0, 100.0)?;
        within("the time constant in seconds", self.tau_s, self.bin_s, 10.0)?;
        within("the bin width in seconds", self.bin_s, 1e-4, 1.0)?;
        within("the peak rate in Hz", self.peak_hz, 1e-3, 1e3)?;
        let parameters = format!(
            "{} units, {} starts × {} trials of {:.0} ms, gain {}, peak rate {} Hz",
            self.units,
            self.conditions,
            self.repeats,
            self.bins as f64 * self.bin_s * 1e3,
            self.gain,
            self.peak_hz
        );
        let (rates, bin_s) = (self.rates(), self.bin_s);
        Repeated { name: "chaotic_rnn", parameters, rates, repeats: self.repeats, bin_s, seed: self.seed }.simulate()
    }

    /// True rates `[starts, bins, units]`, spikes per second.
    pub fn rates(&self) -> Array3<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut normal = || <StandardNormal as Distribution<f64>>::sample(&StandardNormal, &mut random);
        let scale = 1.0 / (self.units as f64).sqrt();
        let weights = Array2::from_shape_fn((self.units, self.units), |_| normal() * scale);
        let mut rates = Array3::zeros((self.conditions, self.bins, self.units));
        for mut own in rates.axis_iter_mut(Axis(0)) {
            let start = Array1::from_shape_fn(self.units, |_| normal());
            own.assign(&(zero_to_one(&self.path(&weights, start)) * self.peak_hz));
        }
        rates
    }

    /// States `[bins, units]` after each step from a start (which is not among them).
    fn path(&self, weights: &Array2<f64>, start: Array1<f64>) -> Array2<f64> {
        let share = self.bin_s / self.tau_s;
        let mut state = start;
        let mut path = Array2::zeros((self.bins, state.len()));
        for mut row in path.outer_iter_mut() {
            let drive = weights.dot(&state.mapv(f64::tanh));
            state = state * (1.0 - share) + drive * (share * self.gain);
            row.assign(&state);
        }
        path
    }
}

/// tanh of the states, every unit stretched from its lowest to its highest value in the trial.
fn zero_to_one(path: &Array2<f64>) -> Array2<f64> {
    let mut rates = path.mapv(f64::tanh);
    for mut unit in rates.columns_mut() {
        let (low, high) = unit.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &r| (low.min(r), high.max(r)));
        // A unit that never moves has no range.
        unit.mapv_inplace(|r| if high > low { (r - low) / (high - low) } else { 0.0 });
    }
    rates
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::simulate::reference::array;

    #[test]
    fn the_path_matches_the_reference() {
        let (weights, start): (Array2<f64>, Array1<f64>) = (array("chaotic/W"), array("chaotic/x0"));
        let (states, rates): (Array2<f64>, Array2<f64>) = (array("chaotic/x"), array("chaotic/rate_min_max"));
        let rows: Array1<f64> = array("chaotic/x_rows");
        let path = ChaoticRnnSimulation::default().path(&weights, start);
        for (row, expected) in rows.iter().zip(states.outer_iter()) {
            let own = path.row(*row as usize);
            assert!(own.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-9 * b.abs().max(1.0)), "state {row}");
        }
        let own = zero_to_one(&path);
        for (row, expected) in [0, 9, 49, 99].into_iter().zip(rates.outer_iter()) {
            assert!(own.row(row).iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9), "rates {row}");
        }
        assert_eq!((states.nrows(), rates.nrows()), (rows.len(), 4));
    }

    #[test]
    fn rates_fill_their_range_and_the_network_is_chaotic() {
        let simulation = ChaoticRnnSimulation { conditions: 4, repeats: 2, units: 30, ..ChaoticRnnSimulation::default() };
        let recording = simulation.simulate().unwrap();
        let rates = recording.truth.as_ref().unwrap().rates.as_ref().unwrap();
        assert_eq!(rates.values.dim(), (8, 100, 30));
        for trial in rates.values.outer_iter() {
            for unit in trial.columns() {
                let (low, high) = unit.iter().fold((f32::INFINITY, 0.0f32), |(a, b), &r| (a.min(r), b.max(r)));
                assert!(low == 0.0 && (high - 30.0).abs() < 1e-4);
            }
        }
        assert_eq!(rates.values.index_axis(Axis(0), 0), rates.values.index_axis(Axis(0), 4), "a start is repeated");
        let expected: f64 = rates.values.iter().map(|&r| f64::from(r) * 0.01).sum();
        let got = recording.spikes.n_spikes() as f64;
        assert!((got - expected).abs() < 5.0 * expected.sqrt(), "{got} spikes instead of {expected}");
        assert!(ChaoticRnnSimulation { tau_s: 0.001, ..simulation }.simulate().is_err());
    }
}
