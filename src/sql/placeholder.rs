//! A statement with `?` in place of values, as clients prepare it.

use super::lexer;

/// A statement's text between its placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// One text more than there are placeholders.
    texts: Vec<String>,
    /// For each placeholder, what may stand there.
    kinds: Vec<PlaceholderKind>,
}

/// What may stand in place of a `?`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceholderKind {
    /// Any value.
    Value,
    /// The whole number of a LIMIT or OFFSET.
    Count,
}

impl Template {
    /// Takes a statement apart. A `?` in quotes or in a comment is no placeholder.
    pub fn new(text: &str) -> Self {
        let (mut texts, mut kinds) = (Vec::new(), Vec::new());
        let mut start = 0;
        for placeholder in lexer::placeholders(text) {
            texts.push(text.get(start..placeholder.at).unwrap_or_default().to_owned());
            kinds.push(match placeholder.counts {
                true => PlaceholderKind::Count,
                false => PlaceholderKind::Value,
            });
            start = placeholder.at + 1;
        }
        texts.push(text.get(start..).unwrap_or_default().to_owned());
        Self { texts, kinds }
    }

    /// What may stand in place of each `?`, in order.
    pub fn kinds(&self) -> &[PlaceholderKind] {
        &self.kinds
    }

    /// The bytes of the statement's text.
    pub fn bytes(&self) -> usize {
        self.texts.iter().map(String::len).sum()
    }

    /// The statement with a literal in place of each `?`; `push` writes that of a number.
    pub fn fill<E>(
        &self,
        mut push: impl FnMut(&mut String, usize) -> Result<(), E>,
    ) -> Result<String, E> {
        let mut filled = String::with_capacity(self.bytes());
        for (index, text) in self.texts.iter().enumerate() {
            if index > 0 {
                push(&mut filled, index - 1)?;
            }
            filled.push_str(text);
        }
        Ok(filled)
    }

    /// A statement of the same form, to be checked and described before there are values: with the
    /// literal `value` in place of each, and with 1 where rows are counted.
    pub fn sample(&self, value: &str) -> String {
        let sampled = self.fill(|out, index| {
            out.push_str(match self.kinds.get(index) {
                Some(PlaceholderKind::Count) => "1",
                Some(PlaceholderKind::Value) | None => value,
            });
            Ok::<_, std::convert::Infallible>(())
        });
        let Ok(text) = sampled;
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_found_and_filled() {
        let check = |text: &str, kinds: &[PlaceholderKind], sample: &str| {
            let template = Template::new(text);
            assert_eq!(template.kinds(), kinds, "{text}");
            assert_eq!(template.sample("''"), sample);
        };
        let (value, count) = (PlaceholderKind::Value, PlaceholderKind::Count);
        check("select 1", &[], "select 1");
        check("", &[], "");
        check("?", &[value], "''");
        check(
            "select ?, '?', \"?\", `?`, 'a\\'?' -- ?\n, ?",
            &[value, value],
            "select '', '?', \"?\", `?`, 'a\\'?' -- ?\n, ''",
        );
        check(
            "select ? /* ? */ /*! , ? */ # ?",
            &[value, value],
            "select '' /* ? */ /*! , '' */ # ?",
        );
        check(
            "select a from t where a > ? limit ?, ?",
            &[value, count, count],
            "select a from t where a > '' limit 1, 1",
        );
        check(
            "select a from t where a in (?, ?) LIMIT ? offset ?",
            &[value, value, count, count],
            "select a from t where a in ('', '') LIMIT 1 offset 1",
        );
        check(
            "(select a from t limit 3) union select ?, ?",
            &[value, value],
            "(select a from t limit 3) union select '', ''",
        );
        check(
            "(select a from t limit 3, ?) union select 5, ?",
            &[count, value],
            "(select a from t limit 3, 1) union select 5, ''",
        );
    }
}
