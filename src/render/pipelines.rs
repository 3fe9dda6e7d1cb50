//! The raster's two pipelines and the layout of what they are given.

use std::num::NonZeroU64;

use eframe::wgpu;

/// Bytes of the shader's `View`.
pub(super) const VIEW_BYTES: u64 = 80;

/// Ticks and density.
pub(super) struct Pipelines {
    /// One instance per spike.
    pub(super) ticks: wgpu::RenderPipeline,
    /// One quad.
    pub(super) density: wgpu::RenderPipeline,
    /// Group 0: view and colours.
    pub(super) view_layout: wgpu::BindGroupLayout,
    /// Group 1: cells.
    pub(super) cells_layout: wgpu::BindGroupLayout,
}

impl Pipelines {
    /// For a target of this format.
    pub(super) fn new(device: &wgpu::Device, format: wgpu::TextureFormat) -> Self {
        let shader = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("raster"),
            source: wgpu::ShaderSource::Wgsl(include_str!("../../shaders/raster.wgsl").into()),
        });
        let buffer = |binding: u32, ty: wgpu::BufferBindingType, size: Option<u64>| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: size.and_then(NonZeroU64::new) },
            count: None,
        };
        let view_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("raster view"),
            entries: &[
                buffer(0, wgpu::BufferBindingType::Uniform, Some(VIEW_BYTES)),
                buffer(1, wgpu::BufferBindingType::Storage { read_only: true }, None),
            ],
        });
        let cells_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("raster cells"),
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
        let density = pipeline("density", &[Some(&view_layout), Some(&cells_layout)], &[]);
        Self { ticks, density, view_layout, cells_layout }
    }
}
