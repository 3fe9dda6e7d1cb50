//! Training, one batch at a time: corrupt, gradients (fused on a CPU, tensors elsewhere), clip, AdamW. No thread, file or clock:
//! whoever calls decides what a batch is, when to validate and when to stop.

use burn::module::ParamId;
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array3, ArrayView3};

use super::forward::Dropout;
use super::{
    AdamW, Batch, ConfigError, Grid, Host, LossTerms, Masking, Moment, Schedule, StndtConfig, StndtNet, Tables, fused_gradients,
    reference_gradients, reference_losses,
};
use crate::models::host::{alike, tensor3};
use crate::models::init::shuffled;
use crate::models::params::{self, Plain, PlainDevice};
use crate::models::{DeviceFailed, TrainerState};

/// What the learning-rate schedule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Passes through the data (published).
    Epochs,
    /// Batches.
    Steps,
}

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOptions {
    /// Trials per batch; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// Learning rate.
    pub schedule: Schedule,
    /// What the schedule counts.
    pub clock: Clock,
    /// Largest gradient norm that passes unscaled.
    pub clip: f64,
    /// Weight decay, on every parameter.
    pub weight_decay: f64,
    /// Corruption of the counts.
    pub masking: Masking,
    /// Epochs before the contrastive term begins: 0 trains jointly (released code), more is a late fine-tuning phase (paper).
    pub contrast_from: usize,
    /// Seed of weights, order, masks and dropout.
    pub seed: u64,
}

impl Default for TrainOptions {
    /// As published for MC_Maze.
    fn default() -> Self {
        Self {
            batch: 64,
            schedule: Schedule { peak: 1e-3, warm_up: 5000, total: Some(50_501) },
            clock: Clock::Epochs,
            clip: 200.0,
            weight_decay: 5e-5,
            masking: Masking::default(),
            contrast_from: 0,
            seed: 100,
        }
    }
}

/// A network in training.
pub struct Trainer {
    config: StndtConfig,
    grid: Grid,
    options: TrainOptions,
    tables: Tables,
    net: StndtNet,
    optimiser: AdamW,
    order: Vec<(ParamId, String)>,
    device: Device,
    cpu: bool,
    steps: usize,
    rate_factor: f64,
}

impl Trainer {
    /// A fresh network. `device` without autodiff; `cpu` takes the fused path.
    ///
    /// # Errors
    /// When the shapes cannot be made, or the grid is not that of the network.
    pub fn new(config: StndtConfig, grid: Grid, options: TrainOptions, device: &Device, cpu: bool) -> Result<Self, ConfigError> {
        config.check()?;
        if (grid.bins(), grid.units()) != (config.bins, config.units) || grid.heldin == 0 || grid.observed == 0 {
            return Err(ConfigError {
                what: "the data's grid".to_owned(),
                value: format!("{} bins × {} units", grid.bins(), grid.units()),
                expected: format!("{} bins × {} units with something to see", config.bins, config.units),
            });
        }
        let net = StndtNet::new(&config, options.seed, &device.clone().autodiff());
        let net = params::set_trained(net, &|_| true);
        let order = params::names(&net);
        let optimiser = AdamW::new(options.clip, options.weight_decay);
        let tables = Tables::new(&config, device);
        let device = device.inner_if_autodiff();
        Ok(Self { config, grid, options, tables, net, optimiser, order, device, cpu, steps: 0, rate_factor: 1.0 })
    }

    /// Let log-rates begin about these values `[units]`.
    pub fn begin_at(&mut self, log_rates: &[f32]) {
        let bias = TensorData::new(log_rates.to_vec(), [log_rates.len()]);
        self.load(&params::Values::from([("readout.bias".to_owned(), bias)]));
    }

    /// Indices of the trials of every batch of an epoch: shuffled, all used, the same for the same seed and epoch.
    pub fn batches(&self, trials: usize, epoch: usize) -> Vec<Vec<usize>> {
        shuffled((0..trials).collect(), self.options.seed, epoch).chunks(self.options.batch.max(1)).map(<[usize]>::to_vec).collect()
    }

