//! A fingerprint that names the data, not the file: runs refer to it.

use sha2::{Digest, Sha256};

use super::{Activity, SpikeTrains};

/// SHA-256 in hex over the number of units, their ids, the offsets and the bits of all spike times, and of continuous activity
/// where there is any.
pub fn fingerprint(spikes: &SpikeTrains, unit_ids: &[String], activity: Option<&Activity>) -> String {
    let mut hash = Sha256::new();
    hash.update((spikes.n_units() as u64).to_le_bytes());
    for id in unit_ids {
        hash.update((id.len() as u64).to_le_bytes());
        hash.update(id.as_bytes());
    }
    for &offset in spikes.offsets() {
        hash.update((offset as u64).to_le_bytes());
    }
    // In blocks, so that hashing needs no second copy of the recording.
    let mut bytes = Vec::with_capacity(8 * 4096);
    for block in spikes.block().chunks(4096) {
        bytes.clear();
        block.iter().for_each(|t| bytes.extend_from_slice(&t.to_le_bytes()));
        hash.update(&bytes);
    }
    if let Some(activity) = activity {
        hash.update((activity.bins() as u64).to_le_bytes());
        hash.update(activity.start_s.to_le_bytes());
        hash.update(activity.bin_s.to_le_bytes());
        for row in activity.values.outer_iter() {
            bytes.clear();
            row.iter().for_each(|v| bytes.extend_from_slice(&v.to_le_bytes()));
            hash.update(&bytes);
        }
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
