//! Scores of members against a setting, and of the best of them averaged against their number.

use std::collections::BTreeMap;

use eframe::egui::{self, Ui};
use egui_plot::{HLine, HoverPosition, Line, LineStyle, MarkerShape, PlotPoints, Points};

use super::setting_name;
use crate::app::theme::{self, Tokens};
use crate::training::sweep::{Averaged, Found, Range, Scale};
use crate::training::{Beside, RateScores};
use crate::views::{ViewContext, widgets};

/// A member that scores worse than the best by more than this many times what the best has over a flat rate is drawn at the lower
/// edge: one network that diverged would leave no room for the others.
const FAR: f64 = 1.5;

/// Score of every member against one setting, `height` points high.
pub(super) fn against(
    ui: &mut Ui,
    context: &mut ViewContext<'_>,
    sweep: &Found,
    averages: Option<&Averaged>,
    path: &mut String,
    height: f32,
) {
    let tokens = theme::of(ui);
    let drawn: Vec<&Range> = sweep.plan.ranges.iter().filter(|range| range.drawn).collect();
    let usual = || drawn.iter().find(|range| range.path == "model.rate").or(drawn.first());
    let Some(range) = drawn.iter().find(|range| range.path == *path).or_else(usual) else { return };
    ui.horizontal_wrapped(|ui| {
        let name = setting_name(&sweep.plan.base, &range.path);
        widgets::caption(ui, "Score against", 170.0);
        widgets::combo(ui, "against", "Score against", &name, 230.0, |ui| {
            for other in &drawn {
                let text = setting_name(&sweep.plan.base, &other.path);
                if ui.selectable_label(other.path == range.path, text).clicked() {
                    path.clone_from(&other.path);
                }
            }
        });
    });
    let points = points(sweep, range);
    if points.is_empty() {
        widgets::note(ui, "Members appear here as they are finished");
        return;
    }
    let floor = floor(points.values().map(|(_, score)| *score));
    let low = points.values().filter(|(_, score)| *score < floor).count();
    let beside = averages.map(|averages| &averages.beside[0]);
    ui.horizontal_wrapped(|ui| {
        legend(ui, beside, tokens);
        if low > 0 {
            widgets::note(ui, format!("▽ {low} below {} (hover for the score)", widgets::number(floor, 2)));
        }
    });
    widgets::y_title(ui, "co-bps on validation trials (bits/spike)");
    let log = range.scale == Scale::Log;
    let label = setting_name(&sweep.plan.base, &range.path) + if log { ", log₁₀" } else { "" };
    let at = |value: f64| if log { value.log10() } else { value };
    let chosen: Vec<usize> =
        sweep.members.iter().filter(|member| context.selection.runs.contains(&member.folder)).map(|member| member.index).collect();
    let told: BTreeMap<String, String> = points
        .iter()
        .map(|(index, (value, score))| {
            let name = format!("member {}", index + 1);
            let text = format!(
                "{name}\n{} {}\n{} bits/spike",
                range.path.trim_start_matches("model."),
                widgets::number(*value, 4),
                widgets::number(*score, 3)
            );
            (name, text)
        })
        .collect();
    let drawn_plot = widgets::plot(ui, "score against", &label)
        .height((height - 76.0).max(80.0))
        .allow_drag(false)
        .allow_boxed_zoom(false)
        .label_formatter(move |position| match position {
            HoverPosition::NearDataPoint { plot_name, .. } => told.get(*plot_name).cloned(),
            HoverPosition::Elsewhere { .. } => None,
        })
        .show(ui, |plot| {
            references(plot, beside, tokens);
            for (index, (value, score)) in &points {
                let below = *score < floor;
                let place = PlotPoints::new(vec![[at(*value), score.max(floor)]]);
                let shape = if below { MarkerShape::Down } else { MarkerShape::Circle };
                let chosen = chosen.contains(index);
                let (color, radius) = if chosen { (tokens.warning, 6.0) } else { (tokens.accent, 4.0) };
                plot.points(Points::new(format!("member {}", index + 1), place).shape(shape).color(color).radius(radius));
            }
        });
    let best = points.iter().max_by(|(_, (_, a)), (_, (_, b))| a.total_cmp(b));
    let best = best.map(|(index, (value, score))| {
        format!("; best is member {} with {} at {}", index + 1, widgets::number(*score, 3), widgets::number(*value, 4))
    });
    widgets::describe(&drawn_plot.response, format!("Score of {} members against {label}{}", points.len(), best.unwrap_or_default()));
}

/// Value of a setting and score of every member that has one, by number.
fn points(sweep: &Found, range: &Range) -> BTreeMap<usize, (f64, f64)> {
    let one = |member: &crate::training::sweep::Member| {
        let value = member.recipe.get(&range.path).ok()?.as_f64()?;
        Some((member.index, (value, member.validation.filter(|score| score.is_finite())?)))
    };
    sweep.members.iter().filter_map(one).collect()
}

/// The lowest score that is drawn where it is.
fn floor(scores: impl Iterator<Item = f64>) -> f64 {
    let best = scores.fold(f64::NEG_INFINITY, f64::max);
    best - FAR * best.abs().max(0.05)
}

