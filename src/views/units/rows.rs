//! The unit table as data: its columns, the order and choice of rows, and its text form.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering as AtomicOrdering};

use rayon::prelude::*;

use super::filter::{Filter, FilterError, Value};
use crate::analysis::unit_metrics::isi_cv;
use crate::analysis::watch::Watch;
use crate::recording::quality::presence;
use crate::recording::{Column, Recording};
use crate::training::Snapshot;

/// One column of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableColumn {
    /// Heading, also the name in filter expressions.
    pub name: String,
    /// Heading with its unit.
    pub heading: String,
    /// Description for the tooltip, may be empty.
    pub description: String,
    /// Right-aligned numbers.
    pub numeric: bool,
    source: Cells,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Cells {
    Id,
    Area,
    Spikes,
    Rate,
    /// See [`UnitMetrics`].
    Cv,
    Presence,
    Sends,
    Receives,
    Fit,
    Column(usize),
}

/// Which columns a model adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelColumns {
    /// Measure of how well units are predicted.
    measure: &'static str,
    /// Whether units send and receive.
    coupled: bool,
}

impl ModelColumns {
    /// Of the model behind a snapshot.
    pub fn of(snapshot: &Snapshot) -> Self {
        Self { measure: snapshot.unit_fit().0, coupled: snapshot.glm().is_some() }
    }
}

/// Numbers per unit that take a pass over its spikes; computed in the background. Empty until then.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UnitMetrics {
    /// Coefficient of variation of inter-spike intervals.
    cv: Vec<f64>,
    /// Share of the observed time in which the unit fires.
    presence: Vec<f64>,
}

impl UnitMetrics {
    /// Of every unit; `None` when it was stopped.
    pub fn of(recording: &Recording, watch: &Watch) -> Option<Self> {
        let range = recording.time_range().unwrap_or((0.0, 0.0));
        let spikes = |unit| recording.spikes.unit(unit);
        let (units, done) = (recording.n_units(), AtomicUsize::new(0));
        let of_unit = |unit| {
            if watch.stopped() {
                return (f64::NAN, f64::NAN);
            }
            let found = (isi_cv(spikes(unit), &recording.observed), presence(spikes(unit), &recording.observed, range));
            watch.tell(done.fetch_add(1, AtomicOrdering::AcqRel) + 1, units);
            found
        };
        let (cv, presence) = (0..units).into_par_iter().map(of_unit).unzip();
        (!watch.stopped()).then_some(Self { cv, presence })
    }
}

/// What a model says about every unit; NaN for units that are not in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelScores {
    /// Largest sending weight over the pairs that are fitted.
    sends: Vec<f64>,
    /// Largest receiving weight over the pairs that are fitted.
    receives: Vec<f64>,
    /// How well each is predicted, see [`Snapshot::unit_fit`].
    fit: Vec<f64>,
}

impl ModelScores {
    /// From the newest snapshot, for a recording of `units` units.
    pub fn of(snapshot: &Snapshot, units: usize) -> Self {
        let unknown = || vec![f64::NAN; units];
        let mut scores = Self { sends: unknown(), receives: unknown(), fit: unknown() };
        for (&unit, fit) in snapshot.units.iter().zip(snapshot.unit_fit().1) {
            if let Some(cell) = scores.fit.get_mut(unit) {
                *cell = fit.map_or(f64::NAN, f64::from);
            }
        }
        let start = |area: usize| snapshot.area_sizes.iter().take(area).sum::<usize>();
        let mut raise = |to: fn(&mut Self) -> &mut Vec<f64>, area: usize, weights: &[f32]| {
            for (k, &weight) in weights.iter().enumerate() {
                let Some(cell) = snapshot.units.get(start(area) + k).and_then(|&unit| to(&mut scores).get_mut(unit)) else { continue };
                *cell = cell.max(f64::from(weight.abs()));
            }
        };
        for pair in snapshot.pairs().iter().filter(|p| p.support.is_fitted()) {
            pair.send.iter().for_each(|weights| raise(|s| &mut s.sends, pair.source, weights));
            pair.receive.iter().for_each(|weights| raise(|s| &mut s.receives, pair.target, weights));
        }
        scores
    }
}

