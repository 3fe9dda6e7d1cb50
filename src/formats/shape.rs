//! What files of one kind have in common: answers given for one are remembered for the others.

use std::path::Path;

use super::{FormatError, sniff, text};

/// Longest description of a shape, characters.
const LONGEST: usize = 160;

/// Format and shape of a file or folder in words, for example `Spike list: unit,time_ms,area`. Files with the same shape come
/// from the same program or laboratory, and are read in the same way.
///
/// # Errors
/// [`FormatError`] when the file cannot be read or is of no known format.
pub fn shape(path: &Path) -> Result<String, FormatError> {
    let name = sniff(path)?.known.name;
    let unreadable = |e| FormatError::not_readable(path, e);
    let detail = if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(unreadable)?;
        let mut names: Vec<String> = entries.flatten().map(|e| without_digits(&e.file_name().to_string_lossy())).collect();
        names.sort();
        names.dedup();
        names.join(" ")
    } else {
        text::preview::shape_key(path)
    };
    Ok(format!("{name}: {}", detail.chars().take(LONGEST).collect::<String>()))
}

/// `spikes_2024-03-11.npy` and `spikes_2024-03-12.npy` are the same file of two sessions.
fn without_digits(name: &str) -> String {
    name.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_of_one_kind_have_one_shape() {
        let folder = tempfile::tempdir().unwrap();
        let shape_of = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            shape(&path).unwrap()
        };
        let first = shape_of("a.csv", "# made by us\nUnit,Time_ms\n1,2.0\n2,3.0\n");
        assert!(first.contains("Unit,Time_ms"), "{first}");
        assert_eq!(shape_of("b.csv", "Unit,Time_ms\n7,9.0\n8,10.5\n"), first);
        let bare = shape_of("c.csv", "1,2.0\n2,3.0\n");
        assert!(bare.ends_with("2 columns"), "{bare}");
        assert!(shape(&folder.path().join("none.csv")).is_err());
        assert_eq!(without_digits("spikes_2024.npy"), "spikes_.npy");
    }
}
