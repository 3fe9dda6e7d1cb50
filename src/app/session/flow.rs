//! What the window does with sessions: keeps its own, offers the last one after a crash, and restores it when it is asked to.

use std::path::{Path, PathBuf};

use eframe::egui;

use super::store::Earlier;
use super::{OpenRecording, RunOfSession, SavedSelection, Session, SessionKeeper};
use crate::app::open::{Change, How, Opening, Request};
use crate::app::run::Run;
use crate::app::toasts::ToastKind;
use crate::app::{Command, Queue, SpikescopeApp, layout};
use crate::recording::{Recording, Source};
use crate::training::Recipe;

/// Zoom of the window that a session may ask for.
const ZOOM: std::ops::RangeInclusive<f32> = 0.4..=4.0;

/// Sessions of the window: its own and those that are over.
#[derive(Default)]
pub struct Sessions {
    pub(in crate::app) keeper: SessionKeeper,
    /// Sessions that are over, newest first.
    earlier: Vec<Earlier>,
    /// Being restored: its recording is opening.
    restoring: Option<Box<Earlier>>,
    /// Zoom of the window when it was last looked at.
    zoom: Option<f32>,
    /// Runs of this window.
    runs: Vec<RunOfSession>,
}

impl Sessions {
    /// True when there is one to restore.
    pub(in crate::app) fn can_restore(&self) -> bool {
        self.next().is_some()
    }

    /// The newest that did not end well, else the newest.
    fn next(&self) -> Option<usize> {
        let worth = |earlier: &Earlier| earlier.session.is_worth_restoring();
        let crashed = self.earlier.iter().position(|earlier| worth(earlier) && !earlier.session.ended);
        crashed.or_else(|| self.earlier.iter().position(worth))
    }

    /// A run has begun in this folder.
    pub(in crate::app) fn run_begins(&mut self, folder: Option<PathBuf>) {
        self.keeper.look_now();
        self.runs.iter_mut().for_each(|run| run.going = false);
        self.runs.extend(folder.map(|folder| RunOfSession { folder, going: true }));
    }

    /// True when the run that was begun last is written to a folder.
    pub(in crate::app) fn writes_a_run(&self) -> bool {
        self.runs.last().is_some_and(|run| run.going)
    }

    /// A recording is opened that is not of the session being restored.
    pub(in crate::app) fn forget(&mut self) {
        self.restoring = None;
    }
}

impl SpikescopeApp {
    /// Look at sessions once a frame: tell what was found, write what has changed.
    pub(in crate::app) fn poll_session(&mut self, ctx: &egui::Context) {
        if let Some(found) = self.sessions.keeper.found() {
            self.sessions.earlier = found.earlier;
            for told in found.told {
                self.toasts.error("A saved session could not be used", told);
            }
            self.offer_last_session();
        }
        if let Some(report) = self.options.black_box.as_ref().and_then(|black_box| black_box.news()) {
            self.toasts.error("Spikescope has a fault; a report was written", format!("It is in {}", report.display()));
        }
        if self.sessions.keeper.due(ctx) {
            self.sessions.zoom = Some(ctx.zoom_factor());
            let session = self.session_now(self.sessions.zoom);
            if self.sessions.keeper.keep(&session)
                && let Some(black_box) = &self.options.black_box
            {
                black_box.show(session);
            }
        }
    }

    fn offer_last_session(&mut self) {
        let Some(last) = self.sessions.next().and_then(|at| self.sessions.earlier.get(at)) else { return };
        let queued = last.session.queued();
        if last.session.ended {
            // It ended well, but somebody asked for trainings that have not been done.
            if queued > 0 {
                let text = format!("{} not trained to the end in the last session", counted(queued));
                self.toasts.offer(text, "Restore the last session", Command::RestoreSession);
            }
            return;
        }
        let name = last.session.open.as_ref().map(|open| open.name.clone()).unwrap_or_default();
        // `2026-11-21T10:02:33Z` as people write it.
        let when: String = last.session.saved.chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect();
        let mut text = format!("The last session did not end in the normal way ({when} UTC); {name} was open");
        if let Some(run) = last.session.going() {
            text.push_str(&format!(". A training was running; its folder is {}", run.folder.display()));
        }
        if queued > 0 {
            text.push_str(&format!(". {} not trained to the end", counted(queued)));
        }
        if let Some(report) = &last.report {
            text.push_str(&format!(". A report about the fault is in {}", report.display()));
        }
        self.toasts.offer(text, "Restore the last session", Command::RestoreSession);
    }

