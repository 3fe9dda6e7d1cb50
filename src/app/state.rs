//! The state of the window and what commands do to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use eframe::egui;
use egui_tiles::Tree;

use super::history::History;
use super::import_flow::Import;
use super::kept_run::Kept;
use super::layout::{self, Named, Pane};
use super::meter::Meter;
use super::open::{Ask, Dialog, OpenFailure, Opened, Opening, Picked, Request, recipe_for};
use super::palette::Palette;
use super::queue::{JobId, Queue};
use super::report::ReportWindow;
use super::run::{Run, run_folder};
use super::session::{SessionKeeper, Sessions, process_id};
use super::settings::{Settings, SettingsWriter, ThemeChoice};
use super::sweeps::Sweeps;
use super::timeline::Timeline;
use super::toasts::{ToastKind, Toasts};
use super::windows::{Answer, Then, Windows};
use super::{AppOptions, Command, theme};
use crate::recording::{AreaRule, Recording};
use crate::training::{Command as RunCommand, Phase, Recipe, TrainingError};
use crate::views::train;
use crate::views::work::{self, Background};
use crate::views::{RunState, Selection, VIEWS, View};

/// The app behind the window.
pub struct SpikescopeApp {
    pub(super) options: AppOptions,
    pub(super) settings: Settings,
    pub(super) writer: SettingsWriter,
    pub(super) views: Vec<Box<dyn View>>,
    pub(super) titles: Vec<&'static str>,
    pub(super) keys: Vec<&'static str>,
    pub(super) tree: Tree<Pane>,
    /// The user arranged the views; until then the window chooses the layout that fits what is being done.
    pub(super) arranged: bool,
    pub(super) recording: Option<Arc<Recording>>,
    /// The recording with the areas of the recipe; what most views show.
    pub(super) with_areas: Background<(String, AreaRule), Option<Arc<Recording>>>,
    pub(super) run: Option<Run>,
    /// Runs to be trained, the one that trains included.
    pub(super) queue: Queue,
    /// The kept run that views show in its place.
    pub(super) kept: Kept,
    /// Runs with drawn settings, one after another.
    pub(super) sweeps: Sweeps,
    pub(super) selection: Selection,
    /// Selections of views that are pinned; they do not follow the window.
    pub(super) pins: Vec<Option<Selection>>,
    pub(super) history: History,
    pub(super) sessions: Sessions,
    pub(super) timeline: Timeline,
    /// The demo is open: its recipe is not for other recordings.
    is_demo: bool,
    pub(super) recipe: Recipe,
    pub(super) opening: Option<Opening>,
    pub(super) dialog: Option<Dialog>,
    pub(super) import: Import,
    pub(super) toasts: Toasts,
    pub(super) palette: Palette,
    pub(super) report: ReportWindow,
    pub(super) windows: Windows,
    /// Asked while training runs; the user has not answered yet.
    pub(super) question: Option<Then>,
    /// Answered: done as soon as the run is over.
    pub(super) then: Option<Then>,
    pub(super) path: String,
    pub(super) meter: Meter,
    pub(super) frames: u64,
    /// Only this view, without menus (pictures of single views).
    pub(super) only: Option<usize>,
    pub(super) may_close: bool,
    train_when_open: bool,
    /// Least time from news of a training to the frame that shows it.
    pub(super) pause: Duration,
}

/// On a software adapter drawing and training share the cores: some frames a second are enough.
const PAUSE_ON_SOFTWARE: Duration = Duration::from_millis(150);

impl SpikescopeApp {
    /// The app of a normal start. Reads the settings, once, before the first frame; recordings are read after it.
    pub fn new(cc: &eframe::CreationContext<'_>, options: AppOptions) -> Self {
        let (settings, problem) = options.settings_path.as_deref().map(Settings::load).unwrap_or_default();
        let mut app = Self::build(cc, options, settings);
        app.meter = Meter::start();
        let id = app.options.black_box.as_ref().map_or_else(|| process_id(SystemTime::now()), |black_box| black_box.id().to_owned());
        app.sessions.keeper = SessionKeeper::start(&cc.egui_ctx, app.options.state_dir.clone(), id);
        if let Some(problem) = problem {
            app.toasts.error("Settings could not be used as they are", problem);
        }
        if let Some(saved) = app.settings.layout.clone() {
            match layout::restore(&saved, &app.keys) {
                Some(tree) => (app.tree, app.arranged) = (tree, true),
                None => app.toasts.tell(ToastKind::Info, "The saved layout does not fit this version; the first layout is used"),
            }
        }
        app
    }

