//! A spatiotemporal Transformer in the background: it trains, shows itself, is kept and read again, and nobody who watches
//! changes the numbers.

#![allow(clippy::unwrap_used, reason = "tests")]

mod trained;

use std::sync::Arc;

use ndarray::Axis;
use spikescope::recording::{Column, Covariate, NamedColumn, Recording};
use spikescope::runs;
use spikescope::simulate;
use spikescope::training::{Phase, RateModel, Recipe, StartOptions, TrainingHandle, decode, produced_column, produced_correlation};
use trained::{numbers, run};

/// 80 trials of the Lorenz system seen through 12 units, with its true rates.
fn recording() -> Arc<Recording> {
    let settings = [("units", "12"), ("conditions", "8"), ("trials", "10"), ("bins", "40"), ("seed", "2")];
    Arc::new(simulate::by_name("lorenz", &settings).unwrap())
}

fn recipe(preset: &str, recording: &Recording, changes: &[(&str, &str)]) -> Recipe {
    let small = [("model.hidden", "16"), ("model.layers", "2"), ("model.batch", "16"), ("model.steps", "24"), ("model.warm_up_steps", "4")];
    trained::recipe(preset, recording, &[&small[..], changes].concat())
}

#[test]
fn a_run_is_scored_shown_kept_and_not_changed_by_watching() {
    let recording = recording();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("run");
    let recipe = recipe("stndt", &recording, &[("model.forward_bins", "4")]);
    assert_eq!(recipe.data.trials.bin_s, 0.01, "the bins that the true rates are given in");
    let options = StartOptions { run: Some(target.clone()), watched: true, ..StartOptions::default() };
    let (watched, snapshot) = run(&recording, recipe.clone(), options);
    let (alone, _) = run(&recording, recipe, StartOptions::default());
    assert_eq!(numbers(&watched.summary), numbers(&alone.summary));

    let summary = &watched.summary;
    let number = |key: &str| summary[key].as_f64().unwrap_or_else(|| unreachable!("{key} is missing in {summary}"));
    assert_eq!(number("held_out_units"), 3.0);
    assert!(number("oracle_co_bps") > number("smoothing_co_bps"));
    assert!(number("co_bps").is_finite() && number("rate_r2") <= 1.0 && number("oracle_rate_r2") > 0.999);
    assert!(summary["truth"]["oracle_loss"].as_f64().unwrap() < number("flat_loss"));
    assert!(summary.get("edges").is_none(), "no area drives another in this model");

    let stndt = snapshot.stndt().unwrap();
    assert_eq!(stndt.held_out.iter().filter(|&&h| h).count(), 3);
    assert_eq!((stndt.attention.len(), stndt.importance.len(), stndt.trials.len()), (2, 2, snapshot.trials.len()));
    assert!(snapshot.trials.iter().all(|t| (t.log_rate.len(), t.log_rate[0].len()) == (40, 12)));
    for layer in stndt.attention.iter().chain(stndt.trials.iter().flatten()) {
        assert_eq!((layer.space.dim(), layer.time.dim()), ((12, 12), (40, 40)));
        let rows_sum_to_one = |map: &ndarray::Array2<f32>| map.outer_iter().all(|row| (row.sum() - 1.0).abs() < 1e-4);
        assert!(rows_sum_to_one(&layer.space) && rows_sum_to_one(&layer.time));
    }
    assert!(stndt.importance.iter().all(|i| (i.mean.iter().sum::<f32>() - 1.0).abs() < 1e-4));
    assert!(stndt.scores.len() > 1 && stndt.scores.iter().all(|s| s.co_bps.is_finite()));
    assert_eq!(stndt.trajectories.points.len(), stndt.trajectories.trials.len());
    let (measure, fit) = snapshot.unit_fit();
    assert_eq!((measure, fit.len()), ("bits/spike", 12));
    assert!(fit.iter().flatten().count() >= 9 && fit.iter().flatten().all(|bits| bits.is_finite()), "{fit:?}");
    assert!(stndt.trajectories.explained[0] >= stndt.trajectories.explained[1]);

    let loaded = runs::load(&target).unwrap();
    assert_eq!(loaded.manifest.model, "stndt");
    assert!(!loaded.weights().unwrap().is_empty());
    assert_eq!(loaded.snapshot.unwrap(), *snapshot);
    assert!(!target.join("edges.csv").exists());
}