    /// The window as it is now.
    pub(in crate::app) fn session_now(&self, zoom: Option<f32>) -> Session {
        let queue = self.queue.to_keep().and_then(|queue| serde_json::to_value(queue).ok());
        let Some(recording) = &self.recording else {
            return Session { zoom, queue, runs: self.runs_now(), ..Session::default() };
        };
        let saved = |selection| SavedSelection::of(selection, recording);
        let pins = self.keys.iter().zip(&self.pins).filter_map(|(key, pin)| Some(((*key).to_owned(), saved(pin.as_ref()?))));
        let orders = self.keys.iter().zip(&self.views).map(|(key, view)| ((*key).to_owned(), view.ordering()));
        Session {
            open: open_now(recording),
            recipe: serde_json::to_value(&self.recipe).ok(),
            layout: if self.arranged { layout::save(&self.tree) } else { None },
            selection: saved(&self.selection),
            pins: pins.collect(),
            orders: orders.filter(|(_, order)| !order.is_null()).collect(),
            zoom,
            runs: self.runs_now(),
            shown: self.folder_shown().map(Path::to_owned),
            queue,
            ..Session::default()
        }
    }

    /// Folder of the run that views show, where it is kept.
    fn folder_shown(&self) -> Option<&Path> {
        let own = || self.run.as_ref().and_then(Run::folder);
        self.kept.folder().or_else(own)
    }

    fn runs_now(&self) -> Vec<RunOfSession> {
        let active = self.run.as_ref().is_some_and(Run::is_active);
        let last = self.sessions.runs.len().wrapping_sub(1);
        self.sessions
            .runs
            .iter()
            .enumerate()
            .map(|(at, run)| RunOfSession { going: run.going && active && at == last, ..run.clone() })
            .collect()
    }

    /// The window closes in the normal way.
    pub(in crate::app) fn end_session(&mut self) {
        let session = self.session_now(self.sessions.zoom);
        let told = std::mem::take(&mut self.sessions.earlier).into_iter().filter(|earlier| !earlier.session.ended).collect();
        self.sessions.keeper.end(session, told);
    }

    /// Open what the last session had open; the rest follows when it is read.
    pub(in crate::app) fn restore_session(&mut self, ctx: &egui::Context) {
        if self.run.as_ref().is_some_and(Run::is_active) {
            self.toasts.tell(ToastKind::Info, "A training is running; stop it before the last session is restored");
            return;
        }
        let Some(at) = self.sessions.next() else { return };
        let earlier = self.sessions.earlier.remove(at);
        let Some(open) = earlier.session.open.clone() else {
            // Nothing was open; runs were waiting all the same.
            self.sessions.keeper.take_over(&earlier);
            self.toasts.withdraw(Command::RestoreSession);
            self.bring_back_queue(&earlier.session);
            return;
        };
        let request = open.path.map_or(Request::Demo, Request::File);
        if let Some(before) = self.opening.take() {
            before.cancel();
        }
        // With the answers of that time; the file may have changed, then the reader says so.
        let how = How { answers: Some(open.answers).filter(|answers| !answers.is_empty()), ..self.how() };
        match Opening::start(ctx, request, how) {
            Ok(opening) => {
                self.opening = Some(opening);
                self.sessions.restoring = Some(Box::new(earlier));
            }
            Err(failure) => {
                self.sessions.earlier.insert(at, earlier);
                self.toasts.error(failure.text, failure.details);
            }
        }
    }

    /// The file is not what it was: try once more without the answers of that time. False when there is nothing to try.
    pub(in crate::app) fn restore_with_other_answers(&mut self, ctx: &egui::Context) -> bool {
        let Some(open) = self.sessions.restoring.as_mut().and_then(|earlier| earlier.session.open.as_mut()) else { return false };
        if std::mem::take(&mut open.answers).is_empty() {
            return false;
        }
        let request = open.path.clone().map_or(Request::Demo, Request::File);
        self.opening = Opening::start(ctx, request, self.how()).ok();
        self.opening.is_some()
    }

    /// The recording of the session could not be read: it can be tried again.
    pub(in crate::app) fn session_not_restored(&mut self) {
        if let Some(earlier) = self.sessions.restoring.take() {
            self.toasts.tell(ToastKind::Info, "The last session was not restored; File, Restore the last session tries again");
            self.sessions.earlier.insert(0, *earlier);
        }
    }

