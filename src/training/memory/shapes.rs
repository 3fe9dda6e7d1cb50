//! How many numbers each model holds, from its shapes.

use super::super::estimate::DataShape;
use super::super::{GlmRecipe, NetFormerRecipe, StndtRecipe};
use crate::models::netformer::{Form, NetFormerConfig};
use crate::models::stndt::{Grid, StndtConfig};
use crate::training::{netformer, stndt};

fn n(value: usize) -> f64 {
    value as f64
}

/// A GLM-Transformer, a batch of it at a time.
pub(super) struct Glm<'a> {
    recipe: &'a GlmRecipe,
    shape: &'a DataShape,
    batch: f64,
    tokens: f64,
    pairs: f64,
}

impl<'a> Glm<'a> {
    pub(super) fn new(recipe: &'a GlmRecipe, shape: &'a DataShape) -> Self {
        let areas = n(shape.areas.len());
        Self {
            recipe,
            shape,
            batch: n(recipe.batch.min(shape.train).max(1)),
            tokens: n(shape.bins / recipe.token_bins.max(1)),
            pairs: if recipe.self_coupling { areas * areas } else { areas * (areas - 1.0).max(0.0) },
        }
    }

    fn areas(&self) -> f64 {
        n(self.shape.areas.len())
    }

    fn units(&self) -> f64 {
        n(self.shape.units())
    }

    /// Numbers that are trained, in the order of `GlmNet`.
    pub(super) fn parameters(&self) -> f64 {
        let recipe = self.recipe;
        let (areas, units, d, latent) = (self.areas(), self.units(), n(recipe.width), n(recipe.latent_per_area));
        let (rank, factors, splines) = (n(recipe.rank), n(recipe.factors), n(recipe.splines + 1));
        let outputs = factors * splines;
        let decoder = match recipe.decoder_multiple {
            0 => latent * outputs + outputs,
            multiple => {
                let hidden = n(multiple) * latent;
                latent * hidden + hidden + hidden * outputs + outputs
            }
        };
        let coupling = areas * areas * n(recipe.coupling_basis) * rank + 2.0 * areas * units * rank;
        let read_in = units * d + areas * d;
        let readout = (factors + 1.0) * units;
        self.encoder() + read_in + areas * decoder + readout + areas * outputs + coupling + n(recipe.history_basis) * units
    }

    /// Layers and head, which all areas share.
    fn encoder(&self) -> f64 {
        let (d, hidden) = (n(self.recipe.width), n(self.recipe.hidden));
        let layer = 4.0 * d * d + 9.0 * d + 2.0 * d * hidden + hidden;
        let latent = 2.0 * n(self.recipe.latent_per_area);
        n(self.recipe.layers) * layer + d * latent + latent
    }

    /// Counts of so many trials.
    pub(super) fn cells(&self, trials: usize) -> f64 {
        n(trials) * n(self.shape.bins + self.shape.pad_bins) * self.units()
    }

    /// Counts per token of so many trials.
    pub(super) fn token_counts(&self, trials: usize) -> f64 {
        n(trials) * self.tokens * self.units()
    }

    /// The kernels sum gradients of eight trials of an area at a time, and all sums at the end.
    pub(super) fn partial_gradients(&self) -> f64 {
        let read_in = self.units() * n(self.recipe.width);
        self.areas() * (self.batch / 8.0).ceil() * (self.encoder() + read_in)
    }

    /// Rows of tokens of all areas.
    fn rows(&self) -> f64 {
        self.batch * self.areas() * self.tokens
    }

    fn attention(&self) -> f64 {
        self.rows() * self.tokens * n(self.recipe.heads)
    }

    /// Features of all areas' readouts: slow factors and what other areas send.
    fn features(&self) -> f64 {
        self.batch * n(self.shape.bins) * (self.areas() * n(self.recipe.factors) + self.pairs * n(self.recipe.rank))
    }

    /// What other areas send, with the bins before the trial.
    fn projected(&self) -> f64 {
        self.batch * n(self.shape.bins + self.shape.pad_bins) * self.pairs * n(self.recipe.rank)
    }

    /// See `kernels::encoder::Kept`; stage 2 holds the encoder, stages 3 and 4 the coupling.
    pub(super) fn kept_by_the_cpu(&self) -> f64 {
        let (d, hidden) = (n(self.recipe.width), n(self.recipe.hidden));
        let layer = self.rows() * (9.0 * d + 2.0 * hidden) + self.attention();
        let encoder = n(self.recipe.layers) * layer + self.token_counts_of_batch();
        // Value, gradient, and both once more as arrays of the kernel.
        encoder + 4.0 * self.features() + 4.0 * self.projected() + self.rates()
    }

    fn token_counts_of_batch(&self) -> f64 {
        self.batch * self.tokens * self.units()
    }

    /// Rates of a batch `[M, T, N]`, when edges are scored.
    fn rates(&self) -> f64 {
        self.batch * n(self.shape.bins) * self.units()
    }

    /// Every tensor of the larger of both: the encoder with coupling off, or all post-spike lags of all rates.
    pub(super) fn kept_by_a_gpu(&self) -> f64 {
        let (d, hidden) = (n(self.recipe.width), n(self.recipe.hidden));
        let layer = self.rows() * (24.0 * d + 8.0 * hidden) + 6.0 * self.attention();
        let lags = self.recipe.history_peak_bins.max(1.0) * 2.0;
        let readout = (8.0 + 2.0 * lags) * self.rates() + 6.0 * self.features() + 6.0 * self.projected();
        n(self.recipe.layers) * layer + readout
    }

