//! From what is visible to what is drawn: counts per column, ticks or density, colours. Everything is kept until it changes, so a
//! still raster costs nothing to count.

use std::collections::BTreeSet;
use std::sync::Arc;

use eframe::egui::{self, Color32, Rect, TextureHandle, TextureOptions};
use eframe::egui_wgpu;

use super::colour::{RowColour, UnitShades};
use super::data::RasterData;
use super::navigation::Range;
use crate::render::{
    Colouring, DensityGrid, Picture, Plain, RasterPaint, RasterStyle, RowSlots, Rows, SpikeField, TickSet, Trouble, UnitLooks,
    density_words,
};

/// Most ticks drawn one by one; beyond, a texture of counts shows the same at a fixed cost.
const MOST_TICKS: u64 = 20_000;
/// Ticks are drawn while at most this share of the cells (row × column) holds a spike on average.
const TICK_SHARE: f64 = 0.35;
/// Opacity of a single spike where cells hold many.
const FAINTEST: f64 = 0.35;
/// Opacity of units that are not selected while others are.
const NOT_SELECTED: f32 = 0.35;

/// What the last frame drew, for one recording (begin anew with another).
#[derive(Default)]
pub struct Shown {
    grid: Option<(GridKey, Arc<DensityGrid>, Arc<RowSlots>)>,
    spikes: Option<(Arc<RowSlots>, Arc<TickSet>)>,
    looks: Option<(LooksKey, Arc<UnitLooks>)>,
    words: Option<(LooksKey, Arc<RowSlots>, Arc<Vec<u32>>)>,
    plain: Option<(Arc<DensityGrid>, LooksKey, TextureHandle)>,
}

#[derive(PartialEq, Clone)]
struct GridKey {
    rows: Arc<Rows>,
    pyramid: bool,
    window: (f64, f64),
    shown_rows: (f64, f64),
    size_px: [u32; 2],
}

#[derive(PartialEq, Clone)]
struct LooksKey {
    rows: Arc<Rows>,
    shades: Arc<UnitShades>,
    style: RasterStyle,
    selected: BTreeSet<usize>,
}

/// A picture and what it says about itself.
pub struct Drawn {
    /// For egui.
    pub shape: egui::Shape,
    /// Counts.
    pub grid: Arc<DensityGrid>,
    /// Slots of the counts.
    pub slots: Arc<RowSlots>,
    /// One tick per spike.
    pub ticks: bool,
    /// Spikes of the drawn units in the window, exactly.
    pub in_view: u64,
    /// Physical pixels per column.
    pub px_per_column: f64,
}

/// What is to be drawn.
pub struct Wanted<'a> {
    /// Which raster.
    pub key: u64,
    /// Rows and areas.
    pub data: &'a RasterData,
    /// Window.
    pub time: Range,
    /// Visible rows.
    pub rows: Range,
    /// Where, on whole pixels.
    pub rect: Rect,
    /// For pictures without the GPU.
    pub ctx: &'a egui::Context,
    /// Colours.
    pub style: &'a RasterStyle,
    /// Selected units; empty = none stands out.
    pub selected: &'a BTreeSet<usize>,
    /// Where errors are told.
    pub trouble: &'a Trouble,
}

impl Wanted<'_> {
    fn field(&self) -> &SpikeField {
        &self.data.field
    }

    fn window(&self) -> (f64, f64) {
        (self.time.start, self.time.stop)
    }

    fn colouring(&self) -> Colouring {
        if self.data.colour == RowColour::Count { Colouring::Count } else { Colouring::Row }
    }

    fn color(&self, unit: usize) -> Color32 {
        let color = self.data.unit_color(self.style, unit);
        if self.selected.is_empty() || self.selected.contains(&unit) { color } else { color.gamma_multiply(NOT_SELECTED) }
    }
}

impl Shown {
    /// The picture for this frame.
    pub fn draw(&mut self, wanted: &Wanted<'_>) -> Drawn {
        let pixels = wanted.ctx.pixels_per_point();
        let size_px = [wanted.rect.width(), wanted.rect.height()].map(|side| (side * pixels).round().max(1.0) as u32);
        let rows = (wanted.rows.start, wanted.rows.stop);
        let (grid, slots) = self.count(wanted, rows, size_px);
        let key = LooksKey {
            rows: Arc::clone(&wanted.data.rows),
            shades: Arc::clone(&wanted.data.shades),
            style: *wanted.style,
            selected: wanted.selected.clone(),
        };
        let cells = (grid.columns * slots.slots.max(1)) as f64;
        let px_per_column = grid.column_s / wanted.time.width() * f64::from(size_px[0]);
        let occupied = grid.total as f64 / cells;
        let faint = (1.0 - (1.0 - FAINTEST) * occupied.min(1.0)) as f32;
        let few = grid.total <= 2 * MOST_TICKS && occupied <= TICK_SHARE && !slots.merged && !grid.coarse;
        // The grid may hold a little more than the window; what is told is exact.
        let outside = grid.by_column && (grid.start < wanted.time.start || grid.edge(grid.columns) > wanted.time.stop);
        let in_view = if outside { wanted.field().count(slots.drawn(), wanted.time.start, wanted.time.stop) } else { grid.total };
        let ticks = few && in_view <= MOST_TICKS && wanted.colouring() == Colouring::Row;
        let trouble = wanted.trouble.load().is_some();
        let shape = if trouble {
            self.plain(wanted, key, &grid, &slots, size_px, faint)
        } else {
            let picture = if ticks {
                let spikes = self.spikes(wanted, &slots);
                Picture::Ticks { spikes, looks: self.looks(wanted, key), width_px: tick_px(pixels, in_view, size_px[0]) }
            } else {
                Picture::Density {
                    grid: Arc::clone(&grid),
                    words: self.words(wanted, key, &slots),
                    drawn_slots: slots.slots,
                    first_row: slots.first_row,
                    merged: slots.merged,
                    colouring: wanted.colouring(),
                    faint,
                }
            };
            let (window, trouble) = (wanted.window(), Arc::clone(wanted.trouble));
            let paint = RasterPaint { key: wanted.key, window, rows, size_px, picture, trouble };
            egui_wgpu::Callback::new_paint_callback(wanted.rect, paint).into()
        };
        Drawn { shape, grid, slots, ticks: ticks && !trouble, in_view, px_per_column }
    }

