//! A run folder while its run is being trained. It is there from the first step on, locked by the process that trains, with the
//! recipe and a manifest that says `running`; checkpoints come and go inside it; at the end the results and the last manifest take
//! their places. Whenever the process dies, the folder is a run that can be read and resumed.

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::checkpoint::{CHECKPOINTS, Checkpoint, Keep, forget_after, newest, run_id};
use super::contents::{fill, manifest};
use super::keeper::{Keeper, Kept};
use super::lock::{LOCK, OWNER, RunLock};
use super::writer::{Fault, RunWriter, Staging, recover};
use super::{MANIFEST, Manifest, RECIPE, RunContents, RunError, RunStatus};
use crate::export::{WriteError, sync_folder, write_atomically};
use crate::training::Recipe;

/// A run folder that this process trains into.
pub struct LiveRun {
    folder: PathBuf,
    keeper: Keeper,
    /// Of the checkpoint that training went on from, in a resumed run.
    from: Option<u64>,
    resumed: bool,
    /// A checkpoint was handed over.
    offered: Cell<bool>,
    fault: Fault,
    /// Held until the end; the last field, so that it is given back after everything is written.
    lock: Option<RunLock>,
}

/// A run that can go on.
#[derive(Debug)]
pub struct Resumable {
    /// The run folder.
    pub folder: PathBuf,
    /// What the run is.
    pub manifest: Manifest,
    /// Its recipe.
    pub recipe: Recipe,
    /// The checkpoint to go on from; `None` to begin anew, because there was none yet.
    pub checkpoint: Option<Checkpoint>,
    /// What is wrong with newer checkpoints.
    pub notes: Vec<String>,
}

/// Look for a run that can go on at `folder`: interrupted, stopped or failed. Takes no lock. A complete one is rid of what a process
/// left that was killed in its last moment.
///
/// # Errors
/// [`RunError::Complete`], [`RunError::NoCheckpoint`], [`RunError::Locked`], or what is wrong with the files.
pub fn resumable(folder: &Path) -> Result<Resumable, RunError> {
    super::lock::refuse_held(folder)?;
    read_resumable(folder)
}

/// Begins the names of folders in which results are made before they take their places.
const FINISHING: &str = ".finishing.";

