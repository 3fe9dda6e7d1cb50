//! What views of a spatiotemporal Transformer share: what they say before there is one, and which units and trials it has.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::Ui;

use super::kernels::waiting;
use super::{RunState, Selection, ViewContext, widgets};
use crate::recording::{Recording, Trials};
use crate::runs;
use crate::training::{ModelRecipe, Phase, RateModel, Snapshot, StndtSnapshot};

/// The run, its newest snapshot and what an STNDT or NDT put into it; otherwise the view is filled with what to do.
pub(super) fn shown<'a>(
    ui: &mut Ui,
    context: &mut ViewContext<'a>,
    title: &str,
    what: &str,
) -> Option<(&'a RunState, &'a Arc<Snapshot>, &'a StndtSnapshot)> {
    *context.looks_at_run = true;
    let run = context.run;
    if let Some(found) = run.and_then(|run| Some((run, run.snapshot.as_ref()?, run.snapshot.as_ref()?.stndt()?))) {
        return Some(found);
    }
    match run {
        Some(run) if matches!(run.recipe.model, ModelRecipe::Stndt(_)) => waiting(ui, context, title),
        Some(run) => {
            ask(ui, context, title, &format!("The run shown is one of {}. Train STNDT to see {what}.", run.recipe.model.preset().title))
        }
        None => ask(ui, context, title, &format!("Train STNDT to see {what}: choose it as the model in the Train view.")),
    }
    None
}

fn ask(ui: &mut Ui, context: &mut ViewContext<'_>, title: &str, text: &str) {
    if widgets::empty(ui, title, text, Some("Go to Train")) {
        context.actions.push(super::Action::Show("Train"));
    }
}

/// A unit of the model as the user knows it.
pub(super) fn unit_name(run: &RunState, snapshot: &Snapshot, column: usize) -> String {
    let unit = snapshot.units.get(column).copied();
    let id = unit.and_then(|unit| run.data.as_ref()?.0.units.ids.get(unit).cloned());
    format!("unit {}", id.unwrap_or_else(|| column.to_string()))
}

/// Area of a unit of the model, a place in `Snapshot::areas`.
pub(super) fn area_of(snapshot: &Snapshot, column: usize) -> usize {
    let mut end = 0;
    let inside = |size: &usize| {
        end += size;
        column < end
    };
    snapshot.area_sizes.iter().position(inside).unwrap_or(0)
}

/// Units of the model that are selected, in their order.
pub(super) fn selected_columns(snapshot: &Snapshot, selection: &Selection) -> Vec<usize> {
    (0..snapshot.units.len()).filter(|&column| snapshot.units.get(column).is_some_and(|unit| selection.units.contains(unit))).collect()
}

/// Choose a unit of the model for all views; `add` keeps those chosen before.
pub(super) fn choose(snapshot: &Snapshot, selection: &mut Selection, column: usize, add: bool) {
    let Some(&unit) = snapshot.units.get(column) else { return };
    if !add {
        selection.units.clear();
        selection.areas.clear();
    }
    if !(add && selection.units.remove(&unit)) {
        selection.units.insert(unit);
    }
}

/// Place among the snapshot's trials of the one to show: the selected one, else the first. The second value is false when
/// another one stands in for it.
pub(super) fn shown_trial(snapshot: &Snapshot, selection: &Selection) -> Option<(usize, bool)> {
    let place = snapshot.trials.iter().position(|t| t.trial == selection.trial);
    place.map(|place| (place, true)).or_else(|| (!snapshot.trials.is_empty()).then_some((0, false)))
}

/// A field for the trial, and what to say when the model does not have it (any more).
pub(super) fn trial_field(ui: &mut Ui, run: &RunState, snapshot: &Snapshot, selection: &mut Selection) {
    let trials = run.data.as_ref().map_or(0, |data| data.1.starts.len());
    let label = widgets::caption(ui, "Trial", 40.0);
    let mut number = selection.trial + 1;
    let field = eframe::egui::DragValue::new(&mut number).range(1..=trials.max(1)).speed(0.2);
    if ui.add(field).labelled_by(label.id).changed() {
        selection.trial = number.saturating_sub(1);
    }
    if let Some((place, false)) = shown_trial(snapshot, selection) {
        let stands_in = snapshot.trials.get(place).map_or(0, |t| t.trial + 1);
        let over = matches!(run.progress.phase, Phase::Finished(_));
        let kept: Vec<String> = snapshot.trials.iter().take(8).map(|t| (t.trial + 1).to_string()).collect();
        widgets::note(
            ui,
            match over {
                true => format!("Trial {} was not kept with the run; trial {stands_in} is shown. Kept: {}", number, kept.join(", ")),
                false => format!("Trial {number} comes with the next update; trial {stands_in} is shown"),
            },
        );
    }
}

/// Folder of the run's weights, for what needs the network itself; otherwise what to say instead.
pub(super) fn folder(run: &RunState) -> Result<PathBuf, &'static str> {
    match &run.progress.phase {
        Phase::Finished(finished) => finished.run.clone().ok_or(
            "This run was not written to a folder, so its weights are gone. Choose a folder for runs in the settings and train again.",
        ),
        Phase::Discarded | Phase::Failed(_) => Err("The last run ended without weights; start another one in the Train view."),
        Phase::Preparing | Phase::Running | Phase::Paused | Phase::Finishing => {
            Err("This needs the trained network: it is ready when the run has finished. Stop and keep the run to look earlier.")
        }
    }
}

/// The trained network of a run; slow, for background work.
pub(super) fn network(folder: &Path, data: &(Arc<Recording>, Trials)) -> Result<RateModel, String> {
    let kept = runs::load(folder).map_err(|e| e.to_string())?;
    let weights = kept.weights().map_err(|e| e.to_string())?;
    RateModel::from_run(&kept.recipe, &data.0, &weights).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::{ModelSnapshot, TrialSnapshot};

    fn snapshot() -> Snapshot {
        Snapshot {
            version: 1,
            stage: 1,
            step: 0,
            bin_s: 0.01,
            areas: vec!["a".into(), "b".into()],
            area_sizes: vec![2, 1],
            units: vec![4, 7, 5],
            trials: vec![TrialSnapshot { trial: 3, log_rate: vec![] }],
            model: ModelSnapshot::Stndt(StndtSnapshot::default()),
        }
    }

    #[test]
    fn columns_know_their_area_and_follow_the_selection() {
        let snapshot = snapshot();
        assert_eq!([0, 1, 2].map(|column| area_of(&snapshot, column)), [0, 0, 1]);
        let mut selection = Selection::default();
        choose(&snapshot, &mut selection, 2, false);
        choose(&snapshot, &mut selection, 0, true);
        assert_eq!(selected_columns(&snapshot, &selection), [0, 2]);
        choose(&snapshot, &mut selection, 2, true);
        assert_eq!(selected_columns(&snapshot, &selection), [0]);
        choose(&snapshot, &mut selection, 9, false);
        assert_eq!(selected_columns(&snapshot, &selection), [0], "a unit that is not there changes nothing");
    }

    #[test]
    fn another_trial_stands_in_for_one_that_is_not_there() {
        let selection = |trial| Selection { trial, ..Selection::default() };
        assert_eq!(shown_trial(&snapshot(), &selection(3)), Some((0, true)));
        assert_eq!(shown_trial(&snapshot(), &selection(0)), Some((0, false)));
        assert_eq!(shown_trial(&Snapshot { trials: vec![], ..snapshot() }, &selection(0)), None);
    }
}
