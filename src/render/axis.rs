//! Time axes: round numbers, in the unit that suits the span.

/// A time axis: labels and what they are labels of.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeAxis {
    /// Axis title with unit, for example `time (s)`.
    pub title: &'static str,
    /// Time in seconds and label of every tick.
    pub ticks: Vec<(f64, String)>,
    /// Distance of ticks in seconds.
    pub step_s: f64,
}

/// Steps of at least a second that are round in minutes and hours.
const LONG_STEPS_S: [f64; 17] =
    [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 18_000.0, 36_000.0, 86_400.0];

/// Ticks for `start..stop` seconds, at most `most` of them.
pub fn time_axis(start: f64, stop: f64, most: usize) -> TimeAxis {
    let span = stop - start;
    // The third entry keeps steps that are no round fraction of the unit (20 s = 0.333… min) out.
    let (title, unit_s, least_step_s) = match span {
        s if s >= 4.0 * 3600.0 => ("time (h)", 3600.0, 1800.0),
        s if s >= 300.0 => ("time (min)", 60.0, 30.0),
        _ => ("time (s)", 1.0, 0.0),
    };
    let step_s = nice_step((span / most.max(1) as f64).max(least_step_s));
    let in_unit = step_s / unit_s;
    // Enough decimals for the step itself: 0.25 needs two, 30 s in minutes (0.5) one.
    let decimals = (0..7)
        .find(|d| {
            let scaled = in_unit * 10f64.powi(*d);
            (scaled - scaled.round()).abs() < 1e-6 * scaled.abs()
        })
        .unwrap_or(7);
    let first = (start / step_s).ceil();
    let n =
        if span > 0.0 && step_s > 0.0 { ((stop / step_s).floor() - first + 1.0).clamp(0.0, 2.0 * most as f64 + 2.0) as usize } else { 0 };
    let ticks = (0..n)
        .map(|k| {
            let time = (first + k as f64) * step_s;
            // Adding zero turns -0 into 0.
            (time, format!("{:.*}", decimals as usize, time / unit_s + 0.0))
        })
        .collect();
    TimeAxis { title, ticks, step_s }
}

/// The smallest round step that is at least `rough` seconds.
pub fn nice_step(rough: f64) -> f64 {
    if rough > 0.5
        && let Some(step) = LONG_STEPS_S.into_iter().find(|s| *s >= rough)
    {
        return step;
    }
    let power = 10f64.powf(rough.max(1e-12).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= rough * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

/// A duration or time as text, to the precision that `resolution_s` seconds deserves: `12.3456 s`, `2 min 05.1 s`.
pub fn time_text(seconds: f64, resolution_s: f64) -> String {
    let decimals = (-resolution_s.max(1e-6).log10().floor()).clamp(0.0, 6.0) as usize;
    if seconds.abs() < 120.0 {
        // What rounds to zero has no sign.
        let seconds = if seconds.abs() < 0.5 * 0.1_f64.powi(decimals as i32) { 0.0 } else { seconds };
        return format!("{seconds:.decimals$} s");
    }
    let minutes = (seconds / 60.0).floor();
    let rest = seconds - 60.0 * minutes;
    let width = if decimals == 0 { 2 } else { 3 + decimals };
    if minutes >= 120.0 {
        let hours = (minutes / 60.0).floor();
        return format!("{hours} h {:02} min {rest:0width$.decimals$} s", minutes - 60.0 * hours);
    }
    format!("{minutes} min {rest:0width$.decimals$} s")
}

/// A short duration in the unit that suits it, two digits: `350 µs`, `12 ms`, `1.5 s`.
pub fn duration_text(seconds: f64) -> String {
    let two = |v: f64| {
        if v >= 10.0 {
            format!("{v:.0}")
        } else {
            let text = format!("{v:.1}");
            text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
        }
    };
    match seconds {
        s if s < 1e-3 => format!("{} µs", two(s * 1e6)),
        s if s < 1.0 => format!("{} ms", two(s * 1e3)),
        s if s < 120.0 => format!("{} s", two(s)),
        s if s < 7200.0 => format!("{} min", two(s / 60.0)),
        s => format!("{} h", two(s / 3600.0)),
    }
}

/// A count with thin groups of three digits, as users read it: `1 234 567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (k, digit) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            out.push('\u{a0}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(start: f64, stop: f64, most: usize) -> Vec<String> {
        time_axis(start, stop, most).ticks.into_iter().map(|t| t.1).collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(labels(0.0, 10.0, 5), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(labels(0.0, 1.0, 4), ["0.0", "0.5", "1.0"]);
        assert_eq!(labels(3599.9991, 3600.0021, 4), ["3600.000", "3600.001", "3600.002"]);
        assert_eq!(labels(-0.2, 0.2, 4), ["-0.2", "-0.1", "0.0", "0.1", "0.2"]);
        let axis = time_axis(0.0, 3600.0, 6);
        assert_eq!((axis.title, axis.step_s), ("time (min)", 600.0));
        assert_eq!(axis.ticks.iter().map(|t| t.1.as_str()).collect::<Vec<_>>(), ["0", "10", "20", "30", "40", "50", "60"]);
        assert_eq!(time_axis(0.0, 86_400.0, 6).title, "time (h)");
        assert!(time_axis(1.0, 1.0, 5).ticks.is_empty());
        for span in [1e-4, 0.013, 0.7, 1.1, 59.0, 61.0, 400.0, 5e3, 1e5, 1e7] {
            let n = labels(0.1, 0.1 + span, 8).len();
            assert!((2..=10).contains(&n), "{span}: {n}");
        }
    }

    #[test]
    fn times_and_counts_read_well() {
        assert_eq!(time_text(12.34567, 1e-4), "12.3457 s");
        assert_eq!((time_text(-0.3, 1.0), time_text(-0.6, 1.0)), ("0 s".to_owned(), "-1 s".to_owned()));
        assert_eq!(time_text(125.14, 0.1), "2 min 05.1 s");
        assert_eq!(time_text(7384.0, 1.0), "2 h 03 min 04 s");
        assert_eq!(
            [3.5e-4, 0.012, 0.0015, 2.0, 150.0, 9000.0].map(duration_text),
            ["350 µs", "12 ms", "1.5 ms", "2 s", "2.5 min", "2.5 h"]
        );
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1\u{a0}234\u{a0}567");
    }
}
