//! The matrices as they are drawn: squares without diagonal, of units in their arrangement or of groups.

use ndarray::Array2;

use super::arrangement::Arrangement;
use crate::render::heatmap::Heatmap;
use crate::training::NetFormerSnapshot;

/// Which matrix.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Attention,
    Truth,
    LagOne,
}

impl Kind {
    pub fn title(self) -> &'static str {
        match self {
            Self::Attention => "NetFormer",
            Self::Truth => "Truth",
            Self::LagOne => "Cross-correlation",
        }
    }

    pub fn about(self) -> &'static str {
        match self {
            Self::Attention => "Attention: what a sender's activity adds to the prediction of the receiver's next bin",
            Self::Truth => "Weights of the simulation",
            Self::LagOne => "Correlation of the receiver with the sender one bin before, over the training bins",
        }
    }

    pub fn unit(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::Truth => "weight",
            Self::LagOne => "correlation",
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
    /// Number of the arrangement.
    pub order: u64,
}

/// A matrix and its picture, kept until something else is to be drawn.
#[derive(Default)]
pub struct Panel {
    key: Option<(Kind, Key)>,
    /// Grows with every matrix.
    pub version: u64,
    /// Square; NaN where nothing is estimated.
    pub values: Array2<f32>,
    /// End of the colours: few values are larger.
    pub limit: f32,
    /// The strongest connections, receiving and sending.
    pub strongest: Vec<((usize, usize), f32)>,
    pub picture: Heatmap,
}

impl Panel {
    pub fn update(&mut self, kind: Kind, key: Key, own: &NetFormerSnapshot, at_time: Option<&Array2<f32>>, arrangement: &Arrangement) {
        // The truth and the cross-correlation are the same at all times.
        let key = if kind == Kind::Attention { key } else { Key { time: 0, ..key } };
        if self.key == Some((kind, key)) {
            return;
        }
        let source = match kind {
            Kind::Attention => at_time.unwrap_or(&own.attention),
            Kind::Truth => own.truth.as_ref().unwrap_or(&own.lag_one),
            Kind::LagOne => &own.lag_one,
        };
        self.values = drawn(source, arrangement, key.groups);
        // A range of time is coloured like the mean over all times, so that what changes is seen.
        self.limit = match (kind, at_time) {
            (Kind::Attention, Some(_)) => limit(&drawn(&own.attention, arrangement, key.groups)),
            _ => limit(&self.values),
        };
        self.strongest = strongest(&self.values);
        self.key = Some((kind, key));
        self.version += 1;
    }

    /// The strongest connections in words.
    pub fn summary(&self, kind: Kind, name: &dyn Fn(usize) -> String) -> String {
        let words = |((to, from), value): &((usize, usize), f32)| format!("{} to {} {value:.3}", name(*from), name(*to));
        let strongest: Vec<String> = self.strongest.iter().take(3).map(words).collect();
        let (rows, columns) = self.values.dim();
        format!("{}, {rows} receiving by {columns} sending, strongest: {}", kind.title(), strongest.join(", "))
    }
}

/// As it is drawn: units in their arrangement, or means of groups.
fn drawn(matrix: &Array2<f32>, arrangement: &Arrangement, groups: bool) -> Array2<f32> {
    let square = arranged(matrix, &arrangement.order);
    if groups { by_area(&square, &arrangement.sizes()) } else { square }
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
    fn words_name_the_strongest() {
        let values = array![[f32::NAN, -2.0], [0.5, f32::NAN]];
        let panel = Panel { strongest: strongest(&values), values, ..Panel::default() };
        assert_eq!(
            panel.summary(Kind::Truth, &|k| format!("u{k}")),
            "Truth, 2 receiving by 2 sending, strongest: u1 to u0 -2.000, u0 to u1 0.500"
        );
        assert_eq!((limit(&Array2::from_elem((0, 0), 0.0)), limit(&Array2::zeros((2, 2)))), (1.0, 1.0));
    }
}
