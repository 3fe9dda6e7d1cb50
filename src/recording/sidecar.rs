//! What a user decided about a recording, kept beside it and never in the user's file: areas by hand, their order, units left
//! out, masked artefacts. A sidecar belongs to the recording as read, by its fingerprint; applying it gives the recording that
//! everything else sees, with a note for every decision.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::filter::FilterError;
use super::quality::{QualityFilter, UnitQuality, kept_by_area, kept_text};
use super::{AreaEdit, AreaEditError, ArtefactMask, NoteKind, Recording, RecordingError};

/// Layout of a sidecar that this program writes.
pub const SIDECAR_VERSION: u32 = 1;

/// Decisions about one recording.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sidecar {
    /// Layout, see [`SIDECAR_VERSION`].
    pub version: u32,
    /// Fingerprint of the recording as read.
    pub fingerprint: String,
    /// Its name, for people who look into the folder.
    pub name: String,
    /// Changes of areas, applied in order.
    pub areas: Vec<AreaEdit>,
    /// Order of areas; areas that are not named follow.
    pub order: Vec<String>,
    /// Colours of areas (red, green, blue) by name; areas that are not named have the usual ones.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub colors: BTreeMap<String, [u8; 3]>,
    /// Units to keep.
    pub keep: QualityFilter,
    /// Artefacts whose spikes are left out.
    pub mask: Option<ArtefactMask>,
}

/// Where a prepared recording comes from.
#[derive(Debug)]
pub struct Prepared {
    /// The decisions.
    pub sidecar: Sidecar,
    /// The recording as read.
    pub original: Arc<Recording>,
    /// For every unit its index in the recording as read, ascending.
    pub kept: Vec<usize>,
    /// Spikes left out by the mask.
    pub masked_spikes: usize,
}

