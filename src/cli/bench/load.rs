//! `spikescope bench load`: how long a recording takes to open.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::super::output::peak_rss_mb;
use super::quantile;
use crate::formats::{self, OpenOptions};
use crate::recording::{Recording, RecordingParts, Source, SpikeTrains};

/// Options of `bench load`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Load {
    /// Recording to open [default: a made-up NWB file]
    file: Option<PathBuf>,
    /// Spikes of the made-up file
    #[arg(long, value_name = "N", default_value_t = 1_000_000, conflicts_with = "file", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    spikes: u64,
    /// Units of the made-up file
    #[arg(long, value_name = "N", default_value_t = 500, conflicts_with = "file", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    units: u32,
    /// How often it is opened; the first time is not counted
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// One line of JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Load {
    pub(super) fn run(&self) -> anyhow::Result<Value> {
        match &self.file {
            Some(file) => self.time(file, &file.display().to_string()),
            None => {
                let folder = tempfile::tempdir()?;
                let file = folder.path().join("made up.nwb");
                formats::save(&made_up(self.spikes, self.units)?, &file)?;
                self.time(&file, "made up, NWB")
            }
        }
    }

    fn time(&self, file: &Path, shown: &str) -> anyhow::Result<Value> {
        let mut times = Vec::new();
        let mut spikes = 0;
        for round in 0..=self.rounds {
            let begun = Instant::now();
            let recording = formats::open(file, &OpenOptions::default(), &|_, _| true)?;
            if round > 0 {
                times.push(begun.elapsed().as_secs_f64() * 1e3);
            }
            spikes = recording.spikes.n_spikes();
        }
        times.sort_by(f64::total_cmp);
        Ok(json!({
            "bench": "load",
            "file": shown,
            "bytes": std::fs::metadata(file)?.len(),
            "spikes": spikes,
            "rounds": self.rounds,
            "median_ms": quantile(&times, 0.5),
            "min_ms": quantile(&times, 0.0),
            "peak_rss_mb": peak_rss_mb(),
        }))
    }
}

/// A recording of about one hour with `spikes` spikes, shared evenly among the units.
fn made_up(spikes: u64, units: u32) -> anyhow::Result<Recording> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let trains = (0..u64::from(units)).map(|unit| {
        let n = spikes / u64::from(units) + u64::from(unit < spikes % u64::from(units));
        let spacing = 3600.0 / n.max(1) as f64;
        // One spike anywhere in each stretch of `spacing`: ascending without sorting.
        (0..n).map(|k| (k as f64 + random.random::<f64>()) * spacing).collect::<Vec<f64>>()
    });
    let parts = RecordingParts {
        name: "made up".to_owned(),
        spikes: SpikeTrains::from_units(trains),
        unit_ids: (0..units).map(|u| u.to_string()).collect(),
        unit_areas: (0..units).map(|u| if u < units / 2 { "A" } else { "B" }.to_owned()).collect(),
        ..RecordingParts::default()
    };
    Ok(Recording::new(parts, Source::Simulated { simulator: "made up".to_owned(), parameters: String::new(), seed: 1 })?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    fn the_made_up_recording_has_the_spikes_asked_for() {
        for (spikes, units) in [(1, 5), (1003, 10), (20, 20)] {
            let recording = super::made_up(spikes, units).unwrap();
            assert_eq!((recording.spikes.n_spikes() as u64, recording.n_units() as u32), (spikes, units));
        }
    }
}
