//! Parameters of a model as named f32 arrays. Runs keep them as safetensors; runs of layout 1 have them as burnpack, the format of
//! burn's own stores, which is read here.

use burn::store::burn_pack::{Bytes, DType, Reader, Tensor};

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

/// The arrays in alphabetical order of their names.
///
/// # Errors
/// In words, when the bytes are no burnpack of f32 arrays.
pub(super) fn unpack_burnpack(bytes: Vec<u8>) -> Result<Vec<NamedArray>, String> {
    let tensors = Reader::from_bytes(Bytes::from_bytes_vec(bytes)).and_then(Reader::into_tensors).map_err(|e| e.to_string())?;
    tensors.into_iter().map(array).collect()
}

fn array(tensor: Tensor) -> Result<NamedArray, String> {
    let (name, dtype, shape, _, bytes) = tensor.into_parts().map_err(|e| e.to_string())?;
    if dtype != DType::F32 {
        return Err(format!("'{name}' holds {dtype:?}, expected F32"));
    }
    let (numbers, rest) = bytes.as_chunks::<4>();
    let shape = shape.to_vec();
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
            Tensor::new(array.name.clone(), DType::F32, array.shape.clone(), None, Bytes::from_bytes_vec(bytes))
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
    fn weights_of_layout_1_are_read() {
        assert_eq!(unpack_burnpack(packed(&arrays())).unwrap(), arrays());
        assert_eq!(unpack_burnpack(packed(&[])).unwrap(), []);
    }

    #[test]
    fn truncated_or_changed_bytes_never_panic() {
        let good = packed(&arrays());
        for length in 0..good.len() {
            assert!(unpack_burnpack(good[..length].to_vec()).is_err(), "cut at {length}");
        }
        for at in 0..good.len().min(600) {
            let mut bad = good.clone();
            bad[at] ^= 0x55;
            let _ = unpack_burnpack(bad);
        }
    }
}
