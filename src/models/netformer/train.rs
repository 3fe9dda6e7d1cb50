//! Training, one batch of windows at a time: gradients (fused on a CPU, tensors elsewhere), then Adam. No thread, file or clock:
//! whoever calls decides which windows train, when to validate and when to stop.

use burn::module::ParamId;
use burn::tensor::Device;
use ndarray::Array2;

use super::data::DeviceData;
use super::loss::{gradients_on, losses_on};
use super::{Data, Form, Host, LossTerms, NetFormerConfig, NetFormerNet, Rate, Schedule, fused_gradients};
use crate::models::adam::Adam;
use crate::models::host::{alike, array2, host};
use crate::models::init::shuffled;
use crate::models::params::{self, PlainDevice};
use crate::models::{ConfigError, DeviceFailed, TrainerState};

/// Values of one batch that a GPU holds when nothing has to be kept for a backward pass.
const BATCH_VALUES: usize = 1 << 25;
/// Largest norm of a gradient where rates are exponentials of predictions; published networks have none.
const CLIP: f64 = 1.0;

/// In which order windows are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Shuffled every epoch; the last batch may be smaller.
    Shuffled,
    /// Neighbours together, in time, the same every epoch; a smaller last batch is left out (published for recordings).
    Consecutive,
}

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOptions {
    /// Windows per batch.
    pub batch: usize,
    /// Learning rate.
    pub rate: f64,
    /// How it changes.
    pub schedule: Schedule,
    /// Order of windows.
    pub order: Order,
    /// Seed of weights and order.
    pub seed: u64,
}

impl Default for TrainOptions {
    /// As published for recordings, shuffled.
    fn default() -> Self {
        let schedule = Schedule::Plateau { factor: 0.1, patience: 3, threshold: 1e-4 };
        Self { batch: 32, rate: 1e-3, schedule, order: Order::Shuffled, seed: 42 }
    }
}

/// A network in training.
pub struct Trainer {
    config: NetFormerConfig,
    data: Data,
    options: TrainOptions,
    net: NetFormerNet,
    optimiser: Adam,
    order: Vec<(ParamId, String)>,
    rate: Rate,
    form: Form,
    /// The data on a device that is not the CPU.
    on_device: Option<DeviceData>,
    device: Device,
    steps: usize,
    rate_factor: f64,
}

impl Trainer {
    /// A fresh network. `device` without autodiff; `cpu` takes the fused path.
    ///
    /// # Errors
    /// When the shapes cannot be made, or the data are not those of the network.
    pub fn new(config: NetFormerConfig, data: Data, options: TrainOptions, device: &Device, cpu: bool) -> Result<Self, ConfigError> {
        config.check()?;
        let refuse =
            |what: &str, value: usize, expected: String| Err(ConfigError { what: what.to_owned(), value: value.to_string(), expected });
        if data.tokens() != config.tokens {
            return refuse("the number of units and inputs in the data", data.tokens(), format!("{}, as in the network", config.tokens));
        }
        if data.columns() < config.queries {
            return refuse("the number of columns to predict", data.columns(), format!("at least {}, as in the network", config.queries));
        }
        if data.bins() <= config.history {
            let expected = format!("more than the {} bins of history; take shorter bins or less history", config.history);
            return refuse("the number of bins", data.bins(), expected);
        }
        if !(options.rate > 0.0 && options.rate.is_finite()) {
            let value = options.rate.to_string();
            return Err(ConfigError { what: "the learning rate".to_owned(), value, expected: "above 0".to_owned() });
        }
        let net = NetFormerNet::new(&config, options.seed, &device.clone().autodiff());
        let net = params::set_trained(net, &|_| true);
        let order = params::names(&net);
        let device = device.inner_if_autodiff();
        let on_device = (!cpu).then(|| data.upload(&device));
        let (rate, form) = (Rate::new(options.rate, options.schedule), Form::cheapest(&config, options.batch));
        let optimiser = Adam::new(clip(&config));
        Ok(Self { config, data, options, net, optimiser, order, rate, form, on_device, device, steps: 0, rate_factor: 1.0 })
    }

