//! Faults that are put into a run, and what becomes of it.

use std::io;
use std::sync::Mutex;

use super::*;
use crate::runs::{RunError, RunStatus};
use crate::training::{CheckError, OnDeviceLost, check_data};

#[test]
fn a_panic_keeps_the_window_the_weights_and_the_way_on() {
    let (made, folder) = (glm(), tempfile::tempdir().unwrap());
    let target = folder.path().join("run");
    let end = Setup::new(&made, &target).at(10, Act::Panic).run();
    assert!(end.failure().contains("internal error") && end.failure().contains("injected"), "{}", end.failure());
    let run = runs::load(&target).unwrap();
    assert_eq!(run.manifest.status, RunStatus::Failed);
    assert!(!run.weights().unwrap().is_empty() && run.can_resume());
}

#[test]
fn a_loss_that_is_no_number_goes_back_to_good_weights_at_half_the_rate() {
    let (made, folder) = (glm(), tempfile::tempdir().unwrap());
    let target = folder.path().join("run");
    let end = Setup::new(&made, &target).once(11, Act::NotFinite).run();
    end.finished();
    let run = runs::load(&target).unwrap();
    assert_eq!((run.manifest.status, &run.manifest.messages), (RunStatus::Complete, &end.messages));
    let rate = made.1.glm().unwrap().rate;
    let told = format!("from {rate} to {}", rate / 2.0);
    assert!(end.messages.len() == 1 && end.messages[0].contains(&told) && end.messages[0].contains("step 11"), "{:?}", end.messages);
    assert!(run.losses.points.iter().all(|p| p.values.iter().all(|v| v.is_finite())));
}

#[test]
fn a_loss_that_stays_no_number_ends_the_run_after_three_times() {
    let (made, folder) = (glm(), tempfile::tempdir().unwrap());
    let target = folder.path().join("run");
    let always: Arc<dyn Fn(u64) -> Option<Act> + Send + Sync> = Arc::new(|step| (step >= 9).then_some(Act::NotFinite));
    let end = Setup { act: always, ..Setup::new(&made, &target) }.run();
    assert_eq!(end.messages.len(), 3, "{:?}", end.messages);
    assert!(end.messages[2].contains("3 of at most 3"));
    let eighth = made.1.glm().unwrap().rate / 8.0;
    assert!(end.failure().contains("lower the learning rate") && end.failure().contains(&eighth.to_string()), "{}", end.failure());
    let run = runs::load(&target).unwrap();
    assert_eq!((run.manifest.status, run.manifest.messages.len()), (RunStatus::Failed, 3));
    assert!(!run.weights().unwrap().is_empty());
}

#[test]
fn a_lost_gpu_is_replaced_by_the_cpu_from_the_last_checkpoint() {
    let (made, step) = (glm(), 16);
    let folder = tempfile::tempdir().unwrap();
    for act in [Act::DeviceLost, Act::Panic] {
        let target = folder.path().join(format!("{act:?}"));
        let end = Setup::new(&made, &target).pretending_a_gpu().once(step, act).run();
        assert_eq!(end.finished()["status"], "complete");
        assert_eq!(end.messages.len(), 1, "{:?}", end.messages);
        let message = &end.messages[0];
        assert!(message.contains("pretended GPU was lost") && message.contains("injected") && message.contains("on the CPU"), "{message}");
        let from: u64 = message.rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(from, step - 1, "{message}");
        let run = runs::load(&target).unwrap();
        assert!(run.manifest.device.contains("CPU") && run.manifest.messages == end.messages, "{:?}", run.manifest);
    }
}

#[test]
fn a_lost_gpu_ends_the_run_where_that_was_chosen_and_it_can_be_resumed() {
    let (made, folder) = (glm(), tempfile::tempdir().unwrap());
    let target = folder.path().join("run");
    let mut setup = Setup::new(&made, &target).pretending_a_gpu().at(9, Act::DeviceLost);
    setup.options.on_device_lost = OnDeviceLost::Stop;
    let end = setup.run();
    assert!(end.failure().contains("device lost") && end.failure().contains("was to stop"), "{}", end.failure());
    assert_eq!(runs::load(&target).unwrap().manifest.status, RunStatus::Failed);
    Setup::resume(&made, &target).run().finished();
}

