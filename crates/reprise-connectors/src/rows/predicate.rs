//! "The rows of this site", as SQL.
//!
//! A claim by a column is a comparison; a claim by a parent is an `exists`
//! along the foreign key, which the planner turns into a semi-join. The id is
//! a literal and not a parameter, because `copy` takes none; it is compared in
//! the column's own type without modifiers, so that an index serves and
//! nothing is truncated.

use reprise_model::SiteId;

use super::{Catalog, Claim, Dialect, ForeignKey, Owned, Slice, TableName};

/// What the column with the site's id must meet, of that name and type.
type Test<'t> = &'t dyn Fn(&str, &str) -> String;

/// Writes the conditions for one site's rows.
#[derive(Clone, Copy, Debug)]
pub struct SiteRows<'a> {
    pub slice: &'a Slice,
    /// Of the database that is asked: it knows which tables are partitioned.
    pub catalog: &'a Catalog,
    pub site: &'a str,
}

impl SiteRows<'_> {
    /// `only "s"."t" t where ...`: the site's rows of one table, under alias `t`.
    pub fn of(&self, table: &TableName) -> Option<String> {
        let from = self.from(table);
        let condition = self.condition(table, "t")?;
        Some(format!("{from} t where {condition}"))
    }

    /// What rows of `table` under `alias` must meet; none for a table that
    /// holds no site's rows.
    pub fn condition(&self, table: &TableName, alias: &str) -> Option<String> {
        let owned = self.owned(table)?;
        let test = |column: &str, base: &str| self.dialect().is(column, base, self.site);
        Some(self.claims(owned, alias, 1, &test))
    }

    /// The same for rows of any of these sites, whichever this one is.
    pub fn condition_of<'s>(
        &self,
        table: &TableName,
        alias: &str,
        sites: impl IntoIterator<Item = &'s SiteId>,
    ) -> Option<String> {
        let owned = self.owned(table)?;
        let ids: Vec<&str> = sites.into_iter().map(SiteId::as_str).collect();
        let test = |column: &str, base: &str| self.dialect().is_any(column, base, &ids);
        Some(self.claims(owned, alias, 1, &test))
    }

    /// The id of the site that a row belongs to, as text; null for nobody's.
    pub fn owner(&self, table: &TableName, alias: &str) -> Option<String> {
        let owned = self.owned(table)?;
        let owner = self.owner_at(owned, alias, 1);
        Some(self.dialect().bytewise(&owner))
    }

    fn dialect(&self) -> Dialect {
        self.catalog.dialect
    }

    fn column(&self, alias: &str, name: &str) -> String {
        format!("{alias}.{}", self.dialect().quoted(name))
    }

    fn owner_at(&self, owned: &Owned, alias: &str, level: usize) -> String {
        let mut cases = String::new();
        for claim in &owned.claims {
            let owner = match claim {
                Claim::Key { column, .. } => self.dialect().text(&self.column(alias, column)),
                Claim::Parent { key, .. } => {
                    let parent_alias = format!("o{level}");
                    let join = key.join(self.dialect(), &parent_alias, alias);
                    let owner = match self.slice.owned(&key.parent) {
                        Some(parent) => self.owner_at(parent, &parent_alias, level + 1),
                        None => self.dialect().text("null"),
                    };
                    let from = self.from(&key.parent);
                    format!("(select {owner} from {from} {parent_alias} where {join})")
                }
            };
            if let [_] = owned.claims.as_slice() {
                return owner;
            }
            cases += &format!(" when not {} then {owner}", self.absent(claim, alias));
        }
        format!("case{cases} end")
    }

    /// The rule for a table; a partition follows the table it is a part of.
    pub fn owned(&self, table: &TableName) -> Option<&Owned> {
        let whole = self.catalog.table(table)?.partition_of.as_ref();
        match (self.slice.owned(table), whole) {
            (Some(owned), _) => Some(owned),
            (None, Some(whole)) => self.owned(whole),
            (None, None) => None,
        }
    }

    /// Both ends of the key hold the site's id, and the key ties them: a row
    /// can never refer to another site's.
    pub fn stays_inside(&self, key: &ForeignKey) -> bool {
        let column = |table| self.owned(table).and_then(Owned::site_column);
        let pairs = key.columns.iter().zip(&key.parent_columns);
        match (column(&key.child), column(&key.parent)) {
            (Some(child), Some(parent)) => {
                pairs.into_iter().any(|(c, p)| c == child && p == parent)
            }
            (_, None) | (None, _) => false,
        }
    }

    pub fn from(&self, table: &TableName) -> String {
        self.catalog.from(table)
    }

    fn claims(&self, owned: &Owned, alias: &str, level: usize, test: Test<'_>) -> String {
        let mut alternatives = Vec::new();
        let mut before = String::new();
        for claim in &owned.claims {
            let holds = self.claim(claim, alias, level, test);
            alternatives.push(format!("{before}{holds}"));
            before += &format!("{} and ", self.absent(claim, alias));
        }
        match alternatives.len() {
            1 => alternatives.remove(0),
            _ => format!("({})", alternatives.join(" or ")),
        }
    }

    fn claim(&self, claim: &Claim, alias: &str, level: usize, test: Test<'_>) -> String {
        match claim {
            Claim::Key {
                column,
                base,
                exact,
                ..
            } => {
                let column = self.column(alias, column);
                match exact {
                    // The first of them can use an index.
                    true => {
                        let letters = self.dialect().bytewise_unpadded(&column);
                        format!("({} and {})", test(&column, base), test(&letters, base))
                    }
                    false => test(&column, base),
                }
            }
            Claim::Parent { key, .. } => {
                let parent_alias = format!("p{level}");
                let join = key.join(self.dialect(), &parent_alias, alias);
                let parent = match self.slice.owned(&key.parent) {
                    Some(parent) => self.claims(parent, &parent_alias, level + 1, test),
                    None => "false".to_owned(),
                };
                let from = self.from(&key.parent);
                format!("exists (select 1 from {from} {parent_alias} where {join} and {parent})")
            }
        }
    }

    /// Rows of `table` that belong to no site at all.
    pub fn nobody(&self, table: &TableName) -> Option<String> {
        let owned = self.slice.owned(table).filter(|owned| owned.partial())?;
        let absent: Vec<String> = owned.claims.iter().map(|c| self.absent(c, "t")).collect();
        Some(format!(
            "{} t where {}",
            self.from(table),
            absent.join(" and ")
        ))
    }

    /// The claim says nothing about this row.
    fn absent(&self, claim: &Claim, alias: &str) -> String {
        let nulls: Vec<String> = claim
            .columns()
            .into_iter()
            .map(|column| format!("{} is null", self.column(alias, column)))
            .collect();
        format!("({})", nulls.join(" or "))
    }
}

impl ForeignKey {
    /// Parent and child row belong together, by the constraint's own operators.
    pub fn join(&self, dialect: Dialect, parent: &str, child: &str) -> String {
        let pairs: Vec<String> = self
            .parent_columns
            .iter()
            .zip(&self.columns)
            .zip(&self.operators)
            .map(|((p, c), operator)| {
                let (p, c) = (dialect.quoted(p), dialect.quoted(c));
                format!("{parent}.{p} {operator} {child}.{c}")
            })
            .collect();
        pairs.join(" and ")
    }

    /// The child row refers to something at all.
    pub fn refers(&self, dialect: Dialect, child: &str) -> String {
        let set: Vec<String> = self
            .columns
            .iter()
            .map(|column| format!("{child}.{} is not null", dialect.quoted(column)))
            .collect();
        set.join(" and ")
    }
}
