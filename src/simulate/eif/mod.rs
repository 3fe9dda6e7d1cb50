//! Networks of exponential integrate-and-fire units in several areas, with input whose timing differs from trial to trial and a
//! slow background that areas may share: the spiking simulations of Xin & Kass 2025 (arXiv 2506.02263, Fig. 3 and 4).
//!
//! Per step of 0.2 ms: `dV = dt/τ (EL − V + Δ exp((V − VT)/Δ)) + noise + synaptic current + external current`, applied twice as in
//! the published code; constants after Huang et al. 2019 (Neuron 101:337). Currents are in mV per 0.1 ms.

mod drive;
mod membrane;
mod settings;
mod trial;
mod truth;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};
use rayon::prelude::*;

use super::SimulateError;
use super::gaussian_process::GaussianProcess;
use super::settings::within;
use crate::recording::{Column, IntervalTable, NamedColumn, Recording, RecordingParts, Source, SpikeTrains};
use drive::Timing;
use trial::{Simulated, Worker};

pub(super) use settings::SETTINGS;

/// Integration step, seconds.
const STEP_S: f64 = 2e-4;
/// Steps of one bin of the published analysis (2 ms), in which true currents are given.
const STEPS_PER_BIN: usize = 10;
/// Bins before the analysed window.
const PAD_BINS: usize = 50;
/// Analysed bins.
const BINS: usize = 250;
/// Steps of one trial.
const STEPS: usize = (PAD_BINS + BINS) * STEPS_PER_BIN;
/// Bins between two trials, in which nothing is recorded.
const GAP_BINS: usize = 50;
/// Weights are log-normal with this standard deviation of their logarithm.
const WEIGHT_SPREAD: f64 = 0.4;
/// Median weight between any two units of one area.
const WITHIN_AREA: f64 = 0.001;
/// Length scale of the background, seconds, in `exp(−d² / 2l²)`.
const BACKGROUND_LENGTH_S: f64 = 0.3;
/// The background is drawn at this spacing, seconds, and interpolated.
const BACKGROUND_SPACING_S: f64 = 0.01;

/// A true coupling from the first units of one area to the first units of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EifEdge {
    /// Sending area.
    pub source: usize,
    /// Receiving area.
    pub target: usize,
}

/// Settings of the simulation; the default is the two-area network of Fig. 3 with coupling 0.1 and backgrounds of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct EifSimulation {
    /// Name of the recording.
    pub name: String,
    /// Names of the areas.
    pub area_names: Vec<String>,
    /// Mean time of the first and second peak of every area's input, milliseconds after the start of the window.
    pub peaks_ms: Vec<(f64, f64)>,
    /// Correlation over trials of the peak times of two areas.
    pub peak_correlation: f64,
    /// Units per area.
    pub units: usize,
    /// Units that take part in an edge on either side; fewer in smaller areas.
    pub coupled: usize,
    /// Number of trials.
    pub trials: usize,
    /// True couplings.
    pub edges: Vec<EifEdge>,
    /// Median weight of a coupled pair of units; 0 for no coupling.
    pub conn: f64,
    /// Share of the background's variance that every area has in common with the first. The correlation of the backgrounds of the
    /// first and another area is its square root.
    pub rho: f64,
    /// Standard deviation of the background, mV per 0.1 ms.
    pub background: f64,
    /// Random seed.
    pub seed: u64,
}

impl Default for EifSimulation {
    fn default() -> Self {
        Self {
            name: "eif".to_owned(),
            area_names: ["V1", "LM"].map(str::to_owned).to_vec(),
            peaks_ms: vec![(60.0, 260.0), (65.0, 265.0)],
            peak_correlation: 0.5,
            units: 50,
            coupled: 10,
            trials: 2000,
            edges: vec![EifEdge { source: 0, target: 1 }],
            conn: 0.1,
            rho: 0.0,
            background: 0.05,
            seed: 1,
        }
    }
}

/// What is drawn once for all trials.
struct Network {
    area_of_unit: Vec<usize>,
    /// Per sending unit: receiving unit and weight.
    outgoing: Vec<Vec<(u32, f32)>>,
    /// Ordered pairs of areas with connections: those of `edges` first, then every area with itself.
    pairs: Vec<(usize, usize)>,
    /// Per sending unit: pair and the weight on the pair's mean current.
    on_pairs: Vec<Vec<(u32, f32)>>,
    /// How strongly every unit takes its area's background.
    loadings: Vec<f32>,
}

