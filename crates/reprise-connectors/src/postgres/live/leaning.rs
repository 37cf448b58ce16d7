//! Rows that cannot be in live yet, because a site that they lean on is not.
//!
//! A row leans on an absent site when a foreign key of it refers to that
//! site's row, or to a row that itself leans on one. One recursive query on
//! scratch finds them all, by table and place: scratch never changes, so a
//! `ctid` names a row as well as a key would, and tables without a key need no
//! other way. Keys whose columns the deletion of a parent clears do not make a
//! row lean; there the columns are null until the parent is back, as they
//! would be in a world without it.

use std::collections::BTreeSet;
use std::sync::Arc;

use reprise_model::SiteId;

use super::links::{Link, Links};
use crate::postgres::slice::{Carried, SQL, SiteRows, TableName, literal, quoted};

/// What is absent, and the rows that lean on it.
#[derive(Clone, Debug)]
pub struct Leaning {
    links: Arc<Links>,
    /// Not in live.
    pub absent: BTreeSet<SiteId>,
    /// Just coming back; rows that lean on it alone can come too.
    pub coming: Option<SiteId>,
    /// Tables that may hold leaning rows.
    tables: BTreeSet<TableName>,
}

impl Leaning {
    pub fn new(links: Arc<Links>, absent: BTreeSet<SiteId>, coming: Option<SiteId>) -> Self {
        let mut leaning = Self {
            links,
            absent,
            coming,
            tables: BTreeSet::new(),
        };
        leaning.tables = leaning.reached();
        leaning
    }

    /// Sites that rows of others are asked to lean on.
    fn gone(&self) -> impl Iterator<Item = &SiteId> {
        self.absent.iter().chain(&self.coming)
    }

    /// From the tables with a reference to a gone site, against the keys.
    fn reached(&self) -> BTreeSet<TableName> {
        let first = self.links.edges.iter().filter_map(|edge| {
            let link = &self.links.all[edge.link];
            let leans = !link.soft && self.gone().any(|gone| *gone == edge.to);
            leans.then(|| link.child.clone())
        });
        let mut tables: BTreeSet<TableName> = first.collect();
        loop {
            let hard = self.links.all.iter().filter(|link| !link.soft);
            let more: Vec<TableName> = hard
                .filter(|link| tables.contains(&link.parent) && !tables.contains(&link.child))
                .map(|link| link.child.clone())
                .collect();
            if more.is_empty() {
                return tables;
            }
            tables.extend(more);
        }
    }

    pub fn may_hold(&self, table: &TableName) -> bool {
        self.tables.contains(table)
    }

    /// Soft links of the table whose parents may be gone, or lean.
    pub fn soft<'a>(&'a self, table: &'a TableName) -> impl Iterator<Item = &'a Link> {
        let links = self.links.all.iter().enumerate();
        links
            .filter(move |(_, link)| link.soft && link.child == *table)
            .filter(|(at, link)| {
                let mut edges = self.links.edges.iter();
                self.tables.contains(&link.parent)
                    || edges.any(|edge| edge.link == *at && self.gone().any(|g| *g == edge.to))
            })
            .map(|(_, link)| link)
    }

