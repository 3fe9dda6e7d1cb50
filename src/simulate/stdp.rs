//! Spike-timing dependent plasticity: Poisson spike trains onto one leaky integrate-and-fire neuron whose synapses change with
//! every spike (Song, Miller & Abbott 2000; settings of Lu et al., ICLR 2025, §3.2, after Neuromatch). The true strength of every
//! synapse at every moment is known. The default seed gives the published spike trains to the bit.

use ndarray::{Array2, ArrayView2};

use super::SimulateError;
use super::mersenne::MersenneTwister;
use super::settings::{Setting, number, whole, within};
use crate::recording::{ChangingWeights, Covariate, Recording, RecordingParts, Source, SpikeTrains, Truth, UnitEdge};

/// Seconds per step.
const STEP_S: f64 = 1e-3;
/// Threshold of the membrane potential, mV.
const V_THRESHOLD: f64 = -55.0;
/// Potential after a spike, mV.
const V_RESET: f64 = -75.0;
/// Potential at rest, mV.
const V_LEAK: f64 = -75.0;
/// Potential at the start, mV.
const V_START: f64 = -65.0;
/// Reversal potential of the synapses, mV.
const V_EXCITATORY: f64 = 0.0;
/// Membrane time constant, steps.
const TAU_MEMBRANE: f64 = 10.0;
/// Decay of the synaptic conductance, steps.
const TAU_SYNAPSE: f64 = 5.0;
/// Decay of the traces of plasticity, steps.
const TAU_PLASTICITY: f64 = 20.0;
/// Steps without spikes after a spike.
const REFRACTORY: usize = 2;
/// Growth of a synapse whose spike comes just before the neuron's, as a share of the largest conductance.
const POTENTIATION: f64 = 0.008;
/// Shrinkage of a synapse whose spike comes just after the neuron's.
const DEPRESSION: f64 = 1.1 * POTENTIATION;

/// Settings; the default is as published.
#[derive(Debug, Clone, PartialEq)]
pub struct StdpSimulation {
    /// Synapses, each with its own Poisson train.
    pub synapses: usize,
    /// Steps of 1 ms.
    pub steps: usize,
    /// Rate of the trains, spikes per second.
    pub rate_hz: f64,
    /// Largest conductance, in units of the leak conductance.
    pub largest: f64,
    /// Conductance at the start.
    pub start: f64,
    /// Steps between two samples of the true strengths.
    pub sample_every: usize,
    /// Random seed of the trains (that of numpy's `RandomState`).
    pub seed: u64,
}

impl Default for StdpSimulation {
    fn default() -> Self {
        Self { synapses: 100, steps: 100_000, rate_hz: 50.0, largest: 0.024, start: 0.014, sample_every: 10, seed: 2020 }
    }
}

pub(super) const SETTINGS: [Setting<StdpSimulation>; 5] = [
    Setting { key: "seed", expected: "a whole number", read: |s, v| v.parse().ok().map(|n| s.seed = n) },
    Setting { key: "steps", expected: "a whole number of steps, for example 5000", read: |s, v| whole(v).map(|n| s.steps = n) },
    Setting { key: "synapses", expected: "a whole number of synapses, for example 100", read: |s, v| whole(v).map(|n| s.synapses = n) },
    Setting { key: "rate_hz", expected: "a rate in Hz, for example 50", read: |s, v| number(v).map(|x| s.rate_hz = x) },
    Setting {
        key: "sample_every",
        expected: "a whole number of steps between two samples of the true strengths, for example 10",
        read: |s, v| whole(v).map(|n| s.sample_every = n),
    },
];

/// What happens in the neuron.
struct Course {
    /// Membrane potential, mV, every step.
    potential: Vec<f64>,
    /// Steps at which the threshold was crossed.
    spikes: Vec<usize>,
    /// Strengths `[samples, synapses]`.
    strengths: Array2<f32>,
    /// Total conductance, in units of the leak conductance, every step.
    conductance: Vec<f64>,
}

