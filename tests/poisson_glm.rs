//! The Poisson GLM baseline against statsmodels and scipy (`tests/fixtures/poisson_glm_reference.py` made the numbers).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::File;

use ndarray::{Array3, Ix1, Ix3, OwnedRepr};
use ndarray_npy::NpzReader;
use spikescope::analysis::baselines::TrialCounts;
use spikescope::analysis::baselines::poisson_glm::{GlmSettings, fit};

struct Reference {
    counts: Array3<u8>,
    area_sizes: Vec<usize>,
    pad: usize,
    npz: NpzReader<File>,
}

fn reference() -> Reference {
    let mut npz = NpzReader::new(File::open("tests/fixtures/poisson_glm.npz").unwrap()).unwrap();
    let counts = npz.by_name::<OwnedRepr<u8>, Ix3>("counts").unwrap();
    let mut whole = |name: &str| npz.by_name::<OwnedRepr<i64>, Ix1>(name).unwrap().mapv(|x| x as usize).to_vec();
    let (area_sizes, pad) = (whole("area_sizes"), whole("pad")[0]);
    Reference { counts, area_sizes, pad, npz }
}

/// Fit the second area and compare its first unit with the coefficients called `key`.
fn compare(key: &str, settings: &GlmSettings) {
    let mut reference = reference();
    let wanted = reference.npz.by_name::<OwnedRepr<f64>, Ix1>(key).unwrap();
    let data = TrialCounts { counts: reference.counts.view(), pad: reference.pad, area_sizes: &reference.area_sizes };
    let trials: Vec<usize> = (0..data.counts.len_of(ndarray::Axis(0))).collect();
    let fit = fit(&data, 1, &trials, settings, 300, &|| true);
    assert!(fit.done(), "not converged");
    assert_eq!(fit.coefficients().nrows(), wanted.len());
    for (ours, theirs) in fit.coefficients().column(0).iter().zip(&wanted) {
        assert!((ours - theirs).abs() < 1e-5, "{key}: {ours} instead of {theirs}");
    }
}

fn settings() -> GlmSettings {
    GlmSettings { splines: 6, ridge: 0.0, own_area: false, tolerance: 1e-13, ..GlmSettings::default() }
}

#[test]
fn coefficients_are_those_of_statsmodels() {
    compare("free", &settings());
}

#[test]
fn ridge_and_history_are_those_of_scipy() {
    compare("ridge", &GlmSettings { ridge: 4.0, own_area: true, ..settings() });
}
