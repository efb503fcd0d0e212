//! Texts and bytes.

use base64::Engine as _;
use rusqlite::types::{Value as Stored, ValueRef};
use sha1::Digest as _;

use super::call::{Call, Definition, NULL, int, nulls, owned, pure, session, text};
use super::{decimal, form, time};
use crate::event::CollationId;
use crate::event::collation::{self, Charset};
use crate::sql::sqlite::Fault;

/// The functions of this file.
pub const LIST: &[Definition] = &[
    pure("my_key", 2, key),
    pure("my_str", 2, string),
    pure("my_encode", 2, |c| Ok(Stored::Blob(own(collation_at(c, 1), &c.bytes(0))))),
    pure("my_like", 4, like),
    pure("my_regexp", 3, regexp),
    pure("my_trim", 3, trim),
    pure("my_concat", -1, concat),
    nulls("my_concat_ws", -1, concat_ws),
    nulls("my_elt", -1, elt),
    pure("my_hex", 1, |c| text(format!("{:X}", bits(c.whole(0))))),
    pure("my_format", 2, format),
    pure("my_ascii", 1, |c| int(c.bytes(0).first().copied().unwrap_or(0))),
    pure("my_bit_length", 1, |c| int(length(c.bytes(0).len()) * 8)),
    pure("my_length", 1, |c| int(length(c.bytes(0).len()))),
    pure("my_octet_length", 1, |c| int(length(c.bytes(0).len()))),
    pure("my_char_length", 1, char_length),
    pure("my_character_length", 1, char_length),
    pure("my_find_in_set", 3, find_in_set),
    pure("my_insert", 4, insert),
    pure("my_instr", 3, |c| locate(c, 1, 0, 0, 2)),
    pure("my_locate", 3, |c| locate(c, 0, 1, 0, 2)),
    pure("my_locate", 4, |c| locate(c, 0, 1, c.int(2) - 1, 3)),
    pure("my_left", 2, |c| cut(c, 0, c.int(1))),
    pure("my_right", 2, right),
    pure("my_lower", 1, |c| text(c.text(0).to_lowercase())),
    pure("my_lcase", 1, |c| text(c.text(0).to_lowercase())),
    pure("my_upper", 1, |c| text(upper(&c.text(0)))),
    pure("my_ucase", 1, |c| text(upper(&c.text(0)))),
    pure("my_lpad", 3, |c| pad(c, true)),
    pure("my_rpad", 3, |c| pad(c, false)),
    pure("my_ltrim", 1, |c| text(c.text(0).trim_start_matches(' '))),
    pure("my_rtrim", 1, |c| text(c.text(0).trim_end_matches(' '))),
    pure("my_mid", 3, substring),
    pure("my_substr", 2, substring),
    pure("my_substr", 3, substring),
    pure("my_substring", 2, substring),
    pure("my_substring", 3, substring),
    nulls("my_quote", 1, quote),
    pure("my_repeat", 2, repeat),
    pure("my_space", 1, |c| bounded(" ", c.int(0))),
    pure("my_replace", 3, replace),
    pure("my_reverse", 1, |c| text(c.text(0).chars().rev().collect::<String>())),
    pure("my_strcmp", 3, strcmp),
    pure("my_substring_index", 3, substring_index),
    pure("my_unhex", 1, unhex),
    pure("my_to_base64", 1, to_base64),
    pure("my_from_base64", 1, from_base64),
    pure("my_md5", 1, |_| Err(Fault::Unsupported("MD5()".to_owned()))),
    pure("my_sha", 1, |c| text(hex(&sha1::Sha1::digest(c.bytes(0))))),
    pure("my_sha1", 1, |c| text(hex(&sha1::Sha1::digest(c.bytes(0))))),
    pure("my_sha2", 2, sha2),
    pure("my_crc32", 1, |c| int(crc32(&c.bytes(0)))),
    session("my_uuid", 0, |_| text(uuid())),
    pure("my_conv", 3, conv),
    pure("my_bin", 1, |c| text(format!("{:b}", bits(c.whole(0))))),
    pure("my_oct", 1, |c| text(format!("{:o}", bits(c.whole(0))))),
    pure("my_inet_aton", 1, inet_aton),
    pure("my_inet_ntoa", 1, inet_ntoa),
];

fn length(length: usize) -> i128 {
    i128::try_from(length).unwrap_or(i128::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "64 bits are meant")]
#[expect(clippy::cast_sign_loss, reason = "a negative number's bits are meant")]
fn bits(number: i128) -> u64 {
    number as u64
}

