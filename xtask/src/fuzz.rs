//! `cargo xtask fuzz`: the tests that damage files (`tests/formats`, `damaged_…`), one after the other in a process of its own, with
//! more mutants than the ordinary round, other seeds, and limits of time and memory. The same seed makes the same mutants.

use std::process::Stdio;

use crate::process::{Failure, cargo, output_of, run};

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fuzz {
    mutants: u64,
    seed: u64,
    from: u64,
    /// Part of the name of a test.
    format: String,
}

impl Fuzz {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut fuzz = Self { mutants: 100_000, seed: 0, from: 0, format: String::new() };
        let mut words = arguments.iter();
        while let Some(option) = words.next() {
            let value = words.next().ok_or_else(|| Failure::Usage(format!("fuzz {option} needs a value")))?;
            let number = || value.parse::<u64>().map_err(|_| Failure::Usage(format!("fuzz {option} takes a whole number, not '{value}'")));
            match option.as_str() {
                "--mutants" => fuzz.mutants = number()?.max(1),
                "--seed" => fuzz.seed = number()?,
                "--from" => fuzz.from = number()?,
                "--format" => fuzz.format.clone_from(value),
                _ => return Err(Failure::Usage(format!("fuzz has no option '{option}'"))),
            }
        }
        Ok(fuzz)
    }
}

/// Run every test of damaged files; all run, the failed ones are named at the end.
pub fn run_fuzz(arguments: &[String]) -> Result<(), Failure> {
    let fuzz = Fuzz::parse(arguments)?;
    run(cargo().args(["test", "--release", "--package", "spikescope", "--test", "formats", "--no-run"]))?;
    let listed = output_of(tests().args(["--", "--list"]).stderr(Stdio::null()))?;
    let names: Vec<&str> = names(&listed).filter(|name| name.contains(&fuzz.format)).collect();
    if names.is_empty() {
        return Err(Failure::Usage(format!("no test of damaged files is called like '{}'", fuzz.format)));
    }
    println!("{} mutants per format, seed {}; limits: 2 s per file, 1 GiB of memory", fuzz.mutants, fuzz.seed);
    println!("{:52} {:>8} {:>8} {:>8} {:>18} {:>8}", "format", "mutants", "opened", "refused", "slowest (mutant)", "peak MB");
    let mut failed = Vec::new();
    for name in names {
        let mut test = tests();
        test.args(["--", "--exact", name, "--nocapture"]);
        test.env("SPIKESCOPE_MUTANTS", fuzz.mutants.to_string()).env("SPIKESCOPE_FUZZ_SEED", fuzz.seed.to_string());
        test.env("SPIKESCOPE_FUZZ_FROM", fuzz.from.to_string());
        // A test that failed or was aborted has said why on the screen.
        let printed = output_of(&mut test).unwrap_or_default();
        let rows: Vec<String> = printed.lines().filter_map(|line| row(name, line)).collect();
        rows.iter().for_each(|row| println!("{row}"));
        if rows.is_empty() {
            println!("{name:52} FAILED");
            failed.push(name);
        }
    }
    match failed.first() {
        None => Ok(()),
        Some(first) => Err(Failure::Message(format!(
            "{} failed: {}. The same again: cargo xtask fuzz --mutants {} --seed {} --format {first} (--from N leaves out the mutants \
             before N)",
            failed.len(),
            failed.join(", "),
            fuzz.mutants,
            fuzz.seed
        ))),
    }
}

fn tests() -> std::process::Command {
    let mut command = cargo();
    command.args(["test", "--quiet", "--release", "--package", "spikescope", "--test", "formats"]);
    command
}

/// Tests of damaged files in a list as cargo prints it.
fn names(listed: &str) -> impl Iterator<Item = &str> {
    listed.lines().filter_map(|line| line.trim().strip_suffix(": test")).filter(|name| name.contains("::damaged_"))
}

/// One row of the table from a line that a test printed.
fn row(name: &str, line: &str) -> Option<String> {
    let (_, figures) = line.split_once("fuzz ")?;
    let value = |key: &str| figures.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let slowest = format!("{} ms ({})", value("slowest_ms")?, value("slowest")?);
    Some(format!(
        "{name:52} {:>8} {:>8} {:>8} {slowest:>18} {:>8}",
        value("mutants")?,
        value("opened")?,
        value("refused")?,
        value("peak_mb")?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_refused() {
        let parse = |line: &str| Fuzz::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let wanted = Fuzz { mutants: 500, seed: 7, from: 0, format: "nwb".to_owned() };
        assert_eq!(parse("--mutants 500 --format nwb --seed 7"), Ok(wanted));
        assert_eq!(parse("").map(|f| f.mutants), Ok(100_000));
        for wrong in ["--mutants", "--mutants many", "--speed 3"] {
            assert!(matches!(parse(wrong), Err(Failure::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn tests_and_their_figures_are_found_in_what_cargo_prints() {
        let listed = "damage::damaged_nwb_files: test\ndamage::other: test\nnex::damaged_files: test\n3 tests, 0 benchmarks\n";
        assert_eq!(names(listed).collect::<Vec<_>>(), ["damage::damaged_nwb_files", "nex::damaged_files"]);
        let printed = "test a ... fuzz mutants=10 opened=3 refused=7 slowest_ms=1.5 slowest=4 peak_mb=80";
        let row = row("a::damaged_b", printed).expect("a row");
        assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["a::damaged_b", "10", "3", "7", "1.5", "ms", "(4)", "80"]);
        assert_eq!(super::row("a", "running 1 test\nFAILED"), None);
    }
}
