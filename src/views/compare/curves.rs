//! Curves of several runs in one plot: validation losses, and coupling filters of one pair of areas.

use eframe::egui::{RichText, Ui};
use egui_plot::{HLine, HoverPosition, Line, LineStyle, PlotPoints, Points};

use super::{color, letter, name};
use crate::app::theme;
use crate::runs::LoadedRun;
use crate::runs::comparison::{Comparison, Progress, common_loss, kernel, validation_losses};
use crate::views::{shown_area, widgets};

/// What is chosen on these pages.
#[derive(Default)]
pub struct Curves {
    axis: Progress,
    relative: bool,
    /// Sending and receiving area by name.
    pair: Option<(String, String)>,
}

/// One run's loss as it is drawn.
struct Loss {
    at: usize,
    points: Vec<[f64; 2]>,
    flat: Option<f64>,
}

impl Curves {
    /// Validation losses against steps or seconds.
    pub fn losses(&mut self, ui: &mut Ui, comparison: &Comparison) {
        let tokens = theme::of(ui);
        let loaded: Vec<(usize, &LoadedRun)> =
            comparison.runs.iter().enumerate().filter_map(|(at, run)| Some((at, run.run.as_ref().ok()?))).collect();
        let common = common_loss(&loaded.iter().map(|(_, run)| *run).collect::<Vec<_>>());
        ui.horizontal_wrapped(|ui| {
            let axes = [
                (Progress::Steps, "By step", "Optimiser steps since the start"),
                (Progress::Seconds, "By time", "Seconds of training, pauses left out; even within a stage"),
            ];
            widgets::segmented(ui, &mut self.axis, &axes);
            ui.separator();
            let tip = "Divide every loss by that of a flat rate on the same data: 1 is a flat rate, for every model";
            ui.checkbox(&mut self.relative, "Relative to a flat rate").on_hover_text(tip);
        });
        if common.is_none() && !self.relative {
            let text = "The models have losses of their own: only the shapes of these curves can be compared";
            ui.label(RichText::new(text).small().color(tokens.warning));
        }
        let mut losses = Vec::new();
        for (at, run) in &loaded {
            let flat = run.losses.flat.map(f64::from).filter(|flat| flat.is_finite() && *flat != 0.0);
            let mut points = validation_losses(&run.losses, &run.manifest.stages, self.axis);
            let refusal = match (points.is_empty(), self.relative, flat) {
                (true, ..) => Some("has no validation losses on this axis"),
                (_, true, None) => Some("has no flat-rate reference to compare with"),
                _ => None,
            };
            if let Some(why) = refusal {
                widgets::note(ui, format!("{} {why}", letter(*at)));
                continue;
            }
            if let (true, Some(flat)) = (self.relative, flat) {
                points.iter_mut().for_each(|p| p[1] /= flat);
            }
            losses.push(Loss { at: *at, points, flat: flat.filter(|_| !self.relative) });
        }
        if losses.iter().any(|loss| loss.flat.is_some()) {
            widgets::note(ui, "Dashed: a flat rate, in the colour of its run");
        }
        let (x, unit) = match self.axis {
            Progress::Steps => ("Optimiser step", ""),
            Progress::Seconds => ("Time of training (s)", " s"),
        };
        let title = match (self.relative, common) {
            (true, _) => "Validation loss, relative to a flat rate".to_owned(),
            (false, Some(term)) => format!("Validation loss, {} (per bin and unit)", term.to_lowercase()),
            (false, None) => "Validation loss (per bin and unit)".to_owned(),
        };
        let top = top(&losses);
        widgets::y_title(ui, &title);
        let drawn = widgets::plot(ui, "compared losses", x)
            .height((ui.available_height() - 4.0).max(120.0))
            .label_formatter(move |position| match position {
                HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                    Some(format!("{plot_name}\n{}{unit}\n{}", widgets::number(position.x, 5), widgets::number(position.y, 5)))
                }
                HoverPosition::NearDataPoint { position, .. } | HoverPosition::Elsewhere { position } => {
                    Some(format!("{}{unit}\n{}", widgets::number(position.x.max(0.0), 5), widgets::number(position.y, 5)))
                }
            })
            .show(ui, |plot| {
                if self.relative {
                    plot.hline(HLine::new("Flat rate", 1.0).color(tokens.reference).width(1.2).style(LineStyle::dashed_dense()));
                }
                for loss in &losses {
                    let shade = color(tokens, loss.at);
                    let label = name(comparison, loss.at);
                    if let Some(flat) = loss.flat.filter(|flat| *flat <= top) {
                        let line = HLine::new(format!("{} flat rate", letter(loss.at)), flat);
                        plot.hline(line.color(shade.gamma_multiply(0.6)).width(1.0).style(LineStyle::dashed_dense()));
                    }
                    let points: Vec<[f64; 2]> = loss.points.iter().copied().filter(|p| p[1] <= top).collect();
                    plot.line(Line::new(label.clone(), PlotPoints::new(points.clone())).color(shade).width(2.2));
                    if points.len() <= 200 {
                        plot.points(Points::new(label, PlotPoints::new(points)).color(shade).radius(2.4));
                    }
                }
            });
        let best = |loss: &Loss| widgets::range(loss.points.iter().map(|p| p[1])).map_or(f64::NAN, |(low, _)| low);
        let told: Vec<String> = losses.iter().map(|l| format!("{} best {}", name(comparison, l.at), widgets::number(best(l), 5))).collect();
        widgets::describe(&drawn.response, format!("{title}: {}", told.join(", ")));
    }

    /// Coupling filters of one pair of areas.
    pub fn kernels(&mut self, ui: &mut Ui, comparison: &Comparison) {
        let tokens = theme::of(ui);
        let pairs = pairs(comparison);
        let Some(first) = pairs.first() else {
            let text = "Coupling filters belong to GLM-Transformers. The pages Between areas and Between units show what these models say about connections.";
            widgets::empty(ui, "None of these runs has coupling kernels", text, None);
            return;
        };
        let pair = self.pair.clone().filter(|pair| pairs.contains(pair)).unwrap_or_else(|| first.clone());
        let mut chosen = pair.clone();
        let arrow = |(source, target): &(String, String)| format!("{} → {}", shown_area(source), shown_area(target));
        ui.horizontal(|ui| {
            widgets::caption(ui, "Pair of areas", 120.0);
            widgets::combo(ui, "compared pair", "Pair of areas", &arrow(&pair), 240.0, |ui| {
                for one in &pairs {
                    ui.selectable_value(&mut chosen, one.clone(), arrow(one));
                }
            });
        });
        self.pair = Some(chosen);
        let mut curves = Vec::new();
        for (at, run) in comparison.runs.iter().enumerate() {
            match kernel(run.snapshot(), &pair.0, &pair.1) {
                Ok(factors) => curves.push((at, factors)),
                Err(why) => widgets::note(ui, format!("{}: {why}", letter(at))),
            }
        }
        widgets::y_title(ui, "Change of log-rate per projected spike");
        let drawn = widgets::plot(ui, "compared kernels", "Lag (ms)")
            .height((ui.available_height() - 4.0).max(120.0))
            .label_formatter(|position| match position {
                HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                    Some(format!("{plot_name}\n{} ms\n{}", widgets::number(position.x, 4), widgets::number(position.y, 3)))
                }
                HoverPosition::NearDataPoint { position, .. } | HoverPosition::Elsewhere { position } => {
                    Some(format!("{} ms\n{}", widgets::number(position.x, 4), widgets::number(position.y, 3)))
                }
            })
            .show(ui, |plot| {
                plot.hline(HLine::new("", 0.0).color(tokens.line).width(1.0));
                for (at, factors) in &curves {
                    for (factor, points) in factors.iter().enumerate() {
                        let label =
                            if factor == 0 { name(comparison, *at) } else { format!("{}, factor {}", name(comparison, *at), factor + 1) };
                        let width = if factor == 0 { 2.2 } else { 1.2 };
                        plot.line(Line::new(label, PlotPoints::new(points.clone())).color(color(tokens, *at)).width(width));
                    }
                }
            });
        let peak = |factors: &[Vec<[f64; 2]>]| {
            let peak = factors.iter().flatten().max_by(|a, b| a[1].abs().total_cmp(&b[1].abs()));
            peak.map_or_else(String::new, |p| format!("{} at {} ms", widgets::number(p[1], 3), widgets::number(p[0], 3)))
        };
        let told: Vec<String> = curves.iter().map(|(at, factors)| format!("{} peak {}", name(comparison, *at), peak(factors))).collect();
        widgets::describe(&drawn.response, format!("Coupling kernels {}: {}", arrow(&pair), told.join(", ")));
    }
}

