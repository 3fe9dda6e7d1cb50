//! What was not observed, as a shade behind plots over time. A recording cut into thousands of trials has as many gaps, most of them
//! narrower than a pixel: they are drawn as the share of each pixel that was not observed, so the cost depends on pixels alone.

use eframe::egui::{Color32, Mesh, Painter, Rect, pos2};

/// Steps of the shade of a pixel that is observed in part.
const STEPS: f64 = 16.0;

/// Gaps (ascending, not overlapping, seconds) that touch `start..stop`.
pub fn between(gaps: &[(f64, f64)], start: f64, stop: f64) -> &[(f64, f64)] {
    let from = gaps.partition_point(|g| g.1 <= start);
    let to = gaps.partition_point(|g| g.0 < stop);
    gaps.get(from..to).unwrap_or_default()
}

/// True when nothing was observed at this time.
pub fn within(gaps: &[(f64, f64)], seconds: f64) -> bool {
    gaps.get(gaps.partition_point(|g| g.1 <= seconds)).is_some_and(|g| g.0 <= seconds)
}

/// Shade `rect`, which spans the seconds `window`, where nothing was observed.
pub fn shade(painter: &Painter, rect: Rect, gaps: &[(f64, f64)], window: (f64, f64), color: Color32) {
    let pixels = (rect.width() * painter.pixels_per_point()).round().max(1.0) as usize;
    let mut mesh = Mesh::default();
    for (from, to, share) in runs(between(gaps, window.0, window.1), window, pixels) {
        let x = |pixel: usize| rect.left() + rect.width() * pixel as f32 / pixels as f32;
        let band = Rect::from_min_max(pos2(x(from), rect.top()), pos2(x(to), rect.bottom()));
        mesh.add_colored_rect(band, color.gamma_multiply(share as f32));
    }
    if !mesh.is_empty() {
        painter.with_clip_rect(rect.intersect(painter.clip_rect())).add(mesh);
    }
}

/// Stretches of pixels with the same share (in steps) of unobserved time: first pixel, the one after the last, share.
fn runs(gaps: &[(f64, f64)], (first, last): (f64, f64), pixels: usize) -> Vec<(usize, usize, f64)> {
    let mut unseen = vec![0.0; pixels];
    let place = |seconds: f64| ((seconds - first) / (last - first) * pixels as f64).clamp(0.0, pixels as f64);
    for &(start, stop) in gaps {
        let (from, to) = (place(start), place(stop));
        for (pixel, unseen) in unseen.iter_mut().enumerate().take(to.ceil() as usize).skip(from as usize) {
            *unseen += (to.min(pixel as f64 + 1.0) - from.max(pixel as f64)).max(0.0);
        }
    }
    let mut runs: Vec<(usize, usize, f64)> = Vec::new();
    for (pixel, unseen) in unseen.into_iter().enumerate() {
        let share = (unseen.min(1.0) * STEPS).round() / STEPS;
        match runs.last_mut() {
            Some((_, to, same)) if *to == pixel && *same == share => *to += 1,
            _ if share > 0.0 => runs.push((pixel, pixel + 1, share)),
            _ => {}
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_carry_the_share_of_time_that_was_not_observed() {
        let time = (0.0, 10.0);
        assert_eq!(runs(&[(2.0, 4.0), (6.5, 7.0)], time, 10), [(2, 4, 1.0), (6, 7, 0.5)]);
        assert_eq!(runs(&[(-5.0, 1.0), (9.0, 20.0)], time, 10), [(0, 1, 1.0), (9, 10, 1.0)]);
        // Thousands of narrow gaps are one even shade.
        let many: Vec<(f64, f64)> = (0..4000).map(|k| (f64::from(k) / 400.0, f64::from(k) / 400.0 + 0.000625)).collect();
        assert_eq!(runs(&many, time, 10), [(0, 10, 0.25)]);
        assert!(runs(&[], time, 10).is_empty());
    }

    #[test]
    fn gaps_are_found_by_time() {
        let gaps = [(0.0, 1.0), (4.0, 6.0), (8.0, 9.0)];
        assert_eq!(between(&gaps, 1.0, 8.5), &gaps[1..]);
        assert!(between(&gaps, 1.0, 4.0).is_empty() && between(&gaps, 9.0, 20.0).is_empty());
        assert!(within(&gaps, 0.0) && !within(&gaps, 1.0) && within(&gaps, 5.9) && !within(&gaps, 6.0) && !within(&gaps, 30.0));
    }
}
