//! The same recording with other areas, with fewer units, or cut to a stretch of time.

use super::{
    Column, IntervalTable, NamedColumn, Recording, RecordingError, RecordingParts, SpikeTrains, TrueEdge, TrueRates, Truth, UnitEdge,
};
use ndarray::Axis;

impl Recording {
    /// Everything that [`Recording::new`] takes; spike times are shared.
    fn parts(&self) -> RecordingParts {
        RecordingParts {
            name: self.name.clone(),
            spikes: self.spikes.clone(),
            unit_ids: self.units.ids.clone(),
            unit_areas: self.area_names(),
            unit_columns: self.units.columns.clone(),
            tables: self.tables.clone(),
            covariates: self.covariates.clone(),
            activity: self.activity.clone(),
            observed: self.observed.clone(),
            truth: self.truth.clone(),
            report: self.report.clone(),
            fingerprint: None,
        }
    }

    /// Area name of every unit.
    pub fn area_names(&self) -> Vec<String> {
        self.units.area.iter().map(|&a| self.areas.get(a).cloned().unwrap_or_default()).collect()
    }

    /// The same recording with its units assigned to other areas (`names[unit]`), for example read off the unit ids.
    /// The truth is dropped when it no longer lines up with the areas.
    ///
    /// # Errors
    /// [`RecordingError::Length`] when `names` does not have one entry per unit.
    pub fn with_areas(&self, names: &[String]) -> Result<Self, RecordingError> {
        let parts = RecordingParts { unit_areas: names.to_vec(), truth: None, ..self.parts() };
        let mut changed = Self::build(parts, self.source.clone(), Some(self.fingerprint.clone()))?;
        changed.truth = match &self.truth {
            Some(truth) if changed.units.area == self.units.area => Some(truth.clone()),
            // Rates and connections are of units, not of areas.
            Some(truth) => {
                let of_units = Truth { edges: Vec::new(), glm: None, currents: None, ..truth.clone() };
                (of_units != Truth::default()).then_some(of_units)
            }
            None => None,
        };
        changed.prepared = self.prepared.clone();
        Ok(changed)
    }

    /// The same recording with its areas in this order; areas that are not named follow in their own order.
    pub fn with_area_order(&self, order: &[String]) -> Self {
        let wanted = order.iter().filter_map(|name| self.areas.iter().position(|a| a == name));
        let mut old: Vec<usize> = Vec::with_capacity(self.areas.len());
        for area in wanted.chain(0..self.areas.len()) {
            if !old.contains(&area) {
                old.push(area);
            }
        }
        let place = |area: usize| old.iter().position(|&o| o == area).unwrap_or(area);
        let mut changed = self.clone();
        changed.areas = old.iter().filter_map(|&o| self.areas.get(o).cloned()).collect();
        changed.units.area.iter_mut().for_each(|a| *a = place(*a));
        if let Some(truth) = &mut changed.truth {
            for edge in &mut truth.edges {
                (edge.source, edge.target) = (place(edge.source), place(edge.target));
            }
            if let Some(glm) = &mut truth.glm
                && glm.factors.len_of(Axis(1)) == old.len()
            {
                glm.factors = glm.factors.select(Axis(1), &old);
            }
            truth.currents = truth.currents.as_ref().map(|currents| currents.with_area_order(&old));
        }
        changed
    }

