//! What the window does around an import: the dialog, the line that says what was decided, changes to the open recording (kept
//! on the shelf), export, and which recent files are still there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{self, Ui};

use super::export_window::{ExportWindow, ExportWish};
use super::import::{ImportDialog, Noticed, Outcome, notice, notice_ui};
use super::open::{Ask, Change, How, OpenFailure, Opened, Opening, Request};
use super::run::Run;
use super::toasts::ToastKind;
use super::{Command, SpikescopeApp, theme};
use crate::recording::{Recording, Source};
use crate::views::work::Background;

/// State of everything around an import.
#[derive(Default)]
pub struct Import {
    /// The dialog, when it is open.
    pub dialog: Option<ImportDialog>,
    /// The line under the menu.
    pub notice: Option<String>,
    /// A change to the open recording being made.
    pub changing: Option<Opening>,
    /// The export window.
    pub export: ExportWindow,
    /// Shape of the open file.
    pub shape: Option<String>,
    missing: Background<Vec<PathBuf>, Vec<bool>>,
}

impl Import {
    /// For each of `recent` whether it is known to be gone. Looked up behind the window: a network drive may take its time.
    pub fn missing(&mut self, ctx: &egui::Context, recent: &[PathBuf]) -> Vec<bool> {
        let key = recent.to_vec();
        let paths = key.clone();
        let found = self.missing.get(ctx, "recent files", &key, move || paths.iter().map(|p| !p.exists()).collect());
        found.cloned().unwrap_or_else(|| vec![false; recent.len()])
    }

    /// True while something is being read for the dialog or changed.
    pub fn is_busy(&self) -> bool {
        self.changing.is_some() || self.dialog.as_ref().is_some_and(ImportDialog::is_reading)
    }
}

impl SpikescopeApp {
    /// How files are read: with remembered answers and the shelf.
    pub(super) fn how(&self) -> How {
        How { answers: None, remembered: self.settings.answers.clone(), shelf: self.options.shelf.clone() }
    }

    /// Open a file or folder, as a drop onto the window does.
    pub fn open_path(&mut self, ctx: &egui::Context, path: &Path) {
        self.open(ctx, Request::File(path.to_owned()));
    }

    /// True when the open recording came from a file that can be read with other answers.
    pub(super) fn can_reconsider(&self) -> bool {
        self.recording.as_ref().is_some_and(|r| matches!(r.source, Source::File(_)))
    }

    /// Open the dialog for the open recording.
    pub(super) fn reconsider(&mut self, ctx: &egui::Context) {
        if self.run.as_ref().is_some_and(Run::is_active) {
            self.toasts.tell(ToastKind::Info, "A training is running on this recording; stop it before the file is read in another way");
            return;
        }
        let how = self.how();
        let shape = self.import.shape.clone();
        self.import.dialog = self.recording.as_ref().and_then(|recording| ImportDialog::reconsider(ctx, recording, shape, &how));
    }

    /// A reader asks something.
    pub(super) fn asked(&mut self, opening: &Opening, choice: crate::recording::Choice) {
        if let Request::File(path) = &opening.request {
            self.import.dialog = Some(ImportDialog::question(path, opening, choice));
        }
    }

    /// Say in one line what was decided about the file that was just opened.
    pub(super) fn take_notice(&mut self, recording: &Recording) {
        self.import.notice = notice(recording).filter(|_| self.settings.show_report);
        self.import.export = ExportWindow::default();
    }

    /// The line under the menu; returns a chosen command.
    pub(super) fn notice_bar(&mut self, ui: &mut Ui) -> Option<Command> {
        let text = self.import.notice.clone().filter(|_| self.recording.is_some())?;
        let tokens = theme::of(ui);
        let frame = egui::Frame::new().fill(tokens.card).inner_margin(egui::Margin::symmetric(10, 3));
        let can_change = self.can_reconsider();
        let noticed = egui::Panel::top("import notice").frame(frame).show(ui, |ui| notice_ui(ui, &text, can_change)).inner?;
        match noticed {
            Noticed::Report => Some(Command::ShowReport),
            Noticed::Change => Some(Command::ImportOptions),
            Noticed::Close => {
                self.import.notice = None;
                None
            }
        }
    }

    /// Change the open recording behind the window.
    pub(super) fn change_recording(&mut self, ctx: &egui::Context, change: Change) {
        let Some(recording) = &self.recording else { return };
        if self.run.as_ref().is_some_and(Run::is_active) {
            self.toasts.tell(ToastKind::Info, "A training is running on this recording; stop it before areas or units are changed");
            return;
        }
        match Opening::change(ctx, recording, change, self.options.shelf.clone()) {
            Ok(opening) => self.import.changing = Some(opening),
            Err(failure) => self.toasts.error("The recording could not be changed", failure.details),
        }
    }

    /// Look at changes, the dialog and the export window.
    pub(super) fn poll_import(&mut self, ctx: &egui::Context) {
        match self.import.changing.as_ref().map(Opening::poll) {
            None | Some(Opened::NotYet) => {}
            Some(Opened::Recording(recording)) => {
                self.import.changing = None;
                self.replace(recording);
            }
            Some(Opened::Failed(OpenFailure { details, .. })) => {
                self.import.changing = None;
                self.toasts.error("The recording was not changed", details);
            }
            Some(Opened::Cancelled | Opened::Question(_)) => self.import.changing = None,
        }
        let (selection, recording) = (&self.selection, self.recording.as_ref());
        if let Some(ExportWish::Choose(name)) = self.import.export.ui(ctx, recording, selection, &mut self.toasts) {
            self.ask(ctx, Ask::Save(name));
        }
        let how = self.how();
        let Some(dialog) = &mut self.import.dialog else { return };
        match dialog.ui(ctx, &how) {
            Outcome::Open => {}
            Outcome::Cancel => self.import.dialog = None,
            Outcome::Forget(shape) => {
                self.settings.answers.remove(&shape);
            }
            Outcome::Show { recording, path, shape, remember } => {
                self.import.dialog = None;
                if let (Some(shape), Some(answers)) = (&shape, remember) {
                    self.settings.remember_answers(shape, answers);
                }
                self.import.shape = shape;
                self.show_opened(ctx, Some(Request::File(path)), recording);
            }
        }
    }

    /// The same recording with other areas, units or spikes: recipe, layout and, as far as possible, the selection stay.
    fn replace(&mut self, recording: Arc<Recording>) {
        if let Some(before) = &self.recording {
            let selected: Vec<usize> = self.selection.units.iter().map(|&u| before.original_unit(u)).collect();
            self.selection.units = (0..recording.n_units()).filter(|&u| selected.contains(&recording.original_unit(u))).collect();
        }
        self.with_areas = Background::default();
        self.report.forget();
        self.recording = Some(recording);
    }
}
