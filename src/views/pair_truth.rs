//! The truth of a simulated pair of areas, lined up with what the model inferred: same units, same order, same sign.

use super::RunState;
use crate::recording::Recording;
use crate::training::{PairSnapshot, Snapshot};

/// Truth of one ordered pair, for the units of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct PairTruth {
    /// True sending weight of every model unit of the source area; empty without a true edge.
    pub send: Vec<Option<f64>>,
    /// True receiving weight of every model unit of the target area.
    pub receive: Vec<Option<f64>>,
    /// True filter, entry k at lag k + 1 bins; `None` when the pair has no true edge.
    pub filter: Option<Vec<f64>>,
    /// Bin width of the true filter, seconds.
    pub bin_s: f64,
}

/// Truth of `pair`; `None` when the recording has no truth.
pub fn of(run: &RunState, pair: &PairSnapshot) -> Option<PairTruth> {
    let (data, snapshot) = (run.data.as_ref()?, run.snapshot.as_ref()?);
    let recording = &*data.0;
    let truth = recording.truth.as_ref().filter(|t| t.knows_areas())?;
    let bin_s = truth.glm.as_ref().map_or(snapshot.bin_s, |glm| glm.bin_s);
    let (source, target) = (run.area_index(pair.source), run.area_index(pair.target));
    let Some(edge) = truth.edges.iter().find(|e| (e.source, e.target) == (source, target)) else {
        return Some(PairTruth { send: Vec::new(), receive: Vec::new(), filter: None, bin_s });
    };
    let mut send = lined_up(recording, source, &edge.send, model_units(snapshot, pair.source));
    let mut receive = lined_up(recording, target, &edge.receive, model_units(snapshot, pair.target));
    // Weights and filter are known up to two signs: show the truth with the signs the model happens to have.
    let sign = align(&mut send, pair.send.first()) * align(&mut receive, pair.receive.first());
    Some(PairTruth { send, receive, filter: Some(edge.filter.iter().map(|v| sign * v).collect()), bin_s })
}

/// Units of the recording behind the model's units of `area`.
fn model_units(snapshot: &Snapshot, area: usize) -> &[usize] {
    let start: usize = snapshot.area_sizes.iter().take(area).sum();
    let size = snapshot.area_sizes.get(area).copied().unwrap_or(0);
    snapshot.units.get(start..start + size).unwrap_or(&[])
}

fn lined_up(recording: &Recording, area: usize, weights: &[f64], units: &[usize]) -> Vec<Option<f64>> {
    let members = recording.units_of_area(area);
    units.iter().map(|unit| members.binary_search(unit).ok().and_then(|place| weights.get(place)).copied()).collect()
}

/// Flip `truth` when it points away from `inferred`; returns the sign used.
fn align(truth: &mut [Option<f64>], inferred: Option<&Vec<f32>>) -> f64 {
    let Some(inferred) = inferred else { return 1.0 };
    let dot: f64 = truth.iter().zip(inferred).filter_map(|(t, i)| Some((*t)? * f64::from(*i))).sum();
    if dot >= 0.0 {
        return 1.0;
    }
    truth.iter_mut().flatten().for_each(|t| *t = -*t);
    -1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_takes_the_sign_of_what_was_inferred() {
        let mut truth = vec![Some(0.8), None, Some(-0.1)];
        assert_eq!(align(&mut truth, Some(&vec![-0.7, 0.3, 0.0])), -1.0);
        assert_eq!(truth, [Some(-0.8), None, Some(0.1)]);
        assert_eq!(align(&mut truth, Some(&vec![-0.7, 0.3, 0.0])), 1.0);
        assert_eq!(align(&mut truth, None), 1.0);
    }
}
