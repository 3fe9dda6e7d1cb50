//! Names that arrays have in practice, and what they mean. Compared in lower case without separators and without a unit of time at
//! the end (`spike_times_ms` is `spiketimes`, in milliseconds).

use crate::formats::time_unit::TimeUnit;

pub(super) const TIMES: &[&str] =
    &["spiketimes", "spiketime", "spktimes", "spikets", "times", "timestamps", "timestamp", "time", "spiket", "t", "ts"];
pub(super) const UNITS: &[&str] = &[
    "unitids",
    "unitid",
    "neuronids",
    "neuronid",
    "clusterids",
    "clusterid",
    "cellids",
    "cellid",
    "spikeclusters",
    "spikeunits",
    "spikeids",
    "spikelabels",
    "nodeids",
    "gids",
    "senders",
    "ids",
    "id",
    "units",
    "unit",
    "neurons",
    "neuron",
    "clusters",
    "cluster",
    "cells",
    "cell",
    "labels",
    "index",
    "channels",
    "channel",
];
pub(super) const TRIALS: &[&str] = &["trialids", "trialid", "trials", "trial", "trialindex", "trialidx", "spiketrials"];
pub(super) const UNIT_LIST: &[&str] = &["keys", "nodes", "unitids", "unitid", "units", "neuronids", "clusterids", "cellids", "ids"];
pub(super) const COUNTS: &[&str] =
    &["spks", "spikecounts", "counts", "binned", "binnedspikes", "spikes", "count", "data", "x", "array", "arr0", "y"];
pub(super) const AREA: &[&str] = &[
    "area",
    "areas",
    "brainarea",
    "brainareas",
    "unitarea",
    "unitareas",
    "location",
    "locations",
    "region",
    "regions",
    "brainregion",
    "brainregions",
    "structure",
    "acronym",
];
pub(super) const BIN_WIDTH: &[&str] = &["binsize", "binwidth", "bin", "binlength", "dt"];
pub(super) const TRIAL_START: &[&str] = &["trialstart", "trialstarts", "trialstarttimes", "trialstarttime", "starttimes", "start"];
pub(super) const WEIGHTS: &[&str] = &["w", "weights", "weight", "connectivity", "adjacency", "truth", "trueweights"];
pub(super) const DELAYS: &[&str] = &["delay", "delays"];
pub(super) const EDGE_LIST: &[&str] = &["markededges", "edges", "trueedges", "connections"];
pub(super) const DURATION: &[&str] = &["duration", "tstop", "totaltime", "recordinglength"];
pub(super) const RATE: &[&str] = &["samplingrate", "samplingfrequency", "samplerate", "fs", "sf"];

/// A name without separators, in lower case, and the unit of time at its end.
pub(super) fn words(name: &str) -> (String, Option<TimeUnit>) {
    let name = name.rsplit('/').next().unwrap_or(name).to_lowercase();
    let mut words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let unit = match words.as_slice() {
        [_, .., last] => TimeUnit::named(last),
        _ => None,
    };
    if unit.is_some() {
        words.pop();
    }
    (words.concat(), unit)
}

/// True when `name` is one of `known`.
pub(super) fn is(name: &str, known: &[&str]) -> bool {
    known.contains(&words(name).0.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_separators_and_their_unit() {
        assert_eq!(words("Spike_Times_ms"), ("spiketimes".to_owned(), Some(TimeUnit::Milliseconds)));
        assert_eq!(words("spike_times"), ("spiketimes".to_owned(), None));
        assert_eq!(words("group/t"), ("t".to_owned(), None));
        assert_eq!(words("s"), ("s".to_owned(), None), "a name that is a unit is a name");
        assert!(is("brain_area", AREA) && !is("brain", AREA));
    }
}
