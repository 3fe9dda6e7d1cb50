//! Pictures of the raster that must not change unseen: 1, 30 and 1000 units, one spike, none; light and dark, at one and two pixels
//! per point. And sizes at which there is next to no room.

use eframe::egui::{Theme, Vec2};
use egui_kittest::SnapshotResults;
use egui_kittest::kittest::Queryable;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spikescope::recording::Recording;
use spikescope::views::raster::RasterView;

use super::desk::{desk, recording, settled, tiny};

type Make = fn() -> Recording;

fn units(n: usize, spikes: usize) -> Recording {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let train = |u: usize| {
        let mut times: Vec<f64> = (0..spikes).map(|_| random.random_range(0.0..60.0f64)).collect();
        // Bursts that run through the units.
        times.iter_mut().step_by(3).for_each(|t| *t = 20.0 + 20.0 * u as f64 / n as f64 + *t * 0.05);
        times.sort_by(f64::total_cmp);
        times
    };
    recording((0..n).map(train).collect(), &["V1", "LM", "AL"])
}

#[test]
fn pictures_are_as_they_were() {
    let cases: [(&str, Make); 5] = [
        ("1_unit", || units(1, 200)),
        ("30_units", || units(30, 120)),
        ("1000_units", || units(1000, 150)),
        ("one_spike", || recording(vec![vec![1.5]], &["V1"])),
        ("no_spikes", || recording(vec![vec![], vec![]], &["V1"])),
    ];
    let mut results = SnapshotResults::new();
    for (name, make) in cases {
        for (theme, shade) in [(Theme::Light, "light"), (Theme::Dark, "dark")] {
            for scale in [1.0, 2.0] {
                let mut harness = desk(RasterView::default(), Some(make()), theme, Vec2::new(560.0, 300.0), scale);
                settled(&mut harness);
                results.add(harness.try_snapshot(format!("raster_{name}_{shade}_{scale}x")));
            }
        }
    }
}

#[test]
fn next_to_no_room_is_no_fault() {
    for size in [(1.0, 1.0), (40.0, 30.0), (90.0, 500.0), (500.0, 60.0), (130.0, 110.0), (300.0, 140.0)] {
        let mut harness = desk(RasterView::default(), Some(tiny()), Theme::Light, Vec2::new(700.0, 400.0), 1.0);
        settled(&mut harness);
        harness.set_size(Vec2::from(size));
        settled(&mut harness);
        harness.set_size(Vec2::new(700.0, 400.0));
        settled(&mut harness);
        harness.get_by_label_contains("3 units by area (A 2, B 1)");
    }
}
