//! MATLAB `string` objects in version 7.3 files. The variable holds only the number of an object; what it says lies in
//! `#subsystem#/MCOS`, an undocumented list of cells whose first is a table of classes, objects and properties.
//!
//! Layout after the notes in <https://github.com/mbauman/MAT.jl> and <https://github.com/foreverallama/matio>, and checked against
//! files of MATLAB R2020a: names, then seven regions; objects are rows of six 32-bit numbers, of which the first is the class and the
//! fourth the row of saved properties; a property is (name, kind, cell). A string array is one cell of 64-bit words: version 1,
//! number of dimensions, dimensions, lengths, UTF-16 text.

use hdf5_pure::Object;

use crate::formats::guard::Hdf5;

const MCOS: &str = "#subsystem#";
/// First word of a variable that stands for an object.
const LINK: u64 = 0xdd00_0000;
const MOST_TEXTS: u64 = 1_000_000;

/// The strings of all objects of a file.
#[derive(Default)]
pub(super) struct Strings {
    table: Vec<u8>,
    cells: Vec<Object>,
}

impl Strings {
    /// `None` when the file has no objects, or none that can be understood.
    pub(super) fn read(h5: &Hdf5) -> Option<Self> {
        let group = h5.group(MCOS).ok()??;
        let dataset = h5.dataset(&group, MCOS, "MCOS").ok()??;
        if h5.check("#subsystem#/MCOS", &dataset).ok()?.rows.max(1) > 10_000 {
            return None;
        }
        let cells = dataset.dereference().ok()?;
        let Some(Object::Dataset(first)) = cells.first() else { return None };
        let shape = h5.check("#subsystem#/MCOS{1}", first).ok()?;
        if shape.rows.saturating_mul(shape.per_row) > 1 << 24 {
            return None;
        }
        let table = first.read_u8().ok()?;
        Some(Self { table, cells })
    }

    /// The texts of the object that `link` (the words of a variable) stands for.
    pub(super) fn of_object(&self, h5: &Hdf5, link: &[u64]) -> Option<Vec<String>> {
        let &[LINK, 2, 1, 1, object, _class] = link else { return None };
        let cell = string_cell(&self.table, usize::try_from(object).ok()?)?;
        let Object::Dataset(dataset) = self.cells.get(cell.checked_add(2)?)? else { return None };
        let words = h5.index("#subsystem#/MCOS", dataset).ok()?;
        texts(&words)
    }
}

/// Number of the cell that holds the only property of string object `object` (counted from 1).
fn string_cell(table: &[u8], object: usize) -> Option<usize> {
    let word = |at: usize| -> Option<usize> { Some(u32::from_le_bytes(table.get(at..at.checked_add(4)?)?.try_into().ok()?) as usize) };
    // Version, number of names, then where the regions begin: classes, saved properties, objects, ….
    let region = |k: usize| word(8 + 4 * k);
    let (classes, saved, objects, after) = (region(0)?, region(1)?, region(2)?, region(3)?);
    let row = objects.checked_add(object.checked_mul(24)?)?;
    if row.checked_add(24)? > after {
        return None;
    }
    let (class, properties) = (word(row)?, word(row + 12)?);
    let name = word(classes.checked_add(class.checked_mul(16)?)?.checked_add(4)?)?;
    let mut names = table.get(40..)?.split(|&b| b == 0);
    if names.nth(name.checked_sub(1)?)? != b"string" {
        return None;
    }
    // Rows of saved properties have their own lengths and begin on multiples of eight; row 0 is empty.
    let mut at = saved.checked_add(8)?;
    for _ in 1..properties {
        let count = word(at).filter(|&n| n < 1 << 16)?;
        at = at.checked_add((4 + 12 * count).next_multiple_of(8))?;
    }
    (properties >= 1 && at < objects && word(at)? == 1).then(|| word(at + 12)).flatten()
}

/// The texts of one cell of a string array.
fn texts(words: &[u64]) -> Option<Vec<String>> {
    let (&[1, rank], rest) = words.split_at_checked(2)? else { return None };
    let rank = usize::try_from(rank).ok().filter(|r| (2..=8).contains(r))?;
    let count = rest.get(..rank)?.iter().try_fold(1u64, |n, &d| n.checked_mul(d)).filter(|&n| n <= MOST_TEXTS)?;
    let count = usize::try_from(count).ok()?;
    let lengths = rest.get(rank..rank.checked_add(count)?)?;
    let units: Vec<u16> = rest.get(rank + count..)?.iter().flat_map(|w| [0, 16, 32, 48].map(|s| (w >> s) as u16)).collect();
    let mut at = 0usize;
    let mut texts = Vec::with_capacity(count);
    for &length in lengths {
        // A missing string claims the largest length.
        if length == u64::MAX {
            texts.push(String::new());
            continue;
        }
        let end = usize::try_from(length).ok().and_then(|l| at.checked_add(l))?;
        texts.push(String::from_utf16_lossy(units.get(at..end)?));
        at = end;
    }
    Some(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_arrays_are_taken_apart() {
        let pack = |text: &str| {
            let units: Vec<u16> = text.encode_utf16().collect();
            units.chunks(4).map(|c| c.iter().rev().fold(0u64, |w, &u| w << 16 | u64::from(u))).collect::<Vec<u64>>()
        };
        let words: Vec<u64> = [1, 2, 3, 1, 2, 3, 1].into_iter().chain(pack("M1dStä")).collect();
        assert_eq!(texts(&words), Some(vec!["M1".to_owned(), "dSt".to_owned(), "ä".to_owned()]));
        assert_eq!(texts(&[1, 2, 1, 1, u64::MAX]), Some(vec![String::new()]));
        // Text that is not there, an unknown version, absurd sizes.
        assert_eq!(texts(&[1, 2, 1, 1, 5, 0]), None);
        assert_eq!(texts(&[2, 2, 1, 1, 0]), None);
        assert_eq!(texts(&[1, 2, u64::MAX, 2]), None);
        assert_eq!(texts(&[1]), None);
    }
}
