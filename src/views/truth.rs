//! The Ground truth view: inferred against true weights, and how they approach each other while the model trains.

use eframe::egui::{RichText, Ui};
use egui_plot::{HoverPosition, Line, LineStyle, PlotPoints, Points};

use super::kernels::{Standing, standing, waiting};
use super::{RunState, View, ViewContext, pair_truth, widgets};
use crate::app::theme;
use crate::recording::Truth;
use crate::render::RasterStyle;
use crate::training::{ModelRecipe, PairSnapshot, Snapshot, TruthScore};

/// Scatter of weights and running scores.
#[derive(Default)]
pub struct TruthView;

impl View for TruthView {
    fn title(&self) -> &'static str {
        "Ground truth"
    }

    fn help(&self) -> &'static str {
        "For simulated recordings the true coupling is known, so the model can be checked. \
         On the left each dot is a unit: its inferred weight against its true one; a good fit lies on the diagonal. \
         On the right 1 means that weights (absolute cosine) or filter (correlation) agree perfectly with the truth."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        *context.looks_at_run = true;
        if context.run.is_some_and(|run| matches!(run.recipe.model, ModelRecipe::NetFormer(_))) {
            let text = "NetFormer infers connections between single units, not areas: the Trust view sets them against the truth.";
            if widgets::empty(ui, "Nothing between areas", text, Some("Go to Trust")) {
                context.actions.push(super::Action::Show("Trust"));
            }
            return;
        }
        let recording = context.run.and_then(|run| run.data.as_ref()).map(|data| &data.0).or(context.recording);
        if recording.is_some_and(|r| !r.truth.as_ref().is_some_and(Truth::knows_edges)) {
            let text = "Truth only exists for simulated recordings. Try the demo to see how well a known coupling is found.";
            if widgets::empty(ui, "This recording has no ground truth", text, Some("Try the demo")) {
                context.actions.push(super::Action::OpenDemo);
            }
            return;
        }
        let Some((run, snapshot)) = context.run.and_then(|run| Some((run, run.snapshot.as_deref()?))) else {
            return waiting(ui, context, "Nothing to compare yet");
        };
        let Some(pair) = true_pair(run, snapshot, context.selection.pair) else {
            widgets::empty(ui, "No true coupling", "In this simulation no area drives another one; any coupling found is false.", None);
            return;
        };
        headline(ui, run, snapshot, pair);
        match standing(pair) {
            Standing::Trained => {}
            Standing::NotYet => {
                widgets::empty(
                    ui,
                    "Nothing to compare yet",
                    "Coupling is trained from stage 3 on, once the slow dynamics are known.",
                    None,
                );
                return;
            }
            Standing::Unsupported => {
                let text =
                    "The simulation has this coupling, but its score stays below what jittered spike times give. More trials would help.";
                widgets::empty(ui, "The true coupling was not found", text, None);
                return;
            }
        }
        let size = ui.available_size();
        if size.x > 1.25 * size.y {
            ui.columns(2, |columns| {
                if let [left, right] = columns {
                    scatter(left, run, pair, size.y);
                    running(right, run, snapshot, pair, size.y);
                }
            });
        } else {
            scatter(ui, run, pair, size.y * 0.52);
            running(ui, run, snapshot, pair, ui.available_height());
        }
    }
}

/// The selected pair when it has a true edge, else the first that has one.
fn true_pair<'a>(run: &RunState, snapshot: &'a Snapshot, selected: Option<(usize, usize)>) -> Option<&'a PairSnapshot> {
    let has_edge = |p: &&PairSnapshot| pair_truth::of(run, p).is_some_and(|t| t.filter.is_some());
    let chosen = snapshot.pairs().iter().find(|p| selected == Some((p.source, p.target))).filter(has_edge);
    chosen
        .or_else(|| snapshot.pairs().iter().filter(|p| p.source != p.target).find(has_edge))
        .or_else(|| snapshot.pairs().iter().find(has_edge))
}

fn scores_of(snapshot: &Snapshot, pair: &PairSnapshot) -> Vec<(u64, TruthScore)> {
    snapshot.truth().iter().filter(|(_, s)| (s.source, s.target) == (pair.source, pair.target)).copied().collect()
}

fn headline(ui: &mut Ui, run: &RunState, snapshot: &Snapshot, pair: &PairSnapshot) {
    let tokens = theme::of(ui);
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(format!("{} → {}", run.area_name(pair.source), run.area_name(pair.target))).size(16.0));
        let text = match scores_of(snapshot, pair).last() {
            Some((_, s)) => format!(
                "sending weights {}, receiving weights {}, filter {}",
                widgets::number(f64::from(s.cos_send), 3),
                widgets::number(f64::from(s.cos_receive), 3),
                widgets::number(f64::from(s.filter_corr), 3)
            ),
            None => String::new(),
        };
        ui.label(RichText::new(text).color(tokens.weak));
    });
}

