//! Spike lists as people write them.

use proptest::prelude::*;
use spikescope::formats::{FormatError, OpenOptions, TimeUnit, open, save};
use spikescope::recording::{NoteKind, Recording};

use crate::samples::{assert_same, open_ok, read, small};
use crate::told;

fn list(text: &[u8]) -> Result<Recording, FormatError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.csv");
    std::fs::write(&path, text).unwrap();
    read(&path)
}

fn trains(recording: &Recording) -> Vec<(&str, &[f64])> {
    recording.units.ids.iter().enumerate().map(|(u, id)| (id.as_str(), recording.spikes.unit(u))).collect()
}

#[test]
fn headers_delimiters_and_order_of_lines_do_not_matter() {
    let wanted: &[(&str, &[f64])] = &[("3", &[0.25, 1.5]), ("12", &[0.5])];
    for text in [
        "unit,time_s\n3,0.25\n12,0.5\n3,1.5\n",
        "\u{feff}Time [s];Unit\r\n1,5;3\r\n0,25;3\r\n0,5;12\r\n",
        "# made by hand\n\nspike_time_ms\tneuron\n250\t3\n500\t12\n1500\t3.0\n",
        "3 0.25\n12   0.5\n3  1.5\n",
        "\"cluster\",\"depth\",\"t\"\n\"12\",5,\"0.5\"\n3,5,0.25\n3,6,1.5",
    ] {
        let recording = list(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(trains(&recording), wanted, "{text}");
        assert!(
            told(&recording, NoteKind::Assumed, "times are read as") || told(&recording, NoteKind::Assumed, "seconds are assumed"),
            "{text}"
        );
    }
}

#[test]
fn areas_come_from_their_column_and_contradictions_are_told() {
    let recording = list(b"unit,time_s,region\n1,0.1,V1\n2,0.2,PFC\n1,0.3,V2\n").unwrap();
    assert_eq!((recording.areas.as_slice(), recording.units.area.as_slice()), (&["V1".to_owned(), "PFC".to_owned()][..], &[0, 1][..]));
    assert!(told(&recording, NoteKind::Assumed, "1 spike with another area"), "{:?}", recording.report);
}

#[test]
fn spikes_without_a_time_are_left_out_and_told() {
    let recording = list(b"unit,time_s\n1,0.1\n1,nan\n1,\n2,inf\n1,-0.2\n").unwrap();
    assert_eq!(trains(&recording), [("1", &[-0.2, 0.1][..]), ("2", &[][..])]);
    for (kind, words) in [
        (NoteKind::LeftOut, "3 spikes without a finite time"),
        (NoteKind::Repaired, "unit 1 were not ascending"),
        (NoteKind::Advice, "1 spike before 0 s in unit 1"),
        (NoteKind::Advice, "no spikes in unit 2"),
    ] {
        assert!(told(&recording, kind, words), "{words}: {:?}", recording.report);
    }
}

#[test]
fn errors_name_the_line() {
    let line = |text: &str| match list(text.as_bytes()) {
        Err(FormatError::CsvLine { line, problem, .. }) => (line, problem),
        other => panic!("{other:?}"),
    };
    let many = "1,0.5\n".repeat(300);
    assert_eq!(line(&format!("unit,time_s\n{many}1,half past\n")), (302, "'half past' is not a time; expected a number".to_owned()));
    let (at, problem) = line(&format!("unit,time_s\n{many}\n7\n"));
    assert_eq!((at, problem.as_str()), (303, "1 field, expected at least 2 separated by commas"));
    assert_eq!(line(&format!("unit,time_s\n{many},0.5\n")).1, "the unit is empty; expected a number or a name");
}

#[test]
fn files_that_are_no_spike_lists_are_refused_in_words() {
    for (text, words) in [
        ("u0,u1,u2\n1,0,0\n0,1,0\n", "no column of spike times among its columns (u0, u1, u2)"),
        ("0,1,2\n0,0,1\n", "counts per bin or one column per unit"),
        ("just words\nand more of them here\n", "do not have the same number of fields"),
        ("unit,time_s\n", "there is no spike in the file"),
        ("time,area\n0.5,V1\n", "no column of unit ids"),
    ] {
        let error = list(text.as_bytes()).unwrap_err();
        assert!(matches!(error, FormatError::CsvLayout { .. }) && error.to_string().contains(words), "{text}: {error}");
    }
    let utf16: Vec<u8> = std::iter::once(0xfeff).chain("unit,time\n1,2\n".encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert!(list(&utf16).unwrap_err().to_string().contains("UTF-16"));
}

#[test]
fn the_unit_of_time_can_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.txt");
    std::fs::write(&path, "1 8.45\n1 32.65\n2 77.45\n").unwrap();
    let chosen = |time_unit| open(&path, &OpenOptions { time_unit, ..Default::default() }, &|_, _| true).unwrap();
    assert_eq!(chosen(TimeUnit::Seconds).spikes.unit(0), [8.45, 32.65]);
    assert_eq!(chosen(TimeUnit::Milliseconds).spikes.unit(0), [0.00845, 0.03265]);
}

#[test]
fn a_text_larger_than_allowed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.csv");
    std::fs::write(&path, "unit,time_s\n1,0.5\n").unwrap();
    let refused = open(&path, &OpenOptions { max_bytes: 10, ..Default::default() }, &|_, _| true);
    assert!(matches!(refused, Err(FormatError::TooBig { claimed: 18, .. })), "{refused:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any recording written as text comes back bit for bit, whatever its times, ids and areas.
    #[test]
    fn text_round_trip(
        units in proptest::collection::btree_map(
            "[A-Za-zäß#\",;][A-Za-z0-9 _#\",;]{0,6}[A-Za-z0-9]",
            (proptest::collection::vec(-1e6f64..1e6, 1..20), "[A-Za-z0-9 ,;\"/–]{0,8}"),
            1..8,
        ),
        tabs in any::<bool>(),
    ) {
        let ids: Vec<&str> = units.keys().map(String::as_str).collect();
        let trains: Vec<Vec<f64>> = units.values().map(|(t, _)| { let mut t = t.clone(); t.sort_by(f64::total_cmp); t }).collect();
        // Fields are trimmed when they are read.
        let areas: Vec<&str> = units.values().map(|(_, a)| a.trim()).collect();
        let recording = small(&ids, &trains.iter().map(Vec::as_slice).collect::<Vec<_>>(), &areas);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(if tabs { "list.tsv" } else { "list.csv" });
        save(&recording, &path).unwrap();
        assert_same(&open_ok(&path), &recording);
    }

    /// No text makes the reader panic.
    #[test]
    fn any_text_is_read_or_refused(text in "[0-9a-z ,;.\\t\\n\"#-]{0,400}") {
        let _ = list(text.as_bytes());
        let _ = list(format!("unit,time\n{text}").as_bytes());
    }
}
