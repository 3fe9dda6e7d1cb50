//! How far a long computation has come, and the wish to end it. Whoever computes looks at it now and then; whoever waits may look at
//! it from another thread.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Shared by the one who computes and the one who waits.
#[derive(Debug, Default)]
pub struct Watch {
    stopped: AtomicBool,
    /// Which part of how many is being done; 0 of 0 when there are no parts.
    part: AtomicU32,
    parts: AtomicU32,
    per_mille: AtomicU32,
}

impl Watch {
    /// Ask the computation to end soon; its result is not wanted any more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// True when nobody wants the result any more.
    pub fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// What is told from now on is the progress of part `at` (from 0) of `of` equal parts.
    pub fn part(&self, at: usize, of: usize) {
        self.part.store(at as u32, Ordering::Release);
        self.parts.store(of as u32, Ordering::Release);
        self.tell(0, 1);
    }

    /// Tell that `done` of `all` equal parts are done. Never goes back: parts may be told by several threads.
    pub fn tell(&self, done: usize, all: usize) {
        let (part, parts) = (self.part.load(Ordering::Acquire), self.parts.load(Ordering::Acquire).max(1));
        let of_part = (done as f64 / all.max(1) as f64).clamp(0.0, 1.0);
        let share = (1000.0 * (f64::from(part) + of_part) / f64::from(parts)).clamp(0.0, 1000.0) as u32;
        self.per_mille.fetch_max(share, Ordering::AcqRel);
    }

    /// Share done so far, 0 to 1; `None` as long as nothing was told.
    pub fn share(&self) -> Option<f32> {
        let told = self.per_mille.load(Ordering::Acquire);
        (told > 0).then_some(told as f32 / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_goes_forward_and_a_stop_is_seen() {
        let watch = Watch::default();
        assert_eq!((watch.share(), watch.stopped()), (None, false));
        watch.tell(3, 4);
        watch.tell(1, 4);
        watch.stop();
        assert_eq!((watch.share(), watch.stopped()), (Some(0.75), true));
        watch.tell(9, 0);
        assert_eq!(watch.share(), Some(1.0));
    }

    #[test]
    fn the_progress_of_a_part_is_a_part_of_the_progress() {
        let watch = Watch::default();
        watch.part(0, 4);
        watch.tell(1, 2);
        assert_eq!(watch.share(), Some(0.125));
        watch.part(3, 4);
        assert_eq!(watch.share(), Some(0.75));
        watch.tell(1, 1);
        assert_eq!(watch.share(), Some(1.0));
    }
}
