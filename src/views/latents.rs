//! The Latents view: what the model knows about each trial and area, in two dimensions, coloured by what happened in the trial.

use std::sync::Arc;

use eframe::egui::{self, Color32, PointerButton, Pos2, Rect, Stroke, StrokeKind, Ui, vec2};
use egui_plot::{HoverPosition, PlotPoint, PlotPoints, PlotTransform, Points};
use ndarray::Array2;

use super::kernels::waiting;
use super::latent_colors::{ColorBy, Values, legend, values};
use super::work::Background;
use super::{RunState, Selection, TrialSet, View, ViewContext, widgets};
use crate::analysis::pca::pca;
use crate::app::theme::{self, Tokens};
use crate::training::Snapshot;

/// Scatter plots, one per area.
#[derive(Default)]
pub struct LatentsView {
    by: ColorBy,
    projections: Background<(u64, usize), Vec<Projection>>,
    colors: Background<(ColorBy, String, usize), Values>,
    /// Area in which a brush began, and its corner on the screen.
    brush: Option<(usize, Pos2)>,
}

/// Points in the plane of the first two principal components of one area's latents.
#[derive(Clone, Default)]
struct Projection {
    /// One point per trial.
    points: Vec<[f64; 2]>,
    /// Share of the variance along each component, 0 to 1.
    explained: [f64; 2],
    /// The two directions `[2, dimensions]`; they decide the signs of the next projection.
    directions: Array2<f64>,
}

/// Project `rows` `[trials][dimensions]`; what is not a number counts as zero.
fn project(rows: &[Vec<f32>], before: Option<&Projection>) -> Projection {
    let dimensions = rows.iter().map(Vec::len).min().unwrap_or(0);
    let value = |row: usize, d: usize| rows.get(row).and_then(|r| r.get(d)).copied().filter(|v| v.is_finite()).map_or(0.0, f64::from);
    let data = Array2::from_shape_fn((rows.len(), dimensions), |(row, d)| value(row, d));
    let Some(found) = pca(data.view(), 2, before.map(|b| b.directions.view())) else {
        return Projection { points: vec![[0.0; 2]; rows.len()], ..Projection::default() };
    };
    let share = |k: usize| found.explained.get(k).copied().unwrap_or(0.0);
    let points = found.points.rows().into_iter().map(|p| [p.first().copied().unwrap_or(0.0), p.get(1).copied().unwrap_or(0.0)]).collect();
    Projection { points, explained: [share(0), share(1)], directions: found.directions }
}

/// Points drawn per area at most; a plot with more says so.
const DRAWN: usize = 6000;

impl View for LatentsView {
    fn title(&self) -> &'static str {
        "Latents"
    }

    fn help(&self) -> &'static str {
        "Each dot is one trial: the latent values that describe an area's slow dynamics in that trial, in the plane of their two main directions. \
         Colour them by a column of the trial table or the mean of a covariate to see what the latents follow. \
         Click a dot to select its trial everywhere; drag a box around dots to choose those trials for the raster and the PSTH (Shift adds to them)."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        *context.looks_at_run = true;
        let Some((run, snapshot)) =
            context.run.and_then(|run| Some((run, run.snapshot.clone()?))).filter(|(_, s)| s.latents().1.iter().any(|a| !a.is_empty()))
        else {
            return waiting(ui, context, "No latents yet");
        };
        let trials = run.data.as_ref().map_or(0, |data| data.1.starts.len());
        self.controls(ui, run, context.selection, trials);
        let colors = self.colors(ui, run);
        let projections = self.projections(ui, &snapshot);
        legend(ui, &self.by, colors.as_ref());
        if snapshot.latents().0.len() > DRAWN {
            widgets::note(
                ui,
                format!("Showing {} of {} trials per area", widgets::count(DRAWN), widgets::count(snapshot.latents().0.len())),
            );
        }
        let Some(projections) = projections else {
            ui.spinner();
            return;
        };
        self.panels(ui, run, &snapshot, &projections, colors.as_ref(), context.selection);
    }
}

impl LatentsView {
    fn controls(&mut self, ui: &mut Ui, run: &RunState, selection: &mut Selection, trials: usize) {
        ui.horizontal_wrapped(|ui| {
            let choices = run.data.as_ref().map(|data| ColorBy::choices(&data.0, &data.1)).unwrap_or_default();
            ui.label("Colour by");
            let now = self.by.name();
            widgets::combo(ui, "colour by", "Colour by", &now, 170.0, |ui| {
                for choice in choices {
                    let name = choice.name();
                    ui.selectable_value(&mut self.by, choice, name);
                }
            });
            ui.separator();
            let label = ui.label("Trial");
            let mut number = selection.trial + 1;
            if ui.add(egui::DragValue::new(&mut number).range(1..=trials.max(1)).speed(0.2)).labelled_by(label.id).changed() {
                selection.trial = number.saturating_sub(1);
            }
            let chosen = selection.trials.rows.len();
            if chosen > 0 {
                widgets::note(ui, format!("{} trials chosen", widgets::count(chosen)));
                if ui.button("Clear selected trials").clicked() {
                    selection.trials = TrialSet::default();
                }
            }
        });
    }

