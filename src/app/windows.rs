//! Small windows: shortcuts and help, about, settings, a path to open, and the question what to do with a running training.

use std::path::PathBuf;

use eframe::egui::{self, RichText, vec2};

use super::command::Command;
use super::open::Request;
use super::settings::{Settings, ThemeChoice};
use super::system_report::SystemReport;
use super::{theme, welcome};
use crate::views::widgets;

/// Which small windows are open.
#[derive(Default)]
pub struct Windows {
    /// Shortcuts and help.
    pub help: bool,
    /// About.
    pub about: bool,
    /// Settings.
    pub settings: bool,
    /// The system report.
    pub system: SystemReport,
    /// A path to open.
    pub path: bool,
    /// It was open in the last frame: opening puts the keyboard into its field.
    path_was: bool,
    runs_text: Option<String>,
}

impl Windows {
    /// Close the topmost of them (Escape).
    pub fn close_one(&mut self) {
        for open in [&mut self.path, &mut self.about, &mut self.system.open, &mut self.settings, &mut self.help] {
            if std::mem::take(open) {
                return;
            }
        }
    }

    /// Draw those that are open; returns a path to open.
    pub fn ui(
        &mut self,
        ctx: &egui::Context,
        titles: &[&'static str],
        settings: &mut Settings,
        path: &mut String,
        runs: Option<&PathBuf>,
    ) -> Option<Request> {
        help(ctx, &mut self.help, titles);
        about(ctx, &mut self.about);
        self.settings_window(ctx, settings, runs);
        let mut wish = None;
        let opened = self.path && !std::mem::replace(&mut self.path_was, self.path);
        if self.path {
            let mut open = true;
            window("Open a path", &mut open, ctx, vec2(460.0, 90.0)).show(ctx, |ui| {
                ui.label("Type or paste the path of a recording:");
                wish = welcome::path_field(ui, path, opened);
            });
            self.path = open && wish.is_none();
        }
        wish
    }

    fn settings_window(&mut self, ctx: &egui::Context, settings: &mut Settings, runs: Option<&PathBuf>) {
        let mut open = self.settings;
        window("Settings", &mut open, ctx, vec2(440.0, 330.0)).show(ctx, |ui| {
            widgets::section(ui, "Theme");
            let choices = ThemeChoice::ALL.map(|choice| (choice, choice.name(), "Colours of the window"));
            widgets::segmented(ui, &mut settings.theme, &choices);
            widgets::section(ui, "After opening");
            ui.checkbox(&mut settings.show_report, "Say in a line what was assumed, repaired or left out");
            answers(ui, settings);
            widgets::section(ui, "Runs");
            let label = ui.label("Folder for training runs");
            let text = self.runs_text.get_or_insert_with(|| settings.runs.as_ref().map(|p| p.display().to_string()).unwrap_or_default());
            let default = runs.map_or_else(|| "runs are not written".to_owned(), |p| p.display().to_string());
            if ui.add(egui::TextEdit::singleline(text).hint_text(default).desired_width(f32::INFINITY)).labelled_by(label.id).changed() {
                settings.runs = (!text.trim().is_empty()).then(|| super::open::typed_path(text));
            }
            ui.add_space(6.0);
            if ui.button("Forget recent files").on_hover_text("Empty the recent list").clicked() {
                settings.recent.clear();
            }
        });
        self.settings = open;
        if !open {
            self.runs_text = None;
        }
    }
}

/// Answers remembered for kinds of files, each with a way to forget it.
fn answers(ui: &mut egui::Ui, settings: &mut Settings) {
    if settings.answers.is_empty() {
        return;
    }
    let mut forget = None;
    ui.label("Answers remembered for imports");
    for (shape, answers) in &settings.answers {
        ui.horizontal(|ui| {
            let told: Vec<String> = answers.iter().map(|(key, value)| format!("{key} = {value}")).collect();
            if ui.small_button("Forget").on_hover_text(format!("Forget the answers for {shape}")).clicked() {
                forget = Some(shape.clone());
            }
            ui.add(egui::Label::new(format!("{shape}: {}", told.join(", "))).truncate()).on_hover_text(told.join("\n"));
        });
    }
    if let Some(shape) = forget {
        settings.answers.remove(&shape);
    }
}

fn window<'a>(title: &'static str, open: &'a mut bool, ctx: &egui::Context, size: egui::Vec2) -> egui::Window<'a> {
    let room = ctx.content_rect().size() - vec2(50.0, 90.0);
    egui::Window::new(title)
        .open(open)
        .collapsible(false)
        .default_size(size.min(room.max(vec2(80.0, 60.0))))
        .pivot(egui::Align2::CENTER_CENTER)
        .default_pos(ctx.content_rect().center())
        .vscroll(true)
}

/// Mouse and keys that belong to one kind of view, which no command of the whole window has.
const KEYS: &[(&str, &[(&str, &str)])] = &[
    (
        "In plots",
        &[
            ("Drag", "Pan"),
            ("Wheel", "Zoom at the pointer"),
            ("Shift or right drag", "Zoom into a box"),
            ("Ctrl + drag", "Select the rows of a box (raster)"),
            ("Double click", "Show everything"),
            ("Tab, Shift+Tab", "To the next or previous control, plot or list"),
            ("Enter, Space", "Press, open or choose what has the focus"),
        ],
    ),
    (
        "Raster with the focus",
        &[
            ("↑ ↓", "Select the row above or below (Shift adds it)"),
            ("+ −", "Higher or lower rows"),
            ("Page up, Page down", "Scroll the rows"),
        ],
    ),
    (
        "Names of groups beside the raster with the focus",
        &[
            ("↑ ↓", "Go to the group above or below"),
            ("Enter", "Select its units (Shift adds)"),
            ("← →", "Collapse or open it"),
            ("Alt+↑ Alt+↓", "Move it up or down"),
        ],
    ),
    (
        "Other views with the focus",
        &[
            ("← → Home End Z", "Move and zoom time (rate map, population rate, map of the recording)"),
            ("↑ ↓", "Go from row to row (trials below a PSTH, rate map, unit table)"),
            ("Arrows, Enter", "Go from cell to cell and choose one (count correlations)"),
        ],
    ),
];

fn help(ctx: &egui::Context, open: &mut bool, titles: &[&'static str]) {
    window("Shortcuts and help", open, ctx, vec2(520.0, 460.0)).show(ctx, |ui| {
        let tokens = theme::of(ui);
        ui.label("Open a recording or try the demo, look at it in the Raster, then press Start training in the Train view. Couplings appear while the model learns.");
        ui.label("Every view explains itself behind its “?” button.");
        widgets::section(ui, "Shortcuts");
        egui::Grid::new("shortcuts").num_columns(2).spacing([24.0, 4.0]).show(ui, |ui| {
            for command in Command::all() {
                // Nine lines of recent files say no more than one.
                let shortcut = command.shortcut_text(ui.ctx());
                if shortcut.is_empty() || matches!(command, Command::OpenRecent(1..)) {
                    continue;
                }
                let recent = command == Command::OpenRecent(0);
                ui.label(RichText::new(if recent { format!("{shortcut} … 9") } else { shortcut }).monospace());
                ui.label(if recent { "Open a recent recording".to_owned() } else { command.name(titles) });
                ui.end_row();
            }
        });
        for (title, lines) in KEYS {
            widgets::section(ui, title);
            egui::Grid::new(*title).num_columns(2).spacing([24.0, 4.0]).show(ui, |ui| {
                for (what, does) in *lines {
                    ui.label(RichText::new(*what).monospace());
                    ui.label(*does);
                    ui.end_row();
                }
            });
        }
        ui.add_space(6.0);
        ui.label(RichText::new("A coupling is an association given each area's own slow dynamics. It is not proof of a causal connection.").color(tokens.weak));
    });
}

fn about(ctx: &egui::Context, open: &mut bool) {
    window("About Spikescope", open, ctx, vec2(440.0, 220.0)).show(ctx, |ui| {
        ui.label(RichText::new(format!("Spikescope {}", env!("CARGO_PKG_VERSION"))).size(18.0));
        ui.label(
            "Opens spike recordings, trains models of neural interaction in the background, and shows what they learn while they learn it.",
        );
        ui.label("The GLM-Transformer follows Xin and Kass (arXiv 2506.02263), implemented from its equations.");
        ui.label("Licence: MIT or Apache 2.0. Nothing is sent anywhere; all work is done on this computer.");
    });
}

/// What to do once a running training is out of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// Close the window.
    Quit,
    /// Open something else.
    Open(Request),
    /// Close the recording.
    Close,
}

impl Then {
    fn verb(&self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Open(_) => "open",
            Self::Close => "close",
        }
    }
}

