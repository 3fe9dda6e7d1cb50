//! Bad files of the array formats, each with its exact message: file, object in it, what was expected, what to do.

use std::path::Path;

use crate::alf::put;
use crate::npy_files::{bytes, file, fixture, floats, ints, npy, npz, npz_compressed, scalar, texts, zip};
use crate::samples::read;

/// The message without the path in front.
fn message(path: &Path) -> String {
    let error = read(path).expect_err("it should be refused").to_string();
    let full = path.display().to_string();
    error.strip_prefix(&full).map_or_else(|| error.clone(), |rest| rest.trim_start_matches([':', ' ', ',']).to_owned())
}

fn refused(name: &str, content: &[u8], expected: &str) {
    let (_folder, path) = file(name, content);
    assert_eq!(message(&path), expected, "{name}");
}

/// Messages of folders may name a file in them.
fn folder_refused(files: &[(&str, Vec<u8>)], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), files);
    assert_eq!(message(folder.path()), expected, "{:?}", files.iter().map(|f| f.0).collect::<Vec<_>>());
}

const AGAIN: &str = "copy or download the file again";
const AS_LIST: &str = "save plain arrays instead, for example np.savez(file, times=np.concatenate(trains), \
                       ids=np.repeat(np.arange(len(trains)), [len(t) for t in trains]))";
const RUN_CODE: &str = "holds pickled Python objects, which are not read because they can run code";

#[test]
fn archives_that_cannot_be_read() {
    let times = floats(&[0.5, 1.0]);
    let good = npz(&[("times", times.clone()), ("ids", ints(&[0, 1]))]);
    refused(
        "half.npz",
        &good[..good.len() / 2],
        &format!("the zip archive is damaged: its table of contents is missing, the file is probably cut off; {AGAIN}"),
    );
    refused("empty.npz", &npz(&[]), "the archive is empty; save the spikes with np.savez(file, times=…, ids=…)");
    let mut changed = good.clone();
    let at = changed.windows(8).position(|w| w == 1.0f64.to_le_bytes()).unwrap();
    changed[at] = 1;
    refused("changed.npz", &changed, &format!("times.npy is damaged: its checksum is wrong; {AGAIN}"));
    let method = zip(&[("times", times.clone(), times.len() as u32, 14)]);
    refused(
        "lzma.npz",
        &method,
        "times.npy is stored with the zip compression method 14, which is not supported; write it with numpy.savez or numpy.savez_compressed",
    );
    let bomb = zip(&[("times", times.clone(), u32::MAX - 1, 8), ("ids", ints(&[0]), 100, 0)]);
    refused(
        "bomb.npz",
        &bomb,
        "times.npy claims 4294967294 bytes, but only 84 bytes are stored for it; the file is damaged, or too large to open whole: then save a part of it as a file of its own",
    );
    let overlapping = {
        let mut bytes = good.clone();
        // Both entries of the table of contents claim nearly the whole file.
        let places: Vec<usize> = bytes.windows(4).enumerate().filter(|(_, w)| *w == b"PK\x01\x02").map(|(i, _)| i).collect();
        for place in places {
            let size = (good.len() as u32 - 10).to_le_bytes();
            bytes[place + 20..place + 24].copy_from_slice(&size);
        }
        bytes
    };
    refused("overlap.npz", &overlapping, &format!("the zip archive is damaged: its arrays claim more bytes than the file has; {AGAIN}"));
}

