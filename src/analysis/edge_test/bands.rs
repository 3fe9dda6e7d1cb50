//! Percentile bands of filters and weights: the coupling stage refitted on training trials that are drawn with replacement.

use ndarray::Array3;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::pair::{Area, course};
use super::run::{FIT_PARTS, Steps};
use super::{BAND, Band, Bands, EdgeTestPlan, JOINT};
use crate::analysis::coupling_stage::{Fit, Term};
use crate::analysis::multiple::percentile;

/// What one resample gives for one term.
struct Drawn {
    filter: Vec<f64>,
    send: Vec<f64>,
    receive: Vec<f64>,
    course: Vec<f64>,
}

/// Bands of the first factor of every pair that the run fitted onto this area, by source. `None` when it was stopped.
pub(super) fn bands(area: &Area<'_>, plan: &EdgeTestPlan, steps: &Steps<'_>) -> Option<Vec<(usize, Bands)>> {
    let spikes = area.spikes_of(&area.terms, true);
    let fit = area.train.fit(&area.terms, &spikes, &area.train.no_mean(), None, JOINT);
    let references: Vec<Term> = fit.terms.iter().map(|t| t.normalised(None)).collect();
    let draws: Option<Vec<Vec<Drawn>>> = (0..plan.bootstrap)
        .into_par_iter()
        .map(|resample| {
            let weights = weights(area.train.trials(), plan.seed.wrapping_add(resample as u64 + 1));
            let drawn = area.train.fit(&fit.terms, &spikes, &fit.mean, Some(&weights), JOINT);
            steps.step(FIT_PARTS).then(|| drawn_terms(area, &drawn, &references))
        })
        .collect();
    let draws = draws?;
    let whole = drawn_terms(area, &fit, &references);
    let mut found: Vec<(usize, Bands)> = Vec::new();
    for (at, (term, fit)) in references.iter().zip(whole).enumerate() {
        if found.iter().any(|(source, _)| *source == term.source) || term.source == area.target {
            continue;
        }
        let of = |part: fn(&Drawn) -> &Vec<f64>, fit: &Vec<f64>| {
            let lists: Vec<&Vec<f64>> = draws.iter().filter_map(|d| d.get(at)).map(part).collect();
            band(&lists, fit)
        };
        let bands = Bands {
            filter: of(|d| &d.filter, &fit.filter),
            send: of(|d| &d.send, &fit.send),
            receive: of(|d| &d.receive, &fit.receive),
            course: of(|d| &d.course, &fit.course),
            resamples: plan.bootstrap,
        };
        found.push((term.source, bands));
    }
    Some(found)
}

fn drawn_terms(area: &Area<'_>, fit: &Fit, references: &[Term]) -> Vec<Drawn> {
    let one = |(term, reference): (&Term, &Term)| {
        let shown = term.normalised(Some(reference));
        let output = area.spikes.get(term.source).map_or_else(|| Array3::zeros((0, 0, 0)), |(_, test)| area.test.term_output(term, test));
        Drawn { filter: shown.filter(&area.model.basis), send: shown.send, receive: shown.receive, course: course(&output) }
    };
    fit.terms.iter().zip(references).map(one).collect()
}

/// How often every trial was drawn.
fn weights(trials: usize, seed: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut weights = vec![0.0; trials];
    for _ in 0..trials {
        if let Some(w) = weights.get_mut(random.random_range(0..trials)) {
            *w += 1.0;
        }
    }
    weights
}

fn band(draws: &[&Vec<f64>], fit: &[f64]) -> Band {
    let ends = |at: usize| {
        let mut values: Vec<f64> = draws.iter().filter_map(|d| d.get(at).copied()).filter(|x| x.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let own = fit.get(at).copied().unwrap_or(0.0);
        let end = |share: f64| if values.is_empty() { own } else { percentile(&values, share) };
        (end(0.5 * (1.0 - BAND)), end(0.5 * (1.0 + BAND)))
    };
    let (low, high) = (0..fit.len()).map(ends).unzip();
    Band { low, fit: fit.to_vec(), high }
}
