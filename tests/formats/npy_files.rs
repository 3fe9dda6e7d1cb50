//! NPY and NPZ files byte by byte, as numpy writes them and as it does not.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use spikescope::formats::{FormatError, OpenOptions, open};
use spikescope::recording::Recording;

/// An `.npy` file of this kind and shape (`(3,)`) with these bytes.
pub fn npy(descr: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let descr = if descr.starts_with('[') { descr.to_owned() } else { format!("'{descr}'") };
    let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((text.len() as u16).to_le_bytes());
    file.extend(text.as_bytes());
    file.extend(bytes);
    file
}

pub fn floats(values: &[f64]) -> Vec<u8> {
    npy("<f8", &format!("({},)", values.len()), &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
}

pub fn ints(values: &[i64]) -> Vec<u8> {
    npy("<i8", &format!("({},)", values.len()), &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
}

pub fn bytes(values: &[u8], shape: &str) -> Vec<u8> {
    npy("|u1", shape, values)
}

pub fn texts(values: &[&str]) -> Vec<u8> {
    let width = values.iter().map(|t| t.chars().count()).max().unwrap_or(1).max(1);
    let mut data = Vec::new();
    for text in values {
        let end = data.len() + 4 * width;
        text.chars().for_each(|c| data.extend(u32::from(c).to_le_bytes()));
        data.resize(end, 0);
    }
    npy(&format!("<U{width}"), &format!("({},)", values.len()), &data)
}

/// One number.
pub fn scalar(value: f64) -> Vec<u8> {
    npy("<f8", "()", &value.to_le_bytes())
}

/// A stored zip archive of these arrays (names without `.npy`).
pub fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    zip(&arrays.iter().map(|(n, a)| (*n, a.clone(), a.len() as u32, 0u16)).collect::<Vec<_>>())
}

/// The same, deflated.
pub fn npz_compressed(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let deflated = |a: &Vec<u8>| {
        let mut to = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        to.write_all(a).unwrap();
        to.finish().unwrap()
    };
    let entries: Vec<_> = arrays.iter().map(|(n, a)| (*n, deflated(a), a.len() as u32, 8u16)).collect();
    let plain: BTreeMap<&str, &Vec<u8>> = arrays.iter().map(|(n, a)| (*n, a)).collect();
    zip_with(&entries, ".npy", |name| crc(plain[name]))
}

/// An archive of entries (name, stored bytes, claimed size, method).
pub fn zip(entries: &[(&str, Vec<u8>, u32, u16)]) -> Vec<u8> {
    let stored: BTreeMap<&str, u32> = entries.iter().map(|(n, b, ..)| (*n, crc(b))).collect();
    zip_with(entries, ".npy", |name| stored[name])
}

/// An archive of files that are no arrays.
pub fn archive(names: &[&str]) -> Vec<u8> {
    zip_with(&names.iter().map(|n| (*n, b"x".to_vec(), 1, 0)).collect::<Vec<_>>(), "", |_| crc(b"x"))
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn zip_with(entries: &[(&str, Vec<u8>, u32, u16)], ending: &str, crc: impl Fn(&str) -> u32) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, stored, size, method) in entries {
        let start = file.len() as u32;
        let full = format!("{name}{ending}");
        let mut common = Vec::new();
        common.extend([20u16, 0, *method, 0, 0x21].iter().flat_map(|v| v.to_le_bytes()));
        common.extend(crc(name).to_le_bytes());
        common.extend((stored.len() as u32).to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend((full.len() as u16).to_le_bytes());
        common.extend(0u16.to_le_bytes());
        file.extend(b"PK\x03\x04");
        file.extend(&common);
        file.extend(full.as_bytes());
        file.extend(stored);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&common);
        directory.extend([0u8; 10]);
        directory.extend(start.to_le_bytes());
        directory.extend(full.as_bytes());
    }
    let (start, size, count) = (file.len() as u32, directory.len() as u32, entries.len() as u16);
    file.extend(directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([count, count].iter().flat_map(|v| v.to_le_bytes()));
    file.extend([size, start].iter().flat_map(|v| v.to_le_bytes()));
    file.extend([0u8; 2]);
    file
}

/// A file in a folder of its own.
pub fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

pub fn open_with(path: &Path, answers: &[(&str, &str)]) -> Result<Recording, FormatError> {
    let answers = answers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    open(path, &OpenOptions { answers, ..OpenOptions::default() }, &|_, _| true)
}

/// Value and reason of a choice.
pub fn choice<'r>(recording: &'r Recording, key: &str) -> (&'r str, bool) {
    let choice = recording.report.choices.iter().find(|c| c.key == key);
    let choice = choice.unwrap_or_else(|| panic!("no choice {key} in {:?}", recording.report.choices));
    (choice.value.as_str(), choice.assumed)
}

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats/arrays").join(name)
}

pub fn areas(recording: &Recording) -> Vec<&str> {
    recording.units.area.iter().map(|&a| recording.areas[a].as_str()).collect()
}
