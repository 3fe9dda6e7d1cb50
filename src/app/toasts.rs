//! Messages in the corner of the window. Errors stay until they are closed and keep their details behind a button; everything
//! else goes away by itself.

use eframe::egui::{self, Align2, RichText, Stroke, Ui, vec2};

use super::command::Command;
use super::theme;

/// What kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToastKind {
    /// Something to know.
    Info,
    /// Something that went well.
    Success,
    /// Something that failed.
    Error,
}

/// One message.
#[derive(Debug, Clone)]
pub struct Toast {
    kind: ToastKind,
    text: String,
    details: String,
    action: Option<(&'static str, Command)>,
    open: bool,
    until: Option<f64>,
}

/// All messages, newest last.
#[derive(Default)]
pub struct Toasts {
    list: Vec<Toast>,
}

/// Seconds a message stays.
const STAYS: f64 = 7.0;

/// More would cover the window; the oldest go first.
const MOST: usize = 4;

impl Toasts {
    /// Say something that goes away by itself.
    pub fn tell(&mut self, kind: ToastKind, text: impl Into<String>) {
        self.push(Toast { kind, text: text.into(), details: String::new(), action: None, open: false, until: None });
    }

    /// An error: what happened, and the cause and remedy behind "Details".
    pub fn error(&mut self, text: impl Into<String>, details: impl Into<String>) {
        let (text, details) = (text.into(), details.into());
        tracing::error!("{text}: {details}");
        self.push(Toast { kind: ToastKind::Error, text, details, action: None, open: false, until: None });
    }

    /// A message with a button.
    pub fn offer(&mut self, text: impl Into<String>, button: &'static str, command: Command) {
        self.push(Toast {
            kind: ToastKind::Info,
            text: text.into(),
            details: String::new(),
            action: Some((button, command)),
            open: false,
            until: None,
        });
    }

    /// What was offered has been done, in whichever way.
    pub fn withdraw(&mut self, command: Command) {
        self.list.retain(|toast| toast.action.is_none_or(|(_, offered)| offered != command));
    }

    /// Texts now shown (tests).
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|t| t.text.as_str())
    }

    fn push(&mut self, toast: Toast) {
        // The same thing is said once.
        self.list.retain(|t| t.text != toast.text);
        self.list.push(toast);
        if self.list.len() > MOST {
            self.list.remove(0);
        }
    }

    /// Draw; returns the command of a pressed button.
    pub fn ui(&mut self, ctx: &egui::Context) -> Option<Command> {
        let now = ctx.input(|i| i.time);
        for toast in &mut self.list {
            if toast.kind != ToastKind::Error && toast.action.is_none() && !toast.open {
                let until = *toast.until.get_or_insert(now + STAYS);
                ctx.request_repaint_after_secs((until - now).max(0.0) as f32 + 0.05);
            }
        }
        self.list.retain(|t| t.until.is_none_or(|until| now < until));
        if self.list.is_empty() {
            return None;
        }
        let (mut asked, mut closed) = (None, None);
        egui::Area::new(egui::Id::unique("messages")).anchor(Align2::RIGHT_BOTTOM, vec2(-14.0, -40.0)).order(egui::Order::Foreground).show(
            ctx,
            |ui| {
                let width = 380.0_f32.min(ctx.content_rect().width() - 40.0).max(120.0);
                for (place, toast) in self.list.iter_mut().enumerate() {
                    let (close, command) = one(ui, place, toast, width);
                    if close {
                        closed = Some(place);
                    }
                    asked = asked.or(command);
                }
            },
        );
        if let Some(place) = closed {
            self.list.remove(place);
        }
        asked
    }
}

fn one(ui: &mut Ui, place: usize, toast: &mut Toast, width: f32) -> (bool, Option<Command>) {
    let tokens = theme::of(ui);
    let color = match toast.kind {
        ToastKind::Info => tokens.accent,
        ToastKind::Success => tokens.success,
        ToastKind::Error => tokens.error,
    };
    let (mut close, mut asked) = (false, None);
    let frame = egui::Frame::popup(ui.style()).inner_margin(egui::Margin::symmetric(12, 9));
    let shown = frame.show(ui, |ui| {
        ui.push_id(place, |ui| {
            ui.set_width(width);
            ui.horizontal_top(|ui| {
                ui.vertical(|ui| {
                    ui.set_width(width - 40.0);
                    ui.label(RichText::new(&toast.text).color(tokens.text));
                    if toast.open {
                        ui.label(RichText::new(&toast.details).small().color(tokens.weak));
                    }
                    ui.horizontal(|ui| {
                        if let Some((name, command)) = toast.action
                            && ui.button(name).clicked()
                        {
                            (asked, close) = (Some(command), true);
                        }
                        if !toast.details.is_empty() {
                            let name = if toast.open { "Hide details" } else { "Details" };
                            if ui.small_button(name).clicked() {
                                toast.open = !toast.open;
                            }
                            if ui.small_button("Copy").on_hover_text("Copy message and details").clicked() {
                                ui.ctx().copy_text(format!("{}\n{}", toast.text, toast.details));
                            }
                        }
                    });
                });
                if ui.small_button("×").on_hover_text("Close message").clicked() {
                    close = true;
                }
            });
        });
    });
    let rect = shown.response.rect;
    ui.painter().vline(rect.left() + 2.5, rect.y_range().shrink(7.0), Stroke::new(3.0, color));
    (close, asked)
}
