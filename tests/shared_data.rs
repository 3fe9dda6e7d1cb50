//! The recordings in the shared folder, against what `expected.json` says a correct reader finds. The folder is not part of the
//! project (set `SPIKESCOPE_SHARED`, or put it beside the checkout as `../shared`); without it nothing runs and the target passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use egui_kittest::kittest::Queryable as _;
use serde_json::Value;
use spikescope::app::AppOptions;
use spikescope::formats::{FormatError, OpenOptions, info::info_json, open};
use spikescope::recording::{AreaRule, NoteKind, Recording, TrialPlan};

const CHECKS: usize = 16;

fn shared() -> Option<PathBuf> {
    let named = std::env::var_os("SPIKESCOPE_SHARED").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"));
    let data = folder.join("data");
    if data.join("expected.json").is_file() {
        return Some(data);
    }
    // Straight to stderr, because the output of tests that pass is not shown.
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        let _ = writeln!(std::io::stderr(), "shared data not present: {CHECKS} checks did not run ({})", data.display());
    });
    None
}

fn read(path: &Path) -> Result<Recording, FormatError> {
    open(path, &OpenOptions::default(), &|_, _| true)
}

fn expected(data: &Path) -> serde_json::Map<String, Value> {
    serde_json::from_slice(&std::fs::read(data.join("expected.json")).unwrap()).unwrap()
}

fn close(found: &Value, expected: &Value, tolerance: f64, what: &str) {
    let (a, b) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
    assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{what}: {a} instead of {b}");
}

/// Compare everything that `expected.json` says about one file.
fn compare(file: &str, recording: &Recording, want: &Value) {
    let info = info_json(recording);
    // NaN times are counted in the file but left out of the recording, and told.
    let nan = want.get("n_nan").and_then(Value::as_u64).unwrap_or(0);
    assert_eq!(info["n_spikes"].as_u64().unwrap() + nan, want["n_spikes"].as_u64().unwrap(), "{file}: n_spikes");
    let counts = |v: &Value| v.as_array().unwrap().iter().map(|c| c.as_u64().unwrap()).collect::<Vec<u64>>();
    let (found, wanted) = (counts(&info["spikes_per_unit"]), counts(&want["spikes_per_unit"]));
    let missing: u64 = wanted.iter().zip(&found).map(|(w, f)| w - f).sum();
    assert_eq!((found.len(), missing), (wanted.len(), nan), "{file}: spikes_per_unit");
    for key in ["n_units", "unit_ids", "areas", "time_unit", "n_trials", "intervals", "heldout_units", "empty_units", "n_negative"] {
        if let Some(wanted) = want.get(key) {
            assert_eq!(&info[key], wanted, "{file}: {key}");
        }
    }
    for (key, tolerance) in [("t_first", 1e-12), ("t_last", 1e-12), ("sum_of_times", 1e-11)] {
        close(&info[key], &want[key], tolerance, &format!("{file}: {key}"));
    }
}

fn told(recording: &Recording, kind: NoteKind, words: &str) -> bool {
    recording.report.notes.iter().any(|n| n.kind == kind && n.message.contains(words))
}

#[test]
fn every_nwb_file_gives_what_is_expected_of_it() {
    let Some(data) = shared() else { return };
    let mut files = 0;
    for (file, want) in expected(&data).iter().filter(|(f, _)| f.ends_with(".nwb")) {
        files += 1;
        match (read(&data.join(file)), want["n_spikes"].as_u64()) {
            (Err(FormatError::NoSpikeTimes { units, object, .. }), Some(0)) => {
                assert_eq!((units as u64, object.as_str()), (want["n_units"].as_u64().unwrap(), "units/spike_times"));
            }
            (read, _) => compare(file, &read.unwrap_or_else(|e| panic!("{e}")), want),
        }
    }
    assert!(files >= 9, "only {files} NWB files found");
}

