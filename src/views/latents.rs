//! The Latents view: what the model knows about each trial and area, in two dimensions, coloured by what happened in the trial.

use std::sync::Arc;

use eframe::egui::{self, Color32, Ui, vec2};
use egui_plot::{HoverPosition, PlotPoint, PlotPoints, Points};

use super::kernels::waiting;
use super::latent_colors::{ColorBy, Values, values};
use super::pca::{Projection, project};
use super::work::Background;
use super::{RunState, View, ViewContext, widgets};
use crate::app::theme::{self, Tokens};
use crate::training::Snapshot;

/// Scatter plots, one per area.
#[derive(Default)]
pub struct LatentsView {
    by: ColorBy,
    projections: Background<(u64, usize), Vec<Projection>>,
    colors: Background<(ColorBy, String, usize), Values>,
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
         Click a dot to select its trial everywhere."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        *context.looks_at_run = true;
        let Some((run, snapshot)) =
            context.run.and_then(|run| Some((run, run.snapshot.clone()?))).filter(|(_, s)| s.latents.iter().any(|a| !a.is_empty()))
        else {
            return waiting(ui, context, "No latents yet");
        };
        let trials = run.data.as_ref().map_or(0, |data| data.1.starts.len());
        self.controls(ui, run, &mut context.selection.trial, trials);
        let colors = self.colors(ui, run);
        let projections = self.projections(ui, &snapshot);
        legend(ui, &self.by, colors.as_ref());
        if snapshot.latent_trials.len() > DRAWN {
            widgets::note(
                ui,
                format!("Showing {} of {} trials per area", widgets::count(DRAWN), widgets::count(snapshot.latent_trials.len())),
            );
        }
        let Some(projections) = projections else {
            ui.spinner();
            return;
        };
        if let Some(trial) = panels(ui, run, &snapshot, &projections, colors.as_ref(), context.selection.trial) {
            context.selection.trial = trial;
        }
    }
}

impl LatentsView {
    fn controls(&mut self, ui: &mut Ui, run: &RunState, trial: &mut usize, trials: usize) {
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
            let mut number = *trial + 1;
            if ui.add(egui::DragValue::new(&mut number).range(1..=trials.max(1)).speed(0.2)).labelled_by(label.id).changed() {
                *trial = number.saturating_sub(1);
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
        let work = move || theirs.latents.iter().enumerate().map(|(area, rows)| project(rows, before.get(area))).collect();
        self.projections.get(ui.ctx(), "latent projection", &key, work);
        self.projections.latest().cloned()
    }
}

fn legend(ui: &mut Ui, by: &ColorBy, colors: Option<&Values>) {
    let tokens = theme::of(ui);
    match colors {
        Some(Values::Numbers { range, unit, .. }) => {
            let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
            let end = |v: f64| format!("{}{unit}", widgets::number(v, 3));
            widgets::color_bar(ui, &end(range.0), &end(range.1), &by.name(), |x| tokens.sequential(x));
        }
        Some(Values::Categories { names, .. }) => {
            ui.horizontal_wrapped(|ui| {
                widgets::note(ui, by.name());
                for (index, name) in names.iter().enumerate() {
                    widgets::swatch_label(ui, tokens.category(index), name);
                }
            });
        }
        None => widgets::note(ui, by.name()),
    }
}

/// One panel per area; returns the trial that was clicked.
fn panels(
    ui: &mut Ui,
    run: &RunState,
    snapshot: &Snapshot,
    projections: &[Projection],
    colors: Option<&Values>,
    selected: usize,
) -> Option<usize> {
    let n = projections.len().max(1);
    let size = ui.available_size();
    let columns = ((n as f32 * size.x / size.y.max(1.0)).sqrt().round() as usize).clamp(1, n);
    let rows = n.div_ceil(columns);
    let gap = ui.spacing().item_spacing;
    let cell =
        vec2((size.x - gap.x * (columns - 1) as f32) / columns as f32, ((size.y - gap.y * (rows - 1) as f32) / rows as f32).max(130.0));
    let mut clicked = None;
    egui::ScrollArea::vertical().id_salt("latents").auto_shrink(false).show(ui, |ui| {
        for row in 0..rows {
            ui.horizontal_top(|ui| {
                for area in (row * columns)..((row + 1) * columns).min(n) {
                    let Some(projection) = projections.get(area) else { continue };
                    ui.allocate_ui(cell, |ui| {
                        ui.vertical(|ui| {
                            widgets::area_label(ui, run.area_index(area), &run.area_name(area));
                            let height = (cell.y - 34.0).max(80.0);
                            clicked = panel(ui, run, snapshot, area, projection, colors, selected, vec2(cell.x, height)).or(clicked);
                        });
                    });
                }
            });
        }
    });
    clicked
}

#[expect(clippy::too_many_arguments, reason = "a panel is drawn from the run, its projection, colours and selection")]
fn panel(
    ui: &mut Ui,
    run: &RunState,
    snapshot: &Snapshot,
    area: usize,
    projection: &Projection,
    colors: Option<&Values>,
    selected: usize,
    size: egui::Vec2,
) -> Option<usize> {
    let tokens = theme::of(ui);
    let axis = |k: usize| format!("Component {} ({:.0} % of variance)", k + 1, projection.explained[k] * 100.0);
    widgets::y_title(ui, &axis(1));
    let step = snapshot.latent_trials.len().div_ceil(DRAWN).max(1);
    let groups = grouped(tokens, snapshot, projection, colors, step);
    let chosen = snapshot.latent_trials.iter().position(|t| *t == selected).and_then(|place| projection.points.get(place)).copied();
    let drawn = widgets::plot(ui, &format!("latents {area}"), &axis(0))
        .width(size.x)
        .height(size.y - widgets::Y_TITLE)
        .label_formatter(move |position| match position {
            HoverPosition::NearDataPoint { plot_name, .. } if !plot_name.is_empty() => Some((*plot_name).to_owned()),
            _ => None,
        })
        .show(ui, |plot| {
            for (name, color, points) in groups {
                plot.points(Points::new(name, PlotPoints::new(points)).color(color).radius(2.8));
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
    let pointer = drawn.response.interact_pointer_pos().filter(|_| drawn.response.clicked())?;
    let distance = |p: &[f64; 2]| drawn.transform.position_from_point(&PlotPoint::new(p[0], p[1])).distance_sq(pointer);
    let nearest = projection.points.iter().enumerate().min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)))?.0;
    snapshot.latent_trials.get(nearest).copied()
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
    for (point, &trial) in projection.points.iter().zip(&snapshot.latent_trials).step_by(step) {
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
