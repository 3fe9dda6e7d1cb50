//! Velocity decoding from rates (benchmark §3.2): linear decoders fitted on the predicted rates of training trials.

use ndarray::{ArrayView2, ArrayView3, Axis};

use super::ridge::{RidgeScore, stream_r2};
use super::{NlbError, nothing, same_shape};

/// Rates and behaviour of a set of trials.
#[derive(Clone, Copy)]
pub struct DecodeTrials<'a, R> {
    /// Predicted rates of held-in and held-out units `[trials, bins, units]`, spikes per bin, from unmasked input.
    pub rates: ArrayView3<'a, R>,
    /// Behaviour `[trials, bins, outputs]`, already lagged; a NaN in its first output drops the bin.
    pub behaviour: ArrayView3<'a, f64>,
    /// Which trials every decoder uses `[trials, decoders]`; one decoder for all in most data sets.
    pub decoders: ArrayView2<'a, bool>,
}

/// One decoder's result.
pub type Decoder = RidgeScore;

/// R² of decoded behaviour on the evaluation trials, mean over decoders, and every decoder's own result.
///
/// # Errors
/// [`NlbError`] when shapes differ, a decoder has too few bins, or values are not finite.
pub fn velocity_r2<'a, R: Copy + Into<f64>>(
    train: &DecodeTrials<'a, R>,
    eval: &DecodeTrials<'a, R>,
) -> Result<(f64, Vec<Decoder>), NlbError> {
    for set in [train, eval] {
        let (trials, bins, _) = set.rates.dim();
        same_shape("trials and bins of the behaviour", &set.behaviour.shape()[..2], &[trials, bins])?;
        same_shape("trials of the decoders", &[set.decoders.nrows()], &[trials])?;
    }
    let (inputs, outputs) = (train.rates.len_of(Axis(2)), train.behaviour.len_of(Axis(2)));
    same_shape("evaluation rates and behaviour", &[eval.rates.len_of(Axis(2)), eval.behaviour.len_of(Axis(2))], &[inputs, outputs])?;
    same_shape("decoders of the evaluation trials", &[eval.decoders.ncols()], &[train.decoders.ncols()])?;
    if inputs == 0 || outputs == 0 || train.decoders.ncols() == 0 {
        return Err(nothing("there are no rates or no behaviour", "choose units and a covariate"));
    }
    let mut results = Vec::new();
    for decoder in 0..train.decoders.ncols() {
        results.push(stream_r2(&|each| rows(train, decoder, each), &|each| rows(eval, decoder, each), inputs, inputs + outputs)?);
    }
    Ok((results.iter().map(|r| r.r2).sum::<f64>() / results.len() as f64, results))
}

fn rows<R: Copy + Into<f64>>(set: &DecodeTrials<'_, R>, decoder: usize, each: &mut dyn FnMut(&mut dyn Iterator<Item = f64>)) {
    let trials = set.rates.outer_iter().zip(set.behaviour.outer_iter()).zip(set.decoders.column(decoder));
    for ((rates, behaviour), _) in trials.filter(|(_, used)| **used) {
        for (rates, behaviour) in rates.outer_iter().zip(behaviour.outer_iter()) {
            if behaviour.first().is_some_and(|v| !v.is_nan()) {
                each(&mut rates.iter().map(|&r| r.into()).chain(behaviour.iter().copied()));
            }
        }
    }
}
