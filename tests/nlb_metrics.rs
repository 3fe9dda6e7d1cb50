//! The benchmark's metrics against reference vectors (inputs and scores, NaNs included).

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::File;
use std::path::PathBuf;

use ndarray::{Array1, Array2, Array3, ArrayD, Dimension, Slice};
use ndarray_npy::NpzReader;
use spikescope::analysis::nlb::{
    DecodeTrials, bits_per_spike, co_bps, fp_bps, psth_r2, ridge_r2, speed_tp_correlation, unit_bits_per_spike, velocity_r2,
};

fn array<D: Dimension>(key: &str) -> ndarray::Array<f64, D> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nlb_metrics.npz");
    let mut npz = NpzReader::new(File::open(path).unwrap()).unwrap();
    npz.by_name::<ndarray::OwnedRepr<f64>, ndarray::IxDyn>(&format!("{key}.npy")).unwrap().into_dimensionality().unwrap()
}

fn scalar(key: &str) -> f64 {
    let array: ArrayD<f64> = array(key);
    *array.iter().next().unwrap()
}

fn close(what: &str, got: f64, rtol: f64) {
    let expected = scalar(what);
    assert!((got - expected).abs() <= rtol * expected.abs(), "{what}: {got} but expected {expected}");
}

#[test]
fn bits_per_spike_match() {
    let (rates, counts): (Array3<f64>, Array3<f64>) = (array("bps_rates"), array("bps_spikes"));
    assert!(counts.iter().any(|c| c.is_nan()), "the case must hold NaNs");
    close("bps", bits_per_spike(rates.view(), counts.view()).unwrap(), 1e-9);
    assert_eq!(unit_bits_per_spike(rates.view(), counts.view()).unwrap().len(), counts.dim().2);
    let (rates, counts): (Array3<f64>, Array3<f64>) = (array("split_rates"), array("split_spikes"));
    let (heldin, observed) = (scalar("split_n_heldin") as usize, scalar("split_t0") as usize);
    close("split_co_bps", co_bps(rates.view(), counts.view(), heldin, observed).unwrap(), 1e-9);
    close("split_fp_bps", fp_bps(rates.view(), counts.view(), observed).unwrap(), 1e-9);
}

#[test]
fn ridge_matches() {
    let (x, y): (Array2<f64>, Array2<f64>) = (array("ridge_x"), array("ridge_y"));
    let split = scalar("ridge_n_train") as isize;
    let rows = |a: &Array2<f64>, s: Slice| a.slice_axis(ndarray::Axis(0), s).to_owned();
    let (train, eval) = (Slice::from(..split), Slice::from(split..));
    let found = ridge_r2(rows(&x, train).view(), rows(&y, train).view(), rows(&x, eval).view(), rows(&y, eval).view()).unwrap();
    close("ridge_r2", found.r2, 1e-6);
    close("ridge_alpha", found.alpha, 1e-9);
    let scores: Array1<f64> = array("ridge_fold_scores");
    assert_eq!(scores.len(), found.fold_scores.len());
    scores.iter().zip(&found.fold_scores).for_each(|(e, g)| assert!((e - g).abs() < 1e-9, "{g} but expected {e}"));
}

#[test]
fn velocity_matches() {
    let mask = |key: &str| array::<ndarray::Ix2>(key).mapv(|v| v > 0.5);
    let (train_rates, eval_rates): (Array3<f64>, Array3<f64>) = (array("vel_train_rates"), array("vel_eval_rates"));
    let (train_beh, eval_beh): (Array3<f64>, Array3<f64>) = (array("vel_train_beh"), array("vel_eval_beh"));
    let (train_mask, eval_mask) = (mask("vel_train_mask"), mask("vel_eval_mask"));
    let (score, decoders) = velocity_r2(
        &DecodeTrials { rates: train_rates.view(), behaviour: train_beh.view(), decoders: train_mask.view() },
        &DecodeTrials { rates: eval_rates.view(), behaviour: eval_beh.view(), decoders: eval_mask.view() },
    )
    .unwrap();
    close("vel_r2", score, 1e-6);
    let alphas: Array1<f64> = array("vel_alpha");
    assert_eq!(alphas.len(), decoders.len());
    alphas.iter().zip(&decoders).for_each(|(e, d)| assert!((d.alpha / e - 1.0).abs() < 1e-9));
}

#[test]
fn psth_matches() {
    let (psth, rates): (Array3<f64>, Array3<f64>) = (array("psth"), array("psth_eval_rates"));
    let condition: Vec<Option<usize>> = array::<ndarray::Ix1>("psth_cond").iter().map(|&c| usize::try_from(c as i64).ok()).collect();
    let jitter: Vec<i64> = array::<ndarray::Ix1>("psth_jitter").iter().map(|&j| j as i64).collect();
    assert!(jitter.iter().any(|&j| j != 0) && psth.iter().any(|v| v.is_nan()), "the case must hold shifts and NaNs");
    close("psth_r2", psth_r2(psth.view(), rates.view(), &condition, &jitter).unwrap(), 1e-6);
}

#[test]
fn speed_correlation_matches() {
    let (counts, rates): (Array3<f64>, Array3<f64>) = (array("tp_spikes"), array("tp_rates"));
    let behaviour: Array2<f64> = array("tp_beh");
    close("tp_corr", speed_tp_correlation(counts.view(), rates.view(), behaviour.view()).unwrap().r, 1e-9);
}
