//! The Count correlations view: how the spike counts of every two units go together, units side by side by area.

mod compute;
mod matrix;

use std::sync::Arc;

use eframe::egui::Ui;

use super::alignment::Alignment;
use super::raster::navigation::time_bounds;
use super::work::Background;
use super::{Selection, View, ViewContext, widgets};
use crate::analysis::aligned::EventWindow;
use crate::recording::Recording;
use crate::render::axis::duration_text;
use crate::render::heatmap::{HeatScale, Heatmap, colour_bar};
use crate::render::{RasterStyle, RowPlan, Rows};
use compute::{Found, Job, Stretches, correlate};
use matrix::matrix;

/// Samples (bins or trials) at most.
const MOST_SAMPLES: usize = 10_000;
/// Units at most: a matrix of more does not fit a screen and takes long.
const MOST_UNITS: usize = 2000;

/// Where counts are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Samples {
    #[default]
    Bins,
    Trials,
}

/// One cell per pair of units or of areas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Cells {
    #[default]
    Units,
    Areas,
}

/// The Count correlations view.
pub struct CorrelationsView {
    samples: Samples,
    cells: Cells,
    alignment: Alignment,
    bin_ms: f64,
    after_s: f64,
    /// End of the colour scale; `None` follows the values.
    limit: Option<f64>,
    work: Background<Job, Found>,
    versions: u64,
    picture: Heatmap,
    /// Row and column of the cell that arrow keys move.
    cell: (usize, usize),
}

impl Default for CorrelationsView {
    fn default() -> Self {
        Self {
            samples: Samples::default(),
            cells: Cells::default(),
            alignment: Alignment::default(),
            bin_ms: 100.0,
            after_s: 0.5,
            limit: None,
            work: Background::default(),
            versions: 0,
            picture: Heatmap::default(),
            cell: (0, 0),
        }
    }
}

impl View for CorrelationsView {
    fn title(&self) -> &'static str {
        "Count correlations"
    }

    fn help(&self) -> &'static str {
        "The correlation of spike counts of every two units, in equal bins of the visible time or in one window per trial, with units side by side by area; red is together, blue is opposite, white is none. \
         Split trials by a column to take the mean of every condition away: what is left are noise correlations. \
         Click a cell (or move to it with the arrow keys and press Enter) to select its two units for the correlogram, or switch to areas for means within and between them."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(recording) = context.recording else {
            super::nothing_open(ui, context, "Open a recording to see which units go together.");
            return;
        };
        if recording.spikes.n_spikes() == 0 {
            widgets::empty(ui, "The recording has no spikes", "Open a recording with spikes.", None);
            return;
        }
        self.controls(ui, recording, context);
        let Some(stretches) = self.stretches(recording, context) else {
            widgets::empty(ui, "The recording has no trials", "Take counts in bins of the visible time instead.", None);
            return;
        };
        let (units, all) = units(recording, context.selection);
        let job = Job { recording: Arc::clone(recording), units, stretches };
        let version = self.versions + 1;
        let theirs = job.clone();
        self.work.watched(ui.ctx(), "count correlations", &job, move |watch| correlate(theirs, version, watch));
        self.work.progress(ui, "Count correlations");
        let Some(found) = self.work.latest().filter(|f| Arc::ptr_eq(&f.job.recording, recording)) else {
            if self.work.is_running() {
                ui.spinner();
            }
            return;
        };
        self.versions = self.versions.max(found.version);
        let limit = self.limit.unwrap_or(found.limit) as f32;
        notes(ui, found, all, limit);
        if found.samples < 3 {
            widgets::empty(
                ui,
                "Too few samples",
                "Correlations need at least three bins or trials: use narrower bins or more trials.",
                None,
            );
            return;
        }
        let (values, sizes) = match self.cells {
            Cells::Units => (&found.units, found.areas.clone()),
            Cells::Areas => (&found.means, found.areas.iter().map(|(a, _)| (*a, 1)).collect()),
        };
        // The picture keeps a number of its own: units and areas are two matrices of one version.
        let number = 2 * found.version + u64::from(self.cells == Cells::Areas);
        let scale = HeatScale::Diverging { limit };
        let chosen = matrix(ui, &mut self.picture, number, values, &sizes, found, scale, self.cells, &mut self.cell);
        match (chosen, self.cells) {
            (Some((row, column)), Cells::Units) => {
                if let (Some(&a), Some(&b)) = (found.job.units.get(row), found.job.units.get(column)) {
                    context.selection.unit_pair = Some((a, b));
                }
            }
            (Some((row, column)), Cells::Areas) => {
                let area = |k: usize| found.areas.get(k).map(|(a, _)| *a);
                choose_areas(context, recording, area(row), area(column));
            }
            (None, _) => {}
        }
    }
}

