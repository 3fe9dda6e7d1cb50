//! The Attention over time view: how attention moves between behavioural states, as points in the plane, and how alike it is at any
//! two times.

use std::sync::Arc;

use eframe::egui::{self, Align2, Color32, Rect, Sense, Stroke, Ui, pos2, vec2};
use egui_plot::{HoverPosition, Line, PlotPoints, Points};
use ndarray::Array2;

use super::netformer_part::{Following, Network, StateChoice};
use super::{View, ViewContext, widgets};
use crate::analysis::connectivity::{TimePca, pca_of_times, similarity};
use crate::analysis::watch::Watch;
use crate::app::theme::{self, Tokens};
use crate::recording::{Recording, StateSource};
use crate::render::RasterStyle;
use crate::render::heatmap::{HeatScale, Heatmap, Matrix, colour_bar};
use crate::training::NetFormerModel;

/// Times that are looked at.
const TIMES: usize = 160;
/// Most entries that stand for all of attention.
const ENTRIES: usize = 20_000;
/// Left of and below the similarity matrix.
const SIDE: f32 = 46.0;

/// What is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Plane,
    Similarity,
}

/// What is computed.
#[derive(Clone, PartialEq)]
struct Settings {
    windows: usize,
    state: Option<StateSource>,
}

/// Attention at many times.
struct Moments {
    number: u64,
    seconds: Vec<f64>,
    /// Windows behind every time.
    each: usize,
    /// Entries looked at, and all there are.
    entries: (usize, usize),
    pca: Option<TimePca>,
    similarity: Array2<f32>,
    /// Names of states, and the state at every time; empty without.
    names: Vec<String>,
    states: Vec<Option<usize>>,
}

/// The Attention over time view.
#[derive(Default)]
pub struct AttentionTimeView {
    mode: Mode,
    network: Network,
    work: Following<Settings, Moments>,
    state: StateChoice,
    picture: Heatmap,
    version: (u64, u64),
}

impl View for AttentionTimeView {
    fn title(&self) -> &'static str {
        "Attention over time"
    }

    fn help(&self) -> &'static str {
        "Each point is attention between different units in one short stretch of the recording; points lie together when attention is alike there, and the two axes are the directions in which it moves most. \
         Colours are behavioural states (a covariate or a column of a table), which the model never sees: when they separate, connectivity follows behaviour or activity. \
         Similarity shows the correlation of attention between any two times; values near 1 everywhere mean that most of attention stays the same."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(shown) = self.network.shown(ui, context, "Nothing over time yet", "how attention moves between states") else { return };
        let recording = Arc::clone(shown.model.recording());
        self.controls(ui, &recording);
        let settings = Settings { windows: shown.windows(shown.model.cost()), state: self.state.source() };
        let theirs = settings.clone();
        self.work.get(ui, "attention over time", &settings, &shown.model, move |model, watch| compute(model, &theirs, watch));
        self.work.progress(ui, "attention over time");
        let Some(moments) = self.work.latest() else {
            return widgets::note(ui, "Attention over time is being computed");
        };
        legend(ui, moments);
        let clicked = match self.mode {
            Mode::Plane => plane(ui, moments),
            Mode::Similarity => {
                if self.version.1 != moments.number {
                    self.version = (self.version.0 + 1, moments.number);
                }
                between_times(ui, moments, &mut self.picture, self.version.0)
            }
        };
        if let Some(seconds) = clicked {
            context.selection.cursor = Some(seconds);
        }
    }
}

impl AttentionTimeView {
    fn controls(&mut self, ui: &mut Ui, recording: &Recording) {
        ui.horizontal_wrapped(|ui| {
            let modes = [
                (Mode::Plane, "Plane", "Times as points in the two directions in which attention moves most"),
                (Mode::Similarity, "Similarity", "Correlation of attention between any two times"),
            ];
            widgets::segmented(ui, &mut self.mode, &modes);
            ui.separator();
            self.state.choose(ui, recording, "time");
        });
    }
}

