//! The program as a user starts it: the real binary, a real window on a display in memory (Xvfb, started by `cargo xtask test`),
//! training in the background, a run folder on disk, and a window that closes by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use spikescope::runs::{self, RunStatus};

/// Set by `cargo xtask test` to the display that is there for this test.
const DISPLAY: &str = "SPIKESCOPE_XVFB_DISPLAY";

#[test]
fn the_demo_trains_in_a_real_window() {
    let Some(display) = std::env::var_os(DISPLAY) else {
        println!("no virtual display ({DISPLAY} is not set; `cargo xtask test` sets it): the real window was not opened");
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let log = std::fs::File::create(at("log")).unwrap();
    let mut window = Command::new(env!("CARGO_BIN_EXE_spikescope"))
        .args(["demo", "--quit-when-done", "--set", "max_epochs=4", "--set", "width=16", "--set", "hidden=32", "--set", "edge_jitters=4"])
        .env("DISPLAY", display)
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
    assert_eq!(status.code(), Some(0), "{told}");

    let folders: Vec<PathBuf> = std::fs::read_dir(at("data/spikescope/runs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}\n{told}");
    let run = runs::load(&folders[0]).unwrap();
    assert_eq!((run.manifest.status, run.recipe.glm().unwrap().width), (RunStatus::Complete, 16));
    let snapshot = run.snapshot.unwrap();
    assert_eq!((snapshot.areas, snapshot.stage), (vec!["A".to_owned(), "B".to_owned()], 4));
    assert!(run.summary["test_loss"].is_f64());
}
