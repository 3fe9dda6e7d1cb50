//! The real app, driven by label on software Vulkan: from the welcome page to a running view, and pictures of the main views.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "window/edges.rs"]
mod edges;
#[path = "window/fake.rs"]
mod fake;
#[path = "window/fake_stndt.rs"]
mod fake_stndt;
#[path = "window/netformer.rs"]
mod netformer;
#[path = "window/stndt.rs"]
mod stndt;
#[path = "window/stndt_run.rs"]
mod stndt_run;
mod support;
#[path = "window/sweep.rs"]
mod sweep;
mod trained;

use std::sync::Arc;

use eframe::egui::{self, Key, Modifiers, Theme, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use spikescope::app::{AppOptions, Command, Named, SpikescopeApp};
use spikescope::recording::Recording;
use spikescope::training::Phase;
use spikescope::views::{RunState, VIEWS};
use support::{Dropped, Window, settle, wait, window};

fn picture<'a>(
    size: [f32; 2],
    theme: Theme,
    scale: f32,
    state: (Option<Arc<Recording>>, Option<RunState>),
    show: Option<&str>,
) -> Window<'a> {
    let show = show.map(str::to_owned);
    support::shown(size, theme, scale, move |cc| SpikescopeApp::from_state(cc, state.0, state.1, show.as_deref()))
}

