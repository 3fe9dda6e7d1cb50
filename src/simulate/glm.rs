//! The GLM simulation of Xin & Kass 2025 (arXiv 2506.02263, Fig. 2): Poisson units in several areas, slow Gaussian-process
//! factors per area and trial, low-rank coupling between areas and a post-spike filter, simulated bin by bin.
//!
//! With y the counts, per 2-ms bin: `log rate = baseline + loadings · factors + Σ edges v · (h * u'y) + g * y`, filters acting
//! from a lag of one bin on.

use ndarray::{Array2, Array4, ArrayView3, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::SimulateError;
use super::draws::{draw_count, spread, unit_weights};
use super::gaussian_process::GaussianProcess;
use crate::analysis::bases;
use crate::analysis::true_rates::{LARGEST_LOG_RATE, own_dynamics};
use crate::recording::{Column, GlmTruth, IntervalTable, NamedColumn, Recording, RecordingParts, Source, SpikeTrains, TrueEdge, Truth};

/// Bins between two trials, in which nothing is recorded.
const GAP_BINS: usize = 50;

/// A true coupling from the first `units` units of one area to the first `units` units of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlmEdge {
    /// Sending area.
    pub source: usize,
    /// Receiving area.
    pub target: usize,
    /// How many units take part on either side.
    pub units: usize,
}

/// Settings of the simulation; the default is Fig. 2 of the paper.
#[derive(Debug, Clone, PartialEq)]
pub struct GlmSimulation {
    /// Name of the recording.
    pub name: String,
    /// Units per area.
    pub areas: Vec<usize>,
    /// Names of the areas, as many as `areas`.
    pub area_names: Vec<String>,
    /// Number of trials.
    pub trials: usize,
    /// Analysed bins per trial.
    pub bins: usize,
    /// Bins before them, simulated and recorded as spike history.
    pub pad: usize,
    /// Bin width, seconds.
    pub bin_s: f64,
    /// Baseline rate, spikes per second.
    pub baseline_hz: f64,
    /// Slow factors per area.
    pub factors: usize,
    /// Variance of a slow factor.
    pub gp_variance: f64,
    /// Length scale of a slow factor, bins.
    pub gp_length_bins: f64,
    /// Loadings are uniform between these two.
    pub loadings: (f64, f64),
    /// True couplings.
    pub edges: Vec<GlmEdge>,
    /// Coefficients of the coupling filter on [`Self::coupling_basis`].
    pub coupling: Vec<f64>,
    /// Last peak (bins) and warp of the raised cosines behind the coupling filter.
    pub coupling_basis: (f64, f64),
    /// Coefficients of the post-spike filter on [`Self::post_spike_basis`].
    pub post_spike: Vec<f64>,
    /// Last peak (bins) and warp of the raised cosines behind the post-spike filter.
    pub post_spike_basis: (f64, f64),
    /// Share of the slow factors' variance that all areas have in common with the first (0 to 1). The correlation of the
    /// factors of two areas is its square root for the first area and any other.
    pub shared_background: f64,
    /// Random seed.
    pub seed: u64,
}

impl Default for GlmSimulation {
    fn default() -> Self {
        Self {
            name: "glm".to_owned(),
            areas: vec![50, 50],
            area_names: area_names(2),
            trials: 5000,
            bins: 250,
            pad: 50,
            bin_s: 0.002,
            baseline_hz: 25.0,
            factors: 2,
            gp_variance: 0.5,
            gp_length_bins: 150.0,
            loadings: (-0.9, 1.0),
            edges: vec![GlmEdge { source: 0, target: 1, units: 10 }],
            coupling: vec![1.0, 0.2, 0.0],
            coupling_basis: (7.0, 0.5),
            post_spike: vec![-2.0, -1.0, 0.2],
            post_spike_basis: (2.0, 0.7),
            shared_background: 0.0,
            seed: 1,
        }
    }
}

/// `A`, `B`, … `Z`, then `Area 27`, ….
pub(super) fn area_names(areas: usize) -> Vec<String> {
    (0..areas).map(|a| if a < 26 { char::from(b'A' + a as u8).to_string() } else { format!("Area {}", a + 1) }).collect()
}

/// One trial as simulated: spikes as (unit, time in bins from the first padding bin), units ascending, times ascending.
struct SimulatedTrial {
    spikes: Vec<(u32, f32)>,
}

/// What is drawn once for all trials, and what follows from the settings.
struct Population {
    area_of_unit: Vec<usize>,
    first_unit: Vec<usize>,
    loadings: Array2<f64>,
    edges: Vec<TrueEdge>,
    post_spike: Vec<f64>,
    baseline: f64,
}

