//! What the view decides without being drawn, and its thread.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::runs::catalogue::Mark;
use crate::runs::{RunStatus, made};
use crate::training::Recipe;
use crate::views::work;

fn write_run(folder: &Path, seed: u64) {
    made::run(folder, seed, RunStatus::Complete, &serde_json::Value::Null);
}

fn settle(ctx: &egui::Context) {
    while work::pending(ctx) > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_search_looks_into_names_notes_models_and_status() {
    let mut entry = Entry::running(Path::new("runs/maze-1"), &Recipe::default(), ("maze", "abc"), "CPU (flex)", 1.0, 5);
    entry.mark = Mark { name: "Baseline".into(), note: "Warm up twice".into(), ..Mark::default() };
    for needle in ["", "base", "maze-1", "warm up", "glm", "flex", "running"] {
        assert!(matches(&entry, needle), "{needle}");
    }
    assert!(!matches(&entry, "stndt"));
}

#[test]
fn undo_brings_a_run_back_and_redo_throws_it_away_again() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    write_run(&run, 1);
    let ctx = egui::Context::default();
    let mut view = RunsView { shelf: Shelf::open(&ctx), ..RunsView::default() };
    view.shelf.as_mut().unwrap().look(Some(dir.path()), &[]);
    settle(&ctx);
    assert_eq!(view.shelf.as_ref().unwrap().listing().entries.len(), 1);
    let before = view.ordering();
    view.trashed.insert(run.clone());
    view.ask(Request::Trash(run.clone()));
    let after = view.ordering();
    assert_ne!(before, after, "history sees it");
    settle(&ctx);
    assert!(!run.exists() && view.shelf.as_ref().unwrap().listing().entries.is_empty());
    view.restore_ordering(&before);
    settle(&ctx);
    assert!(run.exists() && view.trashed.is_empty());
    view.restore_ordering(&after);
    settle(&ctx);
    assert!(!run.exists() && view.trashed.contains(&run));
    let answers = view.shelf.as_ref().unwrap().answers();
    assert!(matches!(answers.as_slice(), [Answer::Trashed(_), Answer::Restored(_), Answer::Trashed(_)]), "{answers:?}");
}

#[test]
fn what_fails_is_answered_and_many_requests_wait_for_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    write_run(&run, 7);
    let ctx = egui::Context::default();
    let mut shelf = Shelf::open(&ctx).unwrap();
    for number in 0..300 {
        shelf.ask(Request::Mark(run.clone(), Mark { note: number.to_string(), ..Mark::default() }));
    }
    shelf.ask(Request::Trash(dir.path().join("gone")));
    shelf.ask(Request::Restore(dir.path().join("gone")));
    shelf.ask(Request::Recipe(run.clone()));
    shelf.ask(Request::Recipe(dir.path().join("gone")));
    let mut answers = Vec::new();
    while answers.len() < 4 {
        shelf.look(None, &[]);
        answers.extend(shelf.answers());
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(Mark::read(&run).unwrap().note, "299");
    let [Answer::NotTrashed(..), Answer::NotRestored(why), Answer::Recipe(Ok(recipe)), Answer::Recipe(Err(_))] = answers.as_slice() else {
        unreachable!("{answers:?}")
    };
    assert!(why.contains("not in the trash") && recipe.seed == 7);
}

#[test]
fn another_program_adds_a_run_and_it_appears() {
    let dir = tempfile::tempdir().unwrap();
    let ctx = egui::Context::default();
    let mut shelf = Shelf::open(&ctx).unwrap();
    shelf.look(None, &[dir.path().to_owned()]);
    settle(&ctx);
    assert!(shelf.listing().ready && shelf.listing().entries.is_empty());
    write_run(&dir.path().join("from-the-cluster"), 3);
    shelf.ask(Request::Again);
    settle(&ctx);
    assert_eq!(shelf.listing().entries[0].name(), "from-the-cluster");
}
