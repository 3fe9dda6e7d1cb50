//! Times at which the recording shows an artefact and not spikes, as `analysis::synchrony` finds them. Spikes in them are left
//! out. They are not made into gaps: a gap of a millisecond would cost a whole trial, the few spikes cost next to nothing.

use serde::{Deserialize, Serialize};

use super::SpikeTrains;

/// Bins whose spikes are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtefactMask {
    /// Start of every bin, seconds, ascending.
    pub bins: Vec<f64>,
    /// Width of a bin, seconds.
    pub width_s: f64,
    /// Why these: a bin has at least this many active units.
    pub least_units: usize,
}

impl ArtefactMask {
    /// The trains without the spikes in the bins, and how many were left out.
    pub fn apply(&self, spikes: &SpikeTrains) -> (SpikeTrains, usize) {
        let trains = SpikeTrains::from_units((0..spikes.n_units()).map(|unit| {
            let mut bin = 0;
            let inside = |t: f64| {
                while self.bins.get(bin).is_some_and(|start| start + self.width_s <= t) {
                    bin += 1;
                }
                self.bins.get(bin).is_some_and(|start| *start <= t)
            };
            let mut inside = inside;
            spikes.unit(unit).iter().copied().filter(|&t| !inside(t)).collect()
        }));
        let left_out = spikes.n_spikes() - trains.n_spikes();
        (trains, left_out)
    }

    /// In words.
    pub fn label(&self) -> String {
        let bins = if self.bins.len() == 1 { "1 bin".to_owned() } else { format!("{} bins", self.bins.len()) };
        format!("{bins} of {} ms masked, in which at least {} units are active at once", 1e3 * self.width_s, self.least_units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spikes_in_masked_bins_are_left_out_and_no_others() {
        let mask = ArtefactMask { bins: vec![1.0, 1.001, 5.0], width_s: 0.001, least_units: 5 };
        let spikes = SpikeTrains::from_units([vec![0.9995, 1.0, 1.0015, 1.002, 5.0005], vec![], vec![4.9, 6.0]]);
        let (kept, left_out) = mask.apply(&spikes);
        assert_eq!((kept.unit(0), kept.unit(1), kept.unit(2), left_out), (&[0.9995, 1.002][..], &[][..], &[4.9, 6.0][..], 3));
        assert_eq!(mask.label(), "3 bins of 1 ms masked, in which at least 5 units are active at once");
        let nothing = ArtefactMask { bins: vec![], ..mask };
        assert_eq!(nothing.apply(&spikes), (spikes, 0));
    }
}
