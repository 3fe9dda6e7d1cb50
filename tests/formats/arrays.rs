//! Arrays of other people: spike lists, trials, counts, one array per unit, pynapple; and what the user can overrule.

use spikescope::recording::{Column, NoteKind, UnitEdge};

use crate::npy_files::{areas, bytes, choice, file, fixture, floats, ints, npy, npz, npz_compressed, open_with, scalar, texts};
use crate::samples::open_ok;
use crate::told;

#[test]
fn a_list_of_times_and_ids_with_areas_and_silent_units() {
    let arrays = [
        ("times", floats(&[0.5, 0.25, 1.5, f64::NAN])),
        ("ids", ints(&[2, 0, 2, 2])),
        ("area", texts(&["V1", "V1", "PFC"])),
        ("depth", floats(&[1.0, 2.0, 3.5])),
        ("duration", scalar(10.0)),
        ("note", texts(&["a", "b", "c", "d", "e"])),
    ];
    for content in [npz(&arrays), npz_compressed(&arrays)] {
        let (_folder, path) = file("list.npz", &content);
        let recording = open_ok(&path);
        assert_eq!(recording.units.ids, ["0", "1", "2"]);
        assert_eq!((recording.spikes.unit(0), recording.spikes.unit(1), recording.spikes.unit(2)), (&[0.25][..], &[][..], &[0.5, 1.5][..]));
        assert_eq!((areas(&recording), &recording.observed), (vec!["V1", "V1", "PFC"], &vec![(0.0, 10.0)]));
        assert_eq!(recording.units.columns[0].values, Column::Float(vec![1.0, 2.0, 3.5]));
        assert_eq!((choice(&recording, "role/times"), choice(&recording, "area")), (("times", false), ("area", true)));
        assert!(told(&recording, NoteKind::LeftOut, "arrays that are not used: note (5)"), "{:?}", recording.report);
        assert!(told(&recording, NoteKind::Assumed, "1 listed unit without spikes"), "{:?}", recording.report);
        assert_eq!(areas(&open_with(&path, &[("area", "(none)")]).unwrap()), ["", "", ""]);
    }
}

#[test]
fn what_numpy_wrote_compressed_opens_in_milliseconds_as_its_name_says() {
    let recording = open_ok(&fixture("compressed.npz"));
    assert_eq!((recording.n_units(), recording.spikes.n_spikes(), areas(&recording)), (3, 40, vec!["V1", "V1", "PFC"]));
    assert_eq!(recording.spikes.unit(1)[..2], [0.25, 1.0]);
    assert_eq!(choice(&recording, "time_unit"), ("ms", false));
}

#[test]
fn the_unit_of_time_is_a_choice() {
    // 40 whole numbers, 10 per unit in 40000 steps, and a sampling rate: as samples 5 spikes/s, as milliseconds 0.25.
    let times: Vec<f64> = (1..=40).map(|k| f64::from(k) * 1000.0).collect();
    let ids: Vec<i64> = (0..40).map(|k| k % 4).collect();
    let (_folder, path) = file("ticks.npz", &npz(&[("spike_times", floats(&times)), ("neuron_ids", ints(&ids)), ("fs", scalar(20_000.0))]));
    let first = |answers: &[(&str, &str)]| open_with(&path, answers).unwrap().spikes.unit(0)[0];
    assert_eq!(choice(&open_ok(&path), "time_unit"), ("samples", true));
    assert_eq!((first(&[("time_unit", "ms")]), first(&[("time_unit", "s")]), first(&[("time_unit", "0.1ms")])), (1.0, 1000.0, 0.1));
    assert_eq!(first(&[]), 0.05, "with the rate of the file");
    assert_eq!(first(&[("time_unit", "samples"), ("sampling_rate_hz", "10000")]), 0.1);
    let wrong = open_with(&path, &[("time_unit", "hours")]).unwrap_err().to_string();
    assert!(
        wrong.ends_with(
            "'hours' is no answer to the choice 'Time unit'; answer with --import time_unit=VALUE (one of s, ms, 0.1ms, us, samples)"
        ),
        "{wrong}"
    );
}

#[test]
fn names_that_say_nothing_are_asked_for() {
    let (_folder, path) = file("odd.npz", &npz(&[("alpha", floats(&[0.5, 1.5, 2.0])), ("beta", ints(&[1, 1, 4]))]));
    let asked = open_with(&path, &[]).unwrap_err().to_string();
    assert!(
        asked.ends_with(
            "no name says which array holds the spike times; there are alpha (3), beta (3); \
             answer with --import role/times=VALUE (one of alpha, beta)"
        ),
        "{asked}"
    );
    let one = open_with(&path, &[("role/times", "alpha")]).unwrap();
    assert!(one.n_units() == 1 && told(&one, NoteKind::Assumed, "all spikes are of one unit"), "{:?}", one.report);
    let two = open_with(&path, &[("role/times", "alpha"), ("role/units", "beta")]).unwrap();
    assert_eq!((two.units.ids.join(" "), two.spikes.unit(0)), ("1 4".to_owned(), &[0.5, 1.5][..]));
}

