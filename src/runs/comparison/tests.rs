//! Matrices, losses, settings and agreement of runs of different models.
#![allow(clippy::unwrap_used)]

use ndarray::array;
use serde_json::json;

use super::*;
use crate::training::{GlmSnapshot, LayerAttention, LossPoint, NetFormerSnapshot, PRESETS, StndtSnapshot};

fn pair(source: usize, target: usize, height: f32, support: Support) -> PairSnapshot {
    PairSnapshot {
        source,
        target,
        support,
        filter: vec![vec![0.0, height, height / 2.0]],
        candidate: vec![],
        send: vec![],
        receive: vec![],
        contribution_percent: 10.0 * height.abs(),
        mean_output: 0.0,
    }
}

fn snapshot(areas: &[&str], sizes: &[usize], model: ModelSnapshot) -> Snapshot {
    Snapshot {
        version: 1,
        stage: 4,
        step: 10,
        bin_s: 0.002,
        areas: areas.iter().map(|a| (*a).to_owned()).collect(),
        area_sizes: sizes.to_vec(),
        units: (0..sizes.iter().sum()).collect(),
        trials: vec![],
        model,
    }
}

const SUPPORTED: Support = Support::Scored { score: 1.0, null: 0.1, supported: true };
const NOT_SUPPORTED: Support = Support::Scored { score: 0.0, null: 0.1, supported: false };

fn glm(pairs: Vec<PairSnapshot>) -> Snapshot {
    snapshot(&["V1", "LM"], &[2, 1], ModelSnapshot::Glm(GlmSnapshot { pairs, ..GlmSnapshot::default() }))
}

fn netformer(attention: Array2<f32>) -> Snapshot {
    snapshot(&["LM", "V1"], &[1, 2], ModelSnapshot::NetFormer(NetFormerSnapshot { attention, ..NetFormerSnapshot::default() }))
}

fn stndt(layers: &[Array2<f32>]) -> Snapshot {
    let attention = layers.iter().map(|space| LayerAttention { space: space.clone(), time: Array2::zeros((1, 1)) }).collect();
    snapshot(&["V1", "LM"], &[2, 1], ModelSnapshot::Stndt(StndtSnapshot { attention, ..StndtSnapshot::default() }))
}

#[test]
fn a_glm_gives_contributions_and_signed_peaks_and_zero_where_nothing_is_supported() {
    let run = glm(vec![pair(0, 1, -2.0, SUPPORTED), pair(1, 0, 5.0, NOT_SUPPORTED), pair(0, 0, 1.0, SUPPORTED)]);
    let strength = area_matrix(Some(&run), Kind::Strength).unwrap();
    assert_eq!((strength.values[[1, 0]], strength.values[[0, 1]], strength.values[[0, 0]]), (20.0, 0.0, 10.0));
    assert!(strength.values[[1, 1]].is_nan(), "the recipe has no such pair");
    let effect = area_matrix(Some(&run), Kind::Effect).unwrap();
    assert_eq!((effect.values[[1, 0]], effect.unit), (-2.0, "change of log-rate"));
    let early = glm(vec![pair(0, 1, 0.0, Support::NotScored)]);
    assert!(area_matrix(Some(&early), Kind::Strength).unwrap_err().contains("stage 3"));
    assert!(area_matrix(None, Kind::Strength).is_err());
}

#[test]
fn attention_is_averaged_by_area_without_the_diagonal() {
    // Only the first two of three units are predicted.
    let run = netformer(array![[9.0, 1.0, -3.0], [2.0, 9.0, 4.0]]);
    let effect = area_matrix(Some(&run), Kind::Effect).unwrap();
    assert_eq!((effect.values[[0, 1]], effect.values[[1, 0]], effect.values[[1, 1]]), (-1.0, 2.0, 4.0));
    assert!(effect.values[[0, 0]].is_nan(), "one unit has no pair");
    assert_eq!(area_matrix(Some(&run), Kind::Strength).unwrap().values[[0, 1]], 2.0);
    let soft = netformer(array![[0.2, 0.8], [0.5, 0.5]]);
    assert!(area_matrix(Some(&soft), Kind::Effect).unwrap_err().contains("no sign"));
    assert!(area_matrix(Some(&netformer(Array2::zeros((0, 0)))), Kind::Strength).is_err());
}

#[test]
fn even_spatial_attention_is_one_everywhere_and_an_ndt_has_none() {
    let third = Array2::from_elem((3, 3), 1.0 / 3.0);
    let even = area_matrix(Some(&stndt(&[third.clone(), third])), Kind::Strength).unwrap();
    for (at, value) in even.values.indexed_iter().filter(|(at, _)| *at != (1, 1)) {
        assert!((value - 1.0).abs() < 1e-6, "{at:?}");
    }
    assert!(area_matrix(Some(&stndt(&[Array2::zeros((0, 0))])), Kind::Strength).unwrap_err().contains("NDT"));
    assert!(area_matrix(Some(&stndt(&[])), Kind::Strength).is_err());
    assert!(area_matrix(Some(&stndt(&[Array2::zeros((3, 3))])), Kind::Effect).unwrap_err().contains("no sign"));
}