#[test]
fn dirty_units_are_repaired_and_told() {
    let Some(data) = shared() else { return };
    let recording = read(&data.join("derived/nwb/edge_A_dirty_units.nwb")).unwrap();
    assert!(told(&recording, NoteKind::LeftOut, "1 spike without a finite time"), "{:?}", recording.report);
    assert!(told(&recording, NoteKind::Repaired, "were not ascending; they were sorted"), "{:?}", recording.report);
    assert!(told(&recording, NoteKind::Advice, "2 spikes before 0 s in unit"), "{:?}", recording.report);
    assert!(told(&recording, NoteKind::Advice, "no spikes in unit 5; kept as silent"), "{:?}", recording.report);
    assert!(told(&recording, NoteKind::Advice, "no named area (empty, None or unknown) for 3 of 7 units"), "{:?}", recording.report);
}

#[test]
fn the_benchmark_file_offers_its_arrays_by_unit_id() {
    let Some(data) = shared() else { return };
    let recording = read(&data.join("nlb_mc_maze_small/sub-Jenkins_ses-small_desc-test_ecephys.nwb")).unwrap();
    assert!(told(&recording, NoteKind::Advice, "52 units PMd (ids 1xxx), 55 units M1 (ids 2xxx)"), "{:?}", recording.report);
    let offered = AreaRule::offered(&recording);
    let split = offered.iter().find(|s| matches!(s.rule, AreaRule::UnitId { divide_by: 1000, .. })).unwrap();
    assert_eq!(split.areas, [("PMd".to_owned(), 52), ("M1".to_owned(), 55)]);
    let arrays = split.rule.apply(&recording).unwrap();
    assert_eq!(arrays.areas, ["PMd", "M1"]);
    assert_eq!(recording.observed.len(), 100, "the 0.7 s segments with gaps of 0.1 s between them");
    let trials = TrialPlan::default().resolve(&recording).unwrap();
    assert_eq!(trials.starts.len(), 100, "{:?}", trials.dropped);
}

#[test]
fn files_without_units_say_so() {
    let Some(data) = shared() else { return };
    let error = read(&data.join("sonata/pysonata_tests/spikes.onepop.v1.0.nwb")).unwrap_err();
    assert!(matches!(error, FormatError::NoUnits { .. }), "{error}");
    assert!(error.to_string().contains("processing"), "{error}");
}

#[test]
fn text_files_are_read_or_refused_in_words() {
    let Some(data) = shared() else { return };
    let all = expected(&data);
    let list = "derived/csv/spikes_long_seconds.csv";
    compare(list, &read(&data.join(list)).unwrap(), &all[list]);

    let folder = data.join("derived/csv");
    let milliseconds = read(&folder.join("spikes_ms_string_ids_120s.tsv")).unwrap();
    assert_eq!((milliseconds.n_units(), milliseconds.units.ids[0].as_str()), (15, "adn_00"));
    assert_eq!(milliseconds.spikes.unit(0)[0], 0.00845, "milliseconds are named by the file");
    assert!(told(&milliseconds, NoteKind::Assumed, "times are read as milliseconds, as the name of the file says"));
    let bare = read(&folder.join("spikes_noheader_id_time_120s.txt")).unwrap();
    assert_eq!((bare.n_units(), bare.units.ids[0].as_str(), bare.spikes.unit(0)[0]), (15, "1", 0.00845));
    assert!(told(&bare, NoteKind::Assumed, "there is no header"));
    for file in ["epochs.csv", "units.csv"] {
        let error = read(&folder.join(file)).unwrap_err();
        assert!(matches!(error, FormatError::CsvLayout { .. }), "{file}: {error}");
    }
}

fn with(path: &Path, answers: &[(&str, &str)]) -> Recording {
    let answers = answers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let options = OpenOptions { answers, ..OpenOptions::default() };
    open(path, &options, &|_, _| true).unwrap_or_else(|e| panic!("{e}"))
}

fn assert_areas(recording: &Recording, wanted: &Value, file: &str) {
    assert_eq!(&info_json(recording)["areas"], wanted, "{file}: areas");
}

