//! How close estimated couplings are to the true ones. A rank-1 coupling does not change when two of its three parts (sending
//! weights, receiving weights, filter) flip their sign together, so signs are compared only after the best such flip.

use crate::recording::TrueEdge;

/// An estimated coupling; scale and signs do not matter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EstimatedEdge<'a> {
    /// Sending area.
    pub source: usize,
    /// Receiving area.
    pub target: usize,
    /// One sending weight per unit of the source area.
    pub send: &'a [f32],
    /// One receiving weight per unit of the target area.
    pub receive: &'a [f32],
    /// Coupling filter; entry k acts at a lag of k + 1 bins.
    pub filter: &'a [f32],
}

/// How well one true edge has been found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EdgeMatch {
    /// Sending area.
    pub source: usize,
    /// Receiving area.
    pub target: usize,
    /// |cosine| of the sending weights with the truth.
    pub cos_send: f64,
    /// |cosine| of the receiving weights with the truth.
    pub cos_receive: f64,
    /// Correlation of the filter with the truth, with the sign that the signs of the weights leave to it: negative when
    /// inhibition was found for excitation.
    pub filter_corr: f64,
}

/// Cosine of the angle between two vectors; 0 when either is zero or their lengths differ.
pub fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    if a.len() == b.len() && norms > 0.0 { dot(a, b) / norms } else { 0.0 }
}

/// Pearson correlation; 0 when either vector is constant or their lengths differ.
pub fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let centred = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        values.iter().map(|x| x - mean).collect::<Vec<f64>>()
    };
    cosine(&centred(a), &centred(b))
}

/// Compare an estimate with a true edge. Filters of different length are compared with the shorter one continued by zeros.
pub fn edge_match(estimate: &EstimatedEdge<'_>, truth: &TrueEdge) -> EdgeMatch {
    let wide = |values: &[f32]| values.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
    let (send, receive) = (cosine(&wide(estimate.send), &truth.send), cosine(&wide(estimate.receive), &truth.receive));
    let (mut filter, mut wanted) = (wide(estimate.filter), truth.filter.clone());
    let lags = filter.len().max(wanted.len());
    filter.resize(lags, 0.0);
    wanted.resize(lags, 0.0);
    let sign = if send * receive < 0.0 { -1.0 } else { 1.0 };
    EdgeMatch {
        source: truth.source,
        target: truth.target,
        cos_send: send.abs(),
        cos_receive: receive.abs(),
        filter_corr: sign * correlation(&filter, &wanted),
    }
}

/// One entry per true edge, in the truth's order. A true edge without an estimate has all values 0. Areas and units of the
/// truth must be those of the estimates (see [`super::true_rates::edges_seen`]).
pub fn truth_scores(estimates: &[EstimatedEdge<'_>], truth: &[TrueEdge]) -> Vec<EdgeMatch> {
    let missing =
        |edge: &TrueEdge| EdgeMatch { source: edge.source, target: edge.target, cos_send: 0.0, cos_receive: 0.0, filter_corr: 0.0 };
    let estimate_of = |edge: &TrueEdge| estimates.iter().find(|e| (e.source, e.target) == (edge.source, edge.target));
    truth.iter().map(|edge| estimate_of(edge).map_or_else(|| missing(edge), |estimate| edge_match(estimate, edge))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth() -> TrueEdge {
        TrueEdge { source: 0, target: 1, send: vec![0.6, 0.8, 0.0], receive: vec![0.0, 1.0], filter: vec![1.0, 0.5, 0.0] }
    }

    fn estimate<'a>(send: &'a [f32], receive: &'a [f32], filter: &'a [f32]) -> EstimatedEdge<'a> {
        EstimatedEdge { source: 0, target: 1, send, receive, filter }
    }

    #[test]
    fn cosine_and_correlation() {
        assert!((cosine(&[1.0, 0.0], &[1.0, 1.0]) - 0.5_f64.sqrt()).abs() < 1e-12);
        assert!((correlation(&[1.0, 2.0, 3.0], &[-2.0, -4.0, -6.0]) + 1.0).abs() < 1e-12);
        assert_eq!((cosine(&[0.0], &[1.0]), cosine(&[1.0], &[1.0, 2.0]), correlation(&[2.0, 2.0], &[1.0, 0.0])), (0.0, 0.0, 0.0));
    }

    #[test]
    fn scale_and_joint_flips_do_not_matter() {
        for (send, receive, filter) in [
            ([1.2, 1.6, 0.0], [0.0, 3.0], [2.0, 1.0, 0.0]),
            ([-1.2, -1.6, 0.0], [0.0, 3.0], [-2.0, -1.0, 0.0]),
            ([-1.2, -1.6, 0.0], [0.0, -3.0], [2.0, 1.0, 0.0]),
        ] {
            let found = edge_match(&estimate(&send, &receive, &filter), &truth());
            for value in [found.cos_send, found.cos_receive, found.filter_corr] {
                assert!((value - 1.0).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn the_wrong_sign_of_the_effect_is_told() {
        let found = edge_match(&estimate(&[1.2, 1.6, 0.0], &[0.0, 3.0], &[-2.0, -1.0, 0.0]), &truth());
        assert!((found.filter_corr + 1.0).abs() < 1e-6 && (found.cos_send - 1.0).abs() < 1e-6);
    }

    #[test]
    fn filters_of_other_length_are_continued_by_zeros() {
        let found = edge_match(&estimate(&[0.6, 0.8, 0.0], &[0.0, 1.0], &[2.0, 1.0]), &truth());
        assert!((found.filter_corr - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_missed_edge_scores_zero() {
        let reverse = EstimatedEdge { source: 1, target: 0, ..estimate(&[1.0], &[1.0], &[1.0]) };
        let scores = truth_scores(&[reverse], &[truth()]);
        assert_eq!(scores, [EdgeMatch { source: 0, target: 1, cos_send: 0.0, cos_receive: 0.0, filter_corr: 0.0 }]);
        let zero = truth_scores(&[estimate(&[0.0; 3], &[0.0; 2], &[0.0; 3])], &[truth()]);
        assert_eq!((zero[0].cos_send, zero[0].filter_corr), (0.0, 0.0));
    }
}
