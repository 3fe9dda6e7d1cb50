//! Single entries of attention over time, inferred and true, as the view draws them.

use std::sync::Arc;

use ndarray::{Array2, ArrayView1, Axis};

use crate::analysis::connectivity::{moving_average, pearson};
use crate::analysis::watch::Watch;
use crate::training::{NetFormerModel, Part};
use crate::views::netformer_part::Shown;
use crate::views::widgets;

/// Published length of the moving average, bins.
const PUBLISHED: usize = 10_000;
/// Blocks in the length of the moving average.
const PER_AVERAGE: usize = 20;
/// Most and usual number of blocks.
const MOST_BLOCKS: usize = 2000;
const USUAL_BLOCKS: usize = 600;
/// Connections shown where the truth does not say which ones change.
const STRONGEST: usize = 100;
/// Most connections shown.
const MOST: usize = 1000;

/// Usual length of the moving average for these data, seconds: as published where they are long enough; a tenth of shorter spike
/// trains, whose single spikes hide everything else; 0 for short continuous activity.
pub fn published_average(model: &NetFormerModel) -> f64 {
    let bins = match model.all_windows().len() {
        n if n >= 2 * PUBLISHED => PUBLISHED,
        n if model.recording().activity.is_none() => n / 10,
        _ => 0,
    };
    bins as f64 * model.bin_s()
}

/// What is computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    picked: Option<(usize, usize)>,
    average_s: f64,
    /// Multiplications that may be spent.
    windows: usize,
}

impl Settings {
    pub fn new(shown: &Shown<'_>, picked: Option<(usize, usize)>, average_s: Option<f64>) -> Self {
        let picked = picked.filter(|(receiving, sending)| *receiving < shown.model.predicted() && *sending < shown.model.units().len());
        Self { picked, average_s: average_s.unwrap_or_else(|| published_average(&shown.model)), windows: shown.windows(shown.model.cost()) }
    }
}

/// Entries over time.
pub struct Course {
    /// Tells courses apart.
    pub number: u64,
    /// Receiving and sending units.
    pub entries: Vec<(usize, usize)>,
    /// Times, seconds.
    pub seconds: Vec<f64>,
    /// Moving averages `[times, entries]`.
    pub inferred: Array2<f64>,
    /// The same of the true weights; `None` when they are not known.
    pub truth: Option<Array2<f64>>,
    /// Correlation in time, NaN where the truth does not change or is not known.
    pub r: Vec<f64>,
    /// Entries from the best correlation to the worst (from the strongest to the weakest without truth); an entry that was picked by
    /// hand and is none of these is not among them.
    pub order: Vec<usize>,
    /// Stretches that were not trained on, seconds.
    pub unseen: Vec<(f64, f64)>,
    /// [`rows`] of the inferred and of the true courses.
    pub maps: (Vec<f32>, Vec<f32>),
    average_s: f64,
    /// Windows behind a block, and in it.
    thinned: (usize, usize),
}

