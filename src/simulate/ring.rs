//! Ring networks in which neighbours are correlated without being connected more strongly (Das & Fiete 2020): a continuous and a
//! spiking one, as in Lu et al. (ICLR 2025, appendix A.9). The stronger the recurrence, the more false connections any method that
//! looks at correlations finds.

use ndarray::{Array1, Array2};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::SimulateError;
use super::continuous::Continuous;
use super::settings::{Setting, number, whole, within};
use crate::recording::{Activity, Recording, RecordingParts, Source, SpikeTrains, Truth, UnitEdge};

/// Widths of the excitatory and the inhibitory part of the connections, units.
const WIDTHS: (f64, f64) = (6.98, 7.0);
/// Strength of the inhibitory part.
const INHIBITION: f64 = 1.0005;
/// Factor on the weights of the continuous ring.
const GAIN: f64 = 22.0;
/// Seconds per step of the continuous ring; the paper gives none.
const CONTINUOUS_S: f64 = 0.1;
/// Seconds per step of the spiking ring.
const STEP_S: f64 = 1e-4;
/// Decay of a spike's trace, seconds.
const TAU_S: f64 = 0.01;
/// Constant drive of the spiking ring.
const DRIVE: f64 = 0.001;
/// Steps before the spiking ring is recorded.
const SETTLE: usize = 10_000;
/// Published recurrence strengths with the threshold that keeps the rate alike.
const THRESHOLDS: [(f64, f64); 10] = [
    (0.0025, 0.0013),
    (0.005, 0.0012),
    (0.0075, 0.0011),
    (0.01, 0.001),
    (0.0125, 9.55e-4),
    (0.015, 8.93e-4),
    (0.0175, 8.52e-4),
    (0.02, 8.15e-4),
    (0.0225, 7.75e-4),
    (0.025, 7.4e-4),
];

/// Settings of the continuous ring; the default is as published.
#[derive(Debug, Clone, PartialEq)]
pub struct RingSimulation {
    /// Units on the ring.
    pub units: usize,
    /// Steps.
    pub steps: usize,
    /// Random seed.
    pub seed: u64,
}

impl Default for RingSimulation {
    fn default() -> Self {
        Self { units: 100, steps: 30_000, seed: 42 }
    }
}

/// Settings of the spiking ring; the default is as published, in the middle of the published strengths.
#[derive(Debug, Clone, PartialEq)]
pub struct SpikingRingSimulation {
    /// Units on the ring.
    pub units: usize,
    /// Recorded steps of 0.1 ms.
    pub steps: usize,
    /// Factor on the recurrent weights.
    pub recurrence: f64,
    /// Random seed.
    pub seed: u64,
}

impl Default for SpikingRingSimulation {
    fn default() -> Self {
        Self { units: 100, steps: 100_000, recurrence: 0.015, seed: 0 }
    }
}

pub(super) const SETTINGS: [Setting<RingSimulation>; 3] = [
    Setting { key: "seed", expected: "a whole number", read: |s, v| v.parse().ok().map(|n| s.seed = n) },
    Setting { key: "units", expected: "a whole number of units, for example 60", read: |s, v| whole(v).map(|n| s.units = n) },
    Setting { key: "steps", expected: "a whole number of steps, for example 5000", read: |s, v| whole(v).map(|n| s.steps = n) },
];

pub(super) const SPIKING_SETTINGS: [Setting<SpikingRingSimulation>; 4] = [
    Setting { key: "seed", expected: "a whole number", read: |s, v| v.parse().ok().map(|n| s.seed = n) },
    Setting { key: "units", expected: "a whole number of units, for example 60", read: |s, v| whole(v).map(|n| s.units = n) },
    Setting { key: "steps", expected: "a whole number of steps, for example 5000", read: |s, v| whole(v).map(|n| s.steps = n) },
    Setting {
        key: "recurrence",
        expected: "a factor on the recurrent weights from 0.0025 to 0.025, for example 0.015",
        read: |s, v| number(v).map(|x| s.recurrence = x),
    },
];

/// Weights `[units, units]`: by distance on the ring, the same for every unit.
fn weights(units: usize) -> Array2<f64> {
    Array2::from_shape_fn((units, units), |(i, j)| {
        let apart = i.abs_diff(j);
        let squared = (apart.min(units - apart) as f64).powi(2);
        let bell = |width: f64| (-squared / (2.0 * width * width)).exp();
        bell(WIDTHS.0) - INHIBITION * bell(WIDTHS.1)
    })
}

