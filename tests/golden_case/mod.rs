//! Golden cases: configuration, arrays and how ours are compared with them.

#![allow(dead_code, clippy::unwrap_used, reason = "a test module; every test target uses its own part of it")]

#[path = "../golden_arrays/mod.rs"]
mod golden_arrays;

use burn::tensor::{Device, Tensor, TensorData};
use golden_arrays::{Arrays, arrays, as_values, parameters, settings};
use ndarray::{Array3, ArrayD};
use serde_json::Value;
use spikescope::models::adam::Gradients;
use spikescope::models::glm_transformer::{Ask, GlmConfig, GlmNet, LossTerms, Model, Stage, Tables, Terms};
use spikescope::models::params;

/// All cases with losses and gradients.
pub const CASES: [&str; 11] = [
    "glm_stage1",
    "glm_stage2",
    "glm_stage3",
    "glm_stage4",
    "glm_stage2_sampled",
    "glm_stage3_sampled",
    "glm_stage2_legacy",
    "glm_stage3_legacy",
    "glm_stage4_clip",
    "glm_three_areas",
    "glm_three_areas_stage2",
];

/// One case.
pub struct Case {
    pub name: String,
    pub config: GlmConfig,
    pub stage: Stage,
    pub clip: f64,
    pub arrays: Arrays,
}

fn config_of(value: &Value) -> GlmConfig {
    let n = |key: &str| value[key].as_u64().unwrap() as usize;
    let f = |key: &str| value[key].as_f64().unwrap();
    let basis = |key: &str| (value[key][0].as_u64().unwrap() as usize, value[key][1].as_f64().unwrap(), value[key][2].as_f64().unwrap());
    GlmConfig {
        neurons: value["neurons"].as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as usize).collect(),
        bins: n("bins"),
        pad: n("pad"),
        latent_per_area: n("latent_per_area"),
        width: n("d_model"),
        heads: n("heads"),
        layers: n("layers"),
        hidden: n("hidden"),
        token_bins: n("token_bins"),
        splines: n("splines"),
        factors: n("factors"),
        decoder_multiple: n("decoder_mult"),
        rank: n("rank"),
        coupling_basis: basis("coupling_basis"),
        history_basis: basis("history_basis"),
        self_coupling: value["self_coupling"].as_bool().unwrap(),
        beta: f("beta"),
        penalty_coupling: f("lam_group"),
        penalty_smooth: f("lam_smooth"),
        legacy_trial_attention: value["legacy_trial_attention"].as_bool().unwrap(),
    }
}

pub fn case(name: &str) -> Case {
    let value = &settings("cases.json", name);
    let stage = Stage::ALL[value["stage"].as_u64().map_or(1, |s| s as usize) - 1];
    Case { name: name.to_owned(), config: config_of(value), stage, clip: value["clip"].as_f64().unwrap_or(1.0), arrays: arrays(name) }
}

/// Our parameter name for a golden one, and whether the matrix is stored transposed.
fn ours(config: &GlmConfig, golden: &str) -> (String, bool) {
    let parts: Vec<&str> = golden.split('.').collect();
    let pair = |text: &str| {
        let (i, j) = text.split_once('_').unwrap();
        config.pair(i.parse().unwrap(), j.parse().unwrap())
    };
    match parts[0] {
        "filter_coef" | "send" | "recv" => (format!("coupling.{}.{}", pair(parts[1]), parts[0]), false),
        "decoder" => {
            (format!("decoder.{}.{}.{}", parts[1], if parts[2] == "0" { "first" } else { "second" }, parts[3]), parts[3] == "weight")
        }
        "blocks" if parts[2].starts_with("ln_") => {
            (format!("blocks.{}.{}.{}", parts[1], parts[2], if parts[3] == "weight" { "gamma" } else { "beta" }), false)
        }
        _ => (golden.to_owned(), parts.last() == Some(&"weight")),
    }
}

