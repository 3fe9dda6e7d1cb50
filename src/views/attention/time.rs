//! Attention between time bins, with the band of bins that each one may draw on.

use eframe::egui::{self, Align2, FontId, Rect, Sense, Shape, Stroke, Ui, UiBuilder, pos2, vec2};

use super::super::widgets;
use super::Map;
use crate::app::theme;
use crate::render::RasterStyle;
use crate::render::axis::nice_step;
use crate::render::heatmap::{HeatScale, Heatmap, Matrix, colour_bar};
use crate::training::{Snapshot, StndtSnapshot};

/// Left of and below the map, for numbers and titles.
const MARGIN: f32 = 52.0;
const FOOT: f32 = 36.0;

/// Bins that a bin may draw on, in words.
fn band(context: (Option<usize>, Option<usize>), bin_s: f64) -> String {
    let ms = |bins: usize| widgets::number(bins as f64 * bin_s * 1e3, 3);
    match context {
        (None, None) => "every bin may draw on all others".to_owned(),
        (Some(back), None) => format!("a bin draws on {} ms before it and on all later ones", ms(back)),
        (None, Some(ahead)) => format!("a bin draws on all earlier ones and on {} ms after it", ms(ahead)),
        (Some(back), Some(ahead)) => format!("a bin draws on {} ms before and {} ms after it (outlined)", ms(back), ms(ahead)),
    }
}

pub fn show(ui: &mut Ui, picture: &mut Heatmap, map: &Map, snapshot: &Snapshot, stndt: &StndtSnapshot, of: &str) {
    let (tokens, style) = (theme::of(ui), RasterStyle::of(ui));
    let scale = HeatScale::Sequential { low: 0.0, high: map.high };
    ui.horizontal_wrapped(|ui| {
        colour_bar(ui, scale, "share of attention", &style);
        widgets::note(ui, format!("{of}; {}", band(stndt.context, snapshot.bin_s)));
    });
    widgets::y_title(ui, "Time of the bin that draws (ms)");
    let n = map.values.nrows().max(1);
    let size = ui.available_size();
    let side = (size.x - MARGIN - 12.0).min(size.y - FOOT - 6.0).max(60.0);
    let (whole, _) = ui.allocate_exact_size(vec2(MARGIN + side, FOOT + side), Sense::hover());
    let rect = Rect::from_min_size(whole.min + vec2(MARGIN, 2.0), vec2(side, side));
    let response = ui.interact(rect, ui.scope_id().with("attention over time"), Sense::hover());
    let mut inside = ui.new_child(UiBuilder::new().max_rect(rect));
    inside.set_clip_rect(rect.intersect(ui.clip_rect()));
    let flat: Vec<f32> = map.values.iter().copied().collect();
    picture.show(&inside, rect, map.version, Matrix { values: &flat, rows: n, columns: n }, scale, &style);
    let at = |bin: f64| (bin / n as f64) as f32 * side;
    let edge = |shift: f64| {
        // Cells of one diagonal: the line through their corners.
        [pos2(rect.left() + at(shift), rect.top()), pos2(rect.left() + at(shift + n as f64), rect.bottom())]
    };
    // Lines lie on the dark end of the colour map in both themes.
    let ink = tokens.text_on(tokens.sequential(0.0));
    for shift in [stndt.context.0.map(|b| -(b as f64)), stndt.context.1.map(|b| b as f64 + 1.0)].into_iter().flatten() {
        inside.painter().line_segment(edge(shift), Stroke::new(1.6, ink));
    }
    if stndt.observed_bins < n {
        let hidden = at(stndt.observed_bins as f64);
        let (x, y, thin) = (rect.left() + hidden, rect.top() + hidden, Stroke::new(1.0, ink));
        inside.painter().extend(Shape::dashed_line(&[pos2(x, rect.top()), pos2(x, rect.bottom())], thin, 4.0, 4.0));
        inside.painter().extend(Shape::dashed_line(&[pos2(rect.left(), y), pos2(rect.right(), y)], thin, 4.0, 4.0));
    }
    ui.painter().rect_stroke(rect, 0.0, Stroke::new(1.0, tokens.line), egui::StrokeKind::Outside);
    let ms = n as f64 * snapshot.bin_s * 1e3;
    let step = nice_step(ms / f64::from((side / 70.0).max(1.0)));
    for k in 0..=((ms / step + 1e-9) as usize).min(100) {
        let place = at(k as f64 * step / (snapshot.bin_s * 1e3));
        let (text, font) = (widgets::number(k as f64 * step, 4), FontId::proportional(11.0));
        let below = pos2(rect.left() + place, rect.bottom() + 4.0);
        ui.painter().text(below, Align2::CENTER_TOP, &text, font.clone(), tokens.weak);
        ui.painter().text(pos2(rect.left() - 5.0, rect.top() + place), Align2::RIGHT_CENTER, &text, font, tokens.weak);
    }
    let title = pos2(rect.center().x, rect.bottom() + FOOT - 2.0);
    ui.painter().text(title, Align2::CENTER_BOTTOM, "Time of the bin that it draws on (ms)", FontId::proportional(11.5), tokens.weak);
    let words = band(stndt.context, snapshot.bin_s);
    widgets::describe(&response, format!("Attention between {n} time bins in layer {}, {of}; {words}", map.key.2 + 1));
    let Some(pointer) = response.hover_pos() else { return };
    let cell = |value: f32, low: f32| (((value - low) / side * n as f32).max(0.0) as usize).min(n - 1);
    let (row, column) = (cell(pointer.y, rect.top()), cell(pointer.x, rect.left()));
    let time = |bin: usize| widgets::number((bin as f64 + 0.5) * snapshot.bin_s * 1e3, 4);
    let value = map.values.get((row, column)).copied().unwrap_or(f32::NAN);
    egui::Tooltip::for_widget(&response).at_pointer().show(|ui| {
        ui.strong(format!("The bin at {} ms draws on the one at {} ms", time(row), time(column)));
        ui.label(format!("share {}", widgets::number(f64::from(value), 3)));
        if row >= stndt.observed_bins {
            ui.label("predicted forward: the network does not see its spikes");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_is_told_in_milliseconds() {
        assert_eq!(band((Some(3), Some(30)), 0.005), "a bin draws on 15 ms before and 150 ms after it (outlined)");
        assert_eq!(band((None, None), 0.005), "every bin may draw on all others");
        assert!(band((None, Some(2)), 0.01).contains("all earlier"));
    }
}
