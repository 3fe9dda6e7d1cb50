//! The GLM-Transformer against golden vectors: outputs, losses, gradients and three optimiser steps, in the tensor form and in
//! the fused CPU form. The vectors were written by our own reference implementation (see `tests/fixtures/golden`).

#![allow(clippy::unwrap_used, reason = "tests")]

mod golden_case;

use burn::tensor::Device;
use golden_case::{CASES, Case, case, everything_tracks, host_counts, values};
use ndarray::Axis;
use spikescope::models::adam::{Adam, Gradients};
use spikescope::models::glm_transformer::{
    FusedBatch, GlmNet, LossTerms, Stage, Tables, Terms, fused_gradients, learning_rate, normalised, reference_gradients, reference_losses,
};
use spikescope::models::params;

#[test]
fn outputs_match() {
    let device = Device::flex();
    for name in CASES {
        let case = case(name);
        let (config, terms) = (&case.config, case.stage.terms());
        let tables = Tables::new(config, &device);
        let net = case.net(&device);
        let counts = case.counts(&device);
        let out = net.forward(config, &tables, counts.clone(), terms, None, case.noise(&device));
        case.close("out/log_rate", &values(out.log_rate.clone()), 1e-5);
        case.close("out/individual", &values(out.individual.clone()), 1e-5);
        case.close("out/f0", &values(out.f0.clone().swap_dims(1, 2)), 1e-5);
        if let Some((mean, log_variance)) = &out.latent {
            case.close("out/mu", &values(mean.clone()), 1e-5);
            case.close("out/logvar", &values(log_variance.clone()), 1e-5);
        }
        if let Some(factors) = &out.factors {
            // Ours [A, M, K, T], theirs [M, A, T, K].
            case.close("out/factors", &values(factors.clone().permute([1, 0, 3, 2])), 1e-5);
        }
        if let Some(coupling) = &out.coupling {
            case.close("out/coupling", &values(coupling.clone()), 1e-5);
        }
        if let Some(history) = &out.history {
            case.close("out/history", &values(history.clone()), 1e-5);
        }
        if let Some(series) = &out.series {
            for (at, (i, j)) in config.active_pairs().into_iter().enumerate() {
                let own = series.clone().narrow(0, at * config.rank, config.rank).permute([1, 2, 0]);
                case.close(&format!("out/series.{i}_{j}"), &values(own), 1e-5);
                let coef = net.coupling[config.pair(i, j)].filter_coef.val();
                case.close(&format!("out/filter.{i}_{j}"), &values(tables.coupling_basis.clone().matmul(coef)), 1e-5);
            }
        }
        for (area, expected) in (0..config.areas()).filter_map(|a| Some((a, case.arrays.get(&format!("out/attention.{a}"))?))) {
            for (layer, map) in out.attention.iter().enumerate() {
                let map = values(map.clone());
                let per_area = map.shape()[0] / config.areas();
                let own = map.slice_axis(Axis(0), (area * per_area..(area + 1) * per_area).into());
                for (g, e) in own.iter().zip(expected.index_axis(Axis(0), layer).iter()) {
                    assert!((g - e).abs() < 1e-5, "{name} attention {area}: {g} but expected {e}");
                }
            }
        }
        let losses = reference_losses(&net, config, &counts, &out, true).unwrap();
        case.check_losses(&losses, 1e-5);
    }
}

#[test]
fn gradients_match_in_tensor_form() {
    let device = Device::flex().autodiff();
    for name in CASES {
        let case = case(name);
        let tables = Tables::new(&case.config, &Device::flex());
        let net = everything_tracks(case.net(&device));
        let (losses, gradients) =
            reference_gradients(case.model(&net, &tables), case.counts(&device), case.ask(case.stage.terms(), None, case.noise(&device)))
                .unwrap();
        case.check_losses(&losses, 1e-5);
        case.check_gradients(&net, &gradients, 1e-5);
    }
}

