//! The Trust view: inferred connections against the truth (or against the cross-correlation), the modes of mean attention, and how far
//! all of it can be trusted.

mod compute;
mod panel;

use std::sync::Arc;

use eframe::egui::{RichText, Ui};
use egui_plot::{HLine, HoverPosition, Line, LineStyle, PlotPoints, Points, VLine};

use self::compute::{Agreement, Cloud, Modes, Standing};
use super::netformer_part::{Following, Network, kept_folder, snapshot};
use super::work::Background;
use super::{View, ViewContext, widgets};
use crate::app::theme;
use crate::training::{NetFormerSnapshot, Snapshot};

/// What is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Scatter,
    Modes,
    Trust,
}

/// The Trust view.
#[derive(Default)]
pub struct TrustView {
    mode: Mode,
    network: Network,
    agreement: Background<(u64, usize), Agreement>,
    modes: Following<(), Modes>,
    standing: Following<panel::Settings, Standing>,
}

impl View for TrustView {
    fn title(&self) -> &'static str {
        "Trust"
    }

    fn help(&self) -> &'static str {
        "Scatter sets every inferred connection against its true weight, with the lag-1 cross-correlation beside it: a strong and simple estimate that attention has to beat (without truth the two are set against each other). \
         Modes are the eigenvalues of mean attention in the complex plane: far from 0 stands for patterns that sustain themselves, pairs above and below the axis for rotations. \
         How far to trust this says what the method cannot tell, how much of attention never changes, and whether other seeds find the same."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some((run, snapshot, own)) = snapshot(ui, context, "Nothing to check yet", "how far its connections can be trusted") else {
            return;
        };
        ui.horizontal_wrapped(|ui| {
            let modes = [
                (Mode::Scatter, "Scatter", "Inferred connections against the truth, beside the cross-correlation"),
                (Mode::Modes, "Modes", "Eigenvalues of mean attention in the complex plane"),
                (Mode::Trust, "How far to trust this", "What the method cannot tell, what never changes, and what other seeds find"),
            ];
            widgets::segmented(ui, &mut self.mode, &modes);
        });
        if self.mode == Mode::Scatter {
            return self.scatter(ui, snapshot, own);
        }
        let model = match self.network.of(ui, run, own) {
            Ok(model) => model,
            Err(text) => {
                if self.mode == Mode::Trust {
                    panel::show(ui, own, None, kept_folder(run).is_some(), Some(&text));
                } else {
                    widgets::empty(ui, "No modes yet", &text, None);
                }
                return;
            }
        };
        if self.mode == Mode::Modes {
            self.modes.get(ui, "modes", &(), &model, |model, _| Some(Modes::compute(model)));
            self.modes.progress(ui, "eigenvalues");
            match self.modes.latest() {
                Some(found) => modes(ui, found),
                None => widgets::note(ui, "Eigenvalues are being computed"),
            }
            return;
        }
        let settings = panel::Settings { folder: kept_folder(run) };
        let (theirs, recipe) = (settings.clone(), run.recipe.clone());
        self.standing
            .get(ui, "trust", &settings, &model, move |model, watch| Standing::compute(model, theirs.folder.as_deref(), &recipe, watch));
        self.standing.progress(ui, "what never changes, and other seeds");
        panel::show(ui, own, self.standing.latest(), settings.folder.is_some(), None);
    }
}

impl TrustView {
    fn scatter(&mut self, ui: &mut Ui, snapshot: &Arc<Snapshot>, own: &NetFormerSnapshot) {
        if own.attention.is_empty() {
            return widgets::note(ui, "Connections come with the first update of the run");
        }
        let key = (snapshot.version, Arc::as_ptr(snapshot) as usize);
        let theirs = Arc::clone(snapshot);
        self.agreement.get(ui.ctx(), "scatter", &key, move || Agreement::compute(theirs.netformer()));
        let Some(found) = self.agreement.latest() else {
            return widgets::note(ui, "The comparison is being computed");
        };
        let size = ui.available_size();
        if found.clouds.len() > 1 && size.x > 1.1 * size.y {
            ui.columns(found.clouds.len(), |columns| {
                columns.iter_mut().zip(&found.clouds).for_each(|(ui, cloud)| cloud_plot(ui, cloud, size.y));
            });
        } else {
            let height = size.y / found.clouds.len().max(1) as f32 - 6.0;
            found.clouds.iter().for_each(|cloud| cloud_plot(ui, cloud, height));
        }
    }
}

