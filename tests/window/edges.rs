//! Journeys through the views of edges: screening, graph, evidence, decomposition, factors.

use std::path::Path;
use std::sync::Arc;

use eframe::egui::{self, Theme};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use spikescope::analysis::edge_test::{
    Band, Bands, EdgeEvidence, EdgeReport, EdgeTestPlan, HeldOut, NullKind, NullTest, Retrained, Stability, Verdict,
};
use spikescope::analysis::goodness::{Goodness, ResidualCorrelogram, UnitGoodness};
use spikescope::recording::Recording;
use spikescope::runs::{self, RunContents};
use spikescope::simulate;
use spikescope::training::{Finished, ModelSnapshot, Phase, TrialSnapshot};
use spikescope::views::RunState;

use super::fake;
use super::picture;
use super::support::{Window, settle, wait};

fn band(fit: Vec<f64>, width: f64) -> Band {
    Band { low: fit.iter().map(|x| x - width).collect(), high: fit.iter().map(|x| x + width).collect(), fit }
}

/// Evidence of one pair, as strong as `height`.
fn edge(source: usize, target: usize, height: f64) -> EdgeEvidence {
    let seed = source * 7 + target;
    let strong = height.abs() > 0.3;
    let filter: Vec<f64> = (0..27).map(|k| height * (-f64::from(k) / 5.0).exp() + 0.01 * fake::noise(seed + k as usize)).collect();
    let course: Vec<f64> = (0..275).map(|t| 0.1 * height * (1.0 + (f64::from(t) / 30.0).sin())).collect();
    let p = if strong { 1.0 / 201.0 } else { 0.2 + 0.05 * seed as f64 };
    let gain = |k: usize| if strong { 0.7 * height.abs() } else { -0.1 } + 0.9 * fake::noise(seed * 1000 + k);
    let null = |kind, spread: f64| NullTest {
        kind,
        contributions: (0..if strong { 200 } else { 40 }).map(|k| spread * fake::noise(seed * 31 + k).abs()).collect(),
        gains: (0..if strong { 200 } else { 40 }).map(|k| 10.0 * spread * fake::noise(seed * 31 + k).abs()).collect(),
        p,
        p_gain: p,
        stopped: !strong,
    };
    EdgeEvidence {
        source,
        target,
        fitted: strong,
        contribution_percent: if strong { 7.0 * height.abs() } else { 0.05 },
        train_contribution_percent: if strong { 7.4 * height.abs() } else { 0.4 },
        train_gain: 90.0 * height.abs(),
        mean_output: 0.1 * height,
        bands: strong.then(|| Bands {
            filter: band(filter.clone(), 0.06),
            send: band(vec![0.2; 20], 0.05),
            receive: band(vec![0.2; 16], 0.05),
            course: band(course.clone(), 0.02),
            resamples: 100,
        }),
        filter,
        send: vec![0.2; 20],
        receive: vec![0.2; 16],
        course,
        held_out: HeldOut {
            per_trial: (0..24).map(gain).collect(),
            mean: if strong { 0.7 * height.abs() } else { -0.1 },
            interval: if strong { (0.7 * height.abs() - 0.3, 0.7 * height.abs() + 0.3) } else { (-0.3, 0.1) },
            p: if strong { 1e-4 } else { 0.8 },
            q: if strong { 3e-4 } else { 0.9 },
            alone: Some(if strong { 0.8 * height.abs() } else { 0.2 }),
        },
        nulls: vec![null(NullKind::Shuffle, 1.0), null(NullKind::Jitter, 2.2)],
        stability: Some(Stability {
            seeds: (0..10).collect(),
            contributions: (0..10).map(|k| if strong { 7.0 } else { 0.3 } + 0.2 * fake::noise(k)).collect(),
            found: (0..10).map(|k| strong && k != 3).collect(),
        }),
        networks: (0..3)
            .map(|k| Retrained {
                seed: k,
                contribution_percent: if strong { 7.0 } else { 0.2 } + 0.3 * fake::noise(seed + k as usize),
                held_out_gain: if strong { 1.2 } else { -0.1 },
                supported: strong,
                halves: Some(Stability {
                    seeds: (0..10).collect(),
                    contributions: (0..10).map(|k| if strong { 6.8 } else { 0.3 } + 0.2 * fake::noise(k)).collect(),
                    found: (0..10).map(|k| strong && k != 3).collect(),
                }),
            })
            .collect(),
        warnings: if strong {
            vec![]
        } else {
            vec!["Too few spikes: about 12 spikes of a receiving unit fall within the filter".to_owned()]
        },
    }
}

