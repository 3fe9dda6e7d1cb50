//! The figure: contribution in percent by method and shared background.

use eframe::egui::{Color32, FontId, RichText, Ui};
use egui_plot::{AxisHints, GridMark, HoverPosition, Line, MarkerShape, PlotPoints, Points};

use super::METHODS;
use crate::app::theme;
use crate::render::RasterStyle;
use crate::training::shared_background::{Cell, Method, mean_and_error};
use crate::views::widgets;

/// Shares of common background that are shown.
const RHOS: [f64; 3] = [0.0, 0.2, 0.4];
/// Distance of two groups; methods of a group are 1 apart.
const GROUP: f64 = 8.0;

fn color(ui: &Ui, method: Method) -> Color32 {
    let place = METHODS.iter().position(|m| *m == method).unwrap_or(0);
    RasterStyle::of(ui).area(place)
}

/// What colours and marks mean.
pub(super) fn legend(ui: &mut Ui) {
    ui.horizontal_wrapped(|ui| {
        for method in METHODS {
            widgets::swatch_label(ui, color(ui, method), method.title());
        }
    });
    widgets::note(ui, "●  one simulation   —  mean   ◇  published");
}

/// Where a method stands in the group of a share of background.
fn place(method: Method, rho: f64) -> Option<f64> {
    let group = RHOS.iter().position(|r| (r - rho).abs() < 1e-9)?;
    let within = METHODS.iter().position(|m| *m == method)?;
    Some(GROUP * group as f64 + within as f64)
}

fn middle(group: usize) -> f64 {
    GROUP * group as f64 + (METHODS.len() - 1) as f64 / 2.0
}

pub(super) fn figure(ui: &mut Ui, cells: &[&Cell], value: fn(&Cell) -> f64) {
    let tokens = theme::of(ui);
    let percents = |method: Method, rho: f64| -> Vec<f64> {
        cells.iter().filter(|c| c.method == method && (c.rho - rho).abs() < 1e-9).map(|c| value(c)).filter(|v| v.is_finite()).collect()
    };
    widgets::y_title(ui, "Contribution of coupling (% of rate variance)");
    let axis = AxisHints::new_x()
        .tick_label_color(tokens.weak)
        .tick_label_font(FontId::proportional(11.5))
        .label(RichText::new("Share ρ of slow background that both areas have in common").small().color(tokens.weak))
        .formatter(|mark, _| {
            let group = (0..RHOS.len()).find(|g| (middle(*g) - mark.value).abs() < 1e-6);
            group.map_or_else(String::new, |g| format!("ρ = {} (correlation {:.2})", RHOS[g], RHOS[g].sqrt()))
        });
    let colors = METHODS.map(|method| color(ui, method));
    let response = widgets::plot(ui, "shared background", "")
        .height((ui.available_height() - 12.0).max(120.0))
        .custom_x_axes(vec![axis])
        .x_grid_spacer(|_| (0..RHOS.len()).map(|g| GridMark { value: middle(g), step_size: GROUP }).collect())
        .include_x(-1.2)
        .include_x(middle(RHOS.len() - 1) + METHODS.len() as f64 / 2.0 + 0.7)
        .include_y(0.0)
        .include_y(10.0)
        .allow_drag(false)
        .allow_zoom(false)
        .label_formatter(|at| hover(at, "%"))
        .show(ui, |plot| {
            plot.hline(egui_plot::HLine::new("", 0.0).color(tokens.line).width(1.0).allow_hover(false));
            for (method, color) in METHODS.into_iter().zip(colors) {
                for rho in RHOS {
                    let Some(x) = place(method, rho) else { continue };
                    let values = percents(method, rho);
                    if let Some((mean, _)) = mean_and_error(&values) {
                        let bar = Line::new(format!("Mean, {}", method.title()), PlotPoints::new(vec![[x - 0.36, mean], [x + 0.36, mean]]));
                        plot.line(bar.color(color).width(2.5));
                    }
                    // Side by side as far as there is room.
                    let step = 0.36 / values.len().max(1) as f64;
                    let first = x - 0.5 * step * (values.len().max(1) - 1) as f64;
                    let dots: Vec<[f64; 2]> = values.iter().enumerate().map(|(k, v)| [first + step * k as f64, *v]).collect();
                    plot.points(Points::new(method.title(), PlotPoints::new(dots)).color(color).radius(3.2));
                    if let Some((mean, error)) = method.published(rho) {
                        let at = x + 0.3;
                        let name = format!("Published, {}", method.title());
                        let bar = Line::new(name.clone(), PlotPoints::new(vec![[at, mean - error], [at, mean + error]]));
                        plot.line(bar.color(color.gamma_multiply(0.7)).width(1.2).allow_hover(false));
                        let mark = Points::new(name, PlotPoints::new(vec![[at, mean]])).shape(MarkerShape::Diamond).filled(false);
                        plot.points(mark.color(color).radius(4.6));
                    }
                }
            }
        })
        .response;
    widgets::describe(&response, words(cells, value));
}

/// What is under the pointer, in `unit`.
fn hover(at: &HoverPosition<'_>, unit: &str) -> Option<String> {
    let HoverPosition::NearDataPoint { plot_name, position, .. } = at else { return None };
    let group = RHOS.get((position.x / GROUP + 0.1).floor().max(0.0) as usize)?;
    Some(format!("{plot_name}\nρ = {group}: {} {unit}", widgets::number(position.y, 3)))
}

/// The figure in words.
fn words(cells: &[&Cell], value: fn(&Cell) -> f64) -> String {
    let mut parts = Vec::new();
    for method in METHODS {
        for rho in RHOS {
            let values: Vec<f64> = cells.iter().filter(|c| c.method == method && (c.rho - rho).abs() < 1e-9).map(|c| value(c)).collect();
            if let Some((mean, _)) = mean_and_error(&values) {
                parts.push(format!("{} at rho {rho}: {} % in {} simulations", method.title(), widgets::number(mean, 3), values.len()));
            }
        }
    }
    match parts.is_empty() {
        true => "False coupling by method, published values only; nothing is fitted yet".to_owned(),
        false => format!("False coupling by method. {}", parts.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_do_not_overlap_and_hovering_names_them() {
        let places: Vec<f64> = RHOS.into_iter().flat_map(|rho| METHODS.map(|m| place(m, rho).unwrap())).collect();
        assert!(places.windows(2).all(|w| w[1] - w[0] >= 1.0));
        assert_eq!(place(Method::Glm, 0.3), None);
        for (group, rho) in RHOS.into_iter().enumerate() {
            for method in METHODS {
                let x = place(method, rho).unwrap() + 0.3;
                assert_eq!((x / GROUP + 0.1).floor() as usize, group, "{method:?}");
            }
        }
    }
}
