//! The matrices as they are drawn: squares without diagonal, of units in their arrangement or of groups.

use std::sync::Arc;

use eframe::egui::Ui;
use ndarray::Array2;

use super::arrangement::Arrangement;
use crate::analysis::connectivity::Method;
use crate::render::heatmap::{HeatScale, Heatmap, Matrix, Painted};
use crate::training::{NetFormerSnapshot, Snapshot};
use crate::views::work::Background;
use crate::views::{area_matrix, widgets};

/// Which matrix.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Attention,
    Truth,
    LagOne,
    /// Another simple estimate, beside the cross-correlation.
    Other(Method),
}

impl Kind {
    pub fn title(self) -> &'static str {
        match self {
            Self::Attention => "NetFormer",
            Self::Truth => "Truth",
            Self::LagOne => "Cross-correlation",
            Self::Other(method) => method.label(),
        }
    }

    pub fn about(self) -> &'static str {
        match self {
            Self::Attention => "Attention: what a sender's activity adds to the prediction of the receiver's next bin",
            Self::Truth => "Weights of the simulation",
            Self::LagOne => "Correlation of the receiver with the sender one bin before, over the training bins",
            Self::Other(_) => "The same connections by this method, from the training bins",
        }
    }

    pub fn unit(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::Truth => "weight",
            Self::LagOne => "correlation",
            Self::Other(method) => method.unit(false),
        }
    }
}

/// Strongest connections that are named.
const NAMED: usize = 8;

/// What a panel was made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Key {
    /// Version, and place in memory (another run).
    pub snapshot: (u64, usize),
    /// Number of the range of time shown; 0 for the mean.
    pub time: u64,
    /// Means of groups.
    pub groups: bool,
    /// Colours of every matrix for itself, also where the truth is known.
    pub own_scale: bool,
    /// Number of the arrangement.
    pub order: u64,
}

/// Which attention is shown.
#[derive(Clone)]
pub enum AtTime {
    /// The mean over all times.
    Mean,
    /// The mean over a range of time, or the matrix of another method.
    Range(Arc<Array2<f32>>),
    /// A stretch that the run kept, by its place.
    Stretch(usize),
}

/// What the ends of a matrix's colours are.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Colours {
    /// Its own largest values.
    #[default]
    Own,
    /// Those of the truth: this estimate times this factor is on the truth's scale.
    OfTruth(f32),
    /// Its own, because it does not agree with the truth.
    NoAgreement,
}

impl Colours {
    /// In a few words, and in full.
    pub fn words(self, unit: &str) -> Option<(String, String)> {
        match self {
            Self::Own => None,
            Self::OfTruth(factor) => {
                let one = widgets::number(1.0 / f64::from(factor), 3);
                let full = format!(
                    "Coloured like the truth: a true weight of 1 has the colour of {one} {unit}. The factor is that of the best line \
                     through zero from this estimate to the truth, between different units; it changes the colours alone"
                );
                Some((format!("on the truth's scale, 1 weight = {one} {unit}"), full))
            }
            Self::NoAgreement => {
                let full = "Estimate and truth do not rise together, so that nothing brings them to one scale";
                Some(("on its own scale".to_owned(), full.to_owned()))
            }
        }
    }
}

/// A matrix as it is drawn, made in the background: of a thousand units that takes longer than a frame.
#[derive(Default)]
pub struct Made {
    of: (Kind, Key),
    /// Square; NaN where nothing is estimated.
    pub values: Array2<f32>,
    /// End of the colours: few values are larger, or few of the truth where that is what colours follow.
    pub limit: f32,
    pub colours: Colours,
    /// The strongest connections, receiving and sending.
    pub strongest: Vec<((usize, usize), f32)>,
    painted: Option<(bool, Painted)>,
}

