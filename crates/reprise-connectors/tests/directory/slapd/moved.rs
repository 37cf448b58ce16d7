//! What was renamed or moved after T comes into being no second time.

use reprise_model::{Action, FaultKind};

use super::server::Server;
use super::world::{accident, comes_back, connector, of_site, perform, seed, settled};

fn rename(dn: &str, rdn: &str, superior: &str) -> String {
    let superior = match superior {
        "" => String::new(),
        superior => format!("newsuperior: {superior}\n"),
    };
    format!("dn: {dn}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\n{superior}\n")
}

fn uuids(server: &Server) -> Vec<String> {
    let all = server.dump(|_| true);
    let lines = all.iter().flat_map(|entry| entry.lines());
    let mut uuids: Vec<String> = lines
        .filter(|line| line.starts_with("entryUUID: "))
        .map(str::to_owned)
        .collect();
    uuids.sort();
    uuids
}

fn each_once(server: &Server) {
    let all = uuids(server);
    let mut once = all.clone();
    once.dedup();
    assert_eq!(all, once);
}

#[tokio::test]
async fn an_own_entry_that_was_moved_away_is_refused_until_somebody_decides() {
    let server = Server::start();
    seed(&server);
    server.snapshot("a.ldif");
    let target = server.now();
    let then = settled(server.dump(of_site));
    let own = "uid=s1u1,ou=s1,ou=sites,dc=acme";
    server.change(&rename(own, "uid=s1u1", "ou=people,dc=acme"));
    accident(&server);
    server.write_log();
    let before = server.dump(|_| true);
    let connector = connector(&server, &server.admin());
    let fault = perform(&connector, Action::Restore, &target, "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    for dn in [own, "uid=s1u1,ou=people,dc=acme"] {
        assert!(fault.message.contains(&format!("`{dn}`")), "{fault}");
    }
    assert!(fault.hint.unwrap().contains("ask whose it is now"));
    assert_eq!(server.dump(|_| true), before, "a refusal changed live");

    server.change("dn: uid=s1u1,ou=people,dc=acme\nchangetype: delete\n\n");
    comes_back(&connector, &target).await;
    assert_eq!(settled(server.dump(of_site)), then);
    each_once(&server);
}

#[tokio::test]
async fn an_own_entry_that_was_renamed_within_the_site_is_replaced() {
    let server = Server::start();
    seed(&server);
    server.snapshot("a.ldif");
    let target = server.now();
    let then = settled(server.dump(of_site));
    server.change(&rename("uid=s1u1,ou=s1,ou=sites,dc=acme", "uid=s1u8", ""));
    server.write_log();
    let connector = connector(&server, &server.admin());
    let with = r#"{"on_conflict": "replace"}"#;
    perform(&connector, Action::Restore, &target, with)
        .await
        .unwrap();
    assert_eq!(settled(server.dump(of_site)), then);
    // Another one has its old name now, and it stands under one that was there.
    server.change("dn: uid=s1u2,ou=s1,ou=sites,dc=acme\nchangetype: delete\n\n");
    server.change(&rename("uid=s1u1,ou=s1,ou=sites,dc=acme", "uid=s1u2", ""));
    let fault = perform(&connector, Action::Restore, &target, with)
        .await
        .unwrap_err();
    assert!(fault.message.contains("is live as"), "{fault}");
    each_once(&server);
}

#[tokio::test]
async fn shared_people_and_groups_are_brought_back_under_the_names_they_have_now() {
    let server = Server::start();
    seed(&server);
    server.snapshot("a.ldif");
    let target = server.now();
    let count = uuids(&server).len();
    server.change(&format!(
        "{}{}{}",
        rename("uid=bob,ou=people,dc=acme", "uid=robert", ""),
        rename("uid=ann,ou=people,dc=acme", "uid=anna", ""),
        rename("cn=editors,ou=groups,dc=acme", "cn=authors", ""),
    ));
    server.change(
        "dn: uid=robert,ou=people,dc=acme\nchangetype: modify\ndelete: departmentNumber\n\n\
         dn: uid=anna,ou=people,dc=acme\nchangetype: modify\ndelete: departmentNumber\ndepartmentNumber: s1\n\n\
         dn: cn=authors,ou=groups,dc=acme\nchangetype: modify\nreplace: member\n\
         member: uid=s2u1,ou=s2,ou=sites,dc=acme\n\n",
    );
    server.delete_tree("ou=s1,ou=sites,dc=acme");
    server.write_log();
    let connector = connector(&server, &server.admin());
    let outcome = comes_back(&connector, &target).await;
    assert_eq!(outcome.output["groups_made"], 0);
    assert_eq!(uuids(&server).len(), count);
    each_once(&server);
    let robert = "uid=robert,ou=people,dc=acme";
    assert_eq!(server.values(robert, "departmentNumber"), ["s1"]);
    let anna = "uid=anna,ou=people,dc=acme";
    assert_eq!(server.values(anna, "departmentNumber"), ["s1", "s2"]);
    let members = [
        robert,
        "uid=s1u1,ou=s1,ou=sites,dc=acme",
        "uid=s1u2,ou=s1,ou=sites,dc=acme",
        "uid=s2u1,ou=s2,ou=sites,dc=acme",
    ];
    let authors = "cn=authors,ou=groups,dc=acme";
    assert_eq!(server.values(authors, "member"), members);
}

#[tokio::test]
async fn a_shared_entry_that_stands_elsewhere_now_is_refused() {
    let server = Server::start();
    seed(&server);
    server.snapshot("a.ldif");
    let target = server.now();
    let bob = "uid=bob,ou=people,dc=acme";
    server.change(&rename(bob, "uid=bob", "ou=s2,ou=sites,dc=acme"));
    server.write_log();
    let connector = connector(&server, &server.admin());
    let fault = perform(&connector, Action::Restore, &target, "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    let now = "`uid=bob,ou=s2,ou=sites,dc=acme`";
    assert!(fault.message.contains(now), "{fault}");
}
