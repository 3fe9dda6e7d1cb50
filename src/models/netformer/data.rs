//! Activity as training reads it: one matrix `[bins, tokens]`, and windows that are nothing but a first bin. The published loader
//! copies every window (1.9 GB for 30 000 bins of 200 units); here 24 MB are read in place, on the host or on the device.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};
use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::models::ConfigError;
use crate::models::host::tensor2;
use crate::models::kernels::block;

/// Activity and what is predicted.
#[derive(Debug, Clone)]
pub struct Data {
    inputs: Arc<Array2<f32>>,
    targets: Option<Arc<Array2<f32>>>,
}

impl Data {
    /// `inputs` `[bins, tokens]`. A window of H bins from bin t predicts bin t + H of `targets` `[bins, queries]`; without
    /// targets, of the first columns of `inputs`. (Spikes: standardised input, raw counts as targets.)
    ///
    /// # Errors
    /// When a value is not finite, or inputs and targets differ in bins.
    pub fn new(inputs: Array2<f32>, targets: Option<Array2<f32>>) -> Result<Self, ConfigError> {
        if let Some(targets) = targets.as_ref().filter(|t| t.nrows() != inputs.nrows()) {
            return Err(ConfigError {
                what: "the number of bins to predict".to_owned(),
                value: targets.nrows().to_string(),
                expected: format!("{}, that of the activity", inputs.nrows()),
            });
        }
        for (name, array) in [("the activity", Some(&inputs)), ("the activity to predict", targets.as_ref())] {
            if let Some(((bin, column), value)) = array.into_iter().flat_map(|a| a.indexed_iter()).find(|(_, v)| !v.is_finite()) {
                return Err(ConfigError {
                    what: format!("{name} in bin {bin} of column {column} (both from 0)"),
                    value: value.to_string(),
                    expected: "a finite number; leave out what was not recorded".to_owned(),
                });
            }
        }
        let standard = |a: Array2<f32>| Arc::new(if a.is_standard_layout() { a } else { a.as_standard_layout().into_owned() });
        Ok(Self { inputs: standard(inputs), targets: targets.map(standard) })
    }

    /// Activity `[bins, tokens]`.
    pub fn inputs(&self) -> &Array2<f32> {
        &self.inputs
    }

    /// Bins.
    pub fn bins(&self) -> usize {
        self.inputs.nrows()
    }

    /// Tokens.
    pub fn tokens(&self) -> usize {
        self.inputs.ncols()
    }

    /// Columns that can be predicted.
    pub fn columns(&self) -> usize {
        self.target_array().ncols()
    }

    /// The bins `[history, tokens]` of a window, in place. `start` must come from [`Self::windows`].
    pub fn window(&self, start: usize, history: usize) -> ArrayView2<'_, f32> {
        block(self.inputs.view(), start..start + history, 0..self.tokens())
    }

    /// What a window that ends before `bin` predicts `[columns]`.
    pub fn target(&self, bin: usize) -> ArrayView1<'_, f32> {
        self.target_array().row(bin)
    }

    /// What windows predict `[windows, queries]`.
    pub fn targets_of(&self, starts: &[usize], history: usize, queries: usize) -> Array2<f32> {
        Array2::from_shape_fn((starts.len(), queries), |(w, n)| self.target(starts[w] + history)[n])
    }

    /// [`window_starts`] of segments, as far as there is data.
    pub fn windows(&self, segments: &[Range<usize>], history: usize) -> Vec<usize> {
        let clipped: Vec<Range<usize>> = segments.iter().map(|s| s.start..s.end.min(self.bins())).collect();
        window_starts(&clipped, history)
    }

    fn target_array(&self) -> &Array2<f32> {
        self.targets.as_ref().unwrap_or(&self.inputs)
    }

    /// On a device (without autodiff), once.
    pub(super) fn upload(&self, device: &Device) -> DeviceData {
        let inputs = tensor2(&self.inputs, device);
        let targets = match &self.targets {
            Some(targets) => tensor2(targets, device),
            None => inputs.clone(),
        };
        DeviceData { inputs, targets }
    }
}

