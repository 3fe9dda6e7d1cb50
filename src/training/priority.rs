//! Threads that compute behind a window run below it: where there are few cores, or the screen itself is drawn by the
//! processor, frames would otherwise wait for training.

use thread_priority::{ThreadPriority, ThreadPriorityValue, set_current_thread_priority};

/// Of 0 to 99; nice 10 on Linux: a tenth of the window's share where both want the same core, all of it where the core is free.
const BELOW_THE_WINDOW: u8 = 22;

/// Put the current thread below the window. A system that refuses leaves it as it is: then frames are slower, nothing else.
pub fn yield_to_the_window() {
    if let Ok(value) = ThreadPriorityValue::try_from(BELOW_THE_WINDOW)
        && let Err(refused) = set_current_thread_priority(ThreadPriority::Crossplatform(value))
    {
        tracing::debug!("the priority of this thread stays as it is: {refused:?}");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    fn the_thread_becomes_nice_and_its_starter_does_not() {
        // Field 19 of stat, counted after the name in parentheses.
        let nice = || -> i32 {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            stat.rsplit(") ").next().unwrap().split(' ').nth(16).unwrap().parse().unwrap()
        };
        let before = nice();
        let theirs = std::thread::Builder::new()
            .spawn(move || {
                super::yield_to_the_window();
                nice()
            })
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(nice(), before);
        assert!(theirs >= 10, "{theirs}");
    }
}