/// Draw views where there is next to no room.
fn squeeze(state: &(Option<Arc<Recording>>, Option<RunState>), views: &[&'static str]) {
    for show in views {
        for size in [[1.0, 1.0], [60.0, 40.0], [200.0, 160.0], [200.0, 900.0], [1600.0, 90.0]] {
            let state = state.clone();
            let mut harness: Window<'_> = Harness::builder()
                .with_size(Vec2::from(size))
                .with_max_steps(30)
                .build_eframe(|cc| SpikescopeApp::from_state(cc, state.0, state.1, Some(show)));
            harness.run_steps(3);
        }
    }
}

/// Pictures of a view in both themes, compared with `tests/snapshots`; `press` brings it to what is shown.
fn compare(
    results: &mut egui_kittest::SnapshotResults,
    name: &str,
    size: [f32; 2],
    state: &(Option<Arc<Recording>>, Option<RunState>),
    show: Option<&str>,
    press: &[&str],
) {
    for (theme, shade) in [(Theme::Light, "light"), (Theme::Dark, "dark")] {
        let mut harness = picture(size, theme, 1.0, state.clone(), show);
        for button in press {
            harness.get_by_label(button).click();
            settle(&mut harness);
        }
        // No pointer over what is drawn.
        harness.remove_cursor();
        settle(&mut harness);
        results.add(harness.try_snapshot(format!("{name}_{shade}")));
    }
}

fn index(key: &str) -> usize {
    VIEWS.iter().position(|v| v.key == key).unwrap()
}

#[test]
fn from_the_welcome_page_to_an_edited_recipe() {
    let mut harness = window([1280.0, 800.0], AppOptions::default());
    settle(&mut harness);
    harness.get_by_label("Open a recording…");
    harness.get_by_label("Try the demo").click();
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    settle(&mut harness);
    // Views are there, and one can be brought to the front by its tab.
    for title in ["Train", "Coupling kernels", "Loss", "Area matrix", "Latents", "Ground truth"] {
        assert!(harness.query_all_by_label(title).next().is_some(), "no tab {title}");
    }
    harness.get_by_label("Train").click();
    settle(&mut harness);
    wait(&mut harness, "summed up", |h| h.query_all_by_label_contains("trials ×").next().is_some());
    assert!(!harness.get_by_label("Start training").accesskit_node().is_disabled());
    // A field takes a number, refuses nonsense with a reason, and can be reset.
    let rank = || "Coupling factors";
    harness.get_by_label(rank()).focus();
    settle(&mut harness);
    harness.key_combination_modifiers(Modifiers::COMMAND, &[Key::A]);
    harness.get_by_label(rank()).type_text("2");
    settle(&mut harness);
    assert_eq!(harness.state().recipe().glm().unwrap().rank, 2);
    harness.key_combination_modifiers(Modifiers::COMMAND, &[Key::A]);
    harness.get_by_label(rank()).type_text("99");
    settle(&mut harness);
    harness.get_by_label_contains("must be between 1 and 8");
    assert_eq!(harness.state().recipe().glm().unwrap().rank, 2);
    assert!(harness.get_by_label("Start training").accesskit_node().is_disabled());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    harness.run_ok();
    assert!(harness.state().run().is_none() && harness.state().messages()[0].contains("cannot start"));
    settle(&mut harness);
    harness.get_by_label("Reset").click();
    settle(&mut harness);
    assert_eq!(harness.state().recipe().glm().unwrap().rank, 1);
    assert!(!harness.get_by_label("Start training").accesskit_node().is_disabled());
}

#[test]
fn commands_come_from_the_palette_the_keyboard_and_the_menu() {
    let mut harness = window([900.0, 640.0], AppOptions { demo: true, ..AppOptions::default() });
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    settle(&mut harness);
    harness.key_press(Key::F1);
    settle(&mut harness);
    harness.get_by_label_contains("In plots");
    harness.key_press(Key::Escape);
    settle(&mut harness);
    assert!(harness.query_by_label_contains("In plots").is_none());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
    settle(&mut harness);
    for letter in "about".chars() {
        harness.event(egui::Event::Text(letter.to_string()));
    }
    settle(&mut harness);
    harness.key_press(Key::Enter);
    settle(&mut harness);
    harness.get_by_label_contains("arXiv 2506.02263");
    harness.key_press(Key::Escape);
    settle(&mut harness);
    harness.get_by_label("File").click();
    settle(&mut harness);
    harness.get_by_label_contains("Close recording").click();
    settle(&mut harness);
    assert!(harness.state().recording().is_none());
    harness.get_by_label("Try the demo");
}

#[test]
fn a_file_that_cannot_be_opened_is_told_with_details() {
    let mut harness = window([900.0, 640.0], AppOptions { files: vec!["/no/such/file.nwb".into()], ..AppOptions::default() });
    wait(&mut harness, "told", |h| !h.state().messages().is_empty());
    settle(&mut harness);
    harness.get_by_label_contains("file.nwb could not be opened");
    harness.get_by_label("Details").click();
    settle(&mut harness);
    assert!(harness.get_all_by_label_contains("/no/such/file.nwb").count() > 0);
    harness.get_by_label("×").click();
    settle(&mut harness);
    assert!(harness.state().messages().is_empty());
}

#[test]
fn dropped_and_typed_paths_are_opened() {
    let mut harness = window([900.0, 640.0], AppOptions::default());
    settle(&mut harness);
    harness.input_mut().dropped_files.push(Arc::new(Dropped("/dropped/here.nwb".into())));
    wait(&mut harness, "told", |h| h.state().messages().iter().any(|m| m.starts_with("here.nwb could not be opened")));
    harness.get_by_label("Path").focus();
    settle(&mut harness);
    harness.get_by_label("Path").type_text("\"/typed/there.csv\"");
    settle(&mut harness);
    harness.get_by_label("Open").click();
    wait(&mut harness, "told", |h| h.state().messages().iter().any(|m| m.starts_with("there.csv could not be opened")));
}

#[test]
fn closed_views_come_back_and_layouts_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let options = || AppOptions { demo: true, settings_path: Some(folder.path().join("settings.json")), ..AppOptions::default() };
    {
        let mut harness = window([1000.0, 700.0], options());
        wait(&mut harness, "open", |h| h.state().recording().is_some());
        settle(&mut harness);
        let ctx = harness.ctx.clone();
        harness.state_mut().execute(&ctx, Command::Layout(Named::Couplings));
        harness.run_ok();
        harness.get_by_label("View").click();
        settle(&mut harness);
        harness.get_by_role_and_label(egui::Role::CheckBox, "Loss").click();
        harness.run_ok();
        harness.key_press(Key::Escape);
        harness.run_ok();
        assert!(harness.query_by_label("Loss").is_none(), "the Loss view is closed");
    }
    let mut harness = window([1000.0, 700.0], options());
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    settle(&mut harness);
    assert!(harness.query_by_label("Loss").is_none(), "the layout was kept");
    let ctx = harness.ctx.clone();
    harness.state_mut().execute(&ctx, Command::Show(index("loss")));
    settle(&mut harness);
    harness.get_by_label("Loss");
    harness.state_mut().execute(&ctx, Command::ResetLayout);
    settle(&mut harness);
    harness.get_by_label("Loss");
    // With every tab closed the window says how to get them back.
    while harness.query_all_by_label("Close").next().inspect(|close| close.click()).is_some() {
        settle(&mut harness);
    }
    harness.get_by_label("Reset layout").click();
    settle(&mut harness);
    harness.get_by_label("Loss");
}

