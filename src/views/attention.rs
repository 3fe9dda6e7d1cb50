//! The Attention view: which units each unit draws on, layer by layer, which of them matter for all, and which bins each bin
//! draws on.

mod importance;
mod space;
mod time;

pub(super) use self::importance::order;

use eframe::egui::{self, Ui, vec2};
use ndarray::Array2;

use super::area_matrix::Block;
use super::stndt_part::{choose, shown, shown_trial, trial_field};
use super::{RunState, Selection, View, ViewContext, widgets};
use crate::render::heatmap::Heatmap;
use crate::training::{LayerAttention, Snapshot, StndtSnapshot};

/// What attends to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Between {
    #[default]
    Units,
    /// The units at the top, by name.
    Top,
    Areas,
    Bins,
}

/// Of which trials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Trials {
    #[default]
    Mean,
    One,
}

/// What a picture was made of: snapshot, place in memory (another run), layer, what, trial.
type Key = (u64, usize, usize, Between, Option<usize>);

/// A map as it is drawn, kept until something else is to be drawn.
struct Map {
    key: Key,
    /// Grows with every map.
    version: u64,
    values: Array2<f32>,
    blocks: Vec<Block>,
    /// End of the colour scale: few values are larger.
    high: f32,
}

/// The Attention view.
#[derive(Default)]
pub struct AttentionView {
    between: Between,
    trials: Trials,
    layer: usize,
    map: Option<Map>,
    picture: Heatmap,
}

impl View for AttentionView {
    fn title(&self) -> &'static str {
        "Attention"
    }

    fn help(&self) -> &'static str {
        "Each row is a unit and shows how much it draws on every other unit (columns) in one layer: rows add up to 1, so bright columns are units that all others rely on. \
         The bars below are the means of the columns over trials with their standard deviation; their order is the same in every trial when the rank correlation is near 1. \
         Click a bar, a name or a cell to select the unit everywhere, or look at attention between areas and between time bins."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let what = "which units the others rely on";
        let Some((run, snapshot, stndt)) = shown(ui, context, "No attention yet", what) else { return };
        if stndt.attention.is_empty() {
            return super::kernels::waiting(ui, context, "No attention yet");
        }
        self.layer = self.layer.min(stndt.attention.len() - 1);
        self.controls(ui, run, snapshot, stndt, context.selection);
        let (layer, trial) = self.source(snapshot, stndt, context.selection);
        let Some(layer) = layer else {
            widgets::empty(ui, "No trial yet", "The attention of single trials comes with the next update.", None);
            return;
        };
        if self.between != Between::Bins && layer.space.is_empty() {
            let text =
                "This run is an NDT: it has no attention between units. Look at time bins, or train STNDT to see which units matter.";
            if widgets::empty(ui, "No attention between units", text, Some("Show time bins")) {
                self.between = Between::Bins;
            }
            return;
        }
        let add = ui.input(|i| i.modifiers.command);
        if self.between == Between::Top {
            if let Some(importance) = stndt.importance.get(self.layer) {
                let list = |ui: &mut Ui| importance::list(ui, run, snapshot, importance, context.selection);
                if let Some(column) = egui::ScrollArea::vertical().id_salt("top units").auto_shrink(false).show(ui, list).inner {
                    choose(snapshot, context.selection, column, add);
                }
            }
            return;
        }
        let key = (snapshot.version, std::sync::Arc::as_ptr(snapshot) as usize, self.layer, self.between, trial);
        if self.map.as_ref().is_none_or(|map| map.key != key) {
            let version = self.map.as_ref().map_or(1, |map| map.version + 1);
            self.map = Some(map(run, snapshot, layer, key, version));
        }
        let Some(map) = &self.map else { return };
        match self.between {
            Between::Bins => time::show(ui, &mut self.picture, map, snapshot, stndt, &name_of(trial)),
            Between::Areas => space::areas(ui, &mut self.picture, map, run, snapshot, &name_of(trial), context.selection),
            Between::Units | Between::Top => {
                let importance = stndt.importance.get(self.layer);
                let side_list = ui.available_width() > 520.0;
                let size = ui.available_size();
                let mut clicked = None;
                ui.horizontal_top(|ui| {
                    let left = vec2(if side_list { size.x - 218.0 } else { size.x }, size.y);
                    ui.allocate_ui(left, |ui| {
                        ui.vertical(|ui| {
                            clicked =
                                space::units(ui, &mut self.picture, map, run, snapshot, importance, &name_of(trial), context.selection);
                        });
                    });
                    if let (true, Some(importance)) = (side_list, importance) {
                        ui.vertical(|ui| {
                            if let Some(column) = importance::list(ui, run, snapshot, importance, context.selection) {
                                clicked = Some(column);
                            }
                        });
                    }
                });
                if let Some(column) = clicked {
                    choose(snapshot, context.selection, column, add);
                }
            }
        }
    }
}

