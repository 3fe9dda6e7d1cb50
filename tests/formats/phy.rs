//! Folders of Kilosort and Phy, made here by hand: what they hold, and what is wrong with them.

use std::path::{Path, PathBuf};

use spikescope::formats::{FormatError, open};
use spikescope::recording::{Column, NoteKind, Recording};

use crate::text::{choice, trains, with};
use crate::told;

/// A `.npy` file.
pub fn npy(kind: &str, fortran: bool, shape: &[usize], values: &[u8]) -> Vec<u8> {
    let dims: String = shape.iter().map(|d| format!("{d},")).collect();
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': ({dims}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    bytes
}

fn i64s(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Spikes of clusters 0, 2 and 7 (7 was merged from 1 and 3), 1000 samples/s.
pub fn files() -> Vec<(&'static str, Vec<u8>)> {
    let clusters: Vec<u8> = [0i32, 2, 7, 0, 7, 7].iter().flat_map(|v| v.to_le_bytes()).collect();
    let templates: Vec<u8> = [0u32, 2, 1, 0, 3, 3].iter().flat_map(|v| v.to_le_bytes()).collect();
    // Four templates of two samples on three channels; the largest swing is on channel 0, 1, 2, 1.
    let shapes =
        [9.0, 1.0, 1.0, -9.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, -5.0, 1.0, 1.0, 0.0, 8.0, 0.0, 0.0, -8.0, 0.0, 2.0, 0.0, 0.0, -2.0, 0.0];
    vec![
        ("spike_times.npy", npy("<u8", true, &[6, 1], &i64s(&[100, 200, 300, 400, 500, 600]))),
        ("spike_clusters.npy", npy("<i4", false, &[6], &clusters)),
        ("spike_templates.npy", npy("<u4", false, &[6, 1], &templates)),
        ("templates.npy", npy("<f4", false, &[4, 2, 3], &f32s(&shapes))),
        ("channel_map.npy", npy("<i8", false, &[3], &i64s(&[10, 11, 12]))),
        ("channel_positions.npy", npy("<f4", true, &[3, 2], &f32s(&[0.0, 0.0, 0.0, 20.0, 40.0, 60.0]))),
        ("params.py", b"dat_path = r'a.dat'\r\nsample_rate = 1000.  # Hz\r\n".to_vec()),
        ("cluster_group.tsv", b"cluster_id\tgroup\r\n0\tgood\r\n7\tnoise\r\n9\tgood\r\n".to_vec()),
        ("cluster_KSLabel.tsv", b"cluster_id\tKSLabel\n0\tmua\n2\tmua\n7\tgood\n".to_vec()),
    ]
}

pub fn folder(files: &[(&str, Vec<u8>)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("séance 1");
    std::fs::create_dir(&path).unwrap();
    for (name, bytes) in files {
        std::fs::write(path.join(name), bytes).unwrap();
    }
    (folder, path)
}

/// The folder with one file replaced (`None`: without it).
fn changed(name: &'static str, bytes: Option<Vec<u8>>) -> Vec<(&'static str, Vec<u8>)> {
    let mut all: Vec<_> = files().into_iter().filter(|(n, _)| *n != name).collect();
    all.extend(bytes.map(|b| (name, b)));
    all
}

fn read(path: &Path, answers: &[(&str, &str)]) -> Result<Recording, FormatError> {
    open(path, &with(answers), &|_, _| true)
}

fn column<'r>(recording: &'r Recording, name: &str) -> &'r Column {
    &recording.units.columns.iter().find(|c| c.name == name).unwrap().values
}

