//! `spikescope demo`: the built-in recording, in the window or, where there is no display, as a run folder with figures.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{figures, output, recipe, sources, train, window};
use crate::app::{AppOptions, BlackBox, Break};
use crate::runs;
use crate::training::{Recipe, StartOptions};

/// Run folder of the demo without a window, when none is named.
const FOLDER: &str = "spikescope-demo";

/// Options of `demo`.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Without a window: train, then write a run folder with results and figures
    #[arg(long, conflicts_with = "no_train")]
    headless: bool,
    /// Run folder to write; implies --headless
    #[arg(long, value_name = "DIR", conflicts_with = "no_train")]
    out: Option<PathBuf>,
    /// Open the recording without training on it
    #[arg(long)]
    no_train: bool,
    /// One setting of the demo's recipe, for example max_epochs=20; may be given more than once
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = sources::key_value)]
    settings: Vec<(String, String)>,
    /// Close the window when the training has ended (for tests)
    #[arg(long, hide = true, conflicts_with_all = ["headless", "out", "no_train"])]
    quit_when_done: bool,
    /// Break the window while it trains (for tests)
    #[arg(long, hide = true, value_name = "HOW", value_parser = ["panic", "device"], conflicts_with_all = ["headless", "out", "no_train"])]
    break_window: Option<String>,
}

impl Demo {
    pub(super) fn run(self, black_box: &Arc<BlackBox>) -> anyhow::Result<()> {
        let mut recipe = Recipe::demo();
        recipe::change(&mut recipe, &self.settings)?;
        if self.no_train || !(self.headless || self.out.is_some()) {
            if self.no_train || window::has_display() {
                let break_window = self.break_window.map(|how| if how == "panic" { Break::Panic } else { Break::Device });
                let options = AppOptions {
                    demo: true,
                    recipe: Some(recipe),
                    train_at_once: !self.no_train,
                    quit_when_done: self.quit_when_done,
                    break_window,
                    ..AppOptions::for_user(Vec::new())
                };
                return window::show(options, black_box);
            }
            output::tell("There is no display here (DISPLAY and WAYLAND_DISPLAY are not set): running the demo without a window.");
        }
        let out = self.out.unwrap_or_else(|| PathBuf::from(FOLDER));
        runs::check_target(&out)?;
        let recording = Arc::new(sources::demo()?);
        let summary =
            train::train(Arc::clone(&recording), recipe, StartOptions { run: Some(out.clone()), ..StartOptions::default() }, false)?;
        figures::add(&out, &recording, false)?;
        output::print(&train::summary_text(&summary))?;
        let shown = std::path::absolute(&out).unwrap_or(out);
        output::print(&format!("Results and figures are in {}", shown.display()))
    }
}
