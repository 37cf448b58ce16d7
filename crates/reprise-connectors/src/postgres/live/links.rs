//! Which sites of a batch refer to which, found once on scratch.
//!
//! Most foreign keys could cross from site to site by their definition and
//! never do. So each is asked once for the whole batch; a site that no edge
//! touches is restored as if it were alone.

use std::collections::BTreeSet;

use reprise_model::{Fault, SiteId};

use super::integrity::ties_ownership;
use super::session::Session;
use super::shard::Match;
use crate::postgres::slice::{ForeignKey, Key, SQL, SiteRows, Table, TableName};

/// A foreign key between tables of the slice.
#[derive(Clone, PartialEq, Debug)]
pub struct Link {
    pub key: ForeignKey,
    /// The table of the slice that the child is, or is a partition of.
    pub child: TableName,
    pub parent: TableName,
    /// Child and parent may be rows of two sites.
    pub crosses: bool,
    /// The row can be without its parent: its columns are null until then.
    pub soft: bool,
}

/// By the link at this place, rows of one site refer to rows of another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Edge {
    pub link: usize,
    pub from: SiteId,
    pub to: SiteId,
}

#[derive(Debug)]
pub struct Links {
    /// Answers for these sites.
    pub batch: Vec<SiteId>,
    pub all: Vec<Link>,
    pub edges: BTreeSet<Edge>,
}

impl Links {
    /// One site alone refers to no other of its batch.
    pub fn none(batch: &[SiteId]) -> Self {
        Self {
            batch: batch.to_vec(),
            all: Vec::new(),
            edges: BTreeSet::new(),
        }
    }

    pub async fn find(
        there: &mut Session<'_>,
        known: &Match,
        batch: &[SiteId],
    ) -> Result<Self, Fault> {
        let all = links(known);
        let mut edges = BTreeSet::new();
        let rows = known.at_scratch("");
        for (at, link) in all.iter().enumerate().filter(|(_, link)| link.crosses) {
            let Some(sql) = pairs(&rows, link, batch) else {
                continue;
            };
            let doing = format!("looking for references between sites by {}", link.key.name);
            for row in there.rows(&doing, sql).await? {
                let (from, to): (String, String) =
                    (there.get(&doing, &row, 0)?, there.get(&doing, &row, 1)?);
                edges.insert(Edge {
                    link: at,
                    from: SiteId::from(from),
                    to: SiteId::from(to),
                });
            }
        }
        Ok(Self {
            batch: batch.to_vec(),
            all,
            edges,
        })
    }

    /// Whether this is still the answer: scratch never changes, but live's
    /// constraints may have.
    pub fn answers(&self, known: &Match, batch: &[SiteId]) -> bool {
        self.batch == batch && (batch.len() < 2 || self.all == links(known))
    }

    /// The other sites that references lead to or come from, over any number
    /// of steps.
    pub fn around(&self, site: &SiteId) -> BTreeSet<SiteId> {
        let mut seen = BTreeSet::from([site.clone()]);
        let mut next = vec![site.clone()];
        while let Some(at) = next.pop() {
            for edge in &self.edges {
                let other = match (edge.from == at, edge.to == at) {
                    (true, _) => &edge.to,
                    (false, true) => &edge.from,
                    (false, false) => continue,
                };
                if seen.insert(other.clone()) {
                    next.push(other.clone());
                }
            }
        }
        seen.remove(site);
        seen
    }
}

/// Site pairs that a link connects: who refers to whom.
fn pairs(rows: &SiteRows<'_>, link: &Link, batch: &[SiteId]) -> Option<String> {
    let key = &link.key;
    let (child, parent) = (rows.owner(&key.child, "t")?, rows.owner(&key.parent, "q")?);
    Some(format!(
        "select distinct {child}, {parent} from {} t join {} q on {}
         where {} and {} and {child} is distinct from {parent}",
        rows.from(&key.child),
        rows.from(&key.parent),
        key.join(SQL, "q", "t"),
        rows.condition_of(&key.child, "t", batch)?,
        rows.condition_of(&key.parent, "q", batch)?,
    ))
}

/// The constraints of live between tables of the slice, as far as scratch has
/// their columns: what was added since T holds no reference of T.
fn links(known: &Match) -> Vec<Link> {
    let rows = known.at_live("");
    let keys = known.now.foreign_keys.iter();
    keys.filter(|key| at_both_ends(known, key))
        .filter_map(|key| {
            Some(Link {
                child: rows.owned(&key.child)?.table.clone(),
                parent: rows.owned(&key.parent)?.table.clone(),
                crosses: !rows.stays_inside(key) && !ties_ownership(&rows, key),
                soft: soft(known, key),
                key: key.clone(),
            })
        })
        .collect()
}

fn at_both_ends(known: &Match, key: &ForeignKey) -> bool {
    let has = |table: &TableName, columns: &[String]| {
        let table = known.then.table(table);
        table.is_some_and(|t| columns.iter().all(|c| t.column(c).is_some()))
    };
    has(&key.child, &key.columns) && has(&key.parent, &key.parent_columns)
}

/// Whether the deletion of a parent would have left the row, and a primary
/// key tells later which row is to get its reference back.
fn soft(known: &Match, key: &ForeignKey) -> bool {
    let (Some(table), Some(owned)) = (known.now.table(&key.child), known.slice.owned(&key.child))
    else {
        return false;
    };
    let whole = !key.full || key.clears.len() == key.columns.len();
    let free = key.clears.iter().all(|column| {
        let claimed = owned.claims.iter().flat_map(|c| c.columns());
        table.column(column).is_some_and(|c| !c.not_null)
            && !claimed.into_iter().any(|claimed| claimed == column)
    });
    let carried = known.carried.iter().find(|c| c.table == key.child);
    let known_again = identity(table).is_some_and(|primary| {
        let columns = primary.columns.iter().chain(&key.columns);
        carried.is_some_and(|carried| columns.clone().all(|c| carried.columns.contains(c)))
    });
    !key.clears.is_empty() && whole && free && known_again
}

pub fn identity(table: &Table) -> Option<&Key> {
    table.keys.iter().find(|key| key.primary && key.plain)
}
