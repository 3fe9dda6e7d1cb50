//! The Sweep view: many runs of one model with settings drawn from ranges, trained one after another; their ranking, their score
//! against any setting, and the score of the best of them averaged.

mod form;
mod members;
mod plots;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{self, RichText, Ui};

use super::work::Background;
use super::{Action, View, ViewContext, shown_area, train, widgets};
use crate::app::SweepWish;
use crate::app::theme;
use crate::recording::Recording;
use crate::runs::catalogue::Status;
use crate::training::sweep::{Averaged, Found, Member, ToDo, averaged};

use form::Form;

/// Runs that are averaged: folder and number of each, so that a new member asks again.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    fingerprint: String,
    runs: Vec<(usize, PathBuf)>,
}

/// The Sweep view.
#[derive(Default)]
pub struct SweepView {
    form: Form,
    /// The sweep that is shown; `None` shows the one that goes on, else the newest.
    chosen: Option<PathBuf>,
    /// The form is shown in place of a sweep.
    new: bool,
    /// The sweep that went on in the last frame.
    current: Option<PathBuf>,
    /// Setting against which scores are drawn.
    against: String,
    averaged: Background<Asked, Result<Option<Averaged>, String>>,
}

impl View for SweepView {
    fn title(&self) -> &'static str {
        "Sweep"
    }

    fn help(&self) -> &'static str {
        "A sweep trains one model many times with settings drawn at random from ranges, the published ones unless you change them, and ranks the runs by co-bps on validation trials. \
         Members are ordinary runs in a folder of their own: pause or stop whenever you like, and a sweep that is not complete goes on after a restart, here or with spikescope sweep. \
         The mean of the rates of the best members usually scores higher than any of them; the curve shows how many to average, beside a flat rate and smoothing."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(recording) = context.recording.cloned() else {
            let text = "Open a recording with trials; a sweep then searches for the settings that predict its held-out units best.";
            if widgets::empty(ui, "Nothing to sweep over yet", text, Some("Open a recording…")) {
                context.actions.push(Action::OpenDialog);
            }
            return;
        };
        let Some(sweeps) = context.runs.sweeps else { return };
        context.actions.push(Action::Sweep(SweepWish::Look));
        let Some(found) = sweeps.found(&recording.fingerprint).cloned() else {
            widgets::empty(ui, "Looking for sweeps…", "Folders of runs are being read.", None);
            return;
        };
        // A sweep that begins comes to the front.
        let current = sweeps.current().map(Path::to_owned);
        if current != self.current {
            if current.is_some() {
                (self.chosen, self.new) = (current.clone(), false);
            }
            self.current = current;
        }
        let place = self.place(&found);
        self.bar(ui, context, &found, place);
        match found.get(place.unwrap_or(usize::MAX)) {
            Some(sweep) => self.results(ui, context, &recording, sweep),
            None if self.current.is_some() && !self.new => {
                widgets::empty(ui, "The sweep begins…", "Its plan is being written.", None);
            }
            None => self.form.ui(ui, context, &recording),
        }
    }
}

impl SweepView {
    /// Place of the sweep to show; `None` for the form.
    fn place(&self, found: &[Found]) -> Option<usize> {
        if self.new {
            return None;
        }
        let wanted = self.chosen.as_ref().or(self.current.as_ref());
        let newest = || found.len().checked_sub(1);
        match wanted {
            Some(wanted) => {
                found.iter().position(|sweep| sweep.folder == *wanted).or_else(|| if self.current.is_some() { None } else { newest() })
            }
            None => newest(),
        }
    }

    /// Which sweep is shown, and what can be done with it.
    fn bar(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>, found: &[Found], place: Option<usize>) {
        ui.horizontal_wrapped(|ui| {
            let shown = place.and_then(|place| found.get(place));
            if !found.is_empty() {
                let label = widgets::caption(ui, "Sweep", 200.0);
                let name = shown.map_or_else(|| "new".to_owned(), name);
                let _ = label;
                widgets::combo(ui, "sweep", "Sweep", &name, 260.0, |ui| {
                    for sweep in found.iter().rev() {
                        let on = shown.is_some_and(|shown| shown.folder == sweep.folder);
                        if ui.selectable_label(on, name_and_state(sweep)).on_hover_text(sweep.folder.display().to_string()).clicked() {
                            (self.chosen, self.new) = (Some(sweep.folder.clone()), false);
                        }
                    }
                });
                if ui.add_enabled(shown.is_some(), egui::Button::new("New sweep…")).clicked() {
                    self.new = true;
                }
            }
            if let Some(sweep) = shown {
                controls(ui, context, sweep);
            }
        });
    }

