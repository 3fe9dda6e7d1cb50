//! Agreement of predicted rates with PSTHs (benchmark §3.3).

use ndarray::{Array2, ArrayView2, ArrayView3, Axis};

use super::{NlbError, nothing, r2, same_shape};

/// R² of mean predicted rates against PSTHs `[conditions, bins, units]`, both in spikes per bin: conditions stacked along time,
/// uniform average over units. `rates` `[trials, bins, units]` are those of evaluation trials, `condition` the condition of each
/// (`None` for a trial of none), `jitter` what each is shifted by in bins (positive = later; vacated bins count as missing). Bins
/// whose PSTH is NaN (tested on the first unit) are left out; conditions without trials too.
///
/// # Errors
/// [`NlbError`] when shapes differ, a scored bin has no rate, or nothing is scored.
pub fn psth_r2<R: Copy + Into<f64>>(
    psth: ArrayView3<'_, f64>,
    rates: ArrayView3<'_, R>,
    condition: &[Option<usize>],
    jitter: &[i64],
) -> Result<f64, NlbError> {
    let (conditions, bins, units) = psth.dim();
    let trials = rates.len_of(Axis(0));
    same_shape("bins and units of the rates", &rates.shape()[1..], &[bins, units])?;
    same_shape("conditions and shifts per trial", &[condition.len(), jitter.len()], &[trials, trials])?;
    let mut stacked = Vec::new();
    for at in 0..conditions {
        let own: Vec<usize> = (0..trials).filter(|&k| condition.get(k).copied().flatten() == Some(at)).collect();
        if own.is_empty() {
            continue;
        }
        let truth = psth.index_axis(Axis(0), at);
        let mean = mean_rate(rates, &own, jitter);
        collect(truth, &mean, &mut stacked).map_err(|bin| {
            nothing(&format!("bin {bin} of condition {at} has no predicted rate"), "predict rates of every bin, or shift trials less")
        })?;
    }
    if stacked.is_empty() {
        return Err(nothing("no condition has both a PSTH and trials", "choose conditions that evaluation trials have"));
    }
    let rows = stacked.len() / units.max(1);
    let sum: f64 = (0..units)
        .map(|unit| {
            let column = || stacked.iter().skip(unit).step_by(units);
            let mean = column().map(|(truth, _)| truth).sum::<f64>() / rows as f64;
            let total = column().map(|(truth, _)| (truth - mean).powi(2)).sum();
            r2(column().map(|(truth, rate)| (truth - rate).powi(2)).sum(), total)
        })
        .sum();
    Ok(sum / units as f64)
}

/// Mean over trials that have a rate there, after shifting `[bins, units]`; NaN where none has.
fn mean_rate<R: Copy + Into<f64>>(rates: ArrayView3<'_, R>, trials: &[usize], jitter: &[i64]) -> Array2<f64> {
    let (_, bins, units) = rates.dim();
    let (mut sum, mut n) = (Array2::<f64>::zeros((bins, units)), Array2::<f64>::zeros((bins, units)));
    for &trial in trials {
        let shift = jitter.get(trial).copied().unwrap_or(0);
        for (bin, row) in rates.index_axis(Axis(0), trial).outer_iter().enumerate() {
            let Some(to) = usize::try_from(bin as i64 + shift).ok().filter(|&to| to < bins) else { continue };
            for (unit, value) in row.iter().enumerate().map(|(unit, &v)| (unit, v.into())).filter(|(_, v): &(usize, f64)| !v.is_nan()) {
                sum[[to, unit]] += value;
                n[[to, unit]] += 1.0;
            }
        }
    }
    sum / n
}

/// Pairs of truth and mean rate of the bins whose PSTH is known; fails with the bin that has no rate.
fn collect(truth: ArrayView2<'_, f64>, mean: &Array2<f64>, into: &mut Vec<(f64, f64)>) -> Result<(), usize> {
    for (bin, (truth, mean)) in truth.outer_iter().zip(mean.outer_iter()).enumerate() {
        if truth.first().is_none_or(|v| v.is_nan()) {
            continue;
        }
        if truth.iter().chain(&mean).any(|v| v.is_nan()) {
            return Err(bin);
        }
        into.extend(truth.iter().copied().zip(mean.iter().copied()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ndarray::Array3;

    use super::*;

    #[test]
    fn shifts_move_trials_onto_the_psth() {
        let mut psth = Array3::from_shape_fn((1, 8, 2), |(_, t, n)| (t * (n + 1)) as f64);
        // Two trials, one recorded a bin early and one a bin late.
        let rates = Array3::from_shape_fn((2, 8, 2), |(k, t, n)| ((t as f64) + if k == 0 { 1.0 } else { -1.0 }) * (n + 1) as f64);
        let condition = [Some(0), Some(0)];
        assert!((psth_r2(psth.view(), rates.view(), &condition, &[1, -1]).unwrap() - 1.0).abs() < 1e-12);
        assert!(psth_r2(psth.view(), rates.view(), &[Some(0), None], &[0, 0]).unwrap() < 0.9);
        let error = psth_r2(psth.view(), rates.view(), &[Some(0), None], &[1, 0]).unwrap_err().to_string();
        assert!(error.contains("bin 0 of condition 0"), "{error}");
        psth.index_axis_mut(Axis(1), 0).fill(f64::NAN);
        assert!((psth_r2(psth.view(), rates.view(), &[Some(0), None], &[1, 0]).unwrap() - 1.0).abs() < 1e-12);
        assert!(psth_r2(psth.view(), rates.view(), &[None, None], &[0, 0]).is_err());
    }
}
