//! Sortings as SpikeInterface saves them.

use spikescope::recording::NoteKind;

use crate::npy_files::{areas, choice, file, fixture, floats, ints, npy, npz, open_with, texts};
use crate::samples::open_ok;
use crate::told;

#[test]
fn an_npz_with_two_segments_is_put_on_one_clock() {
    let content = npz(&[
        ("unit_ids", texts(&["u0", "u1", "u10"])),
        ("num_segment", ints(&[2])),
        ("sampling_frequency", floats(&[1000.0])),
        ("spike_indexes_seg0", ints(&[10, 500])),
        ("spike_labels_seg0", texts(&["u10", "u0"])),
        ("spike_indexes_seg1", ints(&[20])),
        ("spike_labels_seg1", texts(&["u0"])),
    ]);
    let (_folder, path) = file("sorting.npz", &content);
    let recording = open_ok(&path);
    assert_eq!(recording.units.ids, ["u0", "u1", "u10"]);
    assert_eq!((recording.spikes.unit(0), recording.spikes.unit(2)), (&[0.5, 1.52][..], &[0.01][..]));
    let segments = recording.table("segments").unwrap();
    assert_eq!((segments.start.as_slice(), segments.stop.as_slice()), (&[0.0, 1.5][..], &[0.5, 1.52][..]));
    assert_eq!((choice(&recording, "segment_gap_s"), &recording.observed), (("1", true), &vec![(0.0, 0.5), (1.5, 1.52)]));
    assert_eq!(open_with(&path, &[("segment_gap_s", "4.5")]).unwrap().spikes.unit(0)[1], 5.02);
}

#[test]
fn a_numpy_folder_has_properties() {
    let record = |sample: i64, unit: i64, segment: i64| [sample, unit, segment].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
    let spikes = npy(
        "[('sample_index', '<i8'), ('unit_index', '<i8'), ('segment_index', '<i8')]",
        "(2,)",
        &[record(5, 1, 0), record(10, 0, 0)].concat(),
    );
    let (folder, path) = file("sorting/spikes.npy", &spikes);
    let root = path.parent().unwrap();
    std::fs::write(root.join("numpysorting_info.json"), br#"{"sampling_frequency": 10.0, "unit_ids": [4, "b"], "num_segments": 1}"#)
        .unwrap();
    std::fs::create_dir(root.join("properties")).unwrap();
    std::fs::write(root.join("properties/brain_area.npy"), texts(&["V1", "PFC"])).unwrap();
    std::fs::write(root.join("properties/snr.npy"), floats(&[1.0, 2.0])).unwrap();
    std::fs::write(root.join("properties/odd.npy"), floats(&[1.0])).unwrap();
    let recording = open_ok(root);
    assert_eq!(
        (recording.units.ids.join(" "), areas(&recording), recording.name.as_str()),
        ("4 b".to_owned(), vec!["V1", "PFC"], "sorting")
    );
    assert_eq!((recording.spikes.unit(0), recording.spikes.unit(1)), (&[1.0][..], &[0.5][..]));
    assert_eq!(recording.units.columns[0].name, "snr");
    assert!(told(&recording, NoteKind::LeftOut, "it has 1 values for 2 units") && recording.tables.is_empty());
    drop(folder);
}

#[test]
fn a_zarr_store_with_the_codec_that_blosc_has_by_default_opens() {
    let recording = open_ok(&fixture("zarr_blosclz"));
    assert_eq!((recording.units.ids.join(" "), recording.spikes.n_spikes()), ("a b c".to_owned(), 200));
    assert_eq!((recording.spikes.unit(0)[1], recording.spikes.unit(1)[0]), (0.014, 0.007));
}

#[test]
fn zarr_stores_open_with_every_codec_that_is_usual() {
    for name in ["zarr_zstd_bit", "zarr_lz4_byte", "zarr_zlib", "zarr_plain_zstd"] {
        let recording = open_ok(&fixture(name));
        assert_eq!((recording.units.ids.join(" "), recording.spikes.n_spikes()), ("a b c".to_owned(), 3000), "{name}");
        assert_eq!(areas(&recording), ["x", "y", "x"]);
        let (a, b) = (recording.spikes.unit(0), recording.spikes.unit(1));
        assert_eq!((a.len(), b.len(), a[1], b[0], b[749]), (1500, 1500, 0.014, 0.007, 10.493), "{name}");
        // The second segment begins a second after the last spike of the first.
        let begin = 10.493 + 1.0;
        assert!((a[750] - begin).abs() < 1e-9 && (b[1499] - (begin + 1499.0 * 0.005)).abs() < 1e-9, "{name}: {} {}", a[750], b[1499]);
    }
}