    /// The recording of the session is open now: everything else as it was.
    pub(in crate::app) fn session_opened(&mut self, ctx: &egui::Context) {
        let (Some(earlier), Some(recording)) = (self.sessions.restoring.take(), self.recording.clone()) else { return };
        let session = &earlier.session;
        let mut missing = Vec::new();
        if let Some(recipe) = &session.recipe {
            match Recipe::parse(&recipe.to_string()).and_then(|recipe| recipe.check().map(|()| recipe)) {
                Ok(recipe) => self.recipe = recipe,
                Err(e) => missing.push(format!("the recipe ({e})")),
            }
        }
        if let Some(saved) = &session.layout {
            match layout::restore(saved, &self.keys) {
                Some(tree) => (self.tree, self.arranged) = (tree, true),
                None => missing.push("the layout (it does not fit this version)".to_owned()),
            }
        }
        for (key, order) in &session.orders {
            if let Some(view) = self.keys.iter().position(|known| known == key).and_then(|at| self.views.get_mut(at)) {
                view.restore_ordering(order);
            }
        }
        let open = session.open.clone().unwrap_or_default();
        if open.fingerprint == recording.fingerprint {
            self.selection = session.selection.restored(&recording);
            for (key, pin) in &session.pins {
                if let Some(place) = self.keys.iter().position(|known| known == key).and_then(|at| self.pins.get_mut(at)) {
                    *place = Some(pin.restored(&recording));
                }
            }
            // On the shelf as a rule; then the recording came with them.
            if let (Some(decisions), None) = (open.decisions, &recording.prepared) {
                self.change_recording(ctx, Change::Sidecar(Box::new(decisions)));
            }
            if let Some(folder) = session.shown.clone() {
                self.kept.open_again(folder);
            }
        } else {
            let what = if session.shown.is_some() { "the selection and the run that was shown" } else { "the selection" };
            missing.push(format!("{what} (the data have changed since)"));
        }
        if let Some(zoom) = session.zoom.filter(|zoom| ZOOM.contains(zoom)) {
            ctx.set_zoom_factor(zoom);
        }
        self.history.clear();
        self.sessions.runs = session.runs.iter().map(|run| RunOfSession { going: false, ..run.clone() }).collect();
        self.sessions.keeper.take_over(&earlier);
        let mut text = "The last session is restored".to_owned();
        if !missing.is_empty() {
            text.push_str(&format!(", without {}", missing.join(" and ")));
        }
        if let Some(run) = session.runs.last() {
            text.push_str(&format!(". Its last run is in {}", run.folder.display()));
        }
        self.toasts.withdraw(Command::RestoreSession);
        self.toasts.tell(ToastKind::Success, text);
        self.bring_back_queue(session);
    }

    /// The runs that were to be trained come back held: hours of training begin when the user says so, not because a window opens.
    fn bring_back_queue(&mut self, session: &Session) {
        let Some(kept) = &session.queue else { return };
        match serde_json::from_value::<Queue>(kept.clone()) {
            Ok(queue) => {
                let n = self.queue.bring_back(queue);
                if n > 0 {
                    let held = if n == 1 { "is held until you let it go on" } else { "are held until you let them go on" };
                    let text = format!("{} not trained to the end, and {held} (Train view, Queue)", counted(n));
                    self.toasts.offer(text, "Start the queue", Command::StartQueue);
                }
            }
            Err(e) => self.toasts.error("The queue of the last session could not be used", e.to_string()),
        }
    }

    /// Folders of the runs of this window and of the session it restored, oldest first.
    pub fn runs_of_session(&self) -> impl Iterator<Item = &Path> {
        self.sessions.runs.iter().map(|run| run.folder.as_path())
    }
}

/// The beginning of a sentence about runs.
fn counted(runs: usize) -> String {
    if runs == 1 { "1 run of the queue was".to_owned() } else { format!("{runs} runs of the queue were") }
}

/// What is open, when a later start can open it again.
fn open_now(recording: &Recording) -> Option<OpenRecording> {
    let path = match &recording.source {
        Source::File(path) => Some(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        Source::Simulated { simulator, .. } if simulator == "demo" => None,
        Source::Simulated { .. } => return None,
    };
    Some(OpenRecording {
        path,
        name: recording.name.clone(),
        fingerprint: recording.fingerprint.clone(),
        answers: recording.report.answers(),
        decisions: recording.prepared.as_ref().map(|prepared| prepared.sidecar.clone()),
    })
}
