//! Keeps the session on the thread `session`: it looks for earlier ones, writes when something has changed, and says at the end
//! whether the window was closed or died. The window never waits for it, but at a normal exit.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError};
use eframe::egui;

use super::Session;
use super::store::{self, Earlier, Slot};

/// Time between looks at what has changed.
const EVERY: Duration = Duration::from_secs(2);

enum Order {
    /// Write this.
    Write(Box<Session>),
    /// The window has taken this session over: it goes once ours is on disk.
    TakeOver(PathBuf),
    /// These are known to the user.
    Settle(Vec<Earlier>),
}

/// What the thread found at the start.
pub struct Found {
    /// Sessions that are over, newest first.
    pub earlier: Vec<Earlier>,
    /// What is to be told.
    pub told: Vec<String>,
}

/// The window's end of the thread. Without a folder (tests, no home) it does nothing.
#[derive(Default)]
pub struct SessionKeeper {
    queue: Option<Sender<Order>>,
    found: Option<Receiver<Found>>,
    thread: Option<JoinHandle<()>>,
    written: Option<Session>,
    looked: Option<Instant>,
}

impl SessionKeeper {
    /// Begin: `state` is the folder of what the program keeps between starts, `id` the name of this process.
    pub fn start(ctx: &egui::Context, state: Option<PathBuf>, id: String) -> Self {
        let Some(state) = state else { return Self::default() };
        let (queue, inbox) = crossbeam_channel::bounded(16);
        let (outbox, found) = crossbeam_channel::bounded(1);
        let waker = ctx.clone();
        let work = move || {
            let (folder, reports) = (sessions(&state), reports(&state));
            let slot = match Slot::take(&folder, &id) {
                Ok(slot) => slot,
                Err(e) => {
                    tracing::warn!("the session is not kept: {e}");
                    return;
                }
            };
            let (earlier, told) = store::earlier(&folder, Some(slot.path()), Some(&reports));
            store::tidy(&earlier);
            // The window may be gone already.
            let _ = outbox.send(Found { earlier, told });
            waker.request_repaint();
            keep(&slot, &inbox);
        };
        let thread = std::thread::Builder::new().name("session".to_owned()).spawn(work).ok();
        Self { queue: thread.is_some().then_some(queue), found: Some(found), thread, written: None, looked: None }
    }

    /// What was found, once.
    pub fn found(&mut self) -> Option<Found> {
        match self.found.as_ref()?.try_recv() {
            Ok(found) => {
                self.found = None;
                Some(found)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.found = None;
                None
            }
        }
    }

    /// True while earlier sessions are looked for.
    pub fn is_looking(&self) -> bool {
        self.found.is_some()
    }

    /// True when it is time to look at what has changed; makes sure that there is a frame at that time.
    pub fn due(&mut self, ctx: &egui::Context) -> bool {
        if self.queue.is_none() {
            return false;
        }
        match self.looked.map(|at| at.elapsed()) {
            Some(since) if since < EVERY => {
                ctx.request_repaint_after(EVERY - since);
                false
            }
            _ => {
                self.looked = Some(Instant::now());
                true
            }
        }
    }

    /// Something that matters has happened: look in the next frame.
    pub fn look_now(&mut self) {
        self.looked = None;
    }

    /// Write the session when it has changed; true when it had.
    pub fn keep(&mut self, session: &Session) -> bool {
        let Some(queue) = &self.queue else { return false };
        if self.written.as_ref() == Some(session) {
            return false;
        }
        match queue.try_send(Order::Write(Box::new(session.clone()))) {
            Ok(()) => self.written = Some(session.clone()),
            // The disk is slow: the next look tries again.
            Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => self.queue = None,
        }
        true
    }

    /// This window has taken an earlier session over.
    pub fn take_over(&self, earlier: &Earlier) {
        self.send(Order::TakeOver(earlier.path.clone()));
    }

    fn send(&self, order: Order) {
        if let Some(queue) = &self.queue {
            // The thread goes only when it could not begin.
            let _ = queue.send(order);
        }
    }

    /// The window closes in the normal way: write the session as ended, and do not offer `told` again. Waits for the disk.
    pub fn end(&mut self, session: Session, told: Vec<Earlier>) {
        self.send(Order::Write(Box::new(Session { ended: true, ..session })));
        self.send(Order::Settle(told));
        self.join();
    }

    fn join(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // The thread does not panic; if it did, there is nothing more to write.
            let _ = thread.join();
        }
    }
}

impl Drop for SessionKeeper {
    /// Without [`SessionKeeper::end`] the window died: what was handed over is written, and the session stays open for the next start.
    fn drop(&mut self) {
        self.join();
    }
}

/// Folder of session files in the folder of what is kept between starts.
pub fn sessions(state: &Path) -> PathBuf {
    state.join("sessions")
}

/// Folder of fault reports.
pub fn reports(state: &Path) -> PathBuf {
    state.join("reports")
}

fn keep(slot: &Slot, inbox: &Receiver<Order>) {
    let mut taken = Vec::new();
    while let Ok(order) = inbox.recv() {
        match order {
            Order::Write(session) => match slot.write(&session, SystemTime::now()) {
                // What was taken over is in our file from now on.
                Ok(()) if session.open.is_some() => taken.drain(..).for_each(|path: PathBuf| store::remove(&path)),
                Ok(()) => {}
                Err(e) => tracing::warn!("the session was not saved: {e}"),
            },
            Order::TakeOver(path) => taken.push(path),
            Order::Settle(told) => told.iter().filter(|earlier| earlier.path.exists()).for_each(store::settle),
        }
    }
}
