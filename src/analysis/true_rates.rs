//! The true rates behind a simulated recording, computed again from its truth and its spikes (Xin & Kass 2025, simulation of
//! Fig. 2), and the loss of those rates: the best a model can reach on average.

use ndarray::{Array2, ArrayView2, ArrayView3, Axis, Slice};
use rayon::prelude::*;

use super::{analysed, loss::poisson_term};
use crate::recording::{BinnedTrials, GlmTruth, Recording, Trials, TrueEdge, TrueRates};

/// Largest log-rate per bin, as in the published simulation.
pub const LARGEST_LOG_RATE: f64 = 10.0;

/// A rate of zero has no logarithm: given rates are at least this, spikes per bin.
const LOWEST_RATE: f64 = 1e-9;

/// Log-rate without coupling and history `[bins, units]`: baseline plus `loadings` `[units, factors]` times the factors
/// `[areas, factors, bins]` of each unit's area.
pub fn own_dynamics(baseline: f64, factors: ArrayView3<'_, f32>, loadings: &Array2<f64>, area_of_unit: &[usize]) -> Array2<f64> {
    let mut log_rate = Array2::from_elem((factors.len_of(Axis(2)), area_of_unit.len()), baseline);
    for (mut unit, (&area, loading)) in log_rate.axis_iter_mut(Axis(1)).zip(area_of_unit.iter().zip(loadings.axis_iter(Axis(0)))) {
        for (&weight, curve) in loading.iter().zip(factors.index_axis(Axis(0), area).axis_iter(Axis(0))) {
            unit.zip_mut_with(&curve, |x, &f| *x += weight * f64::from(f));
        }
    }
    log_rate
}

/// Coupling factor of one edge, `[bins]`: the spikes `[bins, units of the source area]`, projected on the sending weights and
/// filtered; spikes act from the next bin on.
pub fn coupling_drive(edge: &TrueEdge, spikes: ArrayView2<'_, u8>) -> Vec<f64> {
    let bins = spikes.nrows();
    let mut drive = vec![0.0; bins];
    for (bin, row) in spikes.axis_iter(Axis(0)).enumerate() {
        let sent: f64 = row.iter().zip(&edge.send).map(|(&count, weight)| f64::from(count) * weight).sum();
        if sent != 0.0 {
            drive.iter_mut().skip(bin + 1).zip(&edge.filter).for_each(|(d, h)| *d += sent * h);
        }
    }
    drive
}

/// What every unit's own past spikes add to its log-rate, `[bins, units]`.
pub fn history(filter: &[f64], spikes: ArrayView2<'_, u8>) -> Array2<f64> {
    let mut added = Array2::zeros(spikes.dim());
    for ((bin, unit), &count) in spikes.indexed_iter().filter(|(_, count)| **count > 0) {
        for (d, h) in added.column_mut(unit).iter_mut().skip(bin + 1).zip(filter) {
            *d += f64::from(count) * h;
        }
    }
    added
}

/// True log-rate per bin of one trial, `[pad + bins, units]`, given the trial's spikes `[pad + bins, units]` of all units in
/// the recording's order. `None` when the shapes do not fit the truth.
pub fn glm_log_rate(
    truth: &GlmTruth,
    edges: &[TrueEdge],
    area_of_unit: &[usize],
    trial: usize,
    spikes: ArrayView2<'_, u8>,
) -> Option<Array2<f64>> {
    let (trials, areas, factors, total) = truth.factors.dim();
    let fits = trial < trials
        && spikes.dim() == (total, area_of_unit.len())
        && truth.loadings.dim() == (area_of_unit.len(), factors)
        && area_of_unit.iter().all(|&a| a < areas);
    if !fits {
        return None;
    }
    let mut log_rate = own_dynamics(truth.baseline, truth.factors.index_axis(Axis(0), trial), &truth.loadings, area_of_unit);
    log_rate += &history(&truth.post_spike, spikes);
    let members = |area: usize| (0..area_of_unit.len()).filter(|&u| area_of_unit[u] == area).collect::<Vec<_>>();
    for edge in edges {
        let drive = coupling_drive(edge, spikes.select(Axis(1), &members(edge.source)).view());
        for (unit, weight) in members(edge.target).into_iter().zip(&edge.receive) {
            log_rate.column_mut(unit).iter_mut().zip(&drive).for_each(|(x, d)| *x += weight * d);
        }
    }
    log_rate.mapv_inplace(|x| x.min(LARGEST_LOG_RATE));
    Some(log_rate)
}

