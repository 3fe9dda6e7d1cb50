//! Loss and gradients on the CPU, window by window, without tensors: the numbers are those of `loss`, up to rounding. Windows are
//! read in place from the activity.

use ndarray::Array2;
use rayon::prelude::*;

use super::folded::{Folded, Slopes};
use super::{Data, Form, LossTerms, NetFormerConfig, NetFormerNet};
use crate::models::DeviceFailed;
use crate::models::adam::Gradients;

/// Windows whose gradients are summed together: the unit of parallel work, so results do not depend on the number of threads.
const GROUP: usize = 4;

/// A network as the CPU reads it, once, valid until the next optimiser step.
pub struct Host {
    pub(super) folded: Folded,
}

impl Host {
    /// Read a network.
    ///
    /// # Errors
    /// When its device cannot be read.
    pub fn read(net: &NetFormerNet, config: &NetFormerConfig) -> Result<Self, DeviceFailed> {
        Ok(Self { folded: Folded::read(net, config)? })
    }

    /// Predictions `[windows, queries]` of the bin after each window; log counts with the Poisson loss.
    pub fn predictions(&self, data: &Data, starts: &[usize]) -> Array2<f32> {
        let config = &self.folded.config;
        let form = Form::cheapest(config, starts.len());
        let mut out = Array2::zeros((starts.len(), config.queries));
        let rows: Vec<_> = out.outer_iter_mut().zip(starts).collect();
        rows.into_par_iter().for_each(|(mut row, &start)| {
            let pass = self.folded.pass(form, data.window(start, config.history));
            row.iter_mut().zip(&pass.prediction).for_each(|(to, from)| *to = *from);
        });
        out
    }

    /// Losses of windows.
    pub fn losses(&self, data: &Data, starts: &[usize]) -> LossTerms {
        let config = &self.folded.config;
        let form = Form::cheapest(config, starts.len());
        let sums: Vec<(f64, f64)> = starts
            .par_iter()
            .map(|&start| {
                let pass = self.folded.pass(form, data.window(start, config.history));
                (self.folded.fit(&pass, data.target(start + config.history), None), self.folded.prior_sum(&pass))
            })
            .collect();
        let (fit, prior) = sums.iter().fold((0.0, 0.0), |(f, p), (fit, prior)| (f + fit, p + prior));
        self.means(fit, prior, starts.len())
    }

    fn means(&self, fit: f64, prior: f64, windows: usize) -> LossTerms {
        let config = &self.folded.config;
        let predicted = (windows * config.queries).max(1) as f64;
        LossTerms::of(config, fit / predicted, prior / (predicted * config.tokens as f64))
    }
}

/// Loss and gradients of windows in a form. See [`super::reference_gradients`]. The gradients are without autodiff, on the
/// network's device.
///
/// # Errors
/// When parameters cannot be read.
pub fn fused_gradients(
    net: &NetFormerNet,
    config: &NetFormerConfig,
    data: &Data,
    starts: &[usize],
    form: Form,
) -> Result<(LossTerms, Gradients), DeviceFailed> {
    let host = Host::read(net, config)?;
    let folded = &host.folded;
    let form = if config.needs_attention() { Form::Explicit } else { form };
    let scale = 1.0 / (starts.len() * config.queries).max(1) as f32;
    let prior_scale = folded.prior.as_ref().map_or(0.0, |p| p.weight as f32) * scale / config.tokens as f32;
    let partial: Vec<Slopes> = starts
        .par_chunks(GROUP)
        .map(|group| {
            let mut d = folded.slopes(form);
            for &start in group {
                let pass = folded.pass(form, data.window(start, config.history));
                folded.backward(&pass, data.target(start + config.history), scale, prior_scale, &mut d);
            }
            d
        })
        .collect();
    let mut total = folded.slopes(form);
    partial.iter().for_each(|part| total.add(part));
    let losses = host.means(total.fit, total.prior, starts.len());
    Ok((losses, folded.unfold(net, total)))
}
