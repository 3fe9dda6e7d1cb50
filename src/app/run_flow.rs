//! Training in the window: a run is begun, queued, resumed and asked about here, and what became of it is told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use eframe::egui;

use super::layout::Named;
use super::queue::{JobId, QueueWish};
use super::run::{How, Run, run_folder};
use super::toasts::ToastKind;
use super::windows::{Answer, Then};
use super::{Command, SpikescopeApp};
use crate::runs::MANIFEST;
use crate::training::{Command as RunCommand, Phase, Recipe, TrainingError};

impl SpikescopeApp {
    /// Start training the open recording.
    pub(super) fn train(&mut self, ctx: &egui::Context, recipe: Recipe) {
        let Some(recording) = self.recording.clone() else {
            self.toasts.tell(ToastKind::Info, "Open a recording first, or try the demo");
            return;
        };
        if self.run.as_ref().is_some_and(Run::is_active) {
            self.toasts.tell(ToastKind::Info, "A training is running already; stop or discard it first");
            return;
        }
        let layout = Named::for_model(&recipe.model);
        let job = self.queue.add(recipe, &recording.fingerprint, &recording.name);
        if self.begin(ctx, job) && !self.arranged {
            self.tree = self.named(layout);
        }
    }

    /// Train this when everything before it has been trained.
    pub(super) fn enqueue(&mut self, recipe: Recipe) {
        let Some(recording) = &self.recording else { return };
        self.queue.add(recipe, &recording.fingerprint, &recording.name);
        let before = self.queue.waiting() - 1 + usize::from(self.queue.training().is_some());
        if before > 0 {
            self.toasts.tell(ToastKind::Info, format!("Queued; {before} before it"));
        }
    }

    /// Where new runs are written.
    pub(super) fn runs_dir(&self) -> Option<PathBuf> {
        self.settings.runs.clone().filter(|_| self.options.settings_path.is_some()).or_else(|| self.options.runs_dir.clone())
    }

    /// The job that could begin now.
    pub(super) fn due(&self) -> Option<JobId> {
        self.queue.due(self.recording.as_ref().map(|r| r.fingerprint.as_str())).map(|job| job.id)
    }

    /// Let every held run of the queue go on.
    pub(super) fn start_queue(&mut self) {
        self.queue.obey(QueueWish::ResumeAll);
        self.toasts.withdraw(Command::StartQueue);
    }

    pub(super) fn how_to_train(&self) -> How {
        How { pause: self.pause, on_device_lost: self.settings.on_device_lost }
    }

    /// When nothing trains and nothing else is about to happen, the next job begins.
    pub(super) fn begin_next(&mut self, ctx: &egui::Context) {
        if let (true, Some(job)) = (self.is_free(), self.due()) {
            self.begin(ctx, job);
        }
    }

    fn begin(&mut self, ctx: &egui::Context, id: JobId) -> bool {
        let (Some(recording), Some(job)) = (self.recording.clone(), self.queue.job(id)) else { return false };
        let recipe = job.recipe.clone();
        let now = SystemTime::now();
        // Two jobs that begin within a second must not share a folder.
        let taken = |folder: &PathBuf| self.queue.jobs().iter().any(|job| job.folder.as_ref() == Some(folder));
        let folder = self.runs_dir().and_then(|runs| {
            let first = run_folder(&runs, &recording.name, now);
            let numbered = |n: u32| first.with_file_name(format!("{}-{n}", first.file_name().unwrap_or_default().to_string_lossy()));
            std::iter::once(first.clone()).chain((2..1000).map(numbered)).find(|folder| !taken(folder))
        });
        // A job that was training when the program ended has a folder already, and goes on there.
        let before = job.folder.clone().filter(|folder| folder.join(MANIFEST).exists());
        let (started, folder) = match before {
            Some(before) => (Run::resume(ctx, self.how_to_train(), recording, before.clone()), Some(before)),
            None => (Run::start(ctx, self.how_to_train(), recording, recipe, folder.clone()), folder),
        };
        let begun = self.take_up(id, started, folder);
        if begun {
            self.kept.close();
        }
        begun
    }

