//! Exact answers about single times: the spike nearest to the pointer, and a time as a user types it.

/// Index of the spike nearest to `time` in one ascending train (the earlier one when two are equally near), if it is at most
/// `within` seconds away.
pub fn nearest_spike(train: &[f64], time: f64, within: f64) -> Option<usize> {
    let after = train.partition_point(|&t| t < time);
    let distance = |k: usize| train.get(k).map(|t| ((t - time).abs(), k));
    let before = after.checked_sub(1).and_then(distance);
    let (distance, spike) = [before, distance(after)].into_iter().flatten().min_by(|a, b| a.0.total_cmp(&b.0))?;
    (distance <= within).then_some(spike)
}

/// A number as a user types it: with a point or, as in many countries, a comma before the decimals, and with either kind of minus.
pub fn parse_number(text: &str) -> Option<f64> {
    let text = text.trim().replace('−', "-");
    let comma = text.matches(',').count() == 1 && !text.contains('.');
    let text = if comma { text.replace(',', ".") } else { text };
    text.parse().ok().filter(|v: &f64| v.is_finite())
}

/// Seconds from what a user types: `12.5`, `12.5 s`, `250 ms`, `3 min`, `2:30` (min:s), `1:02:30` (h:min:s).
pub fn parse_time(text: &str) -> Option<f64> {
    let text = text.trim();
    if text.contains(':') {
        let mut seconds = 0.0;
        for part in text.split(':') {
            seconds = 60.0 * seconds + parse_number(part).filter(|v| *v >= 0.0)?;
        }
        return Some(seconds);
    }
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    let factor = match text[number.len()..].trim() {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "min" | "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    parse_number(number).map(|v| v * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_is_a_decimal_point_where_a_number_is_meant() {
        for (text, number) in [("0,5", 0.5), (" -1,25 ", -1.25), ("−2", -2.0), ("1e-3", 1e-3), ("1,5e3", 1500.0), ("7", 7.0)] {
            assert_eq!(parse_number(text), Some(number), "{text}");
        }
        for text in ["1,000,000", "1,000.5", "", "inf", "NaN", "0,5 s", "a"] {
            assert_eq!(parse_number(text), None, "{text}");
        }
        assert_eq!((parse_time("12,5 s"), parse_time("2:30,5"), parse_time("1,5 min")), (Some(12.5), Some(150.5), Some(90.0)));
    }

    #[test]
    fn the_nearest_spike_is_found_on_either_side() {
        let train = [1.0, 2.0, 2.0, 5.0];
        assert_eq!(nearest_spike(&train, 0.0, 10.0), Some(0));
        assert_eq!(nearest_spike(&train, 1.4, 10.0), Some(0));
        assert_eq!(nearest_spike(&train, 1.6, 10.0), Some(1));
        assert_eq!(nearest_spike(&train, 3.5, 10.0), Some(2));
        assert_eq!(nearest_spike(&train, 9.0, 10.0), Some(3));
        assert_eq!(nearest_spike(&train, 9.0, 1.0), None);
        assert_eq!(nearest_spike(&[], 9.0, 1.0), None);
    }

    #[test]
    fn times_are_read_as_typed() {
        assert_eq!(parse_time("12.5"), Some(12.5));
        assert_eq!(parse_time(" 12.5 s "), Some(12.5));
        assert_eq!(parse_time("250 ms"), Some(0.25));
        assert_eq!(parse_time("3min"), Some(180.0));
        assert_eq!(parse_time("2:30"), Some(150.0));
        assert_eq!(parse_time("1:02:30.5"), Some(3750.5));
        assert_eq!(parse_time("-4"), Some(-4.0));
        for wrong in ["", "soon", "1:x", "4 parsecs", "1:-2", "inf"] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
    }
}
