//! From what is visible to what is drawn: counts per pixel, ticks or density, colours. Everything is kept until it changes, so a
//! still raster costs nothing to count.

use std::collections::BTreeSet;
use std::sync::Arc;

use eframe::egui::{Color32, Rect};
use eframe::egui_wgpu;

use super::data::RasterData;
use super::navigation::Range;
use crate::render::{
    Colouring, DensityGrid, Picture, RasterPaint, RasterStyle, RowSlots, Rows, SpikeIndex, Trouble, UnitLooks, density_words,
};

/// Most ticks drawn one by one; beyond, a texture of counts shows the same at a fixed cost.
const MOST_TICKS: u64 = 20_000;
/// Ticks are drawn while at most this share of the cells (row × pixel column) holds a spike on average.
const TICK_SHARE: f64 = 0.35;
/// Opacity of units that are not selected while others are.
const NOT_SELECTED: f32 = 0.35;

/// What the last frame drew, for one recording (begin anew with another).
#[derive(Default)]
pub struct Shown {
    grid: Option<(GridKey, Arc<DensityGrid>, Arc<RowSlots>)>,
    looks: Option<(LooksKey, Arc<UnitLooks>)>,
    words: Option<(LooksKey, Arc<RowSlots>, Arc<Vec<u32>>)>,
}

#[derive(PartialEq, Clone)]
struct GridKey {
    rows: Arc<Rows>,
    window: (f64, f64),
    shown_rows: (f64, f64),
    size_px: [u32; 2],
}

#[derive(PartialEq, Clone)]
struct LooksKey {
    rows: Arc<Rows>,
    dark: bool,
    selected: BTreeSet<usize>,
}

/// A picture and what it says about itself.
pub struct Drawn {
    /// For egui.
    pub shape: eframe::egui::epaint::PaintCallback,
    /// Counts per pixel.
    pub grid: Arc<DensityGrid>,
    /// Slots of the counts.
    pub slots: Arc<RowSlots>,
    /// One tick per spike.
    pub ticks: bool,
}

/// What is to be drawn.
pub struct Wanted<'a> {
    /// Which raster.
    pub key: u64,
    /// Spikes.
    pub index: &'a Arc<SpikeIndex>,
    /// Rows and areas.
    pub data: &'a RasterData,
    /// Window.
    pub time: Range,
    /// Visible rows.
    pub rows: Range,
    /// Where, on whole pixels.
    pub rect: Rect,
    /// Physical pixels per point.
    pub pixels_per_point: f32,
    /// Colours.
    pub style: &'a RasterStyle,
    /// How density is coloured.
    pub colouring: Colouring,
    /// Selected units; empty = none stands out.
    pub selected: &'a BTreeSet<usize>,
    /// Where errors are told.
    pub trouble: &'a Trouble,
}

impl Shown {
    /// The picture for this frame.
    pub fn draw(&mut self, wanted: &Wanted<'_>) -> Drawn {
        let size_px = [wanted.rect.width(), wanted.rect.height()].map(|side| (side * wanted.pixels_per_point).round().max(1.0) as u32);
        let (window, rows) = ((wanted.time.start, wanted.time.stop), (wanted.rows.start, wanted.rows.stop));
        let (grid, slots) = self.count(wanted, window, rows, size_px);
        let key = LooksKey { rows: Arc::clone(&wanted.data.rows), dark: wanted.style.dark, selected: wanted.selected.clone() };
        let cells = grid.columns as f64 * slots.slots.max(1) as f64;
        let in_window = wanted.index.count_between(window.0, window.1) as u64;
        let ticks =
            in_window <= MOST_TICKS && grid.total as f64 <= TICK_SHARE * cells && !slots.merged && wanted.colouring == Colouring::Row;
        let picture = if ticks {
            Picture::Ticks { looks: self.looks(wanted, key), width_px: tick_px(wanted.pixels_per_point, in_window, size_px[0]) }
        } else {
            Picture::Density {
                grid: Arc::clone(&grid),
                words: self.words(wanted, key, &slots),
                first_row: slots.first_row,
                merged: slots.merged,
                colouring: wanted.colouring,
            }
        };
        let paint = RasterPaint {
            key: wanted.key,
            index: Arc::clone(wanted.index),
            window,
            rows,
            size_px,
            picture,
            trouble: Arc::clone(wanted.trouble),
        };
        Drawn { shape: egui_wgpu::Callback::new_paint_callback(wanted.rect, paint), grid, slots, ticks }
    }

    fn count(&mut self, wanted: &Wanted<'_>, window: (f64, f64), rows: (f64, f64), size_px: [u32; 2]) -> (Arc<DensityGrid>, Arc<RowSlots>) {
        let key = GridKey { rows: Arc::clone(&wanted.data.rows), window, shown_rows: rows, size_px };
        if let Some((kept, grid, slots)) = &self.grid
            && *kept == key
        {
            return (Arc::clone(grid), Arc::clone(slots));
        }
        let slots = wanted.data.rows.slots(rows.0, rows.1, size_px[1] as usize);
        let grid = Arc::new(DensityGrid::count(wanted.index, window, size_px[0] as usize, &slots.of_unit, slots.slots));
        let slots = match self.grid.take() {
            // The same `Arc` as long as nothing changed: colours need not be made again while time alone moves.
            Some((_, _, kept)) if *kept == slots => kept,
            _ => Arc::new(slots),
        };
        self.grid = Some((key, Arc::clone(&grid), Arc::clone(&slots)));
        (grid, slots)
    }

    fn looks(&mut self, wanted: &Wanted<'_>, key: LooksKey) -> Arc<UnitLooks> {
        match &self.looks {
            Some((kept, looks)) if *kept == key => Arc::clone(looks),
            _ => {
                let looks = Arc::new(UnitLooks::new(&wanted.data.rows, |unit| color(wanted, unit)));
                self.looks = Some((key, Arc::clone(&looks)));
                looks
            }
        }
    }

    fn words(&mut self, wanted: &Wanted<'_>, key: LooksKey, slots: &Arc<RowSlots>) -> Arc<Vec<u32>> {
        match &self.words {
            Some((kept, for_slots, words)) if *kept == key && Arc::ptr_eq(for_slots, slots) => Arc::clone(words),
            _ => {
                let words = Arc::new(density_words(&wanted.data.rows, slots, wanted.style, |unit| color(wanted, unit)));
                self.words = Some((key, Arc::clone(slots), Arc::clone(&words)));
                words
            }
        }
    }
}

fn color(wanted: &Wanted<'_>, unit: usize) -> Color32 {
    let area = wanted.data.recording.units.area.get(unit).copied().unwrap_or(0);
    let color = wanted.style.area(area);
    if wanted.selected.is_empty() || wanted.selected.contains(&unit) { color } else { color.gamma_multiply(NOT_SELECTED) }
}

/// Ticks are a pixel wide where spikes are dense and up to 1.5 points where there is room.
fn tick_px(pixels_per_point: f32, spikes: u64, width_px: u32) -> f32 {
    let roomy = spikes < 4 * u64::from(width_px);
    if roomy { (1.5 * pixels_per_point).round().max(1.0) } else { pixels_per_point.floor().max(1.0) }
}
