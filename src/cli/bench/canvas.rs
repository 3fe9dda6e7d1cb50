//! A window's drawing without a window: egui's frames painted by wgpu into a texture that nobody reads back, as a display would
//! have them.

use std::iter::once;
use std::time::{Duration, Instant};

use eframe::egui_wgpu::{RenderState, RendererOptions, ScreenDescriptor};
use eframe::{egui, wgpu};
use egui_kittest::wgpu::{create_render_state, default_wgpu_setup};

use super::super::stage::ensure_can_draw;
use crate::render;

/// How long the graphics device may take for a frame.
const PATIENCE: Duration = Duration::from_secs(60);

/// What draws frames.
pub(super) struct Canvas {
    ctx: egui::Context,
    state: RenderState,
    target: wgpu::Texture,
    size: [u32; 2],
    begun: Instant,
}

impl Canvas {
    /// Of this size in pixels, one pixel per point.
    ///
    /// # Errors
    /// When the machine has nothing to draw with.
    pub(super) fn new(size: [u32; 2]) -> anyhow::Result<Self> {
        ensure_can_draw()?;
        let state = create_render_state(default_wgpu_setup(), RendererOptions::default());
        render::install(&state);
        let target = state.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("bench"),
            size: wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: state.target_format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
            view_formats: &[],
        });
        Ok(Self { ctx: egui::Context::default(), state, target, size, begun: Instant::now() })
    }

    /// The device's name.
    pub(super) fn device(&self) -> String {
        self.state.adapter.get_info().name
    }

    /// Bytes that rasters hold on the graphics device.
    pub(super) fn gpu_bytes(&self) -> u64 {
        render::gpu_bytes(&self.state)
    }

    /// egui's side.
    pub(super) fn ctx(&self) -> &egui::Context {
        &self.ctx
    }

    /// One frame until the device has finished it; gives the time that took.
    ///
    /// # Errors
    /// When the graphics device fails.
    pub(super) fn frame(&mut self, ui: impl FnMut(&mut egui::Ui)) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let rect = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(self.size[0] as f32, self.size[1] as f32));
        let time = Some(self.begun.elapsed().as_secs_f64());
        let input = egui::RawInput { screen_rect: Some(rect), time, ..egui::RawInput::default() };
        let mut output = self.ctx.run_ui(input, ui);
        let RenderState { device, queue, renderer, .. } = &self.state;
        let mut renderer = renderer.write();
        for (id, images) in output.textures_delta.set.drain() {
            images.iter().for_each(|image| renderer.update_texture(device, queue, id, image));
        }
        let jobs = self.ctx.tessellate(std::mem::take(&mut output.shapes), output.pixels_per_point);
        let screen = ScreenDescriptor { size_in_pixels: self.size, pixels_per_point: output.pixels_per_point };
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("bench") });
        let before = renderer.update_buffers(device, queue, &mut encoder, &jobs, &screen);
        let view = self.target.create_view(&wgpu::TextureViewDescriptor::default());
        let attachment = wgpu::RenderPassColorAttachment {
            view: &view,
            resolve_target: None,
            ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::WHITE), store: wgpu::StoreOp::Store },
            depth_slice: None,
        };
        let pass = wgpu::RenderPassDescriptor { label: Some("bench"), color_attachments: &[Some(attachment)], ..Default::default() };
        renderer.render(&mut encoder.begin_render_pass(&pass).forget_lifetime(), &jobs, &screen);
        queue.submit(before.into_iter().chain(once(encoder.finish())));
        let waited = device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(PATIENCE) });
        for id in output.textures_delta.free.drain() {
            renderer.free_texture(&id);
        }
        waited.map_err(|error| anyhow::anyhow!("the graphics device failed: {error}"))?;
        Ok(begun.elapsed())
    }
}
