//! The unit table: every unit with its columns; sort by any of them, filter by an expression, select for all views.

mod rows;

use std::sync::Arc;

use eframe::egui::{self, Align, Key, Layout, Modifiers, Sense, Ui, Vec2};
use egui_extras::{Column, TableBuilder};

use super::work::Background;
use super::{RunState, Selection, View, ViewContext};
use crate::recording::{Recording, filter};
use crate::render::RasterStyle;
use crate::render::axis::grouped;
use crate::training::Snapshot;
use rows::{ModelColumns, ModelScores, Sorting, UnitMetrics, UnitRows};

/// The unit table view. Selected units are those of the whole window.
#[derive(Default)]
pub struct UnitTableView {
    table: Option<(Arc<Recording>, UnitRows)>,
    metrics: Background<String, Arc<UnitMetrics>>,
    /// Version of the snapshot behind the model's columns.
    scored: Option<u64>,
    filter: String,
    sorting: Sorting,
    /// Units shown, from the top.
    order: Vec<usize>,
    /// What is wrong with the filter; the table keeps showing what the last good one kept.
    error: Option<String>,
    /// Unit from which Shift-click extends.
    anchor: Option<usize>,
    /// Row to bring into view.
    scroll_to: Option<usize>,
    /// The rows have the keyboard.
    focused: bool,
}

impl View for UnitTableView {
    fn title(&self) -> &'static str {
        "Units"
    }

    fn help(&self) -> &'static str {
        "One row per unit with every column of the file; a click on a heading sorts by it, once more the other way round. \
         The filter takes expressions such as rate > 5 and area == \"PMd\", with and, or, not, brackets, contains, and \
         `column names with spaces` in backquotes. \
         Click a row to select its unit in all views (Ctrl adds, Shift extends, arrow keys move, Ctrl+A selects all shown)."
    }

    fn ordering(&self) -> serde_json::Value {
        serde_json::json!([self.sorting.column, self.sorting.descending])
    }

    fn restore_ordering(&mut self, ordering: &serde_json::Value) {
        if let Ok((column, descending)) = serde_json::from_value(ordering.clone()) {
            self.sorting = Sorting { column, descending };
            self.arrange();
        }
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(recording) = context.recording else {
            self.table = None;
            super::nothing_open(ui, context, "Open a recording to see its units.");
            return;
        };
        let snapshot = context.run.filter(|run| of_this(run, recording)).and_then(|run| run.snapshot.as_ref());
        *context.looks_at_run |= snapshot.is_some();
        let model = snapshot.map(|snapshot| ModelColumns::of(snapshot));
        let fresh = self.table.as_ref().is_some_and(|(shown, table)| Arc::ptr_eq(shown, recording) && table.model == model);
        if !fresh {
            let table = UnitRows::new(recording, model);
            self.scored = None;
            // A column that this recording does not have cannot sort it.
            self.sorting.column = self.sorting.column.filter(|c| *c < table.columns.len());
            self.table = Some((Arc::clone(recording), table));
            self.order = (0..recording.n_units()).collect();
            self.arrange();
        }
        self.update(ui, recording, snapshot);
        let Some((recording, table)) = self.table.take() else { return };
        let sorting = self.sorting;
        let changed = self.controls(ui, &recording, &table, context.selection);
        self.metrics.progress(ui, "Regularity and presence of units");
        self.keys(ui, context.selection);
        self.rows(ui, &recording, &table, context.selection);
        self.table = Some((recording, table));
        if changed || sorting != self.sorting {
            self.arrange();
        }
    }
}

/// True when the run was made from this recording.
fn of_this(run: &RunState, recording: &Recording) -> bool {
    run.data.as_ref().is_some_and(|data| data.0.fingerprint == recording.fingerprint)
}

impl UnitTableView {
    /// Take over what was computed in the background, and what the model has learned since.
    fn update(&mut self, ui: &Ui, recording: &Arc<Recording>, snapshot: Option<&Arc<Snapshot>>) {
        let theirs = Arc::clone(recording);
        let metrics = self
            .metrics
            .watched(ui.ctx(), "unit metrics", &recording.fingerprint, move |watch| UnitMetrics::of(&theirs, watch).map(Arc::new))
            .cloned();
        let Some((_, table)) = &mut self.table else { return };
        let mut changed = false;
        if let Some(metrics) = metrics.filter(|m| !Arc::ptr_eq(m, &table.metrics)) {
            (table.metrics, changed) = (metrics, true);
        }
        if let Some(snapshot) = snapshot.filter(|s| self.scored != Some(s.version)) {
            table.scores = Arc::new(ModelScores::of(snapshot, recording.n_units()));
            (self.scored, changed) = (Some(snapshot.version), true);
        }
        if changed {
            self.arrange();
        }
    }

