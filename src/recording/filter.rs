//! Filter expressions over units, for example `rate > 5 and area == "PMd"`.
//!
//! ```text
//! filter     = and { ("or" | "||") and }
//! and        = not { ("and" | "&&") not }
//! not        = "not" not | "(" filter ")" | comparison
//! comparison = value [ ("==" | "=" | "!=" | "<" | "<=" | ">" | ">=" | "contains") value ]
//! value      = number | "text" | 'text' | true | false | column | `column with spaces`
//! ```

use std::cmp::Ordering;
use std::fmt;

/// A value of a cell or in an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Number; missing is NaN.
    Number(f64),
    /// Text.
    Text(String),
    /// True or false.
    Bool(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(v) => v.fmt(f),
            Self::Text(v) => v.fmt(f),
            Self::Bool(v) => v.fmt(f),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Relation {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Constant(Value),
    Column(usize),
}

/// A filter that has been read and checked against the columns of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Every row.
    All,
    /// Both.
    And(Box<Filter>, Box<Filter>),
    /// Either.
    Or(Box<Filter>, Box<Filter>),
    /// The others.
    Not(Box<Filter>),
    /// See [`Comparison`].
    Compare(Comparison),
}

/// Two values and how they must compare.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    left: Operand,
    relation: Relation,
    right: Operand,
}

/// Why an expression is no filter.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FilterError {
    /// A name that is no column.
    #[error("there is no column '{name}'; text goes in quotes (\"{name}\"), the columns are: {have}")]
    NoColumn {
        /// The name.
        name: String,
        /// Columns.
        have: String,
    },
    /// A quote without its partner.
    #[error("the {quote} at character {at} is not closed")]
    OpenQuote {
        /// The quote.
        quote: char,
        /// Character, counted from 1.
        at: usize,
    },
    /// A character that has no meaning here.
    #[error("'{character}' at character {at} means nothing here; write for example rate > 5 and area == \"M1\"")]
    Character {
        /// The character.
        character: char,
        /// Character, counted from 1.
        at: usize,
    },
    /// Something else was expected.
    #[error("{expected} is expected {place}")]
    Expected {
        /// What.
        expected: &'static str,
        /// Where, in words.
        place: String,
    },
    /// Brackets too deep to be meant.
    #[error("the expression is nested too deeply")]
    TooDeep,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Name(String),
    Text(String),
    Number(f64),
    Relation(Relation),
    Open,
    Close,
}

/// Deepest nesting read: the parser calls itself.
const DEEPEST: usize = 64;

impl Filter {
    /// Read `text`; the columns of the table are `columns`. Empty text keeps every row.
    ///
    /// # Errors
    /// [`FilterError`] says what is wrong and where.
    pub fn parse(text: &str, columns: &[String]) -> Result<Self, FilterError> {
        let tokens = tokens(text)?;
        if tokens.is_empty() {
            return Ok(Self::All);
        }
        let mut parser = Parser { tokens: &tokens, next: 0, columns, depth: 0 };
        let filter = parser.either()?;
        match parser.peek() {
            None => Ok(filter),
            Some(_) => Err(parser.expected("'and', 'or' or the end")),
        }
    }

    /// True for rows to keep; `cell` gives the row's value in a column.
    pub fn keeps(&self, cell: &dyn Fn(usize) -> Value) -> bool {
        match self {
            Self::All => true,
            Self::And(a, b) => a.keeps(cell) && b.keeps(cell),
            Self::Or(a, b) => a.keeps(cell) || b.keeps(cell),
            Self::Not(a) => !a.keeps(cell),
            Self::Compare(c) => {
                let value = |operand: &Operand| match operand {
                    Operand::Constant(value) => value.clone(),
                    Operand::Column(column) => cell(*column),
                };
                holds(&value(&c.left), c.relation, &value(&c.right))
            }
        }
    }
}