#[test]
fn npz_files_of_others_give_what_is_expected_of_them() {
    let Some(data) = shared() else { return };
    let all = expected(&data);
    for file in [
        "spycon_ground_truth/sim1917Cell1Block1_tiny.npz",
        "derived/ground_truth/glm10_easy.npz",
        "derived/ground_truth/glm60_3areas_confound.npz",
        "derived/npz/flat_times_ids.npz",
        "derived/npz/pynapple_tsgroup.npz",
    ] {
        let (recording, want) = (read(&data.join(file)).unwrap_or_else(|e| panic!("{e}")), &all[file]);
        compare(file, &recording, want);
        let edges = info_json(&recording)["true_unit_edges"].clone();
        if let Some(true_edges) = want.get("true_edges") {
            assert_eq!(
                edges["excitatory"].as_u64().unwrap() + edges["inhibitory"].as_u64().unwrap(),
                true_edges.as_u64().unwrap(),
                "{file}"
            );
        }
        if let (Some(excitatory), Some(inhibitory)) = (want.get("edges_exc"), want.get("edges_inh")) {
            assert_eq!((&edges["excitatory"], &edges["inhibitory"]), (excitatory, inhibitory), "{file}");
        }
    }
    // The connections are those of the table beside the file.
    let easy = read(&data.join("derived/ground_truth/glm10_easy.npz")).unwrap();
    let table = std::fs::read_to_string(data.join("derived/ground_truth/glm10_easy_connectivity.csv")).unwrap();
    let found: Vec<String> = easy
        .truth
        .unwrap()
        .unit_edges
        .unwrap()
        .iter()
        .map(|e| format!("{},{},{:.4},{}", e.pre, e.post, e.weight, e.delay_s * 1e3))
        .collect();
    assert_eq!(found, table.lines().skip(1).collect::<Vec<_>>());

    let pynapple = read(&data.join("derived/npz/pynapple_tsgroup.npz")).unwrap();
    assert_areas(&pynapple, &serde_json::json!({"adn": 7, "ca1": 8}), "pynapple");
    let single = read(&data.join("derived/npz/pynapple_ts_unit0.npz")).unwrap();
    assert_eq!(single.spikes.block(), pynapple.spikes.unit(0));
    let pickled = read(&data.join("derived/npz/nma_steinmetz_style_PICKLED.npz")).unwrap_err().to_string();
    assert!(pickled.contains("array 'dat' holds pickled Python objects"), "{pickled}");
    let counts = read(&data.join("derived/npz/steinmetz_Cori_plain.npz")).unwrap();
    assert_eq!((counts.n_units(), counts.table("trials").unwrap().len()), (734, 100));
    assert!((counts.table("trials").unwrap().start[0] - 65.274_408_32).abs() < 1e-6);
    assert_eq!(counts.spikes.n_spikes(), 111_867, "as many spikes as the session that was made from these counts");
}

#[test]
fn trials_of_the_time_warping_examples_are_put_one_after_another() {
    let Some(data) = shared() else { return };
    let all = expected(&data);
    for file in ["affinewarp_npz/motor_ctx_data.npz", "affinewarp_npz/pinene_data.npz"] {
        let want = &all[file];
        let recording = with(&data.join(file), &[]);
        let info = info_json(&recording);
        for key in ["n_units", "n_spikes", "spikes_per_unit", "unit_ids", "n_trials"] {
            assert_eq!(&info[key], &want[key], "{file}: {key}");
        }
        // Back to milliseconds from the start of the trial, as the file has them.
        let starts = &recording.table("trials").unwrap().start;
        let local = |t: &f64| (t - starts[starts.partition_point(|s| s <= t) - 1]) * 1e3;
        let times: Vec<f64> = recording.spikes.block().iter().map(local).collect();
        let sum: f64 = times.iter().sum();
        close(&serde_json::json!(sum), &want["sum_of_times"], 1e-6, file);
        let last = times.iter().copied().fold(0.0, f64::max);
        close(&serde_json::json!(last), &want["t_last"], 1e-6, file);
        assert!(recording.report.choices.iter().any(|c| c.key == "time_unit" && c.value == "ms" && c.assumed), "{file}");
    }
    let motor = with(&data.join("affinewarp_npz/motor_ctx_data.npz"), &[]);
    assert_eq!(motor.report.choices.iter().find(|c| c.key == "trial_events").unwrap().value, "tap1,tap2");
    let tap: Vec<f64> = motor.table("trials").unwrap().event_times("tap1").unwrap();
    assert!((tap[0] - 0.5).abs() < 1e-9, "{}", tap[0]);
}

