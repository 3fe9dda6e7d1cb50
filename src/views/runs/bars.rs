//! Above the table of runs: which runs, a search, the columns, the folders.

use std::sync::Arc;

use eframe::egui::containers::menu::{MenuButton, MenuConfig};
use eframe::egui::style::StyleModifier;
use eframe::egui::{self, PopupCloseBehavior, RichText, Ui};

use crate::app::{theme, typed_path};
use crate::runs::catalogue::{Column, Entry, offered};
use crate::views::{Action, ViewContext, widgets};

/// The menu of columns, kept as long as the runs are the same.
#[derive(Default)]
pub struct ColumnMenu {
    /// Number of runs and newest of them behind `offered`.
    of: Option<usize>,
    offered: Vec<(Column, bool)>,
    search: String,
    same: bool,
}

fn stays<'a>(name: &'a str) -> MenuButton<'a> {
    // Menus draw their entries without frames; fields and buttons in this one need them.
    let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside).style(StyleModifier::default());
    MenuButton::new(name).config(config)
}

impl ColumnMenu {
    /// Choose columns; those that `shown` has are on.
    pub fn ui(&mut self, ui: &mut Ui, listing: usize, entries: &[Arc<Entry>], shown: &[Column], actions: &mut Vec<Action>) {
        let (button, _) = stays("Columns").ui(ui, |ui| {
            if self.of != Some(listing) {
                (self.offered, self.of) = (offered(entries), Some(listing));
            }
            ui.set_min_width(270.0);
            ui.horizontal(|ui| {
                let label = ui.label("Find");
                ui.add(egui::TextEdit::singleline(&mut self.search).desired_width(150.0)).labelled_by(label.id);
                if ui.button("Usual columns").on_hover_text("Back to the columns shown first").clicked() {
                    actions.push(Action::RunColumns(Vec::new()));
                }
            });
            ui.checkbox(&mut self.same, "Also settings that are the same in all runs");
            ui.separator();
            egui::ScrollArea::vertical().max_height(380.0).show(ui, |ui| {
                type Group = fn(&Column) -> bool;
                let groups: [(&str, Group); 3] = [
                    ("Results", |c| matches!(c, Column::Metric(_))),
                    ("Run", |c| !matches!(c, Column::Metric(_) | Column::Setting(_))),
                    ("Recipe", |c| matches!(c, Column::Setting(_))),
                ];
                for (title, belongs) in groups {
                    let wanted = |column: &Column, differs: bool| {
                        let found = format!("{} {}", column.title(), column.key()).to_lowercase().contains(&self.search.to_lowercase());
                        let usual = differs || self.same || shown.contains(column) || !matches!(column, Column::Setting(_));
                        belongs(column) && found && usual
                    };
                    let columns: Vec<&Column> = self.offered.iter().filter(|(c, differs)| wanted(c, *differs)).map(|(c, _)| c).collect();
                    if columns.is_empty() {
                        continue;
                    }
                    widgets::section(ui, title);
                    for column in columns {
                        let mut on = shown.contains(column);
                        // A table without names would be of no use.
                        let box_ = egui::Checkbox::new(&mut on, column.title());
                        if ui.add_enabled(*column != Column::Name, box_).on_hover_text(column.help()).changed() {
                            let mut columns: Vec<Column> = shown.iter().filter(|c| *c != column).cloned().collect();
                            if on {
                                columns.push(column.clone());
                            }
                            actions.push(Action::RunColumns(columns));
                        }
                    }
                }
            });
        });
        button.on_hover_text("Choose what is shown of each run: results, settings, times");
    }
}

/// Folders that are looked into.
#[derive(Default)]
pub struct FolderMenu {
    path: String,
}

impl FolderMenu {
    /// The list, with ways to add and to remove.
    pub fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let tokens = theme::of(ui);
        let others = context.runs.others;
        let number = others.len() + usize::from(context.runs.own.is_some());
        let name = if number < 2 { "Folders".to_owned() } else { format!("Folders ({number})") };
        let (button, _) = stays(&name).ui(ui, |ui| {
            ui.set_width(430.0);
            widgets::section(ui, "Runs are looked for in");
            match context.runs.own {
                Some(own) => {
                    ui.label(own.display().to_string());
                    widgets::note(ui, "New runs of this window are written here; Settings changes it");
                }
                None => widgets::note(ui, "New runs are not written to disk"),
            }
            let mut removed = None;
            for folder in others {
                ui.horizontal(|ui| {
                    let text = folder.display().to_string();
                    if ui.small_button("Remove").on_hover_text("Take this folder off the list; nothing in it is changed").clicked() {
                        removed = Some(folder.clone());
                    }
                    ui.add(egui::Label::new(&text).truncate()).on_hover_text(&text);
                });
            }
            if let Some(removed) = removed {
                context.actions.push(Action::RunFolders(others.iter().filter(|f| **f != removed).cloned().collect()));
            }
            ui.separator();
            let label = ui.label(RichText::new("Add a folder with runs, for example one that a cluster writes to").color(tokens.weak));
            ui.horizontal(|ui| {
                let field = ui.add(egui::TextEdit::singleline(&mut self.path).hint_text("/shared/runs").desired_width(250.0));
                let entered = field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
                field.labelled_by(label.id);
                let typed = !self.path.trim().is_empty();
                if (ui.add_enabled(typed, egui::Button::new("Add folder")).clicked() || entered) && typed {
                    let folder = typed_path(&self.path);
                    if !others.contains(&folder) {
                        context.actions.push(Action::RunFolders(others.iter().cloned().chain([folder]).collect()));
                    }
                    self.path.clear();
                }
                if ui.button("Choose…").on_hover_text("Choose a folder with the system's dialog").clicked() {
                    context.actions.push(Action::AskRunFolder);
                }
            });
            widgets::note(ui, "Folders are looked into every 10 s; runs appear as they are finished");
        });
        button.on_hover_text("Where runs are looked for");
    }
}