#[test]
fn gradients_match_in_fused_form() {
    let device = Device::flex().autodiff();
    for name in CASES.into_iter().filter(|n| !n.ends_with("legacy")) {
        let case = case(name);
        let tables = Tables::new(&case.config, &Device::flex());
        let net = everything_tracks(case.net(&device));
        let counts = host_counts(&case);
        let batch = FusedBatch::new(&case.config, counts.outer_iter().collect());
        let noise = case.noise(&Device::flex());
        let step =
            |want| fused_gradients(case.model(&net, &tables), &batch, case.ask(case.stage.terms(), None, noise.clone()), want).unwrap();
        let (losses, gradients) = step(true);
        case.check_losses(&losses, 1e-5);
        case.check_gradients(&net, &gradients, 1e-5);
        case.check_losses(&step(false).0, 1e-5);
    }
}

/// Three Adam steps with the case's frozen set; `gradients_of` computes one step's gradients.
fn three_steps(case: &Case, device: &Device, gradients_of: &dyn Fn(&GlmNet) -> (LossTerms, Gradients)) {
    let trains = |name: &str| case.stage.trains(name, true);
    let mut net = params::set_trained(case.net(device), &trains);
    let order: Vec<_> = params::names(&net).into_iter().filter(|(_, name)| trains(name)).collect();
    let mut adam = Adam::new(case.clip);
    for step in 0..3 {
        let (losses, gradients) = gradients_of(&net);
        let trace = f64::from(*case.arrays[&format!("after3_trace/loss{step}")].iter().next().unwrap());
        assert!(
            (losses.total - trace).abs() < 1e-5 * trace.abs().max(1.0),
            "{}: loss {} before step {step}, expected {trace}",
            case.name,
            losses.total
        );
        let (next, norm) =
            adam.step(net, &gradients, &order, &|name| if trains(name) { learning_rate(name, 1e-4, 1e-2) } else { 0.0 }).unwrap();
        let expected = f64::from(*case.arrays[&format!("after3_trace/norm{step}")].iter().next().unwrap());
        assert!((norm - expected).abs() < 2e-4 * expected.max(1e-3), "{}: norm {norm} at step {step}, expected {expected}", case.name);
        net = next;
    }
    let slopes = case.parameters("grad/");
    let expected = case.parameters("after3/");
    for (name, data) in params::read(&net).unwrap() {
        let got = data.try_to_vec::<f32>().unwrap();
        let slope = &slopes[&name];
        let scale = slope.iter().fold(0.0f32, |a, &b| a.max(b.abs()));
        let width = case.config.width;
        for (at, (g, e)) in got.iter().zip(&expected[&name]).enumerate() {
            // Key biases have no gradient in theory, and Adam amplifies rounding noise where the gradient is next to nothing.
            let key_bias = name.ends_with("qkv.bias") && (width..2 * width).contains(&at);
            let noise = slope.iter().nth(at).is_some_and(|s| s.abs() < 1e-6 * scale);
            let tolerance = if key_bias { 1e-3 } else { 2e-6 + 2e-6 * e.abs() };
            assert!(noise || (g - e).abs() <= tolerance, "{} {name}[{at}] after three steps: {g} but expected {e}", case.name);
        }
    }
}

#[test]
fn three_optimiser_steps_match() {
    let device = Device::flex().autodiff();
    for name in CASES {
        let case = case(name);
        let tables = Tables::new(&case.config, &Device::flex());
        let terms = case.stage.terms();
        three_steps(&case, &device, &|net| {
            reference_gradients(case.model(net, &tables), case.counts(&device), case.ask(terms, None, case.noise(&device))).unwrap()
        });
        if !case.config.legacy_trial_attention {
            let counts = host_counts(&case);
            let batch = FusedBatch::new(&case.config, counts.outer_iter().collect());
            let noise = case.noise(&Device::flex());
            three_steps(&case, &device, &|net| {
                fused_gradients(case.model(net, &tables), &batch, case.ask(terms, None, noise.clone()), true).unwrap()
            });
        }
    }
}

