//! Sweeps in the window: those of the open recording are found on disk in the background, and the members of the one that goes on
//! are trained one after another, each as an ordinary job of the queue. What the user queues goes before the next member. Nothing is
//! remembered here that is not in the sweep's folder, so a sweep goes on after a restart where it stopped.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use eframe::egui;

use super::SpikescopeApp;
use super::queue::{JobId, QueueWish};
use super::run::{Run, run_folder};
use super::toasts::ToastKind;
use crate::training::Recipe;
use crate::training::sweep::{Found, Plan, ToDo, find, ranked, write_plan};
use crate::views::work::Background;

/// Folders are looked into again this often while the view is open: other machines may work in them.
const EVERY: Duration = Duration::from_secs(10);

/// What can be asked about sweeps.
#[derive(Debug, Clone)]
pub enum SweepWish {
    /// Begin a new one.
    Start(Box<Plan>),
    /// Train what is not complete in the one in this folder.
    GoOn(PathBuf),
    /// Hold the member that trains; the next does not begin.
    Pause,
    /// Go on after that.
    Resume,
    /// End the member that trains and keep what it learned; no other begins.
    Stop,
    /// The view is open: keep what it shows fresh.
    Look,
}

/// The sweep whose members are being trained.
#[derive(Debug)]
pub struct Going {
    /// Its folder.
    pub folder: PathBuf,
    /// Held by the user.
    pub paused: bool,
    /// Members that had their turn.
    tried: BTreeSet<usize>,
    /// The member that began last.
    job: Option<JobId>,
}

#[derive(Debug, Clone, PartialEq)]
struct Question {
    folders: Vec<PathBuf>,
    fingerprint: String,
    /// Counts looks: something may have changed on disk.
    version: u64,
}

/// All that the window knows about sweeps.
#[derive(Default)]
pub struct Sweeps {
    looked: Background<Question, (String, Arc<Vec<Found>>)>,
    version: u64,
    last: Option<Instant>,
    /// A plan on its way to disk.
    beginning: Option<(PathBuf, Plan)>,
    written: Background<PathBuf, Result<(), String>>,
    going: Option<Going>,
}

impl Sweeps {
    /// Sweeps on the recording with this fingerprint, as far as they are known; `None` before the first look.
    pub fn found(&self, fingerprint: &str) -> Option<&Arc<Vec<Found>>> {
        self.looked.latest().filter(|(of, _)| of == fingerprint).map(|(_, found)| found)
    }

    /// The sweep whose members are being trained.
    pub fn going(&self) -> Option<&Going> {
        self.going.as_ref()
    }

    /// Folder of the sweep that goes on or is about to begin.
    pub fn current(&self) -> Option<&Path> {
        self.going.as_ref().map(|going| &*going.folder).or_else(|| self.beginning.as_ref().map(|(folder, _)| &**folder))
    }

    /// Something changed on disk.
    pub(super) fn look_again(&mut self) {
        self.version += 1;
        self.last = Some(Instant::now());
    }

    /// Another recording is opened, or none: no more members begin.
    pub(super) fn leave(&mut self) {
        (self.going, self.beginning) = (None, None);
    }
}

impl SpikescopeApp {
    /// Sweeps of the open recording.
    pub fn sweeps(&self) -> &Sweeps {
        &self.sweeps
    }

    /// Find sweeps, and begin the next member when it is its turn. Never waits.
    pub(super) fn poll_sweeps(&mut self, ctx: &egui::Context) {
        let Some(fingerprint) = self.recording.as_ref().map(|recording| recording.fingerprint.clone()) else { return };
        self.begin_sweep(ctx);
        let folders: Vec<PathBuf> = self.runs_dir().into_iter().chain(self.settings.run_folders.iter().cloned()).collect();
        let question = Question { folders, fingerprint: fingerprint.clone(), version: self.sweeps.version };
        let theirs = question.clone();
        let look = move || {
            let found = find(&theirs.folders, &theirs.fingerprint);
            (theirs.fingerprint, Arc::new(found))
        };
        let Some((_, found)) = self.sweeps.looked.get(ctx, "sweeps", &question, look) else { return };
        let found = Arc::clone(found);
        if self.is_free() && self.due().is_none() {
            self.next_member(ctx, &found);
        }
    }

    /// The plan of a new sweep is on disk: its members can begin.
    fn begin_sweep(&mut self, ctx: &egui::Context) {
        let Some((folder, plan)) = self.sweeps.beginning.clone() else { return };
        let place = folder.clone();
        let write = move || write_plan(&place, &plan).map(|_| ()).map_err(|e| e.to_string());
        let Some(written) = self.sweeps.written.get(ctx, "plan of a sweep", &folder, write).cloned() else { return };
        self.sweeps.beginning = None;
        match written {
            Ok(()) => {
                self.sweeps.going = Some(Going { folder, paused: false, tried: BTreeSet::new(), job: None });
                self.sweeps.look_again();
            }
            Err(why) => self.toasts.error("The sweep could not be started", why),
        }
    }

