//! What a fault report says beside the fault: what was open, how it was looked at, and the last messages. The window fills it in as
//! it goes; whoever hears of a panic writes it. Nothing personal gets into a report, see [`crate::doctor::Privacy`].

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;

use super::session::Session;
use crate::doctor::Privacy;
use crate::export::write_atomically;
use crate::runs::utc;

/// Messages kept.
const LINES: usize = 200;
/// Letters kept of one message.
const LONGEST_LINE: usize = 2000;
/// Reports that one process writes: a fault in every frame does not fill the disk.
const MOST_REPORTS: usize = 5;
/// Reports kept in the folder.
const MOST_KEPT: usize = 30;

/// See the module.
pub struct BlackBox {
    folder: Option<PathBuf>,
    id: String,
    privacy: Privacy,
    lines: Mutex<VecDeque<String>>,
    session: ArcSwapOption<Session>,
    written: AtomicUsize,
    news: ArcSwapOption<PathBuf>,
}

/// A panic.
#[derive(Debug, Clone, Default)]
pub struct Fault {
    /// What it said.
    pub what: String,
    /// File, line and column of our sources.
    pub place: String,
    /// Name of the thread.
    pub thread: String,
    /// Calls that led to it; may be empty.
    pub backtrace: String,
}

impl BlackBox {
    /// Reports go to `folder` (`None` writes none); `id` names this process as its session does.
    pub fn new(folder: Option<PathBuf>, id: String, privacy: Privacy) -> Self {
        Self {
            folder,
            id,
            privacy,
            lines: Mutex::default(),
            session: ArcSwapOption::empty(),
            written: AtomicUsize::new(0),
            news: ArcSwapOption::empty(),
        }
    }

