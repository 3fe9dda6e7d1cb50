//! Matrices as textures: values → colour map → one egui texture, uploaded again only when the version changes.
//!
//! egui_plot's own heat map makes a rectangle per cell; a texture costs the same for 4 cells and for 4 million.

use std::sync::Arc;

use eframe::egui::{self, Color32, ColorImage, Rect, TextureHandle, TextureOptions, Vec2};

use super::RasterStyle;

/// Which values get which colours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HeatScale {
    /// Viridis from `low` to `high`: counts, rates, shares.
    Sequential {
        /// Value of the first colour.
        low: f32,
        /// Value of the last colour.
        high: f32,
    },
    /// Diverging, centred on zero, from `-limit` to `limit`: couplings, attention.
    Diverging {
        /// Largest value shown.
        limit: f32,
    },
}

impl HeatScale {
    /// From 0 (or the smallest value, if negative) to the largest finite value.
    pub fn sequential_of(values: &[f32]) -> Self {
        let finite = || values.iter().copied().filter(|v| v.is_finite());
        let (low, high) = (finite().fold(0.0, f32::min), finite().fold(f32::MIN, f32::max));
        Self::Sequential { low, high: if high > low { high } else { low + 1.0 } }
    }

    /// Symmetric about zero, up to the largest finite magnitude.
    pub fn diverging_of(values: &[f32]) -> Self {
        let limit = values.iter().copied().filter(|v| v.is_finite()).fold(0.0, |m: f32, v| m.max(v.abs()));
        Self::Diverging { limit: if limit > 0.0 { limit } else { 1.0 } }
    }

    /// Smallest and largest value shown.
    pub fn range(&self) -> (f32, f32) {
        match *self {
            Self::Sequential { low, high } => (low, high),
            Self::Diverging { limit } => (-limit, limit),
        }
    }

    /// Colour of a value; missing values (NaN) have a colour of their own.
    pub fn color(&self, value: f32, style: &RasterStyle) -> Color32 {
        if value.is_nan() {
            return style.missing;
        }
        match *self {
            Self::Sequential { low, high } => style.sequential(f64::from((value - low) / (high - low))),
            Self::Diverging { limit } => style.diverging(f64::from(value / limit)),
        }
    }
}

/// A matrix, row after row from the top.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// Values, `rows * columns` of them; NaN is missing.
    pub values: &'a [f32],
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

/// The colours of a matrix, one texel per cell; where a side exceeds `most`, equal blocks of cells are averaged.
/// The second value is the side of such a block (1 = every cell is shown).
pub fn heat_image(matrix: Matrix<'_>, scale: HeatScale, style: &RasterStyle, most: usize) -> (ColorImage, usize) {
    let block = matrix.rows.max(matrix.columns).div_ceil(most.max(1)).max(1);
    let size = [matrix.columns.div_ceil(block).max(1), matrix.rows.div_ceil(block).max(1)];
    // A table of colours: evaluating the map for every cell would cost more than everything else.
    let (low, high) = scale.range();
    let table: Vec<Color32> = (0..=255).map(|k| scale.color(low + (high - low) * k as f32 / 255.0, style)).collect();
    let color = |value: f32| match value.is_nan() {
        true => style.missing,
        false => table.get(((value - low) / (high - low) * 255.0).round().clamp(0.0, 255.0) as usize).copied().unwrap_or(style.missing),
    };
    let cell =
        |row: usize, column: usize| (column < matrix.columns).then(|| matrix.values.get(row * matrix.columns + column).copied()).flatten();
    let pixels = (0..size[1]).flat_map(|r| (0..size[0]).map(move |c| (r, c))).map(|(r, c)| {
        if block == 1 {
            return color(cell(r, c).unwrap_or(f32::NAN));
        }
        let cells = (r * block..(r + 1) * block).flat_map(|row| (c * block..(c + 1) * block).map(move |column| (row, column)));
        let (sum, n) =
            cells.filter_map(|(row, column)| cell(row, column)).filter(|v| !v.is_nan()).fold((0.0, 0), |(s, n), v| (s + v, n + 1));
        color(if n == 0 { f32::NAN } else { sum / n as f32 })
    });
    (ColorImage::new(size, pixels.collect()), block)
}

/// A heat map that a view keeps between frames.
#[derive(Default)]
pub struct Heatmap {
    texture: Option<TextureHandle>,
    shown: Option<(u64, HeatScale, bool)>,
    block: usize,
    ready: Option<(u64, HeatScale, bool, Painted)>,
}

/// The colours of a matrix, made beforehand: of a thousand units that takes longer than a frame.
#[derive(Debug, Clone)]
pub struct Painted {
    image: Arc<ColorImage>,
    block: usize,
}

impl Painted {
    /// Colour a matrix for textures of at most `most` texels a side.
    pub fn new(matrix: Matrix<'_>, scale: HeatScale, style: &RasterStyle, most: usize) -> Self {
        let (image, block) = heat_image(matrix, scale, style, most);
        Self { image: Arc::new(image), block }
    }
}

