//! Files as users have them: what we write comes back, dirty and foreign files are repaired or refused in words, damaged files
//! never take the program down.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "formats/alf.rs"]
mod alf;
#[path = "formats/array_damage.rs"]
mod array_damage;
#[path = "formats/arrays.rs"]
mod arrays;
#[path = "formats/bad_arrays.rs"]
mod bad_arrays;
#[path = "formats/binned.rs"]
mod binned;
#[path = "formats/damage.rs"]
mod damage;
#[path = "formats/hand_made.rs"]
mod hand_made;
#[path = "formats/hdf_damage.rs"]
mod hdf_damage;
#[path = "formats/mat5.rs"]
mod mat5;
#[path = "formats/matlab.rs"]
mod matlab;
#[path = "formats/nex.rs"]
mod nex;
#[path = "formats/npy_files.rs"]
mod npy_files;
#[path = "formats/nwb_layouts.rs"]
mod nwb_layouts;
#[path = "formats/phy.rs"]
mod phy;
#[path = "formats/ranges.rs"]
mod ranges;
#[path = "formats/samples.rs"]
mod samples;
#[path = "formats/sonata.rs"]
mod sonata;
#[path = "formats/spikeinterface.rs"]
mod spikeinterface;
#[path = "formats/text.rs"]
mod text;
#[path = "formats/text_bad.rs"]
mod text_bad;
#[path = "formats/text_mutants.rs"]
mod text_mutants;

use std::path::Path;

use samples::{assert_same, full, open_ok, read, small};
use spikescope::formats::{FormatError, OpenOptions, info::info_json, info::info_text, known, open, save};
use spikescope::recording::{NoteKind, Recording};
use spikescope::simulate::by_name;

fn told(recording: &Recording, kind: NoteKind, words: &str) -> bool {
    recording.report.notes.iter().any(|n| n.kind == kind && n.message.contains(words))
}

#[test]
fn npz_keeps_everything_the_truth_included() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("simulated.npz");
    let recording = full();
    assert_eq!(save(&recording, &path).unwrap(), Vec::<String>::new());
    let back = open_ok(&path);
    assert_same(&back, &recording);
    assert_eq!(back.truth, recording.truth);
    assert_eq!((&back.name, &back.source, &back.report), (&recording.name, &recording.source, &recording.report));
    assert_eq!(back.covariates, recording.covariates);
}

#[test]
fn npz_keeps_continuous_activity_and_weights_that_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("toy.npz");
    let recording = by_name("toy", &[("system", "tanh_dynamic"), ("steps", "60")]).unwrap();
    assert_eq!(save(&recording, &path).unwrap(), Vec::<String>::new());
    let back = open_ok(&path);
    assert_same(&back, &recording);
    assert_eq!(back.activity, recording.activity);
    // Delays are unknown (NaN), so edges are compared by their weights.
    let truth = |r: &Recording| r.truth.as_ref().map(|t| (t.changing.clone(), t.unit_weights(5)));
    assert_eq!(truth(&back), truth(&recording));
    assert!(back.truth.as_ref().unwrap().changing.is_some());
    let info = info_json(&back);
    assert_eq!((info["activity"]["bins"].as_u64(), info["true_changing_weights"]["synapses"].as_u64()), (Some(60), Some(25)));
    assert!(info_text(&back).contains("Continuous activity state: 60 bins of 10 ms"), "{}", info_text(&back));
    // Parts of it are parts of everything.
    let cut = back.between(0.1, 0.3).unwrap().with_units(&[1, 4]).unwrap();
    let (activity, whole) = (cut.activity.as_ref().unwrap(), back.activity.as_ref().unwrap());
    assert_eq!((activity.values.dim(), activity.start_s), ((20, 2), 0.1));
    assert_eq!(activity.values[[3, 1]], whole.values[[13, 4]]);
    let changing = cut.truth.unwrap().changing.unwrap();
    assert_eq!((changing.pre, changing.post), (vec![0, 1, 0, 1], vec![0, 0, 1, 1]));
    let options = OpenOptions { time_range: Some("0.1..0.3".parse().unwrap()), ..OpenOptions::default() };
    let part = open(&path, &options, &|_, _| true).unwrap();
    let values = &part.activity.as_ref().unwrap().values;
    assert_eq!((values.nrows(), values.row(19).to_vec()), (20, whole.values.row(29).to_vec()));
    assert!(told(&part, NoteKind::Chosen, "20 of 60 bins"), "{:?}", part.report);
    let lost = save(&recording, &folder.path().join("toy.nwb")).unwrap();
    assert!(lost.iter().any(|l| l.contains("continuous activity")), "{lost:?}");
}

