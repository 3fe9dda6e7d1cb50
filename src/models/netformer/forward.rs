//! The forward pass in tensors, on any device (spec §2.1), in any [`Form`].

use burn::tensor::{Tensor, activation};

use super::{Activation, Form, NetFormerConfig, NetFormerNet};

/// What a forward pass gives.
pub struct Forward {
    /// Prediction of the next bin `[B, queries, 1]`; log counts with the Poisson loss.
    pub prediction: Tensor<3>,
    /// A `[B, queries, S]`, with activation and scale; only from [`Form::Explicit`].
    pub attention: Option<Tensor<3>>,
}

impl NetFormerNet {
    /// Predictions for windows `x` `[B, S, H]`, last column newest. A form that cannot express the activation is replaced by
    /// [`Form::Explicit`].
    pub fn forward(&self, config: &NetFormerConfig, x: Tensor<3>, form: Form) -> Forward {
        let (h, factor) = (config.history, config.factor());
        let z = self.tokens(config, x);
        let [b, s, width] = z.dims();
        let first = config.first_value();
        let values = z.clone().narrow(2, first, h - first);
        let queries = z.clone().narrow(1, 0, config.queries);
        let form = if config.activation == Activation::None { form } else { Form::Explicit };
        let (received, attention) = match form {
            Form::Explicit => {
                let attention = self.attention(config, z, queries);
                (attention.clone().matmul(values.clone()), Some(attention))
            }
            Form::Rows => {
                let rows = queries.reshape([b * config.queries, width]).matmul(self.bilinear()).reshape([b, config.queries, width]);
                (rows.matmul(z.swap_dims(1, 2).matmul(values.clone())).mul_scalar(factor), None)
            }
            Form::Gram => {
                let gram = z.swap_dims(1, 2).matmul(values.clone());
                let columns = gram.dims()[2];
                // M times every window's products, as one matrix product.
                let gram = gram.swap_dims(0, 1).reshape([width, b * columns]);
                let sent = self.bilinear().matmul(gram).reshape([width, b, columns]).swap_dims(0, 1);
                (queries.matmul(sent).mul_scalar(factor), None)
            }
        };
        debug_assert_eq!(values.dims()[1], s);
        let own = values.narrow(1, 0, config.queries);
        let mut out = if config.residual { received + own } else { received };
        if let Some(norm) = &self.ln_out {
            out = norm.forward(out);
        }
        let last = out.dims()[2] - 1;
        let mut prediction = out.narrow(2, last, 1);
        if let Some(offset) = &self.offset {
            prediction = prediction + offset.val().reshape([1, config.queries, 1]).expand([b, config.queries, 1]);
        }
        Forward { prediction, attention }
    }

    /// Sum of A over windows `[queries, S]`; without activation as one matrix product, in which no window's A is formed.
    pub(super) fn attention_sum(&self, config: &NetFormerConfig, x: Tensor<3>) -> Tensor<2> {
        let z = self.tokens(config, x);
        let [b, s, _] = z.dims();
        let queries = z.clone().narrow(1, 0, config.queries);
        if config.activation != Activation::None {
            return self.attention(config, z, queries).sum_dim(0).reshape([config.queries, s]);
        }
        let wide = b * config.key_width;
        let queries = project(queries, &self.query.weight.val()).swap_dims(0, 1).reshape([config.queries, wide]);
        let keys = project(z, &self.key.weight.val()).swap_dims(0, 1).reshape([s, wide]);
        queries.matmul(keys.transpose()).mul_scalar(config.factor())
    }

    /// z `[B, S, D]`.
    fn tokens(&self, config: &NetFormerConfig, x: Tensor<3>) -> Tensor<3> {
        let [b, s, _] = x.dims();
        let identity: Tensor<3> = self.identity.val().unsqueeze();
        let z = Tensor::cat(vec![x, identity.expand([b, s, config.identity])], 2);
        match &self.ln_in {
            Some(norm) => norm.forward(z),
            None => z,
        }
    }

    fn attention(&self, config: &NetFormerConfig, z: Tensor<3>, queries: Tensor<3>) -> Tensor<3> {
        let queries = project(queries, &self.query.weight.val());
        let scores = queries.matmul(project(z, &self.key.weight.val()).swap_dims(1, 2));
        let active = match config.activation {
            Activation::None => scores,
            Activation::Softmax => activation::softmax(scores, 2),
            Activation::Sigmoid => activation::sigmoid(scores),
            Activation::Tanh => scores.tanh(),
        };
        active.mul_scalar(config.factor())
    }

    /// M = W_Qᵀ W_K `[D, D]`.
    fn bilinear(&self) -> Tensor<2> {
        self.query.weight.val().matmul(self.key.weight.val().transpose())
    }
}

/// A matrix on the last dimension, as one matrix product.
fn project(x: Tensor<3>, weight: &Tensor<2>) -> Tensor<3> {
    let [b, rows, columns] = x.dims();
    let width = weight.dims()[1];
    x.reshape([b * rows, columns]).matmul(weight.clone()).reshape([b, rows, width])
}
