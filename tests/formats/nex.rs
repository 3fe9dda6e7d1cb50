//! NeuroExplorer files, made here by hand: what they hold, and what is wrong with them.

use spikescope::formats::{FormatError, open};
use spikescope::recording::{Column, NoteKind, Recording};

use crate::text::{trains, with};
use crate::told;

/// One variable of a file to be made.
struct Made {
    kind: i32,
    name: &'static str,
    count: u64,
    data: Vec<u8>,
    points: u64,
    fields: i32,
    field_len: i32,
}

fn i32s(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn made(kind: i32, name: &'static str, ticks: &[i32]) -> Made {
    Made { kind, name, count: ticks.len() as u64, data: i32s(ticks), points: 0, fields: 0, field_len: 0 }
}

fn padded(text: &[u8], len: usize) -> Vec<u8> {
    let mut bytes = text.to_vec();
    bytes.resize(len, 0);
    bytes
}

/// Two neurons, a waveform of one of them and one of its own, an event, intervals, a marker and a continuous variable.
fn variables(five: bool) -> Vec<Made> {
    let mut continuous = made(5, "lfp", &[0, 1000]);
    continuous.data.extend(i32s(&[0, 2]));
    continuous.data.extend(match five {
        true => [0.5f32, 1.0, 1.5].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>(),
        false => [1i16, 2, 3].iter().flat_map(|v| v.to_le_bytes()).collect(),
    });
    continuous.points = 3;
    let mut marker = made(6, "strobed", &[100, 300]);
    marker.data.extend(padded(b"DIO", 64));
    marker.data.extend(match five {
        true => i32s(&[7, 12]),
        false => b"007\x00012\x00".to_vec(),
    });
    (marker.fields, marker.field_len) = (1, 4);
    let mut intervals = made(2, "runs", &[0, 500, 400, 900]);
    intervals.count = 2;
    vec![
        made(0, "unit a", &[100, 200, 700]),
        made(0, "µ", &[150]),
        made(3, "unit a_wf", &[100, 200, 700]),
        made(3, "alone", &[300]),
        made(1, "light", &[250]),
        intervals,
        marker,
        continuous,
        made(4, "vector", &[]),
    ]
}

fn nex1(variables: &[Made]) -> Vec<u8> {
    let mut header = b"NEX1".to_vec();
    header.extend(104i32.to_le_bytes());
    header.extend([0; 256]);
    header.extend(1000f64.to_le_bytes());
    header.extend(i32s(&[0, 1000, variables.len() as i32, 0]));
    header.extend([0; 256]);
    assert_eq!(header.len(), 544);
    let mut offset = header.len() + 208 * variables.len();
    let mut data: Vec<u8> = Vec::new();
    for v in variables {
        let mut one = i32s(&[v.kind, 101]);
        one.extend(padded(v.name.as_bytes(), 64));
        one.extend(i32s(&[offset as i32, v.count as i32, 3, 1, 0, 0]));
        for value in [0.0, 0.0, 10.0, 0.25f64] {
            one.extend(value.to_le_bytes());
        }
        one.extend(i32s(&[v.points as i32, v.fields, v.field_len]));
        one.extend(0.5f64.to_le_bytes());
        header.extend(padded(&one, 208));
        data.extend(&v.data);
        offset += v.data.len();
    }
    header.extend(data);
    header
}

fn nex5(variables: &[Made]) -> Vec<u8> {
    let mut header = b"NEX5".to_vec();
    header.extend(501i32.to_le_bytes());
    header.extend([0; 256]);
    header.extend(1000f64.to_le_bytes());
    header.extend(0i64.to_le_bytes());
    header.extend((variables.len() as i32).to_le_bytes());
    let mut header = padded(&header, 356);
    let mut offset = header.len() + 244 * variables.len();
    let mut data: Vec<u8> = Vec::new();
    for v in variables {
        let mut one = i32s(&[v.kind, 500]);
        one.extend(padded(v.name.as_bytes(), 64));
        one.extend((offset as u64).to_le_bytes());
        one.extend(v.count.to_le_bytes());
        one.extend(i32s(&[0, 1]));
        one.extend(10f64.to_le_bytes());
        one.extend(padded(b"uV", 32));
        one.extend([0; 16]);
        one.extend(v.points.to_le_bytes());
        one.extend([0; 8]);
        one.extend(i32s(&[1, v.fields, v.field_len, 0]));
        header.extend(padded(&one, 244));
        data.extend(&v.data);
        offset += v.data.len();
    }
    header.extend(data);
    header
}

pub fn originals() -> Vec<Vec<u8>> {
    vec![nex1(&variables(false)), nex5(&variables(true))]
}

fn read(name: &str, bytes: &[u8], answers: &[(&str, &str)]) -> Result<Recording, FormatError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    open(&path, &with(answers), &|_, _| true)
}

