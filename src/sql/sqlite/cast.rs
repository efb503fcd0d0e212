//! CAST, CONVERT and COLLATE.

use sqlparser::ast::{self, CastKind, DataType, Expr, ObjectName};

use super::Fault;
use super::define;
use super::expr::{Reader, object_name};
use super::typed::{DEFAULT, Strength, Typed, length, varchar};
use crate::event::collation;
use crate::event::{CollationId, ColumnType};

impl Reader<'_, '_> {
    pub(super) fn cast(&self, expr: &Expr, data_type: &DataType) -> Result<Typed, Fault> {
        if *data_type == DataType::Binary(None) {
            // `BINARY a = b` reads as `BINARY (a = b)`, but means `(BINARY a) = b`.
            match expr {
                Expr::BinaryOp { left, op, right } => {
                    let left = Expr::Cast {
                        kind: CastKind::Cast,
                        expr: left.clone(),
                        data_type: DataType::Binary(None),
                        format: None,
                    };
                    return self.binary(&left, op, right);
                }
                Expr::Like { .. }
                | Expr::Between { .. }
                | Expr::InList { .. }
                | Expr::InSubquery { .. }
                | Expr::RLike { .. }
                | Expr::IsNull(_)
                | Expr::IsNotNull(_) => {
                    return Err(Fault::Unsupported("BINARY without parentheses".to_owned()));
                }
                _ => {}
            }
        }
        let value = self.read(expr)?;
        let sql = |function: &str| format!("{function}({}, {})", value.sql, value.code());
        let cast = match data_type {
            DataType::Signed | DataType::SignedInteger => Typed::int(sql("my_cast_signed")),
            DataType::Unsigned | DataType::UnsignedInteger => {
                Typed::unsigned(sql("my_cast_unsigned"))
            }
            DataType::Decimal(info) | DataType::Dec(info) => {
                let (precision, scale) = define::decimal(info, "cast")?;
                let sql =
                    format!("my_cast_dec({}, {}, {precision}, {scale})", value.sql, value.code());
                Typed::new(sql, ColumnType::Decimal { precision, scale, unsigned: false })
            }
            DataType::Double(ast::ExactNumberInfo::None) | DataType::Real => {
                Typed::double(value.as_double())
            }
            DataType::Float(ast::ExactNumberInfo::None) => Typed::new(
                format!("my_f32({})", value.as_double()),
                ColumnType::Float { unsigned: false },
            ),
            DataType::Char(size) | DataType::Character(size) => {
                let text = Typed::text(value.as_text(), DEFAULT);
                match char_length(size.as_ref())? {
                    None => Typed { column_type: varchar(length(&value)), ..text },
                    Some(n) => {
                        let sql = format!("substr({}, 1, {n})", text.sql);
                        Typed { sql, column_type: varchar(n), ..text }
                    }
                }
            }
            DataType::Binary(None) => Typed::bytes(value.as_bytes()),
            DataType::Date => Typed::new(value.as_date(), ColumnType::Date),
            DataType::Datetime(fsp) => {
                let fsp = define::fsp(*fsp, "cast")?;
                Typed::new(value.as_datetime(fsp), ColumnType::DateTime { fsp })
            }
            DataType::Time(fsp, _) => {
                let fsp = define::fsp(*fsp, "cast")?;
                Typed::new(value.as_time(fsp), ColumnType::Time { fsp })
            }
            DataType::JSON => {
                let sql = format!("my_json_parse({}, {})", value.sql, value.code());
                Typed::new(sql, ColumnType::Json)
            }
            other => return Err(Fault::Unsupported(format!("CAST AS {other}"))),
        };
        Ok(cast.over(&[&value]))
    }

    pub(super) fn convert(
        &self,
        expr: &Expr,
        data_type: Option<&DataType>,
        charset: Option<&ObjectName>,
    ) -> Result<Typed, Fault> {
        match (data_type, charset) {
            (Some(data_type), None) => self.cast(expr, data_type),
            (None, Some(charset)) => {
                let value = self.read(expr)?;
                match object_name(charset)?.as_slice() {
                    [name] if name.eq_ignore_ascii_case("utf8mb4") => {
                        Ok(Typed::text(value.as_text(), DEFAULT).over(&[&value]))
                    }
                    other => Err(Fault::Unsupported(format!("CONVERT USING {}", other.join(".")))),
                }
            }
            _ => Err(Fault::Unsupported("CONVERT".to_owned())),
        }
    }

    pub(super) fn collate(&self, expr: &Expr, name: &ObjectName) -> Result<Typed, Fault> {
        let value = self.read(expr)?;
        let name = object_name(name)?.join(".");
        let collation = define::collation(&name)?;
        if value.is_string() && !value.is_text() && collation != CollationId::BINARY {
            return Err(Fault::CollationMismatch { collation: name, charset: "binary".to_owned() });
        }
        if collation::charset(collation) != Some(collation::Charset::Utf8mb4)
            && collation::charset(collation) != collation::charset(value.collation)
        {
            return Err(Fault::CollationMismatch {
                collation: name,
                charset: "utf8mb4".to_owned(),
            });
        }
        let column_type = varchar(length(&value));
        let sql = value.as_text();
        Ok(Typed { sql, collation, strength: Strength::Explicit, column_type, ..value }.derived())
    }
}

pub(super) fn char_length(size: Option<&ast::CharacterLength>) -> Result<Option<usize>, Fault> {
    match size {
        None => Ok(None),
        Some(ast::CharacterLength::IntegerLength { length, unit: None }) => {
            Ok(usize::try_from(*length).ok())
        }
        Some(other) => Err(Fault::Unsupported(format!("CHAR({other})"))),
    }
}