    /// The app showing what is given and nothing else: no settings, no files. `show` draws only the view with this key or
    /// title, without menus. For tests and pictures.
    pub fn from_state(
        cc: &eframe::CreationContext<'_>,
        recording: Option<Arc<Recording>>,
        run: Option<RunState>,
        show: Option<&str>,
    ) -> Self {
        let mut app = Self::build(cc, AppOptions::default(), Settings::default());
        app.only = show.and_then(|name| app.find_view(name));
        app.recording = recording.or_else(|| run.as_ref().and_then(|r| r.data.as_ref()).map(|data| Arc::clone(&data.0)));
        if let Some(run) = run {
            app.recipe = run.recipe.clone();
            app.tree = app.named(Named::for_model(&app.recipe.model));
            app.run = Some(Run::finished(run));
        }
        app
    }

    fn build(cc: &eframe::CreationContext<'_>, options: AppOptions, settings: Settings) -> Self {
        theme::apply(&cc.egui_ctx);
        if let Some(render_state) = &cc.wgpu_render_state {
            crate::render::install(render_state);
        }
        let views: Vec<Box<dyn View>> = VIEWS.iter().map(|spec| (spec.make)()).collect();
        let titles = views.iter().map(|view| view.title()).collect();
        let keys: Vec<&'static str> = VIEWS.iter().map(|spec| spec.key).collect();
        let tree = if options.train_at_once { layout::couplings(&keys, options.demo) } else { layout::explore(&keys) };
        let app = Self {
            writer: SettingsWriter::new(options.settings_path.clone(), settings.clone()),
            recipe: options.recipe.clone().unwrap_or_default(),
            train_when_open: options.train_at_once,
            options,
            settings,
            views,
            titles,
            keys,
            tree,
            arranged: false,
            recording: None,
            with_areas: Background::default(),
            run: None,
            queue: Queue::default(),
            kept: Kept::default(),
            sweeps: Sweeps::default(),
            selection: Selection::default(),
            pins: vec![None; VIEWS.len()],
            history: History::default(),
            sessions: Sessions::default(),
            timeline: Timeline::default(),
            is_demo: false,
            opening: None,
            dialog: None,
            import: Import::default(),
            toasts: Toasts::default(),
            palette: Palette::default(),
            report: ReportWindow::default(),
            windows: Windows::default(),
            question: None,
            then: None,
            path: String::new(),
            meter: Meter::default(),
            frames: 0,
            only: None,
            may_close: false,
            pause: if draws_in_software(cc) { PAUSE_ON_SOFTWARE } else { Duration::ZERO },
        };
        if let Some(theme) = app.theme() {
            cc.egui_ctx.set_theme(theme);
        }
        app
    }

    /// The open recording.
    pub fn recording(&self) -> Option<&Arc<Recording>> {
        self.recording.as_ref()
    }

    /// The run beside it.
    pub fn run(&self) -> Option<&RunState> {
        self.run.as_ref().map(Run::state)
    }

    /// Runs to be trained.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The recipe of the Train view.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The arrangement of the views as text: containers, views in order, shares.
    pub fn layout_shape(&self) -> String {
        layout::shape(&self.tree)
    }

    /// The window's selection, to be changed from outside (tests, pictures).
    pub fn selection_mut(&mut self) -> &mut Selection {
        &mut self.selection
    }

    /// The window's selection.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Texts of the messages now shown.
    pub fn messages(&self) -> Vec<String> {
        self.toasts.texts().map(str::to_owned).collect()
    }

    /// True while something is being read or computed for the window (training not counted): a picture would not be complete.
    pub fn is_busy(&self, ctx: &egui::Context) -> bool {
        self.opening.is_some()
            || self.import.is_busy()
            || self.sessions.keeper.is_looking()
            || work::pending(ctx) > 0
            || (self.frames < 2 && (self.options.demo || !self.options.files.is_empty()))
    }

    /// Theme to use: the option, else the settings; `None` leaves what the context has (tests).
    pub(super) fn theme(&self) -> Option<ThemeChoice> {
        self.options.theme.or(self.options.settings_path.as_ref().map(|_| self.settings.theme))
    }

    pub(super) fn find_view(&self, name: &str) -> Option<usize> {
        (0..self.views.len()).find(|&i| self.keys.get(i) == Some(&name) || self.titles.get(i).is_some_and(|t| t.eq_ignore_ascii_case(name)))
    }

    /// The recording with the areas of the recipe, as far as it is ready.
    pub(super) fn shown(&mut self, ctx: &egui::Context) -> Option<Arc<Recording>> {
        let recording = self.recording.as_ref()?;
        let rule = self.recipe.data.areas.clone();
        if rule == AreaRule::Recorded {
            return Some(Arc::clone(recording));
        }
        let key = (recording.fingerprint.clone(), rule.clone());
        let theirs = Arc::clone(recording);
        let ready = self.with_areas.get(ctx, "areas by rule", &key, move || rule.apply(&theirs).ok().map(Arc::new)).cloned();
        Some(ready.flatten().unwrap_or_else(|| Arc::clone(recording)))
    }

