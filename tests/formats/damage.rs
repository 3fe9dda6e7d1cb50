//! 10 000 damaged copies per reader: cut off, with changed bytes, with swapped blocks. Each must give a recording or an error, in
//! bounded time and memory. An allocation that is too large would abort this test.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spikescope::formats::save;

use crate::samples::{full, read};

const MUTANTS: u64 = 10_000;

pub fn mutate(original: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = original.to_vec();
    match random.random_range(0..4) {
        0 => bytes.truncate(random.random_range(0..original.len())),
        1 | 2 => {
            for _ in 0..random.random_range(1..=16) {
                let at = random.random_range(0..bytes.len());
                bytes[at] = random.random();
            }
        }
        _ => {
            let len = random.random_range(1..=512usize).min(bytes.len() / 2);
            let (a, b) = (random.random_range(0..=bytes.len() - len), random.random_range(0..=bytes.len() - len));
            for i in 0..len {
                bytes.swap(a + i, b + i);
            }
        }
    }
    bytes
}

/// Hear of every mutant that is done, until there are no more; one that takes a minute hangs.
pub fn watch(done: &Receiver<u64>) {
    let mut last = None;
    loop {
        match done.recv_timeout(Duration::from_secs(60)) {
            Ok(k) => last = Some(k),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("the mutant after {last:?} hangs"),
        }
    }
}

/// Open mutants of `originals` in turn; a mutant that takes a minute hangs.
pub fn survive(originals: Vec<Vec<u8>>, extension: &str, seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join(format!("mutant.{extension}"));
    let (done, wait) = bounded(16);
    let worker = std::thread::Builder::new().name("mutants".to_owned()).spawn(move || {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut refused = 0;
        for k in 0..MUTANTS {
            let original = &originals[(k % originals.len() as u64) as usize];
            std::fs::write(&path, mutate(original, &mut random)).unwrap();
            match read(&path) {
                Ok(recording) => assert!(recording.n_spikes_within_reason(), "mutant {k}"),
                Err(e) => {
                    refused += 1;
                    assert!(!e.to_string().contains("in an unexpected way"), "mutant {k} made the reader panic: {e}");
                }
            }
            done.send(k).unwrap();
        }
        refused
    });
    let worker = worker.unwrap();
    watch(&wait);
    let refused = worker.join().unwrap();
    assert!(refused > MUTANTS / 20, "only {refused} mutants were refused, so hardly anything was damaged");
    assert_memory_is_bounded();
}

trait Reason {
    fn n_spikes_within_reason(&self) -> bool;
}

impl Reason for spikescope::recording::Recording {
    fn n_spikes_within_reason(&self) -> bool {
        self.spikes.n_spikes() < 100_000_000
    }
}

/// The most memory this process ever held, where the system tells.
pub fn assert_memory_is_bounded() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|v| v.trim().trim_end_matches(" kB").parse::<u64>().ok());
    if let Some(peak) = peak {
        assert!(peak < 1 << 20, "the peak was {peak} kB");
    }
}

pub fn written(extension: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("original.{extension}"));
    save(&full(), &path).unwrap();
    std::fs::read(path).unwrap()
}

pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats").join(name)).unwrap()
}

#[test]
fn damaged_nwb_files() {
    survive(vec![written("nwb"), fixture("by_pynwb.nwb"), fixture("latest.nwb")], "nwb", 1);
}

#[test]
fn damaged_npz_files() {
    survive(vec![written("npz"), fixture("rewritten_by_numpy.npz"), fixture("pickled.npz")], "npz", 2);
}