    fn colors(&mut self, ui: &Ui, run: &RunState) -> Option<Values> {
        let data = Arc::clone(run.data.as_ref()?);
        let (by, key) = (self.by.clone(), (self.by.clone(), data.0.fingerprint.clone(), data.1.starts.len()));
        self.colors.get(ui.ctx(), "latent colours", &key, move || values(&data.0, &data.1, &by)).cloned()
    }

    /// Newest projections; while newer ones are computed, those before.
    fn projections(&mut self, ui: &Ui, snapshot: &Arc<Snapshot>) -> Option<Vec<Projection>> {
        let before = self.projections.latest().cloned().unwrap_or_default();
        let (theirs, key) = (Arc::clone(snapshot), (snapshot.version, Arc::as_ptr(snapshot) as usize));
        let work = move || theirs.latents().1.iter().enumerate().map(|(area, rows)| project(rows, before.get(area))).collect();
        self.projections.get(ui.ctx(), "latent projection", &key, work);
        self.projections.latest().cloned()
    }
}

impl LatentsView {
    /// One panel per area.
    fn panels(
        &mut self,
        ui: &mut Ui,
        run: &RunState,
        snapshot: &Snapshot,
        projections: &[Projection],
        colors: Option<&Values>,
        selection: &mut Selection,
    ) {
        widgets::grid(ui, "latents", projections.len(), 130.0, |ui, area, cell| {
            let Some(projection) = projections.get(area) else { return };
            widgets::area_label(ui, run.area_index(area), &run.area_name(area));
            let drawn = panel(ui, run, snapshot, area, projection, colors, selection, vec2(cell.x, (cell.y - 34.0).max(80.0)));
            self.pick(ui, run, snapshot, area, projection, &drawn, selection);
        });
    }

    /// A click chooses a trial, a box several.
    #[expect(clippy::too_many_arguments, reason = "a panel is what is drawn, where it is, and what it selects")]
    fn pick(
        &mut self,
        ui: &Ui,
        run: &RunState,
        snapshot: &Snapshot,
        area: usize,
        projection: &Projection,
        (response, transform): &(egui::Response, PlotTransform),
        selection: &mut Selection,
    ) {
        let place = |p: &[f64; 2]| transform.position_from_point(&PlotPoint::new(p[0], p[1]));
        if response.drag_started_by(PointerButton::Primary) {
            self.brush = ui.input(|i| i.pointer.press_origin()).map(|at| (area, at));
        }
        let begun = self.brush.filter(|(of, _)| *of == area).map(|(_, from)| from);
        if let (Some(from), Some(to)) = (begun, response.interact_pointer_pos()) {
            let tokens = theme::of(ui);
            let rect = Rect::from_two_pos(from, to);
            ui.painter().rect_filled(rect, 0.0, tokens.accent.gamma_multiply(0.15));
            ui.painter().rect_stroke(rect, 0.0, Stroke::new(1.0, tokens.accent), StrokeKind::Inside);
            if response.drag_stopped() {
                self.brush = None;
                let inside = projection.points.iter().zip(snapshot.latents().0).filter(|(p, _)| rect.contains(place(p)));
                choose(run, inside.map(|(_, t)| *t), ui.input(|i| i.modifiers.shift), selection);
            }
        }
        if response.clicked()
            && let Some(pointer) = response.interact_pointer_pos()
        {
            let nearest = projection.points.iter().enumerate().min_by(|a, b| {
                let distance = |p: &[f64; 2]| place(p).distance_sq(pointer);
                distance(a.1).total_cmp(&distance(b.1))
            });
            if let Some(&trial) = nearest.and_then(|(at, _)| snapshot.latents().0.get(at)) {
                selection.trial = trial;
            }
        }
    }
}

/// Choose trials of the run for all views, by the rows of their table.
fn choose(run: &RunState, trials: impl Iterator<Item = usize>, add: bool, selection: &mut Selection) {
    let Some(data) = run.data.as_deref() else { return };
    let rows = trials.filter_map(|trial| data.1.rows.get(trial).copied());
    if !add || selection.trials.table != data.1.table {
        selection.trials = TrialSet { table: data.1.table.clone(), rows: rows.collect() };
    } else {
        selection.trials.rows.extend(rows);
    }
}

