//! The tensor form of the GLM-Transformer on a software GPU against the golden vectors, at 1e-3: the path that real GPUs take.
//! Kernels compile and tune for about a minute on software Vulkan, so one small case with all terms stands for all.

#![allow(clippy::unwrap_used, reason = "tests")]

mod golden_case;

use burn::tensor::Device;
use golden_case::{case, everything_tracks};
use spikescope::models::glm_transformer::{Tables, reference_gradients};
use spikescope::training::{DeviceChoice, open_device};

#[test]
fn all_terms_match_on_a_software_gpu() {
    let device = match open_device(DeviceChoice::SoftwareGpu) {
        Ok(opened) => opened.device,
        Err(error) => {
            println!("the GPU path was not checked: {error}");
            return;
        }
    };
    let case = case("glm_stage4");
    let tables = Tables::new(&case.config, &device);
    let autodiff: Device = device.autodiff();
    let net = everything_tracks(case.net(&autodiff));
    let (losses, gradients) =
        reference_gradients(&net, &case.config, &tables, case.counts(&autodiff), case.stage.terms(), None, case.noise(&autodiff), true)
            .unwrap();
    case.check_losses(&losses, 1e-3);
    case.check_gradients(&net, &gradients, 1e-3);
}
