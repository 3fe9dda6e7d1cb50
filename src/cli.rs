//! The command line. Every command calls the functions that the window calls.
//!
//! Exit codes: 0 done, 1 failed with one line that says why and what to do, 2 wrong usage. Results go to standard output,
//! progress and messages to standard error.

mod areas;
mod bench;
mod compare;
mod connectivity;
mod demo;
mod doctor;
mod edges;
mod environment;
mod evaluate;
mod export;
mod figures;
mod import_weights;
mod info;
mod log;
mod memory;
mod output;
mod panics;
mod progress;
mod recipe;
mod resume;
mod runs;
mod scene;
mod screenshot;
mod simulate;
mod sources;
mod stage;
mod sweep;
mod train;
mod validate;
mod window;

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use clap::{Parser, Subcommand};

use crate::app::{BlackBox, default_state_dir, process_id, reports_folder};
use crate::doctor::Privacy;
use crate::training::yield_to_the_window;

/// Open a spike recording, train models of neural interaction in the background, watch what they learn.
#[derive(Debug, Parser)]
#[command(name = "spikescope", version, args_conflicts_with_subcommands = true, after_help = "Without a command the window opens.")]
struct Cli {
    /// Recordings to open in the window
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Threads that compute [default: as many as the machine has cores]
    #[arg(long, global = true, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Say when the first frame is on the screen and close the window again (`bench ui` starts the program so)
    #[arg(long, hide = true)]
    until_first_frame: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Open the built-in demo recording and train on it at once
    Demo(demo::Demo),
    /// Units, spikes, areas, tables and import report of a recording
    Info(info::Info),
    /// Write a recording, or a part of it, to another file
    Export(export::Export),
    /// Brain areas of a recording: from a list, a column, depths or by hand, kept beside it
    Areas(areas::Areas),
    /// Who drives whom by simple methods, and how close that is to the truth where it is known
    Connectivity(connectivity::Connectivity),
    /// Which areas drive which: screen a recording without training, or test the edges of a run (GLM-Transformer)
    Edges(Box<edges::Edges>),
    /// How often the program's claims are wrong, measured on simulations
    #[command(subcommand)]
    Validate(validate::Validate),
    /// Write a simulated recording with known coupling
    Simulate(simulate::Simulate),
    /// Train a model without a window and write a run folder
    Train(Box<train::Train>),
    /// Go on with a run that was interrupted, stopped or failed, from its last checkpoint
    Resume(Box<resume::Resume>),
    /// Make a run from weights that were trained with PyTorch, in the official layouts of STNDT and NetFormer
    ImportWeights(Box<import_weights::ImportWeights>),
    /// Train runs with settings drawn from the published ranges (STNDT, NDT) and rank them
    Sweep(Box<sweep::Sweep>),
    /// The Neural Latents Benchmark's scores of a run or of an ensemble of runs (STNDT, NDT)
    Evaluate(Box<evaluate::Evaluate>),
    /// Runs in a folder with their results, settings and notes
    Runs(runs::Runs),
    /// Settings that differ, results and agreement of two to five runs
    Compare(compare::Compare),
    /// Draw one view of a recording or a run into a PNG file, without a window
    Screenshot(screenshot::Screenshot),
    /// What a bug report has to say about this machine, with a self-test of every model
    Doctor(doctor::Doctor),
    /// Time training steps, loading, or frames of the window
    #[command(subcommand)]
    Bench(bench::Bench),
}

/// A request that cannot be meant this way: exit code 2, as for unknown options.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// What the program does; the binary calls nothing else.
pub fn main() -> ExitCode {
    environment::settle();
    let black_box = black_box();
    panics::report(Arc::clone(&black_box));
    log::begin(Arc::clone(&black_box));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, with exit code 0. Nobody can be told when printing fails.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match catch_unwind(AssertUnwindSafe(|| run(cli, &black_box))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            output::tell(&format!("error: {}", one_line(&error)));
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
        // The hook has told what happened.
        Err(_) => ExitCode::FAILURE,
    }
}

/// What fault reports of this process tell.
fn black_box() -> Arc<BlackBox> {
    let reports = default_state_dir().map(|state| reports_folder(&state));
    Arc::new(BlackBox::new(reports, process_id(SystemTime::now()), Privacy::of_user()))
}

