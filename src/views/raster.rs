//! The raster: every spike of every unit, grouped by area; ticks when zoomed in, exact counts per pixel when zoomed out.

mod data;
mod drawing;
pub mod events;
mod input;
pub mod navigation;
mod picture;
mod toolbar;
mod words;

use std::sync::Arc;

use eframe::egui::{self, PointerButton, Pos2, Rect, Response, Sense, Stroke, StrokeKind, Ui};

use super::{Action, Events, Selection, View, ViewContext};
use crate::render::axis::{duration_text, grouped, time_text};
use crate::render::{Colouring, RasterStyle, RowOrder, SpikeIndex, Trouble, nearest_spike};
use data::RasterData;
use drawing::{Layout, Pen, PopulationRate};
use input::{fit, go_to, to_event};
use navigation::Range;
use picture::{Drawn, Shown, Wanted};
use toolbar::{Asked, Toolbar};
use words::{mark_note, summary};

/// Spikes within this many points of the pointer are named.
const REACH: f32 = 7.0;

/// The raster view. The time window, the cursor and the selected units are those of the whole window.
#[derive(Default)]
pub struct RasterView {
    data: Option<RasterData>,
    order: RowOrder,
    toolbar: Toolbar,
    /// Visible rows; `None` = all.
    rows: Option<(f64, f64)>,
    /// Corner where a zoom box began.
    box_from: Option<Pos2>,
    /// Unit from which Shift-click extends.
    anchor: Option<usize>,
    shown: Shown,
    trouble: Trouble,
}

impl View for RasterView {
    fn title(&self) -> &'static str {
        "Raster"
    }

    fn help(&self) -> &'static str {
        "Every spike of every unit, one row per unit, grouped and coloured by area; zoomed out, colour shows how many spikes share \
         a pixel, and the line below says how many that is at most. \
         Wheel zooms at the pointer, drag pans, Shift-drag or right-drag zooms into a box, double-click or R shows all, arrows step a \
         quarter window (Shift a whole one, Alt a little), Home and End go to the ends, G goes to a time, comma and full stop to the \
         previous and next event, Space scrolls. \
         Click a row to select its unit in all views (Ctrl adds, Shift extends), click an area's name to select the area."
    }

    fn ordering(&self) -> serde_json::Value {
        self.order.label().into()
    }

    fn restore_ordering(&mut self, ordering: &serde_json::Value) {
        let Some(data) = &mut self.data else { return };
        if let Some(order) = data.orders.iter().find(|o| Some(o.label().as_str()) == ordering.as_str()).cloned() {
            self.order = order.clone();
            data.sort(order);
        }
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(recording) = context.recording else {
            self.data = None;
            return nothing_open(ui, context);
        };
        if !self.data.as_ref().is_some_and(|d| Arc::ptr_eq(&d.recording, recording)) {
            self.data = Some(RasterData::new(recording, &self.order, ui.ctx()));
            (self.shown, self.rows, self.anchor, self.box_from) = (Shown::default(), None, None, None);
        }
        let Some(mut data) = self.data.take() else { return };
        self.draw(ui, context, &mut data);
        self.data = Some(data);
    }
}

fn nothing_open(ui: &mut Ui, context: &mut ViewContext<'_>) {
    ui.vertical_centered(|ui| {
        ui.add_space(ui.available_height() * 0.3);
        ui.heading("No recording is open");
        ui.label("Open a recording to see its spikes");
        ui.add_space(8.0);
        if ui.button("Open a recording…").clicked() {
            context.actions.push(Action::OpenDialog);
        }
        if ui.button("Try the demo").clicked() {
            context.actions.push(Action::OpenDemo);
        }
    });
}

impl RasterView {
    /// Colour density by area (as a fresh view does) or by count.
    pub fn with_colouring(mut self, colouring: Colouring) -> Self {
        self.toolbar.colouring = colouring;
        self
    }

