//! Aggregate functions.

use sqlparser::ast::{
    DuplicateTreatment, FunctionArg, FunctionArgExpr, FunctionArgumentClause, Value,
};

use super::Fault;
use super::call::{arguments, text_like};
use super::expr::Reader;
use super::scope::Scope;
use super::typed::{Class, Typed, string};
use crate::event::ColumnType;

impl Reader<'_, '_> {
    pub(super) fn aggregate(
        &self,
        name: &str,
        list: &sqlparser::ast::FunctionArgumentList,
    ) -> Result<Typed, Fault> {
        let allowed = matches!(self.clause, "field list" | "having clause" | "order clause");
        if !allowed || !self.scope.aggregates {
            return Err(Fault::InvalidGroupFunction);
        }
        let distinct = match list.duplicate_treatment {
            Some(DuplicateTreatment::Distinct) => "DISTINCT ",
            Some(DuplicateTreatment::All) | None => "",
        };
        let inner_scope = Scope {
            relations: self.scope.relations.clone(),
            aliases: Vec::new(),
            parent: self.scope.parent,
            aggregates: false,
        };
        let inner = Reader { scope: &inner_scope, clause: "field list", ..*self };
        let mut value = if name == "COUNT"
            && matches!(list.args.as_slice(), [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)])
        {
            if !distinct.is_empty() || !list.clauses.is_empty() {
                return Err(Fault::WrongUsage("COUNT"));
            }
            Typed { nullable: false, ..Typed::int("count(*)") }
        } else {
            let args = inner.read_all(&arguments(name, &list.args)?)?;
            if name == "GROUP_CONCAT" {
                inner.group_concat(distinct, &args, &list.clauses)?
            } else if list.clauses.is_empty() {
                aggregate_of(name, distinct, &args)?
            } else {
                return Err(Fault::Unsupported(format!("{name} with clauses")));
            }
        };
        value.aggregate = true;
        Ok(value)
    }

    pub(super) fn group_concat(
        &self,
        distinct: &str,
        args: &[Typed],
        clauses: &[FunctionArgumentClause],
    ) -> Result<Typed, Fault> {
        let mut order = Vec::new();
        let mut separator = string(",");
        for clause in clauses {
            match clause {
                FunctionArgumentClause::OrderBy(terms) => {
                    for term in terms {
                        let key = self.read(&term.expr)?.sort_key();
                        order.push(format!("{key}{}", super::select::direction(term)?));
                    }
                }
                FunctionArgumentClause::Separator(text) => match &text.value {
                    Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => {
                        separator = string(text);
                    }
                    _ => return Err(Fault::WrongUsage("SEPARATOR")),
                },
                _ => return Err(Fault::Unsupported("GROUP_CONCAT with this clause".to_owned())),
            }
        }
        let all: Vec<&Typed> = args.iter().collect();
        let (text, key) = match args {
            [] => return Err(Fault::ParameterCount("group_concat".to_owned())),
            [one] => (one.as_text(), one.sort_key()),
            many => {
                let parts: Vec<String> = many.iter().map(Typed::as_text).collect();
                let keys: Vec<String> = many.iter().map(Typed::sort_key).collect();
                (
                    format!("my_concat({})", parts.join(", ")),
                    format!("my_tuple({})", keys.join(", ")),
                )
            }
        };
        let key = if distinct.is_empty() { "NULL".to_owned() } else { key };
        let order = if order.is_empty() {
            String::new()
        } else {
            format!(" ORDER BY {}", order.join(", "))
        };
        let value = text_like(
            format!("my_group_concat({text}, {separator}, {key}{order})"),
            &all,
            "group_concat",
        )?;
        Ok(Typed { column_type: ColumnType::Text { length_bytes: 4 }, nullable: true, ..value })
    }
}

