//! A run that was interrupted and gone on with is the run that was left alone.

use super::*;
use crate::runs::RunStatus;

/// Interrupt at some steps in every stage in every way; go on; compare with the run that was left alone.
fn interrupted_anywhere(made: &(Arc<Recording>, Recipe), steps: &[u64]) {
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("alone");
    let end = Setup::new(made, &alone).run();
    assert_eq!(end.finished()["status"], "complete", "{:?}", end.messages);
    let last = runs::load(&alone).unwrap().manifest.steps;
    assert!(steps.iter().all(|&step| step <= last), "there are {last} steps");
    for (at, &step) in steps.iter().enumerate() {
        for act in [Act::Panic, Act::Stop] {
            // Not every step in every way: the state that is saved is the same.
            if act == Act::Stop && at % 2 == 1 {
                continue;
            }
            let target = folder.path().join(format!("{act:?} {step}"));
            let first = Setup::new(made, &target).at(step, act).run();
            let status = runs::load(&target).map(|run| run.manifest.status);
            match (act, step) {
                (Act::Panic, 1) => {
                    // The weights at the start are the best so far; no checkpoint was made yet.
                    assert_eq!(status.unwrap(), RunStatus::Failed);
                    assert!(matches!(runs::resumable(&target), Err(runs::RunError::NoCheckpoint { .. })));
                    continue;
                }
                (Act::Panic, _) => assert!(first.failure().contains("injected") && status.unwrap() == RunStatus::Failed),
                _ => assert!(first.finished()["status"] == "stopped" && status.unwrap() == RunStatus::Stopped),
            }
            let found = runs::resumable(&target).unwrap().checkpoint.unwrap();
            // The step in which it panicked was not done.
            assert_eq!(found.step, if act == Act::Panic { step - 1 } else { step }, "{act:?}");
            let second = Setup::resume(made, &target).run();
            assert_eq!(second.finished()["status"], "complete");
            same_run(&alone, &target);
            assert!(!target.join(runs::CHECKPOINTS).exists(), "a complete run needs no checkpoints");
        }
    }
    // Interrupted again and again.
    let target = folder.path().join("again and again");
    let first = Setup::new(made, &target).at(steps[1], Act::Panic).run();
    assert!(first.failure().contains("injected"));
    for &step in &steps[2..] {
        let end = Setup::resume(made, &target).at(step, Act::Panic).run();
        assert!(end.failure().contains(&format!("injected at step {step}")), "{}", end.failure());
    }
    Setup::resume(made, &target).run().finished();
    same_run(&alone, &target);
}

#[test]
fn glm_transformer_in_every_stage() {
    // Three batches, two epochs, four stages: every position in an epoch, ends of epochs and of stages.
    interrupted_anywhere(&glm(), &[1, 2, 3, 6, 7, 9, 12, 13, 17, 19, 24]);
}

#[test]
fn glm_transformer_with_the_published_staging() {
    let (recording, mut recipe) = glm();
    recipe.set("model.published_staging", "true").unwrap();
    interrupted_anywhere(&(recording, recipe), &[1, 4, 8, 14, 20, 23]);
}

#[test]
fn stndt() {
    let settings = [("trials", "40"), ("areas", "5x4"), ("units_per_edge", "3"), ("seed", "5")];
    let recording = Arc::new(simulate::by_name("glm", &settings).unwrap());
    let changes = [
        ("data.trials.bin_s", "0.02"),
        ("model.layers", "1"),
        ("model.hidden", "8"),
        ("model.batch", "8"),
        ("model.steps", "14"),
        ("model.warm_up_steps", "4"),
        ("model.validate_every", "3"),
    ];
    let recipe = preset("stndt", &recording, &changes);
    interrupted_anywhere(&(recording, recipe), &[1, 2, 4, 5, 8, 11, 13]);
}

#[test]
fn netformer() {
    let recording = Arc::new(simulate::by_name("ring", &[("units", "8"), ("steps", "600")]).unwrap());
    let changes = [
        ("model.history", "5"),
        ("model.batch", "96"),
        ("model.max_epochs", "3"),
        ("model.schedule", "plateau"),
        ("model.patience_epochs", "2"),
    ];
    let recipe = preset("netformer", &recording, &changes);
    interrupted_anywhere(&(recording, recipe), &[1, 2, 5, 8, 10, 13]);
}

#[test]
fn a_run_that_was_rolled_back_goes_on_the_same_too() {
    let made = glm();
    let folder = tempfile::tempdir().unwrap();
    let (alone, target) = (folder.path().join("alone"), folder.path().join("resumed"));
    let end = Setup::new(&made, &alone).at(8, Act::NotFinite).run();
    assert!(end.messages.len() == 1 && end.messages[0].contains("step 8"), "{:?}", end.messages);
    let both: Arc<dyn Fn(u64) -> Option<Act> + Send + Sync> =
        Arc::new(|step| [(8, Act::NotFinite), (11, Act::Panic)].iter().find(|(at, _)| *at == step).map(|(_, act)| *act));
    let first = Setup { act: both, ..Setup::new(&made, &target) }.run();
    assert!(first.failure().contains("injected at step 11"));
    Setup::resume(&made, &target).at(8, Act::NotFinite).run().finished();
    same_run(&alone, &target);
    assert_eq!(runs::load(&target).unwrap().manifest.messages, runs::load(&alone).unwrap().manifest.messages);
}

#[test]
fn an_unfinished_run_can_be_read() {
    let made = glm();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("run");
    // Killed in the midst: the folder as it is after step 14, without any end.
    let copy = folder.path().join("killed");
    let seen = Arc::new(std::sync::Mutex::new(None));
    let (from, to, status) = (target.clone(), copy.clone(), Arc::clone(&seen));
    let spy: Arc<dyn Fn(u64) -> Option<Act> + Send + Sync> = Arc::new(move |step| {
        if step == 14 {
            *status.lock().unwrap() = Some((runs::load(&from).unwrap().manifest.status, runs::list(from.parent().unwrap()).unwrap().len()));
            // A checkpoint is being written meanwhile; what is copied is as torn as after a kill.
            copy_folder(&from, &to);
        }
        None
    });
    Setup { act: spy, ..Setup::new(&made, &target) }.run().finished();
    assert_eq!(*seen.lock().unwrap(), Some((RunStatus::Running, 1)));
    let run = runs::load(&copy).unwrap();
    assert_eq!(run.manifest.status, RunStatus::Interrupted);
    assert!(run.manifest.steps >= 10 && !run.weights().unwrap().is_empty() && !run.losses.points.is_empty(), "{:?}", run.manifest);
    assert!(run.snapshot.is_some() && run.can_resume());
    assert!(matches!(run.progress().phase, Phase::Failed(message) if message.contains("resum")));
    Setup::resume(&made, &copy).run().finished();
    same_run(&target, &copy);
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).into_iter().flatten().flatten() {
        let (path, place) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &place);
        } else {
            // It may be gone again, as checkpoints come and go.
            let _ = std::fs::copy(path, place);
        }
    }
}
