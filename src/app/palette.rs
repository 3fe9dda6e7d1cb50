//! The command palette (Ctrl+P): type a few letters, press Enter.

use eframe::egui::{self, Align2, Key, Modifiers, RichText, vec2};

use super::command::Command;
use super::theme;

/// Text typed so far and the marked row.
#[derive(Default)]
pub struct Palette {
    open: bool,
    text: String,
    row: usize,
}

/// Rows shown.
const ROWS: usize = 12;

impl Palette {
    /// Open with an empty field, or close.
    pub fn toggle(&mut self) {
        *self = Self { open: !self.open, ..Self::default() };
    }

    /// Draw; returns the chosen command. `list` are the commands that can be used now, with their names.
    pub fn ui(&mut self, ctx: &egui::Context, list: &[(Command, String)]) -> Option<Command> {
        if !self.open {
            return None;
        }
        let (up, down, enter, escape) = ctx.input_mut(|i| {
            let mut key = |key| i.consume_key(Modifiers::NONE, key);
            (key(Key::ArrowUp), key(Key::ArrowDown), key(Key::Enter), key(Key::Escape))
        });
        let found = matching(list, &self.text);
        self.row = match (up, down) {
            (true, false) => self.row.saturating_sub(1),
            (false, true) => self.row + 1,
            _ => self.row,
        }
        .min(found.len().saturating_sub(1));
        let mut chosen = if enter { found.get(self.row).map(|(command, _)| *command) } else { None };
        let width = 460.0_f32.min(ctx.content_rect().width() - 40.0).max(160.0);
        let area = egui::Window::new("Find a command")
            .title_bar(false)
            .resizable(false)
            .anchor(Align2::CENTER_TOP, vec2(0.0, 70.0))
            .fixed_size(vec2(width, 0.0));
        let response = area.show(ctx, |ui| {
            let tokens = theme::of(ui);
            let field = ui.add(egui::TextEdit::singleline(&mut self.text).hint_text("Find a command").desired_width(width));
            field.request_focus();
            if field.changed() {
                self.row = 0;
            }
            ui.add_space(4.0);
            for (place, (command, name)) in found.iter().enumerate().take(ROWS) {
                let shortcut = command.shortcut_text(ui.ctx());
                let button = egui::Button::selectable(place == self.row, name.as_str())
                    .shortcut_text(RichText::new(shortcut).color(tokens.weak))
                    .min_size(vec2(width, 0.0));
                if ui.add(button).on_hover_text(command.tooltip()).clicked() {
                    chosen = Some(*command);
                }
            }
            if found.is_empty() {
                ui.label(RichText::new("No command has these letters").color(tokens.weak));
            }
        });
        let outside = response.is_some_and(|r| r.response.clicked_elsewhere());
        if chosen.is_some() || escape || outside {
            self.open = false;
        }
        chosen
    }
}

/// Commands whose name has every typed word, those that start with the text first.
fn matching<'a>(list: &'a [(Command, String)], text: &str) -> Vec<&'a (Command, String)> {
    let text = text.trim().to_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut found: Vec<&(Command, String)> =
        list.iter().filter(|(_, name)| words.iter().all(|word| name.to_lowercase().contains(word))).collect();
    found.sort_by_key(|(_, name)| !name.to_lowercase().starts_with(&text));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_may_come_in_any_order_and_starts_come_first() {
        let list: Vec<(Command, String)> = Command::all().into_iter().map(|c| (c, c.name(&["Train"]))).collect();
        let first = |text: &str| matching(&list, text).first().map(|(c, _)| *c);
        assert_eq!(first("training start"), Some(Command::Train));
        assert_eq!(first("about"), Some(Command::About));
        assert_eq!(first("zzz"), None);
        assert_eq!(matching(&list, "").len(), list.len());
    }
}