/// `scale` times a normal number where a second one exceeds `gate`, else 0.
fn sparse_noise(units: usize, gate: f64, scale: f64, random: &mut ChaCha8Rng) -> Array1<f64> {
    let mut normal = || <StandardNormal as Distribution<f64>>::sample(&StandardNormal, random);
    Array1::from_shape_fn(units, |_| {
        let (value, open) = (normal(), normal());
        if open > gate { scale * value } else { 0.0 }
    })
}

impl RingSimulation {
    /// Simulate.
    ///
    /// # Errors
    /// [`SimulateError`] when a setting is out of range.
    pub fn simulate(&self) -> Result<Recording, SimulateError> {
        within("the number of units", self.units as f64, 2.0, 2000.0)?;
        within("the number of steps", self.steps as f64, 2.0, 1e6)?;
        within("the number of values (units times steps)", (self.units * self.steps) as f64, 4.0, 1e8)?;
        let weights = weights(self.units) * GAIN;
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut state = Array1::zeros(self.units);
        let mut values = Array2::zeros((self.steps, self.units));
        for mut row in values.outer_iter_mut().skip(1) {
            state = continuous_step(&weights, &state, &sparse_noise(self.units, 1.0, 1.0, &mut random));
            row.assign(&state);
        }
        Continuous {
            name: "ring",
            parameters: format!("{} units, {} steps", self.units, self.steps),
            seed: self.seed,
            bin_s: CONTINUOUS_S,
            values,
            unit_columns: Vec::new(),
            tables: Vec::new(),
            covariates: Vec::new(),
            truth: Truth { unit_edges: Some(UnitEdge::of_weights(&weights)), ..Truth::default() },
        }
        .recording()
    }
}

fn continuous_step(weights: &Array2<f64>, state: &Array1<f64>, noise: &Array1<f64>) -> Array1<f64> {
    (weights.dot(state) + noise + 1.0).mapv_into(f64::tanh)
}

impl SpikingRingSimulation {
    /// Simulate. Besides the spikes, the recording has the trace of every unit's spikes as continuous activity; its value in a
    /// bin is the one that decides about the spikes of that bin.
    ///
    /// # Errors
    /// [`SimulateError`] when a setting is out of range.
    pub fn simulate(&self) -> Result<Recording, SimulateError> {
        within("the number of units", self.units as f64, 2.0, 2000.0)?;
        within("the number of steps", self.steps as f64, 2.0, 1e7)?;
        within("the number of values (units times steps)", (self.units * self.steps) as f64, 4.0, 1e8)?;
        let (weakest, strongest) = (THRESHOLDS[0].0, THRESHOLDS[THRESHOLDS.len() - 1].0);
        within("the factor on the recurrent weights", self.recurrence, weakest, strongest)?;
        let weights = weights(self.units) * self.recurrence;
        let threshold = self.threshold();
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut trace = Array1::<f64>::zeros(self.units);
        let mut traces = Array2::zeros((self.steps, self.units));
        let mut times = vec![Vec::new(); self.units];
        for step in 0..SETTLE + self.steps {
            let recorded = step.checked_sub(SETTLE);
            if let Some(bin) = recorded {
                traces.row_mut(bin).assign(&trace);
            }
            let input = weights.dot(&trace) + (sparse_noise(self.units, 1.5, 0.3, &mut random) + 1.0) * DRIVE;
            trace *= 1.0 - STEP_S / TAU_S;
            for ((input, trace), times) in input.iter().zip(trace.iter_mut()).zip(&mut times) {
                if *input > threshold {
                    *trace += 1.0;
                    times.extend(recorded.map(|bin| (bin as f64 + 0.5) * STEP_S));
                }
            }
        }
        let parts = RecordingParts {
            name: "spiking_ring".to_owned(),
            spikes: SpikeTrains::from_units(times),
            unit_ids: (0..self.units).map(|unit| unit.to_string()).collect(),
            unit_areas: vec!["spiking_ring".to_owned(); self.units],
            activity: Some(Activity {
                name: "spike trace".to_owned(),
                unit: String::new(),
                start_s: 0.0,
                bin_s: STEP_S,
                values: traces.into_shared(),
            }),
            observed: vec![(0.0, self.steps as f64 * STEP_S)],
            truth: Some(Truth { unit_edges: Some(UnitEdge::of_weights(&weights)), ..Truth::default() }),
            ..RecordingParts::default()
        };
        let parameters =
            format!("{} units, {} s, recurrence {}, threshold {threshold:.3e}", self.units, self.steps as f64 * STEP_S, self.recurrence);
        Ok(Recording::new(parts, Source::Simulated { simulator: "spiking_ring".to_owned(), parameters, seed: self.seed })?)
    }

