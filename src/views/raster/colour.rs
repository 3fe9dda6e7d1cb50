//! What the colour of a row stands for: its group, its rate, any unit column; or the count alone.

use eframe::egui::Color32;

use crate::recording::{Column, Recording};
use crate::render::{RasterStyle, Rows};

/// Most different texts that get colours of their own.
const MOST_TEXTS: usize = 8;

/// What colours mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RowColour {
    /// The group of the row (its area, unless rows are grouped otherwise).
    #[default]
    Group,
    /// Spikes per second of the unit over the whole recording.
    Rate,
    /// A unit column.
    Column(String),
    /// The count in a mark, whatever the row.
    Count,
}

impl RowColour {
    /// In words; `group` is what rows are grouped by.
    pub fn label(&self, group: &str) -> String {
        match self {
            Self::Group => group.to_owned(),
            Self::Rate => "rate".to_owned(),
            Self::Column(name) => name.clone(),
            Self::Count => "count".to_owned(),
        }
    }

    /// Everything a recording offers: numbers, and columns with few different texts.
    pub fn offered(recording: &Recording) -> Vec<Self> {
        let columns = recording.units.columns.iter().filter(|c| c.values.is_numeric() || texts(&c.values).len() <= MOST_TEXTS);
        [Self::Group, Self::Count, Self::Rate].into_iter().chain(columns.map(|c| Self::Column(c.name.clone()))).collect()
    }
}

/// One unit's place on the scale of colours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shade {
    /// One of a few kinds.
    Kind(usize),
    /// From the smallest (0) to the largest value (1).
    Share(f64),
    /// No value.
    Missing,
}

impl Shade {
    /// The colour in a theme.
    pub fn color(&self, style: &RasterStyle) -> Color32 {
        match *self {
            Self::Kind(kind) => style.category(kind),
            // The light end of the map is left out where the paper is light.
            Self::Share(share) => style.sequential(if style.dark { 0.12 + 0.88 * share } else { 0.86 * share }),
            Self::Missing => style.weak,
        }
    }
}

/// Shades of all units, and what they mean in words.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UnitShades {
    /// Per unit.
    pub shades: Vec<Shade>,
    /// For the notes; empty where the names beside the rows say it.
    pub legend: String,
}

impl UnitShades {
    /// Shades for `colour`.
    pub fn new(recording: &Recording, colour: &RowColour, rows: &Rows) -> Self {
        match colour {
            RowColour::Group | RowColour::Count => {
                let mut shades = vec![Shade::Kind(0); recording.n_units()];
                for band in &rows.bands {
                    for &unit in &band.units {
                        if let Some(shade) = shades.get_mut(unit) {
                            *shade = Shade::Kind(band.group);
                        }
                    }
                }
                Self { shades, legend: String::new() }
            }
            RowColour::Rate => {
                let seconds = recording.time_range().map_or(1.0, |(a, b)| (b - a).max(1e-9));
                let rates: Vec<f64> = (0..recording.n_units()).map(|u| recording.spikes.unit(u).len() as f64 / seconds).collect();
                Self::scale(&rates, "rate", " Hz")
            }
            RowColour::Column(name) => match recording.units.columns.iter().find(|c| &c.name == name).map(|c| &c.values) {
                Some(values) if values.is_numeric() => {
                    Self::scale(&(0..recording.n_units()).map(|u| values.number(u)).collect::<Vec<_>>(), name, "")
                }
                Some(values) => {
                    let kinds = texts(values);
                    let kind = |u: usize| kinds.iter().position(|k| *k == values.text(u)).map_or(Shade::Missing, Shade::Kind);
                    let named: Vec<&str> = kinds.iter().map(|k| if k.is_empty() { "(none)" } else { k.as_str() }).collect();
                    Self { shades: (0..recording.n_units()).map(kind).collect(), legend: format!("colour: {name} ({})", named.join(", ")) }
                }
                None => Self::default(),
            },
        }
    }

    /// Colour of a unit.
    pub fn color(&self, unit: usize, style: &RasterStyle) -> Color32 {
        self.shades.get(unit).unwrap_or(&Shade::Missing).color(style)
    }

    fn scale(values: &[f64], name: &str, unit: &str) -> Self {
        let finite = || values.iter().copied().filter(|v| v.is_finite());
        let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
        let share = |v: f64| {
            if !v.is_finite() {
                Shade::Missing
            } else if high > low {
                Shade::Share((v - low) / (high - low))
            } else {
                Shade::Share(0.5)
            }
        };
        let number = |v: f64| if v.abs() >= 100.0 || v.fract() == 0.0 { format!("{v:.0}") } else { format!("{v:.2}") };
        let legend = if low <= high {
            format!("colour: {name} from {} (dark) to {}{unit} (bright)", number(low), number(high))
        } else {
            format!("colour: {name} (no values)")
        };
        Self { shades: values.iter().map(|v| share(*v)).collect(), legend }
    }
}

/// The different texts of a column, in order of first appearance; stops soon after [`MOST_TEXTS`].
fn texts(values: &Column) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for row in 0..values.len() {
        let text = values.text(row);
        if !found.contains(&text) {
            found.push(text);
        }
        if found.len() > MOST_TEXTS {
            break;
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::recording::{NamedColumn, RecordingParts, Source, SpikeTrains};
    use crate::render::RowPlan;

    #[test]
    fn shades_follow_groups_numbers_and_texts() {
        let named = |name: &str, values| NamedColumn { name: name.into(), description: String::new(), values };
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([vec![0.0, 1.0, 2.0], vec![1.0], vec![]]),
            unit_ids: ["a", "b", "c"].map(String::from).to_vec(),
            unit_areas: ["V1", "M1", "V1"].map(String::from).to_vec(),
            unit_columns: vec![
                named("depth", Column::Float(vec![10.0, 30.0, f64::NAN])),
                named("quality", Column::Text(["good", "fair", "good"].map(String::from).to_vec())),
            ],
            ..RecordingParts::default()
        };
        let recording = Recording::new(parts, Source::File("x".into())).unwrap();
        let rows = Rows::of(&recording, &RowPlan::default());
        let shades = |colour: RowColour| UnitShades::new(&recording, &colour, &rows);
        assert_eq!(RowColour::offered(&recording).len(), 5);
        assert_eq!(shades(RowColour::Group).shades, [Shade::Kind(0), Shade::Kind(1), Shade::Kind(0)]);
        assert_eq!(shades(RowColour::Rate).shades, [Shade::Share(1.0), Shade::Share(1.0 / 3.0), Shade::Share(0.0)]);
        let depth = shades(RowColour::Column("depth".into()));
        assert_eq!(depth.shades, [Shade::Share(0.0), Shade::Share(1.0), Shade::Missing]);
        assert!(depth.legend.contains("depth from 10") && depth.legend.contains("to 30"));
        let quality = shades(RowColour::Column("quality".into()));
        assert_eq!((quality.shades[2], quality.legend.as_str()), (Shade::Kind(0), "colour: quality (good, fair)"));
    }
}
