//! Connections between units: one matrix per run that has them, and how well they agree.

use eframe::egui::{self, Ui};
use ndarray::Array2;

use super::{color, letter, tables};
use crate::app::theme;
use crate::render::heatmap::{HeatScale, Heatmap};
use crate::runs::comparison::{Comparison, UnitMatrix};
use crate::views::area_matrix::{self, Block};
use crate::views::widgets;

/// Pictures of the matrices, kept between frames.
#[derive(Default)]
pub struct Units {
    /// Of which comparison.
    of: Option<usize>,
    version: u64,
    pictures: Vec<Heatmap>,
    values: Vec<Option<(Array2<f32>, HeatScale)>>,
}

impl Units {
    /// The page.
    pub fn ui(&mut self, ui: &mut Ui, comparison: &Comparison) {
        let tokens = theme::of(ui);
        let known = comparison.units.iter().filter(|matrix| matrix.is_ok()).count();
        if known == 0 {
            let reasons: Vec<String> =
                comparison.units.iter().enumerate().filter_map(|(at, m)| Some(format!("{}: {}", letter(at), m.as_ref().err()?))).collect();
            widgets::empty(ui, "None of these runs has connections between units", &reasons.join("\n"), None);
            return;
        }
        self.follow(comparison);
        let side = ((ui.available_width() - 12.0 * known as f32) / known as f32 - area_matrix::GUTTER).clamp(120.0, 330.0);
        egui::ScrollArea::both().id_salt("compared units").auto_shrink(false).show(ui, |ui| {
            ui.horizontal_top(|ui| {
                for (at, matrix) in comparison.units.iter().enumerate() {
                    let (Ok(matrix), Some(Some((values, scale))), Some(picture)) = (matrix, self.values.get(at), self.pictures.get_mut(at))
                    else {
                        continue;
                    };
                    ui.vertical(|ui| {
                        widgets::swatch_label(ui, color(tokens, at), &format!("{}  {}", letter(at), matrix.quantity));
                        let blocks = blocks(comparison, at);
                        let id = format!("units of {}", letter(at));
                        let drawn = area_matrix::show(ui, &id, picture, self.version, values, &blocks, *scale, side, None);
                        widgets::describe(&drawn.response, words(comparison, at, matrix));
                        if let Some((row, column)) = drawn.at {
                            let unit = |place: usize| matrix.units.get(place).map_or(0, |unit| unit + 1);
                            let value = matrix.values.get((row, column)).copied().unwrap_or(f64::NAN);
                            let text = format!(
                                "unit {} → unit {} (place in the recording): {}",
                                unit(column),
                                unit(row),
                                widgets::number(value, 3)
                            );
                            drawn.response.on_hover_text_at_pointer(text);
                        }
                        let (low, high) = scale.range();
                        widgets::note(
                            ui,
                            format!(
                                "{} to {}, columns send, rows receive",
                                widgets::number(low.into(), 2),
                                widgets::number(high.into(), 2)
                            ),
                        );
                    });
                }
            });
            for (at, matrix) in comparison.units.iter().enumerate() {
                if let Err(why) = matrix {
                    widgets::note(ui, format!("{}: {why}", letter(at)));
                }
            }
            ui.add_space(4.0);
            widgets::section(ui, "Agreement between different units");
            tables::agreement(ui, "units", &comparison.units_agree);
        });
    }

    fn follow(&mut self, comparison: &Comparison) {
        let of = Some(std::ptr::from_ref(comparison) as usize);
        if self.of == of {
            return;
        }
        let scaled = |matrix: &UnitMatrix| {
            let values = matrix.values.mapv(|v| v as f32);
            let flat: Vec<f32> = values.iter().copied().collect();
            let scale = if matrix.signed { HeatScale::diverging_of(&flat) } else { HeatScale::sequential_of(&flat) };
            (values, scale)
        };
        self.values = comparison.units.iter().map(|matrix| matrix.as_ref().ok().map(scaled)).collect();
        self.pictures = comparison.units.iter().map(|_| Heatmap::default()).collect();
        (self.of, self.version) = (of, self.version + 1);
    }
}

/// Rows of every area of a run.
fn blocks(comparison: &Comparison, at: usize) -> Vec<Block> {
    let Some(snapshot) = comparison.runs.get(at).and_then(|run| run.snapshot()) else { return Vec::new() };
    let sizes = snapshot.areas.iter().zip(&snapshot.area_sizes).enumerate();
    sizes.map(|(area, (name, size))| Block { area, name: name.clone(), size: *size }).collect()
}

fn words(comparison: &Comparison, at: usize, matrix: &UnitMatrix) -> String {
    let name = comparison.runs.get(at).map(|run| run.entry.name()).unwrap_or_default();
    format!("{name}: {} between {} units, columns send, rows receive", matrix.quantity, matrix.units.len())
}
