//! Arrays of a GLM-Transformer.
//!
//! | array | shape | meaning |
//! |---|---|---|
//! | `pairs` | pairs × 2 | source and target area of every ordered pair |
//! | `support` | pairs × 2 | edge score and threshold of its nulls, NaN when not scored |
//! | `supported` | pairs | 0 no, 1 yes, 2 not scored |
//! | `contribution_percent`, `mean_output` | pairs | % of the target's rate variance; log-rate |
//! | `filter_K`, `send_K`, `receive_K` | rank × lags; rank × units | coupling of pair K; lag index k acts at k + 1 bins |
//! | `candidate_K` | lags | filter that the score found for a pair that is not supported; else empty |
//! | `post_spike` | units × lags | post-spike filters (log-rate) |
//! | `loadings_A` | factors × units | weights of the units of area A on its slow factors |
//! | `latent_trials`, `latents_A` | trials; trials × dimensions | latent means of area A |
//! | `trialT_coupling_K`, `trialT_factors_A` | rank × bins; factors × bins | detail of entry T of `trials` |
//! | `trialT_post_spike` | bins × units | what past spikes add to `trialT_log_rate`, which is without them; empty before stage 4 |
//! | `truth_step`, `truth_pair`, `truth_score` | n; n × 2; n × 3 | steps; source, target; \|cos\| send, \|cos\| receive, filter correlation |

use super::{Output, bits, bits_array, index, sized, table, tables};
use crate::export::{NpzArray, NpzError, NpzSource};
use crate::training::{GlmSnapshot, GlmTrial, PairSnapshot, Support, TruthScore};

pub(super) fn add(out: &mut Output, glm: &GlmSnapshot) -> Result<(), String> {
    out.pairs(&glm.pairs)?;
    out.0.add("unit_bits", bits_array(&glm.unit_bits));
    out.rows("post_spike", &glm.post_spike)?;
    out.tables("loadings", &glm.loadings)?;
    out.indices("latent_trials", &glm.latent_trials);
    out.tables("latents", &glm.latents)?;
    for (number, trial) in glm.trials.iter().enumerate() {
        out.tables(&format!("trial{number}_coupling"), &trial.coupling)?;
        out.tables(&format!("trial{number}_factors"), &trial.factors)?;
        out.rows(&format!("trial{number}_post_spike"), &trial.post_spike)?;
    }
    out.truth(&glm.truth);
    Ok(())
}

/// What past spikes add to the log-rates of a trial; older runs do not have it.
fn past(npz: &mut NpzSource, number: usize) -> Result<Vec<Vec<f32>>, NpzError> {
    let name = format!("trial{number}_post_spike");
    if npz.has(&name) { npz.rows(&name) } else { Ok(Vec::new()) }
}

pub(super) fn read(npz: &mut NpzSource, trials: usize) -> Result<GlmSnapshot, NpzError> {
    let detail = |number: usize| {
        Ok(GlmTrial {
            coupling: tables(npz, &format!("trial{number}_coupling"))?,
            factors: tables(npz, &format!("trial{number}_factors"))?,
            post_spike: past(npz, number)?,
        })
    };
    let trials = (0..trials).map(detail).collect::<Result<_, NpzError>>()?;
    Ok(GlmSnapshot {
        pairs: pairs(npz)?,
        unit_bits: bits(npz)?,
        post_spike: npz.rows("post_spike")?,
        loadings: tables(npz, "loadings")?,
        latent_trials: npz.indices("latent_trials")?,
        latents: tables(npz, "latents")?,
        trials,
        truth: truth(npz)?,
    })
}

