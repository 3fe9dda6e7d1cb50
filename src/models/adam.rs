//! Adam with one learning rate per parameter and one gradient-norm clip over everything that trains
//! (Kingma & Ba 2015; epsilon is added after the bias correction).
//!
//! burn's own optimiser clips tensor by tensor; the models of the papers clip the norm of the whole gradient.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};

use super::DeviceFailed;
use super::params::{Values, replace};

/// Gradients by parameter, flattened.
#[derive(Default)]
pub struct Gradients {
    flat: HashMap<ParamId, Tensor<1>>,
}

impl Gradients {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Add `gradient` (without autodiff) to what is held for `id`.
    pub fn add<const D: usize>(&mut self, id: ParamId, gradient: Tensor<D>) {
        let n = gradient.shape().num_elements();
        let flat = gradient.reshape([n]);
        let sum = match self.flat.remove(&id) {
            Some(held) => held + flat,
            None => flat,
        };
        self.flat.insert(id, sum);
    }

    /// Move every parameter's gradient out of burn's container and add it.
    pub fn collect<M: Module>(&mut self, module: &M, from: &mut burn::tensor::Gradients) {
        module.visit(&mut Collector { from, into: self });
    }

    /// The gradient of `id`, flattened.
    pub fn get(&self, id: ParamId) -> Option<&Tensor<1>> {
        self.flat.get(&id)
    }

    /// Euclidean norm over the parameters in `order` (an order, because floating-point sums depend on it).
    ///
    /// # Errors
    /// When the device cannot be read.
    pub fn norm(&self, order: &[(ParamId, String)]) -> Result<f64, DeviceFailed> {
        let squares: Vec<Tensor<1>> = order.iter().filter_map(|(id, _)| self.flat.get(id)).map(|g| g.clone().square().sum()).collect();
        if squares.is_empty() {
            return Ok(0.0);
        }
        Ok(f64::from(Tensor::cat(squares, 0).sum().try_into_scalar::<f32>()?).sqrt())
    }
}

struct Collector<'a> {
    from: &'a mut burn::tensor::Gradients,
    into: &'a mut Gradients,
}

impl ModuleVisitor for Collector<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad_remove(self.from) {
            self.into.add(param.id, gradient);
        }
    }
}

/// First and second moments by parameter, flattened.
pub(super) type Moments = HashMap<ParamId, (Tensor<1>, Tensor<1>)>;

/// What an optimiser carries from step to step, on the host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OptimiserState {
    /// Steps taken.
    pub step: i32,
    /// `first.NAME` and `second.NAME` of every parameter that had a gradient, each `[size of the parameter]`.
    pub moments: Values,
}

impl OptimiserState {
    pub(super) fn read(step: i32, moments: &Moments, order: &[(ParamId, String)]) -> Result<Self, DeviceFailed> {
        let mut values = Values::new();
        for (id, name) in order {
            let Some((first, second)) = moments.get(id) else { continue };
            values.insert(format!("first.{name}"), first.clone().try_into_data()?);
            values.insert(format!("second.{name}"), second.clone().try_into_data()?);
        }
        Ok(Self { step, moments: values })
    }

    /// The moments on a device (without autodiff). Names that are not in `order` are passed over.
    pub(super) fn moments_on(&self, order: &[(ParamId, String)], device: &Device) -> Moments {
        let tensor = |which: &str, name: &str| Some(Tensor::from_data(self.moments.get(&format!("{which}.{name}"))?.clone(), device));
        order.iter().filter_map(|(id, name)| Some((*id, (tensor("first", name)?, tensor("second", name)?)))).collect()
    }
}

/// The optimiser of one stage; make a fresh one for every stage.
pub struct Adam {
    clip: f64,
    step: i32,
    moments: Moments,
}

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

impl Adam {
    /// With the largest gradient norm that passes unscaled.
    pub fn new(clip: f64) -> Self {
        Self { clip, step: 0, moments: HashMap::new() }
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

    /// One step on every parameter that has a gradient and a rate above 0. Returns the new module and the norm of the
    /// gradient before clipping. A gradient that is not finite changes nothing (the caller sees the norm).
    ///
    /// # Errors
    /// When the device cannot be read; the module is then lost with the device.
    pub fn step<M: Module>(
        &mut self,
        module: M,
        gradients: &Gradients,
        order: &[(ParamId, String)],
        rate: &dyn Fn(&str) -> f64,
    ) -> Result<(M, f64), DeviceFailed> {
        let norm = gradients.norm(order)?;
        if !norm.is_finite() {
            return Ok((module, norm));
        }
        self.step += 1;
        // torch.nn.utils.clip_grad_norm_ adds 1e-6 to the norm.
        let scale = (self.clip / (norm + 1e-6)).min(1.0);
        let mut update = Update { adam: self, gradients, scale, rate, path: Vec::new() };
        Ok((module.map(&mut update), norm))
    }
}

struct Update<'a> {
    adam: &'a mut Adam,
    gradients: &'a Gradients,
    scale: f64,
    rate: &'a dyn Fn(&str) -> f64,
    path: Vec<String>,
}

impl ModuleMapper for Update<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let rate = (self.rate)(&self.path.join("."));
        let Some(gradient) = self.gradients.get(param.id).filter(|_| rate > 0.0) else { return param };
        let (id, tensor, mapper) = param.consume();
        let gradient = gradient.clone().mul_scalar(self.scale);
        let (first, second) = match self.adam.moments.remove(&id) {
            Some((first, second)) => (
                first.mul_scalar(BETA_1) + gradient.clone().mul_scalar(1.0 - BETA_1),
                second.mul_scalar(BETA_2) + gradient.square().mul_scalar(1.0 - BETA_2),
            ),
            None => (gradient.clone().mul_scalar(1.0 - BETA_1), gradient.square().mul_scalar(1.0 - BETA_2)),
        };
        let (correct_1, correct_2) = (1.0 - BETA_1.powi(self.adam.step), 1.0 - BETA_2.powi(self.adam.step));
        let denominator = second.clone().sqrt().mul_scalar(1.0 / correct_2.sqrt()).add_scalar(EPSILON);
        let delta = first.clone().div(denominator).mul_scalar(rate / correct_1);
        self.adam.moments.insert(id, (first, second));
        let plain = super::params::Plain::inner_if_tracked(tensor.clone());
        let shape = plain.dims();
        let changed = plain - delta.reshape(shape);
        Param::from_mapped_value(id, replace(&tensor, changed), mapper)
    }
}