#[test]
fn the_folder_and_every_file_in_it_give_the_same_recording() {
    let (_keep, path) = folder(&files());
    let recording = read(&path, &[]).unwrap();
    assert_eq!(trains(&recording), [("0", &[0.1, 0.4][..]), ("2", &[0.2][..]), ("7", &[0.3, 0.5, 0.6][..])]);
    assert_eq!(recording.name, "séance 1");
    assert!(
        told(&recording, NoteKind::Assumed, "times are samples, 1000 of them are one second, as params.py says"),
        "{:?}",
        recording.report
    );
    assert!(told(&recording, NoteKind::LeftOut, "1 cluster of the tables without spikes (9)"), "{:?}", recording.report);
    for (name, _) in files() {
        let from_file = read(&path.join(name), &[]).unwrap();
        assert_eq!(
            (from_file.fingerprint, from_file.source, from_file.name),
            (recording.fingerprint.clone(), recording.source.clone(), recording.name.clone()),
            "{name}"
        );
    }
    // A table of the user beside them is a file of its own.
    std::fs::write(path.join("mine.csv"), "unit,time_s\n1,0.5\n").unwrap();
    assert_eq!(read(&path.join("mine.csv"), &[]).unwrap().n_units(), 1);
}

#[test]
fn labels_filter_the_clusters() {
    let (_keep, path) = folder(&files());
    let ids = |answers: &[(&str, &str)]| read(&path, answers).unwrap().units.ids;
    let all = read(&path, &[]).unwrap();
    let keep = all.report.choices.iter().find(|c| c.key == "keep").unwrap();
    assert_eq!((keep.value.as_str(), keep.why.as_str()), ("all", "of 3 clusters: 1 good, 1 mua, 1 noise"));
    assert_eq!(ids(&[("keep", "not_noise")]), ["0", "2"]);
    assert_eq!(ids(&[("keep", "good")]), ["0"]);
    assert_eq!(ids(&[("keep", "good"), ("label_from", "KSLabel")]), ["7"]);
    assert_eq!(ids(&[("keep", "not_noise"), ("label_from", "group")]), ["0", "2"]);
    assert_eq!(ids(&[("clusters_from", "spike_templates")]), ["0", "1", "2", "3"]);
    let none = read(&path, &[("keep", "good_mua"), ("label_from", "group")]).unwrap();
    assert_eq!(none.units.ids, ["0"]);
    assert!(
        told(&none, NoteKind::LeftOut, "2 clusters by their label; of 3 clusters: 1 good, 1 noise, 1 without label"),
        "{:?}",
        none.report
    );
}

#[test]
fn depths_and_areas_come_from_where_the_files_have_them() {
    let (_keep, path) = folder(&files());
    // Cluster 7 has most spikes of template 3, which is largest on channel 1.
    assert_eq!(column(&read(&path, &[]).unwrap(), "depth"), &Column::Float(vec![20.0, 60.0, 40.0]));
    let info = "cluster_id\tch\tdepth\tgroup\tbrain_area\tsh\n0\t12\t5\tgood\tV1\t0\n2\t10\t6\t\tV1\t1\n7\t11\t7.5\tmua\t\t1\n";
    let mut with_info = files();
    with_info.push(("cluster_info.tsv", info.as_bytes().to_vec()));
    with_info.push(("cluster_group.csv", b"cluster_id\tgroup\n0\tmua\n2\tmua\n".to_vec()));
    let (_keep, path) = folder(&with_info);
    let recording = read(&path, &[]).unwrap();
    assert_eq!((choice(&recording, "depth_from"), column(&recording, "depth")), ("column", &Column::Float(vec![5.0, 6.0, 7.5])));
    assert_eq!(recording.areas, ["V1", ""]);
    assert!(told(&recording, NoteKind::Assumed, "areas are taken from the column 'brain_area'"), "{:?}", recording.report);
    assert!(told(&recording, NoteKind::Advice, "no area for 1 of 3 units"), "{:?}", recording.report);
    // cluster_info counts first, then .tsv, then .csv.
    assert_eq!(column(&recording, "group"), &Column::Text(vec!["good".into(), "mua".into(), "mua".into()]));
    assert!(told(&recording, NoteKind::Advice, "1 value of this table differ from a table that counts more"), "{:?}", recording.report);
    let by_channel = read(&path, &[("depth_from", "channel"), ("area_from", "sh")]).unwrap();
    assert_eq!(column(&by_channel, "depth"), &Column::Float(vec![60.0, 20.0, 40.0]));
    assert_eq!(by_channel.areas, ["0", "1"]);
    let by_template = read(&path, &[("depth_from", "template")]).unwrap();
    assert_eq!(column(&by_template, "depth"), &Column::Float(vec![20.0, 60.0, 40.0]));
    assert!(read(&path, &[("depth_from", "none")]).unwrap().units.columns.iter().all(|c| c.name != "depth"));
}

