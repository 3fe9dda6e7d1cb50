//! The training run beside the window: started here, looked at once per frame, never waited for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use eframe::egui;

use crate::recording::Recording;
use crate::runs::RunStatus;
use crate::training::{Command, OnDeviceLost, Phase, Recipe, StartOptions, TrainingError, TrainingHandle, TrainingWatch};
use crate::views::RunState;

/// A run: live, or a finished one loaded or made by a test.
pub struct Run {
    handle: Option<TrainingHandle>,
    state: RunState,
    ended: bool,
    /// Where it is written.
    folder: Option<PathBuf>,
    /// Messages that were fetched.
    told: usize,
}

/// How the window trains.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// News is drawn at the earliest so long after it came: where drawing takes the cores that train, fewer frames are drawn.
    pub pause: Duration,
    /// What to do when a GPU that trains is lost.
    pub on_device_lost: OnDeviceLost,
}

fn options(ctx: &egui::Context, how: How) -> StartOptions {
    let waker = ctx.clone();
    StartOptions {
        wake: Some(Arc::new(move || waker.request_repaint_after(how.pause))),
        watched: true,
        below_the_window: true,
        on_device_lost: how.on_device_lost,
        ..StartOptions::default()
    }
}

impl Run {
    /// Start training in the background; `folder` is the run folder to write.
    ///
    /// # Errors
    /// When the recipe is out of range or the system gives no thread.
    pub fn start(
        ctx: &egui::Context,
        how: How,
        recording: Arc<Recording>,
        recipe: Recipe,
        folder: Option<PathBuf>,
    ) -> Result<Self, TrainingError> {
        let options = StartOptions { run: folder.clone(), ..options(ctx, how) };
        Ok(Self::live(TrainingHandle::start(recording, recipe, options)?, folder))
    }

    /// Go on in the background with a run that was interrupted, stopped or failed.
    ///
    /// # Errors
    /// When the folder is no run that can go on.
    pub fn resume(ctx: &egui::Context, how: How, recording: Arc<Recording>, folder: PathBuf) -> Result<Self, TrainingError> {
        let handle = TrainingHandle::resume(&folder, recording, None, options(ctx, how))?;
        Ok(Self::live(handle, Some(folder)))
    }

    fn live(handle: TrainingHandle, folder: Option<PathBuf>) -> Self {
        let state = RunState {
            recipe: handle.recipe().clone(),
            progress: handle.progress(),
            losses: handle.losses(),
            snapshot: handle.snapshot(),
            data: handle.data(),
        };
        Self { handle: Some(handle), state, ended: false, folder, told: 0 }
    }

    /// A run without a thread behind it.
    pub fn finished(state: RunState) -> Self {
        Self { handle: None, state, ended: true, folder: None, told: 0 }
    }

    /// The folder of a run that has ended before its time, to go on with it.
    pub fn resumable(&self) -> Option<&Path> {
        let ended_early = match &self.state.progress.phase {
            Phase::Failed(_) => true,
            Phase::Finished(finished) => finished.summary.get("status").is_some_and(|status| status == RunStatus::Stopped.word()),
            _ => false,
        };
        self.folder.as_deref().filter(|_| self.ended && ended_early)
    }

    /// The folder it is written to, unless nothing is kept.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref().filter(|_| self.state.progress.phase != Phase::Discarded)
    }

    /// What happened on the way and was dealt with since the last call.
    pub fn messages(&mut self) -> Vec<String> {
        let all = self.handle.as_ref().map(TrainingHandle::messages).unwrap_or_default();
        let new = all.iter().skip(self.told).cloned().collect();
        self.told = self.told.max(all.len());
        new
    }

    /// What views see.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Take over what is new. Returns how the run ended, once.
    pub fn poll(&mut self) -> Option<Phase> {
        let handle = self.handle.as_ref()?;
        self.state.progress = handle.progress();
        self.state.losses = handle.losses();
        self.state.snapshot = handle.snapshot();
        self.state.data = handle.data();
        let over = matches!(self.state.progress.phase, Phase::Finished(_) | Phase::Discarded | Phase::Failed(_));
        (over && !std::mem::replace(&mut self.ended, over)).then(|| self.state.progress.phase.clone())
    }

    /// True while it can be paused or stopped.
    pub fn is_active(&self) -> bool {
        self.handle.is_some() && !self.ended
    }

    /// True while held by the user.
    pub fn is_paused(&self) -> bool {
        self.state.progress.phase == Phase::Paused
    }

    /// Ask for something.
    pub fn send(&self, command: Command) {
        if let Some(handle) = &self.handle {
            handle.send(command);
        }
    }

    /// A second look at the run, for whoever outlives the window; `None` without a thread behind it.
    pub fn watch(&self) -> Option<TrainingWatch> {
        self.handle.as_ref().map(TrainingHandle::watch)
    }

    /// Let the run go on when the window is gone. It can no longer be commanded from here.
    pub fn leave(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.leave();
        }
    }

    /// A view drew the snapshot in this frame, with these trials.
    pub fn look(&self, trials: &[usize]) {
        if let Some(handle) = &self.handle {
            handle.look(trials);
        }
    }
}

/// Where runs go unless the user chose another folder.
pub fn default_runs_dir() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "spikescope").map(|dirs| dirs.data_dir().join("runs"))
}

/// A new run folder inside `runs`: recording and time (UTC), with characters that every file system takes.
pub fn run_folder(runs: &Path, recording: &str, now: SystemTime) -> PathBuf {
    let safe: String =
        recording.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' }).take(80).collect();
    let safe = safe.trim_matches('.').to_owned();
    runs.join(format!("{}-{}", if safe.is_empty() { "recording" } else { &safe }, timestamp(now)))
}

/// `2026-11-21_10-05-59`, UTC.
fn timestamp(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map(|d| d.as_secs()).unwrap_or(0);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}_{:02}-{:02}-{:02}", rest / 3600, rest % 3600 / 60, rest % 60)
}

/// Date of a day counted from 1 January 1970 (Howard Hinnant's `civil_from_days`, for days after 1970).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_trains_as_the_settings_say() {
        let how = How { pause: Duration::ZERO, on_device_lost: OnDeviceLost::Stop };
        let options = options(&egui::Context::default(), how);
        assert!(options.on_device_lost == OnDeviceLost::Stop && options.watched && options.below_the_window);
    }

    #[test]
    fn run_folders_are_named_by_recording_and_time() {
        let now = UNIX_EPOCH + Duration::from_secs(1_795_255_559);
        let folder = run_folder(Path::new("/runs"), "mc maze: small/1", now);
        assert_eq!(folder, Path::new("/runs/mc_maze__small_1-2026-11-21_10-05-59"));
        assert_eq!(run_folder(Path::new("/runs"), "..", UNIX_EPOCH), Path::new("/runs/recording-1970-01-01_00-00-00"));
    }

    #[test]
    fn leap_days_are_dates() {
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(364), (1970, 12, 31));
    }
}
