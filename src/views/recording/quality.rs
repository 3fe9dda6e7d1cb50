//! Which units are good enough, with how many of each area are kept, and whether the recording shows artefacts across units.
//! Counting is done in the background; what is decided goes into the recording's sidecar.

use std::sync::Arc;

use eframe::egui::{self, Ui};

use crate::analysis::synchrony::{Synchrony, SynchronyCheck, synchrony};
use crate::recording::quality::{QualityFilter, UnitQuality, kept_by_area, kept_text};
use crate::recording::{Recording, Sidecar};
use crate::render::parse_number;
use crate::views::Action;
use crate::views::recording::first_upper;
use crate::views::work::Background;

/// Up to this many spikes the artefact check runs by itself.
const CHECKED_AT_ONCE: usize = 5_000_000;

/// Text of a filter being typed, and what was counted.
#[derive(Default)]
pub struct QualityForm {
    recording: Option<Arc<Recording>>,
    fields: [String; 3],
    expression: String,
    quality: Background<String, Arc<UnitQuality>>,
    kept: Background<(String, QualityFilter), Result<(String, usize), String>>,
    found: Background<String, Result<Synchrony, String>>,
    check: bool,
}

const FIELDS: [(&str, &str, &str); 3] = [
    ("Lowest rate", "Hz", "Spikes per second of observed time"),
    ("Lowest presence", "%", "Share of a hundred equal parts of the recording in which the unit fires"),
    ("Most short intervals", "%", "Share of intervals below 1.5 ms, the refractory period"),
];

