//! Which column of a text file is what: delimiter, header, time unit.

use super::TimeUnit;

/// How fields are separated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delimiter {
    pub(super) byte: u8,
    /// `1,5` means 1.5.
    pub(super) decimal_comma: bool,
}

impl Delimiter {
    /// In words.
    pub(super) fn name(self) -> &'static str {
        match (self.byte, self.decimal_comma) {
            (b'\t', false) => "tabs",
            (b'\t', true) => "tabs (decimal comma)",
            (b';', false) => "semicolons",
            (b';', true) => "semicolons (decimal comma)",
            (b',', _) => "commas",
            (_, false) => "spaces",
            (_, true) => "spaces (decimal comma)",
        }
    }

    /// Fields of a line (used on the first lines only).
    pub(super) fn split(self, line: &str) -> Vec<String> {
        if self.byte == b' ' {
            return line.split_ascii_whitespace().map(unquoted).collect();
        }
        let mut reader =
            ::csv::ReaderBuilder::new().delimiter(self.byte).has_headers(false).trim(::csv::Trim::All).from_reader(line.as_bytes());
        let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
        record.iter().map(str::to_owned).collect()
    }

    /// A number as this file writes it.
    pub(super) fn number(self, field: &str) -> Option<f64> {
        let field = field.trim();
        if self.decimal_comma && field.contains(',') { field.replace(',', ".").parse().ok() } else { field.parse().ok() }
    }
}

fn unquoted(field: &str) -> String {
    field.trim().trim_matches('"').trim().to_owned()
}

/// The delimiter that splits every one of the first lines into the same number (at least two) of fields.
pub(super) fn sniff_delimiter(lines: &[&str]) -> Option<Delimiter> {
    for byte in [b'\t', b';', b',', b' '] {
        let plain = Delimiter { byte, decimal_comma: false };
        let counts: Vec<usize> = lines.iter().map(|l| plain.split(l).len()).collect();
        let width = counts.first().copied().unwrap_or(0);
        if width < 2 || counts.iter().any(|&n| n != width) {
            continue;
        }
        if byte == b',' {
            return Some(plain);
        }
        let fields = || lines.iter().flat_map(|l| plain.split(l));
        let with_comma = |f: &String| f.contains(',') && Delimiter { byte, decimal_comma: true }.number(f).is_some();
        let with_point = |f: &String| f.contains('.') && plain.number(f).is_some();
        let decimal_comma = fields().any(|f| with_comma(&f)) && !fields().any(|f| with_point(&f));
        return Some(Delimiter { byte, decimal_comma });
    }
    None
}

/// Where things are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Columns {
    pub(super) unit: usize,
    pub(super) time: usize,
    pub(super) area: Option<usize>,
    /// Seconds per unit of time, when the name of the column says it.
    pub(super) scale: Option<f64>,
    /// Names of columns that are not used.
    pub(super) ignored: Vec<String>,
    /// Whether the first line is a header.
    pub(super) header: bool,
    /// Why the columns were taken so.
    pub(super) reason: String,
}

const TIME: &[&str] = &["time", "times", "t", "spiketime", "spiketimes", "timestamp", "timestamps", "spiketimestamp", "spike"];
const UNIT: &[&str] = &[
    "unit",
    "units",
    "unitid",
    "unitids",
    "id",
    "ids",
    "neuron",
    "neurons",
    "neuronid",
    "neuronids",
    "cluster",
    "clusters",
    "clusterid",
    "cell",
    "cells",
    "cellid",
    "nodeid",
    "nodeids",
    "gid",
    "gids",
    "unitname",
    "electrode",
    "channel",
];
const AREA: &[&str] = &["area", "areas", "brainarea", "region", "regions", "brainregion", "location", "structure", "population"];

/// A header name without case, punctuation and time unit, and the seconds that one unit of it lasts.
fn meaning(name: &str) -> (String, Option<f64>) {
    let lower = name.to_lowercase();
    let mut words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric() && c != 'µ').filter(|w| !w.is_empty()).collect();
    let scale = match words.last().copied() {
        Some("s" | "sec" | "secs" | "second" | "seconds") if words.len() > 1 => Some(1.0),
        Some("ms" | "msec" | "millisecond" | "milliseconds") if words.len() > 1 => Some(1e-3),
        Some("us" | "µs" | "usec" | "microsecond" | "microseconds") if words.len() > 1 => Some(1e-6),
        _ => None,
    };
    if scale.is_some() {
        words.pop();
        if words.last() == Some(&"in") {
            words.pop();
        }
    }
    (words.concat(), scale)
}

