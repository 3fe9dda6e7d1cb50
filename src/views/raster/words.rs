//! What the raster says about itself: the note below it and the text for screen readers.

use super::data::RasterData;
use super::drawing::band_name;
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
        (true, 1) => "ticks: one tick is one spike".to_owned(),
        (true, n) => format!("ticks: one tick stands for up to {}", spikes(u64::from(n))),
        (false, n) => {
            let whose = match drawn.slots.units_per_slot {
                1 => String::new(),
                units => format!(" of up to {units} {}s", data.row_name),
            };
            format!("density: {}, up to {}{whose}", mark_width(drawn), spikes(u64::from(n)))
        }
    };
    let shown = if drawn.in_view == all { spikes(all) } else { format!("{} of {}", grouped(drawn.in_view), spikes(all)) };
    let mut notes = vec![mark, shown];
    if grid.coarse {
        notes.push("counting all spikes…".to_owned());
    }
    if !data.shades.legend.is_empty() {
        notes.push(data.shades.legend.clone());
    }
    if data.is_learning() {
        notes.push("comparing the activity of units…".to_owned());
    }
    notes
}

/// `1 px = 0.8 s`; where columns are not a pixel wide, how wide they are.
fn mark_width(drawn: &Drawn) -> String {
    let px = drawn.px_per_column;
    let columns = duration_text(drawn.grid.column_s);
    if (px - 1.0).abs() < 0.02 { format!("1 px = {columns}") } else { format!("{px:.1} px = {columns}") }
}

/// The raster in words, for screen readers.
pub fn summary(data: &RasterData, time: &Range, rows: &Range, note: &[String]) -> String {
    let groups: Vec<String> = data
        .rows
        .bands
        .iter()
        .map(|b| format!("{} {}{}", band_name(b), b.units.len(), if b.collapsed { " as their mean rate" } else { "" }))
        .collect();
    let shown = rows.shown().map_or(String::new(), |(a, b)| format!(", rows {} to {}", a.floor() + 1.0, b.ceil()));
    format!(
        "Spike raster of {}: {} {}{} by {} ({}), sorted by {}, {} to {}{shown}. {}",
        data.recording.name,
        data.rows.n_units(),
        data.row_name,
        if data.rows.n_units() == 1 { "" } else { "s" },
        if data.row_name == "unit" { data.plan.group.label() } else { data.plan.group.label().replace("area", "unit") },
        groups.join(", "),
        data.plan.order.label(),
        time_text(time.start, time.width() / 1e3),
        time_text(time.stop, time.width() / 1e3),
        note.join("; ")
    )
}