#[test]
fn nwb_keeps_spikes_ids_areas_tables_and_series() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub-Ä session.nwb");
    let recording = full();
    let lost = save(&recording, &path).unwrap();
    assert!(lost[0].contains("ground truth"), "{lost:?}");
    let back = open_ok(&path);
    assert_same(&back, &recording);
    assert_eq!(back.covariates, recording.covariates);
    assert!(told(&back, NoteKind::Assumed, "areas are taken from general/extracellular_ephys/electrodes/location"), "{:?}", back.report);
    assert!(told(&back, NoteKind::Advice, "no named area (empty, None or unknown) for 1 of 5 units"), "{:?}", back.report);
}

#[test]
fn nwb_keeps_ids_that_are_no_integers_and_a_recording_without_spikes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("named.nwb");
    let named = small(&["A1", "007", "b"], &[&[1.0, 2.0], &[], &[0.5]], &["x", "y", "x"]);
    save(&named, &path).unwrap();
    assert_same(&open_ok(&path), &named);
    let silent = small(&["1"], &[&[]], &["x"]);
    save(&silent, &path).unwrap();
    assert_same(&open_ok(&path), &silent);
}

#[test]
fn text_keeps_spikes_ids_and_areas() {
    let folder = tempfile::tempdir().unwrap();
    let recording = small(&["1", "2", "10"], &[&[0.1, 1.0 / 3.0], &[-2.5, 1e-9, 7.0], &[3.0]], &["V1", "PFC, dorsal", "V1"]);
    for name in ["a.csv", "a.tsv"] {
        let path = folder.path().join(name);
        save(&recording, &path).unwrap();
        let back = open_ok(&path);
        assert_same(&back, &recording);
        assert!(told(&back, NoteKind::Assumed, "times are read as seconds, as the name of the column says"), "{:?}", back.report);
    }
    let path = folder.path().join("b.csv");
    let lost = save(&full(), &path).unwrap();
    assert_eq!(lost.len(), 5, "{lost:?}");
    assert_eq!(lost[4], "columns and order of the units are in b.units.csv beside it; keep the two together");
    // Columns with their kinds and descriptions, and the order of units whose ids do not ascend, come back with the table.
    let back = open_ok(&path);
    assert_eq!(
        (&back.units, &back.areas, &back.spikes, &back.fingerprint),
        (&full().units, &full().areas, &full().spikes, &full().fingerprint)
    );
    assert!(told(&back, NoteKind::Assumed, "columns and order of the units are taken from this table"), "{:?}", back.report);
    let choice = back.report.choices.iter().find(|c| c.key == "units_table").unwrap();
    assert!(choice.assumed && choice.value == "beside");
    // A recording without columns that is written over it leaves no columns of the other behind.
    save(&recording, &path).unwrap();
    assert_same(&open_ok(&path), &recording);
}

