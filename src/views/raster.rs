//! The raster: every spike of every unit, grouped by area; ticks when zoomed in, exact counts per pixel when zoomed out. The same
//! raster shows trials around an event instead of units through the recording.

mod colour;
mod data;
mod drawing;
pub mod events;
mod groups;
mod hover;
mod input;
mod lanes;
mod layout;
mod marks;
pub mod navigation;
mod ordering;
mod panel;
mod picture;
mod rates;
mod similarity;
mod toolbar;
mod trial_marks;
mod trials;
mod words;

use std::sync::Arc;

use eframe::egui::{self, Color32, Pos2, Rect, Sense, Stroke, StrokeKind, Ui};

use super::work::Background;
use super::{Events, Selection, View, ViewContext};
use crate::recording::Recording;
use crate::render::axis::time_text;
use crate::render::{RasterStyle, RowOrder, Trouble};
use colour::RowColour;
use drawing::MeanRate;
use input::fit;
use layout::{Layout, Pen};
use navigation::Range;
use panel::Panel;
use picture::Wanted;
use rates::InferredRates;
use toolbar::{Asked, Choices, toolbar};
use trial_marks::TrialEvents;
use trials::{TrialRows, TrialWish};
use words::{mark_note, summary};

/// Trials of a recording: which one (its address), and what was wished.
type TrialKey = (usize, TrialWish);

/// The raster view. The time window, the cursor and the selected units are those of the whole window.
#[derive(Default)]
pub struct RasterView {
    /// Units through the recording.
    units: Option<Panel>,
    /// Trials around an event, when chosen.
    trials: Option<TrialWish>,
    cut: Background<TrialKey, Result<Arc<TrialRows>, String>>,
    trial_panel: Option<(Arc<TrialRows>, Panel)>,
    order: RowOrder,
    colour: RowColour,
    /// The other events of trials that are marked.
    trial_events: TrialEvents,
    rates: InferredRates,
    /// Group (from the top) that keys act on while the names beside the plot have the focus.
    group_at: usize,
    dragged: Option<Dragged>,
    trouble: Trouble,
    /// Size of the plot when the graphics device refused: another size may do.
    refused: Option<Rect>,
}

/// What a drag that is not a pan will do.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Dragged {
    /// Zoom into the box that began here.
    Zoom(Pos2),
    /// Select the rows of the box that began here.
    Select(Pos2),
    /// Move a group (its place from the top).
    Group(usize),
}

impl View for RasterView {
    fn title(&self) -> &'static str {
        "Raster"
    }

    fn help(&self) -> &'static str {
        "Every spike of every unit, one row per unit, grouped and coloured by area, or one row per trial around an event; zoomed out, \
         colour shows how many spikes share a mark, and the line below says how many that is at most and how much time a pixel is. \
         Wheel zooms at the pointer (beside the plot: row height), drag pans, Shift-drag or right-drag zooms into a box, Ctrl-drag \
         selects the rows of a box, double-click or R shows all, arrows step a quarter window (Shift a whole one, Alt a little), Home \
         and End go to the ends, comma and full stop to the previous and next event, Space scrolls, up and down go from row to row, \
         plus and minus change the height of rows, Page up and Page down scroll them. \
         Click a row to select its unit in all views (Shift adds, Ctrl adds or removes); beside the plot, click a group's name to \
         select it, its triangle to see only its mean rate, and drag it to another place (with the keyboard: up, down, Enter, left, right, Alt+up, Alt+down)."
    }

    fn ordering(&self) -> serde_json::Value {
        self.arranged()
    }

    fn restore_ordering(&mut self, ordering: &serde_json::Value) {
        self.rearrange(ordering);
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(recording) = context.recording else {
            (self.units, self.trial_panel) = (None, None);
            return super::nothing_open(ui, context, "Open a recording to see its spikes.");
        };
        if !self.units.as_ref().is_some_and(|p| Arc::ptr_eq(&p.data.recording, recording)) {
            self.units = Some(Panel::new(recording, &self.order, &self.colour));
            (self.trials, self.trial_panel, self.dragged) = (None, None, None);
        }
        let Some(mut units) = self.units.take() else { return };
        let events = Self::follow(ui, context.selection, &mut units);
        units.take_from(context.selection);
        match self.trials.is_some() {
            false => {
                self.draw(ui, context, &mut units, None);
                units.give_to(context.selection);
                if units.data.events != events {
                    context.selection.events = units.data.events.clone().map_or(Events::Hidden, Events::Column);
                }
            }
            true => self.draw_trials(ui, context, &mut units),
        }
        self.units = Some(units);
    }
}

