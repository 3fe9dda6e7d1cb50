//! The unit of time of numbers that do not say it, the same for every format: from a name, else whichever gives plausible firing
//! rates; always a choice, and asked for where it would be a guess.

use super::FormatError;
use super::choices::{Choices, Question};

/// What one step of time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeUnit {
    Seconds,
    Milliseconds,
    TenthMilliseconds,
    Microseconds,
    /// Samples of the amplifier; needs its rate.
    Samples,
}

/// Rate of most amplifiers, samples/s: to compare what is plausible, and proposed, never assumed.
const USUAL_RATE: f64 = 30_000.0;
/// With this many times that are all whole numbers, the unit is not the second.
pub(super) const MANY: usize = 20;
/// Median firing rates outside of this are not plausible, spikes/s.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = 0.02..=1000.0;

const OPTIONS: &[(&str, &str)] =
    &[("s", "seconds"), ("ms", "milliseconds"), ("0.1ms", "tenths of a millisecond"), ("us", "microseconds"), ("samples", "samples")];

impl TimeUnit {
    const ALL: [Self; 5] = [Self::Seconds, Self::Milliseconds, Self::TenthMilliseconds, Self::Microseconds, Self::Samples];

    /// From a word in lower case, usually the last of a name.
    pub(super) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "s" | "sec" | "secs" | "second" | "seconds" => Self::Seconds,
            "ms" | "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => Self::Milliseconds,
            // µ is two characters: the micro sign and the Greek letter.
            "us" | "µs" | "μs" | "usec" | "microsecond" | "microseconds" => Self::Microseconds,
            "sample" | "samples" => Self::Samples,
            _ => return None,
        })
    }

    pub(super) fn key(self) -> &'static str {
        OPTIONS.get(self as usize).map_or("s", |o| o.0)
    }

    pub(super) fn name(self) -> &'static str {
        OPTIONS.get(self as usize).map_or("seconds", |o| o.1)
    }

    /// How many of it are a second, when the amplifier takes `sampling_rate` samples/s.
    fn per_second(self, sampling_rate: f64) -> f64 {
        match self {
            Self::Seconds => 1.0,
            Self::Milliseconds => 1e3,
            Self::TenthMilliseconds => 1e4,
            Self::Microseconds => 1e6,
            Self::Samples => sampling_rate,
        }
    }
}

/// What is known about the unit of time.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    /// Unit and who says so.
    pub(super) named: Option<(TimeUnit, String)>,
    /// The one who says so only hints at it.
    pub(super) hinted: bool,
    /// Spikes of the median unit per step of time; `None` when it cannot be told.
    pub(super) rate: Option<f64>,
    /// All times are whole numbers, and there are enough of them that this is no chance.
    pub(super) whole: bool,
    /// Sampling rate that the file gives, samples/s, and where.
    pub(super) sampling_rate: Option<(f64, String)>,
    /// Whole numbers are as often samples as milliseconds in files of this kind: without a sampling rate the user is asked.
    pub(super) ask_if_whole: bool,
}

/// The reader's own answer; an error is what makes it impossible.
type Decision = Result<(TimeUnit, String, bool), String>;

impl Evidence {
    /// From all spike times and the number of spikes of every unit. Units were observed from the first to the last spike.
    pub(super) fn of(times: impl Iterator<Item = f64>, counts: &[usize]) -> Self {
        let (mut first, mut last, mut n, mut whole) = (f64::INFINITY, f64::NEG_INFINITY, 0usize, true);
        for t in times.filter(|t| t.is_finite()) {
            (first, last, n) = (first.min(t), last.max(t), n + 1);
            whole &= t.fract() == 0.0;
        }
        Self { whole: whole && n >= MANY, ..Self::default() }.over(counts, last - first)
    }

    /// With units that were observed for `duration` steps.
    pub(super) fn over(self, counts: &[usize], duration: f64) -> Self {
        let mut counts = counts.to_vec();
        counts.sort_unstable();
        let median = counts.get(counts.len() / 2).copied().unwrap_or(0);
        Self { rate: (duration > 0.0 && median > 0).then(|| median as f64 / duration), ..self }
    }

