//! One trial of the network. A worker keeps its arrays from trial to trial; nothing is allocated while time goes on.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::drive::{Timing, input, timings};
use super::membrane::{Membranes, REFRACTORY, RESET, SPIKE};
use super::{BACKGROUND_SPACING_S, EifSimulation, GaussianProcess, Network, PAD_BINS, STEP_S, STEPS, STEPS_PER_BIN};

/// Steps over which a spike acts (15 ms).
const KERNEL_STEPS: usize = 75;
/// Decay and rise of the synaptic current, seconds.
const DECAY_S: f64 = 5e-3;
const RISE_S: f64 = 1e-3;
/// Spikes of one trial for which there is room from the start.
const ROOM: usize = 8192;

/// What a trial gives.
pub(super) struct Simulated {
    /// (step, unit), in order of time.
    pub(super) spikes: Vec<(u16, u16)>,
    pub(super) timing: Vec<Timing>,
    /// Mean per bin and area of the input, `[areas][bins]`, mV per 0.1 ms.
    pub(super) input: Vec<Vec<f32>>,
    /// Mean per bin and area of the background, before loadings.
    pub(super) background: Vec<Vec<f32>>,
    /// Mean synaptic current over the units of the receiving area, per pair of areas and bin.
    pub(super) synaptic: Vec<Vec<f32>>,
}

/// The synaptic current at a whole number of steps after it begins: exp(−s/5 ms) − exp(−s/1 ms).
#[cfg(test)]
pub(super) fn kernel(step: usize) -> f64 {
    let s = step as f64 * STEP_S;
    if step < KERNEL_STEPS { (-s / DECAY_S).exp() - (-s / RISE_S).exp() } else { 0.0 }
}

pub(super) struct Worker {
    membranes: Membranes,
    /// Input and background of every area and step.
    input: Vec<Vec<f32>>,
    background: Vec<Vec<f32>>,
    /// Slow and fast part of the mean current of every pair.
    pairs: Vec<(f32, f32)>,
    spikes: Vec<(u16, u16)>,
}

impl Worker {
    pub(super) fn new(network: &Network, areas: usize) -> Self {
        Self {
            membranes: Membranes::new(network.area_of_unit.len()),
            input: vec![vec![0.0; STEPS]; areas],
            background: vec![vec![0.0; STEPS]; areas],
            pairs: vec![(0.0, 0.0); network.pairs.len()],
            spikes: Vec::with_capacity(ROOM),
        }
    }

    pub(super) fn simulate(&mut self, settings: &EifSimulation, network: &Network, process: &GaussianProcess, trial: usize) -> Simulated {
        let mut random = settings.random(trial as u64 + 1);
        let timing = timings(&settings.peaks_ms, settings.peak_correlation, &mut random);
        self.outside(settings, process, &timing, &mut random);
        let synaptic = self.run(network, settings.units, &mut random);
        let binned = |steps: &Vec<f32>| -> Vec<f32> {
            steps.chunks(STEPS_PER_BIN).map(|bin| bin.iter().sum::<f32>() / STEPS_PER_BIN as f32).collect()
        };
        Simulated {
            spikes: self.spikes.clone(),
            timing,
            input: self.input.iter().map(binned).collect(),
            background: self.background.iter().map(binned).collect(),
            synaptic,
        }
    }

    /// Input and background of the trial.
    fn outside(&mut self, settings: &EifSimulation, process: &GaussianProcess, timing: &[Timing], random: &mut impl Rng) {
        let first = process.draw(random);
        let (own, common) = ((1.0 - settings.rho).sqrt(), settings.rho.sqrt());
        for (area, (input_steps, background)) in self.input.iter_mut().zip(&mut self.background).enumerate() {
            let curve = if area == 0 { first.clone() } else { process.draw(random) * own + &first * common };
            for (step, (to_input, to_background)) in input_steps.iter_mut().zip(background.iter_mut()).enumerate() {
                let time = step as f64 * STEP_S;
                *to_input = input(area, timing[area], 1e3 * time - PAD_BINS as f64 * STEPS_PER_BIN as f64 * STEP_S * 1e3) as f32;
                let at = time / BACKGROUND_SPACING_S;
                let (k, share) = (at as usize, at.fract());
                *to_background = ((1.0 - share) * curve[k] + share * curve[(k + 1).min(curve.len() - 1)]) as f32;
            }
        }
    }

    /// Time goes on. Gives the mean synaptic current per pair and bin.
    fn run(&mut self, network: &Network, units_per_area: usize, random: &mut impl Rng) -> Vec<Vec<f32>> {
        let (slow_decay, fast_decay) = ((-STEP_S / DECAY_S).exp() as f32, (-STEP_S / RISE_S).exp() as f32);
        // What is left of a spike's two parts when its 15 ms are over, and is taken away.
        let left = |time: f64| (-(KERNEL_STEPS as f64) * STEP_S / time).exp() as f32;
        let ends = (left(DECAY_S), left(RISE_S));
        let mut synaptic = vec![vec![0.0; STEPS / STEPS_PER_BIN]; network.pairs.len()];
        self.membranes.rest();
        self.pairs.fill((0.0, 0.0));
        self.spikes.clear();
        // Spikes before these have begun to act, and have ended.
        let (mut begun, mut ended) = (0, 0);
        for step in 0..STEPS {
            self.membranes.slow.iter_mut().for_each(|x| *x *= slow_decay);
            self.membranes.fast.iter_mut().for_each(|x| *x *= fast_decay);
            self.pairs.iter_mut().for_each(|(slow, fast)| (*slow, *fast) = (*slow * slow_decay, *fast * fast_decay));
            while let Some(&(_, unit)) = self.spikes.get(begun) {
                self.add(network, usize::from(unit), (1.0, 1.0));
                begun += 1;
            }
            while let Some(&(_, unit)) = self.spikes.get(ended).filter(|&&(at, _)| usize::from(at) + 1 + KERNEL_STEPS == step) {
                self.add(network, usize::from(unit), (-ends.0, -ends.1));
                ended += 1;
            }
            for (bins, (slow, fast)) in synaptic.iter_mut().zip(&self.pairs) {
                bins[step / STEPS_PER_BIN] += (slow - fast) / STEPS_PER_BIN as f32;
            }
            self.membranes.noise.iter_mut().for_each(|x| *x = random.sample(StandardNormal));
            for area in 0..self.input.len() {
                let units = area * units_per_area..(area + 1) * units_per_area;
                self.membranes.step(units, &network.loadings, self.input[area][step], self.background[area][step]);
            }
            for (unit, (v, held)) in self.membranes.potential.iter_mut().zip(&mut self.membranes.held).enumerate() {
                if *v > SPIKE {
                    (*v, *held) = (RESET, REFRACTORY);
                    self.spikes.push((step as u16, unit as u16));
                }
            }
        }
        synaptic
    }

    fn add(&mut self, network: &Network, sender: usize, (slow, fast): (f32, f32)) {
        for &(receiver, weight) in &network.outgoing[sender] {
            self.membranes.slow[receiver as usize] += weight * slow;
            self.membranes.fast[receiver as usize] += weight * fast;
        }
        for &(pair, weight) in &network.on_pairs[sender] {
            let of = &mut self.pairs[pair as usize];
            *of = (of.0 + weight * slow, of.1 + weight * fast);
        }
    }
}
