//! The window that writes the open recording, or a part of it, to a file: on a thread of its own, whole or not at all.

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{self, vec2};

use super::export_counts::CountsForm;
use super::open::typed_path;
use super::toasts::{ToastKind, Toasts};
use crate::formats::{self, BinnedLayout};
use crate::recording::{Recording, Source};
use crate::views::{Selection, widgets, work::Background};

/// What is written where.
#[derive(Clone)]
struct Order {
    number: u64,
    recording: Arc<Recording>,
    path: PathBuf,
    units: Option<Vec<usize>>,
    window: Option<(f64, f64)>,
    layout: BinnedLayout,
}

/// What a note of [`ExportWindow::beforehand`] was made for: the data, the part of it, format and layout.
type Question = (String, Option<Vec<usize>>, Option<(f64, f64)>, String, BinnedLayout);

/// The window.
#[derive(Default)]
pub struct ExportWindow {
    /// Shown or not.
    pub open: bool,
    /// Path being typed.
    pub path: String,
    selected: bool,
    visible: bool,
    counts: CountsForm,
    order: Option<Order>,
    orders: u64,
    written: Background<u64, Result<String, String>>,
    told: Background<Question, Result<Vec<String>, String>>,
}

/// What the window asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportWish {
    /// The system's dialog, with a proposed name.
    Choose(String),
}

impl ExportWindow {
    /// Draw and look after the writing.
    pub fn ui(
        &mut self,
        ctx: &egui::Context,
        recording: Option<&Arc<Recording>>,
        selection: &Selection,
        toasts: &mut Toasts,
    ) -> Option<ExportWish> {
        self.work(ctx, toasts);
        let recording = recording.filter(|_| self.open)?;
        let (mut open, mut wish) = (true, None);
        egui::Window::new("Export recording")
            .open(&mut open)
            .collapsible(false)
            .default_size(vec2(470.0_f32.min(ctx.content_rect().width() - 50.0), 190.0))
            .pivot(egui::Align2::CENTER_CENTER)
            .default_pos(ctx.content_rect().center())
            .show(ctx, |ui| {
                if self.path.is_empty() {
                    self.path = proposal(recording);
                }
                self.format(ui);
                if formats::counts_to(&typed_path(&self.path)) {
                    self.counts.ui(ui, recording);
                }
                let label = ui.label("File to write");
                ui.horizontal(|ui| {
                    let width = (ui.available_width() - 90.0).max(80.0);
                    ui.add(egui::TextEdit::singleline(&mut self.path).desired_width(width)).labelled_by(label.id);
                    if ui.button("Choose…").on_hover_text("Choose with the system's dialog").clicked() {
                        wish = Some(ExportWish::Choose(format!("{}-export.nwb", recording.name)));
                    }
                });
                let units = selection.units.len();
                ui.add_enabled(units > 0, egui::Checkbox::new(&mut self.selected, format!("Only the selected units ({units})")));
                let window = selection.window.map_or("all of it is shown".to_owned(), |(a, b)| format!("{a:.3} to {b:.3} s"));
                let visible = egui::Checkbox::new(&mut self.visible, format!("Only the visible time ({window})"));
                ui.add_enabled(selection.window.is_some(), visible);
                ui.add_space(4.0);
                let order = Order {
                    number: self.orders + 1,
                    recording: Arc::clone(recording),
                    path: typed_path(&self.path),
                    units: (self.selected && units > 0).then(|| selection.units.iter().copied().collect()),
                    window: selection.window.filter(|_| self.visible),
                    layout: self.counts.layout(),
                };
                self.beforehand(ui, &order);
                ui.horizontal(|ui| {
                    let ready = !self.path.trim().is_empty() && self.order.is_none();
                    if ui.add_enabled(ready, widgets::primary(ui, "Export")).clicked() {
                        self.orders += 1;
                        self.order = Some(order);
                    }
                    if self.order.is_some() {
                        ui.spinner();
                        ui.label("Writing…");
                    }
                });
            });
        self.open = open;
        wish
    }

    /// One button per format; it sets the ending of the name.
    fn format(&mut self, ui: &mut egui::Ui) {
        let path = typed_path(&self.path);
        let now = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        ui.horizontal(|ui| {
            ui.label("Format");
            for (ending, keeps) in formats::WRITES {
                if ui.selectable_label(now == *ending, ending.to_uppercase()).on_hover_text(*keeps).clicked() {
                    self.path = path.with_extension(ending).display().to_string();
                }
            }
        });
        if let Some((_, keeps)) = formats::WRITES.iter().find(|(ending, _)| *ending == now) {
            widgets::note(ui, *keeps);
        }
    }

