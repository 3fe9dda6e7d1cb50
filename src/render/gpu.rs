//! The raster's objects on the GPU: two pipelines, and per raster its spikes (uploaded chunk by chunk when first seen, once),
//! colours and counts. Everything that wgpu may refuse is made inside an error scope and told as text; nothing panics.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use eframe::{egui_wgpu, wgpu};

use super::paint::{Colouring, Picture, RasterPaint};
use super::{DensityGrid, SpikeIndex};

/// Bytes of the shader's `View`, and the distance of two of them (the largest alignment wgpu asks for).
const VIEW_BYTES: u64 = 64;
const VIEW_STRIDE: u64 = 256;

/// Let raster views draw in this window. Needed once, before the first frame; the pipelines are made when first used.
/// The window must be drawn without multisampling and depth buffer, as eframe does by default.
pub fn install(state: &egui_wgpu::RenderState) {
    let gpu = RasterGpu { format: state.target_format, pipelines: None, rasters: HashMap::new() };
    state.renderer.write().callback_resources.insert(gpu);
}

/// All rasters of a window.
pub(super) struct RasterGpu {
    format: wgpu::TextureFormat,
    pipelines: Option<Result<Pipelines, String>>,
    rasters: HashMap<u64, Raster>,
}

struct Pipelines {
    ticks: wgpu::RenderPipeline,
    density: wgpu::RenderPipeline,
    view_layout: wgpu::BindGroupLayout,
    counts_layout: wgpu::BindGroupLayout,
}

/// One raster.
struct Raster {
    index: Weak<SpikeIndex>,
    chunks: HashMap<usize, wgpu::Buffer>,
    looks: Option<Uploaded<Vec<u32>>>,
    unit_looks: Option<Uploaded<super::UnitLooks>>,
    views: Option<(wgpu::Buffer, u64)>,
    counts: Option<(Weak<DensityGrid>, wgpu::BindGroup)>,
    bind_group: Option<wgpu::BindGroup>,
    draws: Vec<Draw>,
}

/// A buffer and the value it was made from.
struct Uploaded<T> {
    from: Weak<T>,
    buffer: wgpu::Buffer,
}

enum Draw {
    Ticks { chunk: usize, spikes: std::ops::Range<u32>, view: u32 },
    Density,
}

impl RasterGpu {
    /// Make and upload what `frame` needs.
    pub(super) fn prepare(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, frame: &RasterPaint) -> Result<(), String> {
        // Rasters whose recording is gone give their memory back.
        self.rasters.retain(|_, raster| raster.index.strong_count() > 0);
        let format = self.format;
        let pipelines = self.pipelines.get_or_insert_with(|| guarded(device, || Pipelines::new(device, format)));
        let pipelines = pipelines.as_ref().map_err(Clone::clone)?;
        let raster = self.rasters.entry(frame.key).or_insert_with(|| Raster::new(&frame.index));
        if !std::ptr::eq(raster.index.as_ptr(), Arc::as_ptr(&frame.index)) {
            *raster = Raster::new(&frame.index);
        }
        raster.draws.clear();
        let draws = guarded(device, || raster.prepare(device, queue, pipelines, frame, format.is_srgb()))??;
        raster.draws = draws;
        Ok(())
    }

    /// Draw what was prepared.
    pub(super) fn paint(&self, pass: &mut wgpu::RenderPass<'static>, frame: &RasterPaint) {
        let (Some(Ok(pipelines)), Some(raster)) = (&self.pipelines, self.rasters.get(&frame.key)) else { return };
        let Some(bind_group) = &raster.bind_group else { return };
        for draw in &raster.draws {
            match draw {
                Draw::Ticks { chunk, spikes, view } => {
                    let Some(buffer) = raster.chunks.get(chunk) else { continue };
                    pass.set_pipeline(&pipelines.ticks);
                    pass.set_bind_group(0, bind_group, &[*view]);
                    pass.set_vertex_buffer(0, buffer.slice(..));
                    pass.draw(0..4, spikes.clone());
                }
                Draw::Density => {
                    let Some((_, counts)) = &raster.counts else { continue };
                    pass.set_pipeline(&pipelines.density);
                    pass.set_bind_group(0, bind_group, &[0]);
                    pass.set_bind_group(1, counts, &[]);
                    pass.draw(0..4, 0..1);
                }
            }
        }
    }
}

impl Raster {
    fn new(index: &Arc<SpikeIndex>) -> Self {
        Self {
            index: Arc::downgrade(index),
            chunks: HashMap::new(),
            looks: None,
            unit_looks: None,
            views: None,
            counts: None,
            bind_group: None,
            draws: Vec::new(),
        }
    }

