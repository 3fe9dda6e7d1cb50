//! The Connectivity view: NetFormer's attention as a matrix of who drives whom, beside the truth where it is known and beside the
//! cross-correlation that any such estimate has to beat.

mod maps;

use eframe::egui::{self, RichText, Ui, vec2};

use self::maps::{Kind, Panel};
use super::kernels::waiting;
use super::stndt_part::{area_of, choose, unit_name};
use super::{Action, RunState, Selection, View, ViewContext, area_matrix, shown_area, widgets};
use crate::app::theme;
use crate::render::RasterStyle;
use crate::render::heatmap::{HeatScale, colour_bar};
use crate::training::{ConnectivityScores, ModelRecipe, NetFormerSnapshot, Snapshot};

/// What is connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Between {
    #[default]
    Units,
    Areas,
}

/// Over which windows attention is averaged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum When {
    #[default]
    Mean,
    /// The selected stretch of time.
    Now,
}

/// The Connectivity view.
#[derive(Default)]
pub struct ConnectivityView {
    between: Between,
    when: When,
    panels: [Panel; 3],
}

impl View for ConnectivityView {
    fn title(&self) -> &'static str {
        "Connectivity"
    }

    fn help(&self) -> &'static str {
        "Each row is a receiving unit and each column a sending one: red raises, blue lowers the activity that NetFormer predicts for the next bin, in every bin anew; the diagonal is grey, since a unit's own memory cannot be told from a connection to itself. \
         Beside it are the truth, where it is known, and the lag-1 cross-correlation, a strong and simple estimate: trust attention only as far as it differs from that. \
         Common input and strong recurrence make connections appear that do not exist, and much of attention can be the same at all times."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        *context.looks_at_run = true;
        let Some(run) = context.run else {
            return ask(ui, context, "Train NetFormer to see which unit drives which: choose it as the model in the Train view.");
        };
        let shown = run.snapshot.as_ref().and_then(|snapshot| Some((snapshot, snapshot.netformer()?)));
        let Some((snapshot, own)) = shown.filter(|(_, own)| !own.attention.is_empty()) else {
            return match run.recipe.model {
                ModelRecipe::NetFormer(_) => waiting(ui, context, "No connectivity yet"),
                _ => ask(ui, context, "The run shown is one of another model. Train NetFormer to see which unit drives which."),
            };
        };
        self.controls(ui, run, snapshot, context.selection);
        headline(ui, own);
        let place = snapshot.trials.iter().position(|t| t.trial == context.selection.trial).unwrap_or(0);
        let stretch = own.stretches.get(place).filter(|_| self.when == When::Now);
        let kinds = if own.truth.is_some() { &[Kind::Attention, Kind::Truth, Kind::LagOne][..] } else { &[Kind::Attention, Kind::LagOne] };
        let size = ui.available_size();
        let columns = if size.x > 300.0 * kinds.len() as f32 { kinds.len() } else { 1 };
        let rows = kinds.len().div_ceil(columns);
        let cell = vec2(size.x / columns as f32 - 8.0, (size.y / rows as f32 - 8.0).max(180.0));
        let key = (snapshot.version, std::sync::Arc::as_ptr(snapshot) as usize, stretch.map(|_| place), self.between == Between::Areas);
        for (panel, kind) in self.panels.iter_mut().zip(kinds) {
            panel.update(*kind, key, own, stretch, &snapshot.area_sizes);
        }
        let mut clicked = None;
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            egui::Grid::new("connectivity").spacing(vec2(8.0, 8.0)).show(ui, |ui| {
                for (at, (panel, kind)) in self.panels.iter_mut().zip(kinds).enumerate() {
                    ui.allocate_ui(cell, |ui| {
                        ui.vertical(|ui| {
                            ui.set_width(cell.x);
                            if let Some(pair) = matrix(ui, panel, *kind, run, snapshot, cell, self.between) {
                                clicked = Some(pair);
                            }
                        });
                    });
                    if (at + 1) % columns == 0 {
                        ui.end_row();
                    }
                }
            });
        });
        if let Some((receiving, sending)) = clicked {
            select(run, snapshot, context.selection, self.between, receiving, sending);
        }
    }
}

fn ask(ui: &mut Ui, context: &mut ViewContext<'_>, text: &str) {
    if widgets::empty(ui, "No connectivity yet", text, Some("Go to Train")) {
        context.actions.push(Action::Show("Train"));
    }
}

impl ConnectivityView {
    fn controls(&mut self, ui: &mut Ui, run: &RunState, snapshot: &Snapshot, selection: &mut Selection) {
        ui.horizontal_wrapped(|ui| {
            let between = [
                (Between::Units, "Units", "Every unit on every other"),
                (Between::Areas, "Areas", "Mean over the units of each pair of areas"),
            ];
            widgets::segmented(ui, &mut self.between, &between);
            ui.separator();
            let when = [
                (When::Mean, "Mean", "Mean over the validation windows"),
                (When::Now, "At one time", "Mean over the windows of one stretch of the recording"),
            ];
            widgets::segmented(ui, &mut self.when, &when);
            if self.when == When::Now {
                let stretches = run.data.as_ref().map_or(0, |data| data.1.starts.len());
                let label = widgets::caption(ui, "Time", 40.0);
                let mut number = selection.trial.min(stretches.saturating_sub(1));
                ui.spacing_mut().slider_width = 140.0;
                let start = |number: usize| run.data.as_ref().and_then(|data| data.1.starts.get(number)).copied().unwrap_or(0.0);
                let slider = egui::Slider::new(&mut number, 0..=stretches.saturating_sub(1))
                    .custom_formatter(|number, _| format!("{} s", widgets::number(start(number as usize), 4)));
                if ui.add(slider).labelled_by(label.id).changed() {
                    selection.trial = number;
                }
                if !snapshot.trials.iter().any(|t| t.trial == number) {
                    widgets::note(ui, "comes with the next update; a finished run keeps only the last stretches");
                }
            }
        });
    }
}

