//! What a new sweep will draw: model, number of members, seed, and every range with its ends.

use std::collections::BTreeMap;

use eframe::egui::{self, RichText, Ui};

use super::setting_name;
use crate::app::{SweepWish, theme};
use crate::recording::Recording;
use crate::render::parse_number;
use crate::training::sweep::{FIRST, Plan, Range, Scale, Search, SweepError, published};
use crate::training::{PRESETS, Recipe};
use crate::views::{Action, ViewContext, widgets};

/// The form. Ranges that were edited stay when the recipe changes.
pub(super) struct Form {
    members: usize,
    seed: u64,
    search: Search,
    edits: BTreeMap<String, (f64, f64, bool)>,
}

impl Default for Form {
    fn default() -> Self {
        Self { members: 20, seed: 0, search: Search::Random, edits: BTreeMap::new() }
    }
}

impl Form {
    pub(super) fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>, recording: &Recording) {
        let plan = self.plan(context.recipe, recording);
        let writes = context.runs.own.is_some();
        let busy = context.runs.sweeps.is_some_and(|sweeps| sweeps.current().is_some());
        let problem = match (&plan, writes, busy) {
            (_, false, _) => Some("This window does not write runs to disk; choose a folder for runs in the settings".to_owned()),
            (_, _, true) => Some("Another sweep goes on; stop it first".to_owned()),
            (Err(e), ..) => Some(e.to_string()),
            (Ok(plan), ..) => plan.check().err().map(|e| e.to_string()),
        };
        egui::ScrollArea::vertical().id_salt("new sweep").auto_shrink(false).show(ui, |ui| {
            widgets::section(ui, "A new sweep");
            ui.horizontal_wrapped(|ui| {
                let start = ui.add_enabled(problem.is_none(), widgets::primary(ui, "Start sweep"));
                let start = match &problem {
                    Some(problem) => start.on_disabled_hover_text(problem),
                    None => start.on_hover_text("Train all members in the background, one after another"),
                };
                if let (true, Ok(plan)) = (start.clicked(), &plan) {
                    context.actions.push(Action::Sweep(SweepWish::Start(Box::new(plan.clone()))));
                }
                if let Some(problem) = &problem {
                    ui.label(RichText::new(problem).small().color(theme::of(ui).error));
                }
            });
            widgets::card(ui, |ui| {
                ui.horizontal_wrapped(|ui| {
                    widgets::caption(ui, "Model", 150.0);
                    model(ui, context.recipe, recording);
                    let label = widgets::caption(ui, "Members", 50.0);
                    let field = egui::DragValue::new(&mut self.members).range(1..=10_000).speed(0.2);
                    ui.add(field).on_hover_text("How many recipes are drawn and trained").labelled_by(label.id);
                    let label = widgets::caption(ui, "Seed of the draws", 50.0);
                    let field = egui::DragValue::new(&mut self.seed).speed(0.1);
                    ui.add(field).on_hover_text("The same seed and ranges draw the same recipes").labelled_by(label.id);
                    widgets::caption(ui, "Search", 110.0);
                    let learns = format!("The first {FIRST} at random, the others where those before them scored well (TPE)");
                    let choices = [(Search::Random, "Random", "Every recipe by itself"), (Search::Tpe, "Learning", learns.as_str())];
                    widgets::segmented(ui, &mut self.search, &choices);
                });
                widgets::note(ui, "Data, device and all settings that are not drawn are those of the Train view");
                if ui.small_button("Go to Train").clicked() {
                    context.actions.push(Action::Show("Train"));
                }
            });
            ui.add_space(6.0);
            if let Ok(plan) = &plan {
                self.ranges(ui, plan);
            }
        });
    }

    /// The plan as the form has it.
    fn plan(&self, recipe: &Recipe, recording: &Recording) -> Result<Plan, SweepError> {
        let mut plan = Plan::new(recipe, self.members, self.seed, recording)?;
        plan.search = self.search;
        for range in &mut plan.ranges {
            if let Some(edit) = self.edits.get(&range.path) {
                (range.low, range.high, range.drawn) = *edit;
            }
        }
        Ok(plan)
    }

    fn ranges(&mut self, ui: &mut Ui, plan: &Plan) {
        let usual = published(&plan.base).unwrap_or_default();
        ui.horizontal_wrapped(|ui| {
            widgets::section(ui, "What is drawn");
            widgets::note(ui, "ranges of the search that was published for STNDT; equal ends fix a value");
            if plan.ranges != usual && ui.small_button("Published ranges").on_hover_text("Undo all changes below").clicked() {
                self.edits.clear();
            }
        });
        widgets::card(ui, |ui| {
            egui::Grid::new("ranges").num_columns(4).spacing([10.0, 4.0]).show(ui, |ui| {
                for title in ["Setting", "From", "To", "Drawn"] {
                    ui.label(RichText::new(title).small().color(theme::of(ui).weak));
                }
                ui.end_row();
                for range in &plan.ranges {
                    let mut edited = range.clone();
                    row(ui, &mut edited, &plan.base);
                    if edited != *range {
                        self.edits.insert(range.path.clone(), (edited.low, edited.high, edited.drawn));
                    }
                    ui.end_row();
                }
            });
        });
    }
}

/// One range; not drawn, it says what the setting is instead.
fn row(ui: &mut Ui, range: &mut Range, base: &Recipe) {
    let name = setting_name(base, &range.path);
    let help = base.fields().find(|field| field.path == range.path).map_or("", |field| field.help);
    ui.checkbox(&mut range.drawn, &name).on_hover_text(format!("{help}\n\nSetting: {}", range.path));
    if !range.drawn {
        let value = base.get(&range.path).map(|value| value.to_string()).unwrap_or_default();
        ui.label(RichText::new(format!("as in Train: {value}")).small().color(theme::of(ui).weak));
        return;
    }
    let whole = range.scale == Scale::Whole;
    for (value, end) in [(&mut range.low, "from"), (&mut range.high, "to")] {
        let speed = if whole { 0.2 } else { (value.abs() * 0.02).max(1e-9) };
        let field = egui::DragValue::new(value)
            .speed(speed)
            .custom_formatter(|value, _| widgets::number(value, 4))
            .custom_parser(parse_number)
            .update_while_editing(false);
        let response = ui.add(field);
        let told = format!("{name}, {end}");
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::SpinButton, true, &told));
        if whole {
            *value = value.round();
        }
    }
    let how = match range.scale {
        Scale::Uniform => "evenly",
        Scale::Log => "evenly in the logarithm",
        Scale::Whole => "whole numbers, evenly",
    };
    ui.label(RichText::new(how).small().color(theme::of(ui).weak));
}

/// Models that sweeps can be made of; another one starts from its own settings.
fn model(ui: &mut Ui, recipe: &mut Recipe, recording: &Recording) {
    let now = recipe.model.preset();
    widgets::combo(ui, "model of the sweep", "Model", now.title, 190.0, |ui| {
        for preset in PRESETS {
            let mut other = recipe.clone();
            preset.choose(&mut other, Some(recording));
            if published(&other).is_ok() && ui.selectable_label(preset.key == now.key, preset.title).clicked() && preset.key != now.key {
                *recipe = other;
            }
        }
    });
}
