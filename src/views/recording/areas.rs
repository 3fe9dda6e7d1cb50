//! Areas by hand: names, order, and which units belong where. Every change is an edit in the recording's sidecar, listed in
//! words and taken back one by one; the file itself is never touched.

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{self, RichText, Ui};

use crate::recording::{AreaEdit, AreaRule, DepthRange, Recording, Sidecar};
use crate::render::RasterStyle;
use crate::views::{Action, Selection, shown_area, widgets};

/// More areas than this from a column are no areas.
const MOST_AREAS: usize = 64;

/// What is being typed.
#[derive(Default)]
pub struct AreaForm {
    recording: Option<Arc<Recording>>,
    names: Vec<String>,
    area: String,
    column: String,
    ranges: String,
    list: String,
    problem: Option<String>,
}

impl AreaForm {
    /// Draw the section.
    pub fn ui(&mut self, ui: &mut Ui, recording: &Arc<Recording>, selection: &Selection, actions: &mut Vec<Action>) {
        if !self.recording.as_ref().is_some_and(|r| Arc::ptr_eq(r, recording)) {
            self.names.clone_from(&recording.areas);
            self.problem = None;
            self.recording = Some(Arc::clone(recording));
        }
        let mut sidecar = recording.sidecar();
        let before = sidecar.clone();
        self.list_of_areas(ui, recording, &mut sidecar);
        ui.add_space(4.0);
        self.by_hand(ui, recording, selection, &mut sidecar);
        self.by_columns(ui, recording, &mut sidecar);
        self.by_list(ui, actions);
        if let Some(problem) = &self.problem {
            ui.colored_label(ui.visuals().error_fg_color, problem);
        }
        history(ui, &mut sidecar);
        if sidecar != before {
            actions.push(Action::Decide(Box::new(sidecar)));
        }
    }

    /// Name, order and number of units of every area.
    fn list_of_areas(&mut self, ui: &mut Ui, recording: &Recording, sidecar: &mut Sidecar) {
        let style = RasterStyle::of(ui);
        let last = recording.areas.len().saturating_sub(1);
        let mut moved = None;
        egui::Grid::new("areas by hand").num_columns(4).spacing([10.0, 4.0]).show(ui, |ui| {
            for (area, (name, text)) in recording.areas.iter().zip(&mut self.names).enumerate() {
                color_of(ui, name, style.area(area), sidecar);
                let field = ui.add_sized([130.0, 22.0], egui::TextEdit::singleline(text).hint_text("no area"));
                named(&field, &format!("Name of {}", shown_area(name)));
                if field.lost_focus() {
                    let new = text.trim();
                    if new.is_empty() {
                        text.clone_from(name);
                    } else if new != name {
                        sidecar.areas.push(AreaEdit::Rename { from: name.clone(), to: new.to_owned() });
                        // The colour goes along, unless the area that it is merged with has one.
                        if let Some(color) = sidecar.colors.remove(name) {
                            sidecar.colors.entry(new.to_owned()).or_insert(color);
                        }
                    }
                }
                ui.label(units(recording.units_of_area(area).len()));
                ui.horizontal(|ui| {
                    for (sign, verb, to, can) in [("Up", "up", area.wrapping_sub(1), area > 0), ("Down", "down", area + 1, area < last)] {
                        let button = ui.add_enabled(can, egui::Button::new(sign).small());
                        named(&button, &format!("Move {} {verb}", shown_area(name)));
                        if button.on_hover_text("The order of areas in every view, and their usual colours").clicked() {
                            moved = Some((area, to));
                        }
                    }
                });
                ui.end_row();
            }
        });
        if let Some((from, to)) = moved {
            let mut order = recording.areas.clone();
            order.swap(from, to);
            sidecar.order = order;
        }
        widgets::note(ui, "The name of another area merges the two. Colours follow the order unless you choose one.");
    }

    fn by_hand(&mut self, ui: &mut Ui, recording: &Recording, selection: &Selection, sidecar: &mut Sidecar) {
        ui.horizontal_wrapped(|ui| {
            let n = selection.units.len();
            let label = ui.label(if n == 0 { "Put selected units in".to_owned() } else { format!("Put {} in", units(n)) });
            ui.add(egui::TextEdit::singleline(&mut self.area).desired_width(100.0).hint_text("V1")).labelled_by(label.id);
            let ready = n > 0 && !self.area.trim().is_empty();
            let tip = "Select units in the unit table or the raster first, then write the name of their area";
            if ui.add_enabled(ready, egui::Button::new("Assign")).on_disabled_hover_text(tip).clicked() {
                let units = selection.units.iter().map(|&u| recording.original_unit(u)).collect();
                sidecar.areas.push(AreaEdit::Assign { units, area: self.area.trim().to_owned() });
            }
        });
    }

