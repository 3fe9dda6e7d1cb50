//! What the first lines of a text file tell: separator, lines above the data, header, and which lines and columns hold what.

use super::super::FormatError;
use super::fields::{Row, Separator, decoded};
use super::lines::{Text, is_comment};
use super::names::{Named, named, sampling_rate};

/// Lines and bytes that are looked at.
const PROBE_LINES: usize = 500;
const PROBE_BYTES: u64 = 1 << 18;
/// Lines above the data that are left out without being asked.
const MOST_SKIPPED: usize = 30;
/// Larger numbers per bin are no counts of spikes.
pub(super) const MOST_PER_BIN: f64 = 1000.0;
/// Wide tables are turned so that the longer side is time, from this many columns on.
const MANY_COLUMNS: usize = 200;

/// How a file writes fields and numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) separator: Separator,
    /// `1,5` means 1.5.
    pub(super) decimal_comma: bool,
}

impl Dialect {
    /// In words.
    pub(super) fn name(self) -> String {
        format!("{}{}", self.separator.name(), if self.decimal_comma { " (decimal comma)" } else { "" })
    }

    /// A number as this file writes it; NaN and infinity are numbers.
    pub(super) fn number(self, field: &[u8]) -> Option<f64> {
        let text = std::str::from_utf8(field).ok()?;
        if self.decimal_comma && text.contains(',') { text.replace(',', ".").parse().ok() } else { text.parse().ok() }
    }
}

/// Fields that stand for no value.
pub(super) fn is_missing(field: &[u8]) -> bool {
    field.is_empty() || [&b"na"[..], b"nan", b"none", b"null", b"n/a", b"-"].iter().any(|word| field.eq_ignore_ascii_case(word))
}

/// The first lines with data.
pub(super) struct Head {
    pub(super) lines: Vec<Vec<u8>>,
    /// The file goes on behind them.
    pub(super) cut: bool,
    /// Samples per second, where a comment says so.
    pub(super) sampling_rate: Option<f64>,
}

impl Head {
    pub(super) fn read(text: &mut Text) -> Result<Self, FormatError> {
        let (bytes, mut cut) = text.head(PROBE_BYTES)?;
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut rate = None;
        let mut all = bytes.split(|&b| b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l)).peekable();
        while let Some(line) = all.next() {
            if lines.len() == PROBE_LINES {
                cut = true;
                break;
            }
            let last_is_cut = cut && all.peek().is_none();
            if is_comment(line, !lines.is_empty()) {
                rate = rate.or_else(|| sampling_rate(&decoded(line)));
                continue;
            }
            if line.trim_ascii().is_empty() || (last_is_cut && !lines.is_empty()) {
                continue;
            }
            // A single line that goes on: its last field may be cut.
            let whole = if last_is_cut { line.iter().rposition(|b| b", ;\t".contains(b)).unwrap_or(line.len()) } else { line.len() };
            lines.push(line.get(..whole).unwrap_or_default().to_vec());
        }
        Ok(Self { lines, cut, sampling_rate: rate })
    }
}

/// How well a separator fits.
struct Fit {
    dialect: Dialect,
    skip: usize,
    consistent: bool,
    width: usize,
    /// Share of the fields below the first line that are numbers, in percent.
    numbers: usize,
    /// The first line names a unit and a time.
    known: bool,
}

impl Fit {
    /// Larger is better. Names that are known may contain spaces, and so may the ids below them.
    fn rank(&self) -> (bool, bool, bool, usize, bool) {
        let spaces = self.dialect.separator == Separator::Space;
        (self.consistent, self.known, self.known && !spaces, self.numbers, self.skip == 0)
    }
}

/// Reasons that leave nothing to assume: the file itself says so.
pub(super) const EVERY_LINE: &str = "fields in every line";
pub(super) const KNOWN_NAMES: &str = "its names are known";
pub(super) const NAMED_SO: &str = "its columns are named so";

