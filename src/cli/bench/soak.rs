//! `spikescope bench soak`: the real app for hours, with a model always training and a hand that moves, clicks, types, drags and
//! resizes at random, drawn without a display. Told are the memory over time, faults of drawing and errors of the graphics device.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use eframe::egui::{self, Event, Key, Modifiers, PointerButton};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::super::stage::{Look, Stage};
use super::super::{output, sources};
use crate::app::{AppOptions, Command};
use crate::formats;
use crate::training::Phase;

/// Frames are begun at most this often: drawing shares the cores with training.
const FRAME: Duration = Duration::from_millis(50);
/// How often memory is read, and told.
const SAMPLE: Duration = Duration::from_secs(60);
/// How long what was begun again may take to get going before it is begun once more.
const PATIENCE: Duration = Duration::from_secs(20);
/// Share of the samples at the start that does not count: caches fill, every view is opened for the first time.
const WARM_UP: f64 = 0.15;
/// Frames in a row that the graphics device may fail before it is taken to be lost.
const MOST_LATE: u32 = 5;
/// Keys of the hand: those that views and menus answer to, and a few that are text.
const KEYS: [Key; 24] = [
    Key::Tab,
    Key::Tab,
    Key::ArrowLeft,
    Key::ArrowRight,
    Key::ArrowUp,
    Key::ArrowDown,
    Key::Space,
    Key::Enter,
    Key::Escape,
    Key::Escape,
    Key::Home,
    Key::End,
    Key::PageUp,
    Key::PageDown,
    Key::Plus,
    Key::Minus,
    Key::Delete,
    Key::F1,
    Key::A,
    Key::N,
    Key::S,
    Key::Z,
    Key::Num1,
    Key::Num5,
];

/// Options of `bench soak`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Soak {
    /// How long
    #[arg(long, value_name = "MINUTES", default_value_t = 120.0, value_parser = minutes)]
    minutes: f64,
    /// Seed of what the hand does
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// One line of JSON
    #[arg(long)]
    pub(super) json: bool,
}

fn minutes(text: &str) -> Result<f64, String> {
    text.trim().parse().ok().filter(|m| (0.01..=10_000.0).contains(m)).ok_or_else(|| "minutes, from 0.01 to 10000".to_owned())
}

/// What is counted.
#[derive(Default)]
struct Count {
    frames: u64,
    /// Frames that the graphics device did not finish in time.
    late: u64,
    late_in_a_row: u32,
    events: u64,
    steps: u64,
    runs: u64,
    failed: Vec<String>,
    faults: Vec<String>,
    /// Minutes since the start, and memory then, MB.
    memory: Vec<(f64, f64)>,
}

impl Soak {
    pub(super) fn run(&self) -> anyhow::Result<Value> {
        anyhow::ensure!(
            std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_none(),
            "the hand of this bench would open file dialogs of your desktop: run it as `env -u DBUS_SESSION_BUS_ADDRESS spikescope bench soak`"
        );
        let home = tempfile::tempdir()?;
        let files = [home.path().join("two areas.nwb"), home.path().join("one area.npz")];
        let set = |text: &[(&str, &str)]| text.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
        formats::save(&sources::simulate("glm", &set(&[("trials", "120"), ("seed", "3")]))?, &files[0])?;
        formats::save(&sources::simulate("glm", &set(&[("areas", "12"), ("edges", "none"), ("trials", "60")]))?, &files[1])?;

        let errors = Arc::new(AtomicU64::new(0));
        let mut count = Count::default();
        let mut hand = Hand::new(self.seed);
        let (begun, most) = (Instant::now(), Duration::from_secs_f64(self.minutes * 60.0));
        let open_files = open_files();
        while begun.elapsed() < most {
            let mut stage = start(home.path(), &errors)?;
            let lived = catch_unwind(AssertUnwindSafe(|| live(&mut stage, &mut hand, &files, &mut count, begun, most)));
            match lived {
                Ok(ended) => ended?,
                // The hook has written the report; as a user would, start again.
                Err(fault) => {
                    count.faults.push(crate::training::panic_text(fault.as_ref()));
                    output::tell(&format!("fault in a frame: {}", count.faults.last().map_or("", String::as_str)));
                }
            }
        }
        let counted = (count.memory.len() as f64 * WARM_UP).ceil() as usize;
        let after = count.memory.get(counted..).unwrap_or_default();
        Ok(json!({
            "bench": "soak",
            "minutes": round(begun.elapsed().as_secs_f64() / 60.0),
            "seed": self.seed,
            "frames": count.frames,
            "frames_late": count.late,
            "events": count.events,
            "training_steps": count.steps,
            "runs": count.runs,
            "runs_failed": count.failed,
            "faults": count.faults,
            "wgpu_errors": errors.load(Ordering::Relaxed),
            "memory_start_mb": count.memory.first().map(|m| m.1),
            "memory_after_warm_up_mb": after.first().map(|m| m.1),
            "memory_end_mb": after.last().map(|m| m.1),
            "memory_growth_mb_per_hour": slope(after).map(|mb| round(mb * 60.0)),
            "memory_mb": count.memory.iter().map(|m| m.1).collect::<Vec<_>>(),
            "open_files": [open_files, self::open_files()],
            "peak_rss_mb": output::peak_rss_mb(),
        }))
    }
}

