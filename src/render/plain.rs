//! The raster without a GPU of its own: the same counts as an ordinary picture, for graphics devices that are too small or too old
//! for the raster's shaders.

use eframe::egui::{Color32, ColorImage};

use super::{Colouring, DensityGrid, RasterStyle, RowSlots};

/// What to draw, as in [`super::Picture::Density`].
pub struct Plain<'a> {
    /// Counts.
    pub grid: &'a DensityGrid,
    /// Slots of the counts.
    pub slots: &'a RowSlots,
    /// Window in seconds.
    pub window: (f64, f64),
    /// Rows at the top and bottom edge.
    pub rows: (f64, f64),
    /// Pixels wide and high.
    pub size: [usize; 2],
    /// Colour by row or by count.
    pub colouring: Colouring,
    /// Opacity of the smallest share.
    pub faint: f32,
}

impl Plain<'_> {
    /// The picture, transparent where there are no spikes. `color` gives the colour of a unit.
    pub fn image(&self, style: &RasterStyle, color: impl Fn(usize) -> Color32) -> ColorImage {
        let [width, height] = self.size;
        let (shares, mut image) = (self.grid.shares(), ColorImage::filled(self.size, Color32::TRANSPARENT));
        let column = |x: usize| self.grid.column(self.window.0 + (x as f64 + 0.5) / width as f64 * (self.window.1 - self.window.0));
        let columns: Vec<Option<usize>> = (0..width).map(column).collect();
        let row_px = height as f64 / (self.rows.1 - self.rows.0).max(1e-9);
        for (y, line) in image.pixels.chunks_exact_mut(width.max(1)).enumerate() {
            let row = self.rows.0 + (y as f64 + 0.5) / row_px;
            // A line of pixels between rows stays empty where rows are high enough to spare it.
            let gap = row_px >= 4.0 && (row.floor() + 1.0 - row) * row_px <= (0.15 * row_px).max(1.0);
            let Some(slot) = self.slot(row, y, height).filter(|slot| *slot < self.slots.slots && !gap) else { continue };
            let Some(base) = self.slots.units(slot).next().map(&color) else { continue };
            for (pixel, column) in line.iter_mut().zip(&columns) {
                let Some(column) = *column else { continue };
                let place = if self.grid.by_column { column * self.grid.slots + slot } else { slot * self.grid.columns + column };
                let share = f32::from(shares.get(place).copied().unwrap_or(0)) / 255.0;
                if share > 0.0 {
                    *pixel = match self.colouring {
                        Colouring::Count => style.sequential(f64::from(share)),
                        Colouring::Row => base.gamma_multiply(self.faint + (1.0 - self.faint) * share),
                    };
                }
            }
        }
        image
    }

    fn slot(&self, row: f64, y: usize, height: usize) -> Option<usize> {
        if self.slots.merged {
            // Slots are lines of the full picture; this one may be smaller.
            return Some(y * self.slots.slots / height.max(1));
        }
        (row.max(0.0) as usize).checked_sub(self.slots.first_row)
    }
}

#[cfg(test)]
mod tests {
    use super::super::field::tests::field;
    use super::*;

    #[test]
    fn spikes_are_coloured_where_they_are_and_nowhere_else() {
        let field = field(vec![vec![1.5, 1.6], vec![3.5]]);
        let slots = RowSlots { members: vec![(0, 0), (1, 1)], slots: 2, ..RowSlots::default() };
        let grid = DensityGrid::count(&field, (0.0, 5.0), 5, &slots);
        let plain =
            |colouring| Plain { grid: &grid, slots: &slots, window: (0.0, 5.0), rows: (0.0, 2.0), size: [5, 6], colouring, faint: 0.5 };
        let style = RasterStyle::new(false);
        let image = plain(Colouring::Row).image(&style, |unit| style.area(unit));
        let found: Vec<(usize, usize)> = (0..30).filter(|k| image.pixels[*k].a() > 0).map(|k| (k % 5, k / 5)).collect();
        assert_eq!(found, [(1, 0), (1, 1), (1, 2), (3, 3), (3, 4), (3, 5)]);
        assert_eq!(image.pixels[1], style.area(0));
        assert_eq!(plain(Colouring::Count).image(&style, |_| style.text).pixels[1], style.sequential(1.0));
    }
}