#[test]
fn alf_folders_and_sortings_give_what_is_expected_of_them() {
    let Some(data) = shared() else { return };
    let all = expected(&data);
    for file in ["alf_ibl_fragments/slidingRP_unit/", "derived/alf_session/"] {
        compare(file, &read(&data.join(file)).unwrap_or_else(|e| panic!("{e}")), &all[file]);
    }
    let want = &all["derived/alf_session/"];
    let every = with(&data.join("derived/alf_session"), &[("silent_units", "keep")]);
    assert_eq!(every.n_units() as u64, want["clusters_listed"].as_u64().unwrap());
    assert_areas(&every, &want["areas_from_ccf_ids"], "alf_session");
    let names: Vec<&str> = every.units.columns.iter().map(|c| c.name.as_str()).collect();
    for column in ["depths", "peakToTrough", "uuids", "firing_rate", "label", "ks2_label"] {
        assert!(names.contains(&column), "{column} is not in {names:?}");
    }

    let want = &all["derived/spikeinterface/sorting.npz"];
    let sorting = read(&data.join("derived/spikeinterface/sorting.npz")).unwrap();
    let folder = read(&data.join("derived/spikeinterface/numpy_folder")).unwrap();
    for recording in [&sorting, &folder] {
        assert_eq!(
            (recording.n_units() as u64, recording.spikes.n_spikes() as u64),
            (want["n_units"].as_u64().unwrap(), want["n_spikes"].as_u64().unwrap())
        );
        assert_eq!(recording.units.ids[2], "u2");
    }
    assert_eq!(sorting.fingerprint, folder.fingerprint);
    assert!(folder.areas.len() > 1, "{:?}", folder.areas);
}

#[test]
fn simulations_give_what_is_expected_of_them() {
    let Some(data) = shared() else { return };
    let mut files = 0;
    for (key, want) in expected(&data).iter().filter(|(f, _)| f.starts_with("sonata/")) {
        files += 1;
        let file = key.split('#').next().unwrap();
        let info = info_json(&read(&data.join(file)).unwrap_or_else(|e| panic!("{e}")));
        for what in ["n_units", "n_spikes", "spikes_per_unit", "unit_ids"] {
            assert_eq!(&info[what], &want[what], "{key}: {what}");
        }
        for what in ["t_first", "t_last", "sum_of_times"] {
            close(&serde_json::json!(info[what].as_f64().unwrap() * 1e3), &want[what], 1e-9, &format!("{key}: {what}"));
        }
    }
    assert!(files >= 3, "only {files} SONATA files found");
    let folder = data.join("sonata/pysonata_tests");
    let spikes = |file: &str| read(&folder.join(file)).unwrap_or_else(|e| panic!("{e}")).spikes;
    assert_eq!(spikes("spikes.old.h5"), spikes("spikes.one_pop.h5"));
    assert_eq!(spikes("spikes.one_pop.csv").n_spikes(), 124);
    let network = with(&data.join("sonata/300_intfire/output/spikes.h5"), &[("silent_units", "keep"), ("area", "ei")]);
    assert_eq!((network.n_units(), network.areas.as_slice()), (300, &["e".to_owned(), "i".to_owned()][..]));
    assert!(told(&network, NoteKind::Advice, "v1_v1_edges.h5"), "{:?}", network.report);
}

/// Spikes, units and areas of two recordings, whatever the units are called.
fn same_spikes(file: &str, found: &Recording, other: &Recording) {
    assert_eq!(found.spikes, other.spikes, "{file}");
    let areas = |r: &Recording| (0..r.n_units()).map(|u| r.areas[r.units.area[u]].clone()).collect::<Vec<_>>();
    assert_eq!(areas(found), areas(other), "{file}");
}

