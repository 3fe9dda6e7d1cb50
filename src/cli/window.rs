//! `spikescope [FILE…]`: the window.

use std::path::PathBuf;

use super::output::print;
use crate::app::{AppOptions, run_window};
use crate::training::Recipe;

/// What the program prints when its first frame is on the screen and it was asked to tell.
pub(super) const FIRST_FRAME: &str = "first frame";

/// Open the window with these recordings; `until_first_frame` closes it again.
pub(super) fn open(files: Vec<PathBuf>, until_first_frame: bool) -> anyhow::Result<()> {
    // A wrong name is better told here than in a window that opens for it; it may also be a mistyped command.
    if let Some(missing) = files.iter().find(|file| !file.exists()) {
        anyhow::bail!("{}: there is no such file and no such command; `spikescope --help` lists the commands", missing.display());
    }
    let tell: fn() = || {
        // Whoever started the program so hears it as the end of its output, too.
        let _ = print(FIRST_FRAME);
    };
    show(AppOptions { first_frame: until_first_frame.then_some(tell), ..AppOptions::for_user(files) })
}

/// Open the window with the demo recording.
pub(super) fn open_demo(recipe: Recipe, train_at_once: bool, quit_when_done: bool) -> anyhow::Result<()> {
    show(AppOptions { demo: true, recipe: Some(recipe), train_at_once, quit_when_done, ..AppOptions::for_user(Vec::new()) })
}

fn show(options: AppOptions) -> anyhow::Result<()> {
    if !has_display() {
        anyhow::bail!(
            "there is no display here (DISPLAY and WAYLAND_DISPLAY are not set); without a window there are: spikescope demo --headless, info, simulate, \
             train, screenshot"
        );
    }
    run_window(options)
}

/// Whether a window can open: always on systems that have neither X11 nor Wayland.
pub(super) fn has_display() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}