#[test]
fn too_little_memory_on_the_device_names_a_smaller_batch() {
    let (made, folder) = (glm(), tempfile::tempdir().unwrap());
    let mut setup = Setup::new(&made, &folder.path().join("run")).pretending_a_gpu().at(3, Act::OutOfMemory);
    setup.options.on_device_lost = OnDeviceLost::Stop;
    assert!(setup.run().failure().contains("model.batch = 4"));
    let end = Setup::new(&made, &folder.path().join("on")).pretending_a_gpu().once(3, Act::OutOfMemory).run();
    end.finished();
    assert!(end.messages[0].contains("model.batch = 4"), "{:?}", end.messages);
}

/// A disk that fails while `full` says so.
fn disk(kind: io::ErrorKind, full: impl Fn(&str) -> bool + Send + Sync + 'static) -> Box<dyn Fn() -> runs::Fault + Send> {
    let full = Arc::new(full);
    Box::new(move || {
        let full = Arc::clone(&full);
        Box::new(move |step| if full(step) { Err(kind.into()) } else { Ok(()) })
    })
}

#[test]
fn a_full_or_read_only_disk_does_not_stop_training_and_saving_goes_on_when_it_can() {
    let made = glm();
    let alone = tempfile::tempdir().unwrap();
    Setup::new(&made, &alone.path().join("run")).run().finished();
    for (kind, remedy) in
        [(io::ErrorKind::StorageFull, "free some disk space"), (io::ErrorKind::ReadOnlyFilesystem, "choose a folder that you may write to")]
    {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("run");
        let mut setup = Setup::new(&made, &target);
        let checkpoints = Mutex::new(0);
        setup.seam.disk = disk(kind, move |step| {
            let mut made = checkpoints.lock().unwrap();
            *made += u64::from(step == "begin a checkpoint");
            // The third to sixth checkpoint meet a full disk.
            (3..=6).contains(&*made)
        });
        let end = setup.run();
        assert_eq!(end.finished()["status"], "complete");
        assert_eq!(end.messages.len(), 2, "{:?}", end.messages);
        assert!(end.messages[0].contains("could not be written") && end.messages[0].contains(remedy), "{:?}", end.messages);
        assert!(end.messages[1].contains("written again"), "{:?}", end.messages);
        same_run(&alone.path().join("run"), &target);
    }
}

#[test]
fn the_end_is_tried_again_and_when_it_cannot_be_written_the_run_can_be_resumed() {
    let (made, folder) = (glm(), tempfile::tempdir().unwrap());
    let is_result = |step: &str| step == runs::RESULTS || step == "a result takes its place";
    let (alone, soon, never) = (folder.path().join("alone"), folder.path().join("soon"), folder.path().join("never"));
    Setup::new(&made, &alone).run().finished();
    let mut setup = Setup::new(&made, &soon);
    let failures = Mutex::new(0);
    setup.seam.disk = disk(io::ErrorKind::StorageFull, move |step| {
        let mut failures = failures.lock().unwrap();
        *failures += u64::from(step == "a result takes its place");
        step == "a result takes its place" && *failures <= 2
    });
    let end = setup.run();
    end.finished();
    assert!(end.messages.len() == 2 && end.messages[0].contains("trying again"), "{:?}", end.messages);
    same_run(&alone, &soon);

    let mut setup = Setup::new(&made, &never);
    setup.seam.disk = disk(io::ErrorKind::StorageFull, move |step| is_result(step) && step != runs::RESULTS);
    let end = setup.run();
    assert!(end.failure().contains("free some disk space"), "{}", end.failure());
    assert_eq!(runs::load(&never).unwrap().manifest.status, RunStatus::Interrupted);
    let entry = runs::catalogue::entry(&never);
    assert!(entry.is_readable() && entry.may_resume(), "it can be shown and resumed from the list: {:?}", entry.problem);
    Setup::resume(&made, &never).run().finished();
    same_run(&alone, &never);
}

