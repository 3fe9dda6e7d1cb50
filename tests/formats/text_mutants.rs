//! 10 000 damaged copies per reader of text, Phy folders and NeuroExplorer files: each gives a recording or an error in words.

use std::path::Path;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use spikescope::formats::{FormatError, open, preview_with};
use spikescope::recording::Recording;

use crate::damage::{in_memory, mutate, survive_each, written};
use crate::text::{gzip, with};
use crate::{nex, phy};

fn read(path: &Path, answers: &[(&str, &str)]) -> Result<Recording, FormatError> {
    open(path, &with(answers), &|_, _| true)
}

#[test]
fn damaged_texts() {
    let long = written("csv");
    let texts: Vec<(&str, Vec<u8>)> = vec![
        ("a.csv", long.clone()),
        ("a.tsv", written("tsv")),
        ("a.csv.gz", gzip(&long.repeat(3))),
        ("a.txt", b"1   0.5\n12  0.7\n".repeat(50)),
        ("a.csv", b"Unit;Time (ms)\n1;0,5\n2;0,7\n".to_vec()),
        ("wide.csv", b"a,b,c\n0.5,0.25,0.1\n1.5,0.75,\n2.5,,nan\n".to_vec()),
        ("lines.txt", b"n1: 0.1 0.2 0.3\nn2: 0.4 0.5\n\nn3: 1e3\n".to_vec()),
        ("counts_10ms.csv", b"u0,u1,u2\n1,0,0\n0,2,0\n0,0,1\n".repeat(5)),
        ("axion.csv", b"Investigator,,Time (s),Electrode\nx,,0.01,A1_11\nSampling Frequency,12500 Hz,0.02,B1_12\n".to_vec()),
        ("utf16.txt", std::iter::once(0xfeff).chain("unit\ttime_s\n1\t2\n1\t3\n".encode_utf16()).flat_map(u16::to_le_bytes).collect()),
    ];
    let folder = in_memory();
    let paths: Vec<_> = texts.iter().map(|(name, _)| folder.path().join(name)).collect();
    let to = paths.clone();
    let make = move |k: u64, random: &mut ChaCha8Rng| {
        let at = (k % texts.len() as u64) as usize;
        std::fs::write(&to[at], mutate(&texts[at].1, random)).unwrap();
    };
    survive_each(11, Some(50), make, move |k| {
        let _keep = &folder;
        let path = &paths[(k % paths.len() as u64) as usize];
        if k % 7 == 0 {
            // Previews read the same bytes and must stand the same.
            let _ = preview_with(path, 20, &with(&[("bin_width_ms", "5")]));
        }
        read(path, if k % 3 == 0 { &[("bin_width_ms", "10"), ("sampling_rate_hz", "30000")] } else { &[] })
    });
}

#[test]
fn damaged_phy_folders() {
    let files = phy::files();
    let (keep, path) = phy::folder(&files);
    let root = path.clone();
    let mut before: Option<usize> = None;
    let make = move |_: u64, random: &mut ChaCha8Rng| {
        let at = random.random_range(0..files.len());
        if let Some(at) = before.replace(at) {
            std::fs::write(root.join(files[at].0), &files[at].1).unwrap();
        }
        std::fs::write(root.join(files[at].0), mutate(&files[at].1, random)).unwrap();
    };
    survive_each(12, Some(50), make, move |_| {
        let _keep = &keep;
        read(&path, &[("sampling_rate_hz", "30000")])
    });
}

#[test]
fn damaged_neuroexplorer_files() {
    let originals = nex::originals();
    let folder = in_memory();
    let path = folder.path().join("mutant.nex");
    let to = path.clone();
    let make = move |k: u64, random: &mut ChaCha8Rng| std::fs::write(&to, mutate(&originals[(k % 2) as usize], random)).unwrap();
    survive_each(13, Some(50), make, move |_| {
        let _keep = &folder;
        read(&path, &[])
    });
}