/// True log-rate per bin `[bins, units]` of trial `index` of `trials`, for `units` (indices into the recording): as the recording
/// gives it, or as it follows from all its spikes, also of units left out of the analysis.
///
/// `None` when the recording has no such truth, or when the trial's bins do not lie on the truth's.
pub fn true_log_rate(recording: &Recording, trials: &Trials, index: usize, units: &[usize]) -> Option<Array2<f64>> {
    let truth = recording.truth.as_ref()?;
    match &truth.rates {
        Some(rates) => Some(given_rate(rates, recording, trials, index, units)?.mapv(|rate| rate.max(LOWEST_RATE).ln())),
        None => simulated_log_rate(recording, trials, index, units),
    }
}

/// Given rates, spikes per bin `[bins, units]`; a bin of the trials may be several bins of the truth.
fn given_rate(rates: &TrueRates, recording: &Recording, trials: &Trials, index: usize, units: &[usize]) -> Option<Array2<f64>> {
    let table = recording.table("trials").filter(|table| trials.table.as_ref() == Some(&table.name))?;
    let (&row, &start) = (trials.rows.get(index)?, trials.starts.get(index)?);
    let whole = |x: f64| ((x - x.round()).abs() < 1e-3 && x.round() >= 0.0).then(|| x.round() as usize);
    let first = whole((start - table.start.get(row)?) / rates.bin_s)?;
    let per_bin = whole(trials.bin_s / rates.bin_s).filter(|&n| n > 0)?;
    let (rows, bins, known) = rates.values.dim();
    if row >= rows || first + per_bin * trials.bins > bins || units.iter().any(|&u| u >= known) {
        return None;
    }
    let of_row = rates.values.index_axis(Axis(0), row);
    Some(Array2::from_shape_fn((trials.bins, units.len()), |(bin, column)| {
        let own = first + per_bin * bin..first + per_bin * (bin + 1);
        own.map(|at| f64::from(of_row[[at, units[column]]])).sum::<f64>() * rates.bin_s
    }))
}

/// One simulated trial: its number, the place of the first analysed bin, and all its spikes `[pad + bins, all units]`.
fn simulated_trial(recording: &Recording, trials: &Trials, index: usize, units: &[usize]) -> Option<(usize, usize, Array2<u8>)> {
    let glm = recording.truth.as_ref()?.glm.as_ref()?;
    let total = glm.pad_bins + glm.bins;
    let start = *trials.starts.get(index)?;
    let trial = ((start + 1e-6) / glm.trial_spacing_s).floor().max(0.0);
    let begin = trial * glm.trial_spacing_s;
    let offset = (start - begin) / glm.bin_s;
    let first = offset.round().max(0.0) as usize;
    let on_grid = (offset - offset.round()).abs() < 1e-3 && (trials.bin_s - glm.bin_s).abs() < 1e-9;
    if !on_grid || first + trials.bins > total || units.iter().any(|&u| u >= recording.n_units()) {
        return None;
    }
    let mut spikes = Array2::<u8>::zeros((total, recording.n_units()));
    for (unit, mut column) in spikes.axis_iter_mut(Axis(1)).enumerate() {
        for &time in recording.spikes.unit_between(unit, begin, begin + total as f64 * glm.bin_s) {
            let bin = (((time - begin) / glm.bin_s) as usize).min(total - 1);
            column[bin] = column[bin].saturating_add(1);
        }
    }
    Some((trial as usize, first, spikes))
}

fn simulated_log_rate(recording: &Recording, trials: &Trials, index: usize, units: &[usize]) -> Option<Array2<f64>> {
    let truth = recording.truth.as_ref()?;
    let (trial, first, spikes) = simulated_trial(recording, trials, index, units)?;
    let log_rate = glm_log_rate(truth.glm.as_ref()?, &truth.edges, &recording.units.area, trial, spikes.view())?;
    Some(log_rate.slice_axis(Axis(0), Slice::from(first..first + trials.bins)).select(Axis(1), units))
}

