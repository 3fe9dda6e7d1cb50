//! Parameters of a model as named f32 arrays, in burnpack: the format of burn's own stores, so that a burn module can be
//! loaded from the file, yet without a module here.

use burn::store::burn_pack::{Bytes, DType, Reader, Tensor, Writer};

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

/// Burnpack bytes.
///
/// # Errors
/// In words, when a shape does not fit its values or two arrays have one name.
pub(super) fn pack(arrays: &[NamedArray]) -> Result<Vec<u8>, String> {
    let mut tensors = Vec::with_capacity(arrays.len());
    for (i, array) in arrays.iter().enumerate() {
        if array.shape.iter().product::<usize>() != array.values.len() {
            return Err(format!("'{}' has {} values, which do not fill the shape {:?}", array.name, array.values.len(), array.shape));
        }
        if arrays[..i].iter().any(|a| a.name == array.name) {
            return Err(format!("two arrays are called '{}'", array.name));
        }
        let bytes: Vec<u8> = array.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        tensors.push(Tensor::new(array.name.clone(), DType::F32, array.shape.clone(), None, Bytes::from_bytes_vec(bytes)));
    }
    let packed = Writer::new(tensors).with_metadata("producer", concat!("spikescope ", env!("CARGO_PKG_VERSION"))).into_bytes();
    packed.map(|bytes| bytes.to_vec()).map_err(|e| e.to_string())
}

/// The arrays in alphabetical order of their names.
///
/// # Errors
/// In words, when the bytes are no burnpack of f32 arrays.
pub(super) fn unpack(bytes: Vec<u8>) -> Result<Vec<NamedArray>, String> {
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
    use super::*;

    fn arrays() -> Vec<NamedArray> {
        vec![
            NamedArray { name: "coupling.0_1.send".into(), shape: vec![1, 3], values: vec![0.1, -2.0, f32::MIN_POSITIVE] },
            NamedArray { name: "empty".into(), shape: vec![0, 4], values: vec![] },
            NamedArray { name: "offset".into(), shape: vec![], values: vec![7.5] },
        ]
    }

    #[test]
    fn arrays_round_trip() {
        assert_eq!(unpack(pack(&arrays()).unwrap()).unwrap(), arrays());
        assert_eq!(unpack(pack(&[]).unwrap()).unwrap(), []);
    }

    #[test]
    fn wrong_arrays_are_refused() {
        let mut wrong = arrays();
        wrong[0].shape = vec![2, 3];
        assert!(pack(&wrong).unwrap_err().contains("coupling.0_1.send"));
        let mut twice = arrays();
        twice[1].name = "offset".into();
        assert!(pack(&twice).unwrap_err().contains("offset"));
    }

    #[test]
    fn truncated_or_changed_bytes_never_panic() {
        let good = pack(&arrays()).unwrap();
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
