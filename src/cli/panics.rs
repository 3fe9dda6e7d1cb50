//! An error in the program itself: one readable message with the version, in place of Rust's own, and a report on disk.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::{PanicHookInfo, set_hook};
use std::sync::Arc;

use super::output::tell;
use crate::app::{BlackBox, Fault, Survivors};
use crate::doctor::Privacy;

thread_local! {
    /// Runs of a window that this thread drives.
    static DRIVES: RefCell<Option<Survivors>> = const { RefCell::new(None) };
    /// This thread is being unwound already.
    static FALLING: Cell<bool> = const { Cell::new(false) };
}

/// From now on, panics are reported on standard error with version, thread and place, and in a file with what was open.
pub(super) fn report(black_box: Arc<BlackBox>) {
    set_hook(Box::new(move |info| {
        let thread = std::thread::current();
        let place = info.location().map(ToString::to_string);
        tell(&message(what(info), place.clone(), thread.name()));
        let backtrace = Backtrace::force_capture().to_string();
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
            tell(&backtrace);
        }
        let fault = Fault {
            what: what(info).to_owned(),
            place: place.unwrap_or_default(),
            thread: thread.name().unwrap_or("unnamed").to_owned(),
            backtrace,
        };
        if let Some(path) = black_box.report(&fault) {
            tell(&format!("A report was written to {}", Privacy::of_user().path(&path)));
        }
        if FALLING.replace(true) {
            see_through();
        }
    }));
}

/// This thread drives a window with these runs. When it panics again while it unwinds (a lost graphics device is used once more by
/// something that is being dropped), the process is ended by Rust without coming back: the runs come to their end before that.
pub(super) fn see_through_when_unwinding_fails(survivors: &Survivors) {
    DRIVES.set(Some(survivors.clone()));
}

fn see_through() {
    let survivors = DRIVES.try_with(|drives| drives.try_borrow().ok().and_then(|drives| drives.clone())).ok().flatten();
    if let Some(survivors) = survivors {
        super::window::see_through(&survivors).iter().for_each(|outcome| tell(outcome));
        tell("The window died; the next start offers what was open");
    }
}

fn what<'a>(info: &'a PanicHookInfo<'_>) -> &'a str {
    info.payload_as_str().unwrap_or("no message")
}

fn message(what: &str, place: Option<String>, thread: Option<&str>) -> String {
    format!(
        "error: Spikescope {} has a fault: {what} (thread '{}', {}); please report this line and what you did (RUST_BACKTRACE=1 tells more)",
        env!("CARGO_PKG_VERSION"),
        thread.unwrap_or("unnamed"),
        place.as_deref().unwrap_or("unknown place"),
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_message_has_version_thread_and_place() {
        let text = super::message("index out of range", Some("src/a.rs:1:2".to_owned()), Some("training"));
        for part in [env!("CARGO_PKG_VERSION"), "index out of range", "'training'", "src/a.rs:1:2"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
