//! The unit of time of a text file: from a name, else whichever gives plausible firing rates.

use super::super::FormatError;
use super::super::choices::{Choices, Question};

/// What one unit of time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeUnit {
    Seconds,
    Milliseconds,
    Microseconds,
    /// Samples of the amplifier; needs its rate.
    Samples,
}

/// Rate of most amplifiers, samples/s: used to compare what is plausible, and proposed, never assumed.
const USUAL_RATE: f64 = 30_000.0;
/// With this many times that are all whole numbers, the unit is not the second.
const MANY: usize = 20;
/// Median firing rates outside of this are not plausible, spikes/s.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = 0.02..=1000.0;

impl TimeUnit {
    const ALL: [Self; 4] = [Self::Seconds, Self::Milliseconds, Self::Microseconds, Self::Samples];

    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Samples => "samples",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Samples => "samples",
        }
    }

    /// How many of it are a second.
    fn per_second(self) -> f64 {
        match self {
            Self::Seconds => 1.0,
            Self::Milliseconds => 1e3,
            Self::Microseconds => 1e6,
            Self::Samples => USUAL_RATE,
        }
    }
}

/// What the numbers themselves say.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Evidence {
    /// Spikes of the median unit.
    pub(super) median_count: usize,
    pub(super) first: f64,
    pub(super) last: f64,
    pub(super) n: usize,
    /// All times are whole numbers.
    pub(super) whole: bool,
}

impl Evidence {
    pub(super) fn of(counts: &[usize], times: impl Iterator<Item = f64>) -> Self {
        let mut counts = counts.to_vec();
        counts.sort_unstable();
        let start = Self { first: f64::INFINITY, last: f64::NEG_INFINITY, whole: true, ..Self::default() };
        let mut found = times.fold(start, |e, t| Self {
            first: e.first.min(t),
            last: e.last.max(t),
            n: e.n + 1,
            whole: e.whole && t.fract() == 0.0,
            ..e
        });
        found.median_count = counts.get(counts.len() / 2).copied().unwrap_or(0);
        found
    }

    /// Spikes per unit of time of the median unit.
    fn rate(&self) -> Option<f64> {
        let duration = self.last - self.first;
        (duration > 0.0 && self.median_count > 0).then(|| self.median_count as f64 / duration)
    }
}

/// The reader's own decision.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decision {
    pub(super) unit: TimeUnit,
    pub(super) why: String,
    /// The file does not say.
    pub(super) assumed: bool,
}

/// Decide from a name (`named`: the unit and where it was found), else from the firing rates.
pub(super) fn decide(named: Option<(TimeUnit, &str)>, evidence: &Evidence) -> Decision {
    if let Some((unit, place)) = named {
        return Decision { unit, why: format!("times are read as {}, as {place} says", unit.name()), assumed: false };
    }
    let Some(rate) = evidence.rate() else {
        let why = "the file does not say the unit of time; seconds are assumed".to_owned();
        return Decision { unit: TimeUnit::Seconds, why, assumed: true };
    };
    let plausible = |unit: &TimeUnit| PLAUSIBLE.contains(&(rate * unit.per_second()));
    let never_seconds = evidence.whole && evidence.n >= MANY;
    let order: &[TimeUnit] = if never_seconds {
        &[TimeUnit::Milliseconds, TimeUnit::Samples, TimeUnit::Microseconds]
    } else {
        &[TimeUnit::Seconds, TimeUnit::Milliseconds, TimeUnit::Microseconds]
    };
    let unit = order.iter().copied().find(|u| plausible(u)).unwrap_or(TimeUnit::Seconds);
    let fires = format!("the median unit then fires {}", rate_text(rate * unit.per_second()));
    let other = match (unit, never_seconds) {
        (TimeUnit::Seconds, _) => String::new(),
        (_, true) => ", and all times are whole numbers".to_owned(),
        (_, false) => format!(", as seconds only {}", rate_text(rate)),
    };
    let why = format!("the file does not say the unit of time; {} are assumed ({fires}{other})", unit.name());
    Decision { unit, why, assumed: true }
}

fn rate_text(rate: f64) -> String {
    if rate >= 0.01 { format!("{rate:.3} spikes/s") } else { format!("{rate:.6} spikes/s") }
}

/// How many units of time are a second, after the user was heard. `rate` is a sampling rate that the file gives, samples/s.
pub(super) fn per_second(choices: &mut Choices, decision: &Decision, rate: Option<f64>) -> Result<f64, FormatError> {
    let question = Question {
        key: "time_unit",
        label: "Time unit",
        proposed: Some(decision.unit.key()),
        why: &decision.why,
        assumed: decision.assumed,
    };
    let options = TimeUnit::ALL.map(|u| (u.key(), u.name()));
    let chosen = choices.pick(&question, &options)?;
    let unit = TimeUnit::ALL.into_iter().find(|u| u.key() == chosen).unwrap_or(decision.unit);
    if unit != TimeUnit::Samples {
        return Ok(unit.per_second());
    }
    let given = rate.map(|r| r.to_string());
    let why = match given {
        Some(_) => "as the file says",
        None => "the times are samples, and nothing says how many samples are a second; 30000 is usual",
    };
    let question = Question { key: "sampling_rate_hz", label: "Sampling rate", proposed: given.as_deref(), why, assumed: false };
    choices.positive(&question, "Hz")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    fn evidence(median_count: usize, last: f64, whole: bool) -> Evidence {
        Evidence { median_count, first: 0.0, last, n: median_count, whole }
    }

    #[test]
    fn the_unit_of_time_follows_the_name_then_the_rates() {
        let unit = |count, last, whole| decide(None, &evidence(count, last, whole)).unit;
        assert_eq!(unit(2000, 100_000.0, false), TimeUnit::Seconds, "0.02 spikes/s is slow, but possible");
        assert_eq!(unit(1000, 1e6, false), TimeUnit::Milliseconds);
        assert_eq!(unit(1000, 1e9, false), TimeUnit::Microseconds);
        assert_eq!(unit(0, 0.0, true), TimeUnit::Seconds);
        // Whole numbers are no seconds, whatever the rate.
        assert_eq!(unit(1000, 40_000.0, true), TimeUnit::Milliseconds);
        assert_eq!(unit(1000, 600.0 * 3e5, true), TimeUnit::Samples);
        assert_eq!(unit(10, 100.0, true), TimeUnit::Seconds, "ten whole numbers may be chance");
        let named = decide(Some((TimeUnit::Microseconds, "the name of the column")), &evidence(10, 10.0, false));
        assert_eq!((named.unit, named.assumed), (TimeUnit::Microseconds, false));
        assert_eq!(named.why, "times are read as microseconds, as the name of the column says");
    }

    #[test]
    fn samples_need_a_rate() {
        let decision = Decision { unit: TimeUnit::Samples, why: String::new(), assumed: true };
        let none = BTreeMap::new();
        let error = per_second(&mut Choices::new(Path::new("f"), &none), &decision, None).unwrap_err();
        assert!(error.to_string().contains("answer with --import sampling_rate_hz=VALUE (in Hz)"), "{error}");
        assert_eq!(per_second(&mut Choices::new(Path::new("f"), &none), &decision, Some(12_500.0)).unwrap(), 12_500.0);
        let answers = BTreeMap::from([("time_unit".to_owned(), "ms".to_owned())]);
        assert_eq!(per_second(&mut Choices::new(Path::new("f"), &answers), &decision, None).unwrap(), 1e3);
    }
}
