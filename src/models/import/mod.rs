//! Weights that were trained elsewhere: from the names and layouts of the published PyTorch code to ours. Pure functions from named
//! arrays to named arrays; files are read by `runs::foreign`.

mod netformer;
mod stndt;

pub use netformer::netformer;
pub use stndt::stndt;

use std::collections::BTreeMap;

/// An array of numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Array {
    /// Size of every dimension.
    pub shape: Vec<usize>,
    /// Values, last dimension fastest.
    pub values: Vec<f32>,
}

/// Arrays by name.
pub type Arrays = BTreeMap<String, Array>;

/// Weights under our names, and what was left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Imported {
    /// Weights.
    pub weights: Arrays,
    /// Names that have no place here because they change nothing, with the reason.
    pub left_out: Vec<(String, &'static str)>,
}

/// Why weights cannot be taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Not the state of such a model.
    #[error("these are not the weights of {model}: '{missing}' is missing; the file has {have}")]
    Missing {
        /// The model.
        model: &'static str,
        /// Name that was looked for.
        missing: String,
        /// Some of the names that are there.
        have: String,
    },
    /// An array has another form.
    #[error("'{name}' has the shape {found:?}, expected {expected}")]
    Shape {
        /// Its name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// What was expected.
        expected: String,
    },
    /// Something that would change results has no place in our model.
    #[error("'{name}' has no place in Spikescope's {model}: {why}")]
    Unknown {
        /// The model.
        model: &'static str,
        /// Its name.
        name: String,
        /// What it is.
        why: &'static str,
    },
}

/// The names of a file, being used up one after the other.
struct Source {
    model: &'static str,
    arrays: Arrays,
    /// For the message when one is missing.
    have: String,
    imported: Imported,
}

impl Source {
    /// Names below the prefix that `anchor` has in the file (`state_dict.`, `module.`, `model.`, …).
    fn below(model: &'static str, anchors: &[&str], arrays: Arrays) -> Result<Self, ImportError> {
        let have = arrays.keys().take(6).map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        let have = if arrays.len() > 6 { format!("{have}, … ({} arrays)", arrays.len()) } else { have };
        let ends = |name: &str, anchor: &str| name.strip_suffix(anchor).filter(|p| p.is_empty() || p.ends_with('.')).map(str::to_owned);
        // The shortest: an optimiser's state repeats the names deeper down.
        let prefixes = anchors.iter().flat_map(|anchor| arrays.keys().filter_map(move |name| ends(name, anchor)));
        let Some(prefix) = prefixes.min_by_key(String::len) else {
            let missing = anchors.first().copied().unwrap_or_default().to_owned();
            return Err(ImportError::Missing { model, missing, have });
        };
        let arrays = arrays.into_iter().filter_map(|(name, array)| Some((name.strip_prefix(&prefix)?.to_owned(), array))).collect();
        Ok(Self { model, arrays, have, imported: Imported::default() })
    }

    fn take(&mut self, name: &str) -> Result<Array, ImportError> {
        let missing = || ImportError::Missing { model: self.model, missing: name.to_owned(), have: self.have.clone() };
        self.arrays.remove(name).ok_or_else(missing)
    }

    fn keep(&mut self, name: impl Into<String>, array: Array) {
        self.imported.weights.insert(name.into(), array);
    }

    /// A matrix of PyTorch, `[out, in]`, as ours, `[in, out]`.
    fn matrix(&mut self, theirs: &str, ours: &str) -> Result<(), ImportError> {
        let array = self.take(theirs)?;
        let array = transposed(theirs, &array)?;
        self.keep(ours, array);
        Ok(())
    }

    /// Weight and bias of a linear layer.
    fn linear(&mut self, theirs: &str, ours: &str) -> Result<(), ImportError> {
        self.matrix(&format!("{theirs}.weight"), &format!("{ours}.weight"))?;
        let bias = self.take(&format!("{theirs}.bias"))?;
        self.keep(format!("{ours}.bias"), bias);
        Ok(())
    }

