//! Sparse arrays made full: counts per bin are often saved so, and everything else expects all of their zeros.

use std::rc::Rc;

use super::value::{Data, Numbers, Stored};

/// (row, column, value) from the rows of the values, where the values of each column begin, and the values: the way that MATLAB has
/// stored sparse arrays in all versions since 5.
pub(super) fn by_columns<'a>(rows: &'a [f64], begins: &'a [f64], values: &'a [f64]) -> impl Iterator<Item = (f64, f64, f64)> + 'a {
    let columns = begins.windows(2).enumerate().flat_map(|(column, ends)| {
        let (begin, end) = (ends.first().copied().unwrap_or(0.0), ends.last().copied().unwrap_or(0.0));
        (begin.max(0.0) as usize..(end.max(0.0) as usize).min(values.len())).map(move |k| (k, column as f64))
    });
    columns.filter_map(|(k, column)| Some((*rows.get(k)?, column, *values.get(k)?)))
}

/// A full array from (row, column, value). The error is the number of bytes that it would take when that is more than `most`, and
/// nothing when a place lies outside of it.
pub(super) fn dense(
    dims: Vec<u64>,
    class: &'static str,
    entries: impl Iterator<Item = (f64, f64, f64)>,
    most: u64,
) -> Result<Numbers, Option<u64>> {
    let [rows, columns] = dims[..] else { return Err(None) };
    let bytes = rows.checked_mul(columns).and_then(|n| n.checked_mul(8)).unwrap_or(u64::MAX);
    if bytes > most {
        return Err(Some(bytes));
    }
    let mut buffer = vec![0u8; usize::try_from(bytes).map_err(|_| Some(bytes))?];
    for (row, column, value) in entries {
        let inside = (0.0..rows as f64).contains(&row) && (0.0..columns as f64).contains(&column);
        let at = if inside { 8 * (column as usize * rows as usize + row as usize) } else { usize::MAX };
        let place = at.checked_add(8).and_then(|end| buffer.get_mut(at..end)).ok_or(None)?;
        place.copy_from_slice(&value.to_le_bytes());
    }
    let at = 0..buffer.len();
    Ok(Numbers { dims, class, data: Data::Bytes { buffer: Rc::new(buffer), at, stored: Stored::F64, big_endian: false } })
}
