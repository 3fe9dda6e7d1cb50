//! The Trajectories view: trials as curves through the three directions of largest variance of what the network computed,
//! turned by dragging and played through time.

use eframe::egui::{self, Color32, FontId, Key, Pos2, Rect, Response, Sense, Shape, Stroke, Ui, Vec2, vec2};

use super::stndt_part::shown;
use super::trial_colors::TrialColors;
use super::{RunState, View, ViewContext, widgets};
use crate::app::theme::{self, Tokens};
use crate::training::{Snapshot, Trajectories};

/// Seconds in which a trial is played.
const PLAY_S: f32 = 4.0;
/// Farthest from a curve at which a click or the pointer means it, points.
const NEAR: f32 = 14.0;

/// From where curves are seen; parallel projection.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Camera {
    /// Turn about the third axis, radians.
    yaw: f32,
    /// Tilt towards the viewer, radians.
    pitch: f32,
    zoom: f32,
}

impl Default for Camera {
    fn default() -> Self {
        Self { yaw: 0.6, pitch: 0.45, zoom: 1.0 }
    }
}

impl Camera {
    /// Right, up, and towards the viewer.
    fn turned(&self, [x, y, z]: [f32; 3]) -> [f32; 3] {
        let (sin, cos) = self.yaw.sin_cos();
        let (right, deep) = (cos * x + sin * y, cos * y - sin * x);
        let (sin, cos) = self.pitch.sin_cos();
        [right, cos * z + sin * deep, sin * z - cos * deep]
    }

    fn drag(&mut self, by: Vec2) {
        self.yaw += by.x * 0.01;
        self.pitch = (self.pitch + by.y * 0.01).clamp(-1.5, 1.5);
    }
}

/// Where points go on the screen.
struct Screen {
    camera: Camera,
    rect: Rect,
    middle: [f32; 3],
    scale: f32,
}

impl Screen {
    fn new(camera: Camera, rect: Rect, shown: &Trajectories) -> Self {
        let finite = || shown.points.iter().flatten().filter(|p| p.iter().all(|v| v.is_finite()));
        let range = |axis: usize| widgets::range(finite().map(|p| f64::from(p[axis]))).unwrap_or((-1.0, 1.0));
        let middle = [0, 1, 2].map(|axis| ((range(axis).0 + range(axis).1) / 2.0) as f32);
        let far = |p: &[f32; 3]| p.iter().zip(middle).map(|(v, m)| (v - m).powi(2)).sum::<f32>();
        let radius = finite().map(far).fold(0.0, f32::max).sqrt().max(1e-6);
        Self { camera, rect, middle, scale: 0.46 * rect.width().min(rect.height()) * camera.zoom / radius }
    }

    fn place(&self, point: [f32; 3]) -> Pos2 {
        let [right, up, _] = self.camera.turned([0, 1, 2].map(|axis| point[axis] - self.middle[axis]));
        self.rect.center() + vec2(right, -up) * self.scale
    }
}

/// The Trajectories view.
#[derive(Default)]
pub struct TrajectoriesView {
    camera: Camera,
    colors: TrialColors,
    playing: bool,
    /// Part of the trial that is drawn strongly, 0 to 1; `None` for all of it.
    until: Option<f32>,
}

impl View for TrajectoriesView {
    fn title(&self) -> &'static str {
        "Trajectories"
    }

    fn help(&self) -> &'static str {
        "Each curve is a validation trial: the output of the last layer over time, in the three directions in which it varies most. \
         Drag to turn, use the wheel to zoom, and play to see the trials run; a ring marks where each one begins. \
         Curves of one condition lie together when the network has found what the trials have in common; click a curve to select its trial."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let what = "trials as curves through what the network computes";
        let Some((run, snapshot, stndt)) = shown(ui, context, "No trajectories yet", what) else { return };
        let curves = &stndt.trajectories;
        let bins = curves.points.iter().map(Vec::len).max().unwrap_or(0);
        if bins == 0 {
            return super::kernels::waiting(ui, context, "No trajectories yet");
        }
        self.controls(ui, run, bins, snapshot.bin_s);
        let values = self.colors.values(ui, run);
        self.colors.legend(ui, run, values.as_ref());
        let size = vec2(ui.available_width(), (ui.available_height() - 20.0).max(60.0));
        let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
        self.turn(ui, &response);
        let screen = Screen::new(self.camera, rect, curves);
        let tokens = theme::of(ui);
        axes(ui, &screen, curves, tokens);
        let until = self.until.map_or(bins, |part| (part * bins as f32).ceil() as usize);
        for at in depth_order(&screen, curves) {
            let (Some(points), Some(&trial)) = (curves.points.get(at), curves.trials.get(at)) else { continue };
            let color = values.as_ref().map_or(tokens.accent, |v| v.color(tokens, trial));
            curve(ui, &screen, points, color, until, trial == context.selection.trial, tokens);
        }
        if let Some((at, bin)) = nearest(&screen, curves, response.hover_pos()) {
            let trial = curves.trials.get(at).copied().unwrap_or(0);
            egui::Tooltip::for_widget(&response).at_pointer().show(|ui| {
                ui.strong(format!("Trial {}", trial + 1));
                if let Some(values) = &values {
                    ui.label(values.words(trial));
                }
                ui.label(format!("{} ms", widgets::number((bin as f64 + 0.5) * snapshot.bin_s * 1e3, 4)));
            });
            if response.clicked() {
                context.selection.trial = trial;
            }
        }
        widgets::describe(&response, summary(curves, snapshot));
        widgets::note(ui, "Drag turns, the wheel zooms, arrow keys turn while the plot has the focus");
    }
}