    /// Weight and bias of a layer normalisation.
    fn norm(&mut self, theirs: &str, ours: &str) -> Result<(), ImportError> {
        let (gamma, beta) = (self.take(&format!("{theirs}.weight"))?, self.take(&format!("{theirs}.bias"))?);
        self.keep(format!("{ours}.gamma"), gamma);
        self.keep(format!("{ours}.beta"), beta);
        Ok(())
    }

    /// Names for which `fits` are left out for this reason.
    fn leave_out(&mut self, why: &'static str, fits: impl Fn(&str) -> bool) {
        let names: Vec<String> = self.arrays.keys().filter(|name| fits(name)).cloned().collect();
        for name in names {
            self.arrays.remove(&name);
            self.imported.left_out.push((name, why));
        }
    }

    /// Everything was used, or there is something that we do not have.
    fn finish(self, why: &'static str) -> Result<Imported, ImportError> {
        match self.arrays.into_keys().next() {
            None => Ok(self.imported),
            Some(name) => Err(ImportError::Unknown { model: self.model, name, why }),
        }
    }
}

/// Rows and columns of a matrix changed for each other.
fn transposed(name: &str, array: &Array) -> Result<Array, ImportError> {
    let [rows, columns] = array.shape[..] else {
        return Err(ImportError::Shape { name: name.to_owned(), found: array.shape.clone(), expected: "a matrix".to_owned() });
    };
    let values = (0..columns).flat_map(|c| array.values.iter().skip(c).step_by(columns.max(1)).take(rows).copied()).collect();
    Ok(Array { shape: vec![columns, rows], values })
}

/// The first `rows` rows.
fn first_rows(name: &str, array: &Array, rows: usize) -> Result<Array, ImportError> {
    let width: usize = array.shape.iter().skip(1).product();
    let expected = || format!("at least {rows} rows");
    let values = array.values.get(..rows * width).filter(|_| array.shape.first().is_some_and(|&have| have >= rows));
    let values = values.ok_or_else(|| ImportError::Shape { name: name.to_owned(), found: array.shape.clone(), expected: expected() })?;
    let shape = std::iter::once(rows).chain(array.shape.iter().skip(1).copied()).collect();
    Ok(Array { shape, values: values.to_vec() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn matrix(rows: usize, columns: usize) -> Array {
        Array { shape: vec![rows, columns], values: (0..rows * columns).map(|v| v as f32).collect() }
    }

    #[test]
    fn matrices_are_turned_and_cut() {
        let turned = transposed("m", &matrix(2, 3)).unwrap();
        assert_eq!((turned.shape, turned.values), (vec![3, 2], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
        assert_eq!(first_rows("m", &matrix(3, 2), 2).unwrap(), matrix(2, 2));
        assert!(first_rows("m", &matrix(3, 2), 4).unwrap_err().to_string().contains("at least 4 rows"));
        assert!(transposed("v", &Array { shape: vec![3], values: vec![0.0; 3] }).unwrap_err().to_string().contains("a matrix"));
    }

    #[test]
    fn a_prefix_is_found_and_what_is_missing_is_named() {
        let arrays: Arrays =
            [("optim.0.E".to_owned(), matrix(1, 1)), ("net.E".to_owned(), matrix(2, 2)), ("net.x".to_owned(), matrix(1, 1))].into();
        let mut source = Source::below("it", &["E"], arrays.clone()).unwrap();
        assert_eq!(source.take("E").unwrap(), matrix(2, 2));
        assert!(source.take("y").unwrap_err().to_string().contains("'y' is missing; the file has 'net.E', 'net.x', 'optim.0.E'"));
        assert!(source.finish("nobody knows it").unwrap_err().to_string().contains("'x' has no place"));
        assert!(Source::below("it", &["F"], arrays).is_err());
    }
}
