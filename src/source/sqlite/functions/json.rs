//! JSON values in MySQL's own text: keys by length and bytes, `, ` and `: ` between.

use std::fmt::{self, Display};

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// null
    Null,
    /// true or false
    Bool(bool),
    /// A number in its printed form.
    Number(String),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, its keys in MySQL's order.
    Object(Vec<(String, Json)>),
}

/// Why a text is no JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// In MySQL's words.
    pub message: &'static str,
    /// Where.
    pub position: usize,
}

/// Deeper documents are refused, as in MySQL.
const DEPTH_MAX: usize = 100;

/// Reads a text that a client wrote; numbers become what MySQL stores.
pub fn parse(text: &str) -> Result<Json, JsonError> {
    Reader { text, at: 0, own: false }.document()
}

/// Reads a text that was printed here; numbers keep their digits.
pub fn read(text: &str) -> Json {
    Reader { text, at: 0, own: true }.document().unwrap_or(Json::Null)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    own: bool,
}

impl Reader<'_> {
    fn document(mut self) -> Result<Json, JsonError> {
        self.blanks();
        if self.at == self.text.len() {
            return Err(self.error("\"The document is empty.\""));
        }
        let value = self.value(0)?;
        self.blanks();
        if self.at < self.text.len() {
            return Err(self.error("\"The document root must not be followed by other values.\""));
        }
        Ok(value)
    }

    fn error(&self, message: &'static str) -> JsonError {
        JsonError { message, position: self.at }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        if depth > DEPTH_MAX {
            return Err(self.error("\"The JSON document exceeds the maximum depth.\""));
        }
        self.blanks();
        match self.rest().bytes().next() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.take("true") => Ok(Json::Bool(true)),
            _ if self.take("false") => Ok(Json::Bool(false)),
            _ if self.take("null") => Ok(Json::Null),
            _ => Err(self.error("\"Invalid value.\"")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut members = Vec::new();
        self.blanks();
        if self.take("}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.blanks();
            if !self.rest().starts_with('"') {
                return Err(self.error("\"Missing a name for object member.\""));
            }
            let key = self.string()?;
            self.blanks();
            if !self.take(":") {
                return Err(self.error("\"Missing a colon after a name of object member.\""));
            }
            let value = self.value(depth + 1)?;
            set(&mut members, key, value);
            self.blanks();
            if self.take("}") {
                return Ok(Json::Object(members));
            }
            if !self.take(",") {
                return Err(self.error("\"Missing a comma or '}' after an object member.\""));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.take("]") {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.blanks();
            if self.take("]") {
                return Ok(Json::Array(items));
            }
            if !self.take(",") {
                return Err(self.error("\"Missing a comma or ']' after an array element.\""));
            }
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let mut chars = self.rest().chars();
            match chars.next() {
                None => return Err(self.error("\"Missing a closing quotation mark in string.\"")),
                Some('"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some('\\') => {
                    let escaped = chars.next();
                    self.at += 1 + escaped.map_or(0, char::len_utf8);
                    match escaped {
                        Some('n') => out.push('\n'),
                        Some('t') => out.push('\t'),
                        Some('r') => out.push('\r'),
                        Some('b') => out.push('\u{8}'),
                        Some('f') => out.push('\u{c}'),
                        Some(c @ ('"' | '\\' | '/')) => out.push(c),
                        Some('u') => out.push(self.escape()?),
                        _ => return Err(self.error("\"Invalid escape character in string.\"")),
                    }
                }
                Some(c) if c < ' ' => return Err(self.error("\"Invalid encoding in string.\"")),
                Some(c) => {
                    out.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let error = self.error("\"Incorrect hex digit after \\u escape in string.\"");
        let unit = |reader: &mut Self| {
            let digits = reader.text.get(reader.at..reader.at + 4)?;
            reader.at += 4;
            u32::from_str_radix(digits, 16).ok()
        };
        let first = unit(self).ok_or_else(|| error.clone())?;
        if (0xd800..0xdc00).contains(&first) {
            if !self.take("\\u") {
                return Err(error);
            }
            let second = unit(self).ok_or_else(|| error.clone())?;
            let joined = 0x10000 + ((first - 0xd800) << 10) + second.wrapping_sub(0xdc00);
            return char::from_u32(joined).ok_or(error);
        }
        char::from_u32(first).ok_or(error)
    }

    fn number(&mut self) -> Result<Json, JsonError> {
        let rest = self.rest();
        let end = rest
            .bytes()
            .position(|b| !(b.is_ascii_digit() || b"+-.eE".contains(&b)))
            .unwrap_or(rest.len());
        let text = rest.get(..end).unwrap_or_default().to_owned();
        let digits = text.trim_start_matches('-');
        let legal = digits.starts_with(|c: char| c.is_ascii_digit())
            && !(digits.len() > 1
                && digits.starts_with('0')
                && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit))
            && !text.ends_with(['.', 'e', 'E', '+', '-']);
        let value: f64 = match text.parse() {
            Ok(value) if legal => value,
            _ => return Err(self.error("\"Invalid value.\"")),
        };
        self.at += end;
        if self.own || text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() {
            return Ok(Json::Number(if text == "-0" { "0".to_owned() } else { text }));
        }
        if !value.is_finite() {
            return Err(self.error("\"Number too big to be stored in double.\""));
        }
        Ok(Json::Number(double(value)))
    }
}

/// A DOUBLE inside JSON always shows that it is one.
pub fn double(value: f64) -> String {
    let text = super::form::double(value);
    if text.contains(['.', 'e']) { text } else { format!("{text}.0") }
}

/// Sets a member, in MySQL's order: shorter keys first, then by bytes.
pub fn set(members: &mut Vec<(String, Json)>, key: String, value: Json) {
    let order = |other: &(String, Json)| (other.0.len(), other.0.as_str()).cmp(&(key.len(), &key));
    match members.binary_search_by(order) {
        Ok(at) => {
            if let Some(member) = members.get_mut(at) {
                member.1 = value;
            }
        }
        Err(at) => members.insert(at, (key, value)),
    }
}

impl Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Number(text) => f.write_str(text),
            Self::Text(text) => f.write_str(&quote(text)),
            Self::Array(items) => {
                f.write_str("[")?;
                for (position, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if position == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (position, (key, value)) in members.iter().enumerate() {
                    let comma = if position == 0 { "" } else { ", " };
                    write!(f, "{comma}{}: {value}", quote(key))?;
                }
                f.write_str("}")
            }
        }
    }
}

/// A text as a JSON string.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `.key`
    Key(String),
    /// `.*`
    AnyKey,
    /// `[n]`
    Item(usize),
    /// `[last-n]`
    Last(usize),
    /// `[*]`
    AnyItem,
    /// `**`
    Any,
}

/// Reads a path such as `$.a[0]."b c"`; the error is a position.
pub fn path(text: &str) -> Result<Vec<Step>, usize> {
    let mut rest = text.trim().strip_prefix('$').ok_or(1_usize)?;
    let mut steps = Vec::new();
    let whole = text.trim().len();
    loop {
        rest = rest.trim_start();
        let at = whole - rest.len();
        if rest.is_empty() {
            return if steps.last() == Some(&Step::Any) { Err(at) } else { Ok(steps) };
        }
        if let Some(after) = rest.strip_prefix("**") {
            steps.push(Step::Any);
            rest = after;
        } else if let Some(after) = rest.strip_prefix('.') {
            let after = after.trim_start();
            if let Some(after) = after.strip_prefix('*') {
                steps.push(Step::AnyKey);
                rest = after;
            } else if after.starts_with('"') {
                let mut reader = Reader { text: after, at: 0, own: true };
                let key = reader.string().map_err(|_| at)?;
                steps.push(Step::Key(key));
                rest = after.get(reader.at..).unwrap_or_default();
            } else {
                let end = after
                    .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                    .unwrap_or(after.len());
                let (key, after) = after.split_at(end);
                if key.is_empty() || key.starts_with(|c: char| c.is_ascii_digit()) {
                    return Err(at);
                }
                steps.push(Step::Key(key.to_owned()));
                rest = after;
            }
        } else if let Some(after) = rest.strip_prefix('[') {
            let (inside, after) = after.split_once(']').ok_or(at)?;
            let inside = inside.trim();
            steps.push(if inside == "*" {
                Step::AnyItem
            } else if let Some(back) = inside.strip_prefix("last") {
                let back = back.trim();
                let number =
                    if back.is_empty() { "0" } else { back.strip_prefix('-').ok_or(at)?.trim() };
                Step::Last(number.parse().map_err(|_| at)?)
            } else {
                Step::Item(inside.parse().map_err(|_| at)?)
            });
            rest = after;
        } else {
            return Err(at);
        }
    }
}

impl Json {
    /// All values that a path names, in document order.
    pub fn find<'j>(&'j self, steps: &[Step]) -> Vec<&'j Json> {
        let Some((step, rest)) = steps.split_first() else { return vec![self] };
        let mut found = Vec::new();
        match (step, self) {
            (Step::Key(key), Self::Object(members)) => {
                if let Some((_, value)) = members.iter().find(|(name, _)| name == key) {
                    found.extend(value.find(rest));
                }
            }
            (Step::AnyKey, Self::Object(members)) => {
                for (_, value) in members {
                    found.extend(value.find(rest));
                }
            }
            (Step::AnyItem, Self::Array(items)) => {
                for item in items {
                    found.extend(item.find(rest));
                }
            }
            (Step::Item(_) | Step::Last(_), Self::Array(items)) => {
                if let Some(item) = index(step, items.len()).and_then(|at| items.get(at)) {
                    found.extend(item.find(rest));
                }
            }
            // A value that is no array is the only item of itself.
            (Step::Item(0) | Step::Last(0), other) => found.extend(other.find(rest)),
            (Step::Any, value) => {
                found.extend(value.find(rest));
                match value {
                    Self::Array(items) => items.iter().for_each(|i| found.extend(i.find(steps))),
                    Self::Object(members) => {
                        members.iter().for_each(|(_, v)| found.extend(v.find(steps)));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        found
    }

    /// Changes what a path names: `existing` values are replaced, `missing` ones added.
    pub fn put(&mut self, steps: &[Step], value: &Json, existing: bool, missing: bool) {
        let Some((step, rest)) = steps.split_first() else {
            if existing {
                *self = value.clone();
            }
            return;
        };
        match (step, &mut *self) {
            (Step::Key(key), Self::Object(members)) => {
                match members.iter_mut().find(|(name, _)| name == key) {
                    Some((_, member)) => member.put(rest, value, existing, missing),
                    None if rest.is_empty() && missing => {
                        set(members, key.clone(), value.clone());
                    }
                    None => {}
                }
            }
            (Step::Item(_) | Step::Last(_), Self::Array(items)) => {
                match index(step, items.len()).and_then(|at| items.get_mut(at)) {
                    Some(item) => item.put(rest, value, existing, missing),
                    None if rest.is_empty() && missing => items.push(value.clone()),
                    None => {}
                }
            }
            (Step::Item(0) | Step::Last(0), other) => other.put(rest, value, existing, missing),
            (Step::Item(_), other) if rest.is_empty() && missing => {
                let one = std::mem::replace(other, Self::Null);
                *other = Self::Array(vec![one, value.clone()]);
            }
            _ => {}
        }
    }

    /// Removes what a path names.
    pub fn remove(&mut self, steps: &[Step]) {
        match (steps, self) {
            ([Step::Key(key)], Self::Object(members)) => members.retain(|(name, _)| name != key),
            ([step @ (Step::Item(_) | Step::Last(_))], Self::Array(items)) => {
                if let Some(at) = index(step, items.len()) {
                    items.remove(at);
                }
            }
            ([Step::Key(key), rest @ ..], Self::Object(members)) => {
                if let Some((_, value)) = members.iter_mut().find(|(name, _)| name == key) {
                    value.remove(rest);
                }
            }
            ([step @ (Step::Item(_) | Step::Last(_)), rest @ ..], Self::Array(items)) => {
                if let Some(item) = index(step, items.len()).and_then(|at| items.get_mut(at)) {
                    item.remove(rest);
                }
            }
            _ => {}
        }
    }

    /// Whether it contains another, as JSON_CONTAINS says.
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Object(a), Self::Object(b)) => b.iter().all(|(key, value)| {
                a.iter().any(|(name, have)| name == key && have.contains(value))
            }),
            (Self::Array(a), Self::Array(b)) => {
                b.iter().all(|value| a.iter().any(|have| have.contains(value)))
            }
            (Self::Array(a), value) => a.iter().any(|have| have.contains(value)),
            (a, b) => a.key() == b.key(),
        }
    }

    /// Bytes whose order is MySQL's order of JSON values.
    pub fn key(&self) -> Vec<u8> {
        match self {
            Self::Null => vec![1],
            Self::Number(text) => {
                let number = super::decimal::parse(text).unwrap_or_default();
                [vec![2], super::decimal::key(&number)].concat()
            }
            Self::Text(text) => [vec![3], text.clone().into_bytes()].concat(),
            Self::Object(_) => [vec![4], self.to_string().into_bytes()].concat(),
            Self::Array(_) => [vec![5], self.to_string().into_bytes()].concat(),
            Self::Bool(truth) => vec![6, u8::from(*truth)],
        }
    }

    /// JSON_TYPE
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Bool(_) => "BOOLEAN",
            Self::Number(text) if text.parse::<i64>().is_ok() => "INTEGER",
            Self::Number(text) if text.parse::<u64>().is_ok() => "UNSIGNED INTEGER",
            Self::Number(_) => "DOUBLE",
            Self::Text(_) => "STRING",
            Self::Array(_) => "ARRAY",
            Self::Object(_) => "OBJECT",
        }
    }

    /// JSON_MERGE_PATCH
    pub fn patch(&mut self, other: Self) {
        let Self::Object(changes) = other else {
            *self = other;
            return;
        };
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(Vec::new());
        }
        let Self::Object(members) = self else { return };
        for (key, change) in changes {
            if change == Self::Null {
                members.retain(|(name, _)| *name != key);
            } else {
                let mut value = members
                    .iter()
                    .find(|(name, _)| *name == key)
                    .map_or(Self::Null, |(_, value)| value.clone());
                value.patch(change);
                set(members, key, value);
            }
        }
    }

    /// JSON_MERGE_PRESERVE
    pub fn merge(self, other: Self) -> Self {
        match (self, other) {
            (Self::Object(mut a), Self::Object(b)) => {
                for (key, value) in b {
                    let merged = match a.iter().find(|(name, _)| *name == key) {
                        Some((_, have)) => have.clone().merge(value),
                        None => value,
                    };
                    set(&mut a, key, merged);
                }
                Self::Object(a)
            }
            (a, b) => {
                let list = |value| match value {
                    Self::Array(items) => items,
                    one => vec![one],
                };
                let mut items = list(a);
                items.extend(list(b));
                Self::Array(items)
            }
        }
    }

    /// JSON_DEPTH
    pub fn depth(&self) -> i64 {
        match self {
            Self::Array(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Object(members) => 1 + members.iter().map(|(_, v)| v.depth()).max().unwrap_or(0),
            _ => 1,
        }
    }
}

