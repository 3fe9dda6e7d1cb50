//! NetFormer against golden vectors: predictions, attention, losses, gradients and three optimiser steps, in the tensor form and
//! in the fused CPU form, in every way to compute A v. The vectors were written by our own reference implementation (see
//! `tests/fixtures/golden`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod golden_arrays;

use burn::tensor::{Device, Tensor, TensorData};
use golden_arrays::{Arrays, arrays, as_values, parameters, settings};
use ndarray::{Array2, Axis};
use spikescope::models::adam::{Adam, Gradients};
use spikescope::models::netformer::{
    Activation, Constraint, Data, Form, Host, Loss, LossTerms, NetFormerConfig, NetFormerNet, Order, Schedule, TrainOptions, Trainer,
    fused_gradients, reference_gradients, reference_losses,
};
use spikescope::models::params;
use spikescope::training::{DeviceChoice, open_device};

const CASES: [&str; 8] = [
    "netformer_ln_scale",
    "netformer_noln_poisson",
    "netformer_toy",
    "netformer_one_query",
    "netformer_inputs",
    "netformer_cell_types",
    "netformer_softmax",
    "netformer_no_residual",
];

struct Case {
    name: String,
    config: NetFormerConfig,
    rate: f64,
    arrays: Arrays,
}

fn case(name: &str) -> Case {
    let value = settings("netformer_cases.json", name);
    let n = |key: &str| value[key].as_u64().map(|x| x as usize);
    let flag = |key: &str| value[key].as_bool().unwrap_or(true);
    let general = NetFormerConfig::new(n("tokens").unwrap(), n("history").unwrap(), n("identity").unwrap());
    let constraint = value["cell_types"].as_array().map(|types| Constraint {
        types: types.iter().map(|t| t.as_u64().unwrap() as usize).collect(),
        weight: value["constraint_weight"].as_f64().unwrap(),
    });
    let config = NetFormerConfig {
        queries: n("queries").unwrap_or(general.tokens),
        key_width: n("key_dim").unwrap_or(general.key_width),
        layer_norm: flag("layer_norm"),
        scale: flag("scale"),
        residual: flag("residual"),
        activation: match value["activation"].as_str() {
            Some("softmax") => Activation::Softmax,
            Some(other) => panic!("unknown activation {other}"),
            None => Activation::None,
        },
        loss: if value["loss"].as_str() == Some("poisson") { Loss::Poisson } else { Loss::SquaredError },
        constraint,
        ..general
    };
    config.check().unwrap();
    // "Adam lr 0.001, no clip"
    let optimiser = value["optimizer"].as_str().unwrap();
    let rate = optimiser.strip_prefix("Adam lr ").and_then(|rest| rest.strip_suffix(", no clip")).unwrap().parse().unwrap();
    Case { name: name.to_owned(), config, rate, arrays: arrays(name) }
}

/// Our parameter name for a golden one, and whether the matrix is stored transposed.
fn ours(golden: &str) -> (String, bool) {
    match golden.split_once('.') {
        Some((norm, last)) if norm.starts_with("ln_") => (format!("{norm}.{}", if last == "weight" { "gamma" } else { "beta" }), false),
        Some(_) => (golden.to_owned(), true),
        None => (golden.to_owned(), false),
    }
}

impl Case {
    fn parameters(&self, prefix: &str) -> Arrays {
        parameters(&self.arrays, prefix, &ours)
    }

    fn initial(&self) -> params::Values {
        as_values(self.parameters("init/"))
    }

    fn net(&self, device: &Device) -> NetFormerNet {
        let values = self.initial();
        let net = NetFormerNet::new(&self.config, 0, device);
        let own: std::collections::BTreeSet<_> = params::names(&net).into_iter().map(|(_, n)| n).collect();
        assert_eq!(own, values.keys().cloned().collect(), "{}: parameters have other names", self.name);
        params::set_trained(params::write(net, &values), &|_| true)
    }

    /// The case's windows one after another in one activity, each followed by the bin that it predicts.
    fn data(&self) -> (Data, Vec<usize>) {
        let (x, y) = (&self.arrays["in/x"], &self.arrays["in/y"]);
        let (b, h, q) = (x.shape()[0], self.config.history, self.config.queries);
        let activity = Array2::from_shape_fn((b * (h + 1), self.config.tokens), |(bin, token)| match bin % (h + 1) {
            at if at < h => x[[bin / (h + 1), token, at]],
            _ if token < q => y[[bin / (h + 1), token, 0]],
            _ => 1e3,
        });
        let data = Data::new(activity, None).unwrap();
        let trials: Vec<_> = (0..b).map(|w| w * (h + 1)..(w + 1) * (h + 1)).collect();
        let starts = data.windows(&trials, h);
        assert_eq!(starts.len(), b);
        (data, starts)
    }

