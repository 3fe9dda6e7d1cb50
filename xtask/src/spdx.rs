//! Licence expressions: the SPDX operators `AND`, `OR`, `WITH`, brackets, and the `/` that old crates write for `OR`.

/// Whether an expression can be met with licences and exceptions that `allowed` accepts.
///
/// `allowed` gets one licence and, after `WITH`, its exception.
///
/// # Errors
/// What is wrong with the expression.
pub fn satisfied(expression: &str, allowed: impl Fn(&str, Option<&str>) -> bool) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, allowed: &allowed };
    let verdict = parser.either()?;
    match parser.words.first() {
        None => Ok(verdict),
        Some(word) => Err(format!("'{word}' is not expected there")),
    }
}

struct Parser<'a, F> {
    words: &'a [&'a str],
    allowed: &'a F,
}

impl<'a, F: Fn(&str, Option<&str>) -> bool> Parser<'a, F> {
    // Both sides of an operator are always parsed, so that a broken expression is an error whatever its verdict.

    fn either(&mut self) -> Result<bool, String> {
        let mut verdict = self.both()?;
        while self.takes("OR") {
            verdict |= self.both()?;
        }
        Ok(verdict)
    }

    fn both(&mut self) -> Result<bool, String> {
        let mut verdict = self.one()?;
        while self.takes("AND") {
            verdict &= self.one()?;
        }
        Ok(verdict)
    }

    fn one(&mut self) -> Result<bool, String> {
        if self.takes("(") {
            let verdict = self.either()?;
            return if self.takes(")") { Ok(verdict) } else { Err("a bracket is not closed".to_owned()) };
        }
        let licence = self.identifier()?;
        let exception = if self.takes("WITH") { Some(self.identifier()?) } else { None };
        Ok((self.allowed)(licence, exception))
    }

    fn identifier(&mut self) -> Result<&'a str, String> {
        match self.words.split_first() {
            Some((word, rest)) if !matches!(*word, "AND" | "OR" | "WITH" | "(" | ")") => {
                self.words = rest;
                Ok(word)
            }
            Some((word, _)) => Err(format!("a licence is expected instead of '{word}'")),
            None => Err("a licence is missing at the end".to_owned()),
        }
    }

    fn takes(&mut self, expected: &str) -> bool {
        match self.words.split_first() {
            Some((word, rest)) if *word == expected => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissive(licence: &str, exception: Option<&str>) -> bool {
        matches!((licence, exception), ("MIT" | "Apache-2.0" | "Zlib", None) | ("Apache-2.0", Some("LLVM-exception")))
    }

    fn holds(expression: &str) -> bool {
        satisfied(expression, permissive).unwrap()
    }

    #[test]
    fn or_needs_one_and_needs_both() {
        assert!(holds("MIT"));
        assert!(!holds("GPL-3.0-only"));
        assert!(holds("GPL-2.0-only OR MIT"));
        assert!(!holds("GPL-2.0-only AND MIT"));
        assert!(holds("MIT AND Zlib"));
    }

    #[test]
    fn and_binds_tighter_than_or() {
        assert!(holds("MIT OR Zlib AND GPL-3.0-only"));
        assert!(!holds("(MIT OR Zlib) AND GPL-3.0-only"));
        assert!(holds("GPL-3.0-only AND MIT OR Zlib"));
        assert!(holds("(MIT OR GPL-3.0-only) AND (Zlib)"));
    }

    #[test]
    fn exceptions_belong_to_their_licence() {
        assert!(holds("Apache-2.0 WITH LLVM-exception"));
        assert!(!holds("MIT WITH LLVM-exception"));
        assert!(!holds("GPL-2.0-only WITH Classpath-exception-2.0"));
        assert!(holds("Apache-2.0 WITH LLVM-exception AND MIT"));
    }

    #[test]
    fn the_old_slash_is_an_or() {
        assert!(holds("MIT/Apache-2.0"));
        assert!(holds("GPL-3.0 / MIT"));
        assert!(!holds("GPL-3.0/LGPL-3.0"));
    }

    #[test]
    fn broken_expressions_are_errors_even_after_a_yes() {
        for broken in ["", "MIT OR", "AND MIT", "(MIT", "MIT)", "MIT Zlib", "MIT WITH", "MIT OR OR Zlib", "()"] {
            assert!(satisfied(broken, permissive).is_err(), "{broken}");
        }
    }
}
