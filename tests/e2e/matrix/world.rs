//! All of the live servers, as digests: what every table holds of an earlier
//! moment and what it was given since. What the accident itself does to
//! neighbours (a counter of theirs falls) lies before the moment.

use std::collections::BTreeMap;

use reprise_lab::cluster::admin;
use reprise_lab::layout::Layout;
use reprise_lab::manifest::{ClusterEntry, Manifest};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::journal::block_on;

/// By cluster and relation.
pub type Digests = BTreeMap<String, String>;

/// By cluster, the transaction that comes next.
pub type Moment = BTreeMap<String, i64>;

/// The next transaction of each live server: rows that are there already were
/// written by an earlier one.
pub fn moment(layout: &Layout) -> Moment {
    let mut moment = Moment::new();
    for entry in Manifest::load(layout)
        .expect("the lab has a manifest")
        .clusters
    {
        let next = block_on(async {
            let mut live = connect(layout, &entry).await;
            let next = "select pg_current_xact_id()::text::bigint";
            sqlx::query_scalar(next).fetch_one(&mut live).await
        });
        moment.insert(entry.name, next.expect("a transaction has an id"));
    }
    moment
}

/// The live servers after, or at, a moment.
#[derive(PartialEq, Debug)]
pub struct World {
    /// The rows that are older, with their writers: one that was rewritten as
    /// it was is missing here.
    pub older: Digests,
    /// What has been written since, and where each sequence stands.
    pub newer: Digests,
}

impl World {
    pub fn since(layout: &Layout, moment: &Moment) -> Self {
        let (mut older, mut newer) = (Digests::new(), Digests::new());
        for entry in Manifest::load(layout)
            .expect("the lab has a manifest")
            .clusters
        {
            let next = moment[&entry.name];
            let rows = block_on(async {
                let mut live = connect(layout, &entry).await;
                let parts = relations(&mut live).await.into_iter();
                let parts: Vec<_> = parts
                    .map(|(relation, is_sequence)| match is_sequence {
                        true => of_sequence(&relation),
                        false => of_table(&relation, next),
                    })
                    .collect();
                sqlx::query_as(AssertSqlSafe(parts.join(" union all ")))
                    .fetch_all(&mut live)
                    .await
            });
            let rows: Vec<(String, String, String)> = rows.expect("the tables can be read");
            for (relation, before, since) in rows {
                older.insert(format!("{}: {relation}", entry.name), before);
                newer.insert(format!("{}: {relation}", entry.name), since);
            }
        }
        assert!(newer.len() > 50, "only {} relations", newer.len());
        Self { older, newer }
    }
}

fn of_table(relation: &str, next: i64) -> String {
    let digest = |row: &str, side: &str| {
        format!(
            "count(*) filter (where {side}) || ' ' ||
             coalesce(sum(hashtextextended({row}, 0)) filter (where {side}), 0)"
        )
    };
    let older = digest(
        "t.xmin || t::text",
        &format!("t.xmin::text::bigint < {next}"),
    );
    let newer = digest("t::text", &format!("t.xmin::text::bigint >= {next}"));
    format!("select '{relation}', {older}, {newer} from only {relation} t")
}

fn of_sequence(relation: &str) -> String {
    format!("select '{relation}', '', last_value || ' ' || is_called from {relation}")
}

async fn relations(live: &mut PgConnection) -> Vec<(String, bool)> {
    sqlx::query_as(
        "select c.oid::regclass::text, c.relkind = 'S' from pg_class c
         where c.relkind in ('r', 'S')
           and c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'",
    )
    .fetch_all(live)
    .await
    .expect("the catalog can be read")
}

async fn connect(layout: &Layout, entry: &ClusterEntry) -> PgConnection {
    admin(layout, entry)
        .await
        .expect("the live server accepts connections")
}