/// Upper end of the range: three quarters of the points are far closer to the end than the first steps are.
fn top(losses: &[Loss]) -> f64 {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for loss in losses {
        let mut values: Vec<f64> = loss.points.iter().map(|p| p[1]).chain(loss.flat).collect();
        values.sort_by(f64::total_cmp);
        low = low.min(values.first().copied().unwrap_or(low));
        high = high.max(values.get(values.len().saturating_sub(1) * 3 / 4).copied().unwrap_or(high)).max(loss.flat.unwrap_or(high));
    }
    if high > low { high + 0.5 * (high - low) } else { f64::INFINITY }
}

/// Pairs of areas for which at least one run has a filter, the strongest first.
fn pairs(comparison: &Comparison) -> Vec<(String, String)> {
    let mut found: Vec<((String, String), f64)> = Vec::new();
    for snapshot in comparison.runs.iter().filter_map(|run| run.snapshot()) {
        for pair in snapshot.pairs() {
            let (Some(source), Some(target)) = (snapshot.areas.get(pair.source), snapshot.areas.get(pair.target)) else { continue };
            let Ok(factors) = kernel(Some(snapshot), source, target) else { continue };
            let between = if source == target { 1e-6 } else { 1.0 };
            let height = between * factors.iter().flatten().map(|p| p[1].abs()).fold(0.0, f64::max);
            let pair = (source.clone(), target.clone());
            match found.iter_mut().find(|(known, _)| *known == pair) {
                Some((_, highest)) => *highest = highest.max(height),
                None => found.push((pair, height)),
            }
        }
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found.into_iter().map(|(pair, _)| pair).collect()
}
