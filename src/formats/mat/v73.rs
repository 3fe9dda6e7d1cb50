//! MATLAB files of version 7.3: HDF5 with a class on every object, cells and struct arrays as references into `#refs#`.

use hdf5_pure::{AttrValue, DType, Dataset, Group, Object};

use super::sparse::{by_columns, dense};
use super::strings::Strings;
use super::v5::rows;
use super::value::{Data, Numbers, Value};
use crate::formats::FormatError;
use crate::formats::guard::Hdf5;

const DEEPEST: usize = 10;
/// Objects of one file that are looked at; a loop of references ends here.
const MOST_OBJECTS: usize = 50_000;
/// A sparse array may be this many times larger in full than its values are, or this large, bytes.
const PLAUSIBLE_EXPANSION: u64 = 400;
const SMALL: u64 = 64 << 20;

struct Reader<'r, 'a> {
    h5: &'r Hdf5<'a>,
    strings: Strings,
    objects_left: usize,
    /// What sparse arrays may take in full, bytes.
    full_left: u64,
}

/// All variables of a file.
pub(super) fn variables(h5: &Hdf5) -> Result<Vec<(String, Value)>, FormatError> {
    let root = h5.group("/")?.ok_or_else(|| FormatError::corrupt(h5.path, "/", "the root group is missing"))?;
    let mut reader = Reader { h5, strings: Strings::read(h5).unwrap_or_default(), objects_left: MOST_OBJECTS, full_left: h5.max_bytes };
    reader.members("", &root, 0)
}

