//! Interval tables, time series and the truth, as the recording view lists them.

use eframe::egui::{self, RichText, Sense, Ui, Vec2, vec2};
use egui_extras::{Column, TableBuilder};

use crate::recording::{Column as Values, Covariate, IntervalTable, Recording, Truth};
use crate::render::RasterStyle;
use crate::render::axis::{duration_text, grouped, time_text};
use crate::views::widgets;

/// Rows of a table shown at first.
const FIRST_ROWS: usize = 8;

/// An interval table: its columns, its first rows, and all of them on request.
pub fn table(ui: &mut Ui, table: &IntervalTable) {
    let title = format!("{} · {} rows · {} columns", table.name, grouped(table.len() as u64), table.columns.len() + 2);
    egui::CollapsingHeader::new(title).id_salt(("table", &table.name)).default_open(table.name == "trials").show(ui, |ui| {
        let id = ui.scope_id().with("all rows");
        let mut all = ui.data(|d| d.get_temp::<bool>(id)).unwrap_or(false);
        let rows = if all { table.len() } else { table.len().min(FIRST_ROWS) };
        let height = ui.text_style_height(&egui::TextStyle::Body) + 3.0;
        egui::ScrollArea::horizontal().id_salt(("table", &table.name)).show(ui, |ui| {
            TableBuilder::new(ui)
                .id_salt(&table.name)
                .striped(true)
                .columns(
                    Column::auto_with_initial_suggestion(90.0).at_least(60.0).at_most(220.0).clip(true).resizable(true),
                    table.columns.len() + 2,
                )
                .max_scroll_height(260.0)
                .header(height, |mut header| {
                    for (name, description) in [("start_time", "Start, s"), ("stop_time", "End, s")]
                        .into_iter()
                        .chain(table.columns.iter().map(|c| (c.name.as_str(), c.description.as_str())))
                    {
                        header.col(|ui| {
                            let label = ui.label(RichText::new(name).weak().small());
                            if !description.is_empty() {
                                label.on_hover_text(description);
                            }
                        });
                    }
                })
                .body(|body| {
                    body.rows(height, rows, |mut row| {
                        let k = row.index();
                        for times in [&table.start, &table.stop] {
                            row.col(|ui| {
                                ui.label(times.get(k).filter(|t| t.is_finite()).map_or("–".to_owned(), |t| format!("{t:.4} s")));
                            });
                        }
                        for column in &table.columns {
                            row.col(|ui| {
                                value(ui, &column.values, k);
                            });
                        }
                    });
                });
        });
        if table.len() > FIRST_ROWS {
            let text = if all {
                "Show fewer rows".to_owned()
            } else {
                format!("Showing {rows} of {} rows, show all", grouped(table.len() as u64))
            };
            if ui.small_button(text).clicked() {
                all = !all;
                ui.data_mut(|d| d.insert_temp(id, all));
            }
        }
    });
}

/// A value of a table: real numbers in a few digits, all of them when pointed at.
fn value(ui: &mut Ui, column: &Values, row: usize) {
    let exact = column.text(row);
    match column {
        Values::Float(_) => {
            let label = ui.add(egui::Label::new(widgets::number(column.number(row), 5)).truncate());
            label.on_hover_text(exact);
        }
        Values::Int(_) | Values::Bool(_) | Values::Text(_) => {
            ui.add(egui::Label::new(exact).truncate());
        }
    }
}

/// Time series that go with the recording.
pub fn covariates(ui: &mut Ui, covariates: &[Covariate]) {
    egui::Grid::new("time series").num_columns(4).striped(true).spacing(vec2(18.0, 4.0)).show(ui, |ui| {
        for heading in ["Name", "Unit", "Samples", "Sampling", "From", "To"] {
            ui.label(RichText::new(heading).weak().small());
        }
        ui.end_row();
        for series in covariates {
            let (first, last) = (series.times.first().copied(), series.times.last().copied());
            let step = first.zip(last).map(|(a, b)| (b - a) / (series.times.len().max(2) - 1) as f64).filter(|s| *s > 0.0);
            ui.label(&series.name);
            ui.label(if series.unit.is_empty() { "not given" } else { &series.unit });
            ui.label(grouped(series.times.len() as u64));
            ui.label(
                step.map_or("–".to_owned(), |s| format!("{:.4}", 1.0 / s).trim_end_matches('0').trim_end_matches('.').to_owned() + " Hz"),
            );
            ui.label(first.map_or("–".to_owned(), |t| time_text(t, 1e-2)));
            ui.label(last.map_or("–".to_owned(), |t| time_text(t, 1e-2)));
            ui.end_row();
        }
    });
}

/// The couplings behind a simulated recording.
pub fn truth(ui: &mut Ui, recording: &Recording, truth: &Truth) {
    let name = |area: usize| recording.areas.get(area).cloned().unwrap_or_else(|| format!("area {area}"));
    if let Some(rates) = &truth.rates {
        let trials = rates.values.shape().first().copied().unwrap_or(0);
        ui.label(format!("True rates of {trials} trials in bins of {}", duration_text(rates.bin_s)));
    }
    ui.label(match truth.edges.len() {
        0 if !truth.knows_edges() => match &truth.unit_edges {
            Some(edges) => format!("{} true connections between units", grouped(edges.len() as u64)),
            None => "Which areas drive which is not known".to_owned(),
        },
        0 => "No area drives another".to_owned(),
        1 => "One area drives another".to_owned(),
        n => format!("{n} couplings between areas"),
    });
    let bin_s = truth.glm.as_ref().map(|g| g.bin_s);
    for edge in &truth.edges {
        let peak = edge.filter.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).map(|(k, v)| (k + 1, *v));
        let at = match (peak, bin_s) {
            (Some((lag, value)), Some(bin_s)) => format!(", filter peak {value:.3} (log-rate) at {}", duration_text(lag as f64 * bin_s)),
            (Some((lag, value)), None) => format!(", filter peak {value:.3} (log-rate) at lag {lag} bins"),
            (None, _) => String::new(),
        };
        let senders = edge.send.iter().filter(|w| w.abs() > 1e-9).count();
        let receivers = edge.receive.iter().filter(|w| w.abs() > 1e-9).count();
        let (source, target) = (name(edge.source), name(edge.target));
        ui.horizontal(|ui| {
            swatch(ui, edge.source);
            ui.label(format!("{source} to"));
            swatch(ui, edge.target);
            ui.label(format!("{target}: {senders} sending units, {receivers} receiving units{at}"));
        });
    }
    if let Some(glm) = &truth.glm {
        ui.label(format!("True rates are known in bins of {}", duration_text(glm.bin_s)));
    }
}

fn swatch(ui: &mut Ui, area: usize) {
    let color = RasterStyle::of(ui).area(area);
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(9.0), Sense::hover());
    ui.painter().rect_filled(rect, 2.0, color);
}