fn compute(model: &Arc<NetFormerModel>, settings: &Settings, watch: &Watch) -> Option<Moments> {
    let all = model.all_windows().len();
    let length = all.div_ceil(TIMES).max(1);
    let times = all.div_ceil(length).max(1);
    let blocks = model.blocks(length, (settings.windows / times).clamp(1, length));
    let mut rows: Vec<Vec<f32>> = Vec::with_capacity(blocks.len());
    let (mut step, mut whole) = (1, 0);
    for (done, block) in blocks.iter().enumerate() {
        watch.tell(done, blocks.len());
        if watch.stopped() {
            return None;
        }
        let mean = model.mean(&block.windows);
        if done == 0 {
            whole = mean.len() - mean.nrows().min(mean.ncols());
            step = whole.div_ceil(ENTRIES).max(1);
        }
        let entries = mean.indexed_iter().filter(|((row, column), _)| row != column).map(|(_, v)| *v);
        rows.push(entries.step_by(step).collect());
    }
    let entries = rows.first().map_or(0, Vec::len);
    let rows = Array2::from_shape_vec((rows.len(), entries), rows.concat()).ok()?;
    let seconds: Vec<f64> = blocks.iter().map(crate::training::Block::middle).collect();
    let states = settings.state.as_ref().and_then(|source| source.read(model.recording(), &seconds));
    let (names, states) = states.map_or_else(Default::default, |s| (s.names, s.of_moment));
    let label = settings.state.as_ref().map_or_else(String::new, StateSource::label);
    let number = label.bytes().fold(model.key(), |hash, byte| hash.rotate_left(7) ^ u64::from(byte));
    let each = blocks.first().map_or(0, |b| b.windows.len());
    let (pca, similarity) = (pca_of_times(rows.view(), 2), similarity(rows.view()));
    Some(Moments { number, each, entries: (entries, whole), pca, similarity, names, states, seconds })
}

impl Moments {
    fn color(&self, tokens: &Tokens, at: usize) -> Color32 {
        match (self.names.is_empty(), self.states.get(at).copied().flatten()) {
            (true, _) => tokens.sequential(at as f64 / self.seconds.len().saturating_sub(1).max(1) as f64),
            (false, Some(state)) => tokens.category(state),
            (false, None) => tokens.muted,
        }
    }

    /// Mean correlation between different times in two states; NaN without any.
    fn alike(&self, a: usize, b: usize) -> f64 {
        let of = |at: usize| self.states.get(at).copied().flatten();
        let pairs = self.similarity.indexed_iter().filter(|((i, j), v)| i != j && v.is_finite() && of(*i) == Some(a) && of(*j) == Some(b));
        let (sum, n) = pairs.fold((0.0, 0.0), |(sum, n), (_, v)| (sum + f64::from(*v), n + 1.0));
        sum / n
    }

    fn state(&self, at: usize) -> &str {
        self.states.get(at).copied().flatten().and_then(|s| self.names.get(s)).map_or("", String::as_str)
    }
}

fn legend(ui: &mut Ui, moments: &Moments) {
    let tokens = theme::of(ui);
    ui.horizontal_wrapped(|ui| {
        for (state, name) in moments.names.iter().enumerate() {
            widgets::swatch_label(ui, tokens.category(state), name);
        }
        if moments.names.is_empty() {
            let ends =
                [moments.seconds.first(), moments.seconds.last()].map(|t| format!("{} s", widgets::number(t.copied().unwrap_or(0.0), 4)));
            widgets::color_bar(ui, &ends[0], &ends[1], "time", |share| tokens.sequential(share));
        }
        let sample = match moments.entries {
            (some, all) if some < all => format!(", {} of {} entries", widgets::count(some), widgets::count(all)),
            _ => String::new(),
        };
        widgets::note(ui, format!("{} times, {} windows each{sample}", moments.seconds.len(), moments.each));
    });
}

