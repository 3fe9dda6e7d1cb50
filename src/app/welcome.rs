//! The first page: open a recording, try the demo, take up a recent file, or give a path.

use eframe::egui::{self, RichText, Ui, vec2};

use super::command::Command;
use super::open::{Opening, Request, typed_path};
use super::settings::Settings;
use super::theme;
use crate::views::widgets;

/// What the user asked for on the page.
pub enum Wish {
    /// A command.
    Command(Command),
    /// A file.
    Open(Request),
}

/// Draw the page; `missing` tells for every recent file whether it is gone.
pub fn ui(ui: &mut Ui, settings: &Settings, missing: &[bool], opening: Option<&Opening>, path: &mut String) -> Option<Wish> {
    let mut wish = None;
    let width = 560.0_f32.min(ui.available_width() - 24.0).max(150.0);
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.vertical_centered(|ui| {
            ui.add_space((ui.ctx().content_rect().height() * 0.10).clamp(8.0, 110.0));
            ui.allocate_ui(vec2(width, 10.0), |ui| {
                ui.vertical(|ui| {
                    ui.set_width(width);
                    wish = page(ui, settings, missing, opening, path, width);
                });
            });
        });
    });
    wish
}

fn page(ui: &mut Ui, settings: &Settings, missing: &[bool], opening: Option<&Opening>, path: &mut String, width: f32) -> Option<Wish> {
    let tokens = theme::of(ui);
    let mut wish = None;
    emblem(ui, width);
    ui.label(RichText::new("Spikescope").size(34.0).color(tokens.text));
    ui.label(
        RichText::new("Open a spike recording, train a model of how areas influence each other, and watch what it learns.")
            .size(15.0)
            .color(tokens.weak),
    );
    ui.add_space(16.0);
    if let Some(opening) = opening {
        widgets::card(ui, |ui| progress(ui, opening));
        return None;
    }
    let narrow = width < 420.0;
    let choice = |ui: &mut Ui, title: &str, text: &str, primary: bool| -> bool {
        let button_width = if narrow { width } else { (width - 12.0) / 2.0 };
        ui.allocate_ui(vec2(button_width, 96.0), |ui| {
            ui.set_width(button_width);
            widgets::card(ui, |ui| {
                ui.vertical(|ui| {
                    ui.set_min_height(78.0);
                    let button = if primary { widgets::primary(ui, title) } else { egui::Button::new(title) };
                    let clicked = ui.add(button.min_size(vec2(0.0, 30.0))).clicked();
                    ui.label(RichText::new(text).small().color(tokens.weak));
                    clicked
                })
                .inner
            })
        })
        .inner
    };
    let mut layout = |ui: &mut Ui| {
        if choice(ui, "Open a recording…", "A file with spike times. You can also drop files or a folder anywhere on this window.", true)
        {
            wish = Some(Wish::Command(Command::Open));
        }
        if choice(
            ui,
            "Try the demo",
            "Two simulated areas, of which one drives the other. The coupling is known, so you see what the model gets right.",
            false,
        ) {
            wish = Some(Wish::Command(Command::OpenDemo));
        }
    };
    if narrow {
        ui.vertical(layout);
    } else {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 12.0;
            layout(ui);
        });
    }
    ui.add_space(6.0);
    if ui.link("Open a folder…").on_hover_text(Command::OpenFolder.tooltip()).clicked() {
        wish = Some(Wish::Command(Command::OpenFolder));
    }
    ui.add_space(6.0);
    if let Some(request) = path_field(ui, path, false) {
        wish = Some(Wish::Open(request));
    }
    ui.add_space(10.0);
    if !settings.recent.is_empty() {
        widgets::section(ui, "Recent");
        for (index, recent) in settings.recent.iter().enumerate() {
            let name = recent.file_name().map_or_else(|| recent.display().to_string(), |n| n.to_string_lossy().into_owned());
            let folder = recent.parent().map(|p| p.display().to_string()).unwrap_or_default();
            ui.horizontal(|ui| {
                if missing.get(index).copied().unwrap_or(false) {
                    ui.add_enabled(false, egui::Label::new(&name)).on_disabled_hover_text("This file is not there any more");
                } else if ui.link(&name).on_hover_text(recent.display().to_string()).clicked() {
                    wish = Some(Wish::Command(Command::OpenRecent(index)));
                }
                ui.add(egui::Label::new(RichText::new(folder).small().color(tokens.weak)).truncate());
            });
        }
        ui.add_space(10.0);
    }
    widgets::note(ui, "Couplings are associations given each area's own slow dynamics. They are not proof of a causal connection.");
    wish
}

