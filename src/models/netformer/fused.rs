//! Loss and gradients on the CPU, window by window, without tensors: the numbers are those of `loss`, up to rounding. Windows are
//! read in place from the activity.

use ndarray::Array2;
use rayon::prelude::*;

use super::folded::{Folded, Slopes};
use super::{Data, Form, LossTerms, NetFormerConfig, NetFormerNet};
use crate::models::DeviceFailed;
use crate::models::adam::Gradients;

/// Windows whose gradients are summed together: the unit of parallel work, so results do not depend on the number of threads.
const GROUP: usize = 4;

/// A network as the CPU reads it, once, valid until the next optimiser step.
pub struct Host {
    pub(super) folded: Folded,
}

impl Host {
    /// Read a network.
    ///
    /// # Errors
    /// When its device cannot be read.
    pub fn read(net: &NetFormerNet, config: &NetFormerConfig) -> Result<Self, DeviceFailed> {
        Ok(Self { folded: Folded::read(net, config)? })
    }

    /// Predictions `[windows, queries]` of the bin after each window; log counts with the Poisson loss.
    pub fn predictions(&self, data: &Data, starts: &[usize]) -> Array2<f32> {
        let config = &self.folded.config;
        let form = Form::cheapest(config, starts.len());
        let mut out = Array2::zeros((starts.len(), config.queries));
        let rows: Vec<_> = out.outer_iter_mut().zip(starts).collect();
        rows.into_par_iter().for_each(|(mut row, &start)| {
            let pass = self.folded.pass(form, data.window(start, config.history));
            row.iter_mut().zip(&pass.prediction).for_each(|(to, from)| *to = *from);
        });
        out
    }

    /// Losses of windows.
    pub fn losses(&self, data: &Data, starts: &[usize]) -> LossTerms {
        let config = &self.folded.config;
        let form = Form::cheapest(config, starts.len());
        let sums: Vec<(f64, f64)> = starts
            .par_iter()
            .map(|&start| {
                let pass = self.folded.pass(form, data.window(start, config.history));
                (self.folded.fit(&pass, data.target(start + config.history), None), self.folded.prior_sum(&pass))
            })
            .collect();
        let (fit, prior) = sums.iter().fold((0.0, 0.0), |(f, p), (fit, prior)| (f + fit, p + prior));
        self.means(fit, prior, starts.len())
    }

    fn means(&self, fit: f64, prior: f64, windows: usize) -> LossTerms {
        let config = &self.folded.config;
        let predicted = (windows * config.queries).max(1) as f64;
        LossTerms::of(config, fit / predicted, prior / (predicted * config.tokens as f64))
    }
}

