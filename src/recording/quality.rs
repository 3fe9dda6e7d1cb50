//! How good units are, as far as spike times tell: rate, presence, violations of the refractory period. And which units a
//! filter keeps, by these numbers and by any column of the file.

use serde::{Deserialize, Serialize};

use super::filter::{Filter, FilterError, Value};
use super::{Column, Recording};

/// Intervals shorter than this violate the refractory period, seconds (the limit of the Allen Institute's ecephys pipeline).
pub const REFRACTORY_S: f64 = 0.0015;
/// Presence is counted in this many equal parts of the observed time.
const PARTS: usize = 100;

/// Numbers per unit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UnitQuality {
    /// Spikes per second of observed time, Hz.
    pub rate_hz: Vec<f64>,
    /// Share of a hundred equal parts of the observed time in which the unit fires, 0 to 1.
    pub presence: Vec<f64>,
    /// Share of inter-spike intervals below [`REFRACTORY_S`], 0 to 1; 0 without intervals.
    pub isi_violations: Vec<f64>,
}

/// Which units to keep. What is `None` or empty keeps all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QualityFilter {
    /// Lowest rate, Hz.
    pub min_rate_hz: Option<f64>,
    /// Lowest presence, 0 to 1.
    pub min_presence: Option<f64>,
    /// Largest share of intervals below the refractory period, 0 to 1.
    pub max_isi_violations: Option<f64>,
    /// Expression over `id`, `area`, `spikes`, `rate`, `presence`, `isi_violations` and the unit columns of the file.
    pub expression: String,
}

impl UnitQuality {
    /// Count.
    pub fn of(recording: &Recording) -> Self {
        let (first, last) = recording.time_range().unwrap_or((0.0, 0.0));
        let seconds = recording.observed_seconds();
        let mut quality = Self::default();
        for unit in 0..recording.n_units() {
            let times = recording.spikes.unit(unit);
            quality.rate_hz.push(if seconds > 0.0 { times.len() as f64 / seconds } else { 0.0 });
            let presence = presence(times, &recording.observed, (first, last));
            // All at one time: there, or not.
            quality.presence.push(if presence.is_nan() { f64::from(u8::from(!times.is_empty())) } else { presence });
            let short = times.windows(2).filter(|w| w[1] - w[0] < REFRACTORY_S).count();
            quality.isi_violations.push(short as f64 / times.len().saturating_sub(1).max(1) as f64);
        }
        quality
    }
}

/// Share of 100 equal parts of the observed time in which the unit fired, 0 to 1. `observed` is ascending and disjoint; when it is empty, the time from
/// `range.0` to `range.1` was observed. NaN without any time. As `presence_ratio` of the Allen Institute's ecephys_spike_sorting.
pub fn presence(spikes: &[f64], observed: &[(f64, f64)], range: (f64, f64)) -> f64 {
    let whole = [range];
    let stretches = if observed.is_empty() { &whole[..] } else { observed };
    let total: f64 = stretches.iter().map(|(a, b)| (b - a).max(0.0)).sum();
    if !(total.is_finite() && total > 0.0) {
        return f64::NAN;
    }
    let (mut there, mut before) = ([false; PARTS], 0.0);
    for &(start, stop) in stretches {
        let first = spikes.partition_point(|&t| t < start);
        for &time in spikes.get(first..).unwrap_or_default().iter().take_while(|&&t| t <= stop) {
            let part = ((before + time - start) / total * PARTS as f64) as usize;
            if let Some(there) = there.get_mut(part.min(PARTS - 1)) {
                *there = true;
            }
        }
        before += (stop - start).max(0.0);
    }
    there.iter().filter(|t| **t).count() as f64 / PARTS as f64
}

/// Columns that an expression can name beside those of the file.
const OURS: [&str; 6] = ["id", "area", "spikes", "rate", "presence", "isi_violations"];

impl QualityFilter {
    /// True when it keeps every unit.
    pub fn is_empty(&self) -> bool {
        *self == Self { expression: self.expression.clone(), ..Self::default() } && self.expression.trim().is_empty()
    }

    /// Only an expression.
    pub fn expression(text: &str) -> Self {
        Self { expression: text.to_owned(), ..Self::default() }
    }

    /// Names that the expression can use for this recording. A column of the file called like one of ours is `NAME (file)`.
    pub fn columns(recording: &Recording) -> Vec<String> {
        let file = recording
            .units
            .columns
            .iter()
            .map(|c| if OURS.contains(&c.name.as_str()) { format!("{} (file)", c.name) } else { c.name.clone() });
        OURS.iter().map(|n| (*n).to_owned()).chain(file).collect()
    }

    /// Units that are kept, ascending.
    ///
    /// # Errors
    /// [`FilterError`] when the expression cannot be read.
    pub fn kept(&self, recording: &Recording, quality: &UnitQuality) -> Result<Vec<usize>, FilterError> {
        let filter = Filter::parse(&self.expression, &Self::columns(recording))?;
        let at = |values: &[f64], unit: usize| values.get(unit).copied().unwrap_or(f64::NAN);
        let keeps = |unit: usize| {
            self.min_rate_hz.is_none_or(|least| at(&quality.rate_hz, unit) >= least)
                && self.min_presence.is_none_or(|least| at(&quality.presence, unit) >= least)
                && self.max_isi_violations.is_none_or(|most| at(&quality.isi_violations, unit) <= most)
                && filter.keeps(&|column| value(recording, quality, unit, column))
        };
        Ok((0..recording.n_units()).filter(|&unit| keeps(unit)).collect())
    }

