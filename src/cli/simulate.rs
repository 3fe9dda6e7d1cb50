//! `spikescope simulate`: a recording with known coupling, as a file.

use std::path::PathBuf;

use clap::Args;

use super::{output, sources};
use crate::formats;

/// Options of `simulate`.
#[derive(Debug, Args)]
#[command(after_help = sources::simulators())]
pub(super) struct Simulate {
    /// Simulator
    name: String,
    /// File to write; the ending decides the format (.nwb, or .npz which keeps the truth too)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A setting of the simulator; may be given more than once
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = sources::key_value)]
    settings: Vec<(String, String)>,
    /// Random seed: the same seed gives the same recording
    #[arg(long)]
    seed: Option<u64>,
    /// Number of trials
    #[arg(long, value_name = "N")]
    trials: Option<u64>,
}

impl Simulate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut settings = self.settings;
        settings.extend(self.trials.map(|n| ("trials".to_owned(), n.to_string())));
        settings.extend(self.seed.map(|n| ("seed".to_owned(), n.to_string())));
        let recording = sources::simulate(&self.name, &settings)?;
        for lost in formats::save(&recording, &self.out)? {
            output::tell(&format!("note: {lost}"));
        }
        let (first, last) = recording.time_range().unwrap_or_default();
        let continuous = if recording.activity.is_some() { "continuous activity, " } else { "" };
        output::print(&format!(
            "{}: {} units in {} {}, {continuous}{} spikes, {:.1} s, written to {}",
            recording.name,
            recording.n_units(),
            recording.areas.len(),
            if recording.areas.len() == 1 { "area" } else { "areas" },
            recording.spikes.n_spikes(),
            last - first,
            self.out.display()
        ))
    }
}
