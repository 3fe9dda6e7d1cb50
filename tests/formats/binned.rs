//! Counts per bin in HDF5: what we write comes back, what others write is read or refused in words.

use std::path::{Path, PathBuf};

use hdf5_pure::FileBuilder;
use spikescope::formats::{BinnedKind, BinnedLayout, FormatError, HeldOut, OpenOptions, open, save_binned};
use spikescope::recording::{
    BinnedTrials, Column, IntervalTable, NamedColumn, NoteKind, Recording, RecordingParts, Source, SpikeTrains, TrialPlan,
};

use crate::samples::{open_ok, read, small};
use crate::told;

fn column(name: &str, values: Column) -> NamedColumn {
    NamedColumn { name: name.to_owned(), description: String::new(), values }
}

/// Twelve trials of 0.1 s every 0.25 s with four units, the second held out.
pub fn trials_of_counts() -> Recording {
    let start: Vec<f64> = (0..12).map(|k| f64::from(k) * 0.25).collect();
    let train = |unit: usize| {
        let mut times: Vec<f64> =
            start.iter().enumerate().flat_map(|(k, s)| (0..=(unit + k) % 4).map(move |j| s + 0.005 + 0.02 * j as f64)).collect();
        // Two spikes in one bin, and one outside every trial.
        times.extend([0.0051, 0.2]);
        times.sort_by(f64::total_cmp);
        times
    };
    let split = (0..12).map(|k| if k % 3 == 0 { "eval" } else { "train" }.to_owned()).collect();
    let parts = RecordingParts {
        name: "trials".to_owned(),
        spikes: SpikeTrains::from_units((0..4).map(train)),
        unit_ids: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
        unit_areas: ["M1", "M1", "PMd", "M1"].map(str::to_owned).to_vec(),
        unit_columns: vec![column("heldout", Column::Bool(vec![false, true, false, false]))],
        tables: vec![IntervalTable {
            name: "trials".to_owned(),
            stop: start.iter().map(|s| s + 0.1).collect(),
            start,
            columns: vec![column("split", Column::Text(split))],
        }],
        ..RecordingParts::default()
    };
    Recording::new(parts, Source::File("made".into())).unwrap()
}

fn plan() -> TrialPlan {
    TrialPlan { bin_s: 0.01, window_s: 0.1, padding_s: 0.0, ..TrialPlan::default() }
}

/// Counts of all trials whose column `split` is `split`, for the units called `ids`.
fn counts(recording: &Recording, split: &str, ids: &[&str]) -> Vec<u8> {
    let trials = plan().resolve(recording).unwrap();
    let splits = &recording.table("trials").unwrap().column("split").unwrap().values;
    let mut found = Vec::new();
    for id in ids {
        let unit = recording.units.ids.iter().position(|u| u == id).unwrap();
        let binned = BinnedTrials::count(recording, &trials, &[unit]).unwrap();
        for (k, &row) in trials.rows.iter().enumerate() {
            if splits.text(row) == split {
                found.extend(binned.counts.index_axis(ndarray::Axis(0), k).iter().copied());
            }
        }
    }
    found
}

#[test]
fn counts_in_the_layout_of_the_benchmark_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counts.h5");
    let original = trials_of_counts();
    let layout = BinnedLayout { kind: BinnedKind::Benchmark, plan: plan(), forward_bins: 3, heldout: HeldOut::Column };
    let lost = save_binned(&original, &path, &layout).unwrap();
    assert!(lost[0].contains("counts in bins of 10 ms") && lost[1].starts_with("4 spikes outside the windows"), "{lost:?}");
    let back = open_ok(&path);
    // Held-out units come last; areas and ids are kept.
    assert_eq!((back.units.ids.join(" "), &back.areas), ("a c d b".to_owned(), &vec!["M1".to_owned(), "PMd".to_owned()]));
    assert_eq!(back.units.columns[0].values, Column::Bool(vec![false, false, false, true]));
    let trials = back.table("trials").unwrap();
    assert_eq!((trials.len(), trials.column("split").unwrap().values.text(0), back.observed.len()), (12, "train".to_owned(), 12));
    let forward = trials.column("forward_time").unwrap().values.number(1) - trials.start[1];
    assert!((forward - 0.07).abs() < 1e-12, "{forward}");
    for split in ["train", "eval"] {
        let ids = ["a", "b", "c", "d"];
        assert_eq!(counts(&back, split, &ids), counts(&original, split, &ids), "{split}");
        assert!(counts(&back, split, &ids).iter().any(|&c| c > 0));
    }
    let width = back.report.choices.iter().find(|c| c.key == "bin_width").unwrap();
    assert_eq!((width.value.as_str(), width.assumed), ("10", false), "the file says it");
}