#[test]
fn the_sampling_rate_is_asked_when_nothing_says_it() {
    let (_keep, path) = folder(&changed("params.py", None));
    let error = read(&path, &[]).unwrap_err();
    assert!(matches!(&error, FormatError::NeedsAnswer { choice, .. } if choice.key == "sampling_rate_hz"), "{error}");
    assert_eq!(read(&path, &[("sampling_rate_hz", "500")]).unwrap().spikes.unit(0), [0.2, 0.8]);
    assert_eq!(read(&path, &[("time_unit", "s")]).unwrap().spikes.unit(1), [200.0]);
    let seconds: Vec<u8> = [0.1f64, 0.25, 0.3, 0.4, 0.5, 0.6].iter().flat_map(|v| v.to_le_bytes()).collect();
    let (_keep, path) = folder(&changed("spike_times.npy", Some(npy("<f8", false, &[6], &seconds))));
    assert_eq!(read(&path, &[]).unwrap().spikes.unit(1), [0.25]);
}

#[test]
fn a_folder_without_curation_has_the_templates_as_units() {
    let (_keep, path) = folder(
        &files()
            .into_iter()
            .filter(|(n, _)| !["spike_clusters.npy", "cluster_group.tsv", "cluster_KSLabel.tsv"].contains(n))
            .collect::<Vec<_>>(),
    );
    let recording = read(&path, &[]).unwrap();
    assert_eq!(recording.units.ids, ["0", "1", "2", "3"]);
    assert!(told(&recording, NoteKind::Assumed, "no table says which clusters are good; all are kept"), "{:?}", recording.report);
}

#[test]
fn extras_that_are_damaged_do_not_keep_the_spikes_away() {
    for (name, bytes, words) in [
        (
            "templates.npy",
            npy("<f4", false, &[4, 3], &[0; 48]),
            "depths were not found: its shape is [4, 3], expected (templates, samples, channels)",
        ),
        ("channel_positions.npy", npy("<f4", false, &[6], &[0; 24]), "depths were not found: its shape is [6], expected (channels, 2)"),
        ("cluster_group.tsv", b"nothing here\n".to_vec(), "it has no columns 'cluster_id' and another; the table is not used"),
        ("cluster_KSLabel.tsv", b"cluster_id\tKSLabel\nx\tgood\n".to_vec(), "1 line without the number of a cluster"),
    ] {
        let (_keep, path) = folder(&changed(name, Some(bytes)));
        let recording = read(&path, &[]).unwrap();
        assert_eq!(recording.spikes.n_spikes(), 6, "{name}");
        assert!(told(&recording, NoteKind::LeftOut, words), "{name}: {:?}", recording.report);
    }
}

/// Files, answers, and what is said.
type Case<'c> = (Vec<(&'c str, Vec<u8>)>, &'c [(&'c str, &'c str)], String);

