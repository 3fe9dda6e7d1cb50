//! One file per view. A view is a struct with its own small state; it reads the recording and the run through a
//! [`ViewContext`], shares one [`Selection`] with all other views, and asks for anything else with an [`Action`].

mod alignment;
pub mod area_graph;
mod area_matrix;
pub mod attention;
pub mod attention_time;
pub mod by_group;
pub mod compare;
pub mod connectivity;
pub mod correlations;
pub mod correlogram;
pub mod data_summary;
pub mod decoding;
pub mod decomposition;
mod edge_board;
pub mod evidence;
pub mod factors;
pub mod kernels;
mod latent_colors;
pub mod latents;
pub mod lesion;
pub mod loss;
pub mod matrix;
mod model_rates;
mod netformer_part;
mod pair_detail;
mod pair_truth;
pub mod population;
pub mod prediction;
pub mod psth;
pub mod raster;
pub mod rate_map;
pub mod rates;
pub mod recording;
pub mod runs;
pub mod screening;
pub mod selection;
pub mod shared_background;
mod stndt_part;
pub mod sweep;
pub mod synapses;
mod time_plot;
pub mod train;
mod train_form;
pub mod trajectories;
mod trial_colors;
pub mod trust;
pub mod truth;
pub mod units;
pub mod widgets;
pub mod work;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui;

pub use selection::{Events, Playback, SPEEDS, Selection, TrialSet};

use crate::app::{Queue, QueueWish, SweepWish, Sweeps};
use crate::recording::{Recording, Sidecar, Trials};
use crate::runs::LoadedRun;
use crate::runs::catalogue::Column;
use crate::training::{Command, LossLog, OnDeviceLost, Progress, Recipe, Snapshot};

/// What a view shows and how it explains itself.
pub trait View {
    /// Tab title, sentence case.
    fn title(&self) -> &'static str;

    /// What the "?" says: three sentences.
    fn help(&self) -> &'static str;

