//! Spikes as text, in every shape people keep them: one spike per line, one column or one line of times per unit, counts per
//! bin, one file per unit in a folder; any separator, decimal mark, unit of time and encoding, plain or gzip.
//!
//! What the first lines tell is decided in [`guess`], overruled by answers and offered as choices in [`plan`], and read in
//! [`rows`]; a folder of text files is read in [`folder`].

mod fields;
pub(super) mod folder;
mod guess;
mod lines;
mod names;
mod plan;
pub(super) mod preview;
mod rows;
mod spikes;
pub(super) mod units_table;
pub(super) mod write;

use std::path::Path;

pub(super) use self::fields::{Row, Separator};
use self::guess::{Head, Layout};
pub(super) use self::lines::{Text, is_gzip};
use self::plan::{Plan, Role};
use self::rows::Limits;
use self::spikes::{Bins, Finish, Keep, SpikeList};
use self::units_table::UnitsTable;
use super::choices::Choices;
use super::time_range::{self, TimeRange, Whole};
use super::time_unit::{self, Evidence};
use super::{FormatError, Loaded, OpenOptions, Progress};
use crate::recording::{ImportReport, NoteKind};

/// True for text, also in a gzip archive.
pub(super) fn sniff(head: &[u8]) -> bool {
    let head = lines::unpacked_head(head);
    !head.is_empty() && is_text(&head)
}

/// True for text: no zero bytes and hardly any control characters.
fn is_text(head: &[u8]) -> bool {
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return true;
    }
    let control = head.iter().filter(|&&b| b < 32 && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0c)).count();
    !head.contains(&0) && control * 100 <= head.len() && valid_start(head)
}

/// UTF-8 up to a character that the end of the probe may have cut, else hardly anything but ASCII.
fn valid_start(head: &[u8]) -> bool {
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(e) => e.error_len().is_none() || head.iter().filter(|b| b.is_ascii()).count() * 10 >= head.len() * 9,
    }
}

/// Read a text file.
pub(super) fn read(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Loaded, FormatError> {
    let head = Head::read(&mut Text::open(path, u64::MAX)?)?;
    let mut choices = Choices::new(path, &options.answers);
    let plan = plan::make(&head, &stem(path), &mut choices, path)?;
    let range = time_range::wanted(path, options)?;
    let len = std::fs::metadata(path).map_err(|e| FormatError::not_readable(path, e))?.len();
    let times = matches!(plan.layout, Layout::Long | Layout::Wide | Layout::Lines);
    if len > options.max_bytes && times && range.is_none() {
        return Err(time_range::too_long(path, "the text", len, options.max_bytes, (0.0, 0.0)));
    }
    let mut report = ImportReport::default();
    let separated = if plan.names.len() > 1 { format!("; fields are separated by {}", plan.dialect.name()) } else { String::new() };
    report.add(NoteKind::Assumed, "columns", format!("{}{separated}", plan.reason));
    let ignored = plan.ignored();
    if !ignored.is_empty() {
        let shown: Vec<&str> = ignored.iter().copied().take(12).collect();
        report.add(NoteKind::LeftOut, "columns", format!("columns that are not used: {}", shown.join(", ")));
    }
    // A spike takes about three times as much memory as its line of text.
    if let Some(range) = range.filter(|_| len.saturating_mul(3) > options.max_bytes && times) {
        return stretch(path, &plan, range, (choices, report), options, progress);
    }
    let mut text = Text::open(path, options.max_bytes)?;
    let list = rows::read(path, &mut text, &plan, Limits::all(options.max_bytes), progress)?;
    progress.at(0.8, "sorting spikes into units")?;
    finish(list, &plan, None, &mut choices, report, path)
}

/// A stretch of a text that is larger than memory: read once to know the unit of time, and again to keep what is wanted.
fn stretch(
    path: &Path,
    plan: &Plan,
    range: TimeRange,
    (mut choices, report): (Choices, ImportReport),
    options: &OpenOptions,
    progress: &Progress,
) -> Result<Loaded, FormatError> {
    let limits = Limits::all(options.max_bytes);
    let first = Limits { keep: Keep::None, span: (0.0, 0.35), ..limits };
    let all = rows::read(path, &mut Text::open(path, u64::MAX)?, plan, first, progress)?;
    let named = plan.time_named.clone();
    let evidence = Evidence { named, sampling_rate: sampling_rate(plan), ..all.evidence() };
    // Asked for here and now; what is decided goes to the report when the spikes are there.
    let per_second = time_unit::per_second(&mut Choices::new(path, &options.answers), &evidence)?;
    let keep = Keep::Between(range.from * per_second, range.to * per_second);
    let second = Limits { keep, span: (0.35, 0.75), ..limits };
    let list = rows::read(path, &mut Text::open(path, u64::MAX)?, plan, second, progress)?;
    progress.at(0.8, "sorting spikes into units")?;
    let (spikes, first, last) = all.counted();
    let loaded = finish(list, plan, Some(evidence), &mut choices, report, path)?;
    Ok(Loaded { whole: Some(Whole { spikes, first: first / per_second, last: last / per_second }), ..loaded })
}

fn finish(
    list: SpikeList,
    plan: &Plan,
    evidence: Option<Evidence>,
    choices: &mut Choices,
    mut report: ImportReport,
    path: &Path,
) -> Result<Loaded, FormatError> {
    let table = UnitsTable::beside(path, choices, &mut report)?;
    let binned = matches!(plan.layout, Layout::Binned | Layout::BinnedLines);
    let timed = plan.layout == Layout::Binned && plan.column(Role::Time).is_some();
    let known = || Evidence { sampling_rate: sampling_rate(plan), ..list.evidence() };
    let evidence = if binned { None } else { evidence.or_else(|| Some(known())) };
    let finish = Finish {
        sort: plan.layout == Layout::Long,
        has_area: plan.layout == Layout::Long && plan.column(Role::Area).is_some(),
        wells: plan.axion,
        named: plan.time_named.as_ref().map(|(unit, place)| (*unit, place.as_str())),
        binned: binned.then_some(Bins { named_ms: plan.bin_ms, timed }),
        evidence,
        table,
    };
    list.into_parts(&finish, choices, report, path)
}

fn sampling_rate(plan: &Plan) -> Option<(f64, String)> {
    plan.sampling_rate.map(|rate| (rate, "a comment above the data".to_owned()))
}

/// The name of a file without its extensions, `.gz` included.
fn stem(path: &Path) -> String {
    let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let gzip = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    match name.rsplit_once('.') {
        Some((inner, _)) if gzip => inner.to_owned(),
        _ => name,
    }
}

/// At most 40 characters for a message, none of them invisible.
fn shortened(text: &str) -> String {
    text.chars().take(40).flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}
