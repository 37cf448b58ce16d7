//! Items of a site's slice, for the references between stores.

use std::ops::ControlFlow;

use reprise_model::{Action, End, Fault, Side};
use reprise_ports::{Connector, Item, Listing};
use serde_json::json;

use crate::world::{Quiet, World, call};

async fn items(world: &World, at: End) -> Result<Vec<Item>, Fault> {
    let target = "2026-01-01T00:00:00Z".parse().expect("a time");
    let call = call(Action::Verify, "a", target, json!({}));
    let listing = Listing {
        shard: "main".into(),
        site: call.site.expect("a site"),
        target_time: target,
        side: Side {
            store: "media".into(),
            key: "key".into(),
            compare: vec!["size".into(), "etag".into(), "object".into()],
            at,
            query: None,
            filter: None,
            list: Default::default(),
        },
    };
    let mut items = Vec::new();
    let mut take = |item| {
        items.push(item);
        ControlFlow::Continue(())
    };
    let context = Quiet::default();
    world.connector.list(&listing, &mut take, &context).await?;
    Ok(items)
}

#[tokio::test]
async fn what_a_reader_finds_below_the_prefix_is_listed() {
    let world = World::new().await;
    world.put("sites/a/x/logo.png", "first").await;
    world.put("sites/a/x/logo.png", "second!").await;
    world.put("sites/a/deleted", "gone").await;
    world.delete("sites/a/deleted").await;
    world.put("sites/ab/neighbour", "theirs").await;
    let found = items(&world, End::Live).await.expect("listed");
    let field = |text: &str| Some(text.to_owned());
    let etag = found[0].fields[1].clone();
    assert_eq!(etag.as_ref().map(String::len), Some(32), "an MD5");
    let expect = Item {
        key: field("x/logo.png"),
        fields: vec![field("7"), etag, field("sites/a/x/logo.png")],
    };
    assert_eq!(found, [expect]);
    let fault = items(&world, End::Target).await.expect_err("live only");
    assert!(fault.message.contains("lists live only"), "{fault}");
}
