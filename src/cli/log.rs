//! Messages for developers on standard error, and the last of them in the black box, for fault reports.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::app::BlackBox;
use crate::runs::utc;

/// Warnings by default, more with `SPIKESCOPE_LOG=debug` (the syntax of `RUST_LOG`); the black box hears of everything from `info` on.
pub(super) fn begin(black_box: Arc<BlackBox>) {
    let filter = EnvFilter::try_from_env("SPIKESCOPE_LOG").unwrap_or_else(|_| "warn".into());
    let shown = fmt::layer().with_writer(std::io::stderr).with_filter(filter);
    let remembered = Remember(black_box).with_filter(LevelFilter::INFO);
    // A second subscriber cannot be set; the first one then goes on.
    let _ = tracing_subscriber::registry().with(shown).with(remembered).try_init();
}

struct Remember(Arc<BlackBox>);

impl<S: Subscriber> Layer<S> for Remember {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = format!("{} {} {}:", utc(SystemTime::now()), event.metadata().level(), event.metadata().target());
        event.record(&mut Text(&mut line));
        self.0.note(&line);
    }
}

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::app::Fault;
    use crate::doctor::Privacy;

    #[test]
    fn messages_are_remembered_for_reports() {
        let folder = tempfile::tempdir().unwrap();
        let black_box = Arc::new(BlackBox::new(Some(folder.path().to_owned()), "a".into(), Privacy::default()));
        let subscriber = tracing_subscriber::registry().with(Remember(Arc::clone(&black_box)).with_filter(LevelFilter::INFO));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(units = 3, "opened {}", "maze");
            tracing::debug!("not this");
        });
        let text = std::fs::read_to_string(black_box.report(&Fault::default()).unwrap()).unwrap();
        assert!(text.contains("INFO") && text.contains("opened maze units=3") && !text.contains("not this"), "{text}");
    }
}
