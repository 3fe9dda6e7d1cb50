//! The Decomposition view: the log-rate of a unit in a trial as the sum of its own dynamics, the coupling from each area and the
//! post-spike term, with the truth where it is known; averaged over units or trials on request.

mod compute;
mod plots;

use std::sync::Arc;

use eframe::egui::Ui;

use self::compute::{Parts, Question, parts};
use super::kernels::waiting;
use super::stndt_part::{shown_trial, trial_field, unit_name};
use super::work::Background;
use super::{RunState, Selection, View, ViewContext, named_unit, shown_area, widgets};
use crate::training::Snapshot;

/// Over which units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Units {
    /// The first selected unit, else the first of the model.
    #[default]
    One,
    /// The mean over the units of its area that the model has.
    Area,
}

/// Over which trials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Over {
    #[default]
    One,
    /// The mean over the trials that the run shows in detail.
    All,
}

/// In which unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Scale {
    #[default]
    Log,
    Hz,
}

const UNITS: [(Units, &str, &str); 2] =
    [(Units::One, "Unit", "The selected unit"), (Units::Area, "Area", "Mean over the units of the selected unit's area")];
const OVER: [(Over, &str, &str); 2] =
    [(Over::One, "Trial", "The selected trial"), (Over::All, "Mean", "Mean over the trials that the run shows in detail")];
const SCALES: [(Scale, &str, &str); 2] = [
    (Scale::Log, "Log-rate", "Natural logarithm of spikes per bin; parts add up"),
    (Scale::Hz, "Hz", "Rates in spikes per second; parts multiply, and are shown as factors"),
];

/// The Decomposition view.
#[derive(Default)]
pub struct DecompositionView {
    units: Units,
    over: Over,
    scale: Scale,
    work: Background<Question, Option<Arc<Parts>>>,
}

impl View for DecompositionView {
    fn title(&self) -> &'static str {
        "Decomposition"
    }

    fn help(&self) -> &'static str {
        "The log-rate of a unit is a sum: the slow dynamics of its own area, what spikes of each area add through the fitted coupling, and what the unit's own last spikes add. \
         Select a unit in any view and a trial here; the mean over an area's units or over trials shows what remains on average. \
         Dashed curves are the truth of a simulation; where own dynamics and coupling trade with each other, both miss it in opposite directions."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        *context.looks_at_run = true;
        let found = context.run.and_then(|run| Some((run, run.snapshot.clone()?))).filter(|(_, s)| s.glm().is_some());
        let Some((run, snapshot)) = found else { return waiting(ui, context, "Nothing to decompose yet") };
        let Some(data) = run.data.clone() else {
            let text = "The parts are computed from the spikes: open the recording of this run beside it.";
            widgets::empty(ui, "The recording is not open", text, None);
            return;
        };
        let unit = unit(&snapshot, context.selection);
        ui.horizontal_wrapped(|ui| {
            trial_field(ui, run, &snapshot, context.selection);
            widgets::segmented(ui, &mut self.over, &OVER);
            ui.separator();
            unit_choice(ui, run, &snapshot, unit, context.selection);
            widgets::segmented(ui, &mut self.units, &UNITS);
            ui.separator();
            widgets::segmented(ui, &mut self.scale, &SCALES);
        });
        if snapshot.trials.iter().all(|t| t.log_rate.is_empty()) {
            return waiting(ui, context, "No single trials yet");
        }
        let trial = match self.over {
            // Another trial stands in for one that the run did not keep, as the field above says.
            Over::One => shown_trial(&snapshot, context.selection).and_then(|(place, _)| snapshot.trials.get(place)).map(|t| t.trial),
            Over::All => None,
        };
        let question =
            Question { version: snapshot.version, fingerprint: data.0.fingerprint.clone(), trial, unit, area: self.units == Units::Area };
        let (theirs, seen) = (question.clone(), Arc::clone(&snapshot));
        self.work.get(ui.ctx(), "decomposition", &question, move || parts(&theirs, &seen, &data).map(Arc::new));
        match self.work.latest() {
            Some(Some(found)) => plots::show(ui, run, &snapshot, found, self.scale, &self.words(run, &snapshot, unit)),
            Some(None) => {
                let text = "The selected trial is not among those the run shows in detail, or its spikes are not in the open recording. Choose another trial.";
                widgets::empty(ui, "No detail of this trial", text, None);
            }
            None => {
                ui.spinner();
            }
        }
    }
}

impl DecompositionView {
    fn words(&self, run: &RunState, snapshot: &Snapshot, unit: usize) -> String {
        match self.units {
            Units::One => unit_name(run, snapshot, unit),
            Units::Area => format!("mean of {}", shown_area(&run.area_name(super::stndt_part::area_of(snapshot, unit)))),
        }
    }
}

/// Column of the first selected unit that the model has; else the one that receives most, else the first.
fn unit(snapshot: &Snapshot, selection: &Selection) -> usize {
    let chosen = snapshot.units.iter().position(|unit| selection.units.contains(unit));
    chosen.or_else(|| strongest_receiver(snapshot)).unwrap_or(0)
}

fn strongest_receiver(snapshot: &Snapshot) -> Option<usize> {
    let between = snapshot.pairs().iter().filter(|p| p.source != p.target);
    let pair = between.max_by(|a, b| a.contribution_percent.abs().total_cmp(&b.contribution_percent.abs()))?;
    let weights = pair.receive.first()?;
    let place = (0..weights.len())
        .max_by(|&a, &b| weights.get(a).map(|w| w.abs()).unwrap_or(0.0).total_cmp(&weights.get(b).map(|w| w.abs()).unwrap_or(0.0)))?;
    Some(snapshot.area_sizes.iter().take(pair.target).sum::<usize>() + place)
}

fn unit_choice(ui: &mut Ui, run: &RunState, snapshot: &Snapshot, unit: usize, selection: &mut Selection) {
    let name = |column: usize| match (snapshot.units.get(column), &run.data) {
        (Some(&unit), Some(data)) => named_unit(&data.0, unit),
        _ => unit_name(run, snapshot, column),
    };
    widgets::combo(ui, "decomposed unit", "Unit", &name(unit), 150.0, |ui| {
        for column in 0..snapshot.units.len() {
            if ui.selectable_label(column == unit, name(column)).clicked() {
                super::stndt_part::choose(snapshot, selection, column, false);
            }
        }
    });
}
