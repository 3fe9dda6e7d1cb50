//! Work too long for a frame, done on a thread of its own: a view asks with a key in every frame, the newest finished result is
//! kept, and a new key starts new work as soon as the old has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, TryRecvError};
use eframe::egui;

/// At most one job at a time; the last result stays until a newer one is there.
pub struct Background<K, T> {
    done: Option<(K, T)>,
    running: Option<(K, Receiver<T>)>,
    failed: Option<K>,
}

impl<K, T> Default for Background<K, T> {
    fn default() -> Self {
        Self { done: None, running: None, failed: None }
    }
}

impl<K: Clone + PartialEq, T: Send + 'static> Background<K, T> {
    /// The result for `key` when it is finished. Otherwise starts `work` (unless a job is still running) and returns `None`;
    /// the window is woken when the job ends.
    pub fn get(&mut self, ctx: &egui::Context, name: &str, key: &K, work: impl FnOnce() -> T + Send + 'static) -> Option<&T> {
        self.collect();
        let known = self.done.as_ref().is_some_and(|(k, _)| k == key);
        if !known && self.running.is_none() && self.failed.as_ref() != Some(key) {
            self.start(ctx, name, key, work);
        }
        self.done.as_ref().filter(|(k, _)| k == key).map(|(_, result)| result)
    }

    /// The newest finished result, whichever key it was for.
    pub fn latest(&self) -> Option<&T> {
        self.done.as_ref().map(|(_, result)| result)
    }

    /// True while a job runs.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    fn collect(&mut self) {
        let Some((key, inbox)) = &self.running else { return };
        match inbox.try_recv() {
            Ok(result) => {
                self.done = Some((key.clone(), result));
                self.running = None;
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => {
                // The job panicked; asking again with the same key would only panic again.
                self.failed = Some(key.clone());
                self.running = None;
            }
        }
    }

    fn start(&mut self, ctx: &egui::Context, name: &str, key: &K, work: impl FnOnce() -> T + Send + 'static) {
        let (outbox, inbox) = crossbeam_channel::bounded(1);
        let ticket = Ticket::new(ctx);
        let job = move || {
            let _wakes_the_window = ticket;
            // The receiver is gone when the view was dropped: then nobody wants the result.
            let _ = outbox.send(work());
        };
        match std::thread::Builder::new().name(name.to_owned()).spawn(job) {
            Ok(_) => self.running = Some((key.clone(), inbox)),
            Err(e) => {
                tracing::error!("no thread for '{name}': {e}");
                self.failed = Some(key.clone());
            }
        }
    }
}

/// Counts a running job and wakes the window when it ends, also by a panic.
struct Ticket {
    ctx: egui::Context,
    count: Arc<AtomicUsize>,
}

impl Ticket {
    fn new(ctx: &egui::Context) -> Self {
        let count = counter(ctx);
        count.fetch_add(1, Ordering::AcqRel);
        Self { ctx: ctx.clone(), count }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
        self.ctx.request_repaint();
    }
}

fn counter(ctx: &egui::Context) -> Arc<AtomicUsize> {
    ctx.data_mut(|data| data.get_temp_mut_or_default::<Arc<AtomicUsize>>(egui::Id::unique("background work")).clone())
}

/// Jobs running for any view of this window; a picture of the window is complete when it is 0.
pub fn pending(ctx: &egui::Context) -> usize {
    counter(ctx).load(Ordering::Acquire)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn settle(ctx: &egui::Context) {
        while pending(ctx) > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_key_is_worked_once_and_a_new_key_replaces_it() {
        let ctx = egui::Context::default();
        let mut work = Background::default();
        assert_eq!(work.get(&ctx, "double", &2, || 4), None);
        settle(&ctx);
        assert_eq!(work.get(&ctx, "double", &2, || 0), Some(&4));
        assert_eq!(work.get(&ctx, "double", &3, || 6), None);
        assert_eq!(work.latest(), Some(&4));
        settle(&ctx);
        assert_eq!(work.get(&ctx, "double", &3, || 0), Some(&6));
    }

    #[test]
    fn a_panic_inside_ends_the_job_and_is_not_repeated() {
        let ctx = egui::Context::default();
        let mut work: Background<u8, u8> = Background::default();
        let boom = || -> u8 { std::panic::resume_unwind(Box::new("test")) };
        assert_eq!(work.get(&ctx, "boom", &1, boom), None);
        settle(&ctx);
        assert_eq!(work.get(&ctx, "boom", &1, boom), None);
        assert!(!work.is_running());
        assert_eq!(work.get(&ctx, "fine", &2, || 5), None);
        settle(&ctx);
        assert_eq!(work.get(&ctx, "fine", &2, || 0), Some(&5));
    }
}
