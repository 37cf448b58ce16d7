//! Discovery: who owns which table.
//!
//! Ownership starts at the root table and at the tables with a declared key,
//! and runs against the foreign keys, from parent to child. Each table gets
//! the claims that decide about its rows, best first:
//!
//! 1. a declared key column;
//! 2. a column that holds the site's id because a foreign key says so, either
//!    straight to the root's key or to such a column of an owned parent
//!    (composite keys that carry the site along): no join is needed;
//! 3. the shortest way of foreign keys without nulls;
//! 4. ways through nullable columns, each for the rows where those before it
//!    are null.
//!
//! The list ends with the first claim that can never be null. What else leads
//! to a site is reported and not asked: the direct key wins.

use std::collections::BTreeMap;

use reprise_model::{TableRule, Tenant};

use super::claim::{inherited, partial_note, said};
use super::order::load_order;
use super::rules::{Rules, resolve};
use super::{Catalog, Claim, ForeignKey, Kind, Note, Owned, Problem, Slice, Table, TableName};

/// The slice that `tenant` describes in a database of this structure.
pub fn discover(catalog: &Catalog, tenant: &Tenant) -> Result<Slice, Vec<Problem>> {
    let rules = resolve(catalog, tenant)?;
    let mut search = Search::new(catalog, &rules);
    search.spread();
    search.inherit();
    search.add_alternatives();
    let unowned = search.unowned();
    if !unowned.is_empty() {
        return Err(vec![Problem::Unowned(unowned)]);
    }
    Ok(search.finish())
}

struct Search<'a> {
    catalog: &'a Catalog,
    rules: &'a Rules,
    owned: BTreeMap<TableName, Owned>,
}

/// How good a claim is; the smaller the better.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    partial: bool,
    depth: u32,
    constraint: String,
}

impl<'a> Search<'a> {
    fn new(catalog: &'a Catalog, rules: &'a Rules) -> Self {
        let mut search = Self {
            catalog,
            rules,
            owned: BTreeMap::new(),
        };
        search.own_by_column(&rules.root, &rules.key);
        for (table, rule) in &rules.tables {
            match rule {
                TableRule::Key(column) => search.own_by_column(table, column),
                TableRule::Shared | TableRule::Ignored => {}
            }
        }
        search
    }

    fn own_by_column(&mut self, table: &TableName, column: &str) {
        let Some(claim) = key_claim(self.catalog, self.rules, table, column) else {
            return;
        };
        let owned = Owned {
            table: table.clone(),
            claims: vec![claim],
            depth: 0,
        };
        self.owned.insert(table.clone(), owned);
    }

    /// Whether a table may become owned through its foreign keys.
    fn open(&self, table: &TableName) -> bool {
        !self.owned.contains_key(table)
            && !self.rules.tables.contains_key(table)
            && self.catalog.table(table).is_some_and(can_be_owned)
    }

    /// Owns the table with the cheapest claim, again and again, so that ways
    /// without nulls are all found before the first one with nulls is taken.
    fn spread(&mut self) {
        while let Some((cost, table)) = self.cheapest() {
            let owned = Owned {
                table: table.clone(),
                claims: cut(self.claims(&table)),
                depth: cost.depth,
            };
            self.owned.insert(table, owned);
        }
    }

    fn cheapest(&self) -> Option<(Cost, TableName)> {
        let keys = self.catalog.foreign_keys.iter();
        keys.filter(|key| self.open(&key.child))
            .filter_map(|key| {
                let parent = self.owned.get(&key.parent)?;
                let direct = self.site_column(key).is_some();
                let nullable = self.nullable(key);
                let cost = Cost {
                    partial: nullable || (!direct && parent.partial()),
                    depth: parent.depth + u32::from(!direct),
                    constraint: key.name.clone(),
                };
                Some((cost, key.child.clone()))
            })
            .min()
    }

    /// All claims that the foreign keys to owned tables give, best first.
    fn claims(&self, table: &TableName) -> Vec<Claim> {
        let mut claims: Vec<((u8, Cost), Claim)> = self
            .catalog
            .keys_of(table)
            .filter(|key| !key.refers_to_itself())
            .filter_map(|key| self.claim(key))
            .collect();
        claims.sort_by(|a, b| a.0.cmp(&b.0));
        let mut sorted: Vec<Claim> = Vec::new();
        for (_, claim) in claims {
            if !sorted.contains(&claim) {
                sorted.push(claim);
            }
        }
        sorted
    }

