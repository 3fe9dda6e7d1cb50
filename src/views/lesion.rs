//! The Lesion view: how the score falls when the spikes of the most attended units are taken from what the network sees, against
//! as many random units, and for the units that are selected.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use eframe::egui::{self, Color32, Ui};
use egui_plot::{HLine, HoverPosition, Line, LineStyle, PlotPoints, Points};

use super::attention::order;
use super::stndt_part::{folder, network, selected_columns, shown};
use super::work::Background;
use super::{RunState, View, ViewContext, widgets};
use crate::app::theme::{self, Tokens};
use crate::recording::{Recording, Trials};
use crate::training::{LesionCurve, LesionPlan, LesionPoint, RateScores, StndtSnapshot};

/// Trials that are inferred for every score.
const MOST_TRIALS: usize = 64;
/// Numbers of units tried.
const NUMBERS: usize = 8;
/// Seed of the random units.
const SEED: u64 = 1;

/// What was asked for.
#[derive(Clone)]
struct Job {
    folder: PathBuf,
    data: Arc<(Arc<Recording>, Trials)>,
    layer: usize,
    plan: LesionPlan,
    /// Scores computed so far, and whether to stop.
    progress: Arc<(AtomicUsize, AtomicBool)>,
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        (&self.folder, self.layer, &self.plan) == (&other.folder, other.layer, &other.plan)
    }
}

/// What came of it.
struct Found {
    layer: usize,
    repeats: usize,
    trials: usize,
    /// Unit of the score, for example `co-bps (bits/spike)`.
    score: &'static str,
    curve: LesionCurve,
}

/// The Lesion view.
pub struct LesionView {
    layer: usize,
    repeats: usize,
    asked: Option<Job>,
    work: Background<Job, Result<Option<Found>, String>>,
}

impl Default for LesionView {
    fn default() -> Self {
        Self { layer: 0, repeats: 5, asked: None, work: Background::default() }
    }
}

impl View for LesionView {
    fn title(&self) -> &'static str {
        "Lesion"
    }

    fn help(&self) -> &'static str {
        "The spikes of the most attended units are set to zero in what the trained network sees, all rates are inferred again, and the score is drawn against the number of silenced units. \
         Random units of the same number, drawn several times, show what losing any units costs: mean and twice the standard error. \
         When the score falls faster for attended units, the attention tells which units the predictions rest on; select units to test a set of your own."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let what = "what the rates lose without the most attended units";
        let Some((run, snapshot, stndt)) = shown(ui, context, "No lesion yet", what) else { return };
        if stndt.importance.is_empty() {
            let text =
                "Units are ranked by the attention between them, which an NDT does not have and an STNDT shows after its first updates.";
            widgets::empty(ui, "No attention between units", text, None);
            return;
        }
        let folder = match folder(run) {
            Ok(folder) => folder,
            Err(text) => {
                widgets::empty(ui, "No network to silence units in", text, None);
                return;
            }
        };
        self.layer = self.layer.min(stndt.importance.len() - 1);
        let picked = selected_columns(snapshot, context.selection);
        self.controls(ui, run, stndt, folder, &picked);
        if let Some(job) = self.asked.clone() {
            let theirs = job.clone();
            self.work.get(ui.ctx(), "lesion", &job, move || lesion(theirs));
            if self.work.is_running() {
                running(ui, &job);
            }
        }
        match self.work.latest() {
            Some(Ok(Some(found))) => plot(ui, found),
            Some(Err(why)) => {
                ui.colored_label(theme::of(ui).error, why);
            }
            Some(Ok(None)) if !self.work.is_running() => widgets::note(ui, "Stopped before there was a result"),
            _ if self.asked.is_some() => {}
            _ => {
                let n = self.plan(stndt, &picked).evaluations();
                let text = format!("The network predicts up to {MOST_TRIALS} test trials {n} times; this takes from seconds to minutes.");
                widgets::empty(ui, "Nothing silenced yet", &text, None);
            }
        }
    }
}

impl LesionView {
    /// Only units that the network sees can be silenced.
    fn plan(&self, stndt: &StndtSnapshot, picked: &[usize]) -> LesionPlan {
        let seen = |column: &usize| stndt.held_out.get(*column) == Some(&false);
        let order: Vec<usize> = stndt.importance.get(self.layer).map(order).unwrap_or_default().into_iter().filter(seen).collect();
        LesionPlan {
            numbers: LesionPlan::numbers(order.len(), NUMBERS),
            order,
            repeats: self.repeats,
            seed: SEED,
            picked: picked.iter().copied().filter(seen).collect(),
        }
    }

