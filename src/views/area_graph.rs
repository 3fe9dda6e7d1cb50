//! The Area graph view: which area drives which, as a directed graph, as a matrix, or as time courses from every source to every
//! target. What is shown are the tests of the run's edges where they were made, else what the run fitted.

mod courses;
mod grid;
mod layout;
mod network;

use eframe::egui::{self, Color32, RichText, Ui};

use self::layout::Placing;
use super::edge_board::Reports;
use super::kernels::{Standing, peak, standing, waiting};
use super::{Action, RunState, View, ViewContext, shown_area, widgets};
use crate::analysis::edge_test::{Band, EdgeReport, Verdict};
use crate::app::theme::{self, Tokens};
use crate::training::{PairSnapshot, Snapshot};

/// As what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Graph,
    Matrix,
    Courses,
}

const FORMS: [(Form, &str, &str); 3] = [
    (Form::Graph, "Graph", "One arrow per ordered pair: width by contribution, colour by sign, fainter the less certain"),
    (Form::Matrix, "Matrix", "The same numbers as a matrix: columns send, rows receive"),
    (Form::Courses, "Time courses", "Mean coupling output over the trial, one panel per ordered pair, with bands where they were computed"),
];

/// One ordered pair as it is shown.
#[derive(Debug, Clone, PartialEq)]
struct Edge {
    source: usize,
    target: usize,
    /// Share of the target's rate variance, percent.
    contribution: f64,
    /// Sign of the mean output, else of the filter's peak.
    positive: bool,
    /// q-value of the held-out gain; `None` when it was not tested.
    q: Option<f64>,
    /// Verdict of the tests, else whether the run fitted it.
    verdict: Verdict,
    /// Mean output over the trial, log-rate, with its band.
    course: Vec<f64>,
    band: Option<Band>,
}

impl Edge {
    /// From 0.15 (says nothing) to 1 (certain).
    fn opacity(&self) -> f32 {
        match self.q {
            None => 0.85,
            Some(q) => (1.0 - 0.85 * (q.clamp(1e-4, 1.0).log10() / 4.0 + 1.0)).clamp(0.15, 1.0) as f32,
        }
    }

    fn color(&self, tokens: &Tokens) -> Color32 {
        tokens.diverging(if self.positive { 0.9 } else { -0.9 })
    }

    fn words(&self) -> String {
        let sign = if self.positive { "positive" } else { "negative" };
        let contribution = format!("contribution {} %, {sign}", widgets::number(self.contribution, 2));
        match self.q {
            Some(q) => format!("{}, {contribution}, q = {}", self.verdict.name(), widgets::number(q, 2)),
            None if self.verdict == Verdict::NotSupported => "not fitted: its score stayed below its nulls".to_owned(),
            None => format!("{contribution}, not tested yet"),
        }
    }
}

/// The Area graph view.
pub struct AreaGraphView {
    form: Form,
    placing: Placing,
    /// Arrows below this contribution are not drawn, percent.
    least: f64,
    only_supported: bool,
    reports: Reports,
}

impl Default for AreaGraphView {
    fn default() -> Self {
        Self { form: Form::default(), placing: Placing::default(), least: 0.1, only_supported: false, reports: Reports::default() }
    }
}

