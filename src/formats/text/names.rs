//! What the names of columns and files say: which column is the unit, the time, the area, and in which unit of time.

use crate::formats::time_unit::TimeUnit;

const TIME: &[&str] = &[
    "spiketime",
    "spiketimes",
    "time",
    "times",
    "timestamp",
    "timestamps",
    "spiketimestamp",
    "spiketimestamps",
    "t",
    "ts",
    "spike",
    "spikes",
    "spikesample",
    "spikesamples",
    "sample",
    "samples",
    "samplenumber",
    "sampleindex",
];
const UNIT: &[&str] = &[
    "unit",
    "units",
    "unitid",
    "unitids",
    "neuron",
    "neurons",
    "neuronid",
    "neuronids",
    "cluster",
    "clusters",
    "clusterid",
    "clusterids",
    "cell",
    "cells",
    "cellid",
    "cellids",
    "id",
    "ids",
    "nodeid",
    "nodeids",
    "gid",
    "gids",
    "sender",
    "senders",
    "unitname",
    "electrode",
    "channel",
];
const AREA: &[&str] = &["area", "areas", "brainarea", "region", "regions", "brainregion", "location", "structure", "population", "well"];
/// Names of columns of intervals, which are no units.
const INTERVAL: &[&str] = &["start", "stop", "end", "begin", "onset", "offset", "starttime", "stoptime", "endtime", "duration"];
const INDEX: &[&str] = &["", "index", "row", "rowid", "unnamed0"];
const BIN: &[&str] = &["bin", "bins", "bintime", "binstart", "timebin"];

/// What a name says about its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// Preferred when small: "unit" comes before "channel".
    Time(usize),
    Unit(usize),
    Area(usize),
    Interval,
    /// Numbers of the rows.
    Index,
    Bin,
    Other,
}

/// What the name of a column says.
pub(super) fn named(name: &str) -> Named {
    let (word, _) = meaning(name);
    let at = |list: &[&str]| list.iter().position(|w| *w == word);
    match (at(TIME), at(UNIT), at(AREA)) {
        (Some(rank), ..) => Named::Time(rank),
        (_, Some(rank), _) => Named::Unit(rank),
        (.., Some(rank)) => Named::Area(rank),
        _ if INTERVAL.contains(&word.as_str()) => Named::Interval,
        _ if INDEX.contains(&word.as_str()) => Named::Index,
        _ if BIN.contains(&word.as_str()) => Named::Bin,
        _ => Named::Other,
    }
}

/// Unit of time in the name of a column.
pub(super) fn unit_of_time(name: &str) -> Option<TimeUnit> {
    meaning(name).1
}

/// A header name without case, punctuation and unit of time, and that unit.
fn meaning(name: &str) -> (String, Option<TimeUnit>) {
    let lower = name.to_lowercase();
    let mut words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let unit = words.last().and_then(|w| TimeUnit::named(w));
    match unit {
        // A column that is called "samples" has no other name.
        Some(TimeUnit::Samples) => (words.concat(), unit),
        Some(_) if words.len() > 1 => {
            words.pop();
            if words.last() == Some(&"in") {
                words.pop();
            }
            (words.concat(), unit)
        }
        _ => (words.concat(), None),
    }
}

/// Samples per second in words above the data (`# fs = 30000`, `Sampling rate: 24.4 kHz`).
pub(super) fn sampling_rate(line: &str) -> Option<f64> {
    let lower = line.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric() && c != '.').filter(|w| !w.is_empty()).collect();
    let joined = |at: usize, n: usize| words.get(at..at + n).map(<[&str]>::concat);
    let named = |word: &str| ["fs", "samplerate", "samplingrate", "samplefrequency", "samplingfrequency"].contains(&word);
    let behind = (0..words.len()).find_map(|at| (1..=2).find(|&n| joined(at, n).is_some_and(|w| named(&w))).map(|n| at + n))?;
    let (at, number, unit) = words.iter().enumerate().skip(behind).take(3).find_map(|(at, word)| {
        let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        Some((at, word.strip_suffix(unit)?.parse::<f64>().ok()?, unit))
    })?;
    let kilo = unit == "khz" || (unit.is_empty() && words.get(at + 1) == Some(&"khz"));
    let rate = if kilo { number * 1e3 } else { number };
    (100.0..=1e6).contains(&rate).then_some(rate)
}

/// Unit of time among the words of a file name (`spikes_ms.csv`).
pub(super) fn unit_in_file_name(stem: &str) -> Option<TimeUnit> {
    let lower = stem.to_lowercase();
    // A single "s" is too often something else.
    lower.split(|c: char| !c.is_alphanumeric()).filter(|w| *w != "s").find_map(TimeUnit::named)
}

/// Milliseconds in a file name (`counts_10ms.csv`), where it names exactly one length.
pub(super) fn milliseconds_in_file_name(stem: &str) -> Option<f64> {
    let lower = stem.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
    let mut found = words.filter_map(|w| w.strip_suffix("ms")?.parse::<f64>().ok()).filter(|ms| ms.is_finite() && *ms > 0.0);
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_many_spellings_are_known() {
        for name in ["Spike_Time_ms", "t", "Time (s)", "timestamps", "spikeTimes [ms]", "spike_samples", "Time in seconds"] {
            assert!(matches!(named(name), Named::Time(_)), "{name}");
        }
        for name in ["Unit ID", "neuron", "node_ids", "Electrode", "cluster_id"] {
            assert!(matches!(named(name), Named::Unit(_)), "{name}");
        }
        assert!(matches!(named("Brain Area"), Named::Area(_)));
        assert_eq!(
            (named("start"), named("Unnamed: 0"), named("bin"), named("u0")),
            (Named::Interval, Named::Index, Named::Bin, Named::Other)
        );
    }

    #[test]
    fn a_sampling_rate_is_read_from_words() {
        for (line, rate) in [
            ("# fs = 30000", Some(30_000.0)),
            ("% Sampling rate (Hz): 24414.5", Some(24_414.5)),
            ("# sample_rate=30 kHz", Some(30_000.0)),
            ("# samplingFrequency 32kHz", Some(32_000.0)),
            ("# fs of the amplifier is not known", None),
            ("# offset 30000", None),
            ("# fs = 7", None),
        ] {
            assert_eq!(sampling_rate(line), rate, "{line}");
        }
    }

    #[test]
    fn units_of_time_are_read_from_names() {
        assert_eq!(unit_of_time("Spike_Time_ms"), Some(TimeUnit::Milliseconds));
        assert_eq!(unit_of_time("Time (s)"), Some(TimeUnit::Seconds));
        assert_eq!(unit_of_time("time [µs]"), Some(TimeUnit::Microseconds));
        assert_eq!(unit_of_time("spike_samples"), Some(TimeUnit::Samples));
        assert_eq!((unit_of_time("s"), unit_of_time("times")), (None, None));
        assert_eq!(unit_in_file_name("spikes_ms_string_ids_120s"), Some(TimeUnit::Milliseconds));
        assert_eq!((unit_in_file_name("unit_s"), unit_in_file_name("spikes")), (None, None));
        assert_eq!(milliseconds_in_file_name("binned_counts_10ms_120s"), Some(10.0));
        assert_eq!(milliseconds_in_file_name("counts_2.5ms"), Some(2.5));
        assert_eq!((milliseconds_in_file_name("5ms_10ms"), milliseconds_in_file_name("items")), (None, None));
    }
}