    /// Filter and sort again.
    fn arrange(&mut self) {
        let Some((recording, table)) = &self.table else { return };
        match table.order(recording, &self.filter, self.sorting) {
            Ok(order) => (self.order, self.error) = (order, None),
            Err(error) => self.error = Some(error.to_string()),
        }
    }

    /// Filter field and buttons; true when the filter changed.
    fn controls(&mut self, ui: &mut Ui, recording: &Recording, table: &UnitRows, selection: &mut Selection) -> bool {
        let mut changed = false;
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("Filter");
            let field = egui::TextEdit::singleline(&mut self.filter).hint_text("rate > 5 and area == \"PMd\"").desired_width(240.0);
            changed = ui.add(field).labelled_by(label.id).changed();
            if !self.filter.is_empty() && ui.button("Clear filter").clicked() {
                self.filter.clear();
                changed = true;
            }
            let (shown, all) = (self.order.len() as u64, recording.n_units() as u64);
            let selected = match selection.units.len() as u64 {
                0 => String::new(),
                n => format!(", {} selected", grouped(n)),
            };
            ui.label(if shown == all {
                format!("{} unit{}{selected}", grouped(all), if all == 1 { "" } else { "s" })
            } else {
                format!("{} of {} units{selected}", grouped(shown), grouped(all))
            });
            ui.separator();
            if ui.button("Select shown").on_hover_text("Select every unit in the table (Ctrl+A)").clicked() {
                selection.units = self.order.iter().copied().collect();
            }
            if ui.add_enabled(!selection.units.is_empty(), egui::Button::new("Clear selection")).clicked() {
                selection.units.clear();
            }
            let tip = "Selected units that are shown, or all shown when none is selected";
            if ui.button("Copy as CSV").on_hover_text(tip).clicked() {
                let picked: Vec<usize> = self.order.iter().copied().filter(|u| selection.units.contains(u)).collect();
                ui.ctx().copy_text(table.csv(recording, if picked.is_empty() { &self.order } else { &picked }));
            }
        });
        if let Some(error) = &self.error {
            ui.colored_label(ui.visuals().error_fg_color, error);
        }
        changed
    }

    fn keys(&mut self, ui: &Ui, selection: &mut Selection) {
        let free = ui.memory(|m| m.focused()).is_none() && ui.rect_contains_pointer(ui.max_rect());
        if !free && !self.focused {
            return;
        }
        if ui.input_mut(|i| i.consume_key(Modifiers::COMMAND, Key::A)) {
            selection.units = self.order.iter().copied().collect();
        }
        for (key, down) in [(Key::ArrowDown, true), (Key::ArrowUp, false)] {
            // With Shift first: a pattern without modifiers also matches with it.
            let extend = ui.input_mut(|i| i.consume_key(Modifiers::SHIFT, key));
            if !extend && !ui.input_mut(|i| i.consume_key(Modifiers::NONE, key)) {
                continue;
            }
            let now = self.anchor.and_then(|unit| self.order.iter().position(|u| *u == unit));
            let next = match (now, down) {
                (None, _) => 0,
                (Some(row), true) => (row + 1).min(self.order.len().saturating_sub(1)),
                (Some(row), false) => row.saturating_sub(1),
            };
            if let Some(&unit) = self.order.get(next) {
                if !extend {
                    selection.units.clear();
                }
                selection.units.insert(unit);
                (self.anchor, self.scroll_to) = (Some(unit), Some(next));
            }
        }
    }

    fn rows(&mut self, ui: &mut Ui, recording: &Recording, table: &UnitRows, selection: &mut Selection) {
        if self.order.is_empty() {
            ui.add_space(12.0);
            ui.vertical_centered(|ui| {
                ui.label(if recording.n_units() == 0 { "The recording has no units" } else { "No unit passes the filter" })
            });
            return;
        }
        let style = RasterStyle::of(ui);
        let height = ui.text_style_height(&egui::TextStyle::Body) + 4.0;
        let mut clicked = None;
        // All rows are one stop for the Tab key; the arrow keys go from row to row.
        let list = ui.interact(ui.available_rect_before_wrap(), ui.scope_id().with("rows"), Sense::focusable_noninteractive());
        let told = format!("Unit table, {} rows; arrow keys select", self.order.len());
        list.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ListBox, true, &told));
        self.focused = list.has_focus();
        if self.focused {
            let arrows = egui::EventFilter { vertical_arrows: true, ..Default::default() };
            ui.memory_mut(|m| m.set_focus_lock_filter(list.id, arrows));
        }
        egui::ScrollArea::horizontal().auto_shrink(false).show(ui, |ui| {
            let layout = Layout::left_to_right(Align::Center);
            let mut builder =
                TableBuilder::new(ui).cell_layout(layout).striped(true).sense(Sense::CLICK).resizable(true).auto_shrink(false);
            if let Some(row) = self.scroll_to.take() {
                builder = builder.scroll_to_row(row, None);
            }
            for column in &table.columns {
                let letters = table.longest(recording, column).max(column.heading.chars().count());
                let width = (letters as f32 * 7.5 + 34.0).clamp(64.0, 200.0);
                builder = builder.column(Column::initial(width).at_least(40.0).clip(true));
            }
            builder
                .header(height + 4.0, |mut header| {
                    for (k, column) in table.columns.iter().enumerate() {
                        header.col(|ui| {
                            let heading = egui::Button::new(egui::RichText::new(&column.heading).strong()).frame(false);
                            let tip = if column.description.is_empty() {
                                format!("Sort by {}", column.name)
                            } else {
                                format!("{}\nClick to sort", column.description)
                            };
                            if ui.add(heading).on_hover_text(tip).clicked() {
                                self.sorting = self.sorting.clicked(k, column.numeric);
                            }
                            if self.sorting.column == Some(k) {
                                sort_mark(ui, self.sorting.descending);
                            }
                        });
                    }
                })
                .body(|body| {
                    body.rows(height, self.order.len(), |mut row| {
                        let Some(&unit) = self.order.get(row.index()) else { return };
                        let selected = selection.units.contains(&unit);
                        row.set_selected(selected);
                        for (k, column) in table.columns.iter().enumerate() {
                            let text = table.text(recording, unit, k);
                            row.col(|ui| cell(ui, &style, recording, unit, column.name == "area", column.numeric, text));
                        }
                        let response = row.response();
                        let name = format!("unit {}", table.text(recording, unit, 0));
                        response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Row, true, selected, &name));
                        if response.clicked() {
                            clicked = Some(unit);
                        }
                    });
                });
        });
        if self.focused {
            let stroke = ui.visuals().selection.stroke;
            ui.painter().rect_stroke(list.rect.intersect(ui.clip_rect()), 2.0, stroke, egui::StrokeKind::Inside);
        }
        if let Some(unit) = clicked {
            self.select(selection, unit, ui.input(|i| i.modifiers));
        }
    }

    fn select(&mut self, selection: &mut Selection, unit: usize, modifiers: Modifiers) {
        let place = |unit: usize| self.order.iter().position(|u| *u == unit);
        match (modifiers.shift, self.anchor.and_then(place), place(unit)) {
            (true, Some(a), Some(b)) => {
                selection.units = self.order.get(a.min(b)..=a.max(b)).unwrap_or_default().iter().copied().collect();
                return;
            }
            _ if modifiers.command => {
                if !selection.units.remove(&unit) {
                    selection.units.insert(unit);
                }
            }
            _ => {
                selection.units.clear();
                selection.units.insert(unit);
            }
        }
        self.anchor = Some(unit);
    }
}

