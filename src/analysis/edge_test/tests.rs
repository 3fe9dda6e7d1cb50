#![allow(clippy::unwrap_used)]

use super::*;
use crate::analysis::coupling_stage::Term;
use crate::analysis::coupling_stage::tests::{areas, cosine, frozen};
use crate::analysis::multiple::benjamini_hochberg;
use crate::analysis::watch::Watch;
use crate::simulate::GlmSimulation;

fn quick() -> EdgeTestPlan {
    EdgeTestPlan { nulls: 20, enough: 0, bootstrap: 0, halves: 4, ..EdgeTestPlan::default() }
}

#[test]
fn the_true_edge_is_supported_and_its_reverse_is_not() {
    let (recording, mut model) = frozen(&areas(&[8, 7], &[(0, 1)], 160, 12));
    let edge = recording.truth.as_ref().unwrap().edges[0].clone();
    model.couplings.push((1, Term { source: 0, send: edge.send.clone(), coef: vec![1.0, 0.2, 0.0], receive: edge.receive.clone() }));
    let mut published = Vec::new();
    let plan = EdgeTestPlan { bootstrap: 16, ..quick() };
    let watch = Watch::default();
    let report = run(&model, &plan, &watch, &mut |report| published.push((report.edges.len(), report.complete)));
    assert!(report.complete && report.edges.len() == 2 && watch.share() == Some(1.0));
    assert_eq!((published.first(), published.last()), (Some(&(1, false)), Some(&(2, true))), "{published:?}");
    let (found, reverse) = (report.edge(0, 1).unwrap(), report.edge(1, 0).unwrap());
    assert_eq!((found.verdict(0.05), found.fitted, reverse.fitted), (Verdict::Supported, true, false), "{found:?}");
    assert_ne!(reverse.verdict(0.05), Verdict::Supported);
    assert!(found.held_out.interval.0 > 0.0 && found.held_out.per_trial.len() == 40 && found.contribution_percent > 0.5);
    for null in &found.nulls {
        assert_eq!((null.contributions.len(), null.gains.len(), null.stopped), (20, 20, false));
        assert!((null.p - 1.0 / 21.0).abs() < 1e-12 && (null.p_gain - 1.0 / 21.0).abs() < 1e-12);
    }
    assert!(cosine(&found.send, &edge.send).abs() > 0.9 && found.peak().unwrap().0 <= 3);
    assert_eq!(found.stability.as_ref().unwrap().count(), 4);
    let words = report.sentence(found);
    for part in
        ["area 0 → area 1 was supported", "40 held-out trials", "20 of 20 copies with the trials of area 0 shuffled", "4 of 4 halves"]
    {
        assert!(words.contains(part), "'{part}' is not in: {words}");
    }
    // The band holds the true filter in most lags (16 resamples: a rough band), and only the fitted pair has one.
    let bands = found.bands.as_ref().unwrap();
    let inside =
        edge.filter.iter().enumerate().filter(|(k, h)| bands.filter.low[*k] - 0.05 <= **h && **h <= bands.filter.high[*k] + 0.05).count();
    assert!(inside >= 20, "{inside} of 27 lags");
    assert!(
        bands.filter.low.iter().zip(&bands.filter.high).all(|(a, b)| a <= b) && reverse.bands.is_none() && bands.course.fit.len() == 250
    );
    // What is kept can be read again.
    let text = serde_json::to_string(&report).unwrap();
    let again: EdgeReport = serde_json::from_str(&text).unwrap();
    assert_eq!((again.edges.len(), again.edges[0].held_out.q), (2, report.edges[0].held_out.q));
}

