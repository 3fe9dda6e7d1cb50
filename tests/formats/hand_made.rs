//! NWB files in the layouts that are found in the wild, made here by hand.

use hdf5_pure::{AttrValue, FileBuilder, GroupBuilder};
use spikescope::formats::{FormatError, OpenOptions, open};
use spikescope::recording::{AreaRule, Column, NoteKind, Recording};

use crate::samples::{open_ok, read};
use crate::told;

/// A file with the given units table and whatever else `more` adds.
fn nwb(units: impl FnOnce(&mut GroupBuilder), more: impl FnOnce(&mut FileBuilder)) -> (tempfile::TempDir, std::path::PathBuf) {
    let mut file = FileBuilder::new();
    file.set_attr("nwb_version", AttrValue::VarLenString("2.6.0".to_owned()));
    let mut group = file.create_group("units");
    units(&mut group);
    file.add_group(group.finish());
    more(&mut file);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.nwb");
    file.write(&path).unwrap();
    (folder, path)
}

fn spikes(units: &mut GroupBuilder) {
    units.create_dataset("id").with_i64_data(&[7, 8, 9]);
    units.create_dataset("spike_times").with_f64_data(&[0.5, 1.5, 0.25, 2.0]);
    units.create_dataset("spike_times_index").with_u16_data(&[2, 3, 4]);
}

/// An electrodes table with these locations and ids 100, 101, ….
fn electrodes(file: &mut FileBuilder, locations: &[&str]) {
    let mut general = file.create_group("general");
    let mut ephys = general.create_group("extracellular_ephys");
    let mut table = ephys.create_group("electrodes");
    table.create_dataset("id").with_i64_data(&(100..100 + locations.len() as i64).collect::<Vec<_>>());
    table.create_dataset("location").with_vlen_strings(locations);
    ephys.add_group(table.finish());
    general.add_group(ephys.finish());
    file.add_group(general.finish());
}

fn areas(recording: &Recording) -> Vec<&str> {
    recording.units.area.iter().map(|&a| recording.areas[a].as_str()).collect()
}

#[test]
fn indices_of_every_width_and_compressed_times_are_read() {
    type Width = fn(&mut GroupBuilder);
    let widths: [Width; 4] = [
        |u| {
            u.create_dataset("spike_times_index").with_u8_data(&[2, 3, 4]);
        },
        |u| {
            u.create_dataset("spike_times_index").with_u16_data(&[2, 3, 4]).with_chunks(&[2]).with_lzf();
        },
        |u| {
            u.create_dataset("spike_times_index").with_u32_data(&[2, 3, 4]);
        },
        |u| {
            u.create_dataset("spike_times_index").with_u64_data(&[2, 3, 4]).with_chunks(&[3]).with_deflate(4);
        },
    ];
    for width in widths {
        let (_folder, path) = nwb(
            |units| {
                units.create_dataset("id").with_i32_data(&[7, 8, 9]);
                units.create_dataset("spike_times").with_f32_data(&[0.5, 1.5, 0.25, 2.0]).with_chunks(&[2]).with_shuffle().with_deflate(4);
                width(units);
            },
            |_| {},
        );
        let recording = open_ok(&path);
        assert_eq!(recording.spikes.block(), [0.5, 1.5, 0.25, 2.0]);
        assert_eq!((recording.units.ids.join(" "), recording.areas.as_slice()), ("7 8 9".to_owned(), &[String::new()][..]));
        assert!(told(&recording, NoteKind::Assumed, "does not say which area"), "{:?}", recording.report);
    }
}

