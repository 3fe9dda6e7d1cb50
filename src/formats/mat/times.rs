//! The unit of spike times that a MATLAB file does not say: seconds, milliseconds or samples.

use super::Mat;
use super::candidates::Candidate;
use super::value::Value;
use crate::formats::{FormatError, ask::Ask};
use crate::recording::{ImportReport, NoteKind};

/// Bring all trains to seconds.
pub(super) fn to_seconds(
    mat: &Mat,
    candidate: &Candidate,
    variables: &[(String, Value)],
    trains: &mut [Vec<f64>],
    report: &mut ImportReport,
) -> Result<(), FormatError> {
    let rate = super::scalar(mat, candidate, variables, |name| RATES.contains(&name))?;
    let words = [("s", "seconds"), ("ms", "milliseconds"), ("samples", "samples")];
    let ask = Ask::one_of("time_unit", "Time unit", words.iter().map(|(v, l)| ((*v).to_owned(), (*l).to_owned())).collect());
    let (unit, why, assumed) = match ask.answer(mat.path, mat.options)? {
        Some(unit) => (unit, "as chosen".to_owned(), false),
        None => match decide(&candidate.path, rate.is_some(), trains) {
            Ok((unit, why)) => (unit.to_owned(), why, true),
            Err(why) => return Err(ask.needed(mat.path, "samples", why)),
        },
    };
    let name = words.iter().find(|(v, _)| *v == unit).map_or("seconds", |(_, l)| l);
    report.add(NoteKind::Assumed, candidate.path.clone(), format!("times are read as {name}: {why}"));
    ask.settled(report, unit.clone(), why, assumed);
    let per_second = match unit.as_str() {
        "s" => return Ok(()),
        "ms" => 1e3,
        _ => sampling_rate(mat, rate, report)?,
    };
    for time in trains.iter_mut().flatten() {
        *time /= per_second;
    }
    Ok(())
}

/// Names of a sampling rate, lower case.
const RATES: [&str; 9] =
    ["fs", "sr", "samplerate", "sample_rate", "samplingrate", "sampling_rate", "sampfreq", "sampling_frequency", "samplingfrequency"];

fn sampling_rate(mat: &Mat, found: Option<(String, f64)>, report: &mut ImportReport) -> Result<f64, FormatError> {
    let ask = Ask::number("sampling_rate", "Sampling rate", "Hz");
    let (rate, why, assumed) = match (ask.number_answer(mat.path, mat.options)?, found) {
        (Some(rate), _) => (rate, "as chosen".to_owned(), false),
        (None, Some((name, rate))) => (rate, format!("the variable {name} says so"), false),
        (None, None) => return Err(ask.needed(mat.path, "30000", "the times are samples, but the file does not say the sampling rate")),
    };
    ask.settled(report, rate.to_string(), why, assumed);
    Ok(rate)
}

/// The unit with the reason; `Err` when it has to be asked for.
fn decide(path: &str, has_rate: bool, trains: &[Vec<f64>]) -> Result<(&'static str, String), String> {
    let last = path.rsplit('.').next().unwrap_or_default().to_lowercase();
    for (endings, unit) in
        [(&["_ms", "_msec", "_millis"][..], "ms"), (&["_s", "_sec", "_seconds"][..], "s"), (&["_samples", "_sample"][..], "samples")]
    {
        if endings.iter().any(|e| last.ends_with(e)) {
            return Ok((unit, format!("the name {last} says so")));
        }
    }
    if path == "spikes.times" {
        return Ok(("s", "that is what CellExplorer writes as spikes.times".to_owned()));
    }
    let all = || trains.iter().flatten().filter(|t| t.is_finite());
    let whole = all().count() > 20 && all().all(|t| t.fract() == 0.0);
    let rate = median_rate(trains);
    let as_seconds = format!("the median unit then fires {rate:.3} spikes/s");
    // Neurons fire at 0.05 to 300 spikes/s; a fiftieth is not plausible for a median.
    if !whole && rate >= 0.02 {
        return Ok(("s", format!("the file does not say; {as_seconds}")));
    }
    if !whole {
        return Ok(("ms", format!("the file does not say; as seconds {as_seconds}, as milliseconds {:.3}", rate * 1e3)));
    }
    if has_rate {
        return Ok(("samples", "all times are whole numbers and the file has a sampling rate".to_owned()));
    }
    Err(format!("all spike times are whole numbers (as seconds {as_seconds}), so they may be samples or milliseconds"))
}

fn median_rate(trains: &[Vec<f64>]) -> f64 {
    let times = || trains.iter().flatten().copied().filter(|t| t.is_finite());
    let (first, last) = times().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), t| (a.min(t), b.max(t)));
    let mut counts: Vec<usize> = trains.iter().map(Vec::len).collect();
    counts.sort_unstable();
    match counts.get(counts.len() / 2) {
        Some(&n) if last > first => n as f64 / (last - first),
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_decide_before_numbers_and_whole_numbers_are_asked_for() {
        let at = |step: f64| vec![(0..100).map(|k| f64::from(k) * step).collect::<Vec<f64>>()];
        assert_eq!(decide("a.raw_spike_time_s", false, &at(1.0)).unwrap().0, "s");
        assert_eq!(decide("t_ms", false, &at(0.1)).unwrap().0, "ms");
        assert_eq!(decide("spikes.times", true, &at(1.0)).unwrap().0, "s");
        assert_eq!(
            decide("spikes", false, &at(0.13)).unwrap(),
            ("s", "the file does not say; the median unit then fires 7.770 spikes/s".to_owned())
        );
        assert_eq!(decide("spikes", false, &at(130.5)).unwrap().0, "ms");
        assert_eq!(decide("spikes", true, &at(3000.0)).unwrap().0, "samples");
        assert!(decide("spikes", false, &at(3000.0)).unwrap_err().starts_with("all spike times are whole numbers"));
    }
}