#[test]
fn the_import_report_offers_areas_and_the_train_view_follows() {
    let recording = fake::recording();
    let mut harness: Window<'_> = Harness::builder()
        .with_size([1200.0, 800.0])
        .with_max_steps(30)
        .build_eframe(|cc| SpikescopeApp::from_state(cc, Some(recording), None, None));
    settle(&mut harness);
    harness.get_by_label_contains("Import report (4)").click();
    settle(&mut harness);
    for title in ["To check (1)", "Assumed (1)", "Repaired (1)", "Left out (1)"] {
        harness.get_by_role_and_label(egui::Role::DisclosureTriangle, title);
    }
    assert!(harness.query_all_by_label("212 times were not ascending and were sorted.").next().is_some());
    harness.get_by_label("Use areas by unit column 'probe'").click();
    settle(&mut harness);
    harness.get_by_label("Close report").click();
    settle(&mut harness);
    harness.get_by_label("Train").click();
    settle(&mut harness);
    wait(&mut harness, "summed up", |h| h.query_all_by_label("probe 0 24").next().is_some());
}

#[test]
fn a_matrix_cell_selects_its_pair_for_all_views() {
    let recording = fake::recording();
    let run = fake::run(&recording);
    let mut harness = picture([700.0, 600.0], Theme::Light, 1.0, (Some(recording), Some(run)), Some("matrix"));
    harness.get_by_label_contains("LM → AL:").click();
    settle(&mut harness);
    assert_eq!(harness.state().selection().pair, Some((1, 2)));
    // From the keyboard: arrows move, Enter selects.
    harness.get_by_label_contains("LM → AL:").focus();
    settle(&mut harness);
    harness.key_press(Key::ArrowUp);
    settle(&mut harness);
    harness.key_press(Key::ArrowLeft);
    settle(&mut harness);
    harness.key_press(Key::Enter);
    settle(&mut harness);
    assert_eq!(harness.state().selection().pair, Some((0, 1)));
}

#[test]
fn views_describe_what_they_draw() {
    let recording = fake::recording();
    let state = (Some(Arc::clone(&recording)), Some(fake::run(&recording)));
    let said = |show: &str, text: &str| {
        let harness = picture([820.0, 620.0], Theme::Dark, 1.0, state.clone(), Some(show));
        assert!(harness.get_all_by_label_contains(text).count() > 0, "{show} does not say {text}");
    };
    said("kernels", "V1 → LM: supported, score 0.171 above threshold 0.021");
    said("kernels", "not supported, score");
    said("matrix", "Area matrix of Contribution");
    said("loss", "best validation loss");
    said("truth", "Inferred against true weights of 36 units");
    said("latents", "Latents of V1: 120 trials");
    said("train", "3 · coupling: 62 %");
}

#[test]
fn zeros_before_stage_three_are_not_shown_as_a_result() {
    let recording = fake::recording();
    let state = (Some(Arc::clone(&recording)), Some(fake::before_coupling(fake::run(&recording))));
    let says = |show: &str, text: &str| {
        let harness = picture([700.0, 520.0], Theme::Light, 1.0, state.clone(), Some(show));
        harness.query_all_by_label_contains(text).count() > 0
    };
    assert!(says("kernels", "V1 → LM: coupling is trained from stage 3 on"));
    assert!(says("matrix", "LM → AL: coupling is trained from stage 3 on"));
    assert!(!says("matrix", "0 %"));
    assert!(says("truth", "Nothing to compare yet"));
}