    /// A job of the queue has begun, or could not.
    pub(super) fn take_up(&mut self, id: JobId, started: Result<Run, TrainingError>, folder: Option<PathBuf>) -> bool {
        match started {
            Ok(run) => {
                tracing::info!("training begins: {}", run.state().recipe.model.preset().key);
                self.began(id, run, folder);
                true
            }
            Err(e) => {
                self.queue.refused(id, e.to_string());
                self.toasts.error("Training could not be started", e.to_string());
                false
            }
        }
    }

    fn began(&mut self, job: JobId, run: Run, folder: Option<PathBuf>) {
        run.watch().into_iter().for_each(|watch| self.options.survivors.add(watch));
        self.sessions.run_begins(folder.clone());
        self.queue.began(job, folder);
        self.run = Some(run);
    }

    /// The run is not shown any more; one that trains is stopped and kept by its thread.
    pub(super) fn drop_run(&mut self) {
        self.sweeps.leave();
        if self.run.take().is_some_and(|run| run.is_active()) {
            self.queue.ended(&Phase::Finishing);
        }
    }

    /// Folder of the run that is shown, when its training can go on and nothing else trains.
    pub(super) fn resumable(&self) -> Option<PathBuf> {
        if self.recording.is_none() || self.run.as_ref().is_some_and(Run::is_active) {
            return None;
        }
        match self.kept.shown() {
            Some(kept) => kept.resumable.then(|| kept.folder.clone()),
            None => self.run.as_ref()?.resumable().map(std::path::Path::to_owned),
        }
    }

    /// Go on with the run that is shown.
    pub(super) fn resume_run(&mut self, ctx: &egui::Context) {
        let (Some(folder), Some(recording)) = (self.resumable(), self.recording.clone()) else { return };
        match Run::resume(ctx, self.how_to_train(), Arc::clone(&recording), folder.clone()) {
            Ok(run) => {
                let job = self.queue.job_of(&folder, run.state().recipe.clone(), &recording.fingerprint, &recording.name);
                self.began(job, run, Some(folder));
                self.kept.close();
            }
            Err(e) => self.toasts.error("The run could not be resumed", e.to_string()),
        }
    }

    pub(super) fn ended(&mut self, end: &Phase) {
        tracing::info!("training ended: {}", if matches!(end, Phase::Finished(_)) { "finished" } else { "stopped or failed" });
        self.queue.ended(end);
        self.sweeps.look_again();
        match end {
            Phase::Finished(finished) => {
                let kept = finished.run.as_ref().map(|run| format!("; the run is in {}", run.display())).unwrap_or_default();
                self.toasts.tell(ToastKind::Success, format!("Training finished{kept}"));
            }
            Phase::Failed(why) => {
                self.toasts.error("Training ended with an error; the window and the recording are not affected", why.clone())
            }
            Phase::Discarded => self.toasts.tell(ToastKind::Info, "The run was discarded"),
            Phase::Preparing | Phase::Running | Phase::Paused | Phase::Finishing => {}
        }
    }

    /// The user answered what to do with the running training.
    pub(super) fn answered(&mut self, ctx: &egui::Context, answer: Answer) {
        let Some(then) = self.question.take() else { return };
        let command = match answer {
            Answer::Cancel => return,
            Answer::GoOn => {
                // The run lives on without us; whoever started the window waits for it.
                if let Some(run) = &mut self.run {
                    run.leave();
                }
                return self.go_on(ctx, then);
            }
            Answer::Keep => RunCommand::StopAndKeep,
            Answer::Discard => RunCommand::Discard,
        };
        match &self.run {
            Some(run) if run.is_active() => {
                run.send(command);
                self.then = Some(then);
            }
            _ => self.go_on(ctx, then),
        }
    }

    pub(super) fn go_on(&mut self, ctx: &egui::Context, then: Then) {
        match then {
            Then::Quit => {
                self.may_close = true;
                ctx.send_viewport_cmd(egui::ViewportCommand::Close);
            }
            Then::Open(request) => self.open(ctx, request),
            Then::Close => self.close_recording(),
        }
    }
}