impl Case {
    pub fn model<'a>(&'a self, net: &'a GlmNet, tables: &'a Tables) -> Model<'a> {
        Model { net, config: &self.config, tables }
    }

    pub fn ask(&self, terms: Terms, latent: Option<(Tensor<3>, Tensor<3>)>, noise: Option<Tensor<3>>) -> Ask {
        Ask { terms, latent, noise, penalise_coupling: true }
    }

    /// Arrays under a prefix, by our parameter names and layout.
    pub fn parameters(&self, prefix: &str) -> Arrays {
        parameters(&self.arrays, prefix, &|golden| ours(&self.config, golden))
    }

    pub fn net(&self, device: &Device) -> GlmNet {
        let values = as_values(self.parameters("init/"));
        let net = GlmNet::new(&self.config, 0, device);
        assert_eq!(
            params::names(&net).iter().map(|(_, n)| n.clone()).collect::<std::collections::BTreeSet<_>>(),
            values.keys().cloned().collect()
        );
        params::write(net, &values)
    }

    pub fn counts(&self, device: &Device) -> Tensor<3> {
        tensor3(&self.arrays["in/counts"], device)
    }

    pub fn noise(&self, device: &Device) -> Option<Tensor<3>> {
        let eps = self.arrays.get("in/eps")?;
        let m = eps.shape()[0];
        Some(tensor3(eps, device).reshape([m, self.config.areas(), self.config.latent_per_area]))
    }

    pub fn close(&self, what: &str, got: &ArrayD<f32>, rtol: f32) {
        let expected = &self.arrays[what];
        let scale = expected.iter().fold(0.0f32, |a, &b| a.max(b.abs()));
        assert_eq!(got.len(), expected.len(), "{} {what}: {:?} against {:?}", self.name, got.shape(), expected.shape());
        for (g, e) in got.iter().zip(expected) {
            assert!((g - e).abs() <= rtol * e.abs() + rtol * scale, "{} {what}: {g} but expected {e} (scale {scale})", self.name);
        }
    }

    pub fn check_losses(&self, losses: &LossTerms, rtol: f64) {
        for (key, got) in
            [("poisson", losses.poisson), ("kl", losses.kl), ("group", losses.group), ("smooth", losses.smooth), ("total", losses.total)]
        {
            let expected = f64::from(self.arrays[&format!("loss/{key}")].iter().copied().next().unwrap());
            assert!((got - expected).abs() <= rtol * expected.abs() + 1e-8, "{} loss {key}: {got} but expected {expected}", self.name);
        }
    }

    pub fn check_gradients(&self, net: &GlmNet, gradients: &Gradients, rtol: f32) {
        let expected = self.parameters("grad/");
        for (id, name) in params::names(net) {
            let expected = &expected[&name];
            let scale = expected.iter().fold(0.0f32, |a, &b| a.max(b.abs()));
            let got = match gradients.get(id) {
                Some(gradient) => gradient.to_data().try_to_vec::<f32>().unwrap(),
                None => vec![0.0; expected.len()],
            };
            // A gradient that is zero in theory is rounding noise on both sides.
            let floor = if name.ends_with("qkv.bias") { 1e-7 } else { 1e-9 };
            for (at, (g, e)) in got.iter().zip(expected).enumerate() {
                assert!(
                    (g - e).abs() <= rtol * (e.abs() + scale) + floor,
                    "{} grad {name}[{at}]: {g} but expected {e} (scale {scale})",
                    self.name
                );
            }
        }
    }
}

fn tensor3(array: &ArrayD<f32>, device: &Device) -> Tensor<3> {
    let mut shape = array.shape().to_vec();
    while shape.len() < 3 {
        shape.push(1);
    }
    Tensor::from_data(TensorData::new(array.iter().copied().collect::<Vec<f32>>(), shape), device)
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> ArrayD<f32> {
    let shape: Vec<usize> = tensor.dims().to_vec();
    ArrayD::from_shape_vec(shape, tensor.to_data().try_to_vec::<f32>().unwrap()).unwrap()
}

pub fn host_counts(case: &Case) -> Array3<u8> {
    case.arrays["in/counts"].mapv(|x| x as u8).into_dimensionality().unwrap()
}

pub fn everything_tracks(net: GlmNet) -> GlmNet {
    params::set_trained(net, &|_| true)
}
