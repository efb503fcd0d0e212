//! Which statement it is.

use std::sync::Arc;

use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::define::Draft;
use super::expr::Reader;
use super::parser::Input;
use super::scope::{Scope, Statement};
use super::typed::Typed;
use super::{
    Conflict, Dml, Fault, Insert, InsertRows, Query, ResultColumn, Table, Tables, Translated,
    Value, Variables, View, Warning,
};
use crate::event::ColumnType;

/// Texts longer than this are refused.
const TEXT_MAX: usize = 64 << 20;

/// Turns one MySQL statement into what the store runs.
pub fn translate(
    text: &str,
    tables: &dyn Tables,
    variables: &dyn Variables,
) -> Result<Translated, Fault> {
    if text.len() > TEXT_MAX {
        return Err(Fault::Unsupported("a statement of this size".to_owned()));
    }
    let mut input = Input::new(text)?;
    while input.token(&Token::SemiColon) {}
    if input.peek(&Token::EOF) {
        return Err(Fault::Empty);
    }
    let statement = Statement::new(tables, variables);
    let input = &mut input;
    if input.peek_word("SELECT")
        || input.peek_word("VALUES")
        || input.peek_word("WITH")
        || input.peek_word("TABLE")
        || input.peek(&Token::LParen)
    {
        return select(&statement, input).map(Translated::Select);
    }
    if input.peek_word("SHOW") {
        return super::listing::list(text, tables).map(Translated::Ready);
    }
    if input.word("INSERT") {
        return statement.insert(input, false).map(Translated::Dml);
    }
    if input.word("REPLACE") {
        return statement.insert(input, true).map(Translated::Dml);
    }
    if input.word("UPDATE") {
        return statement.update(input).map(Translated::Dml);
    }
    if input.word("DELETE") {
        return statement.delete(input).map(Translated::Dml);
    }
    if input.word("CREATE") {
        return create(&statement, input);
    }
    if input.word("DROP") {
        return drop_(&statement, input);
    }
    if input.words(&["ALTER", "TABLE"]) {
        return statement.alter(input).map(Translated::AlterTable);
    }
    if let Some(transaction) = transaction(input)? {
        input.end()?;
        return Ok(transaction);
    }
    other(&statement, input)
}

/// Reads a table's own SHOW CREATE TABLE text.
pub fn parse_table(text: &str, tables: &dyn Tables) -> Result<Table, Fault> {
    struct Unchecked;
    impl Variables for Unchecked {
        fn system(&self, name: &str) -> Option<Value> {
            (name == "foreign_key_checks").then_some(Value::Int(0))
        }
        fn user(&self, _: &str) -> Option<Value> {
            None
        }
    }
    let mut input = Input::new(text)?;
    input.expect_word("CREATE")?;
    input.expect_word("TABLE")?;
    let statement = Statement::new(tables, &Unchecked);
    let mut draft = Draft::new(tables.database(), &input.name()?);
    input.expect(&Token::LParen)?;
    draft.elements(&mut input)?;
    draft.options(&mut input)?;
    input.end()?;
    for column in &mut draft.columns {
        // Its own text says DEFAULT NULL wherever it is the default.
        let silent = matches!(column.column_type, ColumnType::Text { .. } | ColumnType::Json)
            || column.attributes.generated.is_some();
        column.attributes.no_default = !silent;
    }
    draft.finish(&statement)
}

fn select(statement: &Statement<'_>, input: &mut Input<'_>) -> Result<Query, Fault> {
    let texts = input.select_texts();
    let query = input.checked(Parser::parse_query)?;
    input.end()?;
    statement.select(&query, &texts)
}

fn transaction(input: &mut Input<'_>) -> Result<Option<Translated>, Fault> {
    if input.word("BEGIN") {
        input.word("WORK");
        return Ok(Some(Translated::Begin { read_only: false, snapshot: false }));
    }
    if input.words(&["START", "TRANSACTION"]) {
        let (mut read_only, mut snapshot) = (false, false);
        loop {
            if input.words(&["READ", "ONLY"]) {
                read_only = true;
            } else if input.words(&["WITH", "CONSISTENT", "SNAPSHOT"]) {
                snapshot = true;
            } else if !(input.words(&["READ", "WRITE"]) || input.token(&Token::Comma)) {
                return Ok(Some(Translated::Begin { read_only, snapshot }));
            }
        }
    }
    if input.word("COMMIT") {
        input.word("WORK");
        return Ok(Some(Translated::Commit { chain: chain(input) }));
    }
    if input.word("ROLLBACK") {
        input.word("WORK");
        if input.word("TO") {
            input.word("SAVEPOINT");
            return Ok(Some(Translated::RollbackTo(input.name()?)));
        }
        return Ok(Some(Translated::Rollback { chain: chain(input) }));
    }
    if input.word("SAVEPOINT") {
        return Ok(Some(Translated::Savepoint(input.name()?)));
    }
    if input.words(&["RELEASE", "SAVEPOINT"]) {
        return Ok(Some(Translated::Release(input.name()?)));
    }
    Ok(None)
}

