//! Running other programs, and where the project lies.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a command of xtask ended badly.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// Wrong usage: exit code 2.
    Usage(String),
    /// The message says what to do, exit code 1.
    Message(String),
    /// A program that already said why: its exit code is passed on.
    Exit(u8),
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Message(message)
    }
}

/// Root folder of the project.
///
/// `cargo run` tells at run time which checkout it runs for; the path at build time is only the fallback, because several
/// checkouts may share one build folder.
pub fn root() -> PathBuf {
    let xtask = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map_or_else(|| xtask.clone(), Path::to_path_buf)
}

/// Folder that cargo builds into.
pub fn target_dir() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// The cargo that runs this program, in the project's root.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// `spikescope` with these arguments, built first if need be.
pub fn spikescope(arguments: &[&str]) -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--release", "--package", "spikescope", "--bin", "spikescope", "--"]).args(arguments);
    command
}

/// Build `spikescope`, with cargo's own progress on the screen.
pub fn build_spikescope() -> Result<(), Failure> {
    if !target_dir().join("release").join(format!("spikescope{}", env::consts::EXE_SUFFIX)).exists() {
        println!("The first build takes about 15 minutes on two cores.");
    }
    run(cargo().args(["build", "--release", "--package", "spikescope", "--bin", "spikescope"]))
}

/// Run with the output on the screen; a bad end becomes [`Failure::Exit`] with the same exit code.
pub fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    if status.success() {
        return Ok(());
    }
    // No code means a signal ended it, which the program itself had no chance to report.
    match status.code() {
        Some(code) => Err(Failure::Exit(u8::try_from(code).unwrap_or(1))),
        None => Err(Failure::Message(format!("{} was ended: {status}", name(command)))),
    }
}

/// Run and return what it prints on its standard output; its standard error stays on the screen.
pub fn output_of(command: &mut Command) -> Result<String, Failure> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| cannot_start(command, &error))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Failure::Message(format!("{} failed: {}", name(command), output.status)))
    }
}

/// Whether a command runs and succeeds, without a word on the screen.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn cannot_start(command: &Command, error: &std::io::Error) -> Failure {
    Failure::Message(format!("{} could not be started: {error}", name(command)))
}

fn name(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("Cargo.toml").is_file());
        assert!(root().join("xtask/Cargo.toml").is_file());
    }

    #[test]
    fn a_bad_end_keeps_its_exit_code() {
        assert_eq!(run(cargo().args(["--list"]).stdout(Stdio::null())), Ok(()));
        let Err(Failure::Exit(code)) = run(cargo().arg("no-such-command").stderr(Stdio::null())) else {
            panic!("cargo accepted an unknown command");
        };
        assert_ne!(code, 0);
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let Err(Failure::Message(message)) = run(&mut Command::new("spikescope-no-such-program")) else {
            panic!("a missing program was found");
        };
        assert!(message.contains("spikescope-no-such-program"), "{message}");
        assert!(!succeeds(&mut Command::new("spikescope-no-such-program")));
    }
}
