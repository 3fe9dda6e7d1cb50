//! Small pieces that views share: headings, empty states, legends, number formats, plots with tokens and small multiples.

use eframe::egui::{
    self, Align, Align2, Color32, CornerRadius, FontId, Layout, Pos2, Rangef, Rect, Response, RichText, Role, Sense, Shape, Stroke,
    StrokeKind, TextStyle, Ui, Vec2, WidgetInfo, pos2, vec2,
};
use egui_plot::{AxisHints, GridInput, GridMark, Plot};

use crate::app::theme::{self, Tokens};
use crate::render::{RasterStyle, parse_number};

/// What an empty view says: a title, one or two sentences on what to do, and optionally a button. True when it was clicked.
pub fn empty(ui: &mut Ui, title: &str, text: &str, action: Option<&str>) -> bool {
    let tokens = theme::of(ui);
    let mut clicked = false;
    ui.vertical_centered(|ui| {
        ui.add_space((ui.available_height() * 0.28).min(160.0));
        ui.label(RichText::new(title).size(16.0).color(tokens.text));
        ui.add_space(2.0);
        ui.scope(|ui| {
            ui.set_max_width(420.0_f32.min(ui.available_width()));
            ui.label(RichText::new(text).color(tokens.weak));
        });
        if let Some(action) = action {
            ui.add_space(8.0);
            clicked = ui.add(primary(ui, action)).clicked();
        }
    });
    clicked
}

/// The button for the one thing most users want next.
pub fn primary<'a>(ui: &Ui, text: &str) -> egui::Button<'a> {
    let tokens = theme::of(ui);
    egui::Button::new(RichText::new(text).color(tokens.on_accent)).fill(tokens.accent).stroke(Stroke::NONE)
}

/// A heading inside a view.
pub fn section(ui: &mut Ui, title: &str) {
    let tokens = theme::of(ui);
    ui.add_space(2.0);
    ui.label(RichText::new(title).size(14.5).color(tokens.text).strong());
}

/// A raised box.
pub fn card<R>(ui: &mut Ui, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let tokens = theme::of(ui);
    egui::Frame::new()
        .fill(tokens.card)
        .stroke(Stroke::new(1.0, tokens.line))
        .corner_radius(CornerRadius::same(7))
        .inner_margin(egui::Margin::symmetric(12, 10))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            contents(ui)
        })
        .inner
}

/// A coloured square and the name of an area (never colour alone).
pub fn area_label(ui: &mut Ui, index: usize, name: &str) -> Response {
    let color = RasterStyle::of(ui).area(index);
    swatch_label(ui, color, name)
}

/// A coloured square and a name.
pub fn swatch_label(ui: &mut Ui, color: Color32, name: &str) -> Response {
    swatch(ui, color, name, Sense::hover())
}

/// The same to be pressed, by mouse or keyboard; `told` says to screen readers what pressing does.
pub fn area_button(ui: &mut Ui, index: usize, name: &str, on: bool, told: &str) -> Response {
    let tokens = theme::of(ui);
    // Sensed from the start: a label that is made to sense clicks afterwards loses the keyboard in every frame.
    let response = swatch(ui, RasterStyle::of(ui).area(index), name, Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, on, told));
    if response.has_focus() {
        ring(ui, response.rect.expand(3.0), tokens, true);
    }
    response
}

fn swatch(ui: &mut Ui, color: Color32, name: &str, sense: Sense) -> Response {
    marked(ui, name, TextStyle::Body, 10.0, sense, |ui, rect| {
        ui.painter().rect_filled(Rect::from_center_size(rect.center(), Vec2::splat(10.0)), 2.5, color);
    })
}

/// A short line and a name, as legends of line plots have it.
pub fn line_label(ui: &mut Ui, color: Color32, dashed: bool, name: &str) -> Response {
    marked(ui, name, TextStyle::Small, 20.0, Sense::hover(), |ui, rect| {
        let ends = [rect.left_center(), rect.right_center()];
        let stroke = Stroke::new(2.0, color);
        if dashed {
            ui.painter().extend(Shape::dashed_line(&ends, stroke, 5.0, 3.0));
        } else {
            ui.painter().line_segment(ends, stroke);
        }
    })
}

/// Names of areas and groups in legends are cut behind this many points: a dozen long ones would leave no room for the plot.
const LONGEST_NAME: f32 = 220.0;

