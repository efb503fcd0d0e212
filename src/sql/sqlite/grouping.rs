//! MySQL's only_full_group_by: what an aggregated query may show.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Select, SelectItem, Visit, Visitor};

use super::Fault;
use super::aggregate::is_aggregate;
use super::scope::Scope;
use super::typed::Typed;

/// Refuses an item that is neither aggregated nor determined by the groups.
pub fn check(select: &Select, scope: &Scope<'_>, groups: &[(Expr, Typed)]) -> Result<(), Fault> {
    let plain = select
        .projection
        .iter()
        .all(|item| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }));
    for (position, item) in select.projection.iter().enumerate() {
        let own = scope.aliases.get(position).filter(|_| plain);
        if own.is_some_and(|(_, own)| groups.iter().any(|(_, group)| group.sql == own.sql)) {
            continue;
        }
        let determined = match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                Determined { scope, groups }.expr(expr)
            }
            _ => scope
                .relations
                .iter()
                .flat_map(|relation| relation.columns.iter().map(move |c| (relation, &c.value)))
                .all(|(_, value)| Determined { scope, groups }.value(value)),
        };
        if !determined {
            return Err(if groups.is_empty() {
                Fault::MixedAggregates(position + 1)
            } else {
                Fault::NotGrouped(position + 1)
            });
        }
    }
    Ok(())
}

struct Determined<'g> {
    scope: &'g Scope<'g>,
    groups: &'g [(Expr, Typed)],
}

impl Determined<'_> {
    fn expr(&self, expr: &Expr) -> bool {
        let mut visitor = Columns { outer: self, free: true, skip: 0 };
        let _ = expr.visit(&mut visitor);
        visitor.free
    }

    /// A column that is grouped by, or one of a table whose primary key is.
    fn value(&self, value: &Typed) -> bool {
        if self.groups.iter().any(|(_, group)| group.sql == value.sql) {
            return true;
        }
        self.scope.relations.iter().any(|relation| {
            let Some(table) = &relation.table else { return false };
            let grouped = |index: usize| {
                relation.columns.get(index).is_some_and(|column| {
                    self.groups.iter().any(|(_, group)| group.sql == column.value.sql)
                })
            };
            let keyed = table.indexes.iter().any(|index| {
                index.unique
                    && index.parts.iter().all(|part| {
                        grouped(part.column)
                            && table.columns.get(part.column).is_some_and(|c| !c.column.nullable)
                    })
            });
            keyed && relation.columns.iter().any(|column| column.value.sql == value.sql)
        })
    }

    fn column(&self, qualifier: Option<&str>, name: &str) -> bool {
        match self.scope.column(qualifier, name, "field list") {
            // A column of the query around is constant here.
            Ok(value) => {
                let own = self
                    .scope
                    .relations
                    .iter()
                    .flat_map(|relation| &relation.columns)
                    .any(|column| column.value.sql == value.sql);
                !own || self.value(&value)
            }
            Err(_) => true,
        }
    }
}

struct Columns<'v, 'g> {
    outer: &'v Determined<'g>,
    free: bool,
    skip: usize,
}

impl Columns<'_, '_> {
    fn covers(&self, expr: &Expr) -> bool {
        let plain = |expr: &Expr| expr.to_string().to_ascii_lowercase();
        let aggregate = matches!(expr, Expr::Function(function)
            if function.over.is_none() && is_aggregate(&function.name.to_string().to_ascii_uppercase()));
        aggregate
            || matches!(expr, Expr::Subquery(_) | Expr::Exists { .. })
            || self.outer.groups.iter().any(|(group, _)| plain(group) == plain(expr))
    }
}

impl Visitor for Columns<'_, '_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if self.skip > 0 || self.covers(expr) {
            self.skip += 1;
            return ControlFlow::Continue(());
        }
        let determined = match expr {
            Expr::Identifier(name) if !name.value.starts_with('@') => {
                self.outer.column(None, &name.value)
            }
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [.., table, column] if !table.value.starts_with('@') => {
                    self.outer.column(Some(&table.value), &column.value)
                }
                _ => true,
            },
            _ => true,
        };
        self.free &= determined;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.skip = self.skip.saturating_sub(1);
        ControlFlow::Continue(())
    }
}
