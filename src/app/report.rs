//! The import report: what was decided, repaired and left out when a file was opened, and, where units can be grouped into
//! areas in more than one way, a button for each.

use std::sync::Arc;

use eframe::egui::{self, RichText, Ui, vec2};

use super::theme;
use crate::recording::{AreaRule, AreaSplit, ImportReport, NoteKind, Recording};
use crate::views::{recording::first_upper, shown_area, widgets, work::Background};

/// The window with the report.
#[derive(Default)]
pub struct ReportWindow {
    /// Shown or not.
    pub open: bool,
    offered: Background<String, Vec<AreaSplit>>,
}

/// What the user wants changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportWish {
    /// Areas by this rule.
    Areas(AreaRule),
    /// Other answers to the choices of the import.
    Change,
}

/// Notes listed per kind; a damaged file can have thousands.
const LISTED: usize = 40;

impl ReportWindow {
    /// Draw; returns what the user wants changed. `now` is the area rule in use.
    pub fn ui(&mut self, ctx: &egui::Context, recording: &Arc<Recording>, now: &AreaRule) -> Option<ReportWish> {
        if !self.open {
            return None;
        }
        let theirs = Arc::clone(recording);
        let offered =
            self.offered.get(ctx, "area rules", &recording.fingerprint, move || AreaRule::offered(&theirs)).cloned().unwrap_or_default();
        let (mut open, mut wish, mut close) = (true, None, false);
        let size = ctx.content_rect().size();
        egui::Window::new(format!("Import report: {}", recording.name))
            .id(egui::Id::unique("import report"))
            .open(&mut open)
            .default_size(vec2(520.0_f32.min(size.x - 60.0), 520.0_f32.min(size.y - 120.0)))
            .pivot(egui::Align2::CENTER_CENTER)
            .default_pos(ctx.content_rect().center())
            .vscroll(true)
            .show(ctx, |ui| {
                if recording.report.is_empty() {
                    ui.label("Nothing had to be assumed, repaired or left out.");
                }
                for (kind, title) in NoteKind::LISTED {
                    notes(ui, &recording.report, kind, title);
                    // What can be chosen stands where the advice is.
                    if kind == NoteKind::Advice && offered.len() > 1 {
                        wish = areas(ui, &offered, now).map(ReportWish::Areas).or(wish.take());
                    }
                }
                if choices(ui, &recording.report) {
                    wish = Some(ReportWish::Change);
                }
                ui.add_space(8.0);
                close = ui.add(widgets::primary(ui, "Close report")).clicked();
            });
        self.open = open && !close;
        wish
    }

    /// Work out again which area rules there are; the recording has changed.
    pub fn forget(&mut self) {
        self.offered = Background::default();
    }
}

/// The decisions of the import with their reasons; true when the user wants to change one.
fn choices(ui: &mut Ui, report: &ImportReport) -> bool {
    if report.choices.is_empty() {
        return false;
    }
    let tokens = theme::of(ui);
    let heading = RichText::new(format!("Choices ({})", report.choices.len())).color(tokens.accent).strong();
    egui::CollapsingHeader::new(heading).id_salt("choices").default_open(true).show_unindented(ui, |ui| {
        for choice in &report.choices {
            let assumed = if choice.assumed { " (assumed)" } else { "" };
            ui.label(format!("{}: {}{assumed}", choice.label, choice.shown()));
            ui.label(RichText::new(&choice.why).small().color(tokens.weak));
        }
    });
    ui.button("Change…").on_hover_text("Read the file with other answers").clicked()
}

/// What a report says of one kind, under a heading with its number.
pub(super) fn notes(ui: &mut Ui, report: &ImportReport, kind: NoteKind, title: &str) {
    let notes: Vec<_> = report.notes.iter().filter(|n| n.kind == kind).collect();
    if notes.is_empty() {
        return;
    }
    let tokens = theme::of(ui);
    let color = match kind {
        NoteKind::Advice => tokens.warning,
        NoteKind::LeftOut => tokens.error,
        NoteKind::Assumed | NoteKind::Repaired | NoteKind::Chosen => tokens.accent,
    };
    let heading = RichText::new(format!("{title} ({})", notes.len())).color(color).strong();
    egui::CollapsingHeader::new(heading).id_salt(title).default_open(true).show_unindented(ui, |ui| {
        for note in notes.iter().take(LISTED) {
            ui.label(first_upper(&note.message));
            ui.label(RichText::new(&note.place).small().color(tokens.weak));
        }
        if notes.len() > LISTED {
            widgets::note(ui, format!("and {} more of this kind; `spikescope info` lists all", notes.len() - LISTED));
        }
    });
}

fn areas(ui: &mut Ui, offered: &[AreaSplit], now: &AreaRule) -> Option<AreaRule> {
    let mut chosen = None;
    widgets::section(ui, "Areas");
    ui.label("Units of this recording can be grouped into areas in these ways:");
    for split in offered {
        ui.horizontal_wrapped(|ui| {
            let used = split.rule == *now;
            let name = if used { format!("Areas {} (in use)", split.label) } else { format!("Use areas by {}", split.label) };
            if ui.add_enabled(!used, egui::Button::new(name)).clicked() {
                chosen = Some(split.rule.clone());
            }
            for (index, (area, n)) in split.areas.iter().enumerate().take(8) {
                widgets::area_label(ui, index, &format!("{} {n}", shown_area(area)));
            }
        });
    }
    chosen
}