#[test]
fn counts_in_the_layout_of_lfads_come_back_in_the_order_of_trials() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counts.hdf5");
    let original = trials_of_counts();
    save_binned(&original, &path, &BinnedLayout { kind: BinnedKind::Lfads, plan: plan(), forward_bins: 0, heldout: HeldOut::Column })
        .unwrap();
    let back = open_ok(&path);
    let splits = &back.table("trials").unwrap().column("split").unwrap().values;
    assert_eq!((0..4).map(|r| splits.text(r)).collect::<Vec<_>>(), ["valid", "train", "train", "valid"]);
    assert_eq!(counts(&back, "valid", &["c", "b"]), counts(&original, "eval", &["c", "b"]));
    assert!(back.units.columns.is_empty());
}

#[test]
fn what_cannot_be_counted_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |recording: &Recording, name: &str, forward_bins: usize, plan: TrialPlan| {
        let path = folder.path().join(name);
        save_binned(recording, &path, &BinnedLayout { kind: BinnedKind::Benchmark, plan, forward_bins, heldout: HeldOut::Column })
            .unwrap_err()
            .to_string()
    };
    assert!(refused(&trials_of_counts(), "a.nwb", 0, plan()).contains("the name must end in .h5 or .hdf5"));
    assert!(refused(&trials_of_counts(), "a.h5", 10, plan()).contains("10 forward bins leave nothing of a window of 10 bins"));
    let silent = small(&["1"], &[&[]], &["x"]);
    assert!(refused(&silent, "a.h5", 0, plan()).contains("the recording has no spikes"));
    let long = TrialPlan { window_s: 700.0, ..plan() };
    assert!(refused(&trials_of_counts(), "a.h5", 0, long).contains("window length is 700 s"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

/// A file with these arrays of counts.
fn made(name: &str, arrays: &[(&str, &[u64], &[f32])]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let mut file = FileBuilder::new();
    for (name, shape, values) in arrays {
        file.create_dataset(name).with_f32_data(values).with_shape(shape);
    }
    file.write(&path).unwrap();
    (folder, path)
}

fn with(path: &Path, answers: &[(&str, &str)]) -> Result<Recording, FormatError> {
    let answers = answers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    open(path, &OpenOptions { answers, ..OpenOptions::default() }, &|_, _| true)
}

#[test]
fn bin_widths_come_from_the_user_the_name_or_the_rates_or_are_asked_for() {
    let data: &[(&str, &[u64], &[f32])] =
        &[("train_data", &[1, 2, 2], &[1.0, 0.0, 2.0, 0.0]), ("valid_data", &[1, 2, 2], &[0.0, 1.0, 0.0, 0.0])];
    let (_folder, path) = made("counts.h5", data);
    let question = read(&path).unwrap_err();
    assert_eq!(
        question.to_string(),
        format!(
            "{}: the file holds counts per bin, but does not say the bin width; answer with --import bin_width=VALUE (in ms)",
            path.display()
        )
    );
    let recording = with(&path, &[("bin_width", "20")]).unwrap();
    assert_eq!((recording.spikes.unit(0), recording.units.ids.join(" ")), (&[0.01, 0.025, 0.035][..], "0 1".to_owned()));
    assert!(
        with(&path, &[("bin_width", "wide")])
            .unwrap_err()
            .to_string()
            .contains("'wide' is no width from 0.001 to 100000 ms for the choice 'Bin width'")
    );
    let (_folder, path) = made("counts_50ms.h5", data);
    assert!((open_ok(&path).spikes.unit(0)[0] - 0.025).abs() < 1e-12);

    let rates: &[f32] = &[50.0, 0.0, 100.0, 0.0];
    let (_folder, path) = made("rates.h5", &[data[0], ("train_truth", &[1, 2, 2], rates)]);
    let recording = open_ok(&path);
    let width = recording.report.choices.iter().find(|c| c.key == "bin_width").unwrap();
    assert_eq!((width.value.as_str(), width.why.as_str()), ("20", "mean count over mean true rate gives 20.00 ms"));
    let truth = recording.truth.as_ref().unwrap().rates.as_ref().unwrap();
    assert_eq!((truth.values.iter().copied().collect::<Vec<f32>>(), truth.bin_s), (rates.to_vec(), 0.02));
    // Rates per bin say nothing of the width, and are made rates per second with it.
    let (_folder, path) = made("rates.h5", &[data[0], ("train_truth", &[1, 2, 2], &[1.0, 0.0, 2.0, 0.0])]);
    assert!(matches!(read(&path), Err(FormatError::NeedsAnswer { .. })));
    let truth = with(&path, &[("bin_width", "10")]).unwrap().truth.unwrap().rates.unwrap();
    assert_eq!(truth.values.iter().copied().collect::<Vec<f32>>(), [100.0, 0.0, 200.0, 0.0]);
}

#[test]
fn missing_counts_are_told_and_other_arrays_named() {
    let nan = f32::NAN;
    let (_folder, path) = made(
        "nlb.h5",
        &[
            ("train_spikes_heldin", &[2, 1, 2], &[1.0, 0.0, 0.0, 1.0]),
            ("train_spikes_heldout", &[2, 1, 1], &[1.0, 1.0]),
            ("eval_spikes_heldin", &[1, 1, 2], &[1.0, 1.0]),
            ("eval_spikes_heldout", &[1, 1, 1], &[nan]),
            ("train_behavior", &[2, 1, 2], &[0.0; 4]),
        ],
    );
    let recording = open_ok(&path);
    assert_eq!((recording.n_units(), recording.spikes.n_spikes(), recording.table("trials").unwrap().len()), (3, 6, 3));
    assert!(told(&recording, NoteKind::LeftOut, "1 missing count (NaN) read as no spikes"), "{:?}", recording.report);
    assert!(told(&recording, NoteKind::LeftOut, "not read: train_behavior"), "{:?}", recording.report);
    assert!(told(&recording, NoteKind::Assumed, "counts per bin of 5 ms"), "{:?}", recording.report);
}

#[test]
fn arrays_that_are_no_counts_or_do_not_fit_are_refused_in_words() {
    let refused = |arrays: &[(&str, &[u64], &[f32])]| {
        let (_folder, path) = made("x_5ms.h5", arrays);
        let message = read(&path).unwrap_err().to_string();
        message.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&message).to_owned()
    };
    let again = "; copy or download the file again";
    let good: (&str, &[u64], &[f32]) = ("train_spikes_heldin", &[1, 2, 1], &[1.0, 0.0]);
    assert_eq!(
        refused(&[("train_data", &[2, 1], &[1.0, 0.0])]),
        format!("train_data is damaged: its shape is [2, 1], expected [trials, bins, units]{again}")
    );
    assert_eq!(
        refused(&[("train_data", &[1, 2, 1], &[0.37, 0.0])]),
        format!("train_data is damaged: it holds 0.3700000047683716, which is no number of spikes in a bin{again}")
    );
    assert_eq!(
        refused(&[("valid_data", &[1, 1, 1], &[-1.0])]),
        format!("valid_data is damaged: it holds -1, which is no number of spikes in a bin{again}")
    );
    assert_eq!(
        refused(&[good, ("eval_spikes_heldin", &[1, 2, 2], &[0.0; 4])]),
        format!("eval_spikes_heldin is damaged: its shape is [1, 2, 2], but the other arrays make it [1, 2, 1]{again}")
    );
    assert_eq!(
        refused(&[good, ("train_spikes_heldout", &[2, 2, 1], &[0.0; 4])]),
        format!("train_spikes_heldout is damaged: its shape is [2, 2, 1], but the other arrays make it [1, 2, 1]{again}")
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.h5");
    let mut file = FileBuilder::new();
    file.create_dataset("weights").with_f64_data(&[1.0]);
    file.write(&path).unwrap();
    let message = read(&path).unwrap_err().to_string();
    assert!(message.contains("this HDF5 file has no known layout (it has weights); spikes are read from /units (NWB)"), "{message}");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..100]).unwrap();
    let message = read(&path).unwrap_err().to_string();
    assert!(message.contains("the file header is damaged: its root group cannot be read"), "{message}");
}