impl Reader<'_, '_> {
    fn members(&mut self, place: &str, group: &Group, depth: usize) -> Result<Vec<(String, Value)>, FormatError> {
        let mut found = Vec::new();
        for (name, dataset) in self.h5.datasets(group, place)? {
            let at = join(place, &name);
            let value = self.dataset(&at, dataset, depth + 1)?;
            found.push((name, value));
        }
        for (name, child) in self.h5.groups(group, place)? {
            // The store of cell elements and of objects is no variable.
            if depth == 0 && name.starts_with('#') {
                continue;
            }
            let at = join(place, &name);
            let value = self.group(&at, &child, depth + 1)?;
            found.push((name, value));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    fn count(&mut self, place: &str, depth: usize) -> Result<(), FormatError> {
        let problem = if depth > DEEPEST {
            format!("it is nested more than {DEEPEST} deep")
        } else {
            format!("it holds more than {MOST_OBJECTS} objects")
        };
        let left = self.objects_left.checked_sub(1).filter(|_| depth <= DEEPEST);
        self.objects_left =
            left.ok_or_else(|| FormatError::corrupt(self.h5.path, place, format!("{problem}, perhaps a loop of references")))?;
        Ok(())
    }

    fn group(&mut self, place: &str, group: &Group, depth: usize) -> Result<Value, FormatError> {
        self.count(place, depth)?;
        let attributes = group.attrs().unwrap_or_default();
        let class = attributes.get("MATLAB_class").and_then(AttrValue::as_str).unwrap_or("struct").to_owned();
        if let Some(rows) = attributes.get("MATLAB_sparse") {
            return self.sparse(place, group, rows.as_u64(), &class);
        }
        if class != "struct" {
            return Ok(Value::Other { class, dims: vec![] });
        }
        // In an array of structs every field is a bare array of references, one per element.
        let datasets = self.h5.datasets(group, place)?;
        let bare = |d: &Dataset| is_reference(d) && !d.attrs().unwrap_or_default().contains_key("MATLAB_class");
        if !datasets.is_empty() && datasets.iter().all(|(_, d)| bare(d)) {
            let mut fields = Vec::new();
            let mut dims = Vec::new();
            for (name, dataset) in datasets {
                let at = join(place, &name);
                dims = matlab_dims(&dataset.shape().map_err(|e| self.h5.failed(&at, &e))?);
                fields.push((name, self.references(&at, &dataset, depth)?));
            }
            return Ok(Value::Struct { dims, fields });
        }
        let fields = self.members(place, group, depth)?;
        Ok(Value::Struct { dims: vec![1, 1], fields: fields.into_iter().map(|(name, value)| (name, vec![value])).collect() })
    }

    /// A group with the values, their rows, and where the values of each column begin; the number of rows is an attribute.
    fn sparse(&mut self, place: &str, group: &Group, rows: Option<u64>, class: &str) -> Result<Value, FormatError> {
        let damaged = |problem: &str| FormatError::corrupt(self.h5.path, place, problem.to_owned());
        let part = |name: &str| -> Result<Option<Vec<f64>>, FormatError> {
            let Some(dataset) = self.h5.dataset(group, place, name)? else { return Ok(None) };
            let at = join(place, name);
            let real = self.h5.is_number(&at, &dataset)?;
            if real { self.h5.numbers(&at, &dataset, (0.1, 0.1), "reading variables").map(Some) } else { Ok(Some(Vec::new())) }
        };
        // An array of zeros has no values.
        let (begins, places, values) = (part("jc")?, part("ir")?.unwrap_or_default(), part("data")?.unwrap_or_default());
        let begins = begins.filter(|b| !b.is_empty()).ok_or_else(|| damaged("the sparse array does not say where its columns begin"))?;
        let rows = rows.ok_or_else(|| damaged("the sparse array does not say how many rows it has"))?;
        if values.is_empty() && !places.is_empty() {
            return Ok(Value::Other { class: "complex sparse".to_owned(), dims: vec![rows, begins.len() as u64 - 1] });
        }
        // Counts that are nearly all zero shrink to a hundredth; what shrinks more than this, and is large, is no recording.
        let plausible = (places.len() as u64 + begins.len() as u64).saturating_mul(8 * PLAUSIBLE_EXPANSION).max(SMALL);
        let most = self.full_left.min(plausible);
        let class = if class == "logical" { "logical" } else { "double" };
        let full = dense(vec![rows, begins.len() as u64 - 1], class, by_columns(&places, &begins, &values), most);
        let full = full.map_err(|claimed| match claimed {
            None => damaged("a value of the sparse array lies outside of it"),
            Some(claimed) => {
                let reason = format!("at most {most} are plausible for its {} values", values.len());
                FormatError::TooBig { path: self.h5.path.to_owned(), object: place.to_owned(), claimed, reason }
            }
        })?;
        self.full_left = self.full_left.saturating_sub(full.len().saturating_mul(8));
        Ok(Value::Numbers(full))
    }

    fn references(&mut self, place: &str, dataset: &Dataset, depth: usize) -> Result<Vec<Value>, FormatError> {
        let shape = self.h5.check(place, dataset)?;
        if shape.rows.saturating_mul(shape.per_row) > self.objects_left as u64 {
            return Err(FormatError::corrupt(self.h5.path, place, format!("it refers to more than {MOST_OBJECTS} objects")));
        }
        let objects = dataset.dereference().map_err(|e| self.h5.failed(place, &e))?;
        let mut values = Vec::with_capacity(objects.len());
        for (k, object) in objects.into_iter().enumerate() {
            self.h5.progress.at(0.1, "reading variables")?;
            let at = format!("{place}{{{}}}", k + 1);
            values.push(match object {
                Object::Group(group) => self.group(&at, &group, depth + 1)?,
                Object::Dataset(dataset) => self.dataset(&at, *dataset, depth + 1)?,
                _ => Value::Other { class: "unknown".to_owned(), dims: vec![] },
            });
        }
        Ok(values)
    }

    fn dataset(&mut self, place: &str, dataset: Dataset, depth: usize) -> Result<Value, FormatError> {
        self.count(place, depth)?;
        let attributes = dataset.attrs().unwrap_or_default();
        let class = attributes.get("MATLAB_class").and_then(AttrValue::as_str).unwrap_or_default().to_owned();
        let dims = matlab_dims(&dataset.shape().map_err(|e| self.h5.failed(place, &e))?);
        if attributes.get("MATLAB_empty").and_then(AttrValue::as_i64) == Some(1) {
            return Ok(empty(&class));
        }
        if is_reference(&dataset) {
            return Ok(Value::Cell { items: self.references(place, &dataset, depth)?, dims });
        }
        match class.as_str() {
            "char" => {
                let shape = self.h5.check(place, &dataset)?;
                // Texts are names, not data.
                if shape.rows.saturating_mul(shape.per_row) > 1 << 24 {
                    return Ok(Value::Other { class, dims });
                }
                let units: Vec<u16> = self.h5.index(place, &dataset)?.into_iter().map(|u| u16::try_from(u).unwrap_or(0xfffd)).collect();
                Ok(Value::Text(rows(&units, dims.first().copied().unwrap_or(0))))
            }
            "string" => {
                let link = if self.h5.check(place, &dataset)?.rows > 64 { Vec::new() } else { self.h5.index(place, &dataset)? };
                let texts = self.strings.of_object(self.h5, &link);
                Ok(texts.map_or(Value::Other { class, dims: vec![] }, Value::Text))
            }
            _ => match (number_class(&class, &dataset), self.h5.is_number(place, &dataset)?) {
                (Some(class), true) => Ok(Value::Numbers(Numbers {
                    dims,
                    class,
                    data: Data::Dataset { object: place.to_owned(), dataset: Box::new(dataset) },
                })),
                _ => Ok(Value::Other { class: if class.is_empty() { "unknown".to_owned() } else { class }, dims }),
            },
        }
    }
}

fn join(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

/// HDF5 has the last dimension run fastest, MATLAB the first.
fn matlab_dims(shape: &[u64]) -> Vec<u64> {
    let mut dims: Vec<u64> = shape.iter().rev().copied().collect();
    while dims.len() < 2 {
        dims.push(1);
    }
    dims
}

fn is_reference(dataset: &Dataset) -> bool {
    matches!(dataset.dtype(), Ok(DType::ObjectReference))
}

fn empty(class: &str) -> Value {
    match class {
        "cell" => Value::Cell { dims: vec![0, 0], items: Vec::new() },
        "char" | "string" => Value::Text(vec![String::new()]),
        "struct" => Value::Struct { dims: vec![0, 0], fields: Vec::new() },
        _ => Value::Numbers(Numbers { dims: vec![0, 0], class: "double", data: Data::Empty }),
    }
}

/// Class of numbers; by their type when the file was not written by MATLAB. `None` for other classes.
fn number_class(class: &str, dataset: &Dataset) -> Option<&'static str> {
    const CLASSES: [&str; 11] = ["double", "single", "logical", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"];
    if class.is_empty() {
        return Some(match dataset.dtype().ok()? {
            DType::F32 => "single",
            DType::I8 => "int8",
            DType::U8 => "uint8",
            DType::I16 => "int16",
            DType::U16 => "uint16",
            DType::I32 => "int32",
            DType::U32 => "uint32",
            DType::I64 => "int64",
            DType::U64 => "uint64",
            _ => "double",
        });
    }
    CLASSES.into_iter().find(|c| *c == class)
}
