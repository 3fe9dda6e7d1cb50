//! Opening and closing recordings in the window: what is asked for is read on a thread of its own, and takes the place of what is open
//! when it is there.

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui;

use super::SpikescopeApp;
use super::layout;
use super::open::{OpenFailure, Opened, Opening, Request, recipe_for};
use super::report::ReportWindow;
use super::run::Run;
use super::toasts::ToastKind;
use super::windows::Then;
use crate::recording::Recording;
use crate::training::Recipe;
use crate::views::work::Background;
use crate::views::{Selection, train};

impl SpikescopeApp {
    pub(super) fn open_from_options(&mut self, ctx: &egui::Context) {
        if self.options.demo {
            self.open(ctx, Request::Demo);
        } else {
            let files = std::mem::take(&mut self.options.files);
            self.open_several(ctx, files);
        }
    }

    pub(super) fn open_several(&mut self, ctx: &egui::Context, paths: Vec<PathBuf>) {
        let Some((first, others)) = paths.split_first() else { return };
        for other in others.iter().rev() {
            self.settings.remember(other);
        }
        if !others.is_empty() {
            let text = format!("{} is opened; {} more are in File, Open recent", Request::File(first.clone()).name(), others.len());
            self.toasts.tell(ToastKind::Info, text);
        }
        self.open(ctx, Request::File(first.clone()));
    }

    /// Open something, after asking about a running training.
    pub(super) fn open(&mut self, ctx: &egui::Context, request: Request) {
        if self.run.as_ref().is_some_and(Run::is_active) {
            self.question = Some(Then::Open(request));
            return;
        }
        if let Some(before) = self.opening.take() {
            before.cancel();
        }
        self.sessions.forget();
        match Opening::start(ctx, request, self.how()) {
            Ok(opening) => self.opening = Some(opening),
            Err(failure) => self.failed_to_open(failure),
        }
    }

    pub(super) fn failed_to_open(&mut self, failure: OpenFailure) {
        self.train_when_open = false;
        self.toasts.error(failure.text, failure.details);
    }

    pub(super) fn opened(&mut self, ctx: &egui::Context, opened: Opened) {
        match opened {
            Opened::NotYet => {}
            Opened::Cancelled => {
                self.opening = None;
                self.session_not_restored();
            }
            Opened::Failed(_) if self.restore_with_other_answers(ctx) => {}
            Opened::Failed(failure) => {
                self.opening = None;
                self.session_not_restored();
                self.failed_to_open(failure);
            }
            Opened::Question(choice) => {
                if let Some(opening) = self.opening.take() {
                    self.asked(&opening, *choice);
                }
            }
            Opened::Recording(recording) => {
                let opening = self.opening.take();
                self.import.shape = opening.as_ref().and_then(Opening::shape).map(|shape| shape.to_string());
                self.show_opened(ctx, opening.map(|opening| opening.request), recording);
            }
        }
    }

    /// Show a recording that was read.
    pub(super) fn show_opened(&mut self, ctx: &egui::Context, request: Option<Request>, recording: Arc<Recording>) {
        let recipe = match request {
            Some(Request::Demo) => self.options.recipe.clone().unwrap_or_else(Recipe::demo),
            // The demo's small encoder is not for other recordings, edited or not.
            _ if self.is_demo => Recipe::default(),
            _ => recipe_for(&self.recipe),
        };
        self.is_demo = matches!(request, Some(Request::Demo));
        tracing::info!("opened {}: {} units, {} spikes", recording.name, recording.n_units(), recording.spikes.n_spikes());
        if let Some(Request::File(path)) = request {
            self.settings.remember(&path);
        }
        self.take_over(ctx, recording, recipe);
        self.session_opened(ctx);
    }

    fn take_over(&mut self, ctx: &egui::Context, recording: Arc<Recording>, recipe: Recipe) {
        self.forget_selection();
        train::forget_problem(ctx);
        self.recipe = recipe;
        self.drop_run();
        self.kept.opened(&recording.fingerprint, &mut self.toasts);
        self.restore_layout(&recording.fingerprint);
        self.report = ReportWindow::default();
        self.take_notice(&recording);
        self.with_areas = Background::default();
        self.recording = Some(recording);
        self.sessions.keeper.look_now();
        if std::mem::take(&mut self.train_when_open) {
            self.train(ctx, self.recipe.clone());
        }
    }

    pub(super) fn close_recording(&mut self) {
        if self.run.as_ref().is_some_and(Run::is_active) {
            self.question = Some(Then::Close);
            return;
        }
        self.recording = None;
        self.drop_run();
        self.kept.close();
        self.report = ReportWindow::default();
        self.forget_selection();
    }

    /// Nothing is selected, pinned or to be undone any more.
    fn forget_selection(&mut self) {
        self.selection = Selection::default();
        self.pins.fill(None);
        self.history.clear();
    }

    /// Arrange the views as they were when this recording was open last; one that was not keeps what is there.
    fn restore_layout(&mut self, fingerprint: &str) {
        let Some(saved) = self.settings.layout_of(fingerprint) else { return };
        match layout::restore(saved, &self.keys) {
            Some(tree) => (self.tree, self.arranged) = (tree, true),
            None => {
                self.settings.keep_layout(fingerprint, None);
                self.toasts.tell(ToastKind::Info, "The layout saved for this recording does not fit this version; it is left as it is");
            }
        }
    }
}
