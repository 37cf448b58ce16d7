//! Reads a catalog: six queries against `pg_catalog`, whatever the number of
//! tables. Run with an empty `search_path`, so that every name comes back with
//! its schema.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row, raw_sql};

use super::{
    Catalog, Column, ColumnType, ForeignKey, Key, Kind, RowSecurity, SQL, Sequence, Table,
    TableName, Trigger,
};

/// The structure of the database behind `connection`, read in one snapshot.
pub async fn read_catalog(connection: &mut PgConnection) -> Result<Catalog, sqlx::Error> {
    raw_sql("begin isolation level repeatable read read only; set local search_path = ''")
        .execute(&mut *connection)
        .await?;
    let catalog = read(connection).await?;
    raw_sql("commit").execute(connection).await?;
    Ok(catalog)
}

async fn read(connection: &mut PgConnection) -> Result<Catalog, sqlx::Error> {
    let version = raw_sql("select current_setting('server_version_num')::int4 / 10000 as major")
        .fetch_one(&mut *connection)
        .await?;
    let mut tables = BTreeMap::new();
    for row in raw_sql(TABLES).fetch_all(&mut *connection).await? {
        let table = table(&row)?;
        tables.insert(table.name.clone(), table);
    }
    let mut catalog = Catalog {
        dialect: SQL,
        major: u32::try_from(version.try_get::<i32, _>("major")?).unwrap_or_default(),
        tables,
        foreign_keys: Vec::new(),
    };
    for row in raw_sql(COLUMNS).fetch_all(&mut *connection).await? {
        let column = column(&row)?;
        add(&mut catalog, &row, |table| table.columns.push(column))?;
    }
    for row in raw_sql(KEYS).fetch_all(&mut *connection).await? {
        let key = key(&row)?;
        add(&mut catalog, &row, |table| table.keys.push(key))?;
    }
    for row in raw_sql(TRIGGERS).fetch_all(&mut *connection).await? {
        let trigger = trigger(&row)?;
        add(&mut catalog, &row, |table| table.triggers.push(trigger))?;
    }
    for row in raw_sql(FOREIGN_KEYS).fetch_all(&mut *connection).await? {
        catalog.foreign_keys.push(foreign_key(&row)?);
    }
    Ok(catalog)
}

fn add(
    catalog: &mut Catalog,
    row: &PgRow,
    put: impl FnOnce(&mut Table),
) -> Result<(), sqlx::Error> {
    let name = name(row, "schema", "table")?;
    if let Some(table) = catalog.tables.get_mut(&name) {
        put(table);
    }
    Ok(())
}

fn name(row: &PgRow, schema: &str, name: &str) -> Result<TableName, sqlx::Error> {
    Ok(TableName::new(
        row.try_get::<String, _>(schema)?,
        row.try_get::<String, _>(name)?,
    ))
}

/// Tables that people made: not the system's, not another session's
/// temporary ones. Sizes and estimates of a partitioned table are its parts'.
const TABLES: &str = "
select n.nspname::text as schema, c.relname::text as table, c.relkind::text as kind,
       c.relpersistence = 'u' as unlogged, c.relrowsecurity as rls, c.relforcerowsecurity as rls_forced,
       exists (select 1 from pg_catalog.pg_depend d
               where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e') as of_extension,
       c.relispartition as is_partition,
       array(select pn.nspname::text from pg_catalog.pg_inherits i
             join pg_catalog.pg_class p on p.oid = i.inhparent join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
             where i.inhrelid = c.oid order by i.inhseqno) as parent_schemas,
       array(select p.relname::text from pg_catalog.pg_inherits i
             join pg_catalog.pg_class p on p.oid = i.inhparent
             where i.inhrelid = c.oid order by i.inhseqno) as parents,
       case c.relkind when 'p' then (
           select coalesce(sum(greatest(l.reltuples, 0)), 0) from pg_catalog.pg_partition_tree(c.oid) t
           join pg_catalog.pg_class l on l.oid = t.relid where t.isleaf)
         else greatest(c.reltuples, 0) end::float8 as rows,
       case c.relkind when 'p' then (
           select coalesce(sum(pg_catalog.pg_table_size(t.relid)), 0)::int8 from pg_catalog.pg_partition_tree(c.oid) t where t.isleaf)
         when 'f' then 0 else coalesce(pg_catalog.pg_table_size(c.oid), 0) end::int8 as bytes
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'f') and c.relpersistence <> 't'
  and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'";