/// Separator, decimal mark and lines above the data, with the reason. What is fixed is not guessed.
pub(super) fn dialect(head: &Head, separator: Option<Separator>, decimal_comma: Option<bool>) -> (Dialect, usize, String) {
    let mut best: Option<Fit> = None;
    for candidate in Separator::ALL {
        for comma in [false, true] {
            let fixed = separator.is_some_and(|s| s != candidate) || decimal_comma.is_some_and(|d| d != comma);
            if fixed || (comma && candidate == Separator::Comma && separator.is_none()) {
                continue;
            }
            let fit = fit(head, Dialect { separator: candidate, decimal_comma: comma });
            if best.as_ref().is_none_or(|b| fit.rank() > b.rank()) {
                best = Some(fit);
            }
        }
    }
    let comma = Dialect { separator: Separator::Comma, decimal_comma: decimal_comma.unwrap_or(false) };
    match best {
        Some(fit) if fit.width > 1 || separator.is_some() => {
            let why = match fit.consistent {
                true => format!("{} {EVERY_LINE}", fit.width),
                false => format!("{} % of the fields are then numbers", fit.numbers),
            };
            (fit.dialect, fit.skip, why)
        }
        Some(fit) => {
            let dialect = Dialect { decimal_comma: fit.dialect.decimal_comma, ..comma };
            (dialect, fit.skip, "there is one field per line".to_owned())
        }
        None => (comma, 0, "there is one field per line".to_owned()),
    }
}

fn fit(head: &Head, dialect: Dialect) -> Fit {
    let rows: Vec<Row> = head.lines.iter().map(|l| Row::of(l, dialect.separator)).collect();
    let mut widths: Vec<usize> = rows.iter().map(Row::len).collect();
    let width = usual(&widths);
    let is_number = |f: &[u8]| dialect.number(f).is_some();
    let titles = rows.iter().take(MOST_SKIPPED).take_while(|r| r.len() < width && !r.iter().any(is_number)).count();
    // One field less than below: the header of a table whose rows are numbered.
    let names_short = titles == 1 && rows.first().is_some_and(|r| r.len() + 1 == width && width > 2);
    let skip = if names_short || rows.len() < titles + 2 { 0 } else { titles };
    widths.drain(..skip.max(usize::from(names_short)));
    let same = widths.iter().filter(|&&w| w == width).count();
    let consistent = width > 1 && same * 10 >= widths.len() * 9;
    let body = rows.get(if rows.len() > skip + 1 { skip + 1 } else { skip }..).unwrap_or_default();
    let fields = || body.iter().flat_map(Row::iter).filter(|f| !is_missing(f));
    let numbers = 100 * fields().filter(|f| is_number(f)).count() / fields().count().max(1);
    let skip = if consistent { skip } else { 0 };
    let has = |wanted: fn(Named) -> bool| rows.get(skip).is_some_and(|r| (0..r.len()).any(|at| wanted(named(&r.text(at)))));
    let known = has(|n| matches!(n, Named::Time(_))) && has(|n| matches!(n, Named::Unit(_)));
    Fit { dialect, skip, consistent, width, numbers, known }
}

/// The width that most lines have.
fn usual(widths: &[usize]) -> usize {
    let mut counts = std::collections::BTreeMap::new();
    widths.iter().for_each(|w| *counts.entry(*w).or_insert(0usize) += 1);
    counts.into_iter().max_by_key(|&(_, n)| n).map_or(0, |(w, _)| w)
}

/// The first lines as a table.
pub(super) struct Grid {
    pub(super) dialect: Dialect,
    /// From the header; empty without one.
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    pub(super) width: usize,
    pub(super) consistent: bool,
    cut: bool,
}

impl Grid {
    /// Rows below the lines above the data; `header` splits off the first.
    pub(super) fn new(head: &Head, dialect: Dialect, skip: usize, header: bool) -> Self {
        let split = |line: &Vec<u8>| -> Vec<String> {
            let row = Row::of(line, dialect.separator);
            row.iter().map(|f| decoded(f).into_owned()).collect()
        };
        let mut rows: Vec<Vec<String>> = head.lines.iter().skip(skip).map(split).collect();
        let mut names = if header && !rows.is_empty() { rows.remove(0) } else { Vec::new() };
        let widths: Vec<usize> = rows.iter().map(Vec::len).collect();
        let usual = usual(&widths);
        let consistent = usual > 1 && widths.iter().filter(|&&w| w == usual).count() * 10 >= widths.len() * 9;
        if consistent && header && names.len() + 1 == usual && usual > 2 {
            names.insert(0, String::new());
        }
        let width = if consistent { usual.max(names.len()) } else { widths.into_iter().max().unwrap_or(0).max(names.len()) };
        Self { dialect, names, rows, width, consistent, cut: head.cut }
    }

    fn number(&self, field: &str) -> Option<f64> {
        self.dialect.number(field.as_bytes())
    }

    fn column(&self, at: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().filter_map(move |r| r.get(at)).map(String::as_str).filter(|f| !is_missing(f.as_bytes()))
    }

    fn values(&self, at: usize) -> Vec<f64> {
        self.column(at).filter_map(|f| self.number(f)).collect()
    }

