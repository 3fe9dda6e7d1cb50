//! Opening what people have, as they meet it: the line about what was assumed, other answers, areas by hand, filters, artefacts,
//! export, folders and files that are gone; in the window and on the command line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output};
use std::sync::Arc;

use eframe::egui::{Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use serde_json::Value;
use spikescope::app::{AppOptions, Command, ThemeChoice};
use spikescope::formats::shelf::Shelf;
use spikescope::formats::{OpenOptions, open};
use spikescope::recording::{NoteKind, Sidecar};
use support::{Dropped, Window, settle, wait, window};

/// Eight units in two areas, 60 s, with twelve artefacts that put a spike on every unit.
fn csv(folder: &Path) -> PathBuf {
    let mut lines: Vec<(u32, f64)> = Vec::new();
    for unit in 0..8_u32 {
        let n = 60 * (2 + unit);
        lines.extend((0..n).map(|k| {
            let noise = f64::from((k * 7919 + unit * 104_729).wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
            (unit, (f64::from(k) + 0.9 * noise) * 60.0 / f64::from(n))
        }));
        lines.extend((0..12).map(|k| (unit, 2.50042 + 4.73 * f64::from(k))));
    }
    let text: String = lines.iter().map(|(unit, time)| format!("{unit},{time:.5},{}\n", if *unit < 4 { "V1" } else { "MT" })).collect();
    let path = folder.join("ours.csv");
    std::fs::write(&path, format!("unit,time_s,area\n{text}")).unwrap();
    path
}

fn options(folder: &Path) -> AppOptions {
    AppOptions {
        settings_path: Some(folder.join("config/settings.json")),
        shelf: Some(Shelf::new(folder.join("shelf"))),
        ..AppOptions::default()
    }
}

fn opened(options: AppOptions) -> Window<'static> {
    let mut harness = window([1280.0, 860.0], options);
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    settle(&mut harness);
    harness
}

fn execute(harness: &mut Window<'_>, command: Command) {
    let ctx = harness.ctx.clone();
    harness.state_mut().execute(&ctx, command);
    settle(harness);
}

/// Bring a widget into view and click it.
fn press(harness: &mut Window<'_>, role: Role, label: &str) {
    harness.get_by_role_and_label(role, label).scroll_to_me();
    settle(harness);
    harness.get_by_role_and_label(role, label).click();
    settle(harness);
}

/// Type into the field with this label in place of what is there.
fn fill(harness: &mut Window<'_>, label: &str, text: &str) {
    harness.get_by_role_and_label(Role::TextInput, label).scroll_to_me();
    settle(harness);
    harness.get_by_role_and_label(Role::TextInput, label).focus();
    settle(harness);
    harness.key_combination_modifiers(Modifiers::COMMAND, &[Key::A]);
    harness.get_by_role_and_label(Role::TextInput, label).type_text(text);
    settle(harness);
}

fn areas(harness: &Window<'_>) -> Vec<(String, usize)> {
    let recording = harness.state().recording().unwrap();
    recording.areas.iter().enumerate().map(|(k, name)| (name.clone(), recording.units_of_area(k).len())).collect()
}

fn counted(areas: &[(&str, usize)]) -> Vec<(String, usize)> {
    areas.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

#[test]
fn clean_files_open_in_one_step_and_others_say_in_a_line_what_was_assumed() {
    let folder = tempfile::tempdir().unwrap();
    let path = csv(folder.path());
    let npz = folder.path().join("clean.npz");
    spikescope::formats::save(&spikescope::simulate::demo().unwrap(), &npz).unwrap();
    let harness = opened(AppOptions { files: vec![npz], ..options(folder.path()) });
    assert!(harness.query_by_label("Change…").is_none() && harness.query_by_label_contains("Import:").is_none());

    let mut harness = opened(AppOptions { files: vec![path], ..options(folder.path()) });
    harness.get_by_label_contains("Import: 2 assumed, 1 repaired");
    assert!(harness.query_by_label_contains("Import report: ").is_none(), "no window in the way");
    harness.get_by_label("Report").click();
    settle(&mut harness);
    harness.get_by_label_contains("Import report: ");
    harness.get_by_label("Close report").click();
    settle(&mut harness);
    harness.query_all_by_label("Change…").next().unwrap().click();
    settle(&mut harness);
    harness.get_by_label("Import ours.csv");
    assert!(harness.query_all_by_label("time_s").next().is_some(), "the first rows are there under their names");
    fill(&mut harness, "Time range", "0..30");
    harness.key_press(Key::Enter);
    settle(&mut harness);
    harness.get_by_label_contains("8 units, 30.0 s");
    assert!(harness.state().recording().unwrap().time_range().unwrap().1 > 59.0, "nothing changes before it is opened");
    harness.get_by_label("Open with these").click();
    wait(&mut harness, "cut", |h| h.state().recording().unwrap().time_range().unwrap().1 < 30.0);
    settle(&mut harness);
    let report = harness.state().recording().unwrap().report.clone();
    assert!(report.notes.iter().any(|n| n.kind == NoteKind::Chosen && n.message.contains("only 0..30 s was loaded")), "{report:?}");
    harness.get_by_label_contains("1 chosen by you");
    // Only for this file: a stretch of time is not an answer for others of its kind.
    assert!(!std::fs::read_to_string(folder.path().join("config/settings.json")).unwrap_or_default().contains("0..30"));
}

#[test]
fn areas_by_hand_are_kept_beside_the_recording_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = csv(folder.path());
    let before = std::fs::read(&path).unwrap();
    {
        let mut harness = opened(AppOptions { files: vec![path.clone()], ..options(folder.path()) });
        assert_eq!(areas(&harness), counted(&[("V1", 4), ("MT", 4)]));
        harness.get_by_label("Recording").click();
        settle(&mut harness);
        press(&mut harness, Role::DisclosureTriangle, "Areas by hand");
        fill(&mut harness, "Name of V1", "V2");
        harness.key_press(Key::Enter);
        wait(&mut harness, "renamed", |h| h.state().recording().unwrap().areas[0] == "V2");
        settle(&mut harness);
        press(&mut harness, Role::Button, "Move MT up");
        wait(&mut harness, "moved", |h| h.state().recording().unwrap().areas[0] == "MT");
        settle(&mut harness);
        // The list of areas names ids; those it does not name stay.
        let list = folder.path().join("areas.csv");
        std::fs::write(&list, "unit,area\n0,LGN\n7,LGN\n").unwrap();
        fill(&mut harness, "From a list unit,area", list.to_str().unwrap());
        press(&mut harness, Role::Button, "Read list");
        wait(&mut harness, "listed", |h| h.state().recording().unwrap().areas.len() == 3);
        settle(&mut harness);
        assert_eq!(areas(&harness), counted(&[("MT", 3), ("V2", 3), ("LGN", 2)]));
        // The list again under the name of another area: the two are merged.
        fill(&mut harness, "Name of LGN", "MT");
        harness.key_press(Key::Enter);
        wait(&mut harness, "merged", |h| h.state().recording().unwrap().areas.len() == 2);
        settle(&mut harness);
        press(&mut harness, Role::Button, "Take back last change");
        wait(&mut harness, "taken back", |h| h.state().recording().unwrap().areas.len() == 3);
        settle(&mut harness);
        fill(&mut harness, "From a list unit,area", "/no/such/list.csv");
        press(&mut harness, Role::Button, "Read list");
        wait(&mut harness, "told", |h| h.state().messages().iter().any(|m| m == "The recording was not changed"));
    }
    assert_eq!(std::fs::read(&path).unwrap(), before, "the file is not touched");
    let harness = opened(AppOptions { files: vec![path], ..options(folder.path()) });
    assert_eq!(areas(&harness), counted(&[("MT", 3), ("V2", 3), ("LGN", 2)]));
    harness.get_by_label_contains("2 chosen by you");
}

#[test]
fn selected_units_are_put_in_an_area_and_filters_and_masks_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = csv(folder.path());
    let mut harness = opened(AppOptions { files: vec![path], ..options(folder.path()) });
    press(&mut harness, Role::Button, "Units");
    harness.get_by_label("unit 2").click();
    settle(&mut harness);
    press(&mut harness, Role::Button, "Recording");
    press(&mut harness, Role::DisclosureTriangle, "Areas by hand");
    fill(&mut harness, "Put 1 unit in", "LGN");
    press(&mut harness, Role::Button, "Assign");
    wait(&mut harness, "assigned", |h| h.state().recording().unwrap().areas.len() == 3);
    settle(&mut harness);
    assert_eq!(areas(&harness), counted(&[("V1", 3), ("LGN", 1), ("MT", 4)]));
    press(&mut harness, Role::DisclosureTriangle, "Areas by hand");

    press(&mut harness, Role::DisclosureTriangle, "Artefacts");
    harness.get_by_label_contains("of 8 units active at once");
    let all = harness.state().recording().unwrap().spikes.n_spikes();
    harness.get_by_label_contains("Leave these").scroll_to_me();
    settle(&mut harness);
    harness.get_by_label_contains("Leave these").click();
    wait(&mut harness, "masked", |h| h.state().recording().unwrap().spikes.n_spikes() < all);
    settle(&mut harness);
    let left = all - harness.state().recording().unwrap().spikes.n_spikes();
    assert!((12 * 8..12 * 8 + 24).contains(&left), "{left} spikes are masked");
    press(&mut harness, Role::DisclosureTriangle, "Artefacts");

    press(&mut harness, Role::DisclosureTriangle, "Units to keep");
    fill(&mut harness, "Lowest rate", "4.5");
    wait(&mut harness, "counted", |h| h.query_by_label_contains("Kept: ").is_some());
    settle(&mut harness);
    harness.get_by_label("Kept: 5 of 8 units (1 of 3 V1, 0 of 1 LGN, 4 of 4 MT)");
    fill(&mut harness, "and", "colour > 1");
    harness.get_by_label_contains("there is no column 'colour'");
    fill(&mut harness, "and", "area == 'MT'");
    settle(&mut harness);
    press(&mut harness, Role::Button, "Keep these units");
    wait(&mut harness, "filtered", |h| h.state().recording().unwrap().n_units() == 4);
    settle(&mut harness);
    let recording = Arc::clone(harness.state().recording().unwrap());
    let told = |part: &str| recording.report.notes.iter().any(|n| n.kind == NoteKind::Chosen && n.message.contains(part));
    assert!(told("1 unit by hand in LGN") && told("masked") && told("0 of 3 V1, 0 of 1 LGN, 4 of 4 MT"), "{:?}", recording.report);
    press(&mut harness, Role::Button, "Keep all units");
    wait(&mut harness, "all again", |h| h.state().recording().unwrap().n_units() == 8);
}

