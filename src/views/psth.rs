//! The PSTH view: rates around an event, per unit or per area, split by any condition, with bands and what a model predicts.

mod compute;
mod panel;
mod trials;

use std::sync::Arc;

use eframe::egui::Ui;

use super::alignment::{Alignment, Groups};
use super::work::Background;
use super::{Selection, View, ViewContext, widgets};
use crate::analysis::aligned::{Band, EventWindow};
use crate::app::theme;
use crate::recording::Recording;
use crate::render::axis::duration_text;
use compute::{Job, Psth, Subject};

/// Panels drawn at most; a view with more says so.
const MOST_PANELS: usize = 16;
/// Bins at most: more than pixels shows nothing more.
const MOST_BINS: f64 = 1000.0;
/// Resamplings of a bootstrap band.
const BOOTSTRAP: u32 = 500;

/// Units or areas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Show {
    #[default]
    Units,
    Areas,
}

/// Which band.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum BandKind {
    Hidden,
    #[default]
    StandardError,
    Bootstrap,
}

/// The PSTH view.
pub struct PsthView {
    alignment: Alignment,
    show: Show,
    band: BandKind,
    /// Before and after the event, seconds; chosen when a recording is first shown.
    before_s: f64,
    after_s: f64,
    bin_ms: f64,
    sd_ms: f64,
    /// Settings that a narrow view hides are shown.
    more: bool,
    /// Recording for which the window was chosen.
    chosen_for: Option<String>,
    work: Background<Job, Psth>,
}

impl Default for PsthView {
    fn default() -> Self {
        Self {
            alignment: Alignment::default(),
            show: Show::default(),
            band: BandKind::default(),
            before_s: 0.2,
            after_s: 0.5,
            bin_ms: 10.0,
            sd_ms: 15.0,
            more: false,
            chosen_for: None,
            work: Background::default(),
        }
    }
}

impl View for PsthView {
    fn title(&self) -> &'static str {
        "PSTH"
    }

    fn help(&self) -> &'static str {
        "The mean firing rate around an event, of the selected units or of whole areas, with a band of uncertainty; split trials by any column to compare conditions. \
         Trials chosen in other views (for example brushed among the latents) restrict it, a single unit also shows its spikes trial by trial, and a dashed line is what the model predicts for the trials it has published. \
         Click a panel's name to select that unit or area everywhere, and a row of the trials to select that trial and put the cursor at its event."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(recording) = context.recording else {
            super::nothing_open(ui, context, "Open a recording to see rates around its events.");
            return;
        };
        self.choose_window(recording, context);
        self.controls(ui, recording, context);
        if let Some(run) = context.run.filter(|run| run.snapshot.is_some()) {
            // Predictions come with the trials that somebody looks at.
            *context.looks_at_run |= run.data.is_some();
        }
        let Some(groups) = self.alignment.resolve(recording, context.run, &context.selection.trials) else {
            let text =
                "A PSTH needs events: a table of trials or stimuli in the file, or the trials of a run. Train a model once to have trials.";
            widgets::empty(ui, "The recording has no events", text, None);
            return;
        };
        if groups.groups.is_empty() {
            widgets::empty(ui, "No trial is left", "Clear the selected trials, or choose another event.", None);
            return;
        }
        let (subjects, all) = self.subjects(recording, context.selection);
        let job = self.job(recording, context, groups, subjects);
        let theirs = job.clone();
        self.work.watched(ui.ctx(), "psth", &job, move |watch| compute::psth(&theirs, watch));
        self.work.progress(ui, "PSTH");
        let Some(psth) = self.work.latest().filter(|p| Arc::ptr_eq(&p.job.recording, recording)) else {
            if self.work.is_running() {
                ui.spinner();
            }
            return;
        };
        notes(ui, psth, self.band, all);
        panel::panels(ui, psth, context);
    }
}

impl PsthView {
    /// A window that shows most of a trial, once per recording.
    fn choose_window(&mut self, recording: &Arc<Recording>, context: &ViewContext<'_>) {
        if self.chosen_for.as_ref() == Some(&recording.fingerprint) {
            return;
        }
        self.chosen_for = Some(recording.fingerprint.clone());
        self.alignment = Alignment::default();
        let groups = self.alignment.resolve(recording, context.run, &super::TrialSet::default());
        let length = groups.map_or(0.5, |g| g.length_s).clamp(0.1, 3.0);
        self.after_s = (length * 20.0).round() / 20.0;
        self.before_s = (length * 4.0).round() / 20.0;
        (self.bin_ms, self.sd_ms) = if length > 1.0 { (20.0, 30.0) } else { (10.0, 15.0) };
    }

