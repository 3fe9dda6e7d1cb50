//! Training runs that wait for their turn: one trains at a time, and when it ends the next one begins. The list is plain data; what
//! follows from it is decided here, without window, threads or clocks.

use serde::{Deserialize, Serialize};

use crate::training::{Phase, Recipe};

/// Number of a job, unique in its queue.
pub type JobId = u64;

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum JobState {
    /// Begins when it is its turn.
    Waiting,
    /// Waits until the user lets it go on.
    Held,
    /// Trains now, or is paused while training.
    Training,
    /// Over: done, or stopped and kept.
    Done,
    /// Over: nothing was kept.
    Discarded,
    /// Over, with an error.
    Failed {
        /// What went wrong.
        why: String,
    },
}

/// One training run to be done, being done, or done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Number.
    pub id: JobId,
    /// What is trained.
    pub recipe: Recipe,
    /// Fingerprint of the recording that it is trained on.
    pub fingerprint: String,
    /// Name of that recording.
    pub recording: String,
    /// Its run folder, from the moment it begins; `None` when runs are not written.
    #[serde(default)]
    pub folder: Option<std::path::PathBuf>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: JobState,
}

impl Job {
    /// True when nothing more will happen to it.
    pub fn is_over(&self) -> bool {
        matches!(self.state, JobState::Done | JobState::Discarded | JobState::Failed { .. })
    }

    /// True while it waits, by itself or for the user.
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, JobState::Waiting | JobState::Held)
    }
}

/// What a user can ask for one job of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueWish {
    /// Hold it: while training after the current step, else before it begins.
    Pause(JobId),
    /// Let it go on.
    Resume(JobId),
    /// End its training and keep what was learned.
    Stop(JobId),
    /// Take it off the list; one that trains must be stopped first.
    Remove(JobId),
    /// One place up among those that wait.
    Earlier(JobId),
    /// One place down among those that wait.
    Later(JobId),
    /// Take all that are over off the list.
    ClearOver,
    /// Let all that are held go on.
    ResumeAll,
}

/// What the training thread must be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Hold after the current step.
    Pause,
    /// Go on.
    Resume,
    /// End and keep.
    StopAndKeep,
}

/// Most jobs that are over and still listed.
const MOST_OVER: usize = 50;

/// The list, in the order in which jobs begin; those that are over stay where they were.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    jobs: Vec<Job>,
    next: JobId,
}