/// A matrix and its picture, kept until something else is to be drawn.
#[derive(Default)]
pub struct Panel {
    work: Background<(Kind, Key, bool), Made>,
    /// What was asked for last.
    wanted: (Kind, Key),
    shown: Option<((Kind, Key), bool)>,
    /// Grows with every matrix.
    version: u64,
    picture: Heatmap,
}

impl Panel {
    /// Make what is drawn when something else is to be drawn than last time; the matrix made last stays until it is ready.
    pub fn update(&mut self, ui: &Ui, kind: Kind, key: Key, snapshot: &Arc<Snapshot>, at_time: &AtTime, arrangement: &Arrangement) {
        // All others are the same at all times.
        let key = if kind == Kind::Attention { key } else { Key { time: 0, ..key } };
        self.wanted = (kind, key);
        let style = area_matrix::style(ui);
        let most = ui.input(|i| i.max_texture_side);
        let (snapshot, at_time) = (Arc::clone(snapshot), at_time.clone());
        let (order, sizes) = (arrangement.order.clone(), arrangement.sizes());
        self.work.get(ui.ctx(), "matrix", &(kind, key, style.dark), move || {
            let made = snapshot.netformer().map(|own| make(kind, key, own, &at_time, &order, &sizes)).unwrap_or_default();
            let flat = made.values.as_slice().unwrap_or_default();
            let matrix = Matrix { values: flat, rows: made.values.nrows().max(1), columns: made.values.nrows().max(1) };
            let painted = Painted::new(matrix, HeatScale::Diverging { limit: made.limit }, &style, most);
            Made { painted: Some((style.dark, painted)), ..made }
        });
        let Some(made) = self.work.latest() else { return };
        let dark = made.painted.as_ref().map_or(style.dark, |(dark, _)| *dark);
        let shown = Some((made.of, dark));
        if self.shown != shown {
            self.shown = shown;
            self.version += 1;
            if let Some((dark, painted)) = &made.painted {
                self.picture.prepare(self.version, HeatScale::Diverging { limit: made.limit }, *dark, painted.clone());
            }
        }
    }

    /// The matrix made last, its picture and its number; `None` until there is one with the rows and columns that are wanted.
    pub fn made(&mut self) -> Option<(&Made, &mut Heatmap, u64)> {
        let (kind, key) = self.wanted;
        let fits = |made: &&Made| made.of.0 == kind && (made.of.1.groups, made.of.1.order) == (key.groups, key.order);
        self.work.latest().filter(fits).map(|made| (made, &mut self.picture, self.version))
    }
}

impl Made {
    /// The strongest connections in words.
    pub fn summary(&self, kind: Kind, name: &dyn Fn(usize) -> String) -> String {
        let words = |((to, from), value): &((usize, usize), f32)| format!("{} to {} {value:.3}", name(*from), name(*to));
        let strongest: Vec<String> = self.strongest.iter().take(3).map(words).collect();
        let (rows, columns) = self.values.dim();
        format!("{}, {rows} receiving by {columns} sending, strongest: {}", kind.title(), strongest.join(", "))
    }
}

/// Everything but the colours.
fn make(kind: Kind, key: Key, own: &NetFormerSnapshot, at_time: &AtTime, order: &[usize], sizes: &[usize]) -> Made {
    let attention = match at_time {
        AtTime::Mean => &own.attention,
        AtTime::Range(matrix) => matrix,
        AtTime::Stretch(place) => own.stretches.get(*place).unwrap_or(&own.attention),
    };
    let source = match kind {
        Kind::Attention | Kind::Other(_) => attention,
        Kind::Truth => own.truth.as_ref().unwrap_or(&own.lag_one),
        Kind::LagOne => &own.lag_one,
    };
    let values = drawn(source, order, sizes, key.groups);
    // A range of time is coloured like the mean over all times, so that what changes is seen.
    let of_mean = match (kind, at_time) {
        (Kind::Attention, AtTime::Range(_) | AtTime::Stretch(_)) => Some(drawn(&own.attention, order, sizes, key.groups)),
        _ => None,
    };
    let coloured = of_mean.as_ref().unwrap_or(&values);
    let (limit, colours) = match own.truth.as_ref().filter(|_| kind != Kind::Truth && !key.own_scale) {
        Some(truth) => {
            let unsigned = matches!(kind, Kind::Other(method) if method.unsigned());
            let truth = drawn(&if unsigned { truth.mapv(f32::abs) } else { truth.clone() }, order, sizes, key.groups);
            match factor_onto(coloured, &truth) {
                Some(factor) => (limit(&truth) / factor, Colours::OfTruth(factor)),
                None => (limit(coloured), Colours::NoAgreement),
            }
        }
        None => (limit(coloured), Colours::Own),
    };
    Made { of: (kind, key), strongest: strongest(&values), values, limit, colours, painted: None }
}

