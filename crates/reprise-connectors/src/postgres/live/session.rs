//! One session with one server: statements that say, when they fail, where
//! and at what.

use reprise_model::Fault;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row, raw_sql};

use super::connections::Lease;
use super::fault::fault;

#[derive(Debug)]
pub struct Session<'a> {
    lease: Lease<'a>,
}

impl<'a> Session<'a> {
    pub fn new(lease: Lease<'a>) -> Self {
        Self { lease }
    }

    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.lease.connection
    }

    pub fn end(&self) -> &'a str {
        self.lease.home.end()
    }

    /// Keeps the connection for the next. Only outside of a transaction.
    pub fn give_back(self) {
        self.lease.give_back();
    }

    pub fn fault(&self, doing: &str, error: &sqlx::Error) -> Fault {
        fault(self.end(), doing, error)
    }

    /// Runs statements; returns the rows that they changed.
    pub async fn run(&mut self, doing: &str, sql: String) -> Result<u64, Fault> {
        let done = self.try_run(sql).await;
        done.map_err(|error| self.fault(doing, &error))
    }

    pub async fn try_run(&mut self, sql: String) -> Result<u64, sqlx::Error> {
        let statements = raw_sql(AssertSqlSafe(sql));
        let done = statements.execute(&mut self.lease.connection).await?;
        Ok(done.rows_affected())
    }

    pub async fn rows(&mut self, doing: &str, sql: String) -> Result<Vec<PgRow>, Fault> {
        let query = raw_sql(AssertSqlSafe(sql));
        let rows = query.fetch_all(&mut self.lease.connection).await;
        rows.map_err(|error| self.fault(doing, &error))
    }

    /// The one row of a query without a `group by`.
    pub async fn row(&mut self, doing: &str, sql: String) -> Result<PgRow, Fault> {
        let row = self.try_row(sql).await;
        row.map_err(|error| self.fault(doing, &error))
    }

    pub async fn try_row(&mut self, sql: String) -> Result<PgRow, sqlx::Error> {
        let query = raw_sql(AssertSqlSafe(sql));
        query.fetch_one(&mut self.lease.connection).await
    }

    /// One value of one row.
    pub async fn value<T>(&mut self, doing: &str, sql: String) -> Result<T, Fault>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let row = self.row(doing, sql).await?;
        self.get(doing, &row, 0)
    }

    pub fn get<T>(&self, doing: &str, row: &PgRow, at: usize) -> Result<T, Fault>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        row.try_get(at).map_err(|error| self.fault(doing, &error))
    }

    /// A number of rows for each name: `select 'name', count(*) ... union all ...`.
    pub async fn counts(
        &mut self,
        doing: &str,
        queries: &[(String, String)],
    ) -> Result<Vec<(String, u64)>, Fault> {
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        let selects: Vec<String> = queries
            .iter()
            .enumerate()
            .map(|(at, (_, from))| format!("select {at}, (select count(*) from {from})"))
            .collect();
        let rows = self.rows(doing, selects.join(" union all ")).await?;
        let mut counts = Vec::with_capacity(rows.len());
        for row in rows {
            let at: i32 = self.get(doing, &row, 0)?;
            let count: i64 = self.get(doing, &row, 1)?;
            let name = usize::try_from(at).ok().and_then(|at| queries.get(at));
            if let Some((name, _)) = name {
                counts.push((name.clone(), u64::try_from(count).unwrap_or_default()));
            }
        }
        Ok(counts)
    }
}
