//! One frame: menu, views, status, windows; then what they asked for.

use std::sync::Arc;

use eframe::egui::{self, CornerRadius, Margin, Popup, RichText, Stroke, Ui, Visuals, WidgetText};
use egui_tiles::{Behavior, EditAction, SimplificationOptions, TabState, Tile, TileId, Tiles, Tree, UiResponse};

use super::layout::{self, Pane};
use super::report::ReportWish;
use super::run::Run;
use super::{Break, Command, SpikescopeApp, borders, theme, welcome, windows};
use crate::recording::Recording;
use crate::render::AreaColors;
use crate::training::Recipe;
use crate::views::{Action, MOST_TRIALS, RunState, RunsContext, Selection, VIEWS, View, ViewContext, widgets};

impl eframe::App for SpikescopeApp {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.poll(ctx);
    }

    fn ui(&mut self, ui: &mut Ui, frame: &mut eframe::Frame) {
        self.meter.begin();
        self.break_when_asked(frame);
        let ctx = ui.ctx().clone();
        let shown = self.recording.as_ref();
        AreaColors::new(shown.into_iter().flat_map(|r| (0..r.areas.len()).map(|area| r.area_color(area)))).set(&ctx);
        let mut command = Command::pressed(&ctx);
        let mut actions = Vec::new();
        match self.only {
            Some(index) => self.single_view(ui, index, &mut actions),
            None => {
                command = self.whole_window(ui, &mut actions).or(command);
                command = self.floating(&ctx).or(command);
            }
        }
        if let Some(command) = command.or_else(|| self.only.is_none().then(|| Command::pressed_plain(&ctx)).flatten()) {
            self.execute(&ctx, command);
        }
        self.act(&ctx, actions);
        self.remember_step(&ctx);
        self.remember();
        if self.frames == 0 {
            // What the options ask for begins once this frame is on the screen.
            ctx.request_repaint();
        }
        self.frames += 1;
        self.meter.end();
    }

    fn on_exit(&mut self) {
        self.end_session();
    }

    fn clear_color(&self, visuals: &Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

impl SpikescopeApp {
    fn whole_window(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) -> Option<Command> {
        let tokens = theme::of(ui);
        let bar = |x, y| egui::Frame::new().fill(tokens.chrome).inner_margin(Margin::symmetric(x, y));
        let menu = egui::Panel::top("menu").frame(bar(8, 3)).show_separator_line(false).show(ui, |ui| self.menu_bar(ui)).inner;
        let status = egui::Panel::bottom("status").frame(bar(10, 4)).show_separator_line(false).show(ui, |ui| self.status_bar(ui)).inner;
        let noticed = self.notice_bar(ui).or(self.kept_bar(ui));
        let time = self.time_bar(ui, bar(10, 2));
        let mut wish = None;
        let empty = self.recording.is_none() && self.run.is_none();
        let frame = if empty { egui::Frame::new().fill(tokens.pane) } else { bar(6, 0) };
        egui::CentralPanel::default().frame(frame).show(ui, |ui| {
            if empty {
                let missing = self.import.missing(ui.ctx(), &self.settings.recent);
                wish = welcome::ui(ui, &self.settings, &missing, self.opening.as_ref(), &mut self.path);
            } else {
                self.tiles(ui, actions);
            }
        });
        let wished = match wish {
            Some(welcome::Wish::Command(command)) => Some(command),
            Some(welcome::Wish::Open(request)) => {
                self.open(&ui.ctx().clone(), request);
                None
            }
            None => None,
        };
        menu.or(status).or(noticed).or(time).or(wished)
    }

    fn tiles(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        if layout::open_views(&self.tree).is_empty() {
            if widgets::empty(ui, "All views are closed", "Open one from the View menu, or bring all of them back.", Some("Reset layout")) {
                self.execute(&ui.ctx().clone(), Command::ResetLayout);
            }
            return;
        }
        let shown = self.shown(ui.ctx());
        // Taken out and put back, so that the views can be borrowed while the tree is drawn.
        let mut tree = std::mem::replace(&mut self.tree, Tree::empty(egui::Id::unique("views")));
        self.with_panes(shown.as_ref(), actions, |panes| {
            tree.ui(panes, ui);
            let title = |pane: &Pane| panes.index(pane).and_then(|at| panes.titles.get(at)).copied().unwrap_or_default().to_owned();
            let moved = borders::ui(&mut tree, ui, &title);
            *panes.arranged |= moved;
        });
        self.tree = tree;
    }

    fn single_view(&mut self, ui: &mut Ui, index: usize, actions: &mut Vec<Action>) {
        let shown = self.shown(ui.ctx());
        let tokens = theme::of(ui);
        let frame = egui::Frame::new().fill(tokens.pane).inner_margin(Margin::same(12));
        egui::CentralPanel::default().frame(frame).show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.label(RichText::new(self.titles.get(index).copied().unwrap_or_default()).size(17.0));
                if let Some(view) = self.views.get(index) {
                    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| help_button(ui, view.as_ref()));
                }
            });
            self.with_panes(shown.as_ref(), actions, |panes| panes.draw(ui, index));
        });
    }

    /// Draw views, tell the run what was looked at, and keep the selection consistent.
    fn with_panes(&mut self, shown: Option<&Arc<Recording>>, actions: &mut Vec<Action>, draw: impl FnOnce(&mut Panes<'_>)) {
        let mut looks = Vec::new();
        let own = self.runs_dir();
        let live = self.run.as_ref().map(Run::state);
        let kept = self.kept.shown();
        let runs = RunsContext {
            own: own.as_deref(),
            others: &self.settings.run_folders,
            columns: &self.settings.run_columns,
            queue: Some(&self.queue),
            sweeps: Some(&self.sweeps),
            live,
            kept: kept.map(|kept| kept.folder.as_path()),
            on_device_lost: self.settings.on_device_lost,
        };
        let mut panes = Panes {
            views: &mut self.views,
            titles: &self.titles,
            keys: &self.keys,
            recorded: self.recording.as_ref(),
            shown,
            run: kept.map(|kept| &kept.state).or(live),
            runs,
            selection: &mut self.selection,
            pins: &mut self.pins,
            recipe: &mut self.recipe,
            actions,
            looks: &mut looks,
            arranged: &mut self.arranged,
        };
        draw(&mut panes);
        if let Some(recording) = shown {
            self.selection.settle(recording);
        }
        if let (false, true, Some(run)) = (looks.is_empty(), self.kept.shown().is_none(), &self.run) {
            run.look(&looks);
        }
    }

    /// The bar that moves through time, and time that plays.
    fn time_bar(&mut self, ui: &mut Ui, frame: egui::Frame) -> Option<Command> {
        let recording = self.recording.as_ref()?;
        self.timeline.follow(recording, &self.selection);
        if let Some(bounds) = self.timeline.bounds() {
            self.selection.advance(ui.ctx(), bounds);
        }
        let bar = egui::Panel::bottom("time").frame(frame).show_separator_line(false);
        bar.show(ui, |ui| self.timeline.ui(ui, &mut self.selection)).inner
    }

    /// Count a change as a step to be undone once it stands still.
    fn remember_step(&mut self, ctx: &egui::Context) {
        let busy = self.selection.playback.playing || ctx.input(|i| i.pointer.any_down());
        if self.recording.is_some() && self.history.observe(self.moment(), busy) {
            ctx.request_repaint();
        }
    }

    /// Everything above the views; returns the chosen command.
    fn floating(&mut self, ctx: &egui::Context) -> Option<Command> {
        let usable: Vec<(Command, String)> = Command::all().into_iter().filter(|c| self.enabled(*c)).map(|c| (c, self.name(c))).collect();
        let mut command = self.palette.ui(ctx, &usable);
        if let Some(recording) = self.recording.clone()
            && let Some(wish) = self.report.ui(ctx, &recording, &self.recipe.data.areas)
        {
            match wish {
                ReportWish::Areas(rule) => self.recipe.data.areas = rule,
                ReportWish::Change => command = Some(Command::ImportOptions),
            }
        }
        self.poll_import(ctx);
        self.windows.system.ui(ctx, self.run.as_ref().is_some_and(Run::is_active));
        let runs = self.options.runs_dir.clone();
        if let Some(request) = self.windows.ui(ctx, &self.titles, &mut self.settings, &mut self.path, runs.as_ref()) {
            self.open(ctx, request);
        }
        if let Some(theme) = self.theme() {
            ctx.set_theme(theme);
        }
        if let Some(then) = self.question.clone() {
            if let Some(answer) = windows::question(ctx, &then, self.sessions.writes_a_run()) {
                self.answered(ctx, answer);
            }
        } else if ctx.input(|i| i.key_pressed(egui::Key::Escape)) && !ctx.any_popup_open() {
            self.windows.close_one();
        }
        command = self.toasts.ui(ctx).or(command);
        drop_hint(ctx);
        command
    }

    /// Tests look at what happens when the window breaks in the middle of a training.
    #[expect(clippy::panic, reason = "breaking is what was asked for")]
    fn break_when_asked(&mut self, frame: &eframe::Frame) {
        let trains = self.run.as_ref().is_some_and(|run| run.state().progress.step > 20);
        match self.options.break_window.filter(|_| trains) {
            None => {}
            Some(Break::Panic) => panic!("the window was asked to break"),
            Some(Break::Device) => {
                self.options.break_window = None;
                if let Some(state) = frame.wgpu_render_state() {
                    state.device.destroy();
                }
            }
        }
    }

    /// Hand settings to their writer; it writes when something changed.
    fn remember(&mut self) {
        if self.options.settings_path.is_some() && self.recording.is_some() {
            let layout = if self.arranged { layout::save(&self.tree) } else { None };
            if let Some(recording) = &self.recording {
                self.settings.keep_layout(&recording.fingerprint, layout.clone());
            }
            self.settings.layout = layout;
        }
        self.writer.write(&self.settings);
    }
}