/// Everything the table shows, computed once per recording.
#[derive(Debug, Clone)]
pub struct UnitRows {
    /// Columns from the left.
    pub columns: Vec<TableColumn>,
    /// Seconds over which rates are taken: observed time, else first to last spike.
    pub seconds: f64,
    /// Regularity and presence, once they are there.
    pub metrics: Arc<UnitMetrics>,
    /// Weights of the run's model.
    pub scores: Arc<ModelScores>,
    /// What the columns of a model are; `None` without one.
    pub model: Option<ModelColumns>,
}

/// Which column sorts, and which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sorting {
    /// Column; `None` is file order.
    pub column: Option<usize>,
    /// Largest first.
    pub descending: bool,
}

impl Sorting {
    /// After a click on the heading of `column`: that column, then the other way round, then file order again.
    pub fn clicked(self, column: usize, numeric: bool) -> Self {
        match (self.column == Some(column), self.descending == numeric) {
            // Numbers begin with the largest, text with A.
            (false, _) => Self { column: Some(column), descending: numeric },
            (true, true) => Self { descending: !numeric, ..self },
            (true, false) => Self::default(),
        }
    }
}

impl UnitRows {
    /// Columns of a recording; with those of a model when a run beside it has one.
    pub fn new(recording: &Recording, model: Option<ModelColumns>) -> Self {
        let column = |name: &str, heading: &str, description: &str, numeric, source| TableColumn {
            name: name.to_owned(),
            heading: heading.to_owned(),
            description: description.to_owned(),
            numeric,
            source,
        };
        let mut columns = vec![
            column("id", "id", "Unit id as in the file", false, Cells::Id),
            column("area", "area", "Brain area", false, Cells::Area),
            column("spikes", "spikes", "Number of spikes", true, Cells::Spikes),
            column("rate", "rate (Hz)", "Spikes per second of observed time", true, Cells::Rate),
            column(
                "cv_isi",
                "CV of ISI",
                "Standard deviation over mean of the intervals between spikes: 1 for a Poisson process, 0 for a clock",
                true,
                Cells::Cv,
            ),
            column(
                "presence",
                "presence",
                "Share of a hundred equal parts of the observed time in which the unit fires, 0 to 1",
                true,
                Cells::Presence,
            ),
        ];
        for (k, extra) in recording.units.columns.iter().enumerate() {
            // A column of the file that is called like one of ours stays reachable under another name.
            let name = if columns.iter().any(|c| c.name == extra.name) { format!("{} (file)", extra.name) } else { extra.name.clone() };
            let numeric = extra.values.is_numeric() && !matches!(extra.values, Column::Bool(_));
            columns.push(TableColumn {
                heading: name.clone(),
                name,
                description: extra.description.clone(),
                numeric,
                source: Cells::Column(k),
            });
        }
        if let Some(ModelColumns { measure, coupled }) = model {
            // Last, so that columns keep their places when a model appears.
            let free = |columns: &[TableColumn], name: &str| {
                if columns.iter().any(|c| c.name == name) { format!("{name} (model)") } else { name.to_owned() }
            };
            let name = free(&columns, "fit");
            let tip = match measure {
                "R²" => "Model: R² of the unit's activity in bins that were not fitted, 1 is perfect",
                _ => {
                    "Model: what is known about the unit's spikes beyond its mean rate, bits per spike, on trials that were not fitted; \
                     an STNDT sees the spikes of units that are not held out"
                }
            };
            columns.push(column(&name, &format!("{name} ({measure})"), tip, true, Cells::Fit));
            let weights = [
                ("sends", "Model: largest sending weight over the pairs of areas that are fitted", Cells::Sends),
                ("receives", "Model: largest receiving weight over the pairs of areas that are fitted", Cells::Receives),
            ];
            for (name, tip, source) in weights.into_iter().filter(|_| coupled) {
                let name = free(&columns, name);
                columns.push(column(&name, &name, tip, true, source));
            }
        }
        Self { columns, seconds: recording.observed_seconds(), metrics: Arc::default(), scores: Arc::default(), model }
    }

