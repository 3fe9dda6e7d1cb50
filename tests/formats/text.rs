//! Spike lists as people write them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use spikescope::formats::{FormatError, OpenOptions, TextPreview, open, preview_with, save, shape_key};
use spikescope::recording::{NoteKind, Recording};

use crate::samples::{assert_same, open_ok, read, small};
use crate::told;

fn list(text: &[u8]) -> Result<Recording, FormatError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.csv");
    std::fs::write(&path, text).unwrap();
    read(&path)
}

pub fn trains(recording: &Recording) -> Vec<(&str, &[f64])> {
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
        ("unit,brain_area,n_spikes\n0,adn,8764\n1,adn,6879\n", "no column of spike times among its columns (unit, brain_area, n_spikes)"),
        ("start,stop\n0,600.5\n600.5,1200\n", "no column of spike times among its columns (start, stop)"),
        ("just words\nand more of them here\n", "do not have the same number of fields"),
        ("unit,time_s\n", "there is no spike in the file"),
        ("time,area\n0.5,V1\n", "no column of unit ids"),
        ("0.5,0.1,7\n0.4,0.3,6\n0.9,0.2,8\n", "counts per bin or one column per unit"),
        ("\n\n# nothing\n", "no lines with data"),
    ] {
        let error = list(text.as_bytes()).unwrap_err();
        assert!(matches!(error, FormatError::CsvLayout { .. }) && error.to_string().contains(words), "{text}: {error}");
    }
}

/// Open text under a name with answers.
fn answered(name: &str, text: &[u8], answers: &[(&str, &str)]) -> Result<Recording, FormatError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    open(&path, &with(answers), &|_, _| true)
}

pub fn with(answers: &[(&str, &str)]) -> OpenOptions {
    let answers: BTreeMap<String, String> = answers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    OpenOptions { answers, ..Default::default() }
}

pub fn choice<'r>(recording: &'r Recording, key: &str) -> &'r str {
    &recording.report.choices.iter().find(|c| c.key == key).unwrap_or_else(|| panic!("{key}: {:?}", recording.report.choices)).value
}