/// Numbers compare by value (text that is a number counts as one), text by its letters. Nothing compares with a missing number
/// except `!=`.
fn holds(left: &Value, relation: Relation, right: &Value) -> bool {
    if relation == Relation::Contains {
        return left.to_string().to_lowercase().contains(&right.to_string().to_lowercase());
    }
    let ordering = match (left, right) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        _ => number(left).partial_cmp(&number(right)),
    };
    match (relation, ordering) {
        (Relation::Equal, o) => o == Some(Ordering::Equal),
        (Relation::Unequal, o) => o != Some(Ordering::Equal),
        (_, None) => false,
        (Relation::Less, Some(o)) => o.is_lt(),
        (Relation::LessOrEqual, Some(o)) => o.is_le(),
        (Relation::Greater, Some(o)) => o.is_gt(),
        (Relation::GreaterOrEqual, Some(o)) => o.is_ge(),
        (Relation::Contains, Some(_)) => false,
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Number(v) => *v,
        Value::Bool(v) => f64::from(u8::from(*v)),
        Value::Text(v) => v.trim().parse().unwrap_or(f64::NAN),
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    next: usize,
    columns: &'a [String],
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word));
        self.next += usize::from(found);
        found
    }

    fn expected(&self, expected: &'static str) -> FilterError {
        let place = match self.peek() {
            None => "at the end".to_owned(),
            Some(Token::Word(t) | Token::Name(t)) => format!("before '{t}'"),
            Some(Token::Text(t)) => format!("before \"{t}\""),
            Some(Token::Number(v)) => format!("before {v}"),
            Some(Token::Relation(_)) => "before the comparison".to_owned(),
            Some(Token::Open) => "before '('".to_owned(),
            Some(Token::Close) => "before ')'".to_owned(),
        };
        FilterError::Expected { expected, place }
    }

    fn either(&mut self) -> Result<Filter, FilterError> {
        let mut filter = self.both()?;
        while self.word("or") {
            filter = Filter::Or(Box::new(filter), Box::new(self.both()?));
        }
        Ok(filter)
    }

    fn both(&mut self) -> Result<Filter, FilterError> {
        let mut filter = self.not()?;
        while self.word("and") {
            filter = Filter::And(Box::new(filter), Box::new(self.not()?));
        }
        Ok(filter)
    }

    fn not(&mut self) -> Result<Filter, FilterError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(FilterError::TooDeep);
        }
        let filter = if self.word("not") {
            Filter::Not(Box::new(self.not()?))
        } else if self.peek() == Some(&Token::Open) {
            self.next += 1;
            let inner = self.either()?;
            if self.peek() != Some(&Token::Close) {
                return Err(self.expected("')'"));
            }
            self.next += 1;
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn comparison(&mut self) -> Result<Filter, FilterError> {
        let left = self.operand()?;
        let relation = match self.peek().cloned() {
            Some(Token::Relation(relation)) => {
                self.next += 1;
                relation
            }
            _ if self.word("contains") => Relation::Contains,
            // A column alone asks whether it is true.
            _ => return Ok(Filter::Compare(Comparison { left, relation: Relation::Equal, right: Operand::Constant(Value::Bool(true)) })),
        };
        Ok(Filter::Compare(Comparison { left, relation, right: self.operand()? }))
    }

    fn operand(&mut self) -> Result<Operand, FilterError> {
        let operand = match self.peek() {
            Some(Token::Number(v)) => Operand::Constant(Value::Number(*v)),
            Some(Token::Text(t)) => Operand::Constant(Value::Text(t.clone())),
            Some(Token::Word(w)) if w.eq_ignore_ascii_case("true") => Operand::Constant(Value::Bool(true)),
            Some(Token::Word(w)) if w.eq_ignore_ascii_case("false") => Operand::Constant(Value::Bool(false)),
            Some(Token::Word(w)) if ["and", "or", "not", "contains"].iter().any(|k| w.eq_ignore_ascii_case(k)) => {
                return Err(self.expected("a column, number or text"));
            }
            Some(Token::Word(name) | Token::Name(name)) => Operand::Column(self.column(name)?),
            _ => return Err(self.expected("a column, number or text")),
        };
        self.next += 1;
        Ok(operand)
    }

    fn column(&self, name: &str) -> Result<usize, FilterError> {
        let exact = self.columns.iter().position(|c| c == name);
        exact.or_else(|| self.columns.iter().position(|c| c.eq_ignore_ascii_case(name))).ok_or_else(|| {
            let shown = |c: &String| if c.chars().all(in_word) { c.clone() } else { format!("`{c}`") };
            FilterError::NoColumn { name: name.to_owned(), have: self.columns.iter().map(shown).collect::<Vec<_>>().join(", ") }
        })
    }
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.'
}

fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let follows = chars.get(at + 1) == Some(&'=');
        let (token, length) = match c {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '=' => (Token::Relation(Relation::Equal), 1 + usize::from(follows)),
            '!' if follows => (Token::Relation(Relation::Unequal), 2),
            '&' if chars.get(at + 1) == Some(&'&') => (Token::Word("and".to_owned()), 2),
            '|' if chars.get(at + 1) == Some(&'|') => (Token::Word("or".to_owned()), 2),
            '<' if follows => (Token::Relation(Relation::LessOrEqual), 2),
            '<' => (Token::Relation(Relation::Less), 1),
            '>' if follows => (Token::Relation(Relation::GreaterOrEqual), 2),
            '>' => (Token::Relation(Relation::Greater), 1),
            '"' | '\'' | '`' => {
                let rest = chars.get(at + 1..).unwrap_or_default();
                let length = rest.iter().position(|&d| d == c).ok_or(FilterError::OpenQuote { quote: c, at: at + 1 })?;
                let inside: String = rest.iter().take(length).collect();
                (if c == '`' { Token::Name(inside) } else { Token::Text(inside) }, length + 2)
            }
            c if in_word(c) || ((c == '-' || c == '+') && chars.get(at + 1).is_some_and(|d| d.is_ascii_digit() || *d == '.')) => {
                word(&chars, at)
            }
            character => return Err(FilterError::Character { character, at: at + 1 }),
        };
        tokens.push(token);
        at += length;
    }
    Ok(tokens)
}