/// Areas 1 and 2 answer to area 0 and not to each other: alone each seems to drive the other.
#[test]
fn what_common_input_explains_is_not_credited_to_a_pair() {
    let simulation = areas(&[7, 6, 6], &[(0, 1), (0, 2)], 240, 4);
    let coupling = simulation.coupling.iter().map(|c| 3.0 * c).collect();
    let (recording, mut model) = frozen(&GlmSimulation { bins: 120, coupling, ..simulation });
    for edge in &recording.truth.as_ref().unwrap().edges {
        let term = Term { source: 0, send: edge.send.clone(), coef: vec![1.0, 0.2, 0.0], receive: edge.receive.clone() };
        model.couplings.push((edge.target, term));
    }
    let plan = EdgeTestPlan { nulls: 0, bootstrap: 0, halves: 0, ..EdgeTestPlan::default() };
    let report = run(&model, &plan, &Watch::default(), &mut |_| ());
    let held = |source: usize, target: usize| &report.edge(source, target).unwrap().held_out;
    for (source, target) in [(0, 1), (0, 2)] {
        // Nobody else sends to these areas in the model.
        assert!(held(source, target).mean > 0.5 && held(source, target).alone.is_none(), "{:?}", held(source, target));
    }
    for (source, target) in [(1, 2), (2, 1)] {
        let (found, edge) = (held(source, target), report.edge(source, target).unwrap());
        assert!(found.alone.unwrap() > 0.05 && found.own_share().unwrap() < OWN_SHARE && edge.explained_by_others(), "{found:?}");
        assert!(edge.warnings.iter().any(|w| w.starts_with("Other areas explain it as well")), "{:?}", edge.warnings);
        assert!(report.sentence(edge).contains("when no other area may send"), "{}", report.sentence(edge));
    }
}

/// Without coupling, p-values are spread over 0 to 1 and nothing is supported.
#[test]
fn without_coupling_p_values_are_spread_out() {
    let mut held_out = Vec::new();
    let mut nulls = Vec::new();
    let mut supported = 0;
    for seed in 0..8 {
        let mut simulation = areas(&[4, 5], &[], 48, 70 + seed);
        simulation.shared_background = if seed % 2 == 0 { 0.0 } else { 0.4 };
        let (_, model) = frozen(&GlmSimulation { bins: 100, ..simulation });
        let plan = EdgeTestPlan { nulls: 19, enough: 0, bootstrap: 0, halves: 0, seed, ..EdgeTestPlan::default() };
        let report = run(&model, &plan, &Watch::default(), &mut |_| ());
        supported += report.edges.iter().filter(|e| e.verdict(0.05) == Verdict::Supported).count();
        held_out.extend(report.edges.iter().map(|e| e.held_out.p));
        nulls.extend(report.edges.iter().flat_map(|e| e.nulls.iter().flat_map(|n| [n.p, n.p_gain])));
    }
    assert_eq!((held_out.len(), nulls.len(), supported), (16, 64, 0));
    let mean = nulls.iter().sum::<f64>() / nulls.len() as f64;
    let small = nulls.iter().filter(|p| **p <= 0.1).count() as f64 / nulls.len() as f64;
    assert!((0.4..0.65).contains(&mean) && small < 0.2, "mean {mean}, at most 0.1: {small}; {nulls:?}");
    // A fit to noise loses on other trials: held-out p-values are large rather than uniform.
    assert!(held_out.iter().filter(|p| **p <= 0.05).count() <= 2, "{held_out:?}");
}

#[test]
fn a_null_that_cannot_become_significant_is_ended_early() {
    let (_, model) = frozen(&GlmSimulation { bins: 100, ..areas(&[4, 4], &[], 40, 3) });
    let plan = EdgeTestPlan { nulls: 200, enough: 3, bootstrap: 0, halves: 0, ..EdgeTestPlan::default() };
    let report = run(&model, &plan, &Watch::default(), &mut |_| ());
    let drawn: Vec<usize> = report.edges.iter().flat_map(|e| e.nulls.iter().map(|n| n.contributions.len())).collect();
    assert!(report.complete && drawn.len() == 4 && drawn.iter().sum::<usize>() < 600, "{drawn:?}");
    assert!(report.edges.iter().flat_map(|e| &e.nulls).filter(|n| n.stopped).all(|n| n.p > 3.0 / 200.0));
}

#[test]
fn a_stopped_test_keeps_the_pairs_that_are_done() {
    let (_, model) = frozen(&GlmSimulation { bins: 100, ..areas(&[4, 4], &[], 40, 3) });
    let watch = Watch::default();
    let plan = EdgeTestPlan { nulls: 5, bootstrap: 0, halves: 0, ..EdgeTestPlan::default() };
    let report = run(&model, &plan, &watch, &mut |report| {
        if report.edges.len() == 1 {
            watch.stop();
        }
    });
    assert_eq!((report.edges.len(), report.complete, report.pairs), (1, false, 2));
    assert!(report.goodness.is_some());
    let stopped = Watch::default();
    stopped.stop();
    assert!(run(&model, &plan, &stopped, &mut |_| ()).edges.is_empty());
}

