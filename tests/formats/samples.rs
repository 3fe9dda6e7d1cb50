//! Recordings with everything in them, and what it takes to compare them.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3, Array4};
use spikescope::formats::{FormatError, OpenOptions, open};
use spikescope::recording::{
    Column, Covariate, GlmTruth, IntervalTable, NamedColumn, NoteKind, Recording, RecordingParts, Source, SpikeTrains, TrueEdge, TrueRates,
    Truth,
};

pub fn read(path: &Path) -> Result<Recording, FormatError> {
    open(path, &OpenOptions::default(), &|_, _| true)
}

pub fn open_ok(path: &Path) -> Recording {
    read(path).unwrap_or_else(|e| panic!("{e}"))
}

pub fn small(ids: &[&str], trains: &[&[f64]], areas: &[&str]) -> Recording {
    let parts = RecordingParts {
        name: "small".to_owned(),
        spikes: SpikeTrains::from_units(trains.iter().map(|t| t.to_vec())),
        unit_ids: ids.iter().map(|s| (*s).to_owned()).collect(),
        unit_areas: areas.iter().map(|s| (*s).to_owned()).collect(),
        ..Default::default()
    };
    Recording::new(parts, Source::File(PathBuf::from("small"))).unwrap()
}

fn column(name: &str, description: &str, values: Column) -> NamedColumn {
    NamedColumn { name: name.to_owned(), description: description.to_owned(), values }
}

fn texts(list: &[&str]) -> Column {
    Column::Text(list.iter().map(|s| (*s).to_owned()).collect())
}

/// Every field of a recording in use, with the awkward values that files have.
pub fn full() -> Recording {
    let trains: [&[f64]; 5] = [&[0.1, 0.30000000000000004, 2.0], &[1.0, 9.75], &[], &[-0.5, 0.25, 0.25, 8.0], &[4.0]];
    let mut parts = RecordingParts {
        name: "a simulation".to_owned(),
        spikes: SpikeTrains::from_units(trains.iter().map(|t| t.to_vec())),
        unit_ids: ["1011", "1022", "2001", "2002", "3"].map(str::to_owned).to_vec(),
        unit_areas: ["PMd – α", "M1", "M1", "PMd – α", ""].map(str::to_owned).to_vec(),
        unit_columns: vec![
            column("heldout", "unit is not used for training", Column::Bool(vec![false, true, false, false, false])),
            column("quality", "", texts(&["good", "", "mua", "good", "ä"])),
            column("depth", "depth in µm", Column::Float(vec![10.5, f64::INFINITY, -0.0, 1e-300, 4.0])),
            column("channel", "", Column::Int(vec![1, -2, i64::MAX, i64::MIN, 0])),
        ],
        tables: vec![
            IntervalTable {
                name: "epochs".into(),
                start: vec![0.0],
                stop: vec![10.0],
                columns: vec![column("tags", "", texts(&["sleep, wake"]))],
            },
            IntervalTable {
                name: "trials".into(),
                start: vec![0.0, 5.0],
                stop: vec![4.5, 9.5],
                columns: vec![
                    column("move_onset_time", "first movement", Column::Float(vec![1.5, 6.0])),
                    column("target", "", Column::Int(vec![3, 4])),
                    column("correct", "", Column::Bool(vec![true, false])),
                    column("split", "", texts(&["train", "test"])),
                ],
            },
        ],
        covariates: vec![Covariate { name: "pupil".into(), unit: "mm".into(), times: vec![0.0, 0.5, 1.0], values: vec![2.0, 2.25, 2.5] }],
        observed: vec![(-1.0, 4.75), (5.0, 10.0)],
        truth: Some(truth()),
        ..Default::default()
    };
    parts.report.add(NoteKind::Assumed, "time", "seconds were assumed");
    let source = Source::Simulated { simulator: "glm".into(), parameters: "2 areas".into(), seed: u64::MAX };
    Recording::new(parts, source).unwrap()
}

fn truth() -> Truth {
    let edge = TrueEdge { source: 0, target: 1, send: vec![0.6, 0.8], receive: vec![1.0, 0.0], filter: vec![0.1, 0.2, 1.0 / 3.0] };
    let factors = Array4::from_shape_fn((2, 3, 1, 5), |(a, b, c, d)| (a * 100 + b * 10 + c + d) as f32 / 7.0);
    let loadings = Array2::from_shape_fn((5, 1), |(u, _)| u as f64 / 3.0);
    let glm = GlmTruth {
        bin_s: 0.002,
        pad_bins: 2,
        bins: 3,
        trial_spacing_s: 0.1,
        baseline: -3.912_023_005_428_146,
        factors,
        loadings,
        post_spike: vec![-1.0, -0.1],
    };
    let values = Array3::from_shape_fn((2, 3, 5), |(t, b, u)| (t + 10 * b + u) as f32 / 3.0);
    Truth { edges: vec![edge], glm: Some(glm), rates: Some(TrueRates { bin_s: 0.01, values }), ..Truth::default() }
}

/// What every lossless format must keep.
pub fn assert_same(a: &Recording, b: &Recording) {
    assert_eq!(a.spikes, b.spikes);
    assert_eq!((&a.units, &a.areas), (&b.units, &b.areas));
    assert_eq!(a.tables, b.tables);
    assert_eq!(a.observed, b.observed);
    assert_eq!(a.fingerprint, b.fingerprint);
}
