//! The system report in a window: the text of `spikescope doctor`, to look at and to copy into a bug report.

use eframe::egui::{self, ScrollArea, TextEdit, vec2};

use crate::doctor::{Examine, Report};
use crate::views::widgets;
use crate::views::work::Background;

/// The window with the report.
#[derive(Default)]
pub struct SystemReport {
    /// Shown or not.
    pub open: bool,
    /// How often it was asked for; a new number looks again.
    asked: u32,
    text: Background<u32, String>,
}

impl SystemReport {
    /// Draw. While a training runs nothing is timed: it would be measured, not the machine.
    pub fn ui(&mut self, ctx: &egui::Context, trains: bool) {
        if !self.open {
            return;
        }
        let mut open = true;
        let size = ctx.content_rect().size();
        egui::Window::new("System report")
            .open(&mut open)
            .default_size(vec2(640.0_f32.min(size.x - 60.0), 440.0_f32.min(size.y - 120.0)))
            .pivot(egui::Align2::CENTER_CENTER)
            .default_pos(ctx.content_rect().center())
            .show(ctx, |ui| self.contents(ui, trains));
        self.open = open;
    }

    fn contents(&mut self, ui: &mut egui::Ui, trains: bool) {
        ui.label("What a bug report should say about this machine. It holds no personal paths, and nothing is sent anywhere.");
        let examine = Examine { gpu: false, bench: !trains };
        let ctx = ui.ctx().clone();
        let report = self.text.get(&ctx, "system report", &self.asked, move || Report::make(examine, &|_| {}).text());
        let Some(text) = report.cloned() else {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label("Looking at the machine and testing every model; this takes some seconds…");
            });
            return;
        };
        ui.horizontal(|ui| {
            if ui.add(widgets::primary(ui, "Copy")).on_hover_text("Copy the report, to paste it into a bug report").clicked() {
                ctx.copy_text(text.clone());
            }
            if ui.button("Look again").on_hover_text("Make the report anew").clicked() {
                self.asked += 1;
            }
            if trains {
                widgets::note(ui, "a training runs: nothing is timed".to_owned());
            }
        });
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            // A read-only field: its text can be selected, and is read out.
            let mut shown = text.as_str();
            let field = ui.add(TextEdit::multiline(&mut shown).font(egui::TextStyle::Monospace).desired_width(f32::INFINITY));
            field.widget_info(|| {
                let mut info = egui::WidgetInfo::labeled(egui::Role::MultilineTextInput, true, "Text of the system report");
                info.current_text_value = Some(text.clone());
                info
            });
        });
    }
}
