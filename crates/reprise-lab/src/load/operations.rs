//! What an application does all day, as data.
//!
//! Every operation is one statement over `pick (site, other, n)` that returns
//! the key and the site of each row it changed. Deletions take leaves only:
//! what a foreign key would take along would be missing in the ledger.

use crate::ledger::Change;
use crate::manifest::Store;
use crate::tables;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operation {
    pub change: Change,
    pub table: &'static str,
    /// Without its `returning`; the changed table is `t`.
    body: &'static str,
}

impl Operation {
    pub fn sql(&self) -> String {
        let key = tables::of(Store::Catalogue)
            .iter()
            .chain(tables::of(Store::Identity))
            .chain(tables::of(Store::Product))
            .find(|table| table.name == self.table)
            .map(tables::Table::key_sql)
            .expect("every operation works on a listed table");
        format!(
            "with pick (site, other, n) as (values ($1::bigint, $2::bigint, $3::bigint)) \
             {} returning {key}, (select site from pick)",
            self.body
        )
    }
}

pub fn of(store: Store) -> &'static [Operation] {
    match store {
        Store::Catalogue => &CATALOGUE,
        Store::Identity => &IDENTITY,
        Store::Product => &PRODUCT,
    }
}

const fn writes(table: &'static str, body: &'static str) -> Operation {
    Operation {
        change: Change::Written,
        table,
        body,
    }
}

const fn deletes(table: &'static str, body: &'static str) -> Operation {
    Operation {
        change: Change::Deleted,
        table,
        body,
    }
}

const CATALOGUE: [Operation; 3] = [
    writes(
        "licences",
        "update licences t set seats = 1 + (n % 500)::int from pick, site_products p
         where p.id = t.site_product_id and p.site_id = pick.site and p.product = 'wiki'",
    ),
    writes(
        "sites",
        "update sites t set users = users + 1 from pick where t.id = pick.site",
    ),
    writes(
        "app_installs",
        "insert into app_installs as t
         select a.id, '2.' || n, clock_timestamp() from apps a, pick
         where a.site_id = pick.site order by a.id limit 1",
    ),
];

const IDENTITY: [Operation; 3] = [
    writes(
        "users",
        "update users t set display_name = 'User ' || n, version = version + 1
         from pick, organisations o
         where o.id = t.organisation_id and o.site_id = pick.site and t.email like 'user1@%'",
    ),
    writes(
        "sessions",
        "insert into sessions as t
         select md5('load' || n || clock_timestamp())::uuid, u.id, '198.51.100.7', 'load',
                tstzrange(clock_timestamp(), null)
         from users u join organisations o on o.id = u.organisation_id, pick
         where o.site_id = pick.site order by u.id limit 1",
    ),
    deletes(
        "sessions",
        "delete from sessions t where t.id = (
           select s.id from sessions s join users u on u.id = s.user_id
           join organisations o on o.id = u.organisation_id, pick
           where o.site_id = pick.site order by s.id limit 1)",
    ),
];

const PRODUCT: [Operation; 12] = [
    writes(
        "tracker.issues",
        "update tracker.issues t set summary = 'changed ' || n, fields = fields || '{\"load\": true}'
         from pick, tracker.projects p
         where p.id = t.project_id and p.site_id = pick.site and t.number = 1 + n % 40",
    ),
    writes(
        "tracker.issues",
        "update tracker.issues t set duplicate_of = (
           select i.id from tracker.issues i join tracker.projects q on q.id = i.project_id, pick
           where q.site_id = pick.other and i.number = 1 and i.id <> t.id order by i.id limit 1)
         from pick, tracker.projects p
         where p.id = t.project_id and p.site_id = pick.site and p.key = 'P1' and t.number = 1 + n % 20",
    ),
    writes(
        "tracker.comments",
        "insert into tracker.comments as t (issue_id, author_id, body, created_at)
         select i.id, i.reporter_id, 'comment ' || n, clock_timestamp()
         from tracker.issues i join tracker.projects p on p.id = i.project_id, pick
         where p.site_id = pick.site and i.number = 1 + n % 30 order by i.id limit 1",
    ),
    writes(
        "tracker.worklogs",
        "insert into tracker.worklogs as t (issue_id, author_id, spent)
         select i.id, i.reporter_id, make_interval(mins => (n % 90)::int)
         from tracker.issues i join tracker.projects p on p.id = i.project_id, pick
         where p.site_id = pick.site and i.number = 1 + n % 3 order by i.id limit 1",
    ),
    deletes(
        "tracker.worklogs",
        "delete from tracker.worklogs t where t.id = (
           select w.id from tracker.worklogs w join tracker.issues i on i.id = w.issue_id
           join tracker.projects p on p.id = i.project_id, pick
           where p.site_id = pick.site and i.number = 1 + n % 5 order by w.id desc limit 1)",
    ),
    writes(
        "tracker.issue_links",
        "insert into tracker.issue_links as t (site_id, source_id, target_id, kind)
         select pick.site, s.id, o.id, 'mentions'
         from pick
         join tracker.projects p on p.site_id = pick.site join tracker.issues s on s.project_id = p.id
         join tracker.projects q on q.site_id = pick.other join tracker.issues o on o.project_id = q.id
         where s.number = 1 + n % 10 and o.number = 1 + n % 7 and s.id <> o.id
         order by s.id, o.id limit 1 on conflict do nothing",
    ),
    deletes(
        "tracker.issue_links",
        "delete from tracker.issue_links t where t.id = (
           select l.id from tracker.issue_links l, pick where l.site_id = pick.site order by l.id limit 1)",
    ),
    writes(
        "tracker.activity",
        "insert into tracker.activity as t
         select i.id, i.reporter_id, 'load ' || n || ' ' || clock_timestamp(), '203.0.113.9'
         from tracker.issues i join tracker.projects p on p.id = i.project_id, pick
         where p.site_id = pick.site and i.number = 1 order by i.id limit 1",
    ),
    writes(
        "tracker.events",
        "insert into tracker.events as t (site_id, at, kind, payload)
         select site, clock_timestamp(), 'load', jsonb_build_object('n', n) from pick",
    ),
    writes(
        "tracker.audit_log",
        "insert into tracker.audit_log as t (tenant_id, at, action, address, detail)
         select site, clock_timestamp(), 'load', '203.0.113.9', jsonb_build_object('n', n) from pick",
    ),
    writes(
        "wiki.pages",
        "update wiki.pages t set title = 'changed ' || n
         from pick, wiki.spaces s where s.home_page = t.id and s.site_id = pick.site",
    ),
    writes(
        "wiki.page_versions",
        "insert into wiki.page_versions as t (page_id, number, author_id, body)
         select s.home_page, (1000 + n)::int, a.id, repeat('load ', (n % 200)::int)
         from wiki.spaces s join tracker.accounts a on a.site_id = s.site_id and a.number = 1, pick
         where s.site_id = pick.site and s.key = 'S1'",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_works_on_a_listed_table() {
        for store in [Store::Catalogue, Store::Identity, Store::Product] {
            for operation in of(store) {
                assert!(
                    operation.sql().contains("returning concat_ws"),
                    "{operation:?}"
                );
            }
        }
    }
}
