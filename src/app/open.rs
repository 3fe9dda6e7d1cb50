//! Opening recordings behind the window: reading on a thread `open recording` with progress, name and cancel, and the system's
//! file dialog on a thread of its own. The last part is the only place where the window calls readers and simulators.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use crossbeam_channel::{Receiver, TryRecvError};
use eframe::egui;

use super::import_preview::Preview;
use crate::formats::shelf::Shelf;
use crate::recording::{Choice, Recording, Sidecar};
use crate::training::{DataRecipe, Recipe};

/// Answers to the choices of an import, by key.
pub type Answers = BTreeMap<String, String>;

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

/// How to read.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// Answers of the user; `None` takes those remembered for files of this shape.
    pub answers: Option<Answers>,
    /// Answers by file shape, see [`crate::formats::shape`].
    pub remembered: BTreeMap<String, Answers>,
    /// Where decisions about recordings are kept; `None` keeps none.
    pub shelf: Option<Shelf>,
}

/// A change to an open recording, made behind the window and kept on the shelf.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// These decisions in place of those before.
    Sidecar(Box<Sidecar>),
    /// Areas from a list with a unit id and an area on every line.
    AreaList(PathBuf),
}

/// How far the reading is, and what is known of the file by now.
#[derive(Default)]
struct ReadProgress {
    permille: AtomicU32,
    doing: ArcSwap<String>,
    cancelled: AtomicBool,
    size: ArcSwapOption<String>,
    shape: ArcSwapOption<String>,
    preview: ArcSwapOption<Preview>,
}

/// Why reading ended without a recording.
enum Ended {
    Question(Box<Choice>),
    Failed(String),
}

/// A recording being read.
pub struct Opening {
    /// What is being opened.
    pub request: Request,
    progress: Arc<ReadProgress>,
    inbox: Receiver<Result<Arc<Recording>, Ended>>,
}

/// State of an [`Opening`] in this frame.
pub enum Opened {
    /// Still reading.
    NotYet,
    /// The user cancelled.
    Cancelled,
    /// Here it is.
    Recording(Arc<Recording>),
    /// The reader must be told something first.
    Question(Box<Choice>),
    /// It failed.
    Failed(OpenFailure),
}

impl Opening {
    /// Start reading.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(ctx: &egui::Context, request: Request, how: How) -> Result<Self, OpenFailure> {
        let what = request.clone();
        Self::run(ctx, request, move |progress, tell| match &what {
            Request::File(path) => rooms::read(path, &how, progress, tell),
            Request::Demo => rooms::demo(how.shelf.as_ref()),
        })
    }

    /// Start changing an open recording (as read or already changed).
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn change(ctx: &egui::Context, recording: &Arc<Recording>, change: Change, shelf: Option<Shelf>) -> Result<Self, OpenFailure> {
        let theirs = Arc::clone(recording);
        let path = match &recording.source {
            crate::recording::Source::File(path) => path.clone(),
            crate::recording::Source::Simulated { .. } => PathBuf::from(&recording.name),
        };
        Self::run(ctx, Request::File(path), move |_, tell| {
            tell(0.1, "applying changes");
            rooms::change(&theirs, change, shelf.as_ref()).map_err(Ended::Failed)
        })
    }

    fn run(
        ctx: &egui::Context,
        request: Request,
        read: impl FnOnce(&ReadProgress, &dyn Fn(f32, &str) -> bool) -> Result<Arc<Recording>, Ended> + Send + 'static,
    ) -> Result<Self, OpenFailure> {
        let (outbox, inbox) = crossbeam_channel::bounded(1);
        let progress = Arc::new(ReadProgress::default());
        let (theirs, ctx) = (Arc::clone(&progress), ctx.clone());
        let work = move || {
            let _wakes_the_window = WakeAtEnd(ctx.clone());
            let tell = |fraction: f32, doing: &str| {
                theirs.permille.store((fraction.clamp(0.0, 1.0) * 1000.0) as u32, Ordering::Relaxed);
                theirs.doing.store(Arc::new(doing.to_owned()));
                ctx.request_repaint_after(Duration::from_millis(60));
                !theirs.cancelled.load(Ordering::Relaxed)
            };
            // Nobody listens when the window has gone on to something else.
            let _ = outbox.send(read(&theirs, &tell));
        };
        let failure = |e: std::io::Error| OpenFailure {
            text: format!("{} could not be opened", request.name()),
            details: format!("The system gives no thread: {e}"),
        };
        std::thread::Builder::new().name("open recording".to_owned()).spawn(work).map_err(failure)?;
        Ok(Self { request, progress, inbox })
    }

    /// Size of the file and free memory, once known.
    pub fn size(&self) -> Option<Arc<String>> {
        self.progress.size.load_full()
    }

    /// Shape of the file, once it is known.
    pub fn shape(&self) -> Option<Arc<String>> {
        self.progress.shape.load_full()
    }

    /// First rows of the file, for formats that have rows.
    pub fn preview(&self) -> Option<Arc<Preview>> {
        self.progress.preview.load_full()
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
            Ok(Ok(recording)) => Opened::Recording(recording),
            Ok(Err(Ended::Question(choice))) => Opened::Question(choice),
            Ok(Err(Ended::Failed(details))) => failed(details),
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

/// What the system's dialog asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A recording to open.
    File,
    /// A folder to open.
    Folder,
    /// A folder with runs.
    Runs,
    /// Where to write, with a proposed name.
    Save(String),
}