impl RasterView {
    /// Colour marks by their count from the start (a fresh view colours rows by area).
    pub fn coloured_by_count(mut self) -> Self {
        self.colour = RowColour::Count;
        self
    }

    /// Trials of the selected units; until they are cut, those from before or a note.
    fn draw_trials(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>, units: &mut Panel) {
        let recording = Arc::clone(&units.data.recording);
        if let Some(wish) = self.trials.take() {
            self.trials = Some(wish.with_units(&recording, &context.selection.units));
        }
        let Some(wish) = self.trials.clone() else { return };
        let (theirs, wished) = (Arc::clone(&recording), wish.clone());
        let key = (Arc::as_ptr(&recording) as usize, wish);
        let work = move || TrialRows::cut(&theirs, &wished).map(Arc::new);
        let known = self.cut.get(ui.ctx(), "trials", &key, work).cloned();
        match known {
            Some(Ok(ref rows)) if !self.trial_panel.as_ref().is_some_and(|(kept, _)| Arc::ptr_eq(kept, rows)) => {
                let before = self.trial_panel.take().map(|(_, panel)| panel);
                self.trial_panel = Some((Arc::clone(rows), Panel::of_trials(rows, &key.1, before, &self.colour)));
            }
            Some(Err(_)) => self.trial_panel = None,
            _ => {}
        }
        match self.trial_panel.take() {
            Some((rows, mut panel)) => {
                self.draw(ui, context, &mut panel, Some(&rows));
                self.trial_panel = Some((rows, panel));
            }
            None => {
                // Only the controls: another event may do.
                self.controls(ui, context, units, &recording, None);
                match known {
                    Some(Err(message)) => drop(ui.colored_label(ui.visuals().error_fg_color, message)),
                    _ => drop(ui.horizontal(|ui| (ui.spinner(), ui.label("Cutting trials…")))),
                }
            }
        }
    }

    fn controls(
        &mut self,
        ui: &mut Ui,
        context: &mut ViewContext<'_>,
        panel: &mut Panel,
        recording: &Arc<Recording>,
        trials: Option<&TrialRows>,
    ) -> Asked {
        let first = match &self.trials {
            Some(wish) => Some(wish.clone()),
            None => TrialWish::first(recording, &context.selection.units),
        };
        let knows_rates = rates::offered(context.run, recording).is_some();
        let choices = Choices {
            trials: &mut self.trials,
            first_trials: first,
            events: trials.map(|trials| (trials, &mut self.trial_events)),
            rates: knows_rates.then_some(&mut self.rates.on),
            recording,
            rows_in_view: Range::rows(panel.rows, panel.data.rows.len()).width(),
        };
        toolbar(ui, &mut panel.data, choices)
    }

    fn draw(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>, panel: &mut Panel, trials: Option<&Arc<TrialRows>>) {
        let id = plot_id(ui);
        panel.data.poll(ui.ctx());
        let mut time = Range::time(panel.window, panel.data.bounds);
        let mut rows = Range::rows(panel.rows, panel.data.rows.len());
        // Keys first: a focused widget would otherwise take Space and arrows.
        self.keys(ui, panel, &mut context.selection.playback, &mut time, &mut rows);
        let recording = context.recording.map_or_else(|| Arc::clone(&panel.data.recording), Arc::clone);
        let asked = self.controls(ui, context, panel, &recording, trials.map(Arc::as_ref));
        rows = Range::rows(rows.shown(), panel.data.rows.len());
        obey(&asked, &mut time, &mut rows);
        if let Some(unit) = Self::row_keys(ui, panel, &mut rows)
            && let Some(&(_, row, event)) = trials.and_then(|t| t.rows.get(unit))
        {
            hover::choose_trial(context, panel, row, event);
        }
        panel.data.learning(ui);
        if trials.is_none() {
            (self.order, self.colour) = (panel.data.plan.order.clone(), panel.data.colour.clone());
        }
        ui.add_space(2.0);
        if panel.data.recording.spikes.n_spikes() == 0 && trials.is_none() {
            ui.centered_and_justified(|ui| ui.label(format!("{} has no spikes to draw", panel.data.recording.name)));
            return;
        }
        self.plot(ui, id, context, panel, trials, &mut time, &mut rows);
        panel.rows = rows.shown();
        panel.window = time.shown();
    }