    /// What the format keeps of this part and what not, worked out behind the window.
    fn beforehand(&mut self, ui: &mut egui::Ui, order: &Order) {
        let extension = order.path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        let key = (order.recording.key(), order.units.clone(), order.window, extension, order.layout.clone());
        let theirs = order.clone();
        let told =
            self.told.get(ui.ctx(), "export notes", &key, move || formats::beforehand(&part(&theirs)?, &theirs.path, &theirs.layout));
        match told {
            Some(Ok(lines)) => lines.iter().for_each(|line| widgets::note(ui, line)),
            Some(Err(problem)) => {
                ui.colored_label(ui.visuals().error_fg_color, problem);
            }
            None => {}
        }
    }

    fn work(&mut self, ctx: &egui::Context, toasts: &mut Toasts) {
        let Some(order) = self.order.clone() else { return };
        let number = order.number;
        let told = self.written.get(ctx, "export", &number, move || write(&order)).cloned();
        match told {
            Some(Ok(text)) => {
                toasts.tell(ToastKind::Success, text);
                (self.order, self.open) = (None, false);
            }
            Some(Err(problem)) => {
                toasts.error("The recording could not be exported", problem);
                self.order = None;
            }
            None if !self.written.is_running() => {
                toasts.error("The recording could not be exported", "Writing ended with an internal error; nothing was written.");
                self.order = None;
            }
            None => {}
        }
    }
}

/// A name beside the recording that is not the recording's own.
fn proposal(recording: &Recording) -> String {
    let name = format!("{}-export.nwb", recording.name);
    match &recording.source {
        Source::File(path) => path.with_file_name(name).display().to_string(),
        Source::Simulated { .. } => name,
    }
}

/// The units and the stretch that are wanted.
fn part(order: &Order) -> Result<Recording, String> {
    let mut part = (*order.recording).clone();
    if let Some(units) = &order.units {
        part = part.with_units(units).map_err(|e| e.to_string())?;
    }
    if let Some((from, to)) = order.window {
        part = part.between(from, to).map_err(|e| e.to_string())?;
    }
    Ok(part)
}

fn write(order: &Order) -> Result<String, String> {
    if let Source::File(from) = &order.recording.source
        && let (Ok(from), Ok(to)) = (from.canonicalize(), order.path.canonicalize())
        && from == to
    {
        return Err(format!("{}: this is the recording itself; write to another name", order.path.display()));
    }
    let part = part(order)?;
    let lost = formats::save_with(&part, &order.path, &order.layout).map_err(|e| e.to_string())?;
    let lost = if lost.is_empty() { String::new() } else { format!("; {}", lost.join("; ")) };
    Ok(format!("{} written to {}{lost}", formats::info::info_line(&part), order.path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_part_is_written_and_the_recording_itself_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let demo = crate::simulate::demo().unwrap();
        let path = folder.path().join("part.npz");
        let order = Order {
            number: 1,
            recording: Arc::new(demo),
            path: path.clone(),
            units: Some(vec![0, 3]),
            window: Some((1.0, 5.0)),
            layout: BinnedLayout::default(),
        };
        assert!(write(&order).unwrap().starts_with("2 units, "));
        let back = formats::open(&path, &formats::OpenOptions::default(), &|_, _| true).unwrap();
        assert_eq!(back.n_units(), 2);
        assert!(back.time_range().is_some_and(|(a, b)| a >= 1.0 && b < 5.0));
        let mut from_file = back.clone();
        from_file.source = Source::File(path.clone());
        let same = Order { recording: Arc::new(from_file), units: None, window: None, ..order };
        assert!(write(&same).unwrap_err().contains("the recording itself"));
    }

    #[test]
    fn counts_are_written_with_the_settings_of_the_window() {
        let folder = tempfile::tempdir().unwrap();
        let form = CountsForm::default();
        let layout = BinnedLayout { heldout: formats::HeldOut::EveryNth(4), forward_bins: 10, ..form.layout() };
        let demo = Arc::new(crate::simulate::demo().unwrap());
        let units = demo.n_units();
        let path = folder.path().join("counts.h5");
        let order = Order { number: 1, recording: demo, path: path.clone(), units: None, window: None, layout };
        let told = formats::beforehand(&part(&order).unwrap(), &path, &order.layout).unwrap();
        assert!(told[0].contains("bins of 5 ms, the last 10 of them forward") && told[0].ends_with("held out"), "{told:?}");
        assert!(write(&order).unwrap().contains("spike times are written as counts in bins of 5 ms"));
        let back = formats::open(&path, &formats::OpenOptions::default(), &|_, _| true).unwrap();
        let held = back.units.columns.iter().find(|c| c.name == "heldout").unwrap();
        let count = (0..units).filter(|&u| held.values.number(u) == 1.0).count();
        assert_eq!((back.n_units(), count > 0 && count <= units / 4), (units, true));
    }
}