fn run(cli: Cli, black_box: &Arc<BlackBox>) -> anyhow::Result<()> {
    let mut pool =
        rayon::ThreadPoolBuilder::new().num_threads(cli.threads.map_or(0, NonZeroUsize::get)).thread_name(|i| format!("compute {i}"));
    let behind_a_window = match &cli.command {
        None | Some(Command::Demo(_)) => true,
        Some(Command::Bench(bench)) => bench.draws(),
        Some(_) => false,
    };
    if behind_a_window {
        pool = pool.start_handler(|_| yield_to_the_window());
    }
    pool.build_global()?;
    match cli.command {
        None => window::open(cli.files, cli.until_first_frame, black_box),
        Some(Command::Demo(demo)) => demo.run(black_box),
        Some(Command::Info(info)) => info.run(),
        Some(Command::Export(export)) => export.run(),
        Some(Command::Areas(areas)) => areas.run(),
        Some(Command::Connectivity(connectivity)) => connectivity.run(),
        Some(Command::Edges(edges)) => edges.run(),
        Some(Command::Validate(validate)) => validate.run(),
        Some(Command::Simulate(simulate)) => simulate.run(),
        Some(Command::Train(train)) => train.run(),
        Some(Command::Resume(resume)) => resume.run(),
        Some(Command::ImportWeights(import)) => import.run(),
        Some(Command::Sweep(sweep)) => sweep.run(),
        Some(Command::Evaluate(evaluate)) => evaluate.run(),
        Some(Command::Runs(runs)) => runs.run(),
        Some(Command::Compare(compare)) => compare.run(),
        Some(Command::Screenshot(screenshot)) => screenshot.run(),
        Some(Command::Doctor(doctor)) => doctor.run(),
        Some(Command::Bench(bench)) => bench.run(cli.threads.map(NonZeroUsize::get)),
    }
}

/// The error and its causes in one line. Many of our errors already tell their cause; nothing is said twice.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.contains(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn files_open_the_window_and_words_are_commands() {
        let cli = Cli::try_parse_from(["spikescope", "a.nwb", "b.csv"]).unwrap();
        assert_eq!((cli.files.len(), cli.command.is_none()), (2, true));
        assert!(matches!(Cli::try_parse_from(["spikescope", "demo", "--headless"]).unwrap().command, Some(Command::Demo(_))));
        let cli = Cli::try_parse_from(["spikescope", "bench", "step", "--threads", "2"]).unwrap();
        assert_eq!(cli.threads.map(NonZeroUsize::get), Some(2));
    }

    #[test]
    fn wrong_usage_is_refused_by_the_parser() {
        for line in [
            "train a.nwb --out run --simulate glm",
            "train --out run",
            "train a.nwb",
            "train a.nwb --out run --sim-set a=1",
            "train a.nwb --out run --areas id/0",
            "train a.nwb --out run --set model.beta",
            "train a.nwb --out run --model transformer",
            "train a.nwb --out run --checkpoint-every soon",
            "resume",
            "resume run --recording a.nwb --simulate glm",
            "screenshot --view raster",
            "screenshot --view raster --out p.png --size 0x5",
            "screenshot --view raster --out p.png --scale 99",
            "simulate glm",
            "connectivity a.nwb --method granger",
            "connectivity a.nwb --levels 1",
            "edges",
            "edges run --sim-set a=1",
            "edges run --nulls many",
            "validate",
            "validate edges --simulations few",
            "demo --headless --no-train",
            "compare one",
            "compare a b c d e f",
            "validate",
            "validate false-coupling --methods lfads",
            "validate false-coupling --seeds 5..1",
            "validate four-areas --seeds none",
            "validate ablation --variants rnn",
            "validate synaptic-current --conn strong",
            "bench",
        ] {
            let error = Cli::try_parse_from(["spikescope"].into_iter().chain(line.split(' '))).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn causes_are_told_once_and_in_one_line() {
        #[derive(Debug, thiserror::Error)]
        #[error("run: writing failed: {source}; free some\nspace")]
        struct Outer {
            source: std::io::Error,
        }
        let error = anyhow::Error::new(Outer { source: std::io::Error::other("disk full") });
        assert_eq!(one_line(&error), "run: writing failed: disk full; free some space");
        assert_eq!(one_line(&error.context("the demo")), "the demo: run: writing failed: disk full; free some space");
    }
}
