//! The raster's row of controls. What is needed often also has a key (see `RasterView::help`); going through time has its own bar
//! below all views.

use eframe::egui::containers::menu::{MenuButton, MenuConfig};
use eframe::egui::{self, DragValue, PopupCloseBehavior, Response, Ui};

use super::data::RasterData;
use super::events::EventColumn;
use super::trial_marks::TrialEvents;
use super::trials::{TrialRows, TrialWish};
use crate::recording::Recording;
use crate::render::{RowGroup, parse_number};
use crate::views::widgets;

/// What the user asked for in one frame.
#[derive(Debug, Default, PartialEq)]
pub struct Asked {
    /// Show everything.
    pub fit: bool,
    /// Show so many rows at once.
    pub rows_in_view: Option<f64>,
}

/// What the toolbar may change besides the data.
pub struct Choices<'a> {
    /// Trials as rows, when chosen.
    pub trials: &'a mut Option<TrialWish>,
    /// What trial mode begins with; `None` when the recording has no trials.
    pub first_trials: Option<TrialWish>,
    /// The trials that are shown, with their other events.
    pub events: Option<(&'a TrialRows, &'a mut TrialEvents)>,
    /// Inferred rates behind the ticks; `None` when no run knows any.
    pub rates: Option<&'a mut bool>,
    /// The recording itself, in trial mode too.
    pub recording: &'a Recording,
    /// Rows in view.
    pub rows_in_view: f64,
}

/// Draw.
pub fn toolbar(ui: &mut Ui, data: &mut RasterData, choices: Choices<'_>) -> Asked {
    let mut asked = Asked::default();
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        what(ui, &choices.first_trials, choices.trials);
        arrangement(ui, data);
        if let Some(wish) = choices.trials {
            alignment(ui, choices.recording, wish);
        }
        shown(ui, data, choices.events, choices.rates, choices.rows_in_view, &mut asked);
        if ui.button("Fit").on_hover_text("Show everything (R or double-click)").clicked() {
            asked.fit = true;
        }
    });
    asked
}

/// Units through the recording, or trials around an event.
fn what(ui: &mut Ui, first: &Option<TrialWish>, trials: &mut Option<TrialWish>) {
    let Some(first) = first else { return };
    combo(ui, "Rows", if trials.is_some() { "trials" } else { "units" }, |ui| {
        if ui.selectable_label(trials.is_none(), "units").clicked() {
            *trials = None;
        }
        let tip = "One row per trial, around an event; of the selected units, one below the other";
        if ui.selectable_label(trials.is_some(), "trials").on_hover_text(tip).clicked() && trials.is_none() {
            *trials = Some(first.clone());
        }
    });
}

fn arrangement(ui: &mut Ui, data: &mut RasterData) {
    let group_name = |group: &RowGroup| if *group == RowGroup::Area && data.row_name != "unit" { "unit".to_owned() } else { group.label() };
    let (mut order, mut group, mut colour) = (None, None, None);
    combo(ui, "Sort by", &data.plan.order.label(), |ui| {
        for each in &data.orders {
            if ui.selectable_label(*each == data.plan.order, each.label()).clicked() {
                order = Some(each.clone());
            }
        }
    });
    combo(ui, "Group by", &group_name(&data.plan.group), |ui| {
        for each in &data.groups {
            if ui.selectable_label(*each == data.plan.group, group_name(each)).clicked() {
                group = Some(each.clone());
            }
        }
    });
    let name = group_name(&data.plan.group);
    combo(ui, "Colour", &data.colour.label(&name), |ui| {
        for each in &data.colours {
            if ui.selectable_label(*each == data.colour, each.label(&name)).clicked() {
                colour = Some(each.clone());
            }
        }
    });
    if let Some(order) = order {
        data.replan(|plan| plan.order = order);
    }
    if let Some(group) = group {
        data.replan(|plan| {
            plan.group = group;
            plan.collapsed.clear();
            plan.arranged.clear();
        });
    }
    if let Some(colour) = colour {
        data.recolour(colour);
    }
}

