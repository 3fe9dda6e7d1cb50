//! The state of the window and what commands do to it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use eframe::egui;
use egui_tiles::Tree;

use super::history::History;
use super::import_flow::Import;
use super::kept_run::Kept;
use super::layout::{self, Named, Pane};
use super::meter::Meter;
use super::open::{Ask, Dialog, Opening, Picked, Request};
use super::palette::Palette;
use super::queue::Queue;
use super::report::ReportWindow;
use super::run::Run;
use super::session::{SessionKeeper, Sessions, process_id};
use super::settings::{Settings, SettingsWriter, ThemeChoice};
use super::sweeps::Sweeps;
use super::timeline::Timeline;
use super::toasts::{ToastKind, Toasts};
use super::windows::{Then, Windows};
use super::{AppOptions, Command, theme};
use crate::recording::{AreaRule, Recording};
use crate::training::Recipe;
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
    pub(super) is_demo: bool,
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
    pub(super) train_when_open: bool,
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
}

fn draws_in_software(cc: &eframe::CreationContext<'_>) -> bool {
    cc.wgpu_render_state.as_ref().is_some_and(|state| state.adapter.get_info().device_type == wgpu::DeviceType::Cpu)
}
