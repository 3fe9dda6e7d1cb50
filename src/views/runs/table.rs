//! The table of runs: only rows in view are drawn; rows are one stop for the Tab key and the arrow keys go from row to row.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use eframe::egui::{self, Align, Align2, Key, Layout, Modifiers, RichText, Sense, Ui, Vec2, vec2};
use egui_extras::{Column as Width, TableBuilder, TableRow};

use super::detail::{Wish, menu};
use super::status_color;
use crate::app::theme;
use crate::runs::catalogue::{Cell, Column, Entry, Listing, Sorting, Status, metric};
use crate::views::units::sort_mark;
use crate::views::{Selection, ViewContext, widgets};

/// What the table keeps between frames.
#[derive(Default)]
pub struct Table {
    /// Run from which Shift extends.
    anchor: Option<PathBuf>,
    /// Row to bring into view.
    scroll_to: Option<usize>,
    /// The rows have the keyboard.
    focused: bool,
    /// Titles and helps of columns: some are looked up in the recipes of all models.
    texts: HashMap<Column, (String, String)>,
}

impl Table {
    /// True when keys are for the rows.
    pub fn has_keyboard(&self, ui: &Ui) -> bool {
        self.focused || (ui.memory(|m| m.focused()).is_none() && ui.rect_contains_pointer(ui.max_rect()))
    }