    /// At least one number and nothing else but gaps.
    pub(super) fn is_numeric(&self, at: usize) -> bool {
        let mut any = false;
        self.column(at).all(|f| {
            any = true;
            self.number(f).is_some()
        }) && any
    }

    /// Numbers of the rows: named so, or the first column of a header without a name.
    pub(super) fn is_index(&self, at: usize) -> bool {
        let named_so = self.names.get(at).is_some_and(|n| named(n) == Named::Index);
        let counting = |v: &[f64]| v.windows(2).all(|w| w.first().zip(w.last()).is_some_and(|(a, b)| b - a == 1.0));
        named_so && at == 0 && self.width > 1 && counting(&self.values(at))
    }

    /// Name of a column for people and for answers.
    pub(super) fn name(&self, at: usize) -> String {
        match self.names.get(at).map(|n| n.trim()).filter(|n| !n.is_empty()) {
            Some(name) => {
                let same = self.names.iter().take(at).filter(|n| n.trim() == name).count();
                if same == 0 { name.to_owned() } else { format!("{name} ({})", same + 1) }
            }
            None => format!("column {}", at + 1),
        }
    }

    fn listed(&self) -> String {
        let names: Vec<String> = (0..self.width.min(12)).map(|at| self.name(at)).collect();
        names.join(", ")
    }

    fn find(&self, rank: impl Fn(Named) -> Option<usize>) -> Option<usize> {
        let ranked = self.names.iter().enumerate().filter_map(|(at, n)| Some((rank(named(n))?, at)));
        ranked.min().map(|(_, at)| at)
    }

    pub(super) fn has_values(&self, at: usize) -> bool {
        self.column(at).next().is_some()
    }

    /// First fields that number the lines before times that start lower.
    pub(super) fn first_fields_are_ids(&self) -> bool {
        let first = self.values(0);
        let distinct = first.iter().map(|v| v.to_bits()).collect::<std::collections::BTreeSet<_>>().len() == first.len();
        let whole = first.iter().all(|v| v.fract() == 0.0);
        let second: Vec<f64> = self.rows.iter().filter_map(|r| self.number(r.get(1)?)).collect();
        let breaks = first.iter().zip(&second).any(|(a, b)| a > b);
        let fractions = self.rows.iter().flat_map(|r| r.iter().skip(1)).filter_map(|f| self.number(f)).any(|v| v.fract() != 0.0);
        first.len() == self.rows.len() && first.len() > 1 && distinct && whole && fractions && breaks
    }

    /// A column of bins, and whether it only numbers them.
    pub(super) fn named_bin(&self) -> Option<(usize, bool)> {
        let at = self.find(|n| (n == Named::Bin).then_some(0))?;
        Some((at, self.values(at).windows(2).all(|w| w.first().zip(w.last()).is_some_and(|(a, b)| b - a == 1.0))))
    }

    pub(super) fn named_time(&self) -> Option<usize> {
        self.find(|n| if let Named::Time(rank) = n { Some(rank) } else { None })
    }

    pub(super) fn named_unit(&self) -> Option<usize> {
        self.find(|n| if let Named::Unit(rank) = n { Some(rank) } else { None })
    }

    pub(super) fn named_area(&self) -> Option<usize> {
        self.find(|n| if let Named::Area(rank) = n { Some(rank) } else { None })
    }
}

/// Whether the first of these lines is a header, with the reason.
pub(super) fn header(head: &Head, dialect: Dialect, skip: usize) -> (bool, String) {
    let below = Grid::new(head, dialect, skip, true);
    let first = &below.names;
    let is_number = |f: &String| is_missing(f.as_bytes()) || below.number(f).is_some();
    if first.iter().any(|f| matches!(named(f), Named::Time(_) | Named::Unit(_))) {
        return (true, KNOWN_NAMES.to_owned());
    }
    if below.rows.is_empty() {
        return (!first.iter().any(|f| below.number(f).is_some()), "it is the only line".to_owned());
    }
    let odd = (0..first.len()).find(|&at| first.get(at).is_some_and(|f| !is_number(f)) && below.is_numeric(at));
    if let Some(at) = odd {
        return (true, format!("'{}' stands above numbers", below.name(at)));
    }
    let ids: Vec<f64> = first.iter().filter_map(|f| below.number(f)).collect();
    let counting =
        ids.len() == first.len() && ids.len() >= 3 && ids.windows(2).all(|w| w.first().zip(w.last()).is_some_and(|(a, b)| b - a == 1.0));
    if counting && ids.first().is_some_and(|&i| i == 0.0 || i == 1.0) {
        return (true, "it numbers the columns".to_owned());
    }
    (false, "the first line is like the others".to_owned())
}