pub fn report() -> EdgeReport {
    let height = |source: usize, target: usize| match (source, target) {
        (0, 1) => 1.9,
        (1, 2) => -0.7,
        _ => 0.02,
    };
    let pairs = (0..3).flat_map(|target| (0..3).map(move |source| (source, target))).filter(|(s, t)| s != t);
    EdgeReport {
        plan: EdgeTestPlan::default(),
        areas: ["V1", "LM", "AL"].map(String::from).to_vec(),
        bin_s: 0.002,
        trials: (84, 24),
        window_s: 0.054,
        edges: pairs.map(|(s, t)| edge(s, t, height(s, t))).collect(),
        pairs: 6,
        complete: true,
        goodness: Some(Goodness {
            trials: 24,
            bin_s: 0.002,
            units: vec![UnitGoodness {
                unit: 0,
                intervals: 90,
                ks: 0.05,
                limit: 0.14,
                p: 0.8,
                autocorrelation: vec![0.0; 5],
                bits_per_spike: Some(0.02),
            }],
            residuals: vec![ResidualCorrelogram { reference: 0, target: 1, z: (0..51).map(fake::noise).collect() }],
            bits_per_spike: Some(0.02),
        }),
        warnings: vec![],
    }
}

/// A finished run whose folder holds a report (or none).
pub fn tested(recording: &Arc<Recording>, folder: &Path, with: Option<&EdgeReport>) -> RunState {
    let mut run = fake::run(recording);
    let target = folder.join("run");
    let summary = serde_json::json!({});
    let losses = Arc::clone(&run.losses);
    runs::write(&target, &RunContents { snapshot: run.snapshot.as_deref(), ..RunContents::new(&run.recipe, recording, &losses, &summary) })
        .unwrap();
    if let Some(report) = with {
        runs::save_edge_report(&target, report).unwrap();
        // JSON keeps numbers to the last digit or so.
        let again = runs::edge_report(&target).unwrap().unwrap();
        assert_eq!((again.areas.clone(), again.edges.len(), again.complete), (report.areas.clone(), report.edges.len(), report.complete));
        assert!(again.edges.iter().zip(&report.edges).all(|(a, b)| again.sentence(a) == report.sentence(b)), "what is kept is read again");
    }
    run = fake::with_phase(run, Phase::Finished(Arc::new(Finished { run: Some(target), summary })));
    run
}

/// The run with factors, loadings and post-spike filters, and log-rates of one trial.
pub fn with_details(mut run: RunState) -> RunState {
    let mut snapshot = (**run.snapshot.as_ref().unwrap()).clone();
    let (sizes, bins) = (snapshot.area_sizes.clone(), snapshot.glm().unwrap().trials[0].coupling[0][0].len());
    let units: usize = sizes.iter().sum();
    let wave = |t: usize, k: usize| (0.6 * ((t as f64 / 40.0) + k as f64).sin()) as f32;
    snapshot.trials =
        vec![TrialSnapshot { trial: 0, log_rate: (0..bins).map(|t| (0..units).map(|u| wave(t, u % 3) - 3.0).collect()).collect() }];
    let ModelSnapshot::Glm(glm) = &mut snapshot.model else { return run };
    glm.loadings = sizes.iter().map(|n| (0..2).map(|f| (0..*n).map(|u| fake::noise(u * 13 + f) as f32).collect()).collect()).collect();
    glm.trials[0].factors =
        sizes.iter().enumerate().map(|(a, _)| (0..2).map(|f| (0..bins).map(|t| wave(t, a + f)).collect()).collect()).collect();
    glm.post_spike =
        (0..units).map(|u| (0..6).map(|k| -2.0 * (-(k as f32) / 2.0).exp() + 0.2 * fake::noise(u * 7 + k) as f32).collect()).collect();
    run.snapshot = Some(Arc::new(snapshot));
    run
}

fn show<'a>(run: &RunState, recording: &Arc<Recording>, view: &str, size: [f32; 2], theme: Theme) -> Window<'a> {
    picture(size, theme, 1.0, (Some(Arc::clone(recording)), Some(run.clone())), Some(view))
}

