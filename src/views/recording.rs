//! What was opened: the file in numbers, units by area, what the import did to it, and what training will use.

mod areas;
mod parts;
mod plan;
mod quality;

use std::sync::Arc;

use eframe::egui::{self, RichText, Sense, Ui, vec2};

use super::{Action, View, ViewContext, widgets};
use crate::recording::{IntervalTable, NoteKind, Recording, Source};
use crate::render::RasterStyle;
use crate::render::axis::{duration_text, grouped};
use crate::render::background::{Outcome, Pending};
use crate::training::DataRecipe;
use parts::{covariates, table, truth};
use plan::{Plan, Used};

/// From this many spikes, units or table rows on the plan is worked out in the background.
const LARGE: usize = 20_000;

/// The recording view.
#[derive(Default)]
pub struct RecordingView {
    facts: Option<Facts>,
    plan: Option<(DataRecipe, PlanState)>,
    areas: areas::AreaForm,
    quality: quality::QualityForm,
}

/// A plan, or the thread that makes it.
enum PlanState {
    Pending(Pending<Plan>),
    Ready(Plan),
    Failed(String),
}

/// Numbers of one recording, counted once.
struct Facts {
    recording: Arc<Recording>,
    /// Per area: name, units, spikes.
    areas: Vec<(String, usize, usize)>,
    seconds: f64,
    observed_seconds: f64,
}

impl View for RecordingView {
    fn title(&self) -> &'static str {
        "Recording"
    }

    fn help(&self) -> &'static str {
        "What the file holds: units by area, spikes, interval tables and time series, and the truth when it was simulated. \
         The import report lists what had to be assumed, what was repaired and what was left out, so that nothing is changed silently. \
         'For training' shows which trials and units the next run will use and why others are not; choose there how areas are told apart."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(recording) = context.recording else {
            (self.facts, self.plan) = (None, None);
            return super::nothing_open(
                ui,
                context,
                "Files and folders with spike times can be opened, or dropped anywhere on this window.",
            );
        };
        let context = &mut *context;
        if !self.facts.as_ref().is_some_and(|f| Arc::ptr_eq(&f.recording, recording)) {
            self.facts = Some(Facts::new(recording));
            self.plan = None;
        }
        self.plan_for(ui, recording, &context.recipe.data);
        let Some(facts) = &self.facts else { return };
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            facts.show(ui);
            section(ui, "For training", |ui| training(ui, self.plan.as_ref().map(|p| &p.1), &mut context.recipe.data));
            section(ui, "Import report", |ui| report(ui, recording, context.actions));
            folded(ui, "Areas by hand", |ui| self.areas.ui(ui, recording, context.selection, context.actions));
            folded(ui, "Units to keep", |ui| self.quality.filters(ui, recording, context.actions));
            folded(ui, "Artefacts", |ui| self.quality.artefacts(ui, recording, context.actions));
            ui.add_space(6.0);
            if ui.button("Export recording…").clicked() {
                context.actions.push(Action::Export);
            }
            if !recording.tables.is_empty() {
                section(ui, "Interval tables", |ui| recording.tables.iter().for_each(|t| table(ui, t)));
            }
            if !recording.covariates.is_empty() {
                section(ui, "Time series", |ui| covariates(ui, &recording.covariates));
            }
            if let Some(known) = &recording.truth {
                section(ui, "Truth", |ui| truth(ui, recording, known));
            }
            ui.add_space(12.0);
        });
    }
}

impl RecordingView {
    /// Have the plan for this recipe, or have it made.
    fn plan_for(&mut self, ui: &Ui, recording: &Arc<Recording>, recipe: &DataRecipe) {
        if let Some((_, state)) = &mut self.plan
            && let PlanState::Pending(pending) = state
        {
            match pending.poll() {
                Outcome::Waiting => {}
                Outcome::Done(plan) => *state = PlanState::Ready(plan),
                Outcome::Lost => *state = PlanState::Failed("working out the trials failed; change a setting to try again".to_owned()),
            }
        }
        if self.plan.as_ref().is_some_and(|(made_for, _)| made_for == recipe) {
            return;
        }
        let size = recording.spikes.n_spikes()
            + recording.n_units() * recording.n_units()
            + recording.tables.iter().map(IntervalTable::len).sum::<usize>();
        let state = if size < LARGE {
            PlanState::Ready(Plan::new(recording, recipe))
        } else {
            let (theirs, wanted, ctx) = (Arc::clone(recording), recipe.clone(), ui.ctx().clone());
            match Pending::start("training plan", move || Plan::new(&theirs, &wanted), move || ctx.request_repaint()) {
                Ok(pending) => PlanState::Pending(pending),
                Err(error) => PlanState::Failed(format!("no thread could be started to work out the trials: {error}")),
            }
        };
        self.plan = Some((recipe.clone(), state));
    }
}