fn scatter(ui: &mut Ui, run: &RunState, pair: &PairSnapshot, height: f32) {
    let tokens = theme::of(ui);
    let style = RasterStyle::of(ui);
    let (source, target) = (style.area(run.area_index(pair.source)), style.area(run.area_index(pair.target)));
    ui.horizontal_wrapped(|ui| {
        widgets::swatch_label(ui, source, "Sending weights");
        widgets::swatch_label(ui, target, "Receiving weights");
        widgets::line_label(ui, tokens.reference, true, "perfect");
    });
    let truth = pair_truth::of(run, pair);
    let points = |inferred: Option<&Vec<f32>>, truth: &[Option<f64>]| -> Vec<[f64; 2]> {
        inferred.into_iter().flatten().zip(truth).filter_map(|(i, t)| Some([(*t)?, f64::from(*i)])).collect()
    };
    let send = truth.as_ref().map(|t| points(pair.send.first(), &t.send)).unwrap_or_default();
    let receive = truth.as_ref().map(|t| points(pair.receive.first(), &t.receive)).unwrap_or_default();
    let (low, high) = widgets::range(send.iter().chain(&receive).flatten().copied().chain([0.0])).unwrap_or((0.0, 1.0));
    let n = send.len() + receive.len();
    widgets::y_title(ui, "Inferred weight");
    let response = widgets::plot(ui, "truth scatter", "True weight")
        .height((height - 24.0 - widgets::Y_TITLE).max(70.0))
        .label_formatter(|p| hover(p, "true", "inferred"))
        .show(ui, |plot| {
            plot.line(
                Line::new("", PlotPoints::new(vec![[low, low], [high, high]]))
                    .color(tokens.reference)
                    .width(1.2)
                    .style(LineStyle::dashed_dense())
                    .allow_hover(false),
            );
            plot.points(Points::new("Sending weight", PlotPoints::new(send)).color(source).radius(3.2));
            plot.points(Points::new("Receiving weight", PlotPoints::new(receive)).color(target).radius(3.2));
        })
        .response;
    widgets::describe(&response, format!("Inferred against true weights of {n} units"));
}

fn running(ui: &mut Ui, run: &RunState, snapshot: &Snapshot, pair: &PairSnapshot, height: f32) {
    let tokens = theme::of(ui);
    let style = RasterStyle::of(ui);
    let colors = [style.area(run.area_index(pair.source)), style.area(run.area_index(pair.target)), tokens.text];
    let scores = scores_of(snapshot, pair);
    ui.horizontal_wrapped(|ui| {
        widgets::line_label(ui, colors[0], false, "|cos| sending");
        widgets::line_label(ui, colors[1], false, "|cos| receiving");
        widgets::line_label(ui, colors[2], true, "filter correlation");
    });
    let of = |value: fn(&TruthScore) -> f32| -> Vec<[f64; 2]> {
        scores.iter().map(|(step, s)| [*step as f64, f64::from(value(s))]).filter(|p| p[1].is_finite()).collect()
    };
    let series = [of(|s| s.cos_send), of(|s| s.cos_receive), of(|s| s.filter_corr)];
    let last = scores.last().map(|(_, s)| *s);
    widgets::y_title(ui, "Agreement with the truth (1 = perfect)");
    let response = widgets::plot(ui, "truth scores", "Optimiser step")
        .height((height - 24.0 - widgets::Y_TITLE).max(70.0))
        .include_y(0.0)
        .include_y(1.0)
        .label_formatter(|p| hover(p, "step", "agreement"))
        .show(ui, |plot| {
            plot.hline(egui_plot::HLine::new("", 1.0).color(tokens.line).width(1.0).allow_hover(false));
            for ((points, name), color) in series.into_iter().zip(["|cos| sending", "|cos| receiving", "Filter correlation"]).zip(colors) {
                let style = if name.starts_with("Filter") { LineStyle::dashed_dense() } else { LineStyle::Solid };
                plot.line(Line::new(name, PlotPoints::new(points)).color(color).width(2.0).style(style));
            }
        })
        .response;
    let text = last.map_or_else(
        || "Agreement with the truth, nothing yet".to_owned(),
        |s| {
            let n = |v: f32| widgets::number(f64::from(v), 3);
            format!("Agreement with the truth: sending {}, receiving {}, filter {}", n(s.cos_send), n(s.cos_receive), n(s.filter_corr))
        },
    );
    widgets::describe(&response, text);
}

fn hover(position: &HoverPosition<'_>, x: &str, y: &str) -> Option<String> {
    let (name, p) = match position {
        HoverPosition::NearDataPoint { plot_name, position, .. } => (*plot_name, position),
        HoverPosition::Elsewhere { position } => ("", position),
    };
    Some(format!("{name}{}{x} {}\n{y} {}", if name.is_empty() { "" } else { "\n" }, widgets::number(p.x, 3), widgets::number(p.y, 3)))
}
