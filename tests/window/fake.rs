//! A recording and runs made of plain formulas: what views draw, without a simulator or a training thread.

use std::sync::Arc;

use spikescope::recording::{
    Column, ImportReport, IntervalTable, NamedColumn, NoteKind, Recording, RecordingParts, Source, SpikeTrains, TrialPlan, TrueEdge, Truth,
};
use spikescope::training::{
    Finished, GlmSnapshot, GlmTrial, LossLog, LossPoint, ModelSnapshot, PairSnapshot, Phase, Progress, Recipe, Snapshot, StageProgress,
    Support, TrialSnapshot, TruthScore,
};
use spikescope::views::RunState;

const AREAS: [(&str, usize); 3] = [("V1", 20), ("LM", 16), ("AL", 12)];
const TRIALS: usize = 120;

/// Numbers that look random and are the same everywhere, from -1 to 1.
pub fn noise(seed: usize) -> f64 {
    let mut x = (seed as u64).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^= x >> 31;
    (x >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0
}

fn column(name: &str, values: Column) -> NamedColumn {
    NamedColumn { name: name.to_owned(), description: String::new(), values }
}

/// Three areas, 120 trials of 0.6 s, a true edge V1 → LM, and a report with one note of each kind.
pub fn recording() -> Arc<Recording> {
    let n: usize = AREAS.iter().map(|(_, n)| n).sum();
    let spikes =
        (0..n).map(|unit| (0..1200).map(|i| (f64::from(i) + 0.4 * noise(i as usize * 31 + unit)) * 0.07 + 0.05).collect::<Vec<f64>>());
    let unit_areas: Vec<String> = AREAS.iter().flat_map(|(name, n)| std::iter::repeat_n((*name).to_owned(), *n)).collect();
    let mut report = ImportReport::default();
    report.add(NoteKind::Advice, "units", "Units could also be grouped by probe; choose below.");
    report.add(NoteKind::Assumed, "spike_times", "Times were taken as seconds: rates lie between 8 and 15 Hz.");
    report.add(NoteKind::Repaired, "units/spike_times, unit 7", "212 times were not ascending and were sorted.");
    report.add(NoteKind::LeftOut, "intervals/odd", "The table has columns of different length and was left out.");
    let parts = RecordingParts {
        name: "three areas".to_owned(),
        spikes: SpikeTrains::from_units(spikes),
        unit_ids: (0..n).map(|u| u.to_string()).collect(),
        unit_columns: vec![column("probe", Column::Text((0..n).map(|u| format!("probe {}", u % 2)).collect()))],
        unit_areas,
        tables: vec![IntervalTable {
            name: "trials".to_owned(),
            start: (0..TRIALS).map(|t| 0.7 * t as f64).collect(),
            stop: (0..TRIALS).map(|t| 0.7 * t as f64 + 0.6).collect(),
            columns: vec![
                column("direction", Column::Text((0..TRIALS).map(|t| ["left", "right", "up"][t % 3].to_owned()).collect())),
                column("speed", Column::Float((0..TRIALS).map(|t| noise(t) + 2.0).collect())),
            ],
        }],
        truth: Some(Truth {
            edges: vec![TrueEdge { source: 0, target: 1, send: unit_norm(20, 3), receive: unit_norm(16, 5), filter: filter(2.0, 0.0, 0) }],
            ..Truth::default()
        }),
        report,
        ..RecordingParts::default()
    };
    let source = Source::Simulated { simulator: "formula".to_owned(), parameters: String::new(), seed: 0 };
    Arc::new(Recording::new(parts, source).unwrap())
}

fn unit_norm(n: usize, seed: usize) -> Vec<f64> {
    let weights: Vec<f64> = (0..n).map(|u| (0.25 + 0.6 * noise(seed * 100 + u)).max(0.0)).collect();
    let norm = weights.iter().map(|w| w * w).sum::<f64>().sqrt();
    weights.into_iter().map(|w| w / norm).collect()
}

fn filter(height: f64, noisy: f64, seed: usize) -> Vec<f64> {
    (0..27)
        .map(|k| {
            let t = f64::from(k) / 4.0;
            height * t * (1.0 - t).exp() * if t > 4.5 { 0.0 } else { 1.0 } + noisy * noise(seed + k as usize) * (-t / 2.0).exp()
        })
        .collect()
}

fn f32s(values: impl IntoIterator<Item = f64>) -> Vec<f32> {
    values.into_iter().map(|v| v as f32).collect()
}

/// A run in stage 3 of 4 on [`recording`], `step` steps old.
pub fn run(recording: &Arc<Recording>) -> RunState {
    let recipe = Recipe::default();
    let trials = TrialPlan { bin_s: 0.002, padding_s: 0.05, ..TrialPlan::default() }.resolve(recording).unwrap();
    let snapshot = snapshot(trials.bins, trials.starts.len());
    let stages = ["1 · mean dynamics", "2 · trial-varying dynamics", "3 · coupling", "4 · post-spike filters"];
    let stages = stages.iter().zip([1.0, 1.0, 0.62, 0.0]).map(|(name, fraction)| StageProgress {
        name: (*name).to_owned(),
        fraction,
        done: fraction == 1.0,
    });
    let progress = Progress {
        phase: Phase::Running,
        doing: "Training stage 3, coupling".to_owned(),
        device: "CPU (flex, 2 threads)".to_owned(),
        stages: stages.collect(),
        stage: 2,
        step: 812,
        epoch: 9,
        steps_per_s: 21.4,
        eta_s: Some(23.0),
        elapsed_s: 38.0,
    };
    RunState {
        recipe,
        progress: Arc::new(progress),
        losses: Arc::new(losses()),
        snapshot: Some(Arc::new(snapshot)),
        data: Some(Arc::new((Arc::clone(recording), trials))),
    }
}

/// The same run with another phase.
pub fn with_phase(mut run: RunState, phase: Phase) -> RunState {
    run.progress = Arc::new(Progress { phase, ..(*run.progress).clone() });
    run
}

/// The same run before coupling was scored: filters and weights are zero.
pub fn before_coupling(mut run: RunState) -> RunState {
    let mut snapshot = (**run.snapshot.as_ref().unwrap()).clone();
    let ModelSnapshot::Glm(glm) = &mut snapshot.model else { return run };
    for pair in &mut glm.pairs {
        pair.support = Support::NotScored;
        for values in [&mut pair.filter, &mut pair.send, &mut pair.receive] {
            values.iter_mut().flatten().for_each(|v| *v = 0.0);
        }
    }
    glm.truth.clear();
    snapshot.stage = 2;
    run.snapshot = Some(Arc::new(snapshot));
    run
}

/// The end of a run that was not written.
pub fn finished() -> Phase {
    Phase::Finished(Arc::new(Finished {
        run: None,
        summary: serde_json::json!({"test_loss": 0.19921, "flat_loss": 0.21028, "psth_loss": 0.20512}),
    }))
}

fn losses() -> LossLog {
    let mut points = Vec::new();
    let mut level = 1.1;
    for (stage, (steps, floor)) in [(260u64, 0.2051), (300, 0.2023), (252, 0.1998)].into_iter().enumerate() {
        let first = points.last().map_or(0, |p: &LossPoint| p.step + 1);
        for step in first..first + steps {
            level += (floor - level) * if stage == 0 { 0.045 } else { 0.018 };
            for validation in [false, true] {
                if validation && step % 20 != 0 {
                    continue;
                }
                let wiggle = if validation { 0.0002 } else { 0.0011 * noise(step as usize) };
                let poisson = (level + wiggle) as f32;
                let (kl, group, smooth) = (0.0004 * stage as f32, 0.00002, 0.0001);
                let values = [poisson + kl + group + smooth, poisson, kl, group, smooth, 0.0];
                points.push(LossPoint { step, stage: stage as u8 + 1, validation, values });
            }
        }
    }
    LossLog { terms: Recipe::default().model.loss_terms(), points, flat: Some(0.21028), psth: Some(0.20512), oracle: Some(0.1989) }
}

fn snapshot(bins: usize, trials: usize) -> Snapshot {
    let pairs: Vec<PairSnapshot> = (0..3).flat_map(|target| (0..3).map(move |source| pair(source, target))).collect();
    let latents = |area: usize, trial: usize| -> Vec<f32> {
        let angle = (trial % 3) as f64 * 2.1 + area as f64;
        f32s((0..4).map(|d| 1.5 * (angle + d as f64).sin() + 0.45 * noise(area * 7919 + trial * 13 + d)))
    };
    let coupling =
        |place: usize| vec![f32s((0..bins).map(|t| 0.8 * ((t + place * 17) as f64 / 23.0).sin().powi(4) + 0.1 * noise(t + place)))];
    Snapshot {
        version: 7,
        stage: 3,
        step: 812,
        bin_s: 0.002,
        areas: AREAS.iter().map(|(name, _)| (*name).to_owned()).collect(),
        area_sizes: AREAS.iter().map(|(_, n)| *n).collect(),
        units: (0..AREAS.iter().map(|(_, n)| n).sum()).collect(),
        trials: vec![TrialSnapshot { trial: 0, log_rate: vec![] }],
        model: ModelSnapshot::Glm(GlmSnapshot {
            unit_bits: (0..48).map(|unit| Some(0.3 * ((unit % 7) as f32 - 1.0) / 6.0)).collect(),
            post_spike: vec![],
            loadings: vec![],
            latent_trials: (0..trials).collect(),
            latents: (0..3).map(|area| (0..trials).map(|trial| latents(area, trial)).collect()).collect(),
            trials: vec![GlmTrial { coupling: (0..pairs.len()).map(coupling).collect(), factors: vec![], post_spike: vec![] }],
            truth: (0..30u64)
                .map(|i| {
                    let rise = 1.0 - (-(i as f32) / 6.0).exp();
                    (
                        560 + i * 8,
                        TruthScore {
                            source: 0,
                            target: 1,
                            cos_send: 0.98 * rise,
                            cos_receive: 0.95 * rise,
                            filter_corr: 0.99 * rise.sqrt(),
                        },
                    )
                })
                .collect(),
            pairs,
        }),
    }
}

fn pair(source: usize, target: usize) -> PairSnapshot {
    let (height, supported, score) = match (source, target) {
        (0, 1) => (1.86, true, 0.171),
        (1, 2) => (-0.7, true, 0.062),
        (s, t) if s == t => (2.6 - 0.5 * s as f64, true, 0.24),
        _ => (0.0, false, 0.008 + 0.001 * (source + target) as f32),
    };
    let seed = source * 3 + target;
    let inferred = |truth: Vec<f64>, seed: usize| f32s(truth.into_iter().enumerate().map(|(u, w)| w + 0.045 * noise(seed * 1000 + u)));
    let weights = |area: usize, seed: usize| unit_norm(AREAS[area].1, seed);
    PairSnapshot {
        source,
        target,
        support: Support::Scored { score, null: 0.021, supported },
        filter: vec![f32s(filter(height, if supported { 0.08 } else { 0.0 }, seed * 50))],
        candidate: vec![],
        send: vec![inferred(weights(source, if (source, target) == (0, 1) { 3 } else { 20 + seed }), seed)],
        receive: vec![inferred(weights(target, if (source, target) == (0, 1) { 5 } else { 40 + seed }), seed + 9)],
        contribution_percent: if supported { 4.0 * height.abs() as f32 } else { 0.0 },
        mean_output: if supported { 0.11 * height as f32 } else { 0.0 },
    }
}
