//! Weights in files of other programs: PyTorch (`.pt`, `.pth`, `.ckpt`) and safetensors.

use std::path::Path;

use pytorch_reader::{DType, PytorchReader};

use super::{NamedArray, RunError, weights};
use crate::models::import::{Array, Arrays};

/// Largest file that is read.
const MOST_BYTES: u64 = 8 << 30;

/// Every array of numbers in a file, by name; numbers of every width become f32. Whole numbers (counters, indices) are left out.
///
/// # Errors
/// [`RunError`] names the file, what is wrong with it and what to do.
pub fn read_weights(path: &Path) -> Result<Arrays, RunError> {
    let size = std::fs::metadata(path).map_err(|source| RunError::Read { path: path.to_owned(), source })?.len();
    let damaged = RunError::damaged(path);
    if size > MOST_BYTES {
        return Err(damaged(format!("it has {size} bytes; weights of these models are far smaller")));
    }
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors")) {
        let bytes = std::fs::read(path).map_err(|source| RunError::Read { path: path.to_owned(), source })?;
        let arrays = weights::unpack(bytes).map_err(damaged)?;
        return Ok(arrays.into_iter().map(|NamedArray { name, shape, values }| (name, Array { shape, values })).collect());
    }
    let reader = PytorchReader::new(path).map_err(|e| damaged(format!("PyTorch's format was expected ({e})")))?;
    let mut arrays = Arrays::new();
    for (name, tensor) in reader.into_tensors() {
        let bytes = tensor.read().map_err(|e| damaged(format!("'{name}' cannot be read ({e})")))?;
        if let Some(values) = floats(tensor.dtype(), &bytes) {
            let shape = tensor.shape().to_vec();
            if shape.iter().product::<usize>() != values.len() {
                return Err(damaged(format!("'{name}' has {} values, which do not fill the shape {shape:?}", values.len())));
            }
            arrays.insert(name, Array { shape, values });
        }
    }
    Ok(arrays)
}

/// Numbers as f32, `None` for other kinds.
fn floats(kind: DType, bytes: &[u8]) -> Option<Vec<f32>> {
    let half = |b: &[u8; 2]| f32_of_half(u16::from_le_bytes(*b));
    match kind {
        DType::F64 => Some(bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect()),
        DType::F32 => Some(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
        DType::F16 => Some(bytes.as_chunks::<2>().0.iter().map(half).collect()),
        DType::BF16 => Some(bytes.as_chunks::<2>().0.iter().map(|b| f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16)).collect()),
        _ => None,
    }
}

/// IEEE 754 half precision.
fn f32_of_half(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        e => (1.0 + fraction / 1024.0) * 2f32.powi(e - 15),
    };
    if bits >> 15 == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_of_every_width_become_f32() {
        assert_eq!(floats(DType::F64, &1.5f64.to_le_bytes()).unwrap(), [1.5]);
        assert_eq!(floats(DType::BF16, &0x3fc0u16.to_le_bytes()).unwrap(), [1.5]);
        let halves: Vec<u8> = [0x3e00u16, 0xc000, 0x0001, 0x7bff, 0x7c00].iter().flat_map(|h| h.to_le_bytes()).collect();
        assert_eq!(floats(DType::F16, &halves).unwrap(), [1.5, -2.0, 2f32.powi(-24), 65504.0, f32::INFINITY]);
        assert_eq!(floats(DType::I64, &[0; 8]), None);
    }

    #[test]
    fn files_of_other_kinds_are_refused_with_their_name() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [("a.pt", &b"no pickle"[..]), ("b.safetensors", b"\x08\0\0\0\0\0\0\0garbage!"), ("c.pth", b"PK\x03\x04torn")] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let message = read_weights(&path).unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
        assert!(read_weights(&folder.path().join("none.pt")).unwrap_err().to_string().contains("none.pt"));
    }
}