    fn count(&mut self, wanted: &Wanted<'_>, rows: (f64, f64), size_px: [u32; 2]) -> (Arc<DensityGrid>, Arc<RowSlots>) {
        let pyramid = wanted.field().pyramid().is_some();
        let key = GridKey { rows: Arc::clone(&wanted.data.rows), pyramid, window: wanted.window(), shown_rows: rows, size_px };
        if let Some((kept, grid, slots)) = &self.grid
            && *kept == key
        {
            return (Arc::clone(grid), Arc::clone(slots));
        }
        let slots = match self.grid.take() {
            // Rows are laid out again only when they changed: while time alone moves, colours and slots stay the same `Arc`.
            Some((kept, _, slots)) if kept.rows == key.rows && kept.shown_rows == rows && kept.size_px[1] == size_px[1] => slots,
            _ => Arc::new(wanted.data.rows.slots(rows.0, rows.1, size_px[1] as usize)),
        };
        let grid = Arc::new(DensityGrid::count(wanted.field(), wanted.window(), size_px[0] as usize, &slots));
        self.grid = Some((key, Arc::clone(&grid), Arc::clone(&slots)));
        (grid, slots)
    }

    /// The spikes in view, with half a window more on either side so that panning uses them again.
    fn spikes(&mut self, wanted: &Wanted<'_>, slots: &Arc<RowSlots>) -> Arc<TickSet> {
        if let Some((for_slots, kept)) = &self.spikes
            && Arc::ptr_eq(for_slots, slots)
            && kept.covers(wanted.window())
        {
            return Arc::clone(kept);
        }
        let (start, stop) = wanted.window();
        let half = (stop - start) / 2.0;
        let more = wanted.field().count(slots.drawn(), start - half, stop + half) <= 4 * MOST_TICKS;
        let half = if more { half } else { 0.0 };
        let spikes = Arc::new(TickSet::gather(wanted.field(), slots, start - half, stop + half));
        self.spikes = Some((Arc::clone(slots), Arc::clone(&spikes)));
        spikes
    }

    fn looks(&mut self, wanted: &Wanted<'_>, key: LooksKey) -> Arc<UnitLooks> {
        match &self.looks {
            Some((kept, looks)) if *kept == key => Arc::clone(looks),
            _ => {
                let looks = Arc::new(UnitLooks::new(&wanted.data.rows, |unit| wanted.color(unit)));
                self.looks = Some((key, Arc::clone(&looks)));
                looks
            }
        }
    }

    fn words(&mut self, wanted: &Wanted<'_>, key: LooksKey, slots: &Arc<RowSlots>) -> Arc<Vec<u32>> {
        match &self.words {
            Some((kept, for_slots, words)) if *kept == key && Arc::ptr_eq(for_slots, slots) => Arc::clone(words),
            _ => {
                let words = Arc::new(density_words(slots, wanted.style, |unit| wanted.color(unit)));
                self.words = Some((key, Arc::clone(slots), Arc::clone(&words)));
                words
            }
        }
    }

    /// The same counts as an ordinary picture, when the graphics device cannot do more.
    fn plain(
        &mut self,
        wanted: &Wanted<'_>,
        key: LooksKey,
        grid: &Arc<DensityGrid>,
        slots: &Arc<RowSlots>,
        size_px: [u32; 2],
        faint: f32,
    ) -> egui::Shape {
        let limit = wanted.ctx.input(|i| i.max_texture_side);
        let size = size_px.map(|side| (side as usize).clamp(1, limit.max(1)));
        let kept = self.plain.take().filter(|(from, k, _)| Arc::ptr_eq(from, grid) && *k == key);
        let texture = match kept {
            Some((_, _, texture)) => texture,
            None => {
                let rows = (wanted.rows.start, wanted.rows.stop);
                let plain = Plain { grid, slots, window: wanted.window(), rows, size, colouring: wanted.colouring(), faint };
                wanted.ctx.load_texture("raster", plain.image(wanted.style, |unit| wanted.color(unit)), TextureOptions::NEAREST)
            }
        };
        let uv = Rect::from_min_max(egui::pos2(0.0, 0.0), egui::pos2(1.0, 1.0));
        let shape = egui::Shape::image(texture.id(), wanted.rect, uv, Color32::WHITE);
        self.plain = Some((Arc::clone(grid), key, texture));
        shape
    }
}

/// Ticks are a pixel wide where spikes are dense and up to 1.5 points where there is room.
fn tick_px(pixels_per_point: f32, spikes: u64, width_px: u32) -> f32 {
    let roomy = spikes < 4 * u64::from(width_px);
    if roomy { (1.5 * pixels_per_point).round().max(1.0) } else { pixels_per_point.floor().max(1.0) }
}