    /// The same recording with the units `keep` (ascending indices) alone. What is true of those units is kept; what true rates
    /// are computed from is not, because they depend on the units left out.
    ///
    /// # Errors
    /// [`RecordingError`] never in practice: a part of a sound recording is sound.
    pub fn with_units(&self, keep: &[usize]) -> Result<Self, RecordingError> {
        let keep: Vec<usize> = keep.iter().copied().filter(|&u| u < self.n_units()).collect();
        if keep.len() == self.n_units() {
            return Ok(self.clone());
        }
        let pick = |values: &[String]| keep.iter().filter_map(|&u| values.get(u).cloned()).collect::<Vec<String>>();
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units(keep.iter().map(|&u| self.spikes.unit(u).to_vec())),
            unit_ids: pick(&self.units.ids),
            unit_areas: pick(&self.area_names()),
            unit_columns: self.units.columns.iter().map(|c| NamedColumn { values: rows(&c.values, &keep), ..c.clone() }).collect(),
            activity: self.activity.as_ref().map(|a| a.of_units(&keep)),
            truth: None,
            ..self.parts()
        };
        let mut cut = Self::new(parts, self.source.clone())?;
        let place = |area: usize| self.areas.get(area).and_then(|name| cut.areas.iter().position(|a| a == name));
        if let Some(truth) = &self.truth {
            let of_area = |area: usize, weights: &[f64]| {
                self.units_of_area(area).iter().zip(weights).filter(|(u, _)| keep.binary_search(u).is_ok()).map(|(_, w)| *w).collect()
            };
            let edge = |e: &TrueEdge| {
                Some(TrueEdge {
                    source: place(e.source)?,
                    target: place(e.target)?,
                    send: of_area(e.source, &e.send),
                    receive: of_area(e.target, &e.receive),
                    filter: e.filter.clone(),
                })
            };
            let rates = truth.rates.as_ref().filter(|r| r.values.len_of(Axis(2)) == self.n_units());
            let unit_edge = |e: &UnitEdge| {
                let place = |unit: usize| keep.binary_search(&unit).ok();
                Some(UnitEdge { pre: place(e.pre)?, post: place(e.post)?, ..*e })
            };
            cut.truth = Some(Truth {
                edges: truth.edges.iter().filter_map(edge).collect(),
                glm: None,
                currents: None,
                rates: rates.map(|r| TrueRates { bin_s: r.bin_s, values: r.values.select(Axis(2), &keep) }),
                unit_edges: truth.unit_edges.as_ref().map(|edges| edges.iter().filter_map(unit_edge).collect()),
                changing: truth.changing.as_ref().map(|c| c.of_units(&keep)),
            });
        }
        cut.prepared = self.prepared.clone();
        Ok(cut)
    }

    /// The same recording from `from` to `to` seconds (`to` excluded): spikes, rows of tables that lie wholly inside, samples,
    /// bins of continuous activity and observed stretches. Times stay on the recording's clock. True rates are dropped, true couplings are kept.
    ///
    /// # Errors
    /// [`RecordingError`] never in practice: a part of a sound recording is sound.
    pub fn between(&self, from: f64, to: f64) -> Result<Self, RecordingError> {
        let within = |t: f64| t >= from && t < to;
        let tables = self.tables.iter().map(|table| {
            let inside = |row: &usize| {
                let time = |times: &[f64]| times.get(*row).copied().unwrap_or(f64::NAN);
                let (start, stop) = (time(&table.start), time(&table.stop));
                within(start) && (stop.is_nan() || stop <= to)
            };
            let keep: Vec<usize> = (0..table.len()).filter(inside).collect();
            let times = |times: &[f64]| keep.iter().filter_map(|&r| times.get(r).copied()).collect();
            IntervalTable {
                name: table.name.clone(),
                start: times(&table.start),
                stop: times(&table.stop),
                columns: table.columns.iter().map(|c| NamedColumn { values: rows(&c.values, &keep), ..c.clone() }).collect(),
            }
        });
        let covariates = self.covariates.iter().map(|c| {
            let (a, b) = (c.times.partition_point(|&t| t < from), c.times.partition_point(|&t| t < to));
            let part = |values: &[f64]| values.get(a..b.max(a)).unwrap_or_default().to_vec();
            super::Covariate { times: part(&c.times), values: part(&c.values), ..c.clone() }
        });
        let stretches = self.observed.iter().map(|&(a, b)| (a.max(from), b.min(to))).filter(|(a, b)| b > a);
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units((0..self.n_units()).map(|u| self.spikes.unit_between(u, from, to).to_vec())),
            tables: tables.collect(),
            covariates: covariates.collect(),
            activity: self.activity.as_ref().map(|a| a.cut(a.bins_between(from, to))),
            observed: stretches.collect(),
            truth: self.truth.as_ref().map(without_rates),
            ..self.parts()
        };
        let mut cut = Self::new(parts, self.source.clone())?;
        cut.prepared = self.prepared.clone();
        Ok(cut)
    }

    /// The same recording with other spike times (a train per unit). True rates are dropped: they follow from the spikes.
    ///
    /// # Errors
    /// [`RecordingError`] when the trains do not fit the units or are not ascending.
    pub(super) fn with_spikes(&self, spikes: SpikeTrains) -> Result<Self, RecordingError> {
        let truth = self.truth.as_ref().map(without_rates);
        Self::new(RecordingParts { spikes, truth, ..self.parts() }, self.source.clone())
    }
}

fn rows(column: &Column, keep: &[usize]) -> Column {
    fn pick<T: Clone>(values: &[T], keep: &[usize]) -> Vec<T> {
        keep.iter().filter_map(|&r| values.get(r).cloned()).collect()
    }
    match column {
        Column::Float(v) => Column::Float(pick(v, keep)),
        Column::Int(v) => Column::Int(pick(v, keep)),
        Column::Bool(v) => Column::Bool(pick(v, keep)),
        Column::Text(v) => Column::Text(pick(v, keep)),
    }
}