#[test]
fn arrays_that_are_no_spikes() {
    let object = npy("|O", "(1,)", b"\x80\x04N.");
    refused("object.npz", &npz(&[("dat", object.clone())]), &format!("array 'dat' {RUN_CODE}; {AS_LIST}"));
    refused("object.npy", &object, &format!("array 'array' {RUN_CODE}; {AS_LIST}"));
    let pickled_times = npz(&[("times", object), ("ids", ints(&[1]))]);
    refused("times.npz", &pickled_times, &format!("array 'times' {RUN_CODE}; {AS_LIST}"));
    refused(
        "words.npz",
        &npz(&[("names", texts(&["a", "b"]))]),
        "none of the arrays names (2) holds spike times or counts; save the spikes with np.savez(file, times=…, ids=…)",
    );
    refused(
        "none.npz",
        &npz(&[("times", floats(&[])), ("ids", ints(&[]))]),
        "array 'times' is empty, so there is no spike in the file; choose the file that holds the spikes",
    );
    let half = [("times", floats(&[1.0, 2.0])), ("ids", floats(&[0.5, 1.0]))];
    refused("half.npz", &npz(&half), &format!("ids is damaged: the ids of units should be whole numbers or texts; {AGAIN}"));
    let trials = [("times", floats(&[1.0])), ("ids", ints(&[0])), ("trials", floats(&[0.5]))];
    refused("trials.npz", &npz(&trials), &format!("trials is damaged: the numbers of trials should be whole; {AGAIN}"));
    let rates = [("counts", npy("<f8", "(2, 2)", &[0.5f64, 1.0, 0.0, 0.0].map(f64::to_le_bytes).concat())), ("bin_ms", scalar(5.0))];
    refused(
        "rates.npz",
        &npz(&rates),
        "array 'counts' holds no counts: its value 0.5 (unit 0, bin 0) is no number of spikes; \
         choose an array of counts; rates and smoothed activity cannot be turned back into spikes",
    );
    let negative = [("counts", npy("|i1", "(2, 2)", &[0, 0, 255, 0])), ("bin_ms", scalar(5.0))];
    refused(
        "negative.npz",
        &npz(&negative),
        "array 'counts' holds no counts: its value -1 (unit 0, bin 1) is no number of spikes; \
         choose an array of counts; rates and smoothed activity cannot be turned back into spikes",
    );
    refused(
        "odd.npy",
        &npy("<c16", "(1,)", &[0; 16]),
        &format!("the array is damaged: values of kind <c16 are not read; save numbers (times in seconds); {AGAIN}"),
    );
    refused("shape.npy", &npy("<f8", "(3,)", &[0; 16]), &{
        let asked =
            "no name says which array holds the spike times; there are array (3); answer with --import role/times=VALUE (one of array)";
        asked.to_owned()
    });
    refused(
        "short.npz",
        &npz(&[("times", npy("<f8", "(3,)", &[0; 16]))]),
        &format!("times is damaged: its shape [3] does not fit its 84 bytes; {AGAIN}"),
    );
    refused(
        "huge.npz",
        &npz(&[("times", npy("<f8", "(99999999999999,)", &[0; 16]))]),
        &format!("times is damaged: its shape [99999999999999] does not fit its 97 bytes; {AGAIN}"),
    );
    refused(
        "cut.npy",
        b"\x93NUMPY\x01\x00\xff\xffnothing",
        &format!("the array is damaged: it does not begin with an .npy header; {AGAIN}"),
    );
    let damaged = npz_compressed(&[("times", floats(&[1.0, 2.0, 3.0]))]);
    let mut wrong = damaged.clone();
    let claimed = wrong.windows(4).position(|w| w == b"PK\x01\x02").unwrap() + 24;
    wrong[claimed..claimed + 4].copy_from_slice(&5000u32.to_le_bytes());
    refused("longer.npz", &wrong, &format!("times.npy is damaged: its compressed bytes cannot be decoded or end too early; {AGAIN}"));
}

#[test]
fn pynapple_objects_without_spikes() {
    let advice = "save the TsGroup of the units with TsGroup.save(…) and open that";
    assert_eq!(message(&fixture("pynapple_epochs.npz")), format!("it is a pynapple IntervalSet, which has no spikes; {advice}"));
    let group =
        |index: &[i64]| npz(&[("type", texts(&["TsGroup"])), ("t", floats(&[0.5])), ("index", ints(index)), ("keys", ints(&[0, 1]))]);
    refused("short.npz", &group(&[0, 1]), &format!("index is damaged: it has 2 values, 't' has 1; {AGAIN}"));
    refused(
        "tsd.npz",
        &npz(&[("type", texts(&["Tsd"])), ("t", floats(&[1.0]))]),
        &format!("it is a pynapple Tsd, which has no spikes; {advice}"),
    );
    refused(
        "no_keys.npz",
        &npz(&[("type", texts(&["TsGroup"])), ("t", floats(&[0.5])), ("index", ints(&[0]))]),
        &format!("keys is damaged: the array is missing; {AGAIN}"),
    );
}

