//! What is known of a simulated network: weights between units, couplings between areas, and the currents behind the spikes.

use ndarray::Array3;

use super::trial::Simulated;
use super::{EifSimulation, Network, PAD_BINS, STEP_S, STEPS, STEPS_PER_BIN};
use crate::recording::{TrueCurrents, TrueEdge, Truth, UnitEdge};

/// How much the log-rate of a unit changes in the bins after that of a spike that reaches it with a weight of 1: measured on simulations
/// (test `the_response_is_what_the_network_does`). The membrane passes the synaptic current on smoothed.
pub(super) const RESPONSE: [f64; 9] = [1.05, 1.5, 1.2, 0.9, 0.6, 0.45, 0.35, 0.15, 0.0];

pub(super) fn of(settings: &EifSimulation, network: &Network, trials: &[Simulated], spacing: f64) -> Truth {
    let unit_edges = network.outgoing.iter().enumerate().flat_map(|(pre, receivers)| {
        receivers.iter().map(move |&(post, weight)| UnitEdge { pre, post: post as usize, weight: f64::from(weight), delay_s: STEP_S })
    });
    Truth {
        edges: edges(settings, network),
        unit_edges: Some(unit_edges.collect()),
        currents: Some(currents(network, trials, spacing, settings.area_names.len())),
        ..Truth::default()
    }
}

/// Sending and receiving weights of an edge are the row and column means of its weights, which are close to rank one.
fn edges(settings: &EifSimulation, network: &Network) -> Vec<TrueEdge> {
    if settings.conn <= 0.0 {
        return Vec::new();
    }
    let n = settings.units;
    let edge = |e: &super::EifEdge| {
        let (mut send, mut receive) = (vec![0.0; n], vec![0.0; n]);
        for (m, sent) in send.iter_mut().enumerate() {
            for &(post, weight) in &network.outgoing[e.source * n + m] {
                if let Some(received) = (post as usize).checked_sub(e.target * n).and_then(|k| receive.get_mut(k)) {
                    *sent += f64::from(weight);
                    *received += f64::from(weight);
                }
            }
        }
        // weight[m, k] ≈ sent[m] received[k] / total.
        let total: f64 = send.iter().sum();
        let scale = normalise(&mut send) * normalise(&mut receive) / total;
        let filter = RESPONSE.iter().map(|response| scale * response).collect();
        TrueEdge { source: e.source, target: e.target, send, receive, filter }
    };
    settings.edges.iter().map(edge).collect()
}

/// Scale to unit norm; gives the norm.
fn normalise(weights: &mut [f64]) -> f64 {
    let norm = weights.iter().map(|w| w * w).sum::<f64>().sqrt();
    weights.iter_mut().for_each(|w| *w /= norm);
    norm
}

fn currents(network: &Network, trials: &[Simulated], spacing: f64, areas: usize) -> TrueCurrents {
    let bins = STEPS / STEPS_PER_BIN;
    let units = network.area_of_unit.len().checked_div(areas).unwrap_or(0);
    let loading = |area: usize| {
        let own = network.loadings.iter().skip(area * units).take(units);
        own.sum::<f32>() / units.max(1) as f32
    };
    let loadings: Vec<f32> = (0..areas).map(loading).collect();
    TrueCurrents {
        bin_s: STEP_S * STEPS_PER_BIN as f64,
        pad_bins: PAD_BINS,
        trial_spacing_s: spacing,
        pairs: network.pairs.clone(),
        synaptic: Array3::from_shape_fn((trials.len(), network.pairs.len(), bins), |(r, pair, bin)| trials[r].synaptic[pair][bin]),
        external: Array3::from_shape_fn((trials.len(), areas, bins), |(r, area, bin)| {
            trials[r].input[area][bin] + loadings[area] * trials[r].background[area][bin]
        }),
        background: Array3::from_shape_fn((trials.len(), areas, bins), |(r, area, bin)| trials[r].background[area][bin]),
    }
}
