//! The Synapses view: inferred connections over time beside the true ones, one by one or all at once.

mod all;
mod course;
mod one;

use eframe::egui::Ui;

use self::course::{Course, Settings};
use super::netformer_part::{Following, Network, Shown, pick_unit, short_name};
use super::{View, ViewContext, widgets};
use crate::render::heatmap::Heatmap;

/// What is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    One,
    All,
}

/// The Synapses view.
#[derive(Default)]
pub struct SynapsesView {
    mode: Mode,
    network: Network,
    courses: Following<Settings, Course>,
    /// Receiving and sending unit; `None` until the user picks: then the best one is shown.
    picked: Option<(usize, usize)>,
    /// Length of the moving average, seconds; `None` as published.
    average_s: Option<f64>,
    pictures: [Heatmap; 2],
    /// Grows with every course drawn as a map.
    version: (u64, u64),
}

impl View for SynapsesView {
    fn title(&self) -> &'static str {
        "Synapses"
    }

    fn help(&self) -> &'static str {
        "Attention between two units over time, as moving averages, and dashed the true weight where a simulation knows it, moved and stretched to the same mean and spread: only its course can be compared. \
         All shows every connection that changes (else the strongest ones) as rows, each from its own smallest to its own largest value, those that follow the truth best at the top. \
         r is the correlation in time of the two; stretches that were not used for training are shaded, and a click on a row or a small plot picks that connection."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(shown) = self.network.shown(ui, context, "No synapses yet", "how single connections change in time") else { return };
        let settings = Settings::new(&shown, self.picked, self.average_s);
        let theirs = settings.clone();
        let name = |unit: usize| short_name(shown.run, shown.snapshot, unit);
        let pair = |(receiving, sending): (usize, usize)| format!("{} → {}", name(sending), name(receiving));
        self.courses.get(ui, "synapses", &settings, &shown.model, move |model, watch| Course::compute(model, &theirs, watch));
        let course = self.courses.latest();
        let chosen = course.and_then(|c| c.chosen(self.picked));
        self.controls(ui, &shown, chosen);
        self.courses.progress(ui, "attention over time");
        let Some(course) = self.courses.latest() else {
            widgets::note(ui, "Attention over time is being computed");
            return;
        };
        headline(ui, course);
        let clicked = match self.mode {
            Mode::One => one::show(ui, course, chosen, &pair),
            Mode::All => {
                if self.version.1 != course.number {
                    self.version = (self.version.0 + 1, course.number);
                }
                all::show(ui, course, &mut self.pictures, self.version.0, &pair)
            }
        };
        if let Some(entry) = clicked {
            self.picked = Some(entry);
            self.mode = Mode::One;
            let unit = |column: usize| shown.model.units().get(column).copied();
            context.selection.unit_pair = unit(entry.1).zip(unit(entry.0));
        }
    }
}

impl SynapsesView {
    fn controls(&mut self, ui: &mut Ui, shown: &Shown<'_>, chosen: Option<usize>) {
        let entry = chosen.and_then(|at| self.courses.latest()?.entries.get(at).copied());
        ui.horizontal_wrapped(|ui| {
            let modes = [
                (Mode::One, "One", "One connection over time, and the best, a middling and the worst one"),
                (Mode::All, "All", "All connections over time, inferred and true"),
            ];
            widgets::segmented(ui, &mut self.mode, &modes);
            ui.separator();
            if self.mode == Mode::One {
                let name = |unit: usize| short_name(shown.run, shown.snapshot, unit);
                let before = entry.or(self.picked).unwrap_or((0, 1.min(shown.model.units().len().saturating_sub(1))));
                let (mut receiving, mut sending) = before;
                pick_unit(ui, "From", &mut sending, shown.model.units().len(), &name);
                pick_unit(ui, "To", &mut receiving, shown.model.predicted(), &name);
                if (receiving, sending) != before {
                    self.picked = Some((receiving, sending));
                }
                if self.picked.is_some()
                    && ui.button("Best").on_hover_text("The connection that follows the truth best, else the strongest").clicked()
                {
                    self.picked = None;
                }
                ui.separator();
            }
            let longest = shown.model.all_windows().len() as f64 * shown.model.bin_s() / 2.0;
            let mut seconds = self.average_s.unwrap_or_else(|| course::published_average(&shown.model));
            if widgets::amount(ui, "Moving average", &mut seconds, 0.0..=longest, "s", longest / 500.0) {
                self.average_s = Some(seconds);
            }
            if self.average_s.is_some()
                && ui
                    .button("Usual")
                    .on_hover_text("10 000 bins; a tenth of a shorter recording of spikes; nothing for short continuous activity")
                    .clicked()
            {
                self.average_s = None;
            }
        });
    }
}

fn headline(ui: &mut Ui, course: &Course) {
    ui.horizontal_wrapped(|ui| {
        if let Some((mean, median)) = course.agreement() {
            let number = |value: f64| widgets::number(value, 3);
            let positive = course.r.iter().filter(|r| **r > 0.0).count();
            let n = course.r.iter().filter(|r| r.is_finite()).count();
            let text =
                format!("correlation in time with the truth: median {}, mean {}, {positive} of {n} positive", number(median), number(mean));
            ui.strong(text);
        } else if course.truth.is_some() {
            widgets::note(ui, "The true weights do not change, so that there is no correlation in time");
        }
        widgets::note(ui, course.words());
    });
}