    fn by_columns(&mut self, ui: &mut Ui, recording: &Arc<Recording>, sidecar: &mut Sidecar) {
        if recording.units.columns.is_empty() {
            return;
        }
        if !recording.units.columns.iter().any(|c| c.name == self.column) {
            let likely = |c: &&crate::recording::NamedColumn| c.values.is_numeric() && c.name.to_lowercase().contains("depth");
            let first = recording.units.columns.iter().find(likely).or(recording.units.columns.first());
            self.column = first.map(|c| c.name.clone()).unwrap_or_default();
        }
        ui.horizontal_wrapped(|ui| {
            ui.label("From column");
            let mut chosen = None;
            widgets::combo(ui, "area column", "Column of areas", &self.column, 160.0, |ui| {
                for column in &recording.units.columns {
                    if ui.selectable_label(column.name == self.column, &column.name).clicked() {
                        chosen = Some(column.name.clone());
                    }
                }
            });
            self.column = chosen.unwrap_or_else(|| std::mem::take(&mut self.column));
            if ui.button("Use its values").on_hover_text("Units with the same value are one area").clicked() {
                let rule = AreaRule::UnitColumn { name: self.column.clone() };
                let mut names = rule.names(&recording.original()).unwrap_or_default();
                names.sort();
                names.dedup();
                if names.len() > MOST_AREAS {
                    self.problem = Some(format!("'{}' has {} different values; use ranges", self.column, names.len()));
                } else {
                    sidecar.areas.push(AreaEdit::Rule { rule });
                }
            }
        });
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("or its ranges");
            let field = egui::TextEdit::singleline(&mut self.ranges).desired_width(190.0).hint_text("0..400=V1, 400..900=CA1");
            ui.add(field).labelled_by(label.id);
            let ready = !self.ranges.trim().is_empty();
            if ui.add_enabled(ready, egui::Button::new("Apply ranges")).clicked() {
                match DepthRange::parse_list(&self.ranges) {
                    Ok(ranges) => sidecar.areas.push(AreaEdit::Depth { column: self.column.clone(), ranges }),
                    Err(problem) => self.problem = Some(problem),
                }
            }
        });
    }

    fn by_list(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("From a list unit,area");
            let field = egui::TextEdit::singleline(&mut self.list).desired_width(190.0).hint_text("/data/areas.csv");
            ui.add(field).labelled_by(label.id);
            if ui.add_enabled(!self.list.trim().is_empty(), egui::Button::new("Read list")).clicked() {
                actions.push(Action::AreaList(PathBuf::from(self.list.trim().trim_matches('"'))));
            }
        });
    }
}

/// What was changed, and the ways back.
fn history(ui: &mut Ui, sidecar: &mut Sidecar) {
    if sidecar.areas.is_empty() && sidecar.order.is_empty() && sidecar.colors.is_empty() {
        return;
    }
    ui.add_space(4.0);
    for edit in &sidecar.areas {
        ui.label(RichText::new(format!("Changed: {}", edit.label())).weak());
    }
    ui.horizontal(|ui| {
        if ui.add_enabled(!sidecar.areas.is_empty(), egui::Button::new("Take back last change")).clicked() {
            sidecar.areas.pop();
        }
        if ui.add_enabled(!sidecar.colors.is_empty(), egui::Button::new("Usual colours")).clicked() {
            sidecar.colors.clear();
        }
        if ui.button("Areas of the file").on_hover_text("Forget all changes of areas, their order and their colours").clicked() {
            (sidecar.areas, sidecar.order) = (Vec::new(), Vec::new());
            sidecar.colors.clear();
        }
    });
    widgets::note(ui, "Kept beside the recording in this program's data folder, not in the file.");
}

/// The colour of an area as a button that opens a picker.
fn color_of(ui: &mut Ui, name: &str, shown: egui::Color32, sidecar: &mut Sidecar) {
    // While the picker is being dragged the colour is kept here; it is decided when the mouse is let go.
    let place = ui.scope_id().with(("colour of area", name));
    let mut color = ui.data(|data| data.get_temp(place)).unwrap_or([shown.r(), shown.g(), shown.b()]);
    let button = ui.color_edit_button_srgb(&mut color);
    named(&button, &format!("Colour of {}", shown_area(name)));
    if button.changed() {
        ui.data_mut(|data| data.insert_temp(place, color));
    }
    let waiting = ui.data(|data| data.get_temp::<[u8; 3]>(place));
    if let Some(color) = waiting.filter(|_| !ui.input(|i| i.pointer.any_down())) {
        ui.data_mut(|data| data.remove_temp::<[u8; 3]>(place));
        sidecar.colors.insert(name.to_owned(), color);
    }
    button.on_hover_text("Choose the colour of this area in every view").context_menu(|ui| {
        if ui.add_enabled(sidecar.colors.contains_key(name), egui::Button::new("Usual colour")).clicked() {
            sidecar.colors.remove(name);
            ui.close();
        }
    });
}

fn units(n: usize) -> String {
    if n == 1 { "1 unit".to_owned() } else { format!("{n} units") }
}

/// A name for screen readers and tests.
fn named(response: &egui::Response, name: &str) {
    response.ctx.accesskit_node_builder(response.id, |node| node.set_label(name));
}
