//! STNDT against golden vectors: outputs, layer outputs, both attentions, losses, gradients and three optimiser steps, in the
//! tensor form and in the fused CPU form. The vectors were written by our own reference implementation (see
//! `tests/fixtures/golden`).

#![allow(clippy::unwrap_used, reason = "tests")]

mod golden_arrays;

use burn::tensor::{Device, Tensor, TensorData};
use golden_arrays::{Arrays, arrays, as_values, parameters, settings};
use ndarray::{Array3, ArrayD, Axis};
use spikescope::models::adam::Gradients;
use spikescope::models::params;
use spikescope::models::stndt::{
    AdamW, Batch, Contrast, ContrastOn, Dropout, Grid, Host, LossTerms, StndtConfig, StndtNet, Tables, fused_gradients, fused_log_rates,
    reference_gradients, reference_losses,
};
use spikescope::training::{DeviceChoice, open_device};

const CASES: [&str; 5] = ["stndt_full", "stndt_heldout_only", "stndt_plain", "stndt_odd", "stndt_deep"];

struct Case {
    name: String,
    config: StndtConfig,
    grid: Grid,
    clip: f64,
    arrays: Arrays,
}

fn case(name: &str) -> Case {
    let value = settings("stndt_cases.json", name);
    let n = |key: &str| value[key].as_u64().unwrap() as usize;
    let f = |key: &str| value[key].as_f64().unwrap();
    let contrast = Contrast { on: ContrastOn::Embedders, weight: f("contrast_weight"), temperature: f("temperature") };
    let backward = value["context_backward"].as_i64().unwrap();
    let config = StndtConfig {
        layers: n("layers"),
        heads: n("heads"),
        hidden: n("hidden"),
        context_forward: usize::try_from(value["context_forward"].as_i64().unwrap()).ok(),
        context_backward: usize::try_from(backward).ok().filter(|&b| b > 0),
        dropout: f("dropout"),
        dropout_embedding: f("dropout_embed"),
        dropout_rates: f("dropout_rates"),
        contrast: value["contrast"].as_bool().unwrap().then_some(contrast),
        ..StndtConfig::stndt(n("neurons"), n("bins"))
    };
    let grid = Grid { heldin: n("heldin"), heldout: n("heldout"), observed: n("observed_bins"), forward: n("forward_bins") };
    Case { name: name.to_owned(), config, grid, clip: f("clip"), arrays: arrays(name) }
}

/// Our parameter name for a golden one, and whether the matrix is stored transposed.
fn ours(golden: &str) -> (String, bool) {
    let parts: Vec<&str> = golden.split('.').collect();
    let (last, stem) = parts.split_last().unwrap();
    let norm = stem.last().unwrap().starts_with("ln_");
    let last = match (norm, *last) {
        (true, "weight") => "gamma",
        (true, _) => "beta",
        (false, other) => other,
    };
    let spatial = ["ln_space", "space_qk", "ln_mix", "ln_mixff", "mix_in", "mix_out"].contains(stem.last().unwrap());
    let stem = match spatial {
        true => format!("{}.{}.space.{}", stem[0], stem[1], stem[2]),
        false => stem.join("."),
    };
    (format!("{stem}.{last}"), !norm && last == "weight")
}

impl Case {
    fn parameters(&self, prefix: &str) -> Arrays {
        parameters(&self.arrays, prefix, &ours)
    }

    fn net(&self, device: &Device) -> StndtNet {
        let values = as_values(self.parameters("init/"));
        let net = StndtNet::new(&self.config, 0, device);
        let own: std::collections::BTreeSet<_> = params::names(&net).into_iter().map(|(_, n)| n).collect();
        assert_eq!(own, values.keys().cloned().collect(), "{}: parameters have other names", self.name);
        params::set_trained(params::write(net, &values), &|_| true)
    }

    fn array3(&self, key: &str) -> Array3<f32> {
        self.arrays[key].clone().into_dimensionality().unwrap()
    }