impl QualityForm {
    /// Draw the filters.
    pub fn filters(&mut self, ui: &mut Ui, recording: &Arc<Recording>, actions: &mut Vec<Action>) {
        let sidecar = recording.sidecar();
        self.begin(recording, &sidecar);
        let original = recording.original();
        let masked = masked(&original, &sidecar);
        let theirs = Arc::clone(&original);
        let mask = sidecar.mask.clone();
        let counted = self.quality.get(ui.ctx(), "unit quality", &masked, move || {
            let spikes = mask.map_or_else(|| theirs.spikes.clone(), |mask| mask.apply(&theirs.spikes).0);
            Arc::new(UnitQuality::of(&Recording { spikes, ..(*theirs).clone() }))
        });
        let counted = counted.cloned();
        egui::Grid::new("quality").num_columns(3).spacing([10.0, 4.0]).show(ui, |ui| {
            for ((name, unit, help), text) in FIELDS.into_iter().zip(&mut self.fields) {
                let label = ui.label(name).on_hover_text(help);
                ui.add_sized([70.0, 22.0], egui::TextEdit::singleline(text).hint_text("any")).labelled_by(label.id);
                ui.label(unit);
                ui.end_row();
            }
        });
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("and");
            let field =
                egui::TextEdit::singleline(&mut self.expression).desired_width(240.0).hint_text("quality == \"good\" and depth < 900");
            ui.add(field).labelled_by(label.id).on_hover_text(format!("Columns: {}", QualityFilter::columns(&original).join(", ")));
        });
        let filter = match self.filter() {
            Ok(filter) => filter,
            Err(problem) => {
                ui.colored_label(ui.visuals().error_fg_color, problem);
                return;
            }
        };
        // Areas as they are now, also of units that are left out.
        let areas = Sidecar { keep: QualityFilter::default(), mask: None, ..sidecar.clone() };
        let key = (format!("{masked} {}", recording.key()), filter.clone());
        let (wanted, whole) = (filter.clone(), Arc::clone(&original));
        let kept = counted.and_then(|quality| {
            self.kept.get(ui.ctx(), "units kept", &key, move || {
                let all = areas.apply(&whole).map_err(|e| e.to_string())?;
                let kept = wanted.kept(&all, &quality).map_err(|e| e.to_string())?;
                Ok((kept_text(&kept_by_area(&all, &kept)), kept.len()))
            })
        });
        match kept {
            None => {
                ui.horizontal(|ui| {
                    ui.spinner();
                    ui.label("Counting…");
                });
            }
            Some(Err(problem)) => {
                ui.colored_label(ui.visuals().error_fg_color, problem);
            }
            Some(Ok((text, n))) => {
                let n = *n;
                ui.label(format!("Kept: {n} of {} units ({text})", original.n_units()));
                ui.horizontal(|ui| {
                    let new = filter != sidecar.keep;
                    if ui.add_enabled(new && n > 0, egui::Button::new("Keep these units")).clicked() {
                        actions.push(Action::Decide(Box::new(Sidecar { keep: filter, ..sidecar.clone() })));
                    }
                    if !sidecar.keep.is_empty() && ui.button("Keep all units").clicked() {
                        actions.push(Action::Decide(Box::new(Sidecar { keep: QualityFilter::default(), ..sidecar.clone() })));
                        self.recording = None;
                    }
                });
            }
        }
    }

    /// Draw the artefact check.
    pub fn artefacts(&mut self, ui: &mut Ui, recording: &Arc<Recording>, actions: &mut Vec<Action>) {
        let sidecar = recording.sidecar();
        if let Some(mask) = &sidecar.mask {
            ui.label(first_upper(&mask.label()));
            if ui.button("Use these spikes again").clicked() {
                actions.push(Action::Decide(Box::new(Sidecar { mask: None, ..sidecar.clone() })));
            }
            return;
        }
        let original = recording.original();
        if original.spikes.n_spikes() > CHECKED_AT_ONCE && !self.check {
            ui.label("Large recording: looking for artefacts takes some seconds");
            self.check = ui.button("Look for artefacts").clicked();
            return;
        }
        let theirs = Arc::clone(&original);
        let look = move || synchrony(&theirs.spikes, &SynchronyCheck::default()).map_err(|e| e.to_string());
        match self.found.get(ui.ctx(), "artefact check", &original.fingerprint, look) {
            None => {
                ui.horizontal(|ui| {
                    ui.spinner();
                    ui.label("Looking for artefacts…");
                });
            }
            Some(Err(problem)) => {
                ui.label(first_upper(problem));
            }
            Some(Ok(found)) => match found.mask() {
                None => {
                    ui.label(first_upper(&found.sentence()));
                }
                Some(mask) => {
                    ui.colored_label(ui.visuals().warn_fg_color, first_upper(&found.sentence()));
                    if ui.button(format!("Leave these {} spikes out", found.spikes)).clicked() {
                        actions.push(Action::Decide(Box::new(Sidecar { mask: Some(mask), ..sidecar })));
                    }
                }
            },
        }
    }

    /// Start from the filter in effect whenever there is another recording.
    fn begin(&mut self, recording: &Arc<Recording>, sidecar: &Sidecar) {
        if self.recording.as_ref().is_some_and(|r| Arc::ptr_eq(r, recording)) {
            return;
        }
        let text = |value: Option<f64>, scale: f64| value.map_or_else(String::new, |v| round(v * scale).to_string());
        let keep = &sidecar.keep;
        self.fields = [text(keep.min_rate_hz, 1.0), text(keep.min_presence, 100.0), text(keep.max_isi_violations, 100.0)];
        self.expression.clone_from(&keep.expression);
        self.check = false;
        self.recording = Some(Arc::clone(recording));
    }

    /// The filter that is typed.
    fn filter(&self) -> Result<QualityFilter, String> {
        let mut numbers = [None; 3];
        for (((name, unit, _), text), number) in FIELDS.iter().zip(&self.fields).zip(&mut numbers) {
            let text = text.trim();
            if !text.is_empty() {
                let parsed = parse_number(text).filter(|v| *v >= 0.0);
                *number = Some(parsed.ok_or_else(|| format!("{name}: '{text}' is no number in {unit}"))?);
            }
        }
        let [rate, presence, short] = numbers;
        let share = |percent: Option<f64>| percent.map(|v| round(v / 100.0));
        Ok(QualityFilter {
            min_rate_hz: rate,
            min_presence: share(presence),
            max_isi_violations: share(short),
            expression: self.expression.trim().to_owned(),
        })
    }
}

/// Which spikes are counted: those of the recording as read, without masked ones.
fn masked(original: &Recording, sidecar: &Sidecar) -> String {
    let bins = sidecar.mask.as_ref().map_or(0, |m| m.bins.len());
    format!("{} {bins}", original.fingerprint)
}

/// To nine digits after the point, so that 7 % is 0.07 and not 0.07000000000000001.
fn round(v: f64) -> f64 {
    (v * 1e9).round() / 1e9
}