    fn forms(&self) -> Vec<Form> {
        if self.config.needs_attention() { vec![Form::Explicit] } else { Form::ALL.to_vec() }
    }

    fn close(&self, what: &str, got: &[f32], rtol: f32) {
        let expected = &self.arrays[what];
        let scale = expected.iter().fold(0.0f32, |a, &b| a.max(b.abs()));
        assert_eq!(got.len(), expected.len(), "{} {what}", self.name);
        for (g, e) in got.iter().zip(expected) {
            assert!((g - e).abs() <= rtol * e.abs() + rtol * scale, "{} {what}: {g} but expected {e} (scale {scale})", self.name);
        }
    }

    fn check_losses(&self, losses: &LossTerms, rtol: f64) {
        for (key, got) in [("fit", losses.fit), ("constraint", losses.constraint), ("total", losses.total)] {
            let Some(expected) = self.arrays.get(&format!("loss/{key}")) else {
                assert_eq!((key, got), ("constraint", 0.0), "{}", self.name);
                continue;
            };
            let expected = f64::from(expected.sum());
            assert!((got - expected).abs() <= 2.0 * rtol * expected.abs(), "{} loss {key}: {got} but expected {expected}", self.name);
        }
    }

    fn check_gradients(&self, net: &NetFormerNet, gradients: &Gradients, what: &str, rtol: f32) {
        let expected = self.parameters("grad/");
        assert_eq!(expected.len(), params::names(net).len());
        for (id, name) in params::names(net) {
            let expected = &expected[&name];
            let scale = expected.iter().fold(0.0f32, |a, &b| a.max(b.abs()));
            let got = values(gradients.get(id).unwrap().clone());
            for (at, (g, e)) in got.iter().zip(expected).enumerate() {
                assert!(
                    (g - e).abs() <= rtol * (e.abs() + scale),
                    "{} grad {name}[{at}] ({what}): {g} but expected {e} (scale {scale})",
                    self.name
                );
            }
        }
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.to_data().try_to_vec::<f32>().unwrap()
}

fn flat(array: &Array2<f32>) -> Vec<f32> {
    array.iter().copied().collect()
}

#[test]
fn outputs_match() {
    let device = Device::flex();
    for case in CASES.map(case) {
        let net = case.net(&device);
        let (data, starts) = case.data();
        let x = &case.arrays["in/x"];
        let window: Tensor<3> = Tensor::from_data(TensorData::new(x.iter().copied().collect::<Vec<f32>>(), x.shape().to_vec()), &device);
        for form in case.forms() {
            let out = net.forward(&case.config, window.clone(), form);
            case.close("out/prediction", &values(out.prediction), 1e-5);
            assert_eq!(out.attention.is_some(), form == Form::Explicit);
            if let Some(attention) = out.attention {
                case.close("out/attention", &values(attention), 1e-5);
            }
            case.check_losses(&reference_losses(&net, &case.config, &data, &starts, form).unwrap(), 1e-5);
        }
        let host = Host::read(&net, &case.config).unwrap();
        case.close("out/prediction", &flat(&host.predictions(&data, &starts)), 1e-5);
        case.check_losses(&host.losses(&data, &starts), 1e-5);
        case.close("out/mean_attention", &flat(&host.mean_attention(&data, &starts)), 1e-5);
        let attention: Vec<f32> = starts.iter().flat_map(|&start| flat(&host.attention(&data, start))).collect();
        case.close("out/attention", &attention, 1e-5);
        let entries: Vec<(usize, usize)> = (0..case.config.queries).map(|row| (row, (row * 2 + 1) % case.config.tokens)).collect();
        let over_time = host.entries(&data, &starts, &entries);
        for ((window, entry), value) in over_time.indexed_iter() {
            let (row, column) = entries[entry];
            let expected = case.arrays["out/attention"][[window, row, column]];
            assert!((value - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{}: {value} but expected {expected}", case.name);
        }
        let (mean, sd) = host.attention_moments(&data, &starts);
        case.close("out/mean_attention", &flat(&mean), 1e-5);
        let expected = case.arrays["out/attention"].std_axis(Axis(0), 0.0);
        sd.iter().zip(&expected).for_each(|(s, e)| assert!((s - e).abs() < 1e-5 * (1.0 + e), "{}: sd {s} but expected {e}", case.name));
    }
}

#[test]
fn gradients_match() {
    let device = Device::flex().autodiff();
    for case in CASES.map(case) {
        let net = case.net(&device);
        let (data, starts) = case.data();
        for form in case.forms() {
            let (losses, gradients) = reference_gradients(&net, &case.config, &data, &starts, form).unwrap();
            case.check_losses(&losses, 1e-5);
            case.check_gradients(&net, &gradients, &format!("tensors, {form:?}"), 1e-5);
            let (losses, gradients) = fused_gradients(&net, &case.config, &data, &starts, form).unwrap();
            case.check_losses(&losses, 1e-5);
            case.check_gradients(&net, &gradients, &format!("fused, {form:?}"), 1e-5);
        }
    }
}

#[test]
fn three_optimiser_steps_match() {
    let device = Device::flex().autodiff();
    for case in CASES.map(case) {
        for (fused, form) in case.forms().into_iter().flat_map(|form| [(false, form), (true, form)]) {
            let mut net = case.net(&device);
            let (data, starts) = case.data();
            let order = params::names(&net);
            let mut adam = Adam::new(f64::INFINITY);
            for step in 0..3 {
                let (losses, gradients) = match fused {
                    true => fused_gradients(&net, &case.config, &data, &starts, form).unwrap(),
                    false => reference_gradients(&net, &case.config, &data, &starts, form).unwrap(),
                };
                let expected = f64::from(case.arrays[&format!("after3_trace/loss{step}")].sum());
                assert!((losses.total - expected).abs() < 1e-5 * expected.abs(), "{} step {step}: {}", case.name, losses.total);
                net = adam.step(net, &gradients, &order, &|_| case.rate).unwrap().0;
            }
            check_after_three(&case, &params::read(&net).unwrap());
        }
    }
}

fn check_after_three(case: &Case, got: &params::Values) {
    let (slopes, expected) = (case.parameters("grad/"), case.parameters("after3/"));
    let mut compared = 0;
    for (name, data) in got {
        let slope = &slopes[name];
        let scale = slope.iter().fold(0.0f32, |a, &b| a.max(b.abs()));
        for (at, ((g, e), s)) in data.try_to_vec::<f32>().unwrap().iter().zip(&expected[name]).zip(slope).enumerate() {
            // Adam turns the rounding noise of a gradient that is next to nothing into steps.
            if *s != 0.0 && s.abs() < 1e-6 * scale {
                continue;
            }
            compared += 1;
            assert!((g - e).abs() <= 2e-6, "{} {name}[{at}] after three steps: {g} but expected {e}", case.name);
        }
    }
    assert!(compared * 100 >= case.config.size() * 98, "{}: only {compared} of {} compared", case.name, case.config.size());
}

/// The same three steps through [`Trainer`], on the fused path and on the path of devices.
#[test]
fn the_trainer_takes_the_same_steps() {
    for (case, cpu) in CASES.into_iter().flat_map(|name| [(case(name), true), (case(name), false)]) {
        let (data, starts) = case.data();
        let options = TrainOptions { batch: 64, rate: case.rate, schedule: Schedule::Constant, order: Order::Consecutive, seed: 1 };
        let mut trainer = Trainer::new(case.config.clone(), data, options, &Device::flex(), cpu).unwrap();
        trainer.load(&case.initial());
        case.close("out/prediction", &flat(&trainer.predictions(&starts).unwrap()), 1e-5);
        case.close("out/mean_attention", &flat(&trainer.mean_attention(&starts).unwrap()), 1e-5);
        case.check_losses(&trainer.losses(&starts).unwrap(), 1e-5);
        for epoch in 0..3 {
            let batches = trainer.batches(&starts, epoch);
            assert_eq!(batches, std::slice::from_ref(&starts));
            trainer.step(&batches[0], epoch).unwrap();
        }
        check_after_three(&case, &params::read(trainer.net()).unwrap());
    }
}

/// The path that real GPUs take, on a software GPU, at 1e-3, in the form without attention matrix.
#[test]
fn a_software_gpu_matches() {
    let device = match open_device(DeviceChoice::SoftwareGpu) {
        Ok(opened) => opened.device,
        Err(error) => {
            println!("the GPU path was not checked: {error}");
            return;
        }
    };
    let case = case("netformer_ln_scale");
    let net = case.net(&device.autodiff());
    let (data, starts) = case.data();
    let (losses, gradients) = reference_gradients(&net, &case.config, &data, &starts, Form::Gram).unwrap();
    case.check_losses(&losses, 1e-3);
    case.check_gradients(&net, &gradients, "software GPU", 1e-3);
}
