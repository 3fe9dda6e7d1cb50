//! The forward pass in tensors, on any device, with every intermediate that a view or a test may ask for (spec §2, §3).

use burn::tensor::{Tensor, activation};

use super::{Block, GlmConfig, GlmNet, Tables, Terms};
use crate::models::host::alike;

/// Everything a forward pass gives.
pub struct Forward {
    /// Log-rate per bin `[M, T, N]`.
    pub log_rate: Tensor<3>,
    /// Own dynamics `[M, T, N]`.
    pub individual: Tensor<3>,
    /// Coupling from all areas `[M, T, N]`.
    pub coupling: Option<Tensor<3>>,
    /// Post-spike term `[M, T, N]`.
    pub history: Option<Tensor<3>>,
    /// Latent means and log-variances `[M, A, D]`.
    pub latent: Option<(Tensor<3>, Tensor<3>)>,
    /// Mean dynamics `[A, K, T]`.
    pub f0: Tensor<3>,
    /// Trial-varying dynamics `[A, M, K, T]`.
    pub factors: Option<Tensor<4>>,
    /// Coupling factors `[active pairs · S, M, T]`, pairs target-major.
    pub series: Option<Tensor<3>>,
    /// Attention per layer, averaged over heads: `[A · M, tokens, tokens]`, or `[A · tokens, M, M]` for attention over trials.
    pub attention: Vec<Tensor<3>>,
}

impl GlmNet {
    /// Log-rates of `counts` `[M, pad + T, N]`. `latent_noise` `[M, A, D]` is a standard normal draw; `None` takes the mean.
    /// `latent` replaces the encoder by known means and log-variances (frozen encoder).
    pub fn forward(
        &self,
        config: &GlmConfig,
        tables: &Tables,
        counts: Tensor<3>,
        terms: Terms,
        latent: Option<(Tensor<3>, Tensor<3>)>,
        latent_noise: Option<Tensor<3>>,
    ) -> Forward {
        let [m, _, _] = counts.dims();
        let f0 = self.mean_dynamics(config, tables);
        let mut attention = Vec::new();
        let latent = match (terms.vae, latent) {
            (false, _) => None,
            (true, Some(known)) => Some(known),
            (true, None) => {
                let (mean, log_variance, maps) = encode(self, config, tables, counts.clone());
                attention = maps;
                Some((mean, log_variance))
            }
        };
        let factors = latent.as_ref().map(|(mean, log_variance)| self.decode(config, tables, draw(mean, log_variance, latent_noise)));
        let individual = self.individual(config, &f0, factors.as_ref(), m);
        let series = terms.coupling.then(|| self.series(config, tables, self.project(config, counts.clone()), config.pad));
        let coupling = series.as_ref().map(|series| self.spread(config, series));
        let history = terms.history.then(|| self.post_spike(config, tables, counts));
        let mut log_rate = individual.clone();
        for term in [&coupling, &history].into_iter().flatten() {
            log_rate = log_rate + term.clone();
        }
        Forward { log_rate, individual, coupling, history, latent, f0, factors, series, attention }
    }

    /// Mean dynamics f0 `[A, K, T]`.
    pub(super) fn mean_dynamics(&self, config: &GlmConfig, tables: &Tables) -> Tensor<3> {
        let (a, k, b) = (config.areas(), config.factors, config.spline_columns());
        let coef = self.f0_coef.val().reshape([a * k, b]);
        let spline = alike(&tables.spline, coef.is_autodiff());
        coef.matmul(spline).reshape([a, k, config.bins])
    }

    /// Trial-varying dynamics `[A, M, K, T]` of latents `[M, A, D]`.
    pub(super) fn decode(&self, config: &GlmConfig, tables: &Tables, latent: Tensor<3>) -> Tensor<4> {
        let [m, _, d] = latent.dims();
        let spline = alike(&tables.spline, latent.is_autodiff() || self.f0_coef.val().is_autodiff());
        let per_area = (0..config.areas())
            .map(|area| {
                let own: Tensor<2> = latent.clone().narrow(1, area, 1).reshape([m, d]);
                let decoder = &self.decoder[area];
                let first = decoder.first.forward(own);
                let coef = match &decoder.second {
                    Some(second) => second.forward(activation::relu(first)),
                    None => first,
                };
                let coef: Tensor<2> = coef.reshape([m * config.factors, config.spline_columns()]);
                coef.matmul(spline.clone()).reshape([1, m, config.factors, config.bins])
            })
            .collect();
        Tensor::cat(per_area, 0)
    }

