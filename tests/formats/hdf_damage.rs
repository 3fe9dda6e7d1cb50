//! Damaged MATLAB files and arrays of counts, as in `damage.rs`.

use spikescope::formats::{BinnedKind, BinnedLayout, HeldOut, save_binned};
use spikescope::recording::TrialPlan;

use crate::binned::trials_of_counts;
use crate::damage::{fixture, survive};
use crate::mat5::{DEFLATED, Mat, PLAIN, Writer, column, row_cell, scalar_struct, texts};

#[test]
fn damaged_matlab_5_files() {
    let trains = || row_cell(vec![column(&[0.5, 1.5]), column(&[]), column(&[2.5])]);
    let explorer = scalar_struct(vec![("times", trains()), ("UID", column(&[1.0, 2.0, 3.0])), ("region", texts(&["a", "b", "c"]))]);
    let nested = row_cell(vec![row_cell(vec![column(&[1.0, 2.0])]), row_cell(vec![column(&[1.5]), column(&[3.5])])]);
    let counts = Mat::Numbers(vec![2, 3, 2], vec![1.0; 12]);
    let originals = vec![
        PLAIN.file(&[("spikes", trains()), ("region", texts(&["a", "b", "c"]))]),
        DEFLATED.file(&[("spikes", explorer.clone())]),
        PLAIN.file(&[("spikes", explorer)]),
        Writer { big_endian: true, deflated: false }.file(&[("spikes", nested)]),
        PLAIN.file(&[("spike_counts", counts), ("bin_ms", column(&[10.0]))]),
        PLAIN.file(&[("spike_times", column(&[0.5, 1.0])), ("unit", column(&[1.0, 2.0]))]),
    ];
    survive(originals, "mat", 4);
}

#[test]
fn damaged_matlab_4_files() {
    survive(vec![fixture("v4_by_scipy.mat"), fixture("v4_sparse_by_scipy.mat"), fixture("v5_sparse_by_scipy.mat")], "mat", 8);
}

#[test]
fn damaged_matlab_7_3_files() {
    survive(vec![fixture("v73_by_h5py.mat")], "mat", 5);
}

#[test]
fn damaged_counts() {
    let folder = tempfile::tempdir().unwrap();
    let write = |kind, forward_bins| {
        let path = folder.path().join("counts.h5");
        let plan = TrialPlan { bin_s: 0.01, window_s: 0.1, ..TrialPlan::default() };
        save_binned(&trials_of_counts(), &path, &BinnedLayout { kind, plan, forward_bins, heldout: HeldOut::Column }).unwrap();
        std::fs::read(path).unwrap()
    };
    survive(vec![write(BinnedKind::Benchmark, 3), write(BinnedKind::Lfads, 0)], "h5", 6);
}

#[test]
fn damaged_nwb_files_of_other_layouts() {
    survive(vec![fixture("allen_by_pynwb.nwb"), fixture("fixed_strings.nwb")], "nwb", 7);
}
