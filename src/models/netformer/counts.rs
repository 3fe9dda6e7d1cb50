//! Where training on raw counts begins. Everything else that counts need is in [`super::NetFormerConfig::offset`] and
//! [`super::Standardisation::per_column_of_counts`].

use burn::tensor::TensorData;

use super::{Loss, Trainer};
use crate::models::params::Values;

impl Trainer {
    /// Where there are offsets, begin at the mean over training windows of what every unit is to be predicted as (for counts, what
    /// stands for that rate): without connections nothing is better.
    pub fn start_at_means(&mut self, windows: &[usize]) {
        if !self.config().offset || windows.is_empty() {
            return;
        }
        let mut sums = vec![0.0f64; self.config().queries];
        for &start in windows {
            let target = self.data().target(start + self.config().history);
            sums.iter_mut().zip(target).for_each(|(sum, y)| *sum += f64::from(*y));
        }
        let n = windows.len() as f64;
        let offset = |sum: f64| match self.config().loss {
            Loss::SquaredError => sum / n,
            Loss::Poisson if sum > n => sum / n - 1.0,
            // A silent unit: as if half a spike had been seen.
            Loss::Poisson => (sum.max(0.5) / n).ln(),
        };
        let values: Vec<f32> = sums.into_iter().map(|sum| offset(sum) as f32).collect();
        let shape = [values.len()];
        self.load(&Values::from([("offset".to_owned(), TensorData::new(values, shape))]));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]
    use burn::tensor::Device;
    use ndarray::Array2;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::Distribution;

    use super::*;
    use crate::models::netformer::{Data, Experiment, Standardisation, TrainOptions};

    /// Spikes of quiet units, of which each drives the next, with bursts now and then in which many fire at once.
    fn spikes(units: usize, bins: usize) -> Array2<f32> {
        let mut random = ChaCha8Rng::seed_from_u64(8);
        let mut counts = Array2::<f32>::zeros((bins, units));
        for t in 1..bins {
            let burst = t % 97 == 0;
            for unit in 0..units {
                let drive = if unit > 0 { 3.0 * counts[[t - 1, unit - 1]] } else { 0.0 };
                let rate: f32 = if burst { 2.0 } else { 0.02 * drive.min(6.0).exp() };
                counts[[t, unit]] = rand_distr::Poisson::new(rate).unwrap().sample(&mut random);
            }
        }
        counts
    }

    /// Rates of raw counts: never worse than the mean rates that training begins at, also in bursts, and the connections come out.
    /// (Without offsets, with a link that is exponential everywhere and counts divided by small standard deviations, the first epoch
    /// ended at an R² of minus billions, or at no finite loss.)
    #[test]
    fn rates_of_counts_begin_at_the_means_and_stay_sane() {
        let (units, bins) = (8, 4000);
        let counts = spikes(units, bins);
        let parts = [0..3000, 3000..bins];
        let mut inputs = counts.clone();
        Standardisation::per_column_of_counts(counts.view(), &parts[..1]).apply(&mut inputs);
        let data = Data::new(inputs, Some(counts.clone())).unwrap();
        let config = Experiment::Counts.config(units, units);
        let (windows, test) = (data.windows(&parts[..1], config.history), data.windows(&parts[1..], config.history));
        let options = TrainOptions { seed: 2, ..Experiment::Counts.options() };
        let mut trainer = Trainer::new(config, data, options, &Device::flex(), true).unwrap();
        trainer.start_at_means(&windows);
        let flat = trainer.losses(&windows).unwrap().fit;
        let rate = counts.slice_axis(ndarray::Axis(0), (10..3000).into()).mean_axis(ndarray::Axis(0)).unwrap();
        let predicted = trainer.predictions(&test[..1]).unwrap();
        let config = trainer.config().clone();
        assert!(predicted.iter().zip(&rate).all(|(p, rate)| (config.rate(*p) - rate).abs() < 1e-4), "begins at the mean rates");
        for epoch in 0..12 {
            for own in trainer.batches(&windows, epoch) {
                trainer.step(&own, epoch).unwrap();
            }
            let (fit, held_out) = (trainer.losses(&windows).unwrap().fit, trainer.losses(&test).unwrap().fit);
            assert!(fit < flat && held_out < flat, "epoch {epoch}: {fit} and {held_out}, flat {flat}");
        }
        let largest = trainer.predictions(&test).unwrap().iter().fold(0.0f32, |most, p| most.max(config.rate(*p)));
        assert!(largest < 100.0, "{largest} spikes in a bin are predicted");
        let attention = trainer.mean_attention(&windows).unwrap();
        let (mut from_before, mut others) = (f32::INFINITY, f32::NEG_INFINITY);
        for ((to, from), value) in attention.indexed_iter().filter(|((to, from), _)| to != from) {
            if to == from + 1 { from_before = from_before.min(*value) } else { others = others.max(*value) }
        }
        assert!(from_before > others, "connected at least {from_before}, not connected up to {others}");
    }
}