    /// Windows of every batch of an epoch, as their first bins: the same for the same seed and epoch.
    pub fn batches(&self, windows: &[usize], epoch: usize) -> Vec<Vec<usize>> {
        let batch = self.options.batch.max(1);
        match self.options.order {
            Order::Shuffled => shuffled(windows.to_vec(), self.options.seed, epoch).chunks(batch).map(<[usize]>::to_vec).collect(),
            Order::Consecutive => {
                windows.chunks(batch).filter(|own| own.len() == batch.min(windows.len())).map(<[usize]>::to_vec).collect()
            }
        }
    }

    /// One step on windows. Returns the losses before it and the gradient's norm; a norm that is not finite means that nothing was
    /// changed.
    ///
    /// # Errors
    /// When the device fails.
    pub fn step(&mut self, windows: &[usize], epoch: usize) -> Result<(LossTerms, f64), DeviceFailed> {
        let (losses, gradients) = match &self.on_device {
            None => fused_gradients(&self.net, &self.config, &self.data, windows, self.form)?,
            Some(data) => gradients_on(&self.net, &self.config, data, windows, self.form)?,
        };
        let rate = self.rate(epoch);
        self.steps += 1;
        let (net, norm) = self.optimiser.step(self.net.clone(), &gradients, &self.order, &|_| rate)?;
        self.net = net;
        Ok((losses, norm))
    }

    /// Let the schedule know the validation loss of an epoch.
    pub fn observe(&mut self, validation: f64) {
        self.rate.observe(validation);
    }

    /// The learning rate of the next step.
    pub fn rate(&self, epoch: usize) -> f64 {
        self.rate.at(self.steps, epoch) * self.rate_factor
    }

    /// Losses of windows, for validation and test.
    ///
    /// # Errors
    /// When the device fails.
    pub fn losses(&self, windows: &[usize]) -> Result<LossTerms, DeviceFailed> {
        let Some(data) = &self.on_device else { return Ok(self.host()?.losses(&self.data, windows)) };
        let (mut fit, mut constraint) = (0.0, 0.0);
        for own in windows.chunks(self.windows_at_once()) {
            let part = losses_on(&self.net, &self.config, data, own, self.form)?;
            fit += part.fit * own.len() as f64;
            constraint += part.constraint * own.len() as f64;
        }
        let n = windows.len().max(1) as f64;
        Ok(LossTerms::of(&self.config, fit / n, constraint / n))
    }

    /// Predictions `[windows, queries]` of the bin after each window; log counts with the Poisson loss.
    ///
    /// # Errors
    /// When the device fails.
    pub fn predictions(&self, windows: &[usize]) -> Result<Array2<f32>, DeviceFailed> {
        let Some(data) = &self.on_device else { return Ok(self.host()?.predictions(&self.data, windows)) };
        let mut values = Vec::with_capacity(windows.len() * self.config.queries);
        for own in windows.chunks(self.windows_at_once()) {
            let (x, _) = data.batch(own, self.config.history, self.config.queries);
            values.extend(host(self.net.forward(&self.config, alike(&x, true), self.form).prediction)?);
        }
        Array2::from_shape_vec((windows.len(), self.config.queries), values).map_err(|e| DeviceFailed(e.to_string()))
    }

    /// Mean of A over windows `[queries, tokens]`; zeros without windows.
    ///
    /// # Errors
    /// When the device fails.
    pub fn mean_attention(&self, windows: &[usize]) -> Result<Array2<f32>, DeviceFailed> {
        let Some(data) = &self.on_device else { return Ok(self.host()?.mean_attention(&self.data, windows)) };
        let mut sum = Array2::<f32>::zeros((self.config.queries, self.config.tokens));
        for own in windows.chunks(self.windows_at_once()) {
            let (x, _) = data.batch(own, self.config.history, self.config.queries);
            sum += &array2(self.net.attention_sum(&self.config, alike(&x, true)))?;
        }
        Ok(sum / windows.len().max(1) as f32)
    }

    /// How many windows a GPU takes at once outside training.
    fn windows_at_once(&self) -> usize {
        let per_token = self.config.width() + self.config.key_width + if self.config.needs_attention() { self.config.queries } else { 0 };
        (BATCH_VALUES / (self.config.tokens * per_token).max(1)).clamp(1, 1024)
    }

