//! What a raster view hands to egui for one frame: where, which window, ticks or density.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use eframe::egui::{Color32, PaintCallbackInfo};
use eframe::egui_wgpu::{CallbackResources, CallbackTrait, ScreenDescriptor};
use eframe::wgpu;

use super::gpu::RasterGpu;
use super::{DensityGrid, RasterStyle, RowSlots, Rows, TickSet};

/// Rows lower than this many pixels get soft edges: one pixel more or less would show as uneven rows and gaps.
const SOFT_BELOW_PX: f64 = 16.0;
/// Rows lower than this have no gap between them.
const GAP_FROM_PX: f64 = 4.0;

/// Where drawing errors are told; the view that owns the picture draws without the GPU then.
pub type Trouble = Arc<ArcSwapOption<String>>;

/// Row and colour of every unit, as the GPU wants them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitLooks {
    /// Per unit: row, colour (red, green, blue, alpha from the low byte).
    pub words: Vec<u32>,
}

impl UnitLooks {
    /// Every unit in its row, in the colour `color` gives it.
    pub fn new(rows: &Rows, color: impl Fn(usize) -> Color32) -> Self {
        Self { words: rows.row_of_unit.iter().enumerate().flat_map(|(unit, &row)| [row, word(color(unit))]).collect() }
    }
}

/// How density is coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Colouring {
    /// The colour of the row, faded by count.
    #[default]
    Row,
    /// The count alone, by viridis.
    Count,
}

/// Ticks or density.
#[derive(Clone)]
pub enum Picture {
    /// One tick per spike.
    Ticks {
        /// The spikes; uploaded when it is another `Arc` than last time.
        spikes: Arc<TickSet>,
        /// Row and colour of every unit.
        looks: Arc<UnitLooks>,
        /// Width of a tick in pixels.
        width_px: f32,
    },
    /// Counts per column and row.
    Density {
        /// The counts; uploaded when it is another `Arc` than last time.
        grid: Arc<DensityGrid>,
        /// Colour per slot, then the colour map (see [`density_words`]).
        words: Arc<Vec<u32>>,
        /// Slots to draw, see [`RowSlots::slots`].
        drawn_slots: usize,
        /// First row and whether rows share slots.
        first_row: usize,
        /// See [`RowSlots::merged`].
        merged: bool,
        /// Colour by row or by count.
        colouring: Colouring,
        /// Opacity of the smallest share: 1 where most cells hold one spike or none, as ticks have.
        faint: f32,
    },
}

/// Colours of a density picture: one per drawn slot, then 256 of the colour map.
pub fn density_words(slots: &RowSlots, style: &RasterStyle, color: impl Fn(usize) -> Color32) -> Vec<u32> {
    let mut words = vec![0; slots.slots];
    for &(slot, unit) in &slots.members {
        if let Some(entry) = words.get_mut(slot as usize) {
            // Where rows share a line of pixels the most opaque one (a selected unit) gives the colour.
            let candidate = word(color(unit as usize));
            if candidate >> 24 >= *entry >> 24 {
                *entry = candidate;
            }
        }
    }
    words.extend((0..256).map(|k| word(style.sequential(f64::from(k) / 255.0))));
    words
}

fn word(color: Color32) -> u32 {
    u32::from_le_bytes(color.to_srgba_unmultiplied())
}

/// A raster in one frame. Give it to `egui_wgpu::Callback::new_paint_callback` with a rectangle on whole pixels.
#[derive(Clone)]
pub struct RasterPaint {
    /// Which raster this is; objects on the GPU are kept per key.
    pub key: u64,
    /// Window in seconds.
    pub window: (f64, f64),
    /// Rows at the top and bottom edge.
    pub rows: (f64, f64),
    /// Size of the rectangle in physical pixels.
    pub size_px: [u32; 2],
    /// What to draw.
    pub picture: Picture,
    /// Where errors go; the raster's memory on the GPU is given back when this is dropped by its view.
    pub trouble: Trouble,
}

impl RasterPaint {
    /// Height of a row and of the gap below it in pixels, and whether edges of rows fall between pixels.
    pub fn row_look(&self) -> (f64, f64, bool) {
        let row_px = f64::from(self.size_px[1]) / (self.rows.1 - self.rows.0).max(1e-9);
        let gap = if row_px < GAP_FROM_PX { 0.0 } else { (0.15 * row_px).round().max(1.0) };
        (row_px, gap, gap > 0.0 && row_px < SOFT_BELOW_PX)
    }
}

impl CallbackTrait for RasterPaint {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        _screen: &ScreenDescriptor,
        _encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        let result = match resources.get_mut::<RasterGpu>() {
            Some(gpu) => gpu.prepare(device, queue, self),
            None => Err("the raster renderer is not installed in this window".to_owned()),
        };
        if let Err(message) = result {
            self.trouble.store(Some(Arc::new(message)));
        }
        Vec::new()
    }

    fn paint(&self, _info: PaintCallbackInfo, pass: &mut wgpu::RenderPass<'static>, resources: &CallbackResources) {
        if let Some(gpu) = resources.get::<RasterGpu>() {
            gpu.paint(pass, self);
        }
    }
}