impl GlmSimulation {
    /// Simulate. Trials are laid out one after another on one clock with a gap of 50 bins between them; the table `trials` has
    /// one row per trial whose `start_time` and `stop_time` are those of the analysed window, and the padding before it is
    /// recorded too. Counting in the simulation's bins gives the simulated counts back exactly.
    ///
    /// # Errors
    /// [`SimulateError`] when a setting is out of range or the activity runs away.
    pub fn simulate(&self) -> Result<Recording, SimulateError> {
        self.check()?;
        let population = self.population();
        let factors = self.draw_factors();
        let trials: Vec<SimulatedTrial> = (0..self.trials)
            .into_par_iter()
            .map(|trial| self.simulate_trial(trial, factors.index_axis(Axis(0), trial), &population))
            .collect::<Result<_, _>>()?;
        self.recording(&trials, factors, population)
    }

    /// The settings in words, for display.
    pub fn parameters(&self) -> String {
        let sizes: Vec<String> = self.areas.iter().map(usize::to_string).collect();
        let edge = |e: &GlmEdge| format!("{}→{} ({} units)", self.area_names[e.source], self.area_names[e.target], e.units);
        let edges: Vec<String> = self.edges.iter().map(edge).collect();
        format!(
            "{} units, {} trials of {:.0} ms, baseline {} Hz, coupling {}, shared background {}",
            sizes.join(" + "),
            self.trials,
            self.bins as f64 * self.bin_s * 1e3,
            self.baseline_hz,
            if edges.is_empty() { "none".to_owned() } else { edges.join(", ") },
            self.shared_background
        )
    }

    fn check(&self) -> Result<(), SimulateError> {
        let refuse = |what: &str, value: String, expected: &str| {
            Err(SimulateError::OutOfRange { what: what.to_owned(), value, expected: expected.to_owned() })
        };
        if self.areas.is_empty() || self.areas.len() > 100 || self.areas.contains(&0) || self.areas.iter().sum::<usize>() > 10_000 {
            return refuse(
                "the list of units per area",
                format!("{:?}", self.areas),
                "1 to 100 areas of at least 1 unit, at most 10000 units in all",
            );
        }
        let mut names = self.area_names.clone();
        names.sort();
        names.dedup();
        if names.len() != self.areas.len() || self.area_names.len() != self.areas.len() {
            return refuse("the list of area names", format!("{:?}", self.area_names), "one name per area, all different");
        }
        let within = |what: &str, value: f64, low: f64, high: f64| {
            if value >= low && value <= high { Ok(()) } else { refuse(what, value.to_string(), &format!("between {low} and {high}")) }
        };
        within("the number of trials", self.trials as f64, 1.0, 1e6)?;
        within("the number of bins per trial", self.bins as f64, 1.0, 1e4)?;
        within("the number of padding bins", self.pad as f64, 0.0, 1e4)?;
        within("the bin width in seconds", self.bin_s, 1e-4, 1.0)?;
        within("the baseline in Hz", self.baseline_hz, 1e-3, 1e4)?;
        within("the number of slow factors", self.factors as f64, 0.0, 100.0)?;
        within("the variance of a slow factor", self.gp_variance, 0.0, 100.0)?;
        within("the length scale of a slow factor in bins", self.gp_length_bins, 1.0, 1e6)?;
        within("the share of common background", self.shared_background, 0.0, 1.0)?;
        within("the smallest loading", self.loadings.0, -100.0, 100.0)?;
        within("the largest loading", self.loadings.1, self.loadings.0, 100.0)?;
        for (what, coefficients, (peak, stretch)) in [
            ("the coupling filter", &self.coupling, self.coupling_basis),
            ("the post-spike filter", &self.post_spike, self.post_spike_basis),
        ] {
            let rows = bases::raised_cosine(coefficients.len(), peak, stretch).nrows();
            if coefficients.iter().any(|c| !c.is_finite()) || !(1..=10_000).contains(&rows) {
                return refuse(
                    what,
                    format!("{coefficients:?} on peak {peak}, warp {stretch}"),
                    "at least 2 finite coefficients and a filter of 1 to 10000 bins",
                );
            }
        }
        for (k, edge) in self.edges.iter().enumerate() {
            let (Some(&source), Some(&target)) = (self.areas.get(edge.source), self.areas.get(edge.target)) else {
                return refuse(
                    "an edge",
                    format!("{}>{}", edge.source, edge.target),
                    &format!("between areas 0 to {}", self.areas.len() - 1),
                );
            };
            if self.edges[..k].iter().any(|e| (e.source, e.target) == (edge.source, edge.target)) {
                return refuse("an edge", format!("{}>{} twice", edge.source, edge.target), "given once");
            }
            if edge.units == 0 || edge.units > source.min(target) {
                return refuse(
                    "the number of coupled units",
                    edge.units.to_string(),
                    &format!("between 1 and {}, the size of the smaller area", source.min(target)),
                );
            }
        }
        Ok(())
    }

