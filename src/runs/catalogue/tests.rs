//! Whatever lies in a folder is listed; notes, order and trash do what they say.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::time::UNIX_EPOCH;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::runs::made::run as write_run;

fn look(folder: &Path) -> Listing {
    Catalogue::default().look(None, &[folder.to_owned()])
}

#[test]
fn everything_in_a_folder_is_listed_and_nothing_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    write_run(&at("a-good"), 1, RunStatus::Complete, &json!({ "test_loss": 0.25, "seconds": 3.0, "name": "x" }));
    write_run(&at("b-failed"), 2, RunStatus::Failed, &Value::Null);
    write_run(&at("c-torn"), 3, RunStatus::Complete, &Value::Null);
    let manifest = fs::read_to_string(at("c-torn").join(MANIFEST)).unwrap();
    fs::write(at("c-torn").join(MANIFEST), &manifest[..manifest.len() / 2]).unwrap();
    write_run(&at("d-newer"), 4, RunStatus::Complete, &Value::Null);
    fs::write(at("d-newer").join(MANIFEST), r#"{"program":"spikescope","layout":9999}"#).unwrap();
    write_run(&at("e-changed"), 5, RunStatus::Stopped, &json!({ "test_loss": 0.5 }));
    fs::write(at("e-changed").join(RECIPE), "seed = 77").unwrap();
    fs::create_dir(at("f-begun")).unwrap();
    fs::write(at("f-begun").join(RECIPE), Recipe { seed: 6, ..Recipe::default() }.to_toml().unwrap()).unwrap();
    fs::create_dir(at("g-photos")).unwrap();
    fs::create_dir(at(".hidden")).unwrap();
    fs::write(at("file.txt"), "x").unwrap();

    let listing = look(dir.path());
    let told: Vec<(String, Status)> = listing.entries.iter().map(|e| (e.name(), e.status)).collect();
    let expected = [
        ("a-good", Status::Complete),
        ("b-failed", Status::Failed),
        ("c-torn", Status::Unreadable),
        ("d-newer", Status::Unreadable),
        ("e-changed", Status::Stopped),
        ("f-begun", Status::Interrupted),
        ("g-photos", Status::Foreign),
    ];
    assert_eq!(told, expected.map(|(name, status)| (name.to_owned(), status)));
    assert!(listing.ready && listing.problems.is_empty());
    let entry = |at: usize| &*listing.entries[at];
    assert_eq!((entry(0).problem.clone(), entry(0).is_readable()), (None, true));
    assert_eq!(entry(0).facts.metrics.iter().collect::<Vec<_>>(), [("test_loss", &0.25)], "seconds are no result, and text is none");
    assert_eq!((entry(0).facts.started.as_str(), entry(0).facts.ended.as_str()), ("2026-11-21T10:01:04Z", "2026-11-21T10:02:34Z"));
    assert_eq!((entry(0).facts.settings.get("seed"), entry(0).facts.model.as_str()), (Some(&json!(1)), "GLM-Transformer"));
    assert_eq!(entry(1).facts.message.as_deref(), Some("the loss became NaN"));
    for (at, word) in [(2, "not JSON"), (3, "newer Spikescope"), (4, "recipe.toml"), (5, "has not ended"), (6, "not a run folder")] {
        assert!(entry(at).problem.as_ref().is_some_and(|p| p.contains(word)), "{word}: {:?}", entry(at).problem);
        assert!(!entry(at).is_readable());
    }
    assert_eq!(entry(4).facts.metrics.get("test_loss"), Some(&0.5), "what can be read is shown");
    assert_eq!(entry(5).facts.settings.get("seed"), Some(&json!(6)));
}

