//! Writing a run folder so that its place holds the old run, the new run or nothing, whatever happens in between.
//!
//! Files go to a hidden sibling folder and are forced to disk; the manifest is the last of them; then the sibling takes the
//! run's name. A run that is already there is first moved aside to `.NAME.replaced`; if the program dies between the two
//! renames, [`recover`] (called by everything that looks at runs) moves it back. A run that is being trained keeps the one before
//! there until it is over; see [`super::LiveRun`].

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::{Builder, TempDir};

use super::lock::refuse_held;
use super::manifest::FileEntry;
use super::{MANIFEST, Manifest, RunError};
use crate::export::{WriteError, sync_folder};

/// Called before every step that changes the disk, with its name; tests let it fail or die there.
pub(crate) type Fault = Box<dyn FnMut(&str) -> io::Result<()> + Send>;

/// A fault that never comes.
pub(crate) fn no_fault() -> Fault {
    Box::new(|_| Ok(()))
}

/// Files that are filled beside their place. Dropped before [`Self::placed`], they leave nothing behind.
pub(super) struct Staging {
    folder: TempDir,
    /// Where the files will be, for messages.
    shown: PathBuf,
    files: Vec<FileEntry>,
}

/// A run folder in the making. Dropped unfinished, it leaves nothing behind.
pub struct RunWriter {
    target: PathBuf,
    pub(super) staging: Staging,
    pub(super) fault: Fault,
}

/// Say early whether a run can be written to `target`: nothing is there, or an empty folder, or another run (which will be
/// replaced), and the folder above can be written to (it is made when missing).
///
/// # Errors
/// [`RunError::Occupied`], [`RunError::NoName`], or [`RunError::Write`] naming the remedy.
pub fn check_target(target: &Path) -> Result<(), RunError> {
    RunWriter::new(target).map(drop)
}

impl RunWriter {
    /// Begin a run folder that will be at `target`.
    ///
    /// # Errors
    /// As [`check_target`].
    pub fn new(target: &Path) -> Result<Self, RunError> {
        if target.file_name().is_none() {
            return Err(RunError::NoName { path: target.to_owned() });
        }
        recover(target);
        refuse_foreign(target)?;
        refuse_held(target)?;
        let parent = crate::export::parent(target);
        fs::create_dir_all(&parent).map_err(WriteError::at(&parent, "making the folder"))?;
        let staging = Staging::new(&parent, &hidden(target, ""), target)?;
        Ok(Self { target: target.to_owned(), staging, fault: no_fault() })
    }

    /// Add a file; `path` is relative, with `/` between folders. `write` fills it, then it is forced to disk.
    ///
    /// # Errors
    /// [`RunError::Write`]; the writer is then of no use any more.
    pub fn file(&mut self, path: &str, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), RunError> {
        self.staging.file(path, &mut self.fault, write)
    }

    /// Write the manifest (its list of files is filled in here) and put the folder in its place. Gives back the target.
    ///
    /// # Errors
    /// [`RunError`]; the target is then as it was before.
    pub fn finish(mut self, manifest: Manifest) -> Result<PathBuf, RunError> {
        let manifest = Manifest { files: self.staging.files(), ..manifest };
        let json = manifest.to_json()?;
        self.file(MANIFEST, |f| f.write_all(json.as_bytes()))?;
        let target = self.target.clone();
        let at = |doing| WriteError::at(&target, doing);
        self.staging.sync().map_err(at("forcing the folder to disk"))?;
        let aside = self.move_aside()?;
        let renamed = (self.fault)("take the place").and_then(|()| fs::rename(self.staging.path(), &target));
        renamed.map_err(at("putting the run in its place")).inspect_err(|_| restore(aside.as_deref(), &target))?;
        self.staging.placed();
        sync_folder(&crate::export::parent(&target)).map_err(at("forcing the folder to disk"))?;
        if let Some(aside) = aside.filter(|_| manifest.status.is_over()) {
            // The new run is in place; a fault from here on costs disk space only, and `recover` tries again.
            if (self.fault)("remove the old run").is_ok() {
                let _ = fs::remove_dir_all(aside);
            }
        }
        Ok(target)
    }

    /// Make room: an empty folder goes, an old run is renamed.
    fn move_aside(&mut self) -> Result<Option<PathBuf>, RunError> {
        let target = self.target.clone();
        let at = |doing| WriteError::at(&target, doing);
        // Something may have come here since the start of a long training run.
        refuse_foreign(&self.target)?;
        refuse_held(&self.target)?;
        if !self.target.exists() {
            return Ok(None);
        }
        (self.fault)("move the old run aside").map_err(at("moving the old run aside"))?;
        if Manifest::read(&self.target).is_err() {
            fs::remove_dir(&self.target).map_err(at("taking the place of the empty folder"))?;
            return Ok(None);
        }
        let aside = replaced(&self.target);
        if aside.exists() {
            // The run here is not over and has itself taken the place of the one that is aside: that one waits on.
            fs::remove_dir_all(&self.target).map_err(at("removing the unfinished run"))?;
            return Ok(Some(aside));
        }
        fs::rename(&self.target, &aside).map_err(at("moving the old run aside"))?;
        Ok(Some(aside))
    }
}

