//! Drawing that egui_plot cannot do: the spike raster at any size, through wgpu, and matrices as textures.
//!
//! [`SpikeField`] answers every question about spikes exactly, with the help of a [`Pyramid`] of counts that is built in the
//! background. From it a frame takes a [`DensityGrid`] (counts per column and row, drawn as a colour-mapped texture) or a
//! [`TickSet`] (the spikes in view, 8 bytes each) and hands it to egui as a [`RasterPaint`]. What a frame costs depends on pixels
//! and visible units, not on the number of spikes. Call [`install`] once per window.

pub mod axis;
pub mod background;
mod density;
mod field;
mod gpu;
pub mod heatmap;
mod hit;
mod paint;
mod pipelines;
mod plain;
mod pyramid;
mod rows;
pub mod style;
mod ticks;
pub mod unobserved;

pub use density::DensityGrid;
pub use field::{Hit, SpikeField};
pub use gpu::{gpu_bytes, install};
pub use hit::{nearest_spike, parse_number, parse_time};
pub use paint::{Colouring, Picture, RasterPaint, Trouble, UnitLooks, density_words};
pub use plain::Plain;
pub use pyramid::Pyramid;
pub use rows::{Band, HIDDEN, RowGroup, RowOrder, RowPlan, RowSlots, Rows};
pub use style::{AreaColors, RasterStyle};
pub use ticks::TickSet;