#[test]
fn areas_come_from_single_and_ragged_electrodes() {
    let single = |units: &mut GroupBuilder| {
        spikes(units);
        units.create_dataset("electrodes").with_i32_data(&[1, 0, 5]);
    };
    let (_folder, path) = nwb(single, |file| electrodes(file, &["V1", "V2"]));
    let recording = open_ok(&path);
    assert_eq!(areas(&recording), ["V2", "V1", ""]);
    assert!(told(&recording, NoteKind::LeftOut, "electrodes that are not in the table for 1 unit"), "{:?}", recording.report);

    let ragged = |units: &mut GroupBuilder| {
        spikes(units);
        units.create_dataset("electrodes").with_i64_data(&[1, 0, 0, 0]);
        units.create_dataset("electrodes_index").with_u8_data(&[2, 2, 4]);
    };
    let (_folder, path) = nwb(ragged, |file| electrodes(file, &["V1", "V2"]));
    let recording = open_ok(&path);
    assert_eq!(areas(&recording), ["V2", "", "V1"]);
    assert!(told(&recording, NoteKind::Assumed, "electrodes in several areas for 1 unit"), "{:?}", recording.report);
}

#[test]
fn areas_come_from_the_peak_channel_by_id() {
    let allen = |units: &mut GroupBuilder| {
        spikes(units);
        units.create_dataset("peak_channel_id").with_i64_data(&[101, 100, 999]);
    };
    let (_folder, path) = nwb(allen, |file| {
        electrodes(file, &["VISp", "LGd"]);
        let mut intervals = file.create_group("intervals");
        let mut shown = intervals.create_group("drifting_gratings_presentations");
        shown.create_dataset("start_time").with_f64_data(&[0.0, 1.0]);
        shown.create_dataset("stop_time").with_f64_data(&[1.0, 0.5]);
        shown.create_dataset("orientation").with_f64_data(&[45.0, 90.0]);
        shown.create_dataset("tags").with_vlen_strings(&["a", "b", "c"]);
        shown.create_dataset("tags_index").with_u8_data(&[2, 3]);
        shown.create_dataset("image").with_f64_data(&[0.0; 8]).with_shape(&[2, 4]);
        shown.set_attr("colnames", AttrValue::VarLenStringArray(vec!["tags".to_owned(), "orientation".to_owned()]));
        intervals.add_group(shown.finish());
        file.add_group(intervals.finish());
    });
    let recording = open_ok(&path);
    assert_eq!(areas(&recording), ["LGd", "VISp", ""]);
    let table = recording.table("drifting_gratings_presentations").unwrap();
    let columns: Vec<(&str, &Column)> = table.columns.iter().map(|c| (c.name.as_str(), &c.values)).collect();
    let tags = Column::Text(vec!["a, b".to_owned(), "c".to_owned()]);
    assert_eq!(columns, [("tags", &tags), ("orientation", &Column::Float(vec![45.0, 90.0]))]);
    assert!(told(&recording, NoteKind::LeftOut, "were not read: image"), "{:?}", recording.report);
    assert!(told(&recording, NoteKind::Advice, "1 row with a stop before the start"), "{:?}", recording.report);
}

#[test]
fn areas_come_from_the_units_themselves_or_from_their_groups() {
    let own = |units: &mut GroupBuilder| {
        spikes(units);
        units.create_dataset("Brain_Area").with_strings(&["CA1", "CA3", "CA1"]).unwrap();
    };
    let (_folder, path) = nwb(own, |file| electrodes(file, &["V1"]));
    assert_eq!(areas(&open_ok(&path)), ["CA1", "CA3", "CA1"]);

    let grouped = |units: &mut GroupBuilder| {
        spikes(units);
        units.create_dataset("electrode_group").with_path_references(&["shanks/a", "shanks/b", "shanks/a"]);
    };
    let (_folder, path) = nwb(grouped, |file| {
        let mut shanks = file.create_group("shanks");
        for (name, location) in [("a", "adn"), ("b", "ca1")] {
            let mut shank = shanks.create_group(name);
            shank.set_attr("location", AttrValue::VarLenString(location.to_owned()));
            shanks.add_group(shank.finish());
        }
        file.add_group(shanks.finish());
    });
    let recording = open_ok(&path);
    assert_eq!(areas(&recording), ["adn", "ca1", "adn"]);
    assert!(told(&recording, NoteKind::Assumed, "the location of units/electrode_group"), "{:?}", recording.report);
}

