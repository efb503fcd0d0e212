//! JSON documents.

use rusqlite::types::{Value as Stored, ValueRef};

use super::call::{Call, Definition, NULL, int, nulls, pure, text};
use super::form;
use super::json::{self, Json, Step};
use super::time;
use crate::sql::sqlite::Fault;

/// The functions of this file.
pub const LIST: &[Definition] = &[
    pure("my_json", 2, value),
    pure("my_json_doc", 3, document),
    pure("my_json_parse", 2, parse),
    pure("my_jkey", 1, |c| Ok(Stored::Blob(json::read(&c.text(0)).key()))),
    nulls("my_json_extract", -1, extract),
    pure("my_json_unquote", 1, unquote),
    pure("my_json_quote", 1, |c| text(json::quote(&c.text(0)))),
    nulls("my_json_object", -1, object),
    nulls("my_json_array", -1, array),
    nulls("my_json_set", -1, |c| put(c, true, true)),
    nulls("my_json_insert", -1, |c| put(c, false, true)),
    nulls("my_json_replace", -1, |c| put(c, true, false)),
    nulls("my_json_array_append", -1, array_append),
    pure("my_json_remove", -1, remove),
    pure("my_json_contains", 2, contains),
    pure("my_json_contains", 3, contains),
    pure("my_json_contains_path", -1, contains_path),
    pure("my_json_keys", 1, keys),
    pure("my_json_keys", 2, keys),
    pure("my_json_length", 1, length),
    pure("my_json_length", 2, length),
    pure("my_json_depth", 1, |c| int(json::read(&c.text(0)).depth())),
    pure("my_json_type", 1, |c| text(json::read(&c.text(0)).type_name())),
    pure("my_json_valid", 1, |c| int(i128::from(json::parse(&c.text(0)).is_ok()))),
    pure("my_json_merge_patch", -1, merge_patch),
    pure("my_json_merge_preserve", -1, merge_preserve),
    pure("my_json_pretty", 1, |_| Err(Fault::Unsupported("JSON_PRETTY()".to_owned()))),
];

/// A value of any type as JSON.
fn value(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let code = call.text(1);
    let rest = code.get(1..).unwrap_or_default();
    let members = || rest.split('\u{1f}').map(Box::from).collect::<Vec<Box<str>>>();
    text(match (code.as_bytes().first(), call.raw(0)) {
        (Some(b'j'), _) => call.text(0),
        (Some(b'B'), _) => (call.whole(0) != 0).to_string(),
        (Some(b'i' | b'y'), _) => call.whole(0).to_string(),
        (Some(b'd'), _) => call.text(0),
        (Some(b'g'), ValueRef::Real(number)) => json::double(number),
        (Some(b'f'), ValueRef::Real(number)) => {
            let shown = form::float(number);
            if shown.contains(['.', 'e']) { shown } else { format!("{shown}.0") }
        }
        (Some(b't'), ValueRef::Integer(micros)) => json::quote(&time::show_time(micros, 6)),
        (Some(b'p'), _) => {
            let shown = time::parse_datetime(&call.text(0)).map(|(moment, _)| moment.show(6));
            json::quote(&shown.unwrap_or_default())
        }
        (Some(b'e'), ValueRef::Integer(number)) => json::quote(form::member(&members(), number)),
        (Some(b'S'), ValueRef::Integer(bits)) => json::quote(&form::set_text(&members(), bits)),
        (Some(b'x' | b'b'), _) => {
            return Err(Fault::Unsupported("bytes as a JSON value".to_owned()));
        }
        _ => json::quote(&call.text(0)),
    })
}

/// A text as a document: text, function, argument.
fn document(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    match json::parse(&call.text(0)) {
        Ok(json) => text(json.to_string()),
        Err(error) => Err(Fault::InvalidJsonArgument {
            argument: usize::try_from(call.int(2)).unwrap_or(1),
            function: call.text(1),
            message: format!("{} at position {}.", error.message, error.position),
        }),
    }
}

/// CAST AS JSON: a text is read, anything else becomes a value.
fn parse(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    if call.text(1) != "s" {
        return value(call);
    }
    match json::parse(&call.text(0)) {
        Ok(json) => text(json.to_string()),
        Err(error) => Err(Fault::InvalidJsonArgument {
            argument: 1,
            function: "cast_as_json".to_owned(),
            message: format!("{} at position {}.", error.message, error.position),
        }),
    }
}

fn path(call: &Call<'_, '_>, at: usize) -> Result<Vec<Step>, Fault> {
    json::path(&call.text(at)).map_err(Fault::InvalidJsonPath)
}

fn is_wild(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::Any | Step::AnyItem | Step::AnyKey))
}

