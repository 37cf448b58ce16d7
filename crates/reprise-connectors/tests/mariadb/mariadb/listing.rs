//! Items of a site's slice, for the references between stores.

use std::ops::ControlFlow;

use reprise_model::{Action, End, Fault, Side};
use reprise_ports::{Connector, Item, Listing};

use super::world::{Recorder, World, call, run, text};

fn listing(world: &World, query: &str) -> Listing {
    let call = call(Action::Verify, world.at(5.0), Some("1"));
    Listing {
        shard: "s01".into(),
        site: call.site.unwrap(),
        target_time: call.target_time,
        side: Side {
            store: "issues".into(),
            key: "title".into(),
            compare: vec!["id".into(), "price".into()],
            at: End::Live,
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
    let context = Recorder::default();
    world.connector.list(listing, &mut take, &context).await?;
    Ok(items)
}

const QUERY: &str = "select title, i.id, price from issues i join projects p on p.id = i.project_id
    where p.site_id = $1 and '$1' <> '' order by i.id -- all of it;";

#[tokio::test]
async fn rows_of_one_site_become_items_at_both_ends() {
    let mut world = World::new().await;
    let mut listing = listing(&world, QUERY);
    let shown = |items: Vec<Item>| {
        let lines = items.into_iter().map(|item| {
            let fields = item
                .fields
                .into_iter()
                .map(|field| field.unwrap_or("-".into()));
            let key = item.key.unwrap_or("-".into());
            format!("{key}|{}", fields.collect::<Vec<_>>().join("|"))
        });
        lines.collect::<Vec<_>>()
    };
    let then = [
        "Grüße|100|-12345678901234567890.0123456789",
        "|101|0.0000000000",
    ];
    assert_eq!(shown(items(&world, &listing).await.unwrap()), then);
    world
        .commit_at(10, "update app.issues set title = null where id = 101")
        .await;
    let now = [
        "Grüße|100|-12345678901234567890.0123456789",
        "-|101|0.0000000000",
    ];
    assert_eq!(shown(items(&world, &listing).await.unwrap()), now);
    listing.side.at = End::Target;
    assert_eq!(shown(items(&world, &listing).await.unwrap()), then);
    world.connector.close().await;
}

#[tokio::test]
async fn a_listing_writes_nothing() {
    let mut world = World::new().await;
    run(&mut world.live, "create function app.wipe() returns int deterministic begin delete from app.issues; return 1; end").await;
    for query in [
        "select title, id, price from issues where id = $1) as listed; delete from issues; select (1",
        "select 'x' as title, app.wipe() as id, $1 as price",
    ] {
        let fault = items(&world, &listing(&world, query)).await.unwrap_err();
        assert!(
            fault.message.starts_with("issues/s01 live: listing: "),
            "{fault}"
        );
    }
    assert_eq!(
        text(&mut world.live, "select count(*) from app.issues").await,
        "4"
    );
    world.connector.close().await;
}
