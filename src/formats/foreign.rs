//! Files that others write and that are no recording for us: they are recognised only to say what they are and what to do. A
//! stranger's first file is often one of these, and "no known format" would leave them alone with it.

use std::path::Path;

use super::npz::{self, zip::Zip};
use super::{Probe, guard, text};

/// First bytes, what they mean, and what to do.
const SIGNATURES: &[(&[u8], &str, &str)] = &[
    (b"NEURALEV", "a Blackrock event file (NEV)", SORTED),
    (b"BREVENTS", "a Blackrock event file (NEV)", SORTED),
    (b"NEURALCD", "a Blackrock file of continuous signals (NSx)", RAW),
    (b"NEURALSG", "a Blackrock file of continuous signals (NSx)", RAW),
    (b"BRSMPGRP", "a Blackrock file of continuous signals (NSx)", RAW),
    (b"PLEX", "a Plexon file (PLX)", SORTED),
    (b"######## Neuralynx", "a Neuralynx file", SORTED),
    (b"\x02\x27\x91\xc6", "an Intan file of continuous signals (RHD)", RAW),
    (b"\xac\x27\x91\xd6", "an Intan file of continuous signals (RHS)", RAW),
    (b"ABF ", "an Axon file of continuous signals (ABF)", RAW),
    (b"ABF2", "an Axon file of continuous signals (ABF)", RAW),
    (b"PAR1", "an Apache Parquet table", TABLE),
    (b"ARROW1", "an Apache Arrow table", TABLE),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save its sheet as CSV"),
    (b"SQLite format 3", "an SQLite database", TABLE),
    (b"RDX2", "a file of R data", TABLE),
    (b"RDX3", "a file of R data", TABLE),
    (b"%PDF-", "a PDF document", NO_DATA),
    (b"\x89PNG", "a picture", NO_DATA),
    (b"\xff\xd8\xff", "a picture", NO_DATA),
    (b"GIF8", "a picture", NO_DATA),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (b"Rar!", "a RAR archive", UNPACK),
    (b"BZh", "a bzip2 archive", UNPACK),
    (b"\xfd7zXZ", "an xz archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", UNPACK),
];

const SORTED: &str = "export the sorted units as NWB, NEX, MATLAB or CSV (one spike per line: unit, time)";
const RAW: &str = "sort its spikes first and open what the sorter writes, for example a Kilosort/Phy folder";
const TABLE: &str = "save it as CSV with one spike per line (unit, time)";
const NO_DATA: &str = "choose the file that holds the spikes";
const UNPACK: &str = "unpack it and open what is inside";

/// Levels of folders and files in them that are looked at for something that can be opened.
const DEEPEST: usize = 4;
const MOST_FILES: usize = 300;
/// Things that can be opened of which a message speaks.
const NAMED: usize = 3;

/// What a file is and what to do, when it is one of those that people have and we do not read.
pub(super) fn recognised(probe: &Probe) -> Option<(String, String)> {
    let told = |what: &str, remedy: &str| Some((format!("this is {what}, which is not read here"), remedy.to_owned()));
    // A list of spikes may begin with any word.
    let mut known = SIGNATURES.iter().filter(|_| !text::sniff(probe.head) || probe.head.starts_with(b"%PDF-"));
    if let Some((_, what, remedy)) = known.find(|(magic, ..)| probe.head.starts_with(magic)) {
        return told(what, remedy);
    }
    if npz::is_zip(probe.head) {
        return archive(probe.path);
    }
    if probe.head.get(257..262) == Some(b"ustar") {
        return told("a tar archive", UNPACK);
    }
    // Protocol 2 and newer begin so; what is behind it can run any program, so it is never loaded.
    if matches!(probe.head, [0x80, 2..=5, ..]) {
        return told("a Python pickle", "in Python, save times and ids with numpy.savez(file, times=…, ids=…)");
    }
    let start = probe.head.trim_ascii_start();
    let words = String::from_utf8_lossy(start.get(..start.len().min(200)).unwrap_or_default()).to_lowercase();
    if words.starts_with("<!doctype html") || words.starts_with("<html") {
        return told("a web page", "download the file itself, not the page that shows it");
    }
    if words.starts_with("version https://git-lfs") {
        return told("a Git LFS pointer", "fetch the file itself with `git lfs pull`");
    }
    let nested = start.strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    let json = start.starts_with(b"{") || matches!(nested, Some([b'{' | b'[' | b'"', ..]));
    if json && text::sniff(probe.head) { told("JSON", TABLE) } else { None }
}

/// A zip archive without any array of numpy.
fn archive(path: &Path) -> Option<(String, String)> {
    let zip = Zip::open(path).ok()?;
    let names: Vec<&str> = zip.entries.iter().map(|e| e.name.as_str()).filter(|n| !n.ends_with('/')).collect();
    if names.is_empty() || names.iter().any(|n| n.ends_with(".npy")) {
        return None;
    }
    let told = |what: String, remedy: &str| Some((format!("this is {what}, which is not read here"), remedy.to_owned()));
    if names.iter().any(|n| n.starts_with("xl/")) {
        return told("an Excel workbook".to_owned(), "save its sheet as CSV");
    }
    if names.contains(&"content.xml") && names.contains(&"mimetype") {
        return told("an OpenDocument file".to_owned(), "save its sheet as CSV");
    }
    let shown: Vec<&str> = names.iter().copied().take(NAMED).collect();
    let more = if names.len() > NAMED { ", …" } else { "" };
    told(format!("a zip archive ({}{more})", shown.join(", ")), UNPACK)
}

