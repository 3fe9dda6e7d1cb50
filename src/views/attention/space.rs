//! Attention between units, and between areas.

use eframe::egui::{self, Ui};
use ndarray::Array2;

use super::super::stndt_part::{area_of, unit_name};
use super::super::{RunState, Selection, area_matrix, shown_area, widgets};
use super::{Map, importance};
use crate::render::RasterStyle;
use crate::render::heatmap::{HeatScale, Heatmap, colour_bar};
use crate::training::{Importance, Snapshot};

/// Share of the attention of an area's units that goes to each area `[areas, areas]`; rows sum to 1.
pub fn by_area(space: &Array2<f32>, sizes: &[usize]) -> Array2<f32> {
    let of: Vec<usize> = sizes.iter().enumerate().flat_map(|(area, n)| std::iter::repeat_n(area, *n)).collect();
    let mut sums = Array2::<f32>::zeros((sizes.len(), sizes.len()));
    for ((row, column), value) in space.indexed_iter() {
        if let (Some(&a), Some(&b)) = (of.get(row), of.get(column)) {
            sums[[a, b]] += value / sizes.get(a).copied().unwrap_or(1).max(1) as f32;
        }
    }
    sums
}

/// Units by units with the importance of columns below; returns the unit that was clicked.
#[expect(clippy::too_many_arguments, reason = "a map, what its rows are, and what is selected")]
pub fn units(
    ui: &mut Ui,
    picture: &mut Heatmap,
    map: &Map,
    run: &RunState,
    snapshot: &Snapshot,
    shown: Option<&Importance>,
    of: &str,
    selection: &mut Selection,
) -> Option<usize> {
    let scale = HeatScale::Sequential { low: 0.0, high: map.high };
    ui.horizontal_wrapped(|ui| {
        colour_bar(ui, scale, "share of attention", &RasterStyle::of(ui));
        widgets::note(ui, format!("{of}; rows draw on columns"));
    });
    let below = if ui.available_height() > 200.0 { importance::HEIGHT } else { 0.0 };
    let size = ui.available_size() - egui::vec2(0.0, below);
    let side = area_matrix::side(size);
    let drawn = area_matrix::show(ui, "attention", picture, map.version, &map.values, &map.blocks, scale, side, None);
    widgets::describe(&drawn.response, summary(run, snapshot, map, of));
    let mut clicked = None;
    if let Some((row, column)) = drawn.at {
        let name = |k: usize| format!("{} ({})", unit_name(run, snapshot, k), shown_area(&run.area_name(area_of(snapshot, k))));
        let value = map.values.get((row, column)).copied().unwrap_or(f32::NAN);
        let n = map.values.ncols().max(1) as f32;
        egui::Tooltip::for_widget(&drawn.response).at_pointer().show(|ui| {
            ui.strong(format!("{} draws on {}", name(row), name(column)));
            let times = widgets::number(f64::from(value * n), 3);
            ui.label(format!("share {}: {times} times an even share", widgets::number(f64::from(value), 3)));
        });
        if drawn.response.clicked() {
            clicked = Some(column);
            let unit = |k: usize| snapshot.units.get(k).copied();
            selection.unit_pair = unit(column).zip(unit(row));
        }
    }
    match shown.filter(|_| below > 0.0) {
        Some(shown) => clicked.or(importance::bars(ui, drawn.rect, run, snapshot, shown, map, selection)),
        None => clicked,
    }
}

fn summary(run: &RunState, snapshot: &Snapshot, map: &Map, of: &str) -> String {
    let mean = map.values.mean_axis(ndarray::Axis(0)).map(|m| m.to_vec()).unwrap_or_default();
    let best = mean.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    let best = best.map_or_else(String::new, |(column, value)| {
        let times = widgets::number(f64::from(*value) * mean.len() as f64, 3);
        format!(", most attended {} with {times} times an even share", unit_name(run, snapshot, column))
    });
    format!("Attention between {} units in layer {}, {of}{best}", mean.len(), map.key.2 + 1)
}

/// Areas by areas.
pub fn areas(ui: &mut Ui, picture: &mut Heatmap, map: &Map, run: &RunState, snapshot: &Snapshot, of: &str, selection: &mut Selection) {
    let scale = HeatScale::Sequential { low: 0.0, high: map.high };
    ui.horizontal_wrapped(|ui| {
        colour_bar(ui, scale, "share of attention", &RasterStyle::of(ui));
        widgets::note(ui, format!("{of}; units of the rows' areas draw on the columns' areas"));
    });
    let side = area_matrix::side(ui.available_size()).min(420.0);
    let percent = |v: f32| format!("{} %", widgets::number(f64::from(v) * 100.0, 2));
    let drawn = area_matrix::show(ui, "attention of areas", picture, map.version, &map.values, &map.blocks, scale, side, Some(&percent));
    let units = snapshot.area_sizes.iter().sum::<usize>().max(1) as f32;
    let even = |area: usize| snapshot.area_sizes.get(area).copied().unwrap_or(0) as f32 / units;
    let said: Vec<String> = map
        .values
        .indexed_iter()
        .take(9)
        .map(|((a, b), v)| format!("{} on {} {}", run.area_name(a), run.area_name(b), percent(*v)))
        .collect();
    widgets::describe(&drawn.response, format!("Attention between areas in layer {}, {of}: {}", map.key.2 + 1, said.join(", ")));
    let Some((row, column)) = drawn.at else { return };
    let value = map.values.get((row, column)).copied().unwrap_or(f32::NAN);
    egui::Tooltip::for_widget(&drawn.response).at_pointer().show(|ui| {
        ui.strong(format!("{} draws on {}", run.area_name(row), run.area_name(column)));
        ui.label(format!("{} of the attention; an even share is {}", percent(value), percent(even(column))));
    });
    if drawn.response.clicked()
        && let Some(recording) = run.data.as_ref().map(|data| &data.0)
    {
        selection.choose_area(recording, run.area_index(column), false);
        selection.pair = Some((column, row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn shares_between_areas_are_sums_of_columns_and_means_of_rows() {
        let space = array![[0.5, 0.3, 0.2], [0.1, 0.3, 0.6], [0.2, 0.2, 0.6]];
        let areas = by_area(&space, &[2, 1]);
        let expected = array![[0.6, 0.4], [0.4, 0.6]];
        assert!(areas.iter().zip(&expected).all(|(a, b): (&f32, &f32)| (a - b).abs() < 1e-6), "{areas}");
    }
}
