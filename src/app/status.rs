//! The status bar: what goes on behind the window, with a way to cancel it, and how fast things are.

use eframe::egui::{self, RichText, Ui};

use super::{Command, SpikescopeApp, theme, welcome};
use crate::training::Phase;
use crate::views::{RunState, widgets};

impl SpikescopeApp {
    /// Draw the bar; returns the chosen command.
    pub(super) fn status_bar(&mut self, ui: &mut Ui) -> Option<Command> {
        let mut chosen = None;
        ui.horizontal(|ui| {
            let tokens = theme::of(ui);
            if let Some(opening) = self.opening.as_ref().filter(|_| self.recording.is_some() || self.run.is_some()) {
                welcome::progress(ui, opening);
            } else if let Some(changing) = &self.import.changing {
                welcome::progress(ui, changing);
            } else if let Some(run) = self.run() {
                run_line(ui, run);
                if self.then.is_some() {
                    ui.label(RichText::new("ends, then goes on…").small().color(tokens.warning));
                }
            } else if let Some(recording) = &self.recording {
                let seconds = recording.time_range().map_or(0.0, |(first, last)| last - first);
                let text = format!(
                    "{} units, {} spikes, {}",
                    widgets::count(recording.n_units()),
                    widgets::count(recording.spikes.n_spikes()),
                    widgets::duration(seconds)
                );
                ui.label(RichText::new(text).small().color(tokens.weak));
                if !recording.report.is_empty() && ui.small_button(format!("Import report ({})", recording.report.notes.len())).clicked() {
                    chosen = Some(Command::ShowReport);
                }
            } else {
                let text = if self.opening.is_some() { "Opening…" } else { "Ready" };
                ui.label(RichText::new(text).small().color(tokens.weak));
            }
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                if ui.available_width() < 150.0 {
                    return;
                }
                let mut figures = Vec::new();
                if let Some(ms) = self.meter.frame_ms() {
                    figures.push(format!("frame {ms:.1} ms"));
                }
                if let Some(memory) = self.meter.memory() {
                    figures.push(widgets::bytes(memory));
                }
                let text = figures.join("  ·  ");
                ui.add(egui::Label::new(RichText::new(text).small().color(tokens.weak)).truncate())
                    .on_hover_text("Work of the window per frame, and memory of this program");
            });
        });
        chosen
    }
}

fn run_line(ui: &mut Ui, run: &RunState) {
    let tokens = theme::of(ui);
    let progress = &run.progress;
    let stage = progress.stages.get(progress.stage);
    let (text, color) = match &progress.phase {
        Phase::Preparing => (format!("Preparing: {}", progress.doing), tokens.accent),
        Phase::Running => (stage.map_or_else(|| progress.doing.clone(), |s| format!("Stage {}", s.name)), tokens.accent),
        Phase::Paused => ("Training is paused".to_owned(), tokens.warning),
        Phase::Finishing => (format!("Finishing: {}", progress.doing), tokens.accent),
        Phase::Finished(_) => ("Training finished".to_owned(), tokens.success),
        Phase::Discarded => ("Run discarded".to_owned(), tokens.weak),
        Phase::Failed(_) => ("Training ended with an error".to_owned(), tokens.error),
    };
    ui.label(RichText::new(&text).small().color(color));
    if let (Some(stage), Phase::Running | Phase::Paused) = (stage, &progress.phase) {
        widgets::bar(ui, stage.fraction, 110.0, tokens.accent, &format!("{text}: {:.0} %", stage.fraction * 100.0));
    }
    let mut figures = Vec::new();
    if progress.steps_per_s > 0.0 {
        figures.push(format!("{} steps/s", widgets::number(f64::from(progress.steps_per_s), 3)));
    }
    if !progress.device.is_empty() {
        figures.push(progress.device.clone());
    }
    ui.add(egui::Label::new(RichText::new(figures.join("  ·  ")).small().color(tokens.weak)).truncate());
}
