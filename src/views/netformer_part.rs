//! What views of a NetFormer share: the network itself (from the live run, or read again from the run's folder), work on it that follows
//! a live run without being overtaken by it, runs of the same recipe with other seeds, and what to say before there is any.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::{self, Ui};

use super::kernels::waiting;
use super::stndt_part::folder;
use super::work::Background;
use super::{Action, RunState, ViewContext, widgets};
use crate::analysis::watch::Watch;
use crate::recording::{CELL_TYPE, Groups, Recording, StateSource};
use crate::runs::{self, Manifest};
use crate::training::{ModelRecipe, NetFormerModel, NetFormerSnapshot, Phase, Recipe, Snapshot};

/// A live run's newer network is looked at no sooner than this after the last one.
const PAUSE: Duration = Duration::from_millis(1500);
/// Most runs with other seeds that are read.
const MOST_SIBLINGS: usize = 9;
/// Multiplications that a view spends on a network that is still changing, and on one that is not.
const BUDGET: (f64, f64) = (1e9, 6e10);

/// A run with a network that can be computed with.
pub(super) struct Shown<'a> {
    pub run: &'a RunState,
    pub snapshot: &'a Arc<Snapshot>,
    pub own: &'a NetFormerSnapshot,
    pub model: Arc<NetFormerModel>,
}

impl Shown<'_> {
    /// How many windows a view may look at when each takes `cost` multiplications: fewer while the run goes on.
    pub fn windows(&self, cost: f64) -> usize {
        let budget = if over(self.run) { BUDGET.1 } else { BUDGET.0 };
        (budget / cost.max(1.0)).clamp(50.0, 1e6) as usize
    }
}

/// True when the run is over.
pub(super) fn over(run: &RunState) -> bool {
    matches!(run.progress.phase, Phase::Finished(_) | Phase::Discarded | Phase::Failed(_))
}

/// The network of the run shown.
#[derive(Default)]
pub(super) struct Network {
    loading: Background<PathBuf, Result<Arc<NetFormerModel>, String>>,
}

/// A network that was read from its folder, for all views of the window.
#[derive(Clone)]
struct Read(PathBuf, Arc<NetFormerModel>);

impl Network {
    /// The network; otherwise what to say instead. Reads the run's folder in the background when it has to.
    pub fn of(&mut self, ui: &Ui, run: &RunState, own: &NetFormerSnapshot) -> Result<Arc<NetFormerModel>, String> {
        if let Some(model) = &own.model {
            return Ok(Arc::clone(model));
        }
        let folder = folder(run)?;
        let Some(data) = run.data.clone() else {
            return Err("The recording of this run is not open; open it to compute with the network.".to_owned());
        };
        let place = egui::Id::unique("network of a kept run");
        if let Some(Read(_, model)) = ui.ctx().data(|d| d.get_temp::<Read>(place)).filter(|read| read.0 == folder) {
            return Ok(model);
        }
        let theirs = folder.clone();
        let loaded = self.loading.get(ui.ctx(), "network", &folder, move || read(&theirs, &data.0).map(Arc::new));
        match loaded {
            Some(Ok(model)) => {
                ui.ctx().data_mut(|d| d.insert_temp(place, Read(folder, Arc::clone(model))));
                Ok(Arc::clone(model))
            }
            Some(Err(text)) => Err(text.clone()),
            None => Err("The network is being read from the run's folder.".to_owned()),
        }
    }

    /// The run and its network; otherwise the view is filled with what to do.
    pub fn shown<'a>(&mut self, ui: &mut Ui, context: &mut ViewContext<'a>, title: &str, what: &str) -> Option<Shown<'a>> {
        let (run, snapshot, own) = snapshot(ui, context, title, what)?;
        match self.of(ui, run, own) {
            Ok(model) => Some(Shown { run, snapshot, own, model }),
            Err(text) => {
                widgets::empty(ui, title, &text, None);
                None
            }
        }
    }
}

/// The run shown and what NetFormer put into its snapshot; otherwise the view is filled with what to do.
pub(super) fn snapshot<'a>(
    ui: &mut Ui,
    context: &mut ViewContext<'a>,
    title: &str,
    what: &str,
) -> Option<(&'a RunState, &'a Arc<Snapshot>, &'a NetFormerSnapshot)> {
    *context.looks_at_run = true;
    let Some(run) = context.run else {
        ask(ui, context, title, &format!("Train NetFormer to see {what}: choose it as the model in the Train view."));
        return None;
    };
    if let Some(found) = run.snapshot.as_ref().and_then(|snapshot| Some((run, snapshot, snapshot.netformer()?))) {
        return Some(found);
    }
    match run.recipe.model {
        ModelRecipe::NetFormer(_) => waiting(ui, context, title),
        _ => {
            ask(ui, context, title, &format!("The run shown is one of {}. Train NetFormer to see {what}.", run.recipe.model.preset().title))
        }
    }
    None
}

