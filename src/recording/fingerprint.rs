//! A fingerprint that names the data, not the file: runs refer to it.

use sha2::{Digest, Sha256};

use super::{Activity, SpikeTrains};

/// SHA-256 in hex over the number of units, their ids, the offsets and the bits of all spike times, and of continuous activity
/// where there is any.
pub fn fingerprint(spikes: &SpikeTrains, unit_ids: &[String], activity: Option<&Activity>) -> String {
    let mut work = Fingerprinting::new(unit_ids, spikes.offsets());
    work.add(spikes.block());
    if let Some(activity) = activity {
        work.add_activity(activity);
    }
    work.hex()
}

/// The fingerprint of data that are still being read: a second pass over millions of spikes costs more than the hash does beside
/// the reading.
pub struct Fingerprinting {
    hash: Sha256,
    left: usize,
}

/// A fingerprint that was made while the data were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(pub(super) String);

impl Fingerprinting {
    /// For units with these ids and offsets (`units + 1` of them) into the times to come.
    pub fn new(unit_ids: &[String], offsets: &[usize]) -> Self {
        let mut hash = Sha256::new();
        hash.update((offsets.len().saturating_sub(1) as u64).to_le_bytes());
        for id in unit_ids {
            hash.update((id.len() as u64).to_le_bytes());
            hash.update(id.as_bytes());
        }
        for &offset in offsets {
            hash.update((offset as u64).to_le_bytes());
        }
        Self { hash, left: offsets.last().copied().unwrap_or(0) }
    }

    /// The next times.
    pub fn add(&mut self, times: &[f64]) {
        // In blocks, so that hashing needs no second copy of the recording.
        let mut bytes = Vec::with_capacity(8 * 4096);
        for block in times.chunks(4096) {
            bytes.clear();
            block.iter().for_each(|t| bytes.extend_from_slice(&t.to_le_bytes()));
            self.hash.update(&bytes);
        }
        self.left = self.left.wrapping_sub(times.len());
    }

    fn add_activity(&mut self, activity: &Activity) {
        self.hash.update((activity.bins() as u64).to_le_bytes());
        self.hash.update(activity.start_s.to_le_bytes());
        self.hash.update(activity.bin_s.to_le_bytes());
        let mut bytes = Vec::new();
        for row in activity.values.outer_iter() {
            bytes.clear();
            row.iter().for_each(|v| bytes.extend_from_slice(&v.to_le_bytes()));
            self.hash.update(&bytes);
        }
    }

    /// The fingerprint, when all times were there, neither fewer nor more. It is only that of a recording that has just these ids,
    /// offsets and times.
    pub fn finish(self) -> Option<Fingerprint> {
        (self.left == 0).then(|| Fingerprint(self.hex()))
    }

    fn hex(self) -> String {
        self.hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hashing_while_reading_gives_the_same_as_hashing_afterwards() {
        let units = (0..7).map(|u| (0..3000 * u).map(|k| f64::from(k) * 0.25 + f64::from(u)).collect::<Vec<f64>>());
        let trains = SpikeTrains::from_units(units);
        let ids: Vec<String> = (0..7).map(|u| format!("unit {u}")).collect();
        let whole = fingerprint(&trains, &ids, None);
        assert_eq!(whole.len(), 64);
        for piece in [1, 1000, 4096, 5000, 100_000] {
            let mut work = Fingerprinting::new(&ids, trains.offsets());
            trains.block().chunks(piece).for_each(|part| work.add(part));
            assert_eq!(work.finish().unwrap().0, whole, "pieces of {piece}");
        }
        let mut short = Fingerprinting::new(&ids, trains.offsets());
        short.add(&trains.block()[1..]);
        assert!(short.finish().is_none());
    }
}
