//! Dropout whose masks are a function of seed, site, trial and position: the same masks in any order of computation and on any
//! number of threads, and nothing has to be kept for the backward pass.

/// Dropout at one site of the network, for one trial.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drop {
    key: u32,
    threshold: u32,
    scale: f32,
}

impl Drop {
    /// `None` when nothing is dropped.
    pub(crate) fn new(seed: u64, site: u32, trial: usize, rate: f64) -> Option<Self> {
        if rate <= 0.0 {
            return None;
        }
        let mut z = seed ^ (u64::from(site) << 40) ^ (trial as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // SplitMix64's finisher.
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let key = (z ^ (z >> 31)) as u32;
        Some(Self { key, threshold: (rate * 4_294_967_296.0) as u32, scale: (1.0 / (1.0 - rate)) as f32 })
    }

    /// What the value at `index` is multiplied with: 0 or 1 / (1 − rate).
    #[inline(always)]
    pub(crate) fn factor(&self, index: u32) -> f32 {
        let mut x = index.wrapping_mul(0x9e37_79b9) ^ self.key;
        x ^= x >> 16;
        x = x.wrapping_mul(0x7feb_352d);
        x ^= x >> 15;
        x = x.wrapping_mul(0x846c_a68b);
        x ^= x >> 16;
        if x >= self.threshold { self.scale } else { 0.0 }
    }

    /// Multiply values whose first has the index `first`.
    #[inline(always)]
    pub(crate) fn multiply(&self, values: &mut [f32], first: u32) {
        for (at, value) in values.iter_mut().enumerate() {
            *value *= self.factor(first.wrapping_add(at as u32));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keeps_the_right_share_and_the_mean() {
        for rate in [0.05, 0.2, 0.6] {
            let mut means = Vec::new();
            for (seed, site, trial) in [(1, 0, 0), (1, 1, 0), (1, 0, 1), (2, 0, 0)] {
                let drop = Drop::new(seed, site, trial, rate).unwrap();
                let factors: Vec<f32> = (0..100_000).map(|k| drop.factor(k)).collect();
                let zeros = factors.iter().filter(|&&f| f == 0.0).count() as f64 / 1e5;
                assert!((zeros - rate).abs() < 0.006, "{zeros} instead of {rate}");
                means.push(factors);
            }
            let same = means[0].iter().zip(&means[1]).filter(|(a, b)| a == b).count() as f64 / 1e5;
            let expected = rate * rate + (1.0 - rate) * (1.0 - rate);
            assert!((same - expected).abs() < 0.01, "sites are not independent: {same} instead of {expected}");
        }
        assert!(Drop::new(1, 0, 0, 0.0).is_none());
    }

    #[test]
    fn neighbours_are_independent() {
        let drop = Drop::new(7, 3, 2, 0.5).unwrap();
        for lag in [1, 2, 64, 65, 160, 4096] {
            let same = (0..100_000).filter(|&k| drop.factor(k) == drop.factor(k + lag)).count() as f64 / 1e5;
            assert!((same - 0.5).abs() < 0.01, "lag {lag}: {same}");
        }
    }
}
