#![allow(clippy::unwrap_used)]

use ndarray::Slice;

use super::*;
use crate::analysis::lbfgs::Stop;
use crate::analysis::{bases, true_rates};
use crate::recording::{BinnedTrials, Recording, TrialPlan};
use crate::simulate::{GlmEdge, GlmSimulation};

/// A simulation with its true own dynamics frozen: the first three quarters of the trials train, the others test.
pub(crate) fn frozen(simulation: &GlmSimulation) -> (Recording, FrozenModel) {
    let recording = simulation.simulate().unwrap();
    let trials = TrialPlan::default().resolve(&recording).unwrap();
    let binned = BinnedTrials::count(&recording, &trials, &(0..recording.n_units()).collect::<Vec<_>>()).unwrap();
    let glm = recording.truth.as_ref().unwrap().glm.clone().unwrap();
    let mut own = Array3::zeros((binned.n_trials(), binned.bins, binned.n_units()));
    for (mut trial, factors) in own.axis_iter_mut(ndarray::Axis(0)).zip(glm.factors.axis_iter(ndarray::Axis(0))) {
        let of_trial = true_rates::own_dynamics(glm.baseline, factors, &glm.loadings, &recording.units.area);
        trial.assign(&of_trial.slice_axis(ndarray::Axis(0), Slice::from(binned.pad_bins..)).mapv(|x| x as f32));
    }
    let filter: Vec<f32> = glm.post_spike.iter().map(|&x| x as f32).collect();
    let n = binned.n_trials();
    let model = FrozenModel {
        areas: binned.areas.clone(),
        area_sizes: binned.area_sizes.clone(),
        bin_s: binned.bin_s,
        own,
        post_spike: Array2::from_shape_fn((filter.len(), binned.n_units()), |(lag, _)| filter[lag]),
        basis: bases::raised_cosine(3, 7.0, 0.5),
        splines: 10,
        couplings: Vec::new(),
        conditions: vec![0; n],
        train: (0..3 * n / 4).collect(),
        test: (3 * n / 4..n).collect(),
        notes: Vec::new(),
        counts: binned.counts,
    };
    (recording, model)
}

pub(crate) fn areas(sizes: &[usize], edges: &[(usize, usize)], trials: usize, seed: u64) -> GlmSimulation {
    let area_names = (0..sizes.len()).map(|a| format!("area {a}")).collect();
    let edges = edges.iter().map(|&(source, target)| GlmEdge { source, target, units: 5 }).collect();
    GlmSimulation { areas: sizes.to_vec(), area_names, trials, edges, seed, ..GlmSimulation::default() }
}

pub(crate) fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

const STOP: Stop = Stop { iterations: 60, least_gain: 1e-3 };

#[test]
fn the_gradient_is_that_of_the_loss() {
    let (_, model) = frozen(&areas(&[4, 3], &[], 20, 5));
    let data = TargetData::new(&model, 1, &model.train);
    let spikes = [0, 1].map(|area| SourceSpikes::of(&model, area, &model.train));
    let spikes = [&spikes[0], &spikes[1], &spikes[0]];
    let wave = |n: usize, k: f64| (0..n).map(|i| 0.4 * ((i as f64 + 1.0) * k).sin()).collect::<Vec<f64>>();
    let term =
        |source: usize, units: usize, k: f64| Term { source, send: wave(units, k), coef: wave(3, 2.0 * k), receive: wave(3, 3.0 * k) };
    let terms = [term(0, 4, 1.3), term(1, 3, 0.7), term(0, 4, 2.1)];
    let mean = Array2::from_shape_fn(data.no_mean().dim(), |(k, n)| 0.1 * ((k + 3 * n) as f64).cos());
    let weights: Vec<f32> = (0..data.trials()).map(|t| (t % 3) as f32).collect();
    for weights in [None, Some(weights.as_slice())] {
        let place = target::pack(&terms, &mean);
        let found = data.evaluate(&terms, &spikes, &mean, weights);
        // The loss along each of some directions, by central differences: single precision inside needs a wide step.
        for direction in 0..6 {
            let along: Vec<f64> = (0..place.len()).map(|i| ((i * (direction + 2)) as f64).sin()).collect();
            let moved = |step: f64| {
                let mut terms = terms.to_vec();
                let mut at = 0;
                for term in &mut terms {
                    for x in term.send.iter_mut().chain(&mut term.coef).chain(&mut term.receive) {
                        *x += step * along[at];
                        at += 1;
                    }
                }
                let mut mean = mean.clone();
                mean.iter_mut().for_each(|x| {
                    *x += step * along[at];
                    at += 1;
                });
                data.evaluate(&terms, &spikes, &mean, weights).loss
            };
            let numeric = (moved(1e-3) - moved(-1e-3)) / 2e-3;
            let exact: f64 = found.gradient.iter().zip(&along).map(|(g, d)| g * d).sum();
            let size = found.gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            assert!((numeric - exact).abs() < 2e-3 * size + 0.5, "direction {direction}: {numeric} against {exact}");
        }
    }
}

