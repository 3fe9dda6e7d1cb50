//! The Evidence view: everything known of one ordered pair of areas of a trained run, and the tests that find it out.

mod goodness;
mod plots;

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use eframe::egui::{self, RichText, Ui};

use super::edge_board::{Board, Reports};
use super::kernels::waiting;
use super::stndt_part::folder;
use super::work::Background;
use super::{Action, RunState, View, ViewContext, shown_area, widgets};
use crate::analysis::edge_test::{EdgeEvidence, EdgeReport, EdgeTestPlan, Verdict, caution};
use crate::app::theme::{self, Tokens};
use crate::recording::Recording;
use crate::runs;

/// What was asked for.
#[derive(Clone)]
struct Job {
    folder: PathBuf,
    recording: Arc<Recording>,
    plan: EdgeTestPlan,
    /// Networks that are trained anew.
    networks: usize,
    /// Every press of the button is another job.
    number: usize,
    doing: Arc<ArcSwap<String>>,
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        (&self.folder, self.number) == (&other.folder, other.number)
    }
}

/// The Evidence view.
pub struct EvidenceView {
    copies: usize,
    resamples: usize,
    halves: usize,
    networks: usize,
    number: usize,
    asked: Option<Job>,
    work: Background<Job, Result<(), String>>,
    reports: Reports,
}

impl Default for EvidenceView {
    fn default() -> Self {
        let plan = EdgeTestPlan::default();
        Self {
            copies: plan.nulls,
            resamples: plan.bootstrap,
            halves: plan.halves,
            networks: 0,
            number: 0,
            asked: None,
            work: Background::default(),
            reports: Reports::default(),
        }
    }
}

impl View for EvidenceView {
    fn title(&self) -> &'static str {
        "Evidence"
    }

    fn help(&self) -> &'static str {
        "For every ordered pair of areas the coupling is fitted again with and without the pair: on test trials, on copies in which trials are shuffled or spikes are moved within short intervals, on resampled trials, on halves of them and, on request, in networks trained anew from other seeds. \
         A pair is supported when its gain on test trials survives the correction for the number of pairs, exceeds both kinds of copies, and is not explained by other areas as well. \
         Results are kept with the run; choose a pair here, in the Area graph or in the Area matrix, and copy the sentence into your paper."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some((run, snapshot)) =
            context.run.and_then(|run| Some((run, run.snapshot.clone()?))).filter(|(run, _)| run.recipe.glm().is_some())
        else {
            return waiting(ui, context, "No edges to test yet");
        };
        if snapshot.areas.len() < 2 {
            widgets::empty(ui, "One area only", "Edges are tested between areas; train on two areas or more.", None);
            return;
        }
        let report = self.reports.get(ui, run);
        match folder(run) {
            Ok(folder) => self.controls(ui, run, folder, report.as_deref()),
            Err(text) => {
                widgets::empty(ui, "No evidence yet", text, None);
                return;
            }
        }
        if let Some(Err(why)) = self.work.latest() {
            ui.colored_label(theme::of(ui).error, why);
        }
        let Some(report) = report.filter(|r| !r.edges.is_empty()) else {
            if !self.work.is_running() {
                let text = "Press “Test all pairs”. Own dynamics stay as they were trained, so each refit takes well under a second; the first pairs appear while the others are tested.";
                widgets::empty(ui, "Not tested yet", text, None);
            }
            return;
        };
        let pair = context.selection.pair.filter(|(s, t)| report.edge(*s, *t).is_some()).or_else(|| strongest(&report));
        let Some(edge) = pair.and_then(|(s, t)| report.edge(s, t)) else { return };
        let chosen = chooser(ui, &report, edge);
        if let Some(pair) = chosen {
            context.selection.pair = Some(pair);
            return;
        }
        egui::ScrollArea::vertical().id_salt("evidence").auto_shrink(false).show(ui, |ui| panel(ui, context, run, &report, edge));
    }
}