/// Which events of the recording are marked, and stepped through by , and .
fn marked_events(ui: &mut Ui, data: &mut RasterData) {
    let mut events = None;
    if ui.radio(data.events.is_none(), "no events").clicked() {
        events = Some(None);
    }
    for column in &data.event_columns {
        if ui.radio(data.events.as_ref() == Some(column), format!("marks at {}", column.label())).clicked() {
            events = Some(Some(column.clone()));
        }
    }
    if let Some(events) = events {
        data.mark(events);
    }
}

fn alignment(ui: &mut Ui, recording: &Recording, wish: &mut TrialWish) {
    let chosen = EventColumn { table: wish.table.clone(), column: wish.align.clone() };
    combo(ui, "Align to", &chosen.label(), |ui| {
        for column in EventColumn::offered(recording) {
            if ui.selectable_label(column == chosen, column.label()).clicked() {
                (wish.table, wish.align) = (column.table, column.column);
            }
        }
    });
    for (name, value, range) in [("From", &mut wish.from_s, -60.0..=-0.0), ("To", &mut wish.to_s, 0.01..=60.0)] {
        let label = ui.label(name);
        let field = DragValue::new(value).range(range).speed(0.01).suffix(" s").max_decimals(3).custom_parser(parse_number);
        ui.add(field).labelled_by(label.id).on_hover_text("Seconds from the event");
    }
}

/// What is shown besides the spikes, and how high rows are.
fn shown(
    ui: &mut Ui,
    data: &mut RasterData,
    events: Option<(&TrialRows, &mut TrialEvents)>,
    rates: Option<&mut bool>,
    rows_in_view: f64,
    asked: &mut Asked,
) {
    let stays = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    let (response, _) = MenuButton::new("Show").config(stays).ui(ui, |ui| {
        ui.set_min_width(210.0);
        egui::ScrollArea::vertical().max_height(420.0).show(ui, |ui| {
            let mut rows = rows_in_view;
            let most = data.rows.len().max(1) as f64;
            let label = ui.label("Rows in view (fewer are higher)");
            if ui.add(egui::Slider::new(&mut rows, 1.0..=most).logarithmic(true).integer()).labelled_by(label.id).changed() {
                asked.rows_in_view = Some(rows);
            }
            if let Some(on) = rates {
                ui.checkbox(on, "Inferred rates behind ticks").on_hover_text("Rates of the trained model in the trials it was asked about");
            }
            match events {
                Some((trials, events)) if !trials.events.is_empty() => {
                    ui.separator();
                    ui.label("Other events of the trials");
                    events.choose(ui, trials);
                }
                None if !data.event_columns.is_empty() => {
                    ui.separator();
                    ui.label("Events");
                    marked_events(ui, data);
                }
                _ => {}
            }
            if !data.mark_columns.is_empty() {
                ui.separator();
                ui.label("Conditions and epochs");
                let mut chosen = None;
                let now = data.marks.as_ref().map(|m| &m.of);
                if ui.radio(now.is_none(), "none").clicked() {
                    chosen = Some(None);
                }
                for column in &data.mark_columns {
                    if ui.radio(now == Some(column), column.label()).clicked() {
                        chosen = Some(Some(column.clone()));
                    }
                }
                if let Some(chosen) = chosen {
                    data.band(chosen);
                }
            }
            if !data.recording.covariates.is_empty() {
                ui.separator();
                ui.label("Covariates");
                for (k, covariate) in data.recording.covariates.iter().enumerate() {
                    let mut on = data.lanes.shown.contains(&k);
                    if ui.checkbox(&mut on, &covariate.name).changed() {
                        data.lanes.toggle(k);
                    }
                }
            }
        });
    });
    response.on_hover_text("Row height, events, conditions, epochs, covariates, inferred rates");
}

/// A menu with its label before it.
fn combo(ui: &mut Ui, label: &str, selected: &str, add: impl FnOnce(&mut Ui)) -> Response {
    let name = ui.label(label);
    let shown = egui::ComboBox::from_id_salt(label).selected_text(selected).width(50.0).show_ui(ui, add);
    widgets::closed_by_key(ui, shown).labelled_by(name.id)
}
