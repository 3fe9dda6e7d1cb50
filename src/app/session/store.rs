//! Session files on disk: one per process, so that two windows never write to one file, with a lock beside it that the system
//! gives back when the process dies in whatever way. A file whose lock is free belongs to nobody any more.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Session, VERSION};
use crate::app::kept::{self, Kept};
use crate::export::{WriteError, write_atomically};
use crate::runs::utc;

/// Sessions that ended well and are kept for "Restore the last session".
const KEPT_ENDED: usize = 3;
/// Sessions that did not end well and are kept.
const KEPT_CRASHED: usize = 10;

/// The session file of this process.
pub struct Slot {
    path: PathBuf,
    /// Held as long as the process lives.
    _lock: File,
}

/// A session that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Earlier {
    /// Its file.
    pub path: PathBuf,
    /// What it held.
    pub session: Session,
    /// A report about the fault that ended it.
    pub report: Option<PathBuf>,
}

impl Slot {
    /// A file of our own in `folder`, which is made when missing. `id` names the process, see [`id`].
    pub fn take(folder: &Path, id: &str) -> Result<Self, WriteError> {
        fs::create_dir_all(folder).map_err(WriteError::at(folder, "making the folder for sessions"))?;
        for number in 0..1000 {
            let path = if number == 0 { folder.join(format!("{id}.json")) } else { folder.join(format!("{id}-{number}.json")) };
            let lock = lock_of(&path);
            let file =
                File::options().create(true).append(true).open(&lock).map_err(WriteError::at(&lock, "making the lock of the session"))?;
            match file.try_lock() {
                // A file system without locks: the number of the process still tells.
                Ok(()) | Err(TryLockError::Error(_)) if !path.exists() => return Ok(Self { path, _lock: file }),
                _ => {}
            }
        }
        Err(WriteError::at(folder, "taking a name for the session")(io::ErrorKind::AlreadyExists.into()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Write the session, whole or not at all.
    pub fn write(&self, session: &Session, now: SystemTime) -> Result<(), WriteError> {
        let session = Session {
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            process: std::process::id(),
            saved: to_the_millisecond(now),
            ..session.clone()
        };
        write(&self.path, &session)
    }
}

fn write(path: &Path, session: &Session) -> Result<(), WriteError> {
    write_atomically(path, |file| {
        serde_json::to_writer_pretty(&mut *file, session)?;
        file.write_all(b"\n")
    })
}

/// As [`utc`], but finer: two windows can write within a second, and the newer is offered first.
fn to_the_millisecond(now: SystemTime) -> String {
    let millis = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_millis();
    format!("{}.{millis:03}Z", utc(now).trim_end_matches('Z'))
}

/// Name of a process that starts now: `2026-11-21T10-02-33Z-4711`.
pub fn id(now: SystemTime) -> String {
    format!("{}-{}", utc(now).replace(':', "-"), std::process::id())
}

fn lock_of(path: &Path) -> PathBuf {
    path.with_extension("lock")
}

/// True while the process that wrote `path` lives.
fn is_alive(path: &Path, process: u32) -> bool {
    let Ok(file) = File::open(lock_of(path)) else { return false };
    // Shared, so that two programs that look at the same time do not take each other for the owner.
    match file.try_lock_shared() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(_)) => Path::new("/proc").join(process.to_string()).exists(),
    }
}

/// Sessions in `folder` that are over, newest first, without `own`, and what is to be told about files that cannot be used: they
/// are set aside. `reports` is the folder of fault reports.
pub fn earlier(folder: &Path, own: Option<&Path>, reports: Option<&Path>) -> (Vec<Earlier>, Vec<String>) {
    let (mut found, mut told) = (Vec::new(), Vec::new());
    let Ok(entries) = fs::read_dir(folder) else { return (found, told) };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_session(path) && own != Some(path)) {
        match kept::read(&path, VERSION) {
            Kept::Nothing => {}
            Kept::Known(value) => match serde_json::from_value::<Session>(value) {
                Ok(session) if is_alive(&path, session.process) => {}
                Ok(session) => found.push(Earlier { report: reports.and_then(|reports| report_of(&path, reports)), path, session }),
                Err(_) if is_alive(&path, 0) => {}
                Err(e) => told.push(unusable(&path, &e.to_string(), "unreadable")),
            },
            Kept::Newer(_, version) if !is_alive(&path, 0) => {
                told.push(unusable(&path, "a newer Spikescope wrote it", &format!("version-{version}")));
            }
            Kept::Unusable(why) if !is_alive(&path, 0) => told.push(unusable(&path, &why, "unreadable")),
            Kept::Newer(..) | Kept::Unusable(_) => {}
        }
    }
    found.sort_by(|a, b| b.session.saved.cmp(&a.session.saved).then_with(|| b.path.cmp(&a.path)));
    (found, told)
}

/// Session files are named by [`id`]; what was set aside has a dot in its stem.
fn is_session(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.extension().is_some_and(|e| e == "json") && !stem.contains('.')
}

fn unusable(path: &Path, why: &str, tag: &str) -> String {
    let told = format!("The session in {} cannot be used ({why}); {}.", path.display(), kept::set_aside(path, tag));
    // Without its session the lock says nothing any more.
    let _ = fs::remove_file(lock_of(path));
    told
}

/// The newest report that the process of this session wrote.
fn report_of(session: &Path, reports: &Path) -> Option<PathBuf> {
    let id = session.file_stem()?.to_string_lossy().into_owned();
    let mine = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("fault-{id}")));
    fs::read_dir(reports).ok()?.filter_map(|entry| Some(entry.ok()?.path())).filter(mine).max()
}

