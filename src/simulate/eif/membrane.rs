//! One step of the membrane equation for all units of an area at once: plain loops over slices, so that they are vectorised.

/// Integration step over membrane time constant (0.2 ms over 15 ms).
const LEAK: f32 = 0.2 / 15.0;
const REST: f32 = -60.0;
const THRESHOLD: f32 = -50.0;
const SHARPNESS: f32 = 2.0;
/// Potential at which a spike is counted, mV.
pub(super) const SPIKE: f32 = -10.0;
/// Potential after a spike, mV.
pub(super) const RESET: f32 = -65.0;
/// Steps that a unit is held at reset (1 ms).
pub(super) const REFRACTORY: u32 = 5;
/// The published code multiplies every change by int(dt / 0.1).
const TWICE: f32 = 2.0;

/// State of every unit, one array per quantity.
pub(super) struct Membranes {
    pub(super) potential: Vec<f32>,
    /// Steps left at reset.
    pub(super) held: Vec<u32>,
    /// Slow and fast part of the synaptic current; their difference is the current.
    pub(super) slow: Vec<f32>,
    pub(super) fast: Vec<f32>,
    pub(super) noise: Vec<f32>,
}

impl Membranes {
    pub(super) fn new(units: usize) -> Self {
        let zeros = vec![0.0; units];
        Self { potential: vec![RESET; units], held: vec![0; units], slow: zeros.clone(), fast: zeros.clone(), noise: zeros }
    }

    pub(super) fn rest(&mut self) {
        self.potential.fill(RESET);
        self.held.fill(0);
        self.slow.fill(0.0);
        self.fast.fill(0.0);
    }

    /// One step of the units `units`, which share the input `common` and take `background` by their loadings.
    pub(super) fn step(&mut self, units: std::ops::Range<usize>, loadings: &[f32], common: f32, background: f32) {
        let (v, held) = (&mut self.potential[units.clone()], &mut self.held[units.clone()]);
        let (slow, fast, noise) = (&self.slow[units.clone()], &self.fast[units.clone()], &self.noise[units.clone()]);
        let currents = slow.iter().zip(fast).zip(noise).zip(&loadings[units]);
        for ((v, held), (((slow, fast), noise), loading)) in v.iter_mut().zip(held.iter_mut()).zip(currents) {
            let current = slow - fast + noise + common + loading * background;
            let drift = LEAK * (REST - *v + SHARPNESS * exp((*v - THRESHOLD) / SHARPNESS));
            let moved = *v + TWICE * (drift + current);
            *v = if *held > 0 { RESET } else { moved };
            *held = held.saturating_sub(1);
        }
    }
}

/// `exp` without a call, so that loops vectorise: a relative error below 3e-7 between −85 and 85, beyond that the value there.
pub(super) fn exp(x: f32) -> f32 {
    /// Adding and subtracting it rounds to the nearest whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-85.0, 85.0);
    let whole = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    // ln 2 in two parts: the first is exact in the product.
    let rest = (x - whole * 0.693_359_4) + whole * 2.121_944_4e-4;
    let series = 1.0 / 720.0;
    let series = series * rest + 1.0 / 120.0;
    let series = series * rest + 1.0 / 24.0;
    let series = series * rest + 1.0 / 6.0;
    let series = series * rest + 0.5;
    let series = series * rest + 1.0;
    let series = series * rest + 1.0;
    series * f32::from_bits(((whole as i32 + 127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exp() {
        for k in -8500..=8500 {
            let x = k as f32 / 100.0;
            let wanted = f64::from(x).exp();
            assert!((f64::from(exp(x)) / wanted - 1.0).abs() < 3e-7, "{x}: {} instead of {wanted}", exp(x));
        }
        assert!(exp(f32::MAX).is_finite() && exp(-1e9) > 0.0);
    }

    #[test]
    fn a_unit_without_noise_rests_and_one_with_strong_input_spikes() {
        let mut membranes = Membranes::new(2);
        for _ in 0..5000 {
            membranes.step(0..1, &[0.0, 0.0], 0.0, 0.0);
        }
        // Rest: EL − V + Δ exp((V − VT)/Δ) = 0.
        let v = f64::from(membranes.potential[0]);
        assert!((-60.0 - v + 2.0 * ((v + 50.0) / 2.0).exp()).abs() < 1e-3, "{v}");
        let steps = (0..5000).position(|_| {
            membranes.step(1..2, &[0.0, 1.0], 0.1, 0.2);
            membranes.potential[1] > SPIKE
        });
        // dV/dt = 0.6 mV per step against the leak: a spike within a few time constants (75 steps of 0.2 ms).
        assert!(steps.is_some_and(|s| (20..300).contains(&s)), "{steps:?}");
        (membranes.potential[1], membranes.held[1]) = (RESET, REFRACTORY);
        for _ in 0..REFRACTORY {
            membranes.step(1..2, &[0.0, 1.0], 0.1, 0.2);
            assert_eq!(membranes.potential[1], RESET);
        }
        membranes.step(1..2, &[0.0, 1.0], 0.1, 0.2);
        assert!(membranes.potential[1] > RESET);
    }
}
