//! Another simple method beside attention and the cross-correlation, which is always there: computed in the background from the bins
//! that the network was trained on.

use std::sync::Arc;

use eframe::egui::{RichText, Ui};
use ndarray::Array2;

use crate::analysis::connectivity::{MatrixScore, Method, Pairs, score};
use crate::app::theme;
use crate::training::{NetFormerModel, NetFormerSnapshot};
use crate::views::widgets;
use crate::views::work::Background;

/// Levels of activity that the entropies tell apart (spec of the baselines).
const LEVELS: usize = 50;

struct Found {
    method: Method,
    matrix: Arc<Array2<f32>>,
    /// Agreement with the truth, where it is known.
    score: Option<MatrixScore>,
}

/// The choice, and what was found.
#[derive(Default)]
pub struct Other {
    method: Option<Method>,
    work: Background<(Method, usize), Found>,
}

impl Other {
    pub fn is_chosen(&self) -> bool {
        self.method.is_some()
    }

    /// A drop-down.
    pub fn choose(&mut self, ui: &mut Ui) {
        let words = |method: Option<Method>| method.map_or("none", Method::label);
        widgets::caption(ui, "Also by", 150.0);
        widgets::combo(ui, "also by", "Also by", words(self.method), 190.0, |ui| {
            let methods = Method::ALL.into_iter().filter(|method| *method != Method::LagOne).map(Some);
            for method in std::iter::once(None).chain(methods) {
                ui.selectable_value(&mut self.method, method, words(method));
            }
        });
    }

    /// The matrix of the chosen method `[predicted, units]` as soon as it is there, with its agreement with the truth in words.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        model: Option<&Arc<NetFormerModel>>,
        own: &NetFormerSnapshot,
    ) -> Option<(Method, Arc<Array2<f32>>)> {
        let (method, model) = (self.method?, model?);
        let (theirs, truth) = (Arc::clone(model), own.truth.clone());
        self.work.watched(ui.ctx(), method.label(), &(method, model.data_key()), move |watch| {
            let matrix = theirs.by(method, LEVELS, &|| !watch.stopped());
            let score = truth.map(|truth| {
                let truth = truth.mapv(|w| f64::from(if method.unsigned() { w.abs() } else { w }));
                score(matrix.mapv(f64::from).view(), truth.view(), Pairs::Others)
            });
            (!watch.stopped()).then(|| Found { method, matrix: Arc::new(matrix), score })
        });
        self.work.progress(ui, method.label());
        let found = self.work.latest().filter(|found| found.method == method)?;
        if let Some(score) = &found.score {
            let number = |value: f64| widgets::number(value, 3);
            let text = format!("{}: Pearson {}, Spearman {}", method.label(), number(score.pearson), number(score.spearman));
            let against = if method.unsigned() { "the size of the true weights" } else { "the true weights" };
            ui.label(RichText::new(text).color(theme::of(ui).weak))
                .on_hover_text(format!("Agreement with {against}, between different units"));
        }
        Some((method, Arc::clone(&found.matrix)))
    }
}