/// Find the columns, from the header if there is one, else from the values of the first lines.
pub(super) fn find(rows: &[Vec<String>], delimiter: Delimiter) -> Result<Columns, String> {
    let first = rows.first().ok_or("the file has no lines with data")?;
    let numeric = |f: &String| delimiter.number(f).is_some();
    if first.iter().any(numeric) && !known_names(first) { by_values(rows, delimiter) } else { by_header(first) }
}

fn known_names(first: &[String]) -> bool {
    first.iter().any(|f| TIME.contains(&meaning(f).0.as_str())) && first.iter().any(|f| UNIT.contains(&meaning(f).0.as_str()))
}

fn by_header(names: &[String]) -> Result<Columns, String> {
    // The list is in order of preference: a file with "unit" and "channel" means the unit.
    let find = |known: &[&str]| known.iter().find_map(|k| names.iter().position(|n| meaning(n).0 == *k));
    let listed = || names.iter().take(12).map(String::as_str).collect::<Vec<_>>().join(", ");
    let time = find(TIME).ok_or_else(|| format!("no column of spike times among its columns ({})", listed()))?;
    let unit = find(UNIT).filter(|&u| u != time).ok_or_else(|| format!("no column of unit ids among its columns ({})", listed()))?;
    let area = find(AREA).filter(|a| *a != unit && *a != time);
    let used = [Some(unit), Some(time), area];
    let ignored = names.iter().enumerate().filter(|(i, _)| !used.contains(&Some(*i))).map(|(_, n)| n.clone()).collect();
    let name = |at: usize| names.get(at).map(String::as_str).unwrap_or_default();
    let reason = format!("column '{}' holds the unit, '{}' the time", name(unit), name(time));
    Ok(Columns { unit, time, area, scale: meaning(name(time)).1, ignored, header: true, reason })
}

fn by_values(rows: &[Vec<String>], delimiter: Delimiter) -> Result<Columns, String> {
    let width = rows.first().map_or(0, Vec::len);
    let column = |i: usize| rows.iter().filter_map(move |r| r.get(i));
    let numbers: Vec<usize> = (0..width).filter(|&i| column(i).all(|f| delimiter.number(f).is_some())).collect();
    let texts: Vec<usize> = (0..width).filter(|i| !numbers.contains(i)).collect();
    let whole = |&i: &usize| column(i).all(|f| delimiter.number(f).is_some_and(|v| v.fract() == 0.0));
    let distinct = |i: usize| column(i).collect::<std::collections::BTreeSet<_>>().len();
    let (unit, time, area) = match (numbers.as_slice(), texts.as_slice()) {
        (&[time], &[unit]) => (unit, time, None),
        (&[a, b], rest) if rest.len() <= 1 => {
            let swap = match (whole(&a), whole(&b)) {
                (true, false) => false,
                (false, true) => true,
                // Both whole, or both not: the one with more different values is the time.
                _ => distinct(a) > distinct(b),
            };
            if swap { (b, a, rest.first().copied()) } else { (a, b, rest.first().copied()) }
        }
        _ => return Err(format!("it has no header and {width} columns, which could be counts per bin or one column per unit")),
    };
    let reason = format!("there is no header; column {} is taken as the unit and column {} as the time", unit + 1, time + 1);
    Ok(Columns { unit, time, area, scale: None, ignored: Vec::new(), header: false, reason })
}

/// Seconds per unit of time, with the reason in words.
pub(super) fn decide_scale(chosen: TimeUnit, named: Option<f64>, counts: &[usize], first: f64, last: f64) -> (f64, String) {
    match (chosen, named) {
        (TimeUnit::Seconds, _) => (1.0, "times are read as seconds, as chosen".to_owned()),
        (TimeUnit::Milliseconds, _) => (1e-3, "times are read as milliseconds, as chosen".to_owned()),
        (TimeUnit::Automatic, Some(scale)) => {
            let name = if scale == 1.0 {
                "seconds"
            } else if scale == 1e-3 {
                "milliseconds"
            } else {
                "microseconds"
            };
            (scale, format!("times are read as {name}, as the name of the column says"))
        }
        (TimeUnit::Automatic, None) => {
            let rate = median_rate(counts, last - first);
            // Neurons fire at 0.05 to 300 spikes/s; a thousandth of that is not plausible for a median.
            if rate < 0.02 && (0.02..=1000.0).contains(&(rate * 1e3)) {
                let plausible = format!("{:.3} spikes/s, as seconds only {:.6}", rate * 1e3, rate);
                (1e-3, format!("the file does not say the unit of time; milliseconds are assumed (the median unit then fires {plausible})"))
            } else {
                (
                    1.0,
                    format!("the file does not say the unit of time; seconds are assumed (the median unit then fires {rate:.3} spikes/s)"),
                )
            }
        }
    }
}

