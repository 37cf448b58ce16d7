//! What members know of their groups, which the server derives; entries that
//! refer to other servers; memberships of later.

use reprise_model::{Action, Verdict};

use super::server::Server;
use super::world::{accident, comes_back, connector, of_site, perform, seed, settled};

fn groups_of(server: &Server) -> Vec<(String, Vec<String>)> {
    let all = server.dump(of_site);
    let names = all.iter().filter_map(|entry| entry.lines().next());
    let names = names.filter_map(|line| line.strip_prefix("dn: "));
    names
        .map(|dn| (dn.to_owned(), server.values(dn, "memberOf")))
        .collect()
}

/// Groups sort before their members, name one another, and one of them stands
/// outside and goes on naming who is gone.
#[tokio::test]
async fn the_server_derives_of_which_groups_everybody_is_a_member() {
    let server = Server::with("overlay memberof");
    seed(&server);
    server.change(
        "dn: cn=a-team,ou=s1,ou=sites,dc=acme\nobjectClass: groupOfNames\ncn: a-team\n\
         member: uid=s1u1,ou=s1,ou=sites,dc=acme\nmember: uid=s1u3,ou=s1,ou=sites,dc=acme\n\n\
         dn: cn=all,ou=s1,ou=sites,dc=acme\nobjectClass: groupOfNames\ncn: all\n\
         member: cn=a-team,ou=s1,ou=sites,dc=acme\n\n\
         dn: cn=a-team,ou=s1,ou=sites,dc=acme\nchangetype: modify\nadd: member\n\
         member: cn=all,ou=s1,ou=sites,dc=acme\n\n",
    );
    server.snapshot("a.ldif");
    // The log tells of the group alone.
    server.change(
        "dn: cn=editors,ou=groups,dc=acme\nchangetype: modify\nadd: member\n\
         member: uid=s1u4,ou=s1,ou=sites,dc=acme\n\n",
    );
    let target = server.now();
    let then = groups_of(&server);
    assert_eq!(then.iter().map(|(_, of)| of.len()).sum::<usize>(), 7);
    server.delete_tree("ou=s1,ou=sites,dc=acme");
    server.write_log();
    let connector = connector(&server, &server.admin());
    let outcome = comes_back(&connector, &target).await;
    assert_eq!(groups_of(&server), then);
    assert!(outcome.output["memberof_renewed"].as_u64() >= Some(3));
    let outcome = perform(&connector, Action::Verify, &target, "{}")
        .await
        .unwrap();
    let check = outcome.checks.iter().find(|one| one.name == "member-of");
    // A shared one, too.
    assert_eq!(check.unwrap().evidence["expected"], 8);
    assert_eq!(check.unwrap().verdict, Verdict::Pass);
}

/// What `refint` does is in no log.
#[tokio::test]
async fn memberships_that_followed_a_renamed_entry_are_named() {
    let server = Server::with("overlay refint\nrefint_attributes member");
    seed(&server);
    let team = "cn=a-team,ou=s1,ou=sites,dc=acme";
    server.change(&format!(
        "dn: {team}\nobjectClass: groupOfNames\ncn: a-team\n\
         member: uid=s1u1,ou=s1,ou=sites,dc=acme\nmember: uid=s1u3,ou=s1,ou=sites,dc=acme\n\n"
    ));
    server.snapshot("a.ldif");
    let renamed = "uid=s1u7,ou=s1,ou=sites,dc=acme";
    server.change(
        "dn: uid=s1u1,ou=s1,ou=sites,dc=acme\nchangetype: modrdn\nnewrdn: uid=s1u7\ndeleteoldrdn: 1\n\n",
    );
    let target = server.now();
    let editors = "cn=editors,ou=groups,dc=acme";
    for group in [team, editors] {
        server.wait_for(|server| server.values(group, "member").contains(&renamed.to_owned()));
    }
    server.delete_tree("ou=s1,ou=sites,dc=acme");
    server.wait_for(|server| !server.values(editors, "member").concat().contains("ou=s1,"));
    server.write_log();
    let connector = connector(&server, &server.admin());
    perform(&connector, Action::Restore, &target, "{}")
        .await
        .unwrap();
    let fault = perform(&connector, Action::Verify, &target, "{}")
        .await
        .unwrap_err();
    let check = fault.checks.last().unwrap();
    assert_eq!(check.verdict, Verdict::Unknown);
    let samples = check.evidence["undecided_samples"].as_array().unwrap();
    let told: Vec<_> = samples.iter().map(|one| &one["group"]).collect();
    assert_eq!(told, [editors, team]);
    assert!(samples.iter().all(|one| one["member"] == renamed));
}

#[tokio::test]
async fn entries_that_refer_to_other_servers_come_back() {
    let server = Server::start();
    seed(&server);
    server.change(
        "dn: ou=away,ou=s1,ou=sites,dc=acme\nobjectClass: referral\nobjectClass: extensibleObject\n\
         ou: away\nref: ldap://127.0.0.1:9/ou=away,dc=other\n\n",
    );
    server.snapshot("a.ldif");
    let target = server.now();
    let then = settled(server.dump(of_site));
    accident(&server);
    server.write_log();
    let connector = connector(&server, &server.admin());
    comes_back(&connector, &target).await;
    assert_eq!(settled(server.dump(of_site)), then);
    server.change(
        "dn: ou=away,ou=s1,ou=sites,dc=acme\nchangetype: modify\nreplace: ref\nref: ldap://127.0.0.1:9/\n\n",
    );
    let with = r#"{"on_conflict": "replace"}"#;
    perform(&connector, Action::Restore, &target, with)
        .await
        .unwrap();
    assert_eq!(settled(server.dump(of_site)).len(), then.len());
}

#[tokio::test]
async fn memberships_of_later_stay_and_are_counted() {
    let server = Server::start();
    seed(&server);
    server.snapshot("a.ldif");
    let target = server.now();
    server.change(
        "dn: cn=later,ou=groups,dc=acme\nobjectClass: groupOfNames\ncn: later\n\
         member: uid=s1u4,ou=s1,ou=sites,dc=acme\n\n\
         dn: cn=editors,ou=groups,dc=acme\nchangetype: modify\nadd: member\n\
         member: uid=s1u3,ou=s1,ou=sites,dc=acme\nmember: uid=s2u3,ou=s2,ou=sites,dc=acme\n\n",
    );
    server.write_log();
    let connector = connector(&server, &server.admin());
    let outcome = comes_back(&connector, &target).await;
    assert_eq!(outcome.output["memberships"], 0);
    let outcome = perform(&connector, Action::Verify, &target, "{}")
        .await
        .unwrap();
    let check = outcome.checks.iter().find(|one| one.name == "memberships");
    let check = check.unwrap();
    assert_eq!(check.verdict, Verdict::Pass);
    assert_eq!(check.evidence["gained_since"], 2, "{}", check.evidence);
}