fn chain(input: &mut Input<'_>) -> bool {
    let chain = input.words(&["AND", "CHAIN"]);
    let _ = input.words(&["AND", "NO", "CHAIN"]);
    let _ = input.words(&["NO", "RELEASE"]);
    chain
}

fn create(statement: &Statement<'_>, input: &mut Input<'_>) -> Result<Translated, Fault> {
    if input.peek_word("TEMPORARY") {
        return Err(Fault::Unsupported("TEMPORARY tables".to_owned()));
    }
    if input.word("TABLE") {
        return create_table(statement, input);
    }
    if input.words(&["UNIQUE", "INDEX"]) {
        return statement.create_index(input, true).map(Translated::AlterTable);
    }
    if input.word("INDEX") {
        return statement.create_index(input, false).map(Translated::AlterTable);
    }
    if input.word("DATABASE") || input.word("SCHEMA") {
        let exists = input.words(&["IF", "NOT", "EXISTS"]);
        let name = input.name()?;
        return if name == statement.tables.database() {
            let message = Fault::DatabaseExists(name);
            if exists { Ok(nothing(&message)) } else { Err(message) }
        } else {
            Err(Fault::Unsupported("more than one database in the embedded store".to_owned()))
        };
    }
    let or_replace = input.words(&["OR", "REPLACE"]);
    if input.word("VIEW") {
        return create_view(statement, input, or_replace);
    }
    let near = input.here();
    Err(
        if ["FULLTEXT", "SPATIAL", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "USER", "ROLE"]
            .iter()
            .any(|word| input.peek_word(word))
        {
            Fault::Unsupported("this kind of CREATE".to_owned())
        } else {
            near
        },
    )
}

fn create_table(statement: &Statement<'_>, input: &mut Input<'_>) -> Result<Translated, Fault> {
    let if_not_exists = input.words(&["IF", "NOT", "EXISTS"]);
    let mut parts = vec![input.name()?];
    if input.token(&Token::Period) {
        parts.push(input.name()?);
    }
    let name = statement.local_name(&parts)?;
    let exists = statement.tables.table(&name).is_some() || statement.tables.view(&name).is_some();
    if exists {
        let fault = Fault::TableExists(name);
        return if if_not_exists { Ok(nothing(&fault)) } else { Err(fault) };
    }
    let database = statement.tables.database();
    let open = input.peek(&Token::LParen);
    let like = input.peek_word("LIKE") || (open && input.peek_word_at(1, "LIKE"));
    if like {
        input.token(&Token::LParen);
        input.expect_word("LIKE")?;
        let mut parts = vec![input.name()?];
        if input.token(&Token::Period) {
            parts.push(input.name()?);
        }
        let mut table = Table::clone(&*statement.table(&parts)?);
        if open {
            input.expect(&Token::RParen)?;
        }
        input.end()?;
        for check in &mut table.checks {
            let rest = check.name.strip_prefix(&*table.name.table).map(str::to_owned);
            if let Some(rest) = rest.filter(|rest| rest.starts_with("_chk_")) {
                check.name = format!("{name}{rest}");
            }
        }
        table.name = crate::event::TableName::new(database, &name);
        table.foreign_keys.clear();
        table.auto_increment = 1;
        return Ok(Translated::CreateTable { table: Arc::new(table), if_not_exists, fill: None });
    }
    let mut draft = Draft::new(database, &name);
    if open && !input.peek_word_at(1, "SELECT") {
        input.expect(&Token::LParen)?;
        draft.elements(input)?;
    }
    draft.options(input)?;
    let ignored = input.peek_word("IGNORE") || input.peek_word("REPLACE");
    if ignored {
        return Err(Fault::Unsupported("CREATE TABLE ... IGNORE SELECT".to_owned()));
    }
    let filled = input.word("AS") || input.peek_word("SELECT") || input.peek(&Token::LParen);
    if filled {
        return create_filled(statement, input, draft, if_not_exists);
    }
    input.end()?;
    let table = Arc::new(draft.finish(statement)?);
    Ok(Translated::CreateTable { table, if_not_exists, fill: None })
}

