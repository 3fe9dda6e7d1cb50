//! Continuous activity of the units: the state of simulated rate networks, calcium signals, anything that is not a spike train.

use std::ops::Range;

use ndarray::ArcArray2;

use super::RecordingError;

/// Times closer to a bin than this share of its width count as the bin's own.
const SLACK: f64 = 1e-6;

/// One value per bin and unit. Clones share the values.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// What the values are, for example `state`.
    pub name: String,
    /// Physical unit of the values, empty when they have none.
    pub unit: String,
    /// Time of the first bin in seconds, on the recording's clock.
    pub start_s: f64,
    /// Seconds from one bin to the next.
    pub bin_s: f64,
    /// Values `[bins, units]`, units in the recording's order.
    pub values: ArcArray2<f64>,
}

impl Activity {
    /// Number of bins.
    pub fn bins(&self) -> usize {
        self.values.nrows()
    }

    /// Start of the first and end of the last bin in seconds; `None` without bins.
    pub fn time_range(&self) -> Option<(f64, f64)> {
        (self.bins() > 0).then(|| (self.start_s, self.start_s + self.bins() as f64 * self.bin_s))
    }

    /// Bins that begin in `from <= t < to` seconds.
    pub fn bins_between(&self, from: f64, to: f64) -> Range<usize> {
        let bin = |time: f64| (((time - self.start_s) / self.bin_s - SLACK).ceil().max(0.0) as usize).min(self.bins());
        let (first, last) = (bin(from), bin(to));
        first..last.max(first)
    }

    /// The bins `range` alone; times stay on the recording's clock. The range must lie inside.
    pub(super) fn cut(&self, range: Range<usize>) -> Self {
        let start_s = self.start_s + range.start as f64 * self.bin_s;
        let values = self.values.slice_axis(ndarray::Axis(0), range.into()).to_owned().into_shared();
        Self { start_s, values, ..self.clone() }
    }

    /// The units `keep` alone. All of them must exist.
    pub(super) fn of_units(&self, keep: &[usize]) -> Self {
        Self { values: self.values.select(ndarray::Axis(1), keep).into_shared(), ..self.clone() }
    }

    pub(super) fn check(&self, units: usize) -> Result<(), RecordingError> {
        if self.values.ncols() != units {
            return Err(RecordingError::Length { what: "continuous activity".to_owned(), found: self.values.ncols(), expected: units });
        }
        let sound = self.bin_s > 0.0 && self.bin_s.is_finite() && self.start_s.is_finite() && self.values.iter().all(|v| v.is_finite());
        if sound { Ok(()) } else { Err(RecordingError::Activity { name: self.name.clone() }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn activity() -> Activity {
        let values = Array2::from_shape_fn((10, 2), |(bin, unit)| (10 * bin + unit) as f64).into_shared();
        Activity { name: "state".into(), unit: String::new(), start_s: 1.0, bin_s: 0.1, values }
    }

    #[test]
    fn stretches_hold_the_bins_that_begin_in_them() {
        let a = activity();
        assert_eq!(a.time_range(), Some((1.0, 2.0)));
        assert_eq!((a.bins_between(-5.0, 99.0), a.bins_between(1.3, 1.6), a.bins_between(1.31, 1.6)), (0..10, 3..6, 4..6));
        assert_eq!((a.bins_between(5.0, 6.0), a.bins_between(2.0, 1.0)), (10..10, 10..10));
        let cut = a.cut(3..6);
        assert_eq!((cut.values.column(1).to_vec(), cut.bins_between(1.4, 1.5)), (vec![31.0, 41.0, 51.0], 1..2));
        assert_eq!(a.cut(4..4).time_range(), None);
    }

    #[test]
    fn values_must_fit_the_units_and_be_numbers() {
        let a = activity();
        assert!(a.check(2).is_ok() && a.of_units(&[1]).check(1).is_ok());
        assert!(a.check(3).unwrap_err().to_string().contains("continuous activity has 2 entries"));
        let broken = Activity { values: a.values.mapv(|v| if v == 31.0 { f64::NAN } else { v }).into_shared(), ..a.clone() };
        assert!(broken.check(2).unwrap_err().to_string().contains("'state'"));
        assert!(Activity { bin_s: 0.0, ..a }.check(2).is_err());
    }
}
