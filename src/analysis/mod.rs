//! Pure functions from arrays to arrays: bases, losses of reference models, the jitter-corrected edge score, comparison with
//! the truth, contribution of coupling, PCA, PSTH, correlograms, rates, unit metrics, population synchrony and the
//! older methods that coupling between areas is compared with. Nothing here knows threads,
//! files, tensors or the window.

pub mod adam;
pub mod agreement;
pub mod aligned;
pub mod attention;
pub mod baselines;
pub mod bases;
pub mod compare;
pub mod connectivity;
pub mod contribution;
pub mod correlogram;
pub mod coupling_stage;
pub mod edge_score;
pub mod edge_test;
pub mod goodness;
pub mod lbfgs;
pub mod loss;
pub mod multiple;
pub mod nlb;
pub mod observed;
pub mod parzen;
pub mod pca;
pub mod psth;
pub mod rates;
pub mod screening;
pub mod synchrony;
pub mod true_rates;
pub mod unit_metrics;
pub mod watch;

use ndarray::{ArrayView2, ArrayView3, Axis, Slice};

/// The analysed bins of one trial, `[bins, units]`, of counts `[trials, pad + bins, units]`. The trial must exist and `pad`
/// must not exceed the bins.
fn analysed(counts: ArrayView3<'_, u8>, pad: usize, trial: usize) -> ArrayView2<'_, u8> {
    // Not the macro `s!`: it expands to an `allow` that `forbid(unsafe_code)` refuses.
    counts.index_axis_move(Axis(0), trial).slice_axis_move(Axis(0), Slice::from(pad..))
}
