//! From one list of all spikes to one train per unit.

use std::collections::HashMap;
use std::hash::Hash;

use crate::formats::npz::npy::Values;

/// With more units than this the times were taken for ids.
const MOST_UNITS: usize = 1_000_000;

/// The unit of every spike.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::formats) struct Members {
    /// Index into `ids`, one per spike.
    pub(in crate::formats) index: Vec<u32>,
    /// Ids of the units: ascending by number, else by text.
    pub(in crate::formats) ids: Vec<String>,
}

impl Members {
    /// From one id per spike; otherwise why not.
    pub(in crate::formats) fn of(ids: Values) -> Result<Self, String> {
        match ids {
            Values::Text(texts) => {
                let (index, ids) = number(&texts)?;
                Ok(Self { index, ids })
            }
            other => {
                let numbers = other.into_integers().ok_or("the ids of units should be whole numbers or texts")?;
                let (index, ids) = number(&numbers)?;
                Ok(Self { index, ids: ids.iter().map(i64::to_string).collect() })
            }
        }
    }

    /// All spikes in one unit.
    pub(in crate::formats) fn one(spikes: usize) -> Self {
        Self { index: vec![0; spikes], ids: vec!["0".to_owned()] }
    }

    /// The same with the units in the order of `listed`, those without spikes included. Units that are not in the list follow; how
    /// many is returned.
    pub(in crate::formats) fn list(&mut self, listed: Vec<String>) -> usize {
        let mut ids = Vec::with_capacity(listed.len());
        let mut place: HashMap<String, u32> = HashMap::new();
        for id in listed {
            if !place.contains_key(&id) {
                place.insert(id.clone(), ids.len() as u32);
                ids.push(id);
            }
        }
        let before = ids.len();
        let mut moved = Vec::with_capacity(self.ids.len());
        for id in &self.ids {
            let at = place.get(id).copied().unwrap_or_else(|| {
                ids.push(id.clone());
                ids.len() as u32 - 1
            });
            moved.push(at);
        }
        for unit in &mut self.index {
            *unit = moved.get(*unit as usize).copied().unwrap_or(*unit);
        }
        let added = ids.len() - before;
        self.ids = ids;
        added
    }

    /// Number of spikes of every unit.
    pub(in crate::formats) fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.ids.len()];
        for &unit in &self.index {
            if let Some(count) = counts.get_mut(unit as usize) {
                *count += 1;
            }
        }
        counts
    }

    /// Times unit after unit in the order of the list, and their offsets.
    pub(in crate::formats) fn trains(&self, times: &[f64]) -> (Vec<f64>, Vec<usize>) {
        let mut offsets = vec![0];
        for count in self.counts() {
            offsets.push(offsets.last().copied().unwrap_or(0) + count);
        }
        let mut next = offsets.clone();
        let mut trains = vec![0.0; times.len().min(self.index.len())];
        for (&unit, &time) in self.index.iter().zip(times) {
            if let Some(slot) = next.get_mut(unit as usize) {
                if let Some(to) = trains.get_mut(*slot) {
                    *to = time;
                }
                *slot += 1;
            }
        }
        (trains, offsets)
    }
}

/// Distinct values ascending, and the place of every value among them.
fn number<T: Clone + Eq + Hash + Ord>(values: &[T]) -> Result<(Vec<u32>, Vec<T>), String> {
    let mut known: HashMap<&T, u32> = HashMap::new();
    let mut order: Vec<&T> = Vec::new();
    let mut index = Vec::with_capacity(values.len());
    for value in values {
        let at = *known.entry(value).or_insert_with(|| {
            order.push(value);
            order.len() as u32 - 1
        });
        if order.len() > MOST_UNITS {
            return Err(format!("more than {MOST_UNITS} different units; the arrays for times and units may be swapped"));
        }
        index.push(at);
    }
    let mut sorted: Vec<u32> = (0..order.len() as u32).collect();
    sorted.sort_by_key(|&i| order.get(i as usize));
    let mut rank = vec![0u32; order.len()];
    for (at, &i) in sorted.iter().enumerate() {
        if let Some(rank) = rank.get_mut(i as usize) {
            *rank = at as u32;
        }
    }
    for i in &mut index {
        *i = rank.get(*i as usize).copied().unwrap_or(0);
    }
    let ids = sorted.iter().filter_map(|&i| order.get(i as usize).map(|v| (*v).clone())).collect();
    Ok((index, ids))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn spikes_are_sorted_into_units_by_number_or_name() {
        let members = Members::of(Values::I64(vec![10, 9, 10, -1])).unwrap();
        assert_eq!((members.ids.join(" "), members.index.as_slice()), ("-1 9 10".to_owned(), &[2, 1, 2, 0][..]));
        assert_eq!(members.trains(&[0.1, 0.2, 0.3, 0.4]), (vec![0.4, 0.2, 0.1, 0.3], vec![0, 1, 2, 4]));
        let named = Members::of(Values::Text(vec!["b".into(), "a".into()])).unwrap();
        assert_eq!(named.ids, ["a", "b"]);
        assert!(Members::of(Values::F64(vec![0.5])).unwrap_err().contains("whole numbers"));
    }

    #[test]
    fn a_list_adds_silent_units_and_sets_the_order() {
        let mut members = Members::of(Values::U8(vec![5, 3, 5])).unwrap();
        assert_eq!(members.list(["5", "4", "5"].map(str::to_owned).to_vec()), 1);
        assert_eq!((members.ids.join(" "), members.counts()), ("5 4 3".to_owned(), vec![2, 0, 1]));
    }
}
