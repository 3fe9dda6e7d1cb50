//! The screening matrix: the jitter-corrected edge score with its null for every ordered pair of areas at once, without a trained
//! model (method in [`super::edge_score`]). Own dynamics are the smoothed PSTH of every unit, per condition where a condition has
//! enough trials; what varies from trial to trial more slowly than the jitter window is taken out by the score itself.

use ndarray::{Array2, Array3, Axis, Slice};

use super::edge_score::{EdgeScore, EdgeScoreError, EdgeScorer, EdgeScoring};
use super::multiple::benjamini_hochberg;
use super::watch::Watch;
use super::{bases, psth};
use crate::recording::BinnedTrials;

/// Narrowest jitter window, seconds.
pub const LEAST_WINDOW_S: f64 = 0.05;
/// A window wider than this lets slow drive through, which the areas may share.
pub const WIDE_WINDOW_S: f64 = 0.1;
/// Standard deviation of the PSTH's smoothing, seconds.
const PSTH_SD_S: f64 = 0.01;
/// A condition with so many trials has a PSTH of its own.
const OWN_PSTH: usize = 30;
/// Trials between two looks at the watch.
const CHUNK: usize = 32;

/// What is screened for.
#[derive(Debug, Clone, PartialEq)]
pub struct ScreeningPlan {
    /// Raised cosines of the coupling filter: number, last peak in seconds, warp.
    pub basis: (usize, f64, f64),
    /// Jittered copies.
    pub jitters: usize,
    /// Quantile of the null that a score must exceed.
    pub quantile: f64,
    /// Seed of the jitter.
    pub seed: u64,
    /// Also look for a second coupling factor.
    pub second_factor: bool,
    /// Also score areas onto themselves.
    pub self_pairs: bool,
    /// Most trials used, spread over the recording; 0 = all.
    pub most_trials: usize,
}

impl Default for ScreeningPlan {
    fn default() -> Self {
        Self { basis: (3, 0.014, 0.5), jitters: 20, quantile: 0.99, seed: 1, second_factor: true, self_pairs: true, most_trials: 0 }
    }
}

impl ScreeningPlan {
    /// Basis of the filter in bins of this width `[lags, functions]`.
    pub fn filter_basis(&self, bin_s: f64) -> Array2<f64> {
        let (count, peak_s, stretch) = self.basis;
        bases::raised_cosine(count, (peak_s / bin_s).max(0.5), stretch)
    }

    /// Width of the jitter window in bins: 50 ms, or as long as the filter where that is longer.
    pub fn window_bins(&self, bin_s: f64) -> usize {
        ((LEAST_WINDOW_S / bin_s).round() as usize).max(self.filter_basis(bin_s).nrows()).max(2)
    }
}

/// Scores of all pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Screening {
    /// Names of the areas.
    pub areas: Vec<String>,
    /// Units per area.
    pub area_sizes: Vec<usize>,
    /// Bin width, seconds.
    pub bin_s: f64,
    /// Trials used, of so many.
    pub trials: (usize, usize),
    /// Width of the jitter window, seconds.
    pub window_s: f64,
    /// Length of the filters looked for, seconds.
    pub filter_s: f64,
    /// Jittered copies.
    pub jitters: usize,
    /// Basis of the filters `[lags, functions]`.
    pub basis: Array2<f64>,
    /// Pairs, target by target.
    pub pairs: Vec<EdgeScore>,
    /// q-value of every pair (Benjamini & Hochberg over all of them).
    pub q: Vec<f64>,
    /// What to be careful about, in words.
    pub notes: Vec<String>,
}

impl Screening {
    /// Score and q-value of an ordered pair.
    pub fn pair(&self, source: usize, target: usize) -> Option<(&EdgeScore, f64)> {
        let at = self.pairs.iter().position(|p| (p.source, p.target) == (source, target))?;
        Some((self.pairs.get(at)?, self.q.get(at).copied().unwrap_or(1.0)))
    }

    /// Filter that the score of a pair found, entry k at a lag of k + 1 bins.
    pub fn filter(&self, pair: &EdgeScore) -> Vec<f64> {
        bases::filter(&self.basis, &pair.filter.iter().map(|&c| f64::from(c)).collect::<Vec<_>>())
    }
}