#[test]
fn normalisation_matches() {
    let case = case("glm_normalize");
    let matrix = |key: &str| -> ndarray::Array2<f32> { case.arrays[key].clone().into_dimensionality().unwrap() };
    for i in 0..2 {
        for j in 0..2 {
            let shown = normalised(
                &matrix(&format!("init/send.{i}_{j}")),
                &matrix(&format!("init/recv.{i}_{j}")),
                &matrix(&format!("init/filter_coef.{i}_{j}")),
            );
            for (factor, got) in shown.iter().enumerate() {
                for (key, got) in [("send", &got.send), ("recv", &got.receive), ("filter_coef", &got.coef)] {
                    let prefix = case.arrays.keys().find(|k| k.ends_with(&format!("{key}.{i}_{j}")) && !k.starts_with("init/")).unwrap();
                    let expected = matrix(prefix);
                    for (g, e) in got.iter().zip(expected.column(factor)) {
                        assert!((g - e).abs() < 1e-5, "{prefix}: {g} but expected {e}");
                    }
                }
            }
        }
    }
}

#[test]
fn known_latents_give_the_same_step_as_running_the_encoder() {
    let device = Device::flex().autodiff();
    let case = case("glm_stage3");
    let tables = Tables::new(&case.config, &Device::flex());
    let net = params::set_trained(case.net(&device), &|name| Stage::Coupling.trains(name, false));
    let counts = host_counts(&case);
    let batch = FusedBatch::new(&case.config, counts.outer_iter().collect());
    let latent = spikescope::models::glm_transformer::fused_latents(case.model(&net, &tables), &batch).unwrap();
    let terms = Terms { vae: true, coupling: true, history: false };
    let run = |latent| fused_gradients(case.model(&net, &tables), &batch, case.ask(terms, latent, None), true).unwrap();
    let ((with, a), (without, b)) = (run(Some(latent)), run(None));
    assert_eq!(with, without);
    for (id, name) in params::names(&net) {
        let read = |g: &Gradients| g.get(id).map(|t| t.to_data().try_to_vec::<f32>().unwrap());
        assert_eq!(read(&a), read(&b), "{name}");
    }
}

/// The ablation has no golden vectors: the tensor form, which they check term by term, stands for them.
#[test]
fn without_trial_varying_dynamics_both_forms_agree() {
    let device = Device::flex().autodiff();
    for name in CASES.into_iter().filter(|n| !n.ends_with("legacy")) {
        let case = case(name);
        let tables = Tables::new(&case.config, &Device::flex());
        let net = everything_tracks(case.net(&device));
        let counts = host_counts(&case);
        let batch = FusedBatch::new(&case.config, counts.outer_iter().collect());
        for history in [false, true] {
            let terms = Terms { vae: false, coupling: true, history };
            let ask = || case.ask(terms, None, None);
            let (wanted, reference) = reference_gradients(case.model(&net, &tables), case.counts(&device), ask()).unwrap();
            let (found, fused) = fused_gradients(case.model(&net, &tables), &batch, ask(), true).unwrap();
            assert!((found.total - wanted.total).abs() < 1e-5 * wanted.total.abs(), "{name}: {found:?} instead of {wanted:?}");
            for (id, parameter) in params::names(&net) {
                let (Some(wanted), Some(found)) = (reference.get(id), fused.get(id)) else { continue };
                let (wanted, found) = (values(wanted.clone()), values(found.clone()));
                let largest = wanted.iter().fold(1e-6_f32, |a, b| a.max(b.abs()));
                assert!(wanted.iter().zip(&found).all(|(a, b)| (a - b).abs() < 2e-4 * largest), "{name}, {parameter}");
            }
        }
    }
}
