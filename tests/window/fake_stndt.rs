//! A recording with true rates and a hand's path, and a run of a spatiotemporal Transformer on it, made of plain formulas.

use std::sync::Arc;

use ndarray::{Array2, Array3};
use spikescope::recording::{Covariate, Recording, RecordingParts, Source, SpikeTrains, TrialPlan, TrueRates, Truth};
use spikescope::training::{
    Importance, LayerAttention, LossLog, LossPoint, ModelSnapshot, PRESETS, Phase, Progress, RateScores, Recipe, Snapshot, StageProgress,
    StndtSnapshot, Trajectories, TrialSnapshot,
};
use spikescope::views::RunState;

use super::fake;

const UNITS: usize = 48;
const BINS: usize = 120;
const BIN_S: f64 = 0.005;
const TRIALS: usize = 120;
const LAYERS: usize = 3;

/// Rate of a unit, Hz: the three directions of [`fake::recording`] differ.
fn rate(trial: usize, bin: usize, unit: usize) -> f64 {
    let (t, direction) = (bin as f64 / BINS as f64, (trial % 3) as f64);
    let bump = (-(t - 0.2 - 0.012 * unit as f64).powi(2) / 0.02).exp();
    6.0 + 2.0 * (unit % 5) as f64 + 34.0 * bump * (1.0 + (direction * 2.1 + unit as f64).sin())
}

/// The areas, units and trials of [`fake::recording`], with true rates and a velocity.
pub fn recording() -> Arc<Recording> {
    let old = fake::recording();
    let times: Vec<f64> = (0..8400).map(|k| f64::from(k) * 0.01).collect();
    let wave = |phase: f64| times.iter().map(|t| 20.0 * (t * 2.0 + phase).sin()).collect();
    let covariate = |name: &str, phase| Covariate { name: name.into(), unit: "cm/s".into(), times: times.clone(), values: wave(phase) };
    let parts = RecordingParts {
        name: "three areas with rates".into(),
        spikes: SpikeTrains::from_units((0..UNITS).map(|unit| old.spikes.unit(unit).to_vec())),
        unit_ids: old.units.ids.clone(),
        unit_areas: old.units.area.iter().map(|&a| old.areas[a].clone()).collect(),
        tables: old.tables.clone(),
        covariates: vec![covariate("hand velocity x", 0.0), covariate("hand velocity y", 1.5)],
        truth: Some(Truth {
            rates: Some(TrueRates {
                bin_s: BIN_S,
                values: Array3::from_shape_fn((TRIALS, BINS, UNITS), |(trial, bin, unit)| rate(trial, bin, unit) as f32),
            }),
            ..Truth::default()
        }),
        ..RecordingParts::default()
    };
    Arc::new(Recording::new(parts, Source::Simulated { simulator: "formula".into(), parameters: String::new(), seed: 0 }).unwrap())
}

fn rows_to_one(mut map: Array2<f32>) -> Array2<f32> {
    for mut row in map.rows_mut() {
        let sum = row.sum();
        row.mapv_inplace(|v| v / sum);
    }
    map
}

/// A few bright columns in the first layer, fewer differences in later ones.
fn layer(layer: usize, trial: usize) -> LayerAttention {
    let bright = |unit: usize| if unit % 11 == 3 { 4.0 } else { 1.0 + 0.5 * ((unit * 7) % 5) as f32 / 5.0 };
    let weak = 1.0 / (layer + 1) as f32;
    let wiggle = |a: usize, b: usize| 0.15 * (fake::noise(trial * 7919 + a * 61 + b * 17 + layer) as f32 + 1.0);
    let near = |a: usize, b: usize| (-((a as f32 - b as f32) / 9.0).powi(2)).exp();
    let seen = |a: usize, b: usize| b <= a + 4 && a <= b + 40;
    LayerAttention {
        space: rows_to_one(Array2::from_shape_fn((UNITS, UNITS), |(a, b)| bright(b).powf(weak) + wiggle(a, b))),
        time: rows_to_one(Array2::from_shape_fn(
            (BINS, BINS),
            |(a, b)| if seen(a, b) { near(a, b) + 0.1 + 0.3 * wiggle(a, b) } else { 0.0 },
        )),
    }
}

fn scores(step: u64, co_bps: f32) -> RateScores {
    RateScores { step, co_bps, fp_bps: 0.6 * co_bps, rate_r2: (co_bps / 0.45).min(0.9) }
}