#[expect(clippy::too_many_arguments, reason = "a panel is drawn from the run, its projection, colours and selection")]
fn panel(
    ui: &mut Ui,
    run: &RunState,
    snapshot: &Snapshot,
    area: usize,
    projection: &Projection,
    colors: Option<&Values>,
    selection: &Selection,
    size: egui::Vec2,
) -> (egui::Response, PlotTransform) {
    let tokens = theme::of(ui);
    let axis = |k: usize| format!("Component {} ({:.0} % of variance)", k + 1, projection.explained[k] * 100.0);
    widgets::y_title(ui, &axis(1));
    let step = snapshot.latents().0.len().div_ceil(DRAWN).max(1);
    let groups = grouped(tokens, snapshot, projection, colors, step);
    let selected = selection.trial;
    let chosen = snapshot.latents().0.iter().position(|t| *t == selected).and_then(|place| projection.points.get(place)).copied();
    let brushed = brushed(run, snapshot, projection, selection);
    let drawn = widgets::plot(ui, &format!("latents {area}"), &axis(0))
        .width(size.x)
        .height(size.y - widgets::Y_TITLE)
        .allow_drag(false)
        .allow_boxed_zoom(false)
        .label_formatter(move |position| match position {
            HoverPosition::NearDataPoint { plot_name, .. } if !plot_name.is_empty() => Some((*plot_name).to_owned()),
            _ => None,
        })
        .show(ui, |plot| {
            for (name, color, points) in groups {
                plot.points(Points::new(name, PlotPoints::new(points)).color(color).radius(2.8));
            }
            if !brushed.is_empty() {
                plot.points(Points::new("", PlotPoints::new(brushed)).radius(4.6).color(tokens.accent).filled(false).allow_hover(false));
            }
            if let Some(point) = chosen {
                let mark = |radius: f32, color: Color32| {
                    Points::new(format!("Trial {}", selected + 1), PlotPoints::new(vec![point])).radius(radius).color(color).filled(false)
                };
                plot.points(mark(6.5, tokens.text));
            }
        });
    let name = run.area_name(area);
    widgets::describe(
        &drawn.response,
        format!(
            "Latents of {name}: {} trials, two components explain {:.0} %",
            projection.points.len(),
            (projection.explained[0] + projection.explained[1]) * 100.0
        ),
    );
    (drawn.response, drawn.transform)
}

/// Points of the chosen trials.
fn brushed(run: &RunState, snapshot: &Snapshot, projection: &Projection, selection: &Selection) -> Vec<[f64; 2]> {
    let Some(data) = run.data.as_deref().filter(|data| data.1.table == selection.trials.table) else { return Vec::new() };
    let chosen = |trial: &usize| data.1.rows.get(*trial).is_some_and(|row| selection.trials.rows.contains(row));
    projection.points.iter().zip(snapshot.latents().0).filter(|(_, t)| chosen(t)).map(|(p, _)| *p).collect()
}

/// Points by colour: few items draw faster than many.
fn grouped(
    tokens: &Tokens,
    snapshot: &Snapshot,
    projection: &Projection,
    colors: Option<&Values>,
    step: usize,
) -> Vec<(String, Color32, Vec<[f64; 2]>)> {
    const LEVELS: usize = 24;
    let mut groups: Vec<(String, Color32, Vec<[f64; 2]>)> = match colors {
        Some(Values::Categories { names, .. }) => {
            names.iter().enumerate().map(|(i, name)| (name.clone(), tokens.category(i), Vec::new())).collect()
        }
        Some(Values::Numbers { range, unit, .. }) => (0..LEVELS)
            .map(|level| {
                let share = level as f64 / (LEVELS - 1) as f64;
                let value = range.0 + share * (range.1 - range.0);
                (format!("about {} {unit}", widgets::number(value, 3)).trim_end().to_owned(), tokens.sequential(share), Vec::new())
            })
            .collect(),
        None => Vec::new(),
    };
    let missing = groups.len();
    groups.push(("no value".to_owned(), tokens.reference, Vec::new()));
    for (point, &trial) in projection.points.iter().zip(snapshot.latents().0).step_by(step) {
        let group = match colors {
            Some(Values::Categories { of, .. }) => of.get(trial).copied().unwrap_or(missing),
            Some(Values::Numbers { values, range, .. }) => match values.get(trial).filter(|v| v.is_finite()) {
                Some(value) if range.1 > range.0 => (((value - range.0) / (range.1 - range.0)) * (LEVELS - 1) as f64).round() as usize,
                Some(_) => 0,
                None => missing,
            },
            None => missing,
        };
        if let Some((_, _, points)) = groups.get_mut(group.min(missing)) {
            points.push(*point);
        }
    }
    groups.retain(|(_, _, points)| !points.is_empty());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_dimension_one_trial_and_bad_numbers_do_not_fail() {
        assert!(project(&[], None).points.is_empty());
        assert_eq!(project(&[vec![1.0, 2.0]], None).points, [[0.0; 2]]);
        let line = project(&[vec![1.0], vec![3.0]], None);
        assert_eq!((line.points, line.explained), (vec![[-1.0, 0.0], [1.0, 0.0]], [1.0, 0.0]));
        assert!(project(&[vec![f32::NAN, 1.0], vec![2.0, 1.0]], None).points.iter().flatten().all(|v| v.is_finite()));
    }
}