fn cut(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

/// Does something to a checkpoint.
type Damage = Box<dyn Fn(&Path)>;

#[test]
fn a_torn_or_foreign_checkpoint_is_told_and_the_one_before_is_used() {
    let (made, folder) = (glm(), tempfile::tempdir().unwrap());
    let alone = folder.path().join("alone");
    Setup::new(&made, &alone).run().finished();
    let other = {
        let (recording, mut recipe) = glm();
        recipe.seed += 1;
        (recording, recipe)
    };
    let foreign = folder.path().join("foreign");
    Setup::new(&other, &foreign).at(20, Act::Panic).run().failure();
    let newest = |run: &Path| {
        let mut all: Vec<_> = std::fs::read_dir(run.join(runs::CHECKPOINTS)).unwrap().map(|e| e.unwrap().path()).collect();
        all.sort();
        all.pop().unwrap()
    };
    let damages: [(&str, Damage); 5] = [
        ("bytes", Box::new(|place: &Path| cut(&place.join("state.safetensors")))),
        ("understood", Box::new(|place: &Path| cut(&place.join("checkpoint.json")))),
        ("missing", Box::new(|place: &Path| std::fs::remove_file(place.join("state.json")).unwrap())),
        (
            "SHA-256",
            Box::new(|place: &Path| {
                let mut bytes = std::fs::read(place.join("weights.safetensors")).unwrap();
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
                std::fs::write(place.join("weights.safetensors"), bytes).unwrap();
            }),
        ),
        (
            "another recipe",
            Box::new({
                let foreign = newest(&foreign);
                move |place: &Path| {
                    std::fs::remove_dir_all(place).unwrap();
                    std::fs::create_dir(place).unwrap();
                    for entry in std::fs::read_dir(&foreign).unwrap() {
                        let entry = entry.unwrap();
                        std::fs::copy(entry.path(), place.join(entry.file_name())).unwrap();
                    }
                }
            }),
        ),
    ];
    for (word, damage) in damages {
        let target = folder.path().join(format!("torn {word}"));
        Setup::new(&made, &target).at(15, Act::Stop).run().finished();
        damage(&newest(&target));
        let found = runs::resumable(&target).unwrap();
        assert!(found.notes.len() == 1 && found.notes[0].contains(word), "{:?}", found.notes);
        assert!(found.checkpoint.unwrap().step < 15);
        let end = Setup::resume(&made, &target).run();
        end.finished();
        assert_eq!(end.messages, found.notes);
        same_run(&alone, &target);
    }
}

#[test]
fn clocks_of_files_do_not_matter() {
    let (made, folder) = (glm(), tempfile::tempdir().unwrap());
    let target = folder.path().join("run");
    Setup::new(&made, &target).at(15, Act::Stop).run().finished();
    let step = runs::resumable(&target).unwrap().checkpoint.unwrap().step;
    // The newest looks eight hours older than the others.
    let mut all: Vec<_> = std::fs::read_dir(target.join(runs::CHECKPOINTS)).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    assert!(all.len() >= 2);
    let past = std::time::SystemTime::now() - Duration::from_secs(8 * 3600);
    let file = std::fs::File::options().write(true).open(all.last().unwrap().join("checkpoint.json")).unwrap();
    file.set_modified(past).unwrap();
    assert_eq!(runs::resumable(&target).unwrap().checkpoint.unwrap().step, step);
}

#[test]
fn other_data_are_refused_with_what_differs() {
    let (made, folder) = (glm(), tempfile::tempdir().unwrap());
    let target = folder.path().join("run");
    Setup::new(&made, &target).at(15, Act::Stop).run().finished();
    let run = runs::load(&target).unwrap();
    check_data(&run, &made.0).unwrap();
    let before = std::fs::read(target.join(runs::MANIFEST)).unwrap();
    for (settings, part) in [
        ([("trials", "38"), ("areas", "6x5"), ("units_per_edge", "3"), ("seed", "3")], "trials: 40 then, 38 now"),
        ([("trials", "40"), ("areas", "6x4"), ("units_per_edge", "3"), ("seed", "3")], "units of the recording: 11 then, 10 now"),
        ([("trials", "40"), ("areas", "6x5"), ("units_per_edge", "3"), ("seed", "4")], "fingerprint"),
    ] {
        let other = Arc::new(simulate::by_name("glm", &settings).unwrap());
        let Err(CheckError::Differs(differs)) = check_data(&run, &other) else { panic!("{part} was not noticed") };
        assert!(differs.to_string().contains(part), "{differs}");
        let end = Setup { recording: other, ..Setup::resume(&made, &target) }.run();
        assert!(end.failure().contains(part) && end.failure().contains("other data"), "{}", end.failure());
    }
    // The same spikes with other areas: the fingerprint of the data is the same, what was used is not.
    let areas = crate::recording::AreaRule::OneArea.apply(&made.0).map(Arc::new).unwrap();
    let Err(CheckError::Differs(differs)) = check_data(&run, &areas) else { panic!("other areas were not noticed") };
    assert!(differs.to_string().contains("areas and units used"), "{differs}");
    assert_eq!(std::fs::read(target.join(runs::MANIFEST)).unwrap(), before, "a run that is not resumed stays as it was");
    Setup::resume(&made, &target).run().finished();
}

#[test]
fn two_at_once_on_one_folder_are_refused() {
    let (made, folder) = (glm(), tempfile::tempdir().unwrap());
    let target = folder.path().join("run");
    let second = Mutex::new(Vec::new());
    let (other, place) = (glm(), target.clone());
    let found = Arc::new(second);
    let seen = Arc::clone(&found);
    let act: Arc<dyn Fn(u64) -> Option<Act> + Send + Sync> = Arc::new(move |step| {
        if step == 5 {
            let ends = [Setup::new(&other, &place).run(), Setup::resume(&other, &place).run()];
            seen.lock().unwrap().extend(ends.iter().map(|end| end.failure().to_owned()));
            assert!(matches!(runs::resumable(&place), Err(RunError::Locked { .. })));
        }
        None
    });
    Setup { act, ..Setup::new(&made, &target) }.run().finished();
    let messages = found.lock().unwrap().clone();
    assert_eq!(messages.len(), 2);
    for message in messages {
        assert!(message.contains("being trained by") && message.contains(&std::process::id().to_string()), "{message}");
    }
    assert!(matches!(runs::resumable(&target), Err(RunError::Complete { .. })));
}

/// The manifest is in its place, and the process is killed before it has removed what only a run that goes on needs.
#[test]
fn what_a_kill_in_the_last_moment_leaves_is_removed() {
    let (made, folder) = (glm(), tempfile::tempdir().unwrap());
    let target = folder.path().join("run");
    Setup::new(&made, &target).run().finished();
    let names = || -> std::collections::BTreeSet<_> {
        std::fs::read_dir(&target).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let complete = names();
    for left in [".finishing.abc.partial", "checkpoints"] {
        std::fs::create_dir(target.join(left)).unwrap();
        std::fs::write(target.join(left).join("weights"), "").unwrap();
    }
    for left in ["run.lock", "owner.json"] {
        std::fs::write(target.join(left), "").unwrap();
    }
    assert!(matches!(runs::resumable(&target), Err(RunError::Complete { .. })));
    assert_eq!(names(), complete);
    assert!(complete.contains(runs::MANIFEST) && !complete.contains("run.lock"));
}

#[test]
fn the_run_before_comes_back_when_the_new_one_is_discarded() {
    let (made, folder) = (glm(), tempfile::tempdir().unwrap());
    let target = folder.path().join("run");
    Setup::new(&made, &target).run().finished();
    let before = std::fs::read(target.join(runs::METRICS)).unwrap();
    let mut other = glm();
    other.1.seed = 77;
    // Interrupted in the midst, as by a kill: the new run is there, the old one waits.
    let discard = |resume: bool| {
        let (commands, inbox) = bounded(8);
        let shared = Arc::new(Shared::default());
        let setup = if resume { Setup::resume(&other, &target) } else { Setup::new(&other, &target) };
        let mut seam = Seam::default();
        let act: Arc<dyn Fn(u64) -> Option<Act> + Send + Sync> = {
            let commands = commands.clone();
            Arc::new(move |step| {
                if step == 12 {
                    commands.send(Command::Discard).unwrap();
                }
                None
            })
        };
        seam.wrap = Box::new(move |inner| Box::new(Meddler { inner, act: Arc::clone(&act), commands: commands.clone() }));
        let task = Task { recording: setup.recording, recipe: setup.recipe, resume, options: setup.options, seam };
        super::super::guarded(task, inbox, Arc::clone(&shared));
        assert_eq!(shared.progress.load().phase, Phase::Discarded);
    };
    discard(false);
    assert_eq!(std::fs::read(target.join(runs::METRICS)).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    // A resumed run that is discarded is the run that was resumed.
    Setup::new(&other, &target).at(7, Act::Stop).run().finished();
    let step = runs::resumable(&target).unwrap().checkpoint.unwrap().step;
    let stopped = std::fs::read(target.join(runs::METRICS)).unwrap();
    discard(true);
    assert_eq!(runs::load(&target).unwrap().manifest.status, RunStatus::Stopped);
    assert_eq!(std::fs::read(target.join(runs::METRICS)).unwrap(), stopped);
    assert_eq!(runs::resumable(&target).unwrap().checkpoint.unwrap().step, step);
}