/// Score of the mean rates of the best 1, 2, … members, `height` points high.
pub(super) fn ensemble(ui: &mut Ui, averages: Option<&Averaged>, height: f32) {
    let tokens = theme::of(ui);
    widgets::section(ui, "The best averaged");
    let Some(averages) = averages else {
        widgets::note(ui, "The curve comes when members are complete: it is computed in the background, again after each of them");
        return;
    };
    widgets::note(ui, headline(averages));
    ui.horizontal_wrapped(|ui| {
        widgets::line_label(ui, tokens.accent, false, "validation trials");
        widgets::line_label(ui, tokens.text, false, "test trials");
        legend(ui, Some(&averages.beside[0]), tokens);
    });
    widgets::y_title(ui, "co-bps (bits/spike)");
    let points = |scores: &[RateScores]| -> Vec<[f64; 2]> {
        scores.iter().enumerate().filter(|(_, s)| s.co_bps.is_finite()).map(|(at, s)| [(at + 1) as f64, f64::from(s.co_bps)]).collect()
    };
    let (validation, test) = (points(&averages.validation), points(&averages.test));
    let best = validation.iter().find(|point| point[0] == averages.best as f64).copied();
    let drawn = widgets::plot(ui, "ensemble", "Members averaged, best first")
        .height((height - 92.0).max(80.0))
        .allow_drag(false)
        .allow_boxed_zoom(false)
        .include_x(0.5)
        .include_x(averages.validation.len() as f64 + 0.5)
        .label_formatter(|position| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } if plot_name.contains("trials") => {
                Some(format!("mean of the best {:.0}, {plot_name}\n{} bits/spike", position.x, widgets::number(position.y, 3)))
            }
            _ => None,
        })
        .show(ui, |plot| {
            references(plot, Some(&averages.beside[0]), tokens);
            for (name, color, points) in [("test trials", tokens.text, test), ("validation trials", tokens.accent, validation)] {
                plot.line(Line::new(name, PlotPoints::new(points.clone())).color(color).width(1.8));
                plot.points(Points::new(name, PlotPoints::new(points)).color(color).radius(3.0));
            }
            if let Some(best) = best {
                let ring = Points::new("validation trials", PlotPoints::new(vec![best])).filled(false);
                plot.points(ring.color(tokens.accent).radius(7.0));
            }
        });
    widgets::describe(&drawn.response, format!("Score against members averaged: {}", headline(averages)));
}

/// The result in words.
fn headline(averages: &Averaged) -> String {
    let score = |scores: &[RateScores], count: usize| {
        let value = count.checked_sub(1).and_then(|at| scores.get(at)).map_or(f64::NAN, |s| f64::from(s.co_bps));
        widgets::number(value, 3)
    };
    let of =
        |count: usize| format!("{} on validation, {} on test trials", score(&averages.validation, count), score(&averages.test, count));
    match averages.best {
        0 | 1 => format!("the best member alone scores {}", of(1)),
        best => format!("the best {best} averaged score {}; the best alone {}", of(best), of(1)),
    }
}

fn legend(ui: &mut Ui, beside: Option<&Beside>, tokens: &Tokens) {
    let Some(beside) = beside else { return };
    widgets::line_label(ui, tokens.weak, false, "flat rate");
    if beside.smoothing.is_some() {
        widgets::line_label(ui, tokens.reference, true, "smoothing");
    }
    if beside.oracle.is_some() {
        widgets::line_label(ui, tokens.truth, true, "true rates");
    }
}

/// What the same trials score without a network.
fn references(plot: &mut egui_plot::PlotUi<'_>, beside: Option<&Beside>, tokens: &Tokens) {
    let Some(beside) = beside else { return };
    let mut line = |name: &str, score: RateScores, color: egui::Color32, style: LineStyle| {
        if score.co_bps.is_finite() {
            plot.hline(HLine::new(name.to_owned(), f64::from(score.co_bps)).color(color).width(1.4).style(style).allow_hover(false));
        }
    };
    line("flat rate", beside.flat, tokens.weak, LineStyle::Solid);
    if let Some(score) = beside.smoothing {
        line("smoothing", score, tokens.reference, LineStyle::dashed_dense());
    }
    if let Some(score) = beside.oracle {
        line("true rates", score, tokens.truth, LineStyle::dashed_dense());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_diverged_leaves_room_for_the_others() {
        assert!((floor([0.2, 0.3, -15.0].into_iter()) - -0.15).abs() < 1e-12);
        assert!(floor([-0.01].into_iter()) < -0.08, "a lone member is above the floor");
    }

    #[test]
    fn the_headline_compares_with_the_best_alone() {
        let scores = |values: &[f32]| -> Vec<RateScores> {
            values.iter().map(|&co_bps| RateScores { step: 0, co_bps, fp_bps: f32::NAN, rate_r2: f32::NAN }).collect()
        };
        let flat = scores(&[0.0])[0];
        let beside = Beside { flat, smoothing: None, oracle: None };
        let mut averages = Averaged {
            order: vec![(2, flat), (0, flat)],
            validation: scores(&[0.3, 0.32]),
            test: scores(&[0.28, 0.31]),
            best: 2,
            beside: [beside; 2],
            trials: [10, 10],
        };
        let alone = "the best alone 0.3 on validation, 0.28 on test trials";
        assert_eq!(headline(&averages), format!("the best 2 averaged score 0.32 on validation, 0.31 on test trials; {alone}"));
        averages.best = 1;
        assert_eq!(headline(&averages), "the best member alone scores 0.3 on validation, 0.28 on test trials");
    }
}
