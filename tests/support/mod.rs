//! Driving the real app from a test: build it, step it until something has happened, hand it things.

#![allow(dead_code, reason = "every test target uses its own part of it")]

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eframe::egui::{self, Vec2};
use egui_kittest::Harness;
use spikescope::app::{AppOptions, SpikescopeApp};

pub type Window<'a> = Harness<'a, SpikescopeApp>;

/// The app of a normal start in a window of this size.
pub fn window<'a>(size: [f32; 2], options: AppOptions) -> Window<'a> {
    Harness::builder()
        .with_size(Vec2::from(size))
        .with_max_steps(30)
        .with_step_dt(1.0 / 60.0)
        .wgpu()
        .build_eframe(|cc| SpikescopeApp::new(cc, options))
}

/// An app made by `app`, as it is compared with pictures, once it stands still.
pub fn shown<'a>(
    size: [f32; 2],
    theme: egui::Theme,
    scale: f32,
    app: impl FnOnce(&mut eframe::CreationContext<'a>) -> SpikescopeApp + 'a,
) -> Window<'a> {
    let mut harness = Harness::builder()
        .with_size(Vec2::from(size))
        .with_theme(theme)
        .with_pixels_per_point(scale)
        .with_max_steps(30)
        .with_step_dt(1.0 / 60.0)
        .wgpu()
        .build_eframe(app);
    settle(&mut harness);
    harness
}

/// Step until nothing is being read or computed and nothing moves. Work that a frame begins is seen as busy only after that
/// frame, and its result may begin other work, so the quiet has to last for some frames.
pub fn settle(harness: &mut Window<'_>) {
    let quiet = Cell::new(0);
    wait(harness, "quiet", |h| {
        quiet.set(if h.state().is_busy(&h.ctx) { 0 } else { quiet.get() + 1 });
        quiet.get() >= 4 && !h.ctx.has_requested_repaint() || quiet.get() >= 60
    });
}

/// Step until `done`; so many steps are far more than any of these things takes, even where other programs use every core.
pub fn wait(harness: &mut Window<'_>, what: &str, done: impl Fn(&Window<'_>) -> bool) {
    for _ in 0..40_000 {
        harness.step();
        if done(harness) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let progress = harness.state().run().map(|run| run.progress.clone());
    panic!("never {what}; messages: {:?}; progress: {progress:?}", harness.state().messages());
}

/// For people who look: pictures in both themes, into the folder that SPIKESCOPE_PICTURES names.
pub fn pictures(harness: &mut Window<'_>, name: &str) {
    let Some(folder) = std::env::var_os("SPIKESCOPE_PICTURES") else { return };
    for (theme, word) in [(egui::Theme::Light, "light"), (egui::Theme::Dark, "dark")] {
        harness.ctx.set_theme(theme);
        harness.step();
        harness.step();
        harness.render().unwrap().save(Path::new(&folder).join(format!("{name}_{word}.png"))).unwrap();
    }
}

/// A file dropped onto the window.
#[derive(Debug)]
pub struct Dropped(pub PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("the window must not read files".to_owned())
    }
}