/// While a file is held over the window.
fn drop_hint(ctx: &egui::Context) {
    if ctx.input(|i| i.raw.hovered_files.is_empty()) {
        return;
    }
    let rect = ctx.content_rect();
    egui::Area::new(egui::Id::unique("drop hint")).fixed_pos(rect.min).order(egui::Order::Foreground).interactable(false).show(ctx, |ui| {
        let tokens = theme::of(ui);
        ui.painter().rect_filled(rect, 0.0, tokens.chrome.gamma_multiply(0.8));
        ui.painter().rect_stroke(rect.shrink(14.0), 10.0, Stroke::new(2.0, tokens.accent), egui::StrokeKind::Inside);
        ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, "Drop to open", egui::FontId::proportional(24.0), tokens.text);
    });
}

/// The "?" of a view.
fn help_button(ui: &mut Ui, view: &dyn View) {
    let response = ui.small_button("?").on_hover_text("What this view shows");
    let name = format!("Help: {}", view.title());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
    Popup::menu(&response).width(330.0).show(|ui| {
        ui.set_max_width(330.0);
        ui.label(RichText::new(view.title()).strong());
        ui.label(view.help());
    });
}

/// Draws views into tiles.
struct Panes<'a> {
    views: &'a mut [Box<dyn View>],
    titles: &'a [&'static str],
    keys: &'a [&'static str],
    recorded: Option<&'a Arc<Recording>>,
    shown: Option<&'a Arc<Recording>>,
    run: Option<&'a RunState>,
    runs: RunsContext<'a>,
    selection: &'a mut Selection,
    /// Selections of pinned views.
    pins: &'a mut [Option<Selection>],
    recipe: &'a mut Recipe,
    actions: &'a mut Vec<Action>,
    /// Trials that views of the run's snapshot show; empty while none is drawn.
    looks: &'a mut Vec<usize>,
    /// Set when the user moved, resized or closed a view.
    arranged: &'a mut bool,
}