fn table(row: &PgRow) -> Result<Table, sqlx::Error> {
    let schemas: Vec<String> = row.try_get("parent_schemas")?;
    let parents: Vec<String> = row.try_get("parents")?;
    let mut inherits: Vec<TableName> = schemas
        .into_iter()
        .zip(parents)
        .map(|(schema, parent)| TableName::new(schema, parent))
        .collect();
    let is_partition: bool = row.try_get("is_partition")?;
    let partition_of = is_partition.then(|| inherits.pop()).flatten();
    Ok(Table {
        name: name(row, "schema", "table")?,
        kind: match row.try_get::<String, _>("kind")?.as_str() {
            "p" => Kind::Partitioned,
            "f" => Kind::Foreign,
            _ => Kind::Ordinary,
        },
        unlogged: row.try_get("unlogged")?,
        of_extension: row.try_get("of_extension")?,
        partition_of,
        inherits,
        row_security: RowSecurity {
            enabled: row.try_get("rls")?,
            forced: row.try_get("rls_forced")?,
        },
        columns: Vec::new(),
        keys: Vec::new(),
        triggers: Vec::new(),
        rows: row.try_get("rows")?,
        bytes: row.try_get("bytes")?,
    })
}

/// A type is portable where its binary form holds no object id of its own
/// cluster: built-in base and range types other than the `reg` ones, arrays
/// and domains of those, and enums, which are sent by label. An array of a
/// type of the user's carries its element's object id, and is not.
const COLUMNS: &str = "
select n.nspname::text as schema, c.relname::text as table, a.attname::text as name, a.attnum as number,
       a.attnotnull as not_null, a.attgenerated <> '' as generated,
       a.atthasdef or a.attidentity <> '' or t.typdefault is not null as filled,
       pg_catalog.format_type(a.atttypid, a.atttypmod) as type, pg_catalog.format_type(a.atttypid, -1) as base,
       case u.typtype
         when 'e' then true
         when 'b' then u.oid < 16384 and u.typsend <> 0 and u.typreceive <> 0 and u.typname !~ '^_?reg'
              and coalesce((select e.typtype = 'b' from pg_catalog.pg_type e where u.typelem <> 0 and e.oid = u.typelem), true)
         when 'r' then u.oid < 16384
         when 'm' then u.oid < 16384
         else false end as portable,
       array(select e.enumlabel::text from pg_catalog.pg_enum e where e.enumtypid = u.oid order by e.enumsortorder) as labels,
       u.oid = 26 as object_id,
       s.schema as sequence_schema, s.name as sequence, s.increment, s.cycles
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_type t on t.oid = a.atttypid
join pg_catalog.pg_type u on u.oid = (
  with recursive base (oid, next) as (
    select t.oid, t.typbasetype union all
    select b.oid, b.typbasetype from base join pg_catalog.pg_type b on b.oid = base.next)
  select oid from base where next = 0)
left join lateral (
  select sn.nspname::text as schema, sc.relname::text as name, q.seqincrement as increment, q.seqcycle as cycles
  from (select d.objid as oid, 0 as rank from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_class'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass
          and d.refobjid = c.oid and d.refobjsubid = a.attnum and d.deptype in ('a', 'i')
        union all
        select d.refobjid, 1 from pg_catalog.pg_attrdef f
        join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_attrdef'::regclass and d.objid = f.oid
          and d.refclassid = 'pg_catalog.pg_class'::regclass and d.deptype = 'n'
        where f.adrelid = c.oid and f.adnum = a.attnum) used
  join pg_catalog.pg_sequence q on q.seqrelid = used.oid
  join pg_catalog.pg_class sc on sc.oid = used.oid
  join pg_catalog.pg_namespace sn on sn.oid = sc.relnamespace
  order by used.rank desc limit 1) s on true
where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'f') and c.relpersistence <> 't'
  and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
order by c.oid, a.attnum";

fn column(row: &PgRow) -> Result<Column, sqlx::Error> {
    let sequence = match row.try_get::<Option<String>, _>("sequence")? {
        Some(sequence) => Some(Sequence {
            name: TableName::new(row.try_get::<String, _>("sequence_schema")?, sequence),
            increment: row.try_get("increment")?,
            cycles: row.try_get("cycles")?,
        }),
        None => None,
    };
    Ok(Column {
        name: row.try_get("name")?,
        number: row.try_get("number")?,
        kind: ColumnType {
            sql: row.try_get("type")?,
            base: row.try_get("base")?,
            portable: row.try_get("portable")?,
            labels: row.try_get("labels")?,
            object_id: row.try_get("object_id")?,
        },
        not_null: row.try_get("not_null")?,
        generated: row.try_get("generated")?,
        filled: row.try_get("filled")?,
        sequence,
        collation: None,
    })
}

