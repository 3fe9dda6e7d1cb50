//! Which time attention is shown of: its mean, or the mean over a range that can be moved and played.

use std::sync::Arc;

use eframe::egui::{self, Ui};
use ndarray::Array2;

use super::maps::AtTime;
use crate::training::{NetFormerModel, NetFormerSnapshot, Snapshot};
use crate::views::netformer_part::Following;
use crate::views::{RunState, Selection, widgets};

/// Multiplications that one range may take.
const WORK: f64 = 4e9;
/// Windows of a range at first, and seconds in which the whole recording is played.
const FIRST: usize = 100;
const PLAYED_S: f64 = 30.0;

/// Over which windows attention is averaged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum When {
    #[default]
    Mean,
    /// A range of time.
    Range,
}

/// First window among all, and how many.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Settings {
    from: usize,
    length: usize,
}

/// A range of time.
#[derive(Default)]
pub struct Range {
    pub when: When,
    from: usize,
    length: Option<usize>,
    playing: bool,
    work: Following<Settings, (Settings, u64, Arc<Array2<f32>>)>,
}

impl Range {
    pub fn choose(&mut self, ui: &mut Ui) {
        let when = [
            (When::Mean, "Mean", "Mean over the validation windows"),
            (When::Range, "Range of time", "Mean over a range of time that can be moved and played"),
        ];
        widgets::segmented(ui, &mut self.when, &when);
    }

    /// Controls of the range, and what is to be shown with a number that tells it apart; 0 is the mean over all.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        model: Option<&Arc<NetFormerModel>>,
        run: &RunState,
        snapshot: &Snapshot,
        own: &NetFormerSnapshot,
        selection: &mut Selection,
    ) -> (u64, AtTime) {
        const MEAN: (u64, AtTime) = (0, AtTime::Mean);
        if self.when == When::Mean {
            self.playing = false;
            return MEAN;
        }
        let Some(model) = model else { return stretch(ui, run, snapshot, own, selection).unwrap_or(MEAN) };
        let all = model.all_windows();
        let length = self.length.unwrap_or(FIRST).clamp(1, all.len().max(1));
        let last = all.len().saturating_sub(length);
        self.from = self.from.min(last);
        let settings = Settings { from: self.from, length };
        let key = model.key();
        self.work.get(ui, "range of attention", &settings, model, move |model, _| {
            let windows = model.all_windows().get(settings.from..settings.from + settings.length).unwrap_or_default();
            let most = (WORK / model.cost()).max(1.0) as usize;
            let few: Vec<usize> = windows.iter().copied().step_by(windows.len().div_ceil(most).max(1)).collect();
            Some((settings, model.key(), Arc::new(model.mean(&few))))
        });
        self.controls(ui, model, length, last, selection);
        let Some((shown, of, matrix)) = self.work.latest() else { return MEAN };
        if self.playing && *shown == settings && *of == key {
            // The next range only when this one is drawn: work that is too slow slows the play down.
            let seconds = f64::from(ui.input(|i| i.stable_dt.min(0.25)));
            let by = (seconds / PLAYED_S * all.len() as f64).ceil().max(1.0) as usize;
            (self.from, self.playing) = if self.from >= last { (last, false) } else { ((self.from + by).min(last), true) };
        }
        if self.playing {
            ui.ctx().request_repaint();
        }
        let number = 1 + ((shown.from as u64) << 24 ^ shown.length as u64 ^ of.rotate_left(13));
        (number, AtTime::Range(Arc::clone(matrix)))
    }

    fn controls(&mut self, ui: &mut Ui, model: &NetFormerModel, length: usize, last: usize, selection: &mut Selection) {
        let all = model.all_windows();
        let seconds = |place: f64| all.get(place as usize).map_or(0.0, |w| model.seconds(*w));
        ui.horizontal_wrapped(|ui| {
            let before = self.from;
            let (words, help) = if self.playing { ("Hold", "Stop here") } else { ("Play", "Move the range through the recording") };
            if ui.button(words).on_hover_text(help).clicked() {
                self.playing = !self.playing;
                if self.playing && self.from >= last {
                    self.from = 0;
                }
            }
            let label = widgets::caption(ui, "From", 220.0);
            ui.spacing_mut().slider_width = 180.0;
            let slider = egui::Slider::new(&mut self.from, 0..=last)
                .custom_formatter(|place, _| format!("{} s", widgets::number(seconds(place), 5)));
            if ui.add(slider).labelled_by(label.id).changed() {
                self.playing = false;
            }
            let bin_s = model.bin_s();
            let mut long = length as f64 * bin_s;
            if widgets::amount(ui, "Mean over", &mut long, bin_s..=all.len() as f64 * bin_s, "s", bin_s * 2.0) {
                self.length = Some((long / bin_s).round().max(1.0) as usize);
            }
            if before != self.from || self.playing {
                selection.cursor = Some(seconds(self.from as f64));
            }
            self.work.progress(ui, "attention in this range");
        });
    }
}

/// Without the network: one of the stretches that the run kept.
fn stretch(ui: &mut Ui, run: &RunState, snapshot: &Snapshot, own: &NetFormerSnapshot, selection: &mut Selection) -> Option<(u64, AtTime)> {
    let starts = run.data.as_ref().map_or(&[][..], |data| data.1.starts.as_slice());
    let place = snapshot.trials.iter().position(|t| t.trial == selection.trial).unwrap_or(0);
    ui.horizontal_wrapped(|ui| {
        let label = widgets::caption(ui, "Kept stretch", 160.0);
        let mut at = place;
        let words = |at: usize| {
            let trial = snapshot.trials.get(at).map_or(0, |t| t.trial);
            starts.get(trial).map_or_else(|| format!("number {}", trial + 1), |s| format!("{} s", widgets::number(*s, 5)))
        };
        ui.spacing_mut().slider_width = 140.0;
        let slider = egui::Slider::new(&mut at, 0..=snapshot.trials.len().saturating_sub(1)).custom_formatter(|at, _| words(at as usize));
        if ui.add(slider).labelled_by(label.id).changed()
            && let Some(trial) = snapshot.trials.get(at)
        {
            selection.trial = trial.trial;
        }
        widgets::note(ui, "only these stretches were kept; the network is needed for any other time");
    });
    (place < own.stretches.len()).then_some((place as u64 + 1, AtTime::Stretch(place)))
}
