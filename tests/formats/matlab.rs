//! MATLAB files in the layouts that people have, made here by hand.

use std::path::PathBuf;

use spikescope::formats::{FormatError, OpenOptions, open};
use spikescope::recording::{Choice, Column, NoteKind, Recording};

use crate::mat5::{DEFLATED, Mat, PLAIN, Writer, column, row_cell, scalar_struct, texts};
use crate::samples::{open_ok, read};
use crate::told;

fn put(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.mat");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn with(path: &std::path::Path, answers: &[(&str, &str)]) -> Result<Recording, FormatError> {
    let answers = answers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    open(path, &OpenOptions { answers, ..OpenOptions::default() }, &|_, _| true)
}

/// Open and let every question through to the test.
fn opened(variables: &[(&str, Mat)], answers: &[(&str, &str)]) -> Result<Recording, FormatError> {
    let (_folder, path) = put(&DEFLATED.file(variables));
    with(&path, answers)
}

fn asked(result: Result<Recording, FormatError>) -> Choice {
    match result {
        Err(FormatError::NeedsAnswer { choice, .. }) => *choice,
        other => panic!("no question but {other:?}"),
    }
}

fn choice<'r>(recording: &'r Recording, key: &str) -> &'r Choice {
    recording.report.choices.iter().find(|c| c.key == key).unwrap_or_else(|| panic!("no choice {key}: {:?}", recording.report.choices))
}

fn areas(recording: &Recording) -> Vec<&str> {
    recording.units.area.iter().map(|&a| recording.areas[a].as_str()).collect()
}

fn trains() -> Mat {
    row_cell(vec![column(&[0.5, 1.5, 2.5]), column(&[]), column(&[3.5, 0.25])])
}

#[test]
fn cells_of_vectors_are_read_in_every_encoding() {
    let variables = [
        ("spikes", trains()),
        ("region", texts(&["CA1", "CA3", "ä"])),
        ("fs", Mat::Bytes(vec![1, 1], vec![200])),
        ("depth", column(&[1.5, 2.5, 3.5])),
    ];
    for writer in [PLAIN, DEFLATED, Writer { big_endian: true, deflated: false }, Writer { big_endian: true, deflated: true }] {
        let (_folder, path) = put(&writer.file(&variables));
        let recording = open_ok(&path);
        assert_eq!(recording.spikes.block(), [0.5, 1.5, 2.5, 0.25, 3.5]);
        assert_eq!((recording.units.ids.join(" "), areas(&recording)), ("1 2 3".to_owned(), vec!["CA1", "CA3", "ä"]));
        let depth = recording.units.columns.iter().find(|c| c.name == "depth").unwrap();
        assert_eq!(depth.values, Column::Float(vec![1.5, 2.5, 3.5]));
        assert!(told(&recording, NoteKind::Repaired, "unit 3 were not ascending"), "{:?}", recording.report);
        assert_eq!((choice(&recording, "variable").value.as_str(), choice(&recording, "area_source").value.as_str()), ("spikes", "region"));
        assert_eq!((choice(&recording, "time_unit").value.as_str(), choice(&recording, "time_unit").assumed), ("s", true));
    }
}

#[test]
fn answers_overrule_unit_of_time_and_area() {
    let variables = [
        ("spikes", trains()),
        ("region", texts(&["CA1", "CA3", "CA1"])),
        ("probe", texts(&["p", "q", "q"])),
        ("fs", Mat::Bytes(vec![1, 1], vec![50])),
    ];
    let recording = opened(&variables, &[("time_unit", "samples"), ("area_source", "probe")]).unwrap();
    assert_eq!(recording.spikes.unit(0), [0.01, 0.03, 0.05]);
    assert_eq!(areas(&recording), ["p", "q", "q"]);
    assert_eq!(choice(&recording, "sampling_rate_hz").value, "50");
    let none = opened(&variables, &[("time_unit", "ms"), ("area_source", "none")]).unwrap();
    assert_eq!((none.spikes.unit(0)[1], areas(&none)), (0.0015, vec!["", "", ""]));
    let wrong = opened(&variables, &[("time_unit", "years")]).unwrap_err().to_string();
    assert!(
        wrong.contains(
            "'years' is no answer to the choice 'Time unit'; answer with --import time_unit=VALUE (one of s, ms, 0.1ms, us, samples)"
        ),
        "{wrong}"
    );
}

