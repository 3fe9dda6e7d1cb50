//! What a run draws from its one seed on the host, so that it is the same on every device: initial weights, order of batches.

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// In the order of an epoch: the same for the same seed and epoch.
pub(super) fn shuffled(mut items: Vec<usize>, seed: u64, epoch: usize) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(u64::MAX - epoch as u64);
    items.shuffle(&mut random);
    items
}

/// Draws initial weights for one device.
pub struct Init<'a> {
    random: ChaCha8Rng,
    device: &'a Device,
}

impl<'a> Init<'a> {
    /// From a seed.
    pub fn new(seed: u64, device: &'a Device) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), device }
    }

    /// A parameter of given values.
    pub fn values<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Param<Tensor<D>> {
        Param::from_data(TensorData::new(values, shape), self.device)
    }

    /// A parameter filled with one value.
    pub fn full<const D: usize>(&self, value: f32, shape: [usize; D]) -> Param<Tensor<D>> {
        self.values(vec![value; shape.iter().product()], shape)
    }

    /// Uniform on ±`bound`.
    pub fn uniform<const D: usize>(&mut self, bound: f64, shape: [usize; D]) -> Param<Tensor<D>> {
        let values = (0..shape.iter().product()).map(|_| (self.random.random::<f64>() * 2.0 - 1.0) * bound).map(|x| x as f32).collect();
        self.values(values, shape)
    }

    /// Normal with standard deviation `sd`.
    pub fn normal<const D: usize>(&mut self, sd: f64, shape: [usize; D]) -> Param<Tensor<D>> {
        let draw = |random: &mut ChaCha8Rng| <StandardNormal as Distribution<f64>>::sample(&StandardNormal, random) * sd;
        let values = (0..shape.iter().product()).map(|_| draw(&mut self.random) as f32).collect();
        self.values(values, shape)
    }

    /// A linear layer `[inputs, outputs]` with weights uniform on ±`weight_bound` and biases uniform on ±`bias_bound`.
    pub fn linear(&mut self, inputs: usize, outputs: usize, weight_bound: f64, bias_bound: f64) -> Linear {
        let weight = self.uniform(weight_bound, [inputs, outputs]);
        let bias = Some(self.uniform(bias_bound, [outputs]));
        Linear { weight, bias }
    }

    /// A linear layer as most frameworks start it: weights and biases uniform on ±1/√inputs.
    pub fn plain_linear(&mut self, inputs: usize, outputs: usize) -> Linear {
        let bound = 1.0 / (inputs as f64).sqrt();
        self.linear(inputs, outputs, bound, bound)
    }
}
