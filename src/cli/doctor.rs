//! `spikescope doctor`: what a bug report has to say, and whether this machine computes what it should.

use clap::Args;

use super::output::{print, tell};
use crate::doctor::{Examine, Report, print_vectors};

/// Options of `doctor`.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// One line of JSON
    #[arg(long)]
    json: bool,
    /// Self-tests on graphics adapters too; the first time, drivers compile for some minutes
    #[arg(long)]
    gpu: bool,
    /// Leave the benchmark out
    #[arg(long)]
    no_bench: bool,
    /// Print what the self-tests compare with (assets/self_test.json), as this machine computes it
    #[arg(long, hide = true)]
    print_vectors: bool,
}

impl Doctor {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if self.print_vectors {
            return print(&print_vectors().map_err(anyhow::Error::msg)?);
        }
        let report = Report::make(Examine { gpu: self.gpu, bench: !self.no_bench }, &|doing| tell(&format!("{doing}…")));
        print(&if self.json { report.json().to_string() } else { report.text() })?;
        verdict(&report)?;
        if !self.json {
            tell("Every self-test passed. The lines above can be pasted into a bug report; they hold no personal paths.");
        }
        Ok(())
    }
}

/// An error, and with it an exit code, when a self-test failed.
fn verdict(report: &Report) -> anyhow::Result<()> {
    let failed = report.tests.iter().filter(|test| !test.passed).count();
    anyhow::ensure!(
        failed == 0,
        "{failed} of {} self-tests failed; do not trust results of this machine, and please report the text above",
        report.tests.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::doctor::{Outcome, System};

    #[test]
    fn a_failed_self_test_is_an_error() {
        let outcome = |passed| Outcome {
            model: "stndt".into(),
            device: "CPU".into(),
            passed,
            computed: None,
            expected: None,
            problem: if passed { String::new() } else { "the first loss is 2, expected 1".into() },
        };
        let mut report = Report { system: System::look(), tests: vec![outcome(true), outcome(false)], timed: Vec::new() };
        assert!(verdict(&report).unwrap_err().to_string().contains("1 of 2 self-tests failed"));
        assert!(!report.passed() && report.text().contains("FAILED, the first loss is 2") && report.json()["passed"] == false);
        report.tests.pop();
        assert!(verdict(&report).is_ok() && report.json()["passed"] == true);
    }
}
