//! Groups beside the plot: collapse, select, drag to another place, row height by wheel.

use eframe::egui::{self, Key, Modifiers, PointerButton, Rect, Response, Sense, Ui, vec2};

use super::drawing::{band_name, band_rect};
use super::layout::Layout;
use super::navigation::Range;
use super::panel::Panel;
use super::{Dragged, RasterView};
use crate::render::axis::grouped;

/// What a group's menu can do.
enum Wish {
    Fold(String),
    FoldAll(bool),
    Move(usize, usize),
}

impl RasterView {
    /// Clicks, drags and menus beside the plot.
    pub(super) fn groups(&mut self, ui: &Ui, id: egui::Id, gutter: &Response, layout: &Layout, panel: &mut Panel, rows: &Range) {
        let mut wish = self.drag_group(ui, gutter, layout, panel, rows);
        if gutter.has_focus() {
            wish = self.group_keys(ui, gutter, panel).or(wish);
        }
        wish = triangles(ui, id, layout, panel, rows).or(wish);
        if let Some(at) = gutter.hover_pos().filter(|_| self.dragged.is_none()) {
            let row = layout.row(rows, at.y).max(0.0) as usize;
            if let Some(band) = panel.data.rows.band(row) {
                if gutter.clicked_by(PointerButton::Primary) {
                    if !ui.input(|i| i.modifiers.command || i.modifiers.shift) {
                        panel.selected.clear();
                    }
                    panel.selected.extend(&band.units);
                }
                let text = format!("{} · {} {}s", band_name(band), grouped(band.units.len() as u64), panel.data.row_name);
                egui::Tooltip::for_widget(gutter).at_pointer().show(|ui| ui.label(text));
            }
        }
        // Asked before the memory is locked: a response looks at the input of its own accord.
        let opened = gutter.secondary_clicked().then(|| gutter.interact_pointer_pos()).flatten();
        let opened = opened.map(|at| place_at(layout, panel, rows, at.y));
        let at = ui.memory_mut(|m| {
            let kept = m.data.get_temp_mut_or_default::<usize>(id.with("menu"));
            *kept = opened.unwrap_or(*kept);
            *kept
        });
        gutter.context_menu(|ui| wish = menu(ui, panel, at).or(wish.take()));
        match wish {
            Some(Wish::Fold(name)) => panel.data.replan(|plan| {
                if !plan.collapsed.remove(&name) {
                    plan.collapsed.insert(name);
                }
            }),
            Some(Wish::FoldAll(fold)) => {
                let names = panel.data.rows.bands.iter().map(|b| b.name.clone()).collect();
                panel.data.replan(|plan| plan.collapsed = if fold { names } else { Default::default() });
            }
            Some(Wish::Move(from, to)) => {
                let mut names: Vec<String> = panel.data.rows.bands.iter().map(|b| b.name.clone()).collect();
                if from < names.len() && to < names.len() {
                    let moved = names.remove(from);
                    names.insert(to, moved);
                    panel.data.replan(|plan| plan.arranged = names);
                }
            }
            None => {}
        }
    }

    /// With the focus beside the plot: up and down go from group to group, Enter or Space selects its units (Shift adds), left and right
    /// collapse and open it, Alt with up and down moves it.
    fn group_keys(&mut self, ui: &Ui, gutter: &Response, panel: &mut Panel) -> Option<Wish> {
        let filter = egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
        ui.memory_mut(|m| m.set_focus_lock_filter(gutter.id, filter));
        let bands = &panel.data.rows.bands;
        let last = bands.len().checked_sub(1)?;
        let here = self.group_at.min(last);
        let pressed = |modifiers, key| ui.input_mut(|i| i.consume_key(modifiers, key));
        let band = bands.get(here)?;
        for (key, to) in [(Key::ArrowUp, here.saturating_sub(1)), (Key::ArrowDown, (here + 1).min(last))] {
            if pressed(Modifiers::ALT, key) {
                self.group_at = to;
                return (to != here).then_some(Wish::Move(here, to));
            }
            if pressed(Modifiers::NONE, key) {
                self.group_at = to;
            }
        }
        let (fold, open) = (pressed(Modifiers::NONE, Key::ArrowLeft), pressed(Modifiers::NONE, Key::ArrowRight));
        if (fold && !band.collapsed) || (open && band.collapsed) {
            return Some(Wish::Fold(band.name.clone()));
        }
        if gutter.clicked() && !gutter.clicked_by(PointerButton::Primary) {
            if !ui.input(|i| i.modifiers.shift || i.modifiers.command) {
                panel.selected.clear();
            }
            panel.selected.extend(&band.units);
        }
        None
    }

