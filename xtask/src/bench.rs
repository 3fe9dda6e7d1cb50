//! `cargo xtask bench`: the program's own timings, one JSON line each, kept in one file per round.

use std::env;
use std::fs::{File, create_dir_all};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::demo::has_display;
use crate::process::{Failure, build_spikescope, output_of, root, spikescope, succeeds, target_dir};
use crate::system::{Purpose, ensure, with_runtime_folder};
use crate::virtual_display::VirtualDisplay;

const STEP: &[&str] = &["bench", "step", "--model", "glm", "--batch", "64", "--device", "cpu", "--threads", "2", "--steps", "20", "--json"];

/// Build, run every benchmark, keep the lines.
pub fn run_benches() -> Result<(), Failure> {
    let without_display = !has_display(|variable| env::var(variable).ok());
    ensure(&[Purpose::Draw, Purpose::Window])?;
    if without_display {
        ensure(&[Purpose::VirtualDisplay])?;
    }
    build_spikescope()?;
    let display = if without_display { Some(VirtualDisplay::start()?) } else { None };

    let file = result_file()?;
    let mut results = File::create(&file).map_err(|error| unwritable(&file, &error))?;
    let benches = [
        [STEP, &["--size", "two50"]].concat(),
        [STEP, &["--size", "six58"]].concat(),
        vec!["bench", "load", "--json"],
        vec!["bench", "ui", "--json"],
        vec!["bench", "raster", "--spikes", "1e6,1e7", "--json"],
    ];
    for arguments in benches {
        let mut bench = spikescope(&arguments);
        with_runtime_folder(&mut bench);
        if let Some(display) = &display {
            bench.env("DISPLAY", display.name());
        }
        let printed = output_of(&mut bench)?;
        let lines: Vec<&str> = json_lines(&printed).collect();
        if lines.is_empty() {
            return Err(Failure::Message(format!("spikescope {} printed no JSON line", arguments.join(" "))));
        }
        for line in lines {
            println!("{line}");
            writeln!(results, "{line}").map_err(|error| unwritable(&file, &error))?;
        }
    }
    println!("Kept in {}", file.display());
    if let Some(peer) = peer() {
        println!("\nTo time the PyTorch peer interleaved with ours:\n{}", interleaved(&peer));
    }
    Ok(())
}

fn result_file() -> Result<PathBuf, Failure> {
    let folder = target_dir().join("bench");
    create_dir_all(&folder).map_err(|error| unwritable(&folder, &error))?;
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Ok(folder.join(format!("bench-{seconds}.jsonl")))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Message(format!("{} cannot be written: {error}", path.display()))
}

fn json_lines(printed: &str) -> impl Iterator<Item = &str> {
    printed.lines().map(str::trim).filter(|line| line.starts_with('{') && line.ends_with('}'))
}

/// A PyTorch version of the model, and a Python that can run it.
struct Peer {
    script: PathBuf,
    python: PathBuf,
}

fn peer() -> Option<Peer> {
    let folder = root().parent()?.join("shared/bench");
    let script = folder.join("bench_peer.py");
    if !script.is_file() {
        return None;
    }
    let named = env::var_os("PYTHON").map(PathBuf::from);
    let candidates = named.into_iter().chain([folder.join(".venv/bin/python"), root().join(".venv/bin/python"), PathBuf::from("python3")]);
    let python = candidates.into_iter().find(|python| succeeds(Command::new(python).args(["-c", "import torch"])))?;
    Some(Peer { script, python })
}

fn interleaved(peer: &Peer) -> String {
    let ours = target_dir().join("release/spikescope");
    format!(
        "for round in 1 2 3 4 5; do\n  {} {} --size two50\n  OMP_WAIT_POLICY=PASSIVE {} {} --model glm --size two50 --steps 20 --threads 2\ndone",
        ours.display(),
        STEP.join(" "),
        peer.python.display(),
        peer.script.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_lines_are_kept() {
        let printed = "Preparing\n{\"median_ms\": 61.0}\n  {\"median_ms\": 62.0}  \n{ torn\nDone\n";
        assert_eq!(json_lines(printed).collect::<Vec<_>>(), ["{\"median_ms\": 61.0}", "{\"median_ms\": 62.0}"]);
    }

    #[test]
    fn ours_and_theirs_run_in_turn_with_the_same_size() {
        let peer = Peer { script: "bench_peer.py".into(), python: "python3".into() };
        let command = interleaved(&peer);
        let lines: Vec<&str> = command.lines().collect();
        assert!(lines[1].contains("bench step") && lines[1].ends_with("--size two50"), "{command}");
        assert!(lines[2].contains("bench_peer.py --model glm --size two50"), "{command}");
    }
}