    /// Own dynamics `[M, T, N]`. The readout's bias enters once with f0 and once more with the trial-varying part (published).
    fn individual(&self, config: &GlmConfig, f0: &Tensor<3>, factors: Option<&Tensor<4>>, m: usize) -> Tensor<3> {
        let (k, t) = (config.factors, config.bins);
        let per_area = (0..config.areas())
            .map(|area| {
                let readout = &self.readout[area];
                let mean: Tensor<3> = f0.clone().narrow(0, area, 1);
                let mean = readout.forward(mean.swap_dims(1, 2)).expand([m, t, config.neurons[area]]);
                match factors {
                    None => mean,
                    Some(factors) => {
                        let own: Tensor<3> = factors.clone().narrow(0, area, 1).reshape([m, k, t]);
                        mean + readout.forward(own.swap_dims(1, 2))
                    }
                }
            })
            .collect();
        Tensor::cat(per_area, 2)
    }

    /// Projected source counts `[active pairs · S, M, pad + T]`.
    fn project(&self, config: &GlmConfig, counts: Tensor<3>) -> Tensor<3> {
        let [m, length, _] = counts.dims();
        let projected = config
            .active_pairs()
            .into_iter()
            .map(|(source, target)| {
                let columns = config.columns(source);
                let own = counts.clone().narrow(2, columns.start, columns.len()).reshape([m * length, columns.len()]);
                let send = self.coupling[config.pair(source, target)].send.val();
                own.matmul(send).swap_dims(0, 1).reshape([config.rank, m, length])
            })
            .collect();
        Tensor::cat(projected, 0)
    }

    /// Coupling factors `[active pairs · S, M, T]` of projected counts whose first `pad` bins are history.
    pub(super) fn series(&self, config: &GlmConfig, tables: &Tables, projected: Tensor<3>, pad: usize) -> Tensor<3> {
        let coef = config
            .active_pairs()
            .into_iter()
            .map(|(source, target)| self.coupling[config.pair(source, target)].filter_coef.val().swap_dims(0, 1))
            .collect();
        tables.filter(projected, Tensor::cat(coef, 0), pad)
    }

    /// Coupling term `[M, T, N]` of coupling factors.
    pub(super) fn spread(&self, config: &GlmConfig, series: &Tensor<3>) -> Tensor<3> {
        let [_, m, t] = series.dims();
        let mut first = 0;
        let per_target = (0..config.areas())
            .map(|target| {
                let sources = config.sources(target);
                let rows = sources.len() * config.rank;
                if rows == 0 {
                    return Tensor::zeros([m, t, config.neurons[target]], &series.device());
                }
                let own = series.clone().narrow(0, first, rows).reshape([rows, m * t]).swap_dims(0, 1);
                first += rows;
                own.matmul(self.receiving(config, target)).reshape([m, t, config.neurons[target]])
            })
            .collect();
        Tensor::cat(per_target, 2)
    }

    /// Receiving weights of all active pairs onto `target`, `[sources · S, N_target]`.
    pub(super) fn receiving(&self, config: &GlmConfig, target: usize) -> Tensor<2> {
        let rows = config
            .sources(target)
            .into_iter()
            .map(|source| self.coupling[config.pair(source, target)].recv.val().swap_dims(0, 1))
            .collect();
        Tensor::cat(rows, 0)
    }

    /// Post-spike filters `[lags, N]`.
    pub(super) fn post_spike_filter(&self, tables: &Tables) -> Tensor<2> {
        let coef = self.history_coef.val();
        alike(&tables.history_basis, coef.is_autodiff()).matmul(coef)
    }

