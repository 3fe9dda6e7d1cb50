//! The raster's objects on the GPU: two pipelines, and per raster the spikes in view or the cells in view, and colours. Nothing
//! that is not on the screen is kept there. Everything that wgpu may refuse is made inside an error scope and told as text;
//! nothing panics, and the view then draws the same counts without this module.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use eframe::{egui_wgpu, wgpu};

use super::paint::{Colouring, Picture, RasterPaint};
use super::pipelines::Pipelines;
use super::{DensityGrid, TickSet, UnitLooks};

/// Spikes in one vertex buffer: 8 MiB, far below what any device allows.
const BUFFER_SPIKES: usize = 1 << 20;

/// Let raster views draw in this window. Needed once, before the first frame; the pipelines are made when first used.
/// The window must be drawn without multisampling and depth buffer, as eframe does by default.
pub fn install(state: &egui_wgpu::RenderState) {
    let gpu = RasterGpu { format: state.target_format, pipelines: None, rasters: HashMap::new() };
    state.renderer.write().callback_resources.insert(gpu);
}

/// Bytes that rasters hold on the GPU of this window.
pub fn gpu_bytes(state: &egui_wgpu::RenderState) -> u64 {
    state.renderer.read().callback_resources.get::<RasterGpu>().map_or(0, |gpu| gpu.rasters.values().map(Raster::bytes).sum())
}

/// All rasters of a window.
pub(super) struct RasterGpu {
    format: wgpu::TextureFormat,
    pipelines: Option<Result<Pipelines, String>>,
    rasters: HashMap<u64, Raster>,
}

/// One raster.
struct Raster {
    /// The view's trouble slot: gone when the view is.
    alive: Weak<arc_swap::ArcSwapOption<String>>,
    spikes: Option<Uploaded<TickSet, Vec<wgpu::Buffer>>>,
    unit_looks: Option<Uploaded<UnitLooks, wgpu::Buffer>>,
    cell_looks: Option<Uploaded<Vec<u32>, wgpu::Buffer>>,
    cells: Option<Uploaded<DensityGrid, Cells>>,
    view: Option<wgpu::Buffer>,
    bind_group: Option<wgpu::BindGroup>,
    ticks: bool,
}

/// Objects and the value they were made from.
struct Uploaded<T, O> {
    from: Weak<T>,
    made: O,
}

/// The texture of cells; its room is used again while it suffices.
struct Cells {
    texture: wgpu::Texture,
    bind_group: wgpu::BindGroup,
}

impl RasterGpu {
    /// Make and upload what `frame` needs.
    pub(super) fn prepare(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, frame: &RasterPaint) -> Result<(), String> {
        // Rasters whose view is gone give their memory back.
        self.rasters.retain(|_, raster| raster.alive.strong_count() > 0);
        let format = self.format;
        let pipelines = self.pipelines.get_or_insert_with(|| guarded(device, || Pipelines::new(device, format)));
        let pipelines = pipelines.as_ref().map_err(Clone::clone)?;
        let raster = self.rasters.entry(frame.key).or_insert_with(|| Raster::new(frame));
        if !std::ptr::eq(raster.alive.as_ptr(), Arc::as_ptr(&frame.trouble)) {
            *raster = Raster::new(frame);
        }
        raster.bind_group = None;
        raster.bind_group = Some(guarded(device, || raster.prepare(device, queue, pipelines, frame, format.is_srgb()))??);
        Ok(())
    }

    /// Draw what was prepared.
    pub(super) fn paint(&self, pass: &mut wgpu::RenderPass<'static>, frame: &RasterPaint) {
        let (Some(Ok(pipelines)), Some(raster)) = (&self.pipelines, self.rasters.get(&frame.key)) else { return };
        let Some(bind_group) = &raster.bind_group else { return };
        if raster.ticks {
            pass.set_pipeline(&pipelines.ticks);
            pass.set_bind_group(0, bind_group, &[]);
            for buffer in raster.spikes.iter().flat_map(|s| &s.made) {
                pass.set_vertex_buffer(0, buffer.slice(..));
                pass.draw(0..4, 0..(buffer.size() / 8) as u32);
            }
        } else if let Some(cells) = &raster.cells {
            pass.set_pipeline(&pipelines.density);
            pass.set_bind_group(0, bind_group, &[]);
            pass.set_bind_group(1, &cells.made.bind_group, &[]);
            pass.draw(0..4, 0..1);
        }
    }
}

impl Raster {
    fn new(frame: &RasterPaint) -> Self {
        Self {
            alive: Arc::downgrade(&frame.trouble),
            spikes: None,
            unit_looks: None,
            cell_looks: None,
            cells: None,
            view: None,
            bind_group: None,
            ticks: false,
        }
    }

    fn bytes(&self) -> u64 {
        let buffers = self.spikes.iter().flat_map(|s| &s.made).chain(self.unit_looks.iter().map(|l| &l.made));
        let buffers = buffers.chain(self.cell_looks.iter().map(|l| &l.made)).chain(&self.view);
        let cells = self.cells.as_ref().map_or(0, |c| u64::from(c.made.texture.width()) * u64::from(c.made.texture.height()));
        buffers.map(wgpu::Buffer::size).sum::<u64>() + cells
    }