    fn controls(&mut self, ui: &mut Ui, recording: &Recording, context: &mut ViewContext<'_>) {
        // In a narrow view the plots need the room more than settings that rarely change.
        let narrow = ui.available_width() < 520.0;
        ui.horizontal_wrapped(|ui| {
            let shows = [
                (Show::Units, "By unit", "One panel per selected unit"),
                (Show::Areas, "By area", "One panel per area: mean over its units"),
            ];
            widgets::segmented(ui, &mut self.show, &shows);
            self.alignment.controls(ui, recording, context.run);
            if narrow {
                ui.toggle_value(&mut self.more, "Window and bins");
            }
            if !narrow || self.more {
                self.details(ui);
            }
            if !context.selection.trials.rows.is_empty() && ui.button("Clear selected trials").clicked() {
                context.selection.trials = super::TrialSet::default();
            }
        });
    }

    /// Window, bins, smoothing and band.
    fn details(&mut self, ui: &mut Ui) {
        widgets::amount(ui, "Before", &mut self.before_s, 0.0..=60.0, "s", 0.01);
        widgets::amount(ui, "After", &mut self.after_s, 0.01..=60.0, "s", 0.01);
        widgets::amount(ui, "Bin", &mut self.bin_ms, 0.5..=1000.0, "ms", 0.2);
        widgets::amount(ui, "Smoothing SD", &mut self.sd_ms, 0.0..=1000.0, "ms", 0.2);
        widgets::caption(ui, "Band", 190.0);
        let bands = [
            (BandKind::Hidden, "None", "No band"),
            (BandKind::StandardError, "SEM", "One standard error of the mean on either side"),
            (BandKind::Bootstrap, "Bootstrap", "Central 95 % of the means of resampled trials"),
        ];
        widgets::segmented(ui, &mut self.band, &bands);
    }

    /// Bin width, seconds: as asked for, but not so narrow that a wide window has too many bins.
    fn bin_s(&self) -> f64 {
        (self.bin_ms / 1e3).max((self.before_s + self.after_s) / MOST_BINS)
    }

    /// What gets a panel, and how many there would be without a limit.
    fn subjects(&self, recording: &Recording, selection: &Selection) -> (Vec<Subject>, usize) {
        let areas: Vec<Subject> = (0..recording.areas.len())
            .filter(|a| selection.areas.is_empty() || selection.areas.contains(a))
            .filter_map(|area| {
                let units = recording.units_of_area(area);
                if units.is_empty() { None } else { Some(Subject { area, units, unit: None }) }
            })
            .collect();
        if self.show == Show::Areas || selection.units.is_empty() {
            let all = areas.len();
            return (areas.into_iter().take(MOST_PANELS).collect(), all);
        }
        let unit = |&unit: &usize| Some(Subject { area: *recording.units.area.get(unit)?, units: vec![unit], unit: Some(unit) });
        (selection.units.iter().filter_map(unit).take(MOST_PANELS).collect(), selection.units.len())
    }

    fn job(&self, recording: &Arc<Recording>, context: &ViewContext<'_>, groups: Groups, subjects: Vec<Subject>) -> Job {
        let band = match self.band {
            BandKind::Hidden => Band::Hidden,
            BandKind::StandardError => Band::StandardError,
            BandKind::Bootstrap => Band::Bootstrap { samples: BOOTSTRAP, seed: context.recipe.seed },
        };
        Job {
            model: context.run.and_then(|run| compute::Model::of(run, recording, &groups.to)),
            recording: Arc::clone(recording),
            groups,
            subjects,
            window: EventWindow::around(self.before_s, self.after_s, self.bin_s()),
            sd_s: self.sd_ms / 1e3,
            band,
        }
    }
}

/// Legend and what is left out.
fn notes(ui: &mut Ui, psth: &Psth, band: BandKind, all: usize) {
    let groups = &psth.job.groups;
    let tokens = theme::of(ui);
    ui.horizontal_wrapped(|ui| {
        if groups.groups.len() > 1 {
            for (index, group) in groups.groups.iter().enumerate() {
                widgets::line_label(ui, tokens.category(index), false, &format!("{} ({})", group.name, widgets::count(group.events.len())));
            }
        }
        if psth.predicted > 0 {
            widgets::line_label(
                ui,
                tokens.text,
                true,
                &format!("model, mean of {} {}", psth.predicted, if psth.predicted == 1 { "trial" } else { "trials" }),
            );
        }
        let mut text = match band {
            BandKind::Hidden => Vec::new(),
            BandKind::StandardError => vec!["band: ±1 SEM".to_owned()],
            BandKind::Bootstrap => vec![format!("band: 95 % of {BOOTSTRAP} bootstrap means")],
        };
        if psth.is_partly_observed() {
            let (fewest, most) = psth.observed_range();
            text.push(format!("each bin is the mean of the {fewest} to {most} trials that observed it (bars at the top)"));
        }
        text.push(match groups.restricted {
            true => format!("{} selected of {} trials", widgets::count(groups.shown()), widgets::count(groups.all)),
            false => format!("{} trials", widgets::count(groups.shown())),
        });
        text.push(format!("bins of {}", duration_text(psth.job.window.bin_s)));
        if all > psth.panels.len() {
            text.push(format!("showing {} of {all} panels", psth.panels.len()));
        }
        widgets::note(ui, text.join("  ·  "));
    });
}
