//! The system report: the machine, the self-tests and a short benchmark, as text to paste into a bug report and as JSON.

use serde_json::{Value, json};

use super::self_test::{self, MODELS, Outcome};
use super::{Privacy, System};
use crate::models::glm_transformer::Stage;
use crate::training::{DeviceChoice, bench};

/// What to look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Examine {
    /// Self-tests on graphics adapters too.
    pub gpu: bool,
    /// Time some training steps.
    pub bench: bool,
}

/// Time of a training step.
#[derive(Debug, Clone, PartialEq)]
pub struct Timed {
    /// Model and shape of the data.
    pub what: String,
    /// Median over a few steps, milliseconds; or why it could not be measured.
    pub median_ms: Result<f64, String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The machine.
    pub system: System,
    /// Self-tests.
    pub tests: Vec<Outcome>,
    /// Benchmark; empty when none was wanted.
    pub timed: Vec<Timed>,
}

impl Report {
    /// Look at everything; takes some seconds, with graphics adapters minutes. `tell` hears what is being done.
    pub fn make(examine: Examine, tell: &dyn Fn(&str)) -> Self {
        tell("looking at the machine");
        let system = System::look();
        let mut devices = vec![DeviceChoice::Cpu];
        if examine.gpu {
            // One of each kind: training takes the best GPU, and a software adapter only when it is named.
            devices.extend(system.adapters.iter().any(|a| !a.software && a.backend != "Gl").then_some(DeviceChoice::Gpu));
            devices.extend(system.adapters.iter().any(|a| a.software && a.backend != "Gl").then_some(DeviceChoice::SoftwareGpu));
        }
        let mut tests = Vec::new();
        for device in devices {
            for model in MODELS {
                tell(&format!("self-test of {model} ({device:?})"));
                tests.push(self_test::test(model, device));
            }
        }
        Self { system, tests, timed: if examine.bench { timed(tell) } else { Vec::new() } }
    }

    /// Every self-test passed.
    pub fn passed(&self) -> bool {
        self.tests.iter().all(|test| test.passed)
    }

    /// The report as text, without anything personal.
    pub fn text(&self) -> String {
        let mut lines = self.system.lines();
        lines.extend(self.tests.iter().map(Outcome::line));
        for timed in &self.timed {
            lines.push(match &timed.median_ms {
                Ok(ms) => format!("Training step, {}: {ms:.0} ms", timed.what),
                Err(why) => format!("Training step, {}: not measured, {why}", timed.what),
            });
        }
        Privacy::of_user().clean(&lines.join("\n"))
    }

    /// The report as JSON, without anything personal.
    pub fn json(&self) -> Value {
        let value = json!({
            "system": self.system,
            "self_tests": self.tests,
            "passed": self.passed(),
            "training_step": self.timed.iter().map(|timed| json!({
                "what": timed.what,
                "median_ms": timed.median_ms.as_ref().ok(),
                "problem": timed.median_ms.as_ref().err(),
            })).collect::<Vec<_>>(),
        });
        serde_json::from_str(&Privacy::of_user().clean(&value.to_string())).unwrap_or(value)
    }
}

/// A few steps of each model on the CPU, in the shapes of `spikescope bench step`.
fn timed(tell: &dyn Fn(&str)) -> Vec<Timed> {
    type Measure = fn() -> anyhow::Result<bench::BenchResult>;
    let all: [(&str, Measure); 3] = [
        ("GLM-Transformer, 2 × 50 units, 250 bins, batch 64", || bench::step("two50", Stage::Coupling, 64, DeviceChoice::Cpu, 5)),
        ("STNDT, 65 units, 160 bins, batch 16", || bench::stndt_step("area2", 16, DeviceChoice::Cpu, 3)),
        ("NetFormer, 200 units, batch 32", || Ok(bench::netformer_step("sim200", 32, DeviceChoice::Cpu, 5)?.0)),
    ];
    let measure = |(what, measure): (&str, Measure)| {
        tell(&format!("timing {what}"));
        Timed { what: what.to_owned(), median_ms: measure().map(|result| result.median_ms()).map_err(|e| e.to_string()) }
    };
    all.into_iter().map(measure).collect()
}
