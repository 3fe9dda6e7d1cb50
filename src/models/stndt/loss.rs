//! The objective (spec §2.8) and its gradients in tensors, on any device.

use burn::tensor::{Tensor, TensorData, activation};
use ndarray::Array3;

use super::forward::Dropout;
use super::{Batch, Contrast, ContrastOn, StndtConfig, StndtNet, Tables};
use crate::models::DeviceFailed;
use crate::models::adam::Gradients;
use crate::models::host::{alike, tensor3};
use crate::models::params::{Plain, PlainDevice};

/// Terms of the loss.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LossTerms {
    /// Mean of exp(z) − y z over scored entries (log y! dropped), per bin and unit.
    pub masked: f64,
    /// InfoNCE of embedded bins, unweighted; 0 when off.
    pub contrast_time: f64,
    /// InfoNCE of embedded units, unweighted; 0 when off.
    pub contrast_space: f64,
    /// InfoNCE of predicted log-rates, unweighted; 0 when off.
    pub contrast_predictions: f64,
    /// masked + λ · (InfoNCE terms).
    pub total: f64,
}

impl LossTerms {
    pub(super) fn of(config: &StndtConfig, masked: f64, time: f64, space: f64, predictions: f64) -> Self {
        let weight = config.contrast.map_or(0.0, |c| c.weight);
        let total = masked + weight * (time + space + predictions);
        Self { masked, contrast_time: time, contrast_space: space, contrast_predictions: predictions, total }
    }
}

/// Seed of the dropout masks of a view's pass.
pub(super) fn view_seed(seed: u64, view: usize) -> u64 {
    seed ^ (0x5eed_0001 + view as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

struct Terms {
    masked: Tensor<1>,
    time: Option<Tensor<1>>,
    space: Option<Tensor<1>>,
    predictions: Option<Tensor<1>>,
}

impl Terms {
    fn total(&self, contrast: Option<&Contrast>) -> Tensor<1> {
        let weight = contrast.map_or(0.0, |c| c.weight);
        [&self.time, &self.space, &self.predictions]
            .into_iter()
            .flatten()
            .fold(self.masked.clone(), |sum, term| sum + term.clone().mul_scalar(weight))
    }

    fn read(&self, config: &StndtConfig) -> Result<LossTerms, DeviceFailed> {
        let value = |t: &Tensor<1>| -> Result<f64, DeviceFailed> { Ok(f64::from(t.clone().inner_if_tracked().try_into_scalar::<f32>()?)) };
        let term = |t: &Option<Tensor<1>>| t.as_ref().map_or(Ok(0.0), value);
        Ok(LossTerms::of(config, value(&self.masked)?, term(&self.time)?, term(&self.space)?, term(&self.predictions)?))
    }
}

fn terms(net: &StndtNet, config: &StndtConfig, tables: &Tables, batch: &Batch, dropout: Dropout) -> Terms {
    let weight = net.readout.weight.val();
    let (device, autodiff) = (weight.device().inner_if_autodiff(), weight.is_autodiff());
    let on = |a: &Array3<f32>| alike(&tensor3(a, &device), autodiff);
    let log_rate = net.forward(config, tables, on(&batch.src), dropout, false).log_rate;
    let scored = on(&batch.scored.mapv(|s| if s { 1.0 } else { 0.0 }));
    let nll = log_rate.clone().exp() - on(&batch.target) * log_rate;
    let masked = (nll * scored).sum().mul_scalar(1.0 / batch.n_scored().max(1) as f64);
    let mut all = Terms { masked, time: None, space: None, predictions: None };
    let (Some(contrast), Some(views)) = (&config.contrast, &batch.views) else { return all };
    let [first, second] = views;
    match contrast.on {
        ContrastOn::Embedders => {
            let ((time_1, space_1), (time_2, space_2)) = (net.embed(on(first)), net.embed(on(second)));
            all.time = Some(info_nce(time_1, time_2, contrast.temperature));
            all.space = space_1.zip(space_2).map(|(a, b)| info_nce(a, b, contrast.temperature));
        }
        ContrastOn::Predictions => {
            let predict = |view: &Array3<f32>, which: usize| {
                let dropout = match dropout {
                    Dropout::Seeded(seed) => Dropout::Seeded(view_seed(seed, which)),
                    other => other,
                };
                net.forward(config, tables, on(view), dropout, false).log_rate
            };
            all.predictions = Some(info_nce(predict(first, 0), predict(second, 1), contrast.temperature));
        }
    }
    all
}

/// InfoNCE of two views of the same trials: cross-entropy of every row's partner among all other rows, by cosine similarity.
fn info_nce(first: Tensor<3>, second: Tensor<3>, temperature: f64) -> Tensor<1> {
    let [b, rows, columns] = first.dims();
    let features: Tensor<2> = Tensor::cat(vec![first, second], 0).reshape([2 * b, rows * columns]);
    let length = features.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
    let features = features / length;
    let (autodiff, device) = (features.is_autodiff(), features.device().inner_if_autodiff());
    let constant = |value: &dyn Fn(usize, usize) -> f32| {
        let values: Vec<f32> = (0..4 * b * b).map(|k| value(k / (2 * b), k % (2 * b))).collect();
        alike(&Tensor::<2>::from_data(TensorData::new(values, [2 * b, 2 * b]), &device), autodiff)
    };
    let own = constant(&|i, j| if i == j { -1e9 } else { 0.0 });
    let partner = constant(&|i, j| if (i + b) % (2 * b) == j { -1.0 / (2 * b) as f32 } else { 0.0 });
    let similarity = features.clone().matmul(features.transpose()).mul_scalar(1.0 / temperature) + own;
    (activation::log_softmax(similarity, 1) * partner).sum()
}

/// Loss of a batch.
///
/// # Errors
/// When the device cannot be read.
pub fn reference_losses(
    net: &StndtNet,
    config: &StndtConfig,
    tables: &Tables,
    batch: &Batch,
    dropout: Dropout,
) -> Result<LossTerms, DeviceFailed> {
    terms(net, config, tables, batch, dropout).read(config)
}

/// Loss and gradients of one batch by automatic differentiation. `net` must live on an autodiff device; only parameters that
/// track gradients get one.
///
/// # Errors
/// When the device cannot be read.
pub fn reference_gradients(
    net: &StndtNet,
    config: &StndtConfig,
    tables: &Tables,
    batch: &Batch,
    dropout: Dropout,
) -> Result<(LossTerms, Gradients), DeviceFailed> {
    let terms = terms(net, config, tables, batch, dropout);
    let total = terms.total(config.contrast.as_ref());
    let mut gradients = Gradients::new();
    if total.is_tracked() {
        gradients.collect(net, &mut total.backward());
    }
    Ok((terms.read(config)?, gradients))
}
