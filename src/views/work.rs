//! Work too long for a frame, done on a thread of its own: a view asks with a key in every frame, the newest finished result is
//! kept, and a new key starts new work. Work that looks at its `Watch` is stopped when its answer is not wanted any more: because
//! the question changed, the user pressed Cancel, or the view is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};
use eframe::egui::{self, Ui};

use super::widgets;
use crate::analysis::watch::Watch;
use crate::training::yield_to_the_window;

/// A job that has run this long is stopped when the question changes. A shorter one is waited for: while something is dragged the
/// question changes in every frame, and stopping at once would never give an answer.
const WAITED_FOR: Duration = Duration::from_millis(120);
/// A job that has run this long shows how far it is, with a button that cancels it.
const SHOWN_AFTER: Duration = Duration::from_millis(500);

/// At most one job at a time; the last result stays until a newer one is there.
pub struct Background<K, T> {
    done: Option<(K, T)>,
    running: Option<Running<K, T>>,
    failed: Option<K>,
    /// The user does not want the answer to this question.
    cancelled: Option<K>,
}

struct Running<K, T> {
    key: K,
    inbox: Receiver<Option<T>>,
    watch: Arc<Watch>,
    since: Instant,
}

impl<K, T> Default for Background<K, T> {
    fn default() -> Self {
        Self { done: None, running: None, failed: None, cancelled: None }
    }
}

impl<K, T> Drop for Background<K, T> {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.watch.stop();
        }
    }
}

impl<K: Clone + PartialEq, T: Send + 'static> Background<K, T> {
    /// The result for `key` when it is finished. Otherwise starts `work` (unless a job is still running) and returns `None`;
    /// the window is woken when the job ends. For work of well under a second, which is never stopped midway.
    pub fn get(&mut self, ctx: &egui::Context, name: &str, key: &K, work: impl FnOnce() -> T + Send + 'static) -> Option<&T> {
        self.ask(ctx, name, key, |_| Some(work()))
    }

    /// As [`Self::get`] for work that may take long: it looks at the watch now and then, tells how far it is, and gives `None` when
    /// it was stopped. A changed question stops what is running.
    pub fn watched(
        &mut self,
        ctx: &egui::Context,
        name: &str,
        key: &K,
        work: impl FnOnce(&Watch) -> Option<T> + Send + 'static,
    ) -> Option<&T> {
        if let Some(running) = self.running.take_if(|r| r.key != *key && r.since.elapsed() > WAITED_FOR) {
            running.watch.stop();
        }
        self.ask(ctx, name, key, work)
    }

    fn ask(&mut self, ctx: &egui::Context, name: &str, key: &K, work: impl FnOnce(&Watch) -> Option<T> + Send + 'static) -> Option<&T> {
        self.collect();
        self.cancelled.take_if(|k| k != key);
        let known = self.done.as_ref().is_some_and(|(k, _)| k == key);
        let refused = self.failed.as_ref() == Some(key) || self.cancelled.is_some();
        if !known && self.running.is_none() && !refused {
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

    /// End the running job; the same question is not worked on again until [`Self::again`].
    pub fn cancel(&mut self) {
        if let Some(running) = self.running.take() {
            running.watch.stop();
            self.cancelled = Some(running.key);
        }
    }

    /// True when the user cancelled the answer to the question asked last.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_some()
    }

    /// Work on a cancelled question after all.
    pub fn again(&mut self) {
        self.cancelled = None;
    }

    /// One line while a job takes long: `what` is being done, how far it is, and a button that cancels it; afterwards that it was
    /// cancelled, and a button that begins again.
    pub fn progress(&mut self, ui: &mut Ui, what: &str) {
        if self.is_cancelled() {
            ui.horizontal(|ui| {
                widgets::note(ui, format!("{what}: cancelled"));
                if ui.button("Compute after all").clicked() {
                    self.again();
                }
            });
            return;
        }
        if self.failed.is_some() && self.running.is_none() {
            ui.colored_label(ui.visuals().error_fg_color, format!("{what}: the computation broke off; change a setting to try again"));
        }
        let Some(running) = &self.running else { return };
        let Some(missing) = SHOWN_AFTER.checked_sub(running.since.elapsed()).filter(|d| !d.is_zero()) else {
            let share = running.watch.share();
            let mut cancel = false;
            ui.horizontal(|ui| {
                let bar = egui::ProgressBar::new(share.unwrap_or(0.0)).desired_width(140.0).desired_height(12.0).animate(share.is_none());
                let response = ui.add(bar);
                let percent = share.map_or(String::new(), |s| format!(", {:.0} %", 100.0 * s));
                response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ProgressIndicator, true, format!("{what}{percent}")));
                widgets::note(ui, format!("{what}{percent}"));
                cancel = ui.button("Cancel").on_hover_text("End this computation; nothing else changes").clicked();
            });
            if cancel {
                self.cancel();
            }
            ui.request_repaint_after(Duration::from_millis(100));
            return;
        };
        ui.request_repaint_after(missing);
    }

    fn collect(&mut self) {
        let Some(running) = &self.running else { return };
        match running.inbox.try_recv() {
            Ok(Some(result)) => {
                self.done = Some((running.key.clone(), result));
                self.running = None;
            }
            // It was stopped; whoever asks next begins again.
            Ok(None) => self.running = None,
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => {
                // The job panicked; asking again with the same key would only panic again.
                self.failed = Some(running.key.clone());
                self.running = None;
            }
        }
    }

    fn start(&mut self, ctx: &egui::Context, name: &str, key: &K, work: impl FnOnce(&Watch) -> Option<T> + Send + 'static) {
        let (outbox, inbox) = crossbeam_channel::bounded(1);
        let (ticket, watch) = (Ticket::new(ctx), Arc::new(Watch::default()));
        let theirs = Arc::clone(&watch);
        let job = move || {
            let _wakes_the_window = ticket;
            yield_to_the_window();
            // The receiver is gone when the view was dropped or asks something else: then nobody wants the result.
            let _ = outbox.send(work(&theirs));
        };
        match std::thread::Builder::new().name(name.to_owned()).spawn(job) {
            Ok(_) => self.running = Some(Running { key: key.clone(), inbox, watch, since: Instant::now() }),
            Err(e) => {
                tracing::error!("no thread for '{name}': {e}");
                self.failed = Some(key.clone());
            }
        }
    }
}

