//! Sessions of the International Brain Laboratory, made here.

use std::path::Path;

use spikescope::recording::{Column, NoteKind};

use crate::npy_files::{areas, choice, fixture, floats, ints, npy, open_with, texts};
use crate::samples::open_ok;
use crate::told;

/// Files in `root`, with their folders.
pub fn put(root: &Path, files: &[(&str, Vec<u8>)]) {
    for (name, content) in files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

/// A probe with clusters 0 to 2, of which 1 is silent.
fn probe(root: &Path, name: &str) {
    let at = |file: &str| format!("{name}/{file}");
    let files = [
        (at("spikes.times.npy"), floats(&[0.5, 0.75, 1.5])),
        (at("_kilosort_spikes.clusters.1234-abcd.npy"), npy("<u4", "(3,)", &[2u32, 0, 2].map(u32::to_le_bytes).concat())),
        (at("clusters.channels.npy"), ints(&[1, 0, 2])),
        (at("clusters.depths.npy"), floats(&[100.0, 200.0, 300.0])),
        (at("channels.brainLocationIds_ccf_2017.npy"), ints(&[993, -385, 123_456_789])),
        (at("clusters.metrics.pqt"), std::fs::read(fixture("metrics.pqt")).unwrap()),
    ];
    put(root, &files.each_ref().map(|(n, c)| (n.as_str(), c.clone())));
}

#[test]
fn a_session_has_areas_metrics_and_trials() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("KS001/2020-01-01/001");
    probe(&root, "alf/probe00/pykilosort");
    put(&root, &[("alf/_ibl_trials.table.pqt", std::fs::read(fixture("trials.pqt")).unwrap())]);
    let recording = open_ok(&root);
    assert_eq!((recording.units.ids.join(" "), recording.name.as_str()), ("0 2".to_owned(), "001"));
    assert_eq!((recording.spikes.unit(0), recording.spikes.unit(1)), (&[0.75][..], &[0.5, 1.5][..]));
    assert_eq!(areas(&recording), ["VISp", "id 123456789"]);
    let column = |name: &str| recording.units.columns.iter().find(|c| c.name == name).map(|c| c.values.clone());
    assert_eq!(column("label"), Some(Column::Float(vec![1.0, 0.5])), "by cluster id, not by row");
    assert_eq!(column("ks2_label"), Some(Column::Text(vec!["good".into(), "mua".into()])));
    assert_eq!((column("depths"), column("probe")), (Some(Column::Float(vec![100.0, 300.0])), None));
    let trials = recording.table("trials").unwrap();
    assert_eq!((trials.start.as_slice(), trials.stop.as_slice()), (&[0.0, 1.0][..], &[0.9, 1.9][..]));
    assert_eq!(trials.column("choice").unwrap().values, Column::Int(vec![1, -1]));
    assert_eq!(trials.column("rewarded").unwrap().values, Column::Bool(vec![true, false]));
    assert_eq!(trials.column("kind").unwrap().values, Column::Text(vec!["a".into(), String::new()]));
    assert!(matches!(&trials.column("stimOn_times").unwrap().values, Column::Float(v) if v[0] == 0.1 && v[1].is_nan()));
    assert!(told(&recording, NoteKind::LeftOut, "1 of 3 listed clusters have no spikes"), "{:?}", recording.report);
    let kept = open_with(&root, &[("silent_units", "keep")]).unwrap();
    assert_eq!((kept.units.ids.join(" "), areas(&kept)), ("0 1 2".to_owned(), vec!["VISp", "MOs", "id 123456789"]));
    // The file of spikes, or the folder of the sorter, opens the same with the trials above it.
    for inner in ["alf/probe00/pykilosort", "alf/probe00/pykilosort/spikes.times.npy"] {
        let same = open_ok(&root.join(inner));
        assert_eq!((&same.fingerprint, same.table("trials").map(|t| t.len())), (&recording.fingerprint, Some(2)), "{inner}");
    }
}

#[test]
fn several_probes_are_told_apart_by_a_column() {
    let folder = tempfile::tempdir().unwrap();
    probe(folder.path(), "alf/probe01");
    probe(folder.path(), "alf/probe00/ks2_matlab");
    probe(folder.path(), "alf/probe00/pykilosort");
    let intervals = npy("<f8", "(2, 2)", &[0.0f64, 1.0, 2.0, 3.0].map(f64::to_le_bytes).concat());
    put(folder.path(), &[("alf/trials.intervals.npy", intervals), ("alf/trials.stimOn_times.npy", floats(&[0.5, 2.5]))]);
    let recording = open_ok(folder.path());
    assert_eq!(recording.units.ids, ["probe00/0", "probe00/2", "probe01/0", "probe01/2"]);
    let probes = recording.units.columns.iter().find(|c| c.name == "probe").unwrap();
    assert_eq!(probes.values, Column::Text(["probe00", "probe00", "probe01", "probe01"].map(str::to_owned).to_vec()));
    let label = recording.units.columns.iter().find(|c| c.name == "label").unwrap();
    assert_eq!(label.values, Column::Float(vec![1.0, 0.5, 1.0, 0.5]));
    assert!(choice(&recording, "sorting/probe00").0.ends_with("pykilosort"));
    assert_eq!(recording.table("trials").unwrap().stop, [1.0, 3.0]);
    let one = open_with(folder.path(), &[("probe", "probe01"), ("area", "(none)")]).unwrap();
    assert_eq!((one.units.ids.join(" "), areas(&one)), ("0 2".to_owned(), vec!["", ""]));
}

#[test]
fn several_sessions_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    probe(folder.path(), "a/001/alf/probe00");
    probe(folder.path(), "b/002/alf/probe00");
    let asked = open_with(folder.path(), &[]).unwrap_err().to_string();
    assert!(
        asked.ends_with(
            "the folder holds 2 sessions, which are recordings of their own; answer with --import session=VALUE (one of a/001, b/002)"
        ),
        "{asked}"
    );
    assert_eq!(open_with(folder.path(), &[("session", "b/002")]).unwrap().n_units(), 2);
}

#[test]
fn other_sources_of_areas_and_samples_for_times() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put(
        root,
        &[
            ("spikes.samples.npy", ints(&[10, 20])),
            ("spikes.clusters.npy", ints(&[0, 1])),
            ("clusters.peakChannel.npy", ints(&[2, 1])),
            ("channels.brainLocation.tsv", b"ccf_ap\tccf_dv\tccf_lr\tallen_ontology\n1\t2\t3\tACA\n1\t2\t3\tMOs\n".to_vec()),
            ("clusters.uuids.csv", b"uuids\nx-1\nx-2\n".to_vec()),
            ("clusters.waveforms.npy", npy("|u1", "(2, 3)", &[0; 6])),
        ],
    );
    let asked = open_with(root, &[]).unwrap_err().to_string();
    assert!(asked.ends_with("answer with --import sampling_rate_hz=VALUE (in Hz)"), "{asked}");
    let recording = open_with(root, &[("sampling_rate_hz", "100")]).unwrap();
    assert_eq!((recording.spikes.block(), areas(&recording)), (&[0.1, 0.2][..], vec!["MOs", "ACA"]));
    assert!(recording.units.columns.iter().any(|c| c.name == "uuids"));
    // Names of areas at the clusters themselves come first.
    put(root, &[("clusters.acronym.npy", texts(&["LGd", "SC"]))]);
    assert_eq!(areas(&open_with(root, &[("sampling_rate_hz", "100")]).unwrap()), ["LGd", "SC"]);
}