#[test]
fn array_local_electrodes_are_recognised_and_the_arrays_offered() {
    let local = |units: &mut GroupBuilder| {
        units.create_dataset("id").with_i64_data(&[1001, 1002, 2001, 2002]);
        units.create_dataset("spike_times").with_f64_data(&[0.5, 1.5, 0.25, 2.0]);
        units.create_dataset("spike_times_index").with_u8_data(&[1, 2, 3, 4]);
        units.create_dataset("electrodes").with_i64_data(&[0, 1, 1, 0]);
    };
    let (_folder, path) = nwb(local, |file| electrodes(file, &["PMd", "PMd", "M1", "M1"]));
    let recording = open_ok(&path);
    assert_eq!(areas(&recording), ["PMd"; 4]);
    assert!(told(&recording, NoteKind::Advice, "2 units PMd (ids 1xxx), 2 units M1 (ids 2xxx)"), "{:?}", recording.report);
    let offered = AreaRule::offered(&recording);
    assert_eq!(offered[1].areas, [("PMd".to_owned(), 2), ("M1".to_owned(), 2)]);
    assert_eq!(offered[1].label, "unit id / 1000 (1 = PMd, 2 = M1)");

    // Electrodes numbered through the whole table are what they seem to be.
    let global = |units: &mut GroupBuilder| {
        units.create_dataset("id").with_i64_data(&[1001, 1002, 2001, 2002]);
        units.create_dataset("spike_times").with_f64_data(&[0.5, 1.5, 0.25, 2.0]);
        units.create_dataset("spike_times_index").with_u8_data(&[1, 2, 3, 4]);
        units.create_dataset("electrodes").with_i64_data(&[0, 1, 3, 2]);
    };
    let (_folder, path) = nwb(global, |file| electrodes(file, &["PMd", "PMd", "M1", "M1"]));
    let recording = open_ok(&path);
    assert_eq!(areas(&recording), ["PMd", "PMd", "M1", "M1"]);
    assert!(recording.units.columns.is_empty() && !told(&recording, NoteKind::Advice, "ids 1xxx"), "{:?}", recording.report);
}

#[test]
fn dirty_units_are_repaired_and_told() {
    let dirty = |units: &mut GroupBuilder| {
        units.create_dataset("id").with_i64_data(&[4, 4, 6]);
        units.create_dataset("spike_times").with_f64_data(&[2.0, 1.0, f64::NAN, -3.0, 2e6]);
        units.create_dataset("spike_times_index").with_u8_data(&[3, 3, 5]);
    };
    let (_folder, path) = nwb(dirty, |_| {});
    let recording = open_ok(&path);
    assert_eq!(recording.spikes.block(), [1.0, 2.0, -3.0, 2e6]);
    for (kind, words) in [
        (NoteKind::LeftOut, "1 spike without a finite time"),
        (NoteKind::Repaired, "unit 4 were not ascending"),
        (NoteKind::Advice, "1 spike before 0 s in unit 6"),
        (NoteKind::Advice, "no spikes in unit 4"),
        (NoteKind::Advice, "ids of several units: 4;"),
        (NoteKind::Advice, "may be samples or milliseconds"),
    ] {
        assert!(told(&recording, kind, words), "{words}: {:?}", recording.report);
    }
}

