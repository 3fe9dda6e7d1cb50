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

/// What there is of a recording of which only a stretch is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole {
    /// Spikes of all units.
    pub(crate) spikes: usize,
    /// First spike, seconds; more than `last` when there is none.
    pub(crate) first: f64,
    /// Last spike.
    pub(crate) last: f64,
}

impl Whole {
    fn of(recording: &Recording) -> Self {
        let (first, last) = recording.time_range().unwrap_or((f64::INFINITY, f64::NEG_INFINITY));
        Self { spikes: recording.spikes.n_spikes(), first, last }
    }
}

/// Ask for a stretch of a recording that runs about from `runs.0` to `runs.1` seconds, because `object` takes `bytes` of memory and
/// `most` may be used. The stretch that is proposed takes half of that.
pub(super) fn too_long(path: &Path, object: &str, bytes: u64, most: u64, runs: (f64, f64)) -> FormatError {
    let (first, last) = if runs.1 > runs.0 { runs } else { (0.0, 60.0) };
    let stretch = (last - first) * 0.5 * most as f64 / bytes.max(1) as f64;
    // Two digits; a stretch of a thousandth of a second is as good as none.
    let scale = 10f64.powf(stretch.max(1e-3).log10().floor() - 1.0);
    let from = (first / scale).floor() * scale;
    let round = |t: f64| (t * 1e6).round() / 1e6;
    let range = TimeRange { from: round(from), to: round(from + (stretch / scale).floor().max(1.0) * scale) };
    let (takes, may) = (super::memory::bytes(bytes), super::memory::bytes(most));
    let known = match runs.1 > runs.0 {
        true => format!(" (the spikes run from about {first:.0} to {last:.0} s)"),
        false => String::new(),
    };
    let why = format!(
        "{object} takes {takes} of memory and at most {may} may be used; open a part of it, for example with --time-range {range}{known}"
    );
    let choice = Choice {
        key: TIME_RANGE.to_owned(),
        label: "Time range".to_owned(),
        value: range.to_string(),
        options: Vec::new(),
        unit: "s".to_owned(),
        why,
        assumed: false,
    };
    FormatError::NeedsAnswer { path: path.to_owned(), choice: Box::new(choice) }
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
pub(super) fn cut(path: &Path, recording: Recording, range: TimeRange, whole: Option<Whole>) -> Result<Recording, FormatError> {
    let whole = whole.unwrap_or_else(|| Whole::of(&recording));
    let Whole { first, last, spikes: all } = whole;
    let mut cut = recording.between(range.from, range.to).map_err(|source| FormatError::Recording { path: path.to_owned(), source })?;
    let bins = |r: &Recording| r.activity.as_ref().map_or(0, Activity::bins);
    let kept = cut.spikes.n_spikes();
    if kept == 0 && bins(&cut) == 0 {
        let runs = if first > last { "it has none at all".to_owned() } else { format!("they run from {first:.3} to {last:.3} s") };
        return Err(FormatError::TimeRange { path: path.to_owned(), problem: format!("no spikes in {range} s, {runs}") });
    }
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
    fn the_stretch_that_is_proposed_fits() {
        let told = |bytes, most, runs| too_long(Path::new("f"), "units/spike_times", bytes, most, runs).to_string();
        assert_eq!(
            told(8_000_000_000, 2_000_000_000, (12.5, 7212.5)),
            "f: units/spike_times takes 8.0 GB of memory and at most 2.0 GB may be used; open a part of it, for example with \
             --time-range 10..910 (the spikes run from about 12 to 7212 s); answer with --import time_range=VALUE (in s)"
        );
        assert!(told(100, 10, (0.0, 0.0)).contains("for example with --time-range 0..3; answer"), "{}", told(100, 10, (0.0, 0.0)));
    }

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