    /// Names for filter expressions.
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().map(|c| c.name.clone()).collect()
    }

    /// One cell.
    pub fn value(&self, recording: &Recording, unit: usize, column: usize) -> Value {
        let text = |text: Option<&String>| Value::Text(text.cloned().unwrap_or_default());
        let number = |values: &[f64]| Value::Number(values.get(unit).copied().unwrap_or(f64::NAN));
        match self.columns.get(column).map(|c| c.source) {
            Some(Cells::Id) | None => text(recording.units.ids.get(unit)),
            Some(Cells::Area) => text(recording.units.area.get(unit).and_then(|a| recording.areas.get(*a))),
            Some(Cells::Spikes) => Value::Number(recording.spikes.unit(unit).len() as f64),
            Some(Cells::Rate) => Value::Number(self.rate(recording, unit)),
            Some(Cells::Cv) => number(&self.metrics.cv),
            Some(Cells::Presence) => number(&self.metrics.presence),
            Some(Cells::Fit) => number(&self.scores.fit),
            Some(Cells::Sends) => number(&self.scores.sends),
            Some(Cells::Receives) => number(&self.scores.receives),
            Some(Cells::Column(k)) => match recording.units.columns.get(k).map(|c| &c.values) {
                Some(Column::Text(values)) => text(values.get(unit)),
                Some(Column::Bool(values)) => Value::Bool(values.get(unit).copied().unwrap_or(false)),
                Some(values) => Value::Number(values.number(unit)),
                None => Value::Text(String::new()),
            },
        }
    }

    /// Letters of the longest text of a column, among areas or the first hundred units.
    pub fn longest(&self, recording: &Recording, column: &TableColumn) -> usize {
        let letters = |text: &String| text.chars().count();
        let longest = match column.source {
            Cells::Area => recording.areas.iter().map(letters).max(),
            Cells::Id => recording.units.ids.iter().take(100).map(letters).max(),
            Cells::Spikes | Cells::Rate | Cells::Cv | Cells::Presence | Cells::Fit | Cells::Sends | Cells::Receives => None,
            Cells::Column(k) => match recording.units.columns.get(k).map(|c| &c.values) {
                Some(Column::Text(values)) => values.iter().take(100).map(letters).max(),
                _ => None,
            },
        };
        longest.unwrap_or(0)
    }

    /// Rate of a unit in Hz; NaN where nothing was observed.
    pub fn rate(&self, recording: &Recording, unit: usize) -> f64 {
        if self.seconds > 0.0 { recording.spikes.unit(unit).len() as f64 / self.seconds } else { f64::NAN }
    }

    /// One cell as the table shows it.
    pub fn text(&self, recording: &Recording, unit: usize, column: usize) -> String {
        match (self.value(recording, unit, column), self.columns.get(column).map(|c| c.source)) {
            (Value::Number(v), _) if v.is_nan() => "–".to_owned(),
            (Value::Number(v), Some(Cells::Cv | Cells::Presence | Cells::Fit | Cells::Sends | Cells::Receives)) => format!("{v:.2}"),
            (Value::Number(v), Some(Cells::Rate)) => format!("{v:.2}"),
            (Value::Number(v), Some(Cells::Spikes)) => crate::render::axis::grouped(v as u64),
            (Value::Number(v), _) if v != 0.0 && v.fract() != 0.0 => short(v),
            (value, _) => value.to_string(),
        }
    }

    /// Units that the filter keeps, in order.
    ///
    /// # Errors
    /// [`FilterError`] when the expression cannot be read.
    pub fn order(&self, recording: &Recording, filter: &str, sorting: Sorting) -> Result<Vec<usize>, FilterError> {
        let filter = Filter::parse(filter, &self.names())?;
        let mut units: Vec<usize> =
            (0..recording.n_units()).filter(|&u| filter.keeps(&|column| self.value(recording, u, column))).collect();
        if let Some(column) = sorting.column {
            let mut keyed: Vec<(Value, usize)> = units.into_iter().map(|u| (self.value(recording, u, column), u)).collect();
            keyed.sort_by(|a, b| compare(&a.0, &b.0, sorting.descending).then(a.1.cmp(&b.1)));
            units = keyed.into_iter().map(|(_, u)| u).collect();
        }
        Ok(units)
    }

    /// `units` as CSV with a heading, numbers in full.
    pub fn csv(&self, recording: &Recording, units: &[usize]) -> String {
        let quoted = |text: String| if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text };
        let line = |cells: Vec<String>| cells.into_iter().map(quoted).collect::<Vec<_>>().join(",") + "\n";
        let heading = self.columns.iter().map(|c| if c.source == Cells::Rate { "rate_hz".to_owned() } else { c.name.clone() }).collect();
        let rows = units.iter().map(|&u| line((0..self.columns.len()).map(|c| self.value(recording, u, c).to_string()).collect()));
        std::iter::once(line(heading)).chain(rows).collect()
    }
}

