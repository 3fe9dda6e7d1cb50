//! The thread that writes checkpoints, so that training does not wait for a disk. One checkpoint can wait while another is
//! written; when the disk is slower than that, the next one comes later.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::RunError;
use super::checkpoint::{self, Checkpoint, Keep};
use super::writer::Fault;
use crate::export::WriteError;

/// How a checkpoint went: its step, or why it is not there.
pub type Kept = Result<u64, RunError>;

/// What has not been fetched of the results; older ones are dropped beyond this.
const NEWS: usize = 64;

/// Writes checkpoints into one run folder on a thread of its own, called `checkpoints`.
pub(super) struct Keeper {
    queue: Option<Sender<Arc<Checkpoint>>>,
    news: Receiver<Kept>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Start; `id` names the run (see [`checkpoint::run_id`]).
    pub(super) fn start(run: PathBuf, id: String, keep: Keep, mut fault: Fault) -> Result<Self, RunError> {
        let (queue, jobs) = bounded::<Arc<Checkpoint>>(1);
        let (tell, news) = bounded(NEWS);
        let place = run.clone();
        let thread = std::thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(move || {
                for job in jobs {
                    let done = checkpoint::write(&run, &id, &job, keep, &mut fault).map(|()| job.step);
                    // Nobody listens any more, or not for a long time: the next result says enough.
                    let _ = tell.try_send(done);
                }
            })
            .map_err(WriteError::at(&place, "starting the thread that writes checkpoints"))?;
        Ok(Self { queue: Some(queue), news, thread: Some(thread) })
    }

    /// Hand over a checkpoint, waiting at most `patience`; false when the disk is still busy with those before.
    pub(super) fn offer(&self, checkpoint: Arc<Checkpoint>, patience: Duration) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.send_timeout(checkpoint, patience).is_ok())
    }

    /// True when a checkpoint would be taken at once.
    pub(super) fn is_free(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.is_empty())
    }

    /// What has become of checkpoints since the last call.
    pub(super) fn news(&self) -> Vec<Kept> {
        self.news.try_iter().collect()
    }

    /// Wait until everything handed over is written.
    pub(super) fn close(&mut self) -> Vec<Kept> {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been told by the hook; the checkpoints before are whole.
            let _ = thread.join();
        }
        self.news()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.close();
    }
}