#[test]
fn whole_numbers_and_missing_rates_are_asked_for() {
    let samples = column(&(0..40).map(|k| f64::from(k) * 3000.0).collect::<Vec<_>>());
    let variables = [("spikes", row_cell(vec![samples.clone(), samples]))];
    let unit = asked(opened(&variables, &[]));
    assert_eq!((unit.key.as_str(), unit.options.len()), ("time_unit", 5));
    assert!(
        unit.why.starts_with("all spike times are whole numbers (as seconds the median unit then fires 0.000342 spikes/s)"),
        "{}",
        unit.why
    );
    let rate = asked(opened(&variables, &[("time_unit", "samples")]));
    assert_eq!((rate.key.as_str(), rate.unit.as_str(), rate.value.as_str()), ("sampling_rate_hz", "Hz", "30000"));
    let recording = opened(&variables, &[("time_unit", "samples"), ("sampling_rate", "30000")]).unwrap();
    assert_eq!(recording.spikes.unit(0)[1], 0.1);
    let wrong = opened(&variables, &[("time_unit", "samples"), ("sampling_rate_hz", "-1")]).unwrap_err().to_string();
    assert!(wrong.contains("'-1' is no number greater than zero for the choice 'Sampling rate'"), "{wrong}");
}

#[test]
fn version_4_and_sparse_arrays_as_scipy_writes_them_are_read() {
    let path = |name: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats").join(name);
    let recording = open_ok(&path("v4_by_scipy.mat"));
    assert_eq!(recording.units.ids.join(" "), "1 2");
    assert_eq!((recording.spikes.unit(0), recording.spikes.unit(1)), (&[0.5, 1.5, 2.5][..], &[0.25, 3.5, 4.0][..]));
    // 40 bins of 10 ms and five units: spikes in bins 3 and 39, two in bin 7, one in bin 0.
    for name in ["v4_sparse_by_scipy.mat", "v5_sparse_by_scipy.mat"] {
        let recording = open_ok(&path(name));
        let counts: Vec<usize> = (0..5).map(|u| recording.spikes.unit(u).len()).collect();
        assert_eq!((recording.n_units(), counts), (5, vec![1, 2, 1, 0, 1]), "{name}");
        assert!((recording.spikes.unit(0)[0] - 0.035).abs() < 1e-9 && (recording.spikes.unit(4)[0] - 0.395).abs() < 1e-9, "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(path("v4_by_scipy.mat")).unwrap();
    let cut = folder.path().join("cut.mat");
    std::fs::write(&cut, &whole[..60]).unwrap();
    let told = read(&cut).unwrap_err().to_string();
    assert!(told.contains("spike_times is damaged: its shape is 6 × 1, but only 28 bytes follow; the file is cut off"), "{told}");
}

#[test]
fn arrays_of_structs_and_cell_explorer_files_are_read() {
    let units = Mat::Struct(
        vec![1, 2],
        vec![
            ("times".to_owned(), vec![column(&[0.5, 1.0]), column(&[2.0, 3.0, 4.5])]),
            ("id".to_owned(), vec![Mat::Bytes(vec![1, 1], vec![12]), Mat::Bytes(vec![1, 1], vec![40])]),
            ("area".to_owned(), vec![Mat::Text("V1".to_owned()), Mat::Text("LM".to_owned())]),
        ],
    );
    let recording = opened(&[("units", units)], &[]).unwrap();
    assert_eq!((recording.units.ids.join(" "), areas(&recording)), ("12 40".to_owned(), vec!["V1", "LM"]));
    assert_eq!((recording.spikes.unit(1), choice(&recording, "variable").value.as_str()), (&[2.0, 3.0, 4.5][..], "units.times"));

    let explorer = scalar_struct(vec![
        ("ts", row_cell(vec![column(&[15000.0, 30000.0]), column(&[60000.0, 90000.0])])),
        ("times", row_cell(vec![column(&[0.5, 1.0]), column(&[2.0, 3.0])])),
        ("UID", Mat::Bytes(vec![1, 2], vec![1, 2])),
        ("cluID", Mat::Bytes(vec![1, 2], vec![7, 7])),
        ("region", texts(&["CA1", "CA3"])),
        ("sr", Mat::Numbers(vec![1, 1], vec![30000.0])),
        ("filtWaveform", row_cell(vec![column(&[1.0, 2.0]), column(&[1.0, 2.0])])),
    ]);
    let variables = [("spikes", explorer)];
    let recording = opened(&variables, &[]).unwrap();
    assert_eq!((recording.units.ids.join(" "), areas(&recording)), ("1 2".to_owned(), vec!["CA1", "CA3"]));
    assert_eq!(choice(&recording, "variable").value, "spikes.times");
    // The same spikes as samples, when the user wants those.
    let samples = opened(&variables, &[("variable", "spikes.ts"), ("time_unit", "samples")]).unwrap();
    assert_eq!(samples.spikes, recording.spikes);
    assert_eq!(choice(&samples, "sampling_rate_hz").why, "as the variable sr says");
}

#[test]
fn nested_cells_are_groups_or_trials() {
    let ragged = row_cell(vec![row_cell(vec![column(&[0.5, 1.0])]), row_cell(vec![column(&[2.0]), column(&[3.0, 4.0])])]);
    let variables = [("spikes", ragged), ("tetrode_area", texts(&["CA1", "CA3"]))];
    let recording = opened(&variables, &[("area_source", "tetrode_area")]).unwrap();
    assert_eq!((recording.units.ids.join(" "), areas(&recording)), ("1.1 2.1 2.2".to_owned(), vec!["CA1", "CA3", "CA3"]));
    assert!(choice(&recording, "nesting").assumed);

    let even = row_cell(
        (0..2).map(|u| row_cell((0..3).map(|t| column(&[f64::from(u) / 4.0 + 0.1, f64::from(t) / 10.0 + 0.2])).collect())).collect(),
    );
    let variables = [("spike_times", even)];
    let question = asked(opened(&variables, &[]));
    assert_eq!(question.key, "nesting");
    assert_eq!(question.why, "the 2 outer cells have 3 vectors each: trials and units, or groups of units");
    let recording = opened(&variables, &[("nesting", "unit_trial")]).unwrap();
    assert_eq!((recording.n_units(), recording.table("trials").unwrap().len(), recording.observed.len()), (2, 3, 3));
    let starts = &recording.table("trials").unwrap().start;
    let unit = recording.spikes.unit(0);
    assert_eq!(unit.len(), 6);
    assert!((unit[5] - (starts[2] + 0.4)).abs() < 1e-12 && (unit[2] - (starts[1] + 0.1)).abs() < 1e-12, "{unit:?} {starts:?}");
    assert_eq!(opened(&variables, &[("nesting", "trial_unit")]).unwrap().n_units(), 3);
    assert_eq!(opened(&variables, &[("nesting", "groups")]).unwrap().n_units(), 6);
}

#[test]
fn tetrodes_of_structs_leave_out_what_does_not_exist() {
    let unit = |times: &[f64]| scalar_struct(vec![("time", column(times)), ("meanrate", column(&[1.0]))]);
    let tetrodes =
        row_cell(vec![row_cell(vec![unit(&[0.5, 1.0]), column(&[]), unit(&[])]), row_cell(vec![]), row_cell(vec![unit(&[2.0])])]);
    let recording = opened(&[("spikes", row_cell(vec![row_cell(vec![tetrodes])]))], &[]).unwrap();
    assert_eq!(recording.units.ids, ["T0C0", "T2C0"]);
    assert!(told(&recording, NoteKind::LeftOut, "1 struct without any time"), "{:?}", recording.report);
}

#[test]
fn flat_times_are_split_by_unit_numbers() {
    let variables = [
        ("spike_times", column(&[0.5, 1.0, 1.5, 2.0])),
        ("spike_clusters", column(&[7.0, 3.0, 7.0, 7.0])),
        ("amplitudes", column(&[1.0, 1.0, 2.0, 2.0])),
    ];
    let recording = opened(&variables, &[]).unwrap();
    assert_eq!((recording.units.ids.join(" "), recording.spikes.unit(1)), ("3 7".to_owned(), &[0.5, 1.5, 2.0][..]));
    assert_eq!(opened(&variables, &[("ids", "none")]).unwrap().n_units(), 1);
    let parts = opened(&[("spike_times", column(&[0.5, 1.0])), ("unit", column(&[1.0, 1.5]))], &[]).unwrap_err().to_string();
    assert!(parts.contains("unit is damaged: it holds 1.5 where the number of a unit should be"), "{parts}");
}

#[test]
fn counts_need_a_bin_width_and_an_order() {
    // (time, unit, trial) = (2, 3, 2), the first dimension running fastest.
    let counts = Mat::Numbers(vec![2, 3, 2], vec![1., 0., 0., 2., 0., 0., 0., 0., 0., 0., 3., 0.]);
    let question = asked(opened(&[("spike_counts", counts.clone())], &[]));
    assert_eq!((question.key.as_str(), question.unit.as_str()), ("bin_width", "ms"));
    let variables = [("spike_counts", counts), ("bin_ms", Mat::Numbers(vec![1, 1], vec![20.0]))];
    let recording = opened(&variables, &[]).unwrap();
    assert_eq!(recording.spikes.unit(0), [0.01]);
    let close = recording.spikes.unit(1).iter().zip([0.025, 0.035]).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(close && recording.spikes.unit(1).len() == 2, "{:?}", recording.spikes.unit(1));
    let start = recording.table("trials").unwrap().start[1];
    assert_eq!(recording.spikes.unit(2).len(), 3);
    assert!(recording.spikes.unit(2).iter().all(|t| (start..start + 0.02).contains(t)));
    assert_eq!((choice(&recording, "bin_width").value.as_str(), choice(&recording, "axes").value.as_str()), ("20", "time,unit,trial"));
    let turned = opened(&variables, &[("axes", "trial,unit,time"), ("bin_width", "10")]).unwrap();
    assert_eq!((turned.n_units(), turned.table("trials").unwrap().len(), turned.spikes.n_spikes()), (3, 2, 6));
    let rates = [("spike_rates", Mat::Numbers(vec![2, 2, 2], vec![0.5; 8])), ("dt", Mat::Numbers(vec![1, 1], vec![0.01]))];
    let refused = opened(&rates, &[]).unwrap_err().to_string();
    assert!(refused.contains("spike_rates is damaged: it holds 0.5, which is no number of spikes in a bin"), "{refused}");
}

#[test]
fn an_unknown_layout_is_asked_for_with_everything_that_could_be_meant() {
    let variables = [
        ("alpha", trains()),
        ("beta", column(&[0.5, 1.0, 1.25])),
        ("gamma", Mat::Text("note".to_owned())),
        ("delta", Mat::Numbers(vec![2, 2], vec![1.0; 4])),
    ];
    let question = asked(opened(&variables, &[]));
    let options: Vec<&str> = question.options.iter().map(|o| o.label.as_str()).collect();
    assert_eq!((question.key.as_str(), question.value.as_str()), ("variable", "alpha"));
    assert_eq!(options, ["alpha (cell, 1 × 3)", "beta (double, 3 × 1)", "delta (double, 2 × 2)"]);
    assert_eq!(question.why, "it is not clear which variable holds the spikes; 3 variables could");
    let recording = opened(&variables, &[("variable", "beta")]).unwrap();
    assert_eq!(recording.spikes.block(), [0.5, 1.0, 1.25]);
    assert_eq!(choice(&recording, "variable").options.len(), 3);
    let wrong = opened(&variables, &[("variable", "gamma")]).unwrap_err().to_string();
    assert!(wrong.contains("'gamma' is no answer to the choice 'Variable with the spikes'"), "{wrong}");
    let nothing = opened(&[("gamma", Mat::Text("note".to_owned())), ("x", column(&[1.0]))], &[]).unwrap_err().to_string();
    assert!(
        nothing.contains(
            "no variable of this MATLAB file can hold spikes (it has gamma (char, 1 × 1); x (double, 1 × 1)); save spike times as a cell"
        ),
        "{nothing}"
    );
}

#[test]
fn version_7_3_is_read_with_structs_strings_and_empty_cells() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats/v73_by_h5py.mat");
    let recording = open_ok(&path);
    assert_eq!(
        (recording.spikes.unit(0), recording.spikes.unit(1), recording.spikes.unit(2)),
        (&[0.5, 1.5, 2.5][..], &[][..], &[0.25, 3.5][..])
    );
    assert_eq!(areas(&recording), ["CA1", "CA3", "CA1"]);
    let values = |name: &str| recording.units.columns.iter().find(|c| c.name == name).unwrap_or_else(|| panic!("{name}")).values.clone();
    assert_eq!(values("hemisphere"), Column::Text(vec!["L".into(), "R".into(), "Lä".into()]));
    assert_eq!((values("is_single"), values("depth")), (Column::Bool(vec![true, false, true]), Column::Int(vec![10, 20, 30])));
    assert!(choice(&recording, "time_unit").why.contains("as the name spike_times_s says"));
    let structs = with(&path, &[("variable", "cells.ts"), ("time_unit", "s")]).unwrap();
    assert_eq!(structs.spikes, recording.spikes);
    assert_eq!(structs.units.columns[0].values, Column::Text(vec!["u1".into(), "u2".into(), "u3".into()]));
}

#[test]
fn sparse_counts_of_version_7_3_are_read() {
    let file = |rows: u64, places: &[u64], begins: &[u64], values: &[f64]| {
        let mut file = hdf5_pure::FileBuilder::new();
        let mut counts = file.create_group("spike_counts");
        counts.set_attr("MATLAB_class", hdf5_pure::AttrValue::String("double".to_owned()));
        counts.set_attr("MATLAB_sparse", hdf5_pure::AttrValue::U64(rows));
        if !values.is_empty() {
            counts.create_dataset("data").with_f64_data(values);
            counts.create_dataset("ir").with_u64_data(places);
        }
        counts.create_dataset("jc").with_u64_data(begins);
        file.add_group(counts.finish());
        file.create_dataset("bin_ms").with_f64_data(&[10.0]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counts.mat");
        std::fs::write(&path, file.finish().unwrap()).unwrap();
        (folder, path)
    };
    // 40 bins of three units: spikes in bins 3 and 39, none, two in bin 7.
    let (_folder, path) = file(40, &[3, 39, 7], &[0, 2, 2, 3], &[1.0, 1.0, 2.0]);
    let recording = open_ok(&path);
    let counts: Vec<usize> = (0..recording.n_units()).map(|u| recording.spikes.unit(u).len()).collect();
    assert_eq!(counts, [2, 0, 2], "{:?}", recording.report);
    assert!((recording.spikes.unit(0)[1] - 0.395).abs() < 1e-9 && recording.spikes.unit(2).iter().all(|t| (0.07..0.08).contains(t)));
    let refused = |places: &[u64], begins: &[u64], rows: u64| {
        let (_folder, path) = file(rows, places, begins, &[1.0, 1.0, 2.0]);
        let message = read(&path).unwrap_err().to_string();
        message.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&message).to_owned()
    };
    assert_eq!(
        refused(&[3, 40, 7], &[0, 2, 2, 3], 40),
        "spike_counts is damaged: a value of the sparse array lies outside of it; copy or download the file again"
    );
    let huge = refused(&[3, 39, 7], &[0, 2, 2, 3], 1 << 50);
    assert!(huge.starts_with("spike_counts claims 27021597764222976 bytes, but at most 67108864 are plausible for its 3 values"), "{huge}");
    // Nothing but zeros: an array all the same, with no spike in it.
    let (_folder, path) = file(40, &[], &[0, 0, 0, 0], &[]);
    assert_eq!(read(&path).map(|r| (r.n_units(), r.spikes.n_spikes())).unwrap(), (3, 0));
}

/// What version 5 files hold of strings, tables and other objects is not documented; nothing of it goes missing without a word.
#[test]
fn objects_that_are_not_read_are_named_with_what_to_save_instead() {
    let object = |class: &str| Mat::Object(class.to_owned());
    let units = scalar_struct(vec![("times", trains()), ("region", object("string"))]);
    let recording =
        opened(&[("spikes", units), ("when", object("datetime")), ("kind", object("categorical"))], &[("variable", "spikes.times")]);
    let recording = recording.unwrap();
    for words in [
        "it is of the class string, which is not read here; in MATLAB, save cellstr(spikes.region) (string arrays are read from files saved with -v7.3)",
        "it is of the class categorical, which is not read here; in MATLAB, save cellstr(kind)",
        "it is of the class datetime, which is not read here; in MATLAB, save what is needed of it as numbers, text or a struct",
    ] {
        assert!(told(&recording, NoteKind::LeftOut, words), "{:?}", recording.report);
    }
    let refused = opened(&[("units", object("table"))], &[]).unwrap_err().to_string();
    assert!(
        refused.contains(
            "no variable of this MATLAB file can hold spikes (it has units (table, 1 × 1)); \
             in MATLAB, save table2struct(units, 'ToScalar', true), or save spike times as a cell with one vector per unit"
        ),
        "{refused}"
    );
}

#[test]
fn loops_of_references_end() {
    let mut file = hdf5_pure::FileBuilder::new();
    file.create_dataset("spikes").with_path_references(&["spikes", "spikes", "spikes"]);
    let mut refs = file.create_group("#refs#");
    refs.create_dataset("a").with_f64_data(&[1.0]);
    file.add_group(refs.finish());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loop.mat");
    file.write(&path).unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(error.contains("is damaged: it is nested more than 10 deep, perhaps a loop of references"), "{error}");
}

#[test]
fn files_that_are_damaged_say_what_is_wrong_with_which_variable() {
    let good = PLAIN.file(&[("spikes", trains())]);
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        let (_folder, path) = put(&bytes);
        let message = read(&path).unwrap_err().to_string();
        message.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&message).to_owned()
    };
    let again = "; copy or download the file again";
    let cut = good.len() - 128 - 8;
    assert_eq!(
        refused(&|b| b.truncate(b.len() - 20)),
        format!("variable 1 is damaged: an element claims {cut} bytes, but only {} follow; the file is cut off{again}", cut - 20)
    );
    // The tag of the variable, its class, its dimensions (behind 8 + 16 + 8 bytes), the type of its first element.
    assert_eq!(refused(&|b| b[128] = 3), format!("variable 1 is damaged: it is an element of type 3 where a variable should be{again}"));
    assert_eq!(
        refused(&|b| b[164] = 200),
        format!("spikes is damaged: it claims 1 × 200 elements, but there is room for {}{again}", (good.len() - 184) / 8)
    );
    assert_eq!(refused(&|b| b[156] = 4), format!("variable 1 is damaged: an array has 1 dimensions{again}"));
    assert_eq!(refused(&|b| b[184] = 9), format!("spikes is damaged: element 1 is of type 9 where an array should be{again}"));
    assert_eq!(
        refused(&|b| b.truncate(128)),
        "there are no variables in this MATLAB file; save spike times as a cell with one vector per unit, for example save('spikes.mat', 'spikes')"
    );
    let packed = DEFLATED.file(&[("spikes", trains())]);
    let mut broken = packed.clone();
    broken[150] ^= 0xff;
    let (_folder, path) = put(&broken);
    let message = read(&path).unwrap_err().to_string();
    assert!(message.contains("variable 1 is damaged: it cannot be inflated ("), "{message}");
    // An array of zeros deflates to a thousandth; how far it may be inflated is the user's.
    let (_folder, path) = put(&DEFLATED.file(&[("spikes", Mat::Bytes(vec![1, 1 << 24], vec![0; 1 << 24]))]));
    let bomb = open(&path, &OpenOptions { max_bytes: 1 << 20, ..OpenOptions::default() }, &|_, _| true).unwrap_err().to_string();
    assert!(bomb.contains("variable 1 claims 1048577 bytes, but at most 1048576 are inflated"), "{bomb}");
    let (_folder, path) = put(b"plain text");
    assert!(read(&path).unwrap_err().to_string().contains("the name ends in .mat, but the content is text"));
}