/// CREATE TABLE ... AS SELECT: columns of the query behind those written.
fn create_filled(
    statement: &Statement<'_>,
    input: &mut Input<'_>,
    mut draft: Draft,
    if_not_exists: bool,
) -> Result<Translated, Fault> {
    let texts = input.select_texts();
    let query = input.checked(Parser::parse_query)?;
    input.end()?;
    let rows = statement.query(&query, None, &texts)?;
    for (name, value) in &rows.columns {
        let written = draft.columns.iter().any(|c| c.name.eq_ignore_ascii_case(name));
        if !written {
            let text = super::show::derived_column(name, value)?;
            let mut column = Input::new(&text)?;
            let name = column.name()?;
            let column = draft.column(&mut column, name)?;
            draft.columns.push(column);
        }
    }
    let table = Arc::new(draft.finish(statement)?);
    let mut columns = Vec::new();
    for (name, _) in &rows.columns {
        columns.push(table.column(name).ok_or_else(|| Fault::DuplicateColumn(name.clone()))?);
    }
    let types = rows.columns.iter().map(|(_, value)| Some(value.value_type())).collect();
    let fill = Dml::Insert(Insert {
        table: Arc::clone(&table),
        columns,
        rows: vec![InsertRows { sql: rows.sql, types }],
        conflict: Conflict::Fail,
        ignore: false,
        from_select: true,
    });
    Ok(Translated::CreateTable { table, if_not_exists, fill: Some(Box::new(fill)) })
}

fn create_view(
    statement: &Statement<'_>,
    input: &mut Input<'_>,
    or_replace: bool,
) -> Result<Translated, Fault> {
    let name = input.name()?;
    if statement.tables.table(&name).is_some()
        || (!or_replace && statement.tables.view(&name).is_some())
    {
        return Err(Fault::TableExists(name));
    }
    let mut columns = Vec::new();
    if input.token(&Token::LParen) {
        columns = input.list(Input::name)?;
        input.expect(&Token::RParen)?;
    }
    input.expect_word("AS")?;
    let start = input.offset();
    input.checked(Parser::parse_query)?;
    let text = input.text_from(start).to_owned();
    if input.peek_word("WITH") {
        return Err(Fault::Unsupported("WITH CHECK OPTION".to_owned()));
    }
    input.end()?;
    let view = View { name, columns, text };
    statement.view_rows(&view)?;
    Ok(Translated::CreateView { view: Arc::new(view), or_replace })
}

fn drop_(statement: &Statement<'_>, input: &mut Input<'_>) -> Result<Translated, Fault> {
    input.word("TEMPORARY");
    if input.word("INDEX") {
        return statement.drop_index(input).map(Translated::AlterTable);
    }
    let view = input.word("VIEW");
    if view || input.word("TABLE") || input.word("TABLES") {
        let if_exists = input.words(&["IF", "EXISTS"]);
        let names = input.list(|input| {
            let mut parts = vec![input.name()?];
            if input.token(&Token::Period) {
                parts.push(input.name()?);
            }
            statement.local_name(&parts)
        })?;
        let _ = input.word("RESTRICT") || input.word("CASCADE");
        input.end()?;
        if view {
            return Ok(Translated::DropViews { names, if_exists });
        }
        let unchecked =
            matches!(statement.variables.system("foreign_key_checks"), Some(Value::Int(0)));
        if !unchecked {
            parents_stay(statement, &names)?;
        }
        return Ok(Translated::DropTables { names, if_exists, unchecked });
    }
    if input.word("DATABASE") || input.word("SCHEMA") {
        return Err(Fault::Unsupported("DROP DATABASE of the embedded store".to_owned()));
    }
    Err(input.here())
}

/// A table stays while a table that stays refers to it.
fn parents_stay(statement: &Statement<'_>, names: &[String]) -> Result<(), Fault> {
    for child in statement.tables.names() {
        if names.contains(&child) {
            continue;
        }
        let Some(table) = statement.tables.table(&child) else { continue };
        for foreign in &table.foreign_keys {
            if names.contains(&foreign.parent) && statement.tables.table(&foreign.parent).is_some()
            {
                return Err(Fault::DropParent {
                    table: foreign.parent.clone(),
                    constraint: foreign.name.clone(),
                    child,
                });
            }
        }
    }
    Ok(())
}

fn nothing(fault: &Fault) -> Translated {
    Translated::Nothing {
        implicit_commit: true,
        warning: Some(Warning { level: "Note", code: fault.code(), message: fault.to_string() }),
    }
}

