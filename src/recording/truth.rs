//! The truth behind a simulated recording: which areas (or single units) drive which, and what is needed to compute the true
//! rates again.

use ndarray::{ArcArray2, Array2, Array3, Array4, Axis};

/// One true coupling between areas, normalised so that sending and receiving weights have unit Euclidean norm.
#[derive(Debug, Clone, PartialEq)]
pub struct TrueEdge {
    /// Sending area (index into `Recording::areas`).
    pub source: usize,
    /// Receiving area.
    pub target: usize,
    /// Sending weight of every unit of the source area, in the order of `Recording::units_of_area`.
    pub send: Vec<f64>,
    /// Receiving weight of every unit of the target area.
    pub receive: Vec<f64>,
    /// Coupling filter; entry k acts at lag k + 1 bins (log-rate per projected spike).
    pub filter: Vec<f64>,
}

/// Everything that determines the true rates of the `glm` simulator given the recorded spikes (spec §5.1).
#[derive(Debug, Clone, PartialEq)]
pub struct GlmTruth {
    /// Bin width in seconds.
    pub bin_s: f64,
    /// Padding bins before each analysed window.
    pub pad_bins: usize,
    /// Analysed bins per trial.
    pub bins: usize,
    /// Seconds from one trial's first (padding) bin to the next trial's.
    pub trial_spacing_s: f64,
    /// Baseline log-rate per bin.
    pub baseline: f64,
    /// Slow trial-varying factors `[trials, areas, factors, pad + bins]`.
    pub factors: Array4<f32>,
    /// Loading of every unit on its area's factors `[units, factors]`.
    pub loadings: Array2<f64>,
    /// Post-spike filter, the same for all units; entry k acts at lag k + 1 bins.
    pub post_spike: Vec<f64>,
}

/// True currents into the units of a simulated spiking network, means over the units of an area; currents in the simulator's own
/// unit (`eif`: mV per 0.1 ms). Bins begin at the first padding bin of a trial.
#[derive(Debug, Clone, PartialEq)]
pub struct TrueCurrents {
    /// Bin width in seconds.
    pub bin_s: f64,
    /// Padding bins before each analysed window.
    pub pad_bins: usize,
    /// Seconds from one trial's first (padding) bin to the next trial's.
    pub trial_spacing_s: f64,
    /// Sending and receiving area of every entry of `synaptic`; an area may send to itself.
    pub pairs: Vec<(usize, usize)>,
    /// Synaptic current `[trials, pairs, bins]`.
    pub synaptic: Array3<f32>,
    /// Current from outside, input and background, `[trials, areas, bins]`.
    pub external: Array3<f32>,
    /// Slow background alone, before the units' loadings, `[trials, areas, bins]`.
    pub background: Array3<f32>,
}

impl TrueCurrents {
    /// Row and bins of the arrays for `bins` bins of `bin_s` seconds from `start_s` on; `None` when the bins are of another width or do
    /// not all lie in one simulated trial.
    pub fn window(&self, start_s: f64, bins: usize, bin_s: f64) -> Option<(usize, std::ops::Range<usize>)> {
        if (bin_s - self.bin_s).abs() > 1e-9 || start_s < 0.0 || self.trial_spacing_s <= 0.0 {
            return None;
        }
        // A start that lies on the edge of a bin may be a rounding error before it.
        let row = ((start_s + 0.25 * self.bin_s) / self.trial_spacing_s) as usize;
        let first = ((start_s - row as f64 * self.trial_spacing_s) / self.bin_s).round().max(0.0) as usize;
        let (rows, _, length) = self.external.dim();
        (row < rows && first + bins <= length).then(|| (row, first..first + bins))
    }

    /// The same with areas in another order: `old[new area]`.
    pub(super) fn with_area_order(&self, old: &[usize]) -> Self {
        let place = |area: usize| old.iter().position(|&o| o == area).unwrap_or(area);
        let reordered =
            |values: &Array3<f32>| if values.len_of(Axis(1)) == old.len() { values.select(Axis(1), old) } else { values.clone() };
        Self {
            pairs: self.pairs.iter().map(|&(source, target)| (place(source), place(target))).collect(),
            external: reordered(&self.external),
            background: reordered(&self.background),
            ..self.clone()
        }
    }
}

