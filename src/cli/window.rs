//! `spikescope [FILE…]`: the window.

use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::output::{print, tell};
use super::progress::StageBars;
use crate::app::{AppOptions, BlackBox, Survivors, WindowEnd, run_window};
use crate::training::{Command, Phase, TrainingWatch};

/// What the program prints when its first frame is on the screen and it was asked to tell.
pub(super) const FIRST_FRAME: &str = "first frame";

/// Open the window with these recordings; `until_first_frame` closes it again.
pub(super) fn open(files: Vec<PathBuf>, until_first_frame: bool, black_box: &Arc<BlackBox>) -> anyhow::Result<()> {
    // A wrong name is better told here than in a window that opens for it; it may also be a mistyped command.
    if let Some(missing) = files.iter().find(|file| !file.exists()) {
        anyhow::bail!("{}: there is no such file and no such command; `spikescope --help` lists the commands", missing.display());
    }
    let say: fn() = || {
        // Whoever started the program so hears it as the end of its output, too.
        let _ = print(FIRST_FRAME);
    };
    show(AppOptions { first_frame: until_first_frame.then_some(say), ..AppOptions::for_user(files) }, black_box)
}

/// Open the window, and see to it that no run is lost when it ends.
pub(super) fn show(options: AppOptions, black_box: &Arc<BlackBox>) -> anyhow::Result<()> {
    if !has_display() {
        anyhow::bail!(
            "there is no display here (DISPLAY and WAYLAND_DISPLAY are not set); without a window there are: spikescope demo --headless, info, simulate, \
             train, screenshot"
        );
    }
    let survivors = Survivors::default();
    super::panics::see_through_when_unwinding_fails(&survivors);
    let options = AppOptions { black_box: Some(Arc::clone(black_box)), survivors: survivors.clone(), ..options };
    match run_window(options) {
        WindowEnd::Closed => survivors.going().iter().try_for_each(|run| follow(run, "The window is closed").map(|end| tell(&end))),
        WindowEnd::Died => {
            let ends: String = see_through(&survivors).iter().map(|end| format!("; {end}")).collect();
            anyhow::bail!("the window died of a fault in the program{ends}; the next start offers what was open")
        }
        WindowEnd::Failed(error) => {
            let ends = see_through(&survivors);
            Err(if ends.is_empty() { error } else { error.context(format!("the window is gone; {}", ends.join("; "))) })
        }
    }
}

/// Let the runs that a window left behind come to their end, and say what became of each.
pub(super) fn see_through(survivors: &Survivors) -> Vec<String> {
    let end = |run: &TrainingWatch| follow(run, "The window is gone").unwrap_or_else(|error| format!("the training failed: {error}"));
    survivors.going().iter().map(end).collect()
}

/// Show a run that goes on without a window here to its end.
fn follow(run: &TrainingWatch, why: &str) -> anyhow::Result<String> {
    tell(&format!("{why}; the training goes on here and ends by itself (Ctrl-C ends it at once)."));
    let mut bars = StageBars::new(stderr().is_terminal());
    loop {
        let over = run.is_over();
        let progress = run.progress();
        // Nobody is left who could let it go on.
        if matches!(progress.phase, Phase::Paused) {
            run.send(Command::StopAndKeep);
        }
        // A closed standard error is no reason to stop a training run.
        let _ = bars.update(&progress, &run.losses(), &mut stderr());
        if over {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    match &run.progress().phase {
        Phase::Failed(message) => Err(anyhow::anyhow!("{message}")),
        Phase::Finished(finished) => {
            let folder = finished.run.as_ref().map(|folder| format!("; the run is in {}", folder.display())).unwrap_or_default();
            Ok(format!("training finished{folder}"))
        }
        _ => Ok("nothing was kept of the training".to_owned()),
    }
}

/// Whether a window can open: always on systems that have neither X11 nor Wayland.
pub(super) fn has_display() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}
