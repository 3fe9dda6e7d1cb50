//! The Shared background view: what every method takes for coupling between two simulated areas that share slow background and
//! nothing else. Fits are made in the background and drawn as they are done; they stay in a folder, so that another day goes on.

mod figure;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use eframe::egui::{self, Ui};

use super::work::Background;
use super::{View, ViewContext, widgets};
use crate::app::theme;
use crate::training::DeviceChoice;
use crate::training::shared_background::{Cell, Event, Method, Plan, default_folder, read_all, run};

/// Trials and units per area of a simulation that is done within minutes, and of the published one.
const QUICK: Size = Size { trials: 300, units: 20 };
const PUBLISHED: Size = Size { trials: 2000, units: 50 };
/// Most simulations per share of background that can be asked for.
const MOST_SEEDS: u64 = 20;

/// How large simulations are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Size {
    trials: usize,
    units: usize,
}

/// On which trials the contribution is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Trials {
    #[default]
    Test,
    Fitted,
}

/// What was asked for.
#[derive(Clone, PartialEq)]
struct Job {
    folder: PathBuf,
    plan: Plan,
    /// Asking again after a stop is another job.
    number: u64,
}

/// What the running job tells.
#[derive(Default)]
struct Live {
    /// Cells written so far by jobs of this window.
    written: AtomicU64,
    doing: ArcSwap<String>,
}

/// The Shared background view.
pub struct SharedBackgroundView {
    folder: String,
    size: Size,
    seeds: u64,
    trials: Trials,
    /// Until the user or the first reading of the folder has chosen one.
    size_is_open: bool,
    asked: Option<Job>,
    read_again: u64,
    work: Background<Job, Result<usize, String>>,
    stored: Background<(String, u64, u64), Arc<Vec<Cell>>>,
    live: Arc<Live>,
}

impl Default for SharedBackgroundView {
    fn default() -> Self {
        Self {
            folder: default_folder().map(|folder| folder.display().to_string()).unwrap_or_default(),
            size: QUICK,
            seeds: 2,
            trials: Trials::default(),
            size_is_open: true,
            asked: None,
            read_again: 0,
            work: Background::default(),
            stored: Background::default(),
            live: Arc::default(),
        }
    }
}

impl View for SharedBackgroundView {
    fn title(&self) -> &'static str {
        "Shared background"
    }

    fn help(&self) -> &'static str {
        "Two simulated areas have no connection at all, but their slow background is shared more and more from left to right; every coupling that a method finds here is false. \
         Each dot is one simulation, the bar is their mean, and hollow diamonds are the published values (Xin & Kass 2025, Fig. 4, mean and standard error of five). \
         Press Start to simulate and fit: dots appear one by one, and stopping loses nothing because every fit is kept in the folder."
    }

    fn ui(&mut self, ui: &mut Ui, _context: &mut ViewContext<'_>) {
        let cells = self.cells(ui);
        self.controls(ui, &cells);
        self.status(ui);
        let shown: Vec<&Cell> =
            cells.iter().filter(|c| c.conn == 0.0 && (c.trials, c.units) == (self.size.trials, self.size.units)).collect();
        let value = match self.trials {
            Trials::Test => |cell: &Cell| cell.contribution_percent,
            Trials::Fitted => |cell: &Cell| cell.fitted_percent,
        };
        figure::legend(ui);
        figure::figure(ui, &shown, value);
    }
}

impl SharedBackgroundView {
    /// Every cell of the folder; read anew whenever one is written.
    fn cells(&mut self, ui: &Ui) -> Arc<Vec<Cell>> {
        let key = (self.folder.clone(), self.live.written.load(Ordering::Acquire), self.read_again);
        let folder = PathBuf::from(&self.folder);
        let found = self.stored.get(ui.ctx(), "reading fits", &key, move || Arc::new(read_all(&folder))).map(Arc::clone);
        if let Some(cells) = &found
            && self.size_is_open
            && !cells.is_empty()
        {
            self.size_is_open = false;
            let most = sizes(cells).into_iter().max_by_key(|size| cells.iter().filter(|c| size_of(c) == *size).count());
            self.size = most.unwrap_or(self.size);
        }
        found.or_else(|| self.stored.latest().map(Arc::clone)).unwrap_or_default()
    }