/// [`Data`] on a device.
#[derive(Debug, Clone)]
pub(super) struct DeviceData {
    inputs: Tensor<2>,
    targets: Tensor<2>,
}

impl DeviceData {
    /// Windows `[B, tokens, H]` (last column newest) and what they predict `[B, queries, 1]`, gathered on the device.
    pub(super) fn batch(&self, starts: &[usize], history: usize, queries: usize) -> (Tensor<3>, Tensor<3>) {
        let device = self.inputs.device();
        let index = |bins: Vec<i32>| {
            let n = bins.len();
            Tensor::<1, Int>::from_data(TensorData::new(bins, [n]), &device)
        };
        let bins = starts.iter().flat_map(|&start| (start..start + history).map(|bin| bin as i32)).collect();
        let x = self.inputs.clone().select(0, index(bins)).reshape([starts.len(), history, self.inputs.dims()[1]]).swap_dims(1, 2);
        let next = starts.iter().map(|&start| (start + history) as i32).collect();
        let y = self.targets.clone().select(0, index(next)).narrow(1, 0, queries).reshape([starts.len(), queries, 1]);
        (x, y)
    }
}

/// First bins of all windows of `history` bins that lie, with the bin they predict, inside one of `segments` (trials, or parts of
/// a recording): a window never bleeds from one segment into the next.
pub fn window_starts(segments: &[Range<usize>], history: usize) -> Vec<usize> {
    segments.iter().flat_map(|s| s.start..s.end.saturating_sub(history).max(s.start)).collect()
}

/// Standardisation by mean and standard deviation of training bins, per column or over all columns together.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardisation {
    mean: Vec<f32>,
    sd: Vec<f32>,
    /// Largest magnitude that is left.
    most: f32,
}

/// Largest magnitude of standardised counts.
const BURST: f32 = 3.0;

impl Standardisation {
    /// Of every column by itself, over the bins in `segments`.
    pub fn per_column(activity: ArrayView2<'_, f32>, segments: &[Range<usize>]) -> Self {
        let (mean, sd) = (0..activity.ncols()).map(|column| moments(activity, segments, column..column + 1)).unzip();
        Self { mean, sd, most: f32::INFINITY }
    }

    /// Of every column by itself, but no column is made larger (a spike of a quiet unit stays one, where its standard deviation would
    /// make tens of it), and in bursts it ends at 3.
    pub fn per_column_of_counts(activity: ArrayView2<'_, f32>, segments: &[Range<usize>]) -> Self {
        let own = Self::per_column(activity, segments);
        Self { sd: own.sd.into_iter().map(|sd| sd.max(1.0)).collect(), most: BURST, ..own }
    }

    /// Of all columns together, over the bins in `segments` (published for recordings).
    pub fn global(activity: ArrayView2<'_, f32>, segments: &[Range<usize>]) -> Self {
        let (mean, sd) = moments(activity, segments, 0..activity.ncols());
        Self { mean: vec![mean; activity.ncols()], sd: vec![sd; activity.ncols()], most: f32::INFINITY }
    }

    /// (x − mean) / standard deviation; a column that never changes becomes 0.
    pub fn apply(&self, activity: &mut Array2<f32>) {
        for mut row in activity.outer_iter_mut() {
            for ((value, mean), sd) in row.iter_mut().zip(&self.mean).zip(&self.sd) {
                *value = ((*value - mean) / sd).clamp(-self.most, self.most);
            }
        }
    }
}