    /// The network as the CPU reads it: A of a window, single entries over time. Valid until the next step.
    ///
    /// # Errors
    /// When the device fails.
    pub fn host(&self) -> Result<Host, DeviceFailed> {
        Host::read(&self.net, &self.config)
    }

    /// The network.
    pub fn net(&self) -> &NetFormerNet {
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
            schedule: self.rate.memory(),
        })
    }

    /// Go on from a state.
    ///
    /// # Errors
    /// In words, when it is of another network; nothing has changed then.
    pub fn restore(&mut self, state: &TrainerState) -> Result<(), String> {
        params::check(&self.net, &state.weights)?;
        if !self.rate.recall(&state.schedule) {
            return Err("the learning-rate schedule is of another kind".to_owned());
        }
        self.load(&state.weights);
        let device = self.device.clone();
        self.optimiser.restore(&state.optimiser, &self.order, &device);
        self.steps = usize::try_from(state.steps).map_err(|e| e.to_string())?;
        self.rate_factor = state.rate_factor;
        Ok(())
    }

    /// Begin the optimiser anew at half the learning rate (after a loss that was no finite number).
    pub fn soften(&mut self) {
        self.optimiser = Adam::new(clip(&self.config));
        self.rate_factor *= 0.5;
    }

    /// Shapes.
    pub fn config(&self) -> &NetFormerConfig {
        &self.config
    }

    /// Activity.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// How A v is computed in training.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Steps taken.
    pub fn steps(&self) -> usize {
        self.steps
    }
}