#[test]
fn folders_may_be_missing_overlap_or_be_runs_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("one");
    write_run(&run, 1, RunStatus::Complete, &Value::Null);
    let gone = dir.path().join("gone");
    let mut catalogue = Catalogue::default();
    let listing = catalogue.look(Some(&gone), &[]);
    assert!(listing.entries.is_empty() && listing.problems.is_empty(), "where new runs will be, nothing is needed");
    let listing = catalogue.look(Some(dir.path()), &[run.clone(), gone.clone()]);
    assert_eq!(listing.entries.iter().map(|e| &e.folder).collect::<Vec<_>>(), [&run]);
    assert!(listing.problems[0].0 == gone && listing.problems[0].1.contains("take the folder off the list"));
}

#[test]
fn only_what_changed_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    write_run(&at("a"), 1, RunStatus::Complete, &Value::Null);
    write_run(&at("b"), 2, RunStatus::Complete, &Value::Null);
    let (mut catalogue, folders) = (Catalogue::default(), [dir.path().to_owned()]);
    let before = catalogue.look(None, &folders);
    Mark { note: "better".into(), ..Mark::default() }.write(&at("b")).unwrap();
    let after = catalogue.look(None, &folders);
    assert!(Arc::ptr_eq(&before.entries[0], &after.entries[0]));
    assert_eq!(after.entries[1].mark.note, "better");
    fs::remove_dir_all(at("a")).unwrap();
    assert_eq!(catalogue.look(None, &folders).entries.len(), 1);
    assert_eq!(catalogue.known.len(), 1, "what is gone is forgotten");
}

#[test]
fn notes_are_kept_whole_and_empty_ones_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    write_run(&run, 1, RunStatus::Complete, &Value::Null);
    let file = run.join(NOTES);
    assert_eq!(Mark::read(&run), Ok(Mark::default()));
    fs::write(&file, r#"{"name":"first","later":[1,2]}"#).unwrap();
    let mut mark = Mark::read(&run).unwrap();
    assert_eq!((mark.name.as_str(), mark.pinned), ("first", false));
    mark.pinned = true;
    mark.write(&run).unwrap();
    assert_eq!(Mark::read(&run).unwrap().rest.get("later"), Some(&json!([1, 2])), "what a newer program wrote is kept");
    assert_eq!(look(dir.path()).entries[0].name(), "first");
    assert!(crate::runs::load(&run).is_ok(), "the run itself is untouched");
    fs::write(&file, "{torn").unwrap();
    let entry = entry(&run);
    assert!(entry.status == Status::Complete && entry.problem.is_some_and(|p| p.contains("set aside")));
    Mark { note: "new".into(), ..Mark::default() }.write(&run).unwrap();
    assert_eq!(Mark::read(&run).unwrap().note, "new");
    assert_eq!(fs::read_to_string(run.join("notes.json.damaged")).unwrap(), "{torn");
    Mark::default().write(&run).unwrap();
    assert!(!file.exists());
    let gone = Mark { note: "x".into(), ..Mark::default() }.write(&dir.path().join("gone")).unwrap_err();
    assert!(gone.to_string().contains("gone"), "{gone}");
}

fn row(name: &str, score: Option<f64>, rate: f64, pinned: bool) -> Arc<Entry> {
    let mut recipe = Recipe::default();
    recipe.set("model.rate", &rate.to_string()).unwrap();
    let mut entry = Entry::running(Path::new(name), &recipe, ("demo", "abc"), "CPU", 1.0, 5);
    entry.status = Status::Complete;
    entry.facts.metrics = Table::new(score.map(|score| ("co_bps".to_owned(), score)), &mut HashSet::new());
    entry.mark.pinned = pinned;
    Arc::new(entry)
}

fn names(entries: &[Arc<Entry>], sorting: &Sorting) -> Vec<String> {
    order(entries, |_| true, sorting).into_iter().map(|at| entries[at].name()).collect()
}

