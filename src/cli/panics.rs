//! An error in the program itself: one readable message with the version, in place of Rust's own.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{PanicHookInfo, set_hook};

use super::output::tell;

/// From now on, panics are reported on standard error with version, thread and place.
pub(super) fn report() {
    set_hook(Box::new(|info| {
        let thread = std::thread::current();
        tell(&message(what(info), info.location().map(ToString::to_string), thread.name()));
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            tell(&trace.to_string());
        }
    }));
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