/// Screen all pairs. `conditions` holds the condition of every trial. `None` when the watch was stopped.
///
/// # Errors
/// [`EdgeScoreError`] when counts cannot be scored.
pub fn screen(
    binned: &BinnedTrials,
    conditions: &[String],
    plan: &ScreeningPlan,
    watch: &Watch,
) -> Result<Option<Screening>, EdgeScoreError> {
    let basis = plan.filter_basis(binned.bin_s);
    let window_bins = plan.window_bins(binned.bin_s);
    let all = binned.n_trials();
    let trials: Vec<usize> = match plan.most_trials {
        0 => (0..all).collect(),
        most if most >= all => (0..all).collect(),
        most => (0..most).map(|k| k * all / most).collect(),
    };
    let scoring = EdgeScoring {
        window_bins,
        jitters: plan.jitters,
        quantile: plan.quantile,
        seed: plan.seed,
        self_pairs: plan.self_pairs,
        second_factor: plan.second_factor,
        ..EdgeScoring::default()
    };
    let mut scorer = EdgeScorer::new(&basis, &binned.area_sizes, scoring);
    let background = Background::new(binned, conditions, &trials);
    // Accumulating takes far longer than observing.
    let parts = 10 * trials.len() + 1;
    let mut done = 0;
    for pass in 0..2 {
        for chunk in trials.chunks(CHUNK) {
            if watch.stopped() {
                return Ok(None);
            }
            let counts = binned.counts.select(Axis(0), chunk);
            let rates = background.rates(chunk);
            match pass {
                0 => scorer.observe(counts.view(), rates.view())?,
                _ => scorer.accumulate(counts.view(), rates.view())?,
            }
            done += chunk.len() * if pass == 0 { 1 } else { 9 };
            watch.tell(done, parts);
        }
    }
    let pairs = scorer.finish();
    let q = benjamini_hochberg(&pairs.iter().map(|p| p.p_value).collect::<Vec<_>>());
    let window_s = window_bins as f64 * binned.bin_s;
    let mut screening = Screening {
        areas: binned.areas.clone(),
        area_sizes: binned.area_sizes.clone(),
        bin_s: binned.bin_s,
        trials: (trials.len(), all),
        window_s,
        filter_s: basis.nrows() as f64 * binned.bin_s,
        jitters: plan.jitters,
        basis,
        pairs,
        q,
        notes: Vec::new(),
    };
    screening.notes = notes(&screening, binned);
    Ok(Some(screening))
}

/// Smoothed PSTHs.
struct Background {
    psths: Vec<Array2<f32>>,
    of_trial: Vec<usize>,
}

impl Background {
    fn new(binned: &BinnedTrials, conditions: &[String], trials: &[usize]) -> Self {
        let sd = PSTH_SD_S / binned.bin_s;
        let of = |trials: &[usize]| psth::smoothed(&psth::psth(binned.counts.view(), binned.pad_bins, trials), sd).mapv(|x| x as f32);
        let mut psths = vec![of(trials)];
        let mut of_trial = vec![0; binned.n_trials()];
        let mut names: Vec<&String> = conditions.iter().collect();
        names.sort();
        names.dedup();
        for name in names {
            let members: Vec<usize> = trials.iter().copied().filter(|&t| conditions.get(t) == Some(name)).collect();
            if members.len() >= OWN_PSTH && members.len() < trials.len() {
                members.iter().for_each(|&t| of_trial[t] = psths.len());
                psths.push(of(&members));
            }
        }
        Self { psths, of_trial }
    }

    fn rates(&self, trials: &[usize]) -> Array3<f32> {
        let (bins, units) = self.psths.first().map_or((0, 0), |p| p.dim());
        let mut rates = Array3::zeros((trials.len(), bins, units));
        for (mut to, &trial) in rates.axis_iter_mut(Axis(0)).zip(trials) {
            if let Some(psth) = self.of_trial.get(trial).and_then(|&p| self.psths.get(p)) {
                to.assign(psth);
            }
        }
        rates
    }
}

/// Spikes per unit and trial below which a screening says little.
const FEW_SPIKES: f64 = 200.0;