/// A mark and a text in one piece, so that a wrapping row breaks between pieces and not inside them.
fn marked(ui: &mut Ui, name: &str, style: TextStyle, mark: f32, sense: Sense, paint: impl FnOnce(&Ui, Rect)) -> Response {
    let tokens = theme::of(ui);
    let font = style.resolve(ui.style());
    let longest = if style == TextStyle::Body { LONGEST_NAME } else { f32::INFINITY };
    let room = (ui.max_rect().width() - mark - 5.0).min(longest).max(20.0);
    let mut job = egui::text::LayoutJob::simple_singleline(name.to_owned(), font, tokens.text);
    job.wrap = egui::text::TextWrapping::truncate_at_width(room);
    let galley = ui.painter().layout_job(job);
    let cut = galley.elided;
    let size = vec2(mark + 5.0 + galley.size().x, galley.size().y.max(12.0));
    let (rect, response) = ui.allocate_exact_size(size, sense);
    paint(ui, Rect::from_min_size(rect.min, vec2(mark, rect.height())));
    ui.painter().galley(pos2(rect.left() + mark + 5.0, rect.center().y - galley.size().y / 2.0), galley, tokens.text);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, name));
    if cut { response.on_hover_text(name) } else { response }
}

/// Text in a column of fixed width, at its left.
pub fn left_text(ui: &mut Ui, width: f32, text: RichText) -> Response {
    let size = vec2(width, ui.spacing().interact_size.y.min(20.0));
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        ui.set_width(width);
        ui.add(egui::Label::new(text).truncate())
    })
    .inner
}

/// A row of small buttons of which one is on. True when the choice changed.
pub fn segmented<T: PartialEq + Copy>(ui: &mut Ui, value: &mut T, choices: &[(T, &str, &str)]) -> bool {
    let mut buttons = |ui: &mut Ui| {
        let mut changed = false;
        for (choice, name, help) in choices {
            let response = ui.selectable_label(value == choice, *name).on_hover_text(*help);
            if response.clicked() && value != choice {
                *value = *choice;
                changed = true;
            }
        }
        changed
    };
    // In a row that wraps the buttons wrap with the rest of it.
    if ui.layout().main_wrap() {
        return buttons(ui);
    }
    let row = ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        buttons(ui)
    });
    row.inner
}

/// Text before a field of `field` points in a row that may wrap: as high as the field, so that both stand on one line, and in
/// the same row as the field.
pub fn caption(ui: &mut Ui, text: &str, field: f32) -> Response {
    let font = TextStyle::Body.resolve(ui.style());
    let width = ui.painter().layout_no_wrap(text.to_owned(), font, ui.visuals().text_color()).size().x;
    if ui.layout().main_wrap() && ui.available_size_before_wrap().x < width + ui.spacing().item_spacing.x + field {
        ui.end_row();
    }
    ui.add_sized(vec2(width, ui.spacing().interact_size.y), egui::Label::new(text))
}

/// A drop-down that takes the available width (at most `width`), named for screen readers and tests as `name: value`.
pub fn combo(ui: &mut Ui, id: &str, name: &str, value: &str, width: f32, choices: impl FnOnce(&mut Ui)) {
    let shown = egui::ComboBox::from_id_salt(id)
        .selected_text(value.to_owned())
        .truncate()
        .width(ui.available_width().min(width))
        .show_ui(ui, choices);
    let response = closed_by_key(ui, shown);
    response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, format!("{name}: {value}")));
}

/// A choice made with Enter or Space closes its drop-down, as a click does, and gives the keyboard back to it.
pub fn closed_by_key<R>(ui: &Ui, shown: egui::InnerResponse<Option<R>>) -> Response {
    let pressed = ui.input(|i| i.key_pressed(egui::Key::Enter) || i.key_pressed(egui::Key::Space));
    if shown.inner.is_some() && pressed && !shown.response.has_focus() {
        egui::Popup::close_all(ui.ctx());
        shown.response.request_focus();
    }
    shown.response
}

/// Give a custom-drawn figure a name for screen readers and tests: a sentence with its main numbers.
pub fn describe(response: &Response, text: impl Into<String>) {
    let text = text.into();
    response.widget_info(|| WidgetInfo::labeled(Role::Figure, true, text.clone()));
}

/// Height that [`y_title`] takes.
pub const Y_TITLE: f32 = 20.0;

/// What the vertical axis shows, above the plot: upright text beside a small plot would be cut off.
pub fn y_title(ui: &mut Ui, text: &str) {
    let tokens = theme::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), Y_TITLE - ui.spacing().item_spacing.y), Sense::hover());
    text_in(ui, rect, Align2::LEFT_CENTER, text, 11.5, tokens.weak);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
}

