//! Questions to a recovered catalogue: the list of sites, and what ids are
//! that turned out not to be sites.

use std::collections::BTreeMap;

use reprise_model::Fault;
use reprise_ports::SiteRow;
use sqlx::postgres::PgConnection;
use sqlx::{Executor, Row};

/// Ids looked up at most; more would be a mistake of another kind.
const MOST_IDS: usize = 1000;
/// Tables looked through at most.
const MOST_TABLES: i64 = 500;

/// Runs the estate's query; every column comes as text, `null` as absent.
pub async fn list_sites(connection: &mut PgConnection, query: &str) -> Result<Vec<SiteRow>, Fault> {
    let bare = query.trim().trim_end_matches(';');
    let sql = format!("select row_to_json(listed)::text from ({bare}) as listed");
    let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_all(connection)
        .await
        .map_err(|error| Fault::permanent(format!("the query for the sites failed: {error}")))?;
    rows.iter().map(|row| site_row(row)).collect()
}

fn site_row(json: &str) -> Result<SiteRow, Fault> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json)
        .map_err(|error| Fault::permanent(format!("a site cannot be read: {error}")))?;
    Ok(object
        .into_iter()
        .filter_map(|(name, value)| match value {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some((name, text)),
            other => Some((name, other.to_string())),
        })
        .collect())
}

/// Looks for the ids among the single-column primary keys of all tables, and
/// answers such as `apps.id`. What cannot be looked at is passed over: the
/// answer only helps to understand a refusal.
pub async fn identify(connection: &mut PgConnection, ids: &[String]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let ids = &ids[..ids.len().min(MOST_IDS)];
    let Ok(keys) = keys(connection).await else {
        return found;
    };
    let _ = connection.execute("set statement_timeout = '5s'").await;
    for (table, column, name) in keys {
        let sql =
            format!("select {column}::text from {table} where {column}::text = any($1) limit 1000");
        let hits: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(ids)
            .fetch_all(&mut *connection)
            .await
            .unwrap_or_default();
        for id in hits {
            found.entry(id).or_insert_with(|| name.clone());
        }
    }
    found
}

/// Each table with its key column, quoted for SQL, and `table.column` for people.
async fn keys(connection: &mut PgConnection) -> Result<Vec<(String, String, String)>, sqlx::Error> {
    let rows = sqlx::query(
        "select c.oid::regclass::text, quote_ident(a.attname), c.relname || '.' || a.attname \
         from pg_index i \
         join pg_class c on c.oid = i.indrelid and c.relkind in ('r', 'p') and not c.relispartition \
         join pg_namespace n on n.oid = c.relnamespace \
         join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0] \
         where i.indisprimary and i.indnkeyatts = 1 \
           and n.nspname not in ('pg_catalog', 'information_schema') \
         order by c.relpages, 3 limit $1",
    )
    .bind(MOST_TABLES)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
        .collect()
}

/// The databases of the server, the likeliest to hold the store first.
pub async fn databases(connection: &mut PgConnection) -> Result<Vec<String>, Fault> {
    sqlx::query_scalar(
        "select datname::text from pg_database where datallowconn and not datistemplate \
         order by datname = 'postgres', oid",
    )
    .fetch_all(connection)
    .await
    .map_err(|error| Fault::temporary(format!("cannot list the databases in scratch: {error}")))
}

/// Whether the table is there; `table` may be `schema.table`.
pub async fn has_table(connection: &mut PgConnection, table: &str) -> bool {
    sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(table)
        .fetch_one(connection)
        .await
        .unwrap_or(false)
}