/// A triangle beside the heading that sorts: up for smallest first.
pub(super) fn sort_mark(ui: &mut Ui, descending: bool) {
    let (rect, response) = ui.allocate_exact_size(Vec2::new(8.0, 7.0), Sense::hover());
    let (flat, tip) = if descending { (rect.top(), rect.bottom()) } else { (rect.bottom(), rect.top()) };
    let points = vec![egui::pos2(rect.left(), flat), egui::pos2(rect.right(), flat), egui::pos2(rect.center().x, tip)];
    ui.painter().add(egui::Shape::convex_polygon(points, ui.visuals().text_color(), egui::Stroke::NONE));
    let name = if descending { "sorted, largest first" } else { "sorted, smallest first" };
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, name));
}

/// One cell: areas with their colour, numbers to the right.
fn cell(ui: &mut Ui, style: &RasterStyle, recording: &Recording, unit: usize, is_area: bool, numeric: bool, text: String) {
    let label = egui::Label::new(text).selectable(false).truncate();
    if numeric {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.add(label));
        return;
    }
    if is_area {
        let (rect, _) = ui.allocate_exact_size(Vec2::splat(9.0), Sense::hover());
        ui.painter().rect_filled(rect, 2.0, style.area(recording.units.area.get(unit).copied().unwrap_or(0)));
    }
    ui.add(label);
}
