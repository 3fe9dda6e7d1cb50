//! The Area matrix view: one number per ordered pair of areas. Clicking a cell selects the pair for all views.

use eframe::egui::{self, Align2, Color32, FontId, Key, Rect, Sense, Shape, Stroke, StrokeKind, Ui, pos2, vec2};

use super::kernels::{Standing, lag_ms, name_width, peak, standing, waiting, words};
use super::{Action, RunState, View, ViewContext, widgets};
use crate::app::theme::{self, Tokens};
use crate::render::RasterStyle;
use crate::training::{PairSnapshot, Snapshot};

/// Which number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Quantity {
    #[default]
    Contribution,
    Output,
    Peak,
}

const QUANTITIES: [(Quantity, &str, &str); 3] = [
    (
        Quantity::Contribution,
        "Contribution (%)",
        "Share of the target's rate variance that vanishes without this pair, on validation trials",
    ),
    (Quantity::Output, "Mean output", "Mean coupling output to the ten best receivers, change of log-rate, on validation trials"),
    (Quantity::Peak, "Filter peak", "Largest deflection of the coupling filter, change of log-rate, with its lag"),
];

impl Quantity {
    fn of(self, pair: &PairSnapshot) -> f64 {
        match self {
            Self::Contribution => f64::from(pair.contribution_percent),
            Self::Output => f64::from(pair.mean_output),
            Self::Peak => peak(pair).map_or(f64::NAN, |(_, value)| value),
        }
    }

    /// Value and, where there is room, a second line.
    fn text(self, pair: &PairSnapshot, bin_s: f64) -> (String, String) {
        match self {
            Self::Contribution => (format!("{} %", widgets::number(self.of(pair), 2)), String::new()),
            Self::Output => (widgets::number(self.of(pair), 2), String::new()),
            Self::Peak => {
                let lag = peak(pair).map_or_else(String::new, |(k, _)| format!("{} ms", widgets::number(lag_ms(k, bin_s), 3)));
                (widgets::number(self.of(pair), 2), lag)
            }
        }
    }

    fn color(self, tokens: &Tokens, value: f64, limit: f64) -> Color32 {
        match self {
            Self::Contribution => tokens.sequential(value / limit),
            Self::Output | Self::Peak => tokens.diverging(value / limit),
        }
    }
}

/// The matrix.
#[derive(Default)]
pub struct MatrixView {
    quantity: Quantity,
}

impl View for MatrixView {
    fn title(&self) -> &'static str {
        "Area matrix"
    }

    fn help(&self) -> &'static str {
        "One cell per ordered pair of areas: columns send, rows receive. \
         Choose between the share of rate variance that needs the coupling, its mean output, and the peak of its filter. \
         Click a cell, or move with the arrow keys, to show that pair's filter and weights in the other views."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        *context.looks_at_run = true;
        let Some((run, snapshot)) =
            context.run.and_then(|run| Some((run, run.snapshot.as_deref()?))).filter(|(_, s)| !s.pairs().is_empty())
        else {
            return waiting(ui, context, "No couplings yet");
        };
        widgets::segmented(ui, &mut self.quantity, &QUANTITIES);
        let limit = limit(self.quantity, snapshot);
        let tokens = theme::of(ui);
        let low = if self.quantity == Quantity::Contribution { "0".to_owned() } else { widgets::number(-limit, 2) };
        let title = match self.quantity {
            Quantity::Contribution => "% of rate variance",
            Quantity::Output | Quantity::Peak => "change of log-rate",
        };
        let quantity = self.quantity;
        let span = if quantity == Quantity::Contribution { (0.0, 1.0) } else { (-1.0, 2.0) };
        widgets::color_bar(ui, &low, &widgets::number(limit, 2), title, |x| quantity.color(tokens, (span.0 + span.1 * x) * limit, limit));
        if let Some(pair) = matrix(ui, run, snapshot, quantity, limit, context.selection.pair) {
            context.selection.pair = Some(pair);
            context.actions.push(Action::Show("Coupling kernels"));
        }
    }
}

/// End of the colour scale: the largest supported magnitude, rounded up to a number that reads well.
fn limit(quantity: Quantity, snapshot: &Snapshot) -> f64 {
    let values = snapshot.pairs().iter().filter(|p| standing(p) == Standing::Trained).map(|p| quantity.of(p).abs());
    round_up(widgets::range(values).map_or(0.0, |(_, high)| high))
}

fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let unit = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * unit).find(|m| *m >= value * (1.0 - 1e-9)).unwrap_or(10.0 * unit)
}