fn plane(ui: &mut Ui, moments: &Moments) -> Option<f64> {
    let tokens = theme::of(ui);
    let Some(pca) = &moments.pca else {
        widgets::note(ui, "Too few times for directions: the recording is too short");
        return None;
    };
    let share = |component: usize| widgets::number(pca.explained.get(component).copied().unwrap_or(0.0) * 100.0, 2);
    let point = |at: usize| [pca.points.get((at, 0)).copied().unwrap_or(0.0), pca.points.get((at, 1)).copied().unwrap_or(0.0)];
    widgets::y_title(ui, &format!("PC 2 of attention ({} % of its variance over time)", share(1)));
    let nearest = |x: f64, y: f64| {
        let far = |at: &usize| (point(*at)[0] - x).powi(2) + (point(*at)[1] - y).powi(2);
        (0..moments.seconds.len()).min_by(|a, b| far(a).total_cmp(&far(b)))
    };
    let hover = |x: f64, y: f64| {
        let at = nearest(x, y)?;
        let state = moments.state(at);
        let line = if state.is_empty() { String::new() } else { format!("\n{state}") };
        Some(format!("{} s{line}", widgets::number(moments.seconds.get(at).copied()?, 4)))
    };
    let drawn = widgets::plot(ui, "attention plane", &format!("PC 1 of attention ({} %)", share(0)))
        .height((ui.available_height() - 4.0).max(80.0))
        .label_formatter(|position| match position {
            HoverPosition::NearDataPoint { position, .. } => hover(position.x, position.y),
            HoverPosition::Elsewhere { .. } => None,
        })
        .show(ui, |plot| {
            let path: Vec<[f64; 2]> = (0..moments.seconds.len()).map(point).collect();
            plot.line(Line::new("", PlotPoints::new(path)).color(tokens.line).width(0.8).allow_hover(false));
            for at in 0..moments.seconds.len() {
                plot.points(Points::new("time", PlotPoints::new(vec![point(at)])).color(moments.color(tokens, at)).radius(3.6));
            }
            plot.pointer_coordinate()
        });
    let states = if moments.names.is_empty() { String::new() } else { format!(", coloured by {} states", moments.names.len()) };
    let said =
        format!("Attention at {} times in the plane, {} and {} % of its variance{states}", moments.seconds.len(), share(0), share(1));
    widgets::describe(&drawn.response, said);
    let pointer = drawn.inner.filter(|_| drawn.response.clicked())?;
    moments.seconds.get(nearest(pointer.x, pointer.y)?).copied()
}

fn between_times(ui: &mut Ui, moments: &Moments, picture: &mut Heatmap, version: u64) -> Option<f64> {
    let (tokens, style) = (theme::of(ui), RasterStyle::of(ui));
    let n = moments.seconds.len();
    let low = moments.similarity.iter().copied().filter(|v| v.is_finite()).fold(1.0, f32::min);
    let others = moments.similarity.indexed_iter().filter(|((a, b), v)| a != b && v.is_finite());
    // A time with itself is always 1 and would leave nothing of the scale for the others.
    let high = others.map(|(_, v)| *v).fold(low, f32::max);
    let scale = if high > low { HeatScale::Sequential { low, high } } else { HeatScale::Sequential { low: 0.0, high: 1.0 } };
    ui.horizontal_wrapped(|ui| colour_bar(ui, scale, "correlation", &style));
    let side = (ui.available_width() - SIDE - 12.0).min(ui.available_height() - SIDE - 8.0).max(60.0);
    let beside = ui.available_width() - SIDE - side - 30.0;
    let top = ui.cursor().min;
    let (whole, _) = ui.allocate_exact_size(vec2(SIDE + side + 4.0, SIDE + side), Sense::hover());
    let rect = Rect::from_min_size(whole.min + vec2(SIDE, 8.0), vec2(side, side));
    let flat = moments.similarity.as_standard_layout();
    picture.show(ui, rect, version, Matrix { values: flat.as_slice().unwrap_or_default(), rows: n, columns: n }, scale, &style);
    ui.painter().rect_stroke(rect, 0.0, Stroke::new(1.0, tokens.line), egui::StrokeKind::Outside);
    let cell = side / n.max(1) as f32;
    for at in 0..n {
        let (from, color) = (at as f32 * cell, moments.color(tokens, at));
        let (top, left) = (rect.top() - 6.0, rect.left() - 6.0);
        ui.painter().rect_filled(Rect::from_min_size(pos2(rect.left() + from, top), vec2(cell + 0.5, 4.0)), 0.0, color);
        ui.painter().rect_filled(Rect::from_min_size(pos2(left, rect.top() + from), vec2(4.0, cell + 0.5)), 0.0, color);
    }
    ticks(ui, rect, moments);
    if beside > 150.0 {
        let place = Rect::from_min_size(top + vec2(SIDE + side + 30.0, 8.0), vec2(beside, side));
        ui.scope_builder(egui::UiBuilder::new().max_rect(place), |ui| by_state(ui, moments));
    }
    let response = ui.interact(rect, ui.scope_id().with("similarity"), Sense::click());
    let mean =
        moments.similarity.iter().filter(|v| v.is_finite()).map(|v| f64::from(*v)).sum::<f64>() / moments.similarity.len().max(1) as f64;
    let number = |v: f64| widgets::number(v, 3);
    widgets::describe(
        &response,
        format!("Correlation of attention between {n} times, mean {}, least {}", number(mean), number(f64::from(low))),
    );
    let at = response.hover_pos()?;
    let place = |from: f32| ((from / side * n as f32).max(0.0) as usize).min(n.saturating_sub(1));
    let (row, column) = (place(at.y - rect.top()), place(at.x - rect.left()));
    let time = |k: usize| moments.seconds.get(k).copied().unwrap_or(0.0);
    egui::Tooltip::for_widget(&response).at_pointer().show(|ui| {
        let state = |k: usize| if moments.state(k).is_empty() { String::new() } else { format!(" ({})", moments.state(k)) };
        ui.strong(format!("{} s{} and {} s{}", widgets::number(time(row), 4), state(row), widgets::number(time(column), 4), state(column)));
        let value = moments.similarity.get((row, column)).copied().unwrap_or(f32::NAN);
        ui.label(format!("correlation {}", widgets::number(f64::from(value), 4)));
    });
    response.clicked().then(|| time(column))
}