#[test]
fn neurons_tables_and_series_of_both_versions_are_read() {
    for (name, bytes) in [("a.nex", nex1(&variables(false))), ("a.nex5", nex5(&variables(true)))] {
        let recording = read(name, &bytes, &[]).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(trains(&recording), [("unit a", &[0.1, 0.2, 0.7][..]), ("µ", &[0.15][..]), ("alone", &[0.3][..])], "{name}");
        assert!(
            told(&recording, NoteKind::Assumed, "1 waveform variable taken as units; of 2 waveform variables 1 repeat the spikes"),
            "{:?}",
            recording.report
        );
        assert!(told(&recording, NoteKind::LeftOut, "population vectors"), "{name}: {:?}", recording.report);
        let tables: Vec<(&str, &[f64], &[f64])> =
            recording.tables.iter().map(|t| (t.name.as_str(), t.start.as_slice(), t.stop.as_slice())).collect();
        assert_eq!(
            tables,
            [("light", &[0.25][..], &[0.25][..]), ("runs", &[0.0, 0.5], &[0.4, 0.9]), ("strobed", &[0.1, 0.3], &[0.1, 0.3])]
        );
        let field = &recording.table("strobed").unwrap().columns[0];
        let values = if name == "a.nex" { Column::Text(vec!["007".into(), "012".into()]) } else { Column::Int(vec![7, 12]) };
        assert_eq!((field.name.as_str(), &field.values), ("DIO", &values));
        let series = &recording.covariates[0];
        assert_eq!((series.name.as_str(), series.times.as_slice()), ("lfp", &[0.0, 0.1, 1.0][..]));
        let (unit, values) = if name == "a.nex" { ("mV", [0.75, 1.0, 1.25]) } else { ("uV", [0.5, 1.0, 1.5]) };
        assert_eq!((series.unit.as_str(), series.values.as_slice()), (unit, &values[..]));
        assert_eq!(read(name, &bytes, &[("waveforms", "all")]).unwrap().n_units(), 4);
        assert_eq!(read(name, &bytes, &[("waveforms", "none")]).unwrap().n_units(), 2);
    }
    let wires = read("a.nex", &nex1(&variables(false)), &[]).unwrap();
    assert_eq!(wires.units.columns[0].values, Column::Int(vec![3, 3, 3]));
}

#[test]
fn bad_files_are_refused_with_these_words() {
    let good = nex1(&variables(false));
    let patched = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let header = |problem: &str| format!("FILE: the file header is damaged: {problem}; copy or download the file again");
    let big = |object: &str, claimed: &str, left: usize| {
        format!(
            "FILE: variable '{object}' claims {claimed} bytes, but only {left} bytes follow in the file; the file is damaged, or too large to open whole: then save a part of it as a file of its own"
        )
    };
    let (count, offset) = (544 + 76, 544 + 72);
    let first = 544 + 208 * 9;
    let left = good.len() - first;
    let room = (good.len() - 544) / 208;
    let cases = [
        ("a.nex", good[..300].to_vec(), header("it is cut off, it should have 544 bytes and has 300")),
        ("a.nex5", b"NEX5".to_vec(), header("it is cut off, it should have 356 bytes and has 4")),
        ("a.nex", patched(264, &0f64.to_le_bytes()), header("0 ticks per second, expected a number greater than zero")),
        ("a.nex", patched(264, &f64::NAN.to_le_bytes()), header("NaN ticks per second, expected a number greater than zero")),
        ("a.nex", patched(280, &(-1i32).to_le_bytes()), header(&format!("it claims -1 variables, but the file has room for {room}"))),
        ("a.nex", patched(280, &i32::MAX.to_le_bytes()), header(&format!("it claims 2147483647 variables, but the file has room for {room}"))),
        ("a.nex", patched(count, &i32::MAX.to_le_bytes()), big("unit a", "8589934588", left)),
        ("a.nex", patched(count, &(-5i32).to_le_bytes()), big("unit a", "18446744073709551615", left)),
        ("a.nex", patched(offset, &i32::MAX.to_le_bytes()), big("unit a", "12", 0)),
        ("a.nex", good[..first + 8].to_vec(), big("unit a", "12", 8)),
        (
            "a.nex",
            nex1(&[made(1, "light", &[1]), made(2, "runs", &[1])]),
            "FILE: no units table (the variables light, runs); choose a file with sorted spikes, in NWB they are in /units".to_owned(),
        ),
        (
            "a.nex",
            nex1(&[]),
            "FILE: no units table (no variables at all); choose a file with sorted spikes, in NWB they are in /units".to_owned(),
        ),
        (
            "a.nex",
            vec![7; 1000],
            "FILE: the name ends in .nex, but the content is not NeuroExplorer; it may be cut off, compressed or of another kind; copy it again or rename it".to_owned(),
        ),
    ];
    let mut wrong = Vec::new();
    for (name, bytes, wanted) in cases {
        let found = read(name, &bytes, &[]).map_or_else(|e| e.to_string(), |_| "opened".to_owned());
        let found = found.split_once(&format!("{name}:")).map_or(found.clone(), |(_, rest)| format!("FILE:{rest}"));
        if found != wanted {
            wrong.push(format!("wanted {wanted}\n found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn variables_that_lie_on_top_of_each_other_are_refused() {
    let ticks = vec![1; 20_000];
    let mut all = vec![made(0, "first", &ticks)];
    all.extend((0..100).map(|_| made(0, "again", &[])));
    let mut file = nex1(&all);
    for k in 1..=100 {
        let header = 544 + 208 * k;
        let copied: Vec<u8> = file[544 + 72..544 + 80].to_vec();
        file[header + 72..header + 80].copy_from_slice(&copied);
    }
    let error = read("a.nex", &file, &[]).unwrap_err().to_string();
    assert!(error.contains("the same bytes are claimed again and again"), "{error}");
}
