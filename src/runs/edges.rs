//! Ordered pairs of areas as rows: for `edges.csv` and for printing.

use crate::export::CsvTable;
use crate::training::{PairSnapshot, Snapshot, Support};

/// One ordered pair of areas.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeRow {
    /// Sending area.
    pub source: String,
    /// Receiving area.
    pub target: String,
    /// Edge score against its nulls.
    pub support: Support,
    /// Share of the target's rate variance that vanishes without this pair, percent.
    pub contribution_percent: f32,
    /// Mean coupling output to the ten best receivers, log-rate.
    pub mean_output: f32,
    /// Lag at which the (first) filter is farthest from zero, ms; `None` for a pair without a filter.
    pub filter_peak_ms: Option<f64>,
}

/// All pairs of a snapshot, in its order.
pub fn edge_rows(snapshot: &Snapshot) -> Vec<EdgeRow> {
    let area = |i: usize| snapshot.areas.get(i).cloned().unwrap_or_else(|| format!("area {i}"));
    let row = |pair: &PairSnapshot| EdgeRow {
        source: area(pair.source),
        target: area(pair.target),
        support: pair.support,
        contribution_percent: pair.contribution_percent,
        mean_output: pair.mean_output,
        filter_peak_ms: peak_ms(pair, snapshot.bin_s),
    };
    snapshot.pairs().iter().map(row).collect()
}

fn peak_ms(pair: &PairSnapshot, bin_s: f64) -> Option<f64> {
    let filter = pair.filter.first()?;
    let (lag, value) = filter.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))?;
    (*value != 0.0 && value.is_finite()).then_some((lag + 1) as f64 * bin_s * 1e3)
}

pub(super) fn table(snapshot: &Snapshot) -> CsvTable {
    let header =
        ["source", "target", "supported", "score", "jitter_null", "contribution_percent", "mean_output_log_rate", "filter_peak_ms"];
    let mut table = CsvTable::new(&header);
    for row in edge_rows(snapshot) {
        let (supported, score, null) = match row.support {
            Support::NotScored => (String::new(), String::new(), String::new()),
            Support::Scored { score, null, supported } => (supported.to_string(), score.to_string(), null.to_string()),
        };
        let peak = row.filter_peak_ms.map(|p| format!("{p:.3}")).unwrap_or_default();
        table.rows.push(vec![
            row.source,
            row.target,
            supported,
            score,
            null,
            row.contribution_percent.to_string(),
            row.mean_output.to_string(),
            peak,
        ]);
    }
    table
}
