//! The choice of what trials that are drawn as curves are coloured by, with its legend.

use std::sync::Arc;

use eframe::egui::Ui;

use super::latent_colors::{self, ColorBy, Values, values};
use super::work::Background;
use super::{RunState, widgets};

/// What trials are coloured by: the user's choice, else what says most.
#[derive(Default)]
pub(super) struct TrialColors {
    by: Option<ColorBy>,
    work: Background<(ColorBy, String, usize), Values>,
}

impl TrialColors {
    fn now(&self, run: &RunState) -> ColorBy {
        self.by.clone().unwrap_or_else(|| usual(run))
    }

    /// The drop-down.
    pub(super) fn control(&mut self, ui: &mut Ui, run: &RunState) {
        let choices = choices(run);
        let now = self.now(run);
        widgets::caption(ui, "Colour by", 120.0);
        widgets::combo(ui, "trial colours", "Colour by", &now.name(), 150.0, |ui| {
            for choice in choices {
                let name = choice.name();
                if ui.selectable_label(choice == now, name).clicked() {
                    self.by = Some(choice);
                }
            }
        });
    }

    /// A value per trial; `None` until it is computed.
    pub(super) fn values(&mut self, ui: &Ui, run: &RunState) -> Option<Values> {
        let (data, by) = (Arc::clone(run.data.as_ref()?), self.now(run));
        let key = (by.clone(), data.0.fingerprint.clone(), data.1.starts.len());
        self.work.get(ui.ctx(), "trial colours", &key, move || values(&data.0, &data.1, &by)).cloned()
    }

    /// What the colours mean.
    pub(super) fn legend(&self, ui: &mut Ui, run: &RunState, values: Option<&Values>) {
        latent_colors::legend(ui, &self.now(run), values);
    }
}

fn choices(run: &RunState) -> Vec<ColorBy> {
    run.data.as_ref().map(|data| ColorBy::choices(&data.0, &data.1)).unwrap_or_default()
}

/// The recipe's condition, else a column that is called so, else the order of trials.
fn usual(run: &RunState) -> ColorBy {
    let (named, choices) = (run.recipe.data.trials.condition.as_str(), choices(run));
    let has = |name: &str| choices.iter().find(|c| matches!(c, ColorBy::Column(n) if n == name)).cloned();
    [named, "condition", "direction"].into_iter().filter(|n| !n.is_empty()).find_map(has).unwrap_or_default()
}