/// Mean correlation of times in the same and in different states.
fn by_state(ui: &mut Ui, moments: &Moments) {
    let tokens = theme::of(ui);
    let number = |value: f64| if value.is_nan() { "–".to_owned() } else { widgets::number(value, 3) };
    if moments.names.len() < 2 {
        widgets::note(ui, "Choose a state to compare times in the same state with times in different ones");
        return;
    }
    widgets::section(ui, "Mean correlation");
    egui::Grid::new("similarity by state").spacing([14.0, 4.0]).show(ui, |ui| {
        ui.label("");
        moments.names.iter().enumerate().for_each(|(state, name)| {
            widgets::swatch_label(ui, tokens.category(state), name);
        });
        ui.end_row();
        for (a, name) in moments.names.iter().enumerate() {
            widgets::swatch_label(ui, tokens.category(a), name);
            (0..moments.names.len()).for_each(|b| {
                ui.label(number(moments.alike(a, b)));
            });
            ui.end_row();
        }
    });
    widgets::note(ui, "Over different times; neighbours in time may be alike whatever their state");
}

/// Times along both sides of the similarity matrix.
fn ticks(ui: &Ui, rect: Rect, moments: &Moments) {
    let tokens = theme::of(ui);
    let (Some(&first), Some(&last)) = (moments.seconds.first(), moments.seconds.last()) else { return };
    let axis = crate::render::axis::time_axis(first, last.max(first + 1e-9), ((rect.width() / 84.0) as usize).max(2));
    let font = egui::FontId::proportional(11.0);
    for (seconds, label) in &axis.ticks {
        let along = ((seconds - first) / (last - first).max(1e-12)) as f32 * rect.width();
        ui.painter().text(pos2(rect.left() + along, rect.bottom() + 4.0), Align2::CENTER_TOP, label, font.clone(), tokens.weak);
        ui.painter().text(pos2(rect.left() - 9.0, rect.top() + along), Align2::RIGHT_CENTER, label, font.clone(), tokens.weak);
    }
    let title = pos2(rect.center().x, rect.bottom() + 20.0);
    ui.painter().text(title, Align2::CENTER_TOP, axis.title, egui::FontId::proportional(11.5), tokens.weak);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_colour_and_the_name_of_their_state() {
        let tokens = theme::tokens(egui::Theme::Light);
        let mut moments = Moments {
            number: 0,
            seconds: vec![0.5, 1.5, 2.5],
            each: 4,
            entries: (6, 6),
            pca: None,
            similarity: Array2::ones((3, 3)),
            names: vec!["still".into(), "running".into()],
            states: vec![Some(1), None, Some(0)],
        };
        assert_eq!([0, 1, 2, 7].map(|at| moments.state(at)), ["running", "", "still", ""]);
        assert_eq!(moments.color(tokens, 0), tokens.category(1));
        assert_eq!(moments.color(tokens, 1), tokens.muted);
        assert!(moments.alike(0, 1) == 1.0 && moments.alike(0, 0).is_nan());
        moments.names.clear();
        assert_eq!((moments.color(tokens, 0), moments.color(tokens, 2)), (tokens.sequential(0.0), tokens.sequential(1.0)));
    }
}