#[test]
fn observation_intervals_and_time_series_are_kept() {
    let observed = |units: &mut GroupBuilder| {
        spikes(units);
        let rows = [0.0, 1.0, 2.0, 3.0, 0.0, 1.0, 2.5, 4.0, 0.0, 9.0];
        units.create_dataset("obs_intervals").with_f64_data(&rows).with_shape(&[5, 2]);
        units.create_dataset("obs_intervals_index").with_u8_data(&[2, 4, 5]);
    };
    let (_folder, path) = nwb(observed, |file| {
        let mut processing = file.create_group("processing");
        let mut behavior = processing.create_group("behavior");
        let mut speed = behavior.create_group("speed");
        speed.create_dataset("data").with_f64_data(&[1.0, 2.0, 3.0]).set_attr("unit", AttrValue::VarLenString("cm/s".to_owned()));
        speed.create_dataset("starting_time").with_f64_data(&[10.0]).with_shape(&[]).set_attr("rate", AttrValue::F64(2.0));
        behavior.add_group(speed.finish());
        let mut hand = behavior.create_group("hand");
        hand.create_dataset("data").with_f64_data(&[1.0, 2.0, 3.0, 4.0]).with_shape(&[2, 2]).set_attr("conversion", AttrValue::F64(0.5));
        hand.create_dataset("timestamps").with_f64_data(&[0.0, 1.0]);
        behavior.add_group(hand.finish());
        let mut wide = behavior.create_group("lfp");
        wide.create_dataset("data").with_f64_data(&[0.0; 8]).with_shape(&[2, 4]);
        behavior.add_group(wide.finish());
        processing.add_group(behavior.finish());
        file.add_group(processing.finish());
    });
    let recording = open_ok(&path);
    assert_eq!(recording.observed, [(0.0, 1.0), (2.5, 3.0)]);
    assert!(told(&recording, NoteKind::Assumed, "observed at different times"), "{:?}", recording.report);
    let mut series: Vec<(&str, &str, &[f64], &[f64])> =
        recording.covariates.iter().map(|c| (c.name.as_str(), c.unit.as_str(), &c.times[..], &c.values[..])).collect();
    series.sort_by_key(|s| s.0);
    assert_eq!(
        series,
        [
            ("hand 1", "", &[0.0, 1.0][..], &[0.5, 1.5][..]),
            ("hand 2", "", &[0.0, 1.0][..], &[1.0, 2.0][..]),
            ("speed", "cm/s", &[10.0, 10.5, 11.0][..], &[1.0, 2.0, 3.0][..]),
        ]
    );
    assert!(told(&recording, NoteKind::LeftOut, "processing/behavior/lfp (shape [2, 4])"), "{:?}", recording.report);
}

#[test]
fn files_without_units_or_times_or_with_contradictions_say_so() {
    let mut empty = FileBuilder::new();
    let group = empty.create_group("acquisition");
    empty.add_group(group.finish());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.nwb");
    empty.write(&path).unwrap();
    let error = read(&path).unwrap_err();
    assert!(matches!(error, FormatError::NoUnits { .. }) && error.to_string().contains("the file has acquisition"), "{error}");

    let (_folder, path) = nwb(
        |units| {
            units.create_dataset("id").with_i64_data(&[1, 2]);
        },
        |_| {},
    );
    let error = read(&path).unwrap_err();
    assert!(matches!(error, FormatError::NoSpikeTimes { units: 2, .. }), "{error}");

    let broken = |index: &'static [u8]| {
        let (_folder, path) = nwb(
            |units| {
                units.create_dataset("id").with_i64_data(&[1, 2]);
                units.create_dataset("spike_times").with_f64_data(&[0.0, 1.0]);
                units.create_dataset("spike_times_index").with_u8_data(index);
            },
            |_| {},
        );
        read(&path).unwrap_err().to_string()
    };
    assert!(broken(&[1, 3]).contains("units/spike_times_index is damaged: it does not ascend"));
    assert!(broken(&[2, 1]).contains("units/spike_times_index is damaged: it does not ascend"));
    assert!(broken(&[2]).contains("it has 1 rows, but there are 2 units"));
}

