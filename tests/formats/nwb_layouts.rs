//! NWB as the Allen Institute and pynwb lay it out, and the places that areas can come from.

use std::path::PathBuf;

use spikescope::formats::{FormatError, OpenOptions, open};
use spikescope::recording::{Column, NoteKind, Recording};

use crate::samples::{open_ok, read};
use crate::told;

fn fixture(name: &str) -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats").join(name)
}

fn with(name: &str, source: &str) -> Result<Recording, FormatError> {
    let answers = [("area_source".to_owned(), source.to_owned())].into();
    open(&fixture(name), &OpenOptions { answers, ..OpenOptions::default() }, &|_, _| true)
}

fn areas(recording: &Recording) -> Vec<&str> {
    recording.units.area.iter().map(|&a| recording.areas[a].as_str()).collect()
}

#[test]
fn the_layout_of_the_allen_institute_is_read() {
    let recording = open_ok(&fixture("allen_by_pynwb.nwb"));
    assert_eq!(recording.units.ids, ["950911932", "950911986", "950912020"]);
    // Peak channels are ids of electrodes; the second electrode has no location.
    assert_eq!(areas(&recording), ["CA1", "VISp", ""]);
    assert!(told(&recording, NoteKind::Advice, "no named area (empty, None or unknown) for 1 of 3 units"), "{:?}", recording.report);
    assert!(told(&recording, NoteKind::Assumed, "of the electrode with id units/peak_channel_id"), "{:?}", recording.report);
    let shown = recording.table("drifting_gratings_presentations").unwrap();
    assert_eq!((shown.start.as_slice(), shown.stop.as_slice()), (&[0.0, 1.0, 2.0][..], &[0.5, 1.5, 2.5][..]));
    assert_eq!(shown.column("orientation").unwrap().values.text(2), "null");
    assert_eq!(shown.column("tags").unwrap().values.text(0), "stimulus, moving");
    assert!(recording.table("trials").is_none());
}

#[test]
fn behaviour_becomes_covariates_and_signals_are_left_alone() {
    let recording = open_ok(&fixture("allen_by_pynwb.nwb"));
    let mut found: Vec<(&str, &str, &[f64], &[f64])> =
        recording.covariates.iter().map(|c| (c.name.as_str(), c.unit.as_str(), &c.times[..], &c.values[..])).collect();
    found.sort_by_key(|c| c.0);
    assert_eq!(
        found,
        [
            ("place 1", "m", &[1.0, 1.1][..], &[0.0, 2.0][..]),
            ("place 2", "m", &[1.0, 1.1][..], &[1.0, 3.0][..]),
            ("pupil_area", "mm2", &[0.0, 1.0][..], &[2.5, 3.0][..]),
            ("running_speed", "cm/s", &[0.0, 0.5, 1.0][..], &[1.0, 2.0, 4.0][..]),
            ("running_wheel_rotation", "radians", &[0.0, 0.5, 1.0][..], &[3.0, 2.0, 1.0][..]),
            ("velocity", "m/s", &[0.0, 1.0][..], &[7.0, 8.0][..]),
        ]
    );
    // The times of the wheel are a soft link.
    assert!(told(&recording, NoteKind::Assumed, "those of processing/running/running_speed, which has as many"), "{:?}", recording.report);
    assert!(told(&recording, NoteKind::LeftOut, "processing/ecephys/LFP (LFP, left alone)"), "{:?}", recording.report);
}

#[test]
fn fixed_strings_are_read_and_the_source_of_areas_is_a_choice() {
    let recording = open_ok(&fixture("fixed_strings.nwb"));
    assert_eq!(recording.spikes.block(), [0.5, 1.5, 0.25, 2.0]);
    assert_eq!(areas(&recording), ["V1", "LM-long", ""]);
    let choice = recording.report.choices.iter().find(|c| c.key == "area_source").unwrap();
    let options: Vec<(&str, &str)> = choice.options.iter().map(|o| (o.value.as_str(), o.label.as_str())).collect();
    assert_eq!(options, [("units/brain_area", "units/brain_area (2 named areas)"), ("units/region", "units/region (2 named areas)")]);
    assert_eq!((choice.value.as_str(), choice.assumed), ("units/brain_area", true));
    let other = with("fixed_strings.nwb", "units/region").unwrap();
    assert_eq!(areas(&other), ["left", "rightä", "left"]);
    assert!(!other.report.choices[0].assumed && other.report.choices[0].why.starts_with("as chosen; otherwise it were"));
    let wrong = with("fixed_strings.nwb", "elsewhere").unwrap_err().to_string();
    assert!(wrong.contains("'elsewhere' is no answer to the choice 'Areas from'; answer with --import area_source=VALUE"), "{wrong}");
}

#[test]
fn groups_of_electrodes_tell_units_apart() {
    let recording = open_ok(&fixture("two_probes.nwb"));
    assert_eq!(areas(&recording), ["V1", "LM", "V1", "LM"]);
    let choice = recording.report.choices.iter().find(|c| c.key == "area_source").unwrap();
    let values: Vec<&str> = choice.options.iter().map(|o| o.value.as_str()).collect();
    // units/electrode_group says the same as the groups of the electrodes.
    assert_eq!(values, ["electrodes/location", "electrodes/group"]);
    assert_eq!(areas(&with("two_probes.nwb", "electrodes/group").unwrap()), ["left", "left", "right", "right"]);
    let probes = recording.units.columns.iter().find(|c| c.name == "electrode_group").unwrap();
    assert_eq!(probes.values, Column::Text(["probeA", "probeA", "probeB", "probeB"].map(str::to_owned).to_vec()));

    // One shank per area: neither a choice nor a column more.
    let plain = open_ok(&fixture("by_pynwb.nwb"));
    assert_eq!(areas(&plain), ["V1", "PFC"]);
    assert!(plain.report.choices.is_empty() && plain.units.columns.iter().all(|c| c.name != "electrode_group"));
}

#[test]
fn blosc_is_named_with_the_way_to_repack() {
    let message = read(&fixture("blosc.nwb")).unwrap_err().to_string();
    let expected = format!(
        "{}: units/spike_times is stored with the blosc filter (id 32001), which is not supported; write the file again with gzip or without \
         compression, for example h5repack -f GZIP=4 OLD NEW where the filter's plugin is installed (pip install hdf5plugin)",
        fixture("blosc.nwb").display()
    );
    assert_eq!(message, expected);
}
