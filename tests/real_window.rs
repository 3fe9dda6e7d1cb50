//! The program as a user starts it: the real binary, a real window on a display in memory (Xvfb, started by `cargo xtask test`),
//! training in the background, a run folder on disk, and a window that closes by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use spikescope::runs::{self, RunStatus};

/// Set by `cargo xtask test` to the display that is there for this test.
const DISPLAY: &str = "SPIKESCOPE_XVFB_DISPLAY";

/// What came of one start of the program.
struct Ended {
    home: tempfile::TempDir,
    code: Option<i32>,
    told: String,
}

/// Start the demo in a real window with these options and wait until the program ends; `None` without a virtual display.
fn demo(options: &[&str]) -> Option<Ended> {
    let Some(display) = std::env::var_os(DISPLAY) else {
        println!("no virtual display ({DISPLAY} is not set; `cargo xtask test` sets it): the real window was not opened");
        return None;
    };
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let log = std::fs::File::create(at("log")).unwrap();
    let mut window = Command::new(env!("CARGO_BIN_EXE_spikescope"))
        .arg("demo")
        .args(options)
        .args(["--set", "width=16", "--set", "hidden=32", "--set", "edge_jitters=4"])
        .env("DISPLAY", display)
        .env("HOME", home.path())
        .env("USER", "jane.doe")
        .env("XDG_CONFIG_HOME", at("config"))
        .env("XDG_DATA_HOME", at("data"))
        .env("XDG_STATE_HOME", at("state"))
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("WAYLAND_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    // A window that hangs must not hang the tests; this is far longer than it takes.
    let mut status = None;
    for _ in 0..6000 {
        status = window.try_wait().unwrap();
        if status.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let told = std::fs::read_to_string(at("log")).unwrap();
    let Some(status) = status else {
        window.kill().unwrap();
        window.wait().unwrap();
        panic!("the window did not close:\n{told}");
    };
    Some(Ended { code: status.code(), told, home })
}

impl Ended {
    /// The only file or folder in a folder.
    fn only(&self, folder: &str) -> PathBuf {
        let found: Vec<PathBuf> = std::fs::read_dir(self.home.path().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        let shown: Vec<&PathBuf> = found.iter().filter(|path| path.extension().is_none_or(|e| e != "lock")).collect();
        assert_eq!(shown.len(), 1, "{found:?}\n{}", self.told);
        shown[0].clone()
    }
}

#[test]
fn the_demo_trains_in_a_real_window() {
    let Some(ended) = demo(&["--quit-when-done", "--set", "max_epochs=4"]) else { return };
    assert_eq!(ended.code, Some(0), "{}", ended.told);
    let run = runs::load(&ended.only("data/spikescope/runs")).unwrap();
    assert_eq!((run.manifest.status, run.recipe.glm().unwrap().width), (RunStatus::Complete, 16));
    let snapshot = run.snapshot.unwrap();
    assert_eq!((snapshot.areas, snapshot.stage), (vec!["A".to_owned(), "B".to_owned()], 4));
    assert!(run.summary["test_loss"].is_f64());
    let session = std::fs::read_to_string(ended.only("state/spikescope/sessions")).unwrap();
    assert!(session.contains("\"ended\": true"), "{session}");
}

/// The window dies in the middle of a training: the run comes to its end and is saved, the report says what happened, the session waits for the next start.
fn breaks(how: &str) {
    // A quick machine may end a short run while the report about the window is still being written: then a longer one is asked for.
    for epochs in [20, 100, 500, 2500] {
        let Some(ended) = demo(&["--break-window", how, "--set", &format!("max_epochs={epochs}"), "--set", "patience_steps=1000000"])
        else {
            return;
        };
        if died_while_training(&ended) {
            return;
        }
    }
    panic!("no training was long enough to outlive its window");
}

/// Whether the run went on without its window; everything else has to be true either way.
fn died_while_training(ended: &Ended) -> bool {
    assert_eq!(ended.code, Some(1), "{}", ended.told);
    assert!(ended.told.contains("the next start offers what was open") && ended.told.contains("A report was written to"), "{}", ended.told);
    let run = runs::load(&ended.only("data/spikescope/runs")).unwrap();
    assert!(run.manifest.status == RunStatus::Complete && run.summary["test_loss"].is_f64(), "{}", ended.told);
    let session = std::fs::read_to_string(ended.only("state/spikescope/sessions")).unwrap();
    assert!(session.contains("\"ended\": false") && session.contains("\"name\": \"demo\""), "{session}");
    let report = std::fs::read_to_string(ended.only("state/spikescope/reports")).unwrap();
    for part in ["recording: demo", "training begins", "== calls", "thread: main"] {
        assert!(report.contains(part), "{part} is missing in {report}");
    }
    let home = ended.home.path().display().to_string();
    assert!(!report.contains("jane") && !report.contains(&home) && !ended.told.contains(&format!("written to {home}")), "{report}");
    ended.told.contains("The window is gone; the training goes on here")
}

#[test]
fn a_fault_in_a_real_window_costs_no_training_and_no_session() {
    breaks("panic");
}

#[test]
fn a_lost_device_of_a_real_window_costs_no_training_and_no_session() {
    breaks("device");
}
