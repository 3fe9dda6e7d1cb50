//! A display in memory (Xvfb) that lives as long as the value: real windows open on machines without a screen.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::process::{Failure, target_dir};

/// A running Xvfb.
pub struct VirtualDisplay {
    server: Child,
    name: String,
}

impl VirtualDisplay {
    /// Start Xvfb on the first free display and wait until it takes windows.
    pub fn start() -> Result<Self, Failure> {
        let log = target_dir().join("xvfb.log");
        let messages = File::create(&log).map_err(|error| format!("{} cannot be written: {error}", log.display()))?;
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1600x1000x24", "-nolisten", "tcp", "-noreset"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(messages)
            .spawn()
            .map_err(|error| format!("Xvfb could not be started (Debian package xvfb): {error}"))?;
        // Xvfb picks the display and writes its number once it is ready.
        let mut number = String::new();
        if let Some(stdout) = server.stdout.take() {
            // An unreadable pipe leaves the number empty, which is reported below.
            BufReader::new(stdout).read_line(&mut number).ok();
        }
        let display = Self { server, name: format!(":{}", number.trim()) };
        if number.trim().is_empty() {
            return Err(Failure::Message(format!("Xvfb ended before it was ready; its messages are in {}", log.display())));
        }
        Ok(display)
    }

    /// Value for `DISPLAY`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for VirtualDisplay {
    fn drop(&mut self) {
        // Both fail only when the server has ended already.
        self.server.kill().ok();
        self.server.wait().ok();
    }
}