/// Text in the collation's own bytes.
fn own(id: CollationId, text: &[u8]) -> Vec<u8> {
    match collation::charset(id) {
        Some(charset @ Charset::Latin1) => {
            charset.encode(&String::from_utf8_lossy(text)).unwrap_or_else(|| text.to_vec())
        }
        _ => text.to_vec(),
    }
}

fn collation_at(call: &Call<'_, '_>, at: usize) -> CollationId {
    CollationId(u16::try_from(call.int(at)).unwrap_or(0))
}

/// The sort key of a text.
pub fn sort_key(id: CollationId, text: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut key = Vec::new();
    collation::sort_key(id, &own(id, text), &mut key)
        .map_err(|error| Fault::Unsupported(error.to_string()))?;
    Ok(key)
}

fn key(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let id = collation_at(call, 1);
    match call.raw(0) {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => sort_key(id, bytes).map(Stored::Blob),
        _ => sort_key(id, call.text(0).as_bytes()).map(Stored::Blob),
    }
}

/// A value as MySQL prints it, by the letters of its type.
fn string(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let code = call.text(1);
    let rest = code.get(1..).unwrap_or_default();
    let members = || rest.split('\u{1f}').map(Box::from).collect::<Vec<Box<str>>>();
    text(match (code.as_bytes().first(), call.raw(0)) {
        (Some(b'f'), ValueRef::Real(number)) => form::float(number),
        (Some(b'g'), ValueRef::Real(number)) => form::double(number),
        (Some(b't'), ValueRef::Integer(micros)) => {
            time::show_time(micros, rest.parse().unwrap_or(0))
        }
        (Some(b'y'), ValueRef::Integer(year)) => format!("{year:04}"),
        (Some(b'e'), ValueRef::Integer(number)) => form::member(&members(), number).to_owned(),
        (Some(b'S'), ValueRef::Integer(bits)) => form::set_text(&members(), bits),
        (Some(b'b'), _) => {
            let width = rest.parse::<usize>().unwrap_or(8).div_ceil(8).clamp(1, 8);
            let bytes = bits(call.whole(0)).to_be_bytes();
            String::from_utf8_lossy(bytes.get(8 - width..).unwrap_or(&bytes)).into_owned()
        }
        (Some(b'i'), ValueRef::Text(_)) => call.whole(0).to_string(),
        _ => call.text(0),
    })
}

fn like(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let id = collation_at(call, 3);
    let escape = call.text(2).chars().next();
    let (value, pattern) = (call.bytes(0), call.bytes(1));
    collation::like(id, &own(id, &value), &own(id, &pattern), escape)
        .map(|found| Stored::Integer(i64::from(found)))
        .map_err(|error| Fault::Unsupported(error.to_string()))
}

fn regexp(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let name = collation::name(collation_at(call, 2)).unwrap_or_default();
    let pattern = call.text(1);
    let regex = regex::RegexBuilder::new(&pattern)
        .case_insensitive(name.ends_with("_ci"))
        .size_limit(1 << 20)
        .build()
        .map_err(|_| Fault::Unsupported(format!("the regular expression '{pattern}'")))?;
    int(i128::from(regex.is_match(&call.text(0))))
}

fn trim(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let (value, what, side) = (call.text(0), call.text(1), call.text(2));
    let mut rest = value.as_str();
    if what.is_empty() {
        return text(rest);
    }
    if side != "t" {
        rest = rest.trim_start_matches(what.as_str());
    }
    if side != "l" {
        rest = rest.trim_end_matches(what.as_str());
    }
    text(rest)
}

fn concat(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let blob = (0..call.len()).any(|at| matches!(call.raw(at), ValueRef::Blob(_)));
    if blob {
        return Ok(Stored::Blob((0..call.len()).flat_map(|at| call.bytes(at)).collect()));
    }
    text((0..call.len()).map(|at| call.text(at)).collect::<String>())
}

fn concat_ws(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    if call.is_null(0) {
        return NULL;
    }
    let parts: Vec<String> =
        (1..call.len()).filter(|at| !call.is_null(*at)).map(|at| call.text(at)).collect();
    text(parts.join(&call.text(0)))
}

fn elt(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    match usize::try_from(call.whole(0)) {
        Ok(at) if at > 0 && at < call.len() && !call.is_null(0) => Ok(owned(call.raw(at))),
        _ => NULL,
    }
}

fn format(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let digits = call.int(1).clamp(0, 30);
    let rounded = call.exact(0).with_scale_round(digits, bigdecimal::RoundingMode::HalfUp);
    let shown = decimal::plain(&rounded);
    let (whole, fraction) = shown.split_once('.').unwrap_or((&shown, ""));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |rest| ("-", rest));
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let point = if fraction.is_empty() { "" } else { "." };
    text(format!("{sign}{grouped}{point}{fraction}"))
}