#[test]
fn units_without_ids_are_numbered() {
    let (_folder, path) = nwb(
        |units| {
            units.create_dataset("spike_times").with_f64_data(&[0.0, 1.0]);
            units.create_dataset("spike_times_index").with_u8_data(&[1, 2]);
        },
        |_| {},
    );
    let recording = open_ok(&path);
    assert_eq!(recording.units.ids, ["0", "1"]);
    assert!(told(&recording, NoteKind::Assumed, "numbered from 0"), "{:?}", recording.report);
}

#[test]
fn external_links_are_named_with_the_file_that_has_the_data() {
    let fixture = |name: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats").join(name);
    for (name, words) in [
        ("external_times.nwb", "units/spike_times is an external link to /units/spike_times in the file 'raw.nwb', which is not followed"),
        ("external_units.nwb", "units is an external link to /units in the file 'raw data.nwb', which is not followed; open that file"),
    ] {
        let error = read(&fixture(name)).unwrap_err().to_string();
        assert!(error.contains(words), "{name}: {error}");
    }
}

#[test]
fn claims_of_size_are_checked_before_anything_is_read() {
    let fixture = |name: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats").join(name);
    for (name, words) in [
        ("huge_chunked.nwb", "units/spike_times claims 800000000000 bytes, but the file is too small for an index of its chunks"),
        ("huge_sparse.nwb", "units/spike_times claims 8000000000 bytes, but"),
        ("huge_unwritten.nwb", "units/spike_times claims 8000000000 bytes, but nothing is stored for it"),
    ] {
        let error = read(&fixture(name)).unwrap_err();
        assert!(matches!(error, FormatError::TooBig { .. }) && error.to_string().contains(words), "{name}: {error}");
    }
    // A damaged copy of by_pynwb.nwb whose chunk claims 4 GiB: the column is left out, the rest is read.
    let recording = open_ok(&fixture("chunk_outside.nwb"));
    assert!(told(&recording, NoteKind::LeftOut, "one of its chunks lies outside the file"), "{:?}", recording.report);
    let (_folder, path) = nwb(spikes, |_| {});
    let tight = open(&path, &OpenOptions { max_bytes: 31, ..Default::default() }, &|_, _| true);
    let tight = tight.unwrap_err().to_string();
    assert!(tight.contains("units/spike_times takes 0.0 kB of memory and at most 0.0 kB may be used"), "{tight}");
}

#[test]
fn unsupported_compression_is_named_with_a_remedy() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats/zstd.nwb");
    let error = read(&path).unwrap_err();
    assert!(matches!(error, FormatError::UnsupportedFilter { .. }), "{error}");
    assert!(
        error.to_string().contains("units/spike_times is stored with the zstd filter (id 32015)") && error.to_string().contains("h5repack"),
        "{error}"
    );
}

#[test]
fn what_pynwb_and_the_newest_libhdf5_write_is_read() {
    let fixture = |name: &str| open_ok(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats").join(name));
    let recording = fixture("by_pynwb.nwb");
    assert_eq!((recording.units.ids.join(" "), areas(&recording)), ("3 5".to_owned(), vec!["V1", "PFC"]));
    assert_eq!((recording.spikes.unit(0), recording.spikes.unit(1)), (&[0.1, 0.2, 3.5][..], &[1.0, 2.0][..]));
    let trials = recording.table("trials").unwrap();
    assert_eq!((trials.start.as_slice(), trials.stop.as_slice()), (&[0.0, 2.0][..], &[1.5, 4.0][..]));
    assert_eq!(trials.column("correct").unwrap().values, Column::Bool(vec![true, false]));
    assert_eq!(recording.observed, [(0.0, 4.0)]);
    assert_eq!(recording.covariates[0].values, [1.0, 2.0, 4.0]);

    // Data layout messages of version 5, chunks indexed in every way.
    let latest = fixture("latest.nwb");
    assert_eq!(latest.spikes.n_spikes(), 600);
    assert!((0..3).all(|u| latest.spikes.unit(u).iter().enumerate().all(|(k, &t)| t == k as f64 / 8.0)));
    assert_eq!(areas(&latest), ["a", "b", "a"]);
}
