//! How a text file is read: what the first lines say, overruled by what the user answered. Every decision becomes a choice.

use super::super::FormatError;
use super::super::choices::{Choices, Question};
use super::fields::Separator;
use super::guess::{self, Dialect, Grid, Head, Layout};
use super::names::{milliseconds_in_file_name, unit_in_file_name, unit_of_time};
use crate::formats::time_unit::TimeUnit;

/// Choices for single columns are offered up to this many columns; answers count for any number.
const MOST_OFFERED: usize = 64;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Unit,
    Time,
    Area,
    Ignore,
}

impl Role {
    const ALL: [Self; 4] = [Self::Unit, Self::Time, Self::Area, Self::Ignore];

    fn key(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Time => "time",
            Self::Area => "area",
            Self::Ignore => "ignore",
        }
    }

    fn label(self, layout: Layout) -> &'static str {
        match (self, layout) {
            (Self::Unit, Layout::Long) => "Unit id",
            (Self::Unit, _) => "One unit",
            (Self::Time, Layout::Binned) => "Time of the bin",
            (Self::Time, _) => "Spike time",
            (Self::Area, _) => "Area",
            (Self::Ignore, _) => "Not used",
        }
    }

    fn of_layout(layout: Layout) -> &'static [Self] {
        match layout {
            Layout::Long => &Self::ALL,
            Layout::Binned => &[Self::Unit, Self::Time, Self::Ignore],
            Layout::Wide => &[Self::Unit, Self::Ignore],
            Layout::Lines | Layout::BinnedLines => &[],
        }
    }
}

/// How a file is read.
pub(super) struct Plan {
    pub(super) dialect: Dialect,
    /// Lines above the header or the data.
    pub(super) skip: usize,
    pub(super) header: bool,
    pub(super) layout: Layout,
    /// Names of the columns, `column 3` where there are none.
    pub(super) names: Vec<String>,
    /// Names from a header.
    pub(super) named: bool,
    /// One role per column.
    pub(super) roles: Vec<Role>,
    /// The first field of every line is the id of its unit.
    pub(super) line_ids: bool,
    /// Unit of time in a name, and where.
    pub(super) time_named: Option<(TimeUnit, String)>,
    /// Bin width in a file name, milliseconds.
    pub(super) bin_ms: Option<f64>,
    /// Samples per second, where a comment says so.
    pub(super) sampling_rate: Option<f64>,
    /// Export of an Axion instrument: settings stand beside and below the spikes.
    pub(super) axion: bool,
    /// In words, for the report.
    pub(super) reason: String,
}

impl Plan {
    /// First column with this role.
    pub(super) fn column(&self, role: Role) -> Option<usize> {
        self.roles.iter().position(|r| *r == role)
    }

    /// Names of the columns that are not used.
    pub(super) fn ignored(&self) -> Vec<&str> {
        self.roles.iter().zip(&self.names).filter(|(r, _)| **r == Role::Ignore).map(|(_, n)| n.as_str()).collect()
    }
}

