//! NetFormer on the four toy systems, as published (Lu et al. 2025, §3.1): 10 seeds each, against ordinary least squares. Minutes
//! of CPU, so it runs on demand:
//! `cargo test --release --test netformer_toy -- --ignored --nocapture`; `SPIKESCOPE_SEEDS=3` takes fewer seeds.

#![allow(clippy::unwrap_used, reason = "tests")]

use burn::tensor::Device;
use ndarray::{Array2, Array3, Axis};
use rayon::prelude::*;
use spikescope::analysis::connectivity::{Pairs, least_squares, mean_squared_error, pearson, r_squared, score};
use spikescope::models::netformer::{Data, Experiment, TrainOptions, Trainer};
use spikescope::simulate::{ToySimulation, ToySystem};

/// First bins of the windows that train and of those that test: inputs are states 7 to 3006 (spec §4a).
const TRAIN: std::ops::Range<usize> = 7..2407;
const TEST: std::ops::Range<usize> = 2407..3007;

/// A system, and the authors' means and standard deviations over seeds.
struct System {
    system: ToySystem,
    experiment: Experiment,
    /// Highest test MSE that is accepted.
    mse: f64,
    spearman: (f64, f64),
    pearson: (f64, f64),
}

const SYSTEMS: [System; 4] = [
    System {
        system: ToySystem::LinearStatic,
        experiment: Experiment::LinearStatic,
        mse: 1e-8,
        spearman: (0.999_85, 0.0005),
        pearson: (0.999_97, 5e-5),
    },
    System {
        system: ToySystem::TanhStatic,
        experiment: Experiment::TanhStatic,
        mse: 2e-6,
        spearman: (0.9030, 0.014),
        pearson: (0.8782, 0.020),
    },
    System {
        system: ToySystem::LinearDynamic,
        experiment: Experiment::LinearNonstationary,
        mse: 5e-8,
        spearman: (0.9898, 0.007),
        pearson: (0.9956, 0.003),
    },
    System {
        system: ToySystem::TanhDynamic,
        experiment: Experiment::TanhNonstationary,
        mse: 1e-7,
        spearman: (0.9174, 0.010),
        pearson: (0.8674, 0.017),
    },
];

#[derive(Debug, Clone, Copy)]
struct Outcome {
    mse: f64,
    r2: f64,
    spearman: f64,
    pearson: f64,
    /// Mean and median over entries off the diagonal of the correlation in time with the true weight; NaN for fixed weights.
    in_time: (f64, f64),
}

/// Mean weights over the test windows.
fn truth(system: &System, weights: Option<&Array3<f64>>) -> Array2<f64> {
    match weights {
        Some(weights) => weights.slice_axis(Axis(0), TEST.into()).mean_axis(Axis(0)).unwrap(),
        None => {
            let recording = ToySimulation { system: system.system, ..ToySimulation::default() }.simulate().unwrap();
            let mut matrix = Array2::zeros((5, 5));
            for edge in recording.truth.as_ref().unwrap().unit_edges.as_ref().unwrap() {
                matrix[[edge.post, edge.pre]] = edge.weight;
            }
            matrix
        }
    }
}

fn states_of(system: &System) -> (Array2<f64>, Option<Array3<f64>>) {
    ToySimulation { system: system.system, ..ToySimulation::default() }.path()
}

