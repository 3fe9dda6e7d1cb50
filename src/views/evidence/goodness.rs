//! Goodness of fit in the Evidence view: rescaled intervals of every unit, and what is left between the two areas of a pair.

use eframe::egui::{self, Ui};
use egui_plot::{HLine, Line, LineStyle, PlotPoints, Points};

use crate::analysis::edge_test::{EdgeEvidence, EdgeReport};
use crate::analysis::goodness::Goodness;
use crate::app::theme;
use crate::views::{shown_area, widgets};

/// In one line.
fn summary(goodness: &Goodness) -> String {
    let bits = goodness
        .bits_per_spike
        .map_or_else(|| "no spikes".to_owned(), |b| format!("{} bits per spike beyond the PSTH", widgets::number(b, 3)));
    let share = goodness.share_that_fits().map_or_else(
        || "too few spikes to judge rescaled intervals".to_owned(),
        |s| format!("rescaled intervals uniform for {:.0} % of the units", 100.0 * s),
    );
    let far = goodness
        .units
        .iter()
        .filter(|u| u.autocorrelation.first().is_some_and(|r| r.abs() > 1.96 / (u.intervals.max(1) as f64).sqrt()))
        .count();
    format!(
        "Goodness of fit on {} test trials: {bits}, {share}, successive intervals correlated in {far} of {} units",
        goodness.trials,
        goodness.units.len()
    )
}

/// The line, and plots when it is opened.
pub(super) fn show(ui: &mut Ui, report: &EdgeReport, edge: &EdgeEvidence, wide: bool) {
    let Some(goodness) = &report.goodness else { return };
    widgets::note(ui, summary(goodness));
    egui::CollapsingHeader::new("Goodness of fit in detail").id_salt("goodness").show(ui, |ui| {
        if wide {
            ui.columns(2, |columns| {
                if let [left, right] = columns {
                    units(left, goodness);
                    residuals(right, report, goodness, edge);
                }
            });
        } else {
            units(ui, goodness);
            residuals(ui, report, goodness, edge);
        }
    });
}

/// Distance of every unit's rescaled intervals from uniform, over its limit.
fn units(ui: &mut Ui, goodness: &Goodness) {
    let tokens = theme::of(ui);
    widgets::y_title(ui, "KS distance ÷ its 95 % limit");
    let mut all: Vec<f64> = goodness.units.iter().filter(|u| u.intervals > 0).map(|u| u.ks / u.limit).collect();
    all.sort_by(|a, b| b.total_cmp(a));
    let inside = all.iter().filter(|r| **r <= 1.0).count();
    let points = all.iter().enumerate().map(|(k, r)| [(k + 1) as f64, *r]).collect();
    let drawn =
        widgets::plot(ui, "ks", "Unit, by distance").height(130.0).include_y(0.0).include_y(1.1).allow_drag(false).show(ui, |plot| {
            plot.hline(HLine::new("Limit", 1.0).color(tokens.reference).style(LineStyle::dashed_dense()));
            plot.points(Points::new("Unit", PlotPoints::new(points)).color(tokens.accent).radius(2.6));
        });
    widgets::describe(&drawn.response, format!("Rescaled intervals: {inside} of {} units within their limit", all.len()));
}

/// Residuals of the two areas against each other; positive lags are the target after the source.
fn residuals(ui: &mut Ui, report: &EdgeReport, goodness: &Goodness, edge: &EdgeEvidence) {
    let tokens = theme::of(ui);
    let of = |a: usize, b: usize| goodness.residuals.iter().find(|r| (r.reference, r.target) == (a, b)).map(|r| r.z.clone());
    let turned = || {
        let mut z = of(edge.target, edge.source)?;
        z.reverse();
        Some(z)
    };
    let Some(z) = of(edge.source, edge.target).or_else(turned) else { return };
    let half = z.len() / 2;
    let points: Vec<[f64; 2]> = z.iter().enumerate().map(|(k, z)| [(k as f64 - half as f64) * goodness.bin_s * 1e3, *z]).collect();
    widgets::y_title(ui, "Residual correlation (standard errors)");
    let label = format!("Lag of {} after {} (ms)", shown_area(report.area(edge.target)), shown_area(report.area(edge.source)));
    let drawn = widgets::plot(ui, "residuals", &label).height(130.0).include_y(-3.0).include_y(3.0).allow_drag(false).show(ui, |plot| {
        for limit in [-1.96, 1.96] {
            plot.hline(HLine::new("95 %", limit).color(tokens.reference).style(LineStyle::dashed_dense()));
        }
        plot.line(Line::new("Residual", PlotPoints::new(points)).color(tokens.accent).width(1.8));
    });
    let most = z.iter().fold(0.0_f64, |a, z| a.max(z.abs()));
    widgets::describe(&drawn.response, format!("Residual cross-correlogram, largest {} standard errors", widgets::number(most, 3)));
}
