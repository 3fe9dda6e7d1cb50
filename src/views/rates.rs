//! The Rates view: inferred rates of single trials against spikes, true rates or the mean over trials; and how well they predict
//! spikes of units that the network never sees.

mod compute;
mod panels;
mod score;

use std::sync::Arc;

use eframe::egui::Ui;

use self::compute::{Job, References, references, spread};
use self::panels::{Line, Unit};
use super::latent_colors::Values;
use super::stndt_part::{area_of, selected_columns, shown_trial, trial_field, unit_name};
use super::trial_colors::TrialColors;
use super::work::Background;
use super::{MOST_TRIALS, RunState, Selection, View, ViewContext, widgets};
use crate::app::theme::{self, Tokens};
use crate::training::{Snapshot, StndtSnapshot};

/// One trial of several units, several trials of each unit, or how well they predict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Trial,
    Conditions,
    Score,
}

/// Units shown without a selection, where there is room.
const UNITS: usize = 5;
/// Units shown at most.
const MOST_UNITS: usize = 24;

/// The Rates view.
#[derive(Default)]
pub struct RatesView {
    mode: Mode,
    by: TrialColors,
    work: Background<Job, References>,
}

impl View for RatesView {
    fn title(&self) -> &'static str {
        "Rates"
    }

    fn help(&self) -> &'static str {
        "The rate that the model infers in single trials, beside the spikes, the true rate where it is known, and the mean over training trials. \
         Held-out units are predicted from the others: co-bps says how many bits per spike that is better than their mean rate, and shaded bins are predicted forward. \
         Select units in any view to see them here, or colour several trials by their condition to see whether single trials differ where conditions do."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        *context.looks_at_run = true;
        let shown = context.run.and_then(|run| Some((run, run.snapshot.as_ref()?)));
        let Some((run, snapshot)) = shown.filter(|(_, s)| s.trials.iter().any(|t| !t.log_rate.is_empty())) else {
            return empty(ui, context);
        };
        self.controls(ui, run, snapshot, context.selection);
        if let Some(stndt) = snapshot.stndt() {
            score::headline(ui, stndt);
            if self.mode == Mode::Score {
                return score::curve(ui, stndt, ui.available_height());
            }
        }
        let colors = match self.mode {
            Mode::Trial | Mode::Score => None,
            Mode::Conditions => self.by.values(ui, run),
        };
        if self.mode == Mode::Conditions {
            context.more_trials.extend(wanted(run, colors.as_ref()));
            self.by.legend(ui, run, colors.as_ref());
        }
        let curve = snapshot.stndt().filter(|s| s.scores.len() > 1 && ui.available_height() > 3.0 * score::CURVE);
        let below = if curve.is_some() { score::CURVE + 26.0 } else { 0.0 };
        let (columns, mode) = (columns(snapshot, context.selection, room(ui.available_height() - below)), self.mode);
        let Some(found) = self.references(ui, run, snapshot, &columns, context.selection) else {
            ui.spinner();
            return;
        };
        let tokens = theme::of(ui);
        let units = units(tokens, run, snapshot, found, mode, colors.as_ref(), context.selection);
        let frame = panels::Frame {
            bins: found.job.data.1.bins,
            bin_s: snapshot.bin_s,
            observed: snapshot.stndt().map_or(usize::MAX, |s| s.observed_bins),
        };
        let words = panels::legend(ui, found, &units, mode == Mode::Conditions, frame.observed < frame.bins);
        let height = ui.available_height() - below;
        if let Some((column, add)) = panels::show(ui, &frame, &units, height, &words) {
            super::stndt_part::choose(snapshot, context.selection, column, add);
        }
        if let Some(stndt) = curve {
            score::curve(ui, stndt, score::CURVE + 20.0);
        }
    }
}