/// Decide everything that the first lines decide. The choices made so far stay in `choices` also when this fails.
pub(super) fn make(head: &Head, stem: &str, choices: &mut Choices, path: &std::path::Path) -> Result<Plan, FormatError> {
    let refuse = |problem: String| FormatError::CsvLayout { path: path.to_owned(), problem };
    if head.lines.is_empty() {
        return Err(refuse("there are no lines with data in the file".to_owned()));
    }
    let (dialect, skip) = dialect(head, choices)?;
    let (own, why) = guess::header(head, dialect, skip);
    let options = [("yes", "The first line has names"), ("no", "The first line has data")];
    let question = Question { key: "header", label: "Header", proposed: Some(yes_no(own)), why: &why, assumed: why != guess::KNOWN_NAMES };
    let header = choices.pick(&question, &options)? == "yes";
    let grid = Grid::new(head, dialect, skip, header);
    let layout = layout(&grid, choices).map_err(refuse)??;
    let roles = roles(&grid, layout, choices)?;
    let line_ids = matches!(layout, Layout::Lines | Layout::BinnedLines) && line_ids(&grid, layout, choices)?;
    check(&grid, layout, &roles).map_err(refuse)?;
    let names: Vec<String> = (0..grid.width).map(|at| grid.name(at)).collect();
    let time_column = roles.iter().position(|r| *r == Role::Time);
    let in_column = time_column.and_then(|at| unit_of_time(grid.names.get(at)?)).map(|u| (u, "the name of the column".to_owned()));
    let time_named = in_column.or_else(|| unit_in_file_name(stem).map(|u| (u, "the name of the file".to_owned())));
    let reason = reason(&grid, layout, &roles, line_ids);
    Ok(Plan {
        dialect,
        skip,
        header,
        layout,
        axion: grid.names.first().is_some_and(|n| n == "Investigator"),
        named: header,
        names,
        roles,
        line_ids,
        time_named,
        bin_ms: milliseconds_in_file_name(stem),
        sampling_rate: head.sampling_rate,
        reason,
    })
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// Fields that every line has cannot be split otherwise.
fn certain(why: &str) -> bool {
    why.ends_with(guess::EVERY_LINE)
}

fn dialect(head: &Head, choices: &mut Choices) -> Result<(Dialect, usize), FormatError> {
    // What is answered is kept while the rest is guessed, so that all three fit together.
    let separator = choices.answer("separator").and_then(|a| Separator::ALL.into_iter().find(|s| s.key() == a));
    let comma = choices.answer("decimal").filter(|a| ["point", "comma"].contains(a)).map(|a| a == "comma");
    let (own, _, own_why) = guess::dialect(head, None, None);
    let (found, skip, why) = guess::dialect(head, separator, comma);
    let options = Separator::ALL.map(|s| (s.key(), s.name()));
    let question = Question {
        key: "separator",
        label: "Fields are separated by",
        proposed: Some(own.separator.key()),
        why: &own_why,
        assumed: !certain(&own_why),
    };
    choices.pick(&question, &options)?;
    let options = [("point", "0.5"), ("comma", "0,5")];
    let own = if found.decimal_comma { "comma" } else { "point" };
    let why = if comma.is_some() { own_why } else { why };
    let question = Question { key: "decimal", label: "Decimal mark", proposed: Some(own), why: &why, assumed: !certain(&why) };
    choices.pick(&question, &options)?;
    let own = skip.to_string();
    let why = format!("{} above the data without numbers and with another number of fields", super::super::clean::counted(skip, "line"));
    let question = Question { key: "skip_lines", label: "Lines above the data", proposed: Some(&own), why: &why, assumed: skip > 0 };
    Ok((found, choices.whole(&question)?))
}

/// The outer error is a file of no known layout, the inner one an answer that is none.
fn layout(grid: &Grid, choices: &mut Choices) -> Result<Result<Layout, FormatError>, String> {
    let answered = |role: Role, choices: &Choices| choices.answers_below("role/").any(|(_, value)| value == role.key());
    let guessed = if answered(Role::Time, choices) && answered(Role::Unit, choices) && !choices.answered("layout") {
        Ok((Layout::Long, "a column was chosen as the time and one as the unit".to_owned()))
    } else {
        guess::layout(grid)
    };
    let options = Layout::ALL.map(|l| (l.key(), l.label()));
    let (own, why) = match guessed {
        Ok((layout, why)) => (Some(layout.key()), why),
        Err(problem) if !choices.answered("layout") => {
            let question = Question { key: "layout", label: "Layout", proposed: None, why: &problem, assumed: false };
            choices.leave_open(&question, &options);
            for at in 0..grid.width.min(MOST_OFFERED) {
                let name = grid.name(at);
                let (key, label) = (format!("role/{name}"), format!("Column '{name}'"));
                let question =
                    Question { key: &key, label: &label, proposed: Some("ignore"), why: "nothing tells what it holds", assumed: true };
                choices.leave_open(&question, &Role::ALL.map(|r| (r.key(), r.label(Layout::Long))));
            }
            return Err(problem);
        }
        Err(_) => (None, String::new()),
    };
    let question = Question { key: "layout", label: "Layout", proposed: own, why: &why, assumed: why != guess::NAMED_SO };
    Ok(choices.pick(&question, &options).map(|key| Layout::ALL.into_iter().find(|l| l.key() == key).unwrap_or(Layout::Long)))
}

fn roles(grid: &Grid, layout: Layout, choices: &mut Choices) -> Result<Vec<Role>, FormatError> {
    let possible = Role::of_layout(layout);
    if possible.is_empty() {
        return Ok(Vec::new());
    }
    let options: Vec<(&str, &str)> = possible.iter().map(|r| (r.key(), r.label(layout))).collect();
    let answer = |at: usize, choices: &Choices| {
        let given = choices.answer(&format!("role/{}", grid.name(at)))?;
        possible.iter().copied().find(|r| r.key() == given)
    };
    let answers: Vec<Option<Role>> = (0..grid.width).map(|at| answer(at, choices)).collect();
    let taken = |role: Role| answers.contains(&Some(role));
    let mut own = own_roles(grid, layout);
    for (own, answer) in own.iter_mut().zip(&answers) {
        // A role that the user has given to another column is free no more.
        let single = layout == Layout::Long && *own != Role::Ignore || *own == Role::Time;
        if answer.is_none() && single && taken(*own) {
            *own = Role::Ignore;
        }
    }
    let mut roles = Vec::with_capacity(grid.width);
    for (at, (own, answer)) in own.into_iter().zip(answers).enumerate() {
        let name = grid.name(at);
        let (key, label) = (format!("role/{name}"), format!("Column '{name}'"));
        let unknown = choices.answer(&key).is_some_and(|given| Role::ALL.iter().all(|r| r.key() != given));
        // An answer that belongs to another layout counts for nothing here.
        let stale = answer.is_none() && choices.answered(&key) && !unknown;
        if !stale && (at < MOST_OFFERED || choices.answered(&key)) {
            let why = format!("for example {}", examples(grid, at));
            let named = match own {
                Role::Unit => grid.named_unit() == Some(at),
                Role::Time => grid.named_time() == Some(at),
                Role::Area => grid.named_area() == Some(at),
                _ => false,
            };
            let question = Question { key: &key, label: &label, proposed: Some(own.key()), why: &why, assumed: !named };
            choices.pick(&question, &options)?;
        }
        roles.push(answer.unwrap_or(own));
    }
    Ok(roles)
}

fn examples(grid: &Grid, at: usize) -> String {
    let shown: Vec<String> =
        grid.rows.iter().filter_map(|r| r.get(at)).filter(|f| !f.is_empty()).take(3).map(|f| super::shortened(f)).collect();
    if shown.is_empty() { "no value in the first lines".to_owned() } else { shown.join(", ") }
}

fn own_roles(grid: &Grid, layout: Layout) -> Vec<Role> {
    let mut roles = vec![Role::Ignore; grid.width];
    let mut set = |at: Option<usize>, role: Role| {
        if let Some(slot) = at.and_then(|at| roles.get_mut(at)) {
            *slot = role;
        }
    };
    let columns: Vec<usize> = (0..grid.width).filter(|&at| !grid.is_index(at)).collect();
    match layout {
        Layout::Long => {
            let guessed = guess::by_values(grid, &columns);
            let time = grid.named_time().or(guessed.map(|(_, t)| t));
            let unit = grid.named_unit().or(guessed.map(|(u, _)| u)).filter(|u| Some(*u) != time);
            let named = grid.named_area();
            let text = columns.iter().copied().find(|&at| grid.names.is_empty() && columns.len() == 3 && !grid.is_numeric(at));
            let area = named.or(text).or(guess::area_by_values(grid, &columns)).filter(|a| Some(*a) != unit && Some(*a) != time);
            set(area, Role::Area);
            set(unit, Role::Unit);
            set(time, Role::Time);
        }
        Layout::Binned | Layout::Wide => {
            for &at in columns.iter().filter(|&&at| grid.is_numeric(at) || !grid.has_values(at)) {
                set(Some(at), Role::Unit);
            }
            if layout == Layout::Binned {
                match (grid.named_time(), grid.named_bin()) {
                    (Some(time), _) | (None, Some((time, false))) => set(Some(time), Role::Time),
                    (None, Some((number, true))) => set(Some(number), Role::Ignore),
                    (None, None) => {}
                }
            }
        }
        Layout::Lines | Layout::BinnedLines => {}
    }
    roles
}

fn line_ids(grid: &Grid, layout: Layout, choices: &mut Choices) -> Result<bool, FormatError> {
    let (own, why) = if !grid.is_numeric(0) {
        (true, "it is no number".to_owned())
    } else if layout == Layout::Lines && grid.first_fields_are_ids() {
        (true, "they are whole, different, and do not fit the times behind them".to_owned())
    } else {
        (false, "it is a number like the others".to_owned())
    };
    let question = Question {
        key: "line_ids",
        label: "First field of a line",
        proposed: Some(if own { "id" } else { "value" }),
        why: &why,
        assumed: true,
    };
    Ok(choices.pick(&question, &[("id", "Id of the unit"), ("value", "A value like the others")])? == "id")
}

/// What a layout cannot do without.
fn check(grid: &Grid, layout: Layout, roles: &[Role]) -> Result<(), String> {
    let count = |role: Role| roles.iter().filter(|r| **r == role).count();
    let listed = || (0..grid.width.min(12)).map(|at| grid.name(at)).collect::<Vec<_>>().join(", ");
    match layout {
        Layout::Long if count(Role::Time) == 0 => Err(format!("no column of spike times among its columns ({})", listed())),
        Layout::Long if count(Role::Unit) == 0 => Err(format!("no column of unit ids among its columns ({})", listed())),
        Layout::Long if count(Role::Time) > 1 || count(Role::Unit) > 1 || count(Role::Area) > 1 => {
            Err("two columns were chosen for the same role".to_owned())
        }
        Layout::Binned if count(Role::Time) > 1 => Err("two columns were chosen for the same role".to_owned()),
        Layout::Wide | Layout::Binned if count(Role::Unit) == 0 => Err(format!("no column of numbers among its columns ({})", listed())),
        _ => Ok(()),
    }
}

fn reason(grid: &Grid, layout: Layout, roles: &[Role], line_ids: bool) -> String {
    let at = |role: Role| roles.iter().position(|r| *r == role).unwrap_or(0);
    match layout {
        Layout::Long if grid.names.is_empty() => {
            let (unit, time) = (at(Role::Unit) + 1, at(Role::Time) + 1);
            format!("there is no header; column {unit} is taken as the unit and column {time} as the time")
        }
        Layout::Long => format!("column '{}' holds the unit, '{}' the time", grid.name(at(Role::Unit)), grid.name(at(Role::Time))),
        Layout::Wide | Layout::Binned => {
            let units = roles.iter().filter(|r| **r == Role::Unit).count();
            let what = if layout == Layout::Wide { "spike times" } else { "counts per bin" };
            format!("{} of {what}, one per unit", super::super::clean::counted(units, "column"))
        }
        Layout::Lines | Layout::BinnedLines => {
            let what = if layout == Layout::Lines { "spike times" } else { "counts per bin" };
            let ids = if line_ids { ", behind its id" } else { "" };
            format!("one line of {what} per unit{ids}")
        }
    }
}