/// With the true terms, the log-rates are those of the simulation, and its likelihood.
#[test]
fn true_terms_give_the_true_log_rates() {
    let (recording, mut model) = frozen(&areas(&[8, 6], &[(0, 1)], 12, 3));
    let truth = recording.truth.as_ref().unwrap();
    let edge = &truth.edges[0];
    // The true filter is on the same basis: coefficients 1, 0.2, 0.
    let term = Term { source: 0, send: edge.send.clone(), coef: vec![1.0, 0.2, 0.0], receive: edge.receive.clone() };
    model.couplings.push((1, term.clone()));
    let trials: Vec<usize> = (0..12).collect();
    let data = TargetData::new(&model, 1, &trials);
    let spikes = SourceSpikes::of(&model, 0, &trials);
    let scale = bases::filter(&model.basis, &term.coef).iter().zip(&edge.filter).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(scale < 1e-9, "the filter of the truth");
    let fit = Fit { terms: vec![term], mean: data.no_mean(), loss: 0.0, converged: true };
    let found = data.log_rates(&fit, &[&spikes]);
    let plan = TrialPlan::default().resolve(&recording).unwrap();
    let units: Vec<usize> = (8..14).collect();
    for trial in [0, 7] {
        let wanted = true_rates::true_log_rate(&recording, &plan, trial, &units).unwrap();
        let apart =
            found.index_axis(ndarray::Axis(0), trial).iter().zip(&wanted).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(apart < 2e-4, "trial {trial}: {apart}");
    }
    let loss = -data.log_likelihoods(&fit, &[&spikes]).iter().sum::<f64>();
    assert!((loss - data.evaluate(&fit.terms, &[&spikes], &fit.mean, None).loss).abs() < 1e-4 * loss.abs());
    // Taking out the only term leaves what it added.
    let output = data.term_output(&fit.terms[0], &spikes);
    let bare = data.log_rates(&Fit { terms: vec![], ..fit.clone() }, &[]);
    assert!((&found - &bare - &output).iter().all(|x| x.abs() < 1e-5));
}

#[test]
fn a_refit_from_its_score_recovers_the_coupling() {
    for (seed, sign) in [(1, 1.0), (2, -1.0)] {
        let mut simulation = areas(&[12, 10], &[(0, 1)], 260, seed);
        simulation.coupling.iter_mut().for_each(|c| *c *= sign);
        let (recording, model) = frozen(&simulation);
        let edge = &recording.truth.as_ref().unwrap().edges[0];
        let data = TargetData::new(&model, 1, &model.train);
        let spikes = SourceSpikes::of(&model, 0, &model.train);
        let start = Starts::new(&data, 0, 27, false).terms(&[&spikes]);
        let fit = data.fit(&start, &[&spikes], &data.no_mean(), None, STOP);
        let term = fit.terms[0].normalised(None);
        assert!(cosine(&term.send, &edge.send) > 0.93, "seed {seed}: send {}", cosine(&term.send, &edge.send));
        assert!(cosine(&term.receive, &edge.receive) > 0.93, "seed {seed}: receive {}", cosine(&term.receive, &edge.receive));
        let filter = term.filter(&model.basis);
        let norm = |h: &[f64]| h.iter().map(|x| x * x).sum::<f64>().sqrt();
        assert!(cosine(&filter, &edge.filter) > 0.95 && (norm(&filter) / norm(&edge.filter) - 1.0).abs() < 0.25, "seed {seed}");
        // The reverse pair finds next to nothing.
        let back = TargetData::new(&model, 0, &model.train);
        let other = SourceSpikes::of(&model, 1, &model.train);
        let start = Starts::new(&back, 1, 27, false).terms(&[&other]);
        let wrong = back.fit(&start, &[&other], &back.no_mean(), None, STOP).terms[0].normalised(None);
        assert!(norm(&wrong.filter(&model.basis)) < 0.4 * norm(&filter), "seed {seed}");
        let share = data.contribution(&fit, &[&spikes], &[0]);
        assert!(share * sign > 1.0, "seed {seed}: {share} %; coupling that lowers rates takes variance away");
    }
}

#[test]
fn normalising_keeps_the_product_and_follows_a_reference() {
    let term = Term { source: 0, send: vec![3.0, -4.0], coef: vec![2.0, 1.0], receive: vec![-1.0, -1.0] };
    let shown = term.normalised(None);
    let product = |t: &Term, m: usize, b: usize, n: usize| t.send[m] * t.coef[b] * t.receive[n];
    assert!((product(&term, 1, 0, 1) - product(&shown, 1, 0, 1)).abs() < 1e-12);
    assert!(shown.send.iter().sum::<f64>() >= 0.0 && (shown.send.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-12);
    let flipped = term.normalised(Some(&Term { send: vec![1.0, 0.0], ..shown.clone() }));
    assert!(flipped.send[0] > 0.0 && (product(&term, 0, 1, 1) - product(&flipped, 0, 1, 1)).abs() < 1e-12);
    let none = Term { source: 0, send: vec![0.0], coef: vec![1.0], receive: vec![1.0] }.normalised(None);
    assert!(none.coef[0] == 0.0 && none.send[0] == 0.0);
}

#[test]
fn nothing_to_learn_from_gives_zeros_and_no_fault() {
    let (_, mut model) = frozen(&areas(&[2, 2], &[], 8, 1));
    model.counts.fill(0);
    model.post_spike = Array2::zeros((0, 0));
    let data = TargetData::new(&model, 1, &model.train);
    let spikes = SourceSpikes::of(&model, 0, &model.train);
    let start = Starts::new(&data, 0, 27, false).terms(&[&spikes]);
    assert!(start[0].coef.iter().all(|c| *c == 0.0));
    let fit = data.fit(&start, &[&spikes], &data.no_mean(), None, STOP);
    assert!(fit.loss.is_finite() && fit.mean.iter().all(|x| x.is_finite()));
    assert_eq!(data.contribution(&fit, &[&spikes], &[0]), 0.0);
    let none = TargetData::new(&model, 0, &[]);
    assert!(none.log_likelihoods(&Fit { terms: vec![], mean: none.no_mean(), loss: 0.0, converged: true }, &[]).is_empty());
}