    fn controls(&mut self, ui: &mut Ui, cells: &[Cell]) {
        let running = self.work.is_running();
        ui.horizontal_wrapped(|ui| {
            if running {
                if ui.button("Stop").on_hover_text("Fits that are done stay; Start goes on from there").clicked() {
                    self.work.cancel();
                    self.asked = None;
                }
            } else if ui
                .add_enabled(!self.folder.is_empty(), widgets::primary(ui, "Start"))
                .on_hover_text("Simulate and fit what the folder does not have yet, in the background")
                .clicked()
            {
                self.start();
            }
            ui.add_enabled_ui(!running, |ui| {
                widgets::combo(ui, "benchmark size", "Size", &self.size.words(), 240.0, |ui| {
                    let mut all = sizes(cells);
                    all.extend([QUICK, PUBLISHED]);
                    all.sort_unstable();
                    all.dedup();
                    for size in all {
                        if ui.selectable_value(&mut self.size, size, size.words()).clicked() {
                            self.size_is_open = false;
                        }
                    }
                });
                let label = widgets::caption(ui, "Simulations each", 60.0);
                ui.add(egui::DragValue::new(&mut self.seeds).range(1..=MOST_SEEDS)).labelled_by(label.id);
            });
            let choices = [
                (Trials::Test, "Test trials", "Contribution on trials that no method was fitted to"),
                (Trials::Fitted, "Fitted trials", "Contribution on the trials that were fitted, as published for GLM and regression"),
            ];
            widgets::segmented(ui, &mut self.trials, &choices);
        });
        ui.horizontal_wrapped(|ui| {
            let label = widgets::caption(ui, "Folder", 300.0);
            ui.add_enabled(!running, egui::TextEdit::singleline(&mut self.folder).desired_width(300.0)).labelled_by(label.id);
            if ui.button("Read again").on_hover_text("Show fits that `spikescope validate false-coupling` has made since").clicked() {
                self.read_again += 1;
            }
        });
    }

    fn start(&mut self) {
        let plan = Plan { seeds: (1..=self.seeds).collect(), trials: self.size.trials, units: self.size.units, ..Plan::default() };
        let number = self.asked.as_ref().map_or(self.read_again, |job| job.number) + 1;
        self.read_again = number;
        self.asked = Some(Job { folder: PathBuf::from(&self.folder), plan, number });
        self.work.again();
    }

    fn status(&mut self, ui: &mut Ui) {
        if let Some(job) = self.asked.clone() {
            let (theirs, live, ctx) = (job.clone(), Arc::clone(&self.live), ui.ctx().clone());
            self.work.watched(ui.ctx(), "shared background", &job, move |watch| {
                let tell = |event: Event| {
                    match event {
                        Event::Begins(method, rho, seed, done, all) => live
                            .doing
                            .store(Arc::new(format!("{done} of {all} fits done; now {}, ρ = {rho}, simulation {seed}", method.title()))),
                        Event::Done(_) => {
                            live.written.fetch_add(1, Ordering::AcqRel);
                        }
                    }
                    ctx.request_repaint();
                };
                let done = run(&theirs.plan, &theirs.folder, DeviceChoice::Auto, watch, &tell);
                Some(done.map(|cells| cells.len()).map_err(|e| e.to_string()))
            });
        }
        if self.work.is_running() {
            let doing = self.live.doing.load_full();
            ui.horizontal(|ui| {
                ui.spinner();
                widgets::note(ui, if doing.is_empty() { "Simulating".to_owned() } else { doing.to_string() });
            });
            return;
        }
        match self.asked.as_ref().and(self.work.latest()) {
            Some(Ok(n)) => widgets::note(ui, format!("All {n} fits are done")),
            Some(Err(why)) => {
                ui.colored_label(theme::of(ui).error, why);
            }
            None => widgets::note(ui, "In truth nothing is coupled here: the right answer is 0 % everywhere"),
        }
    }
}

impl Size {
    fn words(self) -> String {
        let name = match self {
            QUICK => ", quick",
            PUBLISHED => ", as published",
            _ => "",
        };
        format!("{} trials, 2 × {} units{name}", self.trials, self.units)
    }
}

fn size_of(cell: &Cell) -> Size {
    Size { trials: cell.trials, units: cell.units }
}

/// Sizes of which there are cells.
fn sizes(cells: &[Cell]) -> Vec<Size> {
    let mut sizes: Vec<Size> = cells.iter().filter(|c| c.conn == 0.0).map(size_of).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// Methods in the order of the figure.
const METHODS: [Method; 6] = Method::ALL;