/// A plot with our colours and round ticks. Its vertical axis is named by [`y_title`].
pub fn plot<'a>(ui: &Ui, id: &str, x_label: &str) -> Plot<'a> {
    let tokens = theme::of(ui);
    let axis = |hints: AxisHints<'a>| {
        hints.tick_label_color(tokens.weak).tick_label_font(FontId::proportional(11.0)).formatter(|mark, _| tick(mark))
    };
    let x =
        axis(AxisHints::new_x()).label(RichText::new(x_label.to_owned()).small().color(tokens.weak)).label_spacing(Rangef::new(24.0, 30.0));
    let y = axis(AxisHints::new_y()).label_spacing(Rangef::new(13.0, 16.0)).min_thickness(26.0);
    Plot::new(id.to_owned())
        .show_background(false)
        .grid_color(tokens.grid)
        .grid_fade(0.0)
        .x_grid_spacer(|input| round_marks(&input, 7.0))
        .y_grid_spacer(|input| round_marks(&input, 3.4))
        .custom_x_axes(vec![x])
        .custom_y_axes(vec![y])
        .set_margin_fraction(vec2(0.02, 0.08))
        .allow_scroll(false)
        .cursor_color(tokens.weak)
        .min_size(vec2(60.0, 40.0))
}

/// Marks at multiples of 1, 2 or 5 times a power of ten, at least `least` times the finest step apart (8 points).
fn round_marks(input: &GridInput, least: f64) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    let wanted = input.base_step_size * least;
    if !(wanted.is_finite() && wanted > 0.0 && low.is_finite() && high.is_finite()) {
        return Vec::new();
    }
    let unit = 10f64.powf(wanted.log10().floor());
    let ends = |step: f64| ((low / step).ceil() as i64, (high / step).floor() as i64);
    let steps = [0.5, 1.0, 2.0, 5.0, 10.0].map(|m| m * unit);
    let enough = steps.iter().position(|step| *step >= wanted).unwrap_or(steps.len() - 1);
    // One mark says nothing about the scale; the next finer step is still wide enough to be read.
    let (first, last) = steps.get(enough).copied().map(ends).unwrap_or_default();
    let place = if last <= first { enough.saturating_sub(1) } else { enough };
    let step_size = steps.get(place).copied().unwrap_or(unit);
    let (first, last) = ends(step_size);
    (first..=last.min(first.saturating_add(200))).map(|k| GridMark { value: k as f64 * step_size, step_size }).collect()
}

/// A tick in as many digits as its step needs.
fn tick(mark: GridMark) -> String {
    let decimals = (-(mark.step_size.abs().log10() + 1e-9).floor()).clamp(0.0, 9.0) as usize;
    if mark.value.abs() >= 1e6 || decimals > 6 {
        return number(mark.value, 3);
    }
    let text = format!("{:.*}", decimals, mark.value.abs());
    if mark.value < 0.0 && text.chars().any(|c| ('1'..='9').contains(&c)) { format!("−{text}") } else { text }
}

/// A number for people: up to `digits` significant digits, `-` as a true minus.
pub fn number(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor() as i32;
    let text = if (-4..7).contains(&magnitude) {
        let decimals = (digits as i32 - 1 - magnitude).max(0) as usize;
        let text = format!("{:.*}", decimals, value.abs());
        match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        }
    } else {
        format!("{:.*e}", digits.saturating_sub(1), value.abs())
    };
    if value < 0.0 { format!("−{text}") } else { text }
}

/// A count with thin groups: 12 345 678.
pub fn count(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

/// A size in memory.
pub fn bytes(value: u64) -> String {
    match value {
        0..1_000 => format!("{value} B"),
        1_000..1_000_000 => format!("{} kB", number(value as f64 / 1e3, 3)),
        1_000_000..1_000_000_000 => format!("{} MB", number(value as f64 / 1e6, 3)),
        _ => format!("{} GB", number(value as f64 / 1e9, 3)),
    }
}

/// A duration: `0.8 s`, `42 s`, `3 min 20 s`, `2 h 05 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "–".to_owned();
    }
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Smallest and largest finite value.
pub fn range(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().filter(|v| v.is_finite()).fold(None, |range, v| match range {
        None => Some((v, v)),
        Some((low, high)) => Some((f64::min(low, v), f64::max(high, v))),
    })
}

