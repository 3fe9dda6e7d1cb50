//! Opening recordings behind the window: reading on a thread `open recording` with progress, name and cancel, and the system's
//! file dialog on a thread of its own. The last part is the only place where the window calls readers and simulators.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, TryRecvError};
use eframe::egui;

use crate::recording::Recording;
use crate::training::{DataRecipe, Recipe};

/// What to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A file or folder.
    File(PathBuf),
    /// The demo recording.
    Demo,
}

impl Request {
    /// Name for the progress line.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned()),
            Self::Demo => "the demo recording".to_owned(),
        }
    }
}

/// Why nothing was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFailure {
    /// One sentence: what could not be done.
    pub text: String,
    /// Cause and remedy.
    pub details: String,
}

/// How far the reading is.
#[derive(Default)]
struct ReadProgress {
    permille: AtomicU32,
    doing: ArcSwap<String>,
    cancelled: AtomicBool,
}

/// A recording being read.
pub struct Opening {
    /// What is being opened.
    pub request: Request,
    progress: Arc<ReadProgress>,
    inbox: Receiver<Result<Recording, String>>,
}

/// State of an [`Opening`] in this frame.
pub enum Opened {
    /// Still reading.
    NotYet,
    /// The user cancelled.
    Cancelled,
    /// Here it is.
    Recording(Arc<Recording>),
    /// It failed.
    Failed(OpenFailure),
}

impl Opening {
    /// Start reading.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(ctx: &egui::Context, request: Request) -> Result<Self, OpenFailure> {
        let (outbox, inbox) = crossbeam_channel::bounded(1);
        let progress = Arc::new(ReadProgress::default());
        let (theirs, what, ctx) = (Arc::clone(&progress), request.clone(), ctx.clone());
        let work = move || {
            let _wakes_the_window = WakeAtEnd(ctx.clone());
            let tell = |fraction: f32, doing: &str| {
                theirs.permille.store((fraction.clamp(0.0, 1.0) * 1000.0) as u32, Ordering::Relaxed);
                theirs.doing.store(Arc::new(doing.to_owned()));
                ctx.request_repaint_after(Duration::from_millis(60));
                !theirs.cancelled.load(Ordering::Relaxed)
            };
            let result = match &what {
                Request::File(path) => rooms::read(path, &tell),
                Request::Demo => rooms::demo(),
            };
            // Nobody listens when the window has gone on to something else.
            let _ = outbox.send(result);
        };
        let failure = |e: std::io::Error| OpenFailure {
            text: format!("{} could not be opened", request.name()),
            details: format!("The system gives no thread: {e}"),
        };
        std::thread::Builder::new().name("open recording".to_owned()).spawn(work).map_err(failure)?;
        Ok(Self { request, progress, inbox })
    }

    /// 0 to 1.
    pub fn fraction(&self) -> f32 {
        self.progress.permille.load(Ordering::Relaxed) as f32 / 1000.0
    }

    /// What is being done, in words.
    pub fn doing(&self) -> Arc<String> {
        self.progress.doing.load_full()
    }

    /// Stop reading as soon as the reader asks.
    pub fn cancel(&self) {
        self.progress.cancelled.store(true, Ordering::Relaxed);
    }

    /// Look whether it is done; never waits.
    pub fn poll(&self) -> Opened {
        let failed =
            |details: String| Opened::Failed(OpenFailure { text: format!("{} could not be opened", self.request.name()), details });
        match self.inbox.try_recv() {
            _ if self.progress.cancelled.load(Ordering::Relaxed) => Opened::Cancelled,
            Ok(Ok(recording)) => Opened::Recording(Arc::new(recording)),
            Ok(Err(details)) => failed(details),
            Err(TryRecvError::Empty) => Opened::NotYet,
            Err(TryRecvError::Disconnected) => {
                failed("The reader ended with an internal error; please report this file. Nothing else was affected.".to_owned())
            }
        }
    }
}

struct WakeAtEnd(egui::Context);

impl Drop for WakeAtEnd {
    fn drop(&mut self) {
        self.0.request_repaint();
    }
}

/// The system's file dialog, open beside the window.
pub struct Dialog {
    inbox: Receiver<(Option<PathBuf>, Duration)>,
}

/// What came out of the dialog.
pub enum Picked {
    /// Still open.
    NotYet,
    /// A file.
    File(PathBuf),
    /// Closed by the user.
    Nothing,
    /// Nothing came back at once: there is probably no dialog service on this machine.
    NoDialog,
}

/// A dialog that returns nothing faster than a person can was never on the screen.
const FASTER_THAN_PEOPLE: Duration = Duration::from_millis(700);

