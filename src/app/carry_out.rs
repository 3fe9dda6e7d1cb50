//! Commands and requests of views: whether they make sense now, and doing them.

use eframe::egui;

use super::history::Moment;
use super::layout::{self, Named};
use super::open::{Ask, Change, Dialog, Request};
use super::run::Run;
use super::toasts::ToastKind;
use super::{Command, SpikescopeApp};
use crate::recording::Truth;
use crate::training::Command as RunCommand;
use crate::views::{Action, Selection, train};

impl SpikescopeApp {
    /// Whether a command makes sense now.
    pub(super) fn enabled(&self, command: Command) -> bool {
        let active = self.run.as_ref().is_some_and(Run::is_active);
        match command {
            Command::OpenRecent(index) => index < self.settings.recent.len(),
            Command::ShowReport | Command::CloseRecording | Command::Export => self.recording.is_some(),
            Command::ImportOptions => self.can_reconsider(),
            Command::Train => self.recording.is_some() && !active,
            Command::ResumeRun => self.resumable().is_some(),
            Command::QueueTraining => self.recording.is_some(),
            Command::StartQueue => self.queue.has_held(),
            Command::CloseKept => self.kept.shown().is_some(),
            Command::PauseOrResume | Command::Step | Command::StopAndKeep | Command::Discard => active,
            Command::Show(_) | Command::Layout(_) | Command::ResetLayout => self.recording.is_some() || self.run.is_some(),
            Command::RestoreSession => !active && self.sessions.can_restore(),
            Command::Undo => self.history.can_undo(),
            Command::Redo => self.history.can_redo(),
            Command::Play
            | Command::StepTime { .. }
            | Command::TimeStart
            | Command::TimeEnd
            | Command::GoToTime
            | Command::ZoomTime { .. }
            | Command::AllTime
            | Command::Loop
            | Command::ClearSelection => self.recording.is_some(),
            Command::NextEvent { .. } => self.recording.is_some() && self.timeline.has_events(),
            _ => true,
        }
    }

    /// Name of a command in menus; recent files by their names.
    pub(super) fn name(&self, command: Command) -> String {
        match command {
            Command::OpenRecent(index) => match self.settings.recent.get(index) {
                Some(path) => format!("Open {}", Request::File(path.clone()).name()),
                None => command.name(&self.titles),
            },
            _ => command.name(&self.titles),
        }
    }

    /// Carry out a command.
    pub fn execute(&mut self, ctx: &egui::Context, command: Command) {
        if !self.enabled(command) {
            return;
        }
        let run = |app: &Self, command| {
            if let Some(run) = &app.run {
                run.send(command);
            }
        };
        match command {
            Command::Open => self.ask(ctx, Ask::File),
            Command::OpenFolder => self.ask(ctx, Ask::Folder),
            Command::ImportOptions => self.reconsider(ctx),
            Command::Export => self.import.export.open = true,
            Command::OpenPath => self.windows.path = true,
            Command::OpenDemo => self.open(ctx, Request::Demo),
            Command::OpenRecent(index) => {
                if let Some(path) = self.settings.recent.get(index).cloned() {
                    self.open(ctx, Request::File(path));
                }
            }
            Command::ShowReport => self.report.open = true,
            Command::CloseRecording => self.close_recording(),
            Command::RestoreSession => self.restore_session(ctx),
            Command::Quit => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
            Command::Show(index) => self.show(index),
            Command::Layout(named) => (self.tree, self.arranged) = (self.named(named), true),
            Command::Undo => {
                if let Some(moment) = self.history.undo(self.moment()) {
                    self.go_back_to(moment);
                }
            }
            Command::Redo => {
                if let Some(moment) = self.history.redo(self.moment()) {
                    self.go_back_to(moment);
                }
            }
            Command::GoToTime => self.timeline.ask_for_time(),
            Command::Play
            | Command::StepTime { .. }
            | Command::TimeStart
            | Command::TimeEnd
            | Command::NextEvent { .. }
            | Command::ZoomTime { .. }
            | Command::AllTime
            | Command::Loop => self.timeline.execute(command, &mut self.selection),
            Command::ClearSelection => {
                let Selection { window, cursor, trial, events, looped, playback, .. } = std::mem::take(&mut self.selection);
                self.selection = Selection { window, cursor, trial, events, looped, playback, ..Selection::default() };
            }
            Command::ResetLayout => (self.tree, self.arranged) = (layout::explore(&self.keys), false),
            Command::Theme(theme) => {
                self.options.theme = None;
                self.settings.theme = theme;
                ctx.set_theme(theme);
            }
            Command::ZoomIn => egui::gui_zoom::zoom_in(ctx),
            Command::ZoomOut => egui::gui_zoom::zoom_out(ctx),
            Command::ZoomReset => ctx.set_zoom_factor(1.0),
            Command::FullScreen => {
                let full = ctx.input(|i| i.viewport().fullscreen.unwrap_or(false));
                ctx.send_viewport_cmd(egui::ViewportCommand::Fullscreen(!full));
            }
            Command::Settings => self.windows.settings = true,
            Command::Train => match train::problem(ctx) {
                Some(problem) => self.toasts.error("Training cannot start with these settings", problem),
                None => self.train(ctx, self.recipe.clone()),
            },
            Command::ResumeRun => self.resume_run(ctx),
            Command::QueueTraining => match train::problem(ctx) {
                Some(problem) => self.toasts.error("These settings cannot be trained", problem),
                None => self.enqueue(self.recipe.clone()),
            },
            Command::StartQueue => self.start_queue(),
            Command::CloseKept => self.kept.close(),
            Command::PauseOrResume => {
                run(self, if self.run.as_ref().is_some_and(Run::is_paused) { RunCommand::Resume } else { RunCommand::Pause })
            }
            Command::Step => run(self, RunCommand::Step),
            Command::StopAndKeep => run(self, RunCommand::StopAndKeep),
            Command::Discard => run(self, RunCommand::Discard),
            Command::Palette => self.palette.toggle(),
            Command::Help => self.windows.help = !self.windows.help,
            Command::SystemReport => self.windows.system.open = true,
            Command::About => self.windows.about = true,
        }
    }