    /// Name of this process, as its session and its reports have it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Remember a message.
    pub fn note(&self, line: &str) {
        let line: String = line.chars().take(LONGEST_LINE).collect();
        // Never wait: this may be called while the program is falling.
        match self.lines.try_lock() {
            Ok(mut lines) => push(&mut lines, line),
            Err(TryLockError::Poisoned(lines)) => push(&mut lines.into_inner(), line),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    /// What the window shows now.
    pub fn show(&self, session: Session) {
        self.session.store(Some(Arc::new(session)));
    }

    /// A report that was written since this was asked last.
    pub fn news(&self) -> Option<Arc<PathBuf>> {
        self.news.swap(None)
    }

    /// Write a report of `fault`; `None` when there is no folder, or too many were written. Never panics.
    pub fn report(&self, fault: &Fault) -> Option<PathBuf> {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.as_ref().filter(|_| number < MOST_REPORTS)?;
        std::fs::create_dir_all(folder).ok()?;
        tidy(folder);
        let path = folder.join(format!("fault-{}-{}.txt", self.id, number + 1));
        let text = self.text(fault);
        write_atomically(&path, |file| file.write_all(text.as_bytes())).ok()?;
        self.news.store(Some(Arc::new(path.clone())));
        Some(path)
    }

    /// The report.
    fn text(&self, fault: &Fault) -> String {
        let mut text = format!(
            "Spikescope fault report\n\nversion: {}\ntime: {}\nsystem: {} {}\nthread: {}\nplace: {}\nfault: {}\n",
            env!("CARGO_PKG_VERSION"),
            utc(SystemTime::now()),
            std::env::consts::OS,
            std::env::consts::ARCH,
            fault.thread,
            fault.place,
            fault.what,
        );
        let session = self.session.load_full().map(|session| session.without_paths());
        let name = session.as_ref().and_then(|session| session.open.as_ref()).map_or("none", |open| open.name.as_str());
        let _ = writeln!(text, "recording: {name}");
        let lines: Vec<String> = match self.lines.try_lock() {
            Ok(lines) => lines.iter().cloned().collect(),
            Err(TryLockError::Poisoned(lines)) => lines.into_inner().iter().cloned().collect(),
            Err(TryLockError::WouldBlock) => vec!["(being written to while the fault happened)".to_owned()],
        };
        let _ = writeln!(text, "\n== last messages ({})\n{}", lines.len(), lines.join("\n"));
        let session = session.and_then(|session| serde_json::to_string_pretty(&session).ok());
        let _ = writeln!(text, "\n== session\n{}", session.unwrap_or_else(|| "none".to_owned()));
        let _ = writeln!(text, "\n== calls\n{}", if fault.backtrace.is_empty() { "not known" } else { &fault.backtrace });
        self.privacy.clean(&text)
    }
}

fn push(lines: &mut VecDeque<String>, line: String) {
    if lines.len() >= LINES {
        lines.pop_front();
    }
    lines.push_back(line);
}

/// Old reports go; their names begin with the time.
fn tidy(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let ours = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("fault-"));
    let mut reports: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(ours).collect();
    reports.sort();
    for old in reports.iter().rev().skip(MOST_KEPT - 1) {
        // One that stays takes a few kilobytes.
        let _ = std::fs::remove_file(old);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::session::{OpenRecording, RunOfSession};
    use super::*;

    fn black_box(folder: &Path) -> BlackBox {
        BlackBox::new(Some(folder.to_owned()), "2026-11-21T10-00-00Z-7".into(), Privacy::of(Path::new("/home/jane.doe"), "jane.doe"))
    }

    #[test]
    fn a_report_tells_what_was_open_and_nothing_personal() {
        let folder = tempfile::tempdir().unwrap();
        let black_box = black_box(folder.path());
        black_box.note("opened /home/jane.doe/secret study/maze.nwb");
        black_box.show(Session {
            open: Some(OpenRecording {
                path: Some("/media/patients/miller/maze.nwb".into()),
                name: "maze".into(),
                answers: [("area list".to_owned(), "/media/patients/miller/areas.csv".to_owned())].into(),
                ..OpenRecording::default()
            }),
            runs: vec![RunOfSession { folder: "/home/jane.doe/runs/maze-1".into(), going: true }],
            ..Session::default()
        });
        let fault = Fault {
            what: "index out of range in /home/jane.doe/x".into(),
            place: "src/a.rs:1:2".into(),
            thread: "main".into(),
            backtrace: "at /home/jane.doe/.cargo/registry/egui/src/a.rs".into(),
        };
        let path = black_box.report(&fault).unwrap();
        assert!(path.ends_with("fault-2026-11-21T10-00-00Z-7-1.txt"));
        let text = std::fs::read_to_string(&path).unwrap();
        for part in [env!("CARGO_PKG_VERSION"), "recording: maze", "index out of range in ~/x", "src/a.rs:1:2", "opened ~/", "\"maze-1\""] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        for part in ["jane", "doe", "miller", "patients"] {
            assert!(!text.contains(part), "{part} is in {text}");
        }
        assert_eq!((black_box.news().as_deref(), black_box.news()), (Some(&path), None));
    }

    #[test]
    fn messages_and_reports_have_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let black_box = black_box(folder.path());
        for k in 0..500 {
            black_box.note(&format!("message {k} {}", "x".repeat(10_000)));
        }
        for k in 0..40 {
            std::fs::write(folder.path().join(format!("fault-2020-{k:02}.txt")), "").unwrap();
        }
        let written = (0..20).filter_map(|_| black_box.report(&Fault::default())).count();
        assert_eq!(written, MOST_REPORTS);
        let text = std::fs::read_to_string(folder.path().join("fault-2026-11-21T10-00-00Z-7-1.txt")).unwrap();
        assert!(text.contains("message 499") && !text.contains("message 299 ") && text.len() < LINES * (LONGEST_LINE + 10));
        assert!(std::fs::read_dir(folder.path()).unwrap().count() <= MOST_KEPT);
        assert_eq!(BlackBox::new(None, String::new(), Privacy::default()).report(&Fault::default()), None);
    }
}
