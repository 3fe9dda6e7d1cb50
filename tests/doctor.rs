//! `spikescope doctor` as a user starts it: every self-test passes on the CPU, and nothing personal is in what it prints.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

#[test]
fn the_report_is_json_and_holds_no_personal_paths() {
    let place = tempfile::tempdir().unwrap();
    let home = place.path().join("jane.doe");
    std::fs::create_dir(&home).unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_spikescope"))
        .args(["doctor", "--json", "--no-bench"])
        .env("HOME", &home)
        .env("USER", "jane.doe")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_STATE_HOME")
        .output()
        .unwrap();
    let (text, told) = (String::from_utf8(out.stdout).unwrap(), String::from_utf8_lossy(&out.stderr).into_owned());
    assert!(out.status.success(), "{text}\n{told}");
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&report["passed"], report["self_tests"].as_array().unwrap().len()), (&true.into(), 3), "{text}");
    assert!(report["system"]["training_device"].as_str().is_some_and(|device| !device.is_empty()));
    for folder in report["system"]["folders"].as_array().unwrap() {
        assert!(folder["writable"] == true, "{folder}");
    }
    #[cfg(target_os = "linux")]
    assert!(text.contains("~/.local/state/spikescope") && !text.contains("jane") && !told.contains("jane"), "{text}");
}
