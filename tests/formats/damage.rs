//! 10 000 damaged copies per reader: cut off, with changed bytes, with swapped blocks. Each must give a recording or an error, in
//! bounded time and memory. An allocation that is too large would abort this test. `cargo xtask fuzz` runs these tests alone, with
//! more mutants, other seeds and a limit of time.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spikescope::formats::{FormatError, save};
use spikescope::recording::Recording;

use crate::samples::{full, read};

/// What `cargo xtask fuzz` asks for.
struct Plan {
    mutants: u64,
    seed: u64,
    /// Mutants before this one are made, so that the numbers are the same, but not read.
    from: u64,
    /// Longest reading.
    limit: Option<Duration>,
}

impl Plan {
    fn of_environment() -> Self {
        let number =
            |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse::<u64>().expect("a whole number"));
        let mutants = number("SPIKESCOPE_MUTANTS");
        Self {
            mutants: mutants.unwrap_or(10_000),
            seed: number("SPIKESCOPE_FUZZ_SEED").unwrap_or(0),
            from: number("SPIKESCOPE_FUZZ_FROM").unwrap_or(0),
            // The ordinary tests run beside others and say nothing about time.
            limit: mutants.map(|_| Duration::from_secs(2)),
        }
    }
}

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
fn watch(done: &Receiver<u64>) {
    let mut last = None;
    loop {
        match done.recv_timeout(Duration::from_secs(60)) {
            Ok(k) => last = Some(k),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("the mutant after {last:?} hangs"),
        }
    }
}

/// Make mutant after mutant and read each. At least one in `refused` of them has to be refused, else hardly anything was damaged.
pub fn survive_each(
    seed: u64,
    refused: Option<u64>,
    mut make: impl FnMut(u64, &mut ChaCha8Rng) + Send + 'static,
    mut read: impl FnMut(u64) -> Result<Recording, FormatError> + Send + 'static,
) {
    let plan = Plan::of_environment();
    let (mutants, from) = (plan.mutants, plan.from);
    let (done, wait) = bounded(16);
    let worker = std::thread::Builder::new().name("mutants".to_owned()).spawn(move || {
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ plan.seed.rotate_left(32));
        let (mut opened, mut slowest) = (0u64, (Duration::ZERO, 0u64));
        for k in 0..mutants {
            make(k, &mut random);
            if k < from {
                done.send(k).unwrap();
                continue;
            }
            let begun = Instant::now();
            let outcome = read(k);
            let mut took = begun.elapsed();
            // A machine that was busy with something else is asked again.
            for _ in 0..3 {
                if plan.limit.is_some_and(|limit| took > limit) {
                    let begun = Instant::now();
                    let _ = read(k);
                    took = took.min(begun.elapsed());
                }
            }
            assert!(plan.limit.is_none_or(|limit| took <= limit), "mutant {k} took {took:?}");
            slowest = slowest.max((took, k));
            match outcome {
                Ok(recording) => {
                    opened += 1;
                    assert!(recording.spikes.n_spikes() < 100_000_000, "mutant {k}");
                }
                Err(e) => assert!(!e.to_string().contains("in an unexpected way"), "mutant {k} made the reader panic: {e}"),
            }
            done.send(k).unwrap();
        }
        (opened, slowest)
    });
    let worker = worker.unwrap();
    watch(&wait);
    let (opened, (slowest, at)) = worker.join().unwrap();
    let read = mutants - from.min(mutants);
    if let Some(share) = refused.filter(|_| from == 0) {
        assert!(read - opened > read / share, "only {} mutants were refused, so hardly anything was damaged", read - opened);
    }
    let peak = peak_kb();
    println!(
        "fuzz mutants={read} opened={opened} refused={} slowest_ms={:.1} slowest={at} peak_mb={}",
        read - opened,
        slowest.as_secs_f64() * 1e3,
        peak.map_or_else(|| "unknown".to_owned(), |kb| (kb / 1024).to_string())
    );
    assert!(peak.is_none_or(|kb| kb < 1 << 20), "the peak of memory was {peak:?} kB");
}

/// Open mutants of `originals` in turn.
pub fn survive(originals: Vec<Vec<u8>>, extension: &str, seed: u64) {
    let folder = in_memory();
    let path: PathBuf = folder.path().join(format!("mutant.{extension}"));
    let to = path.clone();
    let make = move |k: u64, random: &mut ChaCha8Rng| {
        let original = &originals[(k % originals.len() as u64) as usize];
        std::fs::write(&to, mutate(original, random)).unwrap();
    };
    survive_each(seed, Some(20), make, move |_| {
        let _keep = &folder;
        read(&path)
    });
}

/// A folder in memory where there is such a place: writing takes most of the time.
pub fn in_memory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// The most memory this process ever held, where the system tells.
fn peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
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