#[test]
fn sessions_that_contradict_themselves() {
    let times = ("spikes.times.npy", floats(&[0.5, 1.0]));
    let short = ("spikes.clusters.npy", ints(&[1]));
    folder_refused(&[times.clone(), short], &clusters_message("it has 1 values, but there are 2 spike times"));
    folder_refused(
        &[times.clone(), ("spikes.clusters.npy", floats(&[0.5, 1.0]))],
        &clusters_message("the ids of units should be whole numbers or texts"),
    );
    folder_refused(&[times, ("spikes.clusters.npy", b"<html>".to_vec())], &clusters_message("it does not begin with an .npy header"));
    folder_refused(&[("notes.txt", b"x".to_vec())], "this is a folder of no known kind; choose the file inside it that holds the spikes");
}

fn clusters_message(problem: &str) -> String {
    format!("/spikes.clusters.npy: the array is damaged: {problem}; {AGAIN}")
}

#[test]
fn sortings_that_contradict_themselves() {
    let npz_with = |changed: &str, array: Vec<u8>| {
        let mut arrays = vec![
            ("unit_ids", texts(&["a"])),
            ("num_segment", ints(&[1])),
            ("sampling_frequency", floats(&[1000.0])),
            ("spike_indexes_seg0", ints(&[10])),
            ("spike_labels_seg0", texts(&["a"])),
        ];
        arrays.iter_mut().filter(|(n, _)| *n == changed).for_each(|(_, a)| *a = array.clone());
        npz(&arrays)
    };
    refused(
        "rate.npz",
        &npz_with("sampling_frequency", floats(&[0.0])),
        &format!("sampling_frequency is damaged: it should be a number greater than zero; {AGAIN}"),
    );
    refused("segments.npz", &npz_with("num_segment", ints(&[2])), &format!("spike_indexes_seg1 is damaged: the array is missing; {AGAIN}"));
    refused(
        "many.npz",
        &npz_with("num_segment", ints(&[-1])),
        &format!("num_segment is damaged: it should be a whole number from 1; {AGAIN}"),
    );
    refused(
        "labels.npz",
        &npz_with("spike_labels_seg0", texts(&["b"])),
        &format!("spike_labels_seg0 is damaged: it names units that unit_ids does not list; {AGAIN}"),
    );
    refused(
        "lengths.npz",
        &npz_with("spike_labels_seg0", texts(&["a", "a"])),
        &format!("spike_labels_seg0 is damaged: it has 2 values, 'spike_indexes_seg0' has 1; {AGAIN}"),
    );

    let info = |text: &str| ("numpysorting_info.json", text.as_bytes().to_vec());
    let good = r#"{"sampling_frequency": 10.0, "unit_ids": ["a"], "num_segments": 1}"#;
    let record = |unit: i64, segment: i64| {
        let data: Vec<u8> = [5, unit, segment].iter().flat_map(|v| v.to_le_bytes()).collect();
        ("spikes.npy", npy("[('sample_index', '<i8'), ('unit_index', '<i8'), ('segment_index', '<i8')]", "(1,)", &data))
    };
    folder_refused(
        &[info("{"), record(0, 0)],
        &format!("/numpysorting_info.json: the text is damaged: it is no JSON (EOF while parsing an object at line 1 column 1); {AGAIN}"),
    );
    folder_refused(
        &[info("{}"), record(0, 0)],
        &format!("/numpysorting_info.json: unit_ids is damaged: it should be a list of texts or numbers; {AGAIN}"),
    );
    folder_refused(&[info(good), record(3, 0)], &format!("/spikes.npy: unit_index is damaged: it names unit 3, expected 0 to 0; {AGAIN}"));
    folder_refused(
        &[info(good), record(0, 1 << 40)],
        &format!("/spikes.npy: segment_index is damaged: it names segment 1099511627776, expected 0 to 9999; {AGAIN}"),
    );
    folder_refused(
        &[info(good), ("spikes.npy", ints(&[1]))],
        &format!("/spikes.npy: the array is damaged: it should hold records of sample_index, unit_index and segment_index; {AGAIN}"),
    );

    let save = "save the sorting with format='numpy_folder' and open that folder";
    let v3 = [("zarr.json", b"{}".to_vec()), ("unit_ids/zarr.json", b"{}".to_vec()), ("spikes/zarr.json", b"{}".to_vec())];
    folder_refused(&v3, &format!("the store is stored with the layout of zarr version 3, which is not supported; {save}"));
    let store = |meta: &str| {
        let plain = |shape: &str| {
            format!(r#"{{"shape": {shape}, "chunks": {shape}, "dtype": "<i8", "compressor": null, "filters": null, "order": "C"}}"#)
        };
        [
            (".zgroup", b"{}".to_vec()),
            (".zattrs", br#"{"sampling_frequency": 10.0, "num_segments": 1}"#.to_vec()),
            ("unit_ids/.zarray", plain("[1]").into_bytes()),
            ("unit_ids/0", 7i64.to_le_bytes().to_vec()),
            ("spikes/.zgroup", b"{}".to_vec()),
            ("spikes/sample_index/.zarray", meta.as_bytes().to_vec()),
            ("spikes/sample_index/0", 7i64.to_le_bytes().to_vec()),
        ]
    };
    let array = |rest: &str| format!(r#"{{"dtype": "<i8", "filters": null, "order": "C", {rest}}}"#);
    let huge = array(r#""shape": [99999999999], "chunks": [1], "compressor": null"#);
    folder_refused(
        &store(&huge),
        "spikes/sample_index claims 799999999992 bytes, but at most 17179869184 are read; the file is damaged, or too large to open whole: then save a part of it as a file of its own",
    );
    let sparse = array(r#""shape": [999999999], "chunks": [1000], "compressor": null"#);
    folder_refused(
        &store(&sparse),
        "spikes/sample_index claims 7999999992 bytes, but only 2 files are stored for it; the file is damaged, or too large to open whole: then save a part of it as a file of its own",
    );
    let short = array(r#""shape": [2], "chunks": [2], "compressor": null"#);
    folder_refused(&store(&short), &format!("spikes/sample_index is damaged: chunk 0 has 8 bytes, expected 16; {AGAIN}"));
    let lzma = array(r#""shape": [1], "chunks": [1], "compressor": {"id": "lzma"}"#);
    folder_refused(&store(&lzma), &format!("spikes/sample_index is stored with the compressor 'lzma', which is not supported; {save}"));
    let broken = array(r#""shape": [1], "chunks": [1], "compressor": {"id": "zlib"}"#);
    folder_refused(&store(&broken), &format!("spikes/sample_index is damaged: chunk 0: its compressed bytes cannot be decoded; {AGAIN}"));
}

#[test]
fn simulations_that_contradict_themselves() {
    refused("a.csv", b"timestamps population node_ids\n1.0 v1\n", "line 2: there are 2 fields, the node is missing");
    refused(
        "b.csv",
        b"timestamps population node_ids\n1.0 v1 0\nsoon v1 1\n",
        "line 3: 'soon' is not a time; expected a number of milliseconds",
    );
    refused("c.csv", b"timestamps node_ids\n1.0 x\n", "line 2: 'x' is not a node; expected a whole number");
    refused(
        "d.csv",
        b"timestamps population node_ids\n",
        "no units table (no population under /spikes has a spike); choose a file with sorted spikes, in NWB they are in /units",
    );
    let mut made = hdf5_pure::FileBuilder::new();
    let mut spikes = made.create_group("spikes");
    let mut v1 = spikes.create_group("v1");
    v1.create_dataset("node_ids").with_u64_data(&[1, 2]);
    v1.create_dataset("timestamps").with_f64_data(&[5.0]);
    spikes.add_group(v1.finish());
    made.add_group(spikes.finish());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lengths.h5");
    made.write(&path).unwrap();
    assert_eq!(message(&path), format!("spikes/v1/node_ids is damaged: it has 2 values, timestamps has 1; {AGAIN}"));
}

#[test]
fn tables_that_cannot_be_read_are_left_out_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let good = [("spikes.times.npy", floats(&[0.5])), ("spikes.clusters.npy", ints(&[0]))];
    put(folder.path(), &good);
    put(
        folder.path(),
        &[
            ("clusters.metrics.pqt", b"PAR1 cut".to_vec()),
            ("clusters.depths.npy", bytes(&[1, 2, 3], "(4,)")),
            ("_ibl_trials.table.pqt", vec![0; 100]),
        ],
    );
    let recording = read(folder.path()).unwrap();
    let told: Vec<String> = recording.report.notes.iter().map(|n| format!("{}: {}", n.place, n.message)).collect();
    for words in [
        "clusters.depths.npy: its shape [4] does not fit its 71 bytes",
        "clusters.metrics.pqt: Parquet error",
        "trials.table: Parquet error",
        "trials: there are no numbers called intervals (start and end of trials)",
    ] {
        assert!(told.iter().any(|t| t.starts_with(words)), "{words} is not in {told:#?}");
    }
}
