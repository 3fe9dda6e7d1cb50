//! The menu bar: every entry is a command.

use eframe::egui::{self, RichText, Ui};

use super::layout::{self, Named, open_views};
use super::settings::ThemeChoice;
use super::theme;
use super::timeline::Stride;
use super::{Command, SpikescopeApp};

impl SpikescopeApp {
    /// Draw the bar; returns the chosen command.
    pub(super) fn menu_bar(&mut self, ui: &mut Ui) -> Option<Command> {
        let mut chosen = None;
        egui::MenuBar::new().ui(ui, |ui| {
            ui.menu_button("File", |ui| {
                for command in [Command::Open, Command::OpenFolder, Command::OpenPath, Command::OpenDemo, Command::RestoreSession] {
                    self.entry(ui, command, &mut chosen);
                }
                ui.add_enabled_ui(!self.settings.recent.is_empty(), |ui| {
                    ui.menu_button("Open recent", |ui| {
                        let missing = self.import.missing(ui.ctx(), &self.settings.recent);
                        for (index, gone) in missing.into_iter().enumerate() {
                            ui.add_enabled_ui(!gone, |ui| self.entry(ui, Command::OpenRecent(index), &mut chosen));
                        }
                    });
                });
                ui.separator();
                for command in [Command::ShowReport, Command::ImportOptions, Command::Export, Command::CloseRecording] {
                    self.entry(ui, command, &mut chosen);
                }
                ui.separator();
                for command in [Command::Settings, Command::Quit] {
                    self.entry(ui, command, &mut chosen);
                }
            });
            ui.menu_button("Edit", |ui| {
                for command in [Command::Undo, Command::Redo, Command::ClearSelection] {
                    self.entry(ui, command, &mut chosen);
                }
            });
            ui.menu_button("View", |ui| self.view_menu(ui, &mut chosen));
            ui.menu_button("Time", |ui| {
                let step = |forward, stride| Command::StepTime { forward, stride };
                let steps = Stride::ALL.into_iter().flat_map(|stride| [step(false, stride), step(true, stride)]);
                let events = [Command::NextEvent { forward: false }, Command::NextEvent { forward: true }];
                let rest = [Command::TimeStart, Command::TimeEnd, Command::GoToTime, Command::AllTime, Command::Loop];
                for command in [Command::Play].into_iter().chain(steps).chain(events).chain(rest) {
                    self.entry(ui, command, &mut chosen);
                }
            });
            ui.menu_button("Training", |ui| {
                for command in [
                    Command::Train,
                    Command::QueueTraining,
                    Command::ResumeRun,
                    Command::PauseOrResume,
                    Command::Step,
                    Command::StopAndKeep,
                    Command::Discard,
                    Command::CloseKept,
                ] {
                    self.entry(ui, command, &mut chosen);
                }
            });
            ui.menu_button("Help", |ui| {
                for command in [Command::Palette, Command::Help, Command::SystemReport, Command::About] {
                    self.entry(ui, command, &mut chosen);
                }
            });
            self.title(ui);
        });
        chosen
    }

    fn view_menu(&mut self, ui: &mut Ui, chosen: &mut Option<Command>) {
        let open = open_views(&self.tree);
        let usable = self.enabled(Command::Show(0));
        for (index, title) in self.titles.clone().into_iter().enumerate() {
            let Some(key) = self.keys.get(index).copied() else { continue };
            let mut shown = open.contains(key);
            if ui.add_enabled(usable, egui::Checkbox::new(&mut shown, title)).on_hover_text("Open or close this view").clicked() {
                if shown {
                    *chosen = Some(Command::Show(index));
                } else {
                    layout::close(&mut self.tree, key);
                    self.arranged = true;
                }
            }
        }
        ui.separator();
        for command in Named::ALL.map(Command::Layout).into_iter().chain([Command::ResetLayout]) {
            self.entry(ui, command, chosen);
        }
        ui.separator();
        let now = self.theme().unwrap_or(self.settings.theme);
        for theme in ThemeChoice::ALL {
            if ui.radio(now == theme, Command::Theme(theme).name(&self.titles)).clicked() {
                *chosen = Some(Command::Theme(theme));
            }
        }
        ui.separator();
        for command in [Command::ZoomIn, Command::ZoomOut, Command::ZoomReset, Command::FullScreen] {
            self.entry(ui, command, chosen);
        }
    }

    fn entry(&self, ui: &mut Ui, command: Command, chosen: &mut Option<Command>) {
        let tokens = theme::of(ui);
        let shortcut = command.shortcut_text(ui.ctx());
        let button = egui::Button::new(self.name(command))
            .shortcut_text(RichText::new(shortcut).color(tokens.weak))
            .wrap_mode(egui::TextWrapMode::Extend);
        if ui.add_enabled(self.enabled(command), button).on_hover_text(command.tooltip()).clicked() {
            *chosen = Some(command);
            ui.close();
        }
    }

    /// Name of what is open, at the right end.
    fn title(&self, ui: &mut Ui) {
        let tokens = theme::of(ui);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.add_space(6.0);
            let text = match &self.recording {
                Some(recording) => recording.name.clone(),
                None => "Spikescope".to_owned(),
            };
            ui.add(egui::Label::new(RichText::new(text).color(tokens.weak)).truncate());
        });
    }
}