    /// A named layout of the views there are.
    pub(super) fn named(&self, named: Named) -> egui_tiles::Tree<layout::Pane> {
        named.tree(&self.keys, self.recording.as_ref().is_some_and(|recording| recording.truth.as_ref().is_some_and(Truth::knows_edges)))
    }

    /// The window as it is now, for undo.
    pub(super) fn moment(&self) -> Moment {
        Moment::new(&self.selection, &self.tree, self.views.iter().map(|view| view.ordering()).collect())
    }

    fn go_back_to(&mut self, moment: Moment) {
        let mut playback = self.selection.playback.clone();
        playback.playing = false;
        self.selection = Selection { playback, ..moment.selection };
        self.arranged |= layout::shape(&self.tree) != layout::shape(&moment.tree);
        self.tree = moment.tree;
        for (view, ordering) in self.views.iter_mut().zip(&moment.orders) {
            if view.ordering() != *ordering {
                view.restore_ordering(ordering);
            }
        }
    }

    fn show(&mut self, index: usize) {
        if let Some(key) = self.keys.get(index) {
            self.arranged |= !layout::open_views(&self.tree).contains(*key);
            layout::show(&mut self.tree, key);
        }
    }

    pub(super) fn ask(&mut self, ctx: &egui::Context, asks: Ask) {
        if self.dialog.is_some() {
            self.toasts.tell(ToastKind::Info, "The file dialog is open already");
            return;
        }
        self.dialog = Dialog::open(ctx, asks);
        if self.dialog.is_none() {
            self.toasts.offer("The file dialog could not be opened", "Type a path", Command::OpenPath);
        }
    }

    /// Carry out what views asked for.
    pub(super) fn act(&mut self, ctx: &egui::Context, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Train(recipe) => self.train(ctx, *recipe),
                Action::Run(command) => {
                    if let Some(run) = &self.run {
                        run.send(command);
                    }
                }
                Action::Show(title) => {
                    if let Some(index) = self.find_view(title) {
                        self.show(index);
                    }
                }
                Action::Tell(text) => self.toasts.tell(ToastKind::Info, text),
                Action::OpenDialog => self.ask(ctx, Ask::File),
                Action::ImportOptions => self.execute(ctx, Command::ImportOptions),
                Action::Export => self.execute(ctx, Command::Export),
                Action::Decide(sidecar) => self.change_recording(ctx, Change::Sidecar(sidecar)),
                Action::AreaList(path) => self.change_recording(ctx, Change::AreaList(path)),
                Action::Queue(recipe) => self.enqueue(*recipe),
                Action::QueueWish(wish) => self.obey(wish),
                Action::Sweep(wish) => self.sweep(wish),
                Action::ShowRun(folder) => self.show_run(folder),
                Action::ResumeRun(folder) => self.show_and_resume(folder),
                Action::RunFolders(folders) => self.settings.run_folders = folders,
                Action::RunColumns(columns) => self.settings.run_columns = columns,
                Action::OnDeviceLost(choice) => self.settings.on_device_lost = choice,
                Action::AskRunFolder => self.ask(ctx, Ask::Runs),
                Action::OpenDemo => self.open(ctx, Request::Demo),
            }
        }
    }
}