#[test]
fn a_part_is_exported_from_the_menu() {
    let folder = tempfile::tempdir().unwrap();
    let path = csv(folder.path());
    let out = folder.path().join("part ü.nwb");
    let mut harness = opened(AppOptions { files: vec![path.clone()], ..options(folder.path()) });
    press(&mut harness, Role::Button, "Units");
    harness.get_by_label("unit 3").click();
    settle(&mut harness);
    execute(&mut harness, Command::Export);
    harness.get_by_label("CSV").click();
    settle(&mut harness);
    assert!(harness.get_by_role_and_label(Role::TextInput, "File to write").value().unwrap().ends_with("ours-export.csv"));
    let label = "File to write";
    fill(&mut harness, label, path.to_str().unwrap());
    harness.get_by_label("Export").click();
    wait(&mut harness, "refused", |h| h.state().messages().iter().any(|m| m.contains("could not be exported")));
    fill(&mut harness, label, out.to_str().unwrap());
    harness.get_by_label("Only the selected units (1)").click();
    settle(&mut harness);
    harness.get_by_label("Export").click();
    wait(&mut harness, "written", |h| h.state().messages().iter().any(|m| m.starts_with("1 unit, ") && m.contains("written to")));
    let back = open(&out, &OpenOptions::default(), &|_, _| true).unwrap();
    assert_eq!((back.n_units(), back.units.ids.clone()), (1, vec!["3".to_owned()]));
    assert!(!harness.state().messages().is_empty());
}