#[test]
fn trials_are_put_one_after_another() {
    let arrays = [
        ("spiketimes", floats(&[10.0, 400.0, 20.0, 30.0])),
        ("trials", ints(&[0, 0, 2, 2])),
        ("neuron_ids", ints(&[1, 0, 1, 1])),
        ("tmin", scalar(-100.0)),
        ("tmax", scalar(500.0)),
        ("cue", floats(&[50.0, 60.0, 450.0])),
        ("contrast", floats(&[0.0, 1.0, 0.5])),
    ];
    let (_folder, path) = file("trials.npz", &npz(&arrays));
    let recording = open_with(&path, &[("time_unit", "ms")]).unwrap();
    let near = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
    // Trials of 0.6 s with gaps of 1 s; time 0 is 0.1 s into a trial.
    assert!(near(recording.spikes.unit(1), &[0.11, 3.32, 3.33]) && near(recording.spikes.unit(0), &[0.5]), "{:?}", recording.spikes);
    let trials = recording.table("trials").unwrap();
    assert!(near(&trials.start, &[0.0, 1.6, 3.2]) && near(&trials.stop, &[0.6, 2.2, 3.8]), "{trials:?}");
    let column = |name: &str| trials.column(name).unwrap().values.clone();
    assert!(matches!(column("cue"), Column::Float(v) if near(&v, &[0.15, 1.76, 3.75])));
    assert!(matches!(column("zero_time"), Column::Float(v) if near(&v, &[0.1, 1.7, 3.3])));
    assert_eq!(column("contrast"), Column::Float(vec![0.0, 1.0, 0.5]));
    assert_eq!((choice(&recording, "trial_events"), choice(&recording, "trial_gap_s")), (("cue", true), ("1", true)));
    assert_eq!(recording.observed.len(), 3);
    let wide = open_with(&path, &[("time_unit", "ms"), ("trial_gap_s", "2.4"), ("trial_events", "(none)")]).unwrap();
    assert!(near(&wide.table("trials").unwrap().start, &[0.0, 3.0, 6.0]));
    let short = open_with(&path, &[("time_unit", "ms"), ("trial_length_s", "0.3")]).unwrap();
    assert!(told(&short, NoteKind::LeftOut, "1 spike outside of -0.1 to"), "{:?}", short.report);
    assert_eq!(open_with(&path, &[("time_unit", "ms"), ("role/trials", "(none)")]).unwrap().tables.len(), 0);
}

#[test]
fn counts_need_a_bin_width_and_know_their_axes_by_lengths() {
    // Two units, three trials, four bins.
    let counts: Vec<u8> = (0..24).map(|k| u8::from(k % 5 == 0) * 2).collect();
    let spks = ("spks", bytes(&counts, "(2, 3, 4)"));
    let area = ("brain_area", texts(&["V1", "V2"]));
    let start = ("trial_start", floats(&[5.0, 7.0, 9.5]));
    let (_folder, path) = file("counts.npz", &npz(&[spks.clone(), area.clone(), start.clone()]));
    let asked = open_with(&path, &[]).unwrap_err().to_string();
    assert!(
        asked.ends_with("no array says how wide the bins of the counts are; answer with --import bin_width_ms=VALUE (in ms)"),
        "{asked}"
    );
    let recording = open_with(&path, &[("bin_width_ms", "10")]).unwrap();
    assert_eq!((recording.n_units(), recording.spikes.n_spikes(), areas(&recording)), (2, 10, vec!["V1", "V2"]));
    assert_eq!(choice(&recording, "axes"), ("units,trials,bins", false));
    // The first value is unit 0, trial 0, bin 0: two spikes, spread over the bin.
    assert!(recording.spikes.unit(0)[..2].iter().zip([5.0025, 5.0075]).all(|(a, b)| (a - b).abs() < 1e-12));
    assert_eq!(recording.table("trials").unwrap().start, [5.0, 7.0, 9.5]);
    assert_eq!(recording.observed.len(), 3);

    let (_folder, path) = file("bare.npz", &npz(&[("counts", bytes(&counts, "(2, 3, 4)")), ("bin_ms", scalar(20.0))]));
    let recording = open_ok(&path);
    assert_eq!(
        (recording.n_units(), choice(&recording, "axes"), choice(&recording, "bin_width_ms")),
        (4, ("trials,bins,units", true), ("20", false))
    );
    assert_eq!(open_with(&path, &[("axes", "bins,units,trials")]).unwrap().n_units(), 3);

    let (_folder, path) = file("counts.npy", &bytes(&counts, "(12, 2)"));
    let recording = open_with(&path, &[("bin_width_ms", "1000")]).unwrap();
    assert_eq!((recording.n_units(), recording.tables.len(), choice(&recording, "axes")), (2, 0, ("bins,units", true)));
    assert_eq!(recording.observed, [(0.0, 12.0)]);
}