    fn prepare(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        pipelines: &Pipelines,
        frame: &RasterPaint,
        linear_target: bool,
    ) -> Result<wgpu::BindGroup, String> {
        let looks = match &frame.picture {
            Picture::Ticks { looks, spikes, .. } => {
                (self.ticks, self.cells) = (true, None);
                renewed(&mut self.spikes, spikes, |_| {
                    let parts = spikes.bytes.chunks(8 * BUFFER_SPIKES);
                    Ok(parts.map(|part| upload(device, queue, "raster spikes", wgpu::BufferUsages::VERTEX, part)).collect())
                })?;
                words(&mut self.unit_looks, device, queue, looks, |l| &l.words)?
            }
            Picture::Density { grid, words: colors, .. } => {
                (self.ticks, self.spikes) = (false, None);
                renewed(&mut self.cells, grid, |old| upload_cells(device, queue, pipelines, grid, old))?;
                words(&mut self.cell_looks, device, queue, colors, |w| w)?
            }
        };
        let view = view_bytes(frame, linear_target);
        let view_buffer = match &self.view {
            Some(buffer) => {
                queue.write_buffer(buffer, 0, &view);
                buffer.clone()
            }
            None => self.view.insert(upload(device, queue, "raster view", wgpu::BufferUsages::UNIFORM, &view)).clone(),
        };
        Ok(device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("raster"),
            layout: &pipelines.view_layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: view_buffer.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: looks.as_entire_binding() },
            ],
        }))
    }
}

/// Make objects from `value`, unless they were made from the same `Arc` last time; `make` gets the old ones to use again.
fn renewed<T, O>(
    slot: &mut Option<Uploaded<T, O>>,
    value: &Arc<T>,
    make: impl FnOnce(Option<O>) -> Result<O, String>,
) -> Result<(), String> {
    let old = match slot.take() {
        Some(kept) if std::ptr::eq(kept.from.as_ptr(), Arc::as_ptr(value)) => {
            *slot = Some(kept);
            return Ok(());
        }
        old => old.map(|old| old.made),
    };
    *slot = Some(Uploaded { from: Arc::downgrade(value), made: make(old)? });
    Ok(())
}

/// The storage buffer of `value`.
fn words<T>(
    slot: &mut Option<Uploaded<T, wgpu::Buffer>>,
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    value: &Arc<T>,
    words: impl Fn(&T) -> &[u32],
) -> Result<wgpu::Buffer, String> {
    let bytes: Vec<u8> = words(value).iter().flat_map(|word| word.to_ne_bytes()).collect();
    let limit = device.limits().max_storage_buffer_binding_size;
    if bytes.len() as u64 > limit {
        return Err(format!("colours of so many units take {} bytes, this graphics device binds at most {limit}", bytes.len()));
    }
    renewed(slot, value, |_| Ok(upload(device, queue, "raster colours", wgpu::BufferUsages::STORAGE, &bytes)))?;
    slot.as_ref().map(|s| s.made.clone()).ok_or_else(|| "the raster's colours were not uploaded".to_owned())
}

fn upload(device: &wgpu::Device, queue: &wgpu::Queue, label: &str, usage: wgpu::BufferUsages, data: &[u8]) -> wgpu::Buffer {
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: (data.len() as u64).max(4),
        usage: usage | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    queue.write_buffer(&buffer, 0, data);
    buffer
}

fn upload_cells(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    pipelines: &Pipelines,
    grid: &DensityGrid,
    old: Option<Cells>,
) -> Result<Cells, String> {
    // A line of the texture is what lies side by side in memory: the slots of a column, or the columns of a slot.
    let (columns, slots) = (grid.columns.max(1) as u32, grid.slots.max(1) as u32);
    let (width, height) = if grid.by_column { (slots, columns) } else { (columns, slots) };
    let limit = device.limits().max_texture_dimension_2d;
    if width > limit || height > limit {
        return Err(format!("{width} × {height} cells are in view, this graphics device draws at most {limit}"));
    }
    let cells = match old {
        Some(cells) if cells.texture.width() >= width && cells.texture.height() >= height => cells,
        _ => {
            // Some room to grow: the number of columns changes from frame to frame while zooming.
            let room = |side: u32| side.next_multiple_of(64).min(limit);
            let texture = device.create_texture(&wgpu::TextureDescriptor {
                label: Some("raster cells"),
                size: wgpu::Extent3d { width: room(width), height: room(height), depth_or_array_layers: 1 },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: wgpu::TextureFormat::R8Uint,
                usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
                view_formats: &[],
            });
            let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
            let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("raster cells"),
                layout: &pipelines.cells_layout,
                entries: &[wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::TextureView(&view) }],
            });
            Cells { texture, bind_group }
        }
    };
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(width), rows_per_image: None };
    let size = wgpu::Extent3d { width, height, depth_or_array_layers: 1 };
    let shares = grid.shares();
    if !shares.is_empty() {
        queue.write_texture(cells.texture.as_image_copy(), &shares, layout, size);
    }
    Ok(cells)
}

