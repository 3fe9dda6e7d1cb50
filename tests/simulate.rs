//! The GLM simulator: its truth against golden vectors, its counts, its trials, and what the coupling does to area B.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fs::File;

use ndarray::{Array1, Array2, Array3, Array4, ArrayView2, Axis, Ix1, Ix2, Ix3, Slice};
use ndarray_npy::NpzReader;
use spikescope::analysis::compare::{EstimatedEdge, truth_scores};
use spikescope::analysis::edge_score::{EdgeScorer, EdgeScoring};
use spikescope::analysis::{bases, loss, true_rates};
use spikescope::recording::{BinnedTrials, GlmTruth, Recording, Source, TrialPlan, TrialSource, Trials, TrueEdge, split_trials};
use spikescope::simulate::{self, GlmEdge, GlmSimulation, SimulateError};

fn fixture(name: &str) -> NpzReader<File> {
    NpzReader::new(File::open(format!("tests/fixtures/{name}")).unwrap()).unwrap()
}

fn columns(values: ArrayView2<'_, u8>, range: std::ops::Range<usize>) -> ArrayView2<'_, u8> {
    values.slice_axis_move(Axis(1), Slice::from(range))
}

fn small(trials: usize, seed: u64) -> GlmSimulation {
    GlmSimulation { areas: vec![12, 8], trials, edges: vec![GlmEdge { source: 0, target: 1, units: 4 }], seed, ..GlmSimulation::default() }
}

fn binned(recording: &Recording) -> (Trials, BinnedTrials) {
    let trials = TrialPlan::default().resolve(recording).unwrap();
    let units: Vec<usize> = (0..recording.n_units()).collect();
    let counts = BinnedTrials::count(recording, &trials, &units).unwrap();
    (trials, counts)
}

#[test]
fn bases_match_the_reference_tables() {
    let mut reference = fixture("bases.npz");
    let mut compare = |key: &str, ours: Array2<f64>| {
        let table: ndarray::Array<f32, Ix2> = reference.by_name(key).unwrap();
        assert_eq!(table.dim(), ours.dim(), "{key}");
        for (ours, theirs) in ours.iter().zip(&table) {
            assert!((ours - f64::from(*theirs)).abs() < 1e-6, "{key}: {ours} instead of {theirs}");
        }
    };
    for (count, peak, stretch) in [(3, 5.0, 0.5), (3, 7.0, 0.5), (2, 1.5, 1.0), (3, 1.5, 1.0), (3, 2.0, 0.7)] {
        compare(&format!("raised_cosine/n{count}_peak{peak}_stretch{stretch:.1}"), bases::raised_cosine(count, peak, stretch));
    }
    for (count, bins) in [(10, 250), (20, 250), (10, 200), (5, 30), (50, 250)] {
        compare(&format!("spline/n{count}_bins{bins}"), bases::spline_basis(count, bins));
    }
}

/// Golden vectors of two areas of four units: counts (3, 50, 8) with drive, history and total log-rate.
#[test]
fn the_true_log_rate_matches_the_reference() {
    let mut npz = fixture("simulator_glm.npz");
    let counts: ndarray::Array<f64, Ix3> = npz.by_name("glm/counts").unwrap();
    let counts = counts.mapv(|c| c as u8);
    let read1 = |npz: &mut NpzReader<File>, key: &str| -> Vec<f64> { npz.by_name::<ndarray::OwnedRepr<f64>, Ix1>(key).unwrap().to_vec() };
    let read3 = |npz: &mut NpzReader<File>, key: &str| -> Array3<f64> { npz.by_name(key).unwrap() };
    let edge = TrueEdge {
        source: 0,
        target: 1,
        send: read1(&mut npz, "glm/u"),
        receive: read1(&mut npz, "glm/v"),
        filter: read1(&mut npz, "glm/h"),
    };
    let post_spike = read1(&mut npz, "glm/g");
    let drive: ndarray::Array<f64, Ix2> = npz.by_name("glm/drive").unwrap();
    let history = read3(&mut npz, "glm/history");
    let added = read3(&mut npz, "glm/coupling_plus_history");
    let log_rate = read3(&mut npz, "glm/log_rate");

    // What is neither coupling nor history goes in as four factors per area, one per unit.
    let (trials, bins, units) = counts.dim();
    let baseline = 0.05_f64.ln();
    let factors = Array4::from_shape_fn((trials, 2, 4, bins), |(trial, area, unit, bin)| {
        let at = [trial, bin, 4 * area + unit];
        (log_rate[at] - added[at] - baseline) as f32
    });
    let loadings = Array2::from_shape_fn((units, 4), |(unit, factor)| if unit % 4 == factor { 1.0 } else { 0.0 });
    let truth = GlmTruth { bin_s: 0.002, pad_bins: 10, bins: 40, trial_spacing_s: 0.2, baseline, factors, loadings, post_spike };
    let areas = [0, 0, 0, 0, 1, 1, 1, 1];
    let silent = GlmTruth { baseline: 0.0, factors: Array4::zeros((trials, 2, 4, bins)), ..truth.clone() };
    let close =
        |found: f64, wanted: f64, tolerance: f64| assert!((found - wanted).abs() <= tolerance * wanted.abs().max(1.0), "{found} {wanted}");

    for trial in 0..trials {
        let spikes = counts.index_axis(Axis(0), trial);
        for (ours, theirs) in true_rates::coupling_drive(&edge, columns(spikes, 0..4)).iter().zip(drive.row(trial)) {
            close(*ours, *theirs, 1e-9);
        }
        for (ours, theirs) in true_rates::history(&truth.post_spike, spikes).iter().zip(history.index_axis(Axis(0), trial)) {
            close(*ours, *theirs, 1e-9);
        }
        let parts = true_rates::glm_log_rate(&silent, std::slice::from_ref(&edge), &areas, trial, spikes).unwrap();
        for (ours, theirs) in parts.iter().zip(added.index_axis(Axis(0), trial)) {
            close(*ours, *theirs, 1e-9);
        }
        let total = true_rates::glm_log_rate(&truth, std::slice::from_ref(&edge), &areas, trial, spikes).unwrap();
        for (ours, theirs) in total.iter().zip(log_rate.index_axis(Axis(0), trial)) {
            close(*ours, *theirs, 1e-6);
        }
    }
    assert!(true_rates::glm_log_rate(&truth, &[], &areas, trials, counts.index_axis(Axis(0), 0)).is_none());
    assert!(true_rates::glm_log_rate(&truth, &[], &areas[..7], 0, counts.index_axis(Axis(0), 0)).is_none());
}

#[test]
fn the_default_plan_picks_exactly_the_simulated_trials() {
    let recording = small(30, 3).simulate().unwrap();
    let (trials, binned) = binned(&recording);
    assert_eq!((trials.bins, trials.pad_bins, trials.starts.len(), trials.dropped.len()), (250, 50, 30, 0));
    assert_eq!(trials.rows, (0..30).collect::<Vec<_>>());
    assert_eq!((binned.areas.clone(), binned.area_sizes.clone()), (vec!["A".to_owned(), "B".to_owned()], vec![12, 8]));
    // Every spike lies in some trial's window or padding, so the counts hold them all.
    assert_eq!(binned.counts.iter().map(|&c| usize::from(c)).sum::<usize>(), recording.spikes.n_spikes());
    let tiles = TrialPlan { source: TrialSource::Tiles, ..TrialPlan::default() }.resolve(&recording).unwrap();
    assert_eq!(tiles.starts, trials.starts);
    assert!(matches!(&recording.source, Source::Simulated { simulator, seed: 3, .. } if simulator == "glm"));
}

/// That the counts are those drawn is tested beside the simulator; here, that they are robust and refractory.
#[test]
fn counts_survive_rounding_and_show_the_post_spike_filter() {
    let simulation = GlmSimulation { baseline_hz: 150.0, edges: Vec::new(), ..small(40, 5) };
    let recording = simulation.simulate().unwrap();
    let (trials, binned) = binned(&recording);
    assert!(binned.counts.iter().any(|&c| c >= 3), "the test needs bins with several spikes");
    // Spikes keep 5 % of a bin away from its edges: a shift of the bins by 4 % of a bin changes no count.
    for shift in [-0.04, 0.04] {
        let moved = Trials { starts: trials.starts.iter().map(|t| t + shift * 0.002).collect(), ..trials.clone() };
        assert_eq!(BinnedTrials::count(&recording, &moved, &binned.units).unwrap().counts, binned.counts);
    }
    let moved = Trials { starts: trials.starts.iter().map(|t| t + 0.001).collect(), ..trials.clone() };
    assert_ne!(BinnedTrials::count(&recording, &moved, &binned.units).unwrap().counts, binned.counts);
    // Refractory: the post-spike filter starts at -2.5, so a spike is rarely followed by one in the next bin.
    let (mut followed, mut spikes, mut cells) = (0.0, 0.0, 0.0);
    for trial in binned.counts.axis_iter(Axis(0)) {
        for bin in 0..trial.nrows() - 1 {
            for unit in 0..trial.ncols() {
                let (now, next) = (f64::from(trial[[bin, unit]].min(1)), f64::from(trial[[bin + 1, unit]].min(1)));
                (followed, spikes, cells) = (followed + now * next, spikes + now, cells + 1.0);
            }
        }
    }
    assert!(followed / spikes < 0.3 * spikes / cells, "{} after a spike, {} on average", followed / spikes, spikes / cells);
}

#[test]
fn the_same_seed_gives_the_same_recording_whatever_the_number_of_threads() {
    let with = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| small(12, seed).simulate().unwrap())
    };
    let (one, three) = (with(1, 4), with(3, 4));
    assert_eq!(one.fingerprint, three.fingerprint);
    assert_eq!(one.truth, three.truth);
    assert_ne!(one.fingerprint, with(1, 5).fingerprint);
}