impl TrajectoriesView {
    fn controls(&mut self, ui: &mut Ui, run: &RunState, bins: usize, bin_s: f64) {
        ui.horizontal_wrapped(|ui| {
            self.colors.control(ui, run);
            ui.separator();
            if ui.button(if self.playing { "Hold" } else { "Play" }).on_hover_text("Let the trials run through time").clicked() {
                self.playing = !self.playing;
            }
            if self.playing {
                let by = ui.input(|i| i.stable_dt.min(0.1)) / PLAY_S;
                let next = self.until.filter(|part| *part < 1.0).unwrap_or(0.0) + by;
                self.until = Some(next.min(1.0));
                ui.ctx().request_repaint();
            }
            let whole = bins as f64 * bin_s * 1e3;
            let mut ms = f64::from(self.until.unwrap_or(1.0)) * whole;
            let label = widgets::caption(ui, "Until", 150.0);
            ui.spacing_mut().slider_width = 90.0;
            // Rounding in the slider itself would count as a change by the user.
            let slider = egui::Slider::new(&mut ms, 0.0..=whole).suffix(" ms").custom_formatter(|ms, _| format!("{ms:.0}"));
            if ui.add(slider).labelled_by(label.id).changed() {
                self.playing = false;
                self.until = (ms < whole).then_some((ms / whole.max(1e-9)) as f32);
            }
            if ui.button("Reset view").clicked() {
                (self.camera, self.until, self.playing) = (Camera::default(), None, false);
            }
        });
    }

    fn turn(&mut self, ui: &Ui, response: &Response) {
        if response.dragged() {
            self.camera.drag(response.drag_delta());
        }
        if response.hovered() {
            let (scroll, zoom) = ui.input(|i| (i.smooth_scroll_delta().y, i.zoom_delta()));
            self.camera.zoom = (self.camera.zoom * zoom * (scroll * 0.005).exp()).clamp(0.2, 20.0);
        }
        if response.clicked() {
            response.request_focus();
        }
        if response.has_focus() {
            let arrows = egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
            let moves = [(Key::ArrowLeft, vec2(-10.0, 0.0)), (Key::ArrowRight, vec2(10.0, 0.0)), (Key::ArrowUp, vec2(0.0, -10.0))];
            for (key, by) in moves.into_iter().chain([(Key::ArrowDown, vec2(0.0, 10.0))]) {
                if ui.input(|i| i.key_pressed(key)) {
                    self.camera.drag(by);
                }
            }
        }
    }
}