#[test]
fn every_matlab_file_gives_what_is_expected_of_it() {
    let Some(data) = shared() else { return };
    let mut files = 0;
    for (file, want) in expected(&data).iter().filter(|(f, _)| f.ends_with(".mat")) {
        files += 1;
        let recording = read(&data.join(file)).unwrap_or_else(|e| panic!("{e}"));
        match want.get("same_spikes_as").and_then(Value::as_str) {
            Some(other) => {
                assert_eq!(recording.n_units() as u64, want["n_units"].as_u64().unwrap());
                same_spikes(file, &recording, &read(&data.join(other)).unwrap());
            }
            None => compare(file, &recording, want),
        }
        let variable = recording.report.choices.iter().find(|c| c.key == "variable").unwrap();
        assert!(variable.options.iter().any(|o| o.value == variable.value), "{file}: {variable:?}");
    }
    assert!(files >= 6, "only {files} MATLAB files found");
    // String objects are read through the subsystem; columns come along.
    let brody = read(&data.join("brody_rat_neuropixels/T219_2019_11_25_bank1_Cells.mat")).unwrap();
    let column = |name: &str| brody.units.columns.iter().find(|c| c.name == name).unwrap_or_else(|| panic!("no {name}")).values.clone();
    assert_eq!((0..254).filter(|&u| column("is_single").number(u) == 1.0).count(), 196);
    assert_eq!((column("cell_hemi").text(0), column("anatom_loc_mm.DV").len()), ("L".to_owned(), 254));
    // Not a recording: the reader asks instead of guessing.
    let asked = read(&data.join("kilosort2_bme410/stimInfo.mat")).unwrap_err();
    assert!(matches!(&asked, FormatError::NeedsAnswer { choice, .. } if choice.key == "variable"), "{asked}");
}

/// Trials, bins and units of one dataset of counts, counted again from the spikes.
fn count_again(recording: &Recording, split: &str, heldout: bool, from: usize, bins: usize, bin_s: f64) -> (u64, u64, u64) {
    let trials = recording.table("trials").unwrap();
    let rows: Vec<usize> = (0..trials.len()).filter(|&r| trials.column("split").unwrap().values.text(r) == split).collect();
    let held = recording.units.columns.iter().find(|c| c.name == "heldout");
    let units: Vec<usize> = (0..recording.n_units()).filter(|&u| held.is_some_and(|c| c.values.number(u) == 1.0) == heldout).collect();
    let mut spikes = 0;
    for &row in &rows {
        let start = trials.start[row] + (from as f64 - 1e-6) * bin_s;
        spikes += units.iter().map(|&u| recording.spikes.unit_between(u, start, start + bins as f64 * bin_s).len() as u64).sum::<u64>();
    }
    (rows.len() as u64, units.len() as u64, spikes)
}