#[test]
fn areas_are_matched_by_name() {
    let a = area_matrix(Some(&glm(vec![pair(0, 1, 2.0, SUPPORTED), pair(1, 0, -1.0, SUPPORTED)])), Kind::Effect).unwrap();
    // The same couplings, areas the other way round, and one area more.
    let b = AreaMatrix {
        areas: vec!["LM".into(), "AL".into(), "V1".into()],
        values: Array2::from_shape_fn((3, 3), |at| match at {
            (0, 2) => 4.0,
            (2, 0) => -3.0,
            _ => 7.0,
        }),
        ..a.clone()
    };
    let shared = shared_areas([&a, &b].into_iter());
    assert_eq!(shared, ["V1", "LM"]);
    assert_eq!((b.of(&shared)[[1, 0]], b.of(&shared)[[0, 1]]), (4.0, -3.0));
    let found = areas_agree(&a, &b, Kind::Effect);
    assert_eq!((found.entries, found.same_sign, found.pearson), (2, Some(1.0), None), "two entries say nothing about a correlation");
    assert!(a.is_like(&b) && !a.is_like(&AreaMatrix { quantity: "other", ..b }));
}

#[test]
fn units_are_matched_by_their_place_in_the_recording() {
    let a = unit_matrix(Some(&netformer(array![[0.0, 1.0, 2.0], [3.0, 0.0, 4.0], [-5.0, 6.0, 0.0]]))).unwrap();
    let order = [2, 0, 1];
    let turned = Array2::from_shape_fn((3, 3), |(r, c)| a.values[[order[r], order[c]]]);
    let b = UnitMatrix { units: order.to_vec(), values: turned, ..a.clone() };
    let found = units_agree(&a, &b);
    assert_eq!((found.entries, found.same_sign), (6, Some(1.0)));
    assert!((found.pearson.unwrap() - 1.0).abs() < 1e-12);
    assert!(unit_matrix(Some(&glm(vec![]))).unwrap_err().contains("couples areas"));
}

#[test]
fn kernels_have_lags_in_milliseconds_or_a_reason() {
    let run = glm(vec![pair(0, 1, 2.0, SUPPORTED), pair(1, 0, 5.0, NOT_SUPPORTED)]);
    assert_eq!(kernel(Some(&run), "V1", "LM").unwrap(), [[[2.0, 0.0], [4.0, 2.0], [6.0, 1.0]]]);
    assert!(kernel(Some(&run), "LM", "V1").unwrap_err().contains("not supported"));
    assert!(kernel(Some(&run), "V1", "AL").unwrap_err().contains("no such pair"));
    assert!(kernel(Some(&stndt(&[])), "V1", "LM").unwrap_err().contains("no coupling filters"));
}

#[test]
fn only_settings_that_differ_are_told() {
    let first = Recipe { seed: 1, ..Recipe::default() };
    let mut second = Recipe { seed: 2, ..Recipe::default() };
    second.set("model.rate", "0.5").unwrap();
    let found = setting_differences(&[&first, &second]);
    assert_eq!(found.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["seed", "model.rate"]);
    assert_eq!(found[0].1, [Some(json!(1)), Some(json!(2))]);
    assert!(setting_differences(&[&first, &first]).is_empty() && setting_differences(&[]).is_empty());
    let mut other = Recipe::default();
    PRESETS.iter().find(|p| p.key == "netformer").unwrap().choose(&mut other, None);
    let found = setting_differences(&[&first, &other]);
    assert_eq!(found[0].0, "model.kind");
    assert!(found.iter().any(|(_, values)| values[0].is_some() && values[1].is_none()), "settings of one model only");
}

#[test]
fn losses_are_placed_by_step_or_by_time() {
    let stage = |steps, seconds| StageEntry { name: String::new(), steps, epochs: 1, seconds };
    let stages = [stage(10, 5.0), stage(0, 1.0), stage(20, 40.0)];
    let at = |step: u64| seconds_at(step, &stages);
    assert_eq!((at(0), at(10), at(20), at(30), at(31)), (Some(0.0), Some(5.0), Some(26.0), Some(46.0), None));
    let point = |step, validation, value| LossPoint { step, stage: 1, validation, values: [9.0, value, 0.0, 0.0, 0.0, 0.0] };
    let points = vec![point(5, true, 0.5), point(6, false, 0.4), point(10, true, f32::NAN), point(20, true, 0.25), point(99, true, 0.2)];
    let losses = LossLog { terms: Recipe::default().model.loss_terms(), points, ..LossLog::default() };
    assert_eq!(validation_losses(&losses, &stages, Progress::Seconds), [[2.5, 0.5], [26.0, 0.25]]);
    assert_eq!(validation_losses(&losses, &stages, Progress::Steps).len(), 3);
}

#[test]
fn runs_that_cannot_be_read_are_told_in_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let folders = ["a", "b"].map(|name| dir.path().join(name));
    let comparison = Comparison::of(&folders);
    assert!(comparison.runs.iter().all(|run| run.run.as_ref().is_err_and(|why| why.contains("manifest.json"))));
    assert!(comparison.settings.is_empty() && comparison.metrics.is_empty());
    assert_eq!(comparison.areas_agree[0].len(), 1);
    assert!(comparison.areas_agree[0][0].2.as_ref().is_err_and(|why| why.contains("cannot be read")));
    assert!(comparison.units_agree[0].2.is_err());
}
