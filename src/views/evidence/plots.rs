//! Plots of the Evidence view: the filter with its band, nulls with the data, test trials and halves.

use eframe::egui::{Color32, Ui};
use egui_plot::{Bar, BarChart, FilledArea, HLine, HoverPosition, Line, LineStyle, PlotPoints, Points, VLine};

use super::pair_name;
use crate::analysis::edge_test::{Band, EdgeEvidence, EdgeReport, NullTest};
use crate::app::theme;
use crate::render::RasterStyle;
use crate::views::{RunState, widgets};

/// Bars of a histogram.
const BARS: usize = 24;

/// Equal bars over the values (and `also`, so that the data are inside): left ends are `low + k · width`.
pub(super) fn histogram(values: &[f64], also: &[f64], bars: usize) -> (f64, f64, Vec<usize>) {
    let Some((low, high)) = widgets::range(values.iter().chain(also).copied()) else { return (0.0, 1.0, Vec::new()) };
    let width = ((high - low) / bars as f64).max(1e-12);
    let mut counts = vec![0; bars];
    for value in values.iter().filter(|v| v.is_finite()) {
        if let Some(count) = counts.get_mut((((value - low) / width) as usize).min(bars - 1)) {
            *count += 1;
        }
    }
    (low, width, counts)
}

/// A band as it can be drawn: equally long lists.
pub(in crate::views) fn band_area(name: &str, xs: &[f64], band: &Band, color: Color32) -> Option<FilledArea> {
    let n = xs.len().min(band.low.len()).min(band.high.len());
    let part = |list: &[f64]| list.iter().copied().take(n).collect::<Vec<f64>>();
    (n > 1).then(|| FilledArea::new(name, &part(xs), &part(&band.low), &part(&band.high)).fill_color(color).allow_hover(false))
}

pub(super) fn filter(ui: &mut Ui, run: &RunState, report: &EdgeReport, edge: &EdgeEvidence, height: f32) {
    let tokens = theme::of(ui);
    let color = RasterStyle::of(ui).area(run.area_index(edge.source));
    let xs: Vec<f64> = (0..edge.filter.len()).map(|k| (k + 1) as f64 * report.bin_s * 1e3).collect();
    widgets::y_title(ui, "Coupling filter, change of log-rate");
    let drawn = widgets::plot(ui, "evidence filter", "Lag (ms)")
        .height(height - widgets::Y_TITLE)
        .include_x(0.0)
        .include_y(0.0)
        .allow_drag(false)
        .label_formatter(|p| hover(p, "ms"))
        .show(ui, |plot| {
            plot.hline(HLine::new("", 0.0).color(tokens.line).width(1.0).allow_hover(false));
            if let Some(area) = edge.bands.as_ref().and_then(|b| band_area("", &xs, &b.filter, color.gamma_multiply(0.25))) {
                plot.add(area);
            }
            let points = xs.iter().zip(&edge.filter).map(|(x, h)| [*x, *h]).collect();
            plot.line(Line::new("Refitted filter", PlotPoints::new(points)).color(color).width(2.4));
        });
    let band = match &edge.bands {
        Some(bands) => format!("with a 95 % band of {} resamples", bands.resamples),
        None => "without a band: the run did not fit this pair, or no resamples were drawn".to_owned(),
    };
    widgets::describe(&drawn.response, format!("Filter of {}, {band}", pair_name(report, edge)));
    widgets::note(ui, format!("Refitted filter {band}"));
}

/// Gain of copies as histograms, the data as a line.
pub(super) fn nulls(ui: &mut Ui, report: &EdgeReport, edge: &EdgeEvidence, wide: bool) {
    if edge.nulls.is_empty() {
        return;
    }
    let one = |ui: &mut Ui, null: &NullTest| {
        let tokens = theme::of(ui);
        let observed = edge.train_gain;
        widgets::y_title(ui, &format!("Copies with {}", null.kind.name()));
        let (low, width, counts) = histogram(&null.gains, &[observed], BARS);
        let bars = counts
            .iter()
            .enumerate()
            .filter(|(_, c)| **c > 0)
            .map(|(k, &c)| Bar::new(low + (k as f64 + 0.5) * width, c as f64).width(width * 0.92));
        let chart = BarChart::new("Copies", bars.collect()).color(tokens.reference);
        let drawn = widgets::plot(ui, &format!("null {}", null.kind.name()), "Gain in log-likelihood (nats, training trials)")
            .height(130.0)
            .include_y(0.0)
            .allow_drag(false)
            .label_formatter(|p| hover(p, "nats"))
            .show(ui, |plot| {
                plot.bar_chart(chart);
                plot.vline(VLine::new("Data", observed).color(tokens.accent).width(2.4));
            });
        let below = null.exceeded(observed);
        let text = format!(
            "{}: the data exceed {below} of {} copies, p = {}",
            null.kind.name(),
            null.gains.len(),
            widgets::number(null.p_gain, 2)
        );
        widgets::describe(&drawn.response, format!("Null of {} by {text}", pair_name(report, edge)));
        widgets::note(
            ui,
            format!("The data (line) exceed {below} of {} copies, p = {}", null.gains.len(), widgets::number(null.p_gain, 2)),
        );
    };
    if wide && edge.nulls.len() > 1 {
        ui.columns(edge.nulls.len(), |columns| columns.iter_mut().zip(&edge.nulls).for_each(|(ui, null)| one(ui, null)));
    } else {
        edge.nulls.iter().for_each(|null| one(ui, null));
    }
}

