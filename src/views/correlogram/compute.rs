//! What the Correlogram view draws, computed off the window thread.

use std::sync::Arc;

use crate::analysis::correlogram::{CorrelogramError, Jitter, JitterBand, Lags, correlograms, jitter_bands, peak_excess};
use crate::analysis::watch::Watch;
use crate::recording::Recording;

/// Spikes of all jittered copies together, at most: some seconds of work.
const MOST_JITTERED: usize = 200_000_000;
/// Copies that a band needs at least.
const LEAST_COPIES: u32 = 20;

/// Everything a correlogram depends on.
#[derive(Debug, Clone)]
pub struct Job {
    pub recording: Arc<Recording>,
    /// Units, in the order of the grid.
    pub units: Vec<usize>,
    /// Spikes in this stretch, seconds; `None` = all.
    pub window: Option<(f64, f64)>,
    pub lags: Lags,
    pub jitter: Option<Jitter>,
    /// Only the pair of the first and the last unit, not all pairs.
    pub pair_only: bool,
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.recording, &other.recording)
            && (&self.units, self.window, self.lags, self.jitter, self.pair_only)
                == (&other.units, other.window, other.lags, other.jitter, other.pair_only)
    }
}

/// One ordered pair.
#[derive(Debug, Clone)]
pub struct PairResult {
    pub reference: usize,
    pub target: usize,
    /// Area of the target.
    pub area: usize,
    pub counts: Vec<u32>,
    /// Factor from counts to Hz of the target.
    pub per_second: f64,
    pub band: Option<JitterBand>,
    /// Lag (s) of the largest deviation from the band's mean, and that deviation in half widths of the band.
    pub peak: Option<(f64, f64)>,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Found {
    pub recording: Arc<Recording>,
    pub units: Vec<usize>,
    pub lags: Lags,
    pub jitter: Option<Jitter>,
    pub pairs: Vec<PairResult>,
}

/// Compute; `None` when it was stopped.
pub fn correlate(job: &Job, watch: &Watch) -> Option<Result<Found, String>> {
    match found(job, watch) {
        Err(CorrelogramError::Stopped) => None,
        other => Some(other.map_err(|e| e.to_string())),
    }
}

fn found(job: &Job, watch: &Watch) -> Result<Found, CorrelogramError> {
    let spikes = &job.recording.spikes;
    // A unit with itself is one train: its spikes must not be paired with themselves.
    let mut units = job.units.clone();
    units.dedup();
    let train = |&unit: &usize| match job.window {
        Some((start, stop)) => spikes.unit_between(unit, start, stop),
        None => spikes.unit(unit),
    };
    let trains: Vec<&[f64]> = units.iter().map(train).collect();
    let last = units.len().saturating_sub(1);
    let places: Vec<(usize, usize)> = match job.pair_only {
        true => vec![(0, last)],
        false => (0..units.len()).flat_map(|a| (0..units.len()).map(move |b| (a, b))).collect(),
    };
    // What jitter leaves takes far longer than the correlograms themselves: progress is that of its copies.
    let own = Watch::default();
    let found = correlograms(&trains, job.lags, if job.jitter.is_some() { &own } else { watch })?;
    // Fewer copies of very many spikes: the band says how many it has.
    let spikes = trains.iter().map(|t| t.len()).sum::<usize>().max(1);
    let affordable = u32::try_from(MOST_JITTERED / spikes).unwrap_or(u32::MAX).max(LEAST_COPIES);
    let jitter = job.jitter.map(|jitter| Jitter { copies: jitter.copies.min(affordable), ..jitter });
    let mut bands = match jitter {
        Some(jitter) => jitter_bands(&trains, &places, job.lags, jitter, watch)?.into_iter().map(Some).collect(),
        None => vec![None; places.len()],
    };
    let pair = |(&(a, b), band): (&(usize, usize), Option<JitterBand>)| {
        let (reference, target) = (*units.get(a)?, *units.get(b)?);
        let counts = found.counts(a, b);
        Some(PairResult {
            reference,
            target,
            area: job.recording.units.area.get(target).copied().unwrap_or(0),
            per_second: found.per_second(a),
            peak: band.as_ref().and_then(|band| peak_excess(&counts, band, job.lags)),
            counts,
            band,
        })
    };
    let pairs = places.iter().zip(bands.drain(..)).filter_map(pair).collect();
    Ok(Found { recording: Arc::clone(&job.recording), units, lags: job.lags, jitter, pairs })
}