/// Draw the matrix; returns the pair chosen by click, Enter or Space.
fn matrix(
    ui: &mut Ui,
    run: &RunState,
    snapshot: &Snapshot,
    quantity: Quantity,
    limit: f64,
    selected: Option<(usize, usize)>,
) -> Option<(usize, usize)> {
    let tokens = theme::of(ui);
    let style = RasterStyle::of(ui);
    let n = snapshot.areas.len().max(1);
    let available = ui.available_size();
    let label = (name_width(ui, run, n, 12.0) + 14.0).min(available.x * 0.3);
    let (head, foot) = (20.0, 20.0);
    let side = ((available.x - label - 18.0) / n as f32).min((available.y - head - foot - 6.0) / n as f32).clamp(34.0, 190.0);
    let mut chosen = None;
    egui::ScrollArea::both().id_salt("matrix").auto_shrink(false).show(ui, |ui| {
        let whole = vec2(label + side * n as f32 + 18.0, head + side * n as f32 + foot);
        let (rect, figure) = ui.allocate_exact_size(whole, Sense::hover());
        widgets::describe(&figure, describe(run, snapshot, quantity));
        let origin = rect.min + vec2(label + 18.0, head);
        for area in 0..n {
            let (name, color) = (run.area_name(area), style.area(run.area_index(area)));
            let along = area as f32 * side;
            let column = Rect::from_min_size(origin + vec2(along, -head), vec2(side, head));
            widgets::text_in(ui, column, Align2::CENTER_CENTER, &name, 12.0, tokens.text);
            ui.painter().hline(column.x_range().shrink(side * 0.3), column.bottom() - 2.0, Stroke::new(2.5, color));
            let row = Rect::from_min_size(origin + vec2(-label - 2.0, along), vec2(label - 6.0, side));
            widgets::text_in(ui, row, Align2::RIGHT_CENTER, &name, 12.0, tokens.text);
            ui.painter().vline(origin.x - 4.0, row.y_range().shrink(side * 0.3), Stroke::new(2.5, color));
        }
        widgets::text_in(
            ui,
            Rect::from_min_size(origin + vec2(0.0, side * n as f32 + 3.0), vec2(side * n as f32, foot)),
            Align2::CENTER_TOP,
            "sending area",
            11.0,
            tokens.weak,
        );
        upright(ui, pos2(rect.left() + 7.0, origin.y + side * n as f32 / 2.0), "receiving area", tokens.weak);
        for pair in snapshot.pairs().iter().filter(|p| p.source < n && p.target < n) {
            let corner = origin + vec2(pair.source as f32 * side, pair.target as f32 * side);
            let place = Rect::from_min_size(corner, vec2(side, side)).shrink(1.5);
            if cell(ui, run, snapshot, pair, place, (quantity, limit), selected == Some((pair.source, pair.target))) {
                chosen = Some((pair.source, pair.target));
            }
        }
    });
    chosen
}

fn upright(ui: &Ui, center: egui::Pos2, text: &str, color: Color32) {
    let galley = ui.painter().layout_no_wrap(text.to_owned(), FontId::proportional(11.0), color);
    let start = center + vec2(-galley.size().y / 2.0, galley.size().x / 2.0);
    let shape = egui::epaint::TextShape::new(start, galley, color).with_angle(-std::f32::consts::FRAC_PI_2);
    ui.painter().add(shape);
}