    fn batch(&self) -> Batch {
        let views = self.arrays.contains_key("in/view1").then(|| [self.array3("in/view1"), self.array3("in/view2")]);
        Batch { src: self.array3("in/src"), target: self.array3("in/target"), scored: self.array3("in/scored").mapv(|s| s > 0.5), views }
    }

    fn close(&self, what: &str, got: &ArrayD<f32>, expected: &ArrayD<f32>, rtol: f32) {
        let scale = expected.iter().fold(0.0f32, |a, &b| a.max(b.abs()));
        assert_eq!(got.shape(), expected.shape(), "{} {what}", self.name);
        for (g, e) in got.iter().zip(expected) {
            assert!((g - e).abs() <= rtol * e.abs() + rtol * scale, "{} {what}: {g} but expected {e} (scale {scale})", self.name);
        }
    }

    fn check_losses(&self, losses: &LossTerms, rtol: f64) {
        let mut compared = 0;
        for (key, got) in [
            ("masked", losses.masked),
            ("contrast_time", losses.contrast_time),
            ("contrast_space", losses.contrast_space),
            ("total", losses.total),
        ] {
            let Some(expected) = self.arrays.get(&format!("loss/{key}")) else {
                assert_eq!(got, 0.0, "{}: a term that should be off", self.name);
                continue;
            };
            let expected = f64::from(*expected.iter().next().unwrap());
            assert!((got - expected).abs() <= rtol * expected.abs().max(0.1), "{} loss {key}: {got} but expected {expected}", self.name);
            compared += 1;
        }
        assert!(compared >= 2);
    }

    fn check_gradients(&self, net: &StndtNet, gradients: &Gradients, rtol: f32) {
        let expected = self.parameters("grad/");
        for (id, name) in params::names(net) {
            let expected = &expected[&name];
            let scale = expected.iter().fold(0.0f32, |a, &b| a.max(b.abs()));
            let got = gradients.get(id).unwrap().to_data().try_to_vec::<f32>().unwrap();
            // Key biases have no gradient in theory: rounding noise on both sides.
            let floor = if name.ends_with("qkv.bias") || name.ends_with("space_qk.bias") { 3e-7 } else { 1e-8 };
            for (at, (g, e)) in got.iter().zip(expected).enumerate() {
                assert!(
                    (g - e).abs() <= rtol * (e.abs() + scale) + floor,
                    "{} grad {name}[{at}]: {g} but expected {e} (scale {scale})",
                    self.name
                );
            }
        }
    }