#[test]
fn the_base_model_has_no_attention_over_units() {
    let recording = recording();
    let (finished, snapshot) = run(&recording, recipe("ndt", &recording, &[("model.held_out", "none")]), StartOptions::default());
    let stndt = snapshot.stndt().unwrap();
    assert!(stndt.importance.is_empty() && stndt.attention.iter().all(|layer| layer.space.is_empty()));
    assert!(finished.summary.get("co_bps").is_none() && finished.summary["test_loss"].as_f64().unwrap().is_finite());
}

#[test]
fn forward_bins_are_scored_and_a_network_that_does_not_fit_is_refused_in_words() {
    let recording = recording();
    let (finished, snapshot) = run(&recording, recipe("stndt", &recording, &[("model.forward_bins", "8")]), StartOptions::default());
    assert_eq!(snapshot.stndt().unwrap().observed_bins, 32);
    assert!(finished.summary["fp_bps"].as_f64().unwrap().is_finite());
    let refused = |changes: &[(&str, &str)]| {
        let handle = TrainingHandle::start(Arc::clone(&recording), recipe("stndt", &recording, changes), StartOptions::default()).unwrap();
        match &handle.wait().phase {
            Phase::Failed(why) => why.clone(),
            other => unreachable!("expected a failed run, found {other:?}"),
        }
    };
    assert!(refused(&[("model.heads", "7")]).contains("a divisor of the 12 units"));
    assert!(refused(&[("model.forward_bins", "40")]).contains("shorter than 41 bins"));
    assert!(refused(&[("data.split_column", "nothing")]).contains("'nothing'"));
}

#[test]
fn a_run_learns() {
    let settings = [("units", "24"), ("conditions", "8"), ("trials", "30"), ("bins", "40"), ("baseline_hz", "5"), ("seed", "2")];
    let recording = Arc::new(simulate::by_name("lorenz", &settings).unwrap());
    let changes = [("model.steps", "300"), ("model.rate", "0.004"), ("model.validate_every", "60"), ("model.contrast_weight", "0")];
    let (finished, snapshot) = run(&recording, recipe("stndt", &recording, &changes), StartOptions::default());
    let scores = &snapshot.stndt().unwrap().scores;
    let best = scores.iter().map(|s| s.co_bps).fold(f32::MIN, f32::max);
    assert!(scores[0].co_bps > -0.5, "rates begin about the means: {scores:?}");
    assert!(best > 0.3, "{scores:?}");
    let loss = |key: &str| finished.summary[key].as_f64().unwrap();
    assert!(loss("test_loss") < loss("flat_loss"), "{}", finished.summary);
}

#[test]
fn a_kept_network_predicts_the_same_again_and_can_be_lesioned_and_decoded() {
    let mut recording = (*recording()).clone();
    let truth = recording.truth.as_ref().unwrap().rates.as_ref().unwrap();
    // A behaviour that is a unit's true log-rate, 50 ms after it: every trial has 40 bins of 10 ms.
    let table = recording.table("trials").unwrap();
    let samples = (0..80).flat_map(|trial| (0..40).map(move |bin| (trial, bin)));
    let (times, values) = samples
        .map(|(trial, bin)| (table.start[trial] + 0.05 + (bin as f64 + 0.5) * 0.01, f64::from(truth.values[[trial, bin, 3]]).ln()))
        .unzip();
    recording.covariates.push(Covariate { name: "velocity".into(), unit: "cm/s".into(), times, values });
    let (recording, folder) = (Arc::new(recording), tempfile::tempdir().unwrap());
    let target = folder.path().join("run");
    let options = StartOptions { run: Some(target.clone()), watched: true, ..StartOptions::default() };
    let (finished, snapshot) = run(&recording, recipe("stndt", &recording, &[]), options);

    let kept = runs::load(&target).unwrap();
    let weights = kept.weights().unwrap();
    let model = RateModel::from_run(&kept.recipe, &recording, &weights).unwrap();
    let (first, stndt) = (&snapshot.trials[0], snapshot.stndt().unwrap());
    assert_eq!((model.units(), model.held_out()), (&snapshot.units[..], stndt.held_out.clone()));
    let rates = model.rates(&[first.trial], &[]).unwrap();
    let same = |(at, rate): ((usize, usize, usize), &f64)| (rate.ln() - f64::from(first.log_rate[at.1][at.2])).abs() < 1e-4;
    assert!(rates.indexed_iter().all(same), "the rates on the screen are those of the kept network");
    let scored = model.score(&model.split().test.clone(), &[]).unwrap();
    assert!((f64::from(scored.co_bps) - finished.summary["co_bps"].as_f64().unwrap()).abs() < 1e-4);

    // Units that are not seen change nothing when silenced, the others do.
    let (hidden, seen): (Vec<usize>, Vec<usize>) = (0..12).partition(|&unit| stndt.held_out[unit]);
    assert_eq!(model.rates(&[first.trial], &hidden).unwrap(), rates);
    assert_ne!(model.rates(&[first.trial], &seen[..2]).unwrap(), rates);
    let silent = model.rates(&[0, 1], &seen).unwrap();
    assert_eq!(silent.index_axis(Axis(0), 0), silent.index_axis(Axis(0), 1), "without any spikes all trials are alike");

    let decoding = decode(&model, &["velocity".to_owned()], 0.05).unwrap();
    assert_eq!(decoding.inferred.dim(), (model.split().test.len(), 40, 1));
    // After so few steps only smoothed spikes know the behaviour.
    assert!(decoding.smoothed_r2.unwrap() > 0.3, "{:?}", decoding.smoothed_r2);
    let (mut residual, mut total, mean) = (0.0, 0.0, decoding.truth.iter().filter(|v| v.is_finite()).sum::<f64>());
    let n = decoding.truth.iter().filter(|v| v.is_finite()).count() as f64;
    for (truth, found) in decoding.truth.iter().zip(&decoding.inferred).filter(|(t, _)| t.is_finite()) {
        residual += (truth - found).powi(2);
        total += (truth - mean / n).powi(2);
    }
    assert!((1.0 - residual / total - decoding.inferred_r2).abs() < 1e-6, "the drawn traces are those that were scored");
    assert!(decode(&model, &["nothing".to_owned()], 0.0).unwrap_err().to_string().contains("'nothing'"));
    let other = RateModel::from_run(&Recipe::default(), &recording, &weights);
    assert!(other.is_err_and(|e| e.to_string().contains("GLM-Transformer")));
    assert!(RateModel::from_run(&kept.recipe, &recording, &weights[1..]).is_err());
}

