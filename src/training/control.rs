//! What the training thread does between steps: obey commands, tell progress, wake the window. All clocks are here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};

use super::checkpoints::Seconds;
use super::handle::Shared;
use super::{Command, Phase, Progress, StageProgress, StartOptions};

/// How to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Go,
    StopAndKeep,
    Discard,
}

/// Progress of a stage, as the trainer knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct StageState<'a> {
    pub(super) name: &'a str,
    pub(super) epoch: usize,
    /// Share of the most epochs, and of the patience, that is used up.
    pub(super) fraction: f32,
}

const TELL_EVERY: Duration = Duration::from_millis(33);
const SNAPSHOT_EVERY: Duration = Duration::from_millis(100);
/// One that takes long is made less often: it costs one part in so many of the time, but is never older than this.
const SNAPSHOT_SHARE: u32 = 40;
const SNAPSHOT_OLDEST: Duration = Duration::from_secs(10);
const EFFECTS_EVERY: Duration = Duration::from_secs(1);
const LOOKED: Duration = Duration::from_secs(1);

pub(super) struct Control {
    shared: Arc<Shared>,
    inbox: Receiver<Command>,
    wake: Option<Arc<dyn Fn() + Send + Sync>>,
    watched: bool,
    progress: Progress,
    started: Instant,
    paused: Duration,
    /// Seconds before this process took the run over, of the run and of its stage.
    before: Seconds,
    stage_started: Instant,
    stage_seconds: Vec<f32>,
    told: Option<Instant>,
    shown: Option<Instant>,
    /// How long the last snapshot took.
    showing: Duration,
    effects_made: Option<Instant>,
    /// Steps and seconds in which only steps were made.
    stepping: (u64, Instant),
    single: bool,
}