impl View for AreaGraphView {
    fn title(&self) -> &'static str {
        "Area graph"
    }

    fn help(&self) -> &'static str {
        "An arrow points from the sending to the receiving area; its width is the share of the receiving area's rate variance that needs the coupling, red raises and blue lowers rates. \
         Arrows fade with the q-value of the tests (Evidence view); before the tests, pairs that the run fitted are all drawn alike. \
         Click an arrow, a cell or a panel to see the evidence for that pair."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        *context.looks_at_run = true;
        let found = context.run.and_then(|run| Some((run, run.snapshot.clone()?)));
        let Some((run, snapshot)) = found.filter(|(_, s)| !s.pairs().is_empty()) else { return waiting(ui, context, "No edges yet") };
        if snapshot.pairs().iter().all(|p| standing(p) == Standing::NotYet) {
            return waiting(ui, context, "Edges are trained from stage 3 on");
        }
        let report = self.reports.get(ui, run);
        let edges = edges(&snapshot, report.as_deref());
        self.controls(ui, &edges, report.is_some());
        let shown: Vec<&Edge> = edges.iter().filter(|e| self.shows(e)).collect();
        let selected = context.selection.pair;
        let clicked = match self.form {
            Form::Graph => network::show(ui, run, &snapshot, &shown, self.placing, selected),
            Form::Matrix => grid::show(ui, run, &snapshot, &edges, selected),
            Form::Courses => courses::show(ui, run, &snapshot, &edges, report.as_deref(), selected),
        };
        if let Some(pair) = clicked {
            context.selection.pair = Some(pair);
            context.actions.push(Action::Show("Evidence"));
        }
    }
}

impl AreaGraphView {
    fn shows(&self, edge: &Edge) -> bool {
        let strong = edge.contribution.abs() >= self.least;
        strong
            && (!self.only_supported || edge.verdict == Verdict::Supported)
            && !(edge.q.is_none() && edge.verdict == Verdict::NotSupported)
    }

    fn controls(&mut self, ui: &mut Ui, edges: &[Edge], tested: bool) {
        ui.horizontal_wrapped(|ui| {
            widgets::segmented(ui, &mut self.form, &FORMS);
            if self.form != Form::Graph {
                return;
            }
            ui.separator();
            widgets::segmented(ui, &mut self.placing, &layout::PLACINGS);
            let most = edges.iter().map(|e| e.contribution.abs()).fold(0.5, f64::max);
            let label = widgets::caption(ui, "At least", 110.0);
            ui.spacing_mut().slider_width = 90.0;
            ui.add(egui::Slider::new(&mut self.least, 0.0..=most).suffix(" %").max_decimals(2)).labelled_by(label.id);
            ui.add_enabled(tested, egui::Checkbox::new(&mut self.only_supported, "Only supported"))
                .on_disabled_hover_text("Test the edges in the Evidence view first");
        });
        self.only_supported &= tested;
        if self.form == Form::Graph {
            let tokens = theme::of(ui);
            ui.horizontal_wrapped(|ui| {
                widgets::line_label(ui, tokens.diverging(0.9), false, "raises rates");
                widgets::line_label(ui, tokens.diverging(-0.9), false, "lowers rates");
                widgets::line_label(ui, tokens.reference, true, "not supported, or not settled");
                let text = if tested { "fainter: larger q-value" } else { "not tested yet: see the Evidence view" };
                ui.label(RichText::new(text).small().color(tokens.weak));
            });
        }
    }
}

/// Pairs of different areas, from the tests where they are, else from the run.
fn edges(snapshot: &Snapshot, report: Option<&EdgeReport>) -> Vec<Edge> {
    let between = snapshot.pairs().iter().filter(|p| p.source != p.target);
    between.map(|pair| report.and_then(|r| tested(r, pair)).unwrap_or_else(|| fitted(snapshot, pair))).collect()
}

fn tested(report: &EdgeReport, pair: &PairSnapshot) -> Option<Edge> {
    let edge = report.edge(pair.source, pair.target)?;
    let by_peak = || edge.peak().is_none_or(|(_, h)| h >= 0.0);
    Some(Edge {
        source: pair.source,
        target: pair.target,
        contribution: edge.contribution_percent,
        positive: if edge.mean_output == 0.0 { by_peak() } else { edge.mean_output > 0.0 },
        q: Some(edge.q()),
        verdict: edge.verdict(report.plan.level),
        course: edge.course.clone(),
        band: edge.bands.as_ref().map(|b| b.course.clone()),
    })
}