    pub(super) fn largest(&self) -> f64 {
        self.attention().max(self.rates()).max(self.projected()).max(self.rows() * n(self.recipe.hidden).max(3.0 * n(self.recipe.width)))
    }
}

/// An STNDT or NDT, a batch of it at a time.
pub(super) struct Stndt {
    config: StndtConfig,
    batch: f64,
}

impl Stndt {
    pub(super) fn new(recipe: &StndtRecipe, shape: &DataShape) -> Self {
        let forward = recipe.forward_bins.min(shape.bins.saturating_sub(1));
        let grid = Grid { heldin: shape.units(), heldout: 0, observed: shape.bins - forward, forward };
        Self { config: stndt::config(recipe, &grid), batch: n(recipe.batch.min(shape.train).max(1)) }
    }

    pub(super) fn parameters(&self) -> f64 {
        n(self.config.size())
    }

    /// Entries `[trials, T, N]`.
    pub(super) fn cells(&self, trials: usize) -> f64 {
        n(trials) * n(self.config.bins) * n(self.config.units)
    }

    /// Groups of four trials whose gradients are summed at the end.
    pub(super) fn groups(&self) -> f64 {
        (self.batch / 4.0).ceil()
    }

    fn batch_cells(&self) -> f64 {
        self.batch * n(self.config.bins) * n(self.config.units)
    }

    /// One layer of one trial: rows of bins, and of units where the network looks at those too.
    fn layer(&self, rows_of: f64, maps: f64) -> f64 {
        let (units, bins, hidden) = (n(self.config.units), n(self.config.bins), n(self.config.hidden));
        let time = bins * (rows_of * units + hidden) + maps * n(self.config.heads) * bins * bins;
        let space = match self.config.spatial {
            true => bins * (rows_of * units + hidden) + maps * (n(self.config.heads) + 1.0) * units * units,
            false => 0.0,
        };
        time + space
    }

    /// The batch with its mask, target and views, and what two trials per thread keep.
    pub(super) fn kept_by_the_cpu(&self) -> f64 {
        let views = if self.config.contrast.is_some() { 4.0 } else { 0.0 };
        let threads = rayon::current_num_threads() as f64;
        let passes = threads * 2.0 * n(self.config.layers) * self.layer(8.0, 1.0);
        (4.0 + views) * self.batch_cells() + passes
    }

    /// Every tensor of all trials.
    pub(super) fn kept_by_a_gpu(&self) -> f64 {
        let views = if self.config.contrast.is_some() { 12.0 } else { 0.0 };
        self.batch * n(self.config.layers) * self.layer(20.0, 6.0) + (10.0 + views) * self.batch_cells()
    }

    pub(super) fn largest(&self) -> f64 {
        let (units, bins, heads) = (n(self.config.units), n(self.config.bins), n(self.config.heads));
        let maps = bins.max(if self.config.spatial { units } else { 0.0 }).powi(2) * heads;
        self.batch * maps.max(bins * units.max(n(self.config.hidden)) * 3.0)
    }
}

/// A NetFormer, a batch of windows at a time.
pub(super) struct NetFormer {
    config: NetFormerConfig,
    units: usize,
    batch: f64,
    form: Form,
}

impl NetFormer {
    pub(super) fn new(recipe: &NetFormerRecipe, shape: &DataShape) -> Self {
        let units = shape.units();
        let config = netformer::config(recipe, units, 0, vec![0; units]);
        let form = Form::cheapest(&config, recipe.batch);
        Self { config, units, batch: n(recipe.batch), form }
    }

    pub(super) fn units(&self) -> usize {
        self.units
    }

    pub(super) fn parameters(&self) -> f64 {
        n(self.config.size())
    }

    /// Sums of four windows each (`Slopes`): of the bilinear form, of the products of identities with it, and of identities. Where
    /// tokens meet the form through those products, only its rows that change from window to window are summed.
    pub(super) fn partial_gradients(&self) -> f64 {
        let (p, varying) = (n(self.config.width() + 1), n(self.config.history + 1));
        let (s, q, e) = (n(self.config.tokens), n(self.config.queries), n(self.config.identity));
        let group = match self.form {
            Form::Gram => p * p,
            Form::Explicit | Form::Rows => varying * p + q * p,
        };
        (1.0 + (self.batch / 4.0).ceil()) * (group + s * e)
    }

    fn window(&self) -> f64 {
        let (p, s, q) = (n(self.config.width() + 1), n(self.config.tokens), n(self.config.queries));
        match self.form {
            Form::Explicit => 3.0 * q * s + 4.0 * s * p,
            Form::Rows => 2.0 * q * p + 4.0 * s * p,
            Form::Gram => 3.0 * p * p + 4.0 * s * p,
        }
    }

    /// One window per thread; mean and spread of A are formed for views and results.
    pub(super) fn kept_by_the_cpu(&self) -> f64 {
        rayon::current_num_threads() as f64 * self.window() + 6.0 * n(self.config.tokens) * n(self.config.queries)
    }

    /// Every tensor of all windows.
    pub(super) fn kept_by_a_gpu(&self) -> f64 {
        let (p, s, q) = (n(self.config.width()), n(self.config.tokens), n(self.config.queries));
        let form = match self.form {
            Form::Explicit => 4.0 * q * s,
            Form::Rows => 6.0 * q * p,
            Form::Gram => 6.0 * p * p,
        };
        self.batch * (14.0 * s * p + form) + 6.0 * s * q
    }

    pub(super) fn largest(&self) -> f64 {
        let (p, s, q) = (n(self.config.width()), n(self.config.tokens), n(self.config.queries));
        let form = if self.form == Form::Explicit { q * s } else { p * p };
        self.batch * form.max(s * p)
    }
}
