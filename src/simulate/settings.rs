//! Settings of a simulator as text.

use super::SimulateError;

/// A setting: its name, what it accepts, and how it is read (`None` when the text is not of that form).
pub(super) struct Setting<T> {
    pub(super) key: &'static str,
    pub(super) expected: &'static str,
    pub(super) read: fn(&mut T, &str) -> Option<()>,
}

/// Read every given setting into a request.
pub(super) fn apply<T>(simulator: &str, settings: &[Setting<T>], request: &mut T, given: &[(&str, &str)]) -> Result<(), SimulateError> {
    for &(key, value) in given {
        let Some(setting) = settings.iter().find(|s| s.key == key) else {
            let have: Vec<&str> = settings.iter().map(|s| s.key).collect();
            return Err(SimulateError::NoKey { simulator: simulator.to_owned(), key: key.to_owned(), have: have.join(", ") });
        };
        (setting.read)(request, value.trim()).ok_or_else(|| bad_value(key, value, setting.expected))?;
    }
    Ok(())
}

/// Names of settings with what they accept.
pub(super) fn listed<T>(settings: &[Setting<T>]) -> Vec<(&'static str, &'static str)> {
    settings.iter().map(|s| (s.key, s.expected)).collect()
}

pub(super) fn bad_value(key: &str, value: &str, expected: &str) -> SimulateError {
    SimulateError::BadValue { key: key.to_owned(), value: value.to_owned(), expected: expected.to_owned() }
}

pub(super) fn whole(value: &str) -> Option<usize> {
    value.parse().ok()
}

pub(super) fn number(value: &str) -> Option<f64> {
    value.parse().ok().filter(|x: &f64| x.is_finite())
}

/// Refuse a value outside a range.
pub(super) fn within(what: &str, value: f64, low: f64, high: f64) -> Result<(), SimulateError> {
    if value >= low && value <= high {
        return Ok(());
    }
    Err(SimulateError::OutOfRange { what: what.to_owned(), value: value.to_string(), expected: format!("between {low} and {high}") })
}
