//! AdamW as the published training code uses it (`pytorch_transformers` 1.2.0): epsilon is added to √v before the bias
//! correction, and the decay, decoupled, acts on every parameter after the step. With its learning-rate schedule.

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{Device, Tensor};

use crate::models::DeviceFailed;
use crate::models::adam::{Gradients, Moments, OptimiserState};
use crate::models::params::{Plain, replace};

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The optimiser.
#[derive(Debug)]
pub struct AdamW {
    clip: f64,
    decay: f64,
    step: i32,
    moments: Moments,
}

impl AdamW {
    /// With the largest gradient norm that passes unscaled, and the weight decay.
    pub fn new(clip: f64, decay: f64) -> Self {
        Self { clip, decay, step: 0, moments: Moments::new() }
    }

    /// What is carried from step to step, for the parameters in `order`.
    ///
    /// # Errors
    /// When the device cannot be read.
    pub fn state(&self, order: &[(ParamId, String)]) -> Result<OptimiserState, DeviceFailed> {
        OptimiserState::read(self.step, &self.moments, order)
    }

    /// Go on from a state; `device` without autodiff.
    pub fn restore(&mut self, state: &OptimiserState, order: &[(ParamId, String)], device: &Device) {
        (self.step, self.moments) = (state.step, state.moments_on(order, device));
    }

    /// One step on every parameter that has a gradient. Returns the new module and the norm of the gradient before clipping. A
    /// gradient that is not finite changes nothing (the caller sees the norm).
    ///
    /// # Errors
    /// When the device cannot be read; the module is then lost with the device.
    pub fn step<M: Module>(
        &mut self,
        module: M,
        gradients: &Gradients,
        order: &[(ParamId, String)],
        rate: f64,
    ) -> Result<(M, f64), DeviceFailed> {
        let norm = gradients.norm(order)?;
        if !norm.is_finite() {
            return Ok((module, norm));
        }
        self.step += 1;
        // torch.nn.utils.clip_grad_norm_ adds 1e-6 to the norm.
        let scale = (self.clip / (norm + 1e-6)).min(1.0);
        let step = rate * (1.0 - BETA_2.powi(self.step)).sqrt() / (1.0 - BETA_1.powi(self.step));
        let mut update = Update { moments: &mut self.moments, gradients, scale, step, keep: 1.0 - rate * self.decay };
        Ok((module.map(&mut update), norm))
    }
}

struct Update<'a> {
    moments: &'a mut Moments,
    gradients: &'a Gradients,
    scale: f64,
    step: f64,
    keep: f64,
}

impl ModuleMapper for Update<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.get(param.id) else { return param };
        let (id, tensor, mapper) = param.consume();
        let gradient = gradient.clone().mul_scalar(self.scale);
        let (mut first, mut second) = (gradient.clone().mul_scalar(1.0 - BETA_1), gradient.square().mul_scalar(1.0 - BETA_2));
        if let Some((m, v)) = self.moments.remove(&id) {
            first = first + m.mul_scalar(BETA_1);
            second = second + v.mul_scalar(BETA_2);
        }
        let delta = first.clone().div(second.clone().sqrt().add_scalar(EPSILON)).mul_scalar(self.step);
        self.moments.insert(id, (first, second));
        let plain = tensor.clone().inner_if_tracked();
        let shape = plain.dims();
        let changed = (plain - delta.reshape(shape)).mul_scalar(self.keep);
        Param::from_mapped_value(id, replace(&tensor, changed), mapper)
    }
}

/// Linear warm-up, then a cosine to zero. Time counts in whatever unit both lengths have: the published code steps once per
/// epoch, so its first epoch runs at rate 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// Rate at the end of the warm-up.
    pub peak: f64,
    /// Length of the warm-up.
    pub warm_up: usize,
    /// Length of everything; `None` keeps the peak after the warm-up (NDT on synthetic data).
    pub total: Option<usize>,
}

impl Schedule {
    /// Learning rate at a time.
    pub fn rate(&self, time: usize) -> f64 {
        if time < self.warm_up {
            return self.peak * time as f64 / self.warm_up as f64;
        }
        let Some(total) = self.total else { return self.peak };
        let progress = (time - self.warm_up) as f64 / total.saturating_sub(self.warm_up).max(1) as f64;
        self.peak * 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_then_cosine() {
        let schedule = Schedule { peak: 2e-3, warm_up: 100, total: Some(1100) };
        let close = |time: usize, expected: f64| assert!((schedule.rate(time) - expected).abs() < 1e-12, "{time}: {}", schedule.rate(time));
        close(0, 0.0);
        close(50, 1e-3);
        close(100, 2e-3);
        close(600, 1e-3);
        close(1100, 0.0);
        close(5000, 0.0);
        assert_eq!(Schedule { total: None, ..schedule }.rate(10_000), 2e-3);
        assert_eq!(Schedule { warm_up: 0, ..schedule }.rate(0), 2e-3);
    }
}