impl StdpSimulation {
    /// Simulate. Unit 0 is the neuron, units 1 to 100 are the trains; `membrane potential` and `synaptic conductance` are
    /// covariates with one sample per step, timed like the spikes in the middle of the step.
    ///
    /// # Errors
    /// [`SimulateError`] when a setting is out of range.
    pub fn simulate(&self) -> Result<Recording, SimulateError> {
        within("the number of synapses", self.synapses as f64, 1.0, 5000.0)?;
        within("the number of steps", self.steps as f64, 2.0, 1e7)?;
        within("the number of synapses times steps", (self.synapses * self.steps) as f64, 2.0, 1e8)?;
        within("the rate in Hz", self.rate_hz, 0.0, 1000.0)?;
        within("the number of steps between two samples of the true strengths", self.sample_every as f64, 1.0, 1e6)?;
        within("the seed", self.seed as f64, 0.0, f64::from(u32::MAX))?;
        let trains = self.trains();
        let course = self.course(trains.view());
        // In the middle of its step: no binning into steps can then move a spike.
        let time = |step: usize| (step as f64 + 0.5) * STEP_S;
        let mut units = vec![course.spikes.iter().map(|&step| time(step)).collect::<Vec<f64>>()];
        units.extend(trains.outer_iter().map(|train| {
            let spikes = train.iter().enumerate().filter(|(_, spike)| **spike);
            spikes.map(|(step, _)| time(step)).collect::<Vec<f64>>()
        }));
        let samples = course.strengths.nrows();
        let changing = ChangingWeights {
            pre: (1..=self.synapses).collect(),
            post: vec![0; self.synapses],
            times: (0..samples).map(|k| (k * self.sample_every) as f64 * STEP_S).collect(),
            values: course.strengths.into_shared(),
        };
        let length = self.steps as f64 * STEP_S;
        let edges = changing.mean_between(0.0, length).into_iter().enumerate();
        let edges = edges.map(|(k, weight)| UnitEdge { pre: k + 1, post: 0, weight, delay_s: STEP_S }).collect();
        let ids = std::iter::once("neuron".to_owned()).chain((1..=self.synapses).map(|k| format!("input {k}")));
        let areas = std::iter::once("postsynaptic".to_owned()).chain((0..self.synapses).map(|_| "presynaptic".to_owned()));
        let parts = RecordingParts {
            name: "stdp".to_owned(),
            spikes: SpikeTrains::from_units(units),
            unit_ids: ids.collect(),
            unit_areas: areas.collect(),
            covariates: vec![
                Covariate {
                    name: "membrane potential".to_owned(),
                    unit: "mV".to_owned(),
                    times: (0..self.steps).map(time).collect(),
                    values: course.potential,
                },
                Covariate {
                    name: "synaptic conductance".to_owned(),
                    unit: "leak conductance".to_owned(),
                    times: (0..self.steps).map(time).collect(),
                    values: course.conductance,
                },
            ],
            observed: vec![(0.0, length)],
            truth: Some(Truth { unit_edges: Some(edges), changing: Some(changing), ..Truth::default() }),
            ..RecordingParts::default()
        };
        let parameters = format!("{} synapses, {} s, trains of {} Hz", self.synapses, length, self.rate_hz);
        Ok(Recording::new(parts, Source::Simulated { simulator: "stdp".to_owned(), parameters, seed: self.seed })?)
    }

    /// Whether each train has a spike in each step, `[synapses, steps]`.
    fn trains(&self) -> Array2<bool> {
        let mut random = MersenneTwister::new(self.seed as u32);
        Array2::from_shape_fn((self.synapses, self.steps), |_| random.uniform() < self.rate_hz * STEP_S)
    }

