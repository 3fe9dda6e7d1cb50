//! Recordings larger than memory: refused with a figure and a stretch that fits, and opened for that stretch without ever holding
//! the rest. Spike times in every layout of HDF5 give the same numbers.

use std::path::{Path, PathBuf};

use hdf5_pure::{AttrValue, FileBuilder};
use spikescope::formats::{FormatError, OpenOptions, TIME_RANGE, TimeRange, open, save};
use spikescope::recording::{NoteKind, Recording, fingerprint};

use crate::samples::{open_ok, small};
use crate::told;

/// Ten units, 40 000 spikes, 1000 s.
fn trains() -> Vec<Vec<f64>> {
    (0..10).map(|u| (0..4000).map(|k| f64::from(k) * 0.25 + f64::from(u) * 0.01).collect()).collect()
}

fn recording() -> Recording {
    let trains = trains();
    let ids: Vec<String> = (0..10).map(|u| u.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    small(&ids, &trains.iter().map(Vec::as_slice).collect::<Vec<_>>(), &["A"; 10])
}

fn only(path: &Path, range: Option<TimeRange>, max_bytes: u64) -> Result<Recording, FormatError> {
    open(path, &OpenOptions { time_range: range, max_bytes, ..OpenOptions::default() }, &|_, _| true)
}

const PART: TimeRange = TimeRange { from: 100.0, to: 150.0 };

/// Refused whole, opened for a stretch, and that stretch is the one of the recording opened whole.
fn opens_in_part(path: &Path, max_bytes: u64) -> String {
    let whole = open_ok(path);
    let refused = only(path, None, max_bytes).unwrap_err();
    let FormatError::NeedsAnswer { choice, .. } = &refused else { panic!("{refused}") };
    assert_eq!(choice.key, TIME_RANGE);
    let proposed: TimeRange = choice.value.parse().unwrap();
    only(path, Some(proposed), max_bytes).unwrap_or_else(|e| panic!("the stretch that was proposed does not fit: {e}"));
    let part = only(path, Some(PART), max_bytes).unwrap();
    let cut = only(path, Some(PART), u64::MAX >> 1).unwrap();
    assert_eq!((&part.spikes, &part.fingerprint, &part.units), (&cut.spikes, &cut.fingerprint, &cut.units));
    assert_eq!(part.spikes.n_spikes(), 2000);
    assert!(told(&part, NoteKind::Chosen, "only 100..150 s was loaded: 2000 of 40000 spikes"), "{:?}", part.report.notes);
    let notes = |r: &Recording| r.report.choices.iter().find(|c| c.key == TIME_RANGE).map(|c| c.why.clone());
    assert_eq!(notes(&part), notes(&cut), "what is said of the rest");
    assert!(whole.spikes.n_spikes() == 40_000);
    refused.to_string().replace(&path.display().to_string(), "FILE")
}

#[test]
fn an_nwb_file_larger_than_memory_is_opened_for_a_stretch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.nwb");
    save(&recording(), &path).unwrap();
    assert_eq!(
        opens_in_part(&path, 64_000),
        "FILE: units/spike_times takes 320.0 kB of memory and at most 64.0 kB may be used; open a part of it, for example with \
         --time-range 0..99 (the spikes run from about 0 to 1000 s); answer with --import time_range=VALUE (in s)"
    );
    let none = only(&path, Some(TimeRange { from: 5000.0, to: 6000.0 }), 64_000).unwrap_err().to_string();
    assert!(none.contains("no spikes in 5000..6000 s, they run from 0.000 to 999.840 s"), "{none}");
    // Half of it is still too much.
    let half = only(&path, Some(TimeRange { from: 0.0, to: 500.0 }), 64_000).unwrap_err().to_string();
    assert!(half.contains("for example with --time-range 0..99"), "{half}");
}