#[test]
fn losses_are_ordered_and_the_oracle_is_the_best() {
    let recording = small(300, 1).simulate().unwrap();
    let (trials, binned) = binned(&recording);
    let split = split_trials(&trials.conditions, Default::default(), 1);
    let oracle = true_rates::oracle_loss(&recording, &trials, &binned, &split.test).unwrap();
    let flat = loss::flat_loss(binned.counts.view(), binned.pad_bins, &split.train, &split.test).unwrap();
    let psth = loss::psth_loss(binned.counts.view(), binned.pad_bins, &split.train, &split.validation, &split.test).unwrap();
    // The slow factors have mean zero over trials, so the PSTH cannot do better than a flat rate; the truth can.
    assert!(oracle < flat - 0.005, "oracle {oracle}, flat {flat}");
    assert!((psth.loss - flat).abs() < 0.001, "PSTH {psth:?}, flat {flat}");
    // Changing the truth a little makes the loss worse: the drawn counts follow exactly these rates.
    for change in [
        (|t: &mut GlmTruth| t.baseline += 0.1) as fn(&mut GlmTruth),
        |t| t.post_spike[0] += 0.5,
        |t| t.factors.mapv_inplace(|f| 0.8 * f),
        |t| t.loadings.mapv_inplace(|w| 1.2 * w),
    ] {
        let mut other = recording.clone();
        change(other.truth.as_mut().unwrap().glm.as_mut().unwrap());
        assert!(
            true_rates::oracle_loss(&other, &trials, &binned, &split.train).unwrap()
                > true_rates::oracle_loss(&recording, &trials, &binned, &split.train).unwrap()
        );
    }
    let mut uncoupled = recording.clone();
    uncoupled.truth.as_mut().unwrap().edges.clear();
    assert!(
        true_rates::oracle_loss(&uncoupled, &trials, &binned, &split.train).unwrap()
            > true_rates::oracle_loss(&recording, &trials, &binned, &split.train).unwrap()
    );
}

