//! What a MATLAB file says about the unit of its spike times, and bringing them to seconds.

use super::Mat;
use super::candidates::Candidate;
use super::value::Value;
use crate::formats::FormatError;
use crate::formats::time_unit::{self, Evidence, TimeUnit};
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
    let counts: Vec<usize> = trains.iter().map(Vec::len).collect();
    let evidence = Evidence {
        named: named(&candidate.path),
        sampling_rate: rate.map(|(name, rate)| (rate, format!("the variable {name}"))),
        ask_if_whole: true,
        ..Evidence::of(trains.iter().flatten().copied(), &counts)
    };
    let mut choices = mat.choices();
    let per_second = time_unit::per_second(&mut choices, &evidence)?;
    for told in time_unit::told(&choices) {
        report.add(NoteKind::Assumed, candidate.path.clone(), told);
    }
    choices.hand_over(report);
    if per_second != 1.0 {
        trains.iter_mut().flatten().for_each(|time| *time /= per_second);
    }
    Ok(())
}

/// Names of a sampling rate, lower case.
const RATES: [&str; 9] =
    ["fs", "sr", "samplerate", "sample_rate", "samplingrate", "sampling_rate", "sampfreq", "sampling_frequency", "samplingfrequency"];

/// What the name of the variable says.
fn named(path: &str) -> Option<(TimeUnit, String)> {
    if path == "spikes.times" {
        return Some((TimeUnit::Seconds, "the layout of CellExplorer".to_owned()));
    }
    let last = path.rsplit('.').next().unwrap_or_default();
    let (_, word) = last.rsplit_once('_')?;
    Some((TimeUnit::named(&word.to_lowercase())?, format!("the name {last}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_unit_only_behind_an_underscore() {
        let unit = |path: &str| named(path).map(|(unit, _)| unit);
        assert_eq!(unit("a.raw_spike_time_s"), Some(TimeUnit::Seconds));
        assert_eq!((unit("t_MS"), unit("spk_samples")), (Some(TimeUnit::Milliseconds), Some(TimeUnit::Samples)));
        assert_eq!((unit("spikes.times"), unit("s"), unit("spikes"), unit("a_s.times")), (Some(TimeUnit::Seconds), None, None, None));
    }
}