fn index(step: &Step, length: usize) -> Option<usize> {
    match step {
        Step::Item(at) => Some(*at).filter(|at| *at < length),
        Step::Last(back) => length.checked_sub(back + 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_mysql_does() {
        let show = |text: &str| parse(text).map(|json| json.to_string());
        assert_eq!(
            show(r#"{"bb":1,"a":[1,2.50,1e2],"a":{"x":null,"é":"\u00e9\n"}}"#).as_deref(),
            Ok(r#"{"a": {"x": null, "é": "é\n"}, "bb": 1}"#)
        );
        assert_eq!(
            show("[1.0, 1e2, -0, 12345678901234567890]").as_deref(),
            Ok("[1.0, 100.0, 0, 12345678901234567890]")
        );
        assert!(show("{a:1}").is_err());
        assert!(show("[1,]").is_err());
        assert!(show("01").is_err());
    }

    #[test]
    fn follows_paths() {
        let json = read(r#"{"a": [1, {"b c": 2}], "d": 3}"#);
        let find = |text: &str| {
            json.find(&path(text).unwrap()).iter().map(|j| j.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(find("$.a[1].\"b c\""), ["2"]);
        assert_eq!(find("$.a[last].*"), ["2"]);
        assert_eq!(find("$.d[0]"), ["3"]);
        assert_eq!(path("$.").err(), Some(1));
    }
}