    fn prepare(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        pipelines: &Pipelines,
        frame: &RasterPaint,
        linear_target: bool,
    ) -> Result<Vec<Draw>, String> {
        let mut views: Vec<u8> = Vec::new();
        let (draws, looks) = match &frame.picture {
            Picture::Ticks { looks, width_px } => {
                let mut draws = Vec::new();
                for (chunk, spikes) in frame.index.visible(frame.window.0, frame.window.1) {
                    let Some(data) = frame.index.chunks().get(chunk) else { continue };
                    self.chunks
                        .entry(chunk)
                        .or_insert_with(|| upload(device, queue, "raster spikes", wgpu::BufferUsages::VERTEX, &data.bytes));
                    // Subtract the origin of the window in f64 and whole ticks; the shader sees small numbers.
                    let start = frame.index.ticks(frame.window.0) - data.first_tick as f64;
                    let base = start.max(0.0).floor();
                    let px_per_tick = f64::from(frame.size_px[0]) / (frame.index.ticks(frame.window.1) - frame.index.ticks(frame.window.0));
                    let view = views.len() as u32;
                    let ticks = TickView { offset: (base - start) * px_per_tick, px_per_tick, base: base as u32, width_px: *width_px };
                    views.extend(view_bytes(frame, linear_target, Some(ticks), None));
                    views.resize(views.len().next_multiple_of(VIEW_STRIDE as usize), 0);
                    draws.push(Draw::Ticks { chunk, spikes: spikes.start as u32..spikes.end as u32, view });
                }
                (draws, uploaded(&mut self.unit_looks, device, queue, looks, |l| &l.words))
            }
            Picture::Density { grid, words, .. } => {
                self.upload_counts(device, queue, pipelines, grid)?;
                views.extend(view_bytes(frame, linear_target, None, Some(grid)));
                (vec![Draw::Density], uploaded(&mut self.looks, device, queue, words, |w| w))
            }
        };
        if views.is_empty() {
            return Ok(Vec::new());
        }
        views.resize(views.len().next_multiple_of(VIEW_STRIDE as usize), 0);
        let size = views.len() as u64;
        let views_buffer = match self.views.take() {
            Some((buffer, room)) if room >= size => {
                queue.write_buffer(&buffer, 0, &views);
                self.views.insert((buffer, room)).0.clone()
            }
            _ => self.views.insert((upload(device, queue, "raster views", wgpu::BufferUsages::UNIFORM, &views), size)).0.clone(),
        };
        self.bind_group = Some(device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("raster"),
            layout: &pipelines.view_layout,
            entries: &[
                wgpu::BindGroupEntry {
                    binding: 0,
                    resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer: &views_buffer,
                        offset: 0,
                        size: std::num::NonZeroU64::new(VIEW_BYTES),
                    }),
                },
                wgpu::BindGroupEntry { binding: 1, resource: looks.as_entire_binding() },
            ],
        }));
        Ok(draws)
    }

    fn upload_counts(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        pipelines: &Pipelines,
        grid: &Arc<DensityGrid>,
    ) -> Result<(), String> {
        if self.counts.as_ref().is_some_and(|(from, _)| std::ptr::eq(from.as_ptr(), Arc::as_ptr(grid))) {
            return Ok(());
        }
        // A row of the texture is a pixel column of the raster: that is how the counts lie in memory.
        let (width, height) = (grid.slots as u32 + 1, grid.columns as u32);
        let limit = device.limits().max_texture_dimension_2d;
        if width > limit || height > limit {
            return Err(format!(
                "the raster is {width} × {height} cells, this graphics device draws at most {limit}; make the window smaller"
            ));
        }
        let size = wgpu::Extent3d { width, height, depth_or_array_layers: 1 };
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("raster counts"),
            size,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::R32Uint,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * width), rows_per_image: None };
        queue.write_texture(texture.as_image_copy(), &bytes(&grid.counts), layout, size);
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("raster counts"),
            layout: &pipelines.counts_layout,
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::TextureView(&view) }],
        });
        self.counts = Some((Arc::downgrade(grid), bind_group));
        Ok(())
    }
}

/// The buffer made from `value`, made again when `value` is another one than last time.
fn uploaded<T>(
    slot: &mut Option<Uploaded<T>>,
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    value: &Arc<T>,
    words: impl Fn(&T) -> &[u32],
) -> wgpu::Buffer {
    match slot {
        Some(kept) if std::ptr::eq(kept.from.as_ptr(), Arc::as_ptr(value)) => kept.buffer.clone(),
        _ => {
            let buffer = upload(device, queue, "raster colours", wgpu::BufferUsages::STORAGE, &bytes(words(value)));
            slot.insert(Uploaded { from: Arc::downgrade(value), buffer }).buffer.clone()
        }
    }
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

fn bytes(words: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0; 4 * words.len()];
    for (to, from) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *to = from.to_ne_bytes();
    }
    bytes
}