#[test]
fn the_oracle_knows_units_left_out_other_windows_and_its_limits() {
    let recording = small(20, 2).simulate().unwrap();
    let (trials, binned) = binned(&recording);
    let all = true_rates::true_log_rate(&recording, &trials, 7, &binned.units).unwrap();
    let few = [3, 15];
    let some = true_rates::true_log_rate(&recording, &trials, 7, &few).unwrap();
    assert_eq!(some, all.select(Axis(1), &few), "rates of some units follow from the spikes of all");
    let late = TrialPlan { window_start_s: 0.1, window_s: 0.2, ..TrialPlan::default() }.resolve(&recording).unwrap();
    assert_eq!(true_rates::true_log_rate(&recording, &late, 7, &few).unwrap(), some.slice_axis(Axis(0), Slice::from(50..150)));
    let wide = TrialPlan { bin_s: 0.004, ..TrialPlan::default() }.resolve(&recording).unwrap();
    assert!(true_rates::true_log_rate(&recording, &wide, 7, &few).is_none());
    let mut unknown = recording.clone();
    unknown.truth = None;
    assert!(true_rates::oracle_loss(&unknown, &trials, &binned, &[0]).is_none());
    assert!(true_rates::oracle_loss(&recording, &trials, &binned, &[]).is_none());

    // Units 1 and 13 are left out: the edge loses one sending and one receiving weight.
    let kept: Vec<usize> = (0..20).filter(|u| ![1, 13].contains(u)).collect();
    let fewer = BinnedTrials::count(&recording, &trials, &kept).unwrap();
    let seen = true_rates::edges_seen(&recording, &fewer);
    let truth = &recording.truth.as_ref().unwrap().edges[0];
    assert_eq!((seen.len(), seen[0].send.len(), seen[0].receive.len()), (1, 11, 7));
    assert_eq!((seen[0].send[1], seen[0].receive[1]), (truth.send[2], truth.receive[2]));
    let only_b: Vec<usize> = (12..20).collect();
    assert_eq!(true_rates::edges_seen(&recording, &BinnedTrials::count(&recording, &trials, &only_b).unwrap()), []);
}

