//! The By group view: mean attention between groups of units (areas, cell types) in every behavioural state, with its spread, and how
//! states differ.

mod compute;

use std::sync::Arc;

use eframe::egui::{self, Align2, Rect, RichText, Sense, Stroke, Ui, pos2, vec2};
use ndarray::Array2;

use self::compute::{GroupMeans, Settings, compute};
use super::netformer_part::{Following, Grouping, Network, StateChoice, cell_number, kept_folder};
use super::{View, ViewContext, area_matrix, shown_area, widgets};
use crate::app::theme;
use crate::recording::Recording;
use crate::render::RasterStyle;
use crate::render::heatmap::{HeatScale, Heatmap, colour_bar};

/// Most pairs of groups that have bars.
const PAIRS: usize = 24;
/// From this width on there is room for a colour bar with both of its ends.
const WIDE: f32 = 235.0;

/// How it is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Matrices,
    Bars,
    Difference,
}

/// The By group view.
#[derive(Default)]
pub struct ByGroupView {
    mode: Mode,
    network: Network,
    work: Following<Settings, GroupMeans>,
    grouping: Option<Grouping>,
    state: StateChoice,
    /// States whose difference is shown, the second minus the first.
    compared: (usize, usize),
    pictures: Vec<(Heatmap, u64, Array2<f32>)>,
}

impl View for ByGroupView {
    fn title(&self) -> &'static str {
        "By group"
    }

    fn help(&self) -> &'static str {
        "Mean attention from the units of one group to those of another, a unit with itself left out, in every behavioural state; rows receive and columns send. \
         The spread is the standard deviation over runs of the same recipe with other seeds where the runs folder has any, else over stretches of the recording: differences smaller than that mean nothing. \
         A few groups make few numbers: a high correlation of sixteen means with the truth is reached by chance far more easily than one of all pairs of units."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(shown) = self.network.shown(ui, context, "No groups yet", "what groups of units send to each other") else { return };
        let recording = Arc::clone(shown.model.recording());
        let grouping = self.grouping.get_or_insert_with(|| Grouping::first_choice(&recording)).clone();
        self.controls(ui, &recording);
        let settings =
            Settings { grouping, state: self.state.source(), windows: shown.windows(shown.model.cost()), folder: kept_folder(shown.run) };
        let (theirs, recipe) = (settings.clone(), shown.run.recipe.clone());
        self.work.get(ui, "by group", &settings, &shown.model, move |model, watch| compute(model, &theirs, &recipe, watch));
        self.work.progress(ui, "means by group");
        let Some(means) = self.work.latest() else {
            return widgets::note(ui, "Means by group are being computed");
        };
        if means.names.len() < 2 {
            let text = "All units are in one group. Group them by another column, or give them areas in the Recording view.";
            widgets::empty(ui, "Only one group", text, None);
            return;
        }
        widgets::note(ui, means.words());
        match self.mode {
            Mode::Matrices => matrices(ui, means, &mut self.pictures),
            Mode::Bars => bars(ui, means),
            Mode::Difference => difference(ui, means, &mut self.compared, &mut self.pictures),
        }
    }
}

impl ByGroupView {
    fn controls(&mut self, ui: &mut Ui, recording: &Recording) {
        ui.horizontal_wrapped(|ui| {
            let modes = [
                (Mode::Matrices, "Matrices", "One matrix of groups per state"),
                (Mode::Bars, "Bars", "One bar per pair of groups and state, with its spread"),
                (Mode::Difference, "Difference", "One state minus another"),
            ];
            widgets::segmented(ui, &mut self.mode, &modes);
            ui.separator();
            if let Some(grouping) = &mut self.grouping {
                grouping.choose(ui, recording);
            }
            self.state.choose(ui, recording, "all times");
        });
    }
}

/// Groups as blocks of one row.
fn blocks(means: &GroupMeans) -> Vec<area_matrix::Block> {
    let block =
        |(group, name): (usize, &String)| area_matrix::Block { area: means.color(group), name: shown_area(name).to_owned(), size: 1 };
    means.names.iter().enumerate().map(block).collect()
}

/// The picture kept for a place, told to be drawn anew when its values changed.
fn picture<'a>(kept: &'a mut Vec<(Heatmap, u64, Array2<f32>)>, place: usize, values: &Array2<f32>) -> (&'a mut Heatmap, u64) {
    while kept.len() <= place {
        kept.push((Heatmap::default(), 0, Array2::zeros((0, 0))));
    }
    let entry = &mut kept[place];
    let same = |a: &Array2<f32>| a.dim() == values.dim() && a.iter().zip(values).all(|(a, b)| a.to_bits() == b.to_bits());
    if !same(&entry.2) {
        entry.1 += 1;
        entry.2 = values.clone();
    }
    (&mut entry.0, entry.1)
}