fn notes(screening: &Screening, binned: &BinnedTrials) -> Vec<String> {
    let mut notes = vec![format!(
        "Filters of up to {:.0} ms; drive slower than the jitter window of {:.0} ms makes no edge",
        screening.filter_s * 1e3,
        screening.window_s * 1e3
    )];
    if screening.window_s > WIDE_WINDOW_S {
        notes.push(format!(
            "The window of {:.0} ms is wide: shared drive faster than it can look like coupling. Shorter filters are safer",
            screening.window_s * 1e3
        ));
    }
    if binned.pad_bins < screening.basis.nrows() {
        notes.push(format!(
            "The padding of {:.0} ms before each trial is shorter than the filter: the first bins see incomplete history",
            binned.pad_bins as f64 * binned.bin_s * 1e3
        ));
    }
    let mut first = 0;
    for (name, &size) in binned.areas.iter().zip(&binned.area_sizes) {
        let own = binned.counts.slice_axis(Axis(2), Slice::from(first..first + size));
        let spikes = own.iter().map(|&c| f64::from(c)).sum::<f64>() / size.max(1) as f64;
        if spikes < FEW_SPIKES {
            notes.push(format!("{name}: {spikes:.0} spikes per unit are few; a missing edge means little"));
        }
        first += size;
    }
    notes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::analysis::edge_score::SecondFactor;
    use crate::recording::{Recording, TrialPlan};
    use crate::simulate::{GlmEdge, GlmSimulation};

    fn binned(simulation: &GlmSimulation) -> (Recording, BinnedTrials, Vec<String>) {
        let recording = simulation.simulate().unwrap();
        let trials = TrialPlan::default().resolve(&recording).unwrap();
        let binned = BinnedTrials::count(&recording, &trials, &(0..recording.n_units()).collect::<Vec<_>>()).unwrap();
        (recording, binned, trials.conditions)
    }

    fn areas(sizes: &[usize], edges: &[(usize, usize)], trials: usize, seed: u64) -> GlmSimulation {
        let area_names = (0..sizes.len()).map(|a| format!("area {a}")).collect();
        let edges = edges.iter().map(|&(source, target)| GlmEdge { source, target, units: 5 }).collect();
        GlmSimulation { areas: sizes.to_vec(), area_names, trials, edges, seed, ..GlmSimulation::default() }
    }

    #[test]
    fn the_true_edge_is_screened_before_any_training() {
        let (_, binned, conditions) = binned(&areas(&[12, 10, 8], &[(0, 2)], 220, 2));
        let watch = Watch::default();
        let found = screen(&binned, &conditions, &ScreeningPlan::default(), &watch).unwrap().unwrap();
        assert_eq!((found.pairs.len(), found.trials), (9, (220, 220)));
        assert!(watch.share().is_some_and(|s| s > 0.99));
        let supported: Vec<_> = found.pairs.iter().filter(|p| p.is_supported()).map(|p| (p.source, p.target)).collect();
        assert_eq!(supported, [(0, 2)]);
        let (edge, q) = found.pair(0, 2).unwrap();
        assert!(q < 1e-3 && edge.second.as_ref().is_some_and(|s| !s.is_supported()), "one true factor: {:?}", edge.second);
        let filter = found.filter(edge);
        let peak = (0..filter.len()).max_by(|&a, &b| filter[a].abs().total_cmp(&filter[b].abs())).unwrap();
        assert!(peak <= 2 && filter.len() == 27);
    }

    /// Two factors with different receivers: the second one is supported too.
    #[test]
    fn a_second_factor_is_supported_when_there_is_one() {
        let (_, mut binned, conditions) = binned(&areas(&[12, 12], &[(0, 1)], 300, 5));
        // Unit 9 of the first area also drives units 21 and 22 two bins later: copies of its spikes.
        for trial in 0..binned.n_trials() {
            for bin in 0..binned.counts.len_of(Axis(1)) - 2 {
                if binned.counts[[trial, bin, 9]] > 0 && (bin + trial) % 3 == 0 {
                    binned.counts[[trial, bin + 2, 21]] = 1;
                    binned.counts[[trial, bin + 2, 22]] = 1;
                }
            }
        }
        let found = screen(&binned, &conditions, &ScreeningPlan::default(), &Watch::default()).unwrap().unwrap();
        let (edge, _) = found.pair(0, 1).unwrap();
        assert!(edge.is_supported() && edge.second.as_ref().is_some_and(SecondFactor::is_supported), "{:?}", edge.second);
    }

    /// Small and large areas, quiet and busy ones, without any coupling: the threshold of each pair comes from its own null.
    #[test]
    fn unequal_areas_and_rates_have_thresholds_of_their_own() {
        let (mut false_ones, mut pairs) = (Vec::new(), 0);
        for seed in 0..8 {
            let simulation = GlmSimulation {
                shared_background: if seed % 2 == 0 { 0.0 } else { 0.4 },
                baseline_hz: [8.0, 20.0, 40.0][seed as usize % 3],
                ..areas(&[4, 20, 9], &[], 60, 300 + seed)
            };
            let (_, binned, conditions) = binned(&simulation);
            let plan = ScreeningPlan { seed, second_factor: true, ..ScreeningPlan::default() };
            let found = screen(&binned, &conditions, &plan, &Watch::default()).unwrap().unwrap();
            let null = |source: usize, target: usize| {
                let pair = found.pair(source, target).unwrap().0;
                pair.null.iter().sum::<f64>() / pair.null.len() as f64
            };
            assert!(null(1, 1) > 1.2 * null(0, 0), "larger areas have larger scores by chance");
            pairs += found.pairs.len();
            false_ones.extend(found.pairs.iter().filter(|p| p.is_supported()).map(|p| (seed, p.source, p.target, p.score, p.threshold)));
        }
        assert!(pairs == 72 && false_ones.len() <= 3, "{false_ones:?}");
    }

    #[test]
    fn slower_filters_have_wider_windows_and_say_so() {
        let plan = ScreeningPlan { basis: (4, 0.06, 0.5), most_trials: 20, ..ScreeningPlan::default() };
        assert_eq!(ScreeningPlan::default().window_bins(0.002), 27);
        let wide = plan.window_bins(0.002);
        assert!(wide > 27 && wide == plan.filter_basis(0.002).nrows(), "{wide}");
        let (_, binned, conditions) = binned(&areas(&[3, 3], &[], 40, 1));
        let found = screen(&binned, &conditions, &plan, &Watch::default()).unwrap().unwrap();
        assert_eq!(found.trials, (20, 40));
        assert!(found.notes.iter().any(|n| n.contains("is wide")), "{:?}", found.notes);
        let stopped = Watch::default();
        stopped.stop();
        assert_eq!(screen(&binned, &conditions, &plan, &stopped).unwrap(), None);
    }
}