fn median_rate(counts: &[usize], duration: f64) -> f64 {
    let mut counts: Vec<usize> = counts.to_vec();
    counts.sort_unstable();
    match counts.get(counts.len() / 2) {
        Some(&n) if duration > 0.0 => n as f64 / duration,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn columns(text: &str) -> Result<Columns, String> {
        let lines: Vec<&str> = text.lines().collect();
        let delimiter = sniff_delimiter(&lines).unwrap();
        find(&lines.iter().map(|l| delimiter.split(l)).collect::<Vec<_>>(), delimiter)
    }

    #[test]
    fn delimiters_and_decimal_commas_are_told_apart() {
        let sniff = |text: &str| sniff_delimiter(&text.lines().collect::<Vec<_>>()).map(Delimiter::name);
        assert_eq!(sniff("unit,time\n1,0.5\n2,0.7"), Some("commas"));
        assert_eq!(sniff("unit;time\n1;0,5\n2;0,7"), Some("semicolons (decimal comma)"));
        assert_eq!(sniff("unit;time\n1;0.5"), Some("semicolons"));
        assert_eq!(sniff("t\tneuron\n8.45\tadn_00"), Some("tabs"));
        assert_eq!(sniff("1   0.5\n12  0.7"), Some("spaces"));
        assert_eq!(sniff("one column\nand more words"), None);
    }

    #[test]
    fn headers_are_found_in_any_order_and_case() {
        let c = columns("Brain Area,Spike_Time_ms,Unit ID,depth\nV1,1.5,3,100").unwrap();
        assert_eq!((c.unit, c.time, c.area, c.scale, c.header), (2, 1, Some(0), Some(1e-3), true));
        assert_eq!(c.ignored, ["depth"]);
        let c = columns("t\tneuron\n8.45\tadn_00").unwrap();
        assert_eq!((c.unit, c.time, c.scale), (1, 0, None));
        let c = columns("Time (s),Electrode\n0.5,A1_11").unwrap();
        assert_eq!((c.unit, c.time, c.scale), (1, 0, Some(1.0)));
        let c = columns("timestamps population node_ids\n136.6 v1 0").unwrap();
        assert_eq!((c.unit, c.time, c.area), (2, 0, Some(1)));
    }

    #[test]
    fn columns_without_header_are_told_apart_by_their_values() {
        let c = columns("1 0.008\n1 0.03\n4 0.07").unwrap();
        assert_eq!((c.unit, c.time, c.header), (0, 1, false));
        let c = columns("8,1\n32,1\n77,4").unwrap();
        assert_eq!((c.unit, c.time), (1, 0));
        let c = columns("a,0.5\nb,0.7").unwrap();
        assert_eq!((c.unit, c.time), (0, 1));
        assert!(columns("0,1,0,2\n1,0,0,1").unwrap_err().contains("counts per bin"));
        assert!(columns("start,stop,label\n0.0,600.0,sleep").unwrap_err().contains("no column of spike times"));
    }

    #[test]
    fn the_unit_of_time_follows_choice_then_name_then_rates() {
        let scale = |chosen, named| decide_scale(chosen, named, &[1000, 2000, 3000], 0.0, 100_000.0).0;
        assert_eq!(scale(TimeUnit::Automatic, None), 1.0, "0.02 spikes/s is slow, but possible");
        assert_eq!(decide_scale(TimeUnit::Automatic, None, &[1000], 0.0, 1e6).0, 1e-3);
        assert_eq!(scale(TimeUnit::Milliseconds, Some(1.0)), 1e-3);
        assert_eq!(scale(TimeUnit::Automatic, Some(1e-6)), 1e-6);
        assert_eq!(decide_scale(TimeUnit::Automatic, None, &[], 0.0, 0.0).0, 1.0);
    }
}