#[test]
fn saving_is_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.npz");
    save(&full(), &path).unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = save(&full(), &folder.path().join("kept.txt")).unwrap_err();
    assert!(matches!(error, FormatError::UnknownExtension { .. }), "{error}");
    let error = save(&full(), &folder.path().join("no such folder").join("x.npz")).unwrap_err();
    assert!(matches!(error, FormatError::NotWritable { .. }), "{error}");
    // A name that is taken by a folder cannot be replaced, and leaves nothing behind.
    std::fs::create_dir(folder.path().join("taken.npz")).unwrap();
    assert!(matches!(save(&full(), &folder.path().join("taken.npz")).unwrap_err(), FormatError::NotWritable { .. }));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn the_same_recording_gives_the_same_npz_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.npz"), folder.path().join("b.npz"));
    save(&full(), &a).unwrap();
    save(&full(), &b).unwrap();
    assert_eq!(std::fs::read(a).unwrap(), std::fs::read(b).unwrap());
}

#[test]
fn opening_tells_its_progress_and_can_be_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.nwb", "a.npz", "a.csv"] {
        let path = folder.path().join(name);
        save(&full(), &path).unwrap();
        let seen = std::cell::RefCell::new(Vec::new());
        open(&path, &Default::default(), &|f, _| {
            seen.borrow_mut().push(f);
            true
        })
        .unwrap();
        let seen = seen.into_inner();
        assert!(seen.is_sorted() && seen.first() == Some(&0.0) && seen.last() == Some(&1.0), "{name}: {seen:?}");
        // Cancel at every point in turn.
        for stop_at in 0..seen.len() {
            let calls = std::cell::Cell::new(0);
            let cancelled = open(&path, &Default::default(), &|_, _| {
                calls.set(calls.get() + 1);
                calls.get() <= stop_at
            });
            assert!(matches!(cancelled, Err(FormatError::Cancelled { .. })), "{name} at {stop_at}: {cancelled:?}");
        }
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.nwb", "a.npz", "a.csv"] {
        let path = folder.path().join(name);
        save(&full(), &path).unwrap();
        let grow = |fraction: f32, _: &str| {
            if fraction > 0.0 && fraction < 0.9 {
                use std::io::Write;
                writeln!(std::fs::OpenOptions::new().append(true).open(&path).unwrap(), "#").unwrap();
            }
            true
        };
        let recording = open(&path, &Default::default(), &grow).unwrap();
        assert!(told(&recording, NoteKind::Advice, "it changed while it was read"), "{name}: {:?}", recording.report);
    }
}

#[test]
fn foreign_files_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        read(&path).unwrap_err().to_string()
    };
    assert!(refused("empty.nwb", b"").contains("the file is empty"));
    assert!(refused("page.nwb", b"<!DOCTYPE html><html>404</html>").contains("the content is text"));
    assert!(refused("cut.nwb", &[7; 5000]).contains("the content is not NWB 2.x"));
    assert!(refused("list.csv.gz", &[0x1f, 0x8b, 8, 0, 0]).contains("unpack it first"));
    assert!(
        refused("unknown.xyz", &[0, 1, 2, 3])
            .contains("these can be opened: NWB 2.x (.nwb); MATLAB (.mat); Binned counts (NLB, LFADS) (.h5, .hdf5)")
    );
    assert!(refused("half.npz", b"PK\x03\x04and then nothing").contains("probably cut off"));
    // Archives are told apart by what is in them.
    let workbook = refused("book.xlsx", &npy_files::archive(&["[Content_Types].xml", "xl/workbook.xml"]));
    assert!(workbook.ends_with("book.xlsx: this is an Excel workbook, which is not read here; save its sheet as CSV"), "{workbook}");
    let archive = refused("data.zip", &npy_files::archive(&["a/spikes.csv", "b.txt", "c", "d"]));
    let wanted = "this is a zip archive (a/spikes.csv, b.txt, c, …), which is not read here; unpack it and open what is inside";
    assert!(archive.ends_with(wanted), "{archive}");
    assert!(refused("page.csv", b"<!DOCTYPE html><html>404</html>").contains("this is a web page, which is not read here"));
    // A folder names what can be opened inside it.
    let deep = folder.path().join("project");
    std::fs::create_dir_all(deep.join("day 1/output")).unwrap();
    save(&full(), &deep.join("day 1/output/a.nwb")).unwrap();
    std::fs::write(deep.join("notes.txt"), "some words about it").unwrap();
    let found = read(&deep).unwrap_err().to_string();
    assert!(found.ends_with("this is a folder of no known kind; inside it, 'day 1/output/a.nwb' (NWB 2.x) can be opened"), "{found}");
    std::fs::write(deep.join("settings.xml"), "<x/>").unwrap();
    let found = read(&deep).unwrap_err().to_string();
    assert!(found.contains("it looks like a recording of Open Ephys; sort its spikes first"), "{found}");
    let missing = read(&folder.path().join("missing.nwb")).unwrap_err();
    assert!(matches!(missing, FormatError::NotReadable { .. }) && missing.to_string().contains("missing.nwb"), "{missing}");
    assert!(read(folder.path()).unwrap_err().to_string().contains("this is a folder"));
}