fn find_in_set(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let id = collation_at(call, 2);
    let want = sort_key(id, call.text(0).as_bytes())?;
    let list = call.text(1);
    if list.is_empty() {
        return int(0);
    }
    for (position, item) in list.split(',').enumerate() {
        if sort_key(id, item.as_bytes())? == want {
            return int(length(position + 1));
        }
    }
    int(0)
}

fn insert(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let value = call.text(0);
    let count = i64::try_from(value.chars().count()).unwrap_or(i64::MAX);
    let (at, size) = (call.int(1), call.int(2));
    if at < 1 || at > count {
        return text(value);
    }
    let size = if size < 0 { count } else { size };
    let head = chars(&value, 0, at - 1);
    let tail = chars(&value, at.saturating_sub(1).saturating_add(size), count);
    text(format!("{head}{}{tail}", call.text(3)))
}

fn locate(
    call: &Call<'_, '_>,
    needle: usize,
    hay: usize,
    start: i64,
    collation: usize,
) -> Result<Stored, Fault> {
    let id = collation_at(call, collation);
    let (needle, hay) = (call.text(needle), call.text(hay));
    let hay: Vec<char> = hay.chars().collect();
    let Ok(start) = usize::try_from(start) else { return int(0) };
    if start > hay.len() {
        return int(0);
    }
    let width = needle.chars().count();
    let bytewise = collation::is_bytewise(id);
    let want = sort_key(id, needle.as_bytes())?;
    for at in start..=hay.len().saturating_sub(width) {
        let part: String = hay.iter().skip(at).take(width).collect();
        let same = if bytewise { part == needle } else { sort_key(id, part.as_bytes())? == want };
        if same {
            return int(length(at + 1));
        }
    }
    int(0)
}

/// `count` characters from `start` on.
fn chars(text: &str, start: i64, count: i64) -> String {
    let start = usize::try_from(start).unwrap_or(0);
    let count = usize::try_from(count).unwrap_or(0);
    text.chars().skip(start).take(count).collect()
}

/// How many characters, or bytes, the first argument has.
fn size(call: &Call<'_, '_>) -> i64 {
    let size = match call.raw(0) {
        ValueRef::Blob(bytes) => bytes.len(),
        _ => call.text(0).chars().count(),
    };
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn char_length(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    int(size(call))
}

/// A part of the first argument, in characters or bytes.
fn cut(call: &Call<'_, '_>, start: i64, count: i64) -> Result<Stored, Fault> {
    match call.raw(0) {
        ValueRef::Blob(bytes) => {
            let start = usize::try_from(start).unwrap_or(0);
            let count = usize::try_from(count).unwrap_or(0);
            Ok(Stored::Blob(bytes.iter().skip(start).take(count).copied().collect()))
        }
        _ => text(chars(&call.text(0), start, count)),
    }
}

fn right(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let count = size(call);
    let want = call.int(1).clamp(0, count);
    cut(call, count - want, want)
}

fn substring(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let count = size(call);
    let from = call.int(1);
    let start = if from < 0 { count.saturating_add(from) } else { from - 1 };
    let size = if call.len() > 2 { call.int(2) } else { count };
    if from == 0 || start < 0 {
        return cut(call, 0, 0);
    }
    cut(call, start, size)
}

/// Upper case, one character for one.
fn upper(text: &str) -> String {
    text.chars()
        .map(|c| {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(one), None) => one,
                _ => c,
            }
        })
        .collect()
}

/// Bytes that a function may make; MySQL's max_allowed_packet.
const MADE_MAX: usize = 64 << 20;

fn pad(call: &Call<'_, '_>, left: bool) -> Result<Stored, Fault> {
    let (value, fill) = (call.text(0), call.text(2));
    let Ok(want) = usize::try_from(call.int(1)) else { return NULL };
    let count = value.chars().count();
    if want <= count {
        return text(value.chars().take(want).collect::<String>());
    }
    if fill.is_empty() {
        return text("");
    }
    if want > MADE_MAX / 4 {
        return NULL;
    }
    let made: String = fill.chars().cycle().take(want - count).collect();
    text(if left { format!("{made}{value}") } else { format!("{value}{made}") })
}

fn quote(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    if call.is_null(0) {
        return text("NULL");
    }
    let value = call.text(0);
    let value = value.replace('\\', "\\\\").replace('\'', "\\'").replace('\0', "\\0");
    text(format!("'{}'", value.replace('\u{1a}', "\\Z")))
}

