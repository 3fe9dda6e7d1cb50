//! The real app without a window: for pictures and for timing frames. It is drawn by egui_kittest's renderer, on a software
//! adapter where there is one, so that pictures are the same on every machine.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use eframe::egui;
use egui_kittest::Harness;
use image::RgbaImage;

use super::scene::Scene;
use crate::app::{AppOptions, SpikescopeApp};

/// A picture is taken when this many frames in a row are equal…
const STILL_FRAMES: usize = 4;
/// …and not before this, since threads of their own prepare what some views draw…
const AT_LEAST: Duration = Duration::from_millis(400);
/// …or after this in any case.
const AT_MOST: Duration = Duration::from_secs(15);

/// Size, resolution and colours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Width and height, points.
    pub(super) size: egui::Vec2,
    /// Pixels per point.
    pub(super) scale: f32,
    /// Light or dark.
    pub(super) theme: egui::Theme,
}

impl Default for Look {
    fn default() -> Self {
        Self { size: egui::vec2(1200.0, 800.0), scale: 1.0, theme: egui::Theme::Light }
    }
}

/// The app on a stage.
pub(super) struct Stage {
    harness: Harness<'static, SpikescopeApp>,
}

impl Stage {
    /// The app with this scene open, showing one view (by key) or, without one, the whole window.
    ///
    /// # Errors
    /// When the machine has nothing to draw with.
    pub(super) fn new(scene: Scene, view: Option<&'static str>, look: &Look) -> anyhow::Result<Self> {
        let options = AppOptions { recording: scene.recording, run: scene.run, only_view: view, ..AppOptions::headless() };
        Self::with_options(options, look)
    }

    /// The app as these options start it.
    ///
    /// # Errors
    /// When the machine has nothing to draw with.
    pub(super) fn with_options(options: AppOptions, look: &Look) -> anyhow::Result<Self> {
        anyhow::ensure!(
            can_draw(),
            "this machine has no graphics adapter to draw with; install a software one (Debian, Ubuntu: apt install mesa-vulkan-drivers)"
        );
        let builder = Harness::builder()
            .with_size(look.size)
            .with_pixels_per_point(look.scale)
            .with_theme(look.theme)
            .with_step_dt(1.0 / 60.0)
            .with_render_cursor(false)
            .with_accessibility_check(false)
            .allow_missing_glyphs()
            .wgpu();
        let harness = builder.build_eframe(|cc| SpikescopeApp::new(cc, options));
        Ok(Self { harness })
    }

    /// The app.
    pub(super) fn app(&self) -> &SpikescopeApp {
        self.harness.state()
    }

    /// Run and draw one frame; gives the time it took.
    ///
    /// # Errors
    /// When the graphics device fails.
    pub(super) fn frame(&mut self) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        self.draw()?;
        Ok(begun.elapsed())
    }

    fn draw(&mut self) -> anyhow::Result<RgbaImage> {
        self.harness.step();
        self.harness.render().map_err(|error| anyhow::anyhow!("the graphics device failed: {error}"))
    }

    /// The picture, once it stands still.
    ///
    /// # Errors
    /// When the graphics device fails or a view has a fault.
    pub(super) fn picture(mut self) -> anyhow::Result<RgbaImage> {
        let drawn = catch_unwind(AssertUnwindSafe(|| self.still_picture()));
        // The hook has told what happened.
        let mut picture = drawn.unwrap_or_else(|_| Err(anyhow::anyhow!("drawing this view failed")))?;
        // Panels do not reach every corner pixel; a picture has no holes.
        picture.pixels_mut().for_each(|pixel| pixel.0[3] = u8::MAX);
        Ok(picture)
    }

    fn still_picture(&mut self) -> anyhow::Result<RgbaImage> {
        let begun = Instant::now();
        let (mut last, mut equal) = (self.draw()?, 1);
        while (equal < STILL_FRAMES || begun.elapsed() < AT_LEAST) && begun.elapsed() < AT_MOST {
            std::thread::sleep(Duration::from_millis(20));
            let next = self.draw()?;
            equal = if next == last { equal + 1 } else { 1 };
            last = next;
        }
        Ok(last)
    }
}

/// Whether there is any adapter. Asked beforehand because the renderer panics without one.
fn can_draw() -> bool {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    now(instance.enumerate_adapters(wgpu::Backends::all())).is_some_and(|adapters| !adapters.is_empty())
}

/// The value of a future that is ready at once, as those of wgpu are outside of browsers.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
