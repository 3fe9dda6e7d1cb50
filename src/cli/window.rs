//! `spikescope [FILE…]`: the window.

use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::output::{print, tell};
use super::progress::StageBars;
use crate::app::{AppOptions, BlackBox, Rescued, Survivors, WindowEnd, run_window};
use crate::training::{Phase, TrainingWatch};

/// What the program prints when its first frame is on the screen and it was asked to tell.
pub(super) const FIRST_FRAME: &str = "first frame";

/// How long a run may take to evaluate and write what it has when the window has died.
const RESCUE: Duration = Duration::from_secs(300);

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
    super::panics::rescue_when_unwinding_fails(&survivors);
    let options = AppOptions { black_box: Some(Arc::clone(black_box)), survivors: survivors.clone(), ..options };
    match run_window(options) {
        WindowEnd::Closed => survivors.going().iter().try_for_each(follow),
        WindowEnd::Died => {
            let rescued = rescue(&survivors);
            anyhow::bail!("the window died of a fault in the program{}; the next start offers what was open", told(&rescued))
        }
        WindowEnd::Failed(error) => {
            let rescued = rescue(&survivors);
            Err(if rescued == Rescued::default() { error } else { error.context(format!("the window is gone{}", told(&rescued))) })
        }
    }
}

/// Stop runs that a window left behind, and keep what they have learned.
pub(super) fn rescue(survivors: &Survivors) -> Rescued {
    survivors.stop_and_keep(RESCUE, |runs| {
        tell(&format!("The window is gone; keeping what {} learned…", plural(runs, "the training", "trainings have")))
    })
}

/// What became of the runs, as a part of a sentence.
fn told(rescued: &Rescued) -> String {
    let mut text = String::new();
    for folder in &rescued.folders {
        text.push_str(&format!("; the training was stopped and kept in {}", folder.display()));
    }
    if rescued.unfinished > 0 {
        text.push_str(&format!("; {} did not end in time", plural(rescued.unfinished, "a training", "trainings")));
    }
    text
}

fn plural(n: usize, one: &str, many: &str) -> String {
    if n == 1 { one.to_owned() } else { format!("{n} {many}") }
}

/// The window is closed and this run goes on: show it here to its end.
fn follow(run: &TrainingWatch) -> anyhow::Result<()> {
    tell("The window is closed; the training goes on here and ends by itself (Ctrl-C ends it at once).");
    let mut bars = StageBars::new(stderr().is_terminal());
    loop {
        let over = run.is_over();
        // A closed standard error is no reason to stop a training run.
        let _ = bars.update(&run.progress(), &run.losses(), &mut stderr());
        if over {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    match &run.progress().phase {
        Phase::Finished(finished) => {
            let folder = finished.run.as_ref().map(|folder| format!("; the run is in {}", folder.display())).unwrap_or_default();
            tell(&format!("Training finished{folder}"));
            Ok(())
        }
        Phase::Failed(message) => Err(anyhow::anyhow!("{message}")),
        _ => Ok(()),
    }
}

/// Whether a window can open: always on systems that have neither X11 nor Wayland.
pub(super) fn has_display() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}
