//! The trash of run folders: what was thrown away, now or in an earlier session, comes back or is deleted for good here.

use std::sync::Arc;

use eframe::egui::containers::menu::{MenuButton, MenuConfig};
use eframe::egui::style::StyleModifier;
use eframe::egui::{self, PopupCloseBehavior, RichText, Ui};

use super::shelf::Request;
use crate::app::theme;
use crate::runs::catalogue::{InTrash, Trashed};
use crate::views::widgets;

/// What the user was asked about and has not confirmed yet.
#[derive(Default)]
pub struct TrashMenu {
    sure: Option<Sure>,
}

#[derive(PartialEq)]
enum Sure {
    One(Trashed),
    All,
}

impl TrashMenu {
    /// A menu with everything in the trash; nothing while that is empty. Gives what was asked for.
    pub fn ui(&mut self, ui: &mut Ui, trash: &[Arc<InTrash>]) -> Vec<Request> {
        if trash.is_empty() {
            self.sure = None;
            return Vec::new();
        }
        let mut asked = Vec::new();
        let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside).style(StyleModifier::default());
        let (button, menu) = MenuButton::new(format!("Trash ({})", trash.len())).config(config).ui(ui, |ui| {
            ui.set_width(470.0);
            let all: u64 = trash.iter().map(|thrown| thrown.bytes).sum();
            ui.horizontal(|ui| {
                widgets::section(ui, "Thrown away");
                widgets::note(ui, format!("{} on disk", widgets::bytes(all)));
                if trash.len() > 1 {
                    self.delete(ui, Sure::All, "Delete all", "runs in the trash", || {
                        asked.extend(trash.iter().map(|thrown| Request::Delete(thrown.trashed.clone())));
                    });
                }
            });
            egui::ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
                for thrown in trash {
                    ui.push_id(&thrown.trashed.to, |ui| self.one(ui, thrown, &mut asked));
                }
            });
            widgets::note(ui, "Nothing is deleted by itself; runs lie in .trash beside the others until you delete them");
        });
        if menu.is_none() {
            self.sure = None;
        }
        button.on_hover_text("Runs that were thrown away, also in earlier sessions: bring them back or delete them for good");
        asked
    }

    fn one(&mut self, ui: &mut Ui, thrown: &InTrash, asked: &mut Vec<Request>) {
        let tokens = theme::of(ui);
        let name = thrown.entry.name();
        ui.horizontal(|ui| {
            if ui.small_button("Bring back").on_hover_text(format!("To {}", thrown.trashed.from.display())).clicked() {
                asked.push(Request::BringBack(thrown.trashed.clone()));
            }
            self.delete(ui, Sure::One(thrown.trashed.clone()), "Delete", &name, || asked.push(Request::Delete(thrown.trashed.clone())));
            ui.label(&name).on_hover_text(thrown.trashed.to.display().to_string());
            let when = thrown.thrown.get(..16).map(|when| when.replace('T', " ")).unwrap_or_default();
            let facts = [thrown.entry.facts.model.clone(), widgets::bytes(thrown.bytes), when];
            let facts: Vec<String> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
            ui.add(egui::Label::new(RichText::new(facts.join("  ·  ")).small().color(tokens.weak)).truncate());
        });
    }

    /// What cannot be undone takes two clicks.
    fn delete(&mut self, ui: &mut Ui, what: Sure, name: &str, of: &str, mut done: impl FnMut()) {
        let asked = self.sure.as_ref() == Some(&what);
        let tokens = theme::of(ui);
        let text = if asked { RichText::new("Really delete?").color(tokens.error) } else { RichText::new(name) };
        let response = ui.add(egui::Button::new(text).small()).on_hover_text(format!("Delete {of} from the disk, for good"));
        let label = format!("{} {of}", if asked { "Really delete" } else { name });
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &label));
        if response.clicked() {
            match asked {
                true => {
                    self.sure = None;
                    done();
                }
                false => self.sure = Some(what),
            }
        }
    }
}