fn empty(ui: &mut Ui, context: &mut ViewContext<'_>) {
    if context.run.is_some() {
        return super::kernels::waiting(ui, context, "No rates yet");
    }
    let text = "Train STNDT to see the rates of single trials: choose it as the model in the Train view. A GLM-Transformer has rates too.";
    if widgets::empty(ui, "No rates yet", text, Some("Go to Train")) {
        context.actions.push(super::Action::Show("Train"));
    }
}

impl RatesView {
    fn controls(&mut self, ui: &mut Ui, run: &RunState, snapshot: &Snapshot, selection: &mut Selection) {
        ui.horizontal_wrapped(|ui| {
            let modes = [
                (Mode::Trial, "One trial", "The selected trial, unit under unit"),
                (Mode::Conditions, "Several trials", "Several trials of each unit, coloured by what happened in them"),
                (Mode::Score, "Score", "How well the rates predict spikes, against optimiser steps"),
            ];
            let known = if snapshot.stndt().is_some() { modes.len() } else { modes.len() - 1 };
            widgets::segmented(ui, &mut self.mode, modes.get(..known).unwrap_or_default());
            match self.mode {
                Mode::Trial => trial_field(ui, run, snapshot, selection),
                Mode::Conditions => self.by.control(ui, run),
                Mode::Score => {}
            }
        });
    }

    fn references(
        &mut self,
        ui: &Ui,
        run: &RunState,
        snapshot: &Snapshot,
        columns: &[usize],
        selection: &Selection,
    ) -> Option<&References> {
        let data = Arc::clone(run.data.as_ref()?);
        let one = shown_trial(snapshot, selection).and_then(|(place, _)| snapshot.trials.get(place)).map(|t| t.trial);
        let trials = match self.mode {
            Mode::Trial | Mode::Score => one.into_iter().collect(),
            Mode::Conditions => snapshot.trials.iter().filter(|t| !t.log_rate.is_empty()).map(|t| t.trial).collect(),
        };
        let units = columns.iter().filter_map(|&column| snapshot.units.get(column).copied()).collect();
        let job = Job { data, recipe: run.recipe.data.clone(), trials, units };
        let theirs = job.clone();
        self.work.get(ui.ctx(), "rate references", &job, move || references(theirs));
        self.work.latest().filter(|found| Arc::ptr_eq(&found.job.data, &job.data))
    }
}

/// Trials to ask the model for, spread over conditions.
fn wanted(run: &RunState, colors: Option<&Values>) -> Vec<usize> {
    let trials = run.data.as_ref().map_or(0, |data| data.1.starts.len());
    match colors {
        Some(Values::Categories { of, .. }) => spread(of, MOST_TRIALS),
        Some(Values::Numbers { values, range, .. }) if range.1 > range.0 => {
            let level = |v: &f64| ((v - range.0) / (range.1 - range.0) * (MOST_TRIALS - 1) as f64).round().max(0.0) as usize;
            spread(&values.iter().map(level).collect::<Vec<_>>(), MOST_TRIALS)
        }
        _ => (0..trials).step_by(trials.div_ceil(MOST_TRIALS).max(1)).collect(),
    }
}

/// Units that fit into a height without scrolling; two at least.
fn room(height: f32) -> usize {
    (((height - panels::AROUND) / panels::LOWEST) as usize).clamp(2, UNITS)
}

/// Units shown: the selected ones, else about `room`, some held-out ones and some others.
fn columns(snapshot: &Snapshot, selection: &Selection, room: usize) -> Vec<usize> {
    let selected = selected_columns(snapshot, selection);
    if !selected.is_empty() {
        return selected.into_iter().take(MOST_UNITS).collect();
    }
    let held_out = |column: usize| snapshot.stndt().is_some_and(|s| s.held_out.get(column) == Some(&true));
    let (hidden, seen): (Vec<usize>, Vec<usize>) = (0..snapshot.units.len()).partition(|&column| held_out(column));
    let first = hidden.len().min(room.div_ceil(2)).max(room.saturating_sub(seen.len()));
    hidden.into_iter().take(first).chain(seen).take(room).collect()
}

