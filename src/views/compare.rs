//! The Compare view: two to five runs side by side: settings that differ, results, losses, connections between areas and units,
//! coupling kernels, and how well they agree. What cannot be compared is said.

mod areas;
mod curves;
mod tables;
mod units;

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{self, Color32, RichText, Ui};

use super::work::Background;
use super::{Action, View, ViewContext, widgets};
use crate::app::theme::{self, Tokens};
use crate::runs::comparison::{Comparison, RUNS};

/// What of the runs is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Page {
    #[default]
    Tables,
    Losses,
    Areas,
    Kernels,
    Units,
}

const PAGES: [(Page, &str, &str); 5] = [
    (Page::Tables, "Settings and results", "Settings that differ, and every number of the results"),
    (Page::Losses, "Losses", "Validation losses on one axis"),
    (Page::Areas, "Between areas", "Connections between areas, their differences, and how well they agree"),
    (Page::Kernels, "Kernels", "Coupling filters of one pair of areas"),
    (Page::Units, "Between units", "Connections between units, and how well they agree"),
];

/// The Compare view. It compares the runs that are selected in the Runs view.
#[derive(Default)]
pub struct CompareView {
    work: Background<Vec<PathBuf>, Arc<Comparison>>,
    page: Page,
    curves: curves::Curves,
    areas: areas::Areas,
    units: units::Units,
}

impl View for CompareView {
    fn title(&self) -> &'static str {
        "Compare"
    }

    fn help(&self) -> &'static str {
        "Two to five runs side by side, chosen in the Runs view: settings that differ, results, validation losses, connections and coupling kernels. \
         Connections between areas have a form that all models share, so that a GLM-Transformer, a NetFormer and an STNDT of one recording can be set side by side. \
         Where quantities differ, only shares of the whole and ranks are compared; what a model does not have is said and not made up."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let chosen = context.selection.runs.clone();
        if !RUNS.contains(&chosen.len()) {
            let text = match chosen.len() {
                0 | 1 => "Select two to five runs in the Runs view (Ctrl+click adds one) and press Compare.",
                _ => "More than five runs are selected: their curves and colours could not be told apart. Select two to five.",
            };
            if widgets::empty(ui, "Nothing to compare yet", text, Some("Go to Runs")) {
                context.actions.push(Action::Show("Runs"));
            }
            return;
        }
        let folders = chosen.clone();
        let Some(comparison) = self.work.get(ui.ctx(), "comparing runs", &chosen, move || Arc::new(Comparison::of(&folders))).cloned()
        else {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label("Reading runs…");
            });
            self.work.progress(ui, "Reading runs");
            return;
        };
        legend(ui, &comparison, context);
        ui.horizontal_wrapped(|ui| widgets::segmented(ui, &mut self.page, &PAGES));
        ui.add_space(2.0);
        match self.page {
            Page::Tables => tables::ui(ui, &comparison),
            Page::Losses => self.curves.losses(ui, &comparison),
            Page::Kernels => self.curves.kernels(ui, &comparison),
            Page::Areas => self.areas.ui(ui, &comparison),
            Page::Units => self.units.ui(ui, &comparison),
        }
    }
}

/// Letter of a run: A is the one that others are compared with.
fn letter(at: usize) -> char {
    char::from(b'A' + u8::try_from(at).unwrap_or(0).min(25))
}

/// Colour of a run's curves.
fn color(tokens: &Tokens, at: usize) -> Color32 {
    tokens.category(at)
}

/// `A · name`, shortened.
fn name(comparison: &Comparison, at: usize) -> String {
    let name = comparison.runs.get(at).map(|run| run.entry.name()).unwrap_or_default();
    let short: String = name.chars().take(40).collect();
    format!("{}  {}{}", letter(at), short, if short.len() < name.len() { "…" } else { "" })
}

/// The runs with their colours, each with a way to leave it out.
fn legend(ui: &mut Ui, comparison: &Comparison, context: &mut ViewContext<'_>) {
    let tokens = theme::of(ui);
    ui.horizontal_wrapped(|ui| {
        for (at, run) in comparison.runs.iter().enumerate() {
            let text = format!("{} ({})", name(comparison, at), run.entry.facts.model);
            widgets::swatch_label(ui, color(tokens, at), &text).on_hover_text(run.entry.folder.display().to_string());
            if comparison.runs.len() > *RUNS.start() {
                let leave = ui.small_button("×").on_hover_text("Leave this run out");
                let told = format!("Leave out {}", run.entry.name());
                leave.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &told));
                if leave.clicked() {
                    context.selection.runs.retain(|folder| *folder != run.entry.folder);
                }
            }
            ui.add_space(4.0);
        }
    });
    for run in &comparison.runs {
        if let Err(why) = &run.run {
            ui.label(RichText::new(why).small().color(tokens.error));
        }
    }
    if !comparison.same_data {
        let text = "The runs were made from different data: scores and losses of one are no measure of the other";
        ui.label(RichText::new(text).small().color(tokens.warning));
    }
}
