//! Statements with rows: a few rows as values, any number of them as the packets they come in.

use std::sync::Arc;

use mysql_async::prelude::FromRow;
use mysql_async::{Column, DriverError, Error};
use mysql_common::io::ParseBuf;
use mysql_common::packets::ComStmtExecuteRequestBuilder;
use mysql_common::proto::Text;
use mysql_common::row::RowDeserializer;
use mysql_common::value::ServerSide;

use super::{COLUMNS_MAX, Head, RawConnection, Result, end, head, io, prepared, unexpected};

impl RawConnection {
    /// The rows of a statement, which are to be few.
    pub async fn query<T: FromRow>(&mut self, statement: &str) -> Result<Vec<T>> {
        let add = |mut rows: Vec<T>, row| {
            rows.push(row);
            rows
        };
        self.query_fold(statement, Vec::new(), add).await
    }

    /// Adds up the rows of a statement.
    pub async fn query_fold<T: FromRow, U>(
        &mut self,
        statement: &str,
        mut sum: U,
        mut add: impl FnMut(U, T) -> U,
    ) -> Result<U> {
        self.ask(statement).await?;
        let columns: Arc<[Column]> = self.columns_of_rows().await?.into();
        loop {
            let packet = self.packet().await?;
            if end(&packet)?.is_some() {
                return Ok(sum);
            }
            let row: RowDeserializer<ServerSide, Text> =
                ParseBuf(&packet).parse(Arc::clone(&columns)).map_err(io)?;
            let row = T::from_row_opt(row.into_inner());
            sum = add(sum, row.map_err(|bad| Error::Driver(DriverError::FromRow { row: bad.0 }))?);
        }
    }

    /// Has a statement without parameters prepared; what the server knows it by.
    pub async fn prepare_rows(&mut self, statement: &str) -> Result<u32> {
        self.prepare(statement).await?;
        let packet = self.packet().await?;
        let prepared = prepared(&packet)?;
        if prepared.num_params() > 0 || prepared.num_columns() == 0 {
            return Err(unexpected(&packet));
        }
        self.columns(prepared.num_columns().into()).await?;
        Ok(prepared.statement_id())
    }

    /// Runs a prepared statement without parameters. Its rows follow, in the binary protocol, and
    /// then what [`end`] knows.
    pub async fn execute(&mut self, statement: u32) -> Result<Vec<Column>> {
        let (request, _) = ComStmtExecuteRequestBuilder::new(statement).build(&[]);
        self.command(&request).await?;
        self.columns_of_rows().await
    }

    /// The columns of the rows that follow, if rows are what answers a statement.
    pub async fn columns_of_rows(&mut self) -> Result<Vec<Column>> {
        let packet = self.packet().await?;
        match head(&packet)? {
            Head::Columns(count) if count <= COLUMNS_MAX => self.columns(count).await,
            Head::Columns(_) | Head::Ok(_) | Head::File => Err(unexpected(&packet)),
        }
    }

    async fn columns(&mut self, count: u64) -> Result<Vec<Column>> {
        self.definitions(count, |packet| ParseBuf(packet).parse(()).map_err(io)).await
    }

    /// The definitions of so many columns, each as `read` takes it, and what ends them.
    pub async fn definitions<T>(
        &mut self,
        count: u64,
        read: impl Fn(&[u8]) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut definitions = Vec::new();
        for _ in 0..count {
            definitions.push(read(&self.packet().await?)?);
        }
        let packet = self.packet().await?;
        match end(&packet)? {
            Some(_) => Ok(definitions),
            None => Err(unexpected(&packet)),
        }
    }
}