/// Spike-triggered mean of B's coupled units after spikes of A's coupled units, against uncoupled units and against no edge.
#[test]
fn area_b_follows_the_coupled_units_of_area_a() {
    let triggered = |recording: &Recording, from: std::ops::Range<usize>, to: std::ops::Range<usize>| -> f64 {
        let (_, binned) = binned(recording);
        let (mut after, mut before, mut spikes) = (0.0, 0.0, 0.0);
        for trial in binned.counts.axis_iter(Axis(0)) {
            let sum = |range: std::ops::Range<usize>| -> Array1<f64> { columns(trial, range).mapv(f64::from).sum_axis(Axis(1)) };
            let (source, target) = (sum(from.clone()), sum(to.clone()));
            for bin in 5..trial.nrows() - 5 {
                let n = source[bin];
                spikes += n;
                after += n * target.iter().skip(bin + 1).take(4).sum::<f64>();
                before += n * target.iter().skip(bin - 4).take(4).sum::<f64>();
            }
        }
        (after - before) / spikes
    };
    let coupled = small(200, 8).simulate().unwrap();
    let uncoupled = GlmSimulation { edges: Vec::new(), ..small(200, 8) }.simulate().unwrap();
    let effect = triggered(&coupled, 0..4, 12..16);
    assert!(effect > 0.2, "extra spikes of B's coupled units in the 8 ms after a spike of A's: {effect}");
    assert!(triggered(&coupled, 6..10, 12..16).abs() < 0.25 * effect, "uncoupled units of A");
    assert!(triggered(&coupled, 0..4, 16..20).abs() < 0.25 * effect, "uncoupled units of B");
    assert!(triggered(&coupled, 12..16, 0..4) < -0.5 * effect, "A does not follow B");
    assert!(triggered(&uncoupled, 0..4, 12..16).abs() < 0.25 * effect, "no edge");
}