/// What lines and columns stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Long,
    Wide,
    Lines,
    Binned,
    BinnedLines,
}

impl Layout {
    pub(super) const ALL: [Self; 5] = [Self::Long, Self::Wide, Self::Lines, Self::Binned, Self::BinnedLines];

    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Wide => "wide",
            Self::Lines => "lines",
            Self::Binned => "binned",
            Self::BinnedLines => "binned_lines",
        }
    }

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Long => "One spike per line",
            Self::Wide => "One column of spike times per unit",
            Self::Lines => "One line of spike times per unit",
            Self::Binned => "Counts: one line per bin, one column per unit",
            Self::BinnedLines => "Counts: one line per unit, one column per bin",
        }
    }
}

/// The layout of the file with the reason, else why it is none.
pub(super) fn layout(grid: &Grid) -> Result<(Layout, String), String> {
    let (time, unit) = (grid.named_time(), grid.named_unit().filter(|u| Some(*u) != grid.named_time()));
    if time.is_some() && unit.is_some() {
        return Ok((Layout::Long, NAMED_SO.to_owned()));
    }
    if grid.rows.is_empty() {
        return Err("there is no spike in the file".to_owned());
    }
    let columns: Vec<usize> = (0..grid.width).filter(|&at| !grid.is_index(at)).collect();
    let numeric = |at: &usize| grid.is_numeric(*at);
    if grid.width == 1 {
        let numbers = grid.is_numeric(0);
        return if numbers { Ok((Layout::Wide, "there is one number per line".to_owned())) } else { Err(ragged()) };
    }
    let all_numbers = columns.iter().all(numeric);
    if !grid.consistent {
        let most = grid.rows.iter().map(Vec::len).max().unwrap_or(0);
        let above = !grid.names.is_empty() && most <= grid.names.len() && grid.dialect.separator != Separator::Space;
        return match all_numbers || columns.iter().skip(1).all(numeric) {
            true if above && all_numbers => Ok((Layout::Wide, "a header stands above columns of different lengths".to_owned())),
            true => Ok((Layout::Lines, "the lines have different numbers of times".to_owned())),
            false => Err(ragged()),
        };
    }
    let no_time = || format!("no column of spike times among its columns ({})", grid.listed());
    let no_unit = || format!("no column of unit ids among its columns ({})", grid.listed());
    if let Some(time) = time {
        let counts = columns.iter().filter(|&&at| at != time).all(|&at| is_counts(&grid.values(at)) && grid.is_numeric(at));
        return if counts && columns.len() > 1 {
            Ok((Layout::Binned, "counts stand beside a column of times".to_owned()))
        } else {
            Err(no_unit())
        };
    }
    if unit.is_some() || grid.names.iter().any(|n| named(n) == Named::Interval) {
        return Err(no_time());
    }
    if let Some((unit, time)) = by_values(grid, &columns) {
        let why = format!("{} repeats like unit ids, {} grows like times", grid.name(unit), grid.name(time));
        return Ok((Layout::Long, why));
    }
    by_shape(grid, &columns, all_numbers).ok_or_else(|| match grid.names.is_empty() {
        _ if !columns.iter().any(numeric) => "none of its columns holds numbers".to_owned(),
        true => format!("it has no header and {} columns, which could be counts per bin or one column per unit", grid.width),
        false => no_time(),
    })
}

fn ragged() -> String {
    "its lines do not have the same number of fields, or only one".to_owned()
}

/// Tables of numbers without names that say something.
fn by_shape(grid: &Grid, columns: &[usize], all_numbers: bool) -> Option<(Layout, String)> {
    let lines_of_numbers = all_numbers || (columns.len() > 2 && columns.iter().skip(1).all(|&at| grid.is_numeric(at)));
    if !lines_of_numbers {
        return None;
    }
    let numbers: Vec<usize> = columns.iter().copied().filter(|&at| grid.is_numeric(at)).collect();
    let values: Vec<Vec<f64>> = numbers.iter().map(|&at| grid.values(at)).collect();
    let gaps = values.iter().any(|v| v.len() != grid.rows.len());
    let columns_grow = values.iter().all(|v| grows(v));
    if !gaps && !columns_grow && values.iter().all(|v| is_counts(v)) {
        let turned = grid.width > MANY_COLUMNS && !grid.cut && grid.rows.len() < grid.width;
        let layout = if turned || !all_numbers { Layout::BinnedLines } else { Layout::Binned };
        return Some((layout, "all values are small whole numbers".to_owned()));
    }
    let row = |r: &Vec<String>| -> Vec<f64> { numbers.iter().filter_map(|&at| grid.number(r.get(at)?)).collect() };
    let lines_grow = numbers.len() > 2 && grid.rows.iter().all(|r| grows(&row(r)));
    if columns_grow && all_numbers && grid.rows.len() > 1 {
        return Some((Layout::Wide, "the numbers grow down every column".to_owned()));
    }
    lines_grow.then(|| (Layout::Lines, "the numbers grow along every line".to_owned()))
}

