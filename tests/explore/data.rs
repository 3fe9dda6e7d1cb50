//! A recording in which something happens: responses to a cue that depend on a condition, and one unit that follows another.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spikescope::recording::{Column, IntervalTable, NamedColumn, Recording, RecordingParts, Source, SpikeTrains};

pub const AREAS: [(&str, usize); 3] = [("V1", 12), ("LM", 9), ("AL", 6)];
pub const TRIALS: usize = 120;

fn column(name: &str, values: Column) -> NamedColumn {
    NamedColumn { name: name.to_owned(), description: String::new(), values }
}

/// 27 units, 120 trials of 1 s, a cue 0.3 s after each start; V1 answers 80 ms after it, LM 120 ms, and twice as much when
/// the direction is left; AL does not answer. Unit 1 fires 4 ms after a third of unit 0's spikes.
pub fn recording() -> Arc<Recording> {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let start = |trial: usize| 1.0 + 1.2 * trial as f64;
    let mut trains: Vec<Vec<f64>> = Vec::new();
    for (area, (_, n)) in AREAS.iter().enumerate() {
        for unit in 0..*n {
            let mut times: Vec<f64> = (0..900).map(|_| random.random::<f64>() * start(TRIALS)).collect();
            for trial in (0..TRIALS).filter(|_| area < 2) {
                let strength = if trial % 2 == 0 { 6 } else { 3 };
                let latency = 0.08 + 0.04 * area as f64 + 0.002 * unit as f64;
                times.extend(
                    (0..strength).map(|_| start(trial) + 0.3 + latency + 0.06 * (random.random::<f64>() + random.random::<f64>() - 1.0)),
                );
            }
            times.sort_by(f64::total_cmp);
            trains.push(times);
        }
    }
    let follower: Vec<f64> = trains[0].iter().filter(|_| random.random::<f64>() < 0.33).map(|t| t + 0.004).collect();
    trains[1].extend(follower);
    trains[1].sort_by(f64::total_cmp);
    let n = trains.len();
    let table = IntervalTable {
        name: "trials".to_owned(),
        start: (0..TRIALS).map(start).collect(),
        stop: (0..TRIALS).map(|t| start(t) + 1.0).collect(),
        columns: vec![
            column("cue_time", Column::Float((0..TRIALS).map(|t| start(t) + 0.3).collect())),
            column("direction", Column::Text((0..TRIALS).map(|t| ["left", "right"][t % 2].to_owned()).collect())),
        ],
    };
    let parts = RecordingParts {
        name: "cue".to_owned(),
        spikes: SpikeTrains::from_units(trains),
        unit_ids: (0..n).map(|u| (100 + u).to_string()).collect(),
        unit_areas: AREAS.iter().flat_map(|(name, n)| std::iter::repeat_n((*name).to_owned(), *n)).collect(),
        unit_columns: vec![column("depth", Column::Float((0..n).map(|u| 40.0 * u as f64).collect()))],
        tables: vec![table],
        ..RecordingParts::default()
    };
    let source = Source::Simulated { simulator: "formula".to_owned(), parameters: String::new(), seed: 5 };
    Arc::new(Recording::new(parts, source).unwrap())
}

/// Areas and trials, but not a single spike.
pub fn silent() -> Arc<Recording> {
    let parts = RecordingParts {
        name: "silent".to_owned(),
        spikes: SpikeTrains::from_units([vec![], vec![]]),
        unit_ids: vec!["1".into(), "2".into()],
        unit_areas: vec!["a".into(), "b".into()],
        ..RecordingParts::default()
    };
    Arc::new(Recording::new(parts, Source::File("silent.nwb".into())).unwrap())
}

/// One spike of one unit.
pub fn one_spike() -> Arc<Recording> {
    let parts = RecordingParts {
        name: "one".to_owned(),
        spikes: SpikeTrains::from_units([vec![2.5]]),
        unit_ids: vec!["1".into()],
        unit_areas: vec![String::new()],
        ..RecordingParts::default()
    };
    Arc::new(Recording::new(parts, Source::File("one.nwb".into())).unwrap())
}

/// Ten thousand units of a few spikes each, every hundredth of them deep.
pub fn many_units() -> Arc<Recording> {
    let n = 10_000;
    let parts = RecordingParts {
        name: "many".to_owned(),
        spikes: SpikeTrains::from_units((0..n).map(|u| (0..5).map(|k| f64::from(k) * 10.0 + f64::from(u) * 1e-3).collect())),
        unit_ids: (0..n).map(|u| u.to_string()).collect(),
        unit_areas: (0..n).map(|u| format!("area {}", u % 20)).collect(),
        unit_columns: vec![column("depth", Column::Float((0..n).map(|u| if u % 100 == 0 { 900.0 } else { 10.0 }).collect()))],
        ..RecordingParts::default()
    };
    Arc::new(Recording::new(parts, Source::File("many.nwb".into())).unwrap())
}

/// Four units that fire at 50 Hz in 40 trials of 0.7 s, with 0.1 s between them in which nobody looked.
pub fn gappy() -> Arc<Recording> {
    let start = |trial: usize| 0.8 * trial as f64;
    let observed: Vec<(f64, f64)> = (0..40).map(|t| (start(t), start(t) + 0.7)).collect();
    let train = |unit: usize| -> Vec<f64> {
        observed.iter().flat_map(|(a, _)| (0..35).map(move |k| a + 0.02 * k as f64 + 0.004 + 0.003 * unit as f64)).collect()
    };
    let table = IntervalTable {
        name: "trials".to_owned(),
        start: (0..40).map(start).collect(),
        stop: (0..40).map(|t| start(t) + 0.7).collect(),
        columns: vec![],
    };
    let parts = RecordingParts {
        name: "gaps".to_owned(),
        spikes: SpikeTrains::from_units((0..4).map(train)),
        unit_ids: (0..4).map(|u| u.to_string()).collect(),
        unit_areas: vec!["A".to_owned(); 4],
        tables: vec![table],
        observed: observed.clone(),
        ..RecordingParts::default()
    };
    Arc::new(Recording::new(parts, Source::File("gaps.nwb".into())).unwrap())
}

/// Two units of 300 000 spikes each in 300 seconds: jittering them a hundred times takes long.
pub fn many_spikes() -> Arc<Recording> {
    let train = |unit: usize| (0..300_000).map(|k| 0.001 * k as f64 + 0.0003 * unit as f64).collect::<Vec<f64>>();
    let parts = RecordingParts {
        name: "many".to_owned(),
        spikes: SpikeTrains::from_units((0..2).map(train)),
        unit_ids: vec!["0".into(), "1".into()],
        unit_areas: vec!["a".to_owned(); 2],
        ..RecordingParts::default()
    };
    Arc::new(Recording::new(parts, Source::File("many.nwb".into())).unwrap())
}