impl EifSimulation {
    /// Four areas in a chain with a branch, 0 → 1 → 2 and 0 → 3, with independent input times and backgrounds.
    pub fn four_areas() -> Self {
        Self {
            name: "eif4".to_owned(),
            area_names: ["A", "B", "C", "D"].map(str::to_owned).to_vec(),
            peaks_ms: vec![(60.0, 260.0), (65.0, 265.0), (60.0, 260.0), (65.0, 265.0)],
            peak_correlation: 0.0,
            coupled: 20,
            trials: 1000,
            edges: [(0, 1), (1, 2), (0, 3)].map(|(source, target)| EifEdge { source, target }).to_vec(),
            ..Self::default()
        }
    }

    /// Six visual areas of the mouse, coupled along their hierarchy: a recording to teach with, ours.
    pub fn visual_hierarchy() -> Self {
        let (am, pm, v1, lm, al, rl) = (0, 1, 2, 3, 4, 5);
        Self {
            name: "eif6".to_owned(),
            area_names: ["AM", "PM", "V1", "LM", "AL", "RL"].map(str::to_owned).to_vec(),
            peaks_ms: [84.0, 78.0, 60.0, 66.0, 72.0, 66.0].map(|first| (first, first + 200.0)).to_vec(),
            units: 30,
            trials: 600,
            edges: [(v1, lm), (v1, rl), (lm, al), (lm, pm), (al, am), (pm, am)].map(|(source, target)| EifEdge { source, target }).to_vec(),
            rho: 0.2,
            ..Self::default()
        }
    }

    /// Simulate. Trials are laid out as by [`super::GlmSimulation::simulate`]: one after another with a gap of 100 ms, 100 ms of
    /// padding before each window of 500 ms. Spikes lie in the middle of their step.
    ///
    /// # Errors
    /// [`SimulateError`] when a setting is out of range.
    pub fn simulate(&self) -> Result<Recording, SimulateError> {
        self.check()?;
        let network = self.network();
        let process = self.process();
        let trials: Vec<Simulated> = (0..self.trials)
            .into_par_iter()
            .map_init(|| Worker::new(&network, self.area_names.len()), |worker, trial| worker.simulate(self, &network, &process, trial))
            .collect();
        self.recording(trials, network)
    }

    /// The settings in words, for display.
    pub fn parameters(&self) -> String {
        let edge = |e: &EifEdge| format!("{}→{}", self.area_names[e.source], self.area_names[e.target]);
        let edges: Vec<String> = self.edges.iter().map(edge).collect();
        format!(
            "{} areas of {} units, {} trials of 500 ms, coupling {} ({} units each), shared background {} (correlation {:.2})",
            self.area_names.len(),
            self.units,
            self.trials,
            if self.conn > 0.0 && !edges.is_empty() { format!("{} on {}", self.conn, edges.join(", ")) } else { "none".to_owned() },
            self.coupled_units(),
            self.rho,
            self.rho.sqrt()
        )
    }

    fn check(&self) -> Result<(), SimulateError> {
        within("the number of trials", self.trials as f64, 1.0, 1e5)?;
        within("the number of units per area", self.units as f64, 1.0, 2000.0)?;
        within("the number of coupled units", self.coupled as f64, 1.0, 2000.0)?;
        within("the coupling", self.conn, 0.0, 10.0)?;
        within("the share of common background", self.rho, 0.0, 1.0)?;
        within("the size of the background", self.background, 0.0, 10.0)
    }

    fn coupled_units(&self) -> usize {
        self.coupled.min(self.units)
    }

