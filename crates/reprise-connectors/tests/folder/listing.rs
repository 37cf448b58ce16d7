//! Items of a site's files, for the references between stores.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;

use reprise_model::{Action, End, Fault, Side};
use reprise_ports::{Connector, Item, Listing};
use serde_json::json;

use crate::world::{Quiet, World, now};

async fn items(world: &World, site: &str, at: End) -> Result<Vec<Item>, Fault> {
    let call = world.call(Action::Verify, site, now(), json!({}));
    let listing = Listing {
        shard: "main".into(),
        site: call.site.expect("a site"),
        target_time: call.target_time,
        side: Side {
            store: "files".into(),
            key: "path".into(),
            compare: vec!["size".into(), "file".into()],
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
async fn the_files_of_the_sites_own_folder_are_listed() {
    let world = World::dated();
    world.write("a/x/logo.png", "second!");
    world.write("ab/neighbour", "theirs");
    symlink("x/logo.png", world.live("a/link")).expect("a link");
    let field = |text: &str| Some(text.to_owned());
    let expect = [
        Item {
            key: field("link"),
            fields: vec![None, field("sites/a/link")],
        },
        Item {
            key: field("x/logo.png"),
            fields: vec![field("7"), field("sites/a/x/logo.png")],
        },
    ];
    assert_eq!(items(&world, "a", End::Live).await.expect("listed"), expect);
    assert_eq!(items(&world, "none", End::Live).await.expect("listed"), []);
    let fault = items(&world, "a", End::Target)
        .await
        .expect_err("live only");
    assert!(fault.message.contains("lists live only"), "{fault}");
    // A disk that is not mounted is not a site without files.
    fs::remove_dir_all(world.temp.path().join("live")).expect("removed");
    items(&world, "a", End::Live).await.expect_err("no tree");
}
