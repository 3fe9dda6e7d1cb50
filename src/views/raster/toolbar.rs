//! The raster's row of controls. Everything here also has a key (see `RasterView::help`).

use eframe::egui::{self, Response, Ui};

use super::data::RasterData;
use super::events::EventColumn;
use crate::render::{Colouring, RowOrder, parse_time};
use crate::views::SPEEDS;

/// What the controls hold.
#[derive(Debug)]
pub struct Toolbar {
    /// Colour of density.
    pub colouring: Colouring,
    /// Scrolling.
    pub playing: bool,
    /// Seconds of recording per second.
    pub speed: f64,
    /// Text of the time field.
    pub go_to: String,
    /// The text is no time.
    pub not_a_time: bool,
    /// Put the cursor into the time field next frame.
    pub focus_go_to: bool,
}

impl Default for Toolbar {
    fn default() -> Self {
        Self { colouring: Colouring::Row, playing: false, speed: 1.0, go_to: String::new(), not_a_time: false, focus_go_to: false }
    }
}

/// What the user asked for in one frame.
#[derive(Debug, Default, PartialEq)]
pub struct Asked {
    /// Sort rows so.
    pub order: Option<RowOrder>,
    /// Mark these events (or none).
    pub events: Option<Option<EventColumn>>,
    /// Show this time.
    pub go_to: Option<f64>,
    /// Next (true) or previous event.
    pub event: Option<bool>,
    /// Show everything.
    pub fit: bool,
}

impl Toolbar {
    /// Draw; `plot` gets the keyboard back when a time was entered.
    pub fn ui(&mut self, ui: &mut Ui, data: &RasterData, plot: egui::Id) -> Asked {
        let mut asked = Asked::default();
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            combo(ui, "Sort by", &data.order.label(), |ui| {
                for order in &data.orders {
                    if ui.selectable_label(*order == data.order, order.label()).clicked() {
                        asked.order = Some(order.clone());
                    }
                }
            });
            combo(ui, "Events", &data.events.as_ref().map_or("none".to_owned(), EventColumn::label), |ui| {
                if ui.selectable_label(data.events.is_none(), "none").clicked() {
                    asked.events = Some(None);
                }
                for column in &data.event_columns {
                    if ui.selectable_label(data.events.as_ref() == Some(column), column.label()).clicked() {
                        asked.events = Some(Some(column.clone()));
                    }
                }
            });
            if data.events.is_some() {
                if ui.button("<").on_hover_text("Previous event (,)").clicked() {
                    asked.event = Some(false);
                }
                if ui.button(">").on_hover_text("Next event (.)").clicked() {
                    asked.event = Some(true);
                }
            }
            combo(ui, "Colour", if self.colouring == Colouring::Row { "area" } else { "count" }, |ui| {
                ui.selectable_value(&mut self.colouring, Colouring::Row, "area");
                ui.selectable_value(&mut self.colouring, Colouring::Count, "count");
            });
            ui.separator();
            let (text, tip) =
                if self.playing { ("Pause", "Stop scrolling (Space)") } else { ("Play", "Scroll through the recording (Space)") };
            if ui.button(text).on_hover_text(tip).clicked() {
                self.playing = !self.playing;
            }
            let speed = egui::ComboBox::from_id_salt("speed").selected_text(format!("{}×", self.speed)).width(50.0).show_ui(ui, |ui| {
                for speed in SPEEDS {
                    ui.selectable_value(&mut self.speed, speed, format!("{speed}×"));
                }
            });
            speed.response.on_hover_text("Speed of scrolling: seconds of recording per second");
            if ui.button("Fit").on_hover_text("Show the whole recording (R or double-click)").clicked() {
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

/// A menu with its label before it.
fn combo(ui: &mut Ui, label: &str, selected: &str, add: impl FnOnce(&mut Ui)) -> Response {
    let name = ui.label(label);
    egui::ComboBox::from_id_salt(label).selected_text(selected).width(50.0).show_ui(ui, add).response.labelled_by(name.id)
}