    /// Draw. Never blocks, never reads a file.
    fn ui(&mut self, ui: &mut egui::Ui, context: &mut ViewContext<'_>);

    /// How the view orders and sorts, for undo; `Null` when it has no order of its own.
    fn ordering(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Order and sort as [`View::ordering`] said before.
    fn restore_ordering(&mut self, _ordering: &serde_json::Value) {}
}

/// One line of the table of views.
pub struct ViewSpec {
    /// Stable name, used in saved layouts and by `spikescope screenshot --view`.
    pub key: &'static str,
    /// Show the recording with the areas the file gives, not with those of the recipe, and the run that trains, not a kept one that is
    /// looked at (only the views that choose these).
    pub as_recorded: bool,
    /// Make the view.
    pub make: fn() -> Box<dyn View>,
}

/// Every view. A new view is one file in this folder and one line here; layouts and menus follow.
pub const VIEWS: &[ViewSpec] = &[
    ViewSpec { key: "recording", as_recorded: true, make: || Box::<recording::RecordingView>::default() },
    ViewSpec { key: "raster", as_recorded: false, make: || Box::<raster::RasterView>::default() },
    ViewSpec { key: "psth", as_recorded: false, make: || Box::<psth::PsthView>::default() },
    ViewSpec { key: "correlogram", as_recorded: false, make: || Box::<correlogram::CorrelogramView>::default() },
    ViewSpec { key: "rate_map", as_recorded: false, make: || Box::<rate_map::RateMapView>::default() },
    ViewSpec { key: "population", as_recorded: false, make: || Box::<population::PopulationView>::default() },
    ViewSpec { key: "correlations", as_recorded: false, make: || Box::<correlations::CorrelationsView>::default() },
    ViewSpec { key: "units", as_recorded: false, make: || Box::<units::UnitTableView>::default() },
    ViewSpec { key: "train", as_recorded: true, make: || Box::<train::TrainView>::default() },
    ViewSpec { key: "loss", as_recorded: false, make: || Box::<loss::LossView>::default() },
    ViewSpec { key: "kernels", as_recorded: false, make: || Box::<kernels::KernelsView>::default() },
    ViewSpec { key: "matrix", as_recorded: false, make: || Box::<matrix::MatrixView>::default() },
    ViewSpec { key: "screening", as_recorded: false, make: || Box::<screening::ScreeningView>::default() },
    ViewSpec { key: "area_graph", as_recorded: false, make: || Box::<area_graph::AreaGraphView>::default() },
    ViewSpec { key: "evidence", as_recorded: false, make: || Box::<evidence::EvidenceView>::default() },
    ViewSpec { key: "decomposition", as_recorded: false, make: || Box::<decomposition::DecompositionView>::default() },
    ViewSpec { key: "factors", as_recorded: false, make: || Box::<factors::FactorsView>::default() },
    ViewSpec { key: "latents", as_recorded: false, make: || Box::<latents::LatentsView>::default() },
    ViewSpec { key: "rates", as_recorded: false, make: || Box::<rates::RatesView>::default() },
    ViewSpec { key: "connectivity", as_recorded: false, make: || Box::<connectivity::ConnectivityView>::default() },
    ViewSpec { key: "synapses", as_recorded: false, make: || Box::<synapses::SynapsesView>::default() },
    ViewSpec { key: "by_group", as_recorded: false, make: || Box::<by_group::ByGroupView>::default() },
    ViewSpec { key: "attention_time", as_recorded: false, make: || Box::<attention_time::AttentionTimeView>::default() },
    ViewSpec { key: "prediction", as_recorded: false, make: || Box::<prediction::PredictionView>::default() },
    ViewSpec { key: "trust", as_recorded: false, make: || Box::<trust::TrustView>::default() },
    ViewSpec { key: "attention", as_recorded: false, make: || Box::<attention::AttentionView>::default() },
    ViewSpec { key: "trajectories", as_recorded: false, make: || Box::<trajectories::TrajectoriesView>::default() },
    ViewSpec { key: "lesion", as_recorded: false, make: || Box::<lesion::LesionView>::default() },
    ViewSpec { key: "decoding", as_recorded: false, make: || Box::<decoding::DecodingView>::default() },
    ViewSpec { key: "shared_background", as_recorded: false, make: || Box::<shared_background::SharedBackgroundView>::default() },
    ViewSpec { key: "truth", as_recorded: false, make: || Box::<truth::TruthView>::default() },
    ViewSpec { key: "sweep", as_recorded: true, make: || Box::<sweep::SweepView>::default() },
    ViewSpec { key: "runs", as_recorded: true, make: || Box::<runs::RunsView>::default() },
    ViewSpec { key: "compare", as_recorded: true, make: || Box::<compare::CompareView>::default() },
];

/// A training run as views see it, live or loaded from a run folder: plain values, cheap to clone.
#[derive(Clone)]
pub struct RunState {
    /// Recipe of the run.
    pub recipe: Recipe,
    /// Progress (a loaded run is finished).
    pub progress: Arc<Progress>,
    /// Losses.
    pub losses: Arc<LossLog>,
    /// Newest snapshot, if any was published.
    pub snapshot: Option<Arc<Snapshot>>,
    /// The recording as the run sees it (areas by the recipe's rule) and its trials.
    pub data: Option<Arc<(Arc<Recording>, Trials)>>,
}

impl RunState {
    /// A kept run with the recording behind it, when that is open.
    pub fn of_kept(run: LoadedRun, recording: Option<&Recording>) -> Self {
        Self {
            progress: Arc::new(run.progress()),
            losses: Arc::new(run.losses),
            snapshot: run.snapshot.map(Arc::new),
            data: recording.and_then(|recording| as_the_run_sees_it(recording, &run.recipe)).map(Arc::new),
            recipe: run.recipe,
        }
    }

    /// Place of the snapshot's area `area` among the areas of the recording the run sees: its colour everywhere.
    pub fn area_index(&self, area: usize) -> usize {
        let name = self.snapshot.as_ref().and_then(|s| s.areas.get(area));
        let areas = self.data.as_ref().map(|data| &data.0.areas);
        name.zip(areas).and_then(|(name, areas)| areas.iter().position(|a| a == name)).unwrap_or(area)
    }

    /// Name of the snapshot's area `area`.
    pub fn area_name(&self, area: usize) -> String {
        self.snapshot
            .as_ref()
            .and_then(|s| s.areas.get(area))
            .map_or_else(|| format!("area {}", area + 1), |name| shown_area(name).to_owned())
    }
}

/// The recording with the areas of the recipe, and its trials.
fn as_the_run_sees_it(recording: &Recording, recipe: &Recipe) -> Option<(Arc<Recording>, Trials)> {
    let recording = recipe.data.areas.apply(recording).ok()?;
    let trials = recipe.data.trials.resolve(&recording).ok()?;
    Some((Arc::new(recording), trials))
}

/// Area name as shown: files may leave it empty.
pub fn shown_area(name: &str) -> &str {
    if name.is_empty() { "(no area)" } else { name }
}

/// A unit in words: its id, and its area in brackets where the file gives one.
pub fn named_unit(recording: &Recording, unit: usize) -> String {
    let id = recording.units.ids.get(unit).map_or("?", String::as_str);
    match recording.units.area.get(unit).and_then(|&a| recording.areas.get(a)).filter(|area| !area.is_empty()) {
        Some(area) => format!("unit {id} ({area})"),
        None => format!("unit {id}"),
    }
}

/// What a view of a recording says while none is open: what it would show, and the two ways to go on.
pub(crate) fn nothing_open(ui: &mut egui::Ui, context: &mut ViewContext<'_>, text: &str) {
    if widgets::empty(ui, "No recording is open", text, Some("Open a recording…")) {
        context.actions.push(Action::OpenDialog);
    }
    ui.vertical_centered(|ui| {
        ui.add_space(4.0);
        if ui.button("Try the demo").clicked() {
            context.actions.push(Action::OpenDemo);
        }
    });
}

/// What a view asks the app to do.
#[derive(Debug, Clone)]
pub enum Action {
    /// Start training the open recording.
    Train(Box<Recipe>),
    /// Send a command to the run.
    Run(Command),
    /// Show the view with this title.
    Show(&'static str),
    /// Show a message to the user.
    Tell(String),
    /// Ask for a file to open.
    OpenDialog,
    /// Open the demo recording.
    OpenDemo,
    /// Ask how the file is read (the import dialog).
    ImportOptions,
    /// Write the recording to a file.
    Export,
    /// Decide otherwise about the recording: areas by hand, units to keep, artefacts.
    Decide(Box<Sidecar>),
    /// Areas from a list with a unit id and an area on every line.
    AreaList(PathBuf),
    /// Train this when everything before it has been trained.
    Queue(Box<Recipe>),
    /// Change the list of runs to be trained.
    QueueWish(QueueWish),
    /// Begin, hold or end a sweep.
    Sweep(SweepWish),
    /// Show a kept run in all views.
    ShowRun(PathBuf),
    /// Show a kept run in all views and go on training it.
    ResumeRun(PathBuf),
    /// Ask for a folder with runs.
    AskRunFolder,
    /// Look for runs in these folders too.
    RunFolders(Vec<PathBuf>),
    /// Show these columns of runs.
    RunColumns(Vec<Column>),
    /// What to do from now on when a GPU that trains is lost.
    OnDeviceLost(OnDeviceLost),
}

/// Trials of which a run is asked for details by one view.
pub const MOST_TRIALS: usize = 8;

/// Runs on disk and runs to be trained, as views see them.
#[derive(Clone, Copy, Default)]
pub struct RunsContext<'a> {
    /// Where new runs are written; `None` when they are not.
    pub own: Option<&'a Path>,
    /// Folders that the user added.
    pub others: &'a [PathBuf],
    /// Columns that the user chose; empty for the usual ones.
    pub columns: &'a [Column],
    /// Runs to be trained.
    pub queue: Option<&'a Queue>,
    /// Sweeps on the open recording.
    pub sweeps: Option<&'a Sweeps>,
    /// The run that trains, or was trained last.
    pub live: Option<&'a RunState>,
    /// The kept run that all views show.
    pub kept: Option<&'a Path>,
    /// What is done when a GPU that trains is lost.
    pub on_device_lost: OnDeviceLost,
}

/// What a view may read and change in one frame.
pub struct ViewContext<'a> {
    /// The open recording.
    pub recording: Option<&'a Arc<Recording>>,
    /// The run shown beside it.
    pub run: Option<&'a RunState>,
    /// Runs on disk, and runs to be trained.
    pub runs: RunsContext<'a>,
    /// The window's selection.
    pub selection: &'a mut Selection,
    /// Recipe the next training run will use; forms edit it in place.
    pub recipe: &'a mut Recipe,
    /// Requests to the app, carried out after the frame.
    pub actions: &'a mut Vec<Action>,
    /// Set by views that draw the snapshot: the run goes on publishing while somebody looks.
    pub looks_at_run: &'a mut bool,
    /// Trials of the run that the view shows in detail beside those of the selection (see [`MOST_TRIALS`]).
    pub more_trials: &'a mut Vec<usize>,
}