/// A colour scale with its range written at both ends.
pub fn color_bar(ui: &mut Ui, low: &str, high: &str, title: &str, color: impl Fn(f64) -> Color32) {
    let tokens = theme::of(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        ui.label(RichText::new(title).small().color(tokens.weak));
        ui.label(RichText::new(low).small());
        let (rect, response) = ui.allocate_exact_size(vec2(110.0_f32.min(ui.available_width().max(30.0)), 10.0), Sense::hover());
        let steps = 48;
        for i in 0..steps {
            let (a, b) = (i as f32 / steps as f32, (i + 1) as f32 / steps as f32);
            let part = Rect::from_min_max(
                pos2(rect.left() + rect.width() * a, rect.top()),
                pos2(rect.left() + rect.width() * b + 0.5, rect.bottom()),
            );
            ui.painter().rect_filled(part, 0.0, color((f64::from(a) + f64::from(b)) / 2.0));
        }
        ui.painter().rect_stroke(rect, 2.0, Stroke::new(1.0, tokens.line), StrokeKind::Outside);
        describe(&response, format!("Colour scale: {title} from {low} to {high}"));
        ui.label(RichText::new(high).small());
    });
}

/// A curve in a small multiple: points in data coordinates.
pub struct Curve {
    /// Points, ascending in x.
    pub points: Vec<[f64; 2]>,
    /// Colour.
    pub color: Color32,
    /// Dashed (truth, references).
    pub dashed: bool,
}

/// Draw curves into `rect` on common axes: a zero line and the curves, nothing else. The caller draws labels.
pub fn small_plot(ui: &Ui, rect: Rect, x: (f64, f64), y: (f64, f64), curves: &[Curve], tokens: &Tokens) {
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    let place = |p: [f64; 2]| to_screen(rect, x, y, p);
    if y.0 < 0.0 && y.1 > 0.0 {
        painter.line_segment([place([x.0, 0.0]), place([x.1, 0.0])], Stroke::new(1.0, tokens.line));
    }
    for curve in curves {
        let points: Vec<Pos2> = curve.points.iter().filter(|p| p[1].is_finite()).map(|&p| place(p)).collect();
        let stroke = Stroke::new(if curve.dashed { 1.4 } else { 1.8 }, curve.color);
        if curve.dashed {
            painter.extend(Shape::dashed_line(&points, stroke, 4.0, 3.0));
        } else {
            painter.add(Shape::line(points, stroke));
        }
    }
}

fn to_screen(rect: Rect, x: (f64, f64), y: (f64, f64), p: [f64; 2]) -> Pos2 {
    let share = |value: f64, (low, high): (f64, f64)| if high > low { ((value - low) / (high - low)) as f32 } else { 0.5 };
    pos2(rect.left() + rect.width() * share(p[0], x), rect.bottom() - rect.height() * share(p[1], y))
}

/// Text inside `rect`, shortened with "…" to fit.
pub fn text_in(ui: &Ui, rect: Rect, align: Align2, text: &str, size: f32, color: Color32) {
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), FontId::proportional(size), color);
    job.wrap = egui::text::TextWrapping::truncate_at_width(rect.width().max(0.0));
    let galley = ui.painter().layout_job(job);
    let place = align.align_size_within_rect(galley.size(), rect);
    ui.painter().with_clip_rect(rect.expand(1.0).intersect(ui.clip_rect())).galley(place.min, galley, color);
}

/// A ring around a focused or selected cell.
pub fn ring(ui: &Ui, rect: Rect, tokens: &Tokens, strong: bool) {
    let stroke = if strong { Stroke::new(2.0, tokens.accent) } else { Stroke::new(1.0, tokens.line) };
    ui.painter().rect_stroke(rect, 5.0, stroke, StrokeKind::Inside);
}

/// One line of small, secondary text that may wrap.
pub fn note(ui: &mut Ui, text: impl Into<String>) {
    let tokens = theme::of(ui);
    ui.label(RichText::new(text.into()).small().color(tokens.weak));
}

/// A name on the left and its value on the right of the available width.
pub fn fact(ui: &mut Ui, name: &str, value: &str) {
    let tokens = theme::of(ui);
    ui.horizontal(|ui| {
        ui.label(RichText::new(name).color(tokens.weak));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.label(value));
    });
}