    fn decide(&self) -> Decision {
        if let Some((unit, place)) = &self.named {
            return Ok((*unit, format!("times are read as {}, as {place} says", unit.name()), self.hinted));
        }
        let rate = self.sampling_rate.as_ref().map(|(rate, _)| *rate);
        if self.whole && self.ask_if_whole && rate.is_none() {
            let fires = self.rate.map_or_else(String::new, |r| format!(" (as seconds the median unit then fires {})", rate_text(r)));
            return Err(format!("all spike times are whole numbers{fires}, so they may be samples or milliseconds"));
        }
        let Some(steps) = self.rate else {
            return Ok((TimeUnit::Seconds, "the file does not say the unit of time; seconds are assumed".to_owned(), true));
        };
        let order: &[TimeUnit] = match (self.whole, rate) {
            (true, Some(_)) => &[TimeUnit::Samples, TimeUnit::Milliseconds, TimeUnit::Microseconds],
            (true, None) => &[TimeUnit::Milliseconds, TimeUnit::Samples, TimeUnit::Microseconds],
            (false, _) => &[TimeUnit::Seconds, TimeUnit::Milliseconds, TimeUnit::Microseconds],
        };
        let fires = |unit: TimeUnit| steps * unit.per_second(rate.unwrap_or(USUAL_RATE));
        let unit = order.iter().copied().find(|&u| PLAUSIBLE.contains(&fires(u))).unwrap_or(TimeUnit::Seconds);
        let other = match (unit, self.whole) {
            (TimeUnit::Seconds, _) => String::new(),
            (TimeUnit::Samples, _) if rate.is_some() => ", all times are whole numbers, and the file has a sampling rate".to_owned(),
            (_, true) => ", and all times are whole numbers".to_owned(),
            (_, false) => format!(", as seconds only {}", rate_text(steps)),
        };
        let name = unit.name();
        let why = format!(
            "the file does not say the unit of time; {name} are assumed (the median unit then fires {}{other})",
            rate_text(fires(unit))
        );
        Ok((unit, why, true))
    }
}

fn rate_text(rate: f64) -> String {
    if rate >= 0.01 { format!("{rate:.3} spikes/s") } else { format!("{rate:.6} spikes/s") }
}

/// How many steps of time are a second, after the user was heard.
pub(super) fn per_second(choices: &mut Choices, evidence: &Evidence) -> Result<f64, FormatError> {
    let question = |proposed, why, assumed| Question { key: "time_unit", label: "Time unit", proposed, why, assumed };
    let key = match &evidence.decide() {
        Ok((unit, why, assumed)) => choices.pick(&question(Some(unit.key()), why, *assumed), OPTIONS)?,
        Err(why) => choices.pick_or_ask(&question(None, why, false), OPTIONS, TimeUnit::Samples.key())?,
    };
    let unit = TimeUnit::ALL.into_iter().find(|u| u.key() == key).unwrap_or(TimeUnit::Seconds);
    if unit != TimeUnit::Samples {
        return Ok(unit.per_second(USUAL_RATE));
    }
    let given = evidence.sampling_rate.as_ref().map(|(rate, _)| rate.to_string());
    let why = match &evidence.sampling_rate {
        Some((_, place)) => format!("as {place} says"),
        None => "the times are samples, and nothing says how many samples are a second; 30000 is usual".to_owned(),
    };
    let question = Question { key: "sampling_rate_hz", label: "Sampling rate", proposed: given.as_deref(), why: &why, assumed: false };
    choices.positive_or_ask(&question, "Hz", &USUAL_RATE.to_string())
}

