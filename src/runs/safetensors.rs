//! Named f32 arrays as safetensors: eight bytes with the length of a header, the header as JSON (name → type, shape, place), then
//! the values, little-endian. numpy, PyTorch, JAX and burn read it; five lines are enough where no library is.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::NamedArray;

/// Longest header that is read; the format's own limit.
const LONGEST_HEADER: usize = 100_000_000;
/// Where the header keeps words about the file.
const METADATA: &str = "__metadata__";
/// Values begin at a multiple of this, so that they can be mapped into memory.
const ALIGNMENT: usize = 8;

/// Safetensors bytes.
///
/// # Errors
/// In words, when a shape does not fit its values or two arrays have one name.
pub(super) fn pack(arrays: &[NamedArray]) -> Result<Vec<u8>, String> {
    let mut header = Map::new();
    header.insert(METADATA.to_owned(), json!({ "producer": concat!("spikescope ", env!("CARGO_PKG_VERSION")) }));
    let mut end = 0;
    for array in arrays {
        if product(&array.shape) != Some(array.values.len()) {
            return Err(format!("'{}' has {} values, which do not fill the shape {:?}", array.name, array.values.len(), array.shape));
        }
        let begin = end;
        end += 4 * array.values.len();
        let entry = json!({ "dtype": "F32", "shape": array.shape, "data_offsets": [begin, end] });
        if header.insert(array.name.clone(), entry).is_some() {
            return Err(format!("two arrays are called '{}'", array.name));
        }
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
    let mut bytes = Vec::with_capacity(8 + header.len() + end);
    bytes.extend_from_slice(&(header.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&header);
    for value in arrays.iter().flat_map(|array| &array.values) {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    Ok(bytes)
}

/// The arrays in alphabetical order of their names.
///
/// # Errors
/// In words, when the bytes are no safetensors of f32 arrays that lie one after another.
pub(super) fn unpack(bytes: &[u8]) -> Result<Vec<NamedArray>, String> {
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or("the file is shorter than its first number")?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok().filter(|&n| n <= LONGEST_HEADER.min(rest.len()));
    let (header, data) = rest.split_at(length.ok_or("the header is longer than the file")?);
    let header: BTreeMap<String, Value> = serde_json::from_slice(header).map_err(|e| format!("the header is not JSON ({e})"))?;
    let mut covered = 0;
    let mut arrays = Vec::with_capacity(header.len());
    for (name, entry) in header.into_iter().filter(|(name, _)| name != METADATA) {
        let array = array(name, &entry, data)?;
        covered += 4 * array.values.len();
        arrays.push(array);
    }
    if covered != data.len() {
        return Err(format!("the arrays fill {covered} bytes of {}", data.len()));
    }
    Ok(arrays)
}

fn array(name: String, entry: &Value, data: &[u8]) -> Result<NamedArray, String> {
    let wrong = |what: &str| format!("'{name}' {what}");
    let numbers = |key: &str| -> Option<Vec<usize>> {
        entry.get(key)?.as_array()?.iter().map(|v| usize::try_from(v.as_u64()?).ok()).collect::<Option<Vec<_>>>()
    };
    if entry.get("dtype").and_then(Value::as_str) != Some("F32") {
        return Err(wrong(&format!("holds {}, expected F32", entry.get("dtype").unwrap_or(&Value::Null))));
    }
    let shape = numbers("shape").ok_or_else(|| wrong("has no shape"))?;
    let &[begin, end] = numbers("data_offsets").as_deref().unwrap_or_default() else { return Err(wrong("has no place")) };
    let own = data.get(begin..end).ok_or_else(|| wrong("lies outside the file"))?;
    let (values, rest) = own.as_chunks::<4>();
    if !rest.is_empty() || product(&shape) != Some(values.len()) {
        return Err(wrong(&format!("has {} bytes, which do not fill the shape {shape:?}", own.len())));
    }
    Ok(NamedArray { name, shape, values: values.iter().map(|&v| f32::from_le_bytes(v)).collect() })
}

fn product(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn arrays() -> Vec<NamedArray> {
        vec![
            NamedArray { name: "coupling.0_1.send".into(), shape: vec![1, 3], values: vec![0.1, -2.0, f32::MIN_POSITIVE] },
            NamedArray { name: "empty ü".into(), shape: vec![0, 4], values: vec![] },
            NamedArray { name: "offset".into(), shape: vec![], values: vec![7.5] },
        ]
    }

    #[test]
    fn arrays_round_trip_whatever_their_order() {
        assert_eq!(unpack(&pack(&arrays()).unwrap()).unwrap(), arrays());
        let turned: Vec<NamedArray> = arrays().into_iter().rev().collect();
        assert_eq!(unpack(&pack(&turned).unwrap()).unwrap(), arrays());
        assert_eq!(unpack(&pack(&[]).unwrap()).unwrap(), []);
    }

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let bytes = pack(&arrays()).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        assert_eq!(length % 8, 0);
        let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        assert_eq!(header["coupling.0_1.send"], json!({ "dtype": "F32", "shape": [1, 3], "data_offsets": [0, 12] }));
        assert_eq!(bytes.len(), 8 + length + 16);
        assert_eq!(bytes[8 + length..][..4], 0.1f32.to_le_bytes());
    }

    #[test]
    fn wrong_arrays_are_refused() {
        let mut wrong = arrays();
        wrong[0].shape = vec![2, 3];
        assert!(pack(&wrong).unwrap_err().contains("coupling.0_1.send"));
        let mut twice = arrays();
        twice[1].name = "offset".into();
        twice[1].shape = vec![0];
        assert!(pack(&twice).unwrap_err().contains("offset"));
    }

    #[test]
    fn truncated_or_changed_bytes_never_panic() {
        let good = pack(&arrays()).unwrap();
        for length in 0..good.len() {
            assert!(unpack(&good[..length]).is_err(), "cut at {length}");
        }
        for at in 0..good.len() {
            for bits in [0x55, 0x80, 0x01] {
                let mut bad = good.clone();
                bad[at] ^= bits;
                let _ = unpack(&bad);
            }
        }
        let huge = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}}"#;
        let bytes = [&(huge.len() as u64).to_le_bytes()[..], huge.as_bytes()].concat();
        assert!(unpack(&bytes).unwrap_err().contains("shape"));
    }
}