impl Dialog {
    /// Show the dialog. The future is made here, on the window's thread (macOS asks for that), and waited for on another.
    pub fn open(ctx: &egui::Context) -> Option<Self> {
        let mut dialog = rfd::AsyncFileDialog::new().set_title("Open a recording");
        let kinds = rooms::kinds();
        let every: Vec<String> = kinds.iter().flat_map(|(_, extensions)| extensions.clone()).collect();
        dialog = dialog.add_filter("Recordings", &every);
        for (name, extensions) in &kinds {
            dialog = dialog.add_filter(name, extensions);
        }
        let chosen = dialog.add_filter("All files", &["*"]).pick_file();
        let (outbox, inbox) = crossbeam_channel::bounded(1);
        let ctx = ctx.clone();
        let wait = move || {
            let _wakes_the_window = WakeAtEnd(ctx);
            let begin = Instant::now();
            let path = block_on(chosen).map(|file| file.path().to_owned());
            // The window may be gone.
            let _ = outbox.send((path, begin.elapsed()));
        };
        std::thread::Builder::new().name("file dialog".to_owned()).spawn(wait).ok().map(|_| Self { inbox })
    }

    /// Look whether something was chosen; never waits.
    pub fn poll(&self) -> Picked {
        match self.inbox.try_recv() {
            Ok((Some(path), _)) => Picked::File(path),
            Ok((None, after)) if after < FASTER_THAN_PEOPLE => Picked::NoDialog,
            Ok((None, _)) => Picked::Nothing,
            Err(TryRecvError::Empty) => Picked::NotYet,
            Err(TryRecvError::Disconnected) => Picked::NoDialog,
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Wait for a future on this thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// A path as typed or pasted: without quotes, blanks around it or a `file://` prefix, `~` for the home folder.
pub fn typed_path(text: &str) -> PathBuf {
    let text = text.trim();
    let bare = text
        .strip_prefix('"')
        .and_then(|t| t.strip_suffix('"'))
        .or_else(|| text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')))
        .unwrap_or(text);
    let bare = bare.strip_prefix("file://").unwrap_or(bare);
    match (bare.strip_prefix("~/"), directories::BaseDirs::new()) {
        (Some(rest), Some(dirs)) => dirs.home_dir().join(rest),
        _ => PathBuf::from(bare),
    }
}

/// The recipe for a newly opened recording: model, seed and device stay as the user left them, what refers to the recording
/// (areas, trials, split) starts from its defaults.
pub fn recipe_for(previous: &Recipe) -> Recipe {
    Recipe { data: DataRecipe::default(), ..previous.clone() }
}

/// Calls into the rooms `formats` and `simulate`.
mod rooms {
    use std::path::Path;

    use crate::formats::{self, OpenOptions};
    use crate::recording::Recording;

    /// Read a file; `tell(fraction, doing)` returns false when the user cancelled.
    pub(super) fn read(path: &Path, tell: &dyn Fn(f32, &str) -> bool) -> Result<Recording, String> {
        formats::open(path, &OpenOptions::default(), tell).map_err(|e| e.to_string())
    }

    /// The demo recording.
    pub(super) fn demo() -> Result<Recording, String> {
        crate::simulate::demo().map_err(|e| e.to_string())
    }

    /// Formats with their extensions, for the dialog.
    pub(super) fn kinds() -> Vec<(String, Vec<String>)> {
        formats::known().iter().map(|f| (f.name.to_owned(), f.extensions.iter().map(|e| (*e).to_owned()).collect())).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wait(opening: &Opening) -> Opened {
        loop {
            match opening.poll() {
                Opened::NotYet => std::thread::sleep(Duration::from_millis(2)),
                done => return done,
            }
        }
    }

    #[test]
    fn the_demo_opens_behind_the_window() {
        let opening = Opening::start(&egui::Context::default(), Request::Demo).unwrap();
        assert!(matches!(wait(&opening), Opened::Recording(r) if r.n_units() > 0 && r.truth.is_some()));
    }

    #[test]
    fn a_missing_file_fails_with_its_name_and_a_reason() {
        let opening = Opening::start(&egui::Context::default(), Request::File("/no/such/größe.nwb".into())).unwrap();
        let Opened::Failed(failure) = wait(&opening) else { unreachable!() };
        assert_eq!(failure.text, "größe.nwb could not be opened");
        assert!(failure.details.contains("größe.nwb"));
    }

    #[test]
    fn a_cancelled_opening_gives_nothing() {
        let opening = Opening::start(&egui::Context::default(), Request::Demo).unwrap();
        opening.cancel();
        assert!(matches!(wait(&opening), Opened::Cancelled));
    }

    #[test]
    fn typed_paths_lose_quotes_and_prefixes() {
        assert_eq!(typed_path("  \"/a b/c.nwb\" "), PathBuf::from("/a b/c.nwb"));
        assert_eq!(typed_path("file:///x.nwb"), PathBuf::from("/x.nwb"));
        assert!(!typed_path("~/x.nwb").starts_with("~"));
    }

    #[test]
    fn waiting_for_a_future_that_is_woken_from_elsewhere_ends() {
        let mut first = true;
        let woken_later = std::future::poll_fn(move |context| {
            if std::mem::take(&mut first) {
                let waker = context.waker().clone();
                std::thread::Builder::new().name("waker".to_owned()).spawn(move || waker.wake()).unwrap();
                return Poll::Pending;
            }
            Poll::Ready(7)
        });
        assert_eq!(block_on(woken_later), 7);
    }
}