    /// In words.
    pub fn label(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.min_rate_hz.map(|v| format!("rate ≥ {v} Hz")));
        parts.extend(self.min_presence.map(|v| format!("presence ≥ {} %", 100.0 * v)));
        parts.extend(self.max_isi_violations.map(|v| format!("intervals below {} ms ≤ {} %", 1e3 * REFRACTORY_S, 100.0 * v)));
        if !self.expression.trim().is_empty() {
            parts.push(self.expression.trim().to_owned());
        }
        parts.join(" and ")
    }
}

fn value(recording: &Recording, quality: &UnitQuality, unit: usize, column: usize) -> Value {
    let number = |values: &[f64]| Value::Number(values.get(unit).copied().unwrap_or(f64::NAN));
    match column {
        0 => Value::Text(recording.units.ids.get(unit).cloned().unwrap_or_default()),
        1 => Value::Text(recording.units.area.get(unit).and_then(|a| recording.areas.get(*a)).cloned().unwrap_or_default()),
        2 => Value::Number(recording.spikes.unit(unit).len() as f64),
        3 => number(&quality.rate_hz),
        4 => number(&quality.presence),
        5 => number(&quality.isi_violations),
        _ => match recording.units.columns.get(column - OURS.len()).map(|c| &c.values) {
            Some(Column::Text(values)) => Value::Text(values.get(unit).cloned().unwrap_or_default()),
            Some(Column::Bool(values)) => Value::Bool(values.get(unit).copied().unwrap_or(false)),
            Some(values) => Value::Number(values.number(unit)),
            None => Value::Text(String::new()),
        },
    }
}

/// Per area of `recording`: name, units kept, units.
pub fn kept_by_area(recording: &Recording, kept: &[usize]) -> Vec<(String, usize, usize)> {
    let mut areas: Vec<(String, usize, usize)> = recording.areas.iter().map(|name| (name.clone(), 0, 0)).collect();
    for (unit, area) in recording.units.area.iter().enumerate() {
        if let Some((_, n, of)) = areas.get_mut(*area) {
            *of += 1;
            *n += usize::from(kept.binary_search(&unit).is_ok());
        }
    }
    areas
}

/// `12 of 20 V1, 5 of 5 M1`.
pub fn kept_text(areas: &[(String, usize, usize)]) -> String {
    let parts: Vec<String> =
        areas.iter().map(|(name, n, of)| format!("{n} of {of} {}", if name.is_empty() { "without an area" } else { name })).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{NamedColumn, RecordingParts, Source, SpikeTrains};
    use super::*;

    fn recording() -> Recording {
        let column = |name: &str, values| NamedColumn { name: name.into(), description: String::new(), values };
        let parts = RecordingParts {
            // All the time; half of it; bursting; silent.
            spikes: SpikeTrains::from_units([
                (0..=200).map(|k| f64::from(k) * 0.5).collect(),
                (0..100).map(|k| f64::from(k) * 0.5).collect(),
                vec![10.0, 10.001, 10.002, 50.0, 90.0],
                vec![],
            ]),
            unit_ids: ["1", "2", "3", "4"].map(String::from).to_vec(),
            unit_areas: ["A", "A", "B", "B"].map(String::from).to_vec(),
            unit_columns: vec![column("snr", Column::Float(vec![1.0, 2.0, 3.0, 4.0])), column("rate", Column::Int(vec![9, 9, 9, 9]))],
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("r".into())).unwrap()
    }

    #[test]
    fn rate_presence_and_violations_are_counted() {
        let quality = UnitQuality::of(&recording());
        assert_eq!(quality.rate_hz, [2.01, 1.0, 0.05, 0.0]);
        assert_eq!(quality.presence, [1.0, 0.5, 0.03, 0.0]);
        assert_eq!(quality.isi_violations, [0.0, 0.0, 0.5, 0.0]);
    }

    #[test]
    fn filters_keep_units_and_tell_how_many_per_area() {
        let recording = recording();
        let quality = UnitQuality::of(&recording);
        let kept = |filter: &QualityFilter| filter.kept(&recording, &quality).unwrap();
        assert_eq!(kept(&QualityFilter::default()), [0, 1, 2, 3]);
        let filter = QualityFilter { min_rate_hz: Some(0.01), max_isi_violations: Some(0.1), ..QualityFilter::default() };
        assert_eq!(kept(&filter), [0, 1]);
        assert_eq!(kept_text(&kept_by_area(&recording, &kept(&filter))), "2 of 2 A, 0 of 2 B");
        assert_eq!(kept(&QualityFilter { min_presence: Some(0.5), ..QualityFilter::default() }), [0, 1]);
        assert_eq!(kept(&QualityFilter::expression("snr >= 2 and area == 'B' or presence == 1")), [0, 2, 3]);
        assert_eq!(kept(&QualityFilter::expression("`rate (file)` == 9 and rate > 1.5")), [0]);
        assert!(QualityFilter::expression("depth > 1").kept(&recording, &quality).unwrap_err().to_string().contains("isi_violations"));
        assert!(QualityFilter::default().is_empty() && QualityFilter::expression("  ").is_empty() && !filter.is_empty());
        assert_eq!(filter.label(), "rate ≥ 0.01 Hz and intervals below 1.5 ms ≤ 10 %");
    }

    #[test]
    fn presence_is_a_share_of_observed_time() {
        let everywhere: Vec<f64> = (0..1000).map(|k| f64::from(k) * 0.1).collect();
        assert_eq!(presence(&everywhere, &[], (0.0, 100.0)), 1.0);
        assert_eq!(presence(&everywhere, &[], (0.0, 200.0)), 0.5);
        assert_eq!(presence(&everywhere, &[(0.0, 50.0), (150.0, 200.0)], (0.0, 200.0)), 0.51);
        assert_eq!(presence(&[], &[], (0.0, 1.0)), 0.0);
        assert!(presence(&[1.0], &[], (1.0, 1.0)).is_nan());
    }
}
