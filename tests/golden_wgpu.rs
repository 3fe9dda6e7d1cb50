//! The tensor form of the GLM-Transformer on a software GPU against the golden vectors, at 1e-3: the path that real GPUs take.
//! Kernels compile and tune for a minute or more per case on software Vulkan, so the suite runs one small case with all terms;
//! `cargo test --release --test golden_wgpu -- --ignored` runs all of them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod golden_case;

use burn::tensor::Device;
use golden_case::{CASES, case, everything_tracks, values};
use spikescope::models::glm_transformer::{Tables, reference_gradients};
use spikescope::training::{DeviceChoice, open_device};

/// The software GPU, or a line that says why nothing is checked.
fn software_gpu() -> Option<Device> {
    match open_device(DeviceChoice::SoftwareGpu) {
        Ok(opened) => Some(opened.device),
        Err(error) => {
            println!("the GPU path was not checked: {error}");
            None
        }
    }
}

/// Log-rate, losses and gradients of a case.
fn check(name: &str, device: &Device) {
    let case = case(name);
    let tables = Tables::new(&case.config, device);
    let net = case.net(device);
    let out = net.forward(&case.config, &tables, case.counts(device), case.stage.terms(), None, case.noise(device));
    case.close("out/log_rate", &values(out.log_rate), 1e-3);
    let autodiff = device.clone().autodiff();
    let net = everything_tracks(case.net(&autodiff));
    let ask = case.ask(case.stage.terms(), None, case.noise(&autodiff));
    let (losses, gradients) = reference_gradients(case.model(&net, &tables), case.counts(&autodiff), ask).unwrap();
    case.check_losses(&losses, 1e-3);
    case.check_gradients(&net, &gradients, 1e-3);
}

#[test]
fn all_terms_match_on_a_software_gpu() {
    if let Some(device) = software_gpu() {
        check("glm_stage4", &device);
    }
}

#[test]
#[ignore = "a quarter of an hour on software Vulkan"]
fn every_case_matches_on_a_software_gpu() {
    let Some(device) = software_gpu() else { return };
    for name in CASES {
        let start = std::time::Instant::now();
        check(name, &device);
        println!("{name} matches after {:.0} s", start.elapsed().as_secs_f64());
    }
}