/// What a folder that is no recording holds, and what to do: files and folders in it that can be opened, else kinds of raw data.
pub(super) fn in_folder(path: &Path, names: &[String]) -> (String, String) {
    const NOTHING: &str = "this is a folder of no known kind";
    if names.iter().any(|n| n == "structure.oebin" || n == "settings.xml") {
        return (format!("{NOTHING}; it looks like a recording of Open Ephys"), RAW.to_owned());
    }
    if names.iter().any(|n| n.ends_with(".ap.bin") || n.ends_with(".ap.meta")) {
        return (format!("{NOTHING}; it looks like a recording of SpikeGLX"), RAW.to_owned());
    }
    let mut found = Vec::new();
    let mut left = MOST_FILES;
    look(path, path, names, 0, &mut left, &mut found);
    if found.is_empty() {
        return (NOTHING.to_owned(), "choose the file inside it that holds the spikes".to_owned());
    }
    let more = if found.len() > NAMED { ", …" } else { "" };
    found.truncate(NAMED);
    (NOTHING.to_owned(), format!("inside it, {}{more} can be opened", found.join(", ")))
}

/// Binary formats only: nearly any text can be opened as a list of spikes.
fn look(root: &Path, folder: &Path, names: &[String], depth: usize, left: &mut usize, found: &mut Vec<String>) {
    for name in names {
        if *left == 0 || found.len() > NAMED {
            return;
        }
        *left -= 1;
        let path = folder.join(name);
        let shown = |format: &str| format!("'{}' ({format})", path.strip_prefix(root).unwrap_or(&path).display());
        // A link may lead anywhere, also back here.
        let Ok(kind) = std::fs::symlink_metadata(&path) else { continue };
        if kind.is_dir() && depth < DEEPEST {
            let below = names_in(&path);
            match Probe::folder(&path, &below).claimed() {
                Some(format) if format.known.name != super::FOLDER_OF_LISTS => found.push(shown(format.known.name)),
                _ => look(root, &path, &below, depth + 1, left, found),
            }
        } else if kind.is_file() && !is_part(&path) {
            let head = guard::head(&path).unwrap_or_default();
            let probe = Probe::file(&path, &head);
            if head.is_empty() || recognised(&probe).is_some() {
                continue;
            }
            if let Some(format) = probe.claimed().filter(|f| f.known.name != super::SPIKE_LIST) {
                found.push(shown(format.known.name));
            }
        }
    }
}

/// Single arrays are parts of something; as a recording they are one unit at best.
fn is_part(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy") || e.eq_ignore_ascii_case("py"))
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(head: &[u8]) -> String {
        recognised(&Probe::file(Path::new("f"), head)).map_or_else(String::new, |(found, remedy)| format!("{found}; {remedy}"))
    }

    #[test]
    fn files_of_others_are_named_with_what_to_do() {
        let zeros = |start: &[u8]| [start, &[0; 300]].concat();
        for (head, words) in [
            (zeros(b"NEURALEV"), "a Blackrock event file (NEV), which is not read here; export the sorted units as NWB"),
            (zeros(b"PLEX"), "a Plexon file (PLX)"),
            (zeros(b"######## Neuralynx Data File Header"), "a Neuralynx file"),
            (zeros(b"\x02\x27\x91\xc6"), "an Intan file of continuous signals (RHD), which is not read here; sort its spikes first"),
            (zeros(b"PAR1"), "an Apache Parquet table, which is not read here; save it as CSV"),
            (zeros(b"\x80\x04\x95"), "a Python pickle, which is not read here; in Python, save times and ids with numpy.savez"),
            (b"%PDF-1.4\n1 0 obj".to_vec(), "a PDF document"),
            (b"\n<!DOCTYPE html><html>".to_vec(), "a web page, which is not read here; download the file itself"),
            (b"version https://git-lfs.github.com/spec/v1\noid".to_vec(), "a Git LFS pointer"),
            (b"{\"units\": [1, 2]}".to_vec(), "JSON, which is not read here; save it as CSV with one spike per line"),
            (b"[[0.1, 0.2], [0.3]]".to_vec(), "JSON"),
        ] {
            assert!(of(&head).contains(words), "{words}: {}", of(&head));
        }
        let tar = [vec![b'a'; 257], b"ustar\0".to_vec(), vec![0; 100]].concat();
        assert!(of(&tar).contains("a tar archive, which is not read here; unpack it"), "{}", of(&tar));
        // Lists of spikes that begin with such a word, or with a bracket.
        for text in [&b"PLEX,0.5\nPLEX,0.7\n"[..], b"[0.1, 0.2]\n[0.3]\n", b"unit,time\n1,0.5\n", b"version,1\n"] {
            assert_eq!(of(text), "", "{}", String::from_utf8_lossy(text));
        }
    }
}