fn extract(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    if (0..call.len()).any(|at| call.is_null(at)) {
        return NULL;
    }
    let json = json::read(&call.text(0));
    let mut found = Vec::new();
    let mut many = call.len() > 2;
    for at in 1..call.len() {
        let steps = path(call, at)?;
        many |= is_wild(&steps);
        found.extend(json.find(&steps).into_iter().cloned());
    }
    match (found.first(), many) {
        (None, _) => NULL,
        (Some(one), false) => text(one.to_string()),
        (Some(_), true) => text(Json::Array(found).to_string()),
    }
}

fn unquote(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    match json::read(&call.text(0)) {
        Json::Text(value) => text(value),
        other => text(other.to_string()),
    }
}

/// An argument that is a JSON value; NULL is null.
fn given(call: &Call<'_, '_>, at: usize) -> Json {
    if call.is_null(at) { Json::Null } else { json::read(&call.text(at)) }
}

fn object(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let mut members = Vec::new();
    for at in (0..call.len()).step_by(2) {
        if call.is_null(at) {
            return Err(Fault::Denied(
                "JSON documents may not contain NULL member names.".to_owned(),
            ));
        }
        json::set(&mut members, call.text(at), given(call, at + 1));
    }
    text(Json::Object(members).to_string())
}

fn array(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    text(Json::Array((0..call.len()).map(|at| given(call, at)).collect()).to_string())
}

/// Changes a document at each path that is given, one after the other, with the value behind it.
fn change(
    call: &Call<'_, '_>,
    mut change: impl FnMut(&mut Json, &[Step], Json) -> Result<(), Fault>,
) -> Result<Stored, Fault> {
    if call.is_null(0) {
        return NULL;
    }
    let mut json = json::read(&call.text(0));
    for at in (1..call.len()).step_by(2) {
        if call.is_null(at) {
            return NULL;
        }
        change(&mut json, &path(call, at)?, given(call, at + 1))?;
    }
    text(json.to_string())
}

fn put(call: &Call<'_, '_>, existing: bool, missing: bool) -> Result<Stored, Fault> {
    change(call, |json, steps, value| {
        if is_wild(steps) {
            return Err(Fault::InvalidJsonPath(1));
        }
        json.put(steps, &value, existing, missing);
        Ok(())
    })
}

fn array_append(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    change(call, |json, steps, value| {
        let Some(found) = json.find(steps).first().map(|found| (*found).clone()) else {
            return Ok(());
        };
        let mut items = match found {
            Json::Array(items) => items,
            one => vec![one],
        };
        items.push(value);
        json.put(steps, &Json::Array(items), true, false);
        Ok(())
    })
}

fn remove(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let mut json = json::read(&call.text(0));
    for at in 1..call.len() {
        let steps = path(call, at)?;
        if steps.is_empty() || is_wild(&steps) {
            return Err(Fault::InvalidJsonPath(1));
        }
        json.remove(&steps);
    }
    text(json.to_string())
}

fn contains(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let json = json::read(&call.text(0));
    let other = json::read(&call.text(1));
    if call.len() < 3 {
        return int(i128::from(json.contains(&other)));
    }
    let steps = path(call, 2)?;
    json.find(&steps).first().map_or(NULL, |found| int(i128::from(found.contains(&other))))
}

fn contains_path(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let json = json::read(&call.text(0));
    let all = call.text(1).eq_ignore_ascii_case("all");
    let mut found = all;
    for at in 2..call.len() {
        let has = !json.find(&path(call, at)?).is_empty();
        found = if all { found && has } else { found || has };
    }
    int(i128::from(found))
}

/// The document, or the part of it that a path in the second argument names.
fn part(call: &Call<'_, '_>) -> Result<Option<Json>, Fault> {
    let json = json::read(&call.text(0));
    if call.len() < 2 {
        return Ok(Some(json));
    }
    let steps = path(call, 1)?;
    Ok(json.find(&steps).first().map(|found| (*found).clone()))
}

fn keys(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    match part(call)? {
        Some(Json::Object(members)) => {
            let keys = members.into_iter().map(|(key, _)| Json::Text(key)).collect();
            text(Json::Array(keys).to_string())
        }
        _ => NULL,
    }
}

fn length(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let count = match part(call)? {
        None => return NULL,
        Some(Json::Object(members)) => members.len(),
        Some(Json::Array(items)) => items.len(),
        Some(_) => 1,
    };
    int(i128::try_from(count).unwrap_or(0))
}

fn merge_patch(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let mut json = json::read(&call.text(0));
    for at in 1..call.len() {
        json.patch(json::read(&call.text(at)));
    }
    text(json.to_string())
}

fn merge_preserve(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let mut json = json::read(&call.text(0));
    for at in 1..call.len() {
        json = json.merge(json::read(&call.text(at)));
    }
    text(json.to_string())
}
