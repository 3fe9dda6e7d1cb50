//! How wide the bins are, which these files do not say: from an attribute, the name of the file, the true rates, or the habit of the
//! benchmark.

use hdf5_pure::AttrValue;

use super::parts::{Part, Sizes};
use super::round;
use crate::formats::choices::{Choices, Question};
use crate::formats::guard::Hdf5;
use crate::formats::{FormatError, OpenOptions};
use crate::recording::ImportReport;

/// Attribute that our own writer leaves at the root, seconds.
pub(super) const ATTRIBUTE: &str = "bin_width_s";
/// Bin width of the benchmark's own arrays, ms.
const BENCHMARK_MS: f64 = 5.0;

/// Bin width and what true rates are multiplied with to be spikes per second.
pub(super) struct Width {
    pub(super) bin_s: f64,
    pub(super) truth_scale: f64,
}

/// Decide, or ask.
pub(super) fn decide(
    h5: &Hdf5,
    options: &OpenOptions,
    parts: &[Part],
    sizes: &Sizes,
    report: &mut ImportReport,
) -> Result<Width, FormatError> {
    // Mean count over mean rate is the bin width in seconds when rates are per second, and 1 when they are per bin.
    let ratio = ratio(parts);
    let per_bin = ratio.is_some_and(|r| (0.5..2.0).contains(&r));
    let stem = h5.path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let (own, why, assumed) = if let Some(seconds) = attribute(h5) {
        (Some(round(seconds * 1e3)), format!("the file says so ({ATTRIBUTE})"), false)
    } else if let Some(ms) = in_name(&stem) {
        (Some(ms), format!("the name of the file says {ms} ms"), true)
    } else if let Some(ratio) = ratio.filter(|r| !per_bin && (1e-4..0.5).contains(r)) {
        (Some(two_digits(ratio * 1e3)), format!("mean count over mean true rate gives {:.2} ms", ratio * 1e3), true)
    } else if sizes.benchmark {
        (Some(BENCHMARK_MS), format!("the file does not say; arrays of the Neural Latents Benchmark have bins of {BENCHMARK_MS} ms"), true)
    } else {
        (None, "the file holds counts per bin, but does not say the bin width".to_owned(), false)
    };
    let mut choices = Choices::new(h5.path, &options.answers);
    let proposed = own.map(|ms| ms.to_string());
    let question = Question { key: "bin_width", label: "Bin width", proposed: proposed.as_deref(), why: &why, assumed };
    let ms = choices.number(&question, "ms", "", |ms| (1e-3..=1e5).contains(&ms), "width from 0.001 to 100000 ms")?;
    choices.hand_over(report);
    let bin_s = ms / 1e3;
    Ok(Width { bin_s, truth_scale: if per_bin { 1.0 / bin_s } else { 1.0 } })
}

fn attribute(h5: &Hdf5) -> Option<f64> {
    let attributes = h5.group("/").ok()??.attrs().ok()?;
    let value = attributes.get(ATTRIBUTE).and_then(AttrValue::as_f64)?;
    (value.is_finite() && value > 0.0).then_some(value)
}

/// Mean count over mean true rate.
fn ratio(parts: &[Part]) -> Option<f64> {
    let part = parts.first()?;
    let truth = part.truth.as_ref()?;
    let rate = truth.iter().sum::<f64>() / truth.len().max(1) as f64;
    let count = part.blocks.first()?.counts.mean();
    (rate > 0.0 && count > 0.0).then(|| count / rate)
}

/// `10` in `ratmotor_10ms`.
fn in_name(stem: &str) -> Option<f64> {
    let lower = stem.to_lowercase();
    lower.match_indices("ms").find_map(|(at, _)| {
        let after = lower.get(at + 2..).and_then(|rest| rest.chars().next());
        let before = lower.get(..at)?.trim_end_matches(['_', '-', ' ']);
        let digits: String = before.chars().rev().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let number = digits.chars().rev().collect::<String>().parse::<f64>().ok()?;
        (after.is_none_or(|c| !c.is_alphabetic()) && number > 0.0).then_some(number)
    })
}

fn two_digits(value: f64) -> f64 {
    let scale = 10f64.powf(value.log10().floor() - 1.0);
    round((value / scale).round() * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_widths_only_where_they_say_ms() {
        assert_eq!((in_name("ratmotor_10ms"), in_name("x_2.5 ms_a"), in_name("bin20_ms")), (Some(10.0), Some(2.5), Some(20.0)));
        assert_eq!((in_name("problems"), in_name("10msec"), in_name("ms10"), in_name("")), (None, None, None, None));
        assert_eq!((two_digits(9.972_946), two_digits(20.4), two_digits(0.999)), (10.0, 20.0, 1.0));
    }
}