#[test]
fn rates_factors_and_weights_are_the_published_ones() {
    let recording = GlmSimulation { trials: 60, ..GlmSimulation::default() }.simulate().unwrap();
    let truth = recording.truth.as_ref().unwrap();
    let glm = truth.glm.as_ref().unwrap();
    assert!((glm.baseline - 0.05_f64.ln()).abs() < 1e-12);
    assert!(glm.loadings.iter().all(|w| (-0.9..1.0).contains(w)));
    let variance = glm.factors.iter().map(|&f| f64::from(f).powi(2)).sum::<f64>() / glm.factors.len() as f64;
    assert!((variance - 0.5).abs() < 0.1, "variance of the slow factors {variance}");
    let edge = &truth.edges[0];
    assert_eq!((truth.edges.len(), edge.source, edge.target, edge.filter.len()), (1, 0, 1, 27));
    for weights in [&edge.send, &edge.receive] {
        assert!((weights.iter().map(|w| w * w).sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(weights[..10].iter().all(|&w| (0.2..0.45).contains(&w)) && weights[10..].iter().all(|&w| w == 0.0));
    }
    assert!((glm.post_spike[0] + 2.5).abs() < 1e-12);
    let rate = recording.spikes.n_spikes() as f64 / (60.0 * 0.6 * 100.0);
    assert!((20.0..40.0).contains(&rate), "mean rate {rate} Hz");
}

/// Trap 7 of the specification: a label rho gives a correlation of sqrt(rho) with the first area.
#[test]
fn shared_background_correlates_areas_by_the_square_root() {
    let correlation = |rho: f64| {
        let simulation = GlmSimulation { shared_background: rho, gp_length_bins: 10.0, ..small(200, 6) };
        let recording = simulation.simulate().unwrap();
        let factors = &recording.truth.as_ref().unwrap().glm.as_ref().unwrap().factors;
        let products = |a: usize, b: usize| -> f64 {
            let (x, y) = (factors.index_axis(Axis(1), a), factors.index_axis(Axis(1), b));
            x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
        };
        products(0, 1) / (products(0, 0) * products(1, 1)).sqrt()
    };
    assert!(correlation(0.0).abs() < 0.05);
    assert!((correlation(0.4) - 0.4_f64.sqrt()).abs() < 0.05);
    assert!((correlation(1.0) - 1.0).abs() < 1e-6);
}

#[test]
fn activity_that_runs_away_is_refused_with_the_reason() {
    let simulation = GlmSimulation {
        edges: vec![GlmEdge { source: 0, target: 0, units: 12 }],
        coupling: vec![6.0, 6.0, 6.0],
        baseline_hz: 200.0,
        ..small(4, 1)
    };
    let error = simulation.simulate().unwrap_err();
    assert!(matches!(error, SimulateError::RunAway { .. }), "{error}");
}

#[test]
fn the_demo_is_always_the_same_and_has_one_edge() {
    let (one, two) = (simulate::demo().unwrap(), simulate::demo().unwrap());
    assert_eq!((one.fingerprint.clone(), one.name.as_str()), (two.fingerprint, "demo"));
    let truth = one.truth.as_ref().unwrap();
    assert_eq!((truth.edges.len(), truth.edges[0].source, truth.edges[0].target), (1, 0, 1));
    assert_eq!(one.areas, ["A", "B"]);
    let (trials, _) = binned(&one);
    assert!(trials.starts.len() >= 100 && trials.bins == 250);
}

/// What the demo is for: the one edge stands out at once, even against rates that know nothing of slow dynamics.
#[test]
fn the_edge_of_the_demo_can_be_found_before_any_training() {
    let recording = simulate::demo().unwrap();
    let (_, binned) = binned(&recording);
    let cells = (binned.n_trials() * binned.counts.len_of(Axis(1))) as f32;
    let means = binned.counts.mapv(u32::from).sum_axis(Axis(0)).sum_axis(Axis(0)).mapv(|spikes| spikes as f32 / cells);
    let rates = means.broadcast((binned.n_trials(), binned.bins, binned.n_units())).unwrap();
    let basis = bases::raised_cosine(3, 7.0, 0.5);
    let mut scorer = EdgeScorer::new(&basis, &binned.area_sizes, EdgeScoring::default());
    scorer.observe(binned.counts.view(), rates).unwrap();
    scorer.accumulate(binned.counts.view(), rates).unwrap();
    let scores = scorer.finish();
    let supported: Vec<_> = scores.iter().filter(|s| s.is_supported()).collect();
    assert_eq!(supported.iter().map(|s| (s.source, s.target)).collect::<Vec<_>>(), [(0, 1)]);
    let coefficients: Vec<f64> = supported[0].filter.iter().map(|&c| f64::from(c)).collect();
    let filter: Vec<f32> = bases::filter(&basis, &coefficients).iter().map(|&h| h as f32).collect();
    let estimate = EstimatedEdge { source: 0, target: 1, send: &supported[0].send, receive: &supported[0].receive, filter: &filter };
    let found = truth_scores(&[estimate], &recording.truth.as_ref().unwrap().edges);
    assert!(supported[0].score > 1.5 * supported[0].threshold, "{} against {}", supported[0].score, supported[0].threshold);
    assert!(found[0].cos_send > 0.9 && found[0].cos_receive > 0.9 && found[0].filter_corr > 0.9, "{found:?}");
}