/// The user's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Close the window and train to the end without it.
    GoOn,
    /// Stop, keep what was learned, then go on.
    Keep,
    /// Stop, keep nothing, then go on.
    Discard,
    /// Leave everything as it is.
    Cancel,
}

/// Ask what to do with the running training. Without a folder for runs (`written`) nobody would have anything of a training that
/// goes on.
pub fn question(ctx: &egui::Context, then: &Then, written: bool) -> Option<Answer> {
    let mut answer = None;
    let frame = egui::Frame::popup(&ctx.global_style()).inner_margin(18.0);
    let modal = egui::Modal::new(egui::Id::unique("training runs")).frame(frame).show(ctx, |ui| {
        ui.set_width(380.0_f32.min(ctx.content_rect().width() - 40.0));
        ui.label(RichText::new("A training is running").size(16.0));
        ui.label("Keep what it has learned so far? It is evaluated and written to its run folder first, which takes a moment.");
        let can_go_on = written && *then == Then::Quit;
        if can_go_on {
            ui.label("Or let it train to its end without the window: the program then ends by itself, and the run is in its folder.");
        }
        ui.add_space(8.0);
        ui.horizontal_wrapped(|ui| {
            if can_go_on && ui.button("Keep training without the window").clicked() {
                answer = Some(Answer::GoOn);
            }
            if ui.add(widgets::primary(ui, &format!("Keep and {}", then.verb()))).clicked() {
                answer = Some(Answer::Keep);
            }
            if ui.button(format!("Discard and {}", then.verb())).clicked() {
                answer = Some(Answer::Discard);
            }
            if ui.button("Cancel").clicked() {
                answer = Some(Answer::Cancel);
            }
        });
    });
    if answer.is_none() && modal.should_close() {
        answer = Some(Answer::Cancel);
    }
    answer
}
