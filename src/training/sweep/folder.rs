//! A sweep on disk: the plan beside its members, which are ordinary runs, and how far each of them is.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::{LAYOUT, Plan, SweepError};
use crate::export::write_atomically;
use crate::runs::catalogue::{Status, entry};
use crate::runs::{CHECKPOINTS, RECIPE};
use crate::training::Recipe;

/// The plan in the folder of a sweep. Hidden, so that `sweep/*` names the runs and nothing else.
pub const PLAN: &str = ".sweep.toml";

/// True when the folder holds a sweep.
pub fn is_sweep(folder: &Path) -> bool {
    folder.join(PLAN).is_file()
}

/// Folder of a member.
pub fn member_folder(sweep: &Path, index: usize) -> PathBuf {
    sweep.join(format!("sample-{index:04}"))
}

/// The plan in a folder; `None` when there is none.
///
/// # Errors
/// [`SweepError::Plan`] when it cannot be read.
pub fn read_plan(sweep: &Path) -> Result<Option<Plan>, SweepError> {
    let path = sweep.join(PLAN);
    let wrong = |why: String| SweepError::Plan { path: path.display().to_string(), why };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(wrong(format!("the plan of the sweep cannot be read: {e}"))),
    };
    let plan: Plan =
        toml::from_str(&text).map_err(|e| wrong(format!("this is no plan of a sweep: {}; choose another folder", e.message())))?;
    if plan.layout > LAYOUT {
        return Err(wrong(format!("the plan has layout {}, this program reads up to {LAYOUT}; use a newer Spikescope", plan.layout)));
    }
    Ok(Some(plan))
}

/// Put the plan into the folder of its sweep, which is made when it is missing. A plan that is there and draws the same recipes
/// stays when it has as many members or more; one that draws others is never replaced. Gives the plan that is now there.
///
/// # Errors
/// [`SweepError::Plan`].
pub fn write_plan(sweep: &Path, plan: &Plan) -> Result<Plan, SweepError> {
    let path = sweep.join(PLAN);
    let wrong = |why: String| SweepError::Plan { path: path.display().to_string(), why };
    if let Some(there) = read_plan(sweep)? {
        if !there.draws_as(plan) {
            return Err(wrong("another sweep is kept here (other settings, ranges, seed or recording); choose another folder".to_owned()));
        }
        if there.members >= plan.members {
            return Ok(there);
        }
    }
    let text = toml::to_string_pretty(plan).map_err(|e| wrong(format!("the plan cannot be written: {e}")))?;
    std::fs::create_dir_all(sweep).map_err(|e| wrong(format!("the folder cannot be made: {e}")))?;
    write_atomically(&path, |f| f.write_all(text.as_bytes())).map_err(|e| wrong(e.to_string()))?;
    Ok(plan.clone())
}

/// What is to be done for a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToDo {
    /// Nothing: it is complete.
    Nothing,
    /// Train it from the start.
    Train,
    /// It was interrupted, stopped or failed: go on from its last checkpoint.
    GoOn,
    /// Somebody else trains it, or something else lies in its place.
    Leave,
}

/// One member of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Number, from 0.
    pub index: usize,
    /// Its run folder, which may not be there yet.
    pub folder: PathBuf,
    /// Its recipe; before it has begun, the one that would be drawn now.
    pub recipe: Recipe,
    /// How its run stands; `None` before it has begun.
    pub status: Option<Status>,
    /// Best co-bps on validation trials, bits per spike: what members are ranked by.
    pub validation: Option<f64>,
    /// co-bps of the kept weights on test trials.
    pub test: Option<f64>,
    /// The same of the benchmark's smoothing baseline.
    pub smoothing: Option<f64>,
    /// Seconds of training.
    pub seconds: f64,
    /// It left a checkpoint to go on from.
    pub checkpoint: bool,
    /// What is wrong with it.
    pub problem: Option<String>,
}

impl Member {
    /// One that has not begun.
    fn waiting(index: usize, folder: PathBuf, recipe: Recipe) -> Self {
        Self {
            index,
            folder,
            recipe,
            status: None,
            validation: None,
            test: None,
            smoothing: None,
            seconds: 0.0,
            checkpoint: false,
            problem: None,
        }
    }

