//! Items of a site's slice, for the references between stores.

use std::ops::ControlFlow;

use reprise_model::{Fault, FaultKind, Side};
use reprise_ports::{CallSite, Item, Listing};

use super::cluster::{run, text};
use super::world::{World, tenant};

const SCHEMA: &str = "
create table sites (id bigint primary key);
create table files (id int primary key, site_id bigint references sites, \"Path\" text, size bigint, sum bytea);
create view everything as select * from files;
";
const ROWS: &str = r"
insert into sites values (1), (2);
insert into files values (1, 1, 'a $1 ''b''', 10, '\x00ff'), (2, 1, null, 20, null), (3, 2, 'theirs', 30, null);
";
const QUERY: &str =
    "select \"Path\", size, sum from files where site_id = $1 order by id -- theirs;";

fn listing(query: &str, compare: &[&str]) -> Listing {
    Listing {
        shard: "s01".into(),
        site: CallSite {
            id: "1".into(),
            attributes: Default::default(),
        },
        target_time: "2026-01-01T00:00:00Z".parse().unwrap(),
        side: Side {
            store: "s".into(),
            key: "Path".into(),
            compare: compare.iter().map(|name| (*name).to_owned()).collect(),
            at: Default::default(),
            query: Some(query.to_owned()),
            filter: None,
            list: Default::default(),
        },
    }
}

async fn items(world: &World, listing: &Listing) -> Result<Vec<Item>, Fault> {
    let mut items = Vec::new();
    let mut take = |item| {
        items.push(item);
        ControlFlow::Continue(())
    };
    world.shard.list(listing, &mut take).await?;
    Ok(items)
}

fn item(key: Option<&str>, fields: &[Option<&str>]) -> Item {
    let owned = |text: &Option<&str>| text.map(str::to_owned);
    Item {
        key: owned(&key),
        fields: fields.iter().map(owned).collect(),
    }
}

async fn world() -> World {
    World::new(SCHEMA, ROWS, tenant("sites.id", &[])).await
}

#[tokio::test]
async fn rows_of_one_site_become_items_by_the_names_of_columns() {
    let mut world = world().await;
    let listing = listing(QUERY, &["size", "sum"]);
    let key = "a $1 'b'";
    let expect = [
        item(Some(key), &[Some("10"), Some("\\x00ff")]),
        item(None, &[Some("20"), None]),
    ];
    // The connection of the first is used by the second.
    for _ in 0..2 {
        assert_eq!(items(&world, &listing).await.unwrap(), expect);
    }
    // Live has gone on; what was recovered has not.
    run(&mut world.now, "update files set size = 11 where id = 1").await;
    assert_eq!(
        items(&world, &listing).await.unwrap()[0].fields[0].as_deref(),
        Some("11")
    );
    let mut then = Vec::new();
    let mut take = |item: Item| {
        then.push(item);
        ControlFlow::Break(())
    };
    world.scratch.list(&listing, &mut take).await.unwrap();
    assert_eq!(then, expect[..1], "read until it was told to stop");
}

#[tokio::test]
async fn a_listing_writes_nothing_and_leaves_no_transaction() {
    let mut world = world().await;
    let writes = [
        "with gone as (delete from files where site_id = $1 returning *) select * from gone",
        "select \"Path\" from files where site_id = $1) as listed; commit; delete from files; select (1",
        "select nextval('counted')::text as \"Path\" where $1 = '1'",
    ];
    run(&mut world.now, "create sequence counted").await;
    let before = world.everything().await;
    for query in writes {
        let fault = items(&world, &listing(query, &[])).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Permanent, "{query}: {fault}");
    }
    assert_eq!(world.everything().await, before);
    let open = "select count(*) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'";
    items(&world, &listing(QUERY, &[])).await.unwrap();
    assert_eq!(text(&mut world.now, open).await, "0");
}

#[tokio::test]
async fn what_cannot_be_listed_says_why() {
    let world = world().await;
    let why = |query: &'static str, compare: &'static [&'static str]| {
        let listing = listing(query, compare);
        let world = &world;
        async move { items(world, &listing).await.unwrap_err().message }
    };
    let unknown = why(QUERY, &["sice"]).await;
    assert!(
        unknown.contains("s/s01 live: listing: column listed.sice does not exist"),
        "{unknown}"
    );
    let all = why("select \"Path\" from files", &[]).await;
    assert!(all.contains("does not ask for the site"), "{all}");
    let broken = why("select from where $1", &[]).await;
    assert!(broken.contains("syntax error"), "{broken}");
}