/// The user knows of this session: it is not offered again by itself.
pub fn settle(earlier: &Earlier) {
    let session = Session { ended: true, ..earlier.session.clone() };
    if let Err(e) = write(&earlier.path, &session) {
        tracing::debug!("{e}");
    }
}

/// Remove a session that lives on in another file.
pub fn remove(path: &Path) {
    for path in [path.to_owned(), lock_of(path)] {
        if let Err(e) = fs::remove_file(&path)
            && e.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!("{}: {e}", path.display());
        }
    }
}

/// Remove sessions that are old: `found` is what [`earlier`] gave.
pub fn tidy(found: &[Earlier]) {
    for (ended, most) in [(true, KEPT_ENDED), (false, KEPT_CRASHED)] {
        found.iter().filter(|earlier| earlier.session.ended == ended).skip(most).for_each(|earlier| remove(&earlier.path));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::super::OpenRecording;
    use super::*;

    fn session(name: &str) -> Session {
        Session { open: Some(OpenRecording { name: name.into(), ..OpenRecording::default() }), zoom: Some(1.25), ..Session::default() }
    }

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_795_255_000 + second)
    }

    /// Names of what is found, newest first.
    fn names(folder: &Path) -> Vec<String> {
        let name = |e: Earlier| e.session.open.map(|open| open.name).unwrap_or_default();
        earlier(folder, None, None).0.into_iter().map(name).collect()
    }

    #[test]
    fn a_session_of_a_process_that_lives_is_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (Slot::take(folder.path(), "a").unwrap(), Slot::take(folder.path(), "a").unwrap());
        assert_ne!(first.path(), second.path(), "two windows in one second and one process");
        first.write(&session("first"), at(1)).unwrap();
        second.write(&session("second"), at(2)).unwrap();
        assert_eq!(names(folder.path()), [""; 0]);
        drop(first);
        assert_eq!(names(folder.path()), ["first"]);
        drop(second);
        assert_eq!(names(folder.path()), ["second", "first"]);
        let (found, _) = earlier(folder.path(), None, None);
        assert_eq!((found[0].session.zoom, found[0].session.saved.as_str()), (Some(1.25), "2026-11-21T09:56:42.000Z"));
    }

    #[test]
    fn of_two_sessions_in_one_second_the_newer_is_first() {
        let folder = tempfile::tempdir().unwrap();
        for (name, millis) in [("b", 250), ("a", 750)] {
            Slot::take(folder.path(), name).unwrap().write(&session(name), at(0) + Duration::from_millis(millis)).unwrap();
        }
        assert_eq!(names(folder.path()), ["a", "b"]);
    }

    #[test]
    fn a_settled_session_has_ended_and_old_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        for k in 0..30 {
            Slot::take(folder.path(), &format!("s{k:02}")).unwrap().write(&session(&format!("{k}")), at(k)).unwrap();
        }
        let (found, _) = earlier(folder.path(), None, None);
        found.iter().take(12).for_each(settle);
        let (found, _) = earlier(folder.path(), None, None);
        assert_eq!(found.iter().filter(|e| e.session.ended).count(), 12);
        tidy(&found);
        let left = earlier(folder.path(), None, None).0;
        assert_eq!((left.len(), left[0].session.ended, left[3].session.ended), (13, true, false));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 26, "a lock goes with its session");
    }

    #[test]
    fn a_report_is_found_by_the_name_of_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let reports = folder.path().join("reports");
        fs::create_dir(&reports).unwrap();
        Slot::take(folder.path(), "a-7").unwrap().write(&session("x"), at(0)).unwrap();
        for name in ["fault-b-7-1.txt", "fault-a-7-1.txt", "fault-a-7-2.txt"] {
            fs::write(reports.join(name), "").unwrap();
        }
        let (found, _) = earlier(folder.path(), None, Some(&reports));
        assert_eq!(found[0].report, Some(reports.join("fault-a-7-2.txt")));
    }

    #[test]
    fn newer_and_damaged_files_are_set_aside_with_a_message() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("new.json"), "{\"version\": 7, \"hologram\": 1}").unwrap();
        fs::write(folder.path().join("torn.json"), "{\"version\": 1, \"open\"").unwrap();
        fs::write(folder.path().join("odd.json"), "{\"version\": 1, \"open\": 12}").unwrap();
        let (found, mut told) = earlier(folder.path(), None, None);
        told.sort();
        assert!(found.is_empty());
        assert!(told[0].contains("new.version-7.json") && told[0].contains("newer Spikescope"), "{told:?}");
        assert!(told[1].contains("odd.unreadable.json") && told[2].contains("torn.unreadable.json"), "{told:?}");
        assert_eq!(earlier(folder.path(), None, None), (Vec::new(), Vec::new()), "told once");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "and kept");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
        /// Whatever happened to the bytes: no panic, and the file is used, or kept under another name.
        #[test]
        fn no_damage_is_fatal_and_no_file_is_lost(cut in 0..2000usize, flips in prop::collection::vec((0..2000usize, any::<u8>()), 0..6)) {
            let folder = tempfile::tempdir().unwrap();
            Slot::take(folder.path(), "a").unwrap().write(&session("größe"), at(0)).unwrap();
            let path = folder.path().join("a.json");
            let mut bytes = fs::read(&path).unwrap();
            bytes.truncate(cut.max(1));
            for (place, byte) in flips {
                if let Some(b) = bytes.get_mut(place) {
                    *b = byte;
                }
            }
            fs::write(&path, &bytes).unwrap();
            let (found, told) = earlier(folder.path(), None, None);
            prop_assert_eq!(found.len() + told.len(), 1);
            let kept: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "json")).collect();
            prop_assert_eq!(kept.len(), 1);
            prop_assert_eq!(fs::read(&kept[0]).unwrap(), bytes);
        }
    }
}
