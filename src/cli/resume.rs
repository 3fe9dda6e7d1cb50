//! `spikescope resume`: go on with a run that was interrupted, stopped or failed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::Value;

use super::progress::{Bell, follow};
use super::recipe::Device;
use super::scene::opened_as_then;
use super::sources::{self, ImportOptions, key_value};
use super::train::{Saving, Telling, print_summary};
use super::{Usage, output};
use crate::recording::Recording;
use crate::runs::{self, Manifest, RecordingEntry, RecordingSource, RunError};
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
    #[command(flatten)]
    telling: Telling,
}

impl Resume {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let found = match runs::resumable(&self.run) {
            // Scripts that resume whatever is there need not know how far it had come.
            Err(RunError::Complete { path }) => {
                output::tell(&format!("note: {} is complete; there is nothing to resume", path.display()));
                return print_summary(&runs::load(&path)?.summary, self.telling.json);
            }
            found => found?,
        };
        let place = self.place(&found.manifest);
        let recording = self.recording(&found.manifest.recording, place.as_deref())?;
        if !self.telling.quiet {
            let step = found.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.step);
            output::tell(&format!("{}: going on from step {step}", self.run.display()));
        }
        let device = self.device.map(DeviceChoice::from);
        let options = StartOptions { opened_from: place, ..self.saving.options() };
        print_summary(&resume(&self.run, recording, device, options, self.telling.quiet)?, self.telling.json)
    }

    /// The file of the recording, when it is or was one.
    fn place(&self, manifest: &Manifest) -> Option<PathBuf> {
        if self.simulate.is_some() {
            return None;
        }
        let then = || match &manifest.recording.source {
            RecordingSource::File { path } => Some(PathBuf::from(path)),
            RecordingSource::Simulator { .. } => None,
        };
        let named = self.recording.as_ref().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone()));
        named.or_else(|| manifest.opened_from.clone()).or_else(then)
    }

    fn recording(&self, entry: &RecordingEntry, place: Option<&Path>) -> anyhow::Result<Arc<Recording>> {
        match (&self.simulate, place, &entry.source) {
            (Some(name), ..) => Ok(Arc::new(sources::simulate(name, &self.simulator_settings)?)),
            (None, Some(file), _) if file.exists() => {
                // Answers that are given count; without any, those of then.
                let as_then = self.import.is_default().then(|| opened_as_then(file, entry)).flatten();
                as_then.map_or_else(|| self.import.open(file), Ok)
            }
            (None, Some(file), _) => {
                let file = file.display();
                Err(Usage(format!("the recording of this run, {file}, is not there; name it with --recording FILE")).into())
            }
            (None, None, RecordingSource::Simulator { name, .. }) if name == "demo" => Ok(Arc::new(sources::demo()?)),
            (None, None, RecordingSource::Simulator { name, parameters, seed }) => Err(Usage(format!(
                "the recording of this run was simulated ({name}: {parameters}, seed {seed}); give the same --simulate and --sim-set as to train"
            ))
            .into()),
            (None, None, RecordingSource::File { path }) => Err(Usage(format!("{path}: name the recording with --recording FILE")).into()),
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
