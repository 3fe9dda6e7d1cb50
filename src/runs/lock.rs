//! One process at a time trains into a run folder. The operating system holds the lock, so that it ends with the process,
//! whichever way that ends; a file beside it says who has it, for messages.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::RunError;
use crate::export::{WriteError, write_atomically};

/// The file that is locked; it stays empty.
pub(super) const LOCK: &str = "run.lock";
/// Who has locked it.
pub(super) const OWNER: &str = "owner.json";

/// Looking at a lock takes it for a moment, so taking it is tried this often…
const TRIES: usize = 25;
/// …with this pause.
const PAUSE: Duration = Duration::from_millis(10);

/// A process that trains into a run folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its number.
    pub pid: u32,
    /// The machine it runs on.
    pub host: String,
}

impl Owner {
    fn here() -> Self {
        Self { pid: std::process::id(), host: host() }
    }

    /// Whether it still runs; `None` when that cannot be found out from here.
    fn is_alive(&self) -> Option<bool> {
        let processes = Path::new("/proc/self");
        (self.host == host() && processes.exists()).then(|| Path::new("/proc").join(self.pid.to_string()).exists())
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)
    }
}

fn host() -> String {
    let file = |path: &str| std::fs::read_to_string(path).ok();
    let name = file("/proc/sys/kernel/hostname").or_else(|| file("/etc/hostname"));
    let name = name.or_else(|| std::env::var("COMPUTERNAME").or_else(|_| std::env::var("HOSTNAME")).ok());
    name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "this machine".to_owned())
}

/// A lock that is held until it is dropped or the process ends.
#[derive(Debug)]
pub(super) struct RunLock {
    _file: File,
}

impl RunLock {
    /// Take the lock of a folder that is or will be a run. A lock that a dead process left is no lock.
    ///
    /// # Errors
    /// [`RunError::Locked`] with who has it, or what the operating system says.
    pub(super) fn take(folder: &Path) -> Result<Self, RunError> {
        let path = folder.join(LOCK);
        let at = |doing| WriteError::at(&path, doing);
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(at("making the lock file"))?;
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries < TRIES => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(locked(folder)),
                // Some network disks have no locks: then the word of the other process counts.
                Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => match owner(folder) {
                    Some(owner) if owner.is_alive() == Some(false) || owner == Owner::here() => break,
                    Some(_) => return Err(locked(folder)),
                    None => break,
                },
                Err(TryLockError::Error(e)) => return Err(at("locking the run folder")(e).into()),
            }
            tries += 1;
        }
        let text = serde_json::to_string(&Owner::here()).map_err(RunError::contents(OWNER))?;
        write_atomically(&folder.join(OWNER), |f| f.write_all(text.as_bytes()))?;
        Ok(Self { _file: file })
    }
}

/// That somebody trains into this folder.
pub(crate) fn locked(folder: &Path) -> RunError {
    RunError::Locked { path: folder.to_owned(), owner: owner(folder).map_or_else(|| "another process".to_owned(), |o| o.to_string()) }
}

fn owner(folder: &Path) -> Option<Owner> {
    serde_json::from_slice(&std::fs::read(folder.join(OWNER)).ok()?).ok()
}

/// Who trains into this folder now, in words; `None` for nobody.
pub(super) fn holder(folder: &Path) -> Option<String> {
    let file = File::open(folder.join(LOCK)).ok()?;
    let held = match file.try_lock_shared() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(_)) => owner(folder).is_some_and(|owner| owner.is_alive().unwrap_or(true)),
    };
    held.then(|| owner(folder).map_or_else(|| "another process".to_owned(), |owner| owner.to_string()))
}

/// Refuse a folder that somebody trains into.
pub(super) fn refuse_held(folder: &Path) -> Result<(), RunError> {
    for _ in 0..TRIES {
        if holder(folder).is_none() {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    Err(locked(folder))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_at_a_time_and_the_message_says_who() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(holder(folder.path()), None, "no file, no lock");
        let first = RunLock::take(folder.path()).unwrap();
        let who = holder(folder.path()).unwrap();
        assert!(who.contains(&std::process::id().to_string()) && who.contains(&host()), "{who}");
        let error = RunLock::take(folder.path()).unwrap_err();
        assert!(matches!(&error, RunError::Locked { .. }) && error.to_string().contains(&who), "{error}");
        assert!(refuse_held(folder.path()).is_err());
        drop(first);
        assert_eq!(holder(folder.path()), None);
        drop(RunLock::take(folder.path()).unwrap());
    }

    #[test]
    fn what_a_dead_process_left_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(LOCK), "").unwrap();
        let dead = Owner { pid: u32::MAX, host: "elsewhere".into() };
        std::fs::write(folder.path().join(OWNER), serde_json::to_string(&dead).unwrap()).unwrap();
        assert_eq!(holder(folder.path()), None);
        let lock = RunLock::take(folder.path()).unwrap();
        assert_eq!(owner(folder.path()), Some(Owner::here()));
        drop(lock);
        assert_eq!(dead.is_alive(), None, "another machine cannot be asked");
        assert_eq!(Owner { host: host(), ..dead }.is_alive(), Path::new("/proc/self").exists().then_some(false));
    }
}