/// True firing rates of every trial, where a file or a simulator gives them.
#[derive(Debug, Clone, PartialEq)]
pub struct TrueRates {
    /// Bin width in seconds.
    pub bin_s: f64,
    /// Rates `[trials, bins, units]`, spikes per second; trials as in the table `trials`, bins from each trial's start.
    pub values: Array3<f32>,
}

/// One true connection between two units (index into `Recording::units`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitEdge {
    /// Sending unit.
    pub pre: usize,
    /// Receiving unit.
    pub post: usize,
    /// Strength as the source gives it (its unit is the simulator's own); inhibition is negative.
    pub weight: f64,
    /// Delay in seconds, NaN when unknown.
    pub delay_s: f64,
}

/// True strengths of connections that change in time (plasticity, weights that depend on the state). Clones share the values.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangingWeights {
    /// Sending unit of every synapse.
    pub pre: Vec<usize>,
    /// Receiving unit of every synapse.
    pub post: Vec<usize>,
    /// Times of the samples in seconds, ascending.
    pub times: Vec<f64>,
    /// Strengths `[samples, synapses]`, in the simulator's own unit; a sample holds until the next.
    pub values: ArcArray2<f32>,
}

impl ChangingWeights {
    /// Index of the synapse from `pre` to `post`.
    pub fn synapse(&self, pre: usize, post: usize) -> Option<usize> {
        self.pre.iter().zip(&self.post).position(|pair| pair == (&pre, &post))
    }

    /// Strengths at other times, `[times, synapses]`: the last sample that is not later, or the first one.
    pub fn at(&self, times: &[f64]) -> Array2<f32> {
        let (samples, synapses) = self.values.dim();
        if samples == 0 || self.times.len() != samples {
            return Array2::from_elem((times.len(), synapses), f32::NAN);
        }
        let rows: Vec<usize> = times.iter().map(|&t| self.times.partition_point(|&s| s <= t).saturating_sub(1)).collect();
        self.values.select(Axis(0), &rows)
    }

    /// Mean strengths of the samples in `from <= t < to` seconds, one per synapse; NaN without samples.
    pub fn mean_between(&self, from: f64, to: f64) -> Vec<f64> {
        let first = self.times.partition_point(|&t| t < from).min(self.values.nrows());
        let last = self.times.partition_point(|&t| t < to).clamp(first, self.values.nrows());
        let samples = self.values.slice_axis(Axis(0), (first..last).into());
        samples.columns().into_iter().map(|c| c.iter().map(|&v| f64::from(v)).sum::<f64>() / c.len() as f64).collect()
    }

    /// Synapses among the units `keep` (ascending), renumbered.
    pub(super) fn of_units(&self, keep: &[usize]) -> Self {
        let place = |unit: usize| keep.binary_search(&unit).ok();
        let mut left = Self { pre: Vec::new(), post: Vec::new(), times: self.times.clone(), values: ArcArray2::default((0, 0)) };
        let mut synapses = Vec::new();
        for (synapse, (&pre, &post)) in self.pre.iter().zip(&self.post).enumerate() {
            if let (Some(pre), Some(post)) = (place(pre), place(post)) {
                left.pre.push(pre);
                left.post.push(post);
                synapses.push(synapse);
            }
        }
        left.values = self.values.select(Axis(1), &synapses).into_shared();
        left
    }
}

/// Truth of a simulated recording.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Truth {
    /// True area-to-area couplings; pairs not listed have none.
    pub edges: Vec<TrueEdge>,
    /// What is needed to compute the true rates (oracle loss); `None` when only edges are known.
    pub glm: Option<GlmTruth>,
    /// True currents of a network of spiking units; `None` when they are not known.
    pub currents: Option<TrueCurrents>,
    /// True rates themselves; `None` when they are not given.
    pub rates: Option<TrueRates>,
    /// True connections between single units; `None` when they are not known, pairs not listed have none.
    pub unit_edges: Option<Vec<UnitEdge>>,
    /// Connections between single units whose strength changes; [`Self::unit_edges`] then holds a mean. `None` when all are fixed.
    pub changing: Option<ChangingWeights>,
}

