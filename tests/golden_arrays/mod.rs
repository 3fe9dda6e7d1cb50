//! Golden vectors on disk, for all models.

#![allow(dead_code, clippy::unwrap_used, reason = "a test module; every test target uses its own part of it")]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use burn::tensor::TensorData;
use ndarray::{ArrayD, IxDyn, OwnedRepr};
use ndarray_npy::NpzReader;
use serde_json::Value;
use spikescope::models::params;

/// Arrays of a case by name.
pub type Arrays = BTreeMap<String, ArrayD<f32>>;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden")
}

/// Arrays of a case, whatever type they were written in.
pub fn arrays(name: &str) -> Arrays {
    let mut npz = NpzReader::new(File::open(folder().join(format!("{name}.npz"))).unwrap()).unwrap();
    let names = npz.names().unwrap();
    let mut read = |key: &str| -> ArrayD<f32> {
        npz.by_name::<OwnedRepr<f32>, IxDyn>(key)
            .or_else(|_| npz.by_name::<OwnedRepr<f64>, IxDyn>(key).map(|a: ArrayD<f64>| a.mapv(|x| x as f32)))
            .or_else(|_| npz.by_name::<OwnedRepr<u8>, IxDyn>(key).map(|a: ArrayD<u8>| a.mapv(f32::from)))
            .unwrap()
    };
    names.into_iter().map(|key| (key.trim_end_matches(".npy").to_owned(), read(&key))).collect()
}

/// What `file` says of a case.
pub fn settings(file: &str, name: &str) -> Value {
    let all: Value = serde_json::from_reader(File::open(folder().join(file)).unwrap()).unwrap();
    all[name].clone()
}

/// The parameters whose golden names begin with `prefix`, by our names; `ours` gives ours and whether the matrix is stored
/// transposed.
pub fn parameters(arrays: &Arrays, prefix: &str, ours: &dyn Fn(&str) -> (String, bool)) -> Arrays {
    let of = |(key, array): (&String, &ArrayD<f32>)| {
        let (name, transposed) = ours(key.strip_prefix(prefix)?);
        Some((name, if transposed { array.t().as_standard_layout().into_owned() } else { array.clone() }))
    };
    arrays.iter().filter_map(of).collect()
}

/// Parameters as networks take them.
pub fn as_values(parameters: Arrays) -> params::Values {
    let data = |a: ArrayD<f32>| TensorData::new(a.iter().copied().collect::<Vec<f32>>(), a.shape().to_vec());
    parameters.into_iter().map(|(name, a)| (name, data(a))).collect()
}
