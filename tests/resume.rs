//! Training that is killed: the real binary, SIGKILL at any moment, and what is left on the disk.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use spikescope::runs::{self, RunStatus};

fn spikescope(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spikescope"));
    // Every step is told, so that it is known how far a run was when it was killed.
    command.current_dir(folder).args(arguments).env("SPIKESCOPE_LOG", "spikescope=trace");
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    spikescope(folder, arguments).env("SPIKESCOPE_LOG", "warn").output().unwrap()
}

fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The error of a command that must fail with this code.
fn refused(folder: &Path, code: i32, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    text.lines().last().unwrap_or_default().to_owned()
}

/// A model on a recording, for a run of about a hundred steps.
struct Case {
    name: &'static str,
    simulate: &'static [&'static str],
    train: &'static [&'static str],
}

const CASES: [Case; 3] = [
    Case {
        name: "glm",
        simulate: &["glm", "--set", "areas=6x5", "--trials", "60", "--seed", "3"],
        train: &["--set", "max_epochs=6", "--set", "edge_jitters=3", "--set", "batch=9", "--set", "width=8", "--set", "hidden=8"],
    },
    Case {
        name: "stndt",
        simulate: &["glm", "--set", "areas=5x4", "--trials", "40", "--seed", "4"],
        train: &[
            "--model",
            "stndt",
            "--set",
            "data.trials.bin_s=0.02",
            "--set",
            "layers=1",
            "--set",
            "hidden=8",
            "--set",
            "batch=8",
            "--set",
            "steps=80",
            "--set",
            "validate_every=6",
        ],
    },
    Case {
        name: "netformer",
        simulate: &["ring", "--set", "units=8", "--set", "steps=900", "--seed", "5"],
        train: &["--model", "netformer", "--set", "history=5", "--set", "batch=64", "--set", "max_epochs=12", "--set", "patience_epochs=4"],
    },
];

/// A checkpoint after every step.
const ALWAYS: [&str; 3] = ["--checkpoint-every", "0", "--quiet"];

/// A folder with the recording of a case and a run that nobody disturbed.
struct Bench {
    folder: tempfile::TempDir,
    case: &'static Case,
    /// How long the undisturbed run took, from start to end of the process.
    whole: Duration,
}

impl Bench {
    fn new(case: &'static Case) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = format!("{}.npz", case.name);
        done(folder.path(), &[&["simulate", case.simulate[0], "--out", &file], &case.simulate[1..]].concat());
        let mut bench = Self { folder, case, whole: Duration::ZERO };
        let begun = Instant::now();
        let (target, line) = ("alone", bench.train("alone"));
        done(bench.path(), &line.iter().map(String::as_str).collect::<Vec<_>>());
        bench.whole = begun.elapsed();
        assert_eq!(runs::load(&bench.path().join(target)).unwrap().manifest.status, RunStatus::Complete);
        bench
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn train(&self, target: &str) -> Vec<String> {
        let file = format!("{}.npz", self.case.name);
        let line = ["train", &file, "--out", target, "--device", "cpu"];
        line.iter().chain(&ALWAYS).chain(self.case.train).map(|&word| word.to_owned()).collect()
    }

    fn resume(&self, target: &str) -> Vec<String> {
        ["resume", target].iter().chain(&ALWAYS).map(|&word| word.to_owned()).collect()
    }

    /// Start, kill after some time; gives the last step that was done, or `None` when the program was faster than the kill.
    fn kill_after(&self, line: &[String], after: Duration) -> Option<u64> {
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let mut child = spikescope(self.path(), &line).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let reader = std::thread::Builder::new().name("reader".to_owned()).spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned()).unwrap()
        });
        std::thread::sleep(after);
        let ended = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let text = reader.unwrap().join().unwrap();
        if let Some(status) = ended {
            assert!(status.success(), "{text}");
            return None;
        }
        let step = |line: &str| line.rsplit_once("step ")?.1.strip_suffix(" done")?.parse::<u64>().ok();
        Some(text.lines().filter_map(step).max().unwrap_or(0))
    }

    /// What a kill left can be read and resumed, and at most the steps are lost that the disk was still busy with.
    fn check_rest(&self, target: &str, step: u64) {
        let place = self.path().join(target);
        if !place.exists() {
            assert_eq!(step, 0, "training had begun, but there is no folder");
            return;
        }
        let run = runs::load(&place).unwrap();
        assert!(runs::list(self.path()).unwrap().iter().all(|entry| entry.manifest.is_ok()));
        if run.manifest.status == RunStatus::Complete {
            return;
        }
        assert_eq!(run.manifest.status, RunStatus::Interrupted);
        run.weights().unwrap();
        let found = runs::resumable(&place).unwrap().checkpoint.map_or(0, |checkpoint| checkpoint.step);
        // One checkpoint is being written, one waits, and one more step may have been done.
        assert!(found + 3 >= step, "{} steps of {step} are lost", step - found);
    }

    fn check_end(&self, target: &str) {
        let (alone, target) = (self.path().join("alone"), self.path().join(target));
        for name in [runs::METRICS, runs::WEIGHTS, runs::RESULTS] {
            let read = |folder: &PathBuf| std::fs::read(folder.join(name)).unwrap();
            assert!(read(&alone) == read(&target), "{name} is not that of a run that was left alone");
        }
        let loss = |folder: &PathBuf| runs::load(folder).unwrap().summary["test_loss"].clone();
        assert_eq!(loss(&alone), loss(&target));
        let entries = std::fs::read_dir(&target).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
        let litter: Vec<String> = entries.filter(|name| name.starts_with('.') || name.contains("lock") || name == "checkpoints").collect();
        assert!(litter.is_empty(), "{litter:?} is left");
    }

    /// Kill at random moments and go on until the run is complete; gives the kills.
    fn round(&self, random: &mut ChaCha8Rng, most: u64, number: u64) -> u64 {
        let target = format!("killed-{number}");
        let mut kills = 0;
        loop {
            let begun = self.path().join(&target).exists();
            let line = if begun { self.resume(&target) } else { self.train(&target) };
            if kills == most {
                done(self.path(), &line.iter().map(String::as_str).collect::<Vec<_>>());
                break;
            }
            match self.kill_after(&line, self.whole.mul_f64(random.random_range(0.0..1.05))) {
                Some(step) => {
                    kills += 1;
                    self.check_rest(&target, step);
                    println!("{} {target}: killed at step {step}", self.case.name);
                }
                None => break,
            }
        }
        self.check_end(&target);
        kills
    }
}

