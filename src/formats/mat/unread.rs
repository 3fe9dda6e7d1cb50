//! Variables of classes that are not read: objects of MATLAB, whose content lies elsewhere in the file in a form that is not
//! documented. They are named with what to save in their place, so that no column is missing without a word.

use super::value::Value;
use crate::recording::{ImportReport, NoteKind};

/// Structs in structs that are looked into.
const DEEPEST: usize = 4;
/// Variables that are named; more are counted.
const NAMED: usize = 8;

/// Tell which variables and fields were left out.
pub(super) fn note(variables: &[(String, Value)], report: &mut ImportReport) {
    let found = find(variables);
    for (name, class) in found.iter().take(NAMED) {
        report.add(
            NoteKind::LeftOut,
            name.clone(),
            format!("it is of the class {class}, which is not read here; {}", instead(name, class)),
        );
    }
    if let Some(more) = found.len().checked_sub(NAMED).filter(|n| *n > 0) {
        report.add(NoteKind::LeftOut, "variables", format!("{more} more of classes that are not read here"));
    }
}

/// What to save in place of a variable that may well hold the spikes.
pub(super) fn remedy(variables: &[(String, Value)]) -> Option<String> {
    let found = find(variables);
    let (name, class) = found.iter().find(|(_, class)| class.ends_with("table")).or_else(|| found.first())?;
    Some(instead(name, class))
}

fn instead(name: &str, class: &str) -> String {
    match class {
        "string" | "categorical" => format!("in MATLAB, save cellstr({name}) (string arrays are read from files saved with -v7.3)"),
        "table" | "timetable" => format!("in MATLAB, save table2struct({name}, 'ToScalar', true)"),
        "complex" | "complex sparse" => format!("in MATLAB, save real({name})"),
        _ => "in MATLAB, save what is needed of it as numbers, text or a struct".to_owned(),
    }
}

fn find(variables: &[(String, Value)]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, value) in variables {
        look(name, value, 0, &mut found);
    }
    found
}

fn look(name: &str, value: &Value, depth: usize, found: &mut Vec<(String, String)>) {
    match value {
        Value::Other { class, .. } if class != "function_handle" => found.push((name.to_owned(), class.clone())),
        Value::Struct { fields, .. } if depth < DEEPEST => {
            // One of the elements of an array of structs speaks for all.
            for (field, values) in fields {
                if let Some(first) = values.first() {
                    look(&format!("{name}.{field}"), first, depth + 1, found);
                }
            }
        }
        _ => {}
    }
}
