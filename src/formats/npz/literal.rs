//! Python literals as they stand in `.npy` headers and zarr dtypes: `{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }`.

/// Deeper nesting is no header.
const DEEPEST: usize = 8;

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::formats) enum Literal {
    Text(String),
    Int(i64),
    Bool(bool),
    None,
    /// A tuple or a list.
    List(Vec<Literal>),
    Dict(Vec<(Literal, Literal)>),
}

impl Literal {
    /// Read a literal, `None` when the text is none.
    pub(in crate::formats) fn parse(text: &str) -> Option<Self> {
        let mut rest = Rest { bytes: text.as_bytes(), at: 0 };
        let literal = rest.literal(0)?;
        rest.space();
        (rest.at == rest.bytes.len()).then_some(literal)
    }

    /// The value of `key` in a dictionary.
    pub(in crate::formats) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Dict(pairs) = self else { return None };
        pairs.iter().find(|(k, _)| matches!(k, Self::Text(t) if t == key)).map(|(_, v)| v)
    }

    /// The entries of a tuple or list.
    pub(in crate::formats) fn list(&self) -> Option<&[Self]> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    /// The text of a string.
    pub(in crate::formats) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Sizes of a shape.
    pub(in crate::formats) fn sizes(&self) -> Option<Vec<usize>> {
        self.list()?.iter().map(|d| if let Self::Int(d) = d { usize::try_from(*d).ok() } else { None }).collect()
    }
}

struct Rest<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Rest<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.bytes.get(self.at..).is_some_and(|r| r.starts_with(word.as_bytes()));
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn literal(&mut self, depth: usize) -> Option<Literal> {
        if depth > DEEPEST {
            return None;
        }
        self.space();
        match self.peek()? {
            quote @ (b'\'' | b'"') => self.string(quote),
            b'(' => self.sequence(b')', depth),
            b'[' => self.sequence(b']', depth),
            b'{' => self.dict(depth),
            b'-' | b'0'..=b'9' => self.number(),
            _ if self.word("True") => Some(Literal::Bool(true)),
            _ if self.word("False") => Some(Literal::Bool(false)),
            _ if self.word("None") => Some(Literal::None),
            _ => None,
        }
    }

    fn string(&mut self, quote: u8) -> Option<Literal> {
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'\\' => {
                    text.push(self.peek()?);
                    self.at += 1;
                }
                _ if byte == quote => return String::from_utf8(text).ok().map(Literal::Text),
                _ => text.push(byte),
            }
        }
    }

    fn sequence(&mut self, end: u8, depth: usize) -> Option<Literal> {
        self.at += 1;
        let mut list = Vec::new();
        while !self.eat(end) {
            list.push(self.literal(depth + 1)?);
            if !self.eat(b',') {
                return self.eat(end).then_some(Literal::List(list));
            }
        }
        Some(Literal::List(list))
    }

    fn dict(&mut self, depth: usize) -> Option<Literal> {
        self.at += 1;
        let mut pairs = Vec::new();
        while !self.eat(b'}') {
            let key = self.literal(depth + 1)?;
            if !self.eat(b':') {
                return None;
            }
            pairs.push((key, self.literal(depth + 1)?));
            if !self.eat(b',') {
                return self.eat(b'}').then_some(Literal::Dict(pairs));
            }
        }
        Some(Literal::Dict(pairs))
    }

    fn number(&mut self) -> Option<Literal> {
        let begin = self.at;
        self.at += 1;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        let number = std::str::from_utf8(self.bytes.get(begin..self.at)?).ok()?.parse().ok()?;
        // Python 2 wrote sizes as `10L`.
        self.at += usize::from(self.peek() == Some(b'L'));
        Some(Literal::Int(number))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn headers_of_numpy_are_read() {
        let header =
            Literal::parse("{'descr': [('a', '<i8'), ('b', '<f8', (2,))], 'fortran_order': False, 'shape': (3L, 4), }  \n").unwrap();
        assert_eq!(header.get("shape").unwrap().sizes(), Some(vec![3, 4]));
        assert_eq!(header.get("fortran_order"), Some(&Literal::Bool(false)));
        let fields = header.get("descr").unwrap().list().unwrap();
        assert_eq!(fields[0], Literal::List(vec![Literal::Text("a".into()), Literal::Text("<i8".into())]));
        assert_eq!(Literal::parse("()").unwrap().sizes(), Some(vec![]));
    }

    #[test]
    fn what_is_no_literal_is_refused() {
        for text in ["", "{'a' 1}", "(1", "{'a': 1} x", "'open", "-", "(1 2)", "99999999999999999999", "__import__('os')"] {
            assert_eq!(Literal::parse(text), None, "{text}");
        }
        assert_eq!(Literal::parse(&"[".repeat(10_000)), None);
        assert_eq!(Literal::parse("(-1,)").unwrap().sizes(), None);
    }
}