fn start(home: &Path, errors: &Arc<AtomicU64>) -> anyhow::Result<Stage> {
    let options = AppOptions {
        demo: true,
        train_at_once: true,
        settings_path: Some(home.join("settings.json")),
        runs_dir: Some(home.join("runs")),
        state_dir: Some(home.join("state")),
        ..AppOptions::default()
    };
    let errors = Arc::clone(errors);
    Stage::watched(options, &Look::default(), move |error| {
        errors.fetch_add(1, Ordering::Relaxed);
        tracing::error!("graphics device: {error}");
    })
}

fn live(
    stage: &mut Stage,
    hand: &mut Hand,
    files: &[std::path::PathBuf],
    count: &mut Count,
    begun: Instant,
    most: Duration,
) -> anyhow::Result<()> {
    let (mut step, mut was_over, mut held) = (0, true, Instant::now());
    let (mut sampled, mut begun_again): (Option<Instant>, Option<Instant>) = (None, Some(Instant::now()));
    while begun.elapsed() < most {
        let frame = Instant::now();
        count.events += hand.acts(stage, files);
        match stage.frame() {
            Ok(_) => (count.frames, count.late_in_a_row) = (count.frames + 1, 0),
            // On a machine that is busy with other things the software device can miss its time; one that is lost misses it every time.
            Err(error) => {
                (count.late, count.late_in_a_row) = (count.late + 1, count.late_in_a_row + 1);
                output::tell(&format!("{error:#}"));
                anyhow::ensure!(count.late_in_a_row < MOST_LATE, "the graphics device has failed {MOST_LATE} frames in a row: {error:#}");
            }
        }
        let phase = stage.app().run().map(|run| (run.progress.phase.clone(), run.progress.step));
        let over = matches!(phase, None | Some((Phase::Finished(_) | Phase::Discarded | Phase::Failed(_), _)));
        if let Some((phase, now)) = phase {
            count.steps += now.saturating_sub(step);
            step = now;
            if over && !was_over {
                count.runs += 1;
                if let Phase::Failed(why) = &phase {
                    count.failed.push(why.clone());
                }
            }
            if phase != Phase::Paused {
                held = Instant::now();
            }
        }
        was_over = over;
        // What the hand has closed, ended or held for long is begun again.
        let patient = begun_again.is_some_and(|at| at.elapsed() < PATIENCE);
        if stage.app().recording().is_none() {
            if !patient {
                stage.execute(Command::OpenDemo);
                begun_again = Some(Instant::now());
            }
        } else if over {
            if !patient {
                step = 0;
                stage.execute(Command::Train);
                begun_again = Some(Instant::now());
            }
        } else {
            begun_again = None;
            if held.elapsed() > PATIENCE {
                stage.execute(Command::PauseOrResume);
                held = Instant::now();
            }
        }
        if sampled.is_none_or(|at| at.elapsed() >= SAMPLE) {
            sampled = Some(Instant::now());
            let minute = begun.elapsed().as_secs_f64() / 60.0;
            if let Some(mb) = output::rss_mb() {
                count.memory.push((minute, mb));
                output::tell(&format!(
                    "{minute:.0} min: {mb:.0} MB, {} frames, {} events, {} steps, {} runs ended",
                    count.frames, count.events, count.steps, count.runs
                ));
            }
        }
        std::thread::sleep(FRAME.saturating_sub(frame.elapsed()));
    }
    Ok(())
}