impl Course {
    pub fn compute(model: &Arc<NetFormerModel>, settings: &Settings, watch: &Watch) -> Option<Self> {
        let all = model.all_windows().len();
        let width = ((settings.average_s / model.bin_s()).round() as usize).clamp(1, (all / 2).max(1));
        let length = match width {
            0..=1 => all.div_ceil(USUAL_BLOCKS),
            _ => (width / PER_AVERAGE).max(all.div_ceil(MOST_BLOCKS)),
        }
        .max(1);
        let blocks_n = all.div_ceil(length).max(1);
        let most = (settings.windows / blocks_n).max(1);
        let mut blocks = model.blocks(length, most);
        // A last, shorter block would weigh as much as the others.
        if blocks.len() > 2 && !all.is_multiple_of(length) {
            blocks.pop();
        }
        let mut entries = model.changing();
        if entries.is_empty() {
            entries = strongest(&model.mean(&spread(&model.windows(Part::Validation), settings.windows.min(500))));
        }
        entries.truncate(MOST);
        let ranked = entries.len();
        if let Some(picked) = settings.picked.filter(|picked| !entries.contains(picked)) {
            entries.push(picked);
        }
        let inferred = model.entries(&blocks, &entries, watch)?;
        let truth = model.true_entries(&blocks, &entries);
        let k = (width as f64 / length as f64).round().max(1.0) as usize;
        let k = k.min(blocks.len());
        let inferred = moving_average(inferred.view(), k);
        let truth = truth.map(|truth| moving_average(truth.view(), k));
        let middles: Vec<f32> = blocks.iter().map(|block| block.middle() as f32).collect();
        let middles = Array2::from_shape_vec((middles.len(), 1), middles).ok()?;
        let seconds = moving_average(middles.view(), k).column(0).to_vec();
        let r: Vec<f64> = (0..entries.len()).map(|at| correlation(inferred.column(at), truth.as_ref().map(|t| t.column(at)))).collect();
        let size = |at: usize| inferred.column(at).iter().map(|v| v.abs()).sum::<f64>();
        let mut order: Vec<usize> = (0..ranked).collect();
        if r.iter().any(|r| r.is_finite()) {
            let key = |at: usize| r.get(at).copied().filter(|r| r.is_finite()).unwrap_or(-2.0);
            order.sort_by(|a, b| key(*b).total_cmp(&key(*a)));
        } else {
            order.sort_by(|a, b| size(*b).total_cmp(&size(*a)));
        }
        let unseen =
            blocks.iter().filter(|b| b.part != Part::Training).map(|b| b.seconds).fold(Vec::new(), |mut spans: Vec<(f64, f64)>, next| {
                match spans.last_mut() {
                    Some(last) if next.0 <= last.1 + 1.5 * model.bin_s() => last.1 = next.1,
                    _ => spans.push(next),
                }
                spans
            });
        let number = model.key() ^ (settings.average_s.to_bits().rotate_left(17)) ^ entries.len() as u64;
        let unseen = if unseen.len() > 20 { Vec::new() } else { unseen };
        let maps = (rows(&inferred, &order), truth.as_ref().map_or_else(Vec::new, |truth| rows(truth, &order)));
        let (average_s, thinned) = (settings.average_s, (most.min(length), length));
        Some(Self { number, entries, seconds, inferred, truth, r, order, unseen, maps, average_s, thinned })
    }

    /// Place of the entry to show: the picked one, else the first in order.
    pub fn chosen(&self, picked: Option<(usize, usize)>) -> Option<usize> {
        picked.and_then(|picked| self.entries.iter().position(|e| *e == picked)).or_else(|| self.order.first().copied())
    }

    /// Best, middle and worst entry with a correlation; the strongest, a middling and the weakest without truth.
    pub fn examples(&self) -> Vec<(&'static str, usize)> {
        let known: Vec<usize> = self.order.iter().copied().filter(|at| self.r.get(*at).is_some_and(|r| r.is_finite())).collect();
        let (names, list) = match known.is_empty() {
            true => (["strongest", "middle", "weakest"], &self.order),
            false => (["best", "median", "worst"], &known),
        };
        let places = [0, list.len() / 2, list.len().saturating_sub(1)];
        names.into_iter().zip(places).filter_map(|(name, place)| Some((name, *list.get(place)?))).collect()
    }

    /// Mean and median correlation with the truth.
    pub fn agreement(&self) -> Option<(f64, f64)> {
        let mut known: Vec<f64> = self.order.iter().filter_map(|at| self.r.get(*at).copied()).filter(|r| r.is_finite()).collect();
        known.sort_by(f64::total_cmp);
        let middle = |at: usize| known.get(at).copied();
        let median = (middle(known.len().checked_sub(1)? / 2)? + middle(known.len() / 2)?) / 2.0;
        Some((known.iter().sum::<f64>() / known.len() as f64, median))
    }

    /// How it was made, for the reader.
    pub fn words(&self) -> String {
        let average = match self.average_s > 0.0 {
            true => format!("moving average of {} s", widgets::number(self.average_s, 3)),
            false => "not smoothed".to_owned(),
        };
        match self.thinned {
            (of, length) if of < length => format!("{average}; {of} of every {length} windows stand for all"),
            _ => average,
        }
    }

    /// The true course of an entry on the scale of the inferred one: the same mean and spread, never turned over.
    pub fn scaled_truth(&self, entry: usize) -> Option<Vec<f64>> {
        let truth = self.truth.as_ref()?;
        if entry >= truth.ncols() || entry >= self.inferred.ncols() {
            return None;
        }
        let ((mean, sd), (own, spread)) = (moments(truth.column(entry)), moments(self.inferred.column(entry)));
        let factor = if sd > 1e-9 * mean.abs().max(1e-12) { spread / sd } else { 0.0 };
        Some(truth.column(entry).iter().map(|v| own + (v - mean) * factor).collect())
    }
}

fn moments(values: ArrayView1<'_, f64>) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.sum() / n;
    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
}