impl Panes<'_> {
    fn index(&self, pane: &Pane) -> Option<usize> {
        self.keys.iter().position(|key| *key == pane.view)
    }

    fn draw(&mut self, ui: &mut Ui, index: usize) {
        let as_recorded = VIEWS.get(index).is_some_and(|spec| spec.as_recorded);
        let Some(view) = self.views.get_mut(index) else { return };
        // A pinned view keeps a selection of its own: it does not follow, and what is chosen in it stays in it.
        let selection = self.pins.get_mut(index).and_then(Option::as_mut).unwrap_or(self.selection);
        let (mut looks, mut more) = (false, Vec::new());
        let mut context = ViewContext {
            recording: if as_recorded { self.recorded } else { self.shown },
            run: if as_recorded { self.runs.live } else { self.run },
            runs: self.runs,
            selection,
            recipe: self.recipe,
            actions: self.actions,
            looks_at_run: &mut looks,
            more_trials: &mut more,
        };
        view.ui(ui, &mut context);
        let ViewContext { selection, looks_at_run, more_trials, .. } = context;
        if let (true, Some(run)) = (*looks_at_run, self.run) {
            for trial in selection.trials_of_run(run).into_iter().chain(more_trials.iter().copied()).take(MOST_TRIALS) {
                if !self.looks.contains(&trial) {
                    self.looks.push(trial);
                }
            }
        }
    }

    /// Hold a view's selection, or let it follow the others again.
    fn pin_button(&mut self, ui: &mut Ui, index: usize) {
        let Some(pin) = self.pins.get_mut(index) else { return };
        let pinned = pin.is_some();
        let title = self.titles.get(index).copied().unwrap_or_default();
        let tip = if pinned {
            "Pinned: this view keeps its own selection. Click to follow the others again"
        } else {
            "Pin: keep this selection while the other views go on"
        };
        let response = ui.add(egui::Button::selectable(pinned, RichText::new("Pin").small()).small()).on_hover_text(tip);
        response.widget_info(|| egui::WidgetInfo::selected(egui::Role::CheckBox, true, pinned, format!("Pin: {title}")));
        if response.clicked() {
            *pin = if pinned { None } else { Some(self.selection.without_playback()) };
        }
    }
}