fn cloud_plot(ui: &mut Ui, cloud: &Cloud, height: f32) {
    let tokens = theme::of(ui);
    let number = |value: f64| widgets::number(value, 3);
    let top = ui.cursor().top();
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(cloud.title).strong());
        let auc = if cloud.auc.is_finite() { format!(", AUC {}", number(cloud.auc)) } else { String::new() };
        ui.label(RichText::new(format!("Pearson {}, Spearman {}{auc}", number(cloud.pearson), number(cloud.spearman))).color(tokens.weak));
    });
    ui.horizontal_wrapped(|ui| {
        widgets::line_label(ui, tokens.category(1), false, "regression");
        if cloud.equal().is_some() {
            widgets::line_label(ui, tokens.reference, true, "equal");
        }
        match cloud.points.len() < cloud.all {
            true => widgets::note(
                ui,
                format!("{} of {} pairs of different units drawn", widgets::count(cloud.points.len()), widgets::count(cloud.all)),
            ),
            false => widgets::note(ui, format!("{} pairs of different units", widgets::count(cloud.all))),
        }
    });
    widgets::y_title(ui, cloud.y);
    let used = ui.cursor().top() - top;
    let (low, high) = widgets::range(cloud.points.iter().map(|p| p[0])).unwrap_or((0.0, 1.0));
    let drawn = widgets::plot(ui, cloud.title, cloud.x)
        .height((height - used - 6.0).max(70.0))
        .label_formatter(|position| match position {
            HoverPosition::NearDataPoint { position, .. } => {
                Some(format!("{} {}\n{} {}", cloud.x, number(position.x), cloud.y, number(position.y)))
            }
            HoverPosition::Elsewhere { .. } => None,
        })
        .show(ui, |plot| {
            plot.hline(HLine::new("", 0.0).color(tokens.line).width(1.0).allow_hover(false));
            plot.vline(VLine::new("", 0.0).color(tokens.line).width(1.0).allow_hover(false));
            let radius = if cloud.points.len() > 500 { 1.4 } else { 3.2 };
            plot.points(
                Points::new("pair", PlotPoints::new(cloud.points.clone())).color(tokens.accent.gamma_multiply(0.75)).radius(radius),
            );
            if let Some((from, to)) = cloud.equal() {
                let ends = PlotPoints::new(vec![[from, from], [to, to]]);
                plot.line(Line::new("", ends).color(tokens.reference).width(1.2).style(LineStyle::dashed_dense()).allow_hover(false));
            }
            let (slope, offset) = cloud.line;
            let ends = PlotPoints::new(vec![[low, offset + slope * low], [high, offset + slope * high]]);
            plot.line(Line::new("", ends).color(tokens.category(1)).width(1.8).allow_hover(false));
        });
    let said =
        format!("{}: {} against {}, Pearson {}, Spearman {}", cloud.title, cloud.y, cloud.x, number(cloud.pearson), number(cloud.spearman));
    widgets::describe(&drawn.response, said);
}

fn modes(ui: &mut Ui, found: &Modes) {
    if found.spectra.is_empty() {
        let text = "Only a part of the units is predicted, so that mean attention is no square matrix and has no eigenvalues.";
        widgets::empty(ui, "No modes", text, None);
        return;
    }
    widgets::note(
        ui,
        "Of mean attention over validation windows with its diagonal; a unit's own value is added to it in every bin, so that 0 stands for activity that stays as it is",
    );
    let size = ui.available_size();
    let n = found.spectra.len();
    ui.columns(n, |columns| {
        for (ui, (title, values)) in columns.iter_mut().zip(&found.spectra) {
            let tokens = theme::of(ui);
            let largest = values.first().map_or(0.0, |v| v.0.hypot(v.1));
            ui.label(RichText::new(format!("{title}: largest magnitude {}", widgets::number(largest, 3))).strong());
            widgets::y_title(ui, "Imaginary part");
            let circle: Vec<[f64; 2]> =
                (0..=96).map(|k| f64::from(k) / 96.0 * std::f64::consts::TAU).map(|a| [largest * a.cos(), largest * a.sin()]).collect();
            let points: Vec<[f64; 2]> = values.iter().map(|v| [v.0, v.1]).collect();
            let drawn = widgets::plot(ui, title, "Real part")
                .height((size.y - 60.0).max(80.0))
                .data_aspect(1.0)
                .label_formatter(|position| match position {
                    HoverPosition::NearDataPoint { position, .. } => {
                        Some(format!("{} + {} i", widgets::number(position.x, 4), widgets::number(position.y, 4)))
                    }
                    HoverPosition::Elsewhere { .. } => None,
                })
                .show(ui, |plot| {
                    plot.hline(HLine::new("", 0.0).color(tokens.line).width(1.0).allow_hover(false));
                    plot.vline(VLine::new("", 0.0).color(tokens.line).width(1.0).allow_hover(false));
                    plot.line(
                        Line::new("", PlotPoints::new(circle))
                            .color(tokens.reference)
                            .width(1.0)
                            .style(LineStyle::dashed_dense())
                            .allow_hover(false),
                    );
                    plot.points(Points::new("eigenvalue", PlotPoints::new(points)).color(tokens.accent).radius(3.0));
                });
            widgets::describe(
                &drawn.response,
                format!("{} eigenvalues of {title} in the complex plane, largest magnitude {}", values.len(), widgets::number(largest, 3)),
            );
        }
    });
}
