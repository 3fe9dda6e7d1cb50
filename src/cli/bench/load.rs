//! `spikescope bench load`: how long a recording takes to open, and until its raster is on the screen.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::super::output::peak_rss_mb;
use super::super::stage::{Look, Stage};
use super::quantile;
use crate::app::AppOptions;
use crate::formats::{self, OpenOptions};
use crate::recording::{Recording, RecordingParts, Source, SpikeTrains};

/// Frames before the file is asked for: first layouts, glyphs, pipelines.
const WARM_UP: usize = 5;
/// How long the raster may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(600);

/// Options of `bench load`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Load {
    /// Recording to open; a file, not a folder [default: a made-up NWB file]
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
    /// Only open it, do not draw its raster
    #[arg(long)]
    no_raster: bool,
    /// One line of JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Load {
    /// True when the raster is drawn too.
    pub(super) fn draws(&self) -> bool {
        !self.no_raster
    }

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
        let stages = RefCell::new(Vec::<(String, Instant)>::new());
        for round in 0..=self.rounds {
            let begun = Instant::now();
            stages.borrow_mut().clear();
            let stage = |_: f32, doing: &str| {
                let mut stages = stages.borrow_mut();
                if stages.last().is_none_or(|(before, _)| before != doing) {
                    stages.push((doing.to_owned(), Instant::now()));
                }
                true
            };
            let recording = formats::open(file, &OpenOptions::for_this_machine(), &stage)?;
            if round > 0 {
                times.push(begun.elapsed().as_secs_f64() * 1e3);
            }
            spikes = recording.spikes.n_spikes();
        }
        times.sort_by(f64::total_cmp);
        let memory = peak_rss_mb();
        let (in_window_ms, first_raster_ms) = match self.no_raster {
            true => (Value::Null, Value::Null),
            false => {
                let (open, raster) = self.first_raster_ms(file)?;
                (json!(open), json!(raster))
            }
        };
        Ok(json!({
            "bench": "load",
            "file": shown,
            "bytes": std::fs::metadata(file)?.len(),
            "spikes": spikes,
            "rounds": self.rounds,
            "open_ms": quantile(&times, 0.5),
            "median_ms": quantile(&times, 0.5),
            "min_ms": quantile(&times, 0.0),
            "stages_ms": durations(&stages.borrow()),
            "in_window_ms": in_window_ms,
            "first_raster_ms": first_raster_ms,
            "open_peak_rss_mb": memory,
            "peak_rss_mb": peak_rss_mb(),
        }))
    }

    /// From asking a window that stands ready for the file until it is open, and to the frame that has its raster: medians of at
    /// most three times. The
    /// window is the real app, drawn without a display.
    fn first_raster_ms(&self, file: &Path) -> anyhow::Result<(f64, f64)> {
        let (mut opened, mut times) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds.min(3) {
            let mut stage = Stage::with_options(AppOptions::default(), &Look::default())?;
            for _ in 0..WARM_UP {
                stage.frame()?;
            }
            let begun = Instant::now();
            stage.open(file);
            let mut open_at = None;
            while !stage.shows("Spike raster of ") {
                if open_at.is_none() && stage.app().recording().is_some() {
                    open_at = Some(begun.elapsed().as_secs_f64() * 1e3);
                }
                anyhow::ensure!(begun.elapsed() < PATIENCE, "the raster did not appear within {} s", PATIENCE.as_secs());
                if let Some(trouble) = stage.app().messages().first() {
                    anyhow::bail!("{trouble}");
                }
                std::thread::sleep(std::time::Duration::from_millis(1));
                stage.step();
            }
            stage.frame()?;
            let raster = begun.elapsed().as_secs_f64() * 1e3;
            opened.push(open_at.unwrap_or(raster));
            times.push(raster);
        }
        times.sort_by(f64::total_cmp);
        opened.sort_by(f64::total_cmp);
        Ok((quantile(&opened, 0.5), quantile(&times, 0.5)))
    }
}

/// Milliseconds from each stage of opening to the next, of the last round.
fn durations(stages: &[(String, Instant)]) -> Value {
    let between = stages.windows(2).map(|pair| {
        let ms = pair[1].1.duration_since(pair[0].1).as_secs_f64() * 1e3;
        (pair[0].0.clone(), json!((ms * 1e3).round() / 1e3))
    });
    Value::Object(between.collect())
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
