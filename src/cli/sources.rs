//! Where recordings come from: files and simulators.

use std::io::{IsTerminal, Write, stderr};
use std::path::Path;
use std::time::{Duration, Instant};

use super::Usage;
use crate::formats::{self, OpenOptions};
use crate::recording::Recording;
use crate::simulate::{self, SimulateError};

/// Open a file; when it takes long, a terminal is told how far it is.
pub(super) fn open(path: &Path) -> anyhow::Result<Recording> {
    let (begun, shows) = (Instant::now(), stderr().is_terminal());
    let told = std::cell::Cell::new(false);
    let progress = |fraction: f32, doing: &str| {
        if shows && begun.elapsed() > Duration::from_millis(500) {
            told.set(true);
            // Erase to the end of the line: texts differ in length.
            let _ = write!(stderr(), "\r{:3.0} % {doing}\x1b[K", 100.0 * fraction);
        }
        true
    };
    let opened = formats::open(path, &OpenOptions::default(), &progress);
    if told.get() {
        let _ = write!(stderr(), "\r\x1b[K");
    }
    Ok(opened?)
}

/// Simulate by name with settings as text.
pub(super) fn simulate(name: &str, settings: &[(String, String)]) -> anyhow::Result<Recording> {
    let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    simulate::by_name(name, &settings).map_err(|error| match error {
        SimulateError::NoSimulator { .. }
        | SimulateError::NoKey { .. }
        | SimulateError::BadValue { .. }
        | SimulateError::OutOfRange { .. } => Usage(error.to_string()).into(),
        other => other.into(),
    })
}

/// The built-in demo recording.
pub(super) fn demo() -> anyhow::Result<Recording> {
    Ok(simulate::demo()?)
}

/// The simulators and their settings, for help texts.
pub(super) fn simulators() -> String {
    let mut text = String::from("Simulators:\n");
    for listing in simulate::list() {
        text.push_str(&format!("  {:8} {}\n", listing.name, listing.description));
    }
    text.push_str("\nSettings for --set:\n");
    // All simulators share most settings: each is told once.
    let mut seen = Vec::new();
    for (key, expected) in simulate::list().into_iter().flat_map(|l| l.settings) {
        if !seen.contains(&key) {
            seen.push(key);
            text.push_str(&format!("  {key:14} {expected}\n"));
        }
    }
    text
}

/// `KEY=VALUE` as a pair, for clap.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("write it as KEY=VALUE, for example model.beta=0.5".to_owned()),
    }
}