/// NaN without a truth that changes.
fn correlation(inferred: ArrayView1<'_, f64>, truth: Option<ArrayView1<'_, f64>>) -> f64 {
    match truth {
        Some(truth) if moments(truth).1 > 1e-9 * moments(truth).0.abs().max(1e-12) => pearson(&inferred.to_vec(), &truth.to_vec()),
        _ => f64::NAN,
    }
}

fn strongest(mean: &Array2<f32>) -> Vec<(usize, usize)> {
    let mut entries: Vec<((usize, usize), f32)> =
        mean.indexed_iter().filter(|((row, column), _)| row != column).map(|(at, v)| (at, v.abs())).collect();
    entries.sort_by(|a, b| b.1.total_cmp(&a.1));
    entries.into_iter().take(STRONGEST).map(|(at, _)| at).collect()
}

/// At most `most`, evenly spread.
pub fn spread(windows: &[usize], most: usize) -> Vec<usize> {
    windows.iter().copied().step_by(windows.len().div_ceil(most.max(1)).max(1)).collect()
}

/// Rows as they are drawn: every entry from its smallest (0) to its largest value (1), in order `[entries, times]`.
fn rows(values: &Array2<f64>, order: &[usize]) -> Vec<f32> {
    let mut flat = Vec::with_capacity(order.len() * values.nrows());
    for &entry in order {
        let column = values.index_axis(Axis(1), entry.min(values.ncols().saturating_sub(1)));
        let (low, high) = widgets::range(column.iter().copied()).unwrap_or((0.0, 1.0));
        flat.extend(column.iter().map(|v| if high > low { ((v - low) / (high - low)) as f32 } else { f32::NAN }));
    }
    flat
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ndarray::array;

    pub fn course() -> Course {
        let inferred = Array2::from_shape_fn((60, 3), |(t, k)| [1.0, -1.0, 0.2][k] * (t as f64 / 9.0).sin() + 2.0);
        let truth = Array2::from_shape_fn((60, 3), |(t, k)| if k == 2 { 0.3 } else { 10.0 * (t as f64 / 9.0).sin() });
        let r = (0..3).map(|at| correlation(inferred.column(at), Some(truth.column(at)))).collect();
        Course {
            number: 1,
            entries: vec![(0, 1), (0, 2), (0, 3)],
            seconds: (0..60).map(f64::from).collect(),
            inferred,
            truth: Some(truth),
            r,
            order: vec![0, 1, 2],
            unseen: vec![(48.0, 60.0)],
            maps: (Vec::new(), Vec::new()),
            average_s: 0.0,
            thinned: (2, 10),
        }
    }

    #[test]
    fn examples_are_the_best_and_the_worst_and_fixed_weights_have_no_correlation() {
        let course = course();
        assert!((course.r[0] - 1.0).abs() < 1e-9 && (course.r[1] + 1.0).abs() < 1e-9 && course.r[2].is_nan());
        assert_eq!(course.examples(), [("best", 0), ("median", 1), ("worst", 1)]);
        assert!(course.agreement().is_some_and(|(mean, median)| mean.abs() < 1e-9 && median.abs() < 1e-9));
        assert_eq!((course.chosen(Some((0, 3))), course.chosen(Some((7, 7))), course.chosen(None)), (Some(2), Some(0), Some(0)));
        assert_eq!(course.words(), "not smoothed; 2 of every 10 windows stand for all");
    }

    #[test]
    fn the_truth_is_brought_to_scale_but_never_turned_over() {
        let course = course();
        let scaled = course.scaled_truth(0).unwrap_or_default();
        assert!(scaled.iter().zip(course.inferred.column(0)).all(|(a, b)| (a - b).abs() < 1e-9));
        let against = course.scaled_truth(1).unwrap_or_default();
        assert!(pearson(&against, &course.inferred.column(1).to_vec()) < -0.99);
        assert!(
            course.scaled_truth(2).is_some_and(|flat| flat.iter().all(|v| (v - flat[0]).abs() < 1e-12)) && course.scaled_truth(9).is_none()
        );
    }

    #[test]
    fn rows_run_from_their_smallest_to_their_largest_value() {
        let values = array![[1.0, 5.0, 2.0], [3.0, 5.0, 1.0], [2.0, 5.0, 0.0]];
        let drawn = rows(&values, &[2, 0, 1]);
        assert_eq!(drawn[..6], [1.0, 0.5, 0.0, 0.0, 1.0, 0.5]);
        assert!(drawn[6..].iter().all(|v| v.is_nan()));
        assert_eq!(strongest(&array![[9.0, -3.0], [1.0, 9.0]]), [(0, 1), (1, 0)]);
        assert_eq!(spread(&[1, 2, 3, 4, 5], 2), [1, 4]);
    }
}