/// That something with this in its name is on the screen.
fn says(harness: &Window<'_>, text: &str) {
    assert!(harness.query_all_by_label_contains(text).next().is_some(), "nothing says '{text}'");
}

/// Press the button with this in its name (pictures are described by the same words).
fn press(harness: &mut Window<'_>, text: &str) {
    let button = harness.query_all_by_label_contains(text).find(|n| n.accesskit_node().role() == egui::Role::Button);
    button.unwrap_or_else(|| panic!("no button says '{text}'")).click();
    settle(harness);
}

#[test]
fn an_arrow_leads_to_its_evidence_and_the_sentence_can_be_copied() {
    let folder = tempfile::tempdir().unwrap();
    let recording = fake::recording();
    let run = tested(&recording, folder.path(), Some(&report()));
    let mut harness = show(&run, &recording, "area_graph", [760.0, 600.0], Theme::Light);
    says(&harness, "Area graph: 2 edges; V1 → LM: supported, contribution 13 %");
    press(&mut harness, "LM → AL: supported");
    assert_eq!(harness.state().selection().pair, Some((1, 2)));
    harness.get_by_label("Matrix").click();
    settle(&mut harness);
    press(&mut harness, "V1 → AL: not supported, contribution 0.05 %");
    assert_eq!(harness.state().selection().pair, Some((0, 2)));
    harness.get_by_label("Time courses").click();
    settle(&mut harness);
    says(&harness, "Time courses of coupling");
    press(&mut harness, "V1 → LM: supported");
    assert_eq!(harness.state().selection().pair, Some((0, 1)));

    let mut harness = show(&run, &recording, "evidence", [900.0, 1500.0], Theme::Light);
    says(&harness, "V1 → LM");
    harness.get_by_label("Supported");
    says(&harness, "trials shuffled: the data exceed 200 of 200 copies");
    says(&harness, "was found in 9 of 10 halves");
    says(&harness, "Goodness of fit on 24 test trials: 0.02 bits per spike beyond the PSTH");
    says(&harness, "Coupling V1 → LM was supported");
    harness.get_by_label("Copy").click();
    harness.step();
    let copied =
        harness.output().platform_output.commands.iter().any(|c| matches!(c, egui::OutputCommand::CopyText(t) if t.contains("q = 3.0e-4")));
    assert!(copied, "the sentence is in the clipboard");
    // Another pair is chosen by its name.
    harness.get_by_label_contains("Pair: ").click();
    settle(&mut harness);
    harness.get_by_label_contains("AL → V1 · not supported").click();
    settle(&mut harness);
    assert_eq!(harness.state().selection().pair, Some((2, 0)));
    harness.get_by_label("Not supported");
    says(&harness, "Too few spikes");
}

#[test]
fn before_the_tests_the_graph_shows_the_run_and_evidence_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let recording = fake::recording();
    let run = tested(&recording, folder.path(), None);
    let harness = show(&run, &recording, "area_graph", [760.0, 600.0], Theme::Dark);
    says(&harness, "V1 → LM: contribution 7.4 %, positive, not tested yet");
    assert!(harness.get_by_label("Only supported").accesskit_node().is_disabled());
    let harness = show(&run, &recording, "evidence", [760.0, 600.0], Theme::Dark);
    harness.get_by_label("Not tested yet");
    harness.get_by_label("Test all pairs");
    // A run that goes on has no folder.
    let harness = show(&fake::run(&recording), &recording, "evidence", [760.0, 600.0], Theme::Dark);
    says(&harness, "it is ready when the run has finished");
    let harness = show(&fake::before_coupling(fake::run(&recording)), &recording, "area_graph", [760.0, 600.0], Theme::Dark);
    harness.get_by_label("Edges are trained from stage 3 on");
}

#[test]
fn a_run_without_weights_says_why_it_cannot_be_tested() {
    let folder = tempfile::tempdir().unwrap();
    let recording = fake::recording();
    let run = tested(&recording, folder.path(), None);
    let mut harness = show(&run, &recording, "evidence", [760.0, 600.0], Theme::Light);
    harness.get_by_label("Test all pairs").click();
    wait(&mut harness, "refused", |h| h.query_all_by_label_contains("the run's weights do not fit the recording").next().is_some());
}