const KEYS: &str = "
select n.nspname::text as schema, c.relname::text as table, k.relname::text as name, i.indisprimary as primary,
       i.indpred is null and i.indexprs is null as plain,
       array(select a.attname::text from pg_catalog.generate_series(0, i.indnkeyatts - 1) as at(n)
             join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[at.n] order by at.n) as columns
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indrelid
join pg_catalog.pg_class k on k.oid = i.indexrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where i.indisunique and i.indisvalid and c.relkind in ('r', 'p')
  and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
order by c.oid, not i.indisprimary, k.relname";

fn key(row: &PgRow) -> Result<Key, sqlx::Error> {
    Ok(Key {
        name: row.try_get("name")?,
        columns: row.try_get("columns")?,
        primary: row.try_get("primary")?,
        plain: row.try_get("plain")?,
    })
}

const TRIGGERS: &str = "
select n.nspname::text as schema, c.relname::text as table, t.tgname::text as name,
       t.tgenabled in ('O', 'A') as normal, t.tgenabled in ('R', 'A') as replica,
       (t.tgtype & 4) <> 0 as on_insert, (t.tgtype & 8) <> 0 as on_delete
from pg_catalog.pg_trigger t
join pg_catalog.pg_class c on c.oid = t.tgrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where not t.tgisinternal and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
order by c.oid, t.tgname";

fn trigger(row: &PgRow) -> Result<Trigger, sqlx::Error> {
    Ok(Trigger {
        name: row.try_get("name")?,
        fires_normally: row.try_get("normal")?,
        fires_in_replica: row.try_get("replica")?,
        on_insert: row.try_get("on_insert")?,
        on_delete: row.try_get("on_delete")?,
    })
}

/// `conparentid` leaves out the copies that partitions hold. A constraint
/// that is `not enforced` (18) does not count as one; older servers have no
/// such column, so the row is asked as JSON.
const FOREIGN_KEYS: &str = "
select k.conname::text as name, cn.nspname::text as schema, c.relname::text as table,
       pn.nspname::text as parent_schema, p.relname::text as parent,
       array(select a.attname::text from pg_catalog.unnest(k.conkey) with ordinality as at(num, pos)
             join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = at.num order by at.pos) as columns,
       array(select a.attname::text from pg_catalog.unnest(k.confkey) with ordinality as at(num, pos)
             join pg_catalog.pg_attribute a on a.attrelid = p.oid and a.attnum = at.num order by at.pos) as parent_columns,
       array(select pg_catalog.format('operator(%I.%s)', oper_ns.nspname, o.oprname)
             from pg_catalog.unnest(k.conpfeqop) with ordinality as at(oid, pos)
             join pg_catalog.pg_operator o on o.oid = at.oid
             join pg_catalog.pg_namespace oper_ns on oper_ns.oid = o.oprnamespace order by at.pos) as operators,
       k.condeferrable as deferrable, k.confmatchtype = 'f' as full, k.convalidated as validated,
       array(select a.attname::text from pg_catalog.unnest(k.conkey) with ordinality as at(num, pos)
             join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = at.num
             where k.confdeltype in ('n', 'd')
               and (pg_catalog.jsonb_typeof(pg_catalog.to_jsonb(k) -> 'confdelsetcols') is distinct from 'array'
                    or pg_catalog.to_jsonb(k) -> 'confdelsetcols' @> pg_catalog.to_jsonb(at.num)) order by at.pos) as clears
from pg_catalog.pg_constraint k
join pg_catalog.pg_class c on c.oid = k.conrelid
join pg_catalog.pg_namespace cn on cn.oid = c.relnamespace
join pg_catalog.pg_class p on p.oid = k.confrelid
join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
where k.contype = 'f' and k.conparentid = 0
  and coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::bool, true)
order by cn.nspname, c.relname, k.conname";

fn foreign_key(row: &PgRow) -> Result<ForeignKey, sqlx::Error> {
    Ok(ForeignKey {
        name: row.try_get("name")?,
        child: name(row, "schema", "table")?,
        columns: row.try_get("columns")?,
        parent: name(row, "parent_schema", "parent")?,
        parent_columns: row.try_get("parent_columns")?,
        operators: row.try_get("operators")?,
        deferrable: row.try_get("deferrable")?,
        full: row.try_get("full")?,
        validated: row.try_get("validated")?,
        clears: row.try_get("clears")?,
    })
}