    fn draw(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>, data: &mut RasterData) {
        let id = ui.scope_id().with("raster plot");
        let mut time = Range::time(context.selection.window, data.bounds);
        let mut rows = Range::rows(self.rows, data.rows.len());
        self.follow(context.selection, data);
        // Keys first: a focused widget would otherwise take Space and arrows.
        self.keys(ui, id, data, context.selection, &mut time, &mut rows);
        let asked = self.toolbar.ui(ui, data, id);
        self.obey(asked, data, context.selection, &mut time, &mut rows);
        (context.selection.playback.playing, context.selection.playback.speed) = (self.toolbar.playing, self.toolbar.speed);
        ui.add_space(2.0);
        if data.recording.spikes.n_spikes() == 0 {
            ui.centered_and_justified(|ui| ui.label(format!("{} has no spikes to draw", data.recording.name)));
            return;
        }
        match data.index() {
            Err(message) => {
                ui.colored_label(ui.visuals().error_fg_color, message);
            }
            Ok(None) => {
                ui.horizontal(|ui| {
                    ui.spinner();
                    ui.label(format!("Sorting {} spikes by time…", grouped(data.recording.spikes.n_spikes() as u64)));
                });
            }
            Ok(Some(index)) => {
                context.selection.window = time.shown();
                context.selection.advance(ui.ctx(), data.bounds);
                time = Range::time(context.selection.window, data.bounds);
                self.plot(ui, id, context, data, &index, &mut time, &mut rows);
            }
        }
        self.rows = rows.shown();
        if context.selection.window != time.shown() {
            context.selection.window = time.shown();
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one frame's state, taken apart so that it can be borrowed separately")]
    fn plot(
        &mut self,
        ui: &mut Ui,
        id: egui::Id,
        context: &mut ViewContext<'_>,
        data: &RasterData,
        index: &Arc<SpikeIndex>,
        time: &mut Range,
        rows: &mut Range,
    ) {
        let style = RasterStyle::of(ui);
        let (whole, _) = ui.allocate_exact_size(ui.available_size(), Sense::hover());
        let painter = ui.painter_at(whole);
        let pen = Pen::new(ui, &painter, &style);
        let Some(layout) = Layout::new(&pen, whole, data, rows) else {
            painter.text(whole.center(), egui::Align2::CENTER_CENTER, "make this view larger", pen.small.clone(), style.weak);
            return;
        };
        let response = ui.interact(layout.plot, id, Sense::click_and_drag());
        let gutter = ui.interact(layout.gutter, id.with("areas"), Sense::click());
        ui.memory_mut(|m| m.set_focus_lock_filter(id, egui::EventFilter { horizontal_arrows: true, ..Default::default() }));
        self.mouse(ui, &response, &gutter, &layout, time, rows);

        let wanted = Wanted {
            key: id.value(),
            index,
            data,
            time: *time,
            rows: *rows,
            rect: layout.plot,
            pixels_per_point: ui.pixels_per_point(),
            style: &style,
            colouring: self.toolbar.colouring,
            selected: &context.selection.units,
            trouble: &self.trouble,
        };
        let drawn = self.shown.draw(&wanted);
        let spans = context.selection.trial_spans(&data.recording, context.run);
        drawing::backdrop(&pen, &layout, data, time, rows, context.selection.units.iter().copied(), &spans);
        painter.add(drawn.shape.clone());
        drawing::gutter(&pen, &layout, data, rows);
        let crowded = drawing::overlay(&pen, &layout, data, time, rows, context.selection.cursor);
        drawing::time_axis(&pen, &layout, time);
        if let Some(strip) = layout.strip {
            let rate = PopulationRate::new(index, time, strip.width());
            drawing::population(&pen, &layout, strip, time, &rate);
            population_tip(ui, id, &layout, strip, time, &rate);
        }
        if let (Some(from), Some(to)) = (self.box_from, response.interact_pointer_pos()) {
            let rect = Rect::from_two_pos(from, to).intersect(layout.plot);
            painter.rect_filled(rect, 0.0, style.accent.gamma_multiply(0.15));
            painter.rect_stroke(rect, 0.0, Stroke::new(1.0, style.accent), StrokeKind::Inside);
        }
        let mut note = mark_note(&drawn, data);
        note.extend(crowded);
        note.extend(context.selection.cursor.map(|c| format!("cursor at {}", time_text(c, 1e-4))));
        if let Some(trouble) = self.trouble.load_full() {
            painter.rect_filled(layout.plot, 0.0, style.paper);
            let text =
                painter.layout(format!("Spikes cannot be drawn: {trouble}"), pen.small.clone(), style.text, layout.plot.width() - 40.0);
            painter.galley(layout.plot.center() - text.size() / 2.0, text, style.text);
            note.push(format!("spikes cannot be drawn: {trouble}"));
        }
        let most = (self.toolbar.colouring == Colouring::Count && drawn.grid.max > 0).then_some(drawn.grid.max);
        drawing::notes(&pen, &layout, &note.join("  ·  "), most);
        if response.has_focus() {
            painter.rect_stroke(layout.plot, 0.0, Stroke::new(1.5, style.accent), StrokeKind::Outside);
        }
        let summary = summary(data, time, rows, &note);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &summary));
        gutter.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, "Areas of the raster's rows"));
        self.point(ui, &response, &gutter, &layout, data, &drawn, context.selection, time, rows);
    }

    /// Requests of the toolbar.
    fn obey(&mut self, asked: Asked, data: &mut RasterData, selection: &mut Selection, time: &mut Range, rows: &mut Range) {
        if let Some(order) = asked.order {
            self.order = order.clone();
            data.sort(order);
        }
        if let Some(events) = asked.events {
            selection.events = events.map_or(Events::Hidden, Events::Column);
        }
        if let Some(seconds) = asked.go_to {
            go_to(selection, time, seconds);
        }
        if let Some(forward) = asked.event {
            to_event(data, selection, time, forward);
        }
        if asked.fit {
            fit(time, rows);
        }
    }

    /// Take over what other views and the timeline chose: events, playing and its speed.
    fn follow(&mut self, selection: &Selection, data: &mut RasterData) {
        (self.toolbar.playing, self.toolbar.speed) = (selection.playback.playing, selection.playback.speed);
        let events = selection.events.column(&data.recording).filter(|e| data.event_columns.contains(e));
        if events != data.events {
            data.mark(events);
        }
    }

    /// Clicks select, hovering tells.
    #[expect(clippy::too_many_arguments, reason = "one frame's state, taken apart so that it can be borrowed separately")]
    fn point(
        &mut self,
        ui: &Ui,
        response: &Response,
        gutter: &Response,
        layout: &Layout,
        data: &RasterData,
        drawn: &Drawn,
        selection: &mut Selection,
        time: &Range,
        rows: &Range,
    ) {
        if response.clicked_by(PointerButton::Primary) {
            response.request_focus();
        }
        let modifiers = ui.input(|i| i.modifiers);
        let area = gutter.hover_pos().and_then(|at| drawing::area_at(data, layout.row(rows, at.y)));
        if let Some((area, text)) = area {
            if gutter.clicked() {
                selection.choose_area(&data.recording, area, modifiers.command);
            }
            egui::Tooltip::for_widget(gutter).at_pointer().show(|ui| ui.label(text));
        }
        let Some(at) = response.hover_pos() else { return };
        let seconds = layout.seconds(time, at.x);
        let Some((unit, name)) = drawing::unit_at(data, layout.row(rows, at.y)) else { return };
        if response.clicked_by(PointerButton::Primary) && !response.double_clicked() {
            selection.cursor = Some(seconds);
            self.select(selection, data, unit, modifiers);
        }
        if response.dragged() {
            return;
        }
        let within = f64::from(REACH / layout.plot.width()) * time.width();
        let train = data.recording.spikes.unit(unit);
        let spike = nearest_spike(train, seconds, within).and_then(|k| train.get(k));
        let pixels = ui.pixels_per_point();
        let column = ((at.x - layout.plot.left()) * pixels).max(0.0) as usize;
        let slot = drawn.slots.of_unit.get(unit).map_or(usize::MAX, |s| *s as usize);
        let here = drawn.grid.at(column, slot);
        egui::Tooltip::for_widget(response).at_pointer().show(|ui| {
            ui.strong(name);
            match spike {
                Some(spike) => ui.label(format!("spike at {}", time_text(*spike, 1e-4))),
                None => ui.label(format!("no spike here, {}", time_text(seconds, within / 10.0))),
            };
            if data.gaps.iter().any(|(a, b)| seconds >= *a && seconds < *b) {
                ui.label("not observed");
            }
            if here > 1 {
                let whose =
                    if drawn.slots.units_per_slot > 1 { format!(" of up to {} units", drawn.slots.units_per_slot) } else { String::new() };
                ui.label(format!("{} spikes{whose} in this pixel ({})", grouped(u64::from(here)), duration_text(drawn.grid.column_s())));
            }
        });
    }
}

fn population_tip(ui: &Ui, id: egui::Id, layout: &Layout, strip: Rect, time: &Range, rate: &PopulationRate) {
    let response = ui.interact(strip, id.with("rate"), Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, "Population rate: spikes of all units per second"));
    let bin = response.hover_pos().and_then(|at| rate.bin(layout.seconds(time, at.x)));
    if let Some((bin, hz)) = bin.and_then(|b| Some((b, rate.rate(b)?))) {
        egui::Tooltip::for_widget(&response).at_pointer().show(|ui| {
            ui.label(format!("all units: {}", drawing::rate_text(hz)));
            ui.label(format!("{} from {}", duration_text(rate.bin_s), time_text(rate.start + bin as f64 * rate.bin_s, rate.bin_s / 2.0)));
        });
    }
}