    /// One step on counts `[B, T, N]` (NaN = not recorded). Returns the losses before it and the gradient's norm before clipping;
    /// a norm that is not finite means that nothing was changed.
    ///
    /// # Errors
    /// When the device fails.
    pub fn step(&mut self, counts: ArrayView3<'_, f32>, moment: Moment) -> Result<(LossTerms, f64), DeviceFailed> {
        let contrast = self.config.contrast.is_some() && moment.epoch >= self.options.contrast_from;
        let batch = self.options.masking.corrupt(counts, &self.grid, self.options.seed, moment, contrast);
        let drop_seed = self.options.seed ^ (self.steps as u64 + 1).wrapping_mul(0xd134_2543_de82_ef95);
        let (losses, gradients) = match self.cpu {
            true => fused_gradients(&self.net, &self.config, &self.tables, &batch, Some(drop_seed))?,
            false => {
                self.device.seed(drop_seed);
                reference_gradients(&self.net, &self.config, &self.tables, &batch, Dropout::Device)?
            }
        };
        let time = match self.options.clock {
            Clock::Epochs => moment.epoch,
            Clock::Steps => self.steps,
        };
        let rate = self.options.schedule.rate(time) * self.rate_factor;
        self.steps += 1;
        let (net, norm) = self.optimiser.step(self.net.clone(), &gradients, &self.order, rate)?;
        self.net = net;
        Ok((losses, norm))
    }

    /// Log-rates per bin `[B, T, N]` of full-grid counts: held-out units and forward bins are hidden, nothing is masked or
    /// dropped.
    ///
    /// # Errors
    /// When the device fails.
    pub fn log_rates(&self, counts: ArrayView3<'_, f32>) -> Result<Array3<f32>, DeviceFailed> {
        let visible = self.grid.visible(counts);
        if self.cpu {
            return Ok(self.host()?.log_rates(visible.view()));
        }
        let src: Tensor<3> = alike(&tensor3(&visible, &self.device), true);
        let out = self.net.forward(&self.config, &self.tables, src, Dropout::Off, false).log_rate;
        let values = out.inner_if_tracked().try_into_data()?.try_into_vec::<f32>().map_err(|e| DeviceFailed(format!("{e:?}")))?;
        Array3::from_shape_vec(visible.dim(), values).map_err(|e| DeviceFailed(e.to_string()))
    }

    /// Validation counts `[B, T, N]` under the mask of [`Self::validation`].
    pub fn validation_batch(&self, counts: ArrayView3<'_, f32>, batch: usize) -> Batch {
        self.options.masking.validation(counts, &self.grid, self.options.seed, batch)
    }

    /// Losses on masked validation counts `[B, T, N]`, without dropout, spans or contrast; the mask is the same for every call.
    ///
    /// # Errors
    /// When the device fails.
    pub fn validation(&self, counts: ArrayView3<'_, f32>, batch: usize) -> Result<LossTerms, DeviceFailed> {
        let batch = self.validation_batch(counts, batch);
        if self.cpu {
            return Ok(self.host()?.losses(&self.config, &batch));
        }
        reference_losses(&self.net, &self.config, &self.tables, &batch, Dropout::Off)
    }

    /// The network as the CPU kernels read it (also gives layer outputs and attention).
    ///
    /// # Errors
    /// When the device fails.
    pub fn host(&self) -> Result<Host, DeviceFailed> {
        Host::read(&self.net, &self.config, &self.tables)
    }

    /// The network.
    pub fn net(&self) -> &StndtNet {
        &self.net
    }

    /// Replace parameters by name (a kept run).
    pub fn load(&mut self, values: &params::Values) {
        self.net = params::write(self.net.clone(), values);
    }

    /// Everything that the next steps depend on.
    ///
    /// # Errors
    /// When the device fails.
    pub fn state(&self) -> Result<TrainerState, DeviceFailed> {
        Ok(TrainerState {
            weights: params::read(&self.net)?,
            optimiser: self.optimiser.state(&self.order)?,
            steps: self.steps as u64,
            rate_factor: self.rate_factor,
            schedule: Vec::new(),
        })
    }

    /// Go on from a state.
    ///
    /// # Errors
    /// In words, when it is of another network; nothing has changed then.
    pub fn restore(&mut self, state: &TrainerState) -> Result<(), String> {
        params::check(&self.net, &state.weights)?;
        self.load(&state.weights);
        let device = self.device.clone();
        self.optimiser.restore(&state.optimiser, &self.order, &device);
        self.steps = usize::try_from(state.steps).map_err(|e| e.to_string())?;
        self.rate_factor = state.rate_factor;
        Ok(())
    }

    /// Begin the optimiser anew at half the learning rate (after a loss that was no finite number).
    pub fn soften(&mut self) {
        self.optimiser = AdamW::new(self.options.clip, self.options.weight_decay);
        self.rate_factor *= 0.5;
    }

    /// Shapes.
    pub fn config(&self) -> &StndtConfig {
        &self.config
    }

    /// What is held out.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The learning rate of the next step, when its schedule counts steps.
    pub fn rate(&self) -> f64 {
        self.options.schedule.rate(self.steps) * self.rate_factor
    }

