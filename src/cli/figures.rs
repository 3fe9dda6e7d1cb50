//! Pictures of a finished run, drawn by the views of the window.

use std::path::Path;
use std::sync::Arc;

use image::RgbaImage;

use super::output;
use super::scene::Scene;
use super::stage::{Look, Stage};
use crate::recording::Recording;
use crate::runs;

/// Views that make up the figures of a run, by key; also the names of the files.
const FIGURES: [&str; 4] = ["raster", "loss", "kernels", "matrix"];

/// Draw the figures of the run in `folder` into it. A machine that cannot draw is told of, and is no failure: the results
/// are there.
pub(super) fn add(folder: &Path, recording: &Arc<Recording>, quiet: bool) -> anyhow::Result<()> {
    let scene = Scene::of_run(runs::load(folder)?, Some(Arc::clone(recording)));
    match draw(&scene) {
        Ok(figures) => {
            let named: Vec<(&str, RgbaImage)> = FIGURES.into_iter().zip(figures).collect();
            runs::add_figures(folder, &named)?;
        }
        Err(error) if quiet => tracing::warn!("no figures: {error:#}"),
        Err(error) => output::tell(&format!("note: no figures were drawn: {}", super::one_line(&error))),
    }
    Ok(())
}

fn draw(scene: &Scene) -> anyhow::Result<Vec<RgbaImage>> {
    let look = Look::default();
    FIGURES.into_iter().map(|view| Stage::new(scene.clone(), Some(view), &look)?.picture()).collect()
}