fn run(system: &System, seed: u64) -> Outcome {
    let (states, weights) = states_of(system);
    let data = Data::new(states.mapv(|x| x as f32), None).unwrap();
    let (train, test): (Vec<usize>, Vec<usize>) = (TRAIN.collect(), TEST.collect());
    let options = TrainOptions { seed, ..system.experiment.options() };
    let mut trainer = Trainer::new(system.experiment.config(5, 5), data, options, &Device::flex(), true).unwrap();
    for epoch in 0..system.experiment.epochs() {
        for own in trainer.batches(&train, epoch) {
            trainer.step(&own, epoch).unwrap();
        }
    }
    let predicted = trainer.predictions(&test).unwrap().mapv(f64::from);
    let actual = states.select(Axis(0), &test.iter().map(|t| t + 1).collect::<Vec<_>>());
    let mean = trainer.mean_attention(&test).unwrap().mapv(f64::from);
    let scored = score(mean.view(), truth(system, weights.as_ref()).view(), Pairs::Others);
    let in_time = weights.map_or((f64::NAN, f64::NAN), |weights| {
        let entries: Vec<(usize, usize)> = (0..25).map(|k| (k / 5, k % 5)).filter(|(i, j)| i != j).collect();
        let series = trainer.host().unwrap().entries(trainer.data(), &test, &entries);
        let mut each: Vec<f64> = entries
            .iter()
            .zip(series.columns())
            .map(|(&(i, j), inferred)| {
                let truth: Vec<f64> = test.iter().map(|&t| weights[[t, i, j]]).collect();
                pearson(&inferred.iter().map(|&v| f64::from(v)).collect::<Vec<_>>(), &truth)
            })
            .collect();
        each.sort_by(f64::total_cmp);
        (each.iter().sum::<f64>() / each.len() as f64, (each[9] + each[10]) / 2.0)
    });
    Outcome {
        mse: mean_squared_error(predicted.view(), actual.view()),
        r2: r_squared(predicted.view(), actual.view()),
        spearman: scored.spearman,
        pearson: scored.pearson,
        in_time,
    }
}

/// Ordinary least squares without intercept on the same windows: R², Spearman, Pearson.
fn baseline(system: &System) -> (f64, f64, f64) {
    let (states, weights) = states_of(system);
    let rows = |range: std::ops::Range<usize>, ahead: usize| states.select(Axis(0), &range.map(|t| t + ahead).collect::<Vec<_>>());
    let fit = least_squares(rows(TRAIN, 0).view(), rows(TRAIN, 1).view(), false);
    let r2 = r_squared(fit.predict(rows(TEST, 0).view()).view(), rows(TEST, 1).view());
    let scored = score(fit.weights.view(), truth(system, weights.as_ref()).view(), Pairs::Others);
    (r2, scored.spearman, scored.pearson)
}

/// Mean and standard deviation.
fn spread(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    (mean, (values.map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt())
}

#[test]
#[ignore = "minutes of CPU"]
fn the_published_numbers_are_reached() {
    let seeds: u64 = std::env::var("SPIKESCOPE_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    println!("system | test MSE | R² | Spearman | Pearson | in time, mean and median | OLS R², Spearman, Pearson");
    let mut failures = Vec::new();
    for system in &SYSTEMS {
        let outcomes: Vec<Outcome> = (0..seeds).into_par_iter().map(|seed| run(system, seed)).collect();
        let of = |value: fn(&Outcome) -> f64| spread(outcomes.iter().map(value));
        let (mse, r2, spearman, pearson) = (of(|o| o.mse), of(|o| o.r2), of(|o| o.spearman), of(|o| o.pearson));
        let (mean, median) = (of(|o| o.in_time.0), of(|o| o.in_time.1));
        let (ols_r2, ols_spearman, ols_pearson) = baseline(system);
        println!(
            "{} | {:.2e} ± {:.1e} | {:.8} | {:.4} ± {:.4} | {:.5} ± {:.5} | {:.3} ± {:.3}, {:.4} | {ols_r2:.7}, {ols_spearman:.4}, {ols_pearson:.4}",
            system.experiment.name(),
            mse.0,
            mse.1,
            r2.0,
            spearman.0,
            spearman.1,
            pearson.0,
            pearson.1,
            mean.0,
            mean.1,
            median.0
        );
        for (what, reached) in [
            ("MSE", mse.0 <= system.mse),
            ("R²", r2.0 >= 0.99999),
            ("Spearman", spearman.0 >= system.spearman.0 - 2.0 * system.spearman.1),
            ("Pearson", pearson.0 >= system.pearson.0 - 2.0 * system.pearson.1),
        ] {
            if !reached {
                failures.push(format!("{}: {what}", system.experiment.name()));
            }
        }
    }
    assert!(failures.is_empty(), "below the authors' numbers: {failures:?}");
}
