//! The four stages: which terms are on, what trains, with which rate (spec §4.2, §4.3, and ours).

use super::Terms;

/// A stage of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Mean dynamics f0.
    Mean,
    /// Trial-varying own dynamics.
    Trials,
    /// Coupling between areas.
    Coupling,
    /// Post-spike filters.
    PostSpike,
}

impl Stage {
    /// In order.
    pub const ALL: [Self; 4] = [Self::Mean, Self::Trials, Self::Coupling, Self::PostSpike];

    /// 1 to 4.
    pub fn number(self) -> usize {
        self as usize + 1
    }

    /// Name for the user.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "1 · mean dynamics",
            Self::Trials => "2 · trial-varying dynamics",
            Self::Coupling => "3 · coupling",
            Self::PostSpike => "4 · post-spike filters",
        }
    }

    /// Terms of the log-rate that are on.
    pub fn terms(self) -> Terms {
        Terms { vae: self >= Self::Trials, coupling: self >= Self::Coupling, history: self >= Self::PostSpike }
    }

    /// True when the parameter called `name` trains. `published`: the authors' sets, in which coupling and post-spike
    /// parameters are in the optimiser from the start (where the penalty alone drives coupling to zero); ours keeps them out
    /// until their term is on.
    pub fn trains(self, name: &str, published: bool) -> bool {
        let encoder = is_encoder(name);
        let coupling = name.starts_with("coupling");
        let history = name.starts_with("history_coef");
        let frozen = match self {
            Self::Mean => false,
            Self::Trials => name.starts_with("f0_coef"),
            Self::Coupling => encoder,
            // Coupling and offsets were fitted without post-spike filters and stood in for them: ours lets them settle again.
            Self::PostSpike if published => !history,
            Self::PostSpike => encoder,
        };
        let early = (coupling && self < Self::Coupling)
            || (history && self < Self::PostSpike)
            || ((encoder || name.starts_with("decoder")) && self == Self::Mean);
        !frozen && (published || !early)
    }

    /// True when the group penalty on coupling counts.
    pub fn penalises_coupling(self, published: bool) -> bool {
        published || self >= Self::Coupling
    }
}

fn is_encoder(name: &str) -> bool {
    ["read_in", "blocks", "to_latent"].iter().any(|part| name.starts_with(part))
}

/// Learning rate of a parameter.
pub fn learning_rate(name: &str, encoder: f64, other: f64) -> f64 {
    if is_encoder(name) { encoder } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_frozen_sets() {
        let names = [
            "read_in.0.weight",
            "blocks.1.qkv.bias",
            "to_latent.weight",
            "decoder.0.first.weight",
            "readout.1.bias",
            "f0_coef",
            "coupling.2.send",
            "history_coef",
        ];
        let trained = |stage: Stage, published| {
            names.iter().filter(|n| stage.trains(n, published)).map(|n| n.split('.').next().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(trained(Stage::Mean, true).len(), 8);
        assert_eq!(trained(Stage::Trials, true), ["read_in", "blocks", "to_latent", "decoder", "readout", "coupling", "history_coef"]);
        assert_eq!(trained(Stage::Coupling, true), ["decoder", "readout", "f0_coef", "coupling", "history_coef"]);
        assert_eq!(trained(Stage::PostSpike, true), ["history_coef"]);
    }

    #[test]
    fn ours_keeps_coupling_untouched_until_its_stage() {
        for stage in [Stage::Mean, Stage::Trials] {
            assert!(!stage.trains("coupling.0.send", false));
            assert!(!stage.trains("history_coef", false));
            assert!(!stage.penalises_coupling(false));
        }
        assert!(Stage::Coupling.trains("coupling.0.send", false));
        assert!(!Stage::Coupling.trains("blocks.0.qkv.weight", false));
        assert!(!Stage::Coupling.trains("history_coef", false));
        for name in ["coupling.0.send", "history_coef", "decoder.0.first.weight", "readout.1.bias", "f0_coef"] {
            assert!(Stage::PostSpike.trains(name, false), "{name}");
        }
        assert!(!Stage::PostSpike.trains("to_latent.weight", false));
    }

    #[test]
    fn the_encoder_learns_slowly() {
        assert_eq!(learning_rate("blocks.0.proj.weight", 1e-4, 1e-2), 1e-4);
        assert_eq!(learning_rate("coupling.0.send", 1e-4, 1e-2), 1e-2);
    }
}
