//! Predicted rates in the layout that the Neural Latents Benchmark takes (one group per data set, `nlb_tools` 1ddc15f).

use std::io::Write;
use std::path::Path;

use hdf5_pure::FileBuilder;
use ndarray::{Array3, ArrayView3, Axis, Slice};

use crate::export::write_whole;
use crate::formats::FormatError;

/// Rates `[trials, bins, units]`, spikes per bin, of one set of trials.
#[derive(Clone, Copy)]
pub struct SubmittedRates<'a> {
    /// `train` or `eval`.
    pub set: &'a str,
    /// Rates.
    pub rates: ArrayView3<'a, f64>,
}

/// Write rates as `DATASET/SET_rates_heldin`, `…_heldout` and, where bins are predicted forward, `…_heldin_forward` and
/// `…_heldout_forward`. `held_out` says which units were not seen `[units]`, `observed` how many bins were.
///
/// # Errors
/// [`FormatError::NotWritable`]; the old file, if any, is untouched then.
pub fn save_submission(
    path: &Path,
    dataset: &str,
    parts: &[SubmittedRates<'_>],
    held_out: &[bool],
    observed: usize,
) -> Result<(), FormatError> {
    let mut file = FileBuilder::new();
    let mut group = file.create_group(dataset);
    for part in parts {
        let bins = part.rates.len_of(Axis(1));
        for (wanted, name) in [(false, "heldin"), (true, "heldout")] {
            let units: Vec<usize> = (0..held_out.len()).filter(|&u| held_out.get(u) == Some(&wanted)).collect();
            for (bins, suffix) in [(0..observed.min(bins), ""), (observed.min(bins)..bins, "_forward")] {
                if units.is_empty() || bins.is_empty() {
                    continue;
                }
                let rates: Array3<f64> = part.rates.slice_axis(Axis(1), Slice::from(bins)).select(Axis(2), &units);
                let shape: Vec<u64> = rates.shape().iter().map(|&n| n as u64).collect();
                let values: Vec<f32> = rates.iter().map(|&rate| rate as f32).collect();
                group.create_dataset(&format!("{}_rates_{name}{suffix}", part.set)).with_f32_data(&values).with_shape(&shape);
            }
        }
    }
    file.add_group(group.finish());
    let bytes = file.finish().map_err(|e| FormatError::not_writable(path, e.to_string()))?;
    write_whole(path, |to| to.write_all(&bytes).map_err(|e| FormatError::not_writable(path, e)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn arrays_have_the_names_and_shapes_of_the_benchmark() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rates.h5");
        let rates = Array3::from_shape_fn((2, 5, 3), |(trial, bin, unit)| (100 * trial + 10 * bin + unit) as f64);
        let part = SubmittedRates { set: "eval", rates: rates.view() };
        save_submission(&path, "mc_maze", &[part], &[false, true, false], 4).unwrap();
        let file = hdf5_pure::File::open(&path).unwrap();
        let read = |name: &str| file.dataset(&format!("mc_maze/{name}")).unwrap().read_f64().unwrap();
        assert_eq!(read("eval_rates_heldout"), [1.0, 11.0, 21.0, 31.0, 101.0, 111.0, 121.0, 131.0]);
        assert_eq!(read("eval_rates_heldin_forward"), [40.0, 42.0, 140.0, 142.0]);
        assert_eq!(read("eval_rates_heldin").len(), 2 * 4 * 2);
        assert_eq!(read("eval_rates_heldout_forward"), [41.0, 141.0]);
    }
}