/// Of which trials, in words.
fn name_of(trial: Option<usize>) -> String {
    trial.map_or_else(|| "mean over validation trials".to_owned(), |trial| format!("trial {}", trial + 1))
}

impl AttentionView {
    fn controls(&mut self, ui: &mut Ui, run: &RunState, snapshot: &Snapshot, stndt: &StndtSnapshot, selection: &mut Selection) {
        ui.horizontal_wrapped(|ui| {
            let between = [
                (Between::Units, "Units", "How much every unit draws on every other"),
                (Between::Top, "Top units", "The most attended units by name"),
                (Between::Areas, "Areas", "The same, summed over the units of each area"),
                (Between::Bins, "Time", "How much every time bin draws on every other"),
            ];
            widgets::segmented(ui, &mut self.between, &between);
            ui.separator();
            let layers = stndt.attention.len();
            let label = widgets::caption(ui, "Layer", 110.0);
            let mut number = self.layer + 1;
            ui.spacing_mut().slider_width = 70.0;
            if ui.add(egui::Slider::new(&mut number, 1..=layers.max(1))).labelled_by(label.id).changed() {
                self.layer = number.saturating_sub(1);
            }
            ui.separator();
            let trials = [(Trials::Mean, "Mean", "Mean over some validation trials"), (Trials::One, "One trial", "The selected trial")];
            widgets::segmented(ui, &mut self.trials, &trials);
            if self.trials == Trials::One {
                trial_field(ui, run, snapshot, selection);
            }
        });
    }

    /// The attention to draw, and of which trial it is.
    fn source<'a>(
        &self,
        snapshot: &Snapshot,
        stndt: &'a StndtSnapshot,
        selection: &Selection,
    ) -> (Option<&'a LayerAttention>, Option<usize>) {
        match self.trials {
            Trials::Mean => (stndt.attention.get(self.layer), None),
            Trials::One => {
                let place = shown_trial(snapshot, selection).map(|(place, _)| place);
                let layer = place.and_then(|place| stndt.trials.get(place)?.get(self.layer));
                (layer, place.and_then(|place| snapshot.trials.get(place)).map(|t| t.trial))
            }
        }
    }
}

fn map(run: &RunState, snapshot: &Snapshot, layer: &LayerAttention, key: Key, version: u64) -> Map {
    let sizes = || snapshot.area_sizes.iter().enumerate();
    let block = |(area, size): (usize, &usize), own: bool| Block {
        area: run.area_index(area),
        name: snapshot.areas.get(area).cloned().unwrap_or_default(),
        size: if own { *size } else { 1 },
    };
    let (values, blocks) = match key.3 {
        Between::Units | Between::Top => (layer.space.clone(), sizes().map(|s| block(s, true)).collect()),
        Between::Areas => (space::by_area(&layer.space, &snapshot.area_sizes), sizes().map(|s| block(s, false)).collect()),
        Between::Bins => (layer.time.clone(), Vec::new()),
    };
    let high = if key.3 == Between::Areas { 1.0 } else { high(&values) };
    Map { key, version, values, blocks, high }
}

/// A value that one in two hundred exceeds.
fn high(values: &Array2<f32>) -> f32 {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|v| v.is_finite()).collect();
    if sorted.is_empty() {
        return 1.0;
    }
    let place = (sorted.len() - 1) * 199 / 200;
    let (_, high, _) = sorted.select_nth_unstable_by(place, f32::total_cmp);
    if *high > 0.0 { *high } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_ends_where_few_values_are_larger() {
        let mut values = Array2::from_shape_fn((20, 20), |(r, c)| (r * 20 + c) as f32 / 400.0);
        values[[0, 0]] = 50.0;
        assert!(high(&values) < 1.01 && high(&values) > 0.98, "{}", high(&values));
        assert_eq!(high(&Array2::zeros((0, 0))), 1.0);
        assert_eq!(high(&Array2::zeros((3, 3))), 1.0);
    }

    #[test]
    fn names_say_of_which_trials() {
        assert_eq!(name_of(Some(2)), "trial 3");
        assert!(name_of(None).contains("mean"));
    }
}