/// What brings an estimate to the scale of the truth: the slope of the best line through zero; `None` when it does not rise.
fn factor_onto(estimate: &Array2<f32>, truth: &Array2<f32>) -> Option<f32> {
    let both = estimate.iter().zip(truth).filter(|(e, t)| e.is_finite() && t.is_finite());
    let (product, square) = both.fold((0.0, 0.0), |(p, s), (e, t)| (p + f64::from(*e) * f64::from(*t), s + f64::from(*e) * f64::from(*e)));
    let factor = (product / square) as f32;
    (factor.is_normal() && factor > 0.0).then_some(factor)
}

/// As it is drawn: units in their arrangement, or means of groups.
fn drawn(matrix: &Array2<f32>, order: &[usize], sizes: &[usize], groups: bool) -> Array2<f32> {
    let square = arranged(matrix, order);
    if groups { by_area(&square, sizes) } else { square }
}

/// Rows of predicted units made a square of all units in an order, without the diagonal.
fn arranged(matrix: &Array2<f32>, order: &[usize]) -> Array2<f32> {
    let at = |place: usize| order.get(place).copied().unwrap_or(usize::MAX);
    Array2::from_shape_fn((order.len(), order.len()), |(row, column)| match row == column {
        true => f32::NAN,
        false => matrix.get((at(row), at(column))).copied().unwrap_or(f32::NAN),
    })
}

/// Means over the pairs of units of every pair of areas, without missing ones.
fn by_area(square: &Array2<f32>, sizes: &[usize]) -> Array2<f32> {
    let of: Vec<usize> = sizes.iter().enumerate().flat_map(|(area, n)| std::iter::repeat_n(area, *n)).collect();
    let mut sums = Array2::<(f64, usize)>::from_elem((sizes.len(), sizes.len()), (0.0, 0));
    for ((row, column), value) in square.indexed_iter().filter(|(_, v)| !v.is_nan()) {
        if let (Some(&to), Some(&from)) = (of.get(row), of.get(column)) {
            let (sum, n) = sums[[to, from]];
            sums[[to, from]] = (sum + f64::from(*value), n + 1);
        }
    }
    sums.mapv(|(sum, n)| if n > 0 { (sum / n as f64) as f32 } else { f32::NAN })
}

/// A magnitude that one in two hundred values exceeds.
fn limit(values: &Array2<f32>) -> f32 {
    let mut sorted: Vec<f32> = values.iter().filter(|v| v.is_finite()).map(|v| v.abs()).collect();
    if sorted.is_empty() {
        return 1.0;
    }
    let place = (sorted.len() - 1) * 199 / 200;
    let (_, limit, _) = sorted.select_nth_unstable_by(place, f32::total_cmp);
    if *limit > 0.0 { *limit } else { 1.0 }
}