/// Counts a running job and wakes the window when it ends, also by a panic.
pub(super) struct Ticket {
    ctx: egui::Context,
    count: Arc<AtomicUsize>,
}

impl Ticket {
    pub(super) fn new(ctx: &egui::Context) -> Self {
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

    /// Work that goes on until it is stopped.
    fn endless(watch: &Watch) -> Option<u8> {
        watch.tell(1, 4);
        while !watch.stopped() {
            std::thread::sleep(Duration::from_millis(1));
        }
        None
    }

    #[test]
    fn a_changed_question_stops_the_old_one() {
        let ctx = egui::Context::default();
        let mut work = Background::default();
        assert_eq!(work.watched(&ctx, "endless", &1, endless), None);
        // The old job is stopped as soon as it has run long enough; the new one gives the answer.
        while work.watched(&ctx, "quick", &2, |_| Some(7)).is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        settle(&ctx);
        assert_eq!(work.latest(), Some(&7));
    }

    #[test]
    fn a_cancelled_question_waits_until_it_is_asked_again_and_a_dropped_view_stops_its_work() {
        let ctx = egui::Context::default();
        let mut work = Background::default();
        work.watched(&ctx, "endless", &1, endless);
        work.cancel();
        settle(&ctx);
        assert_eq!(work.watched(&ctx, "quick", &1, |_| Some(7)), None);
        assert!(work.is_cancelled() && !work.is_running());
        work.again();
        work.watched(&ctx, "quick", &1, |_| Some(7));
        settle(&ctx);
        assert_eq!(work.watched(&ctx, "quick", &1, |_| None), Some(&7));
        work.watched(&ctx, "endless", &2, endless);
        work.cancel();
        assert_eq!(work.watched(&ctx, "quick", &1, |_| None), Some(&7), "another question is not cancelled");
        assert!(!work.is_cancelled());
        work.watched(&ctx, "endless", &3, endless);
        drop(work);
        settle(&ctx);
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
