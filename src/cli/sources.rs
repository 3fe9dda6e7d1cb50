//! Where recordings come from: files and simulators.

use std::io::{IsTerminal, Write, stderr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{ArgGroup, Args};

use super::{Usage, output};
use crate::analysis::synchrony::{SynchronyCheck, synchrony};
use crate::formats::shelf::Shelf;
use crate::formats::{self, OpenOptions, TimeRange};
use crate::recording::quality::QualityFilter;
use crate::recording::{Recording, Sidecar};
use crate::simulate::{self, SimulateError};

/// What is trained on: a file or a simulation.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("input").required(true).args(["file", "simulate"]))]
pub(super) struct Input {
    /// Recording to train on
    file: Option<PathBuf>,
    /// Train on a simulation in place of a file; see `spikescope simulate --help`
    #[arg(long, value_name = "NAME")]
    simulate: Option<String>,
    /// A setting of the simulator, for example trials=1000; may be given more than once
    #[arg(long = "sim-set", value_name = "KEY=VALUE", value_parser = key_value, conflicts_with = "file")]
    simulator_settings: Vec<(String, String)>,
    #[command(flatten)]
    import: ImportOptions,
}

impl Input {
    /// The file, for those who look for it later.
    pub(super) fn path(&self) -> Option<PathBuf> {
        let file = self.file.as_ref()?;
        Some(std::path::absolute(file).unwrap_or_else(|_| file.clone()))
    }

    /// Open or simulate it.
    pub(super) fn open(&self) -> anyhow::Result<Arc<Recording>> {
        match (&self.file, &self.simulate) {
            (Some(file), _) => self.import.open(file),
            (None, Some(name)) => Ok(Arc::new(simulate(name, &self.simulator_settings)?)),
            (None, None) => Err(Usage("name a recording, or a simulation with --simulate".to_owned()).into()),
        }
    }
}

/// How a recording is opened: the answers of the import dialog, and what is taken of the recording.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ImportOptions {
    /// Answer to a choice of the import, for example time_unit=ms; `spikescope info FILE` lists the choices. May be given more than once
    #[arg(long = "import", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) answers: Vec<(String, String)>,
    /// Only this stretch, in seconds, for example 0..600
    #[arg(long, value_name = "A..B", allow_hyphen_values = true)]
    pub(super) time_range: Option<TimeRange>,
    /// Only units for which this holds, for example "rate > 1 and isi_violations < 0.01 and area == 'V1'"
    #[arg(long, value_name = "EXPR")]
    pub(super) units: Option<String>,
    /// Leave out spikes in milliseconds in which far more units are active than in jittered data
    #[arg(long)]
    pub(super) mask_artefacts: bool,
    /// The recording as it is in the file, without the areas and filters kept beside it
    #[arg(long)]
    pub(super) as_read: bool,
}

impl ImportOptions {
    /// True when nothing was asked for.
    pub(super) fn is_default(&self) -> bool {
        self.answers.is_empty() && self.time_range.is_none() && self.units.is_none() && !self.mask_artefacts && !self.as_read
    }

    /// Open a recording as these options say.
    pub(super) fn open(&self, path: &Path) -> anyhow::Result<Arc<Recording>> {
        let answers = self.answers.iter().cloned().collect();
        let options = OpenOptions { answers, time_range: self.time_range, ..OpenOptions::for_this_machine() };
        let recording = read(path, &options)?;
        for (key, _) in &self.answers {
            if !recording.report.choices.iter().any(|c| &c.key == key) {
                let have: Vec<&str> = recording.report.choices.iter().map(|c| c.key.as_str()).collect();
                let have = if have.is_empty() { "none".to_owned() } else { have.join(", ") };
                output::tell(&format!("note: opening {} left no choice '{key}' (choices: {have})", path.display()));
            }
        }
        let shelf = Shelf::of_user().filter(|_| !self.as_read);
        self.prepare(match shelf {
            Some(shelf) => shelf.apply(recording),
            None => Arc::new(recording),
        })
    }

    /// Units and artefacts, on top of what is kept beside the recording.
    fn prepare(&self, recording: Arc<Recording>) -> anyhow::Result<Arc<Recording>> {
        let mut sidecar = recording.sidecar();
        if let Some(expression) = &self.units {
            let before = std::mem::take(&mut sidecar.keep.expression);
            let both = if before.trim().is_empty() { expression.clone() } else { format!("({before}) and ({expression})") };
            sidecar.keep = QualityFilter { expression: both, ..sidecar.keep };
        }
        if self.mask_artefacts {
            let found = synchrony(&recording.original().spikes, &SynchronyCheck::default())?;
            output::tell(&format!("artefacts: {}", found.sentence()));
            sidecar.mask = found.mask();
        }
        apply(&sidecar, &recording)
    }
}

/// A recording with other decisions.
pub(super) fn apply(sidecar: &Sidecar, recording: &Arc<Recording>) -> anyhow::Result<Arc<Recording>> {
    sidecar.apply(&recording.original()).map_err(|e| Usage(e.to_string()).into())
}

/// Open a file; when it takes long, a terminal is told how far it is.
pub(super) fn read(path: &Path, options: &OpenOptions) -> anyhow::Result<Recording> {
    let (begun, shows) = (Instant::now(), stderr().is_terminal());
    let told = std::cell::Cell::new(false);
    let progress = |fraction: f32, doing: &str| {
        if shows && begun.elapsed() > Duration::from_millis(500) {
            told.set(true);
            // Erase to the end of the line: texts differ in length.
            let _ = write!(stderr(), "\r{:3.0} % {doing}\x1b[K", 100.0 * fraction);
        }
        true
    };
    let opened = formats::open(path, options, &progress);
    if told.get() {
        let _ = write!(stderr(), "\r\x1b[K");
    }
    Ok(opened?)
}

/// Simulate by name with settings as text.
pub(super) fn simulate(name: &str, settings: &[(String, String)]) -> anyhow::Result<Recording> {
    let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    simulate::by_name(name, &settings).map_err(|error| match error {
        SimulateError::NoSimulator { .. }
        | SimulateError::NoKey { .. }
        | SimulateError::BadValue { .. }
        | SimulateError::OutOfRange { .. } => Usage(error.to_string()).into(),
        other => other.into(),
    })
}

/// The built-in demo recording.
pub(super) fn demo() -> anyhow::Result<Recording> {
    Ok(simulate::demo()?)
}

/// The simulators and their settings, for help texts.
pub(super) fn simulators() -> String {
    let mut text = String::from("Simulators:\n");
    for listing in simulate::list() {
        text.push_str(&format!("  {:12} {}\n", listing.name, listing.description));
    }
    text.push_str("\nSettings for --set:\n");
    // All simulators share most settings: each is told once.
    let mut seen = Vec::new();
    for (key, expected) in simulate::list().into_iter().flat_map(|l| l.settings) {
        if !seen.contains(&key) {
            seen.push(key);
            text.push_str(&format!("  {key:14} {expected}\n"));
        }
    }
    text
}

/// `KEY=VALUE` as a pair, for clap.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("write it as KEY=VALUE, for example model.beta=0.5".to_owned()),
    }
}
