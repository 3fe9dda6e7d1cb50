//! The baselines by name, each with what it does to activity first: what the command line and the window offer.

use ndarray::{Array2, Axis, Slice};

use super::{Nonlinearity, Samples, SingleMatrix, UnitActivity, autoregression, covariance, lag_one, mutual_information, transfer_entropy};

/// A way to estimate who drives whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Lag-1 cross-correlation: the strong and simple one, shown beside every other.
    LagOne,
    /// Linear regression on the bin before, by ordinary least squares.
    LeastSquares,
    /// Covariance in the same bin.
    Covariance,
    /// Transfer entropy.
    TransferEntropy,
    /// Mutual information in the same bin.
    MutualInformation,
    /// One matrix behind a hyperbolic tangent.
    Tanh,
    /// One matrix behind an exponential.
    Exp,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::LagOne, Self::LeastSquares, Self::Covariance, Self::TransferEntropy, Self::MutualInformation, Self::Tanh, Self::Exp];

    /// Short name for options and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::LagOne => "lag1",
            Self::LeastSquares => "ols",
            Self::Covariance => "covariance",
            Self::TransferEntropy => "te",
            Self::MutualInformation => "mi",
            Self::Tanh => "tanh",
            Self::Exp => "exp",
        }
    }

    /// The method called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }

    /// What it is, for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::LagOne => "lag-1 cross-correlation",
            Self::LeastSquares => "least squares, one bin back",
            Self::Covariance => "covariance",
            Self::TransferEntropy => "transfer entropy",
            Self::MutualInformation => "mutual information",
            Self::Tanh => "single matrix, tanh",
            Self::Exp => "single matrix, exp",
        }
    }

    /// True when it cannot tell excitation from inhibition: such a matrix is compared with the size of the true weights.
    pub fn unsigned(self) -> bool {
        matches!(self, Self::TransferEntropy | Self::MutualInformation)
    }

    /// Physical unit of its entries.
    pub fn unit(self, counts: bool) -> &'static str {
        match self {
            Self::LagOne => "correlation",
            Self::Covariance if counts => "spikes²",
            Self::TransferEntropy | Self::MutualInformation => "bits",
            Self::LeastSquares | Self::Tanh | Self::Exp if counts => "per standard deviation",
            _ => "",
        }
    }

    /// The matrix `[receiving, sending]`. Continuous activity is taken as it is, and least squares accounts for inputs from outside
    /// where the recording has them. Spike counts, whose size says more about a unit's
    /// rate than about its inputs, are standardised for least squares and tanh and divided by their standard deviation for exp.
    /// `levels` is for the two entropies. `goes_on` is asked from time to time by methods that take long.
    pub fn estimate(self, activity: &UnitActivity, levels: usize, goes_on: &dyn Fn() -> bool) -> Array2<f64> {
        let samples = activity.samples();
        let fitted =
            |nonlinearity, samples: &Samples<'_>| SingleMatrix { nonlinearity, ..SingleMatrix::default() }.fit(samples, goes_on).weights;
        let standard = |centred| activity.counts.then(|| standardised(activity, centred));
        match self {
            Self::LagOne => lag_one(&samples),
            Self::Covariance => covariance(&samples),
            Self::TransferEntropy => transfer_entropy(&samples, levels),
            Self::MutualInformation => mutual_information(&samples, levels),
            Self::LeastSquares => match standard(true) {
                Some(values) => autoregression(&Samples::new(values.view(), activity.runs.clone()), None, true).weights,
                None => {
                    let weights = autoregression(&samples, activity.inputs.as_ref().map(|inputs| inputs.view()), false).weights;
                    weights.slice_axis_move(Axis(1), Slice::from(..samples.units()))
                }
            },
            Self::Tanh | Self::Exp => {
                let (function, centred) = if self == Self::Tanh { (Nonlinearity::Tanh, true) } else { (Nonlinearity::Exp, false) };
                match standard(centred) {
                    Some(values) => fitted(function, &Samples::new(values.view(), activity.runs.clone())),
                    None => fitted(function, &samples),
                }
            }
        }
    }
}

/// Activity `[bins, units]` divided by the standard deviation of each unit, and centred if wanted. A unit that never changes
/// becomes 0.
fn standardised(activity: &UnitActivity, centred: bool) -> Array2<f64> {
    let mut values = activity.values.to_owned().into_owned();
    for mut column in values.axis_iter_mut(Axis(1)) {
        let n = column.len().max(1) as f64;
        let mean = column.sum() / n;
        let sd = (column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        let origin = if centred { mean } else { 0.0 };
        column.mapv_inplace(|v| if sd > 0.0 { (v - origin) / sd } else { 0.0 });
    }
    values
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::analysis::connectivity::{Pairs, score};
    use crate::recording::{Recording, RecordingParts, Source, SpikeTrains, Truth, UnitEdge};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Eight spiking units; unit 1 follows unit 0 and unit 3 follows unit 5 by one bin of 10 ms, unit 7 is silent.
    fn spikes() -> Recording {
        let mut random = ChaCha8Rng::seed_from_u64(11);
        let mut bins = vec![vec![false; 6000]; 8];
        for bin in 1..6000 {
            for unit in 0..7 {
                let driver = [(1, 0), (3, 5)].into_iter().find(|(to, _)| *to == unit).map(|(_, from): (usize, usize)| from);
                let driven = driver.is_some_and(|from| bins[from][bin - 1]);
                let chance = if driven { 0.7 } else { 0.05 + 0.02 * unit as f64 };
                bins[unit][bin] = random.random::<f64>() < chance;
            }
        }
        let times = |unit: &Vec<bool>| (0..6000).filter(|&b| unit[b]).map(|b| 0.01 * b as f64 + 0.005).collect::<Vec<f64>>();
        let edges = [(0, 1), (5, 3)].map(|(pre, post)| UnitEdge { pre, post, weight: 1.0, delay_s: 0.01 });
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units(bins.iter().map(times)),
            unit_ids: (0..8).map(|u| u.to_string()).collect(),
            unit_areas: vec![String::new(); 8],
            observed: vec![(0.0, 60.0)],
            truth: Some(Truth { unit_edges: Some(edges.to_vec()), ..Truth::default() }),
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("s.npz".into())).unwrap()
    }

    #[test]
    fn methods_that_look_one_bin_back_find_who_follows_whom() {
        let recording = spikes();
        let activity = UnitActivity::of(&recording, 0.01).unwrap();
        let truth = recording.truth.as_ref().unwrap().unit_weights(8).unwrap();
        for method in Method::ALL {
            let estimate = method.estimate(&activity, 50, &|| true);
            assert_eq!(estimate.dim(), (8, 8));
            assert!(estimate.iter().all(|v| v.is_finite()), "{method:?}");
            let found = score(estimate.view(), truth.view(), Pairs::Others);
            let directed = !matches!(method, Method::Covariance | Method::MutualInformation);
            assert_eq!(found.auc == 1.0, directed, "{method:?}: {found:?}");
            assert_eq!(Method::named(method.name()), Some(method));
        }
        assert_eq!(Method::named("granger"), None);
    }
}