#[test]
fn reading_counts_and_matlab_files_tells_its_progress_and_can_be_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let counts = folder.path().join("counts.h5");
    save_binned(
        &trials_of_counts(),
        &counts,
        &BinnedLayout { kind: BinnedKind::Benchmark, plan: plan(), forward_bins: 3, heldout: HeldOut::Column },
    )
    .unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats");
    for path in [counts, fixtures.join("v73_by_h5py.mat"), fixtures.join("allen_by_pynwb.nwb")] {
        let seen = std::cell::RefCell::new(Vec::new());
        let tell = |f: f32, _: &str| {
            seen.borrow_mut().push(f);
            true
        };
        open(&path, &OpenOptions::default(), &tell).unwrap();
        let seen = seen.into_inner();
        assert!(seen.is_sorted() && seen.first() == Some(&0.0) && seen.last() == Some(&1.0), "{}: {seen:?}", path.display());
        for stop_at in 0..seen.len() {
            let calls = std::cell::Cell::new(0);
            let cancelled = open(&path, &OpenOptions::default(), &|_, _| {
                calls.set(calls.get() + 1);
                calls.get() <= stop_at
            });
            assert!(matches!(cancelled, Err(FormatError::Cancelled { .. })), "{} at {stop_at}: {cancelled:?}", path.display());
        }
    }
}