    fn claim(&self, key: &ForeignKey) -> Option<((u8, Cost), Claim)> {
        let parent = self.owned.get(&key.parent)?;
        let nullable = self.nullable(key);
        let cost = Cost {
            partial: nullable || parent.partial(),
            depth: parent.depth + 1,
            constraint: key.name.clone(),
        };
        match self.site_column(key) {
            Some(column) => {
                let claim = key_claim(self.catalog, self.rules, &key.child, column)?;
                Some(((0, cost), claim))
            }
            None => {
                let key = key.clone();
                Some(((1, cost), Claim::Parent { key, nullable }))
            }
        }
    }

    /// The child's column that a foreign key ties to its parent's site column.
    fn site_column<'k>(&self, key: &'k ForeignKey) -> Option<&'k str> {
        let site = self.owned.get(&key.parent)?.site_column()?;
        let at = key.parent_columns.iter().position(|c| c == site)?;
        key.columns.get(at).map(String::as_str)
    }

    fn nullable(&self, key: &ForeignKey) -> bool {
        let child = self.catalog.table(&key.child);
        key.columns.iter().any(|name| {
            let column = child.and_then(|table| table.column(name));
            column.is_none_or(|column| !column.not_null)
        })
    }

    /// A table that inherits has its parent's columns, but not its foreign
    /// keys: where nothing of its own says whose it is, the parent's claims do.
    fn inherit(&mut self) {
        loop {
            let heirs: Vec<Owned> = self
                .catalog
                .tables
                .values()
                .filter(|table| self.open(&table.name))
                .filter_map(|table| {
                    let parent = table.inherits.iter().find_map(|p| self.owned.get(p))?;
                    Some(inherited(parent, &table.name))
                })
                .collect();
            if heirs.is_empty() {
                return;
            }
            for heir in heirs {
                self.owned.insert(heir.table.clone(), heir);
            }
            self.spread();
        }
    }

    /// Gives a table whose claims may all be null the ways that became known
    /// after it, unless they lead back to the table itself.
    fn add_alternatives(&mut self) {
        let partial: Vec<TableName> = self
            .owned
            .values()
            .filter(|owned| owned.partial() && owned.table != self.rules.root)
            .filter(|owned| !self.rules.tables.contains_key(&owned.table))
            .map(|owned| owned.table.clone())
            .collect();
        for table in partial {
            for claim in self.claims(&table) {
                let leads_back = match &claim {
                    Claim::Key { .. } => false,
                    Claim::Parent { key, .. } => self.depends(&key.parent, &table),
                };
                if let Some(owned) = self.owned.get_mut(&table)
                    && !leads_back
                    && !owned.claims.contains(&claim)
                {
                    owned.claims.push(claim);
                    owned.claims = cut(std::mem::take(&mut owned.claims));
                }
            }
        }
    }

    /// Whether who owns rows of `table` is decided by way of `other`.
    fn depends(&self, table: &TableName, other: &TableName) -> bool {
        table == other
            || self.owned.get(table).is_some_and(|owned| {
                owned.claims.iter().any(|claim| match claim {
                    Claim::Key { .. } => false,
                    Claim::Parent { key, .. } => self.depends(&key.parent, other),
                })
            })
    }

    fn unowned(&self) -> Vec<TableName> {
        let tables = self.catalog.tables.values();
        tables
            .filter(|table| can_be_owned(table) && self.open(&table.name))
            .map(|table| table.name.clone())
            .collect()
    }

    /// Steps from the root over all claims: a table is deeper than each of
    /// those that decide about its rows.
    fn depth(&self, table: &TableName) -> u32 {
        let claims = self.owned.get(table).map(|owned| &owned.claims);
        let steps = claims.into_iter().flatten().map(|claim| match claim {
            Claim::Key { .. } => 0,
            Claim::Parent { key, .. } => 1 + self.depth(&key.parent),
        });
        steps.max().unwrap_or(0)
    }

    fn finish(mut self) -> Slice {
        let mut notes = self.notes();
        notes.sort();
        let depths: BTreeMap<TableName, u32> = self
            .owned
            .keys()
            .map(|table| (table.clone(), self.depth(table)))
            .collect();
        let inside: Vec<&ForeignKey> = self
            .catalog
            .foreign_keys
            .iter()
            .filter(|key| depths.contains_key(&key.child) && depths.contains_key(&key.parent))
            .collect();
        let order = load_order(&inside, &depths);
        let place = |table: &TableName| order.iter().position(|name| name == table);
        let cyclic = inside
            .into_iter()
            .filter(|key| place(&key.parent) > place(&key.child))
            .cloned()
            .collect();
        let tables = order
            .iter()
            .filter_map(|name| self.owned.remove(name))
            .map(|owned| Owned {
                depth: depths[&owned.table],
                ..owned
            })
            .collect();
        Slice {
            root: self.rules.root.clone(),
            tables,
            cyclic,
            shared: self.with_rule(&TableRule::Shared),
            ignored: self.with_rule(&TableRule::Ignored),
            notes,
        }
    }

    fn with_rule(&self, wanted: &TableRule) -> Vec<TableName> {
        let rules = self.rules.tables.iter();
        rules
            .filter(|(_, rule)| *rule == wanted)
            .map(|(table, _)| table.clone())
            .collect()
    }

    fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        for table in self.catalog.tables.values() {
            match table.kind {
                Kind::Foreign => notes.push(Note::Foreign(table.name.clone())),
                Kind::Ordinary if table.unlogged => {
                    notes.push(Note::Unlogged(table.name.clone()));
                }
                Kind::Ordinary | Kind::Partitioned => {}
            }
        }
        notes.extend(self.owned.values().filter_map(partial_note));
        notes.extend(self.owned.values().filter_map(|o| self.second_path(o)));
        notes.extend(self.points_in());
        notes
    }

    fn second_path(&self, owned: &Owned) -> Option<Note> {
        let used: Vec<Vec<&str>> = owned.claims.iter().map(Claim::columns).collect();
        let also: Vec<String> = self
            .claims(&owned.table)
            .iter()
            .filter(|claim| !used.contains(&claim.columns()))
            .map(said)
            .collect();
        (!also.is_empty()).then(|| Note::SecondPath {
            table: owned.table.clone(),
            by: owned.claims.iter().map(said).collect::<Vec<_>>().join(", "),
            also,
        })
    }

    /// Tables outside of the slice that refer into it.
    fn points_in(&self) -> impl Iterator<Item = Note> {
        let keys = self.catalog.foreign_keys.iter();
        keys.filter(|key| self.owned.contains_key(&key.parent))
            .filter(|key| self.rules.tables.contains_key(&key.child))
            .filter(|key| !self.owned.contains_key(&key.child))
            .map(|key| Note::PointsIn {
                child: key.child.clone(),
                parent: key.parent.clone(),
                constraint: key.name.clone(),
            })
    }
}

