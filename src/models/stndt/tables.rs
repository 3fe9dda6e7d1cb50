//! Constants of a network: position codes and the context mask.

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::Array2;

use super::StndtConfig;
use crate::models::params::PlainDevice;

/// Constants, on the host and on the device (without autodiff).
#[derive(Debug, Clone)]
pub struct Tables {
    /// Codes of bins `[T, N]`.
    pub time: Array2<f32>,
    /// Codes of units, transposed: `[T, N]`.
    pub space: Array2<f32>,
    pub(super) device_time: Tensor<2>,
    pub(super) device_space: Tensor<2>,
    /// 0 where a bin may attend, −10⁹ elsewhere `[T, T]`.
    pub(super) device_context: Tensor<2>,
}

impl Tables {
    /// For one configuration.
    pub fn new(config: &StndtConfig, device: &Device) -> Self {
        let device = device.inner_if_autodiff();
        let on =
            |a: &Array2<f32>| Tensor::from_data(TensorData::new(a.iter().copied().collect::<Vec<_>>(), [a.nrows(), a.ncols()]), &device);
        let time = sinusoids(config.bins, config.units);
        let space = sinusoids(config.units, config.bins).reversed_axes().as_standard_layout().into_owned();
        let context = Array2::from_shape_fn((config.bins, config.bins), |(i, j)| if config.context(i).contains(&j) { 0.0 } else { -1e9 });
        let (device_time, device_space, device_context) = (on(&time), on(&space), on(&context));
        Self { time, space, device_time, device_space, device_context }
    }
}

/// Sine and cosine codes `[length, width]` (Vaswani et al. 2017): even columns sine, odd columns cosine.
fn sinusoids(length: usize, width: usize) -> Array2<f32> {
    Array2::from_shape_fn((length, width), |(at, column)| {
        let frequency = (-(10_000f64.ln()) / width as f64 * (column / 2 * 2) as f64).exp();
        let angle = at as f64 * frequency;
        (if column.is_multiple_of(2) { angle.sin() } else { angle.cos() }) as f32
    })
}