fn grows(values: &[f64]) -> bool {
    values.is_sorted() && (values.len() < 2 || values.first() != values.last())
}

fn is_counts(values: &[f64]) -> bool {
    values.iter().all(|v| v.fract() == 0.0 && (0.0..=MOST_PER_BIN).contains(v))
}

/// Columns of unit and time in a list of spikes without names that say so.
pub(super) fn by_values(grid: &Grid, columns: &[usize]) -> Option<(usize, usize)> {
    let (numbers, texts): (Vec<usize>, Vec<usize>) = columns.iter().copied().partition(|&at| grid.is_numeric(at));
    match (numbers.as_slice(), texts.as_slice()) {
        (&[time], &[unit]) => return Some((unit, time)),
        (&[time], &[a, b]) => return within(grid, a, b).map(|(unit, _)| (unit, time)),
        (numbers, texts) if numbers.len() > 6 || texts.len() > 1 => return None,
        _ => {}
    }
    let pairs = numbers.iter().flat_map(|&u| numbers.iter().map(move |&t| (u, t))).filter(|(u, t)| u != t);
    let mut found: Vec<(bool, usize, usize, usize)> =
        pairs.filter_map(|(u, t)| pair(grid, u, t).map(|(fraction, distinct)| (fraction, distinct, u, t))).collect();
    // Times have fractions or, failing that, more different values.
    found.sort_unstable_by(|a, b| b.cmp(a));
    let ambiguous = matches!(found.as_slice(), [a, b, ..] if numbers.len() > 2 && (a.0, a.2) == (b.0, b.2));
    found.first().filter(|_| !ambiguous).map(|&(_, _, u, t)| (u, t))
}

/// Of two columns of words the one of units and the one of what units are part of: every unit has one word there, and several have the
/// same.
fn within(grid: &Grid, a: usize, b: usize) -> Option<(usize, usize)> {
    let part_of = |unit: usize, area: usize| {
        let mut of = std::collections::BTreeMap::new();
        let fields = |r: &'_ Vec<String>| Some((r.get(unit)?.clone(), r.get(area)?.clone()));
        let same = grid.rows.iter().filter_map(fields).all(|(u, a)| *of.entry(u).or_insert_with(|| a.clone()) == a);
        let areas: std::collections::BTreeSet<&String> = of.values().collect();
        (same && areas.len() < of.len()).then_some((unit, area))
    };
    part_of(a, b).or_else(|| part_of(b, a))
}

/// The column of areas in a list of spikes without names that say so.
pub(super) fn area_by_values(grid: &Grid, columns: &[usize]) -> Option<usize> {
    let texts: Vec<usize> = columns.iter().copied().filter(|&at| !grid.is_numeric(at)).collect();
    match texts.as_slice() {
        &[a, b] => within(grid, a, b).map(|(_, area)| area),
        _ => None,
    }
}

/// Whether column `u` can be the unit of the times in column `t`: (times have fractions, different times).
fn pair(grid: &Grid, u: usize, t: usize) -> Option<(bool, usize)> {
    let (units, times) = (grid.values(u), grid.values(t));
    if units.len() != times.len() || !units.iter().all(|v| v.fract() == 0.0) {
        return None;
    }
    let distinct = |v: &[f64]| v.iter().map(|x| x.to_bits()).collect::<std::collections::BTreeSet<_>>().len();
    let fraction = times.iter().any(|v| v.fract() != 0.0);
    let grows_per_unit = {
        let mut last = std::collections::BTreeMap::new();
        units.iter().zip(&times).all(|(u, &t)| last.insert(u.to_bits(), t).is_none_or(|before: f64| before < t))
    };
    let repeats = distinct(&units) < units.len() || units.len() == 1;
    // Small whole numbers that happen to grow are counts.
    let large = times.iter().any(|&t| t >= 20.0);
    (repeats && (fraction || (grows_per_unit && large)) && distinct(&times) >= distinct(&units)).then(|| (fraction, distinct(&times)))
}