/// Parts of the true log-rate per bin of one trial, each `[bins, units]`.
#[derive(Debug, Clone, PartialEq)]
pub struct TrueParts {
    /// Baseline and slow dynamics.
    pub own: Array2<f64>,
    /// Coupling by sending and receiving area of the recording; zero for units of other areas.
    pub coupling: Vec<(usize, usize, Array2<f64>)>,
    /// Post-spike term.
    pub history: Array2<f64>,
}

/// The true log-rate of trial `index` of `trials` in its parts, for `units` (indices into the recording). `None` when the recording has
/// no such truth, or when the trial's bins do not lie on the truth's.
pub fn true_parts(recording: &Recording, trials: &Trials, index: usize, units: &[usize]) -> Option<TrueParts> {
    let truth = recording.truth.as_ref()?;
    let glm = truth.glm.as_ref()?;
    let (trial, first, spikes) = simulated_trial(recording, trials, index, units)?;
    let seen = |all: Array2<f64>| all.slice_axis(Axis(0), Slice::from(first..first + trials.bins)).select(Axis(1), units);
    let factors = (trial < glm.factors.len_of(Axis(0))).then(|| glm.factors.index_axis(Axis(0), trial))?;
    let area = &recording.units.area;
    let edge_output = |edge: &TrueEdge| {
        let members = |of: usize| (0..area.len()).filter(|&u| area.get(u) == Some(&of)).collect::<Vec<_>>();
        let drive = coupling_drive(edge, spikes.select(Axis(1), &members(edge.source)).view());
        let mut output = Array2::zeros(spikes.dim());
        for (unit, weight) in members(edge.target).into_iter().zip(&edge.receive) {
            output.column_mut(unit).iter_mut().zip(&drive).for_each(|(x, d)| *x = weight * d);
        }
        (edge.source, edge.target, seen(output))
    };
    Some(TrueParts {
        own: seen(own_dynamics(glm.baseline, factors, &glm.loadings, area)),
        coupling: truth.edges.iter().map(edge_output).collect(),
        history: seen(history(&glm.post_spike, spikes.view())),
    })
}

/// Poisson loss (per bin and unit) of the true rates on the chosen trials: the best any model can reach on average.
/// `trials` are those behind `binned`, `chosen` indices among them. `None` when the true rates are not known.
pub fn oracle_loss(recording: &Recording, trials: &Trials, binned: &BinnedTrials, chosen: &[usize]) -> Option<f64> {
    let sums: Vec<f64> = chosen
        .par_iter()
        .map(|&trial| {
            let log_rate = true_log_rate(recording, trials, trial, &binned.units)?;
            let counts = analysed(binned.counts.view(), binned.pad_bins, trial);
            Some(counts.iter().zip(&log_rate).map(|(&y, &eta)| poisson_term(y, eta)).sum())
        })
        .collect::<Option<_>>()?;
    let cells = chosen.len() * binned.bins * binned.n_units();
    (cells > 0).then(|| sums.iter().sum::<f64>() / cells as f64)
}

/// The true edges as a model sees them that was given only some units: areas renumbered as in `binned.areas`, weights of the
/// units that are left. Edges from or to areas without units are dropped.
pub fn edges_seen(recording: &Recording, binned: &BinnedTrials) -> Vec<TrueEdge> {
    let area_seen = |area: usize| recording.areas.get(area).and_then(|name| binned.areas.iter().position(|a| a == name));
    let weights_seen = |area: usize, seen: usize, weights: &[f64]| -> Option<Vec<f64>> {
        let members = recording.units_of_area(area);
        let weight_of = |unit: &usize| members.iter().position(|m| m == unit).and_then(|k| weights.get(k)).copied();
        binned.units.get(binned.columns(seen))?.iter().map(weight_of).collect()
    };
    let edges = recording.truth.as_ref().map_or(&[][..], |t| &t.edges);
    edges
        .iter()
        .filter_map(|edge| {
            let (source, target) = (area_seen(edge.source)?, area_seen(edge.target)?);
            Some(TrueEdge {
                source,
                target,
                send: weights_seen(edge.source, source, &edge.send)?,
                receive: weights_seen(edge.target, target, &edge.receive)?,
                filter: edge.filter.clone(),
            })
        })
        .collect()
}
