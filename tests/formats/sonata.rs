//! Simulations in the SONATA layout, with the network beside them.

use hdf5_pure::FileBuilder;
use spikescope::recording::{NoteKind, UnitEdge};

use crate::npy_files::{areas, choice, file, fixture, open_with};
use crate::samples::open_ok;
use crate::told;

#[test]
fn spikes_of_two_populations_come_with_their_network() {
    let path = fixture("sonata/output/spikes.h5");
    let recording = open_ok(&path);
    assert_eq!(recording.units.ids, ["lgn/5", "v1/0", "v1/2"]);
    assert_eq!((recording.spikes.unit(0), recording.spikes.unit(2)), (&[0.004][..], &[0.0025, 0.02][..]));
    assert_eq!((choice(&recording, "time_unit"), choice(&recording, "population")), (("ms", false), ("(all)", false)));
    assert_eq!((areas(&recording), &recording.observed), (vec!["", "VISp", "VISl"], &vec![(0.0, 0.1)]));
    let edges = recording.truth.as_ref().unwrap().unit_edges.as_ref().unwrap();
    let edge = |pre, post, weight, delay_s| UnitEdge { pre, post, weight, delay_s };
    assert_eq!(edges.as_slice(), [edge(1, 2, 0.5, 0.002), edge(2, 1, -0.25, 0.0015)], "cells of type 101 inhibit");
    assert!(told(&recording, NoteKind::LeftOut, "1 of 3 nodes of 'v1' have no spikes"), "{:?}", recording.report);
    assert!(told(&recording, NoteKind::Advice, "are not there: lgn_v1_edges.h5"), "{:?}", recording.report);
    assert!(told(&recording, NoteKind::LeftOut, "1 connection from or to cells that are no units here"), "{:?}", recording.report);

    let v1 = open_with(&path, &[("population", "v1"), ("silent_units", "keep"), ("area", "ei")]).unwrap();
    assert_eq!((v1.units.ids.join(" "), areas(&v1)), ("0 1 2".to_owned(), vec!["e", "e", "i"]));
    assert_eq!(v1.truth.unwrap().unit_edges.unwrap().len(), 3);
}

#[test]
fn the_old_layout_and_text_open_in_milliseconds() {
    let mut old = FileBuilder::new();
    let mut group = old.create_group("spikes");
    group.create_dataset("gids").with_u64_data(&[3, 3, 1]);
    group.create_dataset("timestamps").with_f64_data(&[5.0, 1.0, 2.0]);
    old.add_group(group.finish());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.h5");
    old.write(&path).unwrap();
    let recording = open_ok(&path);
    assert_eq!((recording.units.ids.join(" "), recording.spikes.unit(1)), ("1 3".to_owned(), &[0.001, 0.005][..]));

    let (_folder, path) = file("spikes.csv", b"timestamps population node_ids\n136.6 v1 0\n\n136.8 v1 12\n");
    let recording = open_ok(&path);
    assert_eq!((recording.units.ids.join(" "), recording.spikes.block()), ("0 12".to_owned(), &[0.1366, 0.1368][..]));
    assert!(told(&recording, NoteKind::Assumed, "milliseconds, as the SONATA specification says"), "{:?}", recording.report);
}