impl Facts {
    fn new(recording: &Arc<Recording>) -> Self {
        let mut areas: Vec<(String, usize, usize)> = recording.areas.iter().map(|name| (name.clone(), 0, 0)).collect();
        for (unit, area) in recording.units.area.iter().enumerate() {
            if let Some((_, units, spikes)) = areas.get_mut(*area) {
                *units += 1;
                *spikes += recording.spikes.unit(unit).len();
            }
        }
        let (first, last) = recording.time_range().unwrap_or((0.0, 0.0));
        Self { recording: Arc::clone(recording), areas, seconds: last - first, observed_seconds: recording.observed_seconds() }
    }

    fn rate(&self, spikes: usize, units: usize) -> String {
        if units == 0 || self.observed_seconds <= 0.0 {
            return "–".to_owned();
        }
        format!("{} Hz", widgets::number(spikes as f64 / units as f64 / self.observed_seconds, 3))
    }

    fn show(&self, ui: &mut Ui) {
        let recording = &self.recording;
        ui.add_space(4.0);
        ui.heading(&recording.name);
        match &recording.source {
            Source::File(path) => ui.label(RichText::new(path.display().to_string()).weak()),
            Source::Simulated { simulator, parameters, seed } => {
                ui.label(RichText::new(format!("simulated by {simulator}, seed {seed}: {parameters}")).weak())
            }
        };
        ui.add_space(8.0);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 28.0;
            let plural = |n: usize, what: &str| if n == 1 { what.to_owned() } else { format!("{what}s") };
            fact(ui, &grouped(recording.n_units() as u64), &plural(recording.n_units(), "unit"));
            fact(ui, &grouped(recording.spikes.n_spikes() as u64), &plural(recording.spikes.n_spikes(), "spike"));
            fact(ui, &duration_text(self.seconds), "first to last spike");
            if self.observed_seconds < 0.999 * self.seconds {
                fact(ui, &duration_text(self.observed_seconds), "observed");
            }
            fact(ui, &self.rate(recording.spikes.n_spikes(), recording.n_units()), "mean rate of a unit");
            if let Some(table) = recording.table("trials") {
                fact(ui, &grouped(table.len() as u64), &plural(table.len(), "trial"));
            }
        });
        ui.add_space(4.0);
        section(ui, "Units by area in the file", |ui| self.by_area(ui));
    }

    fn by_area(&self, ui: &mut Ui) {
        let style = RasterStyle::of(ui);
        let most = self.areas.iter().map(|a| a.1).max().unwrap_or(0).max(1);
        egui::Grid::new("units by area").num_columns(4).spacing(vec2(18.0, 5.0)).show(ui, |ui| {
            for heading in ["Area", "Units", "Spikes", "Mean rate"] {
                ui.label(RichText::new(heading).weak().small());
            }
            ui.end_row();
            for (k, (name, units, spikes)) in self.areas.iter().enumerate() {
                // Names may be sentences; the numbers beside them are what the table is for.
                let shown = if name.is_empty() { "no area" } else { name };
                let widest = ui.text_style_height(&egui::TextStyle::Body) * 11.0;
                ui.scope(|ui| {
                    ui.set_max_width(widest);
                    ui.add(egui::Label::new(shown).truncate());
                });
                ui.horizontal(|ui| {
                    let full = 150.0;
                    let (rect, _) = ui.allocate_exact_size(vec2(full, 12.0), Sense::hover());
                    let bar = egui::Rect::from_min_size(rect.min, vec2((full * *units as f32 / most as f32).max(2.0), rect.height()));
                    ui.painter().rect_filled(bar, 2.0, style.area(k));
                    ui.label(grouped(*units as u64));
                });
                ui.label(grouped(*spikes as u64));
                ui.label(self.rate(*spikes, *units));
                ui.end_row();
            }
        });
    }
}

/// One number with what it is; as wide as its words, so that a row of them breaks between two of them.
fn fact(ui: &mut Ui, value: &str, what: &str) {
    let (value, what) = (RichText::new(value).size(18.0).strong(), RichText::new(what).weak().small());
    let size = |text: &RichText| {
        let text = egui::WidgetText::from(text.clone());
        text.into_galley(ui, Some(egui::TextWrapMode::Extend), f32::INFINITY, egui::TextStyle::Body).size()
    };
    let (above, below) = (size(&value), size(&what));
    let whole = vec2(above.x.max(below.x).ceil(), above.y + below.y);
    ui.allocate_ui_with_layout(whole, egui::Layout::top_down(egui::Align::Min), |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.add(egui::Label::new(value).extend());
        ui.add(egui::Label::new(what).extend());
    });
}

