//! Acronyms of brain structures of the Allen mouse atlas (CCFv3, 2017) by their number.

use std::collections::HashMap;

const TABLE: &str = include_str!("../../../assets/allen_ccf_2017.csv");

/// Acronyms by number.
pub(super) struct Atlas {
    acronyms: HashMap<i64, &'static str>,
}

impl Atlas {
    pub(super) fn new() -> Self {
        let rows = TABLE.lines().filter_map(|line| line.split_once(','));
        Self { acronyms: rows.filter_map(|(id, acronym)| Some((id.parse().ok()?, acronym))).collect() }
    }

    /// Acronym of a structure; a negative number is the same structure in the left hemisphere.
    pub(super) fn acronym(&self, id: i64) -> Option<&'static str> {
        self.acronyms.get(&id.checked_abs()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_their_acronyms() {
        let atlas = Atlas::new();
        let wanted = [(385, "VISp"), (993, "MOs"), (-463, "CA3"), (997, "root"), (0, "void")];
        for (id, acronym) in &wanted {
            assert_eq!(atlas.acronym(*id), Some(*acronym), "{id}");
        }
        assert_eq!((atlas.acronym(i64::MIN), atlas.acronym(5_000_000_000)), (None, None));
        assert!(atlas.acronyms.len() > 1300);
    }
}
