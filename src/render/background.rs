//! One piece of work on its own named thread, looked at once a frame: the window never waits for it.

use crossbeam_channel::{Receiver, TryRecvError};

/// Work that is being done.
#[derive(Debug)]
pub struct Pending<T> {
    inbox: Receiver<T>,
}

/// What has become of it.
#[derive(Debug)]
pub enum Outcome<T> {
    /// Not done yet.
    Waiting,
    /// Done.
    Done(T),
    /// The thread ended without a result (it panicked).
    Lost,
}

impl<T: Send + 'static> Pending<T> {
    /// Start a thread called `name`; `wake` is called when the result is there.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(name: &str, work: impl FnOnce() -> T + Send + 'static, wake: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let (outbox, inbox) = crossbeam_channel::bounded(1);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Nobody listens any more when the view has moved on to another recording.
            let _ = outbox.send(work());
            wake();
        })?;
        Ok(Self { inbox })
    }

    /// The result, if it is there. Does not wait.
    pub fn poll(&self) -> Outcome<T> {
        match self.inbox.try_recv() {
            Ok(value) => Outcome::Done(value),
            Err(TryRecvError::Empty) => Outcome::Waiting,
            Err(TryRecvError::Disconnected) => Outcome::Lost,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_result_arrives_and_a_panic_is_told() {
        let (told, heard) = crossbeam_channel::bounded(1);
        let pending = Pending::start("test work", || 7, move || told.send(()).unwrap()).unwrap();
        heard.recv().unwrap();
        assert!(matches!(pending.poll(), Outcome::Done(7)));
        let lost: Pending<i32> = Pending::start("test panic", || panic!("on purpose"), || ()).unwrap();
        let outcome = loop {
            match lost.poll() {
                Outcome::Waiting => std::thread::yield_now(),
                other => break other,
            }
        };
        assert!(matches!(outcome, Outcome::Lost));
    }
}