/// The shader's `View`, field by field.
fn view_bytes(frame: &RasterPaint, linear_target: bool) -> Vec<u8> {
    let (row_px, gap, soft) = frame.row_look();
    let float = |v: f64| (v as f32).to_ne_bytes();
    let whole = |v: u32| v.to_ne_bytes();
    let (mut base, mut offset, mut px_per_tick, mut tick_width) = (0, 0.0, 0.0, 1.0);
    let (mut columns, mut slots, mut first_slot_row, mut flags) = (0, 0, 0, [false; 3]);
    let (mut faint, mut column_offset, mut px_per_column) = (1.0, 0.0, 1.0);
    match &frame.picture {
        Picture::Ticks { spikes, width_px, .. } => {
            (base, offset, px_per_tick) = spikes.place(frame.window, frame.size_px[0]);
            tick_width = f64::from(*width_px);
        }
        Picture::Density { grid, drawn_slots, first_row, merged, colouring, faint: least, .. } => {
            let px_per_s = f64::from(frame.size_px[0]) / (frame.window.1 - frame.window.0);
            (columns, slots, first_slot_row) = (grid.columns.max(1) as u32, *drawn_slots as u32, *first_row as u32);
            flags = [*merged, *colouring == Colouring::Count, grid.by_column];
            (faint, column_offset, px_per_column) = (f64::from(*least), (grid.start - frame.window.0) * px_per_s, grid.column_s * px_per_s);
        }
    }
    [
        float(f64::from(frame.size_px[0])),
        float(f64::from(frame.size_px[1])),
        float(frame.rows.0),
        float(row_px),
        float(gap),
        float(tick_width),
        whole(u32::from(linear_target)),
        float(offset),
        float(px_per_tick),
        whole(base),
        whole(columns),
        whole(slots),
        whole(first_slot_row),
        whole(u32::from(flags[0])),
        whole(u32::from(flags[1])),
        float(faint),
        float(column_offset),
        float(px_per_column),
        whole(u32::from(flags[2])),
        whole(u32::from(soft)),
    ]
    .concat()
}

/// Run `make` and turn what wgpu has to say against it into text (outside an error scope it would panic).
fn guarded<T>(device: &wgpu::Device, make: impl FnOnce() -> T) -> Result<T, String> {
    let scopes =
        [wgpu::ErrorFilter::Validation, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Internal].map(|f| device.push_error_scope(f));
    let made = make();
    // Scopes are a stack: the last one opened is popped first.
    let mut told = None;
    for scope in scopes.into_iter().rev() {
        let mut outcome = pin!(scope.pop());
        if let Poll::Ready(Some(error)) = outcome.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            told.get_or_insert(error.to_string());
        }
    }
    told.map_or(Ok(made), |error| Err(format!("the graphics device refused the raster: {error}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use egui_kittest::wgpu::{create_render_state, default_wgpu_setup};

    use super::super::{RowPlan, Rows, SpikeField};
    use super::*;
    use crate::recording::{Recording, RecordingParts, Source, SpikeTrains};

    fn frame() -> RasterPaint {
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([vec![0.5, 1.0], vec![2.0]]),
            unit_ids: vec!["0".into(), "1".into()],
            unit_areas: vec!["a".into(), "a".into()],
            ..RecordingParts::default()
        };
        let recording = Arc::new(Recording::new(parts, Source::File("x".into())).unwrap());
        let rows = Rows::of(&recording, &RowPlan::default());
        let slots = rows.slots(0.0, 2.0, 100);
        let spikes = Arc::new(TickSet::gather(&SpikeField::new(recording), &slots, 0.0, 3.0));
        let looks = Arc::new(UnitLooks::new(&rows, |_| eframe::egui::Color32::RED));
        let picture = Picture::Ticks { spikes, looks, width_px: 1.0 };
        RasterPaint { key: 1, window: (0.0, 3.0), rows: (0.0, 2.0), size_px: [300, 100], picture, trouble: Arc::default() }
    }

    #[test]
    fn a_device_that_was_lost_is_told_and_panics_nowhere() {
        let state = create_render_state(default_wgpu_setup(), egui_wgpu::RendererOptions::PREDICTABLE);
        let mut gpu = RasterGpu { format: state.target_format, pipelines: None, rasters: HashMap::new() };
        let here = frame();
        assert_eq!(gpu.prepare(&state.device, &state.queue, &here), Ok(()));
        state.device.destroy();
        // Another picture, so that something has to be uploaded.
        let later = RasterPaint { picture: frame().picture, trouble: Arc::clone(&here.trouble), ..frame() };
        let told = gpu.prepare(&state.device, &state.queue, &later).unwrap_err();
        assert!(told.contains("refused the raster"), "{told}");
        // And from the start, on a device that is gone.
        let mut gpu = RasterGpu { format: state.target_format, pipelines: None, rasters: HashMap::new() };
        assert!(gpu.prepare(&state.device, &state.queue, &frame()).is_err());
    }
}