/// A thin bar from 0 to 1 with a name for screen readers.
pub fn bar(ui: &mut Ui, fraction: f32, width: f32, color: Color32, name: &str) {
    let tokens = theme::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(width.max(10.0), 6.0), Sense::hover());
    ui.painter().rect_filled(rect, 3.0, tokens.muted);
    let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
    let filled = Rect::from_min_size(rect.min, vec2(rect.width() * fraction, rect.height()));
    ui.painter().rect_filled(filled, 3.0, color);
    let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, name);
    info.value = Some(f64::from(fraction * 100.0).floor());
    response.widget_info(|| info.clone());
}

/// `n` panels of equal size, as square as the space allows and at least `least` points high; scrolls when there are more.
pub fn grid(ui: &mut Ui, id: &str, n: usize, least: f32, mut panel: impl FnMut(&mut Ui, usize, Vec2)) {
    let n = n.max(1);
    let (size, gap) = (ui.available_size(), ui.spacing().item_spacing);
    let columns = ((n as f32 * size.x / size.y.max(1.0)).sqrt().round() as usize).clamp(1, n);
    let rows = n.div_ceil(columns);
    let share = |whole: f32, gap: f32, parts: usize| (whole - gap * (parts - 1) as f32) / parts as f32;
    let cell = vec2(share(size.x, gap.x, columns).max(20.0), share(size.y, gap.y, rows).max(least));
    egui::ScrollArea::vertical().id_salt(id).auto_shrink(false).show(ui, |ui| {
        for row in 0..rows {
            ui.horizontal_top(|ui| {
                for index in (row * columns)..((row + 1) * columns).min(n) {
                    ui.allocate_ui(cell, |ui| ui.vertical(|ui| panel(ui, index, cell)));
                }
            });
        }
    });
}

/// A number with its unit, as a field that can be dragged and typed into, with its name before it. True when it changed.
pub fn amount(ui: &mut Ui, name: &str, value: &mut f64, range: std::ops::RangeInclusive<f64>, unit: &str, speed: f64) -> bool {
    let label = caption(ui, name, 76.0);
    let field = egui::DragValue::new(value)
        .range(range)
        .speed(speed)
        .max_decimals(4)
        .custom_parser(parse_number)
        .suffix(if unit.is_empty() { String::new() } else { format!(" {unit}") });
    ui.add(field).labelled_by(label.id).changed()
}

/// Height of one line of small text.
pub fn small_height(ui: &Ui) -> f32 {
    ui.text_style_height(&TextStyle::Small)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(number(0.0, 3), "0");
        assert_eq!(number(1.0, 3), "1");
        assert_eq!(number(-0.012_345, 3), "−0.0123");
        assert_eq!(number(1234.4, 3), "1234");
        assert_eq!(number(1e-5, 2), "1.0e-5");
        assert_eq!(number(f64::NAN, 3), "–");
        assert_eq!(count(1_234_567), "1\u{a0}234\u{a0}567");
        assert_eq!(bytes(12_500_000), "12.5 MB");
        assert_eq!((duration(0.84), duration(200.0), duration(7500.0)), ("0.8 s".into(), "3 min 20 s".into(), "2 h 05 min".into()));
    }

    #[test]
    fn marks_are_round_and_ticks_have_the_digits_they_need() {
        let input = GridInput { bounds: (-0.31, 0.52), base_step_size: 0.013 };
        let marks = round_marks(&input, 7.0);
        let ticks: Vec<String> = marks.into_iter().map(tick).collect();
        assert_eq!(ticks, ["−0.3", "−0.2", "−0.1", "0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]);
        let values =
            |low, high, wanted| round_marks(&GridInput { bounds: (low, high), base_step_size: wanted }, 1.0).into_iter().map(|m| m.value);
        assert!(values(-0.15, 0.48, 0.23).eq([0.0, 0.2, 0.4]), "a small plot has two marks at least");
        assert!(values(0.6, 20.9, 11.0).eq([10.0, 20.0]));
        assert!(round_marks(&GridInput { bounds: (0.0, f64::NAN), base_step_size: 1.0 }, 7.0).is_empty());
        assert_eq!(tick(GridMark { value: 400.0, step_size: 200.0 }), "400");
    }

    #[test]
    fn ranges_ignore_what_is_not_a_number() {
        assert_eq!(range([2.0, f64::NAN, -1.0]), Some((-1.0, 2.0)));
        assert_eq!(range([f64::NAN]), None);
    }

    #[test]
    fn a_flat_range_is_drawn_in_the_middle() {
        let rect = Rect::from_min_size(Pos2::ZERO, vec2(10.0, 10.0));
        assert_eq!(to_screen(rect, (1.0, 1.0), (0.0, 1.0), [1.0, 1.0]), pos2(5.0, 0.0));
    }
}
