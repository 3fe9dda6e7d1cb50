//! Neural speed against the interval that was produced (benchmark §3.4), from the columns of the trial table.

use ndarray::{Array2, Array3, ArrayView3, Axis, Slice};

use super::rate_model::RateModel;
use crate::analysis::nlb::{NlbError, SpeedCorrelation, speed_tp_correlation};
use crate::recording::{Column, IntervalTable};

/// Column of the produced interval in the benchmark's own files.
const PRODUCED_COLUMN: &str = "tp";
/// Columns whose trials are compared with each other only; one that is missing divides nothing.
const GROUP_COLUMNS: [&str; 3] = ["is_eye", "theta", "is_short"];
/// Trials that are left out.
const OUTLIER_COLUMN: &str = "is_outlier";

/// The column of produced intervals: `named`, or the benchmark's own name without one. `None` when the trials have no such
/// column of numbers.
pub fn produced_column<'a>(model: &'a RateModel, named: Option<&str>) -> Option<&'a Column> {
    let column = trial_table(model)?.column(named.unwrap_or(PRODUCED_COLUMN))?;
    column.values.is_numeric().then_some(&column.values)
}

/// Correlate the speed of `rates` `[trials, bins, units]` of `trials` with their `produced` interval within groups alike in
/// `is_eye`, `theta` and `is_short`. Bins between `set_time` and `go_time` count, or all observed ones where the table has no such
/// columns; trials without a produced interval or marked `is_outlier` do not.
///
/// # Errors
/// [`NlbError`] when no group of trials has two intervals.
pub fn produced_correlation(
    model: &RateModel,
    rates: ArrayView3<'_, f64>,
    trials: &[usize],
    produced: &Column,
) -> Result<SpeedCorrelation, NlbError> {
    let own = model.trials();
    let table = trial_table(model);
    let value = |name: &str, row: usize| table.and_then(|t| t.column(name)).map(|c| c.values.number(row));
    let bins = model.observed_bins();
    let mut behaviour = Array2::zeros((trials.len(), GROUP_COLUMNS.len() + 1));
    let mut outside = Array3::<f64>::zeros((trials.len(), bins, 1));
    for (at, &trial) in trials.iter().enumerate() {
        let (Some(&row), Some(&start)) = (own.rows.get(trial), own.starts.get(trial)) else { continue };
        for (column, name) in GROUP_COLUMNS.iter().enumerate() {
            behaviour[[at, column]] = value(name, row).unwrap_or(0.0);
        }
        let outlier = value(OUTLIER_COLUMN, row).is_some_and(|o| o != 0.0);
        behaviour[[at, GROUP_COLUMNS.len()]] = if outlier { f64::NAN } else { produced.number(row) };
        let from = value("set_time", row).unwrap_or(f64::NEG_INFINITY);
        let to = value("go_time", row).unwrap_or(f64::INFINITY);
        for bin in 0..bins {
            let middle = start + (bin as f64 + 0.5) * own.bin_s;
            if !(from..to).contains(&middle) {
                outside[[at, bin, 0]] = f64::NAN;
            }
        }
    }
    let observed = rates.slice_axis(Axis(1), Slice::from(..bins));
    speed_tp_correlation(outside.view(), observed, behaviour.view())
}

fn trial_table(model: &RateModel) -> Option<&IntervalTable> {
    model.recording().table(model.trials().table.as_deref()?)
}