    /// Look at everything that goes on behind the window; never waits.
    pub(super) fn poll(&mut self, ctx: &egui::Context) {
        // The first frame is on the screen before anything is read.
        if self.frames == 1 {
            if let Some(tell) = self.options.first_frame.take() {
                tell();
                self.may_close = true;
                ctx.send_viewport_cmd(egui::ViewportCommand::Close);
            }
            self.open_from_options(ctx);
        }
        self.poll_session(ctx);
        if let Some(opened) = self.opening.as_ref().map(Opening::poll) {
            self.opened(ctx, opened);
        }
        match self.dialog.as_ref().map(Dialog::poll) {
            None | Some(Picked::NotYet) => {}
            Some(Picked::File(path)) => match self.dialog.take().map(|dialog| dialog.asks) {
                Some(Ask::Save(_)) => self.import.export.path = path.display().to_string(),
                Some(Ask::Runs) => self.add_run_folder(path),
                _ => self.open(ctx, Request::File(path)),
            },
            Some(Picked::Nothing) => self.dialog = None,
            Some(Picked::NoDialog) => {
                self.dialog = None;
                let text = "No file was chosen. If no dialog appeared, this system has no file dialog service (portal): type the path, drop the file here, or run “spikescope FILE”";
                self.toasts.offer(text, "Type a path", Command::OpenPath);
            }
        }
        for message in self.run.as_mut().map(Run::messages).unwrap_or_default() {
            self.toasts.tell(ToastKind::Info, message);
        }
        if let Some(end) = self.run.as_mut().and_then(Run::poll) {
            self.ended(&end);
            if self.options.quit_when_done && self.due().is_none() {
                self.go_on(ctx, Then::Quit);
            }
        }
        if !self.run.as_ref().is_some_and(Run::is_active)
            && let Some(then) = self.then.take()
        {
            self.go_on(ctx, then);
        }
        self.begin_next(ctx);
        self.poll_sweeps(ctx);
        self.poll_kept(ctx);
        let dropped: Vec<_> = ctx.input(|i| i.raw.dropped_files.iter().map(|f| f.path().to_owned()).collect());
        self.open_several(ctx, dropped);
        let closing = ctx.input(|i| i.viewport().close_requested());
        if closing && !self.may_close && self.run.as_ref().is_some_and(Run::is_active) {
            ctx.send_viewport_cmd(egui::ViewportCommand::CancelClose);
            self.question = Some(Then::Quit);
        }
    }

    fn open_from_options(&mut self, ctx: &egui::Context) {
        if self.options.demo {
            self.open(ctx, Request::Demo);
        } else {
            let files = std::mem::take(&mut self.options.files);
            self.open_several(ctx, files);
        }
    }

    fn open_several(&mut self, ctx: &egui::Context, paths: Vec<PathBuf>) {
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

    fn failed_to_open(&mut self, failure: OpenFailure) {
        self.train_when_open = false;
        self.toasts.error(failure.text, failure.details);
    }

    fn opened(&mut self, ctx: &egui::Context, opened: Opened) {
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

    /// When nothing trains and nothing else is about to happen, the next job begins.
    fn begin_next(&mut self, ctx: &egui::Context) {
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
        let started = Run::start(ctx, self.pause, recording, recipe, folder.clone());
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
                run.watch().into_iter().for_each(|watch| self.options.survivors.add(watch));
                self.sessions.run_begins(folder.clone());
                self.queue.began(id, folder);
                self.run = Some(run);
                true
            }
            Err(e) => {
                self.queue.refused(id, e.to_string());
                self.toasts.error("Training could not be started", e.to_string());
                false
            }
        }
    }

    /// The run is not shown any more; one that trains is stopped and kept by its thread.
    fn drop_run(&mut self) {
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
        match Run::resume(ctx, self.pause, recording, folder.clone()) {
            Ok(run) => {
                run.watch().into_iter().for_each(|watch| self.options.survivors.add(watch));
                self.sessions.run_begins(Some(folder));
                self.run = Some(run);
                self.kept.close();
            }
            Err(e) => self.toasts.error("The run could not be resumed", e.to_string()),
        }
    }

    fn ended(&mut self, end: &Phase) {
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

    fn go_on(&mut self, ctx: &egui::Context, then: Then) {
        match then {
            Then::Quit => {
                self.may_close = true;
                ctx.send_viewport_cmd(egui::ViewportCommand::Close);
            }
            Then::Open(request) => self.open(ctx, request),
            Then::Close => self.close_recording(),
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
}

fn draws_in_software(cc: &eframe::CreationContext<'_>) -> bool {
    cc.wgpu_render_state.as_ref().is_some_and(|state| state.adapter.get_info().device_type == wgpu::DeviceType::Cpu)
}
