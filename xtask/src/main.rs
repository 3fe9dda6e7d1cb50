//! The habits of the project as commands: `cargo xtask demo | test | check | bench | fuzz | torture | validate`. No dependencies, so that
//! it builds in a second on a bare machine, and does the installing that everything else relies on.

mod bench;
mod check;
mod demo;
mod fuzz;
mod layout;
mod licences;
mod process;
mod spdx;
mod system;
mod test;
mod torture;
mod validate;
mod virtual_display;

use std::process::ExitCode;

use process::Failure;

const HELP: &str = "\
The habits of Spikescope as commands.

Usage: cargo xtask <COMMAND> [ARGUMENT…]

Commands:
  demo   Build Spikescope and open its demo recording; without a display, the same without a window.
         Arguments go to `spikescope demo`.
  test   Run every test on software Vulkan, the real window under a virtual display included.
         Arguments go to `cargo test`.
  check  Format, lints, documentation, licences of all dependencies, layout of the source.
  bench  Time training steps, loading and frames; the results go to a JSON lines file under target/bench.
  fuzz   Open many damaged copies of files of every format: no panic, no abort, none over 2 s or 1 GiB.
         [--mutants 100000] [--seed 0] [--format PART OF A TEST'S NAME] [--from MUTANT]
  torture  Kill the program at random moments of training: every run can be read and resumed, and ends as if nothing had happened.
         [--kills 100] [--seed 0]
  validate glm-transformer
         Every number that the paper is held to: false coupling from shared background by method, the network of four areas, fitted
         coupling against synaptic current, the ablation table (many hours at full size; goes on where it was stopped). Arguments go
         to each of `spikescope validate false-coupling | four-areas | synaptic-current | ablation`: --seeds, --trials, --units, --out,
         --cpu, --json, --quiet.

On Debian and Ubuntu, demo, test and bench install the system packages that are missing (as root; otherwise they print the
line to run and stop).";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next();
    let rest: Vec<String> = arguments.collect();
    let wants_help = rest.first().is_some_and(|a| a == "--help" || a == "-h");
    let outcome = match command.as_deref() {
        Some("--help" | "-h" | "help") => {
            println!("{HELP}");
            Ok(())
        }
        Some("demo" | "test" | "check" | "bench" | "fuzz" | "torture" | "validate") if wants_help => {
            println!("{HELP}");
            Ok(())
        }
        Some("demo") => demo::run_demo(&rest),
        Some("test") => test::run_tests(&rest),
        Some("check") => no_arguments("check", &rest).and_then(|()| check::run_checks()),
        Some("bench") => no_arguments("bench", &rest).and_then(|()| bench::run_benches()),
        Some("fuzz") => fuzz::run_fuzz(&rest),
        Some("torture") => torture::run_torture(&rest),
        Some("validate") => validate::run_validate(&rest),
        Some(other) => Err(Failure::Usage(format!("there is no command '{other}'"))),
        None => Err(Failure::Usage("no command was given".to_owned())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => {
            eprintln!("xtask: {message}; cargo xtask --help has the commands");
            ExitCode::from(2)
        }
        Err(Failure::Message(message)) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
        Err(Failure::Exit(code)) => ExitCode::from(code),
    }
}

fn no_arguments(command: &str, rest: &[String]) -> Result<(), Failure> {
    match rest.first() {
        None => Ok(()),
        Some(argument) => Err(Failure::Usage(format!("{command} takes no argument, but was given '{argument}'"))),
    }
}