impl Behavior<Pane> for Panes<'_> {
    fn pane_ui(&mut self, ui: &mut Ui, _tile: TileId, pane: &mut Pane) -> UiResponse {
        let tokens = theme::of(ui);
        let index = self.index(pane);
        let round = CornerRadius { nw: 0, ne: 0, sw: 7, se: 7 };
        egui::Frame::new().fill(tokens.pane).corner_radius(round).inner_margin(Margin::symmetric(11, 8)).show(ui, |ui| {
            ui.take_available_space();
            if let Some(index) = index {
                ui.push_id(index, |ui| self.draw(ui, index));
            }
        });
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> WidgetText {
        let title = self.index(pane).and_then(|index| self.titles.get(index)).copied();
        title.unwrap_or("Unknown view").into()
    }

    fn on_edit(&mut self, action: EditAction) {
        *self.arranged |= matches!(action, EditAction::TileDropped | EditAction::TileResized);
    }

    fn on_tab_close(&mut self, _tiles: &mut Tiles<Pane>, _tile: TileId) -> bool {
        *self.arranged = true;
        true
    }

    fn is_tab_closable(&self, _tiles: &Tiles<Pane>, _tile: TileId) -> bool {
        true
    }

    fn top_bar_right_ui(&mut self, tiles: &Tiles<Pane>, ui: &mut Ui, _tile: TileId, tabs: &egui_tiles::Tabs, _scroll: &mut f32) {
        let Some(Tile::Pane(pane)) = tabs.active.and_then(|id| tiles.get(id)) else { return };
        let Some(index) = self.index(pane) else { return };
        if let Some(view) = self.views.get(index) {
            ui.add_space(4.0);
            help_button(ui, view.as_ref());
        }
        self.pin_button(ui, index);
    }

    fn simplification_options(&self) -> SimplificationOptions {
        SimplificationOptions { all_panes_must_have_tabs: true, ..SimplificationOptions::default() }
    }

    fn tab_bar_height(&self, _style: &egui::Style) -> f32 {
        28.0
    }

    fn gap_width(&self, _style: &egui::Style) -> f32 {
        6.0
    }

    fn min_size(&self) -> f32 {
        60.0
    }

    fn tab_title_spacing(&self, _visuals: &Visuals) -> f32 {
        10.0
    }

    fn close_button_outer_size(&self) -> f32 {
        11.0
    }

    fn tab_bar_color(&self, visuals: &Visuals) -> egui::Color32 {
        theme::tokens(of_visuals(visuals)).chrome
    }

    fn tab_bg_color(&self, visuals: &Visuals, _tiles: &Tiles<Pane>, _tile: TileId, state: &TabState) -> egui::Color32 {
        let tokens = theme::tokens(of_visuals(visuals));
        if state.active { tokens.pane } else { tokens.chrome }
    }

    fn tab_outline_stroke(&self, _visuals: &Visuals, _tiles: &Tiles<Pane>, _tile: TileId, _state: &TabState) -> Stroke {
        Stroke::NONE
    }

    fn tab_bar_hline_stroke(&self, _visuals: &Visuals) -> Stroke {
        Stroke::NONE
    }

    fn tab_text_color(&self, visuals: &Visuals, _tiles: &Tiles<Pane>, _tile: TileId, state: &TabState) -> egui::Color32 {
        let tokens = theme::tokens(of_visuals(visuals));
        if state.active { tokens.text } else { tokens.weak }
    }
}

fn of_visuals(visuals: &Visuals) -> egui::Theme {
    if visuals.dark_mode { egui::Theme::Dark } else { egui::Theme::Light }
}