    /// Stream 0 of the seed draws the network, stream k + 1 everything of trial k: a trial is the same whatever the number of threads.
    fn random(&self, stream: u64) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(stream);
        random
    }

    fn network(&self) -> Network {
        let (areas, n) = (self.area_names.len(), self.units);
        let mut random = self.random(0);
        let loadings = (0..areas * n).map(|_| random.random_range(0.5f32..1.0)).collect();
        let mut network = Network {
            area_of_unit: (0..areas * n).map(|u| u / n).collect(),
            outgoing: vec![Vec::new(); areas * n],
            pairs: Vec::new(),
            on_pairs: vec![Vec::new(); areas * n],
            loadings,
        };
        if self.conn > 0.0 {
            for edge in &self.edges {
                network.connect(edge.source, edge.target, n, self.coupled_units(), self.conn, &mut random);
            }
        }
        for area in 0..areas {
            network.connect(area, area, n, n, WITHIN_AREA, &mut random);
        }
        network
    }

    /// The background of one area, at [`BACKGROUND_SPACING_S`].
    fn process(&self) -> GaussianProcess {
        let points = (STEPS as f64 * STEP_S / BACKGROUND_SPACING_S).round() as usize + 1;
        let length = BACKGROUND_LENGTH_S / BACKGROUND_SPACING_S * std::f64::consts::SQRT_2;
        GaussianProcess::new(points, self.background * self.background, length)
    }

    fn recording(&self, trials: Vec<Simulated>, network: Network) -> Result<Recording, SimulateError> {
        let units = network.area_of_unit.len();
        let bin_s = STEP_S * STEPS_PER_BIN as f64;
        let spacing = (PAD_BINS + BINS + GAP_BINS) as f64 * bin_s;
        let begin = |trial: usize| trial as f64 * spacing;
        let mut times: Vec<Vec<f64>> = vec![Vec::new(); units];
        for (trial, simulated) in trials.iter().enumerate() {
            for &(step, unit) in &simulated.spikes {
                times[usize::from(unit)].push(begin(trial) + (f64::from(step) + 0.5) * STEP_S);
            }
        }
        let window = |trial: usize| begin(trial) + PAD_BINS as f64 * bin_s;
        let table = IntervalTable {
            name: "trials".to_owned(),
            start: (0..self.trials).map(window).collect(),
            stop: (0..self.trials).map(|trial| window(trial) + BINS as f64 * bin_s).collect(),
            columns: self.columns(&trials),
        };
        let parts = RecordingParts {
            name: self.name.clone(),
            spikes: SpikeTrains::from_units(times),
            unit_ids: (0..units).map(|u| u.to_string()).collect(),
            unit_areas: network.area_of_unit.iter().map(|&a| self.area_names[a].clone()).collect(),
            tables: vec![table],
            observed: (0..self.trials).map(|trial| (begin(trial), begin(trial) + (PAD_BINS + BINS) as f64 * bin_s)).collect(),
            truth: Some(truth::of(self, &network, &trials, spacing)),
            ..RecordingParts::default()
        };
        let source = Source::Simulated { simulator: self.name.clone(), parameters: self.parameters(), seed: self.seed };
        Ok(Recording::new(parts, source)?)
    }

    /// What differs between trials: when the input of every area peaks, and its mean background.
    fn columns(&self, trials: &[Simulated]) -> Vec<NamedColumn> {
        let column = |name: String, description: String, value: &dyn Fn(&Simulated) -> f64| NamedColumn {
            name,
            description,
            values: Column::Float(trials.iter().map(value).collect()),
        };
        let mut columns = Vec::new();
        for (area, name) in self.area_names.iter().enumerate() {
            let of = |pick: fn(&Timing) -> f64| move |trial: &Simulated| pick(&trial.timing[area]) / 1e3;
            let about = |which: &str| format!("When the input of {name} has its {which} peak, seconds after the start of the window");
            columns.push(column(format!("first peak of {name}"), about("first"), &of(|t| t.first_ms)));
            columns.push(column(format!("second peak of {name}"), about("second"), &of(|t| t.second_ms)));
            let background = move |trial: &Simulated| {
                let bins = trial.background[area].iter().skip(PAD_BINS);
                bins.map(|&x| f64::from(x)).sum::<f64>() / BINS as f64
            };
            let about = format!("Mean slow background of {name} over the window, mV per 0.1 ms");
            columns.push(column(format!("mean background of {name}"), about, &background));
        }
        columns
    }
}

impl Network {
    /// Connect the first `coupled` units of one area to those of another; `n` units per area.
    fn connect(&mut self, source: usize, target: usize, n: usize, coupled: usize, median: f64, random: &mut ChaCha8Rng) {
        // The median is above 0 and the spread a constant: there is always such a distribution.
        let Ok(weights) = LogNormal::new(median.ln(), WEIGHT_SPREAD) else { return };
        let pair = self.pairs.len() as u32;
        self.pairs.push((source, target));
        for sender in source * n..source * n + coupled {
            let mut sum = 0.0;
            for receiver in target * n..target * n + coupled {
                let weight = weights.sample(random);
                if receiver != sender {
                    self.outgoing[sender].push((receiver as u32, weight as f32));
                    sum += weight;
                }
            }
            self.on_pairs[sender].push((pair, (sum / n as f64) as f32));
        }
    }
}

#[cfg(test)]
mod tests;