    fn controls(&mut self, ui: &mut Ui, run: &RunState, stndt: &StndtSnapshot, folder: PathBuf, picked: &[usize]) {
        ui.horizontal_wrapped(|ui| {
            let label = widgets::caption(ui, "Ranked by layer", 100.0);
            let mut number = self.layer + 1;
            ui.spacing_mut().slider_width = 60.0;
            if ui.add(egui::Slider::new(&mut number, 1..=stndt.importance.len())).labelled_by(label.id).changed() {
                self.layer = number.saturating_sub(1);
            }
            let label = widgets::caption(ui, "Random draws", 50.0);
            ui.add(egui::DragValue::new(&mut self.repeats).range(1..=50).speed(0.1)).labelled_by(label.id);
            let plan = self.plan(stndt, picked);
            let (chosen, running) = (plan.picked.len(), self.work.is_running());
            if ui.add_enabled(!running, widgets::primary(ui, "Silence units")).clicked()
                && let Some(data) = run.data.clone()
            {
                self.asked = Some(Job { folder, data, layer: self.layer, plan, progress: Arc::default() });
            }
            if running
                && let Some(job) = &self.asked
                && ui.button("Stop").clicked()
            {
                job.progress.1.store(true, Ordering::Release);
            }
            widgets::note(
                ui,
                match (picked.len(), chosen) {
                    (0, _) => "Select units in any view to test them too".to_owned(),
                    (all, 0) => format!("{} selected: held out, the network does not see them anyway", widgets::count(all)),
                    (_, seen) => format!("{} selected units that the network sees are tested too", widgets::count(seen)),
                },
            );
        });
    }
}

fn running(ui: &mut Ui, job: &Job) {
    let (done, all) = (job.progress.0.load(Ordering::Acquire), job.plan.evaluations());
    ui.horizontal(|ui| {
        widgets::bar(ui, done as f32 / all.max(1) as f32, 160.0, theme::of(ui).accent, "Scores computed");
        widgets::note(ui, if done == 0 { "reading the run".to_owned() } else { format!("{done} of {all} scores") });
    });
    ui.ctx().request_repaint_after(Duration::from_millis(200));
}

/// Read the run and score it without units.
fn lesion(job: Job) -> Result<Option<Found>, String> {
    let model = network(&job.folder, &job.data)?;
    let split = model.split();
    let trials = if split.test.is_empty() { &split.validation } else { &split.test };
    let trials: Vec<usize> = trials.iter().copied().take(MOST_TRIALS).collect();
    let scorer = model.scorer(&trials);
    let scored = |silenced: &[usize]| model.rates(&trials, silenced).map(|rates| scorer.score(rates.view())).map_err(|e| e.to_string());
    let (score, of) = score_of(&scored(&[])?)?;
    let curve = job.plan.run(|silenced| {
        if job.progress.1.load(Ordering::Acquire) {
            return Ok(None);
        }
        let value = scored(silenced)?;
        job.progress.0.fetch_add(1, Ordering::AcqRel);
        Ok::<_, String>(Some(f64::from(of(&value))))
    })?;
    Ok(curve.map(|curve| Found { layer: job.layer, repeats: job.plan.repeats, trials: trials.len(), score, curve }))
}

type ScoreOf = fn(&RateScores) -> f32;

/// The score that this run has, as the scores with all units tell.
fn score_of(whole: &RateScores) -> Result<(&'static str, ScoreOf), String> {
    match (whole.co_bps.is_finite(), whole.fp_bps.is_finite()) {
        (true, _) => Ok(("co-bps (bits/spike)", |s| s.co_bps)),
        (false, true) => Ok(("fp-bps (bits/spike)", |s| s.fp_bps)),
        (false, false) => {
            Err("The run has no held-out units and no forward bins, so there is no score: train with one of these.".to_owned())
        }
    }
}

/// The selected set stands apart from the curves.
fn picked_color(tokens: &Tokens) -> Color32 {
    tokens.warning
}

