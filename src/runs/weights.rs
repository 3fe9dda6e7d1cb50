//! Parameters of a model as named f32 arrays in safetensors: a header of JSON and the bare numbers, which numpy, PyTorch and others
//! read (see `docs/interchange.md`). Runs of earlier versions have burnpack, which is still read.

use std::collections::HashMap;

use burn::store::burn_pack::{self, Bytes, Reader, Tensor};
use safetensors::tensor::{SafeTensors, TensorView};
use safetensors::{Dtype, serialize};

/// One parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedArray {
    /// Path of the parameter in the model, for example `coupling.0_1.send`.
    pub name: String,
    /// Size of every dimension; empty for a single number.
    pub shape: Vec<usize>,
    /// Values, last dimension fastest; as many as the product of the shape.
    pub values: Vec<f32>,
}

/// Safetensors bytes.
///
/// # Errors
/// In words, when a shape does not fit its values or two arrays have one name.
pub(super) fn pack(arrays: &[NamedArray]) -> Result<Vec<u8>, String> {
    for (i, array) in arrays.iter().enumerate() {
        if array.shape.iter().product::<usize>() != array.values.len() {
            return Err(format!("'{}' has {} values, which do not fill the shape {:?}", array.name, array.values.len(), array.shape));
        }
        if arrays[..i].iter().any(|a| a.name == array.name) {
            return Err(format!("two arrays are called '{}'", array.name));
        }
    }
    let bytes: Vec<Vec<u8>> = arrays.iter().map(|a| a.values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = arrays.iter().zip(&bytes).map(|(array, bytes)| {
        let view = TensorView::new(Dtype::F32, array.shape.clone(), bytes).map_err(|e| format!("'{}': {e}", array.name))?;
        Ok((array.name.as_str(), view))
    });
    let views: Vec<(&str, TensorView<'_>)> = views.collect::<Result<_, String>>()?;
    let producer = HashMap::from([("producer".to_owned(), concat!("spikescope ", env!("CARGO_PKG_VERSION")).to_owned())]);
    serialize(views, Some(producer)).map_err(|e| e.to_string())
}

/// The arrays in alphabetical order of their names, from safetensors or burnpack.
///
/// # Errors
/// In words, when the bytes are neither, or hold something else than f32.
pub(super) fn unpack(bytes: Vec<u8>) -> Result<Vec<NamedArray>, String> {
    let mut arrays = match SafeTensors::deserialize(&bytes) {
        Ok(tensors) => tensors.tensors().into_iter().map(|(name, view)| from_view(name, &view)).collect::<Result<Vec<_>, _>>()?,
        // Whichever format was meant: the longer story is that of the newer one.
        Err(e) => match Reader::from_bytes(Bytes::from_bytes_vec(bytes)).and_then(Reader::into_tensors) {
            Ok(tensors) => tensors.into_iter().map(from_burnpack).collect::<Result<_, _>>()?,
            Err(_) => return Err(format!("these are no safetensors ({e})")),
        },
    };
    arrays.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(arrays)
}

fn from_view(name: String, view: &TensorView<'_>) -> Result<NamedArray, String> {
    if view.dtype() != Dtype::F32 {
        return Err(format!("'{name}' holds {:?}, expected F32", view.dtype()));
    }
    fill(name, view.shape().to_vec(), view.data())
}

fn from_burnpack(tensor: Tensor) -> Result<NamedArray, String> {
    let (name, dtype, shape, _, bytes) = tensor.into_parts().map_err(|e| e.to_string())?;
    if dtype != burn_pack::DType::F32 {
        return Err(format!("'{name}' holds {dtype:?}, expected F32"));
    }
    fill(name, shape.to_vec(), &bytes)
}

fn fill(name: String, shape: Vec<usize>, bytes: &[u8]) -> Result<NamedArray, String> {
    let (numbers, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() || shape.iter().product::<usize>() != numbers.len() {
        return Err(format!("'{name}' has {} bytes, which do not fill the shape {shape:?}", bytes.len()));
    }
    Ok(NamedArray { name, shape, values: numbers.iter().map(|&b| f32::from_le_bytes(b)).collect() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::store::burn_pack::Writer;

    use super::*;

    fn packed(arrays: &[NamedArray]) -> Vec<u8> {
        let tensor = |array: &NamedArray| {
            let bytes: Vec<u8> = array.values.iter().flat_map(|v| v.to_le_bytes()).collect();
            Tensor::new(array.name.clone(), burn_pack::DType::F32, array.shape.clone(), None, Bytes::from_bytes_vec(bytes))
        };
        Writer::new(arrays.iter().map(tensor).collect()).into_bytes().unwrap().to_vec()
    }

    fn arrays() -> Vec<NamedArray> {
        vec![
            NamedArray { name: "coupling.0_1.send".into(), shape: vec![1, 3], values: vec![0.1, -2.0, f32::MIN_POSITIVE] },
            NamedArray { name: "offset".into(), shape: vec![], values: vec![7.5] },
        ]
    }

    #[test]
    fn arrays_round_trip() {
        assert_eq!(unpack(pack(&arrays()).unwrap()).unwrap(), arrays());
        assert_eq!(unpack(pack(&[]).unwrap()).unwrap(), []);
    }

    #[test]
    fn burnpack_of_earlier_versions_is_read() {
        assert_eq!(unpack(packed(&arrays())).unwrap(), arrays());
    }

    #[test]
    fn the_header_is_json_that_others_read() {
        let bytes = pack(&arrays()).unwrap();
        let length = u64::from_le_bytes(*bytes.first_chunk::<8>().unwrap()) as usize;
        let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        assert_eq!(header["coupling.0_1.send"]["dtype"], "F32");
        assert_eq!(header["coupling.0_1.send"]["shape"], serde_json::json!([1, 3]));
        assert!(header["__metadata__"]["producer"].as_str().unwrap().starts_with("spikescope"));
    }

    #[test]
    fn wrong_arrays_are_refused() {
        let mut wrong = arrays();
        wrong[0].shape = vec![2, 3];
        assert!(pack(&wrong).unwrap_err().contains("coupling.0_1.send"));
        let mut twice = arrays();
        twice[0].name = "offset".into();
        assert!(pack(&twice).unwrap_err().contains("offset"));
    }

    #[test]
    fn truncated_or_changed_bytes_never_panic() {
        for good in [pack(&arrays()).unwrap(), packed(&arrays())] {
            for length in 0..good.len() {
                assert!(unpack(good[..length].to_vec()).is_err(), "cut at {length}");
            }
            for at in 0..good.len().min(600) {
                let mut bad = good.clone();
                bad[at] ^= 0x55;
                let _ = unpack(bad);
            }
        }
    }
}