/// At most four digits after the point, none of them a closing zero.
fn short(v: f64) -> String {
    if v.abs() < 1e-3 || v.abs() >= 1e7 {
        return format!("{v:.3e}");
    }
    format!("{v:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Missing values come last either way; ids that are numbers go by value.
fn compare(a: &Value, b: &Value, descending: bool) -> Ordering {
    let number = |v: &Value| match v {
        Value::Number(v) => Some(*v),
        Value::Bool(v) => Some(f64::from(u8::from(*v))),
        Value::Text(v) => v.parse().ok(),
    };
    let turned = |o: Ordering| if descending { o.reverse() } else { o };
    match (number(a), number(b)) {
        (Some(a), Some(b)) if a.is_nan() || b.is_nan() => a.is_nan().cmp(&b.is_nan()),
        (Some(a), Some(b)) => turned(a.total_cmp(&b)),
        (a_number, b_number) => turned(b_number.is_some().cmp(&a_number.is_some()).then_with(|| a.to_string().cmp(&b.to_string()))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::recording::{NamedColumn, RecordingParts, Source, SpikeTrains};
    use crate::training::{GlmSnapshot, ModelSnapshot, PairSnapshot, Support};

    fn recording() -> Recording {
        let column = |name: &str, values| NamedColumn { name: name.into(), description: String::new(), values };
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([vec![0.0, 1.0, 10.0], vec![5.0], vec![], vec![1.0, 2.0]]),
            unit_ids: ["10", "9", "x", "2"].map(String::from).to_vec(),
            unit_areas: ["M1", "PMd", "M1", "a, \"b\""].map(String::from).to_vec(),
            unit_columns: vec![column("snr", Column::Float(vec![2.5, f64::NAN, 1.0, 3.0])), column("rate", Column::Int(vec![1, 2, 3, 4]))],
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("x.nwb".into())).unwrap()
    }

    #[test]
    fn rows_sort_by_any_column_with_missing_values_last() {
        let recording = recording();
        let table = UnitRows::new(&recording, None);
        assert_eq!(table.names(), ["id", "area", "spikes", "rate", "cv_isi", "presence", "snr", "rate (file)"]);
        let order = |column, descending| table.order(&recording, "", Sorting { column: Some(column), descending }).unwrap();
        assert_eq!(order(0, false), [3, 1, 0, 2]);
        assert_eq!(order(2, true), [0, 3, 1, 2]);
        assert_eq!(order(6, true), [3, 0, 2, 1]);
        assert_eq!(order(6, false), [2, 0, 3, 1]);
        assert_eq!(table.order(&recording, "snr > 1 or rate >= 0.1", Sorting::default()).unwrap(), [0, 1, 3]);
        assert!(table.order(&recording, "colour == 'red'", Sorting::default()).is_err());
    }

    #[test]
    fn clicking_a_heading_goes_round() {
        let first = Sorting::default().clicked(3, true);
        assert_eq!(first, Sorting { column: Some(3), descending: true });
        let second = first.clicked(3, true);
        assert_eq!(second, Sorting { column: Some(3), descending: false });
        assert_eq!(second.clicked(3, true), Sorting::default());
        assert_eq!(second.clicked(0, false), Sorting { column: Some(0), descending: false });
    }

    #[test]
    fn the_table_is_written_as_csv() {
        let recording = recording();
        let table = UnitRows::new(&recording, None);
        let table = UnitRows { metrics: Arc::new(UnitMetrics::of(&recording, &Watch::default()).unwrap()), ..table };
        let csv = table.csv(&recording, &[3, 0]);
        // Intervals of 1 and 9 s.
        let cv = isi_cv(&[0.0, 1.0, 10.0], &[]);
        assert!((cv - 32f64.sqrt() / 5.0).abs() < 1e-12);
        let rows = format!("2,\"a, \"\"b\"\"\",2,0.2,NaN,0.02,3,4\n10,M1,3,0.3,{cv},0.03,2.5,1\n");
        assert_eq!(csv, format!("id,area,spikes,rate_hz,cv_isi,presence,snr,rate (file)\n{rows}"));
        assert_eq!(table.text(&recording, 1, 6), "–");
        assert_eq!(table.text(&recording, 0, 3), "0.30");
    }

    #[test]
    fn weights_of_fitted_pairs_become_scores_of_the_recordings_units() {
        let pair = |source, target, supported, send: &[f32], receive: &[f32]| PairSnapshot {
            source,
            target,
            support: Support::Scored { score: 1.0, null: 0.5, supported },
            filter: vec![],
            candidate: vec![],
            send: vec![send.to_vec()],
            receive: vec![receive.to_vec()],
            contribution_percent: 0.0,
            mean_output: 0.0,
        };
        let snapshot = Snapshot {
            version: 1,
            stage: 3,
            step: 1,
            bin_s: 0.002,
            areas: vec!["a".into(), "b".into()],
            area_sizes: vec![2, 1],
            units: vec![3, 0, 2],
            trials: vec![],
            model: ModelSnapshot::Glm(GlmSnapshot {
                unit_bits: vec![Some(0.25), Some(-0.5), None],
                pairs: vec![pair(0, 1, true, &[0.2, -0.7], &[0.9]), pair(1, 0, false, &[5.0], &[5.0, 5.0])],
                ..GlmSnapshot::default()
            }),
        };
        let scores = ModelScores::of(&snapshot, 4);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(near(scores.sends[3], 0.2) && near(scores.sends[0], 0.7) && near(scores.receives[2], 0.9));
        assert!(scores.sends[1].is_nan() && scores.sends[2].is_nan() && scores.receives[3].is_nan());
        assert!(near(scores.fit[3], 0.25) && near(scores.fit[0], -0.5) && scores.fit[2].is_nan() && scores.fit[1].is_nan());
        let names = |snapshot: &Snapshot| UnitRows::new(&recording(), Some(ModelColumns::of(snapshot))).names().split_off(8);
        assert_eq!(names(&snapshot), ["fit", "sends", "receives"]);
        let other = Snapshot { model: ModelSnapshot::NetFormer(Default::default()), ..snapshot };
        assert_eq!(names(&other), ["fit"]);
    }
}