    /// Post-spike term `[M, T, N]`.
    fn post_spike(&self, config: &GlmConfig, tables: &Tables, counts: Tensor<3>) -> Tensor<3> {
        let [m, _, n] = counts.dims();
        let filter = self.post_spike_filter(tables);
        let lags = filter.dims()[0];
        let padded = match lags > config.pad {
            true => Tensor::cat(vec![Tensor::zeros([m, lags - config.pad, n], &counts.device()), counts], 1),
            false => counts.narrow(1, config.pad - lags, lags + config.bins),
        };
        let mut term = Tensor::zeros([m, config.bins, n], &padded.device());
        for lag in 0..lags {
            let tap: Tensor<3> = filter.clone().narrow(0, lag, 1).reshape([1, 1, n]);
            term = term + padded.clone().narrow(1, lags - 1 - lag, config.bins) * tap;
        }
        term
    }
}

/// Latent means and log-variances `[M, A, D]` of `counts` `[M, pad + T, N]`, with the attention of every layer.
pub fn encode(net: &GlmNet, config: &GlmConfig, tables: &Tables, counts: Tensor<3>) -> (Tensor<3>, Tensor<3>, Vec<Tensor<3>>) {
    let [m, _, n] = counts.dims();
    let (a, k, d, latent) = (config.areas(), config.tokens(), config.width, config.latent_per_area);
    let tokens: Tensor<3> =
        counts.narrow(1, config.pad, k * config.token_bins).reshape([m, k, config.token_bins, n]).sum_dim(2).reshape([m, k, n]);
    let positions: Tensor<3> = alike(&tables.positions, net.to_latent.weight.val().is_autodiff()).unsqueeze();
    let embedded = (0..a)
        .map(|area| {
            let columns = config.columns(area);
            let own = net.read_in[area].forward(tokens.clone().narrow(2, columns.start, columns.len())) + positions.clone();
            if config.legacy_trial_attention { own.swap_dims(0, 1) } else { own }
        })
        .collect();
    let mut x: Tensor<3> = Tensor::cat(embedded, 0);
    let mut maps = Vec::new();
    for block in &net.blocks {
        let (next, map) = block.forward(x, config.heads);
        x = next;
        maps.push(map);
    }
    let pooled: Tensor<3> = match config.legacy_trial_attention {
        true => x.reshape([a, k, m, d]).mean_dim(1).reshape([a, m, d]),
        false => x.reshape([a, m, k, d]).mean_dim(2).reshape([a, m, d]),
    };
    let head = net.to_latent.forward(pooled).swap_dims(0, 1);
    (head.clone().narrow(2, 0, latent), head.narrow(2, latent, latent), maps)
}

impl Block {
    /// `x` `[sequences, positions, d]` → the same shape, and attention averaged over heads.
    fn forward(&self, x: Tensor<3>, heads: usize) -> (Tensor<3>, Tensor<3>) {
        let [s, p, d] = x.dims();
        let width = d / heads;
        let qkv = self.qkv.forward(x.clone());
        let part = |which: usize| -> Tensor<4> { qkv.clone().narrow(2, which * d, d).reshape([s, p, heads, width]).swap_dims(1, 2) };
        let scores = part(0).matmul(part(1).swap_dims(2, 3)).mul_scalar(1.0 / (width as f64).sqrt());
        let weights = activation::softmax(scores, 3);
        let mixed = weights.clone().matmul(part(2)).swap_dims(1, 2).reshape([s, p, d]);
        let x = self.ln_attn.forward(x + self.proj.forward(mixed));
        let hidden = activation::gelu(self.ff_in.forward(x.clone()));
        (self.ln_ff.forward(x + self.ff_out.forward(hidden)), weights.mean_dim(1).reshape([s, p, p]))
    }
}

/// The latent: its mean, or a draw around it.
pub(super) fn draw(mean: &Tensor<3>, log_variance: &Tensor<3>, noise: Option<Tensor<3>>) -> Tensor<3> {
    match noise {
        None => mean.clone(),
        Some(noise) => mean.clone() + noise * log_variance.clone().mul_scalar(0.5).exp(),
    }
}