/// Everything that is drawn of each unit.
fn units(
    tokens: &Tokens,
    run: &RunState,
    snapshot: &Snapshot,
    found: &References,
    mode: Mode,
    colors: Option<&Values>,
    selection: &Selection,
) -> Vec<Unit> {
    let of_unit = |(place, unit): (usize, &usize)| {
        let column = snapshot.units.iter().position(|u| u == unit)?;
        let area = run.area_index(area_of(snapshot, column));
        let mut shown = Unit {
            column,
            name: unit_name(run, snapshot, column),
            area,
            area_name: run.area_name(area_of(snapshot, column)),
            held_out: snapshot.stndt().is_some_and(|s: &StndtSnapshot| s.held_out.get(column) == Some(&true)),
            selected: selection.units.contains(unit),
            spikes: Vec::new(),
            lines: Vec::new(),
        };
        for trial in &found.trials {
            let Some(at) = snapshot.trials.iter().position(|t| t.trial == trial.trial) else { continue };
            let inferred = snapshot.rates_hz(at, column);
            let color = colors.map_or(tokens.accent, |colors| colors.color(tokens, trial.trial));
            let what = colors.map_or_else(String::new, |colors| format!(", {}", colors.words(trial.trial)));
            shown.lines.push(Line {
                name: format!("inferred, trial {}{what}", trial.trial + 1),
                color,
                dashed: false,
                rates: inferred.collect(),
            });
            if mode == Mode::Conditions {
                continue;
            }
            shown.spikes = trial.spikes.get(place).cloned().unwrap_or_default();
            let mean = found.means.get(trial.mean).map(|mean| ("mean", tokens.reference, mean.rate.column(place).to_vec()));
            let truth = trial.truth.as_ref().map(|truth| ("true rate", tokens.truth, truth.column(place).to_vec()));
            // The truth is what a model should find; the mean only stands in for it.
            if let Some((name, color, rates)) = truth.or(mean) {
                shown.lines.push(Line { name: name.to_owned(), color, dashed: true, rates });
            }
        }
        if mode == Mode::Conditions {
            for mean in found.trials.iter().map(|t| t.mean).collect::<std::collections::BTreeSet<_>>() {
                let Some(own) = found.means.get(mean).filter(|_| found.means.len() == 1) else { continue };
                let rates = own.rate.column(place).to_vec();
                shown.lines.push(Line { name: own.words.clone(), color: tokens.reference, dashed: true, rates });
            }
        }
        Some(shown)
    };
    found.job.units.iter().enumerate().filter_map(of_unit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::{ModelSnapshot, TrialSnapshot};

    #[test]
    fn without_a_selection_held_out_and_other_units_are_shown() {
        let snapshot = |held_out: Vec<bool>| Snapshot {
            version: 1,
            stage: 1,
            step: 0,
            bin_s: 0.01,
            areas: vec!["a".into()],
            area_sizes: vec![held_out.len()],
            units: (10..10 + held_out.len()).collect(),
            trials: vec![TrialSnapshot { trial: 0, log_rate: vec![] }],
            model: ModelSnapshot::Stndt(StndtSnapshot { held_out, ..StndtSnapshot::default() }),
        };
        let mixed = snapshot(vec![false, false, true, false, true, true, false]);
        assert_eq!(columns(&mixed, &Selection::default(), 4), [2, 4, 0, 1]);
        assert_eq!(columns(&snapshot(vec![false, true, true, true, true]), &Selection::default(), 4), [1, 2, 3, 0]);
        assert_eq!(columns(&snapshot(vec![false]), &Selection::default(), 2), [0]);
        let selection = Selection { units: [12, 15].into(), ..Selection::default() };
        assert_eq!(columns(&mixed, &selection, 2), [2, 5]);
        assert_eq!((room(0.0), room(10_000.0)), (2, UNITS));
    }
}