fn moments(activity: ArrayView2<'_, f32>, segments: &[Range<usize>], columns: Range<usize>) -> (f32, f32) {
    let (mut n, mut mean, mut squares) = (0.0f64, 0.0f64, 0.0f64);
    for segment in segments {
        let bins = segment.start.min(activity.nrows())..segment.end.min(activity.nrows());
        for &value in block(activity, bins, columns.clone()) {
            n += 1.0;
            let from_mean = f64::from(value) - mean;
            mean += from_mean / n;
            squares += from_mean * (f64::from(value) - mean);
        }
    }
    let sd = (squares / n.max(1.0)).sqrt();
    (mean as f32, if sd > 0.0 { sd as f32 } else { 1.0 })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]
    use super::*;

    fn ramp(bins: usize, tokens: usize) -> Array2<f32> {
        Array2::from_shape_fn((bins, tokens), |(t, n)| (t * 10 + n) as f32)
    }

    #[test]
    fn windows_stay_in_their_segment() {
        assert_eq!(window_starts(&[0..5, 5..8, 8..20], 3), [0, 1, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        // The published simulation: 24 000 and 6000 bins, windows of 100 (spec §4d).
        assert_eq!(window_starts(&[0..24_000], 99).len(), 23_901);
        assert_eq!(window_starts(&[24_000..30_000], 99).len(), 5901);
        assert!(window_starts(&[3..4], 9).is_empty());
    }

    #[test]
    fn the_device_gathers_what_the_host_sees() {
        let data = Data::new(ramp(30, 4), Some(ramp(30, 4).mapv(|x| -x))).unwrap();
        let starts = [7, 0, 21];
        let (x, y) = data.upload(&Device::flex()).batch(&starts, 5, 2);
        let (x, y) = (x.to_data().try_to_vec::<f32>().unwrap(), y.to_data().try_to_vec::<f32>().unwrap());
        assert_eq!((x.len(), y.len()), (60, 6));
        for (b, &start) in starts.iter().enumerate() {
            for n in 0..4 {
                (0..5).for_each(|h| assert_eq!(x[(b * 4 + n) * 5 + h], data.window(start, 5)[[h, n]]));
            }
            (0..2).for_each(|n| assert_eq!(y[b * 2 + n], data.target(start + 5)[n]));
        }
        assert_eq!(data.targets_of(&starts, 5, 2).iter().copied().collect::<Vec<_>>(), y);
        assert_eq!(data.windows(&[22..40, 50..60], 5), [22, 23, 24]);
    }

    #[test]
    fn holes_are_refused_with_their_place() {
        let mut holed = ramp(5, 3);
        holed[[2, 1]] = f32::NAN;
        let message = Data::new(holed, None).unwrap_err().to_string();
        assert!(message.contains("bin 2 of column 1") && message.contains("leave out"), "{message}");
        assert!(Data::new(ramp(5, 3), Some(ramp(4, 3))).unwrap_err().to_string().contains("must be 5"));
    }

    #[test]
    fn standardised_by_training_bins_only() {
        let mut activity = Array2::from_shape_fn((100, 3), |(t, n)| if n == 2 { 4.0 } else { (t % 7) as f32 * (n + 1) as f32 });
        activity[[99, 0]] = 1e6;
        let training = [0..70];
        let mut each = activity.clone();
        Standardisation::per_column(activity.view(), &training).apply(&mut each);
        for column in 0..3 {
            let seen = each.column(column);
            let (mean, square) = seen.iter().take(70).fold((0.0, 0.0), |(m, s), x| (m + x / 70.0, s + x * x / 70.0));
            let expected = if column == 2 { 0.0 } else { 1.0 };
            assert!(mean.abs() < 1e-5 && (square - expected).abs() < 1e-4, "{column}: {mean} {square}");
        }
        let all = Standardisation::global(activity.view(), &training);
        assert!(all.mean.windows(2).all(|w| w[0] == w[1]) && all.sd[0] > 1.0 && all.sd[0] < 10.0);
        let mut quiet = Array2::<f32>::zeros((100, 1));
        (quiet[[3, 0]], quiet[[80, 0]]) = (1.0, 50.0);
        Standardisation::per_column_of_counts(quiet.view(), &training).apply(&mut quiet);
        assert!((quiet[[3, 0]] - quiet[[4, 0]] - 1.0).abs() < 1e-6, "a spike stays one");
        assert_eq!(quiet[[80, 0]], BURST);
        let mut loud = activity.clone();
        Standardisation::per_column_of_counts(activity.view(), &training).apply(&mut loud);
        assert!((loud[[5, 1]] - each[[5, 1]]).abs() < 1e-6 && loud[[99, 0]] == BURST);
    }
}