#[test]
fn a_text_larger_than_memory_is_opened_for_a_stretch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.csv");
    save(&recording(), &path).unwrap();
    let told = opens_in_part(&path, 120_000);
    assert!(told.starts_with("FILE: the text takes ") && told.contains("for example with --time-range 0.."), "{told}");
    // Without a unit in the name it is decided from all spikes, not from those that are kept.
    let lines: String = trains().iter().enumerate().flat_map(|(u, t)| t.iter().map(move |t| format!("{u},{}\n", t * 1e3))).collect();
    let path = folder.path().join("ticks.csv");
    std::fs::write(&path, format!("unit,time\n{lines}")).unwrap();
    let part = only(&path, Some(PART), 120_000).unwrap();
    assert_eq!((part.spikes.n_spikes(), part.time_range()), (2000, Some((100.0, 149.84))));
    assert!(part.report.choices.iter().any(|c| c.key == "time_unit" && c.value == "ms"), "{:?}", part.report.choices);
}

/// A file with units alone; `layout` says how the times are stored.
fn units(folder: &Path, name: &str, layout: &str) -> PathBuf {
    let (path, times) = (folder.join(name), trains().concat());
    let mut file = FileBuilder::new();
    file.set_attr("nwb_version", AttrValue::VarLenString("2.7.0".to_owned()));
    let mut units = file.create_group("units");
    units.create_dataset("id").with_i64_data(&(0..10).collect::<Vec<i64>>());
    units.create_dataset("spike_times_index").with_i64_data(&(1..=10).map(|u| u * 4000).collect::<Vec<i64>>());
    let of = times.len() as u64;
    let dataset = units.create_dataset("spike_times");
    match layout {
        "single" => dataset.with_f32_data(&times.iter().map(|t| *t as f32).collect::<Vec<f32>>()),
        _ => dataset.with_f64_data(&times),
    };
    match layout {
        "gzip" => dataset.with_shape(&[of]).with_chunks(&[1500]).with_deflate(4),
        "shuffle" => dataset.with_shape(&[of]).with_chunks(&[1500]).with_shuffle().with_deflate(6),
        "chunks" => dataset.with_shape(&[of]).with_chunks(&[1500]),
        "one" => dataset.with_shape(&[of]).with_chunks(&[of]).with_deflate(1),
        _ => dataset.with_shape(&[of]),
    };
    file.add_group(units.finish());
    std::fs::write(&path, file.finish().unwrap()).unwrap();
    path
}

#[test]
fn spike_times_are_the_same_however_they_are_stored() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = recording();
    for layout in ["plain", "chunks", "gzip", "shuffle", "one", "single"] {
        let path = units(folder.path(), &format!("{layout}.nwb"), layout);
        let back = open_ok(&path);
        if layout == "single" {
            assert!(back.spikes.block().iter().zip(wanted.spikes.block()).all(|(a, b)| (a - b).abs() < 1e-4));
        } else {
            assert_eq!(back.spikes, wanted.spikes, "{layout}");
        }
        assert_eq!(back.fingerprint, fingerprint(&back.spikes, &back.units.ids, None), "{layout}: made while reading");
        if layout == "one" {
            let told = only(&path, Some(PART), 64_000).unwrap_err().to_string();
            assert!(told.contains("claims 320000 bytes, but that is for one chunk alone"), "{told}");
            continue;
        }
        let part = only(&path, Some(PART), 64_000).unwrap();
        assert_eq!(part.spikes.n_spikes(), 2000, "{layout}");
        assert!(only(&path, None, 64_000).unwrap_err().to_string().contains("--time-range 0..99"), "{layout}");
    }
}

#[test]
fn the_fingerprint_of_repaired_data_is_that_of_the_repaired_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unsorted.nwb");
    let mut file = FileBuilder::new();
    file.set_attr("nwb_version", AttrValue::VarLenString("2.7.0".to_owned()));
    let mut units = file.create_group("units");
    units.create_dataset("id").with_i64_data(&[1, 2]);
    units.create_dataset("spike_times").with_f64_data(&[3.0, 1.0, f64::NAN, 2.0]);
    units.create_dataset("spike_times_index").with_i64_data(&[3, 4]);
    file.add_group(units.finish());
    std::fs::write(&path, file.finish().unwrap()).unwrap();
    let back = open_ok(&path);
    assert_eq!(back.spikes.block(), [1.0, 3.0, 2.0]);
    assert_eq!(back.fingerprint, fingerprint(&back.spikes, &back.units.ids, None));
}