    /// What is to be done for it.
    pub fn to_do(&self) -> ToDo {
        match self.status {
            None => ToDo::Train,
            Some(Status::Complete) => ToDo::Nothing,
            Some(Status::Interrupted) => ToDo::GoOn,
            Some(Status::Stopped | Status::Failed) if self.checkpoint => ToDo::GoOn,
            Some(Status::Stopped | Status::Failed) => ToDo::Train,
            Some(Status::Running | Status::Unreadable | Status::Foreign) => ToDo::Leave,
        }
    }

    /// True when its weights can be averaged with others.
    pub fn has_weights(&self) -> bool {
        matches!(self.status, Some(Status::Complete | Status::Stopped))
    }
}

/// All members of a sweep as they are on disk now, in the order in which they are trained. Reads small files only.
///
/// # Errors
/// [`SweepError::Recipe`] when the plan draws what the recipe refuses.
pub fn members(sweep: &Path, plan: &Plan) -> Result<Vec<Member>, SweepError> {
    let begun: Vec<Option<Member>> = (0..plan.members).map(|index| member(sweep, plan, index)).collect();
    let known: Vec<Member> = begun.iter().flatten().cloned().collect();
    let scored: Vec<(&Recipe, f64)> = known.iter().filter_map(|member| Some((&member.recipe, member.validation?))).collect();
    let waits = |index: usize| -> Result<Member, SweepError> {
        Ok(Member::waiting(index, member_folder(sweep, index), plan.drawn(index, &scored)?))
    };
    begun.into_iter().enumerate().map(|(index, member)| member.map_or_else(|| waits(index), Ok)).collect()
}

/// One member as it is on disk now; `None` before it has begun.
fn member(sweep: &Path, plan: &Plan, index: usize) -> Option<Member> {
    let folder = member_folder(sweep, index);
    // An empty folder is where a run will be.
    if is_empty(&folder) {
        return None;
    }
    let found = entry(&folder);
    let recipe = std::fs::read_to_string(folder.join(RECIPE)).ok().and_then(|text| Recipe::parse(&text).ok());
    let same_data = found.facts.fingerprint.is_empty() || found.facts.fingerprint == plan.fingerprint;
    match recipe.filter(|recipe| same_data && plan.fits(recipe, index)) {
        Some(recipe) => {
            let score = |key: &str| found.facts.metrics.get(key).copied();
            Some(Member {
                status: Some(found.status),
                validation: score("validation_co_bps"),
                test: score("co_bps"),
                smoothing: score("smoothing_co_bps"),
                seconds: found.facts.seconds,
                checkpoint: !is_empty(&folder.join(CHECKPOINTS)),
                problem: found.problem.or(found.facts.message),
                ..Member::waiting(index, folder, recipe)
            })
        }
        None => {
            let why = format!("{}: something else than this member is here, and is left alone", folder.display());
            let problem = Some(found.problem.unwrap_or(why));
            Some(Member { status: Some(Status::Foreign), problem, ..Member::waiting(index, folder, plan.base.clone()) })
        }
    }
}

/// True when nothing is there or can be seen there.
fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut inside| inside.next().is_none())
}

/// Members that have a score, from the best to the worst.
pub fn ranked(members: &[Member]) -> Vec<&Member> {
    let mut ranked: Vec<(f64, &Member)> = members.iter().filter_map(|member| Some((member.validation?, member))).collect();
    ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    ranked.into_iter().map(|(_, member)| member).collect()
}

/// A sweep that was found in a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its folder.
    pub folder: PathBuf,
    /// What it draws.
    pub plan: Plan,
    /// Its members.
    pub members: Vec<Member>,
}

impl Found {
    /// Members that are complete.
    pub fn complete(&self) -> usize {
        self.members.iter().filter(|member| member.to_do() == ToDo::Nothing).count()
    }
}

/// Sweeps on the recording with this fingerprint that are in these folders or are these folders, by path. What cannot be read is
/// passed over with a line in the log.
pub fn find(folders: &[PathBuf], fingerprint: &str) -> Vec<Found> {
    let inside = |folder: &PathBuf| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).chain([folder.clone()]).filter(|path| is_sweep(path)).collect()
    };
    let mut places: Vec<PathBuf> = folders.iter().flat_map(inside).collect();
    places.sort();
    places.dedup();
    let read = |folder: PathBuf| {
        let plan =
            read_plan(&folder).inspect_err(|e| tracing::warn!("{e}")).ok().flatten().filter(|plan| plan.fingerprint == fingerprint)?;
        let members = members(&folder, &plan).inspect_err(|e| tracing::warn!("{}: {e}", folder.display())).ok()?;
        Some(Found { folder, plan, members })
    };
    places.into_iter().filter_map(read).collect()
}