    #[expect(clippy::too_many_arguments, reason = "one frame's state, taken apart so that it can be borrowed separately")]
    fn plot(
        &mut self,
        ui: &mut Ui,
        id: egui::Id,
        context: &mut ViewContext<'_>,
        panel: &mut Panel,
        trials: Option<&Arc<TrialRows>>,
        time: &mut Range,
        rows: &mut Range,
    ) {
        let style = RasterStyle::of(ui);
        let (whole, _) = ui.allocate_exact_size(ui.available_size(), Sense::hover());
        let painter = ui.painter_at(whole);
        let pen = Pen::new(ui, &painter, &style);
        let Some(layout) = Layout::new(&pen, whole, &panel.data, rows) else {
            painter.text(whole.center(), egui::Align2::CENTER_CENTER, "make this view larger", pen.small.clone(), style.weak);
            return;
        };
        let response = ui.interact(layout.plot, id, Sense::click_and_drag());
        let gutter = ui.interact(layout.gutter, id.with("areas"), Sense::click_and_drag());
        let arrows = egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
        ui.memory_mut(|m| m.set_focus_lock_filter(id, arrows));
        self.mouse(ui, &response, &gutter, &layout, panel, time, rows);
        self.groups(ui, id, &gutter, &layout, panel, rows);

        let drawn = panel.shown.draw(&Wanted {
            key: id.value() ^ u64::from(trials.is_some()),
            data: &panel.data,
            time: *time,
            rows: *rows,
            rect: layout.plot,
            ctx: ui.ctx(),
            style: &style,
            selected: &panel.selected,
            trouble: &self.trouble,
        });
        let data = &panel.data;
        let mut note = mark_note(&drawn, data);
        let spans = if trials.is_none() { context.selection.trial_spans(&data.recording, context.run) } else { Vec::new() };
        drawing::backdrop(&pen, &layout, data, time, rows, panel.selected.iter().copied(), &spans);
        if let Some(trials) = trials {
            trial_marks::gaps(&pen, &layout, data, trials, time, rows);
        }
        let recording = context.recording.unwrap_or(&data.recording);
        if let Some(rates) = rates::offered(context.run, recording).filter(|_| self.rates.on) {
            *context.looks_at_run = true;
            let view = (&*time, &*rows);
            note.push(match trials {
                None => self.rates.draw(ui, &layout, &rates, &data.rows, view, &style),
                Some(trials) => self.rates.draw_trials(ui, &layout, &rates, trials, &data.rows, view, &style),
            });
        }
        painter.add(drawn.shape.clone());
        let dragged = if let Some(Dragged::Group(place)) = self.dragged { Some(place) } else { None };
        drawing::gutter(&pen, &layout, data, rows, dragged.or(self.focused_group(&gutter, data.rows.bands.len())));
        drawing::folded(&pen, &layout, data, &drawn, time, rows);
        if let Some(trials) = trials {
            trial_marks::events(&pen, &layout, data, trials, &self.trial_events, (time, rows));
        }
        note.extend(drawing::overlay(&pen, &layout, data, time, rows, panel.cursor));
        let event = trials.and(data.events.as_ref()).map(|e| e.column.as_str());
        drawing::time_axis(&pen, &layout, time, event);
        if let Some(strip) = layout.strip {
            let rate = MeanRate::of_all(&drawn, data);
            drawing::population(&pen, &layout, data, strip, time, &rate);
            hover::population(ui, id, &layout, strip, time, &rate);
        }
        if let (Some(rect), Some(marks)) = (layout.marks, &data.marks) {
            note.extend(marks::draw(&pen, &layout, rect, marks, time));
            hover::marks(ui, id, &layout, rect, marks, time);
        }
        if let (Some(rect), Some(trials)) = (layout.marks, trials) {
            note.extend(trial_marks::legend(&pen, rect, trials, &self.trial_events, time));
        }
        panel.data.lanes.draw(ui, &pen, &layout, &panel.data.recording, time);
        let data = &panel.data;
        self.drag_box(&painter, &response, &layout, style.accent);
        note.extend(panel.cursor.map(|c| format!("cursor at {}", time_text(c, 1e-4))));
        note.extend(trials.iter().flat_map(|t| t.notes.iter().cloned()));
        note.extend(self.refusal(layout.plot));
        let most = (data.colour == RowColour::Count && drawn.grid.max > 0).then_some(drawn.grid.max);
        drawing::notes(&pen, &layout, &note.join("  ·  "), most);
        if response.has_focus() {
            painter.rect_stroke(layout.plot, 0.0, Stroke::new(1.5, style.accent), StrokeKind::Outside);
        }
        let summary = summary(data, time, rows, &note);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &summary));
        if gutter.has_focus() {
            painter.rect_stroke(layout.gutter.shrink(1.0), 0.0, Stroke::new(1.5, style.accent), StrokeKind::Inside);
        }
        let group = self.focused_group(&gutter, data.rows.bands.len()).and_then(|k| data.rows.bands.get(k));
        let named = group.map_or(String::new(), |band| format!(", {}", drawing::band_label(data, band)));
        gutter.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ListBox, true, format!("Groups of the raster's rows{named}")));
        self.point(ui, context, &response, &layout, panel, trials.map(Arc::as_ref), &drawn, time, rows);
    }

    fn drag_box(&self, painter: &egui::Painter, response: &egui::Response, layout: &Layout, color: Color32) {
        let (Some(Dragged::Zoom(from) | Dragged::Select(from)), Some(to)) = (self.dragged, response.interact_pointer_pos()) else { return };
        let mut rect = Rect::from_two_pos(from, to).intersect(layout.plot);
        if matches!(self.dragged, Some(Dragged::Select(_))) {
            // Rows are selected over the whole time.
            rect = rect.with_min_x(layout.plot.left()).with_max_x(layout.plot.right());
        }
        painter.rect_filled(rect, 0.0, color.gamma_multiply(0.15));
        painter.rect_stroke(rect, 0.0, Stroke::new(1.0, color), StrokeKind::Inside);
    }

    /// When the graphics device refused the raster, what it said; tried again at another size.
    fn refusal(&mut self, plot: Rect) -> Option<String> {
        let trouble = self.trouble.load_full()?;
        if self.refused.is_some_and(|at| at.size() != plot.size()) {
            self.trouble.store(None);
            self.refused = None;
            return None;
        }
        self.refused = Some(plot);
        Some(format!("drawn without the graphics device: {trouble}"))
    }

    /// Take over what other views and the timeline chose: time while playing, and events, which are returned.
    fn follow(ui: &Ui, selection: &mut Selection, units: &mut Panel) -> Option<events::EventColumn> {
        selection.advance(ui.ctx(), units.data.bounds);
        let events = selection.events.column(&units.data.recording).filter(|e| units.data.event_columns.contains(e));
        if events != units.data.events {
            units.data.mark(events.clone());
        }
        events
    }
}

fn plot_id(ui: &Ui) -> egui::Id {
    ui.scope_id().with("raster plot")
}

/// Requests of the toolbar.
fn obey(asked: &Asked, time: &mut Range, rows: &mut Range) {
    if asked.fit {
        fit(time, rows);
    }
    if let Some(n) = asked.rows_in_view {
        let middle = (rows.start + rows.stop) / 2.0;
        *rows = rows.between(middle - n / 2.0, middle + n / 2.0);
    }
}