    /// `with recursive leaning (tab, at, site) as (...)`: each leaning row,
    /// once for each site that it leans on.
    pub fn with(&self, rows: &SiteRows<'_>) -> String {
        let links = self.links.all.iter().enumerate();
        let first: Vec<String> = links
            .filter_map(|(at, link)| self.directly(rows, at, link))
            .collect();
        let further: Vec<String> = self
            .links
            .all
            .iter()
            .filter(|link| !link.soft && self.tables.contains(&link.parent))
            .filter_map(|link| self.by_parent(rows, link))
            .collect();
        let first = match first.is_empty() {
            true => "select null::oid, null::tid, null::text collate \"C\" where false".to_owned(),
            false => first.join(" union "),
        };
        if further.is_empty() {
            return format!("with leaning (tab, at, site) as materialized ({first})");
        }
        let further = further.join(" union all ");
        format!(
            "with recursive leaning (tab, at, site) as (({first}) union
               select c.tab, c.at, l.site from leaning l
               join ({further}) c on c.parent_tab = l.tab and c.parent_at = l.at)"
        )
    }

    fn directly(&self, rows: &SiteRows<'_>, at: usize, link: &Link) -> Option<String> {
        let edges = self.links.edges.iter().filter(|edge| edge.link == at);
        let edges: Vec<_> = edges
            .filter(|edge| self.gone().any(|gone| *gone == edge.to))
            .collect();
        if link.soft || edges.is_empty() {
            return None;
        }
        let from: BTreeSet<&SiteId> = edges.iter().map(|edge| &edge.from).collect();
        let to: BTreeSet<&SiteId> = edges.iter().map(|edge| &edge.to).collect();
        let key = &link.key;
        let (child, parent) = (rows.owner(&key.child, "t")?, rows.owner(&key.parent, "q")?);
        Some(format!(
            "select t.tableoid, t.ctid, {parent} from {} t join {} q on {}
             where {} and {} and {child} is distinct from {parent}",
            rows.from(&key.child),
            rows.from(&key.parent),
            key.join(SQL, "q", "t"),
            rows.condition_of(&key.child, "t", from)?,
            rows.condition_of(&key.parent, "q", to)?,
        ))
    }

    /// A neighbour who is not of the batch does not wait for anybody.
    fn by_parent(&self, rows: &SiteRows<'_>, link: &Link) -> Option<String> {
        let key = &link.key;
        let of_batch = match link.crosses {
            true => {
                let batch = &self.links.batch;
                format!(" where {}", rows.condition_of(&key.child, "t", batch)?)
            }
            false => String::new(),
        };
        Some(format!(
            "select t.tableoid as tab, t.ctid as at, q.tableoid as parent_tab, q.ctid as parent_at
             from {} t join {} q on {}{of_batch}",
            rows.from(&key.child),
            rows.from(&key.parent),
            key.join(SQL, "q", "t"),
        ))
    }

    /// The row under `alias` leans on one of `sites`.
    pub fn on<'s>(&self, alias: &str, sites: impl IntoIterator<Item = &'s SiteId>) -> String {
        let ids: Vec<String> = sites.into_iter().map(|s| literal(s.as_str())).collect();
        if ids.is_empty() {
            return "false".to_owned();
        }
        format!(
            "exists (select 1 from leaning l where l.tab = {alias}.tableoid and l.at = {alias}.ctid
                     and l.site in ({}))",
            ids.join(", ")
        )
    }

    /// The parent of the row under `t` is of one of `sites`, or leans on one.
    pub fn refers_to<'s>(
        &self,
        rows: &SiteRows<'_>,
        link: &Link,
        sites: impl IntoIterator<Item = &'s SiteId> + Clone,
    ) -> String {
        let owned = rows.condition_of(&link.key.parent, "q", sites.clone());
        format!(
            "exists (select 1 from {} q where {} and ({} or {}))",
            rows.from(&link.key.parent),
            link.key.join(SQL, "q", "t"),
            owned.unwrap_or_else(|| "false".to_owned()),
            self.on("q", sites)
        )
    }

    /// The carried columns of the row under `t`, those null that refer to what is absent.
    pub fn columns(&self, rows: &SiteRows<'_>, carried: &Carried) -> String {
        let columns = carried.columns.iter().map(|column| {
            let name = quoted(column);
            let links = self.soft(&carried.table);
            let waits: Vec<String> = links
                .filter(|link| link.key.clears.contains(column))
                .map(|link| self.refers_to(rows, link, &self.absent))
                .collect();
            match waits.is_empty() || self.absent.is_empty() {
                true => format!("t.{name}"),
                false => format!(
                    "case when {} then null else t.{name} end as {name}",
                    waits.join(" or ")
                ),
            }
        });
        columns.collect::<Vec<_>>().join(", ")
    }
}

/// The rows of one site that are to be in live now.
#[derive(Clone, Copy, Debug)]
pub struct Portion<'a> {
    pub rows: SiteRows<'a>,
    /// None: all of them.
    pub leaning: Option<&'a Leaning>,
}

impl Portion<'_> {
    /// The carried columns of the site's rows of one table.
    pub fn query(&self, carried: &Carried) -> Option<String> {
        let from = self.rows.of(&carried.table)?;
        let touched = self.leaning.filter(|leaning| {
            leaning.may_hold(&carried.table) || leaning.soft(&carried.table).next().is_some()
        });
        let Some(leaning) = touched else {
            let columns = crate::postgres::slice::quoted_list(
                "t.",
                carried.columns.iter().map(String::as_str),
            );
            return Some(format!("select {columns} from {from}"));
        };
        Some(format!(
            "{} select {} from {from} and not {}",
            leaning.with(&self.rows),
            leaning.columns(&self.rows, carried),
            leaning.on("t", &leaning.absent)
        ))
    }
}