fn plot(ui: &mut Ui, found: &Found) {
    let tokens = theme::of(ui);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().interact_size.y = 14.0;
        widgets::line_label(ui, tokens.accent, false, &format!("most attended in layer {}", found.layer + 1));
        widgets::line_label(ui, tokens.reference, false, &format!("random units, mean ± 2 SEM of {} draws", found.repeats));
        widgets::line_label(ui, tokens.text, true, "no unit silenced");
        if found.curve.picked.is_some() {
            widgets::line_label(ui, picked_color(tokens), false, "selected units");
        }
        widgets::note(ui, format!("{} test trials", found.trials));
    });
    widgets::y_title(ui, found.score);
    let (whole, curve) = (found.curve.whole, &found.curve);
    let attended: Vec<[f64; 2]> = [[0.0, whole]].into_iter().chain(curve.points.iter().map(|p| [p.number as f64, p.chosen])).collect();
    let random: Vec<[f64; 2]> =
        [[0.0, whole]].into_iter().chain(curve.points.iter().map(|p| [p.number as f64, p.random_mean().0])).collect();
    let drawn = widgets::plot(ui, "lesion", "Units silenced")
        .height((ui.available_height() - 4.0).max(80.0))
        .allow_drag(false)
        .allow_boxed_zoom(false)
        .label_formatter(|position| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                Some(format!("{plot_name}\n{:.0} units\n{}", position.x, widgets::number(position.y, 3)))
            }
            _ => None,
        })
        .show(ui, |plot| {
            plot.hline(HLine::new("No unit silenced", whole).color(tokens.text).width(1.2).style(LineStyle::dashed_dense()));
            for point in curve.points.iter().chain(&curve.picked) {
                bar(plot, point, tokens.reference);
            }
            for (name, color, points) in [("Random units", tokens.reference, random), ("Most attended units", tokens.accent, attended)] {
                plot.line(Line::new(name, PlotPoints::new(points.clone())).color(color).width(2.0));
                plot.points(Points::new(name, PlotPoints::new(points)).color(color).radius(3.0));
            }
            if let Some(point) = &curve.picked {
                let at = |value: f64| PlotPoints::new(vec![[point.number as f64, value]]);
                plot.points(Points::new("Random units", at(point.random_mean().0)).color(tokens.reference).radius(3.0));
                plot.points(Points::new("Selected units", at(point.chosen)).color(picked_color(tokens)).radius(5.0));
            }
        });
    widgets::describe(&drawn.response, summary(found));
}

/// Mean ± 2 SEM of the random draws.
fn bar(plot: &mut egui_plot::PlotUi<'_>, point: &LesionPoint, color: Color32) {
    let ((mean, spread), x) = (point.random_mean(), point.number as f64);
    let ends = PlotPoints::new(vec![[x, mean - spread], [x, mean + spread]]);
    plot.line(Line::new("", ends).color(color).width(1.4).allow_hover(false));
}

fn summary(found: &Found) -> String {
    let words = |point: &LesionPoint, name: &str| {
        let (mean, spread) = point.random_mean();
        let number = |v: f64| widgets::number(v, 3);
        format!("without {} {name} units {}, without random ones {} ± {}", point.number, number(point.chosen), number(mean), number(spread))
    };
    let last = found.curve.points.last().map(|p| format!("; {}", words(p, "most attended"))).unwrap_or_default();
    let picked = found.curve.picked.as_ref().map(|p| format!("; {}", words(p, "selected"))).unwrap_or_default();
    format!("{} {} with all units{last}{picked}", found.score, widgets::number(found.curve.whole, 3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::Importance;

    #[test]
    fn only_units_that_are_seen_are_silenced() {
        let stndt = StndtSnapshot {
            held_out: vec![false, true, false, false, false],
            importance: vec![Importance { mean: vec![0.1, 0.5, 0.2, 0.15, 0.05], sd: vec![0.0; 5], consistency: 1.0 }],
            ..StndtSnapshot::default()
        };
        let plan = LesionView::default().plan(&stndt, &[1, 3]);
        assert_eq!((plan.order, plan.picked, plan.numbers), (vec![2, 3, 0, 4], vec![3], vec![1, 2]));
    }

    #[test]
    fn the_summary_compares_with_random_units() {
        let point = |number, chosen| LesionPoint { number, chosen, random: vec![0.25, 0.25] };
        let curve = LesionCurve { whole: 0.3, points: vec![point(4, 0.2), point(8, 0.1)], picked: Some(point(2, 0.28)) };
        let found = Found { layer: 0, repeats: 2, trials: 20, score: "co-bps (bits/spike)", curve };
        assert_eq!(
            summary(&found),
            "co-bps (bits/spike) 0.3 with all units; without 8 most attended units 0.1, without random ones 0.25 ± 0; without 2 selected units 0.28, without random ones 0.25 ± 0"
        );
    }
}
