//! 10 000 damaged copies per reader of text, Phy folders and NeuroExplorer files: each gives a recording or an error in words.

use std::path::Path;

use crossbeam_channel::bounded;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spikescope::formats::{FormatError, open, preview_with};
use spikescope::recording::Recording;

use crate::damage::{assert_memory_is_bounded, mutate, watch, written};
use crate::text::{gzip, with};
use crate::{nex, phy};

const MUTANTS: u64 = 10_000;

/// Make and open mutants one after the other; one that takes a minute hangs.
fn survive(seed: u64, mut next: impl FnMut(u64, &mut ChaCha8Rng) -> Result<Recording, FormatError> + Send + 'static) {
    let (done, wait) = bounded(16);
    let worker = std::thread::Builder::new().name("mutants".to_owned()).spawn(move || {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut refused = 0;
        for k in 0..MUTANTS {
            match next(k, &mut random) {
                Ok(recording) => assert!(recording.spikes.n_spikes() < 10_000_000, "mutant {k}"),
                Err(e) => {
                    refused += 1;
                    assert!(!e.to_string().contains("in an unexpected way"), "mutant {k} made the reader panic: {e}");
                }
            }
            done.send(k).unwrap();
        }
        refused
    });
    watch(&wait);
    let refused: u64 = worker.unwrap().join().unwrap();
    assert!(refused > MUTANTS / 50, "only {refused} mutants were refused, so hardly anything was damaged");
    assert_memory_is_bounded();
}

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
    let folder = tempfile::tempdir().unwrap();
    survive(11, move |k, random| {
        let (name, original) = &texts[(k % texts.len() as u64) as usize];
        let path = folder.path().join(name);
        std::fs::write(&path, mutate(original, random)).unwrap();
        if k % 7 == 0 {
            // Previews read the same bytes and must stand the same.
            let _ = preview_with(&path, 20, &with(&[("bin_width_ms", "5")]));
        }
        read(&path, if k % 3 == 0 { &[("bin_width_ms", "10"), ("sampling_rate_hz", "30000")] } else { &[] })
    });
}

#[test]
fn damaged_phy_folders() {
    let files = phy::files();
    let (keep, path) = phy::folder(&files);
    survive(12, move |_, random| {
        let _keep = &keep;
        let (name, original) = &files[random.random_range(0..files.len())];
        std::fs::write(path.join(name), mutate(original, random)).unwrap();
        let found = read(&path, &[("sampling_rate_hz", "30000")]);
        std::fs::write(path.join(name), original).unwrap();
        found
    });
}

#[test]
fn damaged_neuroexplorer_files() {
    let originals = nex::originals();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mutant.nex");
    survive(13, move |k, random| {
        let _keep = &folder;
        std::fs::write(&path, mutate(&originals[(k % 2) as usize], random)).unwrap();
        read(&path, &[])
    });
}
