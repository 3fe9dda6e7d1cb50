//! Parameters that a run kept, as those of a network that is put together again.

use burn::tensor::TensorData;

use crate::models::params::Values;
use crate::runs::NamedArray;

/// The kept arrays as parameters of a network that has `own` ones: all of them, in the same shapes.
///
/// # Errors
/// The first parameter that is missing or has another shape.
pub(super) fn values(own: &Values, kept: &[NamedArray]) -> Result<Values, String> {
    own.iter()
        .map(|(name, data)| {
            let array = kept.iter().find(|a| a.name == *name).ok_or_else(|| format!("'{name}' is missing"))?;
            let shape: Vec<usize> = data.shape().iter().copied().collect();
            if array.shape != shape {
                return Err(format!("'{name}' has the shape {:?} instead of {shape:?}", array.shape));
            }
            Ok((name.clone(), TensorData::new(array.values.clone(), shape)))
        })
        .collect()
}

/// All kept arrays as parameters, of whatever network.
pub(super) fn all_values(kept: &[NamedArray]) -> Values {
    kept.iter().map(|array| (array.name.clone(), TensorData::new(array.values.clone(), array.shape.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_another_network_are_refused() {
        let own: Values = [("a".to_owned(), TensorData::new(vec![0.0f32; 6], [2, 3]))].into();
        let array = |name: &str, shape: Vec<usize>| NamedArray { name: name.to_owned(), shape, values: vec![1.0; 6] };
        assert!(values(&own, &[array("b", vec![1]), array("a", vec![2, 3])]).is_ok_and(|v| v.len() == 1));
        let refused = |kept: &[NamedArray]| values(&own, kept).map_or_else(|e| e, |_| String::new());
        assert!(refused(&[]).contains("'a' is missing"));
        assert!(refused(&[array("a", vec![3, 2])]).contains("[3, 2] instead of [2, 3]"));
    }
}
