//! `cargo xtask torture`: the test that kills the program while it trains (`tests/resume.rs`, `torture`), with many more kills than the
//! ordinary round. The same seed makes the same draws; the moments themselves depend on the machine.

use crate::process::{Failure, cargo, run};

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Torture {
    kills: u64,
    seed: u64,
}

impl Torture {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut torture = Self { kills: 100, seed: 0 };
        let mut words = arguments.iter();
        while let Some(option) = words.next() {
            let value = words.next().ok_or_else(|| Failure::Usage(format!("torture {option} needs a value")))?;
            let number =
                value.parse::<u64>().map_err(|_| Failure::Usage(format!("torture {option} takes a whole number, not '{value}'")))?;
            match option.as_str() {
                "--kills" => torture.kills = number.max(1),
                "--seed" => torture.seed = number,
                _ => return Err(Failure::Usage(format!("torture has no option '{option}'"))),
            }
        }
        Ok(torture)
    }
}

/// Kill until all kills are done; the first run that cannot be read, loses more than it may or ends differently stops it.
pub fn run_torture(arguments: &[String]) -> Result<(), Failure> {
    let torture = Torture::parse(arguments)?;
    println!("{} kills, seed {}", torture.kills, torture.seed);
    let mut test = cargo();
    test.args(["test", "--release", "--package", "spikescope", "--test", "resume", "--", "--ignored", "--exact", "torture", "--nocapture"]);
    test.env("SPIKESCOPE_KILLS", torture.kills.to_string()).env("SPIKESCOPE_KILL_SEED", torture.seed.to_string());
    run(&mut test)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_refused() {
        let parse = |line: &str| Torture::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(parse("--kills 500 --seed 7"), Ok(Torture { kills: 500, seed: 7 }));
        assert_eq!(parse("").map(|t| t.kills), Ok(100));
        for wrong in ["--kills", "--kills many", "--speed 3"] {
            assert!(matches!(parse(wrong), Err(Failure::Usage(_))), "{wrong}");
        }
    }
}