impl EvidenceView {
    fn controls(&mut self, ui: &mut Ui, run: &RunState, folder: PathBuf, report: Option<&EdgeReport>) {
        let running = self.work.is_running();
        ui.horizontal_wrapped(|ui| {
            for (name, about, value, most) in [
                ("Copies per null", "Refits with shuffled trials, and as many with jittered spikes, per pair", &mut self.copies, 10_000),
                ("Resamples", "Draws of the training trials behind the bands of filters and weights", &mut self.resamples, 10_000),
                ("Halves", "Halves of the training trials in which every pair is fitted anew", &mut self.halves, 1000),
                (
                    "Networks",
                    "Networks trained anew from other seeds and tested; each takes as long as training did",
                    &mut self.networks,
                    50,
                ),
            ] {
                let label = widgets::caption(ui, name, 60.0);
                ui.add(egui::DragValue::new(value).range(0..=most).speed(0.5)).labelled_by(label.id).on_hover_text(about);
            }
            let recording = run.data.as_ref().map(|d| Arc::clone(&d.0));
            let button = if report.is_some() { egui::Button::new("Test all pairs again") } else { widgets::primary(ui, "Test all pairs") };
            let response = ui.add_enabled(!running && recording.is_some(), button);
            if recording.is_none() {
                widgets::note(ui, "Open the recording of this run to test its edges");
            }
            if response.clicked()
                && let Some(recording) = recording
            {
                self.number += 1;
                let plan = EdgeTestPlan {
                    nulls: self.copies,
                    bootstrap: self.resamples,
                    halves: self.halves,
                    seed: run.recipe.seed,
                    ..EdgeTestPlan::default()
                };
                let doing = Arc::new(ArcSwap::from_pointee("beginning".to_owned()));
                self.asked = Some(Job { folder, recording, plan, networks: self.networks, number: self.number, doing });
                self.work.again();
            }
        });
        let Some(job) = self.asked.clone() else { return };
        let (theirs, board, ctx) = (job.clone(), Board::of(ui.ctx()), ui.ctx().clone());
        self.work.watched(ui.ctx(), "edge tests", &job, move |watch| {
            let mut publish = |report: &EdgeReport| {
                board.pin(theirs.folder.clone(), Arc::new(report.clone()));
                ctx.request_repaint();
            };
            let doing = |text: &str| theirs.doing.store(Arc::new(text.to_owned()));
            let Job { folder, recording, plan, networks, .. } = &theirs;
            let found = runs::test_edges_and_networks(folder, recording, plan, *networks, watch, &doing, &mut publish);
            Some(found.map(|_| ()).map_err(|e| e.to_string()))
        });
        let done = report.filter(|r| !r.complete).map_or_else(String::new, |r| format!(", {} of {} pairs", r.edges.len(), r.pairs));
        self.work.progress(ui, &format!("{}{done}", capitalised(&job.doing.load())));
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The pair to begin with: the largest gain on test trials.
fn strongest(report: &EdgeReport) -> Option<(usize, usize)> {
    report.edges.iter().max_by(|a, b| a.held_out.mean.total_cmp(&b.held_out.mean)).map(|e| (e.source, e.target))
}

pub(super) fn pair_name(report: &EdgeReport, edge: &EdgeEvidence) -> String {
    format!("{} → {}", shown_area(report.area(edge.source)), shown_area(report.area(edge.target)))
}

pub(super) fn verdict_color(tokens: &Tokens, verdict: Verdict) -> egui::Color32 {
    match verdict {
        Verdict::Supported => tokens.success,
        Verdict::Mixed => tokens.warning,
        Verdict::NotSupported => tokens.weak,
    }
}

fn chooser(ui: &mut Ui, report: &EdgeReport, edge: &EdgeEvidence) -> Option<(usize, usize)> {
    let mut chosen = None;
    ui.horizontal_wrapped(|ui| {
        widgets::combo(ui, "evidence pair", "Pair", &pair_name(report, edge), 190.0, |ui| {
            for other in &report.edges {
                let on = (other.source, other.target) == (edge.source, edge.target);
                let text = format!("{} · {}", pair_name(report, other), other.verdict(report.plan.level).name());
                if ui.selectable_label(on, text).clicked() && !on {
                    chosen = Some((other.source, other.target));
                }
            }
        });
        let verdict = edge.verdict(report.plan.level);
        ui.label(RichText::new(capitalised(verdict.name())).strong().color(verdict_color(theme::of(ui), verdict)));
        let all = if report.complete { String::new() } else { " so far".to_owned() };
        widgets::note(ui, format!("q = {} over {} pairs{all}", widgets::number(edge.q(), 2), report.edges.len()));
    });
    chosen
}

fn panel(ui: &mut Ui, context: &mut ViewContext<'_>, run: &RunState, report: &EdgeReport, edge: &EdgeEvidence) {
    let wide = ui.available_width() > 640.0;
    if wide {
        ui.columns(2, |columns| {
            if let [left, right] = columns {
                numbers(left, report, edge);
                plots::filter(right, run, report, edge, 190.0);
            }
        });
    } else {
        numbers(ui, report, edge);
        plots::filter(ui, run, report, edge, 170.0);
    }
    plots::nulls(ui, report, edge, wide);
    plots::trials(ui, report, edge, wide);
    goodness::show(ui, report, edge, wide);
    for warning in edge.warnings.iter().chain(&report.warnings) {
        let tokens = theme::of(ui);
        ui.horizontal_top(|ui| {
            ui.label(RichText::new("Warning").small().strong().color(tokens.warning));
            ui.label(RichText::new(warning).small());
        });
    }
    ui.add_space(4.0);
    let sentence = report.sentence(edge);
    widgets::card(ui, |ui| {
        ui.horizontal(|ui| {
            widgets::section(ui, "For your paper");
            if ui.button("Copy").on_hover_text("Copy this text to the clipboard").clicked() {
                ui.ctx().copy_text(sentence.clone());
                context.actions.push(Action::Tell("The sentence is in the clipboard".to_owned()));
            }
        });
        ui.add(egui::Label::new(&sentence).wrap().selectable(true));
    });
    widgets::note(ui, caution());
}

fn numbers(ui: &mut Ui, report: &EdgeReport, edge: &EdgeEvidence) {
    let number = |v: f64| widgets::number(v, 3);
    widgets::fact(ui, "Contribution, test trials", &format!("{} % of rate variance", number(edge.contribution_percent)));
    let held = &edge.held_out;
    widgets::fact(ui, "Held-out gain", &format!("{} nats per trial", number(held.mean)));
    widgets::fact(ui, "95 % interval", &format!("{} to {}", number(held.interval.0), number(held.interval.1)));
    widgets::fact(ui, "Held-out p, q", &format!("{}, {}", widgets::number(held.p, 2), widgets::number(held.q, 2)));
    if let (Some(alone), Some(share)) = (held.alone, held.own_share()) {
        let text = format!("{} nats per trial; {} % is its own", number(alone), widgets::number(100.0 * share, 2));
        widgets::fact(ui, "Gain without other areas", &text);
    }
    for null in &edge.nulls {
        let text = format!("{}, by contribution {}", widgets::number(null.p_gain, 2), widgets::number(null.p, 2));
        let copies = if null.stopped {
            format!("{} copies, ended early", null.contributions.len())
        } else {
            format!("{} copies", null.contributions.len())
        };
        widgets::fact(ui, &format!("p with {}", null.kind.name()), &format!("{text} ({copies})"));
    }
    if let Some((lag, height)) = edge.peak() {
        widgets::fact(ui, "Filter peak", &format!("{} at {} ms", number(height), number(lag as f64 * report.bin_s * 1e3)));
    }
    if let Some(stability) = &edge.stability {
        let (mean, low, high) = stability.summary();
        widgets::fact(ui, "Found in halves", &format!("{} of {}", stability.count(), stability.found.len()));
        widgets::fact(ui, "Contribution in halves", &format!("{} % ({} to {} %)", number(mean), number(low), number(high)));
    }
    if let Some(over) = edge.over_networks() {
        let (mean, low, high) = over.contribution;
        widgets::fact(ui, "Supported by new networks", &format!("{} of {}", over.supported, over.networks));
        widgets::fact(ui, "Contribution in them", &format!("{} % ({} to {} %)", number(mean), number(low), number(high)));
        if let Some((mean, low, high)) = over.contribution_in_halves {
            widgets::fact(ui, "Found in their halves", &format!("{} of {}", over.halves.0, over.halves.1));
            widgets::fact(ui, "Contribution in those", &format!("{} % ({} to {} %)", number(mean), number(low), number(high)));
        }
    }
    let scored = if edge.fitted { "its score passed its nulls" } else { "below its nulls, or let go by the network" };
    widgets::fact(ui, "Score and coupling stage", scored);
}