#[test]
fn verdicts_need_every_test() {
    let null = |q: f64| NullTest { kind: NullKind::Jitter, contributions: vec![], gains: vec![], p: q, p_gain: q, stopped: false };
    let held = |q: f64| HeldOut { per_trial: vec![], mean: 1.0, interval: (0.5, 1.5), p: q, q, alone: None };
    let edge = |held_q: f64, null_q: f64| EdgeEvidence {
        source: 0,
        target: 1,
        fitted: true,
        contribution_percent: 1.0,
        train_contribution_percent: 1.0,
        train_gain: 1.0,
        mean_output: 0.0,
        filter: vec![0.1, -0.5, 0.2],
        send: vec![],
        receive: vec![],
        course: vec![],
        held_out: held(held_q),
        nulls: vec![null(null_q)],
        bands: None,
        stability: None,
        networks: vec![],
        warnings: vec![],
    };
    assert_eq!(edge(0.01, 0.02).verdict(0.05), Verdict::Supported);
    assert_eq!(edge(0.01, 0.2).verdict(0.05), Verdict::Mixed);
    assert_eq!(edge(0.6, 0.2).verdict(0.05), Verdict::NotSupported);
    assert_eq!(EdgeEvidence { fitted: false, ..edge(0.01, 0.02) }.verdict(0.05), Verdict::Mixed, "its score was not above its null");
    assert_eq!(EdgeEvidence { nulls: vec![], ..edge(0.01, 0.2) }.verdict(0.05), Verdict::Mixed, "nothing was compared with");
    let beside = |alone: f64| EdgeEvidence { held_out: HeldOut { alone: Some(alone), ..held(0.01) }, ..edge(0.01, 0.02) };
    assert_eq!((beside(9.0).verdict(0.05), beside(11.0).verdict(0.05)), (Verdict::Supported, Verdict::Mixed), "others explain it as well");
    assert_eq!((beside(2.0).held_out.own_share(), beside(-1.0).held_out.own_share()), (Some(0.5), None));
    assert_eq!((edge(0.01, 0.2).q(), edge(0.0, 0.0).peak()), (0.01, Some((2, -0.5))));
    assert_eq!(benjamini_hochberg(&[0.01, 0.02]), [0.02, 0.02]);

    let report = |edge: EdgeEvidence| EdgeReport {
        plan: EdgeTestPlan::default(),
        areas: vec!["A".to_owned(), "B".to_owned()],
        bin_s: 0.002,
        trials: (10, 5),
        window_s: 0.05,
        edges: vec![edge],
        pairs: 2,
        complete: true,
        goodness: None,
        warnings: vec![],
    };
    let halves = |found: bool| Stability { seeds: vec![1, 2], contributions: vec![1.0, 3.0], found: vec![found, true] };
    let network = |percent: f64, q: f64| {
        let edge = EdgeEvidence { contribution_percent: percent, stability: Some(halves(q < 0.05)), ..edge(q, 0.01) };
        report(edge)
    };
    let mut all = report(edge(0.01, 0.02));
    assert!(all.edges[0].over_networks().is_none() && !all.sentence(&all.edges[0]).contains("networks"));
    all.add_network(5, &network(4.0, 0.01));
    all.add_network(6, &network(9.0, 0.9));
    all.add_network(6, &network(8.0, 0.9));
    assert!(all.has_network(5) && all.has_network(6) && !all.has_network(7));
    let over = all.edges[0].over_networks().unwrap();
    assert_eq!((over.networks, over.supported, over.contribution), (2, 1, (6.0, 4.0, 8.0)));
    assert_eq!((over.halves, over.contribution_in_halves), ((3, 4), Some((2.0, 1.0, 3.0))));
    let text = all.sentence(&all.edges[0]);
    assert!(text.ends_with("Of 2 networks trained anew from other seeds, 1 supported it (contribution 4 to 8 %)."), "{text}");
}