    /// Draw. Gives what was asked for a run, and a new order.
    #[expect(clippy::too_many_arguments, reason = "the rows, how they are shown, and what they may change")]
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        listing: &Listing,
        order: &[usize],
        live: Option<&Entry>,
        columns: &[Column],
        sorting: &Sorting,
        context: &mut ViewContext<'_>,
    ) -> (Option<(Wish, PathBuf)>, Option<Sorting>) {
        let entry = |row: usize| match (live, row) {
            (Some(live), 0) => Some(live),
            (Some(_), row) => order.get(row - 1).and_then(|at| listing.entries.get(*at)).map(|e| &**e),
            (None, row) => order.get(row).and_then(|at| listing.entries.get(*at)).map(|e| &**e),
        };
        let rows = order.len() + usize::from(live.is_some());
        for column in columns {
            self.texts.entry(column.clone()).or_insert_with(|| (column.title(), column.help()));
        }
        self.keys(ui, rows, &entry, context.selection);
        let list = ui.interact(ui.available_rect_before_wrap(), ui.scope_id().with("rows"), Sense::focusable_noninteractive());
        let told = format!("Runs, {rows} rows; arrow keys select, Enter shows, F2 renames, Delete moves to the trash");
        list.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ListBox, true, &told));
        self.focused = list.has_focus();
        if self.focused {
            let arrows = egui::EventFilter { vertical_arrows: true, ..Default::default() };
            ui.memory_mut(|m| m.set_focus_lock_filter(list.id, arrows));
        }
        // Looking each row up in a list of thousands that are selected would be felt.
        let chosen: HashSet<PathBuf> = context.selection.runs.iter().cloned().collect();
        let height = ui.text_style_height(&egui::TextStyle::Body) + 6.0;
        let (mut wish, mut clicked, mut resorted) = (None, None, None);
        egui::ScrollArea::horizontal().auto_shrink(false).show(ui, |ui| {
            let layout = Layout::left_to_right(Align::Center);
            let mut builder =
                TableBuilder::new(ui).cell_layout(layout).striped(true).sense(Sense::CLICK).resizable(true).auto_shrink(false);
            builder = builder.min_scrolled_height(40.0);
            if let Some(row) = self.scroll_to.take() {
                builder = builder.scroll_to_row(row, None);
            }
            // A table with other columns has other widths.
            builder = builder.id_salt(columns);
            for column in columns {
                let title = self.texts.get(column).map_or(0, |(title, _)| title.chars().count());
                builder = builder.column(Width::initial(width(column, title)).at_least(44.0).clip(true));
            }
            builder
                .header(height + 3.0, |mut header| {
                    for column in columns {
                        header.col(|ui| {
                            let (title, help) = self.texts.get(column).map_or(("", ""), |(title, help)| (title, help));
                            if heading(ui, title, help, is_number(column), (sorting.column == *column).then_some(sorting.descending)) {
                                resorted = Some(sorting.clicked(column));
                            }
                        });
                    }
                })
                .body(|body| {
                    body.rows(height, rows, |mut row| {
                        let Some(entry) = entry(row.index()) else { return };
                        let selected = chosen.contains(&entry.folder);
                        row.set_selected(selected);
                        cells(&mut row, entry, columns, context.runs.kept == Some(&*entry.folder));
                        let response = row.response();
                        let name = format!("run {}, {}", entry.name(), entry.status.word());
                        response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Row, true, selected, &name));
                        if response.clicked() && entry.status != Status::Running {
                            clicked = Some(row.index());
                        }
                        if response.double_clicked() {
                            wish = Some((Wish::Show, entry.folder.clone()));
                        }
                        let count = if selected { chosen.len() } else { 1 };
                        response.context_menu(|ui| {
                            if let Some(asked) = menu(ui, entry, count) {
                                wish = Some((asked, entry.folder.clone()));
                            }
                        });
                    });
                });
        });
        if self.focused {
            let stroke = ui.visuals().selection.stroke;
            ui.painter().rect_stroke(list.rect.intersect(ui.clip_rect()), 2.0, stroke, egui::StrokeKind::Inside);
        }
        if let Some(row) = clicked {
            let modifiers = ui.input(|i| i.modifiers);
            self.select(row, rows, &entry, context.selection, modifiers);
        }
        (wish, resorted)
    }

    fn keys<'a>(&mut self, ui: &Ui, rows: usize, entry: &impl Fn(usize) -> Option<&'a Entry>, selection: &mut Selection) {
        if !self.has_keyboard(ui) {
            return;
        }
        for (key, down) in [(Key::ArrowDown, true), (Key::ArrowUp, false)] {
            // With Shift first: a pattern without modifiers also matches with it.
            let extend = ui.input_mut(|i| i.consume_key(Modifiers::SHIFT, key));
            if !extend && !ui.input_mut(|i| i.consume_key(Modifiers::NONE, key)) {
                continue;
            }
            let last = selection.runs.last();
            let now = last.and_then(|last| (0..rows).find(|row| entry(*row).is_some_and(|e| e.folder == *last)));
            let next = match (now, down) {
                (None, _) => 0,
                (Some(row), true) => (row + 1).min(rows.saturating_sub(1)),
                (Some(row), false) => row.saturating_sub(1),
            };
            let Some(entry) = entry(next) else { continue };
            if !extend {
                selection.runs.clear();
                self.anchor = Some(entry.folder.clone());
            }
            selection.runs.retain(|run| *run != entry.folder);
            selection.runs.push(entry.folder.clone());
            self.scroll_to = Some(next);
        }
    }

    fn select<'a>(
        &mut self,
        row: usize,
        rows: usize,
        entry: &impl Fn(usize) -> Option<&'a Entry>,
        selection: &mut Selection,
        modifiers: Modifiers,
    ) {
        let Some(chosen) = entry(row).map(|e| e.folder.clone()) else { return };
        let anchor = self.anchor.as_ref().and_then(|anchor| (0..rows).find(|row| entry(*row).is_some_and(|e| e.folder == *anchor)));
        match anchor {
            Some(anchor) if modifiers.shift => {
                selection.runs = (anchor.min(row)..=anchor.max(row)).filter_map(entry).map(|e| e.folder.clone()).collect();
                return;
            }
            _ if modifiers.command => {
                let before = selection.runs.len();
                selection.runs.retain(|run| *run != chosen);
                if selection.runs.len() == before {
                    selection.runs.push(chosen.clone());
                }
            }
            _ => selection.runs = vec![chosen.clone()],
        }
        self.anchor = Some(chosen);
    }
}

fn is_number(column: &Column) -> bool {
    matches!(column, Column::Duration | Column::Steps | Column::Metric(_))
}

fn width(column: &Column, title: usize) -> f32 {
    match column {
        Column::Name => 190.0,
        Column::Status => 92.0,
        Column::Model => 118.0,
        Column::Recording => 120.0,
        Column::Started | Column::Ended => 122.0,
        Column::Duration => 92.0,
        Column::Device => 120.0,
        Column::Note => 170.0,
        Column::Folder => 280.0,
        Column::Steps | Column::Metric(_) | Column::Setting(_) => (title as f32 * 7.2 + 30.0).clamp(74.0, 170.0),
    }
}

