//! How well rates predict spikes that the network did not see: the score in words, and its curve over steps with what is to be
//! beaten and what can be reached.

use eframe::egui::{RichText, Ui};
use egui_plot::{HLine, HoverPosition, Line, LineStyle, PlotPoints, Points};

use super::super::widgets;
use crate::app::theme;
use crate::training::{RateScores, StndtSnapshot};

/// Height below which there is no room for the curve.
pub const CURVE: f32 = 130.0;

/// Which score is shown: of held-out units where there are any, else of forward bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Score {
    HeldOut,
    Forward,
}

impl Score {
    pub fn of(snapshot: &StndtSnapshot) -> Option<Self> {
        let any = |of: fn(&RateScores) -> f32| snapshot.scores.iter().chain(&snapshot.smoothing).any(|s| of(s).is_finite());
        if any(|s| s.co_bps) { Some(Self::HeldOut) } else { any(|s| s.fp_bps).then_some(Self::Forward) }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::HeldOut => "co-bps",
            Self::Forward => "fp-bps",
        }
    }

    fn value(self, scores: &RateScores) -> f64 {
        f64::from(match self {
            Self::HeldOut => scores.co_bps,
            Self::Forward => scores.fp_bps,
        })
    }
}

/// The score in words: `co-bps 0.31 bits/spike · smoothing 0.21 · true rates 0.71`.
pub fn words(snapshot: &StndtSnapshot, score: Score) -> Vec<(String, &'static str)> {
    let mut parts = Vec::new();
    if let Some(last) = snapshot.scores.last() {
        parts.push((
            format!("{} {} bits/spike", score.name(), widgets::number(score.value(last), 3)),
            match score {
                Score::HeldOut => "Bits per spike of held-out units on validation trials, above each unit's mean rate",
                Score::Forward => "Bits per spike of all units in the forward bins of validation trials, above each unit's mean rate",
            },
        ));
    }
    for (name, scores, help) in [
        ("smoothing", &snapshot.smoothing, "The same score of smoothed spikes with a Poisson regression: to be beaten"),
        ("true rates", &snapshot.oracle, "The same score of the true rates: what can be reached on average"),
    ] {
        if let Some(value) = scores.as_ref().map(|s| score.value(s)).filter(|v| v.is_finite()) {
            parts.push((format!("{name} {}", widgets::number(value, 3)), help));
        }
    }
    if let Some(r2) = snapshot.scores.last().map(|s| f64::from(s.rate_r2)).filter(|v| v.is_finite()) {
        parts.push((format!("R² of true rates {}", widgets::number(r2, 3)), "Coefficient of determination, mean over units"));
    }
    parts
}

/// One line with the score; without held-out units and forward bins, why there is none.
pub fn headline(ui: &mut Ui, snapshot: &StndtSnapshot) {
    let tokens = theme::of(ui);
    ui.horizontal_wrapped(|ui| match Score::of(snapshot) {
        None => widgets::note(ui, "No score yet: it needs a validation, and held-out units or forward bins in the recipe"),
        Some(score) => {
            for (place, (text, help)) in words(snapshot, score).into_iter().enumerate() {
                let text = match place {
                    0 => RichText::new(text).strong(),
                    _ => RichText::new(text).color(tokens.weak),
                };
                ui.label(text).on_hover_text(help);
            }
        }
    });
}

/// Range of the curve: from a little below what is to be beaten to a little above what can be reached.
fn range(snapshot: &StndtSnapshot, score: Score) -> (f64, f64) {
    let references = snapshot.smoothing.iter().chain(&snapshot.oracle).map(|s| score.value(s));
    let values = snapshot.scores.iter().map(|s| score.value(s)).chain(references).chain([0.0]);
    let (low, high) = widgets::range(values).unwrap_or((0.0, 1.0));
    let last = snapshot.scores.iter().rev().map(|s| score.value(s)).find(|v| v.is_finite()).unwrap_or(0.0);
    // The first steps are far below zero and say nothing, as soon as there are others.
    (low.max((-0.5 * high.max(0.1)).min(1.2 * last)), high.max(0.05))
}