#[test]
fn neural_speed_is_correlated_with_the_produced_interval_between_set_and_go() {
    let recording = recording();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("run");
    let options = StartOptions { run: Some(target.clone()), ..StartOptions::default() };
    run(&recording, recipe("stndt", &recording, &[("model.steps", "4")]), options);
    let kept = runs::load(&target).unwrap();
    let weights = kept.weights().unwrap();
    let all: Vec<usize> = (0..80).collect();
    let plain = RateModel::from_run(&kept.recipe, &recording, &weights).unwrap();
    assert!(produced_column(&plain, None).is_none(), "the simulation has no such column");
    let rates = plain.rates(&all, &[]).unwrap();

    // Set comes with bin 5, go with bin 20; what is produced is exactly the less the faster rates change between them.
    let speed = |trial: usize| {
        let step = |bin: usize| (0..12).map(|unit| (rates[[trial, bin + 1, unit]] - rates[[trial, bin, unit]]).powi(2)).sum::<f64>().sqrt();
        (5..19).map(step).sum::<f64>() / 14.0
    };
    let (starts, bin_s) = (plain.trials().starts.clone(), plain.trials().bin_s);
    let at = |bin: f64| starts.iter().map(|start| start + bin * bin_s).collect();
    let mut produced: Vec<f64> = (0..80).map(|trial| 3.0 + (trial % 2) as f64 * 5.0 - speed(trial)).collect();
    (produced[4], produced[7]) = (1e6, f64::NAN);
    let columns = [
        ("tp", Column::Float(produced)),
        ("is_short", Column::Bool((0..80).map(|trial| trial % 2 == 0).collect())),
        ("is_outlier", Column::Int((0..80).map(|trial| i64::from(trial == 4)).collect())),
        ("set_time", Column::Float(at(5.0))),
        ("go_time", Column::Float(at(20.0))),
    ];
    let mut timed = (*recording).clone();
    let table = timed.tables.iter_mut().find(|t| t.name == "trials").unwrap();
    table.columns.extend(columns.map(|(name, values)| NamedColumn { name: name.into(), description: String::new(), values }));
    let model = RateModel::from_run(&kept.recipe, &Arc::new(timed), &weights).unwrap();
    let found = produced_correlation(&model, rates.view(), &all, produced_column(&model, None).unwrap()).unwrap();
    assert_eq!(found.groups.len(), 2, "short and long intervals are compared among themselves");
    assert!((found.r + 1.0).abs() < 1e-9, "{found:?}");
    assert!(produced_column(&model, Some("nothing")).is_none());
}