#[test]
fn all_pairs_are_screened_from_the_window() {
    let recording =
        Arc::new(simulate::by_name("glm", &[("areas", "6x5"), ("trials", "40"), ("units_per_edge", "4"), ("seed", "2")]).unwrap());
    let mut harness = picture([900.0, 620.0], Theme::Light, 1.0, (Some(Arc::clone(&recording)), None), Some("screening"));
    harness.get_by_label("Not screened yet");
    harness.get_by_label("Screen all pairs").click();
    wait(&mut harness, "screened", |h| h.query_all_by_label_contains("Screening of 4 ordered pairs").next().is_some());
    settle(&mut harness);
    press(&mut harness, "B → A: score");
    assert_eq!(harness.state().selection().pair, Some((1, 0)));
    says(&harness, "against 20 jittered copies");
    let one = Arc::new(simulate::by_name("glm", &[("areas", "6"), ("trials", "10")]).unwrap());
    let harness = picture([600.0, 400.0], Theme::Dark, 1.0, (Some(one), None), Some("screening"));
    harness.get_by_label("One area only");
}

#[test]
fn the_log_rate_of_a_unit_falls_into_parts() {
    let recording = fake::recording();
    let run = with_details(fake::run(&recording));
    let mut harness = show(&run, &recording, "decomposition", [820.0, 900.0], Theme::Light);
    says(&harness, "Log-rate per bin: sum of all parts");
    says(&harness, "Coupling from V1, log-rate");
    says(&harness, "Post-spike term, log-rate");
    harness.get_by_label("Hz").click();
    settle(&mut harness);
    says(&harness, "Coupling from V1, factor on the rate");
    harness.get_by_label("Area").click();
    settle(&mut harness);
    wait(&mut harness, "averaged", |h| h.query_all_by_label_contains("mean of LM").next().is_some());
    let harness = show(&fake::run(&recording), &recording, "decomposition", [820.0, 600.0], Theme::Dark);
    harness.get_by_label("No single trials yet");
}

#[test]
fn factors_loadings_and_post_spike_filters_are_drawn() {
    let recording = fake::recording();
    let run = with_details(fake::run(&recording));
    let mut harness = show(&run, &recording, "factors", [900.0, 800.0], Theme::Light);
    says(&harness, "2 slow factors of V1 in one trial");
    says(&harness, "Loadings of 16 units of LM");
    harness.get_by_label("Post-spike filters").click();
    settle(&mut harness);
    says(&harness, "Post-spike filters of 12 units of AL");
    let harness = show(&fake::run(&recording), &recording, "factors", [820.0, 600.0], Theme::Dark);
    harness.get_by_label("No single trials yet");
}

#[test]
fn the_verdicts_of_the_made_up_report_are_as_meant() {
    let report = report();
    let verdict = |s, t| report.edge(s, t).unwrap().verdict(0.05);
    assert_eq!((verdict(0, 1), verdict(1, 2), verdict(0, 2)), (Verdict::Supported, Verdict::Supported, Verdict::NotSupported));
}

/// Large pictures of these views for people to look at: `SPIKESCOPE_PICTURES=/tmp/p cargo test --test window look_at_edges`.
#[test]
fn look_at_edges() {
    let Some(place) = std::env::var_os("SPIKESCOPE_PICTURES").map(std::path::PathBuf::from) else { return };
    std::fs::create_dir_all(&place).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let recording = fake::recording();
    let run = with_details(tested(&recording, folder.path(), Some(&report())));
    for (theme, name) in [(Theme::Light, "light"), (Theme::Dark, "dark")] {
        for scale in [1.0, 2.0] {
            for (view, size) in [
                ("area_graph", [760.0, 600.0]),
                ("evidence", [900.0, 1350.0]),
                ("decomposition", [820.0, 900.0]),
                ("factors", [900.0, 800.0]),
            ] {
                let mut harness = picture(size, theme, scale, (Some(Arc::clone(&recording)), Some(run.clone())), Some(view));
                harness.render().unwrap().save(place.join(format!("{view}_{name}_{scale}x.png"))).unwrap();
                let more: &[&str] = match view {
                    "area_graph" => &["Hierarchy", "Matrix", "Time courses"],
                    "factors" => &["Post-spike filters"],
                    _ => &[],
                };
                for button in more {
                    harness.get_by_label(button).click();
                    settle(&mut harness);
                    harness.render().unwrap().save(place.join(format!("{view}_{button}_{name}_{scale}x.png"))).unwrap();
                }
            }
        }
    }
}
