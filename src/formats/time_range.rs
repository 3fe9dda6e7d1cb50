//! A stretch of a recording in place of all of it.

use std::path::Path;
use std::str::FromStr;

use super::{FormatError, OpenOptions};
use crate::recording::{Activity, Choice, NoteKind, Recording};

/// Key under which the stretch is among the choices of an import.
pub const TIME_RANGE: &str = "time_range";

/// From a time to before another, seconds on the recording's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeRange {
    /// First time that is kept.
    pub from: f64,
    /// First time that is not.
    pub to: f64,
}

impl FromStr for TimeRange {
    type Err = String;

    /// `10..60`, `10..` or `..60`, in seconds.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str, open: f64| match part.trim() {
            "" => Some(open),
            number => number.parse().ok().filter(|n: &f64| n.is_finite()),
        };
        let ends = text.split_once("..").and_then(|(a, b)| Some((number(a, f64::NEG_INFINITY)?, number(b, f64::INFINITY)?)));
        match ends {
            Some((from, to)) if to > from && (from.is_finite() || to.is_finite()) => Ok(Self { from, to }),
            _ => Err(format!("'{text}' is no stretch of time; write it in seconds as 10..60, 10.. or ..60")),
        }
    }
}

impl std::fmt::Display for TimeRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = |t: f64| if t.is_finite() { t.to_string() } else { String::new() };
        write!(f, "{}..{}", end(self.from), end(self.to))
    }
}

/// The stretch that is asked for.
pub(super) fn wanted(path: &Path, options: &OpenOptions) -> Result<Option<TimeRange>, FormatError> {
    match options.answers.get(TIME_RANGE).filter(|text| !text.trim().is_empty()) {
        _ if options.time_range.is_some() => Ok(options.time_range),
        Some(text) => text.parse().map(Some).map_err(|problem| FormatError::TimeRange { path: path.to_owned(), problem }),
        None => Ok(None),
    }
}

/// The recording in that stretch, told as a choice.
pub(super) fn cut(path: &Path, recording: Recording, range: TimeRange) -> Result<Recording, FormatError> {
    let whole = recording.time_range();
    let mut cut = recording.between(range.from, range.to).map_err(|source| FormatError::Recording { path: path.to_owned(), source })?;
    let bins = |r: &Recording| r.activity.as_ref().map_or(0, Activity::bins);
    let Some((first, last)) = whole.filter(|_| cut.spikes.n_spikes() > 0 || bins(&cut) > 0) else {
        let runs = whole.map_or_else(|| "it has none at all".to_owned(), |(a, b)| format!("they run from {a:.3} to {b:.3} s"));
        return Err(FormatError::TimeRange { path: path.to_owned(), problem: format!("no spikes in {range} s, {runs}") });
    };
    let (kept, all) = (cut.spikes.n_spikes(), recording.spikes.n_spikes());
    let continuous = if bins(&recording) > 0 { format!(", {} of {} bins", bins(&cut), bins(&recording)) } else { String::new() };
    cut.report.add(NoteKind::Chosen, TIME_RANGE, format!("only {range} s was loaded: {kept} of {all} spikes{continuous}"));
    cut.report.offer(Choice {
        key: TIME_RANGE.to_owned(),
        label: "Time range".to_owned(),
        value: range.to_string(),
        options: Vec::new(),
        unit: "s".to_owned(),
        why: format!("the file has {} from {first:.3} to {last:.3} s", if all > 0 { "spikes" } else { "continuous activity" }),
        assumed: false,
    });
    Ok(cut)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ranges_are_read_shown_and_refused() {
        for (text, from, to) in
            [("10..60", 10.0, 60.0), (" -1.5 .. 2 ", -1.5, 2.0), ("..5", f64::NEG_INFINITY, 5.0), ("3..", 3.0, f64::INFINITY)]
        {
            let range: TimeRange = text.parse().unwrap();
            assert_eq!((range.from, range.to), (from, to), "{text}");
            assert_eq!(range.to_string().parse(), Ok(range));
        }
        for wrong in ["", "..", "5", "5..1", "5..5", "a..b", "nan..5", "1..inf"] {
            assert!(wrong.parse::<TimeRange>().is_err(), "{wrong}");
        }
    }
}