fn cell(
    ui: &mut Ui,
    run: &RunState,
    snapshot: &Snapshot,
    pair: &PairSnapshot,
    rect: Rect,
    (quantity, limit): (Quantity, f64),
    selected: bool,
) -> bool {
    let tokens = theme::of(ui);
    let response = ui.interact(rect, ui.scope_id().with(("cell", pair.source, pair.target)), Sense::click());
    let title = format!("{} → {}", run.area_name(pair.source), run.area_name(pair.target));
    let (value, second) = quantity.text(pair, snapshot.bin_s);
    let words = words(snapshot, pair);
    let said = if standing(pair) == Standing::Trained { format!("{title}: {value}, {words}") } else { format!("{title}: {words}") };
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, selected, said.clone()));
    let standing = standing(pair);
    if standing == Standing::Trained {
        let fill = quantity.color(tokens, quantity.of(pair), limit);
        ui.painter().rect_filled(rect, 3.0, fill);
        let text = tokens.text_on(fill);
        let size = (rect.width() / 5.2).clamp(10.0, 17.0);
        if second.is_empty() || rect.height() < 44.0 {
            widgets::text_in(ui, rect.shrink(2.0), Align2::CENTER_CENTER, &value, size, text);
        } else {
            let (top, bottom) = rect.split_top_bottom_at_fraction(0.54);
            widgets::text_in(ui, top.shrink(2.0), Align2::CENTER_BOTTOM, &value, size, text);
            widgets::text_in(ui, bottom.shrink(2.0), Align2::CENTER_TOP, &second, (size * 0.8).max(10.0), text);
        }
    } else {
        ui.painter().rect_filled(rect, 3.0, tokens.muted.gamma_multiply(0.7));
        let text = match (standing, rect.width() > 92.0) {
            (Standing::Unsupported, true) => "not supported",
            (Standing::Unsupported, false) => "n. s.",
            (_, true) => "from stage 3 on",
            (_, false) => "…",
        };
        if standing == Standing::Unsupported {
            hatch(ui, rect, tokens);
        }
        widgets::text_in(ui, rect.shrink(3.0), Align2::CENTER_CENTER, text, 11.0, tokens.weak);
    }
    if selected || response.has_focus() {
        ui.painter().rect_stroke(rect.expand(1.0), 3.0, Stroke::new(2.5, tokens.accent), StrokeKind::Middle);
    } else if response.hovered() {
        ui.painter().rect_stroke(rect, 3.0, Stroke::new(1.5, tokens.accent), StrokeKind::Inside);
    }
    if response.has_focus() {
        move_focus(ui, snapshot, pair);
    }
    let clicked = response.clicked();
    response.on_hover_ui(|ui| {
        ui.strong(&title);
        ui.label(&words);
    });
    clicked
}

/// Stripes, so that "not supported" does not rest on colour alone; behind the text they are left out.
fn hatch(ui: &Ui, rect: Rect, tokens: &Tokens) {
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    let mut x = rect.left() - rect.height();
    while x < rect.right() {
        painter.add(Shape::line_segment(
            [pos2(x, rect.bottom()), pos2(x + rect.height(), rect.top())],
            Stroke::new(1.0, tokens.line.gamma_multiply(0.55)),
        ));
        x += 9.0;
    }
    let middle = Rect::from_center_size(rect.center(), vec2(rect.width() * 0.8, 17.0));
    painter.rect_filled(middle, 3.0, tokens.muted);
}

/// Arrow keys move between cells.
fn move_focus(ui: &Ui, snapshot: &Snapshot, pair: &PairSnapshot) {
    let n = snapshot.areas.len();
    let (mut source, mut target) = (pair.source, pair.target);
    ui.memory_mut(|memory| {
        let keys = egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..egui::EventFilter::default() };
        memory.set_focus_lock_filter(ui.scope_id().with(("cell", pair.source, pair.target)), keys);
    });
    ui.input(|input| {
        if input.key_pressed(Key::ArrowLeft) {
            source = source.saturating_sub(1);
        }
        if input.key_pressed(Key::ArrowRight) && source + 1 < n {
            source += 1;
        }
        if input.key_pressed(Key::ArrowUp) {
            target = target.saturating_sub(1);
        }
        if input.key_pressed(Key::ArrowDown) && target + 1 < n {
            target += 1;
        }
    });
    let exists = snapshot.pairs().iter().any(|p| (p.source, p.target) == (source, target));
    if (source, target) != (pair.source, pair.target) && exists {
        ui.memory_mut(|memory| memory.request_focus(ui.scope_id().with(("cell", source, target))));
    }
}

fn describe(run: &RunState, snapshot: &Snapshot, quantity: Quantity) -> String {
    let name = QUANTITIES.iter().find(|(q, _, _)| *q == quantity).map_or("", |(_, name, _)| name);
    let mut fitted: Vec<&PairSnapshot> = snapshot.pairs().iter().filter(|p| standing(p) == Standing::Trained).collect();
    fitted.sort_by(|a, b| quantity.of(b).abs().total_cmp(&quantity.of(a).abs()));
    let strongest: Vec<String> = fitted
        .iter()
        .take(3)
        .map(|p| format!("{} → {} {}", run.area_name(p.source), run.area_name(p.target), quantity.text(p, snapshot.bin_s).0))
        .collect();
    format!("Area matrix of {name}, {} areas, strongest: {}", snapshot.areas.len(), strongest.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_at_round_numbers() {
        for (value, end) in [(0.0, 1.0), (0.31, 0.5), (0.5, 0.5), (1.2, 2.0), (7.0, 10.0), (41.0, 50.0)] {
            assert!((round_up(value) - end).abs() < 1e-12, "{value} gives {}", round_up(value));
        }
    }
}
