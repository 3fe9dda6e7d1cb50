//! `spikescope bench correlogram`: correlograms of all pairs of units, and the jitter band of one pair, as the window computes them.

use std::time::Instant;

use clap::Args;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::super::output::peak_rss_mb;
use super::quantile;
use crate::analysis::correlogram::{Jitter, Lags, correlograms, jitter_bands, total};
use crate::analysis::watch::Watch;

/// Options of `bench correlogram`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Correlogram {
    /// Units
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=2000))]
    units: u32,
    /// Spikes of all units together
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    spikes: u64,
    /// Mean rate of a unit, Hz
    #[arg(long, default_value_t = 5.0, value_parser = positive)]
    rate: f64,
    /// Largest lag, ms
    #[arg(long, default_value_t = 50.0, value_parser = positive)]
    lag_ms: f64,
    /// Bin width, ms
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    bin_ms: f64,
    /// Times everything is repeated
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: u32,
    /// One line of JSON
    #[arg(long)]
    pub(super) json: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|v: &f64| v.is_finite() && *v > 0.0).ok_or_else(|| "a number above 0".to_owned())
}

impl Correlogram {
    pub(super) fn run(&self) -> anyhow::Result<Value> {
        let trains = self.trains();
        let trains: Vec<&[f64]> = trains.iter().map(Vec::as_slice).collect();
        let lags = Lags::up_to(self.lag_ms / 1e3, self.bin_ms / 1e3);
        let (mut all_pairs, mut band, mut pairs_of_spikes) = (Vec::new(), Vec::new(), 0);
        for _ in 0..self.repeats {
            let begun = Instant::now();
            let found = correlograms(&trains, lags, &Watch::default())?;
            all_pairs.push(ms(begun));
            pairs_of_spikes = total(&found);
            let begun = Instant::now();
            let pair = trains.get(..2.min(trains.len())).unwrap_or_default();
            let jitter = Jitter { window_s: 0.02, copies: 100, seed: 0 };
            jitter_bands(pair, &[(0, pair.len().saturating_sub(1))], lags, jitter, &Watch::default())?;
            band.push(ms(begun));
        }
        all_pairs.sort_by(f64::total_cmp);
        band.sort_by(f64::total_cmp);
        Ok(json!({
            "bench": "correlogram",
            "units": self.units,
            "spikes": self.spikes,
            "rate_hz": self.rate,
            "lag_ms": self.lag_ms,
            "bin_ms": self.bin_ms,
            "pairs_of_units": u64::from(self.units) * u64::from(self.units),
            "pairs_of_spikes": pairs_of_spikes,
            "threads": rayon::current_num_threads(),
            "all_pairs_median_ms": quantile(&all_pairs, 0.5),
            "all_pairs_min_ms": quantile(&all_pairs, 0.0),
            "jitter_band_of_one_pair_100_copies_median_ms": quantile(&band, 0.5),
            "peak_rss_mb": peak_rss_mb(),
        }))
    }

    /// Units that fire independently and evenly, for as long as their rate needs.
    fn trains(&self) -> Vec<Vec<f64>> {
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let each = self.spikes as f64 / f64::from(self.units);
        let seconds = each / self.rate;
        let train = |unit: u32| {
            let n = (u64::from(unit) + 1) * self.spikes / u64::from(self.units) - u64::from(unit) * self.spikes / u64::from(self.units);
            let mut times: Vec<f64> = (0..n).map(|_| random.random::<f64>() * seconds).collect();
            times.sort_by(f64::total_cmp);
            times
        };
        (0..self.units).map(train).collect()
    }
}

fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_trains_have_the_spikes_asked_for() {
        let bench = Correlogram { units: 7, spikes: 1000, rate: 5.0, lag_ms: 50.0, bin_ms: 1.0, repeats: 1, json: true };
        let trains = bench.trains();
        assert_eq!((trains.len(), trains.iter().map(Vec::len).sum::<usize>()), (7, 1000));
        assert!(trains.iter().flatten().all(|t| (0.0..1000.0 / 7.0 / 5.0).contains(t)));
        assert!(positive("0").is_err() && positive("NaN").is_err() && positive("2.5") == Ok(2.5));
    }
}