/// The system's file dialog, open beside the window.
pub struct Dialog {
    /// What it asks for.
    pub asks: Ask,
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
    pub fn open(ctx: &egui::Context, asks: Ask) -> Option<Self> {
        let chosen: Pin<Box<dyn Future<Output = Option<rfd::FileHandle>> + Send>> = match &asks {
            Ask::File => Box::pin(every_kind(rfd::AsyncFileDialog::new().set_title("Open a recording")).pick_file()),
            Ask::Folder => Box::pin(rfd::AsyncFileDialog::new().set_title("Open a folder").pick_folder()),
            Ask::Runs => Box::pin(rfd::AsyncFileDialog::new().set_title("Add a folder with runs").pick_folder()),
            Ask::Save(name) => Box::pin(rfd::AsyncFileDialog::new().set_title("Export recording").set_file_name(name).save_file()),
        };
        let (outbox, inbox) = crossbeam_channel::bounded(1);
        let ctx = ctx.clone();
        let wait = move || {
            let _wakes_the_window = WakeAtEnd(ctx);
            let begin = Instant::now();
            let path = block_on(chosen).map(|file| file.path().to_owned());
            // The window may be gone.
            let _ = outbox.send((path, begin.elapsed()));
        };
        std::thread::Builder::new().name("file dialog".to_owned()).spawn(wait).ok().map(|_| Self { asks, inbox })
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

/// Filters for every format that can be opened.
fn every_kind(mut dialog: rfd::AsyncFileDialog) -> rfd::AsyncFileDialog {
    let kinds = rooms::kinds();
    let every: Vec<String> = kinds.iter().flat_map(|(_, extensions)| extensions.clone()).collect();
    dialog = dialog.add_filter("Recordings", &every);
    for (name, extensions) in &kinds {
        dialog = dialog.add_filter(name, extensions);
    }
    dialog.add_filter("All files", &["*"])
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
    use super::{Answers, Arc, Change, Ended, How, Path, ReadProgress, Recording, Shelf};
    use crate::app::import_preview::Preview;
    use crate::formats::{self, FormatError, OpenOptions, area_list, memory};
    use crate::recording::{AreaEdit, NoteKind};

    /// Read a file; `tell(fraction, doing)` returns false when the user cancelled.
    pub(super) fn read(path: &Path, how: &How, progress: &ReadProgress, tell: &dyn Fn(f32, &str) -> bool) -> Result<Arc<Recording>, Ended> {
        progress.size.store(memory::beforehand(path).map(Arc::new));
        tell(0.0, "looking at the file");
        // What cannot be told of the file here is told when it is opened.
        let shape = formats::shape(path).ok();
        progress.shape.store(shape.clone().map(Arc::new));
        let remembered = shape.as_ref().and_then(|shape| how.remembered.get(shape)).filter(|_| how.answers.is_none());
        let answers = how.answers.as_ref().or(remembered).cloned().unwrap_or_default();
        progress.preview.store(Preview::of_file(path, shape.as_deref(), &answers).map(Arc::new));
        let opened = match remembered {
            Some(answers) => match open(path, answers, tell) {
                Ok(recording) => Ok(with_note(recording, answers)),
                // The answers were for other files of this shape: this one is not lost for them.
                Err(FormatError::Cancelled { path }) => Err(FormatError::Cancelled { path }),
                Err(_) => open(path, &Answers::new(), tell),
            },
            None => open(path, &how.answers.clone().unwrap_or_default(), tell),
        };
        let recording = opened.map_err(|e| match e {
            FormatError::NeedsAnswer { choice, .. } => Ended::Question(choice),
            e => Ended::Failed(e.to_string()),
        })?;
        Ok(match &how.shelf {
            Some(shelf) => shelf.apply(recording),
            None => Arc::new(recording),
        })
    }

    fn open(path: &Path, answers: &Answers, tell: &dyn Fn(f32, &str) -> bool) -> Result<Recording, FormatError> {
        let options = OpenOptions { answers: answers.clone(), ..OpenOptions::for_this_machine() };
        formats::open(path, &options, tell)
    }

    fn with_note(mut recording: Recording, answers: &Answers) -> Recording {
        let used: Vec<String> = recording
            .report
            .choices
            .iter()
            .filter(|c| answers.contains_key(&c.key))
            .map(|c| format!("{} {}", c.label, c.shown()))
            .collect();
        if !used.is_empty() {
            let message = format!("answers remembered for files like this: {}", used.join(", "));
            recording.report.add(NoteKind::Chosen, "import", message);
        }
        recording
    }

    /// Change a recording and keep the decisions.
    pub(super) fn change(recording: &Arc<Recording>, change: Change, shelf: Option<&Shelf>) -> Result<Arc<Recording>, String> {
        let sidecar = match change {
            Change::Sidecar(sidecar) => *sidecar,
            Change::AreaList(path) => {
                let areas = area_list::read(&path).map_err(|e| e.to_string())?;
                let mut sidecar = recording.sidecar();
                sidecar.areas.push(AreaEdit::List { from: path.display().to_string(), areas });
                sidecar
            }
        };
        let changed = sidecar.apply(&recording.original()).map_err(|e| e.to_string())?;
        if let Some(shelf) = shelf {
            shelf.save(&sidecar).map_err(|e| e.to_string())?;
        }
        Ok(changed)
    }

    /// The demo recording.
    pub(super) fn demo(shelf: Option<&Shelf>) -> Result<Arc<Recording>, Ended> {
        let recording = crate::simulate::demo().map_err(|e| Ended::Failed(e.to_string()))?;
        Ok(match shelf {
            Some(shelf) => shelf.apply(recording),
            None => Arc::new(recording),
        })
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
        let opening = Opening::start(&egui::Context::default(), Request::Demo, How::default()).unwrap();
        assert!(matches!(wait(&opening), Opened::Recording(r) if r.n_units() > 0 && r.truth.is_some()));
    }

    #[test]
    fn a_missing_file_fails_with_its_name_and_a_reason() {
        let opening = Opening::start(&egui::Context::default(), Request::File("/no/such/größe.nwb".into()), How::default()).unwrap();
        let Opened::Failed(failure) = wait(&opening) else { unreachable!() };
        assert_eq!(failure.text, "größe.nwb could not be opened");
        assert!(failure.details.contains("größe.nwb"));
    }

    #[test]
    fn a_cancelled_opening_gives_nothing() {
        let opening = Opening::start(&egui::Context::default(), Request::Demo, How::default()).unwrap();
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