fn section(ui: &mut Ui, title: &str, add: impl FnOnce(&mut Ui)) {
    headed(ui, title, true, add);
}

/// A section that is closed at first: something to do, not something to read.
fn folded(ui: &mut Ui, title: &str, add: impl FnOnce(&mut Ui)) {
    headed(ui, title, false, add);
}

fn headed(ui: &mut Ui, title: &str, open: bool, add: impl FnOnce(&mut Ui)) {
    ui.add_space(10.0);
    egui::CollapsingHeader::new(RichText::new(title).strong()).id_salt(title).default_open(open).show(ui, |ui| {
        ui.add_space(2.0);
        add(ui);
    });
}

fn training(ui: &mut Ui, plan: Option<&PlanState>, recipe: &mut DataRecipe) {
    match plan {
        None | Some(PlanState::Pending(_)) => {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label("Working out trials…");
            });
        }
        Some(PlanState::Failed(message)) => {
            ui.colored_label(ui.visuals().error_fg_color, message);
        }
        Some(PlanState::Ready(plan)) => {
            match &plan.used {
                Ok(used) => will_use(ui, used),
                Err(message) => {
                    ui.colored_label(ui.visuals().error_fg_color, message);
                }
            }
            ui.add_space(6.0);
            ui.label("Areas are told apart by");
            for split in &plan.offered {
                let areas: Vec<String> = split.areas.iter().take(6).map(counted).collect();
                let more = if split.areas.len() > 6 { format!(" and {} more", split.areas.len() - 6) } else { String::new() };
                if ui.radio(recipe.areas == split.rule, format!("{}: {}{more}", split.label, areas.join(", "))).clicked() {
                    recipe.areas = split.rule.clone();
                }
            }
        }
    }
}

fn will_use(ui: &mut Ui, used: &Used) {
    let dropped: usize = used.dropped.iter().map(|d| d.1).sum();
    let plural = |n: usize, what: &str| format!("{} {what}{}", grouped(n as u64), if n == 1 { "" } else { "s" });
    ui.label(first_upper(&used.description));
    let [train, validation, test] = used.split.map(|n| grouped(n as u64));
    let conditions = if used.conditions > 0 { format!(", in {}", plural(used.conditions, "condition")) } else { String::new() };
    ui.label(format!(
        "{} used{conditions}: {train} for training, {validation} for validation, {test} for the test",
        plural(used.trials, "trial")
    ));
    if dropped > 0 {
        ui.label(format!("{} not used:", plural(dropped, "trial")));
        for (reason, n) in used.dropped.iter().take(5) {
            ui.label(RichText::new(format!("    {}: {reason}", grouped(*n as u64))).weak());
        }
    }
    let areas: Vec<String> = used.areas.iter().map(counted).collect();
    let quiet =
        if used.quiet_units > 0 { format!("; {} left out for firing too little", plural(used.quiet_units, "unit")) } else { String::new() };
    ui.label(format!("Units: {}{quiet}", areas.join(", ")));
}

/// An area with its number of units.
fn counted(area: &(String, usize)) -> String {
    format!("{} ({})", if area.0.is_empty() { "no area" } else { &area.0 }, area.1)
}

/// A sentence that begins as sentences do.
pub fn first_upper(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

fn report(ui: &mut Ui, recording: &Recording, actions: &mut Vec<Action>) {
    if recording.report.is_empty() {
        ui.label("Nothing had to be assumed, repaired or left out");
    }
    for choice in &recording.report.choices {
        let assumed = if choice.assumed { " (assumed)" } else { "" };
        ui.label(format!("{}: {}{assumed}", choice.label, choice.shown()));
        ui.label(RichText::new(&choice.why).weak().small());
    }
    if matches!(recording.source, Source::File(_))
        && ui.button("Import options…").on_hover_text("Read the file with other answers").clicked()
    {
        actions.push(Action::ImportOptions);
    }
    for (kind, title) in NoteKind::LISTED {
        let notes: Vec<_> = recording.report.notes.iter().filter(|n| n.kind == kind).collect();
        if notes.is_empty() {
            continue;
        }
        let color = match kind {
            NoteKind::Advice | NoteKind::LeftOut => ui.visuals().warn_fg_color,
            NoteKind::Repaired | NoteKind::Assumed | NoteKind::Chosen => ui.visuals().text_color(),
        };
        ui.label(RichText::new(format!("{title} ({})", notes.len())).color(color).strong());
        for note in notes {
            ui.label(first_upper(&note.message));
            if !note.place.is_empty() {
                ui.label(RichText::new(&note.place).weak().small());
            }
        }
        ui.add_space(4.0);
    }
}