/// Aggregates but COUNT(*) and GROUP_CONCAT.
pub(super) fn aggregate_of(name: &str, distinct: &str, args: &[Typed]) -> Result<Typed, Fault> {
    let value = match (name, args) {
        ("COUNT", [value]) => {
            let key = if distinct.is_empty() { value.sql.clone() } else { value.sort_key() };
            return Ok(Typed { nullable: false, ..Typed::int(format!("count({distinct}{key})")) });
        }
        ("COUNT", [_, ..]) if !distinct.is_empty() => {
            let keys: Vec<String> = args.iter().map(Typed::sort_key).collect();
            let sql = format!("count(DISTINCT my_tuple({}))", keys.join(", "));
            return Ok(Typed { nullable: false, ..Typed::int(sql) });
        }
        ("JSON_OBJECTAGG", [key, value]) => {
            let sql = format!("my_json_objectagg({}, {})", key.as_text(), value.as_json());
            return Ok(Typed::new(sql, ColumnType::Json));
        }
        (_, [value]) => value,
        _ => return Err(Fault::ParameterCount(name.to_owned())),
    };
    let exact = matches!(value.number_class(), Some(Class::Int | Class::Decimal));
    Ok(match name {
        "SUM" | "AVG" if exact => {
            let more = if name == "AVG" { 4 } else { 0 };
            let scale = value.scale().saturating_add(more).min(30);
            let operand = value.as_decimal(None);
            let digits = if name == "AVG" { 4 } else { 22 };
            let precision =
                value.whole_digits().saturating_add(digits).saturating_add(scale).min(65);
            let sql = format!("my_{}({distinct}{operand})", name.to_ascii_lowercase());
            let sql = format!("my_dec({sql}, 'd', {scale})");
            Typed::new(sql, ColumnType::Decimal { precision, scale, unsigned: false })
        }
        "SUM" => Typed::double(format!("my_fsum({distinct}{})", value.as_double())),
        "AVG" => Typed::double(format!("avg({distinct}{})", value.as_double())),
        "MIN" | "MAX" => {
            let sql =
                format!("my_{}({}, {})", name.to_ascii_lowercase(), value.sql, extreme_key(value));
            Typed { sql, nullable: true, ..value.clone() }.derived()
        }
        "ANY_VALUE" => {
            let sql = format!("my_any_value({})", value.sql);
            Typed { sql, nullable: true, ..value.clone() }.derived()
        }
        "BIT_AND" | "BIT_OR" | "BIT_XOR" => {
            Typed::unsigned(format!("my_{}({})", name.to_ascii_lowercase(), value.as_int()))
        }
        "STD" | "STDDEV" | "STDDEV_POP" => {
            Typed::double(format!("my_stddev_pop({})", value.as_double()))
        }
        "STDDEV_SAMP" => Typed::double(format!("my_stddev_samp({})", value.as_double())),
        "VARIANCE" | "VAR_POP" => Typed::double(format!("my_var_pop({})", value.as_double())),
        "VAR_SAMP" => Typed::double(format!("my_var_samp({})", value.as_double())),
        "JSON_ARRAYAGG" => {
            Typed::new(format!("my_json_arrayagg({})", value.as_json()), ColumnType::Json)
        }
        other => return Err(Fault::Unsupported(other.to_owned())),
    })
}

/// MIN and MAX of ENUM and SET go by their texts.
pub(super) fn extreme_key(value: &Typed) -> String {
    match value.column_type {
        ColumnType::Enum { .. } | ColumnType::Set { .. } => {
            format!("my_key({}, {})", value.as_text(), value.collation.0)
        }
        _ => value.sort_key(),
    }
}

pub(super) fn is_aggregate(name: &str) -> bool {
    matches!(
        name,
        "COUNT"
            | "SUM"
            | "AVG"
            | "MIN"
            | "MAX"
            | "GROUP_CONCAT"
            | "BIT_AND"
            | "BIT_OR"
            | "BIT_XOR"
            | "STD"
            | "STDDEV"
            | "STDDEV_POP"
            | "STDDEV_SAMP"
            | "VARIANCE"
            | "VAR_POP"
            | "VAR_SAMP"
            | "JSON_ARRAYAGG"
            | "JSON_OBJECTAGG"
            | "ANY_VALUE"
    )
}
