//! The objective (spec §4.1) and its gradients in tensors, on any device.

use burn::tensor::Tensor;

use super::forward::Forward;
use super::{Ask, GlmConfig, GlmNet, Model};
use crate::models::DeviceFailed;
use crate::models::adam::Gradients;

/// Terms of the loss, per bin and unit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LossTerms {
    /// Mean of exp(log λ) − y log λ (log y! dropped).
    pub poisson: f64,
    /// KL divergence scaled to bins and units, before beta.
    pub kl: f64,
    /// Group penalty with its weight.
    pub group: f64,
    /// Smoothness penalty with its weight.
    pub smooth: f64,
    /// Poisson + beta · KL + penalties.
    pub total: f64,
}

impl LossTerms {
    /// From the terms, in order; sums the total.
    pub(super) fn of(config: &GlmConfig, poisson: f64, kl: f64, group: f64, smooth: f64) -> Self {
        Self { poisson, kl, group, smooth, total: poisson + config.beta * kl + group + smooth }
    }
}

/// Penalties as tensors.
pub(super) struct Penalties {
    pub(super) kl: Option<Tensor<1>>,
    pub(super) group: Option<Tensor<1>>,
    pub(super) smooth: Tensor<1>,
}

impl GlmNet {
    /// Penalties of a pass. `latent` `[M, A, D]` twice; `factors` `[A, M, K, T]`, else f0 is smoothed. The group penalty runs
    /// over every ordered pair, i = i included, also when self-coupling is off (published); `penalise_coupling` turns it off.
    pub(super) fn penalties(
        &self,
        config: &GlmConfig,
        f0: &Tensor<3>,
        factors: Option<&Tensor<4>>,
        latent: Option<&(Tensor<3>, Tensor<3>)>,
        penalise_coupling: bool,
    ) -> Penalties {
        let kl = latent.map(|(mean, log_variance)| {
            let [_, a, d] = mean.dims();
            let inside = log_variance.clone().add_scalar(1.0) - mean.clone().square() - log_variance.clone().exp();
            inside.mean().mul_scalar(-0.5 * (a * d) as f64 / (config.bins * config.units()) as f64)
        });
        let group = penalise_coupling.then(|| {
            let norms = self.coupling.iter().flat_map(|c| [c.send.val(), c.recv.val()]).map(group_norm).collect();
            Tensor::cat(norms, 0).sum().mul_scalar(config.penalty_coupling)
        });
        let [a, k, t] = f0.dims();
        let flat: Tensor<2> = match factors {
            Some(factors) => factors.clone().reshape([a * factors.dims()[1] * k, t]),
            None => f0.clone().reshape([a * k, t]),
        };
        let middle = flat.clone().narrow(1, 1, t - 2).mul_scalar(2.0);
        let bend = flat.clone().narrow(1, 2, t - 2) - middle + flat.narrow(1, 0, t - 2);
        Penalties { kl, group, smooth: bend.square().mean().mul_scalar(config.penalty_smooth) }
    }
}

/// Mean over units of the Euclidean norm over factors; for one factor the mean absolute value.
fn group_norm(weights: Tensor<2>) -> Tensor<1> {
    if weights.dims()[1] == 1 {
        return weights.abs().mean();
    }
    // The root has no slope at zero; this is far below any weight.
    weights.square().sum_dim(1).add_scalar(1e-24).sqrt().mean()
}

fn read(tensor: Tensor<1>) -> Result<f64, DeviceFailed> {
    Ok(f64::from(tensor.try_into_scalar::<f32>()?))
}

fn terms_of(config: &GlmConfig, poisson: &Tensor<1>, penalties: &Penalties) -> Result<LossTerms, DeviceFailed> {
    // One read of all terms: every read of a GPU waits for its queue.
    let zero = || poisson.clone().mul_scalar(0.0);
    let parts = vec![
        poisson.clone(),
        penalties.kl.clone().unwrap_or_else(zero),
        penalties.group.clone().unwrap_or_else(zero),
        penalties.smooth.clone(),
    ];
    let mut values = [0.0; 4];
    for (value, part) in values.iter_mut().zip(parts) {
        *value = read(part)?;
    }
    Ok(LossTerms::of(config, values[0], values[1], values[2], values[3]))
}

fn poisson(config: &GlmConfig, counts: &Tensor<3>, forward: &Forward) -> Tensor<1> {
    let observed = counts.clone().narrow(1, config.pad, config.bins);
    (forward.log_rate.clone().exp() - observed * forward.log_rate.clone()).mean()
}

/// Loss of a pass.
///
/// # Errors
/// When the device cannot be read.
pub fn reference_losses(
    net: &GlmNet,
    config: &GlmConfig,
    counts: &Tensor<3>,
    forward: &Forward,
    penalise_coupling: bool,
) -> Result<LossTerms, DeviceFailed> {
    let penalties = net.penalties(config, &forward.f0, forward.factors.as_ref(), forward.latent.as_ref(), penalise_coupling);
    terms_of(config, &poisson(config, counts, forward), &penalties)
}

/// Loss and gradients of one batch by automatic differentiation. `net` must live on an autodiff device; only parameters that
/// track gradients get one.
///
/// # Errors
/// When the device cannot be read.
pub fn reference_gradients(model: Model<'_>, counts: Tensor<3>, ask: Ask) -> Result<(LossTerms, Gradients), DeviceFailed> {
    let Model { net, config, tables } = model;
    let Ask { terms, latent, noise, penalise_coupling } = ask;
    let tracked = |t: Tensor<3>| if t.is_autodiff() { t } else { Tensor::from_inner(t) };
    let counts = tracked(counts);
    let latent = latent.map(|(mean, log_variance)| (tracked(mean), tracked(log_variance)));
    let forward = net.forward(config, tables, counts.clone(), terms, latent, noise.map(tracked));
    let poisson = poisson(config, &counts, &forward);
    let penalties = net.penalties(config, &forward.f0, forward.factors.as_ref(), forward.latent.as_ref(), penalise_coupling);
    let mut total = poisson.clone() + penalties.smooth.clone();
    if let Some(kl) = &penalties.kl {
        total = total + kl.clone().mul_scalar(config.beta);
    }
    if let Some(group) = &penalties.group {
        total = total + group.clone();
    }
    let plain =
        Penalties { kl: penalties.kl.map(Tensor::inner), group: penalties.group.map(Tensor::inner), smooth: penalties.smooth.inner() };
    let losses = terms_of(config, &poisson.inner(), &plain)?;
    let mut gradients = Gradients::new();
    if total.is_tracked() {
        gradients.collect(net, &mut total.backward());
    }
    Ok((losses, gradients))
}
