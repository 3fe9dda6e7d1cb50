//! Text files that cannot be read, each with the words it is refused with.

use spikescope::formats::{OpenOptions, open};

use crate::text::{gzip, with};

/// What opening says, with the path taken out.
fn refusal(name: &str, bytes: &[u8], answers: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let found = open(&path, &with(answers), &|_, _| true).map_or_else(|e| e.to_string(), |_| "opened".to_owned());
    found.replace(&path.display().to_string(), "FILE")
}

const EXPECTED: &str = "expected one spike per line (columns like 'unit,time_s'; name yours with --import role/NAME=unit and \
    role/NAME=time), times of one unit per column or line, or counts per bin";

/// File name, content, answers, and what is said.
type Case<'c> = (&'c str, Vec<u8>, &'c [(&'c str, &'c str)], String);

#[test]
fn bad_texts_are_refused_with_these_words() {
    let many = "1,0.5\n".repeat(600);
    let list = |last: &str| format!("unit,time_s\n{many}{last}").into_bytes();
    let table = |last: &str| format!("a,b\n{}{last}", (0..600).map(|k| format!("{k}.5,{k}.7\n")).collect::<String>()).into_bytes();
    let counts = |last: &str| format!("a,b,c\n{}{last}", "0,1,0\n1,0,0\n0,0,3\n".repeat(200)).into_bytes();
    let layout = |problem: &str| format!("FILE: {problem}; {EXPECTED}");
    let mut cut = gzip(&list(""));
    cut.truncate(cut.len() - 12);
    let mut changed = gzip(&list(""));
    let crc = changed.len() - 6;
    changed[crc] ^= 0xff;
    let archive = "FILE: the gzip archive is damaged: it is cut off or its bytes were changed; copy or download the file again";
    let utf16_half: Vec<u8> = b"\xff\xfeu".to_vec();
    let cases: Vec<Case> = vec![
        ("a.csv", Vec::new(), &[], "FILE: the file is empty; copy or download it again".to_owned()),
        ("a.csv", b"\n \n# nothing\n".to_vec(), &[], layout("there are no lines with data in the file")),
        ("a.csv", utf16_half, &[], layout("there are no lines with data in the file")),
        ("a.csv", b"unit,time_s\n".to_vec(), &[], layout("there is no spike in the file")),
        ("a.txt", b"just words\nand more of them here\n".to_vec(), &[], layout("its lines do not have the same number of fields, or only one")),
        (
            "a.csv",
            b"<!DOCTYPE html>\n<html><body>Not found</body></html>\n".to_vec(),
            &[],
            "FILE: this is a web page, which is not read here; download the file itself, not the page that shows it".to_owned(),
        ),
        ("a.csv", b"one,two\nthree,four\n".to_vec(), &[], layout("none of its columns holds numbers")),
        ("a.csv", b"unit_id,brain_area\n0,adn\n1,adn\n".to_vec(), &[], layout("no column of spike times among its columns (unit_id, brain_area)")),
        ("a.csv", b"start,stop,label\n0.0,600.0,sleep\n".to_vec(), &[], layout("no column of spike times among its columns (start, stop, label)")),
        ("a.csv", b"time,area\n0.5,V1\n".to_vec(), &[], layout("no column of unit ids among its columns (time, area)")),
        (
            "a.csv",
            b"0.5,0.1,7\n0.4,0.3,6\n0.9,0.2,8\n".to_vec(),
            &[],
            layout("it has no header and 3 columns, which could be counts per bin or one column per unit"),
        ),
        ("a.csv", list("1,half past\n"), &[], "FILE, line 602: 'half past' is not a time; expected a number".to_owned()),
        ("a.csv", list("\n# note\n7\n"), &[], "FILE, line 604: 1 field, expected at least 2 separated by commas".to_owned()),
        ("a.csv", list(",0.5\n"), &[], "FILE, line 602: the unit is empty; expected a number or a name".to_owned()),
        (
            "a.csv",
            list("1,\"0.5\n1,0.7\n"),
            &[],
            "FILE, line 602: a quotation mark is opened here and not closed; put fields between two of them or none".to_owned(),
        ),
        ("a.csv", format!("unit,time_s\n{}1,0.5\0\u{1b}\n", "1,0.5\n".repeat(900)).into_bytes(), &[], "FILE, line 902: '0.5\\u{0}\\u{1b}' is not a time; expected a number".to_owned()),
        ("a.csv", table("600.5,oops\n"), &[], "FILE, line 602: 'oops' in b is not a time; expected a number".to_owned()),
        ("a.csv", table("600.5,600.7,600.9\n"), &[], "FILE, line 602: 3 fields, expected 2 separated by commas".to_owned()),
        (
            "a_10ms.csv",
            counts("0,0.5,0\n"),
            &[],
            "FILE, line 602: '0.5' in b is no count; expected a whole number from 0 to 1000".to_owned(),
        ),
        (
            "a_10ms.csv",
            counts("0,1001,0\n"),
            &[],
            "FILE, line 602: '1001' in b is no count; expected a whole number from 0 to 1000".to_owned(),
        ),
        (
            "a_10ms.csv",
            counts("0,-1,0\n"),
            &[],
            "FILE, line 602: '-1' in b is no count; expected a whole number from 0 to 1000".to_owned(),
        ),
        (
            "a.csv",
            counts(""),
            &[],
            "FILE: the lines are bins, and nothing says how long they are; answer with --import bin_width_ms=VALUE (in ms)".to_owned(),
        ),
        (
            "a.csv",
            counts(""),
            &[("bin_width_ms", "-10")],
            "FILE: '-10' is no number greater than zero for the choice 'Bin width'; answer with --import bin_width_ms=VALUE (in ms)".to_owned(),
        ),
        (
            "a.csv",
            list(""),
            &[("layout", "tall")],
            "FILE: 'tall' is no answer to the choice 'Layout'; answer with --import layout=VALUE (one of long, wide, lines, binned, binned_lines)"
                .to_owned(),
        ),
        (
            "a.csv",
            list(""),
            &[("role/time_s", "clock")],
            "FILE: 'clock' is no answer to the choice 'Column 'time_s''; answer with --import role/time_s=VALUE (one of unit, time, area, ignore)"
                .to_owned(),
        ),
        ("a.csv", list(""), &[("role/unit", "time"), ("role/time_s", "time")], layout("no column of unit ids among its columns (unit, time_s)")),
        (
            "a.csv",
            b"unit,time_s,x\n1,0.5,1\n".to_vec(),
            &[("role/time_s", "time"), ("role/x", "time")],
            layout("two columns were chosen for the same role"),
        ),
        (
            "a.csv",
            list(""),
            &[("skip_lines", "two")],
            "FILE: 'two' is no whole number for the choice 'Lines above the data'; answer with --import skip_lines=VALUE".to_owned(),
        ),
        (
            "a.csv",
            list(""),
            &[("time_unit", "samples")],
            "FILE: the times are samples, and nothing says how many samples are a second; 30000 is usual; answer with --import \
             sampling_rate_hz=VALUE (in Hz)"
                .to_owned(),
        ),
        (
            "a.csv",
            list(""),
            &[("separator", "slash")],
            "FILE: 'slash' is no answer to the choice 'Fields are separated by'; answer with --import separator=VALUE (one of tab, semicolon, comma, space)"
                .to_owned(),
        ),
        ("a.csv.gz", cut, &[], archive.to_owned()),
        ("a.csv.gz", changed, &[], archive.to_owned()),
        ("a.csv.gz", gzip(&[0; 5000]), &[], "FILE: this is a gzip archive without readable text; unpack it first".to_owned()),
        ("a.csv.gz", vec![0x1f, 0x8b, 8, 0, 0], &[], "FILE: this is a gzip archive without readable text; unpack it first".to_owned()),
        (
            "a.csv",
            vec![0; 100],
            &[],
            "FILE: the name ends in .csv, but the content is not Spike list; it may be cut off, compressed or of another kind; copy it again or rename it"
                .to_owned(),
        ),
    ];
    let mut wrong = Vec::new();
    for (name, bytes, answers, wanted) in cases {
        let found = refusal(name, &bytes, answers);
        if found != wanted {
            wrong.push(format!("wanted {wanted}\n found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn archives_that_unpack_to_far_too_much_are_refused() {
    let bomb = gzip(&b"1,0.5\n".repeat((70 << 20) / 6));
    let said = refusal("bomb.csv.gz", &bomb, &[]);
    let wanted = format!(
        "but {} bytes of gzip are unpacked to at most {}; the file is damaged, or too large to open whole: then save a part of it as a file of its own",
        bomb.len(),
        64 << 20
    );
    assert!(said.contains("the text claims") && said.ends_with(&wanted), "{said}");
    // The same without a single line end.
    let said = refusal("line.csv.gz", &gzip(&b"0.5 ".repeat((70 << 20) / 4)), &[("layout", "lines")]);
    assert!(said.ends_with("the file is damaged, or too large to open whole: then save a part of it as a file of its own"), "{said}");
}

#[test]
fn counts_that_would_fill_the_memory_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counts_10ms.csv");
    std::fs::write(&path, "1000,999,1000\n1000,1000,998\n".repeat(50)).unwrap();
    let said = open(&path, &OpenOptions { max_bytes: 1 << 20, ..with(&[]) }, &|_, _| true).unwrap_err().to_string();
    let wanted = "the counts claims 1048576 bytes, but at most 1048576 bytes of spikes are kept; the file is damaged, or too large to open whole: then save a part of it as a file of its own";
    assert!(said.ends_with(wanted), "{said}");
}

#[test]
fn folders_that_are_no_recording_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let said = |path: &std::path::Path| {
        let found = open(path, &with(&[]), &|_, _| true).map_or_else(|e| e.to_string(), |_| "opened".to_owned());
        found.replace(&folder.path().display().to_string(), "FOLDER")
    };
    let unknown = "FOLDER: this is a folder of no known kind; choose the file inside it that holds the spikes";
    assert_eq!(said(folder.path()), unknown);
    std::fs::write(folder.path().join("a.csv"), "unit,time_s\n1,0.5\n2,0.7\n").unwrap();
    assert_eq!(said(folder.path()), unknown);
    std::fs::remove_file(folder.path().join("a.csv")).unwrap();
    std::fs::write(folder.path().join("b.txt"), format!("{}half past\n", "0.5\n".repeat(600))).unwrap();
    assert_eq!(said(folder.path()), "FOLDER/b.txt, line 601: 'half past' is not a time; expected a number");
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_and_folders_without_permission() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(OsStr::from_bytes(b"spikes \xff\xfe.csv"));
    std::fs::write(&path, "unit,time_s\n1,0.5\n").unwrap();
    assert_eq!(open(&path, &with(&[]), &|_, _| true).unwrap().n_units(), 1);
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o0)).unwrap();
    let found = open(&closed, &with(&[]), &|_, _| true).unwrap_err().to_string();
    // An administrator may read it all the same, and finds nothing.
    let refused = found.ends_with("cannot be read (Permission denied (os error 13)); check that the file exists and that you may read it");
    assert!(refused || found.contains("this is a folder of no known kind"), "{found}");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
}
