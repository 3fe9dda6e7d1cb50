//! The objective (spec §2.1, §2.3) and its gradients in tensors, on any device.

use burn::tensor::{Device, Tensor, TensorData};

use super::data::DeviceData;
use super::{Constraint, Data, Form, Loss, NetFormerConfig, NetFormerNet};
use crate::models::DeviceFailed;
use crate::models::adam::Gradients;
use crate::models::host::alike;
use crate::models::params::{Plain, PlainDevice};

/// Smallest variance of the prior on A.
pub(super) const SMALLEST_VARIANCE: f64 = 1e-6;

/// Terms of the loss.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LossTerms {
    /// Mean over windows and predicted units: squared error, or rate − y log rate.
    pub fit: f64,
    /// Gaussian negative log-likelihood of A under the prior of its cell types, mean over entries, unweighted; 0 when off.
    pub constraint: f64,
    /// fit + weight · constraint.
    pub total: f64,
}

impl LossTerms {
    pub(super) fn of(config: &NetFormerConfig, fit: f64, constraint: f64) -> Self {
        let weight = config.constraint.as_ref().map_or(0.0, |c| c.weight);
        Self { fit, constraint, total: fit + weight * constraint }
    }
}

struct Terms {
    fit: Tensor<1>,
    constraint: Option<Tensor<1>>,
}

impl Terms {
    fn read(&self, config: &NetFormerConfig) -> Result<LossTerms, DeviceFailed> {
        let value = |t: &Tensor<1>| -> Result<f64, DeviceFailed> { Ok(f64::from(t.clone().inner_if_tracked().try_into_scalar::<f32>()?)) };
        Ok(LossTerms::of(config, value(&self.fit)?, self.constraint.as_ref().map_or(Ok(0.0), value)?))
    }
}

fn terms(net: &NetFormerNet, config: &NetFormerConfig, data: &DeviceData, starts: &[usize], form: Form) -> Terms {
    let autodiff = net.identity.val().is_autodiff();
    let (x, y) = data.batch(starts, config.history, config.queries);
    let form = if config.needs_attention() { Form::Explicit } else { form };
    let forward = net.forward(config, alike(&x, autodiff), form);
    let (p, y) = (forward.prediction, alike(&y, autodiff));
    let fit = match config.loss {
        Loss::SquaredError => (p - y).square().mean(),
        // exp(p) below 0 and 1 + p above, in one expression.
        Loss::Poisson if config.offset => {
            let (below, above) = (p.clone().clamp_max(0.0), p.clamp_min(0.0));
            (below.clone().exp() + above.clone() - y * (below + above.log1p())).mean()
        }
        Loss::Poisson => (p.clone().exp() - y * p).mean(),
    };
    let constraint = match (&config.constraint, forward.attention) {
        (Some(constraint), Some(attention)) if constraint.weight != 0.0 => net.prior(config, constraint, attention),
        _ => None,
    };
    Terms { fit, constraint }
}

impl NetFormerNet {
    /// ½ (log σ² + (A − μ)² / σ²), mean over windows and entries, μ and σ by the cell types of row and column.
    fn prior(&self, config: &NetFormerConfig, constraint: &Constraint, attention: Tensor<3>) -> Option<Tensor<1>> {
        let (mean, sd) = (self.type_mean.as_ref()?.val(), self.type_sd.as_ref()?.val());
        let member = membership(constraint, &mean.device().inner_if_autodiff());
        let member = alike(&member, mean.is_autodiff());
        let receiving = member.clone().narrow(0, 0, config.queries);
        let spread = |by_type: Tensor<2>| -> Tensor<3> { receiving.clone().matmul(by_type).matmul(member.clone().transpose()).unsqueeze() };
        let variance = sd.square().clamp_min(SMALLEST_VARIANCE);
        let (log, precision) = (spread(variance.clone().log()), spread(variance.recip()));
        let shape = attention.dims();
        let off = (attention - spread(mean).expand(shape)).square() * precision.expand(shape);
        Some((off.mean() + log.mean()).mul_scalar(0.5))
    }
}

/// 1 where a token is of a type `[S, K]`.
fn membership(constraint: &Constraint, device: &Device) -> Tensor<2> {
    let (s, k) = (constraint.types.len(), constraint.types_count());
    let mut values = vec![0.0f32; s * k];
    for (row, &kind) in values.chunks_exact_mut(k.max(1)).zip(&constraint.types) {
        row[kind] = 1.0;
    }
    Tensor::from_data(TensorData::new(values, [s, k]), device)
}

/// Loss of windows.
///
/// # Errors
/// When the device cannot be read.
pub fn reference_losses(
    net: &NetFormerNet,
    config: &NetFormerConfig,
    data: &Data,
    starts: &[usize],
    form: Form,
) -> Result<LossTerms, DeviceFailed> {
    losses_on(net, config, &uploaded(net, data), starts, form)
}

/// Loss and gradients of windows by automatic differentiation. `net` must live on an autodiff device; only parameters that track
/// gradients get one.
///
/// # Errors
/// When the device cannot be read.
pub fn reference_gradients(
    net: &NetFormerNet,
    config: &NetFormerConfig,
    data: &Data,
    starts: &[usize],
    form: Form,
) -> Result<(LossTerms, Gradients), DeviceFailed> {
    gradients_on(net, config, &uploaded(net, data), starts, form)
}

fn uploaded(net: &NetFormerNet, data: &Data) -> DeviceData {
    data.upload(&net.identity.val().device().inner_if_autodiff())
}

/// [`reference_losses`] of data that is on the device already.
pub(super) fn losses_on(
    net: &NetFormerNet,
    config: &NetFormerConfig,
    data: &DeviceData,
    starts: &[usize],
    form: Form,
) -> Result<LossTerms, DeviceFailed> {
    terms(net, config, data, starts, form).read(config)
}

/// [`reference_gradients`] of data that is on the device already.
pub(super) fn gradients_on(
    net: &NetFormerNet,
    config: &NetFormerConfig,
    data: &DeviceData,
    starts: &[usize],
    form: Form,
) -> Result<(LossTerms, Gradients), DeviceFailed> {
    let terms = terms(net, config, data, starts, form);
    let weight = config.constraint.as_ref().map_or(0.0, |c| c.weight);
    let total = match &terms.constraint {
        Some(constraint) => terms.fit.clone() + constraint.clone().mul_scalar(weight),
        None => terms.fit.clone(),
    };
    let mut gradients = Gradients::new();
    if total.is_tracked() {
        gradients.collect(net, &mut total.backward());
    }
    Ok((terms.read(config)?, gradients))
}
