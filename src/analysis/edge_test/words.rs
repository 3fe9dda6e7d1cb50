//! Evidence in words: warnings about one pair, and a sentence that can be put into a paper.

use ndarray::{Array3, ArrayView2, Axis};

use super::pair::Pair;
use super::{EdgeEvidence, EdgeReport, NullKind, Verdict};

/// Fewer test trials than this say little.
const FEW_TRIALS: usize = 20;
/// Spikes of a receiving unit expected within the filter after the spikes of one sending unit; fewer say little about a pair.
const FEW_COINCIDENCES: f64 = 30.0;
/// Correlation of own dynamics and coupling above which they stand in for each other.
const ALIKE: f64 = 0.5;

/// What to be careful about; `output` is what the pair adds to the log-rates of test trials `[trials, bins, units]`.
pub(super) fn warnings(pair: &Pair<'_>, evidence: &EdgeEvidence, output: &Array3<f32>) -> Vec<String> {
    let area = pair.area;
    let mut warnings = Vec::new();
    let tested = evidence.held_out.per_trial.len();
    if tested < FEW_TRIALS {
        warnings.push(format!(
            "Only {tested} test trials: the held-out gain is uncertain. Record more trials or leave a larger share for testing"
        ));
    }
    let bins = (area.train.trials() * area.model.bins()).max(1) as f64;
    let mean = |list: Vec<f64>| list.iter().sum::<f64>() / list.len().max(1) as f64;
    let sent = area.spikes.get(pair.source).map_or(0.0, |(train, _)| mean(train.counts()));
    let expected = sent * mean(area.train.spikes()) / bins * area.model.basis.nrows() as f64;
    if expected < FEW_COINCIDENCES {
        warnings.push(format!(
            "Too few spikes: about {expected:.0} spikes of a receiving unit fall within the filter after those of a sending unit. A missing edge means little here"
        ));
    }
    if let Some(r) = likeness(&area.test.own(), output).filter(|r| r.abs() > ALIKE) {
        warnings.push(format!(
            "The coupling and the receiving area's own dynamics go together (correlation {r:.2}): the split between them rests on the smoothness of the own dynamics"
        ));
    }
    if evidence.nulls.iter().any(|n| n.p_gain <= 0.05) && evidence.held_out.interval.0 <= 0.0 {
        warnings.push("A null is exceeded, but the held-out gain is not clearly above zero: the pair may be fitted to noise".to_owned());
    }
    if !evidence.fitted && evidence.held_out.interval.0 > 0.0 {
        warnings.push(
            "The pair helps on held-out trials, but its score stayed below its nulls or the network let it go: fast drive that both \
             areas share, such as a stimulus with a latency of its own in every trial, would look like this"
                .to_owned(),
        );
    }
    if let (true, Some(share), Some(alone)) = (evidence.explained_by_others(), evidence.held_out.own_share(), evidence.held_out.alone) {
        warnings.push(format!(
            "Other areas explain it as well: alone it gains {} nats per held-out trial, beside them {:.0} % of that. Common input or a \
             chain through another area is the likelier reason",
            digits(alone),
            100.0 * share.max(0.0)
        ));
    }
    let of = |kind: NullKind| evidence.nulls.iter().find(|n| n.kind == kind).map(|n| n.p_gain);
    if let (Some(shuffle), Some(jitter)) = (of(NullKind::Shuffle), of(NullKind::Jitter))
        && shuffle <= 0.05
        && jitter > 0.05
    {
        warnings.push("Trials matter, fine timing does not: shared slow drive would look like this".to_owned());
    }
    warnings
}

/// Mean over units of the correlation over trials and bins; `None` without variation.
fn likeness(own: &Array3<f32>, output: &Array3<f32>) -> Option<f64> {
    let each: Vec<f64> = own.axis_iter(Axis(2)).zip(output.axis_iter(Axis(2))).filter_map(|(a, b)| correlation(a, b)).collect();
    (!each.is_empty()).then(|| each.iter().sum::<f64>() / each.len() as f64)
}

