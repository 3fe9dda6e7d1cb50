//! `spikescope resume`: go on with a run that was interrupted, stopped or failed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::Value;

use super::progress::{Bell, follow};
use super::recipe::Device;
use super::scene::opened_as_then;
use super::sources::{self, ImportOptions, key_value};
use super::train::{Saving, print_summary};
use super::{Usage, output};
use crate::recording::Recording;
use crate::runs::{self, RecordingEntry, RecordingSource, RunError};
use crate::training::{DeviceChoice, StartOptions, TrainingHandle};

/// Options of `resume`.
#[derive(Debug, Args)]
pub(super) struct Resume {
    /// Run folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The recording, when it is no longer where the run found it
    #[arg(long, value_name = "FILE")]
    recording: Option<PathBuf>,
    /// The simulation that the run was made from, as for `spikescope train`
    #[arg(long, value_name = "NAME", conflicts_with = "recording")]
    simulate: Option<String>,
    /// A setting of the simulator, for example trials=1000; may be given more than once
    #[arg(long = "sim-set", value_name = "KEY=VALUE", value_parser = key_value, requires = "simulate")]
    simulator_settings: Vec<(String, String)>,
    #[command(flatten)]
    import: ImportOptions,
    /// Device that trains from here on [default: that of the recipe]
    #[arg(long, value_enum)]
    device: Option<Device>,
    #[command(flatten)]
    saving: Saving,
    /// End with one line of JSON on standard output
    #[arg(long)]
    json: bool,
    /// No progress on standard error
    #[arg(long)]
    quiet: bool,
}

impl Resume {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let found = match runs::resumable(&self.run) {
            // Scripts that resume whatever is there need not know how far it had come.
            Err(RunError::Complete { path }) => {
                output::tell(&format!("note: {} is complete; there is nothing to resume", path.display()));
                return print_summary(&runs::load(&path)?.summary, self.json);
            }
            found => found?,
        };
        let recording = self.recording(&found.manifest.recording)?;
        if !self.quiet {
            let step = found.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.step);
            output::tell(&format!("{}: going on from step {step}", self.run.display()));
        }
        let device = self.device.map(DeviceChoice::from);
        print_summary(&resume(&self.run, recording, device, self.saving.options(), self.quiet)?, self.json)
    }

    fn recording(&self, entry: &RecordingEntry) -> anyhow::Result<Arc<Recording>> {
        if let Some(file) = &self.recording {
            // Answers that are given count; without any, those of then.
            let as_then = self.import.is_default().then(|| opened_as_then(file, entry)).flatten();
            return as_then.map_or_else(|| self.import.open(file), Ok);
        }
        if let Some(name) = &self.simulate {
            return Ok(Arc::new(sources::simulate(name, &self.simulator_settings)?));
        }
        match &entry.source {
            RecordingSource::File { path } if Path::new(path).exists() => match opened_as_then(Path::new(path), entry) {
                Some(recording) => Ok(recording),
                None => self.import.open(Path::new(path)),
            },
            RecordingSource::File { path } => {
                Err(Usage(format!("the recording of this run was {path}, which is not there any more; name it with --recording FILE")).into())
            }
            RecordingSource::Simulator { name, .. } if name == "demo" => Ok(Arc::new(sources::demo()?)),
            RecordingSource::Simulator { name, parameters, seed } => Err(Usage(format!(
                "the recording of this run was simulated ({name}: {parameters}, seed {seed}); give the same --simulate and --sim-set as to train"
            ))
            .into()),
        }
    }
}

/// Go on to the end. Gives the summary, one line of JSON.
pub(super) fn resume(
    run: &Path,
    recording: Arc<Recording>,
    device: Option<DeviceChoice>,
    options: StartOptions,
    quiet: bool,
) -> anyhow::Result<Value> {
    let bell = Bell::new();
    let handle = TrainingHandle::resume(run, recording, device, bell.options(options))?;
    Ok(follow(handle, &bell, quiet)?.summary.clone())
}