    /// The group that keys act on, while they do.
    pub(super) fn focused_group(&self, gutter: &Response, groups: usize) -> Option<usize> {
        gutter.has_focus().then(|| self.group_at.min(groups.saturating_sub(1)))
    }

    fn drag_group(&mut self, ui: &Ui, gutter: &Response, layout: &Layout, panel: &Panel, rows: &Range) -> Option<Wish> {
        if gutter.drag_started_by(PointerButton::Primary) {
            let from = ui.input(|i| i.pointer.press_origin())?;
            self.dragged = Some(Dragged::Group(place_at(layout, panel, rows, from.y)));
        }
        let Some(Dragged::Group(from)) = self.dragged else { return None };
        if gutter.dragged() {
            ui.ctx().set_cursor_icon(egui::CursorIcon::Grabbing);
        }
        if !gutter.drag_stopped() {
            return None;
        }
        self.dragged = None;
        let to = place_at(layout, panel, rows, gutter.interact_pointer_pos()?.y);
        (from != to).then_some(Wish::Move(from, to))
    }
}

/// The place (from the top) of the group at a height; the nearest one outside.
fn place_at(layout: &Layout, panel: &Panel, rows: &Range, y: f32) -> usize {
    let row = layout.row(rows, y.clamp(layout.plot.top(), layout.plot.bottom() - 0.01)).max(0.0) as usize;
    let bands = &panel.data.rows.bands;
    bands.iter().position(|b| b.rows.contains(&row)).unwrap_or(bands.len().saturating_sub(1))
}

/// The triangles as buttons, so that keyboard and screen readers have them too.
fn triangles(ui: &Ui, id: egui::Id, layout: &Layout, panel: &Panel, rows: &Range) -> Option<Wish> {
    let mut wish = None;
    for band in &panel.data.rows.bands {
        let Some(rect) = band_rect(layout, rows, band).filter(|r| r.height() >= 12.0) else { continue };
        let button = Rect::from_center_size(rect.left_center() + vec2(6.0, 0.0), vec2(14.0, 14.0));
        let response = ui.interact(button, id.with(("fold", &band.name)), Sense::click());
        let verb = if band.collapsed { "Open" } else { "Collapse" };
        let name = format!("{verb} {}", band_name(band));
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
        if response.has_focus() {
            ui.painter().rect_stroke(button, 2.0, ui.visuals().selection.stroke, egui::StrokeKind::Inside);
        }
        if response.clicked() {
            wish = Some(Wish::Fold(band.name.clone()));
        }
        response.on_hover_text(if band.collapsed { "Show every row of this group" } else { "Show only the mean rate of this group" });
    }
    wish
}

fn menu(ui: &mut Ui, panel: &Panel, place: usize) -> Option<Wish> {
    let (mut wish, bands) = (None, &panel.data.rows.bands);
    let mut entry = |ui: &mut Ui, enabled: bool, text: String, then: Wish| {
        if ui.add_enabled(enabled, egui::Button::new(text)).clicked() {
            wish = Some(then);
            ui.close();
        }
    };
    let band = bands.get(place)?;
    let verb = if band.collapsed { "Open" } else { "Collapse" };
    entry(ui, true, format!("{verb} {}", band_name(band)), Wish::Fold(band.name.clone()));
    entry(ui, place > 0, format!("Move {} up", band_name(band)), Wish::Move(place, place.saturating_sub(1)));
    entry(ui, place + 1 < bands.len(), format!("Move {} down", band_name(band)), Wish::Move(place, place + 1));
    ui.separator();
    entry(ui, bands.iter().any(|b| !b.collapsed), "Collapse all".to_owned(), Wish::FoldAll(true));
    entry(ui, bands.iter().any(|b| b.collapsed), "Open all".to_owned(), Wish::FoldAll(false));
    wish
}
