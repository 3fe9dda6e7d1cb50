//! `spikescope bench attention`: frames of the Connectivity view while attention of made-up recordings is played through time. The
//! real app is drawn without a display; a frame is layout, painting and reading the picture back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::super::output::peak_rss_mb;
use super::super::scene::Scene;
use super::super::stage::{Look, Stage};
use super::quantile;
use crate::recording::{Recording, RecordingParts, Source, SpikeTrains};
use crate::training::{DeviceChoice, PRESETS, Phase, Recipe, StartOptions, TrainingHandle};
use crate::views::RunState;

/// Frames are begun at most this often, as a display would.
const FRAME: Duration = Duration::from_micros(16_667);
/// How long the first matrix may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Length of the made-up recordings and bins, seconds; mean rate, Hz.
const DURATION_S: f64 = 30.0;
const BIN_S: f64 = 0.05;
const RATE_HZ: f64 = 6.0;

/// Options of `bench attention`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Attention {
    /// Units of the made-up recordings
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', default_value = "100,1000", value_parser = clap::value_parser!(u32).range(2..=4000))]
    units: Vec<u32>,
    /// Frames that are timed, each with the mean over all times and while time plays
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    frames: u32,
    /// One line of JSON per size
    #[arg(long)]
    pub(super) json: bool,
}

impl Attention {
    pub(super) fn run(&self) -> anyhow::Result<Vec<Value>> {
        self.units.iter().map(|units| self.measure(*units as usize)).collect()
    }

    fn measure(&self, units: usize) -> anyhow::Result<Value> {
        let look = Look::default();
        let run = trained(&Arc::new(made_up(units)?))?;
        let recording = run.data.as_ref().map(|data| Arc::clone(&data.0));
        let mut stage = Stage::new(Scene { recording, run: Some(run) }, Some("connectivity"), &look)?;
        wait(&mut stage, &format!("NetFormer, {units} receiving"))?;
        let (still, _) = self.frames_ms(&mut stage)?;
        stage.press("Range of time");
        wait(&mut stage, "Play")?;
        stage.press("Play");
        wait(&mut stage, "Hold")?;
        let (playing, times) = self.frames_ms(&mut stage)?;
        Ok(json!({
            "bench": "attention",
            "units": units,
            "frames": self.frames,
            "size": format!("{}x{}", look.size.x, look.size.y),
            "still_p50_ms": quantile(&still, 0.5),
            "still_p99_ms": quantile(&still, 0.99),
            "playing_p50_ms": quantile(&playing, 0.5),
            "playing_p99_ms": quantile(&playing, 0.99),
            "times_shown": times,
            "threads": rayon::current_num_threads(),
            "peak_rss_mb": peak_rss_mb(),
        }))
    }

    /// Times of the frames, ascending, and how many different times were asked for meanwhile.
    fn frames_ms(&self, stage: &mut Stage) -> anyhow::Result<(Vec<f64>, usize)> {
        let (mut times, mut cursors) = (Vec::new(), Vec::new());
        for _ in 0..self.frames {
            let took = stage.frame()?;
            times.push(took.as_secs_f64() * 1e3);
            cursors.extend(stage.app().selection().cursor);
            // At the end it begins again, as somebody who watches would have it.
            if stage.shows("Play") && !stage.shows("Hold") {
                stage.press("Play");
            }
            std::thread::sleep(FRAME.saturating_sub(took));
        }
        times.sort_by(f64::total_cmp);
        cursors.dedup();
        Ok((times, cursors.len()))
    }
}

/// Draw until something with this name is there.
fn wait(stage: &mut Stage, part: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !stage.shows(part) {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "the Connectivity view did not show '{part}' within {} s", PATIENCE.as_secs());
        stage.frame()?;
        std::thread::sleep(FRAME);
    }
    Ok(())
}

/// Units in four areas that fire independently.
fn made_up(units: usize) -> anyhow::Result<Recording> {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut train = |_: usize| {
        let mut times: Vec<f64> = (0..(RATE_HZ * DURATION_S) as usize).map(|_| random.random::<f64>() * DURATION_S).collect();
        times.sort_by(f64::total_cmp);
        times
    };
    let parts = RecordingParts {
        name: format!("{units} units"),
        spikes: SpikeTrains::from_units((0..units).map(&mut train).collect::<Vec<_>>()),
        unit_ids: (0..units).map(|unit| unit.to_string()).collect(),
        unit_areas: (0..units).map(|unit| format!("area {}", 1 + unit * 4 / units)).collect(),
        ..RecordingParts::default()
    };
    Ok(Recording::new(parts, Source::Simulated { simulator: "independent units".to_owned(), parameters: String::new(), seed: 0 })?)
}

/// A network after one short epoch: what it learned does not matter here.
fn trained(recording: &Arc<Recording>) -> anyhow::Result<RunState> {
    let mut recipe = Recipe { device: DeviceChoice::Cpu, ..Recipe::default() };
    if let Some(preset) = PRESETS.iter().find(|preset| preset.key == "netformer") {
        preset.choose(&mut recipe, Some(recording));
    }
    let bin_s = BIN_S.to_string();
    for (path, value) in
        [("data.trials.bin_s", bin_s.as_str()), ("model.history", "5"), ("model.identity", "16"), ("model.max_epochs", "1")]
    {
        recipe.set(path, value)?;
    }
    let handle = TrainingHandle::start(Arc::clone(recording), recipe.clone(), StartOptions { watched: true, ..StartOptions::default() })?;
    while !handle.is_over() {
        handle.look(&[]);
        std::thread::sleep(FRAME);
    }
    let (losses, snapshot, data) = (handle.losses(), handle.snapshot(), handle.data());
    let progress = handle.wait();
    anyhow::ensure!(matches!(progress.phase, Phase::Finished(_)), "the made-up network was not trained: {:?}", progress.phase);
    Ok(RunState { recipe, progress, losses, snapshot, data })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn made_up_units_are_shared_out_to_areas() {
        let recording = made_up(10).unwrap();
        assert_eq!((recording.n_units(), recording.areas.len()), (10, 4));
        assert_eq!(recording.spikes.n_spikes(), 10 * 180);
    }
}