/// What was decided, for the notes of the report: one sentence for the unit and one for the sampling rate, if it counts.
pub(super) fn told(choices: &Choices) -> Vec<String> {
    let made = |key: &str| choices.made.iter().find(|c| c.key == key);
    let unit = made("time_unit").map(|choice| {
        let chosen = choices.answered("time_unit");
        if chosen { format!("times are read as {}, as chosen", choice.shown()) } else { choice.why.clone() }
    });
    let rate = made("sampling_rate_hz").map(|rate| format!("{} samples are one second, {}", rate.value, rate.why));
    unit.into_iter().chain(rate).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    fn evidence(count: usize, last: f64, whole: bool) -> Evidence {
        Evidence { whole, ..Evidence::default() }.over(&[count], last)
    }

    #[test]
    fn the_unit_of_time_follows_the_name_then_the_rates() {
        let unit = |count, last, whole| evidence(count, last, whole).decide().unwrap().0;
        assert_eq!(unit(2000, 100_000.0, false), TimeUnit::Seconds, "0.02 spikes/s is slow, but possible");
        assert_eq!(unit(1000, 1e6, false), TimeUnit::Milliseconds);
        assert_eq!(unit(1000, 1e9, false), TimeUnit::Microseconds);
        assert_eq!(unit(0, 0.0, true), TimeUnit::Seconds);
        // Whole numbers are no seconds, whatever the rate.
        assert_eq!(unit(1000, 40_000.0, true), TimeUnit::Milliseconds);
        assert_eq!(unit(1000, 600.0 * 3e5, true), TimeUnit::Samples);
        let named = Evidence { named: Some((TimeUnit::Microseconds, "the name".to_owned())), ..evidence(10, 10.0, false) };
        assert_eq!(named.decide(), Ok((TimeUnit::Microseconds, "times are read as microseconds, as the name says".to_owned(), false)));
        assert_eq!(TimeUnit::ALL.map(TimeUnit::key), ["s", "ms", "0.1ms", "us", "samples"]);
    }

    #[test]
    fn whole_numbers_are_samples_where_the_file_has_a_rate_and_asked_for_where_it_has_none() {
        let rate = Some((20_000.0, "the variable fs".to_owned()));
        let with = Evidence { sampling_rate: rate, ask_if_whole: true, ..evidence(1000, 2e6, true) };
        let (unit, why, assumed) = with.decide().unwrap();
        assert_eq!((unit, assumed), (TimeUnit::Samples, true));
        assert!(why.contains("fires 10.000 spikes/s, all times are whole numbers, and the file has a sampling rate"), "{why}");
        let without = Evidence { sampling_rate: None, ..with };
        let why = without.decide().unwrap_err();
        assert_eq!(
            why,
            "all spike times are whole numbers (as seconds the median unit then fires 0.000500 spikes/s), so they may be samples or milliseconds"
        );
        let none = BTreeMap::new();
        let error = per_second(&mut Choices::new(Path::new("f"), &none), &without).unwrap_err();
        let FormatError::NeedsAnswer { choice, .. } = error else { unreachable!() };
        assert_eq!((choice.key.as_str(), choice.value.as_str()), ("time_unit", "samples"));
    }

    #[test]
    fn whole_numbers_are_only_told_from_many() {
        let times = || (0..30).map(f64::from);
        let all = Evidence::of(times().chain([f64::NAN]), &[10, 20]);
        assert_eq!((all.whole, all.rate), (true, Some(20.0 / 29.0)));
        assert!(!Evidence::of(times().take(5), &[5]).whole);
        assert_eq!(Evidence::of(times(), &[]).rate, None);
        assert_eq!(Evidence::of(times(), &[10, 20]).over(&[10, 20], 100.0).rate, Some(0.2));
    }

    #[test]
    fn samples_need_a_rate() {
        let samples = Evidence { named: Some((TimeUnit::Samples, "the name".to_owned())), ..Evidence::default() };
        let none = BTreeMap::new();
        let error = per_second(&mut Choices::new(Path::new("f"), &none), &samples).unwrap_err();
        assert!(error.to_string().contains("answer with --import sampling_rate_hz=VALUE (in Hz)"), "{error}");
        let given = Evidence { sampling_rate: Some((12_500.0, "the file".to_owned())), ..samples.clone() };
        let mut choices = Choices::new(Path::new("f"), &none);
        assert_eq!(per_second(&mut choices, &given).unwrap(), 12_500.0);
        assert_eq!(told(&choices), ["times are read as samples, as the name says", "12500 samples are one second, as the file says"]);
        // Under the name that MATLAB files asked for before.
        let old = BTreeMap::from([("sampling_rate".to_owned(), "25000".to_owned())]);
        assert_eq!(per_second(&mut Choices::new(Path::new("f"), &old), &samples).unwrap(), 25_000.0);
        let answers = BTreeMap::from([("time_unit".to_owned(), "ms".to_owned())]);
        let mut choices = Choices::new(Path::new("f"), &answers);
        assert_eq!(
            (per_second(&mut choices, &given).unwrap(), told(&choices)),
            (1e3, vec!["times are read as milliseconds, as chosen".to_owned()])
        );
    }
}