/// Gain of every test trial as a histogram, and the contribution in every half.
pub(super) fn trials(ui: &mut Ui, report: &EdgeReport, edge: &EdgeEvidence, wide: bool) {
    let gains = |ui: &mut Ui| {
        let tokens = theme::of(ui);
        let held = &edge.held_out;
        widgets::y_title(ui, "Test trials");
        let (low, width, counts) = histogram(&held.per_trial, &[0.0], BARS);
        let bars = counts
            .iter()
            .enumerate()
            .filter(|(_, c)| **c > 0)
            .map(|(k, &c)| Bar::new(low + (k as f64 + 0.5) * width, c as f64).width(width * 0.92));
        let chart = BarChart::new("Trials", bars.collect()).color(tokens.reference);
        let drawn = widgets::plot(ui, "held-out gains", "Gain in log-likelihood by this pair (nats per trial)")
            .height(130.0)
            .include_y(0.0)
            .allow_drag(false)
            .label_formatter(|p| hover(p, "nats"))
            .show(ui, |plot| {
                plot.bar_chart(chart);
                plot.vline(VLine::new("No gain", 0.0).color(tokens.text).width(1.2).style(LineStyle::dashed_dense()));
                plot.vline(VLine::new("Mean", held.mean).color(tokens.accent).width(2.4));
                for end in [held.interval.0, held.interval.1] {
                    plot.vline(VLine::new("95 % interval of the mean", end).color(tokens.accent).width(1.0));
                }
            });
        widgets::describe(
            &drawn.response,
            format!(
                "Held-out gain of {}: mean {} nats over {} test trials",
                pair_name(report, edge),
                widgets::number(held.mean, 3),
                held.per_trial.len()
            ),
        );
        widgets::note(ui, "Thick line: mean; thin lines: its 95 % interval; dashed: no gain");
    };
    let halves = |ui: &mut Ui| {
        let Some(stability) = &edge.stability else { return };
        let tokens = theme::of(ui);
        widgets::y_title(ui, "Contribution (%) in halves of the training trials");
        let dots = |found: bool| -> Vec<[f64; 2]> {
            let each = stability.contributions.iter().zip(&stability.found).enumerate();
            each.filter(|(_, (_, f))| **f == found).map(|(k, (c, _))| [(k + 1) as f64, *c]).collect()
        };
        let drawn = widgets::plot(ui, "halves", "Half (seed)")
            .height(130.0)
            .include_y(0.0)
            .allow_drag(false)
            .label_formatter(|p| hover(p, ""))
            .show(ui, |plot| {
                plot.points(Points::new("Found in the other half too", PlotPoints::new(dots(true))).color(tokens.accent).radius(4.0));
                plot.points(
                    Points::new("Not found in the other half", PlotPoints::new(dots(false))).color(tokens.weak).radius(4.0).filled(false),
                );
            });
        let (mean, low, high) = stability.summary();
        widgets::describe(
            &drawn.response,
            format!(
                "{} was found in {} of {} halves, contribution {} % ({} to {} %)",
                pair_name(report, edge),
                stability.count(),
                stability.found.len(),
                widgets::number(mean, 2),
                widgets::number(low, 2),
                widgets::number(high, 2)
            ),
        );
        widgets::note(ui, "Filled: the other half confirms it; open: it does not");
    };
    if wide && edge.stability.is_some() {
        ui.columns(2, |columns| {
            if let [left, right] = columns {
                gains(left);
                halves(right);
            }
        });
    } else {
        gains(ui);
        halves(ui);
    }
}

fn hover(position: &HoverPosition<'_>, unit: &str) -> Option<String> {
    let (name, p) = match position {
        HoverPosition::NearDataPoint { plot_name, position, .. } => (*plot_name, position),
        HoverPosition::Elsewhere { position } => ("", position),
    };
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    Some(format!("{name}{}{}{unit}\n{}", if name.is_empty() { "" } else { "\n" }, widgets::number(p.x, 3), widgets::number(p.y, 3)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_hold_all_values_and_the_data() {
        let (low, width, counts) = histogram(&[0.0, 0.1, 0.1, 1.0], &[2.0], 4);
        assert_eq!((low, width, counts), (0.0, 0.5, vec![3, 0, 1, 0]));
        assert!(histogram(&[], &[], 4).2.is_empty());
        assert_eq!(histogram(&[3.0, 3.0], &[], 3).2.iter().sum::<usize>(), 2);
    }
}