/// Curves that are farther away first.
fn depth_order(screen: &Screen, curves: &Trajectories) -> Vec<usize> {
    let depth = |at: usize| {
        let points = curves.points.get(at).map_or(&[][..], Vec::as_slice);
        points.iter().map(|p| screen.camera.turned(*p)[2]).sum::<f32>() / points.len().max(1) as f32
    };
    let mut order: Vec<(usize, f32)> = (0..curves.points.len()).map(|at| (at, depth(at))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    order.into_iter().map(|(at, _)| at).collect()
}

fn axes(ui: &Ui, screen: &Screen, curves: &Trajectories, tokens: &Tokens) {
    let painter = ui.painter().with_clip_rect(screen.rect.intersect(ui.clip_rect()));
    let points = || curves.points.iter().flatten();
    let low = [0, 1, 2].map(|axis| points().map(|p| p[axis]).filter(|v| v.is_finite()).fold(f32::INFINITY, f32::min));
    let high = [0, 1, 2].map(|axis| points().map(|p| p[axis]).filter(|v| v.is_finite()).fold(f32::NEG_INFINITY, f32::max));
    if low.iter().chain(&high).any(|v| !v.is_finite()) {
        return;
    }
    // The edges of the box around all curves; the three that meet in its corner carry the names.
    for axis in 0..3 {
        for corner in 0..4usize {
            let mut from = low;
            let others = [(axis + 1) % 3, (axis + 2) % 3];
            for (bit, other) in others.into_iter().enumerate() {
                if corner >> bit & 1 == 1 {
                    from[other] = high[other];
                }
            }
            let mut to = from;
            to[axis] = high[axis];
            let color = if corner == 0 { tokens.weak } else { tokens.grid };
            painter.line_segment([screen.place(from), screen.place(to)], Stroke::new(if corner == 0 { 1.4 } else { 1.0 }, color));
        }
        let mut end = low;
        end[axis] = high[axis];
        let (from, tip) = (screen.place(low), screen.place(end));
        let share = curves.explained.get(axis).copied().unwrap_or(0.0) * 100.0;
        let name = format!("PC {} ({} % of variance)", axis + 1, widgets::number(f64::from(share), 2));
        let galley = painter.layout_no_wrap(name, FontId::proportional(11.5), tokens.weak);
        let room = screen.rect.shrink2(galley.size() / 2.0 + vec2(3.0, 2.0));
        let wanted = tip + (tip - from).normalized() * 16.0;
        let middle = if room.is_positive() { room.clamp(wanted) } else { screen.rect.center() };
        painter.galley(middle - galley.size() / 2.0, galley, tokens.weak);
    }
}

fn curve(ui: &Ui, screen: &Screen, points: &[[f32; 3]], color: Color32, until: usize, selected: bool, tokens: &Tokens) {
    let painter = ui.painter().with_clip_rect(screen.rect.intersect(ui.clip_rect()));
    let places: Vec<Pos2> = points.iter().filter(|p| p.iter().all(|v| v.is_finite())).map(|p| screen.place(*p)).collect();
    let until = until.min(places.len());
    let (strong, rest) = (places.get(..until).unwrap_or_default(), places.get(until.saturating_sub(1)..).unwrap_or_default());
    let width = if selected { 3.0 } else { 1.6 };
    painter.add(Shape::line(rest.to_vec(), Stroke::new(1.0, color.gamma_multiply(0.25))));
    painter.add(Shape::line(strong.to_vec(), Stroke::new(width, color)));
    if let Some(first) = places.first() {
        painter.circle(*first, 3.2, tokens.pane, Stroke::new(1.6, color));
    }
    if let Some(head) = strong.last() {
        painter.circle_filled(*head, if selected { 5.0 } else { 3.2 }, color);
    }
}

/// Curve and bin nearest to the pointer.
fn nearest(screen: &Screen, curves: &Trajectories, pointer: Option<Pos2>) -> Option<(usize, usize)> {
    let pointer = pointer?;
    let places = curves.points.iter().enumerate().flat_map(|(at, points)| points.iter().enumerate().map(move |(bin, p)| (at, bin, *p)));
    let near = places.map(|(at, bin, p)| (at, bin, screen.place(p).distance(pointer))).filter(|(_, _, d)| *d <= NEAR);
    near.min_by(|a, b| a.2.total_cmp(&b.2)).map(|(at, bin, _)| (at, bin))
}

fn summary(curves: &Trajectories, snapshot: &Snapshot) -> String {
    let share: f32 = curves.explained.iter().sum::<f32>() * 100.0;
    let bins = curves.points.iter().map(Vec::len).max().unwrap_or(0);
    let ms = widgets::number(bins as f64 * snapshot.bin_s * 1e3, 4);
    format!("{} trials of {ms} ms as curves in three directions that explain {share:.0} % of the variance", curves.points.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_keeps_lengths_and_a_whole_turn_changes_nothing() {
        let camera = Camera { yaw: 0.7, pitch: -0.4, zoom: 1.0 };
        let point = [1.0, -2.0, 0.5];
        let length = |p: [f32; 3]| p.iter().map(|v| v * v).sum::<f32>();
        assert!((length(camera.turned(point)) - length(point)).abs() < 1e-5);
        let again = Camera { yaw: camera.yaw + std::f32::consts::TAU, ..camera }.turned(point);
        assert!(camera.turned(point).iter().zip(again).all(|(a, b)| (a - b).abs() < 1e-4));
        let front = Camera { yaw: 0.0, pitch: 0.0, zoom: 1.0 };
        assert_eq!(front.turned([1.0, 2.0, 3.0]), [1.0, 3.0, -2.0]);
    }

    #[test]
    fn curves_fill_the_screen_and_the_nearest_one_is_found() {
        let curves = Trajectories {
            trials: vec![4, 9],
            points: vec![vec![[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], vec![[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]],
            explained: [0.5, 0.3, 0.1],
        };
        let rect = Rect::from_min_size(Pos2::ZERO, vec2(200.0, 100.0));
        let screen = Screen::new(Camera { yaw: 0.0, pitch: 0.0, zoom: 1.0 }, rect, &curves);
        assert!(screen.place([1.0, 0.0, 0.0]).distance(egui::pos2(146.0, 50.0)) < 1e-3);
        assert!(screen.place([0.0, 0.0, 1.0]).distance(egui::pos2(100.0, 4.0)) < 1e-3);
        assert_eq!(nearest(&screen, &curves, Some(egui::pos2(101.0, 5.0))), Some((1, 0)));
        assert_eq!(nearest(&screen, &curves, Some(egui::pos2(10.0, 90.0))), None);
        let empty = Trajectories::default();
        assert!(Screen::new(Camera::default(), rect, &empty).place([0.0; 3]).x.is_finite() && depth_order(&screen, &empty).is_empty());
    }
}