/// Entries of largest magnitude.
fn strongest(values: &Array2<f32>) -> Vec<((usize, usize), f32)> {
    let mut entries: Vec<((usize, usize), f32)> = values.indexed_iter().filter(|(_, v)| v.is_finite()).map(|(at, v)| (at, *v)).collect();
    let stronger = |a: &((usize, usize), f32), b: &((usize, usize), f32)| b.1.abs().total_cmp(&a.1.abs());
    // Of a thousand units there are a million entries: only those that are named are sorted.
    if entries.len() > NAMED {
        entries.select_nth_unstable_by(NAMED, stronger);
        entries.truncate(NAMED);
    }
    entries.sort_by(stronger);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_diagonal_and_rows_without_a_prediction_are_missing() {
        let square = arranged(&array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], &[0, 1, 2]);
        assert!(square[[0, 0]].is_nan() && square[[1, 1]].is_nan() && square.row(2).iter().all(|v| v.is_nan()));
        assert_eq!((square[[0, 2]], square[[1, 0]]), (3.0, 4.0));
        let turned = arranged(&array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], &[2, 0, 1]);
        assert!(turned.row(0).iter().all(|v| v.is_nan()));
        assert_eq!((turned[[1, 0]], turned[[2, 1]], turned[[1, 2]]), (3.0, 4.0, 2.0));
        let areas = by_area(&square, &[2, 1]);
        assert_eq!((areas[[0, 0]], areas[[0, 1]]), (3.0, 4.5));
        assert!(areas[[1, 0]].is_nan() && areas[[1, 1]].is_nan());
    }

    #[test]
    fn estimates_have_the_colours_of_the_truth_they_agree_with() {
        let truth = array![[0.0, 0.5, -1.0], [0.2, 0.0, 0.0], [-0.4, 1.0, 0.0]];
        let own = NetFormerSnapshot {
            attention: truth.mapv(|w| 40.0 * w),
            stretches: vec![truth.mapv(|w| 80.0 * w)],
            lag_one: truth.mapv(|w| -w),
            truth: Some(truth.clone()),
            scores: Vec::new(),
            lag_one_scores: None,
            r2: Vec::new(),
            static_share: f32::NAN,
            model: None,
        };
        let made = |kind, at_time: AtTime, own_scale| make(kind, Key { own_scale, ..Key::default() }, &own, &at_time, &[0, 1, 2], &[3]);
        let (weights, attention) = (made(Kind::Truth, AtTime::Mean, false), made(Kind::Attention, AtTime::Mean, false));
        assert_eq!((weights.colours, weights.limit), (Colours::Own, 1.0));
        assert_eq!((attention.colours, attention.limit, attention.values[[0, 2]]), (Colours::OfTruth(0.025), 40.0, -40.0));
        // At a time it has the colours of the mean, so that what changes is seen.
        assert_eq!(made(Kind::Attention, AtTime::Stretch(0), false).limit, 40.0);
        let against = made(Kind::LagOne, AtTime::Mean, false);
        assert_eq!((against.colours, against.limit), (Colours::NoAgreement, 1.0));
        assert_eq!(made(Kind::Attention, AtTime::Mean, true).colours, Colours::Own);
        let unsigned = made(Kind::Other(Method::TransferEntropy), AtTime::Range(Arc::new(truth.mapv(|w| 2.0 * w.abs()))), false);
        assert_eq!(unsigned.colours, Colours::OfTruth(0.5), "against the size of the true weights");
        let (short, full) = attention.colours.words("attention").unwrap_or_default();
        assert!(short == "on the truth's scale, 1 weight = 40 attention" && full.contains("best line through zero"), "{short}; {full}");
        assert_eq!(Colours::Own.words("weight"), None);
    }

    #[test]
    fn words_name_the_strongest() {
        let values = array![[f32::NAN, -2.0], [0.5, f32::NAN]];
        let made = Made { strongest: strongest(&values), values, ..Made::default() };
        assert_eq!(
            made.summary(Kind::Truth, &|k| format!("u{k}")),
            "Truth, 2 receiving by 2 sending, strongest: u1 to u0 -2.000, u0 to u1 0.500"
        );
        assert_eq!((limit(&Array2::from_elem((0, 0), 0.0)), limit(&Array2::zeros((2, 2)))), (1.0, 1.0));
    }
}