#[test]
fn binned_files_of_the_benchmark_give_what_is_expected_of_them() {
    let Some(data) = shared() else { return };
    let all = expected(&data);
    for (file, bin_ms) in [("derived/nlb_h5/mc_maze_small_testtrials_as_train.h5", "5"), ("derived/nlb_h5/ratmotor_10ms.h5", "10")] {
        let recording = read(&data.join(file)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(recording.spikes.n_spikes() as u64, all[file]["n_spikes_total"].as_u64().unwrap(), "{file}");
        let width = recording.report.choices.iter().find(|c| c.key == "bin_width").unwrap();
        assert_eq!((width.value.as_str(), width.assumed), (bin_ms, true), "{file}: {width:?}");
        let bin_s = bin_ms.parse::<f64>().unwrap() / 1e3;
        let shape = |key: &str| all[file][key].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect::<Vec<u64>>();
        let mut total = 0;
        for split in ["train", "eval"] {
            for (heldout, name) in [(false, "heldin"), (true, "heldout")] {
                let (now, then) = (shape(&format!("{split}_spikes_{name}")), shape(&format!("{split}_spikes_{name}_forward")));
                let (trials, units, spikes) = count_again(&recording, split, heldout, 0, now[1] as usize, bin_s);
                assert_eq!((trials, units), (now[0], now[2]), "{file}");
                total += spikes + count_again(&recording, split, heldout, now[1] as usize, then[1] as usize, bin_s).2;
                assert!(spikes > 0);
            }
        }
        assert_eq!(total, all[file]["n_spikes_total"].as_u64().unwrap(), "{file}: every spike is inside its window");
        let trials = TrialPlan::default().resolve(&recording).unwrap();
        assert_eq!(trials.starts.len(), recording.table("trials").unwrap().len(), "{file}: {:?}", trials.dropped);
    }
}

#[test]
fn the_lorenz_file_keeps_its_true_rates() {
    let Some(data) = shared() else { return };
    let file = "lfads_lorenz_h5/lfads_lorenz.h5";
    let want = &expected(&data)[file];
    let recording = read(&data.join(file)).unwrap_or_else(|e| panic!("{e}"));
    let width = recording.report.choices.iter().find(|c| c.key == "bin_width").unwrap();
    assert_eq!(width.value, "10", "{width:?}");
    for (split, key) in [("train", "n_spikes_train"), ("valid", "n_spikes_valid")] {
        let (trials, units, spikes) = count_again(&recording, split, false, 0, 100, 0.01);
        assert_eq!(Value::from(vec![trials, 100, units]), want[&format!("{split}_data")]);
        assert_eq!(Value::from(spikes), want[key], "{split}");
    }
    let rates = recording.truth.as_ref().unwrap().rates.as_ref().unwrap();
    assert_eq!((rates.values.shape(), rates.bin_s), (&[800, 100, 60][..], 0.01));
    // train_inds begins with 0, 1, 2, 5: these are the first trials of the training set in their order.
    assert!((rates.values[[0, 0, 0]] - 1.468_944_7).abs() < 1e-6);
    let splits = &recording.table("trials").unwrap().column("split").unwrap().values;
    assert_eq!((0..6).map(|r| splits.text(r)).collect::<Vec<_>>().join(" "), "train train train valid valid train");
}

fn answered(path: &Path, answers: &[(&str, &str)]) -> Result<Recording, FormatError> {
    let answers = answers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    open(path, &OpenOptions { answers, ..OpenOptions::default() }, &|_, _| true)
}

/// The same two minutes of one recording in every layout that text has.
#[test]
fn text_in_every_layout_gives_the_same_spikes() {
    let Some(data) = shared() else { return };
    let folder = data.join("derived/csv");
    let long = read(&folder.join("spikes_long_seconds.csv")).unwrap();
    let wanted: Vec<Vec<f64>> = (0..15).map(|u| long.spikes.unit_between(u, 0.0, 120.0).to_vec()).collect();
    for file in
        ["spikes_ms_string_ids_120s.tsv", "one_column_per_unit_120s.csv", "one_line_per_unit_120s.txt", "spikes_noheader_id_time_120s.txt"]
    {
        let recording = read(&folder.join(file)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(recording.n_units(), 15, "{file}");
        for (unit, train) in wanted.iter().enumerate() {
            let found = recording.spikes.unit(unit);
            let close = found.len() == train.len() && found.iter().zip(train).all(|(a, b)| (a - b).abs() < 1e-5);
            assert!(close, "{file}: unit {unit} has {} spikes instead of {}", found.len(), train.len());
        }
    }
    let binned = read(&folder.join("binned_counts_10ms_120s.csv")).unwrap();
    assert!(told(&binned, NoteKind::Assumed, "bins are 10 ms long, as the name of the file says"), "{:?}", binned.report);
    for (unit, train) in wanted.iter().enumerate() {
        let (found, n) = (binned.spikes.unit(unit), train.len());
        let close = found.len() == n && found.iter().zip(train).all(|(a, b)| (a - b).abs() < 0.01 + 1e-9);
        assert!(close, "unit {unit} has {} spikes instead of {n}", found.len());
    }
    let truth = read(&data.join("derived/ground_truth/glm10_easy_spikes.csv")).unwrap();
    assert_eq!((truth.n_units(), truth.spikes.n_spikes()), (10, 82_695));
}

#[test]
fn the_axion_export_gives_its_electrodes_and_wells() {
    let Some(data) = shared() else { return };
    let file = "axion_mea_csv/exampleRecording_1012016_plate1_DIV4_spike_list.csv.gz";
    let recording = read(&data.join(file)).unwrap();
    let all = expected(&data);
    compare(file, &recording, &all[file]);
    assert_eq!(recording.areas.len() as u64, all[file]["wells"].as_u64().unwrap());
    let one = answered(&data.join(file), &[("area_from", "none")]).unwrap();
    assert_eq!((one.areas.len(), one.fingerprint), (1, recording.fingerprint));
}

#[test]
fn kilosort_folders_and_neuroexplorer_files_give_what_is_expected_of_them() {
    let Some(data) = shared() else { return };
    let all = expected(&data);
    for (folder, answers) in [
        ("kilosort2_bme410/", &[][..]),
        ("kilosort_bombcell_toy/", &[("sampling_rate_hz", "30000")][..]),
        ("derived/phy_full_T196_4areas/", &[][..]),
    ] {
        let recording = answered(&data.join(folder), answers).unwrap_or_else(|e| panic!("{e}"));
        compare(folder, &recording, &all[folder]);
    }
    let asked = read(&data.join("kilosort_bombcell_toy")).unwrap_err();
    assert!(matches!(&asked, FormatError::NeedsAnswer { choice, .. } if choice.key == "sampling_rate_hz"), "{asked}");
    let phy = data.join("derived/phy_full_T196_4areas");
    let recording = read(&phy.join("params.py")).unwrap();
    assert_eq!(recording.areas.len(), 4, "{:?}", recording.areas);
    let keep = recording.report.choices.iter().find(|c| c.key == "keep").unwrap();
    assert!(keep.why.starts_with("of 146 clusters: "), "{}", keep.why);
    let good = answered(&phy, &[("keep", "good"), ("label_from", "group")]).unwrap();
    assert_eq!(good.n_units() as u64, all["derived/phy_full_T196_4areas/"]["cluster_group_rows"]["good"].as_u64().unwrap());
    let nex = "neuroexplorer_nex/test1.nex";
    compare(nex, &read(&data.join(nex)).unwrap(), &all[nex]);
}

/// Every file by dropping it on the window, one after the other: what the command line reads is what is then open and drawn.
#[test]
fn every_file_opens_in_the_window() {
    let Some(data) = shared() else { return };
    let mut window = support::window(
        [900.0, 640.0],
        AppOptions { files: vec![data.join("derived/csv/spikes_long_seconds.csv")], ..AppOptions::default() },
    );
    support::wait(&mut window, "open", |h| h.state().recording().is_some());
    let (mut opened, mut refused, mut asked) = (0, Vec::new(), Vec::new());
    for key in expected(&data).keys() {
        let path = data.join(key.split('#').next().unwrap());
        let before = window.state().recording().map(Arc::as_ptr);
        window.input_mut().dropped_files.push(Arc::new(support::Dropped(path.clone())));
        match read(&path) {
            Ok(wanted) => {
                support::wait(&mut window, &format!("open: {key}"), |h| h.state().recording().map(Arc::as_ptr) != before);
                support::settle(&mut window);
                let found = window.state().recording().unwrap();
                assert_eq!((found.n_units(), &found.fingerprint), (wanted.n_units(), &wanted.fingerprint), "{key}");
                let described = format!(": {} unit{} by", wanted.n_units(), if wanted.n_units() == 1 { "" } else { "s" });
                assert!(window.query_all_by_label_contains(&described).count() > 0, "{key}: no raster with '{described}'");
                opened += 1;
            }
            Err(FormatError::NeedsAnswer { choice, .. }) => {
                support::wait(&mut window, &format!("ask: {key}"), |h| h.query_by_label_contains(&choice.label).is_some());
                support::settle(&mut window);
                window.get_by_label("Cancel").click();
                support::settle(&mut window);
                asked.push(key.clone());
            }
            Err(problem) => {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                let told = |m: &String| m.contains(&name);
                support::wait(&mut window, &format!("refuse: {key}"), |h| h.state().messages().iter().any(told));
                refused.push(problem.to_string());
            }
        }
    }
    assert_eq!((asked.as_slice(), refused.len()), (&["kilosort_bombcell_toy/".to_owned()][..], 1), "{refused:?}");
    assert!(opened > 30, "only {opened} files were opened");
}