    /// The published threshold, in between two published strengths on the line between theirs.
    fn threshold(&self) -> f64 {
        let between = THRESHOLDS.windows(2).find(|pair| pair[1].0 >= self.recurrence);
        match between {
            Some(&[(low, at_low), (high, at_high)]) => at_low + (at_high - at_low) * (self.recurrence - low) / (high - low),
            _ => THRESHOLDS[THRESHOLDS.len() - 1].1,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::simulate::reference::netformer;

    #[test]
    fn weights_and_steps_match_the_reference() {
        let row: Array1<f64> = netformer("ring/row0");
        let unscaled = weights(100);
        assert!(unscaled.row(0).iter().zip(&row).all(|(a, b)| (a - b).abs() < 1e-15));
        assert!(unscaled.iter().all(|w| (-2.29e-3..0.0).contains(w)), "all inhibitory");
        let (noise, gate): (Array2<f64>, Array2<f64>) = (netformer("ring/noise"), netformer("ring/gate"));
        let (row5, last): (Array1<f64>, Array1<f64>) = (netformer("ring/x_row5"), netformer("ring/x_last"));
        let mut states = vec![Array1::<f64>::zeros(100)];
        for (noise, gate) in noise.outer_iter().zip(gate.outer_iter()) {
            let noise = Array1::from_iter(noise.iter().zip(gate).map(|(n, g)| if *g > 1.0 { *n } else { 0.0 }));
            states.push(continuous_step(&(&unscaled * GAIN), &states[states.len() - 1], &noise));
        }
        let close = |a: &Array1<f64>, b: &Array1<f64>| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(close(&states[5], &row5) && close(&states[29], &last));
    }

    #[test]
    fn the_spiking_ring_fires_at_the_published_rate_and_its_traces_follow_its_spikes() {
        let simulation = SpikingRingSimulation { steps: 4000, ..SpikingRingSimulation::default() };
        let recording = simulation.simulate().unwrap();
        let (spikes, activity) = (&recording.spikes, recording.activity.as_ref().unwrap());
        // About 50 000 spikes in 8 s of 100 units.
        let rate = spikes.n_spikes() as f64 / 100.0 / 0.4;
        assert!((30.0..100.0).contains(&rate), "{rate} Hz");
        for unit in [0, 57] {
            let mut trace = activity.values[[0, unit]];
            let mut times = spikes.unit(unit).iter().map(|t| (t / STEP_S) as usize).peekable();
            for bin in 0..3999 {
                trace *= 0.99;
                while times.next_if(|&t| t == bin).is_some() {
                    trace += 1.0;
                }
                assert!((trace - activity.values[[bin + 1, unit]]).abs() < 1e-9, "bin {bin}");
            }
        }
        let truth = recording.truth.as_ref().unwrap().unit_weights(100).unwrap();
        assert!((truth[[3, 10]] - 0.015 * weights(100)[[3, 10]]).abs() < 1e-18);
    }

    #[test]
    fn thresholds_lie_between_the_published_ones() {
        let threshold = |recurrence| SpikingRingSimulation { recurrence, ..SpikingRingSimulation::default() }.threshold();
        for (recurrence, expected) in THRESHOLDS {
            assert!((threshold(recurrence) - expected).abs() < 1e-15);
        }
        assert!((threshold(0.00375) - 0.00125).abs() < 1e-15);
        assert!(SpikingRingSimulation { recurrence: 0.1, ..SpikingRingSimulation::default() }.simulate().is_err());
        assert!(RingSimulation { units: 1, ..RingSimulation::default() }.simulate().is_err());
    }

    #[test]
    fn neighbours_on_the_ring_are_correlated() {
        let recording = RingSimulation { steps: 3000, ..RingSimulation::default() }.simulate().unwrap();
        let values = &recording.activity.as_ref().unwrap().values;
        assert!(values.iter().all(|v| v.abs() <= 1.0));
        assert_eq!(recording.truth.as_ref().unwrap().unit_weights(100).unwrap()[[0, 1]], 22.0 * weights(100)[[0, 1]]);
    }
}
