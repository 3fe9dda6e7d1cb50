//! One panel for the whole, one for each part, on a common time axis.

use eframe::egui::{Color32, Ui};
use egui_plot::{HLine, HoverPosition, Line, LineStyle, PlotPoints, Points};

use super::Scale;
use super::compute::Parts;
use crate::app::theme;
use crate::render::RasterStyle;
use crate::training::Snapshot;
use crate::views::{RunState, shown_area, widgets};

/// One curve of a panel.
struct Trace {
    name: String,
    values: Vec<f64>,
    color: Color32,
    dashed: bool,
}

/// One panel.
struct Panel {
    title: String,
    traces: Vec<Trace>,
    /// Value that says "nothing added".
    neutral: Option<f64>,
    tall: bool,
}

/// All panels for parts in a scale.
fn panels(run: &RunState, parts: &Parts, scale: Scale, bin_s: f64, style: &RasterStyle, text: Color32, truth: Color32) -> Vec<Panel> {
    let rate = |values: Vec<f64>| -> Vec<f64> {
        match scale {
            Scale::Log => values,
            Scale::Hz => values.into_iter().map(|x| x.exp() / bin_s).collect(),
        }
    };
    // A part that is added to the log-rate multiplies the rate.
    let part = |values: &[f64]| -> Vec<f64> {
        match scale {
            Scale::Log => values.to_vec(),
            Scale::Hz => values.iter().map(|x| x.exp()).collect(),
        }
    };
    let (whole, own, added) = match scale {
        Scale::Log => ("Log-rate per bin: sum of all parts", "Own dynamics, log-rate per bin", "log-rate"),
        Scale::Hz => ("Rate (Hz): product of all parts", "Own dynamics (Hz)", "factor on the rate"),
    };
    let neutral = match scale {
        Scale::Log => 0.0,
        Scale::Hz => 1.0,
    };
    let both = |name: &str, values: Vec<f64>, color: Color32, true_values: Option<Vec<f64>>| {
        let mut traces = Vec::new();
        if let Some(values) = true_values {
            traces.push(Trace { name: format!("{name}, truth"), values, color: truth, dashed: true });
        }
        traces.push(Trace { name: name.to_owned(), values, color, dashed: false });
        traces
    };
    let known = parts.truth.as_deref();
    let mut panels = vec![
        Panel {
            title: whole.to_owned(),
            traces: both("All parts", rate(parts.total()), text, known.map(|t| rate(t.total()))),
            neutral: None,
            tall: true,
        },
        Panel {
            title: own.to_owned(),
            traces: both("Own dynamics", rate(parts.own.clone()), text, known.map(|t| rate(t.own.clone()))),
            neutral: None,
            tall: true,
        },
    ];
    let of_truth = |source: usize| known.and_then(|t| t.coupling.iter().find(|(s, _)| *s == source)).map(|(_, c)| part(c));
    let mut sources: Vec<usize> = parts.coupling.iter().chain(known.iter().flat_map(|t| &t.coupling)).map(|(s, _)| *s).collect();
    sources.sort_unstable();
    sources.dedup();
    for source in sources {
        let name = run.area_name(source);
        let values = parts.coupling.iter().find(|(s, _)| *s == source).map(|(_, c)| part(c));
        let color = style.area(run.area_index(source));
        let zeros = || part(&vec![0.0; parts.own.len()]);
        let traces = both(&format!("From {}", shown_area(&name)), values.unwrap_or_else(zeros), color, of_truth(source));
        panels.push(Panel { title: format!("Coupling from {}, {added}", shown_area(&name)), traces, neutral: Some(neutral), tall: false });
    }
    if !parts.history.is_empty() {
        let traces = both("Post-spike", part(&parts.history), text, known.map(|t| part(&t.history)));
        panels.push(Panel { title: format!("Post-spike term, {added}"), traces, neutral: Some(neutral), tall: false });
    }
    panels
}