    fn results(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>, recording: &Arc<Recording>, sweep: &Found) {
        headline(ui, context, sweep);
        let runs: Vec<(usize, PathBuf)> =
            sweep.members.iter().filter(|m| m.has_weights() && m.validation.is_some()).map(|m| (m.index, m.folder.clone())).collect();
        let asked = Asked { fingerprint: recording.fingerprint.clone(), runs };
        if !asked.runs.is_empty() {
            let (theirs, recording) = (asked.clone(), Arc::clone(recording));
            self.averaged.watched(ui.ctx(), "ensemble", &asked, move |watch| match averaged(&recording, &theirs.runs, watch) {
                Ok(None) => None,
                Ok(found) => Some(Ok(found)),
                Err(e) => Some(Err(e.to_string())),
            });
            self.averaged.progress(ui, "Rates of all members are averaged");
        }
        // Those of another sweep say nothing about this one.
        let ours = |found: &&Averaged| found.order.iter().all(|(index, _)| asked.runs.iter().any(|(number, _)| number == index));
        let found = self.averaged.latest().filter(|_| !asked.runs.is_empty());
        if let Some(Err(why)) = found {
            ui.label(RichText::new(why).small().color(theme::of(ui).error));
        }
        let averages = found.and_then(|found| found.as_ref().ok()).and_then(Option::as_ref).filter(ours);
        let room = ui.available_size();
        let wide = room.x > 620.0;
        egui::ScrollArea::vertical().id_salt("sweep results").auto_shrink(false).show(ui, |ui| match wide {
            true => {
                ui.columns(2, |columns| {
                    if let [left, right] = columns {
                        members::ui(left, context, sweep, averages, room.y - 8.0);
                        let each = ((room.y - 16.0) / 2.0).max(150.0);
                        plots::against(right, context, sweep, averages, &mut self.against, each);
                        plots::ensemble(right, averages, each);
                    }
                });
            }
            false => {
                members::ui(ui, context, sweep, averages, 220.0);
                plots::against(ui, context, sweep, averages, &mut self.against, 220.0);
                plots::ensemble(ui, averages, 220.0);
            }
        });
    }
}

/// A sweep as people know it.
fn name(sweep: &Found) -> String {
    sweep.folder.file_name().unwrap_or(sweep.folder.as_os_str()).to_string_lossy().into_owned()
}

fn name_and_state(sweep: &Found) -> String {
    format!("{}  ·  {}, {} of {} done", name(sweep), sweep.plan.base.model.preset().title, sweep.complete(), sweep.members.len())
}

/// Start, hold and end.
fn controls(ui: &mut Ui, context: &mut ViewContext<'_>, sweep: &Found) {
    let Some(sweeps) = context.runs.sweeps else { return };
    let mut button = |ui: &mut Ui, on: bool, primary: bool, text: &str, help: &str, wish: SweepWish| {
        let button = if primary { widgets::primary(ui, text) } else { egui::Button::new(text) };
        if ui.add_enabled(on, button).on_hover_text(help).on_disabled_hover_text("Another sweep goes on; stop it first").clicked() {
            context.actions.push(Action::Sweep(wish));
        }
    };
    let going = sweeps.going().filter(|going| going.folder == sweep.folder);
    match going {
        Some(going) => {
            match going.paused {
                true => button(ui, true, true, "Resume", "Let the member that is held go on", SweepWish::Resume),
                false => button(ui, true, false, "Pause", "Hold the member that trains after its current step", SweepWish::Pause),
            }
            button(
                ui,
                true,
                false,
                "Stop",
                "End the member that trains and keep it; no other begins. Go on whenever you like",
                SweepWish::Stop,
            );
        }
        None if sweep.complete() < sweep.members.len() => {
            let wish = SweepWish::GoOn(sweep.folder.clone());
            button(ui, sweeps.current().is_none(), true, "Go on", "Train the members that are not complete, one after another", wish);
        }
        None => {}
    }
}

/// How far the sweep is, and what its scores are compared with.
fn headline(ui: &mut Ui, context: &ViewContext<'_>, sweep: &Found) {
    let tokens = theme::of(ui);
    let (done, all) = (sweep.complete(), sweep.members.len());
    ui.horizontal_wrapped(|ui| {
        widgets::bar(ui, done as f32 / all.max(1) as f32, 120.0, tokens.accent, &format!("{done} of {all} members are complete"));
        let held = context.runs.sweeps.and_then(|sweeps| sweeps.going()).is_some_and(|going| going.folder == sweep.folder && going.paused);
        let mut parts = vec![format!("{} {done} of {all} done", sweep.plan.base.model.preset().title)];
        if held {
            parts.push("held".to_owned());
        }
        let failed = sweep.members.iter().filter(|m| m.status == Some(Status::Failed)).count();
        if failed > 0 {
            parts.push(format!("{failed} failed"));
        }
        let left = sweep.members.iter().filter(|m| m.to_do() == ToDo::Leave && live(context, m).is_none()).count();
        if left > 0 {
            parts.push(format!("{left} left alone (trained elsewhere, or something else is in its place)"));
        }
        parts.push(format!("seed {}", sweep.plan.seed));
        widgets::note(ui, parts.join("  ·  "));
    });
}

/// How far the member is that this window trains now, 0 to 1, in words.
fn live(context: &ViewContext<'_>, member: &Member) -> Option<String> {
    let job = context.runs.queue?.training().filter(|job| job.folder.as_ref() == Some(&member.folder))?;
    let run = context.runs.live.filter(|run| run.recipe == job.recipe && train::is_active(&run.progress.phase))?;
    let share: f32 = run.progress.stages.iter().map(|stage| if stage.done { 1.0 } else { stage.fraction }).sum();
    let share = share / run.progress.stages.len().max(1) as f32;
    Some(match run.progress.phase {
        crate::training::Phase::Paused => "held".to_owned(),
        _ => format!("training, {:.0} %", 100.0 * share),
    })
}

/// Label and unit of a setting, for example `Context ahead (bins)`.
fn setting_name(base: &crate::training::Recipe, path: &str) -> String {
    match base.fields().find(|field| field.path == path) {
        Some(field) if field.unit.is_empty() => format!("{} · {}", field.group, field.label),
        Some(field) => format!("{} · {} ({})", field.group, field.label, field.unit),
        None => shown_area(path).to_owned(),
    }
}
