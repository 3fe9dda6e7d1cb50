//! What a raster view hands to egui for one frame: where, which window, ticks or density.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use eframe::egui::{Color32, PaintCallbackInfo};
use eframe::egui_wgpu::{CallbackResources, CallbackTrait, ScreenDescriptor};
use eframe::wgpu;

use super::gpu::RasterGpu;
use super::{DensityGrid, RasterStyle, RowSlots, Rows, SpikeIndex};

/// Where drawing errors are told; the view that owns the picture shows them.
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
        /// Row and colour of every unit.
        looks: Arc<UnitLooks>,
        /// Width of a tick in pixels.
        width_px: f32,
    },
    /// Counts per pixel.
    Density {
        /// The counts; uploaded when it is another `Arc` than last time.
        grid: Arc<DensityGrid>,
        /// Colour per slot, then the colour map (see [`density_words`]).
        words: Arc<Vec<u32>>,
        /// First row and whether rows share slots.
        first_row: usize,
        /// See [`RowSlots::merged`].
        merged: bool,
        /// Colour by row or by count.
        colouring: Colouring,
    },
}

/// Colours of a density picture: one per slot, then 256 of the colour map.
pub fn density_words(rows: &Rows, slots: &RowSlots, style: &RasterStyle, color: impl Fn(usize) -> Color32) -> Vec<u32> {
    let mut words = vec![0; slots.slots];
    for (&unit, slot) in rows.units.iter().filter_map(|u| Some((u, slots.of_unit.get(*u)?))) {
        if let Some(entry) = words.get_mut(*slot as usize) {
            // Where rows share a line of pixels the most opaque one (a selected unit) gives the colour.
            let candidate = word(color(unit));
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
    /// The spikes.
    pub index: Arc<SpikeIndex>,
    /// Window in seconds.
    pub window: (f64, f64),
    /// Rows at the top and bottom edge.
    pub rows: (f64, f64),
    /// Size of the rectangle in physical pixels.
    pub size_px: [u32; 2],
    /// What to draw.
    pub picture: Picture,
    /// Where errors go.
    pub trouble: Trouble,
}

impl RasterPaint {
    /// Height of a row in pixels.
    pub fn row_px(&self) -> f64 {
        f64::from(self.size_px[1]) / (self.rows.1 - self.rows.0).max(1e-9)
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