pub(super) fn show(ui: &mut Ui, run: &RunState, snapshot: &Snapshot, parts: &Parts, scale: Scale, what: &str) {
    let (tokens, style) = (theme::of(ui), RasterStyle::of(ui));
    let panels = panels(run, parts, scale, snapshot.bin_s, &style, tokens.text, tokens.truth);
    ui.horizontal_wrapped(|ui| {
        let trials = if parts.trials > 1 { format!(", mean of {} trials", parts.trials) } else { String::new() };
        widgets::note(ui, format!("{what}{trials}"));
        widgets::line_label(ui, tokens.accent, false, "inferred (colour of the sending area)");
        if parts.truth.is_some() {
            widgets::line_label(ui, tokens.truth, true, "truth of the simulation");
        }
        if parts.spikes.iter().any(|s| *s > 0) {
            widgets::note(ui, "Dots: spikes");
        }
    });
    let weight: f32 = panels.iter().map(|p| if p.tall { 1.4 } else { 1.0 }).sum();
    let room = (ui.available_height() - 24.0) / weight.max(1.0);
    let height = room.max(92.0);
    let last = panels.len().saturating_sub(1);
    eframe::egui::ScrollArea::vertical().id_salt("decomposition").auto_shrink(false).show(ui, |ui| {
        for (place, panel) in panels.iter().enumerate() {
            let spikes = if place == 0 { parts.spikes.as_slice() } else { &[] };
            let height = height * if panel.tall { 1.4 } else { 1.0 };
            draw(ui, panel, snapshot.bin_s, height, place == last, spikes);
        }
    });
}

fn draw(ui: &mut Ui, panel: &Panel, bin_s: f64, height: f32, labelled: bool, spikes: &[u8]) {
    let tokens = theme::of(ui);
    widgets::y_title(ui, &panel.title);
    let x = |bin: usize| bin as f64 * bin_s * 1e3;
    let bottom = widgets::range(panel.traces.iter().flat_map(|t| t.values.iter().copied())).map_or(0.0, |(low, _)| low);
    let mut plot = widgets::plot(ui, &panel.title, if labelled { "Time in trial (ms)" } else { "" })
        .height((height - widgets::Y_TITLE).max(56.0))
        .allow_drag(false)
        .allow_boxed_zoom(false)
        .link_axis(ui.scope_id().with("linked"), [true, false])
        .link_cursor(ui.scope_id().with("linked"), [true, false])
        .label_formatter(|position| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                Some(format!("{plot_name}\n{} ms\n{}", widgets::number(position.x, 3), widgets::number(position.y, 3)))
            }
            _ => None,
        });
    if let Some(neutral) = panel.neutral {
        plot = plot.include_y(neutral);
    }
    let drawn = plot.show(ui, |plot| {
        if let Some(neutral) = panel.neutral {
            plot.hline(HLine::new("", neutral).color(tokens.line).width(1.0).allow_hover(false));
        }
        for trace in &panel.traces {
            let points = trace.values.iter().enumerate().map(|(bin, v)| [x(bin), *v]).collect();
            let line = Line::new(&trace.name, PlotPoints::new(points)).width(if trace.dashed { 1.3 } else { 1.9 }).color(trace.color);
            // The solid curve alone may be in an area's colour; the truth lies behind it.
            plot.line(if trace.dashed { line.style(LineStyle::dashed_dense()) } else { line });
        }
        let marks: Vec<[f64; 2]> = spikes.iter().enumerate().filter(|(_, s)| **s > 0).map(|(bin, _)| [x(bin), bottom]).collect();
        if !marks.is_empty() {
            plot.points(Points::new("Spike", PlotPoints::new(marks)).color(tokens.accent).radius(2.6));
        }
    });
    let values = panel.traces.last().map(|t| t.values.as_slice()).unwrap_or_default();
    let (low, high) = widgets::range(values.iter().copied()).unwrap_or((0.0, 0.0));
    widgets::describe(&drawn.response, format!("{}: {} to {}", panel.title, widgets::number(low, 3), widgets::number(high, 3)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_is_the_sum_of_its_parts() {
        let parts = Parts { own: vec![-3.0, -2.0], coupling: vec![(0, vec![0.5, 0.0])], history: vec![0.0, -1.0], ..Parts::default() };
        assert_eq!(parts.total(), [-2.5, -3.0]);
    }
}