impl Output {
    fn pairs(&mut self, pairs: &[PairSnapshot]) -> Result<(), String> {
        let areas: Vec<u64> = pairs.iter().flat_map(|p| [p.source as u64, p.target as u64]).collect();
        self.0.add("pairs", table(areas, 2, NpzArray::U64));
        let scores = pairs.iter().flat_map(|p| match p.support {
            Support::NotScored => [f32::NAN, f32::NAN],
            Support::Scored { score, null, .. } => [score, null],
        });
        self.0.add("support", table(scores.collect(), 2, NpzArray::F32));
        let supported = pairs.iter().map(|p| match p.support {
            Support::Scored { supported, .. } => u8::from(supported),
            Support::NotScored => 2,
        });
        self.0.add("supported", NpzArray::U8(supported.collect::<ndarray::Array1<u8>>().into_dyn()));
        self.0.add("contribution_percent", NpzArray::list(pairs.iter().map(|p| p.contribution_percent).collect()));
        self.0.add("mean_output", NpzArray::list(pairs.iter().map(|p| p.mean_output).collect()));
        for (k, pair) in pairs.iter().enumerate() {
            self.rows(&format!("filter_{k}"), &pair.filter)?;
            self.0.add(format!("candidate_{k}"), NpzArray::list(pair.candidate.clone()));
            self.rows(&format!("send_{k}"), &pair.send)?;
            self.rows(&format!("receive_{k}"), &pair.receive)?;
        }
        Ok(())
    }

    fn truth(&mut self, truth: &[(u64, TruthScore)]) {
        self.0.add("truth_step", NpzArray::indices(truth.iter().map(|(step, _)| *step).collect()));
        self.0.add("truth_pair", table(truth.iter().flat_map(|(_, t)| [t.source as u64, t.target as u64]).collect(), 2, NpzArray::U64));
        self.0.add(
            "truth_score",
            table(truth.iter().flat_map(|(_, t)| [t.cos_send, t.cos_receive, t.filter_corr]).collect(), 3, NpzArray::F32),
        );
    }
}

fn pairs(npz: &mut NpzSource) -> Result<Vec<PairSnapshot>, NpzError> {
    let supported = npz.list::<u8>("supported")?;
    let n = supported.len();
    let areas = sized::<u64>(npz, "pairs", n, 2)?;
    let support = sized::<f32>(npz, "support", n, 2)?;
    let contribution = npz.list::<f32>("contribution_percent")?;
    let output = npz.list::<f32>("mean_output")?;
    if contribution.len() != n || output.len() != n {
        return Err(npz.wrong("contribution_percent", format!("it and mean_output must have {n} entries")));
    }
    let mut pairs = Vec::with_capacity(n);
    for (k, (&flag, (contribution_percent, mean_output))) in supported.iter().zip(contribution.into_iter().zip(output)).enumerate() {
        let (score, null) = (support[[k, 0]], support[[k, 1]]);
        let support = match flag {
            0 | 1 => Support::Scored { score, null, supported: flag == 1 },
            2 => Support::NotScored,
            other => return Err(npz.wrong("supported", format!("{other} is none of 0, 1, 2"))),
        };
        pairs.push(PairSnapshot {
            source: index(npz, "pairs", areas[[k, 0]])?,
            target: index(npz, "pairs", areas[[k, 1]])?,
            support,
            filter: npz.rows(&format!("filter_{k}"))?,
            candidate: npz.list(&format!("candidate_{k}"))?,
            send: npz.rows(&format!("send_{k}"))?,
            receive: npz.rows(&format!("receive_{k}"))?,
            contribution_percent,
            mean_output,
        });
    }
    Ok(pairs)
}

fn truth(npz: &mut NpzSource) -> Result<Vec<(u64, TruthScore)>, NpzError> {
    let steps = npz.list::<u64>("truth_step")?;
    let areas = sized::<u64>(npz, "truth_pair", steps.len(), 2)?;
    let scores = sized::<f32>(npz, "truth_score", steps.len(), 3)?;
    let entry = |(i, step): (usize, u64)| {
        Ok((
            step,
            TruthScore {
                source: index(npz, "truth_pair", areas[[i, 0]])?,
                target: index(npz, "truth_pair", areas[[i, 1]])?,
                cos_send: scores[[i, 0]],
                cos_receive: scores[[i, 1]],
                filter_corr: scores[[i, 2]],
            },
        ))
    };
    steps.into_iter().enumerate().map(entry).collect()
}
