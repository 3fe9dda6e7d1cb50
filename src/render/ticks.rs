//! The spikes in view, one by one, as the GPU gets them: 8 bytes each, a whole number of ticks from the origin of the stretch they
//! were taken from, and their unit.
//!
//! Origin and tick are f64 and go with the stretch, 2^31 ticks long: a tick is a 2 000 000 000th of what is on the screen, so times
//! are as exact at the end of a ten-hour recording as at its beginning. f32 seconds would be 4 ms apart there.

use super::{RowSlots, SpikeField};

/// Ticks in a stretch.
const TICKS: f64 = (1u32 << 31) as f64;

/// Spikes of some units in one stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct TickSet {
    /// Time of tick 0, seconds.
    pub origin_s: f64,
    /// Width of a tick, seconds.
    pub tick_s: f64,
    /// End of the stretch, seconds.
    pub stop_s: f64,
    /// Per spike tick and unit, as native u32.
    pub bytes: Vec<u8>,
}

impl TickSet {
    /// Take the spikes of the drawn units from `start` to `stop` seconds.
    pub fn gather(field: &SpikeField, slots: &RowSlots, start: f64, stop: f64) -> Self {
        let tick_s = ((stop - start) / TICKS).max(f64::MIN_POSITIVE);
        let mut bytes = Vec::new();
        for unit in slots.drawn() {
            for time in field.train(unit).get(field.between(unit, start, stop)).unwrap_or_default() {
                bytes.extend_from_slice(&(((time - start) / tick_s).round() as u32).to_ne_bytes());
                bytes.extend_from_slice(&(unit as u32).to_ne_bytes());
            }
        }
        Self { origin_s: start, tick_s, stop_s: stop, bytes }
    }

    /// Number of spikes.
    pub fn len(&self) -> usize {
        self.bytes.len() / 8
    }

    /// True without spikes.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// True when the stretch holds `window` and is not so much longer that drawing it would be waste.
    pub fn covers(&self, window: (f64, f64)) -> bool {
        self.origin_s <= window.0 && self.stop_s >= window.1 && self.stop_s - self.origin_s <= 4.0 * (window.1 - window.0)
    }

    /// What the shader needs for a window of `width_px` pixels: the tick its sums begin from, that tick's place in pixels, and
    /// pixels per tick. The difference of origins is taken here, in f64.
    pub fn place(&self, window: (f64, f64), width_px: u32) -> (u32, f64, f64) {
        let start = (window.0 - self.origin_s) / self.tick_s;
        let base = start.floor().clamp(0.0, TICKS);
        let px_per_tick = f64::from(width_px) / ((window.1 - window.0) / self.tick_s);
        (base as u32, (base - start) * px_per_tick, px_per_tick)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::field::tests::field;
    use super::*;

    /// Pixel of a spike as the shader computes it, in f32.
    fn pixel(set: &TickSet, spike: usize, window: (f64, f64), width_px: u32) -> f32 {
        let (base, offset, px_per_tick) = set.place(window, width_px);
        let bytes: [u8; 4] = set.bytes[8 * spike..8 * spike + 4].try_into().unwrap_or_default();
        let ticks = u32::from_ne_bytes(bytes).wrapping_sub(base) as i32;
        offset as f32 + ticks as f32 * px_per_tick as f32
    }

    proptest! {
        #[test]
        fn a_spike_is_at_its_pixel_anywhere_in_ten_hours_at_any_zoom(
            at in 0.0f64..36_000.0, exponent in -3.3f64..4.5, share in 0.0f64..0.999, margin in 0.0f64..1.0,
        ) {
            let width = 10f64.powf(exponent);
            let window = (at, at + width);
            let time = at + share * width;
            let field = field(vec![vec![time]]);
            let slots = RowSlots { members: vec![(0, 0)], slots: 1, ..RowSlots::default() };
            let set = TickSet::gather(&field, &slots, window.0 - margin * width, window.1 + margin * width);
            prop_assert_eq!(set.len(), 1);
            prop_assert!(set.covers(window));
            let exact = (time - window.0) / (window.1 - window.0) * 2000.0;
            // Half a thousandth of a pixel is f32 at 2000 pixels; f32 seconds would be wrong by hundreds of pixels.
            prop_assert!((f64::from(pixel(&set, 0, window, 2000)) - exact).abs() < 2e-3, "{} {exact}", pixel(&set, 0, window, 2000));
        }
    }

    #[test]
    fn a_stretch_far_longer_than_the_window_is_taken_again() {
        let set = TickSet { origin_s: 0.0, tick_s: 1.0, stop_s: 10.0, bytes: Vec::new() };
        assert!(set.covers((2.0, 6.0)) && !set.covers((2.0, 3.0)) && !set.covers((8.0, 11.0)) && set.is_empty());
    }
}