#[test]
fn any_column_sorts_pinned_first_and_missing_last() {
    let rows = [
        row("b", Some(0.1), 0.002, false),
        row("A", Some(0.3), 0.001, false),
        row("c", None, 0.004, false),
        row("d", Some(0.2), 0.003, true),
    ];
    let co_bps = Sorting::by(Column::Metric("co_bps".into()));
    assert!(co_bps.descending, "more is better");
    assert_eq!(names(&rows, &co_bps), ["d", "A", "b", "c"]);
    assert_eq!(names(&rows, &co_bps.clicked(&co_bps.column.clone())), ["d", "b", "A", "c"]);
    assert_eq!(names(&rows, &Sorting::by(Column::Name)), ["d", "A", "b", "c"]);
    assert_eq!(names(&rows, &Sorting::by(Column::parse("model.rate"))), ["d", "A", "b", "c"]);
    assert_eq!(names(&rows, &Sorting { column: Column::parse("model.rate"), descending: true }), ["d", "c", "b", "A"]);
    assert_eq!(order(&rows, |e| e.name() == "c", &co_bps), [2]);
}

#[test]
fn columns_are_typed_kept_and_explained() {
    for column in Column::own().chain([Column::Metric("co_bps".into()), Column::Setting("model.rate".into())]) {
        assert_eq!(Column::parse(&column.key()), column);
        let text = serde_json::to_string(&column).unwrap();
        assert_eq!(serde_json::from_str::<Column>(&text).unwrap(), column);
        assert!(!column.title().is_empty() && !column.help().is_empty() && !column.title().contains('_'));
    }
    assert_eq!(Column::parse("co_bps"), Column::Metric("co_bps".into()));
    assert_eq!((Column::parse("seed"), Column::parse("device")), (Column::Setting("seed".into()), Column::Device));
    assert_eq!(Column::Setting("data.trials.bin_s".into()).title(), "Bin width");
    assert_eq!(Column::Metric("brand_new".into()).title(), "Brand new");
    let offered = offered(&[row("a", Some(0.1), 0.002, false), row("b", Some(0.1), 0.004, false)]);
    assert!(offered.contains(&(Column::Setting("model.rate".into()), true)) && offered.contains(&(Column::Setting("seed".into()), false)));
    assert!(offered.contains(&(Column::Metric("co_bps".into()), false)));
}

#[test]
fn numbers_come_from_all_of_the_summary() {
    let found = metrics(&json!({
        "test_loss": 0.2, "run": "x", "seconds": 5.0, "trials": { "train": 3 },
        "stages": [{ "validation_loss": 0.5 }, { "validation_loss": 0.4 }],
        "edges": [{ "supported": true }, { "supported": false }, { "supported": true }],
        "truth": { "oracle_loss": 0.1, "edges": [{ "cos_send": 0.5, "cos_receive": 1.0, "filter_corr": 0.0 },
                                                  { "cos_send": 1.0, "cos_receive": 1.0, "filter_corr": null }] },
    }));
    let expected = [
        ("oracle_loss", 0.1),
        ("supported_pairs", 2.0),
        ("test_loss", 0.2),
        ("true_cos_receive", 1.0),
        ("true_cos_send", 0.75),
        ("validation_loss", 0.4),
    ];
    assert_eq!(found.into_iter().collect::<Vec<_>>(), expected.map(|(name, value)| (name.to_owned(), value)));
    assert!(metrics(&Value::Null).is_empty());
}

#[test]
fn the_trash_gives_back_what_it_took() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let now = UNIX_EPOCH + Duration::from_secs(1_795_255_353);
    write_run(&run, 1, RunStatus::Complete, &Value::Null);
    let first = move_to_trash(&run, now).unwrap();
    assert!(!run.exists() && first.to.join(MANIFEST).exists());
    assert!(look(dir.path()).entries.is_empty(), "the trash is not listed");
    write_run(&run, 2, RunStatus::Complete, &Value::Null);
    let second = move_to_trash(&run, now).unwrap();
    assert_ne!(first.to, second.to, "two runs of one name in one second");
    assert_eq!(trashed_in(dir.path()), [second.clone(), first.clone()]);
    restore(&first).unwrap();
    assert_eq!(Manifest::read(&run).unwrap().seed, 1);
    let refused = restore(&second).unwrap_err();
    assert!(matches!(refused, RunError::Occupied { .. }) && second.to.exists(), "{refused}");
    fs::remove_dir_all(&run).unwrap();
    restore(&second).unwrap();
    assert!(!dir.path().join(TRASH).exists(), "an empty trash leaves nothing");
    assert!(restore(&second).is_err());
}