/// What is being opened, how far it is, and a way out; also for the status bar.
pub fn progress(ui: &mut Ui, opening: &Opening) {
    let tokens = theme::of(ui);
    let doing = opening.doing();
    let size = opening.size().map(|size| format!(" ({size})")).unwrap_or_default();
    let text = match doing.is_empty() {
        true => format!("Opening {}{size}", opening.request.name()),
        false => format!("Opening {}{size}: {doing}", opening.request.name()),
    };
    ui.horizontal_wrapped(|ui| {
        ui.label(&text);
        widgets::bar(ui, opening.fraction(), 110.0, tokens.accent, &text);
        if ui.small_button("Cancel").on_hover_text("Stop opening").clicked() {
            opening.cancel();
        }
    });
}

/// What the program is about, as a drawing: spikes of one area, the filter by which they act, spikes of another area.
fn emblem(ui: &mut Ui, width: f32) {
    if ui.ctx().content_rect().height() < 420.0 {
        return;
    }
    let tokens = theme::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(width, 76.0), egui::Sense::hover());
    widgets::describe(&response, "Spikes of one area, a coupling filter, spikes of another area");
    let block = rect.width() * 0.36;
    for (area, left) in [(0, rect.left()), (1, rect.right() - block)] {
        spikes(ui, egui::Rect::from_min_size(egui::pos2(left, rect.top()), vec2(block, rect.height())), area, tokens.category(area));
    }
    let middle = egui::Rect::from_min_max(
        egui::pos2(rect.left() + block + 18.0, rect.top() + 6.0),
        egui::pos2(rect.right() - block - 18.0, rect.bottom() - 10.0),
    );
    let points = (0..=60).map(|i| {
        let t = f64::from(i) / 10.0;
        [t, t * (1.0 - t).exp()]
    });
    let curve = widgets::Curve { points: points.collect(), color: tokens.category(0), dashed: false };
    ui.painter().hline(middle.x_range(), middle.bottom(), egui::Stroke::new(1.0, tokens.line));
    widgets::small_plot(ui, middle.expand2(vec2(0.0, 1.5)), (0.0, 6.0), (0.0, 1.04), &[curve], tokens);
}

/// Ticks that look like spikes, the same in every session.
fn spikes(ui: &Ui, rect: egui::Rect, seed: usize, color: egui::Color32) {
    const ROWS: usize = 7;
    let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ (seed as u64 + 1).wrapping_mul(0x9e37_79b9);
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let height = rect.height() / ROWS as f32;
    for row in 0..ROWS {
        let y = rect.top() + row as f32 * height;
        let mut x = rect.left();
        while x < rect.right() {
            ui.painter().vline(x, egui::Rangef::new(y + 1.5, y + height - 1.5), egui::Stroke::new(1.4, color));
            // A swell in the middle of the block, later in the second area.
            let place = (x - rect.left()) / rect.width();
            let swell = (-((place - 0.45 - 0.12 * seed as f32) / 0.14).powi(2)).exp();
            x += 2.0 + (26.0 - 21.0 * swell) * (0.15 + random());
        }
    }
}

/// A field for a path: works on machines without a file dialog.
pub fn path_field(ui: &mut Ui, path: &mut String, focus: bool) -> Option<Request> {
    let mut wish = None;
    ui.horizontal(|ui| {
        let label = ui.label("Path");
        let width = (ui.available_width() - 64.0).max(60.0);
        let field = ui.add(egui::TextEdit::singleline(path).hint_text("/data/recording.nwb").desired_width(width)).labelled_by(label.id);
        if focus {
            field.request_focus();
        }
        let entered = field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
        let ready = !path.trim().is_empty();
        if (ui.add_enabled(ready, egui::Button::new("Open")).on_disabled_hover_text("Type or paste the path of a file or folder").clicked()
            || entered)
            && ready
        {
            wish = Some(Request::File(typed_path(path)));
        }
    });
    wish
}
