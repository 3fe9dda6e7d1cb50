//! Coupling in the form it is shown: unit sending and receiving weights with non-negative mean, all sign and scale in the
//! filter (spec §3.7). The function of the model is unchanged.

use ndarray::{Array1, Array2};

/// One factor of one ordered pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalised {
    /// Sending weights.
    pub send: Array1<f32>,
    /// Receiving weights.
    pub receive: Array1<f32>,
    /// Filter coefficients.
    pub coef: Array1<f32>,
}

/// Normalise every factor of a pair: `send` `[N_source, S]`, `receive` `[N_target, S]`, `coef` `[basis, S]`. A weight vector of
/// norm zero stays zero and makes the filter zero; a mean of zero keeps its sign.
pub fn normalised(send: &Array2<f32>, receive: &Array2<f32>, coef: &Array2<f32>) -> Vec<Normalised> {
    (0..coef.ncols())
        .map(|factor| {
            let mut out = Normalised {
                send: send.column(factor).to_owned(),
                receive: receive.column(factor).to_owned(),
                coef: coef.column(factor).to_owned(),
            };
            for weights in [&mut out.send, &mut out.receive] {
                let norm = weights.dot(weights).sqrt();
                let scale = if weights.sum() < 0.0 { -norm } else { norm };
                if norm > 0.0 {
                    *weights /= scale;
                }
                out.coef *= scale;
            }
            out
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn sign_and_scale_move_into_the_filter() {
        let (send, receive, coef) = (array![[3.0f32], [-4.0]], array![[-1.0f32], [-1.0]], array![[2.0f32], [1.0]]);
        let shown = &normalised(&send, &receive, &coef)[0];
        assert!((shown.send.dot(&shown.send) - 1.0).abs() < 1e-6 && shown.send.sum() >= 0.0);
        assert!((shown.receive.dot(&shown.receive) - 1.0).abs() < 1e-6 && shown.receive.sum() >= 0.0);
        for (n, m, k) in [(0, 0, 0), (1, 1, 1), (0, 1, 1)] {
            let before = send[[n, 0]] * receive[[m, 0]] * coef[[k, 0]];
            let after = shown.send[n] * shown.receive[m] * shown.coef[k];
            assert!((before - after).abs() < 1e-5, "the model changed");
        }
    }

    #[test]
    fn zero_weights_do_not_divide_by_zero() {
        let shown = &normalised(&array![[0.0f32], [0.0]], &array![[1.0f32]], &array![[5.0f32]])[0];
        assert!(shown.send.iter().chain(&shown.coef).all(|x| *x == 0.0));
    }
}