impl Truth {
    /// True when it says which areas drive which; true rates or connections between single units alone do not.
    pub fn knows_edges(&self) -> bool {
        self.glm.is_some() || self.currents.is_some() || !self.edges.is_empty()
    }

    /// True strengths between single units as a matrix `[receiving, sending]` of `units` units, zero where there is no
    /// connection. `None` when connections are not known.
    pub fn unit_weights(&self, units: usize) -> Option<Array2<f64>> {
        let mut weights = Array2::zeros((units, units));
        for edge in self.unit_edges.as_ref()? {
            if let Some(weight) = weights.get_mut([edge.post, edge.pre]) {
                *weight = edge.weight;
            }
        }
        Some(weights)
    }
}

impl UnitEdge {
    /// The non-zero entries of a matrix of weights `[receiving, sending]`, without delays.
    pub fn of_weights(weights: &Array2<f64>) -> Vec<Self> {
        let edges = weights.indexed_iter().filter(|(_, w)| **w != 0.0);
        edges.map(|((post, pre), &weight)| Self { pre, post, weight, delay_s: f64::NAN }).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ndarray::arr2;

    fn changing() -> ChangingWeights {
        let values = arr2(&[[1.0_f32, 10.0], [2.0, 20.0], [4.0, 40.0]]).into_shared();
        ChangingWeights { pre: vec![1, 2], post: vec![0, 1], times: vec![0.0, 1.0, 3.0], values }
    }

    #[test]
    fn windows_of_true_currents_are_found_by_their_time() {
        let currents = TrueCurrents {
            bin_s: 0.002,
            pad_bins: 50,
            trial_spacing_s: 0.7,
            pairs: vec![(0, 1)],
            synaptic: Array3::zeros((4, 1, 300)),
            external: Array3::zeros((4, 2, 300)),
            background: Array3::zeros((4, 2, 300)),
        };
        assert_eq!(currents.window(2.0 * 0.7 + 0.1, 250, 0.002), Some((2, 50..300)));
        assert_eq!(currents.window(0.7 - 1e-12, 300, 0.002), Some((1, 0..300)));
        for (start, bins, bin_s) in [(1.5, 251, 0.002), (1.5, 250, 0.004), (-0.1, 10, 0.002), (4.0 * 0.7, 10, 0.002)] {
            assert_eq!(currents.window(start, bins, bin_s), None, "{start} {bins} {bin_s}");
        }
    }

    #[test]
    fn a_sample_holds_until_the_next() {
        let c = changing();
        assert_eq!(c.at(&[-1.0, 0.0, 0.9, 1.0, 2.9, 99.0]).column(1).to_vec(), [10.0, 10.0, 10.0, 20.0, 20.0, 40.0]);
        assert_eq!((c.synapse(2, 1), c.synapse(1, 2)), (Some(1), None));
        assert_eq!(c.mean_between(0.5, 9.0), [3.0, 30.0]);
        assert!(c.mean_between(5.0, 9.0).iter().all(|m| m.is_nan()));
    }

    #[test]
    fn fewer_units_keep_their_synapses() {
        let c = changing().of_units(&[0, 1]);
        assert_eq!((c.pre.clone(), c.post.clone(), c.values.column(0).to_vec()), (vec![1], vec![0], vec![1.0, 2.0, 4.0]));
        assert_eq!(changing().of_units(&[2]).values.dim(), (3, 0));
    }

    #[test]
    fn weights_become_edges_and_edges_weights() {
        let weights = arr2(&[[0.0, 0.5], [-2.0, 0.0]]);
        let edges = UnitEdge::of_weights(&weights);
        assert_eq!((edges.len(), edges[0].pre, edges[0].post, edges[0].weight), (2, 1, 0, 0.5));
        let truth = Truth { unit_edges: Some(edges), ..Truth::default() };
        assert_eq!(truth.unit_weights(2).unwrap(), weights);
        assert_eq!(truth.unit_weights(1).unwrap(), arr2(&[[0.0]]));
        assert_eq!(Truth::default().unit_weights(2), None);
    }
}
