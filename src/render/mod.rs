//! Drawing that egui_plot cannot do: the spike raster at any size, through wgpu, and matrices as textures.
//!
//! The raster has a time-sorted [`SpikeIndex`] on the CPU that answers every question exactly (how many spikes in this pixel,
//! in this window) and goes to the GPU as it is, 8 bytes a spike. [`RasterPaint`] draws it: ticks when zoomed in, exact counts
//! per pixel as a colour-mapped texture when zoomed out. Call [`install`] once per window.

pub mod axis;
pub mod background;
mod density;
mod gpu;
pub mod heatmap;
mod hit;
mod index;
mod paint;
mod rows;
pub mod style;

pub use density::DensityGrid;
pub use gpu::install;
pub use hit::{nearest_spike, parse_time};
pub use index::{Chunk, SpikeIndex};
pub use paint::{Colouring, Picture, RasterPaint, Trouble, UnitLooks, density_words};
pub use rows::{Band, RowOrder, RowSlots, Rows};
pub use style::RasterStyle;