#[test]
fn an_area_has_the_colour_that_was_chosen_in_every_view_until_it_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = csv(folder.path());
    let shelf = Shelf::new(folder.path().join("shelf"));
    let mut sidecar = Sidecar::of(&open(&path, &OpenOptions::default(), &|_, _| true).unwrap());
    sidecar.colors.insert("MT".to_owned(), [201, 31, 221]);
    shelf.save(&sidecar).unwrap();
    let mut harness = opened(AppOptions { files: vec![path], ..options(folder.path()) });
    let pixels = |harness: &mut Window<'_>| harness.render().unwrap().pixels().filter(|p| p.0 == [201, 31, 221, 255]).count();
    let before = pixels(&mut harness);
    assert!(before > 50, "{before} pixels of the raster and the list of areas have the colour");
    press(&mut harness, Role::DisclosureTriangle, "Areas by hand");
    harness.get_by_label("Colour of MT");
    press(&mut harness, Role::Button, "Usual colours");
    wait(&mut harness, "given back", |h| h.state().recording().unwrap().area_color(1).is_none());
    settle(&mut harness);
    assert_eq!(pixels(&mut harness), 0);
    assert_eq!(shelf.load(&sidecar.fingerprint).unwrap(), None, "nothing is left to be kept");
}

#[test]
fn counts_are_exported_with_the_settings_that_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = csv(folder.path());
    let out = folder.path().join("counts.h5");
    let mut harness = opened(AppOptions { files: vec![path], ..options(folder.path()) });
    execute(&mut harness, Command::Export);
    harness.get_by_label("H5").click();
    settle(&mut harness);
    harness.get_by_label_contains(" trials for training and ");
    harness.get_by_label_contains(" for evaluation, 100 bins of 5 ms, 8 units");
    harness.get_by_label_contains("four in five are for training, drawn with seed 0");
    harness.get_by_label("Held-out units: Unit column 'heldout'").click();
    settle(&mut harness);
    harness.get_by_label("Every 4th unit of an area").click();
    settle(&mut harness);
    harness.get_by_label_contains("6 units and 2 held out");
    if let Some(pictures) = std::env::var_os("SPIKESCOPE_PICTURES") {
        harness.render().unwrap().save(Path::new(&pictures).join("export-counts.png")).unwrap();
    }
    fill(&mut harness, "File to write", out.to_str().unwrap());
    harness.get_by_label("Export").click();
    wait(&mut harness, "written", |h| h.state().messages().iter().any(|m| m.contains("written to")));
    let back = open(&out, &OpenOptions::default(), &|_, _| true).unwrap();
    let held = back.units.columns.iter().find(|c| c.name == "heldout").unwrap();
    assert_eq!((back.n_units(), (0..8).filter(|&u| held.values.number(u) == 1.0).count()), (8, 2));
    assert!(back.table("trials").unwrap().len() > 100);
}

