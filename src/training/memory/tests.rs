//! Shapes are counted as the models count them, and what does not fit is told with what would.
#![allow(clippy::unwrap_used)]

use burn::tensor::Device;

use super::*;
use crate::models::glm_transformer::{GlmConfig, GlmNet};
use crate::training::DeviceChoice;

fn shape() -> DataShape {
    DataShape { areas: vec![50, 40, 30], bins: 250, pad_bins: 50, bin_s: 0.002, train: 400, others: 100 }
}

fn recipe(model: ModelRecipe) -> Recipe {
    Recipe { model, device: DeviceChoice::Cpu, ..Recipe::default() }
}

fn models() -> [ModelRecipe; 3] {
    [
        ModelRecipe::GlmTransformer(GlmRecipe::default()),
        ModelRecipe::Stndt(StndtRecipe::default()),
        ModelRecipe::NetFormer(NetFormerRecipe::default()),
    ]
}

#[test]
fn parameters_of_the_glm_transformer_are_counted_as_they_are() {
    for (multiple, self_coupling, rank) in [(0, false, 1), (2, true, 3)] {
        let own = GlmRecipe { decoder_multiple: multiple, self_coupling, rank, width: 32, hidden: 64, layers: 2, ..GlmRecipe::default() };
        let shape = shape();
        let config = GlmConfig {
            neurons: shape.areas.clone(),
            bins: shape.bins,
            pad: shape.pad_bins,
            latent_per_area: own.latent_per_area,
            width: own.width,
            heads: own.heads,
            layers: own.layers,
            hidden: own.hidden,
            token_bins: own.token_bins,
            splines: own.splines,
            factors: own.factors,
            decoder_multiple: own.decoder_multiple,
            rank: own.rank,
            coupling_basis: (own.coupling_basis, own.coupling_peak_bins, own.coupling_stretch),
            history_basis: (own.history_basis, own.history_peak_bins, own.history_stretch),
            self_coupling: own.self_coupling,
            beta: own.beta,
            penalty_coupling: own.penalty_coupling,
            penalty_smooth: own.penalty_smooth,
            legacy_trial_attention: own.legacy_trial_attention,
        };
        let net = GlmNet::new(&config, 0, &Device::flex());
        assert_eq!(Glm::new(&own, &shape).parameters(), net.size() as f64);
    }
}

#[test]
fn more_of_anything_needs_more() {
    for model in models() {
        let small = memory_need(&model, &shape(), true);
        assert!(small.total() > 1e6 && small.parts().iter().all(|(_, n)| *n > 0.0 && n.is_finite()), "{small:?}");
        let trials = memory_need(&model, &DataShape { train: 4000, ..shape() }, true);
        assert!(trials.data > small.data && trials.total() > small.total());
        let units = memory_need(&model, &DataShape { areas: vec![500, 400, 300], ..shape() }, true);
        assert!(units.parameters > small.parameters && units.total() > small.total());
        let mut wide = recipe(model.clone());
        let batch = batch_of(&wide).unwrap();
        wide.set("model.batch", &(4 * batch).to_string()).unwrap();
        let wide = memory_need(&wide.model, &shape(), true);
        assert!(wide.activations + wide.gradients > small.activations + small.gradients, "{model:?}");
        let gpu = memory_need(&model, &shape(), false);
        assert!(gpu.activations > small.activations, "tensors keep more than kernels: {gpu:?} {small:?}");
    }
}

#[test]
fn a_batch_that_fits_is_found_and_none_where_none_does() {
    let limits = DeviceLimits::cpu();
    for model in models() {
        let mut large = recipe(model);
        large.set("model.batch", "256").unwrap();
        let all = memory_need(&large.model, &shape(), true).total();
        let fits = memory_fit(&large, &shape(), &limits, Some((2.0 * all) as u64));
        assert_eq!((fits.problem, fits.smaller), (None, None));
        assert_eq!(memory_fit(&large, &shape(), &limits, None).problem, None, "what nobody tells is not guessed");
        let mut half = large.clone();
        half.set("model.batch", "128").unwrap();
        let free = (memory_need(&half.model, &shape(), true).total() / SHARE) as u64 + 1000;
        let tight = memory_fit(&large, &shape(), &limits, Some(free));
        assert!(tight.problem.as_ref().is_some_and(|told| told.contains("training needs about")), "{tight:?}");
        assert_eq!(tight.smaller, Some(128), "the largest that fits");
        let none = memory_fit(&large, &shape(), &limits, Some(1000));
        assert!(none.problem.is_some() && none.smaller.is_none());
    }
    // With fewer trials than the batch asks for, a batch is all of them.
    let mut large = recipe(ModelRecipe::GlmTransformer(GlmRecipe::default()));
    large.set("model.batch", "10000").unwrap();
    let tight = memory_fit(&large, &shape(), &limits, Some((0.8 * memory_need(&large.model, &shape(), true).total()) as u64));
    assert!(tight.smaller.is_some_and(|batch| batch <= 200), "{tight:?}");
}

#[test]
fn baselines_are_estimated_and_have_no_batch() {
    for method in [BaselineMethod::Glm, BaselineMethod::ReducedRank, BaselineMethod::Correlogram] {
        let own = recipe(ModelRecipe::Baseline(BaselineRecipe { method, ..BaselineRecipe::default() }));
        let need = memory_need(&own.model, &shape(), true);
        assert!(need.data > 0.0 && need.activations > 0.0, "{method:?}");
        let fit = memory_fit(&own, &shape(), &DeviceLimits::cpu(), Some(1000));
        assert!(fit.problem.is_some() && fit.smaller.is_none());
    }
}