/// An empty view with the way to the Train view.
pub(super) fn ask(ui: &mut Ui, context: &mut ViewContext<'_>, title: &str, text: &str) {
    if widgets::empty(ui, title, text, Some("Go to Train")) {
        context.actions.push(Action::Show("Train"));
    }
}

/// The network of a kept run; slow.
fn read(folder: &Path, recording: &Arc<Recording>) -> Result<NetFormerModel, String> {
    let kept = runs::load(folder).map_err(|e| e.to_string())?;
    let weights = kept.weights().map_err(|e| e.to_string())?;
    NetFormerModel::from_run(&kept.recipe, recording, &weights, kept.manifest.steps).map_err(|e| e.to_string())
}

/// Background work on a network that follows a live run: work that has begun is finished before a newer network is looked at.
pub(super) struct Following<S, T> {
    work: Background<(S, u64), T>,
    asked: Option<(S, u64)>,
    since: Option<Instant>,
}

impl<S, T> Default for Following<S, T> {
    fn default() -> Self {
        Self { work: Background::default(), asked: None, since: None }
    }
}

impl<S: Clone + PartialEq, T: Send + 'static> Following<S, T> {
    /// The newest result, which may be one of an older network or of other settings: it says itself what it shows.
    pub fn get(
        &mut self,
        ui: &Ui,
        name: &str,
        settings: &S,
        model: &Arc<NetFormerModel>,
        job: impl FnOnce(&Arc<NetFormerModel>, &Watch) -> Option<T> + Send + 'static,
    ) -> Option<&T> {
        let wanted = (settings.clone(), model.key());
        let early = self.since.map(|since| since.elapsed()).filter(|passed| *passed < PAUSE);
        let key = match &self.asked {
            Some(asked) if asked.0 == wanted.0 && asked.1 != wanted.1 && (self.work.is_running() || early.is_some()) => {
                if let Some(passed) = early {
                    ui.ctx().request_repaint_after(PAUSE.saturating_sub(passed));
                }
                asked.clone()
            }
            _ => wanted,
        };
        if self.asked.as_ref() != Some(&key) {
            self.since = Some(Instant::now());
            self.asked = Some(key.clone());
        }
        let theirs = Arc::clone(model);
        self.work.watched(ui.ctx(), name, &key, move |watch| job(&theirs, watch));
        self.work.latest()
    }

    /// The newest result.
    pub fn latest(&self) -> Option<&T> {
        self.work.latest()
    }

    /// See [`Background::progress`].
    pub fn progress(&mut self, ui: &mut Ui, what: &str) {
        self.work.progress(ui, what);
    }
}

/// A run of the same recipe on the same data with another seed.
pub(super) struct Sibling {
    /// Name of its folder.
    pub name: String,
    pub seed: u64,
    pub model: Arc<NetFormerModel>,
}

/// Runs of the same recipe with other seeds beside the run's folder; slow. Runs that cannot be read are passed over.
pub(super) fn siblings(folder: &Path, recipe: &Recipe, model: &Arc<NetFormerModel>, watch: &Watch) -> Option<Vec<Sibling>> {
    let listed = folder.parent().and_then(|parent| runs::list(parent).ok()).unwrap_or_default();
    let fingerprint = Manifest::read(folder).map(|m| m.recording.fingerprint).unwrap_or_default();
    let mut found = Vec::new();
    let mut seeds = vec![recipe.seed];
    for entry in listed.iter().filter(|entry| entry.path != folder) {
        if watch.stopped() {
            return None;
        }
        let fits = |m: &Manifest| m.model == "netformer" && m.recording.fingerprint == fingerprint && !seeds.contains(&m.seed);
        if found.len() >= MOST_SIBLINGS || !entry.manifest.as_ref().is_ok_and(fits) {
            continue;
        }
        let Ok(kept) = runs::load(&entry.path) else { continue };
        let same = Recipe { seed: recipe.seed, device: recipe.device, ..kept.recipe.clone() } == *recipe;
        let Some(weights) = kept.weights().ok().filter(|_| same) else { continue };
        if let Ok(model) = model.sibling(&kept.recipe, &weights, kept.manifest.steps) {
            seeds.push(kept.recipe.seed);
            let name = entry.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
            found.push(Sibling { name, seed: kept.recipe.seed, model: Arc::new(model) });
        }
    }
    Some(found)
}

/// The run's folder, once it is kept.
pub(super) fn kept_folder(run: &RunState) -> Option<PathBuf> {
    match &run.progress.phase {
        Phase::Finished(finished) => finished.run.clone(),
        _ => None,
    }
}