    /// Entries whose gradient is zero in theory: Adam turns rounding noise into steps.
    fn is_key_bias(&self, name: &str, at: usize) -> bool {
        let (n, t) = (self.config.units, self.config.bins);
        (name.ends_with("qkv.bias") && (n..2 * n).contains(&at)) || (name.ends_with("space_qk.bias") && at >= t)
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> ArrayD<f32> {
    ArrayD::from_shape_vec(tensor.dims().to_vec(), tensor.to_data().try_to_vec::<f32>().unwrap()).unwrap()
}

fn tensor(array: &Array3<f32>, device: &Device) -> Tensor<3> {
    let (a, b, c) = array.dim();
    Tensor::from_data(TensorData::new(array.iter().copied().collect::<Vec<f32>>(), [a, b, c]), device)
}

#[test]
fn outputs_match() {
    let device = Device::flex();
    for name in CASES {
        let case = case(name);
        let tables = Tables::new(&case.config, &device);
        let net = case.net(&device);
        let src = tensor(&case.array3("in/src"), &device);
        let out = net.forward(&case.config, &tables, src.clone(), Dropout::Off, true);
        let compare = |key: &str, got: &ArrayD<f32>| case.close(key, got, &case.arrays[key], 1e-5);
        compare("out/log_rate", &values(out.log_rate));
        let (time, space) = net.embed(src);
        compare("out/features_time", &values(time));
        compare("out/features_space", &values(space.unwrap()));
        compare("out/pos_time", &tables.time.clone().into_dyn());
        compare("out/pos_space", &tables.space.t().to_owned().into_dyn());
        let host = Host::read(&net, &case.config, &tables).unwrap();
        let inside = host.inside(case.array3("in/src").view());
        for (key, per_layer, fused) in [
            ("out/layers", &out.layers, &inside.outputs),
            ("out/temporal_attention", &out.time_attention, &inside.time),
            ("out/spatial_attention", &out.space_attention, &inside.space),
        ] {
            assert_eq!(per_layer.len(), case.config.layers);
            assert_eq!(fused.len(), case.config.layers);
            for (layer, (tensor, array)) in per_layer.iter().zip(fused).enumerate() {
                let expected = case.arrays[key].index_axis(Axis(0), layer).to_owned();
                case.close(key, &values(tensor.clone()), &expected, 1e-5);
                case.close(key, &array.clone().into_dyn(), &expected, 1e-5);
            }
        }
        for (i, row) in case.arrays["out/allowed"].outer_iter().enumerate() {
            row.iter().enumerate().for_each(|(j, &a)| assert_eq!(a > 0.5, case.config.context(i).contains(&j), "{name} context {i} {j}"));
        }
        compare("out/log_rate", &fused_log_rates(&net, &case.config, &tables, case.array3("in/src").view()).unwrap().into_dyn());
        let clean = case.grid.visible(case.array3("in/target").view());
        compare("out/clean_log_rate", &host.log_rates(clean.view()).into_dyn());
        let batch = case.batch();
        case.check_losses(&reference_losses(&net, &case.config, &tables, &batch, Dropout::Off).unwrap(), 1e-5);
        let masked = host.losses(&case.config, &batch).masked;
        assert!((masked - f64::from(case.arrays["loss/masked"].sum())).abs() < 1e-5 * masked.abs().max(0.1));
    }
}

#[test]
fn gradients_match() {
    let device = Device::flex().autodiff();
    for name in CASES {
        let case = case(name);
        let tables = Tables::new(&case.config, &device);
        let net = case.net(&device);
        let (losses, gradients) = reference_gradients(&net, &case.config, &tables, &case.batch(), Dropout::Off).unwrap();
        case.check_losses(&losses, 1e-5);
        case.check_gradients(&net, &gradients, 2e-5);
        let (losses, gradients) = fused_gradients(&net, &case.config, &tables, &case.batch(), None).unwrap();
        case.check_losses(&losses, 1e-5);
        case.check_gradients(&net, &gradients, 2e-5);
    }
}

#[test]
fn three_optimiser_steps_match() {
    let device = Device::flex().autodiff();
    for (name, fused) in CASES.into_iter().flat_map(|name| [(name, false), (name, true)]) {
        let case = case(name);
        let tables = Tables::new(&case.config, &device);
        let mut net = case.net(&device);
        let order = params::names(&net);
        let mut adam = AdamW::new(case.clip, 5e-5);
        for step in 0..3 {
            let (losses, gradients) = match fused {
                true => fused_gradients(&net, &case.config, &tables, &case.batch(), None).unwrap(),
                false => reference_gradients(&net, &case.config, &tables, &case.batch(), Dropout::Off).unwrap(),
            };
            let traced = |key: &str| f64::from(*case.arrays[&format!("after3_trace/{key}{step}")].iter().next().unwrap());
            let (next, norm) = adam.step(net, &gradients, &order, 1e-2).unwrap();
            let (loss, expected) = (traced("loss"), traced("norm"));
            assert!((losses.total - loss).abs() < 2e-5 * loss.abs().max(1.0), "{name} step {step}: {} not {loss}", losses.total);
            assert!((norm - expected).abs() < 2e-4 * expected.max(1e-3), "{name} step {step}: norm {norm} not {expected}");
            net = next;
        }
        let (slopes, expected) = (case.parameters("grad/"), case.parameters("after3/"));
        let mut compared = 0;
        for (name, data) in params::read(&net).unwrap() {
            let slope = &slopes[&name];
            let scale = slope.iter().fold(0.0f32, |a, &b| a.max(b.abs()));
            let got = data.try_to_vec::<f32>().unwrap();
            for (at, ((g, e), s)) in got.iter().zip(&expected[&name]).zip(slope).enumerate() {
                // An entry without any gradient (a dead ReLU) only decays, and is compared; one with next to none is noise.
                if case.is_key_bias(&name, at) || (*s != 0.0 && s.abs() < 1e-5 * scale) {
                    continue;
                }
                compared += 1;
                assert!((g - e).abs() <= 1e-4, "{} {name}[{at}] after three steps (fused: {fused}): {g} but expected {e}", case.name);
            }
        }
        assert!(compared * 10 > case.config.size() * 9, "{name}: only {compared} of {} compared", case.config.size());
    }
}

/// With dropout on, and with every option that has no golden case, the fused form must give what automatic differentiation gives.
#[test]
fn fused_equals_tensors_with_dropout_and_every_option() {
    let device = Device::flex().autodiff();
    let case = case("stndt_deep");
    let on = |on| Some(Contrast { on, weight: 0.3, temperature: 0.2 });
    let dropout = StndtConfig { dropout: 0.3, dropout_embedding: 0.25, dropout_rates: 0.4, ..case.config.clone() };
    let ndt = StndtConfig { layers: 2, hidden: 16, ..StndtConfig::ndt(case.config.units, case.config.bins) };
    let variants = [
        ("dropout", dropout.clone()),
        ("predictions", StndtConfig { contrast: on(ContrastOn::Predictions), ..dropout.clone() }),
        ("ndt", ndt.clone()),
        ("ndt without dropout", StndtConfig { dropout: 0.0, dropout_embedding: 0.0, dropout_rates: 0.0, ..ndt.clone() }),
        (
            "ndt with embedder",
            StndtConfig { embedding: spikescope::models::stndt::Embedding::Linear, contrast: on(ContrastOn::Embedders), ..ndt },
        ),
        ("one head, all bins", StndtConfig { heads: 1, context_forward: None, context_backward: None, ..dropout }),
    ];
    for (what, config) in variants {
        config.check().unwrap();
        let tables = Tables::new(&config, &device);
        let net = params::set_trained(StndtNet::new(&config, 5, &device), &|_| true);
        let (expected, by_tensors) = reference_gradients(&net, &config, &tables, &case.batch(), Dropout::Seeded(77)).unwrap();
        let (losses, by_kernels) = fused_gradients(&net, &config, &tables, &case.batch(), Some(77)).unwrap();
        for (a, b) in [
            (losses.masked, expected.masked),
            (losses.contrast_time, expected.contrast_time),
            (losses.contrast_predictions, expected.contrast_predictions),
            (losses.total, expected.total),
        ] {
            assert!((a - b).abs() < 2e-5 * b.abs().max(0.1), "{what}: {losses:?} but tensors give {expected:?}");
        }
        for (id, name) in params::names(&net) {
            let read = |g: &Gradients| g.get(id).unwrap().to_data().try_to_vec::<f32>().unwrap();
            let (a, b) = (read(&by_kernels), read(&by_tensors));
            let scale = b.iter().fold(0.0f32, |m, x| m.max(x.abs()));
            assert!(scale > 0.0, "{what}: {name} has no gradient");
            a.iter().zip(&b).for_each(|(a, b)| assert!((a - b).abs() < 5e-5 * scale + 3e-7, "{what} {name}: {a} but tensors give {b}"));
        }
    }
}

/// The path that real GPUs take, on a software GPU, at 1e-3. Kernels compile for about a minute there, so one case stands for all.
#[test]
fn a_software_gpu_matches() {
    let device = match open_device(DeviceChoice::SoftwareGpu) {
        Ok(opened) => opened.device,
        Err(error) => {
            println!("the GPU path was not checked: {error}");
            return;
        }
    };
    let case = case("stndt_full");
    let tables = Tables::new(&case.config, &device);
    let net = case.net(&device.autodiff());
    let (losses, gradients) = reference_gradients(&net, &case.config, &tables, &case.batch(), Dropout::Off).unwrap();
    case.check_losses(&losses, 1e-3);
    case.check_gradients(&net, &gradients, 1e-3);
}