/// The score against steps.
pub fn curve(ui: &mut Ui, snapshot: &StndtSnapshot, height: f32) {
    let Some(score) = Score::of(snapshot) else { return };
    let tokens = theme::of(ui);
    let (low, high) = range(snapshot, score);
    let all: Vec<[f64; 2]> = snapshot.scores.iter().map(|s| [s.step as f64, score.value(s)]).filter(|p| p[1].is_finite()).collect();
    let points: Vec<[f64; 2]> = all.iter().copied().filter(|p| p[1] >= low).collect();
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().interact_size.y = 14.0;
        widgets::line_label(ui, tokens.accent, false, "inferred rates");
        for (name, color, scores) in [("smoothing", tokens.reference, &snapshot.smoothing), ("true rates", tokens.truth, &snapshot.oracle)]
        {
            if scores.is_some() {
                widgets::line_label(ui, color, true, name);
            }
        }
        if all.len() > points.len() {
            widgets::note(
                ui,
                match all.len() - points.len() {
                    1 => "one early point below the range is not drawn".to_owned(),
                    n => format!("{n} early points below the range are not drawn"),
                },
            );
        }
    });
    widgets::y_title(ui, &format!("{} (bits/spike)", score.name()));
    let drawn = widgets::plot(ui, "rate score", "Optimiser step")
        .height((height - widgets::Y_TITLE - 20.0).max(40.0))
        .allow_drag(false)
        .allow_boxed_zoom(false)
        .include_y(low)
        .include_y(high)
        .label_formatter(move |position| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                Some(format!("{plot_name}\nstep {:.0}\n{} bits/spike", position.x, widgets::number(position.y, 3)))
            }
            _ => None,
        })
        .show(ui, |plot| {
            for (name, color, scores) in
                [("Smoothing", tokens.reference, &snapshot.smoothing), ("True rates", tokens.truth, &snapshot.oracle)]
            {
                if let Some(value) = scores.as_ref().map(|s| score.value(s)).filter(|v| v.is_finite()) {
                    plot.hline(HLine::new(name, value).color(color).width(1.3).style(LineStyle::dashed_dense()));
                }
            }
            plot.line(Line::new("Inferred rates", PlotPoints::new(points.clone())).color(tokens.accent).width(2.0));
            if points.len() <= 60 {
                plot.points(Points::new("Inferred rates", PlotPoints::new(points)).color(tokens.accent).radius(2.4));
            }
        });
    let said: Vec<String> = words(snapshot, score).into_iter().map(|(text, _)| text).collect();
    widgets::describe(&drawn.response, format!("Score against optimiser step: {}", said.join(", ")));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(step: u64, co_bps: f32, fp_bps: f32) -> RateScores {
        RateScores { step, co_bps, fp_bps, rate_r2: f32::NAN }
    }

    #[test]
    fn the_score_is_of_held_out_units_else_of_forward_bins() {
        let held = StndtSnapshot { scores: vec![scores(5, -4.0, 0.1), scores(9, 0.25, 0.1)], ..StndtSnapshot::default() };
        assert_eq!(Score::of(&held), Some(Score::HeldOut));
        assert_eq!(words(&held, Score::HeldOut)[0].0, "co-bps 0.25 bits/spike");
        let (low, high) = range(&held, Score::HeldOut);
        assert!(low > -0.2 && high == 0.25, "the first steps do not decide the range: {low} {high}");
        let young = StndtSnapshot { scores: vec![scores(5, -4.0, 0.1), scores(9, -2.0, 0.1)], ..StndtSnapshot::default() };
        assert!(range(&young, Score::HeldOut).0 < -2.0, "the newest score is always in view");
        let forward = StndtSnapshot { scores: vec![scores(5, f32::NAN, 0.1)], ..StndtSnapshot::default() };
        assert_eq!(Score::of(&forward), Some(Score::Forward));
        assert_eq!(Score::of(&StndtSnapshot::default()), None);
    }

    #[test]
    fn what_is_to_be_beaten_stands_beside_it() {
        let snapshot = StndtSnapshot {
            scores: vec![RateScores { rate_r2: 0.8, ..scores(9, 0.25, 0.1) }],
            smoothing: Some(scores(0, 0.2, f32::NAN)),
            oracle: Some(scores(0, 0.7, f32::NAN)),
            ..StndtSnapshot::default()
        };
        let texts: Vec<String> = words(&snapshot, Score::HeldOut).into_iter().map(|(t, _)| t).collect();
        assert_eq!(texts, ["co-bps 0.25 bits/spike", "smoothing 0.2", "true rates 0.7", "R² of true rates 0.8"]);
        assert!(range(&snapshot, Score::HeldOut).1 > 0.69);
    }
}