/// Remove what a process left that was killed while it wrote results; the lock is held.
fn remove_litter(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(FINISHING)) {
        // What cannot be removed costs disk space only.
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// Remove what only a run that goes on needs from one that is complete. A process that is killed in its last moment leaves it.
fn tidy(folder: &Path) {
    remove_litter(folder);
    forget_after(folder, None);
    // What cannot be removed costs disk space only.
    let _ = fs::remove_dir_all(folder.join(CHECKPOINTS));
    for name in [LOCK, OWNER] {
        let _ = fs::remove_file(folder.join(name));
    }
}

/// The recipe of a run folder.
pub(crate) fn recipe_of(folder: &Path, manifest: &Manifest) -> Result<Recipe, RunError> {
    let damaged = RunError::damaged(&folder.join(RECIPE));
    let text = String::from_utf8(manifest.file(folder, RECIPE)?.read(folder)?).map_err(|e| damaged(e.to_string()))?;
    Recipe::parse(&text).map_err(|e| damaged(e.to_string()))
}

fn read_resumable(folder: &Path) -> Result<Resumable, RunError> {
    recover(folder);
    let manifest = Manifest::read_as_written(folder)?;
    if manifest.status == RunStatus::Complete {
        tidy(folder);
        return Err(RunError::Complete { path: folder.to_owned() });
    }
    let recipe = recipe_of(folder, &manifest)?;
    let (found, notes) = newest(folder, &run_id(&recipe, &manifest.recording.fingerprint)?);
    let checkpoint = match found {
        Some((place, header)) => Some(header.read(&place, &recipe)?),
        // It had not come to its first checkpoint. One that has ended without any is not begun anew: its results would go.
        None if manifest.status == RunStatus::Running => None,
        None => return Err(RunError::NoCheckpoint { path: folder.to_owned(), why: notes }),
    };
    Ok(Resumable { folder: folder.to_owned(), manifest, recipe, checkpoint, notes })
}

impl LiveRun {
    /// Begin a run folder at `target`. `contents` give recipe, recording and device; a run that is there is put aside until this
    /// one is over, and comes back when this one is discarded.
    ///
    /// # Errors
    /// As [`super::check_target`].
    pub(crate) fn begin(target: &Path, contents: &RunContents<'_>, keep: usize, fault: &dyn Fn() -> Fault) -> Result<Self, RunError> {
        let mut writer = RunWriter::new(target)?;
        let recipe = contents.recipe.to_toml().map_err(RunError::contents(RECIPE))?;
        writer.file(RECIPE, |f| f.write_all(recipe.as_bytes()))?;
        // The lock moves into place with the folder, so that there is no moment without it. Windows moves no folder with open files.
        let early = (!cfg!(windows)).then(|| RunLock::take(writer.staging.path())).transpose()?;
        let folder = writer.finish(Manifest { status: RunStatus::Running, ..manifest(contents) })?;
        let lock = early.map_or_else(|| RunLock::take(&folder), Ok)?;
        let id = run_id(contents.recipe, &contents.recording.fingerprint)?;
        let keeper = Keeper::start(folder.clone(), id, Keep { newest: keep, from: None }, fault())?;
        Ok(Self { folder, keeper, from: None, resumed: false, offered: Cell::new(false), fault: fault(), lock: Some(lock) })
    }

    /// Take over a run that is not complete.
    ///
    /// # Errors
    /// As [`resumable`].
    pub(crate) fn reopen(folder: &Path, keep: usize, fault: &dyn Fn() -> Fault) -> Result<(Self, Resumable), RunError> {
        // Read first: a lock file is not left in what is no run.
        Manifest::read_as_written(folder)?;
        let lock = RunLock::take(folder)?;
        remove_litter(folder);
        let found = read_resumable(folder)?;
        let id = run_id(&found.recipe, &found.manifest.recording.fingerprint)?;
        let from = found.checkpoint.as_ref().map(|checkpoint| checkpoint.number);
        let keeper = Keeper::start(folder.to_owned(), id, Keep { newest: keep, from }, fault())?;
        Ok((
            Self { folder: folder.to_owned(), keeper, from, resumed: true, offered: Cell::new(false), fault: fault(), lock: Some(lock) },
            found,
        ))
    }

    /// The run folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Hand a checkpoint to the thread that writes them; false when the disk is still busy after `patience`.
    pub(crate) fn offer(&self, checkpoint: Arc<Checkpoint>, patience: Duration) -> bool {
        let taken = self.keeper.offer(checkpoint, patience);
        self.offered.set(self.offered.get() || taken);
        taken
    }

    /// True when a checkpoint would be taken at once.
    pub(crate) fn is_free(&self) -> bool {
        self.keeper.is_free()
    }

    /// What has become of checkpoints since the last call.
    pub(crate) fn news(&self) -> Vec<Kept> {
        self.keeper.news()
    }

    /// Wait until all checkpoints are written; no more can be.
    pub(crate) fn settle(&mut self) -> Vec<Kept> {
        self.keeper.close()
    }

    /// Put the results of a run that is over in their places, the manifest last. Until then the folder is what it was: a run that
    /// can be resumed. Checkpoints stay unless the run is complete.
    ///
    /// # Errors
    /// [`RunError::Write`]; it can be tried again.
    pub(crate) fn finish(&mut self, contents: &RunContents<'_>) -> Result<PathBuf, RunError> {
        let folder = self.folder.clone();
        let at = |doing| WriteError::at(&folder, doing);
        let mut staging = Staging::new(&folder, FINISHING, &folder)?;
        fill(&mut staging, &mut self.fault, contents)?;
        staging.sync().map_err(at("forcing the folder to disk"))?;
        let last = Manifest { files: staging.files(), ..manifest(contents) };
        // While files are replaced one by one, no manifest may list them.
        let written = Manifest::read_as_written(&folder)?;
        if written.status != RunStatus::Running {
            let files = written.files.into_iter().filter(|f| f.path == RECIPE).collect();
            self.put_manifest(&Manifest { status: RunStatus::Running, files, ..written })?;
        }
        for file in &last.files {
            let to = folder.join(&file.path);
            let moved = (self.fault)("a result takes its place").and_then(|()| fs::rename(staging.path().join(&file.path), &to));
            moved.map_err(WriteError::at(&to, "putting the file in its place"))?;
        }
        sync_folder(&folder).map_err(at("forcing the folder to disk"))?;
        self.put_manifest(&last)?;
        if last.status == RunStatus::Complete {
            self.lock = None;
            tidy(&folder);
        }
        recover(&folder);
        Ok(folder)
    }

    fn put_manifest(&mut self, manifest: &Manifest) -> Result<(), RunError> {
        let path = self.folder.join(MANIFEST);
        let json = manifest.to_json()?;
        (self.fault)(MANIFEST).map_err(WriteError::at(&path, "writing"))?;
        Ok(write_atomically(&path, |f| f.write_all(json.as_bytes()))?)
    }

    /// Leave what was there before: the run that was in this place, the run that was resumed, or nothing.
    pub(crate) fn discard(mut self) {
        self.keeper.close();
        if self.resumed {
            if self.offered.get() {
                forget_after(&self.folder, self.from);
            }
            return;
        }
        // Under another name first: a folder without a manifest would be taken for somebody else's.
        let name = self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let away = self.folder.with_file_name(format!(".{name}.discarded"));
        self.lock = None;
        let _ = fs::remove_dir_all(&away);
        let gone = fs::rename(&self.folder, &away).is_ok();
        let _ = fs::remove_dir_all(if gone { &away } else { &self.folder });
        recover(&self.folder);
    }
}

/// The contents of a run of which nothing is known yet but what it is made from.
pub(crate) fn nothing_yet<'a>(
    recipe: &'a Recipe,
    recording: &'a crate::recording::Recording,
    used: &'a super::Used,
    device: &'a str,
    opened_from: Option<&'a Path>,
    losses: &'a crate::training::LossLog,
) -> RunContents<'a> {
    RunContents {
        status: RunStatus::Running,
        used: Some(used),
        opened_from,
        ended: SystemTime::now(),
        device,
        ..RunContents::new(recipe, recording, losses, &serde_json::Value::Null)
    }
}