pub fn gzip(text: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn tables_with_a_column_per_unit_are_read() {
    let text = "a,b,c\n0.5,0.25,0.1\n1.5,0.75,\n2.5,,nan\n";
    for (name, bytes) in [("wide.csv", text.as_bytes().to_vec()), ("wide.csv.gz", gzip(text.as_bytes()))] {
        let recording = answered(name, &bytes, &[]).unwrap();
        assert_eq!(trains(&recording), [("a", &[0.5, 1.5, 2.5][..]), ("b", &[0.25, 0.75][..]), ("c", &[0.1][..])], "{name}");
        assert_eq!((choice(&recording, "layout"), choice(&recording, "role/b"), choice(&recording, "time_unit")), ("wide", "unit", "s"));
    }
    // Without header, columns cut short, decimal commas; then with a column left out.
    let text = b"0,5;0,25\n1,5;0,75\n2,5;\n";
    let recording = answered("w.txt", text, &[]).unwrap();
    assert_eq!(trains(&recording), [("1", &[0.5, 1.5, 2.5][..]), ("2", &[0.25, 0.75][..])]);
    assert_eq!(
        (choice(&recording, "separator"), choice(&recording, "decimal"), choice(&recording, "header")),
        ("semicolon", "comma", "no")
    );
    let recording = answered("w.txt", text, &[("role/column 1", "ignore"), ("time_unit", "ms")]).unwrap();
    assert_eq!(trains(&recording), [("1", &[0.00025, 0.00075][..])]);
    assert!(told(&recording, NoteKind::Assumed, "times are read as milliseconds, as chosen"), "{:?}", recording.report);
    assert!(told(&recording, NoteKind::LeftOut, "columns that are not used: column 1"), "{:?}", recording.report);
    // As pandas writes it, with the row numbers.
    let recording = answered("p.csv", b",u1,u2\n0,0.5,0.7\n1,1.5,1.7\n2,2.5,1.9\n", &[]).unwrap();
    assert_eq!(trains(&recording), [("u1", &[0.5, 1.5, 2.5][..]), ("u2", &[0.7, 1.7, 1.9][..])]);
    // One unit, one number per line.
    let recording = answered("one.txt", b"times\n0.5\n1.5\n", &[]).unwrap();
    assert_eq!(trains(&recording), [("times", &[0.5, 1.5][..])]);
}

#[test]
fn lines_per_unit_are_read_with_and_without_ids() {
    let recording = answered("lines.txt", b"0.1 0.2 0.3\n\n0.4 0.5\n\n", &[]).unwrap();
    assert_eq!(trains(&recording), [("1", &[0.1, 0.2, 0.3][..]), ("2", &[][..]), ("3", &[0.4, 0.5][..])]);
    assert!(told(&recording, NoteKind::Assumed, "1 blank line between others"), "{:?}", recording.report);
    let wanted: &[(&str, &[f64])] = &[("n1", &[0.1, 0.2, 0.3]), ("n2", &[0.4, 0.5])];
    assert_eq!(trains(&answered("ids.txt", b"n1: 0.1 0.2 0.3\nn2: 0.4 0.5\n", &[]).unwrap()), wanted);
    let numbered = answered("num.csv", b"7,0.1,0.2,0.3\n5,0.4,0.5\n", &[]).unwrap();
    assert_eq!(trains(&numbered), [("7", &[0.1, 0.2, 0.3][..]), ("5", &[0.4, 0.5][..])]);
    let as_times = answered("num.csv", b"7,0.1,0.2,0.3\n5,0.4,0.5\n", &[("line_ids", "value")]).unwrap();
    assert_eq!(as_times.spikes.n_spikes(), 7);
}

#[test]
fn counts_per_bin_need_the_width_of_the_bins() {
    let text = b"u0,u1,u2\n1,0,0\n0,2,0\n0,0,1\n";
    let error = answered("counts.csv", text, &[]).unwrap_err();
    let FormatError::NeedsAnswer { choice: asked, .. } = &error else { panic!("{error}") };
    assert_eq!((asked.key.as_str(), asked.unit.as_str()), ("bin_width_ms", "ms"));
    let wanted: &[(&str, &[f64])] = &[("u0", &[0.005]), ("u1", &[0.0125, 0.0175]), ("u2", &[0.025])];
    assert_eq!(trains(&answered("counts.csv", text, &[("bin_width_ms", "10")]).unwrap()), wanted);
    let named = answered("counts_10ms.csv", text, &[]).unwrap();
    assert_eq!(trains(&named), wanted);
    assert!(told(&named, NoteKind::Assumed, "bins are 10 ms long, as the name of the file says"), "{:?}", named.report);
    let timed = answered("t.csv", b"time,u0,u1,u2\n0.0,1,0,0\n0.01,0,2,0\n0.02,0,0,1\n", &[]).unwrap();
    assert_eq!((trains(&timed), choice(&timed, "bin_width_ms")), (wanted.to_vec(), "10"));
    let turned = answered("t.csv", b"1,0,0\n0,2,0\n0,0,1\n", &[("bin_width_ms", "10"), ("layout", "binned_lines")]).unwrap();
    assert_eq!(turned.units.ids, ["1", "2", "3"]);
    assert_eq!(turned.spikes, named.spikes);
}

#[test]
fn every_unit_of_time_can_be_chosen_and_samples_need_a_rate() {
    let text = b"1 300\n1 900\n2 1500\n";
    for (unit, first) in [("s", 300.0), ("ms", 0.3), ("us", 0.0003)] {
        assert_eq!(answered("l.txt", text, &[("time_unit", unit)]).unwrap().spikes.unit(0)[0], first);
    }
    let error = answered("l.txt", text, &[("time_unit", "samples")]).unwrap_err().to_string();
    assert!(error.ends_with("30000 is usual; answer with --import sampling_rate_hz=VALUE (in Hz)"), "{error}");
    let recording = answered("l.txt", text, &[("time_unit", "samples"), ("sampling_rate_hz", "30000")]).unwrap();
    assert_eq!(recording.spikes.unit(0), [0.01, 0.03]);
    assert_eq!(choice(&recording, "sampling_rate_hz"), "30000");
    let named = answered("l.csv", b"unit,spike_sample\n1,300\n", &[("sampling_rate_hz", "30000")]).unwrap();
    assert_eq!(named.spikes.unit(0), [0.01]);
}

#[test]
fn odd_lists_are_read_after_a_word_from_the_user() {
    // Lines above the header, names that say nothing.
    let text = b"Lab of somebody\nexported yesterday\nx,y,z\n0.5,A,9\n0.7,B,8\n0.9,A,7\n";
    let error = answered("odd.csv", text, &[]).unwrap_err();
    assert!(error.to_string().contains("among its columns (x, y, z)"), "{error}");
    let recording = answered("odd.csv", text, &[("role/x", "time"), ("role/y", "unit")]).unwrap();
    assert_eq!(trains(&recording), [("A", &[0.5, 0.9][..]), ("B", &[0.7][..])]);
    assert_eq!((choice(&recording, "skip_lines"), choice(&recording, "layout")), ("2", "long"));
    // Columns named the wrong way round.
    let swapped = answered("s.csv", b"unit,time\n0.5,1\n0.7,2\n", &[("role/unit", "time"), ("role/time", "unit")]).unwrap();
    assert_eq!(trains(&swapped), [("1", &[0.5][..]), ("2", &[0.7][..])]);
    // A row name in every line, as R writes tables; a header of numbers; Latin-1 and UTF-16.
    let r = answered("r.txt", b"\"unit\" \"time\"\n\"1\" 3 0.5\n\"2\" 4 0.7\n", &[]).unwrap();
    assert_eq!(trains(&r), [("3", &[0.5][..]), ("4", &[0.7][..])]);
    let numbers = answered("n.csv", b"0,1,2\n0.5,0.6,0.7\n1.5,1.6,1.7\n", &[]).unwrap();
    assert_eq!(numbers.units.ids, ["0", "1", "2"]);
    let latin = answered("l.csv", b"unit,time [\xb5s]\n\xe4,500000\n", &[]).unwrap();
    assert_eq!(trains(&latin), [("ä", &[0.5][..])]);
    let utf16: Vec<u8> = std::iter::once(0xfeff).chain("unit\ttime_s\n1\t2\n".encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_eq!(trains(&answered("u.txt", &utf16, &[]).unwrap()), [("1", &[2.0][..])]);
    // Answers of another layout count for nothing.
    let stale = answered("w.csv", b"a,b\n0.5,0.25\n1.5,0.75\n", &[("role/a", "time")]).unwrap();
    assert_eq!(stale.n_units(), 2);
}

/// Names in another language say nothing; what units are part of is seen in the values. Comments may say what a sample is.
#[test]
fn units_areas_and_samples_are_told_without_known_names() {
    let text = "\u{feff}Einheit;Zeit [ms];Hirnareal\r\nn1;500,5;V1\r\nn2;600;V1\r\nn3;700;MT\r\nn1;800;V1\r\n";
    let german = answered("g.csv", text.as_bytes(), &[]).unwrap();
    assert_eq!(trains(&german), [("n1", &[0.5005, 0.8][..]), ("n2", &[0.6][..]), ("n3", &[0.7][..])]);
    assert_eq!((german.areas.as_slice(), german.units.area.as_slice()), (&["V1".to_owned(), "MT".to_owned()][..], &[0, 0, 1][..]));
    let assumed = |key: &str| german.report.choices.iter().any(|c| c.key == key && c.assumed);
    assert!(assumed("role/Einheit") && assumed("role/Hirnareal"), "{:?}", german.report.choices);
    // Where a unit has two words there, it is no part of them: nothing is guessed.
    let refused = answered("g.csv", b"x,y,z\n0.5,A,p\n0.6,B,p\n0.7,A,q\n", &[]).unwrap_err().to_string();
    assert!(refused.contains("among its columns (x, y, z)"), "{refused}");

    let lines: String = (0..40).map(|k| format!("{}  {}\n", k % 2, 3000 * k)).collect();
    let samples = answered("c.txt", format!("# exported\n# fs = 30000\n{lines}").as_bytes(), &[]).unwrap();
    assert_eq!((choice(&samples, "time_unit"), choice(&samples, "sampling_rate_hz")), ("samples", "30000"));
    assert_eq!(samples.time_range(), Some((0.0, 3.9)));
    assert!(told(&samples, NoteKind::Assumed, "30000 samples are one second, as a comment above the data says"), "{:?}", samples.report);
}

#[test]
fn the_first_word_of_ids_can_be_the_area() {
    let text = b"unit,time_s\nadn_1,0.5\nadn_2,0.6\nca1_1,0.7\n";
    let plain = answered("a.csv", text, &[]).unwrap();
    assert_eq!((plain.areas.as_slice(), choice(&plain, "area_from")), (&[String::new()][..], "none"));
    let by_word = answered("a.csv", text, &[("area_from", "prefix")]).unwrap();
    assert_eq!((by_word.areas.as_slice(), by_word.units.area.as_slice()), (&["adn".to_owned(), "ca1".to_owned()][..], &[0, 0, 1][..]));
}

#[test]
fn a_folder_with_a_file_per_unit_is_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session ß");
    std::fs::create_dir(&path).unwrap();
    for (name, text) in [
        ("unit10.txt", "0.5\n1.5\n"),
        ("unit2.txt", "0.1 0.2 0.3\n"),
        ("unit3.csv", "times\n0,7\n"),
        ("README.txt", "hello, you\n"),
        ("unit4.txt", ""),
    ] {
        std::fs::write(path.join(name), text).unwrap();
    }
    let recording = open(&path, &with(&[("time_unit", "s")]), &|_, _| true).unwrap();
    let wanted: &[(&str, &[f64])] = &[("unit2", &[0.1, 0.2, 0.3]), ("unit3", &[0.0, 7.0]), ("unit4", &[]), ("unit10", &[0.5, 1.5])];
    assert_eq!((trains(&recording).as_slice(), recording.name.as_str()), (wanted, "session ß"));
    assert!(told(&recording, NoteKind::LeftOut, "files that are no list of times: README.txt"), "{:?}", recording.report);
    std::fs::write(path.join("unit2.txt"), "0.1 0.2 0.3\n".repeat(2)).unwrap();
    assert_eq!(open(&path, &with(&[]), &|_, _| true).unwrap().n_units(), 3);
}

#[test]
fn previews_show_cells_choices_and_consequences() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.csv");
    std::fs::write(&path, "unit,t\n1,8.5\n1,32.5\n2,77.5\n2,108.5\n").unwrap();
    let seen = |answers: &[(&str, &str)]| -> TextPreview { preview_with(&path, 3, &with(answers)).unwrap() };
    let plain = seen(&[]);
    assert_eq!(
        (plain.names.as_slice(), plain.rows.len(), plain.rows[1][1].as_str()),
        (&["unit".to_owned(), "t".to_owned()][..], 3, "32.5")
    );
    assert_eq!(plain.layout, "One spike per line");
    let keys: Vec<&str> = plain.choices.iter().map(|c| c.key.as_str()).collect();
    assert_eq!(keys, ["separator", "decimal", "skip_lines", "header", "layout", "role/unit", "role/t", "time_unit"]);
    let effect = plain.effect.unwrap();
    assert_eq!((effect.units, effect.spikes, effect.last_s, effect.mean_rate_hz, effect.whole), (2, 4, 108.5, 0.02, true));
    assert_eq!(seen(&[("time_unit", "ms")]).effect.unwrap().last_s, 0.1085);
    let asked = seen(&[("time_unit", "samples")]);
    assert_eq!(asked.choices.last().unwrap().key, "sampling_rate_hz");
    assert!(asked.effect.is_none() && asked.problem.unwrap().contains("sampling_rate_hz"));
    std::fs::write(&path, "x,y\nfoo,bar\n").unwrap();
    let unknown = seen(&[]);
    assert!(unknown.problem.unwrap().contains("none of its columns holds numbers"));
    let keys: Vec<&str> = unknown.choices.iter().map(|c| c.key.as_str()).collect();
    assert_eq!(keys, ["separator", "decimal", "skip_lines", "header", "layout", "role/column 1", "role/column 2"]);
    assert_eq!(unknown.choices[4].value, "");
}

