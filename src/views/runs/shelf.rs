//! The folders of runs behind the Runs view: a thread of its own looks into them now and then, moves and marks runs when asked, and
//! never keeps the window waiting.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use eframe::egui;

use crate::export::parent;
use crate::runs::RECIPE;
use crate::runs::catalogue::{Catalogue, Listing, Mark, Trashed, delete_for_good, move_to_trash, restore, trashed_in};
use crate::training::Recipe;
use crate::views::work::Ticket;

/// Folders are looked into at least this often.
const EVERY: Duration = Duration::from_secs(10);

/// What can be asked of the thread.
#[derive(Debug)]
pub enum Request {
    /// Look into these folders from now on: where new runs are written, and others.
    Look(Option<PathBuf>, Vec<PathBuf>),
    /// Look again now.
    Again,
    /// Write what the user noted beside a run.
    Mark(PathBuf, Mark),
    /// Move a run to the trash.
    Trash(PathBuf),
    /// Bring a run back from the trash.
    Restore(PathBuf),
    /// Bring this one back, perhaps of an earlier session.
    BringBack(Trashed),
    /// Delete what is in the trash for good.
    Delete(Trashed),
    /// Read the recipe of a run.
    Recipe(PathBuf),
}

/// What became of it.
#[derive(Debug)]
pub enum Answer {
    /// The run is in the trash.
    Trashed(PathBuf),
    /// The run is back.
    Restored(PathBuf),
    /// The run could not be moved there, with the reason.
    NotTrashed(PathBuf, String),
    /// The run could not be brought back, with the reason.
    NotRestored(String),
    /// The run is gone for good.
    Deleted(PathBuf),
    /// The run is still in the trash, with the reason.
    NotDeleted(String),
    /// The note was not written, with the reason.
    NotMarked(String),
    /// A recipe, or why it cannot be read.
    Recipe(Result<Box<Recipe>, String>),
}

/// The window's end of the thread. Dropped, the thread ends.
pub struct Shelf {
    requests: Sender<(Request, Ticket)>,
    answers: Receiver<Answer>,
    listing: Arc<ArcSwap<Listing>>,
    ctx: egui::Context,
    /// Asked while the thread had much to do.
    backlog: VecDeque<Request>,
    folders: Option<(Option<PathBuf>, Vec<PathBuf>)>,
}

impl Shelf {
    /// Start the thread; `None` when the system gives none.
    pub fn open(ctx: &egui::Context) -> Option<Self> {
        let (requests, inbox) = crossbeam_channel::bounded(64);
        let (outbox, answers) = crossbeam_channel::bounded(1024);
        let listing = Arc::new(ArcSwap::from_pointee(Listing::default()));
        let (theirs, waker) = (Arc::clone(&listing), ctx.clone());
        let thread = std::thread::Builder::new().name("run folders".to_owned()).spawn(move || work(&inbox, &outbox, &theirs, &waker));
        match thread {
            Ok(_) => Some(Self { requests, answers, listing, ctx: ctx.clone(), backlog: VecDeque::new(), folders: None }),
            Err(e) => {
                tracing::error!("no thread for run folders: {e}");
                None
            }
        }
    }

    /// Look into these folders.
    pub fn look(&mut self, own: Option<&Path>, others: &[PathBuf]) {
        let same = self.folders.as_ref().is_some_and(|(first, rest)| first.as_deref() == own && rest == others);
        if !same {
            let folders = (own.map(Path::to_owned), others.to_vec());
            self.folders = Some(folders.clone());
            self.ask(Request::Look(folders.0, folders.1));
        }
        self.send_backlog();
    }

    /// What was found last.
    pub fn listing(&self) -> Arc<Listing> {
        self.listing.load_full()
    }

    /// Ask for something; answers come with [`Shelf::answers`].
    pub fn ask(&mut self, request: Request) {
        self.backlog.push_back(request);
        self.send_backlog();
    }

    fn send_backlog(&mut self) {
        while let Some(request) = self.backlog.pop_front() {
            match self.requests.try_send((request, Ticket::new(&self.ctx))) {
                Ok(()) => {}
                Err(TrySendError::Full((request, _))) => {
                    self.backlog.push_front(request);
                    self.ctx.request_repaint_after(Duration::from_millis(50));
                    return;
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }

    /// What became of requests since the last call.
    pub fn answers(&self) -> Vec<Answer> {
        self.answers.try_iter().collect()
    }
}

fn work(inbox: &Receiver<(Request, Ticket)>, outbox: &Sender<Answer>, listing: &ArcSwap<Listing>, ctx: &egui::Context) {
    let mut catalogue = Catalogue::default();
    let (mut own, mut others) = (None, Vec::new());
    loop {
        let mut tickets = Vec::new();
        let mut answers = Vec::new();
        let first = match inbox.recv_timeout(EVERY) {
            Ok(first) => Some(first),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        for (request, ticket) in first.into_iter().chain(inbox.try_iter()) {
            tickets.push(ticket);
            match request {
                Request::Look(first, rest) => (own, others) = (first, rest),
                Request::Again => {}
                other => answers.extend(done(other)),
            }
        }
        let found = catalogue.look(own.as_deref(), &others);
        let changed = *listing.load_full() != found;
        if changed {
            listing.store(Arc::new(found));
        }
        for answer in answers {
            // Nobody reads them while the view is closed; what was done is seen in the list.
            let _ = outbox.try_send(answer);
        }
        // Each wakes the window; a change that nobody asked for does so too.
        if tickets.is_empty() && changed {
            ctx.request_repaint();
        }
    }
}

fn done(request: Request) -> Option<Answer> {
    Some(match request {
        Request::Look(..) | Request::Again => return None,
        Request::Mark(folder, mark) => match mark.write(&folder) {
            Ok(()) => return None,
            Err(e) => Answer::NotMarked(e.to_string()),
        },
        Request::Trash(folder) => match move_to_trash(&folder, SystemTime::now()) {
            Ok(_) => Answer::Trashed(folder),
            Err(e) => Answer::NotTrashed(folder, e.to_string()),
        },
        Request::Restore(folder) => {
            let found = trashed_in(&parent(&folder)).into_iter().find(|trashed| trashed.from == folder);
            match found.as_ref().map(restore) {
                Some(Ok(())) => Answer::Restored(folder),
                Some(Err(e)) => Answer::NotRestored(e.to_string()),
                None => {
                    let why = format!("{}: it is not in the trash any more", folder.display());
                    Answer::NotRestored(why)
                }
            }
        }
        Request::BringBack(trashed) => match restore(&trashed) {
            Ok(()) => Answer::Restored(trashed.from),
            Err(e) => Answer::NotRestored(e.to_string()),
        },
        Request::Delete(trashed) => match delete_for_good(&trashed) {
            Ok(()) => Answer::Deleted(trashed.from),
            Err(e) => Answer::NotDeleted(e.to_string()),
        },
        Request::Recipe(folder) => {
            let path = folder.join(RECIPE);
            let read = std::fs::read_to_string(&path).map_err(|e| e.to_string());
            let recipe = read.and_then(|text| Recipe::parse(&text).map_err(|e| e.to_string()));
            Answer::Recipe(recipe.map(Box::new).map_err(|e| format!("{}: {e}", path.display())))
        }
    })
}
