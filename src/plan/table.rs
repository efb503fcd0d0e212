//! One rule bound to one version of a table.

use std::sync::Arc;

use crate::event::{RowChange, TableSchema};
use crate::plan::Rule;

/// A rule bound to a schema: which rows and columns of the table a stream sees.
#[derive(Debug)]
pub struct TablePlan {
    schema: Arc<TableSchema>,
}

/// Buffers that [`TablePlan::apply`] reuses from row to row.
#[derive(Debug, Default)]
pub struct Scratch {}

/// What a plan makes of a row change.
#[derive(Debug)]
pub enum Applied<'a> {
    /// The change passes as it is.
    Same,
    /// The stream does not see the change.
    Without,
    /// The stream sees this instead.
    Changed(RowChange<'a>),
}

/// Why a rule does not fit a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {}

/// Why a predicate cannot judge a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {}

impl TablePlan {
    /// Binds a rule to a schema.
    pub fn new(_rule: &Rule, schema: &Arc<TableSchema>) -> Result<Self, PlanError> {
        Ok(Self { schema: Arc::clone(schema) })
    }

    /// The source's schema.
    pub fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    /// The schema that clients see.
    pub fn output(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    /// Judges one change.
    pub fn apply<'a>(
        &'a self,
        _change: RowChange<'a>,
        _scratch: &'a mut Scratch,
    ) -> Result<Applied<'a>, EvalError> {
        Ok(Applied::Same)
    }
}
