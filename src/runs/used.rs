//! What a run took from its recording, so that a run on other data is told apart, with what differs.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::RecordingEntry;
use super::manifest::hex;

/// Units, trials, bins, areas and split that a run was made from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// Units of the whole recording.
    pub recording_units: usize,
    /// Spikes of the whole recording.
    pub recording_spikes: usize,
    /// Areas of the model in order, with the units used of each.
    pub areas: Vec<(String, usize)>,
    /// Trials, or stretches of continuous activity.
    pub trials: usize,
    /// Bins of each.
    pub bins: usize,
    /// Bin width, seconds.
    pub bin_s: f64,
    /// Trials (or bins) for training, validation and test.
    pub sets: [usize; 3],
    /// SHA-256 in hex over which units, times, bins and sets these are; see [`Selection`].
    pub selection: String,
}

/// Hashes the choice of units, times and sets.
#[derive(Debug, Default)]
pub struct Selection(Sha256);

impl Selection {
    /// Indices, in this order.
    pub fn add(&mut self, indices: impl IntoIterator<Item = usize>) -> &mut Self {
        let mut count = 0u64;
        for index in indices {
            self.0.update((index as u64).to_le_bytes());
            count += 1;
        }
        self.0.update(count.to_le_bytes());
        self
    }

    /// Times in seconds, by their bits.
    pub fn add_times(&mut self, times: &[f64]) -> &mut Self {
        times.iter().for_each(|t| self.0.update(t.to_le_bytes()));
        self.add([times.len()])
    }

    /// The hash in hex.
    pub fn hex(self) -> String {
        hex(&self.0.finalize())
    }
}

/// One thing that differs between the data of a run and other data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What, in words.
    pub what: String,
    /// When the run was made.
    pub then: String,
    /// In the other data.
    pub now: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} then, {} now", self.what, self.then, self.now)
    }
}

/// A run is used with other data than it was made from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the run was made from other data than '{recording}' has now ({}); open the recording as it was, or train a new run",
    .differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct DataDiffers {
    /// Name of the recording given.
    pub recording: String,
    /// What differs; at least one.
    pub differences: Vec<Difference>,
}

/// Compare what a run was made from with what the same recipe takes from a recording now. `then` is `None` for runs of layout 1,
/// which noted only the fingerprint.
///
/// # Errors
/// [`DataDiffers`] lists what differs.
pub fn compare_data(made_from: &RecordingEntry, then: Option<&Used>, given: &RecordingEntry, now: &Used) -> Result<(), DataDiffers> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, then: String, now: String| {
        if then != now {
            differences.push(Difference { what: what.to_owned(), then, now });
        }
    };
    if let Some(then) = then {
        compare("units of the recording", then.recording_units.to_string(), now.recording_units.to_string());
        compare("spikes of the recording", then.recording_spikes.to_string(), now.recording_spikes.to_string());
        compare("areas and units used", areas(then), areas(now));
        compare("trials", then.trials.to_string(), now.trials.to_string());
        compare("bins of a trial", then.bins.to_string(), now.bins.to_string());
        compare("bin width", format!("{} ms", then.bin_s * 1e3), format!("{} ms", now.bin_s * 1e3));
        compare("sizes of training, validation and test sets", sets(then), sets(now));
    }
    compare("fingerprint of the data", short(&made_from.fingerprint), short(&given.fingerprint));
    let alike = differences.is_empty();
    if let Some(then) = then.filter(|then| alike && then.selection != now.selection) {
        let (then, now) = (short(&then.selection), short(&now.selection));
        differences.push(Difference { what: "choice of units, trials and sets (their numbers are the same)".to_owned(), then, now });
    }
    if differences.is_empty() { Ok(()) } else { Err(DataDiffers { recording: given.name.clone(), differences }) }
}

fn areas(used: &Used) -> String {
    used.areas.iter().map(|(name, units)| format!("{name} {units}")).collect::<Vec<_>>().join(", ")
}

fn sets(used: &Used) -> String {
    used.sets.map(|n| n.to_string()).join(" / ")
}

fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::ImportReport;
    use crate::runs::RecordingSource;

    fn entry(fingerprint: &str) -> RecordingEntry {
        let source = RecordingSource::File { path: "r.nwb".into() };
        RecordingEntry { name: "r".into(), source, fingerprint: fingerprint.into(), report: ImportReport::default(), prepared: None }
    }

    #[test]
    fn every_difference_is_listed() {
        let then = Used {
            recording_units: 5,
            recording_spikes: 100,
            areas: vec![("V1".into(), 3), ("MT".into(), 2)],
            trials: 10,
            bins: 50,
            bin_s: 0.002,
            sets: [6, 2, 2],
            selection: "a".into(),
        };
        assert_eq!(compare_data(&entry("f"), Some(&then), &entry("f"), &then), Ok(()));
        let mut now = Used { recording_units: 4, areas: vec![("V1".into(), 2), ("MT".into(), 2)], selection: "b".into(), ..then.clone() };
        let error = compare_data(&entry("f"), Some(&then), &entry("g"), &now).unwrap_err();
        assert_eq!(error.differences.len(), 3, "{error}");
        assert!(error.to_string().contains("V1 3, MT 2 then, V1 2, MT 2 now") && error.to_string().contains("'r'"), "{error}");
        now = Used { selection: "b".into(), ..then.clone() };
        let error = compare_data(&entry("f"), Some(&then), &entry("f"), &now).unwrap_err();
        assert!(error.to_string().contains("choice of units"), "{error}");
        assert_eq!(compare_data(&entry("f"), None, &entry("f"), &now), Ok(()), "runs of layout 1 know only the fingerprint");
        assert!(compare_data(&entry("f"), None, &entry("g"), &now).is_err());
    }

    #[test]
    fn a_selection_depends_on_order_and_borders() {
        let of = |parts: &[&[usize]]| {
            let mut selection = Selection::default();
            for part in parts {
                selection.add(part.iter().copied());
            }
            selection.hex()
        };
        assert_ne!(of(&[&[1, 2]]), of(&[&[2, 1]]));
        assert_ne!(of(&[&[1], &[2]]), of(&[&[1, 2]]));
        assert_ne!(of(&[&[1, 2], &[]]), of(&[&[1], &[2]]));
    }
}