#[test]
fn other_folders_are_not_thrown_away() {
    let dir = tempfile::tempdir().unwrap();
    let photos = dir.path().join("photos");
    fs::create_dir(&photos).unwrap();
    assert!(matches!(move_to_trash(&photos, UNIX_EPOCH), Err(RunError::NotARun { .. })) && photos.exists());
    assert!(move_to_trash(&dir.path().join("gone"), UNIX_EPOCH).is_err());
}

proptest! {
    #[test]
    fn any_manifest_and_any_note_are_listed(manifest in prop::collection::vec(any::<u8>(), 0..200), note in prop::collection::vec(any::<u8>(), 0..60)) {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        fs::create_dir(&run).unwrap();
        fs::write(run.join(MANIFEST), manifest).unwrap();
        fs::write(run.join(NOTES), note).unwrap();
        let listing = look(dir.path());
        // A folder that claims to be a run stands for itself, also inside a list.
        prop_assert_eq!(listing.entries.len(), 1);
        prop_assert!(listing.entries[0].problem.is_some());
    }
}

#[test]
fn the_trash_of_earlier_sessions_is_listed_and_deleted_only_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for (seed, name) in [(1, "old"), (2, "new"), (3, "kept")] {
        write_run(&at(name), seed, RunStatus::Complete, &json!({ "test_loss": 0.5 }));
    }
    let then = UNIX_EPOCH + Duration::from_secs(1_795_255_353);
    let old = move_to_trash(&at("old"), then).unwrap();
    move_to_trash(&at("new"), then + Duration::from_secs(60)).unwrap();
    // Another start of the program sees the same.
    let mut catalogue = Catalogue::default();
    let found = catalogue.look(Some(dir.path()), &[dir.path().to_owned()]);
    let told: Vec<(String, &str)> = found.trash.iter().map(|t| (t.entry.name(), t.thrown.as_str())).collect();
    assert_eq!(told, [("new".to_owned(), "2026-11-21T10:03:33Z"), ("old".to_owned(), "2026-11-21T10:02:33Z")], "each once, newest first");
    assert!(found.trash[0].bytes > 500 && found.trash[0].entry.facts.model == "GLM-Transformer", "{:?}", found.trash[0]);
    assert_eq!(found.entries.len(), 1);
    delete_for_good(&old).unwrap();
    assert!(!old.to.exists() && !old.to.parent().unwrap().exists());
    let left = catalogue.look(Some(dir.path()), &[]);
    assert_eq!(left.trash.iter().map(|t| t.entry.name()).collect::<Vec<_>>(), ["new"]);
    // What is not in a trash is never deleted.
    let outside = Trashed { from: at("x"), to: at("kept") };
    assert!(matches!(delete_for_good(&outside), Err(RunError::NotARun { .. })) && at("kept").join(MANIFEST).exists());
    assert!(delete_for_good(&old).is_err(), "it is gone already");
}

#[test]
fn a_run_that_is_trained_is_neither_thrown_away_nor_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    write_run(&run, 1, RunStatus::Complete, &Value::Null);
    let lock = super::super::lock::RunLock::take(&run).unwrap();
    assert!(matches!(move_to_trash(&run, UNIX_EPOCH), Err(RunError::Locked { .. })) && run.exists());
    drop(lock);
    let trashed = move_to_trash(&run, UNIX_EPOCH).unwrap();
    let lock = super::super::lock::RunLock::take(&trashed.to).unwrap();
    assert!(matches!(delete_for_good(&trashed), Err(RunError::Locked { .. })) && trashed.to.exists());
    drop(lock);
    restore(&trashed).unwrap();
}