/// A matrix of groups with its title and numbers.
fn one(
    ui: &mut Ui,
    kept: &mut Vec<(Heatmap, u64, Array2<f32>)>,
    place: usize,
    title: &str,
    shown: &OneMatrix<'_>,
    means: &GroupMeans,
    size: egui::Vec2,
) {
    let style = RasterStyle::of(ui);
    let scale = HeatScale::Diverging { limit: shown.limit };
    let top = ui.cursor().top();
    ui.add(egui::Label::new(RichText::new(title).strong()).truncate());
    if size.x > WIDE {
        colour_bar(ui, scale, shown.unit, &style);
    } else {
        widgets::color_bar(ui, "", "", "", |share| scale.color(shown.limit * (2.0 * share - 1.0) as f32, &style));
        widgets::note(ui, format!("± {} {}", widgets::number(f64::from(shown.limit), 2), shown.unit));
    }
    let side = area_matrix::side(size - vec2(0.0, ui.cursor().top() - top));
    let (heat, version) = picture(kept, place, shown.values);
    let numbers = |value: f32| cell_number(value, shown.limit);
    let drawn = area_matrix::show(ui, title, heat, version, shown.values, &blocks(means), scale, side, Some(&numbers));
    let name = |group: usize| means.names.get(group).map_or("", |n| shown_area(n));
    let strongest = shown.values.indexed_iter().filter(|(_, v)| v.is_finite()).max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    let said = strongest.map_or_else(String::new, |((to, from), v)| {
        format!(", strongest {} to {} {}", name(from), name(to), widgets::number(f64::from(*v), 3))
    });
    widgets::describe(&drawn.response, format!("{title}, {} groups{said}", means.names.len()));
    let Some(at) = drawn.at else { return };
    egui::Tooltip::for_widget(&drawn.response).at_pointer().show(|ui| {
        ui.strong(format!("{} → {}", name(at.1), name(at.0)));
        let value = shown.values.get(at).copied().unwrap_or(f32::NAN);
        let sd = shown.sd.and_then(|sd| sd.get(at)).copied().filter(|v| v.is_finite());
        let sd = sd.map_or_else(String::new, |sd| format!(" ± {}", widgets::number(f64::from(sd), 2)));
        ui.label(if value.is_nan() {
            "no pair of different units".to_owned()
        } else {
            format!("{}{sd} {}", widgets::number(f64::from(value), 4), shown.unit)
        });
    });
}

/// A matrix and how it is coloured.
struct OneMatrix<'a> {
    values: &'a Array2<f32>,
    sd: Option<&'a Array2<f32>>,
    limit: f32,
    unit: &'a str,
}

fn matrices(ui: &mut Ui, means: &GroupMeans, kept: &mut Vec<(Heatmap, u64, Array2<f32>)>) {
    let panels = means.states.len() + usize::from(means.truth.is_some());
    let limit = means.limit();
    widgets::grid(ui, "group matrices", panels, 190.0, |ui, at, size| match means.states.get(at) {
        Some(state) => {
            let shown = OneMatrix { values: &state.mean, sd: Some(&state.sd), limit, unit: "attention" };
            one(ui, kept, at, &format!("{} ({} windows)", means.titled(state), widgets::count(state.windows)), &shown, means, size);
        }
        None => {
            let Some(truth) = &means.truth else { return };
            let limit = truth.iter().filter(|v| v.is_finite()).fold(0.0, |m: f32, v| m.max(v.abs())).max(1e-9);
            let shown = OneMatrix { values: truth, sd: None, limit, unit: "mean weight" };
            one(ui, kept, at, "Truth", &shown, means, size);
        }
    });
}

fn difference(ui: &mut Ui, means: &GroupMeans, compared: &mut (usize, usize), kept: &mut Vec<(Heatmap, u64, Array2<f32>)>) {
    if means.states.len() < 2 {
        let text = "Choose a state (a covariate or a column of a table) that has two levels at least.";
        widgets::empty(ui, "Nothing to compare", text, None);
        return;
    }
    let last = means.states.len() - 1;
    if compared.0 == compared.1 || compared.0.max(compared.1) > last {
        *compared = (0, 1);
    }
    let name = |state: usize| means.states.get(state).map_or("", |s| s.name.as_str());
    ui.horizontal_wrapped(|ui| {
        for (words, value) in [("State", &mut compared.1), ("minus", &mut compared.0)] {
            widgets::caption(ui, words, 130.0);
            widgets::combo(ui, words, words, name(*value), 130.0, |ui| {
                (0..=last).for_each(|state| {
                    ui.selectable_value(value, state, name(state));
                });
            });
        }
    });
    let (Some(from), Some(to)) = (means.states.get(compared.0), means.states.get(compared.1)) else { return };
    let values = &to.mean - &from.mean;
    let sd = ndarray::Zip::from(&to.sd).and(&from.sd).map_collect(|a, b| a.hypot(*b));
    let limit = values.iter().filter(|v| v.is_finite()).fold(0.0, |m: f32, v| m.max(v.abs())).max(1e-9);
    let beyond = values.iter().zip(&sd).filter(|(v, sd)| v.abs() > 2.0 * **sd).count();
    let known = values.iter().filter(|v| v.is_finite()).count();
    widgets::note(ui, format!("{beyond} of {known} pairs differ by more than twice their spread"));
    let size = ui.available_size().min(vec2(560.0, 560.0));
    let shown = OneMatrix { values: &values, sd: Some(&sd), limit, unit: "difference of attention" };
    one(ui, kept, 100, &format!("{} minus {}", means.titled(to), from.name), &shown, means, size);
}

