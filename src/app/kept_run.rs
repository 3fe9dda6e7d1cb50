//! A kept run shown by all views in place of the one that trains: opened in the background, never mixed with other data, closed with
//! one click. The run that trains goes on meanwhile.

use std::path::{Path, PathBuf};

use eframe::egui::{self, RichText, Ui};

use super::open::Request;
use super::queue::{QueueWish, Told};
use super::run::Run;
use super::toasts::{ToastKind, Toasts};
use super::{Command, SpikescopeApp, theme};
use crate::recording::Recording;
use crate::runs::{self, RecordingSource, catalogue};
use crate::training::Command as RunCommand;
use crate::views::RunState;
use crate::views::work::Background;

/// A run from a folder.
#[derive(Clone)]
pub struct KeptRun {
    /// Its folder.
    pub folder: PathBuf,
    /// Its name, model and end, in words.
    pub words: String,
    /// What views see.
    pub state: RunState,
    /// Whether its training can go on.
    pub resumable: bool,
}

/// What was found in a run folder.
#[derive(Clone)]
enum Found {
    /// A run on the open recording.
    Here(Box<KeptRun>),
    /// A run on another recording, with its name and fingerprint.
    Elsewhere { recording: String, fingerprint: String, source: RecordingSource },
}

/// The kept run that is shown, and the one that is being opened.
#[derive(Default)]
pub struct Kept {
    shown: Option<KeptRun>,
    /// Folder to open, and a number that makes every request a new one.
    wanted: Option<(PathBuf, u64)>,
    requests: u64,
    loading: Background<(PathBuf, u64), Result<Found, String>>,
    /// A run whose recording is being opened, and that recording's fingerprint.
    waits_for: Option<(PathBuf, String)>,
    /// The run was shown before with what is selected now.
    again: bool,
    /// Its training goes on as soon as it is shown.
    resume: bool,
}

impl Kept {
    /// The kept run that is shown.
    pub fn shown(&self) -> Option<&KeptRun> {
        self.shown.as_ref()
    }

    /// Folder of the kept run that is shown, or is being opened.
    pub fn folder(&self) -> Option<&Path> {
        let wanted = self.wanted.as_ref().map(|(folder, _)| folder.as_path());
        wanted.or_else(|| self.shown.as_ref().map(|kept| kept.folder.as_path()))
    }

    /// Show none.
    pub fn close(&mut self) {
        (self.shown, self.wanted) = (None, None);
    }

    /// Open the run in this folder.
    pub fn open(&mut self, folder: PathBuf) {
        self.requests += 1;
        (self.wanted, self.waits_for, self.again, self.resume) = (Some((folder, self.requests)), None, false, false);
    }

    /// Open the run that was shown in the session before: the selection is meant for it.
    pub fn open_again(&mut self, folder: PathBuf) {
        self.open(folder);
        self.again = true;
    }

    /// A recording was opened, perhaps for the sake of a run.
    pub fn opened(&mut self, fingerprint: &str, toasts: &mut Toasts) {
        self.close();
        match self.waits_for.take() {
            Some((folder, wanted)) if wanted == fingerprint => {
                let resume = self.resume;
                self.open(folder);
                self.resume = resume;
            }
            Some((folder, _)) => toasts.error(
                "The run was made from other data than what is open now",
                format!(
                    "{}: the recording may have changed since, or was read with other answers or other areas; what the run used is in its manifest.json",
                    folder.display()
                ),
            ),
            None => {}
        }
    }
}

fn find(folder: &Path, recording: Option<&Recording>) -> Result<Found, String> {
    let run = runs::load(folder).map_err(|e| e.to_string())?;
    let made_from = &run.manifest.recording;
    match recording.filter(|recording| recording.fingerprint == made_from.fingerprint) {
        Some(recording) => {
            let entry = catalogue::entry(folder);
            let words = format!("{}  ·  {}, {}, {}", entry.name(), entry.facts.model, entry.status.word(), entry.facts.ended);
            let resumable = run.can_resume();
            Ok(Found::Here(Box::new(KeptRun {
                folder: folder.to_owned(),
                words,
                resumable,
                state: RunState::of_kept(run, Some(recording)),
            })))
        }
        None => Ok(Found::Elsewhere {
            recording: made_from.name.clone(),
            fingerprint: made_from.fingerprint.clone(),
            source: made_from.source.clone(),
        }),
    }
}

impl SpikescopeApp {
    /// The run that views show: a kept one, else the one that trains or was trained last.
    pub fn shown_run(&self) -> Option<&RunState> {
        self.kept.shown().map(|kept| &kept.state).or_else(|| self.run())
    }

    pub(super) fn show_run(&mut self, folder: PathBuf) {
        self.kept.open(folder);
    }

    /// Show a run and go on training it.
    pub(super) fn show_and_resume(&mut self, folder: PathBuf) {
        if self.run.as_ref().is_some_and(Run::is_active) {
            self.toasts.tell(ToastKind::Info, "A training is running already; stop it before another run is resumed");
            return;
        }
        self.kept.open(folder);
        self.kept.resume = true;
    }

