//! The raster's row of controls. What is needed often also has a key (see `RasterView::help`).

use eframe::egui::containers::menu::{MenuButton, MenuConfig};
use eframe::egui::{self, DragValue, PopupCloseBehavior, Response, Ui};

use super::data::RasterData;
use super::events::EventColumn;
use super::trials::TrialWish;
use crate::recording::Recording;
use crate::render::{RowGroup, parse_time};
use crate::views::{Playback, SPEEDS};

/// What the controls hold.
#[derive(Debug, Default)]
pub struct Toolbar {
    /// Text of the time field.
    pub go_to: String,
    /// The text is no time.
    pub not_a_time: bool,
    /// Put the cursor into the time field next frame.
    pub focus_go_to: bool,
}

/// What the user asked for in one frame.
#[derive(Debug, Default, PartialEq)]
pub struct Asked {
    /// Show this time.
    pub go_to: Option<f64>,
    /// Next (true) or previous event.
    pub event: Option<bool>,
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
    /// Playing through the recording; `None` in trial mode.
    pub playback: Option<&'a mut Playback>,
    /// Inferred rates behind the ticks; `None` when no run knows any.
    pub rates: Option<&'a mut bool>,
    /// The recording itself, in trial mode too.
    pub recording: &'a Recording,
    /// Rows in view.
    pub rows_in_view: f64,
}

impl Toolbar {
    /// Draw; `plot` gets the keyboard back when a time was entered.
    pub fn ui(&mut self, ui: &mut Ui, data: &mut RasterData, choices: Choices<'_>, plot: egui::Id) -> Asked {
        let mut asked = Asked::default();
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            what(ui, &choices.first_trials, choices.trials);
            arrangement(ui, data);
            match choices.trials {
                Some(wish) => alignment(ui, choices.recording, wish),
                None => marks(ui, data, &mut asked),
            }
            shown(ui, data, choices.rates, choices.rows_in_view, &mut asked);
            ui.separator();
            if let Some(playback) = choices.playback {
                play(ui, playback);
            }
            if ui.button("Fit").on_hover_text("Show everything (R or double-click)").clicked() {
                asked.fit = true;
            }
            if let Some(seconds) = self.time_field(ui, plot) {
                asked.go_to = Some(seconds);
            }
        });
        asked
    }

    fn time_field(&mut self, ui: &mut Ui, plot: egui::Id) -> Option<f64> {
        let label = ui.label("Go to");
        let field =
            ui.add(egui::TextEdit::singleline(&mut self.go_to).hint_text("12.5 s or 2:30").desired_width(104.0)).labelled_by(label.id);
        if std::mem::take(&mut self.focus_go_to) {
            field.request_focus();
        }
        if field.changed() {
            self.not_a_time = false;
        }
        let entered = field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
        if self.not_a_time {
            ui.colored_label(ui.visuals().error_fg_color, "write a time such as 12.5 s, 250 ms or 2:30");
        }
        if !entered || self.go_to.trim().is_empty() {
            return None;
        }
        let time = parse_time(&self.go_to);
        self.not_a_time = time.is_none();
        ui.memory_mut(|m| m.request_focus(if time.is_some() { plot } else { field.id }));
        time
    }
}

fn play(ui: &mut Ui, playback: &mut Playback) {
    let (text, tip) = if playback.playing { ("Pause", "Stop scrolling (Space)") } else { ("Play", "Scroll through the recording (Space)") };
    if ui.button(text).on_hover_text(tip).clicked() {
        playback.playing = !playback.playing;
    }
    let speed = egui::ComboBox::from_id_salt("speed").selected_text(format!("{}×", playback.speed)).width(50.0).show_ui(ui, |ui| {
        for speed in SPEEDS {
            ui.selectable_value(&mut playback.speed, speed, format!("{speed}×"));
        }
    });
    speed.response.on_hover_text("Speed of scrolling: seconds of recording per second");
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

fn marks(ui: &mut Ui, data: &mut RasterData, asked: &mut Asked) {
    let mut events = None;
    combo(ui, "Events", &data.events.as_ref().map_or("none".to_owned(), EventColumn::label), |ui| {
        if ui.selectable_label(data.events.is_none(), "none").clicked() {
            events = Some(None);
        }
        for column in &data.event_columns {
            if ui.selectable_label(data.events.as_ref() == Some(column), column.label()).clicked() {
                events = Some(Some(column.clone()));
            }
        }
    });
    if let Some(events) = events {
        data.mark(events);
    }
    if data.events.is_some() {
        if ui.button("<").on_hover_text("Previous event (,)").clicked() {
            asked.event = Some(false);
        }
        if ui.button(">").on_hover_text("Next event (.)").clicked() {
            asked.event = Some(true);
        }
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
        let field = DragValue::new(value).range(range).speed(0.01).suffix(" s").max_decimals(3);
        ui.add(field).labelled_by(label.id).on_hover_text("Seconds from the event");
    }
}

/// What is shown besides the spikes, and how high rows are.
fn shown(ui: &mut Ui, data: &mut RasterData, rates: Option<&mut bool>, rows_in_view: f64, asked: &mut Asked) {
    let stays = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    let (response, _) = MenuButton::new("Show").config(stays).ui(ui, |ui| {
        ui.set_min_width(210.0);
        let mut rows = rows_in_view;
        let most = data.rows.len().max(1) as f64;
        let label = ui.label("Rows in view (fewer are higher)");
        if ui.add(egui::Slider::new(&mut rows, 1.0..=most).logarithmic(true).integer()).labelled_by(label.id).changed() {
            asked.rows_in_view = Some(rows);
        }
        if let Some(on) = rates {
            ui.checkbox(on, "Inferred rates behind ticks").on_hover_text("Rates of the trained model in the trials it was asked about");
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
    response.on_hover_text("Row height, conditions, epochs, covariates, inferred rates");
}

/// A menu with its label before it.
fn combo(ui: &mut Ui, label: &str, selected: &str, add: impl FnOnce(&mut Ui)) -> Response {
    let name = ui.label(label);
    egui::ComboBox::from_id_salt(label).selected_text(selected).width(50.0).show_ui(ui, add).response.labelled_by(name.id)
}
