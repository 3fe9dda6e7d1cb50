//! The unit of time of numbers that do not say it: from a name, else whichever gives plausible firing rates; always a choice.

use crate::formats::FormatError;
use crate::formats::choices::{Choices, Question};

/// What one step of time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats) enum Unit {
    Seconds,
    Milliseconds,
    TenthMilliseconds,
    Microseconds,
    /// Samples of the amplifier; needs its rate.
    Samples,
}

/// Rate of most amplifiers, samples/s: to compare what is plausible, never assumed.
const USUAL_RATE: f64 = 30_000.0;
/// With this many times that are all whole numbers, the unit is not the second.
const MANY: usize = 20;
/// Median firing rates outside of this are not plausible, spikes/s.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = 0.02..=1000.0;

const OPTIONS: &[(&str, &str)] =
    &[("s", "seconds"), ("ms", "milliseconds"), ("0.1ms", "tenths of a millisecond"), ("us", "microseconds"), ("samples", "samples")];

impl Unit {
    const ALL: [Self; 5] = [Self::Seconds, Self::Milliseconds, Self::TenthMilliseconds, Self::Microseconds, Self::Samples];

    /// From the last word of a name.
    pub(in crate::formats) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "s" | "sec" | "secs" | "seconds" | "second" => Self::Seconds,
            "ms" | "msec" | "msecs" | "milliseconds" | "millisecond" => Self::Milliseconds,
            "us" | "usec" | "µs" | "microseconds" => Self::Microseconds,
            "samples" | "sample" => Self::Samples,
            _ => return None,
        })
    }

    fn key(self) -> &'static str {
        OPTIONS.get(self as usize).map_or("s", |o| o.0)
    }

    fn name(self) -> &'static str {
        OPTIONS.get(self as usize).map_or("seconds", |o| o.1)
    }

    /// How many of it are a second.
    fn per_second(self) -> f64 {
        match self {
            Self::Seconds => 1.0,
            Self::Milliseconds => 1e3,
            Self::TenthMilliseconds => 1e4,
            Self::Microseconds => 1e6,
            Self::Samples => USUAL_RATE,
        }
    }
}

/// What is known about the unit of time.
#[derive(Debug, Clone, Default)]
pub(in crate::formats) struct Evidence {
    /// Unit and who says so.
    pub(in crate::formats) named: Option<(Unit, String)>,
    /// Spikes of the median unit per step of time; `None` when it cannot be told.
    pub(in crate::formats) rate: Option<f64>,
    /// All times are whole numbers, and there are enough of them that this is no chance.
    pub(in crate::formats) whole: bool,
    /// Sampling rate that the file gives, samples/s.
    pub(in crate::formats) sampling_rate: Option<f64>,
}

impl Evidence {
    /// From all spike times and the number of spikes of every unit, observed for `duration` steps.
    pub(in crate::formats) fn of(times: &[f64], counts: &[usize], duration: f64) -> Self {
        let mut counts: Vec<usize> = counts.to_vec();
        counts.sort_unstable();
        let median = counts.get(counts.len() / 2).copied().unwrap_or(0);
        let rate = (duration > 0.0 && median > 0).then(|| median as f64 / duration);
        let whole = times.len() >= MANY && times.iter().all(|t| t.fract() == 0.0 || !t.is_finite());
        Self { rate, whole, ..Self::default() }
    }

    fn decide(&self) -> (Unit, String, bool) {
        if let Some((unit, place)) = &self.named {
            return (*unit, format!("times are read as {}, as {place} says", unit.name()), false);
        }
        let Some(rate) = self.rate else {
            return (Unit::Seconds, "the file does not say the unit of time; seconds are assumed".to_owned(), true);
        };
        let order: &[Unit] = if self.whole {
            &[Unit::Milliseconds, Unit::Samples, Unit::Microseconds]
        } else {
            &[Unit::Seconds, Unit::Milliseconds, Unit::Microseconds]
        };
        let plausible = |u: &Unit| PLAUSIBLE.contains(&(rate * u.per_second()));
        let unit = order.iter().copied().find(plausible).unwrap_or(Unit::Seconds);
        let whole = if self.whole { "; all times are whole numbers" } else { "" };
        let fires = rate * unit.per_second();
        let why = format!(
            "the file does not say the unit of time; {} are assumed (the median unit then fires {fires:.3} spikes/s{whole})",
            unit.name()
        );
        (unit, why, true)
    }
}

/// How many steps of time are a second, after the user was heard.
pub(in crate::formats) fn per_second(choices: &mut Choices, evidence: &Evidence) -> Result<f64, FormatError> {
    let (unit, why, assumed) = evidence.decide();
    let question = Question { key: "time_unit", label: "Time unit", proposed: Some(unit.key()), why: &why, assumed };
    let key = choices.pick(&question, OPTIONS)?;
    let unit = Unit::ALL.into_iter().find(|u| u.key() == key).unwrap_or(unit);
    if unit != Unit::Samples {
        return Ok(unit.per_second());
    }
    let given = evidence.sampling_rate.map(|r| r.to_string());
    let why = match &given {
        Some(rate) => format!("the file gives {rate} samples/s"),
        None => "the times are samples, and nothing says how many samples are a second; 30000 is usual".to_owned(),
    };
    let question = Question { key: "sampling_rate_hz", label: "Sampling rate", proposed: given.as_deref(), why: &why, assumed: false };
    choices.positive(&question, "Hz")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_unit_of_time_follows_the_name_then_the_rates() {
        let unit = |rate, whole| Evidence { rate: Some(rate), whole, ..Evidence::default() }.decide().0;
        assert_eq!((unit(5.0, false), unit(0.005, false), unit(5e-6, false)), (Unit::Seconds, Unit::Milliseconds, Unit::Microseconds));
        assert_eq!(unit(0.9, true), Unit::Milliseconds, "whole numbers are no seconds");
        assert_eq!(unit(1e-5, true), Unit::Samples);
        let named = Evidence { named: Some((Unit::Microseconds, "the name".to_owned())), ..Evidence::default() };
        assert_eq!(named.decide(), (Unit::Microseconds, "times are read as microseconds, as the name says".to_owned(), false));
        assert_eq!(Evidence::default().decide().0, Unit::Seconds);
        assert_eq!(Unit::ALL.map(Unit::key), ["s", "ms", "0.1ms", "us", "samples"]);
    }

    #[test]
    fn whole_numbers_are_only_told_from_many() {
        let times: Vec<f64> = (0..30).map(f64::from).collect();
        let all = Evidence::of(&times, &[10, 20], 100.0);
        assert_eq!((all.whole, all.rate), (true, Some(0.2)));
        assert!(!Evidence::of(&times[..5], &[5], 100.0).whole);
        assert_eq!(Evidence::of(&times, &[], 0.0).rate, None);
    }
}