    fn n_units(&self) -> usize {
        self.areas.iter().sum()
    }

    /// Stream 0 of the seed draws what all trials share, streams 1 + 2k and 2 + 2k the slow factors and the spikes of trial k:
    /// every trial is the same whatever the number of threads.
    fn random(&self, stream: u64) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(stream);
        random
    }

    fn population(&self) -> Population {
        let mut random = self.random(0);
        let (low, high) = self.loadings;
        let area_of_unit: Vec<usize> = self.areas.iter().enumerate().flat_map(|(a, &n)| std::iter::repeat_n(a, n)).collect();
        let first_unit: Vec<usize> = (0..self.areas.len()).map(|a| self.areas[..a].iter().sum()).collect();
        let loadings = Array2::from_shape_fn((self.n_units(), self.factors), |_| low + (high - low) * random.random::<f64>());
        let (peak, stretch) = self.coupling_basis;
        let filter = bases::filter(&bases::raised_cosine(self.coupling.len(), peak, stretch), &self.coupling);
        let mut edges = Vec::new();
        for edge in &self.edges {
            let send = unit_weights(self.areas[edge.source], edge.units, &mut random);
            let receive = unit_weights(self.areas[edge.target], edge.units, &mut random);
            edges.push(TrueEdge { source: edge.source, target: edge.target, send, receive, filter: filter.clone() });
        }
        let (peak, stretch) = self.post_spike_basis;
        let post_spike = bases::filter(&bases::raised_cosine(self.post_spike.len(), peak, stretch), &self.post_spike);
        Population { area_of_unit, first_unit, loadings, edges, post_spike, baseline: (self.baseline_hz * self.bin_s).ln() }
    }

    /// Slow factors `[trials, areas, factors, pad + bins]`.
    fn draw_factors(&self) -> Array4<f32> {
        let total = self.pad + self.bins;
        let process = GaussianProcess::new(total, self.gp_variance, self.gp_length_bins);
        let (own, common) = ((1.0 - self.shared_background).sqrt(), self.shared_background.sqrt());
        let mut factors = Array4::<f32>::zeros((self.trials, self.areas.len(), self.factors, total));
        factors.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(trial, mut areas)| {
            let mut random = self.random(1 + 2 * trial as u64);
            for factor in 0..self.factors {
                let first = process.draw(&mut random);
                areas.index_axis_mut(Axis(0), 0).index_axis_mut(Axis(0), factor).assign(&first.mapv(|x| x as f32));
                for area in 1..self.areas.len() {
                    let mixed = process.draw(&mut random) * own + &first * common;
                    areas.index_axis_mut(Axis(0), area).index_axis_mut(Axis(0), factor).assign(&mixed.mapv(|x| x as f32));
                }
            }
        });
        factors
    }

    fn simulate_trial(&self, trial: usize, factors: ArrayView3<'_, f32>, population: &Population) -> Result<SimulatedTrial, SimulateError> {
        let (total, units) = (self.pad + self.bins, self.n_units());
        let mut random = self.random(2 + 2 * trial as u64);
        let mut log_rate = own_dynamics(population.baseline, factors, &population.loadings, &population.area_of_unit);
        let mut drive: Vec<Vec<f64>> = population.edges.iter().map(|e| vec![0.0; total + e.filter.len()]).collect();
        let mut spikes: Vec<Vec<f32>> = vec![Vec::new(); units];
        for bin in 0..total {
            for (edge, drive) in population.edges.iter().zip(&drive) {
                let first = population.first_unit[edge.target];
                for (k, weight) in edge.receive.iter().enumerate().filter(|(_, w)| **w != 0.0) {
                    log_rate[[bin, first + k]] += weight * drive[bin];
                }
            }
            for unit in 0..units {
                let count = draw_count(log_rate[[bin, unit]].min(LARGEST_LOG_RATE).exp(), &mut random);
                if count == 0 {
                    continue;
                }
                if count > u32::from(u8::MAX) {
                    return Err(SimulateError::RunAway { unit, trial });
                }
                for (k, weight) in population.post_spike.iter().enumerate().take(total - 1 - bin) {
                    log_rate[[bin + 1 + k, unit]] += weight * f64::from(count);
                }
                for (edge, drive) in population.edges.iter().zip(&mut drive) {
                    if edge.source == population.area_of_unit[unit] {
                        let sent = edge.send[unit - population.first_unit[edge.source]] * f64::from(count);
                        if sent != 0.0 {
                            edge.filter.iter().zip(&mut drive[bin + 1..]).for_each(|(h, d)| *d += sent * h);
                        }
                    }
                }
                spread(bin, count, &mut random, &mut spikes[unit]);
            }
        }
        let spikes = spikes.into_iter().enumerate().flat_map(|(unit, times)| times.into_iter().map(move |t| (unit as u32, t))).collect();
        Ok(SimulatedTrial { spikes })
    }

    fn recording(&self, trials: &[SimulatedTrial], factors: Array4<f32>, population: Population) -> Result<Recording, SimulateError> {
        let (total, units) = (self.pad + self.bins, self.n_units());
        let spacing = (total + GAP_BINS) as f64 * self.bin_s;
        let begin = |trial: usize| trial as f64 * spacing;
        let window = |trial: usize| begin(trial) + self.pad as f64 * self.bin_s;
        let mut times: Vec<Vec<f64>> = vec![Vec::new(); units];
        for (trial, simulated) in trials.iter().enumerate() {
            for &(unit, bins) in &simulated.spikes {
                times[unit as usize].push(begin(trial) + f64::from(bins) * self.bin_s);
            }
        }
        let table = IntervalTable {
            name: "trials".to_owned(),
            start: (0..self.trials).map(window).collect(),
            stop: (0..self.trials).map(|trial| window(trial) + self.bins as f64 * self.bin_s).collect(),
            columns: self.factor_columns(&factors),
        };
        let parts = RecordingParts {
            name: self.name.clone(),
            spikes: SpikeTrains::from_units(times),
            unit_ids: (0..units).map(|u| u.to_string()).collect(),
            unit_areas: population.area_of_unit.iter().map(|&a| self.area_names[a].clone()).collect(),
            tables: vec![table],
            observed: (0..self.trials).map(|trial| (begin(trial), begin(trial) + total as f64 * self.bin_s)).collect(),
            truth: Some(Truth {
                edges: population.edges,
                glm: Some(GlmTruth {
                    bin_s: self.bin_s,
                    pad_bins: self.pad,
                    bins: self.bins,
                    trial_spacing_s: spacing,
                    baseline: population.baseline,
                    factors,
                    loadings: population.loadings,
                    post_spike: population.post_spike,
                }),
                ..Truth::default()
            }),
            ..RecordingParts::default()
        };
        let source = Source::Simulated { simulator: self.name.clone(), parameters: self.parameters(), seed: self.seed };
        Ok(Recording::new(parts, source)?)
    }

    /// Mean of every slow factor over the analysed window of every trial: what latents can be coloured by.
    fn factor_columns(&self, factors: &Array4<f32>) -> Vec<NamedColumn> {
        let mut columns = Vec::new();
        for (area, name) in self.area_names.iter().enumerate() {
            for factor in 0..self.factors {
                let curves = factors.index_axis(Axis(1), area).index_axis_move(Axis(1), factor);
                let means = curves
                    .axis_iter(Axis(0))
                    .map(|curve| curve.iter().skip(self.pad).map(|&x| f64::from(x)).sum::<f64>() / self.bins as f64);
                columns.push(NamedColumn {
                    name: format!("mean factor {} of {name}", factor + 1),
                    description: format!("Mean of the true slow factor {} of area {name} over the trial's window (log-rate)", factor + 1),
                    values: Column::Float(means.collect()),
                });
            }
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{BinnedTrials, TrialPlan};

    #[test]
    fn binning_gives_back_exactly_the_counts_that_were_drawn() {
        let simulation = GlmSimulation { areas: vec![4, 3], trials: 60, edges: Vec::new(), baseline_hz: 200.0, ..GlmSimulation::default() };
        let recording = simulation.simulate().unwrap();
        let trials = TrialPlan::default().resolve(&recording).unwrap();
        let binned = BinnedTrials::count(&recording, &trials, &[0, 1, 2, 3, 4, 5, 6]).unwrap();
        let (population, factors) = (simulation.population(), simulation.draw_factors());
        for trial in 0..simulation.trials {
            let drawn = simulation.simulate_trial(trial, factors.index_axis(Axis(0), trial), &population).unwrap();
            let mut counts = Array2::<u8>::zeros((300, 7));
            drawn.spikes.iter().for_each(|&(unit, bins)| counts[[bins as usize, unit as usize]] += 1);
            assert_eq!(binned.counts.index_axis(Axis(0), trial), counts);
        }
        assert!(binned.counts.iter().any(|&c| c > 3), "the test needs bins with several spikes");
    }
}