fn fitted(snapshot: &Snapshot, pair: &PairSnapshot) -> Edge {
    let trained = standing(pair) == Standing::Trained;
    let positive = if pair.mean_output == 0.0 { peak(pair).is_none_or(|(_, h)| h >= 0.0) } else { pair.mean_output > 0.0 };
    Edge {
        source: pair.source,
        target: pair.target,
        contribution: f64::from(pair.contribution_percent),
        positive,
        q: None,
        verdict: if trained { Verdict::Mixed } else { Verdict::NotSupported },
        course: if trained { course(snapshot, pair) } else { Vec::new() },
        band: None,
    }
}

/// Mean over the trials that the snapshot has of the coupling factor times the mean weight of the ten best receivers.
fn course(snapshot: &Snapshot, pair: &PairSnapshot) -> Vec<f64> {
    let Some(glm) = snapshot.glm() else { return Vec::new() };
    let Some(place) = glm.pairs.iter().position(|p| (p.source, p.target) == (pair.source, pair.target)) else { return Vec::new() };
    let factors: Vec<&Vec<f32>> = glm.trials.iter().filter_map(|t| t.coupling.get(place)?.first()).collect();
    let bins = factors.iter().map(|f| f.len()).max().unwrap_or(0);
    let mean = |bin: usize| factors.iter().filter_map(|f| f.get(bin)).map(|v| f64::from(*v)).sum::<f64>() / factors.len().max(1) as f64;
    let course: Vec<f64> = (0..bins).map(mean).collect();
    // The factor is known up to its weights' scale; the mean output gives it back.
    let level = course.iter().sum::<f64>() / bins.max(1) as f64;
    let scale = if level.abs() > 1e-9 { f64::from(pair.mean_output) / level } else { 0.0 };
    course.into_iter().map(|c| c * scale).collect()
}

/// `A → B: words`, for screen readers and hovering.
fn said(run: &RunState, edge: &Edge) -> String {
    format!("{} → {}: {}", shown_area(&run.area_name(edge.source)), shown_area(&run.area_name(edge.target)), edge.words())
}

/// The strongest edges in a sentence.
fn described(run: &RunState, edges: &[&Edge]) -> String {
    let mut order: Vec<&Edge> = edges.to_vec();
    order.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
    let strongest: Vec<String> = order.iter().take(3).map(|e| said(run, e)).collect();
    format!("{} edges; {}", edges.len(), strongest.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(q: Option<f64>, verdict: Verdict, contribution: f64) -> Edge {
        Edge { source: 0, target: 1, contribution, positive: true, q, verdict, course: vec![], band: None }
    }

    #[test]
    fn certain_edges_are_opaque_and_others_fade() {
        let opacity = |q| edge(Some(q), Verdict::Mixed, 1.0).opacity();
        assert!(opacity(1e-4) > 0.99 && opacity(0.01) > opacity(0.2) && (opacity(1.0) - 0.15).abs() < 1e-6);
    }

    #[test]
    fn thresholds_and_verdicts_choose_what_is_drawn() {
        let mut view = AreaGraphView { least: 1.0, ..AreaGraphView::default() };
        assert!(view.shows(&edge(Some(0.4), Verdict::NotSupported, 2.0)) && !view.shows(&edge(Some(0.0), Verdict::Supported, 0.5)));
        assert!(!view.shows(&edge(None, Verdict::NotSupported, 2.0)), "a pair without coupling has no arrow");
        view.only_supported = true;
        assert!(!view.shows(&edge(Some(0.4), Verdict::Mixed, 2.0)) && view.shows(&edge(Some(0.0), Verdict::Supported, 2.0)));
    }

    #[test]
    fn words_tell_what_was_tested() {
        assert_eq!(edge(Some(0.01), Verdict::Supported, 2.0).words(), "supported, contribution 2 %, positive, q = 0.01");
        assert!(edge(None, Verdict::Mixed, 2.0).words().ends_with("not tested yet"));
    }
}
