//! How a function is defined, and what it sees of its call.

use std::sync::Arc;

use bigdecimal::BigDecimal;
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value as Stored, ValueRef};

use super::{Current, SessionState};
use super::{decimal, form};
use crate::sql::sqlite::Fault;

/// A SQLite function.
pub struct Definition {
    /// Its name in SQLite.
    pub name: &'static str,
    /// How many arguments it takes; -1 for any number.
    pub arguments: i32,
    /// The same arguments always give the same.
    pub pure: bool,
    /// It sees NULLs; else a NULL argument makes NULL.
    pub nulls: bool,
    /// What it does.
    pub run: fn(&Call<'_, '_>) -> Result<Stored, Fault>,
}

/// A pure function that NULL passes through.
pub const fn pure(
    name: &'static str,
    arguments: i32,
    run: fn(&Call<'_, '_>) -> Result<Stored, Fault>,
) -> Definition {
    Definition { name, arguments, pure: true, nulls: false, run }
}

/// A pure function that sees NULLs.
pub const fn nulls(
    name: &'static str,
    arguments: i32,
    run: fn(&Call<'_, '_>) -> Result<Stored, Fault>,
) -> Definition {
    Definition { name, arguments, pure: true, nulls: true, run }
}

/// A function of the session or of chance.
pub const fn session(
    name: &'static str,
    arguments: i32,
    run: fn(&Call<'_, '_>) -> Result<Stored, Fault>,
) -> Definition {
    Definition { name, arguments, pure: false, nulls: true, run }
}

impl Definition {
    /// Registers it on a connection.
    pub fn register(
        &'static self,
        connection: &Connection,
        current: &Arc<Current>,
    ) -> rusqlite::Result<()> {
        let mut flags = FunctionFlags::SQLITE_UTF8;
        if self.pure {
            flags |= FunctionFlags::SQLITE_DETERMINISTIC;
        }
        let current = Arc::clone(current);
        connection.create_scalar_function(self.name, self.arguments, flags, move |context| {
            let call = Call { context, current: &current };
            if !self.nulls && (0..call.len()).any(|at| call.is_null(at)) {
                return Ok(Stored::Null);
            }
            (self.run)(&call).map_err(|fault| call.failed(fault))
        })
    }
}

/// A call in progress.
pub struct Call<'c, 'a> {
    context: &'c Context<'a>,
    current: &'c Arc<Current>,
}

impl Call<'_, '_> {
    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.context.len()
    }

    /// An argument as it is; NULL where there is none.
    pub fn raw(&self, at: usize) -> ValueRef<'_> {
        if at < self.context.len() { self.context.get_raw(at) } else { ValueRef::Null }
    }

    /// Whether an argument is NULL.
    pub fn is_null(&self, at: usize) -> bool {
        self.raw(at) == ValueRef::Null
    }

    /// An argument as text.
    pub fn text(&self, at: usize) -> String {
        match self.raw(at) {
            ValueRef::Null => String::new(),
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => form::double(number),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                String::from_utf8_lossy(bytes).into_owned()
            }
        }
    }

    /// An argument as bytes.
    pub fn bytes(&self, at: usize) -> Vec<u8> {
        match self.raw(at) {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
            _ => self.text(at).into_bytes(),
        }
    }

    /// An argument as a whole number.
    pub fn whole(&self, at: usize) -> i128 {
        match self.raw(at) {
            ValueRef::Integer(number) => i128::from(number),
            ValueRef::Real(number) => decimal::of_double_rounded(number),
            _ => decimal::rounded(&decimal::leading(&self.text(at)).0),
        }
    }

    /// The same within 64 bits.
    pub fn int(&self, at: usize) -> i64 {
        i64::try_from(self.whole(at)).unwrap_or(i64::MAX)
    }

    /// An argument as a DOUBLE.
    pub fn real(&self, at: usize) -> f64 {
        match self.raw(at) {
            ValueRef::Real(number) => number,
            _ => decimal::leading_double(&self.text(at)).0,
        }
    }

    /// An argument as an exact number.
    pub fn exact(&self, at: usize) -> BigDecimal {
        match self.raw(at) {
            ValueRef::Integer(number) => number.into(),
            _ => decimal::leading(&self.text(at)).0,
        }
    }

    /// The session whose statement runs.
    pub fn session(&self) -> Arc<SessionState> {
        self.current.session()
    }

    /// Leaves a fault where the statement's end finds it.
    fn failed(&self, fault: Fault) -> rusqlite::Error {
        let error = rusqlite::Error::UserFunctionError(fault.to_string().into());
        self.session().fail(fault);
        error
    }
}

/// A value of its own.
pub fn owned(value: ValueRef<'_>) -> Stored {
    match value {
        ValueRef::Null => Stored::Null,
        ValueRef::Integer(number) => Stored::Integer(number),
        ValueRef::Real(number) => Stored::Real(number),
        ValueRef::Text(bytes) => Stored::Text(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => Stored::Blob(bytes.to_vec()),
    }
}

/// A text.
pub fn text(value: impl Into<String>) -> Result<Stored, Fault> {
    Ok(Stored::Text(value.into()))
}

/// A whole number.
pub fn int(value: impl Into<i128>) -> Result<Stored, Fault> {
    Ok(form::big_number(value.into()))
}

/// A DOUBLE; what is none is NULL.
pub fn real(value: f64) -> Result<Stored, Fault> {
    Ok(if value.is_finite() { Stored::Real(value) } else { Stored::Null })
}

/// NULL.
pub const NULL: Result<Stored, Fault> = Ok(Stored::Null);
