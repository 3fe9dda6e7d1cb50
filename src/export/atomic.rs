//! Files that are written whole or not at all: a temporary sibling is filled, forced to disk and renamed into place, so that
//! whoever looks at the path, even after a crash, sees the old content or the new one.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// Why something could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {doing} failed: {source}; {}", path.display(), remedy(source))]
pub struct WriteError {
    /// File or folder that was to be written.
    pub path: PathBuf,
    /// What was being done, in words.
    pub doing: &'static str,
    /// What the operating system said.
    pub source: io::Error,
}

impl WriteError {
    /// For `map_err` with the path and the step that failed.
    pub fn at(path: &Path, doing: &'static str) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { path: path.clone(), doing, source }
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "choose a folder that you may write to",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some disk space or choose another disk",
        io::ErrorKind::NotFound => "check that the folder exists",
        io::ErrorKind::NotADirectory => "a part of the path is a file; choose another folder",
        _ => "check the path or choose another one",
    }
}

/// Write `path` whole or not at all. `write` fills a temporary sibling; when it succeeds the file is forced to disk and renamed
/// over `path`. An existing file keeps its permissions; a symbolic link is followed, not replaced. What `write` returns is handed on.
///
/// # Errors
/// What `write` says, or a [`WriteError`] that names the path and what to do; `path` is then as it was and no sibling is left.
pub fn write_whole<T, E: From<WriteError>>(path: &Path, write: impl FnOnce(&mut File) -> Result<T, E>) -> Result<T, E> {
    let at = |doing| WriteError::at(path, doing);
    // Resolve links so that the rename replaces the file and not the link to it.
    let target = if path.exists() { path.canonicalize().map_err(at("resolving the path"))? } else { path.to_owned() };
    let folder = parent(&target);
    let name = target.file_name().filter(|_| !target.is_dir()).ok_or_else(|| at("naming the file")(io::ErrorKind::IsADirectory.into()))?;
    let prefix = format!(".{}.", name.to_string_lossy());
    let mut sibling =
        temporary(&prefix, &folder, target.metadata().ok().map(|m| m.permissions())).map_err(at("creating a temporary file beside it"))?;
    let result = write(sibling.as_file_mut())?;
    sibling.as_file().sync_all().map_err(at("forcing the file to disk"))?;
    sibling.persist(&target).map_err(|e| at("putting the file in its place")(e.error))?;
    // The file is in its place and whole; that the new name survives a power cut too is more than some systems can promise.
    if let Err(e) = sync_folder(&folder) {
        tracing::debug!("{}: the folder was not synced: {e}", folder.display());
    }
    Ok(result)
}

/// As [`write_whole`] with a buffer, for writers that know nothing but I/O errors.
///
/// # Errors
/// [`WriteError`] names the path and what to do.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>) -> Result<(), WriteError> {
    write_whole(path, |file| {
        let mut buffer = BufWriter::new(file);
        write(&mut buffer).and_then(|()| buffer.flush()).map_err(WriteError::at(path, "writing"))
    })
}

fn temporary(prefix: &str, folder: &Path, like: Option<std::fs::Permissions>) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(prefix).suffix(".partial");
    match like {
        Some(permissions) => {
            let file = builder.tempfile_in(folder)?;
            file.as_file().set_permissions(permissions)?;
            Ok(file)
        }
        None => {
            open_to_umask(&mut builder, 0o666);
            builder.tempfile_in(folder)
        }
    }
}

/// Temporary files are private by default; what the user gets in the end should follow the user's umask.
pub(crate) fn open_to_umask(builder: &mut Builder<'_, '_>, mode: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = (builder, mode);
}

/// The folder that holds `path` (`.` for a bare name).
pub(crate) fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Make renames inside `folder` durable. Only Unix has a way to say this; elsewhere nothing is done.
///
/// # Errors
/// What the operating system says.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ümlaut settings.toml");
        write_atomically(&path, |f| f.write_all(b"old")).unwrap();
        let failed = write_atomically(&path, |f| {
            f.write_all(b"half of the new")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        let message = failed.unwrap_err().to_string();
        assert!(message.contains("settings.toml") && message.contains("free some disk space"), "{message}");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["ümlaut settings.toml"]);
        write_atomically(&path, |f| f.write_all(b"new")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_missing_folder_is_an_error_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let message = write_atomically(&folder.path().join("no/such/file"), |_| Ok(())).unwrap_err().to_string();
        assert!(message.contains("check that the folder exists"), "{message}");
        assert!(write_atomically(folder.path(), |_| Ok(())).is_err(), "a folder cannot be replaced by a file");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_permissions_kept() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_atomically(&link, |f| f.write_all(b"new")).unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    }
}
