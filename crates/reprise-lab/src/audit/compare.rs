//! One table in live against the same table recovered to T. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::audit::Sites;
use crate::ledger::Verdicts;

/// A row as the audit sees it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Row {
    /// Absent where a table is shared by all sites.
    pub site: Option<i64>,
    pub key: String,
    /// The transaction that wrote it.
    pub version: String,
    /// Over all of its text.
    pub digest: String,
}

#[derive(Debug)]
pub struct Sides {
    pub recovered: Vec<Row>,
    pub live: Vec<Row>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    pub table: String,
    pub key: String,
    pub site: Option<i64>,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Of a restored site: recovered, and not in live.
    NotRestored,
    /// Of a restored site: in live, and not recovered.
    Surplus,
    /// Of a restored site: other contents.
    Different,
    /// Of a site that was deleted and not restored, and is in live.
    Revived,
    /// Of a neighbour: gone, and no writer deleted it.
    NeighbourLost,
    /// Of a neighbour: there, and no writer made it.
    NeighbourAdded,
    /// Of a neighbour: changed by somebody who is not a writer.
    NeighbourTouched,
}

#[derive(Debug, Default)]
pub struct Found {
    pub restored_rows: u64,
    pub neighbour_rows: u64,
    /// Keys of neighbours' rows that the ledger decided about.
    pub in_ledger: BTreeSet<String>,
    pub differences: Vec<Difference>,
}

/// The same key may come several times: a table without a key has equal rows.
type ByKey = BTreeMap<(Option<i64>, String), Vec<(String, String)>>;

pub fn compare(table: &str, sides: Sides, sites: &Sites, verdicts: &Verdicts) -> Found {
    let mut found = Found::default();
    let mut recovered = by_key(sides.recovered);
    let live = by_key(sides.live);
    for (id, rows) in live {
        let before = recovered.remove(&id).unwrap_or_default();
        judge(table, id, &before, &rows, sites, verdicts, &mut found);
    }
    for (id, before) in recovered {
        judge(table, id, &before, &[], sites, verdicts, &mut found);
    }
    found
        .differences
        .extend(broken_promises(table, verdicts, &found.in_ledger));
    found
}

/// Rows that writers made after T, and that are nowhere.
fn broken_promises(table: &str, verdicts: &Verdicts, seen: &BTreeSet<String>) -> Vec<Difference> {
    verdicts
        .range((table.to_owned(), String::new())..)
        .take_while(|((of, _), _)| of == table)
        .filter(|((_, key), version)| version.is_some() && !seen.contains(key))
        .map(|((_, key), _)| Difference {
            table: table.to_owned(),
            key: key.clone(),
            site: None,
            kind: Kind::NeighbourLost,
        })
        .collect()
}

fn by_key(rows: Vec<Row>) -> ByKey {
    let mut map = ByKey::new();
    for row in rows {
        let versions = map.entry((row.site, row.key)).or_default();
        versions.push((row.version, row.digest));
    }
    for versions in map.values_mut() {
        versions.sort();
    }
    map
}

fn judge(
    table: &str,
    (site, key): (Option<i64>, String),
    before: &[(String, String)],
    now: &[(String, String)],
    sites: &Sites,
    verdicts: &Verdicts,
    found: &mut Found,
) {
    let is_in = |set: &BTreeSet<i64>| site.is_some_and(|site| set.contains(&site));
    let kind = if is_in(&sites.restored) {
        found.restored_rows += now.len() as u64;
        restored(before, now)
    } else if is_in(&sites.gone) {
        (!now.is_empty()).then_some(Kind::Revived)
    } else {
        found.neighbour_rows += now.len() as u64;
        match verdicts.get(&(table.to_owned(), key.clone())) {
            Some(version) => {
                found.in_ledger.insert(key.clone());
                by_ledger(version.as_deref(), now)
            }
            None => untouched(before, now),
        }
    };
    if let Some(kind) = kind {
        found.differences.push(Difference {
            table: table.to_owned(),
            key,
            site,
            kind,
        });
    }
}

/// Restored rows have new versions; what counts is what is in them.
fn restored(before: &[(String, String)], now: &[(String, String)]) -> Option<Kind> {
    let digests = |rows: &[(String, String)]| {
        let mut digests: Vec<String> = rows.iter().map(|(_, digest)| digest.clone()).collect();
        digests.sort();
        digests
    };
    match before.len().cmp(&now.len()) {
        std::cmp::Ordering::Greater => Some(Kind::NotRestored),
        std::cmp::Ordering::Less => Some(Kind::Surplus),
        std::cmp::Ordering::Equal => (digests(before) != digests(now)).then_some(Kind::Different),
    }
}

