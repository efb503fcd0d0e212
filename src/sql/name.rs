//! How names and texts print, so that they read back as the same.

use std::fmt;

use sqlparser::keywords::ALL_KEYWORDS;

/// A name: bare where that is safe, else in back quotes.
pub(super) struct Identifier<'a>(pub &'a str);

impl fmt::Display for Identifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_bare(self.0) {
            f.write_str(self.0)
        } else {
            write!(f, "`{}`", self.0.replace('`', "``"))
        }
    }
}

/// Writes items between commas.
pub(super) fn write_items<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

/// A select item's other name, behind AS in the statement's own spelling; nothing if there is none.
pub(super) struct Alias<'a>(pub &'static str, pub &'a Option<String>);

impl fmt::Display for Alias<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(alias) => write!(f, " {} {}", self.0, Identifier(alias)),
            None => Ok(()),
        }
    }
}

/// A text in single quotes.
pub(super) struct Text<'a>(pub &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("'")?;
        let mut rest = self.0.chars().peekable();
        while let Some(char) = rest.next() {
            match char {
                '\'' => f.write_str("''")?,
                // MySQL reads `\%` and `\_` as two characters, so they print as they are.
                '\\' if matches!(rest.peek(), Some('%' | '_')) => f.write_str("\\")?,
                '\\' => f.write_str("\\\\")?,
                '\0' => f.write_str("\\0")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\u{1a}' => f.write_str("\\Z")?,
                char => write!(f, "{char}")?,
            }
        }
        f.write_str("'")
    }
}

/// Whether `name` may stand without quotes wherever a name may stand.
fn is_bare(name: &str) -> bool {
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    starts
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !SPECIAL.iter().chain(&RESERVED).any(|word| name.eq_ignore_ascii_case(word))
        && (is_plain(name)
            || ALL_KEYWORDS.binary_search(&name.to_ascii_uppercase().as_str()).is_err())
}

/// Words of sqlparser's that are nothing but names in MySQL and in our statements, and common.
fn is_plain(name: &str) -> bool {
    PLAIN.iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// Names that mean something else without quotes.
const SPECIAL: [&str; 8] = ["pos", "op", "old", "new", "_pos", "_shard", "_ts", "changed"];

/// Words that servers reserve and sqlparser does not know: conditions are sent to servers, too.
const RESERVED: [&str; 47] = [
    "accessible",
    "day_hour",
    "day_microsecond",
    "day_minute",
    "day_second",
    "delete_domain_id",
    "do_domain_ids",
    "dual",
    "enclosed",
    "exit",
    "hour_microsecond",
    "hour_minute",
    "hour_second",
    "ignore_domain_ids",
    "infile",
    "io_after_gtids",
    "io_before_gtids",
    "iterate",
    "leave",
    "library",
    "linear",
    "loop",
    "master_demote_to_replica",
    "master_demote_to_slave",
    "master_ssl_verify_server_cert",
    "middleint",
    "minute_microsecond",
    "minute_second",
    "optionally",
    "outfile",
    "page_checksum",
    "parse_vcol_expr",
    "read_write",
    "ref_system_id",
    "repeat",
    "resignal",
    "second_microsecond",
    "signal",
    "ssl",
    "starting",
    "undo",
    "utc_date",
    "utc_time",
    "utc_timestamp",
    "varcharacter",
    "year_month",
    "zerofill",
];

const PLAIN: [&str; 48] = [
    "account",
    "action",
    "active",
    "address",
    "comment",
    "count",
    "data",
    "date",
    "day",
    "email",
    "end",
    "engine",
    "extra",
    "first",
    "format",
    "hash",
    "host",
    "id",
    "label",
    "language",
    "last",
    "level",
    "list",
    "location",
    "message",
    "method",
    "month",
    "name",
    "number",
    "object",
    "owner",
    "role",
    "size",
    "source",
    "state",
    "status",
    "tag",
    "target",
    "text",
    "time",
    "timestamp",
    "title",
    "total",
    "type",
    "user",
    "value",
    "version",
    "year",
];