/// Select both areas, and their pair where a run has them: column sends, row receives.
fn choose_areas(context: &mut ViewContext<'_>, recording: &Recording, target: Option<usize>, source: Option<usize>) {
    let (Some(target), Some(source)) = (target, source) else { return };
    context.selection.units.clear();
    context.selection.areas.clear();
    context.selection.choose_area(recording, source, true);
    if target != source {
        context.selection.choose_area(recording, target, true);
    }
    let named = |area: usize| {
        let name = recording.areas.get(area)?;
        context.run?.snapshot.as_ref()?.areas.iter().position(|a| a == name)
    };
    if let (Some(source), Some(target)) = (named(source), named(target)) {
        context.selection.pair = Some((source, target));
    }
}

impl CorrelationsView {
    fn controls(&mut self, ui: &mut Ui, recording: &Recording, context: &ViewContext<'_>) {
        ui.horizontal_wrapped(|ui| {
            let samples = [
                (Samples::Bins, "Bins", "Counts in equal bins of the visible time"),
                (Samples::Trials, "Trials", "One count per trial, in a window after the event"),
            ];
            widgets::segmented(ui, &mut self.samples, &samples);
            match self.samples {
                Samples::Bins => {
                    widgets::amount(ui, "Bin", &mut self.bin_ms, 1.0..=60_000.0, "ms", 1.0);
                }
                Samples::Trials => {
                    self.alignment.controls(ui, recording, context.run);
                    widgets::amount(ui, "Window", &mut self.after_s, 0.005..=60.0, "s", 0.01);
                }
            }
            let cells =
                [(Cells::Units, "By unit", "One cell per pair of units"), (Cells::Areas, "By area", "Means within and between areas")];
            widgets::segmented(ui, &mut self.cells, &cells);
            let mut limit = self.limit.or(self.work.latest().map(|found| found.limit)).unwrap_or(1.0);
            if widgets::amount(ui, "Colours to", &mut limit, 0.01..=1.0, "", 0.005) {
                self.limit = Some(limit);
            }
        });
    }

    fn stretches(&self, recording: &Recording, context: &ViewContext<'_>) -> Option<Stretches> {
        match self.samples {
            Samples::Bins => {
                let window = context.selection.window.unwrap_or_else(|| time_bounds(recording));
                // Wider bins rather than only the beginning, where there would be too many.
                let bin_s = (self.bin_ms / 1e3).max((window.1 - window.0) / MOST_SAMPLES as f64);
                // Whole bins from the start of the window.
                let bins = ((window.1 - window.0) / bin_s + 1e-9).floor().max(1.0) as usize;
                let stop = window.0 + (bins as f64 * bin_s).min(window.1 - window.0);
                Some(Stretches::Bins { window: (window.0, stop), bins })
            }
            Samples::Trials => {
                let groups = self.alignment.resolve(recording, context.run, &context.selection.trials)?;
                Some(Stretches::Trials { groups, window: EventWindow::around(0.0, self.after_s, self.after_s) })
            }
        }
    }
}

/// Selected units (all without a selection) side by side by area, and how many there would be without a limit.
fn units(recording: &Recording, selection: &Selection) -> (Vec<usize>, usize) {
    let rows = Rows::of(recording, &RowPlan::default());
    let several = selection.units.len() > 1;
    let all: Vec<usize> = rows.units.into_iter().flatten().filter(|u| !several || selection.units.contains(u)).collect();
    let n = all.len();
    // Every area keeps its share when there are too many.
    let step = n.div_ceil(MOST_UNITS).max(1);
    (all.into_iter().step_by(step).collect(), n)
}

fn notes(ui: &mut Ui, found: &Found, all: usize, limit: f32) {
    ui.horizontal_wrapped(|ui| {
        colour_bar(ui, HeatScale::Diverging { limit }, "correlation", &RasterStyle::of(ui));
        let mut text = vec![match &found.job.stretches {
            Stretches::Bins { window, bins } => {
                format!("{} bins of {}", widgets::count(found.samples), duration_text((window.1 - window.0) / *bins as f64))
            }
            Stretches::Trials { groups, .. } if groups.groups.len() > 1 => {
                format!("{} trials, means of {} conditions taken away", widgets::count(found.samples), groups.groups.len())
            }
            Stretches::Trials { .. } => format!("{} trials", widgets::count(found.samples)),
        }];
        if found.unseen > 0 {
            let what = if matches!(found.job.stretches, Stretches::Bins { .. }) { "bin" } else { "trial" };
            text.push(match found.unseen {
                1 => format!("1 {what} not wholly observed is left out"),
                n => format!("{} {what}s not wholly observed are left out", widgets::count(n)),
            });
        }
        if all > found.job.units.len() {
            text.push(format!("{} of {} units", widgets::count(found.job.units.len()), widgets::count(all)));
        }
        widgets::note(ui, text.join("  ·  "));
    });
}