impl Control {
    pub(super) fn new(shared: Arc<Shared>, inbox: Receiver<Command>, options: &StartOptions) -> Self {
        let progress = (*shared.progress.load_full()).clone();
        let now = Instant::now();
        Self {
            shared,
            inbox,
            wake: options.wake.clone(),
            watched: options.watched,
            progress,
            started: now,
            paused: Duration::ZERO,
            before: Seconds::default(),
            stage_started: now,
            stage_seconds: Vec::new(),
            told: None,
            shown: None,
            showing: Duration::ZERO,
            effects_made: None,
            stepping: (0, now),
            single: false,
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn seconds(&self) -> f64 {
        self.before.all + self.started.elapsed().saturating_sub(self.paused).as_secs_f64()
    }

    /// Seconds of the run and of its stage.
    pub(super) fn both_seconds(&self) -> Seconds {
        Seconds { all: self.seconds(), stage: self.before.stage + self.stage_started.elapsed().as_secs_f64() }
    }

    /// Go on where a run was: so long it has taken, so many stages are done, so many steps.
    pub(super) fn resumed(&mut self, before: Seconds, stages_done: usize, step: u64) {
        self.before = before;
        (self.started, self.paused) = (Instant::now(), Duration::ZERO);
        self.progress.step = step;
        self.stage_seconds.clear();
        for stage in self.progress.stages.iter_mut().take(stages_done) {
            (stage.fraction, stage.done) = (1.0, true);
        }
    }

    /// Something that happened and was dealt with.
    pub(super) fn message(&self, messages: &[String]) {
        self.shared.messages.store(Arc::new(messages.to_vec()));
        if let Some(wake) = &self.wake {
            wake();
        }
    }

    pub(super) fn device(&mut self, name: &str) {
        self.progress.device = name.to_owned();
    }

    /// Names of the stages to come.
    pub(super) fn stages(&mut self, names: &[String]) {
        self.progress.stages = names.iter().map(|name| StageProgress { name: name.clone(), fraction: 0.0, done: false }).collect();
    }

    /// Say what is being done; phases other than running have no speed.
    pub(super) fn say(&mut self, phase: Phase, doing: &str) {
        self.progress.phase = phase;
        self.progress.doing = doing.to_owned();
        self.tell();
    }

    /// `stage` counts from 0.
    pub(super) fn begin_stage(&mut self, stage: usize, name: &str) {
        self.progress.stage = stage;
        self.stage_started = Instant::now();
        self.stepping = (0, Instant::now());
        self.say(Phase::Preparing, &format!("preparing {name}"));
    }

    pub(super) fn end_stage(&mut self) -> f64 {
        let seconds = self.both_seconds().stage as f32;
        self.before.stage = 0.0;
        self.stage_seconds.push(seconds);
        if let Some(stage) = self.progress.stages.get_mut(self.progress.stage) {
            *stage = StageProgress { fraction: 1.0, done: true, name: std::mem::take(&mut stage.name) };
        }
        self.tell();
        f64::from(seconds)
    }

    /// True when a snapshot is due: somebody looked within the last second, and the last one is 100 ms old, or older where it took
    /// long. [`Self::snapshot_made`] is to be told.
    pub(super) fn snapshot_due(&mut self) -> bool {
        let looked = self.shared.looked_at.load();
        let watched = looked.as_ref().map_or(self.watched, |looked| looked.0.elapsed() < LOOKED);
        let every = (self.showing * SNAPSHOT_SHARE).clamp(SNAPSHOT_EVERY, SNAPSHOT_OLDEST);
        let due = watched && self.shown.is_none_or(|at| at.elapsed() >= every);
        if due {
            self.shown = Some(Instant::now());
        }
        due
    }

    /// The snapshot that was due is published.
    pub(super) fn snapshot_made(&mut self) {
        self.showing = self.shown.map(|since| since.elapsed()).unwrap_or_default();
    }

    /// True when somebody looks and the effects of pairs are a second old.
    pub(super) fn effects_due(&mut self) -> bool {
        let due = self.effects_made.is_none_or(|at| at.elapsed() >= EFFECTS_EVERY);
        if due {
            self.effects_made = Some(Instant::now());
        }
        due
    }

    /// Trials that views asked for.
    pub(super) fn trials_wanted(&self) -> Vec<usize> {
        self.shared.looked_at.load().as_ref().map(|looked| looked.1.clone()).unwrap_or_default()
    }

    /// After every step, and between pieces of other work (`state` is `None` there).
    pub(super) fn between(&mut self, step: u64, state: Option<StageState<'_>>) -> Flow {
        if let Some(state) = state {
            self.progress.step = step;
            self.progress.epoch = state.epoch;
            self.progress.phase = Phase::Running;
            self.progress.doing = state.name.to_owned();
            if let Some(stage) = self.progress.stages.get_mut(self.progress.stage) {
                stage.fraction = stage.fraction.max(state.fraction.min(0.99));
            }
            self.estimate();
        }
        let flow = self.obey(state.is_some());
        if self.told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            self.tell();
        }
        flow
    }

    fn estimate(&mut self) {
        // The first step of a stage compiles kernels and warms caches: it is not counted.
        if self.stepping.0 == 0 {
            self.stepping = (1, Instant::now());
            return;
        }
        let (steps, since) = (self.stepping.0, self.stepping.1.elapsed().as_secs_f32());
        self.stepping.0 += 1;
        if since > 0.2 {
            self.progress.steps_per_s = steps as f32 / since;
        }
        let fraction = self.progress.stages.get(self.progress.stage).map_or(0.0, |s| s.fraction);
        // The first stage is short, since it has no encoder: it says nothing about the others.
        if fraction > 0.02 && self.progress.stage > 0 {
            let here = self.both_seconds().stage as f32;
            let whole = here / fraction;
            let later = (self.progress.stages.len() - self.progress.stage - 1) as f32;
            // Later stages are taken to last as long as the longest so far.
            let typical = self.stage_seconds.iter().copied().fold(whole, f32::max);
            self.progress.eta_s = Some((whole - here).max(0.0) + later * typical);
        }
    }

    fn obey(&mut self, can_hold: bool) -> Flow {
        let mut hold = can_hold && std::mem::take(&mut self.single);
        loop {
            match self.inbox.try_recv() {
                Ok(Command::Pause) => hold = true,
                Ok(Command::Step) => {
                    self.single = true;
                    hold = false;
                }
                Ok(Command::Resume) => hold = false,
                Ok(Command::StopAndKeep) | Err(TryRecvError::Disconnected) => return Flow::StopAndKeep,
                Ok(Command::Discard) => return Flow::Discard,
                Err(TryRecvError::Empty) => break,
            }
        }
        if hold { self.hold() } else { Flow::Go }
    }

    fn hold(&mut self) -> Flow {
        let since = Instant::now();
        let (phase, speed) = (self.progress.phase.clone(), self.stepping);
        self.progress.phase = Phase::Paused;
        self.tell();
        let flow = loop {
            match self.inbox.recv() {
                Ok(Command::Pause) => {}
                Ok(Command::Resume) => break Flow::Go,
                Ok(Command::Step) => {
                    self.single = true;
                    break Flow::Go;
                }
                Ok(Command::StopAndKeep) | Err(_) => break Flow::StopAndKeep,
                Ok(Command::Discard) => break Flow::Discard,
            }
        };
        let held = since.elapsed();
        self.paused += held;
        self.stage_started += held;
        self.stepping = (speed.0, speed.1 + held);
        self.progress.phase = phase;
        self.tell();
        flow
    }

    /// Publish the progress now and wake the window.
    pub(super) fn tell(&mut self) {
        self.progress.elapsed_s = self.seconds() as f32;
        self.shared.progress.store(Arc::new(self.progress.clone()));
        self.told = Some(Instant::now());
        if let Some(wake) = &self.wake {
            wake();
        }
    }
}
