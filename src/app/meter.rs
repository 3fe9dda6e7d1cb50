//! Memory and frame time for the status bar. Memory is read on a thread of its own: the window reads no file, not even in /proc.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Frames over which the time is averaged.
const FRAMES: usize = 40;

/// Memory of this process and time per frame.
#[derive(Default)]
pub struct Meter {
    memory: Option<Arc<AtomicU64>>,
    frames: VecDeque<f32>,
    begun: Option<Instant>,
}

impl Meter {
    /// With the thread `memory meter`, which ends with the meter.
    pub fn start() -> Self {
        let bytes = Arc::new(AtomicU64::new(0));
        let theirs = Arc::downgrade(&bytes);
        let read_often = move || {
            while let Some(bytes) = theirs.upgrade() {
                bytes.store(resident_bytes().unwrap_or(0), Ordering::Relaxed);
                drop(bytes);
                std::thread::sleep(Duration::from_secs(2));
            }
        };
        let memory = std::thread::Builder::new().name("memory meter".to_owned()).spawn(read_often).ok().map(|_| bytes);
        Self { memory, ..Self::default() }
    }

    /// A frame begins.
    pub fn begin(&mut self) {
        self.begun = Some(Instant::now());
    }

    /// The frame's work is done.
    pub fn end(&mut self) {
        if let Some(begun) = self.begun {
            self.frames.push_back(begun.elapsed().as_secs_f32() * 1e3);
            if self.frames.len() > FRAMES {
                self.frames.pop_front();
            }
        }
    }

    /// Mean work per frame, milliseconds; `None` without a running meter (tests, pictures).
    pub fn frame_ms(&self) -> Option<f32> {
        self.memory.as_ref()?;
        (!self.frames.is_empty()).then(|| self.frames.iter().sum::<f32>() / self.frames.len() as f32)
    }

    /// Memory of the process, bytes.
    pub fn memory(&self) -> Option<u64> {
        self.memory.as_ref().map(|m| m.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }
}

/// Resident memory; known on Linux only.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_frames_are_kept_and_a_meter_without_thread_shows_nothing() {
        let mut meter = Meter::default();
        for frame in 1..=FRAMES + 2 {
            meter.begin();
            meter.end();
            assert_eq!(meter.frames.len(), frame.min(FRAMES));
        }
        assert_eq!((meter.frame_ms(), meter.memory()), (None, None));
    }
}