struct TickView {
    offset: f64,
    px_per_tick: f64,
    base: u32,
    width_px: f32,
}

/// The shader's `View`, field by field.
fn view_bytes(frame: &RasterPaint, linear_target: bool, ticks: Option<TickView>, grid: Option<&DensityGrid>) -> Vec<u8> {
    let row_px = frame.row_px();
    // An empty line between rows as soon as rows are high enough to spare it.
    let gap = if row_px < 4.0 { 0.0 } else { (0.15 * row_px).round() };
    let (first_row, merged, by_count) = match &frame.picture {
        Picture::Density { first_row, merged, colouring, .. } => (*first_row as u32, *merged, *colouring == Colouring::Count),
        Picture::Ticks { .. } => (0, false, false),
    };
    let float = |v: f64| (v as f32).to_ne_bytes();
    let whole = |v: u32| v.to_ne_bytes();
    [
        float(f64::from(frame.size_px[0])),
        float(f64::from(frame.size_px[1])),
        float(frame.rows.0),
        float(row_px),
        float(gap),
        float(ticks.as_ref().map_or(1.0, |t| f64::from(t.width_px))),
        whole(u32::from(linear_target)),
        float(ticks.as_ref().map_or(0.0, |t| t.offset)),
        float(ticks.as_ref().map_or(0.0, |t| t.px_per_tick)),
        whole(ticks.as_ref().map_or(0, |t| t.base)),
        whole(grid.map_or(0, |g| g.columns as u32)),
        whole(grid.map_or(0, |g| g.slots as u32)),
        whole(first_row),
        whole(u32::from(merged)),
        whole(u32::from(by_count)),
        float(grid.map_or(1.0, |g| f64::from(g.max.max(1)))),
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

impl Pipelines {
    fn new(device: &wgpu::Device, format: wgpu::TextureFormat) -> Self {
        let shader = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("raster"),
            source: wgpu::ShaderSource::Wgsl(include_str!("../../shaders/raster.wgsl").into()),
        });
        let view_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("raster view"),
            entries: &[
                wgpu::BindGroupLayoutEntry {
                    binding: 0,
                    visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
                    ty: wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Uniform,
                        has_dynamic_offset: true,
                        min_binding_size: std::num::NonZeroU64::new(VIEW_BYTES),
                    },
                    count: None,
                },
                wgpu::BindGroupLayoutEntry {
                    binding: 1,
                    visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
                    ty: wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Storage { read_only: true },
                        has_dynamic_offset: false,
                        min_binding_size: None,
                    },
                    count: None,
                },
            ],
        });
        let counts_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("raster counts"),
            entries: &[wgpu::BindGroupLayoutEntry {
                binding: 0,
                visibility: wgpu::ShaderStages::FRAGMENT,
                ty: wgpu::BindingType::Texture {
                    sample_type: wgpu::TextureSampleType::Uint,
                    view_dimension: wgpu::TextureViewDimension::D2,
                    multisampled: false,
                },
                count: None,
            }],
        });
        let spike = wgpu::VertexBufferLayout {
            array_stride: 8,
            step_mode: wgpu::VertexStepMode::Instance,
            attributes: &[wgpu::VertexAttribute { format: wgpu::VertexFormat::Uint32x2, offset: 0, shader_location: 0 }],
        };
        let pipeline = |name: &str, groups: &[Option<&wgpu::BindGroupLayout>], buffers: &[Option<wgpu::VertexBufferLayout<'_>>]| {
            let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(name),
                bind_group_layouts: groups,
                immediate_size: 0,
            });
            device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                label: Some(name),
                layout: Some(&layout),
                vertex: wgpu::VertexState {
                    module: &shader,
                    entry_point: Some(&format!("{name}_vertex")),
                    compilation_options: wgpu::PipelineCompilationOptions::default(),
                    buffers,
                },
                primitive: wgpu::PrimitiveState { topology: wgpu::PrimitiveTopology::TriangleStrip, ..Default::default() },
                depth_stencil: None,
                multisample: wgpu::MultisampleState::default(),
                fragment: Some(wgpu::FragmentState {
                    module: &shader,
                    entry_point: Some(&format!("{name}_fragment")),
                    compilation_options: wgpu::PipelineCompilationOptions::default(),
                    targets: &[Some(wgpu::ColorTargetState {
                        format,
                        blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
                        write_mask: wgpu::ColorWrites::ALL,
                    })],
                }),
                multiview_mask: None,
                cache: None,
            })
        };
        let ticks = pipeline("tick", &[Some(&view_layout)], &[Some(spike)]);
        let density = pipeline("density", &[Some(&view_layout), Some(&counts_layout)], &[]);
        Self { ticks, density, view_layout, counts_layout }
    }
}