fn clip(config: &NetFormerConfig) -> f64 {
    if config.offset { CLIP } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::models::netformer::Activation;

    /// Units driven by one known matrix, `x' = W x + noise`: unit n listens to the unit before it.
    fn chain(units: usize, bins: usize) -> (Array2<f32>, Array2<f32>) {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let weights = Array2::from_shape_fn((units, units), |(i, j)| match (i + units - j) % units {
            1 => 0.6 - 0.9 * (i % 2) as f32,
            0 => 0.3,
            _ => 0.0,
        });
        let mut activity = Array2::<f32>::zeros((bins, units));
        for t in 1..bins {
            let next = weights.dot(&activity.row(t - 1));
            activity.row_mut(t).iter_mut().zip(&next).for_each(|(x, w)| {
                let noise: f32 = StandardNormal.sample(&mut random);
                *x = w + noise;
            });
        }
        (activity, weights)
    }

    fn trainer(config: NetFormerConfig, cpu: bool, order: Order) -> (Trainer, Vec<usize>, Array2<f32>) {
        let (activity, weights) = chain(config.tokens, 600);
        let data = Data::new(activity, None).unwrap();
        let windows = data.windows(&[0..300, 300..600], config.history);
        let options = TrainOptions { batch: 16, rate: 0.01, schedule: Schedule::Constant, order, seed: 1 };
        (Trainer::new(config, data, options, &Device::flex(), cpu).unwrap(), windows, weights)
    }

    fn toy(units: usize) -> NetFormerConfig {
        NetFormerConfig { layer_norm: false, scale: false, key_width: units, ..NetFormerConfig::new(units, 1, units) }
    }

    fn train(trainer: &mut Trainer, windows: &[usize], epochs: usize) -> Vec<f64> {
        let mut losses = Vec::new();
        for epoch in 0..epochs {
            for own in trainer.batches(windows, epoch) {
                losses.push(trainer.step(&own, epoch).unwrap().0.total);
            }
        }
        losses
    }

    #[test]
    fn attention_finds_the_connections() {
        for cpu in [true, false] {
            let (mut trainer, windows, weights) = trainer(toy(6), cpu, Order::Shuffled);
            let before = trainer.losses(&windows).unwrap();
            train(&mut trainer, &windows, 80);
            let after = trainer.losses(&windows).unwrap();
            assert!(after.fit < 0.2 * before.fit && after.fit < 1.1, "{before:?} to {after:?}");
            let a = trainer.mean_attention(&windows).unwrap();
            for ((at, value), truth) in a.indexed_iter().zip(&weights).filter(|((at, _), _)| at.0 != at.1) {
                assert!((value - truth).abs() < 0.2, "A{at:?} is {value}, but the truth is {truth}");
            }
        }
    }

    #[test]
    fn both_paths_agree_after_training() {
        let config = NetFormerConfig { queries: 5, activation: Activation::None, ..NetFormerConfig::new(8, 6, 4) };
        let run = |cpu: bool| {
            let (mut trainer, windows, _) = trainer(config.clone(), cpu, Order::Shuffled);
            let losses = train(&mut trainer, &windows, 2);
            (losses, trainer.predictions(&windows).unwrap(), trainer.mean_attention(&windows).unwrap(), trainer.losses(&windows).unwrap())
        };
        let ((first, p1, a1, l1), (second, p2, a2, l2)) = (run(true), run(false));
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        assert!(mean(&first[first.len() - 10..]) < mean(&first[..10]));
        first.iter().zip(&second).for_each(|(a, b)| assert!((a - b).abs() < 1e-3 * b, "{a} and {b}"));
        assert!((l1.total - l2.total).abs() < 1e-3);
        assert!((&p1 - &p2).iter().all(|d| d.abs() < 1e-2) && (&a1 - &a2).iter().all(|d| d.abs() < 1e-2));
        assert_eq!(p1.dim(), (588, 5));
    }

    #[test]
    fn the_same_seed_gives_the_same_run_on_any_number_of_threads() {
        let curve = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let (mut trainer, windows, _) = trainer(NetFormerConfig::new(30, 12, 20), true, Order::Shuffled);
                let losses = train(&mut trainer, &windows[..64], 2);
                (losses, trainer.mean_attention(&windows).unwrap())
            })
        };
        assert_eq!(curve(1), curve(3));
    }

    #[test]
    fn every_window_is_used_once_per_epoch() {
        let (shuffled, windows, _) = trainer(toy(4), true, Order::Shuffled);
        let batches = shuffled.batches(&windows[..40], 3);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [16, 16, 8]);
        let mut all = batches.concat();
        assert_ne!(all, shuffled.batches(&windows[..40], 4).concat());
        all.sort_unstable();
        assert_eq!(all, windows[..40]);
        let (consecutive, ..) = trainer(toy(4), true, Order::Consecutive);
        assert_eq!(consecutive.batches(&windows[..40], 3), [windows[..16].to_vec(), windows[16..32].to_vec()]);
        assert_eq!(consecutive.batches(&windows[..7], 0), [windows[..7].to_vec()]);
        assert!(consecutive.batches(&[], 0).is_empty());
    }

    #[test]
    fn weights_come_back_and_the_plateau_lowers_the_rate() {
        let (mut trainer, windows, _) = trainer(toy(4), true, Order::Shuffled);
        let start = params::read(trainer.net()).unwrap();
        let losses = trainer.losses(&windows).unwrap();
        train(&mut trainer, &windows, 1);
        assert_ne!(trainer.losses(&windows).unwrap(), losses);
        trainer.load(&start);
        assert_eq!(trainer.losses(&windows).unwrap(), losses);
        assert_eq!((trainer.steps(), trainer.rate(0)), (windows.len().div_ceil(16), 0.01));
        let options = TrainOptions { schedule: Schedule::Plateau { factor: 0.5, patience: 0, threshold: 0.0 }, ..TrainOptions::default() };
        let mut falling = Trainer::new(toy(4), trainer.data().clone(), options, &Device::flex(), true).unwrap();
        [1.0, 2.0].into_iter().for_each(|loss| falling.observe(loss));
        assert_eq!(falling.rate(1), 5e-4);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (fine, ..) = trainer(toy(4), true, Order::Shuffled);
        let message = |config: NetFormerConfig, rate: f64| {
            let options = TrainOptions { rate, ..TrainOptions::default() };
            Trainer::new(config, fine.data().clone(), options, &Device::flex(), true).err().unwrap().to_string()
        };
        assert!(message(toy(5), 0.1).contains("data is 4, but it must be 5"));
        assert!(message(NetFormerConfig::new(4, 700, 3), 0.1).contains("take shorter bins or less history"));
        assert!(message(toy(4), 0.0).contains("learning rate is 0"));
        let narrow = Data::new(Array2::zeros((50, 4)), Some(Array2::zeros((50, 2)))).unwrap();
        let error = Trainer::new(toy(4), narrow, TrainOptions::default(), &Device::flex(), true).err().unwrap().to_string();
        assert!(error.contains("columns to predict is 2, but it must be at least 4"), "{error}");
    }
}