#[test]
fn several_files_a_folder_and_files_that_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = csv(folder.path());
    let other = folder.path().join("other.csv");
    std::fs::copy(&path, &other).unwrap();
    let mut harness = opened(AppOptions { files: vec![path.clone(), other.clone()], ..options(folder.path()) });
    assert!(harness.state().messages().iter().any(|m| m.contains("1 more are in File, Open recent")), "{:?}", harness.state().messages());
    execute(&mut harness, Command::CloseRecording);
    harness.get_by_role_and_label(Role::Link, "other.csv");
    std::fs::remove_file(&other).unwrap();
    // A folder of no known kind is told; the window lives on.
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    harness.input_mut().dropped_files.push(Arc::new(Dropped(empty)));
    wait(&mut harness, "told", |h| h.state().messages().iter().any(|m| m.contains("empty could not be opened")));
    drop(harness);
    let mut harness = window([1000.0, 760.0], options(folder.path()));
    settle(&mut harness);
    harness.get_by_role_and_label(Role::Link, "ours.csv");
    assert!(harness.query_by_role_and_label(Role::Link, "other.csv").is_none());
    assert!(harness.get_by_label("other.csv").accesskit_node().is_disabled(), "a file that is gone is greyed out");
}

/// With `SPIKESCOPE_PICTURES=FOLDER` the pictures are kept for people to look at.
#[test]
fn the_import_dialog_and_the_recording_view_in_light_and_dark() {
    let folder = tempfile::tempdir().unwrap();
    let path = csv(folder.path());
    for (theme, name) in [(ThemeChoice::Light, "light"), (ThemeChoice::Dark, "dark")] {
        let mut harness = opened(AppOptions { files: vec![path.clone()], theme: Some(theme), ..options(folder.path()) });
        let keep = |harness: &mut Window<'_>, what: &str| {
            let picture = harness.render().unwrap();
            let different: std::collections::BTreeSet<[u8; 4]> = picture.pixels().map(|p| p.0).collect();
            assert!(different.len() > 20, "{what} in {name} is empty");
            if let Some(out) = std::env::var_os("SPIKESCOPE_PICTURES") {
                picture.save(Path::new(&out).join(format!("{what}-{name}.png"))).unwrap();
            }
        };
        for section in ["For training", "Import report"] {
            press(&mut harness, Role::DisclosureTriangle, section);
        }
        for section in ["Areas by hand", "Units to keep", "Artefacts"] {
            press(&mut harness, Role::DisclosureTriangle, section);
        }
        keep(&mut harness, "recording");
        harness.query_all_by_label("Change…").next().unwrap().click();
        settle(&mut harness);
        assert!(!harness.get_by_label("Open with these").accesskit_node().is_disabled());
        keep(&mut harness, "import");
        harness.get_by_label("Cancel").click();
        settle(&mut harness);
        execute(&mut harness, Command::Export);
        keep(&mut harness, "export");
    }
}