fn untouched(before: &[(String, String)], now: &[(String, String)]) -> Option<Kind> {
    match before.len().cmp(&now.len()) {
        std::cmp::Ordering::Greater => Some(Kind::NeighbourLost),
        std::cmp::Ordering::Less => Some(Kind::NeighbourAdded),
        std::cmp::Ordering::Equal => (before != now).then_some(Kind::NeighbourTouched),
    }
}

fn by_ledger(version: Option<&str>, now: &[(String, String)]) -> Option<Kind> {
    match (version, now) {
        (None, []) => None,
        (None, _) => Some(Kind::NeighbourAdded),
        (Some(_), []) => Some(Kind::NeighbourLost),
        (Some(version), rows) => rows
            .iter()
            .any(|(found, _)| found != version)
            .then_some(Kind::NeighbourTouched),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESTORED: i64 = 1;
    const GONE: i64 = 2;
    const NEIGHBOUR: i64 = 3;

    fn row(site: i64, key: &str, version: &str, digest: &str) -> Row {
        Row {
            site: Some(site),
            key: key.to_owned(),
            version: version.to_owned(),
            digest: digest.to_owned(),
        }
    }

    fn kinds(recovered: &[Row], live: &[Row], ledger: &[(&str, Option<&str>)]) -> Vec<Kind> {
        let sites = Sites {
            restored: BTreeSet::from([RESTORED]),
            gone: BTreeSet::from([GONE]),
        };
        let verdicts = ledger
            .iter()
            .map(|(key, version)| {
                let id = ("t".to_owned(), (*key).to_owned());
                (id, version.map(str::to_owned))
            })
            .collect();
        let sides = Sides {
            recovered: recovered.to_vec(),
            live: live.to_vec(),
        };
        let found = compare("t", sides, &sites, &verdicts);
        found.differences.into_iter().map(|d| d.kind).collect()
    }

    #[test]
    fn a_restored_row_may_have_a_new_version_and_nothing_else() {
        let before = row(RESTORED, "a", "10", "x");
        let check = |live: &[Row], expect: &[Kind]| {
            assert_eq!(
                kinds(std::slice::from_ref(&before), live, &[]),
                expect,
                "{live:?}"
            );
        };
        check(&[row(RESTORED, "a", "99", "x")], &[]);
        check(&[row(RESTORED, "a", "99", "y")], &[Kind::Different]);
        check(&[], &[Kind::NotRestored]);
        let twice = [row(RESTORED, "a", "99", "x"), row(RESTORED, "a", "99", "x")];
        check(&twice, &[Kind::Surplus]);
    }

    #[test]
    fn a_neighbours_row_may_change_by_its_writers_alone() {
        let before = row(NEIGHBOUR, "a", "10", "x");
        let check = |live: &[Row], ledger: &[(&str, Option<&str>)], expect: &[Kind]| {
            assert_eq!(
                kinds(std::slice::from_ref(&before), live, ledger),
                expect,
                "{live:?}"
            );
        };
        let same = [before.clone()];
        let written = [row(NEIGHBOUR, "a", "20", "x")];
        check(&same, &[], &[]);
        check(&written, &[("a", Some("20"))], &[]);
        check(&[], &[("a", None)], &[]);
        check(&written, &[], &[Kind::NeighbourTouched]);
        check(&written, &[("a", Some("19"))], &[Kind::NeighbourTouched]);
        check(&[], &[], &[Kind::NeighbourLost]);
        check(&[], &[("a", Some("20"))], &[Kind::NeighbourLost]);
        check(&same, &[("a", None)], &[Kind::NeighbourAdded]);
        let more = [before.clone(), row(NEIGHBOUR, "b", "20", "y")];
        check(&more, &[], &[Kind::NeighbourAdded]);
        check(&more, &[("b", Some("20"))], &[]);
    }

    #[test]
    fn a_row_the_ledger_promises_must_be_there() {
        let missing = kinds(&[], &[], &[("new", Some("20"))]);
        assert_eq!(missing, [Kind::NeighbourLost]);
    }

    #[test]
    fn nothing_of_a_site_that_was_not_restored_may_be_there() {
        let row = row(GONE, "a", "10", "x");
        assert_eq!(kinds(std::slice::from_ref(&row), &[], &[]), []);
        assert_eq!(
            kinds(std::slice::from_ref(&row), std::slice::from_ref(&row), &[]),
            [Kind::Revived]
        );
    }

    #[test]
    fn a_row_that_changes_hands_is_seen_on_both_sides() {
        let (before, now) = (
            row(NEIGHBOUR, "a", "10", "x"),
            row(RESTORED, "a", "10", "x"),
        );
        assert_eq!(
            kinds(&[before], &[now], &[]),
            [Kind::Surplus, Kind::NeighbourLost]
        );
    }
}