/// What stays true of other spikes of the same units.
fn without_rates(truth: &Truth) -> Truth {
    Truth { glm: None, rates: None, ..truth.clone() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Covariate, Source};
    use super::*;

    fn recording() -> Recording {
        let column = |name: &str, values| NamedColumn { name: name.into(), description: String::new(), values };
        let parts = RecordingParts {
            name: "r".into(),
            spikes: SpikeTrains::from_units([vec![0.5, 1.5, 2.5], vec![1.0], vec![2.0, 9.0]]),
            unit_ids: ["a", "b", "c"].map(String::from).to_vec(),
            unit_areas: ["X", "Y", "X"].map(String::from).to_vec(),
            unit_columns: vec![column("depth", Column::Int(vec![1, 2, 3]))],
            tables: vec![IntervalTable {
                name: "trials".into(),
                start: vec![0.0, 1.0, 2.0],
                stop: vec![1.0, 2.0, 3.0],
                columns: vec![column("side", Column::Text(["l", "r", "l"].map(String::from).to_vec()))],
            }],
            covariates: vec![Covariate { name: "v".into(), unit: String::new(), times: vec![0.0, 1.0, 2.0], values: vec![5.0, 6.0, 7.0] }],
            observed: vec![(0.0, 1.2), (1.4, 10.0)],
            truth: Some(Truth {
                edges: vec![TrueEdge { source: 0, target: 1, send: vec![0.6, 0.8], receive: vec![1.0], filter: vec![0.1] }],
                rates: Some(TrueRates { bin_s: 0.5, values: ndarray::Array3::from_shape_fn((1, 2, 3), |(_, b, u)| (10 * u + b) as f32) }),
                unit_edges: Some(vec![UnitEdge { pre: 1, post: 2, weight: 0.5, delay_s: 0.001 }]),
                ..Truth::default()
            }),
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("r.nwb".into())).unwrap()
    }

    #[test]
    fn a_stretch_keeps_what_lies_inside() {
        let cut = recording().between(1.0, 2.5).unwrap();
        assert_eq!((cut.spikes.unit(0), cut.spikes.unit(1), cut.spikes.unit(2)), (&[1.5][..], &[1.0][..], &[2.0][..]));
        assert_eq!((cut.tables[0].start.clone(), cut.tables[0].columns[0].values.text(0)), (vec![1.0], "r".to_owned()));
        assert_eq!(cut.covariates[0].values, [6.0, 7.0]);
        assert_eq!(cut.observed, [(1.0, 1.2), (1.4, 2.5)]);
        assert_ne!(cut.fingerprint, recording().fingerprint);
        assert_eq!(recording().between(-1.0, 99.0).unwrap().fingerprint, recording().fingerprint);
    }

    #[test]
    fn fewer_units_keep_their_columns_and_true_weights() {
        let whole = recording();
        let cut = whole.with_units(&[1, 2]).unwrap();
        assert_eq!(
            (cut.units.ids.clone(), cut.areas.clone(), cut.units.area.clone()),
            (vec!["b".into(), "c".into()], vec!["Y".into(), "X".into()], vec![0, 1])
        );
        assert_eq!(cut.units.columns[0].values, Column::Int(vec![2, 3]));
        let edge = &cut.truth.as_ref().unwrap().edges[0];
        assert_eq!((edge.source, edge.target, edge.send.clone(), edge.receive.clone()), (1, 0, vec![0.8], vec![1.0]));
        let truth = cut.truth.as_ref().unwrap();
        assert_eq!(truth.rates.as_ref().unwrap().values.iter().copied().collect::<Vec<_>>(), [10.0, 20.0, 11.0, 21.0]);
        assert_eq!(truth.unit_edges.as_ref().unwrap()[0], UnitEdge { pre: 0, post: 1, weight: 0.5, delay_s: 0.001 });
        let gone = whole.with_units(&[0]).unwrap();
        assert!(gone.truth.unwrap().edges.is_empty(), "an edge without its target is no edge");
        assert_eq!(whole.with_units(&[0, 1, 2]).unwrap().fingerprint, whole.fingerprint);
    }

    #[test]
    fn another_order_of_areas_takes_units_and_truth_along() {
        let turned = recording().with_area_order(&["Y".to_owned(), "nowhere".to_owned(), "Y".to_owned()]);
        assert_eq!((turned.areas.clone(), turned.units.area.clone()), (vec!["Y".to_owned(), "X".to_owned()], vec![1, 0, 1]));
        let edge = &turned.truth.as_ref().unwrap().edges[0];
        assert_eq!((edge.source, edge.target), (1, 0));
        assert_eq!(turned.area_names(), recording().area_names());
        assert_eq!(turned.fingerprint, recording().fingerprint);
    }

    #[test]
    fn other_areas_share_the_spike_times() {
        let whole = recording();
        let renamed = whole.with_areas(&["P", "Q", "P"].map(String::from)).unwrap();
        assert!(std::ptr::eq(renamed.spikes.block(), whole.spikes.block()));
        assert!(renamed.truth.as_ref().is_some_and(Truth::knows_edges) && renamed.fingerprint == whole.fingerprint);
        let moved = whole.with_areas(&["P", "P", "Q"].map(String::from)).unwrap().truth.unwrap();
        assert!(!moved.knows_edges() && moved.rates.is_some() && moved.unit_edges.is_some(), "what is true of units stays");
        assert!(whole.with_areas(&[]).is_err());
    }
}
