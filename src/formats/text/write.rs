//! Spike lists as text: `unit,time_s,area`, one spike per line, ascending within a unit.

use std::io::Write;

use crate::recording::Recording;

/// Write with the given delimiter. Numbers are written so that reading them back gives the same bits.
pub(in crate::formats) fn write(recording: &Recording, delimiter: u8, to: &mut dyn Write) -> std::io::Result<()> {
    let mut writer = ::csv::WriterBuilder::new().delimiter(delimiter).comment(Some(b'#')).from_writer(to);
    writer.write_record(["unit", "time_s", "area"])?;
    for (unit, (id, &area)) in recording.units.ids.iter().zip(&recording.units.area).enumerate() {
        let area = recording.areas.get(area).map(String::as_str).unwrap_or_default();
        for time in recording.spikes.unit(unit) {
            writer.write_record([id.as_str(), &time.to_string(), area])?;
        }
        if recording.spikes.unit(unit).is_empty() {
            // A silent unit keeps its place with an empty time.
            writer.write_record([id.as_str(), "", area])?;
        }
    }
    writer.flush()
}
