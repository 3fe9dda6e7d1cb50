//! `cargo xtask check`: what has to hold before a change lands, beside the tests. Every step runs, so that one round shows
//! everything there is to mend.

use crate::process::{Failure, cargo, run, succeeds};
use crate::{layout, licences};

type Step = (&'static str, fn() -> Result<(), Failure>);

const STEPS: &[Step] = &[
    ("Format", format),
    ("Layout of the source", layout::check),
    ("Licences", licences::check),
    ("Lints", lints),
    ("Documentation", documentation),
];

/// Run every step; the failed ones are named at the end.
pub fn run_checks() -> Result<(), Failure> {
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        println!("== {name}");
        if let Err(failure) = step() {
            if let Failure::Message(message) | Failure::Usage(message) = failure {
                eprintln!("{message}");
            }
            failed.push(*name);
        }
    }
    if failed.is_empty() {
        println!("== All {} checks hold", STEPS.len());
        Ok(())
    } else {
        Err(Failure::Message(format!("these checks failed: {}", failed.join(", "))))
    }
}

fn format() -> Result<(), Failure> {
    component("fmt", "rustfmt")?;
    run(cargo().args(["fmt", "--all", "--check"])).map_err(|_| Failure::Message("run: cargo fmt --all".to_owned()))
}

fn lints() -> Result<(), Failure> {
    component("clippy", "clippy")?;
    run(cargo().args(["clippy", "--release", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
}

fn documentation() -> Result<(), Failure> {
    run(cargo().args(["doc", "--release", "--no-deps", "--package", "spikescope", "--lib"]).env("RUSTDOCFLAGS", "--deny warnings"))
}

/// The toolchain's component behind a cargo command; its absence is told with the line that brings it.
fn component(command: &str, component: &str) -> Result<(), Failure> {
    if succeeds(cargo().args([command, "--version"])) {
        Ok(())
    } else {
        Err(Failure::Message(format!("cargo {command} is not installed; run: rustup component add {component}")))
    }
}