    fn course(&self, trains: ArrayView2<'_, bool>) -> Course {
        let (synapses, steps) = trains.dim();
        let mut potential = vec![0.0; steps];
        let mut conductance = vec![0.0; steps];
        let mut strengths = Array2::zeros((steps.div_ceil(self.sample_every), synapses));
        let (mut spikes, mut waiting) = (Vec::new(), 0);
        let (mut before, mut after) = (vec![0.0; synapses], 0.0);
        let mut strength = vec![self.start; synapses];
        // By step, so that the loop over synapses reads memory in order.
        let by_step = trains.t().as_standard_layout().into_owned();
        let mut now = V_START;
        for (step, train) in by_step.outer_iter().enumerate() {
            if step > 0 {
                for (trace, &spike) in before.iter_mut().zip(train) {
                    *trace += POTENTIATION * f64::from(u8::from(spike)) - *trace / TAU_PLASTICITY;
                }
            }
            // The last step is only arrived at.
            let last = step + 1 == steps;
            if !last && waiting > 0 {
                now = V_RESET;
                waiting -= 1;
            } else if !last && now >= V_THRESHOLD {
                spikes.push(step);
                now = V_RESET;
                after -= DEPRESSION;
                strength.iter_mut().zip(&before).for_each(|(g, p)| *g = (*g + p * self.largest).min(self.largest));
                waiting = REFRACTORY;
            }
            if step % self.sample_every == 0 {
                strengths.row_mut(step / self.sample_every).iter_mut().zip(&strength).for_each(|(sample, g)| *sample = *g as f32);
            }
            potential[step] = now;
            if last {
                break;
            }
            let arriving: f64 = strength.iter().zip(train).filter(|(_, spike)| **spike).map(|(g, _)| g).sum();
            conductance[step + 1] = conductance[step] - conductance[step] / TAU_SYNAPSE + arriving;
            for (g, _) in strength.iter_mut().zip(train).filter(|(_, spike)| **spike) {
                *g = (*g + after * self.largest).max(0.0);
            }
            after -= after / TAU_PLASTICITY;
            now += (-(now - V_LEAK) - conductance[step + 1] * (now - V_EXCITATORY)) / TAU_MEMBRANE;
        }
        Course { potential, spikes, strengths, conductance }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::analysis::connectivity::{Samples, lagged, least_squares, r_squared};
    use crate::simulate::reference::netformer;
    use ndarray::{Array1, Axis};

    fn close(own: f64, expected: f64, tolerance: f64) -> bool {
        (own - expected).abs() <= tolerance * expected.abs().max(1e-3)
    }

    #[test]
    fn the_neuron_matches_the_reference_on_given_trains() {
        let trains: Array2<u8> = netformer("stdp_short/spikes");
        let simulation =
            StdpSimulation { synapses: 20, steps: 3000, largest: 0.12, start: 0.07, sample_every: 100, ..StdpSimulation::default() };
        let course = simulation.course(trains.mapv(|s| s > 0).view());
        let (v, post): (Array1<f64>, Array1<f64>) = (netformer("stdp_short/v"), netformer("stdp_short/post"));
        assert_eq!(course.spikes.iter().map(|&s| s as f64).collect::<Vec<_>>(), post.to_vec());
        assert!(course.potential.iter().zip(&v).all(|(own, v)| close(*own, *v, 1e-9)), "membrane potential");
        let (g, end): (Array2<f64>, Array1<f64>) = (netformer("stdp_short/g_every100"), netformer("stdp_short/g_end"));
        for ((sample, synapse), own) in course.strengths.indexed_iter() {
            assert!(close(f64::from(*own), g[[synapse, sample]], 1e-6), "synapse {synapse}, sample {sample}");
        }
        let every = StdpSimulation { sample_every: 1, ..simulation }.course(trains.mapv(|s| s > 0).view());
        assert!(every.strengths.row(2999).iter().zip(&end).all(|(own, g)| close(f64::from(*own), *g, 1e-6)), "after the last step");
        let conductance: Array1<f64> = netformer("stdp_short/gE_every100");
        assert!(conductance.iter().enumerate().all(|(k, g)| close(course.conductance[100 * k], *g, 1e-9)));
    }

    /// The published simulation: its trains to the bit, and everything that follows from them.
    #[test]
    fn the_default_is_the_published_simulation() {
        let recording = StdpSimulation::default().simulate().unwrap();
        let counts: Array1<f64> = netformer("stdp_full/pre_counts");
        let own: Vec<f64> = (1..=100).map(|unit| recording.spikes.unit(unit).len() as f64).collect();
        assert_eq!(own, counts.to_vec());
        let (post, total): (Array1<f64>, ndarray::Array0<f64>) = (netformer("stdp_full/first_post"), netformer("stdp_full/post_count"));
        let neuron = recording.spikes.unit(0);
        assert_eq!(neuron.len() as f64, total.into_scalar());
        assert!(neuron.iter().zip(&post).all(|(own, step)| (own - (step + 0.5) * 1e-3).abs() < 1e-9));
        let potential = &recording.covariates[0].values;
        let mean = potential.iter().sum::<f64>() / 1e5;
        let sd = (potential.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 1e5).sqrt();
        let expected: Array1<f64> = netformer("stdp_full/v_mean_sd");
        assert!(close(mean, expected[0], 1e-9) && close(sd, expected[1], 1e-9), "{mean} {sd}");
        let changing = recording.truth.as_ref().unwrap().changing.as_ref().unwrap();
        let (ends, first_last): (Array1<f64>, Array1<f64>) = (netformer("stdp_full/g_end"), netformer("stdp_full/g_mean_start_end"));
        assert!((f64::from(changing.values.row(0).mean().unwrap()) - first_last[0]).abs() < 1e-8);
        // The last sample lies 9 steps before the end.
        let last = changing.values.row(9999);
        let close_to_end = last.iter().zip(&ends).filter(|(own, g)| (f64::from(**own) - **g).abs() < 1e-3).count();
        assert!(close_to_end > 90 && (f64::from(last.mean().unwrap()) - first_last[1]).abs() < 2e-4);
        assert_eq!((changing.synapse(1, 0), changing.synapse(100, 0), changing.synapse(0, 1)), (Some(0), Some(99), None));
    }

    /// The published baseline (least squares on five steps of everything, R² 0.777 on 100 s), on the first 20 s.
    #[test]
    fn linear_regression_predicts_the_potential_in_part() {
        let simulation = StdpSimulation { synapses: 100, steps: 20_000, ..StdpSimulation::default() };
        let (trains, mut tokens) = (simulation.trains(), Array2::zeros((20_000, 101)));
        let potential = simulation.course(trains.view()).potential;
        let mean = potential.iter().sum::<f64>() / 20_000.0;
        let sd = (potential.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 20_000.0).sqrt();
        for (step, mut row) in tokens.outer_iter_mut().enumerate() {
            row[0] = (potential[step] - mean) / sd;
            row.iter_mut().skip(1).zip(trains.column(step)).for_each(|(token, spike)| *token = f64::from(u8::from(*spike)));
        }
        let part = |rows: std::ops::Range<usize>| lagged(&Samples::whole(tokens.slice_axis(Axis(0), rows.into())), 5);
        let ((features, targets), (test_features, test_targets)) = (part(0..16_000), part(16_000..20_000));
        let first = |targets: &Array2<f64>| targets.slice_axis(Axis(1), (0..1).into()).to_owned();
        let fit = least_squares(features.view(), first(&targets).view(), false);
        let r2 = r_squared(fit.predict(test_features.view()).view(), first(&test_targets).view());
        assert!((0.65..0.88).contains(&r2), "{r2}");
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let small = StdpSimulation { synapses: 3, steps: 100, sample_every: 7, ..StdpSimulation::default() };
        let changing = small.simulate().unwrap().truth.unwrap().changing.unwrap();
        assert_eq!((changing.values.dim(), changing.times[14]), ((15, 3), 98.0 * 1e-3));
        assert!(StdpSimulation { sample_every: 0, ..small.clone() }.simulate().is_err());
        assert!(StdpSimulation { rate_hz: 2000.0, ..small.clone() }.simulate().is_err());
        assert!(StdpSimulation { seed: u64::MAX, ..small }.simulate().is_err());
    }
}