fn rounds(case: &'static Case, kills: u64, seed: u64) {
    let bench = Bench::new(case);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut killed, mut number) = (0, 0);
    while killed < kills {
        // A run that is over before its kill counts for nothing; some are always left.
        number += 1;
        assert!(number < 20 * kills + 20, "only {killed} kills came in time");
        killed += bench.round(&mut random, (kills - killed).min(4), number);
    }
}

#[test]
fn a_killed_glm_transformer_goes_on() {
    rounds(&CASES[0], 3, 1);
}

#[test]
fn a_killed_stndt_goes_on() {
    rounds(&CASES[1], 1, 2);
}

#[test]
fn a_killed_netformer_goes_on() {
    rounds(&CASES[2], 1, 3);
}

#[test]
#[ignore = "cargo xtask torture runs it"]
fn torture() {
    let number = |name: &str, otherwise: u64| std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap());
    let (kills, seed) = (number("SPIKESCOPE_KILLS", 100), number("SPIKESCOPE_KILL_SEED", 0));
    for (at, case) in (0..).zip(&CASES) {
        // Half of the kills for the model with four stages.
        let own = if at == 0 { kills.div_ceil(2) } else { kills.div_ceil(4) };
        rounds(case, own, seed + at);
    }
    println!("{kills} kills: every run could be read and resumed, and ended as if nothing had happened");
}

#[test]
fn resuming_on_the_command_line() {
    let bench = Bench::new(&CASES[0]);
    let at = bench.path();
    // A run that is long enough to be met while it is trained.
    let long = ["train", "glm.npz", "--out", "long", "--device", "cpu", "--checkpoint-every", "0", "--set", "max_epochs=100000"];
    let more = ["--set", "patience_steps=1000000", "--set", "batch=9", "--set", "width=8", "--set", "hidden=8", "--quiet"];
    let mut child = spikescope(at, &[&long[..], &more].concat()).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    until_saved(&at.join("long"));
    let pid = child.id().to_string();
    assert_eq!(runs::load(&at.join("long")).unwrap().manifest.status, RunStatus::Running);
    for line in [&["resume", "long", "--quiet"][..], &["train", "glm.npz", "--out", "long", "--quiet"]] {
        let message = refused(at, 1, line);
        assert!(message.contains(&format!("being trained by process {pid}")), "{message}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // The lock of the dead process is none.
    assert_eq!(runs::load(&at.join("long")).unwrap().manifest.status, RunStatus::Interrupted);
    let message = refused(at, 1, &["resume", "long", "--simulate", "glm", "--sim-set", "trials=50", "--quiet"]);
    assert!(message.contains("other data") && message.contains("trials: 60 then, 50 now"), "{message}");
    std::fs::rename(at.join("glm.npz"), at.join("moved.npz")).unwrap();
    let message = refused(at, 2, &["resume", "long", "--quiet"]);
    assert!(message.contains("glm.npz") && message.contains("--recording"), "{message}");
    let before = runs::load(&at.join("long")).unwrap().manifest.steps;
    let line = ["resume", "long", "--recording", "moved.npz", "--checkpoint-every", "0"];
    let mut child = spikescope(at, &line).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !runs::load(&at.join("long")).is_ok_and(|run| run.manifest.steps > before) {
        assert!(child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(240), "it does not go on");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // Nothing to do is no error: a script may resume whatever is there.
    let output = run(at, &["resume", "alone", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing to resume"));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["status"], "complete");
    let message = refused(at, 1, &["resume", "nowhere"]);
    assert!(message.contains("not a run folder"), "{message}");
}

/// Wait until a run has a checkpoint; tests fail rather than hang.
fn until_saved(run: &Path) {
    let begun = Instant::now();
    while !runs::load(run).is_ok_and(|run| run.manifest.steps > 3) {
        assert!(begun.elapsed() < Duration::from_secs(240), "no checkpoint came");
        std::thread::sleep(Duration::from_millis(20));
    }
}