fn snapshot() -> Snapshot {
    let shown = [0, 1, 2, 5, 6, 7];
    let inferred = |trial: usize| TrialSnapshot {
        trial,
        log_rate: (0..BINS)
            .map(|bin| {
                let own = |unit| (rate(trial, bin, unit) * BIN_S).ln() + 0.12 * (bin as f64 / 9.0 + unit as f64 + trial as f64).sin();
                (0..UNITS).map(|unit| own(unit) as f32).collect()
            })
            .collect(),
    };
    let importance = |layer_index: usize| {
        let column = |trial: usize| layer(layer_index, trial).space.mean_axis(ndarray::Axis(0)).unwrap();
        Importance {
            mean: column(0).to_vec(),
            sd: column(0).iter().map(|m| 0.12 * m).collect(),
            consistency: 0.93 - 0.2 * layer_index as f32,
        }
    };
    let curve = |trial: usize| {
        let point = |bin: usize| {
            let (t, a) = (bin as f32 / BINS as f32 * 5.0, trial as f32 % 3.0 * 2.1);
            [3.0 * (t + a).cos() + 0.2 * (trial as f32).sin(), 2.0 * (t + a).sin(), 0.7 * t - 1.5 + 0.3 * a.sin()]
        };
        (0..BINS).map(point).collect()
    };
    let learned = (1..16u64).map(|k| scores(k * 60, 0.32 * (1.0 - (-(k as f32) / 4.0).exp()) - if k == 1 { 1.4 } else { 0.0 }));
    Snapshot {
        version: 11,
        stage: 1,
        step: 900,
        bin_s: BIN_S,
        areas: ["V1", "LM", "AL"].map(str::to_owned).to_vec(),
        area_sizes: vec![20, 16, 12],
        units: (0..UNITS).collect(),
        trials: shown.map(inferred).to_vec(),
        model: ModelSnapshot::Stndt(StndtSnapshot {
            unit_bits: (0..UNITS).map(|unit| Some(0.1 * (unit % 5) as f32)).collect(),
            held_out: (0..UNITS).map(|unit| unit % 4 == 1).collect(),
            observed_bins: 100,
            context: (Some(40), Some(4)),
            scores: learned.collect(),
            smoothing: Some(scores(0, 0.21)),
            oracle: Some(RateScores { rate_r2: 1.0, ..scores(0, 0.41) }),
            attention: (0..LAYERS).map(|l| layer(l, 0)).collect(),
            importance: (0..LAYERS).map(importance).collect(),
            trials: shown.map(|trial| (0..LAYERS).map(|l| layer(l, trial)).collect()).to_vec(),
            trajectories: Trajectories { trials: (0..12).collect(), points: (0..12).map(curve).collect(), explained: [0.46, 0.21, 0.12] },
        }),
    }
}

/// A run after 900 of 1400 steps on [`recording`].
pub fn run(recording: &Arc<Recording>) -> RunState {
    let mut recipe = Recipe::default();
    PRESETS.iter().find(|p| p.key == "stndt").unwrap().choose(&mut recipe, Some(recording));
    let trials = TrialPlan { bin_s: BIN_S, padding_s: 0.0, longest_window_s: 1.0, ..TrialPlan::default() }.resolve(recording).unwrap();
    assert_eq!((trials.bins, trials.starts.len()), (BINS, TRIALS));
    let progress = Progress {
        phase: Phase::Running,
        doing: "Training".to_owned(),
        device: "CPU (fused kernels, 2 threads)".to_owned(),
        stages: vec![StageProgress { name: "1 · masked modelling".to_owned(), fraction: 0.64, done: false }],
        stage: 0,
        step: 900,
        epoch: 15,
        steps_per_s: 9.4,
        eta_s: Some(53.0),
        elapsed_s: 97.0,
    };
    let point = |step: u64| LossPoint { step, stage: 1, validation: step.is_multiple_of(60), values: [0.2; 6] };
    let terms = recipe.model.loss_terms();
    RunState {
        recipe,
        progress: Arc::new(progress),
        losses: Arc::new(LossLog { terms, points: (1..900).map(point).collect(), flat: Some(0.22), psth: Some(0.21), oracle: Some(0.18) }),
        snapshot: Some(Arc::new(snapshot())),
        data: Some(Arc::new((Arc::clone(recording), trials))),
    }
}