    fn next_member(&mut self, ctx: &egui::Context, found: &[Found]) {
        let Some(going) = self.sweeps.going.as_mut().filter(|going| !going.paused) else { return };
        let Some(sweep) = found.iter().find(|sweep| sweep.folder == going.folder) else {
            self.sweeps.going = None;
            self.toasts.tell(ToastKind::Info, "The folder of the sweep is gone; no more members are trained");
            return;
        };
        let open = |to_do| matches!(to_do, ToDo::Train | ToDo::GoOn);
        let next = sweep.members.iter().find(|member| !going.tried.contains(&member.index) && open(member.to_do()));
        let Some(member) = next else {
            let best = ranked(&sweep.members).first().and_then(|best| Some((best.index + 1, best.validation?)));
            let best = best.map(|(number, score)| format!("; member {number} is best with {score:.3} bits/spike on validation trials"));
            let (done, all) = (sweep.complete(), sweep.members.len());
            self.sweeps.going = None;
            self.toasts
                .tell(ToastKind::Success, format!("Sweep finished: {done} of {all} members are complete{}", best.unwrap_or_default()));
            return;
        };
        going.tried.insert(member.index);
        let job = self.begin_member(ctx, member.recipe.clone(), member.folder.clone(), member.to_do() == ToDo::GoOn);
        if let Some(going) = &mut self.sweeps.going {
            going.job = job;
        }
    }

    /// True when a training could begin by itself: none goes on, and nothing else is about to happen.
    pub(super) fn is_free(&self) -> bool {
        let other_plans = self.then.is_some() || self.question.is_some() || self.may_close || self.opening.is_some();
        !other_plans && !self.run.as_ref().is_some_and(Run::is_active) && self.import.changing.is_none()
    }

    /// A run of the sweep: trained into this folder, from its checkpoint when it goes on. A kept run that is looked at stays on the
    /// screen. Gives its number in the queue.
    pub(super) fn begin_member(&mut self, ctx: &egui::Context, recipe: Recipe, folder: PathBuf, goes_on: bool) -> Option<JobId> {
        let recording = self.recording.clone()?;
        let id = self.queue.add(recipe.clone(), &recording.fingerprint, &recording.name);
        let started = match goes_on {
            true => Run::resume(ctx, self.how_to_train(), recording, folder.clone()),
            false => Run::start(ctx, self.how_to_train(), recording, recipe, Some(folder.clone())),
        };
        self.take_up(id, started, Some(folder)).then_some(id)
    }

    /// Do what was asked.
    pub(super) fn sweep(&mut self, wish: SweepWish) {
        let current = self.sweeps.current().is_some();
        let job = self.sweeps.going.as_ref().and_then(|going| going.job);
        match wish {
            SweepWish::Start(plan) if !current => match (self.runs_dir(), plan.check()) {
                (Some(runs), Ok(())) => {
                    let folder = run_folder(&runs, &format!("{}-sweep", plan.recording), SystemTime::now());
                    self.sweeps.beginning = Some((folder, *plan));
                }
                (None, _) => self.toasts.error("The sweep could not be started", "Choose a folder for runs in the settings first"),
                (_, Err(e)) => self.toasts.error("The sweep could not be started", e.to_string()),
            },
            SweepWish::GoOn(folder) if !current => {
                self.sweeps.going = Some(Going { folder, paused: false, tried: BTreeSet::new(), job: None });
                self.sweeps.look_again();
            }
            SweepWish::Start(_) | SweepWish::GoOn(_) => self.toasts.tell(ToastKind::Info, "Another sweep goes on; stop it first"),
            SweepWish::Pause | SweepWish::Resume => {
                let pause = matches!(wish, SweepWish::Pause);
                if let Some(going) = &mut self.sweeps.going {
                    going.paused = pause;
                }
                if let Some(job) = job {
                    self.obey(if pause { QueueWish::Pause(job) } else { QueueWish::Resume(job) });
                }
            }
            SweepWish::Stop => {
                self.sweeps.leave();
                if let Some(job) = job {
                    self.obey(QueueWish::Stop(job));
                }
            }
            SweepWish::Look => {
                if self.sweeps.last.is_none_or(|last| last.elapsed() > EVERY) {
                    self.sweeps.look_again();
                }
            }
        }
    }
}