fn correlation(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Option<f64> {
    let n = a.len().max(1) as f64;
    let mean = |x: &ArrayView2<'_, f32>| x.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let (ma, mb) = (mean(&a), mean(&b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b.iter()) {
        let (x, y) = (f64::from(*x) - ma, f64::from(*y) - mb);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    (aa > 1e-12 && bb > 1e-12).then(|| ab / (aa * bb).sqrt())
}

/// What every edge is and is not, in one sentence.
pub fn caution() -> &'static str {
    "An edge is an association of spikes given each area's own slow dynamics, not proof of a causal connection."
}

/// One pair, in sentences for a paper.
pub fn sentence(report: &EdgeReport, edge: &EdgeEvidence) -> String {
    let (source, target) = (report.area(edge.source), report.area(edge.target));
    let held = &edge.held_out;
    let verdict = match edge.verdict(report.plan.level) {
        Verdict::Supported => format!("Coupling {source} → {target} was supported"),
        Verdict::Mixed => format!("Coupling {source} → {target} was not settled"),
        Verdict::NotSupported => format!("Coupling {source} → {target} was not supported"),
    };
    let mut text = format!(
        "{verdict} (false discovery rate {:.2}, {} ordered pairs): including it changed the log-likelihood of {} held-out trials by {} nats per trial \
         (95 % bootstrap interval {} to {}; sign-flip p = {}, q = {})",
        report.plan.level,
        report.pairs,
        held.per_trial.len(),
        digits(held.mean),
        digits(held.interval.0),
        digits(held.interval.1),
        p_value(held.p),
        p_value(held.q)
    );
    if let (Some(alone), Some(share)) = (held.alone, held.own_share()) {
        text.push_str(&format!(", {:.0} % of the {} nats that it gains when no other area may send", 100.0 * share, digits(alone)));
    }
    text.push_str(&format!(", and it carried {} % of the rate variance of {target} on these trials", digits(edge.contribution_percent)));
    for null in &edge.nulls {
        let below = null.exceeded(edge.train_gain);
        let how = match null.kind {
            NullKind::Shuffle => format!("with the trials of {source} shuffled within condition"),
            NullKind::Jitter => format!("with the spikes of {source} jittered within {} ms", digits(report.window_s * 1e3)),
        };
        text.push_str(&format!(
            "; on training trials its gain exceeded that of {below} of {} copies {how} (p = {}; by the size of the contribution {})",
            null.gains.len(),
            p_value(null.p_gain),
            p_value(null.p)
        ));
    }
    text.push('.');
    if let Some((lag, height)) = edge.peak() {
        let sign = if height > 0.0 { "positive" } else { "negative" };
        text.push_str(&format!(" The coupling filter peaked at {} ms ({sign}).", digits(lag as f64 * report.bin_s * 1e3)));
    }
    if let Some(stability) = &edge.stability {
        text.push_str(&format!(" It was found in {} of {} halves of the training trials.", stability.count(), stability.found.len()));
    }
    if let Some(over) = edge.over_networks() {
        let (_, low, high) = over.contribution;
        let networks = if over.networks == 1 { "network" } else { "networks" };
        text.push_str(&format!(
            " Of {} {networks} trained anew from other seeds, {} supported it (contribution {} to {} %).",
            over.networks,
            over.supported,
            digits(low),
            digits(high)
        ));
    }
    text
}

/// Three significant digits, without an exponent for usual sizes.
fn digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor() as i32;
    let decimals = (2 - magnitude).clamp(0, 6) as usize;
    let text = format!("{:.*}", decimals, value.abs());
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
    if value < 0.0 { format!("−{text}") } else { text }
}

fn p_value(p: f64) -> String {
    if p < 0.001 { format!("{p:.1e}") } else { format!("{p:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_in_papers() {
        assert_eq!(
            (digits(0.012_345), digits(-4.5), digits(1234.0), digits(0.0)),
            ("0.0123".into(), "−4.5".into(), "1234".into(), "0".into())
        );
        assert_eq!((p_value(0.0001), p_value(0.04)), ("1.0e-4".into(), "0.040".into()));
    }

    #[test]
    fn correlated_terms_are_noticed() {
        let own = Array3::from_shape_fn((4, 10, 2), |(r, t, n)| (r as f32 * 0.3 + t as f32).sin() + n as f32);
        assert!(likeness(&own, &own.mapv(|x| 2.0 * x)).is_some_and(|r| r > 0.999));
        assert!(likeness(&own, &own.mapv(|_| 1.0)).is_none());
    }
}