impl Staging {
    /// Inside `parent`, for files that will be in `shown`.
    pub(super) fn new(parent: &Path, prefix: &str, shown: &Path) -> Result<Self, RunError> {
        let mut builder = Builder::new();
        builder.prefix(prefix).suffix(".partial");
        crate::export::open_to_umask(&mut builder, 0o777);
        let folder = builder.tempdir_in(parent).map_err(WriteError::at(parent, "making a temporary folder"))?;
        Ok(Self { folder, shown: shown.to_owned(), files: Vec::new() })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Add a file and force it to disk.
    pub(super) fn file(
        &mut self,
        path: &str,
        fault: &mut Fault,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), RunError> {
        let place = self.folder.path().join(path);
        let shown = self.shown.join(path);
        let at = |doing| WriteError::at(&shown, doing);
        fault(path).map_err(at("writing"))?;
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder).map_err(at("making its folder"))?;
        }
        let file = File::options().read(true).write(true).create_new(true).open(&place).map_err(at("creating"))?;
        let mut buffer = BufWriter::new(file);
        write(&mut buffer).and_then(|()| buffer.flush()).map_err(at("writing"))?;
        let mut file = buffer.into_inner().map_err(|e| at("writing")(e.into_error()))?;
        file.sync_all().map_err(at("forcing the file to disk"))?;
        // Read back what the disk has, in pieces: the checksum is then of the file and not of our intention.
        let (bytes, sha256) = digest(&mut file).map_err(at("reading back"))?;
        self.files.push(FileEntry { path: path.to_owned(), bytes, sha256 });
        Ok(())
    }

    /// The files so far, for a manifest.
    pub(super) fn files(&self) -> Vec<FileEntry> {
        self.files.clone()
    }

    /// Force the names of the files to disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        let own = self.folder.path();
        let folders: BTreeSet<PathBuf> = self.files.iter().filter_map(|f| Some(own.join(&f.path).parent()?.to_owned())).collect();
        folders.iter().map(PathBuf::as_path).chain([own]).try_for_each(sync_folder)
    }

    /// The folder was renamed: it is no longer removed.
    pub(super) fn placed(&mut self) {
        self.folder.disable_cleanup(true);
    }
}

fn digest(file: &mut File) -> io::Result<(u64, String)> {
    file.rewind()?;
    let (mut hash, mut bytes, mut block) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let n = file.read(&mut block)?;
        if n == 0 {
            break;
        }
        bytes += n as u64;
        hash.update(&block[..n]);
    }
    Ok((bytes, hash.finalize().iter().map(|b| format!("{b:02x}")).collect()))
}

fn restore(aside: Option<&Path>, target: &Path) {
    if let Some(aside) = aside {
        // When this fails too, `recover` will do it at the next look.
        let _ = fs::rename(aside, target);
    }
}

fn hidden(target: &Path, ending: &str) -> String {
    format!(".{}.{ending}", target.file_name().unwrap_or_default().to_string_lossy())
}

fn replaced(target: &Path) -> PathBuf {
    target.with_file_name(hidden(target, "replaced"))
}

/// Repair what a program that died left at `target`: an old run that was moved aside comes back when nothing took its place, and
/// goes when a run that is over did. While the new one is being trained (or was interrupted) the old one waits.
pub(super) fn recover(target: &Path) {
    let aside = replaced(target);
    if !aside.exists() {
        return;
    }
    // Failing here is no loss: the caller then finds what it finds.
    let _ = match target.exists() {
        false => fs::rename(&aside, target),
        true if Manifest::read_as_written(target).is_ok_and(|manifest| manifest.status.is_over()) => fs::remove_dir_all(&aside),
        true => Ok(()),
    };
}

/// The run that `aside` was moved away from, for folders that are looked through.
pub(super) fn owner_of(aside: &Path) -> Option<PathBuf> {
    let name = aside.file_name()?.to_str()?.strip_prefix('.')?.strip_suffix(".replaced")?;
    Some(aside.with_file_name(name))
}

fn refuse_foreign(target: &Path) -> Result<(), RunError> {
    let occupied = |what: &str| Err(RunError::Occupied { path: target.to_owned(), what: what.to_owned() });
    let metadata = match target.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(RunError::Read { path: target.to_owned(), source }),
    };
    if !metadata.is_dir() {
        return occupied("a file or a link");
    }
    let mut entries = fs::read_dir(target).map_err(|source| RunError::Read { path: target.to_owned(), source })?;
    match (entries.next().is_none(), Manifest::read(target)) {
        (true, _) | (_, Ok(_)) => Ok(()),
        (_, Err(RunError::NotARun { .. })) => occupied("a folder with other files"),
        // A newer or damaged run is somebody's work too.
        (_, Err(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests;