    /// Look for runs in this folder too.
    pub fn add_run_folder(&mut self, folder: PathBuf) {
        self.dialog = None;
        if !self.settings.run_folders.contains(&folder) {
            self.settings.run_folders.push(folder);
        }
    }

    /// Do what was asked for a job, and tell the training.
    pub(super) fn obey(&mut self, wish: QueueWish) {
        let told = self.queue.obey(wish);
        let command = told.map(|told| match told {
            Told::Pause => RunCommand::Pause,
            Told::Resume => RunCommand::Resume,
            Told::StopAndKeep => RunCommand::StopAndKeep,
        });
        if let (Some(command), Some(run)) = (command, &self.run) {
            run.send(command);
        }
    }

    /// Take over a run that was read.
    pub(super) fn poll_kept(&mut self, ctx: &egui::Context) {
        // A run is shown on the recording as it is in the end.
        let Some(key) = self.kept.wanted.clone().filter(|_| self.import.changing.is_none()) else { return };
        let (folder, recording) = (key.0.clone(), self.recording.clone());
        let work = move || find(&folder, recording.as_deref());
        let Some(found) = self.kept.loading.get(ctx, "opening a run", &key, work).cloned() else { return };
        self.kept.wanted = None;
        match found {
            Ok(Found::Here(run)) => {
                if !std::mem::take(&mut self.kept.again) {
                    self.selection.pair = None;
                }
                let (resume, resumable) = (std::mem::take(&mut self.kept.resume), run.resumable);
                self.kept.shown = Some(*run);
                match (resume, resumable) {
                    (true, true) => self.resume_run(ctx),
                    (true, false) => {
                        let text = "This run has no checkpoint to go on from; use its recipe to train it again";
                        self.toasts.tell(ToastKind::Info, text);
                    }
                    (false, _) => {}
                }
            }
            Ok(Found::Elsewhere { recording, fingerprint, source }) => self.open_for(ctx, key.0, &recording, fingerprint, source),
            Err(why) => self.toasts.error("The run could not be opened", why),
        }
    }

    /// Open the recording of a run where it can still be had; the run follows.
    fn open_for(&mut self, ctx: &egui::Context, folder: PathBuf, name: &str, fingerprint: String, source: RecordingSource) {
        let request = match source {
            RecordingSource::File { path } => Some(Request::File(path.into())),
            RecordingSource::Simulator { name, .. } if name == "demo" => Some(Request::Demo),
            RecordingSource::Simulator { .. } => None,
        };
        match request {
            Some(request) => {
                self.toasts.tell(ToastKind::Info, format!("The run was made from '{name}', which is opened first"));
                self.open(ctx, request);
                self.kept.waits_for = Some((folder, fingerprint));
            }
            None => self.toasts.error(
                "The run was made from other data than what is open",
                format!("It was made from the simulation '{name}'. Write that recording to a file with “spikescope simulate”, open it, and show the run again"),
            ),
        }
    }

    /// One line that says that a kept run is shown, with a way back.
    pub(super) fn kept_bar(&mut self, ui: &mut Ui) -> Option<Command> {
        let words = self.kept.shown().map(|kept| kept.words.clone())?;
        let trains = self.run.as_ref().is_some_and(Run::is_active);
        let tokens = theme::of(ui);
        let frame = egui::Frame::new().fill(tokens.selected).inner_margin(egui::Margin::symmetric(10, 3));
        let bar = egui::Panel::top("kept run").frame(frame).show_separator_line(false);
        bar.show(ui, |ui| {
            ui.horizontal(|ui| {
                let tip = Command::CloseKept.tooltip();
                let name = if trains { "Back to the run that trains" } else { "Close kept run" };
                let clicked = ui
                    .with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                        let clicked = ui.small_button(name).on_hover_text(tip).clicked();
                        ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                            ui.add(egui::Label::new(RichText::new(format!("Showing a kept run: {words}")).color(tokens.text)).truncate());
                        });
                        clicked
                    })
                    .inner;
                clicked.then_some(Command::CloseKept)
            })
            .inner
        })
        .inner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_waits_for_its_recording_is_opened_only_on_the_right_one() {
        let (mut kept, mut toasts) = (Kept::default(), Toasts::default());
        kept.waits_for = Some(("runs/a".into(), "abc".into()));
        kept.opened("abc", &mut toasts);
        assert_eq!(kept.wanted.as_ref().map(|(folder, _)| folder.as_path()), Some(Path::new("runs/a")));
        assert!(kept.waits_for.is_none() && toasts.texts().next().is_none());
        kept.waits_for = Some(("runs/a".into(), "abc".into()));
        kept.opened("other", &mut toasts);
        assert!(kept.wanted.is_none() && toasts.texts().any(|t| t.contains("other data")));
        kept.opened("other", &mut toasts);
        assert_eq!(toasts.texts().count(), 1);
    }

    #[test]
    fn what_is_no_run_is_refused_with_the_reason() {
        assert!(find(Path::new("/nowhere/at/all"), None).is_err_and(|why| why.contains("manifest.json")));
    }
}