/// Pairs of groups side by side, a bar for every state, with its spread.
fn bars(ui: &mut Ui, means: &GroupMeans) {
    let tokens = theme::of(ui);
    let (pairs, all) = means.pairs(PAIRS);
    ui.horizontal_wrapped(|ui| {
        for (state, entry) in means.states.iter().enumerate() {
            widgets::swatch_label(ui, tokens.category(state), &means.titled(entry));
        }
        if pairs.len() < all {
            widgets::note(ui, format!("the {} strongest of {all} pairs", pairs.len()));
        }
    });
    let ends = |value: f32, sd: f32| [value - sd, value + sd];
    let spread = |state: &compute::StateMeans, at: (usize, usize)| {
        let sd = state.sd.get(at).copied().filter(|v| v.is_finite()).unwrap_or(0.0);
        ends(state.mean.get(at).copied().unwrap_or(0.0), sd)
    };
    let (low, high) = means
        .states
        .iter()
        .flat_map(|s| pairs.iter().flat_map(|at| spread(s, *at)))
        .filter(|v| v.is_finite())
        .fold((0.0, 0.0), |(l, h): (f32, f32), v| (l.min(v), h.max(v)));
    let reach = (high - low).max(1e-9);
    widgets::y_title(ui, "Mean attention (bar: mean, line: ± spread)");
    let (whole, _) = ui.allocate_exact_size(vec2(ui.available_width(), (ui.available_height() - 4.0).max(120.0)), Sense::hover());
    let rect = Rect::from_min_max(whole.min + vec2(52.0, 6.0), whole.max - vec2(6.0, 62.0));
    let y = |value: f32| rect.bottom() - (value - low + 0.03 * reach) / (1.06 * reach) * rect.height();
    let group = rect.width() / pairs.len().max(1) as f32;
    let bar = 0.82 * group / means.states.len().max(1) as f32;
    for value in [low, 0.0, high] {
        let font = egui::FontId::proportional(11.0);
        ui.painter().hline(rect.x_range(), y(value), Stroke::new(1.0, if value == 0.0 { tokens.text } else { tokens.grid }));
        ui.painter().text(pos2(rect.left() - 5.0, y(value)), Align2::RIGHT_CENTER, widgets::number(f64::from(value), 2), font, tokens.weak);
    }
    for (place, at) in pairs.iter().enumerate() {
        let left = rect.left() + place as f32 * group + 0.09 * group;
        for (k, state) in means.states.iter().enumerate() {
            let value = state.mean.get(*at).copied().filter(|v| v.is_finite()).unwrap_or(0.0);
            let x = left + k as f32 * bar;
            let area = Rect::from_min_max(pos2(x, y(value.max(0.0))), pos2(x + (bar - 1.0).max(1.0), y(value.min(0.0))));
            ui.painter().rect_filled(area, 0.0, tokens.category(k));
            let [from, to] = spread(state, *at);
            ui.painter().vline(area.center().x, y(to)..=y(from), Stroke::new(1.2, tokens.text));
        }
        let name = |group: usize| means.names.get(group).map_or("", |n| shown_area(n));
        let lines = [format!("{} →", name(at.1)), name(at.0).to_owned()];
        for (line, text) in lines.iter().enumerate() {
            let box_of = Rect::from_min_size(pos2(left - 0.09 * group, rect.bottom() + 6.0 + 15.0 * line as f32), vec2(group, 15.0));
            widgets::text_in(ui, box_of, Align2::CENTER_CENTER, text, 11.0, tokens.weak);
        }
    }
    let title = pos2(rect.center().x, whole.bottom() - 4.0);
    ui.painter().text(
        title,
        Align2::CENTER_BOTTOM,
        format!("From {} → to {}", means.what, means.what),
        egui::FontId::proportional(11.5),
        tokens.weak,
    );
    let response = ui.interact(rect, ui.scope_id().with("group bars"), Sense::hover());
    widgets::describe(&response, format!("Mean attention of {} pairs of groups in {} states", pairs.len(), means.states.len()));
    let Some(pointer) = response.hover_pos() else { return };
    let place = (((pointer.x - rect.left()) / group.max(1e-6)).max(0.0) as usize).min(pairs.len().saturating_sub(1));
    let Some(at) = pairs.get(place) else { return };
    egui::Tooltip::for_widget(&response).at_pointer().show(|ui| {
        let name = |group: usize| means.names.get(group).map_or("", |n| shown_area(n));
        ui.strong(format!("{} → {}", name(at.1), name(at.0)));
        for state in &means.states {
            let value = |m: &Array2<f32>| widgets::number(f64::from(m.get(*at).copied().unwrap_or(f32::NAN)), 3);
            ui.label(format!("{}: {} ± {}", state.name, value(&state.mean), value(&state.sd)));
        }
    });
}