/// By what units are grouped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Grouping {
    /// Areas of the run.
    #[default]
    Area,
    /// A column of units.
    Column(String),
}

impl Grouping {
    /// Groups of all units of the recording.
    pub fn groups(&self, recording: &Recording) -> Groups {
        match self {
            Self::Area => recording.groups_by_area(),
            Self::Column(name) => recording.groups_by(name).unwrap_or_else(|| recording.groups_by_area()),
        }
    }

    /// In words.
    fn words(&self) -> String {
        match self {
            Self::Area => "area".to_owned(),
            Self::Column(name) if name == CELL_TYPE => "cell type".to_owned(),
            Self::Column(name) => name.clone(),
        }
    }

    /// What tells most at first: cell types where there is one area only.
    pub fn first_choice(recording: &Recording) -> Self {
        match recording.areas.len() > 1 {
            true => Self::Area,
            false => recording.grouping_columns().first().map_or(Self::Area, |name| Self::Column(name.clone())),
        }
    }

    /// A drop-down.
    pub fn choose(&mut self, ui: &mut Ui, recording: &Recording) {
        let now = self.words();
        widgets::caption(ui, "Group by", 110.0);
        widgets::combo(ui, "group by", "Group by", &now, 130.0, |ui| {
            let columns = recording.grouping_columns().into_iter().map(Self::Column);
            for choice in std::iter::once(Self::Area).chain(columns) {
                let text = choice.words();
                ui.selectable_value(self, choice, text);
            }
        });
    }
}

/// A unit of the model in short: its id, with the word "unit" before a number.
pub(super) fn short_name(run: &RunState, snapshot: &Snapshot, column: usize) -> String {
    let unit = snapshot.units.get(column).copied();
    match unit.and_then(|unit| run.data.as_ref()?.0.units.ids.get(unit)) {
        Some(id) if id.parse::<f64>().is_err() => id.clone(),
        Some(id) => format!("unit {id}"),
        None => format!("unit {column}"),
    }
}

/// A number in a cell, in as many decimals as the largest one of its matrix needs.
pub(super) fn cell_number(value: f32, limit: f32) -> String {
    if value.is_nan() {
        return String::new();
    }
    let decimals = (1 - f64::from(limit.max(1e-12)).log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{:.decimals$}", value.abs());
    if value < 0.0 && text.chars().any(|c| ('1'..='9').contains(&c)) { format!("−{text}") } else { text }
}

/// By what moments are grouped.
#[derive(Default)]
pub(super) struct StateChoice {
    /// `None` inside for no grouping; `None` outside until the first choice is made.
    chosen: Option<Option<StateSource>>,
    /// What a recording offers, by its fingerprint.
    offered: Option<(String, Vec<StateSource>)>,
}

impl StateChoice {
    /// A drop-down; `without` names no grouping.
    pub fn choose(&mut self, ui: &mut Ui, recording: &Recording, without: &str) {
        if self.offered.as_ref().is_none_or(|(of, _)| *of != recording.fingerprint) {
            self.offered = Some((recording.fingerprint.clone(), StateSource::offered(recording)));
            self.chosen = None;
        }
        let offered = self.offered.as_ref().map_or(&[][..], |(_, offered)| offered.as_slice());
        let now = self.chosen.get_or_insert_with(|| offered.first().cloned());
        let label = |source: Option<&StateSource>| source.map_or_else(|| without.to_owned(), StateSource::label);
        let words = label(now.as_ref());
        widgets::caption(ui, "State", 140.0);
        widgets::combo(ui, "state", "State", &words, 150.0, |ui| {
            for choice in std::iter::once(None).chain(offered.iter().map(Some)) {
                if ui.selectable_label(now.as_ref() == choice, label(choice)).clicked() {
                    *now = choice.cloned();
                }
            }
        });
    }

    /// The choice.
    pub fn source(&self) -> Option<StateSource> {
        self.chosen.clone().flatten()
    }
}

/// A drop-down with a unit of the model by name.
pub(super) fn pick_unit(ui: &mut Ui, name: &str, value: &mut usize, units: usize, words: &dyn Fn(usize) -> String) {
    widgets::caption(ui, name, 120.0);
    widgets::combo(ui, name, name, &words(*value), 150.0, |ui| {
        for unit in 0..units {
            ui.selectable_value(value, unit, words(unit));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_cells_have_the_decimals_of_the_largest() {
        assert_eq!([-0.002_85, 0.069, -0.0001, f32::NAN].map(|v| cell_number(v, 0.069)), ["−0.003", "0.069", "0.000", ""]);
        assert_eq!(
            (cell_number(12.3, 40.0), cell_number(-1.26, 3.0), cell_number(0.5, 0.0)),
            ("12".to_owned(), "−1.3".to_owned(), "0.500000000".to_owned())
        );
    }
}