/// A word or number from `at` on, and its length.
fn word(chars: &[char], at: usize) -> (Token, usize) {
    let length = |more: &dyn Fn(usize, char) -> bool| 1 + chars.iter().enumerate().skip(at + 1).take_while(|(k, c)| more(*k, **c)).count();
    let text = |n: usize| chars.iter().skip(at).take(n).collect::<String>();
    // The sign of an exponent belongs to a number: 1e-3.
    let exponent = |k: usize, c: char| (c == '-' || c == '+') && k > at && matches!(chars.get(k - 1), Some('e' | 'E'));
    let long = length(&|k, c| in_word(c) || exponent(k, c));
    // `inf` and `nan` are words here, though Rust reads them as numbers.
    if let Ok(number) = text(long).parse::<f64>()
        && text(1).chars().all(|c| c.is_ascii_digit() || "+-.".contains(c))
    {
        return (Token::Number(number), long);
    }
    let short = length(&|_, c| in_word(c));
    (Token::Word(text(short)), short)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn columns() -> Vec<String> {
        ["id", "area", "rate", "heldout", "waveform duration (ms)"].map(String::from).to_vec()
    }

    /// Rows kept of a small table.
    fn kept(text: &str) -> Vec<usize> {
        let filter = Filter::parse(text, &columns()).unwrap_or_else(|e| panic!("{text}: {e}"));
        let table = [
            ("1001", "M1", 3.0, true, 0.2),
            ("1002", "PMd", 7.5, false, f64::NAN),
            ("99", "PMd", 0.5, true, 0.9),
            ("x", "V1 layer 2", 12.0, false, -0.5),
        ];
        let cell = |row: usize| {
            move |column: usize| {
                let (id, area, rate, heldout, duration) = table[row];
                match column {
                    0 => Value::Text(id.into()),
                    1 => Value::Text(area.into()),
                    2 => Value::Number(rate),
                    3 => Value::Bool(heldout),
                    _ => Value::Number(duration),
                }
            }
        };
        (0..4).filter(|&row| filter.keeps(&cell(row))).collect()
    }

    #[test]
    fn expressions_keep_what_they_say() {
        assert_eq!(kept(""), [0, 1, 2, 3]);
        assert_eq!(kept("rate > 5 and area == \"PMd\""), [1]);
        assert_eq!(kept("rate>5 or heldout"), [0, 1, 2, 3]);
        assert_eq!(kept("not heldout"), [1, 3]);
        assert_eq!(kept("heldout = false"), [1, 3]);
        assert_eq!(kept("area != 'PMd' and (rate < 4 or rate >= 12)"), [0, 3]);
        assert_eq!(kept("AREA contains \"layer\""), [3]);
        assert_eq!(kept("5 <= rate"), [1, 3]);
        assert_eq!(kept("`waveform duration (ms)` > -1e0"), [0, 2, 3]);
        assert_eq!(kept("rate <= 5e-1"), [2]);
        assert_eq!(kept("area < 'P'"), [0]);
    }

    #[test]
    fn and_binds_closer_than_or_and_not_closest() {
        assert_eq!(kept("area == 'M1' or area == 'PMd' and rate > 5"), [0, 1]);
        assert_eq!(kept("(area == 'M1' or area == 'PMd') and rate > 5"), [1]);
        assert_eq!(kept("(area == 'M1' || area == 'PMd') && rate > 5"), [1]);
        assert_eq!(kept("not heldout and rate > 10"), [3]);
        assert_eq!(kept("not (heldout and rate > 1)"), [1, 2, 3]);
    }

    #[test]
    fn ids_compare_as_numbers_with_numbers_and_missing_values_with_nothing() {
        assert_eq!(kept("id > 1000"), [0, 1]);
        assert_eq!(kept("id == '99'"), [2]);
        assert_eq!(kept("`waveform duration (ms)` == 0.2"), [0]);
        assert_eq!(kept("`waveform duration (ms)` != 0.2"), [1, 2, 3]);
        assert_eq!(kept("not `waveform duration (ms)` > 0"), [1, 3]);
    }

    #[test]
    fn mistakes_are_explained() {
        let told = |text: &str| Filter::parse(text, &columns()).unwrap_err().to_string();
        assert!(told("area == PMd").contains("(\"PMd\")"), "{}", told("area == PMd"));
        assert!(told("depth > 3").contains("id, area, rate, heldout, `waveform duration (ms)`"));
        assert_eq!(told("area == \"PMd"), "the \" at character 9 is not closed");
        assert!(told("rate > 5 & heldout").contains("'&' at character 10"));
        assert_eq!(told("rate >"), "a column, number or text is expected at the end");
        assert_eq!(told("(rate > 1"), "')' is expected at the end");
        assert_eq!(told("rate > 1 rate"), "'and', 'or' or the end is expected before 'rate'");
        assert_eq!(told("rate > and"), "a column, number or text is expected before 'and'");
        assert_eq!(Filter::parse(&"(".repeat(10_000), &columns()), Err(FilterError::TooDeep));
        assert_eq!(Filter::parse(&"not ".repeat(10_000), &columns()), Err(FilterError::TooDeep));
    }
}