/// How well attention agrees with the truth, beside the cross-correlation, and how far it can be trusted.
fn headline(ui: &mut Ui, own: &NetFormerSnapshot) {
    let tokens = theme::of(ui);
    let words = |scores: &ConnectivityScores| {
        let number = |value: f32| widgets::number(f64::from(value), 3);
        format!("Pearson {}, Spearman {}", number(scores.pearson), number(scores.spearman))
    };
    ui.horizontal_wrapped(|ui| {
        if let Some(scores) = own.scores.last() {
            ui.label(RichText::new(words(scores)).strong())
                .on_hover_text("Agreement of attention with the true weights, between different units");
        }
        if let Some(scores) = &own.lag_one_scores {
            ui.label(RichText::new(format!("cross-correlation: {}", words(scores))).color(tokens.weak))
                .on_hover_text("The same for the lag-1 cross-correlation of the training bins");
        }
        if own.static_share.is_finite() {
            let percent = widgets::number(f64::from(own.static_share) * 100.0, 3);
            ui.label(RichText::new(format!("{percent} % of attention is the same at all times")).color(tokens.weak)).on_hover_text(
                "Share of the mean square of attention that its mean over validation windows explains; the rest follows activity",
            );
        }
        if !own.r2.is_empty() {
            let mean = own.r2.iter().sum::<f32>() / own.r2.len() as f32;
            ui.label(RichText::new(format!("R² of predictions {}", widgets::number(f64::from(mean), 3))).color(tokens.weak))
                .on_hover_text("Mean over units, on validation windows");
        }
    });
}

/// One matrix with its title and colours; the pair that was clicked.
fn matrix(
    ui: &mut Ui,
    panel: &mut Panel,
    kind: Kind,
    run: &RunState,
    snapshot: &Snapshot,
    cell: egui::Vec2,
    between: Between,
) -> Option<(usize, usize)> {
    let own = between == Between::Units;
    let blocks: Vec<area_matrix::Block> = snapshot
        .area_sizes
        .iter()
        .enumerate()
        .map(|(area, size)| area_matrix::Block {
            area: run.area_index(area),
            name: snapshot.areas.get(area).cloned().unwrap_or_default(),
            size: if own { *size } else { 1 },
        })
        .collect();
    let top = ui.cursor().top();
    ui.label(RichText::new(kind.title()).strong()).on_hover_text(kind.about());
    let scale = HeatScale::Diverging { limit: panel.limit };
    ui.horizontal_wrapped(|ui| colour_bar(ui, scale, kind.unit(), &RasterStyle::of(ui)));
    widgets::note(ui, "rows receive, columns send");
    let side = area_matrix::side(vec2(cell.x, cell.y - (ui.cursor().top() - top)));
    let numbers = |value: f32| if value.is_nan() { String::new() } else { widgets::number(f64::from(value), 2) };
    let numbers: Option<&dyn Fn(f32) -> String> = if own { None } else { Some(&numbers) };
    let drawn = area_matrix::show(ui, kind.title(), &mut panel.picture, panel.version, &panel.values, &blocks, scale, side, numbers);
    let name = |k: usize| match between {
        Between::Units => format!("{} ({})", unit_name(run, snapshot, k), shown_area(&run.area_name(area_of(snapshot, k)))),
        Between::Areas => run.area_name(k),
    };
    widgets::describe(&drawn.response, panel.summary(kind, &name));
    let (row, column) = drawn.at?;
    let value = panel.values.get((row, column)).copied().unwrap_or(f32::NAN);
    egui::Tooltip::for_widget(&drawn.response).at_pointer().show(|ui| {
        ui.strong(format!("{} → {}", name(column), name(row)));
        ui.label(match value.is_nan() {
            true => "not estimated".to_owned(),
            false => format!("{} {}", widgets::number(f64::from(value), 4), kind.unit()),
        });
    });
    drawn.response.clicked().then_some((row, column))
}

fn select(run: &RunState, snapshot: &Snapshot, selection: &mut Selection, between: Between, receiving: usize, sending: usize) {
    match between {
        Between::Units => {
            choose(snapshot, selection, sending, false);
            choose(snapshot, selection, receiving, true);
            let unit = |k: usize| snapshot.units.get(k).copied();
            selection.unit_pair = unit(sending).zip(unit(receiving));
        }
        Between::Areas => {
            selection.pair = Some((sending, receiving));
            if let Some(data) = &run.data {
                selection.choose_area(&data.0, run.area_index(sending), false);
            }
        }
    }
}