fn other(statement: &Statement<'_>, input: &mut Input<'_>) -> Result<Translated, Fault> {
    if input.word("TRUNCATE") {
        input.word("TABLE");
        let mut parts = vec![input.name()?];
        if input.token(&Token::Period) {
            parts.push(input.name()?);
        }
        input.end()?;
        let table = statement.table(&parts)?;
        return truncate(statement, &table);
    }
    if input.words(&["RENAME", "TABLE"]) {
        let pairs = input.list(|input| {
            let from = input.name()?;
            input.expect_word("TO")?;
            Ok((from, input.name()?))
        })?;
        input.end()?;
        for (from, _) in &pairs {
            refuse_parent(statement, from)?;
        }
        return Ok(Translated::RenameTables(pairs));
    }
    if input.word("SET") {
        // The store's transactions are serializable anyway.
        if input.word("TRANSACTION") {
            return Ok(Translated::Nothing { implicit_commit: false, warning: None });
        }
        return set_user(statement, input);
    }
    if input.word("DO") {
        return do_(statement, input);
    }
    for (word, implicit_commit) in
        [("LOCK", true), ("UNLOCK", true), ("ANALYZE", true), ("OPTIMIZE", true), ("FLUSH", true)]
    {
        if input.word(word) {
            return Ok(Translated::Nothing { implicit_commit, warning: None });
        }
    }
    for word in [
        "CALL",
        "LOAD",
        "HANDLER",
        "GRANT",
        "REVOKE",
        "PREPARE",
        "EXECUTE",
        "DEALLOCATE",
        "XA",
        "ALTER",
        "EXPLAIN",
        "DESCRIBE",
        "DESC",
        "SHOW",
        "USE",
        "CHECK",
        "REPAIR",
    ] {
        if input.peek_word(word) {
            return Err(Fault::Unsupported(word.to_owned()));
        }
    }
    Err(input.here())
}

/// Foreign keys know their parent by its name.
pub fn refuse_parent(statement: &Statement<'_>, table: &str) -> Result<(), Fault> {
    let refers = |child: String| {
        let child = statement.tables.table(&child);
        child.is_some_and(|child| child.foreign_keys.iter().any(|key| key.parent == table))
    };
    if statement.tables.names().into_iter().any(refers) {
        return Err(Fault::Unsupported("renaming the parent of a foreign key".to_owned()));
    }
    Ok(())
}

fn truncate(statement: &Statement<'_>, table: &Table) -> Result<Translated, Fault> {
    let name = table.name.table.to_string();
    let unchecked = matches!(statement.variables.system("foreign_key_checks"), Some(Value::Int(0)));
    for child in statement.tables.names() {
        let Some(child) = statement.tables.table(&child) else { continue };
        if let Some(foreign) = child.foreign_keys.iter().find(|f| f.parent == name)
            && !unchecked
            && child.name != table.name
        {
            return Err(Fault::TruncateParent(format!(
                "`{}`.`{}`, CONSTRAINT `{}`",
                child.name.keyspace, child.name.table, foreign.name
            )));
        }
    }
    Ok(Translated::Truncate(name))
}

/// `SET @a = 1, @b = (SELECT ...)`; other variables are the session's.
fn set_user(statement: &Statement<'_>, input: &mut Input<'_>) -> Result<Translated, Fault> {
    let scope = Scope::default();
    let reader = Reader { statement, scope: &scope, clause: "field list" };
    let values: Vec<(String, Typed)> = input.list(|input| {
        let Token::Word(word) = &input.parser().peek_token_ref().token else {
            return Err(input.here());
        };
        let Some(name) = word.value.strip_prefix('@').filter(|name| !name.starts_with('@')) else {
            return Err(Fault::Unsupported("SET of this variable here".to_owned()));
        };
        let name = name.to_ascii_lowercase();
        input.parser().advance_token();
        if !(input.token(&Token::Eq) || input.token(&Token::Assignment)) {
            return Err(input.here());
        }
        let expr = input.checked(Parser::parse_expr)?;
        Ok((name, reader.read(&expr)?))
    })?;
    input.end()?;
    let names = values.iter().map(|(name, _)| name.clone()).collect();
    Ok(Translated::SetUser { names, query: one_row(statement, values) })
}

/// `DO expr`: a query of which nobody looks at the rows.
fn do_(statement: &Statement<'_>, input: &mut Input<'_>) -> Result<Translated, Fault> {
    let scope = Scope::default();
    let reader = Reader { statement, scope: &scope, clause: "field list" };
    let values = input.list(|input| {
        let expr = input.checked(Parser::parse_expr)?;
        Ok((String::new(), reader.read(&expr)?))
    })?;
    input.end()?;
    Ok(Translated::SetUser { names: Vec::new(), query: one_row(statement, values) })
}

fn one_row(statement: &Statement<'_>, values: Vec<(String, Typed)>) -> Query {
    let list: Vec<String> = values.iter().map(|(_, value)| value.sql.clone()).collect();
    let columns = values.iter().map(|(name, value)| ResultColumn {
        name: name.clone(),
        column: value.column(name),
        table: None,
    });
    Query {
        sql: format!("SELECT {}", list.join(", ")),
        columns: columns.collect(),
        locks: false,
        tables: statement.read.borrow().clone(),
    }
}
