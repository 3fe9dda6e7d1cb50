//! What the raster says about itself: the note below it and the text for screen readers.

use super::data::RasterData;
use super::navigation::Range;
use super::picture::Drawn;
use crate::render::axis::{duration_text, grouped, time_text};

/// What one mark stands for, and how much is shown.
pub fn mark_note(drawn: &Drawn, data: &RasterData) -> Vec<String> {
    let grid = &drawn.grid;
    let all = data.recording.spikes.n_spikes() as u64;
    let spikes = |n: u64| if n == 1 { "1 spike".to_owned() } else { format!("{} spikes", grouped(n)) };
    let mark = match (drawn.ticks, grid.max) {
        (_, 0) => "no spikes in view".to_owned(),
        (true, 1) => "one tick is one spike".to_owned(),
        (true, n) => format!("one tick stands for up to {}", spikes(u64::from(n))),
        (false, n) => {
            let units =
                if drawn.slots.units_per_slot > 1 { format!(" of up to {} units", drawn.slots.units_per_slot) } else { String::new() };
            format!("one mark stands for up to {}{units} in {}", spikes(u64::from(n)), duration_text(grid.column_s()))
        }
    };
    let shown = if grid.total == all { spikes(all) } else { format!("{} of {}", grouped(grid.total), spikes(all)) };
    vec![mark, shown]
}

/// The raster in words, for screen readers.
pub fn summary(data: &RasterData, time: &Range, rows: &Range, note: &[String]) -> String {
    let areas: Vec<String> =
        data.rows.bands.iter().filter_map(|b| Some(format!("{} {}", data.recording.areas.get(b.area)?, b.rows.len()))).collect();
    let shown = rows.shown().map_or(String::new(), |(a, b)| format!(", rows {} to {}", a.floor() + 1.0, b.ceil()));
    format!(
        "Spike raster of {}: {} units by area ({}), sorted by {}, {} to {}{shown}. {}",
        data.recording.name,
        data.rows.len(),
        areas.join(", "),
        data.order.label(),
        time_text(time.start, time.width() / 1e3),
        time_text(time.stop, time.width() / 1e3),
        note.join("; ")
    )
}