/// Why decisions cannot be applied.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SidecarError {
    /// Of another recording.
    #[error("these decisions belong to other data ('{name}')")]
    OtherRecording {
        /// Name of the recording they belong to.
        name: String,
    },
    /// See [`AreaEditError`].
    #[error(transparent)]
    Area(#[from] AreaEditError),
    /// See [`FilterError`].
    #[error("the filter '{expression}' cannot be used: {source}")]
    Filter {
        /// Expression.
        expression: String,
        /// Why.
        source: FilterError,
    },
    /// The filter keeps nothing.
    #[error("no unit is kept by {filter}; loosen it")]
    NoUnits {
        /// The filter in words.
        filter: String,
    },
    /// See [`RecordingError`].
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

impl Sidecar {
    /// No decisions about this recording, as read, yet.
    pub fn of(original: &Recording) -> Self {
        Self { version: SIDECAR_VERSION, fingerprint: original.fingerprint.clone(), name: original.name.clone(), ..Self::default() }
    }

    /// True when nothing was decided.
    pub fn is_empty(&self) -> bool {
        self.areas.is_empty() && self.order.is_empty() && self.colors.is_empty() && self.keep.is_empty() && self.mask.is_none()
    }

    /// The recording with these decisions; the recording itself when there are none.
    ///
    /// # Errors
    /// [`SidecarError`] says which decision does not fit.
    pub fn apply(&self, original: &Arc<Recording>) -> Result<Arc<Recording>, SidecarError> {
        if self.is_empty() {
            return Ok(Arc::clone(original));
        }
        if self.fingerprint != original.fingerprint {
            return Err(SidecarError::OtherRecording { name: self.name.clone() });
        }
        let mut notes = Vec::new();
        let mut names = original.area_names();
        for edit in &self.areas {
            let changed = edit.apply(original, &mut names)?;
            let units = if changed == 1 { "1 unit".to_owned() } else { format!("{changed} units") };
            notes.push(("areas", format!("{} ({units} changed area)", edit.label())));
        }
        let mut recording = original.with_areas(&names)?;
        let mut masked_spikes = 0;
        if let Some(mask) = &self.mask {
            let (spikes, left_out) = mask.apply(&recording.spikes);
            let share = 100.0 * left_out as f64 / recording.spikes.n_spikes().max(1) as f64;
            notes.push(("artefacts", format!("{}: {left_out} spikes ({share:.2} %) left out", mask.label())));
            recording = recording.with_spikes(spikes)?;
            masked_spikes = left_out;
        }
        let mut kept: Vec<usize> = (0..recording.n_units()).collect();
        if !self.keep.is_empty() {
            let failed = |source| SidecarError::Filter { expression: self.keep.expression.clone(), source };
            kept = self.keep.kept(&recording, &UnitQuality::of(&recording)).map_err(failed)?;
            if kept.is_empty() {
                return Err(SidecarError::NoUnits { filter: self.keep.label() });
            }
            notes.push(("units", format!("units with {} kept: {}", self.keep.label(), kept_text(&kept_by_area(&recording, &kept)))));
            recording = recording.with_units(&kept)?;
        }
        if !self.order.is_empty() {
            recording = recording.with_area_order(&self.order);
        }
        for (place, message) in notes {
            recording.report.add(NoteKind::Chosen, place, message);
        }
        let prepared = Prepared { sidecar: self.clone(), original: Arc::clone(original), kept, masked_spikes };
        recording.prepared = Some(Arc::new(prepared));
        Ok(Arc::new(recording))
    }
}

impl Recording {
    /// The recording as read, before the user's decisions.
    pub fn original(self: &Arc<Self>) -> Arc<Self> {
        self.prepared.as_ref().map_or_else(|| Arc::clone(self), |p| Arc::clone(&p.original))
    }

    /// The decisions in effect.
    pub fn sidecar(&self) -> Sidecar {
        self.prepared.as_ref().map_or_else(|| Sidecar::of(self), |p| p.sidecar.clone())
    }

    /// Names the data together with its areas, for work that depends on both.
    pub fn key(&self) -> String {
        use std::hash::{Hash, Hasher};
        let mut hash = std::hash::DefaultHasher::new();
        (&self.areas, &self.units.area).hash(&mut hash);
        format!("{} {:x}", self.fingerprint, hash.finish())
    }

    /// Colour (red, green, blue) that the user gave to area `area`; `None` for the usual one.
    pub fn area_color(&self, area: usize) -> Option<[u8; 3]> {
        let colors = &self.prepared.as_ref()?.sidecar.colors;
        colors.get(self.areas.get(area)?).copied()
    }

    /// Index of a unit in the recording as read.
    pub fn original_unit(&self, unit: usize) -> usize {
        self.prepared.as_ref().and_then(|p| p.kept.get(unit).copied()).unwrap_or(unit)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{RecordingParts, Source, SpikeTrains};
    use super::*;

    fn recording() -> Arc<Recording> {
        let parts = RecordingParts {
            name: "r".into(),
            spikes: SpikeTrains::from_units([vec![1.0, 2.0, 3.0], vec![1.0, 2.5], vec![2.0]]),
            unit_ids: ["1", "2", "3"].map(String::from).to_vec(),
            unit_areas: ["A", "A", "B"].map(String::from).to_vec(),
            ..RecordingParts::default()
        };
        Arc::new(Recording::new(parts, Source::File("r".into())).unwrap())
    }

    #[test]
    fn decisions_are_applied_in_order_and_told() {
        let original = recording();
        let mut sidecar = Sidecar::of(&original);
        assert!(Arc::ptr_eq(&sidecar.apply(&original).unwrap(), &original));
        sidecar.areas = vec![AreaEdit::Assign { units: vec![1], area: "C".into() }, AreaEdit::Rename { from: "B".into(), to: "C".into() }];
        sidecar.order = vec!["C".into()];
        sidecar.mask = Some(ArtefactMask { bins: vec![2.0], width_s: 0.001, least_units: 2 });
        sidecar.keep = QualityFilter::expression("spikes > 0");
        let prepared = sidecar.apply(&original).unwrap();
        // Unit 3 had its only spike in the artefact.
        assert_eq!(prepared.units.ids, ["1", "2"]);
        assert_eq!((prepared.areas.clone(), prepared.units.area.clone()), (vec!["C".to_owned(), "A".to_owned()], vec![1, 0]));
        assert_eq!(prepared.spikes.unit(0), [1.0, 3.0]);
        let told: Vec<&str> = prepared.report.notes.iter().map(|n| n.message.as_str()).collect();
        assert_eq!(
            told,
            [
                "1 unit by hand in C (1 unit changed area)",
                "'B' is called 'C' (1 unit changed area)",
                "1 bin of 1 ms masked, in which at least 2 units are active at once: 2 spikes (33.33 %) left out",
                "units with spikes > 0 kept: 1 of 1 A, 1 of 2 C",
            ]
        );
        assert!(prepared.report.notes.iter().all(|n| n.kind == NoteKind::Chosen));
        assert!(Arc::ptr_eq(&prepared.original(), &original) && prepared.sidecar() == sidecar);
        let kept = QualityFilter::expression("id != '1'");
        let later = Sidecar { keep: kept, ..Sidecar::of(&original) }.apply(&original).unwrap();
        assert_eq!((later.original_unit(0), later.original_unit(1), original.original_unit(1)), (1, 2, 1));
    }

    #[test]
    fn decisions_that_do_not_fit_are_refused() {
        let original = recording();
        let refused = |change: &dyn Fn(&mut Sidecar)| {
            let mut sidecar = Sidecar::of(&original);
            change(&mut sidecar);
            sidecar.apply(&original).unwrap_err().to_string()
        };
        assert!(refused(&|s| s.keep = QualityFilter::expression("spikes > 99")).contains("no unit is kept by spikes > 99"));
        assert!(refused(&|s| s.keep = QualityFilter::expression("depth > 1")).contains("there is no column 'depth'"));
        assert!(refused(&|s| s.areas = vec![AreaEdit::Rename { from: "X".into(), to: "Y".into() }]).contains("no area 'X'"));
        assert!(refused(&|s| (s.order, s.fingerprint) = (vec!["A".into()], "other".into())).contains("other data"));
    }

    #[test]
    fn a_sidecar_is_json_that_older_programs_can_grow() {
        let mut sidecar = Sidecar::of(&recording());
        sidecar.areas = vec![AreaEdit::Rename { from: "A".into(), to: "V1".into() }];
        let text = serde_json::to_string(&sidecar).unwrap();
        assert!(text.contains("\"edit\":\"rename\""), "{text}");
        assert_eq!(serde_json::from_str::<Sidecar>(&text).unwrap(), sidecar);
        assert!(serde_json::from_str::<Sidecar>("{\"fingerprint\":\"f\"}").unwrap().is_empty());
    }
}