#[test]
fn a_wrong_extension_does_not_matter_when_the_content_is_clear() {
    let folder = tempfile::tempdir().unwrap();
    for (name, wrong) in [("a.nwb", "nwb.dat"), ("a.npz", "npz.bin"), ("a.csv", "csv.log"), ("a.nwb", "nwb.csv")] {
        save(&full(), &folder.path().join(name)).unwrap();
        std::fs::rename(folder.path().join(name), folder.path().join(wrong)).unwrap();
        assert_eq!(open_ok(&folder.path().join(wrong)).n_units(), full().n_units(), "{wrong}");
    }
}

#[test]
fn an_npz_that_numpy_wrote_again_still_opens() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats/rewritten_by_numpy.npz");
    assert_same(&open_ok(&fixture), &full());
}

#[test]
fn info_names_what_expected_json_names() {
    let info = info_json(&full());
    // Ten spikes of five units in 10.75 s that were observed, as in the unit table and the filters.
    assert!(info_text(&full()).contains("0.19 spikes/s per unit on average"), "{}", info_text(&full()));
    assert_eq!(info["n_units"], 5);
    assert_eq!(info["unit_ids"], serde_json::json!([1011, 1022, 2001, 2002, 3]));
    assert_eq!(info["spikes_per_unit"], serde_json::json!([3, 2, 0, 4, 1]));
    assert_eq!(info["areas"], serde_json::json!({"": 1, "M1": 2, "PMd – α": 2}));
    assert_eq!(
        (&info["n_trials"], &info["heldout_units"], &info["empty_units"], &info["n_negative"]),
        (&2.into(), &1.into(), &1.into(), &1.into())
    );
    assert_eq!(info["intervals"], serde_json::json!({"epochs": 1, "trials": 2}));
    assert_eq!((&info["t_first"], &info["t_last"]), (&(-0.5).into(), &9.75.into()));
    assert_eq!(info["true_edges"], serde_json::json!([{"source": "PMd – α", "target": "M1"}]));
    assert_eq!(info["report"][0]["kind"], "assumed");
    assert_eq!(info["area_rules"][0]["label"], "as recorded in the file");
    assert_eq!(info["fingerprint"].as_str().unwrap().len(), 64);
    let text = info_text(&full());
    for words in ["5 units, 10 spikes from -0.500 to 9.750 s", "PMd – α: 2 units", "trials: 2 rows", "assumed, time: seconds were assumed"]
    {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
}

#[test]
fn dialogs_learn_the_extensions() {
    let all: Vec<&str> = known().iter().flat_map(|k| k.extensions).copied().collect();
    let want = ["nwb", "mat", "h5", "hdf5", "npz", "py", "npz", "npy", "nex", "nex5", "csv", "tsv", "txt", "gz"];
    assert_eq!(all, want);
}
