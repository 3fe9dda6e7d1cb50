//! The window: an eframe app on wgpu. It holds the recording, the run, the selection and the views, turns commands into
//! actions, and never waits: files are read, settings written and models trained on threads of their own.

mod black_box;
mod borders;
mod carry_out;
mod command;
mod export_counts;
mod export_window;
mod frame;
mod history;
mod import;
mod import_flow;
mod import_preview;
mod kept;
mod kept_run;
mod layout;
mod menu;
mod meter;
mod open;
mod open_flow;
mod palette;
mod queue;
mod report;
mod run;
mod run_flow;
mod session;
mod settings;
mod state;
mod status;
mod survivors;
mod sweeps;
mod system_report;
pub mod theme;
mod timeline;
mod toasts;
mod welcome;
mod windows;

pub use black_box::{BlackBox, Fault};
pub use command::Command;
pub use import_preview::Preview;
pub use layout::Named;
pub use open::{Request, typed_path};
pub use queue::{Job, JobId, JobState, Queue, QueueWish, Told};
pub use run::default_runs_dir;
pub use session::{Session, process_id, reports_folder};
pub use settings::{Settings, ThemeChoice};
pub use state::SpikescopeApp;
pub use survivors::Survivors;
pub use sweeps::{SweepWish, Sweeps};
pub use timeline::Stride;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui;

use crate::formats::shelf::Shelf;
use crate::training::Recipe;

/// How the window starts. The default keeps nothing on disk and opens nothing (tests); [`AppOptions::for_user`] is what the
/// command line uses.
#[derive(Clone, Default)]
pub struct AppOptions {
    /// Recordings to open; the first is shown, the others go to the recent list.
    pub files: Vec<PathBuf>,
    /// Open the demo recording.
    pub demo: bool,
    /// Start training as soon as the recording is open.
    pub train_at_once: bool,
    /// Close the window when a training has ended (tests of the real window).
    pub quit_when_done: bool,
    /// Recipe to begin with; `None` is the default recipe.
    pub recipe: Option<Recipe>,
    /// Settings file; `None` keeps no settings.
    pub settings_path: Option<PathBuf>,
    /// Folder in which run folders are made; `None` writes no runs.
    pub runs_dir: Option<PathBuf>,
    /// Where decisions about recordings are kept; `None` keeps none.
    pub shelf: Option<Shelf>,
    /// Theme, instead of the one in the settings.
    pub theme: Option<ThemeChoice>,
    /// Folder of what is kept between starts: sessions and fault reports; `None` keeps none.
    pub state_dir: Option<PathBuf>,
    /// What a fault report will tell.
    pub black_box: Option<Arc<BlackBox>>,
    /// Runs that go on when the window is gone.
    pub survivors: Survivors,
    /// Break the window while it trains (tests of what then happens).
    pub break_window: Option<Break>,
    /// Tell when the first frame is on the screen and close the window (`spikescope bench ui`).
    pub first_frame: Option<fn()>,
}

impl AppOptions {
    /// Options of a normal start: settings and runs in the user's folders.
    pub fn for_user(files: Vec<PathBuf>) -> Self {
        Self {
            files,
            settings_path: Settings::default_path(),
            runs_dir: default_runs_dir(),
            shelf: Shelf::of_user(),
            state_dir: default_state_dir(),
            ..Self::default()
        }
    }
}

/// A way to break the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// A panic in a frame.
    Panic,
    /// The graphics device of the window is lost.
    Device,
}

/// Where sessions and fault reports are kept on this system; `None` without a home folder.
pub fn default_state_dir() -> Option<PathBuf> {
    let dirs = directories::ProjectDirs::from("", "", "spikescope")?;
    Some(dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned())
}

/// How the window came to its end.
#[derive(Debug)]
pub enum WindowEnd {
    /// It was closed. Runs may go on.
    Closed,
    /// It died of a fault in the program, or its graphics device was lost. Runs go on.
    Died,
    /// It was not there in the first place, or the display is gone, with what to do about it.
    Failed(anyhow::Error),
}

/// Open the window and stay until it has ended, in whichever way. Runs outlive it, see [`AppOptions::survivors`].
pub fn run_window(options: AppOptions) -> WindowEnd {
    // A panic unwinds through the event loop to here; the training thread does not notice.
    match catch_unwind(AssertUnwindSafe(|| open_window(options))) {
        Ok(Ok(())) => WindowEnd::Closed,
        Ok(Err(error)) => WindowEnd::Failed(error),
        Err(_) => WindowEnd::Died,
    }
}

fn open_window(options: AppOptions) -> anyhow::Result<()> {
    let native = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Spikescope")
            .with_app_id("spikescope")
            .with_inner_size([1320.0, 840.0])
            .with_min_inner_size([320.0, 240.0])
            .with_drag_and_drop(true),
        renderer: eframe::Renderer::Wgpu,
        ..eframe::NativeOptions::default()
    };
    eframe::run_native("spikescope", native, Box::new(move |cc| Ok(Box::new(SpikescopeApp::new(cc, options)))))
        .map_err(|e| anyhow::anyhow!("the window could not be opened: {e}. On Linux it needs a display (X11 or Wayland) and a Vulkan driver; mesa-vulkan-drivers gives one in software"))
}
