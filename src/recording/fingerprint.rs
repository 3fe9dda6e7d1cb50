//! A fingerprint that names the data, not the file: runs refer to it.

use sha2::{Digest, Sha256};

use super::SpikeTrains;

/// SHA-256 in hex over the number of units, their ids, the offsets and the bits of all spike times.
pub fn fingerprint(spikes: &SpikeTrains, unit_ids: &[String]) -> String {
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
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