    /// Steps taken.
    pub fn steps(&self) -> usize {
        self.steps
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::models::stndt::{Contrast, ContrastOn};

    const GRID: Grid = Grid { heldin: 6, heldout: 2, observed: 20, forward: 4 };

    /// Two groups of units that fire in turns, so that hidden entries can be told from the others.
    fn counts(trials: usize) -> Array3<f32> {
        Array3::from_shape_fn((trials, 24, 8), |(b, t, n)| {
            let on = ((t + b * 5) / 6 + n).is_multiple_of(2);
            let jitter = (b * 13 + t * 7 + n * 11) % 4;
            if on { 1.0 + f32::from(u8::from(jitter == 0)) } else { 0.0 }
        })
    }

    fn run(config: StndtConfig, masking: Masking, steps: usize) -> (Vec<LossTerms>, Trainer) {
        let schedule = Schedule { peak: 5e-3, warm_up: 10, total: Some(steps) };
        let options = TrainOptions { batch: 16, schedule, clock: Clock::Steps, masking, seed: 1, ..TrainOptions::default() };
        let mut trainer = Trainer::new(config, GRID, options, &Device::flex(), true).unwrap();
        let data = counts(32);
        let mut losses = Vec::new();
        for epoch in 0.. {
            for (batch, own) in trainer.batches(32, epoch).iter().enumerate() {
                let counts = data.select(ndarray::Axis(0), own);
                losses.push(trainer.step(counts.view(), Moment { epoch, batch }).unwrap().0);
                if losses.len() == steps {
                    return (losses, trainer);
                }
            }
        }
        (losses, trainer)
    }

    fn small(config: StndtConfig) -> StndtConfig {
        StndtConfig { layers: 2, hidden: 16, ..config }
    }

    #[test]
    fn training_finds_hidden_units_and_bins() {
        for (config, masking) in [(small(StndtConfig::stndt(8, 24)), Masking::default()), (small(StndtConfig::ndt(8, 24)), Masking::ndt())]
        {
            let (losses, trainer) = run(config, masking, 150);
            let mean = |part: &[LossTerms]| part.iter().map(|l| l.masked).sum::<f64>() / part.len() as f64;
            assert!(mean(&losses[140..]) < mean(&losses[..10]) - 0.1, "{} to {}", mean(&losses[..10]), mean(&losses[140..]));
            let (data, seen) = (counts(8), trainer.validation(counts(8).view(), 0).unwrap());
            assert_eq!(seen, trainer.validation(data.view(), 0).unwrap(), "the validation mask must not change");
            let rates = trainer.log_rates(data.view()).unwrap().mapv(f32::exp);
            let mean_where = |on: bool| {
                let hidden = data.indexed_iter().filter(|((_, t, n), y)| !GRID.sees(*t, *n) && (**y > 0.0) == on);
                let own: Vec<f32> = hidden.map(|(at, _)| rates[at]).collect();
                own.iter().sum::<f32>() / own.len() as f32
            };
            assert!(mean_where(true) > 1.25 * mean_where(false), "{} and {}", mean_where(true), mean_where(false));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_run_on_any_number_of_threads() {
        let curve = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| run(small(StndtConfig::stndt(8, 24)), Masking::default(), 5).0)
        };
        assert_eq!(curve(1), curve(3));
    }

    #[test]
    fn contrast_may_come_late_and_on_predictions() {
        let contrast = Some(Contrast { on: ContrastOn::Predictions, weight: 0.1, temperature: 0.07 });
        let config = StndtConfig { contrast, ..small(StndtConfig::stndt(8, 24)) };
        let options = TrainOptions { batch: 8, contrast_from: 1, clock: Clock::Steps, ..TrainOptions::default() };
        let mut trainer = Trainer::new(config, GRID, options, &Device::flex(), true).unwrap();
        let mut at = |epoch| trainer.step(counts(8).view(), Moment { epoch, batch: 0 }).unwrap().0;
        let (before, after) = (at(0), at(1));
        assert!(before.contrast_predictions == 0.0 && before.total == before.masked);
        assert!(after.contrast_predictions > 0.0 && after.total > after.masked && after.contrast_time == 0.0);
    }

    #[test]
    fn every_trial_is_used_once_per_epoch() {
        let (_, trainer) = run(small(StndtConfig::stndt(8, 24)), Masking::default(), 1);
        let batches = trainer.batches(40, 3);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [16, 16, 8]);
        let mut all: Vec<usize> = batches.concat();
        assert_ne!(all, trainer.batches(40, 4).concat());
        all.sort_unstable();
        assert_eq!(all, (0..40).collect::<Vec<_>>());
        assert!(Trainer::new(StndtConfig::stndt(8, 20), GRID, TrainOptions::default(), &Device::flex(), true).is_err());
    }
}
