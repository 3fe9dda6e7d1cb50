//! The real app without a window: for pictures and for timing frames. It is drawn by egui_kittest's renderer, on a software
//! adapter where there is one, so that pictures are the same on every machine.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use eframe::egui;
use egui_kittest::kittest::Queryable as _;
use egui_kittest::{Harness, HarnessBuilder};
use image::RgbaImage;

use super::scene::Scene;
use crate::app::{AppOptions, Command, SpikescopeApp};

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
    pub(super) fn new(scene: Scene, view: Option<&str>, look: &Look) -> anyhow::Result<Self> {
        let builder = builder(look)?;
        Ok(Self { harness: builder.build_eframe(|cc| SpikescopeApp::from_state(cc, scene.recording, scene.run, view)) })
    }

    /// The app as these options start it.
    ///
    /// # Errors
    /// When the machine has nothing to draw with.
    pub(super) fn with_options(options: AppOptions, look: &Look) -> anyhow::Result<Self> {
        let builder = builder(look)?;
        Ok(Self { harness: builder.build_eframe(|cc| SpikescopeApp::new(cc, options)) })
    }

    /// As [`Stage::with_options`]; errors of the graphics device that nobody expects go to `told` and are not fatal.
    ///
    /// # Errors
    /// When the machine has nothing to draw with.
    pub(super) fn watched(options: AppOptions, look: &Look, told: impl Fn(wgpu::Error) + Send + Sync + 'static) -> anyhow::Result<Self> {
        let builder = builder(look)?;
        let app = |cc: &mut eframe::CreationContext<'_>| {
            if let Some(state) = &cc.wgpu_render_state {
                state.device.on_uncaptured_error(Arc::new(told));
            }
            SpikescopeApp::new(cc, options)
        };
        Ok(Self { harness: builder.build_eframe(app) })
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

    /// Run one frame without drawing it.
    pub(super) fn step(&mut self) {
        self.harness.step();
    }

    /// Open a file as a drop onto the window does.
    pub(super) fn open(&mut self, path: &std::path::Path) {
        let ctx = self.harness.ctx.clone();
        self.harness.state_mut().open_path(&ctx, path);
    }

    /// Carry out a command.
    pub(super) fn execute(&mut self, command: Command) {
        let ctx = self.harness.ctx.clone();
        self.harness.state_mut().execute(&ctx, command);
    }

    /// Send an event with the next frame.
    pub(super) fn event(&self, event: egui::Event) {
        self.harness.event(event);
    }

    /// Size of the window from the next frame on, points.
    pub(super) fn resize(&mut self, size: egui::Vec2) {
        self.harness.set_size(size);
    }

    /// True when something whose name has this in it is in the last frame.
    pub(super) fn shows(&self, part: &str) -> bool {
        self.harness.query_all_by_label_contains(part).next().is_some()
    }

    /// Press the button with this name.
    pub(super) fn press(&mut self, name: &str) {
        if let Some(button) = self.harness.query_all_by_label(name).last() {
            button.click_accesskit();
        }
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
        // Where nothing is drawn a window shows its background; a picture has no holes.
        let behind = self.harness.ctx.global_style().visuals.panel_fill.to_array();
        picture.pixels_mut().for_each(|pixel| pixel.0 = over(pixel.0, behind));
        Ok(picture)
    }

    fn still_picture(&mut self) -> anyhow::Result<RgbaImage> {
        let begun = Instant::now();
        let (mut last, mut equal) = (self.draw()?, 1);
        let busy = |stage: &Self| stage.app().is_busy(&stage.harness.ctx);
        while (equal < STILL_FRAMES || begun.elapsed() < AT_LEAST || busy(self)) && begun.elapsed() < AT_MOST {
            std::thread::sleep(Duration::from_millis(20));
            let next = self.draw()?;
            equal = if next == last { equal + 1 } else { 1 };
            last = next;
        }
        Ok(last)
    }
}

fn builder(look: &Look) -> anyhow::Result<HarnessBuilder<SpikescopeApp>> {
    ensure_can_draw()?;
    let builder = Harness::builder().with_size(look.size).with_pixels_per_point(look.scale).with_theme(look.theme);
    let quiet = builder.with_step_dt(1.0 / 60.0).with_render_cursor(false).with_accessibility_check(false).allow_missing_glyphs();
    Ok(quiet.wgpu())
}

/// A pixel with premultiplied alpha over an opaque one.
fn over(pixel: [u8; 4], behind: [u8; 4]) -> [u8; 4] {
    let through = 255 - u16::from(pixel[3]);
    let mix = |front: u8, back: u8| (u16::from(front) + u16::from(back) * through / 255).min(255) as u8;
    [mix(pixel[0], behind[0]), mix(pixel[1], behind[1]), mix(pixel[2], behind[2]), u8::MAX]
}

/// That there is any adapter. Asked beforehand because the renderer panics without one.
///
/// # Errors
/// When there is none.
pub(super) fn ensure_can_draw() -> anyhow::Result<()> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let any = now(instance.enumerate_adapters(wgpu::Backends::all())).is_some_and(|adapters| !adapters.is_empty());
    anyhow::ensure!(
        any,
        "this machine has no graphics adapter to draw with; install a software one (Debian, Ubuntu: apt install mesa-vulkan-drivers)"
    );
    Ok(())
}

/// The value of a future that is ready at once, as those of wgpu are outside of browsers.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_laid_over_the_background() {
        assert_eq!(over([10, 20, 30, 255], [200, 200, 200, 255]), [10, 20, 30, 255]);
        assert_eq!(over([0, 0, 0, 0], [250, 240, 230, 255]), [250, 240, 230, 255]);
        assert_eq!(over([50, 0, 0, 127], [100, 100, 100, 255]), [100, 50, 50, 255]);
    }
}
