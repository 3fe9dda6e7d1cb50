//! How regularly a unit fires. In how much of the recording it is there, see [`crate::recording::quality`].

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
}