/// Loss and gradients of windows in a form. See [`super::reference_gradients`]. The gradients are without autodiff, on the
/// network's device.
///
/// # Errors
/// When parameters cannot be read.
pub fn fused_gradients(
    net: &NetFormerNet,
    config: &NetFormerConfig,
    data: &Data,
    starts: &[usize],
    form: Form,
) -> Result<(LossTerms, Gradients), DeviceFailed> {
    let host = Host::read(net, config)?;
    let folded = &host.folded;
    let form = if config.needs_attention() { Form::Explicit } else { form };
    let scale = 1.0 / (starts.len() * config.queries).max(1) as f32;
    let prior_scale = folded.prior.as_ref().map_or(0.0, |p| p.weight as f32) * scale / config.tokens as f32;
    let partial: Vec<Slopes> = starts
        .par_chunks(GROUP)
        .map(|group| {
            let mut d = folded.slopes(form);
            for &start in group {
                let pass = folded.pass(form, data.window(start, config.history));
                folded.backward(&pass, data.target(start + config.history), scale, prior_scale, &mut d);
            }
            d
        })
        .collect();
    let mut total = folded.slopes(form);
    partial.iter().for_each(|part| total.add(part));
    let losses = host.means(total.fit, total.prior, starts.len());
    Ok((losses, folded.unfold(net, total)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::module::Module;
    use burn::tensor::{Device, TensorData};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::models::netformer::{Activation, Constraint, Loss, reference_gradients};
    use crate::models::params;

    fn normal(n: usize, seed: u64) -> Vec<f32> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        (0..n).map(|_| StandardNormal.sample(&mut random)).collect()
    }

    fn data(config: &NetFormerConfig) -> (Data, Vec<usize>) {
        let bins = 60;
        let counts = |x: f32| if config.loss == Loss::Poisson { (x.abs() * 1.5).floor() } else { x };
        let activity = Array2::from_shape_vec((bins, config.tokens), normal(bins * config.tokens, 3)).unwrap();
        let targets = Array2::from_shape_vec((bins, config.queries), normal(bins * config.queries, 4)).unwrap().mapv(counts);
        let data = Data::new(activity, Some(targets)).unwrap();
        let starts = data.windows(&[0..25, 25..60], config.history).into_iter().step_by(3).collect();
        (data, starts)
    }

    /// A network whose normalisations and priors are not at their neutral start.
    fn net(config: &NetFormerConfig) -> NetFormerNet {
        let net = NetFormerNet::new(config, 11, &Device::flex().autodiff());
        let mut values = params::read(&net).unwrap();
        for (at, (name, data)) in values.iter_mut().enumerate() {
            let size = if name.starts_with("ln_") || name.starts_with("type_") { 0.3 } else { 0.1 };
            let old = data.try_to_vec::<f32>().unwrap();
            let new: Vec<f32> = old.iter().zip(normal(old.len(), at as u64)).map(|(x, noise)| x + size * noise).collect();
            *data = TensorData::new(new, data.shape().to_vec());
        }
        params::set_trained(params::write(net, &values), &|_| true)
    }

    fn variants() -> Vec<(&'static str, NetFormerConfig)> {
        let base = NetFormerConfig::new(21, 9, 6);
        let prior = Constraint { types: (0..21).map(|k| k % 4).collect(), weight: 0.7 };
        let plain = NetFormerConfig { layer_norm: false, ..base.clone() };
        vec![
            ("published", base.clone()),
            ("few queries", NetFormerConfig { queries: 5, key_width: 3, ..base.clone() }),
            ("no residual, no scale", NetFormerConfig { residual: false, scale: false, ..base.clone() }),
            ("softmax", NetFormerConfig { activation: Activation::Softmax, ..base.clone() }),
            ("sigmoid", NetFormerConfig { activation: Activation::Sigmoid, queries: 20, ..base.clone() }),
            ("tanh", NetFormerConfig { activation: Activation::Tanh, ..base.clone() }),
            ("prior", NetFormerConfig { constraint: Some(prior.clone()), queries: 19, ..base.clone() }),
            ("prior and softmax", NetFormerConfig { constraint: Some(prior), activation: Activation::Softmax, ..base.clone() }),
            ("no normalisation", NetFormerConfig { queries: 13, ..plain.clone() }),
            ("no normalisation, softmax", NetFormerConfig { activation: Activation::Softmax, ..plain.clone() }),
            ("counts", NetFormerConfig { loss: Loss::Poisson, ..plain.clone() }),
            ("counts with offsets", NetFormerConfig { loss: Loss::Poisson, offset: true, residual: false, queries: 18, ..plain }),
            ("normalised with offsets", NetFormerConfig { offset: true, ..base }),
        ]
    }

    fn forms(config: &NetFormerConfig) -> Vec<Form> {
        if config.needs_attention() { vec![Form::Explicit] } else { Form::ALL.to_vec() }
    }

    /// Every option, in every form, against automatic differentiation of the form that has the attention matrix.
    #[test]
    fn gradients_equal_those_of_the_explicit_tensor_form() {
        for (what, config) in variants() {
            config.check().unwrap();
            let ((data, starts), net) = (data(&config), net(&config));
            assert!(starts.len() > 2 * GROUP);
            let (expected, by_tensors) = reference_gradients(&net, &config, &data, &starts, Form::Explicit).unwrap();
            for form in forms(&config) {
                let both = [
                    reference_gradients(&net, &config, &data, &starts, form).unwrap(),
                    fused_gradients(&net, &config, &data, &starts, form).unwrap(),
                ];
                for (losses, gradients) in both {
                    assert!((losses.total - expected.total).abs() < 1e-5 * expected.total.abs(), "{what} {form:?}: {losses:?}");
                    assert!((losses.constraint - expected.constraint).abs() < 1e-5, "{what} {form:?}: {losses:?}");
                    for (id, name) in params::names(&net) {
                        let read = |g: &Gradients| g.get(id).unwrap().to_data().try_to_vec::<f32>().unwrap();
                        let (got, expected) = (read(&gradients), read(&by_tensors));
                        let scale = expected.iter().fold(0.0f32, |m, x| m.max(x.abs()));
                        assert!(scale > 0.0, "{what}: {name} has no gradient");
                        for (g, e) in got.iter().zip(&expected) {
                            assert!((g - e).abs() < 3e-5 * scale, "{what} {form:?} {name}: {g} but expected {e} (scale {scale})");
                        }
                    }
                }
            }
            let host = Host::read(&net, &config).unwrap().losses(&data, &starts);
            assert!((host.total - expected.total).abs() < 1e-5 * expected.total.abs(), "{what}: {host:?}");
        }
    }

    /// Along random directions through all parameters, the loss changes as its gradient says.
    #[test]
    fn gradients_agree_with_finite_differences() {
        const STEP: f32 = 1e-3;
        for (what, config) in variants() {
            let ((data, starts), net) = (data(&config), net(&config));
            let here = params::read(&net).unwrap();
            for form in forms(&config) {
                let (_, gradients) = fused_gradients(&net, &config, &data, &starts, form).unwrap();
                for seed in 0..3 {
                    let mut along = 0.0f64;
                    let (mut ahead, mut behind) = (here.clone(), here.clone());
                    for (at, (id, name)) in params::names(&net).into_iter().enumerate() {
                        let old = here[&name].try_to_vec::<f32>().unwrap();
                        let direction = normal(old.len(), 100 * seed + at as u64);
                        let slope = gradients.get(id).unwrap().to_data().try_to_vec::<f32>().unwrap();
                        along += slope.iter().zip(&direction).map(|(s, d)| f64::from(s * d)).sum::<f64>();
                        for (values, step) in [(&mut ahead, STEP), (&mut behind, -STEP)] {
                            let moved: Vec<f32> = old.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
                            values.insert(name.clone(), TensorData::new(moved, here[&name].shape().to_vec()));
                        }
                    }
                    let loss = |values: &params::Values| {
                        Host::read(&params::write(net.clone(), values), &config).unwrap().losses(&data, &starts).total
                    };
                    let difference = (loss(&ahead) - loss(&behind)) / (2.0 * f64::from(STEP));
                    assert!((difference - along).abs() < 0.01 * along.abs() + 2e-3, "{what} {form:?}: {difference} but {along}");
                }
            }
        }
    }

    #[test]
    fn only_what_trains_gets_a_gradient() {
        let config = NetFormerConfig::new(6, 4, 3);
        let (data, starts) = data(&config);
        let net = params::set_trained(net(&config), &|name| name != "identity" && !name.starts_with("ln_in"));
        let (_, gradients) = fused_gradients(&net, &config, &data, &starts, Form::Gram).unwrap();
        for (id, name) in params::names(&net) {
            assert_eq!(gradients.get(id).is_some(), name != "identity" && !name.starts_with("ln_in"), "{name}");
        }
        assert_eq!(net.num_params(), config.size());
    }
}