/// What a user's hand does, without sense.
struct Hand {
    rng: ChaCha8Rng,
    at: egui::Pos2,
    size: egui::Vec2,
    pressed: bool,
    commands: Vec<Command>,
}

impl Hand {
    fn new(seed: u64) -> Self {
        // Not what asks the desktop for a file, and not what ends the program.
        let kept = |c: &Command| !matches!(c, Command::Open | Command::OpenFolder | Command::Quit | Command::FullScreen);
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            at: egui::Pos2::ZERO,
            size: Look::default().size,
            pressed: false,
            commands: Command::all().into_iter().filter(kept).collect(),
        }
    }

    /// Send the events of one frame; gives their number.
    fn acts(&mut self, stage: &mut Stage, files: &[std::path::PathBuf]) -> u64 {
        match self.rng.random_range(0..1000_u32) {
            0..400 => {
                let wide = self.rng.random_bool(0.3);
                let to = egui::pos2(self.rng.random_range(0.0..self.size.x), self.rng.random_range(0.0..self.size.y));
                self.at = if wide { to } else { self.at + (to - self.at) * 0.1 };
                stage.event(Event::PointerMoved(self.at));
            }
            400..620 => {
                self.pressed = !self.pressed;
                self.button(stage, PointerButton::Primary, self.pressed);
            }
            620..640 => {
                self.button(stage, PointerButton::Secondary, true);
                self.button(stage, PointerButton::Secondary, false);
                return 2;
            }
            640..760 => {
                let delta = egui::vec2(self.rng.random_range(-40.0..40.0), self.rng.random_range(-120.0..120.0));
                let modifiers = if self.rng.random_bool(0.3) { Modifiers::COMMAND } else { Modifiers::NONE };
                let (unit, source, phase) = (egui::MouseWheelUnit::Point, egui::MouseWheelSource::Wheel, egui::TouchPhase::Move);
                stage.event(Event::MouseWheel { unit, delta, source, phase, modifiers });
            }
            760..940 => {
                let key = KEYS.get(self.rng.random_range(0..KEYS.len())).copied().unwrap_or(Key::Escape);
                let modifiers = match self.rng.random_range(0..6) {
                    0 => Modifiers::SHIFT,
                    1 if key != Key::Z || self.rng.random_bool(0.5) => Modifiers::COMMAND,
                    _ => Modifiers::NONE,
                };
                for pressed in [true, false] {
                    stage.event(Event::Key { key, physical_key: None, pressed, repeat: false, modifiers });
                }
                return 2;
            }
            940..985 => {
                if let Some(command) = self.commands.get(self.rng.random_range(0..self.commands.len())).copied() {
                    stage.execute(command);
                }
            }
            985..995 => {
                self.size = egui::vec2(self.rng.random_range(320.0..1600.0), self.rng.random_range(240.0..1000.0));
                stage.resize(self.size);
            }
            _ => {
                if let Some(file) = files.get(self.rng.random_range(0..files.len())) {
                    stage.open(file);
                }
            }
        }
        1
    }

    fn button(&self, stage: &Stage, button: PointerButton, pressed: bool) {
        stage.event(Event::PointerButton { pos: self.at, button, pressed, modifiers: Modifiers::NONE });
    }
}

/// Slope of a line through the points by least squares; `None` for fewer than two.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let n = points.len() as f64;
    let (mean_x, mean_y) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let spread: f64 = points.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    (spread > 0.0).then(|| points.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum::<f64>() / spread)
}

/// Files and sockets that this process has open; `None` where the system does not say.
fn open_files() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_the_slope_of_a_line() {
        assert_eq!(slope(&[(0.0, 100.0), (30.0, 101.0), (60.0, 102.0)]).map(|s| round(s * 60.0)), Some(2.0));
        assert_eq!((slope(&[(1.0, 5.0)]), slope(&[])), (None, None));
    }

    #[test]
    fn minutes_are_positive_and_finite() {
        assert_eq!(minutes("0.5"), Ok(0.5));
        assert!(minutes("0").is_err() && minutes("nan").is_err() && minutes("x").is_err());
    }
}