/// Partitions follow their root; foreign and unlogged tables are not in a
/// backup; an extension looks after its own tables.
fn can_be_owned(table: &Table) -> bool {
    let stored_here = match table.kind {
        Kind::Ordinary | Kind::Partitioned => true,
        Kind::Foreign => false,
    };
    stored_here && !table.unlogged && !table.of_extension && table.partition_of.is_none()
}

/// Claims up to the first one that always decides.
fn cut(claims: Vec<Claim>) -> Vec<Claim> {
    let decisive = claims.iter().position(|claim| !claim.nullable());
    let keep = decisive.map_or(claims.len(), |at| at + 1);
    claims.into_iter().take(keep).collect()
}

/// To a root whose own collation does not, `acme` and `ACME` are one site.
fn tells_case_apart(collation: &str) -> bool {
    ["_bin", "_cs"].iter().any(|end| collation.ends_with(end)) || collation == "binary"
}

fn key_claim(catalog: &Catalog, rules: &Rules, table: &TableName, column: &str) -> Option<Claim> {
    let column = catalog.table(table)?.column(column)?;
    let root = catalog.table(&rules.root)?.column(&rules.key)?;
    Some(Claim::Key {
        column: column.name.clone(),
        base: column.kind.base.clone(),
        nullable: !column.not_null,
        exact: column.collation != root.collation
            && column.collation.is_some()
            && root.collation.as_deref().is_some_and(tells_case_apart),
    })
}
