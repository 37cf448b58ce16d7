//! Items of a site's slice, for the references between stores.

use std::ops::ControlFlow;

use reprise_connectors::ldap::LdapConnector;
use reprise_model::{Action, End, Fault, Listed, Side};
use reprise_ports::{Connector, Listing};

use super::server::Server;
use super::world::{Watcher, accident, call, connector, seed, user};

fn side(list: Listed, key: &str, compare: &[&str], filter: Option<&str>) -> Side {
    Side {
        store: "people".into(),
        key: key.to_owned(),
        compare: compare.iter().map(|name| (*name).to_owned()).collect(),
        at: End::Live,
        query: None,
        filter: filter.map(str::to_owned),
        list,
    }
}

/// `key field field`, sorted.
async fn items(connector: &LdapConnector, side: Side, target: &str) -> Result<Vec<String>, Fault> {
    let call = call(Action::Verify, "s1", target, "{}");
    let listing = Listing {
        shard: "main".into(),
        site: call.site.unwrap(),
        target_time: call.target_time,
        side,
    };
    let mut items = Vec::new();
    let mut take = |item: reprise_ports::Item| {
        let texts = std::iter::once(item.key).chain(item.fields);
        let texts: Vec<String> = texts.map(|text| text.unwrap_or("-".into())).collect();
        items.push(texts.join(" "));
        ControlFlow::Continue(())
    };
    connector
        .list(&listing, &mut take, &Watcher::default())
        .await?;
    items.sort();
    Ok(items)
}

#[tokio::test]
async fn entries_and_members_of_one_site_are_listed_at_both_ends() {
    let server = Server::start();
    seed(&server);
    server.snapshot("a.ldif");
    let target = server.now();
    let connector = connector(&server, &server.admin());
    let people = || {
        side(
            Listed::Entries,
            "uid",
            &["description"],
            Some("(objectClass=inetOrgPerson)"),
        )
    };
    let then = [
        "ann one", "bob one", "s1u1 one", "s1u2 one", "s1u3 one", "s1u4 one",
    ];
    assert_eq!(items(&connector, people(), &target).await.unwrap(), then);
    let members = |key: &str| side(Listed::Members, key, &[], None);
    let pairs = ["editors/bob", "editors/s1u1", "editors/s1u2", "unix/s1u3"];
    assert_eq!(
        items(&connector, members("cn/uid"), &target).await.unwrap(),
        pairs
    );
    let editors = side(Listed::Members, "dn", &["cn"], Some("(cn=editors)"));
    let named = [
        "uid=bob,ou=people,dc=acme editors",
        "uid=s1u1,ou=s1,ou=sites,dc=acme editors",
        "uid=s1u2,ou=s1,ou=sites,dc=acme editors",
    ];
    assert_eq!(items(&connector, editors, &target).await.unwrap(), named);
    // What has no key is told as such: the subtree's own top is no person.
    let all = items(&connector, side(Listed::Entries, "uid", &[], None), &target).await;
    assert_eq!(all.unwrap()[0], "-");

    accident(&server);
    server.write_log();
    assert_eq!(items(&connector, people(), &target).await.unwrap(), [""; 0]);
    assert_eq!(
        items(&connector, members("uid"), &target).await.unwrap(),
        [""; 0]
    );
    let at_target = |side: Side| Side {
        at: End::Target,
        ..side
    };
    assert_eq!(
        items(&connector, at_target(people()), &target)
            .await
            .unwrap(),
        then
    );
    assert_eq!(
        items(&connector, at_target(members("cn/uid")), &target)
            .await
            .unwrap(),
        pairs
    );
}

/// `memberUid` holds no DN: whose it is depends on everybody.
#[tokio::test]
async fn a_uid_that_somebody_else_has_too_names_nobody_at_either_end() {
    let server = Server::start();
    seed(&server);
    server.change(&user("dc=acme", "s1u3"));
    server.snapshot("a.ldif");
    let target = server.now();
    let connector = connector(&server, &server.admin());
    for at in [End::Live, End::Target] {
        let unix = side(Listed::Members, "uid", &[], Some("(cn=unix)"));
        let unix = Side { at, ..unix };
        server.write_log();
        assert_eq!(items(&connector, unix, &target).await.unwrap(), [""; 0]);
    }
}

#[tokio::test]
async fn secrets_and_other_filters_are_refused() {
    let server = Server::start();
    seed(&server);
    let target = server.now();
    let connector = connector(&server, &server.admin());
    for (wrong, why) in [
        (
            side(Listed::Entries, "uid", &["userPassword"], None),
            "is a secret",
        ),
        (
            side(Listed::Entries, "pwdHistory", &[], None),
            "is a secret",
        ),
        (
            side(Listed::Entries, "uid", &[], Some("(uid=s*)")),
            "is not understood",
        ),
        (
            side(Listed::Entries, "uid", &[], Some("(&(uid=a)(cn=b))")),
            "is not understood",
        ),
    ] {
        let fault = items(&connector, wrong, &target).await.unwrap_err();
        assert!(fault.message.contains(why), "{fault}");
    }
}
