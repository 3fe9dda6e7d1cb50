//! `spikescope screenshot`: one view, or the whole window, of a recording or a run as a PNG file, drawn by the real app.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use eframe::egui;

use super::scene::Scene;
use super::sources::ImportOptions;
use super::stage::{Look, Stage};
use super::{Usage, output, sources};
use crate::export::write_png;
use crate::views::VIEWS;

/// What stands for the whole window in place of a view.
const WINDOW: &str = "window";

/// Options of `screenshot`.
#[derive(Debug, Args)]
pub(super) struct Screenshot {
    /// A recording, a run folder, or one of each
    #[arg(value_name = "FILE|RUN", num_args = 0..=2, conflicts_with = "demo")]
    inputs: Vec<PathBuf>,
    /// The built-in demo recording
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    import: ImportOptions,
    /// View to draw; `window` is the whole window
    #[arg(long, value_name = "VIEW", help = format!("View to draw: {}", view_names()))]
    view: String,
    /// PNG file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Size in points
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size, default_value = "1200x800")]
    size: (u16, u16),
    /// Pixels per point
    #[arg(long, value_parser = scale, default_value = "1")]
    scale: f32,
    /// Colours
    #[arg(long, value_enum, default_value_t = Theme::Light)]
    theme: Theme,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Theme {
    /// Dark on light
    Light,
    /// Light on dark
    Dark,
}

impl Screenshot {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let view = match VIEWS.iter().find(|spec| spec.key == self.view) {
            Some(spec) => Some(spec.key),
            None if self.view == WINDOW => None,
            None => return Err(Usage(format!("there is no view '{}'; the views are: {}", self.view, view_names())).into()),
        };
        let scene = if self.demo { Scene::of_recording(sources::demo()?) } else { Scene::from_paths(&self.inputs, &self.import)? };
        let look = Look {
            size: egui::vec2(f32::from(self.size.0), f32::from(self.size.1)),
            scale: self.scale,
            theme: match self.theme {
                Theme::Light => egui::Theme::Light,
                Theme::Dark => egui::Theme::Dark,
            },
        };
        let picture = Stage::new(scene, view, &look)?.picture()?;
        write_png(&self.out, &picture)?;
        output::print(&format!("{} × {} pixels, written to {}", picture.width(), picture.height(), self.out.display()))
    }
}

fn view_names() -> String {
    VIEWS.iter().map(|spec| spec.key).chain([WINDOW]).collect::<Vec<_>>().join(", ")
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let parts = text.split_once(['x', '×']).and_then(|(w, h)| Some((w.trim().parse().ok()?, h.trim().parse().ok()?)));
    // 8192 pixels is the largest picture every graphics device can draw.
    parts
        .filter(|&(w, h): &(u16, u16)| (16..=8192).contains(&w) && (16..=8192).contains(&h))
        .ok_or_else(|| "write it as 1200x800 (16 to 8192)".to_owned())
}

fn scale(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|s| (0.5..=4.0).contains(s)).ok_or_else(|| "a number from 0.5 to 4".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_scales_are_checked() {
        assert_eq!(size("1200x800"), Ok((1200, 800)));
        assert_eq!(size("640 × 480"), Ok((640, 480)));
        for wrong in ["1200", "x", "0x800", "9000x10", "-5x5", "axb"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(scale("2"), Ok(2.0));
        for wrong in ["0", "5", "NaN", "inf", "two"] {
            assert!(scale(wrong).is_err(), "{wrong}");
        }
    }
}
