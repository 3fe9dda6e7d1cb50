//! Numbers that describe one unit's firing: how regular it is, and in how much of the recording it is there.

/// Parts into which the observed time is cut for [`presence`]; as in Allen Institute, ecephys_spike_sorting, `presence_ratio`.
const PARTS: usize = 100;

/// Coefficient of variation of inter-spike intervals (standard deviation over mean, 1 for a Poisson process). Intervals that
/// reach across a stretch that was not observed are left out; `observed` is ascending and may be empty (all is observed).
/// NaN with fewer than two intervals.
pub fn isi_cv(spikes: &[f64], observed: &[(f64, f64)]) -> f64 {
    let (mut n, mut mean, mut squares) = (0.0, 0.0, 0.0);
    let mut stretch = 0;
    for pair in spikes.windows(2) {
        let &[before, after] = pair else { continue };
        if !observed.is_empty() {
            while observed.get(stretch).is_some_and(|(_, stop)| *stop < before) {
                stretch += 1;
            }
            if observed.get(stretch).is_none_or(|(_, stop)| after > *stop) {
                continue;
            }
        }
        // Welford's update.
        let interval = after - before;
        n += 1.0;
        let away = interval - mean;
        mean += away / n;
        squares += away * (interval - mean);
    }
    if n < 2.0 || mean <= 0.0 { f64::NAN } else { (squares / (n - 1.0)).sqrt() / mean }
}

/// Share of 100 equal parts of the observed time in which the unit fired, 0 to 1. `observed` as for [`isi_cv`]; without it, the
/// time from `range.0` to `range.1`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_trains_do_not_vary_and_gaps_are_not_intervals() {
        let regular: Vec<f64> = (0..50).map(f64::from).collect();
        assert!(isi_cv(&regular, &[]).abs() < 1e-12);
        let alternating: Vec<f64> = (0..200).map(|k| f64::from(k) + if k % 2 == 0 { 0.0 } else { 0.5 }).collect();
        assert!((isi_cv(&alternating, &[]) - 0.5).abs() < 0.01);
        let mut apart = regular.clone();
        apart.extend((0..50).map(|k| 1000.0 + f64::from(k)));
        assert!(isi_cv(&apart, &[]) > 5.0);
        assert!(isi_cv(&apart, &[(0.0, 60.0), (990.0, 1100.0)]).abs() < 1e-12);
        assert!(isi_cv(&[1.0, 2.0], &[]).is_nan() && isi_cv(&[], &[]).is_nan() && isi_cv(&[1.0, 1.0, 1.0], &[]).is_nan());
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