#[test]
fn bad_folders_are_refused_with_these_words() {
    let times = |kind: &str, shape: &[usize], values: &[u8]| changed("spike_times.npy", Some(npy(kind, false, shape, values)));
    let clusters = |kind: &str, shape: &[usize], values: &[u8]| changed("spike_clusters.npy", Some(npy(kind, false, shape, values)));
    let floats = |v: f64| [v; 6].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let damaged = |object: &str, problem: &str| format!("FOLDER: {object} is damaged: {problem}; copy or download the file again");
    let cut = npy("<u8", false, &[6], &i64s(&[1, 2, 3]));
    let none: Vec<_> = files().into_iter().filter(|(n, _)| !["spike_clusters.npy", "spike_templates.npy"].contains(n)).collect();
    let params = |text: &str| changed("params.py", Some(text.as_bytes().to_vec()));
    let rate = |problem: &str| {
        let usual =
            "and nothing else says how many samples are a second; 30000 is usual; answer with --import sampling_rate_hz=VALUE (in Hz)";
        format!("FOLDER: {problem}, {usual}")
    };
    let cases: Vec<Case> = vec![
        (changed("spike_times.npy", Some(Vec::new())), &[], damaged("spike_times.npy", "the file is empty")),
        (changed("spike_times.npy", Some(b"<html>404</html>".to_vec())), &[], damaged("spike_times.npy", "it does not begin with an .npy header")),
        (changed("spike_times.npy", Some(cut)), &[], damaged("spike_times.npy", "its shape [6] needs 116 bytes, the file has 92")),
        (times("<u8", &[i64::MAX as usize, 8], &[]), &[], damaged("spike_times.npy", "its shape [9223372036854775807, 8] needs more bytes than any file has, the file has 88")),
        (times("|O", &[6], &[0; 48]), &[], damaged("spike_times.npy", "it holds pickled Python objects, which are not read because they can run code")),
        (times("<U3", &[6], &[0; 72]), &[], damaged("spike_times.npy", "values of kind <U3 are no numbers")),
        (times("<u8", &[3, 2], &i64s(&[1; 6])), &[], damaged("spike_times.npy", "its shape is [3, 2], expected a list (N) or (N, 1)")),
        (times("<u8", &[2], &i64s(&[1, 2])), &[], damaged("spike_times.npy", "it has 2 values, but spike_clusters.npy has 6 values")),
        (clusters("<f8", &[6], &floats(0.5)), &[], damaged("spike_clusters.npy", "0.5 is no cluster; expected whole numbers")),
        (clusters("<f8", &[6], &floats(f64::NAN)), &[], damaged("spike_clusters.npy", "NaN is no cluster; expected whole numbers")),
        (none, &[], damaged("spike_times.npy", "neither spike_clusters.npy nor spike_templates.npy lies beside it, so no spike has a unit")),
        (
            vec![("spike_times.npy", npy("<u8", false, &[0], &[])), ("spike_clusters.npy", npy("<i4", false, &[0], &[]))],
            &[],
            damaged("spike_times.npy", "it has no spikes"),
        ),
        (changed("params.py", None), &[], rate("there is no params.py")),
        (params("dtype = 'int16'\n"), &[], rate("params.py has no sample_rate")),
        (params("sample_rate = fast\n"), &[], rate("sample_rate in params.py is no number greater than zero")),
        (params("sample_rate = -30000\n"), &[], rate("sample_rate in params.py is no number greater than zero")),
        (
            files(),
            &[("sampling_rate_hz", "zero")],
            "FOLDER: 'zero' is no number greater than zero for the choice 'Sampling rate'; answer with --import sampling_rate_hz=VALUE (in Hz)".to_owned(),
        ),
        (
            files(),
            &[("keep", "best")],
            "FOLDER: 'best' is no answer to the choice 'Keep'; answer with --import keep=VALUE (one of all, not_noise, good_mua, good)".to_owned(),
        ),
        (
            changed("cluster_KSLabel.tsv", Some(b"cluster_id\tKSLabel\n0\tnoise\n".to_vec())),
            &[("keep", "good"), ("label_from", "KSLabel")],
            "FOLDER: no cluster is left by 'keep' = good (of 3 clusters: 1 noise, 2 without label); answer with --import keep=VALUE (one of all, not_noise, good_mua, good)".to_owned(),
        ),
    ];
    let mut wrong = Vec::new();
    for (files, answers, wanted) in cases {
        let (_keep, path) = folder(&files);
        let found = read(&path, answers).map_or_else(|e| e.to_string(), |_| "opened".to_owned());
        let found = found.replace(&path.display().to_string(), "FOLDER");
        if found != wanted {
            wrong.push(format!("wanted {wanted}\n found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
