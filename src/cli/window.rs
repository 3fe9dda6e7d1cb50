//! `spikescope [FILE…]`: the window.

use std::path::PathBuf;

use crate::app::{AppOptions, run_window};
use crate::training::Recipe;

/// Open the window with these recordings.
pub(super) fn open(files: Vec<PathBuf>) -> anyhow::Result<()> {
    // A wrong name is better told here than in a window that opens for it; it may also be a mistyped command.
    if let Some(missing) = files.iter().find(|file| !file.exists()) {
        anyhow::bail!("{}: there is no such file and no such command; `spikescope --help` lists the commands", missing.display());
    }
    show(AppOptions::for_user(files))
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
