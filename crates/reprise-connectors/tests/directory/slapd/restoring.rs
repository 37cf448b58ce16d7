//! A site comes back, and nobody else notices.

use std::sync::atomic::Ordering;

use reprise_model::{Action, FaultKind, Verdict};
use reprise_ports::Connector;

use super::server::Server;
use super::world::{
    NEIGHBOUR, Watcher, accident, call, comes_back, connector, is_done, of_site, perform, seed,
    settled, user,
};

#[tokio::test]
async fn a_deleted_site_comes_back_and_neighbours_are_untouched() {
    let server = Server::start();
    seed(&server);
    server.snapshot("a.ldif");
    // All that happens to entries, before T.
    server.change(&format!(
        "{}dn: uid=s1u1,ou=s1,ou=sites,dc=acme\nchangetype: modify\nreplace: description\n\
         description: two\n-\nadd: mail\nmail: a@b\n\n\
         dn: uid=s1u4,ou=s1,ou=sites,dc=acme\nchangetype: modrdn\nnewrdn: uid=S1u9\ndeleteoldrdn: 1\n\n\
         dn: uid=s1u2,ou=s1,ou=sites,dc=acme\nchangetype: modify\ndelete: description\n\n",
        user("ou=s1,ou=sites,dc=acme", "s1u5"),
    ));
    let target = server.now();
    let then = settled(server.dump(of_site));
    // Writers go on.
    server.change(
        "dn: uid=s1u1,ou=s1,ou=sites,dc=acme\nchangetype: modify\nreplace: description\ndescription: later\n\n",
    );
    accident(&server);
    server.write_log();
    let neighbours = server.dump(|dn| dn.ends_with(NEIGHBOUR));
    let connector = connector(&server, &server.admin());
    assert!(!is_done(&connector, Action::Restore, &target).await);
    let outcome = comes_back(&connector, &target).await;

    assert_eq!(
        settled(server.dump(of_site)),
        then,
        "entryUUIDs and times are kept too"
    );
    assert_eq!(server.dump(|dn| dn.ends_with(NEIGHBOUR)), neighbours);
    assert_eq!(outcome.output["entry_uuids_and_times"], "kept");
    assert_eq!(outcome.output["memberships"], 4);
    assert!(server.can_bind("uid=s1u5,ou=s1,ou=sites,dc=acme", "secret-s1u5"));
    assert!(is_done(&connector, Action::Restore, &target).await);
    let again = comes_back(&connector, &target).await;
    assert_eq!(again.output["added"], 0);
    assert_eq!(again.output["memberships"], 0);
}

#[tokio::test]
async fn people_of_several_sites_are_merged_and_not_overwritten() {
    let server = Server::start();
    seed(&server);
    server.snapshot("a.ldif");
    let target = server.now();
    accident(&server);
    server.write_log();
    comes_back(&connector(&server, &server.admin()), &target).await;
    let ann = server.dump(|dn| dn.starts_with("uid=ann")).concat();
    assert!(
        ann.contains("departmentNumber: s1") && ann.contains("departmentNumber: s2"),
        "{ann}"
    );
    assert!(ann.contains("description: hers since"), "{ann}");
    assert!(!ann.contains("description: one"), "{ann}");
    let editors = server.dump(|dn| dn.starts_with("cn=editors")).concat();
    assert!(editors.contains("member: uid=bob,ou=people"), "{editors}");
    assert!(editors.contains("member: uid=s2u1"), "{editors}");
}

#[tokio::test]
async fn one_member_that_is_missing_is_found_by_name() {
    let server = Server::start();
    seed(&server);
    server.snapshot("a.ldif");
    let target = server.now();
    accident(&server);
    server.write_log();
    let connector = connector(&server, &server.admin());
    comes_back(&connector, &target).await;
    server.change(
        "dn: cn=editors,ou=groups,dc=acme\nchangetype: modify\ndelete: member\n\
         member: uid=s1u2,ou=s1,ou=sites,dc=acme\n\n\
         dn: uid=s1u3,ou=s1,ou=sites,dc=acme\nchangetype: modify\nreplace: userPassword\nuserPassword: stolen\n\n",
    );
    let fault = perform(&connector, Action::Verify, &target, "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Validation);
    let told = serde_json::to_string(&fault).unwrap();
    assert!(told.contains("uid=s1u2,ou=s1,ou=sites,dc=acme"), "{told}");
    assert!(told.contains("cn=editors,ou=groups,dc=acme"), "{told}");
    assert!(told.contains("userpassword"), "{told}");
    assert!(
        !told.contains("stolen") && !told.contains("secret-"),
        "{told}"
    );
    let shared = fault
        .checks
        .iter()
        .find(|check| check.name == "shared-entries")
        .unwrap();
    assert_eq!(shared.verdict, Verdict::Pass);
}

#[tokio::test]
async fn a_restore_that_is_cut_off_anywhere_is_finished_by_a_repeat() {
    let server = Server::start();
    seed(&server);
    server.snapshot("a.ldif");
    let target = server.now();
    let then = settled(server.dump(of_site));
    accident(&server);
    server.write_log();
    let neighbours = server.dump(|dn| dn.ends_with(NEIGHBOUR));
    let connector = connector(&server, &server.admin());
    let mut cuts = 0;
    for step in 0.. {
        let watcher = Watcher {
            cancel_at: Some(step),
            ..Watcher::default()
        };
        let work = call(Action::Restore, "s1", &target, "{}");
        let first = connector.perform(&work, &watcher).await;
        if watcher.seen.load(Ordering::Relaxed) <= step {
            first.unwrap();
            break;
        }
        cuts += usize::from(first.is_err());
        comes_back(&connector, &target).await;
        assert_eq!(
            settled(server.dump(of_site)),
            then,
            "cut off at step {step}"
        );
        accident(&server);
    }
    assert!(cuts >= 8, "only {cuts} cuts were tried");
    assert_eq!(server.dump(|dn| dn.ends_with(NEIGHBOUR)), neighbours);
}

#[tokio::test]
async fn live_entries_in_the_way_are_counted_and_replaced_only_when_told() {
    let server = Server::start();
    seed(&server);
    server.snapshot("a.ldif");
    let target = server.now();
    server.change(&format!(
        "{}dn: uid=s1u1,ou=s1,ou=sites,dc=acme\nchangetype: modify\nreplace: description\ndescription: x\n\n",
        user("ou=s1,ou=sites,dc=acme", "new"),
    ));
    server.write_log();
    let before = server.dump(|_| true);
    let connector = connector(&server, &server.admin());
    let fault = perform(&connector, Action::Restore, &target, "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(
        fault.message.starts_with("2 live entries"),
        "{}",
        fault.message
    );
    assert_eq!(server.dump(|_| true), before, "a refusal changed live");
    let with = r#"{"on_conflict": "replace"}"#;
    let outcome = perform(&connector, Action::Restore, &target, with)
        .await
        .unwrap();
    assert_eq!(
        (&outcome.output["deleted"], &outcome.output["replaced"]),
        (&1.into(), &1.into())
    );
    perform(&connector, Action::Verify, &target, "{}")
        .await
        .unwrap();
}
