//! Fused loops for training on the CPU: one pass over the counts where tensors would make several, with gradients by hand.
//! Every kernel is checked against the tensor form of the same model. Results do not depend on the number of threads: work is
//! cut by trials, and partial sums are added in order of trials.

pub(crate) mod band;
pub mod contrast;
pub(crate) mod dropout;
pub mod embedders;
pub mod encoder;
pub mod projection;
pub mod readout;
pub(crate) mod rows;
pub mod spatiotemporal;
mod spatiotemporal_layer;

pub(crate) use spatiotemporal_layer::site;

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2, Axis};

/// Run a loop compiled for the widest vector unit of this machine that we use (AVX2). The closure must change something it
/// borrows and carry `#[inline(always)]`: then its own body is compiled that way at every optimisation level. (Handed to `pulp`
/// directly, a closure goes through a shim that is inlined only if the optimiser chooses to; at level 1 it does not.)
#[inline(always)]
pub(crate) fn simd<R>(work: impl FnMut() -> R) -> R {
    struct Work<F>(F);
    impl<R, F: FnMut() -> R> pulp::WithSimd for Work<F> {
        type Output = R;

        #[inline(always)]
        fn with_simd<S: pulp::Simd>(mut self, _: S) -> R {
            (self.0)()
        }
    }
    pulp::Arch::new().dispatch(Work(work))
}

/// Rows and columns of a matrix. (ndarray's `s!` macro cannot be used where unsafe code is forbidden.)
pub(crate) fn block<T>(mut matrix: ArrayView2<'_, T>, rows: Range<usize>, columns: Range<usize>) -> ArrayView2<'_, T> {
    matrix.slice_axis_inplace(Axis(0), rows.into());
    matrix.slice_axis_inplace(Axis(1), columns.into());
    matrix
}

/// See [`block`].
pub(crate) fn block_mut<T>(mut matrix: ArrayViewMut2<'_, T>, rows: Range<usize>, columns: Range<usize>) -> ArrayViewMut2<'_, T> {
    matrix.slice_axis_inplace(Axis(0), rows.into());
    matrix.slice_axis_inplace(Axis(1), columns.into());
    matrix
}

/// e^x within 2 ulp for −87 ≤ x ≤ 88; outside it saturates (NaN stays NaN). Branch-free, so that loops over it vectorise.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = x - whole * LN2_HIGH - whole * LN2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * rest + 1.398_199_9e-3;
    p = p * rest + 8.333_452e-3;
    p = p * rest + 4.166_579_5e-2;
    p = p * rest + 1.666_666_5e-1;
    p = p * rest + 0.5;
    let p = p * rest * rest + rest + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    p * f32::from_bits(exponent)
}

/// Exact GELU and its derivative: x Φ(x) and Φ(x) + x φ(x), with the error function of Abramowitz & Stegun 7.1.26
/// (absolute error below 1.5e-7).
#[inline(always)]
pub(crate) fn gelu(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let bell = exp(-z * z);
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let tail = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_7) * t - 0.284_496_74) * t + 0.254_829_6) * t * bell;
    // Half of the complementary error function is the smaller tail of the normal distribution.
    let small = 0.5 * tail;
    let cumulative = if x >= 0.0 { 1.0 - small } else { small };
    (x * cumulative, cumulative + x * 0.398_942_3 * bell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_the_standard_library() {
        for k in -8600..8700 {
            let x = k as f32 * 0.01 + 0.003;
            let error = (f64::from(exp(x)) / f64::from(x).exp() - 1.0).abs();
            assert!(error < 3e-7, "exp({x}) is off by {error:e}");
        }
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(1e9).is_finite() && exp(-1e9) >= 0.0);
    }

    #[test]
    fn gelu_and_its_slope() {
        // Values of x Φ(x) to seven digits.
        for (x, expected) in [(0.0f32, 0.0f32), (1.0, 0.841_344_7), (-1.0, -0.158_655_25), (3.0, 2.995_950_2), (-3.0, -0.004_049_694)] {
            assert!((gelu(x).0 - expected).abs() < 1e-6, "{x}: {}", gelu(x).0);
            let slope = (gelu(x + 1e-2).0 - gelu(x - 1e-2).0) / 2e-2;
            assert!((gelu(x).1 - slope).abs() < 1e-4);
        }
    }
}
