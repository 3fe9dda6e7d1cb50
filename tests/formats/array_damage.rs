//! 10 000 damaged copies per array format: of every file of a recording in turn, cut off, with changed bytes, with swapped blocks.
//! Each must give a recording or an error in words, in bounded time and memory.

use std::path::{Path, PathBuf};

use rand_chacha::ChaCha8Rng;

use crate::alf::put;
use crate::damage::{in_memory, mutate, survive_each};
use crate::npy_files::{bytes, fixture, floats, ints, npy, npz, npz_compressed, scalar, texts};
use crate::samples::read;

/// Damage one of `files` after the other and open `target`.
fn survive(files: Vec<(String, Vec<u8>)>, target: &str, seed: u64) {
    let folder = in_memory();
    put(folder.path(), &files.iter().map(|(n, c)| (n.as_str(), c.clone())).collect::<Vec<_>>());
    read(&folder.path().join(target)).unwrap_or_else(|e| panic!("undamaged: {e}"));
    let root = folder.path().to_owned();
    let target = root.join(target);
    let mut before = None;
    let make = move |k: u64, random: &mut ChaCha8Rng| {
        let (name, original) = &files[(k % files.len() as u64) as usize];
        if let Some((name, original)) = before.replace((name.clone(), original.clone())) {
            std::fs::write(root.join(name), original).unwrap();
        }
        std::fs::write(root.join(name), mutate(original, random)).unwrap();
    };
    survive_each(seed, None, make, move |_| {
        let _keep = &folder;
        read(&target)
    });
}

fn named(name: &str, content: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    vec![(name.to_owned(), content)]
}

/// All files below a fixture.
fn tree(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut waiting: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.push((name, std::fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

fn list() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("times", floats(&[0.5, 0.25, 1.5, 2.5])),
        ("ids", ints(&[2, 0, 2, 1])),
        ("trials", ints(&[0, 1, 1, 2])),
        ("area", texts(&["V1", "V1", "PFC"])),
        ("W", npy("<f8", "(3, 3)", &[0; 72])),
    ]
}

#[test]
fn damaged_lists_of_spikes() {
    survive(named("list.npz", npz(&list())), "list.npz", 1);
}

#[test]
fn damaged_compressed_archives() {
    survive(named("list.npz", npz_compressed(&list())), "list.npz", 2);
}

#[test]
fn damaged_counts() {
    let counts: Vec<u8> = (0..240).map(|k| u8::from(k % 7 == 0)).collect();
    survive(named("counts.npz", npz(&[("counts", bytes(&counts, "(4, 20, 3)")), ("bin_ms", scalar(5.0))])), "counts.npz", 3);
}

#[test]
fn damaged_pynapple_groups() {
    survive(named("group.npz", std::fs::read(fixture("pynapple_tsgroup.npz")).unwrap()), "group.npz", 4);
}

#[test]
fn damaged_sessions() {
    let files = [
        ("s/alf/probe00/spikes.times.npy", floats(&[0.5, 0.75, 1.5])),
        ("s/alf/probe00/spikes.clusters.npy", ints(&[2, 0, 2])),
        ("s/alf/probe00/clusters.channels.npy", ints(&[1, 0, 2])),
        ("s/alf/probe00/channels.brainLocationIds_ccf_2017.npy", ints(&[993, 385, 7])),
        ("s/alf/probe00/clusters.metrics.pqt", std::fs::read(fixture("metrics.pqt")).unwrap()),
        ("s/alf/_ibl_trials.table.pqt", std::fs::read(fixture("trials.pqt")).unwrap()),
    ];
    survive(files.map(|(n, c)| (n.to_owned(), c)).to_vec(), "s", 5);
}

#[test]
fn damaged_sortings() {
    let npz = npz(&[
        ("unit_ids", texts(&["u0", "u1"])),
        ("num_segment", ints(&[1])),
        ("sampling_frequency", floats(&[1000.0])),
        ("spike_indexes_seg0", ints(&[10, 500])),
        ("spike_labels_seg0", texts(&["u1", "u0"])),
    ]);
    survive(named("sorting.npz", npz), "sorting.npz", 6);
}

#[test]
fn damaged_numpy_folders() {
    let data: Vec<u8> = [[5i64, 1, 0], [9, 0, 1]].iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
    let spikes = npy("[('sample_index', '<i8'), ('unit_index', '<i8'), ('segment_index', '<i8')]", "(2,)", &data);
    let info = br#"{"sampling_frequency": 10.0, "unit_ids": ["a", "b"], "num_segments": 2}"#.to_vec();
    let files = [("f/spikes.npy", spikes), ("f/numpysorting_info.json", info), ("f/properties/area.npy", texts(&["x", "y"]))];
    survive(files.map(|(n, c)| (n.to_owned(), c)).to_vec(), "f", 7);
}

#[test]
fn damaged_zarr_stores() {
    for (name, seed) in [("zarr_zstd_bit", 8), ("zarr_lz4_byte", 9)] {
        survive(tree(&fixture(name)).into_iter().map(|(n, c)| (format!("z/{n}"), c)).collect(), "z", seed);
    }
}

#[test]
fn damaged_simulations() {
    survive(tree(&fixture("sonata")), "output/spikes.h5", 10);
    let text = b"timestamps population node_ids\n".iter().chain(b"136.6 v1 0\n".repeat(20).iter()).copied().collect();
    survive(named("spikes.csv", text), "spikes.csv", 11);
}
