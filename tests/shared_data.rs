//! The recordings in the shared folder, against what `expected.json` says a correct reader finds. The folder is not part of the
//! project (set `SPIKESCOPE_SHARED`, or put it beside the checkout as `../shared`); without it nothing runs and the target passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Once;

use serde_json::Value;
use spikescope::formats::{FormatError, OpenOptions, info::info_json, open};
use spikescope::recording::{AreaRule, NoteKind, Recording, TrialPlan};

const CHECKS: usize = 9;

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
    assert_eq!(milliseconds.spikes.unit(0)[0], 0.00845, "milliseconds are recognised by the firing rates");
    assert!(told(&milliseconds, NoteKind::Assumed, "milliseconds are assumed"));
    let bare = read(&folder.join("spikes_noheader_id_time_120s.txt")).unwrap();
    assert_eq!((bare.n_units(), bare.units.ids[0].as_str(), bare.spikes.unit(0)[0]), (15, "1", 0.00845));
    assert!(told(&bare, NoteKind::Assumed, "there is no header"));
    for file in ["binned_counts_10ms_120s.csv", "one_column_per_unit_120s.csv", "epochs.csv", "units.csv", "one_line_per_unit_120s.txt"] {
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