#[test]
fn a_vector_of_time_beside_counts_is_no_spike_train() {
    let arrays = [("spikes", bytes(&[1, 0, 0, 1], "(2, 2)")), ("time", floats(&[0.0, 1.0])), ("bin_size", scalar(0.05))];
    let (_folder, path) = file("binned.npz", &npz(&arrays));
    let recording = open_ok(&path);
    assert_eq!((recording.n_units(), choice(&recording, "bin_width_ms")), (2, ("50", true)));
}

#[test]
fn arrays_named_alike_are_one_unit_each() {
    let (_folder, path) = file("each.npz", &npz(&[("unit10", floats(&[0.5, 1.0])), ("unit2", floats(&[0.25])), ("unit3", floats(&[]))]));
    let recording = open_ok(&path);
    assert_eq!((recording.units.ids.join(" "), recording.spikes.offsets()), ("unit2 unit3 unit10".to_owned(), &[0, 1, 1, 3][..]));
    assert!(told(&recording, NoteKind::Assumed, "3 arrays are one unit each"));
}

#[test]
fn one_vector_alone_is_one_unit() {
    let (_folder, path) = file("times.npz", &npz(&[("t", floats(&[2.0, 1.0]))]));
    let recording = open_ok(&path);
    assert_eq!((recording.n_units(), recording.spikes.unit(0)), (1, &[1.0, 2.0][..]));
    assert!(told(&recording, NoteKind::Repaired, "were not ascending"));
}

#[test]
fn connections_become_the_truth_and_survive_saving() {
    let weights: Vec<u8> = [0.0, 0.5, -1.0, 0.0].iter().flat_map(|v: &f64| v.to_le_bytes()).collect();
    let delays: Vec<u8> = [0i64, 2, 4, 0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let spikes = [("times", floats(&[0.5, 1.0])), ("ids", ints(&[0, 1]))];
    let matrix = [("W", npy("<f8", "(2, 2)", &weights)), ("delay_ms", npy("<i8", "(2, 2)", &delays))];
    let (folder, path) = file("net.npz", &npz(&[&spikes[..], &matrix].concat()));
    let edges = |answers: &[(&str, &str)]| open_with(&path, answers).unwrap().truth.unwrap().unit_edges.unwrap();
    let edge = |pre, post, weight, delay_s| UnitEdge { pre, post, weight, delay_s };
    assert_eq!(edges(&[]), [edge(0, 1, 0.5, 0.002), edge(1, 0, -1.0, 0.004)]);
    assert_eq!(edges(&[("truth_axes", "post,pre")])[0], edge(1, 0, 0.5, 0.002));
    let recording = open_ok(&path);
    assert!(!recording.truth.as_ref().unwrap().knows_edges());
    let info = spikescope::formats::info::info_json(&recording);
    assert_eq!(info["true_unit_edges"], serde_json::json!({"excitatory": 1, "inhibitory": 1}));
    let copy = folder.path().join("copy.npz");
    spikescope::formats::save(&recording, &copy).unwrap();
    assert_eq!(open_ok(&copy).truth, recording.truth);

    let list: Vec<u8> = [7.0, 9.0, 0.25, 9.0, 7.0, 0.0, 9.0, 9.0, f64::NAN].iter().flat_map(|v: &f64| v.to_le_bytes()).collect();
    let arrays = [("times", floats(&[0.5, 1.0])), ("ids", ints(&[7, 9])), ("marked_edges", npy("<f8", "(3, 3)", &list))];
    let (_folder, path) = file("list.npz", &npz(&arrays));
    let found = open_ok(&path).truth.unwrap().unit_edges.unwrap();
    assert!(found.len() == 1 && (found[0].pre, found[0].post, found[0].weight) == (0, 1, 0.25) && found[0].delay_s.is_nan());
}

#[test]
fn pynapple_groups_open_with_the_columns_of_their_pickle() {
    let recording = open_ok(&fixture("pynapple_tsgroup.npz"));
    assert_eq!((recording.spikes.unit(0), recording.spikes.unit(1)), (&[0.5, 1.5][..], &[][..]));
    assert_eq!(areas(&recording), ["adn", "ca1", "ca1"]);
    assert_eq!(recording.observed, [(0.0, 1.1), (1.25, 2.0)]);
    assert!(told(&recording, NoteKind::Assumed, "columns read from a pickle without running it"), "{:?}", recording.report);
    let depth = recording.units.columns.iter().find(|c| c.name == "depth").unwrap();
    assert_eq!(depth.values, Column::Float(vec![1.5, 2.0, 3.0]));
    let single = open_ok(&fixture("pynapple_ts.npz"));
    assert_eq!((single.n_units(), single.spikes.block()), (1, &[0.5, 1.5][..]));
}