fn spikescope(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Process::new(env!("CARGO_BIN_EXE_spikescope"));
    command.current_dir(folder).args(arguments).env("XDG_DATA_HOME", folder.join("data")).env("XDG_CONFIG_HOME", folder.join("config"));
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("SPIKESCOPE_LOG").output().unwrap()
}

fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = spikescope(folder, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, code: i32, arguments: &[&str]) -> String {
    let output = spikescope(folder, arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[test]
fn the_command_line_cuts_filters_masks_and_exports() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    csv(at);
    let info =
        json(&done(at, &["info", "ours.csv", "--json", "--time-range", "10..20", "--units", "rate > 5 and area == 'MT'", "--artefacts"]));
    assert_eq!(info["n_units"], 4);
    assert!(info["t_first"].as_f64().unwrap() >= 10.0 && info["t_last"].as_f64().unwrap() < 20.0);
    let choices = info["choices"].as_array().unwrap();
    assert_eq!(choices.iter().find(|c| c["key"] == "time_range").unwrap()["value"], "10..20");
    assert!(info["artefacts"]["message"].as_str().unwrap().contains("too few"), "{info}");
    let text = done(at, &["info", "ours.csv", "--import", "time_range=10..20", "--artefacts"]);
    assert!(
        text.contains("Choices (change one with --import KEY=VALUE)\n")
            && text.contains("\n  time_range=10..20: Time range, 10..20 s; the file has spikes"),
        "{text}"
    );
    assert!(text.contains("Artefacts\n"), "{text}");
    let masked = spikescope(at, &["info", "ours.csv", "--mask-artefacts", "--json"]);
    assert!(String::from_utf8_lossy(&masked.stderr).contains("of 8 units active at once"));
    let all = json(&done(at, &["info", "ours.csv", "--json"]));
    let left = json(&String::from_utf8(masked.stdout).unwrap());
    assert!(left["n_spikes"].as_u64().unwrap() <= all["n_spikes"].as_u64().unwrap() - 96);
    assert_eq!(left["fingerprint_as_read"], all["fingerprint"]);

    assert!(refused(at, 2, &["info", "ours.csv", "--units", "colour > 1"]).contains("there is no column 'colour'"));
    assert!(refused(at, 2, &["info", "ours.csv", "--time-range", "20..10"]).contains("10..60"));
    assert!(refused(at, 1, &["info", "ours.csv", "--time-range", "100..200"]).contains("no spikes in 100..200 s, they run from"));
    let unused = spikescope(at, &["info", "ours.csv", "--import", "moon=full"]);
    assert!(String::from_utf8_lossy(&unused.stderr).contains("left no choice 'moon'"));

    for out in ["part.npz", "part.nwb", "part.csv", "part.tsv"] {
        done(at, &["export", "ours.csv", "--out", out, "--units", "id == '5' or id == '6'", "--time-range", "0..30"]);
        let part = json(&done(at, &["info", out, "--json"]));
        assert_eq!(
            (part["n_units"].as_u64(), &part["n_spikes"]),
            (Some(2), &json(&done(at, &["info", "part.npz", "--json"]))["n_spikes"]),
            "{out}"
        );
        assert!(part["t_last"].as_f64().unwrap() < 30.0, "{out}");
    }
    let counts = ["export", "ours.csv", "--out", "c.h5", "--trials", "tiles", "--bin-ms", "10", "--window-ms", "200", "--heldout", "4"];
    let told = spikescope(at, &[&counts[..], &["--forward-bins", "5"]].concat());
    assert!(String::from_utf8_lossy(&told.stderr).contains("note: spike times are written as counts in bins of 10 ms"), "{told:?}");
    let binned = json(&done(at, &["info", "c.h5", "--json"]));
    assert_eq!((&binned["n_units"], &binned["heldout_units"]), (&8.into(), &2.into()));
    assert!(refused(at, 1, &[&counts[..], &["--forward-bins", "20"]].concat()).contains("20 forward bins leave nothing"));
    assert!(refused(at, 2, &["export", "ours.csv", "--out", "d.h5", "--heldout", "many"]).contains("write column, none, or 4"));
    // The copy tells with which decisions it was made, though it cannot be read otherwise any more.
    assert!(done(at, &["info", "part.npz"]).contains("your choice, time_range: Time range: 0..30 s"));
    assert!(refused(at, 2, &["export", "ours.csv", "--out", "./ours.csv"]).contains("the recording itself"));
}

#[test]
fn areas_from_the_command_line_are_kept_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    csv(at);
    std::fs::write(at.join("areas.csv"), "unit;area\n0;LGN\n1;LGN\n").unwrap();
    let told = json(&done(
        at,
        &["areas", "ours.csv", "--list", "areas.csv", "--assign", "Pul:rate > 9", "--rename", "MT=V5", "--order", "V5,LGN", "--json"],
    ));
    let list = |told: &Value| -> Vec<(String, u64)> {
        told["areas"].as_array().unwrap().iter().map(|a| (a["area"].as_str().unwrap().to_owned(), a["units"].as_u64().unwrap())).collect()
    };
    let wanted: Vec<(String, u64)> = [("V5", 3), ("LGN", 2), ("V1", 2), ("Pul", 1)].map(|(a, n)| (a.to_owned(), n)).to_vec();
    assert_eq!(list(&told), wanted);
    let info = json(&done(at, &["info", "ours.csv", "--json"]));
    assert_eq!(info["areas"], serde_json::json!({"LGN": 2, "Pul": 1, "V1": 2, "V5": 3}));
    assert_eq!(json(&done(at, &["info", "ours.csv", "--json", "--as-read"]))["areas"], serde_json::json!({"MT": 4, "V1": 4}));
    let coloured = json(&done(at, &["areas", "ours.csv", "--color", "V5=#112233", "--color", "LGN=00ff00", "--json"]));
    assert_eq!(coloured["colors"], serde_json::json!({"LGN": [0, 255, 0], "V5": [17, 34, 51]}));
    let text = done(at, &["areas", "ours.csv", "--color", "LGN="]);
    assert!(text.contains("colour of V5: #112233") && !text.contains("colour of LGN"), "{text}");
    assert!(refused(at, 2, &["areas", "ours.csv", "--color", "Moon=#112233"]).contains("there is no area 'Moon' to give a colour to"));
    assert!(refused(at, 2, &["areas", "ours.csv", "--color", "V5=blue"]).contains("AREA=#RRGGBB"));
    done(at, &["areas", "ours.csv", "--undo"]);
    assert_eq!(json(&done(at, &["info", "ours.csv", "--json"]))["areas"], serde_json::json!({"LGN": 2, "MT": 3, "Pul": 1, "V1": 2}));
    assert!(refused(at, 2, &["areas", "ours.csv", "--rename", "Moon=V9"]).contains("there is no area 'Moon'"));
    assert!(refused(at, 2, &["areas", "ours.csv", "--depth", "depth:0..1=A"]).contains("no unit column 'depth'"));
    assert!(refused(at, 2, &["areas", "ours.csv", "--depth", "depth:0-1=A"]).contains("0..400=V1"));
    // The run tells what the recording was made of, and is shown again with it.
    let short = ["--device", "cpu", "--set", "max_epochs=1", "--set", "edge_jitters=2", "--set", "width=16", "--set", "hidden=16"];
    done(at, &[&["train", "ours.csv", "--out", "run", "--quiet", "--units", "rate > 3.1"], &short[..]].concat());
    let manifest: Value = serde_json::from_str(&std::fs::read_to_string(at.join("run/manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["recording"]["prepared"]["keep"]["expression"], "rate > 3.1");
    assert!(manifest["recording"]["report"]["notes"].as_array().unwrap().iter().any(|n| n["kind"] == "chosen"));
    let drawn = spikescope(at, &["screenshot", "run", "--view", "recording", "--out", "run.png"]);
    assert!(
        drawn.status.success() && !String::from_utf8_lossy(&drawn.stderr).contains("not at hand"),
        "{}",
        String::from_utf8_lossy(&drawn.stderr)
    );
    done(at, &["areas", "ours.csv", "--clear"]);
    assert_eq!(json(&done(at, &["info", "ours.csv", "--json"]))["areas"], serde_json::json!({"MT": 4, "V1": 4}));
}

#[test]
fn loading_is_timed_to_the_first_raster() {
    let folder = tempfile::tempdir().unwrap();
    csv(folder.path());
    let line = json(&done(folder.path(), &["bench", "load", "ours.csv", "--rounds", "1", "--json"]));
    for key in ["open_ms", "first_raster_ms", "peak_rss_mb"] {
        assert!(line[key].as_f64().unwrap() > 0.0, "{key}: {line}");
    }
    assert!(line["spikes"].as_u64().unwrap() > 2500);
    let line = json(&done(folder.path(), &["bench", "load", "ours.csv", "--rounds", "1", "--no-raster", "--json"]));
    assert!(line["first_raster_ms"].is_null());
}