impl Heatmap {
    /// Use these colours when the matrix with this version is drawn with this scale, in the dark theme or the light one.
    pub fn prepare(&mut self, version: u64, scale: HeatScale, dark: bool, painted: Painted) {
        self.ready = Some((version, scale, dark, painted));
    }

    /// Draw `matrix` into `rect`, nearest neighbour, so that cells stay cells. It is coloured and uploaded again only when
    /// `version`, the scale or the theme changed. Returns how many cells were averaged per side (1 = none): say so when it is more.
    pub fn show(&mut self, ui: &egui::Ui, rect: Rect, version: u64, matrix: Matrix<'_>, scale: HeatScale, style: &RasterStyle) -> usize {
        let shown = Some((version, scale, style.dark));
        if self.texture.is_none() || self.shown != shown {
            let ready = self.ready.take().filter(|(of, with, dark, _)| shown == Some((*of, *with, *dark)));
            let most = ui.input(|i| i.max_texture_side);
            let Painted { image, block } = ready.map_or_else(|| Painted::new(matrix, scale, style, most), |(.., painted)| painted);
            match &mut self.texture {
                Some(texture) => texture.set(image, TextureOptions::NEAREST),
                None => self.texture = Some(ui.load_texture("heat map", image, TextureOptions::NEAREST)),
            }
            (self.shown, self.block) = (shown, block);
        }
        if let Some(texture) = &self.texture {
            let whole = Rect::from_min_max(egui::pos2(0.0, 0.0), egui::pos2(1.0, 1.0));
            ui.painter().image(texture.id(), rect, whole, Color32::WHITE);
        }
        self.block.max(1)
    }
}

/// A horizontal colour bar with its two ends in numbers, for example `-0.31 … 0.31 log-rate`.
pub fn colour_bar(ui: &mut egui::Ui, scale: HeatScale, unit: &str, style: &RasterStyle) {
    let (low, high) = scale.range();
    let text = |v: f32| {
        if v == 0.0 || (0.01..1e4).contains(&v.abs()) {
            format!("{v:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            format!("{v:.1e}")
        }
    };
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        ui.small(text(low));
        let (rect, response) = ui.allocate_exact_size(Vec2::new(96.0, 10.0), egui::Sense::hover());
        let mut mesh = egui::Mesh::default();
        let steps = 48;
        for k in 0..=steps {
            let share = k as f32 / steps as f32;
            let color = scale.color(low + (high - low) * share, style);
            let x = rect.left() + share * rect.width();
            mesh.colored_vertex(egui::pos2(x, rect.top()), color);
            mesh.colored_vertex(egui::pos2(x, rect.bottom()), color);
            if k > 0 {
                let n = 2 * k;
                mesh.add_triangle(n - 2, n - 1, n);
                mesh.add_triangle(n - 1, n, n + 1);
            }
        }
        ui.painter().add(mesh);
        let name = format!("colours from {} to {} {unit}", text(low), text(high));
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &name));
        ui.small(format!("{} {unit}", text(high)));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_has_its_colour() {
        let style = RasterStyle::new(true);
        let values = [0.0, 1.0, f32::NAN, 0.5, -3.0, 9.0];
        let scale = HeatScale::Sequential { low: 0.0, high: 1.0 };
        let (image, block) = heat_image(Matrix { values: &values, rows: 2, columns: 3 }, scale, &style, 100);
        assert_eq!((image.size, block), ([3, 2], 1));
        assert_eq!(image.pixels[0], style.sequential(0.0));
        assert_eq!(image.pixels[1], style.sequential(1.0));
        assert_eq!(image.pixels[2], style.missing);
        assert_eq!(image.pixels[4], style.sequential(0.0));
        assert_eq!(image.pixels[5], style.sequential(1.0));
    }

    #[test]
    fn large_matrices_are_averaged_and_small_ones_do_not_divide_by_zero() {
        let style = RasterStyle::new(false);
        let values: Vec<f32> = (0..25).map(|k| if k % 2 == 0 { 1.0 } else { 0.0 }).collect();
        let (image, block) =
            heat_image(Matrix { values: &values, rows: 5, columns: 5 }, HeatScale::Sequential { low: 0.0, high: 1.0 }, &style, 3);
        assert_eq!((image.size, block), ([3, 3], 2));
        let half = style.sequential(0.5);
        assert!(image.pixels[0].r().abs_diff(half.r()) <= 2 && image.pixels[0].g().abs_diff(half.g()) <= 2);
        assert_eq!(heat_image(Matrix { values: &[], rows: 0, columns: 0 }, HeatScale::sequential_of(&[]), &style, 8).0.size, [1, 1]);
        assert_eq!(HeatScale::diverging_of(&[0.0, f32::NAN]).range(), (-1.0, 1.0));
        assert_eq!(HeatScale::diverging_of(&[0.5, -2.0]).range(), (-2.0, 2.0));
        assert_eq!(HeatScale::sequential_of(&[3.0, 4.0]).range(), (0.0, 4.0));
    }
}