fn repeat(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    bounded(&call.text(0), call.int(1))
}

fn bounded(value: &str, times: i64) -> Result<Stored, Fault> {
    let times = usize::try_from(times).unwrap_or(0);
    if value.len().saturating_mul(times) > MADE_MAX {
        return NULL;
    }
    text(value.repeat(times))
}

fn replace(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let (value, from, to) = (call.text(0), call.text(1), call.text(2));
    text(if from.is_empty() { value } else { value.replace(&from, &to) })
}

fn strcmp(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let id = collation_at(call, 2);
    let order = sort_key(id, &call.bytes(0))?.cmp(&sort_key(id, &call.bytes(1))?);
    int(match order {
        std::cmp::Ordering::Less => -1,
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Greater => 1,
    })
}

fn substring_index(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let (value, mark, count) = (call.text(0), call.text(1), call.int(2));
    if mark.is_empty() || count == 0 {
        return text("");
    }
    let places: Vec<usize> = value.match_indices(mark.as_str()).map(|(at, _)| at).collect();
    let times = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count > 0 {
        let end = places.get(times - 1).copied().unwrap_or(value.len());
        return text(value.get(..end).unwrap_or_default());
    }
    let start = places.len().checked_sub(times).and_then(|n| places.get(n));
    text(start.map_or(value.as_str(), |at| value.get(at + mark.len()..).unwrap_or_default()))
}

fn unhex(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let digits = call.text(0);
    let digits = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits };
    let bytes: Option<Vec<u8>> = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    Ok(bytes.map_or(Stored::Null, Stored::Blob))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn to_base64(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(call.bytes(0));
    let lines: Vec<&str> = encoded
        .as_bytes()
        .chunks(76)
        .map(|line| std::str::from_utf8(line).unwrap_or_default())
        .collect();
    text(lines.join("\n"))
}

fn from_base64(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let encoded: String = call.text(0).chars().filter(|c| !c.is_whitespace()).collect();
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded);
    Ok(decoded.map_or(Stored::Null, Stored::Blob))
}

fn sha2(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let bytes = call.bytes(0);
    match call.int(1) {
        0 | 256 => text(hex(&sha2::Sha256::digest(bytes))),
        224 => text(hex(&sha2::Sha224::digest(bytes))),
        384 => text(hex(&sha2::Sha384::digest(bytes))),
        512 => text(hex(&sha2::Sha512::digest(bytes))),
        _ => NULL,
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// A version 4 UUID; MySQL's is version 1, but nobody can tell which next one it would be.
fn uuid() -> String {
    let number = fastrand::u128(..) & !(0xf000_u128 << 64) & !(0xc000_u128 << 48)
        | (0x4000_u128 << 64)
        | (0x8000_u128 << 48);
    let digits = format!("{number:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

fn conv(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let (from, to) = (call.int(1), call.int(2));
    let bases = (u32::try_from(from.unsigned_abs()), u32::try_from(to.unsigned_abs()));
    let (Ok(from_base @ 2..=36), Ok(to_base @ 2..=36)) = bases else { return NULL };
    let value = call.text(0);
    let value = value.trim();
    let (negative, digits) = value.strip_prefix('-').map_or((false, value), |rest| (true, rest));
    let mut number = 0_u64;
    for digit in digits.chars().map_while(|c| c.to_digit(from_base)) {
        number = number
            .checked_mul(u64::from(from_base))
            .and_then(|n| n.checked_add(u64::from(digit)))
            .unwrap_or(u64::MAX);
    }
    if negative {
        number = number.wrapping_neg();
    }
    let minus = to < 0 && number > u64::MAX / 2;
    let mut rest = if minus { number.wrapping_neg() } else { number };
    let mut out = Vec::new();
    loop {
        let digit = u32::try_from(rest % u64::from(to_base)).unwrap_or(0);
        out.push(char::from_digit(digit, to_base).unwrap_or('0').to_ascii_uppercase());
        rest /= u64::from(to_base);
        if rest == 0 {
            break;
        }
    }
    if minus {
        out.push('-');
    }
    text(out.into_iter().rev().collect::<String>())
}

fn inet_aton(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    match call.text(0).parse::<std::net::Ipv4Addr>() {
        Ok(address) => int(u32::from(address)),
        Err(_) => NULL,
    }
}

fn inet_ntoa(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    match u32::try_from(call.whole(0)) {
        Ok(number) => text(std::net::Ipv4Addr::from(number).to_string()),
        Err(_) => NULL,
    }
}