impl Queue {
    /// All jobs in order.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// The job with this number.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.iter().find(|job| job.id == id)
    }

    /// The job that trains.
    pub fn training(&self) -> Option<&Job> {
        self.jobs.iter().find(|job| job.state == JobState::Training)
    }

    /// Jobs that wait.
    pub fn waiting(&self) -> usize {
        self.jobs.iter().filter(|job| job.is_waiting()).count()
    }

    /// Put a job at the end.
    pub fn add(&mut self, recipe: Recipe, fingerprint: &str, recording: &str) -> JobId {
        let id = self.next;
        self.next += 1;
        let (fingerprint, recording) = (fingerprint.to_owned(), recording.to_owned());
        self.jobs.push(Job { id, recipe, fingerprint, recording, folder: None, state: JobState::Waiting });
        id
    }

    /// The job that begins now: none while one trains, else the first that waits for nothing but its turn and whose recording is the
    /// open one.
    pub fn due(&self, open: Option<&str>) -> Option<&Job> {
        if self.training().is_some() {
            return None;
        }
        self.jobs.iter().find(|job| job.state == JobState::Waiting && Some(job.fingerprint.as_str()) == open)
    }

    /// A job has begun. It moves before all that wait.
    pub fn began(&mut self, id: JobId, folder: Option<std::path::PathBuf>) {
        let Some(at) = self.place(id) else { return };
        let mut job = self.jobs.remove(at);
        (job.state, job.folder) = (JobState::Training, folder);
        let first = self.jobs.iter().position(Job::is_waiting).unwrap_or(self.jobs.len());
        self.jobs.insert(first, job);
    }

    /// A job could not begin.
    pub fn refused(&mut self, id: JobId, why: String) {
        if let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) {
            job.state = JobState::Failed { why };
        }
    }

    /// The training has ended like this.
    pub fn ended(&mut self, phase: &Phase) {
        let Some(job) = self.jobs.iter_mut().find(|job| job.state == JobState::Training) else { return };
        job.state = match phase {
            Phase::Failed(why) => JobState::Failed { why: why.clone() },
            Phase::Discarded => JobState::Discarded,
            Phase::Preparing | Phase::Running | Phase::Paused | Phase::Finishing | Phase::Finished(_) => JobState::Done,
        };
        while self.jobs.iter().filter(|job| job.is_over()).count() > MOST_OVER
            && let Some(oldest) = self.jobs.iter().position(Job::is_over)
        {
            self.jobs.remove(oldest);
        }
    }

    /// Do what the user asks; gives what the training must be told. What makes no sense for the job changes nothing.
    pub fn obey(&mut self, wish: QueueWish) -> Option<Told> {
        match wish {
            QueueWish::Pause(id) => self.hold(id, true),
            QueueWish::Resume(id) => self.hold(id, false),
            QueueWish::Stop(id) => self.job(id).filter(|job| job.state == JobState::Training).map(|_| Told::StopAndKeep),
            QueueWish::Remove(id) => {
                self.jobs.retain(|job| job.id != id || job.state == JobState::Training);
                None
            }
            QueueWish::Earlier(id) => self.swap(id, false),
            QueueWish::Later(id) => self.swap(id, true),
            QueueWish::ClearOver => {
                self.jobs.retain(|job| !job.is_over());
                None
            }
            QueueWish::ResumeAll => {
                self.jobs.iter_mut().filter(|job| job.state == JobState::Held).for_each(|job| job.state = JobState::Waiting);
                None
            }
        }
    }

    fn hold(&mut self, id: JobId, held: bool) -> Option<Told> {
        let job = self.jobs.iter_mut().find(|job| job.id == id)?;
        match (&job.state, held) {
            (JobState::Training, true) => return Some(Told::Pause),
            (JobState::Training, false) => return Some(Told::Resume),
            (JobState::Waiting, true) => job.state = JobState::Held,
            (JobState::Held, false) => job.state = JobState::Waiting,
            _ => {}
        }
        None
    }

    /// Change places with the next job that waits, later or earlier.
    fn swap(&mut self, id: JobId, later: bool) -> Option<Told> {
        let at = self.place(id).filter(|&at| self.jobs.get(at).is_some_and(Job::is_waiting))?;
        let waits = |(_, job): &(usize, &Job)| job.is_waiting();
        let other = match later {
            true => self.jobs.iter().enumerate().skip(at + 1).find(waits),
            false => self.jobs.iter().enumerate().take(at).rfind(waits),
        };
        let (other, _) = other?;
        self.jobs.swap(at, other);
        None
    }

    /// Whether a job can move earlier, and later.
    pub fn can_move(&self, id: JobId) -> (bool, bool) {
        let waiting: Vec<JobId> = self.jobs.iter().filter(|job| job.is_waiting()).map(|job| job.id).collect();
        let place = waiting.iter().position(|waits| *waits == id);
        place.map_or((false, false), |at| (at > 0, at + 1 < waiting.len()))
    }

    /// The job that goes on with the run in `folder`: the one that was training it, else a new one.
    pub fn job_of(&mut self, folder: &std::path::Path, recipe: Recipe, fingerprint: &str, recording: &str) -> JobId {
        let waits = |job: &&Job| job.is_waiting() && job.folder.as_deref() == Some(folder);
        let known = self.jobs.iter().find(waits).map(|job| job.id);
        known.unwrap_or_else(|| self.add(recipe, fingerprint, recording))
    }

    /// True when a job is held.
    pub fn has_held(&self) -> bool {
        self.jobs.iter().any(|job| job.state == JobState::Held)
    }

    /// What is not over, to be kept for another start of the program; `None` when that is nothing.
    pub fn to_keep(&self) -> Option<Self> {
        let jobs: Vec<Job> = self.jobs.iter().filter(|job| !job.is_over()).cloned().collect();
        (!jobs.is_empty()).then_some(Self { jobs, next: self.next })
    }

    /// Put a list that was kept behind this one: nothing of it trains, and nothing begins by itself. Gives how many there are. A job
    /// that was training keeps its folder, and goes on from there.
    pub fn bring_back(&mut self, kept: Self) -> usize {
        let before = self.jobs.len();
        for job in kept.jobs.into_iter().filter(|job| !job.is_over()) {
            self.jobs.push(Job { id: self.next, state: JobState::Held, ..job });
            self.next += 1;
        }
        self.jobs.len() - before
    }

    fn place(&self, id: JobId) -> Option<usize> {
        self.jobs.iter().position(|job| job.id == id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn queue(n: usize) -> Queue {
        let mut queue = Queue::default();
        for seed in 0..n {
            queue.add(Recipe { seed: seed as u64, ..Recipe::default() }, "abc", "demo");
        }
        queue
    }

    fn order(queue: &Queue) -> Vec<JobId> {
        queue.jobs().iter().map(|job| job.id).collect()
    }

    fn due(queue: &Queue) -> Option<JobId> {
        queue.due(Some("abc")).map(|job| job.id)
    }

    #[test]
    fn one_trains_at_a_time_and_the_next_begins_when_it_ends() {
        let mut queue = queue(3);
        assert_eq!(due(&queue), Some(0));
        queue.began(0, Some("runs/a".into()));
        assert_eq!((due(&queue), queue.training().unwrap().id, queue.waiting()), (None, 0, 2));
        queue.ended(&Phase::Failed("no memory".into()));
        assert_eq!((due(&queue), &queue.job(0).unwrap().state), (Some(1), &JobState::Failed { why: "no memory".into() }));
        queue.began(1, None);
        queue.ended(&Phase::Discarded);
        queue.began(2, None);
        queue.ended(&Phase::Finished(std::sync::Arc::new(crate::training::Finished { run: None, summary: serde_json::Value::Null })));
        assert_eq!((due(&queue), queue.training(), queue.waiting()), (None, None, 0));
        assert_eq!((&queue.jobs()[1].state, &queue.jobs()[2].state), (&JobState::Discarded, &JobState::Done));
        queue.ended(&Phase::Discarded);
        assert_eq!(queue.jobs()[2].state, JobState::Done, "nothing trains, so nothing ends");
    }

    #[test]
    fn only_jobs_of_the_open_recording_begin() {
        let mut queue = queue(1);
        queue.add(Recipe::default(), "other", "maze");
        assert_eq!(queue.due(None), None);
        assert_eq!(queue.due(Some("other")).unwrap().id, 1);
        assert_eq!(queue.due(Some("third")), None);
    }

    #[test]
    fn a_held_job_lets_others_go_first_and_goes_on_when_it_is_let() {
        let mut queue = queue(2);
        assert_eq!(queue.obey(QueueWish::Pause(0)), None);
        assert_eq!(due(&queue), Some(1));
        queue.obey(QueueWish::Resume(0));
        assert_eq!(due(&queue), Some(0));
        queue.began(0, None);
        assert_eq!(queue.obey(QueueWish::Pause(0)), Some(Told::Pause));
        assert_eq!(due(&queue), None, "a paused training keeps its place");
        assert_eq!(queue.obey(QueueWish::Resume(0)), Some(Told::Resume));
        assert_eq!(queue.obey(QueueWish::Stop(0)), Some(Told::StopAndKeep));
        assert_eq!((queue.obey(QueueWish::Stop(1)), queue.obey(QueueWish::Stop(77))), (None, None));
    }

    #[test]
    fn waiting_jobs_change_places_and_others_do_not() {
        let mut queue = queue(4);
        queue.began(0, None);
        queue.obey(QueueWish::Earlier(1));
        assert_eq!(order(&queue), [0, 1, 2, 3], "nothing overtakes what trains");
        queue.obey(QueueWish::Later(1));
        queue.obey(QueueWish::Earlier(3));
        assert_eq!(order(&queue), [0, 2, 3, 1]);
        queue.obey(QueueWish::Later(0));
        queue.obey(QueueWish::Later(1));
        assert_eq!(order(&queue), [0, 2, 3, 1]);
        assert_eq!((queue.can_move(2), queue.can_move(3), queue.can_move(1)), ((false, true), (true, true), (true, false)));
        assert_eq!(queue.can_move(0), (false, false));
    }

    #[test]
    fn what_begins_stands_before_what_waits() {
        let mut queue = queue(3);
        queue.obey(QueueWish::Pause(0));
        queue.began(1, None);
        assert_eq!(order(&queue), [1, 0, 2]);
    }

    #[test]
    fn jobs_are_removed_but_never_the_one_that_trains() {
        let mut queue = queue(3);
        queue.began(0, None);
        queue.obey(QueueWish::Remove(0));
        queue.obey(QueueWish::Remove(1));
        assert_eq!(order(&queue), [0, 2]);
        queue.ended(&Phase::Discarded);
        queue.obey(QueueWish::ClearOver);
        assert_eq!(order(&queue), [2]);
        assert_eq!(queue.add(Recipe::default(), "abc", "demo"), 3, "numbers are not used again");
    }

    #[test]
    fn a_kept_list_comes_back_and_begins_nothing_by_itself() {
        let mut queue = queue(3);
        queue.began(0, Some("runs/a".into()));
        queue.refused(2, "out of range".into());
        let text = serde_json::to_string(&queue).unwrap();
        let back: Queue = serde_json::from_str(&text).unwrap();
        assert_eq!(back, queue);
        let mut now = Queue::default();
        now.add(Recipe { seed: 99, ..Recipe::default() }, "abc", "demo");
        now.began(0, None);
        assert_eq!(now.bring_back(back.to_keep().unwrap()), 2, "what is over is not kept");
        assert_eq!((due(&now), now.training().unwrap().id, now.waiting()), (None, 0, 2));
        assert_eq!(order(&now), [0, 1, 2], "numbers of this window");
        assert_eq!(now.jobs()[1].folder.as_deref(), Some(std::path::Path::new("runs/a")));
        now.ended(&Phase::Discarded);
        assert_eq!((due(&now), now.has_held()), (None, true));
        now.obey(QueueWish::ResumeAll);
        assert_eq!((due(&now), now.has_held()), (Some(1), false));
        assert_eq!(now.job_of(std::path::Path::new("runs/a"), Recipe::default(), "abc", "demo"), 1, "the run that it was training");
        assert_eq!(now.job_of(std::path::Path::new("runs/b"), Recipe::default(), "abc", "demo"), 3);
        assert_eq!(Queue::default().to_keep(), None);
    }

    #[test]
    fn finished_jobs_do_not_pile_up() {
        let mut queue = queue(80);
        for id in 0..80 {
            queue.began(id, None);
            queue.ended(&Phase::Discarded);
        }
        assert_eq!((queue.jobs().len(), queue.jobs()[0].id), (MOST_OVER, 30));
    }
}
