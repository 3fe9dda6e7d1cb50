//! `spikescope bench ui`: how long frames of the window take, idle and while the demo trains. The real app is drawn without a
//! display; a frame is layout, painting and reading the picture back. Where there is a display, also how long the real program
//! takes from its start to its first frame on the screen.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::super::output::peak_rss_mb;
use super::super::scene::Scene;
use super::super::sources;
use super::super::stage::{Look, Stage};
use super::super::window::{FIRST_FRAME, has_display};
use super::quantile;
use crate::app::AppOptions;
use crate::training::Phase;

/// Frames are begun at most this often, as a display would.
const FRAME: Duration = Duration::from_micros(16_667);
/// Frames that are not counted: first layouts, glyphs, pipelines.
const WARM_UP: usize = 30;
/// How long training may take to get going.
const PATIENCE: Duration = Duration::from_secs(180);

/// Options of `bench ui`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Ui {
    /// Frames that are timed, each idle and while training
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    frames: u32,
    /// How often the program is started to time its first frame; 0 does not
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(0..=1000))]
    starts: u32,
    /// A recording that the program is started with
    #[arg(long, value_name = "FILE")]
    open: Option<PathBuf>,
    /// One line of JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Ui {
    pub(super) fn run(&self) -> anyhow::Result<Value> {
        let first_frame_ms = if has_display() { self.first_frames_ms()? } else { Vec::new() };
        let look = Look::default();
        let mut idle = Stage::new(Scene::of_recording(sources::demo()?), None, &look)?;
        let idle_ms = self.frames_ms(&mut idle)?;
        drop(idle);

        let mut stage = Stage::with_options(AppOptions { demo: true, train_at_once: true, ..AppOptions::default() }, &look)?;
        let begun = Instant::now();
        while !training(&stage) {
            if let Some(Phase::Failed(_) | Phase::Discarded | Phase::Finished(_)) = phase(&stage) {
                anyhow::bail!("training on the demo ended before a frame was timed: {}", stage.app().messages().join("; "));
            }
            anyhow::ensure!(begun.elapsed() < PATIENCE, "training on the demo did not begin within {} s", PATIENCE.as_secs());
            stage.frame()?;
            std::thread::sleep(FRAME);
        }
        let training_ms = self.frames_ms(&mut stage)?;
        let (steps_per_s, still_training) = (stage.app().run().map_or(0.0, |run| run.progress.steps_per_s), training(&stage));
        Ok(json!({
            "bench": "ui",
            "first_frame_p50_ms": (!first_frame_ms.is_empty()).then(|| quantile(&first_frame_ms, 0.5)),
            "first_frame_max_ms": first_frame_ms.last(),
            "frames": self.frames,
            "size": format!("{}x{}", look.size.x, look.size.y),
            "idle_p50_ms": quantile(&idle_ms, 0.5),
            "idle_p99_ms": quantile(&idle_ms, 0.99),
            "training_p50_ms": quantile(&training_ms, 0.5),
            "training_p99_ms": quantile(&training_ms, 0.99),
            "training_steps_per_s": steps_per_s,
            "trained_throughout": still_training,
            "peak_rss_mb": peak_rss_mb(),
        }))
    }

    /// From starting the program to its first frame on the screen, ascending.
    fn first_frames_ms(&self) -> anyhow::Result<Vec<f64>> {
        let program = std::env::current_exe().context("finding the program itself")?;
        let settings = tempfile::tempdir()?;
        let mut times = Vec::new();
        for _ in 0..self.starts {
            let begun = Instant::now();
            let mut window = Command::new(&program)
                .arg("--until-first-frame")
                .args(&self.open)
                .envs(["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"].map(|name| (name, settings.path())))
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::inherit())
                .spawn()?;
            let mut line = String::new();
            if let Some(said) = window.stdout.as_mut() {
                BufReader::new(said).read_line(&mut line)?;
            }
            let took = begun.elapsed();
            let status = window.wait()?;
            anyhow::ensure!(line.trim() == FIRST_FRAME, "the window closed without a frame ({status})");
            times.push(took.as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        Ok(times)
    }

    /// Times of the frames, ascending.
    fn frames_ms(&self, stage: &mut Stage) -> anyhow::Result<Vec<f64>> {
        let mut times = Vec::new();
        for frame in 0..WARM_UP + self.frames as usize {
            let took = stage.frame()?;
            if frame >= WARM_UP {
                times.push(took.as_secs_f64() * 1e3);
            }
            std::thread::sleep(FRAME.saturating_sub(took));
        }
        times.sort_by(f64::total_cmp);
        Ok(times)
    }
}

fn training(stage: &Stage) -> bool {
    phase(stage) == Some(&Phase::Running)
}

fn phase(stage: &Stage) -> Option<&Phase> {
    stage.app().run().map(|run| &run.progress.phase)
}