/// A heading that sorts. True when clicked.
fn heading(ui: &mut Ui, title: &str, help: &str, right: bool, sorted: Option<bool>) -> bool {
    let draw = |ui: &mut Ui| {
        let button = egui::Button::new(RichText::new(title).strong()).frame(false).truncate();
        let mut clicked = false;
        if let (true, Some(descending)) = (right, sorted) {
            sort_mark(ui, descending);
        }
        clicked |= ui.add(button).on_hover_text(format!("{help}\nClick to sort")).clicked();
        if let (false, Some(descending)) = (right, sorted) {
            sort_mark(ui, descending);
        }
        clicked
    };
    match right {
        true => ui.with_layout(Layout::right_to_left(Align::Center), draw).inner,
        false => draw(ui),
    }
}

fn cells(row: &mut TableRow<'_, '_>, entry: &Entry, columns: &[Column], kept: bool) {
    for column in columns {
        let cell = column.cell(entry);
        row.col(|ui| {
            let tokens = theme::of(ui);
            let weak = matches!(entry.status, Status::Foreign | Status::Unreadable);
            let color = if weak { tokens.weak } else { tokens.text };
            let label = |text: String| egui::Label::new(RichText::new(text).color(color)).selectable(false).truncate();
            match column {
                Column::Name => {
                    if entry.mark.pinned {
                        pin(ui, tokens.accent);
                    }
                    let text = RichText::new(entry.name()).color(color);
                    let text = if kept { text.strong() } else { text };
                    ui.add(egui::Label::new(text).selectable(false).truncate());
                }
                Column::Status => {
                    let (rect, _) = ui.allocate_exact_size(Vec2::splat(9.0), Sense::hover());
                    ui.painter().circle_filled(rect.center(), 4.0, status_color(entry.status, tokens));
                    let shown = ui.add(label(entry.status.word().to_owned()));
                    if let Some(why) = entry.problem.as_ref().or(entry.facts.message.as_ref()) {
                        shown.on_hover_text(why);
                    }
                }
                _ => {
                    let text = text(column, &cell);
                    match cell {
                        Cell::Number(_) => {
                            ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.add(label(text)));
                        }
                        Cell::Missing if is_number(column) => {
                            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                                ui.add(egui::Label::new(RichText::new(text).color(tokens.weak)).selectable(false))
                            });
                        }
                        Cell::Missing | Cell::Text(_) => {
                            ui.add(label(text));
                        }
                    }
                }
            }
        });
    }
}

/// A drawing pin: a head and a needle.
fn pin(ui: &mut Ui, color: egui::Color32) {
    let (rect, response) = ui.allocate_exact_size(vec2(8.0, 12.0), Sense::hover());
    let head = Align2::CENTER_TOP.align_size_within_rect(Vec2::splat(7.0), rect.shrink2(vec2(0.0, 0.5)));
    ui.painter().circle_filled(head.center(), 3.2, color);
    ui.painter().vline(rect.center().x, head.bottom()..=rect.bottom(), egui::Stroke::new(1.2, color));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, "pinned"));
}

/// A value as people read it.
pub fn text(column: &Column, cell: &Cell) -> String {
    match (column, cell) {
        (Column::Note | Column::Device, Cell::Missing) => String::new(),
        (_, Cell::Missing) => "–".to_owned(),
        (Column::Duration, Cell::Number(seconds)) => widgets::duration(*seconds),
        (Column::Steps, Cell::Number(steps)) => widgets::count(*steps as usize),
        (Column::Metric(name), Cell::Number(value)) => {
            widgets::number(*value, if metric(name).is_some_and(|m| m.key.ends_with("_loss")) { 5 } else { 4 })
        }
        (_, Cell::Number(value)) => widgets::number(*value, 4),
        (Column::Started | Column::Ended, Cell::Text(time)) => time.get(..16).unwrap_or(time).replace('T', " "),
        (Column::Note, Cell::Text(text)) => text.lines().next().unwrap_or_default().to_owned(),
        (_, Cell::Text(text)) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_people_write_them() {
        assert_eq!(text(&Column::Duration, &Cell::Number(200.0)), "3 min 20 s");
        assert_eq!(text(&Column::Ended, &Cell::Text("2026-11-21T10:02:33Z".into())), "2026-11-21 10:02");
        assert_eq!(text(&Column::Metric("test_loss".into()), &Cell::Number(0.123_456)), "0.12346");
        assert_eq!(text(&Column::Metric("co_bps".into()), &Cell::Missing), "–");
        assert_eq!(text(&Column::Note, &Cell::Text("two\nlines".into())), "two");
        assert_eq!(text(&Column::Setting("model.rate".into()), &Cell::Number(0.001)), "0.001");
        assert_eq!(text(&Column::Ended, &Cell::Text("é".repeat(9))), "é".repeat(8), "cut between letters or not at all");
    }
}