#[test]
fn without_truth_or_run_views_say_what_to_do() {
    let mut bare = (*fake::recording()).clone();
    bare.truth = None;
    let state = (Some(Arc::new(bare)), None);
    let said = |show: &str, text: &str| {
        let harness = picture([420.0, 320.0], Theme::Light, 1.0, state.clone(), Some(show));
        harness.get_by_label_contains(text);
    };
    said("truth", "This recording has no ground truth");
    said("kernels", "Start training in the Train view");
    said("loss", "No losses yet");
}

#[test]
fn a_failed_run_shows_its_reason_and_a_finished_one_its_losses() {
    let recording = fake::recording();
    let failed =
        fake::with_phase(fake::run(&recording), Phase::Failed("the loss is not a number at step 12; lower the learning rate".to_owned()));
    let harness = picture([800.0, 600.0], Theme::Dark, 1.0, (Some(Arc::clone(&recording)), Some(failed)), Some("train"));
    harness.get_by_label_contains("lower the learning rate");
    let finished = fake::with_phase(fake::run(&recording), fake::finished());
    let harness = picture([800.0, 600.0], Theme::Dark, 1.0, (Some(recording), Some(finished)), Some("train"));
    harness.get_by_label_contains("test loss 0.19921");
}

#[test]
fn every_view_survives_tiny_and_narrow_windows() {
    let recording = fake::recording();
    let run = fake::run(&recording);
    let keys: Vec<&'static str> = VIEWS.iter().map(|spec| spec.key).collect();
    squeeze(&(Some(recording), Some(run)), &keys);
    squeeze(&(None, None), &keys);
}

/// Pictures of the main views in both themes, small, compared with `tests/snapshots`.
#[test]
fn pictures() {
    let recording = fake::recording();
    let run = fake::run(&recording);
    let mut results = egui_kittest::SnapshotResults::new();
    let state = (Some(recording), Some(run));
    for (show, size) in [("kernels", [620.0, 420.0]), ("matrix", [360.0, 330.0]), ("train", [420.0, 520.0]), ("loss", [420.0, 300.0])] {
        compare(&mut results, show, size, &state, Some(show), &[]);
    }
    compare(&mut results, "welcome", [560.0, 420.0], &(None, None), None, &[]);
    results.unwrap();
}

/// Large pictures for people to look at: `SPIKESCOPE_PICTURES=/tmp/p cargo test --test window look`.
#[test]
fn look() {
    let Some(folder) = std::env::var_os("SPIKESCOPE_PICTURES").map(std::path::PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    let recording = fake::recording();
    let run = fake::run(&recording);
    let only = std::env::var("SPIKESCOPE_VIEW").ok();
    for (theme, name) in [(Theme::Light, "light"), (Theme::Dark, "dark")] {
        for scale in [1.0, 2.0] {
            let mut shots: Vec<(&str, [f32; 2], Option<&str>, bool)> =
                VIEWS.iter().map(|v| (v.key, [900.0, 620.0], Some(v.key), true)).collect();
            shots.push(("window", [1320.0, 840.0], None, true));
            shots.push(("couplings", [1320.0, 840.0], None, true));
            shots.push(("welcome", [1100.0, 700.0], None, false));
            shots.push(("report", [1000.0, 760.0], None, true));
            shots.push(("early", [1320.0, 840.0], None, true));
            shots.push(("narrow", [330.0, 640.0], Some("kernels"), true));
            shots.push(("small", [520.0, 400.0], None, true));
            for (shot, size, show, full) in shots {
                if only.as_ref().is_some_and(|only| only != shot) {
                    continue;
                }
                let state = if full { (Some(Arc::clone(&recording)), Some(run.clone())) } else { (None, None) };
                let state = if shot == "early" { (state.0, state.1.map(fake::before_coupling)) } else { state };
                let mut harness = picture(size, theme, scale, state, show);
                if ["couplings", "early"].contains(&shot) {
                    let ctx = harness.ctx.clone();
                    harness.state_mut().execute(&ctx, Command::Layout(Named::Couplings));
                    settle(&mut harness);
                }
                if shot == "report" {
                    let ctx = harness.ctx.clone();
                    harness.state_mut().execute(&ctx, Command::ShowReport);
                    harness.state_mut().execute(&ctx, Command::OpenRecent(0));
                    settle(&mut harness);
                }
                harness.render().unwrap().save(folder.join(format!("{shot}_{name}_{scale}x.png"))).unwrap();
            }
        }
    }
}
