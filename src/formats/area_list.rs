//! A list of brain areas: a text file with a unit id and an area on every line, separated by comma, semicolon or tab, with or
//! without a header.

use std::collections::BTreeMap;
use std::path::Path;

use super::FormatError;

/// Largest list that is read, bytes.
const MOST: u64 = 64 << 20;

/// Area by unit id.
///
/// # Errors
/// [`FormatError`] names the line: two different areas for one unit, a line without two fields, text that is no UTF-8.
pub fn read(path: &Path) -> Result<BTreeMap<String, String>, FormatError> {
    let unreadable = |e| FormatError::not_readable(path, e);
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MOST {
        let reason = format!("a list of areas has at most {MOST}");
        return Err(FormatError::TooBig { path: path.to_owned(), object: "the list".to_owned(), claimed: size, reason });
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    parse(&String::from_utf8_lossy(&bytes)).map_err(|(line, problem)| FormatError::CsvLine { path: path.to_owned(), line, problem })
}

fn parse(text: &str) -> Result<BTreeMap<String, String>, (u64, String)> {
    let mut areas = BTreeMap::new();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let at = number as u64 + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split(['\t', ';', ',']).map(|f| f.trim().trim_matches('"').trim()).collect();
        let [id, area] = fields.as_slice() else {
            return Err((at, format!("expected a unit id and an area, for example '12,V1', but found {} fields", fields.len())));
        };
        if areas.is_empty() && is_header(id, area) {
            continue;
        }
        if id.is_empty() || area.is_empty() {
            return Err((at, "the unit id or the area is missing".to_owned()));
        }
        if let Some(before) = areas.insert((*id).to_owned(), (*area).to_owned())
            && before != *area
        {
            return Err((at, format!("unit {id} is listed in '{before}' and in '{area}'; keep one of them")));
        }
    }
    if areas.is_empty() {
        return Err((1, "no unit is listed; expected lines such as '12,V1'".to_owned()));
    }
    Ok(areas)
}

fn is_header(id: &str, area: &str) -> bool {
    let (id, area) = (id.to_lowercase(), area.to_lowercase());
    let named = |word: &str, names: &[&str]| names.contains(&word);
    named(&id, &["unit", "unit_id", "id", "cluster", "cluster_id", "neuron"])
        || named(&area, &["area", "brain_area", "region", "location", "structure"])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lists_are_read_with_any_separator_and_with_or_without_a_header() {
        let wanted: BTreeMap<String, String> = [("1".into(), "V1".into()), ("x2".into(), "CA1 sp".into())].into();
        for text in ["unit,area\n1,V1\nx2,CA1 sp\n", "\u{feff}1;V1\r\n\r\nx2;CA1 sp", "# ours\n1\t\"V1\"\nx2\tCA1 sp\n1\tV1\n"] {
            assert_eq!(parse(text).unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn lines_that_do_not_fit_are_named() {
        let failed = |text: &str| parse(text).unwrap_err();
        assert_eq!(failed("1,V1\n1,V2").0, 2);
        assert!(failed("1,V1\n1,V2").1.contains("listed in 'V1' and in 'V2'"));
        assert!(failed("1,V1,3").1.contains("found 3 fields"));
        assert!(failed("unit,area\n").1.contains("no unit is listed"));
        assert!(failed("1,").1.contains("missing"));
    }
}
