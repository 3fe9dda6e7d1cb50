//! The Mersenne Twister MT19937 as numpy's `RandomState(seed)` runs it: with it, published simulations that name a numpy seed
//! can be made again to the bit (Matsumoto & Nishimura 1998).

const SIZE: usize = 624;
const SHIFT: usize = 397;

/// A generator.
pub(super) struct MersenneTwister {
    state: [u32; SIZE],
    next: usize,
}

impl MersenneTwister {
    /// As `numpy.random.RandomState(seed)`.
    pub(super) fn new(seed: u32) -> Self {
        let mut state = [0_u32; SIZE];
        let mut last = seed;
        for (k, value) in state.iter_mut().enumerate() {
            if k > 0 {
                last = 1_812_433_253_u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(k as u32);
            }
            *value = last;
        }
        Self { state, next: SIZE }
    }

    /// A number in [0, 1) with 53 random bits, as `random_sample()`.
    pub(super) fn uniform(&mut self) -> f64 {
        let (high, low) = (self.word() >> 5, self.word() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    fn word(&mut self) -> u32 {
        if self.next >= SIZE {
            self.twist();
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9D2C_5680;
        word ^= (word << 15) & 0xEFC6_0000;
        word ^ (word >> 18)
    }

    fn twist(&mut self) {
        for k in 0..SIZE {
            let mixed = (self.state[k] & 0x8000_0000) | (self.state[(k + 1) % SIZE] & 0x7FFF_FFFF);
            let odd = if mixed & 1 == 1 { 0x9908_B0DF } else { 0 };
            self.state[k] = self.state[(k + SHIFT) % SIZE] ^ (mixed >> 1) ^ odd;
        }
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::reference::netformer;
    use ndarray::Array1;

    #[test]
    fn numbers_are_those_of_numpy() {
        let mut random = MersenneTwister::new(5489);
        assert_eq!((random.word(), random.word()), (3_499_211_612, 581_869_302), "the published test values");
        let expected: Array1<f64> = netformer("stdp_full/first_uniforms");
        let mut random = MersenneTwister::new(2020);
        for expected in expected {
            assert_eq!(random.uniform(), expected);
        }
    }
}