#[test]
fn files_of_one_shape_have_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let key = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        shape_key(&path)
    };
    let a = key("a.csv", "unit,time_s\n1,0.5\n");
    assert_eq!(a, "csv;comma;long;unit,time_s");
    assert_eq!(key("b.csv", "unit,time_s\n7,0.25\n8,0.5\n"), a);
    assert_ne!(key("c.csv", "unit;time_s\n7;0.25\n"), a);
    assert_eq!(key("d.txt", "0.1 0.2 0.3\n0.4 0.5\n"), "txt;space;lines;lines");
    assert_eq!(key("e.csv", "0.5,0.6\n1.5,1.6\n"), "csv;comma;wide;2 columns");
    assert_eq!((shape_key(folder.path()), key("x.bin", "\0\0\0\0")), ("folder".to_owned(), "bin".to_owned()));
}

#[test]
fn a_text_larger_than_allowed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.csv");
    std::fs::write(&path, "unit,time_s\n1,0.5\n").unwrap();
    let refused = open(&path, &OpenOptions { max_bytes: 10, ..Default::default() }, &|_, _| true);
    let told = refused.unwrap_err().to_string();
    assert!(told.contains("the text takes 0.0 kB of memory and at most 0.0 kB may be used; open a part of it"), "{told}");
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
